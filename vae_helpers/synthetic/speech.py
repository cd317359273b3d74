"""Spoken words that the course synthesises: a source (the vocal folds, or hiss) shaped by a filter (the mouth)."""

import math

import numpy as np
import torch
from torch import Tensor

# The three lowest resonances of the mouth, the formants, in Hz, for an average man (Peterson and Barney, 1952,
# "Control methods used in a study of the vowels"; the consonants after Klatt, 1980, "Software for a
# cascade/parallel formant synthesizer"); then the loudness of the voice and of the hiss, and the hiss's centre in Hz.
PHONES = {
    "ee": (270, 2290, 3010, 1.0, 0.0, 3000),
    "eh": (530, 1840, 2480, 1.0, 0.0, 3000),
    "ah": (730, 1090, 2440, 1.0, 0.0, 3000),
    "aw": (570, 840, 2410, 1.0, 0.0, 3000),
    "oo": (300, 870, 2240, 1.0, 0.0, 3000),
    "w": (290, 610, 2150, 0.5, 0.0, 3000),
    "l": (340, 1100, 2800, 0.4, 0.0, 3000),
    "m": (250, 900, 2200, 0.3, 0.0, 3000),
    "s": (270, 1800, 2600, 0.0, 0.5, 3400),
    "sh": (270, 1800, 2600, 0.0, 0.6, 2500),
}
WORDS = {
    "ah": ("ah",),
    "ee": ("ee",),
    "oo": ("oo",),
    "we": ("w", "ee"),
    "you": ("ee", "oo"),
    "low": ("l", "aw", "oo"),
    "my": ("m", "ah", "ee"),
    "sea": ("s", "ee"),
    "show": ("sh", "aw", "oo"),
    "mess": ("m", "eh", "s"),
}
# Each voice: pitch in Hz, and how much higher its formants lie than an average man's (a shorter throat).
VOICES = {
    "Anna": (205, 1.16),
    "Ben": (105, 1.00),
    "Cleo": (235, 1.20),
    "Dan": (130, 0.96),
    "Ella": (175, 1.12),
    "Finn": (150, 1.05),
    "Gus": (116, 1.03),
    "Hana": (190, 1.10),
}
_FRAME = 256  # samples of one frame of the spectrogram in which the sound is shaped


def speak(words: list[str], voices: list[str], samples: int, rate: int, seed: int) -> Tensor:
    """Synthesise words, by shaping a source's spectrogram with the moving resonances of a mouth.

    Length, place, pitch, melody and timbre of every word vary at random.

    Args:
        words: N names from ``WORDS``.
        voices: N names from ``VOICES``.
        samples: length of each sound; the rest around the word is silent.
        rate: samples per second.
        seed: decides everything that varies.

    Returns:
        (N, samples), float32, with a largest value of 0.9 in each sound.
    """
    random = np.random.default_rng(seed)
    hop = _FRAME // 4
    times = np.arange(samples // hop + 1) * hop / rate
    pairs = zip(words, voices, strict=True)
    tracks = np.stack([_tracks(WORDS[w], VOICES[v][1], samples / rate, times, random) for w, v in pairs])
    formants, voiced, hissing, hiss_center = torch.tensor(tracks, dtype=torch.float32).split([3, 1, 1, 1], dim=1)
    pitch = torch.tensor([VOICES[v][0] for v in voices]) * torch.tensor(random.uniform(0.92, 1.08, len(voices)))

    frequency = torch.linspace(0, rate / 2, _FRAME // 2 + 1)[:, None]
    # One resonance of the mouth lets through 1 / |1 − (f/F)² + i·f·B/F²|: F is its frequency and B its width in Hz.
    response = torch.ones(())
    for formant, width in zip(formants.unbind(1), (70.0, 110.0, 180.0), strict=True):
        ratio = frequency / formant[:, None]
        response = response * ((1 - ratio**2) ** 2 + (ratio * width / formant[:, None]) ** 2).rsqrt()
    voice_filter = voiced * response / (1 + frequency / 700)
    hiss_filter = 3 * hissing * torch.exp(-(((frequency - hiss_center) / 700) ** 2))

    generator = torch.Generator().manual_seed(seed)
    pulses = _pulses(pitch, samples, rate, generator)
    hiss = torch.randn(pulses.shape, generator=generator)
    window = torch.hann_window(_FRAME)
    spectrograms = [
        torch.stft(source, _FRAME, hop, window=window, return_complex=True) * shape
        for source, shape in ((pulses, voice_filter), (0.05 * hiss, voice_filter), (hiss, hiss_filter))
    ]
    sound = torch.istft(sum(spectrograms), _FRAME, hop, window=window, length=samples)
    return 0.9 * sound / sound.abs().amax(1, keepdim=True)


def _tracks(phones: tuple[str, ...], scale: float, seconds: float, times: np.ndarray, random) -> np.ndarray:
    """Return (6, len(times)): a word's formants, loudness of voice and hiss, and the hiss's centre over time."""
    length = random.uniform(0.30, 0.60)
    start = random.uniform(0.05, seconds - length - 0.05)
    ends = start + length * np.cumsum([0, *random.dirichlet(np.full(len(phones), 6.0))])
    # Every phone is held for the middle of its time; in between, the mouth moves from one to the next.
    knots, rows = [ends[0]], [PHONES[phones[0]]]
    for phone, begin, end in zip(phones, ends[:-1], ends[1:], strict=True):
        knots += [begin + 0.3 * (end - begin), begin + 0.7 * (end - begin)]
        rows += [PHONES[phone]] * 2
    knots, rows = np.array([*knots, ends[-1]]), np.array([*rows, PHONES[phones[-1]]])
    rows[:, :3] *= scale * random.uniform(0.96, 1.04, 3)
    rows[:, 3:5] *= random.uniform(0.8, 1.2)
    rows[[0, -1], 3:5] = 0.0  # a word fades in and out
    return np.stack([np.interp(times, knots, column) for column in rows.T])


def _pulses(pitch: Tensor, samples: int, rate: int, generator: torch.Generator) -> Tensor:
    """Return (N, samples): the puffs of air that vocal folds let through, all harmonics below rate / 2 alike."""
    n = len(pitch)
    time = torch.arange(samples) / samples
    fall, depth, turn = torch.rand(3, n, 1, generator=generator)
    melody = 1.06 - 0.18 * fall * time + 0.03 * depth * torch.sin(2 * math.pi * (turn + 2.5 * time))
    half = math.pi * (pitch[:, None] * melody / rate).cumsum(1) + 1e-3
    harmonics = (0.95 * rate / 2 / (1.1 * pitch)).floor()[:, None]
    # Σₖ cos(k·2·half) for k = 1 … K, in closed form.
    pulses = torch.sin((2 * harmonics + 1) * half) / torch.sin(half) - 1
    return (pulses / harmonics.sqrt()).float()
