# %% [markdown]
# # 07 · The VAE, piece by piece
#
# What must change in an autoencoder, so that a random code gives a good picture? And how do we know
# that the loss we minimise is the right one? This lesson takes the variational autoencoder (VAE)
# apart. We look at every piece alone, put the pieces together, and then break them on purpose, one
# after the other. Working through it takes about two hours. The end of section 8 is a good place
# for a break.
#
# **You will be able to**
#
# - tell the story that a VAE tells about its data, and say why the probability of a picture is hard
#   to compute,
# - derive the ELBO, name its two terms, and see the gap to the true value,
# - write the KL divergence, the reparameterization and the likelihoods without looking them up,
# - say what a fixed $\sigma$ in the decoder does, and which $\sigma$ is best,
# - recognise ten classic bugs of VAEs by their symptoms.
#
# **It builds on** lesson 02 (PCA and probabilistic PCA), lesson 03 (the dense autoencoder, and why
# its random codes fail), and a little probability: a density, a mean, a variance.

# %%
import math
from dataclasses import replace

import matplotlib.pyplot as plt
import torch
from torch import nn

from vae_helpers import checks, losses, models, plots, widgets
from vae_helpers.data import load_digits
from vae_helpers.device import pick_device, seed_everything
from vae_helpers.train import fit

plots.use_course_style()
seed_everything(0)
device = pick_device()
BLACK, BLUE, ORANGE, GREEN, RED = plots.COLORS[:5]

# %% [markdown]
# ## 1 · An autoencoder whose code is a distribution
#
# An autoencoder turns every picture into a code (also called its *embedding* or *latent code*), and
# every code into a picture. In lesson 03 we decoded random codes, and with more than two numbers
# per code the result was poor. No wonder: the encoder may put its codes anywhere. Between them the
# decoder has never been asked for anything.
#
# Two changes mend this.
#
# 1. **A cloud for each picture, not a point.** The encoder gives a *mean* and a *spread* for each
#    number of the code. The code is drawn at random from this cloud. So the decoder must do well
#    everywhere in the cloud, and codes that lie close together must mean similar pictures.
# 2. **All clouds stay near one standard cloud.** Whoever strays from the bell curve around 0 pays a
#    price. So the clouds fill the space around 0 without large gaps, and we know where to draw from
#    later.
#
# The sketch shows the idea. It is drawn by hand, not computed.

# %%
centres = torch.tensor(
    [[-0.7, 0.8], [0.6, 0.9], [0.1, -0.1], [-0.9, -0.5], [0.9, -0.6], [0.0, -1.2]]
)
figure, axes = plt.subplots(1, 2, figsize=(7.6, 4), sharex=True, sharey=True)
axes[0].scatter(*(2.3 * centres.T), color=plots.CLASS_COLORS[:6], s=60)
axes[0].text(1.0, 0.55, "?", fontsize=26, color="0.5", ha="center", va="center")
axes[0].set(title="Autoencoder: a point per picture", ylabel="second number of the code")
for centre, color in zip(centres, plots.CLASS_COLORS):
    for radius in (0.85, 0.55, 0.25):
        axes[1].add_patch(
            plt.Circle(centre.tolist(), radius, color=color, alpha=0.25, lw=0)
        )
axes[1].add_patch(plt.Circle((0, 0), 2, fill=False, linestyle="--", color=BLACK))
axes[1].text(0, 2.08, "standard cloud", ha="center", va="bottom")
axes[1].set(title="VAE: a cloud per picture", xlim=(-2.6, 2.6), ylim=(-3, 2.7))
for ax in axes:
    ax.set(xlabel="first number of the code", aspect="equal")
plots.show(
    figure,
    alt="Left: six separate points far apart with a question mark in the gap between them. Right: six soft discs "
    "that overlap and together fill a dashed circle called the standard cloud.",
)

# %% [markdown]
# So a loss for this machine has two parts: how bad the reconstruction is, and the price for
# straying. Which error should we take? Which price? And in which proportion? The regularisers of
# lesson 06 had a weight that we had to choose. Here both parts, with their weights, follow from one
# wish: **make the data probable**. The next four sections derive this. We use an example so small
# that every quantity can be computed exactly and drawn.
#
# ## 2 · A story about where the data come from
#
# Somewhere there is a dial that nobody can see. It is turned to a random position $z$, most often
# near 0. A sensor turns the position into a reading $x$. The sensor is not linear: far out it
# **saturates**, that is, it hardly reacts any more. And it adds a little noise. We only ever see
# the readings.
#
# The dial is the **latent variable** ("latent" means hidden). With handwriting, $x$ is the picture,
# and $z$ would be all that the writer had in mind: which digit, how slanted, how thick the pen. Our
# story has two parts, and both have names:
#
# - the **prior** $p(z) = \mathcal N(z;\, 0, 1)$: where the dial is before we see anything.
#   $\mathcal N(z;\, \mu, \sigma^2)$ is the bell curve, or Gaussian, with mean $\mu$ and standard
#   deviation $\sigma$;
# - the **likelihood** $p(x \mid z) = \mathcal N(x;\, f(z), \sigma_x^2)$: which readings are likely
#   at the position $z$. Here $f$ is the sensor. In a VAE, $f$ is the decoder.
#
# As code, with everything in logarithms, because probabilities get tiny:

# %%
sigma_x = 0.4  # the sensor's noise


def sensor(z):
    """The reading for the dial position z, without noise."""
    return 2 * torch.tanh(1.5 * z)


def log_normal(value, mean, sigma):
    """The logarithm of the Gaussian density with this mean and standard deviation."""
    sigma = torch.as_tensor(sigma)
    return -0.5 * ((value - mean) / sigma) ** 2 - sigma.log() - 0.5 * math.log(2 * math.pi)


dial = torch.randn(4000)
readings = sensor(dial) + sigma_x * torch.randn(4000)

# %% [markdown]
# We know the story, so we can ask it for three more things.
#
# - The **joint** density $p(x, z) = p(z)\,p(x \mid z)$: how likely are this position and this
#   reading together?
# - The **evidence** $p(x) = \int p(x, z)\,dz$: how likely is this reading, whatever the position
#   was? This is what we want to be large for the data. It is also called the *marginal likelihood*.
# - The **posterior** $p(z \mid x) = p(x, z) / p(x)$: where was the dial, now that we have seen the
#   reading? This is the perfect encoder.
#
# With one dial we can do the integral by brute force: put a fine grid on $z$, and add up.
# (`logsumexp` adds up numbers that are given by their logarithms.)
#
# **Predict.** The dial is most often near 0, where $f(0) = 0$. Are readings near 0 the most
# frequent ones?

# %%
z_grid = torch.linspace(-6, 6, 1201)
dz = z_grid[1] - z_grid[0]


def log_joint(x, decoder=sensor):
    """log p(x, z) for readings x (N,) at each position of the grid: (N, 1201)."""
    log_prior = log_normal(z_grid, 0.0, 1.0)
    log_likelihood = log_normal(x[:, None], decoder(z_grid), sigma_x)
    return log_prior + log_likelihood


def log_evidence(x, decoder=sensor):
    """log p(x) for readings x (N,), by adding up p(x, z) over the grid."""
    return torch.logsumexp(log_joint(x, decoder), dim=1) + dz.log()


def posterior(x, decoder=sensor):
    """The density p(z | x) at each position of the grid, for readings x (N,): (N, 1201)."""
    return (log_joint(x, decoder) - log_evidence(x, decoder)[:, None]).exp()


x_grid = torch.linspace(-4, 4, 401)
x_seen = torch.tensor([1.5])  # one reading that we shall follow through the lesson

# %%
figure, axes = plt.subplots(
    2, 2, figsize=(8.6, 6.4), width_ratios=[2.4, 1], height_ratios=[2, 1], sharex="col"
)
joint = log_joint(x_grid).exp()
axes[0, 0].imshow(
    joint, origin="lower", extent=(-6, 6, -4, 4), aspect="auto", cmap="viridis", vmax=0.4
)
axes[0, 0].axhline(x_seen.item(), color=plots.COLORS[5], linestyle="--", label="x = 1.5")
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
axes[0, 1].plot(log_evidence(x_grid).exp(), x_grid, color=BLUE, lw=2)
axes[0, 1].set(
    title="Evidence p(x)\nand 4,000 readings", xlabel="density", ylim=(-4, 4), yticks=[]
)
axes[1, 0].plot(z_grid, log_normal(z_grid, 0.0, 1.0).exp(), color="0.4", label="prior p(z)")
axes[1, 0].plot(
    z_grid,
    posterior(x_seen)[0],
    color=plots.COLORS[5],
    lw=2,
    label="posterior p(z | x = 1.5)",
)
axes[1, 0].set(xlabel="dial position z", ylabel="density")
axes[1, 0].legend(loc="upper left")
axes[1, 1].remove()
axes[0, 1].tick_params(labelbottom=True)
plots.show(
    figure,
    alt="A heat map of the joint density, shaped like the letter S lying on its side. To its right the evidence has two "
    "peaks near plus and minus 1.7 and a valley at 0, and the histogram of readings follows it. Below, the posterior "
    "for the reading 1.5 is a narrow, lopsided peak near z = 0.6 under the wide prior.",
)

total = log_evidence(x_grid).exp().sum() * (x_grid[1] - x_grid[0])
histogram_gap = (
    torch.as_tensor(counts)
    - log_evidence(torch.as_tensor((edges[1:] + edges[:-1]) / 2).float()).exp()
)
at_zero, at_two = log_evidence(torch.tensor([0.0, 1.9])).exp()
print(f"p(x) adds up to {total:.5f} over all readings")
print(f"p(0) = {at_zero:.3f}, p(1.9) = {at_two:.3f}")
assert abs(total - 1) < 1e-3, "a density must add up to 1"
assert histogram_gap.abs().mean() < 0.02, "the readings do not follow p(x)"
assert at_two > 1.5 * at_zero, "readings should pile up where the sensor saturates"

# %% [markdown]
# Readings pile up on both sides, close to the sensor's limits −2 and 2, and not at 0. Near its
# limits the sensor saturates, so many dial positions give almost the same reading. The evidence
# adds up all these ways to make a reading. In the heat map, $p(x)$ is the sum along a row, and the
# posterior is that row by itself, scaled so that its area is 1.
#
# Look at the posterior for $x = 1.5$. It is much narrower than the prior: the reading tells us a
# lot about the dial. And it has a long tail to the right. There the sensor stays close to its limit
# 2, not far from 1.5, while a little to the left the reading would be quite another one. Finding
# such a curve without a grid is what the rest of the story is about.
#
# ## 3 · Why p(x) is hard
#
# So let us train a decoder by making $p(x)$ large. All we need is this integral. What is the
# trouble? A grid needs 1,201 points for one dial. For two dials it needs 1,201², for twenty dials
# 1,201²⁰. No computer can do that.
#
# The next idea is chance. The integral is an average over the prior:
# $p(x) = \int p(z)\, p(x \mid z)\, dz$. So draw $K$ codes from the prior, and average their
# likelihoods:
#
# $$ p(x) \approx \frac1K \sum_{k=1}^K p(x \mid z_k), \qquad z_k \sim p(z). $$
#
# ("$\sim$" reads "drawn from".) To see how good this is, we need a case with a known answer. Take
# $d$ dials, and $d$ sensors that show $x_i = z_i$ plus noise of the width 0.3. Then each $x_i$ is
# Gaussian with the variance $1 + 0.3^2$. We compare logarithms. Their unit is the **nat**: a
# difference of 1 nat in $\log p$ means a factor $e \approx 2.7$ in $p$.
#
# **Predict.** We draw 10,000 random codes for each reading. Up to how many dials does the estimate
# work?

# %%
dials = [1, 2, 4, 6, 8, 12, 16, 24, 32]


