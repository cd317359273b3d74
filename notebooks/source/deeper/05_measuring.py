# %% [markdown]
# # Deeper · How good is a picture?
#
# [Lesson 05](../05_denoising_autoencoders.ipynb) measures cleaned pictures by their PSNR, and gives a second number beside
# it, the SSIM. Why two? On this page three pictures have exactly the same PSNR, and hardly anybody would call them equally
# good. You will write the second measure yourself, and see where in the picture it finds fault.

# %%
import matplotlib.pyplot as plt
import torch
from skimage.metrics import structural_similarity
from torch.nn import functional as F

from vae_helpers import checks, plots
from vae_helpers.data import load_digits
from vae_helpers.device import seed_everything

plots.use_course_style()

# %% [markdown]
# ## 1 · The same error, three times
#
# The **mean squared error** (MSE) of a picture is the squared difference from the original, averaged over the pixels. The
# **peak signal-to-noise ratio** turns it around and counts in factors:
#
# $$ \text{PSNR} = 10 \log_{10} \frac{1}{\text{MSE}} \quad \text{decibels (dB)}, $$
#
# where the 1 is the largest value that a pixel can have. A tenth of the error is 10 dB more, half of the error about 3 dB.
#
# PSNR looks at one pixel at a time. We now spoil each digit in three ways: noisy, blurred, and faded. Each way goes just so
# far that the mean squared error is a quarter of the digit's mean square, and so the three have **exactly the same** PSNR.
#
# **Predict.** Which of the three will look best to you, and which worst?

# %%
digits = load_digits("test")
digits = digits.floats[torch.linspace(5, len(digits) - 5, 150).long()]


def psnr(pictures, originals):
    """Peak signal-to-noise ratio of each picture in dB, (N, C, H, W) → (N,)."""
    mse = (pictures - originals).square().flatten(1).mean(1)
    return 10 * torch.log10(1 / mse)


seed_everything(1)
wrong_ways = {
    "noisy": torch.randn_like(digits),
    "blurred": F.avg_pool2d(digits, 5, stride=1, padding=2) - digits,
    "faded": -digits,
}
spoiled = {}
for name, way in wrong_ways.items():
    size, step = (x.square().mean((1, 2, 3), keepdim=True) for x in (digits, way))
    spoiled[name] = digits + (0.25 * size / step).sqrt() * way

# %% tags=["figure"]
# Four digits, and each spoiled in three ways by the same squared error
four = torch.tensor([5, 35, 80, 125])
rows = {"original": digits[four]}
for name, pictures in spoiled.items():
    decibels = psnr(pictures, digits)
    rows[f"{name}, {decibels[four].mean():.1f} dB"] = pictures[four].clamp(0, 1)
plots.show(
    plots.image_rows(rows, "Each digit, spoiled in three ways by the same squared error"),
    alt="Four digits and three versions of each with the same PSNR: noisy, blurred, and faded to half of their brightness.",
)
apart = {
    name: (psnr(x, digits) - psnr(spoiled["noisy"], digits)).abs().max()
    for name, x in spoiled.items()
}
print(f"largest difference in PSNR between the three ways: {max(apart.values()):.4f} dB")

# %% tags=["claim"]
assert max(apart.values()) < 0.01

# %% [markdown]
# Most people like the faded digits best, because nothing but the brightness is wrong with them. PSNR cannot know. Some
# pixels are far off in the noisy picture and others not at all; in the faded one all of the ink is a little off, and the
# sum of the squares is the same.
#
# ## 2 · Three questions about a window
#
# The **structural similarity** (SSIM; Wang, Bovik, Sheikh and Simoncelli, 2004) slides a window of 7 × 7 pixels over both
# pictures and asks three questions about each window $x$ and its partner $y$. How bright are they (the means $\mu_x$,
# $\mu_y$)? How much contrast do they have (the variances $\sigma_x^2$, $\sigma_y^2$)? And do both get brighter at the same
# places (the covariance $\sigma_{xy}$)?
#
# $$ \text{SSIM} = \frac{(2 \mu_x \mu_y + c_1)\,(2 \sigma_{xy} + c_2)}
# {(\mu_x^2 + \mu_y^2 + c_1)\,(\sigma_x^2 + \sigma_y^2 + c_2)} $$
#
# The first bracket above and below compares the means: it is 1 if they are equal, and smaller otherwise, because
# $2 \mu_x \mu_y$ is never more than $\mu_x^2 + \mu_y^2$. The second compares the rest in the same manner. The small numbers
# $c_1 = 0.01^2$ and $c_2 = 0.03^2$ keep the fraction from being 0/0 where both windows are black.
#
# ### Your turn · SSIM of one window (8 min)
#
# Write the formula for one window: `x` and `y` are (7, 7), and the result is one number. Mean, variance and covariance are
# plain averages over the 49 pixels: divide by 49, not by 48. Below, your function slides over the digits.


