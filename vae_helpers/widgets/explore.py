"""Sliders over plain functions that draw."""

import io
from collections.abc import Callable, Sequence

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from torch import Tensor

from vae_helpers.plots import latent_map, png_bytes


def explore(draw: Callable[..., Figure], **ranges: tuple[float, float, float]) -> ipywidgets.VBox:
    """Return one slider per argument of ``draw``, over the figure that it draws.

    Args:
        draw: takes the sliders' values by name and returns a figure.
        ranges: name → (lowest, highest, first value). Three whole numbers give a slider that stops at whole numbers.
    """
    sliders = {name: wide_slider(name, *values) for name, values in ranges.items()}
    picture = ipywidgets.Image(format="png")

    def redraw(change=None) -> None:
        figure = draw(**{name: slider.value for name, slider in sliders.items()})
        picture.value = png_bytes(figure)
        plt.close(figure)

    for slider in sliders.values():
        slider.observe(redraw, "value")
    redraw()
    return ipywidgets.VBox([*sliders.values(), picture])


def explore_codes(
    decode: Callable[[Tensor], Tensor], codes: Tensor, labels: Tensor, label_names: Sequence[str]
) -> ipywidgets.VBox:
    """Return an explorer of a two-dimensional code: slide to any point of the map, or click a class to go there.

    Args:
        decode: codes (1, 2) → images (1, C, H, W) in [0, 1].
        codes: (N, 2), the points of the map. The sliders reach from the lowest to the highest of them.
        labels: (N,) class numbers.
        label_names: the classes' names.

    Raises:
        ValueError: the codes do not have two numbers each.
    """
    draw = code_painter(decode, codes, labels, label_names)
    lows, highs = codes.amin(0).tolist(), codes.amax(0).tolist()
    middles = {
        label_names[number]: codes[labels == number].median(0).values.tolist() for number in labels.unique().tolist()
    }
    start = next(iter(middles.values()))
    sliders = [wide_slider(*slider) for slider in zip(("first", "second"), lows, highs, start, strict=True)]
    picture = ipywidgets.Image(format="png")

    def redraw(change=None) -> None:
        picture.value = draw(*(slider.value for slider in sliders))

    def jump_to(middle: list[float]) -> Callable:
        def jump(button) -> None:
            for slider, value in zip(sliders, middle, strict=True):
                slider.value = value

        return jump

    buttons = []
    for name, middle in middles.items():
        button = ipywidgets.Button(description=name, tooltip=f"go to the middle of {name}")
        button.layout.width = "auto"
        button.on_click(jump_to(middle))
        buttons.append(button)
    for slider in sliders:
        slider.observe(redraw, "value")
    redraw()
    return ipywidgets.VBox([*sliders, ipywidgets.HBox(buttons), picture])


def code_painter(
    decode: Callable[[Tensor], Tensor], codes: Tensor, labels: Tensor, label_names: Sequence[str]
) -> Callable[[float, float], bytes]:
    """Return a function that draws any point of a latent map, beside what the decoder makes of it, as a PNG.

    The map with its thousands of points is drawn once. Each call then draws two things over a copy of it, a cross
    and an image, and so takes a few milliseconds. Arguments and errors are those of :func:`explore_codes`.
    """
    if codes.ndim != 2 or codes.shape[1] != 2:
        raise ValueError(f"A map needs codes of two numbers each, (N, 2), but got {tuple(codes.shape)}.")
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
        buffer = io.BytesIO()
        # Level 1 of PNG's compression is several times as fast as the usual 6, for a somewhat larger file.
        plt.imsave(buffer, np.asarray(canvas.buffer_rgba()), format="png", pil_kwargs={"compress_level": 1})
        return buffer.getvalue()

    return draw


def wide_slider(name: str, low: float, high: float, start: float, step: float | None = None):
    """Return a slider that stops at whole numbers if ``low``, ``high`` and ``start`` are whole."""
    if all(isinstance(value, int) for value in (low, high, start)):
        return ipywidgets.IntSlider(min=low, max=high, value=start, description=name)
    step = step or (high - low) / 200
    return ipywidgets.FloatSlider(min=low, max=high, value=start, step=step, description=name)
