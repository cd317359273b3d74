# %% [markdown]
# # 13 · Handwriting styles and digital art
#
# Show me a 4 of yours, and I can imagine your 7: if the 4 leans to the right and is written with a thin pen, your 7
# will probably do so, too. A picture of a digit thus says two things, *what* is written and *how*. The codes of our
# VAEs have mixed them up so far. In this lesson we tell the VAE what is written, so that its code is free for the
# rest. What remains is a style, and a style can be copied, measured, turned with knobs, and made into pictures that
# move.
#
# **You will be able to**
#
# - build a **conditional VAE**, and say what the label is worth in nats,
# - take the style of one digit and write the other nine in it,
# - measure slant, thickness and width, and find a direction of the code for each,
# - test a direction: does it do what it should (dose–response), and what does it do besides (cross effects)?
# - make morphs and latent walks as animations (also as GIFs), and a gallery of your own.
#
# **It builds on** [lesson 08](08_a_vae_for_handwritten_digits.ipynb) (the convolutional VAE, rate and distortion) and
# [lesson 11](11_face_attribute_arithmetic.ipynb) (directions in the code, and what else they change).

# %%
import functools
import io

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from vae_helpers import checks, losses, models, plots, widgets
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.evaluate import linear_probe_accuracy
from vae_helpers.train import fit, measure

