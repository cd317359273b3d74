# %% [markdown]
# # 08 · A VAE for handwritten digits
#
# Lesson 07 built the VAE piece by piece and broke it in ten ways. Now we build a real one, with
# convolutions, and put it to use. We let it write digits, look into its code, walk from one digit
# to another, and ask which pictures it takes for neighbours. And we answer the question that every
# builder of VAEs asks sooner or later: *is my loss any good?* Working through it takes about two
# hours. The end of section 6 is a good place for a break.
#
# **You will be able to**
#
# - write a convolutional VAE, train it, and read its two loss terms while it trains,
# - tell which numbers of a code are used, and say why the others are not,
# - draw a latent map and the manifold on a grid that follows the prior,
# - test a way of interpolating, instead of believing in it,
# - trade rate for distortion with β, and say what the slope of that curve means,
# - compare a VAE with other VAEs, and with published ones, in nats.
#
# **It builds on** lesson 07 (the ELBO, rate and distortion), lesson 04 (convolutions, the
# convolutional autoencoder) and lesson 03 (the latent map, and why random codes fail).

# %%
import functools
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from vae_helpers import checks, evaluate, losses, models, plots, widgets
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import load_digits
from vae_helpers.device import pick_device, seed_everything
from vae_helpers.train import fit, measure

plots.use_course_style()
seed_everything(0)
device = pick_device()
BLACK, BLUE, ORANGE, GREEN, RED = plots.COLORS[:5]

# %%
# 7,000 digits are enough to learn from here; the embedded set is smaller and stays whole.
train_set = load_digits("train").subset(slice(0, 7_000)).to(device)
valid_set = load_digits("valid").subset(slice(0, 1_000)).to(device)
test_set = load_digits("test")
# Spread over the whole set, because digits that follow each other are often by one writer.
test_set = test_set.subset(slice(None, None, len(test_set) // 1_000)).to(device)
names = test_set.label_names
print(f"{len(train_set):,} digits to learn from, {len(test_set):,} to test on")

# %% [markdown]
# ## 1 · Black and white, and a yardstick
#
# Nats measure the logarithm of a probability. So we need pixels that *have* a probability. A pixel
# that is black or white has one, a grey pixel does not (lesson 07, section 11). Lesson 07 cut at
# one half: what was lighter became white. Research papers let chance decide: a pixel with the grey
# level 0.8 becomes white with the probability 0.8. We do the same, because we want to compare our
# nats with theirs.
#
# The draw can be done once, or again and again. For **testing** it is done once, with a fixed seed,
# so that every model sees the same pictures: `binarized()`. For **training** we draw anew in every
# step: `binarize=True` in the loss. The model then hardly ever sees the same picture twice. That is
# a little help against learning by heart.

# %%
valid_bw, test_bw = valid_set.binarized(), test_set.binarized()
first_of_each = [int((test_set.labels == digit).nonzero()[0]) for digit in range(10)]
grey, drawn = test_set.floats[first_of_each], test_bw.floats[first_of_each]
rows = {
    "grey": grey,
    "a draw": drawn,
    "another draw": torch.bernoulli(grey),
    "and another": torch.bernoulli(grey),
}
plots.show(
    plots.image_rows(rows, "Chance decides which pixels are white"),
    alt="Ten grey digits, and below them three black-and-white versions each. The three differ in "
    "single pixels along the edges of the strokes.",
)

# %% [markdown]
# The draws differ at the edges of the strokes, where pixels are grey. This is noise, and nobody can
# predict it.
#
# How many nats are many? Three answers give us a yardstick. Two of them know nothing about the
# picture, and one knows too much:
#
# - the **coin**: every pixel is white with the probability ½;
# - the **mean image**: a pixel is white as often as it is white in the training set. This is the
#   best that can be done without a code. A VAE whose code has collapsed (lesson 07, section 13)
#   ends here;
# - the **cheat**: it has seen the grey original, and names its grey levels. These are exactly the
#   probabilities from which the pixels were drawn. What the cheat still pays is the price of the
#   noise. On new digits no model can get below it on average.

# %%
mean_image = train_set.floats.mean(0).clamp(1e-4, 1 - 1e-4)


def without_code(image):
    """Nats per test digit if this image is the decoder's answer to every one of them."""
    answer = image.expand(len(test_bw), 1, 28, 28)
    return losses.reconstruction_nll(answer, test_bw.floats).mean().item()


coin_nats = without_code(torch.full_like(mean_image, 0.5))
mean_image_nats = without_code(mean_image)
noise_nats = losses.reconstruction_nll(test_set.floats, test_bw.floats).mean().item()
print(f"coin        {coin_nats:6.1f} nats per image")
print(f"mean image  {mean_image_nats:6.1f} nats per image")
print(f"cheat       {noise_nats:6.1f} nats per image")
assert abs(coin_nats - 784 * math.log(2)) < 0.1
assert 190 < mean_image_nats < 225
assert 35 < noise_nats < 65, "the noise should have a price"

# %% [markdown]
# The coin costs $784 \log 2$, the number that lesson 07 told us to remember. Keep the other two in
# mind, too. Whatever a VAE gains over the mean image, it gains through its code. And the price of
# the noise is what it can never save.
#
# ## 2 · The model
#
# The convolutional autoencoder of lesson 04 becomes a VAE by what lesson 07 taught: the encoder's
# last layer gives *two* numbers for each number of the code, `mean` and `log_var`, and the code is
# drawn between encoder and decoder. We also make it wider, and put a dense layer of 256 neurons on
# either side of the code. With $d$ numbers per code, the shapes are:
#
# $$ (1, 28, 28) \to (32, 14, 14) \to (64, 7, 7) \to 256 \to \boxed{d} \to 256 \to (64, 7, 7) \to (32, 14, 14) \to (1, 28, 28) $$
#
# The decoder's output is the probability of white, for every pixel.


# %%
class ConvVAE(nn.Module):
    """A convolutional VAE for digits of 28 × 28 pixels."""

    def __init__(self, latent_dim=16):
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, kernel_size=4, stride=2, padding=1),  # (32, 14, 14)
            nn.SiLU(),
            nn.Conv2d(32, 64, kernel_size=4, stride=2, padding=1),  # (64, 7, 7)
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(64 * 7 * 7, 256),
            nn.SiLU(),
            nn.Linear(256, 2 * latent_dim),  # mean and log_var
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 256),
            nn.SiLU(),
            nn.Linear(256, 64 * 7 * 7),
            nn.Unflatten(1, (64, 7, 7)),
            nn.SiLU(),
            nn.ConvTranspose2d(64, 32, kernel_size=4, stride=2, padding=1),  # (32, 14, 14)
            nn.SiLU(),
            nn.ConvTranspose2d(32, 1, kernel_size=4, stride=2, padding=1),  # (1, 28, 28)
        )

    def encode(self, images):
        """(N, 1, 28, 28) → mean and log_var of q(z | x), each (N, latent_dim)."""
        # `fit` may compute in 16 bits, which is fast. The loss needs 32 bits: `.float()`.
        mean, log_var = self.encoder(images).float().chunk(2, dim=1)
        return mean, log_var

    def reparameterize(self, mean, log_var):
        """Draw a code: z = mean + σ · ε."""
        return mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)

    def decode(self, z):
        """(N, latent_dim) → the probability of white for each pixel, (N, 1, 28, 28)."""
        return torch.sigmoid(self.decoder(z).float())

    def forward(self, images):
        mean, log_var = self.encode(images)
        z = self.reparameterize(mean, log_var)
        return self.decode(z), mean, log_var, z

    @torch.no_grad()
    def sample(self, n):
        """n new pictures: codes drawn from the prior, decoded."""
        z = torch.randn(n, self.latent_dim, device=self.decoder[0].weight.device)
        return self.decode(z)


# %% [markdown]
# The package has the same model, `models.ConvVAE`, for the lessons to come. Same weights, same
# random numbers: same results? And does the first loss pass the test of lesson 07, "near 543 nats"?

# %%
ours, theirs = ConvVAE(latent_dim=32), models.ConvVAE(latent_dim=32)
theirs.load_state_dict(ours.state_dict())
images = test_bw.floats[::10].cpu()
results = []
for vae in (ours, theirs):
    seed_everything(1)
    with torch.no_grad():
        results.append(losses.negative_elbo(vae, images)["loss"])
