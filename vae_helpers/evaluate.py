"""Is my loss good? Measures for trained models, on images that they have not seen."""

import html
import math

import numpy as np
import torch
from torch import Tensor, nn

from vae_helpers import losses, train
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import ImageSet
from vae_helpers.doctor import doctor as doctor
from vae_helpers.models import at_least_float32, decode_with_logits

# How many codes are decoded at once. On a CPU, more do not fit into its cache and take longer.
_CHUNK = {"cpu": 250, "cuda": 10_000, "mps": 10_000}


def encode_all(model: nn.Module, images: Tensor) -> Tensor:
    """Return the codes (N, latent_dim) of any number of images (N, C, H, W); those of a VAE are the means of q(z|x).

    The images may lie on any device; the codes stay on the model's, which is in evaluation mode meanwhile.
    """
    device = next(model.parameters()).device
    with train.measuring(model):
        encoded = [model.encode(part.to(device)) for part in images.split(500)]
    return torch.cat([part if torch.is_tensor(part) else part[0] for part in encoded])


def decode_all(model: nn.Module, codes: Tensor) -> Tensor:
    """Return the images (N, C, H, W) of any number of codes (N, latent_dim), in the same way as ``encode_all``."""
    device = next(model.parameters()).device
    with train.measuring(model):
        return torch.cat([model.decode(part.to(device)) for part in codes.split(500)])


def refine_codes(model: nn.Module, images: Tensor, steps: int = 20) -> Tensor:
    """Return better codes (N, latent_dim) of images (N, C, H, W) in [0, 1] than the encoder of a VAE gives.

    This closes the amortization gap in part (Cremer, Li and Duvenaud, 2018, arXiv:1801.03558). Every code starts at the
    encoder's mean and takes ``steps`` steps of Adam, each number in units of its own σ, as in the semi-amortized VAE
    of Kim et al. (2018, arXiv:1802.02550). Each image minimises −log p(x, z) with a Gaussian p(x|z) of its best σ:

        D/2 · log Σⱼ (xⱼ − x̂ⱼ)² + ½ Σᵢ zᵢ²    with D values j of the pixels, plus a constant

    Raises ValueError if the model is not a VAE, the images do not fit it, or steps is not a whole number of at least 1.
    """
    if not hasattr(model, "reparameterize"):
        raise ValueError(f"Only a VAE's codes can be refined, and {type(model).__name__} is none.")
    steps, device, refined = train.whole_number("steps", steps), next(model.parameters()).device, []
    with train.measuring(model):
        for part in images.split(100):
            part = part.to(device)
            mean, log_var = model.encode(part)
            offset = torch.zeros_like(mean, requires_grad=True)
            optimizer = torch.optim.Adam([offset], betas=(0.8, 0.95))
            for step in range(steps):
                optimizer.param_groups[0]["lr"] = 1 - step / steps
                with torch.enable_grad():
                    codes = mean + torch.exp(0.5 * log_var) * offset
                    error = losses.squared_error(model.decode(codes), part)
                    joint = math.prod(part.shape[1:]) / 2 * error.clamp_min(1e-9).log() + codes.square().sum(1) / 2
                    # Not backward(), which would leave gradients in the model's weights.
                    (offset.grad,) = torch.autograd.grad(joint.sum(), offset)
                optimizer.step()
            refined.append(mean + torch.exp(0.5 * log_var) * offset.detach())
    return torch.cat(refined)


