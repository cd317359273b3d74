"""Checks for lesson 11: directions in the space of codes, and what an edit does."""

from dataclasses import replace

import torch
from torch import Tensor, tensor
from torch.nn.functional import normalize

from vae_helpers.checkpoints import load_pretrained
from vae_helpers.checks.verdict import (
    Complaint,
    Verdict,
    compare,
    draw,
    exercise,
    measured,
    numbers,
    otherwise,
    together,
)

__all__ = ["balanced_difference", "equal_effect", "mean_difference"]

(_CODES,) = draw((10, 3))
_SMILES = tensor([1, 1, 0, 1, 0, 1, 0, 0, 1, 0]).bool()
_GLASSES = tensor([1, 1, 0, 0, 1, 1, 1, 0, 1, 0]).bool()


def _difference(latents: Tensor, labels: Tensor) -> Tensor:
    return latents[labels].mean(0) - latents[~labels].mean(0)


@exercise
def mean_difference(answer) -> Verdict:
    """Check ``answer(latents, labels)``, (N, latent_dim) and (N,) booleans: mean code with minus mean code without."""
    return compare(
        answer,
        _difference,
        cases=[(_CODES, _SMILES), (_CODES[:, :2], _GLASSES), (_CODES[:3, 1:], _SMILES[:3])],
        hints={
            "You subtracted the mean of all faces, not of those without it.": lambda z, y: z[y].mean(0) - z.mean(0),
            "You made the step as long as 1: keep its length.": lambda z, y: normalize(_difference(z, y), dim=0),
        },
        praise="Right: it leads from the mean code without to the mean code with, and is as long as their distance.",
    )


@exercise
def equal_effect(answer) -> Verdict:
    """Check ``answer(strengths, responses, target)``: where rising responses (K,) reach a target, on straight lines."""

    def first_beyond(s: Tensor, r: Tensor, target: float) -> int:
        return int((r >= target).nonzero()[0]) if (r >= target).any() else len(r) - 1

    def strength_for(strengths: Tensor, responses: Tensor, target: float) -> Tensor:
        k = first_beyond(strengths, responses, target)
        share = (target - responses[k - 1]) / (responses[k] - responses[k - 1])
        return torch.lerp(strengths[k - 1], strengths[k], share.clamp_max(1))

    doses, seen = tensor([0.0, 0.5, 1.5, 2.0, 4.0]), tensor([0.05, 0.2, 0.6, 0.9, 0.95])
    return compare(
        answer,
        strength_for,
        cases=[(doses, seen, 0.8), (doses[:4], seen[:4], 0.4), (doses[:3], seen[:3], 0.5), (doses[:3], seen[:3], 0.7)],
        hints={
            "That is the first strength beyond the target: interpolate.": lambda s, r, t: s[first_beyond(s, r, t)],
            "That is the strength that comes nearest: interpolate.": lambda s, r, t: s[(r - t).abs().argmin()],
        },
        praise="Right: now directions can be compared where they do equally much.",
    )


@exercise
def balanced_difference(answer) -> Verdict:
    """Check ``answer(latents, labels, other)``: the mean differences with and without ``other``, averaged."""

    def within(latents: Tensor, labels: Tensor, group: Tensor) -> Tensor:
        return _difference(latents[group], labels[group])

    return compare(
        answer,
        lambda latents, labels, other: (within(latents, labels, other) + within(latents, labels, ~other)) / 2,
        cases=[(_CODES, _SMILES, _GLASSES), (_CODES[:8, :2], _SMILES[:8], ~_GLASSES[:8])],
        hints={
            "That is the plain mean difference; the other attribute plays no part.": lambda z, y, o: _difference(z, y),
            "You looked at the faces with the other attribute only.": within,
        },
        praise="Right: within each group the other attribute is the same for everybody, so it cannot come along.",
    )


@exercise(seconds=60)
def workshop(glasses) -> Verdict:
    """Check a direction (latent_dim,): where it puts on glasses (mean probability 0.7), it leaves sex and age alone."""
    vae, codes, judge = (load_pretrained(name) for name in ("faces", "face_codes", "face_judge"))
    plain = codes.direction("Eyeglasses")
    otherwise(plain.to(getattr(glasses, "device", "cpu")))
    step = numbers(glasses, "Your direction", shape=plain.shape).float()
    asked = [judge.attributes.index(name) for name in ("Eyeglasses", "Male", "Young")]
    with torch.no_grad():
        faces = codes.sample(90, torch.Generator().manual_seed(11))
        faces = faces[judge(vae.decode(faces))[:, asked[0]] < 0][:80]
        before = judge(vae.decode(faces))[:, asked]
        for strength in torch.arange(0.5, 8.1, 0.5).tolist():
            after = judge(vae.decode(faces + strength * step))[:, asked]
            if after[:, 0].sigmoid().mean() >= 0.7:
                break
        else:
            raise Complaint("Even at strength 8 most faces wear no glasses: too much of the direction was taken away.")
    found = [
        measured(
            change, what=f"The change of the log-odds of {name} at strength {strength:g}", at_most=1.5, praise="Good."
        )
        for name, change in zip(("Male", "Young"), (after - before).mean(0)[1:].abs(), strict=True)
    ]
    return replace(together(*found), working=glasses)
