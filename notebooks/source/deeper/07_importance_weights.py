# %% [markdown]
# # Deeper · Importance weights and their tails
#
# [Lesson 07](../07_the_vae_piece_by_piece.ipynb) wrote the probability of a picture as an average of weights, and then
# trained with the average of their *logarithms*, the ELBO. Why not average the weights themselves? Their average is
# right for every guess, and its logarithm has no gap. This page tries it on an example so small that every number is
# known exactly, and meets a trap that people who compare generative models fall into: the guess that is best for the
# ELBO can be a bad one for the average, and nothing in the output says so.

# %%
import math

import matplotlib.pyplot as plt
import torch

from vae_helpers import plots, widgets
from vae_helpers.device import seed_everything

plots.use_course_style()
seed_everything(0)

# %% [markdown]
# ## 1 · A dial and a sensor
#
# Somewhere there is a dial that nobody can see. It stands at a random position $z \sim \mathcal N(0, 1)$. A sensor turns
# the position into a reading $x = f(z) + \text{noise}$, and it **saturates**: far out, it hardly reacts any more. This is
# the story of a VAE with one number per code and one "pixel", and with a Gaussian likelihood
# $p(x \mid z) = \mathcal N(x;\, f(z),\, 0.4^2)$. On a fine grid of positions, integrals are sums.
#
# **Predict.** The dial is most often near 0, where $f(0) = 0$. Are readings near 0 the most frequent ones?

# %%
sigma_x = torch.tensor(0.4)
z = torch.linspace(-8, 8, 3201, dtype=torch.double)
dz = (z[1] - z[0]).item()


def sensor(z):
    return 2 * torch.tanh(1.5 * z)


def log_normal(value, mean, sigma):
    return -0.5 * ((value - mean) / sigma) ** 2 - sigma.log() - 0.5 * math.log(2 * math.pi)


def log_joint(x, z):
    """log p(x, z) = log p(z) + log p(x | z)."""
    prior = log_normal(z, torch.tensor(0.0), torch.tensor(1.0))
    return prior + log_normal(x, sensor(z), sigma_x)


def log_evidence(x):
    """log p(x) of readings x (N,), by adding up p(x, z) over the grid."""
    return torch.logsumexp(log_joint(x[:, None], z), dim=1) + math.log(dz)


readings = sensor(torch.randn(4000)) + sigma_x * torch.randn(4000)
x_axis = torch.linspace(-4, 4, 401)
x_seen = torch.tensor(1.5)  # the reading that we follow
truth = log_evidence(x_seen[None]).item()
posterior = (log_joint(x_seen, z) - truth).exp()

# %% tags=["figure"]
# The joint density, the evidence with 4,000 readings, and the posterior of one reading
figure, axes = plt.subplots(
    2, 2, figsize=(8.6, 6), width_ratios=[2.4, 1], height_ratios=[2, 1], sharex="col"
)
joint = log_joint(x_axis[:, None], z).exp()
axes[0, 0].imshow(
    joint, origin="lower", extent=(-8, 8, -4, 4), aspect="auto", cmap="viridis", vmax=0.4
)
axes[0, 0].axhline(x_seen, color="white", linestyle="--", label="x = 1.5")
axes[0, 0].set(title="Joint density p(x, z)", ylabel="reading x", xlim=(-3, 3))
axes[0, 0].legend(loc="lower right", labelcolor="white")
counts, edges, _ = axes[0, 1].hist(
    readings.numpy(),
    bins=60,
    range=(-4, 4),
    density=True,
    orientation="horizontal",
    color="0.8",
)
axes[0, 1].plot(log_evidence(x_axis).exp(), x_axis, color=plots.COLORS[1], lw=2)
axes[0, 1].set(title="Evidence p(x)\nand 4,000 readings", xlabel="density", yticks=[])
axes[0, 1].tick_params(labelbottom=True)
prior = log_normal(z, torch.tensor(0.0), torch.tensor(1.0)).exp()
axes[1, 0].plot(z, prior, color="0.4", ls="--", label="prior p(z)")
axes[1, 0].plot(z, posterior, color=plots.COLORS[5], lw=2, label="posterior p(z | x = 1.5)")
axes[1, 0].set(xlabel="dial position z", ylabel="density")
axes[1, 0].legend(loc="upper left")
axes[1, 1].remove()
plots.show(
    figure,
    alt="A heat map of the joint density, shaped like the letter S lying on its side. To its right the evidence has two peaks "
    "near plus and minus 1.7 and a valley at 0, and the histogram follows it. Below, the posterior for the reading "
    "1.5 is a narrow, lopsided peak near z = 0.6 under the wide prior.",
)
at_zero, at_two = log_evidence(torch.tensor([0.0, 1.9])).exp().tolist()
print(f"p(0) = {at_zero:.3f}, p(1.9) = {at_two:.3f}, log p(1.5) = {truth:.3f} nats")

