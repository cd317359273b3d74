"""Files that are written whole or not at all."""

import contextlib
import glob
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, which removes no file that is open, so that no lock is needed
    fcntl = None


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write to, which takes the place of ``path`` once the block has ended and all is on the disk.

    Until then, and after an error, a kill or a power cut, ``path`` is what it was before. The file lies beside it, as
    ``NAME.….part``; what a Python that was killed has left there is removed first. Processes and threads that write the
    same ``path`` at once do not disturb each other: the last one wins.

    Raises:
        OSError: the folder cannot be made or written to, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent, glob.escape(path.name))
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with _create(part) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if fcntl:
                os.replace(part, path)  # before the lock ends with the file's closing
        if not fcntl:
            os.replace(part, path)  # Windows does not rename what is open
    finally:
        part.unlink(missing_ok=True)


def sweep(folder: Path, name: str = "*") -> None:
    """Remove what Pythons that were killed have left in a folder of the files that match ``name``."""
    for left in folder.glob(f"{name}.{8 * '[0-9a-f]'}.part"):
        _remove_unless_in_use(left)


def _create(part: Path) -> BinaryIO:
    """Open a new file and lock it, so that others see that it is in use until this process closes it or dies."""
    while True:
        file = open(part, "xb")
        if fcntl:
            with contextlib.suppress(OSError):  # some network drives have no locks
                fcntl.flock(file, fcntl.LOCK_EX)
        if part.exists():  # else another process took it for left over before it was locked
            return file
        file.close()


def _remove_unless_in_use(left: Path) -> None:
    with contextlib.suppress(OSError):
        if fcntl is None:
            left.unlink()
            return
        with open(left, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
