# %% [markdown]
# # 05 · Denoising autoencoders
#
# An autoencoder gives back what it was shown. What if we show it something spoiled, and ask for the
# clean original? Then copying is wrong, and it has to learn what clean things look like. In this
# lesson we clean handwritten digits, spoken words that you can listen to, and chest X-rays. We
# compare with the best simple filters, and we find out what a cleaned picture may not be trusted
# with. Working through it takes about 80 minutes.
#
# **You will be able to**
#
# - write down five kinds of noise, from salt and pepper to too few X-ray photons,
# - measure how good a cleaned picture or sound is: PSNR, SSIM and SI-SNR,
# - train a denoising autoencoder, a small U-shaped network, on pictures and on spectrograms,
# - say what such a network learns, the conditional mean, and what follows from it,
# - test with planted details what a denoiser erases and what it invents.
#
# **It builds on** lesson 03 (the autoencoder and its loss) and lesson 04 (convolutions).

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Audio, display
from skimage.filters import median
from skimage.metrics import structural_similarity
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle
from torch import nn
from torch.nn import functional as F

from vae_helpers import checks, plots
from vae_helpers.data import ImageSet, load_digits, load_speech, load_xrays
from vae_helpers.device import pick_device, seed_everything
from vae_helpers.losses import squared_error
from vae_helpers.train import fit

plots.use_course_style()
seed_everything(0)
device = pick_device()

# %% [markdown]
# ## 1 · Three ways to spoil a digit
#
# Noise is what is in a picture and should not be. There are many kinds, and each has a cause.
#
# - **Gaussian noise** adds to each pixel a random number from a bell curve with the standard
#   deviation $\sigma$. It is the hiss of electronics: many tiny disturbances, added up.
# - **Salt-and-pepper noise** turns a share of the pixels white or black, no matter what they were.
#   Dead sensor pixels and errors in transmission do this.
# - **Masking noise** sets a share of the pixels to zero. Those pixels are simply lost.
#
# Each is a line or two. The pictures have the shape (N, 1, 28, 28) and values from 0 to 1.


# %%
def gaussian(images, sigma):
    """Add to each pixel a random number with the standard deviation sigma."""
    return images + sigma * torch.randn_like(images)


def salt_and_pepper(images, share):
    """Turn this share of the pixels white or black, half of it each."""
    draw = torch.rand_like(images)  # below share / 2: white; from there to share: black
    return torch.where(draw < share, (draw < share / 2).float(), images)


def masking(images, share):
    """Set this share of the pixels to zero."""
    return images * (torch.rand_like(images) >= share)


NOISES = {
    "Gaussian, σ = 0.5": lambda images: gaussian(images, 0.5),
    "salt and pepper, 30 %": lambda images: salt_and_pepper(images, 0.3),
    "masking, 50 %": lambda images: masking(images, 0.5),
}

# 7,000 digits are plenty here; the embedded set is smaller and stays whole.
train_set = load_digits("train").subset(slice(0, 7_000))
valid_set, test_set = load_digits("valid"), load_digits("test")


def draw_some(dataset, count, generator):
    """This many images, drawn at random, (count, 1, 28, 28)."""
    order = torch.randperm(len(dataset), generator=generator)
    return dataset.subset(order[:count]).floats


generator = torch.Generator().manual_seed(0)
# Classical filters are slow: 30 digits to choose their settings, 150 for the test.
valid_digits = draw_some(valid_set, 30, generator)
test_digits = draw_some(test_set, 150, generator)

seed_everything(1)
noisy_valid = {name: spoil(valid_digits) for name, spoil in NOISES.items()}
noisy_test = {name: spoil(test_digits) for name, spoil in NOISES.items()}

rows = {"clean": test_digits, **noisy_test}
plots.show(
    plots.image_rows(
        {n: x[:8].clamp(0, 1) for n, x in rows.items()}, "Three kinds of noise"
    ),
    alt="Eight digits, clean and with three kinds of noise. Gaussian noise makes everything grainy, salt and pepper scatters "
    "white and black dots, masking leaves holes in the strokes.",
)

# %% [markdown]
# You can still read most of them. Your brain is a denoiser: it knows what digits look like.
# (Gaussian noise makes some values less than 0 or more than 1. The figure shows those as black and
# as white.)
#
# ## 2 · How good is a picture?
#
# Before we clean anything, we need a measure. The **mean squared error** (MSE) of a picture
# $\hat x$ is the squared difference from the original $x$, averaged over the pixels. Engineers turn
# it into a number of which more is better, and which counts in factors, not in differences. It is
# the **peak signal-to-noise ratio**,
#
# $$ \text{PSNR} = 10 \log_{10} \frac{1}{\text{MSE}} \quad \text{decibels (dB)}. $$
#
# The 1 is the largest value that a pixel can have. A tenth of the error is 10 dB more. Half of the
# error is about 3 dB more.


# %%
def psnr(pictures, originals):
    """Peak signal-to-noise ratio of each picture in dB, (N, C, H, W) → (N,)."""
    mse = (pictures - originals).square().flatten(1).mean(1)
    return 10 * torch.log10(1 / mse)


# %% [markdown]
# The PSNR has a weakness: it looks at one pixel at a time. We now spoil each digit in three ways,
# so that all three have **exactly the same** mean squared error. One is noisy, one is blurred, one
# is faded. Below each stands its PSNR, and a second measure that we explain after the figure.
#
# **Predict.** Which of the three will look best to you, and which worst?

# %%
size = test_digits.square().mean((1, 2, 3), keepdim=True)  # mean square of each digit
wrong_ways = {
    "noisy": torch.randn_like(test_digits),
    "blurred": F.avg_pool2d(test_digits, 5, stride=1, padding=2) - test_digits,
    "faded": -test_digits,
}
spoiled = {}
for name, way in wrong_ways.items():
    # Go this way until the mean squared error is a quarter of the digit's mean square.
    strength = (0.25 * size / way.square().mean((1, 2, 3), keepdim=True)).sqrt()
    spoiled[name] = test_digits + strength * way


def ssim(pictures, originals):
    """Structural similarity of each picture, at most 1, (N, 1, H, W) → (N,)."""
    pairs = zip(pictures.numpy(), originals.numpy(), strict=True)
    return torch.tensor([structural_similarity(a[0], b[0], data_range=1) for a, b in pairs])


figure, axes = plt.subplots(1, 4, figsize=(9, 3.5))
figure.suptitle("One digit, spoiled in three ways by the same squared error")
plots.draw_image(axes[0], test_digits[0])
axes[0].set_title("original")
for ax, (name, pictures) in zip(axes[1:], spoiled.items(), strict=True):
    decibels = psnr(pictures, test_digits)[0]
    likeness = ssim(pictures[:1], test_digits[:1])[0]
    plots.draw_image(ax, pictures[0])
    ax.set(title=name, xlabel=f"PSNR {decibels:.1f} dB\nSSIM {likeness:.2f}")
plots.show(
    figure,
    alt="A digit and three versions with the same PSNR: noisy, blurred, and faded to half its brightness. The faded one "
    "has the highest SSIM.",
)
similarity = {
    n: ssim(pictures, test_digits).mean().item() for n, pictures in spoiled.items()
}
print("mean SSIM of 150 digits:", {name: round(s, 2) for name, s in similarity.items()})
assert similarity["faded"] > max(similarity["noisy"], similarity["blurred"]) + 0.05

# %% [markdown]
# The second number is the **structural similarity** (SSIM; Wang, Bovik, Sheikh and Simoncelli,
# 2004). It slides a window of 7 × 7 pixels over both pictures and compares, in each window, three
# things: the mean $\mu$ (how bright?), the variance $\sigma^2$ (how much contrast?), and the
# covariance $\sigma_{xy}$ (do both get brighter at the same places?). For a window $x$ and its
# partner $y$:
#
# $$ \text{SSIM} = \frac{(2 \mu_x \mu_y + c_1)\,(2 \sigma_{xy} + c_2)}
# {(\mu_x^2 + \mu_y^2 + c_1)\,(\sigma_x^2 + \sigma_y^2 + c_2)} $$
#
# The small numbers $c_1 = 0.01^2$ and $c_2 = 0.03^2$ keep the fraction from being 0/0 where both
# windows are black. The SSIM of a picture is the mean over all its windows. It is 1 for equal
# pictures. It is about 0 for two pictures of pure noise, but not for two digits: where both are
# black, they are equal. We take scikit-image's.
#
# The PSNR is equal, the SSIM is not. The faded digit keeps all of its structure, and over all
# digits SSIM likes this fault best. Did you, too? No measure is *right*. PSNR says how far the
# pixels are off, SSIM how much structure is left. We shall look at both.
#
# ### Your turn 1 · SSIM of one window
#
# Write the formula for one window: `x` and `y` are (7, 7), and the result is one number. Mean,
# variance and covariance are plain averages over the 49 pixels: divide by 49, not by 48.
# (scikit-image divides the last two by 48. That cancels in the fraction, but for $c_2$.)


