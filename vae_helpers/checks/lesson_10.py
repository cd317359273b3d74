"""Checks for lesson 10: a VAE for faces."""

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
            "Every small cloud has a width of its own, too.": lambda m, v: centres(m),
            "Average the variances, not their logarithms.": lambda m, v: centres(m) + v.mean(0).exp(),
            "It is variances that add up, and σ² is exp(log_var).": lambda m, v: centres(m) + (v / 2).exp().mean(0),
            "You divided by N − 1; here it is N, correction=0.": lambda m, v: m.var(0) + v.exp().mean(0),
            "Subtract the mean of the large cloud from the centres.": lambda m, v: (m.square() + v.exp()).mean(0),
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
            "You multiplied with the covariance L Lᵀ; it is L that turns noise into draws.": (
                lambda c, e, m, f: m[c] + times((f @ f.mT)[c], e)
            ),
            "You added the noise as it is: multiply it with the chosen lump's factor L.": lambda c, e, m, f: m[c] + e,
            "You averaged the lumps; a draw comes from one.": lambda c, e, m, f: m.mean(0) + e @ f.mean(0).T,
            "You used the first lump for every code.": lambda c, e, m, f: m[0] + e @ f[0].T,
        },
        praise="Right: first the lump, then a draw from its Gaussian.",
    )