print(f"{sum(p.numel() for p in ours.parameters()):,} parameters")
print(f"first loss: {results[0].mean():.1f} and {results[1].mean():.1f} nats per image")
assert torch.allclose(*results, rtol=1e-5), "the two models should be the same"
assert abs(results[0].mean() - 784 * math.log(2)) < 20, (
    "an untrained VAE should start near 543"
)

# %% [markdown]
# The two agree, and the untrained model starts close to 543 nats. From here on we use ours.
#
# ## 3 · Both terms while it trains
#
# We give the code 32 numbers. That is generous, and section 5 shows what the model does with so
# many. The loss is −ELBO, distortion plus rate with equal weights ($\beta = 1$), in nats per image.
# `fit` records both terms. It takes some ten to twenty seconds on a CPU. Watch the loss meanwhile:
# when does it pass the mean image?
#
# **Predict.** The sum must fall. What will the *rate* do: fall as well, or rise? Remember what it
# is: the price of a code that differs from the prior.

# %%
# The package's loss, with one argument filled in: draw every pixel anew in every step.
negative_elbo = functools.partial(losses.negative_elbo, binarize=True)
# 35,000 images in all: 5 epochs of 7,000 digits, or 10 of the embedded 3,500.
epochs = 35_000 // len(train_set)

seed_everything(0)
vae = ConvVAE(latent_dim=32).to(device)
untrained = measure(vae, valid_bw, losses.negative_elbo)
history = fit(
    vae, train_set, negative_elbo, epochs=epochs, valid=valid_bw, lr=5e-3, batch_size=64
)

# %%
course = {name: [untrained[name], *history.valid[name]] for name in untrained}
figure, axes = plt.subplots(1, 2, figsize=(10, 4))
axes[0].axhline(mean_image_nats, color="0.5", linestyle=":", label="mean image, no code")
axes[0].plot(course["loss"], color=BLACK, marker="o", label="−ELBO = D + R")
axes[0].plot(course["distortion"], color=BLUE, marker="o", label="distortion D")
axes[0].text(
    0.2,
    0.93,
    f"from {untrained['loss']:.0f} nats",
    transform=axes[0].transAxes,
    color="0.35",
)
axes[0].set(
    title="The sum falls, and so does the distortion",
    xlabel="epoch",
    ylabel="nats per held-out image",
    ylim=(0, 250),
)
axes[0].legend(loc="lower left")
axes[1].plot(course["rate"], color=ORANGE, marker="o", label="rate R")
axes[1].set(
    title="The rate rises", xlabel="epoch", ylabel="nats per held-out image", ylim=(0, 30)
)
axes[1].legend(loc="lower right")
for ax in axes:
    ax.xaxis.get_major_locator().set_params(integer=True)
plots.show(
    figure,
    alt="Left: against the epoch, distortion and the sum of both terms fall, steeply from far above "
    "the dotted line of the mean image, then ever more slowly to about half of it. Right: the rate "
    "rises from 0 to about twenty nats.",
)
rate, distortion = course["rate"][-1], course["distortion"][-1]
saved = mean_image_nats - distortion
print(f"rate before training {course['rate'][0]:.2f}, at the end {rate:.1f} nats")
print(f"distortion saved, compared with the mean image: {saved:.1f} nats")
print(f"{rate:.1f} nats are {rate / math.log(2):.0f} bits per image")
assert course["rate"][0] < 1 and rate > 12, "the rate should rise"
assert saved > 3 * rate, "and pay off"

# %% [markdown]
# The rate *rises*. Before training, the code says nothing. Then the model learns to say more and
# more, because that pays: on average each nat that goes into the code saves several nats of
# distortion. It pays to go on buying until one more nat of rate would save less than one nat of
# distortion. That is the whole logic of the two terms.
#
# So a rate that rises is a good sign. A rate that stays at 0 while the distortion sticks to the
# dotted line is the collapse of lesson 07.
#
# The last line of the print-out is worth a thought. That many *bits* are enough to tell the decoder
# roughly which picture to draw. Written down pixel by pixel, a black-and-white digit takes 784
# bits.
#
# ## 4 · Reconstructions and samples
#
# For a reconstruction we decode the **mean** of $q(z \mid x)$, not a random draw from it (lesson
# 07: "sampling at evaluation").
#
# **Predict.** The encoder sees the noisy black-and-white picture. What will the decoder give back:
# a picture with the same noise, or something else?

# %%
vae.eval()


@torch.no_grad()
def reconstruct(model, images):
    """Decode the mean of each image's code."""
    return model.decode(model.encode(images)[0])


rows = {
    "grey original": grey,
    "what the encoder sees": drawn,
    "reconstruction": reconstruct(vae, drawn),
}
plots.show(
    plots.image_rows(rows, "Ten test digits through 32 numbers"),
    alt="Three rows of ten digits: smooth grey originals, ragged black-and-white versions, and "
    "reconstructions that are smooth again. Most look like the originals; one or two come close to "
    "another digit.",
)
seen_error = losses.squared_error(test_bw.floats, test_set.floats).mean().item()
rebuilt_error = (
    losses.squared_error(reconstruct(vae, test_bw.floats), test_set.floats).mean().item()
)
print("squared error per image, against the grey originals")
print(f"what the encoder sees {seen_error:5.1f}")
print(f"reconstruction        {rebuilt_error:5.1f}")
assert rebuilt_error < 0.9 * seen_error, (
    "the reconstruction should be closer than the input"
)

# %% [markdown]
# The reconstructions are smooth. They are *closer to the grey originals than the pictures that the
# encoder saw*, although the model has never been shown a grey digit. The decoder has to name a
# probability for each pixel. Noise cannot be predicted, so the best probability is the grey level
# that the noise was drawn from. Without asking for it, we got the denoiser of lesson 05. (It is not
# perfect. Look for a digit that leans towards another one. The training took seconds.)
#
# Now the other direction. Draw codes from the prior, $z \sim \mathcal N(0, I)$, and decode them.
# This is where the autoencoder of lesson 03 failed.
#
# **Predict.** How many of the 36 pictures will you be able to read?

# %%
seed_everything(0)
samples = vae.sample(36).cpu()
plots.show(
    plots.image_rows(
        {"samples": samples[:12], " ": samples[12:24], "  ": samples[24:]},
        "36 random codes from N(0, I), decoded",
    ),
    alt="Three rows of twelve decoded random codes. Many can be read as digits; others are broken "
    "strokes or shapes between two digits.",
)

# %% [markdown]
# Many can be read. Lesson 03 had a ruler for this: a code is **at home** if it is no farther from
# the nearest code of a training digit than 95% of the test digits' codes are. With 32 numbers,
# practically none of the autoencoder's random codes was at home. And here? (A digit's code is now a
# draw from its cloud, because that is what the decoder was trained on.)

# %%
seed_everything(0)
with torch.no_grad():
    known = vae.reparameterize(*vae.encode(train_set.binarized().floats))
    tested = vae.reparameterize(*vae.encode(test_bw.floats))
limit = torch.cdist(tested, known).amin(1).quantile(0.95)
random_codes = torch.randn(1_000, 32, device=device)
at_home = (torch.cdist(random_codes, known).amin(1) <= limit).float().mean().item()
print(f"random codes at home: {at_home:.0%}; test digits' codes, by construction: 95%")
assert at_home > 0.5, "most random codes should lie where the codes of digits lie"

# %% [markdown]
# Most of them are. The rate has pulled the clouds to where we draw from, and in between there is
# little empty space. The samples are not perfect, though. Some shapes lie between two digits, or
# belong to none. Section 10 puts a number on their quality, and compares with a model that was
# trained for longer.
#
# ## 5 · Which numbers of the code are used?
#
# Each number of the code has its own bell curve, in $q$ and in the prior, and is drawn on its own.
# So the rate is a sum with one term for each number, or **unit**:
#
# $$ R = \sum_{j=1}^{d} R_j, \qquad R_j = \text{average over the images of } \tfrac12\big(\mu_j^2 + \sigma_j^2 - \log \sigma_j^2 - 1\big). $$
#
# $R_j$ tells how many nats unit $j$ carries, on average.
#
# ### Your turn 1 · The rate of each unit
#
# Write `my_unit_rates(mean, log_var)`. Both have the shape (N, latent_dim). Return the `latent_dim`
# numbers $R_j$, in nats.


