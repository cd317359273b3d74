"""Checks for lesson 06: other autoencoders."""

import torch
from torch import Tensor, tensor

from vae_helpers.checks.verdict import Verdict, compare, draw, exercise

__all__ = ["hole_error", "sigmoid_jacobian", "sparsity_penalty", "tied_decoder"]


@exercise
def tied_decoder(answer) -> Verdict:
    """Check ``answer(h, w1, w2, b1, b2)``: the decoder that mirrors an encoder of two layers.

    The encoder is h = φ(w2 φ(w1 x)) with the logistic φ, weights as ``nn.Linear`` stores them, (units, inputs), and
    codes h (N, code). The decoder is φ(h w2 + b2) w1 + b1, (N, pixels): the same weights, transposed and in
    reverse order, with biases of its own and no φ at the end.
    """

    def solution(h: Tensor, w1: Tensor, w2: Tensor, b1: Tensor, b2: Tensor, phi=torch.sigmoid) -> Tensor:
        return phi(h @ w2 + b2) @ w1 + b1

    return compare(
        answer,
        lambda h, w1, w2, b1, b2: solution(h, w1, w2, b1, b2),
        cases=[
            draw((2, 3), (3, 3), (3, 3), (3,), (3,)),  # square: a wrong order does not stop here, so it can be told
            draw((4, 2), (3, 5), (2, 3), (5,), (3,)),
            draw((1, 1), (2, 3), (1, 2), (3,), (2,)),
        ],
        hints={
            "The decoder undoes the last layer first, so w2 before w1.": (
                lambda h, w1, w2, b1, b2: solution(h, w2, w1, b2, b1)
            ),
            "The decoder needs the matrices transposed. nn.Linear computes x @ w.T, its mirror image h @ w.": (
                lambda h, w1, w2, b1, b2: solution(h, w1.T, w2.T, b1, b2)
            ),
            "φ is missing between the two layers.": (
                lambda h, w1, w2, b1, b2: solution(h, w1, w2, b1, b2, lambda x: x)
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
        p, q = torch.as_tensor(p), torch.as_tensor(q)
        return p * torch.log(p / q) + (1 - p) * torch.log((1 - p) / (1 - q))

    return compare(
        answer,
        lambda h, rho: divergence(rho, h.mean(0)).sum(),
        cases=[
            (tensor([[0.1, 0.8, 0.3], [0.2, 0.4, 0.1], [0.6, 0.9, 0.2], [0.1, 0.5, 0.1]]), 0.05),
            (tensor([[0.7, 0.05], [0.3, 0.02], [0.4, 0.3]]), 0.2),
            (tensor([[0.5, 0.25]]), 0.5),
        ],
        hints={
            "The target ρ comes first, the measured ρ̂ second.": lambda h, rho: divergence(h.mean(0), rho).sum(),
            "The second half is missing: a unit is silent in the remaining cases.": (
                lambda h, rho: (rho * torch.log(rho / h.mean(0))).sum()
            ),
            "Every unit has its own ρ̂; you took one mean over all of them.": lambda h, rho: divergence(rho, h.mean()),
            "Average each unit over the batch first: a unit may be loud for some images, if it is quiet for most.": (
                lambda h, rho: divergence(rho, h).sum(1).mean()
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
    h, w = draw((2, 3), (3, 4))
    return compare(
        answer,
        lambda h, w: (h * (1 - h)).square() @ w.square().sum(1),
        cases=[
            (h.sigmoid(), w),
            (tensor([[0.3, 0.8]]), tensor([[0.4, -1.0, 2.0], [1.2, 0.9, 0.1]])),
            (tensor([[0.0], [1.0], [0.25]]), tensor([[2.0, -1.0]])),
        ],
        hints={
            "An entry of the Jacobian is slope times weight, and all of it is squared: square the slope, too.": (
                lambda h, w: (h * (1 - h)) @ w.square().sum(1)
            ),
            "Square the weights, then sum; you summed first.": lambda h, w: (h - h**2).square() @ w.sum(1).square(),
            "The slope is missing: that is the size of the weights alone.": lambda h, w: (
                w.square().sum().expand(len(h))
            ),
            "The slope of the logistic function is h(1 − h); 1 − h² is that of tanh.": (
                lambda h, w: (1 - h**2).square() @ w.square().sum(1)
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

    def case(count: int, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        filled, images = draw((count, 1, height, width), (count, 1, height, width))
        size = torch.arange(height * width).reshape(height, width)
        return filled, images, torch.stack([size < 1 + 3 * n for n in range(count)]).unsqueeze(1)

    def total(values: Tensor) -> Tensor:
        return values.flatten(1).sum(1)

    return compare(
        answer,
        lambda filled, images, hole: total((filled - images).square() * hole) / total(hole),
        cases=[case(3, 5, 6), case(2, 4, 3), case(1, 1, 2)],
        hints={
            "You averaged over the whole image; what the network could see makes the error look small.": (
                lambda filled, images, hole: (filled - images).square().flatten(1).mean(1)
            ),
            "You divided by all pixels of the image: divide by the number of pixels in the hole.": (
                lambda filled, images, hole: ((filled - images).square() * hole).flatten(1).mean(1)
            ),
            "You summed over the hole: divide by its number of pixels, so that holes of any size compare.": (
                lambda filled, images, hole: total((filled - images).square() * hole)
            ),
            "You pooled the pixels of all holes: return one number per image.": (
                lambda filled, images, hole: (filled - images).square()[hole].mean()
            ),
        },
        praise="Right: only what was hidden counts, and every hidden pixel counts the same.",
    )