# %% tags=["exercise"]
def my_ssim(x, y):
    result = ...  # your code here
    return result


checks.window_ssim(my_ssim)


# %% tags=["solution"]
def my_ssim(x, y):
    c1, c2 = 0.01**2, 0.03**2
    mean_x, mean_y = x.mean(), y.mean()
    var_x, var_y = (x - mean_x).square().mean(), (y - mean_y).square().mean()
    covariance = ((x - mean_x) * (y - mean_y)).mean()
    brightness = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (var_x + var_y + c2)
    return brightness * structure


# %% [markdown]
# ## 3 · The rivals: filters that learn nothing
#
# People cleaned pictures long before they trained networks. Three of their filters are still in
# use:
#
# - The **median filter** replaces each pixel by the median of its neighbourhood. A lone white dot
#   is never the median, so it disappears.
# - **Total variation** (Rudin, Osher and Fatemi, 1992) looks for a picture that is close to the
#   noisy one and has little up and down in total. Flat areas get flat, edges stay sharp.
# - **Non-local means** (Buades, Coll and Morel, 2005) replaces each pixel by a mean over pixels
#   whose *surroundings* look alike, wherever in the picture they are. A straight stroke helps to
#   clean itself.
#
# Each has one setting: how large a neighbourhood, how much smoothing. A comparison is only fair if
# the rivals are at their best. So we try several settings for each noise on **validation** digits,
# and take the one with the highest PSNR to the test.

# %%
FILTERS = {
    "median": lambda image, size: median(image, np.ones((size, size))),
    "total variation": lambda image, weight: denoise_tv_chambolle(image, weight=weight),
    "non-local means": lambda image, h: denoise_nl_means(
        image, patch_size=5, patch_distance=6, h=h
    ),
}
SETTINGS = {
    "median": (3, 5, 7),
    "total variation": (0.05, 0.1, 0.2, 0.3, 0.45, 0.65, 0.9),
    "non-local means": (0.05, 0.1, 0.2, 0.3, 0.4, 0.6),
}


def filtered(name, images, setting):
    """The images (N, 1, H, W), each cleaned by a classical filter."""
    cleaned = [FILTERS[name](image, setting) for image in images[:, 0].double().numpy()]
    return torch.tensor(np.stack(cleaned))[:, None].float().clamp(0, 1)


def best_setting(name, settings, images, originals):
    """The setting with which a filter has the highest PSNR on these images."""
    return max(settings, key=lambda s: psnr(filtered(name, images, s), originals).mean())


cleaned = {}  # noise → method → cleaned test digits
for noise, images in noisy_test.items():
    # No pixel of a digit is below 0 or above 1, so cutting there is no cheating.
    cleaned[noise] = {"noisy": images.clamp(0, 1)}
    for name, settings in SETTINGS.items():
        chosen = best_setting(name, settings, noisy_valid[noise], valid_digits)
        cleaned[noise][name] = filtered(name, images, chosen)
        print(f"{noise:22s} {name:16s} best setting {chosen}")

# %% [markdown]
# ## 4 · An autoencoder that cleans
#
# Now the learner. A **denoising autoencoder** is trained on pairs. We take a clean picture $x$,
# spoil it ourselves, and get $\tilde x$ ("x tilde"). The network sees $\tilde x$ and has to give
# back $x$:
#
# $$ \text{loss} = \lVert f(\tilde x) - x \rVert^2, \qquad \tilde x = \text{spoiled } x $$
#
# Two details decide whether this works.
#
# - The **target is the clean picture**. With $\tilde x$ as the target it would learn to copy noise.
# - The **noise is drawn anew in every step**. No digit is seen twice with the same noise, so there
#   is nothing to memorise.
#
# Spoiling is easy and cleaning is hard, and that makes the trick so useful: from clean pictures
# alone we get as many exercises with solutions as we like.
#
# Pascal Vincent and his colleagues gave it its name in 2008, but they did not want to clean
# pictures. They wanted better codes. To fill in a missing piece of a stroke, a network must know
# how strokes go on, and this knowledge is in the code. (Lesson 06 measures it.) Cleaning was a
# by-product.
#
# ### A U-shaped network
#
# The autoencoders so far had a bottleneck, a code of few numbers. For cleaning this is a hindrance.
# Where exactly a stroke ends is in the noisy picture, so why squeeze it through a code? What we
# need is both: a **wide view**, to know which digit this is, and **fine detail**, to draw it
# sharply.
#
# The network below has the shape of a U:
#
# ```
# 28 × 28   enter (16 channels) ──── shortcut ───→ up_full (16) ──→ last ──→ clean picture
#              ↓ stride 2                             ↑ double
# 14 × 14   down_half (32) ───────── shortcut ───→ up_half (32)
#              ↓ stride 2                             ↑ double
#  7 × 7    down_quarter (64) ────────────────────────┘
# ```
#
# - It goes **down**: two convolutions with stride 2 (lesson 04) shrink 28 × 28 to 14 × 14 and
#   7 × 7. There the receptive field is $1 + 2 + 2 + 2 + 4 + 4 + 8 = 23$ pixels wide, most of the
#   digit.
# - It goes **up** again: each step doubles the size, by repeating pixels, and then convolves. That
#   cannot make checkerboards (lesson 04).
# - On the way up, each size gets a **shortcut** from the way down: those channels are put beside
#   the others. (Ronneberger, Fischer and Brox, 2015, built the first U-Net for cells under the
#   microscope.)
#
# With shortcuts this large, the network could copy its input perfectly. Only the noise keeps it
# from doing so.
#
# **Group normalisation** brings the numbers between the layers to mean 0 and variance 1, picture by
# picture. It makes training fast and steady.


