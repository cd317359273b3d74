"""Checks for lesson 12: autoencoders for privacy."""

from dataclasses import replace

import torch
from torch import Tensor, tensor
from torch.nn import functional as F

from vae_helpers.checks.verdict import Verdict, compare, draw, exercise, measured, otherwise, together

__all__ = ["match_rate", "semi_adversarial"]


@exercise
def match_rate(answer) -> Verdict:
    """Check ``answer(same, different, false_matches)``: the share of ``same`` over the threshold for this share."""

    def solution(same: Tensor, different: Tensor, false_matches: float) -> Tensor:
        return (same > torch.quantile(different, 1 - false_matches)).float().mean()

    few = torch.arange(10.0) / 10  # the threshold lies between two scores, whichever way it is computed
    many = torch.linspace(-0.5, 0.5, 201)[torch.randperm(201, generator=torch.Generator().manual_seed(0))]
    return compare(
        answer,
        solution,
        cases=[
            (tensor([0.1, 0.47, 0.57, 0.97, 1.2]), few.flip(0), 0.5),
            (tensor([0.2, 0.485, 0.52, 0.93, 0.6, -0.3]), many, 0.01),
            (tensor([0.47, 0.2, 0.9, 0.44]), many, 0.1),
        ],
        hints={
            "You chose the threshold by the pictures of the same person; the false matches decide it.": (
                lambda same, different, rate: (same > torch.quantile(same, 1 - rate)).float().mean()
            ),
            "That is the threshold; return the share of `same` above it.": (
                lambda same, different, rate: torch.quantile(different, 1 - rate)
            ),
            "You let nearly all of `different` pass: the share `false_matches` may lie above, not below.": (
                lambda same, different, rate: (same > torch.quantile(different, rate)).float().mean()
            ),
        },
        praise="Right: matchers are compared where strangers get in equally often.",
    )


@exercise
def semi_adversarial(answer) -> Verdict:
    """Check ``answer(logits, coins, codes, own, change, w_m, w_v)``: BCE + w_m (1 − cosine) + w_v mean square, (N,)."""

    def solution(logits, coins, codes, own, change, w_m, w_v):
        reading = F.binary_cross_entropy_with_logits(logits, coins, reduction="none")
        matching = 1 - F.cosine_similarity(codes, own)
        return reading + w_m * matching + w_v * change.square().flatten(1).mean(1)

    def case(n: int, width: int, w_m: float, w_v: float) -> tuple:
        logits, codes, own, change = draw((n,), (n, width), (n, width), (n, 3, 4, 5))
        return logits, (torch.arange(n) % 3 == 0).float(), codes, own, 0.2 * change, w_m, w_v

    return compare(
        answer,
        solution,
        cases=[case(5, 7, 3.0, 50.0), case(2, 3, 0.5, 7.0), case(3, 4, 0.0, 20.0), case(4, 2, 2.0, 0.0)],
        hints={
            "The reader shall see the coin; your sign makes it see the opposite.": (
                lambda s, c, z, o, d, m, v: solution(s, 1 - c, z, o, d, m, v)
            ),
            "The cosine shall grow, so the loss has one minus it.": (
                lambda s, c, z, o, d, m, v: solution(s, c, z, -o, d, m, v) - m
            ),
            "The two weights are exchanged.": lambda s, c, z, o, d, m, v: solution(s, c, z, o, d, v, m),
            "The change is summed over the pixels; its mean is asked for.": (
                lambda s, c, z, o, d, m, v: solution(s, c, z, o, d, m, v * d[0].numel())
            ),
        },
        praise="Right: an enemy, a friend, and a price for being seen.",
        gradient=True,
    )


@exercise(seconds=300)
def workshop(protect, trial) -> Verdict:
    """Check a function of pictures (N, 3, H, W); ``trial(protect)`` gives a learnt AUC, the matches left, and SSIM."""
    otherwise(lambda images: images)
    auc, left, ssim = trial(protect)
    what, hint = "The AUC of an attacker who has learnt", "Something of the attribute is still in the picture."
    hidden = measured(max(auc, 1 - auc), what=what, at_most=0.75, praise="Removed.", hint=hint)
    what, hint = "The share of the match rate that is left", "Leave as much of the face as you can."
    known = measured(left, what=what, at_least=0.75, praise="People are known.", hint=hint)
    what, hint = "The SSIM with the untouched picture", "Change only where the attribute is."
    seen = measured(ssim, what=what, at_least=0.8, praise="It is still a face.", hint=hint)
    return replace(together(hidden, known, seen), working=protect)
