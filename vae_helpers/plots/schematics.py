"""Drawings of how things are built. Each function returns a Matplotlib figure; positions and sizes are in inches."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon, Rectangle

from vae_helpers.plots.figures import COLORS

INK, PALE, BLUE, ORANGE, GREEN, RED = "#333333", "#BBBBBB", *COLORS[1:5]
TINT = {color: 0.8 + 0.2 * np.array(to_rgb(color)) for color in (INK, PALE, BLUE, ORANGE, GREEN, RED)}


def _sheet(height: float) -> plt.Axes:
    figure = plt.figure(figsize=(9, height), layout="none")
    return figure.add_axes((0, 0, 1, 1), xlim=(0, 9), ylim=(0, height), frameon=False, xticks=[], yticks=[])


def _text(ax, size, *spots, **style) -> None:
    style = {"ha": "center", "va": "center", "color": INK, "math_fontfamily": "cm", "zorder": 5} | style
    for x, y, text in spots:
        ax.text(x, y, text, size=size, **style)


def _circles(ax, color, radius, size, *spots) -> None:
    for x, y, _ in spots:
        ax.add_patch(Circle((x, y), radius, fc=TINT[color], ec=color, lw=1.6, zorder=3))
    _text(ax, size, *spots)


def _box(ax, color, x, y, width, left, right, text="", size=13) -> None:
    """Draw a box whose left and right edges may have different heights."""
    corners = (-width, -left), (-width, left), (width, right), (width, -right)
    ax.add_patch(Polygon(np.add((x, y), np.divide(corners, 2)), fc=TINT[color], ec=color, lw=1.6, zorder=3))
    _text(ax, size, (x, y, text))


def _arrows(ax, *paths, aside=0.0, **style) -> None:
    """Draw straight arrows (x, y, and x and y of the tip), each moved to its left by so much."""
    look = {"arrowstyle": "-|>", "mutation_scale": 17, "shrinkA": 0, "shrinkB": 0, "color": INK, "lw": 1.6}
    for x, y, x_tip, y_tip in paths:
        dx, dy = aside * np.array([y - y_tip, x_tip - x]) / np.hypot(x_tip - x, y_tip - y)
        ax.annotate("", (x_tip + dx, y_tip + dy), (x + dx, y + dy), arrowprops=look | style)


def _grid(ax, color, x, y, rows, columns, cell, lit=np.s_[:0]) -> None:
    """Draw a matrix around (x, y), with the ``lit`` ones of its cells in full colour."""
    faces = np.tile(TINT[color], (rows, columns, 1))
    faces[lit] = to_rgb(color)
    across, up = x + cell * (np.arange(columns + 1) - columns / 2), y + cell * (np.arange(rows + 1) - rows / 2)
    ax.pcolormesh(across, up, faces[::-1], edgecolors="white", lw=0.5, zorder=3)
    ax.add_patch(Rectangle((across[0], up[0]), columns * cell, rows * cell, fc="none", ec=color, lw=1.6, zorder=3))


def _digit(ax, color, x, y, size, softness=0.4) -> None:
    """Draw a three of 28 × 28 pixels; the softer, the more blurred."""
    top, bottom = (5 * np.exp(1j * np.linspace(start, start + 4)) for start in (-2.5, -1.5))  # two arcs
    curve = np.concatenate([13 + 9.2j + 0.86 * top, 13 + 18.5j + bottom])
    distance = np.abs(np.add.outer(1j * np.arange(28), np.arange(28))[..., None] - curve).min(-1)
    extent = (x - size / 2, x + size / 2, y - size / 2, y + size / 2)
    ax.imshow(1 / (1 + np.exp((distance - 1.5) / softness)), "gray", extent=extent, aspect="auto", zorder=3)
    ax.add_patch(Rectangle(extent[::2], size, size, fc="none", ec=color, lw=2.5, zorder=3))


def _autoencoder(height, y, spans, brackets, under, picture=True) -> plt.Axes:
    """Return a sheet with an image, its reconstruction, brackets, and arrows with these spans, mirrored at the code."""
    ax, top = _sheet(height), height - 0.5
    for x, color, softness, name in ((0.8, BLUE, 0.4, "input $x$"), (8.2, GREEN, 1.1, r"output $\hat x$")):
        if picture:
            _digit(ax, color, x, y, 1.2, softness)
            _text(ax, 13, (x, y - 0.85, under))
        _text(ax, 13, (x, y + 0.82 * picture, name))
    for start, end in spans:
        _arrows(ax, (start, y, end, y), (9 - end, y, 9 - start, y))
    for (x, end), name in ((brackets, "encoder"), ((9 - brackets[1], 9 - brackets[0]), "decoder")):
        ax.plot([x, x, end, end], [top - 0.1, top, top, top - 0.1], color=INK, lw=1.4)
        _text(ax, 13, ((x + end) / 2, top + 0.18, name), weight="bold")
    return ax


def neuron() -> Figure:
    """Draw one neuron: inputs, weights, bias, sum, activation function, output."""
    ax, y = _sheet(3.5), 1.62
    for name, weight, start in (("1", "b", 2.75), ("x_1", "w_1", 2.05), ("x_2", "w_2", 1.35), ("x_n", "w_n", 0.4)):
        _circles(ax, INK if name == "1" else BLUE, 0.24, 15, (1, start, f"${name}$"))
        _arrows(ax, (1.24, start, 3.78, y + (start - y) * 0.16), color=ORANGE)
        _text(ax, 16, (2.2, start + (y - start) * 0.32, f"${weight}$"), bbox={"fc": "white", "ec": "none", "pad": 1})
    _circles(ax, INK, 0.42, 24, (4.2, y, r"$\Sigma$"))
    _box(ax, GREEN, 6.1, y, 1.2, 1, 1)
    t = np.linspace(-0.5, 0.5)
    ax.plot(6.1 + t, y - 0.35 + 0.7 / (1 + np.exp(-12 * t)), color=GREEN, lw=2.4, zorder=4)
    _circles(ax, GREEN, 0.3, 18, (8, y, "$o$"))
    _arrows(ax, (4.62, y, 5.5, y), (6.7, y, 7.7, y))
    _text(ax, 17, (1, 0.89, "⋮"), (5.75, 1.9, r"$\varphi$"), (6, 0.45, r"$o=\varphi\,(x_1w_1+x_2w_2+…+x_nw_n+b)$"))
    heads = (1, "inputs"), (2.3, "weights"), (4.2, "weighted sum"), (6.1, "activation function"), (8, "output")
    _text(ax, 13, *((x, 3.25, head) for x, head in heads), weight="bold")
    return ax.figure


def layer() -> Figure:
    """Draw a layer: several neurons with the same inputs, and the same as a product of matrices."""
    ax, inputs, outputs = _sheet(3.9), (2.3, 1.4, 0.5, 3.0), (2.7, 0.8, 1.75)
    for end, color, width in zip(outputs, (PALE, PALE, ORANGE), (1, 1, 2.4), strict=True):
        ax.plot([[0.84] * 4, [2.96] * 4], [inputs, [end] * 4], color=color, lw=width)
    _circles(ax, BLUE, 0.24, 15, *((0.6, y, f"$x_{i}$") for y, i in zip(inputs, "1in", strict=False)))
    _circles(ax, INK, 0.24, 15, (0.6, 3.0, "$1$"))
    _circles(ax, GREEN, 0.24, 15, *((3.2, y, f"$o_{j}$") for y, j in zip(outputs, "1mj", strict=True)))
    _text(ax, 17, (0.6, 1.85, "⋮"), (0.6, 0.95, "⋮"), (3.2, 2.22, "⋮"), (3.2, 1.27, "⋮"))
    _text(ax, 17, (1.5, 1.53, "$w_{ij}$"), (1.5, 2.65, "$b_j$"), bbox={"fc": "white", "ec": "none", "pad": 1})
    parts = (4.9, 5, BLUE, "x", "1$ × $n"), (7.15, 3, INK, "b", "1$ × $m"), (8.4, 3, GREEN, "o", "1$ × $m")
    for x, columns, color, name, shape in (*parts, (6.15, 3, ORANGE, "W", "n$ × $m")):
        rows = 5 if name == "W" else 1
        _grid(ax, color, x, 2.1, rows, columns, 0.2, np.s_[:, 1] if columns == 3 else np.s_[:0])
        _text(ax, 16, (x, 2.32 + 0.1 * rows, f"${name}$"), (x, 1.88 - 0.1 * rows, f"${shape}$"))
    _text(ax, 20, (4.15, 2.1, r"$\varphi\,($"), (5.63, 2.1, "·"), (6.65, 2.1, "$+$"), (7.77, 2.1, r"$)\,=$"))
    _text(ax, 17, (6.4, 0.6, r"$o_j=\varphi\left(\sum_i\,x_iw_{ij}+b_j\right)$"))
    _text(ax, 13, (1.9, 3.6, "the neurons share their inputs"), (6.4, 3.6, "the same with matrices"), weight="bold")
    return ax.figure


def hourglass(sizes=(784, 128, 32), code: str = "h") -> Figure:
    """Draw a fully connected autoencoder with so many numbers in each layer, from the image to the code."""
    ax, y, before = _autoencoder(3.7, 1.65, [(1.5, 1.93)], (2.0, 4.35), "28 × 28", sizes[0] == 784), 1.65, []
    shown = np.minimum(sizes, np.linspace(9, 3, len(sizes)).round().astype(int))
    for i, x in enumerate(np.linspace(2.1, 6.9, 2 * len(sizes) - 1)):
        layer = min(i, 2 * len(sizes) - 2 - i)
        spots = [(x, y + 0.27 * (j - (shown[layer] - 1) / 2), "") for j in range(shown[layer])]
        if len(spots) < sizes[layer]:
            _text(ax, 13, (*spots.pop(len(spots) // 2)[:2], "⋮"))
        for left, low, _ in before:
            ax.plot([[left], [x]], [[low] * len(spots), [y for _, y, _ in spots]], color=PALE, lw=0.5, zorder=1)
        _circles(ax, RED if layer == len(sizes) - 1 else BLUE, 0.1, 13, *spots)
        _text(ax, 13, (x, 0.2, f"{sizes[layer]:,}"))
        before = spots
    _text(ax, 14, (4.5, 2.4, f"code ${code}$"), color=RED, weight="bold")
    return ax.figure


def pca() -> Figure:
    """Draw PCA as an autoencoder: subtract the mean, encode with W, decode with its transpose, add the mean."""
    ax, y = _autoencoder(3.6, 1.9, [(1.45, 1.78), (2.22, 2.67), (3.83, 4.37)], (1.75, 3.85), "784 numbers"), 1.9
    for x, sign in ((2.0, "−"), (7.0, "+")):
        _circles(ax, INK, 0.2, 18, (x, y, sign))
        _digit(ax, INK, x, 0.62, 0.7, 3)
        _arrows(ax, (x, 1.0, x, y - 0.22))
    _box(ax, ORANGE, 3.25, y, 1.1, 1.7, 0.9, "$W$", 20)
    _box(ax, ORANGE, 5.75, y, 1.1, 0.9, 1.7, r"$W^{\top}$", 20)
    _grid(ax, RED, 4.5, y, 4, 1, 0.2)
    _text(ax, 14, (4.5, y + 0.65, "code $h$"), color=RED, weight="bold")
    _text(ax, 13, (3.25, y - 1.05, "$k$ × 784"), (4.5, y - 0.6, "$k$ numbers"), (5.75, y - 1.05, "784 × $k$"))
    _text(ax, 13, (2.65, 0.62, "mean"), (6.35, 0.62, "mean"))
    _text(ax, 15, (4.5, 0.27, r"$h=W\,(x-\mathrm{mean})\qquad\hat x=W^{\top}h+\mathrm{mean}$"))
    return ax.figure


def convolution() -> Figure:
    """Draw a convolution with several channels: one kernel slice per channel, summed into one output map."""
    ax, y = _sheet(4.4), 1.95
    kernels = ("1", 3.15, BLUE, [0, 1, 2]), ("2", 2.0, GREEN, [1, 1, 1]), ("C", 0.75, RED, [2, 1, 0])
    for name, height, color, lit in kernels:
        _grid(ax, color, 1.15, height, 6, 6, 0.16, np.s_[1:4, 2:5])
        _grid(ax, ORANGE, 2.85, height, 3, 3, 0.22, ([0, 1, 2], lit))
        _arrows(ax, (3.3, height, 4.5, y + (height - y) * 0.25))
        _text(ax, 17, (0.35, height, f"${name}$"), (2.05, height, "×"))
    for step in (2, 1, 0):
        _grid(ax, INK, 7.2 + 0.28 * step, y + 0.28 * step, 4, 4, 0.27, np.s_[:0] if step else np.s_[1, 2])
    _circles(ax, INK, 0.42, 24, (4.9, y, r"$\Sigma$"))
    _arrows(ax, (4.9, 0.95, 4.9, 1.53), (5.34, y, 6.64, y))
    _text(ax, 14, (0.35, 1.375, "⋮"), (1.15, 1.375, "⋮"), (2.85, 1.375, "⋮"))
    _text(ax, 12, (4.9, 2.85, "multiply each pair,\nadd up everything"), (5.98, 2.3, "one pixel of\none map"))
    _text(ax, 12, (7.48, 0.85, "slide the window: one map\nanother kernel: another map"), (4.9, 0.78, "bias $b$"))
    heads = (1.15, 4.0, "input\n$(C, H, W)$"), (2.85, 4.0, "one kernel\n$(C, k, k)$")
    _text(ax, 13, *heads, (7.48, 4.0, "output maps\n$(C_{out}, H', W')$"), weight="bold")
    return ax.figure


def conv_autoencoder() -> Figure:
    """Draw the shapes inside ``ConvAutoencoder``, from (1, 28, 28) to a code of 16 numbers and back."""
    ax, y = _autoencoder(3.75, 1.5, [(1.5, 1.8), (2.83, 3.1), (3.92, 4.35)], (1.1, 4.35), "(1, 28, 28)"), 1.5
    for x, maps, size, color in ((2.3, 16, 14, BLUE), (3.5, 32, 7, BLUE), (5.5, 32, 7, GREEN), (6.7, 16, 14, GREEN)):
        for aside in np.linspace(1, -1, maps // 4) * maps / 160:
            _grid(ax, color, x + aside, y + aside, 1, 1, size / 28 * 1.2)
        _text(ax, 13, (x, y - 0.85, f"({maps}, {size}, {size})"))
    _grid(ax, RED, 4.5, y, 16, 1, 0.1)
    steps = ["conv 4 × 4\nstride 2"] * 2 + ["flatten,\nlinear", "linear,\nreshape"] + ["transposed\nconv 4 × 4"] * 2
    _text(ax, 11, *((x, 2.8, step) for x, step in zip((1.65, 2.95, 4.1, 4.9, 6.05, 7.35), steps, strict=True)))
    _text(ax, 14, (4.5, 0.35, "16\ncode $h$"), color=RED, weight="bold")
    return ax.figure


def vae() -> Figure:
    """Draw a variational autoencoder with its two losses, and the way that the gradient takes around the noise."""
    ax, y, high, low = _sheet(4.9), 2.2, 2.9, 1.5
    _digit(ax, BLUE, 0.7, y, 1.0)
    _digit(ax, GREEN, 8.3, y, 1.0, 1.1)
    _box(ax, BLUE, 1.95, y, 0.95, 1.6, 1.0, "encoder")
    _box(ax, GREEN, 7.0, y, 0.95, 1.0, 1.6, "decoder")
    _box(ax, PALE, 3.4, y, 0.95, 2.3, 2.3, "$q(z|x)$", 17)
    _box(ax, RED, 3.4, 4.4, 2.2, 0.7, 0.7, "KL divergence\nof $q(z|x)$ from $N(0, I)$")
    _box(ax, GREEN, 7.7, 4.4, 2.2, 0.7, 0.7, "reconstruction loss\n" + r"$-\log\,p(x|z)$")
    _circles(ax, RED, 0.35, 15, (3.4, high, r"$\mu$"), (3.4, low, r"$\log\,\sigma^2$"), (5.85, y, "$z$"))
    _circles(ax, INK, 0.2, 17, (5, high, "+"), (5, low, "×"), (5, 0.5, r"$\varepsilon$"))
    flows = [(2.43, y, 2.92, y), (3.75, high, 4.8, high), (3.75, low, 4.8, low), (5, low + 0.2, 5, high - 0.2)]
    flows += [(5.16, high - 0.12, 5.58, y + 0.22), (6.19, y, 6.52, y), (7.48, y, 7.78, y)]
    flows += [(8.3, y + 0.52, 8.3, 4.05), (3.4, 3.37, 3.4, 4.05)]
    _arrows(ax, (1.22, y, 1.47, y), (5, 0.7, 5, low - 0.2))
    _arrows(ax, *flows, aside=0.07)
    gradients = [(x_tip, y_tip, x, y) for x, y, x_tip, y_tip in flows]  # they come back
    _arrows(ax, *gradients, (1.15, 0.57, 0.5, 0.57), aside=0.07, color=RED, linestyle=(0, (4, 2)))
    _text(ax, 17, (1.75, 4.4, "loss  ="), (5.55, 4.4, "+"), (6.4, 3.1, r"$z=\mu+\sigma\cdot\varepsilon$"))
    _text(ax, 17, (4.25, low + 0.25, r"$\sigma$"), (0.7, 1.45, "$x$"), (8.3, 1.45, r"$\hat x$"))
    _text(ax, 13, (5.3, 0.5, r"$\sim N(0, I)$: noise, takes no gradient"), (1.3, 0.5, "gradient"), ha="left")
    return ax.figure
