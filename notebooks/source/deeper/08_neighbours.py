# %% [markdown]
# # Deeper · Neighbours
#
# Which training digits resemble this one? Search engines for pictures and songs answer such questions with distances
# between codes. Are the codes of a VAE good for it? This page belongs to
# [lesson 08](../08_a_vae_for_handwritten_digits.ipynb) and takes about 20 minutes.

# %%
import functools

import matplotlib.pyplot as plt
import torch

from vae_helpers import losses, models, plots
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.train import fit

plots.use_course_style()
device = pick_device()
train_set = load_digits("train").subset(slice(0, budget(cpu=3_500, gpu=20_000))).to(device)
test_set = load_digits("test")
test_set = test_set.subset(slice(None, None, len(test_set) // 1_000)).to(device)

EPOCHS = budget(cpu=35_000, gpu=350_000) // len(train_set)
seed_everything(0)
vae = models.ConvVAE(channels=(16, 32), hidden=128, latent_dim=32)
loss = functools.partial(losses.negative_elbo, binarize=True)
fit(vae, train_set, loss, epochs=EPOCHS, lr=1e-2, batch_size=64)

# %% [markdown]
# ## 1 · Which distance?
#
# Between *pixels*, the squared error is the simple choice. But if a stroke moves by its own width, all of its pixels are
# wrong. Between *codes*, the distance may follow the shape instead. The nearest five training digits vote on what a
# test digit is. The encoder was trained on black-and-white digits, and so it gets black-and-white ones here, and the
# pixels are compared in black and white as well as in grey.
#
# **Predict.** Which wins, 784 pixels or 32 numbers? And if the test digits are shifted by two pixels? And if we compare
# codes drawn from $q$ in place of the means?


# %%
def neighbours(asked, known):
    """Positions of the five nearest rows of known (M, D) for each row of asked (N, D): (N, 5)."""
    return torch.cdist(asked, known).topk(5, largest=False).indices


def vote(asked, known):
    """Share of test digits that the five nearest training digits name rightly."""
    named = train_set.labels[neighbours(asked, known)].mode(1).values
    return (named == test_set.labels).float().mean().item()


@torch.no_grad()
def spaces(grey, seed):
    """The digits as grey pixels, in black and white, and as the latter's codes, (N, …) each."""
    torch.manual_seed(seed)
    drawn = torch.bernoulli(grey)
    mean, log_var = vae.encode(drawn)
    codes = {"means": mean, "codes drawn from q": vae.reparameterize(mean, log_var)}
    return {"grey pixels": grey.flatten(1), "black-and-white": drawn.flatten(1), **codes}


known, asked = spaces(train_set.floats, 0), spaces(test_set.floats, 1)
shifted = spaces(test_set.floats.roll(2, dims=3), 1)  # two pixels to the right
votes = {space: vote(asked[space], known[space]) for space in known}
shifted_votes = {space: vote(shifted[space], known[space]) for space in known}
print("named rightly         numbers   test digits   shifted by 2")
for space, share in votes.items():
    print(
        f"{space:20} {known[space].shape[1]:8} {share:13.1%} {shifted_votes[space]:14.1%}"
    )

# %% tags=["figure"]
# Four test digits with their neighbours in grey pixels and in code
first_of_each = [int((test_set.labels == digit).nonzero()[0]) for digit in range(10)]
widths = [1, 0.25, *[1] * 5, 0.25, *[1] * 5]
figure, axes = plt.subplots(4, len(widths), figsize=(9.4, 3.8), width_ratios=widths)
for row, digit in zip(axes, (2, 4, 7, 9)):
    query = first_of_each[digit]
    plots.draw_image(row[0], test_set.floats[query])
    row[1].set_axis_off()
    row[7].set_axis_off()
    for start, space in ((2, "grey pixels"), (8, "means")):
        nearest = neighbours(asked[space][[query]], known[space])[0]
        for ax, position in zip(row[start : start + 5], nearest):
            plots.draw_image(ax, train_set.floats[position])
            right = train_set.labels[position] == test_set.labels[query]
            color = plots.COLORS[3] if right else plots.COLORS[4]
            ax.set_frame_on(True)
            ax.spines[:].set(visible=True, color=color, linewidth=2.5)
            ax.spines[:].set_linestyle("-" if right else (0, (2, 2)))
axes[0, 0].set_title("asked")
axes[0, 4].set_title("nearest in pixels")
axes[0, 10].set_title("nearest in code")
figure.suptitle("Five neighbours (solid frame: same digit, dashed: another)")
plots.show(
    figure,
    alt="Four test digits, each with its five nearest training digits by pixels and by code. Most neighbours are the same digit "
    "and similar in slant and thickness. A dashed frame marks another digit.",
)

# %% tags=["claim"]
best_pixels = max(votes["grey pixels"], votes["black-and-white"])
assert abs(votes["means"] - best_pixels) < 0.06, "32 numbers should do about as well"
drop = {space: votes[space] - shifted_votes[space] for space in votes}
assert drop["grey pixels"] > drop["means"] > 0.05, "both should lose, and pixels more"
assert votes["codes drawn from q"] < votes["means"] - 0.05, "the draw should cost accuracy"

# %% [markdown]
# 32 numbers do about as well as 784 pixels, and there are 24 times fewer of them to store and to compare. Shift the
# digits a little, and pixels lose more than codes: a code says something about the shape. But codes lose a lot, too,
# because nobody has told the VAE that a shift does not matter. (Showing it shifted digits would.)
#
# ## 2 · Means, not draws
#
# With codes drawn from $q$, the vote gets worse. The noise must be to blame. Where does it come from?

# %%
with torch.no_grad():
    mean, log_var = vae.encode(test_set.binarized().floats)
rates = 0.5 * (mean.square() + log_var.exp() - log_var - 1).mean(0)
variance, quiet = log_var.exp().mean(0), rates <= 0.1
share = (variance[quiet].sum() / variance.sum()).item()
print(
    f"{int(quiet.sum())} of 32 units carry at most 0.1 nats; they make {share:.0%} of the noise"
)

# %% tags=["claim"]
assert share > 1.2 * quiet.float().mean(), "collapsed units should be the noisiest"

# %% [markdown]
# A large part of it comes from units that have nothing to say. Their clouds have the width 1, and a distance counts all
# units alike. For anything that needs *the* code of an image, take the mean.
#
# **Back to** [lesson 08](../08_a_vae_for_handwritten_digits.ipynb).
