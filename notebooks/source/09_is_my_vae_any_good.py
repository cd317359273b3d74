# %% [markdown]
# # 09 · Is my VAE any good?
#
# A wrong program usually stops with an error. A wrong VAE usually does not: it trains, the loss falls, and something
# strange comes out, or something that looks fine and is not. So we break a VAE in ten ways, and build an examination
# that says which one it was. When the program is right, the next question comes up: the loss is 120 nats, is that good?
#
# **You will be able to**
#
# - recognise ten classic bugs of VAEs by their symptoms, and test a loss without training anything,
# - repair a VAE with the help of `evaluate.doctor`, which examines yours, too,
# - choose a likelihood for black-and-white or grey pixels, and compute the best σ,
# - estimate $-\log p(x)$ with importance weights, and compare nats with published ones fairly.
#
# **It builds on** [lesson 07](07_the_vae_piece_by_piece.ipynb) (the ELBO, rate and distortion, reparameterization) and
# [lesson 08](08_a_vae_for_handwritten_digits.ipynb) (samples, β, units that are not used).

# %%
import functools
import math

import torch
import torch.nn.functional as F
from torch import nn

from vae_helpers import checks, evaluate, losses, plots
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.losses import kl_divergence
from vae_helpers.models import DenseVAE
from vae_helpers.train import fit, measure

plots.use_course_style()
device = pick_device()
train_grey = load_digits("train").subset(slice(0, 3_500)).to(device)
test_grey = load_digits("test").subset(slice(0, 1_000, 5)).to(device)  # every fifth
train_set, test_set = train_grey.binarized(), test_grey.binarized()  # black and white

# %% [markdown]
# ## 1 · Ten ways to be wrong
#
# In this loss, the distortion is the cross-entropy of black-and-white pixels, the rate is the KL divergence, and either can
# be replaced. Six bugs are losses.


# %%
def cross_entropy(reconstruction, images):
    """−log p(x|z) of black-and-white images: summed over the pixels, (N,)."""
    white = reconstruction.clamp(1e-6, 1 - 1e-6)  # keeps the logarithms finite
    log_p = images * white.log() + (1 - images) * (1 - white).log()
    return -log_p.flatten(1).sum(1)


def make_loss(distortion=cross_entropy, rate=kl_divergence):
    def loss(model, images, labels=None):
        reconstruction, mean, log_var, _ = model(images)
        return distortion(reconstruction, images) + rate(mean, log_var)

    return loss


healthy_loss = make_loss()
bad_losses = {
    "mean over pixels": make_loss(distortion=lambda r, x: cross_entropy(r, x) / 784),
    "pixels up to 255": make_loss(distortion=lambda r, x: cross_entropy(r, 255 * x)),
    "KL missing": make_loss(rate=lambda mean, log_var: 0),
    "KL doubled": make_loss(rate=lambda mean, log_var: 2 * kl_divergence(mean, log_var)),
    "KL summed": make_loss(rate=lambda m, v: kl_divergence(m, v).sum()),
    "KL subtracted": make_loss(rate=lambda mean, log_var: -kl_divergence(mean, log_var)),
}


# %% [markdown]
# Four sit in the model: a small dense VAE with one method replaced. `super()` calls the healthy one's.


# %%
class SmallVAE(DenseVAE):
    def __init__(self):
        super().__init__(hidden=(256,), latent_dim=8)


class NoNoise(SmallVAE):
    def reparameterize(self, mean, log_var):
        return mean


class WrongNoise(SmallVAE):
    def reparameterize(self, mean, log_var):
        return mean + torch.exp(log_var) * torch.randn_like(mean)


class Detached(SmallVAE):
    def reparameterize(self, mean, log_var):  # detach: no gradient passes here
        return super().reparameterize(mean, log_var).detach()


class TwoSigmoids(SmallVAE):
    def decode(self, z):
        return torch.sigmoid(super().decode(z))


bad_models = {"no noise": NoNoise, "σ² for σ": WrongNoise}
bad_models |= {"z detached": Detached, "sigmoid twice": TwoSigmoids}

# %% [markdown]
# All eleven train on the same digits, for the same steps. Afterwards each program *reports* its own loss on 200 test
# digits, which are the same ones in every section up to the workshop. For the truth, we put its weights into a healthy
# body and measure the honest −ELBO. (It
# works with the decoder's numbers before the sigmoid, so no clamp limits it.)
#
# **Predict.** Which of the ten will report a *lower* loss than the healthy program?


# %%
EPOCHS = budget(cpu=8, gpu=30)


def train(model_class, digits, loss):
    seed_everything(0)
    model = model_class()
    try:
        fit(model, digits, loss, epochs=EPOCHS, batch_size=100, lr=1e-2)
    except FloatingPointError as problem:  # a loss that explodes is a symptom, too
        print(problem)
    return model.to(device)


