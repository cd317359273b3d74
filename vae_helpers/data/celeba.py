"""CelebA: found or downloaded, decoded once, and from then on mapped from a cache instead of loaded.

Z. Liu et al., Deep Learning Face Attributes in the Wild, ICCV 2015. Lessons call ``vae_helpers.data.load_faces``,
which is built on this module.
"""

import hashlib
import io
import math
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image
from tqdm import tqdm

from vae_helpers.data.sources import LIMIT, Get, from_mirror, read_npz, reading
from vae_helpers.files import sweep, written_whole

# The official files with their md5: what a download must be. A copy of the learner's may be a part of them.
MD5 = {
    "img_align_celeba.zip": "00d2c5bc6d35e252742224ab0c1e8fcb",
    "list_attr_celeba.txt": "75e246fa4810816ffd6ee81facbd244c",
    "list_eval_partition.txt": "d32c9cbf5e040fd4025c592c306e6668",
    "identity_CelebA.txt": "32bd1bd63d3c78cd57e08160ec5ed1e2",
}
# By what Google Drive, where CelebA is published, knows them.
_GOOGLE = {
    "img_align_celeba.zip": "0B7EVK8r0v71pZjFTYXZWM3FlRnM",
    "list_attr_celeba.txt": "0B7EVK8r0v71pblRyaVFSWGxPY0U",
    "list_eval_partition.txt": "0B7EVK8r0v71pY0NSMzRuSXJEVkk",
    "identity_CelebA.txt": "1_ee_0u7vcNLOfNLegJRHmolfH5ICW-XS",
}
ARCHIVE, *_TEXTS = MD5
# What follows the file name in each row of the text files: 40 attributes, 0 to 2 for the split, a person's number.
_ROWS = (r"-?1(?: +-?1){39}", r"[012]", r"\d{1,9}")

MIRRORS = (
    "https://huggingface.co/datasets/Yuehao/celeba/resolve/main",
    "https://graal.ift.ulaval.ca/public/celeba",
)

# The middle of the 178×218 pixels, as left, upper, right and lower edge: 148×148, which leaves out most background.
CROP = (15, 35, 163, 183)


def open_faces(folder: Path, size: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the faces in a CelebA folder, cropped and resized; from the cache if they are in it.

    Returns:
        The images, (N, 3, size, size) uint8, mapped from the cache: those of train first, then valid, then test. And
        what is known about them: ``labels`` (N, 40), 0 or 1; ``names`` of the 40 attributes; ``people`` (N,);
        ``counts``, how many images the three splits have; ``skipped``, the names of images that cannot be read.

    Raises:
        OSError: a file is missing, damaged or not CelebA's, or the cache cannot be written; the message says which.
    """
    sweep(cache_folder())
    source = _find_images(folder)
    key = _fingerprint(folder, source)
    # One cache per folder and size: when the content changes, the new faces take the place of the old.
    stem = f"faces-{size}-{hashlib.sha1(str(folder.resolve()).encode(), usedforsecurity=False).hexdigest()[:10]}"
    path = cache_folder() / f"{stem}.npy"
    faces = _read_cache(path, key, size)
    if faces is None:
        _write_cache(path, key, folder, source, size)
        faces = _read_cache(path, key, size)
    if faces is None:
        raise OSError(f"{path} does not keep what is written to it; name another folder with VAE_CACHE")
    return faces


def cache_folder() -> Path:
    """Return the folder of decoded faces: ``VAE_CACHE``, else ``vae_helpers`` in the user's cache folder."""
    if folder := os.environ.get("VAE_CACHE"):
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "vae_helpers"


def _find_images(folder: Path) -> Path:
    """Return what holds the images: the archive, or the folder of extracted images."""
    archive, extracted = folder / ARCHIVE, folder / Path(ARCHIVE).stem
    if zipfile.is_zipfile(archive):
        return archive
    if extracted.is_dir():
        return extracted
    if not archive.exists():
        raise OSError(f"there is no {ARCHIVE} in {folder}")
    with open(archive, "rb") as file:
        what = "is a web page" if file.read(100).lstrip().startswith(b"<") else "is truncated or not a zip archive"
    raise OSError(f"{archive} {what}; delete it, and get it again")


def _fingerprint(folder: Path, source: Path) -> str:
    """Return a key that changes with the images, with what is known about them, and with the crop."""
    key = hashlib.sha1(repr(CROP).encode(), usedforsecurity=False)
    for name in _TEXTS:
        key.update(_read_text(folder / name).encode())
    if source.is_dir():
        with os.scandir(source) as entries:
            for entry in entries:
                about = entry.stat()
                key.update(f"{entry.name} {about.st_size} {about.st_mtime_ns}\n".encode())
    else:
        # An archive ends with its directory: name, size and checksum of every image, 20 MB for the whole of CelebA.
        with open(source, "rb") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - 2**25))
            key.update(repr(length).encode() + file.read())
    return key.hexdigest()


