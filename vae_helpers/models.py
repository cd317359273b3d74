"""The course's models. Each is first written out in a lesson's own cells."""

import itertools
import math

import torch
from torch import Tensor, nn


class DenseAutoencoder(nn.Module):
    """A fully connected autoencoder: image → code → image (lesson 03).

    Args:
        image_shape: (C, H, W) of the images.
        hidden: widths of the encoder's hidden layers; the decoder has the same in reverse.
        latent_dim: how many numbers a code has.
    """

    def __init__(self, *, image_shape=(1, 28, 28), hidden=(256, 128), latent_dim: int = 2):
        super().__init__()
        self.image_shape = tuple(image_shape)
        self.latent_dim = latent_dim
        widths = [math.prod(self.image_shape), *hidden, latent_dim]
        self.encoder = _dense_layers(widths)
        self.decoder = _dense_layers(widths[::-1])

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes (N, latent_dim) of images (N, C, H, W)."""
        check_shape(images, self.image_shape, "images")
        return self.encoder(images.flatten(1))

    def decode(self, codes: Tensor) -> Tensor:
        """Return images (N, C, H, W) in [0, 1] for codes (N, latent_dim)."""
        check_shape(codes, (self.latent_dim,), "codes")
        return torch.sigmoid(self.decoder(codes)).unflatten(1, self.image_shape)

    def forward(self, images: Tensor) -> Tensor:
        """Return the reconstructions (N, C, H, W) of images (N, C, H, W)."""
        return self.decode(self.encode(images))


def _dense_layers(widths: list[int]) -> nn.Sequential:
    """Linear layers from each width to the next, with a ReLU between them, but none after the last."""
    layers = []
    for size_in, size_out in itertools.pairwise(widths):
        layers += [nn.Linear(size_in, size_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def check_shape(batch: Tensor, shape: tuple[int, ...], name: str) -> None:
    """Raise ValueError unless ``batch`` has the shape (N, *shape)."""
    if batch.shape[1:] != shape or batch.ndim != 1 + len(shape):
        expected = ", ".join(["N", *map(str, shape)])
        raise ValueError(f"This model takes {name} of the shape ({expected}), but got {tuple(batch.shape)}.")
