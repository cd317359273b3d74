"""Answers to the exercises of lesson 05: right ones, and typical mistakes with words of the message."""

import math

import torch
from torch.distributions import Normal
from torch.nn import functional as F

from vae_helpers import checks

C1, C2 = 0.01**2, 0.03**2


def ssim(x, y):
    from skimage.metrics import structural_similarity

    full = structural_similarity(
        x.double().numpy(), y.double().numpy(), data_range=1, use_sample_covariance=False, full=True
    )
    return full[1][3, 3]  # the one window that lies inside


def luminance(x, y):
    return (2 * x.mean() * y.mean() + C1) / (x.mean() ** 2 + y.mean() ** 2 + C1)


def structure(x, y, correction=0, two=2, power=2):
    covariance = torch.cov(torch.stack([x.flatten(), y.flatten()]), correction=correction)[0, 1]
    spread = x.std(correction=correction) ** power + y.std(correction=correction) ** power
    return (two * covariance + C2) / (spread + C2)


def guess(seen, sigma, p):
    return torch.sigmoid((seen - 0.5) / sigma**2 + math.log(p / (1 - p)))


def density_share(seen, scale, p):
    white = p * Normal(1, scale).log_prob(seen).exp()
    black = (1 - p) * Normal(0, scale).log_prob(seen).exp()
    return white / (white + black)


def rms(sounds):
    return sounds.norm(dim=1, keepdim=True) / sounds.shape[1] ** 0.5


def mix(clean, noise, snr):
    wanted = rms(clean) * 10 ** (-snr / 20)
    return clean + noise / rms(noise) * wanted


def residual(model, noisy, images):
    return F.mse_loss(noisy - model(noisy), images, reduction="none").sum((1, 2, 3))


RIGHT = [
    (checks.window_ssim, ssim),
    (checks.window_ssim, lambda x, y: luminance(x, y) * structure(x, y)),
    (checks.best_guess, guess),
    (checks.best_guess, density_share),
    (checks.mix_at_snr, mix),
    (checks.residual_loss, residual),
]
WRONG = [
    (checks.window_ssim, lambda x, y: ..., "returns nothing yet"),
    (checks.window_ssim, lambda x, y: luminance(x, y) * structure(x, y, correction=1), "divided by 48"),
    (checks.window_ssim, lambda x, y: luminance(x, y) * structure(x, y, power=1), "standard deviations"),
    (checks.window_ssim, lambda x, y: luminance(x, y) * structure(x, y, two=1), "returned"),
    (checks.window_ssim, luminance, "That is the factor of the means; the second c"),
    (checks.window_ssim, structure, "second factor only"),
    (checks.window_ssim, lambda x, y: luminance(x, y) + structure(x, y), "returned"),
    (checks.window_ssim, lambda x, y: F.mse_loss(x, y), "returned"),
    (checks.best_guess, lambda seen, sigma, p: ..., "returns nothing yet"),
    (checks.best_guess, lambda seen, sigma, p: guess(seen, sigma, 0.5), "How common are white and black pixels? Weigh"),
    (checks.best_guess, lambda seen, sigma, p: guess(1 - seen, sigma, 1 - p), "1 minus"),
    (checks.best_guess, lambda seen, sigma, p: guess(seen, sigma, 1 - p), "1 minus `p` were used"),
    (checks.best_guess, lambda seen, sigma, p: guess(seen, sigma**0.5, p), "the square root of `sigma` were taken"),
    (
        checks.best_guess,
        lambda seen, sigma, p: guess(seen, sigma / 2**0.5, p),
        "A bell curve is exp(−d² / 2σ²): where is the",
    ),
    (checks.best_guess, lambda seen, sigma, p: guess(seen, 1.0, p), "`sigma` were left out"),
    (checks.best_guess, lambda seen, sigma, p: p * torch.exp(-0.5 * ((seen - 1) / sigma) ** 2), "sum of both"),
    (checks.best_guess, lambda seen, sigma, p: guess(seen, sigma, p).round(), "more probable"),
    (checks.mix_at_snr, lambda c, n, snr: ..., "returns nothing yet"),
    (checks.mix_at_snr, lambda c, n, snr: mix(c, n, 2 * snr), "10^(snr/20)"),
    (
        checks.mix_at_snr,
        lambda c, n, snr: c + n * (rms(c) / rms(n)) ** 2 * 10 ** (-snr / 10),
        "You scaled the noise by a ratio of powers, bu",
    ),
    (checks.mix_at_snr, lambda c, n, snr: mix(c, n, -snr), "sign"),
    (
        checks.mix_at_snr,
        lambda c, n, snr: c + n * rms(c) * 10 ** (-snr / 20),
        "Divide the noise by its own loudness first.",
    ),
    (checks.mix_at_snr, lambda c, n, snr: c + n / rms(n) * 10 ** (-snr / 20), "right if `clean` were 1"),
    (checks.mix_at_snr, lambda c, n, snr: c + n * c.norm() / n.norm() * 10 ** (-snr / 20), "whole batch"),
    (
        checks.mix_at_snr,
        lambda c, n, snr: c + n * c.abs().amax(1, True) / n.abs().amax(1, True) * 10 ** (-snr / 20),
        "returned",
    ),
    (
        checks.mix_at_snr,
        lambda c, n, snr: c / rms(c) * rms(n) * 10 ** (snr / 20) + n,
        "Scale the noise, and leave the speech as it i",
    ),
    (checks.mix_at_snr, lambda c, n, snr: mix(c, n, snr) - c, "`clean` is subtracted once too often"),
    (checks.residual_loss, lambda model, noisy, images: ..., "returns nothing yet"),
    (checks.residual_loss, lambda m, noisy, x: (m(noisy) - x).square().sum((1, 2, 3)), "subtract it"),
    (checks.residual_loss, lambda m, noisy, x: residual(lambda y: -m(y), noisy, x), "added"),
    (
        checks.residual_loss,
        lambda m, noisy, x: m(noisy).square().sum((1, 2, 3)),
        "You compared with the noisy picture. Like thi",
    ),
    (
        checks.residual_loss,
        lambda m, noisy, x: residual(lambda y: m(x), noisy, x),
        "The network has to find the noise in the nois",
    ),
    (checks.residual_loss, lambda m, noisy, x: residual(m, noisy, x) / 16, "0.0625 times"),
    (checks.residual_loss, lambda m, noisy, x: residual(m, noisy, x).sum(), "You took the sum over dimension 0"),
    (checks.residual_loss, lambda m, noisy, x: residual(m, noisy, x).mean(), "You took the mean over dimension 0"),
    (checks.residual_loss, lambda m, noisy, x: F.mse_loss(noisy - m(noisy), x), "returns the shape"),
    (checks.residual_loss, lambda m, noisy, x: (noisy - m(noisy) - x).abs().sum((1, 2, 3)), "Square the differences."),
]
