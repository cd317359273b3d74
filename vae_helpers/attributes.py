"""Face-attribute arithmetic: directions in the space of codes, and what moving along them changes (lesson 11)."""

import torch
from torch import Tensor, nn

from vae_helpers import evaluate, train
from vae_helpers.models import at_least_float32

METHODS = ("mean", "balanced", "probe")


def direction(latents: Tensor, labels: Tensor, method: str = "mean", others: Tensor | None = None) -> Tensor:
    """Return the step in code space that leads from faces without an attribute to faces with it.

    - ``"mean"``: the mean code of those with it, minus the mean code of those without (Larsen et al., 2016,
      "Autoencoding beyond pixels", arXiv:1512.09300).
    - ``"balanced"``: the same difference within every combination of the other attributes, averaged over the
      combinations, so that what usually comes along with the attribute cancels out. The more faces of both kinds a
      combination has, the more it counts.
    - ``"probe"``: the normal of the plane by which logistic regression separates the two groups.

    "mean" and "probe" are as long as the way from the mean of one group to the mean of the other, measured along the
    direction: a strength of 1 is the usual difference between the groups. "balanced" is the usual difference between
    faces that are alike in the other attributes.

    Args:
        latents: (N, latent_dim), codes, usually the encoder's means.
        labels: (N,), 0/1 or boolean: who has the attribute.
        method: see above.
        others: (N, B), 0/1: for "balanced", the attributes to hold equal, a handful.

    Returns:
        (latent_dim,).

    Raises:
        ValueError: an unknown method, codes that are not finite, nobody or everybody has the attribute, "balanced"
            without ``others``, or no combination of the others has faces both with and without the attribute.
    """
    if method not in METHODS:
        raise ValueError(f"There is no method {method!r}; choose one of: {', '.join(METHODS)}.")
    if latents.ndim != 2 or not latents.isfinite().all():
        raise ValueError(f"The codes must be finite and (N, latent_dim), but are {tuple(latents.shape)}.")
    latents = at_least_float32(latents)
    if labels.shape != latents.shape[:1] or set(labels.unique().tolist()) != {0, 1}:
        raise ValueError(
            f"A direction needs a label of 0 or 1 for each of the {len(latents)} codes, and some of both, but got "
            f"{labels.unique().tolist()[:5]} in labels of the shape {tuple(labels.shape)}."
        )
    labels = labels.bool()
    difference = latents[labels].mean(0) - latents[~labels].mean(0)
    if method == "mean":
        return difference
    if method == "balanced":
        return _balanced_difference(latents, labels, others)
    normal = _probe_normal(latents, labels)
    return normal * (normal @ difference) / (normal @ normal)


def _balanced_difference(latents: Tensor, labels: Tensor, others: Tensor | None) -> Tensor:
    if others is None or others.shape[:1] != labels.shape:
        raise ValueError('method="balanced" needs the labels of the other attributes, others=(N, B).')
    _, combination = others.unique(dim=0, return_inverse=True)
    differences, weights = [], []
    for number in combination.unique():
        have = latents[(combination == number) & labels]
        lack = latents[(combination == number) & ~labels]
        if len(have) and len(lack):
            differences.append(have.mean(0) - lack.mean(0))
            weights.append(len(have) * len(lack) / (len(have) + len(lack)))  # one over the difference's variance
    if not differences:
        raise ValueError("No combination of the other attributes has faces both with and without this one.")
    weights = torch.tensor(weights, device=latents.device)
    return (torch.stack(differences) * weights[:, None]).sum(0) / weights.sum()


def _probe_normal(latents: Tensor, labels: Tensor) -> Tensor:
    from sklearn.linear_model import LogisticRegression

    # Both groups weigh the same, however rare the attribute. C is small because 128 numbers separate a few hundred
    # faces by chance.
    probe = LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000)
    probe.fit(latents.cpu().numpy(), labels.cpu().numpy())
    return torch.tensor(probe.coef_[0], dtype=latents.dtype, device=latents.device)


def orthogonalize(d: Tensor, others: Tensor) -> Tensor:
    """Return what remains of a direction after its share along other directions is taken away.

    The rest is shorter than ``d``, so the same effect usually needs a larger strength.

    Args:
        d: (latent_dim,).
        others: (B, latent_dim), linearly independent.

    Returns:
        (latent_dim,), at a right angle to every one of ``others``.

    Raises:
        ValueError: the others have another shape, are as many as the code has dimensions, or depend on each other, or
            nothing would remain of ``d``.
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
    """Encode images, move their codes along a direction, and decode.

    Args:
        model: a VAE, whose means are the codes, or an autoencoder. Nothing is drawn.
        images: (N, C, H, W), in [0, 1].
        d: (latent_dim,).
        strength: how many times ``d`` is added: one number, or (N,). 0 gives the plain reconstruction.

    Returns:
        (N, C, H, W), in [0, 1].

    Raises:
        ValueError: ``d`` is not a direction of this model's codes, or the strengths are not one or N.
    """
    codes = evaluate.encode_all(model, images)
    strength = torch.as_tensor(strength, dtype=codes.dtype, device=codes.device)
    if d.shape != codes.shape[1:] or strength.numel() not in (1, len(codes)):
        raise ValueError(
            f"d must be ({codes.shape[1]},) and strength one number or ({len(codes)},), but they are {tuple(d.shape)} "
            f"and {tuple(strength.shape)}."
        )
    return evaluate.decode_all(model, codes + strength.reshape(-1, 1) * d.to(codes))


def leakage(judge: nn.Module, before: Tensor, after: Tensor) -> Tensor:
    """Return how much an edit changed every attribute, in the eyes of an independent classifier.

    Args:
        judge: a classifier that returns logits (N, A), such as ``judges.AttributeClassifier``.
        before: (N, C, H, W), the plain reconstructions, so that blur counts on neither side.
        after: (N, C, H, W), the same faces edited.

    Returns:
        (A,), the mean change of the judge's probability for each attribute, from -1 to 1.

    Raises:
        ValueError: the faces before and after are not equally many.
    """
    if before.shape != after.shape:
        raise ValueError(f"before has the shape {tuple(before.shape)} and after {tuple(after.shape)}; pair them.")
    with train.measuring(judge):
        return (judge(after).sigmoid() - judge(before).sigmoid()).mean(0)
