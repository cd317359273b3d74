"""Answers to the exercises of lesson 04: right ones, and typical mistakes with words of the message."""

import torch
from torch import nn

from vae_helpers import checks


def loops(image, kernel):
    """A convolution with none of the check's own code."""
    k = len(kernel)
    rows, columns = range(image.shape[0] - k + 1), range(image.shape[1] - k + 1)
    return torch.stack([torch.stack([(image[i : i + k, j : j + k] * kernel).sum() for j in columns]) for i in rows])


RIGHT = [
    (checks.convolution_size, lambda n, k, s, p: int((n - k + 2 * p) / s + 1)),
    (checks.convolve, loops),
    (checks.transposed_size, lambda n, k, s, p, extra: s * (n - 1) + k + extra - 2 * p),
    (checks.convolution_parameters, lambda c, d, k, height, width: d * c * k**2 + d),
]

WRONG = [
    (checks.convolution_size, lambda *arguments: ..., "returns nothing yet"),
    (checks.convolution_size, lambda n, k, s, p: (n + p - k) // s + 1, "An image has padding on both sides, so it gro"),
    (checks.convolution_size, lambda n, k, s, p: (n - k) // s + 1, "`padding` were left out"),
    (checks.convolution_size, lambda n, k, s, p: -(-(n + 2 * p - k) // s) + 1, "rounded up"),
    (checks.convolution_size, lambda n, k, s, p: (n + 2 * p - k) / s + 1, "return a whole number"),
    (checks.convolution_size, lambda n, k, s, p: (n + 2 * p - k) // s, "You count the steps, but not the place where"),
    (checks.convolution_size, lambda n, k, s, p: n + 2 * p - k + 1, "stride"),
    (checks.convolution_size, lambda n, k, s, p: n, "`n` comes back as it was given"),
    (checks.convolve, lambda *arguments: ..., "returns nothing yet"),
    (checks.convolve, lambda x, w: loops(x, w.flip(0, 1)), "turned round"),
    (checks.convolve, lambda x, w: loops(x, w.T), "transposed"),
    (checks.convolve, lambda x, w: loops(x, w)[:-1, :-1], "one more place"),
    (checks.convolve, lambda x, w: loops(x, w) / w.numel(), "averaged"),
    (checks.convolve, lambda x, w: loops(x, torch.ones_like(w)), "multiply"),
    (checks.convolve, lambda x, w: nn.functional.conv2d(x[None, None], w[None, None])[0, 0], "uses conv2d"),
    (checks.convolve, lambda x, w: nn.functional.conv2d(x[None, None], w[None, None], padding=1)[0, 0], "uses conv2d"),
    (checks.transposed_size, lambda *arguments: ..., "returns nothing yet"),
    (checks.transposed_size, lambda n, k, s, p, extra: (n + 2 * p - k) // s + 1, "other way"),
    (
        checks.transposed_size,
        lambda n, k, s, p, extra: (n - 1) * s - 2 * p + k,
        "`output_padding` is subtracted once too often",
    ),
    (
        checks.transposed_size,
        lambda n, k, s, p, extra: (n - 1) * s - 2 * p + k + 2 * extra,
        "`output_padding` is added once too often",
    ),
    (
        checks.transposed_size,
        lambda n, k, s, p, extra: (n - 1) * s - p + k + extra,
        "`padding` is added once too often",
    ),
    (
        checks.transposed_size,
        lambda n, k, s, p, extra: (n - 1) * s + 2 * p + k + extra,
        "the sign of `padding` were flipped",
    ),
    (checks.transposed_size, lambda n, k, s, p, extra: n * s - 2 * p + k + extra, "gaps"),
    (checks.transposed_size, lambda n, k, s, p, extra: (n - 1) * s - 2 * p + k + extra + 1, "too large by 1"),
    (checks.convolution_parameters, lambda *arguments: ..., "returns nothing yet"),
    (checks.convolution_parameters, lambda c, d, k, h, w: d * c * k * k, "forgot the biases"),
    (checks.convolution_parameters, lambda c, d, k, h, w: d * (c * k * k + 1) * h * w, "size of the image"),
    (checks.convolution_parameters, lambda c, d, k, h, w: d * c * k * k * h * w + d, "returned"),
    (checks.convolution_parameters, lambda c, d, k, h, w: (c * h * w + 1) * d * h * w, "dense layer"),
    (checks.convolution_parameters, lambda c, d, k, h, w: d * c * (k * k + 1), "returned"),
    (
        checks.convolution_parameters,
        lambda c, d, k, h, w: d * (k * k + 1),
        "Each pair of an input and an output channel h",
    ),
    (checks.convolution_parameters, lambda c, d, k, h, w: d * (c * k + 1), "the square root of `kernel` were taken"),
]