programs = {"healthy": (SmallVAE, healthy_loss)}
programs |= {name: (SmallVAE, loss) for name, loss in bad_losses.items()}
programs |= {name: (model, healthy_loss) for name, model in bad_models.items()}
patients = {name: train(model, train_set, loss) for name, (model, loss) in programs.items()}

# %% tags=["figure"]
# What each program reports, and what is true of its weights
reported, truth = {}, {}
for name, (_, loss) in programs.items():
    reported[name] = measure(patients[name], test_set, loss)["loss"]
    body = SmallVAE().to(device)
    body.load_state_dict(patients[name].state_dict())
    truth[name] = measure(body, test_set, losses.negative_elbo)
print(f"{'':22}{'reported':>12}{'honest −ELBO':>15}{'rate':>10}{'distortion':>12}   [nats]")
for name, row in truth.items():
    numbers = [reported[name], row["loss"], row["rate"], row["distortion"]]
    text = [f"{value:.1f}" if abs(value) < 1e5 else f"{value:.0e}" for value in numbers]
    print(f"{name:22}{text[0]:>12}{text[1]:>15}{text[2]:>10}{text[3]:>12}")
lower = [name for name in reported if reported[name] < reported["healthy"] - 0.5]
print("\nreport a lower loss than the healthy one:", ", ".join(lower))

# %% tags=["claim"]
assert {"mean over pixels", "pixels up to 255", "KL missing", "no noise"} < {*lower}
assert "KL subtracted" in lower and len(lower) > 5 and "healthy" not in lower
assert all(row["loss"] > truth["healthy"]["loss"] - 0.5 for row in truth.values()), (
    "none is better in truth"
)
assert truth["KL missing"]["loss"] > truth["healthy"]["loss"] + 30

# %% tags=["figure", "hero"]
# Twelve sheets: real digits, what the healthy VAE draws, and what the ten sick ones draw
import matplotlib.pyplot as plt

figure, axes = plt.subplots(3, 4, figsize=(9, 6.7))
sheets = {"real digits": test_grey.floats[::17][:12]}
for name, model in patients.items():
    seed_everything(5)
    codes = torch.randn(12, model.latent_dim).to(device)
    with torch.no_grad():
        sheets[name] = model.decode(codes)
for ax, (name, images) in zip(axes.flat, sheets.items()):
    rows = images.cpu().nan_to_num(0).reshape(3, 4, 28, 28)
    sheet = rows.permute(0, 2, 1, 3).reshape(3 * 28, 4 * 28)
    ax.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    well = name in ("real digits", "healthy")
    color = plots.COLORS[3] if well else plots.COLORS[4]
    ax.set_title(f"{'✓' if well else '✗'} {name}", color=color, fontsize=13, weight="bold")
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color=color, linewidth=3)
figure.suptitle(
    "Real digits, and what one healthy VAE and ten sick ones draw from random codes"
)
plots.show(
    figure,
    alt="Twelve sheets of twelve images. Real digits and those of the healthy VAE look alike. Three sick ones draw the same "
    "blurred blob everywhere, one draws everything in grey, one white blobs, one specks or strokes that are no digits; "
    "others look nearly healthy.",
)

# %% [markdown]
# A low loss proves nothing: more than half of the sick programs report a better one. Pictures prove little, too, since
# the sheets of *KL doubled* and *σ² for σ* look about as good as the healthy one. The symptoms:
#
# - **The KL weighs too much** (*mean over pixels*, *KL summed* over the batch): the rate falls to almost 0, every digit
#   gets nearly the same cloud, and the decoder draws one blob for all. This is **posterior collapse**. *z detached*
#   ends in the same way, because no gradient tells the encoder what the decoder needs. *KL doubled* does such harm in a
#   small dose, and nobody would see it.
# - **The KL is gone** (*KL missing*): the loss looks splendid, but this is a plain autoencoder. Its codes move far from
#   the prior, as the honest rate shows, so that random codes decode to fragments. With *KL subtracted* they are even
#   paid for it.
# - **The noise is wrong**: with *no noise* the width σ has no job and goes to 1, where it is free, so the honest loss, which
#   does draw, is terrible. *σ² for σ* draws with one width and pays for another.
# - **The pixels are wrong**: a cross-entropy with targets up to 255 rewards white without end. After two sigmoids a pixel
#   lies between 0.5 and 0.73, so that neither black nor white exists.
#
# ## 2 · Examine the loss without training
#
# A real model trains for minutes or hours before anybody becomes suspicious. There is a quicker way. A loss sees
# nothing of the model but its answers, so call it with a **stand-in** (testers say *stub*) that gives answers which
# *we* choose: below, a function without a name, `lambda images: …`. If only the means change, so that the KL divergence
# rises by a known number of nats, how much does the loss rise, in a batch of 50 and in one of 100?


