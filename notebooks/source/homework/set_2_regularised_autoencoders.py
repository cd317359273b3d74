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
# # Problem set 2 · Regularised autoencoders
#
# You will blindfold digits, find the slope of a density that tells a denoiser where to go, train a denoiser from an empty
# cell, and compute sparse codes without an encoder. At the end, an autoencoder has to say which pictures are not digits.
#
# **Before you start**: lessons [05](../05_denoising_autoencoders.ipynb) and [06](../06_other_autoencoders.ipynb).
#
# **How it works**: put your code in place of the dots. Under each question a check says in words what is right, or what
# is probably wrong. The grader runs the whole notebook from top to bottom and tries your functions on other data, so
# keep their names and arguments, and leave no cell that runs for longer than a minute. Questions marked *read by a
# person* have no check; there, write for a classmate who has not solved the problem.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

from vae_helpers import checks
from vae_helpers.data import load_digits, render_letters
from vae_helpers.device import seed_everything

train, valid, test = (
    load_digits(s, source="embedded").floats for s in ("train", "valid", "test")
)
print(
    f"{len(train):,} digits to train with, {len(valid):,} to choose with, {len(test):,} to judge with"
)

# %% [raw]
# # BEGIN QUESTION
# name: q1
# points: 5
# check_cell: false

# %% [markdown]
# ## 1 · A blindfold (5 points)
#
# Write `blindfold(images, size, generator)`. In a copy of each image, (N, C, H, W), a square of `size` × `size` pixels becomes grey (0.5), at a place of its
# own: every place at which the whole square fits is as likely as any other. All random numbers come from `generator`, so that the same generator gives the same
# squares. Return the images and the squares, a boolean (N, 1, H, W) that is true where an image was covered.

# %% [raw]
# # BEGIN SOLUTION


# %%
def blindfold(images, size, generator):
    """Return the images with a grey square each, (N, C, H, W), and where it lies, (N, 1, H, W)."""
    # BEGIN SOLUTION
    n, _, height, width = images.shape
    tops = torch.randint(height - size + 1, (n, 1, 1, 1), generator=generator)
    lefts = torch.randint(width - size + 1, (n, 1, 1, 1), generator=generator)
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    inside = (
        (rows >= tops)
        & (rows < tops + size)
        & (columns >= lefts)
        & (columns < lefts + size)
    )
    return torch.where(inside, 0.5, images), inside
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_blindfold(blindfold):
    from vae_helpers import checks

    verdict = checks.homework_2.blindfold(blindfold)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
checks.homework_2.blindfold(blindfold)

# %% [raw]
# # BEGIN QUESTION
# name: q2
# points: 9
# check_cell: false

# %% [markdown]
# ## 2 · The slope that denoises (9 points)
#
# Suppose that the only clean images in the world are the rows of `data`, (M, D), each as likely as any other, and that we see `y` = a clean image + noise from
# $\mathcal N(0, \sigma^2 I)$. Then `y` has a density, a mixture of M Gaussians:
# $$\log p(y) = \log \frac 1 M \sum_{m=1}^{M} \mathcal N(y;\, x_m,\, \sigma^2 I).$$
#
# 1. Write `log_density(y, data, sigma)`, (N,), in nats, for `y` of the shape (N, D). With 784 pixels each density is far too small for float32, so stay with logarithms.
# 2. Tweedie's formula (Robbins 1956; Miyasawa 1961) says that the best guess of the clean image, the mean of all that it could be, is
#    $\mathbb E[x \mid y] = y + \sigma^2\, \nabla_y \log p(y)$. Write `denoise(y, data, sigma)`, (N, D), with this formula, and let autograd find the slope.

# %% [raw]
# # BEGIN SOLUTION


# %%
def log_density(y, data, sigma):
    """Return log p(y), (N,), in nats, of noisy images (N, D) around the clean ones in data, (M, D)."""
    # BEGIN SOLUTION
    squares = (y[:, None] - data).square().sum(2)
    constant = y.shape[1] / 2 * torch.log(torch.tensor(2 * torch.pi * sigma**2))
    return (
        torch.logsumexp(-squares / (2 * sigma**2), 1)
        - constant
        - torch.log(torch.tensor(float(len(data))))
    )
    # END SOLUTION