plots.use_course_style()
device = pick_device()
train_set = load_digits("train").subset(slice(0, budget(cpu=3_500, gpu=20_000))).to(device)
test_set = load_digits("test")
# Spread over the whole set, because digits that follow each other are often by one writer.
test_set = test_set.subset(slice(None, None, len(test_set) // 1_000)).to(device)
test_bw = test_set.binarized()
judge = load_pretrained("digit_classifier").to(device)

# %% [markdown]
# ## 1 · Tell it the digit
#
# In a **conditional VAE**, everything happens as before, but *given* the label $y$, which for us is the digit. The
# encoder sees the picture and the label, the decoder gets the code and the label:
#
# $$ -\log p(x \mid y) \;\le\; \underbrace{\mathbb E\,[-\log p(x \mid z, y)]}_{\text{distortion}}
# \;+\; \underbrace{D_\text{KL}\big(q(z \mid x, y)\,\|\,\mathcal N(0, I)\big)}_{\text{rate}}. $$
#
# Nobody forbids the code to contain the digit. But every nat of rate has its price, and the decoder already knows the
# digit, so to say it once more would cost something and buy nothing. For each digit, the codes should fill the same
# prior $\mathcal N(0, I)$. If they do, the same code means *some* way of writing in each of the ten.
#
# %% tags=["figure"]
# Where the label enters: the scheme of lesson 07 with a second input for the encoder and for the decoder
figure = plots.schematics.vae()
ax = figure.axes[0]
for text in ax.texts:
    words = text.get_text()
    text.set_text(words.replace("q(z|x)", "q(z|x,y)").replace("p(x|z)", "p(x|z,y)"))
    text.set_visible("cdot" not in words)  # the formula of z makes room for the label
    if words == "$q(z|x)$":
        text.set_size(13)
ax.add_patch(plt.Circle((5, 3.62), 0.3, fc="#fbe9cd", ec=plots.COLORS[2], lw=2, zorder=4))
ax.text(5, 3.62, "$y$", size=17, ha="center", va="center", zorder=5)
arrow = {
    "arrowstyle": "-|>",
    "color": plots.COLORS[2],
    "lw": 2.5,
    "mutation_scale": 18,
    "shrinkA": 20,
}
ax.annotate("", (6.75, 2.75), (5, 3.62), arrowprops=arrow)
around = "angle,angleA=180,angleB=90,rad=0"  # above the box of mean and variance
ax.annotate("", (1.95, 2.82), (5, 3.62), arrowprops=arrow | {"connectionstyle": around})
plots.show(
    figure,
    alt="The variational autoencoder of lesson 07, from the picture x through the encoder to mean, log variance and z, and "
    "through the decoder to the reconstruction. New is the label y, with arrows to the encoder and to the decoder.",
)

# %% [markdown]
# How does a network hear a label? Given the number 7, it would have to believe that a 7 is more than a 6, and almost
# an 8. The usual form is the **one-hot vector**: ten numbers, all 0 but the one that is meant.
#
# ### Your turn 1 · What the decoder gets (5 min)
#
# `rows` (N, D) holds N codes of D numbers each, and `labels` (N,) the digits, as whole numbers. Return the codes with
# the one-hot vectors to the right of them, (N, D + 10). `F.one_hot(labels, 10)` makes the vectors, and
# `torch.cat([a, b], dim=1)` puts two matrices side by side.


# %% tags=["exercise"]
def my_with_label(rows, labels):
    result = ...  # your code here
    return result


verdict = checks.with_label(my_with_label)
with_label = verdict.working
verdict


# %% tags=["solution"]
def my_with_label(rows, labels):
    return torch.cat([rows, F.one_hot(labels, 10)], dim=1)


# %% [markdown]
# With your function, the network of lesson 08 becomes a conditional one: two linear layers get ten more inputs. In the
# decoder it is the first layer. In the encoder it is the first one after the convolutions, which look for strokes and
# need not know the digit. (`float` matters on GPUs, where the layers may compute in half precision, with 16 bits.)


# %%
class ConditionalVAE(models.ConvVAE):
    def __init__(self, latent_dim=16, channels=(32, 64), hidden=256):
        super().__init__(channels=channels, hidden=hidden, latent_dim=latent_dim)
        self.classes = 10
        self.features = self.encoder[:-3]  # the convolutions
        self.encoder = nn.Sequential(*self.encoder[-3:])  # the two linear layers
        self.encoder[0] = nn.Linear(channels[-1] * 7 * 7 + 10, hidden)
        self.decoder[0] = nn.Linear(latent_dim + 10, hidden)

    def encode(self, images, labels):
        rows = with_label(self.features(images), labels)
        return self.encoder(rows).float().chunk(2, dim=1)  # mean and log_var

    def decode_logits(self, z, labels):
        return self.decoder(with_label(z, labels)).float()


# %% [markdown]
# All else is inherited, because the base class hands labels on to `encode` and `decode`: in `model(images, labels)`
# and in `sample(n, labels)`. The loss gives them to any model that has `classes`.
#
# We train two networks of one size on the same digits, for the same steps: one that is told the digit, and the plain one
# of lesson 08.
#
# **Predict.** Both losses are in nats per image. How many nats will the label save? (Hint: how much would it take to
# send one of ten equally probable digits by itself?) And how well will a linear classifier still read the digit from
# the code, with and without the label?

# %%
CODE = 8  # numbers per digit
EPOCHS = budget(cpu=70_000, gpu=700_000) // len(train_set)  # so many images in all
negative_elbo = functools.partial(losses.negative_elbo, binarize=True)

seed_everything(0)
vae = ConditionalVAE(CODE, channels=(16, 32), hidden=128)
fit(vae, train_set, negative_elbo, epochs=EPOCHS, lr=1e-2, batch_size=64)
seed_everything(0)
plain = models.ConvVAE(latent_dim=CODE, channels=(16, 32), hidden=128)
fit(plain, train_set, negative_elbo, epochs=EPOCHS, lr=1e-2, batch_size=64)

with torch.no_grad():
    styles = vae.encode(test_set.floats, test_set.labels)[0]
    plain_codes = plain.encode(test_set.floats)[0]
probes = {
    "told the digit": linear_probe_accuracy(styles, test_set.labels),
    "plain": linear_probe_accuracy(plain_codes, test_set.labels),
}
nats = {
    name: measure(model, test_bw, losses.negative_elbo)
    for name, model in (("told the digit", vae), ("plain", plain))
}

# %% tags=["figure"]
# What both networks pay per test image, and how well a linear probe reads the digit from the code
print(
    f"{'':16}{'distortion':>12}{'rate':>8}{'−ELBO [nats]':>15}{'digit read from the code':>28}"
)
pays = {}
for name, row in nats.items():
    distortion, rate = (round(row[part], 1) for part in ("distortion", "rate"))
    pays[name] = torch.tensor([distortion, rate, distortion + rate])
    print(
        f"{name:16}{distortion:12.1f}{rate:8.1f}{distortion + rate:15.1f}{probes[name]:28.0%}"
    )
saved = pays["plain"] - pays["told the digit"]
print("{:16}{:12.1f}{:8.1f}{:15.1f}".format("saved", *saved.tolist()))
print(f"\nlog 10 = {torch.tensor(10.0).log():.1f} nats")

# %% tags=["claim"]
theirs = models.ConditionalVAE(channels=(16, 32), hidden=128, latent_dim=CODE).to(device)
theirs.load_state_dict(vae.state_dict())
some = slice(0, 9)
with torch.no_grad():
    pair = [
        m.encode(test_set.floats[some], test_set.labels[some])[0] for m in (vae, theirs)
    ]
    assert torch.allclose(*pair, atol=1e-5), "the package's ConditionalVAE is the lesson's"
    pair = [m.decode(styles[some], test_set.labels[some]) for m in (vae, theirs)]
    assert torch.allclose(*pair, atol=1e-5)
assert 1 < saved[2] < 15, "the label should be worth more than a nat"
assert saved.min() > 0.3, "it should save distortion as well as rate"
assert probes["plain"] > 0.7, "the plain code should name the digit"
assert 0.12 < probes["told the digit"] < probes["plain"] - 0.25, "the other much less"

# %% [markdown]
# To send one of ten equally probable digits takes $\log 10 \approx 2.3$ nats, and between two perfect models the label
# would save no more. Ours save more, and the last row shows where: the rate falls, and so does the distortion. One
# reason may be that a network which is told the digit can use its eight numbers for the rest.
#
# The probe is the test of our idea: it reads most digits from the plain code, and far fewer from the other. It is
# still better than guessing, which is right in one of ten cases, so a trace of the digit remains.
#
# ## 2 · One style, ten digits
#
# To copy a style, encode one digit *with its label*, and decode the same code with each of the ten labels. We do so for all
# test digits, and let the **judge** name each copy: the classifier that lesson 08 used, too.
#
# **Predict.** How many of the copies will it read as the digit that we asked for? And which digit will be hardest to
# write in other people's hands?


# %%
@torch.no_grad()
def write(codes, labels):
    """Digits (N, 1, 28, 28) in the styles (N, CODE)."""
    return vae.decode(codes, labels)


def all_ten(codes):
    """Each of the N styles in ten digits, (10 · N, 1, 28, 28), and their labels."""
    labels = torch.arange(10, device=device).repeat(len(codes))
    return write(codes.repeat_interleave(10, dim=0), labels), labels


@torch.no_grad()
def chance(pictures, labels):
    """The probability, in the judge's eyes, of each picture's label."""
    return judge(pictures).softmax(1)[torch.arange(len(labels)), labels]


sure = chance(*all_ten(styles)).unflatten(0, (-1, 10))  # (styles, digits)
read = (sure > 0.5).float()
surest = sure.amin(1).topk(60).indices  # the hands whose ten digits are clearest
chosen = surest[:1]
while len(chosen) < 7:  # always the one that is least like those we have
    distance = torch.cdist(styles[surest], styles[chosen]).amin(1)
    chosen = torch.cat([chosen, surest[distance.argmax()][None]])
print(f"read as what they should be: {read.mean():.0%} of the copies")
print(f"hands with all ten digits read: {read.amin(1).mean():.0%}")
print("each digit:", ", ".join(f"{d}: {r:.0%}" for d, r in enumerate(read.mean(0))))

# %% tags=["claim"]
assert read.mean() > 0.7, "most copies should be readable"
assert 1 in read.mean(0).argsort()[:2], "the 1 should be hard to copy"

# %% tags=["figure"]
# One style, ten digits: the digit at the left is the original, the ten beside it are written by the VAE
from PIL import Image

PAPER, INK = (252, 247, 234), (24, 32, 84)


def on_paper(pictures, columns, zoom=3, gap=2):
    """A sheet of digits in ink on paper, as a PIL image."""
    tiles = F.pad(pictures.cpu(), (gap, gap, gap, gap)).unflatten(0, (-1, columns))
    sheet = tiles[:, :, 0].permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
    grey = Image.fromarray(sheet.mul(255).byte().numpy())
    large = grey.resize((zoom * grey.width, zoom * grey.height), Image.Resampling.BICUBIC)
    return Image.composite(
        Image.new("RGB", large.size, INK), Image.new("RGB", large.size, PAPER), large
    )


figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 6.1), width_ratios=(1, 10))
left.imshow(on_paper(test_set.floats[chosen], 1), interpolation="lanczos")
right.imshow(on_paper(all_ten(styles[chosen])[0], 10), interpolation="lanczos")
left.set_title("original")
right.set_title("the same hand writes all ten digits")
for ax, color in ((left, plots.COLORS[4]), (right, "0.7")):
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color=color, linewidth=2)
plots.show(
    figure,
    alt="A sheet of digits in blue ink on cream paper. At the left, a column of seven handwritten digits, each by another "
    "hand: thin, bold, upright, leaning. Beside each, the digits 0 to 9 in the same thickness and slant.",
)

