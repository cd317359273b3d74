"""Checks for lesson 03: the fully connected autoencoder."""

import itertools

import torch
from torch import Tensor, tensor

from vae_helpers.checks.verdict import Verdict, compare, draw, exercise

__all__ = ["correlated_codes", "dense_parameters", "squared_error"]


@exercise
def dense_parameters(answer) -> Verdict:
    """Check ``answer(widths)``: weights and biases of an autoencoder whose encoder has these widths, a tuple."""

    def count(widths: tuple, bias: int = 1) -> int:
        return sum((a + bias) * b for a, b in itertools.pairwise(widths))

    return compare(
        answer,
        lambda widths: count(widths) + count(widths[::-1]),
        cases=[((784, 256, 128, 2),), ((6, 5, 3),), ((10, 4),), ((1, 1),), ((3, 7, 2),)],
        hints={
            "You forgot the biases: each neuron of a layer has one.": lambda w: 2 * count(w, bias=0),
            "That is the encoder alone. The decoder has parameters, too.": count,
            "You counted the encoder twice: the decoder has as many weights, but not as many biases.": (
                lambda w: 2 * count(w)
            ),
            "You gave each layer one bias; each *neuron* has its own.": lambda w: 2 * (count(w, bias=0) + len(w) - 1),
        },
        praise="Right: a weight for each connection and a bias for each neuron, there and back.",
    )


@exercise
def squared_error(answer) -> Verdict:
    """Check ``answer(reconstruction, images)``: squared error of each image, summed over its pixels, (N,)."""
    return compare(
        answer,
        lambda reconstruction, images: (reconstruction - images).square().flatten(1).sum(1),
        cases=[
            tuple(x.sigmoid() for x in draw((4, 2, 5, 6), (4, 2, 5, 6))),
            tuple(x.sigmoid() for x in draw((3, 1, 4, 4), (3, 1, 4, 4))),
            (tensor([[[[0.0, 0.5]]]]), tensor([[[[1.0, 0.2]]]])),
        ],
        hints={
            "That is the mean of everything. Keep one number per image.": lambda r, x: (r - x).square().mean(),
            "Without the square, too bright cancels too dark.": lambda r, x: (r - x).flatten(1).sum(1),
            "You took absolute differences; take squares.": lambda r, x: (r - x).abs().flatten(1).sum(1),
            "Square each pixel's difference, then sum.": lambda r, x: (r - x).flatten(1).sum(1).square(),
        },
        gradient=True,
        praise="Right: square each difference, and sum over all pixels of an image.",
    )


@exercise
def correlated_codes(answer) -> Verdict:
    """Check ``answer(mean, covariance, eps)``: draws (n, d) from N(mean, covariance), as mean + L·eps, L·Lᵀ = Σ.

    mean is (d,), covariance is (d, d), and eps (n, d) holds standard normal numbers; L is Cholesky's factor.
    """

    def symmetric(covariance: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(covariance)
        return vectors * values.sqrt() @ vectors.T

    (mean, eps), wide = draw((3,), (5, 3)), tensor([[2.0, 0.5, 1.0], [0.5, 1.0, 0.2], [1.0, 0.2, 1.5]])
    return compare(
        answer,
        lambda mean, covariance, eps: mean + eps @ torch.linalg.cholesky(covariance).T,
        cases=[
            (tensor([1.0, -2.0]), tensor([[4.0, 2.0], [2.0, 5.0]]), tensor([[1.0, 0.5]])),
            (mean, wide, eps),
            (mean[:1], wide[:1, :1], eps[:, :1]),
        ],
        hints={
            "L and its transpose are swapped: each *row* of eps is one draw. Which product mixes it rightly?": (
                lambda mean, cov, eps: mean + eps @ torch.linalg.cholesky(cov)
            ),
            "You used the spread of each number alone. Where do the covariances come in?": (
                lambda mean, cov, eps: mean + eps * cov.diag().sqrt()
            ),
            "You multiplied with the covariance itself. A spread is a root of it: use L.": (
                lambda mean, cov, eps: mean + eps @ cov
            ),
            "That is a valid root of the covariance, the symmetric one; here use Cholesky's, torch.linalg.cholesky.": (
                lambda mean, cov, eps: mean + eps @ symmetric(cov)
            ),
        },
        praise="Right: stretch and mix with L, then shift by the mean.",
    )
