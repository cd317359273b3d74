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
    (
        checks.tied_decoder,
        lambda h, w1, w2, b1, b2: mirror(h, w1.T, w2.T, b1, b2),
        "The decoder needs the matrices transposed. nn",
    ),
    (checks.tied_decoder, lambda h, w1, w2, b1, b2: mirror(h, w2.T, w1.T, b2, b1), "stopped with RuntimeError"),
    (checks.tied_decoder, lambda h, w1, w2, b1, b2: mirror(h, w1, w2, b2, b1), "stopped with RuntimeError"),
    (checks.tied_decoder, lambda h, w1, w2, b1, b2: mirror(h, w1, w2, 0 * b1, 0 * b2), "does not depend on `b1`"),
    (checks.tied_decoder, lambda h, w1, w2, b1, b2: (h @ w2 + b2) @ w1 + b1, "φ is missing"),
    (checks.tied_decoder, lambda h, w1, w2, b1, b2: mirror(h, w1, w2, b1, b2).sigmoid(), "the logistic function of"),
    (
        checks.tied_decoder,
        lambda h, w1, w2, b1, b2: mirror(h, w1.inverse().T, w2.inverse().T, b1, b2),
        "stopped with RuntimeError",
    ),
    (checks.tied_decoder, lambda h, w1, w2, b1, b2: mirror(h, w1, w2, b1, b2) + 1, "too large by 1"),
    (checks.sparsity_penalty, lambda h, rho: ..., "returns nothing yet"),
    (
        checks.sparsity_penalty,
        lambda h, rho: kl(Bernoulli(h.mean(0)), Bernoulli(rho)).sum(),
        "The target ρ comes first, the measured ρ̂ sec",
    ),
    (checks.sparsity_penalty, lambda h, rho: (rho * (rho / h.mean(0)).log()).sum(), "second half is missing"),
    (checks.sparsity_penalty, lambda h, rho: sparsity(h.T, rho), "`h` were transposed"),
    (
        checks.sparsity_penalty,
        lambda h, rho: kl(Bernoulli(rho), Bernoulli(h.mean())),
        "Every unit has its own ρ̂; you took one mean",
    ),
    (
        checks.sparsity_penalty,
        lambda h, rho: kl(Bernoulli(rho), Bernoulli(h)).sum(1).mean(),
        "Average each unit over the batch first: a uni",
    ),
    (checks.sparsity_penalty, lambda h, rho: kl(Bernoulli(rho), Bernoulli(h)).sum(), "returned"),
    (
        checks.sparsity_penalty,
        lambda h, rho: kl(Bernoulli(rho), Bernoulli(h.mean(0))),
        "sum over dimension 0 is still missing",
    ),
    (checks.sparsity_penalty, lambda h, rho: sparsity(h, rho) / h.shape[1], "your numbers are too small by a factor"),
    (checks.sparsity_penalty, lambda h, rho: -sparsity(h, rho), "for the sign"),
    (checks.sigmoid_jacobian, lambda h, w: ..., "returns nothing yet"),
    (checks.sigmoid_jacobian, lambda h, w: jacobian(h, w).sqrt(), "the square roots of"),
    (
        checks.sigmoid_jacobian,
        lambda h, w: (h * (1 - h)) @ w.square().sum(1),
        "An entry of the Jacobian is slope times weigh",
    ),
    (checks.sigmoid_jacobian, lambda h, w: (h * (1 - h)).square() @ w.sum(1), "right if `w` were 1"),
    (
        checks.sigmoid_jacobian,
        lambda h, w: (h * (1 - h)).square() @ w.sum(1) ** 2,
        "Square the weights, then sum; you summed firs",
    ),
    (checks.sigmoid_jacobian, lambda h, w: (h * (1 - h)).square() @ w.norm(dim=1), "returned"),
    (checks.sigmoid_jacobian, lambda h, w: w.square().sum().repeat(len(h)), "slope is missing"),
    (checks.sigmoid_jacobian, lambda h, w: h.square() @ w.square().sum(1), "returned"),
    (
        checks.sigmoid_jacobian,
        lambda h, w: (1 - h**2).square() @ w.square().sum(1),
        "The slope of the logistic function is h(1 − h",
    ),
    (checks.sigmoid_jacobian, lambda h, w: jacobian(h.sigmoid(), w), "the logistic function of `h` were taken"),
    (checks.sigmoid_jacobian, lambda h, w: jacobian(h, w.T), "stopped with RuntimeError"),
    (checks.sigmoid_jacobian, lambda h, w: jacobian(h, w).sum(), "You took the sum over dimension 0"),
    (checks.sigmoid_jacobian, lambda h, w: jacobian(h, w).mean(), "You took the mean over dimension 0"),
    (checks.sigmoid_jacobian, lambda h, w: jacobian(h, w) / 3, "0.3333 times"),
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
    (
        checks.hole_error,
        lambda filled, images, hole: inside(filled, images, ~hole),
        "True and False in `hole` were exchanged",
    ),
    (checks.hole_error, lambda filled, images, hole: inside(filled, images, hole).sqrt(), "the square roots of"),
    (
        checks.hole_error,
        lambda filled, images, hole: ((filled - images).abs() * hole).sum((1, 2, 3)) / hole.sum((1, 2, 3)),
        "returned",
    ),
    (checks.hole_error, lambda filled, images, hole: F.mse_loss(filled[hole], images[hole]), "pooled the pixels"),
    (
        checks.hole_error,
        lambda filled, images, hole: inside(filled, images, hole).mean(),
        "You took the mean over dimension 0",
    ),
]