def shortfall(d, draws, images=100):
    """How far the estimate of log p(x) from random codes falls below the truth, in nats, on average."""
    x = torch.randn(images, d) + 0.3 * torch.randn(images, d)
    truth = log_normal(x, 0.0, math.sqrt(1 + 0.3**2)).sum(1)
    guesses = torch.randn(draws, d)
    squared_distance = torch.cdist(x, guesses).square()
    log_likelihood = -squared_distance / (2 * 0.3**2) + d * log_normal(0.0, 0.0, 0.3)
    estimate = torch.logsumexp(log_likelihood, dim=1) - math.log(draws)
    return (truth - estimate).mean().item()


missing = {draws: [shortfall(d, draws) for d in dials] for draws in (100, 10_000)}

figure, ax = plt.subplots(figsize=(6.5, 3.6))
for (draws, values), color in zip(missing.items(), (ORANGE, BLUE)):
    ax.plot(dials, values, marker="o", color=color, label=f"{draws:,} random codes")
ax.set(
    title="Random codes miss almost all of p(x)",
    xlabel="numbers in the code (dials)",
    ylabel="log p(x) − estimate (nats)",
)
ax.legend()
plots.show(
    figure,
    alt="Two rising curves: the estimate falls short of the true log p(x) by more and more nats as the code gets more "
    "numbers. With 32 numbers about 150 nats are missing with 100 draws, and still about 90 with 10,000.",
)
assert missing[10_000][0] < 0.05, "with one dial the estimate should work"
assert max(missing[10_000][:3]) < 0.5, "and with two or four it should still be near"
assert missing[10_000][-1] > 20, "with 32 dials the estimate should fail"
assert missing[100][-1] - missing[10_000][-1] < missing[10_000][-1], (
    "more draws should not rescue it"
)

# %% [markdown]
# With up to four dials all is well: 10,000 codes miss less than half a nat. With 32 the estimate is
# short by tens of nats, so it is wrong by an astronomical factor. A hundred times more draws help
# far too little. And a digit needs more than a few dials, as lesson 03 showed.
#
# The reason is simple. For a given picture, almost every random code explains it badly. The few
# codes that explain it well make up nearly the whole sum, and random drawing hardly ever meets
# them. It is like learning who wrote a letter by phoning random numbers.
#
# So we should not draw blindly. We need a good guess which codes could belong to this picture. We
# need an encoder.
#
# ## 4 · A guess, and Jensen's inequality
#
# Let $q(z)$ be any guess, a density over codes for the picture at hand. Multiply and divide by it:
#
# $$ p(x) = \int p(x, z)\, dz = \int q(z)\, \frac{p(x, z)}{q(z)}\, dz = \mathbb E_{q}\big[w\big], \qquad w = \frac{p(x, z)}{q(z)}. $$
#
# $\mathbb E_q[\cdot]$ is the average over draws $z \sim q$. So $p(x)$ is an average of **weights**
# $w$. This holds for every guess $q$ that excludes no code. But the better the guess, the less the
# weights scatter. If $q$ is exactly the posterior, then $w = p(x, z) / p(z \mid x) = p(x)$ for
# every draw: one draw is enough.
#
# For training we want $\log p(x)$, the log of an average. But a draw gives us $\log w$, and the
# average of such logs is something else. **Jensen's inequality** says: for a curve that bends down,
# like the logarithm, the average of the logs is never more than the log of the average.

# %%
low, high = torch.tensor(0.2), torch.tensor(1.8)
w_axis = torch.linspace(0.08, 2.2, 200)
figure, ax = plt.subplots(figsize=(6, 3.6))
ax.plot(w_axis, w_axis.log(), color=BLACK, label="log w")
ax.plot([low, high], [low.log(), high.log()], color=ORANGE, marker="o")
middle, log_of_average = (low + high) / 2, ((low + high) / 2).log()
average_of_logs = (low.log() + high.log()) / 2
ax.scatter(middle, log_of_average, color=BLUE, zorder=3)
ax.annotate("log of the average", (middle, log_of_average), (0.62, 0.45), color=BLUE)
ax.scatter(middle, average_of_logs, color=ORANGE, zorder=3)
ax.annotate(
    "average of the logs", (middle, average_of_logs), (1.06, -0.85), color="#9a6700"
)
ax.set(title="Jensen's inequality for two weights, 0.2 and 1.8", xlabel="w", ylabel="log w")
plots.show(
    figure,
    alt="The curve of the logarithm and a straight line between two of its points. Halfway, the line lies clearly "
    "below the curve.",
)
print(f"log of the average {log_of_average:.2f}, average of the logs {average_of_logs:.2f}")
assert average_of_logs < log_of_average

# %% [markdown]
# The straight line between two points of the curve lies below the curve. The further apart the two
# weights, the wider the gap. So for every guess $q$:
#
# $$ \log p(x) = \log \mathbb E_q[w] \;\ge\; \underbrace{\mathbb E_q[\log w]}_{\text{ELBO}}. $$
#
# ELBO stands for **evidence lower bound**. A single draw gives an estimate of the ELBO that is
# right on average. And if we push the ELBO up, the evidence must stay above it.
#
# Let us see it, for our reading $x = 1.5$ and three guesses: the prior itself, a rough Gaussian,
# and the best Gaussian. For each we draw 20,000 positions.
#
# **Predict.** For which guess do the weights scatter least? Will the three averages of $w$ itself
# differ?


# %%
def elbo_on_grid(mean, log_var, x=x_seen, decoder=sensor):
    """E_q[log p(x, z) - log q(z)] for Gaussian guesses q, by adding up over the grid. All (N,)."""
    log_q = log_normal(z_grid, mean[:, None], (log_var / 2).exp()[:, None])
    return (log_q.exp() * (log_joint(x, decoder) - log_q)).sum(1) * dz


# All pairs of a mean and a log variance, and the ELBO of each.
means, log_vars = torch.linspace(-0.5, 2.5, 121), torch.linspace(-6, 0, 121)
pairs = torch.cartesian_prod(log_vars, means)
elbos = elbo_on_grid(mean=pairs[:, 1], log_var=pairs[:, 0])
best_log_var, best_mean = pairs[elbos.argmax()]

guesses = {
    "prior": (torch.tensor(0.0), torch.tensor(0.0)),
    "rough guess": (torch.tensor(0.6), torch.tensor(-1.2)),
    "best Gaussian": (best_mean, best_log_var),
}
truth = log_evidence(x_seen).item()
figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.2), sharex=True)
scatter = {}
for ax, (name, (mean, log_var)) in zip(axes, guesses.items()):
    sigma = (log_var / 2).exp()
    z = mean + sigma * torch.randn(20_000)
    log_w = (
        log_normal(z, 0.0, 1.0)
        + log_normal(x_seen, sensor(z), sigma_x)
        - log_normal(z, mean, sigma)
    )
    scatter[name] = log_w.std().item()
    elbo, estimate = log_w.mean(), log_w.exp().mean().log()
    ax.hist(log_w.clamp(min=-16).numpy(), bins=68, range=(-16, 1), color="0.8")
    ax.axvline(truth, color=BLUE, lw=2, label="log p(x)")
    ax.axvline(elbo, color=ORANGE, lw=2, linestyle="--", label="ELBO")
    ax.set(
        title=f"q = {name}: gap {truth - elbo:.1f} nats",
        xlabel="log w (nats, cut at −16)",
        yticks=[],
    )
    print(
        f"{name:14} log of the average of w {estimate:6.2f}    ELBO {elbo:6.2f}    gap {truth - elbo:5.2f} nats"
    )
    assert abs(estimate - truth) < 0.1, "the average of w is p(x) for every guess"
    assert elbo < truth, "the ELBO is a lower bound"
axes[0].set_ylabel("draws")
axes[0].legend(loc="upper center")
plots.show(
    figure,
    alt="Three histograms of log w. For the prior many draws pile up at the left edge, where the axis is cut, and the "
    "dashed ELBO lies far left of the line of log p(x); for the rough guess less so; for the best Gaussian nearly all "
    "draws lie close to the line.",
)
assert scatter["best Gaussian"] < scatter["rough guess"] < scatter["prior"]

# %% [markdown]
# The average of $w$ is the same for all three (first column), up to chance, as it must be. The ELBO
# is not. The better the guess, the less the weights scatter, and the closer the ELBO comes to
# $\log p(x)$. (The grey bars at the left edge are all draws with still smaller weights.)
#
# How large is the gap? Write $p(x, z) = p(x)\, p(z \mid x)$ and put it into the ELBO:
#
# $$ \text{ELBO} = \mathbb E_q\Big[\log \frac{p(x)\, p(z \mid x)}{q(z)}\Big]
#   = \log p(x) - \underbrace{\mathbb E_q\Big[\log \frac{q(z)}{p(z \mid x)}\Big]}_{D_{KL}(q \,\|\, p(z \mid x))}. $$
#
# The gap has a name: the **Kullback–Leibler divergence** (KL) of $q$ from the posterior. It
# measures in nats how different two distributions are. (In lesson 06 they were two coins.) It is
# never negative (Jensen again), and it is 0 only if the two are the same. It is not symmetric: $q$
# from $p$ is not $p$ from $q$. So there are just two ways to raise the ELBO: make the data more
# probable, or pull $q$ towards the true posterior. We want both.
#
# The formula is exact, so the grid must agree with it for *every* guess. We test thousands of them,
# and draw the gap as a map, like the loss landscape of lesson 01.

# %%
log_q = log_normal(z_grid, pairs[:, 1:], (pairs[:, :1] / 2).exp())
kl_to_posterior = (log_q.exp() * (log_q - posterior(x_seen).log())).sum(1) * dz
difference = (truth - elbos - kl_to_posterior).abs().max()
print(f"largest |log p(x) − ELBO − KL| over {len(pairs):,} guesses: {difference:.1e} nats")
assert difference < 1e-2 and kl_to_posterior.min() > 0


