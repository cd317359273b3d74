"""Checks for problem set 2: regularised autoencoders."""

import math

import torch
from torch import nn, tensor

from vae_helpers.checks.verdict import Complaint, Verdict, call, compare, draw, exercise, measured, numbers, outputs
from vae_helpers.data import load_digits


@exercise
def blindfold(answer) -> Verdict:
    """Check ``answer(images, size, generator)``: images with a grey square at a random place, and these squares."""
    images = draw((4000, 2, 6, 5))[0]

    def run(seed: int, size: int = 3):
        value = call(answer, images.clone(), size, torch.Generator().manual_seed(seed))
        if value is None or not isinstance(value, tuple) or len(value) != 2:
            raise Complaint("blindfold should return two things: the images, and where they are covered.")
        covered = numbers(value[1], "Where the images are covered", (4000, 1, 6, 5))
        return numbers(value[0], "The images", (4000, 2, 6, 5)).float(), covered.bool()

    (pictures, covered), (again, _), (other, _) = run(0), run(0), run(1)
    before = images.clone()
    call(answer, before, 3, torch.Generator().manual_seed(0))
    rows, columns = covered.any(3)[:, 0], covered.any(2)[:, 0]
    places = (rows.int().argmax(1) * 3 + columns.int().argmax(1)).bincount(minlength=12) / 4000
    complaints = {
        "blindfold changes the images that it is given: cover a copy.": not torch.equal(before, images),
        "The same generator gives other squares: draw everything from it.": not torch.equal(pictures, again),
        "Another generator gives the same squares: draw the places from it.": torch.equal(pictures, other),
        "Each image should have size × size covered pixels.": (covered.flatten(1).sum(1) != 9).any(),
        "The covered pixels should form a square.": ((rows.sum(1) != 3) | (columns.sum(1) != 3)).any(),
        "Outside the squares the images should stay as they are.": (pictures != images)[
            ~covered.expand_as(images)
        ].any(),
        "Inside the squares every channel should be 0.5.": (pictures[covered.expand_as(images)] != 0.5).any(),
        "All images are covered at the same place; each needs its own.": (places > 0.99).any(),
        "Some places where the square would fit are never used: count them.": (places == 0).any(),
        "Some places are likelier than others: all that fit should be alike.": (places - 1 / 12).abs().max() > 0.025,
    }
    wrong = next((words for words, found in complaints.items() if found), None)
    return Verdict(wrong is None, wrong or "Right: a square for everyone, anywhere it fits.")


def _squares(y, data):
    return (y[:, None] - data).square().sum(2)


def _log_density(y, data, sigma):
    constant = y.shape[1] / 2 * math.log(2 * math.pi * sigma**2) + math.log(len(data))
    return torch.logsumexp(-_squares(y, data) / (2 * sigma**2), 1) - constant


def _cases() -> list[tuple]:
    y, data = draw((5, 3), (4, 3))
    far, many = draw((2, 300), (3, 300))
    return [(y, data, 0.7), (tensor([[0.5]]), tensor([[0.0], [2.0]]), 1.0), (far, many, 0.4)]


@exercise
def log_density(answer) -> Verdict:
    """Check ``answer(y, data, sigma)``: log of the mean of N(y; x, σ²·I) over the rows x of data, (N,), in nats."""
    half = math.log(2 * math.pi)
    return compare(
        answer,
        _log_density,
        cases=_cases(),
        hints={
            "The 1/M is missing: each of the M images is as likely as any other.": (
                lambda y, data, s: _log_density(y, data, s) + math.log(len(data))
            ),
            "That is the mean of the logarithms; here is the logarithm of a mean.": (
                lambda y, data, s: (-_squares(y, data) / (2 * s**2)).mean(1) - y.shape[1] / 2 * (half + 2 * math.log(s))
            ),
            "The constant has a factor D: (2πσ²)^(−D/2), for D pixels.": (
                lambda y, data, s: _log_density(y, data, s) + (y.shape[1] - 1) / 2 * (half + 2 * math.log(s))
            ),
            "The constant of the Gaussian, (2πσ²)^(−D/2), is missing.": (
                lambda y, data, s: _log_density(y, data, s) + y.shape[1] / 2 * (half + 2 * math.log(s))
            ),
        },
        praise="Right, and no density was ever computed.",
    )


