# %% [markdown]
# # 06 · Other autoencoders
#
# So far one thing forced our autoencoders to learn: a bottleneck. Lesson 05 added a second, noise.
# Is a narrow code the only way to make copying hard? It is not. In this lesson we give the code
# *more* room than it needs, watch the network cheat, and then stop the cheating in four different
# ways. Working through it takes about 70 minutes.
#
# **You will be able to**
#
# - show that an autoencoder with a large code can copy without learning anything,
# - write the penalties of sparse and contractive autoencoders, and say what each one punishes,
# - compute the Jacobian of a layer in closed form, and check it against automatic differentiation,
# - use an autoencoder to fill a hole in a picture, and judge it against simple rivals,
# - compare regularisers fairly, and say where the variational autoencoder belongs among them.
#
# **It builds on** lesson 03 (the fully connected autoencoder) and lesson 05 (denoising).

# %%
from dataclasses import replace
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from skimage.restoration import inpaint_biharmonic
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from torch import nn
from torch.distributions import Bernoulli, kl_divergence
from torch.func import jacrev, vmap
from torch.nn.functional import avg_pool2d

from vae_helpers import checks, plots
from vae_helpers.data import load_digits
from vae_helpers.device import pick_device, seed_everything
from vae_helpers.losses import reconstruction_loss, squared_error
from vae_helpers.models import DenseAutoencoder
from vae_helpers.train import fit, measure

plots.use_course_style()
seed_everything(0)
device = pick_device()

# %% [markdown]
# ## 1 · Too much room
#
# A code with fewer numbers than the picture is called **undercomplete**. A code with as many or
# more is called **overcomplete**. Why would anybody want the second? Because a good description
# need not be short. A dictionary has a hundred thousand words, far more than a sentence could ever
# use. Each sentence picks a few of them, and the large choice is what lets it be precise.
#
# To have an overcomplete code that still trains in a second, we make the pictures smaller: the
# mean of each 2 × 2 block of pixels becomes one pixel. That leaves 14 × 14 = 196 pixels, on which
# the digits are still easy to read. The code gets 256 numbers.


# %%
def shrink(digits):
    """The same digits with 14 × 14 pixels: each is the mean of a 2 × 2 block."""
    smaller = avg_pool2d(digits.images.float(), 2).round().to(torch.uint8)
    return replace(digits, images=smaller)


# 5,000 digits are plenty here; the embedded set is smaller and stays whole.
large_train = load_digits("train").subset(slice(0, 5000))
large_test = load_digits("test").subset(slice(0, 2000))
train_set, test_set = shrink(large_train), shrink(large_test)
valid_set = shrink(load_digits("valid").subset(slice(0, 1000)))
print(f"{len(train_set):,} / {len(valid_set):,} / {len(test_set):,} digits")

PIXELS, UNITS = 196, 256
EPOCHS = round(600 * 128 / len(train_set))  # about 600 steps, however many digits there are

# %% [markdown]
# All networks of this lesson, until section 6, have one hidden layer, and that layer is the code:
#
# $$ h = \varphi(W x + b), \qquad \hat x = V^\top h + c $$
#
# Here $\varphi$ is the logistic function of lesson 01, so every number of the code lies between 0
# (silent) and 1 (loud). We call its places **units**, and the number that a unit shows for a
# picture its **activation**. Row $j$ of $W$ is what unit $j$ listens to. Row $j$ of $V$ is what
# unit $j$ adds to the picture when it is loud. Both rows have one number per pixel, so both can be
# drawn as pictures. The decoder has no $\varphi$ at its end. It may leave the range from 0 to 1 a
# little, and in return the mathematics stays simple.


# %%
class SigmoidAutoencoder(nn.Module):
    """One hidden layer, the code: h = φ(W x + b), and a linear decoder: x̂ = Vᵀ h + c."""

    def __init__(self, units=UNITS, tied=False):
        super().__init__()
        # Small first weights: what can be seen in them afterwards was learnt.
        self.W = nn.Parameter(0.01 * torch.randn(units, PIXELS))
        self.b = nn.Parameter(torch.zeros(units))
        self.V = self.W if tied else nn.Parameter(0.01 * torch.randn(units, PIXELS))
        self.c = nn.Parameter(torch.zeros(PIXELS))

    def encode(self, images):
        return torch.sigmoid(images.flatten(1) @ self.W.T + self.b)

    def decode(self, codes):
        return (codes @ self.V + self.c).unflatten(1, (1, 14, 14))

    def forward(self, images):
        return self.decode(self.encode(images))


def trained(loss, seed=0, **settings):
    """A new autoencoder, trained. With the same seed, all start alike and see the same batches."""
    seed_everything(seed)
    model = SigmoidAutoencoder(**settings)
    fit(model, train_set, loss, epochs=EPOCHS, lr=1e-2, seed=seed)
    return model


# %% [markdown]
# Before we train anything, here is a trick. Near zero, the logistic function is almost a straight
# line: $\varphi(a) \approx \tfrac12 + \tfrac a4$. So let unit $i$ listen to pixel $i$ alone, with
# a tiny weight $\varepsilon$. Its output is $\tfrac12 + \tfrac\varepsilon4 x_i$. The decoder
# subtracts the half and multiplies by $4/\varepsilon$, and there is the pixel again.
#
# **Predict.** How large is the squared error of this machine, on digits that it has never seen?
# And on pure noise?

# %%
epsilon = 0.05
copier = SigmoidAutoencoder().to(device)
with torch.no_grad():
    picks_a_pixel = torch.eye(UNITS, PIXELS, device=device)
    copier.W.copy_(epsilon * picks_a_pixel)
    copier.V.copy_(4 / epsilon * picks_a_pixel)
    copier.c.fill_(-0.5 * 4 / epsilon)

test_images = test_set.floats.to(device)
pure_noise = torch.rand(test_images.shape, generator=torch.Generator().manual_seed(0))
pure_noise = pure_noise.to(device)
with torch.no_grad():
    for name, images in {"test digits": test_images, "pure noise": pure_noise}.items():
        error = squared_error(copier(images), images).mean().item()
        size = images.square().flatten(1).sum(1).mean().item()
        print(
            f"{name}: squared error {error:.1e} per image, of {size:.0f} for a black picture"
        )
        assert error < 1e-3, "the copier should copy anything"

# %% [markdown]
# Almost zero, for both. We have built an almost perfect autoencoder, and it knows nothing about
# digits. Its code is the picture itself, on another scale. So here is the danger: **in an
# overcomplete autoencoder, a small error proves nothing.**
#
# We set those weights by hand. Would training come to something like it? Training never sees the
# trick. It only goes downhill. To find out, we need a test that tells describing from copying.
# Noise will do. Add noise to a digit and look at how much of the noise comes out at the other end.
# A network that describes digits has no words for noise and drops it. A network that copies passes
# it on. We measure
#
# $$ \text{noise passed on} = \frac{\lVert f(x + n) - f(x) \rVert^2}{\lVert n \rVert^2} $$
#
# where $f$ is encoder and decoder together and $n$ is the noise, with a standard deviation of 0.3
# in every pixel.
#
# **Predict.** One network has 16 units, the other 256. Which has the smaller error? Which passes
# on more noise?

# %%
plain_16 = trained(reconstruction_loss, units=16)
plain = trained(reconstruction_loss)

NOISE = 0.3
noise = NOISE * torch.randn(test_images.shape, generator=torch.Generator().manual_seed(1))
noise = noise.to(device)


@torch.no_grad()
def noise_passed_on(model):
    """How much of the noise in a digit comes out at the other end, as a share of its energy."""
    difference = model(test_images + noise) - model(test_images)
    return (difference.square().sum() / noise.square().sum()).item()


def test_error(model):
    return measure(model, test_set)["loss"]


print("                   squared error per image   noise passed on")
for name, model in {"16 units": plain_16, "256 units": plain, "copier": copier}.items():
    print(f"{name:18s} {test_error(model):23.2f}   {noise_passed_on(model):15.0%}")
assert test_error(plain) < 0.2 * test_error(plain_16), "more units, smaller error"
assert noise_passed_on(copier) > 0.98, "the copier passes on everything"
assert noise_passed_on(plain) > 2 * noise_passed_on(plain_16), "the large code should copy"

