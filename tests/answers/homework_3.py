"""Answers to problem set 3: right ones, and typical mistakes with words of the message."""

import math

import numpy as np
import torch
from torch import distributions, nn

from vae_helpers.checks import homework_3 as checks


def gaussians(mean_q, log_var_q, mean_p, log_var_p):
    """By PyTorch's own divergence."""
    q, p = (
        distributions.Normal(mean, (log_var / 2).exp()) for mean, log_var in ((mean_q, log_var_q), (mean_p, log_var_p))
    )
    return distributions.kl_divergence(q, p).sum(-1)


def bound(log_joint, log_q):
    """The weights relative to the largest, which is drawn out of the mean."""
    weights = log_joint - log_q
    largest = weights.amax(0)
    return largest + (weights - largest).exp().mean(0).log()


def grey(x, mean, scale):
    """In numpy's style, with the cumulative distribution of each level."""
    x, mean = x.numpy().astype(float), mean.numpy().astype(float)

    def below(level):
        return 1 / (1 + np.exp(-np.clip((level - mean) / scale, -60, 60)))

    upper = np.where(x == 255, 1, below(x + 0.5))
    lower = np.where(x == 0, 0, below(x - 0.5))
    return -np.log(np.maximum(upper - lower, 1e-12)).sum(1)


class Lazy(nn.Module):
    """A VAE that gives every image the same code and the same grey."""

    def __init__(self, white=0.5, mean=0.0):
        super().__init__()
        self.white, self.mean = nn.Parameter(torch.tensor(white)), mean
        self.eval()

    def encode(self, x):
        return torch.full((len(x), 3), self.mean), torch.zeros(len(x), 3)

    def decode(self, z):
        return self.white.expand(len(z), 1, 28, 28)


RIGHT = [
    (checks.gaussian_kl, gaussians),
    (checks.iwae_bound, bound),
    (checks.iwae_bound, lambda joint, q: torch.log_softmax(joint - q, 0)[0].neg() + (joint - q)[0] - math.log(len(q))),
    (checks.grey_nll, grey),
]

WRONG = [
    (checks.gaussian_kl, lambda m, v, n, w: ..., "returns nothing yet"),
    (checks.gaussian_kl, lambda m, v, n, w: gaussians(n, w, m, v), "That is KL(p‖q)"),
    (checks.gaussian_kl, lambda m, v, n, w: gaussians(m, v, 0 * n, 0 * w), "special case"),
    (checks.gaussian_kl, lambda m, v, n, w: 0.5 * (w - v + (v - w).exp() + (m - n) ** 2 - 1).sum(1), "in units of p's"),
    (checks.gaussian_kl, lambda m, v, n, w: gaussians(m, v, n, w) * 2, "2 times"),
    (checks.gaussian_kl, lambda m, v, n, w: gaussians(m, v, n, w).mean(), "mean over dimension"),
    (checks.gaussian_kl, lambda m, v, n, w: gaussians(m.detach(), v, n, w), "no gradient"),
    (checks.gaussian_kl, lambda m, v, n, w: gaussians(m, 2 * v, n, 2 * w), "returned"),
    (checks.iwae_bound, lambda joint, q: (joint - q).mean(0), "That is the ELBO"),
    (checks.iwae_bound, lambda joint, q: torch.logsumexp(joint - q, 0), "The 1/k is missing"),
    (checks.iwae_bound, lambda joint, q: torch.logsumexp(joint - q, 1) - math.log(q.shape[1]), "over the images"),
    (checks.iwae_bound, lambda joint, q: (joint - q).exp().mean(0).log(), "returns -inf"),
    (checks.iwae_bound, lambda joint, q: -bound(joint, q), "sign"),
    (checks.iwae_bound, lambda joint, q: bound(joint, q).detach(), "no gradient"),
    (checks.iwae_bound, lambda joint, q: bound(joint, q).mean(), "mean over dimension"),
    (checks.vae, None, "There is no model yet"),
    (checks.vae, nn.Linear(784, 784), "at most 200,000"),
    (checks.vae, Lazy().train(), "training mode"),
    (checks.vae, Lazy(white=1.5), "sigmoid missing"),
    (checks.vae, Lazy(), "hardly used"),
    (checks.vae, Lazy(mean=3.0), "is missing"),
    (checks.grey_nll, lambda x, mean, scale: -grey(x, mean, scale), "sign"),
    (checks.grey_nll, lambda x, mean, scale: grey(x, mean, scale) / x.shape[1], "a mean for a sum"),
    (checks.grey_nll, lambda x, mean, scale: grey(x, mean, scale).mean(), "mean over dimension"),
]  # fmt: skip
