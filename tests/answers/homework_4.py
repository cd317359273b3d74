"""Answers to problem set 4: right ones, and typical mistakes with words of the message."""

import numpy as np
import torch

from vae_helpers.checks import homework_4 as checks
from vae_helpers.checks import project
from vae_helpers.data import render_letters


def halving(codes, direction, score, goal, most):
    """With a loop over the codes."""
    steps = []
    for code in codes:
        low, high = 0.0, float(most)
        for _ in range(20):
            middle = (low + high) / 2
            if score((code + middle * direction)[None]).item() >= goal:
                high = middle
            else:
                low = middle
        steps.append(0.0 if score(code[None]).item() >= goal else high)
    return torch.tensor(steps)


def always(codes, direction, score, goal, most):
    """One that forgets the codes that are there already."""
    low, high = torch.zeros(len(codes)), torch.full((len(codes),), float(most))
    for _ in range(20):
        middle = (low + high) / 2
        reached = score(codes + middle[:, None] * direction) >= goal
        low, high = torch.where(reached, low, middle), torch.where(reached, middle, high)
    return high


def tested(count=lambda values, true: 1 + (values >= true).sum(), shuffle=True, factor=1.0):
    """A placebo test in numpy's style, with parts that may be wrong."""

    def answer(codes, labels, draws, generator):
        codes = codes.numpy()

        def length(labels):
            labels = labels.numpy()
            return factor * np.linalg.norm(codes[labels == 1].mean(0) - codes[labels == 0].mean(0))

        true = length(labels)
        orders = [torch.randperm(len(labels), generator=generator) for _ in range(draws)]
        values = np.array([length(labels[order] if shuffle else labels) for order in orders])
        return true, count(values, true) / (draws + 1)

    return answer


def matched(same, different, false_rate):
    """The threshold by searching downwards."""
    best = 0.0
    for threshold in [np.inf, *np.unique(different.numpy())[::-1]]:
        if (different.numpy() >= threshold).mean() > false_rate + 1e-12:
            break
        best = (same.numpy() >= threshold).mean()
    return float(best)


def plain(codes, labels, wanted, kept):
    direction = codes[labels[:, wanted] == 1].mean(0) - codes[labels[:, wanted] == 0].mean(0)
    return direction / direction.norm()


def judged(check):
    """A check of several arguments as one of a single answer, as the tests call it."""

    def one(arguments):
        return check(*arguments)

    one.__name__ = check.__name__
    return one


splits = judged(project.splits)
letters = render_letters(300, 16)
thirds = letters.subset(slice(0, 180)), letters.subset(slice(180, 240)), letters.subset(slice(240, 300))
WORDS = "these are fifteen words and more that say something about the model and about its two data sets"
CARD = "\n".join(f"# {heading}\n{WORDS}, not only 3 units." for heading in project.HEADINGS)

RIGHT = [
    (checks.smallest_step, halving),
    (checks.placebo, tested()),
    (checks.match_rate, matched),
    (project.card, CARD),
]

WRONG = [
    (checks.smallest_step, lambda *arguments: ..., "returns nothing yet"),
    (checks.smallest_step, lambda *arguments: halving(*arguments).max().expand(6), "all alike"),
    (checks.smallest_step, lambda *arguments: halving(*arguments) / 2, "0.5 times"),
    (checks.placebo, lambda *arguments: ..., "should be a tensor or a number"),
    (checks.placebo, tested(factor=2.0), "The length of the difference"),
    (checks.placebo, tested(count=lambda values, true: (values >= true).sum()), "Your p-value is 0"),
    (checks.placebo, tested(shuffle=False), "the p-value is 1/200"),
    (checks.placebo, tested(count=lambda values, true: 1), "are the labels shuffled"),
    (checks.match_rate, lambda same, different, rate: rate, "share of *different*"),
    (checks.match_rate, lambda same, different, rate: 1 - matched(same, different, rate), "1 minus the right ones"),
    (checks.clean_direction, plain, "the goal is at most"),
    (checks.clean_direction, lambda *arguments: -plain(*arguments), "look at its sign"),
    (checks.clean_direction, lambda *arguments: 2 * plain(*arguments), "should have the length 1"),
    (checks.clean_direction, lambda *arguments: torch.zeros(3), "should return one direction"),
    (splits, (None, None, None), "There is no ImageSet called train_set"),
    (splits, (letters, thirds[1], thirds[2]), "A picture lies in train_set and in valid_set"),
    (splits, (thirds[0], render_letters(60, 20, seed=5), thirds[2]), "different shapes"),
    (splits, (thirds[0].subset(slice(60)), thirds[1], thirds[2]), "too small, or too uneven"),
    (project.card, None, "should be a text"),
    (project.card, CARD.replace("# Limits", "# Limit"), "heading “# Limits” is missing"),
    (project.card, CARD.replace(WORDS, "few"), "it takes at least"),
    (project.card, CARD.replace("3 units", "some units"), "has no number"),
    (project.card, CARD.replace("not only", "some"), "must not be used"),
]  # fmt: skip