def importance_weighted_nll(
    model: nn.Module, images: Tensor, k: int = 1000, *, likelihood="bernoulli", sigma: float | Tensor = 1.0, seed=0
) -> Tensor:
    """Estimate −log p(x), (N,) in nats per image, with k codes drawn from q(z|x) for each.

        −log( 1/k · Σᵢ p(x|zᵢ) p(zᵢ) / q(zᵢ|x) )    with z₁ … zₖ from q(z|x)

    Its expectation is an upper bound of −log p(x) that gets tighter with k. With k = 1 it is the −ELBO; with k of 1,000
    and more it is what papers report as the NLL. (Burda et al., 2016, arXiv:1509.00519.)

    Args:
        model: a VAE. It is measured in float32 and in evaluation mode.
        images: (N, C, H, W), in [0, 1]; for "bernoulli" black-and-white ones, as ``ImageSet.binarized`` makes.
        k: codes per image, a positive whole number.
        likelihood, sigma: as in ``losses.reconstruction_nll``, but sigma a number, or one for each pixel.
        seed: decides the draws; torch's own random numbers are left alone.

    Raises ValueError if the model is not a VAE, or the other arguments do not fit it.
    """
    k = train.whole_number("k", k)
    if not hasattr(model, "reparameterize") or isinstance(sigma, str):
        got = f"a {type(model).__name__} and a {type(sigma).__name__}"
        raise ValueError(f"The likelihood needs a VAE and a number sigma, but got {got}.")
    device, estimates = next(model.parameters()).device, []
    chunk = _CHUNK[device.type]
    with train.measuring(model, seed):
        for part in images.split(chunk):
            part = part.to(device)
            mean, log_var = model.encode(part)
            total, draws = torch.full((len(part),), -math.inf, device=device), max(1, chunk // max(1, len(part)))
            for start in range(0, k, draws):
                noise = torch.randn(min(draws, k - start), *mean.shape, device=device)
                z = mean + torch.exp(0.5 * log_var) * noise
                repeated = part.expand(len(noise), *part.shape).flatten(0, 1)
                reconstruction, logits = decode_with_logits(model, z.flatten(0, 1))
                nll = losses.reconstruction_nll(reconstruction, repeated, likelihood, sigma, logits)
                # log p(z) - log q(z|x); the two log(2π)/2 cancel.
                prior_minus_posterior = 0.5 * (noise.square() + log_var - z.square()).sum(-1)
                total = torch.logaddexp(total, (prior_minus_posterior - nll.view(noise.shape[:2])).logsumexp(0))
            estimates.append(math.log(k) - total)
    return torch.cat(estimates)


def active_units(mean: Tensor) -> Tensor:
    """Say which latent dimensions are used: (latent_dim,), boolean, from the encoder's means (N, latent_dim).

    They are those whose mean has a variance of more than 0.01 (Burda et al., 2016, arXiv:1509.00519, section 5.2).
    """
    return at_least_float32(mean).var(0) > 0.01


def frechet_distance(features: Tensor, others: Tensor) -> float:
    """Return how far two sets of feature vectors, (N, D) and (M, D), are apart, as if both were Gaussian.

        |m₁ − m₂|² + tr(S₁ + S₂ − 2 (S₁S₂)^½)    with the means m and covariances S

    It is 0 for equal Gaussians, and a little more for finite draws from equal ones, the more the fewer they are:
    compare only scores of equally many images. (Heusel et al., 2017, "GANs trained by a two time-scale update rule",
    arXiv:1706.08500. Their features are Inception's, so the numbers cannot be compared.) Raises ValueError if the
    features are not finite, of fewer than two images, or of different D.
    """
    if features.shape[1:] != others.shape[1:]:
        raise ValueError(f"Both need the same D, but are {tuple(features.shape)} and {tuple(others.shape)}.")
    return _gaussian_distance(*_mean_and_covariance(features), *_mean_and_covariance(others))


def _mean_and_covariance(features: Tensor) -> tuple[np.ndarray, np.ndarray]:
    array = features.detach().cpu().double().numpy()  # in this order, because Apple's GPUs have no float64
    if array.ndim != 2 or len(array) < 2 or not np.isfinite(array).all():
        raise ValueError(f"Features must be finite and (N, D), of two images at least, but are {array.shape}.")
    return array.mean(0), np.atleast_2d(np.cov(array, rowvar=False))


def _gaussian_distance(mean, covariance, other_mean, other_covariance) -> float:
    # The trace of (S₁S₂)^½ is the sum of the square roots of the eigenvalues of S₁S₂, which are real and not negative.
    roots = np.sqrt(np.linalg.eigvals(covariance @ other_covariance).real.clip(min=0))
    return float(np.square(mean - other_mean).sum() + np.trace(covariance + other_covariance) - 2 * roots.sum())


def scoreboard(entries: dict[str, nn.Module], images: ImageSet, *, k: int = 100) -> "Scoreboard":
    """Measure models on held-out images: a table of dicts with the keys of ``COLUMNS``, one for each model.

    Rate, distortion and NLL are for the images in black and white (``ImageSet.binarized``), the rest is for the images
    as they are. A cell stays empty where a measure means nothing: a plain autoencoder has no likelihood, and the sample
    score is for digits only, where the images themselves get a row too.

    Args:
        entries: name → model, on any device, VAEs and autoencoders mixed.
        images: held-out images with labels, at least 100, or a ValueError is raised. 1,000 are enough, but every tenth
            of MNIST's, ``subset(slice(None, None, 10))``: neighbours are often of one writer.
        k: codes per image, as in ``importance_weighted_nll``.
    """
    if len(images) < 100:
        raise ValueError(f"A scoreboard needs at least 100 images, but got {len(images)}.")
    board, are_digits = Scoreboard(), images.label_names == tuple("0123456789")
    for name, model in entries.items():
        pictures = images.floats.to(next(model.parameters()).device)
        with train.measuring(model):
            codes = encode_all(model, pictures)
            row = {"model": name, "probe_accuracy": linear_probe_accuracy(codes, images.labels)}
            row["squared_error"] = losses.squared_error(decode_all(model, codes), pictures).mean().item()
            if hasattr(model, "reparameterize"):
                black_and_white = images.binarized()
                elbo = train.measure(model, black_and_white, losses.negative_elbo)
                row |= {"neg_elbo": elbo["loss"], "rate": elbo["rate"], "distortion": elbo["distortion"]}
                row["nll"] = importance_weighted_nll(model, black_and_white.floats, k).mean().item()
                row["active_units"] = int(active_units(codes).sum())
                if are_digits:
                    row["frechet"] = _sample_score(model.sample(len(images)))
        board.append(row)
    if are_digits:
        board.append({"model": "the images themselves", "frechet": _sample_score(images.floats)})
    return board


def linear_probe_accuracy(codes: Tensor, labels: Tensor) -> float:
    """Return how often a linear classifier names the right class from the code, in 5-fold cross-validation.

    Args:
        codes: (N, latent_dim), or (N, C, H, W) if the code is a stack of feature maps. They must be finite.
        labels: (N,) class numbers, or (N, A) attributes; then the mean over the attributes of which two classes are
            seen at least five times, once in each fold. If there is none, the result is NaN.
    """
    if len(labels) != len(codes) or not codes.isfinite().all():
        raise ValueError(f"A probe needs finite codes and a label for each, but got {len(codes)} and {len(labels)}.")
    from sklearn import linear_model, model_selection, pipeline, preprocessing

    probe = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression(max_iter=1000))
    inputs = at_least_float32(codes).flatten(1).cpu().numpy()
    targets = labels.cpu().reshape(len(labels), -1).T.numpy()
    enough = [y for y in targets if (np.unique(y, return_counts=True)[1] >= 5).sum() > 1]
    scores = [model_selection.cross_val_score(probe, inputs, y, cv=5).mean() for y in enough]
    return float(np.mean(scores)) if scores else math.nan


