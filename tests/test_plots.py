import io
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle
from PIL import Image

from vae_helpers import plots
from vae_helpers.train import History


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def overlaps_and_cuts(figure):
    """Fail where two texts of a figure overlap, or where one leaves the figure."""
    figure.draw_without_rendering()
    texts = [*figure.texts, *(text for ax in figure.axes for text in (ax.title, *ax.texts))]
    texts = [text for text in texts if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    for text, box in zip(texts, boxes, strict=True):
        assert box.x0 >= 0 and box.y0 >= 0, text
        assert box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height, text
    for (one, box), (two, other) in itertools.combinations(zip(texts, boxes, strict=True), 2):
        assert not box.overlaps(other), (one, two)


def look(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_show_displays_the_figure_with_its_description_and_closes_it(monkeypatch):
    shown = []
    monkeypatch.setattr(plots.figures, "display", lambda bundle, metadata, raw: shown.append((bundle, metadata)))
    figure = plt.figure()
    plots.show(figure, alt="Nothing at all.")
    (bundle, metadata), *_ = shown
    assert bundle["image/png"].startswith(b"\x89PNG") and bundle["text/plain"] == "Nothing at all."
    assert metadata == {"image/png": {"alt": "Nothing at all.", "width": round(figure.get_figwidth() * 90)}}
    assert not plt.fignum_exists(figure.number)


def test_small_pictures_are_fine_and_large_ones_stay_small(monkeypatch):
    shown = []
    monkeypatch.setattr(plots.figures, "display", lambda bundle, **_: shown.append(look(bundle["image/png"]).shape))
    for values in (np.zeros((2, 2)), np.random.default_rng(0).random((400, 400, 3))):
        figure = plt.figure(figsize=(4, 3), layout="none")
        figure.add_axes((0, 0, 1, 1)).imshow(values)
        plots.show(figure, alt="A picture.")
    assert shown == [(540, 720, 3), (270, 360, 3)]


def test_image_rows_draw_every_image_in_its_place():
    rows = {"zeros": torch.zeros(3, 1, 4, 4), "ones": torch.ones(3, 3, 4, 4)}
    figure = plots.image_rows(rows, "a title")
    assert figure.get_suptitle() == "a title"
    drawn = [ax.images[0].get_array() for ax in figure.axes]
    assert len(drawn) == 6
    assert drawn[0].shape == (4, 4) and (drawn[0] == 0).all()
    assert drawn[3].shape == (4, 4, 3) and (drawn[3] == 1).all()
    middles = {text.get_text(): text.get_position()[1] for text in figure.texts if text.get_text() in rows}
    for name, ax in zip(rows, figure.axes[::3], strict=True):
        assert middles[name] == pytest.approx((ax.get_position().y0 + ax.get_position().y1) / 2)
    assert figure.axes[0].images[0].get_clim() == (0, 1), "grey levels must not be stretched image by image"


@pytest.mark.parametrize(("count", "size"), [(4, None), (10, None), (30, None), (10, 1.0)])
def test_pixels_of_small_images_become_whole_squares_of_the_page(count, size):
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 2, (count, 1, 28, 28))).float()
    figure = plots.image_rows({"a long name of a row": images, "b": 1 - images}, "title", size)
    page = look(plots.png_bytes(figure))[..., 0]
    for ax, image in zip(figure.axes, torch.cat([images, 1 - images])[:, 0].numpy() * 255, strict=True):
        left, bottom, width, height = ax.get_position().bounds * np.tile(page.shape[::-1], 2)
        scale, rest = divmod(round(width), 28)
        assert rest == 0 and scale >= 1 and round(height) == round(width)
        top, left = page.shape[0] - round(bottom + height), round(left)
        assert (page[top : top + 28 * scale, left : left + 28 * scale] == image.repeat(scale, 0).repeat(scale, 1)).all()
    if size is None and count < 30:
        assert page.shape[1] <= 870, "fits on a page"


