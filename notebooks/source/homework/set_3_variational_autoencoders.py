# %% [raw]
# # ASSIGNMENT CONFIG
# # hours: three hours
# init_cell: false
# check_all_cell: false
# export_cell: false
# run_tests: false
# tests:
#   ok_format: false

# %% [markdown]
# # Problem set 3 · The variational autoencoder
#
# You will write a Kullback–Leibler divergence that lesson 07 did not need, tighten the bound on the likelihood with several draws, train a VAE from an empty cell until its
# bound is good, and give pixels a likelihood that knows that they come in 256 steps. At the end you take a claim apart.
#
# **Before you start**: lessons [07](../07_the_vae_piece_by_piece.ipynb), [08](../08_a_vae_for_handwritten_digits.ipynb) and [09](../09_is_my_vae_any_good.ipynb).
#
# **How it works**: put your code in place of the dots. Under each question a check says in words what is right, or what
# is probably wrong. The grader runs the whole notebook from top to bottom and tries your functions on other data, so
# keep their names and arguments, and leave no cell that runs for longer than a minute. Questions marked *read by a
# person* have no check; there, write for a classmate who has not solved the problem.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from vae_helpers import checks
from vae_helpers.data import load_digits
from vae_helpers.device import seed_everything

sets = {
    split: load_digits(split, source="embedded") for split in ("train", "valid", "test")
}
train, valid, test = (sets[split].binarized().floats for split in sets)  # black and white
print(
    f"{len(train):,} digits to train with, {len(valid):,} to choose with, {len(test):,} to judge with"
)

# %% [raw]
# # BEGIN QUESTION
# name: q1
# points: 6
# check_cell: false

# %% [markdown]
# ## 1 · From one Gaussian to another (6 points)
#
# The prior need not be N(0, I). Write `gaussian_kl(mean_q, log_var_q, mean_p, log_var_p)`, (N,), in nats: the KL divergence KL(q‖p) of two Gaussians with diagonal
# covariances, each given by its means and log variances, (N, d). Derive it as lesson 07 derives the special case, and see that yours becomes that one for mean 0 and log variance 0.

# %% [raw]
# # BEGIN SOLUTION


# %%
def gaussian_kl(mean_q, log_var_q, mean_p, log_var_p):
    """Return KL(q‖p), (N,), in nats, of Gaussians with means and log variances (N, d)."""
    # BEGIN SOLUTION
    scaled = (log_var_q.exp() + (mean_q - mean_p) ** 2) / log_var_p.exp()
    return 0.5 * (log_var_p - log_var_q + scaled - 1).sum(1)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_gaussian_kl(gaussian_kl):
    from vae_helpers import checks

    verdict = checks.homework_3.gaussian_kl(gaussian_kl)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
checks.homework_3.gaussian_kl(gaussian_kl)

# %% [raw]
# # BEGIN QUESTION
# name: q2
# points: 8
# check_cell: false

# %% [markdown]
# ## 2 · A tighter bound (8 points)
#
# With k codes $z_1, …, z_k$ drawn from q(z | x), the importance-weighted bound (Burda, Grosse, Salakhutdinov 2016) is
# $$\mathcal L_k = \log \frac 1 k \sum_{i=1}^k \frac{p(x, z_i)}{q(z_i \mid x)} .$$
# Write `iwae_bound(log_joint, log_q)`, (N,), in nats. Both arguments have the shape (k, N): log p(x, z_i) and log q(z_i | x). Gradients must pass through it, because question 3
# may train with it, and joint densities of images are around exp(−100), so stay with logarithms.

# %% [raw]
# # BEGIN SOLUTION


# %%
def iwae_bound(log_joint, log_q):
    """Return the importance-weighted bound on log p(x), (N,), from k draws, (k, N) each."""
    # BEGIN SOLUTION
    return torch.logsumexp(log_joint - log_q, 0) - math.log(len(log_q))
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_iwae_bound(iwae_bound):
    from vae_helpers import checks

    verdict = checks.homework_3.iwae_bound(iwae_bound)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
