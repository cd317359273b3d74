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
# # Problem set 1 · Autoencoders
#
# You will train an autoencoder with slopes that you work out yourself, fill the holes of damaged digits with PCA, write
# an autoencoder and its training from an empty cell, and find out whether depth pays when the number of weights is fixed.
#
# **Before you start**: lessons [01](../01_from_a_neuron_to_an_autoencoder.ipynb),
# [02](../02_dimensionality_reduction.ipynb), [03](../03_the_fully_connected_autoencoder.ipynb) and
# [04](../04_the_convolutional_autoencoder.ipynb).
#
# **How it works**: put your code in place of the dots. Under each question a check says in words what is right, or what
# is probably wrong. The grader runs the whole notebook from top to bottom and tries your functions on other data, so
# keep their names and arguments, and leave no cell that runs for longer than a minute. Questions marked *read by a
# person* have no check; there, write for a classmate who has not solved the problem.

# %%
import itertools

import matplotlib.pyplot as plt
import torch
from torch import nn

from vae_helpers import checks
from vae_helpers.data import load_digits
from vae_helpers.device import seed_everything

train_set, valid_set, test_set = (
    load_digits(s, source="embedded") for s in ("train", "valid", "test")
)
train, valid, test = (
    s.floats for s in (train_set, valid_set, test_set)
)  # each (N, 1, 28, 28)
print(
    f"{len(train):,} digits to train with, {len(valid):,} to choose with, {len(test):,} to judge with"
)

# %% [raw]
# # BEGIN QUESTION
# name: q1
# points: 8
# check_cell: false

# %% [markdown]
# ## 1 · Slopes by hand (8 points)
#
# A small autoencoder has the code $h = \tanh(x W)$ and the reconstruction $\hat x = h V$, without biases: `x` is (N, D),
# `w` is (D, k) and `v` is (k, D). Its loss is the squared error, summed over the D pixels and averaged over the N images.
#
# Write the gradient of this loss with respect to `v` and to `w`. Work them out on paper first, with the chain rule, from
# the error back to the weights: autograd is switched off while your functions are judged.

# %% [raw]
# # BEGIN SOLUTION


# %%
def decoder_gradient(x, w, v):
    """Return the gradient of the loss with respect to v, (k, D)."""
    # BEGIN SOLUTION
    h = torch.tanh(x @ w)
    return 2 * h.T @ (h @ v - x) / len(x)
    # END SOLUTION


def encoder_gradient(x, w, v):
    """Return the gradient of the loss with respect to w, (D, k)."""
    # BEGIN SOLUTION
    h = torch.tanh(x @ w)
    error = 2 * (h @ v - x) / len(x)
    return x.T @ (error @ v.T * (1 - h**2))
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_decoder(decoder_gradient):
    from vae_helpers import checks

    verdict = checks.homework_1.decoder_gradient(decoder_gradient)
    assert verdict.ok, verdict.message


# %%
# HIDDEN
def test_encoder(encoder_gradient):
    from vae_helpers import checks

    verdict = checks.homework_1.encoder_gradient(encoder_gradient)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
checks.homework_1.decoder_gradient(decoder_gradient)

# %%
checks.homework_1.encoder_gradient(encoder_gradient)

# %% [markdown]
# With right slopes, these forty steps downhill bring the error on digits down to less than half. With the dots still in
# place, nothing happens yet.

# %%
x = (train - train.mean(0)).flatten(1)[:1000]
generator = torch.Generator().manual_seed(0)
w = 0.05 * torch.randn(784, 20, generator=generator)
v = 0.05 * torch.randn(20, 784, generator=generator)
losses = []
for _ in range(40):
    slopes = decoder_gradient(x, w, v), encoder_gradient(x, w, v)
    if not all(torch.is_tensor(slope) for slope in slopes):
        break
    v, w = v - 0.1 * slopes[0], w - 0.1 * slopes[1]
    losses.append((torch.tanh(x @ w) @ v - x).square().sum(1).mean().item())
print("squared error per image:", [round(loss, 1) for loss in losses[::10]])

# %% [raw]
# # BEGIN QUESTION
# name: q2
# points: 7
# check_cell: false

# %% [markdown]
# ## 2 · Fill the holes (7 points)
#
# Of every digit a third of the pixels is lost, other ones in each image. PCA can guess them, although it needs complete
# images: fill the holes with something, do PCA, put what it reconstructs into the holes, and repeat.
#
# Write `complete(x, known, k, rounds)`. `x` is (N, D), and `known`, (N, D), is true where a pixel is known; what stands
# in the holes of `x` is rubbish. Start with each pixel's mean over the images in which it is known (0 where there is
# none). In each round, subtract the mean of the filled images, keep their first `k` principal components, and replace the
# holes, and only the holes, by the reconstruction. Return the filled images, (N, D), and leave `x` as it is.

# %% [raw]
# # BEGIN SOLUTION