# %%
def block(channels_in, channels_out, stride=1):
    """A convolution, normalisation, and ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1),
        nn.GroupNorm(1, channels_out),  # one group: all channels of a picture together
        nn.ReLU(),
    )


class UNet(nn.Module):
    """Two steps down, two steps up, with a shortcut at each size, (N, 1, H, W) → (N, 1, H, W)."""

    def __init__(self, width=16):
        super().__init__()
        self.enter = nn.Sequential(block(1, width), block(width, width))
        self.down_half = nn.Sequential(
            block(width, 2 * width, stride=2), block(2 * width, 2 * width)
        )
        self.down_quarter = nn.Sequential(
            block(2 * width, 4 * width, stride=2), block(4 * width, 4 * width)
        )
        self.up_half = block((4 + 2) * width, 2 * width)
        self.up_full = block((2 + 1) * width, width)
        self.last = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, x):
        full = self.enter(x)
        half = self.down_half(full)
        up = self.down_quarter(half)
        for shortcut, layer in (half, self.up_half), (full, self.up_full):
            larger = F.interpolate(up, size=shortcut.shape[-2:])  # repeats pixels
            up = layer(torch.cat([larger, shortcut], dim=1))
        return self.last(up)


parameters = sum(p.numel() for p in UNet().parameters())
print(f"{parameters:,} parameters")

# %% [markdown]
# We want one network that cleans all three kinds of noise, weak and strong. So each picture gets
# one kind at random, in a random amount, drawn anew each time. The logistic function at the end
# keeps the pixels between 0 and 1.


# %%
def spoil(images):
    """Spoil each image with one of the three noises, in a random amount."""
    kind = torch.randint(3, (len(images), 1, 1, 1), device=images.device)
    amount = torch.rand(len(images), 1, 1, 1, device=images.device)
    return torch.where(
        kind == 0,
        gaussian(images, 0.1 + 0.7 * amount),  # σ from 0.1 to 0.8
        torch.where(
            kind == 1, salt_and_pepper(images, 0.5 * amount), masking(images, 0.8 * amount)
        ),
    )


def clean_digits(model, noisy):
    """What the network makes of noisy digits: pixels from 0 to 1."""
    return torch.sigmoid(model(noisy).float())


def denoising_loss(model, images, labels):
    """The squared error per image between the cleaned and the clean image."""
    return squared_error(clean_digits(model, spoil(images)), images)


EPOCHS = round(440 * 32 / len(train_set))  # about 440 steps, however many digits there are
seed_everything(0)
denoiser = UNet()
record = fit(denoiser, train_set, denoising_loss, epochs=EPOCHS, batch_size=32, lr=6e-3)

# %% [markdown]
# Does the network beat the best filter?
#
# **Predict.** For which noise is its lead largest? For which is the fight closest?


# %%
@torch.no_grad()
def by_network(model, noisy):
    return clean_digits(model, noisy.to(device)).cpu()


def show_scores(cleaned, originals):
    """Print PSNR and SSIM of each method, one block per noise, and return them."""
    scores = {}
    for noise, pictures in cleaned.items():
        print(f"{noise}\n  {'':22s} PSNR (dB)    SSIM")
        for name, images in pictures.items():
            quality = [q(images, originals).mean().item() for q in (psnr, ssim)]
            scores[noise, name] = quality
            print(f"  {name:22s} {quality[0]:9.2f} {quality[1]:7.3f}")
    return scores


for noise, images in noisy_test.items():
    cleaned[noise]["denoising autoencoder"] = by_network(denoiser, images)
scores = show_scores(cleaned, test_digits)

print(f"lead over the best filter\n  {'':22s} PSNR (dB)    SSIM")
lead_psnr, lead_ssim = {}, {}
for noise in NOISES:
    network_psnr, network_ssim = scores[noise, "denoising autoencoder"]
    lead_psnr[noise] = network_psnr - max(scores[noise, name][0] for name in SETTINGS)
    lead_ssim[noise] = network_ssim - max(scores[noise, name][1] for name in SETTINGS)
    print(f"  {noise:22s} {lead_psnr[noise]:9.2f} {lead_ssim[noise]:7.3f}")
assert min(lead_psnr.values()) > 1.5 and min(lead_ssim.values()) > 0, "the network wins"
assert max(lead_psnr, key=lead_psnr.get) == "masking, 50 %"
assert min(lead_ssim, key=lead_ssim.get) == "salt and pepper, 30 %"
hardly = scores["masking, 50 %", "noisy"][0] + 2
assert all(scores["masking, 50 %", name][0] < hardly for name in SETTINGS)

# %%
shown = "Gaussian, σ = 0.5", "masking, 50 %"
for noise in shown:
    rows = {"clean": test_digits, **cleaned[noise]}
    plots.show(
        plots.image_rows({n: x[:8] for n, x in rows.items()}, f"Cleaning digits: {noise}"),
        alt=f"Eight digits: clean, noisy ({noise}), and cleaned by median, total variation, non-local means and the denoising "
        "autoencoder. Only the last row looks like clean pen strokes.",
    )

# %% [markdown]
# The network wins for every kind of noise and by both measures. Look at the rows to see why. The
# filters know that neighbouring pixels are similar. The network knows **pen strokes**: how wide
# they are, how they bend, that the background is black.
#
# - In dB the lead is largest with **masking**, where the filters hardly help at all. They cannot
#   know that black pixels inside a stroke were lost, and black ones outside were not.
# - In SSIM the fight is closest with **salt and pepper**. Removing lone dots is what the median is
#   made for.
#
# There is a price. The filters work on any picture. The network has learnt digits, and only that.

# %% [markdown]
# ## 5 · A noise level never trained on
#
# In real use nobody tells us how strong the noise is. Our network was trained on Gaussian noise
# from $\sigma = 0.1$ to $0.8$, and on the two other kinds. We now train a second one, a
# **specialist**, that sees nothing but $\sigma = 0.5$. Then we test both, from no noise at all up
# to twice the strongest of the training. Beside them stands total variation, set for
# $\sigma = 0.5$.
#
# **Predict.** Less noise should be easier. What do the networks do to a digit with no noise at all:
# leave it as it is, or harm it? And what becomes of a digit with far too much noise?


# %%
def specialist_loss(model, images, labels):
    return squared_error(clean_digits(model, gaussian(images, 0.5)), images)


seed_everything(0)
specialist = UNet()
epochs = math.ceil(EPOCHS / 3)  # one kind of noise in place of three
record = fit(specialist, train_set, specialist_loss, epochs=epochs, batch_size=32, lr=6e-3)

# %%
LEVELS = (0, 0.1, 0.2, 0.35, 0.5, 0.8, 1.0, 1.6)
seed_everything(2)
at_level = {sigma: gaussian(test_digits, sigma) for sigma in LEVELS}
weight = best_setting(
    "total variation",
    SETTINGS["total variation"],
    noisy_valid["Gaussian, σ = 0.5"],
    valid_digits,
)
methods = {
    "as it is": lambda noisy: noisy.clamp(0, 1),
    "total variation": lambda noisy: filtered("total variation", noisy, weight),
    "specialist": lambda noisy: by_network(specialist, noisy),
    "all levels": lambda noisy: by_network(denoiser, noisy),
}
curves = {}
for name, method in methods.items():
    # A perfect picture would have infinitely many dB; we stop counting at 40.
    quality = [
        psnr(method(noisy), test_digits).clamp(max=40) for noisy in at_level.values()
    ]
    curves[name] = dict(zip(LEVELS, (q.mean().item() for q in quality)))

legends = {
    "as it is": "noisy, as it is",
    "total variation": "total variation, set for σ = 0.5",
    "specialist": "specialist, trained on σ = 0.5",
    "all levels": "trained on all levels from 0.1 to 0.8",
}
figure, ax = plt.subplots(figsize=(8, 4.5))
ax.axvspan(0.1, 0.8, color="0.92", label="levels in the training")
for (name, curve), color, line in zip(curves.items(), plots.COLORS, (":", "-.", "--", "-")):
    style = {"color": color, "linestyle": line, "marker": "o", "markersize": 4}
    ax.plot(LEVELS, list(curve.values()), label=legends[name], **style)
ax.set(
    title="Digits with less and with more noise than in the training",
    xlabel="standard deviation σ of the Gaussian noise (grey levels, 1 = white)",
    ylabel="PSNR (dB)",
    ylim=(3, 41),
)
ax.legend()
plots.show(
    figure,
    alt="PSNR against the noise level. The noisy picture falls steeply from 40 dB. The two networks fall slowly and lie "
    "above it from about 0.1 on. The specialist is as good near 0.5 and worse elsewhere. Beyond 0.8 all curves "
    "fall; total variation falls fastest.",
)
assert abs(curves["all levels"][0.5] - curves["specialist"][0.5]) < 1.5
assert curves["all levels"][0.1] > curves["specialist"][0.1] + 0.5, "the specialist lags"
assert curves["all levels"][0.8] > curves["specialist"][0.8], "on the hard side as well"
assert max(curves["all levels"][0], curves["specialist"][0]) < 35, "clean digits are harmed"
assert curves["all levels"][1.6] < curves["all levels"][0.5] - 4, "too much is too much"
assert curves["all levels"][1.6] > curves["total variation"][1.6] + 2

# %% [markdown]
# Three things to see.
#
# - At $\sigma = 0.5$, the specialist and the network for all levels are about equal. Learning many
#   levels costs little. With much less or much more noise the specialist falls behind: it cleans
#   with the strength it was trained for. So **train on a range**.
# - On the left edge, where there is **nothing to clean**, both networks make the picture worse.
#   Clean inputs were hardly ever in their training, and they smooth away what they take for noise.
# - On the right, outside the grey band, all methods go on falling. The network for all levels still
#   beats the filter, but look at what it draws. The last two rows of the next figure are a special
#   test: the strongest noise of the training, and no digit in it at all.

# %%
rows = {}
for sigma in (0, 0.5, 1.0, 1.6):
    rows[f"σ = {sigma}"] = at_level[sigma].clamp(0, 1)
    rows[f"σ = {sigma}, cleaned"] = by_network(denoiser, at_level[sigma])
seed_everything(3)
nothing = gaussian(torch.zeros(8, 1, 28, 28), 0.8)
rows["no digit, σ = 0.8"] = nothing.clamp(0, 1)
rows["no digit, cleaned"] = by_network(denoiser, nothing)
plots.show(
    plots.image_rows(
        {name: images[:8] for name, images in rows.items()},
        "More and more noise, and at last nothing but noise",
    ),
    alt="Pairs of rows, noisy and cleaned, for growing noise. Without noise and at 0.5 the digits come out well. At 1 "
    "some are wrong, at 1.6 they are tangles. From noise without a digit the network makes pieces of strokes.",
)


def ink(images):
    return images.flatten(1).sum(1).mean().item()


drawn = ink(by_network(denoiser, nothing))
print(f"ink per picture: {drawn:.0f} pixels drawn where there is no digit; ", end="")
print(f"a real digit has {ink(test_digits):.0f}")
assert drawn > 5, "the network should find strokes in noise"

# %% [markdown]
# At $\sigma = 1$ some digits come out in pieces, or as others. At 1.6 hardly one can be read.
#
# The last two rows are a warning. There is no digit in the noisy picture, and the network draws
# strokes. In its world every picture is a digit. It does not say "I see nothing". We come back to
# this where it matters more.

# %% [markdown]
# ## 6 · What a denoiser learns: the mean of what could be
#
# What is the best that any denoiser could do? Take **one pixel**, and a world in which pixels are
# either black (0) or white (1). White ones have the probability $p = 0.2$. We add Gaussian noise
# with $\sigma = 0.5$ and see $\tilde x = 0.7$. Was it white or black? We cannot know. Both are
# possible, and the loss is the squared error. What should we answer?
#
# Let us say $a$. We write $\mathbb E[x \mid \tilde x]$ for the mean of $x$ **given** $\tilde x$:
# the mean over all clean pixels that could be behind what we see, each counted with its
# probability. $\operatorname{Var}[x \mid \tilde x]$ is their variance. Then the expected loss is
#
# $$ \mathbb E\big[(a - x)^2 \mid \tilde x\big] = \big(a - \mathbb E[x \mid \tilde x]\big)^2 +
# \operatorname{Var}[x \mid \tilde x] $$
#
# (To see it, call the mean $m$, write $a - x = (a - m) + (m - x)$, and square. The mixed term has
# the mean 0.) The second part does not depend on $a$. The first is zero if $a$ is
# $\mathbb E[x \mid \tilde x]$, the **conditional mean**. So this is what a denoiser with squared
# error learns, if it is large enough and trained for long enough. Nothing in this argument needs a
# single pixel. It holds for whole pictures and for sounds.
#
# Our pixel is 0 or 1, so its mean is just the probability that it is white. Bayes' rule gives it:
# the weight of white, divided by the weights of white and black together. White explains
# $\tilde x$ with the density of a bell curve around 1, black with one around 0:
#
# $$ \mathbb E[x \mid \tilde x] = \frac{p \, e^{-(\tilde x - 1)^2 / 2 \sigma^2}}
# {p \, e^{-(\tilde x - 1)^2 / 2 \sigma^2} + (1 - p) \, e^{-\tilde x^2 / 2 \sigma^2}} $$
#
# **Predict.** A small network is trained on noisy pixels and their clean versions. It never hears
# of Bayes. What will its answer look like as a function of $\tilde x$: a straight line, a step at
# 0.5, or something else? And what is the best answer to 0.7?

# %%
P_WHITE, SIGMA = 0.2, 0.5
seed_everything(0)
colors = 255 * (torch.rand(20_000, 1, 1, 1) < P_WHITE).to(torch.uint8)
one_pixel = ImageSet(colors, torch.zeros(len(colors)), ("pixel",), "pictures of one pixel")


def pixel_loss(model, images, labels):
    return squared_error(model(gaussian(images, SIGMA)), images)


pixel_net = nn.Sequential(
    nn.Flatten(), nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1), nn.Unflatten(1, (1, 1, 1))
)
fit(pixel_net, one_pixel, pixel_loss, epochs=20, batch_size=500, lr=2e-2)

seen = torch.linspace(-1, 2, 301)  # in steps of 0.01
white = P_WHITE * torch.exp(-((seen - 1) ** 2) / (2 * SIGMA**2))
black = (1 - P_WHITE) * torch.exp(-(seen**2) / (2 * SIGMA**2))
conditional_mean = white / (white + black)
with torch.no_grad():
    answer = pixel_net(seen[:, None, None, None].to(device)).flatten().cpu()

figure, ax = plt.subplots(figsize=(7.5, 4))
thick = {"color": plots.COLORS[2], "linewidth": 7, "alpha": 0.5}
ax.plot(seen, conditional_mean, label="conditional mean E[x | x̃]", **thick)
ax.plot(seen, answer, color=plots.COLORS[1], label="the trained network")
ax.plot(seen, (seen > 0.5).float(), ":", label="the nearer of black and white")
ax.set(
    title="The best guess for one noisy pixel",
    xlabel="what is seen, x̃ (grey levels, 1 = white)",
    ylabel="answer (grey levels, 1 = white)",
)
ax.legend()
plots.show(
    figure,
    alt="The network's answer is an S-shaped curve from 0 to 1. It lies on the formula for the conditional mean, and "
    "is far from a step at 0.5.",
)
difference = (answer - conditional_mean).abs().max().item()
print(f"largest difference between the network and the formula: {difference:.2f}")
at = 170  # the place of 0.7
print(f"answer to {seen[at]:.2f}: formula {conditional_mean[at]:.2f}", end="")
print(f", network {answer[at]:.2f}")
assert abs(conditional_mean[at] - 0.36) < 0.01
assert difference < 0.15, "the network should learn the conditional mean"

# %% [markdown]
# It is an S. Divide the fraction by its numerator and you get a logistic function: the neuron of
# lesson 01, with a steepness of $1/\sigma^2$. The more noise, the flatter the curve, and the more
# careful the answer.
#
# Three consequences, for digits and for everything that follows:
#
# - The best answer to 0.7 is 0.36, a dark grey, although **no pixel in this world is grey**. Where
#   several originals are possible, a denoiser gives their mean. That is why cleaned pictures are
#   smooth and a little blurred.
# - The middle of the S is not at 0.5 but further right. White is rare, so the network doubts it.
#   What is **common in the training data** is believed more easily than what is rare. What does not
#   occur at all cannot be believed.
# - No training takes away the rest, $\operatorname{Var}[x \mid \tilde x]$. If you see a sharp
#   answer to a very noisy question, be suspicious.
#
# ### Your turn 2 · The best guess
#
# Write the conditional mean for any $\sigma$ and any probability $p$ of white. `seen` holds noisy
# pixels, (N,); `sigma` and `p` are numbers. The result is (N,). Then, on paper: for which
# $\tilde x$ is the best answer exactly $\tfrac12$?


# %% tags=["exercise"]
def my_best_guess(seen, sigma, p):
    result = ...  # your code here
    return result


checks.best_guess(my_best_guess)


# %% tags=["solution"]
def my_best_guess(seen, sigma, p):
    white = p * torch.exp(-((seen - 1) ** 2) / (2 * sigma**2))
    black = (1 - p) * torch.exp(-(seen**2) / (2 * sigma**2))
    return white / (white + black)


# On paper: where white and black weigh the same, at ½ + σ² ln((1 − p) / p), here 0.85.


# %% [markdown]
# ## 7 · Spoken words
#
# The same idea cleans sound. A recording is a long list of numbers: here 8,000 per second, the air
# pressure at the microphone. In such a list speech and noise are all mixed up. In a **spectrogram**
# they come apart.
#
# Cut the sound into short pieces of 256 samples (32 milliseconds), each overlapping the next by
# half. Fade each piece in and out (the **window**), so that the cuts make no clicks. For each
# piece, compute which frequencies it holds: the Fourier transform. Put the results side by side.
# This is the **short-time Fourier transform** (STFT). Time runs to the right, frequency upwards.
#
# Each place is a complex number. Its size, the **magnitude**, says how strong that frequency is at
# that time. Its angle, the **phase**, says where in its cycle the wave is. The way back from a
# spectrogram to a sound is the inverse STFT.
#
# (The first line that the cell prints says whether your words are spoken by people or synthesised.)


# %%
speech = {split: load_speech(split) for split in ("train", "valid", "test")}
RATE = speech["test"].sample_rate
LENGTH = speech["test"].waveforms.shape[1]
WINDOW, HOP = 256, 128


def spectrogram(sounds):
    """Complex spectrograms of sounds, (N, samples) → (N, frequencies, times)."""
    window = torch.hann_window(WINDOW, device=sounds.device)
    return torch.stft(sounds, WINDOW, HOP, window=window, return_complex=True)


def to_sound(spectrograms):
    """The way back, (N, frequencies, times) → (N, samples)."""
    window = torch.hann_window(WINDOW, device=spectrograms.device)
    return torch.istft(spectrograms, WINDOW, HOP, window=window, length=LENGTH)


# The last speaker is heard in the test only: a voice that is new to every method.
speakers = speech["test"].speakers
new_voice = speech["test"].subset(speakers == speakers.max())
print(f"{len(speech['train'])} recordings to learn from, {len(new_voice)} of a new voice")
there_and_back = to_sound(spectrogram(new_voice.waveforms))
error = (there_and_back - new_voice.waveforms).abs().max().item()
frequencies, times = spectrogram(new_voice.waveforms[:1]).shape[1:]
print(f"a spectrogram: {frequencies} frequencies up to {RATE // 2} Hz, {times} times")
print(f"largest error, there and back: {error:.0e}")
assert error < 1e-4, "the inverse STFT should give the sound back"

# %% [markdown]
# ### How much noise, and how good is a sound?
#
# The loudness of a noise is stated relative to the speech. The **signal-to-noise ratio** is
#
# $$ \text{SNR} = 10 \log_{10} \frac{\text{mean of } \text{speech}^2}{\text{mean of } \text{noise}^2}
# \quad \text{dB} $$
#
# The mean of the squares is called the **power**. At 0 dB both are equally strong, which is a lot
# of noise. At 10 dB the speech has ten times the power. To get a wanted SNR, scale the noise: a
# power ratio of SNR dB is an amplitude ratio of $10^{\text{SNR}/20}$.
#
# To judge a cleaned sound $\hat s$ against the clean one $s$ we use the **scale-invariant SNR**
# (SI-SNR; Le Roux, Wisdom, Erdogan and Hershey, 2019). A sound that is only too quiet or too loud
# should not count as worse. So first split $\hat s$ into a part that is a multiple of $s$, and the
# rest:
#
# $$ t = \frac{\langle \hat s, s \rangle}{\langle s, s \rangle} \, s, \qquad
# \text{SI-SNR} = 10 \log_{10} \frac{\lVert t \rVert^2}{\lVert \hat s - t \rVert^2}
# \quad \text{dB} $$
#
# Here $\langle \cdot, \cdot \rangle$ is the sum of products over all samples: $t$ is the projection
# of $\hat s$ on $s$. (Before all that, each sound's mean is subtracted.)


# %%
def noise_size(clean, snr):
    """The standard deviation of the noise that gives this SNR in dB, (N, 1)."""
    loudness = clean.square().mean(1, keepdim=True).sqrt()
    return loudness * 10 ** (-snr / 20)


def add_noise(clean, snr):
    """Speech with white noise: hiss, equally strong at all frequencies."""
    return clean + noise_size(clean, snr) * torch.randn_like(clean)


def si_snr(estimate, clean):
    """Scale-invariant signal-to-noise ratio of each sound in dB, (N, samples) → (N,)."""
    estimate = estimate - estimate.mean(1, keepdim=True)
    clean = clean - clean.mean(1, keepdim=True)
    scale = (estimate * clean).sum(1, keepdim=True) / clean.square().sum(1, keepdim=True)
    target = scale * clean
    return 10 * torch.log10(target.square().sum(1) / (estimate - target).square().sum(1))


# %% [markdown]
# ### Your turn 3 · A noise of your own
#
# Our noise is white. Yours may be anything: a fan, a train, a second voice. Mix `clean` and
# `noise`, both (N, samples), so that each sound has exactly the wanted `snr` in dB, a number. The
# result is (N, samples). The noise recordings come in any loudness, so measure it. Scale the noise
# and leave the speech as it is.


# %% tags=["exercise"]
def my_mix(clean, noise, snr):
    result = ...  # your code here
    return result


checks.mix_at_snr(my_mix)


# %% tags=["solution"]
def my_mix(clean, noise, snr):
    speech_power = clean.square().mean(1, keepdim=True)
    noise_power = noise.square().mean(1, keepdim=True)
    wanted_power = speech_power / 10 ** (snr / 10)
    return clean + noise * (wanted_power / noise_power).sqrt()


# %% [markdown]
# ### The rival: spectral subtraction
#
# Steven Boll's idea (1979) is simple. On average, noise adds its power to every place of the
# spectrogram. So if we know the noise's mean power, we subtract it. What falls below zero is taken
# for noise. Two settings help in practice: subtract more than the mean (the **strength**), and
# always leave a little (the **floor**).
#
# We are generous to the rival. A telephone has to estimate the noise's power; our filter is told
# the true one. And we choose strength and floor on the validation voice, for each SNR separately.
# The network is trained once, for all of them.


# %%
def spectral_subtraction(noisy, sigma, strength, floor):
    """Subtract the power of white noise, standard deviation sigma (N, 1): back to sound."""
    spectrum = spectrogram(noisy)
    power = spectrum.abs().square()
    # White noise has the same mean power everywhere: σ² times the window's squares.
    noise_power = sigma[:, :, None] ** 2 * torch.hann_window(WINDOW).square().sum()
    kept = ((power - strength * noise_power) / (power + 1e-9)).clamp(min=floor**2)
    return to_sound(kept.sqrt() * spectrum)


# %% [markdown]
# ### The network: a mask
#
# Spectral subtraction decides at each place alone how much to keep. It does not know that speech
# has shapes: stripes that run in parallel, and rise and fall together. Our U-shaped network can
# learn them. A spectrogram is a picture, after all.
#
# The network sees the logarithm of the noisy magnitude (as the ear does, which hears ratios) and
# answers with a **mask** $m$, a number from 0 to 1 for each place: how much of it to keep. With the
# noisy spectrogram $\tilde S$ and the clean one $S$,
#
# $$ \hat S = m \cdot \tilde S, \qquad \text{loss} = \sum \lvert \hat S - S \rvert^2 $$
#
# A mask makes places quieter. It does not touch the phase: the cleaned sound has the **phase of the
# noisy one**. That is a limit of this method. We shall measure what a wrong phase costs.
#
# The recordings differ in loudness. In the loss, each is scaled so that the noisy sound has a power
# of 1, and all count the same. The SNR is drawn anew for each sound in each step, from −5 to 15 dB.


# %%
def mask_of(model, spectrum):
    """How much to keep of each place of a noisy spectrogram, from 0 to 1."""
    magnitude = spectrum.abs()
    typical = magnitude.square().mean((1, 2), keepdim=True).sqrt()
    logarithm = torch.log(magnitude / typical + 0.01)
    picture = (logarithm[:, None] + 2.5) / 1.5  # roughly mean 0 and spread 1
    return torch.sigmoid(model(picture).float())[:, 0]


def speech_loss(model, clean, labels):
    snr = 20 * torch.rand(len(clean), 1, device=clean.device) - 5
    noisy = add_noise(clean, snr)
    loudness = noisy.square().mean(1, keepdim=True).sqrt()
    spectrum, target = spectrogram(noisy / loudness), spectrogram(clean / loudness)
    cleaned = mask_of(model, spectrum) * spectrum
    # Dividing by a constant changes no minimum. It keeps the loss a handy number.
    return (cleaned - target).abs().square().sum((1, 2)) / WINDOW


@torch.no_grad()
def clean_speech(noisy):
    """Noisy sounds → what the network makes of them."""
    spectrum = spectrogram(noisy.to(device))
    return to_sound(mask_of(speech_denoiser, spectrum) * spectrum).cpu()


seed_everything(0)
speech_denoiser = UNet()
epochs = max(1, round(400 * 4 / len(speech["train"])))  # about 400 steps
record = fit(
    speech_denoiser, speech["train"], speech_loss, epochs=epochs, batch_size=4, lr=6e-3
)

# %% [markdown]
# Now the test, on a voice that was in neither training nor validation. Beside the two methods
# stands something nobody could build: the clean magnitude with the noisy phase. All its magnitudes
# are right. What is still wrong with it is the phase alone.
#
# **Predict.** By how many dB does the network improve a sound of 0 dB? Is the gain larger or
# smaller at 10 dB?

# %%
SETTINGS_SUBTRACTION = [(a, b) for a in (1, 2, 3, 5, 8) for b in (0, 0.03, 0.1)]
clean, valid_clean = new_voice.waveforms, speech["valid"].waveforms
cleaned_speech, gains = {}, {}
print(f"new voice {'':32s} SI-SNR (dB)   improvement (dB)")
for snr in (0, 5, 10):
    seed_everything(snr)
    valid_noisy, noisy = add_noise(valid_clean, snr), add_noise(clean, snr)

    valid_size = noise_size(valid_clean, snr)
    best = max(
        SETTINGS_SUBTRACTION,
        key=lambda setting: si_snr(
            spectral_subtraction(valid_noisy, valid_size, *setting), valid_clean
        ).mean(),
    )
    angle = spectrogram(noisy).angle()
    cleaned_speech[snr] = {
        "noisy": noisy,
        "spectral subtraction": spectral_subtraction(noisy, noise_size(clean, snr), *best),
        "network": clean_speech(noisy),
        "clean magnitude, noisy phase": to_sound(
            torch.polar(spectrogram(clean).abs(), angle)
        ),
    }
    quality = {
        name: si_snr(sound, clean).mean().item()
        for name, sound in cleaned_speech[snr].items()
    }
    for name, value in quality.items():
        print(f"{snr:2d} dB: {name:32s} {value:12.1f} {value - quality['noisy']:18.1f}")
    assert quality["network"] > quality["spectral subtraction"] + 0.4, "the network wins"
    assert quality["clean magnitude, noisy phase"] > quality["network"]
    gains[snr] = quality["network"] - quality["noisy"]
assert gains[0] > gains[5] > gains[10], "less noise, less to gain"

heard = (speakers > 0) & (speakers < speakers.max())
known_clean = speech["test"].subset(heard).waveforms[::3]
known_noisy = add_noise(known_clean, 5)
by_voice = {
    "voices of the training, new recordings": (clean_speech(known_noisy), known_clean),
    "new voice": (cleaned_speech[5]["network"], clean),
}
by_voice = {n: si_snr(*sounds).mean().item() - 5 for n, sounds in by_voice.items()}
print("improvement at 5 dB:", ", ".join(f"{n} {g:.1f} dB" for n, g in by_voice.items()))
assert abs(by_voice["new voice"] - by_voice["voices of the training, new recordings"]) < 2

# %% [markdown]
# The network wins at every SNR, although the rival was told the noise's true power. It improves a
# sound of 0 dB most, and gains less where there is less noise to take away. And the new voice is
# cleaned about as well as the known ones: the network has learnt what speech looks like, not who
# speaks.
#
# The last line of each block has all magnitudes right, and yet it is far from perfect. That is the
# price of the noisy phase. Newer systems therefore estimate the phase as well, or work on the
# waveform directly.
#
# Measures are one thing. Look at one word at 0 dB, and **listen** to two.

# %%
LISTEN_SNR = 0
names = ("clean", "noisy", "spectral subtraction", "network")
to_hear = {"clean": clean, **cleaned_speech[LISTEN_SNR]}
examples = [int((new_voice.labels == label).nonzero()[0]) for label in (7, 9)]
word = [new_voice.label_names[label] for label in new_voice.labels]

figure, axes = plt.subplots(1, 4, figsize=(11, 3.4), sharey=True)
loudest = spectrogram(clean[examples[:1]]).abs().max()
for ax, name in zip(axes, names, strict=True):
    level = 20 * torch.log10(
        spectrogram(to_hear[name][examples[:1]])[0].abs() / loudest + 1e-4
    )
    seconds, kilohertz = LENGTH / RATE, RATE / 2000
    colors = ax.imshow(
        level,
        cmap="viridis",
        vmin=-60,
        vmax=0,
        origin="lower",
        aspect="auto",
        extent=(0, seconds, 0, kilohertz),
    )
    ax.set(title=name, xlabel="time (s)")
axes[0].set_ylabel("frequency (kHz)")
figure.colorbar(colors, ax=axes, label="level (dB, 0 = loudest, clean)")
figure.suptitle(f"The word “{word[examples[0]]}” in the new voice, SNR {LISTEN_SNR} dB")
plots.show(
    figure,
    alt="Four spectrograms of one word. Clean: bright shapes on a dark ground. Noisy: the weaker parts drown in a "
    "bright ground. Spectral subtraction: the strong parts among scattered specks. Network: the strong parts and a bit "
    "more around them, and a dark ground with faint soft patches.",
)


# %%
def player(waveform, loudest):
    """An audio player; all sounds of a row are scaled alike, so that loudness can be compared."""
    audio = Audio((waveform / loudest).numpy(), rate=RATE, normalize=False)
    return f'<audio controls style="width: 12em" src="{audio.src_attr()}"></audio>'


table = "<table><tr><th>word</th>" + "".join(f"<th>{name}</th>" for name in names) + "</tr>"
for i in examples:
    loudest = max(to_hear[name][i].abs().max() for name in names)
    players = "".join(f"<td>{player(to_hear[name][i], loudest)}</td>" for name in names)
    table += f"<tr><td>{word[i]}</td>{players}</tr>"
table += "</table>"
words = " and ".join(f"“{word[i]}”" for i in examples)
text = f"Players for the words {words}: {', '.join(names)}. Run this cell if they do not appear."
display({"text/html": table, "text/plain": text}, raw=True)

# %% [markdown]
# In the noisy spectrogram the weak parts of the word have drowned. Spectral subtraction keeps the
# strong parts, and leaves lone specks where the noise happened to be strong (in the network's
# picture they are soft patches). Each speck is a short tone. Together they twitter; sound engineers
# call it **musical noise**. The network keeps more of the weak parts, as the numbers below show,
# because they lie where speech would have them.


# %%
def weak_parts_kept(name):
    """How much of the clean sound is left where it is 20 to 40 dB below its loudest place."""
    target, spectrum = spectrogram(clean), spectrogram(to_hear[name])
    level = target.abs() / target.abs().amax((1, 2), keepdim=True)
    weak = (level > 0.01) & (level < 0.1)
    common = (spectrum * target.conj()).real  # what the two have in common
    return (common[weak].sum() / target[weak].abs().square().sum()).item()


kept = {name: weak_parts_kept(name) for name in ("spectral subtraction", "network")}
print("kept of the weak parts:", ", ".join(f"{n} {k:.0%}" for n, k in kept.items()))
assert kept["network"] > kept["spectral subtraction"] + 0.05

# %% [markdown]
# What is not kept is missing, and words can sound muffled. Where the network is in doubt, the mask
# lies between 0 and 1: the conditional mean again.

# %% [markdown]
# ## 8 · Chest X-rays with few photons
#
# X-rays show the inside of a body, and they can do harm. So doctors want to use as few of them as
# possible. What happens with too few? (The first line that the cell prints says which pictures you
# have: X-rays of real chests, or phantoms that the course draws.)
#
# X-rays come in single portions, **photons**, and the detector counts them. Behind thick or dense
# parts of the body fewer arrive. If $n$ photons are sent to a pixel whose value in the picture is
# $x$ (bright: much is absorbed), we expect $\lambda = n \, e^{-3 x}$ of them. (The 3 sets the
# contrast: behind a white pixel $e^{-3}$ arrive, one in twenty.) But photons arrive at random
# moments, like raindrops on a tile. The count $c$ follows the **Poisson distribution** with mean
# $\lambda$, and its standard deviation is $\sqrt\lambda$. With 100 expected photons the count is
# typically off by 10 %, with 4 by 50 %.
#
# Solving $c = n \, e^{-3x}$ for $x$ gives a picture: $\tilde x = -\tfrac13 \ln (c / n)$. As with
# film, we call this **developing**. A small change $\Delta c$ of the count changes $\tilde x$ by
# $\Delta c / 3c$, so the noise of a pixel has a standard deviation of about
#
# $$ \frac{\sqrt c}{3 c} = \frac{1}{3 \sqrt c}. $$
#
# This noise is **not the same everywhere**: it is largest where the body is densest.


# %%
def count_photons(images, photons):
    """How many photons arrive behind each pixel if this many are sent: a random draw."""
    return torch.poisson(photons * torch.exp(-3 * images))


def develop(counts, photons):
    """The picture that belongs to these counts."""
    at_least_one = counts.clamp(min=1)  # 0 has no logarithm
    return -torch.log(at_least_one / photons) / 3


def pixel_noise(counts):
    """The standard deviation of each pixel's noise, in grey levels."""
    return 1 / (3 * counts.clamp(min=1).sqrt())


