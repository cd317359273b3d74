# %% [markdown]
# # Deeper · Gradients through a throw of dice
#
# [Lesson 07](../07_the_vae_piece_by_piece.ipynb) moved the chance into a noise $\varepsilon$ without parameters, so
# that the gradient could pass. This is not the only way to differentiate an average over random draws. An older one
# works without any slope of the cost, and it trains robots and language models to this day. Which of the two scatters
# less, by how much, and is it always the same one?

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch.distributions import Normal

from vae_helpers import plots
from vae_helpers.device import seed_everything

plots.use_course_style()
seed_everything(0)

# %% [markdown]
# ## 1 · Two answers
#
# Let $g(z)$ be any cost, $q$ a Gaussian with mean $\mu$ and variance $\sigma^2$, and $\nabla$ the derivative with
# respect to $\mu$ or to $\log\sigma^2$. We want $\nabla\, \mathbb E_q[g(z)]$ from random draws.
#
# **The score-function estimator**, in reinforcement learning known as REINFORCE, moves the derivative into the integral.
# The chain rule says $\nabla \log q = \nabla q / q$, so $\nabla q = q\, \nabla \log q$, and the integral is an average again:
#
# $$ \nabla\, \mathbb E_q[g(z)] = \int g(z)\, \nabla q(z)\, dz = \mathbb E_q\big[\,g(z)\, \nabla \log q(z)\,\big]. $$
#
# In words: try codes at random, and make those likelier that cost less than others. It needs the cost alone.
#
# **The reparameterization** (also called the *pathwise* estimator) writes $z = \mu + \sigma\varepsilon$ and uses the
# ordinary chain rule:
#
# $$ \nabla\, \mathbb E_q[g(z)] = \mathbb E_\varepsilon\big[\nabla\, g(\mu + \sigma \varepsilon)\big]. $$
#
# In words: look at the slope of the cost where the code fell, and move the cloud downhill. It needs the slope.
#
# For one number per code, a grid gives the exact answer. The cost is the distortion of a sensor that saturates,
# $-\log \mathcal N(x;\, 2 \tanh 1.5 z,\, 0.4^2)$ at the reading $x = 1.5$.
#
# **Predict.** Training sees one draw per picture and step. Which of the two estimates scatters less?


# %%
def cost(z):
    return 0.5 * ((1.5 - 2 * torch.tanh(1.5 * z)) / 0.4) ** 2


z = torch.linspace(-8, 8, 4001, dtype=torch.double)
dz = z[1] - z[0]
mean = torch.tensor(0.6, requires_grad=True)
log_var = torch.tensor(-1.2, requires_grad=True)
q = Normal(mean, (log_var / 2).exp()).log_prob(z).exp()
exact = torch.autograd.grad((q * cost(z)).sum() * dz, [mean, log_var])

draws = 50_000
m = (
    mean.detach().repeat(draws).requires_grad_()
)  # a copy for each draw: one gradient per draw
lv = log_var.detach().repeat(draws).requires_grad_()
sigma = (lv / 2).exp()
codes = m + sigma * torch.randn(draws)
pathwise = torch.autograd.grad(cost(codes).sum(), [m, lv])

standard = ((codes - m) / sigma).detach()
price, width = cost(codes).detach(), sigma.detach()
# ∇ log q is (z − μ) / σ² for the mean, and ((z − μ)² / σ² − 1) / 2 for log σ².
score = [price * standard / width, price * (standard**2 - 1) / 2]

# %% [markdown]
# (`torch.autograd.grad` returns the slopes of a number with respect to a list of tensors, without storing them in `.grad`.)

# %% tags=["figure"]
# Exact gradient, and the mean and spread (standard deviation) of both estimates
print(f"{'gradient of':12}{'exact':>8}{'reparameterized':>24}{'score function':>24}")
for name, slope, a, b in zip(("μ", "log σ²"), exact, pathwise, score):
    one = f"{a.mean():.3f} (spread {a.std():.2f})"
    two = f"{b.mean():.3f} (spread {b.std():.2f})"
    print(f"{name:12}{slope:8.3f}{one:>24}{two:>24}")

