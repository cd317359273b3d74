"""Checks for lesson 09: a VAE for faces."""

import math

import torch
from torch import Tensor

from vae_helpers.checks.verdict import Verdict, compare


def nats_gained(answer) -> Verdict:
    """Check ``answer(before, after, values)``: by how many nats a Gaussian distortion with the best σ falls.

    ``before`` and ``after`` are mean squared errors of a number, ``values`` is how many numbers an image has.
    """

    def solution(before: float, after: float, values: int) -> float:
        return values / 2 * math.log(before / after)

    return compare(
        answer,
        solution,
        cases=[(0.02, 0.01, 12288), (0.03, 0.004, 100), (0.01, 0.015, 784)],
        mistakes={
            "Your sign is flipped: a smaller error must give a positive gain.": (
                lambda before, after, values: -solution(before, after, values)
            ),
            "Your gain is twice too large: log σ is half of the log of the error, since σ² is the error.": (
                lambda before, after, values: 2 * solution(before, after, values)
            ),
            "Your gain is twice too small: one ½ is enough, the one of log σ = ½ log σ².": (
                lambda before, after, values: solution(before, after, values) / 2
            ),
            "This is the gain of a single number: an image has `values` of them, and their nats add up.": (
                lambda before, after, values: solution(before, after, 1)
            ),
            "These are bits: nats come from the natural logarithm, math.log.": (
                lambda before, after, values: values / 2 * math.log2(before / after)
            ),
            "You took the logarithm to the base 10: nats come from the natural logarithm, math.log.": (
                lambda before, after, values: values / 2 * math.log10(before / after)
            ),
            "You took the difference of the errors: with the best σ each time, it is their logarithms that count.": (
                lambda before, after, values: values / 2 * (before - after)
            ),
            "You kept the σ of before: σ is the best one each time, so it shrinks with the error.": (
                lambda before, after, values: values / 2 * (1 - after / before)
            ),
        },
        praise="Right: every halving of the error is worth the same number of nats, and for a face that is many.",
    )


def aggregate_variance(answer) -> Verdict:
    """Check ``answer(mean, log_var)``, both (N, latent_dim): each unit's variance in q(z), (latent_dim,)."""

    def centres(mean: Tensor) -> Tensor:
        return mean.var(0, correction=0)

    def solution(mean: Tensor, log_var: Tensor) -> Tensor:
        return centres(mean) + log_var.exp().mean(0)

    generator = torch.Generator().manual_seed(0)
    mean, log_var = torch.randn(2, 6, 3, generator=generator)
    return compare(
        answer,
        solution,
        cases=[
            (2 * mean + torch.tensor([0.0, 1.0, -2.0]), log_var - 1),
            (
                torch.tensor([[1.0, 0.0], [2.0, 0.5], [4.0, -1.0]]),
                torch.tensor([[0.0, -2.0], [-1.0, 0.3], [-3.0, 0.7]]),
            ),
        ],
        mistakes={
            "You have the variance of the centres only: every small cloud has a width of its own, too.": (
                lambda mean, log_var: centres(mean)
            ),
            "You have the mean width of the small clouds only: their centres differ, too.": (
                lambda mean, log_var: log_var.exp().mean(0)
            ),
            "You took the exponential of the mean log_var: average the variances, not their logarithms.": (
                lambda mean, log_var: centres(mean) + log_var.mean(0).exp()
            ),
            "You added σ = exp(log_var / 2): it is variances that add up, and σ² is exp(log_var).": (
                lambda mean, log_var: centres(mean) + (log_var / 2).exp().mean(0)
            ),
            "You added log_var itself: take its exponential.": (lambda mean, log_var: centres(mean) + log_var.mean(0)),
            "You returned the standard deviation: leave out the root.": (
                lambda mean, log_var: solution(mean, log_var).sqrt()
            ),
            "You added standard deviations: it is variances that add up.": (
                lambda mean, log_var: mean.std(0, correction=0) + (log_var / 2).exp().mean(0)
            ),
            "You divided by N − 1 in the variance of the centres: here it is N, correction=0.": (
                lambda mean, log_var: mean.var(0) + log_var.exp().mean(0)
            ),
            "You took the mean square of the centres: subtract the mean of the large cloud first.": (
                lambda mean, log_var: mean.square().mean(0) + log_var.exp().mean(0)
            ),
            "You averaged over the units: return one variance for each number of the code.": (
                lambda mean, log_var: mean.var(1, correction=0) + log_var.exp().mean(1)
            ),
        },
        praise="Right: the centres differ, the clouds are wide, and the two variances add up.",
    )


def mixture_draw(answer) -> Verdict:
    """Check ``answer(chosen, noise, means, factors)``: codes (N, d) drawn from the Gaussians that are chosen.

    ``chosen`` is (N,), ``noise`` (N, d), ``means`` (K, d) and ``factors`` (K, d, d), lower triangular.
    """

    def times(matrices: Tensor, noise: Tensor) -> Tensor:
        return (matrices @ noise.unsqueeze(-1)).squeeze(-1)

    def solution(chosen: Tensor, noise: Tensor, means: Tensor, factors: Tensor) -> Tensor:
        return means[chosen] + times(factors[chosen], noise)

    generator = torch.Generator().manual_seed(0)
    noise, means = torch.randn(5, 3, generator=generator), torch.randn(2, 3, generator=generator)
    factors = torch.randn(2, 3, 3, generator=generator).tril()
    wide = torch.tensor([[[2.0, 0.0], [1.0, 0.5]], [[0.3, 0.0], [-0.2, 1.5]], [[1.0, 0.0], [0.4, 0.7]]])
    return compare(
        answer,
        solution,
        cases=[
            (torch.tensor([0, 1, 1, 0, 1]), noise, means, factors),
            (
                torch.tensor([2, 0]),
                torch.tensor([[1.0, -0.5], [0.2, 2.0]]),
                torch.tensor([[0.0, 1.0], [5.0, 2.0], [-3.0, 4.0]]),
                wide,
            ),
        ],
        mistakes={
            "Your matrix stands on the wrong side: L ε for each code, not Lᵀ ε. With rows of noise, mind the "
            "transpose.": lambda chosen, noise, means, factors: means[chosen] + times(factors[chosen].mT, noise),
            "You multiplied with the covariance L Lᵀ: it is L that turns noise into draws with this covariance.": (
                lambda chosen, noise, means, factors: means[chosen] + times(factors[chosen] @ factors[chosen].mT, noise)
            ),
            "You used the diagonal of L only: then the numbers of a code do not vary together.": (
                lambda chosen, noise, means, factors: means[chosen] + factors[chosen].diagonal(dim1=1, dim2=2) * noise
            ),
            "There is no noise in your codes: these are the means of the lumps.": (
                lambda chosen, noise, means, factors: means[chosen] + 0 * noise
            ),
            "The means are missing: your lumps all lie around 0.": (
                lambda chosen, noise, means, factors: times(factors[chosen], noise)
            ),
            "You added the noise as it is: multiply it with the factor L of the chosen lump.": (
                lambda chosen, noise, means, factors: means[chosen] + noise
            ),
            "You averaged the lumps: a draw comes from one lump, the chosen one. The average of two faces' places may "
            "be a place without faces.": lambda chosen, noise, means, factors: (
                means.mean(0) + times(factors.mean(0).expand(len(chosen), -1, -1), noise)
            ),
            "You used the first lump for every code: chosen says which lump each code comes from.": (
                lambda chosen, noise, means, factors: means[0] + noise @ factors[0].T
            ),
        },
        praise="Right: first the lump, then a draw from its Gaussian.",
    )