# %% tags=["exercise"]
def my_unit_rates(mean, log_var):
    result = ...  # your code here
    return result


checks.unit_rates(my_unit_rates)


# %% tags=["solution"]
def my_unit_rates(mean, log_var):
    return 0.5 * (mean.square() + log_var.exp() - log_var - 1).mean(0)


# %% [markdown]
# Next to our model we now put a second one, which comes with the course, ready-trained: we call it
# the **shipped** model. It is a convolutional VAE with 32 numbers per code, too, but it is deeper.
# Its extra layers are **residual blocks**: two convolutions whose result is *added* to their input,
# which makes a deep network easier to train. It learnt from all 60,000 training digits of MNIST,
# for more than a hundred epochs.
#
# **Predict.** Of the 32 numbers, how many does our model use? Does the shipped one use more of
# them, or fewer?

# %%
shipped = load_pretrained("digits").to(device)


def unit_rates(mean, log_var):
    """Nats per image in each number of the code: (N, latent_dim) → (latent_dim,)."""
    return 0.5 * (mean.square() + log_var.exp() - log_var - 1).mean(0)


figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True)
rates, used = {}, {}
for ax, (name, model) in zip(axes, {"this lesson's": vae, "the shipped": shipped}.items()):
    with torch.no_grad():
        mean, log_var = model.encode(test_bw.floats)
    rates[name] = unit_rates(mean, log_var).cpu()
    used[name] = evaluate.active_units(mean).cpu()
    ordered = rates[name].sort(descending=True).values
    ax.bar(range(1, 33), ordered, color=[BLUE if r > 0.1 else RED for r in ordered])
    ax.set(title=f"{name} model", xlabel="unit, sorted by rate", xticks=[1, 8, 16, 24, 32])
    clear = rates[name] > 0.1
    ax.annotate(
        f"{32 - int(clear.sum())} units with\nat most 0.1 nats",
        (int(clear.sum()) + 2, 0.06),
        xytext=(int(clear.sum()) - 2, 0.9),
        arrowprops={"arrowstyle": "->", "color": RED},
        color=RED,
    )
    print(
        f"{name:14} model: {int(clear.sum()):2} units above 0.1 nats carry "
        f"{rates[name][clear].sum() / rates[name].sum():.0%} of the rate; "
        f"{int((rates[name] < 0.005).sum()):2} carry less than 0.005 nats"
    )
    assert torch.allclose(
        ordered.sum(), losses.kl_divergence(mean, log_var).mean().cpu(), rtol=1e-3
    )
axes[0].set_ylabel("rate of the unit (nats per image)")
figure.suptitle("What each of the 32 numbers carries")
plots.show(
    figure,
    alt="Two bar charts of the rate per unit, sorted. In both, some units carry one to three nats "
    "each. In this lesson's model a long tail of units carries next to nothing. In the shipped model "
    "more units are in use, and the last ones have no visible bar at all.",
)
share = (
    rates["this lesson's"].sort(descending=True).values[:20].sum()
    / rates["this lesson's"].sum()
)
assert share > 0.9, "20 units should carry nearly everything"
assert (rates["the shipped"] < 0.005).sum() >= 4, (
    "some units should be switched off completely"
)
in_use = {name: int((rate > 0.1).sum()) for name, rate in rates.items()}
assert in_use["the shipped"] > in_use["this lesson's"], "the shipped one should use more"

# %% [markdown]
# We offered 32 numbers. Our model puts nearly everything into a part of them. The rest has
# **collapsed**: whatever the image, the cloud of such a unit is almost the prior itself, mean 0 and
# width 1. The shipped model, with more layers, more digits and more time, has put more units to
# work, and has switched the others off altogether.
#
# Why would a model leave free space unused? Because it is not free. A unit that says a little costs
# a little rate, and its noise disturbs the decoder. If what it says saves less distortion than
# that, the best it can do is to keep quiet. And once it is quiet, the decoder learns to ignore it.
# Then speaking up saves nothing, and the unit stays quiet.
#
# Does the decoder really ignore it? We can test that. Draw random codes, change one of the numbers
# by 1, and measure how much the picture changes.

# %%
seed_everything(0)
with torch.no_grad():
    codes = torch.randn(200, 32, device=device)
    before = vae.decode(codes)
    effect = []
    for unit in range(32):
        nudged = codes.clone()
        nudged[:, unit] += 1
        effect.append(losses.squared_error(vae.decode(nudged), before).mean().item())
effect, own_rates = torch.tensor(effect), rates["this lesson's"]
strong, weak = own_rates.argmax().item(), own_rates.argmin().item()
second = own_rates.argsort(descending=True)[1].item()

figure = plt.figure(figsize=(10.6, 3.6))
left, right = figure.subfigures(1, 2, width_ratios=[1, 1.5])
ax = left.subplots()
ax.scatter(own_rates, effect, color=BLUE)
for unit, name, place in ((strong, "strongest", (-66, -4)), (weak, "weakest", (-2, 24))):
    ax.annotate(
        name,
        (own_rates[unit], effect[unit]),
        xytext=place,
        textcoords="offset points",
        arrowprops={"arrowstyle": "-", "color": "0.6"},
    )
ax.set(
    title="A unit without rate changes nothing",
    xlabel="rate of the unit (nats per image)",
    ylabel="change of the picture (squared error)",
)
walk = torch.linspace(-3, 3, 7)
axes = right.subplots(3, 7)
for row, unit, name in zip(
    axes, (strong, second, weak), ("strongest", "second", "weakest")
):
    codes = torch.zeros(7, 32, device=device)
    codes[:, unit] = walk
    with torch.no_grad():
        pictures = vae.decode(codes)
    for ax, picture in zip(row, pictures):
        plots.draw_image(ax, picture)
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
for ax, value in zip(axes[-1], walk):
    ax.set_xlabel(f"{value:g}".replace("-", "−"))
right.suptitle("One unit from −3 to 3, all others 0")
plots.show(
    figure,
    alt="Left: a scatter plot of the 32 units; the change of the picture grows with the rate and is "
    "almost zero for units without rate. Right: three rows of seven decoded images. Along the strongest "
    "and the second unit the shape changes, along the weakest all seven images are the same.",
)
print(
    f"change by the strongest unit {effect[strong]:.2f}, by the weakest {effect[weak]:.3f}"
)
assert effect[weak] < 0.1 * effect[strong], "the decoder should ignore a collapsed unit"
assert torch.corrcoef(torch.stack([own_rates, effect]))[0, 1] > 0.7

# %% [markdown]
# It does. The more a unit carries, the more it moves the picture, and the weakest moves next to
# nothing.
#
# In lesson 07 a collapse was a disease: *all* units went quiet, because the rate weighed too much.
# Here the loss is right, and only the units that are not worth their price are quiet. That is a
# feature. The VAE finds out by itself how many numbers it needs, as the linear VAE of lesson 07
# did. It has a practical use, too: offer plenty of units, and do not worry about the exact number.
# (It can still go wrong at $\beta = 1$, if the decoder is so strong that it can do without a code.
# Then people use the remedies of Bowman and others, under *What to read*.)
#
# How does one count used units? A common rule calls a unit **active** if its mean varies from image
# to image, with a variance above 0.01 (Burda and others, 2016). `evaluate.active_units` does that.
# It is a generous rule:

# %%
for name, active in used.items():
    print(f"{name:14} model: {int(active.sum())} of 32 units count as active")
assert used["the shipped"].sum() <= 28
assert used["this lesson's"].sum() > in_use["this lesson's"]

# %% [markdown]
# Our model has more active units than it has units above 0.1 nats: one with a hundredth of a nat
# can pass. So read "active" as "not switched off", and look at the bars if you want to know more.
#
# ## 6 · Two numbers: the map and the sheet
#
# A code of two numbers can be drawn. We train the same model with `latent_dim=2`.
#
# **Predict.** Recall the map of lesson 03, drawn by a plain autoencoder: long streaks, large gaps,
# any scale. Which of these will the rate change?

