"""Answers to the exercises of lesson 02: right ones, and typical mistakes with words of the message."""

import numpy as np
import torch

from vae_helpers import checks


def needed(variances, share):
    """How many components, found by walking, with none of the check's own code."""
    kept, total = 0.0, float(variances.sum())
    for number, variance in enumerate(variances.tolist(), start=1):
        kept += variance
        if kept / total >= share:
            return number


def by_svd(images):
    return np.linalg.svd((images - images.mean(0)).numpy())[2]


def by_sorting(images):
    variances, vectors = torch.linalg.eigh(torch.cov(images.T))
    return vectors[:, variances.argsort(descending=True)].T


def eigenvectors(images):
    return torch.linalg.eigh(torch.cov(images.T))[1]


def drawn(z, noise, mean, components, variances, sigma2):
    weights = components.T @ torch.diag((variances - sigma2) ** 0.5)
    return torch.stack([mean + weights @ one + sigma2**0.5 * e for one, e in zip(z, noise, strict=True)])


RIGHT = [
    (checks.principal_components, by_svd),
    (checks.principal_components, by_sorting),
    (checks.principal_components, lambda images: -eigenvectors(images).T.flip(0)),
    (checks.pca_reconstruction, lambda x, m, c: sum(torch.outer((x - m) @ v, v) for v in c) + m),
    (checks.pca_reconstruction, lambda x, m, c: ((x - m).numpy() @ c.numpy().T) @ c.numpy() + m.numpy()),
    (checks.components_needed, needed),
    (checks.components_needed, lambda v, share: np.searchsorted((v.cumsum(0) / v.sum()).numpy(), share) + 1),
    (checks.ppca_draw, drawn),
]

WRONG = [
    (checks.principal_components, lambda images: ..., "returns nothing yet"),
    (checks.principal_components, lambda x: torch.linalg.eigh(x.T @ x)[1].T.flip(0), "did not centre"),
    (checks.principal_components, lambda x: eigenvectors(x).T, "smallest variance first"),
    (checks.principal_components, eigenvectors, "in columns"),
    (checks.principal_components, lambda x: eigenvectors(x).flip(0), "transpose it first"),
    (checks.principal_components, lambda x: by_sorting(x).T, "in the columns: transpose"),
    (checks.principal_components, lambda x: torch.linalg.eigh(torch.cov(x.T)), "linalg_eigh"),
    (checks.principal_components, lambda x: eigenvectors(x.T).T.flip(0), "shape"),
    (checks.principal_components, lambda x: by_sorting(x)[:1], "shape"),
    (checks.principal_components, lambda x: 2 * by_sorting(x), "2 times"),
    (checks.pca_reconstruction, lambda *arguments: ..., "returns nothing yet"),
    (checks.pca_reconstruction, lambda x, m, c: (x - m) @ c.T @ c, "`mean` is subtracted once too often"),
    (checks.pca_reconstruction, lambda x, m, c: x @ c.T @ c + m, "forgot to subtract the mean"),
    (checks.pca_reconstruction, lambda x, m, c: x @ c.T @ c, "`mean` were left out"),
    (checks.pca_reconstruction, lambda x, m, c: (x - x.mean(0)) @ c.T @ c + x.mean(0), "argument `mean`"),
    (checks.pca_reconstruction, lambda x, m, c: (x - m) @ c.T, "return the codes"),
    (checks.pca_reconstruction, lambda x, m, c: x @ c.T, "returns the shape"),
    (checks.pca_reconstruction, lambda x, m, c: x - m - (x - m) @ c.T @ c, "return the error"),
    (checks.pca_reconstruction, lambda x, m, c: x - (m + (x - m) @ c.T @ c), "return the error"),
    (checks.pca_reconstruction, lambda x, m, c: (x - m) @ c.T @ c - m, "`mean` is subtracted where it should be added"),
    (checks.pca_reconstruction, lambda x, m, c: x, "`images` comes back as it was given"),
    (checks.pca_reconstruction, lambda x, m, c: (x - m) @ c @ c.T + m, "stopped with RuntimeError"),
    (checks.pca_reconstruction, lambda x, m, c: 2 * m + (x - m) @ c.T @ c, "`mean` is added once too often"),
    (checks.components_needed, lambda *arguments: ..., "returns nothing yet"),
    (checks.components_needed, lambda v, share: needed(v, share) - 1, "too small by 1"),
    (checks.components_needed, lambda v, share: needed(v, share) + 1, "too large by 1"),
    (checks.components_needed, lambda v, share: needed(v**2, share), "`variances` were squared"),
    (checks.components_needed, lambda v, share: needed(v**0.5, share), "Your function returns nothing for variances ="),
    (checks.components_needed, lambda v, share: needed(v, 1 - share), "1 minus `share` were used"),
    (checks.components_needed, lambda v, share: int((v.cumsum(0) < share).sum()) + 1, "divide by their total"),
    (checks.components_needed, lambda v, share: needed(v.flip(0), share), "`variances` were read from the end"),
    (checks.components_needed, lambda v, share: int((v / v.sum() >= share).sum()), "share each"),
    (checks.components_needed, lambda v, share: round(len(v) * share), "share of all components"),
    (checks.components_needed, lambda v, share: v[: needed(v, share)].sum() / v.sum(), "return a whole number"),
    (checks.components_needed, lambda v, share: len(v), "`share` were left out"),
    (checks.components_needed, lambda v, share: v.cumsum(0) / v.sum(), "shape"),
    (checks.ppca_draw, lambda *arguments: ..., "returns nothing yet"),
    (checks.ppca_draw, lambda z, e, m, c, v, s2: m + z * (v - s2).sqrt() @ c + s2 * e, "noise with σ²"),
    (checks.ppca_draw, lambda z, e, m, c, v, s2: m + z * (v - s2) @ c + s2**0.5 * e, "z with λ − σ²"),
    (checks.ppca_draw, lambda z, e, m, c, v, s2: m + z * (v - s2) @ c + s2 * e, "Both scales"),
    (checks.ppca_draw, lambda z, e, m, c, v, s2: m + z * v.sqrt() @ c + s2**0.5 * e, "vary too much"),
    (
        checks.ppca_draw,
        lambda z, e, m, c, v, s2: z * (v - s2).sqrt() @ c + s2**0.5 * e,
        "`mean` is subtracted once too often",
    ),
    (checks.ppca_draw, lambda z, e, m, c, v, s2: m + z * (v - s2).sqrt() @ c, "`noise` were left out"),
    (checks.ppca_draw, lambda z, e, m, c, v, s2: m + z @ c + s2**0.5 * e, "does not depend on `variances`"),
    (checks.ppca_draw, lambda z, e, m, c, v, s2: m + z * (v - s2).sqrt() @ c + e, "right if `noise` were 0"),
    (checks.ppca_draw, lambda z, e, m, c, v, s2: m + z * v @ c + s2 * e, "returned"),
]