checks.homework_3.iwae_bound(iwae_bound)

# %% [raw]
# # BEGIN QUESTION
# name: q3
# points: 12
# check_cell: false

# %% [markdown]
# ## 3 · A VAE from an empty cell (12 points)
#
# Write a VAE for black-and-white digits, and its training, with nothing but PyTorch.
#
# - `MyVAE()` is an `nn.Module` with `encode(x)` → (mean, log_var), each (N, d) with a d of your choice, and `decode(z)` → the probability of white for each pixel, (N, 1, 28, 28), strictly between 0 and 1. It has at
#   most 200,000 weights and biases.
# - `train_vae(model, train)` trains it for at most a minute and leaves it in evaluation mode.
#
# The goal: a negative ELBO of at most 126 nats per image on unseen digits, with one draw of z for each. Write the sampling and the two terms of the loss yourself.

# %% [raw]
# # BEGIN SOLUTION


# %%
class MyVAE(nn.Module):
    """A VAE for black-and-white digits."""

    # BEGIN SOLUTION
    def __init__(self, d=16, hidden=100):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 2 * d)
        )
        self.decoder = nn.Sequential(
            nn.Linear(d, hidden), nn.ReLU(), nn.Linear(hidden, 784)
        )

    def encode(self, x):
        return self.encoder(x).chunk(2, 1)

    def logits(self, z):
        return self.decoder(z).unflatten(1, (1, 28, 28))

    def decode(self, z):
        return torch.sigmoid(self.logits(z))

    # END SOLUTION


def train_vae(model, train):
    """Train the model and leave it in evaluation mode."""
    # BEGIN SOLUTION
    optimizer, steps = torch.optim.Adam(model.parameters()), 4000
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 4e-3 * (1 - step / steps)
        x = train[torch.randint(len(train), (100,))]
        mean, log_var = model.encode(x)
        z = mean + torch.randn_like(mean) * (log_var / 2).exp()
        logits = model.logits(z)
        distortion = (
            F.binary_cross_entropy_with_logits(logits, x, reduction="none")
            .flatten(1)
            .sum(1)
        )
        rate = 0.5 * (mean**2 + log_var.exp() - log_var - 1).sum(1)
        optimizer.zero_grad()
        (distortion + rate).mean().backward()
        optimizer.step()
    model.eval()
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_vae(model):
    from vae_helpers import checks

    verdict = checks.homework_3.vae(model)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
seed_everything(0)
model = MyVAE()
train_vae(model, train)
checks.homework_3.vae(model)

# %% [raw]
# # BEGIN QUESTION
# name: q4
# points: 6
# check_cell: false

# %% [markdown]
# ## 4 · Grey in 256 steps (6 points)
#
# A grey digit holds whole numbers from 0 to 255, so its likelihood should be a probability of these, and not a density that grows without bound as σ shrinks (lesson 09). The *discretized logistic* (Salimans et al. 2017) gives the level x the probability that a
# logistic variable with mean m and scale s falls between x − ½ and x + ½, where 0 takes everything below, and 255 everything above:
# $$P(x) = \operatorname{sigmoid}\!\left(\tfrac{x + 1/2 - m}{s}\right) - \operatorname{sigmoid}\!\left(\tfrac{x - 1/2 - m}{s}\right).$$
# Write `grey_nll(x, mean, scale)`, (N,), in nats per image: x is (N, D) with whole numbers from 0 to 255 as floats, mean is (N, D) on the same scale, and scale a positive float. Clamp each probability from below at 1e-12.

# %% [raw]
# # BEGIN SOLUTION


# %%
def grey_nll(x, mean, scale):
    """Return −log P(x), (N,), in nats, of grey levels (N, D) under a discretized logistic."""
    # BEGIN SOLUTION
    above = torch.where(x > 254.5, 1.0, torch.sigmoid((x + 0.5 - mean) / scale))
    below = torch.where(x < 0.5, 0.0, torch.sigmoid((x - 0.5 - mean) / scale))
    return -(above - below).clamp(min=1e-12).log().sum(1)
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_grey_nll(grey_nll):
    from vae_helpers import checks

    verdict = checks.homework_3.grey_nll(grey_nll)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