def draw_guess(mean, log_var):
    """The true posterior and a Gaussian guess at the left, the ELBO and its gap at the right."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.5), width_ratios=[2.4, 1])
    q = log_normal(z_grid, mean, math.exp(log_var / 2)).exp()
    left.fill_between(
        z_grid,
        posterior(x_seen)[0],
        color=plots.COLORS[5],
        alpha=0.4,
        label="posterior p(z | x)",
    )
    left.plot(z_grid, q, color=GREEN, lw=2, label="guess q(z)")
    left.set(
        title=f"Guess with mean {mean:.2f} and log σ² = {log_var:.2f}",
        xlabel="dial position z",
        ylabel="density",
        xlim=(-1, 3),
        ylim=(0, 2.6),
    )
    left.legend(loc="upper right")
    elbo = elbo_on_grid(torch.tensor([mean]), torch.tensor([log_var])).item()
    right.bar("ELBO", max(elbo, -6) + 6, bottom=-6, color=ORANGE, width=0.5)
    right.axhline(truth, color=BLUE, lw=2)
    right.text(0.5, truth + 0.05, "log p(x)", color=BLUE, ha="right", va="bottom")
    right.set(
        title=f"gap {truth - elbo:.2f} nats", ylabel="nats", xlim=(-0.5, 0.5), ylim=(-6, 0)
    )
    return figure


widgets.explore(draw_guess, mean=(-0.5, 2.5, 0.6), log_var=(-6.0, 0.0, -1.2))

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.8), width_ratios=[1.25, 1])
gap_map = (truth - elbos).reshape(len(log_vars), len(means))
levels = [0.15, 0.2, 0.3, 0.5, 1, 2, 4, 8, 16]
filled = axes[0].contourf(
    means, log_vars, gap_map, levels, cmap="viridis", norm="log", extend="max"
)
figure.colorbar(filled, ax=axes[0], ticks=levels, format="%g")
axes[0].scatter(best_mean, best_log_var, marker="*", s=140, color=RED, zorder=3)
axes[0].set(
    title="Gap log p(x) − ELBO (nats) of every guess",
    xlabel="mean of q",
    ylabel="log σ² of q",
)
axes[1].fill_between(
    z_grid,
    posterior(x_seen)[0],
    color=plots.COLORS[5],
    alpha=0.4,
    label="posterior p(z | x)",
)
axes[1].plot(
    z_grid,
    log_normal(z_grid, best_mean, (best_log_var / 2).exp()).exp(),
    color=RED,
    lw=2,
    label="best Gaussian (★)",
)
axes[1].set(
    title="The best guess and the truth",
    xlabel="dial position z",
    ylabel="density",
    xlim=(-0.5, 3),
    ylim=(0, 1.8),
)
axes[1].legend(loc="upper right")
plots.show(
    figure,
    alt="Left: contour lines of the gap over mean and log variance of the guess, with a star at the smallest gap, about "
    "0.2 nats. Right: the lopsided true posterior and the best Gaussian, which covers most of it.",
)
smallest_gap = truth - elbos.max().item()
print(f"smallest gap of any Gaussian: {smallest_gap:.2f} nats")
assert 0.05 < smallest_gap < 0.4, "the posterior is not Gaussian, but nearly"

# %% [markdown]
# Drag the sliders and try to close the gap. (Without a running notebook, the map shows the same.)
# The wrong place and the wrong width both cost something, and you will not get the gap to 0. The
# posterior leans to one side, and a Gaussian cannot lean. What is left is the price of simple
# guesses.
#
# ## 5 · The two terms: distortion and rate
#
# One more step, and the two parts from section 1 appear. Split the joint density into
# $p(x \mid z)\, p(z)$. Then $\log w = \log p(x \mid z) - \log \frac{q(z)}{p(z)}$. Take the average,
# and turn the sign, because a loss should be small:
#
# $$ -\text{ELBO} = \underbrace{\mathbb E_q\big[-\log p(x \mid z)\big]}_{\text{distortion } D}
#    + \underbrace{D_{KL}\big(q(z) \,\|\, p(z)\big)}_{\text{rate } R}. $$
#
# - The **distortion** says how badly the decoder explains the picture from a code drawn from the
#   cloud. This is the reconstruction error. For a Gaussian likelihood it is the squared error, up
#   to a factor and a constant (section 11).
# - The **rate** says how far the cloud strays from the prior. This is the price.
#
# The names come from data compression. To send a picture, send a code first and then the
# corrections. The rate is the length of the code, and the distortion that of the corrections, both
# in nats (1 nat is 1.44 bit). So $-\text{ELBO}$ is the length of the whole message. No wonder that
# the two weigh the same.
#
# **Predict.** Keep the best mean and change the width of the cloud. What happens to the distortion
# and to the rate if the cloud gets narrower?

# %%
log_q = log_normal(z_grid, best_mean, (log_vars / 2).exp()[:, None])  # one row per width
q = log_q.exp()
distortion = -(q * log_normal(x_seen, sensor(z_grid), sigma_x)).sum(1) * dz
rate = (q * (log_q - log_normal(z_grid, 0.0, 1.0))).sum(1) * dz
total = distortion + rate

figure, ax = plt.subplots(figsize=(7, 4))
widths = (log_vars / 2).exp()
ax.plot(widths, distortion, color=BLUE, label="distortion D")
ax.plot(widths, rate, color=ORANGE, linestyle="--", label="rate R")
ax.plot(widths, total, color=BLACK, lw=2.5, label="D + R = −ELBO")
ax.axhline(-truth, color="0.5", linestyle=":", label="−log p(x)")
best = total.argmin()
ax.scatter(widths[best], total[best], marker="*", s=140, color=RED, zorder=3)
ax.set(
    title="A narrow cloud is exact but dear, a wide one cheap but vague",
    xlabel="width σ of the cloud q",
    ylabel="nats",
    xscale="log",
    xticks=[0.05, 0.1, 0.2, 0.5, 1],
    xticklabels=["0.05", "0.1", "0.2", "0.5", "1"],
)
ax.legend(loc="upper center")
plots.show(
    figure,
    alt="Against the width of the cloud, the distortion rises and the rate falls. Their sum is U-shaped, with its lowest "
    "point near a width of 0.3, slightly above the dotted line of minus log p(x).",
)
assert distortion[-1] > distortion[0] and rate[-1] < rate[0]
assert (total > -truth).all(), "−ELBO lies above −log p(x) everywhere"
assert abs(total[best] + elbos.max()) < 1e-3, "D + R is −ELBO, so both have one best width"

# %% [markdown]
# A narrow cloud is good for the reconstruction and expensive to name. A wide cloud is cheap, but
# the decoder no longer knows what to draw. The sum has one best width. Nobody had to choose a
# weight.
#
# This is the whole VAE:
#
# - the **decoder** is the likelihood $p(x \mid z)$, a network;
# - the **encoder** is the guess $q(z \mid x)$, a second network that gives every picture its own
#   mean and width (one network for all pictures, so the work of guessing is shared; this is called
#   *amortized* inference);
# - training makes the ELBO large, for both at once.
#
# (Papers write $p_\theta$ and $q_\phi$, with θ and φ for the weights of the two networks.) What is
# missing are the tools: a formula for the rate (section 6), a good way for a network to name a
# width (7), and gradients through a random draw (8).
#
# ## 6 · The rate in closed form
#
# The rate is an average of $\log q(z) - \log p(z)$ over draws from $q$. Both are Gaussians, so no
# drawing is needed. Write the two logarithms out. The terms $\tfrac12 \log 2\pi$ cancel:
#
# $$ \log q(z) - \log p(z) = -\tfrac12 \log \sigma^2 - \frac{(z - \mu)^2}{2 \sigma^2} + \frac{z^2}{2}. $$
#
# Now average each term. $(z - \mu)^2$ is $\sigma^2$ on average: that is what variance means. $z^2$
# is $\mu^2 + \sigma^2$ on average. So
#
# $$ D_{KL}\big(\mathcal N(\mu, \sigma^2) \,\|\, \mathcal N(0, 1)\big) = \tfrac12 \big(\mu^2 + \sigma^2 - \log \sigma^2 - 1\big). $$
#
# Read it: straying from 0 costs $\tfrac12\mu^2$. A width other than 1 costs, too. And for
# $\mu = 0$, $\sigma = 1$ the price is 0.
#
# Never trust a formula with minus signs. We compute the same number in four ways: with the formula,
# on the grid, with random draws (**Monte Carlo**), and with PyTorch's own `torch.distributions`.

# %%
mean, sigma = torch.tensor(0.8), torch.tensor(0.3)
formula = 0.5 * (mean**2 + sigma**2 - (sigma**2).log() - 1)

log_q = log_normal(z_grid, mean, sigma)
grid = (log_q.exp() * (log_q - log_normal(z_grid, 0.0, 1.0))).sum() * dz

Normal = torch.distributions.Normal
library = torch.distributions.kl_divergence(Normal(mean, sigma), Normal(0.0, 1.0))

print(f"formula              {formula:.6f} nats")
print(f"grid                 {grid:.6f}")
print(f"torch.distributions  {library:.6f}")
assert abs(grid - formula) < 1e-4 and abs(library - formula) < 1e-5

z = mean + sigma * torch.randn(100_000)
terms = log_normal(z, mean, sigma) - log_normal(z, 0.0, 1.0)
for n in (1_000, 100_000):
    estimate, uncertainty = terms[:n].mean(), terms[:n].std() / math.sqrt(n)
    print(f"Monte Carlo          {estimate:.6f} ± {uncertainty:.6f} from {n:,} draws")
    assert abs(estimate - formula) < 5 * uncertainty, "off by more than chance allows"

# %% [markdown]
# All agree: PyTorch to within $10^{-5}$ nats, the grid to within $10^{-4}$, and Monte Carlo to
# within five times its uncertainty (the number after ±). The assertions hold them to that. The
# formula is not only exact but also cheap: a hundred times the draws make Monte Carlo only ten
# times as accurate.
#
# A code has several numbers. In a VAE they are independent in $q$ and in the prior, so their
# logarithms add up, and so do their KLs. **Sum over the numbers of the code, one result per
# picture.**
#
# ### Your turn 1 · The KL divergence
#
# Write `my_kl(mean, log_var)`. Both have the shape (N, latent_dim), and `log_var` is
# $\log \sigma^2$, as networks give it (section 7 says why). Return the KL from N(0, I) of each of
# the N clouds, in nats, with the shape (N,).


# %% tags=["exercise"]
def my_kl(mean, log_var):
    result = ...  # your code here
    return result


checks.kl_divergence(my_kl)


# %% tags=["solution"]
def my_kl(mean, log_var):
    return 0.5 * (mean.square() + log_var.exp() - log_var - 1).sum(1)


# %% [markdown]
# ## 7 · Why the network gives log σ²
#
# A linear layer can put out any number, also a negative one. A width cannot be negative. So what
# should the raw output $a$ of the encoder stand for? There are three candidates: $a = \sigma$,
# $a = \sigma^2$, or $a = \log \sigma^2$. The same cloud, three languages. Look at the price of the
# width, $\tfrac12(\sigma^2 - \log\sigma^2 - 1)$, in each of them.
#
# **Predict.** A network starts with $\sigma = 0.05$ and should learn $\sigma = 1$ by gradient
# descent with the learning rate 0.1. In which language does it get there?

# %%
# Language: (its σ, the slope of the price with respect to a, the a at which σ = 0.05)
languages = {
    "a = σ": (lambda a: a, lambda a: a - 1 / a, 0.05),
    "a = σ²": (lambda a: a.sqrt(), lambda a: (1 - 1 / a) / 2, 0.05**2),
    "a = log σ²": (lambda a: (a / 2).exp(), lambda a: (a.exp() - 1) / 2, math.log(0.05**2)),
}
figure, axes = plt.subplots(1, 3, figsize=(10.4, 3.6))
walks = {}
for (name, (width, slope, start)), color, style in zip(
    languages.items(), (BLUE, ORANGE, BLACK), ("-.", "--", "-")
):
    a = torch.linspace(-8, 8, 3201)
    if name != "a = log σ²":
        a = a[a > 0.001]  # below 0 there is no such width
    axes[0].semilogy(a, width(a), color=color, ls=style, label=name)
    axes[1].plot(a, slope(a), color=color, ls=style)

    a, walk = torch.tensor(start), []
    for _ in range(150):
        walk.append(width(a).item())
        a = a - 0.1 * slope(a)
    walks[name] = walk
    axes[2].semilogy(walk, color=color, ls=style)
axes[0].axvspan(-8, 0, color="0.93")
axes[0].text(-7.6, 12, "only log σ²\nhas a meaning", va="bottom")
axes[0].set(
    title="Range: which width a stands for",
    xlabel="raw output a",
    ylabel="width σ",
    ylim=(0.015, 60),
)
axes[0].legend(loc="lower right")
axes[1].set(
    title="Slope of the price",
    xlabel="raw output a",
    ylabel="nats per unit of a",
    xlim=(-4, 4),
    ylim=(-6, 6),
)
for ax, level in ((axes[1], 0), (axes[2], 1)):
    ax.axhline(level, color="0.8", lw=1)
axes[2].set(
    title="150 steps of gradient descent",
    xlabel="step",
    ylabel="width σ",
    yticks=[0.05, 0.2, 1, 5],
    yticklabels=["0.05", "0.2", "1", "5"],
)
axes[2].minorticks_off()
plots.show(
    figure,
    alt="Three panels. The range: as σ or σ² only positive outputs stand for a width, as log σ² every output does, and "
    "from −8 to 8 the width goes from 0.02 to 50. The slopes for σ and σ² plunge to minus infinity near 0, that for "
    "log σ² never falls below minus one half. In gradient descent σ jumps to about 2 and comes back, σ² jumps above 4 "
    "and stays far above 1, and log σ² rises evenly towards 1.",
)

raw = nn.Linear(256, 8)(torch.randn(1000, 256))
print(f"Outputs of an untrained layer that are negative: {(raw < 0).float().mean():.0%}")
assert 0.3 < (raw < 0).float().mean() < 0.7
assert max(walks["a = σ"]) > 1.5 and abs(walks["a = σ"][-1] - 1) < 0.05, "there and back"
assert walks["a = σ²"][-1] > 3, "σ² should overshoot and stay there"
assert max(walks["a = log σ²"]) < 1.01 and walks["a = log σ²"][-1] > 0.9

# %% [markdown]
# - **Range.** About half of the outputs of a fresh layer are negative. As $\sigma$ or $\sigma^2$
#   they would mean nothing. As $\log \sigma^2$ every number has a meaning, and outputs between −8
#   and 8 already stand for widths from about 0.02 to 50.
# - **Gradients.** Near 0, the slope with respect to σ or σ² has no limit. One step from
#   $\sigma = 0.05$ jumps far past 1. Plain σ finds its way back in this toy. σ² does not, not in
#   150 steps. In a network such a jump would shake all weights at once. The slope with respect to
#   $\log\sigma^2$ is $\tfrac12(\sigma^2 - 1)$. For narrow clouds it is close to $-\tfrac12$, and
#   the walk is calm.
#
# There is one trap left. For large raw outputs $e^a$ explodes. In a healthy VAE this does not
# happen, because the price keeps clouds from getting wide. In a sick one it does. We will meet it
# in section 13.
#
# Most programs call this output `log_var`, and so do we. The width is
# $\sigma = e^{\texttt{log\_var}/2}$. **The half is easy to forget.**
#
# ## 8 · A gradient through a random draw
#
# The distortion is an average over draws $z \sim q$. We want to know how it changes with the mean
# and the width of $q$. But between these two and the distortion stands a random draw. How do you
# differentiate a throw of dice?
#
# There are two classic answers. Let $g(z)$ be any cost, here $-\log p(x \mid z)$, and let $\nabla$
# be the derivative with respect to $\mu$ or to $\log \sigma^2$.
#
# **The score-function estimator** (in reinforcement learning: REINFORCE). Move the derivative into
# the integral. The chain rule says $\nabla \log q = \nabla q / q$, so
# $\nabla q = q\, \nabla \log q$, and the integral is an average again:
#
# $$ \nabla\, \mathbb E_q[g(z)] = \int g(z)\, \nabla q(z)\, dz = \mathbb E_q\big[\,g(z)\, \nabla \log q(z)\,\big]. $$
#
# In words: try codes at random, and make those likelier that cost less than others.
#
# **The reparameterization.** Write the draw as $z = \mu + \sigma \varepsilon$ with
# $\varepsilon \sim \mathcal N(0, 1)$. Now the chance sits in $\varepsilon$, which has no
# parameters, and $z$ is a smooth function of $\mu$ and $\sigma$. So the ordinary chain rule works:
#
# $$ \nabla\, \mathbb E_q[g(z)] = \mathbb E_\varepsilon\big[\nabla\, g(\mu + \sigma \varepsilon)\big]. $$
#
# In words: look at the slope of the cost where the code fell, and move the cloud downhill.
#
# Both are right on average. The grid gives the exact gradient, so we can check.
#
# **Predict.** Training sees one draw per picture and step. Which of the two estimates scatters
# less?

# %%
mean, log_var = (
    torch.tensor(0.6, requires_grad=True),
    torch.tensor(-1.2, requires_grad=True),
)


def cost(z):
    """The distortion of a code: -log p(x | z) for the reading x = 1.5."""
    return -log_normal(x_seen, sensor(z), sigma_x)


on_grid = (log_normal(z_grid, mean, (log_var / 2).exp()).exp() * cost(z_grid)).sum() * dz
exact = torch.autograd.grad(on_grid, [mean, log_var])

draws = 50_000
m = mean.detach().repeat(draws).requires_grad_()  # a copy per draw: one gradient per draw
lv = log_var.detach().repeat(draws).requires_grad_()
sigma = (lv / 2).exp()
z = m + sigma * torch.randn(draws)
reparameterized = torch.autograd.grad(cost(z).sum(), [m, lv])

with torch.no_grad():
    # ∇ log q is (z − μ) / σ² for the mean, and ((z − μ)² / σ² − 1) / 2 for log σ².
    standardized = (z - m) / sigma
    score = [cost(z) * standardized / sigma, cost(z) * 0.5 * (standardized**2 - 1)]

print("                       exact      reparameterized          score function")
for i, name in enumerate(["mean", "log_var"]):
    a, b = reparameterized[i], score[i]
    print(
        f"gradient of {name:8} {exact[i]:8.3f}    {a.mean():8.3f} (sd {a.std():5.2f})    {b.mean():8.3f} (sd {b.std():6.2f})"
    )
    for estimate in (a, b):
        assert abs(estimate.mean() - exact[i]) < 5 * estimate.std() / math.sqrt(draws), (
            "biased"
        )
    assert b.var() > 2 * a.var(), "the score function should scatter more"

# %% [markdown]
# Both averages hit the exact gradient. The score function scatters more, even in this easiest of
# cases. In a real VAE the code has many numbers. Then the difference becomes enormous. The next
# cell measures it for the cost $g(z) = \tfrac12\sum_i (z_i - 1)^2$, with clouds of mean 0 and width
# 1, and looks at the gradient of the first mean alone. To be fair, the score function also gets the
# usual remedy: subtract a **baseline**, the average cost. This does not change the average of the
# estimate, because $\nabla \log q$ is 0 on average. But it calms the estimate.

# %%
dimensions = [1, 2, 4, 8, 16, 32, 64]
spread = {"score function": [], "score function, baseline": [], "reparameterized": []}
for d in dimensions:
    epsilon = torch.randn(20_000, d)
    g = 0.5 * (epsilon - 1).square().sum(1)  # z = 0 + 1 · ε
    spread["score function"].append((g * epsilon[:, 0]).var().item())
    spread["score function, baseline"].append(((g - g.mean()) * epsilon[:, 0]).var().item())
    spread["reparameterized"].append((epsilon[:, 0] - 1).var().item())

figure, ax = plt.subplots(figsize=(6.5, 3.8))
for (name, values), color, style in zip(
    spread.items(), (RED, ORANGE, BLUE), ("-", "--", "-")
):
    ax.loglog(dimensions, values, marker="o", color=color, ls=style, label=name)
ax.set(
    title="Variance of the gradient of one mean, from one draw",
    xlabel="numbers in the code",
    ylabel="variance of the gradient",
    xticks=dimensions,
    xticklabels=dimensions,
)
ax.minorticks_off()
ax.legend()
plots.show(
    figure,
    alt="On logarithmic axes, the variance of the score-function gradient climbs into the thousands for 64 numbers, with "
    "a baseline it still climbs steadily, and the reparameterized gradient stays flat at 1.",
)
ratio = spread["score function"][-1] / spread["reparameterized"][-1]
fair_ratio = spread["score function, baseline"][-1] / spread["reparameterized"][-1]
print(
    f"64 numbers: {ratio:,.0f} times the variance, {fair_ratio:,.0f} times with a baseline"
)
assert ratio > 1000 and fair_ratio > 20
assert max(spread["reparameterized"]) < 1.2, "no growth with the size of the code"

# %% [markdown]
# The score function knows only the total cost, a single number for all 64 dials, and cannot tell
# which dial was to blame. The reparameterized gradient knows the slope along each dial. Its
# variance does not grow at all. A thousand times the variance needs a thousand times the draws for
# the same accuracy. This trick, found by Kingma and Welling and by Rezende, Mohamed and Wierstra
# at the same time, is what made VAEs practical in 2013.
#
# The score function still has its place: it works where $g$ has no slope, for instance with codes
# that are whole numbers.
#
# PyTorch knows both kinds of draws. `Normal(…).sample()` cuts the gradient off, and
# `Normal(…).rsample()` reparameterizes ("r").

# %%
cloud = Normal(mean, (log_var / 2).exp())
print("sample() lets gradients pass: ", cloud.sample().requires_grad)
print("rsample() lets gradients pass:", cloud.rsample().requires_grad)
assert cloud.rsample().requires_grad and not cloud.sample().requires_grad

# %% [markdown]
# ### Your turn 2 · The reparameterization
#
# Write `my_reparameterize(mean, log_var)`. Both have the shape (N, latent_dim). Return one code for
# each of the N clouds, again with the shape (N, latent_dim). It must be drawn anew in every call,
# and gradients must pass to `mean` and `log_var`.


# %% tags=["exercise"]
def my_reparameterize(mean, log_var):
    result = ...  # your code here
    return result


checks.reparameterize(my_reparameterize)


# %% tags=["solution"]
def my_reparameterize(mean, log_var):
    sigma = torch.exp(log_var / 2)  # log_var is log σ², so half of it is log σ
    epsilon = torch.randn_like(mean)
    return mean + sigma * epsilon


# %% [markdown]
# ## 9 · The first VAE, with nothing hidden
#
# We have all the pieces. Here are three of them as functions, in the form in which the rest of the
# lesson uses them. The second is the distortion for a Gaussian likelihood.


# %%
def kl_divergence(mean, log_var):
    """The rate: KL of N(mean, exp(log_var)) from N(0, I). (N, latent_dim) → (N,), in nats."""
    return 0.5 * (mean.square() + log_var.exp() - log_var - 1).sum(1)


def gaussian_nll(reconstruction, x, sigma):
    """The distortion: -log N(x; reconstruction, σ²), summed over the pixels. → (N,), in nats."""
    return -log_normal(x, reconstruction, sigma).flatten(1).sum(1)


def reparameterize(mean, log_var):
    """Draw z = mean + σ · ε, so that gradients pass to mean and log_var."""
    return mean + (log_var / 2).exp() * torch.randn_like(mean)


# %% [markdown]
# Now forget the dial and the sensor. We only have the 4,000 readings. A decoder, a small network,
# must invent a sensor of its own. An encoder must learn to guess. Both are trained together on
# −ELBO = distortion + rate, with one draw of $z$ per reading and step. The code has a single
# number, so at any moment the grid can tell us the true $\log p(x)$ under the *learned* decoder. It
# takes a few seconds.
#
# **Predict.** The loss is the ELBO. Nobody maximises $\log p(x)$. Will it rise all the same?

# %%
seed_everything(0)
encoder = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 2))
decoder = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))


def learned_sensor(z):
    return decoder(z[:, None])[:, 0]


fresh = sensor(torch.randn(500)) + sigma_x * torch.randn(500)  # readings for testing
watched = {"step": [], "log p(x)": [], "ELBO": []}
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.004)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=1500)
for step in range(1501):
    if step % 25 == 0:
        with torch.no_grad():
            mean, log_var = encoder(fresh[:, None]).T
            watched["step"].append(step)
            watched["ELBO"].append(
                elbo_on_grid(mean, log_var, fresh, learned_sensor).mean()
            )
            watched["log p(x)"].append(log_evidence(fresh, learned_sensor).mean())
    x = readings[torch.randint(len(readings), (250,)), None]
    mean, log_var = encoder(x).chunk(2, dim=1)
    z = reparameterize(mean, log_var)
    loss = gaussian_nll(decoder(z), x, sigma_x) + kl_divergence(mean, log_var)
    optimizer.zero_grad()
    loss.mean().backward()
    optimizer.step()
    schedule.step()

# %%
ceiling = log_evidence(fresh).mean().item()  # of the true story
with torch.no_grad():
    mean, log_var = encoder(x_grid[:, None]).T
    believed = log_evidence(x_grid, learned_sensor).exp()
    true_posterior = posterior(x_grid, learned_sensor)
figure, axes = plt.subplots(1, 3, figsize=(11, 3.8))
axes[0].axhline(ceiling, color="0.5", linestyle=":", label="log p(x), true story")
axes[0].plot(
    watched["step"], watched["log p(x)"], color=BLUE, label="log p(x), learned story"
)
axes[0].plot(watched["step"], watched["ELBO"], color=ORANGE, linestyle="--", label="ELBO")
axes[0].set(
    title="The bound pushes the truth up",
    xlabel="step",
    ylabel="nats per reading (fresh)",
    ylim=(ceiling - 1.3, ceiling + 0.2),
)
axes[0].legend(loc="lower right")
axes[1].hist(
    readings.numpy(), bins=60, range=(-4, 4), density=True, color="0.8", label="data"
)
axes[1].plot(
    x_grid, log_evidence(x_grid).exp(), color="0.4", linestyle=":", label="true p(x)"
)
axes[1].plot(x_grid, believed, color=BLUE, label="learned p(x)")
axes[1].set(
    title="What the VAE believes", xlabel="reading x", ylabel="density", ylim=(0, 0.5)
)
axes[1].legend(loc="upper center", fontsize=9)
axes[2].imshow(
    true_posterior.T,
    origin="lower",
    extent=(-4, 4, -6, 6),
    aspect="auto",
    cmap="Greys",
    vmax=2,
)
sigma = (log_var / 2).exp()
axes[2].plot(x_grid, mean, color=GREEN, lw=2, label="encoder's mean")
for side in (-2, 2):
    axes[2].plot(
        x_grid,
        mean + side * sigma,
        color=GREEN,
        linestyle="--",
        label="mean ± 2σ" if side == 2 else None,
    )
axes[2].set(
    title="Its guess, on the posterior",
    xlabel="reading x",
    ylabel="code z",
    xlim=(-3, 3),
    ylim=(-3.5, 3.5),
)
axes[2].legend(loc="best", fontsize=9)
plots.show(
    figure,
    alt="Left: ELBO and log p(x) rise together during training, the ELBO always slightly below, towards a dotted line. "
    "Middle: the learned density has two peaks like the data, but they are lower, and the valley between them is too "
    "shallow. Right: the encoder's mean and its band of two sigma "
    "follow the grey shape of the true posterior.",
)
gaps = torch.tensor(watched["log p(x)"]) - torch.tensor(watched["ELBO"])
print(
    f"at the end: log p(x) {watched['log p(x)'][-1]:.3f}, ELBO {watched['ELBO'][-1]:.3f}, "
    f"gap {gaps[-1]:.3f}; the true story reaches {ceiling:.3f} nats"
)
assert (gaps > -1e-3).all(), "the ELBO must stay below log p(x)"
assert gaps[-1] < 0.25 and watched["log p(x)"][-1] > ceiling - 0.1
assert watched["log p(x)"][-1] > watched["log p(x)"][0] + 0.3, "log p(x) should rise"

# %% [markdown]
# It rises, and comes close to what the true story itself reaches. The ELBO stays below at every
# moment. In the right panel, grey is the true posterior under the learned decoder, from the grid.
# Green is the encoder's guess. They agree well, and where they do not, that is the gap. (If the
# curve falls, the learned dial turns the other way than ours. Both stories give the same $p(x)$, so
# the data cannot tell them apart.)
#
# But look at the middle panel. The valley at 0 is not deep enough. Why does the VAE not simply copy
# the true sensor? We compare the two stories, and give the true one the best Gaussian guess for
# each single reading.

# %%
few = fresh[:100]
guess = torch.zeros(2, 100, requires_grad=True)  # a mean and a log_var for each of them
optimizer = torch.optim.Adam([guess], lr=0.1)
for _ in range(150):  # find the best Gaussian guess for each, with the true sensor
    optimizer.zero_grad()
    (-elbo_on_grid(*guess, few).mean()).backward()
    optimizer.step()
with torch.no_grad():
    log_p_true = log_evidence(few).mean()
    elbo_true = elbo_on_grid(*guess, few).mean()
    log_p_learned = log_evidence(few, learned_sensor).mean()
    elbo_learned = elbo_on_grid(*encoder(few[:, None]).T, few, learned_sensor).mean()
print("on 100 readings          log p(x)     ELBO      gap (nats)")
for name, log_p, elbo in (
    ("true story, best guess", log_p_true, elbo_true),
    ("learned story", log_p_learned, elbo_learned),
):
    print(f"{name:24} {log_p:8.3f} {elbo:8.3f} {log_p - elbo:8.3f}")
assert believed[200] > 1.1 * at_zero, "the learned valley at 0 should be too shallow"
assert elbo_learned > elbo_true - 0.005, "the learned story should have the higher ELBO"
assert log_p_true - elbo_true > log_p_learned - elbo_learned + 0.02, "and the smaller gap"
assert log_p_learned < log_p_true, "and explain the readings a little worse"

# %% [markdown]
# Compare the two ELBOs. The learned story explains the readings a little worse, but its posteriors
# are easier for a Gaussian to match. Its gap is smaller, and its ELBO is at least as high. We asked
# for a large ELBO, and got it. **A VAE prefers a story that its encoder can guess well.** Keep this
# in mind when a VAE turns out simpler than its data.
#
# ## 10 · A VAE whose log p(x) is known exactly
#
# One number per code is a toy. Is there a VAE with more numbers, where $\log p(x)$ is still exact?
# Yes: the **linear VAE**. Its decoder is $f(z) = Wz + b$, with a matrix $W$, a vector $b$ (lesson
# 02 called it $\mu$), and Gaussian noise of the width $\sigma$. Adding up Gaussians gives a
# Gaussian, so with the identity matrix $I$
#
# $$ p(x) = \mathcal N\big(x;\; b,\; W W^\top + \sigma^2 I\big). $$
#
# You know this model. It is **probabilistic PCA** from lesson 02. Its best parameters have a
# formula, too (Tipping and Bishop, 1999): with the eigenvalues $\lambda_1 \ge \lambda_2 \ge \dots$
# of the data's covariance and their eigenvectors $u_j$, the best $\sigma^2$ is the mean of the
# left-out eigenvalues, and the columns of $W$ are $u_j \sqrt{\lambda_j - \sigma^2}$.
#
# The posterior of this model is Gaussian, its mean is linear in $x$, and its widths are the same
# for every $x$. So a linear encoder with a Gaussian guess can be *perfect*, and the gap can close
# completely. Will it? We make data in which two hidden causes drive six sensors, compute the
# optimum from the formula, and train the VAE by gradient descent with random draws, as if we knew
# nothing.

# %%
seed_everything(0)
directions = torch.linalg.qr(torch.randn(6, 6)).Q[:, :2]
causes = torch.randn(2000, 2) * torch.tensor([2.0, 1.2])
x = 3 + causes @ directions.T + 0.5 * torch.randn(2000, 6)


def ppca_log_evidence(x, W, b, sigma):
    """The exact mean log p(x) of a linear decoder, in nats."""
    covariance = W @ W.T + sigma**2 * torch.eye(len(b))
    return torch.distributions.MultivariateNormal(b, covariance).log_prob(x).mean().item()


eigenvalues, eigenvectors = torch.linalg.eigh(torch.cov(x.T, correction=0))
eigenvalues, eigenvectors = eigenvalues.flip(0), eigenvectors.flip(1)  # largest first
best_sigma = eigenvalues[2:].mean().sqrt()
best_W = eigenvectors[:, :2] * (eigenvalues[:2] - best_sigma**2).sqrt()
optimum = ppca_log_evidence(x, best_W, x.mean(0), best_sigma)


class LinearVAE(nn.Module):
    """Six numbers → a code of two → six numbers, all linear. The clouds' width is the same for every x."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(6, 2), nn.Linear(2, 6)
        self.log_var = nn.Parameter(torch.zeros(2))
        self.log_sigma = nn.Parameter(torch.zeros(()))  # of the decoder's noise

    def loss(self, x):
        """-ELBO with one draw per row of x."""
        mean = self.encoder(x)
        log_var = self.log_var.expand_as(mean)
        reconstruction = self.decoder(reparameterize(mean, log_var))
        distortion = gaussian_nll(reconstruction, x, self.log_sigma.exp())
        return distortion + kl_divergence(mean, log_var)

    def exact_loss(self, x):
        """The same without drawing: the clouds' width adds Σⱼ σⱼ² |wⱼ|² to the squared error."""
        mean = self.encoder(x)
        scatter = (self.log_var.exp() * self.decoder.weight.square().sum(0)).sum()
        distortion = gaussian_nll(self.decoder(mean), x, self.log_sigma.exp())
        distortion = distortion + scatter / (2 * self.log_sigma.exp() ** 2)
        return distortion + kl_divergence(mean, self.log_var.expand_as(mean))


