# %% [markdown]
# # 06 · Other autoencoders
#
# So far a narrow code, or noise on the input, forced our autoencoders to learn something. Are these the only
# ways to keep a network from simply copying? Here the code gets *more* numbers than the picture has pixels.
# We watch the network cheat, and then stop the cheating in four other ways.
#
# **You will be able to**
#
# - show that an autoencoder with a large code can copy without learning anything,
# - explain with a picture what an L1 penalty, a KL penalty and TopK do to a code,
# - write a contractive penalty and say what it does to the space around the data,
# - recognise dead units, and revive them,
# - compare regularisers fairly, and say where the variational autoencoder (VAE) belongs among them.
#
# **It builds on** [lesson 03](03_the_fully_connected_autoencoder.ipynb) (bottlenecks) and
# [lesson 05](05_denoising_autoencoders.ipynb) (denoising).

# %%
from dataclasses import replace
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn.functional import avg_pool2d

from vae_helpers import checks, plots
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.losses import reconstruction_loss, squared_error
from vae_helpers.train import fit

plots.use_course_style()
seed_everything(0)
device = pick_device()

# %% [markdown]
# ## 1 · Too much room
#
# A code with fewer numbers than the picture is called **undercomplete**, and one with as many or more
# **overcomplete**. Why would anybody want the second? Because a good description need not be short: a sentence uses few
# of the hundred thousand words in a dictionary, and the large choice makes it precise.
#
# To train such codes in seconds, we make the digits smaller: the mean of each 2 × 2 block of pixels becomes one
# pixel. That leaves 14 × 14 = 196 pixels, and the code gets 256 numbers.


# %%
def shrink(digits):
    """The same digits with 14 × 14 pixels: each is the mean of a 2 × 2 block."""
    smaller = avg_pool2d(digits.images.float(), 2).round().to(torch.uint8)
    return replace(digits, images=smaller)


train_set = shrink(load_digits("train").subset(slice(0, 5000)))
test_set = shrink(load_digits("test").subset(slice(0, 2000)))
test_images = test_set.floats.to(device)

PIXELS, UNITS = 196, 256
# 77,000 images in all: about 600 steps of 128
EPOCHS = budget(cpu=77_000, gpu=77_000) // len(train_set)

# %% [markdown]
# All networks of this lesson have one hidden layer, and that layer is the code:
#
# $$ h = \varphi(W x + b), \qquad \hat x = V^\top h + c $$
#
# Each entry of the code is a **unit**, and its value for a picture is the unit's **activation**. Row $j$ of $W$ is
# what unit $j$ looks for, and row $j$ of $V$ is what it adds to the picture when it is active. Unless we say otherwise,
# $\varphi$ is the logistic function of lesson 01, so that activations lie between 0 and 1.


# %%
class OneLayer(nn.Module):
    """An autoencoder with one hidden layer: h = φ(W x + b), and x̂ = Vᵀ h + c."""

    def __init__(self, units=UNITS, activation=torch.sigmoid, tied=False, scale=0.01):
        super().__init__()
        # nn.Parameter marks a tensor as something to train; small first weights, so that what we see later was learnt
        self.W = nn.Parameter(scale * torch.randn(units, PIXELS))
        self.V = self.W if tied else nn.Parameter(scale * torch.randn(units, PIXELS))
        self.b = nn.Parameter(torch.zeros(units))
        self.c = nn.Parameter(torch.zeros(PIXELS))
        self.activation = activation

    def encode(self, images):
        return self.activation(images.flatten(1) @ self.W.T + self.b)

    def decode(self, codes):
        return (codes @ self.V + self.c).unflatten(1, (1, 14, 14))

    def forward(self, images):
        return self.decode(self.encode(images))


def trained(loss, seed=0, lr=1e-2, **settings):
    """A new autoencoder, trained. With the same seed, all see the same batches."""
    seed_everything(seed)
    model = OneLayer(**settings)
    fit(model, train_set, loss, epochs=EPOCHS, lr=lr, seed=seed)
    return model


# %% [markdown]
# Near zero the logistic function is almost a straight line, $\varphi(a) \approx \tfrac12 + \tfrac a4$. So let unit
# $i$ look at pixel $i$ alone, with a tiny weight $\varepsilon$, and let the decoder subtract the half and multiply by
# $4/\varepsilon$. Below we set these weights by hand and call the result the **copier**.
#
# How could we tell describing from copying? By noise, for which a network that describes digits has no words. With $f$ for encoder and decoder together, and noise $n$ of standard
# deviation 0.3 in each pixel, we measure $\;\lVert f(x + n) - f(x) \rVert^2 / \lVert n \rVert^2$, the share of the
# **noise passed on**.
#
# **Predict.** Beside the copier we train two networks, with 16 and with 256 units. Where, between the copier and the
# 16 units, will the 256 units be, in error and in noise?

# %%
copier = OneLayer().to(device)
epsilon = 0.05
picks_a_pixel = torch.eye(UNITS, PIXELS, device=device)
with torch.no_grad():
    copier.W.copy_(epsilon * picks_a_pixel)
    copier.V.copy_(4 / epsilon * picks_a_pixel)
    copier.c.fill_(-0.5 * 4 / epsilon)

# The small network gets what suits it best: larger first weights and a higher learning rate.
narrow = trained(reconstruction_loss, units=16, scale=0.07, lr=3e-2)
plain = trained(reconstruction_loss)

noise = 0.3 * torch.randn(test_images.shape, generator=torch.Generator().manual_seed(1))
noise = noise.to(device)


@torch.no_grad()
def test_error(model, added=0.0):
    """Squared error per image between the clean digits and what comes back (after added noise)."""
    return squared_error(model(test_images + added), test_images).mean().item()


@torch.no_grad()
def noise_passed_on(model):
    difference = model(test_images + noise) - model(test_images)
    return (difference.square().sum() / noise.square().sum()).item()


# %% tags=["figure"]
# Noisy digits, and what three autoencoders give back
one_per_class = [int((test_set.labels == d).nonzero()[0]) for d in range(10)]
spoiled = (test_images + noise)[one_per_class]
with torch.no_grad():
    rows = {"digit": test_images[one_per_class], "with noise": spoiled}
    rows |= {
        "16 units": narrow(spoiled),
        "256 units": plain(spoiled),
        "copier": copier(spoiled),
    }
