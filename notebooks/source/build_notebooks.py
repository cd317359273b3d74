"""Build the notebooks from their sources: convert, execute, write.

python notebooks/source/build_notebooks.py                build the notebooks whose source, or a shipped model that they open, changed
python notebooks/source/build_notebooks.py --html FOLDER  execute every lesson and write it as a web page; notebooks stay as they are
python notebooks/source/build_notebooks.py 03 …           the same, for these lessons only (goes with either form)
"""

import argparse
import hashlib
import os
import re
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from bs4 import BeautifulSoup
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter
from nbconvert.preprocessors import CoalesceStreamsPreprocessor

from vae_helpers.checkpoints import pretrained_folder

NOTEBOOKS = Path(__file__).resolve().parents[1]
SOURCES = sorted((NOTEBOOKS / "source").glob("[0-9][0-9]_*.py"))

# Plain text, because a badge from the web is a broken picture where there is no network.
HEADER = """\
**[▶ Open in Colab]({colab})** · computing time: about {seconds} s on two CPU cores, measured \
when this page was built"""

SETUP = """\
# On Colab, or wherever the course is not installed yet, this installs it. The torch that is there stays.
import importlib.metadata
import importlib.util

if importlib.util.find_spec("vae_helpers") is None:
    torch_here = importlib.metadata.version("torch")
    %pip install -q "vae_helpers @ git+{repository}" torch=={{torch_here}}"""


WIDGET = "application/vnd.jupyter.widget-view+json"
NO_WIDGET = "Run this cell, and controls to drag will appear here."


class LessonError(Exception):
    """A lesson failed: the message names the lesson, the cell and the error."""


def repository() -> str:
    """Return the course's address, from its one place in pyproject.toml."""
    text = (NOTEBOOKS.parent / "pyproject.toml").read_text(encoding="utf-8")
    return re.search(r'^Repository = "(.+)"$', text, re.MULTILINE).group(1)


def to_notebook(source: Path, seconds: int) -> nbformat.NotebookNode:
    """Convert a lesson's text to a notebook without outputs.

    The title cell gets the link to Colab and the computing time; a set-up cell that installs the course follows it.
    """
    notebook = jupytext.read(source)
    address = repository()
    path = address.removeprefix("https://github.com/")
    colab = f"https://colab.research.google.com/github/{path}/blob/main/notebooks/{source.stem}.ipynb"
    notebook.cells[0].source += "\n\n" + HEADER.format(colab=colab, seconds=seconds)
    notebook.cells.insert(1, nbformat.v4.new_code_cell(SETUP.format(repository=address)))
    seen = {}
    for cell in notebook.cells:
        # Ids that follow from the content keep the diffs of rebuilt notebooks small.
        digest = sha256(f"{cell.cell_type}\n{cell.source}")[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = f"{digest}-{seen[digest]}"
        cell.metadata.pop("lines_to_next_cell", None)  # of interest to the text form only
        if "solution" in cell.metadata.get("tags", []):
            fold(cell)
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {
                "name": "python3",
                "display_name": "Python 3",
                "language": "python",
            },
            "language_info": {"name": "python"},
            "course": {"source_sha256": source_hash(source), "seconds": seconds},
        }
    )
    notebook.nbformat_minor = 5
    return notebook


def source_hash(source: Path) -> str:
    """Return the hash of all that a notebook is built from: its text, and the shipped models that it opens."""
    text = source.read_text(encoding="utf-8")
    models = sorted(set(re.findall(r'load_pretrained\("(\w+)"\)', text)))
    weights = [
        (pretrained_folder() / f"{name}.safetensors").read_bytes() for name in models
    ]
    fingerprints = "".join(hashlib.sha256(content).hexdigest() for content in weights)
    return sha256(text + HEADER + SETUP + repository() + fingerprints)


