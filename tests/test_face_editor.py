"""The face editor edits the face that it shows, and answers a wrong photo with a sentence."""

import datetime
import io
import struct
import warnings
import zlib

import ipywidgets
import numpy as np
import pytest
import torch
from ipywidgets import HTML, Button, FileUpload, FloatLogSlider, FloatSlider, IntSlider
from ipywidgets import Image as Picture
from PIL import Image
from skimage.data import astronaut

from vae_helpers import judges, widgets
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import align_photo, photos
from vae_helpers.evaluate import refine_codes
from vae_helpers.widgets.face_editor import FIRST_FACE, _uploaded

ATTRIBUTES = ("Smiling", "Wearing_Hat")


class ThreeGreys(torch.nn.Module):
    """A "VAE of faces" whose code is the mean of each colour, and whose faces have one colour."""

    image_shape = (3, 64, 64)

    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def encode(self, images):
        return images.mean((2, 3)), torch.zeros(len(images), 3)

    def decode(self, z):
        return z.clamp(0, 1)[:, :, None, None].expand(-1, -1, 64, 64)


@pytest.fixture
def editor():
    codes = judges.FaceCodes(latent_dim=3, components=1, attributes=ATTRIBUTES)
    codes.means[:] = 0.5
    codes.factors *= 0.05
    codes.directions[:] = torch.tensor([[0.2, 0, 0], [0, 0, -0.2]])
    return widgets.face_editor(ThreeGreys(), codes, ATTRIBUTES)


def parts(widget, kind):
    children = getattr(widget, "children", ())
    return [widget] if isinstance(widget, kind) else [found for child in children for found in parts(child, kind)]


def panels(editor):
    """The colours in the middle of the panels, (panels, 3), from 0 to 255."""
    [picture] = parts(editor, Picture)
    pixels = np.asarray(Image.open(io.BytesIO(picture.value))).astype(int)
    count = round((pixels.shape[1] + 8) / 264)
    return np.stack([pixels[100, 264 * number + 60] for number in range(count)])


def sentence(editor):
    [caption] = [text for text in parts(editor, HTML) if text.layout.display != "none"]
    return caption.value


def upload(editor, content, name="me.jpg"):
    """What the browser does when a file is chosen, in the form that the installed ipywidgets has for it."""
    [field] = parts(editor, FileUpload)
    entry = {"name": name, "type": "image/jpeg", "size": len(content)}
    if ipywidgets.__version__.startswith("7."):
        field.set_trait("value", {name: {"metadata": entry, "content": content}})
    else:
        entry |= {"content": memoryview(content), "last_modified": datetime.datetime(2024, 1, 1)}
        field.value = (entry,)


