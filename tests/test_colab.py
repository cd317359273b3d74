"""Notebooks as Colab opens them, in the light form: `make test-colab` runs them all, with Colab's versions."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import build_homework
import colab
import nbformat
import pytest

import build_notebooks

RUN = """
import sys, nbformat
from IPython.core.interactiveshell import InteractiveShell
import matplotlib
matplotlib.use("agg")
shell = InteractiveShell.instance()
for cell in nbformat.read(sys.argv[1], as_version=4).cells:
    if cell.cell_type == "code":
        shell.run_cell(cell.source).raise_error()
import vae_helpers
print(vae_helpers.__file__)
"""


@pytest.mark.parametrize("name", ["00_ten_minutes.ipynb", "homework/set_4_faces.ipynb"])
def test_a_notebook_alone_in_an_empty_folder_installs_the_course_and_runs_to_its_end(name, tmp_path):
    environment, empty = tmp_path / "environment", tmp_path / "empty"
    empty.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    [packages] = environment.glob("lib/python*/site-packages")
    for path in Path(sysconfig.get_paths()["purelib"]).iterdir():  # all but the course is lent
        if "vae_helpers" not in path.name and path.suffix != ".pth":
            (packages / path.name).symlink_to(path)
    # IPython would take packages from the environment that is active, too.
    without = ("PYTHONPATH", "VAE_DATA_ROOT", "VIRTUAL_ENV")
    settings = {k: v for k, v in os.environ.items() if k not in without}
    settings |= colab.published(tmp_path) | {"PIP_NO_BUILD_ISOLATION": "0", "VAE_OFFLINE": "1"}
    before = subprocess.run(
        [environment / "bin" / "python", "-c", "import vae_helpers"],
        cwd=empty,
        env=settings,
        capture_output=True,
        check=False,
    )
    assert before.returncode, "the course is there already, so its first cell would not be tried"
    run = [environment / "bin" / "python", "-c", RUN, colab.ROOT / "notebooks" / name]
    done = subprocess.run(run, cwd=empty, env=settings, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr[-3000:] + done.stdout[-2000:]
    assert str(packages) in done.stdout.splitlines()[-1], "the course must come from its first cell"
    assert list(empty.iterdir()) == []


def test_each_notebook_has_the_first_cell_that_installs_its_release_and_a_link_to_itself():
    assert len(colab.notebooks()) >= len(build_notebooks.SOURCES) + len(build_homework.MASTERS)
    for path in colab.notebooks():
        notebook = nbformat.read(path, as_version=4)
        setup = next(cell for cell in notebook.cells if cell.cell_type == "code")
        tag = f"v{build_notebooks.project('version')}"
        assert f"@{tag}" in setup.source and "torch=={torch_here}" in setup.source, path
        [link] = re.findall(r"\(https://colab\.research\.google\.com/github/[^)]*\)", notebook.cells[0].source)
        place = path.relative_to(colab.ROOT).as_posix()
        assert link.endswith(f"/blob/{tag}/{place})"), path
