# %% [markdown]
# # Deeper · The warped grid
#
# The manifold of [lesson 08](../08_a_vae_for_handwritten_digits.ipynb) stands on a grid in which every tile has the same
# share of the prior. So the sheet is a fair sample of what the VAE draws, and we can count: does each of the ten
# digits get its tenth? This page takes about 15 minutes.

# %%
import functools

import matplotlib.pyplot as plt
import torch

from vae_helpers import losses, models, plots
from vae_helpers.checkpoints import load_pretrained
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
flat_vae = models.ConvVAE(channels=(16, 32), hidden=128, latent_dim=2)
loss = functools.partial(losses.negative_elbo, binarize=True)
fit(flat_vae, train_set, loss, epochs=EPOCHS, lr=1e-2, batch_size=64)

# %% [markdown]
# ## 1 · Equal probability instead of equal steps
#
# Cut the probabilities from 0 to 1 into $n$ equal slices and take the middle of each: $(i + \frac12) / n$. The **normal
# quantile** turns a probability $p$ into the number $z$ below which a random draw falls with probability $p$. PyTorch calls it
# `torch.special.ndtri`, and the way back `torch.special.ndtr`.


# %%
def warped(count):
    """Positions that cut the bell curve into equal shares, (count,)."""
    return torch.special.ndtri((torch.arange(count) + 0.5) / count)


print("equal shares:", *(f"{z:.2f}" for z in warped(8).tolist()))

# %% tags=["figure"]
# Equal steps from −3 to 3, and equal probability
figure, axes = plt.subplots(1, 2, figsize=(9.4, 5))
plots.manifold(
    lambda z: flat_vae.decode(z.to(device)), -3, 3, 15, "Equal steps from −3 to 3", axes[0]
)
plots.manifold(
    lambda p: flat_vae.decode(torch.special.ndtri(p).to(device)),
    0.5 / 15,
    1 - 0.5 / 15,
    15,
    "Equal shares of the prior",
    axes[1],
)
axes[1].set(xlabel="share of the prior below", ylabel="share of the prior below")
plots.show(
    figure,
    alt="Two grids of 15 by 15 decoded digits. With equal steps, wide areas at the rim show one and the same digit. With equal "
    "shares of the prior the middle of the map, where many digits crowd, takes up most of the grid.",
)

# %% [markdown]
# ## 2 · Does each digit get its tenth?
#
# We let a judge count, a small classifier of digits that comes with the course.
#
# **Predict.** Which digits will get too little room? Look at the figure.

# %%
judge = load_pretrained("digit_classifier").to(device)
tiles = torch.cartesian_prod(warped(20), warped(20)).to(device)
with torch.no_grad():
    on_sheet = judge(flat_vae.decode(tiles)).argmax(1).bincount(minlength=10) / len(tiles)
    in_test = judge(test_set.floats).argmax(1).bincount(minlength=10) / len(test_set)
    inside = (flat_vae.encode(test_set.binarized().floats)[0].norm(dim=1) < 2.448).float()
print("digit              " + "".join(f"{name:>6}" for name in test_set.label_names))
print("share of the sheet " + "".join(f"{share:6.1%}" for share in on_sheet.tolist()))
print("share of the test  " + "".join(f"{share:6.1%}" for share in in_test.tolist()))
shares = [inside[test_set.labels == digit].mean().item() for digit in range(10)]
print("means in circle    " + "".join(f"{share:6.0%}" for share in shares))

# %% tags=["claim"]
assert on_sheet.min() < 0.6 * in_test.min(), "some digits should get too little room"

# %% [markdown]
# The test digits are spread evenly, the sheet is not at all, and there are two reasons. Some digits live outside the
# circle that holds 95% of the prior (last row), where random codes hardly come. Others share their place: two numbers
# cannot tell them apart, so the decoder draws a blend of them, and the judge's label there is arbitrary.
#
# The first reason is a general weakness of VAEs. All clouds together, the **aggregate posterior**, should fill the prior
# exactly, and they do so only roughly. Where they leave the prior empty, the decoder has learnt little, and what lies
# outside the prior never comes up as a sample. Lesson 10 measures this for faces, and mends it.
#
# **Back to** [lesson 08](../08_a_vae_for_handwritten_digits.ipynb).
