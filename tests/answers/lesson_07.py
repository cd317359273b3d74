"""Answers to the exercises of lesson 07: right ones, and typical mistakes with words of the message."""

import torch
from torch.distributions import Normal, kl_divergence

from vae_helpers import checks
from vae_helpers.checks.lesson_07 import PATIENTS


def kl(mean, log_var):
    return kl_divergence(Normal(mean, (log_var / 2).exp()), Normal(0.0, 1.0)).sum(1)


def draw(mean, log_var):
    return Normal(mean, (log_var / 2).exp()).rsample()


def half(mean, log_var):
    return (mean**2 + log_var.exp() - log_var - 1) / 2


def noise_fixed_once(mean, log_var):
    return mean + (log_var / 2).exp() * torch.randn(mean.shape, generator=torch.Generator().manual_seed(7))


def reseeded(mean, log_var):
    torch.manual_seed(0)
    return draw(mean, log_var)


def without_gradient(mean, log_var):
    with torch.no_grad():
        return draw(mean, log_var)


def sigma(reconstruction, images):
    return torch.nn.functional.mse_loss(reconstruction, images).sqrt()


RIGHT = [
    (checks.kl_divergence, kl),
    (checks.kl_divergence, lambda mean, log_var: -0.5 * (1 + log_var - mean.pow(2) - log_var.exp()).sum(dim=-1)),
    (checks.reparameterize, draw),
    (checks.reparameterize, lambda mean, log_var: mean + torch.exp(0.5 * log_var) * torch.randn(mean.shape)),
    (checks.optimal_sigma, sigma),
    (checks.optimal_sigma, lambda reconstruction, images: float(((reconstruction - images) ** 2).mean() ** 0.5)),
    (checks.diagnosis, PATIENTS),
]