# %%
one_per_class = torch.stack([(test_set.labels == d).nonzero()[0, 0] for d in range(10)])
digits, spoiled = test_images[one_per_class], (test_images + noise)[one_per_class]
with torch.no_grad():
    rows = {
        "digit": digits,
        "with noise": spoiled.clamp(0, 1),
        "16 units": plain_16(spoiled).clamp(0, 1),
        "256 units": plain(spoiled).clamp(0, 1),
        "copier": copier(spoiled).clamp(0, 1),
    }
plots.show(
    plots.image_rows(
        rows, "Who describes, and who copies? Noisy digits and what comes back"
    ),
    alt="Ten digits, the same with noise, and three reconstructions of the noisy ones. With 16 units most of the noise "
    "is gone. With 256 units much of it is still there. The copier returns the noisy picture unchanged.",
)

# %% [markdown]
# The large code wins on error by far. But it passes on about three times as much noise: it has gone
# a good part of the way to a copying machine. Nobody asked it to copy noise. But weights that get
# every digit almost right let a good deal else through, too.
#
# There is a second way to see it. A useful code should make later work easier. Take the work of
# naming the digit. We give the codes, in place of the pixels, to a very simple classifier.
# **Logistic regression** is one layer of ten neurons, one for each digit, and the loudest one gives
# the answer. This is called a **linear probe**: the classifier is so simple that whatever it can
# do, the code must have prepared. The probe learns from codes of training digits, its one setting
# is chosen on validation digits, and its accuracy is measured on test digits: once clean, once with
# noise.


# %%
def linear_probe(encode):
    """Accuracy of a linear classifier on codes of clean and of noisy test digits."""

    @torch.no_grad()
    def codes_of(images):
        return encode(images.to(device)).flatten(1).cpu()

    train_codes = codes_of(train_set.floats)
    center = train_codes.mean(0)
    spread = train_codes.var(0).mean().sqrt()  # one scale for all units

    def accuracy(classifier, images, digits):
        return classifier.score((codes_of(images) - center) / spread, digits.labels)

    best = 0
    for C in (0.1, 1.0):  # a small C keeps the weights of the classifier small
        classifier = LogisticRegression(C=C, tol=1e-3, max_iter=1000)
        classifier.fit((train_codes - center) / spread, train_set.labels)
        on_valid = accuracy(classifier, valid_set.floats, valid_set)
        if on_valid > best:
            best, probe = on_valid, classifier
    clean = accuracy(probe, test_images, test_set)
    noisy = accuracy(probe, test_images + noise, test_set)
    return clean, noisy


seed_everything(0)
untrained = SigmoidAutoencoder().to(device)
probed = {
    "the pixels themselves": linear_probe(lambda images: images),
    "256 units, untrained": linear_probe(untrained.encode),
    "256 units, trained": linear_probe(plain.encode),
}
print("linear probe on …         clean test digits   noisy ones")
for name, (clean, noisy) in probed.items():
    print(f"{name:25s} {clean:17.1%}   {noisy:10.1%}")
gain = probed["256 units, trained"][0] - probed["the pixels themselves"][0]
assert abs(gain) < 0.03, "a plain overcomplete code should be hardly better than pixels"
gain = probed["256 units, trained"][0] - probed["256 units, untrained"][0]
assert abs(gain) < 0.04, "nor much better than random weights"
assert probed["256 units, trained"][1] < probed["the pixels themselves"][1], (
    "noise hurts it"
)

# %% [markdown]
# The reconstructions are almost perfect. Yet to the probe, the trained code is worth about as much
# as the pixels, or as a layer with random weights. With noise it is worth even less than the
# pixels. All this work, and nothing that helps.
#
# So an overcomplete autoencoder needs something to hold it back. Whatever we add for that purpose
# is called a **regulariser**. Almost always it is one more term in the loss:
#
# $$ \text{loss} = \underbrace{\lVert \hat x - x \rVert^2}_{\text{squared error}} + \; \lambda \cdot \underbrace{\Omega}_{\text{what we punish}} $$
#
# The weight $\lambda$ ("lambda") says how much the second term matters. The rest of the lesson is
# about what to put in place of $\Omega$.
#
# ## 2 · Tied weights
#
# The simplest regulariser is no term at all. Compare the two matrices: $W$ reads the picture, $V$
# writes it. In PCA (lesson 02) the same vectors do both. Why not here? A **tied** autoencoder sets
# $V = W$: the decoder is the encoder, transposed. It has half as many weights.
#
# It also closes a loophole. Our copier needed tiny weights $\varepsilon$ in the encoder and huge
# weights $4/\varepsilon$ in the decoder. With $V = W$ it cannot have both.
#
# A fair comparison asks two questions. What does tying cost at equal code size? And what does it
# cost at an equal number of parameters, where an untied network has half the units?
#
# **Predict.** Will the tied network have a smaller or a larger error than the untied one with half
# its units?

# %%
tied = trained(reconstruction_loss, tied=True)
plain_128 = trained(reconstruction_loss, units=128)

print("                 parameters   squared error per image   noise passed on")
for name, model in {
    "untied, 256": plain,
    "untied, 128": plain_128,
    "tied, 256": tied,
}.items():
    parameters = sum(p.numel() for p in model.parameters())
    error, passed = test_error(model), noise_passed_on(model)
    print(f"{name:16s} {parameters:10,d}   {error:23.2f}   {passed:15.0%}")
count = {m: sum(p.numel() for p in m.parameters()) for m in (plain, plain_128, tied)}
assert abs(count[tied] / count[plain_128] - 1) < 0.01, "these two should be equally large"
assert test_error(tied) > 2 * test_error(plain), "tying should cost error"
assert test_error(tied) > 1.2 * test_error(plain_128), "even at equal size"
least = min(noise_passed_on(model) for model in (plain, plain_128))
assert noise_passed_on(tied) < 0.8 * least, "a tied copier copies less"

# %% [markdown]
# Tying saves half of the parameters, but the error is about four times as large. Nor is it a
# bargain at equal size: an untied network with the same number of parameters reconstructs better.
# In return, the tied network passes on less noise than either of them. That is how every
# regulariser of this lesson will look. It *costs* reconstruction error. The question is what it
# buys.
#
# Tied weights were usual when networks were trained layer by layer, around 2006 to 2012. Today they
# live on elsewhere: many language models use one matrix both to read words and to write them.
#
# ### Your turn 1 · A tied decoder with two layers
#
# The encoder is now deeper: `h = φ(w2 · φ(w1 · x))`, with matrices as `nn.Linear` stores them, of
# the shape (units, inputs), and with the logistic function for φ. Write the tied decoder. It gets
# the codes `h` (N, code), the encoder's matrices `w1` (middle, pixels) and `w2` (code, middle), and
# two biases of its own: `b2` goes with `w2`, `b1` with `w1`. It returns pictures as rows of pixels,
# (N, pixels). The last layer has no φ. Remember that `nn.Linear` computes `x @ w.T` and adds a
# bias.


# %% tags=["exercise"]
def my_tied_decoder(h, w1, w2, b1, b2):
    result = ...  # your code here
    return result


checks.tied_decoder(my_tied_decoder)


# %% tags=["solution"]
def my_tied_decoder(h, w1, w2, b1, b2):
    middle = torch.sigmoid(h @ w2 + b2)  # what was done last is undone first
    return middle @ w1 + b1


# %% [markdown]
# ## 3 · Sparse autoencoders
#
# Back to the dictionary. A sentence uses few of its words. The code of our plain network is the
# opposite: every unit is half loud for every picture. Nothing can be read from a single unit,
# because every unit takes part in everything.
#
# A **sparse** code has many units, of which only a few are loud for any one picture. The
# bottleneck is still there, but it is not the same for all pictures: each may choose its own few
# units. Nature seems to like the idea. In 1996, Bruno Olshausen and David Field asked for sparse
# codes of photographs of nature, and got units that respond to edges, much like the nerve cells in
# the visual cortex of a cat.
#
# **The L1 penalty.** The direct way is to make loudness expensive. Each unit pays for how loud it
# is:
#
# $$ \Omega_{\text{L1}}(x) = \sum_j |h_j| $$
#
# Why not the squares? A square forgives small values: going from 0.1 to 0 would save almost
# nothing. The absolute value charges the same for every step down, to the very end. So it pays to
# be silent unless you are really needed.
#
# In code, a loss may return several things. `fit` minimises the one called `"loss"`, and records
# the others.