# %%
seed_everything(0)
flat_vae = ConvVAE(latent_dim=2)
fit(
    flat_vae,
    train_set,
    negative_elbo,
    epochs=epochs,
    valid=valid_bw,
    lr=5e-3,
    batch_size=64,
)
nats = {
    name: measure(model, test_bw, losses.negative_elbo)
    for name, model in {"2 numbers": flat_vae, "32 numbers": vae}.items()
}
print("            −ELBO = rate + distortion (nats per test image)")
for name, row in nats.items():
    print(f"{name:10} {row['loss']:7.1f} = {row['rate']:4.1f} + {row['distortion']:.1f}")
assert nats["2 numbers"]["loss"] > nats["32 numbers"]["loss"] + 20

# %% [markdown]
# Two numbers are far too few for digits, and the nats say so. But we can look at them.
#
# At the left of the next figure is the map. Each test digit stands at the mean of its cloud. The
# dashed circle holds 95% of the prior. (In two dimensions a draw lies within the radius $r$ with
# the probability $1 - e^{-r^2/2}$. This is 95% for $r = \sqrt{2 \log 20}$.)
#
# At the right is the decoder's sheet, the **manifold**. In lesson 03 we decoded a grid of equal
# steps. Here we know better where codes lie: the prior is a bell curve, so there is much to see
# near 0, and little far out. So we **warp** the grid: along each axis we cut the bell curve into 20
# slices of *equal probability*, and take the middle of each. For this we need the **normal
# quantile**: for a probability $p$ it gives the number $z$ such that a random draw falls below $z$
# with the probability $p$. PyTorch calls it `torch.special.ndtri`. The way back, from $z$ to $p$,
# is `torch.special.ndtr`.
#
# ### Your turn 2 · The warped grid
#
# Write `my_grid(steps)`. Cut the probabilities from 0 to 1 into `steps` equal slices, take the
# middle of each slice, and return the positions $z$ that belong to them, as a tensor of shape
# (steps,).


# %% tags=["exercise"]
def my_grid(steps):
    result = ...  # your code here
    return result


checks.warped_grid(my_grid)


# %% tags=["solution"]
def my_grid(steps):
    middles = (torch.arange(steps) + 0.5) / steps
    return torch.special.ndtri(middles)


# %%
steps = 20
radius = math.sqrt(2 * math.log(20))  # of the circle that holds 95% of the prior
with torch.no_grad():
    flat_mean, flat_log_var = flat_vae.encode(test_bw.floats)
    flat_draws = flat_vae.reparameterize(flat_mean, flat_log_var)

figure, axes = plt.subplots(1, 2, figsize=(12, 6))
plots.latent_map(
    flat_mean, test_set.labels, names, "The map: means of test digits", axes[0]
)
axes[0].add_patch(plt.Circle((0, 0), radius, fill=False, ls="--", color=BLACK))
axes[0].set(aspect="equal")
# The grid has equal steps in the probability p, and ndtri turns each p into a position z.
plots.manifold(
    lambda p: flat_vae.decode(torch.special.ndtri(p).to(device)),
    low=0.5 / steps,
    high=1 - 0.5 / steps,
    steps=steps,
    title="The sheet: equal probability for each tile",
    ax=axes[1],
)
ticks = torch.tensor([-1.5, -1, -0.5, 0, 0.5, 1, 1.5])
places = torch.special.ndtr(ticks).tolist()
tick_labels = [f"{z:g}".replace("-", "−") for z in ticks]
axes[1].set_xticks(places, tick_labels)
axes[1].set_yticks(places, tick_labels)
plots.show(
    figure,
    alt="Left: the latent map, a cloud of coloured points around 0. Some digits have a patch of their "
    "own, others overlap in the middle. Most points lie within a dashed circle of radius 2.4, but some "
    "digits lie mostly outside it. Right: 20 by 20 decoded images on the warped grid; digits pass "
    "smoothly into each other.",
)
inside = (flat_draws.norm(dim=1) < radius).float().mean().item()
print(
    f"codes drawn from q: mean {[round(m, 2) for m in flat_draws.mean(0).tolist()]}, ",
    end="",
)
print(
    f"spread {[round(s, 2) for s in flat_draws.std(0).tolist()]}; {inside:.0%} in the circle"
)
assert flat_draws.mean(0).abs().max() < 0.5, "the map should be centred"
assert 0.7 < flat_draws.std(0).min() and flat_draws.std(0).max() < 1.8, (
    "and of the prior's size"
)
assert inside > 0.65, "most codes should lie where the prior is"

# %% [markdown]
# The map is centred, and has about the size of the prior, because the rate pulls it there. In
# lesson 03 the scale was anything. Now 1 means one standard deviation of the prior. The long
# streaks are gone, and in the middle the digits crowd together without gaps. The directions still
# mean nothing: turn the whole map, and the prior, a round cloud, looks the same. (Lesson 07's
# linear VAE did find PCA's axes. With a decoder that can bend, such luck cannot be counted on.)
#
# But the fit is not perfect. Ten kinds of digits must share two numbers. So room is worth a lot,
# and some digits pay to live far out, beyond the circle. Only one random code in twenty falls
# there.
#
# Here the warped grid helps. Every tile stands for the same share of the prior, 1 in 400. So the
# sheet is a fair sample of what the VAE draws. If a digit covers a tenth of the sheet, a tenth of
# the samples will be that digit. Does each of the ten get its tenth? We let a judge count the
# tiles: a small classifier of digits that comes with the course.

# %%
judge = load_pretrained("digit_classifier").to(device)
probabilities = (torch.arange(steps) + 0.5) / steps
tiles = torch.cartesian_prod(*[torch.special.ndtri(probabilities)] * 2).to(device)
with torch.no_grad():
    on_sheet = judge(flat_vae.decode(tiles)).argmax(1).bincount(minlength=10) / len(tiles)
    by_judge = judge(test_set.floats).argmax(1).bincount(minlength=10) / len(test_set)
print("digit              " + "".join(f"{name:>6}" for name in names))
print("share of the sheet " + "".join(f"{share:6.1%}" for share in on_sheet.tolist()))
print("share of the test  " + "".join(f"{share:6.1%}" for share in by_judge.tolist()))
assert on_sheet.min() < 0.6 * by_judge.min(), "some digits should get too little room"

# %% [markdown]
# The test digits are spread evenly, the sheet is not at all. Some digits hardly come up. There are
# two reasons. Some live outside the circle. Others share their place on the map (their labels cover
# each other there). Two numbers cannot tell them apart, and the decoder draws a blend of them,
# which the judge must call something.
#
# The first reason is a general weakness of VAEs. All clouds together, the **aggregate posterior**,
# should fill the prior exactly, and they do so only roughly. Where they leave the prior empty, the
# decoder has learnt little, and samples are poor. What lies outside the prior never comes up as a
# sample. Lesson 10 measures this for faces, and mends it.
#
# ### Explore it
#
# Drag the sliders, or click a digit to jump to its middle. Try a straight walk from the ones to the
# zeros, and compare it with lesson 03: is there still a place where the picture falls apart? (No
# sliders? They need a running notebook. The figure above shows the same map, and the same sheet.)

# %%
widgets.explore_codes(flat_vae.decode, flat_mean, test_set.labels, names)

# %% [markdown]
# ## 7 · From one digit to another
#
# With 32 numbers we can no longer see the map. But we can walk in it: take the codes $a$ and $b$ of
# two pictures, and decode what lies between them. How should one walk? The plain way is a straight
# line, **linear interpolation** or *lerp*: $(1 - t)\, a + t\, b$ with $t$ from 0 to 1.
#
# Many people warn against it. To see why, ask how long a random code is: how far from 0?
#
# **Predict.** Draw $z \sim \mathcal N(0, I)$ with $d$ numbers. The most probable single point is 0.
# How far from 0 will most draws lie, for $d = 2$ and for $d = 32$?

