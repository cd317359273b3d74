"""Losses, on one scale: summed over the pixels of an image, one number per image."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_helpers.models import at_least_float32


def squared_error(reconstruction: Tensor, images: Tensor) -> Tensor:
    """Return the squared error of each image, (N,), summed over its pixels in squared grey levels: Σⱼ (x̂ⱼ − xⱼ)².

    Raises ValueError unless both have one shape, (N, C, H, W), and on a CPU, unless the images are in [0, 1].
    """
    _check_images(reconstruction, images)
    return (reconstruction - images).square().flatten(1).sum(1)


def reconstruction_loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the (N,) squared errors of ``model(images)``: what a plain autoencoder minimises, labels not used."""
    return squared_error(model(images), images)


def kl_divergence(mean: Tensor, log_var: Tensor) -> Tensor:
    """Return the *rate*, (N,) in nats per image: how far each code's Gaussian N(mean, exp(log_var)) is from N(0, I).

        D_KL = ½ Σⱼ (μⱼ² + σⱼ² − log σⱼ² − 1)

    It is never negative, and 0 only where every mean is 0 and every variance 1. It is infinite from a log_var of 89 on,
    where σ² is more than float32 can hold. (Kingma and Welling, 2014, "Auto-encoding variational Bayes",
    arXiv:1312.6114, appendix B.)

    Both are (N, latent_dim), log_var being the logarithms of σ²; another shape raises a ValueError.
    """
    _check_alike("mean", mean, "log_var", log_var)
    if mean.ndim != 2:
        raise ValueError(f"mean and log_var must have the shape (N, latent_dim), but have {tuple(mean.shape)}.")
    mean, log_var = at_least_float32(mean), at_least_float32(log_var)
    # expm1(x) = exp(x) - 1 stays exact where log_var is close to 0, where exp(x) - 1 - x cancels.
    return 0.5 * (mean.square() + log_var.expm1() - log_var).sum(-1)


def reconstruction_nll(
    reconstruction: Tensor, images: Tensor, likelihood="bernoulli", sigma: float | Tensor | str = 1.0, logits=None
) -> Tensor:
    """Return the *distortion* −log p(x|z), (N,) in nats per image: how badly the decoder's output explains each.

    With x an image and x̂ its reconstruction, summed over the pixels j:

        bernoulli:  −Σⱼ xⱼ log x̂ⱼ + (1 − xⱼ) log(1 − x̂ⱼ)
        gaussian:    Σⱼ (xⱼ − x̂ⱼ)² / 2σ² + log σ + ½ log 2π

    "bernoulli" is the likelihood of black-and-white images, x̂ being the probability that a pixel is white. For grey
    images it serves as a loss too, but is not the logarithm of a probability. Without logits, x̂ is kept within
    [1e-30, 1 − 2⁻²⁴]: a pixel predicted wrongly with certainty costs 69 or 17 nats, and has no gradient to learn from.
    All constants are there; "gaussian" can be negative, because a density can be more than 1.

    Args:
        reconstruction, images: (N, C, H, W), in [0, 1]; for "gaussian" the reconstruction may lie outside.
        likelihood: ``"bernoulli"`` or ``"gaussian"``.
        sigma: for "gaussian" the standard deviation of a pixel, in grey levels. A tensor can be learnt (such as
            ``log_sigma.exp()``), and can differ between pixels if its shape broadcasts to the images'. ``"optimal"``
            is the σ that makes these images most likely, their root mean squared error, but at least 1/256, one
            step of an 8-bit grey level (Rybkin, Daniilidis and Levine, 2021, arXiv:2006.13202).
        logits: (N, C, H, W), for "bernoulli": what the reconstruction is the sigmoid of, where that is known
            (``VAEOutput.logits``). The result is then exact and has a gradient, however certain the decoder is.

    Raises ValueError if the shapes differ, for an unknown likelihood, and for a number sigma ≤ 0. On a CPU also if the
    images (or the probabilities) are not in [0, 1], or a sigma in a tensor is ≤ 0.
    """
    _check_images(reconstruction, images)
    reconstruction = at_least_float32(reconstruction)
    if likelihood == "bernoulli" and logits is not None:
        return F.binary_cross_entropy_with_logits(logits, images, reduction="none").flatten(1).sum(1)
    if likelihood == "bernoulli":
        # NaN passes, for ``fit`` to report.
        _check_range("probabilities", reconstruction.detach().nan_to_num(0.5), "put the logits through torch.sigmoid")
        log_white = reconstruction.clamp_min(1e-30).log()
        log_black = (-reconstruction.clamp_max(1 - 2**-24)).log1p()
        return -(images * log_white + (1 - images) * log_black).flatten(1).sum(1)
    if likelihood != "gaussian":
        raise ValueError(f"There is no likelihood {likelihood!r}; choose 'bernoulli' or 'gaussian'.")
    sigma = _pixel_sigma(sigma, images, reconstruction)
    nll = 0.5 * ((images - reconstruction) / sigma).square() + sigma.log() + 0.5 * math.log(2 * math.pi)
    return nll.flatten(1).sum(1)


