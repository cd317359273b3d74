"""Web pages read well on a phone and need nothing from the web."""

import base64
import io
import re
import shutil

import nbformat
import pytest
from bs4 import BeautifulSoup
from PIL import Image
from playwright.sync_api import sync_playwright

import web_pages

FILES_AT = "https://example.org/blob/v1/"
FIRST = """\
# 01 · A <first> lesson

If $x_1 < 2$, see: [Next](02_second.ipynb#a-place), [why](deeper/01_why.ipynb),
[data](../data/README.md), [here](#a-place), [the web](https://example.org/a.ipynb).

$$ p(x) = \\underbrace{\\mathbb{E}_q[\\log w]}_{\\text{ELBO}} \\lfloor \\tfrac12 \\rfloor $$"""
LONG = "print('" + "a line of code that is much longer than a phone is wide " * 3 + "')  # costs $1 and $2"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Two lessons and a page that goes deeper, as they come from the build."""
    v, png = nbformat.v4, io.BytesIO()
    Image.new("RGB", (900, 300), "red").save(png, "PNG")
    picture = {"image/png": base64.b64encode(png.getvalue()).decode()}
    figure = v.new_code_cell("# @title A red picture\ndraw()", metadata={"tags": ["figure", "hide-input"]})
    figure.outputs = [v.new_output("display_data", picture, metadata={"image/png": {"alt": "Red & no more."}})]
    printed = v.new_code_cell(LONG, outputs=[v.new_output("stream", text="a table  " * 30)])
    words = {"text/plain": "Run this cell, and controls to drag will appear here."}
    widget = v.new_code_cell("explore()", outputs=[v.new_output("execute_result", words)])
    notebooks = {
        "01_first": v.new_notebook(cells=[v.new_markdown_cell(FIRST), figure, printed, widget]),
        "02_second": v.new_notebook(cells=[v.new_markdown_cell("# 02 · A second")]),
        "deeper/01_why": v.new_notebook(cells=[v.new_markdown_cell("# Why?\n\n[Back](../01_first.ipynb)")]),
    }
    folder = tmp_path_factory.mktemp("site")
    web_pages.write_site(folder, notebooks, FILES_AT)
    return folder


def read(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def test_pages_have_titles_and_lead_to_each_other(site):
    first, second, deeper = (read(site / f"{name}.html") for name in ("01_first", "02_second", "deeper/01_why"))
    assert first.title.string == "01 · A <first> lesson – From a Neuron to a Smile"
    assert [a["href"] for a in first.nav.select("a")] == ["index.html", "02_second.html"]
    assert [a["href"] for a in second.nav.select("a")] == ["index.html", "01_first.html"]
    assert second.nav.select("a")[1].string == "← 01 · A <first> lesson"
    assert [a["href"] for a in deeper.nav.select("a")] == ["../index.html"]
    links = [a["href"] for a in read(site / "index.html").select("a")]
    assert links == ["01_first.html", "02_second.html", "deeper/01_why.html"]


def test_links_lead_to_pages_and_to_the_courses_files(site):
    links = {a.string: a["href"] for a in read(site / "01_first.html").main.select("p a")}
    assert links == {
        "Next": "02_second.html#a-place",
        "why": "deeper/01_why.html",
        "data": FILES_AT + "data/README.md",
        "here": "#a-place",
        "the web": "https://example.org/a.ipynb",
    }
    assert read(site / "deeper" / "01_why.html").main.a["href"] == "../01_first.html"


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.rglob("*.html"):
        for tag in read(page).select("script[src], link[href], img[src], iframe[src]"):
            target = tag.get("src") or tag["href"]
            assert target.startswith("data:") or (page.parent / target).is_file(), target
    assert not re.search(r"url\(|@import", (site / "style.css").read_text(encoding="utf-8"))


def test_figures_are_described_their_code_is_folded_and_no_cell_asks_to_be_run(site):
    page = read(site / "01_first.html")
    assert page.select_one(".output_png img")["alt"] == "Red & no more."
    [folded] = page.select("details")
    assert folded.summary.string == "A red picture" and "draw" in folded.pre.get_text()
    assert "Run this cell" not in page.get_text() and "In a running notebook, controls" in page.get_text()


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_on_a_phone_without_a_network_formulas_are_set_and_nothing_is_cut_off(site):
    failed = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_context(offline=True, viewport={"width": 390, "height": 800}).new_page()
        page.on("requestfailed", lambda request: failed.append(request.url))
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.goto((site / "01_first.html").as_uri())
        page.wait_for_function("document.querySelectorAll('mjx-container').length == 2", timeout=60_000)
        assert not page.locator("[data-mml-node='merror']").count()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        table = page.locator(".output_stdout pre")
        for pre, cut in ((page.locator(".input_area pre").nth(1), False), (table, True)):
            wider = pre.evaluate("pre => pre.scrollWidth > pre.clientWidth")
            assert wider == cut, "code is wrapped; what is printed can be pushed aside"
        width, height = page.locator("main img").evaluate("image => [image.clientWidth, image.clientHeight]")
        assert width <= 390 and width / height == pytest.approx(3, rel=0.02)
        chromium.close()
    assert not failed