# %%
def complete(x, known, k, rounds):
    """Return x with its unknown entries filled by PCA with k components, in some rounds: (N, D)."""
    # BEGIN SOLUTION
    start = torch.where(known, x, 0).sum(0) / known.sum(0).clamp(min=1)
    filled = torch.where(known, x, start)
    for _ in range(rounds):
        mean = filled.mean(0)
        _, _, directions = torch.linalg.svd(filled - mean, full_matrices=False)
        kept = directions[:k]
        filled = torch.where(known, x, mean + (filled - mean) @ kept.T @ kept)
    return filled
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_complete(complete):
    from vae_helpers import checks

    verdict = checks.homework_1.complete(complete)
    assert verdict.ok, verdict.message


# %%
# HIDDEN
def test_complete_helps(complete):
    import torch

    from vae_helpers.data import load_digits

    x = load_digits("valid", source="embedded").floats.flatten(1)
    known = torch.rand(x.shape, generator=torch.Generator().manual_seed(7)) > 0.3
    errors = [
        (complete(x, known, k, 3) - x)[~known].square().mean().sqrt() for k in (1, 25)
    ]
    assert errors[1] < 0.9 * errors[0], (
        "On digits, 25 components should fill holes better than one."
    )


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
checks.homework_1.complete(complete)

# %% [raw]
# # BEGIN QUESTION
# name: q3
# points: 5
# manual: true

# %% [markdown]
# ## 3 · How many components? (5 points, read by a person)
#
# Hide a third of the pixels of the digits in `valid`, fill them with `complete` (8 rounds are enough), and draw the error on the hidden pixels
# against `k`, for at least six values of `k` from 1 to 200, with the error of the mean image as a horizontal line. Put a
# title and units on the axes. Then answer in 60 to 120 words: why does the error fall at first, and why does it rise again
# for large `k`, although PCA with more components fits every image better?

# %% [raw]
# # BEGIN SOLUTION

# %%
# BEGIN SOLUTION
pixels = valid.flatten(1)
known = torch.rand(pixels.shape, generator=torch.Generator().manual_seed(0)) > 1 / 3
ks = [1, 5, 15, 30, 60, 120, 200]
errors = [
    (complete(pixels, known, k, 8) - pixels)[~known].square().mean().sqrt().item()
    for k in ks
]
baseline = (complete(pixels, known, 1, 0) - pixels)[~known].square().mean().sqrt().item()
figure, ax = plt.subplots(figsize=(6, 3.5))
ax.plot(ks, errors, "o-", label="PCA, 8 rounds")
ax.axhline(baseline, ls="--", color="grey", label="mean image")
ax.set(xlabel="components k", ylabel="RMS error on hidden pixels (grey levels 0 to 1)")
ax.set(title="Neither few nor many components fill holes best")
ax.legend()
plt.show()
# END SOLUTION

# %% [markdown]
# With few components PCA can draw only coarse shapes, so the guesses are blurred, and more components make them better. With many components the
# subspace can also hold the rubbish that stands in the holes from the start: the reconstruction of a filled image is then almost that image itself,
# so the holes keep their first guess, and what is fitted beyond that is noise. The error on the *known* pixels falls all the way, which is why it
# must not choose k; pixels that were hidden on purpose can.
#
# *Rubric: figure with at least six k, a sensible scale, baseline, title and units (2); the error is measured on hidden pixels only (1); the fall
# explained by the expressiveness of the subspace (1); the rise explained by holes that keep their filling, or by overfitting to it (1).*

# %% [raw]
# # END SOLUTION

# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q4
# points: 10
# check_cell: false

# %% [markdown]
# ## 4 · From an empty cell (10 points)
#
# Write an autoencoder and its training, with nothing but PyTorch.
#
# - `MyAutoencoder()` is an `nn.Module` with `encode(images)` → (N, 16), `decode(codes)` → (N, 1, 28, 28), and
#   `forward(images)`, which gives the reconstruction. It has at most 150,000 weights and biases.
# - `train_it(model, train, valid)` trains `model` with Adam on `train` for at most 40 seconds. After each epoch it measures the squared error per image (summed over pixels,
#   averaged over images) on `valid`, in evaluation mode and without gradients. At the end, **the weights of the best epoch are put back into
#   the model**, and the list of the errors, one per epoch, is returned.
#
# The goal: a squared error of at most 16 per image on digits that nobody has seen. PCA with 16 components leaves 22.

# %% [raw]
# # BEGIN SOLUTION


# %%
class MyAutoencoder(nn.Module):
    """An autoencoder for digits with a code of 16 numbers."""

    # BEGIN SOLUTION
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 80), nn.ReLU(), nn.Linear(80, 16)
        )
        self.decoder = nn.Sequential(
            nn.Linear(16, 80), nn.ReLU(), nn.Linear(80, 784), nn.Sigmoid()
        )

    def encode(self, images):
        return self.encoder(images)

    def decode(self, codes):
        return self.decoder(codes).unflatten(1, (1, 28, 28))

    def forward(self, images):
        return self.decode(self.encode(images))

    # END SOLUTION


