# %% [markdown]
# # Deeper · The wrong noise
#
# In [lesson 05](../05_denoising_autoencoders.ipynb) we knew the noise, and trained with it. In real use it is weaker or
# stronger than expected, or there is no picture behind it at all, or it differs from pixel to pixel. What do filters and
# networks do then, and how can one help them? The networks are U-Nets with 8 maps at full size, as for the lesson's digits.

# %%
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from skimage.filters import median
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle
from torch import nn

from vae_helpers import plots
from vae_helpers.data import load_digits, load_xrays
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.losses import squared_error
from vae_helpers.train import fit
from vae_helpers.unet import UNet

plots.use_course_style()
device = pick_device()

# %% [markdown]
# ## 1 · A specialist, and one for all levels
#
# Two kinds of network are trained on digits with Gaussian noise. The **specialist** sees nothing but $\sigma = 0.5$, the
# **generalist** sees all levels from 0.1 to 0.8. Everything else is the same, the number of steps included. Beside them
# stands total variation, the best of the lesson's filters against this noise, with its best setting for *each* level.
#
# **Predict.** Who is better at $\sigma = 0.5$, and by how much? Who at 0.1, and who at 1.6, where neither was trained? And
# what happens to a digit with no noise at all?


# %%
def gaussian(images, sigma):
    return images + sigma * torch.randn_like(images)


def special_loss(model, images, labels):
    return squared_error(model(gaussian(images, 0.5)), images)


def general_loss(model, images, labels):
    sigma = 0.1 + 0.7 * torch.rand(len(images), 1, 1, 1, device=images.device)
    return squared_error(model(gaussian(images, sigma)), images)


train_set = load_digits("train").subset(slice(0, budget(cpu=2_500, gpu=50_000)))
EPOCHS = budget(cpu=2, gpu=20)
networks = {"specialist": [], "generalist": []}
for seed in (0, 1, 2):
    for found, loss in zip(networks.values(), (special_loss, general_loss)):
        seed_everything(seed)
        model = nn.Sequential(UNet(width=8), nn.Sigmoid())
        fit(model, train_set, loss, epochs=EPOCHS, batch_size=32, lr=1e-2)
        found.append(model)


# %%
def psnr(pictures, originals):
    """Peak signal-to-noise ratio of each picture in dB, (N, C, H, W) → (N,)."""
    return -10 * (pictures - originals).square().flatten(1).mean(1).log10()


@torch.no_grad()
def by(model, images):
    return model(images.to(device)).cpu()


def some(dataset, count):
    """Images from all over a data set, (count, 1, 28, 28)."""
    return dataset.floats[torch.linspace(0, len(dataset) - 1, count).long()]


def tuned(clean, settings, noisy, originals):
    """The setting with which `clean(noisy, setting)` reaches the highest PSNR."""
    return max(settings, key=lambda setting: psnr(clean(noisy, setting), originals).mean())


# %% tags=["figure"]
# PSNR of specialists, generalists and total variation against the strength of the noise
FILTERS = {
    "median": lambda image, size: median(image, np.ones((size, size))),
    "total variation": lambda image, weight: denoise_tv_chambolle(image, weight=weight),
    "non-local means": lambda image, setting: denoise_nl_means(
        image, patch_size=setting[0], patch_distance=8, h=setting[1]
    ),
}


def filtered(name, images, setting):
    """The images (N, 1, H, W), each cleaned by a classical filter."""
    cleaned = [FILTERS[name](image, setting) for image in images[:, 0].double().numpy()]
    return torch.tensor(np.stack(cleaned))[:, None].float().clamp(0, 1)


LEVELS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.8, 1.1, 1.6)
WEIGHTS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.65, 0.9, 1.3)
digits, valid_digits = some(load_digits("test"), 100), some(load_digits("valid"), 15)
total_variation = partial(filtered, "total variation")
curves = {"noisy, as it is": [], "total variation": [], "specialist": [], "generalist": []}
seed_everything(2)
for sigma in LEVELS:
    noisy = gaussian(digits, sigma)
    weight = tuned(total_variation, WEIGHTS, gaussian(valid_digits, sigma), valid_digits)
    pictures = [[noisy.clamp(0, 1)], [total_variation(noisy, weight)]]
    pictures += [[by(model, noisy) for model in found] for found in networks.values()]
    for curve, several in zip(curves.values(), pictures):
        curve.append([psnr(x, digits).clamp(max=40).mean().item() for x in several])
