"""Faces are found in whole photographs, placed as the model knows them, and their absence is told in a sentence."""

import time

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.data import astronaut

from vae_helpers import data
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import photos
from vae_helpers.evaluate import decode_all, encode_all, refine_codes

# In scikit-image's portrait of Eileen Collins (NASA, public domain), her eyes and her mouth, as seen by eye.
EYES, MOUTH = ((209, 106), (246, 106)), (229, 145)
# Where CelebA's crops, as the course makes them, have both eyes' middle and the mouth, as shares of the edge.
EYES_IN_CROP, MOUTH_IN_CROP = (0.5, 0.515), (0.5, 0.785)


@pytest.fixture(scope="module")
def model():
    return load_pretrained("faces")


def where(place, point):
    """Where a point of a photo lies in a crop of it, as shares of the edge."""
    right, down = np.subtract(point, place[:2]) / place.edge
    cosine, sine = np.cos(np.deg2rad(place.turn)), np.sin(np.deg2rad(place.turn))
    return right * cosine - down * sine + 0.5, right * sine + down * cosine + 0.5


def test_the_astronaut_lies_in_her_crop_as_the_models_faces_do(model):
    found = photos.find_faces(astronaut())[0]
    place = photos.place_face(astronaut(), model, found)
    eyes = np.mean([where(place, eye) for eye in EYES], 0)
    assert np.allclose(eyes, EYES_IN_CROP, atol=0.06)
    assert np.allclose(where(place, MOUTH), MOUTH_IN_CROP, atol=0.08)
    image = data.align_photo(astronaut(), model)
    assert torch.equal(image, photos.cut_out(astronaut(), place, 64)) and image.shape == (1, 3, 64, 64)
    assert torch.equal(image, data.align_photo(Image.fromarray(astronaut()), model)), "the same every time"


def test_the_model_keeps_her_smile_and_explains_her_better_than_the_rough_place(model):
    judge, rough = load_pretrained("face_judge"), photos.cut_out(astronaut(), photos.find_faces(astronaut())[0], 64)
    image = data.align_photo(astronaut(), model)
    codes = [encode_all(model, rough), encode_all(model, image), refine_codes(model, image)]
    errors = [
        (decode_all(model, code) - x).square().mean() for code, x in zip(codes, (rough, image, image), strict=True)
    ]
    assert errors[2] < 0.95 * errors[1] and errors[1] < 0.95 * errors[0]
    with torch.no_grad():
        smiling = judge(decode_all(model, torch.cat(codes[1:])))[:, judge.attributes.index("Smiling")]
    assert (smiling > 0).all(), "she smiles in the photo"


def pair():
    """Two astronauts in one picture, the smaller at the left."""
    picture = Image.new("RGB", (900, 512), "white")
    picture.paste(Image.fromarray(astronaut()).resize((340, 340)), (20, 100))
    picture.paste(Image.fromarray(astronaut()), (380, 0))
    return picture


def test_of_two_faces_the_largest_comes_first_and_the_other_can_be_chosen(model):
    large, small = (photos.place_face(pair(), model, place) for place in photos.find_faces(pair())[:2])
    assert np.allclose(large[:2], (380 + 228, 100), atol=12) and np.allclose(small[:2], (20 + 151, 166), atol=10)
    other = data.align_photo(pair(), model, face=1)
    assert not torch.equal(data.align_photo(pair(), model), other)
    assert torch.equal(other, photos.cut_out(pair(), small, 64))
    with pytest.raises(ValueError, match=r"shows \d face\(s\), so face must be 0 to \d, not 7"):
        data.align_photo(pair(), model, face=7)


@pytest.mark.parametrize("turn", [12, 25, -25])
def test_a_tilted_face_is_put_upright(model, turn):
    picture = Image.fromarray(astronaut()).rotate(turn, Image.Resampling.BICUBIC, center=(228, 120))
    place = photos.place_face(picture, model, photos.find_faces(picture)[0])
    sine, cosine = np.sin(np.deg2rad(turn)), np.cos(np.deg2rad(turn))
    middle = 228 - 2 * cosine - 20 * sine, 120 + 2 * sine - 20 * cosine
    assert abs(place.turn - turn) < 8 and np.allclose(place[:2], middle, atol=8)
    image = data.align_photo(picture, model)
    assert (decode_all(model, encode_all(model, image)) - image).square().mean() < 0.009


def test_a_place_that_reaches_beyond_the_photo_repeats_its_edges():
    photo = Image.new("RGB", (40, 30), (10, 20, 30))
    everywhere = photos.cut_out(photo, photos.Place(0, 0, 60, 30), 16) * 255
    torch.testing.assert_close(everywhere, torch.tensor([10.0, 20, 30])[None, :, None, None].expand(1, 3, 16, 16))
    photo.paste((200, 20, 30), (20, 0, 40, 30))
    assert photos.cut_out(photo, photos.Place(30, 15, 10), 16)[0, 0].min() > 0.75, "of the right half"


@pytest.mark.parametrize(
    "photo",
    [np.full((300, 200, 3), 200, np.uint8), Image.new("L", (20, 20)), Image.new("RGB", (1, 900)), None],
    ids=["blank", "tiny", "a line", "rocket"],
)
def test_a_photo_without_a_face_is_told_so(model, photo):
    if photo is None:
        from skimage.data import rocket

        photo = rocket()
    with pytest.raises(ValueError, match="No face was found in this photo; take one that shows a face from the front"):
        data.align_photo(photo, model)


def test_what_is_no_photo_is_told_so(model):
    for wrong in (astronaut() / 255, torch.zeros(3, 64, 64), astronaut()[None], "me.jpg"):
        with pytest.raises(ValueError, match="A photo must be of Pillow, or an array"):
            data.align_photo(wrong, model)


def test_a_large_photo_takes_hardly_longer_than_a_small_one(model):
    """0.8 s on a quiet core, to which a busy machine adds; so the two are compared."""
    images, seconds = [], []
    for photo in (astronaut(), astronaut(), Image.fromarray(astronaut()).resize((4096, 4096))):
        start = time.thread_time()
        images.append(data.align_photo(photo, model))
        seconds.append(time.thread_time() - start)
    assert seconds[2] < 3 * seconds[1] and (images[2] - images[1]).abs().mean() < 0.05


def test_random_numbers_and_the_model_stay_as_they_are(model):
    model.train()
    state = torch.get_rng_state()
    data.align_photo(astronaut(), model)
    assert torch.equal(torch.get_rng_state(), state) and model.training
    model.eval()