# %%
seed_everything(0)
figure, ax = plt.subplots(figsize=(8, 3.8))
for d, color in ((2, GREEN), (32, BLUE), (200, BLACK)):
    lengths = torch.randn(20_000, d).norm(dim=1)
    ax.hist(
        lengths.numpy(), bins=60, density=True, color=color, alpha=0.45, label=f"d = {d}"
    )
    ax.axvline(math.sqrt(d), color=color, linestyle="--", lw=1)
    print(
        f"d = {d:3}: √d = {math.sqrt(d):5.2f}, length {lengths.mean():5.2f} ± {lengths.std():.2f}"
    )
    if d > 2:
        assert abs(lengths.mean() / math.sqrt(d) - 1) < 0.02 and lengths.std() < 0.8
a, b = torch.randn(2, 20_000, 32)
halfway = ((a + b) / 2).norm(dim=1)
ax.hist(
    halfway.numpy(),
    bins=60,
    density=True,
    color=RED,
    alpha=0.45,
    label="d = 32, halfway by lerp",
)
ax.set(
    title="Random codes lie on a shell of radius √d (dashed)",
    xlabel="length ‖z‖ of the code",
    ylabel="density",
)
ax.legend(loc="upper center", bbox_to_anchor=(0.62, 1))
plots.show(
    figure,
    alt="Histograms of the length of random codes. For 2 numbers it spreads from 0 to 4; for 32 it is "
    "a narrow hump around 5.7, for 200 one around 14, both at the dashed lines of the root of d. "
    "Points halfway between two codes of 32 numbers form a hump around 4.",
)
as_short = (a.norm(dim=1) < halfway.mean()).float().mean().item()
print(f"halfway by lerp: length {halfway.mean():5.2f} ± {halfway.std():.2f}")
print(f"random codes of 32 numbers shorter than that: {as_short:.1%}")
assert as_short < 0.03, "few random codes should be so short"
assert abs(halfway.mean() - math.sqrt(16)) < 0.1
assert (halfway > 32**0.5 - 1).float().mean() < 0.1, "few midpoints should reach the shell"

# %% [markdown]
# $\|z\|^2$ is a sum of $d$ squares, each 1 on average. So the length is about $\sqrt d$. And the
# more terms, the less their sum scatters in proportion. In 32 dimensions practically no draw lies
# near 0, the most probable point, because there is so little room near 0. Nearly all draws lie
# close to a **shell** with the radius $\sqrt d$.
#
# Halfway between two random codes, the straight line passes at the radius $\sqrt{d/2}$, *inside*
# the shell. Codes of this length almost never come up. So the decoder, people argue, has hardly
# been trained there. The proposed remedy is to walk on an arc: **spherical interpolation**, or
# *slerp* (Shoemake, 1985; for generative models White, 2016). With Ω (omega) for the angle between
# $a$ and $b$:
#
# $$ \text{slerp}(a, b, t) = \frac{\sin((1 - t)\,\Omega)}{\sin \Omega}\, a + \frac{\sin(t\,\Omega)}{\sin \Omega}\, b. $$
#
# ### Your turn 3 · Slerp
#
# Write `my_slerp(a, b, t)` for a batch: `a` and `b` are (N, d), one pair of codes per row, and `t`
# is a number. Every row has its own angle. Return (N, d). `F.cosine_similarity(a, b)` gives the N
# cosines, $a \cdot b / (\|a\| \|b\|)$.


# %% tags=["exercise"]
def my_slerp(a, b, t):
    result = ...  # your code here
    return result


checks.slerp(my_slerp)


# %% tags=["solution"]
def my_slerp(a, b, t):
    angle = torch.acos(F.cosine_similarity(a, b))[:, None]
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


# %% [markdown]
# The argument sounds convincing. But does it *matter*? This is a claim about pictures, and so far
# we have only looked at codes. Let us test it. We decode 1,000 codes of each of four kinds:
#
# - **random codes**, straight from the prior;
# - points halfway between two random codes by **lerp**;
# - the same by **slerp**;
# - as a **control**, random codes simply multiplied by $\sqrt{1/2}$. They have the length of the
#   lerp points, but nothing was interpolated. If they fare like lerp, then the length is to blame.
#
# We have three rulers, two of them with the help of the judge from section 6:
#
# - its **confidence**, as in lesson 03: how sure is it of each single picture?
# - the **variety** of the pictures: the variance over the pictures, summed over the pixels;
# - the **Fréchet distance** to real digits. It looks at the crowd. The judge's last hidden layer
#   describes each picture with 32 numbers, its *features*. (They have nothing to do with our
#   codes.) Take the mean and the covariance of the features over all pictures of a kind, and ask
#   how far they are from those of real digits (Heusel and others, 2017). 0 would be the same. Even
#   other real digits do not get 0, because 1,000 are not all digits there are. So the table has a
#   row for them.
#
# **Predict.** On which of the rulers will lerp do worse?


# %%
def lerp(a, b, t):
    """A point on the straight line from a to b."""
    return (1 - t) * a + t * b


def slerp(a, b, t):
    """A point on the arc from a to b, for codes (N, d)."""
    angle = torch.acos(F.cosine_similarity(a, b))[:, None]
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


@torch.no_grad()
def judged(pictures):
    """The judge's mean confidence, the variety, and the Fréchet distance to training digits."""
    return {
        "confidence": judge(pictures).softmax(1).amax(1).mean().item(),
        "variety": pictures.flatten(1).var(0).sum().item(),
        "Fréchet": evaluate.frechet_distance(judge.features(pictures), real_features),
    }


with torch.no_grad():
    real_features = judge.features(train_set.floats)
seed_everything(0)
a, b = torch.randn(2, 1_000, 32, device=device)
kinds = {
    "random codes": a,
    "halfway, lerp": lerp(a, b, 0.5),
    "halfway, slerp": slerp(a, b, 0.5),
    "random, shrunk": a * math.sqrt(0.5),
}
verdicts = {}
print("                 length   confidence   variety   Fréchet distance")
for model_name, model in (("this lesson's", vae), ("the shipped", shipped)):
    print(f"{model_name} model")
    for kind, codes in kinds.items():
        with torch.no_grad():
            row = judged(model.decode(codes))
        verdicts[model_name, kind] = row
        print(
            f"  {kind:15} {codes.norm(dim=1).mean():5.2f} {row['confidence']:12.1%} "
            f"{row['variety']:9.1f} {row['Fréchet']:12.0f}"
        )
row = judged(test_set.floats)
print(
    f"test digits             {row['confidence']:12.1%} {row['variety']:9.1f} {row['Fréchet']:12.0f}"
)

# %%
for name in ("this lesson's", "the shipped"):
    straight, arc, plain, control = (
        verdicts[name, kind]
        for kind in ("halfway, lerp", "halfway, slerp", "random codes", "random, shrunk")
    )
    assert abs(straight["confidence"] - arc["confidence"]) < 0.06, (
        "picture by picture: alike"
    )
    assert straight["variety"] < 0.9 * arc["variety"], "as a crowd: too much alike"
    assert straight["Fréchet"] > 1.4 * arc["Fréchet"], "and further from real digits"
    assert abs(arc["Fréchet"] / plain["Fréchet"] - 1) < 0.25, "slerp equals fresh codes"
    assert abs(control["Fréchet"] / straight["Fréchet"] - 1) < 0.25, (
        "the length is to blame"
    )

# %% [markdown]
# The answer is more interesting than "slerp is better".
#
# - **Picture by picture, there is hardly a difference.** The judge is about as sure of lerp's
#   pictures as of slerp's. Inside the shell the pictures do not fall apart.
# - **As a crowd, lerp's pictures are too much alike.** Their variety is smaller, and their Fréchet
#   distance to real digits is much larger. The nearer to 0, the more typical the pictures become,
#   and the unusual ones are missing.
# - **The length is to blame.** The control fares like lerp, although nothing was interpolated. And
#   slerp's points fare like fresh random codes. No wonder: they have almost the same distribution.
#
# So if you want a walk whose pictures are as varied as the model's samples, walk on the arc. If you
# show one morph to a friend, the straight line will do. Here is one, from real digits.

