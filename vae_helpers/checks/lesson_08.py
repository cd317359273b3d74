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
                lambda mean, log_var: terms(mean, log_var).sum(1)
            ),
            "You averaged over the units: keep them, and average over the images.": (
                lambda mean, log_var: terms(mean, log_var).mean(1)
            ),
            "You averaged mean and log_var over the images first: average their rates.": (
                lambda mean, log_var: terms(mean.mean(0), log_var.mean(0))
            ),
            "σ² is exp(log_var), not exp(log_var / 2).": (
                lambda mean, log_var: (terms(mean, log_var) + ((log_var / 2).exp() - log_var.exp()) / 2).mean(0)
            ),
        },
        praise="Right: one number per unit, and together they are the rate.",
    )


@exercise
def warped_grid(answer) -> Verdict:
    """Check ``answer(steps)``: the normal quantiles of the middles of ``steps`` equal slices of probability."""

    def middles(steps: int) -> Tensor:
        return (torch.arange(steps) + 0.5) / steps

    return compare(
        answer,
        lambda steps: torch.special.ndtri(middles(steps)),
        cases=[(20,), (3,), (1,)],
        hints={
            "Those are the probabilities themselves; the normal quantile turns them into positions z.": middles,
            "ndtr turns positions into probabilities; ndtri goes the other way.": (
                lambda steps: torch.special.ndtr(middles(steps))
            ),
            "You took the lower ends of the slices, and the first of them is −∞: take their middles.": (
                lambda steps: torch.special.ndtri(torch.arange(steps) / steps)
            ),
            "Those are the borders between steps + 1 slices: cut into `steps` slices, and take the middles.": (
                lambda steps: torch.special.ndtri((torch.arange(steps) + 1) / (steps + 1))
            ),
        },
        praise="Right: every position stands for the same share of the prior.",
    )


@exercise
def slerp(answer) -> Verdict:
    """Check ``answer(a, b, t)``: the points at t on the arcs from the codes ``a`` to ``b``, all (N, d)."""

    def on_arc(a: Tensor, b: Tensor, t: float, angle: Tensor) -> Tensor:
        return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)

    def solution(a: Tensor, b: Tensor, t: float) -> Tensor:
        return on_arc(a, b, t, torch.acos(F.cosine_similarity(a, b))[:, None])

    def lerp(a: Tensor, b: Tensor, t: float) -> Tensor:
        return (1 - t) * a + t * b

    # All products are less than 1, so that the arc cosine of a product that was not normalised exists, too.
    a = tensor([[0.9, 0.1, -0.2], [0.2, -0.7, 0.3], [0.1, 0.5, 0.6], [-0.4, 0.3, 0.2]])
    b = tensor([[0.1, 0.8, 0.3], [0.5, 0.4, -0.6], [0.7, -0.1, 0.2], [0.3, 0.3, 0.9]])
    return compare(
        answer,
        solution,
        cases=[(a, b, 0.3), (b[:2], a[:2], 0.8), (tensor([[0.5, 0.0]]), tensor([[0.0, 0.9]]), 0.5), (a, b, 0.0)],
        hints={
            "That is lerp, the straight line: the two factors are sines of parts of the angle.": lerp,
            "You stretched the straight line to the length of the ends; the steps along the arc are not even then.": (
                lambda a, b, t: F.normalize(lerp(a, b, t)) * lerp(a.norm(dim=1), b.norm(dim=1), t)[:, None]
            ),
            "Ω is the angle, not its cosine: take torch.acos.": lambda a, b, t: on_arc(
                a, b, t, F.cosine_similarity(a, b)[:, None]
            ),
            "The cosine is a · b divided by both lengths: without that, acos gives another angle.": lambda a, b, t: (
                on_arc(a, b, t, torch.acos((a * b).sum(1))[:, None])
            ),
            "You used one angle for the whole batch: every pair of codes has its own.": lambda a, b, t: on_arc(
                a, b, t, torch.acos(F.cosine_similarity(a.flatten(), b.flatten(), dim=0))
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
            "You averaged the logarithms: that is −ELBO. Average the weights, and take the logarithm then.": (
                lambda log_w: -log_w.mean(0)
            ),
            "You added up the weights, but did not divide by k.": lambda log_w: -log_w.logsumexp(0),
            "Your formula is right, but e⁻¹⁵⁰ is 0 in float32, and log 0 is −∞: use torch.logsumexp.": (
                lambda log_w: -log_w.exp().mean(0).log()
            ),
            "You took the largest weight of the whole table out of the sum; each image needs its own largest, or what "
            "is left of small ones is 0.": (lambda log_w: -((log_w - log_w.max()).exp().mean(0).log() + log_w.max())),
            "You took the best weight only: all k of them count.": lambda log_w: -log_w.amax(0),
        },
        praise="Right: the average of the weights, without ever leaving the logarithm.",
    )
