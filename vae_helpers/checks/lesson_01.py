"""Checks for lesson 01: from a neuron to an autoencoder."""

import torch
from torch import tensor

from vae_helpers.checks.verdict import Complaint, Verdict, compare, exercise, numbers, otherwise

__all__ = ["and_neuron", "neuron", "neuron_gradient"]


@exercise
def neuron(answer) -> Verdict:
    """Check a neuron, ``answer(x, w, beta)`` with x (n,) and w (n,): 1 / (1 + exp(-beta · Σ xᵢwᵢ))."""
    return compare(
        answer,
        lambda x, w, beta: torch.sigmoid(beta * (x @ w)),
        cases=[
            (tensor([1.0, 2.0]), tensor([0.5, -1.0]), 2.0),
            (tensor([1.0, -2.0, 0.3]), tensor([0.5, 0.25, 2.0]), 3.0),
            (tensor([0.7]), tensor([2.0]), 0.0),
        ],
        hints={
            "You multiplied φ by β; β belongs inside the exponential.": lambda x, w, b: b * torch.sigmoid(x @ w),
            "You return one number per input; a neuron adds them up first.": lambda x, w, b: torch.sigmoid(b * x * w),
            "You averaged the weighted inputs; a neuron adds them up.": lambda x, w, b: torch.sigmoid(
                b * (x @ w) / len(x)
            ),
            "You return the weighted sum itself: send it through φ.": lambda x, w, b: b * (x @ w),
        },
        praise="Right: your neuron weighs, adds and squashes.",
    )


@exercise
def and_neuron(answer) -> Verdict:
    """Check weights (3,), two inputs and a bias, that make a neuron with β = 1 compute "and"."""
    otherwise(tensor([10.0, 10.0, -15.0]))
    weights = numbers(answer, "The list of weights", shape=(3,))
    inputs = tensor([[0.0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=weights.dtype)
    none, second, first, both = torch.sigmoid(inputs @ weights).tolist()
    one = max(first, second)
    if not weights.any():
        raise Complaint("All weights are still 0, so the neuron always says 0.5: write your numbers there.")
    if not weights.isfinite().all():
        raise Complaint("A weight is infinite or not a number: give three ordinary numbers.")
    if min(none, first, second) > 0.9 and both < 0.1:
        raise Complaint("Your neuron says the opposite, 'not both': are all signs flipped?")
    if weights[2] >= 0:
        raise Complaint("Without excitement the neuron should be quiet, so the bias must be below zero.")
    if weights[:2].min() <= 0:
        raise Complaint("Each input should make the neuron more excited: both weights must be above zero.")
    # No bias will do unless each weight alone can lift the sum from φ⁻¹(0.1) = −2.2 to φ⁻¹(0.9) = 2.2.
    if weights[:2].min() <= 4.4:
        raise Complaint("The switch is too gentle, whatever the bias: what does enlarging the smaller weight do?")
    if one >= 0.1:
        raise Complaint(f"One input alone brings your neuron to {one:.2f}: make the bias more negative.")
    if both <= 0.9:
        raise Complaint(f"With both inputs on, your neuron only reaches {both:.2f}: let the inputs outweigh the bias.")
    return Verdict(True, "Right: the switch lies between one input and two.", weights.float())


@exercise
def neuron_gradient(answer) -> Verdict:
    """Check the slopes (n,) of (o - t)² for a neuron with β = 1, ``answer(x, w, t)``."""

    def slopes(x, w, t, phi=torch.sigmoid):
        o = phi(x @ w)
        return 2 * (o - t) * o * (1 - o) * x

    return compare(
        answer,
        lambda x, w, t: slopes(x, w, t),
        cases=[
            (tensor([1.0, 2.0]), tensor([0.5, -1.0]), 1.0),
            (tensor([3.0, -1.0, 0.5]), tensor([0.2, 0.4, 1.0]), 0.0),
            (tensor([2.0]), tensor([0.0]), 0.5),
        ],
        hints={
            "The slope of φ is missing: multiply by o(1 − o).": lambda x, w, t: 2 * (torch.sigmoid(x @ w) - t) * x,
            "The input is missing: every weight has its own slope, so multiply by x.": (
                lambda x, w, t: slopes(x, w, t)[0] / x[0]
            ),
            "You used the weighted sum as the output: send it through φ first.": (
                lambda x, w, t: slopes(x, w, t, lambda a: a)
            ),
        },
        forbidden={"backward": "the formula", "grad": "the formula"},
        praise="Right: how wrong, times how undecided, times how strong this input was.",
    )
