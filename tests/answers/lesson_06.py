"""Answers to the exercises of lesson 06: right ones, and typical mistakes with words of the message."""

import torch
from torch.distributions import Bernoulli
from torch.distributions import kl_divergence as kl
from torch.func import jacrev, vmap
from torch.nn import functional as F

from vae_helpers import checks


def mirror(h, w1, w2, b1, b2):
    return F.linear(F.linear(h, w2.T, b2).sigmoid(), w1.T, b1)


def sparsity(h, rho):
    return kl(Bernoulli(rho), Bernoulli(h.mean(0))).sum()


def jacobian(h, w):
    return ((h * (1 - h))[:, :, None] * w).square().sum((1, 2))


def by_autograd(h, w):
    # logit(h) = w x + b; moving x by d moves it by w d.
    return (
        vmap(lambda a: jacrev(lambda d: torch.sigmoid(a + w @ d))(torch.zeros(w.shape[1])))(torch.logit(h)).norm(
            dim=(1, 2)
        )
        ** 2
    )


def inside(filled, images, hole):
    return torch.stack([F.mse_loss(f[m], i[m]) for f, i, m in zip(filled, images, hole, strict=True)])


RIGHT = [
    (checks.tied_decoder, mirror),
    (checks.sparsity_penalty, sparsity),
    (checks.sigmoid_jacobian, jacobian),
    (checks.sigmoid_jacobian, by_autograd),
    (checks.hole_error, inside),
]

WRONG = [
    (checks.sparsity_penalty, lambda h, rho: float(sparsity(h, rho)), "gradient"),
    (checks.tied_decoder, lambda h, w1, w2, b1, b2: ..., "returns nothing yet"),
    (checks.tied_decoder, lambda h, w1, w2, b1, b2: mirror(h, w2, w1, b2, b1), "w2 before w1"),
    (checks.tied_decoder, lambda h, w1, w2, b1, b2: mirror(h, w1.T, w2.T, b1, b2), "needs them transposed"),
    (checks.tied_decoder, lambda h, w1, w2, b1, b2: mirror(h, w2.T, w1.T, b2, b1), "ran the encoder once more"),
    (checks.tied_decoder, lambda h, w1, w2, b1, b2: mirror(h, w1, w2, b2, b1), "swapped the two biases"),
    (checks.tied_decoder, lambda h, w1, w2, b1, b2: mirror(h, w1, w2, 0 * b1, 0 * b2), "biases are missing"),
    (checks.tied_decoder, lambda h, w1, w2, b1, b2: (h @ w2 + b2) @ w1 + b1, "φ is missing"),
    (checks.tied_decoder, lambda h, w1, w2, b1, b2: mirror(h, w1, w2, b1, b2).sigmoid(), "φ too many"),
    (
        checks.tied_decoder,
        lambda h, w1, w2, b1, b2: mirror(h, w1.inverse().T, w2.inverse().T, b1, b2),
        "inverse matrices",
    ),
    (checks.tied_decoder, lambda h, w1, w2, b1, b2: mirror(h, w1, w2, b1, b2) + 1, "wrong numbers"),
    (checks.sparsity_penalty, lambda h, rho: ..., "returns nothing yet"),
    (checks.sparsity_penalty, lambda h, rho: kl(Bernoulli(h.mean(0)), Bernoulli(rho)).sum(), "swapped the arguments"),
    (checks.sparsity_penalty, lambda h, rho: (rho * (rho / h.mean(0)).log()).sum(), "second half is missing"),
    (checks.sparsity_penalty, lambda h, rho: sparsity(h.T, rho), "averaged over the units of each image"),
    (checks.sparsity_penalty, lambda h, rho: kl(Bernoulli(rho), Bernoulli(h.mean())), "all units at once"),
    (checks.sparsity_penalty, lambda h, rho: kl(Bernoulli(rho), Bernoulli(h)).sum(1).mean(), "every single activation"),
    (checks.sparsity_penalty, lambda h, rho: kl(Bernoulli(rho), Bernoulli(h)).sum(), "summed over the batch as well"),
    (checks.sparsity_penalty, lambda h, rho: kl(Bernoulli(rho), Bernoulli(h.mean(0))), "one number per unit"),
    (checks.sparsity_penalty, lambda h, rho: sparsity(h, rho) / h.shape[1], "averaged over the units at the end"),
    (checks.sparsity_penalty, lambda h, rho: -sparsity(h, rho), "sign flipped"),
    (checks.sigmoid_jacobian, lambda h, w: ..., "returns nothing yet"),
    (checks.sigmoid_jacobian, lambda h, w: jacobian(h, w).sqrt(), "uses its square"),
    (checks.sigmoid_jacobian, lambda h, w: (h * (1 - h)) @ w.square().sum(1), "did not square the slope"),
    (checks.sigmoid_jacobian, lambda h, w: (h * (1 - h)).square() @ w.sum(1), "did not square the weights"),
    (checks.sigmoid_jacobian, lambda h, w: (h * (1 - h)).square() @ w.sum(1) ** 2, "squared the sum of a row"),
    (checks.sigmoid_jacobian, lambda h, w: (h * (1 - h)).square() @ w.norm(dim=1), "length of each row"),
    (checks.sigmoid_jacobian, lambda h, w: w.square().sum().repeat(len(h)), "slope is missing"),
    (checks.sigmoid_jacobian, lambda h, w: h.square() @ w.square().sum(1), "h(1 − h), not h"),
    (checks.sigmoid_jacobian, lambda h, w: (1 - h**2).square() @ w.square().sum(1), "slope of tanh"),
    (checks.sigmoid_jacobian, lambda h, w: jacobian(h.sigmoid(), w), "once more"),
    (checks.sigmoid_jacobian, lambda h, w: jacobian(h, w.T), "summed the weights over the units"),
    (checks.sigmoid_jacobian, lambda h, w: jacobian(h, w).sum(), "summed over the images too"),
    (checks.sigmoid_jacobian, lambda h, w: jacobian(h, w).mean(), "averaged over the images"),
    (checks.sigmoid_jacobian, lambda h, w: jacobian(h, w) / 3, "averaged over the units"),
    (checks.hole_error, lambda filled, images, hole: ..., "returns nothing yet"),
    (checks.hole_error, lambda filled, images, hole: (filled - images).square().mean((1, 2, 3)), "the whole image"),
    (
        checks.hole_error,
        lambda filled, images, hole: ((filled - images) * hole).square().mean((1, 2, 3)),
        "divided by all pixels",
    ),
    (
        checks.hole_error,
        lambda filled, images, hole: ((filled - images) * hole).square().sum((1, 2, 3)),
        "summed over the hole",
    ),
    (checks.hole_error, lambda filled, images, hole: inside(filled, images, ~hole), "outside the hole"),
    (checks.hole_error, lambda filled, images, hole: inside(filled, images, hole).sqrt(), "took the root"),
    (
        checks.hole_error,
        lambda filled, images, hole: ((filled - images).abs() * hole).sum((1, 2, 3)) / hole.sum((1, 2, 3)),
        "absolute differences",
    ),
    (checks.hole_error, lambda filled, images, hole: F.mse_loss(filled[hole], images[hole]), "pooled the pixels"),
    (checks.hole_error, lambda filled, images, hole: inside(filled, images, hole).mean(), "averaged over the images"),
]