def file(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_a_slider_changes_the_face_after_and_not_the_face_before(editor):
    smile, hat = parts(editor, FloatSlider)[:2]
    assert (smile.description, hat.description) == ("Smiling", "Wearing Hat")
    before, after = panels(editor)
    assert np.array_equal(before, after)
    smile.value = 1.0
    hat.value = 2.0
    again, after = panels(editor)
    assert np.array_equal(again, before)
    assert np.allclose(after - before, [51, 0, -102], atol=1)


def test_reset_undoes_the_edit_and_the_dice_bring_another_face_under_the_same_edit(editor):
    dice, reset = parts(editor, Button)[:2]
    first, _ = panels(editor)
    parts(editor, FloatSlider)[0].value = 1.0
    dice.click()
    before, after = panels(editor)
    assert not np.array_equal(before, first) and np.allclose(after - before, [51, 0, 0], atol=1)
    reset.click()
    assert np.array_equal(*panels(editor)) and np.array_equal(panels(editor)[0], before)


def test_a_photo_is_shown_encoded_and_edited(editor):
    upload(editor, file(Image.new("RGB", (300, 200), (200, 100, 50))))
    assert np.array_equal(panels(editor), [[200, 100, 50]] * 3)
    assert "the photo" in sentence(editor)
    parts(editor, FloatSlider)[0].value = -1.0
    assert np.array_equal(panels(editor), [[200, 100, 50]] * 2 + [[149, 100, 50]])
    parts(editor, Button)[0].click()
    assert len(panels(editor)) == 2, "a random face has no photo"


def test_zoom_and_shift_choose_the_part_of_the_photo(editor):
    halves = Image.new("RGB", (400, 200), (255, 0, 0))
    halves.paste((0, 0, 255), (200, 0, 400, 200))
    upload(editor, file(halves))
    _, _, right, down, turn = parts(editor, FloatSlider)
    [zoom] = parts(editor, FloatLogSlider)
    assert np.allclose(panels(editor)[1], [128, 0, 128], atol=3)
    right.value = 1.0
    assert np.array_equal(panels(editor)[1], [0, 0, 255])
    right.value, zoom.value = -1.0, 4.0
    assert np.array_equal(panels(editor)[1], [255, 0, 0])
    upload(editor, file(halves), "again.png")
    assert [control.value for control in (zoom, right, down, turn)] == [1, 0, 0, 0], "a new photo starts in its middle"
    assert "No face was found in this photo; zoom, shift and turn" in sentence(editor)


@pytest.fixture
def real_editor():
    codes = load_pretrained("face_codes")
    return widgets.face_editor(load_pretrained("faces"), codes, ("Smiling",), photo=astronaut())


def panel_images(editor):
    """The panels' pictures, (panels, 3, 64, 64) in [0, 1]."""
    [picture] = parts(editor, Picture)
    sheet = Image.open(io.BytesIO(picture.value))
    crops = [sheet.crop((left, 0, left + 256, 256)).resize((64, 64)) for left in range(0, sheet.width, 264)]
    return torch.stack([torch.from_numpy(np.array(crop)).permute(2, 0, 1) / 255 for crop in crops])


def test_a_photo_to_begin_with_is_aligned_refined_and_edited(real_editor):
    model, crop = load_pretrained("faces"), align_photo(astronaut(), load_pretrained("faces"))
    with torch.no_grad():
        refined = model.decode(refine_codes(model, crop, 10))
    photo, middle, after = panel_images(real_editor)
    eyes = (slice(None), slice(20, 30), slice(20, 44))  # without the marks
    assert (photo - crop[0])[eyes].abs().mean() < 0.02 and (middle - refined[0]).abs().mean() < 0.02
    assert torch.equal(middle, after)
    parts(real_editor, FloatSlider)[0].value = -2.0
    judge = load_pretrained("face_judge")
    with torch.no_grad():
        smiling = judge(panel_images(real_editor)[1:])[:, judge.attributes.index("Smiling")]
    assert smiling[0] > 0 > smiling[1], "she smiles, until the slider says otherwise"


def test_the_refine_slider_changes_the_middle_only_and_a_new_place_is_not_refined_yet(real_editor):
    [refine], [zoom] = parts(real_editor, IntSlider), parts(real_editor, FloatLogSlider)
    first = panel_images(real_editor)
    assert refine.value == refine.max == 10
    refine.value = 0
    plain = panel_images(real_editor)
    assert torch.equal(plain[0], first[0]) and not torch.equal(plain[1], first[1])
    distance = [(images[1] - images[0])[:, :48].square().mean() for images in (plain, first)]
    assert distance[1] < distance[0]
    refine.value = 5
    zoom.value = 1.2
    assert refine.value == 0 and not torch.equal(panel_images(real_editor)[0], first[0])


def test_another_face_of_the_photo_can_be_chosen(editor, real_editor):
    two = Image.new("RGB", (900, 512), "white")
    two.paste(Image.fromarray(astronaut()).resize((340, 340)), (20, 100))
    two.paste(Image.fromarray(astronaut()).transpose(Image.Transpose.FLIP_LEFT_RIGHT), (380, 0))
    next_face = parts(real_editor, Button)[2]
    assert next_face.description == "next face in the photo"
    upload(real_editor, file(two))
    assert next_face.layout.display is None
    large = panel_images(real_editor)[0]
    next_face.click()
    small = panel_images(real_editor)[0]
    assert (large - small).abs().mean() > 0.05 and (large.flip(2) - small).abs().mean() < 0.08
    upload(editor, file(Image.new("RGB", (80, 80), "white")))
    assert parts(editor, Button)[2].layout.display == "none"


def bomb(edge=20_000):
    """The start of a PNG that says that it has 20,000 by 20,000 pixels."""
    png = b"\x89PNG\r\n\x1a\n"
    for name, body in ((b"IHDR", struct.pack(">IIBBBBB", edge, edge, 8, 2, 0, 0, 0)), (b"IDAT", b"")):
        png += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return png


noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8))
UNUSABLE = {
    "no image": (b"<html>Quota exceeded</html>", "is not an image that can be read here"),
    "nothing": (b"", "is not an image that can be read here"),
    "a truncated jpg": (file(noise, "JPEG")[:9000], "damaged or cut off"),
    "a truncated png": (file(noise)[:9000], "damaged or cut off"),
    "400 million pixels": (bomb(), "too many pixels"),
    "100 million pixels that cannot be reduced": (bomb(10_000), "10,000 by 10,000 pixels"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_photo_that_cannot_be_used_gives_one_sentence_and_keeps_the_face(editor, what):
    content, words = UNUSABLE[what]
    parts(editor, FloatSlider)[0].value = 1.0
    before = panels(editor)
    upload(editor, content, "<me>.jpg")
    assert words in sentence(editor) and "\n" not in sentence(editor)
    assert sentence(editor).startswith("&lt;me&gt;.jpg: "), "a file's name is text, not HTML"
    assert np.array_equal(panels(editor), before)
    upload(editor, file(Image.new("RGB", (80, 80), "white")))
    assert len(panels(editor)) == 3, "the next photo is taken"


def test_a_photo_of_ten_thousand_pixels_is_decoded_reduced_and_without_a_warning():
    content = file(Image.new("RGB", (10_000, 10_000), (10, 200, 30)), "JPEG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        photo = widgets.open_photo(content)
    assert photo.size == (1250, 1250)
    # JPEG keeps colours to a few steps.
    expected = torch.tensor([10, 200, 30]) / 255
    torch.testing.assert_close(
        photos.cut_out(photo, photos.Place(625, 625, 1250), 64)[0, :, 32, 32], expected, atol=0.01, rtol=0
    )


def test_a_turned_photo_is_put_upright():
    lying = Image.new("RGB", (200, 100), "black")
    lying.paste("white", (0, 0, 100, 100))
    note = Image.Exif()
    note[0x0112] = 6  # the camera was turned: what is at the left belongs to the top
    upright = widgets.open_photo(file(lying, "JPEG", exif=note))
    assert upright.size == (100, 200)
    pixels = photos.cut_out(upright, photos.Place(50, 100, 100), 64)
    assert pixels[0, :, :20].min() > 0.9 and pixels[0, :, 44:].max() < 0.1


def test_grey_and_transparent_photos_become_rgb():
    grey = widgets.open_photo(file(Image.new("L", (50, 50), 100)))
    assert grey.mode == "RGB" and grey.getpixel((0, 0)) == (100, 100, 100)
    for image in (Image.new("RGBA", (50, 50), (255, 0, 0, 0)), Image.new("LA", (50, 50), (0, 0))):
        clear = widgets.open_photo(file(image))
        assert clear.mode == "RGB" and clear.getpixel((0, 0)) == (255, 255, 255)


def test_the_same_photo_can_be_chosen_twice_and_is_not_kept(editor):
    for _ in range(2):
        upload(editor, file(Image.new("RGB", (300, 200), (200, 100, 50))))
        assert len(panels(editor)) == 3
        assert not parts(editor, FileUpload)[0].value
        parts(editor, Button)[0].click()
        assert len(panels(editor)) == 2


def test_an_error_of_the_model_appears_in_words(editor, monkeypatch):
    monkeypatch.setattr(ThreeGreys, "decode", lambda self, z: z.broken)
    parts(editor, FloatSlider)[0].value = 1.0
    [problem] = [text for text in parts(editor, HTML) if "could not be drawn (AttributeError" in text.value]
    assert problem.layout.display is None


def test_random_faces_take_none_of_the_notebooks_random_numbers(editor):
    before = torch.get_rng_state()
    parts(editor, Button)[0].click()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize(("model_at", "codes_at"), [("cuda", "cpu"), ("cpu", "cuda"), ("cuda", "cuda")])
def test_model_and_codes_may_lie_on_different_devices(model_at, codes_at):
    codes = load_pretrained("face_codes").to(codes_at)
    editor = widgets.face_editor(load_pretrained("faces").to(model_at), codes)
    parts(editor, FloatSlider)[0].value = 1.0
    parts(editor, Button)[0].click()
    upload(editor, file(Image.new("RGB", (300, 200), (200, 100, 50))))
    assert len(panels(editor)) == 3 and "could not" not in str([text.value for text in parts(editor, HTML)])
    assert codes.means.device.type == codes_at, "the caller's codes stay where they are"


def test_the_first_random_face_is_serious_and_evenly_lit():
    """If a face model that was trained anew fails here, look for another FIRST_FACE."""
    model, codes, judge = (load_pretrained(name) for name in ("faces", "face_codes", "face_judge"))
    with torch.no_grad():
        face = model.decode(codes.sample(1, torch.Generator().manual_seed(FIRST_FACE)))
        says = dict(zip(judge.attributes, judge(face)[0].sigmoid().tolist(), strict=True))
    assert says["Smiling"] < 0.05 and says["Mouth_Slightly_Open"] < 0.1 and says["Eyeglasses"] < 0.05
    left, right = face[0, :, 22:54, 18:32].mean(), face[0, :, 22:54, 32:46].mean()
    assert 0.5 < (left + right) / 2 < 0.75 and (left - right).abs() < 0.05
    assert face[0].mean(0)[22:54, 18:46].std() > 0.1, "a clear face, not a pale one"
    # The editor begins with it.
    shown = np.asarray(Image.open(io.BytesIO(parts(widgets.face_editor(model, codes), Picture)[0].value)))
    small = Image.fromarray(shown[:, :256]).resize((64, 64), Image.Resampling.BOX)
    assert np.abs(np.asarray(small) / 255 - face[0].permute(1, 2, 0).numpy()).mean() < 0.02


def test_both_forms_of_the_upload_field_are_read():
    content = b"content"
    version_7 = {"old.jpg": {"content": b"?"}, "me.jpg": {"metadata": {}, "content": content}}
    version_8 = ({"name": "me.jpg", "content": memoryview(content)},)
    assert _uploaded(version_7) == _uploaded(version_8) == ("me.jpg", content)


def test_an_unknown_attribute_is_named():
    codes = judges.FaceCodes(latent_dim=3, components=1, attributes=ATTRIBUTES)
    with pytest.raises(ValueError, match="no attribute 'Happy'; choose one of: Smiling, Wearing_Hat"):
        widgets.face_editor(ThreeGreys(), codes, ["Happy"])
