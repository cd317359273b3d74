"""Build the notebooks from their sources: convert, execute, write.

python notebooks/source/build_notebooks.py                build what is out of date
python notebooks/source/build_notebooks.py --html FOLDER  execute everything and write web pages; notebooks stay as they are
python notebooks/source/build_notebooks.py 03 …           the same, for lesson 03 and its pages only (goes with either form)

A notebook is out of date when its source has changed, or the code of the package that it uses, or a shipped model that
it opens. Cells are told apart by their tags:

- none: an idea, what is taught.
- ``figure``: draws or prints. It is folded, under its first line, a comment that says what it shows. The figure that is
  also tagged ``hero`` stands under the title too.
- ``claim``: assertions. They are executed here and in the tests, and are left out of the learner's notebook.
- ``exercise`` and ``workshop``: what the learner writes; the ``solution`` after each is folded, and an ``alternative``, another
  way that the tests try, is left out.
"""

import argparse
import ast
import functools
import hashlib
import math
import os
import re
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert.preprocessors import CoalesceStreamsPreprocessor

from vae_helpers.checkpoints import pretrained_folder
from web_pages import write_site

NOTEBOOKS = Path(__file__).resolve().parents[1]
ROOT = NOTEBOOKS.parent
SOURCES = sorted((NOTEBOOKS / "source").glob("[0-9][0-9]_*.py"))
PAGES = sorted((NOTEBOOKS / "source" / "deeper").glob("[0-9][0-9]_*.py"))

# Plain text, because a badge from the web is a broken picture where there is no network.
HEADER = """\
**[▶ Open in Colab]({colab})** · about {minutes} minutes · the cells compute for about {seconds} s on two CPU cores"""

SETUP = """\
# @title Set-up: installs the course where it is missing (on Colab, for example) and keeps your PyTorch
import importlib.metadata
import importlib.util

if importlib.util.find_spec("vae_helpers") is None:
    torch_here = importlib.metadata.version("torch")
    %pip install -q "vae_helpers @ git+{repository}@v{version}" torch=={{torch_here}}"""

WIDGET = "application/vnd.jupyter.widget-view+json"
NO_WIDGET = "Run this cell, and controls to drag will appear here."
# What a class reads, types and does in a minute.
WORDS_A_MINUTE, LINES_A_MINUTE = 130, 8


class LessonError(Exception):
    """A lesson failed: the message names the lesson, the cell and the error."""


def project(name: str) -> str:
    """Return what pyproject.toml says of the course: its one ``Repository`` or ``version``."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return re.search(rf'^{name} = "(.+)"$', text, re.MULTILINE).group(1)


def path_of(source: Path) -> Path:
    """Return where a source's notebook lies: under notebooks/, in the same folder as under notebooks/source/."""
    folder = "deeper" if source.parent.name == "deeper" else "."
    return NOTEBOOKS / folder / f"{source.stem}.ipynb"


def tags(cell: nbformat.NotebookNode) -> list[str]:
    """Return a cell's tags."""
    return cell.metadata.get("tags", [])


def to_notebook(
    source: Path, course: dict | None = None, maintainers: bool = False
) -> nbformat.NotebookNode:
    """Convert a lesson's or page's text to a notebook without outputs.

    Args:
        source: the text, in jupytext's percent format.
        course: what was measured when it was built: ``seconds``, and ``hero``, the description of the picture under the
            title. It is kept in the notebook's metadata. Without it, nothing was measured yet.
        maintainers: keep the claims and alternatives, which learners do not get.
    """
    course = {"seconds": 0} | dict(course or {}) | {"source_sha256": source_hash(source)}
    notebook = jupytext.read(source)
    hidden = () if maintainers else ("claim", "alternative")
    notebook.cells = [cell for cell in notebook.cells if not set(hidden) & set(tags(cell))]
    for cell in notebook.cells:
        cell.metadata.pop("lines_to_next_cell", None)  # of interest to the text form only
        if "solution" in tags(cell):
            fold_solution(cell)
        elif "figure" in tags(cell):
            cell.source = re.sub(r"\A# ?", "# @title ", cell.source)
            fold_code(cell)
    seconds = course["seconds"]
    line = HEADER.format(
        colab=colab(path_of(source)), minutes=minutes(notebook, seconds), seconds=seconds
    )
    if "hero" in course:
        line = f"![{course['hero']}](attachment:hero.png)\n\n{line}"
    notebook = complete(notebook.cells, line)
    notebook.metadata.course = nbformat.from_dict(course)
    return notebook


