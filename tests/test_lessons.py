"""Notebooks equal their sources, and every lesson runs from top to bottom in a fresh kernel."""

import base64
import re
import shutil

import nbformat
import pytest

import build_notebooks as build

SOURCES = build.SOURCES
NAMES = [source.stem for source in SOURCES]
every_lesson = pytest.mark.parametrize("source", SOURCES, ids=NAMES)


def committed(source):
    return nbformat.read(build.NOTEBOOKS / f"{source.stem}.ipynb", as_version=4)


def test_each_lesson_has_a_number_of_its_own_and_each_notebook_a_source():
    assert len({name[:2] for name in NAMES}) == len(NAMES) > 0
    assert sorted(path.stem for path in build.NOTEBOOKS.glob("*.ipynb")) == NAMES


@every_lesson
def test_the_committed_notebook_holds_exactly_its_source(source):
    notebook = committed(source)
    seconds = notebook.metadata.course.seconds
    expected = build.to_notebook(source, seconds)
    cells = [(c.cell_type, c.source, c.id) for c in notebook.cells]
    assert cells == [(c.cell_type, c.source, c.id) for c in expected.cells], "run `make notebooks`"
    assert build.built_from(source) == build.source_hash(source), "run `make notebooks`"
    assert seconds > 0


@every_lesson
def test_the_committed_notebook_was_executed_in_order_and_is_small(source):
    notebook = committed(source)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert (build.NOTEBOOKS / f"{source.stem}.ipynb").stat().st_size < 1_000_000


@every_lesson
def test_every_figure_says_in_words_what_it_shows(source):
    for cell in committed(source).cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert len(output.metadata.get("image/png", {}).get("alt", "")) > 30, cell.source
            assert output.output_type != "error"


@every_lesson
def test_outputs_hold_no_path_of_the_machine_that_built_them(source):
    for cell in committed(source).cells:
        for output in cell.get("outputs", []):
            text = output.get("text", "") + output.get("data", {}).get("text/plain", "")
            assert not re.search(r"/(home|root|tmp|work|Users)/", text), text


@every_lesson
def test_every_lesson_has_the_parts_that_the_course_promises(source):
    notebook = build.to_notebook(source, 1)
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    for part in ("**You will be able to**", "**It builds on**", "**Predict.**", "## Summary", "## What to read"):
        assert part in text, part
    tags = [tag for c in notebook.cells for tag in c.metadata.get("tags", [])]
    assert 2 <= tags.count("exercise") <= 4
    assert tags.count("exercise") == tags.count("solution")


def with_solutions(source):
    """The lesson, where each stub must fail its check, and each solution must pass it."""
    notebook = build.to_notebook(source, 0)
    cells, check = [], None
    for cell in notebook.cells:
        cells.append(cell)
        tags = cell.metadata.get("tags", [])
        if "exercise" in tags:
            check = cell.source.strip().splitlines()[-1]
            cells.append(nbformat.v4.new_code_cell(f"assert not ({check}).ok, 'the stub passes its check'"))
        if "solution" in tags:
            code = re.search(r"```python\n(.*)\n```", cell.source, re.DOTALL).group(1)
            test = f"verdict = {check}\nassert verdict.ok, f'the solution fails its check: {{verdict.message}}'"
            cells.append(nbformat.v4.new_code_cell(f"{code}\n\n{test}"))
    notebook.cells = cells
    return notebook


@every_lesson
def test_the_lesson_runs_and_its_exercises_can_be_solved(source, tmp_path):
    # An empty folder, as on Colab: a lesson may not lean on files beside it.
    build.execute(with_solutions(source), source.stem, tmp_path)


def write_lesson(folder, code):
    path = folder / "99_failing.py"
    path.write_text(f"# %% [markdown]\n# # 99 · A lesson\n\n# %%\n{code}\n", encoding="utf-8")
    return path


def test_a_failing_lesson_is_reported_with_lesson_cell_and_error(tmp_path):
    source = write_lesson(tmp_path, "before = 1\n\n# %%\nassert before == 2, 'the claim is false'")
    with pytest.raises(build.LessonError) as caught:
        build.execute(build.to_notebook(source, 0), source.stem, tmp_path)
    message = str(caught.value)
    assert "Lesson 99_failing failed in cell 4 of 4" in message
    assert "assert before == 2" in message and "AssertionError: the claim is false" in message


def test_a_notebook_is_built_again_only_if_its_source_changed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(build, "NOTEBOOKS", tmp_path / "notebooks")
    shutil.copy(build.SOURCES[0].parents[2] / "pyproject.toml", tmp_path)
    build.NOTEBOOKS.mkdir()
    source = write_lesson(tmp_path, "1 + 1")
    monkeypatch.setattr(build, "SOURCES", [source])
    monkeypatch.setattr("sys.argv", ["build.py"])

    def built():
        build.main()
        return "99_failing" in capsys.readouterr().out

    assert [built(), built()] == [True, False]
    write_lesson(tmp_path, "1 + 2")
    assert [built(), built()] == [True, False]
    notebook = nbformat.read(build.NOTEBOOKS / "99_failing.ipynb", as_version=4)
    assert notebook.cells[-1].outputs[0].data["text/plain"] == "3"

    monkeypatch.setattr(build, "pretrained_folder", lambda: tmp_path)
    (tmp_path / "digits.safetensors").write_bytes(b"weights")
    write_lesson(tmp_path, """'a lesson that opens load_pretrained("digits")'""")
    assert [built(), built()] == [True, False]
    (tmp_path / "digits.safetensors").write_bytes(b"other weights")
    assert [built(), built()] == [True, False]


def test_a_progress_bar_leaves_its_last_state_only(tmp_path):
    source = write_lesson(tmp_path, "print('10%', end='\\r', flush=True); print('100%')")
    notebook = build.to_notebook(source, 0)
    build.execute(notebook, source.stem, tmp_path)
    assert [output.text for output in notebook.cells[-1].outputs] == ["100%\n"]


def test_a_saved_notebook_holds_no_dead_widget(tmp_path):
    source = write_lesson(tmp_path, "import ipywidgets\n\nipywidgets.IntSlider()")
    notebook = build.to_notebook(source, 0)
    build.execute(notebook, source.stem, tmp_path)
    assert notebook.cells[-1].outputs[0].data == {"text/plain": build.NO_WIDGET}
    assert "widgets" not in notebook.metadata


def test_lessons_become_web_pages(tmp_path, monkeypatch):
    code = "import matplotlib.pyplot as plt\nfrom vae_helpers import plots\n\n"
    source = write_lesson(tmp_path, code + "plots.show(plt.figure(), alt='An empty sheet.')\n6 * 7")
    monkeypatch.setattr(build, "SOURCES", [source])
    monkeypatch.setattr("sys.argv", ["build.py", "--html", str(tmp_path / "pages")])
    build.main()
    page = (tmp_path / "pages" / "99_failing.html").read_text(encoding="utf-8")
    assert "A lesson" in page and "42" in page and 'alt="An empty sheet."' in page


def test_figures_are_pictures():
    pictures = [
        output.data["image/png"]
        for source in SOURCES
        for cell in committed(source).cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert pictures and all(base64.b64decode(p).startswith(b"\x89PNG") for p in pictures)
