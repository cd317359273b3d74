"""Figures of the course. What draws a whole figure returns it; :func:`show` puts it on the page."""

import io

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from vae_helpers.train import History

# Okabe and Ito's colours (2008), which colour-blind readers can tell apart; black first, yellow left out.
COLORS = ("#000000", "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
# Paul Tol's "muted" scheme, for ten classes.
CLASS_COLORS = (
    "#332288",
    "#88CCEE",
    "#44AA99",
    "#117733",
    "#999933",
    "#DDCC77",
    "#CC6677",
    "#882255",
    "#AA4499",
    "#555555",
)


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
            "font.size": 10.5,
            "image.cmap": "gray",
            "legend.frameon": False,
        }
    )


def show(figure: Figure, alt: str) -> None:
    """Put a figure on the page and close it.

    Args:
        figure: what to show.
        alt: one or two sentences that say what can be seen, for readers who cannot see it.
    """
    png = png_bytes(figure)
    plt.close(figure)
    bundle = {"image/png": png, "text/plain": alt}
    display(bundle, metadata={"image/png": {"alt": alt}}, raw=True)


def png_bytes(figure: Figure, dpi: int = 90) -> bytes:
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


def draw_image(ax: plt.Axes, image: Tensor) -> None:
    """Draw one image (C, H, W) in [0, 1], grey or colour, without ticks."""
    picture = image.detach().float().cpu().permute(1, 2, 0).squeeze(-1).numpy()
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def image_rows(rows: dict[str, Tensor], title: str, size: float = 0.8) -> Figure:
    """Draw rows of images under each other, each row with its name at the left.

    Args:
        rows: name → images (N, C, H, W) in [0, 1]; every row with the same N.
        title: the figure's title.
        size: edge of one image, in inches.
    """
    columns = len(next(iter(rows.values())))
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(size * columns + 1.5, size * len(rows) + 0.5), squeeze=False
    )
    for row, (name, images) in zip(axes, rows.items(), strict=True):
        for ax, image in zip(row, images, strict=True):
            draw_image(ax, image)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.suptitle(title)
    return figure


def history(record: History, title: str, unit: str, name: str = "loss") -> Figure:
    """Draw one quantity of a training, on training and held-out images, against the epoch.

    Args:
        record: what :func:`vae_helpers.train.fit` returned.
        title: of the figure.
        unit: of the quantity, for the axis.
        name: which of the quantities that the loss returned.
    """
    figure, ax = plt.subplots()
    epochs = range(1, len(record.seconds) + 1)
    ax.plot(epochs, record.train[name], color=COLORS[1], label="training images")
    if record.valid:
        ax.plot(epochs, record.valid[name], color=COLORS[4], linestyle="--", label="held-out images")
    ax.set(title=title, xlabel="epoch", ylabel=f"{name} ({unit})")
    ax.xaxis.get_major_locator().set_params(integer=True)
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
    for number, name in enumerate(label_names):
        if not (labels == number).any():
            continue
        x, y = np.median(codes[labels == number], axis=0)
        ax.text(
            x,
            y,
            name,
            ha="center",
            va="center",
            weight="bold",
            bbox={
                "boxstyle": "circle,pad=0.2",
                "fc": "white",
                "ec": CLASS_COLORS[number % len(CLASS_COLORS)],
            },
        )
    ax.set(title=title, xlabel="first number of the code", ylabel="second number of the code")
    return ax.figure


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