# %%
def l1_loss(weight):
    """The loss of a sparse autoencoder: squared error + weight · Σ |hⱼ|."""

    def loss(model, images, labels):
        codes = model.encode(images)
        error = squared_error(model.decode(codes), images)
        penalty = codes.abs().sum(1)
        return {"loss": error + weight * penalty, "error": error, "penalty": penalty}

    return loss


l1_models = {weight: trained(l1_loss(weight)) for weight in (0.025, 0.08, 0.25)}

# %% [markdown]
# How do we measure that a code is sparse? Counting values near 0 is unfair: a network could make
# all its codes small and its decoder large, and nothing would have changed. **Hoyer's measure**
# (2004) does not care about scale. For a code of $d$ numbers,
#
# $$ \text{sparsity}(h) = \frac{\sqrt d - \lVert h \rVert_1 / \lVert h \rVert_2}{\sqrt d - 1}, \qquad \lVert h \rVert_1 = \sum_j |h_j|, \quad \lVert h \rVert_2 = \sqrt{\textstyle\sum_j h_j^2} $$
#
# It is 0 if all units are equally loud, and 1 if a single one is loud. We also count **dead
# units**: those that hardly change from picture to picture (standard deviation below 0.01), and so
# say nothing.
#
# **Predict.** From one network to the next, the weight is about three times as large. What will
# happen to the error, to the sparsity, and to the number of dead units?


# %%
def sparsity(codes):
    """Hoyer's measure for each code (N, d): 0 if all numbers are equal, 1 if only one is not 0."""
    root = codes.shape[1] ** 0.5
    return (root - codes.abs().sum(1) / codes.norm(dim=1)) / (root - 1)


for code in ([1.0, 1, 1, 1], [1, 0.1, 0.1, 0.1], [0.0, 0, 5, 0]):
    print(f"sparsity of {code}: {sparsity(torch.tensor([code])).item():.2f}")


@torch.no_grad()
def describe(model, digits):
    """Squared error, sparsity, and dead units of a model, on a set of digits."""
    codes = model.encode(digits.floats.to(device))
    dead = (codes.std(0) < 0.01).sum().item()
    return measure(model, digits)["loss"], sparsity(codes).mean().item(), dead


print("\nL1 weight   squared error per image   sparsity   dead units of 256")
for weight, model in {0: plain, **l1_models}.items():
    error, sparse, dead = describe(model, valid_set)
    print(f"{weight:9g}   {error:23.2f}   {sparse:8.2f}   {dead:17d}")
errors, sparsities, deads = zip(
    *[describe(m, valid_set) for m in (plain, *l1_models.values())]
)
assert list(errors) == sorted(errors) and list(sparsities) == sorted(sparsities)
assert sparsities[2] > 0.6 and min(deads[2:]) > 128, "these weights should kill most units"

# %% [markdown]
# The codes become sparse, as ordered, and the error grows. But look at the last column. With the
# two larger weights, most units are **dead**: they are off for *every* picture. The penalty does
# not care *who* is silent, so the cheapest solution is to send most of the staff home. What remains
# is an undercomplete autoencoder in disguise, with a few busy units.
#
# **The KL penalty.** We wanted something else: each unit loud for *some* pictures. So let us ask
# for exactly that. Give every unit a target: over many pictures, it should be loud a share $\rho$
# ("rho") of the time, say $\rho = 0.05$. How loud it really is, on average over the batch, is
# $\hat\rho_j$. Think of a coin that shows heads with probability $\rho$, and another with
# $\hat\rho_j$. The **Kullback–Leibler divergence**, KL for short, measures how different two such
# coins are:
#
# $$ \Omega_{\text{KL}} = \sum_j \Big[ \rho \log \frac{\rho}{\hat\rho_j} + (1 - \rho) \log \frac{1 - \rho}{1 - \hat\rho_j} \Big], \qquad \hat\rho_j = \frac1N \sum_{n=1}^N h_j(x_n) $$
#
# It is 0 if $\hat\rho_j = \rho$ for all units, and grows in both directions. A unit that is too
# loud pays. A unit that is always silent pays, too. (You will meet the KL again in lesson 07, where
# it is one of the two terms of the VAE's loss.)
#
# ### Your turn 2 · The KL penalty
#
# Write the penalty for codes `h` (N, units) and the target `rho`, a number. Use the formula.
# Return one number: the sum over the units. Mind the direction in which you average.


# %% tags=["exercise"]
def my_sparsity_penalty(h, rho):
    result = ...  # your code here
    return result


checks.sparsity_penalty(my_sparsity_penalty)


# %% tags=["solution"]
def my_sparsity_penalty(h, rho):
    rho_hat = h.mean(0)  # one number per unit: its mean over the batch
    loud = rho * torch.log(rho / rho_hat)
    silent = (1 - rho) * torch.log((1 - rho) / (1 - rho_hat))
    return (loud + silent).sum()


# %% [markdown]
# Below, PyTorch computes the same: `torch.distributions` knows coins under the name of Bernoulli.
# The penalty belongs to the batch as a whole, so each image gets the same amount.
#
# We train two networks: one with a moderate weight, and one with a weight 25 times as large.

# %%
RHO = 0.05


def kl_loss(weight):
    """The loss of a sparse autoencoder: squared error + weight · Σ KL(ρ ‖ ρ̂ⱼ)."""

    def loss(model, images, labels):
        codes = model.encode(images)
        error = squared_error(model.decode(codes), images)
        divergence = kl_divergence(Bernoulli(RHO), Bernoulli(codes.mean(0)))
        penalty = divergence.sum().expand(len(images))
        return {"loss": error + weight * penalty, "error": error, "penalty": penalty}

    return loss


kl_models = {weight: trained(kl_loss(weight)) for weight in (0.12, 3)}
l1, kl = l1_models[0.08], kl_models[0.12]

# %% [markdown]
# Now look at the codes themselves. Each row below is one test digit, each column is one unit. The
# units are sorted, from the loudest on average to the most silent.

# %%
with torch.no_grad():
    codes = {
        name: model.encode(test_images).cpu()
        for name, model in {"plain": plain, "L1 penalty": l1, "KL penalty": kl}.items()
    }
figure, axes = plt.subplots(
    2, 3, figsize=(10.5, 6), sharex=True, gridspec_kw={"height_ratios": [3, 2]}
)
some = torch.linspace(0, len(test_set) - 1, 40).long()
for (top, bottom), (name, h) in zip(axes.T, codes.items(), strict=True):
    order = h.mean(0).argsort(descending=True)
    picture = top.imshow(
        h[some][:, order],
        cmap="viridis",
        vmin=0,
        vmax=1,
        aspect="auto",
        interpolation="nearest",
    )
    top.set(title=name)
    bottom.plot(h.mean(0)[order], color=plots.COLORS[1], linewidth=2.5)
    bottom.axhline(RHO, color=plots.COLORS[4], linestyle="--", linewidth=1.5)
    bottom.set(xlabel="unit, sorted by its mean", yscale="log", ylim=(5e-4, 1))
axes[0, 0].set_ylabel("test digit")
axes[1, 0].set_ylabel("mean activation\nover all test digits")
axes[1, 0].text(0, RHO * 0.8, "target ρ", color=plots.COLORS[4], va="top")
figure.colorbar(picture, ax=axes[0], label="activation of the unit")
figure.suptitle("What each unit does: plain, with an L1 penalty, with a KL penalty")
plots.show(
    figure,
    alt="Top: activations of 256 units for 40 test digits, for three networks. Plain: every unit is half loud "
    "everywhere. L1: a narrow band of busy units on the left, all others dark. KL: bright spots on the left that "
    "thin out towards the middle, and on the right faint stripes: whole rows with one shade. Bottom: the mean of each "
    "unit; flat near one half for plain, falling far below the target for L1; with KL above the target on the left, "
    "close to it for all others.",
)

l1_dead, kl_dead = describe(l1, test_set)[2], describe(kl, test_set)[2]
loud = {name: (h.max(0).values > 0.5).sum().item() for name, h in codes.items()}
print(f"dead units: {l1_dead} with L1, {kl_dead} with KL")
print("units that are loud (above 0.5) for at least one test digit:", loud)
print(f"mean activation with KL: {codes['KL penalty'].mean():.3f}, the target is {RHO}")
assert kl_dead < 10 < l1_dead, "KL should keep all units alive"
assert loud["KL penalty"] > 1.5 * loud["L1 penalty"], (
    "and more of them should be loud at times"
)
assert codes["KL penalty"].mean(0).min() > 0.02, (
    "every unit should be near the target or above"
)
assert abs(codes["KL penalty"].mean() - RHO) < 0.06, "the mean should be near the target"

