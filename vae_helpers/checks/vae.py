"""Checks for lessons 07 and 08: the variational autoencoder."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_helpers.checks.verdict import Verdict, compare

# --- Lesson 07 ------------------------------------------------------------------------------------------------


def kl_divergence(answer) -> Verdict:
    """Check ``answer(mean, log_var)``, both (N, latent_dim): D_KL(N(mean, exp(log_var)) ‖ N(0, I)) in nats, (N,)."""

    def terms(mean: Tensor, log_var: Tensor) -> Tensor:
        return mean.square() + log_var.exp() - log_var - 1

    def solution(mean: Tensor, log_var: Tensor) -> Tensor:
        return terms(mean, log_var).sum(1) / 2

    return compare(
        answer,
        solution,
        cases=[
            (
                torch.tensor([[0.5, -1.0, 0.3], [2.0, 0.0, -0.7], [0.1, 0.4, 1.0]]),
                torch.tensor([[0.2, -1.0, 0.6], [-3.0, 0.5, 0.1], [0.9, -0.4, -2.0]]),
            ),
            (torch.tensor([[1.5, -0.2]]), torch.tensor([[-0.8, 1.1]])),
        ],
        mistakes={
            "Your KL has its sign flipped: it must never be negative, and 0 only where q is the prior.": (
                lambda mean, log_var: -solution(mean, log_var)
            ),
            "Your KL is twice too large: the ½ in front of the sum is missing.": (
                lambda mean, log_var: terms(mean, log_var).sum(1)
            ),
            "You averaged over the latent dimensions: the KLs of independent dimensions add up.": (
                lambda mean, log_var: terms(mean, log_var).mean(1) / 2
            ),
            "You summed over the whole batch: every image has its own KL, so sum over the latent dimensions only.": (
                lambda mean, log_var: terms(mean, log_var).sum() / 2
            ),
            "You averaged over the batch as well: return one number per image, of the shape (N,).": (
                lambda mean, log_var: solution(mean, log_var).mean()
            ),
            "You return one number per latent dimension: sum over the dimensions of each code.": (
                lambda mean, log_var: terms(mean, log_var) / 2
            ),
            "You took log_var for log σ, it seems: log_var is log σ², so σ² is exp(log_var), not exp(2 · log_var).": (
                lambda mean, log_var: (mean.square() + (2 * log_var).exp() - 2 * log_var - 1).sum(1) / 2
            ),
            "You used σ = exp(log_var / 2) where the formula has σ²: that is exp(log_var).": (
                lambda mean, log_var: (mean.square() + (log_var / 2).exp() - log_var - 1).sum(1) / 2
            ),
            "The mean enters squared: μ², not μ.": lambda mean, log_var: (
                (mean + log_var.exp() - log_var - 1).sum(1) / 2
            ),
            "The −1 is missing: without it the KL of the prior with itself would not be 0.": (
                lambda mean, log_var: (terms(mean, log_var) + 1).sum(1) / 2
            ),
            "You swapped the two distributions: this is the KL of the prior from q, not of q from the prior.": (
                lambda mean, log_var: ((1 + mean.square()) / log_var.exp() - 1 + log_var).sum(1) / 2
            ),
        },
        praise="Right: one price per image, in nats, and never negative.",
    )


def reparameterize(answer) -> Verdict:
    """Check ``answer(mean, log_var)``, both (N, latent_dim): draws from N(mean, exp(log_var)) that let gradients pass.

    The draws are random, so the check looks at the statistics of many, with seeded random numbers.
    """
    name = getattr(answer, "__name__", "your answer")
    rows = 4000
    mean = torch.tensor([3.0, -2.0]).repeat(rows, 1).requires_grad_()
    sigma = torch.tensor([0.5, 2.0])
    log_var = (2 * sigma.log()).repeat(rows, 1).requires_grad_()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        try:
            first, second = answer(mean, log_var), answer(mean, log_var)
        except Exception as error:  # whatever the student's code does, the check answers in a sentence
            return Verdict(False, f"{name} stopped with {type(error).__name__}: {error}")
    if first is None or first is ...:
        return Verdict(False, f"{name} returns nothing yet: write your code in place of the dots, and `return` it.")
    if not isinstance(first, Tensor):
        return Verdict(False, f"{name} should return a tensor, but returns a {type(first).__name__}.")
    if first.shape != mean.shape:
        return Verdict(
            False,
            f"{name} should return as many codes as it gets means, with the shape (N, latent_dim): "
            f"here {tuple(mean.shape)}, but it returned {tuple(first.shape)}.",
        )

    noise = (first - mean).detach()
    if noise.abs().max() < 1e-6:
        return Verdict(False, "There is no noise in your code: it is just the mean. Add σ · ε with a random ε.")
    if noise.std(0).max() < 1e-5:
        return Verdict(
            False, "All images of the batch share one noise: draw an ε for every image, with the shape of mean."
        )
    if torch.equal(first.detach(), second.detach()):
        return Verdict(
            False, "Two calls gave the same codes: the noise is not redrawn. Draw it anew in every call, unseeded."
        )
    if (noise / sigma).diff(dim=1).std() < 1e-5 or (noise / noise.std(0)).diff(dim=1).std() < 1e-5:
        return Verdict(False, "All numbers of a code share one ε: draw one for each, with the shape of mean.")
    if (noise.mean(0).abs() > 0.1 * noise.std(0)).any():
        return Verdict(
            False, "Your codes are not centred on mean. Is ε from torch.rand (0 to 1) in place of torch.randn?"
        )
    wrong_widths = {
        "You used exp(log_var), which is σ², as the width of the noise: σ is exp(log_var / 2).": sigma.square(),
        "Your noise has the same width for every code: multiply ε by σ.": torch.ones(2),
        "You multiplied ε by log_var itself: take its exponential, of half of it.": log_var[0].detach().abs(),
        "You multiplied ε by log_var / 2: that is log σ, so take its exponential.": log_var[0].detach().abs() / 2,
        "You used exp(2 · log_var): σ is exp(log_var / 2).": sigma**4,
        "Your σ is upside down: is there a minus in the exponent?": 1 / sigma,
    }

    def has_width(width: Tensor) -> bool:
        return torch.allclose(noise.std(0), width, rtol=0.08)

    if not has_width(sigma):
        for hint, width in wrong_widths.items():
            if has_width(width):
                return Verdict(False, hint)
        return Verdict(False, "Your noise has the wrong width: the standard deviation of z − mean should be σ.")
    if first.requires_grad:
        gradients = torch.autograd.grad(first.sum(), [mean, log_var], allow_unused=True)
    if not first.requires_grad or any(gradient is None for gradient in gradients):
        return Verdict(
            False,
            "The draws are right, but no gradient passes to mean and log_var: compute z from them with + and ·, "
            "without .sample(), .detach() or no_grad.",
        )
    return Verdict(True, "Right: the chance sits in ε, and gradients pass to mean and log_var.")


def optimal_sigma(answer) -> Verdict:
    """Check ``answer(reconstruction, images)``, both (N, C, H, W): the σ with the smallest Gaussian NLL, a number."""

    def solution(reconstruction: Tensor, images: Tensor) -> Tensor:
        return (images - reconstruction).square().mean().sqrt()

    generator = torch.Generator().manual_seed(0)
    images = torch.rand(5, 1, 3, 4, generator=generator)
    reconstruction = (images + 0.05 + 0.2 * torch.randn(images.shape, generator=generator)).clamp(0, 1)
    return compare(
        answer,
        solution,
        cases=[(reconstruction, images), (torch.zeros(2, 1, 1, 2), torch.tensor([[[[0.1, 0.7]]], [[[0.4, 0.2]]]]))],
        mistakes={
            "That is σ², the mean squared error. Take its square root: σ is in grey levels.": (
                lambda reconstruction, images: solution(reconstruction, images) ** 2
            ),
            "You summed over the pixels: σ belongs to one pixel, so take the mean over pixels and images.": (
                lambda reconstruction, images: (images - reconstruction).square().flatten(1).sum(1).mean().sqrt()
            ),
            "You summed over all pixels and images: σ belongs to one pixel, so take the mean.": (
                lambda reconstruction, images: (images - reconstruction).square().sum().sqrt()
            ),
            "You took the mean absolute error: the Gaussian squares the errors, so the root mean square counts.": (
                lambda reconstruction, images: (images - reconstruction).abs().mean()
            ),
            "You took the standard deviation of the errors, which forgets their mean: what counts is the mean of the "
            "squared errors.": lambda reconstruction, images: (images - reconstruction).std(correction=0),
            "You took the standard deviation of the errors, which forgets their mean; what counts is the mean of the "
            "squared errors.": lambda reconstruction, images: (images - reconstruction).std(),
            "You found one σ per image: one σ serves all images, so average over them too, before the root.": (
                lambda reconstruction, images: (images - reconstruction).square().flatten(1).mean(1).sqrt()
            ),
            "You took the root for each image and averaged then: average the squared errors first.": (
                lambda reconstruction, images: (images - reconstruction).square().flatten(1).mean(1).sqrt().mean()
            ),
            "That is σ from half the squared error: set the derivative to zero once more, with the ½ and the log σ.": (
                lambda reconstruction, images: solution(reconstruction, images) / 2**0.5
            ),
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
_CONFUSIONS = {
    ("mean over pixels", "strong beta"): "the code has collapsed, true, but a strong β leaves the distortion in nats "
    "per image: look at the size of the reported loss.",
    ("mean over pixels", "KL summed over batch"): "the code has collapsed, true, but that bug leaves the distortion "
    "in nats per image: look at the size of the reported loss.",
    ("exp(log_var)", "none"): "the loss looks healthy, true. Now compare the width of the noise with that of a VAE "
    "without a bug.",
    ("exp(log_var)", "no sampling"): "the noise is too narrow, true, but it is not gone.",
    ("no sampling", "exp(log_var)"): "the noise is not as wide as log_var says, true, but how much of it is left?",
    ("no sampling", "none"): "the reconstructions look fine, true. Look at the width of the noise.",
    ("train mode at evaluation", "sampling at evaluation"): "two codes of one image differ, true, but sampling would "
    "leave the reported loss equal to the honest one.",
    ("train mode at evaluation", "none"): "the pictures look healthy, true. Ask for the code of one image twice.",
    ("images not scaled", "KL sign"): "the loss is far below zero, true, but is it the rate or the distortion that "
    "made it so?",
}


def diagnosis(answer) -> Verdict:
    """Check a dict, patient ("A" to "F") → name of the bug (or "none"), for lesson 07's break-it lab."""
    if not isinstance(answer, dict):
        return Verdict(False, f"Give a dict, patient → bug, not a {type(answer).__name__}.")
    given = {patient: answer.get(patient) for patient in PATIENTS}
    if not any(isinstance(bug, str) for bug in given.values()):
        return Verdict(
            False, 'No patient has a diagnosis yet: write the name of a bug, or "none", in place of the dots.'
        )
    sentences = []
    for patient, bug in given.items():
        truth = PATIENTS[patient]
        if bug == truth:
            continue
        if not isinstance(bug, str):
            sentences.append(f"Patient {patient} has no diagnosis yet.")
        elif bug not in _BUGS:
            sentences.append(f"Patient {patient}: there is no bug called {bug!r}; copy the name from the table.")
        elif (truth, bug) in _CONFUSIONS:
            sentences.append(f"Patient {patient}: {_CONFUSIONS[truth, bug]}")
        else:
            sentences.append(f"Patient {patient} has something else: {_SYMPTOMS[truth]}")
    if not sentences:
        return Verdict(True, "Right: all six. You can debug VAEs now.")
    right = len(PATIENTS) - len(sentences)
    return Verdict(False, f"{right} of {len(PATIENTS)} are right. " + " ".join(sentences))


