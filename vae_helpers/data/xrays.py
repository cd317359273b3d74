"""Chest X-rays: PneumoniaMNIST, or phantoms drawn by the course."""

import zipfile
import zlib

import numpy as np
import torch

from vae_helpers.data.sets import ImageSet
from vae_helpers.data.sources import announce, check_request, data_root


def load_xrays(split: str, source: str = "auto") -> ImageSet:
    """Load chest X-rays, (N, 1, 28, 28), labelled 0 (healthy) or 1 (pneumonia).

    Args:
        split: ``"train"``, ``"valid"`` or ``"test"``.
        source: ``"pneumoniamnist"`` for the file of that name in ``VAE_DATA_ROOT`` (4,708 / 524 / 624 images of
            children); ``"embedded"`` for phantoms that the course draws (1,500 / 250 / 400); ``"auto"`` for the
            first that can be had.

    Raises:
        ValueError: an unknown split or source.
        OSError: PneumoniaMNIST was asked for by name and cannot be read; the message says why.
    """
    check_request(split, source, ("auto", "pneumoniamnist", "embedded"), "chest X-rays")
    why = "as asked"
    if source != "embedded":
        try:
            return _pneumonia(split)
        except OSError as error:
            if source == "pneumoniamnist":
                raise
            why = str(error)
    from vae_helpers.synthetic.chests import chest_phantoms

    count, seed = {"train": (1500, 0), "valid": (250, 1), "test": (400, 2)}[split]
    announce(f"Chest X-rays: phantoms drawn by the course ({why.rstrip('.')}). To use real ones, see data/README.md.")
    images, labels = chest_phantoms(count, seed)
    return ImageSet(images=images, labels=labels, label_names=_CHESTS, source="drawn phantoms")


_CHESTS = ("healthy", "pneumonia")


def _pneumonia(split: str) -> ImageSet:
    path = data_root() / "pneumoniamnist.npz"
    if not path.exists():
        raise OSError("there is no pneumoniamnist.npz in the data folder")
    prefix = "val" if split == "valid" else split
    try:
        with np.load(path) as archive:
            images, labels = archive[f"{prefix}_images"], archive[f"{prefix}_labels"]
    except (EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile, zlib.error):
        raise OSError(f"{path} is cut off or is not PneumoniaMNIST; delete it and copy it again.") from None
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28) or labels.shape != (len(images), 1):
        raise OSError(f"{path} does not hold 28×28 images with one label each; take the 28×28 edition of the set.")
    announce(f"Chest X-rays: PneumoniaMNIST, from {path}.")
    return ImageSet(
        images=torch.tensor(images).unsqueeze(1),
        labels=torch.tensor(labels[:, 0], dtype=torch.int64),
        label_names=_CHESTS,
        source="PneumoniaMNIST",
    )