# %% tags=["claim"]
middles = torch.as_tensor((edges[1:] + edges[:-1]) / 2).float()
assert abs(log_evidence(x_axis).exp().sum() * (x_axis[1] - x_axis[0]) - 1) < 1e-3
assert (torch.as_tensor(counts) - log_evidence(middles).exp()).abs().mean() < 0.02
assert at_two > 1.5 * at_zero, "readings should pile up where the sensor saturates"

# %% [markdown]
# Readings pile up near the limits of the sensor, because many positions give nearly the same reading there, and the
# evidence adds up all the ways to make a reading. The posterior for $x = 1.5$ is narrow, and it leans: a **long tail**
# to the right remains, since further out the sensor stays near 2, not far from 1.5. This tail is the main actor of the page.
#
# ## 2 · Blind draws
#
# The simplest guess is the prior itself: draw codes from $p(z)$ and average $p(x \mid z)$. For one dial this works. For
# $d$ dials we take $d$ sensors that show $x_i = z_i$ plus noise of the width 0.3, since then $\log p(x)$ is known: every
# $x_i$ is Gaussian with the variance $1 + 0.3^2$.
#
# **Predict.** With 10,000 random codes, up to how many dials does the estimate work?

# %%
dials = [1, 2, 4, 6, 8, 12, 16, 24, 32]


def shortfall(d, draws, images=100):
    """How far the estimate from random codes falls below log p(x), in nats, on average."""
    x = torch.randn(images, d) + 0.3 * torch.randn(images, d)
    exact = log_normal(x, torch.tensor(0.0), torch.tensor(1.09).sqrt()).sum(1)
    squared = torch.cdist(x, torch.randn(draws, d)).square()
    log_likelihood = -squared / (2 * 0.3**2) - d * math.log(0.3 * math.sqrt(2 * math.pi))
    estimate = torch.logsumexp(log_likelihood, dim=1) - math.log(draws)
    return (exact - estimate).mean().item()


missing = {draws: [shortfall(d, draws) for d in dials] for draws in (100, 10_000)}

# %% tags=["figure"]
# How much of log p(x) random codes miss, against the number of dials
figure, ax = plt.subplots(figsize=(6.5, 3.6))
for (draws, values), color, style in zip(missing.items(), (2, 1), ("s--", "o-")):
    ax.plot(
        dials, values, style, color=plots.COLORS[color], label=f"{draws:,} random codes"
    )
ax.set(
    title="Random codes miss almost all of p(x)",
    xlabel="numbers in the code (dials)",
    ylabel="log p(x) − estimate (nats)",
)
ax.legend()
plots.show(
    figure,
    alt="Two rising curves: the estimate falls short of the true log p(x) by more and more nats as the code gets more numbers. "
    "With 32 numbers about 150 nats are missing with 100 draws, and still about 90 with 10,000.",
)
print(
    "10,000 draws miss",
    *(f"{max(m, 0):.2f} ({d})" for d, m in zip(dials, missing[10_000])),
    "nats (dials)",
)

# %% tags=["claim"]
assert missing[10_000][0] < 0.05 and max(missing[10_000][:3]) < 0.5
assert missing[10_000][-1] > 20, "with 32 dials the estimate should fail"
assert missing[100][-1] - missing[10_000][-1] < missing[10_000][-1], (
    "more draws should not rescue it"
)

# %% [markdown]
# Up to four dials all is well. With 32, tens of nats are missing, and a hundred times more draws do not rescue the
# estimate. In more than a few dimensions one has to draw from a guess, which is what the encoder is for.
#
# ## 3 · Three guesses
#
# Back to one dial. With draws from any guess $q$, the weights $w = p(x, z) / q(z)$ have the average $p(x)$. We compare
# three guesses: the prior, a rough Gaussian, and the best Gaussian, which has the highest ELBO of all. (We look for it
# among thousands, on a grid of means and widths; `cartesian_prod` makes all pairs.)


# %%
def elbo_on_grid(mean, log_var):
    """E_q[log p(x, z) − log q(z)] for Gaussian guesses, (N,) each."""
    log_q = log_normal(z, mean[:, None], (log_var[:, None] / 2).exp())
    return (log_q.exp() * (log_joint(x_seen, z) - log_q)).sum(1) * dz