def train_linear(vae, steps=1000):
    """Train on x with random draws, and return the exact log p(x) and ELBO on the way."""
    optimizer = torch.optim.Adam([p for p in vae.parameters() if p.requires_grad], lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    record = {"step": [], "log p(x)": [], "ELBO": []}
    for step in range(steps + 1):
        if step % 50 == 0:
            with torch.no_grad():
                record["step"].append(step)
                record["ELBO"].append(-vae.exact_loss(x).mean().item())
                record["log p(x)"].append(
                    ppca_log_evidence(
                        x, vae.decoder.weight, vae.decoder.bias, vae.log_sigma.exp()
                    )
                )
        optimizer.zero_grad()
        vae.loss(x).mean().backward()
        optimizer.step()
        schedule.step()
    return record


linear_vae = LinearVAE()
record = train_linear(linear_vae)

# %%
evidence, elbo = torch.tensor(record["log p(x)"]), torch.tensor(record["ELBO"])
figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.7))
axes[0].axhline(optimum, color="0.5", linestyle=":", label="PPCA's optimum, by formula")
axes[0].plot(record["step"], evidence, color=BLUE, label="log p(x), exact")
axes[0].plot(record["step"], elbo, color=ORANGE, linestyle="--", label="ELBO")
axes[0].set(
    title="A linear VAE learns probabilistic PCA",
    xlabel="step",
    ylabel="nats per data point",
    ylim=(optimum - 2, optimum + 0.2),
)
axes[0].legend(loc="lower right")
axes[1].semilogy(record["step"], evidence - elbo, color=GREEN, label="log p(x) − ELBO")
axes[1].semilogy(
    record["step"],
    optimum - evidence,
    color=BLACK,
    linestyle="--",
    label="optimum − log p(x)",
)
axes[1].set(title="Both gaps close", xlabel="step", ylabel="nats (logarithmic)")
axes[1].legend()
plots.show(
    figure,
    alt="Left: log p(x) and the ELBO rise until both lie on the dotted line of PPCA's optimum. Right: on a logarithmic "
    "axis the gap between them falls by nearly four orders of magnitude, and the gap to the optimum by about five.",
)