xray_train, xray_valid, xray_test = (load_xrays(s) for s in ("train", "valid", "test"))
generator = torch.Generator().manual_seed(0)
valid_xrays = draw_some(xray_valid, 30, generator)
test_xrays = draw_some(xray_test, 150, generator)

seed_everything(0)
flat = torch.full((100, 1, 28, 28), 0.5)
counts = count_photons(flat, 200)
measured, predicted = develop(counts, 200).std().item(), pixel_noise(counts).mean().item()
print(
    f"noise of a grey area, 200 photons: measured {measured:.3f}, formula {predicted:.3f}"
)
assert abs(measured / predicted - 1) < 0.1

# %% [markdown]
# ### A network that corrects
#
# Until now the network drew the clean picture. When the noise is weak, most of that picture is
# there already, and it is easier to learn what has to be **taken away**. Kai Zhang and others
# showed in 2017 how much this helps. We go one step further and let the network answer in units of
# each pixel's noise, which we know:
#
# $$ \hat x = \tilde x + \frac{1}{3 \sqrt c} \, f(\tilde x) $$
#
# So at a high dose a wrong answer does little harm, and at a low dose the network has much freedom.
# The dose is drawn anew for each picture, from 10 to 400 photons.


# %%
def clean_xrays(model, counts, photons):
    """The noisy picture, plus the network's correction in units of the pixel's noise."""
    picture = develop(counts, photons)
    return picture + pixel_noise(counts) * model(picture).float()


