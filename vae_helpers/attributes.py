"""Face-attribute arithmetic: directions in the space of codes, and what moving along them changes (lesson 11)."""

import torch
from torch import Tensor, nn

from vae_helpers import evaluate, train
from vae_helpers.models import at_least_float32

METHODS = ("mean", "balanced", "probe")


def direction(latents: Tensor, labels: Tensor, method: str = "mean", others: Tensor | None = None) -> Tensor:
    """Return the step (latent_dim,) in code space that leads from faces without an attribute to faces with it.

    - ``"mean"``: the mean code of those with it, minus the mean code of those without (Larsen et al., 2016,
      "Autoencoding beyond pixels", arXiv:1512.09300).
    - ``"balanced"``: the same difference within every combination of the other attributes, averaged over the
      combinations by how many faces of both kinds these have, so that what usually comes along cancels out.
    - ``"probe"``: the normal of the plane by which logistic regression separates the two groups.

    "mean" and "probe" are as long as the way from the mean of one group to the mean of the other, measured along the
    direction: a strength of 1 is the usual difference between the groups. "balanced" is the usual difference between
    faces that are alike in the other attributes.

    Args:
        latents: (N, latent_dim), codes, usually the encoder's means.
        labels: (N,), 0/1 or boolean: who has the attribute. Some must, and some must not.
        others: (N, B), 0/1: for "balanced", the attributes to hold equal, a handful.

    Raises ValueError for an unknown method, codes or labels that are not as above, "balanced" without ``others``, and
    others of which no combination has faces both with and without the attribute.
    """
    if method not in METHODS:
        raise ValueError(f"There is no method {method!r}; choose one of: {', '.join(METHODS)}.")
    if latents.ndim != 2 or not latents.isfinite().all():
        raise ValueError(f"The codes must be finite and (N, latent_dim), but are {tuple(latents.shape)}.")
    latents = at_least_float32(latents)
    if labels.shape != latents.shape[:1] or set(labels.unique().tolist()) != {0, 1}:
        wanted = f"a label of 0 or 1 for each of the {len(latents)} codes, and some of both"
        got = f"{labels.unique().tolist()[:5]} in labels of the shape {tuple(labels.shape)}"
        raise ValueError(f"A direction needs {wanted}, but got {got}.")
    labels = labels.bool()
    if method == "balanced":
        return _balanced_difference(latents, labels, others)
    difference = latents[labels].mean(0) - latents[~labels].mean(0)
    if method == "mean":
        return difference
    from sklearn.linear_model import LogisticRegression

    # Both groups weigh the same. C is small because 128 numbers separate a few hundred faces by chance.
    probe = LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000)
    probe.fit(latents.cpu().numpy(), labels.cpu().numpy())
    normal = torch.tensor(probe.coef_[0], dtype=latents.dtype, device=latents.device)
    return normal * (normal @ difference) / (normal @ normal)


def _balanced_difference(latents: Tensor, labels: Tensor, others: Tensor | None) -> Tensor:
    if others is None or others.shape[:1] != labels.shape:
        raise ValueError('method="balanced" needs the labels of the other attributes, others=(N, B).')
    _, combination = others.unique(dim=0, return_inverse=True)
    total, weights = torch.zeros_like(latents[0]), 0.0
    for number in combination.unique():
        have, lack = (latents[(combination == number) & side] for side in (labels, ~labels))
        if len(have) and len(lack):
            weight = len(have) * len(lack) / (len(have) + len(lack))  # one over the difference's variance
            total, weights = total + weight * (have.mean(0) - lack.mean(0)), weights + weight
    if not weights:
        raise ValueError("No combination of the other attributes has faces both with and without this one.")
    return total / weights


def orthogonalize(d: Tensor, others: Tensor) -> Tensor:
    """Return what remains of a direction (latent_dim,) after its share along each of ``others`` is taken away.

    It is at a right angle to all of them, and shorter, so that the same effect usually needs a larger strength.

    Raises ValueError if the others are not (B, latent_dim), are as many as the code has dimensions, or depend on each
    other linearly, or if nothing would remain of ``d``.
    """
    d, others = at_least_float32(d), at_least_float32(others).to(d.device)
    if d.ndim != 1 or others.shape[1:] != d.shape:
        shapes = f"{tuple(d.shape)} and {tuple(others.shape)}"
        raise ValueError(f"d must be (latent_dim,) and others (B, latent_dim), but they are {shapes}.")
    if len(others) >= len(d):
        raise ValueError(f"At most {len(d) - 1} other directions can be taken away here, but got {len(others)}.")
    basis, mixture = torch.linalg.qr(others.T.to(d))
    # On the diagonal stands how much of each direction is not a combination of those before it.
    if (mixture.diagonal().abs() <= 1e-4 * others.norm(dim=1)).any():
        raise ValueError("One of the others is zero or a combination of the rest; leave it out.")
    rest = d - basis @ (basis.T @ d)
    if rest.norm() <= 1e-4 * d.norm():
        raise ValueError("Nothing remains of the direction: it is a combination of the others.")
    return rest


def edit(model: nn.Module, images: Tensor, d: Tensor, strength: float | Tensor) -> Tensor:
    """Encode images (N, C, H, W), add ``strength`` times ``d`` to their codes, and decode; a VAE's codes are the means.

    ``d`` is (latent_dim,), and the strength one number or (N,), of which 0 gives the plain reconstruction. Raises
    ValueError if the shapes are not these.
    """
    codes = evaluate.encode_all(model, images)
    strength = torch.as_tensor(strength, dtype=codes.dtype, device=codes.device)
    if d.shape != codes.shape[1:] or strength.numel() not in (1, len(codes)):
        got = f"they are {tuple(d.shape)} and {tuple(strength.shape)}"
        raise ValueError(f"d must be ({codes.shape[1]},) and strength one number or ({len(codes)},), but {got}.")
    return evaluate.decode_all(model, codes + strength.reshape(-1, 1) * d.to(codes))


def leakage(judge: nn.Module, before: Tensor, after: Tensor) -> Tensor:
    """Return how much an edit changed the probability of each attribute, (A,), from −1 to 1, in the eyes of a judge.

    The judge is a classifier that returns logits (N, A). ``before`` are the plain reconstructions (N, C, H, W), so that
    blur counts on neither side, and ``after`` the same faces edited; another number of them raises a ValueError.
    """
    if before.shape != after.shape:
        raise ValueError(f"before has the shape {tuple(before.shape)} and after {tuple(after.shape)}; pair them.")
    with train.measuring(judge):
        return (judge(after).sigmoid() - judge(before).sigmoid()).mean(0)
