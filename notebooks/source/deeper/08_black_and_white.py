# %% [markdown]
# # Deeper · Black or white
#
# [Lesson 08](../08_a_vae_for_handwritten_digits.ipynb) draws every pixel of its digits black or white before it counts
# nats. What does this drawing cost, and what does a VAE do with the noise that it makes? This page takes about 20 minutes.

# %%
import functools
import math

import torch

from vae_helpers import losses, models, plots
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.train import fit, measure

plots.use_course_style()
device = pick_device()
train_set = load_digits("train").subset(slice(0, budget(cpu=3_500, gpu=20_000))).to(device)
test_set = load_digits("test")
test_set = test_set.subset(slice(None, None, len(test_set) // 1_000)).to(device)

# %% [markdown]
# ## 1 · Chance decides
#
# Nats measure the logarithm of a probability. A grey pixel with one of 256 levels has a probability, too, but then the
# decoder would have to name 256 of them for each pixel, or a density, whose nats depend on the chosen scale (lesson 09).
# With black-and-white pixels it names a single number, the probability of white, and the nats of different papers can be
# compared. So research on MNIST lets chance decide: a pixel with grey level 0.8 becomes white with probability 0.8.
#
# The draw can be done once for all, which is called **static binarization**, or anew whenever a picture is shown,
# **dynamic binarization**. For testing we always draw once, with a fixed seed, so that every model sees the same
# pictures: `binarized()`. For training, `binarize=True` in the loss draws anew in each step. The numbers of both
# kinds of training differ by some nats, so whoever compares must say which one was used.

# %%
test_bw = test_set.binarized()
first_of_each = [int((test_set.labels == digit).nonzero()[0]) for digit in range(10)]
grey, drawn = test_set.floats[first_of_each], test_bw.floats[first_of_each]

# %% tags=["figure"]
# Ten grey digits, and three draws of each
rows = {"grey": grey, "a draw": drawn}
rows |= {name: torch.bernoulli(grey) for name in ("another draw", "and another")}
plots.show(
    plots.image_rows(rows, "Chance decides which pixels are white"),
    alt="Ten grey digits, and below them three black-and-white versions each. The three differ in single pixels along the edges "
    "of the strokes.",
)

# %% [markdown]
# The draws differ at the edges of the strokes, where pixels are grey. This is noise, and nobody can predict it.
#
# ## 2 · A yardstick of three answers
#
# - the **coin**: every pixel is white with probability ½;
# - the **mean image**: a pixel is white as often as in the training set. For a decoder that treats the pixels as
#   independent this is the best without a code, and a VAE whose code has collapsed ends here. (A decoder that looks at
#   the neighbouring pixels, as PixelCNN does, gets far lower without any code.)
# - the **cheat**: it has seen the grey original, and names its grey levels. These are exactly the probabilities from
#   which the pixels were drawn, so what it still pays is the price of the noise.
#
# **Predict.** About what does the coin pay? (784 pixels.) And which share of it is noise?

# %%
mean_image = train_set.floats.mean(0).clamp(1e-4, 1 - 1e-4)


def price(answer):
    """Nats per test digit if this is the decoder's answer."""
    answer = answer.expand(len(test_bw), 1, 28, 28)
    return losses.reconstruction_nll(answer, test_bw.floats).mean().item()


coin = price(torch.full_like(mean_image, 0.5))
mean_price, noise = price(mean_image), price(test_set.floats)
print(f"coin        {coin:6.1f} nats per image")
print(f"mean image  {mean_price:6.1f} nats per image")
print(f"cheat       {noise:6.1f} nats per image")

# %% tags=["claim"]
assert abs(coin - 784 * math.log(2)) < 0.1
assert 190 < mean_price < 225
assert 35 < noise < 65, "the noise should have a price"

# %% [markdown]
# The coin pays $784 \log 2$. On new digits no model can get below the cheat on average, because nothing but chance is left
# there. It makes up a good part of what the best published models pay.
#
# ## 3 · A code in bits
#
# Now the lesson's VAE in its full width, with a code of 32 numbers. Its rate tells how many nats its code carries, and its distortion how many it
# still takes to name every pixel, given the code. One nat is $1 / \log 2 \approx 1.44$ bits.

# %%
EPOCHS = budget(cpu=35_000, gpu=350_000) // len(train_set)
seed_everything(0)
vae = models.ConvVAE(latent_dim=32)
loss = functools.partial(losses.negative_elbo, binarize=True)
fit(vae, train_set, loss, epochs=EPOCHS, lr=5e-3, batch_size=64)
nats = measure(vae, test_bw, losses.negative_elbo)
for name, value in {
    "rate: the code": nats["rate"],
    "distortion: the rest": nats["distortion"],
    "both together": nats["loss"],
    "mean image": mean_price,
    "coin": coin,
}.items():
    print(f"{name:21s}{value:6.1f} nats = {value / math.log(2):6.1f} bits per image")

# %% tags=["claim"]
assert nats["rate"] < 0.25 * nats["loss"] < 0.25 * 0.7 * mean_price

# %% [markdown]
# The code alone takes few bits, but it draws the picture only roughly. To store the black-and-white picture *exactly*,
# one needs both terms, and that sum is what must be compared with the 784 bits of the coin. (To reach the sum in a real
# file takes a trick called *bits back*, and the distortion needs an arithmetic coder.)
#
# ## 4 · A denoiser for free
#
# **Predict.** The encoder sees the noisy picture. Will the decoder give back the noise as well?


# %%
with torch.no_grad():
    rebuilt = vae.decode(vae.encode(test_bw.floats)[0])
seen_error = losses.squared_error(test_bw.floats, test_set.floats).mean().item()
rebuilt_error = losses.squared_error(rebuilt, test_set.floats).mean().item()
print("squared error per image, against the grey originals")
print(f"what the encoder sees {seen_error:5.1f}")
print(f"reconstruction        {rebuilt_error:5.1f}")

# %% tags=["figure"]
# Grey originals, what the encoder sees, and reconstructions
rows = {"grey original": grey, "what the encoder sees": drawn}
rows["reconstruction"] = rebuilt[first_of_each]
plots.show(
    plots.image_rows(rows, "Ten test digits through the VAE"),
    alt="Three rows of ten digits: smooth grey originals, ragged black-and-white versions, and reconstructions that are smooth "
    "again. Most look like the originals; one or two come close to another digit.",
)

# %% tags=["claim"]
assert rebuilt_error < 0.95 * seen_error, (
    "the reconstruction should be closer than the input"
)

# %% [markdown]
# The reconstructions are smooth, and *closer to the grey originals than the pictures that the encoder saw*, although the
# model has never been shown a grey digit. The decoder has to name a probability for each pixel. Noise cannot be
# predicted, so the best probability is the grey level from which the noise was drawn. (Not every digit survives: after so
# short a training, some lean towards another one.)
#
# **Back to** [lesson 08](../08_a_vae_for_handwritten_digits.ipynb).
