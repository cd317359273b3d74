"""Judges: classifiers of digits and of faces, and a description of the face model's codes."""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_helpers.models import check_batch


class FaceCodes(nn.Module):
    """The codes of a face model, described by a mixture of Gaussians and by one direction per attribute.

    Args:
        latent_dim: how many numbers a code has.
        components: how many Gaussians the mixture has.
        attributes: names of the attributes that have a direction.
    """

    def __init__(self, *, latent_dim: int = 128, components: int = 10, attributes=()):
        super().__init__()
        self.latent_dim = latent_dim
        self.components = components
        self.attributes = tuple(attributes)
        self.register_buffer("weights", torch.full((components,), 1 / components))
        self.register_buffer("means", torch.zeros(components, latent_dim))
        # The covariance's Cholesky factor: L with L Lᵀ = the covariance; at first the identity.
        self.register_buffer("factors", torch.zeros(components, latent_dim, latent_dim))
        self.factors.diagonal(dim1=1, dim2=2).fill_(1)  # not torch.eye, which makes loading a model import SymPy
        self.register_buffer("directions", torch.zeros(len(self.attributes), latent_dim))

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Return n codes (n, latent_dim), drawn from the mixture, by torch's own generator or another one."""
        chosen = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.latent_dim, 1, device=self.means.device, generator=generator)
        return self.means[chosen] + (self.factors[chosen] @ noise).squeeze(-1)

    def direction(self, attribute: str) -> Tensor:
        """Return the step (latent_dim,) from the mean code of faces without the attribute to that of faces with it.

        Raises:
            ValueError: there is no attribute of this name.
        """
        if attribute not in self.attributes:
            raise ValueError(f"There is no attribute {attribute!r}; choose one of: {', '.join(self.attributes)}.")
        return self.directions[self.attributes.index(attribute)]


class AttributeClassifier(nn.Module):
    """A small convolutional classifier of face attributes, which judges what an edit has changed.

    Args:
        attributes: names of the attributes that it recognises, one output each.
        channels: how many feature maps there are after each halving of height and width.
    """

    def __init__(self, *, attributes=(), channels=(24, 48, 96, 128)):
        super().__init__()
        self.attributes = tuple(attributes)
        self.channels = tuple(channels)
        layers = []
        for size_in, size_out in itertools.pairwise([3, *channels]):
            layers += [nn.Conv2d(size_in, size_out, 3, padding=1, bias=False), nn.BatchNorm2d(size_out), nn.SiLU()]
            layers += [nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers, nn.Conv2d(channels[-1], channels[-1], 3, padding=1), nn.AdaptiveAvgPool2d(1))
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(channels[-1], len(self.attributes)))

    def features(self, images: Tensor) -> Tensor:
        """Return the features (N, channels[-1]) of faces (N, 3, H, W) in [0, 1]."""
        check_batch(self, images, (3, *images.shape[2:]), "images")
        return self.body(images).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, A) of faces (N, 3, H, W) in [0, 1]; above 0, the attribute is more likely than not."""
        return self.head(self.features(images)).float()


class DigitClassifier(nn.Module):
    """A small convolutional classifier of digits; ``evaluate.scoreboard`` compares samples with digits in its features.

    Args:
        width: how many features describe an image.
    """

    def __init__(self, *, width: int = 32):
        super().__init__()
        self.width = width
        self.body = nn.Sequential(
            *(nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.SiLU()),
            *(nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.SiLU()),
            *(nn.Flatten(), nn.Linear(32 * 7 * 7, width)),
        )
        self.head = nn.Linear(width, 10)
        # Mean and covariance of the features of MNIST's training images, set after training.
        self.register_buffer("real_mean", torch.zeros(width))
        self.register_buffer("real_covariance", torch.zeros(width, width))

    def features(self, images: Tensor) -> Tensor:
        """Return the features (N, width) of digits (N, 1, 28, 28) in [0, 1]."""
        check_batch(self, images, (1, 28, 28), "images")
        return self.body(images)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, 10) of digits (N, 1, 28, 28) in [0, 1]."""
        return self.head(F.silu(self.features(images))).float()