def xray_loss(model, images, labels):
    chance = torch.rand(len(images), 1, 1, 1, device=images.device)
    photons = 10 * 40**chance  # 10 to 20 is drawn as often as 200 to 400
    cleaned = clean_xrays(model, count_photons(images, photons), photons)
    return squared_error(cleaned, images)


seed_everything(0)
xray_denoiser = UNet()
epochs = max(1, round(440 * 32 / len(xray_train)))  # about 440 steps
record = fit(xray_denoiser, xray_train, xray_loss, epochs=epochs, batch_size=32, lr=6e-3)

# %% [markdown]
# ### Your turn 4 · Learning the noise
#
# The plain form of this idea: the network's output is an estimate of the **noise**, and it is
# *subtracted* from the noisy picture. `noisy` and `images` (the clean ones) are (N, 1, H, W), and
# `model` is any function from images to images. Write the loss: the squared error of the cleaned
# picture against the clean one, summed over the pixels, one number per image, (N,).


# %% tags=["exercise"]
def my_residual_loss(model, noisy, images):
    result = ...  # your code here
    return result


checks.residual_loss(my_residual_loss)


# %% tags=["solution"]
def my_residual_loss(model, noisy, images):
    cleaned = noisy - model(noisy)
    return (cleaned - images).square().flatten(1).sum(1)


