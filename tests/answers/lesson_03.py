"""Answers to the exercises of lesson 03: right ones, and typical mistakes with words of the message."""

import itertools

import numpy as np
import torch
from torch import nn

from vae_helpers import checks


def counted(widths):
    """Parameters, counted by PyTorch."""
    chains = (widths, widths[::-1])
    layers = [nn.Linear(a, b) for chain in chains for a, b in itertools.pairwise(chain)]
    return sum(p.numel() for layer in layers for p in layer.parameters())


def weights(widths):
    return sum(a * b for a, b in itertools.pairwise(widths))


def mixed(mean, covariance, eps):
    return torch.stack([mean + torch.linalg.cholesky(covariance) @ one for one in eps])


def root(covariance):
    return torch.linalg.cholesky(covariance)


RIGHT = [
    (checks.dense_parameters, counted),
    (checks.dense_parameters, lambda w: 2 * weights(w) + 2 * sum(w) - w[0] - w[-1]),
    (checks.correlated_codes, mixed),
    (checks.correlated_codes, lambda m, c, e: m.numpy() + e.numpy() @ np.linalg.cholesky(c.numpy()).T),
]

WRONG = [
    (checks.dense_parameters, lambda w: ..., "returns nothing yet"),
    (checks.dense_parameters, lambda w: 2 * weights(w), "forgot the biases"),
    (checks.dense_parameters, lambda w: weights(w) + sum(w[1:]), "the encoder alone"),
    (checks.dense_parameters, lambda w: weights(w) + sum(w[:-1]), "returned"),
    (checks.dense_parameters, weights, "returned"),
    (checks.dense_parameters, lambda w: 2 * (weights(w) + sum(w[1:])), "counted the encoder twice"),
    (checks.dense_parameters, lambda w: 2 * (weights(w) + len(w) - 1), "each layer one bias"),
    (checks.dense_parameters, lambda w: counted(w) + w[0], "returned"),
    (checks.dense_parameters, lambda w: sum(w) + sum(w), "returned"),
    (checks.dense_parameters, lambda w: counted(w) + 1, "too large by 1"),
    (checks.correlated_codes, lambda m, c, e: ..., "returns nothing yet"),
    (checks.correlated_codes, lambda m, c, e: m + e @ root(c), "its transpose are swapped"),
    (
        checks.correlated_codes,
        lambda m, c, e: m + e * c.diagonal() ** 0.5,
        "You used the spread of each number alone. Whe",
    ),
    (checks.correlated_codes, lambda m, c, e: m + e * c.diagonal(), "right if `eps` were 0"),
    (checks.correlated_codes, lambda m, c, e: m + e @ c, "covariance itself"),
    (checks.correlated_codes, lambda m, c, e: m + e @ c.sqrt(), "right if `eps` were 0"),
    (checks.correlated_codes, lambda m, c, e: m + e * root(c).diagonal(), "right if `eps` were 0"),
    (checks.correlated_codes, lambda m, c, e: e @ root(c).T, "`mean` is subtracted once too often"),
    (checks.correlated_codes, lambda m, c, e: e @ root(c).T - m, "`mean` is subtracted where it should be added"),
    (checks.correlated_codes, lambda m, c, e: m + e, "does not depend on `covariance`"),
    (checks.correlated_codes, lambda m, c, e: m + root(c) @ e, "stopped with RuntimeError"),
    (checks.correlated_codes, lambda m, c, e: m + 2 * e @ root(c).T, "`eps` counted twice"),
]