def test_faces_are_large_and_no_name_is_cut_off():
    rows = {"a rather long name for a row": torch.rand(2, 3, 64, 64), "two\nlines": torch.rand(2, 3, 64, 64)}
    columns = ["one", "another"]
    figure = plots.image_rows(rows, "A title that is a good deal wider than two faces and a name are", columns=columns)
    assert [ax.get_title() for ax in figure.axes] == ["one", "another", "", ""]
    for ax in figure.axes:
        assert ax.get_position().width * figure.get_figwidth() >= 1.3
        assert ax.images[0].get_interpolation() == "lanczos"
    overlaps_and_cuts(figure)


def test_rows_of_different_lengths_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match=r"equally many images.*'a': 2, 'b': 3"):
        plots.image_rows({"a": torch.zeros(2, 1, 4, 4), "b": torch.zeros(3, 1, 4, 4)}, "t")
    with pytest.raises(ValueError, match="every column a name"):
        plots.image_rows({"a": torch.zeros(2, 1, 4, 4)}, "t", columns=["only one"])


def test_a_history_shows_both_curves_with_their_unit():
    record = History(train={"loss": [3.0, 2.0]}, valid={"loss": [3.5, 2.5]}, seconds=[1, 1])
    ax = plots.history(record, "learning", "nats per image").axes[0]
    assert [list(line.get_ydata()) for line in ax.lines] == [[3.0, 2.0], [3.5, 2.5]]
    assert list(ax.lines[0].get_xdata()) == [1, 2]
    assert ax.get_ylabel() == "loss (nats per image)" and ax.get_xlabel() == "epoch"
    assert len(plots.history(History(train={"loss": [1.0]}, seconds=[1]), "t", "u").axes[0].lines) == 1


def test_a_history_that_was_cut_off_can_be_drawn():
    cut = History(train={"loss": [3.0, 2.0]}, valid={"loss": [3.5]}, seconds=[1, 1])
    assert [list(line.get_xdata()) for line in plots.history(cut, "t", "u").axes[0].lines] == [[1, 2], [1]]
    assert plots.history(History(), "stopped in the first epoch", "u").axes[0].lines[:] == []


def test_a_latent_map_puts_each_name_at_the_median_of_its_class():
    codes = torch.tensor([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0], [10.0, -1.0]])
    ax = plots.latent_map(codes, torch.tensor([0, 0, 0, 1]), ("a", "b", "nobody"), "map").axes[0]
    places = {text.get_text(): text.get_position() for text in ax.texts}
    assert places == {"a": pytest.approx((2, 2)), "b": pytest.approx((10, -1))}
    assert len(ax.collections[0].get_offsets()) == 4


@pytest.mark.parametrize("names", ["0123456789", ("normal", "bacterial pneumonia", "viral pneumonia")])
def test_names_on_a_latent_map_do_not_cover_each_other(names):
    codes = torch.randn(2_000, 2, generator=torch.Generator().manual_seed(0))
    figure = plots.latent_map(codes, torch.arange(2_000) % len(names), names, "all classes in one heap")
    assert len(figure.axes[0].texts) == len(names)
    overlaps_and_cuts(figure)


def test_the_manifold_has_the_first_number_to_the_right_and_the_second_upwards():
    def decode(codes):
        return codes[:, :1, None, None].expand(-1, 1, 2, 2) / 10 + codes[:, 1:, None, None] / 1000

    picture = plots.manifold(decode, 0, 2, 3, "m").axes[0].images[0]
    values = picture.get_array()
    assert values.shape == (6, 6)
    assert values[-1, 0] == 0, "bottom left is the smallest of both"
    assert values[-1, -1] == pytest.approx(0.2), "to the right the first number grows"
    assert values[0, 0] == pytest.approx(0.002), "upwards the second number grows"
    assert tuple(picture.get_extent()) == (-0.5, 2.5, -0.5, 2.5), "the middle of each image stands at its code"
    _, (_, ax) = plt.subplots(1, 2)
    assert plots.manifold(decode, 0, 2, 3, "m", ax=ax) is ax.figure and len(ax.images) == 1