# %%
pairs = [(first_of_each[i], first_of_each[j]) for i, j in ((3, 8), (7, 2), (4, 0))]
with torch.no_grad():
    mean, log_var = vae.encode(test_bw.floats)
    rows = {}
    for start, end in pairs:
        a, b = mean[[start]], mean[[end]]
        for way, interpolate in (("lerp", lerp), ("slerp", slerp)):
            stops = [interpolate(a, b, t) for t in torch.linspace(0, 1, 11).tolist()]
            digits = f"{names[test_set.labels[start]]} → {names[test_set.labels[end]]}"
            rows[f"{digits}, {way}"] = vae.decode(torch.cat(stops))
    other = mean.roll(377, dims=0)  # pair each test digit with another one
    lengths = {
        "mean codes": mean.norm(dim=1),
        "codes drawn from q": vae.reparameterize(mean, log_var).norm(dim=1),
        "halfway between means, lerp": lerp(mean, other, 0.5).norm(dim=1),
        "halfway between means, slerp": slerp(mean, other, 0.5).norm(dim=1),
    }
plots.show(
    plots.image_rows(rows, "Three walks, straight and on the arc"),
    alt="Six rows of eleven images, two for each of three pairs of digits. Each row changes step by "
    "step from the first digit to the second. Straight line and arc give nearly the same pictures.",
)
for name, values in lengths.items():
    print(f"{name:29} length {values.mean():.2f}")
assert lengths["mean codes"].mean() < lengths["codes drawn from q"].mean() - 0.5
assert abs(lengths["codes drawn from q"].mean() - math.sqrt(32)) < 0.5
lost = lengths["halfway between means, lerp"].mean() / lengths["mean codes"].mean()
assert lost < 0.85, "lerp should lose length between real digits, too"
kept = lengths["halfway between means, slerp"].mean() / lengths["mean codes"].mean()
assert abs(kept - 1) < 0.05, "slerp should keep it"

# %% [markdown]
# The two ways look almost the same to the eye, as the judge said.
#
# One more thing in the print-out. Codes *drawn* from $q$ lie on the shell. The *means* lie inside
# it: they lack the noise, and a collapsed unit has the mean 0. So do not stretch means to the
# radius $\sqrt d$, as some recipes advise. Slerp needs no such stretching: it keeps the length of
# its two ends.
#
# ## 8 · Neighbours
#
# Which training digits resemble this one? To answer, one needs a distance. Between *pixels*, the
# squared error is the simple choice. But if a stroke moves by its own width, all of its pixels are
# wrong. Between *codes*, the distance may follow the shape instead. (Here the encoder gets the grey
# digits. So no chance enters, except where we ask for it.)
#
# **Predict.** The nearest five training digits vote on what a test digit is, as in lesson 03. Which
# wins: 784 pixels or 32 numbers? And what if the test digits are shifted by two pixels? And what if
# we compare codes drawn from $q$ in place of the means?


# %%
def neighbours(asked, known):
    """Positions of the five nearest rows of known (M, D) for each row of asked (N, D): (N, 5)."""
    return torch.cdist(asked, known).topk(5, largest=False).indices


def vote(asked, known):
    """Share of test digits that the five nearest training digits name rightly."""
    named = train_set.labels[neighbours(asked, known)].mode(1).values
    return (named == test_set.labels).float().mean().item()


@torch.no_grad()
def spaces(images):
    """The images as pixels, as means of their codes, and as codes drawn from q."""
    mean, log_var = vae.encode(images)
    drawn_codes = vae.reparameterize(mean, log_var)
    return {"pixels": images.flatten(1), "means": mean, "codes drawn from q": drawn_codes}


seed_everything(0)
known, asked = spaces(train_set.floats), spaces(test_set.floats)
shifted = spaces(torch.roll(test_set.floats, 2, dims=3))  # two pixels to the right
votes = {space: vote(asked[space], known[space]) for space in known}
shifted_votes = {space: vote(shifted[space], known[space]) for space in known}
print("named rightly         numbers   test digits   shifted by 2")
for space in known:
    print(
        f"{space:20} {known[space].shape[1]:8} {votes[space]:13.1%} {shifted_votes[space]:14.1%}"
    )

# %%
queries = [first_of_each[digit] for digit in (2, 4, 7, 9)]
# The digit asked about, five neighbours in pixels, and five in code, with narrow gaps between.
widths = [1, 0.25, *[1] * 5, 0.25, *[1] * 5]
figure, axes = plt.subplots(4, len(widths), figsize=(9.9, 4), width_ratios=widths)
for row, query in zip(axes, queries):
    plots.draw_image(row[0], test_set.floats[query])
    row[1].set_axis_off()
    row[7].set_axis_off()
    for start, space in ((2, "pixels"), (8, "means")):
        nearest = neighbours(asked[space][[query]], known[space])[0]
        for ax, position in zip(row[start : start + 5], nearest):
            plots.draw_image(ax, train_set.floats[position])
            right = train_set.labels[position] == test_set.labels[query]
            ax.spines[:].set(visible=True, color=GREEN if right else RED, linewidth=2.5)
            ax.spines[:].set_linestyle("-" if right else (0, (2, 2)))
axes[0, 0].set_title("asked")
axes[0, 4].set_title("nearest in pixels")
axes[0, 10].set_title("nearest in code")
figure.suptitle("Five neighbours (solid frame: same digit, dashed: another)")
plots.show(
    figure,
    alt="Four test digits, each with its five nearest training digits by pixels and by code. Most "
    "neighbours are the same digit and similar in slant and thickness. A dashed frame marks another "
    "digit.",
)
assert abs(votes["means"] - votes["pixels"]) < 0.05, "32 numbers should do about as well"
assert shifted_votes["means"] > shifted_votes["pixels"] + 0.02, "and be harder to fool"
drop = {space: votes[space] - shifted_votes[space] for space in votes}
assert drop["pixels"] > drop["means"] > 0.05, "both should lose, and pixels more"
assert votes["codes drawn from q"] < votes["means"] - 0.05, "the draw should cost accuracy"

# %% [markdown]
# 32 numbers do about as well as 784 pixels, and there are 24 times fewer of them to store and to
# compare. Search engines for pictures or songs do the same with the codes of larger models. Shift
# the digits a little, and pixels lose more than codes: a code says something about the shape. But
# codes lose a lot, too. Nobody has told the VAE that a shift does not matter. (Showing it shifted
# digits would.)
#
# The last row of the table is a warning. With codes drawn from $q$, the vote gets worse. The noise
# must be to blame. Where does it come from?

# %%
with torch.no_grad():
    variance = vae.encode(test_bw.floats)[1].exp().mean(0).cpu()
quiet = own_rates <= 0.1
noise_share = (variance[quiet].sum() / variance.sum()).item()
print(f"{int(quiet.sum())} units with at most 0.1 nats make {noise_share:.0%} of the noise")
assert noise_share > 1.2 * quiet.float().mean(), "collapsed units should be the noisiest"

# %% [markdown]
# A large part of it comes from units that have nothing to say. Their clouds have the width 1, and a
# distance counts all units alike. For anything that needs *the* code of an image, take the mean.
#
# ## 9 · Rate against distortion
#
# With $\beta = 1$ the two terms add up to −ELBO. But nothing stops us from weighing the rate
# differently:
#
# $$ \text{loss} = D + \beta R. $$
#
# With a large β, rate is expensive, and the model saves on it. With a small β it buys more. Each β
# gives a model with its own $R$ and $D$. We train five. To be quick, we take small *dense* VAEs
# like those of lesson 07. Whatever β they were trained with, we *measure* rate and distortion in
# the same way, without β.
#
# **Predict.** For which β will the reconstructions be best? For which will −ELBO $= D + R$ be best?
# And for which will the samples be best?

# %%
betas = (0.1, 0.3, 1.0, 3.0, 10.0)
family, points, sample_scores = {}, {}, {}
for beta in betas:
    seed_everything(0)
    family[beta] = models.DenseVAE(hidden=(256,), latent_dim=16)
    loss = functools.partial(losses.negative_elbo, binarize=True, beta=beta)
    fit(family[beta], train_set, loss, epochs=epochs, lr=5e-3)
    points[beta] = measure(family[beta], test_bw, losses.negative_elbo)
    sample_scores[beta] = judged(family[beta].sample(1_000))["Fréchet"]

# %%
R = torch.tensor([points[beta]["rate"] for beta in betas])
D = torch.tensor([points[beta]["distortion"] for beta in betas])
slopes = -(D.diff() / R.diff())

