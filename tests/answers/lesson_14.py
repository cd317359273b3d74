"""Answers to the exercises of lesson 14: right ones, and typical mistakes with words of the message."""

import math

import torch

from vae_helpers import checks


def levels(strongest, weakest, steps):
    return torch.exp(torch.linspace(math.log(strongest), math.log(weakest), steps))


def step(noisy, guess, sigma, weaker, fresh, draw):
    return guess + math.sqrt(weaker**2 - fresh**2) / sigma * (noisy - guess) + fresh * draw


RIGHT = [
    (checks.noise_levels, levels),
    (checks.noise_levels, lambda high, low, n: torch.tensor([high * (low / high) ** (i / (n - 1)) for i in range(n)])),
    (checks.noise_levels, lambda high, low, n: torch.logspace(math.log10(high), math.log10(low), n)),
    (checks.denoising_step, step),
    (
        checks.denoising_step,
        lambda x, g, s, w, f, d: (1 - (w**2 - f**2) ** 0.5 / s) * g + (w**2 - f**2) ** 0.5 / s * x + f * d,
    ),
]

WRONG = [
    (checks.noise_levels, lambda high, low, steps: ..., "returns nothing yet"),
    (checks.noise_levels, lambda high, low, steps: torch.linspace(high, low, steps), "the same factor"),
    (checks.noise_levels, lambda high, low, steps: levels(low, high, steps), "begin with the strongest"),
    (checks.noise_levels, lambda high, low, steps: levels(high, low, steps + 1)[:-1], "the weakest itself"),
    (checks.noise_levels, lambda high, low, steps: levels(high, low, steps).log(), "logarithm"),
    (checks.denoising_step, lambda x, g, s, w, f, d: ..., "returns nothing yet"),
    (checks.denoising_step, lambda x, g, s, w, f, d: g + (w - f) * (x - g) / s + f * d, "by their squares"),
    (checks.denoising_step, lambda x, g, s, w, f, d: g + w * (x - g) / s + f * d, "too strong"),
    (checks.denoising_step, lambda x, g, s, w, f, d: g + (w**2 - f**2) ** 0.5 * (x - g) + f * d, "divide by it"),
    (checks.denoising_step, lambda x, g, s, w, f, d: x + (w**2 - f**2) ** 0.5 * (x - g) / s + f * d, "onto the guess"),
    (checks.denoising_step, lambda x, g, s, w, f, d: step(x, g, s, w, f, 0 * d), "`draw`"),
]