# %% [markdown]
# The three panels show three ways to run an office. Plain: everybody talks all the time. L1: a
# small busy team, and a large floor of empty desks. KL: nobody is dead, and far more units are
# loud at one time or another.
#
# But look at the right half of the KL panel. There, whole rows have one shade: for some digits,
# all of these units murmur together. Keep that in mind. Should we turn up the KL penalty, to be
# rid of it? The second network did that.
#
# **Predict.** With a weight of 3, will the units' means be nearer to the target $\rho$? Will the
# codes be sparser?

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.4), sharey=True)
for ax, (weight, model) in zip(axes, kl_models.items(), strict=True):
    with torch.no_grad():
        values = model.encode(test_images).flatten().cpu()
    ax.hist(
        values,
        bins=50,
        range=(0, 1),
        weights=torch.ones_like(values) / len(values),
        color=plots.COLORS[1],
    )
    ax.axvline(RHO, color=plots.COLORS[4], linestyle="--", linewidth=1.5, label="target ρ")
    ax.set(title=f"KL penalty with weight {weight:g}", xlabel="activation", yscale="log")
axes[0].set_ylabel("share of all activations")
axes[0].legend()
plots.show(
    figure,
    alt="Two histograms of all activations, on a logarithmic scale. With the small weight most are near 0 and a long "
    "tail reaches up to 1. With the large weight all lie between 0 and one third: none is loud.",
)

print(
    "KL weight   squared error per image   mean activation   its spread over units   sparsity"
)
rows = []
for weight, model in kl_models.items():
    with torch.no_grad():
        unit_means = model.encode(test_images).mean(0)
    error, sparse, _ = describe(model, test_set)
    rows.append((error, unit_means.std().item(), sparse))
    print(
        f"{weight:9g}   {error:23.2f}   {unit_means.mean():15.3f}   {unit_means.std():21.3f}   {sparse:8.2f}"
    )
assert rows[1][1] < 0.5 * rows[0][1], "a strong penalty should hold the means tightly"
assert rows[1][2] < 0.2 * rows[0][2], "but the codes should be less sparse, not more"
assert values.max() < 0.5, "and with the large weight, no unit is ever loud"

# %% [markdown]
# A beautiful failure. The means obey the target, better than before. But the codes are *less*
# sparse. The penalty asks only that a unit's activation be 0.05 **on average**. There are two ways
# to do so: be loud for one picture in twenty, or murmur for many. We meant the first. Under
# pressure, the network takes the second. No unit is ever loud, and a sparsity near 0 says that for
# any one picture all units murmur almost equally. The large error shows that little gets through a
# murmur. **A network optimises what you wrote, not what you meant.**
#
# This is not a toy problem. Since about 2023, large sparse autoencoders have been used to look
# inside language models: many of their units turn out to stand for things that have names, such as
# a place or a kind of mistake in a program. Dead units, and penalties that are obeyed in the wrong
# way, are the daily worry of those who train them.

# %% [markdown]
# ## 4 · Contractive autoencoders
#
# A sparse code is easy to read. Another wish: a code should be **calm**. If two pictures differ by
# a bit of dust, their codes should be almost the same. Our plain network passes noise on, because
# its code follows every pixel.
#
# How far does the code move, if the pixels change a little? In one dimension, the slope says so.
# With many inputs and many outputs there is a slope for each pair: the change of unit $j$ when
# pixel $i$ changes. All of them together form a matrix, the **Jacobian** $J$, with one row per
# unit and one column per pixel:
#
# $$ J_{ji} = \frac{\partial h_j}{\partial x_i}, \qquad h(x + n) \approx h(x) + J n \quad \text{for small } n $$
#
# The sum of its squared entries, $\lVert J \rVert_F^2 = \sum_{ji} J_{ji}^2$, is the square of its
# **Frobenius norm**. For small noise $n$, drawn for each pixel by itself with variance $\sigma^2$,
# the code moves by $\sigma^2 \lVert J \rVert_F^2$ on average, in squared distance. A small norm
# means a calm code. The **contractive autoencoder** (Salah Rifai and others, 2011) takes it as its
# penalty: $\Omega_{\text{contractive}}(x) = \lVert J(x) \rVert_F^2$.
#
# PyTorch can compute a Jacobian for any network. `jacrev` goes backward once for each output;
# `vmap` does it for many images at once.

# %%
few = test_images[one_per_class]


def encode_one(image):
    return plain.encode(image[None])[0]


jacobians = vmap(jacrev(encode_one))(few).flatten(2).detach()
print("Jacobians:", tuple(jacobians.shape), "= (images, units, pixels)")
exact = jacobians.square().sum((1, 2))

# The promise: small noise moves the code by σ² ‖J‖² on average.
sigma = 0.01
draws = sigma * torch.randn(2000, *few.shape, generator=torch.Generator().manual_seed(2))
with torch.no_grad():
    moved = plain.encode((few + draws.to(device)).flatten(0, 1)).unflatten(0, (2000, 10))
    moved = (moved - plain.encode(few)).square().sum(2).mean(0)
print("σ²‖J‖²         ", [f"{v:.5f}" for v in (sigma**2 * exact).tolist()])
print("measured motion", [f"{v:.5f}" for v in moved.tolist()])
assert torch.allclose(moved, sigma**2 * exact, rtol=0.05), (
    "the Jacobian should predict the motion"
)

# %% [markdown]
# The Jacobian keeps its promise. But it needed 256 backward passes, one for each unit. In a
# training loop that would be painful. For our one-layer encoder we can do better, by hand. With
# $a_j = \sum_i W_{ji} x_i + b_j$ and $h_j = \varphi(a_j)$, the chain rule gives
#
# $$ J_{ji} = \varphi'(a_j) \, W_{ji} = h_j (1 - h_j) \, W_{ji} $$
#
# since $\varphi' = \varphi(1 - \varphi)$, as in lesson 01. Square, and add up over all pixels and
# units:
#
# $$ \lVert J \rVert_F^2 = \sum_j \big( h_j (1 - h_j) \big)^2 \, \sum_i W_{ji}^2 $$
#
# The inner sum does not depend on the picture at all. It is one number per unit.
#
# ### Your turn 3 · The Jacobian's norm in closed form
#
# Write $\lVert J \rVert_F^2$ for a batch: codes `h` (N, units), and the weights `w` (units,
# pixels). Return one number per image, (N,).


# %% tags=["exercise"]
def my_sigmoid_jacobian(h, w):
    result = ...  # your code here
    return result


checks.sigmoid_jacobian(my_sigmoid_jacobian)


# %% tags=["solution"]
def my_sigmoid_jacobian(h, w):
    slope = h * (1 - h)  # (N, units)
    size_of_row = w.square().sum(1)  # (units,)
    return slope.square() @ size_of_row


# %% [markdown]
# Here is ours. It must agree with what `jacrev` found, to the last digits that a float32 has.


# %%
def jacobian_norm(model, codes):
    """‖∂h/∂x‖² of a SigmoidAutoencoder, squared Frobenius norm, for codes (N, units)."""
    return (codes * (1 - codes)).square() @ model.W.square().sum(1)


with torch.no_grad():
    closed_form = jacobian_norm(plain, plain.encode(few))
difference = ((closed_form - exact) / exact).abs().max().item()
print(f"largest relative difference to jacrev: {difference:.1e}")
assert difference < 1e-4, "the closed form should be exact"


def contractive_loss(weight):
    """The loss of a contractive autoencoder: squared error + weight · ‖∂h/∂x‖²."""

    def loss(model, images, labels):
        codes = model.encode(images)
        error = squared_error(model.decode(codes), images)
        penalty = jacobian_norm(model, codes)
        return {"loss": error + weight * penalty, "error": error, "penalty": penalty}

    return loss


contractive = trained(contractive_loss(0.45))
tied_contractive = trained(contractive_loss(0.4), tied=True)