plots.show(
    plots.image_rows(
        {name: images.clamp(0, 1).cpu() for name, images in rows.items()},
        "Who describes, and who copies? Noisy digits and what comes back",
    ),
    alt="Ten digits, the same with noise, and three reconstructions of the noisy ones. With 16 units most of the noise "
    "is gone. With 256 units much of it is still there. The copier returns the noisy picture unchanged.",
)
print("                       squared error per image   noise passed on")
for name, model in {
    "16 units": narrow,
    "256 units": plain,
    "copier, by hand": copier,
}.items():
    print(f"{name:22s} {test_error(model):23.2f}   {noise_passed_on(model):15.0%}")

# %% tags=["claim"]
assert test_error(copier) < 1e-3, "the copier should copy digits"
with torch.no_grad():
    fog = torch.rand(test_images.shape, generator=torch.Generator().manual_seed(0)).to(
        device
    )
    assert squared_error(copier(fog), fog).mean() < 1e-2, "and pure noise"
assert test_error(plain) < 0.2 * test_error(narrow), "more units, smaller error"
assert noise_passed_on(copier) > 0.98, "the copier passes on everything"
assert noise_passed_on(plain) > 1.6 * noise_passed_on(narrow), (
    "the large code should copy more"
)

# %% [markdown]
# The copier is almost perfect and knows nothing about digits. Training does not find this trick, but the network with 256
# units has gone part of the way: it has a far smaller error than the narrow one and passes on about twice the noise. So
# **in an overcomplete autoencoder, a small error proves nothing.** Something has to hold it back. Whatever we add for
# that purpose is called a **regulariser**, and mostly it is one more term in the loss, with a weight $\lambda$
# ("lambda"):
#
# $$ \text{loss} = \lVert \hat x - x \rVert^2 + \lambda \cdot \Omega $$
#
# The rest of the lesson is about what to put in place of $\Omega$. The cheapest idea needs no $\Omega$ and sets $V = W$:
# [Deeper · Tied weights](deeper/06_tied_weights.ipynb) (15 minutes, optional).
#
# ## 2 · Sparse codes: the L1 penalty
#
# In the plain network nearly every unit takes part in every picture. A **sparse** code has many units of which only a few are active for any one picture. The direct way there is to let each unit pay for its activation, with the **L1 norm**
# $\Omega = \sum_j |h_j|$. Why not the squares (the squared **L2 norm**)?
#
# **Predict.** One unit would like the value $a$, and any other value $h$ costs $(h - a)^2$. Now we add $\lambda |h|$, or
# $\lambda h^2$. Where is the sum smallest if $a$ is small?

# %% tags=["figure"]
# Why L1 gives zeros and L2 does not: one unit, and two units
figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 4.1))
a = torch.linspace(-2, 2, 401)
left.plot(a, a, color="0.6", linestyle=":", label="no penalty: h = a")
left.plot(a, a / 2.2, color=plots.COLORS[2], linewidth=2.5, label="L2: every value shrinks")
soft = a.sign() * (a.abs() - 0.6).clamp(min=0)
left.plot(a, soft, color=plots.COLORS[1], linewidth=3, label="L1: small values become 0")
left.set(xlabel="a, what the unit would like", ylabel="h, what is best with the penalty")
left.set_title("One unit: the soft threshold")
left.legend(fontsize=9, loc="upper left", title="λ = 1.2")
h1, h2 = torch.meshgrid(
    torch.linspace(-1.4, 2.4, 200), torch.linspace(-1.4, 2.4, 200), indexing="xy"
)
bowl = (h1 - 0.7) ** 2 + (h2 - 1.8) ** 2
right.contour(
    h1, h2, bowl.sqrt(), levels=[0.3, 0.7, 1.063, 1.6, 2.2], colors="0.6", linewidths=1
)
right.plot([0, 1, 0, -1, 0], [1, 0, -1, 0, 1], color=plots.COLORS[1], linewidth=3)
angle = torch.linspace(0, 6.2832, 200)
right.plot(angle.cos(), angle.sin(), color=plots.COLORS[2], linewidth=2.5)
best = torch.tensor([0.7, 1.8]) / torch.tensor([0.7, 1.8]).norm()
right.plot(0.7, 1.8, "x", color="black", markersize=10, markeredgewidth=3)
label = {"bbox": {"fc": "white", "ec": "none", "pad": 1}, "zorder": 6}  # nothing crosses it
right.annotate("no penalty", (0.7, 1.8), (0.95, 1.9), **label)
right.plot(0, 1, "o", color=plots.COLORS[1], markersize=11, zorder=5)
right.annotate(
    "L1: a corner,\nh₁ = 0", (0, 1), (-1.3, 1.35), color=plots.COLORS[1], **label
)
right.plot(*best, "o", color=plots.COLORS[2], markersize=11, zorder=5)
right.annotate("L2: h₁ > 0", best, (0.6, 0.95), color=plots.COLORS[2], **label)
right.set(xlabel="unit h₁", ylabel="unit h₂", aspect="equal")
right.set_title("Two units: diamond and circle")
plots.show(
    figure,
    alt="Left: the best value of one unit against the value that it would like. With L2 the line is only less steep; "
    "with L1 it is flat at zero in the middle. Right: circles of equal error around a cross, and a diamond and a circle "
    "around the origin. The error circles meet the diamond in its upper corner, where the first unit is 0.",
)

# %% tags=["claim"]
values = torch.linspace(-2, 2, 40_001)
for wish in (-1.5, -0.5, 0.2, 0.59, 1.1):
    found = values[((values - wish) ** 2 + 1.2 * values.abs()).argmin()].item()
    assert abs(found - soft[(a - wish).abs().argmin()]) < 0.02, "the soft threshold"
    found = values[((values - wish) ** 2 + 1.2 * values**2).argmin()].item()
    assert abs(found - wish / 2.2) < 1e-3, "L2 only shrinks"
edge = torch.linspace(0, 1, 1001)
assert ((edge - 0.7) ** 2 + (1 - edge - 1.8) ** 2).argmin() == 0, (
    "the corner is the best point of the diamond"
)

# %% [markdown]
# A square forgives small values, because going from 0.1 to 0 would save almost nothing, and so L2 only shrinks them
# all. The absolute value charges the same for every step down to the very end. Whatever is worth less than its price
# becomes exactly zero (our logistic units only come close): this is the **soft threshold** on the left. A price acts
# like a budget: on the right, two units may spend $|h_1| + |h_2| = 1$. These codes form a diamond, and the one with the
# smallest error usually is a *corner*, where one unit is zero, while the circle of L2 has none.


