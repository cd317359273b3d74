"""Open the course in JupyterLab, with settings that suit it: python notebooks/source/lab/start.py

The lessons open as copies in notebooks/mine, which git ignores: running them changes nothing that belongs to the course,
and no update of the course changes what a learner has written.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

from jupyterlab.labapp import LabApp

from vae_helpers.files import written_whole

HERE = Path(__file__).resolve().parent
COURSE = HERE.parents[2]
# Notebooks, and what they and the README link to.
SHIPPED = ("notebooks/*.ipynb", "notebooks/deeper/*.ipynb", "notebooks/homework/*.ipynb")
SHIPPED += ("README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "data/README.md")
SHIPPED += ("notebooks/homework/*.md", "site/*.png")


def bring(course: Path, mine: Path) -> list[str]:
    """Copy what the course ships to a learner's folder, and return one sentence for each file that was written beside.

    A copy that is still as it came is replaced by a newer version. One that its owner has changed stays as it is, and
    the newer version is put beside it, as ``…_new.ipynb``. One that was deleted or renamed is copied afresh.
    """
    memory = (
        mine / ".shipped.json"
    )  # name → what the course shipped last, and how it was copied, as hashes
    known = json.loads(memory.read_text()) if memory.exists() else {}
    sentences = []
    for source in sorted(path for pattern in SHIPPED for path in course.glob(pattern)):
        name, shipped = source.relative_to(course).as_posix(), source.read_bytes()
        before, own = known.get(name, {}), mine / name
        if own.exists() and before.get("shipped") == digest(shipped):
            continue
        copy = as_jupyter_saves_it(shipped) if source.suffix == ".ipynb" else shipped
        untouched = {digest(copy), before.get("copy")}
        beside = (
            own.with_stem(f"{own.stem}_new{number}") for number in ("", *range(2, 1000))
        )
        target = next(
            path
            for path in (own, *beside)
            if not path.exists() or digest(path.read_bytes()) in untouched
        )
        with written_whole(target) as file:
            file.write(copy)
        if target != own:
            sentences.append(
                f"{name} is yours and stays; the course's new version lies beside it, as {target.name}."
            )
        known[name] = {"shipped": digest(shipped), "copy": digest(copy)}
        with written_whole(memory) as file:
            file.write(json.dumps(known, indent=1).encode())
    return sentences


def digest(content: bytes) -> str:
    """Return the hash of a file's content."""
    return hashlib.sha256(content).hexdigest()


def as_jupyter_saves_it(content: bytes) -> bytes:
    """Add to a notebook what JupyterLab adds at once; else each lesson would count as changed when it is opened."""
    notebook = json.loads(content)
    notebook["metadata"]["kernelspec"] = {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    }
    notebook["metadata"]["language_info"] = {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
        "version": sys.version.split()[0],
    }
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def main() -> None:
    """Bring the learner's copies up to date, and open the first lesson among them."""
    mine = COURSE / "notebooks" / "mine"
    for sentence in bring(COURSE, mine):
        print(sentence)
    print(
        f"Your lessons lie in {mine / 'notebooks'}. Stop Jupyter with Ctrl-C.", flush=True
    )
    first = min((mine / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    # Jupyter looks for its settings here too; the learner's own come first.
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(
        [str(HERE), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    )
    root = ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    LabApp.launch_instance(
        [*root, f"--ServerApp.root_dir={mine}", str(first), *sys.argv[1:]]
    )


if __name__ == "__main__":
    main()