def train_it(model, train, valid):
    """Train the model, keep the best epoch's weights, and return the errors on valid, one per epoch."""
    # BEGIN SOLUTION
    epochs, batch, errors, best = 60, 100, [], None
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    steps = epochs * -(-len(train) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for _ in range(epochs):
        model.train()
        for chosen in torch.randperm(len(train)).split(batch):
            loss = (model(train[chosen]) - train[chosen]).square().flatten(1).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            errors.append((model(valid) - valid).square().flatten(1).sum(1).mean().item())
        if errors[-1] == min(errors):
            best = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best)
    return errors
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_autoencoder(MyAutoencoder, model, errors):
    from vae_helpers import checks

    verdict = checks.homework_1.autoencoder(model, errors)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
seed_everything(0)
model = MyAutoencoder()
errors = train_it(model, train, valid)
checks.homework_1.autoencoder(model, errors)

# %% [raw]
# # BEGIN QUESTION
# name: q5
# points: 6
# check_cell: false

# %% [markdown]
# ## 5 · A fair race (6 points)
#
# Is a deeper autoencoder better? That depends on what is held fixed. Here it is the number of weights.
#
# - `make_shallow()` and `make_deep()` return untrained autoencoders of digits, both with a code of 16 numbers. The deep one has at
#   least two more linear or convolutional layers than the shallow one, and their numbers of weights differ by at most 3%.
# - `run(make, seed)` seeds everything, makes a network, trains it for 5 passes over the first 1,000 digits in `train`, the same way for both, and returns its
#   squared error per image on `valid`, as a float. The same seed gives the same number.

# %% [raw]
# # BEGIN SOLUTION


# %%
def stack(*widths):
    """Return linear layers of these widths, with a ReLU between two of them."""
    layers = [nn.Flatten()]
    for a, b in itertools.pairwise(widths):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return layers[:-1]


def make_shallow():
    """Return an autoencoder with few layers."""
    # BEGIN SOLUTION
    return nn.Sequential(
        *stack(784, 80, 16, 80, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28))
    )
    # END SOLUTION


def make_deep():
    """Return an autoencoder with more layers, and as many weights."""
    # BEGIN SOLUTION
    widths = (784, 75, 45, 16, 45, 75, 784)
    return nn.Sequential(*stack(*widths), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))
    # END SOLUTION


def run(make, seed):
    """Return the error on valid of a network that was made and trained with this seed."""
    # BEGIN SOLUTION
    seed_everything(seed)
    model, images = make(), train[:1000]
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(5):
        for chosen in torch.randperm(len(images)).split(50):
            loss = (
                (model(images[chosen]) - images[chosen]).square().flatten(1).sum(1).mean()
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return (model(valid) - valid).square().flatten(1).sum(1).mean().item()
    # END SOLUTION


# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_race(make_shallow, make_deep, run):
    from vae_helpers import checks

    verdict = checks.homework_1.race(make_shallow, make_deep, run)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
checks.homework_1.race(make_shallow, make_deep, run)

# %% [raw]
# # BEGIN QUESTION
# name: q6
# points: 4
# manual: true

# %% [markdown]
# ## 6 · And the winner is … (4 points, read by a person)
#
# Run the race with at least five seeds. Show all the numbers, in a figure or a table, and answer in 80 to 150 words: which network is better here, and
# how sure are you? Then name two things that you held fixed and one that you did not, and say how it might have decided the race.

# %% [raw]
# # BEGIN SOLUTION

# %%
# BEGIN SOLUTION
results = {
    make.__name__: [run(make, seed) for seed in range(5)]
    for make in (make_shallow, make_deep)
}
figure, ax = plt.subplots(figsize=(5, 3))
for place, values in enumerate(results.values()):
    ax.plot(values, [place] * len(values), "o", alpha=0.6)
ax.set(
    yticks=range(2), yticklabels=list(results), ylim=(-0.5, 1.5), title="Five seeds each"
)
ax.set(xlabel="squared error per image on unseen digits")
plt.show()
# END SOLUTION

# %% [markdown]
# The shallow network has the smaller error with every seed, and the gap between the two is several times as wide as the spread within each, so five
# seeds are enough to say who won *this* race. It was run over 100 steps, with 1,000 digits and one learning rate. The number of weights, the
# digits and the steps were held fixed. What was not is the suitability of the learning rate: a deeper network may want another one, and
# it learns more slowly at first, so a longer training could reverse the order. The statement is about short trainings, not about depth.
#
# *Rubric: all numbers shown, with units (1); the conclusion compares the gap with the spread over seeds (1); two things held fixed (1); one that was not, with how it
# could matter (1). Whoever names the other winner with numbers that say so gets the same points.*

# %% [raw]
# # END SOLUTION

# %% [raw]
# # END QUESTION

# %% [markdown]
# ## To hand in
#
# Restart the kernel, run all cells, look whether everything is as you left it, save, and hand in this notebook.
