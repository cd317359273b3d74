"""Files are written whole or not at all, whatever happens meanwhile."""

import subprocess
import sys
import threading

import pytest

from conftest import tries
from vae_helpers import files

# Writes a file again and again: its own number, a million times.
WRITER = """
import sys
from pathlib import Path
from vae_helpers import files
path, number, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
for _ in range(rounds):
    with files.written_whole(path) as file:
        for _ in range(100):
            file.write(number.encode() * 10_000)
"""


def start_writer(path, number, rounds):
    command = [sys.executable, "-c", WRITER, str(path), str(number), str(rounds)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE)
    writer.stdout.readline()
    return writer


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "deep" / "a[b]*.txt"
    with files.written_whole(path) as file:
        file.write(b"old")
    for error in (ValueError, OSError, KeyboardInterrupt):
        with pytest.raises(error), files.written_whole(path) as file:
            file.write(b"half a new")
            raise error
        assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]
    with files.written_whole(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old", "not before it is whole"
    assert path.read_bytes() == b"new" and list(path.parent.iterdir()) == [path]


@pytest.mark.fuzz
def test_what_a_killed_process_has_left_is_removed_by_the_next_write(tmp_path):
    path = tmp_path / "model.v1"
    for _ in range(tries(3, 100)):
        writer = start_writer(path, 1, 1_000_000)
        while not list(tmp_path.glob("*.part")):
            pass
        writer.kill()
        writer.wait()
        if path.exists():
            assert path.read_bytes() == b"1" * 1_000_000
    (tmp_path / "model.v1.1234abcd.part").write_bytes(b"left")
    (tmp_path / "model.v2.1234abcd.part").write_bytes(b"of another file")
    with files.written_whole(path) as file:
        file.write(b"2")
    assert {file.name for file in tmp_path.iterdir()} == {"model.v1", "model.v2.1234abcd.part"}


@pytest.mark.fuzz
def test_processes_that_write_at_once_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "shared"
    writers = [start_writer(path, number, tries(60, 3000)) for number in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    content = path.read_bytes()
    assert len(content) == 1_000_000 and len(set(content)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_threads_that_write_at_once_do_not_disturb_each_other(tmp_path):
    path, failures = tmp_path / "shared", []

    def write(number):
        try:
            for _ in range(30):
                with files.written_whole(path) as file:
                    file.write(bytes([number]) * 1000)
                assert len(set(path.read_bytes())) == 1
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and list(tmp_path.iterdir()) == [path]