# %% tags=["exercise"]
def my_ssim(x, y):
    similarity = ...  # your code here
    return similarity


verdict = checks.window_ssim(my_ssim)
window_ssim = verdict.working
verdict


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
# ## 3 · Where does it find fault?
#
# A window fits into 28 pixels at 22 places in each direction, so the SSIM of a picture is a small picture itself, a map of
# 22 × 22 numbers. Their mean is the number that is usually reported.
#
# **Predict.** Where are the maps of the noisy, the blurred and the faded digit bright (no fault), and where dark?


# %%
def ssim_map(picture, original):
    """The SSIM of each window, (1, 28, 28) each → (22, 22)."""
    windows = [
        image[0].unfold(0, 7, 1).unfold(1, 7, 1).flatten(0, 1)
        for image in (picture, original)
    ]
    similarity = [float(window_ssim(x, y)) for x, y in zip(*windows)]
    return torch.tensor(similarity).reshape(22, 22)


maps = {
    name: [ssim_map(pictures[i], digits[i]) for i in four]
    for name, pictures in spoiled.items()
}
ours = {name: torch.stack(found).mean((1, 2)) for name, found in maps.items()}

# %% tags=["figure"]
# A digit spoiled in three ways, and the map of its SSIM below each
figure, axes = plt.subplots(2, 4, figsize=(9.5, 5.2))
plots.draw_image(axes[0, 0], digits[four[1]])
axes[0, 0].set_title("original")
axes[1, 0].axis("off")
for (above, below), (name, pictures) in zip(axes.T[1:], spoiled.items()):
    plots.draw_image(above, pictures[four[1]].clamp(0, 1))
    above.set_title(name)
    shade = below.imshow(maps[name][1], cmap="cividis", vmin=0, vmax=1)
    below.set(title=f"mean {ours[name][1]:.2f}", xticks=[], yticks=[])
figure.colorbar(
    shade, ax=axes[1, 0], location="left", label="SSIM of each window (1 = equal)"
)
plots.show(
    figure,
    alt="A digit, and its noisy, blurred and faded versions above maps of their SSIM. Noisy: dark all over the black ground, "
    "bright on the stroke. Blurred: a dark band around the stroke. Faded: an even middle value around the stroke, bright elsewhere.",
)


def theirs(picture, original):
    """The SSIM of scikit-image."""
    return structural_similarity(picture[0].numpy(), original[0].numpy(), data_range=1)


similarity = {
    name: torch.tensor([theirs(a, b) for a, b in zip(pictures, digits)]).mean().item()
    for name, pictures in spoiled.items()
}
print("mean SSIM of 150 digits:", {name: round(s, 2) for name, s in similarity.items()})
gap = max(
    abs(theirs(spoiled[name][i], digits[i]) - ours[name][k]).item()
    for name in ours
    for k, i in enumerate(four)
)
print(
    f"largest difference between yours and scikit-image's, which divides by 48: {gap:.4f}"
)

# %% tags=["claim"]
assert similarity["faded"] > max(similarity["noisy"], similarity["blurred"]) + 0.05
assert gap < 0.02, "the course's SSIM should be scikit-image's but for 48 and 49"

# %% [markdown]
# SSIM likes the faded digits best, because all of their structure is left. It dislikes the noisy ones on the empty
# ground, where there should be no structure at all, and the blurred ones along the strokes. Two pictures of pure noise have
# an SSIM of about 0, but two different digits do not: where both are black, they are equal.
#
# No measure is *right*. PSNR says how far the pixels are off, SSIM how much structure is left, and section 7 of the lesson
# shows something that neither of them sees: a spot of three pixels that matters. What counts as good depends on what the
# picture is for.
#
# **Going on.** Add 0.1 to every pixel of a digit, and compare its PSNR and its SSIM. Then shift the digit by one pixel.
#
# ## Read
#
# - Z. Wang and others, [Image quality assessment: from error visibility to structural
#   similarity](https://doi.org/10.1109/TIP.2003.819861) (2004): the paper, with a famous row of portraits of equal MSE.
# - R. Zhang and others, [The unreasonable effectiveness of deep features as a perceptual
#   metric](https://arxiv.org/abs/1801.03924) (2018): what came after, measures that are learnt.
#
# **Back to** [lesson 05 · Denoising autoencoders](../05_denoising_autoencoders.ipynb).
