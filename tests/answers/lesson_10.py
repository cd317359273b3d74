"""Answers to the exercises of lesson 10: right ones, and typical mistakes with words of the message."""

import math

import torch

from vae_helpers import checks


def gain(before, after, values):
    def distortion(error):
        return values * (0.5 + math.log(math.sqrt(error)) + 0.5 * math.log(2 * math.pi))

    return distortion(before) - distortion(after)


def draw(chosen, noise, means, factors):
    return torch.stack([means[k] + factors[k] @ e for k, e in zip(chosen, noise, strict=True)])


RIGHT = [
    (checks.nats_gained, gain),
    (checks.nats_gained, lambda before, after, values: values * torch.tensor(before / after).sqrt().log()),
    (checks.mixture_draw, draw),
    (checks.mixture_draw, lambda c, e, m, f: m[c] + (f[c] * e[:, None]).sum(-1)),
]

WRONG = [
    (checks.nats_gained, lambda before, after, values: ..., "returns nothing yet"),
    (checks.nats_gained, lambda before, after, values: -gain(before, after, values), "for the sign"),
    (
        checks.nats_gained,
        lambda before, after, values: values * math.log(before / after),
        "Twice too large: σ² is the error, so log σ is",
    ),
    (checks.nats_gained, lambda before, after, values: values / 4 * math.log(before / after), "0.5 times"),
    (checks.nats_gained, lambda before, after, values: math.log(before / after) / 2, "`values` is missing as a factor"),
    (checks.nats_gained, lambda before, after, values: values / 2 * math.log2(before / after), "bits"),
    (checks.nats_gained, lambda before, after, values: values / 2 * math.log10(before / after), "0.4343 times"),
    (
        checks.nats_gained,
        lambda before, after, values: values / 2 * (before - after),
        "With the best σ each time, it is the logarith",
    ),
    (checks.nats_gained, lambda before, after, values: 1.0, "Your function returns 1 in every case, whatev"),
    (checks.mixture_draw, lambda c, e, m, f: ..., "returns nothing yet"),
    (checks.mixture_draw, lambda c, e, m, f: m[c] + (e[:, None] @ f[c]).squeeze(1), "`factors` were transposed"),
    (
        checks.mixture_draw,
        lambda c, e, m, f: m[c] + torch.einsum("nij,nkj,nk->ni", f[c], f[c], e),
        "covariance",
    ),
    (checks.mixture_draw, lambda c, e, m, f: m[c] + torch.diagonal(f, dim1=1, dim2=2)[c] * e, "diagonal"),
    (checks.mixture_draw, lambda c, e, m, f: m[c], "`noise`"),
    (checks.mixture_draw, lambda c, e, m, f: torch.einsum("nij,nj->ni", f[c], e), "`means` were left out"),
    (checks.mixture_draw, lambda c, e, m, f: m[c] + e, "noise as it is"),
    (checks.mixture_draw, lambda c, e, m, f: m[0] + e @ f[0].T, "first lump"),
    (checks.mixture_draw, lambda c, e, m, f: draw(c, e, m, f).T, "returns the shape (3, 5)"),
]