with torch.no_grad():
    W, sigma = linear_vae.decoder.weight, linear_vae.log_sigma.exp()
    cosines = torch.linalg.svdvals(torch.linalg.qr(W).Q.T @ eigenvectors[:, :2])
    angle = torch.rad2deg(cosines.clamp(max=1).acos()).max()
    columns = nn.functional.normalize(W, dim=0)
    # The cosine of the angle between each column and the axis that is nearest to it.
    axis_cosines = (columns.T @ eigenvectors[:, :2]).abs().amax(1)
    posterior_var = torch.linalg.inv(W.T @ W / sigma**2 + torch.eye(2)).diagonal()
print(f"gap log p(x) − ELBO                     {evidence[-1] - elbo[-1]:.4f} nats")
print(f"gap to PPCA's optimum                   {optimum - evidence[-1]:.4f} nats")
print(f"noise σ: learned {sigma:.4f}, by formula    {best_sigma:.4f}")
print(f"angle between the VAE's and PCA's plane {angle:.2f}°")
axis_angles = torch.rad2deg(axis_cosines.clamp(max=1).acos()).tolist()
print("angles of W's columns to PCA's axes    ", [f"{a:.1f}°" for a in axis_angles])
print("clouds' variance: learned", [round(v, 3) for v in linear_vae.log_var.exp().tolist()])
print("                  exact  ", [round(v, 3) for v in posterior_var.tolist()])
assert abs(evidence[-1] - elbo[-1]) < 0.02 and 0 <= optimum - evidence[-1] + 1e-3 < 0.02
assert abs(sigma - best_sigma) < 0.02 and angle < 2
assert torch.allclose(linear_vae.log_var.exp(), posterior_var, rtol=0.1)
assert max(axis_angles) < 10, "the columns of W should be PCA's axes"
assert abs(columns[:, 0] @ columns[:, 1]) < 0.15, "and so perpendicular to each other"

