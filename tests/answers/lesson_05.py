"""Answers to the exercises of lesson 05: right ones, and typical mistakes with words of the message."""

import numpy as np
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


def hit(images, share, salt=0.5, places=None):
    there = torch.bernoulli(torch.zeros_like(images) + share) if places is None else places
    return torch.where(there.bool(), torch.bernoulli(torch.full_like(images, salt)), images)


def by_numpy(images, share):
    draw = torch.from_numpy(np.random.default_rng().random(images.shape)).to(images)
    return images.masked_fill(draw > 1 - share / 2, 1.0).masked_fill(draw < share / 2, 0.0)


def seeded(images, share):
    torch.manual_seed(0)
    return hit(images, share)


def everywhere_alike(images, share):
    return (torch.rand_like(images[:1]) < share).float().expand_as(images)


def one_colour_an_image(images, share):
    color = torch.arange(len(images)).reshape(-1, 1, 1, 1) % 2
    return torch.where(torch.rand_like(images) < share, color.float(), images)


def guess(seen, table, sigma):
    return torch.softmax(-(seen[:, None] - table).square().sum(2) / (2 * sigma**2), 1) @ table


def weights(seen, table, sigma, power=2, dim=1):
    return torch.softmax(-(torch.cdist(seen, table) ** power) / (2 * sigma**2), dim)


def guess_in_a_loop(seen, table, sigma):
    rows = []
    for point in seen:
        exponents = Normal(0, sigma).log_prob(point - table).sum(1)
        weights = (exponents - exponents.max()).exp()
        rows.append((weights[:, None] * table).sum(0) / weights.sum())
    return torch.stack(rows)


def naive_guess(seen, table, sigma):
    weights = torch.exp(-(torch.cdist(seen, table) ** 2) / (2 * sigma**2))
    return weights @ table / weights.sum(1, keepdim=True)


def rms(sounds):
    return sounds.norm(dim=1, keepdim=True) / sounds.shape[1] ** 0.5


def mix(clean, noise, snr):
    wanted = rms(clean) * 10 ** (-snr / 20)
    return clean + noise / rms(noise) * wanted


def residual(model, noisy, images):
    return F.mse_loss(noisy - model(noisy), images, reduction="none").sum((1, 2, 3))


RIGHT = [
    (checks.salt_and_pepper, hit),
    (checks.salt_and_pepper, by_numpy),
    (checks.window_ssim, ssim),
    (checks.window_ssim, lambda x, y: luminance(x, y) * structure(x, y)),
    (checks.best_guess, guess),
    (checks.best_guess, guess_in_a_loop),
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
    (checks.salt_and_pepper, lambda x, share: ..., "returns nothing yet"),
    (checks.salt_and_pepper, lambda x, share: x.copy_(hit(x, share)), "in place"),
    (checks.salt_and_pepper, lambda x, share: x.clone(), "Nothing was changed"),
    (checks.salt_and_pepper, lambda x, share: hit(x, share, places=torch.ones_like(x)), "keep their value"),
    (checks.salt_and_pepper, lambda x, share: hit(x, share, salt=0.0), "all became black"),
    (checks.salt_and_pepper, lambda x, share: hit(x, share, salt=1.0), "all became white"),
    (checks.salt_and_pepper, lambda x, share: hit(x, share / 2), "20% of the pixels were hit"),
    (checks.salt_and_pepper, lambda x, share: hit(x, share, salt=0.8), "became white; it should be half"),
    (checks.salt_and_pepper, lambda x, share: hit(x, 0.4), "hit alike"),
    (checks.salt_and_pepper, lambda x, share: x + share * torch.randn_like(x), "neither black nor white"),
    (checks.salt_and_pepper, seeded, "Two calls"),
    (checks.salt_and_pepper, lambda x, share: hit(x, share, places=everywhere_alike(x, share)), "same places"),
    (checks.salt_and_pepper, one_colour_an_image, "one colour"),
    (checks.best_guess, lambda s, t, sigma: ..., "returns nothing yet"),
    (checks.best_guess, lambda s, t, sigma: weights(s, t, sigma, power=1) @ t, "Square the distances"),
    (checks.best_guess, lambda s, t, sigma: weights(s, t, sigma, dim=0) @ t, "softmax along dim=1"),
    (checks.best_guess, lambda s, t, sigma: t[torch.cdist(s, t).argmin(1)], "nearest clean point"),
    (checks.best_guess, lambda s, t, sigma: guess(s, t, sigma / 2**0.5), "where is the 2"),
    (checks.best_guess, weights, "weights of the clean points"),
    (checks.best_guess, naive_guess, "nan"),
    (checks.best_guess, lambda s, t, sigma: guess(s, t, sigma**0.5), "the square root of `sigma`"),
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