# %% [markdown]
# These are seven hands, as different as possible, out of the sixty whose ten digits the judge reads most surely. Each
# row has its own pen and its own slant, whatever the digit, though the network was never told that two digits are by
# one hand. Nothing in the loss asks for this: for the same price, a code could mean something else for each digit. But
# all ten share the weights of one network, so what they have in common is learnt only once.
#
# Copying fails most often for the digit with the lowest share above, which is usually the 1. What should a wide, round
# hand do with it? No 1 in the data is as wide as a wide 0, so the decoder has never seen one.
#
# Now look at a row again. Does the copied 7 really lean as its original does? To answer this, we need to measure
# "leaning".
#
# ## 3 · Slant, thickness and width
#
# A picture of a digit is ink spread over a plane. Averages over the ink, called **image moments**, measure its shape. Let
# each pixel's ink be its share of the whole, so that the shares sum to 1, and let $x$ (to the right) and $y$ (upwards)
# say where it lies, seen from the middle of the ink.


# %%
def ink_and_place(images):
    """Shares of the ink, and x and y of each pixel from the middle of the ink: (N, 28, 28) each."""
    ink = images[:, 0] / images[:, 0].sum((1, 2), keepdim=True).clamp(min=1e-6)
    across = torch.arange(28.0, device=images.device)
    x, y = across.expand(28, 28), -across[:, None].expand(28, 28)
    x = x - (ink * x).sum((1, 2), keepdim=True)
    y = y - (ink * y).sum((1, 2), keepdim=True)
    return ink, x, y


# %% [markdown]
# ### Your turn 2 · The slant (5 min)
#
# Draw the straight line through the ink that says best how far to the right it lies at each height: $x \approx s \cdot
# y$. By **least squares**, its slope is the covariance of $x$ and $y$ divided by the variance of $y$,
#
# $$ s = \frac{\sum \text{ink} \cdot x \cdot y}{\sum \text{ink} \cdot y^2}, $$
#
# with the sums over all pixels of an image. It is 0 for an upright digit, and 1 if for each pixel of height the ink moves
# one pixel to the right. Return the slants of N images, (N,), from `ink`, `x` and `y`, each (N, H, W).


# %% tags=["exercise"]
def my_slant(ink, x, y):
    result = ...  # your code here
    return result


verdict = checks.slant(my_slant)
slant = verdict.working
verdict


# %% tags=["solution"]
def my_slant(ink, x, y):
    return (ink * x * y).sum((1, 2)) / (ink * y**2).sum((1, 2))


# %% [markdown]
# Two more measures. A stroke of length $L$ and **thickness** $t$ has an area of $L \cdot t$, and an outline of about
# $2 L$, so $t \approx 2 \cdot \text{area} / \text{outline}$. The outline of a grey picture is its **total variation**,
# the sum of how steeply it changes from pixel to pixel. The **width** is four standard deviations of $x$, after the
# slant has been taken away, so that a leaning digit does not count as a wide one. (For a thin ring, this is 1.4 times
# its diameter.)
#
# Why not the height? Because whoever made MNIST scaled each digit to fit into a box of 20 × 20 pixels. Nearly all are
# 20 pixels high, so that size shows only as width.

# %%
TRAITS = ("slant", "thickness", "width")
UNITS = ("°", "pixels", "pixels")


