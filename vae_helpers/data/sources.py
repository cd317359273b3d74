"""Where data sets come from: the folder that holds them, downloads, and the one line that says which is used."""

import contextlib
import errno
import functools
import hashlib
import os
import re
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from tqdm import tqdm

from vae_helpers.files import sweep, written_whole

Set = TypeVar("Set")
SPLITS = ("train", "valid", "test")

# Seconds without anything new after which a host is given up.
PATIENCE = 30
# More bytes than any file has that is read as a whole; the longest is MNIST's, with 47 million.
LIMIT = 2**26


def data_root() -> Path:
    """Return the folder that holds data sets: ``VAE_DATA_ROOT``, else the course's ``data/``, else ``./data``."""
    if root := os.environ.get("VAE_DATA_ROOT"):
        return Path(root).expanduser()
    beside_package = Path(__file__).resolve().parents[2] / "data"
    return beside_package if beside_package.is_dir() else Path("data")


# --- Which source ---------------------------------------------------------------------------------------------------


def real_or_embedded(
    split: str,
    source: str,
    real: tuple[str, Callable[[], Set]],
    embedded: tuple[str, Callable[[], Set]],
    say: str,
) -> Set:
    """Return a split of the real data, or of the embedded default, and say which and why in one line.

    Args:
        split: ``"train"``, ``"valid"`` or ``"test"``.
        source: the name of either source, or ``"auto"``: the real data if they can be loaded, else the default.
        real: the real source's name, and what loads it and says so; it raises OSError where that fails.
        embedded: the default's name, and what makes it.
        say: the line about the default; ``{why}`` in it becomes the reason why it is used.

    Raises:
        ValueError: an unknown split or source.
        OSError: the real data were asked for by name and cannot be loaded; the message says why.
    """
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}; choose one of: {', '.join(SPLITS)}.")
    sources = ("auto", real[0], embedded[0])
    if source not in sources:
        raise ValueError(f"There is no source {source!r}; choose one of: {', '.join(sources)}.")
    why = "as asked"
    if source != embedded[0]:
        try:
            return real[1]()
        except OSError as error:
            if source == real[0]:
                raise
            why = " ".join(str(error).split()).rstrip(".")
    announce(say.format(why=why))
    return embedded[1]()


@functools.cache
def announce(message: str) -> None:
    """Print a message, but only the first time: three splits of one set are one piece of news."""
    print(message)


# --- Files that may be damaged --------------------------------------------------------------------------------------


@contextlib.contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a damaged file makes its reader raise into one sentence: the file is not ``what`` it should be."""
    try:
        yield
    except Exception as error:  # gzip, zlib, zipfile, wave and numpy each have their own, and what they call has more
        why = getattr(error, "strerror", None)
        sentence = f"cannot be read ({why})" if why else f"is truncated or not {what}; delete it, and get it again"
        raise OSError(f"{path} {sentence}") from error


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file.

    Raises:
        ValueError: together they are larger than ``LIMIT``, which a small file can make them; or any other error of
            zipfile and numpy.
    """
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > LIMIT:
            raise ValueError("the arrays are too large")
    with np.load(path) as arrays:
        return dict(arrays)


# --- Downloads ------------------------------------------------------------------------------------------------------

Get = Callable[[str, BinaryIO], object]  # gets the file of this name, and writes it to this one
_failed: dict[Path, str] = {}  # where something could not be downloaded to, and why


def download(
    what: str, about: str, folder: Path, missing: Mapping[str, str], places: Iterable[tuple[str, Get]], retry: bool
) -> None:
    """Download the missing files of a data set, from the first place that has them; each appears whole or not at all.

    Args:
        what: the data set's name.
        about: its size and terms, to be printed.
        folder: where its files belong. What an earlier download that was killed has left there is removed.
        missing: the names of the files that are not there, with their md5. Without any, nothing is downloaded.
        places: the name of each place, and what gets a file from it.
        retry: whether to try again where a download failed before: three splits need not fail three times.

    Raises:
        OSError: a download is forbidden, fails from all places or cannot be stored; the message says why.
    """
    sweep(folder)
    if not missing:
        return
    if os.environ.get("VAE_OFFLINE"):
        file = folder.relative_to(data_root()) / next(iter(missing))
        raise OSError(f"there is no {file} in the data folder, and VAE_OFFLINE forbids a download")
    if folder in _failed and not retry:
        raise OSError(_failed[folder])
    print(f"Downloading {what} ({about}) to {folder}; VAE_OFFLINE=1 forbids it.")
    try:
        _download(what, folder, missing, places)
    except OSError as error:
        _failed[folder] = str(error)
        raise


