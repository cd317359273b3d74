import pytest
import torch

from vae_helpers.data import FaceSet, render_portraits
from vae_helpers.synthetic import casting, portraits


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    return render_portraits(2000, seed=3)


@pytest.fixture(scope="module")
def cast() -> tuple[dict, dict]:
    people = casting.random_people(200, seed=5)
    return people, casting.random_moods(people, seed=6)


def region(images, top, bottom, left, right):
    """Mean brightness, (N,), of a part of the pictures; the edges are fractions of the size."""
    size = images.shape[-1]
    rows, columns = slice(int(top * size), int(bottom * size)), slice(int(left * size), int(right * size))
    return images[:, :, rows, columns].float().mean((1, 2, 3))


def change(cast, size=64, **knobs):
    """Draw the same people in the same moods, but with these knobs."""
    people, moods = cast
    changed = {name: torch.full((len(people["skin"]),), float(value)) for name, value in knobs.items()}
    return portraits.draw(people | changed, moods | changed, size)


def correlation(faces, a, b):
    return torch.corrcoef(torch.stack([faces.attribute(a), faces.attribute(b)]).float())[0, 1].item()


def test_a_face_set_with_labels_people_and_truth(faces):
    assert faces.images.shape == (2000, 3, 64, 64) and faces.images.dtype == torch.uint8
    assert faces.labels.dtype == torch.int64 and set(faces.labels.unique().tolist()) == {0, 1}
    assert faces.truth.dtype == torch.float32 and faces.truth.shape == (2000, len(faces.truth_names))
    assert len(faces.label_names) >= 12
    assert torch.equal(faces.people.unique(), faces.people[::4]) and len(faces.people[::4]) == 500
    assert 0.02 < faces.labels.float().mean(0).min() and faces.labels.float().mean(0).max() < 0.6


@pytest.mark.parametrize("size", [1, 17, 128])
def test_any_size(size):
    assert render_portraits(3, size=size).images.shape == (3, 3, size, size)


def test_a_larger_picture_shows_the_same(cast):
    large = torch.nn.functional.avg_pool2d(portraits.draw(*cast, size=128).float(), 2)
    assert (large - portraits.draw(*cast, size=64)).abs().mean() < 4


def test_the_seed_decides_everything():
    before = torch.get_rng_state()
    first, again, other = render_portraits(6, seed=1), render_portraits(6, seed=1), render_portraits(6, seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.images, again.images) and torch.equal(first.labels, again.labels)
    assert not torch.equal(first.images, other.images)


def test_the_first_portraits_do_not_depend_on_how_many_follow():
    few, many = render_portraits(30, seed=4), render_portraits(150, seed=4)
    assert torch.equal(few.images, many.images[:30]) and torch.equal(few.labels, many.labels[:30])
    assert torch.equal(few.truth, many.truth[:30])


def test_batches_do_not_show(cast, monkeypatch):
    whole = portraits.draw(*cast)
    monkeypatch.setattr(portraits, "_BATCH", 7)
    assert torch.equal(portraits.draw(*cast), whole)


def test_one_person_stays_the_same(faces):
    # The labels of the person are the same in all four portraits; those of the mood are not.
    per_person = faces.labels.reshape(500, 4, -1).float()
    fixed = {name for name, spread in zip(faces.label_names, per_person.std(1).amax(0), strict=True) if spread == 0}
    assert fixed == set(casting.ATTRIBUTE_NAMES) - set(casting.MOOD_TRAITS) - {"Wearing_Lipstick"}


def test_a_mood_leaves_the_person_alone():
    people = casting.random_people(4, seed=0)
    copy = {name: values.clone() for name, values in people.items()}
    casting.random_moods(people, seed=1)
    assert all(torch.equal(values, people[name]) for name, values in copy.items())


def test_labels_follow_from_the_truth(faces):
    smile, mouth_open = (faces.truth[:, faces.truth_names.index(name)] for name in ("smile", "mouth_open"))
    assert torch.equal(faces.attribute("Smiling"), smile > 0.3)
    assert torch.equal(faces.attribute("Mouth_Slightly_Open"), mouth_open > 0.175)
    assert not ((smile > 0.16) & (smile < 0.44)).any()