def _pixel_sigma(sigma: float | Tensor | str, images: Tensor, reconstruction: Tensor) -> Tensor:
    """Return sigma as a tensor that broadcasts to the images, or raise ValueError."""
    if isinstance(sigma, str):
        if sigma != "optimal":
            raise ValueError(f'sigma must be a number or "optimal", but is {sigma!r}.')
        # Its derivative is 0 at the optimum, so nothing is lost by not following it.
        return (images - reconstruction).detach().square().mean().sqrt().clamp_min(1 / 256)
    sigma = torch.as_tensor(sigma, dtype=at_least_float32(images).dtype)
    # A sigma that is learnt is for ``fit`` to judge, which can put it back.
    if sigma.device.type == "cpu" and not (sigma.requires_grad or (sigma > 0).all()):
        raise ValueError(f"sigma must be more than 0, but is {sigma.min():g}.")
    try:
        sigma.expand(images.shape)
    except RuntimeError:
        shape = tuple(sigma.shape)
        raise ValueError(f"sigma has the shape {shape}, which does not fit images of {tuple(images.shape)}.") from None
    return sigma.to(images.device)


def negative_elbo(
    model: nn.Module, images: Tensor, labels=None, *, beta=1.0, likelihood="bernoulli", sigma=1.0, binarize=False
) -> dict[str, Tensor]:
    """Return what a VAE minimises: distortion + β · rate, estimated with one draw of z per image.

        −ELBO(x) = E[−log p(x|z)] + D_KL(q(z|x) ‖ p(z)) ≥ −log p(x)    with z from q(z|x)

    The dict has (N,) tensors in nats per image: ``"loss"``, ``"rate"`` (``kl_divergence``) and ``"distortion"``
    (``reconstruction_nll``). To train with other settings, wrap it: ``functools.partial(negative_elbo, beta=4)``.

    Args:
        model: a VAE: ``model(images)`` returns (reconstruction, mean, log_var, z); else a ValueError is raised.
        images, likelihood, sigma: as in ``reconstruction_nll``. Only a ``ConditionalVAE`` uses the labels.
        beta: the weight of the rate. With another than 1 the loss (Higgins et al., 2017) is no bound of −log p(x).
        binarize: draw every pixel black or white first, with its grey level as the probability of white, anew in
            every call. Published numbers of nats for MNIST are for images made black and white in this way.
    """
    if binarize:
        _check_images(images, images)
        images = torch.bernoulli(images)
    output = model(images, labels) if hasattr(model, "classes") else model(images)
    if not isinstance(output, tuple) or len(output) != 4:
        got = f"{type(model).__name__} returns a {type(output).__name__}"
        advice = f"{got}; a plain autoencoder needs another loss, reconstruction_loss"
        raise ValueError(f"negative_elbo is for VAEs, which return (reconstruction, mean, log_var, z), but {advice}.")
    reconstruction, mean, log_var, _ = output
    rate = kl_divergence(mean, log_var)
    distortion = reconstruction_nll(reconstruction, images, likelihood, sigma, getattr(output, "logits", None))
    return {"loss": distortion + beta * rate, "rate": rate, "distortion": distortion}


def _check_alike(name: str, one: Tensor, other_name: str, other: Tensor) -> None:
    """Raise ValueError unless both have one shape (PyTorch would quietly broadcast them) and lie on one device."""
    if (one.shape, one.device) != (other.shape, other.device):
        shapes = [f"{tuple(each.shape)} on {each.device}" for each in (one, other)]
        raise ValueError(f"{name} has the shape {shapes[0]} and {other_name} {shapes[1]}; the two must be the same.")


def _check_images(reconstruction: Tensor, images: Tensor) -> None:
    """Raise ValueError unless both have one shape and the images are floats in [0, 1]."""
    if not torch.is_tensor(reconstruction):
        kind = type(reconstruction).__name__
        raise ValueError(f"The model returns a {kind}, not images; a VAE needs a VAE's loss, negative_elbo.")
    _check_alike("The reconstruction", reconstruction, "the batch of images", images)
    for values in (images, reconstruction):
        if not values.is_floating_point() or values.ndim < 2:
            got = f"{values.dtype} of the shape {tuple(values.shape)}"
            raise ValueError(f"Images must be a batch of floats in [0, 1], but are {got}; divide 8-bit images by 255.")
    _check_range("images", images, "divide 8-bit images by 255, and do not standardise them")


def _check_range(name: str, values: Tensor, advice: str) -> None:
    """Raise ValueError unless the values lie in [0, 1]."""
    # On a GPU, reading the extremes would make every training step wait for the device.
    if values.device.type == "cpu" and values.numel():
        low, high = values.detach().aminmax()
        if not (low >= 0 and high <= 1):
            raise ValueError(f"The {name} lie in [{low:.3g}, {high:.3g}], but must lie in [0, 1]; {advice}.")
