# %% [markdown]
# # Deeper · Three languages for σ, and a fourth
#
# The encoder of a VAE must name a width, and a width is positive, but a linear layer puts out any number. So what
# should the raw output $a$ stand for: $\sigma$, $\sigma^2$, or $\log\sigma^2$, as in
# [lesson 07](../07_the_vae_piece_by_piece.ipynb)? Many programs use a fourth, $\sigma = \text{softplus}(a) = \log(1 + e^a)$, a smooth ramp
# that is always positive. They all describe the same clouds. This page measures whether the choice matters, first for
# a single width, then for a VAE that learns digits.

# %%
import functools
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from vae_helpers import models, plots
from vae_helpers.data import load_digits
from vae_helpers.device import budget, seed_everything
from vae_helpers.losses import negative_elbo
from vae_helpers.train import fit, measure

plots.use_course_style()
seed_everything(0)

# %% [markdown]
# ## 1 · One width, four languages
#
# The price of a width in the KL is $\tfrac12(\sigma^2 - \log\sigma^2 - 1)$, which is lowest at $\sigma = 1$. The
# languages differ in what a step of the raw output does to it.

# %%
languages = {  # name: the width σ that the raw output a stands for
    "a = σ": lambda a: a,
    "a = σ²": lambda a: a.sqrt(),
    "a = log σ²": lambda a: (a / 2).exp(),
    "σ = softplus(a)": F.softplus,
}
starts = [0.05, 0.05**2, math.log(0.05**2), math.log(math.expm1(0.05))]  # all mean σ = 0.05


def price(sigma):
    return 0.5 * (sigma.square() - 2 * sigma.log() - 1)


# %% tags=["figure"]
# The width that a raw output stands for, and the slope of the price, in each language
looks = dict(zip(languages, zip(plots.COLORS[1:5], ("-.", "--", "-", ":"))))
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8))
for name, width in languages.items():
    a = torch.linspace(-8, 8, 3201)
    a = (a[a > 0.001] if name in ("a = σ", "a = σ²") else a).requires_grad_()
    [slope] = torch.autograd.grad(price(width(a)).sum(), a)
    color, style = looks[name]
    axes[0].semilogy(a.detach(), width(a).detach(), color=color, ls=style, lw=2, label=name)
    axes[1].plot(a.detach(), slope, color=color, ls=style, lw=2)
axes[0].set(title="Width", xlabel="raw output a", ylabel="width σ", ylim=(0.015, 60))
axes[0].legend(loc="lower right")
axes[1].axhline(0, color="0.8", lw=1)
axes[1].set(
    title="Slope of the price",
    xlabel="raw output a",
    ylabel="nats per unit of a",
    xlim=(-4, 4),
    ylim=(-6, 6),
)
plots.show(
    figure,
    alt="Left: as σ or σ² only positive outputs stand for a width; as log σ² or through softplus every output does. Right: the "
    "slopes for σ and σ² plunge to minus infinity near 0, that for log σ² never falls below minus one half, and "
    "softplus lies near minus one on the left.",
)

# %% tags=["claim"]
low, high = torch.tensor(-8.0), torch.tensor(8.0)
assert (
    0.015 < languages["a = log σ²"](low) < 0.02 and 50 < languages["a = log σ²"](high) < 60
)
a = torch.linspace(-8, 0, 100).requires_grad_()
[slope] = torch.autograd.grad(price(languages["a = log σ²"](a)).sum(), a)
assert slope.min() >= -0.5, "for narrow clouds the slope should be gentle"

# %% [markdown]
# Two differences can be seen. As σ or σ², only positive outputs mean anything. And near 0 their slopes have no limit, whereas
# the slope with respect to $\log\sigma^2$ is $\tfrac12(\sigma^2 - 1)$, so for a narrow cloud it is close to $-\tfrac12$.
#
# **Predict.** A width starts at $\sigma = 0.05$ and should learn $\sigma = 1$ in 150 steps. With plain gradient descent
# and the learning rate 0.1, which language gets there first? And with Adam, which the course uses?


# %%
def walk(name, start, optimizer, lr):
    """The widths on the way, as the raw output follows the slope of the price."""
    a = torch.tensor(start, requires_grad=True)
    steps, widths = optimizer([a], lr=lr), []
    for _ in range(150):
        widths.append(languages[name](a).item())
        steps.zero_grad()
        price(languages[name](a)).backward()
        steps.step()
    return widths


walks = {
    title: {
        name: walk(name, start, optimizer, lr=0.1) for name, start in zip(languages, starts)
    }
    for title, optimizer in (
        ("gradient descent", torch.optim.SGD),
        ("Adam", torch.optim.Adam),
    )
}

# %% tags=["figure"]
# 150 steps from σ = 0.05 towards 1
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
for ax, (title, paths) in zip(axes, walks.items()):
    ax.axhline(1, color="0.8", lw=1)
    for name, widths in paths.items():
        color, style = looks[name]
        ax.semilogy(widths, color=color, ls=style, lw=2, label=name)
    ax.set(title=f"150 steps of {title}", xlabel="step", yticks=[0.05, 0.2, 1, 5])
    ax.set_yticklabels(["0.05", "0.2", "1", "5"])
    ax.minorticks_off()
axes[0].set_ylabel("width σ")
axes[0].legend(loc="lower right", fontsize=9)
plots.show(
    figure,
    alt="Two panels of widths over 150 steps. With gradient descent σ jumps past 1 and is back soon, σ² jumps far above and stays "
    "there, log σ² and softplus rise evenly. With Adam all four come close to 1 without large jumps.",
)
for title, paths in walks.items():
    print(title)
    for name, widths in paths.items():
        inside = [abs(w - 1) < 0.05 for w in widths]
        there = next((i for i in range(150) if all(inside[i:])), None)
        arrival = (
            "not within 5% of 1 yet"
            if there is None
            else f"within 5% of 1 from step {there} on"
        )
        print(
            f"   {name:16} largest width {max(widths):5.2f}, at the end {widths[-1]:.3f}, {arrival}"
        )