WRONG = [
    (checks.kl_divergence, lambda mean, log_var: ..., "returns nothing yet"),
    (checks.kl_divergence, lambda mean, log_var: -kl(mean, log_var), "for the sign"),
    (checks.kl_divergence, lambda mean, log_var: 2 * kl(mean, log_var), "2 times"),
    (checks.kl_divergence, lambda mean, log_var: half(mean, log_var).mean(1), "your numbers are too small by a factor"),
    (checks.kl_divergence, lambda mean, log_var: half(mean, log_var).sum(), "You took the sum over dimension 0"),
    (checks.kl_divergence, lambda mean, log_var: kl(mean, log_var).mean(), "You took the mean over dimension 0"),
    (checks.kl_divergence, lambda mean, log_var: half(mean, log_var), "sum over dimension 1 is still missing"),
    (
        checks.kl_divergence,
        lambda mean, log_var: kl(mean, 2 * log_var),
        "log_var is log σ², not log σ, so σ² is exp(lo",
    ),
    (
        checks.kl_divergence,
        lambda mean, log_var: 0.5 * (mean**2 + torch.exp(0.5 * log_var) - log_var - 1).sum(1),
        "where the formula has σ²",
    ),
    (checks.kl_divergence, lambda mean, log_var: 0.5 * (mean + log_var.exp() - log_var - 1).sum(1), "squared"),
    (checks.kl_divergence, lambda mean, log_var: 0.5 * (mean**2 + log_var.exp() - log_var).sum(1), "−1 is missing"),
    (
        checks.kl_divergence,
        lambda mean, log_var: kl_divergence(Normal(0.0, 1.0), Normal(mean, (log_var / 2).exp())).sum(1),
        "swapped",
    ),
    (checks.kl_divergence, lambda mean, log_var: kl(mean, log_var) + 1, "too large by 1"),
    (checks.reparameterize, lambda mean, log_var: ..., "returns nothing yet"),
    (checks.reparameterize, lambda mean, log_var: 1 / 0, "stopped with ZeroDivisionError"),
    (checks.reparameterize, lambda mean, log_var: 1.0, "What your function returns should have the sh"),
    (
        checks.reparameterize,
        lambda mean, log_var: draw(mean, log_var)[0],
        "What your function returns should have the sh",
    ),
    (checks.reparameterize, lambda mean, log_var: mean, "no noise"),
    (checks.reparameterize, lambda mean, log_var: mean + (log_var / 2).exp() * torch.randn(2), "share one noise"),
    (checks.reparameterize, lambda mean, log_var: mean + (log_var / 2).exp() * torch.randn(1), "share one noise"),
    (checks.reparameterize, noise_fixed_once, "not redrawn"),
    (checks.reparameterize, reseeded, "not redrawn"),
    (
        checks.reparameterize,
        lambda mean, log_var: mean + (log_var / 2).exp() * torch.randn(len(mean), 1),
        "numbers of a code share",
    ),
    (
        checks.reparameterize,
        lambda mean, log_var: mean + (log_var / 2).exp() * torch.rand_like(mean),
        "Your codes are not centred on mean: ε should",
    ),
    (
        checks.reparameterize,
        lambda mean, log_var: mean + log_var.exp() * torch.randn_like(mean),
        "used exp(log_var)",
    ),
    (checks.reparameterize, lambda mean, log_var: mean + torch.randn_like(mean), "same width"),
    (checks.reparameterize, lambda mean, log_var: mean + log_var * torch.randn_like(mean), "log_var itself"),
    (checks.reparameterize, lambda mean, log_var: mean + log_var / 2 * torch.randn_like(mean), "that is log σ"),
    (
        checks.reparameterize,
        lambda mean, log_var: mean + (2 * log_var).exp() * torch.randn_like(mean),
        "Your noise has the wrong width: the standard",
    ),
    (
        checks.reparameterize,
        lambda mean, log_var: mean + (-log_var / 2).exp() * torch.randn_like(mean),
        "upside down",
    ),
    (checks.reparameterize, lambda mean, log_var: draw(mean, log_var + 0.5), "wrong width"),
    (checks.reparameterize, without_gradient, "no gradient"),
    (
        checks.reparameterize,
        lambda mean, log_var: mean + (log_var / 2).exp().detach() * torch.randn_like(mean),
        "no gradient",
    ),
    (checks.optimal_sigma, lambda reconstruction, images: ..., "returns nothing yet"),
    (checks.optimal_sigma, lambda reconstruction, images: sigma(reconstruction, images) ** 2, "the squares of"),
    (
        checks.optimal_sigma,
        lambda reconstruction, images: (images - reconstruction).square().flatten(1).sum(1).mean().sqrt(),
        "your numbers are too large by a factor",
    ),
    (
        checks.optimal_sigma,
        lambda reconstruction, images: (images - reconstruction).norm(),
        "your numbers are too large by a factor",
    ),
    (checks.optimal_sigma, lambda reconstruction, images: (images - reconstruction).abs().mean(), "absolute"),
    (checks.optimal_sigma, lambda reconstruction, images: (images - reconstruction).std(), "nan for"),
    (
        checks.optimal_sigma,
        lambda reconstruction, images: (images - reconstruction).square().mean((1, 2, 3)).sqrt(),
        "One σ serves all images: average over them to",
    ),
    (
        checks.optimal_sigma,
        lambda reconstruction, images: (images - reconstruction).square().mean((1, 2, 3)).sqrt().mean(),
        "Average the squared errors of all images befo",
    ),
    (checks.optimal_sigma, lambda reconstruction, images: sigma(reconstruction, images) / 2**0.5, "0.7071 times"),
    (checks.diagnosis, None, "Give a dict"),
    (checks.diagnosis, dict.fromkeys("ABCDEF", ...), "0 of 6 are right. Patient A has no diagnosis"),
    (checks.diagnosis, {**PATIENTS, "A": ...}, "Patient A has no diagnosis"),
    (checks.diagnosis, {**PATIENTS, "B": "unscaled"}, "no bug called 'unscaled'"),
    (checks.diagnosis, {**PATIENTS, "D": "strong beta"}, "5 of 6 are right. Patient D: the code has collapsed"),
    (checks.diagnosis, {**PATIENTS, "E": "none"}, "Patient E: the loss looks healthy"),
    (checks.diagnosis, {**PATIENTS, "F": "sampling at evaluation"}, "leave the reported loss equal"),
    (checks.diagnosis, {**PATIENTS, "A": "exp(log_var)"}, "how much of it is left"),
    (checks.diagnosis, {**PATIENTS, "C": "strong beta"}, "Patient C has something else"),
]
