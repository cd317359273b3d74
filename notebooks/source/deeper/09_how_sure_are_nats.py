# %% [markdown]
# # Deeper · How sure is a number of nats?
#
# Two models, 104.9 and 105.6 nats. Is the first one better? An average over test digits moves if the digits are others, if their
# pixels are drawn anew, and if the number of codes changes. This page measures all three, and finds a comparison that is far
# surer than the two numbers that it compares. Then it asks what nats do *not* tell. It belongs to section 7 of
# [lesson 09](../09_is_my_vae_any_good.ipynb).

# %%
import math

import torch

from vae_helpers import evaluate, losses, plots
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.models import ConvVAE, DenseVAE
from vae_helpers.train import fit

plots.use_course_style()
device = pick_device()
train_set = load_digits("train").subset(slice(0, 3_500)).to(device).binarized()
test_grey = load_digits("test")
# Spread over the whole set, because digits that follow each other are often by one writer.
test_grey = test_grey.subset(slice(None, None, len(test_grey) // 1_000)).to(device)
test_set = test_grey.binarized()

# %% [markdown]
# Three models: a dense VAE, a convolutional one whose code has 2 numbers only, and the one that the course ships.

# %%
EPOCHS = budget(cpu=6, gpu=30)
vaes = {}
seed_everything(0)
vaes["dense"] = DenseVAE(hidden=(256,), latent_dim=16)
fit(vaes["dense"], train_set, losses.negative_elbo, epochs=EPOCHS, lr=1e-2)
vaes["conv, 2 numbers"] = ConvVAE(channels=(16, 32), latent_dim=2)
fit(vaes["conv, 2 numbers"], train_set, losses.negative_elbo, epochs=EPOCHS, lr=5e-3)
vaes["shipped"] = load_pretrained("digits").to(device)

# %% [markdown]
# ## 1 · Other digits
#
# Some digits are hard and some are easy, so the nats of single digits differ a lot. If their standard deviation over $n$ digits
# is $s$, the average would move by about $s / \sqrt n$ with other digits: its **standard error**.
#
# **Predict.** Is the *difference* of two models on the same digits more certain than each of the two averages, or less?

# %%
nats = {}
for name, vae in vaes.items():
    with torch.no_grad():
        seed_everything(0)
        nats[name] = losses.negative_elbo(vae, test_set.floats)["loss"]


def with_error(values):
    return values.mean().item(), values.std().item() / math.sqrt(len(values))


for name, values in nats.items():
    print("{:18} {:7.2f} ± {:.2f} nats".format(name, *with_error(values)))
difference = nats["dense"] - nats["shipped"]
print("{:18} {:7.2f} ± {:.2f} nats".format("dense − shipped", *with_error(difference)))

# %% tags=["claim"]
alone, paired = with_error(nats["dense"])[1], with_error(difference)[1]
assert paired < 0.8 * alone, "differences on the same digits should be surer"
assert difference.mean() > 10 * paired

# %% [markdown]
# The difference is more certain, because a digit that is hard for one model is hard for the other, and what they share cancels.
# So **compare models on the same pictures, and give the error of the difference**.
#
# ## 2 · Other pixels, more codes
#
# The pixels were drawn by chance. How much does the average move with another draw, and with other codes? And what does a larger
# $k$ change?

# %%
draws = []
for seed in range(5):
    images = test_grey.binarized(seed=seed).floats
    draws.append(evaluate.importance_weighted_nll(vaes["dense"], images, 30).mean().item())
codes = []
for seed in range(5):
    nll = evaluate.importance_weighted_nll(vaes["dense"], test_set.floats, 30, seed=seed)
    codes.append(nll.mean().item())
more = evaluate.importance_weighted_nll(vaes["dense"], test_set.floats, 300).mean().item()
print(f"five draws of the pixels, k = 30: from {min(draws):.2f} to {max(draws):.2f} nats")
print(f"five draws of the codes,  k = 30: from {min(codes):.2f} to {max(codes):.2f} nats")
print(f"k = 300 instead of 30:            {more - codes[0]:+.2f} nats")

# %% tags=["claim"]
assert max(codes) - min(codes) < max(draws) - min(draws) < 2 * alone
assert -2 < more - codes[0] < -(max(codes) - min(codes)), "k is no chance, but a bias"

# %% [markdown]
# Other codes change next to nothing, and other pixels a little; both are small beside the standard error of the digits. A larger
# $k$ changes more than either, and always in the same direction: it is no chance but a **bias**, and no number of test digits
# averages it away.
#
# ## 3 · What nats do not tell
#
# The scoreboard of the package measures more than nats: the **active units**, a **linear probe** (how often a linear classifier
# names the digit from the code), and the **Fréchet distance** of samples from real digits, which judges the crowd of them.
#
# **Predict.** Which columns will *not* put the three models in the same order as NLL does?

# %%
board = evaluate.scoreboard(vaes, test_grey.subset(slice(None, None, 4)), k=30)
board

# %% tags=["claim"]
dense, two, shipped = board[:3]
assert shipped["nll"] < min(dense["nll"], two["nll"]) - 10
assert two["active_units"] == 2 and two["probe_accuracy"] < dense["probe_accuracy"]
assert shipped["frechet"] < min(dense["frechet"], two["frechet"])
assert shipped["probe_accuracy"] < dense["probe_accuracy"] + 0.2, (
    "tens of nats, few percent"
)

# %% [markdown]
# The shipped model has by far the best nats and the best samples. Its code, though, is hardly that much more useful for a
# *straight* cut between digits: tens of nats ahead, it gains some percent in the probe, since nobody asked it to lay out its
# code in this way. Nor are more active units better in themselves. Nats, samples and useful codes are three different things
# (Theis, van den Oord and Bethge, 2016, [A note on the evaluation of generative models](https://arxiv.org/abs/1511.01844)), and
# whoever builds a VAE has to say which of them it is for.
#
# Back to [lesson 09 · Is my VAE any good?](../09_is_my_vae_any_good.ipynb)
