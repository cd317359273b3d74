"""Notebooks equal their sources, keep the form of a class hour, and run from top to bottom in a fresh kernel."""

import ast
import re
import shutil

import nbformat
import pytest

import build_notebooks as build
from build_notebooks import tags
from conftest import ROOT

EVERYTHING = [*build.SOURCES, *build.PAGES]


def each(sources):
    return pytest.mark.parametrize("source", sources, ids=[source.stem for source in sources])


def codes(notebook, *, folded=None):
    """The code cells; only those that are folded, or that are not."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return cells if folded is None else [cell for cell in cells if ("hide-input" in tags(cell)) == folded]


def prose(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_each_lesson_has_a_number_of_its_own_and_each_notebook_a_source():
    numbers = [source.stem[:2] for source in build.SOURCES]
    assert len(set(numbers)) == len(numbers) > 0
    built = {path for folder in ("", "deeper") for path in (build.NOTEBOOKS / folder).glob("*.ipynb")}
    assert built == {build.path_of(source) for source in EVERYTHING}
    assert {source.stem[:2] for source in build.PAGES} <= set(numbers)


@each(EVERYTHING)
def test_the_committed_notebook_holds_exactly_its_source(source):
    notebook = build.committed(source)
    expected = build.to_notebook(source, notebook.metadata.course)
    cells = [(c.cell_type, c.source, c.id) for c in notebook.cells]
    assert cells == [(c.cell_type, c.source, c.id) for c in expected.cells], "run `make notebooks`"
    assert build.is_current(source), "run `make notebooks`"
    assert notebook.metadata.course.seconds > 0


@each(EVERYTHING)
def test_the_committed_notebook_was_executed_in_order_and_is_small(source):
    counts = [cell.execution_count for cell in codes(build.committed(source))]
    assert counts == list(range(1, len(counts) + 1))
    assert build.path_of(source).stat().st_size < 1_000_000


@each(EVERYTHING)
def test_every_figure_says_in_words_what_it_shows(source):
    for cell in build.committed(source).cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert len(output.metadata.get("image/png", {}).get("alt", "")) > 30, cell.source
            assert output.output_type != "error"


@each(EVERYTHING)
def test_outputs_hold_no_path_of_the_machine_that_built_them(source):
    for cell in build.committed(source).cells:
        for output in cell.get("outputs", []):
            text = output.get("text", "") + output.get("data", {}).get("text/plain", "")
            assert not re.search(r"/(home|root|tmp|work|Users)/", text), text


@each([*EVERYTHING, ROOT / "README.md", ROOT / "data" / "README.md"])
def test_links_lead_somewhere(source):
    is_notebook = source.suffix == ".py"
    text = prose(build.to_notebook(source)) if is_notebook else source.read_text(encoding="utf-8")
    place = build.path_of(source) if is_notebook else source
    for target in re.findall(r"\]\(([^)#]+)", text):
        if not re.match(r"https?:|attachment:|mailto:", target):
            assert (place.parent / target).exists(), target


# --- The form of a class hour ---------------------------------------------------------------------------------------


@each(build.SOURCES)
def test_a_lesson_has_the_parts_that_the_course_promises(source):
    text = prose(build.to_notebook(source))
    parts = ["**You will be able to**", "**It builds on**", "**Predict.**", "## Workshop", "## Summary"]
    parts += ["## Read and watch", "**Next:**"]
    if source.stem.startswith("00"):  # the opening: nothing to know before it, nothing to type
        parts = ["## Summary", "**Next:**"]
    assert [part for part in parts if part not in text] == []
    found = [tag for cell in build.to_notebook(source, maintainers=True).cells for tag in tags(cell)]
    assert found.count("hero") == 1
    if not source.stem.startswith("00"):
        assert 2 <= found.count("exercise") <= 3
        assert found.count("workshop") == found.count("alternative") == 1
        reading = text.partition("## Read and watch")[2].partition("**Next:**")[0]
        assert 3 <= len(re.findall(r"^(?:[-*]|\d+\.) ", reading, re.MULTILINE)) <= 6
    assert found.count("solution") == found.count("exercise") + found.count("workshop")
    assert found.count("claim") > 0


@each(EVERYTHING)
def test_a_lesson_fits_into_a_class_hour_and_a_page_into_less(source):
    notebook = build.committed(source)
    is_page = source in build.PAGES
    assert build.words(notebook) <= 2_600
    assert build.visible_lines(notebook) <= 230
    figures = [o for cell in notebook.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(figures) <= 10
    assert build.minutes(notebook, notebook.metadata.course.seconds) <= (40 if is_page else 90)
    number = int(source.stem[:2])
    most = 45 if is_page else 60 if number < 7 else 90 if number == 11 else 75
    assert notebook.metadata.course.seconds < most


@each(EVERYTHING)
def test_visible_cells_are_short_and_hold_ideas_only(source):
    for cell in codes(build.to_notebook(source), folded=False):
        if not {"exercise", "workshop"} & set(tags(cell)):
            assert len([line for line in cell.source.splitlines() if line.strip()]) <= 25, cell.source
        found = re.search(r"\bassert\b|\balt=|\bplt\.|\bax\.|\bplots\.(?!use_course_style)", cell.source)
        assert not found, f"{found[0]} in\n{cell.source}"


@each(EVERYTHING)
def test_folded_cells_say_first_what_they_show(source):
    for cell in codes(build.to_notebook(source), folded=True):
        assert re.match(r"# @title \w.{10,}", cell.source), cell.source
        assert cell.metadata.jupyter.source_hidden and cell.metadata.cellView == "form"
    for cell in codes(build.to_notebook(source, maintainers=True)):
        if "claim" in tags(cell):
            assert "assert" in cell.source, cell.source


@each(EVERYTHING)
def test_what_the_student_writes_is_used(source):
    cells = codes(build.to_notebook(source))
    for number, cell in enumerate(cells):
        if "exercise" in tags(cell):
            [name] = re.findall(r"^(\w+) = verdict\.working$", cell.source, re.MULTILINE)
            later = [node for c in cells[number + 1 :] for node in ast.walk(ast.parse(c.source))]
            used = {node.id for node in later if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
            assert name in used, f"{name} is not used after its exercise"


@each(EVERYTHING)
def test_the_readme_states_the_computed_time(source):
    notebook = build.committed(source)
    time_needed = f"{build.minutes(notebook, notebook.metadata.course.seconds)} min"
    link = f"({build.path_of(source).relative_to(ROOT).as_posix()})"
    assert f"{link} | {time_needed} |" in (ROOT / "README.md").read_text(encoding="utf-8")


# --- Lessons run ----------------------------------------------------------------------------------------------------


def with_solutions(source):
    """The lesson with its claims, where each stub must fail its check, and each solution and alternative pass it."""
    notebook = build.to_notebook(source, maintainers=True)
    cells, tail = [], None
    for cell in notebook.cells:
        if {"exercise", "workshop"} & set(tags(cell)):
            tail = cell.source[re.search(r"^(verdict = |checks\.)", cell.source, re.MULTILINE).start() :]
            if not tail.startswith("verdict"):  # the longer form
                tail = f"verdict = {tail}"
            cells.append(cell)
            stub = f"{tail}\nassert not verdict.ok, 'the stub passes its check'"
            cells.append(nbformat.v4.new_code_cell(stub.splitlines()[-1] if "verdict = " in cell.source else stub))
        elif {"solution", "alternative"} & set(tags(cell)):
            fence = re.search(r"```python\n(.*)\n```", cell.source, re.DOTALL)
            code = fence[1] if fence else cell.source
            test = f"{tail}\nassert verdict.ok, f'{tags(cell)[0]} fails its check: {{verdict.message}}'"
            cells += [cell] if cell.cell_type == "markdown" else []
            cells.append(nbformat.v4.new_code_cell(f"{code}\n\n{test}"))
        else:
            cells.append(cell)
    notebook.cells = cells
    return notebook


@each(EVERYTHING)
def test_the_lesson_runs_and_its_exercises_can_be_solved(source, tmp_path):
    # An empty folder, as on Colab: a lesson may not lean on files beside it.
    build.execute(with_solutions(source), source.stem, tmp_path)


# --- The build itself -----------------------------------------------------------------------------------------------


def write_lesson(folder, code):
    path = folder / "99_failing.py"
    path.write_text(f"# %% [markdown]\n# # 99 · A lesson\n#\n# It begins.\n\n# %%\n{code}\n", encoding="utf-8")
    return path


def test_a_failing_lesson_is_reported_with_lesson_cell_and_error(tmp_path):
    source = write_lesson(tmp_path, "before = 1\n\n# %%\nassert before == 2, 'the claim is false'")
    with pytest.raises(build.LessonError) as caught:
        build.execute(build.to_notebook(source), source.stem, tmp_path)
    message = str(caught.value)
    assert "Lesson 99_failing failed in cell 4 of 4" in message
    assert "assert before == 2" in message and "AssertionError: the claim is false" in message


@pytest.fixture
def own_notebooks(tmp_path, monkeypatch):
    """A folder of notebooks with one source; returns a function that says whether it was built again."""
    monkeypatch.setattr(build, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "README.md").write_text("| 99 | [A lesson](notebooks/99_failing.ipynb) | 0 min | nothing |")
    build.NOTEBOOKS.mkdir()
    monkeypatch.setattr(build, "SOURCES", [write_lesson(tmp_path, "1 + 1")])
    monkeypatch.setattr(build, "PAGES", [])
    monkeypatch.setattr("sys.argv", ["build_notebooks.py"])

    def built(capsys):
        build.main()
        return "99_failing" in capsys.readouterr().out

    return built


def test_a_notebook_is_built_again_only_if_what_it_is_made_from_changed(own_notebooks, tmp_path, monkeypatch, capsys):
    assert [own_notebooks(capsys), own_notebooks(capsys)] == [True, False]
    write_lesson(tmp_path, "1 + 2")
    assert [own_notebooks(capsys), own_notebooks(capsys)] == [True, False]
    notebook = nbformat.read(build.NOTEBOOKS / "99_failing.ipynb", as_version=4)
    assert notebook.cells[-1].outputs[0].data["text/plain"] == "3"

    monkeypatch.setattr(build, "pretrained_folder", lambda: tmp_path)
    (tmp_path / "digits.safetensors").write_bytes(b"weights")
    write_lesson(tmp_path, """'a lesson that opens load_pretrained("digits")'""")
    assert [own_notebooks(capsys), own_notebooks(capsys)] == [True, False]
    (tmp_path / "digits.safetensors").write_bytes(b"other weights")
    assert [own_notebooks(capsys), own_notebooks(capsys)] == [True, False]

    package = tmp_path / "vae_helpers"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "used.py").write_text("def f():\n    from vae_helpers import deep\n")
    (package / "deep.py").write_text("a = 1\n")
    (package / "unused.py").write_text("a = 1\n")
    write_lesson(tmp_path, "if False:\n    from vae_helpers.used import f")
    assert [own_notebooks(capsys), own_notebooks(capsys)] == [True, False]
    (package / "deep.py").write_text("a = 2\n")
    assert [own_notebooks(capsys), own_notebooks(capsys)] == [True, False]
    (package / "deep.py").write_text('"""About a."""\n\n# two\na = 2\n')
    (package / "unused.py").write_text("a = 2\n")
    assert not own_notebooks(capsys), "neither comments nor modules that the lesson does not use"


def test_the_learners_notebook_has_figures_folded_and_no_claims(own_notebooks, tmp_path, capsys):
    figure = (
        "# %% tags=['figure', 'hero']\n# A sheet\nimport matplotlib.pyplot as plt\nfrom vae_helpers import plots\n"
        "plots.show(plt.figure(), alt='An empty sheet.')\n"
    )
    write_lesson(tmp_path, f"a = 1\n\n# %% tags=['claim']\nassert a == 1\n\n{figure}\n# %%\na")
    own_notebooks(capsys)
    notebook = nbformat.read(build.NOTEBOOKS / "99_failing.ipynb", as_version=4)
    assert "assert" not in "".join(cell.source for cell in notebook.cells)
    title, setup, _, folded, last = notebook.cells
    assert folded.metadata.jupyter.source_hidden and folded.source.startswith("# @title A sheet\n")
    assert [cell.execution_count for cell in (setup, folded, last)] == [1, 3, 4]
    assert last.outputs[0].execution_count == 4 and last.outputs[0].data["text/plain"] == "1"
    picture, times, text = title.source.split("\n\n")[1:]
    assert picture == "![An empty sheet.](attachment:hero.png)"
    assert title.attachments["hero.png"]["image/png"] == folded.outputs[0].data["image/png"].strip()
    assert "about 5 minutes" in times and text == "It begins."
    assert "| 5 min |" in (tmp_path / "README.md").read_text()


def test_a_claim_that_does_not_hold_fails_the_build(own_notebooks, tmp_path, capsys):
    write_lesson(tmp_path, "a = 1\n\n# %% tags=['claim']\nassert a == 2, 'a is not two'")
    with pytest.raises(SystemExit, match="a is not two"):
        own_notebooks(capsys)
    assert not (build.NOTEBOOKS / "99_failing.ipynb").exists()


def test_time_is_computed_from_words_lines_exercises_and_seconds(tmp_path):
    text = "# %% [markdown]\n# # 99 · A lesson\n#\n# " + "word " * 650 + "\n#\n# ### Your turn 1 · Try (7 min)\n\n"
    code = "# %%\n" + "a = 1\n" * 16 + "\n# %% tags=['figure']\n# Nothing is drawn\n" + "a = 1\n" * 80
    (tmp_path / "99_timed.py").write_text(text + code)
    notebook = build.to_notebook(tmp_path / "99_timed.py")
    assert 650 <= build.words(notebook) <= 685 and build.visible_lines(notebook) == 16
    assert build.minutes(notebook, 0) == 15 and build.minutes(notebook, 120) == 20


def test_a_progress_bar_leaves_its_last_state_only(tmp_path):
    source = write_lesson(tmp_path, "print('10%', end='\\r', flush=True); print('100%')")
    notebook = build.to_notebook(source)
    build.execute(notebook, source.stem, tmp_path)
    assert [output.text for output in notebook.cells[-1].outputs] == ["100%\n"]


def test_a_saved_notebook_holds_no_dead_widget(tmp_path):
    source = write_lesson(tmp_path, "import ipywidgets\n\nipywidgets.IntSlider()")
    notebook = build.to_notebook(source)
    build.execute(notebook, source.stem, tmp_path)
    assert notebook.cells[-1].outputs[0].data == {"text/plain": build.NO_WIDGET}
    assert "widgets" not in notebook.metadata


def test_lessons_become_web_pages(tmp_path, monkeypatch):
    code = "import matplotlib.pyplot as plt\nfrom vae_helpers import plots\n\n"
    source = write_lesson(tmp_path, code + "plots.show(plt.figure(), alt='An empty sheet.')\n6 * 7")
    monkeypatch.setattr(build, "SOURCES", [source])
    monkeypatch.setattr(build, "PAGES", [])
    monkeypatch.setattr("sys.argv", ["build.py", "--html", str(tmp_path / "pages")])
    build.main()
    page = (tmp_path / "pages" / "99_failing.html").read_text(encoding="utf-8")
    assert "A lesson" in page and "42" in page and 'alt="An empty sheet."' in page
