"""The recipes of the shipped models, on a few portraits instead of CelebA."""

import dataclasses
import hashlib

import pytest
import torch

import pretrain
from vae_helpers import checkpoints, data, models


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """An empty folder in place of data/pretrained, and 300 portraits in place of every split of CelebA."""
    monkeypatch.setattr(checkpoints, "pretrained_folder", lambda: tmp_path)
    faces = data.render_portraits(300, size=32)
    monkeypatch.setattr(data, "load_faces", lambda split, source: faces)
    return tmp_path


def train_tiny_faces(checkpoint):
    model = models.FaceVAE(image_shape=(3, 32, 32), channels=(4, 8), latent_dim=3)
    faces = data.load_faces("train", source="celeba")
    return pretrain.train_in_stages(model, faces, ((1, 1, 1e-3), (4, 1, 1e-3)), checkpoint, "300 portraits")


TINY = {
    "faces": dataclasses.replace(pretrain.RECIPES["faces"], train=train_tiny_faces),
    "face_judge": dataclasses.replace(
        pretrain.RECIPES["face_judge"], train=lambda checkpoint: pretrain.train_face_judge(checkpoint, epochs=1)
    ),
    "face_codes": dataclasses.replace(
        pretrain.RECIPES["face_codes"], train=lambda checkpoint: pretrain.train_face_codes(checkpoint, components=2)
    ),
}


def make(folder, *names):
    for name in names:
        pretrain.make(name, TINY[name], folder / "state" / f"{name}.ckpt")


def test_a_face_model_is_written_with_the_error_that_it_has_when_it_is_loaded_again(shipped):
    make(shipped, "faces")
    faces = data.load_faces("train", source="celeba")
    model = checkpoints.load_pretrained("faces")
    with torch.no_grad():
        error = (model.decode(model.encode(faces.floats)[0]) - faces.floats).square().mean().item()
    card = (shipped / "faces.md").read_text(encoding="utf-8")
    assert f"**{error:.5f}**" in card and "2 epochs" in card and "On 300 images" in card
    assert model.about["test_scores"]["error"] == pytest.approx(error, rel=1e-4)
    assert "non-commercial" in model.about["licence"] and "300 portraits" in model.about["trained_on"]


def test_a_finished_training_is_not_repeated(shipped):
    make(shipped, "faces")
    first = (shipped / "faces.safetensors").read_bytes()
    (shipped / "faces.safetensors").unlink()
    make(shipped, "faces")
    assert (shipped / "faces.safetensors").read_bytes() == first


def test_a_card_can_be_written_again_without_training_and_belongs_to_its_file(shipped):
    """Scores are measured anew; what was trained, weights and times, stays bit for bit."""
    make(shipped, "faces")
    before, card = checkpoints.load_pretrained("faces"), (shipped / "faces.md").read_text(encoding="utf-8")
    checkpoints.save_model(
        before, shipped / "faces", dtype=torch.float16, **(before.about | {"test_scores": {"error": 0}})
    )
    (shipped / "faces.md").write_text("written by another program")
    recipe = dataclasses.replace(TINY["faces"], train=None)
    pretrain.write_card("faces", recipe)
    assert (shipped / "faces.md").read_text(encoding="utf-8") == card
    assert hashlib.sha256((shipped / "faces.safetensors").read_bytes()).hexdigest() in card
    after = checkpoints.load_pretrained("faces")
    assert after.about == before.about
    for name, value in before.state_dict().items():
        assert torch.equal(after.state_dict()[name], value), name
    assert {file.name for file in shipped.iterdir()} == {"faces.safetensors", "faces.md", "state"}


def test_codes_and_judge_are_written_with_their_cards(shipped):
    make(shipped, "faces", "face_judge", "face_codes")
    faces = data.load_faces("train", source="celeba")
    codes = checkpoints.load_pretrained("face_codes")
    means, _ = checkpoints.load_pretrained("faces").encode(faces.floats)
    hats = faces.attribute("Wearing_Hat")
    torch.testing.assert_close(
        codes.direction("Wearing_Hat"), means[hats].mean(0) - means[~hats].mean(0), rtol=0.01, atol=0.01
    )
    assert codes.sample(5).shape == (5, 3)
    assert "Wearing_Hat |" in (shipped / "face_judge.md").read_text(encoding="utf-8")
    assert "samples from the prior N(0, I) |" in (shipped / "face_codes.md").read_text(encoding="utf-8")


def test_the_nll_on_the_digits_card_is_that_of_the_model(shipped, monkeypatch):
    """With 40 digits for MNIST, and k = 10 for 1,000, in the same way as with all of them."""
    digits = data.load_digits("test", source="embedded").subset(slice(None, None, 25))
    monkeypatch.setattr(data, "load_digits", lambda split, source: digits)
    asked = []

    def nll(model, images, k):
        asked.append((len(images), k))
        return torch.full((len(images),), 90.0 - k / 1000) + torch.arange(len(images)) % 3

    monkeypatch.setattr(pretrain.evaluate, "importance_weighted_nll", nll)
    monkeypatch.setattr(pretrain.evaluate, "scoreboard", lambda entries, images, k: f"{len(images)} digits")
    model = models.ConvVAE(channels=(4, 8), hidden=9, latent_dim=3)
    model.about = {"training_loss": 83.69}
    scores, text = pretrain.measure_digits(model)
    assert asked == [(40, 100), (4, 1000)]
    assert scores["nll"] == pytest.approx(89.9 + 39 / 40, abs=1e-4) and f"**{scores['nll']:.2f}**" in text
    assert scores["neg_elbo"] == pytest.approx(scores["rate"] + scores["distortion"])
    assert "83.69" in text and "4 digits" in text


def test_every_shipped_model_has_a_recipe_and_the_other_way_round():
    shipped = {file.stem for file in checkpoints.pretrained_folder().glob("*.safetensors")}
    assert pretrain.RECIPES.keys() == shipped


def test_mirrored_images_are_whole_and_some_of_them_turned():
    torch.manual_seed(0)
    images = torch.arange(3.0).expand(50, 1, 2, 3) / 2
    mirrored = pretrain._mirrored(images)
    turned = (mirrored == images.flip(3)).flatten(1).all(1)
    assert ((mirrored == images).flatten(1).all(1) ^ turned).all()
    assert 10 < turned.sum() < 40


def test_what_a_shipped_card_says_is_what_its_model_does(real_data):
    model = checkpoints.load_pretrained("digit_classifier")
    scores, text = pretrain.measure_digit_classifier(model)
    assert scores["accuracy"] == pytest.approx(model.about["test_scores"]["accuracy"], abs=2e-4)
    card = checkpoints.pretrained_folder() / "digit_classifier.md"
    assert card.read_text(encoding="utf-8").endswith(text)