def complete(cells: list[nbformat.NotebookNode], under_title: str) -> nbformat.NotebookNode:
    """Return a notebook of these cells with a text under its title, the set-up cell, ids, and the kernel's name."""
    setup = nbformat.v4.new_code_cell(
        SETUP.format(repository=project("Repository"), version=project("version"))
    )
    fold_code(setup)
    head, _, rest = cells[0].source.partition("\n\n")
    cells[0].source = f"{head}\n\n{under_title}\n\n{rest}"
    cells = [cells[0], setup, *cells[1:]]
    seen = {}
    for cell in cells:
        # Ids that follow from the content keep the diffs of rebuilt notebooks small.
        digest = sha256(f"{cell.cell_type}\n{cell.source}")[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = f"{digest}-{seen[digest]}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata, nbformat_minor=5)


def colab(notebook: Path) -> str:
    """Return the address under which Colab opens a notebook of the release that it belongs to."""
    path = project("Repository").removeprefix("https://github.com/")
    place = notebook.relative_to(NOTEBOOKS).as_posix()
    return f"https://colab.research.google.com/github/{path}/blob/v{project('version')}/notebooks/{place}"


def fold_solution(cell: nbformat.NotebookNode) -> None:
    """Turn a solution, written as code in the source, into Markdown that opens at a click everywhere."""
    code = f"```python\n{cell.source}\n```"
    cell.update(
        cell_type="markdown",
        source=f"<details><summary>Solution</summary>\n\n{code}\n\n</details>",
    )
    cell.pop("outputs", None)
    cell.pop("execution_count", None)


def fold_code(cell: nbformat.NotebookNode) -> None:
    """Hide a cell's code, but not its output: in JupyterLab, on Colab, and (by the tag) in web pages."""
    cell.metadata.update(
        {
            "jupyter": {"source_hidden": True},
            "cellView": "form",
            "tags": [*tags(cell), "hide-input"],
        }
    )


# --- How long a lesson takes ------------------------------------------------------------


def words(notebook: nbformat.NotebookNode) -> int:
    """Count the words of the prose, without folded solutions; a formula in a line counts as one word."""
    text = "\n".join(
        c.source
        for c in notebook.cells
        if c.cell_type == "markdown" and "solution" not in tags(c)
    )
    for pattern, instead in (
        (
            r"!\[[^\]]*\]\([^)]*\)",
            " ",
        ),  # a picture: who sees it does not read its description
        (r"\$\$.*?\$\$", " "),
        (r"\$[^$]*\$", " formula "),
        (r"\]\([^)]*\)", "]"),
    ):
        text = re.sub(pattern, instead, text, flags=re.DOTALL)
    return len(re.findall(r"\w[\w’'.,-]*", text))


def visible_lines(notebook: nbformat.NotebookNode) -> int:
    """Count the lines of code that are not folded."""
    shown = [
        c
        for c in notebook.cells
        if c.cell_type == "code"
        and not {"hide-input", "claim", "alternative"} & set(tags(c))
    ]
    return sum(bool(line.strip()) for cell in shown for line in cell.source.splitlines())


def minutes(notebook: nbformat.NotebookNode, seconds: int) -> int:
    """Return how long a lesson takes: reading, typing, the minutes that exercises declare, computing; in steps of 5."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    exercises = sum(
        map(
            int,
            re.findall(
                r"^##+ (?:Your turn|Workshop)\b.*\((\d+) min\)$", text, re.MULTILINE
            ),
        )
    )
    whole = (
        words(notebook) / WORDS_A_MINUTE
        + visible_lines(notebook) / LINES_A_MINUTE
        + exercises
        + seconds / 60
    )
    return 5 * math.ceil(whole / 5)


# --- What a notebook is made from -------------------------------------------------------


def source_hash(source: Path) -> str:
    """Return the hash of all that a notebook is built from: its text, the package's code and the models it uses."""
    text = source.read_text(encoding="utf-8")
    codes = [
        text,
        *(path.read_text(encoding="utf-8") for path in used_modules(text, source.stem[:2])),
    ]
    models = sorted(set(re.findall(r'load_pretrained\("(\w+)"\)', "".join(codes))))
    weights = [
        (pretrained_folder() / f"{name}.safetensors").read_bytes() for name in models
    ]
    fingerprints = [hashlib.sha256(content).hexdigest() for content in weights]
    return sha256(
        "".join([text, HEADER, SETUP, *map(without_comments, codes[1:]), *fingerprints])
    )


def used_modules(text: str, lesson: str) -> list[Path]:
    """Return the files of the package that a text imports, directly or not; of the checks only its own lesson's."""
    found, todo = set(), [text]
    while todo:
        for name in imported(todo.pop()):
            path = ROOT / name.replace(".", "/")
            path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            others = re.search(r"checks/(lesson|homework)_\d+", path.as_posix())
            if (
                path.exists()
                and path not in found
                and (not others or f"lesson_{lesson}" in path.name)
            ):
                found.add(path)
                todo.append(path.read_text(encoding="utf-8"))
    # Where all checks are listed, a line is added with every lesson, which changes no other.
    return sorted(found - {ROOT / "vae_helpers/checks/__init__.py"})


@functools.cache
def imported(text: str) -> list[str]:
    """Return the names of the package's modules, and of what might be some, that a text imports anywhere."""
    froms = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.module
    ]
    froms = [node for node in froms if node.module.split(".")[0] == "vae_helpers"]
    return [
        name
        for node in froms
        for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    ]


