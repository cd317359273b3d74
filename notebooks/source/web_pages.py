"""Write executed notebooks as web pages that need nothing from the web: formulas, styles and links lie beside them."""

import html
import posixpath
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

COURSE = "From a Neuron to a Smile"
# MathJax 3.2.2, which sets the formulas: one file that loads nothing else.
MATHJAX = Path(__file__).resolve().parents[2] / "site" / "mathjax" / "tex-svg.js"

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{root}style.css">
<script>
window.MathJax = {{
  tex: {{inlineMath: [["$", "$"]]}}, svg: {{scale: 0.9}}, options: {{enableMenu: false}}
}};
</script>
<script defer src="{root}tex-svg.js"></script>
</head>
<body>
{navigation}
<main>
{body}
</main>
{navigation}
</body>
</html>
"""


def write_site(
    folder: Path, notebooks: dict[str, nbformat.NotebookNode], files_at: str
) -> None:
    """Write every notebook as a page, an index of them, and what they need.

    Args:
        folder: is made if it is not there. Pages that lie in it and are not written again stay.
        notebooks: name → executed notebook. A name is where the notebook lies under notebooks/, without its ending, such
            as ``01_from_a_neuron`` or ``deeper/02_tsne``. Lessons lead to their neighbours in this order.
        files_at: the address where the course's other files can be read, ``https://github.com/…/blob/main/``.
    """
    lessons = [name for name in notebooks if "/" not in name]
    for name, notebook in notebooks.items():
        path = folder / f"{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        place = lessons.index(name) if name in lessons else None
        before = lessons[place - 1] if place else None
        after = (
            lessons[place + 1] if place is not None and place + 1 < len(lessons) else None
        )
        neighbours = [
            other and (f"{other}.html", title_of(notebooks[other]))
            for other in (before, after)
        ]
        path.write_text(to_html(notebook, name, neighbours, files_at), encoding="utf-8")
    (folder / "index.html").write_text(index(notebooks), encoding="utf-8")
    style = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
    (folder / "style.css").write_text(
        style + HtmlFormatter(style="default").get_style_defs(".highlight"),
        encoding="utf-8",
    )
    shutil.copy(MATHJAX, folder)


def to_html(notebook: nbformat.NotebookNode, name: str, neighbours, files_at: str) -> str:
    """Return an executed notebook as a web page.

    Args:
        notebook: what to write. Every figure has its description, and code that is tagged ``hide-input`` is folded.
        name: where it lies, as in ``write_site``.
        neighbours: the lessons before and after, each (address, title) or None.
        files_at: as in ``write_site``.
    """
    exporter = HTMLExporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True
    )
    soup = BeautifulSoup(exporter.from_notebook_node(notebook)[0], "html.parser")
    for mark in soup.select("a.anchor-link"):
        mark.decompose()
    for code in soup.select(".celltag_hide-input > .input"):
        summary = soup.new_tag("summary")
        summary.string = (
            code.get_text()
            .strip()
            .partition("\n")[0]
            .removeprefix("#")
            .strip()
            .removeprefix("@title ")
        )
        code.wrap(soup.new_tag("details", attrs={"class": "folded"})).insert(0, summary)
    for text in soup.select(".output_text pre"):
        if text.get_text().startswith("Run this cell"):
            text.parent.string = "In a running notebook, controls to drag appear here."
    for link in soup.select("a[href]"):
        link["href"] = address(link["href"], name, files_at)
    root = "../" * name.count("/")
    links = [f'<a href="{root}index.html">{COURSE}</a>']
    for neighbour, arrow in zip(neighbours, ("← {}", "{} →"), strict=True):
        if neighbour:
            links.append(
                f'<a href="{neighbour[0]}">{arrow.format(html.escape(neighbour[1]))}</a>'
            )
    navigation = f"<nav>{' '.join(links)}</nav>"
    title = f"{html.escape(title_of(notebook))} – {COURSE}"
    return PAGE.format(title=title, root=root, navigation=navigation, body=soup)


def address(target: str, name: str, files_at: str) -> str:
    """Return what a page's link leads to: a notebook's page, another file where it can be read, all else as it was."""
    path, hash_mark, place = target.partition("#")
    if not path or urlsplit(target).scheme:
        return target
    if path.endswith(".ipynb"):
        return f"{path.removesuffix('.ipynb')}.html{hash_mark}{place}"
    return files_at + posixpath.normpath(
        posixpath.join("notebooks", posixpath.dirname(name), target)
    )


def index(notebooks: dict[str, nbformat.NotebookNode]) -> str:
    """Return the page that lists the lessons, and after them the pages that go deeper."""
    parts = []
    for heading, deeper in (("Lessons", False), ("Deeper", True)):
        titles = {
            name: title_of(notebook)
            for name, notebook in notebooks.items()
            if ("/" in name) == deeper
        }
        lines = [
            f'<li><a href="{name}.html">{html.escape(title)}</a></li>'
            for name, title in titles.items()
        ]
        parts += [f"<h2>{heading}</h2>\n<ul>", *lines, "</ul>"] if lines else []
    body = "\n".join([f"<h1>{COURSE}</h1>", *parts])
    return PAGE.format(title=COURSE, root="", navigation="", body=body)


def title_of(notebook: nbformat.NotebookNode) -> str:
    """Return a notebook's title: its first line, without the mark of a heading."""
    return notebook.cells[0].source.partition("\n")[0].lstrip("# ")
