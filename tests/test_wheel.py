"""What pip installs on Colab: the wheel holds all that the lessons open, and says under which licences."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from email.parser import BytesParser

import nbformat
import pytest

from conftest import ROOT

SHIPPED = sorted((ROOT / "data" / "pretrained").iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this working tree, unpacked, in a folder without anything else."""
    built, unpacked = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("unpacked")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", built]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, ROOT], check=True, stderr=subprocess.DEVNULL)
    [file] = built.iterdir()
    with zipfile.ZipFile(file) as archive:
        archive.extractall(unpacked)
    return unpacked


def test_the_wheel_holds_the_package_the_models_with_their_cards_and_the_digits(wheel):
    packed = {path.relative_to(wheel).as_posix() for path in wheel.rglob("*") if path.is_file()}
    tracked = subprocess.run(["git", "ls-files", "vae_helpers"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert packed >= {name for name in tracked.stdout.split() if (ROOT / name).exists()}
    assert {file.suffix for file in SHIPPED} == {".safetensors", ".md"}
    for file in SHIPPED:
        assert (wheel / "vae_helpers" / "pretrained" / file.name).read_bytes() == file.read_bytes()
    assert "vae_helpers/data/embedded_digits.png" in packed
    assert not [name for name in packed if not name.startswith(("vae_helpers/", "vae_helpers-"))]


def test_its_licences_are_those_of_code_text_digits_and_models(wheel):
    [about] = wheel.glob("*.dist-info")
    metadata = BytesParser().parsebytes((about / "METADATA").read_bytes())
    licences = metadata["License-Expression"].split(" AND ")
    assert licences == ["MIT", "CC-BY-4.0", "CC-BY-SA-3.0", "LicenseRef-CelebA-NonCommercial"]
    texts = {name: (about / "licenses" / name).read_text(encoding="utf-8") for name in metadata.get_all("License-File")}
    assert texts.keys() == {"LICENSE", *(f"LICENSES/{licence}.txt" for licence in licences[1:])}
    assert "MIT License" in texts["LICENSE"] and all(
        name.split("/")[-1] in texts["LICENSE"] for name in texts if "/" in name
    )
    trained_on_celeba = ("faces", "face_codes", "face_judge")
    assert f"({', '.join(trained_on_celeba)})" in texts["LICENSE"]
    for card in (file for file in SHIPPED if file.suffix == ".md"):
        text = card.read_text(encoding="utf-8")
        assert ("non-commercial research only" in text) == (card.stem in trained_on_celeba), card
        assert ("MIT, as the course" in text) == (card.stem not in trained_on_celeba), card


def test_models_and_digits_are_opened_from_the_wheel_itself(wheel, tmp_path):
    code = f"""
import vae_helpers
from vae_helpers import checkpoints, data
assert vae_helpers.__file__.startswith({str(wheel)!r})
for name in {[file.stem for file in SHIPPED if file.suffix == ".safetensors"]}:
    assert checkpoints.load_pretrained(name).about["licence"]
assert checkpoints.pretrained_folder().is_relative_to({str(wheel)!r})
assert len(data.load_digits("train", source="embedded")) == 3500
"""
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)


def test_the_first_cells_of_the_opening_run_in_an_environment_that_has_the_wheel_alone(wheel, tmp_path):
    """A new environment, into which pip installs the wheel; torch and the rest are lent by a link, not copied."""
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    [packages] = environment.glob("lib/python*/site-packages")
    [file] = (wheel.parent / wheel.name.replace("unpacked", "built")).iterdir()
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", packages, file]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    (packages / "lent.pth").write_text(sysconfig.get_paths()["purelib"])
    notebook = nbformat.read(ROOT / "notebooks" / "00_ten_minutes.ipynb", as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"][:3]
    assert "pip install" in cells[0] and "face_editor" in cells[2]
    code = f"""
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in {cells!r}:
    shell.run_cell(cell).raise_error()
import vae_helpers
print(vae_helpers.__file__)
"""
    empty = tmp_path / "empty"
    empty.mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VAE_DATA_ROOT")}
    run = [environment / "bin" / "python", "-c", code]
    found = subprocess.run(run, cwd=empty, env=kept, capture_output=True, text=True, check=False)
    assert not found.returncode, found.stderr
    assert str(packages) in found.stdout.splitlines()[-1], "the course must come from the wheel"
    assert list(empty.iterdir()) == []
