import pytest
import torch

from vae_helpers.device import budget, own_random, pick_device, seed_everything


def test_the_best_device_is_cuda_then_cpu_and_apples_only_where_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device().type == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device().type == "cpu" and budget(cpu=2, gpu=20) == 2
    assert pick_device("mps").type == "mps"
    monkeypatch.setenv("VAE_DEVICE", "mps")
    assert pick_device().type == "mps" and budget(cpu=2, gpu=20) == 20
    monkeypatch.delenv("VAE_DEVICE")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device().type == "cuda"
    assert pick_device("cuda:1") == torch.device("cuda:1")
    assert pick_device("cpu").type == "cpu"


def test_the_environment_overrides_the_argument(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("VAE_DEVICE", "cpu")
    assert pick_device("cuda").type == "cpu"


@pytest.mark.parametrize("name", ["cuda:7", "gpu", "mps", "xpu"])
def test_a_device_that_is_not_there_is_named_with_those_that_are(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"You asked for the device '{name}'.*it has: cuda, cpu"):
        pick_device(name)
    monkeypatch.setenv("VAE_DEVICE", name)
    with pytest.raises(ValueError, match=f"VAE_DEVICE names the device '{name}'"):
        pick_device()


def test_a_seed_fixes_all_random_numbers():
    import random

    import numpy as np

    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()

    seed_everything(3)
    first = draw()
    seed_everything(3)
    assert draw() == first
    seed_everything(4)
    assert all(a != b for a, b in zip(draw(), first, strict=True))


def test_a_draw_of_ones_own_follows_its_seed_and_leaves_torch_where_it_was():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    draws = []
    for seed in (0, 0, 7):
        with pytest.raises(KeyError), own_random(torch.device("cpu"), seed):
            draws.append(torch.rand(3))
            raise KeyError
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_the_budget_follows_the_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert budget(cpu=2, gpu=20) == 2
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert budget(cpu=2, gpu=20) == 20
