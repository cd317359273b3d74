"""Drawings of how things are built. Each function returns a Matplotlib figure; positions and sizes are in inches."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon, Rectangle
from matplotlib.patheffects import withStroke

from vae_helpers.plots.figures import COLORS

INK, PALE, BLUE, ORANGE, GREEN, RED = "#333333", "#BBBBBB", *COLORS[1:5]
HALO = {"path_effects": [withStroke(linewidth=5, foreground="white")]}


def _sheet(width: float, height: float) -> plt.Axes:
    """Return axes that fill a new figure, one unit per inch."""
    ax = plt.figure(figsize=(width, height), layout="none").add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    ax.axis("off")
    return ax


def _text(ax, size, *spots, **style) -> None:
    """Write what each of the spots (x, y, text) says."""
    for x, y, text in spots:
        look = {"ha": "center", "va": "center", "color": INK, "math_fontfamily": "cm", "zorder": 5} | style
        ax.text(x, y, text, size=size, **look)


def _shape(ax, patch, color) -> None:
    ax.add_patch(patch).set(fc=[0.8 + 0.2 * c for c in to_rgb(color)], ec=color, lw=1.6, zorder=3)


def _circle(ax, x, y, text="", color=BLUE, radius=0.24, size=15) -> None:
    _shape(ax, Circle((x, y), radius), color)
    _text(ax, size, (x, y, text))


def _box(ax, x, y, width, heights, text="", color=BLUE, size=13) -> None:
    """Draw a box whose left and right edges may have different heights."""
    (a, b), half = np.divide(heights, 2), width / 2
    _shape(ax, Polygon([(x - half, y - a), (x - half, y + a), (x + half, y + b), (x + half, y - b)]), color)
    _text(ax, size, (x, y, text))


def _arrow(ax, start, end, color=INK, style="-") -> None:
    look = {"arrowstyle": "-|>,head_width=0.25,head_length=0.45", "mutation_scale": 14, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", end, start, arrowprops=look | {"color": color, "lw": 1.6, "linestyle": style}, zorder=2)


def _flow(ax, start, end) -> None:
    """Draw an arrow, and beside it the dashed one of the gradient, which comes back."""
    start, end = np.array(start), np.array(end)
    aside = 0.07 * (end - start)[::-1] * (-1, 1) / np.linalg.norm(end - start)
    _arrow(ax, start + aside, end + aside)
    _arrow(ax, end - aside, start - aside, RED, (0, (4, 2)))


def _grid(ax, x, y, rows, columns, cell, color=BLUE, lit=()) -> None:
    """Draw a matrix, those of its cells (row, column) that are ``lit`` in full colour."""
    left, top = x - columns * cell / 2, y + rows * cell / 2
    _shape(ax, Rectangle((left, top), columns * cell, -rows * cell), color)
    for row, column in np.ndindex(rows, columns):
        face = color if (row, column) in lit else "none"
        corner = (left + column * cell, top - row * cell)
        ax.add_patch(Rectangle(corner, cell, -cell, fc=face, ec="white", lw=1, zorder=3))
    ax.add_patch(Rectangle((left, top), columns * cell, -rows * cell, fc="none", ec=color, lw=1.6, zorder=3))


def _halves(ax, y, *spans) -> None:
    """Draw a bracket over the encoder, between two positions, and one over the decoder."""
    for name, (left, right) in zip(("encoder", "decoder"), spans, strict=True):
        ax.plot([left, left, right, right], [y - 0.1, y, y, y - 0.1], color=INK, lw=1.4)
        _text(ax, 13, ((left + right) / 2, y + 0.18, name), weight="bold")


def _digit(ax, x, y, size, softness=0.4, color=BLUE) -> None:
    """Draw a three of 28 × 28 pixels; the softer, the more blurred."""
    arcs = [(4.3, 9.2, np.linspace(-2.5, 1.57)), (5.0, 18.5, np.linspace(-1.57, 2.5))]  # radius, height, angles
    curve = np.concatenate([np.stack((13 + r * np.cos(t), y0 + r * np.sin(t)), -1) for r, y0, t in arcs])
    pixels = np.stack(np.mgrid[:28, :28][::-1], -1)[:, :, None]
    picture = 1 / (1 + np.exp((np.linalg.norm(pixels - curve, axis=-1).min(-1) - 1.5) / softness))
    extent = (x - size / 2, x + size / 2, y - size / 2, y + size / 2)
    ax.imshow(picture, "gray", vmin=0, vmax=1, extent=extent, interpolation="nearest", aspect="auto", zorder=3)
    ax.add_patch(Rectangle(extent[::2], size, size, fc="none", ec=color, lw=2.5, zorder=4))


def neuron() -> Figure:
    """Draw one neuron: inputs, weights, bias, sum, activation function, output."""
    ax = _sheet(9, 3.5)
    for name, weight, y in (("1", "b", 2.75), ("x_1", "w_1", 2.05), ("x_2", "w_2", 1.35), ("x_n", "w_n", 0.4)):
        _circle(ax, 1, y, f"${name}$", INK if name == "1" else BLUE)
        _arrow(ax, (1.24, y), (3.78, 1.62 + (y - 1.62) * 0.16), ORANGE)
        _text(ax, 16, (2.2, y + (1.62 - y) * 0.32, f"${weight}$"), **HALO)
    _circle(ax, 4.2, 1.62, r"$\Sigma$", INK, 0.42, 24)
    _arrow(ax, (4.62, 1.62), (5.5, 1.62))
    _box(ax, 6.1, 1.62, 1.2, (1, 1), color=GREEN)
    t = np.linspace(-1, 1)
    ax.plot(6.1 + 0.5 * t, 1.27 + 0.7 / (1 + np.exp(-6 * t)), color=GREEN, lw=2.4, zorder=4)
    _arrow(ax, (6.7, 1.62), (7.7, 1.62))
    _circle(ax, 8, 1.62, "$o$", GREEN, 0.3, 18)
    _text(ax, 17, (1, 0.89, "⋮"), (5.75, 1.9, r"$\varphi$"), (6, 0.45, r"$o=\varphi\,(x_1w_1+x_2w_2+…+x_nw_n+b)$"))
    heads = (1, "inputs"), (2.3, "weights"), (4.2, "weighted sum"), (6.1, "activation function"), (8, "output")
    _text(ax, 13, *((x, 3.25, head) for x, head in heads), weight="bold")
    return ax.figure


def layer() -> Figure:
    """Draw a layer: several neurons with the same inputs, and the same as a product of matrices."""
    ax = _sheet(9, 3.9)
    for x_name, y in (("1", 3.0), ("x_1", 2.3), ("x_i", 1.4), ("x_n", 0.5)):
        _circle(ax, 0.6, y, f"${x_name}$", INK if x_name == "1" else BLUE)
        for o_name, y_end in (("o_1", 2.7), ("o_j", 1.75), ("o_m", 0.8)):
            if y == 3.0:
                _circle(ax, 3.2, y_end, f"${o_name}$", GREEN)
            color, width = (ORANGE, 2.4) if o_name == "o_j" else (PALE, 1)
            ax.plot([0.84, 2.96], [y, y_end], color=color, lw=width, zorder=width)
    _text(ax, 17, (0.6, 1.85, "⋮"), (0.6, 0.95, "⋮"), (3.2, 2.22, "⋮"), (3.2, 1.27, "⋮"))
    _text(ax, 17, (1.5, 1.53, "$w_{ij}$"), (1.5, 2.65, "$b_j$"), **HALO)
    parts = [("x", 5.05, "1", "n", BLUE, ()), ("W", 6.4, "n", "m", ORANGE, {(row, 1) for row in range(5)})]
    parts += [("b", 7.4, "1", "m", INK, {(0, 1)}), ("o", 8.5, "1", "m", GREEN, {(0, 1)})]
    for name, x, rows, columns, color, lit in parts:
        counts = {"1": 1, "n": 5, "m": 3}
        _grid(ax, x, 2.1, counts[rows], counts[columns], 0.2, color, lit)
        _text(ax, 17, (x, 2.32 + 0.1 * counts[rows], f"${name}$"))
        _text(ax, 14, (x, 1.88 - 0.1 * counts[rows], f"${rows}$ × ${columns}$"))
    _text(ax, 20, (4.3, 2.1, r"$\varphi\,($"), (5.82, 2.1, "·"), (6.9, 2.1, "$+$"), (7.98, 2.1, r"$)\,=$"))
    _text(ax, 17, (6.4, 0.6, r"$o_j=\varphi\left(\sum_i\,x_iw_{ij}+b_j\right)$"))
    _text(ax, 13, (1.9, 3.6, "the neurons share their inputs"), (6.5, 3.6, "the same with matrices"), weight="bold")
    return ax.figure


def hourglass(sizes=(784, 128, 32), code: str = "h") -> Figure:
    """Draw a fully connected autoencoder: layers that get narrower, the code, and the same backwards.

    Args:
        sizes: numbers per layer of the encoder, from the image (784 numbers) to the code.
        code: the code's letter.
    """
    ax, y, columns = _sheet(9, 3.7), 1.65, []
    shown = np.minimum(sizes, np.linspace(9, 3, len(sizes)).round().astype(int))
    for x, size, count in zip(
        np.linspace(2.1, 6.9, 2 * len(sizes) - 1), *([*s, *s[-2::-1]] for s in (sizes, shown)), strict=True
    ):
        spots = [(x, y + 0.27 * (i - (count - 1) / 2)) for i in range(count)]
        if count < size:
            _text(ax, 13, (*spots.pop(count // 2), "⋮"))
        for spot in spots:
            _circle(ax, *spot, color=RED if np.isclose(x, 4.5) else BLUE, radius=0.1)
        _text(ax, 12, (x, 0.2, f"{size:,}"))
        columns.append(spots)
    for left, right in pairwise(columns):
        for (x, low), (x_end, high) in ((start, end) for start in left for end in right):
            ax.plot([x, x_end], [low, high], color=PALE, lw=0.5, zorder=1)
    for x, name, softness, color in ((0.75, "image $x$", 0.4, BLUE), (8.25, r"output $\hat x$ ≈ $x$", 1.1, GREEN)):
        if sizes[0] == 784:
            _digit(ax, x, y, 1.25, softness, color)
            _text(ax, 12, (x, 0.8, "28 × 28"))
        _text(ax, 13, (x, 2.5, name))
    _arrow(ax, (1.45, y), (1.92, y))
    _arrow(ax, (7.08, y), (7.55, y))
    _text(ax, 14, (4.5, 2.4, f"code ${code}$"), color=RED, weight="bold")
    _halves(ax, 3.2, (2.0, 4.35), (4.65, 7.0))
    return ax.figure


def pca() -> Figure:
    """Draw PCA as an autoencoder: subtract the mean, encode with W, decode with its transpose, add the mean."""
    ax, y = _sheet(9, 3.6), 1.9
    for x, sign, softness, color, name in (
        (0.75, "−", 0.4, BLUE, "image $x$"),
        (8.25, "+", 1.1, GREEN, r"output $\hat x$"),
    ):
        inwards = 1.2 if x < 4 else -1.2
        _digit(ax, x, y, 1.1, softness, color)
        _circle(ax, x + inwards, y, sign, INK, 0.2, 18)
        _digit(ax, x + inwards, 0.65, 0.7, 3, INK)
        _arrow(ax, (x + inwards, 1.03), (x + inwards, y - 0.22))
        _text(ax, 12, (x, y - 0.8, "784 numbers"), (x + inwards * 1.55, 0.65, "mean"))
        _text(ax, 13, (x, y + 0.78, name))
    _box(ax, 3.25, y, 1.1, (1.7, 0.9), "$W$", ORANGE, 20)
    _box(ax, 5.75, y, 1.1, (0.9, 1.7), r"$W^{\top}$", ORANGE, 20)
    _grid(ax, 4.5, y, 4, 1, 0.2, RED)
    for start, end in ((1.35, 1.73), (2.17, 2.66), (3.84, 4.36), (4.64, 5.16), (6.34, 6.83), (7.27, 7.65)):
        _arrow(ax, (start, y), (end, y))
    _text(ax, 14, (4.5, y + 0.65, "code $h$"), color=RED, weight="bold")
    _text(ax, 13, (3.25, y - 1.08, "$k$ × 784"), (4.5, y - 0.6, "$k$ numbers"), (5.75, y - 1.08, "784 × $k$"))
    _text(ax, 15, (4.5, 0.24, r"$h=W\,(x-\mathrm{mean})\qquad\hat x=W^{\top}h+\mathrm{mean}$"))
    _halves(ax, 3.2, (1.7, 3.85), (5.15, 7.3))
    return ax.figure


def convolution() -> Figure:
    """Draw a convolution with several channels: one kernel slice per channel, summed into one output map."""
    ax, y = _sheet(9, 4.4), 1.95
    window = {(row, column) for row in (1, 2, 3) for column in (2, 3, 4)}
    slices = [("1", 3.15, BLUE, (0, 1, 2)), ("2", 2.0, GREEN, (1, 1, 1)), ("C", 0.75, RED, (2, 1, 0))]
    for name, height, color, lit in slices:
        _grid(ax, 1.15, height, 6, 6, 0.16, color, window)
        _grid(ax, 2.85, height, 3, 3, 0.22, ORANGE, set(enumerate(lit)))
        _arrow(ax, (3.3, height), (4.5, y + (height - y) * 0.25))
        _text(ax, 17, (0.35, height, f"${name}$"), (2.05, height, "×"))
    _text(ax, 14, *((x, 1.375, "⋮") for x in (0.35, 1.15, 2.85)))
    _circle(ax, 4.9, y, r"$\Sigma$", INK, 0.42, 24)
    _arrow(ax, (4.9, 0.95), (4.9, 1.53), ORANGE)
    for step in (2, 1, 0):
        _grid(ax, 7.3 + 0.28 * step, y + 0.28 * step, 4, 4, 0.27, INK, {(1, 2)} if step == 0 else ())
    _arrow(ax, (5.34, y), (6.74, y))
    _text(ax, 12, (4.9, 2.85, "multiply each pair,\nadd up everything"), (6.03, 2.3, "one pixel of\none map"))
    _text(ax, 12, (7.58, 0.85, "slide the window: one map\nanother kernel: another map"), (4.9, 0.78, "bias $b$"))
    heads = (1.15, "input", "(C, H, W)"), (2.85, "one kernel", "(C, k, k)"), (7.58, "output maps", "(C_{out}, H', W')")
    for x, head, shape in heads:
        _text(ax, 13, (x, 4.17, head), weight="bold")
        _text(ax, 13, (x, 3.87, f"${shape}$"))
    return ax.figure


def conv_autoencoder() -> Figure:
    """Draw the shapes inside ``ConvAutoencoder``, from (1, 28, 28) to a code of 16 numbers and back."""
    ax, y, places = _sheet(9, 3.7), 1.5, [0.75, 2.25, 3.5, 4.5, 5.5, 6.75, 8.25]
    halves = [0.7, 0.52, 0.42, 0.16, 0.42, 0.52, 0.7]
    steps = ["conv 4 × 4\nstride 2"] * 2 + ["flatten,\nlinear", "linear,\nreshape"] + ["transposed\nconv 4 × 4"] * 2
    for i, (x, maps, size) in enumerate(zip(places, (1, 16, 32, 0, 32, 16, 1), (28, 14, 7, 0, 7, 14, 28), strict=True)):
        for sheet in range(maps // 4)[::-1]:
            shift = 0.055 * (sheet - (maps // 4 - 1) / 2)
            _grid(ax, x + shift, y + shift, 1, 1, size / 28 * 1.2, BLUE if i < 3 else GREEN)
        if maps:
            _text(ax, 12, (x, 0.45, f"({maps}, {size}, {size})"))
    _digit(ax, places[0], y, 1.2)
    _digit(ax, places[-1], y, 1.2, 1.1, GREEN)
    _grid(ax, 4.5, y, 16, 1, 0.1, RED)
    for i, step in enumerate(steps):
        start, end = places[i] + halves[i], places[i + 1] - halves[i + 1]
        _arrow(ax, (start, y), (end, y))
        _text(ax, 11, ((start + end) / 2, 2.62, step))
    _text(ax, 12, (4.5, 0.45, "16 numbers"))
    _text(ax, 13, (4.5, 0.2, "code"), color=RED, weight="bold")
    _halves(ax, 3.3, (1.0, 4.35), (4.65, 8.0))
    return ax.figure


def vae() -> Figure:
    """Draw a variational autoencoder with its two losses, and the way that the gradient takes around the noise."""
    ax, y, high, low = _sheet(9, 4.9), 2.2, 2.9, 1.5
    _digit(ax, 0.65, y, 1.0)
    _digit(ax, 8.35, y, 1.0, 1.1, GREEN)
    _box(ax, 1.95, y, 0.95, (1.6, 1.0), "encoder")
    _box(ax, 7.0, y, 0.95, (1.0, 1.6), "decoder", GREEN)
    _box(ax, 3.4, y, 0.95, (2.3, 2.3), color=PALE)
    _box(ax, 3.4, 4.45, 2.2, (0.7, 0.7), "KL divergence\nof $q(z|x)$ from $N(0, I)$", RED)
    _box(ax, 7.7, 4.45, 2.2, (0.7, 0.7), "reconstruction loss\n" + r"$-\log\,p(x|z)$", GREEN)
    for x, height, name, color in ((5, high, "+", INK), (5, low, "×", INK), (5, 0.5, r"$\varepsilon$", INK)):
        _circle(ax, x, height, name, color, 0.2, 17)
    for x, height, name, size in ((3.4, high, r"$\mu$", 19), (3.4, low, r"$\log\,\sigma^2$", 14), (5.85, y, "$z$", 19)):
        _circle(ax, x, height, name, RED, 0.34, size)
    _flow(ax, (2.43, y), (2.92, y))
    _flow(ax, (3.75, high), (4.8, high))
    _flow(ax, (3.75, low), (4.8, low))
    _flow(ax, (5.0, low + 0.2), (5.0, high - 0.2))
    _flow(ax, (5.16, high - 0.12), (5.58, y + 0.22))
    _flow(ax, (6.19, y), (6.52, y))
    _flow(ax, (7.48, y), (7.83, y))
    _flow(ax, (8.35, y + 0.52), (8.35, 4.1))
    _flow(ax, (3.4, 3.37), (3.4, 4.1))
    _arrow(ax, (1.17, y), (1.47, y))
    _arrow(ax, (5.0, 0.7), (5.0, low - 0.2))
    _text(ax, 15, (1.75, 4.45, "loss  ="), (5.55, 4.45, "+"), weight="bold")
    _text(ax, 17, (4.25, low + 0.25, r"$\sigma$"), (0.65, 1.45, "$x$"), (8.35, 1.45, r"$\hat x$"))
    _text(ax, 15, (6.3, 3.1, r"$z=\mu+\sigma\cdot\varepsilon$"))
    _text(ax, 13, (5.3, 0.5, r"$\sim N(0, I)$: noise, takes no gradient"), ha="left")
    return ax.figure
