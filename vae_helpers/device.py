"""Where the course computes, with which random numbers, and how much of it."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
import torch


def pick_device(prefer: torch.device | str | None = None) -> torch.device:
    """Return the device to compute on: CUDA if there is one, else the CPU.

    ``prefer`` names another, such as ``"cuda:1"``, and the environment variable ``VAE_DEVICE`` overrides both, so that
    a lesson can be moved without editing it; one that the machine does not have raises a ValueError. Apple's ``"mps"``
    is used only where it is asked for, because in some versions of PyTorch it lacks what the course needs.
    """
    counts = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    name = os.environ.get("VAE_DEVICE") or prefer or ("cuda" if counts["cuda"] else "cpu")
    with suppress(RuntimeError):  # from a name that torch does not know
        device = torch.device(name)
        if (device.index or 0) < counts.get(device.type, 0):
            return device
    origin = "VAE_DEVICE names" if os.environ.get("VAE_DEVICE") else "You asked for"
    present = ", ".join(kind for kind, count in counts.items() if count)
    raise ValueError(f"{origin} the device '{name}', which this machine does not have; it has: {present}.")


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


def budget(*, cpu, gpu):
    """Return ``cpu`` or ``gpu``, whichever fits the device: how many epochs or images a lesson can afford."""
    return cpu if pick_device().type == "cpu" else gpu
