"""Answers that were written before the engine of the checks was finished, and kept aside until then.

Right ones written in other ways, and wrong ones with a regular expression for the message.
"""

import itertools
import math

import numpy as np
import torch
from torch import nn

from vae_helpers import checks


def pca_module(images, mean, components):
    centred = images.double() - mean
    return (components.double().T @ (components.double() @ centred.T)).T + mean


def needed_by_loop(variances, share):
    total, running = sum(variances.tolist()), 0.0
    for count, variance in enumerate(variances.tolist()):
        running += variance
        if running >= share * total * (1 - 1e-9):
            return count + 1


def layers_of(widths):
    encoder = nn.Sequential(*[nn.Linear(a, b) for a, b in itertools.pairwise(widths)])
    decoder = nn.Sequential(*[nn.Linear(b, a) for a, b in itertools.pairwise(widths)])
    return sum(p.numel() for p in nn.ModuleList([encoder, decoder]).parameters())


def unfold_convolve(image, kernel):
    k = len(kernel)
    return torch.einsum("hwij,ij->hw", image.unfold(0, k, 1).unfold(1, k, 1), kernel)


def numpy_ssim(x, y):
    x, y = x.numpy().astype(float).ravel(), y.numpy().astype(float).ravel()
    cov = np.cov(x, y, bias=True)
    first = (2 * x.mean() * y.mean() + 1e-4) / (x.mean() ** 2 + y.mean() ** 2 + 1e-4)
    return first * (2 * cov[0, 1] + 9e-4) / (cov[0, 0] + cov[1, 1] + 9e-4)


def by_squares(seen, table, sigma):
    logits = (seen @ table.T - table.square().sum(1) / 2) / sigma**2  # what depends on `seen` alone cancels
    weights = torch.exp(logits - torch.logsumexp(logits, 1, keepdim=True))
    return torch.einsum("nm,md->nd", weights, table)


def mix_by_loop(clean, noise, snr):
    mixed = []
    for c, n, decibels in zip(clean, noise, torch.as_tensor(snr).expand(len(clean), 1), strict=True):
        factor = torch.sqrt((c**2).sum() / (n**2).sum() / 10 ** (decibels / 10))
        mixed.append(c + factor * n)
    return torch.stack(mixed)


def kl_by_loop(mean, log_var):
    total = torch.zeros(len(mean), dtype=mean.dtype)
    for j in range(mean.shape[1]):
        sigma = torch.exp(log_var[:, j]) ** 0.5
        total = total + (sigma**2 + mean[:, j] ** 2 - 1) / 2 - torch.log(sigma)
    return total


def kl_in_float64(mean, log_var):
    mean, log_var = mean.double(), log_var.double()
    return (0.5 * (mean.pow(2) + log_var.exp() - 1 - log_var)).sum(-1)


class Rates(nn.Module):
    def forward(self, mean, log_var):
        return -0.5 * torch.mean(1 + log_var - mean**2 - torch.exp(log_var), dim=0)


def bound(log_w):
    return -torch.logsumexp(log_w - math.log(log_w.shape[0]), dim=0)


def group_means(latents, labels):
    with_it = [z for z, y in zip(latents, labels, strict=True) if y]
    without = [z for z, y in zip(latents, labels, strict=True) if not y]
    return sum(with_it) / len(with_it) - sum(without) / len(without)


RIGHT = [
    (checks.pca_reconstruction, pca_module),
    (checks.components_needed, needed_by_loop),
    (
        checks.components_needed,
        lambda v, share: next(k for k in range(1, len(v) + 1) if v[:k].sum() / v.sum() >= share - 1e-6),
    ),
    (
        checks.ppca_draw,
        lambda z, e, m, c, v, s2: torch.einsum("nk,k,kd->nd", z, torch.sqrt(v - s2), c) + m + math.sqrt(s2) * e,
    ),
    (checks.dense_parameters, layers_of),
    (checks.correlated_codes, lambda m, c, e: (torch.linalg.cholesky(c) @ e.T + m[:, None]).T),
    (checks.convolution_size, lambda n, k, s, p: math.floor((n + 2 * p - k) / s) + 1),
    (checks.convolution_size, lambda n, k, s, p: len(range(0, n + 2 * p - k + 1, s))),
    (checks.convolve, unfold_convolve),
    (checks.transposed_size, lambda n, k, s, p, extra: n * s - s - p - p + k + extra),
    (checks.convolution_parameters, lambda c, d, k, h, w: nn.Conv2d(c, d, k).weight.numel() + d),
    (checks.window_ssim, numpy_ssim),
    (checks.best_guess, by_squares),
    (checks.mix_at_snr, mix_by_loop),
    (checks.residual_loss, lambda m, noisy, x: (x - (noisy - m(noisy))).pow(2).sum(dim=(1, 2, 3))),
    (
        checks.sparsity_penalty,
        lambda h, rho: (
            -rho * h.mean(0).log()
            - (1 - rho) * (1 - h.mean(0)).log()
            + rho * math.log(rho)
            + (1 - rho) * math.log(1 - rho)
        ).sum(),
    ),
    (checks.sigmoid_jacobian, lambda h, w: torch.stack([(torch.diag(a * (1 - a)) @ w).pow(2).sum() for a in h])),
    (checks.kl_divergence, kl_by_loop),
    (checks.kl_divergence, kl_in_float64),
    (checks.unit_rates, Rates()),
    (checks.optimal_sigma, lambda r, x: np.sqrt(np.mean((r.numpy() - x.numpy()) ** 2))),
    (checks.importance_weighted, bound),
    (checks.importance_weighted, lambda log_w: -(log_w.double().exp().mean(0).log())),
    (checks.nats_gained, lambda b, a, v: v * (math.log(math.sqrt(b)) - math.log(math.sqrt(a)))),
    (checks.mixture_draw, lambda c, e, m, f: torch.einsum("nij,nj->ni", f[c], e).add(m[c])),
    (checks.mean_difference, group_means),
    (
        checks.balanced_difference,
        lambda z, y, o: torch.stack([group_means(z[g], y[g]) for g in (o, ~o)]).mean(dim=0),
    ),
]