@exercise
def denoise(answer) -> Verdict:
    """Check ``answer(y, data, sigma)``: E[x | y], (N, D), the mean of the clean images that y could come from."""

    def best(y, data, sigma):
        return torch.softmax(-_squares(y, data) / (2 * sigma**2), 1) @ data

    return compare(
        answer,
        best,
        cases=_cases(),
        hints={
            "That is the slope alone: go σ² times along it, from y.": lambda y, x, s: (best(y, x, s) - y) / s**2,
            "The step is σ² times the slope, not σ times.": lambda y, x, s: y + (best(y, x, s) - y) / s,
            "You went down the slope: towards the data it goes up.": lambda y, x, s: 2 * y - best(y, x, s),
            "That is the nearest clean image, not the mean of all that y could come from.": (
                lambda y, x, s: x[_squares(y, x).argmin(1)]
            ),
        },
        praise="Right: the slope of the density knows the way back.",
        tolerance=1e-3,
    )


@exercise(seconds=60)
def denoiser(network) -> Verdict:
    """Check a denoiser of at most 100,000 weights: at most 17 per test digit with noise of σ = 0.5."""
    if not isinstance(network, nn.Module):
        raise Complaint("train_denoiser returns no network yet: write it in place of the dots.")
    size = sum(p.numel() for p in network.parameters())
    if size > 100_000:
        raise Complaint(f"Your network has {size:,} weights and biases; at most 100,000 are allowed.")
    if network.training:
        raise Complaint("Your network is still in training mode: call .eval() before you return it.")
    clean = load_digits("test", source="embedded").floats
    noisy = clean + 0.5 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(5))
    error = (outputs(network, noisy) - clean).square().flatten(1).sum(1).mean()
    hint = "Fresh noise in every batch, a falling learning rate, and layers that see much of the image."
    return measured(error, what="The error on unseen digits", at_most=17, unit="per image", praise="Clean.", hint=hint)


@exercise
def ista(answer) -> Verdict:
    """Check ``answer(x, d, penalty, steps)``: sparse codes (N, K) by iterated shrinkage from 0, steps of size 1/L."""

    def search(x, d, penalty, steps, shrink=1.0, largest=True, positive=False):
        eigenvalues = torch.linalg.eigvalsh(d @ d.T)
        size = 1 / (eigenvalues[-1] if largest else eigenvalues.sum())
        h = torch.zeros(len(x), len(d), dtype=x.dtype)
        for _ in range(steps):
            h = h - size * (h @ d - x) @ d.T
            amount = penalty * (size if shrink == 1 else 1)
            h = (h - amount).clamp(min=0) if positive else h.sign() * (h.abs() - amount).clamp(min=0)
        return h

    x, d = draw((4, 6), (5, 6))
    return compare(
        answer,
        lambda x, d, penalty, steps: search(x, d, penalty, steps),
        cases=[(x, d, 0.6, 7), (x[:1], d[:2], 0.0, 1), (3 * x, d[:3], 2.0, 30)],
        hints={
            "You shrink by λ; a step of size η shrinks by η·λ.": lambda *case: search(*case, shrink=0),
            "Negative numbers are lost: shrink the size, and keep the sign.": lambda *case: search(
                *case, positive=True
            ),
            "Your steps are too small: L is the largest eigenvalue of d·dᵀ, not their sum.": (
                lambda *case: search(*case, largest=False)
            ),
        },
        praise="Right: down the slope, then towards zero.",
        tolerance=1e-3,
    )
