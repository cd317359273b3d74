"""Checks for lesson 07: the VAE, piece by piece."""

import torch
from torch import Tensor, tensor
from torch.nn.functional import binary_cross_entropy

from vae_helpers.checkpoints import load_pretrained
from vae_helpers.checks.verdict import Verdict, compare, draw, exercise, measured, numbers
from vae_helpers.data import load_digits
from vae_helpers.evaluate import frechet_distance

__all__ = ["bound", "kl_divergence", "vae_loss"]


@exercise
def bound(answer) -> Verdict:
    """Check ``answer(log_prior, log_likelihood, log_q, dz)``, (G,) on a grid of codes: log p(x), the ELBO, the gap."""

    def solution(log_prior, log_likelihood, log_q, dz) -> tuple[Tensor, ...]:
        log_joint, q = log_prior + log_likelihood, log_q.exp() * dz
        log_evidence = (log_joint.exp() * dz).sum().log()
        return log_evidence, (q * (log_joint - log_q)).sum(), (q * (log_q - log_joint + log_evidence)).sum()

    def case(size: int, dz: float) -> tuple:
        log_prior, log_likelihood, log_q = draw((size,), (size,), (size,))
        return log_prior - 1, log_likelihood - 2, log_q.log_softmax(0) - tensor(dz).log(), dz

    def part(function, step: int):
        return lambda log_prior, log_likelihood, log_q, dz: list(function(log_prior, log_likelihood, log_q, dz))[step]

    for step, name in enumerate(("Step 2, log p(x)", "Step 3, the ELBO", "Step 4, the gap")):
        judged = compare(part(answer, step), part(solution, step), [case(41, 0.2), case(3, 1.5)], praise="")
        if not judged:
            return Verdict(False, f"{name}: {judged.message}", solution)
    return Verdict(True, "Right: three sums, and the last two numbers add up to the first.", answer)


def _kl(mean: Tensor, log_var: Tensor, width: float = 1.0) -> Tensor:
    return (mean.square() + (width * log_var).exp() - log_var - 1).sum(1) / 2


@exercise
def kl_divergence(answer) -> Verdict:
    """Check ``answer(mean, log_var)``, both (N, latent_dim): D_KL(N(mean, exp(log_var)) ‖ N(0, I)) in nats, (N,)."""
    return compare(
        answer,
        lambda mean, log_var: _kl(mean, log_var),
        cases=[draw((4, 3), (4, 3)), (tensor([[1.5, -0.2]]), tensor([[-0.8, 1.1]])), (torch.zeros(3, 1),) * 2],
        hints={
            "log_var is log σ², not log σ, so σ² is exp(log_var).": lambda m, v: _kl(m, 2 * v),
            "You used σ = exp(log_var / 2) where the formula has σ²: exp(log_var).": lambda m, v: _kl(m, v, 0.5),
            "You swapped the two: this is the KL of the prior from q.": lambda m, v: _kl(m * (-v / 2).exp(), -v),
        },
        gradient=True,
        praise="Right: one price per image, in nats, and never negative.",
    )


@exercise
def vae_loss(answer) -> Verdict:
    """Check ``answer(white, x, mean, log_var)``: −ELBO of black-and-white images x (N, C, H, W), in nats, (N,)."""

    def loss(w: Tensor, x: Tensor, m: Tensor, v: Tensor, beta: float = 1.0, light: bool = False) -> Tensor:
        distortion = binary_cross_entropy(w, x, reduction="none").flatten(1)
        return (distortion.mean(1) if light else distortion.sum(1)) + beta * _kl(m, v)

    w, x, m, v = draw((5, 1, 3, 4), (5, 1, 3, 4), (5, 2), (5, 2))
    return compare(
        answer,
        lambda white, x, mean, log_var: loss(white, x.detach(), mean, log_var),
        cases=[(w.sigmoid(), (x > 0).float(), m, v), (w[:1, :, :1, :1].sigmoid(), 0 * x[:1, :, :1, :1], m[:1], v[:1])],
        hints={
            "Sum over the pixels: you averaged, so distortion weighs too little.": lambda *c: loss(*c, light=True),
            "The rate is a price: add it, do not subtract it.": lambda *c: loss(*c, beta=-1.0),
            "That is the distortion alone: the rate is missing.": lambda *c: loss(*c, beta=0.0),
        },
        gradient=True,
        praise="Right: distortion plus rate, in nats per image.",
    )


@exercise(seconds=60)
def workshop(model) -> Verdict:
    """Check a generator: 1,000 codes from N(0, I), decoded, must look like digits to the shipped classifier."""
    torch.manual_seed(0)
    codes, real = torch.randn(1000, model.latent_dim), load_digits("test").floats[:1000]
    with torch.no_grad():
        made = model.eval().decode(codes.to(next(model.parameters()).device))
        made = numbers(made, "What decode returns", shape=real.shape).float().clamp(0, 1)
        distance = frechet_distance(*map(load_pretrained("digit_classifier").features, (made, real)))
    return measured(distance, what="The Fréchet distance to real digits", at_most=500, praise="A generator.")
