"""Checks for lesson 07: the VAE, piece by piece."""

import torch
from torch import Tensor, tensor

from vae_helpers.checks.verdict import Complaint, Verdict, call, compare, draw, exercise, otherwise, result

__all__ = ["diagnosis", "kl_divergence", "optimal_sigma", "reparameterize"]


@exercise
def kl_divergence(answer) -> Verdict:
    """Check ``answer(mean, log_var)``, both (N, latent_dim): D_KL(N(mean, exp(log_var)) ‖ N(0, I)) in nats, (N,)."""

    def kl(m: Tensor, v: Tensor, width: float = 1.0) -> Tensor:
        return (m.square() + (width * v).exp() - v - 1).sum(1) / 2

    return compare(
        answer,
        lambda mean, log_var: kl(mean, log_var),
        cases=[draw((4, 3), (4, 3)), (tensor([[1.5, -0.2]]), tensor([[-0.8, 1.1]])), (torch.zeros(3, 1),) * 2],
        hints={
            "log_var is log σ², not log σ, so σ² is exp(log_var).": lambda m, v: kl(m, 2 * v),
            "You used σ = exp(log_var / 2) where the formula has σ²: exp(log_var).": lambda m, v: kl(m, v, 0.5),
            "The mean enters squared: μ², not μ.": lambda m, v: kl(m, v) + (m - m.square()).sum(1) / 2,
            "The −1 is missing: the KL of the prior with itself is 0.": lambda m, v: kl(m, v) + m.shape[1] / 2,
            "You swapped the two distributions: this is the KL of the prior from q, not of q from the prior.": (
                lambda m, v: ((1 + m.square()) / v.exp() - 1 + v).sum(1) / 2
            ),
        },
        gradient=True,
        praise="Right: one price per image, in nats, and never negative.",
    )


@exercise
def reparameterize(answer) -> Verdict:
    """Check ``answer(mean, log_var)``, both (N, latent_dim): draws from N(mean, exp(log_var)) that let gradients pass.

    The draws are random, so the check looks at the statistics of many, with seeded random numbers.
    """
    otherwise(lambda mean, log_var: mean + (log_var / 2).exp() * torch.randn_like(mean))
    sigma = tensor([0.5, 2.0], dtype=torch.float64)
    mean, log_var = (x.float().repeat(4000, 1).requires_grad_() for x in (tensor([3.0, -2.0]), 2 * sigma.log()))
    torch.manual_seed(0)
    drawn = call(answer, mean, log_var)
    first, second = (result(answer, value, mean.shape) for value in (drawn, call(answer, mean, log_var)))
    noise = first - mean.detach()
    centre, spread, at_zero = noise.mean(0), noise.std(0), first.mean(0).abs().max() < 0.2
    flaws = {
        "Some of your codes are infinite or not a number.": not noise.isfinite().all(),
        "There is no noise in your code: it is just the mean. Add σ · ε with a random ε.": noise.abs().max() < 1e-6,
        "All images of the batch share one noise: draw an ε for every image, with the shape of mean.": (
            spread.max() < 1e-5
        ),
        "Two calls gave the same codes: the noise is not redrawn. Draw it anew, unseeded.": torch.equal(first, second),
        "All numbers of a code share one ε: draw one for each, with the shape of mean.": (
            min((noise / width).diff(dim=1).std() for width in (sigma, spread)) < 1e-5
        ),
        "Your codes lie around 0, not around mean: add mean to σ · ε.": at_zero,
        "Your codes are not centred on mean: ε should be as often below 0 as above (torch.randn).": (
            (centre.abs() > 0.1 * spread).any()
        ),
    }
    for words, width in {
        "": sigma,
        "You used exp(log_var), which is σ², as the width of the noise: σ is exp(log_var / 2).": sigma.square(),
        "Your noise has the same width for every code: multiply ε by σ.": torch.ones(2),
        "You multiplied ε by log_var itself: take its exponential, of half of it.": 2 * sigma.log().abs(),
        "You multiplied ε by log_var / 2: that is log σ, so take its exponential.": sigma.log().abs(),
        "Your σ is upside down: is there a minus in the exponent?": 1 / sigma,
        "Your noise has the wrong width: the standard deviation of z − mean should be σ.": spread,
    }.items():
        if torch.allclose(spread, width.double(), rtol=0.08):
            flaws[words] = bool(words)
            break
    flaws["Your noise has the right width, but is not Gaussian: draw ε with torch.randn."] = (
        ((noise / spread) ** 4).mean().sub(3).abs() > 0.5  # the fourth moment of N(0, 1) is 3
    )
    slopes = [None, None]
    if isinstance(drawn, Tensor) and drawn.requires_grad:
        slopes = torch.autograd.grad(drawn.sum(), [mean, log_var], allow_unused=True)
    for name, slope, right in zip(("mean", "log_var"), slopes, (torch.ones_like(noise), noise / 2), strict=True):
        flaws[
            f"The draws are right, but no gradient passes to {name}: compute z from mean and log_var with + and ·, "
            "without torch.normal, .sample(), .detach() or no_grad."
        ] = slope is None or not torch.allclose(slope.double(), right, atol=1e-3)
    for words, found in flaws.items():
        if found:
            raise Complaint(words)
    return Verdict(True, "Right: the chance sits in ε, and gradients pass to mean and log_var.", answer)


