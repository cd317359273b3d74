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

NAMES = "CLASS_COLORS COLORS draw_image history image_rows latent_map manifold png_bytes show use_course_style"
__all__ = NAMES.split()

DPI = 90  # pixels on the page per inch of a figure
PAGE = 860  # pixels across the page that a figure may take
# Okabe and Ito's colours (2008), which colour-blind readers can tell apart; black first, yellow left out.
COLORS = ("#000000", "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
# Paul Tol's "muted" scheme for nine classes, and almost black for a tenth.
CLASS_COLORS = tuple("#332288 #88CCEE #44AA99 #117733 #999933 #DDCC77 #CC6677 #882255 #AA4499 #222222".split())


def use_course_style() -> None:
    """Set Matplotlib's defaults to the look of the course: plain axes, readable sizes, safe colours."""
    plt.rc("axes", prop_cycle=plt.cycler(color=COLORS), titlesize=12, labelsize=11)
    plt.rc("axes.spines", top=False, right=False)
    plt.rc("figure", figsize=(7, 4))
    plt.rc("figure.constrained_layout", use=True, h_pad=0.1, w_pad=0.1)
    plt.rc("font", size=10.5)
    plt.rc("image", cmap="gray")
    plt.rc("legend", frameon=False)


def show(figure: Figure, alt: str) -> None:
    """Put a figure on the page and close it; ``alt`` tells readers who cannot see it what can be seen."""
    png = png_bytes(figure, 2 * DPI)  # which fine screens show in the same width
    if len(png) > 60_000:  # a notebook with a dozen figures stays under a megabyte
        png = png_bytes(figure)
    plt.close(figure)
    metadata = {"image/png": {"alt": alt, "width": round(figure.get_figwidth() * DPI)}}
    display({"image/png": png, "text/plain": alt}, metadata=metadata, raw=True)


def png_bytes(figure: Figure, dpi: int = DPI) -> bytes:
    """Return a figure as the bytes of a PNG file, with 256 colours, or where they show, every eighth per channel."""
    with plt.rc_context({"figure.constrained_layout.use": False}):  # else saving gives it a layout
        figure.savefig(buffer := io.BytesIO(), format="png", dpi=dpi)
    picture = Image.open(buffer).convert("RGB")
    # "Maximum coverage" keeps rare colours, such as the ends of a colour bar, which the usual "median cut" loses.
    few_colors = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    error = np.square(np.subtract(few_colors.convert("RGB"), picture, dtype=np.float32)).mean()
    fewer_steps = [min(8 * round(value / 8), 255) for value in range(256)]
    # 6 squared steps of 255 are a peak signal-to-noise ratio of 40 dB.
    picture = few_colors if error < 6 else picture.point(fewer_steps * 3)
    picture.save(buffer := io.BytesIO(), format="PNG", optimize=True)
    return buffer.getvalue()


def _is_smooth(images: Tensor) -> bool:
    """Say whether images (..., C, H, W) are photographs, more or less: colourful or of many pixels."""
    return images.shape[-3] == 3 or max(images.shape[-2:]) > 32


def draw_image(ax: plt.Axes, image: Tensor) -> None:
    """Draw one image (C, H, W) in [0, 1], grey or colour, without ticks; small grey ones with visible pixels."""
    picture = image.detach().float().cpu().permute(1, 2, 0).squeeze(-1).numpy()
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="lanczos" if _is_smooth(image) else "nearest")
    ax.set(xticks=[], yticks=[], frame_on=False)


def image_rows(rows: dict[str, Tensor], title: str, size: float | None = None, columns: Sequence[str] = ()) -> Figure:
    """Draw rows of equally many images (N, C, H, W) in [0, 1], with names at the left and, perhaps, over the columns.

    An image is ``size`` or 1.4 inches wide. Small ones get narrower where they do not fit on a page otherwise, and
    every pixel of theirs becomes a whole number of pixels on the page.
    """
    counts = {name: len(images) for name, images in rows.items()} | ({"columns": len(columns)} if columns else {})
    if len(set(counts.values())) > 1:
        raise ValueError(f"every row needs equally many images, and every column a name, but there are {counts}")
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


