"""The face editor: sliders for a face's attributes, on a face that the model makes up or on one's own photo."""

import html
import io
import warnings
from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError
from torch import Tensor, nn

from vae_helpers.judges import FaceCodes
from vae_helpers.widgets.explore import wide_slider


def face_editor(
    model: nn.Module,
    codes: FaceCodes,
    attributes: Sequence[str] = ("Smiling", "Eyeglasses", "Young", "Male", "Blond_Hair", "Pale_Skin"),
) -> ipywidgets.VBox:
    """Return an editor of faces: one slider per attribute, a random face or one's own photo, before beside after.

    Nothing leaves the computer that runs the notebook, and nothing is kept. A photo that cannot be used is answered
    with a sentence, and the present face stays.

    Args:
        model: a VAE of faces, such as ``load_pretrained("faces")``.
        codes: what its codes are like, such as ``load_pretrained("face_codes")``.
        attributes: which attributes get a slider. At 1 the code has moved by the usual difference between faces with
            and without the attribute.

    Raises:
        ValueError: an attribute without a direction in ``codes``.
    """
    draw = face_painter(model, torch.stack([codes.direction(name) for name in attributes]))
    sliders = [wide_slider(name.replace("_", " "), -3.0, 3.0, 0.0, step=0.1) for name in attributes]
    zoom = wide_slider("zoom", 1.0, 4.0, 1.0, step=0.05)
    shifts = [wide_slider(name, -1.0, 1.0, 0.0, step=0.05) for name in ("shift right", "shift down")]
    placing = ipywidgets.VBox([zoom, *shifts])
    for slider in (*sliders, zoom, *shifts):
        slider.style.description_width = "9em"  # else long names are cut off
    dice, reset = (ipywidgets.Button(description=text) for text in ("random face", "reset"))
    upload = ipywidgets.FileUpload(accept="image/*", multiple=False, description="your photo")
    caption, picture = ipywidgets.HTML(), ipywidgets.Image(format="png")
    # What is being edited: a code, and the photo that it is from, if it is from one.
    face: dict = {"code": None, "photo": None, "opened": None}

    def redraw(change=None) -> None:
        picture.value = draw(face["code"], [slider.value for slider in sliders], face["photo"])

    def random_face(button=None) -> None:
        face.update(code=codes.sample(1), photo=None, opened=None)
        placing.layout.display = "none"
        caption.value = "Left: before. Right: after."
        redraw()

    def back_to_zero(button=None) -> None:
        for slider in sliders:
            slider.value = 0.0

    def place_photo(change=None) -> None:
        if face["opened"] is not None:
            photo = crop_photo(face["opened"], model.image_shape[-1], zoom.value, *(shift.value for shift in shifts))
            face.update(photo=photo, code=_mean_code(model, photo))
            redraw()

    def take_photo(change=None) -> None:
        if not upload.value:
            return
        name, content = _uploaded(upload.value)
        try:
            opened = open_photo(content)
        except ValueError as error:
            caption.value = html.escape(f"{name}: {error}")
            return
        face["opened"] = None  # so that the sliders, going back to their middle, draw nothing yet
        for slider, value in zip((zoom, *shifts), (1.0, 0.0, 0.0), strict=True):
            slider.value = value
        face["opened"] = opened
        placing.layout.display = None
        caption.value = (
            "Left: the photo; zoom and shift until the eyes and the mouth lie on the marks. "
            "Middle: what the model makes of it. Right: after."
        )
        place_photo()

    for slider in sliders:
        slider.observe(redraw, "value")
    for slider in (zoom, *shifts):
        slider.observe(place_photo, "value")
    dice.on_click(random_face)
    reset.on_click(back_to_zero)
    upload.observe(take_photo, "value")
    random_face()
    buttons = ipywidgets.HBox([dice, reset, upload])
    return ipywidgets.VBox([buttons, ipywidgets.HBox([ipywidgets.VBox(sliders), placing]), caption, picture])