# %% tags=["claim"]
for slope, *both in zip(exact, pathwise, score):
    for estimate in both:
        off = abs(estimate.mean() - slope)
        assert off < 5 * estimate.std() / math.sqrt(draws), "both should be unbiased"
    assert both[1].var() > 2 * both[0].var(), "the score function should scatter more"

# %% [markdown]
# Both averages hit the exact gradient, and the score function scatters more.
#
# ## 2 · Many numbers, two kinds of cost
#
# A code has many numbers. We look at the gradient of the first mean alone, for clouds with mean 0 and width 1, and
# for two costs. The first is **separable**, a sum of one price per number, $\tfrac12\sum_i (z_i - 1)^2$. In the second the
# numbers **interact**, $\tfrac12\big(\sum_i z_i - 1\big)^2$. To be fair, the score function also gets its usual remedy, a
# **baseline**: subtract the average cost. This leaves the average of the estimate as it is, since $\nabla\log q$ is 0
# on average, but it calms the estimate.
#
# **Predict.** How does the variance of each estimate grow with the size of the code?

# %%
SIZES = [1, 2, 4, 8, 16, 32, 64]
DRAWS = 40_000
costs = {  # name: (the cost, its slope along the first number)
    "separable": (lambda z: 0.5 * (z - 1).square().sum(1), lambda z: z[:, 0] - 1),
    "interacting": (lambda z: 0.5 * (z.sum(1) - 1).square(), lambda z: z.sum(1) - 1),
}
variances = {}
for name, (price, slope) in costs.items():
    rows = {"score function": [], "score function, baseline": [], "reparameterized": []}
    for d in SIZES:
        epsilon = torch.randn(
            DRAWS, d
        )  # z = 0 + 1 · ε, so ∇ log q for the first mean is ε₁
        g = price(epsilon)
        rows["score function"].append((g * epsilon[:, 0]).var().item())
        rows["score function, baseline"].append(
            ((g - g.mean()) * epsilon[:, 0]).var().item()
        )
        rows["reparameterized"].append(slope(epsilon).var().item())
    variances[name] = rows

# %% tags=["figure"]
# Variance of the gradient of one mean from one draw, against the size of the code
figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
for ax, (name, rows) in zip(axes, variances.items()):
    for (label, values), color, style in zip(rows.items(), (4, 2, 1), ("^-", "s--", "o-")):
        ax.loglog(SIZES, values, style, color=plots.COLORS[color], label=label)
    ax.set(
        title=f"cost: {name}", xlabel="numbers in the code", xticks=SIZES, xticklabels=SIZES
    )
    ax.minorticks_off()
axes[0].set_ylabel("variance of the gradient")
axes[0].legend()
plots.show(
    figure,
    alt="Two panels on logarithmic axes. For the separable cost both score-function curves climb, the one without baseline into "
    "the thousands, and the reparameterized curve stays flat at 1. For the interacting cost all three climb, the "
    "reparameterized one in proportion to the size of the code and the others faster.",
)
ratios = {}
for name, rows in variances.items():
    plain, calm, path = (values[-1] for values in rows.values())
    ratios[name] = plain / path, calm / path
    print(
        f"{name}, {SIZES[-1]} numbers: reparameterized {path:.1f}; score function {plain / path:,.0f} times that, "
        f"{calm / path:,.0f} times with a baseline"
    )

# %% tags=["claim"]
assert ratios["separable"][0] > 1000 and ratios["separable"][1] > 20
assert max(variances["separable"]["reparameterized"]) < 1.2, "no growth for this cost"
growth = variances["interacting"]["reparameterized"][-1] / 64
assert 0.9 < growth < 1.1, "with interaction the variance should grow like the size"
calm, path = (
    variances["interacting"][k] for k in ("score function, baseline", "reparameterized")
)
assert calm[-1] / path[-1] > 3 * calm[2] / path[2] > 0, "and the score function's faster"

