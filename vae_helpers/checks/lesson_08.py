"""Checks for lesson 08: a VAE for handwritten digits."""

import math

import torch
from torch import Tensor, tensor

from vae_helpers.checks.verdict import Complaint, Verdict, compare, draw, exercise, measured, together
from vae_helpers.data import load_digits
from vae_helpers.losses import negative_elbo
from vae_helpers.train import measure

__all__ = ["explained", "importance_weighted", "shares", "unit_rates"]


@exercise
def shares(answer) -> Verdict:
    """Check ``answer(made, real, radius)``, (M, D), (N, D), (N,): shares of pictures in a ball, of balls with one."""

    def both(made: Tensor, real: Tensor, radius: Tensor) -> Tensor:
        inside = (torch.cdist(made, real) <= radius).to(made.dtype)
        return torch.stack([inside.amax(1).mean(), inside.amax(0).mean()])

    near = tensor([[0.0], [0.1], [9.0]]), tensor([[0.0], [5.0]]), tensor([1.0, 1.0])
    return compare(
        answer,
        both,
        cases=[(*draw((7, 2), (5, 2)), tensor([0.6, 1.0, 0.3, 0.8, 1.5])), near],
        hints={
            "The two shares changed places: first the pictures that lie in a ball.": lambda *a: both(*a).flip(0),
            "You counted pairs; for a picture, one ball is enough, and for a ball, one picture.": (
                lambda made, real, radius: (torch.cdist(made, real) <= radius).to(made.dtype).mean().expand(2)
            ),
        },
        praise="Right: a model must be at home, and it must visit.",
    )


@exercise
def explained(answer) -> Verdict:
    """Check ``answer(pictures, digits, seen)``, twice (N, 1, H, W), and (H, W): log-likelihoods, (N,)."""

    def each(p: Tensor, x: Tensor, seen: Tensor) -> Tensor:
        return ((x * p.log() + (1 - x) * (1 - p).log()) * seen).flatten(1)

    def case(*shape: int) -> tuple[Tensor, ...]:
        p, x, seen = (values.sigmoid() for values in draw(shape, shape, shape[2:]))
        return p, x.round(), seen.round()

    return compare(
        answer,
        lambda pictures, digits, seen: each(pictures, digits, seen).sum(1),
        cases=[case(3, 1, 4, 5), case(2, 1, 3, 2), case(1, 1, 2, 5)],
        hints={
            "Pixels in the hole must not count.": lambda p, x, seen: each(p, x, torch.ones_like(seen)).sum(1),
            "A black pixel counts, too: its probability is 1 − p.": lambda p, x, seen: each(p, x, x * seen).sum(1),
            "Add up the logarithms of the seen pixels; you averaged.": lambda *a: each(*a).sum(1) / a[2].sum(),
        },
        praise="Right: only what is seen counts, black pixels as well as white ones.",
    )


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
            "That is the rate of each image: keep the units, average over the images.": lambda *a: terms(*a).sum(1),
            "You averaged over the units: keep them, and average over the images.": lambda *a: terms(*a).mean(1),
            "You averaged the codes first: average their rates.": lambda m, v: terms(m.mean(0), v.mean(0)),
        },
        praise="Right: one number per unit, and together they are the rate.",
    )


@exercise(seconds=60)
def workshop(model) -> Verdict:
    """Check a VAE for digits: at most 10 nats of rate on test digits, and at most 115 of distortion."""
    if not hasattr(model, "reparameterize"):
        raise Complaint(f"This needs a VAE, with a mean and a log_var, but is {type(model).__name__}.")
    found = measure(model, load_digits("test").subset(slice(0, 500)).binarized(), negative_elbo)
    return together(
        measured(
            found["rate"], what="The rate", at_most=10, unit="nats", praise="Narrow enough.", hint="Raise its price?"
        ),
        measured(found["distortion"], what="The distortion", at_most=115, unit="nats", praise="A good use of them."),
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