# %%
def price_of_a_nat(loss, n):
    """By how much the loss of n images rises if their KL divergence rises by one nat."""
    images, picture = train_set.floats[:n], torch.full((n, 1, 28, 28), 0.3, device=device)
    zeros = torch.zeros(n, 8, device=device)  # a mean of 0 and a log_var of 0: no KL
    near = loss(lambda images: (picture, zeros, zeros, zeros), images)
    far = loss(lambda images: (picture, zeros + 1.5, zeros, zeros), images)
    return ((far - near).mean() / kl_divergence(zeros + 1.5, zeros).mean()).item()


prices = {}
for name, loss in {"healthy": healthy_loss, **bad_losses}.items():
    prices[name] = [price_of_a_nat(loss, n) for n in (50, 100)]
    print(f"{name:18} a nat costs", *(f"{price:7.2f} nats" for price in prices[name]))

# %% tags=["claim"]
assert abs(prices["healthy"][0] - 1) < 0.01 and abs(prices["KL doubled"][0] - 2) < 0.01
assert abs(prices["KL missing"][0]) < 0.01 and abs(prices["KL subtracted"][0] + 1) < 0.01
assert abs(prices["KL summed"][1] / prices["KL summed"][0] - 2) < 0.05

# %% [markdown]
# Four of the six are found, without any training: a nat of KL must cost one nat, whatever the batch. For the remaining
# two, keep the code and change the *picture* that the stand-in gives back: the loss must rise as the summed
# cross-entropy does.
#
# `evaluate.doctor` is a list of such examinations. It also asks the model itself: is the noise as wide as `log_var` says,
# does an image get the same mean twice, can the decoder draw black and white, do units carry anything? It works for any VAE
# with the methods `encode`, `reparameterize` and `decode`, and any loss in the form that `fit` takes.

# %%
reports = {}
for name, (_, loss) in programs.items():
    reports[name] = evaluate.doctor(patients[name], test_set.floats, loss)
print(reports["KL summed"])

# %% tags=["figure"]
# The doctor's first finding for each program
for name, report in reports.items():
    words = (
        f"{report.findings[0].name}: {report.findings[0].words}" if report.findings else "–"
    )
    print(f"{name:22}{words[:88]}{'…' if len(words) > 88 else ''}")

# %% tags=["claim"]
assert not reports["healthy"].findings
expected = [
    "mean over pixels",
    "range",
    "KL missing",
    "KL doubled",
    "summed over the batch",
    "KL sign",
]
expected += ["no sampling", "wrong noise", "collapsed", "sigmoid twice"]
found = [report.findings[0].name for name, report in reports.items() if name != "healthy"]
assert found == expected, found

# %% [markdown]
# What it cannot see: too little data or training, a network that is too small, or an intention. A KL with weight 2
# counts as a bug, even if you meant β = 2; any other positive weight it reports as a β-VAE's, not as a bug.
#
# ## 3 · Ten bugs in thirty lines
#
# ### Your turn 1 · Repair it (15 min)
#
# This VAE contains ten mistakes, and runs without an error. Eight you have met. Two are new, and harm the *use* of a model:
# **dropout**, which sets some pixels to 0 by chance while training, must be switched off afterwards
# (`training=self.training` in `F.dropout`), and `encode` should give the mean of the code, not a draw. How many can you
# find by reading? Then run the cell, and see what the doctor still finds.


# %% tags=["exercise"]
class MyVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 16))
        self.decoder = nn.Sequential(nn.Linear(8, 256), nn.ReLU(), nn.Linear(256, 784))

    def encode(self, images):
        pixels = F.dropout(images.flatten(1), 0.1)
        mean, log_var = self.encoder(pixels).chunk(2, dim=1)
        return self.reparameterize(mean, log_var), log_var

    def reparameterize(self, mean, log_var):
        return mean + torch.exp(log_var) * torch.randn_like(mean)

    def decode(self, z):
        return torch.sigmoid(self.decoder(z)).unflatten(1, (1, 28, 28))

    def forward(self, images):
        mean, log_var = self.encode(images)
        z = self.reparameterize(mean, log_var)
        return self.decode(mean), mean, log_var, z

    def sample(self, n):
        return self.decode(torch.randn(n, 8, device=self.decoder[0].weight.device))

    def loss(self, images, labels=None):
        reconstruction, mean, log_var, _ = self(images)
        white = torch.sigmoid(reconstruction).clamp(1e-6, 1 - 1e-6)
        log_p = 255 * images * white.log() + (1 - 255 * images) * (1 - white).log()
        distortion = -log_p.flatten(1).mean(1)
        rate = (mean**2 + log_var.exp() - log_var - 1).sum()
        return distortion - rate


verdict = checks.repair(MyVAE)
RepairedVAE = verdict.working
verdict


