"""The face editor: sliders for a face's attributes, on a face that the model makes up or on one's own photo."""

import copy
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
from vae_helpers.widgets.panel import Panel, fast_png, slider

# The random faces of every editor begin here. With the shipped model, the first of them looks straight and seriously
# out of an even light, so that a smile can be seen to come; found among 400 by the shipped judge of faces, and by eye.
FIRST_FACE = 206
EDGE = 256  # of each picture, in pixels


def face_editor(
    model: nn.Module,
    codes: FaceCodes,
    attributes: Sequence[str] = ("Smiling", "Eyeglasses", "Young", "Male", "Blond_Hair", "Pale_Skin"),
) -> Panel:
    """Return an editor of faces: one slider per attribute, a random face or one's own photo, before beside after.

    Nothing leaves the computer that runs the notebook, and the editor does not keep the photo. (Where Jupyter saves
    widgets with the notebook, as Colab does, that picture is saved which is shown last.) A photo that cannot be used
    is answered with a sentence, and the present face stays. No random number of the notebook's own is used up.

    Args:
        model: a VAE of faces, such as ``load_pretrained("faces")``, on any device.
        codes: what its codes are like, such as ``load_pretrained("face_codes")``, on any device.
        attributes: which attributes get a slider. At 1 the code has moved by the usual difference between faces with
            and without the attribute.

    Raises:
        ValueError: an attribute without a direction in ``codes``.
    """
    draw = face_painter(model, torch.stack([codes.direction(name) for name in attributes]))
    codes, dice = copy.deepcopy(codes).cpu(), torch.Generator().manual_seed(FIRST_FACE)
    device = next(model.parameters()).device
    panel, caption = Panel(), ipywidgets.HTML()
    sliders = [slider(name.replace("_", " "), (-3.0, 3.0, 0.0), step=0.1) for name in attributes]
    zoom = slider("zoom", (1.0, 4.0, 1.0), step=0.05)
    shifts = [slider(name, (-1.0, 1.0, 0.0), step=0.05) for name in ("shift right", "shift down")]
    placing = ipywidgets.VBox([zoom, *shifts])
    for control in (*sliders, zoom, *shifts):
        control.style.description_width = "7em"  # else long names are cut off
    another, reset = (ipywidgets.Button(description=text) for text in ("random face", "reset"))
    upload = ipywidgets.FileUpload(accept="image/*", multiple=False, description="your photo")
    advice = ipywidgets.Label("up to 10 MB; after `make lab` up to 100 MB")
    # What is being edited: a code, and the photo that it is from, if it is from one.
    face: dict = {"code": None, "photo": None, "opened": None}

    def redraw() -> None:
        panel.picture.value = draw(face["code"], [control.value for control in sliders], face["photo"])

    def random_face() -> None:
        face.update(code=codes.sample(1, dice).to(device), photo=None, opened=None)
        placing.layout.display = "none"
        caption.value = "Left: before. Right: after."
        redraw()

    def back_to_zero(button) -> None:
        for control in sliders:
            control.value = 0.0

    def place_photo() -> None:
        if face["opened"] is not None:
            photo = crop_photo(face["opened"], model.image_shape[-1], zoom.value, *(shift.value for shift in shifts))
            face.update(photo=photo, code=_mean_code(model, photo))
            redraw()

    def take_photo() -> None:
        if not upload.value:
            return
        name, content = _uploaded(upload.value)
        # Emptied, so that the same photo can be chosen again, and none is saved with the notebook.
        for trait in {"value", "data", "metadata"} & set(upload.trait_names()):  # ipywidgets 7 has all three
            upload.set_trait(trait, type(getattr(upload, trait))())
        try:
            opened = open_photo(content)
        except ValueError as error:
            caption.value = html.escape(f"{name}: {error}")
            return
        face["opened"] = None  # so that the sliders, going back to their middle, draw nothing yet
        for control, value in zip((zoom, *shifts), (1.0, 0.0, 0.0), strict=True):
            control.value = value
        face["opened"] = opened
        placing.layout.display = None
        caption.value = (
            "Left: the photo; zoom and shift until the eyes and the mouth lie on the marks. "
            "Middle: what the model makes of it. Right: after."
        )
        place_photo()

    for control in sliders:
        panel.answer(control, redraw)
    for control in (zoom, *shifts):
        panel.answer(control, place_photo)
    panel.answer(another, random_face)
    reset.on_click(back_to_zero)
    panel.answer(upload, take_photo)
    random_face()
    buttons = ipywidgets.HBox([another, reset, upload, advice], layout={"flex_flow": "row wrap"})
    # Side by side, so that the picture is seen while a slider is dragged; below each other where that is too narrow.
    controls = ipywidgets.VBox([*sliders, placing], layout={"width": "27em", "max_width": "100%"})
    result = ipywidgets.VBox([caption, panel.problem, panel.picture], layout={"flex": "1 1 20em", "min_width": "0"})
    panel.children = (buttons, ipywidgets.HBox([controls, result], layout={"flex_flow": "row wrap"}))
    return panel


def face_painter(model: nn.Module, directions: Tensor) -> Callable[[Tensor, Sequence[float], Tensor | None], bytes]:
    """Return a function that draws a face before and after an edit, side by side, as a PNG.

    Args:
        model: a VAE of faces.
        directions: (A, latent_dim), what each strength is multiplied by.

    Returns:
        ``draw(code, strengths, photo=None)`` with a code (1, latent_dim), A numbers, and optionally the photo
        (1, C, H, W) that the code is from, which is then drawn at the left, with marks for eyes and mouth.
    """

    @torch.no_grad()
    def draw(code: Tensor, strengths: Sequence[float], photo: Tensor | None = None) -> bytes:
        step = torch.tensor(strengths, dtype=code.dtype, device=code.device) @ directions.to(code)
        panels = [_enlarge(image) for image in model.decode(torch.cat([code, code + step]))]
        if photo is not None:
            panels.insert(0, _enlarge(photo[0]))
            _mark_eyes_and_mouth(panels[0])
        sheet = Image.new("RGB", (len(panels) * (EDGE + 8) - 8, EDGE), "white")
        for column, picture in enumerate(panels):
            sheet.paste(picture, (column * (EDGE + 8), 0))
        return fast_png(sheet)

    return draw


def open_photo(content: bytes) -> Image.Image:
    """Return the photo in a file of any common format: upright, in RGB, and decoded no larger than needed.

    Raises:
        ValueError: it is not an image, is truncated, or is too large to be decoded; in one sentence.
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
        raise ValueError("This file is not an image that can be read here; save it as JPEG or PNG.") from None
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


def _enlarge(image: Tensor) -> Image.Image:
    pixels = image.float().mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(pixels).resize((EDGE, EDGE), Image.Resampling.BICUBIC)


def _mark_eyes_and_mouth(picture: Image.Image) -> None:
    """Draw where CelebA's faces, as the course crops them, have eyes and mouth."""
    pen, edge = ImageDraw.Draw(picture), picture.width
    for x, y in ((0.365, 0.515), (0.635, 0.515), (0.5, 0.785)):
        box = [edge * (x - 0.02), edge * (y - 0.02), edge * (x + 0.02), edge * (y + 0.02)]
        pen.ellipse(box, outline="black", width=3)
        pen.ellipse(box, outline="white", width=1)