# %%
def l1_loss(weight):
    """Squared error + weight · Σ |hⱼ|. What comes back is one loss for each image."""

    def loss(model, images, labels):
        codes = model.encode(images)
        return squared_error(model.decode(codes), images) + weight * codes.abs().sum(1)

    return loss


l1_models = [(weight, trained(l1_loss(weight))) for weight in (0.025, 0.08, 0.25)]
l1 = l1_models[1][1]


def sparsity(codes):
    """Hoyer's measure of each code (N, d): 0 if all numbers are equal, 1 if only one is not 0."""
    root, size = codes.shape[1] ** 0.5, codes.norm(dim=1).clamp(min=1e-9)
    return (root - codes.abs().sum(1) / size) / (root - 1)


@torch.no_grad()
def sparsity_and_dead(model):
    codes = model.encode(test_images)
    return sparsity(codes).mean().item(), int((codes.std(0) < 0.01).sum())


# %% [markdown]
# **Hoyer's measure** (in the cell above) says how unequal the numbers of a code are, whatever its scale. We also count **dead units**: those that hardly change from picture to
# picture (standard deviation below 0.01).
#
# **Predict.** From row to row, the weight is about three times as large. What happens to each column?

# %% tags=["figure"]
# What three weights of the L1 penalty do
print("L1 weight   squared error per image   sparsity   dead units")
for weight, model in [(0, plain), *l1_models]:
    sparse, dead = sparsity_and_dead(model)
    print(f"{weight:9g}   {test_error(model):23.2f}   {sparse:8.2f}   {dead:3d} of {UNITS}")

# %% tags=["claim"]
ladder = [plain, *(model for _, model in l1_models)]
errors, (sparsities, deads) = (
    [test_error(m) for m in ladder],
    zip(*map(sparsity_and_dead, ladder)),
)
assert errors == sorted(errors) and list(sparsities) == sorted(sparsities)
assert sparsities[2] > 0.6 and min(deads[2:]) > 128, "these weights should kill most units"
for code, expected in (([1.0, 1, 1, 1], 0), ([0.0, 0, 5, 0], 1)):
    assert abs(sparsity(torch.tensor([code])).item() - expected) < 1e-5

# %% [markdown]
# The codes become sparse, as ordered, and the error grows. But with the two larger weights most units are dead: the
# penalty does not care *who* is silent, so the cheapest way is to switch most units off for every picture. What remains
# is an undercomplete autoencoder in disguise.
#
# ## 3 · A target for every unit: the KL penalty
#
# We wanted each unit to be active for *some* pictures, so let us ask for exactly that. Every unit gets a target: its mean
# activation over many pictures, $\hat\rho_j$, should be $\rho$ ("rho"), say 0.05. Think of two coins that show heads with
# probability $\rho$ and $\hat\rho_j$. The **Kullback–Leibler divergence** (KL) measures how different they are:
#
# $$ \Omega = \sum_j \Big[ \rho \log \frac{\rho}{\hat\rho_j} + (1 - \rho) \log \frac{1 - \rho}{1 - \hat\rho_j} \Big], \qquad \hat\rho_j = \frac1N \sum_{n=1}^N h_j(x_n) $$
#
# It is 0 if all means are on target. A unit that is too active pays, and one that is always silent pays too.
#
# ### Your turn 1 · The KL penalty (6 min)
#
# Write the penalty for codes `h` (N, units) and the target `rho`, a number. Return one number, the sum over the units,
# and average over the pictures before you take logarithms. The next cell trains with it.


# %% tags=["exercise"]
def my_sparsity_penalty(h, rho):
    result = ...  # your code here
    return result


verdict = checks.sparsity_penalty(my_sparsity_penalty)
sparsity_penalty = verdict.working
verdict


# %% tags=["solution"]
def my_sparsity_penalty(h, rho):
    rho_hat = h.mean(0)  # one number per unit: its mean over the batch
    active = rho * torch.log(rho / rho_hat)
    silent = (1 - rho) * torch.log((1 - rho) / (1 - rho_hat))
    return (active + silent).sum()


# %%
RHO = 0.05


def kl_loss(weight):
    def loss(model, images, labels):
        codes = model.encode(images)
        inside = codes.clamp(1e-6, 1 - 1e-6)  # the logarithm of 0 is not finite
        penalty = sparsity_penalty(inside, RHO)
        return squared_error(model.decode(codes), images) + weight * penalty

    return loss


kl, kl_strong = trained(kl_loss(0.12)), trained(kl_loss(3))

# %% tags=["figure"]
# What every unit does for forty digits: plain, with an L1 penalty, with a KL penalty
with torch.no_grad():
    codes = {
        name: model.encode(test_images).cpu()
        for name, model in {"plain": plain, "L1 penalty": l1, "KL penalty": kl}.items()
    }
figure, axes = plt.subplots(
    2, 3, figsize=(9.4, 5.4), sharex=True, gridspec_kw={"height_ratios": [3, 2]}
)
some = torch.linspace(0, len(test_set) - 1, 40).long()
for (top, bottom), (name, h) in zip(axes.T, codes.items(), strict=True):
    order = h.mean(0).argsort(descending=True)
    picture = top.imshow(
        h[some][:, order], vmin=0, vmax=1, aspect="auto", interpolation="nearest"
    )
    top.set(title=name)
    bottom.plot(h.mean(0)[order], color=plots.COLORS[1], linewidth=2.5)
    bottom.axhline(RHO, color=plots.COLORS[4], linestyle="--", linewidth=1.5)
    bottom.set(xlabel="unit, sorted by its mean", yscale="log", ylim=(5e-4, 1))
axes[0, 0].set_ylabel("test digit")
axes[1, 0].set_ylabel("mean activation")
axes[1, 0].text(0, RHO * 0.8, "target ρ", color=plots.COLORS[4], va="top")
figure.colorbar(picture, ax=axes[0], label="activation")
plots.show(
    figure,
    alt="Top: activations of 256 units for 40 test digits, for three networks. Plain: every unit is half active "
    "everywhere. L1: a narrow band of busy units on the left, all others dark. KL: bright spots that thin out, and on "
    "the right faint stripes. Bottom: the mean of each unit; far below the target for most with L1, near it with KL.",
)
print("           dead units   active (above 0.5) for some digit   largest activation")
for name, model in {"L1": l1, "KL": kl, "KL, weight 3": kl_strong}.items():
    with torch.no_grad():
        highest = model.encode(test_images).amax(0)
    print(
        f"{name:13s} {sparsity_and_dead(model)[1]:7d} {(highest > 0.5).sum():35d} {highest.max():20.2f}"
    )
