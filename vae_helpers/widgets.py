"""Things to drag: ipywidgets around plain functions that draw."""

from collections.abc import Callable

import ipywidgets
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from vae_helpers.plots import png_bytes


def explore(draw: Callable[..., Figure], **ranges: tuple[float, float, float]) -> ipywidgets.VBox:
    """Return one slider per argument of ``draw``, over the figure that it draws.

    Args:
        draw: takes the sliders' values by name and returns a figure.
        ranges: name → (lowest, highest, first value). Three whole numbers give a slider that stops at whole numbers.
    """
    sliders = {name: _slider(name, *values) for name, values in ranges.items()}
    picture = ipywidgets.Image(format="png")

    def redraw(change=None) -> None:
        figure = draw(**{name: slider.value for name, slider in sliders.items()})
        picture.value = png_bytes(figure)
        plt.close(figure)

    for slider in sliders.values():
        slider.observe(redraw, "value")
    redraw()
    return ipywidgets.VBox([*sliders.values(), picture])


def _slider(name: str, low: float, high: float, start: float):
    if all(isinstance(value, int) for value in (low, high, start)):
        return ipywidgets.IntSlider(min=low, max=high, value=start, description=name)
    return ipywidgets.FloatSlider(min=low, max=high, value=start, step=(high - low) / 200, description=name)
