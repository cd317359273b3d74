"""The course's models. The autoencoders and VAEs are first written out in a lesson's own cells."""

import itertools
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Autoencoder(nn.Module):
    """What all models of the course have in common: image → code → image.

    They add two networks: ``encoder``, from images to codes, and ``decoder``, from codes to the logits of the pixels.
    The arguments that a model was made with are its attributes, so that ``checkpoints.save_model`` can write them down.
    """

    def __init__(self, **arguments):
        super().__init__()
        for name, value in arguments.items():
            setattr(self, name, tuple(value) if isinstance(value, (list, tuple)) else value)

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes (N, latent_dim) of images (N, C, H, W)."""
        check_batch(self, images, self.image_shape, "images")
        return self.encoder(images)

    def decode_logits(self, codes: Tensor) -> Tensor:
        """Return the logits (N, C, H, W) of the pixels for codes (N, latent_dim)."""
        check_batch(self, codes, (self.latent_dim,), "codes")
        return at_least_float32(self.decoder(codes)).reshape(-1, *self.image_shape)

    def decode(self, codes: Tensor, *labels: Tensor) -> Tensor:
        """Return images (N, C, H, W) in [0, 1] for codes (N, latent_dim), and labels where the model takes them."""
        return torch.sigmoid(self.decode_logits(codes, *labels))

    def forward(self, images: Tensor) -> Tensor:
        """Return the reconstructions (N, C, H, W) of images (N, C, H, W)."""
        return self.decode(self.encode(images))


class DenseAutoencoder(Autoencoder):
    """A fully connected autoencoder (lesson 03).

    Args:
        image_shape: (C, H, W) of the images.
        hidden: widths of the encoder's hidden layers; the decoder has the same in reverse.
        latent_dim: how many numbers a code has.
    """

    def __init__(self, *, image_shape=(1, 28, 28), hidden=(256, 128), latent_dim=2):
        super().__init__(image_shape=image_shape, hidden=hidden, latent_dim=latent_dim)
        widths = [math.prod(image_shape), *hidden, latent_dim]
        self.encoder = _dense_layers(widths)
        self.decoder = _dense_layers(widths[::-1])


class ConvAutoencoder(Autoencoder):
    """A convolutional autoencoder (lesson 04).

    With the defaults, (1, 28, 28) becomes (16, 14, 14), (32, 7, 7), and a code of 16 numbers. The decoder mirrors it.

    Args: those of ``DenseAutoencoder``, but for ``hidden``, and
        channels: feature maps after each halving. H and W must be even as often as they are halved, else a ValueError.
    """

    def __init__(self, *, image_shape=(1, 28, 28), channels=(16, 32), latent_dim=16):
        super().__init__(image_shape=image_shape, channels=channels, latent_dim=latent_dim)
        down, size, up = _conv_layers(image_shape, channels)
        self.encoder = nn.Sequential(*down, nn.Linear(size, latent_dim))
        self.decoder = nn.Sequential(nn.Linear(latent_dim, size), *up)
        # Dark images to begin with. From mid-grey ones, training on digits can overshoot to black and stay there.
        nn.init.constant_(self.decoder[-1].bias, -2.0)


class VAEOutput(NamedTuple("VAEOutput", [(part, Tensor) for part in ("reconstruction", "mean", "log_var", "z")])):
    """What a VAE's forward pass returns.

    - ``reconstruction``: (N, C, H, W), in [0, 1], decode(z)
    - ``mean`` and ``log_var``: (N, latent_dim), the centre and log σ² of each code's Gaussian q(z|x)
    - ``z``: (N, latent_dim), the code, drawn from it
    - ``logits``, beside these four: what the reconstruction is the sigmoid of, or None if the model decodes otherwise
    """

    logits: Tensor | None = None


class VAE(Autoencoder):
    """What all VAEs of the course have in common (lesson 07).

    The prior p(z) is N(0, I), and q(z|x) is a Gaussian with independent dimensions, so that the ``encoder`` gives
    2 · ``latent_dim`` numbers. Instead of the two networks, a VAE can have its own ``encode`` and ``decode``.
    """

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log_var of q(z|x), each (N, latent_dim), for images (N, C, H, W)."""
        return at_least_float32(super().encode(images)).chunk(2, dim=1)

    def reparameterize(self, mean: Tensor, log_var: Tensor) -> Tensor:
        """Draw z = mean + σ · ε with ε from N(0, I), so that gradients reach both (Kingma and Welling, 2014)."""
        sigma = torch.exp(0.5 * log_var)
        return mean + sigma * torch.randn_like(sigma)

    def forward(self, images: Tensor, *labels: Tensor) -> VAEOutput:
        """Encode the images (N, C, H, W), draw a code for each, in evaluation mode too, and decode it.

        The best single reconstruction of an image is that of the mean: ``decode(encode(images)[0])``.
        """
        mean, log_var = self.encode(images, *labels)
        z = self.reparameterize(mean, log_var)
        reconstruction, logits = decode_with_logits(self, z, *labels)
        output = VAEOutput(reconstruction, mean, log_var, z)
        output.logits = logits
        return output

    @torch.no_grad()
    def sample(self, n: int, *labels: Tensor) -> Tensor:
        """Return n new images (n, C, H, W) in [0, 1]: decoded draws from the prior N(0, I)."""
        return self.decode(torch.randn(n, self.latent_dim, device=next(self.parameters()).device), *labels)


