"""Checks for lesson 05: denoising autoencoders."""

import torch
from torch import Tensor

from vae_helpers.checks.verdict import Verdict, compare


def window_ssim(answer) -> Verdict:
    """Check ``answer(x, y)``: the structural similarity of two windows (7, 7) with values in [0, 1], one number.

    SSIM = (2 μx μy + c1)(2 σxy + c2) / ((μx² + μy² + c1)(σx² + σy² + c2)) with c1 = 0.01², c2 = 0.03² and plain means
    over the pixels (Wang, Bovik, Sheikh and Simoncelli, 2004, "Image quality assessment").
    """

    def ssim(x, y, c1=0.01**2, c2=0.03**2, unbiased=False, spread=torch.var, double=2.0):
        covariance = ((x - x.mean()) * (y - y.mean())).sum() / (x.numel() - unbiased)
        brightness = (2 * x.mean() * y.mean() + c1) / (x.mean() ** 2 + y.mean() ** 2 + c1)
        spreads = spread(x, unbiased=unbiased) + spread(y, unbiased=unbiased)
        return brightness * (double * covariance + c2) / (spreads + c2)

    def brightness(x, y):
        return (2 * x.mean() * y.mean() + 0.01**2) / (x.mean() ** 2 + y.mean() ** 2 + 0.01**2)

    generator = torch.Generator().manual_seed(0)
    x, noise = torch.rand(2, 7, 7, generator=generator)
    return compare(
        answer,
        ssim,
        cases=[(x, 0.6 * x + 0.4 * noise), (0.2 * x, 0.3 * (1 - x))],
        mistakes={
            "You divided by 48: here mean, variance and covariance are plain averages over the 49 pixels. (torch.var "
            "and torch.cov divide by 48 unless told otherwise.)": lambda x, y: ssim(x, y, unbiased=True),
            "You used standard deviations where the formula has variances, their squares.": (
                lambda x, y: ssim(x, y, spread=torch.std)
            ),
            "The 2 before the covariance is missing.": lambda x, y: ssim(x, y, double=1.0),
            "That is the first factor only, for the means: the second compares how the pixels vary.": brightness,
            "That is the second factor only: the comparison of the means is missing.": (
                lambda x, y: ssim(x, y) / brightness(x, y)
            ),
            "The constants c1 and c2 are missing.": lambda x, y: ssim(x, y, c1=0.0, c2=0.0),
            "You swapped c1 and c2: c1 goes with the means.": lambda x, y: ssim(x, y, c1=0.03**2, c2=0.01**2),
            "You added the two factors: they are multiplied.": (
                lambda x, y: brightness(x, y) + ssim(x, y) / brightness(x, y)
            ),
        },
        praise="Right: brightness, contrast and structure in one number, and 1 only for equal windows.",
    )


def best_guess(answer) -> Verdict:
    """Check ``answer(seen, sigma, p)``: E[x | seen] for a pixel x that is 1 with probability p, else 0, (N,).

    The noise is Gaussian with the standard deviation sigma, so seen = x + sigma · ε.
    """

    def bell(distance: Tensor, sigma: float) -> Tensor:
        return torch.exp(-(distance**2) / (2 * sigma**2))

    def share(white: Tensor, black: Tensor) -> Tensor:
        return white / (white + black)

    def solution(seen: Tensor, sigma: float, p: float) -> Tensor:
        return share(p * bell(seen - 1, sigma), (1 - p) * bell(seen, sigma))

    def mistake(seen: Tensor, sigma: float, p: float, exponent) -> Tensor:
        return share(p * torch.exp(-exponent(seen - 1)), (1 - p) * torch.exp(-exponent(seen)))

    seen = torch.tensor([-0.4, 0.1, 0.5, 0.9, 1.3])
    return compare(
        answer,
        solution,
        cases=[(seen, 0.5, 0.2), (seen, 0.8, 0.7)],
        mistakes={
            "You left out how common white and black pixels are: weigh the two bell curves with p and 1 − p.": (
                lambda seen, sigma, p: solution(seen, sigma, 0.5)
            ),
            "That is the probability of black. White has the value 1, so the mean is the probability of white.": (
                lambda seen, sigma, p: 1 - solution(seen, sigma, p)
            ),
            "You swapped p and 1 − p: p is the probability of white.": (
                lambda seen, sigma, p: solution(seen, sigma, 1 - p)
            ),
            "The variance belongs into the exponent: divide by 2σ², not by 2σ.": (
                lambda seen, sigma, p: mistake(seen, sigma, p, lambda d: d**2 / (2 * sigma))
            ),
            "The 2 in the exponent is missing: a bell curve is exp(−d² / 2σ²).": (
                lambda seen, sigma, p: mistake(seen, sigma, p, lambda d: d**2 / sigma**2)
            ),
            "σ is missing from the exponent.": lambda seen, sigma, p: mistake(seen, sigma, p, lambda d: d**2 / 2),
            "You return the weight of white: divide it by the sum of both weights, so that they add up to 1.": (
                lambda seen, sigma, p: p * bell(seen - 1, sigma)
            ),
            "You answer with the more probable of black and white. The squared error is smallest at the mean, "
            "which lies between them.": lambda seen, sigma, p: (solution(seen, sigma, p) > 0.5).float(),
        },
        praise="Right: the mean over what could be, and a logistic curve.",
    )