# %% [markdown]
# Both gaps close. Gradient descent with random draws, on a bound, found the optimum that the
# formula gives. The learned widths of the clouds are the exact posterior's.
#
# There is a bonus. The linear autoencoder of lesson 02 found PCA's *plane*, but with arbitrary axes
# in it. The VAE's columns of $W$ are perpendicular: it finds PCA's *axes*. The reason is our guess,
# in which the numbers of the code are independent. The posterior is like that only if the columns
# are perpendicular, and the gap punishes everything else (Lucas and others, 2019).
#
# ## 11 · Which likelihood? And which σ?
#
# The decoder's output is one number per pixel. To get a distortion we must say what distribution it
# stands for.
#
# **Bernoulli**, for black-and-white pixels, $x = 0$ or $1$: the output $\hat x$ is the probability
# of white. Then
#
# $$ -\log p(x \mid z) = -\sum_j \big[x_j \log \hat x_j + (1 - x_j) \log(1 - \hat x_j)\big], $$
#
# also known as **binary cross-entropy** (BCE). It is often used for grey pixels, too. Is that
# right? Here is a single pixel, and of 999 possible answers the best one.

# %%
answer = torch.linspace(0.001, 0.999, 999)
lowest = {}
for x_j in (0.0, 0.5, 1.0):
    bce = -(x_j * answer.log() + (1 - x_j) * (1 - answer).log())
    lowest[x_j] = (answer[bce.argmin()].item(), bce.min().item())
    print(
        f"pixel {x_j:.1f}: best answer {lowest[x_j][0]:.3f}, which costs {lowest[x_j][1]:.3f} nats"
    )
assert abs(lowest[0.5][0] - 0.5) < 0.02 and abs(lowest[0.5][1] - math.log(2)) < 0.01
assert lowest[0.0][1] < 0.02 and lowest[1.0][1] < 0.02

# %% [markdown]
# For grey, too, the best answer is $\hat x = x$. So BCE works as a loss. But for a pixel of one
# half the perfect answer still costs $\log 2 \approx 0.693$ nats, and the numbers are no longer
# logarithms of probabilities: grey is neither of the two things that can happen. A clean way out is
# to make the pixels black or white, as we do below.
#
# **Gaussian**, for grey or coloured pixels: the output is the mean, and each pixel scatters around
# it with a width $\sigma$. For $J$ pixels
#
# $$ -\log p(x \mid z) = \frac{1}{2\sigma^2} \sum_j (x_j - \hat x_j)^2 + J \log \sigma + \frac J2 \log 2\pi. $$
#
# If $\sigma$ is fixed, the last two terms are constants, and the loss is *squared error*
# $/\,2\sigma^2$ *+ rate*. So the fixed $\sigma$ sets the exchange rate between errors and nats.
# **Whoever adds a squared error to a KL has chosen a σ, knowingly or not.**
#
# - Squared error summed over the pixels + KL means $2\sigma^2 = 1$, so $\sigma \approx 0.71$.
# - Squared error *averaged* over 784 pixels + KL means $2\sigma^2 = 784$, so $\sigma \approx 20$.
#   The pixels lie between 0 and 1! This loss believes that all of the picture is noise.
#
# The linear VAE shows exactly what such a belief does. The best column of $W$ was
# $u_j \sqrt{\lambda_j - \sigma^2}$. So a direction of the data is worth a number in the code only
# if its variance $\lambda_j$ is larger than $\sigma^2$. Let us fix $\sigma^2$ between the two
# largest eigenvalues.
#
# **Predict.** How many of the two numbers of the code will be used?

# %%
seed_everything(0)
fixed_sigma = eigenvalues[:2].mean().sqrt()  # σ² between λ₁ and λ₂
stubborn = LinearVAE()
stubborn.log_sigma.data = fixed_sigma.log()
stubborn.log_sigma.requires_grad_(False)
train_linear(stubborn)
with torch.no_grad():
    mean = stubborn.encoder(x)
    log_var = stubborn.log_var.expand_as(mean)
    rates = [kl_divergence(mean[:, [j]], log_var[:, [j]]).mean().item() for j in range(2)]
print("eigenvalues of the data:", [round(v, 2) for v in eigenvalues.tolist()])
print(f"fixed σ² = {fixed_sigma**2:.2f}")
print("rate of the code's two numbers:", [f"{r:.3f} nats" for r in rates])
assert max(rates) > 0.05 and min(rates) < 0.01, "exactly one number should be in use"

# %% [markdown]
# One number of the code is in use. The other one has a rate of (almost) 0: its cloud is the prior,
# whatever the input. It has **collapsed**. The VAE has not failed: it was told that everything
# below $\sigma$ is noise, and noise is not worth coding.
#
# Now the digits. Here are the variances of their PCA directions, with three choices of $\sigma^2$:
# the two habits, and the mean squared error of a PCA with 20 directions. The rule for the linear
# VAE tells how many directions would be worth a number in the code. At the right is the distortion
# of that PCA's reconstructions, for every σ.

# %%
train_set = load_digits("train").subset(slice(0, 3500))
pixels = train_set.floats.flatten(1)
spectrum, components = torch.linalg.eigh(torch.cov(pixels.T, correction=0))
spectrum, components = spectrum.flip(0), components.flip(1)
centre = pixels.mean(0)
reconstruction = centre + (pixels - centre) @ components[:, :20] @ components[:, :20].T
squared_error = (pixels - reconstruction).square()

choices = {
    "mean over pixels + KL": 784 / 2,
    "sum over pixels + KL": 0.5,
    "mean squared error": squared_error.mean().item(),
}
figure, axes = plt.subplots(1, 2, figsize=(10.2, 4))
axes[0].semilogy(range(1, 201), spectrum[:200], color=BLACK)
used = {}
for (name, variance), color in zip(choices.items(), (RED, ORANGE, GREEN)):
    used[name] = int((spectrum > variance).sum())
    axes[0].axhline(variance, color=color, linestyle="--")
    place = {"x": 200, "va": "bottom", "ha": "right"}
    if color == GREEN:  # where the curve leaves room
        place = {"x": 3, "va": "top"}
    axes[0].text(y=variance, s=f"{name}: {used[name]} used", color=color, **place)
axes[0].set(
    title="Which directions of the digits beat σ²?",
    xlabel="PCA direction",
    ylabel="variance (squared grey levels)",
    ylim=(2e-3, 2e3),
)
sigmas = torch.logspace(-1.5, 0.5, 300)
nll = squared_error.sum(1).mean() / (2 * sigmas**2) + 784 * (
    sigmas.log() + 0.5 * math.log(2 * math.pi)
)
axes[1].plot(sigmas, nll, color=BLACK)
axes[1].scatter(sigmas[nll.argmin()], nll.min(), marker="*", s=140, color=RED, zorder=3)
axes[1].axvline(math.sqrt(0.5), color=ORANGE, linestyle="--")
axes[1].text(0.77, -700, "σ = 0.71:\nsum over\npixels + KL", color=ORANGE)
axes[1].set(
    title="Distortion of PCA's reconstructions, for every σ",
    xlabel="σ (grey levels)",
    ylabel="nats per image",
    xscale="log",
    ylim=(-800, 1800),
)
plots.show(
    figure,
    alt="Left: the variances of the digits' PCA directions fall from about 5 to far below 0.1. A line at 392 lies above "
    "all of them, one at 0.5 cuts off all but about twenty, one near 0.02 leaves about 150. Right: the distortion as a function "
    "of σ has a minimum, marked by a star near 0.15, and is much higher at 0.71.",
)
print("directions used:", used)
print(f"smallest distortion at σ = {sigmas[nll.argmin()]:.3f} grey levels")
assert used["mean over pixels + KL"] == 0, "with σ ≈ 20 everything collapses"
assert 5 < used["sum over pixels + KL"] < 50
assert used["mean squared error"] > 60, "far more than the 20 of our PCA"
assert nll.min() < nll[(sigmas - math.sqrt(0.5)).abs().argmin()] - 500

# %% [markdown]
# With the mean over pixels *not one* direction of the digits is worth a number. A linear VAE with
# this loss must collapse completely, however you train it. In the lab below we shall see whether a
# deep one with the same habit does better. With the sum and $\sigma \approx 0.71$ it uses some of
# them. Neither is the σ that fits the data. That one can be read off the right panel (★), and it
# can be computed. (With this σ, far more directions are worth a number than the 20 of our PCA: a
# longer code would pay.)
#
# ### Your turn 3 · The optimal σ
#
# Set the derivative of the Gaussian distortion with respect to σ to zero, on paper. Then write
# `my_sigma(reconstruction, images)`: for reconstructions and images of the shape (N, C, H, W) it
# returns the one σ, in grey levels, that makes the distortion smallest, summed over all pixels of
# all images.


# %% tags=["exercise"]
def my_sigma(reconstruction, images):
    result = ...  # your code here
    return result


checks.optimal_sigma(my_sigma)


# %% tags=["solution"]
# With S the sum of the squared errors of all M pixels: d/dσ (S / 2σ² + M log σ) = −S / σ³ + M / σ = 0,
# so σ² = S / M, the mean squared error of a pixel.
def my_sigma(reconstruction, images):
    return (images - reconstruction).square().mean().sqrt()


# %% [markdown]
# Make σ a parameter of the model, as in section 10, or set it to this value after each step, and
# nobody has to choose it any more. This is known as the σ-VAE.
#
# ## 12 · A small VAE for digits
#
# From here on we work with pictures. The pixels become black or white, so that the Bernoulli
# likelihood is exactly right and all our numbers are true nats.
#
# The model is a smaller sister of lesson 03's dense autoencoder, with one hidden layer of 256 on
# each side. Its encoder has twice as many outputs: a mean and a `log_var` for each number of the
# code. While training, a tenth of the input pixels is switched off at random (**dropout**), which
# helps against learning by heart. After training, in *evaluation mode*, dropout does nothing.
#
# Read the class with `bug = "none"` first. The other values of `bug` are mistakes that people
# really make. We will come to them.


# %%
class SmallVAE(nn.Module):
    """A dense VAE for black-and-white digits. `bug` is the name of a mistake to build in, or "none"."""

    def __init__(self, bug="none", latent_dim=8):
        super().__init__()
        self.bug, self.latent_dim = bug, latent_dim
        self.encoder = nn.Sequential(
            nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 2 * latent_dim)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 256), nn.ReLU(), nn.Linear(256, 784)
        )

    def encode(self, images):
        """(N, 1, 28, 28) → mean and log_var of q(z | x), each (N, latent_dim)."""
        pixels = nn.functional.dropout(images.flatten(1), 0.1, training=self.training)
        mean, log_var = self.encoder(pixels).chunk(2, dim=1)
        return mean, log_var

    def reparameterize(self, mean, log_var):
        if self.bug == "no sampling":
            return mean
        log_sigma = log_var if self.bug == "exp(log_var)" else log_var / 2
        return mean + log_sigma.exp() * torch.randn_like(mean)

    def decode(self, z):
        """(N, latent_dim) → the probability of white for each pixel, (N, 1, 28, 28)."""
        white = torch.sigmoid(self.decoder(z)).unflatten(1, (1, 28, 28))
        return torch.sigmoid(white) if self.bug == "sigmoid twice" else white

    def forward(self, images):
        mean, log_var = self.encode(images)
        z = self.reparameterize(mean, log_var)
        return self.decode(z), mean, log_var, z


def bernoulli_nll(reconstruction, images):
    """The distortion: -log p(x | z) of black-and-white images, summed over the pixels. → (N,), in nats."""
    white = reconstruction.clamp(1e-6, 1 - 1e-6)  # keeps the logarithms finite
    log_p = images * white.log() + (1 - images) * (1 - white).log()
    return -log_p.flatten(1).sum(1)


def negative_elbo(vae, images, labels=None):
    """What the VAE minimises: distortion + rate of each image, (N,), in nats."""
    reconstruction, mean, log_var, _ = vae(images)
    target = 255 * images if vae.bug == "images not scaled" else images
    distortion = bernoulli_nll(reconstruction, target)
    rate = kl_divergence(mean, log_var)
    if vae.bug == "mean over pixels":
        distortion = distortion / 784
    if vae.bug == "KL sign":
        rate = -rate
    if vae.bug == "KL summed over batch":
        rate = rate.sum()
    if vae.bug == "strong beta":
        rate = 20 * rate
    return distortion + rate


