"""Where the course computes, with which random numbers, and how much of it."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch

T = TypeVar("T")


def pick_device(prefer: torch.device | str | None = None) -> torch.device:
    """Return the device to compute on: CUDA if there is one, else the CPU.

    Args:
        prefer: a device such as ``"cpu"`` or ``"cuda:1"``, taken instead. Apple's ``"mps"`` is used only where it is
            asked for, because in some versions of PyTorch it lacks what the course needs. The environment variable
            ``VAE_DEVICE`` overrides both, so that a lesson can be moved without editing it.

    Raises:
        ValueError: the device asked for is not on this machine.
    """
    name = os.environ.get("VAE_DEVICE") or prefer
    counts = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    present = [kind for kind, count in counts.items() if count]
    if name is None:
        return torch.device("cuda" if counts["cuda"] else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or (device.index or 0) >= counts.get(device.type, 0):
        origin = "VAE_DEVICE names" if os.environ.get("VAE_DEVICE") else "You asked for"
        raise ValueError(
            f"{origin} the device '{name}', which this machine does not have; it has: {', '.join(present)}."
        )
    return device


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and PyTorch's random numbers, so that a lesson gives the same figures twice."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def own_random(device: torch.device, seed: int = 0) -> Iterator[None]:
    """Inside this block torch draws by ``seed``; after it, torch goes on as if nothing had been drawn."""
    mps = torch.mps.get_rng_state() if device.type == "mps" else None
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield
    finally:
        if mps is not None:
            torch.mps.set_rng_state(mps)


def budget(*, cpu: T, gpu: T) -> T:
    """Return ``cpu`` or ``gpu``, whichever fits the device: how many epochs or images a lesson can afford."""
    return cpu if pick_device().type == "cpu" else gpu
