"""Answers to problem set 2: right ones, and typical mistakes with words of the message."""

import math

import numpy as np
import torch
from scipy.special import logsumexp
from torch import nn

from vae_helpers.checks import homework_2 as checks


def blindfold(images, size, generator):
    """With loops."""
    n, _, height, width = images.shape
    covered = torch.zeros(n, 1, height, width, dtype=torch.bool)
    for mask in covered:
        top = int(torch.randint(0, height - size + 1, (1,), generator=generator))
        left = int(torch.randint(0, width - size + 1, (1,), generator=generator))
        mask[:, top : top + size, left : left + size] = True
    return images.masked_fill(covered, 0.5), covered


def squares(rows, columns, value=0.5, one_place=False, global_random=False):
    """A blindfold whose places lie below rows and columns."""

    def answer(images, size, generator):
        n, _, height, width = images.shape
        source = {} if global_random else {"generator": generator}
        tops, lefts = (torch.randint(most, (1 if one_place else n, 1, 1, 1), **source) for most in (rows, columns))
        y, x = torch.arange(height)[:, None], torch.arange(width)
        inside = ((y >= tops) & (y < tops + size) & (x >= lefts) & (x < lefts + size)).expand(n, 1, height, width)
        return torch.where(inside, value, images), inside

    return answer


def in_place(images, size, generator):
    covered = blindfold(images, size, generator)[1]
    images[covered.expand_as(images)] = 0.5
    return images, covered


def exponents(y, data, sigma):
    return -(torch.cdist(y.double(), data.double()) ** 2) / (2 * sigma**2)


def density(y, data, sigma):
    """In numpy's style."""
    constant = y.shape[1] * math.log(sigma * math.sqrt(2 * math.pi))
    return logsumexp(exponents(y, data, sigma).numpy(), axis=1, b=1 / len(data)) - constant


def unsafe(y, data, sigma):
    """Right on paper, but densities of 300 numbers are 0 in float32."""
    normal = torch.exp(exponents(y, data, sigma).float()) / (2 * math.pi * sigma**2) ** (y.shape[1] / 2)
    return normal.mean(1).log()


def guess(y, data, sigma):
    return torch.softmax(exponents(y, data, sigma), 1).float() @ data


def by_slope(y, data, sigma):
    with torch.enable_grad():
        y = y.clone().requires_grad_()
        torch.logsumexp(-((y[:, None] - data) ** 2).sum(2) / (2 * sigma**2), 1).sum().backward()
    return (y + sigma**2 * y.grad).detach()


def ista(x, d, penalty, steps, threshold=lambda size, penalty: size * penalty):
    """In numpy's style, in one line per step."""
    x, d = x.numpy().astype(float), d.numpy().astype(float)
    size = 1 / np.linalg.norm(d, 2) ** 2
    h = np.zeros((len(x), len(d)))
    for _ in range(steps):
        h = h + size * (x - h @ d) @ d.T
        h = np.maximum(h - threshold(size, penalty), 0) - np.maximum(-h - threshold(size, penalty), 0)
    return h


RIGHT = [
    (checks.blindfold, blindfold),
    (checks.blindfold, squares(4, 3)),
    (checks.log_density, density),
    (checks.denoise, guess),
    (checks.denoise, by_slope),
    (checks.ista, ista),
]

WRONG = [
    (checks.blindfold, lambda images, size, generator: ..., "should return two things"),
    (checks.blindfold, in_place, "changes the images"),
    (checks.blindfold, squares(4, 3, global_random=True), "draw everything from it"),
    (checks.blindfold, squares(4, 3, one_place=True), "All images are covered at the same place"),
    (checks.blindfold, squares(4, 3, value=0.0), "should be 0.5"),
    (checks.blindfold, squares(3, 2), "never used"),
    (checks.blindfold, squares(6, 5), "size × size covered pixels"),
    (checks.log_density, lambda y, data, sigma: ..., "returns nothing yet"),
    (checks.log_density, unsafe, "returns -inf"),
    (checks.log_density, lambda y, x, s: density(y, x, s) + math.log(len(x)), "The 1/M is missing"),
    (checks.log_density, lambda y, x, s: density(y, x, s) + y.shape[1] * math.log(2 * math.pi * s**2) / 2, "missing"),
    (
        checks.log_density,
        lambda y, x, s: density(y, x, s) + (y.shape[1] - 1) / 2 * math.log(2 * math.pi * s**2),
        "has a factor D",
    ),
    (
        checks.log_density,
        lambda y, x, s: exponents(y, x, s).mean(1) - y.shape[1] / 2 * math.log(2 * math.pi * s**2),
        "mean of the logarithms",
    ),
    (checks.denoise, lambda y, x, s: (guess(y, x, s) - y) / s**2, "the slope alone"),
    (checks.denoise, lambda y, x, s: y + (guess(y, x, s) - y) / s, "not σ times"),
    (checks.denoise, lambda y, x, s: 2 * y - guess(y, x, s), "down the slope"),
    (checks.denoise, lambda y, x, s: x[torch.cdist(y, x).argmin(1)], "nearest clean image"),
    (checks.denoiser, None, "returns no network yet"),
    (checks.denoiser, nn.Sequential(nn.Identity()).train(), "training mode"),
    (checks.denoiser, nn.Linear(784, 784).eval(), "at most 100,000"),
    (checks.denoiser, nn.Identity().eval(), "is missing"),
    (checks.ista, lambda x, d, p, n: ista(x, d, p, n, lambda size, penalty: penalty), "a step of size η shrinks"),
    (checks.ista, lambda x, d, p, n: np.maximum(ista(x, d, p, n), 0), "positive parts"),
    (checks.ista, lambda x, d, p, n: ista(x, d, p, n + 1), "if `steps` were larger by 1"),
    (checks.ista, lambda x, d, p, n: ista(x, d, 0 * p, n), "if `penalty` were left out"),
]  # fmt: skip