# --- Lesson 08 ------------------------------------------------------------------------------------------------


def unit_rates(answer) -> Verdict:
    """Check ``answer(mean, log_var)``, both (N, latent_dim): the mean rate of each unit in nats, (latent_dim,)."""

    def terms(mean: Tensor, log_var: Tensor) -> Tensor:
        return (mean.square() + log_var.exp() - log_var - 1) / 2

    def solution(mean: Tensor, log_var: Tensor) -> Tensor:
        return terms(mean, log_var).mean(0)

    generator = torch.Generator().manual_seed(0)
    cases = [tuple(torch.randn(2, *shape, generator=generator)) for shape in ((5, 3), (4, 2))]
    return compare(
        answer,
        solution,
        cases=cases,
        mistakes={
            "You summed over the units: that is the rate of each image. Keep the units, and average over the images.": (
                lambda mean, log_var: terms(mean, log_var).sum(1)
            ),
            "You averaged over the units: keep them, and average over the images.": (
                lambda mean, log_var: terms(mean, log_var).mean(1)
            ),
            "You summed over the images: take the mean over them.": lambda mean, log_var: terms(mean, log_var).sum(0),
            "You return a number for each image and unit: average over the images.": terms,
            "You return one number for all units: keep the units apart.": (
                lambda mean, log_var: terms(mean, log_var).mean()
            ),
            "You return one number for all units: keep the units apart, and do not add them up.": (
                lambda mean, log_var: terms(mean, log_var).sum(1).mean()
            ),
            "You averaged mean and log_var over the images first. Compute the rate of each image, then average.": (
                lambda mean, log_var: terms(mean.mean(0), log_var.mean(0))
            ),
            "The ½ in front is missing.": lambda mean, log_var: 2 * solution(mean, log_var),
            "The sign is flipped: a rate is never negative.": lambda mean, log_var: -solution(mean, log_var),
            "σ² is exp(log_var), not exp(log_var / 2).": (
                lambda mean, log_var: ((mean.square() + (log_var / 2).exp() - log_var - 1) / 2).mean(0)
            ),
        },
        praise="Right: one number per unit, and together they are the rate.",
    )


