"""Checks for problem set 1: autoencoders."""

import torch
from torch import Tensor, nn, tensor

from vae_helpers.checks.verdict import Complaint, Verdict, compare, draw, exercise, measured, numbers, outputs
from vae_helpers.data import load_digits


def _gradient(answer, of: str, solution, hints: dict) -> Verdict:
    def without_autograd(x, w, v):
        with torch.inference_mode():
            return answer(x, w, v)

    without_autograd.__name__ = getattr(answer, "__name__", "your function")
    cases = [draw((5, 4), (4, 3), (3, 4)), draw((1, 2), (2, 1), (1, 2)), draw((6, 3), (3, 5), (5, 3))]
    return compare(
        without_autograd if callable(answer) else answer, solution, cases, hints=hints, praise=f"Right: {of}."
    )


def _parts(x: Tensor, w: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    h = torch.tanh(x @ w)
    return h, 2 * (h @ v - x) / len(x)


@exercise
def decoder_gradient(answer) -> Verdict:
    """Check ``answer(x, w, v)``: the gradient of mean_n Σ_d (tanh(x·w)·v − x)² with respect to v, (k, D)."""

    def solution(x, w, v):
        h, error = _parts(x, w, v)
        return h.T @ error

    hints = {
        "You left out the tanh: the decoder sees h = tanh(x·w).": lambda x, w, v: (
            2 * (x @ w).T @ (x @ w @ v - x) / len(x)
        )
    }
    return _gradient(answer, "what the code says, times what is wrong", solution, hints)


@exercise
def encoder_gradient(answer) -> Verdict:
    """Check ``answer(x, w, v)``: the gradient of mean_n Σ_d (tanh(x·w)·v − x)² with respect to w, (D, k)."""

    def solution(x, w, v):
        h, error = _parts(x, w, v)
        return x.T @ (error @ v.T * (1 - h**2))

    def without(slope):
        return lambda x, w, v: x.T @ (_parts(x, w, v)[1] @ v.T * slope(_parts(x, w, v)[0]))

    hints = {
        "The slope of the tanh is missing: the error passes through it on its way to w.": without(torch.ones_like),
        "The slope of tanh is 1 − tanh², not 1 − tanh.": without(lambda h: 1 - h),
        "That slope, h·(1 − h), is the sigmoid's; here is a tanh.": without(lambda h: h * (1 - h)),
    }
    return _gradient(answer, "the error, sent back through v and the slope of tanh", solution, hints)


@exercise
def complete(answer) -> Verdict:
    """Check ``answer(x, known, k, rounds)``: holes filled by PCA with k components, round after round, (N, D)."""

    def fill(x, known, k, rounds, mean_of_known=True, all_pixels=False, center=True):
        start = torch.where(known, x, 0).sum(0) / (known.sum(0).clamp(min=1) if mean_of_known else len(x))
        filled = torch.where(known, x, start)
        for _ in range(rounds):
            mean = filled.mean(0) if center else torch.zeros_like(start)
            kept = torch.linalg.svd(filled - mean, full_matrices=False)[2][:k]
            guess = mean + (filled - mean) @ kept.T @ kept
            filled = guess if all_pixels else torch.where(known, x, guess)
        return filled

    x = draw((8, 5))[0]
    known = draw((8, 5), (8, 5))[1] > -0.7
    rare = known.clone()
    rare[:, 2] = False
    return compare(
        answer,
        lambda x, known, k, rounds: fill(x, known, k, rounds),
        cases=[(x, known, 2, 3), (x, known, 1, 0), (x + 2, known, 1, 1), (x, rare, 2, 2)],
        hints={
            "You replaced the known pixels, too: only the holes are guesses.": lambda *c: fill(*c, all_pixels=True),
            "You filled with sums over all images: a pixel's mean is over the images in which it is known.": (
                lambda *c: fill(*c, mean_of_known=False)
            ),
            "You did PCA without subtracting the mean.": lambda *c: fill(*c, center=False),
        },
        praise="Right: guess, fit, guess again.",
        tolerance=1e-3,
    )


@exercise(seconds=60)
def autoencoder(model, errors) -> Verdict:
    """Check an autoencoder with 16 numbers and the errors of its epochs: at most 16 per test digit, the best kept."""
    if not isinstance(model, nn.Module) or errors is None or errors is ...:
        raise Complaint("Nothing is trained yet: write MyAutoencoder and train_it in place of the dots.")
    size = sum(p.numel() for p in model.parameters())
    if size > 150_000:
        raise Complaint(f"Your network has {size:,} weights and biases; at most 150,000 are allowed.")
    if model.training:
        raise Complaint("Your model is still in training mode: call model.eval() before it is used.")
    valid, test = (load_digits(split, source="embedded").floats for split in ("valid", "test"))
    if numbers(outputs(model.encode, test[:2]), "The code of two digits").shape != (2, 16):
        raise Complaint("encode should give 16 numbers for each digit.")
    best = numbers(errors, "What train_it returns").flatten().min().item()
    now, error = ((outputs(model, x) - x).square().flatten(1).sum(1).mean().item() for x in (valid, test))
    if abs(now - best) > 0.01 * best:
        raise Complaint(
            f"The smallest error that you returned is {best:.2f}, but now the model has {now:.2f} on the "
            "validation digits: are these errors per image, and were the best weights put back? (Copy what "
            "state_dict() gives: training goes on changing it.)"
        )
    return measured(
        error,
        what="The error on unseen digits",
        at_most=16,
        unit="per image",
        praise="A whole autoencoder.",
        hint="Train longer, with a learning rate that starts higher and falls, or put the weights elsewhere.",
    )


@exercise(seconds=60)
def race(make_shallow, make_deep, run) -> Verdict:
    """Check a fair comparison: two networks with as many weights, and a training that its seed decides."""
    networks = [make() for make in (make_shallow, make_deep)]
    if not all(isinstance(network, nn.Module) for network in networks):
        raise Complaint("make_shallow and make_deep should each return a network: write them in place of the dots.")
    sizes = [sum(p.numel() for p in network.parameters()) for network in networks]
    if abs(sizes[0] - sizes[1]) > 0.03 * min(sizes):
        raise Complaint(f"The networks have {sizes[0]:,} and {sizes[1]:,} weights: they may differ by 3% at most.")
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    depths = [sum(isinstance(layer, kinds) for layer in network.modules()) for network in networks]
    if depths[1] < depths[0] + 2:
        raise Complaint(f"The networks have {depths[0]} and {depths[1]} layers: the deep one needs two more at least.")
    first, again, other, deep = (
        numbers(run(make, seed), "What run returns", shape=()).item()
        for make, seed in ((make_shallow, 1), (make_shallow, 1), (make_shallow, 2), (make_deep, 1))
    )
    if first != again:
        raise Complaint(f"run(make_shallow, 1) gave {first:.4f}, then {again:.4f}: seed before the network is made.")
    if first == other:
        raise Complaint("Two seeds give exactly the same error: is the seed used, and before the network is made?")
    if first == deep:
        raise Complaint("Both networks give exactly the same error: does run train the network that `make` makes?")
    blank = load_digits("valid", source="embedded").floats.square().flatten(1).sum(1).mean().item()
    if not 0 < max(first, deep) < blank or tensor(first).isnan():
        raise Complaint(
            f"The errors are {first:.3g} and {deep:.3g}; a black image leaves {blank:.0f}. Are they per image?"
        )
    return Verdict(True, f"A fair race. With seed 1: shallow {first:.1f}, deep {deep:.1f}, with {sizes[0]:,} weights.")