checks.homework_3.grey_nll(grey_nll)

# %% [raw]
# # BEGIN QUESTION
# name: q5
# points: 5
# manual: true

# %% [markdown]
# ## 5 · What the bound is worth (5 points, read by a person)
#
# With your VAE and your `iwae_bound`, draw the bound, averaged over 200 digits from `test`, against k = 1, 2, 5, 10, 50 and 200, with k on a logarithmic axis. Repeat with three seeds and show the
# spread. Then say in 60 to 120 words: why does the bound rise with k, what does it rise towards, and what does the distance between k = 1 and k = 200 tell about your encoder?

# %% [raw]
# # BEGIN SOLUTION


# %%
# BEGIN SOLUTION
def bounds(x, k):
    with torch.no_grad():
        mean, log_var = model.encode(x)
        q = torch.distributions.Normal(mean, (log_var / 2).exp())
        z = q.sample((k,))
        pixels = torch.distributions.Bernoulli(
            probs=model.decode(z.flatten(0, 1)).unflatten(0, (k, len(x)))
        )
        log_prior = torch.distributions.Normal(0, 1).log_prob(z).sum(2)
        return iwae_bound(
            pixels.log_prob(x).flatten(2).sum(2) + log_prior, q.log_prob(z).sum(2)
        )


ks, rows = [1, 2, 5, 10, 50, 200], []
for seed in range(3):
    seed_everything(seed)
    rows.append([bounds(test[:200], k).mean().item() for k in ks])
figure, ax = plt.subplots(figsize=(5, 3))
for row in rows:
    ax.semilogx(ks, row, "o-", alpha=0.6)
ax.set(
    xlabel="draws k",
    ylabel="bound (nats per image)",
    title="More draws, a tighter bound: three seeds",
)
plt.show()
# END SOLUTION

# %% [markdown]
# A mean of k weights varies less than a single weight, and the logarithm, which is concave, punishes variation (Jensen), so the expected bound rises with k. Its limit is log p(x), if no weight is missed. The distance is at most the gap KL(q‖p(z | x)) of the ELBO:
# it shows by how much the encoder's Gaussians miss the true posterior, because of their shape and because one network must guess them for all images. At k = 200 the bound still rises, so the limit is not reached.
#
# *Rubric: figure with six k, units and three seeds (2); Jensen or the variation of the mean (1); limit log p(x) (1); the distance read as a gap of the posterior (1).*

# %% [raw]
# # END SOLUTION

# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q6
# points: 3
# manual: true

# %% [markdown]
# ## 6 · A claim taken apart (3 points, read by a person)
#
# A blog says: "Our VAE is better than the state of the art: on grey MNIST it reaches 32 nats with the mean squared error as reconstruction loss, averaged over pixels, while the literature reports 79 to 82 nats." Name three reasons, one sentence each,
# why these numbers cannot be compared, and say what you would ask the author to compute.

# %% [raw]
# # BEGIN SOLUTION

# %% [markdown]
# 1. A mean over pixels divides the distortion by 784, so that the KL weighs 784 times as much, and the sum is no bound on anything. 2. A squared error is a Gaussian likelihood only with a factor 1/(2σ²) and a constant that depends on σ, and it is a density of grey
# levels, which may be below zero. 3. The published numbers are for binarized digits, often with many importance samples. Ask for: the same binarization, the Bernoulli likelihood summed over pixels, the ELBO or an importance-weighted bound with k stated, on test digits.
#
# *Rubric: a point for each of three different reasons among: mean instead of sum, squared error without σ and constant, density against probability, grey against binarized, ELBO against importance-weighted bound, training against test digits.*

# %% [raw]
# # END SOLUTION

# %% [raw]
# # END QUESTION

# %% [markdown]
# ## To hand in
#
# Restart the kernel, run all cells, look whether everything is as you left it, save, and hand in this notebook.
