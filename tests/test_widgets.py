"""Moving a slider redraws the picture, and the picture shows what it should."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from ipywidgets import Button, FloatSlider, Image

from vae_helpers import widgets

CODES = torch.tensor([[-4.0, 1.0], [-3.0, 2.0], [-2.0, 3.0], [5.0, -6.0], [6.0, -5.0], [7.0, -4.0]])
LABELS = torch.tensor([0, 0, 0, 1, 1, 1])


def one_pixel(codes):
    """A decoder whose image is all of one grey, the first number of the code as a tenth."""
    return (codes[:, :1] / 10).clamp(0, 1)[:, :, None, None].expand(-1, 1, 4, 4)


def look(png):
    return plt.imread(io.BytesIO(png))[..., :3]


def parts(widget, kind):
    children = getattr(widget, "children", ())
    return [widget] if isinstance(widget, kind) else [found for child in children for found in parts(child, kind)]


def test_the_painter_draws_the_decoded_code_and_a_cross_where_it_lies():
    draw = widgets.code_painter(one_pixel, CODES, LABELS, ("a", "b"))
    left, right = look(draw(2.0, 0.0)), look(draw(6.0, 0.0))
    height, width, _ = left.shape
    # The middle of the right half is in the decoded image.
    for picture, grey in ((left, 0.2), (right, 0.6)):
        assert np.allclose(picture[height // 2, width * 3 // 4], grey, atol=0.01)
    moved = np.abs(left - right)[:, : width // 2].max(2) > 0.2
    _, columns = moved.nonzero()
    assert np.ptp(columns) > 20, "the cross should have moved along the map"
    assert np.array_equal(look(draw(2.0, 0.0)), left), "the old cross should be gone"


def test_the_explorer_redraws_when_a_slider_moves_or_a_class_is_clicked():
    explorer = widgets.explore_codes(one_pixel, CODES, LABELS, ("a", "b"))
    first, second = parts(explorer, FloatSlider)
    [picture] = parts(explorer, Image)
    assert (first.min, first.max, second.min, second.max) == (-4, 7, -6, 3)
    assert (first.value, second.value) == (-3, 2), "it starts in the middle of the first class"
    seen = [bytes(picture.value)]
    first.value = 4.5
    seen.append(bytes(picture.value))
    second.value = 0.5
    seen.append(bytes(picture.value))
    [_, b] = parts(explorer, Button)
    assert b.description == "b"
    b.click()
    assert (first.value, second.value) == (6, -5)
    seen.append(bytes(picture.value))
    assert len(set(seen)) == 4 and all(png.startswith(b"\x89PNG") for png in seen)
    draw = widgets.code_painter(one_pixel, CODES, LABELS, ("a", "b"))
    assert np.array_equal(look(picture.value), look(draw(6.0, -5.0)))


def test_a_class_without_codes_gets_no_button():
    explorer = widgets.explore_codes(one_pixel, CODES, LABELS + 1, ("nobody", "a", "b"))
    assert [button.description for button in parts(explorer, Button)] == ["a", "b"]


def test_the_explorer_shows_colours_and_opens_no_figure():
    before = plt.get_fignums()
    red = torch.tensor([1.0, 0.0, 0.0])[None, :, None, None].expand(1, 3, 4, 4)
    picture = look(widgets.code_painter(lambda codes: red, CODES, LABELS, ("a", "b"))(0.0, 0.0))
    height, width, _ = picture.shape
    assert np.allclose(picture[height // 2, width * 3 // 4], [1, 0, 0])
    assert plt.get_fignums() == before


def test_only_two_dimensional_codes_make_a_map():
    with pytest.raises(ValueError, match=r"two numbers each, \(N, 2\), but got \(6, 3\)"):
        widgets.explore_codes(one_pixel, torch.rand(6, 3), LABELS, ("a", "b"))


def test_explore_redraws_with_the_values_of_its_sliders():
    drawn = []

    def draw(count, height):
        drawn.append((count, height))
        figure, ax = plt.subplots()
        ax.plot([0, 1], [count, height])
        return figure

    *sliders, picture = widgets.explore(draw, count=(1, 5, 2), height=(0.0, 1.0, 0.5)).children
    before = bytes(picture.value)
    sliders[0].value = 4
    assert drawn == [(2, 0.5), (4, 0.5)]
    assert [type(value) for value in drawn[-1]] == [int, float]  # whole numbers stay whole
    assert before.startswith(b"\x89PNG") and bytes(picture.value) != before
    assert not plt.get_fignums()  # no figure is left open
