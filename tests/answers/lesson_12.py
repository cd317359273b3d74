"""Answers to the exercises of lesson 12: right ones, and typical mistakes with words of the message."""

import torch
from torch.nn import functional as F

from vae_helpers import checks


def rate(same, different, false_matches):
    threshold = torch.quantile(different, 1 - false_matches)
    return (same > threshold).float().mean()


def by_sorting(same, different, false_matches):
    passed = round(false_matches * len(different))
    threshold = sorted(different.tolist(), reverse=True)[passed]
    return sum(score > threshold for score in same.tolist()) / len(same)


def loss(logits, coins, codes, own, change, w_m, w_v):
    reading = F.binary_cross_entropy_with_logits(logits, coins, reduction="none")
    return reading + w_m * (1 - F.cosine_similarity(codes, own)) + w_v * (change**2).mean((1, 2, 3))


def by_hand(logits, coins, codes, own, change, w_m, w_v):
    reading = F.softplus(logits) - coins * logits
    cosine = (F.normalize(codes) * F.normalize(own)).sum(1)
    return reading + w_m - w_m * cosine + w_v * change.flatten(1).square().mean(1)


RIGHT = [
    (checks.match_rate, rate),
    (checks.match_rate, by_sorting),
    (checks.semi_adversarial, loss),
    (checks.semi_adversarial, by_hand),
]

WRONG = [
    (checks.match_rate, lambda same, different, false_matches: ..., "returns nothing yet"),
    (
        checks.match_rate,
        lambda same, different, false_matches: (same > torch.quantile(same, 1 - false_matches)).float().mean(),
        "the false matches decide it",
    ),
    (
        checks.match_rate,
        lambda same, different, false_matches: torch.quantile(different, 1 - false_matches),
        "That is the threshold",
    ),
    (
        checks.match_rate,
        lambda same, different, false_matches: (same > torch.quantile(different, false_matches)).float().mean(),
        "nearly all of `different` pass",
    ),
    (checks.semi_adversarial, lambda logits, coins, codes, own, change, w_m, w_v: ..., "returns nothing yet"),
    (
        checks.semi_adversarial,
        lambda logits, coins, codes, own, change, w_m, w_v: loss(logits, 1 - coins, codes, own, change, w_m, w_v),
        "makes it see the opposite",
    ),
    (
        checks.semi_adversarial,
        lambda logits, coins, codes, own, change, w_m, w_v: loss(logits, coins, codes, -own, change, w_m, w_v) - w_m,
        "one minus it",
    ),
    (
        checks.semi_adversarial,
        lambda logits, coins, codes, own, change, w_m, w_v: loss(logits, coins, codes, own, change, w_v, w_m),
        "weights are exchanged",
    ),
    (
        checks.semi_adversarial,
        lambda logits, coins, codes, own, change, w_m, w_v: loss(
            logits, coins, codes, own, change, w_m, w_v * change[0].numel()
        ),
        "summed over the pixels",
    ),
    (
        checks.semi_adversarial,
        lambda logits, coins, codes, own, change, w_m, w_v: loss(logits, coins, codes, own, change, w_m, w_v).mean(),
        "keep these numbers apart",
    ),
    (
        checks.semi_adversarial,
        lambda logits, coins, codes, own, change, w_m, w_v: loss(
            logits.detach(), coins, codes.detach(), own, change, w_m, w_v
        ),
        "no gradient passes to `logits`",
    ),
]
