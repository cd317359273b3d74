"""Moving a slider redraws the picture, and the picture shows what it should."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from ipywidgets import HTML, Button, FloatLogSlider, FloatSlider, Image, IntSlider

from vae_helpers import widgets
from vae_helpers.widgets.panel import keep_names


@pytest.fixture(autouse=True)
def no_figure_of_another_test():
    plt.close("all")


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


WRONG_MAPS = {
    "three numbers": (torch.rand(6, 3), LABELS, r"two numbers each, \(N, 2\), but got \(6, 3\)"),
    "a label below 0": (CODES, LABELS - 1, "from 0 to 1, the number of its name; the 6 labels go from -1 to 0"),
    "a label without a name": (CODES, LABELS + 1, "from 0 to 1, the number of its name; the 6 labels go from 1 to 2"),
    "too few labels": (CODES, LABELS[:5], "Each of the 6 codes needs a label"),
    "a diverged model": (CODES / 0, LABELS, "the model's training has diverged"),
}


@pytest.mark.parametrize("what", WRONG_MAPS)
def test_a_map_that_would_mislead_is_refused_in_a_sentence(what):
    codes, labels, words = WRONG_MAPS[what]
    with pytest.raises(ValueError, match=words):
        widgets.explore_codes(one_pixel, codes, labels, ("a", "b"))


def test_codes_that_are_all_the_same_can_be_explored():
    explorer = widgets.explore_codes(one_pixel, torch.ones(6, 2), LABELS, ("a", "b"))
    assert all(slider.step > 0 for slider in parts(explorer, FloatSlider))


def test_explore_redraws_with_the_values_of_its_sliders():
    drawn = []

    def draw(count, height):
        drawn.append((count, height))
        figure, ax = plt.subplots()
        ax.plot([0, 1], [count, height])
        return figure

    explorer = widgets.explore(draw, count=(1, 5, 2), height=(0.0, 1.0, 0.5))
    [count], [_], [picture] = (parts(explorer, kind) for kind in (IntSlider, FloatSlider, Image))
    before = bytes(picture.value)
    count.value = 4
    assert drawn == [(2, 0.5), (4, 0.5)]
    assert [type(value) for value in drawn[-1]] == [int, float]  # whole numbers stay whole
    assert before.startswith(b"\x89PNG") and bytes(picture.value) != before
    assert not plt.get_fignums()  # no figure is left open


def sheet(color=1.0, title="", size=(3, 2)):
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    ax.set(facecolor=str(color), title=title, xticks=[], yticks=[])
    return figure


def test_a_slider_from_a_tenth_to_twenty_multiplies():
    explorer = widgets.explore(lambda beta: sheet(beta / 20), beta=widgets.Log(0.1, 20.0, 1.0))
    [beta] = parts(explorer, FloatLogSlider)
    assert beta.value == 1 and np.allclose([beta.base**beta.min, beta.base**beta.max], [0.1, 20])
    beta.value = 10.0
    assert np.allclose(look(parts(explorer, Image)[0].value)[100, 100], 0.5, atol=0.01)


def test_the_axes_of_a_live_picture_stay_where_they_lay_first():
    """So that nothing jumps, and because finding them a place takes half of the time."""
    explorer = widgets.explore(lambda lines: sheet(0.0, "a title\n" * lines), lines=(0, 3, 3))
    [lines], [picture] = parts(explorer, IntSlider), parts(explorer, Image)
    first = look(picture.value)
    assert first.shape == (180, 270, 3), "90 pixels an inch"
    top = np.argmax(first[:, 40, 0] < 0.5)  # of the black axes, left of the title
    lines.value = 0
    assert np.argmax(look(picture.value)[:, 40, 0] < 0.5) == top > 45, "three lines fit above"


def test_a_function_may_draw_into_the_same_figure_each_time():
    figure = sheet(1.0)

    def draw(grey):
        figure.axes[0].set_facecolor(str(grey))
        return figure

    explorer = widgets.explore(draw, grey=(0.0, 1.0, 1.0))
    [grey], [picture] = parts(explorer, FloatSlider), parts(explorer, Image)
    for value in (0.5, 0.0):
        grey.value = value
        assert np.allclose(look(picture.value)[100, 100], value, atol=0.01)
    plt.close(figure)


def test_an_error_while_drawing_appears_in_words_and_leaves_the_picture():
    def draw(x):
        figure = sheet()
        if x > 1:
            raise KeyError("<angles>")
        return figure

    explorer = widgets.explore(draw, x=(0, 3, 0))
    [x], [picture], [problem] = (parts(explorer, kind) for kind in (IntSlider, Image, HTML))
    before = bytes(picture.value)
    assert problem.layout.display == "none"
    x.value = 2
    assert problem.layout.display is None and bytes(picture.value) == before
    assert problem.value == (
        "This could not be drawn (KeyError: &#x27;&lt;angles&gt;&#x27;). Run the cells above again, then this one."
    )
    assert not plt.get_fignums(), "a half-drawn figure would appear under the next cell"
    x.value = 1
    assert problem.layout.display == "none"


def test_an_error_in_the_first_picture_is_the_cells_own():
    with pytest.raises(ZeroDivisionError):
        widgets.explore(lambda x: sheet(1 / x), x=(0, 3, 0))
    with pytest.raises(ZeroDivisionError):
        widgets.explore_codes(lambda codes: 1 / 0, CODES, LABELS, ("a", "b"))


def test_an_error_of_the_decoder_appears_in_words():
    def decode(codes):
        if codes[0, 0] > 6:
            raise RuntimeError("too far\nand more")
        return one_pixel(codes)

    explorer = widgets.explore_codes(decode, CODES, LABELS, ("a", "b"))
    [problem] = parts(explorer, HTML)
    parts(explorer, FloatSlider)[0].value = 6.5
    assert problem.layout.display is None and "(RuntimeError: too far)" in problem.value
    parts(explorer, Button)[0].click()
    assert problem.layout.display == "none"


NOTEBOOK = """
import functools, torch