def _read_cache(path: Path, key: str, size: int) -> tuple[np.ndarray, dict[str, np.ndarray]] | None:
    """Return what the cache holds, or None if it is not there, damaged, or made from something else."""
    try:
        about = read_npz(path.with_suffix(".npz"))
        images = np.load(path, mmap_mode="c")  # a change, should anybody make one, does not reach the file
        images = images[: about["counts"].sum()]  # what follows has been kept free for images that cannot be read
        whole = about["key"] == key and images.dtype == np.uint8 and images.shape[1:] == (3, size, size)
        return (images, about) if whole and about["checksum"] == _checksum(images) else None
    except Exception:  # whatever is wrong with a cache: it is made again
        return None


def _checksum(images: np.ndarray) -> int:
    """Return a checksum of the number of images and of about a thousand of them: all would take seconds."""
    chosen = images[:: len(images) // 1000 + 1]
    return zlib.crc32(np.ascontiguousarray(chosen), len(images))


def _write_cache(path: Path, key: str, folder: Path, source: Path, size: int) -> None:
    """Decode all images into the cache, which appears whole or not at all."""
    members = _members(source)
    files = np.array(sorted(members))
    columns, labels, partition, people = _read_texts(folder, files.tolist())
    order = np.argsort(partition, kind="stable")
    kept = []
    try:
        with written_whole(path) as file:
            shape = (len(order), 3, size, size)
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            begin = file.tell()
            for pictures in _decode_all(source, [members[name] for name in files[order]], size):
                kept += [picture is not None for picture in pictures]
                file.write(b"".join(picture for picture in pictures if picture is not None))
            file.truncate(begin + math.prod(shape))  # as long as announced, also if some cannot be read
        rows = order[kept]
        with written_whole(path.with_suffix(".npz")) as file:
            np.savez(
                file,
                key=key,
                checksum=_checksum(np.load(path, mmap_mode="r")[: len(rows)]),
                labels=labels[rows].astype(np.uint8),
                people=people[rows],
                counts=np.bincount(partition[rows], minlength=3),
                names=columns,
                skipped=files[np.sort(order[~np.array(kept)])],
            )
    except OSError as error:
        raise OSError(
            f"the cache of faces cannot be written to {path.parent} ({error.strerror or error}): make room for "
            f"{len(files) * 3 * size**2 / 1e6:,.0f} MB, or name another folder with VAE_CACHE"
        ) from None


def _decode_all(source: Path, members: list[str], size: int) -> Iterator[list[bytes | None]]:
    """Yield the decoded images, a thousand at a time, with None for each that cannot be read."""
    archive = None if source.is_dir() else zipfile.ZipFile(source)

    def picture(member):
        try:
            with archive.open(member) if archive else open(source / member, "rb") as file:
                return decode(file.read(2**20), size).tobytes()  # a hundred times what one has: enough, and bounded
        except Exception:  # whatever is wrong with one image: the others are worth having
            return None

    bar = "{desc}{percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt} faces, {elapsed}<{remaining}"
    progress = tqdm(total=len(members), desc="Decoding CelebA, only this once: ", file=sys.stdout, bar_format=bar)
    # Threads keep all cores busy, because Pillow lets the others run while it decodes.
    with progress, ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(members), 1000):
            pictures = list(pool.map(picture, members[start : start + 1000]))
            yield pictures
            progress.update(len(pictures))