def traits(images):
    """Slant in degrees, thickness and width in pixels: (N, 3)."""
    ink, x, y = ink_and_place(images)
    lean = slant(ink, x, y)
    upright = x - lean[:, None, None] * y
    width = 4 * (ink * upright**2).sum((1, 2)).sqrt()
    down, right = images.diff(dim=2)[..., :-1], images.diff(dim=3)[:, :, :-1]
    outline = (down**2 + right**2 + 1e-12).sqrt().sum((1, 2, 3))
    thickness = 2 * images.sum((1, 2, 3)) / outline.clamp(min=1e-6)
    return torch.stack([lean.atan().rad2deg(), thickness, width], dim=1)


with torch.no_grad():
    of_original = traits(test_set.floats)
    others = (test_set.labels + torch.randint(1, 10, (len(styles),), device=device)) % 10
    of_copy = traits(write(styles, others))  # each style, in another digit
drawn = torch.cat([of_original, of_copy], dim=1).T
kept = torch.corrcoef(drawn)[:3, 3:].diagonal().tolist()
high = (test_set.images.amax((1, 3)) > 0).sum(1)
print(f"{(high == 20).float().mean():.0%} of the test digits are 20 pixels high")
print("correlation:", ", ".join(f"{name} {r:.2f}" for name, r in zip(TRAITS, kept)))

# %% tags=["figure"]
# A trait of a digit against the same trait of its copy, which is another digit
figure, axes = plt.subplots(1, 3, figsize=(9.4, 3.6))
for k, (ax, name) in enumerate(zip(axes, TRAITS)):
    ax.plot(
        of_original[:, k].cpu(),
        of_copy[:, k].cpu(),
        ".",
        ms=4,
        alpha=0.5,
        color=plots.COLORS[1],
    )
    ends = torch.cat([of_original[:, k], of_copy[:, k]]).aminmax()
    ends = [end.item() for end in ends]
    ax.plot(ends, ends, "--", color="0.3", lw=1.2, label="copy = original")
    ax.set(title=f"{name}: r = {kept[k]:.2f}", xlabel=f"the original's {name} ({UNITS[k]})")
axes[0].set_ylabel("that of the copy, another digit")
axes[0].legend(loc="upper left", fontsize=9)
plots.show(
    figure,
    alt="Three scatter plots of a thousand points. Those of the slant lie in a narrow band along the dashed line on "
    "which copy and original are equal. Those of the thickness lie above it; for the width, two small clouds lie apart.",
)

# %% tags=["claim"]
assert kept[0] > 0.8 and kept[0] == max(kept), "the slant should pass best"
assert (high == 20).float().mean() > 0.8, "nearly all should be 20 pixels high"
ones, zeros = (of_original[test_set.labels == digit, 2] for digit in (1, 0))
assert ones.max() < zeros.quantile(0.9), "no 1 should be as wide as a wide 0"
assert min(kept) > 0.45, "each trait should pass from one digit to another"
assert (of_copy - of_original)[:, 1].mean() > 0.2, "the copies should be bolder"
from_one, to_one = test_set.labels == 1, others == 1
assert (of_copy - of_original)[from_one, 2].mean() > 3, "copies of 1s should be wider"
assert (of_copy - of_original)[to_one, 2].mean() < -3, "copied 1s be narrower"

# %% [markdown]
# The correlation $r$ would be 0 if the copy took over nothing, and 1 if all points lay on a rising line. All three
# traits pass from one digit to another, the slant best. But $r$ does not ask *which* line: copies are bolder than
# their originals, probably because the VAE blurs strokes. In the last panel, the small cloud at the left holds the
# originals that are 1s: they are narrow only because they are 1s, and their copies are wider. The one at the bottom
# holds the copies that are 1s.
#
# ## 4 · A knob for each trait
#
# Which way must a code move for the digit to lean more? We take the styles of all training digits, let the VAE write each
# digit in its own style, and measure. Then we fit a straight line, or rather a plane: each trait is a constant of the
# digit plus a weighted sum of the code's numbers. This is **linear regression**, and the test digits show how well the plane
# fits.

# %%
with torch.no_grad():
    codes = vae.encode(train_set.floats, train_set.labels)[0]
measured = traits(write(codes, train_set.labels))
inputs = torch.cat([codes, F.one_hot(train_set.labels, 10)], dim=1)
solution = torch.linalg.lstsq(inputs.cpu(), measured.cpu()).solution.to(device)
weights, constants = solution[:CODE].T, solution[CODE:]  # (3, CODE) and (10, 3)

before = traits(write(styles, test_set.labels))
of_style = before - constants[test_set.labels]  # what is not the digit's
explained = 1 - (of_style - styles @ weights.T).var(0) / of_style.var(0)
spread = of_style.std(0)
for name, share, sd, unit in zip(TRAITS, explained, spread, UNITS):
    print(f"{name:10} varies by ±{sd:.1f} {unit}; the plane explains {share:.0%} of it")

# %% tags=["claim"]
assert explained.min() > 0.65 and explained[0] > 0.8, (
    "a plane should explain most of a trait"
)

# %% [markdown]
# The row `weights[0]` belongs to the slant. The direction that changes the slant fastest is this row itself, and
# divided by its squared length, it should raise the slant by 1°. But if the rows are not at right angles, it also moves the
# other traits a bit: a **cross effect**. We would rather have, for each trait, a direction that leaves the others
# alone.
#
# ### Your turn 3 · Three knobs that do not disturb each other (6 min)
#
# `weights` (3, D) says what a step in the code does: the step $d$, (D,), changes the three traits by `weights @ d`. Return
# the three directions as the columns of a matrix `knobs` (D, 3), so that `weights @ knobs` is the identity matrix: each
# knob raises its own trait by 1 and the others by 0. Many matrices do so. Return the one with the shortest columns, the
# **pseudo-inverse** $W^\top (W W^\top)^{-1}$, because long steps lead to where no digits are.


