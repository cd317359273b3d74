"""Checks for lessons 01 to 04: from a neuron to the convolutional autoencoder."""

import itertools

import torch
from torch import Tensor, nn

from vae_helpers.checks.verdict import Verdict, compare

# --- Lesson 01 ------------------------------------------------------------------------------------------------


def neuron(answer) -> Verdict:
    """Check a neuron, ``answer(x, w, beta)`` with x (n,) and w (n,): 1 / (1 + exp(-beta · Σ xᵢwᵢ))."""

    def solution(x: Tensor, w: Tensor, beta: float) -> Tensor:
        return 1 / (1 + torch.exp(-beta * (x * w).sum()))

    return compare(
        answer,
        solution,
        cases=[
            (torch.tensor([1.0, 2.0]), torch.tensor([0.5, -1.0]), 1.0),
            (torch.tensor([1.0, -2.0, 0.3]), torch.tensor([0.5, 0.25, 2.0]), 3.0),
        ],
        mistakes={
            "Your neuron falls where it should rise: is the sign in the exponent flipped?": (
                lambda x, w, beta: 1 / (1 + torch.exp(beta * (x * w).sum()))
            ),
            "Your neuron ignores β: multiply the sum by beta before you take the exponential.": (
                lambda x, w, beta: 1 / (1 + torch.exp(-(x * w).sum()))
            ),
            "You multiplied φ by β; β belongs inside the exponential.": (
                lambda x, w, beta: beta / (1 + torch.exp(-(x * w).sum()))
            ),
            "You return one number per input; a neuron adds its weighted inputs up first.": (
                lambda x, w, beta: 1 / (1 + torch.exp(-beta * x * w))
            ),
            "You averaged the weighted inputs; a neuron adds them up.": (
                lambda x, w, beta: 1 / (1 + torch.exp(-beta * (x * w).mean()))
            ),
            "You return the weighted sum itself: send it through φ.": lambda x, w, beta: beta * (x * w).sum(),
        },
        praise="Right: your neuron weighs, adds and squashes.",
    )