# %% [markdown]
# The score function knows one number, the total cost, and cannot tell which part of the code was to blame. The
# reparameterized gradient knows the slope along each number.
#
# The flat line on the left is a property of *that cost*, in which the slope along one number does not depend on the
# others. As soon as numbers interact, as they do in every decoder, the noise of all of them enters each slope. On the right, the
# variance grows in proportion to the size of the code. The advantage remains large, because the score function's grows
# faster still. A thousand times the variance needs a thousand times the draws for the same accuracy, so in practice
# it decides whether something can be trained at all.
#
# ## 3 · Where the other one wins
#
# Nothing guarantees the advantage. The variance of the reparameterized gradient depends on how steep the cost is, and
# that of the score function on how large it is. A cost that is small but wiggly turns the tables. We take
# $g(z) = \sin(\omega z)$ for a cloud with mean 0.3 and width 1. Then the exact gradient is known:
# $\omega e^{-\omega^2/2} \cos 0.3\,\omega$.
#
# **Predict.** From which $\omega$ on does the score function scatter less?

# %%
frequencies = torch.linspace(0.25, 6, 24)
epsilon = torch.randn(200_000)
wiggly = 0.3 + epsilon
path_variance = torch.stack([(w * (w * wiggly).cos()).var() for w in frequencies])
score_variance = torch.stack([((w * wiggly).sin() * epsilon).var() for w in frequencies])
wins = frequencies[score_variance < path_variance]

# %% tags=["figure"]
# Variance of both estimates for a cost that wiggles faster and faster
figure, ax = plt.subplots(figsize=(7, 3.6))
ax.semilogy(frequencies, path_variance, color=plots.COLORS[1], label="reparameterized")
ax.semilogy(
    frequencies, score_variance, "--", color=plots.COLORS[4], label="score function"
)
ax.set(
    title="Cost sin(ω z)",
    xlabel="frequency ω",
    ylabel="variance of the gradient of the mean",
)
ax.legend()
plots.show(
    figure,
    alt="Variance against the frequency. The reparameterized gradient starts below and climbs like the square of the frequency; "
    "the score function's soon stays near one half; the curves cross between one and two.",
)
if len(wins):
    print(f"the score function scatters less for ω from {wins[0]:.2f} on")

# %% tags=["claim"]
assert 0.8 < wins[0] < 2.5 and len(wins) > 10, "the curves should cross once"
assert path_variance[-1] > 10 * score_variance[-1]
assert path_variance[0] < score_variance[0], "a gentle cost should favour the pathwise one"

# %% [markdown]
# The slope of a wiggly cost is steep and changes its sign all the time, while its size stays below 1. And one case is
# worse than a large variance. If the cost has **jumps** instead of slopes, the reparameterized estimate is simply wrong:

# %%
step = (wiggly > 0).float()  # a cost of 1 above 0, and 0 below
exact_step = Normal(0.0, 1.0).log_prob(torch.tensor(0.3)).exp().item()
by_score = (step * epsilon).mean().item()
print(f"a step: exact gradient {exact_step:.3f}, score function {by_score:.3f}, pathwise 0")

# %% tags=["claim"]
assert abs(by_score - exact_step) < 0.02, "the score function should manage a step"

# %% [markdown]
# A step is flat wherever it has a slope at all, so the chain rule says 0, in every draw. The score function needs no slope
# and is right. That is why it serves where codes are whole numbers, as in a choice among words, or where the cost
# comes from a game that nobody can differentiate.
#
# A VAE has what the reparameterization needs, a smooth decoder and a Gaussian cloud that is narrow compared with the wiggles of
# the cost. There it is the better choice by far, and it made VAEs practical in 2013. PyTorch's names for the two draws
# are `rsample()`, with the path for the gradient, and `sample()`, without.
#
# ## Read
#
# - S. Mohamed, M. Rosca, M. Figurnov, A. Mnih, [Monte Carlo gradient estimation in machine
#   learning](https://arxiv.org/abs/1906.10652) (2020): both estimators and a third one, with examples in which each of them wins.
# - R. Williams, [Simple statistical gradient-following algorithms for connectionist reinforcement
#   learning](https://doi.org/10.1007/BF00992696) (1992): REINFORCE.
#
# Back to [lesson 07 · The VAE, piece by piece](../07_the_vae_piece_by_piece.ipynb).
