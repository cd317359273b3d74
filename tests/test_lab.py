"""A learner works in copies of the lessons, which updates of the course leave alone."""

import json
import re
import runpy
import subprocess
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from jupyterlab.commands import get_app_dir

from conftest import ROOT

LAB = ROOT / "notebooks" / "source" / "lab"
LESSON = "notebooks/01_a_lesson.ipynb"
start = SimpleNamespace(**runpy.run_path(str(LAB / "start.py")))


@pytest.fixture
def course(tmp_path):
    """A course in a folder with a space and an é, whose one lesson can be given another text."""
    folder = tmp_path / "le cours été"
    for name in ("notebooks/deeper", "notebooks/source", "data"):
        (folder / name).mkdir(parents=True)
    (folder / "README.md").write_text("read me")
    (folder / "data" / "README.md").write_text("data")
    write(folder / "notebooks" / "source" / "01_a_lesson.ipynb", "not for learners")
    write(folder / "notebooks" / "deeper" / "01_a_page.ipynb", "a page")
    write(folder / LESSON, "the first version")
    return folder


def write(path, text):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text, id="a")]), path)


def read(path):
    return nbformat.read(path, as_version=4).cells[0].source


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_lessons_and_what_they_link_to_are_copied_where_the_links_lead(course):
    mine = course / "notebooks" / "mine"
    assert start.bring(course, mine) == []
    expected = {".shipped.json", "README.md", "data/README.md", LESSON, "notebooks/deeper/01_a_page.ipynb"}
    assert files(mine) == expected
    assert start.bring(course, mine) == [] and files(mine) == expected, "copies are not copied again"


def test_every_relative_link_of_the_real_course_works_in_the_copy(tmp_path):
    start.bring(ROOT, tmp_path)
    links = 0
    for path in (p for p in tmp_path.rglob("*") if p.suffix in (".ipynb", ".md")):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            text = "\n".join(c.source for c in nbformat.reads(text, 4).cells if c.cell_type == "markdown")
        for target in re.findall(r"\]\((?!https?:|attachment:|#)([^)#\s]+)", text):
            links += 1
            assert (path.parent / target).exists(), f"{path.name} links to {target}"
    assert links > 10


def test_an_untouched_copy_follows_the_course_and_a_touched_one_stays(course):
    mine = course / "notebooks" / "mine"
    start.bring(course, mine)
    write(course / LESSON, "the second version")
    assert start.bring(course, mine) == [] and read(mine / LESSON) == "the second version"

    write(mine / LESSON, "my answers")
    assert start.bring(course, mine) == [], "nothing new, nothing to say"
    for version in ("the third version", "the fourth version"):  # of which the third was never opened
        write(course / LESSON, version)
        [sentence] = start.bring(course, mine)
        assert LESSON in sentence and "01_a_lesson_new.ipynb" in sentence
        assert read(mine / LESSON) == "my answers"
        assert read(mine / "notebooks" / "01_a_lesson_new.ipynb") == version
    write(mine / "notebooks" / "01_a_lesson_new.ipynb", "more answers")
    write(course / LESSON, "the fifth version")
    [sentence] = start.bring(course, mine)
    texts = [read(mine / "notebooks" / f"01_a_lesson{end}.ipynb") for end in ("", "_new", "_new2")]
    assert texts == ["my answers", "more answers", "the fifth version"]
    assert start.bring(course, mine) == []


def test_a_deleted_copy_comes_afresh_and_what_was_touched_before_the_first_start_stays(course):
    mine = course / "notebooks" / "mine"
    (mine / "notebooks").mkdir(parents=True)
    write(mine / LESSON, "from I know not where")
    [_] = start.bring(course, mine)
    assert read(mine / LESSON) == "from I know not where"
    (mine / LESSON).unlink()
    start.bring(course, mine)
    assert read(mine / LESSON) == "the first version"


def test_nothing_is_lost_when_the_memory_is(course):
    mine = course / "notebooks" / "mine"
    start.bring(course, mine)
    write(mine / LESSON, "my answers")
    (mine / ".shipped.json").unlink()
    write(course / LESSON, "the second version")
    start.bring(course, mine)
    assert read(mine / LESSON) == "my answers"


def test_git_does_not_see_the_copies():
    ignored = subprocess.run(["git", "check-ignore", "-q", "notebooks/mine/notebooks/01_a_lesson.ipynb"], cwd=ROOT)
    assert ignored.returncode == 0


def test_a_saved_notebook_holds_the_words_for_a_widget_and_no_widget():
    settings = SimpleNamespace(**{name: SimpleNamespace() for name in ("Application", "ServerApp", "ContentsManager")})
    runpy.run_path(str(LAB / "jupyter_server_config.py"), {"get_config": lambda: settings})
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "Run this cell"}
    cell = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", view)])
    cell.outputs.append(nbformat.v4.new_output("stream", text="printed"))
    content = nbformat.v4.new_notebook(cells=[cell, nbformat.v4.new_markdown_cell("text")], metadata={"widgets": {}})
    settings.ContentsManager.pre_save_hook(model={"type": "notebook", "content": content}, path="a.ipynb")
    assert content.cells[0].outputs[0].data == {"text/plain": "Run this cell"}
    assert content.cells[0].outputs[1].text == "printed" and "widgets" not in content.metadata
    file = {"type": "file", "content": "text"}
    settings.ContentsManager.pre_save_hook(model=file, path="a.txt")
    assert file["content"] == "text"


def test_the_pages_settings_are_settings_that_jupyterlab_has():
    """JupyterLab says nothing about a setting that it does not know."""
    overrides = json.loads((LAB / "labconfig" / "default_setting_overrides.json").read_text())
    for plugin, settings in overrides.items():
        schema = Path(get_app_dir(), "schemas", plugin.replace(":", "/") + ".json")
        assert settings.keys() <= json.loads(schema.read_text(encoding="utf-8"))["properties"].keys()