def sha256(text: str) -> str:
    """Return the hash of a text, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def fold(cell: nbformat.NotebookNode) -> None:
    """Turn a solution, written as code in the source, into Markdown that opens at a click everywhere."""
    code = f"```python\n{cell.source}\n```"
    cell.update(
        cell_type="markdown",
        source=f"<details><summary>Solution</summary>\n\n{code}\n\n</details>",
    )
    cell.pop("outputs", None)
    cell.pop("execution_count", None)


def execute(notebook: nbformat.NotebookNode, name: str, folder: Path = NOTEBOOKS) -> int:
    """Run all cells in a fresh kernel and return the seconds that took, rounded up.

    Raises:
        LessonError: a cell failed.
    """
    place = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=600, resources=place)
    started = []
    client.on_cell_execute = lambda cell, cell_index: started.append(cell_index)
    start = time.perf_counter()
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        problem = str(error)
        if isinstance(error, CellExecutionError):
            problem = f"{error.ename}: {error.evalue}"
        index = started[-1]
        raise LessonError(
            f"Lesson {name} failed in cell {index + 1} of {len(notebook.cells)}:\n"
            f"{notebook.cells[index].source}\n\n{problem}"
        ) from error
    seconds = int(time.perf_counter() - start) + 1
    for cell in notebook.cells:
        # Time stamps, which would change with every build.
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if WIDGET in output.get("data", {}):
                output.data = nbformat.from_dict({"text/plain": NO_WIDGET})
    notebook.metadata.pop("widgets", None)
    # Merged streams keep of a progress bar what a terminal shows at the end, not all states.
    CoalesceStreamsPreprocessor().preprocess(notebook, {})
    return seconds


def built_from(source: Path) -> str | None:
    """Return the hash of the source that the committed notebook was built from, None if there is no notebook."""
    path = NOTEBOOKS / f"{source.stem}.ipynb"
    if not path.exists():
        return None
    return nbformat.read(path, as_version=4).metadata.get("course", {}).get("source_sha256")


def build(source: Path) -> nbformat.NotebookNode:
    """Return a lesson's executed notebook, which states how long that took."""
    notebook = to_notebook(source, seconds=0)
    seconds = execute(notebook, source.stem)
    for cell, timed in zip(notebook.cells, to_notebook(source, seconds).cells, strict=True):
        cell.source, cell.id = timed.source, timed.id
    notebook.metadata.course.seconds = seconds
    return notebook


def to_html(notebook: nbformat.NotebookNode) -> str:
    """Return an executed lesson as a web page, in which every figure has its description."""
    page, _ = HTMLExporter().from_notebook_node(notebook)
    soup = BeautifulSoup(page, "html.parser")
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    for image, figure in zip(soup.select(".jp-RenderedImage img"), figures, strict=True):
        image["alt"] = figure.metadata["image/png"]["alt"]  # nbconvert leaves it out
    return str(soup)


def main() -> None:
    """Build what the command line asks for; a lesson that fails does not keep the others from being built."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "lessons", nargs="*", metavar="NUMBER", help="two digits, for example 03"
    )
    parser.add_argument(
        "--html", type=Path, metavar="FOLDER", help="write web pages here, and no notebooks"
    )
    options = parser.parse_args()
    sources = [s for s in SOURCES if not options.lessons or s.name[:2] in options.lessons]
    if options.html:
        options.html.mkdir(parents=True, exist_ok=True)
    else:
        # Committed outputs show the embedded data, on every machine.
        os.environ.update(VAE_OFFLINE="1", VAE_DATA_ROOT=str(NOTEBOOKS / "no-data"))
        sources = [s for s in sources if built_from(s) != source_hash(s)]
    failures = []
    for source in sources:
        print(f"{source.stem} …", flush=True)
        try:
            notebook = build(source)
        except LessonError as error:
            failures.append(str(error))
            continue
        if options.html:
            (options.html / f"{source.stem}.html").write_text(
                to_html(notebook), encoding="utf-8"
            )
        else:
            nbformat.write(notebook, NOTEBOOKS / f"{source.stem}.ipynb")
    if failures:
        sys.exit("\n\n".join(failures))


if __name__ == "__main__":
    main()