# %% [markdown]
# ### The rivals, at their best
#
# The three filters expect noise that is equally strong everywhere. To be fair, we give it to them.
# Francis Anscombe found in 1948 that $2 \sqrt{c + 3/8}$ has noise with a standard deviation of
# about 1, whatever the mean count is, unless it is very small. So the filters work on these square
# roots, and the result is squared and developed. (One more correction: the square of a mean of
# roots is too small by ¼ on average. So for filters that average, the way back adds ¼.) Their
# settings are again chosen on validation pictures, for each dose.
#
# **Predict.** The filters know the kind of noise, and get a setting of their own for each dose. Is
# one of them ahead of the network, at 20, 50 or 200 photons?

# %%
XRAY_SETTINGS = {
    "median": (3, 5),
    "total variation": (0.01, 0.02, 0.03, 0.04, 0.055, 0.075, 0.1, 0.14),
    "non-local means": (0.02, 0.03, 0.045, 0.07, 0.1),
}
DOSES = (20, 50, 200)


def filter_counts(name, counts, photons, setting):
    """A classical filter on Anscombe's square roots of the counts, and the picture developed."""
    roots = 2 * (counts + 3 / 8).sqrt()
    smooth = roots.max() * filtered(name, roots / roots.max(), setting)
    back = (smooth / 2).square() - 3 / 8
    if name != "median":  # a median of roots is the root of the median
        back += 1 / 4
    return develop(back, photons).clamp(0, 1)


