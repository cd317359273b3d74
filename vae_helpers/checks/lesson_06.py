"""Checks for lesson 06: other autoencoders."""

import torch
from torch import Tensor, tensor

from vae_helpers.checks.verdict import Verdict, compare, exercise

__all__ = ["hole_error", "sigmoid_jacobian", "sparsity_penalty", "tied_decoder"]


@exercise
def tied_decoder(answer) -> Verdict:
    """Check ``answer(h, w1, w2, b1, b2)``: the decoder that mirrors an encoder of two layers.

    The encoder is h = φ(w2 φ(w1 x)) with the logistic φ, weights as ``nn.Linear`` stores them, (units, inputs), and
    codes h (N, code). The decoder is φ(h w2 + b2) w1 + b1, (N, pixels): the same weights, transposed and in
    reverse order, with biases of its own and no φ at the end.
    """

    def solution(h: Tensor, w1: Tensor, w2: Tensor, b1: Tensor, b2: Tensor) -> Tensor:
        return torch.sigmoid(h @ w2 + b2) @ w1 + b1

    generator = torch.Generator().manual_seed(0)

    def case(count: int, code: int, middle: int, pixels: int) -> tuple:
        shapes = (count, code), (middle, pixels), (code, middle), (pixels,), (middle,)
        return tuple(torch.randn(shape, generator=generator) for shape in shapes)

    return compare(
        answer,
        solution,
        # Square matrices, too: there, a wrong order or a wrong transpose does not stop, it gives wrong numbers.
        cases=[case(2, 3, 3, 3), case(4, 2, 3, 5), case(1, 1, 2, 3)],
        hints={
            "You used the layers in the encoder's order: the decoder undoes the last layer first, so w2 before w1.": (
                lambda h, w1, w2, b1, b2: torch.sigmoid(h @ w1 + b1) @ w2 + b2
            ),
            "You multiplied by the encoder's own matrices: the decoder needs them transposed. A layer of nn.Linear "
            "computes x @ w.T, so its mirror image computes h @ w.": (
                lambda h, w1, w2, b1, b2: torch.sigmoid(h @ w2.T + b2) @ w1.T + b1
            ),
            "φ is missing between the two layers.": lambda h, w1, w2, b1, b2: (h @ w2 + b2) @ w1 + b1,
            "There is a φ too many: the last layer gives the pixels as they are.": (
                lambda h, w1, w2, b1, b2: torch.sigmoid(solution(h, w1, w2, b1, b2))
            ),
        },
        gradient=True,
        praise="Right: the same weights, transposed and in reverse order, with biases of their own.",
    )


@exercise
def sparsity_penalty(answer) -> Verdict:
    """Check ``answer(h, rho)``: Σ_j KL(Bernoulli(rho) ‖ Bernoulli(ρ̂_j)), one number, in nats.

    The codes h (N, units) lie between 0 and 1, and ρ̂_j is the mean of unit j over the batch
    (A. Ng, 2011, "Sparse autoencoder", CS294A lecture notes).
    """

    def divergence(p, q):
        return p * torch.log(p / q) + (1 - p) * torch.log((1 - p) / (1 - q))

    def terms(h: Tensor, rho: float) -> Tensor:
        return divergence(torch.as_tensor(rho, dtype=h.dtype, device=h.device), h)

    return compare(
        answer,
        lambda h, rho: terms(h.mean(0), rho).sum(),
        cases=[
            (tensor([[0.1, 0.8, 0.3], [0.2, 0.4, 0.1], [0.6, 0.9, 0.2], [0.1, 0.5, 0.1]]), 0.05),
            (tensor([[0.7, 0.05], [0.3, 0.02], [0.4, 0.3]]), 0.2),
            (tensor([[0.5, 0.25]]), 0.5),
        ],
        hints={
            "You swapped the arguments: the target ρ comes first, the measured ρ̂ second.": (
                lambda h, rho: divergence(h.mean(0), torch.tensor(rho)).sum()
            ),
            "The second half is missing: a unit is silent in the remaining cases, so the (1 − ρ) term counts too.": (
                lambda h, rho: (rho * torch.log(rho / h.mean(0))).sum()
            ),
            "You averaged over the whole batch and all units at once: every unit has its own ρ̂.": (
                lambda h, rho: terms(h.mean(), rho)
            ),
            "You took the divergence of every single activation: average each unit over the batch first. "
            "A unit may be loud for some images, if it is quiet for most.": (
                lambda h, rho: terms(h, rho).sum(1).mean()
            ),
        },
        gradient=True,
        praise="Right: 0 for units that are as busy as they should be, and a price for every other unit.",
    )


