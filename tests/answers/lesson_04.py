"""Answers to the exercises of lesson 04: right ones, and typical mistakes with words of the message."""

import torch
from torch import nn

from vae_helpers import checks

conv2d = nn.functional.conv2d


def loop_layer(image, weight, bias, stride):
    """A convolutional layer without PyTorch's, and with none of the check's own code."""
    k = weight.shape[-1]
    rows = range(0, image.shape[1] - k + 1, stride)
    columns = range(0, image.shape[2] - k + 1, stride)
    return torch.stack(
        [
            torch.stack([(image[:, r : r + k, c : c + k] * kernels).sum() + b for r in rows for c in columns])
            for kernels, b in zip(weight, bias, strict=True)
        ]
    ).reshape(len(weight), len(rows), len(columns))


RIGHT = [
    (checks.convolution_size, lambda n, k, s, p: int((n - k + 2 * p) / s + 1)),
    (checks.convolution_layer, loop_layer),
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
    (checks.convolution_layer, lambda *arguments: ..., "returns nothing yet"),
    (checks.convolution_layer, lambda x, w, b, s: loop_layer(x, w.flip(2, 3), b, s), "`weight` were turned round"),
    (checks.convolution_layer, lambda x, w, b, s: loop_layer(x, w.transpose(2, 3), b, s), "`weight` were transposed"),
    (checks.convolution_layer, lambda x, w, b, s: loop_layer(x, w, b, 1), "returns the shape"),
    (checks.convolution_layer, lambda x, w, b, s: loop_layer(x, w, 0 * b, s), "`bias` were left out"),
    (
        checks.convolution_layer,
        lambda x, w, b, s: sum(loop_layer(x[i : i + 1], w[:, i : i + 1], b, s) for i in range(len(x))),
        "once per input channel",
    ),
    (checks.convolution_layer, lambda x, w, b, s: loop_layer(x / len(x), w, b, s), "averaged"),
    (checks.convolution_layer, lambda x, w, b, s: loop_layer(x[:1], w[:, :1], b, s), "first input channel only"),
    (checks.convolution_layer, lambda x, w, b, s: loop_layer(x, w, b, s)[0], "shape"),
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