means, log_vars = torch.linspace(-0.5, 2.5, 121), torch.linspace(-6, 0, 121)
pairs = torch.cartesian_prod(log_vars, means)
elbos = elbo_on_grid(mean=pairs[:, 1], log_var=pairs[:, 0])
best_log_var, best_mean = pairs[elbos.argmax()]
log_q = log_normal(z, pairs[:, 1:], (pairs[:, :1] / 2).exp())
kl_to_posterior = (log_q.exp() * (log_q - posterior.log())).sum(1) * dz

guesses = {
    "prior": (torch.tensor(0.0), torch.tensor(1.0)),
    "rough Gaussian": (torch.tensor(0.6), torch.tensor(-1.2).div(2).exp()),
    "best Gaussian": (best_mean, (best_log_var / 2).exp()),
}

# %% tags=["figure"]
# The gap of every Gaussian guess, and the best one beside the posterior
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), width_ratios=[1.25, 1])
gap_map = (truth - elbos).reshape(len(log_vars), len(means))
levels = [0.15, 0.2, 0.3, 0.5, 1, 2, 4, 8, 16]
filled = axes[0].contourf(
    means, log_vars, gap_map, levels, cmap="viridis", norm="log", extend="max"
)
figure.colorbar(filled, ax=axes[0], ticks=levels, format="%g")
axes[0].scatter(best_mean, best_log_var, marker="*", s=140, color=plots.COLORS[4], zorder=3)
axes[0].set(title="Gap log p(x) − ELBO (nats)", xlabel="mean of q", ylabel="log σ² of q")
axes[1].fill_between(z, posterior, color=plots.COLORS[5], alpha=0.4, label="posterior")
best_curve = log_normal(z, *guesses["best Gaussian"]).exp()
axes[1].plot(z, best_curve, color=plots.COLORS[4], lw=2, label="best Gaussian (★)")
axes[1].axvspan(best_mean + 4 * guesses["best Gaussian"][1], 3, color="0.92", zorder=0)
axes[1].text(2.98, 0.5, "beyond 4σ", ha="right", color="0.3")
axes[1].set(
    title="The best guess and the truth", xlabel="dial position z", ylabel="density"
)
axes[1].set(xlim=(-0.5, 3), ylim=(0, 1.8))
axes[1].legend(loc="upper right")
plots.show(
    figure,
    alt="Left: contour lines of the gap over mean and log variance of the guess, with a star at the smallest gap, about 0.2 "
    "nats. Right: the lopsided true posterior and the best Gaussian, which covers most of it; a shaded area far to "
    "the right, where the posterior has a thin tail and the Gaussian nothing.",
)
beyond = (z - best_mean).abs() > 4 * guesses["best Gaussian"][1]
tail = (posterior[beyond].sum() * dz).item()
print(f"smallest gap of any Gaussian: {truth - elbos.max().item():.2f} nats")
print(
    f"share of the posterior beyond 4σ of the best Gaussian: {tail:.1%}, log(1 − share) = {math.log(1 - tail):.3f}"
)

# %% tags=["claim"]
assert (truth - elbos - kl_to_posterior).abs().max() < 1e-2 and kl_to_posterior.min() > 0
assert 0.05 < truth - elbos.max().item() < 0.4, "the posterior is not Gaussian, but nearly"
assert 0.02 < tail < 0.05, "the tail should hold a few percent"

# %% [markdown]
# The map holds the gap of 14,641 guesses, and each is the KL of the guess from the posterior. A Gaussian cannot lean,
# so the best one keeps a small gap, and it leaves a few percent of the posterior outside: the thin tail in the shaded area.
#
# ## 4 · The trap
#
# **Predict.** We draw 20,000 codes from each guess and average the weights. Which guess will come nearest to
# $\log p(x)$, and which will be worst? To see what is chance and what is not, we repeat it 300 times.


# %%
def log_weights(mean, sigma, draws):
    codes = mean + sigma * torch.randn(draws)
    return log_joint(x_seen, codes) - log_normal(codes, mean, sigma)


REPEATS, DRAWS = 300, 20_000
seed_everything(1)
estimates, spread_of_logs = {}, {}
for name, (mean, sigma) in guesses.items():
    runs = [log_weights(mean, sigma, DRAWS) for _ in range(REPEATS)]
    estimates[name] = torch.stack([run.logsumexp(0) - math.log(DRAWS) for run in runs])
    spread_of_logs[name] = runs[0].std().item()