print("                squared error   sparsity   spread of the units' means")
for name, model in {"KL": kl, "KL, weight 3": kl_strong}.items():
    with torch.no_grad():
        spread = model.encode(test_images).mean(0).std()
    print(
        f"{name:13s} {test_error(model):15.2f} {sparsity_and_dead(model)[0]:10.2f} {spread:28.3f}"
    )

# %% tags=["claim"]
with torch.no_grad():
    weak_codes, strong_codes = (m.encode(test_images).cpu() for m in (kl, kl_strong))
busy = {name: (h.amax(0) > 0.5).sum() for name, h in codes.items()}
assert sparsity_and_dead(kl)[1] < 10 < sparsity_and_dead(l1)[1], (
    "KL should keep all units alive"
)
assert busy["KL penalty"] > 1.5 * busy["L1 penalty"], (
    "and more of them should be active at times"
)
assert weak_codes.mean(0).min() > 0.02 and abs(weak_codes.mean() - RHO) < 0.06, (
    "near the target"
)
assert strong_codes.mean(0).std() < 0.5 * weak_codes.mean(0).std(), (
    "strong: means held tightly"
)
assert sparsity_and_dead(kl_strong)[0] < 0.2 * sparsity_and_dead(kl)[0], "but less sparse"
assert strong_codes.max() < 0.5 and test_error(kl_strong) > test_error(kl), (
    "no unit is ever active"
)

# %% [markdown]
# If the code were an office: in the plain network everybody talks all the time. **L1: a small busy team, and a
# large floor of empty desks.** With KL hardly anybody counts as dead, and more units are active for some digit. The
# grey stripes are units that only whisper, for every digit alike.
#
# The last table row is a beautiful failure. With a weight of 3 the means obey the target even better, because they
# spread less, and yet the code is *less* sparse and the error large. The penalty asks only that a unit's activation
# be 0.05 **on average**. A unit can be fully active for one picture in twenty, or slightly active for all of them, and
# under pressure the network takes the second way. **A network optimises what you wrote, not what you meant.**
#
# ## 4 · Just keep the k largest: TopK
#
# If we want few active units, why negotiate by a price? **TopK** (Makhzani and Frey, 2013) keeps the $k$ largest
# activations of each picture and sets all others to zero. There is only $k$ to choose, and nothing pulls the surviving
# activations towards zero. Since 2024 sparse autoencoders of this kind, with millions of units, are trained on the inner
# activations of language models, where many units turn out to stand for things that have names, such as a place.
#
# ### Your turn 2 · TopK (5 min)
#
# Write it for codes (N, units): return a tensor of the same shape in which each row keeps its `k` largest values. Useful:
# `values, places = codes.topk(k, dim=1)`, and `zeros.scatter(1, places, values)`, which writes values at places of a
# tensor. The gradient should reach the kept values and no others.


# %% tags=["exercise"]
def my_top_k(codes, k):
    result = ...  # your code here
    return result


verdict = checks.top_k(my_top_k)
top_k = verdict.working
verdict


# %% tags=["solution"]
def my_top_k(codes, k):
    values, places = codes.topk(k, dim=1)
    return torch.zeros_like(codes).scatter(1, places, values)


# %%
K = 12


def keep_k(sums):
    """The activation function of a TopK autoencoder: a ReLU, of which the k largest stay."""
    return top_k(torch.relu(sums), K)


topk = trained(reconstruction_loss, activation=keep_k)

# %% tags=["figure", "hero"]
# Three digits, spelled with the strongest of their twelve active units
SHOWN = 8
figure, axes = plt.subplots(6, SHOWN + 2, figsize=(9.4, 6.0))
chosen = [one_per_class[d] for d in (2, 4, 5)]
with torch.no_grad():
    for block, n in enumerate(chosen):
        h = topk.encode(test_images[n : n + 1])[0]
        parts = (h[:, None] * topk.V).unflatten(1, (14, 14)).cpu()
        strongest = parts.flatten(1).norm(dim=1).argsort(descending=True)[:SHOWN]
        ground = topk.c.unflatten(0, (14, 14)).cpu()
        sums = ground + parts[strongest].cumsum(0)
        upper, lower = axes[2 * block], axes[2 * block + 1]
        lower[0].imshow(ground, cmap="gray", vmin=0, vmax=1)
        for ax, part in zip(upper[1:], parts[strongest]):
            ax.imshow(part, cmap="PuOr", vmin=-0.5, vmax=0.5)
        for ax, total in zip(lower[1:], [*sums, topk(test_images[n : n + 1])[0, 0].cpu()]):
            ax.imshow(total, cmap="gray", vmin=0, vmax=1)
        upper[-1].imshow(test_images[n, 0].cpu(), cmap="gray", vmin=0, vmax=1)
        upper[-1].set_title("digit" if block == 0 else "", fontsize=10)
        lower[-1].set_title(f"all {K}", fontsize=10)
        lower[0].set_title("start: c", fontsize=10)
for ax in axes.flat:
    ax.axis("off")
figure.suptitle(
    "A digit is spelled: each unit adds ink (purple) or takes it away (orange); below, the sum so far"
)
plots.show(
    figure,
    alt="Three digits, each with two rows: eight patterns in orange and purple that single units add, and below, "
    "the running sum, which turns into the digit.",
)
sparse, dead = sparsity_and_dead(topk)
print(
    f"TopK, k = {K}: squared error per image {test_error(topk):.2f}, sparsity {sparse:.2f}, dead units {dead} of {UNITS}"
)

# %% tags=["claim"]
with torch.no_grad():
    assert (topk.encode(test_images) != 0).sum(1).max() <= K, "at most k units are active"
assert sparsity_and_dead(topk)[1] > 100, "many units of the TopK network should be dead"
assert test_error(topk) < test_error(narrow), "12 of 256 should say more than 16 of 16"

