"""Answers to the exercises of lesson 07: right ones, and typical mistakes with words of the message."""

import math

import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from vae_helpers import checks


def parts(log_prior, log_likelihood, log_q, dz):
    """p(x), and the weights q(z) · dz."""
    return ((log_prior + log_likelihood).exp() * dz).sum(), log_q.exp() * dz


def bound(log_prior, log_likelihood, log_q, dz):
    p, q = parts(log_prior, log_likelihood, log_q, dz)
    elbo = (q * log_likelihood).sum() - (q * (log_q - log_prior)).sum()
    return p.log(), elbo, (q * (log_q - (log_prior + log_likelihood - p.log()))).sum()


def in_floats(log_prior, log_likelihood, log_q, dz):
    return [number.item() for number in bound(log_prior, log_likelihood, log_q, dz)]


def without_dz(log_prior, log_likelihood, log_q, dz):
    p, q = parts(log_prior, log_likelihood, log_q, 1.0)
    joint = log_prior + log_likelihood
    return p.log(), (q * (joint - log_q)).sum() * dz, (q * (log_q - joint + p.log())).sum() * dz


def over_the_prior(log_prior, log_likelihood, log_q, dz):
    one, _, three = bound(log_prior, log_likelihood, log_q, dz)
    return one, (log_prior.exp() * dz * (log_prior + log_likelihood - log_q)).sum(), three


def without_q(log_prior, log_likelihood, log_q, dz):
    one, _, three = bound(log_prior, log_likelihood, log_q, dz)
    return one, (log_q.exp() * dz * (log_prior + log_likelihood)).sum(), three


def from_the_prior(log_prior, log_likelihood, log_q, dz):
    return *bound(log_prior, log_likelihood, log_q, dz)[:2], (log_q.exp() * dz * (log_q - log_prior)).sum()


def kl(mean, log_var):
    return kl_divergence(Normal(mean, (log_var / 2).exp()), Normal(0.0, 1.0)).sum(1)


def half(mean, log_var):
    return (mean**2 + log_var.exp() - log_var - 1) / 2


def loss(white, x, mean, log_var):
    return -Bernoulli(white).log_prob(x).sum((1, 2, 3)) + kl(mean, log_var)


def by_hand(white, x, mean, log_var):
    likelihood = torch.where(x > 0.5, white, 1 - white)
    return half(mean, log_var).sum(-1) - likelihood.log().sum(dim=(1, 2, 3))


RIGHT = [
    (checks.bound, bound),
    (checks.bound, in_floats),
    (checks.kl_divergence, kl),
    (checks.kl_divergence, lambda mean, log_var: -0.5 * (1 + log_var - mean.pow(2) - log_var.exp()).sum(dim=-1)),
    (checks.vae_loss, loss),
    (checks.vae_loss, by_hand),
]

WRONG = [
    (checks.bound, lambda log_prior, log_likelihood, log_q, dz: (..., ..., ...), "returns nothing yet"),
    (checks.bound, without_dz, "Step 2, log p(x): "),
    (checks.bound, over_the_prior, "Step 3, the ELBO: "),
    (checks.bound, without_q, "Step 3, the ELBO: "),
    (checks.bound, from_the_prior, "Step 4, the gap: "),
    (
        checks.bound,
        lambda a, b, q, dz: (bound(a, b, q, dz)[0], bound(a, b, q, dz)[1], -bound(a, b, q, dz)[2]),
        "for the sign",
    ),
    (checks.kl_divergence, lambda mean, log_var: ..., "returns nothing yet"),
    (checks.kl_divergence, lambda mean, log_var: -kl(mean, log_var), "for the sign"),
    (checks.kl_divergence, lambda mean, log_var: 2 * kl(mean, log_var), "2 times"),
    (checks.kl_divergence, lambda mean, log_var: half(mean, log_var).mean(1), "your numbers are too small by a factor"),
    (checks.kl_divergence, lambda mean, log_var: half(mean, log_var).sum(), "You took the sum over dimension 0"),
    (checks.kl_divergence, lambda mean, log_var: kl(mean, log_var).mean(), "You took the mean over dimension 0"),
    (checks.kl_divergence, lambda mean, log_var: half(mean, log_var), "sum over dimension 1 is still missing"),
    (checks.kl_divergence, lambda mean, log_var: kl(mean, 2 * log_var), "log_var is log σ², not log σ"),
    (
        checks.kl_divergence,
        lambda mean, log_var: 0.5 * (mean**2 + torch.exp(0.5 * log_var) - log_var - 1).sum(1),
        "where the formula has σ²",
    ),
    (checks.kl_divergence, lambda mean, log_var: 0.5 * (mean + log_var.exp() - log_var - 1).sum(1), "mean"),
    (checks.kl_divergence, lambda mean, log_var: 0.5 * (mean**2 + log_var.exp() - log_var).sum(1), "constant"),
    (
        checks.kl_divergence,
        lambda mean, log_var: kl_divergence(Normal(0.0, 1.0), Normal(mean, (log_var / 2).exp())).sum(1),
        "swapped",
    ),
    (checks.kl_divergence, lambda mean, log_var: kl(mean, log_var) + 1, "too large by 1"),
    (checks.vae_loss, lambda white, x, mean, log_var: ..., "returns nothing yet"),
    (checks.vae_loss, lambda white, x, m, v: loss(white, x, m, v) - 2 * kl(m, v), "add it"),
    (checks.vae_loss, lambda white, x, m, v: loss(white, x, m, v) - kl(m, v), "the rate is missing"),
    (
        checks.vae_loss,
        lambda white, x, m, v: -Bernoulli(white).log_prob(x).mean((1, 2, 3)) + kl(m, v),
        "Sum over the pixels",
    ),
    (checks.vae_loss, lambda white, x, m, v: loss(white, x, m, v).mean(), "dimension 0"),
    (checks.vae_loss, lambda white, x, m, v: loss(white, x, m, v) / math.log(2), "1.443 times"),
    (checks.vae_loss, lambda white, x, m, v: (white - x).square().sum((1, 2, 3)) + kl(m, v), "returned"),
    (checks.vae_loss, lambda white, x, m, v: loss(white.detach(), x, m, v), "no gradient"),
]