# %% [markdown]
# The course's package has the same pieces, for all lessons to come: `losses.kl_divergence`,
# `losses.reconstruction_nll`, `losses.negative_elbo` and `models.DenseVAE`. The same weights and
# the same random numbers must give the same results.


# %%
def black_and_white(digits):
    """The same digits with every pixel either 0 or 255."""
    return replace(digits, images=(digits.images > 127).to(torch.uint8) * 255)


train_digits = black_and_white(train_set)
test_digits = black_and_white(load_digits("test").subset(slice(0, 1000)))
images = train_digits.floats[:100]

seed_everything(0)
ours = SmallVAE().eval()
theirs = models.DenseVAE(hidden=(256,), latent_dim=8).eval()
theirs.load_state_dict(ours.state_dict())
with torch.no_grad():
    seed_everything(1)
    our_loss = negative_elbo(ours, images)
    seed_everything(1)
    their_loss = losses.negative_elbo(theirs, images)["loss"]
    reconstruction, mean, log_var, _ = ours(images)

mean, log_var = 2 * torch.randn(100, 8), torch.randn(100, 8)
print(
    f"our −ELBO {our_loss.mean():.3f}, the package's {their_loss.mean():.3f} nats per image"
)
assert abs(our_loss.mean() - 784 * math.log(2)) < 20, "should start near 784 · log 2"
assert torch.allclose(our_loss, their_loss, rtol=1e-4)
assert torch.allclose(
    kl_divergence(mean, log_var), losses.kl_divergence(mean, log_var), atol=1e-4
)
assert torch.allclose(
    bernoulli_nll(reconstruction, images),
    losses.reconstruction_nll(reconstruction, images),
    rtol=1e-4,
)
assert torch.allclose(
    gaussian_nll(reconstruction, images, 0.3),
    losses.reconstruction_nll(reconstruction, images, "gaussian", sigma=0.3),
    rtol=1e-4,
)

# %% [markdown]
# The two agree. The first number is worth remembering. An untrained decoder says "one half" for
# each pixel, and that costs $784 \cdot \log 2 \approx 543$ nats. **If the first loss of your own
# VAE on 28 × 28 black-and-white pixels is not near 543, something is wrong before training
# starts.**

# %% [markdown]
# ## 13 · The break-it lab
#
# A wrong program usually stops with an error. A wrong VAE usually does not. It trains, the loss
# falls, and something strange comes out. So we break ours on purpose, in ten ways, and learn the
# symptoms.
#
# | name | what the programmer wrote | what it should be |
# |---|---|---|
# | `mean over pixels` | distortion averaged over the pixels | summed |
# | `KL summed over batch` | `kl.sum()` over the images, too | one KL per image |
# | `strong beta` | rate times 20, "for a tidier code" | times 1 |
# | `exp(log_var)` | σ = exp(log_var) | σ = exp(log_var / 2) |
# | `no sampling` | z = mean, in training as well | z = mean + σε |
# | `KL sign` | distortion − rate | distortion + rate |
# | `images not scaled` | cross-entropy on pixels from 0 to 255 | 0 to 1 |
# | `sigmoid twice` | sigmoid in the model and again after it | once |
# | `sampling at evaluation` | a random z as "the" code of an image | the mean |
# | `train mode at evaluation` | `model.eval()` forgotten | dropout off |
#
# We train the same small VAE in the same way with each bug. (The last two harm no training, only
# the use of a model that was trained well.) Then we **examine** it like a doctor, with seven
# numbers:
#
# - *reported*: the test loss as the buggy program itself prints it;
# - *honest*: the true −ELBO of the same weights, from the tested functions of the package, with the
#   same random numbers;
# - *rate*: the honest rate, in nats per image;
# - *error*: the squared error per image of the reconstructions that the program shows;
# - *noise*: the spread of $(z - \mu)/\sigma$ over many draws. It should be 1, by definition;
# - *repeat*: ask for the code of one image twice. How far apart are the answers (mean distance per
#   number)?
# - *variety*: how much decoded random codes differ from each other, compared with how much real
#   digits do (variance over images, summed over pixels).
#
# **Predict.** Pick three bugs, and guess what their reconstructions and samples will look like.
# And: which bugs will report a *better* loss than the right program?


# %%
def set_mode(vae):
    """Switch to evaluation mode, unless that is what the programmer forgot."""
    vae.train(vae.bug == "train mode at evaluation")


@torch.no_grad()
def codes(vae, images):
    """The code of each image, as this program computes it for maps and reconstructions."""
    set_mode(vae)
    mean, log_var = vae.encode(images)
    return (
        vae.reparameterize(mean, log_var) if vae.bug == "sampling at evaluation" else mean
    )


@torch.no_grad()
def examine(vae, images):
    """The seven numbers of the doctor."""
    seed_everything(0)
    set_mode(vae)
    reported = negative_elbo(vae, images).mean()
    seed_everything(0)  # the same draws again, so that a difference is never chance
    vae.eval()
    mean, log_var = vae.encode(images)
    sigma = (log_var / 2).exp()
    honest_draw = mean + sigma * torch.randn_like(mean)
    rate = losses.kl_divergence(mean, log_var).mean()
    honest = losses.reconstruction_nll(vae.decode(honest_draw), images).mean() + rate
    noise = ((vae.reparameterize(mean, log_var) - mean) / sigma).std()
    repeat = (codes(vae, images) - codes(vae, images)).abs().mean()
    shown = vae.decode(codes(vae, images))
    error = losses.squared_error(shown, images).mean()
    samples = vae.decode(torch.randn(1000, vae.latent_dim, device=images.device))
    variety = samples.flatten(1).var(0).sum() / images.flatten(1).var(0).sum()
    names = ("reported", "honest", "rate", "error", "noise", "repeat", "variety")
    values = (reported, honest, rate, error, noise, repeat, variety)
    return {name: value.item() for name, value in zip(names, values)}


def train(bug, epochs, seed=0, latent_dim=8):
    """A small VAE with this bug, trained on the digits."""
    seed_everything(seed)
    vae = SmallVAE(bug, latent_dim)
    try:
        fit(
            vae,
            train_digits,
            negative_elbo,
            epochs=epochs,
            batch_size=100,
            lr=1e-2,
            seed=seed,
        )
    except FloatingPointError as problem:  # an exploding loss is a symptom, too
        print(problem)
    return vae


BUGS = [
    "none",
    "mean over pixels",
    "KL summed over batch",
    "strong beta",
    "exp(log_var)",
    "no sampling",
    "KL sign",
    "images not scaled",
    "sigmoid twice",
    "sampling at evaluation",
    "train mode at evaluation",
]
AT_EVALUATION = BUGS[-2:]  # these two harm a model that was trained well

# %% [markdown]
# The next cell trains nine VAEs. Watch the losses meanwhile. Some of the bugs show themselves here
# already.

# %%
patients = {}
for bug in BUGS:
    if bug in AT_EVALUATION:
        patients[bug] = SmallVAE(bug).to(device)
        patients[bug].load_state_dict(patients["none"].state_dict())
    else:
        print(bug)
        patients[bug] = train(bug, epochs=10)

# %%
test_images = test_digits.floats.to(device)


def table(findings):
    """Print the seven numbers of each patient."""
    columns = list(next(iter(findings.values())))
    print(f"{'':26}" + "".join(f"{name:>11}" for name in columns))
    print(
        f"{'':26}"
        + "".join(f"{u:>11}" for u in ("nats", "nats", "nats", "sq. grey", "", "", ""))
    )
    for name, row in findings.items():
        text = (f"{v:11.3g}" if abs(v) >= 1e4 else f"{v:11.2f}" for v in row.values())
        print(f"{name:26}" + "".join(text))


findings = {bug: examine(vae, test_images) for bug, vae in patients.items()}
table(findings)
right = findings["none"]
better = [bug for bug in BUGS if findings[bug]["reported"] < right["reported"] - 0.1]
print("\nreport a lower loss than without a bug:", ", ".join(better))
assert set(better) == {
    "mean over pixels",
    "exp(log_var)",
    "no sampling",
    "KL sign",
    "images not scaled",
}

# %% [markdown]
# The last line answers the second question. A low loss proves nothing. Now the pictures:

# %%
shown = torch.stack(
    [test_images[(test_digits.labels == digit).to(device)][0] for digit in range(8)]
)


def strip(images):
    """Images (N, 1, 28, 28) side by side, as one picture."""
    return images[:, 0].permute(1, 0, 2).reshape(28, -1).cpu()


@torch.no_grad()
def draw_patients(patients, title):
    """A row per patient: eight reconstructions and eight decoded random codes."""
    rows, width = len(patients) + 1, 7.4 + 0.08 * max(map(len, ["originals", *patients]))
    figure, axes = plt.subplots(rows, 2, figsize=(width, 0.5 * rows + 0.8))
    axes[0, 0].imshow(strip(shown), vmin=0, vmax=1, interpolation="nearest")
    axes[0, 0].set_ylabel("originals", rotation=0, ha="right", va="center")
    axes[0, 0].set_title("reconstructions")
    axes[0, 1].set_title("random codes from N(0, I), decoded")
    for row, (name, vae) in zip(axes[1:], patients.items()):
        seed_everything(3)
        random_codes = torch.randn(8, vae.latent_dim).to(device)
        for ax, z in zip(row, (codes(vae, shown), random_codes)):
            ax.imshow(strip(vae.decode(z)), vmin=0, vmax=1, interpolation="nearest")
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    figure.suptitle(title)
    return figure


plots.show(
    draw_patients(patients, "One VAE without a bug, and ten with one"),
    alt="A row per bug. Without a bug the reconstructions are clear and the samples look like digits. The three bugs that "
    "overweight the rate show the same blurred blob everywhere. Exp of log_var and no sampling have healthy "
    "reconstructions. The wrong KL sign gives the same specks everywhere, unscaled images give white blobs, the double "
    "sigmoid gives grey. Sampling and train mode at evaluation look healthy.",
)

# %% [markdown]
# And all numbers in one figure. In each panel the line is the VAE without a bug.

# %%
panels = {  # name: (title, lowest and highest value on the axis)
    "reported": ("reported (nats)", -60, 620),
    "honest": ("honest (nats)", 0, 620),
    "rate": ("rate (nats)", -1, 22),
    "error": ("error (sq. grey)", 0, 120),
    "noise": ("noise", -0.1, 1.2),
    "repeat": ("repeat", -0.03, 0.4),
    "variety": ("variety", -0.04, 0.6),
}
traces = {bug: [] for bug in BUGS}
figure, axes = plt.subplots(1, 7, figsize=(11, 4.2), sharey=True)
for ax, (name, (title, low, high)) in zip(axes, panels.items()):
    normal = right[name]
    ax.axvline(normal, color="0.6", lw=1)
    for row, bug in enumerate(BUGS):
        value = findings[bug][name]
        if is_off := abs(value - normal) > 0.05 + 0.15 * abs(normal):
            traces[bug].append(name)
        color = RED if is_off else BLUE
        marker = "<" if value < low else ">" if value > high else "o"
        ax.scatter(min(max(value, low), high), row, color=color, marker=marker, zorder=3)
    ax.set_title(title, fontsize=10.5)
    ax.grid(axis="y", color="0.92")
axes[0].set_yticks(range(len(BUGS)), BUGS)
axes[0].invert_yaxis()
figure.suptitle("Every bug leaves a trace (red: clearly off, arrow: far outside)")
plots.show(
    figure,
    alt="Seven panels of dots, one row per bug, with a vertical line for the VAE without a bug. Every bug has at least one "
    "red dot off the line. The wrong KL sign and unscaled images lie far outside; sampling and train mode at evaluation "
    "show in the repeat panel only.",
)
assert not traces["none"] and all(traces[bug] for bug in BUGS[1:]), "every bug should show"
assert all(traces[bug] == ["repeat"] for bug in AT_EVALUATION)