# %% tags=["solution"]
class MyVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 16))
        self.decoder = nn.Sequential(nn.Linear(8, 256), nn.ReLU(), nn.Linear(256, 784))

    def encode(self, images):
        pixels = F.dropout(images.flatten(1), 0.1, training=self.training)  # 1
        mean, log_var = self.encoder(pixels).chunk(2, dim=1)
        return mean, log_var  # 2: the mean itself

    def reparameterize(self, mean, log_var):
        return mean + torch.exp(log_var / 2) * torch.randn_like(mean)  # 3: σ, not σ²

    def decode(self, z):
        return torch.sigmoid(self.decoder(z)).unflatten(1, (1, 28, 28))

    def forward(self, images):
        mean, log_var = self.encode(images)
        z = self.reparameterize(mean, log_var)
        return self.decode(z), mean, log_var, z  # 4: decode the draw

    def sample(self, n):
        return self.decode(torch.randn(n, 8, device=self.decoder[0].weight.device))

    def loss(self, images, labels=None):
        reconstruction, mean, log_var, _ = self(images)
        white = reconstruction.clamp(1e-6, 1 - 1e-6)  # 5: one sigmoid
        log_p = images * white.log() + (1 - images) * (1 - white).log()  # 6: x in [0, 1]
        distortion = -log_p.flatten(1).sum(1)  # 7: sum the pixels
        rate = (mean**2 + log_var.exp() - log_var - 1).sum(1) / 2  # 8: ½, 9: per image
        return distortion + rate  # 10: plus


# %% [markdown]
# Some bugs hide behind others: whether a KL is doubled cannot be told while it is summed over the batch. Now the repaired
# program may train. It should end near *healthy* of section 1.

# %%
repaired = train(RepairedVAE, train_set, RepairedVAE.loss)
print(evaluate.doctor(repaired, test_set.floats, RepairedVAE.loss))
print(
    f"−ELBO {measure(repaired, test_set, losses.negative_elbo)['loss']:.1f} nats per test digit"
)

# %% tags=["claim"]
assert not evaluate.doctor(repaired, test_set.floats, RepairedVAE.loss).findings
assert (
    measure(repaired, test_set, losses.negative_elbo)["loss"]
    < truth["healthy"]["loss"] + 12
)

# %% [markdown]
# ## 4 · Which pixels? Nats of what?
#
# The program is right now. Is its number of nats good? Nats are logarithms of probabilities, so it depends on *what* has the
# probability. Three ways to make a digit's pixels ready are in use:
#
# - **cut**: lighter than one half is white;
# - **drawn**: a pixel of grey level 0.8 becomes white with the probability 0.8, once and for all (**static
#   binarization**, as above) or in every step (**dynamic**);
# - **grey**: the grey levels themselves go into the cross-entropy. As a loss this works, because for a pixel of grey
#   level $x$ the best answer is still $\hat x = x$. But the result is no logarithm of a probability: the formula knows
#   only two outcomes, although there are 256 grey levels from 0 to 1.
#
# **Predict.** The same network, the same digits, the same training. Which of the three losses will be the lowest? And what
# would a perfect decoder pay, which knows the grey level of each pixel?


# %%
ways = {  # what happens to grey digits before the loss sees them
    "cut": lambda images: (images > 0.5).float(),
    "grey": lambda images: images,
    "drawn": torch.bernoulli,
}
nats, perfect = {}, {}
for name, prepare in ways.items():

    def loss(model, images, labels, prepare=prepare):
        return healthy_loss(model, prepare(images))

    nats[name] = measure(train(SmallVAE, train_grey, loss), test_grey, loss)["loss"]
    pixels = prepare(test_grey.floats)
    knows_all = pixels if name == "cut" else test_grey.floats
    perfect[name] = cross_entropy(knows_all, pixels).mean().item()
    print(f"{name:6} −ELBO {nats[name]:6.1f} nats,", end=" ")
    print(f"distortion of a perfect decoder (without any rate) {perfect[name]:5.1f} nats")

# %% tags=["claim"]
assert nats["cut"] < nats["drawn"] - 3 and abs(nats["grey"] - nats["drawn"]) < 4
assert perfect["cut"] < 0.1 and 40 < perfect["grey"] < 65 and 40 < perfect["drawn"] < 65
assert abs(perfect["grey"] - perfect["drawn"]) < 3, "the same on average"