def _download(what: str, folder: Path, missing: Mapping[str, str], places: Iterable[tuple[str, Get]]) -> None:
    failures: dict[str, list[str]] = {}
    for place, get in places:
        try:
            for name in [name for name in missing if not (folder / name).exists()]:
                with written_whole(folder / name) as file:
                    _fetch(get, name, file)
                    _check(name, Path(file.name), missing[name])
            return
        except Exception as error:  # gdown, urllib and http each have their own
            if isinstance(error, OSError) and error.errno in _STORAGE:
                raise OSError(f"{what} cannot be stored in {folder} ({error.strerror})") from error
            failures.setdefault(_reason(error), []).append(place)
    reasons = "; ".join(f"{' and '.join(places)}: {reason}" for reason, places in failures.items())
    raise OSError(f"{what} could not be downloaded from {reasons}")


# What no other place can help with: a full or read-only disk, a folder that belongs to others or is a file.
_STORAGE = {errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST}
_STORAGE |= {getattr(errno, "EDQUOT", errno.ENOSPC)}


def _fetch(get: Get, name: str, file: BinaryIO) -> None:
    """Get a file in a thread of its own, and give up when nothing comes.

    A time limit for the socket alone would not do: it covers neither the search for the host's address nor a host
    that sends a byte every few seconds. The thread that waits in vain is left behind; Python can end without it.

    Raises:
        TimeoutError: nothing new for ``PATIENCE`` seconds, or for a third of it before anything came at all.
    """
    outcome: list[Exception | None] = []

    def work():
        try:
            get(name, file)
            file.flush()
            outcome.append(None)
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    size, since = 0, time.monotonic()
    with tqdm(desc=name, unit="B", unit_scale=True, file=sys.stdout, leave=False, delay=1) as bar:
        while not outcome:
            thread.join(0.1)
            now = os.fstat(file.fileno()).st_size
            if now != size:
                bar.update(now - size)
                size, since = now, time.monotonic()
            elif not outcome and time.monotonic() - since > PATIENCE / (1 if size else 3):
                raise TimeoutError
    if outcome[0]:
        raise outcome[0]


def _check(name: str, path: Path, official: str) -> None:
    with open(path, "rb") as file:
        md5 = hashlib.md5(start := file.read(2**20), usedforsecurity=False)
        while block := file.read(2**20):
            md5.update(block)
    if md5.hexdigest() != official:
        page = re.search("<title>(.*?)</title>", start.decode(errors="replace"))
        what = f"the web page {page[1]!r}" if page else "truncated or not the official one"
        raise ValueError(f"what came as {name} is {what}")


def from_mirror(url: str) -> tuple[str, Get]:
    """Return a place for ``download``: the folder at ``url``."""

    def get(name: str, file: BinaryIO) -> None:
        with urllib.request.urlopen(f"{url.rstrip('/')}/{name}", timeout=PATIENCE) as answer:
            while block := answer.read(2**16):  # large blocks, so that a host that drips does not look alive
                file.write(block)

    return urllib.parse.urlsplit(url).netloc, get


def _reason(error: Exception) -> str:
    """Say in a few words why a place did not give a file."""
    cause = error
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        cause = error.reason
    text = getattr(cause, "strerror", None) or " ".join(str(cause).split())
    if isinstance(cause, TimeoutError):
        return "no answer"
    if re.search("quota|too many users", text, re.IGNORECASE):
        return "its quota for today is used up"
    if re.search("Connection|Timeout|Proxy", type(cause).__name__):
        return "no connection"  # the libraries under gdown tell it in several hundred characters
    return text[:100] or type(error).__name__
