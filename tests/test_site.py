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
import nbformat
import numpy as np
import onnxruntime
import pytest
import torch
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright
from skimage.data import astronaut

from vae_helpers import models, publish
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


def test_the_shipped_digit_models_are_of_todays_recipe():
    shipped = json.loads((build_site.HERE / "playground" / "digits.json").read_text("utf-8"))
    assert shipped["recipe"] == build_site.recipe(), "their recipe has changed: make site, and commit site/playground"


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
    about = json.loads((site / "playground" / "faces.json").read_text())
    model = load_pretrained("faces").cpu().eval()
    with torch.no_grad():
        expected = model.decode(torch.tensor(about["codes"][:1]))[0].permute(1, 2, 0).numpy() * 255
    shown = page.evaluate(
        "() => Array.from(document.getElementById('face-before').getContext('2d').getImageData(0, 0, 64, 64).data)"
    )
    assert np.abs(np.reshape(shown, (64, 64, 4))[..., :3] - expected).max() <= 1.5
    slide = """async () => {
        const slider = document.querySelector('[data-attribute=Smiling]');
        const canvas = document.getElementById('face-after');
        const times = [];
        for (let i = 0; i < 15; i++) {
          // Told at once, where a timer of 1 ms comes after 4.
          const drawn = new Promise(resolve => new MutationObserver((_, observer) => {
            observer.disconnect();
            resolve(performance.now());
          }).observe(canvas, {attributeFilter: ['data-drawn']}));
          const start = performance.now();
          slider.value = i % 2 ? 1 : -1;
          slider.dispatchEvent(new Event('input'));
          times.push(await drawn - start);
        }
        return times;
    }"""
    medians = []
    while not medians or (min(medians) >= 50 and len(medians) < 3):  # other work may disturb it once or twice
        medians.append(statistics.median(page.evaluate(slide)))
    print(f"median from slider to picture: {min(medians):.1f} ms")
    assert min(medians) < 50, medians


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
    about = json.loads((site / "playground" / "digits.json").read_text())
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


def test_the_digit_maps_are_what_the_encoders_in_the_browser_say(site):
    digits = json.loads((site / "playground" / "digits.json").read_text())["digits"]
    images = np.array(digits["pictures"], np.float32).reshape(-1, 1, 28, 28) / 255
    for name in ("ae", "vae"):
        session = onnxruntime.InferenceSession(str(site / "playground" / f"{name}_encoder.onnx"))
        [codes] = session.run(None, {"x": images})
        assert np.abs(codes[:, :2] - np.array(digits[name])[: len(images), :2]).max() < 1e-3


def test_homework_and_glossary_stand_among_the_pages(site):
    listed = BeautifulSoup((site / "lessons.html").read_text("utf-8"), "html.parser")
    links = [a["href"] for a in listed.select("main a")]
    sets = sorted(path.stem for path in (build_site.ROOT / "notebooks" / "homework").glob("*.ipynb"))
    assert [f"homework/{name}.html" for name in sets] == [link for link in links if link.startswith("homework/")]
    assert len(sets) == 5 and "deeper/00_glossary.html" in [a["href"] for a in listed.select("nav a")]
    notebook = nbformat.read(build_site.ROOT / "notebooks" / "homework" / f"{sets[0]}.ipynb", as_version=4)
    page = BeautifulSoup((site / "homework" / f"{sets[0]}.html").read_text("utf-8"), "html.parser")
    assert page.h1.get_text().strip() == notebook.cells[0].source.partition("\n")[0].lstrip("# ")


