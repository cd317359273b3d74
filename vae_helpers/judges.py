"""What judges: classifiers of digits and faces, and what the codes of the face model are like."""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_helpers.models import check_batch


class FaceCodes(nn.Module):
    """What the codes of a face model are like, learnt from many faces (lessons 09 and 10).

    Args:
        latent_dim: how many numbers a code has.
        components: how many Gaussians are mixed.
        attributes: names of the attributes that have a direction.
    """

    def __init__(self, *, latent_dim: int = 128, components: int = 10, attributes=()):
        super().__init__()
        self.latent_dim = latent_dim
        self.components = components
        self.attributes = tuple(attributes)
        self.register_buffer("weights", torch.full((components,), 1 / components))
        self.register_buffer("means", torch.zeros(components, latent_dim))
        #: (components, latent_dim, latent_dim): L with L Lᵀ = the covariance, the Cholesky factor.
        self.register_buffer("factors", torch.eye(latent_dim).repeat(components, 1, 1))
        self.register_buffer("directions", torch.zeros(len(self.attributes), latent_dim))

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Return n codes (n, latent_dim), drawn from the mixture, by torch's own generator or another one."""
        chosen = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.latent_dim, 1, device=self.means.device, generator=generator)
        return self.means[chosen] + (self.factors[chosen] @ noise).squeeze(-1)

    def direction(self, attribute: str) -> Tensor:
        """Return the step (latent_dim,) from the mean code without the attribute to the mean code with it.

        Raises:
            ValueError: there is no attribute of this name.
        """
        if attribute not in self.attributes:
            raise ValueError(f"There is no attribute {attribute!r}; choose one of: {', '.join(self.attributes)}.")
        return self.directions[self.attributes.index(attribute)]


class AttributeClassifier(nn.Module):
    """A small convolutional classifier of faces, which judges what an edit has changed (lesson 10).

    Args:
        attributes: names of the attributes that it tells.
        channels: feature maps after each halving of height and width.
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
        return self.body(images).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, A) of faces (N, 3, H, W) in [0, 1]; more than 0 means that it has the attribute."""
        return self.head(self.features(images)).float()


class DigitClassifier(nn.Module):
    """A small convolutional classifier of digits, which judges samples in :func:`vae_helpers.evaluate.scoreboard`.

    Args:
        width: how many features an image has.
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
        # What the features of MNIST's training images are like; set after training.
        self.register_buffer("real_mean", torch.zeros(width))
        self.register_buffer("real_covariance", torch.eye(width))

    def features(self, images: Tensor) -> Tensor:
        """Return the features (N, width) of digits (N, 1, 28, 28) in [0, 1]."""
        check_batch(self, images, (1, 28, 28), "images")
        return self.body(images)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, 10) of digits (N, 1, 28, 28) in [0, 1]."""
        return self.head(F.silu(self.features(images))).float()