# %% tags=["figure"]
# 300 estimates of log p(x) from each guess, and what their logarithms say
print(f"log p(x), exactly: {truth:.3f} nats\n")
print(
    f"{'guess':16}{'ELBO':>7}{'spread of log w':>17}{'median estimate':>17}{'below the truth':>17}"
)
for name, (mean, sigma) in guesses.items():
    elbo = elbo_on_grid(mean[None], 2 * sigma.log()[None]).item()
    values = estimates[name]
    print(
        f"{name:16}{elbo:7.2f}{spread_of_logs[name]:17.2f}{values.median():17.3f}{(values < truth).float().mean():17.0%}"
    )


def draw_estimates(estimates):
    figure, axes = plt.subplots(
        len(estimates), 1, figsize=(8, 1.25 * len(estimates) + 1), sharex=True
    )
    for ax, (name, values) in zip(axes, estimates.items()):
        ax.hist(
            values.clamp(truth - 0.08, truth + 0.12).numpy(),
            bins=80,
            range=(truth - 0.08, truth + 0.12),
            color="0.6",
        )
        ax.axvline(truth, color=plots.COLORS[1], lw=2)
        ax.set(yticks=[])
        ax.set_ylabel(name.replace(" ", "\n"), rotation=0, ha="right", va="center")
    axes[-1].set_xlabel("estimate of log p(x) (nats; the outermost bars hold all beyond)")
    figure.suptitle("300 estimates from 20,000 weights each; the line is the truth")
    return figure


plots.show(
    draw_estimates(estimates),
    alt="Three histograms of estimates. From the prior and from the rough Gaussian they lie around the line of the truth. From "
    "the best Gaussian most of them lie together about 0.03 nats below it, and a few far above.",
)

# %% tags=["claim"]
medians = {name: values.median().item() for name, values in estimates.items()}
assert (
    abs(medians["prior"] - truth) < 0.005 and abs(medians["rough Gaussian"] - truth) < 0.01
)
assert medians["best Gaussian"] < truth - 0.015, (
    "the best guess should give the worst estimate"
)
assert (estimates["best Gaussian"] < truth).float().mean() > 0.7
assert (
    spread_of_logs["best Gaussian"]
    < spread_of_logs["rough Gaussian"]
    < spread_of_logs["prior"]
)
assert abs(math.log(1 - tail) - (medians["best Gaussian"] - truth)) < 0.02, (
    "the missing tail"
)

# %% [markdown]
# The guess with the highest ELBO gives the **worst** estimates. Where the truth is −1.30, a single run typically says
# −1.32 or −1.33, and so does the next one. Nobody would suspect them.
#
# What happens? The logarithms of its weights scatter least, and this is why its ELBO is the best. But the *weights* do
# not. Beyond 4σ the Gaussian hardly ever sends a draw, although a few percent of the posterior lie there. So most runs
# miss them, and such an estimate is too low by about $\log(1 - \text{share})$, the number printed above. Now and then a
# draw does land out there. Its weight is enormous, to make up for all the runs without one, and that estimate is far
# too high. On average all is well, because the average of $w$ is $p(x)$ for every guess that excludes no code. It is
# just that hardly a run looks like the average.
#
# The statement "the better the guess, the less the weights scatter" is therefore true for $\log w$, and false for $w$. The
# **variance** of $w$ is even infinite here. It contains the integral of $p(x, z)^2 / q(z)$. Far out the sensor is saturated, so
# $p(x, z)^2$ falls like $e^{-z^2}$, while $1/q$ grows like $e^{z^2 / 2\sigma^2}$, which is faster whenever
# $\sigma^2 < \tfrac12$. A Gaussian narrower than that has **lighter tails** than the posterior.
#
# ## 5 · Heavier tails
#
# The cure is a guess with heavier tails than it needs: for example the same Gaussian, twice as wide, or a mixture that
# takes every tenth draw from the prior. The mixture's weights cannot exceed $10\, p(x \mid z)$, so their variance is finite.
#
# **Predict.** Its ELBO is worse. Is its estimate?


# %%
def mixture_log_weights(mean, sigma, draws):
    """Nine draws of ten from the Gaussian, one from the prior."""
    codes = torch.where(
        torch.rand(draws) < 0.1, torch.randn(draws), mean + sigma * torch.randn(draws)
    )
    parts = (
        log_normal(codes, torch.tensor(0.0), torch.tensor(1.0)),
        log_normal(codes, mean, sigma),
    )
    log_guess = torch.logaddexp(parts[0] + math.log(0.1), parts[1] + math.log(0.9))
    return log_joint(x_seen, codes) - log_guess