# %% [markdown]
# What to expect? There are two forces. The squared error wants the code to follow every change
# from one digit to another. The penalty wants it to follow nothing. The compromise should be to
# follow only those changes that happen among real digits, such as a stroke that bends or leans,
# and to ignore all others, such as a single bright pixel. Geometrically: digits lie near a thin
# curved sheet in the space of all pictures. Along the sheet the code moves. Across it, it should
# not.
#
# We can see how choosy the code has become. The **singular values** of the Jacobian say how
# strongly the code responds to changes of the picture in each of 196 directions at right angles to
# each other, sorted from strongest to weakest. (A direction is a pattern of pixels that change
# together.) Their squares add up to $\lVert J \rVert_F^2$. So we can also count how many directions
# it takes to hold 90% of it.


# %%
@torch.no_grad()
def singular_values(model, images):
    """Singular values of the encoder's Jacobian, averaged over images, relative to the largest."""
    codes = model.encode(images)
    values = torch.linalg.svdvals((codes * (1 - codes))[:, :, None] * model.W).mean(0)
    return (values / values[0]).cpu()


family = {
    "plain": plain,
    "tied": tied,
    "contractive": contractive,
    "contractive and tied": tied_contractive,
}
looks = zip(
    family,
    (plots.COLORS[0], plots.COLORS[2], plots.COLORS[1], plots.COLORS[3]),
    ("-", "-", "--", "--"),
)
figure, ax = plt.subplots(figsize=(7.5, 4))
directions = {}
for name, color, style in looks:
    values = singular_values(family[name], few)
    energy = values.square().cumsum(0) / values.square().sum()
    directions[name] = int((energy < 0.9).sum()) + 1
    ax.plot(
        range(1, PIXELS + 1),
        values,
        color=color,
        linestyle=style,
        linewidth=2.5,
        label=name,
    )
ax.set(
    title="How strongly the code follows each direction of change",
    xlabel="direction, sorted",
    ylabel="singular value\n(share of the largest)",
    xlim=(1, PIXELS),
    ylim=(0, 1),
)
ax.legend()
plots.show(
    figure,
    alt="Four falling curves over 196 directions. That of the plain network falls slowly over more than half of "
    "them, that of the tied one sooner. Those of the two contractive networks drop to almost nothing within the first third.",
)
for name, number in directions.items():
    print(f"{name:22s} {number:3d} of {PIXELS} directions hold 90% of the squared norm")
assert directions["contractive"] < 0.6 * directions["plain"], "contraction should select"
assert directions["contractive and tied"] < 0.8 * directions["tied"] < directions["plain"]

# %% [markdown]
# As hoped. The plain code follows many directions of the picture space. The contractive ones pick
# a few, and are almost deaf to the rest. (The tied code lies between: tying alone makes a code
# choosier.)
#
# Now be suspicious. The penalty makes the Jacobian small. Is the code really that much calmer? Or
# is part of it a trick? Remember the copier: near zero, $\varphi$ is almost straight. There, the
# network could divide $W$ and $b$ by ten, multiply $V$ by ten and adapt $c$. All codes would move
# closer together, the Jacobian would shrink, and the reconstructions would hardly change. To find
# out, we measure the motion of the code **relative to how far apart the codes of different digits
# are**:
#
# $$ \text{code shift} = \sqrt{\frac{\text{mean of } \lVert h(x + n) - h(x) \rVert^2}{\text{mean of } \lVert h(x) - h(x') \rVert^2}} $$
#
# with the same noise $n$ as before, and $x, x'$ two different test digits. Shrinking the code
# changes nothing here.
#
# **Predict.** By which factor does the Jacobian's norm fall, from plain to contractive? Does the
# code shift fall by the same factor? And in the tied network, where $V = W$ cannot grow while $W$
# shrinks?


# %%
@torch.no_grad()
def code_shift(model):
    """How far noise moves a code, relative to the distance between two digits' codes."""
    clean = model.encode(test_images)
    moved = (model.encode(test_images + noise) - clean).square().sum(1).mean()
    apart = 2 * clean.var(0).sum()  # equals the mean squared distance of two codes
    return (moved / apart).sqrt().item()


@torch.no_grad()
def mean_norm(model):
    """The Frobenius norm of the encoder's Jacobian (root of the mean square)."""
    return jacobian_norm(model, model.encode(test_images)).mean().sqrt().item()


print("                        norm of the Jacobian   code shift   size of W   size of V")
for name, model in family.items():
    w, v = model.W.norm().item(), model.V.norm().item()
    print(
        f"{name:23s} {mean_norm(model):20.2f}   {code_shift(model):10.2f}   {w:9.1f}   {v:9.1f}"
    )

falls = {}
for before, after in (("plain", "contractive"), ("tied", "contractive and tied")):
    norm_falls = mean_norm(family[before]) / mean_norm(family[after])
    shift_falls = code_shift(family[before]) / code_shift(family[after])
    falls[after] = norm_falls, shift_falls
    print(f"{before} → {after}: norm / {norm_falls:.1f}, code shift / {shift_falls:.1f}")
assert falls["contractive"][0] > 2.5 * falls["contractive"][1], (
    "most of the fall is shrinking"
)
assert falls["contractive and tied"][0] < 2 * falls["contractive and tied"][1]
assert min(shift for _, shift in falls.values()) > 1.2, "yet both codes should be calmer"
assert contractive.V.norm() > 1.2 * plain.V.norm(), "the decoder makes up for the shrinking"

# %% [markdown]
# Both codes became calmer, so the penalty works. But in the untied network the norm fell much
# further than the code shift. Most of that fall was the trick: all codes moved closer together,
# because $W$ shrank, and $V$ grew in return. The tied network cannot do that, and there the two
# numbers fall more or less together. The inventors of the contractive autoencoder tied their
# weights, and so closed this loophole.
#
# Two lessons from this. A penalty has loopholes, so look for them. And measure what you want in a
# way that the loophole cannot change.

# %% [markdown]
# ## 5 · One table
#
# Which regulariser is best? That depends on what you pay and what you want. To compare them
# fairly, everything else must be equal: the same 256 units, the same first weights, the same
# batches, the same number of steps. And the same *price*: each weight was tried out on the
# validation digits, until the squared error was about the same. (The cell below prints it.) So the
# question becomes: **at the same price in reconstruction, what did each one buy?**
#
# Two more rows join. The denoising autoencoder of lesson 05 is a regulariser, too: noise on the
# input, the clean picture as the target. And a second plain network, from another random start,
# shows how much is mere luck.


# %%
def denoising_loss(strength):
    """The loss of a denoising autoencoder: give back the clean image, after seeing a noisy one."""

    def loss(model, images, labels):
        noisy = images + strength * torch.randn_like(images)
        return squared_error(model(noisy), images)

    return loss


plain_again = trained(reconstruction_loss, seed=1)
denoising = trained(denoising_loss(0.5))

contestants = {
    "plain": plain,
    "plain, another start": plain_again,
    "tied": tied,
    "L1": l1,
    "KL": kl,
    "contractive": contractive,
    "contractive and tied": tied_contractive,
    "denoising": denoising,
}
at_one_price = ("L1", "KL", "contractive", "contractive and tied", "denoising")
prices = {name: measure(contestants[name], valid_set)["loss"] for name in at_one_price}
print("squared error on validation digits:", {n: round(p, 2) for n, p in prices.items()})
assert max(prices.values()) < 1.6 * min(prices.values()), "the prices should be about equal"

# %% [markdown]
# We measure six things, all on test digits:
#
# - the **squared error** per image, of clean digits, and of noisy ones against their clean
#   originals,
# - the **sparsity** of the code (Hoyer's measure, 0 to 1),
# - the **code shift** under noise (relative, see above; small is calm),
# - the accuracy of a **linear probe**, on clean digits and on noisy ones. The probe never trained
#   on noise.
#
# **Predict.** Which row will have the sparsest code? The calmest? The best probe? And will any row
# be best at everything?


# %%
@torch.no_grad()
def error_of_noisy(model):
    return squared_error(model(test_images + noise), test_images).mean().item()


COLUMNS = (
    "error\nclean",
    "error\nnoisy",
    "sparsity",
    "code\nshift",
    "probe\nclean",
    "probe\nnoisy",
)
table = {}
for name, model in contestants.items():
    error, sparse, _ = describe(model, test_set)
    probe = linear_probe(model.encode)
    table[name] = (error, error_of_noisy(model), sparse, code_shift(model), *probe)

