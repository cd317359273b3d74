"""Sliders over plain functions that draw."""

from collections.abc import Callable, Sequence
from functools import partial

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from PIL import Image
from torch import Tensor

from vae_helpers.plots import latent_map
from vae_helpers.widgets.panel import Log, Panel, fast_png, keep_names, slider


def explore(draw: Callable[..., Figure], **ranges: tuple[float, float, float] | Log) -> Panel:
    """Return one slider per argument of ``draw``, over the figure that it draws.

    What ``draw`` and the notebook's functions that it calls mean by a name is kept: later cells may use ``angles`` or
    ``x`` for something else. An error while a slider is moved appears in words, over the last good picture.

    Args:
        draw: takes the sliders' values by name and returns a figure. The first figure decides where its axes lie; they
            stay there, so that nothing jumps while a slider moves. The fastest way to draw is to change a curve in one
            figure, and to return this figure each time.
        ranges: name → (lowest, highest, first value). Three whole numbers give a slider that stops at whole numbers;
            ``Log(0.1, 20, 1)`` gives one that multiplies where others add.
    """
    draw, panel, places = keep_names(draw), Panel(), {}
    sliders = {name: slider(name, values) for name, values in ranges.items()}

    def redraw() -> None:
        before = set(plt.get_fignums())
        try:
            panel.picture.value = _live_png(draw(**{name: control.value for name, control in sliders.items()}), places)
        finally:
            for number in set(plt.get_fignums()) - before:
                plt.close(number)

    redraw()
    for control in sliders.values():
        panel.answer(control, redraw)
    panel.children = (*sliders.values(), panel.problem, panel.picture)
    return panel


def explore_codes(
    decode: Callable[[Tensor], Tensor], codes: Tensor, labels: Tensor, label_names: Sequence[str]
) -> Panel:
    """Return an explorer of a two-dimensional code: slide to any point of the map, or click a class to go there.

    Args:
        decode: codes (1, 2) → images (1, C, H, W) in [0, 1].
        codes: (N, 2), the points of the map. The sliders reach from the lowest to the highest of them.
        labels: (N,) class numbers, from 0.
        label_names: the classes' names.

    Raises:
        ValueError: the codes do not have two finite numbers each, or a label has no name.
    """
    draw, panel = code_painter(keep_names(decode), codes, labels, label_names), Panel()
    middles = {
        label_names[number]: codes[labels == number].median(0).values.tolist() for number in labels.unique().tolist()
    }
    ranges = zip(codes.amin(0).tolist(), codes.amax(0).tolist(), next(iter(middles.values())), strict=True)
    sliders = [slider(name, values) for name, values in zip(("first", "second"), ranges, strict=True)]

    def redraw() -> None:
        panel.picture.value = draw(*(control.value for control in sliders))

    def jump(middle: list[float], button: ipywidgets.Button) -> None:
        for control, value in zip(sliders, middle, strict=True):
            control.value = value

    buttons = []
    for name, middle in middles.items():
        button = ipywidgets.Button(description=name, tooltip=f"go to the middle of {name}", layout={"width": "auto"})
        button.on_click(partial(jump, middle))
        buttons.append(button)
    redraw()
    for control in sliders:
        panel.answer(control, redraw)
    row = ipywidgets.HBox(buttons, layout={"flex_flow": "row wrap"})
    panel.children = (*sliders, row, panel.problem, panel.picture)
    return panel


def code_painter(
    decode: Callable[[Tensor], Tensor], codes: Tensor, labels: Tensor, label_names: Sequence[str]
) -> Callable[[float, float], bytes]:
    """Return a function that draws any point of a latent map, beside what the decoder makes of it, as a PNG.

    The map with its thousands of points is drawn once. Each call then draws two things over a copy of it, a cross
    and an image, and so takes a few milliseconds. Arguments and errors are those of ``explore_codes``.
    """
    if codes.ndim != 2 or codes.shape[1] != 2:
        raise ValueError(f"A map needs codes of two numbers each, (N, 2), but got {tuple(codes.shape)}.")
    if not codes.isfinite().all():
        raise ValueError("Some codes are not finite: the model's training has diverged.")
    if len(labels) != len(codes) or labels.amin() < 0 or labels.amax() >= len(label_names):
        raise ValueError(
            f"Each of the {len(codes)} codes needs a label from 0 to {len(label_names) - 1}, the number of its name; "
            f"the {len(labels)} labels go from {labels.min().item()} to {labels.max().item()}."
        )
    figure = Figure(figsize=(9, 4.6), dpi=90, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    map_ax, image_ax = figure.subplots(1, 2, width_ratios=(1.2, 1))
    latent_map(codes, labels, label_names, "Where you are", ax=map_ax)
    image_ax.set(title="What the decoder makes of this code", xticks=[], yticks=[])
    image_ax.spines[:].set_visible(False)
    # "Animated" artists are left out of the drawing of the whole.
    (cross,) = map_ax.plot([], [], "+", color="black", markersize=24, markeredgewidth=3, animated=True)
    cross.set_path_effects([withStroke(linewidth=6, foreground="white")])

    @torch.no_grad()
    def pixels(first: float, second: float) -> np.ndarray:
        code = torch.tensor([[first, second]], dtype=codes.dtype, device=codes.device)
        return decode(code)[0].float().cpu().permute(1, 2, 0).squeeze(-1).numpy()

    image = image_ax.imshow(pixels(0.0, 0.0), cmap="gray", vmin=0, vmax=1, animated=True)
    canvas.draw()
    background = canvas.copy_from_bbox(figure.bbox)

    def draw(first: float, second: float) -> bytes:
        cross.set_data([first], [second])
        image.set_data(pixels(first, second))
        canvas.restore_region(background)
        map_ax.draw_artist(cross)
        image_ax.draw_artist(image)
        return fast_png(Image.fromarray(np.asarray(canvas.buffer_rgba())))

    return draw


def _live_png(figure: Figure, places: dict[int, list]) -> bytes:
    """Draw a figure with its axes where they lay in the first figure with as many; that halves the time."""
    known = places.get(len(figure.axes))
    if known:
        figure.set_layout_engine("none")
        for ax, place in zip(figure.axes, known, strict=True):
            ax.set_position(place)
    figure.set_dpi(90)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    places[len(figure.axes)] = known or [ax.get_position(original=True) for ax in figure.axes]
    return fast_png(Image.fromarray(np.asarray(canvas.buffer_rgba())))
