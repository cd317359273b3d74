"""Checks for lesson 13: a VAE that is told the digit, and what its code says of the handwriting."""

import torch
import torch.nn.functional as F
from torch import Tensor, tensor

from vae_helpers.checkpoints import load_pretrained
from vae_helpers.checks.flaws import call
from vae_helpers.checks.verdict import Complaint, Verdict, compare, draw, exercise, measured, numbers, together
from vae_helpers.data import load_digits

__all__ = ["knobs", "slant", "with_label"]


@exercise
def with_label(answer) -> Verdict:
    """Check ``answer(rows, labels)``, (N, D) and (N,) digits: rows and one-hot vectors side by side, (N, D + 10)."""

    def joined(rows: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([rows, F.one_hot(labels, 10)], dim=1)

    return compare(
        answer,
        joined,
        cases=[(draw((3, 4))[0], tensor([7, 0, 9])), (draw((2, 2))[0], tensor([3, 3])), (tensor([[0.5]]), tensor([9]))],
        hints={
            "The rows come first, the one-hot vectors to the right of them.": (
                lambda rows, labels: joined(rows, labels).roll(10, dims=1)
            ),
            "You put the digit there as a number; ten columns are needed, with a single 1.": (
                lambda rows, labels: torch.cat([rows, labels[:, None]], dim=1)
            ),
        },
        praise="Right: the decoder knows what to write, and the code need only say how.",
        gradient=True,
    )


@exercise
def slant(answer) -> Verdict:
    """Check ``answer(ink, x, y)``, (N, H, W) each: the slopes of x on y, weighted with the ink, (N,)."""

    def total(values: Tensor) -> Tensor:
        return values.sum((1, 2))

    def case(*shape: int) -> tuple[Tensor, ...]:
        ink, x, y = draw(shape, (*shape, 1), (1, *shape))
        ink = ink.flatten(1).softmax(1).reshape(shape)
        x, y = x.reshape(shape), y.reshape(shape)
        return ink, *(v - total(ink * v)[:, None, None] for v in (x, y))

    return compare(
        answer,
        lambda ink, x, y: total(ink * x * y) / total(ink * y**2),
        cases=[case(3, 4, 5), case(2, 2, 3), case(1, 3, 2)],
        hints={
            "You divided by the variance of x; x is what follows from y.": (
                lambda ink, x, y: total(ink * x * y) / total(ink * x**2)
            ),
            "That is the covariance alone: divide it by the variance of y.": lambda ink, x, y: total(ink * x * y),
            "The ink must weigh each pixel, above and below the line.": lambda ink, x, y: total(x * y) / total(y**2),
            "You divided pixel by pixel; add up above and below the line first.": (
                lambda ink, x, y: total(ink * x * y / (ink * y**2))
            ),
        },
        praise="Right: the slope of the line through the ink.",
    )


@exercise
def knobs(answer) -> Verdict:
    """Check ``answer(weights)``, (3, D): the shortest directions (D, 3) with weights · directions = identity."""
    small = tensor([[1.0, 0.0, 0.0], [1.0, 2.0, 0.0]])
    return compare(
        answer,
        lambda weights: torch.linalg.pinv(weights),
        cases=[(draw((3, 8))[0],), (draw((3, 5))[0],), (small,)],
        hints={
            "These are the steepest directions: each does what it should, but moves the others, too.": (
                lambda w: (w / w.square().sum(1, keepdim=True)).T
            ),
            "You left out the inverse, which undoes what the rows have in common.": lambda w: w.T @ (w @ w.T),
            "These are the weights, turned; they say what a step does, not which step to take.": lambda w: w.T,
        },
        praise="Right: each knob turns its own trait, and no other.",
    )


def _traits(images: Tensor) -> Tensor:
    """Slant in degrees, thickness and width in pixels, (N, 3), measured as in the lesson."""
    ink = images[:, 0] / images[:, 0].sum((1, 2), keepdim=True).clamp(min=1e-6)
    across = torch.arange(28.0)
    x, y = across.expand(28, 28), -across[:, None].expand(28, 28)
    x, y = (v - (ink * v).sum((1, 2), keepdim=True) for v in (x, y))
    lean = (ink * x * y).sum((1, 2)) / (ink * y**2).sum((1, 2))
    width = 4 * (ink * (x - lean[:, None, None] * y) ** 2).sum((1, 2)).sqrt()
    outline = (images.diff(dim=2)[..., :-1] ** 2 + images.diff(dim=3)[:, :, :-1] ** 2).sqrt().sum((1, 2, 3))
    thickness = 2 * images.sum((1, 2, 3)) / outline.clamp(min=1e-6)
    return torch.stack([lean.atan().rad2deg(), thickness, width], dim=1)


@exercise(seconds=60)
def workshop(vae, style) -> Verdict:
    """Check ``style(codes, labels)``: bold italics by the conditional VAE, as wide as before, that a judge can read."""
    digits, device = load_digits("test").subset(slice(None, 400)), next(vae.parameters()).device
    labels = digits.labels.to(device)
    with torch.no_grad():
        codes = vae.encode(digits.floats.to(device), labels)[0]
        before = vae.decode(codes, labels).cpu()
    new = numbers(call(style, codes.clone(), labels), "What your style returns", shape=tuple(codes.shape))
    with torch.no_grad():
        after = vae.decode(new.detach().to(codes), labels).cpu()
        read = (load_pretrained("digit_classifier")(after).argmax(1) == digits.labels).float().mean()
    if torch.equal(after, before):
        raise Complaint("Your style leaves the codes as they are.")
    change = (_traits(after) - _traits(before)).mean(0)
    return together(
        measured(change[0], what="The mean slant gained", at_least=12, unit="°", praise="Italic."),
        measured(change[1], what="The mean thickness gained", at_least=0.5, unit="pixels", praise="Bold."),
        measured(change[2].abs(), what="The mean change of the width", at_most=0.4, unit="pixels", praise="As wide."),
        measured(100 * read, what="The share that the judge reads", at_least=93, unit="%", praise="And readable."),
    )
