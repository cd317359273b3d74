"""Answers to the exercises of lesson 09: right ones, and typical mistakes with words of the message."""

import torch
import torch.nn.functional as F
from torch import nn

from vae_helpers import checks, losses, models


class Own(nn.Module):
    """A VAE written with none of the course's code."""

    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Linear(784, 16), nn.Linear(8, 784)

    def encode(self, images):
        return self.down(images.flatten(1)).chunk(2, 1)

    def reparameterize(self, mean, log_var):
        return torch.normal(0, 1, mean.shape) * log_var.exp() ** 0.5 + mean

    def decode(self, z):
        return self.up(z).sigmoid().reshape(-1, 1, 28, 28)

    def forward(self, images):
        mean, log_var = self.encode(images)
        z = self.reparameterize(mean, log_var)
        return self.decode(z), mean, log_var, z

    def loss(self, images, labels=None):
        picture, mean, log_var, _ = self(images)
        nll = F.binary_cross_entropy(picture, images, reduction="none").sum((1, 2, 3))
        return nll + self.weight() * losses.kl_divergence(mean, log_var)

    def weight(self):
        return 1


class OfTheCourse(models.ConvVAE):
    def loss(self, images, labels=None):
        return losses.negative_elbo(self, images)


class Doubled(Own):
    def weight(self):
        return 2


class Subtracted(Own):
    def weight(self):
        return -1


class Summed(Own):
    def loss(self, images, labels=None):
        return super().loss(images).sum()


class AlwaysDropout(Own):
    def encode(self, images):
        return super().encode(F.dropout(images, 0.1))


class Draws(Own):
    def encode(self, images):
        mean, log_var = super().encode(images)
        return self.reparameterize(mean, log_var), log_var


class WrongNoise(Own):
    def reparameterize(self, mean, log_var):
        return mean + log_var.exp() * torch.randn_like(mean)


class TwoSigmoids(Own):
    def decode(self, z):
        return super().decode(z).sigmoid()


class FromTheMean(Own):
    def forward(self, images):
        mean, log_var = self.encode(images)
        return self.decode(mean), mean, log_var, self.reparameterize(mean, log_var)


class Mean(Own):
    def loss(self, images, labels=None):
        return super().loss(images).mean()


class Constant(Own):
    def loss(self, images, labels=None):
        return super().loss(images) + 100


def sigma(reconstruction, images):
    return F.mse_loss(reconstruction, images).sqrt()


RIGHT = [
    (checks.repair, Own),
    (checks.repair, OfTheCourse),
    (checks.optimal_sigma, sigma),
    (checks.optimal_sigma, lambda reconstruction, images: float(((reconstruction - images) ** 2).mean() ** 0.5)),
]

WRONG = [
    (checks.repair, lambda: ..., "Give the class itself"),
    (checks.repair, nn.Linear, "Give the class itself"),
    (checks.repair, Doubled, "KL doubled: A nat of KL costs 2.00"),
    (checks.repair, Subtracted, "subtract"),
    (checks.repair, Summed, "summed over the batch"),
    (checks.repair, AlwaysDropout, "dropout"),
    (checks.repair, Draws, "draws for means"),
    (checks.repair, WrongNoise, "wrong noise"),
    (checks.repair, TwoSigmoids, "sigmoid twice"),
    (checks.repair, FromTheMean, "given the mean"),
    (checks.repair, Mean, "one number per image"),
    (checks.repair, Constant, "the loss is 6"),
    (checks.optimal_sigma, lambda reconstruction, images: ..., "returns nothing yet"),
    (checks.optimal_sigma, lambda reconstruction, images: sigma(reconstruction, images) ** 2, "the squares of"),
    (
        checks.optimal_sigma,
        lambda reconstruction, images: (images - reconstruction).square().flatten(1).sum(1).mean().sqrt(),
        "your numbers are too large by a factor",
    ),
    (
        checks.optimal_sigma,
        lambda reconstruction, images: (images - reconstruction).norm(),
        "your numbers are too large by a factor",
    ),
    (checks.optimal_sigma, lambda reconstruction, images: (images - reconstruction).abs().mean(), "absolute"),
    (checks.optimal_sigma, lambda reconstruction, images: (images - reconstruction).std(), "nan for"),
    (
        checks.optimal_sigma,
        lambda reconstruction, images: (images - reconstruction).square().mean((1, 2, 3)).sqrt(),
        "One σ serves all images: average over them to",
    ),
    (
        checks.optimal_sigma,
        lambda reconstruction, images: (images - reconstruction).square().mean((1, 2, 3)).sqrt().mean(),
        "Average the squared errors of all images befo",
    ),
    (checks.optimal_sigma, lambda reconstruction, images: sigma(reconstruction, images) / 2**0.5, "0.7071 times"),
]
