# %% [markdown]
# # Deeper · What is worth a number in the code?
#
# A fixed σ tells a VAE which errors are noise, and noise is not worth coding. For a *linear* VAE one can say exactly what is: this
# page derives the rule from PCA, checks it with a VAE that is told a σ much too large, and then asks it how many directions of
# the digits would be used with the σ that common losses choose. It belongs to section 5 of
# [lesson 09](../09_is_my_vae_any_good.ipynb).

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import nn

from vae_helpers import losses, plots
from vae_helpers.data import load_digits
from vae_helpers.device import seed_everything

plots.use_course_style()

# %% [markdown]
# ## 1 · The rule
#
# In the **linear VAE** the decoder is $Wz + b$ with Gaussian noise of the width $\sigma$. It is probabilistic PCA, and its best
# parameters are known (Tipping and Bishop, 1999): with the variances $\lambda_j$ of the data along PCA's directions $u_j$, the
# columns of $W$ are
#
# $$ u_j \sqrt{\lambda_j - \sigma^2}. $$
#
# The root exists for $\lambda_j > \sigma^2$ only; otherwise the best column is 0. So **a direction of the data is worth a number in the
# code if its variance is larger than σ²**.
#
# We make data in which two hidden causes drive six sensors, and fix $\sigma^2$ *between* the two large variances.
#
# **Predict.** How many of the two numbers of the code will be used?

# %%
seed_everything(0)
directions = torch.linalg.qr(torch.randn(6, 6)).Q[:, :2]  # two perpendicular ones
causes = torch.randn(2000, 2) * torch.tensor([2.0, 1.2])
x = 3 + causes @ directions.T + 0.5 * torch.randn(2000, 6)
variances = torch.linalg.eigvalsh(torch.cov(x.T)).flip(0)  # largest first
sigma = variances[:2].mean().sqrt()

encoder, decoder = nn.Linear(6, 2), nn.Linear(2, 6)
log_var = nn.Parameter(torch.zeros(2))
optimizer = torch.optim.Adam(
    [*encoder.parameters(), *decoder.parameters(), log_var], lr=0.05
)
steps = 1000
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)  # falls to 0
for _ in range(steps):
    mean = encoder(x)
    z = mean + torch.exp(log_var / 2) * torch.randn_like(mean)
    distortion = ((decoder(z) - x) ** 2).sum(1) / (2 * sigma**2)
    rate = losses.kl_divergence(mean, log_var.expand_as(mean))
    optimizer.zero_grad()
    (distortion + rate).mean().backward()
    optimizer.step()
    schedule.step()
rates = (mean**2 + log_var.exp() - log_var - 1).mean(0) / 2
print(f"variances {[round(v, 2) for v in variances.tolist()]}, fixed σ² = {sigma**2:.2f}")
print("rates of the two numbers:", [f"{r:.3f} nats" for r in rates.tolist()])

# %% tags=["claim"]
assert max(rates) > 0.05 and min(rates) < 0.01, "exactly one number should be in use"

# %% [markdown]
# One number is in use, and the other has **collapsed**: its cloud is the prior, whatever the input. The VAE has not failed. It was
# told that everything below σ is noise.
#
# ## 2 · The directions of the digits
#
# Now the variances of the digits along PCA's directions, with three choices of σ²: the squared error *averaged* over 784 pixels
# plus KL ($2\sigma^2 = 784$), the *summed* one ($2\sigma^2 = 1$), and the mean squared error that 20 directions of PCA leave.

# %%
pixels = load_digits("train").subset(slice(0, 3_500)).floats.flatten(1)
centre = pixels.mean(0)
spectrum, components = torch.linalg.eigh(torch.cov(pixels.T))
spectrum, components = spectrum.flip(0), components.flip(1)  # largest first
rebuilt = centre + (pixels - centre) @ components[:, :20] @ components[:, :20].T
squared_error = (pixels - rebuilt).square()
choices = {
    "averaged": 784 / 2,
    "summed": 0.5,
    "the errors' own": squared_error.mean().item(),
}
used = {name: int((spectrum > variance).sum()) for name, variance in choices.items()}
print("directions worth a number:", used)

# %% tags=["figure"]
# Left: which directions beat σ². Right: the distortion of PCA's reconstructions for every σ
figure, axes = plt.subplots(1, 2, figsize=(9, 3.9))
axes[0].semilogy(range(1, 201), spectrum[:200], color=plots.COLORS[0])
for (name, variance), color in zip(choices.items(), (4, 2, 3)):
    axes[0].axhline(variance, color=plots.COLORS[color], linestyle="--")
    right = name != "the errors' own"  # where the curve leaves room
    place = {"va": "bottom" if right else "top", "ha": "right" if right else "left"}
    x_text, y_text = (200, 1.1 * variance) if right else (2, variance / 1.1)
    axes[0].text(
        x_text, y_text, f"{name}: {used[name]} used", color=plots.COLORS[color], **place
    )
axes[0].set(
    title="Which directions beat σ²?",
    xlabel="PCA direction",
    ylabel="variance (squared grey levels)",
    ylim=(2e-3, 3e3),
)
sigmas = torch.logspace(-1.5, 0.5, 300)
nll = squared_error.sum(1).mean() / (2 * sigmas**2)
nll = nll + 784 * (sigmas.log() + 0.5 * math.log(2 * math.pi))
axes[1].plot(sigmas, nll, color=plots.COLORS[0])
best = nll.argmin()
axes[1].scatter(sigmas[best], nll[best], marker="*", s=150, color=plots.COLORS[3], zorder=3)
axes[1].axvline(math.sqrt(0.5), color=plots.COLORS[2], linestyle="--")
axes[1].text(0.77, -650, "summed:\nσ = 0.71", color=plots.COLORS[2])
axes[1].set(
    title="Distortion for every σ",
    xlabel="σ (grey levels)",
    ylabel="nats per image",
    xscale="log",
    ylim=(-800, 1800),
)
plots.show(
    figure,
    alt="Left: the variances of the digits' PCA directions fall from about 5 to far below 0.1. A line at 392 lies above all of them, "
    "one at 0.5 cuts off all but about twenty, one near 0.02 leaves more than a hundred. Right: the distortion as a function "
    "of σ has a minimum, marked by a star near 0.15, and is much higher at 0.71.",
)
print(f"smallest distortion at σ = {sigmas[best]:.3f} grey levels")

# %% tags=["claim"]
assert used["averaged"] == 0, "with σ ≈ 20 everything collapses"
assert 5 < used["summed"] < 50
assert used["the errors' own"] > 60, "far more than the 20 of our PCA"
assert nll.min() < nll[(sigmas - math.sqrt(0.5)).abs().argmin()] - 500

# %% [markdown]
# With the averaged error not *one* direction of the digits is worth a number, so a linear VAE with this loss must collapse
# completely, however it is trained. (Lesson 09 shows that a deep one does no better.) With the summed error it uses some. With
# the σ that fits the errors it would use many more than the 20 that made these errors: a longer code would pay, the errors
# would shrink, and σ with them. In a VAE that computes σ from its own errors, this happens while it trains.
#
# Read on: J. Lucas and others, [Don't blame the ELBO!](https://arxiv.org/abs/1911.02469) (2019): the linear VAE, collapse, and the
# role of σ, with proofs.
#
# Back to [lesson 09 · Is my VAE any good?](../09_is_my_vae_any_good.ipynb)
