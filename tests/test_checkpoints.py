"""Saving, loading and the shipped models."""

import json

import pytest
import torch
from torch import nn

from vae_helpers import checkpoints, data, models


@pytest.mark.parametrize(
    "model",
    [
        models.DenseAutoencoder(hidden=(20, 10), latent_dim=3),
        models.DenseVAE(image_shape=(3, 4, 4), hidden=(7,), latent_dim=3),
        models.ConvVAE(channels=(4, 8), blocks=1, hidden=9, latent_dim=3),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_loaded_model_is_the_saved_one(model, tmp_path):
    checkpoints.save_model(model, tmp_path / "deep" / "model.v1", data="MNIST")
    before = torch.get_rng_state()
    loaded = checkpoints.load_model(tmp_path / "deep" / "model.v1")
    assert torch.equal(torch.get_rng_state(), before), "loading leaves the random numbers alone"
    assert type(loaded) is type(model) and not loaded.training
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=0, atol=0)
    assert json.loads((tmp_path / "deep" / "model.v1.json").read_text())["data"] == "MNIST"


def test_float16_halves_the_file_and_loads_as_float32(tmp_path):
    model = models.DenseVAE()
    checkpoints.save_model(model, tmp_path / "whole")
    checkpoints.save_model(model, tmp_path / "half", dtype=torch.float16)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.52 * sizes[0]
    weight = checkpoints.load_model(tmp_path / "half").encoder[0].weight
    assert weight.dtype == torch.float32
    torch.testing.assert_close(weight, model.encoder[0].weight, rtol=1e-3, atol=1e-6)


def test_a_class_of_ones_own_is_refused(tmp_path):
    class DenseVAE(nn.Module):
        pass

    for model in (nn.Linear(2, 2), DenseVAE()):
        with pytest.raises(ValueError, match="is not one"):
            checkpoints.save_model(model, tmp_path / "model")


def test_broken_files_are_refused_in_a_sentence(tmp_path):
    path = tmp_path / "model"
    with pytest.raises(FileNotFoundError, match="two files"):
        checkpoints.load_model(path)
    weights, about = tmp_path / "model.safetensors", tmp_path / "model.json"

    def refused():
        with pytest.raises(ValueError, match="not a whole model"):
            checkpoints.load_model(path)

    checkpoints.save_model(models.DenseVAE(), path)
    weights.write_bytes(weights.read_bytes()[:-100])
    refused()
    checkpoints.save_model(models.DenseVAE(), path)
    about.write_text(about.read_text()[:-10])
    refused()
    for wrong in (
        {"class": "DenseVAE", "arguments": {"latent_dim": 5}},
        {"class": "nn", "arguments": {}},
        {"class": "NoSuch"},
    ):
        about.write_text(json.dumps(wrong))
        refused()


def test_shipped_models_load_and_are_small():
    folder = checkpoints.pretrained_folder()
    names = {file.stem for file in folder.glob("*.safetensors")}
    assert {"digits", "digit_classifier"} <= names
    for name in names:
        checkpoints.load_pretrained(name)
        assert (folder / f"{name}.safetensors").stat().st_size < 5e6
        assert (folder / f"{name}.md").is_file(), "every shipped model has a card"
    with pytest.raises(ValueError, match=r"ships no model 'cats'; it ships: .*digits"):
        checkpoints.load_pretrained("cats")


@torch.no_grad()
def test_the_digit_classifier_knows_digits():
    digits = data.load_digits("test", source="embedded")
    logits = checkpoints.load_pretrained("digit_classifier")(digits.floats)
    assert (logits.argmax(1) == digits.labels).float().mean() > 0.97