# %% tags=["exercise"]
def my_knobs(weights):
    result = ...  # your code here
    return result


verdict = checks.knobs(my_knobs)
find_knobs = verdict.working
verdict


# %% tags=["solution"]
def my_knobs(weights):
    return weights.T @ torch.linalg.inv(weights @ weights.T)  # torch.linalg.pinv(weights)


# %% [markdown]
# Now the test, as in lesson 11. We ask the styles of the test digits for a change of each trait, from two standard
# deviations less to two more, and measure all three. On the diagonal of the figure is the **dose–response**: what we
# ask for against what we get. Off it are the cross effects, which should be 0.
#
# **Predict.** For which of the two kinds of directions will the off-diagonal panels be flat, for the steepest ones or for
# your knobs? And what happens on the diagonal far from 0?

# %%
knobs = find_knobs(weights)
steepest = (weights / weights.square().sum(1, keepdim=True)).T  # (CODE, 3), too
doses = torch.linspace(-2, 2, 5)


def responses(directions, trait):
    """Mean changes of all traits, in standard deviations, for each dose of one: (5, 3)."""
    step = directions[:, trait] * spread[trait]
    after = [
        traits(write(styles + dose * step, test_set.labels)) if dose else before
        for dose in doses.tolist()
    ]
    return torch.stack([((a - before) / spread).mean(0) for a in after]).cpu()


curves = {
    name: [responses(directions, trait) for trait in range(3)]
    for name, directions in (("steepest", steepest), ("knobs", knobs))
}

# %% tags=["figure"]
# What we ask for and what we get: the three traits against the dose of each
figure, axes = plt.subplots(3, 3, figsize=(9.2, 7.4), sharex=True, sharey=True)
for row in range(3):
    for column in range(3):
        ax = axes[row, column]
        ax.plot(
            doses, doses if row == column else 0 * doses, ":", color="0.5", label="wanted"
        )
        for (name, found), color, style in zip(curves.items(), (2, 1), ("s-", "o-")):
            ax.plot(
                doses,
                found[column][:, row],
                style,
                ms=4,
                color=plots.COLORS[color],
                label=name,
            )
        ax.set_facecolor("#f2f6fb" if row == column else "white")
    axes[row, 0].set_ylabel(f"change of {TRAITS[row]}\n(standard deviations)")
    axes[2, row].set_xlabel("asked for (standard deviations)")
    axes[0, row].set_title(f"asked: more {TRAITS[row]}")
axes[0, 0].legend()
plots.show(
    figure,
    alt="Nine panels. On the diagonal the response follows the dotted line of what was asked and flattens at the ends. Off the "
    "diagonal, the curves of the steepest directions are tilted in several panels; those of the knobs stay close to zero, but for "
    "a bend of the width where the slant is changed far to the left: there they are the worse ones.",
)


off_diagonal = ~torch.eye(3, dtype=torch.bool)
cross = {  # without dose 0, where nothing can change
    n: torch.stack(c)[:, doses != 0].abs().mean(1)[off_diagonal].mean().item()
    for n, c in curves.items()
}
print("mean absolute cross effect, in standard deviations:", end=" ")
print(", ".join(f"{name} {value:.2f}" for name, value in cross.items()))

# %% tags=["claim"]
assert cross["knobs"] < 0.8 * cross["steepest"], "the knobs should disturb less"
slopes = {
    n: torch.stack([f[4] - f[0] for f in c])[off_diagonal].abs() for n, c in curves.items()
}
assert slopes["knobs"].mean() < 0.6 * slopes["steepest"].mean(), "most slopes should go"
for found in curves.values():
    bend = (found[0][0, 2] + found[0][4, 2]) / 2
    assert bend < -0.1, "a bend of the width should remain"
for trait in range(3):
    up = curves["knobs"][trait][:, trait]
    assert 0.5 < up[3] < 1.5 and -1.5 < up[1] < -0.5, "a knob should do about what is asked"
    assert (up.diff() > 0).all(), "and more with a larger dose"
assert curves["knobs"][1][4, 1] > -curves["knobs"][1][0, 1] + 0.2, (
    "the thickness should bend"
)
assert curves["steepest"][2][4, 1] > 0.15, "wider digits should come out bolder"
assert curves["knobs"][0][4, 0] < 1.9 and curves["knobs"][2][4, 2] < 2

# %% tags=["figure", "hero"]
# The three knobs turned, from two standard deviations less to two more of each trait
turns = torch.linspace(-2, 2, 9, device=device)[:, None]
figure, axes = plt.subplots(3, 1, figsize=(9.4, 3.9))
for trait, (ax, digit) in enumerate(zip(axes, (5, 3, 0))):
    along = turns * knobs[:, trait] * spread[trait]  # from the middle of the prior
    row = write(along, torch.full((9,), digit, device=device))
    ax.imshow(on_paper(row, 9), interpolation="lanczos")
    ax.set(xticks=[], yticks=[])
    ax.set_ylabel(TRAITS[trait], size=13)
    for spine in ax.spines.values():
        spine.set(visible=True, color="0.7", linewidth=2)