figure, ax = plt.subplots(figsize=(9, 4.4))
ax.axvspan(0.1, 0.8, color="0.92")
ax.text(0.45, 38.5, "levels of the generalist", ha="center", va="top", color="0.4")
for (name, curve), color, line in zip(curves.items(), (0, 2, 4, 1), (":", "-.", "--", "-")):
    style = {"color": plots.COLORS[color], "linestyle": line, "marker": "o", "linewidth": 2}
    ax.plot(LEVELS, [np.mean(values) for values in curve], label=name, **style)
ax.set(
    title="Digits with less and with more noise than in the training",
    xlabel="standard deviation σ of the Gaussian noise (grey levels, 1 = white)",
    ylabel="PSNR (dB, cut at 40)",
    ylim=(3, 41),
)
ax.legend()
plots.show(
    figure,
    alt="PSNR against the noise level. The noisy picture falls steeply from 40 dB. The two networks meet near 0.5; below it the "
    "generalist lies far above the specialist. Total variation meets the generalist at 0.1 and lies below it at stronger noise.",
)
print("PSNR (dB), mean of three ± half the range")
for name in networks:
    cells = [f"{np.mean(v):5.1f} ± {(max(v) - min(v)) / 2:.1f}" for v in curves[name]]
    print(f"{name:12s}", "  ".join(f"σ {s}: {cell}" for s, cell in zip(LEVELS, cells)))

# %% tags=["claim"]
special, general = (
    [np.array(v) for v in curves[name]] for name in ("specialist", "generalist")
)
assert abs(special[4].mean() - general[4].mean()) < 1, (
    "about equal where the specialist was trained"
)
assert general[1].min() > special[1].max() + 0.5, "the specialist lags at weak noise"
assert general[5].mean() > special[5].mean() - 0.3, "and is not ahead at strong noise"
assert max(special[0].max(), general[0].max()) < 35, "clean digits are harmed"
assert general[7].max() < general[4].min() - 4, "too much is too much"

# %% [markdown]
# At $\sigma = 0.5$ the two are about equal, so that learning many levels costs little. With much weaker noise the specialist
# falls behind, because it cleans with the strength that it was trained for. So **train on a range**.
#
# On the left edge, where there is nothing to clean, both networks make the picture worse: clean inputs were not in their
# training, and they smooth away what they take for noise. On the right, beyond all training, everybody falls, the filter
# too, although it was told how strong the noise is.
#
# ## 2 · Noise, and nothing behind it
#
# **Predict.** We give a generalist pure noise of $\sigma = 0.8$, with no digit in it. What does it answer?

# %%
seed_everything(3)
nothing = gaussian(torch.zeros(8, 1, 28, 28), 0.8)
too_much = gaussian(digits[::13], 1.6)
generalist = networks["generalist"][0]


def ink(images):
    """How many white pixels' worth of ink a picture has, on average."""
    return images.flatten(1).sum(1).mean().item()


drawn, usual = ink(by(generalist, nothing)), ink(digits)

# %% tags=["figure"]
# Digits in much too strong noise, and noise without a digit, before and after cleaning
rows = {
    "truth": digits[::13],
    "σ = 1.6": too_much.clamp(0, 1),
    "cleaned": by(generalist, too_much),
    "no digit, σ = 0.8": nothing.clamp(0, 1),
    "cleaned ": by(generalist, nothing),
}
plots.show(
    plots.image_rows(rows, "Too much noise, and nothing but noise"),
    alt="Eight digits, the same under noise so strong that they can hardly be seen, and what the network makes of them: tangles of "
    "strokes. Below, eight pictures of pure noise, and the pieces of strokes that the network draws from them.",
)
print(
    f"ink drawn where there is no digit: {drawn:.0f} pixels; a real digit has {usual:.0f}"
)

# %% tags=["claim"]
assert drawn > 5, "the network should find strokes in noise"

# %% [markdown]
# It draws strokes. In its world every picture is a digit, and it has no way of saying "I see nothing". Section 7 of the
# lesson shows why this matters more with X-rays than with digits.
#
# ## 3 · Noise that depends on the picture
#
# In X-rays with few photons the noise is not the same everywhere. The count $c$ of a pixel has the standard deviation
# $\sqrt c$, and a small change $\Delta c$ changes the picture $\tilde x = -\tfrac13 \ln(c/n)$ by $\Delta c / 3c$. So the noise
# of a pixel is about
#
# $$ \frac{\sqrt c}{3c} = \frac{1}{3 \sqrt c}, $$
#
# largest where the body is densest and few photons arrive. Filters expect noise of one strength. Francis Anscombe found in
# 1948 that $2\sqrt{c + 3/8}$ has noise with a standard deviation of about 1, whatever the mean count is, unless it is very
# small. (A small step of $c$ moves $2\sqrt c$ by $1/\sqrt c$, just what it takes to cancel $\sqrt c$.) On the way back,
# squaring brings a bias: the square of a mean of roots is too small by ¼ on average, so filters that average add it.


