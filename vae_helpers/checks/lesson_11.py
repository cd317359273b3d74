"""Checks for lesson 11: directions in the space of codes, and what an edit does."""

import torch
from torch import Tensor, tensor
from torch.nn.functional import normalize

from vae_helpers.checks.verdict import Verdict, compare, exercise

__all__ = ["balanced_difference", "flip_rate", "mean_difference", "take_away"]

_CODES = tensor(
    [[1.0, 0.5, -2.0], [0.0, 2.0, 1.0], [3.0, -1.0, 0.5], [-1.0, 1.5, 2.0], [2.0, 0.0, 1.0], [0.5, -2.0, 0.0]]
)
_SMILES = tensor([True, True, False, True, False, True])
_GLASSES = tensor([True, False, False, False, True, True])


def _difference(latents: Tensor, labels: Tensor) -> Tensor:
    return latents[labels].mean(0) - latents[~labels].mean(0)


@exercise
def mean_difference(answer) -> Verdict:
    """Check ``answer(latents, labels)``, (N, latent_dim) and (N,) booleans: mean code with minus mean code without."""
    return compare(
        answer,
        _difference,
        cases=[
            (_CODES, _SMILES),
            (_CODES[:, :2], _GLASSES),
            (tensor([[1.0, 2.0], [0.0, -1.0], [4.0, 3.0]]), tensor([False, True, False])),
        ],
        hints={
            "You subtracted the mean of all faces, not of those without it.": lambda z, y: z[y].mean(0) - z.mean(0),
            "The mean of the faces without the attribute is still to come off.": lambda z, y: z[y].mean(0),
            "You added up the codes; take the mean of each group.": lambda z, y: z[y].sum(0) - z[~y].sum(0),
            "You made the step as long as 1: keep its length.": lambda z, y: normalize(_difference(z, y), dim=0),
            "Labels as numbers pick the codes number 0 and 1: keep them boolean.": (
                lambda z, y: z[y.long()].mean(0) - z[1 - y.long()].mean(0)
            ),
        },
        praise="Right: it leads from the mean code without to the mean code with, and is as long as their distance.",
    )


@exercise
def flip_rate(answer) -> Verdict:
    """Check ``answer(before, after)``, probabilities (N,): of the faces below 0.5 before, the share above 0.5 after."""
    before = tensor([0.1, 0.4, 0.7, 0.2, 0.9, 0.3, 0.05, 0.8])
    after = tensor([0.8, 0.3, 0.9, 0.6, 0.2, 0.9, 0.1, 0.1])
    return compare(
        answer,
        lambda before, after: (after[before < 0.5] > 0.5).double().mean(),
        cases=[
            (before, after),
            (before.flip(0)[:7], after[:7]),
            (tensor([0.5, 0.2, 0.3]), tensor([0.9, 0.5, 0.7])),  # exactly 0.5 is neither below nor above
        ],
        hints={
            "Divide by the number of faces that can flip.": lambda b, a: ((b < 0.5) & (a > 0.5)).double().mean(),
            "Leave out the faces that were smiling before the edit.": lambda b, a: (a > 0.5).double().mean(),
            "You counted the faces: divide by how many could have flipped.": lambda b, a: ((b < 0.5) & (a > 0.5)).sum(),
            "That is a mean probability: count the faces above 0.5.": lambda b, a: a[b < 0.5].double().mean(),
        },
        praise="Right: the share of those who did not smile, and now do.",
    )


@exercise
def take_away(answer) -> Verdict:
    """Check ``answer(d, other)``, both (latent_dim,): what remains of d at a right angle to the other direction."""

    def share(d: Tensor, other: Tensor) -> Tensor:
        return (d @ other) / (other @ other) * other

    return compare(
        answer,
        lambda d, other: d - share(d, other),
        cases=[
            (tensor([0.5, -3.0]), tensor([0.2, 0.4])),
            (tensor([1.0, 2.0, -1.0]), tensor([2.0, 0.0, 1.5])),
            (tensor([1.0, 2.0]), tensor([-2.0, 1.0])),
        ],
        hints={
            "(d @ other) * other must be divided by the square of the length.": lambda d, o: d - (d @ o) / o.norm() * o,
            "(d @ other) * other must be divided by other @ other.": lambda d, o: d - (d @ o) * o,
            "That is the part along the other direction: take it away from d.": share,
            "The shadow falls on other, so divide by other @ other, not d @ d.": lambda d, o: d - (d @ o) / (d @ d) * o,
            "You made the rest as long as 1: keep its length.": lambda d, o: normalize(d - share(d, o), dim=0),
        },
        praise="Right: what remains stands at a right angle to the other direction.",
    )


@exercise
def balanced_difference(answer) -> Verdict:
    """Check ``answer(latents, labels, other)``: the mean differences with and without ``other``, averaged."""

    def within(latents: Tensor, labels: Tensor, group: Tensor) -> Tensor:
        return _difference(latents[group], labels[group])

    latents = torch.cat([_CODES, _CODES[:4].flip(1) + 1])
    labels = tensor([1, 1, 0, 1, 0, 1, 0, 0, 1, 0]).bool()
    other = tensor([1, 1, 0, 0, 1, 1, 1, 0, 1, 0]).bool()
    return compare(
        answer,
        lambda latents, labels, other: (within(latents, labels, other) + within(latents, labels, ~other)) / 2,
        cases=[
            (latents, labels, other),
            (latents[:, :2], labels, ~other),
            (latents[[0, 2, 3, 7, 1], :1], labels[[0, 2, 3, 7, 1]], tensor([True, True, False, False, True])),
        ],
        hints={
            "That is the plain mean difference; the other attribute plays no part.": lambda z, y, o: _difference(z, y),
            "You looked at the faces with the other attribute only.": within,
            "You looked at the faces without the other attribute only.": lambda z, y, o: within(z, y, ~o),
            "You subtracted one difference from the other: take their mean.": (
                lambda z, y, o: within(z, y, o) - within(z, y, ~o)
            ),
            "You weighted the two groups by their sizes; here they should count the same.": (
                lambda z, y, o: (o.sum() * within(z, y, o) + (~o).sum() * within(z, y, ~o)) / len(o)
            ),
        },
        praise="Right: within each group the other attribute is the same for everybody, so it cannot come along.",
    )
