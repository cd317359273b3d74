"""The recipes of the shipped models, on a few portraits instead of CelebA."""

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


def train_tiny_faces(folder, faces):
    torch.manual_seed(0)
    model = models.FaceVAE(image_shape=(3, 32, 32), channels=(4, 8), latent_dim=3)
    pretrain._train_faces(
        "faces",
        "tiny",
        model,
        faces,
        faces,
        ((1, 1, 1e-3), (4, 1, 1e-3)),
        folder / "state" / "faces.ckpt",
        "300 portraits.",
        "none",
    )


def test_a_face_model_is_written_with_the_error_that_it_has_when_it_is_loaded_again(shipped):
    faces = data.load_faces("train", source="celeba")
    train_tiny_faces(shipped, faces)
    model = checkpoints.load_pretrained("faces")
    with torch.no_grad():
        error = (model.decode(model.encode(faces.floats)[0]) - faces.floats).square().mean().item()
    card = (shipped / "faces.md").read_text()
    assert f"**{error:.5f}**" in card and "2 epochs" in card and "On 300 images" in card


def test_a_finished_training_is_not_repeated(shipped, capsys):
    faces = data.load_faces("train", source="celeba")
    train_tiny_faces(shipped, faces)
    first = (shipped / "faces.safetensors").read_bytes()
    (shipped / "faces.safetensors").unlink()
    train_tiny_faces(shipped, faces)
    assert (shipped / "faces.safetensors").read_bytes() == first


def test_codes_and_judge_are_written_with_their_cards(shipped):
    faces = data.load_faces("train", source="celeba")
    train_tiny_faces(shipped, faces)
    pretrain.face_judge(shipped / "state" / "judge.ckpt", epochs=1)
    pretrain.face_codes(shipped / "state" / "codes.ckpt", components=2)
    codes = checkpoints.load_pretrained("face_codes")
    model = checkpoints.load_pretrained("faces")
    means, _ = model.encode(faces.floats)
    hats = faces.attribute("Wearing_Hat")
    torch.testing.assert_close(
        codes.direction("Wearing_Hat"), means[hats].mean(0) - means[~hats].mean(0), rtol=0.01, atol=0.01
    )
    assert codes.sample(5).shape == (5, 3)
    assert "Wearing_Hat |" in (shipped / "face_judge.md").read_text()
    assert "samples from the prior N(0, I) |" in (shipped / "face_codes.md").read_text()


def test_mirrored_images_are_whole_and_some_of_them_turned():
    torch.manual_seed(0)
    images = torch.arange(3.0).expand(50, 1, 2, 3) / 2
    mirrored = pretrain._mirrored(images)
    turned = (mirrored == images.flip(3)).flatten(1).all(1)
    assert ((mirrored == images).flatten(1).all(1) ^ turned).all()
    assert 10 < turned.sum() < 40
