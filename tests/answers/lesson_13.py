"""Answers to the exercises of lesson 13: right ones, and typical mistakes with words of the message."""

import torch
import torch.nn.functional as F

from vae_helpers import checks


def with_label(rows, labels):
    ten = (labels[:, None] == torch.arange(10)).to(rows.dtype)
    return torch.hstack([rows, ten])


def slant(ink, x, y):
    return torch.stack([(i * a * b).sum() / (i * b * b).sum() for i, a, b in zip(ink, x, y, strict=True)])


RIGHT = [
    (checks.with_label, with_label),
    (checks.slant, slant),
    (checks.knobs, torch.linalg.pinv),
    (checks.knobs, lambda w: torch.linalg.lstsq(w, torch.eye(len(w), dtype=w.dtype), driver="gelsd").solution),
]

WRONG = [
    (checks.with_label, lambda rows, labels: ..., "returns nothing yet"),
    (checks.with_label, lambda rows, labels: torch.cat([F.one_hot(labels, 10), rows], 1), "The rows come first"),
    (checks.with_label, lambda rows, labels: torch.cat([rows, labels[:, None]], 1), "ten columns are needed"),
    (checks.with_label, lambda rows, labels: with_label(rows.detach(), labels), "gradient"),
    (checks.with_label, lambda rows, labels: torch.cat([rows, F.one_hot(labels)], 1), "shape"),
    (checks.slant, lambda ink, x, y: ..., "returns nothing yet"),
    (checks.slant, lambda ink, x, y: slant(ink, y, x), "variance of x"),
    (checks.slant, lambda ink, x, y: (ink * x * y).sum((1, 2)), "covariance alone"),
    (checks.slant, lambda ink, x, y: slant(torch.ones_like(ink), x, y), "must weigh"),
    (checks.slant, lambda ink, x, y: (x / y).sum((1, 2)), "pixel by pixel"),
    (checks.slant, lambda ink, x, y: -slant(ink, x, y), "sign"),
    (checks.slant, lambda ink, x, y: (ink * x * y).sum() / (ink * y**2).sum(), "shape"),
    (checks.knobs, lambda w: ..., "returns nothing yet"),
    (checks.knobs, lambda w: w.T, "say what a step does"),
    (checks.knobs, lambda w: w.T @ w @ w.T, "left out the inverse"),
    (checks.knobs, lambda w: (w / w.square().sum(1, keepdim=True)).T, "steepest directions"),
    (checks.knobs, lambda w: torch.linalg.pinv(w).T, "shape"),
]
