"""Checks for problem set 3: the variational autoencoder."""

import math

import torch
from torch import nn, tensor

from vae_helpers.checks.verdict import Complaint, Verdict, compare, draw, exercise, measured, numbers
from vae_helpers.data import load_digits
from vae_helpers.losses import kl_divergence


@exercise
def gaussian_kl(answer) -> Verdict:
    """Check ``answer(mean_q, log_var_q, mean_p, log_var_p)``: KL(q‖p) of diagonal Gaussians (N, d), (N,), in nats."""

    def solution(mean_q, log_var_q, mean_p, log_var_p):
        scaled = (log_var_q.exp() + (mean_q - mean_p) ** 2) / log_var_p.exp()
        return 0.5 * (log_var_p - log_var_q + scaled - 1).sum(1)

    pair, zero = draw((3, 2), (3, 2), (3, 2), (3, 2)), torch.zeros(1, 2)
    return compare(
        answer,
        solution,
        cases=[pair, (tensor([[1.0, -1.0]]), tensor([[0.5, 0.0]]), zero, zero), draw((2, 5), (2, 5), (2, 5), (2, 5))],
        hints={
            "That is KL(p‖q): the two are not symmetric.": lambda m, v, n, w: solution(n, w, m, v),
            "That is the special case p = N(0, I): where do mean_p and log_var_p come in?": (
                lambda m, v, n, w: kl_divergence(m, v)
            ),
            "The squared distance of the means is measured in units of p's variance, too.": (
                lambda m, v, n, w: 0.5 * (w - v + (v - w).exp() + (m - n) ** 2 - 1).sum(1)
            ),
        },
        praise="Right: and with p = N(0, I) it is the rate of lesson 07.",
        gradient=True,
    )


@exercise
def iwae_bound(answer) -> Verdict:
    """Check ``answer(log_joint, log_q)``: log of the mean over k of exp(log_joint − log_q), (k, N) → (N,), in nats."""
    joint, q = draw((4, 3), (4, 3))
    return compare(
        answer,
        lambda log_joint, log_q: torch.logsumexp(log_joint - log_q, 0) - math.log(len(log_q)),
        cases=[(joint, q), (joint * 5 - 300, q - 20), (joint[:1], q[:1])],
        hints={
            "That is the ELBO: the mean of the logarithms. Here the mean stands inside the logarithm.": (
                lambda log_joint, log_q: (log_joint - log_q).mean(0)
            ),
            "The 1/k is missing.": lambda log_joint, log_q: torch.logsumexp(log_joint - log_q, 0),
            "You averaged over the images; the k draws lie along the first dimension.": (
                lambda log_joint, log_q: torch.logsumexp(log_joint - log_q, 1) - math.log(log_q.shape[1])
            ),
        },
        praise="Right, and no weight was ever out of its logarithm.",
        gradient=True,
    )


@exercise(seconds=60)
def vae(model) -> Verdict:
    """Check a VAE of at most 200,000 weights: at most 126 nats per binarized test digit."""
    if not isinstance(model, nn.Module) or not any(True for _ in model.parameters()):
        raise Complaint("There is no model yet: write MyVAE and train_vae in place of the dots.")
    size = sum(p.numel() for p in model.parameters())
    if size > 200_000:
        raise Complaint(f"Your model has {size:,} weights and biases; at most 200,000 are allowed.")
    if model.training:
        raise Complaint("Your model is still in training mode: call model.eval() at the end of train_vae.")
    images = load_digits("test", source="embedded").binarized().floats
    with torch.no_grad():
        mean, log_var = (part.float() for part in model.encode(images))
        if mean.shape != log_var.shape or mean.ndim != 2 or len(mean) != len(images):
            raise Complaint(f"encode should give means and log variances (N, d), not {tuple(mean.shape)}.")
        noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(3))
        white = model.decode(mean + noise * (log_var / 2).exp())
    white = numbers(white, "What decode returns", tuple(images.shape)).float()
    if white.min() < 0 or white.max() > 1:
        raise Complaint("decode should return probabilities, between 0 and 1: is a sigmoid missing?")
    distortion = -(images * white.clamp(min=1e-30).log() + (1 - images) * (1 - white).clamp(min=1e-7).log())
    rate = kl_divergence(mean, log_var)
    words = f"With {distortion.flatten(1).sum(1).mean():.1f} nats of distortion and {rate.mean():.1f} of rate, the sum"
    hint = "Is the loss a sum over pixels, and does the learning rate fall?"
    if rate.mean() < 1:
        hint = "The code is hardly used: is the KL counted too much, or the distortion averaged over pixels?"
    total = distortion.flatten(1).sum(1).mean() + rate.mean()
    return measured(total, what=words, at_most=126, unit="nats", praise="A good bound.", hint=hint)


@exercise
def grey_nll(answer) -> Verdict:
    """Check ``answer(x, mean, scale)``: −log P(x), (N,), of grey levels (N, D) under a discretized logistic."""

    def solution(x, mean, scale, edges=True, half=0.5):
        above, below = torch.sigmoid((x + half - mean) / scale), torch.sigmoid((x - half - mean) / scale)
        if edges:
            above, below = torch.where(x > 254.5, 1.0, above), torch.where(x < 0.5, 0.0, below)
        return -(above - below).clamp(min=1e-12).log().sum(1)

    x = tensor([[0.0, 255.0, 17.0], [128.0, 0.0, 254.0]])
    mean = tensor([[3.0, 250.0, 20.0], [120.0, 0.0, 255.0]])
    return compare(
        answer,
        lambda x, mean, scale: solution(x, mean, scale),
        cases=[(x, mean, 5.0), (tensor([[100.0]]), tensor([[101.0]]), 2.0), (tensor([[90.0]]), tensor([[30.0]]), 0.7)],
        hints={
            "At the ends, 0 takes all that lies below it and 255 all that lies above.": (
                lambda x, mean, scale: solution(x, mean, scale, edges=False)
            ),
            "Each level reaches from x − ½ to x + ½, a width of 1.": lambda x, m, s: solution(x, m, s, half=1.0),
        },
        praise="Right: 256 probabilities that add up to 1.",
        tolerance=1e-3,
    )