def methods_for(photons):
    """Name → a function from counts to pictures; each filter with its best setting."""
    counts = count_photons(valid_xrays, photons)
    methods = {"noisy": lambda c: develop(c, photons).clamp(0, 1)}
    for name, settings in XRAY_SETTINGS.items():

        def on_valid(setting, name=name):
            return psnr(filter_counts(name, counts, photons, setting), valid_xrays).mean()

        best = max(settings, key=on_valid)
        methods[name] = lambda c, name=name, best=best: filter_counts(
            name, c, photons, best
        )

    @torch.no_grad()
    def network(c):
        return clean_xrays(xray_denoiser, c.to(device), photons).clamp(0, 1).cpu()

    return {**methods, "denoising autoencoder": network}


seed_everything(0)
methods_at = {photons: methods_for(photons) for photons in DOSES}
cleaned_xrays = {}
for photons, methods in methods_at.items():
    counts = count_photons(test_xrays, photons)
    pictures = {name: method(counts) for name, method in methods.items()}
    cleaned_xrays[f"{photons} photons per pixel"] = pictures
scores = show_scores(cleaned_xrays, test_xrays)
for dose in cleaned_xrays:
    best_psnr, best_ssim = scores[dose, "denoising autoencoder"]
    for name in XRAY_SETTINGS:
        assert best_psnr > scores[dose, name][0] + 0.4, (dose, name)
        assert best_ssim > scores[dose, name][1], (dose, name)

# %%
rows = {"truth": test_xrays}
for photons in (200, 20):
    for name in ("noisy", "total variation", "denoising autoencoder"):
        pictures = cleaned_xrays[f"{photons} photons per pixel"][name]
        rows[f"{photons}: {name}"] = pictures
plots.show(
    plots.image_rows(
        {name: images[:8] for name, images in rows.items()},
        "Chest X-rays with 200 and with 20 photons per pixel",
    ),
    alt="Eight chest X-rays: the truth; with 200 photons noisy, by total variation and by the network; the same with 20 "
    "photons. With 20 the noisy pictures hardly show a chest, total variation gives blotches, and the network gives "
    "chests with lungs and heart in place.",
)

# %% [markdown]
# No: the network is ahead at every dose, by both measures. With 20 photons the noisy pictures are
# hardly readable, and yet the network returns chests. If you had only this table, you would buy it
# for your hospital. Should you?

# %% [markdown]
# ## 9 · What a denoiser erases, and what it invents
#
# Doctors do not look for *chests*. They look for the one small thing that is not in every chest. So
# we **plant** one: a bright spot, about three pixels wide and 0.25 brighter than its surroundings
# (on the scale from 0 to 1), at a random place in the lungs of each test picture. If the 28 pixels
# show 30 cm, it is about 3 cm wide. A doctor must not miss that. Then we take the X-ray, denoise,
# and look at that place.
#
# - A spot counts as **erased** if less than half of its brightness is left after cleaning.
# - A spot counts as **invented** if a picture *without* a planted spot shows, after cleaning, one
#   of at least half that brightness, anywhere in the lungs, where the truth has none.
#
# How bright a spot is we measure with a small kernel (lesson 04): positive in the middle, negative
# around, scaled to answer 1 to a spot of brightness 1 and 0 to a flat area.
#
# **Predict.** The network has the highest PSNR. Does it also erase the fewest spots? And how much
# does the PSNR fall if we simply remove the spot from a perfect picture?

# %%
BRIGHTNESS = 0.25
axis = torch.arange(-3.0, 4)
BLOB = torch.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 1.2**2))  # 7 × 7, 1 in the middle
DETECTOR = (BLOB - BLOB.mean()) / ((BLOB - BLOB.mean()) * BLOB).sum()


def lungs(images, count=60):
    """True at the 60 places, away from the border, with the darkest surroundings."""
    # Lungs hold air, which absorbs little: they are the dark part of a chest.
    around = F.avg_pool2d(images, 5, stride=1, padding=2)
    allowed = torch.zeros_like(images, dtype=torch.bool)
    allowed[:, :, 6:-8, 4:-4] = True
    around[~allowed] = 1
    return around <= around.flatten(1).kthvalue(count).values[:, None, None, None]


def plant(images, places):
    """Add a spot to each image; the places (N,) count the pixels row by row."""
    points = F.one_hot(places, 28 * 28).float().reshape(-1, 1, 28, 28)
    return (images + BRIGHTNESS * F.conv2d(points, BLOB[None, None], padding=3)).clamp(0, 1)