def face_painter(
    model: nn.Module, directions: Tensor, panel: int = 256
) -> Callable[[Tensor, Sequence[float], Tensor | None], bytes]:
    """Return a function that draws a face before and after an edit, side by side, as a PNG.

    Args:
        model: a VAE of faces.
        directions: (A, latent_dim), what each strength is multiplied with.
        panel: the edge of each picture, in pixels.

    Returns:
        ``draw(code, strengths, photo=None)`` with a code (1, latent_dim), A numbers, and optionally the photo
        (1, C, H, W) that the code is from, which is then drawn at the left, with marks for eyes and mouth.
    """

    @torch.no_grad()
    def draw(code: Tensor, strengths: Sequence[float], photo: Tensor | None = None) -> bytes:
        step = torch.tensor(strengths, dtype=code.dtype, device=code.device) @ directions.to(code)
        panels = [_enlarge(image, panel) for image in model.decode(torch.cat([code, code + step]))]
        if photo is not None:
            panels.insert(0, _enlarge(photo[0], panel))
            _mark_eyes_and_mouth(panels[0])
        sheet = Image.new("RGB", (len(panels) * (panel + 8) - 8, panel), "white")
        for column, picture in enumerate(panels):
            sheet.paste(picture, (column * (panel + 8), 0))
        buffer = io.BytesIO()
        # Level 1 of PNG's compression is several times as fast as the usual 6, for a somewhat larger file.
        sheet.save(buffer, format="PNG", compress_level=1)
        return buffer.getvalue()

    return draw


def open_photo(content: bytes) -> Image.Image:
    """Return the photo in a file of any common format: upright, in RGB, and decoded no larger than is of use.

    Raises:
        ValueError: it is no image, is cut off, or is too large to be decoded; in one sentence.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large photos are decoded reduced
            image = Image.open(io.BytesIO(content))
            size = image.size
            image.draft("RGB", (512, 512))  # a JPEG can be decoded at a half, a quarter or an eighth of its size
    except Image.DecompressionBombError:
        raise ValueError("This photo has too many pixels; make it smaller, 4,000 pixels wide or less.") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise ValueError("This file is no image that can be read here; save it as JPEG or PNG.") from None
    if image.width * image.height > 50_000_000:
        raise ValueError(
            f"This photo has {size[0]:,} by {size[1]:,} pixels, which takes too much memory as {image.format}; "
            "save it as JPEG, or make it smaller."
        )
    try:
        image = ImageOps.exif_transpose(image)  # cameras often write a turned photo and a note how to turn it
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return image.convert("RGB")
    except Exception:  # Pillow's decoders have many ways to stumble over a damaged file
        raise ValueError("This image is damaged or cut off; copy it again, or take another one.") from None


def crop_photo(image: Image.Image, size: int, zoom: float = 1.0, right: float = 0.0, down: float = 0.0) -> Tensor:
    """Return a square part of a photo, (1, 3, size, size) in [0, 1].

    Args:
        image: in RGB.
        size: the edge of the result, in pixels.
        zoom: 1 for the largest square, 2 for one of half its edge, …
        right: where the square lies: -1 at the photo's left edge, 0 in its middle, 1 at its right edge.
        down: the same for top and bottom.
    """
    edge = min(image.size) / zoom
    left, top = ((length - edge) * (1 + place) / 2 for length, place in zip(image.size, (right, down), strict=True))
    part = image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + edge, top + edge))
    return torch.from_numpy(np.array(part)).permute(2, 0, 1)[None].float() / 255


@torch.no_grad()
def _mean_code(model: nn.Module, photo: Tensor) -> Tensor:
    mean, _ = model.encode(photo.to(next(model.parameters()).device))
    return mean


def _uploaded(value) -> tuple[str, bytes]:
    """Return name and content of an uploaded file; ipywidgets 8 keeps a tuple of files, 7 a dict by name."""
    if isinstance(value, dict):
        name, file = list(value.items())[-1]
        return name, bytes(file["content"])
    return value[-1]["name"], bytes(value[-1]["content"])


def _enlarge(image: Tensor, edge: int) -> Image.Image:
    pixels = image.float().mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(pixels).resize((edge, edge), Image.Resampling.BICUBIC)


def _mark_eyes_and_mouth(picture: Image.Image) -> None:
    """Draw where CelebA's faces, as the course crops them, have eyes and mouth."""
    pen, edge = ImageDraw.Draw(picture), picture.width
    for x, y in ((0.365, 0.515), (0.635, 0.515), (0.5, 0.785)):
        box = [edge * (x - 0.02), edge * (y - 0.02), edge * (x + 0.02), edge * (y + 0.02)]
        pen.ellipse(box, outline="black", width=3)
        pen.ellipse(box, outline="white", width=1)
