"""Answers to the exercises of lesson 08: right ones, and typical mistakes with words of the message."""

import math

import torch
import torch.nn.functional as F

from vae_helpers import checks, losses


def shares(made, real, radius):
    found = [[((m - r).norm() <= limit).item() for r, limit in zip(real, radius, strict=True)] for m in made]
    return sum(map(any, found)) / len(made), sum(map(any, zip(*found, strict=True))) / len(real)


def explained(pictures, digits, seen):
    return -(F.binary_cross_entropy(pictures, digits, reduction="none")[:, 0] * seen).sum((1, 2))


def rates(mean, log_var):
    return torch.stack([losses.kl_divergence(mean[:, [j]], log_var[:, [j]]).mean() for j in range(mean.shape[1])])


def each_rate(mean, log_var):
    return (mean**2 + log_var.exp() - log_var - 1) / 2


def nll(log_w):
    largest = log_w.max(0).values
    return -(largest + (log_w - largest).exp().mean(0).log())


RIGHT = [
    (checks.shares, shares),
    (checks.explained, explained),
    (checks.unit_rates, rates),
    (checks.importance_weighted, nll),
]

WRONG = [
    (checks.shares, lambda made, real, radius: (..., ...), "returns nothing yet"),
    (checks.shares, lambda *a: shares(*a)[::-1], "changed places"),
    (checks.shares, lambda made, real, radius: [(torch.cdist(made, real) <= radius).float().mean()] * 2, "pairs"),
    (checks.shares, lambda *a: shares(*a)[0], "shape"),
    (checks.explained, lambda pictures, digits, seen: ..., "returns nothing yet"),
    (checks.explained, lambda p, x, seen: explained(p, x, torch.ones_like(seen)), "in the hole"),
    (checks.explained, lambda p, x, seen: (x * p.log() * seen).sum((1, 2, 3)), "1 − p"),
    (checks.explained, lambda p, x, seen: explained(p, x, seen) / seen.sum(), "you averaged"),
    (checks.explained, lambda *a: -explained(*a), "sign"),
    (checks.explained, lambda *a: explained(*a).sum(), "sum over dimension 0"),
    (checks.unit_rates, lambda mean, log_var: ..., "returns nothing yet"),
    (checks.unit_rates, losses.kl_divergence, "That is the rate of each image: keep the unit"),
    (checks.unit_rates, lambda mean, log_var: each_rate(mean, log_var).mean(1), "averaged over the units"),
    (checks.unit_rates, lambda m, v: each_rate(m, v).sum(0), "your numbers are too large by a factor"),
    (checks.unit_rates, each_rate, "mean over dimension 0 is still missing"),
    (checks.unit_rates, lambda m, v: each_rate(m, v).mean(), "You took the mean over dimension 0"),
    (checks.unit_rates, lambda m, v: rates(m, v).sum(), "You took the sum over dimension 0"),
    (checks.unit_rates, lambda m, v: each_rate(m.mean(0), v.mean(0)), "You averaged the codes first"),
    (checks.unit_rates, lambda m, v: 2 * rates(m, v), "2 times"),
    (checks.unit_rates, lambda m, v: -rates(m, v), "sign"),
    (checks.unit_rates, lambda m, v: rates(m, v) + 1, "too large by 1"),
    (checks.importance_weighted, lambda log_w: ..., "returns nothing yet"),
    (checks.importance_weighted, lambda log_w: -log_w.mean(0), "that is −ELBO"),
    (checks.importance_weighted, lambda log_w: -log_w.logsumexp(0), "did not divide by k"),
    (
        checks.importance_weighted,
        lambda log_w: -log_w.logsumexp(0) - math.log(len(log_w)),
        "In each case, your numbers are off by a const",
    ),
    (checks.importance_weighted, lambda log_w: -nll(log_w), "sign"),
    (checks.importance_weighted, lambda log_w: nll(log_w.T), "returns the shape"),
    (checks.importance_weighted, lambda log_w: nll(log_w).mean(), "You took the mean over dimension 0"),
    (checks.importance_weighted, lambda log_w: -log_w.exp().mean(0).log(), "use torch.logsumexp"),
    (checks.importance_weighted, lambda log_w: -log_w.max(0).values, "best weight only"),
    (checks.importance_weighted, lambda log_w: log_w.exp().mean(0), "the exponentials of minus"),
]