def spots(images):
    """How bright a spot there is at each place, (N, 1, 28, 28)."""
    return F.conv2d(images, DETECTOR[None, None], padding=3)


in_lungs = lungs(test_xrays)
places = torch.multinomial(in_lungs.flatten(1).float(), 1, generator=generator)[:, 0]
planted = plant(test_xrays, places)
removed = psnr(test_xrays, planted).mean().item()

found = {}
print(f"{'':34s} PSNR (dB)   erased   invented")
for photons, methods in methods_at.items():
    counts = count_photons(planted, photons)
    for name, method in methods.items():
        without = cleaned_xrays[f"{photons} photons per pixel"][name]
        with_spot = method(counts)
        left = (spots(with_spot) - spots(test_xrays)).flatten(1)
        left = left.gather(1, places[:, None])[:, 0]
        extra = (spots(without) - spots(test_xrays)) * in_lungs
        found[photons, name] = {
            "psnr": psnr(with_spot, planted).mean().item(),
            "erased": (left < BRIGHTNESS / 2).float().mean().item(),
            "invented": (extra.flatten(1).amax(1) > BRIGHTNESS / 2).float().mean().item(),
            "pictures": (with_spot, without, left, extra),
        }
        row = found[photons, name]
        print(
            f"{photons:3d} photons: {name:22s} {row['psnr']:9.1f} "
            f"{row['erased']:8.0%} {row['invented']:10.0%}"
        )
print(f"the perfect picture, but without its spot {removed:5.1f}")

low, high = found[20, "denoising autoencoder"], found[200, "denoising autoencoder"]
assert low["erased"] > 0.2 and low["invented"] > 0.1, "low dose: not to be trusted"
raw = found[20, "noisy"]
assert raw["erased"] < 0.25 and raw["invented"] > 0.5, "the noisy picture shows too many"
assert low["erased"] > raw["erased"] + 0.1, "cleaning erases spots"
assert high["erased"] < 0.2 and high["invented"] < 0.05, "high dose: much better"
assert removed > max(row["psnr"] for row in found.values()), "PSNR hardly sees the spot"
middle, raw = found[50, "denoising autoencoder"], found[50, "noisy"]
assert middle["erased"] > raw["erased"] + 0.1, "at 50 photons as well"

# %%
with_spot, without, left, extra = low["pictures"]
noisy_with, noisy_without, *_ = found[20, "noisy"]["pictures"]
erased = left.argsort()[:3]
invented = extra.flatten(1).amax(1).argsort(descending=True)[:3]
groups = {
    "planted spots that were erased": [
        (planted[i], noisy_with[i], with_spot[i], places[i]) for i in erased
    ],
    "spots that were invented": [
        (test_xrays[i], noisy_without[i], without[i], extra[i].argmax()) for i in invented
    ],
}
figure = plt.figure(figsize=(10, 7))
for half, (title, cases) in zip(figure.subfigures(1, 2), groups.items(), strict=True):
    half.suptitle(title)
    axes = half.subplots(4, 3)
    for column, (truth, noisy, result, place) in zip(axes.T, cases, strict=True):
        pictures = truth, noisy, result, 0.5 + result - truth
        for ax, picture in zip(column, pictures, strict=True):
            plots.draw_image(ax, picture)
            ring = {"fill": False, "color": plots.COLORS[2], "linewidth": 1.5}
            ax.add_patch(plt.Circle((place % 28, place // 28), 4.5, **ring))
    names = "truth", "20 photons", "cleaned", "cleaned − truth"
    for ax, name in zip(axes[:, 0], names, strict=True):
        ax.set_ylabel(name)
plots.show(
    figure,
    alt="Six X-rays in four rows: truth, noisy, cleaned, and the difference of cleaned and true. In the left three, the "
    "truth has a bright spot inside the circle that is missing after cleaning: the difference is dark. In the right three, "
    "there is something bright after cleaning that the truth does not have: the difference is bright.",
)


def grain(images):
    """How much pixels differ from their 3 × 3 neighbourhood: root mean square."""
    difference = images - F.avg_pool2d(images, 3, stride=1, padding=1)
    return difference[:, :, 2:-2, 2:-2].square().mean().sqrt().item()


for name, pictures in {"noisy": noisy_without, "cleaned": without}.items():
    print(
        f"grain of the {name} picture: {grain(pictures) / grain(test_xrays):.1f} × the truth's"
    )
assert grain(without) < 1.5 * grain(test_xrays) < 0.5 * grain(noisy_without)

# %% [markdown]
# (These are the clearest of 150 pictures each. In the last row, grey means no difference, dark that
# something was erased, bright that something was invented.) Now read the table slowly.
#
# - With 20 and with 50 photons the network, the winner in PSNR, **erases** a good part of the
#   spots, far more than are lost in the noisy picture. Nobody planted spots in its training, and
#   the conditional mean believes what is common.
# - In a number of pictures it **invents** one. The photons happened to make a bright patch, and the
#   network tidied it up into something that looks like anatomy.
# - The noisy picture keeps most spots, and with 20 photons it is full of false ones. But there
#   nobody would believe them: the grain warns us. After cleaning, the picture has hardly more grain
#   than the truth. **The warning has been removed, and the error has stayed.**
# - The **PSNR notices none of this**. Take the spot away from a perfect picture, a fatal error for
#   the patient, and its PSNR is still higher than any in the table. The spot is small, and PSNR
#   averages over all pixels.
# - With ten times the photons, nearly all spots are kept and hardly any are invented. No denoiser
#   replaces photons.
#
# Classical filters erase and invent as well. Compare the rows: some are better than the network in
# one column, some are far worse. But their results look filtered. The better a denoiser knows what
# pictures should look like, the more convincing its errors are. The network for digits drew strokes
# where there was no digit, for the same reason.
#
# So what to do? Test a denoiser on the task it is for, with planted details, at the dose at which
# it will be used. Keep the raw picture beside the clean one. And prefer models that can say how
# sure they are. A single mean cannot. Several plausible originals would show it, and for those we
# need a model of probabilities: that is where lesson 07 goes.

# %% [markdown]
# ## Summary
#
# - A **denoising autoencoder** sees a spoiled input and has to give back the clean one:
#   $\lVert f(\tilde x) - x \rVert^2$, with noise drawn anew in every step.
# - **PSNR** measures distance pixel by pixel, **SSIM** structure in small windows, **SI-SNR**
#   sounds without regard to loudness.
# - A **U-shaped** network sees widely and draws sharply. On held-out data it beat median, total
#   variation and non-local means, each at its best setting, and spectral subtraction that knew the
#   noise.
# - Train on a **range of noise levels**. Below the range a denoiser harms good pictures. Above it,
#   it draws strokes that are not there.
# - With squared error it learns the **conditional mean**: smooth where in doubt, and inclined to
#   what is common.
# - For that reason it **erases** rare details and **invents** usual ones, and neither can be seen
#   in the picture or in the PSNR. Plant details and count.
#
# ## What to read
#
# - P. Vincent and others, [Extracting and composing robust features with denoising
#   autoencoders](https://www.cs.toronto.edu/~larocheh/publications/icml-2008-denoising-autoencoders.pdf)
#   (2008): where the name comes from, with the picture of noisy points pushed back to where the
#   data lie.
# - G. Alain, Y. Bengio, [What regularized auto-encoders learn from the data-generating
#   distribution](https://arxiv.org/abs/1211.4246) (2014): a denoiser's correction points to where
#   data are more probable. Diffusion models are built on this.
# - O. Ronneberger, P. Fischer, T. Brox, [U-Net](https://arxiv.org/abs/1505.04597) (2015): eight
#   pages, one drawing that everybody knows.
# - K. Zhang and others, [Beyond a Gaussian denoiser](https://arxiv.org/abs/1608.03981) (2017):
#   learning the noise in place of the picture.
# - J. Lehtinen and others, [Noise2Noise](https://arxiv.org/abs/1803.04189) (2018): the mean again.
#   You can train with noisy targets, if their noise is independent and has the mean 0.
# - J. Le Roux and others, [SDR – half-baked or well done?](https://arxiv.org/abs/1811.02508)
#   (2019): why a measure of sounds should not care about loudness.
# - V. Antun and others, [On instabilities of deep learning in image
#   reconstruction](https://doi.org/10.1073/pnas.1907377117) (2020): erased and invented details in
#   medical images, with examples.
#
# **Next:** lesson 06, Other autoencoders. Noise is one way to make copying hard. There are more.
