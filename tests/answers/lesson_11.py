"""Answers to the exercises of lesson 11: right ones, and typical mistakes with words of the message."""

import numpy as np
import torch

from vae_helpers import attributes, checks


def difference(z, y):
    return z[y].mean(0) - z[~y].mean(0)


def strength(doses, seen, target):
    if seen[-1] < target:
        return doses[-1]
    return torch.tensor(np.interp(target, seen.numpy(), doses.numpy()))


def balanced(z, y, other):
    return (difference(z[other], y[other]) + difference(z[~other], y[~other])) / 2


RIGHT = [
    (checks.mean_difference, difference),
    (checks.mean_difference, attributes.direction),
    (checks.equal_effect, strength),
    (checks.equal_effect, lambda s, r, t: float(np.interp(t, r.numpy(), s.numpy()))),
    (checks.balanced_difference, balanced),
]

WRONG = [
    (checks.mean_difference, lambda z, y: ..., "returns nothing yet"),
    (checks.mean_difference, lambda z, y: -difference(z, y), "for the sign"),
    (checks.mean_difference, lambda z, y: z[y].mean(0) - z.mean(0), "mean of all faces"),
    (checks.mean_difference, lambda z, y: z[y].mean(0), "returned"),
    (checks.mean_difference, lambda z, y: z[y].sum(0) - z[~y].sum(0), "returned"),
    (checks.mean_difference, lambda z, y: difference(z, y) / difference(z, y).norm(), "as long as 1"),
    (checks.mean_difference, lambda z, y: z[y].mean() - z[~y].mean(), "You took the mean over dimension 0"),
    (
        checks.mean_difference,
        lambda z, y: z[y.int()].mean(0) - z[(~y).int()].mean(0),
        "returned",
    ),
    (checks.equal_effect, lambda s, r, t: ..., "returns nothing yet"),
    (checks.equal_effect, lambda s, r, t: s[(r >= t).nonzero()[0, 0]] if r[-1] >= t else s[-1], "interpolate"),
    (checks.equal_effect, lambda s, r, t: s[(r - t).abs().argmin()], "nearest"),
    (checks.equal_effect, lambda s, r, t: s[(r >= t).nonzero()[0, 0]], "interpolate"),
    (checks.balanced_difference, lambda z, y, o: ..., "returns nothing yet"),
    (checks.balanced_difference, lambda z, y, o: difference(z, y), "plays no part"),
    (checks.balanced_difference, lambda z, y, o: difference(z[o], y[o]), "with the other attribute only"),
    (checks.balanced_difference, lambda z, y, o: difference(z[~o], y[~o]), "returned"),
    (checks.balanced_difference, lambda z, y, o: 2 * balanced(z, y, o), "2 times"),
    (checks.balanced_difference, lambda z, y, o: difference(z[o], y[o]) - difference(z[~o], y[~o]), "returned"),
    (checks.balanced_difference, lambda z, y, o: balanced(z, o, y), "`labels` and `other` have changed places."),
    (checks.balanced_difference, lambda z, y, o: -balanced(z, y, o), "for the sign"),
]