@exercise
def optimal_sigma(answer) -> Verdict:
    """Check ``answer(reconstruction, images)``, both (N, C, H, W): the σ with the smallest Gaussian NLL, a number."""
    pair, half = tuple(x.sigmoid() for x in draw((5, 1, 3, 4), (5, 1, 3, 4))), tensor([[[[0.5]]]])

    def per_image(r: Tensor, x: Tensor) -> Tensor:
        return (x - r).square().flatten(1).mean(1).sqrt()

    return compare(
        answer,
        lambda reconstruction, images: (images - reconstruction).square().mean().sqrt(),
        cases=[pair, (torch.zeros(2, 1, 1, 2), tensor([[[[0.1, 0.7]]], [[[0.4, 0.2]]]])), (half, half)],
        hints={
            "The Gaussian squares the errors; you took their absolute values.": lambda r, x: (x - r).abs().mean(),
            "The standard deviation of the errors forgets their mean.": lambda r, x: (x - r).std(correction=0),
            "One σ serves all images: average over them too, before the root.": per_image,
            "Average the squared errors of all images before the root.": lambda r, x: per_image(r, x).mean(),
        },
        praise="Right: the best σ is the root mean squared error of a pixel, in grey levels.",
    )


# The patients of lesson 07's break-it lab, and what is wrong with each. No peeking before the exercise.
PATIENTS = {
    "A": "no sampling",
    "B": "images not scaled",
    "C": "none",
    "D": "mean over pixels",
    "E": "exp(log_var)",
    "F": "train mode at evaluation",
}

_SYMPTOMS = {
    "no sampling": "how wide is the noise that is added to the mean?",
    "images not scaled": "which sign has the reported loss, and what has become of the pictures?",
    "none": "is any of the numbers really unlike those of a VAE without a bug?",
    "mean over pixels": "compare the size of the reported loss with the honest one.",
    "exp(log_var)": "is the noise as wide as log_var says?",
    "train mode at evaluation": "how far apart are two codes of one image, and does the reported loss agree with the "
    "honest one?",
}
_BUGS = (
    *PATIENTS.values(),
    "KL sign",
    "KL summed over batch",
    "sampling at evaluation",
    "sigmoid twice",
    "strong beta",
)
# Pairs that are easily taken for one another: (what it is, what was said).
_COLLAPSED = (
    "the code has collapsed, true, but that bug leaves the distortion in nats per image: look at the loss's size."
)
_CONFUSIONS = {
    ("mean over pixels", "strong beta"): _COLLAPSED,
    ("mean over pixels", "KL summed over batch"): _COLLAPSED,
    ("exp(log_var)", "none"): "the loss looks healthy, true. Now compare the width of the noise with a healthy VAE's.",
    ("exp(log_var)", "no sampling"): "the noise is too narrow, true, but it is not gone.",
    ("no sampling", "exp(log_var)"): "the noise is not as wide as log_var says, true, but how much of it is left?",
    ("no sampling", "none"): "the reconstructions look fine, true. Look at the width of the noise.",
    ("train mode at evaluation", "sampling at evaluation"): "two codes of one image differ, true, but sampling would "
    "leave the reported loss equal to the honest one.",
    ("train mode at evaluation", "none"): "the pictures look healthy, true. Ask for the code of one image twice.",
    ("images not scaled", "KL sign"): "the loss is far below zero, true, but is it the rate or the distortion?",
}


@exercise
def diagnosis(answer) -> Verdict:
    """Check a dict, patient ("A" to "F") → name of the bug (or "none"), for lesson 07's break-it lab."""
    if not isinstance(answer, dict):
        return Verdict(False, f"Give a dict, patient → bug, not a {type(answer).__name__}.", PATIENTS)
    known = {bug.lower(): bug for bug in _BUGS}
    sentences = []
    for patient, truth in PATIENTS.items():
        given = answer.get(patient, ...)
        bug = known.get(given.strip().lower()) if isinstance(given, str) else None
        if given is ...:
            sentences.append(f"Patient {patient} has no diagnosis yet.")
        elif given is None and truth == "none":
            sentences.append(f'Patient {patient}: you mean the word "none", in quotes.')
        elif bug is None:
            sentences.append(
                f"Patient {patient}: there is no bug called {str(given)[:40]!r}; copy the name from the table."
            )
        elif (truth, bug) in _CONFUSIONS:
            sentences.append(f"Patient {patient}: {_CONFUSIONS[truth, bug]}")
        elif bug != truth:
            sentences.append(f"Patient {patient} has something else: {_SYMPTOMS[truth]}")
    right = len(PATIENTS) - len(sentences)
    if not sentences:
        return Verdict(True, "Right: all six. You can debug VAEs now.", PATIENTS)
    return Verdict(False, f"{right} of {len(PATIENTS)} are right. " + " ".join(sentences), PATIENTS)