def warped_grid(answer) -> Verdict:
    """Check ``answer(steps)``: the normal quantiles of the middles of ``steps`` equal slices of probability."""

    def middles(steps: int) -> Tensor:
        return (torch.arange(steps) + 0.5) / steps

    def solution(steps: int) -> Tensor:
        return torch.special.ndtri(middles(steps))

    return compare(
        answer,
        solution,
        cases=[(20,), (3,)],
        mistakes={
            "Those are the probabilities themselves: the positions z come from them by the normal quantile.": middles,
            "You went the wrong way: ndtr turns positions into probabilities, ndtri turns probabilities into "
            "positions.": lambda steps: torch.special.ndtr(middles(steps)),
            "Your grid reaches from the probability 0 to 1, that is, from −∞ to ∞: take the middles of the slices.": (
                lambda steps: torch.special.ndtri(torch.linspace(0, 1, steps))
            ),
            "You took the lower ends of the slices, and the first of them is −∞: take their middles.": (
                lambda steps: torch.special.ndtri(torch.arange(steps) / steps)
            ),
            "You took the upper ends of the slices, and the last of them is ∞: take their middles.": (
                lambda steps: torch.special.ndtri((torch.arange(steps) + 1) / steps)
            ),
            "Those are the borders between steps + 1 slices: cut into as many slices as steps, and take the middles.": (
                lambda steps: torch.special.ndtri((torch.arange(steps) + 1) / (steps + 1))
            ),
            "You took the middles for positions, it seems: they are probabilities, so put them through ndtri.": (
                lambda steps: 2 * middles(steps) - 1
            ),
        },
        praise="Right: every position stands for the same share of the prior.",
    )