@exercise
def sigmoid_jacobian(answer) -> Verdict:
    """Check ``answer(h, w)``: ‖∂h/∂x‖²_F for h = φ(w x + b) with the logistic φ, one number per image, (N,).

    h is (N, units), w is (units, pixels). The closed form is Σ_j (h_j (1 − h_j))² Σ_i w_ji² (Rifai et al., 2011,
    "Contractive auto-encoders").
    """

    def solution(h: Tensor, w: Tensor) -> Tensor:
        return (h * (1 - h)).square() @ w.square().sum(1)

    return compare(
        answer,
        solution,
        cases=[
            (
                tensor([[0.2, 0.9, 0.5], [0.6, 0.4, 0.1]]),
                tensor([[1.0, -2.0, 0.5, 0.4], [0.3, 0.8, -1.5, 0.0], [2.0, 0.1, 0.7, -0.6]]),
            ),
            (tensor([[0.3, 0.8]]), tensor([[0.4, -1.0, 2.0], [1.2, 0.9, 0.1]])),
            (tensor([[0.0], [1.0], [0.25]]), tensor([[2.0, -1.0]])),
        ],
        hints={
            "You did not square the slope h(1 − h): an entry of the Jacobian is slope times weight, and all of it is "
            "squared.": lambda h, w: (h * (1 - h)) @ w.square().sum(1),
            "You squared the sum of a row where the sum of the squares is meant.": (
                lambda h, w: (h * (1 - h)).square() @ w.sum(1).square()
            ),
            "The slope is missing: that is the size of the weights alone, the same for every image.": (
                lambda h, w: w.square().sum().expand(len(h))
            ),
            "You used 1 − h², the slope of tanh; the slope of the logistic function is h(1 − h).": (
                lambda h, w: (1 - h.square()).square() @ w.square().sum(1)
            ),
        },
        gradient=True,
        praise="Right: two small sums do what would take one backward pass per unit.",
    )


@exercise
def hole_error(answer) -> Verdict:
    """Check ``answer(filled, images, hole)``: squared error per pixel, over the pixels of each hole only, (N,).

    All are (N, 1, H, W); ``hole`` is True where pixels were hidden. Holes may differ in size.
    """

    def solution(filled: Tensor, images: Tensor, hole: Tensor) -> Tensor:
        return ((filled - images).square() * hole).flatten(1).sum(1) / hole.flatten(1).sum(1)

    def case(seed: int, width: int, *sizes: int) -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        filled, images = torch.rand(2, len(sizes), 1, 5, width, generator=generator)
        hole = torch.zeros(len(sizes), 1, 5, width, dtype=torch.bool)
        for mask, size in zip(hole, sizes, strict=True):
            mask[:, 1 : 1 + size, 0:size] = True
        return filled, images, hole

    return compare(
        answer,
        solution,
        cases=[case(0, 6, 2, 3, 1), case(1, 4, 4, 2), case(2, 2, 1)],
        hints={
            "You averaged over the whole image: the pixels that the network could see make the error look small.": (
                lambda filled, images, hole: (filled - images).square().flatten(1).mean(1)
            ),
            "You divided by all pixels of the image: divide by the number of pixels in the hole.": (
                lambda filled, images, hole: ((filled - images).square() * hole).flatten(1).mean(1)
            ),
            "You summed over the hole: divide by its number of pixels, so that holes of any size compare.": (
                lambda filled, images, hole: ((filled - images).square() * hole).flatten(1).sum(1)
            ),
            "You pooled the pixels of all holes into one number: return one number per image, of the shape (N,).": (
                lambda filled, images, hole: (filled - images).square()[hole].mean()
            ),
        },
        praise="Right: only what was hidden counts, and every hidden pixel counts the same.",
    )
