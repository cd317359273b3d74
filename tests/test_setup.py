"""The project's own files agree with each other and with what the README promises."""

import ast
import os
import re
import subprocess
import sys
from importlib.metadata import requires

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from conftest import ROOT

CONSTRAINTS = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"
)
REQUIREMENTS = [Requirement(line) for line in requires("vae_helpers")]
# What Google Colab has today. pip must find every core requirement satisfied, so that it replaces nothing.
COLAB = {"torch": "2.11.0", "torchvision": "0.26.0", "numpy": "2.1.0", "scikit-learn": "1.6.1", "ipython": "7.34.0"}
COLAB |= {"ipywidgets": "7.7.1"}


# The package's rooms from the ground up: each may import only from those before it.
ROOMS = (
    "device files synthetic data unet models judges losses checkpoints train doctor evaluate attributes plots".split()
)
ROOMS += ["long_runs", "publish", "widgets", "checks"]
CORE = {"device", "models", "losses", "train", "evaluate", "attributes", "checkpoints", "plots"}


def canonical(name):
    return name.lower().replace("_", "-")


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_each_requirement_has_an_exact_version_that_fits(requirement):
    if requirement.name == "vae_helpers":
        return
    exact = {canonical(name): version for name, version in CONSTRAINTS.items()}[canonical(requirement.name)]
    assert requirement.specifier.contains(exact)


def test_colab_has_what_the_core_needs():
    core = {r.name: r.specifier for r in REQUIREMENTS if r.marker is None}
    assert not {"jupyterlab", "notebook"} & core.keys(), "installing a Jupyter would break Colab's own"
    for name, version in COLAB.items():
        assert core[name].contains(version), name


def test_conda_users_get_the_same_and_nothing_is_listed_twice():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert [d.split("=")[0] for d in conda] == ["python", "pip"]
    assert pip == {"pip": ["-c constraints.txt", "-e .[dev]"]}
    assert Version(conda[0].split("=")[1]) >= Version("3.10")


def test_importing_the_package_loads_nothing_heavy():
    """The modules that every lesson needs must not pull in what only some calls need."""
    code = (
        "import sys, vae_helpers, vae_helpers.device, vae_helpers.data, vae_helpers.losses, vae_helpers.models, "
        "vae_helpers.train; print(*sys.modules)"
    )
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"torchvision", "sklearn", "skimage", "matplotlib", "ipywidgets", "scipy"}


def files_by_room():
    package = ROOT / "vae_helpers"
    for file in package.rglob("*.py"):
        yield file.relative_to(package).parts[0].removesuffix(".py"), file


def imported_rooms(file):
    """Yield the room of every import from the package in a file, at its top or inside its functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports name the package"
            names = [f"{node.module}.{name.name}" for name in node.names]
        else:
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
        yield from (name.split(".")[1] for name in names if name.startswith("vae_helpers."))


def test_arrows_between_rooms_only_go_down():
    arrows = {(room, imported) for room, file in files_by_room() for imported in imported_rooms(file)}
    assert {("train", "losses"), ("plots", "train"), ("checks", "data")} <= arrows
    assert not [(a, b) for a, b in arrows if a != b and ROOMS.index(a) <= ROOMS.index(b)]


def test_the_core_can_be_read_in_an_evening():
    lines = {str(file): len(file.read_text().splitlines()) for room, file in files_by_room() if room in CORE}
    assert len(lines) >= 10 and sum(lines.values()) <= 1_700, lines


def test_the_readme_names_every_lesson_and_only_commands_that_exist():
    readme = (ROOT / "README.md").read_text()
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"notebooks/{notebook.name}" in readme
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", readme, re.MULTILINE))
    assert {"lab", "test", "bench-long"} <= named <= targets


@pytest.mark.parametrize(
    "given, seen",
    [
        ("~/data sets", "~/data sets"),
        ("/tmp/with space/é", "/tmp/with space/é"),
        ("my data/ü", f"{ROOT}/my data/ü"),
        ("", ""),
    ],
)
def test_make_takes_data_folders_with_tilde_spaces_and_other_letters(given, seen):
    command = ["make", "-s", "--eval", 'print-root: ; @printf %s "$$VAE_DATA_ROOT"', "print-root", f"DATA={given}"]
    environment = {name: value for name, value in os.environ.items() if name != "VAE_DATA_ROOT"}
    found = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout == seen


def test_the_address_of_the_course_stands_in_one_place():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    texts = {name: (ROOT / name).read_text(errors="ignore") for name in tracked if (ROOT / name).exists()}
    places = {name for name, text in texts.items() if "github.com/OWNER" in text and not name.endswith(".ipynb")}
    assert places <= {"pyproject.toml", "tests/test_setup.py"}
