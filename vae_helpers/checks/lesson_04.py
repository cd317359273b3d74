"""Checks for lesson 04: the convolutional autoencoder."""

import torch
from torch import tensor
from torch.nn.functional import conv2d

from vae_helpers.checks.verdict import Complaint, Verdict, compare, draw, exercise, measured, numbers, outputs
from vae_helpers.data import load_digits

__all__ = ["convolution_parameters", "convolution_size", "convolve", "transposed_size"]


@exercise
def convolution_size(answer) -> Verdict:
    """Check ``answer(n, kernel, stride, padding)``, a convolution's output size: ⌊(n + 2p − k) / s⌋ + 1."""
    return compare(
        answer,
        lambda n, kernel, stride, padding: (n + 2 * padding - kernel) // stride + 1,
        cases=[(28, 3, 2, 1), (28, 5, 1, 2), (7, 4, 3, 0), (64, 4, 2, 3), (12, 3, 2, 0), (3, 3, 1, 0), (5, 3, 4, 1)],
        hints={
            "An image has padding on both sides, so it grows by twice the padding.": (
                lambda n, k, s, p: (n + p - k) // s + 1
            ),
            "You rounded up. A window that would stick out at the end is not computed.": (
                lambda n, k, s, p: -((k - n - 2 * p) // s) + 1
            ),
            "You count the steps, but not the place where the window starts.": lambda n, k, s, p: (n + 2 * p - k) // s,
        },
        praise="Right: pad both sides, slide, round down, and count the first place too.",
    )


@exercise
def convolve(answer) -> Verdict:
    """Check ``answer(image, kernel)``, (H, W) and (k, k): the convolution without padding, (H − k + 1, W − k + 1)."""

    def solution(image, kernel):
        return conv2d(image[None, None], kernel[None, None])[0, 0]

    return compare(
        answer,
        solution,
        cases=[
            (tensor([[1.0, 2, 0], [3, 0, 1]]), tensor([[1.0, 0], [2, -1]])),
            draw((8, 7), (3, 3)),
            draw((5, 6), (2, 2)),
            draw((3, 3), (3, 3)),
        ],
        hints={
            "There is one more place along each side: the first window counts too.": (
                lambda image, kernel: solution(image, kernel)[:-1, :-1]
            ),
            "You averaged over the window; a convolution adds up.": (
                lambda image, kernel: solution(image, kernel) / kernel.numel()
            ),
            "You added up the windows themselves: multiply each by the kernel first.": (
                lambda image, kernel: solution(image, torch.ones_like(kernel))
            ),
        },
        forbidden={"conv2d": "loops"},
        praise="Right: these are the numbers that PyTorch's convolution gives.",
    )


@exercise
def transposed_size(answer) -> Verdict:
    """Check ``answer(n, kernel, stride, padding, output_padding)``, a transposed convolution's output size.

    It is (n − 1)·s − 2p + k + output_padding.
    """
    return compare(
        answer,
        lambda n, kernel, stride, padding, output_padding: (n - 1) * stride - 2 * padding + kernel + output_padding,
        cases=[(7, 3, 2, 1, 1), (14, 5, 2, 0, 0), (5, 4, 3, 1, 2), (9, 3, 1, 0, 0), (1, 2, 2, 0, 1)],
        hints={
            "That is the formula of the convolution; this layer goes the other way.": (
                lambda n, k, s, p, extra: (n + 2 * p - k) // s + 1
            ),
            "With n stamps, how many gaps are between them?": lambda n, k, s, p, extra: n * s - 2 * p + k + extra,
        },
        praise="Right: the gaps between the stamps, plus one whole stamp, minus what is cut off, plus the extra.",
    )


@exercise
def convolution_parameters(answer) -> Verdict:
    """Check ``answer(channels_in, channels_out, kernel, height, width)``: a layer's number of parameters.

    It is D·(C·k² + 1) for C input and D output channels, whatever the size of the images.
    """
    return compare(
        answer,
        lambda channels_in, channels_out, kernel, height, width: channels_out * (channels_in * kernel**2 + 1),
        cases=[(1, 16, 3, 28, 28), (16, 32, 5, 14, 12), (3, 1, 1, 7, 9), (3, 4, 2, 6, 5)],
        hints={
            "You forgot the biases: one for each output channel.": lambda c, d, k, h, w: d * c * k**2,
            "The same kernel is used at every place, so the size of the image does not count: that is the point.": (
                lambda c, d, k, h, w: d * (c * k**2 + 1) * h * w
            ),
            "That is a dense layer from one image to another.": lambda c, d, k, h, w: (c * h * w + 1) * d * h * w,
            "Each pair of an input and an output channel has its own kernel.": lambda c, d, k, h, w: d * (k**2 + 1),
        },
        praise="Right: and the size of the image does not matter.",
    )


@exercise(seconds=60)
def workshop(model, rival) -> Verdict:
    """Check an autoencoder with ``encode``: half of the rival's weights, 16 code numbers, and no larger test error."""
    images = load_digits("test").subset(slice(0, 500)).floats
    code = numbers(outputs(model.encode, images[:2]), "The code").flatten(1)
    if code.shape[1] > 16:
        raise Complaint(f"The code of a digit may have 16 numbers, but yours has {code.shape[1]}.")
    weights, limit = (sum(p.numel() for p in m.parameters()) for m in (model, rival))
    if 2 * weights > limit:
        raise Complaint(
            f"Your network has {weights:,} weights, and half of the given one's are {limit // 2:,}. Where do most of "
            "them sit: in the kernels, or in the dense layers around the code?"
        )
    error, goal = (
        (numbers(outputs(m, images), "What the network returns", images.shape) - images)
        .square()
        .flatten(1)
        .sum(1)
        .mean()
        for m in (model, rival)
    )
    return measured(
        error,
        what=f"With {weights:,} weights, the squared error per test image",
        at_most=goal.item(),
        praise="Half of the weights, and no worse.",
        hint="Could the dense layers see fewer numbers? And a small network may train longer.",
    )
