"""Run every notebook as Colab does: alone in an empty folder, its first cell installing the course. `make test-colab`

python tests/colab.py [NAME …]    all notebooks, or those whose names begin so, in an environment in build/colab
                                  (with PYTHONPATH=notebooks/source, as `make` sets it)

The environment has Colab's versions (below). The course comes from a bare clone of the last commit, which git takes for
the published repository; the address in the notebook stays as it is. Nothing that was there before may be replaced.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from versions import interpreter

import build_notebooks

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "3.13"
COLAB = ("torch==2.11.*", "torchvision==0.26.*", "numpy==2.1.*", "scikit-learn==1.6.*", "ipython==7.34.*")
COLAB += ("ipywidgets==7.7.*", "matplotlib==3.10.*", "ipykernel>=6.17,<7", "nbclient", "setuptools<80")
# Runs in Colab's environment: a notebook, cell by cell, and what pip lists before and after.
RUN = """
import sys, json, importlib.metadata as m, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
versions = lambda: {d.name.lower(): d.version for d in m.distributions()}
before = versions()
NotebookClient(notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": "."}}).execute()
after = versions()
print(json.dumps({name: (was, after.get(name)) for name, was in before.items() if after.get(name) != was}))
"""


def published(folder: Path) -> dict[str, str]:
    """Clone the last commit into ``folder``, tagged as published; return settings by which git finds it there."""
    bare = folder / "published.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, bare], check=True)
    tag = f"v{build_notebooks.project('version')}"
    subprocess.run(["git", "-C", bare, "tag", "--force", tag, "HEAD"], check=True, stdout=subprocess.DEVNULL)
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{bare}.insteadOf",
        "GIT_CONFIG_VALUE_0": build_notebooks.project("Repository"),
    }


def notebooks() -> list[Path]:
    """Return every lesson, page and problem set."""
    return [
        path for place in (".", "deeper", "homework") for path in sorted((ROOT / "notebooks" / place).glob("*.ipynb"))
    ]


def main() -> None:
    """Make the environment, if it is not there, and run the notebooks in it one after the other."""
    python = ROOT / "build" / "colab" / "bin" / "python"
    if not python.exists():
        subprocess.run([interpreter(PYTHON), "-m", "venv", "--clear", python.parents[1]], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *COLAB], check=True)
    failed = []
    with tempfile.TemporaryDirectory() as place:
        settings = os.environ | published(Path(place)) | {"VAE_OFFLINE": "1", "PYTHONPATH": ""}
        for path in notebooks():
            if sys.argv[1:] and not path.stem.startswith(tuple(sys.argv[1:])):
                continue
            # Each notebook installs the course itself, as on a machine that Colab has just started.
            subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", "vae_helpers"], check=False)
            with tempfile.TemporaryDirectory() as empty:
                start = time.perf_counter()
                run = [python, "-c", RUN, path]
                done = subprocess.run(run, cwd=empty, env=settings, capture_output=True, text=True, check=False)
                replaced = {} if done.returncode else json.loads(done.stdout.splitlines()[-1])
                problem = done.stderr.strip().splitlines()[-1:] if done.returncode else replaced
                print(f"{path.stem}: {time.perf_counter() - start:.0f} s {problem or ''}", flush=True)
                failed += [path.stem] if problem else []
    sys.exit(f"Failed as on Colab: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