header = [column.replace("\n", " ") for column in COLUMNS]
print(" " * 22 + "".join(f"{column:>13s}" for column in header))
for name, (error, noisy_error, sparse, shift, clean, noisy) in table.items():
    print(
        f"{name:22s}{error:13.2f}{noisy_error:13.2f}{sparse:13.2f}{shift:13.2f}{clean:13.1%}{noisy:13.1%}"
    )
for name, (clean, noisy) in list(probed.items())[:2]:
    print(f"{name:22s}{'':52s}{clean:13.1%}{noisy:13.1%}")

# %%
figure, axes = plt.subplots(1, 6, figsize=(11.5, 4), sharey=True)
names = list(table)
for ax, column, values in zip(axes, COLUMNS, zip(*table.values()), strict=True):
    small_is_good = "error" in column or "shift" in column
    best = min(values) if small_is_good else max(values)
    colors = [plots.COLORS[3] if v == best else plots.COLORS[6] for v in values]
    ax.barh(names, values, color=colors)
    for y, value in enumerate(values):
        text = f"{value:.0%}" if "probe" in column else f"{value:.2f}"
        ax.text(0.04 * max(values), y, text, va="center", fontsize=9.5)
    better = "small is good" if small_is_good else "large is good"
    ax.set(title=column, xlabel=better, xlim=(0, 1.05 * max(values)), xticks=[])
    ax.tick_params(left=False)
axes[0].invert_yaxis()
figure.suptitle(
    "What each regulariser buys (test digits; errors: squared error per image; best of each column in green)"
)
plots.show(
    figure,
    alt="Six columns of horizontal bars, one bar per autoencoder: error on clean and on noisy digits, sparsity, code "
    "shift, and probe accuracy on clean and on noisy digits. The plain networks win on clean error only. L1 has the sparsest code. "
    "Denoising has the smallest error on noisy digits and the best probes. Denoising and the two contractive networks have "
    "the smallest code shift and the three best probes on noisy digits.",
)

error, noisy_error, sparse, shift, clean, noisy = (
    dict(zip(table, column)) for column in zip(*table.values())
)
luck = abs(clean["plain"] - clean["plain, another start"])
print(f"luck alone: {luck:.1%} in the clean probe between two starts of the plain network")
share, count = clean["plain"], len(test_set)
print(
    f"an accuracy near {share:.0%}, counted on {count:,} digits, is known to about "
    f"± {(share * (1 - share) / count) ** 0.5:.1%}"
)
assert min(error, key=error.get).startswith("plain"), "plain reconstructs best"
assert max(sparse, key=sparse.get) == "L1" and sparse["KL"] > 3 * sparse["plain"]
assert sparse["contractive"] < 0.2, "calm codes need not be sparse"
calm = ("contractive", "contractive and tied", "denoising")
for name in calm:
    assert (
        shift[name] < 0.6 * shift["plain"]
        and noisy_error[name] < 0.75 * noisy_error["plain"]
    )
    assert noisy[name] > max(noisy["plain"], noisy["KL"]) + 0.05
assert min(noisy_error, key=noisy_error.get) == "denoising", "it trained for this"
assert clean["denoising"] > clean["plain"] + 0.01, "denoising should help the clean probe"
assert min(clean["contractive and tied"], clean["KL"]) > clean["plain"], "a little better"
assert min(clean["contractive and tied"], clean["KL"]) < clean["denoising"], "but less so"
assert noisy_error["tied"] < 1.2 * noisy_error["contractive"], "tying alone calms, too"
assert noisy["plain"] + 0.04 < noisy["tied"] < max(noisy[name] for name in calm)
assert clean["L1"] < clean["plain"] + 0.005, "L1 with so many dead units should not help"
assert shift["denoising"] < 1.2 * min(shift.values()), "among the calmest"
assert noisy["denoising"] > max(noisy.values()) - 0.04, "and among the best under noise"
lost = [clean[name] - noisy[name] for name in table]
together = torch.corrcoef(torch.tensor([[*shift.values()], lost]))[0, 1]
assert together > 0.6, "a code that noise moves far should cost its probe more"
for name in ("L1", "KL"):
    assert shift[name] > 1.2 * max(shift[calm_one] for calm_one in calm), (
        "sparse is not calm"
    )

# %% [markdown]
# Read the table column by column.
#
# - **Clean error.** Plain wins. Every regulariser costs reconstruction. If reconstruction is all
#   you want, use none.
# - **Noisy error.** Denoising wins, no wonder: it trained for exactly this. The contractive
#   networks come close, and they never saw noise. That is no accident. For small noise, the
#   denoising loss can be shown to be the squared error plus a penalty on the Jacobian of encoder
#   and decoder together (Alain and Bengio, 2014). But tying alone does about as well here, at a
#   lower price.
# - **Sparsity.** L1 and KL deliver. The contractive codes are not sparse at all. Calm and sparse
#   are different things.
# - **Code shift.** The denoising and the contractive codes are the calmest: noise moves them about
#   half as far as the plain code, or less. Tying alone comes near. The sparse codes are not
#   especially calm.
# - **Clean probe.** Here we must be honest. Denoising makes the code more useful than a plain one.
#   The KL penalty, and contraction with tied weights, help a little: not much more than luck and
#   the number of test digits can do, as the last two lines say. L1 with this weight does *not*
#   help. Most of its units are dead.
# - **Noisy probe.** The calm codes keep most of their accuracy, and tying alone helps, too. The
#   plain code and the KL code lose far more. Compare with the code shift: by and large, the further
#   noise moves a code, the more its probe loses.
#
# No row is best at everything. Denoising is first, or nearly so, in four columns. But plain has the
# smaller clean error, and L1 the sparser code. A regulariser is not good as such. It is good for
# something.
#
# And one more thing that the table cannot show. This is one data set, one size, one length of
# training, and one weight for each. A smaller L1 weight leaves more units alive, as section 3
# showed. Do not carry the ranking elsewhere. Carry the way of comparing.
#
# **What do the units paint?** Row $j$ of $V$ is what unit $j$ adds to the picture when it is loud.
# For each network we draw the ten units that contribute most to the reconstructions. Orange adds
# ink, purple takes ink away.


# %%
@torch.no_grad()
def strongest_filters(model, how_many=10):
    """What the units with the largest contributions paint, (how_many, 14, 14)."""
    contribution = model.encode(test_images).std(0) * model.V.norm(dim=1)
    return (
        model.V[contribution.argsort(descending=True)[:how_many]]
        .unflatten(1, (14, 14))
        .cpu()
    )


painters = {"untrained": untrained, **contestants}
del painters["plain, another start"]
filters = {name: strongest_filters(model) for name, model in painters.items()}
figure, axes = plt.subplots(len(filters), 10, figsize=(8.6, 0.7 * len(filters) + 0.6))
for row, (name, pictures) in zip(axes, filters.items(), strict=True):
    for ax, picture in zip(row, pictures, strict=True):
        limit = picture.abs().max()
        ax.imshow(picture, cmap="PuOr_r", vmin=-limit, vmax=limit)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
figure.suptitle("What the ten strongest units paint, each on its own scale")
plots.show(
    figure,
    alt="Eight rows of ten small pictures in orange and purple. Untrained: noise. Plain: speckled. Tied: "
    "a little smoother. With a sparse, contractive or denoising loss: pieces of strokes and whole loops.",
)


def smoothness(pictures):
    """Correlation between horizontally neighbouring pixels of the filters."""
    left, right = pictures[:, :, :-1].flatten(), pictures[:, :, 1:].flatten()
    return torch.corrcoef(torch.stack([left, right]))[0, 1].item()


smooth = {name: smoothness(pictures) for name, pictures in filters.items()}
print("correlation of neighbouring pixels:", {n: round(s, 2) for n, s in smooth.items()})
assert abs(smooth["untrained"]) < 0.15, "random weights have no order"
for name in at_one_price:
    assert smooth[name] > smooth["plain"] + 0.07, (
        "regularised codes should have smoother filters"
    )

# %% [markdown]
# The plain network paints with speckles. Each speckle means nothing, only the sum of many does.
# With a sparse, a contractive or a denoising loss, a unit paints pieces of strokes and loops:
# changes that real digits go through. The printed correlation measures this: it is near 0 for pure
# noise and grows as the pictures get smoother. (By this number, tying alone does about as much as
# denoising.) Nobody asked for strokes. They are what remains useful if you may not follow every
# pixel.

