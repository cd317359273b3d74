"""Handwritten digits: MNIST, or the embedded 5,000 of them."""

import gzip
import hashlib
import tempfile
from pathlib import Path

import numpy as np
import torch

from vae_helpers.data.sets import ImageSet
from vae_helpers.data.sources import announce, check_request, data_root, download_once, first_line


def load_digits(split: str, source: str = "auto") -> ImageSet:
    """Load handwritten digits, (N, 1, 28, 28), labelled 0 to 9.

    MNIST has 55,000 / 5,000 / 10,000 digits in its train, valid and test splits (valid is the end of the official
    training set). The embedded default, 5,000 digits of MNIST's training set that the course ships, has
    3,500 / 500 / 1,000, with every digit equally often in each.

    Args:
        split: ``"train"``, ``"valid"`` or ``"test"``.
        source: ``"mnist"`` for MNIST, found in ``VAE_DATA_ROOT`` or downloaded there; ``"embedded"`` for the
            default; ``"auto"`` for the first that can be had. With ``VAE_OFFLINE=1`` nothing is downloaded.

    Raises:
        ValueError: an unknown split or source.
        OSError: MNIST was asked for by name and cannot be had; the message says why.
    """
    check_request(split, source, ("auto", "mnist", "embedded"), "digits")
    why = "as asked"
    if source != "embedded":
        try:
            return _mnist(split, retry=source == "mnist")
        except OSError as error:
            if source == "mnist":
                raise
            why = str(error)
    return _embedded_digits(split, why)


def _mnist(split: str, retry: bool) -> ImageSet:
    raw = data_root() / "MNIST" / "raw"
    if not any((raw / name).exists() for file in _MNIST_MD5 for name in (file, file + ".gz")):
        download_once("MNIST/raw", raw, retry, lambda: _download_mnist(raw))
    official = "t10k" if split == "test" else "train"
    images = _read_idx(raw, f"{official}-images-idx3-ubyte")
    labels = _read_idx(raw, f"{official}-labels-idx1-ubyte")
    part = {"train": slice(55_000), "valid": slice(55_000, None), "test": slice(None)}[split]
    announce(f"Digits: MNIST, 70,000 images, from {data_root()}.")
    return _digit_set(images[part], labels[part], "MNIST")


# md5 of the four uncompressed files. Their compressed forms are the ones that torchvision's MNIST lists.
_MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def _read_idx(raw: Path, name: str) -> np.ndarray:
    """Read one file of MNIST, compressed or not, and check that it is the whole, right one."""
    plain, packed = raw / name, raw / f"{name}.gz"
    path = plain if plain.exists() else packed
    try:
        content = path.read_bytes() if path == plain else gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise OSError(f"{packed} is missing; delete {raw} to download MNIST again.") from None
    except (EOFError, gzip.BadGzipFile):
        content = b""
    if hashlib.md5(content).hexdigest() != _MNIST_MD5[name]:
        raise OSError(f"{path} is cut off or is not MNIST's; delete it and copy or download it again.")
    # The fourth byte is the number of dimensions; each takes four bytes more.
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", count=dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _download_mnist(raw: Path) -> None:
    """Fetch MNIST through torchvision, which checks it; it appears at ``raw`` whole or not at all."""
    try:
        from torchvision.datasets import MNIST
    except (ImportError, RuntimeError) as error:  # RuntimeError: torchvision was built for another torch
        raise OSError(f"torchvision does not work here ({first_line(error)})") from error
    try:
        raw.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=raw.parent) as folder:
            print("Downloading MNIST (12 MB) …")
            MNIST(folder, download=True)
            (Path(folder) / "MNIST" / "raw").rename(raw)
    except RuntimeError as error:
        raise OSError(f"MNIST could not be downloaded ({first_line(error)})") from error
    except OSError as error:
        raise OSError(f"MNIST cannot be stored in {data_root()} ({error.strerror or error})") from error


def _embedded_digits(split: str, why: str) -> ImageSet:
    part = {"train": slice(350), "valid": slice(350, 400), "test": slice(400, None)}[split]
    images = _read_embedded_digits()[:, part]
    labels = np.repeat(np.arange(10), images.shape[1])
    announce(
        f"Digits: the 5,000 real MNIST digits that the course ships ({why.rstrip('.')}). "
        "To use all 70,000, see data/README.md."
    )
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
