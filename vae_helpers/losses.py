"""Losses, on one scale: summed over the pixels of an image, one number per image."""

import math

import torch
from torch import Tensor, nn


def squared_error(reconstruction: Tensor, images: Tensor) -> Tensor:
    """Return the squared error of each image, summed over its pixels.

    .. math:: \\sum_j (\\hat x_j - x_j)^2

    Args:
        reconstruction: (N, C, H, W), any real numbers.
        images: (N, C, H, W), in [0, 1].

    Returns:
        (N,), in squared grey levels per image.

    Raises:
        ValueError: the shapes differ (PyTorch would quietly broadcast them), or the images are not in [0, 1]. The
            second is checked on a CPU only, because a GPU would have to wait for the answer.
    """
    check_images(reconstruction, images)
    return (reconstruction - images).square().flatten(1).sum(1)


def reconstruction_loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the (N,) squared errors of ``model(images)``: what a plain autoencoder minimises.

    It has the form that :func:`vae_helpers.train.fit` expects of a loss. The labels are not used.
    """
    return squared_error(model(images), images)


def kl_divergence(mean: Tensor, log_var: Tensor) -> Tensor:
    """Return the divergence of each code's Gaussian N(mean, exp(log_var)) from the prior N(0, I).

    .. math:: D_{KL} = \\frac12 \\sum_j \\left(\\mu_j^2 + \\sigma_j^2 - \\log \\sigma_j^2 - 1\\right)

    It is never negative, and 0 only where every mean is 0 and every variance 1. (Kingma and Welling, 2014,
    "Auto-encoding variational Bayes", arXiv:1312.6114, appendix B.)

    Args:
        mean: (N, latent_dim).
        log_var: (N, latent_dim), the logarithms of the variances σ².

    Returns:
        (N,), in nats per image, summed over the latent dimensions. This is the *rate*.

    Raises:
        ValueError: the shapes differ.
    """
    if mean.shape != log_var.shape:
        raise ValueError(
            f"mean has the shape {tuple(mean.shape)} and log_var has {tuple(log_var.shape)}; the two must be the same."
        )
    mean, log_var = mean.float(), log_var.float()  # exp of a bfloat16 number would be off by a percent
    # expm1(x) = exp(x) - 1 stays exact where log_var is close to 0, where exp(x) - 1 - x cancels.
    return 0.5 * (mean.square() + log_var.expm1() - log_var).sum(-1)


def reconstruction_nll(
    reconstruction: Tensor, images: Tensor, likelihood: str = "bernoulli", sigma: float | Tensor | str = 1.0
) -> Tensor:
    """Return -log p(x|z) of each image: how badly the decoder's output explains it.

    With x an image and x̂ its reconstruction, summed over the pixels j:

    .. math::
        \\text{bernoulli:}\\quad & -\\sum_j x_j \\log \\hat x_j + (1 - x_j) \\log (1 - \\hat x_j) \\\\
        \\text{gaussian:}\\quad & \\sum_j \\frac{(x_j - \\hat x_j)^2}{2 \\sigma^2}
            + \\log \\sigma + \\tfrac12 \\log 2 \\pi

    "bernoulli" is the likelihood of black-and-white images, x̂ being the probability that a pixel is white. For
    grey images it is used as a loss all the same, but then it is no logarithm of a probability. x̂ is kept within
    [1e-30, 1 - 2⁻²⁴], so that a pixel predicted wrongly with certainty costs many nats (69 or 17), but not infinitely
    many.

    Args:
        reconstruction: (N, C, H, W); for "bernoulli" in [0, 1], that is, after the sigmoid.
        images: (N, C, H, W), in [0, 1].
        likelihood: ``"bernoulli"`` or ``"gaussian"``.
        sigma: for "gaussian" the standard deviation of a pixel, in grey levels, a positive number. A tensor
            (such as ``log_sigma.exp()`` with a parameter ``log_sigma``) can be learnt, and can differ between
            pixels if it has a shape that broadcasts to the images'. ``"optimal"`` takes the σ that makes these images
            most likely, their root mean squared error, but at least 1/256, one step of an 8-bit grey level (Rybkin,
            Daniilidis and Levine, 2021, "Simple and effective VAE training with calibrated decoders",
            arXiv:2006.13202).

    Returns:
        (N,), in nats per image, with all constants. This is the *distortion*. For "gaussian" it can be negative,
        because a density can be more than 1.

    Raises:
        ValueError: the shapes differ, an unknown likelihood, or a number sigma ≤ 0. On a CPU also: the images (or the
            probabilities) are not in [0, 1].
    """
    check_images(reconstruction, images)
    reconstruction = reconstruction.float()
    if likelihood == "bernoulli":
        _check_probabilities(reconstruction)
        # Kept away from 0 and 1, where a logarithm and its gradient would be infinite.
        log_white = reconstruction.clamp_min(1e-30).log()
        log_black = (-reconstruction.clamp_max(1 - 2**-24)).log1p()
        return -(images * log_white + (1 - images) * log_black).flatten(1).sum(1)
    if likelihood == "gaussian":
        if isinstance(sigma, str) and sigma == "optimal":
            # Its derivative is 0 at the optimum, so nothing is lost by not following it.
            sigma = (images - reconstruction).detach().square().mean().sqrt().clamp_min(1 / 256)
        if isinstance(sigma, str):
            raise ValueError(f'sigma must be a number or "optimal", but is {sigma!r}.')
        if not torch.is_tensor(sigma) and not sigma > 0:
            raise ValueError(f"sigma must be more than 0, but is {sigma}.")
        sigma = torch.as_tensor(sigma, dtype=torch.float32, device=images.device)
        nll = 0.5 * ((images - reconstruction) / sigma).square() + sigma.log() + 0.5 * math.log(2 * math.pi)
        return nll.flatten(1).sum(1)
    raise ValueError(f"There is no likelihood {likelihood!r}; choose 'bernoulli' or 'gaussian'.")


def negative_elbo(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    *,
    beta: float = 1.0,
    likelihood: str = "bernoulli",
    sigma: float | Tensor | str = 1.0,
    binarize: bool = False,
) -> dict[str, Tensor]:
    """Return what a VAE minimises: distortion + β · rate, estimated with one draw of z per image.

    .. math:: -\\text{ELBO}(x) = E_{q(z|x)}[-\\log p(x|z)] + D_{KL}(q(z|x) \\,\\|\\, p(z)) \\ge -\\log p(x)

    It has the form that :func:`vae_helpers.train.fit` expects of a loss; for other settings wrap it, for example
    ``fit(model, digits, functools.partial(negative_elbo, beta=4), epochs=5)``. With ``beta`` other than 1 the loss
    is that of Higgins et al. (2017, "beta-VAE"), and not a bound of -log p(x).

    Args:
        model: a VAE: ``model(images)`` returns (reconstruction, mean, log_var, z).
        images: (N, C, H, W), in [0, 1].
        labels: not used.
        beta: the weight of the rate.
        likelihood: ``"bernoulli"`` or ``"gaussian"``, as in :func:`reconstruction_nll`.
        sigma: as in :func:`reconstruction_nll`.
        binarize: draw every pixel black or white first, with its grey level as the probability of white, anew in
            every call. Published numbers of nats for MNIST are for images made black and white in this way.

    Returns:
        (N,) tensors in nats per image: ``"loss"``, ``"rate"`` (the KL divergence) and ``"distortion"`` (the
        reconstruction's negative log-likelihood).

    Raises:
        ValueError: as :func:`reconstruction_nll`.
    """
    if binarize:
        images = torch.bernoulli(images)
    reconstruction, mean, log_var, _ = model(images)
    rate = kl_divergence(mean, log_var)
    distortion = reconstruction_nll(reconstruction, images, likelihood, sigma)
    return {"loss": distortion + beta * rate, "rate": rate, "distortion": distortion}


def check_images(reconstruction: Tensor, images: Tensor) -> None:
    """Raise ValueError unless both have one shape and the images lie in [0, 1]."""
    if reconstruction.shape != images.shape:
        raise ValueError(
            f"The reconstruction has the shape {tuple(reconstruction.shape)} and the images have "
            f"{tuple(images.shape)}; the two must be the same."
        )
    # On a GPU, reading the extremes would make every training step wait for the device.
    if images.device.type == "cpu" and images.numel():
        low, high = images.aminmax()
        if not (low >= 0 and high <= 1):
            raise ValueError(
                f"The images lie in [{low:.3g}, {high:.3g}], but must lie in [0, 1]; "
                "divide 8-bit images by 255, and do not standardise them."
            )


def _check_probabilities(reconstruction: Tensor) -> None:
    """Raise ValueError unless the reconstruction lies in [0, 1]. NaN passes, for ``fit`` to report."""
    if reconstruction.device.type == "cpu" and reconstruction.numel():
        low, high = reconstruction.detach().aminmax()
        if low < 0 or high > 1:
            raise ValueError(
                f"The reconstruction lies in [{low:.3g}, {high:.3g}], but for 'bernoulli' it must be probabilities in "
                "[0, 1]; put the logits through torch.sigmoid."
            )
