"""Checks for lesson 05: denoising autoencoders."""

import torch
from torch import Tensor, tensor

from vae_helpers.checks.verdict import (
    Complaint,
    Verdict,
    call,
    compare,
    draw,
    exercise,
    measured,
    numbers,
    otherwise,
    outputs,
    result,
    together,
)

__all__ = ["best_guess", "mix_at_snr", "residual_loss", "salt_and_pepper", "window_ssim"]


@exercise
def salt_and_pepper(answer) -> Verdict:
    """Check ``answer(images, share)``: images (N, 1, H, W) in which this share of the pixels became white or black.

    ``share`` is a number, or one per image, (N, 1, 1, 1). The noise is random, so the check looks at the statistics.
    """

    def solution(images: Tensor, share) -> Tensor:
        draw = torch.rand_like(images)
        return torch.where(draw < share, (draw < share / 2).float(), images)

    otherwise(solution)
    torch.manual_seed(0)
    images = 0.25 + 0.5 * torch.rand(4, 1, 60, 50)  # neither black nor white
    given = images.clone()
    first, second = (result(answer, call(answer, given, 0.4), images.shape) for _ in range(2))
    hit, white, black = ((f(first)).double() for f in (lambda x: x != images, lambda x: x == 1, lambda x: x == 0))
    shares = tensor([0.1, 0.3, 0.5, 0.9])
    each = result(answer, call(answer, images.clone(), shares.reshape(4, 1, 1, 1)), images.shape)
    hit_each = (each != images).double().mean((1, 2, 3))
    flaws = {
        "Your function changes `images` in place: later the clean ones are needed, so return a new tensor.": (
            not torch.equal(given, images)
        ),
        "Nothing was changed, although the share was 0.4.": not hit.any(),
        "Some of the pixels that you changed are neither black nor white.": (hit > white + black).any(),
        "All pixels became black or white: those that are not hit keep their value.": hit.all(),
        "Two calls hit the same pixels: draw anew in every call, unseeded.": torch.equal(first, second),
        "The pixels that are hit all became black: half of them should become white.": not white.any(),
        "The pixels that are hit all became white: half of them should become black.": not black.any(),
        "In each image all pixels that are hit have one colour: toss a coin for each pixel.": (
            (white.amax((1, 2, 3)) + black.amax((1, 2, 3)) < 2).all()
        ),
        "All images are hit in the same places: draw a number for each pixel of each image.": (
            torch.equal(hit[0], hit[1])
        ),
        f"With share = 0.4, {hit.mean():.0%} of the pixels were hit.": abs(hit.mean() - 0.4) > 0.03,
        f"Of the pixels that are hit, {white.sum() / hit.sum():.0%} became white; it should be half of them.": (
            abs(white.sum() / hit.sum() - 0.5) > 0.04
        ),
        "`share` may differ from image to image, (N, 1, 1, 1), but your images are hit alike.": (
            (hit_each - shares).abs().max() > 0.05
        ),
    }
    for words, found in flaws.items():
        if found:
            raise Complaint(words)
    return Verdict(True, "Right: random places, half white, half black, and new ones in every call.", answer)


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
    """Check ``answer(seen, table, sigma)``, (N, D) and (M, D): E[x | seen] if x is any row of the table, (N, D).

    The noise is Gaussian with the standard deviation sigma: seen = x + sigma · ε.
    """

    def guess(seen: Tensor, table: Tensor, sigma: float, power: int = 2, dim: int = 1) -> Tensor:
        return torch.softmax(-(torch.cdist(seen, table) ** power) / (2 * sigma**2), dim) @ table

    far = tensor([[30.0, -1.0], [0.5, 0.2]]), tensor([[0.0, 0.0], [1.0, 2.0], [-1.0, 3.0]]), 0.2
    return compare(
        answer,
        lambda seen, table, sigma: guess(seen, table, sigma),
        cases=[(tensor([[0.7]]), tensor([[0.0], [1.0], [0.0]]), 0.5), (*draw((5, 2), (7, 2)), 0.8), far],
        hints={
            "Square the distances: the bell curve has ‖x̃ − x‖² in its exponent.": (
                lambda seen, table, sigma: guess(seen, table, sigma, power=1)
            ),
            "Each noisy point has weights of its own, which add up to 1 over the table: softmax along dim=1.": (
                lambda seen, table, sigma: guess(seen, table, sigma, dim=0)
            ),
            "That is the nearest clean point. The squared error is smallest at the weighted mean of all.": (
                lambda seen, table, sigma: table[torch.cdist(seen, table).argmin(1)]
            ),
            "A bell curve is exp(−d² / 2σ²): where is the 2?": lambda seen, table, s: guess(seen, table, s / 2**0.5),
            "These are the weights of the clean points; the guess is the sum of weight times point.": (
                lambda seen, table, s: torch.softmax(-(torch.cdist(seen, table) ** 2) / (2 * s**2), 1)
            ),
        },
        praise="Right: the mean of all that could be, each with its probability.",
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
            (clean, noise * loudness, tensor([[3.0], [-2.0], [12.0]])),
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


@exercise(seconds=60)
def workshop(model) -> Verdict:
    """Check a denoiser: at most 15,000 weights, 25 dB at σ = 0.1 and 19 dB at σ = 0.5, on 300 held-out digits."""
    from vae_helpers.data import load_digits

    if not isinstance(model, torch.nn.Module):
        raise Complaint("Give the check your network itself, an nn.Module.")
    digits = load_digits("test")
    digits = digits.floats[torch.linspace(0, len(digits) - 1, 300).long()]
    [noise] = draw((300, 1, 28, 28))

    def reached(sigma: float, goal: float) -> Verdict:
        cleaned = numbers(outputs(model, digits + sigma * noise), "What your network returns", shape=digits.shape)
        decibels = -10 * (cleaned - digits).square().flatten(1).mean(1).log10().mean()
        return measured(decibels, what=f"At σ = {sigma} the PSNR", at_least=goal, unit="dB", praise="")

    weights, most = sum(p.numel() for p in model.parameters()), 15_000
    words = f"Your network has {weights:,} weights."
    if weights > most:
        words = f"{words[:-1]}; at most {most:,} are allowed. `for name, p in model.named_parameters()` lists them."
    return together(
        Verdict(weights <= most, words),
        reached(0.1, 25),
        reached(0.5, 19),
    )
