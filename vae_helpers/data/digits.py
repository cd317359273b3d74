"""Handwritten digits: MNIST, or the embedded 5,000 of them."""

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from vae_helpers.data.sets import ImageSet
from vae_helpers.data.sources import LIMIT, Get, announce, data_root, download, from_mirror, reading, real_or_embedded


def load_digits(split: str, source: str = "auto") -> ImageSet:
    """Load handwritten digits, (N, 1, 28, 28), labelled 0 to 9.

    MNIST has 55,000 / 5,000 / 10,000 digits in its train, valid and test splits (valid is the end of the official
    training set). The embedded default, 5,000 digits of MNIST's training set that the course ships, has
    3,500 / 500 / 1,000, with every digit equally often in each.

    Args:
        split: ``"train"``, ``"valid"`` or ``"test"``.
        source: ``"mnist"`` for MNIST, found in ``VAE_DATA_ROOT`` or downloaded there; ``"embedded"`` for the
            default; ``"auto"`` for the first that is available. With ``VAE_OFFLINE=1`` nothing is downloaded.

    Raises:
        ValueError: an unknown split or source.
        OSError: MNIST was asked for by name and cannot be loaded; the message says why.
    """
    return real_or_embedded(
        split,
        source,
        ("mnist", lambda: _mnist(split, retry=source == "mnist")),
        ("embedded", lambda: _embedded_digits(split)),
        "Digits: the 5,000 real MNIST digits that the course ships ({why}). To use all 70,000, see data/README.md.",
    )


# The four files, with the md5 of what is in them and of the compressed files that are downloaded.
_MNIST_MD5 = {
    "train-images-idx3-ubyte": ("6bbc9ace898e44ae57da46a324031adb", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
    "train-labels-idx1-ubyte": ("a25bea736e30d166cdddb491f175f624", "d53e105ee54ea40749a09fcbcd1e9432"),
    "t10k-images-idx3-ubyte": ("2646ac647ad5339dbf082846283269ea", "9fb629c4189551a2d022fa330f9573f3"),
    "t10k-labels-idx1-ubyte": ("27ae3e4e09519cfbb04c329615203637", "ec29112dd5afa0611ce80d1b7f02629c"),
}


def _mnist(split: str, retry: bool) -> ImageSet:
    raw = data_root() / "MNIST" / "raw"
    found = {name: path for name in _MNIST_MD5 for path in (raw / f"{name}.gz", raw / name) if path.exists()}
    names = [name for name in _MNIST_MD5 if name.startswith("t10k" if split == "test" else "train")]
    missing = {f"{name}.gz": packed for name, (_, packed) in _MNIST_MD5.items() if name not in found}
    if found.keys() >= set(names):
        missing = {}  # at least what this split needs is here
    download("MNIST", "12 MB", raw, missing, _places(), retry)
    images, labels = (_read_idx(found.get(name, raw / f"{name}.gz")) for name in names)
    part = {"train": slice(55_000), "valid": slice(55_000, None), "test": slice(None)}[split]
    announce(f"Digits: MNIST, 70,000 images, from {data_root()}.")
    return _digit_set(images[part], labels[part], "MNIST")


def _places() -> Iterator[tuple[str, Get]]:
    """Yield the mirrors that torchvision names; its own download waits for a silent host without end."""
    try:
        from torchvision.datasets import MNIST
    except (ImportError, RuntimeError) as error:  # RuntimeError: torchvision was built for another torch
        raise OSError(f"torchvision does not work here ({str(error).strip().splitlines()[0]})") from error
    yield from map(from_mirror, MNIST.mirrors)


def _read_idx(path: Path) -> np.ndarray:
    """Read one file of MNIST, compressed or not.

    Raises:
        OSError: it is not the whole, right one.
    """
    with reading(path, "MNIST's"):
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            content = file.read(LIMIT)
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != _MNIST_MD5[path.name.removesuffix(".gz")][0]:
            raise ValueError("another md5")
    # The fourth byte is the number of dimensions; each takes four bytes more.
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", count=dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _embedded_digits(split: str) -> ImageSet:
    part = {"train": slice(350), "valid": slice(350, 400), "test": slice(400, None)}[split]
    images = _read_embedded_digits()[:, part]
    labels = np.repeat(np.arange(10), images.shape[1])
    return _digit_set(images.reshape(-1, 28, 28), labels, "embedded MNIST digits")


def _read_embedded_digits() -> np.ndarray:
    """Return 500 of each digit, (10, 500, 28, 28): one picture shows them, a hundred in a row, five rows of each."""
    from PIL import Image

    installed = Path(__file__).with_name("embedded_digits.png")
    file = installed if installed.exists() else Path(__file__).parents[2] / "data" / installed.name
    with Image.open(file) as picture:
        return np.asarray(picture).reshape(50, 28, 100, 28).swapaxes(1, 2).reshape(10, 500, 28, 28)


def _digit_set(images: np.ndarray, labels: np.ndarray, source: str) -> ImageSet:
    return ImageSet(
        images=torch.tensor(images).unsqueeze(1),
        labels=torch.tensor(labels, dtype=torch.int64),
        label_names=tuple("0123456789"),
        source=source,
    )
