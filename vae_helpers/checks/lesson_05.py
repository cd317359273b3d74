"""Checks for lesson 05: denoising autoencoders."""

import torch
from torch import Tensor, tensor

from vae_helpers.checks.verdict import Verdict, compare, draw, exercise

__all__ = ["best_guess", "mix_at_snr", "residual_loss", "window_ssim"]


@exercise
def window_ssim(answer) -> Verdict:
    """Check ``answer(x, y)``: the structural similarity of two windows (7, 7) with values in [0, 1], one number.

    SSIM = (2 μx μy + c1)(2 σxy + c2) / ((μx² + μy² + c1)(σx² + σy² + c2)) with c1 = 0.01², c2 = 0.03² and plain means
    over the pixels (Wang, Bovik, Sheikh and Simoncelli, 2004, "Image quality assessment").
    """

    def brightness(x, y, c1=0.01**2):
        return (2 * x.mean() * y.mean() + c1) / (x.mean() ** 2 + y.mean() ** 2 + c1)

    def structure(x, y, c2=0.03**2, n=49, power=1.0):
        covariance = ((x - x.mean()) * (y - y.mean())).sum() / n
        spreads = sum(((a - a.mean()).square().sum() / n) ** power for a in (x, y))
        return (2 * covariance + c2) / (spreads + c2)

    x, noise = (a.sigmoid() for a in draw((7, 7), (7, 7)))
    return compare(
        answer,
        lambda x, y: brightness(x, y) * structure(x, y),
        cases=[(x, 0.6 * x + 0.4 * noise), (0.2 * x, 0.3 * (1 - x)), (0 * x, 0 * x + 0.01), (x, x)],
        hints={
            "You divided by 48: here mean, variance and covariance are plain averages over the 49 pixels. (torch.var "
            "and torch.cov divide by 48 unless told otherwise.)": lambda x, y: brightness(x, y) * structure(x, y, n=48),
            "You used standard deviations where the formula has variances, their squares.": (
                lambda x, y: brightness(x, y) * structure(x, y, power=0.5)
            ),
            "That is the factor of the means; the second compares how the pixels vary.": brightness,
            "That is the second factor only: the comparison of the means is missing.": structure,
            "The constants c1 and c2 are missing.": lambda x, y: brightness(x, y, 0.0) * structure(x, y, 0.0),
        },
        praise="Right: brightness, contrast and structure in one number, and 1 only for equal windows.",
    )


@exercise
def best_guess(answer) -> Verdict:
    """Check ``answer(seen, sigma, p)``: E[x | seen] for a pixel x that is 1 with probability p, else 0, (N,).

    The noise is Gaussian with the standard deviation sigma, so seen = x + sigma · ε.
    """

    def bell(distance: Tensor, sigma: float) -> Tensor:
        return torch.exp(-(distance**2) / (2 * sigma**2))

    def solution(seen: Tensor, sigma: float, p: float) -> Tensor:
        white, black = p * bell(seen - 1, sigma), (1 - p) * bell(seen, sigma)
        return white / (white + black)

    return compare(
        answer,
        solution,
        cases=[
            (tensor([-0.4, 0.1, 0.5, 0.9, 1.3]), 0.5, 0.2),
            (tensor([0.2, 1.0, 0.0]), 0.8, 0.7),
            (tensor([0.5]), 0.3, 0.5),
        ],
        hints={
            "How common are white and black pixels? Weigh the two bell curves with p and 1 − p.": (
                lambda seen, sigma, p: solution(seen, sigma, 0.5)
            ),
            "A bell curve is exp(−d² / 2σ²): where is the 2?": lambda seen, s, p: solution(seen, s / 2**0.5, p),
            "That is the weight of white; divide it by the sum of both.": lambda seen, s, p: p * bell(seen - 1, s),
            "That is the more probable of black and white. The squared error is smallest at the mean, between them.": (
                lambda seen, sigma, p: (solution(seen, sigma, p) > 0.5).float()
            ),
        },
        praise="Right: the mean over what could be, and a logistic curve.",
    )


