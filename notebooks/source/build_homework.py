"""Build the homework from its masters: the students' notebooks, and the teacher's autograders and solutions.

python notebooks/source/build_homework.py         writes notebooks/homework/*.ipynb and build/homework/
python notebooks/source/build_homework.py set_1   the same for one set

A master is a text in notebooks/source/homework/ with otter-grader's markers in raw cells: questions, solutions, hidden
tests. Otter splits it; what it writes for students is stripped of its traces, so that nobody needs otter to work.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat

from build_notebooks import NOTEBOOKS, ROOT, colab, complete

MASTERS = sorted((NOTEBOOKS / "source" / "homework").glob("*.py"))
BUILT = ROOT / "build" / "homework"
HEADER = "**[▶ Open in Colab]({colab})** · {points} points · about {hours}"


def student_path(master: Path) -> Path:
    """Return where the student's edition of a master lies."""
    return NOTEBOOKS / "homework" / f"{master.stem}.ipynb"


def split(
    master: Path, folder: Path
) -> tuple[nbformat.NotebookNode, nbformat.NotebookNode, Path]:
    """Let otter split a master in ``folder``; return the student's notebook, the solutions, and the autograder's zip."""
    from otter.assign import main as assign

    notebook = jupytext.read(master)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel})
    path = folder / f"{master.stem}.ipynb"
    nbformat.write(notebook, path)
    assign(str(path), str(folder / "out"), no_pdfs=True, no_run_tests=True)
    student, solutions = (
        nbformat.read(folder / "out" / kind / path.name, as_version=4)
        for kind in ("student", "autograder")
    )
    return student, solutions, next((folder / "out" / "autograder").glob("*.zip"))


def finished(notebook: nbformat.NotebookNode, master: Path) -> nbformat.NotebookNode:
    """Return a notebook as people get it: without otter's traces, with a header, the set-up cell and steady ids."""
    cells = []
    for cell in notebook.cells:
        source = re.sub(r"<!-- (BEGIN|END) QUESTION -->\s*", "", cell.source).strip()
        if not source or cell.cell_type == "raw":
            continue
        source = source.replace(
            "_Type your answer here, replacing this text._", "*Your answer:*"
        )
        cell.update(source=source, metadata=nbformat.from_dict({}))
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
        cells.append(cell)
    text = master.read_text(encoding="utf-8")
    hours = re.search(r"^# # hours: (.+)$", text, re.MULTILINE).group(1)
    together = f"{sum(points(master).values()):g}"
    return complete(
        cells,
        HEADER.format(colab=colab(student_path(master)), points=together, hours=hours),
    )


def points(master: Path) -> dict[str, float]:
    """Return how many points each question of a master gives, by its name."""
    text = master.read_text(encoding="utf-8")
    found = re.findall(r"^# name: (q\w+)\n# points: ([\d.]+)$", text, re.MULTILINE)
    return {name: float(number) for name, number in found}


def manual(master: Path) -> set[str]:
    """Return the names of the questions that a person must read."""
    text = master.read_text(encoding="utf-8")
    return set(
        re.findall(
            r"^# name: (q\w+)\n# points: [\d.]+\n# manual: true$", text, re.MULTILINE
        )
    )


def build(master: Path) -> tuple[nbformat.NotebookNode, nbformat.NotebookNode, bytes]:
    """Return the student's edition and the solutions of a master as notebooks, and its autograder as a zip."""
    with tempfile.TemporaryDirectory() as folder:
        student, solutions, autograder = split(master, Path(folder))
        return (
            finished(student, master),
            finished(solutions, master),
            autograder.read_bytes(),
        )


def main() -> None:
    """Write the students' editions to notebooks/homework, and what is the teacher's to build/homework."""
    for master in MASTERS:
        if sys.argv[1:] and not master.stem.startswith(tuple(sys.argv[1:])):
            continue
        print(f"{master.stem} …", flush=True)
        student, solutions, autograder = build(master)
        folder = BUILT / master.stem
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        student_path(master).parent.mkdir(exist_ok=True)
        nbformat.write(student, student_path(master))
        nbformat.write(solutions, folder / f"{master.stem}_solutions.ipynb")
        (folder / "autograder.zip").write_bytes(autograder)


if __name__ == "__main__":
    main()
