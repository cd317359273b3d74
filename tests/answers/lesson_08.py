"""Answers to the exercises of lesson 08: right ones, and typical mistakes with words of the message."""

import math
import statistics

import torch
import torch.nn.functional as F

from vae_helpers import checks, losses


def rates(mean, log_var):
    return torch.stack([losses.kl_divergence(mean[:, [j]], log_var[:, [j]]).mean() for j in range(mean.shape[1])])


def each_rate(mean, log_var):
    return (mean**2 + log_var.exp() - log_var - 1) / 2


def grid(steps):
    bell = statistics.NormalDist()
    return [bell.inv_cdf((i + 0.5) / steps) for i in range(steps)]


def quantile(p):
    return torch.special.ndtri(torch.as_tensor(p))


def lerp(a, b, t):
    return torch.lerp(a, b, t)


def slerp(a, b, t):
    angle = (F.normalize(a) * F.normalize(b)).sum(1, keepdim=True).acos()
    return a * ((1 - t) * angle).sin() / angle.sin() + b * (t * angle).sin() / angle.sin()


def with_angle(a, b, t, angle):
    return (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()


def cosines(a, b):
    return F.cosine_similarity(a, b)[:, None]


def nll(log_w):
    largest = log_w.max(0).values
    return -(largest + (log_w - largest).exp().mean(0).log())


RIGHT = [
    (checks.unit_rates, rates),
    (checks.warped_grid, grid),
    (checks.slerp, slerp),
    (checks.importance_weighted, nll),
]

WRONG = [
    (checks.unit_rates, lambda mean, log_var: ..., "returns nothing yet"),
    (checks.unit_rates, losses.kl_divergence, "That is the rate of each image. Keep the unit"),
    (checks.unit_rates, lambda mean, log_var: each_rate(mean, log_var).mean(1), "averaged over the units"),
    (
        checks.unit_rates,
        lambda mean, log_var: each_rate(mean, log_var).sum(0),
        "your numbers are too large by a factor",
    ),
    (checks.unit_rates, each_rate, "mean over dimension 0 is still missing"),
    (checks.unit_rates, lambda mean, log_var: each_rate(mean, log_var).mean(), "You took the mean over dimension 0"),
    (checks.unit_rates, lambda mean, log_var: rates(mean, log_var).sum(), "You took the sum over dimension 0"),
    (
        checks.unit_rates,
        lambda mean, log_var: each_rate(mean.mean(0), log_var.mean(0)),
        "You averaged the codes first: average their r",
    ),
    (checks.unit_rates, lambda mean, log_var: 2 * rates(mean, log_var), "2 times"),
    (checks.unit_rates, lambda mean, log_var: -rates(mean, log_var), "sign"),
    (
        checks.unit_rates,
        lambda mean, log_var: ((mean**2 + (log_var / 2).exp() - log_var - 1) / 2).mean(0),
        "σ² is exp(log_var)",
    ),
    (checks.unit_rates, lambda mean, log_var: rates(mean, log_var) + 1, "too large by 1"),
    (checks.warped_grid, lambda steps: None, "returns nothing yet"),
    (checks.warped_grid, lambda steps: (torch.arange(steps) + 0.5) / steps, "probabilities themselves"),
    (
        checks.warped_grid,
        lambda steps: torch.special.ndtr((torch.arange(steps) + 0.5) / steps),
        "ndtri turns probabilities into positions; ndt",
    ),
    (checks.warped_grid, lambda steps: quantile(torch.linspace(0, 1, steps)), "-inf for"),
    (checks.warped_grid, lambda steps: quantile([i / steps for i in range(steps)]), "lower ends"),
    (checks.warped_grid, lambda steps: quantile([(i + 1) / steps for i in range(steps)]), "inf for"),
    (checks.warped_grid, lambda steps: quantile(torch.linspace(0, 1, steps + 2)[1:-1]), "borders"),
    (checks.warped_grid, lambda steps: (2 * torch.arange(steps) + 1) / steps - 1, "returned"),
    (checks.warped_grid, lambda steps: torch.linspace(-2, 2, steps), "returned"),
    (checks.slerp, lambda a, b, t: ..., "returns nothing yet"),
    (checks.slerp, lerp, "That is lerp"),
    (
        checks.slerp,
        lambda a, b, t: F.normalize(lerp(a, b, t)) * ((1 - t) * a.norm(dim=1) + t * b.norm(dim=1))[:, None],
        "not even",
    ),
    (checks.slerp, lambda a, b, t: F.normalize(lerp(a, b, t)), "returned"),
    (checks.slerp, lambda a, b, t: slerp(b, a, t), "changed places"),
    (
        checks.slerp,
        lambda a, b, t: slerp(a, b, t) * cosines(a, b).acos().sin(),
        "Each row of your numbers is a multiple of the",
    ),
    (checks.slerp, lambda a, b, t: with_angle(a, b, t, cosines(a, b)), "not its cosine"),
    (checks.slerp, lambda a, b, t: with_angle(a, b, t, (a * b).sum(1, keepdim=True).acos()), "both lengths"),
    (
        checks.slerp,
        lambda a, b, t: with_angle(a, b, t, ((a * b).sum() / a.norm() / b.norm()).acos()),
        "one angle for the whole batch",
    ),
    (checks.slerp, lambda a, b, t: slerp(F.normalize(a), F.normalize(b), t), "returned"),
    (checks.slerp, lambda a, b, t: with_angle(a, b, t, cosines(a, b).acos()[:, 0]), "stopped with RuntimeError"),
    (checks.importance_weighted, lambda log_w: ..., "returns nothing yet"),
    (checks.importance_weighted, lambda log_w: -log_w.mean(0), "that is −ELBO"),
    (checks.importance_weighted, lambda log_w: -log_w.logsumexp(0), "did not divide by k"),
    (
        checks.importance_weighted,
        lambda log_w: -log_w.logsumexp(0) - math.log(len(log_w)),
        "In each case, your numbers are off by a const",
    ),
    (checks.importance_weighted, lambda log_w: -nll(log_w), "sign"),
    (checks.importance_weighted, lambda log_w: nll(log_w.T), "returns the shape"),
    (checks.importance_weighted, lambda log_w: nll(log_w).mean(), "You took the mean over dimension 0"),
    (checks.importance_weighted, lambda log_w: -log_w.exp().mean(0).log(), "use torch.logsumexp"),
    (checks.importance_weighted, lambda log_w: -log_w.max(0).values, "best weight only"),
    (checks.importance_weighted, lambda log_w: log_w.exp().mean(0), "the exponentials of minus"),
]