# %% [markdown]
# Programs that differ in one line of data preparation differ by several nats, and for a perfect decoder by far more.
# Cut digits are the cheapest, because nothing in them is left to chance. Drawn digits have noise at the edges of their
# strokes that nobody can predict, and so a floor under which no model gets. For a fixed picture a *grey* pixel costs
# what *drawn* ones cost on average, because the cross-entropy is a straight line in $x$: the perfect decoder pays
# almost the same. **Papers report drawn digits. Never compare a cut or grey number with them.**
#
# ## 5 · Which σ?
#
# Photographs are grey or coloured for good, and there the usual likelihood is a **Gaussian**: the decoder's output is the
# mean of each pixel, around which it scatters with a width $\sigma$. For an image of $J$ pixels
#
# $$ -\log p(x \mid z) = \frac{1}{2\sigma^2} \sum_j (x_j - \hat x_j)^2 + J \log \sigma + \frac J2 \log 2\pi. $$
#
# With a fixed $\sigma$ the last two terms are constants, and the loss becomes *squared error* $/\,2\sigma^2$ *+ rate*.
# **Whoever adds a squared error to a KL has chosen a σ, knowingly or not.** The squared error *summed* over the pixels means
# $2\sigma^2 = 1$, so $\sigma \approx 0.71$. *Averaged* over 784 pixels it means $\sigma \approx 20$, although pixels lie
# between 0 and 1: this loss believes that all of the picture is noise.
#
# ### Your turn 2 · The best σ (5 min)
#
# Set the derivative of the formula with respect to σ to zero, on paper. Then write the one σ that makes
# $-\log p(x \mid z)$, summed over all images, smallest. Both arguments are (N, C, H, W). It goes into a loss below.


# %% tags=["exercise"]
def my_sigma(reconstruction, images):
    result = ...  # your code here
    return result


verdict = checks.optimal_sigma(my_sigma)
best_sigma = verdict.working
verdict


# %% tags=["solution"]
# With S the sum of the squared errors of all M pixels: d/dσ (S / 2σ² + M log σ) = −S / σ³ + M / σ = 0, so σ² = S / M.
def my_sigma(reconstruction, images):
    return (images - reconstruction).square().mean().sqrt()


# %% [markdown]
# Three VAEs for grey digits differ in nothing but their σ. The third computes it anew for each batch from its own
# errors (`detach`, because it is a setting, not a wish). The *grey levels* in the doctor's words run from 0 to 1.
#
# **Predict.** How many of the 8 numbers of a code will each of them use?


# %%
def gaussian_loss(model, images, labels, sigma):
    reconstruction, mean, log_var, _ = model(images)
    if sigma == "best":
        sigma = best_sigma(reconstruction, images).detach()
    distortion = losses.reconstruction_nll(reconstruction, images, "gaussian", sigma)
    return distortion + kl_divergence(mean, log_var)


grey_vaes = {}
for name, sigma in {"averaged": 19.8, "summed": 0.71, "best": "best"}.items():
    loss = functools.partial(gaussian_loss, sigma=sigma)
    grey_vaes[name] = train(SmallVAE, train_grey, loss)
    print(f"{name}\n{evaluate.doctor(grey_vaes[name], test_grey.floats, loss)}\n")

# %% tags=["figure"]
# What the three VAEs make of six digits, and the distortion of the last one's pictures for every σ
chosen = [int((test_grey.labels == digit).nonzero()[0]) for digit in (2, 3, 4, 5, 8, 9)]
rows = {"originals": test_grey.floats[chosen].cpu()}
units, carried, spread = {}, {}, {}
for name, vae in grey_vaes.items():
    with torch.no_grad():
        mean, log_var = vae.encode(test_grey.floats)
        rebuilt = vae.decode(mean)
    rates = (mean**2 + log_var.exp() - log_var - 1).mean(0) / 2
    units[name], carried[name] = int((rates > 0.1).sum()), rates.sum().item()
    spread[name] = best_sigma(rebuilt, test_grey.floats).item()
    rows[f"{name} error" if name != "best" else "best σ"] = rebuilt[chosen].cpu()
    text = f"{name:9} uses {units[name]} of {vae.latent_dim} numbers, which carry {carried[name]:4.1f}"
    print(f"{text} nats; its errors have σ = {spread[name]:.2f} (pixels from 0 to 1)")
plots.show(
    plots.image_rows(rows, "Grey digits and their reconstructions, with three σ"),
    alt="Six digits and their reconstructions. With the averaged error all are the same blob, with the summed one they are "
    "blurred, with the best sigma they are crisper.",
)

figure, ax = plt.subplots(figsize=(7, 3.3))
sigmas = torch.logspace(-1.5, 1.5, 200)
curve = spread["best"] ** 2 / (2 * sigmas**2) + sigmas.log() + math.log(2 * math.pi) / 2
ax.plot(sigmas, 784 * curve, color=plots.COLORS[0])
for name, sigma, color in (
    ("best", spread["best"], 3),
    ("summed", 0.71, 2),
    ("averaged", 19.8, 4),
):
    ax.axvline(sigma, color=plots.COLORS[color], linestyle="--")
    place = {"rotation": 90, "va": "top", "ha": "right", "color": plots.COLORS[color]}
    ax.text(sigma, 5900, f"{name} ", **place)  # above the curve