# %% [markdown]
# ## 6 · An autoencoder that fills holes
#
# A last way to make copying impossible: hide a part of the picture, and ask for it back. This is
# called **inpainting**. It is denoising with an extreme kind of noise. Restorers do it with
# scratched photographs. Phones do it when you erase a passer-by. And **masked autoencoders**
# (Kaiming He and others, 2021) learn to see by nothing else: three quarters of each photograph are
# hidden in training.
#
# We return to the full 28 × 28 pixels and hide a block of 10 × 10 at a random place. Hidden pixels
# are set to grey, so that the network can see where the hole is. In every batch the holes are
# elsewhere. The loss counts the hidden pixels only, because the others are known anyway.


# %%
HOLE = 10


def random_holes(count, generator=None):
    """Masks (count, 1, 28, 28), True in a block at a random place where digits have ink."""
    corner = torch.randint(4, 25 - HOLE, (count, 2), generator=generator)
    inside = (torch.arange(28) >= corner[..., None]) & (
        torch.arange(28) < corner[..., None] + HOLE
    )
    return (inside[:, 0, :, None] & inside[:, 1, None, :])[:, None]


def hide(images, holes):
    return torch.where(holes, 0.5, images)


def inpainting_loss(model, images, labels):
    """Squared error per image, summed over the hidden pixels."""
    holes = random_holes(len(images)).to(images.device)
    return squared_error(model(hide(images, holes)) * holes, images * holes)


seed_everything(0)
inpainter = DenseAutoencoder(hidden=(512,), latent_dim=128)
record = fit(inpainter, large_train, inpainting_loss, epochs=EPOCHS, lr=2e-3)

# %% [markdown]
# A network that fills holes with something is nothing special. The question is whether it does so
# better than simple rivals:
#
# - the **mean image**: fill the hole with the mean of all training digits at that place,
# - **biharmonic inpainting** (from scikit-image): continue the picture into the hole as smoothly
#   as a bent sheet of metal would. It knows no digits,
# - the **ten most similar digits**: search the training set for the ten digits that agree best
#   with what can be seen, and take their mean. This rival knows digits very well: it carries all
#   of them with it.
#
# The measure must look at the hole only. The pixels outside were given away, and to count them
# would flatter everybody.
#
# ### Your turn 4 · The error inside the hole
#
# Write the squared error per hidden pixel: `filled`, `images` and `hole` are (N, 1, H, W), and
# `hole` is True where pixels were hidden. Return one number per image, (N,). Holes may differ in
# size from image to image.


# %% tags=["exercise"]
def my_hole_error(filled, images, hole):
    result = ...  # your code here
    return result


checks.hole_error(my_hole_error)


# %% tags=["solution"]
def my_hole_error(filled, images, hole):
    squares = (filled - images).square() * hole  # 0 outside the hole
    return squares.flatten(1).sum(1) / hole.flatten(1).sum(1)


# %% [markdown]
# **Predict.** Who wins? By how much?

# %%
# 200 test digits, evenly spread over the test set.
some = large_test.subset(torch.linspace(0, len(large_test) - 1, 200).long())
originals, known = some.floats, large_train.floats
holes = random_holes(len(some), torch.Generator().manual_seed(0))
hidden = hide(originals, holes)


def from_similar_digits(count=10):
    """The mean of the training digits that agree best with the visible pixels."""
    visible = (~holes).flatten(1).float()
    seen = visible * originals.flatten(1)
    library = known.flatten(1)
    # Σ (library − original)² over the visible pixels, up to a constant for each picture.
    distance = visible @ library.square().T - 2 * seen @ library.T
    nearest = distance.topk(count, largest=False).indices
    return library[nearest].mean(1).reshape(originals.shape)


fillings = {
    "mean image": known.mean(0).expand_as(originals),
    "biharmonic": torch.stack(
        [
            torch.from_numpy(inpaint_biharmonic(image[0].numpy(), hole[0].numpy()))[None]
            for image, hole in zip(hidden, holes, strict=True)
        ]
    ),
    "ten similar digits": from_similar_digits(),
}
with torch.no_grad():
    fillings["autoencoder"] = inpainter(hidden.to(device)).cpu()


def hole_error(filled):
    """Mean squared error of a hidden pixel."""
    return ((filled - originals).square() * holes).sum().item() / holes.sum().item()


scores = {name: hole_error(filled) for name, filled in fillings.items()}
for name, score in scores.items():
    print(f"{name:20s} squared error per hidden pixel {score:.3f}")
assert scores["autoencoder"] < 0.75 * min(scores["mean image"], scores["biharmonic"])
assert 0.7 < scores["autoencoder"] / scores["ten similar digits"] < 1.4, "about equal"

# %%
# Of each class, the digit whose hole hides most ink.
ink = (originals * holes).flatten(1).sum(1)
shown = [int(torch.where(some.labels == d, ink, -1).argmax()) for d in range(10)]
rows = {"original": originals, "with a hole": hidden}
rows |= {name: torch.where(holes, filled, originals) for name, filled in fillings.items()}
plots.show(
    plots.image_rows(
        {name: images[shown].clamp(0, 1) for name, images in rows.items()},
        "Four ways to fill a hole (the pixels around it are given)",
    ),
    alt="Ten digits, the same with a grey block over part of each, and four rows of fillings. The mean image leaves a "
    "blurred patch that does not fit, biharmonic inpainting a smooth smear. The similar digits and the autoencoder "
    "continue the strokes, somewhat blurred.",
)

pixels = {"the originals": originals[holes], "the fillings": fillings["autoencoder"][holes]}
grey = {n: ((p > 0.25) & (p < 0.75)).float().mean().item() for n, p in pixels.items()}
print(
    "grey among the hidden pixels:", {name: f"{share:.0%}" for name, share in grey.items()}
)
assert grey["the fillings"] > 1.3 * grey["the originals"], "the fillings should be blurred"

# %% [markdown]
# The autoencoder beats the mean image and the biharmonic filling by a wide margin. Against the ten
# most similar digits it is about a draw, and that deserves respect: a search through examples is
# often a strong rival. (The search has to keep all training digits and look through them for each
# picture. The network has put them into its weights.)
#
# Look at the fillings again. They are blurred: many pixels are grey where the original is black or
# white. The loss itself asks for this. If a stroke *may* go left or right, the smallest expected
# squared error is reached by painting half a stroke on both sides. The network answers with the
# mean of all possible digits. But we would rather see *one* possible digit, and perhaps a few
# different ones. For this, a network must be able to say "it could be this, or that". It needs a
# **distribution**.

# %% [markdown]
# ## 7 · Where the VAE fits in
#
# Every autoencoder of these lessons holds the network back at one place. The diagram shows where.

# %%
figure, ax = plt.subplots(figsize=(10.5, 3.6))
ax.set(xlim=(0, 10.9), ylim=(0, 4))
ax.axis("off")
box = {"boxstyle": "round,pad=0.45", "fc": "white", "ec": "black", "lw": 1.5}
stations = {
    0.5: "image\nx",
    2.3: "spoiled\nimage",
    4.4: "encoder",
    6.5: "code\nh",
    8.6: "decoder",
    10.4: "image\nx̂",
}
for x, name in stations.items():
    ax.text(x, 2, name, ha="center", va="center", bbox=box, fontsize=12)
for start, end in pairwise(stations):
    arrow = {"arrowstyle": "->", "lw": 1.5}
    ax.annotate("", (end - 0.6, 2), (start + 0.6, 2), arrowprops=arrow)
blue, red = plots.COLORS[1], plots.COLORS[4]
notes = (
    (2.3, 3.6, "denoising: add noise\ninpainting: hide a part", blue),
    (4.4, 0.4, "contractive:\npunish the slope ∂h/∂x", blue),
    (6.5, 3.6, "undercomplete: few units\nsparse: few loud units", blue),
    (6.5, 0.4, "VAE: a distribution\nin place of a point", red),
    (8.6, 0.4, "tied:\nV = W", blue),
)
for x, y, text, color in notes:
    weight = "bold" if color == red else "normal"
    ax.text(x, y, text, ha="center", va="center", color=color, fontsize=11.5, weight=weight)
    tail, tip = (3.2, 2.55) if y > 2 else (0.8, 1.45)
    arrow = {"arrowstyle": "->", "color": color, "lw": 2}
    ax.annotate("", (x, tip), (x, tail), arrowprops=arrow)