@exercise
def mix_at_snr(answer) -> Verdict:
    """Check ``answer(clean, noise, snr)``: clean plus the noise, scaled so that each sound has this SNR in dB.

    Both are (N, samples), and so is the mixture; the clean sound stays as it is.
    """

    def amplitude(sounds: Tensor) -> Tensor:
        return sounds.square().mean(1, keepdim=True).sqrt()

    def mixed(clean, noise, snr, power=1):
        return clean + noise * (amplitude(clean) / amplitude(noise) / 10 ** (snr / 20)) ** power

    (clean, noise), loudness = draw((3, 40), (3, 40)), tensor([[0.1], [0.5], [1.0]])
    return compare(
        answer,
        lambda clean, noise, snr: mixed(clean, noise, snr),
        cases=[
            (clean * loudness, 0.3 * noise, 6.0),
            (clean * loudness, noise * loudness.flip(0), -4.0),
            (tensor([[3.0, -4.0, 0.0]]), tensor([[1.0, 1.0, -1.0]]), 0.0),
            (tensor([[3.0, -4.0, 0.0]]), tensor([[1.0, 2.0, -2.0]]), 20.0),
        ],
        hints={
            "10^(snr/10) is a ratio of powers; samples are amplitudes, so 10^(snr/20).": (
                lambda c, n, snr: mixed(c, n, 2 * snr)
            ),
            "You scaled the noise by a ratio of powers, but samples are amplitudes: take the root.": (
                lambda c, n, snr: mixed(c, n, snr, power=2)
            ),
            "Divide the noise by its own loudness first.": lambda c, n, snr: c + n * amplitude(c) / 10 ** (snr / 20),
            "Each sound has a loudness of its own; you measured the whole batch.": (
                lambda c, n, snr: c + n * c.norm() / n.norm() / 10 ** (snr / 20)
            ),
            "Scale the noise, and leave the speech as it is.": lambda c, n, snr: mixed(n, c, -snr),
        },
        praise="Right: each mixture has the wanted SNR, whatever the loudness of the two recordings.",
    )


@exercise
def residual_loss(answer) -> Verdict:
    """Check ``answer(model, noisy, images)``: ‖(noisy − model(noisy)) − images‖² of each image, (N,).

    The model estimates the noise (K. Zhang et al., 2017, "Beyond a Gaussian denoiser"). Images are (N, 1, H, W).
    """

    def error(cleaned: Tensor, images: Tensor) -> Tensor:
        return (cleaned - images).square().flatten(1).sum(1)

    def half(pictures):
        return 0.5 * pictures

    def flipped(pictures):
        return 0.3 * pictures.flip(-1) + 0.1

    noisy, images = draw((3, 1, 4, 5), (3, 1, 4, 5))
    return compare(
        answer,
        lambda model, noisy, images: error(noisy - model(noisy), images),
        cases=[(half, noisy, images), (flipped, images, noisy), (half, noisy[:1, :, :1, :2], images[:1, :, :1, :2])],
        hints={
            "The network's output is the noise: subtract it from the noisy picture before you compare.": (
                lambda m, noisy, x: error(m(noisy), x)
            ),
            "An estimate of the noise has to be taken away, not added.": lambda m, noisy, x: error(noisy + m(noisy), x),
            "You compared with the noisy picture. Like this, the best network would do nothing.": (
                lambda m, noisy, x: error(noisy - m(noisy), noisy)
            ),
            "The network has to find the noise in the noisy picture; you showed it the clean one.": (
                lambda m, noisy, x: error(noisy - m(x), x)
            ),
            "Square the differences.": lambda m, noisy, x: (noisy - m(noisy) - x).abs().flatten(1).sum(1),
        },
        gradient=True,
        praise="Right: subtract the estimated noise, and compare what is left with the clean picture.",
    )
