"""Checks for lesson 08: a VAE for handwritten digits."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, tensor

from vae_helpers.checks.verdict import Verdict, compare, draw, exercise

__all__ = ["importance_weighted", "slerp", "unit_rates", "warped_grid"]


@exercise
def unit_rates(answer) -> Verdict:
    """Check ``answer(mean, log_var)``, both (N, latent_dim): the mean rate of each unit in nats, (latent_dim,)."""

    def terms(mean: Tensor, log_var: Tensor) -> Tensor:
        return (mean.square() + log_var.exp() - log_var - 1) / 2

    return compare(
        answer,
        lambda mean, log_var: terms(mean, log_var).mean(0),
        cases=[draw((5, 3), (5, 3)), draw((3, 2), (3, 2)), (tensor([[0.0, 1.0]]), tensor([[0.0, -1.0]]))],
        hints={
            "That is the rate of each image. Keep the units, and average over the images.": (
                lambda m, v: terms(m, v).sum(1)
            ),
            "You averaged over the units: keep them, and average over the images.": lambda m, v: terms(m, v).mean(1),
            "You averaged the codes first: average their rates.": lambda m, v: terms(m.mean(0), v.mean(0)),
            "σ² is exp(log_var), not exp(log_var / 2).": (
                lambda m, v: (terms(m, v) + ((v / 2).exp() - v.exp()) / 2).mean(0)
            ),
        },
        praise="Right: one number per unit, and together they are the rate.",
    )


@exercise
def warped_grid(answer) -> Verdict:
    """Check ``answer(steps)``: the normal quantiles of the middles of ``steps`` equal slices of probability."""

    def at(part: float, steps: int, slices: int = 0) -> Tensor:
        return torch.special.ndtri((torch.arange(steps) + part) / (slices or steps))

    return compare(
        answer,
        lambda steps: at(0.5, steps),
        cases=[(20,), (3,), (1,)],
        hints={
            "Those are the probabilities themselves; the normal quantile turns them into positions z.": (
                lambda n: (torch.arange(n) + 0.5) / n
            ),
            "ndtri turns probabilities into positions; ndtr does not.": lambda n: torch.special.ndtr(
                (torch.arange(n) + 0.5) / n
            ),
            "You took the lower ends of the slices, and the first of them is −∞: take their middles.": (
                lambda n: at(0, n)
            ),
            "Those are the borders of steps + 1 slices: take the middles of `steps`.": lambda n: at(1, n, n + 1),
        },
        praise="Right: every position stands for the same share of the prior.",
    )


@exercise
def slerp(answer) -> Verdict:
    """Check ``answer(a, b, t)``: the points at t on the arcs from the codes ``a`` to ``b``, all (N, d)."""

    def on_arc(a: Tensor, b: Tensor, t: float, angle: Tensor) -> Tensor:
        angle = angle[:, None]
        return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)

    def lerp(a: Tensor, b: Tensor, t: float) -> Tensor:
        return (1 - t) * a + t * b

    # All products are less than 1, so that the arc cosine of a product that was not normalised exists, too.
    a = tensor([[0.9, 0.1, -0.2], [0.2, -0.7, 0.3], [0.1, 0.5, 0.6], [-0.4, 0.3, 0.2]])
    b = tensor([[0.1, 0.8, 0.3], [0.5, 0.4, -0.6], [0.7, -0.1, 0.2], [0.3, 0.3, 0.9]])
    return compare(
        answer,
        lambda a, b, t: on_arc(a, b, t, torch.acos(F.cosine_similarity(a, b))),
        cases=[(a, b, 0.3), (b[:2], a[:2], 0.8), (tensor([[0.5, 0.0]]), tensor([[0.0, 0.9]]), 0.5), (a, b, 0.0)],
        hints={
            "That is lerp, the straight line: the two factors are sines of parts of the angle.": lerp,
            "You stretched the straight line to the length of the ends; the steps along the arc are not even then.": (
                lambda a, b, t: F.normalize(lerp(a, b, t)) * lerp(a.norm(dim=1), b.norm(dim=1), t)[:, None]
            ),
            "Ω is the angle, not its cosine: take acos.": lambda a, b, t: on_arc(a, b, t, F.cosine_similarity(a, b)),
            "The cosine is a · b divided by both lengths.": lambda a, b, t: on_arc(a, b, t, torch.acos((a * b).sum(1))),
            "You used one angle for the whole batch: every pair of codes has its own.": lambda a, b, t: on_arc(
                a, b, t, torch.acos(F.cosine_similarity(a.flatten(), b.flatten(), dim=0)).expand(len(a))
            ),
        },
        praise="Right: on the arc, at an even pace, with the lengths of the ends.",
    )


@exercise
def importance_weighted(answer) -> Verdict:
    """Check ``answer(log_w)``, the logarithms of k weights of N images, (k, N): the estimates of -log p(x), (N,)."""
    small = tensor([[-1.0, 0.5, -2.0], [-0.3, -1.2, -0.1], [0.4, -0.6, -3.0], [-1.7, 0.2, -0.8]])
    return compare(
        answer,
        lambda log_w: math.log(len(log_w)) - log_w.logsumexp(0),
        cases=[
            (small,),
            (2 * small[:3, :2] - 150,),
            (tensor([[-1.0, -221.0], [-2.0, -220.0], [0.0, -222.0]]),),  # no maximum serves both columns
            (tensor([[-110.0, 3.0]]),),
        ],
        hints={
            "You averaged the logarithms, that is −ELBO: average the weights, then take the logarithm.": (
                lambda log_w: -log_w.mean(0)
            ),
            "You added up the weights, but did not divide by k.": lambda log_w: -log_w.logsumexp(0),
            "e⁻¹⁵⁰ is 0 in float32, and log 0 is −∞: use torch.logsumexp.": lambda log_w: -log_w.exp().mean(0).log(),
            "You took the largest weight of the whole table out of the sum; each image needs its own largest.": (
                lambda log_w: -((log_w - log_w.max()).exp().mean(0).log() + log_w.max())
            ),
            "You took the best weight only: all k of them count.": lambda log_w: -log_w.amax(0),
        },
        praise="Right: the average of the weights, without ever leaving the logarithm.",
    )
