"""Checks for lesson 01: from a neuron to an autoencoder."""

import torch
from torch import Tensor, tensor

from vae_helpers.checks.verdict import Complaint, Verdict, compare, draw, exercise, measured, numbers, outputs

__all__ = ["layer", "loss_slopes"]


@exercise
def layer(answer) -> Verdict:
    """Check a layer, ``answer(x, W, b)`` with x (N, n), W (n, m) and b (m,): φ(x·W + b), (N, m), with φ logistic."""
    return compare(
        answer,
        lambda x, W, b: torch.sigmoid(x @ W + b),
        cases=[
            (tensor([[1.0, 2.0]]), tensor([[0.5, -1.0, 0.0], [1.0, 0.5, -0.5]]), tensor([0.0, 1.0, -1.0])),
            draw((5, 3), (3, 2), (2,)),
            draw((2, 1), (1, 2), (2,)),
        ],
        hints={
            "You return the weighted sums themselves: send them through φ.": lambda x, W, b: x @ W + b,
            "The bias belongs inside φ: add it before the exponential.": lambda x, W, b: torch.sigmoid(x @ W) + b,
        },
        praise="Right: every neuron weighs every input, all of them in one matrix product.",
    )


@exercise
def loss_slopes(answer) -> Verdict:
    """Check ``answer(x, t, w, b)`` with x and t (N,): the slopes of the mean of (φ(w·x + b) - t)² for w and for b."""

    def solution(x: Tensor, t: Tensor, w: float, b: float) -> tuple[Tensor, Tensor]:
        o = torch.sigmoid(w * x + b)
        shared = 2 * (o - t) * o * (1 - o)
        return (shared * x).mean(), shared.mean()

    def of_sigmoid(x, t, w, b, slope=lambda o: o * (1 - o), output=torch.sigmoid):
        o = output(w * x + b)
        shared = 2 * (o - t) * slope(o)
        return (shared * x).mean(), shared.mean()

    return compare(
        answer,
        solution,
        cases=[
            (tensor([1.0, -2.0]), tensor([0.0, 1.0]), tensor(0.5), tensor(0.25)),
            (tensor([0.3, 2.0, -1.0, 0.5]), tensor([1.0, 0.0, 0.0, 1.0]), tensor(-1.5), tensor(1.0)),
            (tensor([2.0]), tensor([1.0]), tensor(0.0), tensor(0.0)),
        ],
        hints={
            "The slope of φ is missing: multiply by o(1 − o).": (
                lambda x, t, w, b: of_sigmoid(x, t, w, b, slope=lambda o: 1)
            ),
            "The bias is the weight of a constant input 1, so its slope has no x in it.": (
                lambda x, t, w, b: (solution(x, t, w, b)[0],) * 2
            ),
            "The input is missing in the slope for w: multiply by x before you take the mean.": (
                lambda x, t, w, b: (solution(x, t, w, b)[1],) * 2
            ),
            "You used the weighted sum as the output: send it through φ first.": (
                lambda x, t, w, b: of_sigmoid(x, t, w, b, output=lambda a: a)
            ),
            "These are the slopes of the sum over all pictures; the loss is the mean.": (
                lambda x, t, w, b: tuple(len(x) * s for s in solution(x, t, w, b))
            ),
        },
        forbidden={"backward": "the formula", "grad": "the formula"},
        praise="Right: how wrong, times how undecided, times how strong the input, on average.",
    )


@exercise
def workshop(encoder, decoder) -> Verdict:
    """Check an autoencoder of eight inputs: two numbers from 0 to 1 in its code must survive noise of 0.1."""
    many = torch.eye(8).repeat(1000, 1)
    codes = numbers(outputs(encoder, many, batch=len(many)), "The code of the eight examples").float()
    if codes.shape != (8000, 2):
        raise Complaint(f"The code of one example must be two numbers, but is of the shape {tuple(codes[:1].shape)}.")
    if codes.min() < 0 or codes.max() > 1:
        raise Complaint(
            f"The two numbers must lie between 0 and 1, but reach from {codes.min():.2g} to {codes.max():.2g}."
        )
    [noise] = draw((8000, 2))
    back = numbers(outputs(decoder, codes + 0.1 * noise), "What the decoder returns", shape=(8000, 8))
    return measured(
        (back.argmax(1) == many.argmax(1)).float().mean(),
        what="The share of codes that survive the noise",
        at_least=0.97,
        praise="A code that trembles and still arrives.",
        hint="Where do the eight codes lie, and which of them are mixed up?",
    )
