"""Chest X-rays: PneumoniaMNIST, or phantoms drawn by the course."""

import numpy as np
import torch

from vae_helpers.data.sets import ImageSet
from vae_helpers.data.sources import announce, data_root, read_npz, reading, real_or_embedded


def load_xrays(split: str, source: str = "auto") -> ImageSet:
    """Load chest X-rays, (N, 1, 28, 28), labelled 0 (healthy) or 1 (pneumonia).

    Args:
        split: ``"train"``, ``"valid"`` or ``"test"``.
        source: ``"pneumoniamnist"`` for the file of that name in ``VAE_DATA_ROOT`` (4,708 / 524 / 624 images of
            children); ``"embedded"`` for phantoms that the course draws (1,500 / 250 / 400); ``"auto"`` for the
            first that is available.

    Raises:
        ValueError: an unknown split or source.
        OSError: PneumoniaMNIST was asked for by name and cannot be loaded; the message says why.
    """
    return real_or_embedded(
        split,
        source,
        ("pneumoniamnist", lambda: _pneumonia(split)),
        ("embedded", lambda: _phantoms(split)),
        "Chest X-rays: phantoms drawn by the course ({why}). To use real ones, see data/README.md.",
    )


_CHESTS = ("healthy", "pneumonia")


def _phantoms(split: str) -> ImageSet:
    from vae_helpers.synthetic.chests import chest_phantoms

    count, seed = {"train": (1500, 0), "valid": (250, 1), "test": (400, 2)}[split]
    images, labels = chest_phantoms(count, seed)
    return ImageSet(images=images, labels=labels, label_names=_CHESTS, source="drawn phantoms")


def _pneumonia(split: str) -> ImageSet:
    path = data_root() / "pneumoniamnist.npz"
    if not path.exists():
        raise OSError("there is no pneumoniamnist.npz in the data folder")
    prefix = "val" if split == "valid" else split
    with reading(path, "PneumoniaMNIST"):
        arrays = read_npz(path)
        images, labels = arrays[f"{prefix}_images"], arrays[f"{prefix}_labels"]
    numbers = images.dtype == np.uint8 and labels.dtype.kind in "buif"
    if not numbers or images.shape[1:] != (28, 28) or labels.shape != (*images.shape[:1], 1):
        raise OSError(f"{path} does not hold 28×28 images with one label each; take the 28×28 edition of the set")
    if not len(labels) or not np.isin(labels, (0, 1)).all():
        raise OSError(f"{path} must label every image 0 (healthy) or 1 (pneumonia); delete it, and get it again")
    announce(f"Chest X-rays: PneumoniaMNIST, from {path}.")
    return ImageSet(
        images=torch.tensor(images).unsqueeze(1),
        labels=torch.tensor(labels[:, 0].astype(np.int64)),
        label_names=_CHESTS,
        source="PneumoniaMNIST",
    )
