"""Spoken words: the Free Spoken Digit Dataset, or words that the course synthesises."""

import io
import re
import wave
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vae_helpers.data.sets import SoundSet
from vae_helpers.data.sources import LIMIT, SPLITS, announce, data_root, reading, real_or_embedded


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
            is available.

    Raises:
        ValueError: an unknown split or source.
        OSError: the recordings were asked for by name and cannot be loaded; the message says why.
    """
    from vae_helpers.synthetic.speech import VOICES, WORDS

    return real_or_embedded(
        split,
        source,
        ("fsdd", lambda: _spoken_digits(split)),
        ("embedded", lambda: _embedded_speech(split)),
        f"Speech: {len(WORDS)} words in {len(VOICES)} voices, synthesised by the course ({{why}}). "
        "To use recordings of people, see data/README.md.",
    )


def _in_split(split: str, speaker: int, take: int, speakers: int) -> bool:
    """Say whether this take of this speaker belongs to the split; ``load_speech`` says how they are split."""
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
    announce(f"Speech: Free Spoken Digit Dataset, {len(files):,} recordings of {len(names)} speakers, from {folder}.")
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
    with reading(path, "a wav file"):
        with open(path, "rb") as whole, wave.open(io.BytesIO(whole.read(LIMIT))) as file:
            form = (file.getnchannels(), 8 * file.getsampwidth(), file.getframerate())
            frames = file.getnframes()
            content = file.readframes(frames)
    if form != (1, 16, _RATE):
        raise OSError(f"{path} has {form[0]} channels of {form[1]} bits at {form[2]} Hz; 1, 16 and {_RATE} are needed")
    if len(content) != 2 * frames or not frames:
        raise OSError(f"{path} is truncated; delete it, and get it again")
    sound = torch.tensor(np.frombuffer(content, "<i2").astype(np.float32))
    sound = 0.9 * sound / sound.abs().max().clamp(min=1)
    missing = _RATE - len(sound)
    return nn.functional.pad(sound, (missing // 2, missing - missing // 2))  # a negative pad cuts


def _embedded_speech(split: str) -> SoundSet:
    from vae_helpers.synthetic.speech import VOICES, WORDS, speak

    words, voices = tuple(WORDS), tuple(VOICES)
    chosen = [
        (word, voice)
        for word in range(len(words))
        for voice in range(len(voices))
        for take in range(10)
        if _in_split(split, voice, take, len(voices))
    ]
    labels, speakers = zip(*chosen, strict=True)
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
