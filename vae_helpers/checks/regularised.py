"""Checks for lesson 06: regularised autoencoders."""

import torch
from torch import Tensor

from vae_helpers.checks.verdict import Verdict, compare


def tied_decoder(answer) -> Verdict:
    """Check ``answer(h, w1, w2, b1, b2)``: the decoder that mirrors an encoder of two layers.

    The encoder is h = φ(w2 φ(w1 x)) with the logistic φ, weights as ``nn.Linear`` stores them, (units, inputs), and
    codes h (N, code). The decoder is φ(h w2 + b2) w1 + b1, (N, pixels): the same weights, transposed and in
    reverse order, with biases of its own and no φ at the end.
    """

    def solution(h: Tensor, w1: Tensor, w2: Tensor, b1: Tensor, b2: Tensor) -> Tensor:
        return torch.sigmoid(h @ w2 + b2) @ w1 + b1

    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    return compare(
        answer,
        solution,
        cases=[
            # Square matrices first: there, a wrong order or a wrong transpose does not stop, it gives wrong numbers.
            (draw(2, 3), draw(3, 3), draw(3, 3), draw(3), draw(3)),
            (draw(4, 3), draw(3, 3), draw(3, 3), draw(3), draw(3)),
        ],
        mistakes={
            "You used the layers in the encoder's order: the decoder undoes the last layer first, so w2 before w1.": (
                lambda h, w1, w2, b1, b2: torch.sigmoid(h @ w1 + b1) @ w2 + b2
            ),
            "You multiplied by the encoder's own matrices: the decoder needs them transposed. A layer of nn.Linear "
            "computes x @ w.T, so its mirror image computes h @ w.": (
                lambda h, w1, w2, b1, b2: torch.sigmoid(h @ w2.T + b2) @ w1.T + b1
            ),
            "You ran the encoder once more: transpose the matrices, and take them in reverse order.": (
                lambda h, w1, w2, b1, b2: torch.sigmoid(h @ w1.T + b1) @ w2.T + b2
            ),
            "You swapped the two biases: b2 goes with w2, b1 with w1.": (
                lambda h, w1, w2, b1, b2: torch.sigmoid(h @ w2 + b1) @ w1 + b2
            ),
            "The biases are missing: tied layers share their weights, but each keeps its own bias.": (
                lambda h, w1, w2, b1, b2: torch.sigmoid(h @ w2) @ w1
            ),
            "φ is missing between the two layers.": lambda h, w1, w2, b1, b2: (h @ w2 + b2) @ w1 + b1,
            "There is a φ too many: the last layer gives the pixels as they are.": (
                lambda h, w1, w2, b1, b2: torch.sigmoid(solution(h, w1, w2, b1, b2))
            ),
            "You used inverse matrices. Tied means transposed: only for rotations are the two the same.": (
                lambda h, w1, w2, b1, b2: torch.sigmoid(h @ torch.linalg.pinv(w2).T + b2) @ torch.linalg.pinv(w1).T + b1
            ),
        },
        praise="Right: the same weights, transposed and in reverse order, with biases of their own.",
    )


