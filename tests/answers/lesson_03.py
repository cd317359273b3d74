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
    (checks.squared_error, lambda r, x: ((r - x) ** 2).sum(dim=(1, 2, 3))),
    (checks.correlated_codes, mixed),
    (checks.correlated_codes, lambda m, c, e: m.numpy() + e.numpy() @ np.linalg.cholesky(c.numpy()).T),
]

WRONG = [
    (checks.squared_error, lambda r, x: np.square((x - r).numpy()).reshape(len(x), -1).sum(1), "gradient"),
    (checks.squared_error, lambda r, x: [float(((a - b) ** 2).sum()) for a, b in zip(r, x, strict=True)], "gradient"),
    (checks.dense_parameters, lambda w: ..., "returns nothing yet"),
    (checks.dense_parameters, lambda w: 2 * weights(w), "forgot the biases"),
    (checks.dense_parameters, lambda w: weights(w) + sum(w[1:]), "the encoder alone"),
    (checks.dense_parameters, lambda w: weights(w) + sum(w[:-1]), "the decoder alone"),
    (checks.dense_parameters, weights, "without its biases"),
    (checks.dense_parameters, lambda w: 2 * (weights(w) + sum(w[1:])), "counted the encoder twice"),
    (checks.dense_parameters, lambda w: 2 * (weights(w) + len(w) - 1), "each layer one bias"),
    (checks.dense_parameters, lambda w: counted(w) + w[0], "biases to the input"),
    (checks.dense_parameters, lambda w: sum(w) + sum(w), "counts neurons"),
    (checks.dense_parameters, lambda w: counted(w) + 1, "wrong numbers"),
    (checks.squared_error, lambda r, x: None, "returns nothing yet"),
    (checks.squared_error, lambda r, x: ((r - x) ** 2).mean(dim=(1, 2, 3)), "mean over the pixels"),
    (checks.squared_error, nn.functional.mse_loss, "mean of everything"),
    (checks.squared_error, lambda r, x: ((r - x) ** 2).sum(), "summed over the batch"),
    (checks.squared_error, lambda r, x: ((r - x) ** 2).sum() / len(x), "averaged over the batch"),
    (checks.squared_error, lambda r, x: ((r - x) ** 2).sum(0), "other way round"),
    (checks.squared_error, lambda r, x: (r - x).sum(dim=(1, 2, 3)), "forgot the square"),
    (checks.squared_error, lambda r, x: (x - r).sum(dim=(1, 2, 3)), "took the other sign"),
    (checks.squared_error, lambda r, x: (r - x).abs().sum(dim=(1, 2, 3)), "absolute differences"),
    (checks.squared_error, lambda r, x: (r - x).sum(dim=(1, 2, 3)) ** 2, "squared after"),
    (checks.squared_error, lambda r, x: (r - x).flatten(1).norm(dim=1), "square root at the end"),
    (checks.squared_error, lambda r, x: 0.5 * ((r - x) ** 2).sum(dim=(1, 2, 3)), "halved"),
    (checks.squared_error, lambda r, x: ((r - x) ** 2).sum(dim=(-2, -1)), "not over the channels"),
    (checks.squared_error, lambda r, x: (r - x) ** 2, "returns the shape (4, 1, 5, 6)"),
    (checks.correlated_codes, lambda m, c, e: ..., "returns nothing yet"),
    (checks.correlated_codes, lambda m, c, e: m + e @ root(c), "its transpose are swapped"),
    (checks.correlated_codes, lambda m, c, e: m + e * c.diagonal() ** 0.5, "only the spread of each number"),
    (checks.correlated_codes, lambda m, c, e: m + e * c.diagonal(), "only the variance of each number"),
    (checks.correlated_codes, lambda m, c, e: m + e @ c, "covariance itself"),
    (checks.correlated_codes, lambda m, c, e: m + e @ c.sqrt(), "root of each entry"),
    (checks.correlated_codes, lambda m, c, e: m + e * root(c).diagonal(), "only the diagonal of L"),
    (checks.correlated_codes, lambda m, c, e: e @ root(c).T, "mean is missing"),
    (checks.correlated_codes, lambda m, c, e: e @ root(c).T - m, "sign of the mean"),
    (checks.correlated_codes, lambda m, c, e: m + e, "only shifted eps"),
    (checks.correlated_codes, lambda m, c, e: m + root(c) @ e, "stopped with RuntimeError"),
    (checks.correlated_codes, lambda m, c, e: m + 2 * e @ root(c).T, "wrong numbers"),
]
