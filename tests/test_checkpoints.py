"""Saving, loading and the shipped models."""

import hashlib
import itertools
import json
import multiprocessing
import os
import random
import threading
import time

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from conftest import tries
from vae_helpers import checkpoints, data, models

SMALL = {"image_shape": (1, 4, 4), "hidden": (7,), "latent_dim": 3}


def assert_same_weights(model, other):
    assert type(model) is type(other)
    theirs = other.state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(value, theirs[name]), name


@pytest.mark.parametrize(
    "model",
    [
        models.DenseAutoencoder(hidden=(20, 10), latent_dim=3),
        models.DenseVAE(image_shape=(3, 4, 4), hidden=(7,), latent_dim=3),
        models.ConvVAE(channels=(4, 8), blocks=1, hidden=9, latent_dim=3),
        models.FaceVAE(image_shape=(3, 8, 8), channels=(4, 8), latent_dim=2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_loaded_model_is_the_saved_one(model, tmp_path):
    folder = tmp_path / "deep"
    checkpoints.save_model(model, folder / "model.v1", data="MNIST")
    before = torch.get_rng_state()
    loaded = checkpoints.load_model(folder / "model.v1")
    assert torch.equal(torch.get_rng_state(), before), "loading leaves the random numbers alone"
    assert not loaded.training and all(p.requires_grad for p in loaded.parameters())
    assert_same_weights(loaded, model)
    assert loaded.about == {"data": "MNIST"}
    first = (folder / "model.v1.safetensors").read_bytes()
    checkpoints.save_model(loaded, folder / "model.v1", **loaded.about)
    assert (folder / "model.v1.safetensors").read_bytes() == first, "one model, one file, to the last bit"
    # What belongs to the file has been copied, so that a later model may take its place.
    (folder / "model.v1.safetensors").write_bytes(b"")
    assert_same_weights(loaded, model)


def test_a_path_is_named_with_or_without_its_suffix_and_names_with_dots_stay_apart(tmp_path):
    names = ("model.v1", "model.v2.safetensors", "model")
    saved = [models.DenseVAE(**SMALL) for _ in names]
    for name, model in zip(names, saved, strict=True):
        checkpoints.save_model(model, str(tmp_path / name))
    assert {file.name for file in tmp_path.iterdir()} == {
        "model.v1.safetensors",
        "model.v2.safetensors",
        "model.safetensors",
    }
    for name, model in zip(names, saved, strict=True):
        for path in (name.removesuffix(".safetensors"), name.removesuffix(".safetensors") + ".safetensors"):
            assert_same_weights(checkpoints.load_model(tmp_path / path), model)


def test_float16_halves_the_file_and_loads_as_float32(tmp_path):
    model = models.DenseVAE()
    checkpoints.save_model(model, tmp_path / "whole")
    checkpoints.save_model(model, tmp_path / "half", dtype=torch.float16)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.52 * sizes[0]
    weight = checkpoints.load_model(tmp_path / "half").encoder[0].weight
    assert weight.dtype == torch.float32
    torch.testing.assert_close(weight, model.encoder[0].weight, rtol=1e-3, atol=1e-6)


def test_numbers_of_numpy_and_pytorch_are_kept_as_numbers(tmp_path):
    about = {"loss": torch.tensor(97.5), "epochs": np.int64(3), "curve": np.array([2.5, 1.5]), "nested": [{"a": None}]}
    checkpoints.save_model(models.DenseVAE(**SMALL), tmp_path / "model", text="β = 1", **about)
    expected = {"text": "β = 1", "loss": 97.5, "epochs": 3, "curve": [2.5, 1.5], "nested": [{"a": None}]}
    assert checkpoints.load_model(tmp_path / "model").about == expected


class MyVAE(nn.Module):
    pass


def other_network():
    model = models.DenseVAE(**SMALL)
    model.decoder[0] = nn.Linear(5, 5)
    return model


def with_weight(value):
    model = models.DenseVAE(**SMALL)
    model.encoder[0].weight.data[2, 3] = value
    return model


def impostor():
    return type("DenseVAE", (nn.Module,), {})()


@pytest.mark.parametrize(
    "make, settings, message",
    [
        (MyVAE, {}, "MyVAE is not one"),
        (impostor, {}, "DenseVAE is not one"),
        (lambda: models.ResidualBlock(3), {}, "ResidualBlock is not one"),
        (other_network, {}, "do not fit the class and its arguments .*size mismatch for decoder.0"),
        (lambda: with_weight(1e5), {"dtype": torch.float16}, r"encoder.0.weight holds 100000, which .* torch.float16"),
        (lambda: with_weight(torch.nan), {}, "encoder.0.weight holds nan, which"),
        (lambda: with_weight(-torch.inf), {"dtype": torch.bfloat16}, "encoder.0.weight holds -inf, which"),
        (lambda: models.DenseVAE(**SMALL), {"dtype": torch.int8}, "dtype must be .* but is torch.int8"),
        (lambda: models.DenseVAE(**SMALL), {"path_of_data": os}, "Only text, numbers, .*module"),
        (lambda: models.DenseVAE(**SMALL), {"scores": {(1, 2): 3}}, "Only text, numbers, .*tuple"),
    ],
)
def test_what_cannot_be_saved_leaves_the_old_file_as_it_was(make, settings, message, tmp_path):
    checkpoints.save_model(models.DenseVAE(**SMALL), tmp_path / "model")
    [file] = tmp_path.iterdir()
    before = file.read_bytes()
    with pytest.raises(ValueError, match=message) as caught:
        checkpoints.save_model(make(), tmp_path / "model", **settings)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [file] and file.read_bytes() == before


def test_a_full_disk_leaves_the_old_file_as_it_was(tmp_path, monkeypatch):
    old = models.DenseVAE(**SMALL)
    checkpoints.save_model(old, tmp_path / "model")

    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save_model(models.DenseVAE(**SMALL), tmp_path / "model")
    assert_same_weights(checkpoints.load_model(tmp_path / "model"), old)
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def two_models():
    """Two models of one kind, one with all weights 0, the other with all weights 1."""
    for number in (0, 1):
        model = models.DenseVAE(hidden=(300,))
        for value in model.state_dict().values():
            value.fill_(number)
        yield model


def save_for_ever(path):
    both = list(two_models())
    for number in itertools.cycle((1, 0)):
        checkpoints.save_model(both[number], path, number=number)


@pytest.mark.fuzz
def test_a_killed_save_loses_nothing_and_leaves_nothing_behind(tmp_path):
    """Whenever Python is killed, the old model or the new one is there, whole, and the next save tidies up."""
    path = tmp_path / "model.v1"
    both, file = list(two_models()), tmp_path / "model.v1.safetensors"
    checkpoints.save_model(both[0], path, number=0)
    interrupted = 0
    # Not os.fork: a child of a Python in which torch has already used its threads may wait for them for ever.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["vae_helpers.checkpoints"])
    for turn in range(tries(16, 200)):
        child = context.Process(target=save_for_ever, args=(path,), daemon=True)
        begun, patience = file.stat().st_mtime_ns, time.monotonic() + 60
        child.start()
        while file.stat().st_mtime_ns == begun:  # until it has saved once
            assert time.monotonic() < patience, "the other Python should begin to save"
        if turn % 2:
            time.sleep(random.uniform(0, 0.1))
        else:  # wait until it writes
            while len(os.listdir(tmp_path)) == 1:
                assert time.monotonic() < patience
            time.sleep(random.choice((0, 0.001, 0.002, 0.004)))
        child.kill()
        child.join()
        interrupted += len(os.listdir(tmp_path)) > 1
        found = checkpoints.load_model(path)
        assert_same_weights(found, both[found.about["number"]])
        checkpoints.save_model(both[0], path, number=0)
        assert os.listdir(tmp_path) == ["model.v1.safetensors"]
    assert interrupted, "no kill came while a file was being written"


def damaged(content, draw):
    """Return the bytes with one of the usual kinds of damage."""
    header = 8 + int.from_bytes(content[:8], "little")
    # Half of it to the header, of which the file of a large model has little.
    place = draw.randrange(header if draw.random() < 0.5 else len(content))
    length = draw.randint(1, 50)
    kind = draw.randrange(6)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + draw.randbytes(length) + content[place + length :]
    if kind == 2:
        return content[:place] + bytes(length) + content[place + length :]
    if kind == 3:
        return content[:place] + content[place + length :]
    if kind == 4:
        return content + draw.randbytes(length)
    return content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]


@pytest.mark.fuzz
def test_a_damaged_file_is_refused_in_a_sentence_or_gives_exactly_the_saved_model(tmp_path):
    model = models.ConvVAE(image_shape=(1, 4, 4), channels=(4, 4), blocks=1, hidden=9, latent_dim=3)
    checkpoints.save_model(model, tmp_path / "model", dtype=torch.float32, data="MNIST")
    file = tmp_path / "model.safetensors"
    content = file.read_bytes()
    draw = random.Random(0)
    refused = 0
    for _ in range(tries(200, 10_000)):
        file.write_bytes(damaged(content, draw))
        try:
            loaded = checkpoints.load_model(tmp_path / "model")
        except ValueError as error:
            assert str(file) in str(error) and "\n" not in str(error) and len(str(error)) < 500
            refused += 1
        else:  # a byte of padding, for example
            assert_same_weights(loaded, model)
            assert loaded.about == {"data": "MNIST"}
    assert refused > tries(180, 9_000)


def write_by_hand(path, description, weights):
    """Write what save_model would never write, with a checksum that is right."""
    text = description if isinstance(description, str) else json.dumps(description)
    save_file(weights, path, {"model": f"{checkpoints._checksum(text, weights)} {text}"})


@pytest.mark.parametrize(
    "description, cause",
    [
        ({"class": "ConvVAE", "arguments": {"blocks": 10**9}, "about": {}}, "only 16 weights"),
        ({"class": "ConvVAE", "arguments": {"latent_dim": 10**9}, "about": {}}, "size mismatch"),
        ({"class": "ConvVAE", "arguments": {"latent_dim": 10**30}, "about": {}}, "verflow"),
        ({"class": "ConvVAE", "arguments": {"channels": []}, "about": {}}, "IndexError"),
        ({"class": "FaceCodes", "arguments": {"components": 10**12}, "about": {}}, "Missing key"),
        ({"class": "FaceCodes", "arguments": {"components": 0}, "about": {}}, "division by zero"),
        ({"class": "ConvVAE", "arguments": {"depth": 3}, "about": {}}, "unexpected keyword argument 'depth'"),
        ({"class": "nn", "arguments": {}, "about": {}}, "KeyError: 'nn'"),
        ({"class": "check_shape", "arguments": {}, "about": {}}, "KeyError: 'check_shape'"),
        ({"class": "ConvVAE", "arguments": {}}, "KeyError: 'about'"),
        ([1, 2], "TypeError"),
        ("{", "JSONDecodeError"),
        ("[" * 100_000, "RecursionError"),
    ],
)
def test_a_file_made_to_do_harm_is_refused_at_once(description, cause, tmp_path):
    write_by_hand(tmp_path / "model.safetensors", description, models.ConvVAE().state_dict())
    start = time.perf_counter()
    with pytest.raises(ValueError, match=cause) as caught:
        checkpoints.load_model(tmp_path / "model")
    assert "\n" not in str(caught.value) and caught.value.__cause__ is not None
    assert time.perf_counter() - start < 10


def test_other_files_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file .*model.safetensors"):
        checkpoints.load_model(tmp_path / "model")
    save_file(models.DenseVAE(**SMALL).state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="save_model did not write it .The checksum"):
        checkpoints.load_model(tmp_path / "model")
    torch.save(models.DenseVAE(**SMALL).state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="save_model did not write it .*header"):
        checkpoints.load_model(tmp_path / "model")


def test_threads_may_load_models_at_once(tmp_path):
    small, large = models.DenseVAE(**SMALL), models.ConvVAE(blocks=5)
    failures = []

    def load(model, name):
        try:
            for _ in range(5):
                assert_same_weights(checkpoints.load_model(tmp_path / name), model)
        except Exception as error:
            failures.append(error)

    threads = []
    for name, model in {"small": small, "large": large}.items():
        checkpoints.save_model(model, tmp_path / name)
        threads += [threading.Thread(target=load, args=(model, name)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


SHIPPED = sorted(file.stem for file in checkpoints.pretrained_folder().glob("*.safetensors"))


def test_what_is_shipped_is_what_the_docstring_names():
    named = checkpoints.load_pretrained.__doc__
    assert len(SHIPPED) == 6 and all(f'``"{name}"``' in named for name in SHIPPED)
    with pytest.raises(ValueError, match=r"ships no model 'cats'; it ships: .*digits"):
        checkpoints.load_pretrained("cats")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_is_small_and_says_what_it_is(name):
    file = checkpoints.pretrained_folder() / f"{name}.safetensors"
    assert file.stat().st_size < 5e6
    about = checkpoints.load_pretrained(name).about
    assert {"licence", "trained_on", "training", "hardware"} <= about.keys()
    celeba = name in ("faces", "face_codes", "face_judge")
    assert ("non-commercial" in about["licence"]) == celeba and ("MIT" in about["licence"]) != celeba
    card = file.with_suffix(".md").read_text(encoding="utf-8")
    assert hashlib.sha256(file.read_bytes()).hexdigest() in card, "the card is another file's; write it again"
    assert all(about[key] in card for key in ("licence", "trained_on", "training", "hardware"))


@torch.no_grad()
def test_the_digit_classifier_knows_digits():
    digits = data.load_digits("test", source="embedded")
    logits = checkpoints.load_pretrained("digit_classifier")(digits.floats)
    assert (logits.argmax(1) == digits.labels).float().mean() > 0.97