@functools.cache
def without_comments(code: str) -> str:
    """Return a piece of code without its docstrings and comment lines: a better docstring changes no output.

    By lines, not by ``ast.dump`` or ``ast.unparse``, whose texts differ from one Python to the next.
    """
    said = set()
    for node in ast.walk(ast.parse(code)):
        if (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and ast.get_docstring(node) is not None
        ):
            said.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = [
        line.rstrip()
        for number, line in enumerate(code.splitlines(), 1)
        if number not in said
    ]
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))


def sha256(text: str) -> str:
    """Return the hash of a text, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


# --- Execute and write ------------------------------------------------------------------


def execute(notebook: nbformat.NotebookNode, name: str, folder: Path = NOTEBOOKS) -> int:
    """Run all cells in a fresh kernel and return the seconds that those of the learner took, rounded up.

    Raises:
        LessonError: a cell failed.
    """
    place = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=600, resources=place)
    started, seconds = [], 0.0

    def begin(cell, cell_index):
        started.append((cell_index, time.perf_counter()))

    def end(cell, cell_index, execute_reply):
        nonlocal seconds
        if "claim" not in tags(cell):
            seconds += time.perf_counter() - started[-1][1]

    client.on_cell_execute, client.on_cell_executed = begin, end
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        problem = str(error)
        if isinstance(error, CellExecutionError):
            problem = f"{error.ename}: {error.evalue}"
        index = started[-1][0]
        raise LessonError(
            f"Lesson {name} failed in cell {index + 1} of {len(notebook.cells)}:\n"
            f"{notebook.cells[index].source}\n\n{problem}"
        ) from error
    for cell in notebook.cells:
        # Time stamps, which would change with every build.
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if WIDGET in output.get("data", {}):
                output.data = nbformat.from_dict({"text/plain": NO_WIDGET})
    notebook.metadata.pop("widgets", None)
    # Merged streams keep of a progress bar what a terminal shows at the end, not all states.
    CoalesceStreamsPreprocessor().preprocess(notebook, {})
    return math.ceil(seconds)


def build(source: Path) -> nbformat.NotebookNode:
    """Return the learner's notebook with the outputs of a run in which every claim held."""
    run = to_notebook(source, maintainers=True)
    # Alternatives are for the tests.
    run.cells = [cell for cell in run.cells if "alternative" not in tags(cell)]
    course = {"seconds": execute(run, source.stem, path_of(source).parent)}
    heroes = [
        o
        for c in run.cells
        if "hero" in tags(c)
        for o in c.outputs
        if "image/png" in o.get("data", {})
    ]
    if heroes:
        course["hero"] = heroes[0].metadata["image/png"]["alt"]
    notebook = to_notebook(source, course)
    if heroes:
        notebook.cells[0].attachments = {
            "hero.png": {"image/png": heroes[0].data["image/png"].strip()}
        }
    shown = [cell for cell in run.cells if "claim" not in tags(cell)]
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, (cell, ran) in enumerate(
        zip(codes, (c for c in shown if c.cell_type == "code"), strict=True), 1
    ):
        cell.outputs, cell.execution_count = ran.outputs, number
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = number
    return notebook