def decode_with_logits(model: nn.Module, *inputs: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return ``model.decode(z)`` and the logits that it is the sigmoid of, None for a model that decodes otherwise."""
    if type(model).decode is not Autoencoder.decode:
        return model.decode(*inputs), None
    logits = model.decode_logits(*inputs)
    return torch.sigmoid(logits), logits


class DenseVAE(VAE):
    """A fully connected VAE: the autoencoder of lesson 03 with twice as many outputs of the encoder (lesson 07).

    Its arguments are those of ``DenseAutoencoder``. Without hidden layers, it is linear up to the decoder's sigmoid.
    """

    def __init__(self, *, image_shape=(1, 28, 28), hidden=(256, 128), latent_dim=2):
        super().__init__(image_shape=image_shape, hidden=hidden, latent_dim=latent_dim)
        pixels = math.prod(image_shape)
        self.encoder = _dense_layers([pixels, *hidden, 2 * latent_dim])
        self.decoder = _dense_layers([latent_dim, *hidden[::-1], pixels])


class ConvVAE(VAE):
    """A convolutional VAE (lesson 08).

    With the defaults, (1, 28, 28) becomes (32, 14, 14), (64, 7, 7), 256 numbers, and mean and log_var, 16 numbers each.

    Args:
        image_shape, channels, latent_dim: as those of ``ConvAutoencoder``.
        blocks: residual blocks after each halving and before each doubling; more make a better and slower model.
        hidden: width of the dense layer on either side of the code.
    """

    def __init__(self, *, image_shape=(1, 28, 28), channels=(32, 64), blocks=0, hidden=256, latent_dim=16):
        arguments = {"channels": channels, "blocks": blocks, "hidden": hidden, "latent_dim": latent_dim}
        super().__init__(image_shape=image_shape, **arguments)
        down, size, up = _conv_layers(image_shape, channels, blocks)
        self.encoder = nn.Sequential(*down, nn.Linear(size, hidden), nn.SiLU(), nn.Linear(hidden, 2 * latent_dim))
        self.decoder = nn.Sequential(nn.Linear(latent_dim, hidden), nn.SiLU(), nn.Linear(hidden, size), *up)


class ConditionalVAE(VAE):
    """A convolutional VAE that is told the class of each image, so that its code is free for the rest (lesson 13).

    All its methods take labels (N,), class numbers from 0, as their second argument, or raise a ValueError. As a row of
    ``classes`` numbers, all 0 but one, the label joins the image's features and the code (Kingma et al., 2014,
    arXiv:1406.5298, model M2). Its arguments are those of ``ConvVAE``, and the number of ``classes``.
    """

    def __init__(self, *, image_shape=(1, 28, 28), classes=10, channels=(32, 64), hidden=256, latent_dim=16):
        arguments = {"channels": channels, "hidden": hidden, "latent_dim": latent_dim}
        super().__init__(image_shape=image_shape, classes=classes, **arguments)
        down, size, up = _conv_layers(image_shape, channels)
        self.features = nn.Sequential(*down)
        self.encoder = nn.Sequential(nn.Linear(size + classes, hidden), nn.SiLU(), nn.Linear(hidden, 2 * latent_dim))
        self.decoder = nn.Sequential(nn.Linear(latent_dim + classes, hidden), nn.SiLU(), nn.Linear(hidden, size), *up)

    def encode(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and log_var of q(z|x, y), each (N, latent_dim), for images (N, C, H, W) and labels (N,)."""
        check_batch(self, images, self.image_shape, "images")
        return at_least_float32(self.encoder(self._joined(self.features(images), labels))).chunk(2, dim=1)

    def decode_logits(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the logits (N, C, H, W) of the pixels for codes (N, latent_dim) and labels (N,)."""
        check_batch(self, codes, (self.latent_dim,), "codes")
        return at_least_float32(self.decoder(self._joined(codes, labels))).reshape(-1, *self.image_shape)

    def _joined(self, rows: Tensor, labels: Tensor | None) -> Tensor:
        labels = torch.as_tensor([] if labels is None else labels)
        one_hot = labels.to(rows.device).reshape(-1, 1) == torch.arange(self.classes, device=rows.device)
        # On a GPU, to look at the labels would make every training step wait.
        if labels.shape != rows.shape[:1] or (rows.device.type == "cpu" and not one_hot.any(1).all()):
            got = f"{labels.flatten().tolist()[:5]} in the shape {tuple(labels.shape)}" if labels.numel() else "none"
            wanted = f"labels of the shape ({len(rows)},), class numbers from 0 to {self.classes - 1}"
            raise ValueError(f"This model takes {wanted}, as its second argument, but got {got}.")
        return torch.cat([rows, one_hot.to(rows.dtype)], dim=1)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions whose result is added to their input, (N, C, H, W) → (N, C, H, W).

    At first it passes its input through unchanged, so that a deep model trains as easily as a shallow one. (He et al.,
    2016, "Identity mappings in deep residual networks", arXiv:1603.05027; Zhang et al., 2019, arXiv:1901.09321.)
    """

    def __init__(self, channels: int):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Return features + what the two convolutions make of them."""
        return features + self.second(F.silu(self.first(F.silu(features))))


class FaceVAE(VAE):
    """A convolutional VAE for colour images of faces (lesson 10).

    With the defaults, (3, 64, 64) becomes (256, 4, 4), and a mean and a log_var of 128 numbers each. Batch
    normalisation keeps the many layers trainable at a high learning rate.

    Args:
        image_shape, channels, latent_dim: as those of ``ConvAutoencoder``. The decoder has the channels in reverse,
            and half of the first after the last doubling.
        doubling: how the decoder doubles height and width: ``"nearest"`` repeats every pixel and then convolves;
            ``"transposed"`` is a transposed convolution. Another raises a ValueError.
    """

    def __init__(self, *, image_shape=(3, 64, 64), channels=(32, 64, 128, 256), latent_dim=128, doubling="nearest"):
        if doubling not in _DOUBLINGS:
            raise ValueError(f"There is no doubling {doubling!r}; choose one of: {', '.join(_DOUBLINGS)}.")
        super().__init__(image_shape=image_shape, channels=channels, latent_dim=latent_dim, doubling=doubling)
        small = _halved(image_shape, channels)
        down, up = [], []
        for size_in, size_out in itertools.pairwise([image_shape[0], *channels]):
            down += [nn.Conv2d(size_in, size_out, 4, stride=2, padding=1), nn.BatchNorm2d(size_out), nn.SiLU()]
        for size_in, size_out in itertools.pairwise([*channels[::-1], channels[0] // 2]):
            up += [nn.BatchNorm2d(size_in), nn.SiLU(), *_DOUBLINGS[doubling](size_in, size_out)]
        up += [nn.BatchNorm2d(size_out), nn.SiLU(), nn.Conv2d(size_out, image_shape[0], 3, padding=1)]
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(math.prod(small), 2 * latent_dim))
        self.decoder = nn.Sequential(nn.Linear(latent_dim, math.prod(small)), nn.Unflatten(1, small), *up)


_DOUBLINGS = {
    "nearest": lambda c, d: (nn.Upsample(scale_factor=2), nn.Conv2d(c, d, 3, padding=1)),
    "transposed": lambda c, d: (nn.ConvTranspose2d(c, d, 4, stride=2, padding=1),),
}


def _conv_layers(image_shape, channels, blocks: int = 0) -> tuple[list[nn.Module], int, list[nn.Module]]:
    """Return layers from images to feature maps, how many numbers these have, and layers from such numbers back."""
    small = _halved(image_shape, channels)
    down, up = [], []
    for size_in, size_out in itertools.pairwise([image_shape[0], *channels]):
        down += [nn.Conv2d(size_in, size_out, 4, stride=2, padding=1), nn.SiLU()]
        down += [ResidualBlock(size_out) for _ in range(blocks)]
        # Collected from the image inwards, and used in reverse.
        up += [nn.ConvTranspose2d(size_out, size_in, 4, stride=2, padding=1), nn.SiLU()]
        up += [ResidualBlock(size_out) for _ in range(blocks)]
    return [*down, nn.Flatten()], math.prod(small), [nn.Unflatten(1, small), *up[::-1]]


def _halved(image_shape: tuple[int, ...], channels: tuple[int, ...]) -> tuple[int, int, int]:
    """Return the shape of the last feature maps if images (C, H, W) are halved once for each number in ``channels``."""
    height, width = image_shape[1:]
    factor = 2 ** len(channels)
    if height % factor or width % factor:
        halved = f"{len(channels)} numbers in channels halve height and width so often"
        raise ValueError(f"{halved} that these must be multiples of {factor}, but are {height} and {width}.")
    return channels[-1], height // factor, width // factor


class _FlatInput(nn.Sequential):
    def forward(self, batch: Tensor) -> Tensor:
        return super().forward(batch.flatten(1))


def _dense_layers(widths: list[int]) -> nn.Sequential:
    """Linear layers from each width to the next, with a ReLU between them, but none after the last."""
    layers = [layer for pair in itertools.pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())]
    return _FlatInput(*layers[:-1])


def at_least_float32(values: Tensor) -> Tensor:
    """Undo mixed precision: bfloat16 has no number between 0.996 and 1, and rounds a logarithm by a percent."""
    return values if values.dtype == torch.float64 else values.float()


def check_batch(model: nn.Module, batch: Tensor, shape: tuple[int, ...], name: str) -> None:
    """Raise ValueError unless ``batch`` has the shape (N, *shape), and ``model``'s dtype and device."""
    weight, got = next(model.parameters()), type(batch).__name__
    if torch.is_tensor(batch):
        # Mixed precision converts whatever is no whole number by itself.
        mixed = batch.is_floating_point() and torch.is_autocast_enabled(weight.device.type)
        dtype = batch.dtype if mixed else weight.dtype
        if (batch.shape, batch.dtype, batch.device) == ((*batch.shape[:1], *shape), dtype, weight.device):
            return
        got = f"{tuple(batch.shape)}, {batch.dtype} on {batch.device}"
    wanted = f"(N, {', '.join(map(str, shape))}), {weight.dtype} on {weight.device}"
    advice = "; divide 8-bit images by 255" if "uint8" in got else ""
    raise ValueError(f"This model takes {name} of the shape {wanted}, but got {got}{advice}.")