def history(record: History, title: str, unit: str) -> Figure:
    """Draw the loss of a training (``train.fit``), on training and held-out images, against the epoch."""
    figure, ax = plt.subplots()
    for part, color, style, label in ((record.train, 1, "o-", "training"), (record.valid, 4, "o--", "held-out")):
        if values := part.get("loss"):
            ax.plot(range(1, len(values) + 1), values, style, color=COLORS[color], label=f"{label} images", ms=4)
    ax.set(title=title, xlabel="epoch", ylabel=f"loss ({unit})")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(handles=ax.lines)
    return figure


def latent_map(codes: Tensor, labels: Tensor, label_names, title: str, ax: plt.Axes | None = None) -> Figure:
    """Draw codes (N, 2) as points, coloured by their labels (N,), with each class's name near its median."""
    ax = ax or plt.subplots(figsize=(6, 5.5))[1]
    codes, labels = codes.detach().cpu().numpy(), labels.cpu().numpy()
    colors = np.array(CLASS_COLORS)[labels % len(CLASS_COLORS)]
    order = np.random.default_rng(0).permutation(len(codes))  # so that no class covers the others
    ax.scatter(*codes[order].T, c=colors[order], s=9, alpha=0.7, linewidths=0)
    ax.set(title=title, xlabel="first number of the code", ylabel="second number of the code")
    ax.autoscale_view()  # now, because it decides what lies how far from what
    wide = max(1, 0.35 * max(map(len, label_names)))  # names are wider than high
    to_inches = ax.transData + ax.figure.dpi_scale_trans.inverted().scale(1 / wide, 1)
    present = np.unique(labels)
    spots = to_inches.transform([np.median(codes[labels == number], axis=0) for number in present])
    for _ in range(200):  # push names apart that are nearer than a third of an inch
        gaps = spots[:, None] - spots
        lengths = np.linalg.norm(gaps, axis=-1, keepdims=True).clip(1e-6)
        spots = spots + (gaps / lengths * (0.32 - lengths).clip(0) / 4).sum(1)
    for number, spot in zip(present, to_inches.inverted().transform(spots), strict=True):
        color = CLASS_COLORS[number % len(CLASS_COLORS)]
        look = {"boxstyle": "round,pad=0.25,rounding_size=0.6", "fc": color, "ec": "white", "lw": 1.5}
        text = ax.text(*spot, label_names[number], ha="center", va="center", weight="bold", size=12, bbox=look)
        text.set_color("white" if np.dot(to_rgb(color), (0.21, 0.72, 0.07)) < 0.5 else "black")  # by luminance
    return ax.figure


@torch.no_grad()
def manifold(decode, low: float, high: float, steps: int, title: str, ax: plt.Axes | None = None) -> Figure:
    """Draw what a decoder makes of a square grid of codes, each number from ``low`` to ``high``, as one picture.

    ``decode`` turns codes (N, 2), on the CPU, into images (N, C, H, W) in [0, 1].
    """
    axis = torch.linspace(low, high, steps)
    codes = torch.cartesian_prod(axis.flip(0), axis).flip(1)  # from the top, where the second number is largest
    tiles = decode(codes).cpu().unflatten(0, (steps, steps))  # (rows, columns, C, H, W)
    picture = tiles.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1).squeeze(-1)
    ax = ax or plt.subplots(figsize=(6, 6))[1]
    half = (high - low) / (steps - 1) / 2  # so that the middle of each image stands at its code
    extent = 2 * (low - half, high + half)
    ax.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=1, extent=extent, aspect="equal")
    ax.set(title=title, xlabel="first number of the code", ylabel="second number of the code")
    return ax.figure
