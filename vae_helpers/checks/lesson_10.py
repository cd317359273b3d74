"""Checks for lesson 10: a VAE for faces."""

import math

from torch import Tensor, tensor

from vae_helpers import evaluate
from vae_helpers.checks.verdict import Verdict, compare, draw, exercise, measured, together
from vae_helpers.data import load_faces

__all__ = ["mixture_draw", "nats_gained"]


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
        },
        praise="Right: every halving of the error is worth the same number of nats, and for a face that is many.",
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
            "You used the first lump for every code.": lambda c, e, m, f: m[0] + e @ f[0].T,
        },
        praise="Right: first the lump, then a draw from its Gaussian.",
    )


@exercise(seconds=120)
def workshop(model, before) -> Verdict:
    """Check a VAE of faces against the one before: hats' excess error 20% smaller, that of all at most 10% larger."""
    faces = load_faces("test").subset(slice(500))
    hats, images = faces.attribute("Wearing_Hat").cpu(), faces.floats.cpu()
    excess, error = [], []
    for vae in (model, before):
        rebuilt = evaluate.decode_all(vae, evaluate.encode_all(vae, images)).cpu()
        squared = (rebuilt - images).square().flatten(1).mean(1)
        excess.append((squared[hats].mean() / squared[~hats].mean() - 1).clamp(min=0.01))
        error.append(squared.mean())
    what, hint = "The excess error of hats, relative to before,", "How could a face with a hat count more?"
    fairer = measured(excess[0] / excess[1], what=what, at_most=0.8, praise="Fairer.", hint=hint)
    what, hint = "The error of all faces, relative to before,", "Faces without a hat must not be forgotten."
    good = measured(error[0] / error[1], what=what, at_most=1.1, praise="The others pay little.", hint=hint)
    return together(fairer, good)