heads = [f"{t:+.1f}".replace("-", "−") if t else "0" for t in turns.flatten().tolist()]
axes[2].set_xticks([48 + 96 * k for k in range(9)], heads)
axes[2].set_xlabel("what the knob is asked for (standard deviations)")
plots.show(
    figure,
    alt="Three rows of nine digits in blue ink on cream paper. In the first, a 5 turns from leaning left to leaning right; in the "
    "second, a 3 from a thin to a thick stroke; in the third, a 0 from narrow to wide.",
)

# %% [markdown]
# On the diagonal both kinds do much the same. For small doses we get about what we asked for; farther out, we get less
# slant and width, and the thickness bends, because a stroke can become much bolder, but not much thinner than thin.
# The steepest directions also do something else: wider digits come out bolder, for example. Your knobs have taken away
# most of these slopes, but they cannot remove a bend, because a plane only approximates the decoder. The width bends
# when the slant is changed far to either side, and on one side the knobs do worse.
#
# ## 5 · Morphs and walks
#
# A **morph** leads from one picture to another, a **latent walk** through many. In lesson 08 we walked from one digit
# to another. With the label held fixed, only the style should change. To test this, we walk between two digits of the
# same class, and ask the judge about the middle of the way and, as a control, about its start.
#
# **Predict.** Halfway between two digits of one class, how often is the picture still that digit, with the plain code
# and with the style code? And at the start?

# %%
partner = torch.arange(len(styles), device=device)
for digit in range(10):  # pair each test digit with another one of its class
    fellows = (test_set.labels == digit).nonzero().squeeze(1)
    partner[fellows] = fellows.roll(1)


def on_the_way(share, who):
    """What both networks draw at this share of the way from the digits `who` to their partners."""
    goal = partner[who]
    with torch.no_grad():
        return {
            "plain": plain.decode(torch.lerp(plain_codes[who], plain_codes[goal], share)),
            "told the digit": write(
                torch.lerp(styles[who], styles[goal], share), test_set.labels[who]
            ),
        }


start, middle = (on_the_way(share, torch.arange(len(styles))) for share in (0, 0.5))
sure_of = {  # the judge's probability of the digit, (2, N)
    name: torch.stack([chance(part[name], test_set.labels) for part in (start, middle)])
    for name in start
}
still = {name: (c > 0.5).float().mean(1).tolist() for name, c in sure_of.items()}
for name, at in still.items():
    print(f"{name:16}still the digit: {at[0]:.1%} at the start, {at[1]:.1%} halfway")

# %% tags=["claim"]
assert still["told the digit"][1] > max(0.97, still["plain"][1] + 0.01), (
    "the label should hold the digit"
)
assert still["told the digit"][0] > max(0.97, still["plain"][0] + 0.02), "at the start, too"
assert still["plain"][1] > still["plain"][0] - 0.01, "the middle should be read no worse"

# %% [markdown]
# The plain network loses more digits, but the control shows that it does so at the start already. Halfway is no worse,
# perhaps because the middle of two codes lies nearer to the centre of their class. Where the label is held, nearly all
# pictures keep the digit.
#
# For a walk without end, take two random styles $a$ and $b$ and go round in a circle, $z(t) = a \cos t + b \sin t$. If
# $a$ and $b$ are independent draws from the prior, so is $z(t)$ at each moment, since $\cos^2 t + \sin^2 t = 1$. Every
# stop is as typical as any random code, although those can give smudged digits, too.
#
# And what lies *between* labels? The network has only ever heard of whole digits. But its input takes any ten numbers,
# so we can ask for 70% of a 3 and 30% of a 4, and count from 0 to 9 without a jump.

# %%
STEPS_ROUND = 36
angles = torch.linspace(0, 2 * torch.pi, STEPS_ROUND + 1, device=device)[:-1, None]
seed_everything(43)  # a walk with clear digits
a, b = torch.randn(2, CODE, device=device)
with torch.no_grad():
    walk = [all_ten(z[None])[0] for z in a * angles.cos() + b * angles.sin()]

one_hot = torch.eye(10, device=device)
hands, count = styles[chosen], []
for digit in range(10):
    for share in (0, 0, 0.3, 0.5, 0.7):  # each digit stays for a moment
        mixed = torch.lerp(one_hot[digit], one_hot[(digit + 1) % 10], share)
        inputs = torch.cat([hands, mixed.expand(len(hands), 10)], dim=1)
        with torch.no_grad():
            count.append(vae.decoder(inputs).sigmoid())

# %% tags=["figure"]
# Film strips: a morph by both networks, stops of the walk, and from 3 to 4 through the labels
ends = torch.stack([torch.minimum(c[0], c[0][partner]) for c in sure_of.values()])
held = torch.minimum(ends.amin(0), sure_of["told the digit"][1])
pairs = (held - sure_of["plain"][1]).topk(2).indices  # the plain morph fails
stops = [on_the_way(share, pairs) for share in (0, 0.25, 0.5, 0.75, 1)]
walked = [walk[k] for k in (0, 9, 18, 27, 0)]
mixes = [count[k] for k in (16, 17, 18, 19, 20)]
quarters, degrees = ("0", "¼", "½", "¾", "1"), ("0°", "90°", "180°", "270°", "360°")
strips = {
    "two morphs, plain code": ([s["plain"] for s in stops], quarters),
    "the same, told the digit": ([s["told the digit"] for s in stops], quarters),
    "four stops of the walk, and back": ([w[[2, 5, 8]] for w in walked], degrees),
    "from 3 to 4 through the labels": (
        [m[[0, 3, 6]] for m in mixes],
        ("0", "0.3", "0.5", "0.7", "1"),
    ),
}
figure, axes = plt.subplots(2, 2, figsize=(9.4, 5.6), height_ratios=(2, 3))
for ax, (title, (frames, heads)) in zip(axes.flat, strips.items()):
    ax.imshow(on_paper(torch.stack(frames, 1).flatten(0, 1), 5), interpolation="lanczos")
    ax.set(title=title, yticks=[])
    ax.set_xticks([48 + 96 * k for k in range(5)], heads)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set(visible=True, color="0.7", linewidth=2)
