"""Run the unit tests with the oldest and with the newest versions that the project admits.

python tests/versions.py    two environments in build/versions, each made anew only when what it holds has changed

The oldest: Python 3.10 with the lowest version of everything that pyproject.toml lists. The newest: Python 3.13 with
constraints.txt. The lessons themselves run in `make test`.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def lowest() -> list[str]:
    """Return the core requirements of pyproject.toml, each pinned to its lower bound."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    core = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)[1]
    return [f"{name}=={bound}" for name, bound in re.findall(r'"([\w-]+)>=([\d.]+)', core)]


def interpreter(version: str) -> str:
    """Return a Python of this version, from the PATH or from pyenv."""
    pyenv = sorted(map(str, Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python")))
    for found in (*pyenv[-1:], shutil.which(f"python{version}")):
        # What stands on the PATH may be a stand-in of pyenv's that leads nowhere.
        if found and not subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
            return found
    sys.exit(f"There is no python{version} on this machine; install it, for example with pyenv or uv.")


def prepare(version: str, requirements: list[str]) -> Path:
    """Return the Python of an environment that holds the course and these requirements."""
    folder = ROOT / "build" / "versions" / version
    content = (ROOT / "pyproject.toml").read_text(encoding="utf-8") + "\n".join(requirements)
    stamp, key = folder / "made-from", hashlib.sha256(content.encode()).hexdigest()
    python = folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != key:
        subprocess.run([interpreter(version), "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *requirements, "-e", f"{ROOT}[test]"], check=True)
        stamp.write_text(key)
    return python


def main() -> None:
    """Test with both environments, one after the other; end with an error if one fails."""
    constraints = ["-c", str(ROOT / "constraints.txt")]
    failed = []
    for version, requirements in (("3.10", lowest()), ("3.13", constraints)):
        start = time.perf_counter()
        python = prepare(version, requirements)
        made = time.perf_counter()
        apart = ("browser", "setup", "site", "homework", "colab")  # they test this machine's installation, or run long
        chosen = ["-q", *(f"--ignore=tests/test_{name}.py" for name in apart)]
        chosen += ["--deselect", "tests/test_lessons.py::test_the_lesson_runs_and_its_exercises_can_be_solved"]
        environment = os.environ | {"PYTHONPATH": ""}
        tests = subprocess.run([python, "-m", "pytest", *chosen], cwd=ROOT, env=environment, check=False)
        failed += [version] if tests.returncode else []
        tested = time.perf_counter()
        print(f"Python {version}: environment {made - start:.0f} s, tests {tested - made:.0f} s", flush=True)
    sys.exit(f"Failed with Python {' and '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