def committed(source: Path) -> nbformat.NotebookNode | None:
    """Return the notebook that a source was built into, None if there is none."""
    return (
        nbformat.read(path_of(source), as_version=4) if path_of(source).exists() else None
    )


def is_current(source: Path) -> bool:
    """Say whether a source's notebook was built from what is there now."""
    notebook = committed(source)
    return notebook is not None and notebook.metadata.get("course", {}).get(
        "source_sha256"
    ) == source_hash(source)


def write_readme_times() -> None:
    """Put the computed minutes of every lesson and page into the README's tables, behind its link."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for source in (*SOURCES, *PAGES):
        if notebook := committed(source):
            link = re.escape(f"({path_of(source).relative_to(ROOT).as_posix()})")
            time_needed = minutes(notebook, notebook.metadata.course.seconds)
            text = re.sub(rf"({link} \| )\d+ min", rf"\g<1>{time_needed} min", text)
    readme.write_text(text, encoding="utf-8")


def main() -> None:
    """Build what the command line asks for; a lesson that fails does not keep the others from being built."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="how a name begins: 03, or 02_tsne for one page",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FOLDER", help="write web pages here, and no notebooks"
    )
    options = parser.parse_args()
    sources = [
        s
        for s in (*SOURCES, *PAGES)
        if not options.names or s.stem.startswith(tuple(options.names))
    ]
    if not options.html:
        # Committed outputs show the embedded data, on every machine.
        os.environ.update(VAE_OFFLINE="1", VAE_DATA_ROOT=str(NOTEBOOKS / "no-data"))
        sources = [s for s in sources if not is_current(s)]
    failures, pages = [], {}
    for source in sources:
        print(f"{source.stem} …", flush=True)
        try:
            notebook = build(source)
        except LessonError as error:
            failures.append(str(error))
            continue
        path = path_of(source)
        if options.html:
            pages[path.relative_to(NOTEBOOKS).with_suffix("").as_posix()] = notebook
        else:
            path.parent.mkdir(exist_ok=True)
            nbformat.write(notebook, path)
    if options.html:
        write_site(
            options.html, pages, f"{project('Repository')}/blob/v{project('version')}/"
        )
    else:
        write_readme_times()
    if failures:
        sys.exit("\n\n".join(failures))


if __name__ == "__main__":
    main()