plots.show(
    figure,
    alt="Four strips of five frames. Between two digits of a class, the plain morph is hard to read in the middle; the told one "
    "keeps the digit. In the walk, 2, 5 and 8 change thickness and slant. Between 3 and 4 stand signs that are neither.",
)

# %% tags=["figure"]
# A latent walk: ten digits change their style together, as an animation
from IPython.display import Image as Animation


def animated(frames, columns, milliseconds, kind="PNG"):
    """An animation as bytes, "PNG" or "GIF"; a dozen shades of ink keep it small."""
    shades = [round(p + (i - p) * k / 11) for k in range(12) for p, i in zip(PAPER, INK)]
    sheets = []
    for pictures in frames:
        tiles = F.pad(pictures.cpu(), (1, 1, 1, 1)).unflatten(0, (-1, columns))
        sheet = tiles[:, :, 0].permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
        grey = Image.fromarray(sheet.mul(255).byte().numpy())
        grey = grey.resize((2 * grey.width, 2 * grey.height), Image.Resampling.BICUBIC)
        sheets.append(grey.point([round(v / 255 * 11) for v in range(256)]).convert("P"))
        sheets[-1].putpalette(shades)
    options = {"save_all": True, "append_images": sheets[1:], "loop": 0}
    sheets[0].save(buffer := io.BytesIO(), kind, duration=milliseconds, **options)
    return buffer.getvalue()


Animation(
    animated(walk, columns=5, milliseconds=90),
    format="png",
    width=840,
    alt="Animation: the digits 0 to 9 in two rows change together from thin to bold and lean from side to side, in a circle.",
)

# %% tags=["figure"]
# Counting from 0 to 9 in seven hands, through everything that lies between the labels
Animation(
    animated(count, columns=7, milliseconds=110),
    format="png",
    width=840,
    alt="Animation: seven digits side by side, each in another handwriting, count together from 0 to 9; each flows into the next.",
)

# %% tags=["claim"]
for kind, start in (("PNG", b"\x89PNG"), ("GIF", b"GIF89a")):
    film = animated(count, 7, 110, kind)
    assert film.startswith(start) and len(film) < 250_000, (
        "both formats should work, and be small"
    )
    assert Image.open(io.BytesIO(film)).n_frames >= 30, "and move"

# %% [markdown]
# The strips show the two morphs that the plain network loses most clearly. Seven hands count, and each keeps its pen.
# Between two labels stand odd signs that are no digits, because nothing in training said what 70% of a 3 should look
# like.
#
# To send an animation to a friend, write it into a file as a GIF:
# `open("walk.gif", "wb").write(animated(walk, 5, 90, "GIF"))`.
#
# ## 6 · Your gallery
#
# Choose a number, perhaps the year of your birth, take a hand from the test digits, and turn the knobs. *Hang it up*
# adds the picture to your gallery, and *save gallery* writes all of it into a file beside this notebook, whose name it
# tells you. (No sliders? They need a running notebook.)

# %% tags=["figure"]
# Write numbers in any hand, hang them up, and save your gallery
from pathlib import Path

import ipywidgets

hung = []


@torch.no_grad()
def picture_of(number, hand, slant, thickness, width):
    wish = torch.tensor([slant, thickness, width], device=device) * spread
    labels = torch.tensor([int(digit) for digit in str(number)], device=device)
    code = (styles[hand] + knobs @ wish).expand(len(labels), -1)
    return on_paper(write(code, labels), len(labels), zoom=4)


def draw(**settings):
    page = picture_of(**settings)
    figure = plt.figure(figsize=(page.width / 90, page.height / 90), layout="none")
    figure.add_axes((0, 0, 1, 1)).imshow(page)
    figure.axes[0].axis("off")
    return figure


knob = (-2.5, 2.5, 0.0)  # in standard deviations
gallery = widgets.explore(
    draw,
    number=(0, 9999, 2026),
    hand=(0, len(styles) - 1, 7),
    slant=knob,
    thickness=knob,
    width=knob,
)
hang_button, save_button = (
    ipywidgets.Button(description=text) for text in ("hang it up", "save gallery")
)
note, wall = (
    ipywidgets.Label(),
    ipywidgets.Image(format="png", layout={"align_self": "flex-start"}),
)


