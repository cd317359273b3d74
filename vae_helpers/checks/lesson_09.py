"""Checks for lesson 09: a VAE for faces."""

import math

from torch import Tensor, tensor

from vae_helpers.checks.verdict import Verdict, compare, draw, exercise

__all__ = ["aggregate_variance", "mixture_draw", "nats_gained"]


@exercise
def nats_gained(answer) -> Verdict:
    """Check ``answer(before, after, values)``: by how many nats a Gaussian distortion with the best σ falls.

    ``before`` and ``after`` are mean squared errors of a number, ``values`` is how many numbers an image has.
    """
    return compare(
        answer,
        lambda before, after, values: values / 2 * math.log(before / after),
        cases=[(0.02, 0.01, 12288), (0.03, 0.004, 75), (0.01, 0.015, 784), (0.02, 0.02, 3)],
        hints={
            "Twice too large: σ² is the error, so log σ is half its logarithm.": lambda b, a, v: v * math.log(b / a),
            "These are bits; nats come from the natural logarithm, math.log.": lambda b, a, v: v / 2 * math.log2(b / a),
            "With the best σ each time, it is the logarithms of the errors that count.": lambda b, a, v: (
                v / 2 * (b - a)
            ),
            "You kept the σ of before; the best one shrinks with the error.": lambda b, a, v: v / 2 * (1 - a / b),
        },
        praise="Right: every halving of the error is worth the same number of nats, and for a face that is many.",
    )


@exercise
def aggregate_variance(answer) -> Verdict:
    """Check ``answer(mean, log_var)``, both (N, latent_dim): each unit's variance in q(z), (latent_dim,)."""

    def centres(mean: Tensor) -> Tensor:
        return mean.var(0, correction=0)

    return compare(
        answer,
        lambda mean, log_var: centres(mean) + log_var.exp().mean(0),
        cases=[
            draw((6, 3), (6, 3)),
            (tensor([[1.0, 0.0], [2.0, 0.5], [4.0, -1.0]]), tensor([[0.0, -2.0], [-1.0, 0.3], [-3.0, 0.7]])),
            (tensor([[1.0, 2.0]]), tensor([[0.0, -1.0]])),
        ],
        hints={
            "Every small cloud has a width of its own, too.": lambda mean, log_var: centres(mean),
            "You took the exponential of the mean log_var: average the variances, not their logarithms.": (
                lambda mean, log_var: centres(mean) + log_var.mean(0).exp()
            ),
            "You added σ = exp(log_var / 2): it is variances that add up, and σ² is exp(log_var).": (
                lambda mean, log_var: centres(mean) + (log_var / 2).exp().mean(0)
            ),
            "You divided by N − 1 in the variance of the centres: here it is N, correction=0.": (
                lambda mean, log_var: mean.var(0) + log_var.exp().mean(0)
            ),
            "You took the mean square of the centres: subtract the mean of the large cloud first.": (
                lambda mean, log_var: mean.square().mean(0) + log_var.exp().mean(0)
            ),
        },
        praise="Right: the centres differ, the clouds are wide, and the two variances add up.",
    )


@exercise
def mixture_draw(answer) -> Verdict:
    """Check ``answer(chosen, noise, means, factors)``: codes (N, d) drawn from the Gaussians that are chosen.

    ``chosen`` is (N,), ``noise`` (N, d), ``means`` (K, d) and ``factors`` (K, d, d), lower triangular.
    """

    def times(matrices: Tensor, noise: Tensor) -> Tensor:
        return (matrices @ noise.unsqueeze(-1)).squeeze(-1)

    (noise, means, factors), few = draw((5, 3), (2, 3), (2, 3, 3)), draw((2, 2), (3, 2), (3, 2, 2))
    return compare(
        answer,
        lambda chosen, noise, means, factors: means[chosen] + times(factors[chosen], noise),
        cases=[
            (tensor([0, 1, 1, 0, 1]), noise, means, factors.tril()),
            (tensor([2, 0]), *few[:2], few[2].tril()),
            (tensor([1]), tensor([[1.0, 2.0]]), tensor([[9.0, 9.0], [0.5, -1.0]]), few[2][:2].tril()),
        ],
        hints={
            "You multiplied with the covariance L Lᵀ: it is L that turns noise into draws with this covariance.": (
                lambda chosen, noise, means, factors: means[chosen] + times(factors[chosen] @ factors[chosen].mT, noise)
            ),
            "You added the noise as it is: multiply it with the factor L of the chosen lump.": (
                lambda chosen, noise, means, factors: means[chosen] + noise
            ),
            "You averaged the lumps; a draw comes from one, the chosen one.": (
                lambda chosen, noise, means, factors: means.mean(0) + noise @ factors.mean(0).T
            ),
            "You used the first lump for every code; chosen says which lump each code comes from.": (
                lambda chosen, noise, means, factors: means[0] + noise @ factors[0].T
            ),
        },
        praise="Right: first the lump, then a draw from its Gaussian.",
    )