def slerp(answer) -> Verdict:
    """Check ``answer(a, b, t)``: the points at t on the arcs from the codes ``a`` to ``b``, all (N, d)."""

    def angles(a: Tensor, b: Tensor) -> Tensor:
        return torch.acos(F.cosine_similarity(a, b))[:, None]

    def on_arc(a: Tensor, b: Tensor, t: float, angle: Tensor) -> Tensor:
        return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)

    def solution(a: Tensor, b: Tensor, t: float) -> Tensor:
        return on_arc(a, b, t, angles(a, b))

    def lerp(a: Tensor, b: Tensor, t: float) -> Tensor:
        return (1 - t) * a + t * b

    # All products are less than 1, so that the arc cosine of a product that was not normalised exists, too.
    a = torch.tensor([[0.9, 0.1, -0.2], [0.2, -0.7, 0.3], [0.1, 0.5, 0.6], [-0.4, 0.3, 0.2]])
    b = torch.tensor([[0.1, 0.8, 0.3], [0.5, 0.4, -0.6], [0.7, -0.1, 0.2], [0.3, 0.3, 0.9]])
    return compare(
        answer,
        solution,
        cases=[(a, b, 0.3), (b[:2], a[:2], 0.8)],
        mistakes={
            "That is lerp, the straight line: the two factors are sines of parts of the angle.": lerp,
            "You stretched the point on the straight line to the length of the ends. It lies on the arc, but the "
            "steps along the arc are not even: use the sines.": lambda a, b, t: (
                F.normalize(lerp(a, b, t)) * lerp(a.norm(dim=1), b.norm(dim=1), t)[:, None]
            ),
            "You stretched the point on the straight line to length 1: use the sines, and leave the length alone.": (
                lambda a, b, t: F.normalize(lerp(a, b, t))
            ),
            "a and b have changed places: at t = 0 the answer must be a.": lambda a, b, t: solution(a, b, 1 - t),
            "You forgot to divide by sin Ω.": lambda a, b, t: solution(a, b, t) * torch.sin(angles(a, b)),
            "Ω is the angle, not its cosine: take torch.acos.": lambda a, b, t: on_arc(
                a, b, t, F.cosine_similarity(a, b)[:, None]
            ),
            "The cosine is a · b divided by both lengths: without that, acos gives another angle.": lambda a, b, t: (
                on_arc(a, b, t, torch.acos((a * b).sum(1))[:, None])
            ),
            "You used one angle for the whole batch: every pair of codes has its own.": lambda a, b, t: on_arc(
                a, b, t, torch.acos(F.cosine_similarity(a.flatten(), b.flatten(), dim=0))
            ),
            "You scaled a and b to length 1: divide by the lengths for the angle only.": lambda a, b, t: solution(
                F.normalize(a), F.normalize(b), t
            ),
        },
        praise="Right: on the arc, at an even pace, with the lengths of the ends.",
    )