def gallery_png():
    wide, high = max(page.width for page in hung), sum(page.height for page in hung)
    sheet = Image.new("RGB", (wide, high), PAPER)
    for row, page in enumerate(hung):
        sheet.paste(page, ((wide - page.width) // 2, sum(p.height for p in hung[:row])))
    sheet.save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


def hang():
    hung.append(Image.open(io.BytesIO(gallery.picture.value)).convert("RGB"))
    wall.value = gallery_png()
    note.value = f"{len(hung)} in your gallery"


def save():
    if not hung:
        note.value = "The gallery is still empty: hang something up first."
        return
    number = 1
    while (place := Path(f"my_gallery_{number}.png")).exists():
        number += 1
    try:
        place.write_bytes(gallery_png())
        note.value = f"Saved as {place.resolve()}"
    except OSError as error:
        note.value = f"It could not be saved in {Path.cwd()}: {error.strerror}."


gallery.answer(hang_button, hang)
gallery.answer(save_button, save)
gallery.children += (ipywidgets.HBox([hang_button, save_button]), note, wall)
gallery

# %% tags=["claim"]
import os
import tempfile

with tempfile.TemporaryDirectory() as folder:
    here = os.getcwd()
    os.chdir(folder)
    save_button.click()
    assert not os.listdir() and "empty" in note.value, "nothing to save, nothing written"
    for button in (hang_button, hang_button, save_button, save_button):
        button.click()
    assert sorted(os.listdir()) == ["my_gallery_1.png", "my_gallery_2.png"], (
        "none written over"
    )
    assert Image.open("my_gallery_1.png").height == 2 * hung[0].height
    assert note.value.endswith("my_gallery_2.png") and not gallery.problem.value
    os.chdir(here)
hung.clear()

# %% [markdown]
# ## Workshop · Bold italics (25 min)
#
# Printers have *italics*, which lean, and **bold** type, which is thick. Design **bold italics** for handwriting: a
# function that takes codes and labels, and returns new codes. For 400 test digits, and compared with what the VAE writes
# from their own codes, they should
#
# - lean at least 12° more to the right on average, and be at least 0.5 pixels thicker,
# - have the same width on average, within 0.4 pixels,
# - and be read by the judge in at least 93 of 100 cases.
#
# The starting code turns one steep direction. You may use knobs, other doses, several small steps with a measurement after each, a
# different treatment of each digit, or a search by gradient, since `vae.decode` and `traits` can be differentiated.


# %% tags=["workshop"]
def my_style(codes, labels):
    return codes + 15 * steepest[:, 0]


verdict = checks.lesson_13.workshop(vae, my_style)
verdict

# %% tags=["solution"]
# The knobs for what is wanted. Far out the response is weaker than asked, so ask for more slant than is needed.
WISH = torch.tensor([18.0, 0.6, 0.0], device=device)


def my_style(codes, labels):
    return codes + knobs @ WISH


# %% tags=["alternative"]
# Let the gradient search: change each code until its own picture has what is wanted, and stay near the start.
def my_style(codes, labels):
    with torch.no_grad():
        goal = traits(write(codes, labels)) + torch.tensor([14.0, 0.6, 0.0], device=device)
    moved = codes.clone().requires_grad_()
    optimizer = torch.optim.Adam([moved], lr=0.2)
    for _ in range(15):
        missing = (traits(vae.decode(moved, labels)) - goal) / spread
        loss = missing.square().sum() + 0.02 * (moved - codes).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return moved.detach()


# %% tags=["figure"]
# Your style, in three hands: before and after
ten = torch.arange(10, device=device)
rows = {}
for k, hand in enumerate(styles[chosen[::3]]):
    hand = hand.repeat(10, 1)
    rows[f"hand {k + 1}"] = write(hand, ten)
    rows[f"hand {k + 1}, my style"] = write(my_style(hand, ten), ten)
plots.show(
    plots.image_rows(rows, "Ten digits in three hands, and in your style"),
    alt="Six rows of the digits 0 to 9: three hands as they are, and each of them again in the style of the workshop.",
)

# %% [markdown]
# **Going on.** Find a knob for a trait of your own: how round a digit is, how high its middle lies, how far the
# pen leaves the paper. All that it takes is a function that measures it.
#
# ## Summary
#
# - A **conditional VAE** hears the label in the encoder and in the decoder. As the label is free and each nat of code has
#   its price, the code names the digit far less, as the probe shows.
# - What remains is the **style**. Decoded with the ten labels, one code gives ten digits by one hand: slant, thickness
#   and width pass from one digit to another.
# - **Image moments** measure a trait, linear regression finds its weights in the code, and the **pseudo-inverse** makes
#   directions of them that disturb each other little. Whether they work is shown by dose–response and cross effects.
# - With the label held fixed, **morphs** nearly always keep the digit. On a circle through two random codes, each stop
#   is as typical as any draw from the prior.
# - A style here is not a person: MNIST does not say who wrote what, and nobody has tested whether *your* 7 would look like that.
#
# From here on, `vae_helpers.models.ConditionalVAE` is this lesson's network.
#
# ## Read and watch
#
# - D. P. Kingma, D. J. Rezende, S. Mohamed and M. Welling, [Semi-supervised learning with deep generative
#   models](https://arxiv.org/abs/1406.5298), 2014. The conditional VAE is their model M2, and their figure 1 has digits by
#   one hand, like ours.
# - K. Sohn, H. Lee and X. Yan, [Learning structured output representation using deep conditional generative
#   models](https://papers.nips.cc/paper/2015/hash/8d55a249e6baa5c06772297520da2051-Abstract.html), 2015. Conditions that
#   are pictures themselves, not only labels.
# - S. Carter, D. Ha, I. Johnson and C. Olah, [Experiments in handwriting with a neural
#   network](https://distill.pub/2016/handwriting/), 2016. A network that writes strokes, in drawings that answer to the mouse.
# - D. Ha and D. Eck, [A neural representation of sketch drawings](https://arxiv.org/abs/1704.03477), 2017. A VAE whose
#   pictures are movements of a pen, with walks between a cat and a pig.
# - S. Carter and M. Nielsen, [Using artificial intelligence to augment human
#   intelligence](https://distill.pub/2017/aia/), 2017. Knobs for fonts, found in a latent space like ours, and what they are
#   good for.
#
# **Next:** [lesson 14 · Where next](14_where_next.ipynb): the denoiser of lesson 05, taken step by step, becomes
# a generator, and the field goes on from there.