@torch.no_grad()
def _sample_score(images: Tensor) -> float:
    """Return the Fréchet distance of images to MNIST's training images, in the features of the digit classifier."""
    judge = load_pretrained("digit_classifier")
    features = torch.cat([judge.features(part) for part in images.cpu().split(500)])
    real = judge.real_mean.double().numpy(), judge.real_covariance.double().numpy()
    return _gaussian_distance(*_mean_and_covariance(features), *real)


#: The scoreboard's columns: key → heading and number format.
COLUMNS = {
    "model": ("model", "{}"),
    "neg_elbo": ("−ELBO [nats]", "{:.2f}"),
    "rate": ("rate [nats]", "{:.2f}"),
    "distortion": ("distortion [nats]", "{:.2f}"),
    "nll": ("NLL [nats]", "{:.2f}"),
    "squared_error": ("squared error per image", "{:.2f}"),
    "active_units": ("active units", "{}"),
    "probe_accuracy": ("linear probe", "{:.1%}"),
    "frechet": ("samples: Fréchet distance", "{:.1f}"),
}


class Scoreboard(list):
    """A list of rows that shows itself as a table. Append a dict to add a row; what is missing or NaN shows as "–"."""

    def __repr__(self) -> str:
        lines = [[heading for heading, _ in COLUMNS.values()], ["---:"] * len(COLUMNS)]
        for row in self:
            cells = [(row.get(key, math.nan), style) for key, (_, style) in COLUMNS.items()]
            lines.append(["–" if value != value else style.format(value) for value, style in cells])  # NaN ≠ NaN
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(f"| {' | '.join(map(str.rjust, line, widths))} |" for line in lines)

    def _repr_markdown_(self) -> str:
        return html.escape(repr(self))
