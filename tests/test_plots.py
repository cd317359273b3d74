import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from vae_helpers import plots
from vae_helpers.train import History


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_show_displays_the_figure_with_its_description_and_closes_it(monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "display", lambda bundle, metadata, raw: shown.append((bundle, metadata)))
    figure = plt.figure()
    plots.show(figure, alt="Nothing at all.")
    (bundle, metadata), *_ = shown
    assert bundle["image/png"].startswith(b"\x89PNG") and bundle["text/plain"] == "Nothing at all."
    assert metadata == {"image/png": {"alt": "Nothing at all."}}
    assert not plt.fignum_exists(figure.number)


def test_image_rows_draw_every_image_in_its_place():
    rows = {"zeros": torch.zeros(3, 1, 4, 4), "ones": torch.ones(3, 3, 4, 4)}
    figure = plots.image_rows(rows, "a title")
    assert figure.get_suptitle() == "a title"
    drawn = [ax.images[0].get_array() for ax in figure.axes]
    assert len(drawn) == 6
    assert drawn[0].shape == (4, 4) and (drawn[0] == 0).all()
    assert drawn[3].shape == (4, 4, 3) and (drawn[3] == 1).all()
    assert [ax.get_ylabel() for ax in figure.axes] == ["zeros", "", "", "ones", "", ""]
    assert figure.axes[0].images[0].get_clim() == (0, 1), "grey levels must not be stretched image by image"


def test_a_history_shows_both_curves_with_their_unit():
    record = History(train={"loss": [3.0, 2.0]}, valid={"loss": [3.5, 2.5]}, seconds=[1, 1])
    ax = plots.history(record, "learning", "nats per image").axes[0]
    assert [list(line.get_ydata()) for line in ax.lines] == [[3.0, 2.0], [3.5, 2.5]]
    assert list(ax.lines[0].get_xdata()) == [1, 2]
    assert ax.get_ylabel() == "loss (nats per image)" and ax.get_xlabel() == "epoch"
    assert len(plots.history(History(train={"loss": [1.0]}, seconds=[1]), "t", "u").axes[0].lines) == 1


def test_a_latent_map_puts_each_name_at_the_median_of_its_class():
    codes = torch.tensor([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0], [10.0, -1.0]])
    ax = plots.latent_map(codes, torch.tensor([0, 0, 0, 1]), ("a", "b", "nobody"), "map").axes[0]
    places = {text.get_text(): text.get_position() for text in ax.texts}
    assert places == {"a": (2, 2), "b": (10, -1)}
    assert len(ax.collections[0].get_offsets()) == 4


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


def test_pictures_are_png():
    assert base64.b64encode(plots.png_bytes(plt.figure())).startswith(b"iVBOR")


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