def denoise(y, data, sigma):
    """Return E[x | y], (N, D), from the slope of the log density."""
    # BEGIN SOLUTION
    with torch.enable_grad():
        y = y.detach().requires_grad_()
        [slope] = torch.autograd.grad(log_density(y, data, sigma).sum(), y)
    return (y + sigma**2 * slope).detach()
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_log_density(log_density):
    from vae_helpers import checks

    verdict = checks.homework_2.log_density(log_density)
    assert verdict.ok, verdict.message


# %%
# HIDDEN
def test_denoise(denoise):
    from vae_helpers import checks

    verdict = checks.homework_2.denoise(denoise)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
checks.homework_2.log_density(log_density)

# %%
checks.homework_2.denoise(denoise)

# %% [raw]
# # BEGIN QUESTION
# name: q3
# points: 10
# check_cell: false

# %% [markdown]
# ## 3 · A denoiser from an empty cell (10 points)
#
# Write a denoiser and its training, with nothing but PyTorch. `train_denoiser(clean)` makes a network of at most 100,000 weights and biases, trains it for at most a minute on the
# images `clean`, (N, 1, 28, 28), with fresh noise of σ = 0.5 in every batch (do not clip it), and returns it in evaluation mode.
#
# The goal: a squared error of at most 17 per image on unseen digits with this noise. The noise itself has 784 · 0.5² = 196.

# %% [raw]
# # BEGIN SOLUTION


# %%
def train_denoiser(clean):
    """Return a network that removes noise of σ = 0.5 from digits."""
    # BEGIN SOLUTION
    network = nn.Sequential(
        *(nn.Flatten(), nn.Linear(784, 60), nn.ReLU(), nn.Linear(60, 784)),
        *(nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28))),
    )
    optimizer, steps = torch.optim.Adam(network.parameters()), 1500
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 4e-3 * (1 - step / steps)
        images = clean[torch.randint(len(clean), (100,))]
        noisy = images + 0.5 * torch.randn_like(images)
        loss = (network(noisy) - images).square().flatten(1).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_denoiser(denoiser):
    from vae_helpers import checks

    verdict = checks.homework_2.denoiser(denoiser)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
seed_everything(0)
denoiser = train_denoiser(train)
checks.homework_2.denoiser(denoiser)

# %% [raw]
# # BEGIN QUESTION
# name: q4
# points: 8
# check_cell: false

# %% [markdown]
# ## 4 · Sparse codes without an encoder (8 points)
#
# Lesson 06 trains an encoder to give sparse codes. Here there is none: the code of each image is searched for. With a *dictionary* `d`, (K, D), whose rows are pictures, and codes `h`, (N, K), we want
# the smallest
# $$\tfrac12 \lVert x - h d \rVert^2 + \lambda \lVert h \rVert_1 .$$
# ISTA (Daubechies, Defrise, De Mol 2004) repeats two moves, starting from `h = 0`: a step of size η down the slope of the first term, and then each number moves by ηλ towards 0, and
# stops there if it would pass it. With η = 1/L, where L is the largest eigenvalue of `d dᵀ`, no step makes things worse.
#
# Write `ista(x, d, penalty, steps)`, (N, K). Keep exact zeros exactly zero.

# %% [raw]
# # BEGIN SOLUTION


# %%
def ista(x, d, penalty, steps):
    """Return sparse codes (N, K) of images x (N, D) over the rows of a dictionary d (K, D)."""
    # BEGIN SOLUTION
    size = 1 / torch.linalg.eigvalsh(d @ d.T)[-1]
    h = torch.zeros(len(x), len(d))
    for _ in range(steps):
        h = h - size * (h @ d - x) @ d.T
        h = torch.sign(h) * (h.abs() - size * penalty).clamp(min=0)
    return h
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_ista(ista):
    from vae_helpers import checks

    verdict = checks.homework_2.ista(ista)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
checks.homework_2.ista(ista)

# %% [raw]
# # BEGIN QUESTION
# name: q5
# points: 4
# manual: true

# %% [markdown]
# ## 5 · What a sparse code looks like (4 points, read by a person)
#
# Take 300 training digits, each divided by its length, as the dictionary. Code 100 digits from `valid` with 200 steps and at least five penalties, and draw the squared error per image
# against the mean number of entries that are not zero, with a point per penalty. Show one digit beside the five dictionary entries that its code uses most. Then say in 50 to 100 words: what does
# the penalty buy, what does it cost, and what would an encoder, trained to give such codes, do better or worse than ISTA?

