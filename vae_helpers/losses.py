"""Losses, on one scale: summed over the pixels of an image, one number per image."""

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
        ValueError: the shapes differ (PyTorch would quietly broadcast them), or the images are not in [0, 1].
    """
    check_images(reconstruction, images)
    return (reconstruction - images).square().flatten(1).sum(1)


def reconstruction_loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the (N,) squared errors of ``model(images)``: what a plain autoencoder minimises.

    It has the form that :func:`vae_helpers.train.fit` expects of a loss. The labels are not used.
    """
    return squared_error(model(images), images)


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
