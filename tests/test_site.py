"""The web edition in headless Chromium: every control of the playground moves a picture; no other host is asked."""

import functools
import http.server
import json
import posixpath
import shutil
import statistics
import threading
from urllib.parse import unquote, urlsplit

import build_site
import numpy as np
import onnxruntime
import pytest
import torch
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright
from skimage.data import astronaut

from vae_helpers.checkpoints import load_pretrained

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the whole site once."""
    folder = tmp_path_factory.mktemp("site")
    build_site.write_lessons(folder)
    build_site.write_playground(folder)
    return folder


@pytest.fixture(scope="module")
def address(site):
    """Serve the site; return its address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, address):
    """Open the playground; at the end, no error and no request to another host must have been seen."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    errors, hosts = [], set()
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto(f"{address}/index.html")
    page.wait_for_selector("body[data-ready=yes]", timeout=60_000)
    yield page
    assert errors == []
    assert hosts <= {urlsplit(address).netloc, ""}, "the playground asked another host"  # "" for pictures in the page
    page.close()


def moves(page, canvas, action):
    """Do something, and wait until the canvas shows another picture."""
    before = page.evaluate("id => document.getElementById(id).toDataURL()", canvas)
    action()
    page.wait_for_function(
        "([id, before]) => document.getElementById(id).toDataURL() !== before", arg=[canvas, before], timeout=20_000
    )


def push(page, selector, value):
    """Move a range slider to a value, as a hand does."""
    page.eval_on_selector(
        selector, "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); }", value
    )


def test_every_control_of_the_playground_moves_its_picture(page, tmp_path):
    sliders = page.eval_on_selector_all("#face-sliders input", "all => all.map(e => e.dataset.attribute)")
    assert len(sliders) == 12
    for name in sliders:
        moves(page, "face-after", lambda name=name: push(page, f"[data-attribute={name}]", 1.5))
    moves(page, "face-after", lambda: page.click("#face-reset"))
    moves(page, "face-before", lambda: page.click("#face-random"))
    moves(page, "face-before", lambda: page.click("#face-astronaut"))
    with page.expect_download() as download:
        page.click("#face-share")
    assert download.value.suggested_filename == "smile.png"

    moves(page, "pad", lambda: page.click("#pad-clear"))
    box = page.locator("#pad").bounding_box()

    def stroke():
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 40, steps=8)
        page.mouse.up()

    moves(page, "out-vae", stroke)
    moves(page, "out-ae", lambda: page.click("#pad-example"))
    for name in ("ae", "vae"):
        moves(page, f"out-{name}", lambda name=name: page.locator(f"#map-{name}").click(position={"x": 30, "y": 40}))
        moves(page, f"map-{name}", lambda name=name: page.locator(f"#map-{name}").press("ArrowRight"))

    said = set()
    for button in page.locator("#patients button").all():
        moves(page, "bug-samples", button.click)
        said.add(page.inner_text("#bug-terms"))
        answers = []
        for guess in page.locator("#guesses input").all():
            guess.check()
            answers.append(page.inner_text("#bug-said")[0])
        assert sorted(answers) == ["✓", *["✗"] * 5], "exactly one guess is right"
    assert len(said) == 6
    moves(page, "bug-samples", lambda: page.click("#bug-again"))
    for value in (0, 4, 1):
        moves(page, "beta-chart", lambda value=value: push(page, "#beta-slider", value))


def test_a_photo_is_placed_edited_and_moved_by_keys(page, tmp_path):
    from PIL import Image

    Image.fromarray(astronaut()).save(tmp_path / "astronaut.png")
    moves(page, "face-before", lambda: page.set_input_files("#face-photo", str(tmp_path / "astronaut.png")))
    page.wait_for_function(
        "document.getElementById('status').textContent.startsWith('The square lies')", timeout=60_000
    )
    moves(page, "face-before", lambda: page.locator("#photo").press("ArrowDown"))
    moves(page, "face-before", lambda: push(page, "#photo-size", 0.6))
    moves(page, "face-after", lambda: push(page, "[data-attribute=Smiling]", 2))
    (tmp_path / "notes.png").write_text("no picture")
    page.set_input_files("#face-photo", str(tmp_path / "notes.png"))
    page.wait_for_function("document.getElementById('status').textContent.includes('no picture')")


def test_the_pictures_are_pytorchs_and_come_at_once(page, site):
    about = json.loads((site / "playground" / "about.json").read_text())["faces"]
    model = load_pretrained("faces").cpu().eval()
    with torch.no_grad():
        expected = model.decode(torch.tensor(about["codes"][:1]))[0].permute(1, 2, 0).numpy() * 255
    shown = page.evaluate(
        "() => Array.from(document.getElementById('face-before').getContext('2d').getImageData(0, 0, 64, 64).data)"
    )
    assert np.abs(np.reshape(shown, (64, 64, 4))[..., :3] - expected).max() <= 1.5
    times = page.evaluate(
        """async () => {
          const slider = document.querySelector('[data-attribute=Smiling]');
          const canvas = document.getElementById('face-after');
          const times = [];
          for (let i = 0; i < 15; i++) {
            const count = canvas.dataset.drawn, start = performance.now();
            slider.value = i % 2 ? 1 : -1;
            slider.dispatchEvent(new Event('input'));
            while (canvas.dataset.drawn === count) await new Promise(resolve => setTimeout(resolve, 1));
            times.push(performance.now() - start);
          }
          return times;
        }"""
    )
    assert statistics.median(times) < 50, times


def test_onnx_agrees_with_pytorch(site):
    model = load_pretrained("faces").cpu().eval()
    codes, images = torch.randn(3, model.latent_dim), torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        wanted = {
            "face_decoder": (codes, model.decode(codes)),
            "face_encoder": (images, torch.cat(model.encode(images), 1)),
        }
    for name, (given, expected) in wanted.items():
        session = onnxruntime.InferenceSession(str(site / "playground" / f"{name}.onnx"))
        [found] = session.run(None, {"x": given.numpy()})
        assert np.abs(found - expected.numpy()).max() < 1e-4, name


def test_each_bug_shows_in_the_numbers(site):
    about = json.loads((site / "playground" / "about.json").read_text())
    healthy, bugs = about["bugs"]["healthy"], about["bugs"]
    assert bugs["no_kl"]["rate"] > 2 * healthy["rate"] and bugs["mean_pixels"]["rate"] < 1
    assert bugs["double_sigmoid"]["distortion"] > 1.5 * healthy["distortion"]
    assert len(bugs) == 6
    rates = [one["rate"] for one in about["betas"]]
    assert rates == sorted(rates, reverse=True), "a larger β should buy a smaller rate"


def test_every_link_within_the_site_leads_somewhere(site):
    pages = {
        p.relative_to(site).as_posix(): BeautifulSoup(p.read_text("utf-8"), "html.parser") for p in site.rglob("*.html")
    }
    assert len(pages) > 20
    for name, page in pages.items():
        for target in [a["href"] for a in page.select("a[href]")]:
            parts = urlsplit(target)
            if parts.scheme or not (parts.path or parts.fragment):
                continue
            path = (
                posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path))) if parts.path else name
            )
            assert path in pages, f"{name} leads to {target}, which is not there"
            marks = {e["id"] for e in pages[path].select("[id]")}
            assert not parts.fragment or unquote(parts.fragment) in marks, f"{name} leads to {target}: no such place"


def test_the_playground_can_be_read_on_a_phone(browser, address):
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(f"{address}/index.html")
    page.wait_for_selector("body[data-ready=yes]", timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('input, button, canvas')].filter(e =>
             !(e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim())).map(e => e.outerHTML)"""
    )
    assert nameless == [], "each control and picture needs a name for those who do not see it"
    page.close()