# %% [raw]
# # BEGIN SOLUTION

# %%
# BEGIN SOLUTION
d = train[:300].flatten(1)
d = d / d.norm(dim=1, keepdim=True)
x = valid[:100].flatten(1)
used, errors = [], []
for penalty in (0.02, 0.1, 0.3, 1.0, 2.0):
    h = ista(x, d, penalty, 200)
    used.append((h != 0).float().sum(1).mean().item())
    errors.append((h @ d - x).square().sum(1).mean().item())
figure, (ax, *rest) = plt.subplots(1, 7, figsize=(12, 2.2), width_ratios=(3, *[1] * 6))
ax.plot(used, errors, "o-")
ax.set(
    xlabel="entries that are not zero",
    ylabel="squared error per image",
    title="λ from 0.02 to 2",
)
h = ista(x, d, 0.3, 200)
best = h[0].abs().topk(5).indices
for place, (picture, name) in enumerate(
    zip([x[0], *d[best]], ["digit", *h[0, best].tolist()], strict=True)
):
    rest[place].imshow(picture.reshape(28, 28), cmap="gray")
    rest[place].set_title(name if place == 0 else f"{name:.2f}")
    rest[place].axis("off")
plt.show()
# END SOLUTION

# %% [markdown]
# The penalty buys codes in which few entries speak, so that one can read which pictures a digit is made of; it costs accuracy, because every number is pulled towards zero, and entries that would
# help a little are dropped. ISTA finds the best code of each image, but it needs hundreds of steps for every new one. An encoder gives its code in one pass, which is much faster, although
# each code is only nearly the best (an amortization gap), and it can also learn a better dictionary on the way.
#
# *Rubric: figure with five points and units (1); a digit with its five entries (1); gain and cost of the penalty (1); encoder: fast, yet not optimal (1).*

# %% [raw]
# # END SOLUTION

# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q6
# points: 4
# manual: true

# %% [markdown]
# ## 6 · This is no digit (4 points, read by a person)
#
# `render_letters(500, 28)` draws capital letters that no model here has seen. Use your denoiser, or an autoencoder of your choice, to give each clean picture a score of oddness, for example its
# squared reconstruction error. Compute the area under the ROC curve between `test` and the letters (`sklearn.metrics.roc_auc_score`), draw both histograms of the score, and show the two letters that look most like digits to your model.
# Then say in 50 to 100 words why this score is better or worse than chance, and what else it measures besides oddness.

# %% [raw]
# # BEGIN SOLUTION

# %%
# BEGIN SOLUTION
from sklearn.metrics import roc_auc_score

letters = render_letters(500, 28).floats
with torch.no_grad():
    scores = [(denoiser(x) - x).square().flatten(1).sum(1) for x in (test, letters)]
truth = torch.cat([torch.zeros(len(test)), torch.ones(len(letters))])
auc = roc_auc_score(truth, torch.cat(scores))
figure, (ax, *rest) = plt.subplots(1, 3, figsize=(9, 2.5), width_ratios=(3, 1, 1))
for score, name in zip(scores, ("digits", "letters"), strict=True):
    ax.hist(score.numpy(), bins=30, alpha=0.6, density=True, label=name)
ax.set(
    xlabel="squared error per image",
    ylabel="density",
    title=f"area under the ROC curve {auc:.2f}",
)
ax.legend()
for place, index in zip(rest, scores[1].argsort()[:2], strict=True):
    place.imshow(letters[index, 0], cmap="gray")
    place.axis("off")
plt.show()
# END SOLUTION

# %% [markdown]
# The score separates the two as far as the network can rebuild digits only. It is also a measure of ink and of fine strokes: a thin, small letter has a small error because a nearly black picture is easy,
# and a bold digit a large one, although it is no less a digit. A denoiser with shortcuts copies any strokes, which makes it a poor judge; a narrow code would judge better.
#
# *Rubric: AUC computed with the right sign (1); both histograms with units (1); an explanation that fits the number found (1); ink, size or contrast named as what else is measured (1).*

# %% [raw]
# # END SOLUTION

# %% [raw]
# # END QUESTION

# %% [markdown]
# ## To hand in
#
# Restart the kernel, run all cells, look whether everything is as you left it, save, and hand in this notebook.
