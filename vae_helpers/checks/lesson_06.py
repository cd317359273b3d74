"""Checks for lesson 06: other autoencoders."""

import torch
from torch import tensor
from torch.nn.functional import avg_pool2d

from vae_helpers.checks.verdict import Verdict, compare, draw, exercise, measured, outputs, together
from vae_helpers.data import load_digits

__all__ = ["sigmoid_jacobian", "sparsity_penalty", "top_k"]


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
def top_k(answer) -> Verdict:
    """Check ``answer(codes, k)``: codes (N, units) in which each row keeps its k largest values; the others are 0."""

    def solution(codes, k, dim=1, largest=True):
        values, places = codes.topk(k, dim=dim, largest=largest)
        return torch.zeros_like(codes).scatter(dim, places, values)

    return compare(
        answer,
        lambda codes, k: solution(codes, k),
        cases=[(tensor([[0.3, 0.9, 0.1], [0.8, 0.2, 0.7]]), 1), (*(x.exp() for x in draw((5, 7))), 3)],
        hints={
            "You kept the largest values of each unit; keep those of each image, along dimension 1.": (
                lambda codes, k: solution(codes, k, dim=0)
            ),
            "You kept the smallest values.": lambda codes, k: solution(codes, k, largest=False),
            "These are the k values alone: put them back in their places, with 0 in all others.": (
                lambda codes, k: codes.topk(k, dim=1).values
            ),
        },
        gradient=True,
        praise="Right: each image chooses its own k units, and all others are silent.",
    )


@exercise(seconds=60)
def workshop(model) -> Verdict:
    """Check an autoencoder of 14 × 14 digits with 256 units: few are dead, 12 at most active, and the error small."""
    images = avg_pool2d(load_digits("test").floats[:1000], 2)
    error = (outputs(model, images) - images).square().flatten(1).sum(1).mean()
    with torch.no_grad():
        codes = model.encode(images.to(next(model.parameters()).device)).cpu()
    dead = (codes.std(0) < 0.01).sum() + max(0, 256 - codes.shape[1])
    return together(
        measured(
            dead,
            what="The number of dead units",
            at_most=49,
            praise="The dictionary is in use.",
            hint="Why do units die?",
        ),
        measured(error, what="The squared error per held-out image", at_most=2.5, praise="And it reads well."),
        measured(
            (codes != 0).sum(1).max(), what="The largest number of active units", at_most=12, praise="Still sparse."
        ),
    )