def and_neuron(answer: Tensor) -> Verdict:
    """Check weights (3,), two inputs and a bias, that make a neuron with β = 1 compute "and"."""
    try:
        weights = torch.as_tensor(answer, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError):
        return Verdict(False, f"Give the weights as a tensor of three numbers, not as a {type(answer).__name__}.")
    if weights.shape != (3,):
        return Verdict(False, f"Give three weights, two for the inputs and the bias; you gave {weights.numel()}.")
    if not weights.any():
        return Verdict(False, "All weights are still 0, so the neuron always says 0.5: write your numbers there.")
    inputs = torch.tensor([[0.0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    none, second, first, both = torch.sigmoid(inputs @ weights).tolist()
    if none < 0.1 and first < 0.1 and second < 0.1 and both > 0.9:
        return Verdict(True, "Right: the switch lies between one input and two.")
    if none > 0.9 and first > 0.9 and second > 0.9 and both < 0.1:
        return Verdict(False, "Your neuron says the opposite, 'not both': are all signs flipped?")
    if none < 0.1 and first > 0.9 and second > 0.9 and both > 0.9:
        return Verdict(False, "Your neuron says 'or': one input is enough for it. Make the bias more negative.")
    if weights[2] >= 0:
        return Verdict(False, "Without excitement the neuron should be quiet, so the bias must be below zero.")
    if both < 0.5:
        return Verdict(
            False, f"With both inputs on, your neuron only reaches {both:.2f}: let the inputs outweigh the bias."
        )
    if max(none, first, second) < 0.5:
        return Verdict(
            False, "The switch is at the right place, but too gentle: what does making all weights larger do?"
        )
    return Verdict(False, "One input alone is enough to wake your neuron: make the bias more negative.")


def neuron_gradient(answer) -> Verdict:
    """Check the slopes (n,) of (o - t)² for a neuron with β = 1, ``answer(x, w, t)``."""

    def output(x: Tensor, w: Tensor) -> Tensor:
        return torch.sigmoid((x * w).sum())

    def solution(x: Tensor, w: Tensor, t: float) -> Tensor:
        o = output(x, w)
        return 2 * (o - t) * o * (1 - o) * x

    return compare(
        answer,
        solution,
        cases=[
            (torch.tensor([1.0, 2.0]), torch.tensor([0.5, -1.0]), 1.0),
            (torch.tensor([3.0, -1.0, 0.5]), torch.tensor([0.2, 0.4, 1.0]), 0.0),
        ],
        mistakes={
            "The sign is flipped: it is (o − t), output minus target. As it is, the walker would climb.": (
                lambda x, w, t: -solution(x, w, t)
            ),
            "The factor 2 is missing, which comes from the square.": lambda x, w, t: solution(x, w, t) / 2,
            "The slope of φ is missing: multiply by o(1 − o).": lambda x, w, t: 2 * (output(x, w) - t) * x,
            "The input is missing: multiply by x, so that every weight gets its own slope.": (
                lambda x, w, t: 2 * (output(x, w) - t) * output(x, w) * (1 - output(x, w))
            ),
            "You multiplied by the weights; the slope with respect to w is proportional to x.": (
                lambda x, w, t: 2 * (output(x, w) - t) * output(x, w) * (1 - output(x, w)) * w
            ),
            "You used the weighted sum as the output: send it through φ first.": (
                lambda x, w, t: 2 * ((x * w).sum() - t) * (x * w).sum() * (1 - (x * w).sum()) * x
            ),
        },
        praise="Right: how wrong, times how undecided, times how strong this input was.",
    )


# --- Lesson 02 ------------------------------------------------------------------------------------------------


def pca_reconstruction(answer) -> Verdict:
    """Check ``answer(images, mean, components)``: images (N, D) through k components (k, D) and back, (N, D)."""

    def solution(images: Tensor, mean: Tensor, components: Tensor) -> Tensor:
        return mean + (images - mean) @ components.T @ components

    generator = torch.Generator().manual_seed(0)
    cases = []
    for count, size, k in ((5, 4, 2), (3, 6, 1)):
        directions, _ = torch.linalg.qr(torch.randn(size, k, generator=generator))
        images, mean = torch.rand(count, size, generator=generator), torch.rand(size, generator=generator)
        cases.append((images, mean, directions.T.contiguous()))
    return compare(
        answer,
        solution,
        cases,
        mistakes={
            "You forgot to add the mean back: your pictures stay centred at zero.": (
                lambda x, mean, c: (x - mean) @ c.T @ c
            ),
            "You forgot to subtract the mean before you compute the code.": lambda x, mean, c: mean + x @ c.T @ c,
            "The mean is missing altogether: subtract it first and add it back at the end.": (
                lambda x, mean, c: x @ c.T @ c
            ),
            "You subtracted the mean of the images you were given; use the argument `mean`.": (
                lambda x, mean, c: x.mean(0) + (x - x.mean(0)) @ c.T @ c
            ),
            "You return the codes, k numbers per picture. Now go back from the codes to pictures.": (
                lambda x, mean, c: (x - mean) @ c.T
            ),
            "You return the codes and did not centre the pictures. Subtract the mean, and go back to pictures.": (
                lambda x, mean, c: x @ c.T
            ),
            "You return the error, what the components cannot express; return what they can.": (
                lambda x, mean, c: x - mean - (x - mean) @ c.T @ c
            ),
            "The sign of the mean is flipped at the end: add it back.": (
                lambda x, mean, c: (x - mean) @ c.T @ c - mean
            ),
            "You return the pictures as they came: send them through the components.": lambda x, mean, c: x,
        },
        praise="Right: centre, project, and back again.",
    )


def components_needed(answer) -> Verdict:
    """Check ``answer(variances, share)``: how many of the largest variances (D,) make up at least this share."""

    def count(shares: Tensor, share: float) -> int:
        return int((shares < share).sum())

    def solution(variances: Tensor, share: float) -> int:
        return count(variances.cumsum(0) / variances.sum(), share) + 1

    return compare(
        answer,
        solution,
        cases=[
            (torch.tensor([5.0, 3.0, 2.0, 1.5, 1.0, 0.5]), 0.7),
            (torch.tensor([8.0, 4.0, 2.0, 1.0, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1]), 0.9),
            (torch.tensor([2.0, 1.9, 1.8, 1.7, 1.6, 1.5, 1.4, 1.3]), 0.6),
            (torch.tensor([30.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 1.0]), 0.12),
        ],
        mistakes={
            "One too few: Python counts positions from 0, but you are asked for a number of components.": (
                lambda v, share: solution(v, share) - 1
            ),
            "One too many: the last component is not needed, the share is reached without it.": (
                lambda v, share: solution(v, share) + 1
            ),
            "You squared the variances; they are squares already.": lambda v, share: solution(v.square(), share),
            "You took the square roots; shares are of the variances, not of the standard deviations.": (
                lambda v, share: solution(v.sqrt(), share)
            ),
            "That many components would be enough to *lose* this share. Which share must be kept?": (
                lambda v, share: solution(v, 1 - share)
            ),
            "You add up variances, but never divide by their total.": (
                lambda v, share: min(count(v.cumsum(0), share) + 1, len(v))
            ),
            "You started with the smallest variances; the components come with the largest first.": (
                lambda v, share: solution(v.flip(0), share)
            ),
            "That many components have at least this share each. Add their shares up.": (
                lambda v, share: int((v / v.sum() >= share).sum())
            ),
            "That is a share of all components. How many make up this share of the variance?": (
                lambda v, share: round(share * len(v))
            ),
            "You return the share that is kept; return the number of components.": (
                lambda v, share: (v.cumsum(0) / v.sum())[solution(v, share) - 1]
            ),
        },
        praise="Right: that many components, and not one more.",
    )


def ppca_draw(answer) -> Verdict:
    """Check ``answer(z, noise, mean, components, variances, sigma2)``: draws (N, D) of probabilistic PCA.

    z is (N, k) and noise is (N, D), both standard normal; components is (k, D), variances is (k,).
    """

    def draw(z, noise, mean, components, strengths, sigma):
        return mean + (z * strengths) @ components + sigma * noise

    def solution(z, noise, mean, components, variances, sigma2):
        return draw(z, noise, mean, components, (variances - sigma2).sqrt(), sigma2**0.5)

    generator = torch.Generator().manual_seed(0)
    cases = []
    for count, size, variances, sigma2 in ((4, 5, [3.0, 1.2], 0.3), (3, 6, [2.0, 1.5, 0.8], 0.09)):
        directions, _ = torch.linalg.qr(torch.randn(size, len(variances), generator=generator))
        z, noise = (torch.randn(count, n, generator=generator) for n in (len(variances), size))
        mean = torch.rand(size, generator=generator)
        cases.append((z, noise, mean, directions.T.contiguous(), torch.tensor(variances), sigma2))
    return compare(
        answer,
        solution,
        cases,
        mistakes={
            "You scale the noise with σ²; a spread is the square root of a variance.": (
                lambda z, e, mean, c, v, s2: draw(z, e, mean, c, (v - s2).sqrt(), s2)
            ),
            "You scale z with λ − σ²; a spread is the square root of a variance.": (
                lambda z, e, mean, c, v, s2: draw(z, e, mean, c, v - s2, s2**0.5)
            ),
            "Both scales lack their square root: a spread is the square root of a variance.": (
                lambda z, e, mean, c, v, s2: draw(z, e, mean, c, v - s2, s2)
            ),
            "Your draws vary too much along the components: the noise supplies σ² of each λ already.": (
                lambda z, e, mean, c, v, s2: draw(z, e, mean, c, v.sqrt(), s2**0.5)
            ),
            "You forgot to add the mean.": (
                lambda z, e, mean, c, v, s2: draw(z, e, 0 * mean, c, (v - s2).sqrt(), s2**0.5)
            ),
            "The noise is missing: your draws lie exactly on the flat.": (
                lambda z, e, mean, c, v, s2: draw(z, e, mean, c, (v - s2).sqrt(), 0.0)
            ),
            "You forgot to scale z: each component has its own spread.": (
                lambda z, e, mean, c, v, s2: draw(z, e, mean, c, torch.ones_like(v), s2**0.5)
            ),
            "You forgot to scale the noise with σ.": (
                lambda z, e, mean, c, v, s2: draw(z, e, mean, c, (v - s2).sqrt(), 1.0)
            ),
        },
        praise="Right: that is a draw from probabilistic PCA.",
    )


# --- Lesson 03 ------------------------------------------------------------------------------------------------


def dense_parameters(answer) -> Verdict:
    """Check ``answer(widths)``: weights and biases of an autoencoder whose encoder has these widths, a tuple."""

    def encoder(widths: tuple) -> int:
        return sum((a + 1) * b for a, b in itertools.pairwise(widths))

    def decoder(widths: tuple) -> int:
        return encoder(widths[::-1])

    def weights(widths: tuple) -> int:
        return sum(a * b for a, b in itertools.pairwise(widths))

    return compare(
        answer,
        lambda widths: encoder(widths) + decoder(widths),
        cases=[((784, 256, 128, 2),), ((6, 5, 3),), ((10, 4),)],
        mistakes={
            "You forgot the biases: each neuron of a layer has one.": lambda widths: 2 * weights(widths),
            "That is the encoder alone. The decoder has parameters, too.": encoder,
            "That is the decoder alone. The encoder has parameters, too.": decoder,
            "That is the encoder alone, and without its biases.": weights,
            "You counted the encoder twice. The decoder has as many weights, but not as many biases.": (
                lambda widths: 2 * encoder(widths)
            ),
            "You gave each layer one bias; each *neuron* of a layer has its own.": (
                lambda widths: 2 * (weights(widths) + len(widths) - 1)
            ),
            "You gave biases to the input, too; it is not a layer of neurons, it only holds the pixels.": (
                lambda widths: encoder(widths) + decoder(widths) + widths[0]
            ),
            "You added the widths up: that counts neurons, not the connections between them.": (
                lambda widths: 2 * sum(widths)
            ),
        },
        praise="Right: a weight for each connection and a bias for each neuron, there and back.",
    )


def squared_error(answer) -> Verdict:
    """Check ``answer(reconstruction, images)``: squared error of each image, summed over its pixels, (N,)."""

    def over_pixels(values: Tensor) -> Tensor:
        return values.flatten(1).sum(1)

    generator = torch.Generator().manual_seed(0)
    return compare(
        answer,
        lambda r, x: over_pixels((r - x).square()),
        cases=[tuple(torch.rand(2, *shape, generator=generator)) for shape in ((4, 1, 5, 6), (3, 2, 4, 4))],
        mistakes={
            "You took the mean over the pixels; sum over them. (The course always does.)": (
                lambda r, x: (r - x).square().flatten(1).mean(1)
            ),
            "You return one number for the whole batch, the mean of everything. Keep one number per image.": (
                lambda r, x: (r - x).square().mean()
            ),
            "You summed over the batch, too. Keep one number per image.": lambda r, x: (r - x).square().sum(),
            "You averaged over the batch already. Keep one number per image; `fit` averages.": (
                lambda r, x: over_pixels((r - x).square()).mean()
            ),
            "You summed over the images, and kept the pixels. It is the other way round.": (
                lambda r, x: (r - x).square().sum(0)
            ),
            "You forgot the square: what is too bright cancels what is too dark.": lambda r, x: over_pixels(r - x),
            "You forgot the square, and took the other sign: what is too bright cancels what is too dark.": (
                lambda r, x: over_pixels(x - r)
            ),
            "You took absolute differences; take squares.": lambda r, x: over_pixels((r - x).abs()),
            "You squared after you had summed. Square each pixel's difference first.": (
                lambda r, x: over_pixels(r - x).square()
            ),
            "You took a square root at the end, which gives a distance. Leave it out.": (
                lambda r, x: over_pixels((r - x).square()).sqrt()
            ),
            "You halved the sum. Some books do; this course does not.": lambda r, x: over_pixels((r - x).square()) / 2,
            "You summed over height and width, but not over the channels.": lambda r, x: (r - x).square().sum((2, 3)),
        },
        praise="Right: square each difference, and sum over all pixels of an image.",
    )


def correlated_codes(answer) -> Verdict:
    """Check ``answer(mean, covariance, eps)``: draws (n, d) from N(mean, covariance), as mean + L·eps, L·Lᵀ = Σ.

    mean is (d,), covariance is (d, d), and eps (n, d) holds standard normal numbers; L is Cholesky's factor.
    """
    root = torch.linalg.cholesky

    generator = torch.Generator().manual_seed(0)
    cases = []
    for count, size in ((5, 3), (4, 2)):
        # With positive numbers only, the root of each entry exists, so that this mistake can be told.
        factor = 0.2 + torch.rand(size, size, generator=generator)
        covariance = factor @ factor.T + 0.1 * torch.eye(size)
        cases.append(
            (torch.randn(size, generator=generator), covariance, torch.randn(count, size, generator=generator))
        )
    return compare(
        answer,
        lambda mean, cov, eps: mean + eps @ root(cov).T,
        cases,
        mistakes={
            "Almost: L and its transpose are swapped. Each *row* of eps is one draw. Which product mixes it rightly?": (
                lambda mean, cov, eps: mean + eps @ root(cov)
            ),
            "You used only the spread of each number, as the lesson did. Where do the covariances come in?": (
                lambda mean, cov, eps: mean + eps * cov.diag().sqrt()
            ),
            "You used only the variance of each number. Where do the covariances come in?": (
                lambda mean, cov, eps: mean + eps * cov.diag()
            ),
            "You multiplied with the covariance itself. A spread is a root of it: use L.": (
                lambda mean, cov, eps: mean + eps @ cov
            ),
            "You took the root of each entry. The root of a matrix is another thing: use torch.linalg.cholesky.": (
                lambda mean, cov, eps: mean + eps @ cov.sqrt()
            ),
            "You used only the diagonal of L: the numbers must be mixed, too. What does eps @ … do?": (
                lambda mean, cov, eps: mean + eps * root(cov).diag()
            ),
            "The mean is missing.": lambda mean, cov, eps: eps @ root(cov).T,
            "The sign of the mean is flipped.": lambda mean, cov, eps: eps @ root(cov).T - mean,
            "You only shifted eps by the mean; it needs the data's spreads, too.": lambda mean, cov, eps: mean + eps,
        },
        praise="Right: stretch and mix with L, then shift by the mean.",
    )


# --- Lesson 04 ------------------------------------------------------------------------------------------------


def convolution_size(answer) -> Verdict:
    """Check ``answer(n, kernel, stride, padding)``, a convolution's output size: ⌊(n + 2p − k) / s⌋ + 1."""
    return compare(
        answer,
        lambda n, kernel, stride, padding: (n + 2 * padding - kernel) // stride + 1,
        cases=[(28, 3, 2, 1), (28, 5, 1, 2), (7, 4, 3, 0), (64, 4, 2, 3)],
        mistakes={
            "You pad one side only: an image has padding on both sides, so it grows by twice the padding.": (
                lambda n, kernel, stride, padding: (n + padding - kernel) // stride + 1
            ),
            "You leave the padding out: it makes the image larger before the kernel slides over it.": (
                lambda n, kernel, stride, padding: (n - kernel) // stride + 1
            ),
            "You rounded up. A window that would stick out at the end is not computed, so round down.": (
                lambda n, kernel, stride, padding: -((kernel - n - 2 * padding) // stride) + 1
            ),
            "You did not round: a size is a whole number, so round the quotient down, with //.": (
                lambda n, kernel, stride, padding: (n + 2 * padding - kernel) / stride + 1
            ),
            "You count the steps of the window, but not the place where it starts. Is there a + 1?": (
                lambda n, kernel, stride, padding: (n + 2 * padding - kernel) // stride
            ),
            "Your size does not depend on the stride: a window with stride s stops at every s-th place only.": (
                lambda n, kernel, stride, padding: n + 2 * padding - kernel + 1
            ),
        },
        praise="Right: pad both sides, slide, round down, and count the first place too.",
    )


def convolution_layer(answer) -> Verdict:
    """Check ``answer(image, weight, bias, stride)``: a convolutional layer without padding.

    With an image (C, H, W), a weight (D, C, k, k) and a bias (D,), the layer gives (D, H′, W′).
    """
    conv2d = nn.functional.conv2d
    generator = torch.Generator().manual_seed(4)

    def case(channels_in: int, channels_out: int, height: int, width: int, kernel: int, stride: int) -> tuple:
        shapes = (channels_in, height, width), (channels_out, channels_in, kernel, kernel), (channels_out,)
        return *(torch.randn(shape, generator=generator) for shape in shapes), stride

    return compare(
        answer,
        lambda image, weight, bias, stride: conv2d(image, weight, bias, stride),
        cases=[case(2, 3, 8, 7, 3, 2), case(3, 2, 5, 6, 2, 1)],
        mistakes={
            "You flipped the kernel. Mathematicians do that when they convolve; a convolutional layer does not.": (
                lambda image, weight, bias, stride: conv2d(image, weight.flip(2, 3), bias, stride)
            ),
            "You swapped the kernel's rows and columns.": (
                lambda image, weight, bias, stride: conv2d(image, weight.mT, bias, stride)
            ),
            "You ignore the stride: the window should move by `stride` pixels at a time.": (
                lambda image, weight, bias, stride: conv2d(image, weight, bias)
            ),
            "You forgot the bias: each output channel adds its own number.": (
                lambda image, weight, bias, stride: conv2d(image, weight, None, stride)
            ),
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
        praise="Right: these are the numbers that PyTorch's layer gives.",
    )


def transposed_size(answer) -> Verdict:
    """Check ``answer(n, kernel, stride, padding, output_padding)``, a transposed convolution's output size.

    It is (n − 1)·s − 2p + k + output_padding.
    """
    return compare(
        answer,
        lambda n, kernel, stride, padding, extra: (n - 1) * stride - 2 * padding + kernel + extra,
        cases=[(7, 3, 2, 1, 1), (14, 5, 2, 0, 0), (5, 4, 3, 1, 2), (9, 3, 1, 0, 0)],
        mistakes={
            "You used the formula of the convolution; this layer goes the other way.": (
                lambda n, kernel, stride, padding, extra: (n + 2 * padding - kernel) // stride + 1
            ),
            "You forgot the output padding, the extra row and column at the end.": (
                lambda n, kernel, stride, padding, extra: (n - 1) * stride - 2 * padding + kernel
            ),
            "You added output padding on both sides; it goes to one side only.": (
                lambda n, kernel, stride, padding, extra: (n - 1) * stride - 2 * padding + kernel + 2 * extra
            ),
            "You crop one side only: padding is cut off on both sides.": (
                lambda n, kernel, stride, padding, extra: (n - 1) * stride - padding + kernel + extra
            ),
            "Your padding makes the image larger. In a transposed convolution, padding is cut off.": (
                lambda n, kernel, stride, padding, extra: (n - 1) * stride + 2 * padding + kernel + extra
            ),
            "You count n gaps between the stamps. With n stamps, how many gaps are between them?": (
                lambda n, kernel, stride, padding, extra: n * stride - 2 * padding + kernel + extra
            ),
            "You added 1 too many: the last stamp is as wide as the kernel, and no more.": (
                lambda n, kernel, stride, padding, extra: (n - 1) * stride - 2 * padding + kernel + extra + 1
            ),
        },
        praise="Right: the gaps between the stamps, plus one whole stamp, minus what is cut off, plus the extra.",
    )


def convolution_parameters(answer) -> Verdict:
    """Check ``answer(channels_in, channels_out, kernel, height, width)``: a layer's number of parameters.

    It is D·(C·k² + 1) for C input and D output channels, whatever the size of the images.
    """
    return compare(
        answer,
        lambda c, d, k, height, width: d * (c * k * k + 1),
        cases=[(1, 16, 3, 28, 28), (16, 32, 5, 14, 12)],
        mistakes={
            "You forgot the biases: one for each output channel.": lambda c, d, k, height, width: d * c * k * k,
            "You multiplied by the size of the image. The same kernel is used at every place: that is the point.": (
                lambda c, d, k, height, width: d * (c * k * k + 1) * height * width
            ),
            "You multiplied the weights by the size of the image. The same kernel is used at every place.": (
                lambda c, d, k, height, width: d * c * k * k * height * width + d
            ),
            "That is a dense layer from one image to another, not a convolution.": (
                lambda c, d, k, height, width: (c * height * width + 1) * d * height * width
            ),
            "You gave every kernel a bias for each input channel; an output channel has only one bias.": (
                lambda c, d, k, height, width: d * c * (k * k + 1)
            ),
            "You have one kernel for all input channels; each pair of an input and an output channel has its own.": (
                lambda c, d, k, height, width: d * (k * k + 1)
            ),
            "You have kernel + … where a square of kernel × kernel weights belongs: is the kernel squared?": (
                lambda c, d, k, height, width: d * (c * k + 1)
            ),
        },
        praise="Right: and the size of the image does not matter.",
    )
