"""The benchmark fails where a ratio falls short, and says which."""

import bench
import pytest


@pytest.mark.parametrize(("ratio", "code"), [(0.5, 1), (3.0, 0)])
def test_a_ratio_that_falls_short_fails_the_command_with_a_line(ratio, code, monkeypatch, capsys):
    monkeypatch.setattr(bench, "compare", lambda *_: ratio)
    monkeypatch.setattr("sys.argv", ["bench.py"])
    with pytest.raises(SystemExit) as stopped:
        bench.main()
    missed = [line for line in capsys.readouterr().out.splitlines() if "wanted ≥ " in line]
    assert (stopped.value.code, len(missed)) == (code, 9 * code)
    assert (
        not code
        or missed[0] == "dense, batch 128: 0.50 times as fast as a bare loop on one resident batch, wanted ≥ 0.9"
    )


def test_a_long_run_that_is_too_slow_or_learns_too_little_fails_too(monkeypatch):
    losses = iter([39.0, 38.0, 37.0])
    monkeypatch.setattr(bench, "load_digits", lambda split: split)
    monkeypatch.setattr(bench, "PilDigits", lambda data: data)
    monkeypatch.setattr(bench, "seconds", lambda *_: 1.0)
    monkeypatch.setattr(bench, "measure", lambda *_: {"loss": next(losses)})
    missed = bench.long(20)
    assert ["1.000 of the lecture's time" in missed[0], "39.00 is more than the lecture's 38.00" in missed[1]] == [
        True
    ] * 2
