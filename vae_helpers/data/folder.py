"""One's own pictures: any folder of them, or letters that the course draws."""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from vae_helpers.data.sets import ImageSet

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
FONTS = (
    "DejaVuSans[-.]*",
    "DejaVuSansMono*",
    "DejaVuSerif[-.]*",
    "STIXGeneral*",
    "cmb10*",
    "cmr10*",
    "cmss10*",
    "cmtt10*",
)


def load_images(folder: str | os.PathLike, size: int = 64) -> ImageSet:
    """Load all pictures of a folder and its subfolders, (N, C, size, size): grey ones (C = 1), or colour (C = 3).

    Of each picture the largest square in its middle is taken, and resized. Pictures that were turned in the camera
    stand upright, and what is transparent becomes white. The pictures are colour if a single one of them is. Files are
    read in the order of their names; those that cannot be read are named and left out, and so is every hidden file.

    Args:
        folder: where the pictures are, as jpg, png, webp, bmp, gif or tif. With subfolders, the label of a picture is
            its subfolder's number in the alphabet; pictures beside the subfolders get the label of ``folder`` itself.
        size: the edge of the square images, in pixels, at least 8.

    Raises:
        ValueError: an impossible size.
        OSError: there is no such folder, or no picture in it that can be read; the message says which.
    """
    if not isinstance(size, int) or size < 8:
        raise ValueError(f"size must be a whole number of pixels, at least 8, but is {size!r}.")
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise NotADirectoryError(f"There is no folder {folder}. (Python looks for it from {Path.cwd()}.)")
    files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in ENDINGS and file.is_file()]
    files = [file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts)]
    images, parents, broken = [], [], []
    for file in files:
        try:
            images.append(_square(file, size))
            parents.append(file.relative_to(folder).parts[0] if file.parent != folder else folder.resolve().name)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            broken.append(f"{file.relative_to(folder)} ({type(error).__name__})")
    if broken:
        more = f" and {len(broken) - 5} more" if len(broken) > 5 else ""
        print(f"Left out, because they cannot be read: {', '.join(broken[:5])}{more}.")
    if not images:
        raise FileNotFoundError(f"{folder} holds no picture that can be read (jpg, png, webp, bmp, gif or tif).")
    pixels = np.stack(images)
    if (pixels == pixels[..., :1]).all():
        pixels = pixels[..., :1]
    names = tuple(sorted(set(parents)))
    return ImageSet(
        images=torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(),
        labels=torch.tensor([names.index(parent) for parent in parents]),
        label_names=names,
        source=f"{len(pixels):,} pictures from {folder}",
    )


def _square(file: Path, size: int) -> np.ndarray:
    """Read the middle of a picture, (size, size, 3), uint8."""
    with Image.open(file) as opened:
        opened.draft("RGB", (2 * size, 2 * size))  # a JPEG of a camera is decoded at a fraction of its size
        picture = ImageOps.exif_transpose(opened)
        if picture.mode.startswith("I") or picture.mode == "F":  # 16 or 32 bits of grey: PIL would clip them
            values = np.asarray(picture, dtype=np.float64)
            scale = max(values.max(), 1) if picture.mode == "F" or values.max() > 65_535 else 65_535
            picture = Image.fromarray((values.clip(0) / scale * 255).astype(np.uint8))
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture).convert("RGB")
    return np.asarray(ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS))


def render_letters(n: int, size: int = 32, seed: int = 0) -> ImageSet:
    """Draw capital letters, (n, 1, size, size), white on black, in the fonts that matplotlib carries.

    Each is turned by up to 8°, and of a size and at a place of its own. Labels are 0 for A to 25 for Z. With a larger
    ``n`` the first letters stay the same.

    Raises:
        ValueError: fewer than one letter, or an edge of fewer than 8 pixels.
    """
    from matplotlib import get_data_path
    from PIL import ImageDraw, ImageFont

    if n < 1 or size < 8:
        raise ValueError(f"At least one letter of at least 8 pixels can be drawn, not {n} of {size} pixels.")
    folder = Path(get_data_path(), "fonts/ttf")
    fonts = [font for family in FONTS for font in sorted(folder.glob(family))]
    random = np.random.default_rng(seed)
    large = 4 * size  # drawn four times too large, then reduced: smooth edges at any angle
    images, labels = [], []
    for _ in range(n):
        label, font = random.integers(26), fonts[random.integers(len(fonts))]
        height, angle, shift = random.uniform(0.6, 0.85), random.uniform(-8, 8), random.uniform(-0.06, 0.06, size=2)
        sheet = Image.new("L", (large, large))
        ImageDraw.Draw(sheet).text(
            tuple(large * (0.5 + shift)),
            chr(ord("A") + label),
            fill=255,
            font=ImageFont.truetype(str(font), round(large * height)),
            anchor="mm",
        )
        sheet = sheet.rotate(angle, Image.Resampling.BICUBIC)
        images.append(np.asarray(sheet.resize((size, size), Image.Resampling.BOX)))
        labels.append(int(label))
    return ImageSet(
        images=torch.from_numpy(np.stack(images))[:, None],
        labels=torch.tensor(labels),
        label_names=tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        source="letters drawn by the course",
    )