@pytest.mark.parametrize("served", [True, False])
def test_a_search_leads_to_the_section_by_keyboard_alone(browser, address, site, served):
    page = browser.new_page(viewport={"width": 390, "height": 800})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address if served else site.as_uri()}/deeper/00_glossary.html")
    page.keyboard.press("/")
    page.keyboard.type("reparameterization")
    page.wait_for_selector("#search-found a", timeout=20_000)
    titles = page.eval_on_selector_all("#search-found a", "all => all.map(a => a.textContent)")
    assert any("VAE" in title for title in titles) and page.inner_text("#search-said").endswith("places")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.keyboard.press("ArrowDown")
    target = page.evaluate("document.activeElement.getAttribute('href')")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{posixpath.basename(urlsplit(target).path)}*")
    page.wait_for_function("document.querySelector(':target') !== null")
    page.keyboard.press("/")
    page.keyboard.type("xqzzy")
    page.wait_for_function("document.getElementById('search-said').textContent === 'no places'")
    page.keyboard.press("Escape")
    assert page.input_value("#search-words") == "" and errors == []
    page.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_serious_barrier(browser, address, tmp_path, width):
    publish.fetch("axe-core@4.14.1", {"axe.min.js": "axe.js"}, tmp_path, build_site.ROOT / "build")
    found = []
    for name in ("index", "07_the_vae_piece_by_piece", "deeper/00_glossary", "lessons", "homework/set_1_autoencoders"):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.goto(f"{address}/{name}.html")
        if name == "index":
            page.wait_for_selector("body[data-ready=yes]", timeout=60_000)
        if name == "lessons":  # with the search open
            page.fill("#search-words", "smile")
            page.wait_for_selector("#search-found a", timeout=20_000)
        page.add_script_tag(path=tmp_path / "axe.js")
        violations = page.evaluate("async () => (await axe.run()).violations")
        found += [
            f"{name}: {one['id']} {one['nodes'][0]['html'][:150]} ({len(one['nodes'])})"
            for one in violations
            if one["impact"] in ("serious", "critical")
        ]
        page.close()
    assert found == []


@pytest.mark.parametrize("kind", ["DenseVAE", "ConvVAE", "FaceVAE"])
def test_a_learners_own_model_becomes_a_page_with_sliders(browser, site, kind, tmp_path):
    torch.manual_seed(0)
    model = load_pretrained("faces") if kind == "FaceVAE" else getattr(models, kind)(latent_dim=4)
    model.train()
    smile, name = torch.randn(model.latent_dim), '<b>"smile"</b>'
    shown = publish.playground(model, tmp_path / "mine", {name: smile}, title="A & B", kept=build_site.ROOT / "build")
    assert shown == tmp_path / "mine" / "index.html" and model.training, "the caller's model is left as it was"
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "mine")
    handler.keywords["directory"] = str(tmp_path / "mine")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page, errors = browser.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    page.wait_for_selector("canvas[data-drawn]", timeout=60_000)
    assert page.inner_text("h1") == "A & B"
    names = page.eval_on_selector_all("input", "all => all.map(e => e.dataset.name)")
    assert names == [name, *(f"z {i + 1}" for i in range(model.latent_dim))]
    moves(page, "picture", lambda: push(page, "input >> nth=0", 1.5))
    moves(page, "picture", lambda: push(page, "[data-name='z 2']", -2))
    code = 1.5 * smile
    code[1] -= 2
    with torch.no_grad():
        expected = model.eval().decode(code[None])[0].flatten().numpy()
    page.wait_for_function("canvas => document.querySelector('canvas').dataset.drawn >= 3")
    assert np.abs(np.array(page.evaluate("Array.from(decoded)")) - expected).max() < 1e-4
    moves(page, "picture", lambda: page.click("#reset"))
    moves(page, "picture", lambda: page.click("#random"))
    assert errors == []
    page.close()
    server.shutdown()


def test_publishing_says_what_is_missing_or_wrong(monkeypatch, tmp_path):
    model = models.DenseVAE()
    with pytest.raises(ValueError, match="'smile' must be 2 finite numbers"):
        publish.playground(model, tmp_path, {"smile": torch.zeros(3)})
    monkeypatch.setattr(publish, "_npm_pack", lambda package, place: False)
    with pytest.raises(RuntimeError, match="could not be fetched with npm"):
        publish.fetch(publish.RUNTIME, {}, tmp_path, tmp_path / "kept")
    monkeypatch.setattr(publish.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="Publishing needs onnx and onnxscript: pip install"):
        publish.playground(model, tmp_path)