mean, sigma = guesses["best Gaussian"]
makers = {
    "best Gaussian": lambda: log_weights(mean, sigma, DRAWS),
    "twice as wide": lambda: log_weights(mean, 2 * sigma, DRAWS),
    "with some prior": lambda: mixture_log_weights(mean, sigma, DRAWS),
}
cured, elbos_of = {}, {}
for name, make in makers.items():
    runs = [make() for _ in range(REPEATS)]
    cured[name] = torch.stack([run.logsumexp(0) - math.log(DRAWS) for run in runs])
    elbos_of[name] = torch.stack(runs).mean().item()

# %% tags=["figure"]
# 300 estimates from the best Gaussian and from two guesses with heavier tails
for name, values in cured.items():
    print(
        f"{name:16} ELBO {elbos_of[name]:6.2f}, median estimate {values.median():.3f}, spread {values.std():.4f}"
    )
plots.show(
    draw_estimates(cured),
    alt="Three histograms. The best Gaussian's estimates lie beside the truth, those of the wider Gaussian close around it, and "
    "those of the mixture in a narrow peak on the line.",
)

# %% tags=["claim"]
assert (
    elbos_of["best Gaussian"] > elbos_of["twice as wide"]
    and elbos_of["best Gaussian"] > elbos_of["with some prior"]
)
assert abs(cured["with some prior"].median() - truth) < 0.004, "the mixture should be right"
assert max(cured["with some prior"].std(), cured["twice as wide"].std()) < 0.015
assert cured["best Gaussian"].std() > 0.03
assert abs(cured["twice as wide"].median() - truth) < 0.01

# %% [markdown]
# Both have a lower ELBO, and both give better estimates, which scatter closely around the truth. The Gaussian that is
# twice as wide does even better here. (On paper its weights have an infinite variance, too, but the region where
# they get large now lies so far out that hardly any run meets it.) The mixture is safe whatever the tails are.
#
# What follows for VAEs? The **importance-weighted** estimate $\log \frac1k \sum w$, which lesson 09 uses to compare models,
# draws its codes from the encoder, whose clouds were trained for the ELBO and are Gaussian. It is still a lower bound on average
# (Jensen again), and it is tighter than the ELBO. But it may be too low by what lies in the tails, and agreement between
# runs is no proof of the contrary. So published numbers state $k$, and a careful reader asks whether they still grow with it.
#
# ## Play
#
# Move the guess: which one is best for the ELBO, and which for the average of 2,000 weights?

# %% tags=["figure"]
# A guess, its ELBO, and twelve estimates of log p(x)


def draw_guess(mean, log_width):
    """The posterior and a Gaussian guess at the left, twelve estimates at the right."""
    width = torch.tensor(10.0**log_width)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        runs = [log_weights(torch.tensor(mean), width, 2000) for _ in range(12)]
    values = torch.stack([run.logsumexp(0) - math.log(2000) for run in runs])
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.5), width_ratios=[2, 1])
    left.fill_between(z, posterior, color=plots.COLORS[5], alpha=0.4)
    left.plot(
        z, log_normal(z, torch.tensor(mean), width).exp(), color=plots.COLORS[3], lw=2
    )
    left.set(xlabel="dial position z", ylabel="density", xlim=(-1, 4), ylim=(0, 2))
    left.set_title(f"ELBO {torch.cat(runs).mean():.2f}, log p(x) {truth:.2f} nats")
    right.axhline(truth, color=plots.COLORS[1])
    right.plot(range(12), values.clamp(-4, 0), "o", color="black")
    right.set(title="twelve estimates", xlabel="run", ylabel="nats", ylim=(-2, -0.8))
    return figure


widgets.explore(draw_guess, mean=(-0.5, 2.5, 0.9), log_width=(-1.3, 0.3, -0.5))

# %% [markdown]
# ## Read
#
# - Y. Burda, R. Grosse, R. Salakhutdinov, [Importance weighted autoencoders](https://arxiv.org/abs/1509.00519) (2016): the bound
#   from $k$ weights, as an objective for training.
# - A. Vehtari and others, [Pareto smoothed importance sampling](https://arxiv.org/abs/1507.02646) (2015 and later): how to see
#   from the largest weights whether their variance is finite.
#
# Back to [lesson 07 · The VAE, piece by piece](../07_the_vae_piece_by_piece.ipynb).
