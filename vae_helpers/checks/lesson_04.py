"""Checks for lesson 04: the convolutional autoencoder."""

from torch import tensor
from torch.nn.functional import conv2d

from vae_helpers.checks.verdict import Verdict, compare, draw, exercise

__all__ = ["convolution_layer", "convolution_parameters", "convolution_size", "transposed_size"]


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
def convolution_layer(answer) -> Verdict:
    """Check ``answer(image, weight, bias, stride)``: a convolutional layer without padding.

    With an image (C, H, W), a weight (D, C, k, k) and a bias (D,), the layer gives (D, H′, W′).
    """
    return compare(
        answer,
        lambda image, weight, bias, stride: conv2d(image, weight, bias, stride),
        cases=[
            (*draw((2, 8, 7), (3, 2, 3, 3), (3,)), 2),
            (*draw((3, 5, 6), (2, 3, 2, 2), (2,)), 1),
            (*draw((1, 3, 3), (2, 1, 3, 3), (2,)), 2),
            (tensor([[[1.0, 2, 0, 1], [3, 0, 1, 2]]]), tensor([[[[1.0, 0], [2, -1]]]]), tensor([0.5]), 1),
        ],
        hints={
            "The bias is added once per output channel, not once per input channel.": (
                lambda image, weight, bias, stride: conv2d(image, weight, len(image) * bias, stride)
            ),
            "You averaged over the input channels; a layer adds them up.": (
                lambda image, weight, bias, stride: conv2d(image, weight / len(image), bias, stride)
            ),
            "You used the first input channel only: every output channel listens to all of them.": (
                lambda image, weight, bias, stride: conv2d(image[:1], weight[:, :1], bias, stride)
            ),
        },
        forbidden={"conv2d": "loops or the functions above"},
        praise="Right: these are the numbers that PyTorch's layer gives.",
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