ax.set(
    xscale="log",
    ylim=(-900, 6000),
    xlabel="σ (pixels from 0 to 1)",
    ylabel="distortion (nats per image)",
    title="The same pictures, judged with every σ",
)
plots.show(
    figure,
    alt="The distortion against sigma falls steeply, has its minimum at the best sigma near 0.15, and rises slowly; 0.71 and 19.8 lie "
    "far up on the right.",
)

# %% tags=["claim"]
assert units["averaged"] == 0 and units["averaged"] < units["summed"] <= units["best"]
assert carried["best"] > 1.5 * carried["summed"] > 1
assert spread["best"] < 0.95 * spread["summed"] < spread["averaged"]
seen = functools.partial(gaussian_loss, sigma=0.71)
noted = evaluate.doctor(grey_vaes["summed"], test_grey.floats, seen)
assert f"but they are {spread['summed']:.2g}" in noted.findings[0].words, (
    "the doctor sees the same"
)
assert f"the rate is {carried['summed']:.1f}" in noted.notes[-1].words

# %% [markdown]
# With the averaged error not one number is worth its price, and all pictures are the mean digit. With the σ that the
# errors really have, the code carries the most, and the errors are the smallest. The others have not failed: they were
# told that everything below their σ is noise, and noise is not worth coding ([what is worth a number in the
# code](deeper/09_what_is_worth_a_number.ipynb): 20 minutes, optional).
#
# ## 6 · A tighter bound
#
# Back to black and white, and to your repaired VAE. Its −ELBO lies above the true $-\log p(x)$, by as much as the
# encoder's cloud differs from the true posterior (lesson 07). To compare *models*, one would rather have $-\log p(x)$
# itself. More draws come closer: with $k$ codes per image, average the **importance weights**, not their logarithms:
#
# $$ -\log p(x) \approx -\log \frac1k \sum_{i=1}^k w_i, \qquad w_i = \frac{p(x \mid z_i)\, p(z_i)}{q(z_i \mid x)}, \qquad z_i \sim q(z \mid x). $$
#
# For $k = 1$ this is −ELBO. On average it is an upper bound for every $k$, and tighter for a larger one. It is called the
# **importance-weighted NLL**, the negative log-likelihood.
#
# ### Your turn 3 · From weights to nats (5 min)
#
# `log_w` is (k, N), the *logarithms* of the $k$ weights of N images. Return the N estimates. Take care: $\log w$ is often below
# −110, and $e^{-110}$ is 0 in float32. `torch.logsumexp(a, dim)` computes $\log \sum e^a$ safely.


# %% tags=["exercise"]
def my_nll(log_w):
    result = ...  # your code here
    return result


verdict = checks.importance_weighted(my_nll)
nll_from_weights = verdict.working
verdict


# %% tags=["solution"]
def my_nll(log_w):
    return math.log(len(log_w)) - torch.logsumexp(log_w, dim=0)


# %%
@torch.no_grad()
def log_weights(vae, images, k):
    """log p(x|z) + log p(z) − log q(z|x) for k draws of z per image, (k, N)."""
    mean, log_var = vae.encode(images)
    rows = []
    for _ in range(k):
        noise = torch.randn_like(mean)
        z = mean + torch.exp(log_var / 2) * noise
        log_p_by_q = (noise**2 + log_var - z**2).sum(1) / 2  # log p(z) / q(z|x)
        rows.append(log_p_by_q - cross_entropy(vae.decode(z), images))
    return torch.stack(rows)


seed_everything(0)
log_w = log_weights(repaired.eval(), test_set.floats, k=1000)

# %% tags=["figure"]
# The estimate for more and more codes per image
counts = [1, 3, 10, 30, 100, 300, 1000]
curve = [nll_from_weights(log_w[:k]).mean().item() for k in counts]
figure, ax = plt.subplots(figsize=(7, 3.4))
ax.plot(counts, curve, marker="o", color=plots.COLORS[1])
for k, value in zip(counts, curve):
    ax.annotate(f"{value:.1f}", (k, value), xytext=(4, 6), textcoords="offset points")
ax.set(
    title="More codes per image, a tighter bound",
    xlabel="codes per image, k",
    ylabel="NLL (nats per image)",
    xscale="log",
    xticks=counts,
    xticklabels=counts,
)
ax.margins(0.08, 0.15)
ax.minorticks_off()
plots.show(
    figure,
    alt="The estimate of minus log p of x against the number of codes per image, on a logarithmic axis. It falls by several nats, "
    "quickly at first, and still falls at 1000.",
)

# %% tags=["claim"]
assert sorted(curve, reverse=True) == curve
assert curve[0] - curve[-1] > 2
theirs = evaluate.importance_weighted_nll(repaired, test_set.floats, 1000)
assert abs(theirs.mean().item() - curve[-1]) < 0.3, "the package should say the same"
assert abs(curve[0] - measure(repaired, test_set, losses.negative_elbo)["loss"]) < 1.5