def decode(content: bytes, size: int) -> np.ndarray:
    """Return the image that a JPEG's content shows, cropped and resized, (3, size, size) uint8.

    Raises:
        OSError: it is truncated or not an image.
        ValueError: it does not have CelebA's 178×218 pixels.
    """
    image = Image.open(io.BytesIO(content))
    if image.size != (178, 218):
        raise ValueError(f"the image has {image.width}×{image.height} pixels instead of 178×218")
    image = image.convert("RGB").crop(CROP).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image).transpose(2, 0, 1)


def _members(source: Path) -> dict[str, str]:
    """Return where each image is inside the archive or folder: ``"000001.jpg"`` → its path there."""
    with reading(source, "CelebA's"):
        if source.is_dir():
            inside = os.listdir(source)
        else:
            with zipfile.ZipFile(source) as archive:
                inside = archive.namelist()
    members = {Path(path).name: path for path in inside}
    members = {name: path for name, path in members.items() if re.fullmatch(r"\d{6}\.jpg", name)}
    if not members:
        raise OSError(f"{source} holds no image with a name like 000001.jpg, so it is not CelebA's")
    return members


def _read_texts(folder: Path, files: list[str]) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Return the attributes' names, and for each file its attributes as 0 or 1, its split's number, its person's."""
    tables, counts = [], []
    for name, pattern in zip(_TEXTS, _ROWS, strict=True):
        path = folder / name
        lines = [line.strip() for line in _read_text(path).splitlines()]
        if name == _TEXTS[0]:  # it begins with the number of its rows and the names of its columns
            announced, columns, *lines = *lines, "", ""
        rows = {file: values.strip() for file, _, values in (line.partition(" ") for line in lines if line)}
        for file in files:
            if not re.fullmatch(pattern, rows.get(file, "")):
                what = "a damaged row" if file in rows else "no row"
                raise OSError(f"{path} has {what} for the image {file}; delete it, and get it again")
        tables.append(np.array([[int(value) for value in rows[file].split()] for file in files]))
        counts.append(len(rows))
    if {str(count) for count in counts} != {announced} or len(columns.split()) != 40:
        number = announced[:12] if announced.isdecimal() else "no number of"
        raise OSError(
            f"the text files in {folder} are truncated or do not fit together: {_TEXTS[0]} announces {number} rows "
            f"and names {len(columns.split())} attributes (40 are right), while {', '.join(_TEXTS)} have "
            f"{', '.join(map(str, counts))} rows; delete and get them again"
        )
    return columns.split(), (tables[0] + 1) // 2, tables[1][:, 0], tables[2][:, 0]


def _read_text(path: Path) -> str:
    with reading(path, "CelebA's"), open(path, "rb") as file:
        return file.read(LIMIT).decode("utf-8-sig", errors="replace")  # editors may have put a byte order mark in front


def missing_files(folder: Path) -> dict[str, str]:
    """Return which of CelebA's files are not in ``folder``, with their md5; an extracted archive is not missing."""
    missing = {name: md5 for name, md5 in MD5.items() if not (folder / name).exists()}
    if (folder / ARCHIVE).with_suffix("").is_dir():
        missing.pop(ARCHIVE, None)
    return missing


def places() -> Iterator[tuple[str, Get]]:
    """Yield where CelebA can be downloaded from: Google Drive, then the mirrors."""
    yield "Google Drive", _from_google
    mirror = os.environ.get("VAE_FACES_MIRROR")
    yield from map(from_mirror, [mirror] if mirror else MIRRORS)


def _from_google(name: str, file: BinaryIO) -> None:
    import gdown

    gdown.download(id=_GOOGLE[name], output=file, quiet=True)
