"""Checks for lesson 04: the convolutional autoencoder."""

import torch
from torch import tensor
from torch.nn.functional import conv2d

from vae_helpers.checks.verdict import Verdict, compare, exercise

__all__ = ["convolution_layer", "convolution_parameters", "convolution_size", "transposed_size"]


@exercise
def convolution_size(answer) -> Verdict:
    """Check ``answer(n, kernel, stride, padding)``, a convolution's output size: ⌊(n + 2p − k) / s⌋ + 1."""
    return compare(
        answer,
        lambda n, kernel, stride, padding: (n + 2 * padding - kernel) // stride + 1,
        cases=[(28, 3, 2, 1), (28, 5, 1, 2), (7, 4, 3, 0), (64, 4, 2, 3), (12, 3, 2, 0), (3, 3, 1, 0), (5, 3, 4, 1)],
        hints={
            "You pad one side only: an image has padding on both sides, so it grows by twice the padding.": (
                lambda n, kernel, stride, padding: (n + padding - kernel) // stride + 1
            ),
            "You rounded up. A window that would stick out at the end is not computed, so round down.": (
                lambda n, kernel, stride, padding: -((kernel - n - 2 * padding) // stride) + 1
            ),
            "You count the steps of the window, but not the place where it starts. Is there a + 1?": (
                lambda n, kernel, stride, padding: (n + 2 * padding - kernel) // stride
            ),
        },
        praise="Right: pad both sides, slide, round down, and count the first place too.",
    )


@exercise
def convolution_layer(answer) -> Verdict:
    """Check ``answer(image, weight, bias, stride)``: a convolutional layer without padding.

    With an image (C, H, W), a weight (D, C, k, k) and a bias (D,), the layer gives (D, H′, W′).
    """
    generator = torch.Generator().manual_seed(4)

    def case(channels_in: int, channels_out: int, height: int, width: int, kernel: int, stride: int) -> tuple:
        shapes = (channels_in, height, width), (channels_out, channels_in, kernel, kernel), (channels_out,)
        return *(torch.randn(shape, generator=generator) for shape in shapes), stride

    small = tensor([[[1.0, 2, 0, 1], [3, 0, 1, 2]]]), tensor([[[[1.0, 0], [2, -1]]]]), tensor([0.5]), 1
    return compare(
        answer,
        conv2d_named,
        cases=[case(2, 3, 8, 7, 3, 2), case(3, 2, 5, 6, 2, 1), case(1, 2, 3, 3, 3, 1), small],
        hints={
            "You added the bias once per input channel; it is added once per output channel.": (
                lambda image, weight, bias, stride: conv2d(image, weight, len(image) * bias, stride)
            ),
            "You averaged over the input channels; a layer adds them up.": (
                lambda image, weight, bias, stride: conv2d(image, weight / len(image), bias, stride)
            ),
            "You used the first input channel only: every output channel listens to all input channels.": (
                lambda image, weight, bias, stride: conv2d(image[:1], weight[:, :1], bias, stride)
            ),
        },
        forbidden={"conv2d": "loops or the functions above"},
        praise="Right: these are the numbers that PyTorch's layer gives.",
    )


def conv2d_named(image, weight, bias, stride):
    """PyTorch's layer under the names of the exercise; a builtin has no signature."""
    return conv2d(image, weight, bias, stride)


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
            "You used the formula of the convolution; this layer goes the other way.": (
                lambda n, kernel, stride, padding, extra: (n + 2 * padding - kernel) // stride + 1
            ),
            "You crop one side only: padding is cut off on both sides.": (
                lambda n, kernel, stride, padding, extra: (n - 1) * stride - padding + kernel + extra
            ),
            "You count n gaps between the stamps. With n stamps, how many gaps are between them?": (
                lambda n, kernel, stride, padding, extra: n * stride - 2 * padding + kernel + extra
            ),
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
            "You forgot the biases: one for each output channel.": lambda c, d, k, height, width: d * c * k * k,
            "You multiplied by the size of the image. The same kernel is used at every place: that is the point.": (
                lambda c, d, k, height, width: d * (c * k * k + 1) * height * width
            ),
            "That is a dense layer from one image to another, not a convolution.": (
                lambda c, d, k, height, width: (c * height * width + 1) * d * height * width
            ),
            "You have one kernel for all input channels; each pair of an input and an output channel has its own.": (
                lambda c, d, k, height, width: d * (k * k + 1)
            ),
        },
        praise="Right: and the size of the image does not matter.",
    )
