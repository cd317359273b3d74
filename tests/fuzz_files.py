"""Damages the files that lessons read, at random: each must work, or fail with one sentence and fall back."""

import collections
import contextlib
import io
import os
import random
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import test_data
import test_faces
import test_speech_xrays
import torch

from vae_helpers import data
from vae_helpers.data import sources

_MNIST = test_data.tiny_mnist_files()


def _mnist(root: Path, packed: bool = True) -> None:
    test_data.write(root, _MNIST, packed)


def _recordings(root: Path) -> None:
    folder = root / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for name in ("ada", "bob", "cyd"):
        for take in (0, 5):
            sound = test_speech_xrays.wav(1000 * np.sin(np.arange(2000) * (1 + take)))
            (folder / f"3_{name}_{take}.wav").write_bytes(sound)


def _xrays(root: Path) -> None:
    (root / "pneumoniamnist.npz").write_bytes(test_speech_xrays.xray_archive())


def _photographs(root: Path) -> None:
    test_faces.write(root, form="folder")


def _cached(root: Path) -> None:
    test_faces.write(root)
    data.load_faces("train", 16)


def _load_faces(split, source):
    return data.load_faces(split, 16, source)


# For each reader: what writes whole files into an empty folder, the file that is damaged, what loads it, from which
# source, and whether nothing wrong may pass, because the file has a checksum (a sound or a row of text has none).
READERS = {
    "idx": (lambda root: _mnist(root, False), "MNIST/raw/train-images-idx3-ubyte", data.load_digits, "mnist", True),
    "idx.gz": (_mnist, "MNIST/raw/train-images-idx3-ubyte.gz", data.load_digits, "mnist", True),
    "labels.gz": (_mnist, "MNIST/raw/train-labels-idx1-ubyte.gz", data.load_digits, "mnist", True),
    "wav": (_recordings, "fsdd/recordings/3_bob_5.wav", data.load_speech, "fsdd", False),
    "npz": (_xrays, "pneumoniamnist.npz", data.load_xrays, "pneumoniamnist", True),
    "zip": (test_faces.write, "celeba/img_align_celeba.zip", _load_faces, "celeba", False),
    "jpg": (_photographs, "celeba/img_align_celeba/000004.jpg", _load_faces, "celeba", False),
    "attributes": (test_faces.write, "celeba/list_attr_celeba.txt", _load_faces, "celeba", False),
    "partition": (test_faces.write, "celeba/list_eval_partition.txt", _load_faces, "celeba", False),
    "identity": (test_faces.write, "celeba/identity_CelebA.txt", _load_faces, "celeba", False),
    "cached images": (_cached, "cache/*.npy", _load_faces, "celeba", True),
    "cached labels": (_cached, "cache/*.npz", _load_faces, "celeba", True),
}


def _damage(content: bytes, dice: random.Random) -> bytes:
    """Return the content with one of the faults that disks, downloads and editors make; the beginning is hit most."""
    length = len(content)
    place = min(int(length * dice.random() ** dice.choice((1, 6))), length - 1)
    size = dice.choice((1, 1, 2, 4, 16, 300))
    after = content[place + size :]
    kind = dice.randrange(9)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + dice.randbytes(size) + after
    if kind == 2:
        return content[:place] + bytes(size) + after
    if kind == 3:
        return content[:place] + b"\xff" * size + after
    if kind == 4:
        return content[:place] + after
    if kind == 5:
        return content[:place] + content[dice.randrange(length) :][:size] + content[place:]
    if kind == 6:  # one bit
        return content[:place] + bytes([content[place] ^ 1 << dice.randrange(8)]) + content[place + 1 :]
    if kind == 7:
        flipped = bytearray(content)
        for _ in range(dice.randrange(2, 30)):
            flipped[dice.randrange(length)] = dice.randrange(256)
        return bytes(flipped)
    page, mark = b"<html>Quota exceeded</html>", b"\xef\xbb\xbf"
    return dice.choice((b"", page, dice.randbytes(500), content + content, mark + content))


def _outcome(load, split: str, source: str) -> object:
    """Return the set that is loaded, or the sentence with which that fails; any other failure is raised."""
    try:
        return load(split, source)
    except OSError as error:
        sentence = str(error)
        assert "\n" not in sentence and 20 < len(sentence) < 700, sentence
        return sentence


def run(reader: str, count: int, folder: Path, seed: int = 0) -> collections.Counter:
    """Damage a reader's file ``count`` times, and say how often what came of it.

    Raises:
        AssertionError: a data set that is neither as announced nor the default, or a message that is no sentence.
        Exception: whatever a reader let through.
    """
    make, pattern, load, source, checked = READERS[reader]
    dice = random.Random(f"{reader} {seed}")
    root, whole = folder / "data", folder / "whole"
    counts = collections.Counter()
    defaults = ("_portraits", "_embedded_digits", "_embedded_speech", "_phantoms")
    modules = (data.faces, data.digits, data.speech, data.xrays)
    with contextlib.ExitStack() as patches:
        patches.enter_context(mock.patch.dict(os.environ, VAE_DATA_ROOT=str(root), VAE_CACHE=str(root / "cache")))
        patches.enter_context(mock.patch.dict(os.environ, VAE_OFFLINE="1"))
        patches.enter_context(mock.patch.object(data.digits, "_MNIST_MD5", test_data.tiny_mnist_md5(_MNIST)))
        patches.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        for module, name in zip(modules, defaults, strict=True):  # they have their own tests, and take seconds
            patches.enter_context(mock.patch.object(module, name, lambda *_, **__: "default"))
        root.mkdir()
        with contextlib.redirect_stdout(io.StringIO()):
            make(root)
            right = {split: load(split, "auto") for split in ("train", "valid")}
        root.rename(whole)
        for number in range(count):
            shutil.rmtree(root, ignore_errors=True)
            shutil.copytree(whole, root)
            file = next(root.glob(pattern))
            damaged = _damage(file.read_bytes(), dice)
            file.write_bytes(damaged)
            said = io.StringIO()
            sources.announce.cache_clear()
            try:
                with contextlib.redirect_stdout(said):
                    split = dice.choice(("train", "valid"))
                    named = _outcome(load, split, source)
                    automatic = load(split, "auto")
                if isinstance(named, str):
                    assert not reader.startswith("cached"), "a cache is made again"
                    assert automatic == "default" and named.rstrip(".") in said.getvalue()
                    counts["one sentence, then the default"] += 1
                else:
                    assert len(named) == len(automatic) > 0
                    if checked:
                        assert torch.equal(named.images, right[split].images), "a wrong picture"
                        assert torch.equal(named.labels, right[split].labels), "a wrong label"
                    counts["works"] += 1
            except BaseException:
                kept = Path(tempfile.gettempdir()) / f"fuzz-{reader.replace(' ', '-')}-{seed}-{number}"
                kept.write_bytes(damaged)
                print(f"The damaged file is {kept}.", file=sys.stderr)
                raise
    shutil.rmtree(root, ignore_errors=True)
    shutil.rmtree(whole, ignore_errors=True)
    return counts
