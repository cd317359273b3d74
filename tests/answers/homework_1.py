"""Answers to problem set 1: right ones, and typical mistakes with words of the message."""

import numpy as np
import torch
from torch import nn

from vae_helpers.checks import homework_1 as checks


def parts(x, w, v):
    h = torch.tanh(x @ w)
    return h, h @ v - x


def decoder(x, w, v):
    h, error = parts(x, w, v)
    return torch.einsum("nk,nd->kd", h, error) * 2 / x.shape[0]


def encoder(x, w, v):
    error = parts(x, w, v)[1]
    return sum(torch.outer(a, (e @ v.T) / torch.cosh(a @ w) ** 2) for a, e in zip(x, error, strict=True)) * 2 / len(x)


def fill(x, known, k, rounds):
    """PCA by eigenvectors, in numpy's style, with loops."""
    x, known = x.numpy().astype(float).copy(), known.numpy()
    for d in range(x.shape[1]):
        x[~known[:, d], d] = x[known[:, d], d].mean() if known[:, d].any() else 0
    for _ in range(rounds):
        mean = x.mean(0)
        _, vectors = np.linalg.eigh(np.cov(x.T))
        kept = vectors[:, ::-1][:, :k]
        x = np.where(known, x, mean + (x - mean) @ kept @ kept.T)
    return x


def shallow():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.Linear(16, 784), nn.Unflatten(1, (1, 28, 28)))


def deep():
    layers = [nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 10), nn.ReLU(), nn.Linear(10, 16), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(16, 784), nn.Unflatten(1, (1, 28, 28)))


def wide():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.Linear(32, 784), nn.Unflatten(1, (1, 28, 28)))


def run(make, seed):
    """An untrained network is judged as well as any, and faster."""
    torch.manual_seed(seed)
    from vae_helpers.data import load_digits

    images = load_digits("valid", source="embedded").floats
    with torch.no_grad():
        return (0.9 * make()(images) - images).square().flatten(1).sum(1).mean().item() * 0.5


def judged(check):
    """A check of several arguments as one of a single answer, as the tests call it."""

    def one(arguments):
        return check(*arguments)

    one.__name__ = check.__name__
    return one


in_race, of_model = judged(checks.race), judged(checks.autoencoder)
trained = shallow().eval()
trained.encode = lambda images: images.flatten(1)[:, :16]

RIGHT = [
    (checks.decoder_gradient, decoder),
    (
        checks.decoder_gradient,
        lambda x, w, v: (2 / len(x)) * np.tanh(x.numpy() @ w.numpy()).T @ parts(x, w, v)[1].numpy(),
    ),
    (checks.encoder_gradient, encoder),
    (
        checks.encoder_gradient,
        lambda x, w, v: x.T @ (2 * parts(x, w, v)[1] / len(x) @ v.T * (1 - parts(x, w, v)[0] ** 2)),
    ),
    (checks.complete, fill),
]

WRONG = [
    (checks.decoder_gradient, lambda x, w, v: ..., "returns nothing yet"),
    (checks.decoder_gradient, lambda x, w, v: decoder(x, w, v) / 2, "0.5 times"),
    (checks.decoder_gradient, lambda x, w, v: -decoder(x, w, v), "sign"),
    (checks.decoder_gradient, lambda x, w, v: decoder(x, w, v).T, "transposed"),
    (checks.decoder_gradient, lambda x, w, v: decoder(x, w, v) * len(x), "the number of rows of `x`"),
    (checks.decoder_gradient, lambda x, w, v: 2 * (x @ w).T @ (x @ w @ v - x) / len(x), "You left out the tanh"),
    (checks.encoder_gradient, lambda x, w, v: 2 * x.T @ (parts(x, w, v)[1] @ v.T) / len(x), "tanh is missing"),
    (
        checks.encoder_gradient,
        lambda x, w, v: 2 * x.T @ (parts(x, w, v)[1] @ v.T * (1 - parts(x, w, v)[0])) / len(x),
        "1 − tanh², not 1 − tanh",
    ),
    (
        checks.encoder_gradient,
        lambda x, w, v: 2 * x.T @ (parts(x, w, v)[1] @ v.T * parts(x, w, v)[0] * (1 - parts(x, w, v)[0])) / len(x),
        "is the sigmoid's",
    ),
    (checks.encoder_gradient, lambda x, w, v: torch.autograd.grad(parts(x, w, v)[1].sum(), w), "stopped with"),
    (checks.complete, lambda x, known, k, rounds: x, "Not right yet"),
    (checks.complete, lambda x, known, k, rounds: fill(x, known, k, rounds + 1), "if `rounds` were larger by 1"),
    (in_race, (shallow, wide, run), "differ by 3%"),
    (in_race, (shallow, shallow, run), "two more at least"),
    (in_race, (lambda: ..., lambda: ..., run), "should each return a network"),
    (in_race, (shallow, deep, lambda make, seed: torch.rand(()).item()), "seed before the network"),
    (in_race, (shallow, deep, lambda make, seed: 1.0), "Two seeds give exactly the same"),
    (in_race, (shallow, deep, lambda make, seed: float(seed)), "Both networks give exactly"),
    (in_race, (shallow, deep, lambda make, seed: 1e4 * run(make, seed)), "Are they per image"),
    (of_model, (None, None), "Nothing is trained yet"),
    (of_model, (wide(), [1.0]), "training mode"),
    (of_model, (nn.Linear(784, 784).eval(), [1.0]), "at most 150,000"),
    (of_model, (trained, [1.0]), "smallest error that you returned"),
]  # fmt: skip