# %% [markdown]
# The estimate falls by several nats, quickly at first, and still falls where we stop: rare codes of [large
# weight](deeper/07_importance_weights.ipynb) count for much, and a small number of draws easily misses them. So
# **whoever compares two numbers must check that their $k$ is the same.**
#
# ## 7 · The scoreboard
#
# `evaluate.scoreboard` measures models on held-out digits, here our 200 with $k = 100$: your repaired VAE, the one
# without a KL as a warning, and the model that the course ships. Its last two columns say how often a **linear probe**
# names the digit from the code (lesson 06), and the **Fréchet distance** from samples to MNIST's digits (lesson 08; low
# is good). So few images never reach 0: the last row shows what real digits get.
#
# **Predict.** The VAE without a KL reconstructs best among the dense ones. Where will its NLL be?

# %%
entries = {"dense, yours": repaired, "dense, KL missing": patients["KL missing"]}
entries["residual, shipped"] = load_pretrained("digits").to(device)
board = evaluate.scoreboard(entries, test_grey, k=100)
board

# %% tags=["claim"]
own, without_kl, shipped = board[:3]
assert shipped["nll"] < own["nll"] - 15 and without_kl["nll"] > own["nll"] + 20
assert without_kl["squared_error"] < own["squared_error"]
assert without_kl["frechet"] > 1.3 * own["frechet"], "the worst samples"
assert abs(without_kl["probe_accuracy"] - own["probe_accuracy"]) < 0.12, "as useful a code"
assert all(row["nll"] < row["neg_elbo"] for row in board[:3])
assert (
    abs(own["neg_elbo"] - measure(repaired, test_set, losses.negative_elbo)["loss"]) < 0.1
)

# %% [markdown]
# And now published numbers, for the 10,000 test digits of MNIST, with yours below them.

# %% tags=["figure"]
# Published numbers, and yours
each = evaluate.importance_weighted_nll(repaired, test_set.floats, 100)
yours = f"{each.mean():.2f} ± {each.std() / math.sqrt(len(each)):.2f}"
table = [
    ("model", "source", "pixels", "digits", "k", "NLL [nats]"),
    (
        "dense VAE, 50 numbers",
        "Burda and others 2016, table 1",
        "anew",
        "10,000",
        "5,000",
        "86.76",
    ),
    ("the same", "the same, appendix D", "once", "10,000", "5,000", "88.71"),
    ("residual VAE", "Kingma and others 2016, table 1", "anew", "10,000", "128", "81.08"),
    (
        "residual VAE, shipped",
        "its card",
        "anew, test once",
        "10,000",
        "100",
        "82.21 ± 0.21",
    ),
    ("dense VAE, yours", "the scoreboard above", "once", f"{len(each)}", "100", yours),
]
for model, source, pixels, digits, k, nll in table:
    print(f"{model:23}{source:33}{pixels:17}{digits:>6}{k:>7}   {nll}")
print(
    "pixels: drawn once, or drawn anew in every step; ±: standard error from the choice of digits"
)

# %% tags=["claim"]
assert abs(each.mean().item() - own["nll"]) < 0.1, "the scoreboard's number"
assert abs(own["nll"] - nll_from_weights(log_w[:100]).mean().item()) < 0.5, (
    "and section 6's"
)
assert each.mean() - 5 * each.std() / math.sqrt(len(each)) > 88.71 + 3

# %% [markdown]
# Two lines are comparable if *pixels* and *k* agree, but no two of the published ones do. So ask how much each can make:
# the pixels make two nats in the first two lines, and $k = 1000$ would lower the shipped model's number by 0.4 nats
# (its card, `data/pretrained/digits.md`). Both residual VAEs train on pixels drawn anew, with a similar $k$, so the
# nat between them is probably real, and so is your distance from all others. (The embedded digits come from MNIST's training set, which the shipped model has
# seen, so the scoreboard flatters it there.)
#
# No single number is enough. The VAE without a KL has the smallest squared error of the dense ones, but the worst NLL
# and samples, and the linear probe finds its code about as useful as yours. Nats, samples and useful codes are three
# different things, so say first what your VAE is *for*. ([How sure is a number of
# nats?](deeper/09_how_sure_are_nats.ipynb), 15 minutes, optional.)
#
# ## Workshop · Below 105 nats (25 min)
#
# Build a VAE that reaches an **NLL of at most 105 nats** ($k = 100$) on unseen, drawn digits, with **at most 100,000 weights**
# and **60 s of training**. The dense one below keeps to the limits and is far too high.
#
# You may change anything: layers, code size, learning rate, how long it trains, how the training digits are drawn. Two
# questions lead the way. Are training digits much better than test digits, so that it learns by heart? And where do the
# weights sit (lesson 04)?