ax.set_title("Where each member of the family holds the network back")
plots.show(
    figure,
    alt="A chain from image to spoiled image, encoder, code, decoder and image. Arrows point to it: denoising and inpainting to "
    "the spoiled image, contractive to the encoder, undercomplete and sparse to the code, tied to the decoder, "
    "and, in another colour, the VAE to the code: a distribution in place of a point.",
)

# %% [markdown]
# | autoencoder | what it adds | what it punishes or forbids | what becomes of the code | lesson |
# |---|---|---|---|---|
# | undercomplete | few units | saying much | short | 03 |
# | tied | $V = W$ | different scales for reading and writing | calmer | 06 |
# | sparse, L1 | $\lambda \sum_j \lvert h_j \rvert$ | being loud | few loud units, many dead | 06 |
# | sparse, KL | $\lambda \sum_j \mathrm{KL}(\rho \Vert \hat\rho_j)$ | a unit's *mean* off its target | no unit dead, more of them loud at times | 06 |
# | contractive | $\lambda \lVert \partial h / \partial x \rVert_F^2$ | following small changes | calm | 06 |
# | denoising | noise on the input | passing noise on | calm | 05 |
# | inpainting | a hole in the input | ignoring the surroundings | knows what goes with what | 06 |
# | **VAE** | noise in the *code*, and a KL for each picture | codes that need to be exact, and codes far from all others | a cloud, near all other clouds | 07 |
#
# The last row takes up threads from the whole lesson.
#
# - The **KL** again. The sparse autoencoder compares each unit's mean over *all pictures* with a
#   coin. The VAE compares the code of *each picture* with a bell curve.
# - **Noise** again. The denoising autoencoder puts noise on the picture. The VAE puts it on the
#   code. The encoder says not only where the code is, but also how exactly it needs to be there.
#
# What does noise in the code punish? For our linear decoder we can say it exactly. If noise of
# variance $\sigma^2$ is added to each unit, the squared error grows on average by
#
# $$ \sigma^2 \lVert V \rVert_F^2 $$
#
# and $V$, transposed, is the Jacobian of the decoder. So noise in the code makes a **contractive
# decoder**. Remember the loophole of section 4: the encoder shrank, the decoder grew, and the
# penalty did not see it. Noise in the code sees it.
#
# **Predict.** We add noise of the same strength to the codes of four networks: plain, contractive,
# contractive and tied, denoising. Which suffers most?

# %%
SIGMA = 0.1
print(f"noise of σ = {SIGMA} in the code     extra squared error   σ²‖V‖²")
extra = {}
for name in ("plain", "contractive", "contractive and tied", "denoising"):
    model = contestants[name]
    with torch.no_grad():
        codes = model.encode(test_images)
        shaken = codes + SIGMA * torch.randn(
            codes.shape, generator=torch.Generator().manual_seed(3)
        ).to(device)
        error = squared_error(model.decode(shaken), test_images).mean().item()
    extra[name] = error - test_error(model)
    formula = SIGMA**2 * model.V.square().sum().item()
    print(f"{name:32s} {extra[name]:19.2f}   {formula:6.2f}")
    assert abs(extra[name] / formula - 1) < 0.1, "the formula should hold"
others = [error for name, error in extra.items() if name != "contractive"]
assert extra["contractive"] > 1.5 * max(others), "the untied contractive one suffers most"

# %% [markdown]
# The formula holds. And the untied contractive network suffers most. The code that was so calm from
# one side is fragile from the other: its codes lie close together, and its decoder blows the small
# differences up again.
#
# There is one more thing that none of our regularisers gives us. Suppose we want a *new* digit. We
# need a code that nobody has encoded. Which one? Take for each unit a value that it really had,
# for some training digit, but a different digit for each unit. Every unit does something that is
# normal for it. Decode.
#
# How bad is the result? We let a classifier (a support vector machine) try to tell decoded random
# codes from reconstructions of test digits. If they were of one kind, it would be right half of
# the time.

# %%
generator = torch.Generator().manual_seed(4)


@torch.no_grad()
def invent(model, count):
    """Decode codes whose units each come from a different training digit."""
    codes = model.encode(train_set.floats.to(device)).cpu()
    donors = torch.randint(len(codes), (count, codes.shape[1]), generator=generator)
    return model.decode(codes.gather(0, donors).to(device)).cpu()


def told_apart(real, invented):
    """Accuracy of a classifier that learns on one half of the pictures and is tested on the other."""
    half = len(real) // 2
    answers = [1] * half + [0] * half
    learn, test = (
        torch.cat([real[part], invented[part]]).flatten(1)
        for part in (slice(0, half), slice(half, 2 * half))
    )
    return SVC().fit(learn, answers).score(test, answers)


names = ("plain", "KL", "contractive and tied", "denoising")
inventions = {name: invent(contestants[name], 800) for name in names}
chosen = torch.randperm(len(test_set), generator=generator)[:800]
shares = {}
for name, invented in inventions.items():
    with torch.no_grad():
        rebuilt = contestants[name](test_images[chosen.to(device)]).cpu()
    shares[name] = told_apart(rebuilt, invented)
    print(f"{name:22s} {shares[name]:.0%} told apart")
    assert shares[name] > 0.85, "random codes should not give digits"
assert min(shares, key=shares.get) == "KL", "the sparse code comes closest"
plots.show(
    plots.image_rows(
        {name: invented[:10].clamp(0, 1) for name, invented in inventions.items()},
        "Decoded random codes: none of these autoencoders can invent",
    ),
    alt="Four rows of ten decoded random codes, for a plain, a sparse, a contractive and a denoising autoencoder. "
    "Most are grey clouds and scribbles. In the row of the sparse one a few could pass for a 0 or a 6.",
)

# %% [markdown]
# Mostly clouds and scribbles. The KL network comes closest, and a few of its pictures could pass
# for a digit. But even there the classifier is right about nine times in ten. A sparse code says
# *how many* units are loud. A calm code says *how fast* it changes. None of them says **which codes
# mean something**. The units of a real code depend on each other in ways that nobody wrote down, so
# nobody can draw a new one.
#
# The variational autoencoder closes this gap. It regularises the code by making it a distribution,
# and it pulls all these distributions towards one that we can draw from. How, and why that is the
# right thing to do, is the next lesson.

# %% [markdown]
# ## Summary
#
# - An **overcomplete** autoencoder can copy. A small reconstruction error alone proves nothing.
#   Test with noise, and with a linear probe.
# - **Tied weights** save half of the parameters and close the loophole of different scales. They
#   cost some error.
# - **L1** makes codes sparse but kills units. The **KL penalty** keeps them alive, but only
#   controls means: too strong, and all units murmur.
# - The **contractive** penalty is the squared norm of the encoder's Jacobian. For one sigmoid
#   layer it is $\sum_j (h_j(1-h_j))^2 \sum_i W_{ji}^2$. Tie the weights, or it will be dodged.
# - At an equal price, denoising and contraction bought calm codes, which a probe can still read
#   under noise, and L1 bought sparsity. No regulariser was best at everything.
# - An **inpainter** learns what goes with what. Trained with squared error, it paints the mean of
#   all possibilities.
# - None of them can invent. The **VAE** can, because it makes the code a distribution.
#
# ## What to read
#
# - I. Goodfellow, Y. Bengio, A. Courville, [Deep Learning, chapter
#   14](https://www.deeplearningbook.org/contents/autoencoders.html) (2016): the whole family in
#   one chapter, with the mathematics.
# - B. Olshausen, D. Field, [Emergence of simple-cell receptive field properties by learning a
#   sparse code for natural images](https://doi.org/10.1038/381607a0) (1996): three pages that
#   connect sparse codes with the brain.
# - S. Rifai and others, [Contractive auto-encoders](https://icml.cc/2011/papers/455_icmlpaper.pdf)
#   (2011): the Jacobian penalty, with tied weights.
# - G. Alain, Y. Bengio, [What regularized auto-encoders learn from the data-generating
#   distribution](https://arxiv.org/abs/1211.4246) (2014): why denoising and contraction are
#   cousins.
# - T. Bricken and others, [Towards
#   monosemanticity](https://transformer-circuits.pub/2023/monosemantic-features) (2023): sparse
#   autoencoders as a microscope for language models, dead units included.
# - K. He and others, [Masked autoencoders are scalable vision
#   learners](https://arxiv.org/abs/2111.06377) (2021): inpainting as a way to learn to see.
#
# **Next:** lesson 07, The VAE, piece by piece. We make the code a distribution.