def importance_weighted(answer) -> Verdict:
    """Check ``answer(log_w)``, the logarithms of k weights of N images, (k, N): the estimates of -log p(x), (N,)."""

    def solution(log_w: Tensor) -> Tensor:
        return math.log(len(log_w)) - log_w.logsumexp(0)

    small = torch.tensor([[-1.0, 0.5, -2.0], [-0.3, -1.2, -0.1], [0.4, -0.6, -3.0], [-1.7, 0.2, -0.8]])
    return compare(
        answer,
        solution,
        cases=[(small,), (2 * small[:3, :2] - 150,)],
        mistakes={
            "You averaged the logarithms: that is −ELBO. Average the weights, and take the logarithm then.": (
                lambda log_w: -log_w.mean(0)
            ),
            "You added up the weights, but did not divide by k.": lambda log_w: -log_w.logsumexp(0),
            "You divided by k twice, or on the wrong side: −log(S / k) is log k − log S.": (
                lambda log_w: -math.log(len(log_w)) - log_w.logsumexp(0)
            ),
            "The sign is flipped: this is log p(x), and its negative was asked for.": lambda log_w: -solution(log_w),
            "You averaged over the images: the k weights of one image stand in a column, so sum over dim=0.": (
                lambda log_w: math.log(log_w.shape[1]) - log_w.logsumexp(1)
            ),
            "Right so far, but keep the images apart: return N numbers, not their mean.": (
                lambda log_w: solution(log_w).mean()
            ),
            "Your formula is right, but e⁻¹⁵⁰ is 0 in float32, and log 0 is −∞: use torch.logsumexp.": (
                lambda log_w: -log_w.exp().mean(0).log()
            ),
            "You took the best weight only: all k of them count.": lambda log_w: -log_w.amax(0),
            "That is p(x), or its negative: take the logarithm.": lambda log_w: log_w.exp().mean(0),
        },
        praise="Right: the average of the weights, without ever leaving the logarithm.",
    )