# %% tags=["claim"]
down, adam = walks.values()
assert max(down["a = σ"]) > 1.5 and abs(down["a = σ"][40] - 1) < 0.05, "there and back soon"
assert down["a = σ²"][-1] > 3, "σ² should overshoot and stay there"
assert max(down["a = log σ²"]) < 1.01 and 0.85 < down["a = log σ²"][-1] < 0.95, (
    "calm, and slow"
)
assert max(map(max, adam.values())) < 1.3 and adam["a = σ²"][-1] < 0.95, (
    "Adam should be calm"
)
assert all(abs(widths[-1] - 1) < 0.05 for name, widths in adam.items() if name != "a = σ²")

# %% [markdown]
# With plain gradient descent, $\sigma$ itself arrives first, although its first steps jump to twice the width. $\sigma^2$ jumps past 4
# and is still far above 1 at the end. $\log\sigma^2$ never overshoots, but it is slow, and not within 5% of 1 after 150 steps.
# With Adam, whose steps have about the same size however steep the slope is, nobody jumps far, and $\sigma^2$ is the slowest. So the race
# has no clear winner. It does show that an unlimited slope is a risk, and that the answer depends on the optimizer.
#
# ## 2 · A VAE in each language
#
# A toy is a toy. We train the VAE of lesson 07 on digits in all four languages, with the same steps and three seeds. A raw
# output may be negative, so for the first two we take its absolute value. At the start, raw outputs lie near 0. This means
# $\sigma \approx 1$ for $\log\sigma^2$, but clouds of almost no width for the first two. So we train each of them a second time with
# a constant added to its raw outputs, which lets all of them start near $\sigma = 1$.
#
# **Predict.** Which languages lose most, and does the better start help them?

# %%
EPOCHS = budget(cpu=4, gpu=20)
train_set = load_digits("train").subset(slice(0, 3_500)).binarized()
test_set = load_digits("test").subset(slice(0, 1_000)).binarized()
spoken = {  # language: (log σ² from the raw output a, the a that stands for σ = 1)
    "σ = |a|": (lambda a: 2 * a.abs().clamp(min=1e-6).log(), 1.0),
    "σ² = |a|": (lambda a: a.abs().clamp(min=1e-12).log(), 1.0),
    "log σ² = a": (lambda a: a, 0.0),
    "σ = softplus(a)": (
        lambda a: 2 * F.softplus(a).clamp(min=1e-6).log(),
        math.log(math.e - 1),
    ),
}


# %%
class SpeakingVAE(models.DenseVAE):
    """The VAE of lesson 07, whose raw outputs are read in one of the languages."""

    def encode(self, images):
        mean, raw = super().encode(images)
        return mean, self.to_log_var(raw + self.shift)


@functools.cache  # the same training is not done twice
def train_in(language, shift, seed):
    seed_everything(seed)
    vae = SpeakingVAE(hidden=(256,), latent_dim=8)
    vae.to_log_var, vae.shift = spoken[language][0], shift
    try:
        fit(
            vae, train_set, negative_elbo, epochs=EPOCHS, lr=5e-3, batch_size=100, seed=seed
        )
    except FloatingPointError:
        return math.nan
    return measure(vae, test_set, negative_elbo)["loss"]


table = {}
for start in ("raw outputs near 0", "started near σ = 1"):
    shifts = {name: one if "σ = 1" in start else 0.0 for name, (_, one) in spoken.items()}
    table[start] = {
        name: [train_in(name, shifts[name], seed) for seed in range(3)] for name in spoken
    }

# %% tags=["figure"]
# The loss on test digits, in nats per image, three seeds each
print(f"{'−ELBO, nats per image':24}" + "".join(f"{start:26}" for start in table))
for name in spoken:
    cells = [
        "  ".join(f"{value:6.1f}" for value in losses[name]) for losses in table.values()
    ]
    print(f"{name:24}{cells[0]:26}{cells[1]}")

# %% tags=["claim"]
for losses in table.values():
    good = losses["log σ² = a"] + losses["σ = softplus(a)"]
    assert max(good) < min(losses["σ = |a|"] + losses["σ² = |a|"]), (
        "no seed should disagree"
    )
    means = [sum(losses[name]) / 3 for name in ("log σ² = a", "σ = softplus(a)")]
    assert abs(means[0] - means[1]) < 6, "these two should be alike"

# %% [markdown]
# The two languages that need an absolute value lose many nats in this short training, in every seed, and the better start
# does not help them. So the start is not the reason. A likely one is the slope: whenever an output comes near 0, it has no limit,
# and the step that follows shakes all weights of the layer. Between $\log\sigma^2$ and softplus the seeds hardly decide.
#
# So $\log\sigma^2$ is not the only good language, but it is a safe and simple one. Every output has a meaning, the slope is gentle for
# narrow clouds, and the KL needs $\log\sigma^2$ anyway.
#
# There is one trap. For large raw outputs $e^a$ explodes: float32 ends near $a = 88$, where
# softplus would still be a modest 88. In a healthy VAE this does not happen, because the KL keeps clouds from getting wide.

# %%
extreme = torch.tensor([88.0, 89.0])
print("exp:", extreme.exp().tolist(), " softplus:", F.softplus(extreme).tolist())

# %% tags=["claim"]
assert extreme.exp()[0].isfinite() and extreme.exp()[1].isinf()

# %% [markdown]
# Back to [lesson 07 · The VAE, piece by piece](../07_the_vae_piece_by_piece.ipynb).