# %%
def count_photons(images, photons):
    """How many photons arrive behind each pixel if this many are sent: a random draw."""
    return torch.poisson(photons * torch.exp(-3 * images))


def develop(counts, photons):
    """The picture that belongs to these counts."""
    return -torch.log(counts.clamp(min=1) / photons) / 3


def anscombe(counts):
    return 2 * (counts + 3 / 8).sqrt()


seed_everything(1)
means = torch.tensor([1.0, 2, 4, 8, 16, 32, 64])
counts = torch.poisson(means.repeat(20_000, 1))
flat = count_photons(torch.full((100, 1, 28, 28), 0.5), 200)
measured = develop(flat, 200).std().item()
predicted = (1 / (3 * flat.sqrt())).mean().item()

# %% tags=["figure"]
# How strong the noise is at each mean count: of the count, of the developed picture, and of Anscombe's root
figure, ax = plt.subplots(figsize=(8, 3.6))
for values, name, color, line in (
    (counts, "count c", 0, ":"),
    (develop(counts, 64.0), "developed picture −⅓ ln(c/n)", 2, "-."),
    (anscombe(counts), "Anscombe's root 2√(c + ⅜)", 1, "-"),
):
    style = {"color": plots.COLORS[color], "linestyle": line, "marker": "o", "linewidth": 2}
    ax.loglog(means, values.std(0), label=name, **style)
ax.set(
    title="Only the root has the same noise everywhere",
    xlabel="mean count of a pixel (photons)",
    ylabel="standard deviation",
)
ax.legend()
plots.show(
    figure,
    alt="Standard deviation against the mean count, on logarithmic axes. That of the count rises, that of the developed picture "
    "falls, and that of Anscombe's root stays close to 1 from about four photons on.",
)
spread = anscombe(counts).std(0)
print(
    f"noise of a grey area, 200 photons: measured {measured:.3f}, formula {predicted:.3f} grey levels"
)
print(
    "standard deviation of the root:",
    {int(m): round(s, 2) for m, s in zip(means.tolist(), spread.tolist())},
)

# %% tags=["claim"]
assert abs(measured / predicted - 1) < 0.1
assert (spread[2:] - 1).abs().max() < 0.08, "the root's noise should be about 1"

# %% [markdown]
# **Predict.** How many dB does the root bring to total variation, at 20 photons per pixel and at 200?

# %%
XRAY_SETTINGS = {
    "median": (1, 3, 5),
    "total variation": (0.01, 0.018, 0.027, 0.04, 0.06, 0.09, 0.13, 0.2),
    "non-local means": [
        (p, h) for p in (3, 5) for h in (0.005, 0.02, 0.03, 0.045, 0.07, 0.1, 0.15)
    ],
}


def plain_filter(name, photons, counts, setting):
    """The filter on the developed picture, as if the noise were the same everywhere."""
    return filtered(name, develop(counts, photons), setting)


def root_filter(name, photons, counts, setting):
    """The filter on Anscombe's roots, and the result squared and developed."""
    roots = anscombe(counts)
    smooth = roots.max() * filtered(name, roots / roots.max(), setting)
    # The root of a median is the median of the roots.
    bias = 0 if name == "median" else 1 / 4
    return develop((smooth / 2).square() - 3 / 8 + bias, photons).clamp(0, 1)


# %%
xray_train = load_xrays("train").subset(slice(0, budget(cpu=1_500, gpu=5_000)))
chests, valid_chests = some(load_xrays("test"), 60), some(load_xrays("valid"), 12)
DOSES = (20, 50, 200)
seed_everything(2)
taken = {n: count_photons(chests, n) for n in DOSES}
quality = {}
for n in DOSES:
    valid_counts = count_photons(valid_chests, n)
    for name, settings in XRAY_SETTINGS.items():
        for kind, method in {"plain": plain_filter, "root": root_filter}.items():
            clean = partial(method, name, n)
            setting = tuned(clean, settings, valid_counts, valid_chests)
            quality[n, f"{name}, {kind}"] = (
                psnr(clean(taken[n], setting), chests).mean().item()
            )