figure, axes = plt.subplots(1, 3, figsize=(11, 4.2), width_ratios=[1.7, 1, 1])
axis = torch.linspace(0, 75, 2)
for total in (100, 125, 150, 175, 200):
    axes[0].plot(axis, total - axis, color="0.85", lw=1, zorder=0)
    right_end = min(74, total - 62)
    axes[0].text(
        right_end, total - right_end + 1, total, color="0.5", ha="right", fontsize=9
    )
axes[0].plot(R, D, color=BLUE, marker="o")
for beta, r, d in zip(betas, R, D):
    axes[0].annotate(f"β = {beta:g}", (r, d), xytext=(7, 5), textcoords="offset points")
axes[0].set(
    title="What a nat of rate buys (grey: equal −ELBO)",
    xlabel="rate R (nats per test image)",
    ylabel="distortion D (nats per test image)",
    xlim=(0, 75),
    ylim=(60, 215),
)
axes[1].plot(betas, R + D, color=BLACK, marker="o")
axes[1].set(title="−ELBO", ylabel="D + R (nats per test image)")
axes[2].plot(betas, sample_scores.values(), color=ORANGE, marker="s")
axes[2].set(title="Samples", ylabel="Fréchet distance (lower is better)", ylim=(0, None))
for ax in axes[1:]:
    ax.set(
        xlabel="β in training",
        xscale="log",
        xticks=betas,
        xticklabels=map("{:g}".format, betas),
    )
    ax.minorticks_off()
plots.show(
    figure,
    alt="Left: distortion against rate for five values of beta, a falling curve that is steep at small "
    "rates and flat at large ones, over grey lines of equal sum; beta equal to 1 comes lowest in the "
    "sum. Middle and right: against beta, minus ELBO and the Fréchet distance of samples are both "
    "U-shaped, with the lowest point at 1 or near it.",
)
busy = {}
print("   β    rate   distortion   −ELBO   units above 0.1 nats   Fréchet distance")
for beta in betas:
    with torch.no_grad():
        mean, log_var = family[beta].encode(test_bw.floats)
    busy[beta] = int((unit_rates(mean, log_var) > 0.1).sum())
    print(
        f"{beta:4g} {points[beta]['rate']:7.1f} {points[beta]['distortion']:12.1f} "
        f"{points[beta]['loss']:7.1f} {busy[beta]:16} of 16 {sample_scores[beta]:18.0f}"
    )
print("\nbetween β of    the slope −ΔD/ΔR is")
for low, high, slope in zip(betas, betas[1:], slopes):
    print(f"{low:5g} and {high:3g} {slope:11.2f}")
    assert 0.6 * low < slope < 1.6 * high, "the slope should lie between the two β"
assert min(betas, key=lambda beta: points[beta]["loss"]) == 1.0, "β = 1 should win in −ELBO"
assert D.diff().min() > 0 > R.diff().max(), "a larger β: less rate, more distortion"
assert sample_scores[1.0] < min(sample_scores[0.1], sample_scores[10.0])
assert busy[10.0] < busy[1.0], "units should collapse"

# %%
seed_everything(0)
rows = {"originals": drawn}
with torch.no_grad():
    noise = torch.randn(10, 16, device=device)
    for beta in (0.1, 1.0, 10.0):
        rows[f"β = {beta:g}, reconstructed"] = reconstruct(family[beta], drawn)
    for beta in (0.1, 1.0, 10.0):
        rows[f"β = {beta:g}, samples"] = family[beta].decode(noise)
plots.show(
    plots.image_rows(rows, "The same model, trained with three values of β", size=0.7),
    alt="Seven rows of ten images. With beta 0.1 reconstructions are good and samples broken; with "
    "beta 1 reconstructions are nearly as good, and more samples can be read; with beta 10 both are "
    "blurred, and reconstructions often show another digit.",
)

# %% [markdown]
# The left panel shows a curve that every method of compression has, MP3 and JPEG, too. Look at the
# slopes in the print-out. Between two neighbouring values of β, the curve falls with a slope that
# lies between the two. That is no accident. Training stops buying where one more nat of rate saves
# exactly β nats of distortion. **β is the slope** (up to the sign), the price at which the model
# trades.
#
# - **β < 1** buys rate that is not worth it. Reconstructions get better (look at $D$), but the
#   codes stray from the prior. So the sum gets worse, and at the smallest β the samples are broken.
# - **β = 1** gives the best sum. That is not surprising, since only here the loss *is* the sum. The
#   samples are best here, too, or at a β close by.
# - **β > 1** sells detail to save rate. At the largest β reconstructions and samples are blurred,
#   and units have collapsed.
#
# None of them is wrong. It depends on what you want. For good reconstructions one may take a small
# β. A large β is sometimes used in the hope that each number of the code then means one thing: the
# β-VAE of Higgins and others (2017). Lesson 13 returns to it. But if you want a *probability*, nats
# that can be compared with others, then train with $\beta = 1$. For every model, $D + R$ is an
# upper bound of $-\log p(x)$, but only with $\beta = 1$ does the training make it as small as it
# can.
#
# That brings us to the last question.
#
# ## 10 · Is my loss good? The scoreboard
#
# Our −ELBO is an upper bound of $-\log p(x)$. The true value lies below it, and the gap depends on
# the encoder (lesson 07). For comparisons one would rather have the value itself. There is a way to
# get closer: draw more codes. Lesson 07 had weights $w = p(x, z) / q(z \mid x)$ whose average is
# $p(x)$. So draw $k$ codes per image and average the *weights*, not their logarithms:
#
# $$ -\log p(x) \approx -\log \frac1k \sum_{i=1}^k w_i, \qquad w_i = \frac{p(x \mid z_i)\, p(z_i)}{q(z_i \mid x)}, \qquad z_i \sim q(z \mid x). $$
#
# For $k = 1$ this is −ELBO, on average over the draws. It is an upper bound (on average) for every
# $k$, and gets tighter as $k$ grows. This is the **importance-weighted** estimate of the **negative
# log-likelihood**, NLL (Burda and others, 2016). Papers use it with $k$ in the thousands.
#
# ### Your turn 4 · From weights to nats
#
# `log_w` has the shape (k, N): the *logarithms* of the $k$ weights of N images. Return the N
# estimates of $-\log p(x)$. Take care: for digits $\log w$ is often below $-110$, and $e^{-110}$ is
# 0 in float32. `torch.logsumexp` adds up numbers that are given by their logarithms, without
# leaving the logarithm.


# %% tags=["exercise"]
def my_nll(log_w):
    result = ...  # your code here
    return result


checks.importance_weighted(my_nll)


# %% tags=["solution"]
def my_nll(log_w):
    k = len(log_w)
    return math.log(k) - torch.logsumexp(log_w, dim=0)


# %% [markdown]
# The package's `evaluate.importance_weighted_nll` does the drawing and the adding up. We look at
# 100 digits with our model.
#
# **Predict.** Does the estimate fall by less than one nat from $k = 1$ to $k = 300$, by several, or
# by dozens? And is the curve flat at the end?

# %%
seed_everything(0)
some = test_bw.subset(slice(None, None, 10)).floats
counts = [1, 3, 10, 30, 100, 300]
nll = [evaluate.importance_weighted_nll(vae, some, k).mean().item() for k in counts]
figure, ax = plt.subplots(figsize=(6.5, 3.6))
ax.plot(counts, nll, marker="o", color=BLUE)
ax.set(
    title="More codes per image, a tighter bound",
    xlabel="codes per image, k",
    ylabel="estimate of −log p(x) (nats)",
    xscale="log",
    xticks=counts,
    xticklabels=counts,
)
ax.minorticks_off()
plots.show(
    figure,
    alt="The estimate of minus log p of x against the number of codes per image on a logarithmic axis. "
    "It falls by several nats from 1 to 300, quickly at first, and still falls slightly at the end.",
)
print(f"k = 1: {nll[0]:.1f} nats (−ELBO), k = 100: {nll[4]:.1f}, k = 300: {nll[5]:.1f}")
assert nll[0] - nll[4] > 2, "the gap should be visible"
assert 0 < nll[4] - nll[5] < nll[1] - nll[2], "the curve should flatten"

