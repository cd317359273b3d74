"""What all explorers are made of: wide sliders, a live picture, errors in words, functions that keep their names."""

import builtins
import html
import inspect
import io
import math
import types
from collections.abc import Callable
from typing import NamedTuple

import ipywidgets
from PIL import Image


class Log(NamedTuple):
    """A range whose slider multiplies where others add: as far from 0.1 to 1 as from 1 to 10."""

    low: float
    high: float
    start: float


class Panel(ipywidgets.VBox):
    """Controls and a live picture that nothing stretches. An error while it is drawn appears in words.

    ``picture`` and ``problem`` are yours to put among the ``children``.
    """

    def __init__(self):
        self.picture = ipywidgets.Image(format="png")
        # Neither the column nor the row that it stands in may pull it wider or higher than it is.
        self.picture.layout = {"align_self": "flex-start", "max_width": "100%", "height": "auto"}
        self.problem = ipywidgets.HTML(layout={"display": "none"})
        super().__init__()

    def __repr__(self) -> str:
        # What a notebook shows where no Python runs behind it.
        return "Run this cell, and controls to drag will appear here."

    def answer(self, control: ipywidgets.Widget, act: Callable[[], None]) -> None:
        """Call ``act`` whenever a button is pressed, or another control's value has changed."""

        def on_event(event) -> None:
            try:
                act()
            except Exception as error:  # Jupyter would write it into a log that nobody reads
                reason = html.escape(f"{type(error).__name__}: {error}".splitlines()[0][:200])
                self.problem.value = f"This could not be drawn ({reason}). Run the cells above again, then this one."
                self.problem.layout.display = None
            else:
                self.problem.layout.display = "none"

        if isinstance(control, ipywidgets.Button):
            control.on_click(on_event)
        else:
            control.observe(on_event, "value")


def slider(name: str, values: tuple[float, float, float], step: float | None = None) -> ipywidgets.Widget:
    """Return a wide slider from (lowest, highest, first value); three whole numbers make it stop at whole numbers."""
    low, high, start = values
    wide = {"description": name, "value": start, "layout": {"width": "32em", "max_width": "100%"}}
    if isinstance(values, Log):
        ends = [math.log10(end) for end in (low, high)]
        wide |= {"min": ends[0], "max": ends[1], "step": (ends[1] - ends[0]) / 200, "readout_format": ".3g"}
        return ipywidgets.FloatLogSlider(**wide)
    if all(isinstance(value, int) for value in values):
        return ipywidgets.IntSlider(min=low, max=high, **wide)
    return ipywidgets.FloatSlider(min=low, max=high, step=step or (high - low) / 200 or 1.0, **wide)


def fast_png(picture: Image.Image) -> bytes:
    """Return a picture as the bytes of a PNG file that is made for speed, not for size."""
    buffer = io.BytesIO()
    # Level 1 of PNG's compression is several times as fast as the usual 6, for a somewhat larger file.
    picture.convert("RGB").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def keep_names(function: Callable) -> Callable:
    """Return a copy of a notebook's function, for which all names go on meaning what they mean now.

    A slider's picture is drawn again long after a later cell may have given ``angles`` another meaning. The notebook's
    functions that it calls are copied along. What is changed in place, such as the weights of a model, changes for the
    copy too. What is not a plain function, such as a model's method, is returned as it is.
    """
    if not isinstance(function, types.FunctionType):
        return function
    notebook, own = inspect.unwrap(function).__globals__, {"__builtins__": builtins}
    copies = {}

    def copy(value):
        if not isinstance(value, types.FunctionType) or inspect.unwrap(value).__globals__ is not notebook:
            return value
        if value not in copies:
            home, cells = own if value.__globals__ is notebook else value.__globals__, value.__closure__
            if hasattr(value, "__wrapped__"):  # a decorator's function, around the notebook's own
                cells = tuple(types.CellType(copy(cell.cell_contents)) for cell in cells)
            twin = types.FunctionType(value.__code__, home, value.__name__, value.__defaults__, cells)
            twin.__kwdefaults__ = value.__kwdefaults__
            copies[value] = twin
            for name in (_names(value.__code__) & notebook.keys()) - own.keys() if home is own else ():
                own[name] = notebook[name]  # so that two functions that call each other come to an end
                own[name] = copy(notebook[name])
        return copies[value]

    return copy(function)


def _names(code: types.CodeType) -> set[str]:
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*inner)