# %% [markdown]
# Every digit picks twelve units, some shared with other digits, and their sum spells it, more or less. But many units are dead here as well: one that loses the
# competition at the beginning gets no gradient, so it never improves and never wins. Dead units are the daily worry of
# everybody who trains large sparse autoencoders, and curing them is this lesson's workshop.
#
# ## 5 · Contractive autoencoders
#
# Here is another wish. If two pictures differ by a bit of dust, their codes should be almost the same. How far does
# the code move if the pixels change a little? The slopes $J_{ji} = \partial h_j / \partial x_i$, one for each unit and pixel, form the **Jacobian** $J$. Small noise
# of variance $\sigma^2$ per pixel moves the code by $\sigma^2 \lVert J \rVert_F^2$ on average (in squared distance), where
# $\lVert J \rVert_F^2$ is the sum of all squared entries, the squared **Frobenius norm**. The
# **contractive autoencoder** (Rifai and others, 2011) takes this norm as its penalty. For our one layer, the chain rule and
# $\varphi' = \varphi(1 - \varphi)$ give it in closed form:
#
# $$ J_{ji} = h_j (1 - h_j) \, W_{ji}, \qquad \Omega = \lVert J \rVert_F^2 = \sum_j \big( h_j (1 - h_j) \big)^2 \, \sum_i W_{ji}^2 $$
#
# ### Your turn 3 · The contractive penalty (6 min)
#
# Write it for a batch: codes `h` (N, units) and weights `w` (units, pixels) give one number per image, (N,). Two experiments use it.


# %% tags=["exercise"]
def my_sigmoid_jacobian(h, w):
    result = ...  # your code here
    return result


verdict = checks.sigmoid_jacobian(my_sigmoid_jacobian)
sigmoid_jacobian = verdict.working
verdict


# %% tags=["solution"]
def my_sigmoid_jacobian(h, w):
    slope = h * (1 - h)  # (N, units)
    size_of_row = w.square().sum(1)  # (units,)
    return slope.square() @ size_of_row


# %% [markdown]
# What does contraction do? In two dimensions we can look. Our "pictures" are now points near an arc in the plane, and a
# contractive autoencoder with 30 units and tied weights ($V = W$) is trained on them.
#
# **Predict.** For many places $x$ in the plane we draw an arrow from $x$ to its reconstruction $f(x)$. What
# will the arrows do without the penalty, and with it?

# %%
generator = torch.Generator().manual_seed(0)
angles = 2.6 * torch.rand(400, generator=generator) - 1.3
arc = torch.stack([1.2 * angles.sin(), 1.2 * angles.cos() - 0.6], dim=1)
arc = arc + 0.03 * torch.randn(arc.shape, generator=generator)


