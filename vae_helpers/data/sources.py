"""Where data sets come from: the folder that holds them, downloads, and the one line that says which is used."""

import functools
import os
from collections.abc import Callable
from pathlib import Path

SPLITS = ("train", "valid", "test")


def data_root() -> Path:
    """Return the folder that holds data sets: ``VAE_DATA_ROOT``, else the course's ``data/``, else ``./data``."""
    if root := os.environ.get("VAE_DATA_ROOT"):
        return Path(root).expanduser()
    beside_package = Path(__file__).resolve().parents[2] / "data"
    return beside_package if beside_package.is_dir() else Path("data")


_failed: dict[Path, str] = {}  # where something could not be downloaded to, and why


def download_once(what: str, folder: Path, retry: bool, download: Callable[[], None]) -> None:
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


def check_request(split: str, source: str, sources: tuple[str, ...], what: str) -> None:
    """Raise ValueError unless the split and the source exist."""
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}; choose one of: {', '.join(SPLITS)}.")
    if source not in sources:
        raise ValueError(f"There is no source {source!r} of {what}; choose one of: {', '.join(sources)}.")


@functools.cache
def announce(message: str) -> None:
    """Print a message, but only the first time: three splits of one set are one piece of news."""
    print(message)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return str(error).strip().splitlines()[0].rstrip(":")
