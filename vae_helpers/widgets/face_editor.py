"""The face editor: sliders for a face's attributes, on a face that the model makes up or on one's own photo."""

import copy
import html
import io
import warnings
from collections.abc import Callable, Sequence

import ipywidgets
import torch
from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError
from torch import Tensor, nn

from vae_helpers.data.photos import Photo, Place, as_image, cut_out, find_faces, place_face
from vae_helpers.evaluate import encode_all, refine_codes
from vae_helpers.judges import FaceCodes
from vae_helpers.widgets.panel import Log, Panel, fast_png, slider

# The random faces of every editor begin here. With the shipped model, the first of them looks straight and seriously
# out of an even light, so that a smile can be seen to come; found among 400 by the shipped judge of faces, and by eye.
FIRST_FACE = 206
# More would take a slider longer than 100 ms on a core.
REFINE_STEPS = 10
BUSY = "Looking for the face, which takes a second or two …"
EDGE = 256  # of each picture, in pixels


def face_editor(
    model: nn.Module,
    codes: FaceCodes,
    attributes: Sequence[str] = ("Smiling", "Eyeglasses", "Young", "Male", "Blond_Hair", "Pale_Skin"),
    photo: Photo | None = None,
) -> Panel:
    """Return an editor of faces: one slider per attribute, a random face or one's own photo, before beside after.

    In a photo the largest face is found and aligned (``data.align_photo``), and its code refined
    (``evaluate.refine_codes``); sliders correct both by hand, and another face of the photo can be chosen.

    Nothing leaves the computer that runs the notebook, and the editor does not keep the photo. (Where Jupyter saves
    widgets with the notebook, as Colab does, that picture is saved which is shown last.) A photo that cannot be used
    is answered with a sentence, and the present face stays. No random number of the notebook's own is used up.

    Args:
        model: a VAE of faces, such as ``load_pretrained("faces")``, on any device.
        codes: what its codes are like, such as ``load_pretrained("face_codes")``, on any device.
        attributes: which attributes get a slider. At 1 the code has moved by the usual difference between faces with
            and without the attribute.
        photo: a photo to begin with, of Pillow or an array (H, W, 3) of uint8; a random face if there is none.

    Raises:
        ValueError: an attribute without a direction in ``codes``, or a photo that is none.
    """
    draw = face_painter(model, torch.stack([codes.direction(name) for name in attributes]))
    codes, dice = copy.deepcopy(codes).cpu(), torch.Generator().manual_seed(FIRST_FACE)
    device = next(model.parameters()).device
    panel, caption = Panel(), ipywidgets.HTML()
    sliders = [slider(name.replace("_", " "), (-3.0, 3.0, 0.0), step=0.1) for name in attributes]
    zoom = slider("zoom", Log(0.5, 8.0, 1.0))
    moves = [slider(name, (-1.0, 1.0, 0.0), step=0.01) for name in ("shift right", "shift down")]
    turn, refine = slider("turn by °", (-45.0, 45.0, 0.0), step=0.5), slider("refine", (0, REFINE_STEPS, 0))
    corrections = (zoom, *moves, turn)
    another, reset, next_face = (
        ipywidgets.Button(description=text) for text in ("random face", "reset", "next face in the photo")
    )
    placing = ipywidgets.VBox([next_face, *corrections, refine])
    for control in (*sliders, *corrections, refine):
        control.style.description_width = "7em"  # else long names are cut off
    upload = ipywidgets.FileUpload(accept="image/*", multiple=False, description="your photo")
    advice = ipywidgets.Label("up to 10 MB; after `make lab` up to 100 MB")
    # What is being edited: a code; and the photo's crop that it is from, the photo, where faces are in it, which of
    # them is shown, and its place before corrections.
    face: dict = {"code": None, "crop": None, "photo": None, "found": [], "number": 0, "place": None}

    def redraw() -> None:
        panel.picture.value = draw(face["code"], [control.value for control in sliders], face["crop"])

    def random_face() -> None:
        face.update(code=codes.sample(1, dice).to(device), crop=None, place=None)
        placing.layout.display = "none"
        caption.value = "Left: before. Right: after."
        redraw()

    def back_to_zero(button) -> None:
        for control in sliders:
            control.value = 0.0

    def encode_photo() -> None:
        if face["place"] is not None:
            code = encode_all(model, face["crop"])
            face["code"] = refine_codes(model, face["crop"], refine.value) if refine.value else code
            redraw()

    def place_photo() -> None:
        if face["place"] is not None:
            x, y, edge, angle = face["place"]
            right, down = (move.value * edge for move in moves)
            place = Place(x + right, y + down, edge / zoom.value, angle + turn.value)
            face["crop"] = cut_out(face["photo"], place, model.image_shape[-1])
            if refine.value:  # which takes time, and is for a place that is settled
                refine.value = 0
            else:
                encode_photo()

    def show_face() -> None:
        photo, found, number = (face[name] for name in ("photo", "found", "number"))
        face["place"] = None  # so that the sliders, going back to their middle, draw nothing yet
        for control in corrections:
            control.value = 1.0 if control is zoom else 0.0
        refine.value = REFINE_STEPS if found else 0
        middle = Place(photo.width / 2, photo.height / 2, min(photo.size))
        place = place_face(photo, model, found[number]) if found else middle
        face.update(place=place, crop=cut_out(photo, place, model.image_shape[-1]))
        placing.layout.display = None
        next_face.layout.display = None if len(found) > 1 else "none"
        start = "" if found else "No face was found in this photo; zoom, shift and turn until it lies on the marks. "
        caption.value = (
            f"{start}Left: the photo; eyes and mouth should lie on the marks. "
            "Middle: what the model makes of it. Right: after."
        )
        encode_photo()

    def open_face(photo: Image.Image) -> None:
        face.update(photo=photo, found=find_faces(photo), number=0)
        show_face()

    def take_next_face() -> None:
        face["number"] = (face["number"] + 1) % len(face["found"])
        caption.value = BUSY
        show_face()

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
        caption.value = BUSY
        open_face(opened)

    for control in sliders:
        panel.answer(control, redraw)
    for control in corrections:
        panel.answer(control, place_photo)
    panel.answer(refine, encode_photo)
    panel.answer(another, random_face)
    panel.answer(next_face, take_next_face)
    reset.on_click(back_to_zero)
    panel.answer(upload, take_photo)
    random_face() if photo is None else open_face(as_image(photo))
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