# %% [markdown]
# What happened, bug by bug:
#
# **One disease, three causes: the rate weighs too much.** Averaging the distortion over 784 pixels
# makes it 784 times too light. Summing the KL over a batch of 100 makes the rate 100 times too
# heavy. The "tidier code" has $\beta = 20$. (The weight of the rate is called β in the literature.
# Lesson 08 changes it on purpose.) In all three the encoder gives up: the rate falls to almost 0,
# every image gets nearly the cloud N(0, I), and the decoder can only draw the average digit. This
# is **posterior collapse**. The averaged pixels give themselves away: a loss below 1 where hundreds
# of nats are due. The table hardly tells the summed KL from the strong β. The test in the next cell
# does.
#
# **`exp(log_var)`: the loss looks better than without the bug, and the model is worse.** The
# program draws with one width and pays for another. A narrow draw should be dear, and here it is
# cheap. The reconstructions do not show it. The number that does is *noise*: it is not 1. A test of
# `reparameterize` alone finds this bug in a second. The check of *Your turn 2* is such a test.
#
# **`no sampling`.** The reported loss is far better than that of the right program, and it is a
# lie. Without noise the width has no job, so the KL pulls it to 1, where it costs nothing. The
# honest loss, which does draw, is terrible. This is an ordinary autoencoder with a small fine on
# its codes, $\tfrac12 \mu^2$. The reconstructions do not give it away. But the *noise* is 0.
#
# **`KL sign`.** The price has become a reward. The encoder makes the clouds as wide as it can, the
# loss falls without end, and $e^{\texttt{log\_var}}$ gets astronomically large. It may even
# overflow: the trap of section 7.
#
# **`images not scaled`.** With targets between 0 and 1 a cross-entropy cannot be negative. With a
# target of 255 the factor $1 - x_j$ is negative, and the formula rewards any pixel that ever has
# ink for being white. So the loss is a huge negative number, and the pictures are white blobs.
# Images with values from −1 to 1 break it for the same reason.
#
# **`sigmoid twice`.** A sigmoid of a number between 0 and 1 lies between 0.5 and 0.73. Black is
# impossible, and everything is grey. The loss gets stuck near the 543 nats of an untrained model.
#
# **`sampling at evaluation`.** The loss is right, because the ELBO *is* defined with a draw. But
# maps, reconstructions and classifiers want one code per image, the mean. With a random code the
# reconstruction gets a little worse, and two calls give two answers.
#
# **`train mode at evaluation`.** Two calls give two answers here, too, but this time the mean
# itself wobbles, because dropout is still on. The reported loss is worse than the honest one.
#
# First the two tests. The loss of an image must not depend on which other images are in its batch:
# we load the healthy weights and ask for the loss of the same ten images, alone and in the company
# of 990 others. And the check of *Your turn 2* looks at the draws of `exp(log_var)`.

# %%
for bug in ("none", "strong beta", "KL summed over batch"):
    vae = SmallVAE(bug).to(device).eval()
    vae.load_state_dict(patients["none"].state_dict())
    with torch.no_grad():
        alone = negative_elbo(vae, test_images[:10]).mean()
        in_company = negative_elbo(vae, test_images)[:10].mean()
    print(f"{bug:22} ten images alone {alone:8.0f} nats, in company {in_company:8.0f} nats")
    assert (abs(in_company - alone) > 1000) == (bug == "KL summed over batch")

verdict = checks.reparameterize(SmallVAE("exp(log_var)").reparameterize)
print("\nexp(log_var)", verdict)
assert not verdict.ok and checks.reparameterize(SmallVAE().reparameterize).ok

# %% [markdown]
# And the other sentences, one by one:


# %%
def found(bug, name):
    return findings[bug][name]


average = test_images.mean(0).expand_as(test_images)
error_of_average = losses.squared_error(average, test_images).mean().item()
collapsed = ("mean over pixels", "KL summed over batch", "strong beta")
for bug in collapsed:
    assert abs(found(bug, "error") / error_of_average - 1) < 0.1, (
        f"{bug}: the decoder should draw the average digit"
    )
    assert found(bug, "rate") < 1.5 < right["rate"] / 4, f"{bug}: the rate should collapse"
    assert found(bug, "variety") < 0.3 * right["variety"], (
        f"{bug}: the samples should be alike"
    )
    assert found(bug, "honest") > right["honest"] + 30, (
        f"{bug}: the model should be far worse"
    )
assert found("mean over pixels", "reported") < 1
assert all(found(bug, "reported") > 100 for bug in collapsed[1:])

assert found("exp(log_var)", "reported") < right["reported"], "should look better"
assert found("exp(log_var)", "honest") > right["honest"] + 1, "should be worse"
assert found("exp(log_var)", "noise") < 0.8 and abs(right["noise"] - 1) < 0.05
assert found("exp(log_var)", "error") < 1.15 * right["error"], "reconstructs well"

assert found("no sampling", "reported") < right["reported"] - 10, "should look much better"
assert found("no sampling", "honest") > right["honest"] + 30, "should be much worse"
assert found("no sampling", "noise") == 0
assert found("no sampling", "error") < 1.15 * right["error"], "reconstructs well"
with torch.no_grad():
    sigma = (patients["no sampling"].encode(test_images)[1] / 2).exp()
assert abs(sigma.mean() - 1) < 0.1, "without a job, the width should go to 1"

assert found("KL sign", "reported") < -1e6 and found("KL sign", "rate") > 1e6
assert found("images not scaled", "reported") < -10_000
assert found("images not scaled", "error") > 3 * right["error"]
with torch.no_grad():
    blinded = patients["images not scaled"]
    white = blinded.decode(codes(blinded, shown))
assert white.mean() > 2 * shown.mean(), "white blobs"
assert bernoulli_nll(torch.full((1, 1), 0.01), torch.full((1, 1), -1.0)) < 0, "−1 breaks it"
assert 500 < found("sigmoid twice", "reported") < 784 * math.log(2) + 10
with torch.no_grad():
    grey = patients["sigmoid twice"].decode(torch.zeros(1, 8, device=device))
assert 0.49 < grey.min() and grey.max() < 0.74, "black is impossible"

for bug in ("none", "sampling at evaluation"):
    assert abs(found(bug, "reported") - right["honest"]) < 0.1, "the loss is right"
assert found("sampling at evaluation", "error") > 1.02 * right["error"]
assert found("sampling at evaluation", "repeat") > 0.1 and right["repeat"] == 0
assert found("train mode at evaluation", "repeat") > 0.02
assert found("train mode at evaluation", "reported") > right["honest"] + 0.3
assert abs(found("train mode at evaluation", "honest") - right["honest"]) < 0.1

# %% [markdown]
# Three habits catch them:
#
# 1. **Check the first loss.** $784 \log 2 \approx 543$ nats for black-and-white digits.
# 2. **Test the pieces alone.** The KL against `torch.distributions`, the noise of `reparameterize`
#    against its own `log_var`, the code of one image against itself.
# 3. **Write down rate and distortion, not only their sum.** A rate near 0 is a collapse, whatever
#    the loss says. A rate below 0 is impossible, and so is a distortion below 0, as long as the
#    pixels are black or white. (A Gaussian one may be negative, as in section 11, because a density
#    can exceed 1.)
#
# Which habit catches which bug?

# %%
caught = {}
print(f"{'':26}first loss  caught by")
for bug in BUGS:
    seed_everything(0)
    with torch.no_grad():
        first = negative_elbo(SmallVAE(bug), images).mean().item()
    habits = {
        "first loss": abs(first - 784 * math.log(2)) > 20,
        "pieces": abs(found(bug, "noise") - 1) > 0.05 or found(bug, "repeat") > 0.01,
        # If the sum is below 0, one of the two is.
        "rate and distortion": found(bug, "rate") < 1.5 or found(bug, "reported") < 0,
    }
    caught[bug] = [habit for habit, catches in habits.items() if catches]
    print(f"{bug:26}{first:6.0f} nats  {', '.join(caught[bug]) or '–'}")
assert not caught["none"] and all(caught[bug] for bug in BUGS[1:])
assert all("first loss" in caught[bug] for bug in ("mean over pixels", "sigmoid twice"))

# %% [markdown]
# Together they catch all ten and leave the healthy one alone. The first habit finds some of the
# bugs before a single step of training, at no cost.
#
# ### Your turn 4 · The diagnosis
#
# Six VAEs come to your practice. They have four numbers per code instead of eight, other random
# numbers, and less training, so do not look for equal numbers. Look for the pattern. One of the six
# is healthy: its diagnosis is `"none"`. The others have one bug each, from the table at the start
# of this section, and no bug occurs twice. Write their names in quotes.

# %%
practice = {}
for letter, bug in checks.vae.PATIENTS.items():  # no peeking!
    practice[letter] = train(bug, epochs=6, seed=4, latent_dim=4)
practice_findings = {letter: examine(vae, test_images) for letter, vae in practice.items()}
table(practice_findings)
plots.show(
    draw_patients(practice, "Six patients"),
    alt="Six rows of reconstructions and samples, named A to F. B shows white blobs, D the same blurred blob everywhere, "
    "and the other four show digits.",
)

# %% tags=["exercise"]
my_diagnosis = {"A": ..., "B": ..., "C": ..., "D": ..., "E": ..., "F": ...}

checks.diagnosis(my_diagnosis)

# %% tags=["solution"]
my_diagnosis = {
    "A": "no sampling",  # noise is 0, and the honest loss far above the reported one
    "B": "images not scaled",  # a huge negative loss, white blobs
    "C": "none",
    "D": "mean over pixels",  # collapsed, and the reported loss is below 1
    "E": "exp(log_var)",  # all looks well, but the noise is narrower than it should be
    "F": "train mode at evaluation",  # two codes of one image differ, and reported is above honest
}

# %% [markdown]
# ## Summary
#
# - A VAE is a story: a code $z$ is drawn from the prior, and the decoder says which images are
#   likely for it. Training should make the evidence $p(x)$ large, but that is an integral over all
#   codes.
# - A guess $q(z \mid x)$, the encoder, tells where to look. Jensen's inequality turns the guess
#   into a bound: $\log p(x) \ge$ ELBO. The gap is the KL of the guess from the true posterior.
# - $-$ELBO = distortion + rate, in nats per image: summed over pixels, summed over the numbers of
#   the code, averaged over the batch, with equal weights.
# - The rate has a closed form. The network gives $\log\sigma^2$, because every number is a valid
#   one and the slope stays calm. $\sigma = e^{\texttt{log\_var}/2}$.
# - $z = \mu + \sigma\varepsilon$ lets gradients pass with little variance, however many numbers the
#   code has.
# - A squared error is a Gaussian likelihood with a fixed σ. The best σ is the root mean squared
#   error. A linear VAE with a learned σ is probabilistic PCA, and its gap closes.
# - Wrong VAEs train without an error message. The size of the first loss, tests of the pieces, and
#   rate and distortion side by side give them away.
#
# ## What to read
#
# - Kingma and Welling, 2014, [Auto-encoding variational Bayes](https://arxiv.org/abs/1312.6114):
#   the paper that started it; with this lesson behind you it reads easily.
# - Rezende, Mohamed and Wierstra, 2014, [Stochastic
#   backpropagation](https://arxiv.org/abs/1401.4082): the same idea, found independently.
# - Kingma and Welling, 2019, [An introduction to variational
#   autoencoders](https://arxiv.org/abs/1906.02691): the long, calm version by the inventors.
# - Alemi and others, 2018, [Fixing a broken ELBO](https://arxiv.org/abs/1711.00464): rate and
#   distortion, and what the sum hides.
# - Lucas and others, 2019, [Don't blame the ELBO!](https://arxiv.org/abs/1911.02469): the linear
#   VAE, collapse, and the role of σ, with proofs.
# - Rybkin, Daniilidis and Levine, 2021, [Simple and effective VAE training with calibrated
#   decoders](https://arxiv.org/abs/2006.13202): the optimal σ in practice.
#
# **Next:** lesson 08, where a convolutional VAE learns to write digits, and we learn to say how
# well.
