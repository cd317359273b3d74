"""Faces: CelebA, or portraits drawn by the course."""

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from vae_helpers.data.sets import FaceSet
from vae_helpers.data.sources import SPLITS, announce, data_root, download, real_or_embedded
from vae_helpers.files import written_whole


def load_faces(split: str, size: int = 64, source: str = "auto") -> FaceSet:
    """Load faces, (N, 3, size, size), with their attributes and with who is seen.

    CelebA has 162,770 / 19,867 / 19,962 photographs of celebrities in its train, valid and test splits, with 40
    attributes; part of it will do. They are cropped, resized once and kept in a cache, from which they are mapped, not
    loaded: 200,000 faces take no memory until they are looked at. The portraits that the course draws
    (``render_portraits``) are 6,000 / 500 / 1,000.

    Args:
        split: ``"train"``, ``"valid"`` or ``"test"``.
        size: the edge of the square images, in pixels: 16 to 148.
        source: ``"celeba"`` for CelebA, found in ``VAE_DATA_ROOT`` or downloaded there; ``"portraits"`` for faces
            drawn by the course; ``"auto"`` for the first that is available. With ``VAE_OFFLINE=1`` nothing is
            downloaded.

    Raises:
        ValueError: an unknown split or source, or an impossible size.
        OSError: CelebA was asked for by name and cannot be loaded; the message says why.
    """
    if not isinstance(size, int) or not 16 <= size <= 148:
        raise ValueError(f"size must be a whole number of pixels from 16 to 148 (CelebA's crop), but is {size!r}.")
    return real_or_embedded(
        split,
        source,
        ("celeba", lambda: _celeba(split, size, retry=source == "celeba")),
        ("portraits", lambda: _portraits(split, size)),
        "Faces: portraits drawn by the course ({why}). To use photographs, see data/README.md.",
    )


def _celeba(split: str, size: int, retry: bool) -> FaceSet:
    from vae_helpers.data import celeba

    folder = data_root() / "celeba"
    missing = celeba.missing_files(folder)
    about = f"{'1.4 GB' if celeba.ARCHIVE in missing else ', '.join(missing)}; for non-commercial research only"
    download("CelebA", about, folder, missing, celeba.places(), retry)
    images, about = celeba.open_faces(folder, size)
    counts, skipped = about["counts"].tolist(), about["skipped"].tolist()
    if 0 in counts:
        raise OSError(f"{folder} holds no face of the {SPLITS[counts.index(0)]} split that can be read")
    which = f"{skipped[0]}, …, {skipped[-1]}" if len(skipped) > 2 else " and ".join(skipped)
    damage = f" (and {len(skipped):,} that cannot be read and are left out: {which})" if skipped else ""
    announce(
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


def _portraits(split: str, size: int) -> FaceSet:
    """Return the portraits of a split: drawn once, and from then on from a cache, as photographs are."""
    from vae_helpers.data.celeba import cache_folder
    from vae_helpers.synthetic import casting, portraits

    code = b"".join(Path(module.__file__).read_bytes() for module in (casting, portraits))
    path = cache_folder() / f"portraits-{split}-{size}-{hashlib.sha256(code).hexdigest()[:10]}.npz"
    try:
        with np.load(path) as file:
            kept = {name: file[name] for name in file}
        words = {name: tuple(kept[name].tolist()) for name in ("label_names", "truth_names")}
        tensors = {name: torch.from_numpy(kept[name]) for name in ("images", "labels", "people", "truth")}
        drawn = FaceSet(source=kept["source"].item(), **words, **tensors)
    except Exception:  # whatever is wrong with a cache: it is made again
        counts = {"train": 6000, "valid": 500, "test": 1000}
        drawn = render_portraits(counts[split], size, seed=SPLITS.index(split))
        with contextlib.suppress(OSError), written_whole(path) as file:  # where there is no room, they are drawn again
            np.savez(file, **vars(drawn))
            for other in path.parent.glob(f"portraits-{split}-{size}-*.npz"):
                other.unlink()  # those of another version of the course
    return drawn


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
        seed: decides everything; with a larger ``n`` the first portraits stay the same. Another seed shows other
            people, with other numbers.
        correlations: which Pearson correlation two 0/1 attributes shall have, for example
            ``{("Smiling", "Eyeglasses"): 0.6}``. All others are independent, except for those that depend on others:
            hair colours exclude each other, nobody bald has one, or bangs, and nobody bearded wears lipstick.

    Raises:
        ValueError: fewer than one portrait, an unknown attribute, or a correlation that is impossible.
    """
    from vae_helpers.synthetic import casting, portraits

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
        people=1_000_000 * seed + people,
        truth=casting.truth(moods),
        truth_names=casting.TRUTH_NAMES,
    )
