"""Checks for lesson 14: from a denoiser to a generator."""

import torch
from torch import Tensor, arange, tensor

from vae_helpers.checkpoints import load_pretrained
from vae_helpers.checks.verdict import Verdict, call, compare, draw, exercise, measured, numbers, together
from vae_helpers.data import load_digits
from vae_helpers.evaluate import frechet_distance

__all__ = ["denoising_step", "noise_levels"]


@exercise
def noise_levels(answer) -> Verdict:
    """Check ``answer(strongest, weakest, steps)``: strengths of noise (steps,), each the same factor weaker."""

    def levels(strongest: float, weakest: float, steps: int) -> Tensor:
        return strongest * (weakest / strongest) ** torch.linspace(0, 1, steps)

    return compare(
        answer,
        levels,
        cases=[(5.0, 0.05, 7), (8.0, 0.5, 5), (2.0, 0.1, 2)],
        hints={
            "They go down by the same difference in each step; it should be the same factor.": torch.linspace,
            "They should go down: begin with the strongest.": lambda high, low, steps: levels(low, high, steps),
            "The last one should be the weakest itself: steps numbers have steps − 1 steps between them.": (
                lambda high, low, steps: levels(high, low, steps + 1)[:-1]
            ),
        },
        praise="Right: each is the same factor weaker than the one before.",
    )


@exercise
def denoising_step(answer) -> Verdict:
    """Check ``answer(noisy, guess, sigma, weaker, fresh, draw)``: images (N, 1, H, W) with weaker noise.

    The part √(weaker² − fresh²) of it is old noise, (noisy − guess) / sigma; the part ``fresh`` is ``draw``.
    (Song, Meng and Ermon, 2020, "Denoising diffusion implicit models", arXiv:2010.02502, eq. 12, in units of x.)
    """

    def step(noisy, guess, sigma, weaker, fresh, noise, kept=None):
        kept = (weaker**2 - fresh**2) ** 0.5 if kept is None else kept
        return guess + kept * (noisy - guess) / sigma + fresh * noise

    shape = (2, 1, 3, 4)
    return compare(
        answer,
        lambda noisy, guess, sigma, weaker, fresh, draw: step(noisy, guess, sigma, weaker, fresh, draw),
        cases=[
            (*draw(shape, shape), 2.0, 1.3, 0.5, *draw(shape)),
            (*draw(shape, shape), 0.7, 0.4, 0.0, *draw(shape)),
            (tensor([[[[3.0]]]]), tensor([[[[1.0]]]]), 2.0, 1.0, 0.6, tensor([[[[0.5]]]])),
            (*draw(shape, shape), 0.3, 0.0, 0.0, *draw(shape)),
        ],
        hints={
            "Strengths of independent noises add up by their squares: keep √(weaker² − fresh²) of the old noise.": (
                lambda n, g, s, w, f, d: step(n, g, s, w, f, d, kept=w - f)
            ),
            "Old and fresh noise together are too strong: with fresh noise, less of the old is kept.": (
                lambda n, g, s, w, f, d: step(n, g, s, w, f, d, kept=w)
            ),
            "noisy − guess has the strength sigma: divide by it before you scale it.": (
                lambda n, g, s, w, f, d: step(n, g, 1.0, w, f, d)
            ),
            "The noise goes onto the guess, not onto the noisy picture.": (
                lambda n, g, s, w, f, d: step(n, g, s, w, f, d) - g + n
            ),
        },
        praise="Right: the guess, and noise of which old and new together are as strong as they should be.",
    )


@exercise(seconds=120)
def workshop(answer) -> Verdict:
    """Check ``answer(labels)``, (200,): 65% right, a Fréchet distance of at most 300, and no training digits."""
    labels = arange(10).repeat(20)
    with torch.no_grad():
        pictures = (
            numbers(call(answer, labels), "What your function returns", shape=(200, 1, 28, 28))
            .cpu()
            .float()
            .clamp(0, 1)
        )
        judge = load_pretrained("digit_classifier")
        right = (judge(pictures).argmax(1) == labels).float().mean()
        real = judge.features(load_digits("test").floats[:2_000])
        distance = frechet_distance(judge.features(pictures), real)
        known = load_digits("train").floats.flatten(1)
        copies = (torch.cdist(pictures.flatten(1), known).amin(1) < 1).float().mean()
    hint = "Where is the order heard?"
    return together(
        measured(right, what="The share of right digits", at_least=0.65, praise="As ordered.", hint=hint),
        measured(distance, what="The Fréchet distance", at_most=300, praise="Varied.", hint="Are they all alike?"),
        measured(copies, what="The share of copies", at_most=0.1, praise="Your own.", hint="More noise at the start?"),
    )