def mix_at_snr(answer) -> Verdict:
    """Check ``answer(clean, noise, snr)``: clean plus the noise, scaled so that each sound has this SNR in dB.

    Both are (N, samples), and so is the mixture; the clean sound stays as it is.
    """

    def power(sounds: Tensor) -> Tensor:
        return sounds.square().mean(1, keepdim=True)

    def amplitude(sounds: Tensor) -> Tensor:
        return power(sounds).sqrt()

    def solution(clean: Tensor, noise: Tensor, snr: float) -> Tensor:
        return clean + noise * amplitude(clean) / amplitude(noise) * 10 ** (-snr / 20)

    def scale(clean: Tensor, noise: Tensor, snr: float) -> Tensor:
        return (solution(clean, noise, snr) - clean) / noise

    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 3, 40, generator=generator)
    loudness = torch.tensor([[0.1], [0.5], [1.0]])
    return compare(
        answer,
        solution,
        cases=[(clean * loudness, 0.3 * noise, 6.0), (clean * loudness, noise * loudness.flip(0), -4.0)],
        mistakes={
            "You took the power ratio for the amplitude ratio: amplitudes need 10^(snr/20), or a root of the power.": (
                lambda c, n, snr: c + n * amplitude(c) / amplitude(n) * 10 ** (-snr / 10)
            ),
            "You forgot a square root: you scaled the noise by a ratio of powers, but samples are amplitudes.": (
                lambda c, n, snr: c + n * power(c) / power(n) * 10 ** (-snr / 10)
            ),
            "The sign of the SNR is flipped: a larger SNR means less noise.": lambda c, n, snr: solution(c, n, -snr),
            "You did not measure the noise: divide it by its own loudness first.": (
                lambda c, n, snr: c + n * amplitude(c) * 10 ** (-snr / 20)
            ),
            "You did not measure the speech: the noise has to be scaled relative to its loudness.": (
                lambda c, n, snr: c + n / amplitude(n) * 10 ** (-snr / 20)
            ),
            "You measured the loudness of the whole batch at once: each sound has its own.": (
                lambda c, n, snr: c + n * (c.square().mean() / n.square().mean()).sqrt() * 10 ** (-snr / 20)
            ),
            "You compared the peaks: the SNR compares mean powers.": (
                lambda c, n, snr: c + n * c.abs().amax(1, True) / n.abs().amax(1, True) * 10 ** (-snr / 20)
            ),
            "You scaled the speech: scale the noise and leave the speech as it is.": (
                lambda c, n, snr: c / scale(c, n, snr) + n
            ),
            "You return the scaled noise: add the speech to it.": lambda c, n, snr: solution(c, n, snr) - c,
            "Decibels are missing: turn snr into a ratio with 10^(snr/20).": (
                lambda c, n, snr: c + n * amplitude(c) / amplitude(n) / snr
            ),
        },
        praise="Right: each mixture has the wanted SNR, whatever the loudness of the two recordings.",
    )


def residual_loss(answer) -> Verdict:
    """Check ``answer(model, noisy, images)``: ‖(noisy − model(noisy)) − images‖² of each image, (N,).

    The model estimates the noise (K. Zhang et al., 2017, "Beyond a Gaussian denoiser"). Images are (N, 1, H, W).
    """

    def error(cleaned: Tensor, images: Tensor) -> Tensor:
        return (cleaned - images).square().flatten(1).sum(1)

    def solution(model, noisy: Tensor, images: Tensor) -> Tensor:
        return error(noisy - model(noisy), images)

    generator = torch.Generator().manual_seed(0)
    noisy, images = torch.rand(2, 3, 1, 4, 4, generator=generator)

    def half(pictures):
        return 0.5 * pictures

    def flipped(pictures):
        return 0.3 * pictures.flip(-1) + 0.1

    return compare(
        answer,
        solution,
        cases=[(half, noisy, images), (flipped, images, noisy)],
        mistakes={
            "You compared the network's output with the clean picture: here the output is the noise, so subtract it "
            "from the noisy picture first.": lambda m, noisy, x: error(m(noisy), x),
            "You added the network's output: an estimate of the noise has to be taken away.": (
                lambda m, noisy, x: error(noisy + m(noisy), x)
            ),
            "You subtracted the network's output from the clean picture: the noise is in the noisy one.": (
                lambda m, noisy, x: error(x - m(noisy), x)
            ),
            "You compared with the noisy picture: the target is the clean one. Like this, the best network would do "
            "nothing.": lambda m, noisy, x: error(noisy - m(noisy), noisy),
            "You showed the network the clean picture: it has to find the noise in the noisy one.": (
                lambda m, noisy, x: error(noisy - m(x), x)
            ),
            "You averaged over the pixels: sum over them. The course's losses are per image.": (
                lambda m, noisy, x: solution(m, noisy, x) / x[0].numel()
            ),
            "You summed over the whole batch: return one number per image, of the shape (N,).": (
                lambda m, noisy, x: solution(m, noisy, x).sum()
            ),
            "You averaged over the images: return one number per image, of the shape (N,).": (
                lambda m, noisy, x: solution(m, noisy, x).mean()
            ),
            "You averaged over pixels and images: sum over the pixels, and return one number per image, (N,).": (
                lambda m, noisy, x: (noisy - m(noisy) - x).square().mean()
            ),
            "You took absolute differences: square them.": (
                lambda m, noisy, x: (noisy - m(noisy) - x).abs().flatten(1).sum(1)
            ),
        },
        praise="Right: subtract the estimated noise, and compare what is left with the clean picture.",
    )
