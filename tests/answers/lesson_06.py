"""Answers to the exercises of lesson 06: right ones, and typical mistakes with words of the message."""

import torch
from torch.autograd.functional import jacobian as jacobian_of
from torch.distributions import Bernoulli
from torch.distributions import kl_divergence as kl

from vae_helpers import checks


def sparsity(h, rho):
    return kl(Bernoulli(rho), Bernoulli(h.mean(0))).sum()


def jacobian(h, w):
    return ((h * (1 - h))[:, :, None] * w).square().sum((1, 2))


def by_autograd(h, w):
    # logit(h) = w x + b; moving x by d moves it by w d.
    still = torch.zeros(w.shape[1])
    matrices = [jacobian_of(lambda d, a=a: torch.sigmoid(a + w @ d), still, create_graph=True) for a in torch.logit(h)]
    return torch.stack([matrix.square().sum() for matrix in matrices])


def by_threshold(codes, k):
    return codes * (codes >= codes.sort(1).values[:, -k:][:, :1])


def by_rank(codes, k):
    return torch.where(codes.argsort(1).argsort(1) >= codes.shape[1] - k, codes, torch.zeros_like(codes))


RIGHT = [
    (checks.sparsity_penalty, sparsity),
    (checks.sigmoid_jacobian, jacobian),
    (checks.sigmoid_jacobian, by_autograd),
    (checks.top_k, by_threshold),
    (checks.top_k, by_rank),
]

WRONG = [
    (checks.sparsity_penalty, lambda h, rho: float(sparsity(h, rho)), "gradient"),
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
    (checks.top_k, lambda codes, k: ..., "returns nothing yet"),
    (checks.top_k, lambda codes, k: codes.topk(k, dim=1).values, "k values alone"),
    (checks.top_k, lambda codes, k: by_threshold(codes.T, k).T, "each unit"),
    (checks.top_k, lambda codes, k: codes - by_threshold(codes, codes.shape[1] - k), "the smallest"),
    (checks.top_k, lambda codes, k: by_threshold(codes, k).detach(), "gradient"),
    (checks.top_k, lambda codes, k: (codes >= codes.sort(1).values[:, -k:][:, :1]).float(), "signs"),
]
