"""Checks for lesson 01: from a neuron to an autoencoder."""

import torch
from torch import Tensor, tensor

from vae_helpers.checks.verdict import Verdict, compare, exercise, numbers

__all__ = ["and_neuron", "neuron", "neuron_gradient"]


@exercise
def neuron(answer) -> Verdict:
    """Check a neuron, ``answer(x, w, beta)`` with x (n,) and w (n,): 1 / (1 + exp(-beta · Σ xᵢwᵢ))."""
    return compare(
        answer,
        lambda x, w, beta: torch.sigmoid(beta * (x * w).sum()),
        cases=[
            (tensor([1.0, 2.0]), tensor([0.5, -1.0]), 2.0),
            (tensor([1.0, -2.0, 0.3]), tensor([0.5, 0.25, 2.0]), 3.0),
            (tensor([0.7]), tensor([2.0]), 0.0),
        ],
        hints={
            "You multiplied φ by β; β belongs inside the exponential.": (
                lambda x, w, beta: beta * torch.sigmoid((x * w).sum())
            ),
            "You return one number per input; a neuron adds its weighted inputs up first.": (
                lambda x, w, beta: torch.sigmoid(beta * x * w)
            ),
            "You averaged the weighted inputs; a neuron adds them up.": (
                lambda x, w, beta: torch.sigmoid(beta * (x * w).mean())
            ),
            "You return the weighted sum itself: send it through φ.": lambda x, w, beta: beta * (x * w).sum(),
        },
        praise="Right: your neuron weighs, adds and squashes.",
    )


@exercise
def and_neuron(answer) -> Verdict:
    """Check weights (3,), two inputs and a bias, that make a neuron with β = 1 compute "and"."""
    solution = tensor([10.0, 10.0, -15.0])
    weights = numbers(answer, "The list of weights", shape=(3,))
    inputs = tensor([[0.0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=weights.dtype)
    none, second, first, both = torch.sigmoid(inputs @ weights).tolist()
    one = max(first, second)
    if not weights.any():
        words = "All weights are still 0, so the neuron always says 0.5: write your numbers there."
    elif not weights.isfinite().all():
        words = "A weight is infinite or not a number: give three ordinary numbers."
    elif max(none, one) < 0.1 and both > 0.9:
        return Verdict(True, "Right: the switch lies between one input and two.", weights.float())
    elif min(none, first, second) > 0.9 and both < 0.1:
        words = "Your neuron says the opposite, 'not both': are all signs flipped?"
    elif weights[2] >= 0:
        words = "Without excitement the neuron should be quiet, so the bias must be below zero."
    elif weights[:2].min() <= 0:
        words = "Each input should make the neuron more excited: both weights must be above zero."
    # No bias will do unless each weight alone can lift the sum from φ⁻¹(0.1) = −2.2 to φ⁻¹(0.9) = 2.2.
    elif weights[:2].min() <= 4.4:
        words = "The switch is too gentle, whatever the bias: what does making the smaller of the first two larger do?"
    elif one >= 0.1:
        words = f"One input alone is enough to bring your neuron to {one:.2f}: make the bias more negative."
    else:
        words = f"With both inputs on, your neuron only reaches {both:.2f}: let the inputs outweigh the bias."
    return Verdict(False, words, solution)


@exercise
def neuron_gradient(answer) -> Verdict:
    """Check the slopes (n,) of (o - t)² for a neuron with β = 1, ``answer(x, w, t)``."""

    def solution(x: Tensor, w: Tensor, t: float) -> Tensor:
        o = torch.sigmoid((x * w).sum())
        return 2 * (o - t) * o * (1 - o) * x

    def linear(x: Tensor, w: Tensor, t: float) -> Tensor:
        o = (x * w).sum()
        return 2 * (o - t) * o * (1 - o) * x

    return compare(
        answer,
        solution,
        cases=[
            (tensor([1.0, 2.0]), tensor([0.5, -1.0]), 1.0),
            (tensor([3.0, -1.0, 0.5]), tensor([0.2, 0.4, 1.0]), 0.0),
            (tensor([2.0]), tensor([0.0]), 0.5),
        ],
        hints={
            "The slope of φ is missing: multiply by o(1 − o).": (
                lambda x, w, t: 2 * (torch.sigmoid((x * w).sum()) - t) * x
            ),
            "The input is missing: multiply by x, so that every weight gets its own slope.": (
                lambda x, w, t: solution(x, w, t)[0] / x[0]
            ),
            "You used the weighted sum as the output: send it through φ first.": linear,
        },
        forbidden={"backward": "the formula", "grad": "the formula"},
        praise="Right: how wrong, times how undecided, times how strong this input was.",
    )