def test_labels_agree_with_each_other(faces):
    colours = sum(faces.attribute(name).int() for name in ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"))
    assert colours.max() == 1
    assert not (faces.attribute("Bald") & (faces.attribute("Bangs") | (colours > 0))).any()
    bearded = faces.attribute("Goatee") | faces.attribute("Mustache")
    assert not (bearded & faces.attribute("Wearing_Lipstick")).any()


def test_hair_has_the_colour_of_its_label(faces):
    bare = ~faces.attribute("Wearing_Hat")
    hair = region(faces.images, 0.17, 0.21, 0.42, 0.58)
    mean = {name: hair[bare & faces.attribute(f"{name}_Hair")].mean() for name in ("Black", "Brown", "Blond", "Gray")}
    assert mean["Black"] + 15 < mean["Brown"] and mean["Brown"] + 40 < min(mean["Blond"], mean["Gray"])


def test_pale_skin_is_lighter(faces):
    cheek = region(faces.images, 0.58, 0.66, 0.38, 0.46)
    plain = ~faces.attribute("Goatee") & ~faces.attribute("Rosy_Cheeks")
    pale = faces.attribute("Pale_Skin")
    assert cheek[plain & pale].quantile(0.2) > cheek[plain & ~pale].quantile(0.8)


@pytest.mark.parametrize(
    ("knob", "top", "bottom"),
    [("glasses", 0.3, 0.65), ("hat", 0.0, 0.5), ("mouth_open", 0.25, 0.9), ("smile", 0.25, 0.85)],
)
def test_a_knob_changes_its_part_of_the_face_only(cast, knob, top, bottom):
    difference = (change(cast, **{knob: 1}).int() - change(cast, **{knob: 0}).int()).abs().float().mean((1, 3))
    if knob == "hat":  # long hair and high hair change as a whole
        assert (difference[:, :32].mean(1) > 4).all()
        return
    inside = slice(int(top * 64), int(bottom * 64))
    assert (difference[:, inside].mean(1) > 0.2).all()
    difference[:, inside] = 0
    assert difference.max() == 0


def test_glasses_darken_the_skin_around_the_eyes_of_pale_people(cast):
    dark = {name: torch.zeros_like(values) for name, values in cast[1].items() if name == "frame"}
    people, moods = cast[0], cast[1] | dark | {"hat": torch.zeros(200)}
    without, with_ = (
        region(portraits.draw(people, moods | {"glasses": torch.full((200,), g)}), 0.4, 0.6, 0.2, 0.8)
        for g in (0.0, 1.0)
    )
    pale = people["pale"] > 0.5
    assert pale.any() and (with_ < without)[pale].all()


def test_the_light_comes_from_its_side(cast):
    left, right = (
        change(cast, light_direction=side, light_strength=1, head_turn=0, hat=0, glasses=0) for side in (-1, 1)
    )
    bias = [region(images, 0.5, 0.65, 0.55, 0.7) - region(images, 0.5, 0.65, 0.3, 0.45) for images in (left, right)]
    assert (bias[0] < bias[1] - 5).all()


def test_the_nose_goes_with_the_turn(cast):
    # Where the picture changes most between a small and a large nose lies the nose.
    for turn in (-1, 1):
        large, small = (change(cast, nose=nose, head_turn=turn, head_tilt=0, right=0) for nose in (1.6, 0.8))
        weight = (large.int() - small.int()).abs().float().sum((1, 2))
        place = (weight * torch.linspace(-1, 1, 64)).sum(1) / weight.sum(1)
        assert (turn * place > 0.1).all()


def test_hair_leaves_the_eyes_free(cast):
    # The same people with and without hair have the same eyes.
    people, moods = cast
    bald, hairy = (people | {"bald": torch.full((200,), b)} for b in (1.0, 0.0))
    mood = moods | {name: torch.zeros(200) for name in ("hat", "glasses", "head_turn", "head_tilt", "right", "down")}
    difference = (portraits.draw(bald, mood).int() - portraits.draw(hairy, mood).int()).abs().float().amax(1)
    for column in (25, 39):  # the middle of each eye
        assert (difference[:, 31, column] < 40).all()


@pytest.mark.parametrize(
    ("pair", "wanted"),
    [
        (("Smiling", "Eyeglasses"), 0.6),
        (("Smiling", "Mouth_Slightly_Open"), 0.54),
        (("Wearing_Hat", "Smiling"), -0.3),
        (("Smiling", "Pale_Skin"), 0.3),
        (("Mustache", "Goatee"), 0.5),
    ],
)
def test_correlations_are_as_asked_for(pair, wanted):
    drawn = render_portraits(5000, size=4, seed=0, correlations={pair: wanted})
    assert correlation(drawn, *pair) == pytest.approx(wanted, abs=0.05)
    # The attributes are as frequent as before, and others are left alone.
    plain = render_portraits(5000, size=4, seed=0)
    assert (drawn.labels.float().mean(0) - plain.labels.float().mean(0)).abs().max() < 0.04
    assert correlation(drawn, "Rosy_Cheeks", pair[0]) == pytest.approx(0, abs=0.06)
    assert correlation(plain, *pair) == pytest.approx(0, abs=0.08)


def test_several_correlations_at_once():
    wanted = {("Smiling", "Eyeglasses"): 0.4, ("Eyeglasses", "Wearing_Hat"): -0.2, ("Smiling", "Rosy_Cheeks"): 0.3}
    drawn = render_portraits(5000, size=4, seed=1, correlations=wanted)
    for pair, value in wanted.items():
        assert correlation(drawn, *pair) == pytest.approx(value, abs=0.05)


@pytest.mark.parametrize(
    ("correlations", "words"),
    [
        ({("Smiling", "Glasses"): 0.5}, "no attribute 'Glasses'"),
        ({("Smiling", "Blond_Hair"): 0.5}, "depends on"),
        ({("Smiling", "Smiling"): 0.5}, "asked for as"),
        ({"Smiling": 0.5}, "asked for as"),
        ({("Smiling", "Eyeglasses"): 1.5}, "between"),
        ({("Smiling", "Eyeglasses"): 0.9}, "between"),
        ({("Smiling", "Eyeglasses"): float("nan")}, "between"),
        ({("Smiling", "Eyeglasses"): "much"}, "a number"),
        ({("Smiling", "Eyeglasses"): 0.2, ("Eyeglasses", "Smiling"): 0.4}, "twice"),
        (
            {("Smiling", "Eyeglasses"): 0.5, ("Smiling", "Wearing_Hat"): 0.4, ("Eyeglasses", "Wearing_Hat"): -0.2},
            "contradict",
        ),
    ],
)
def test_impossible_correlations_are_refused(correlations, words):
    with pytest.raises(ValueError, match=words):
        render_portraits(4, correlations=correlations)


@pytest.mark.parametrize(("n", "size"), [(0, 64), (-1, 64), (4, 0)])
def test_impossible_numbers_are_refused(n, size):
    with pytest.raises(ValueError, match="At least one"):
        render_portraits(n, size)