def flow_of(weight, steps=1200, lr=0.02):
    """Train on the arc with the contractive penalty; return W and the function f."""
    seed_everything(0)
    w, b, c = (
        nn.Parameter(torch.randn(30, 2)),
        nn.Parameter(torch.randn(30)),
        nn.Parameter(torch.zeros(2)),
    )
    optimizer = torch.optim.Adam([w, b, c], lr=lr)
    for _ in range(steps):
        h = torch.sigmoid(arc @ w.T + b)
        error = (h @ w + c - arc).square().sum(1)
        loss = (error + weight * sigmoid_jacobian(h, w)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lambda x: (torch.sigmoid(x @ w.T + b) @ w + c).detach()


flows = [(weight, flow_of(weight)) for weight in (0.0, 0.4)]

# %% tags=["figure"]
# Where an autoencoder moves the points of the plane, without and with contraction
figure, axes = plt.subplots(1, 2, figsize=(9.4, 3.9), sharey=True)
places = torch.cartesian_prod(torch.linspace(-1.6, 1.6, 13), torch.linspace(-1.1, 1.1, 10))
for ax, (weight, flow) in zip(axes, flows):
    ax.plot(*arc.T, ".", color=plots.COLORS[2], markersize=4)
    ax.quiver(
        *places.T,
        *(flow(places) - places).T,
        angles="xy",
        scale_units="xy",
        scale=1,
        color=plots.COLORS[1],
        width=0.004,
    )
    ax.set(
        title=f"contractive penalty with λ = {weight:g}",
        xlabel="x₁",
        xlim=(-1.8, 1.8),
        ylim=(-1.25, 1.25),
        aspect="equal",
    )
axes[0].set_ylabel("x₂")
plots.show(
    figure,
    alt="Two planes with data points along an arc. Without the penalty hardly any arrow can be seen: the autoencoder copies. "
    "With it, arrows from above and below point to the arc.",
)
along = torch.stack([angles.cos(), -angles.sin()], dim=1)
across = torch.stack([angles.sin(), angles.cos()], dim=1)
for weight, flow in flows:
    moved = [
        ((flow(arc + 0.05 * d) - flow(arc)).norm(dim=1).mean() / 0.05).item()
        for d in (along, across)
    ]
    print(
        f"λ = {weight:g}: of a small step along the arc {moved[0]:.0%} is left, of one across it {moved[1]:.0%}"
    )

# %% tags=["claim"]
kept = [
    [
        ((flow(arc + 0.05 * d) - flow(arc)).norm(dim=1).mean() / 0.05).item()
        for d in (along, across)
    ]
    for _, flow in flows
]
assert min(kept[0]) > 0.9, "without the penalty it copies"
assert kept[1][0] > 1.5 * kept[1][1], (
    "with it, steps along the arc survive better than steps across"
)

# %% [markdown]
# Without the penalty the arrows near the data almost vanish, because the network copies the points there. With it most
# arrows point to the arc (not at the lower right, far from all data). The error wants to keep the steps that happen in the data and the penalty wants to keep none, so
# the network gives up first what it needs least: steps *across* the arc. The denoiser of lesson 05 drew the same
# picture, and for small noise its loss indeed is a squared error plus a penalty on the Jacobian of $f$ (Alain and Bengio, 2014).
#
# Why tied weights? Otherwise the network can dodge the penalty with a small $W$ and a large $V$.
# [Deeper · Contraction](deeper/06_contraction.ipynb) (25 minutes, optional) catches it at that trick.


# %%
def contractive_loss(weight):
    def loss(model, images, labels):
        codes = model.encode(images)
        penalty = sigmoid_jacobian(codes, model.W)
        return squared_error(model.decode(codes), images) + weight * penalty

    return loss


def denoising_loss(strength):
    """Lesson 05: give back the clean image after seeing a noisy one."""

    def loss(model, images, labels):
        noisy = images + strength * torch.randn_like(images)
        return squared_error(model(noisy), images)

    return loss


# %% [markdown]
# ## 6 · One table, and where the VAE fits
#
# Which regulariser is best? To compare fairly, everything else should be equal (contraction also needs tied weights): 256 units, the steps, the batches, and
# the *price*, because each $\lambda$ and $k$ was chosen beforehand for about the same squared error on
# *validation* digits. Two narrow codes of 16
# numbers join, of a network and of PCA. All networks are trained from three seeds.
#
# We measure the error on clean and on noisy digits, the sparsity, and the **code shift**: how far the noise moves a code,
# compared with the distance between two digits' codes. And because a useful code should make later work easier, we
# give it to a **linear probe**, one layer (*logistic regression*) that learns to name the digit from clean training codes.
#
# **Predict.** Which row has the smallest code shift, and which the best probe? Will any row win every column?


# %%
def linear_probe(encode):
    """Accuracy of a linear classifier on the codes of clean and of noisy test digits."""

    @torch.no_grad()
    def codes_of(images):
        return encode(images.to(device)).flatten(1).cpu()

    known = codes_of(train_set.floats)
    center, spread = known.mean(0), known.var(0).mean().sqrt()  # one scale for all units
    probe = LogisticRegression(C=0.3, tol=1e-3, max_iter=300)
    probe.fit((known - center) / spread, train_set.labels)
    digits = (test_images, test_images + noise)
    return [probe.score((codes_of(x) - center) / spread, test_set.labels) for x in digits]


@torch.no_grad()
def code_shift(model):
    clean = model.encode(test_images)
    moved = (model.encode(test_images + noise) - clean).square().sum(1).mean()
    apart = 2 * clean.var(0).sum()  # the mean squared distance of two codes
    return (moved / apart).sqrt().item()


def column_values(model):
    errors = [test_error(model), test_error(model, noise)]
    return [
        *errors,
        sparsity_and_dead(model)[0],
        code_shift(model),
        *linear_probe(model.encode),
    ]


# %%
recipes = {
    "16 units": (reconstruction_loss, {"units": 16, "scale": 0.07, "lr": 3e-2}),
    "plain": (reconstruction_loss, {}),
    "L1": (l1_loss(0.08), {}),
    "KL": (kl_loss(0.12), {}),
    "TopK": (reconstruction_loss, {"activation": keep_k}),
    "contractive, tied": (contractive_loss(0.4), {"tied": True}),
    "denoising": (denoising_loss(0.5), {}),
}
# %% tags=["figure"]
# Training each recipe from three seeds (seed 0 is there already), and PCA written as a network
first = {"16 units": narrow, "plain": plain, "L1": l1, "KL": kl, "TopK": topk}
models = {}
for name, (loss, settings) in recipes.items():
    seeds = (1, 2) if name in first else (0, 1, 2)
    models[name] = [trained(loss, seed, **settings) for seed in seeds]
    models[name] = [first[name], *models[name]] if name in first else models[name]

components = PCA(16).fit(train_set.floats.flatten(1))
pca = OneLayer(16, activation=lambda sums: sums).to(device)
with torch.no_grad():
    directions = torch.tensor(components.components_, dtype=torch.float32, device=device)
    pca.c.copy_(torch.tensor(components.mean_, device=device))
    pca.W.copy_(directions)
    pca.V.copy_(directions)
    pca.b.copy_(-directions @ pca.c)
table = {"PCA, 16": [column_values(pca)]}
table |= {name: [column_values(m) for m in three] for name, three in models.items()}

# %% tags=["figure"]
# What each regulariser buys: six measures, three seeds each
COLUMNS = (
    "error\nclean",
    "error\nnoisy",
    "sparsity",
    "code\nshift",
    "probe\nclean",
    "probe\nnoisy",
)
seed_everything(0)
untrained = OneLayer().to(device)
references = {
    "pixels": linear_probe(lambda x: x),
    "256 units,\nuntrained": linear_probe(untrained.encode),
}
names = [*table, *references]
figure, axes = plt.subplots(1, 6, figsize=(9.4, 4.6), sharey=True)
for column, (ax, title) in enumerate(zip(axes, COLUMNS)):
    means = {}
    for y, name in enumerate(names):
        if name in references and column < 4:
            continue
        values = (
            [references[name][column - 4]]
            if name in references
            else [row[column] for row in table[name]]
        )
        means[y] = sum(values) / len(values)
        ax.plot(
            values, [y] * len(values), "o", color=plots.COLORS[1], alpha=0.6, markersize=5
        )
        text = f"{means[y]:.1%}" if column > 3 else f"{means[y]:.2f}"
        ax.annotate(
            text, (means[y], y), (0, 6), textcoords="offset points", ha="center", fontsize=8
        )
    small = column in (0, 1, 3)
    best = (min if small else max)(means, key=means.get)
    ax.axhspan(best - 0.4, best + 0.55, color=plots.COLORS[3], alpha=0.25, linewidth=0)
    ax.set(title=title, xlabel="small is good" if small else "large is good", xticks=[])
    ax.margins(x=0.32)
axes[0].set_yticks(range(len(names)), names)
axes[0].invert_yaxis()
figure.suptitle(
    "What each one buys (test digits; errors: squared error per image; best mean shaded)"
)
plots.show(
    figure,
    alt="Six columns of dots, three per autoencoder: error on clean and on noisy digits, sparsity, code shift, and "
    "probe accuracy on clean and on noisy digits. Each column has its best row shaded, and no row is best everywhere.",
)
print("means of three seeds (± half their range)")
print(" " * 18 + "".join(f"{title.replace(chr(10), ' '):>15s}" for title in COLUMNS))
for name, seeds in table.items():
    cells = [f"{sum(c) / len(c):8.3f} ±{(max(c) - min(c)) / 2:.3f}" for c in zip(*seeds)]
    print(f"{name:18s}" + "".join(cells))
count = len(test_set)
print(
    f"an accuracy near 90%, counted on {count:,} digits, is known to about ± {(0.09 / count) ** 0.5:.1%} (one standard error)"
)

# %% tags=["claim"]
error, noisy_error, sparse, shift, clean, noisy = (
    {name: [row[column] for row in rows] for name, rows in table.items()}
    for column in range(6)
)
held_back = ("L1", "KL", "TopK", "contractive, tied", "denoising")
prices = [sum(error[name]) for name in held_back]
assert max(prices) < 1.6 * min(prices), "the prices should be about equal"
for name in set(table) - {"plain"}:
    assert max(error["plain"]) < min(error[name]), "plain reconstructs best"
for name in set(table) - {"denoising"}:
    assert max(noisy_error["denoising"]) < min(noisy_error[name]), (
        "denoising wins on noisy digits"
    )
    assert min(clean["denoising"]) > max(clean[name]), "and in the clean probe"
    assert min(noisy["denoising"]) > max(noisy[name]), "and in the noisy one"
for name in set(table) - {"denoising", "contractive, tied"}:
    assert max(noisy_error["contractive, tied"]) < min(noisy_error[name]), (
        "contraction comes next"
    )
    assert min(noisy["contractive, tied"]) > max(noisy[name]), "in the noisy probe, too"
for name in set(table) - {"L1", "TopK"}:
    assert min(sparse["L1"] + sparse["TopK"]) > max(sparse[name]), "L1 and TopK are sparse"
assert max(sparse["contractive, tied"]) < 0.2 and min(sparse["KL"]) > 3 * max(
    sparse["plain"]
)
calm = shift["PCA, 16"] + shift["denoising"] + shift["contractive, tied"]
for name in ("16 units", "plain", "L1", "KL", "TopK"):
    assert 1.2 * max(calm) < min(shift[name]), (
        "the calmest are PCA, denoising and contraction"
    )
for reference in references.values():
    assert abs(sum(clean["plain"]) / 3 - reference[0]) < 0.04, (
        "plain is worth about as much as pixels"
    )
assert max(noisy["plain"]) < references["pixels"][1], (
    "noise hurts the plain code more than the pixels"
)
assert min(clean["KL"]) > max(clean["plain"]), "KL helps the clean probe"
assert sum(clean["L1"]) / 3 < sum(clean["plain"]) / 3 + 0.01, (
    "L1 with so many dead units should not"
)
assert max(clean["PCA, 16"] + clean["16 units"]) < min(
    clean["plain"] + clean["L1"] + clean["TopK"]
)
lost = [
    sum(clean[name]) / len(clean[name]) - sum(noisy[name]) / len(noisy[name])
    for name in table
]
loss_of = dict(zip(table, lost))
least = [loss_of.pop(name) for name in ("PCA, 16", "denoising", "contractive, tied")]
assert max(least) < min(loss_of.values()), "PCA, denoising and contraction lose least"
for name in ("16 units", "TopK"):
    assert sum(noisy_error[name]) > 0.95 * sum(noisy_error["plain"]), "no better than plain"
shifts = [sum(values) / len(values) for values in shift.values()]
assert torch.corrcoef(torch.tensor([shifts, lost]))[0, 1] > 0.6, "more shift, more loss"

# %% [markdown]
# All three seeds agree on every order that we name here:
#
# - **Errors.** Plain reconstructs clean digits best, so every regulariser has its price. On noisy digits denoising wins,
#   which trained for a similar task (noise of 0.5). The contractive network comes next and never saw noise. The 16
#   units and TopK do no better than plain there, as they lose too much of the digit itself. (Nor can the 16 units beat
#   PCA on training digits, as their decoder is linear.)
# - **Sparsity.** TopK and L1 deliver it. A contractive code is not sparse at all: a code that hardly moves is
#   something else than one with few active units.
# - **Code shift.** PCA, denoising and contraction have the smallest, so a small code shift alone needs no clever
#   penalty.
# - **Clean probe.** The plain code is worth about as much as the pixels or 256 random units. Denoising helps
#   most, and KL helps too; the narrow codes are worst, PCA among them.
# - **Noisy probe.** PCA, denoising and contraction lose least, and the plain code falls below the pixels. By
#   and large, the further noise moves a code, the more its probe loses.
#
# So no row wins every column: a regulariser is good *for* something. This is one data set and one $\lambda$ for each, so
# carry the way of comparing elsewhere, not the ranking.
#
# **What do the units paint?** Row $j$ of $V$ is what unit $j$ adds to the picture. We draw, for each network, the ten
# units that contribute most to the reconstructions.

# %% tags=["figure"]
# What the ten strongest units of each network paint


@torch.no_grad()
def strongest_filters(model, how_many=10):
    contribution = model.encode(test_images).std(0) * model.V.norm(dim=1)
    chosen = contribution.argsort(descending=True)[:how_many]
    return model.V[chosen].unflatten(1, (14, 14)).cpu()


filters = {
    name: strongest_filters(three[0])
    for name, three in models.items()
    if name != "16 units"
}
filters = {"untrained": strongest_filters(untrained), **filters}
figure, axes = plt.subplots(len(filters), 10, figsize=(8.6, 6.2))
for row, (name, pictures) in zip(axes, filters.items()):
    for ax, picture in zip(row, pictures):
        ax.imshow(picture, cmap="PuOr", vmin=-picture.abs().max(), vmax=picture.abs().max())
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
figure.suptitle("What units paint: purple adds ink, orange takes it away")
plots.show(
    figure,
    alt="Seven rows of ten small patterns. Untrained units are pure noise, plain ones speckled. Sparse, contractive and denoising "
    "networks paint smooth pieces of strokes and loops.",
)


def smoothness(pictures):
    left, right = pictures[:, :, :-1].flatten(), pictures[:, :, 1:].flatten()
    return torch.corrcoef(torch.stack([left, right]))[0, 1].item()


smooth = {name: smoothness(pictures) for name, pictures in filters.items()}
print("correlation of neighbouring pixels:", {n: round(s, 2) for n, s in smooth.items()})

# %% tags=["claim"]
assert abs(smooth["untrained"]) < 0.15, "random weights have no order"
for name in ("L1", "KL", "contractive, tied", "denoising"):
    assert smooth[name] > smooth["plain"] + 0.07, (
        "regularised codes should have smoother filters"
    )

# %% [markdown]
# The plain network paints speckles that mean something only in their sum. With a regulariser a unit paints
# pieces of strokes and loops, and the printed correlation of neighbouring pixels grows.
#
# Every autoencoder of these lessons holds the network back at one place:

# %% tags=["figure"]
# Where each member of the family holds the network back
figure, ax = plt.subplots(figsize=(9.4, 3.4))
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
    ax.text(x, 2, name, ha="center", va="center", bbox=box, fontsize=11)
half = {x: 0.1 + 0.055 * max(map(len, name.split())) for x, name in stations.items()}
for start, end in pairwise(stations):
    ax.annotate(
        "",
        (end - half[end], 2),
        (start + half[start], 2),
        arrowprops={"arrowstyle": "->", "lw": 1.5},
    )
blue, red = plots.COLORS[1], plots.COLORS[4]
notes = (
    (2.3, 3.6, "denoising: add noise\ninpainting: hide a part", blue),
    (4.4, 0.4, "contractive: a price\non the slopes ∂h/∂x", blue),
    (6.5, 3.6, "undercomplete: few units\nsparse: few active units", blue),
    (6.5, 0.4, "VAE: a distribution\nin place of a point", red),
    (8.6, 0.4, "tied:\nV = W", blue),
)
for x, y, text, color in notes:
    ax.text(x, y, text, ha="center", va="center", color=color, fontsize=10.5)
    reach = 0.3 if "\n" in stations[x] else 0.2
    tail, tip = (3.2, 2 + reach) if y > 2 else (0.8, 2 - reach)
    ax.annotate(
        "", (x, tip), (x, tail), arrowprops={"arrowstyle": "->", "color": color, "lw": 2}
    )
plots.show(
    figure,
    alt="A chain from image to spoiled image, encoder, code, decoder and image. Arrows point to it: denoising and inpainting "
    "to the spoiled image, contractive to the encoder, undercomplete and sparse to the code, tied to the decoder, and, in "
    "another colour, the VAE to the code: a distribution in place of a point.",
)

# %% [markdown]
# The **VAE** takes up two threads of this lesson. The sparse autoencoder's KL compares each unit's mean over *all
# pictures* with a coin; the VAE's compares the code of *each picture* with a bell curve. And noise returns, on the code
# instead of on the picture. Together they give what none of the others is trained for: a distribution from which new codes
# can be drawn. In lesson 03 we could only draw from a Gaussian fitted afterwards, and
# many digits were poor.
#
# ## Workshop · Wake the dead units (25 min)
#
# The network below works, but most of its 256 units are dead. Bring it to **fewer than 50 dead units**, with a **squared
# error of at most 2.5** per image and still at most 12 active units for each picture. The check measures on held-out
# digits (a unit is dead if its standard deviation over them is below 0.01).
#
# First check section 4's reason: *when* do units die? What gradient does a unit get that never wins? Then change
# what you like: the starting weights, the learning rate, the loss, $k$ during the training, or stop in between and
# treat the dead.

# %% tags=["workshop"]
seed_everything(0)
sparse_model = OneLayer(activation=keep_k)
fit(sparse_model, train_set, reconstruction_loss, epochs=EPOCHS, lr=1e-2)

verdict = checks.lesson_06.workshop(sparse_model)
verdict

# %% tags=["solution"]
# Three times during the training, each dead unit gets a new job: it looks for, and paints, what is still missing in one
# of the pictures that come back worst.
seed_everything(0)
sparse_model = OneLayer(activation=keep_k, scale=0.07).to(device)
pictures = train_set.floats.to(device)
for part in range(4):
    fit(sparse_model, train_set, reconstruction_loss, epochs=max(1, EPOCHS // 4), lr=5e-3)
    if part < 3:
        with torch.no_grad():
            dead = (sparse_model.encode(pictures).std(0) < 0.01).nonzero()[:, 0]
            missing = (pictures - sparse_model(pictures)).flatten(1)
            worst = missing[missing.norm(dim=1).topk(len(dead)).indices]
            jobs = 0.3 * worst / worst.norm(dim=1, keepdim=True)
            sparse_model.W[dead], sparse_model.V[dead], sparse_model.b[dead] = (
                jobs,
                jobs,
                0.0,
            )

# %% tags=["alternative"]
# A better start: every unit looks for what it paints, all are equally long, and they look at the difference from the
# mean digit. With a smaller learning rate, hardly any unit dies.
seed_everything(0)
sparse_model = OneLayer(activation=keep_k, scale=0.07)
with torch.no_grad():
    sparse_model.V.div_(sparse_model.V.norm(dim=1, keepdim=True))
    sparse_model.W.copy_(sparse_model.V)
    sparse_model.c.copy_(train_set.floats.flatten(1).mean(0))
    sparse_model.b.copy_(-sparse_model.W @ sparse_model.c)
fit(sparse_model, train_set, reconstruction_loss, epochs=EPOCHS, lr=3e-3)

# %% [markdown]
# **Going on.** Draw the filters of your revived units. Do they paint something that the others did not?
#
# ## Summary
#
# - An **overcomplete** autoencoder can copy, so a small reconstruction error alone proves nothing. Test it with noise.
# - **L1** makes codes sparse because its price does not shrink with the value, but it kills units. The **KL penalty**
#   keeps them alive and controls only their means. **TopK** fixes the number of active units, and needs care with
#   dead ones.
# - The **contractive** penalty is the squared norm of the encoder's Jacobian. It pulls the surroundings onto the data.
# - Narrow codes and noise are not the only ways, but every regulariser costs error, and none wins every column.
#
# ## Read and watch
#
# - I. Goodfellow, Y. Bengio, A. Courville, [Deep Learning, chapter
#   14](https://www.deeplearningbook.org/contents/autoencoders.html) (2016): the whole family in one chapter.
# - S. Rifai and others, [Contractive auto-encoders](https://icml.cc/2011/papers/455_icmlpaper.pdf) (2011): the Jacobian
#   penalty, with tied weights.
# - G. Alain, Y. Bengio, [What regularized auto-encoders learn from the data-generating
#   distribution](https://arxiv.org/abs/1211.4246) (2014): why denoising and contraction are cousins.
# - T. Bricken and others, [Towards
#   monosemanticity](https://transformer-circuits.pub/2023/monosemantic-features) (2023): sparse autoencoders as a
#   microscope for language models, dead units and their revival included.
# - L. Gao and others, [Scaling and evaluating sparse autoencoders](https://arxiv.org/abs/2406.04093) (2024): TopK with
#   millions of units, and two more ways against dead ones.
# - 3Blue1Brown, [How might LLMs store facts](https://www.youtube.com/watch?v=9-Jl0dxWQs8) (2024): a video whose last part
#   draws what sparse autoencoders look for.
#
# **Next:** [lesson 07 · The VAE, piece by piece](07_the_vae_piece_by_piece.ipynb): what happens if a code is no longer a
# point, but a cloud?