def test_rare_colours_are_kept():
    # A picture with few dark spots, the whole colour bar in two of its columns, and every grey level beside it.
    values = np.random.default_rng(0).normal(0.5, 0.04, (200, 256))
    values[:, :2] = np.linspace(0, 1, 200)[:, None]
    picture = (255 * plt.get_cmap("PuOr")(values)[..., :3]).round().astype(np.uint8)
    picture[:, 128:] = np.arange(200)[:, None, None]
    figure = plt.figure(figsize=(2.56, 2), dpi=100)
    figure.figimage(picture)
    shown = Image.open(io.BytesIO(plots.png_bytes(figure, dpi=100)))
    assert shown.mode == "P"
    assert np.abs(np.asarray(shown.convert("RGB")).astype(int) - picture).max() <= 4


def test_grey_pictures_keep_their_levels_and_colourful_ones_their_colours():
    figure = plt.figure(figsize=(2.56, 1), dpi=100)
    figure.figimage(np.tile(np.arange(256, dtype=np.uint8), (100, 1)), cmap="gray", vmin=0, vmax=255)
    picture = Image.open(io.BytesIO(plots.png_bytes(figure, dpi=100)))
    assert picture.mode == "P"
    assert np.abs(np.asarray(picture.convert("L")).astype(int) - np.arange(256)).max() <= 1

    noise = np.random.default_rng(0).integers(0, 256, (100, 256, 3), dtype=np.uint8)
    figure = plt.figure(figsize=(2.56, 1), dpi=100)
    figure.figimage(noise)
    picture = Image.open(io.BytesIO(plots.png_bytes(figure, dpi=100)))
    assert picture.mode == "RGB"
    assert np.abs(np.asarray(picture).astype(int) - noise).max() <= 4


def lightness(color):
    """L* of CIELAB, from 0 (black) to 100 (white)."""
    y = linear(color) @ (0.2126, 0.7152, 0.0722)
    return 116 * np.cbrt(y) - 16 if y > 0.0089 else 903.3 * y


def linear(color):
    values = np.array(to_rgb(color))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def test_the_first_four_colours_differ_in_grey():
    levels = sorted(lightness(color) for color in plots.COLORS[:4])
    assert min(np.diff(levels)) > 10


def test_classes_differ_for_eyes_without_green_cones():
    # Viénot, Brettel and Mollon (1999), "Digital video colourmaps for checking the legibility of displays by
    # dichromats": linear RGB → linear RGB as a deuteranope sees it. Then CIELAB, where 2 or 3 is just noticeable.
    deuteranope = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    seen = np.stack([to_xyz @ deuteranope @ linear(color) for color in plots.CLASS_COLORS])
    roots = np.cbrt(seen / to_xyz.sum(1))
    lab = np.stack(
        [
            116 * roots[:, 1] - 16,
            500 * (roots[:, 0] - roots[:, 1]),
            200 * (roots[:, 1] - roots[:, 2]),
        ],
        -1,
    )
    assert min(np.linalg.norm(one - two) for one, two in itertools.combinations(lab, 2)) > 5


SCHEMATICS = ("neuron", "layer", "hourglass", "pca", "convolution", "conv_autoencoder", "vae")


@pytest.mark.parametrize("name", SCHEMATICS)
def test_schematics_are_readable(name):
    figure = getattr(plots.schematics, name)()
    assert figure.get_figwidth() <= 9
    assert min(text.get_size() for text in figure.findobj(plt.Text) if text.get_text()) >= 11
    overlaps_and_cuts(figure)


def test_the_hourglass_has_the_sizes_that_it_is_given():
    ax = plots.schematics.hourglass((8, 3), code="z").axes[0]
    texts = [text.get_text() for text in ax.texts]
    assert [text for text in texts if text.isdigit()] == ["8", "3", "8"] and "code $z$" in texts
    assert len([patch for patch in ax.patches if isinstance(patch, Circle)]) == 8 + 3 + 8, "no circle stands for many"
    assert not ax.images, "eight numbers are no picture"


def test_a_figure_can_be_saved_twice_without_a_warning(recwarn):
    plots.use_course_style()
    figure = plots.image_rows({"a": torch.rand(2, 1, 28, 28)}, "Two images")
    assert plots.png_bytes(figure) == plots.png_bytes(figure)
    assert not recwarn.list
