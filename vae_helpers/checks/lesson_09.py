"""Checks for lesson 09: is my VAE any good?"""

import torch
from torch import Tensor, tensor

from vae_helpers import evaluate, losses
from vae_helpers.checks.verdict import Complaint, Verdict, compare, draw, exercise, measured, otherwise
from vae_helpers.data import load_digits
from vae_helpers.models import DenseVAE

__all__ = ["optimal_sigma", "repair"]


class _Repaired(DenseVAE):
    def __init__(self):
        super().__init__(hidden=(256,), latent_dim=8)

    def loss(self, images, labels=None):
        return losses.negative_elbo(self, images)["loss"]


@exercise(seconds=30)
def repair(answer) -> Verdict:
    """Check a class of VAEs for digits with a method ``loss(images, labels)``: the doctor must find nothing."""
    otherwise(_Repaired)
    if not isinstance(answer, type) or not callable(getattr(answer, "loss", None)):
        raise Complaint("Give the class itself, with all of its methods.")
    torch.manual_seed(0)
    model, images = answer().eval(), load_digits("train").subset(slice(0, 100)).floats.round()
    # A new model's code is empty, which is no bug yet.
    findings = [f for f in evaluate.doctor(model, images, answer.loss).findings if f.name != "collapsed"]
    if findings:
        words = " ".join(f"{number}. {f.name}: {f.words}" for number, f in enumerate(findings, 1))
        raise Complaint(f"The doctor still finds {len(findings)}, and more may hide behind them. {words}")
    with torch.no_grad():
        mean, log_var = model.encode(images)
        right = losses.reconstruction_nll(model.decode(model.reparameterize(mean, log_var)), images)
        right = (right + losses.kl_divergence(mean, log_var)).mean().item()
        loss = answer.loss(model, images, None)
    loss = loss["loss"] if isinstance(loss, dict) else loss
    if loss.shape != (100,):
        raise Complaint("The doctor is content, but the loss must return one number per image, for `fit`.")
    if not abs(loss.mean().item() / right - 1) < 0.02:
        raise Complaint(f"The doctor is content, but the loss is {loss.mean():.0f} nats where −ELBO is {right:.0f}.")
    return Verdict(True, "Right: the doctor finds nothing, and the loss is −ELBO. Ten bugs cured.", answer)


@exercise
def optimal_sigma(answer) -> Verdict:
    """Check ``answer(reconstruction, images)``, both (N, C, H, W): the σ with the smallest Gaussian NLL, a number."""
    pair, half = tuple(x.sigmoid() for x in draw((5, 1, 3, 4), (5, 1, 3, 4))), tensor([[[[0.5]]]])

    def per_image(r: Tensor, x: Tensor) -> Tensor:
        return (x - r).square().flatten(1).mean(1).sqrt()

    return compare(
        answer,
        lambda reconstruction, images: (images - reconstruction).square().mean().sqrt(),
        cases=[pair, (torch.zeros(2, 1, 1, 2), tensor([[[[0.1, 0.7]]], [[[0.4, 0.2]]]])), (half, half)],
        hints={
            "The Gaussian squares the errors; you took their absolute values.": lambda r, x: (x - r).abs().mean(),
            "The standard deviation of the errors forgets their mean.": lambda r, x: (x - r).std(correction=0),
            "One σ serves all images: average over them too, before the root.": per_image,
            "Average the squared errors of all images before the root.": lambda r, x: per_image(r, x).mean(),
        },
        praise="Right: the best σ is the root mean squared error of a pixel, in grey levels.",
    )


@exercise(seconds=120)
def workshop(model, history) -> Verdict:
    """Check a VAE and what ``fit`` returned: at most 100,000 weights, 60 s, and 105 nats (k = 100) on test digits."""
    weights, seconds = sum(p.numel() for p in model.parameters()), sum(history.seconds)
    if weights > 100_000 or seconds > 90:  # the half more is for busy machines
        raise Complaint(f"It has {weights:,} weights and trained for {seconds:.0f} s; 100,000 and 60 s are allowed.")
    images = load_digits("test").subset(slice(None, None, 2)).binarized().floats[:500]
    nll = evaluate.importance_weighted_nll(model, images, 100).mean()
    what = f"With {weights:,} weights, after {seconds:.0f} s, the NLL on unseen digits"
    hint = "Do the training digits do as badly? Then it needs another network or more steps, else fresh data."
    return measured(nll, what=what, at_most=105, unit="nats", praise="Well below a dense VAE.", hint=hint)