angles, shift = 10, 1

def scaled(x):
    return x * angles

@torch.no_grad()
def shifted(x):
    return torch.tensor(scaled(x) + shift)

def countdown(x):
    return [x, *countdown(x - 1)] if x else [angles]

def draw(x, *, more=5):
    return [shifted(value).item() + more for value in countdown(x)]
"""


def test_what_a_function_names_keeps_its_meaning():
    """A later cell may use a name again: its own, its helpers', decorated ones, and inside a comprehension."""
    notebook = {}
    exec(NOTEBOOK, notebook)
    before = notebook["draw"](2)
    draw, decorated = keep_names(notebook["draw"]), keep_names(notebook["shifted"])
    exec("angles = shift = torch = None\ndef scaled(x): return 1 / 0\ncountdown = 3", notebook)
    assert draw(2) == before == [26, 16, 106]
    assert decorated(2) == 21
    assert notebook["angles"] is None and notebook["countdown"] == 3


def test_explorers_keep_names():
    notebook = {"sheet": sheet, "grey": 0.5, "torch": torch}
    exec("draw = lambda x: sheet(grey * x)\ndecode = lambda codes: torch.full((1, 1, 4, 4), grey)", notebook)
    explorers = [
        widgets.explore(notebook["draw"], x=(1, 2, 1)),
        widgets.explore_codes(notebook["decode"], CODES, LABELS, ("a", "b")),
    ]
    notebook["grey"] = None
    for explorer in explorers:
        before = bytes(parts(explorer, Image)[0].value)
        parts(explorer, (IntSlider, FloatSlider))[0].value = 2
        assert bytes(parts(explorer, Image)[0].value) != before
        assert parts(explorer, HTML)[0].layout.display == "none"


def test_functions_of_a_package_and_methods_are_not_copied():
    notebook = {"sheet": sheet, "model": torch.nn.Identity()}
    exec("def draw(x): return sheet, model", notebook)
    assert keep_names(notebook["draw"])(0) == (sheet, notebook["model"])
    assert keep_names(notebook["model"].forward) == notebook["model"].forward


def test_without_python_a_widget_says_what_to_do():
    explorer = widgets.explore(lambda x: sheet(x), x=(0, 1, 0))
    assert repr(explorer) == "Run this cell, and controls to drag will appear here."
