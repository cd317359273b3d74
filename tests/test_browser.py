"""The course as a learner sees it: a real JupyterLab in headless Chromium."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
import pytest
from playwright.sync_api import TimeoutError, sync_playwright
from torchvision.utils import save_image

from conftest import ROOT
from vae_helpers.data import render_portraits

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TOKEN = "of-this-test"
FACE_EDITOR = """\
from vae_helpers import widgets
from vae_helpers.checkpoints import load_pretrained
widgets.face_editor(load_pretrained("faces"), load_pretrained("face_codes"))"""
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Serve copies of the notebooks with JupyterLab; yields its address."""
    folder = tmp_path_factory.mktemp("lab")
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(path, folder)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(FACE_EDITOR)])
    nbformat.write(notebook, folder / "face_editor.ipynb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}", "--LabApp.news_url=None"]
    with open(folder / "server.log", "w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/api")
                break
            except urllib.error.URLError:
                time.sleep(0.5)
        else:
            pytest.fail(f"JupyterLab did not start: {(folder / 'server.log').read_text()[-2000:]}")
        yield address
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1300, "height": 1100})
    page.set_default_timeout(120_000)
    yield page
    page.close()


def open_notebook(page, lab, name):
    # The session is made before the page opens: a page that makes it itself sometimes starts two and keeps none.
    wish = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
    credentials = {"Authorization": f"token {TOKEN}"}
    request = urllib.request.Request(f"{lab}/api/sessions", json.dumps(wish).encode(), credentials)
    urllib.request.urlopen(request).read()
    page.goto(f"{lab}/doc/tree/{name}?token={TOKEN}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.wait_for_selector(".jp-NotebookPanel-toolbar [data-status='idle']", state="attached")


def run_cells_until(page, selector, cells):
    """Press Shift+Enter on the first ``cells`` cells and wait for what ``selector`` finds; return it."""
    for attempt in range(3):  # keys that are pressed before JupyterLab listens are lost
        page.locator(".jp-Notebook").first.focus()
        page.keyboard.press("Escape")
        page.keyboard.press("Control+Home")
        for _ in range(cells):
            page.keyboard.press("Shift+Enter")
            page.wait_for_timeout(300)
        try:
            return page.wait_for_selector(selector, timeout=40_000)
        except TimeoutError:
            if attempt == 2:
                raise


def test_a_slider_redraws_its_picture(page, lab):
    open_notebook(page, lab, "01_from_a_neuron_to_an_autoencoder.ipynb")
    # The saved page holds no widget, so that what appears comes from the cell that is run.
    picture = run_cells_until(page, ".jupyter-widgets img.widget-image", cells=7)
    before = picture.get_attribute("src")
    slider = page.locator(".jupyter-widgets .noUi-handle").first
    slider.scroll_into_view_if_needed()
    slider.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('.jupyter-widgets img.widget-image').src != before", arg=before
    )
    value = page.locator(".jupyter-widgets .widget-readout").first.inner_text()
    assert float(value) > 1.5, "the slider should have moved to the right"
    assert not page.locator(".jp-RenderedText[data-mime-type*='stderr']").count()


def test_the_face_editor_edits_random_faces_and_uploaded_photos(page, lab, tmp_path):
    def new_picture_after(act):
        picture = page.locator(".jupyter-widgets img.widget-image")
        before = picture.get_attribute("src")
        act()
        page.wait_for_function(
            "before => document.querySelector('.jupyter-widgets img.widget-image').src != before", arg=before
        )
        return picture.evaluate("image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])")

    def drag_first_slider():
        page.locator(".jupyter-widgets .noUi-handle").first.focus()
        page.keyboard.press("ArrowRight")

    open_notebook(page, lab, "face_editor.ipynb")
    run_cells_until(page, ".jupyter-widgets img.widget-image", cells=1)
    assert new_picture_after(drag_first_slider) == [2 * 256 + 8, 256]
    assert page.locator(".jupyter-widgets .widget-readout").first.inner_text() == "0.10"
    assert new_picture_after(page.get_by_role("button", name="random face").click) == [2 * 256 + 8, 256]
    assert not page.get_by_text("shift right").is_visible(), "a random face needs no placing"

    def upload(path):
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="your photo").click()
        chooser.value.set_files(path)

    photo = tmp_path / "me.png"
    save_image(render_portraits(1, 128, seed=0).floats, photo)
    assert new_picture_after(lambda: upload(photo)) == [3 * 256 + 2 * 8, 256]
    assert page.get_by_text("shift right").is_visible()

    (tmp_path / "letter.txt").write_text("no image")
    upload(tmp_path / "letter.txt")
    page.get_by_text("letter.txt: This file is no image").wait_for()
    assert not page.locator(".jp-RenderedText[data-mime-type*='stderr']").count()