def sparsity_penalty(answer) -> Verdict:
    """Check ``answer(h, rho)``: Σ_j KL(Bernoulli(rho) ‖ Bernoulli(ρ̂_j)), one number, in nats.

    The codes h (N, units) lie between 0 and 1, and ρ̂_j is the mean of unit j over the batch
    (A. Ng, 2011, "Sparse autoencoder", CS294A lecture notes).
    """

    def divergence(p, q):
        return p * torch.log(p / q) + (1 - p) * torch.log((1 - p) / (1 - q))

    def solution(h: Tensor, rho: float) -> Tensor:
        return divergence(torch.tensor(rho), h.mean(0)).sum()

    return compare(
        answer,
        solution,
        cases=[
            (torch.tensor([[0.1, 0.8, 0.3], [0.2, 0.4, 0.1], [0.6, 0.9, 0.2], [0.1, 0.5, 0.1]]), 0.05),
            (torch.tensor([[0.7, 0.05], [0.3, 0.02]]), 0.2),
        ],
        mistakes={
            "You swapped the arguments: the target ρ comes first, the measured ρ̂ second.": (
                lambda h, rho: divergence(h.mean(0), torch.tensor(rho)).sum()
            ),
            "The second half is missing: a unit is silent in the remaining cases, so the (1 − ρ) term counts too.": (
                lambda h, rho: (rho * torch.log(rho / h.mean(0))).sum()
            ),
            "You averaged over the units of each image: ρ̂ is the mean of each unit over the images of the batch.": (
                lambda h, rho: divergence(torch.tensor(rho), h.mean(1)).sum()
            ),
            "You averaged over the whole batch and all units at once: every unit has its own ρ̂.": (
                lambda h, rho: divergence(torch.tensor(rho), h.mean())
            ),
            "You took the divergence of every single activation: average each unit over the batch first. "
            "A unit may be loud for some images, if it is quiet for most.": (
                lambda h, rho: divergence(torch.tensor(rho), h).sum(1).mean()
            ),
            "You took the divergence of every single activation, and summed over the batch as well: average each unit "
            "over the batch first.": lambda h, rho: divergence(torch.tensor(rho), h).sum(),
            "You return one number per unit: add them up.": lambda h, rho: divergence(torch.tensor(rho), h.mean(0)),
            "You averaged over the units at the end: the penalties of the units add up.": (
                lambda h, rho: divergence(torch.tensor(rho), h.mean(0)).mean()
            ),
            "Your penalty has its sign flipped: it must be 0 where ρ̂ = ρ and positive elsewhere.": (
                lambda h, rho: -solution(h, rho)
            ),
        },
        praise="Right: 0 for units that are as busy as they should be, and a price for every other unit.",
    )


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
                torch.tensor([[0.2, 0.9, 0.5], [0.6, 0.4, 0.1]]),
                torch.tensor([[1.0, -2.0, 0.5], [0.3, 0.8, -1.5], [2.0, 0.1, 0.7]]),
            ),
            (torch.tensor([[0.3, 0.8, 0.7]]), torch.tensor([[0.4, -1.0, 2.0], [1.2, 0.9, 0.1], [-0.6, 0.5, 3.0]])),
        ],
        mistakes={
            "That is the norm itself: the penalty uses its square.": lambda h, w: solution(h, w).sqrt(),
            "You did not square the slope h(1 − h): an entry of the Jacobian is slope times weight, and all of it is "
            "squared.": lambda h, w: (h * (1 - h)) @ w.square().sum(1),
            "You did not square the weights: an entry of the Jacobian is slope times weight, and all of it is "
            "squared.": lambda h, w: (h * (1 - h)).square() @ w.sum(1),
            "You squared the sum of a row where the sum of the squares is meant.": (
                lambda h, w: (h * (1 - h)).square() @ w.sum(1).square()
            ),
            "You used the length of each row of w; its square belongs there.": (
                lambda h, w: (h * (1 - h)).square() @ w.square().sum(1).sqrt()
            ),
            "The slope is missing: that is the size of the weights alone, the same for every image.": (
                lambda h, w: w.square().sum().expand(len(h))
            ),
            "The slope of the logistic function is h(1 − h), not h.": lambda h, w: h.square() @ w.square().sum(1),
            "You used 1 − h², the slope of tanh; the slope of the logistic function is h(1 − h).": (
                lambda h, w: (1 - h.square()).square() @ w.square().sum(1)
            ),
            "You applied φ to h once more: h is φ(w x + b) already, so its slope is h(1 − h).": (
                lambda h, w: (torch.sigmoid(h) * (1 - torch.sigmoid(h))).square() @ w.square().sum(1)
            ),
            "You summed the weights over the units: w is (units, pixels), and each unit adds up its own pixels.": (
                lambda h, w: (h * (1 - h)).square() @ w.square().sum(0)
            ),
            "You summed over the images too: return one number per image, of the shape (N,).": (
                lambda h, w: solution(h, w).sum()
            ),
            "You averaged over the images: return one number per image, of the shape (N,).": (
                lambda h, w: solution(h, w).mean()
            ),
            "You averaged over the units: the squares of all entries add up.": lambda h, w: solution(h, w) / h.shape[1],
        },
        praise="Right: two small sums do what would take one backward pass per unit.",
    )


def hole_error(answer) -> Verdict:
    """Check ``answer(filled, images, hole)``: squared error per pixel, over the pixels of each hole only, (N,).

    All are (N, 1, H, W); ``hole`` is True where pixels were hidden. Holes may differ in size.
    """

    def squares(filled: Tensor, images: Tensor) -> Tensor:
        return (filled - images).square()

    def solution(filled: Tensor, images: Tensor, hole: Tensor) -> Tensor:
        return (squares(filled, images) * hole).flatten(1).sum(1) / hole.flatten(1).sum(1)

    def case(seed: int, *sizes: int) -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        filled, images = torch.rand(2, len(sizes), 1, 5, 5, generator=generator)
        hole = torch.zeros(len(sizes), 1, 5, 5, dtype=torch.bool)
        for mask, size in zip(hole, sizes, strict=True):
            mask[:, 1 : 1 + size, 0:size] = True
        return filled, images, hole

    return compare(
        answer,
        solution,
        cases=[case(0, 2, 3, 1), case(1, 4, 2)],
        mistakes={
            "You averaged over the whole image: the pixels that the network could see make the error look small.": (
                lambda filled, images, hole: squares(filled, images).flatten(1).mean(1)
            ),
            "You divided by all pixels of the image: divide by the number of pixels in the hole.": (
                lambda filled, images, hole: (squares(filled, images) * hole).flatten(1).mean(1)
            ),
            "You summed over the hole: divide by its number of pixels, so that holes of any size compare.": (
                lambda filled, images, hole: (squares(filled, images) * hole).flatten(1).sum(1)
            ),
            "That is the error outside the hole: hole is True where the pixels were hidden.": (
                lambda filled, images, hole: solution(filled, images, ~hole)
            ),
            "You took the root: the error is wanted squared.": (
                lambda filled, images, hole: solution(filled, images, hole).sqrt()
            ),
            "You took absolute differences: square them.": (
                lambda filled, images, hole: ((filled - images).abs() * hole).flatten(1).sum(1) / hole.flatten(1).sum(1)
            ),
            "You pooled the pixels of all holes into one number: return one number per image, of the shape (N,).": (
                lambda filled, images, hole: squares(filled, images)[hole].mean()
            ),
            "You averaged over the images at the end: return one number per image, of the shape (N,).": (
                lambda filled, images, hole: solution(filled, images, hole).mean()
            ),
        },
        praise="Right: only what was hidden counts, and every hidden pixel counts the same.",
    )
