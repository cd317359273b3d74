"""Write executed notebooks as web pages that need nothing from the web: formulas, styles and links lie beside them."""

import html
import json
import posixpath
import re
import shutil
import struct
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter
from nbconvert.preprocessors import ExtractOutputPreprocessor
from pygments.formatters import HtmlFormatter

COURSE = "From a Neuron to a Smile"
# MathJax 3.2.2, which sets the formulas: one file that loads nothing else.
SITE = Path(__file__).resolve().parents[2] / "site"
MATHJAX = SITE / "mathjax" / "tex-svg.js"
GLOSSARY = "deeper/00_glossary"
# folder under notebooks/ → what its notebooks are called in the list
GROUPS = {"": "Lessons", "deeper": "Deeper", "homework": "Homework"}

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{root}style.css">
<link rel="stylesheet" href="{root}search.css">
<script>
window.MathJax = {{
  tex: {{inlineMath: [["$", "$"]]}}, svg: {{scale: 0.9}}, options: {{enableMenu: false}},
  // Long formulas are pushed aside to be read, by the keyboard too.
  startup: {{pageReady: () => MathJax.startup.defaultPageReady().then(() => document.querySelectorAll(
    'mjx-container[display="true"]').forEach((formula) => {{ formula.tabIndex = 0; }}))}}
}};
</script>
<script defer src="{root}tex-svg.js"></script>
</head>
<body>
<div id="search"></div>
<script src="{root}search.js" data-root="{root}"></script>
<nav aria-label="Course">{links}</nav>
<main>
{body}
</main>
<nav aria-label="Course, again">{links}</nav>
</body>
</html>
"""


def write_site(
    folder: Path,
    notebooks: dict[str, nbformat.NotebookNode],
    files_at: str,
    index: str = "index.html",
) -> None:
    """Write every notebook as a page, a list of them, and what they and the search need.

    Args:
        folder: is made if it is not there. Pages that lie in it and are not written again stay.
        notebooks: name → executed notebook. A name is where the notebook lies under notebooks/, without its ending, such
            as ``01_from_a_neuron`` or ``deeper/02_tsne``. Lessons lead to their neighbours in this order.
        files_at: the address where the course's other files can be read, ``https://github.com/…/blob/main/``.
        index: the name of the list; of another name if ``index.html`` is a page of the caller's.
    """
    exporter = HTMLExporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True
    )
    exporter.register_preprocessor(ExtractOutputPreprocessor, enabled=True)
    # The course's own notebooks need no cleaning, which takes longer than all else.
    exporter.register_filter("clean_html", lambda text: text)
    sections = []
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
        body = to_body(exporter, notebook, path, name, files_at)
        for heading, place, text in sections_of(body):
            sections.append(
                {
                    "id": len(sections),
                    "title": title_of(notebook),
                    "heading": heading,
                    "address": f"{name}.html#{place}",
                    "text": text,
                }
            )
        root = "../" * name.count("/")
        links = top_links(notebooks, root, index)
        for neighbour, arrow in zip(neighbours, ("← {}", "{} →"), strict=True):
            if neighbour:
                links.append((neighbour[0], arrow.format(neighbour[1])))
        title = f"{title_of(notebook)} – {COURSE}"
        path.write_text(framed(title, root, links, str(body)), encoding="utf-8")
    links = top_links(notebooks, "", index) if index != "index.html" else []
    listed = framed(f"{COURSE}: all lessons", "", links, contents(notebooks))
    (folder / index).write_text(listed, encoding="utf-8")
    found = json.dumps(sections, ensure_ascii=False, separators=(",", ":"))
    (folder / "search_index.js").write_text(f"var COURSE_INDEX = {found};\n", "utf-8")
    for part in ("minisearch.js", "search.js", "search.css"):
        shutil.copy(SITE / "search" / part, folder)
    style = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
    # A style whose colours stand out enough from the ground that code has.
    (folder / "style.css").write_text(
        style + HtmlFormatter(style="default").get_style_defs(".highlight"),
        encoding="utf-8",
    )
    shutil.copy(MATHJAX, folder)


def framed(title: str, root: str, links: list[tuple[str, str]], body: str) -> str:
    """Return a whole page; ``links`` are (address, text), ``root`` leads from the page to the first one."""
    texts = [f'<a href="{target}">{html.escape(text)}</a>' for target, text in links]
    return PAGE.format(
        title=html.escape(title), root=root, links=" ".join(texts), body=body
    )


def top_links(notebooks: dict, root: str, index: str) -> list[tuple[str, str]]:
    """Return the links, (address, text), that every page has."""
    links = [(f"{root}index.html", COURSE)]
    if index != "index.html":
        links.append((f"{root}{index}", "All lessons"))
    if GLOSSARY in notebooks:
        links.append((f"{root}{GLOSSARY}.html", "Glossary"))
    return links


def to_body(
    exporter: HTMLExporter, notebook, path: Path, name: str, files_at: str
) -> BeautifulSoup:
    """Return what stands in a notebook's page, and write its pictures to a folder beside ``path``, the page.

    Every figure has its description, and code that is tagged ``hide-input`` is folded.
    """
    files = {"unique_key": path.stem, "output_files_dir": f"{path.stem}_files"}
    text, resources = exporter.from_notebook_node(notebook, resources=files)
    soup = BeautifulSoup(text, "html.parser")
    for file, content in resources["outputs"].items():
        (path.parent / file).parent.mkdir(exist_ok=True)
        (path.parent / file).write_bytes(content)
    for image in soup.select("img[src]"):
        content = resources["outputs"].get(image["src"], b"")
        if content.startswith(b"\x89PNG") and not image.has_attr("width"):
            # The page keeps their place free, so that nothing jumps when they come.
            width, height = struct.unpack(">II", content[16:24])
            image.attrs |= {"width": str(width), "height": str(height), "loading": "lazy"}
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
    # Whoever has no mouse reaches by the keyboard what has to be pushed aside to be read.
    for wide in soup.select("pre, table"):
        wide["tabindex"] = "0"
    return soup


def sections_of(body: BeautifulSoup) -> list[tuple[str, str, str]]:
    """Return the sections of a page's prose, each as (heading, id, text), without formulas that are set apart."""
    sections = []
    for part in body.select(".text_cell_render > *"):
        headings = [part] if part.name in ("h1", "h2", "h3") else []
        if headings and part.get("id"):
            sections.append([part.get_text().strip(), part["id"], ""])
        elif sections:
            sections[-1][2] += " " + part.get_text(" ")
    return [
        (
            heading,
            place,
            " ".join(re.sub(r"\$\$.*?\$\$", " ", text, flags=re.DOTALL).split()),
        )
        for heading, place, text in sections
    ]


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


def contents(notebooks: dict[str, nbformat.NotebookNode]) -> str:
    """Return the list of lessons, of the pages that go deeper, and of the homework."""
    parts = [f"<h1>{COURSE}</h1>"]
    for group, heading in GROUPS.items():
        lines = [
            f'<li><a href="{name}.html">{html.escape(title_of(notebook))}</a></li>'
            for name, notebook in notebooks.items()
            if posixpath.dirname(name) == group
        ]
        parts += (
            [f'<h2 id="{heading.lower()}">{heading}</h2>\n<ul>', *lines, "</ul>"]
            if lines
            else []
        )
    return "\n".join(parts)


def title_of(notebook: nbformat.NotebookNode) -> str:
    """Return a notebook's title: its first line, without the mark of a heading."""
    return notebook.cells[0].source.partition("\n")[0].lstrip("# ")
