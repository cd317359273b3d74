"""Checks for lesson 03: the fully connected autoencoder."""

import itertools

import torch
from torch import Tensor, tensor

from vae_helpers.checks.verdict import Verdict, compare, exercise

__all__ = ["correlated_codes", "dense_parameters", "squared_error"]


@exercise
def dense_parameters(answer) -> Verdict:
    """Check ``answer(widths)``: weights and biases of an autoencoder whose encoder has these widths, a tuple."""

    def encoder(widths: tuple) -> int:
        return sum((a + 1) * b for a, b in itertools.pairwise(widths))

    def weights(widths: tuple) -> int:
        return sum(a * b for a, b in itertools.pairwise(widths))

    return compare(
        answer,
        lambda widths: encoder(widths) + encoder(widths[::-1]),
        cases=[((784, 256, 128, 2),), ((6, 5, 3),), ((10, 4),), ((1, 1),), ((3, 7, 2),)],
        hints={
            "You forgot the biases: each neuron of a layer has one.": lambda widths: 2 * weights(widths),
            "That is the encoder alone. The decoder has parameters, too.": encoder,
            "You counted the encoder twice. The decoder has as many weights, but not as many biases.": (
                lambda widths: 2 * encoder(widths)
            ),
            "You gave each layer one bias; each *neuron* of a layer has its own.": (
                lambda widths: 2 * (weights(widths) + len(widths) - 1)
            ),
        },
        praise="Right: a weight for each connection and a bias for each neuron, there and back.",
    )


@exercise
def squared_error(answer) -> Verdict:
    """Check ``answer(reconstruction, images)``: squared error of each image, summed over its pixels, (N,)."""

    def over_pixels(values: Tensor) -> Tensor:
        return values.flatten(1).sum(1)

    generator = torch.Generator().manual_seed(0)
    return compare(
        answer,
        lambda reconstruction, images: over_pixels((reconstruction - images).square()),
        cases=[
            tuple(torch.rand(2, 4, 2, 5, 6, generator=generator)),
            tuple(torch.rand(2, 3, 1, 4, 4, generator=generator)),
            (tensor([[[[0.0, 0.5]]]]), tensor([[[[1.0, 0.2]]]])),
        ],
        hints={
            "You return one number for the whole batch, the mean of everything. Keep one number per image.": (
                lambda r, x: (r - x).square().mean()
            ),
            "You forgot the square: what is too bright cancels what is too dark.": lambda r, x: over_pixels(r - x),
            "You took absolute differences; take squares.": lambda r, x: over_pixels((r - x).abs()),
            "You squared after you had summed. Square each pixel's difference first.": (
                lambda r, x: over_pixels(r - x).square()
            ),
        },
        gradient=True,
        praise="Right: square each difference, and sum over all pixels of an image.",
    )


@exercise
def correlated_codes(answer) -> Verdict:
    """Check ``answer(mean, covariance, eps)``: draws (n, d) from N(mean, covariance), as mean + L·eps, L·Lᵀ = Σ.

    mean is (d,), covariance is (d, d), and eps (n, d) holds standard normal numbers; L is Cholesky's factor.
    """
    root = torch.linalg.cholesky

    def symmetric(covariance: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(covariance)
        return vectors * values.sqrt() @ vectors.T

    generator = torch.Generator().manual_seed(0)
    cases = [(tensor([1.0, -2.0]), tensor([[4.0, 2.0], [2.0, 5.0]]), tensor([[1.0, 0.5]]))]
    for count, size in ((5, 3), (4, 1)):
        factor = 0.2 + torch.rand(size, size, generator=generator)
        covariance = factor @ factor.T + 0.1 * torch.eye(size)
        cases.append(
            (torch.randn(size, generator=generator), covariance, torch.randn(count, size, generator=generator))
        )
    return compare(
        answer,
        lambda mean, covariance, eps: mean + eps @ root(covariance).T,
        cases,
        hints={
            "Almost: L and its transpose are swapped. Each *row* of eps is one draw. Which product mixes it rightly?": (
                lambda mean, cov, eps: mean + eps @ root(cov)
            ),
            "You used only the spread of each number, as the lesson did. Where do the covariances come in?": (
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