# %% [markdown]
# The estimate falls by several nats. The curve flattens, but it is not flat: $k = 100$ is still a
# little too high. **When you compare two numbers, check that their $k$ is the same.**
#
# Now the scoreboard. `evaluate.scoreboard` takes any models of the course, and measures all that
# this course knows how to measure, on held-out images:
#
# - −ELBO with its rate and distortion, and the NLL with $k = 100$, for black-and-white digits;
# - the squared error per image of reconstructing the *grey* digits;
# - the number of active units;
# - a **linear probe**: how often a linear classifier names the digit rightly from the code's mean;
# - the samples' Fréchet distance, with the images themselves in a row of their own as the floor.
#   (It compares with all training digits of MNIST, section 7 with ours, so the numbers differ a
#   little.)
#
# On it are four VAEs: the dense one with $\beta = 1$ from section 9, our two convolutional ones,
# and the shipped one. Below them we put what the shipped model's **card** says, the page that comes
# with it, and three numbers from the literature. They are not measured here: they are what their
# authors report, for VAEs with a standard prior on black-and-white MNIST. It takes a little while,
# because the shipped model has many convolutions to do.
#
# **Predict.** Which columns will *not* put the four VAEs in the same order as NLL does?

# %%
board = evaluate.scoreboard(
    {
        "dense, 16 numbers, ours": family[1.0],
        "conv, 2 numbers, ours": flat_vae,
        "conv, 32 numbers, ours": vae,
        "conv, residual, 32 numbers, shipped": shipped,
    },
    test_set,
    k=100,
)
card = shipped.about["test_scores"]
board.append({"model": "shipped, 10,000 test digits (its card)", **card})
published = {
    "published: dense VAE, as in the IWAE paper": 86.76,
    "published: VAE with standard prior, VampPrior line": 84.45,
    "published: residual VAE, IAF paper": 81.08,
}
for name, value in published.items():
    board.append({"model": name, "nll": value})
if "embedded" in test_set.source:
    print(
        "Careful: the shipped model has seen these 1,000 digits. Its row is a little too good."
    )
board

# %%
dense, flat, own, best = board[:4]
assert all(row["nll"] < row["neg_elbo"] for row in board[:4]), "NLL ≤ −ELBO"
assert best["nll"] < own["nll"] < flat["nll"], "shipped before ours before two numbers"
assert own["nll"] < dense["nll"], "convolutions should pay"
assert card["nll"] < 84.5, (
    "on unseen digits the shipped model should be among the published"
)
assert abs(best["nll"] - card["nll"]) < 4, "1,000 digits should tell about the same"
assert own["nll"] > max(published.values()) + 10, "a short training should show"
assert best["frechet"] < own["frechet"] and 2 * own["frechet"] < flat["frechet"]
assert best["active_units"] < own["active_units"]
assert best["probe_accuracy"] < own["probe_accuracy"] + 0.03, (
    "nats do not make a better code"
)

# %% [markdown]
# How to read it:
#
# - **NLL** is the number to compare with papers. Our best model, trained in seconds on a few
#   thousand digits, is more than ten nats behind the published ones. The shipped one is among them.
#   (And nobody will ever get to 0: remember the price of the noise in section 1.)
# - **On which pictures?** The published numbers are for all 10,000 test digits of MNIST, with $k$
#   in the thousands. So the fair line to set beside them is the one from the shipped model's
#   card, `data/pretrained/digits.md`, for the same digits. Its $k$ is 100; with 1,000 it would be
#   about 0.4 nats lower, as the card says. The rows above are for 1,000 digits. And with the
#   embedded digits there is a catch: all of them come from MNIST's *training* set, so the shipped
#   model has seen them. For the other three models they are new.
# - **The linear probe** and the **active units** go their own way. The shipped model has by far the
#   best nats, and need not have the most useful code. Nobody asked it to lay out its code so that a
#   *straight* cut can tell digits apart. If you want a code for classification, measure that. And
#   more active units are not better in themselves: ours has more of them, and worse nats.
# - **The samples** of the model with 2 numbers score badly, although single tiles of its sheet look
#   fine. The Fréchet distance judges the crowd, and in this crowd some digits hardly come up. Nats,
#   samples and useful codes are three different things (Theis and others, 2016).
# - **The images themselves** give the floor of the sample score. It shows how much is left to do.
#
# How sure are such numbers? They are averages over 1,000 digits, and digits differ a lot.

# %%
with torch.no_grad():
    own_nats = losses.negative_elbo(vae, test_bw.floats)["loss"]
    shipped_nats = losses.negative_elbo(shipped, test_bw.floats)["loss"]
n = len(own_nats)
alone = own_nats.std().item() / math.sqrt(n)
paired = (own_nats - shipped_nats).std().item() / math.sqrt(n)
difference = (own_nats - shipped_nats).mean().item()
print(f"−ELBO of our model:             {own_nats.mean():6.2f} ± {alone:.2f} nats")
print(f"ours minus the shipped model's: {difference:6.2f} ± {paired:.2f} nats")
assert paired < 0.8 * alone, "differences on the same images should be more certain"
assert difference > 10 * paired

# %% [markdown]
# The ± is the standard error: the average would move by about this much with 1,000 other digits.
# Differences on the *same* digits are more certain than the numbers themselves, because a digit
# that is hard for one model is hard for the other. So compare models on the same pictures.
#
# Take three habits from this lesson into your own work. Write down both terms, not only the sum.
# Compare at equal pictures, equal $k$, and equal ways to make them black and white. And say what
# you want a VAE *for*, before you call one of them better.
#
# ## Summary
#
# - A convolutional VAE is a convolutional autoencoder with two outputs per number of the code, and
#   a draw in between. In training its **rate rises**: it buys information as long as a nat saves
#   more than a nat.
# - The decoder names probabilities. So reconstructions are smooth, and free of the noise of the
#   black-and-white input. The noise has a price in nats that no model can save.
# - **Collapse per unit**: units that are not worth their price carry nothing, and the decoder
#   ignores them. At $\beta = 1$ this is how a VAE chooses the size of its code.
# - In two dimensions the map has the prior's place and size, though not exactly. A grid warped
#   through the **normal quantile** shows every part of the prior in its proportion.
# - Random codes lie on a shell of radius $\sqrt d$. **Lerp** leaves it and **slerp** stays on it.
#   Measured, single pictures suffer little, but the crowd loses variety. The length is to blame.
# - Means of codes make good neighbours. Draws do not.
# - **β is a price**, the slope of the rate–distortion curve. Only with $\beta = 1$ is the loss
#   −ELBO itself.
# - The **importance-weighted NLL** is tighter than −ELBO, and the number to compare with papers: on
#   equal pictures, with equal $k$.
#
# ## What to read
#
# - Burda, Grosse and Salakhutdinov, 2016, [Importance weighted
#   autoencoders](https://arxiv.org/abs/1509.00519): the NLL of section 10, active units, and the
#   86.76.
# - Tomczak and Welling, 2018, [VAE with a VampPrior](https://arxiv.org/abs/1705.07120): a better
#   prior, with careful comparisons on many data sets.
# - Kingma and others, 2016, [Improving variational inference with inverse autoregressive
#   flow](https://arxiv.org/abs/1606.04934): a better guess $q$. Its plain residual VAE has the
#   81.08.
# - White, 2016, [Sampling generative networks](https://arxiv.org/abs/1609.04468): the case for
#   slerp. Read it after section 7, and decide.
# - Alemi and others, 2018, [Fixing a broken ELBO](https://arxiv.org/abs/1711.00464): the
#   rate–distortion plane, and what the sum hides.
# - Higgins and others, 2017, [β-VAE](https://openreview.net/forum?id=Sy2fzU9gl): what a large β is
#   hoped to do.
# - Bowman and others, 2016, [Generating sentences from a continuous
#   space](https://arxiv.org/abs/1511.06349): collapse with a strong decoder, and the first
#   remedies.
# - Theis, van den Oord and Bethge, 2016, [A note on the evaluation of generative
#   models](https://arxiv.org/abs/1511.01844): why nats, samples and usefulness are three different
#   things.
#
# **Next:** lesson 10, a VAE for faces: colour, 64 × 64 pixels, and samples that need a helping
# hand.
