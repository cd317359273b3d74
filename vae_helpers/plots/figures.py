"""Figures of the course. What draws a whole figure returns it; ``show`` puts it on the page."""

import io
import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from vae_helpers.train import History

DPI = 90  # pixels on the page per inch of a figure
PAGE = 860  # pixels across the page that a figure may take

# Okabe and Ito's colours (2008), which colour-blind readers can tell apart; black first, yellow left out.
COLORS = ("#000000", "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
LUMINANCE = (0.2126, 0.7152, 0.0722)  # what red, green and blue add to the brightness
# Paul Tol's "muted" scheme for nine classes, and almost black for a tenth.
CLASS_COLORS = tuple("#332288 #88CCEE #44AA99 #117733 #999933 #DDCC77 #CC6677 #882255 #AA4499 #222222".split())


def use_course_style() -> None:
    """Set Matplotlib's defaults to the look of the course: plain axes, readable sizes, safe colours."""
    plt.rcParams.update(
        {
            "axes.prop_cycle": plt.cycler(color=COLORS),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 12,
            "axes.labelsize": 11,
            "figure.figsize": (7, 4),
            "figure.constrained_layout.use": True,
            "figure.constrained_layout.h_pad": 0.1,
            "figure.constrained_layout.w_pad": 0.1,
            "font.size": 10.5,
            "image.cmap": "gray",
            "legend.frameon": False,
        }
    )


def show(figure: Figure, alt: str) -> None:
    """Put a figure on the page and close it.

    Where the picture stays small, it gets twice the pixels, which fine screens show in the same width.

    Args:
        figure: what to show.
        alt: one or two sentences that say what can be seen, for readers who cannot see it.
    """
    png = png_bytes(figure, 2 * DPI)
    if len(png) > 60_000:  # a notebook with a dozen figures stays under a megabyte
        png = png_bytes(figure)
    plt.close(figure)
    bundle = {"image/png": png, "text/plain": alt}
    width = round(figure.get_figwidth() * DPI)
    display(bundle, metadata={"image/png": {"alt": alt, "width": width}}, raw=True)


def png_bytes(figure: Figure, dpi: int = DPI) -> bytes:
    """Return a figure as the bytes of a PNG file, with fewer colours where nobody can see it.

    256 colours make a third of the size. Where they are too few, as for many faces, each channel goes in steps of 8,
    which makes half of it.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    picture = Image.open(buffer).convert("RGB")
    # "Maximum coverage" keeps rare colours, such as the ends of a colour bar, which the usual "median cut" loses.
    few_colors = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    error = np.subtract(few_colors.convert("RGB"), picture, dtype=np.float32)
    if np.square(error).mean() < 6:  # squared steps of 255, a peak signal-to-noise ratio of 40 dB
        picture = few_colors
    else:
        picture = picture.point([min(8 * round(value / 8), 255) for value in range(256)] * 3)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _is_smooth(images: Tensor) -> bool:
    """Say whether images (..., C, H, W) are photographs, more or less: colourful or of many pixels."""
    return images.shape[-3] == 3 or max(images.shape[-2:]) > 32


def draw_image(ax: plt.Axes, image: Tensor) -> None:
    """Draw one image (C, H, W) in [0, 1], grey or colour, without ticks; small grey ones with visible pixels."""
    picture = image.detach().float().cpu().permute(1, 2, 0).squeeze(-1).numpy()
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="lanczos" if _is_smooth(image) else "nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def image_rows(rows: dict[str, Tensor], title: str, size: float | None = None, columns: Sequence[str] = ()) -> Figure:
    """Draw rows of images under each other, each row with its name at the left.

    A pixel of a small image becomes a whole number of pixels on the page, so that all are equally large.

    Args:
        rows: name → images (N, C, H, W) in [0, 1]; every row with the same N.
        title: the figure's title.
        size: width of an image, in inches; by default 1.4, and less for small images that else do not fit on a page.
        columns: a name for each column.

    Raises:
        ValueError: the rows, or the names of the columns, are not equally many.
    """
    counts = {name: len(images) for name, images in rows.items()} | ({"columns": len(columns)} if columns else {})
    if len(set(counts.values())) > 1:
        raise ValueError(
            f"Every row needs as many images as the others, and every column a name, but these are {counts}."
        )
    images, gap, pad = max(rows.values(), key=lambda images: images.shape[-1]), 4, 9  # of pixels on the page
    count, _, height, width = images.shape
    figure = plt.figure(dpi=DPI, layout="none")
    heading = figure.suptitle(title, va="top")
    names = [figure.text(0, 0, name, ha="right", va="center") for name in rows]
    left = math.ceil(max(name.get_window_extent().width for name in names)) + 2 * pad
    edge = DPI * (size or 1.4)
    if not _is_smooth(images):
        room = edge if size else min(edge, (PAGE - left) / count - gap)
        edge = max(room // width, 1) * width
    edge, tall = round(edge), round(edge * height / width)
    top = math.ceil(heading.get_window_extent().height) + 2 * pad + 20 * bool(columns)
    full = max(left + count * (edge + gap) - gap, math.ceil(heading.get_window_extent().width) + pad) + pad
    high = top + len(rows) * (tall + gap) - gap + pad
    hair = 1e-4  # so that no rounding moves an image by a pixel
    figure.set_size_inches((full + hair) / DPI, (high + hair) / DPI)
    heading.set_y(1 - pad / high)
    for row, (name, images) in enumerate(zip(names, rows.values(), strict=True)):
        bottom = high - top - row * (tall + gap) - tall
        name.set_position(((left - pad) / full, (bottom + tall / 2) / high))
        for column, image in enumerate(images):
            x, y = left + column * (edge + gap) + hair, bottom + hair
            spot = (x / full, y / high, (edge - 2 * hair) / full, (tall - 2 * hair) / high)
            draw_image(figure.add_axes(spot), image)
    for ax, name in zip(figure.axes, columns, strict=False):
        ax.set_title(name, fontsize="medium", pad=4)
    return figure


def history(record: History, title: str, unit: str, name: str = "loss") -> Figure:
    """Draw one quantity of a training, on training and held-out images, against the epoch.

    Args:
        record: what ``train.fit`` returned.
        title: of the figure.
        unit: of the quantity, for the axis.
        name: which of the quantities that the loss returned.
    """
    figure, ax = plt.subplots()
    curves = [(record.train, 1, "-", "training images"), (record.valid, 4, "--", "held-out images")]
    for values, color, style, label in curves:
        if name in values:  # an interrupted training may lack the last epoch of one of them
            epochs = range(1, len(values[name]) + 1)
            ax.plot(epochs, values[name], style, color=COLORS[color], label=label, marker="o", markersize=4)
    ax.set(title=title, xlabel="epoch", ylabel=f"{name} ({unit})")
    ax.xaxis.get_major_locator().set_params(integer=True)
    if ax.lines:
        ax.legend()
    return figure


def latent_map(codes: Tensor, labels: Tensor, label_names, title: str, ax: plt.Axes | None = None) -> Figure:
    """Draw two-dimensional codes as points, coloured by class, with each class's name at its median.

    Args:
        codes: (N, 2).
        labels: (N,) class numbers.
        label_names: the classes' names.
        title: of the axes.
        ax: where to draw; by default in a new figure.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(6, 5.5))
    codes, labels = codes.detach().cpu().numpy(), labels.cpu().numpy()
    colors = np.array(CLASS_COLORS)[labels % len(CLASS_COLORS)]
    order = np.random.default_rng(0).permutation(len(codes))  # so that no class covers the others
    ax.scatter(*codes[order].T, c=colors[order], s=9, alpha=0.7, linewidths=0)
    ax.set(title=title, xlabel="first number of the code", ylabel="second number of the code")
    present = np.unique(labels)
    middles = np.stack([np.median(codes[labels == number], axis=0) for number in present])
    ax.autoscale_view()  # now, because it decides what lies how far from what
    to_inches = ax.transData + ax.figure.dpi_scale_trans.inverted()
    for number, spot in zip(present, to_inches.inverted().transform(_apart(to_inches.transform(middles))), strict=True):
        color = CLASS_COLORS[number % len(CLASS_COLORS)]
        ink = "white" if np.dot(to_rgb(color), LUMINANCE) < 0.5 else "black"
        look = {"boxstyle": "round,pad=0.25,rounding_size=0.6", "fc": color, "ec": "white", "lw": 1.5}
        ax.text(*spot, label_names[number], ha="center", va="center", weight="bold", size=12, color=ink, bbox=look)
    return ax.figure


