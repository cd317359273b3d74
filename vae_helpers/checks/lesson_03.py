"""Checks for lesson 03: the fully connected autoencoder."""

import itertools

import torch
from torch import Tensor, tensor

from vae_helpers.checks.verdict import Complaint, Verdict, compare, draw, exercise, measured, numbers, outputs
from vae_helpers.data import load_digits

__all__ = ["correlated_codes", "dense_parameters"]


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


@exercise(seconds=60)
def workshop(model) -> Verdict:
    """Check an autoencoder with eight numbers: its error on test digits must be below 57% of what PCA leaves."""
    from sklearn.decomposition import PCA

    train, test = (
        load_digits(split).subset(slice(0, count)).floats for split, count in (("train", 3500), ("test", 1000))
    )
    if numbers(outputs(model.encode, test[:2]), "The code of two digits").shape != (2, 8):
        raise Complaint("The code of one digit must be eight numbers.")
    flat = PCA(8, random_state=0).fit(train.flatten(1))
    straight = torch.tensor(flat.inverse_transform(flat.transform(test.flatten(1)))).reshape(test.shape)
    error, of_pca = ((x - test).square().flatten(1).sum(1).mean().item() for x in (outputs(model, test), straight))
    return measured(
        error / of_pca,
        what=f"The error on test digits is {error:.1f} per image, and its share of PCA's {of_pca:.1f}",
        at_most=0.57,
        praise="Eight good numbers.",
        hint="Compare the errors on training and on test digits: which of the two is too high?",
    )
