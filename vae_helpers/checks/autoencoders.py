"""Checks for lessons 01 to 04: from a neuron to the convolutional autoencoder."""

import torch
from torch import Tensor

from vae_helpers.checks.verdict import Verdict, compare

# --- Lesson 01 ------------------------------------------------------------------------------------------------


def neuron(answer) -> Verdict:
    """Check a neuron, ``answer(x, w, beta)`` with x (n,) and w (n,): 1 / (1 + exp(-beta · Σ xᵢwᵢ))."""

    def solution(x: Tensor, w: Tensor, beta: float) -> Tensor:
        return 1 / (1 + torch.exp(-beta * (x * w).sum()))

    return compare(
        answer,
        solution,
        cases=[
            (torch.tensor([1.0, 2.0]), torch.tensor([0.5, -1.0]), 1.0),
            (torch.tensor([1.0, -2.0, 0.3]), torch.tensor([0.5, 0.25, 2.0]), 3.0),
        ],
        mistakes={
            "Your neuron falls where it should rise: is the sign in the exponent flipped?": (
                lambda x, w, beta: 1 / (1 + torch.exp(beta * (x * w).sum()))
            ),
            "Your neuron ignores β: multiply the sum by beta before you take the exponential.": (
                lambda x, w, beta: 1 / (1 + torch.exp(-(x * w).sum()))
            ),
            "You multiplied φ by β; β belongs inside the exponential.": (
                lambda x, w, beta: beta / (1 + torch.exp(-(x * w).sum()))
            ),
            "You return one number per input; a neuron adds its weighted inputs up first.": (
                lambda x, w, beta: 1 / (1 + torch.exp(-beta * x * w))
            ),
            "You averaged the weighted inputs; a neuron adds them up.": (
                lambda x, w, beta: 1 / (1 + torch.exp(-beta * (x * w).mean()))
            ),
            "You return the weighted sum itself: send it through φ.": lambda x, w, beta: beta * (x * w).sum(),
        },
        praise="Right: your neuron weighs, adds and squashes.",
    )