# %% [markdown]
# ## 4 · What should the network answer?
#
# The lesson's network answers with the noise, which is subtracted: $\hat x = \tilde x - f(\tilde x)$. It could also answer
# with the picture, or with the noise *in units of its standard deviation*, which we know from the count. At a high dose a
# wrong answer then does little harm:
#
# $$ \hat x = \tilde x - \frac{1}{3 \sqrt c} \, f(\tilde x) $$
#
# Three networks of each kind, from three seeds, with the same number of steps. All have a last layer that starts at zero.


# %%
def picture(model, noisy, counts):
    return model(noisy).float()


def noise(model, noisy, counts):
    return noisy - model(noisy).float()


def noise_in_units(model, noisy, counts):
    return noisy - model(noisy).float() / (3 * counts.clamp(min=1).sqrt())


def xray_network(answer, seed):
    """A U-Net whose answer is read in this way, trained on doses from 10 to 400 photons."""

    def loss(model, images, labels):
        photons = 10 * 40 ** torch.rand(len(images), 1, 1, 1, device=images.device)
        counts = count_photons(images, photons)
        return squared_error(answer(model, develop(counts, photons), counts), images)

    seed_everything(seed)
    model = UNet(width=8)
    nn.init.zeros_(model.last.weight)
    nn.init.zeros_(model.last.bias)
    fit(model, xray_train, loss, epochs=XRAY_EPOCHS, batch_size=32, lr=1e-2)
    return model


XRAY_EPOCHS = budget(cpu=3, gpu=30)
answers = {"the picture": picture, "the noise": noise, "the noise in units": noise_in_units}
trained = {
    name: [xray_network(answer, seed) for seed in (0, 1, 2)]
    for name, answer in answers.items()
}

# %% tags=["figure"]
# PSNR of three filters, plain and on roots, and of three networks that differ in what they answer
for n in DOSES:
    noisy = develop(taken[n], n)
    quality[n, "as it is"] = psnr(noisy.clamp(0, 1), chests).mean().item()
    for name, answer in answers.items():
        for number, model in enumerate(trained[name], 1):
            with torch.no_grad():
                cleaned = answer(model, noisy.to(device), taken[n].to(device)).cpu()
            decibels = psnr(cleaned.clamp(0, 1), chests).mean().item()
            quality[n, f"U-Net {number}, answers {name}"] = decibels
print(f"{'PSNR (dB)':34s}" + "".join(f"{n:5d} photons" for n in DOSES))
for name in sorted({name for _, name in quality}, key=lambda name: name.split()[::-1]):
    print(f"{name:34s}" + "".join(f"{quality[n, name]:13.1f}" for n in DOSES))

# %% tags=["claim"]
for n in DOSES:
    by_noise, by_picture = (
        [quality[n, f"U-Net {k}, answers {name}"] for k in (1, 2, 3)]
        for name in ("the noise", "the picture")
    )
    assert min(by_noise) > max(by_picture) + 0.2, n
assert quality[20, "total variation, root"] > quality[20, "total variation, plain"] + 0.5
gain = [
    quality[n, "total variation, root"] - quality[n, "total variation, plain"]
    for n in DOSES
]
assert gain[0] > gain[2], "the fewer photons, the more the root is worth"

# %% [markdown]
# The root helps total variation most where photons are few. Of the networks, those that answer with the whole picture are
# worse at every dose, because they must hand every detail through. (All of them are small and briefly trained, so compare
# them with each other; the lesson compares larger ones with the filter.)
#
# Knowing the noise of each pixel is worth less to the network than one might think: it can read the strength of the noise
# from the picture. Where a method is *told* what a network can *see*, the advantage is small.
#
# **Going on.** Train a generalist whose levels start at 0. Does it leave clean digits alone, and what does that cost?
#
# ## Read
#
# - F. Anscombe, [The transformation of Poisson, binomial and negative-binomial
#   data](https://doi.org/10.1093/biomet/35.3-4.246) (1948): seven pages.
# - K. Zhang and others, [Beyond a Gaussian denoiser](https://arxiv.org/abs/1608.03981) (2017): residual learning, and one
#   network for all levels.
# - Z. Kadkhodaie, E. Simoncelli, [Solving linear inverse problems using the prior implicit in a
#   denoiser](https://arxiv.org/abs/2007.13640) (2020): a network for all levels, used to make pictures from noise.
#
# **Back to** [lesson 05 · Denoising autoencoders](../05_denoising_autoencoders.ipynb).