def centred_in_place(images, mean, components):
    images -= mean
    return images @ components.T @ components + mean


def halves_kept(variances, share):
    count = 0
    while variances[:count].sum() / variances.sum() <= share:
        count += 1
    return count


def kernel_loop_off_by_one(image, kernel):
    k = len(kernel)
    out = torch.zeros(image.shape[0] - k, image.shape[1] - k)
    for i in range(len(out)):
        for j in range(out.shape[1]):
            out[i, j] = (kernel * image[i : i + k, j : j + k]).sum()
    return out


def remembers(mean, log_var, seen=[]):  # noqa: B006
    seen.append(1)
    return kl_in_float64(mean, log_var) * len(seen)


def rounded(mean, log_var):
    return torch.round(kl_in_float64(mean, log_var), decimals=1)


def cut_off(mean, log_var):
    return kl_in_float64(mean, log_var.clamp(-1, 1))


WRONG = [
    (checks.pca_reconstruction, centred_in_place, "in place"),
    (checks.pca_reconstruction, lambda x, m, c: (x @ c.T - m @ c.T) @ c, r"mean"),
    (checks.pca_reconstruction, lambda x, m, c: m + (x - m) @ c[:1].T @ c[:1], r"component"),
    (checks.pca_reconstruction, lambda x, m, c: (m + (x - m) @ c.T @ c).clamp(0, 1), r"cut off|clamp"),
    (checks.components_needed, halves_kept, r"loop that never ends"),
    (checks.components_needed, lambda v, share: float(needed_by_loop(v, share)), "whole number"),
    (checks.components_needed, lambda v, share: needed_by_loop(v, 0.9), r"share"),
    (
        checks.ppca_draw,
        lambda z, e, m, c, v, s2: m + (z * (v - s2).sqrt()) @ c + s2**0.5 * torch.randn_like(e),
        r"random|Two calls|noise",
    ),
    (checks.ppca_draw, lambda z, e, m, c, v, s2: m + (z + (v - s2).sqrt()) @ c + s2**0.5 * e, r"`z`|scale|variances"),
    (checks.dense_parameters, lambda w: layers_of(w) - w[-1], r"bias|widths"),
    (checks.dense_parameters, lambda w: 2 * (w[0] * w[1]) + w[0] + w[1], r"Right for"),
    (
        checks.correlated_codes,
        lambda m, c, e: m + e @ torch.linalg.inv(torch.linalg.cholesky(c)).T,
        r"inverse|returned",
    ),
    (
        checks.correlated_codes,
        lambda m, c, e: m + torch.randn(e.shape) @ torch.linalg.cholesky(c).T,
        r"random|Two calls|eps",
    ),
    (checks.convolution_size, lambda n, k, s, p: round((n + 2 * p - k) / s + 1), r"Right for|round"),
    (checks.convolution_size, lambda n, k, s, p: (n + 2 * p - k + 1) // s, r"Right for|\+ 1|start"),
    (checks.convolution_size, lambda n, k, s, p: (n + 2 * p - k) // s + 1.0, "whole number"),
    (checks.convolve, kernel_loop_off_by_one, r"one more place"),
    (checks.transposed_size, lambda n, k, s, p, extra: (n - 1) * s + k + extra, r"padding"),
    (checks.transposed_size, lambda n, k, s, p, extra: (n - 1) * s - 2 * p + extra, r"kernel"),
    (checks.convolution_parameters, lambda c, d, k, h, w: d * c * k * k + 1, r"Right for"),
    (checks.convolution_parameters, lambda c, d, k, h, w: c * (d * k * k + 1), r"places|channel"),
    (checks.window_ssim, lambda x, y: numpy_ssim(x, y) ** 0.5, r"root"),
    (
        checks.window_ssim,
        lambda x, y: torch.corrcoef(torch.stack([x.ravel(), y.ravel()]))[0, 1],
        r"nan|c1|constants|returned",
    ),
    (checks.window_ssim, lambda x, y: (1 + numpy_ssim(x, y)) / 2, r"returned|half"),
    (checks.best_guess, lambda seen, table, sigma: by_squares(seen, table, 1), r"`sigma`|returned"),
    (checks.best_guess, lambda seen, table, sigma: seen, r"seen|depend|returned"),
    (checks.best_guess, lambda seen, table, sigma: table.mean(0).expand_as(seen), r"averaged"),
    (checks.mix_at_snr, lambda c, n, snr: c + n * (c.norm(dim=1, keepdim=True) / n.norm(dim=1, keepdim=True)), r"snr"),
    (
        checks.mix_at_snr,
        lambda c, n, snr: c + n * c.std(1, keepdim=True) / n.std(1, keepdim=True) * 10 ** (-snr / 20),
        r"returned|mean|std",
    ),
    (checks.mix_at_snr, lambda c, n, snr: c + n * mix_by_loop(c, n, snr), r"returned|noise"),
    (checks.residual_loss, lambda m, noisy, x: (m(noisy) - (noisy - x)).square().mean((1, 2, 3)), r"mean|factor"),
    (
        checks.residual_loss,
        torch.no_grad()(lambda m, noisy, x: (noisy - m(noisy) - x).square().sum((1, 2, 3))),
        "gradient",
    ),
    (checks.sparsity_penalty, lambda h, rho: (rho - h.mean(0)).square().sum(), r"returned|square"),
    (checks.sparsity_penalty, lambda h, rho: h.abs().sum(), r"rho"),
    (checks.sigmoid_jacobian, lambda h, w: ((h * (1 - h)) @ w).square().sum(1), r"returned|square"),
    (checks.sigmoid_jacobian, lambda h, w: ((h * (1 - h)).square() @ w.square()).sum(0), r"shape|images|dimension"),
    (checks.kl_divergence, remembers, r"Two calls"),
    (checks.kl_divergence, rounded, r"round|gradient|Right for"),
    (checks.kl_divergence, cut_off, r"Right for|log_var"),
    (checks.kl_divergence, kl_in_float64(torch.zeros(2, 2), torch.zeros(2, 2)), r"without brackets|itself"),
    (checks.kl_divergence, lambda mean, log_var: kl_in_float64(log_var, mean), r"places"),
    (
        checks.kl_divergence,
        lambda mean, log_var: 0.5 * (mean**2 + log_var.exp() - log_var - 1).sum(0),
        r"shape|dimension|image",
    ),
    (
        checks.kl_divergence,
        lambda mean, log_var: 0.5 * (mean**2 + log_var**2 - log_var.log() - 1).sum(1),
        r"nan|logarithm",
    ),
    (checks.unit_rates, lambda m, lv: 0.5 * (m**2 + lv.exp() - lv - 1).sum(0) / m.shape[1], r"multiple"),
    (checks.unit_rates, lambda m, lv: 0.5 * (m.mean(0) ** 2 + (lv.exp() - lv - 1).mean(0)), r"mean"),
    (checks.optimal_sigma, lambda r, x: (r - x).mean().square().sqrt(), r"square|returned"),
    (checks.optimal_sigma, lambda r, x: (r - x).square().median().sqrt(), r"mean|returned"),
    (checks.importance_weighted, lambda lw: -(lw - lw.max()).exp().mean(0).log() - lw.max(), r"inf|largest"),
    (checks.importance_weighted, lambda lw: -lw.logsumexp(0) / len(lw), r"divide|k"),
    (checks.nats_gained, lambda b, a, v: v // 2 * math.log(b / a), r"Right for"),
    (checks.nats_gained, lambda b, a, v: v * 0.5 * math.log(b) / math.log(a), r"returned|log"),
    (
        checks.mixture_draw,
        lambda c, e, m, f: m[c] + (f @ e[:, None, :, None]).sum((1, 3)),
        r"lump|chosen|returned|factors",
    ),
    (
        checks.mixture_draw,
        lambda c, e, m, f: m[c] + torch.einsum("nij,nj->ni", f[c], torch.randn_like(e)),
        r"random|Two calls|noise",
    ),
    (checks.mean_difference, lambda z, y: z[y].median(0).values - z[~y].median(0).values, r"returned"),
    (checks.mean_difference, lambda z, y: group_means(z, ~y), r"sign|minus"),
    (checks.balanced_difference, lambda z, y, o: group_means(z, y) - group_means(z, o), r"returned|group"),
    (checks.balanced_difference, lambda z, y, o: z[y & o].mean(0) - z[~y & ~o].mean(0), r"returned|group"),
]
