"""Answers to the exercises of lesson 11: right ones, and typical mistakes with words of the message."""

from vae_helpers import attributes, checks


def difference(z, y):
    return z[y].mean(0) - z[~y].mean(0)


def flips(before, after):
    return (after[before < 0.5] > 0.5).float().mean()


def rest(d, other):
    return d - (d @ other) / (other @ other) * other


def balanced(z, y, other):
    return (difference(z[other], y[other]) + difference(z[~other], y[~other])) / 2


RIGHT = [
    (checks.mean_difference, difference),
    (checks.mean_difference, attributes.direction),
    (checks.flip_rate, flips),
    (checks.flip_rate, lambda b, a: float(((b < 0.5) & (a > 0.5)).sum() / (b < 0.5).sum())),
    (checks.take_away, rest),
    (checks.take_away, lambda d, other: attributes.orthogonalize(d, other[None])),
    (checks.balanced_difference, balanced),
]

WRONG = [
    (checks.mean_difference, lambda z, y: ..., "returns nothing yet"),
    (checks.mean_difference, lambda z, y: -difference(z, y), "for the sign"),
    (checks.mean_difference, lambda z, y: z[y].mean(0) - z.mean(0), "mean of all faces"),
    (checks.mean_difference, lambda z, y: z[y].mean(0), "still to come off"),
    (checks.mean_difference, lambda z, y: z[y].sum(0) - z[~y].sum(0), "added up the codes"),
    (checks.mean_difference, lambda z, y: difference(z, y) / difference(z, y).norm(), "as long as 1"),
    (checks.mean_difference, lambda z, y: z[y].mean() - z[~y].mean(), "You took the mean over dimension 0"),
    (
        checks.mean_difference,
        lambda z, y: z[y.int()].mean(0) - z[(~y).int()].mean(0),
        "Labels as numbers pick the codes number 0 and",
    ),
    (checks.flip_rate, lambda b, a: ..., "returns nothing yet"),
    (
        checks.flip_rate,
        lambda b, a: ((b < 0.5) & (a > 0.5)).float().mean(),
        "Divide by the number of faces that can flip.",
    ),
    (checks.flip_rate, lambda b, a: (a > 0.5).float().mean(), "Leave out the faces that were smiling before"),
    (checks.flip_rate, lambda b, a: (a > 0.5).float().mean() - (b > 0.5).float().mean(), "returned"),
    (checks.flip_rate, lambda b, a: (a - b).mean(), "returned"),
    (checks.flip_rate, lambda b, a: a[b < 0.5].mean(), "mean probability"),
    (checks.flip_rate, lambda b, a: ((b < 0.5) & (a > 0.5)).sum(), "divide by how many"),
    (checks.flip_rate, lambda b, a: 1 - flips(b, a), "1 minus"),
    (checks.flip_rate, lambda b, a: ((b < 0.5) != (a < 0.5)).float().mean(), "returned"),
    (checks.take_away, lambda d, o: ..., "returns nothing yet"),
    (checks.take_away, lambda d, o: d - (d @ o) * o, "divided by other @ other"),
    (checks.take_away, lambda d, o: d - (d @ o) / o.norm() * o, "(d @ other) * other must be divided by the sq"),
    (checks.take_away, lambda d, o: d - rest(d, o), "take it away from d"),
    (checks.take_away, lambda d, o: 2 * d - rest(d, o), "returned"),
    (checks.take_away, lambda d, o: d - (d @ o) / (d @ d) * o, "The shadow falls on other, so divide by other"),
    (checks.take_away, lambda d, o: rest(o, d), "`d` and `other` have changed places."),
    (checks.take_away, lambda d, o: d - o, "returned"),
    (checks.take_away, lambda d, o: rest(d, o) / rest(d, o).norm(), "as long as 1"),
    (checks.balanced_difference, lambda z, y, o: ..., "returns nothing yet"),
    (checks.balanced_difference, lambda z, y, o: difference(z, y), "plays no part"),
    (checks.balanced_difference, lambda z, y, o: difference(z[o], y[o]), "with the other attribute only"),
    (checks.balanced_difference, lambda z, y, o: difference(z[~o], y[~o]), "without the other attribute only"),
    (checks.balanced_difference, lambda z, y, o: 2 * balanced(z, y, o), "2 times"),
    (checks.balanced_difference, lambda z, y, o: difference(z[o], y[o]) - difference(z[~o], y[~o]), "You subtracted"),
    (checks.balanced_difference, lambda z, y, o: balanced(z, o, y), "`labels` and `other` have changed places."),
    (checks.balanced_difference, lambda z, y, o: -balanced(z, y, o), "for the sign"),
    (
        checks.balanced_difference,
        lambda z, y, o: (o.sum() * difference(z[o], y[o]) + (~o).sum() * difference(z[~o], y[~o])) / len(o),
        "by their sizes",
    ),
]