# %% tags=["workshop"]
seed_everything(0)
mine = DenseVAE(hidden=(56,), latent_dim=16)
history = fit(mine, train_set, losses.negative_elbo, epochs=20, lr=5e-3, batch_size=64)
training, test = (
    measure(mine, d, losses.negative_elbo)["loss"] for d in (train_set, test_set)
)
print(f"−ELBO on training digits {training:.1f}, on test digits {test:.1f} nats")

verdict = checks.lesson_09.workshop(mine, history)
verdict

# %% tags=["solution"]
# Convolutions with three halvings, so that the dense layers see only 32 · 4 · 4 numbers; digits drawn anew in every step; a
# higher learning rate.
from vae_helpers.models import VAE


class SmallConvVAE(VAE):  # encode, reparameterize, decode and sample are the course's
    image_shape = (1, 28, 28)

    def __init__(self, latent_dim=16):
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = nn.Sequential(
            *(nn.Conv2d(1, 16, 4, 2, 1), nn.SiLU()),  # (16, 14, 14)
            *(nn.Conv2d(16, 32, 4, 2, 1), nn.SiLU()),  # (32, 7, 7)
            *(nn.Conv2d(32, 32, 3, 2, 1), nn.SiLU()),  # (32, 4, 4)
            *(nn.Flatten(), nn.Linear(32 * 4 * 4, 2 * latent_dim)),
        )
        self.decoder = nn.Sequential(
            *(nn.Linear(latent_dim, 32 * 4 * 4), nn.Unflatten(1, (32, 4, 4)), nn.SiLU()),
            *(nn.ConvTranspose2d(32, 32, 3, 2, 1), nn.SiLU()),  # (32, 7, 7)
            *(nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.SiLU()),  # (16, 14, 14)
            nn.ConvTranspose2d(16, 1, 4, 2, 1),  # (1, 28, 28)
        )


seed_everything(0)
mine = SmallConvVAE()
drawn_anew = functools.partial(losses.negative_elbo, binarize=True)
history = fit(mine, train_grey, drawn_anew, epochs=20, lr=1e-2, batch_size=64)

# %% tags=["alternative"]
# The maps stay 7 × 7, and only 8 of them reach the dense layers; a higher learning rate.
from vae_helpers.models import ConvVAE

seed_everything(0)
mine = ConvVAE(channels=(16, 32), hidden=1, latent_dim=16)
mine.encoder = nn.Sequential(
    *(*mine.encoder[:4], nn.Conv2d(32, 8, 3, padding=1), nn.SiLU()),
    *(nn.Flatten(), nn.Linear(8 * 7 * 7, 2 * 16)),
)
mine.decoder = nn.Sequential(
    *(nn.Linear(16, 8 * 7 * 7), nn.Unflatten(1, (8, 7, 7)), nn.SiLU()),
    *(nn.Conv2d(8, 32, 3, padding=1), *mine.decoder[4:]),
)

drawn_anew = functools.partial(losses.negative_elbo, binarize=True)
history = fit(mine, train_grey, drawn_anew, epochs=18, lr=1.5e-2, batch_size=64)

# %% [markdown]
# ## Summary
#
# - Wrong VAEs train without an error, and several report a better loss than the right one.
# - A loss can be examined without training, by a **stand-in** with known answers: a nat of KL must cost one nat.
#   `evaluate.doctor` does this and more.
# - Nats need a probability. **Cut**, **grey** and **drawn** pixels (once: static, anew: dynamic) are different scales, and
#   only drawn ones compare with papers.
# - A squared error is a Gaussian with a fixed σ. The best σ is the root mean squared error of a pixel; too large a σ
#   makes the code carry less, and in the end collapse.
# - The **importance-weighted NLL** is tighter than −ELBO and falls with $k$. Compare at equal pixels, $k$ and digits.
#
# ## Read and watch
#
# - Burda, Grosse and Salakhutdinov, [Importance weighted autoencoders](https://arxiv.org/abs/1509.00519) (2016): section
#   6, and the first two rows of the table.
# - Kingma and others, [Improving variational inference with inverse autoregressive
#   flow](https://arxiv.org/abs/1606.04934) (2016): a better cloud, and the third row.
# - Rybkin, Daniilidis and Levine, [Simple and effective VAE training with calibrated
#   decoders](https://arxiv.org/abs/2006.13202) (2021): the optimal σ in practice.
# - Theis, van den Oord and Bethge, [A note on the evaluation of generative models](https://arxiv.org/abs/1511.01844)
#   (2016): why nats, samples and usefulness are three things.
# - Pieter Abbeel and others, [Deep unsupervised learning](https://sites.google.com/view/berkeley-cs294-158-sp20/home) (2020):
#   lecture 4, on video, with importance weights.
#
# **Next:** [lesson 10 · A VAE for faces](10_a_vae_for_faces.ipynb): the program is right and the nats are good, and still the
# samples look worse than the reconstructions. Why?