def _apart(spots: np.ndarray, distance: float = 0.32) -> np.ndarray:
    """Move points (N, 2) as little as it takes, more or less, until no two are nearer than ``distance``."""
    for _ in range(200):
        gaps = spots[:, None] - spots
        lengths = np.linalg.norm(gaps, axis=-1, keepdims=True).clip(1e-6)
        spots = spots + (gaps / lengths * (distance - lengths).clip(0) / 4).sum(1)
    return spots


def manifold(decode, low: float, high: float, steps: int, title: str, ax: plt.Axes | None = None) -> Figure:
    """Draw what a decoder makes of a square grid of two-dimensional codes, as one picture.

    Args:
        decode: codes (N, 2), on the CPU → images (N, C, H, W) in [0, 1].
        low: smallest value of both code numbers; ``high`` is the largest.
        high: see ``low``.
        steps: grid points along each axis.
        title: of the figure.
        ax: where to draw; by default in a new figure.
    """
    axis = torch.linspace(low, high, steps)
    # The first row of the picture is its top, where the second number is largest.
    codes = torch.cartesian_prod(axis.flip(0), axis).flip(1)
    with torch.no_grad():
        images = decode(codes)
    channels, height, width = images.shape[1:]
    tiles = images.reshape(steps, steps, channels, height, width).permute(2, 0, 3, 1, 4)
    if ax is None:
        _, ax = plt.subplots(figsize=(6, 6))
    picture = tiles.reshape(channels, steps * height, steps * width).permute(1, 2, 0).squeeze(-1)
    half = (high - low) / (steps - 1) / 2  # so that the middle of each image stands at its code
    extent = 2 * (low - half, high + half)
    ax.imshow(picture.cpu().numpy(), cmap="gray", vmin=0, vmax=1, extent=extent, aspect="equal")
    ax.set(title=title, xlabel="first number of the code", ylabel="second number of the code")
    return ax.figure
