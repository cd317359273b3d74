# %% [markdown]
# # 10 · A VAE for faces
#
# The VAE of lesson 08 writes digits. Can the same machine imagine a person? We build a VAE for
# colour pictures of faces, look hard at the data before we trust them, and find out why its random
# faces are far worse than its reconstructions. The reason can be measured, in nats, and it can be
# mended. Working through it takes about two hours. The end of section 5 is a good place for a
# break.
#
# **You will be able to**
#
# - look at a data set of faces: who is in it, what is rare, and which labels come in pairs,
# - write a convolutional VAE for colour images, and say how many nats a smaller error is worth,
# - compare two layers fairly: same data, same steps, equally many parameters, two seeds,
# - compare the codes of a VAE with its prior in four ways, each sharper than the one before,
# - mend bad samples with a mixture of Gaussians on the codes, and measure what that gains.
#
# **It builds on** lesson 07 (rate, distortion, the best σ), lesson 08 (active units, the shell, the
# Fréchet distance) and lesson 04 (transposed convolutions, checkerboards).

# %%
import math
import re
from dataclasses import replace

import matplotlib.pyplot as plt
import torch
from IPython.display import Markdown
from sklearn.mixture import GaussianMixture
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from vae_helpers import checks, evaluate, judges, losses, models, plots
from vae_helpers.checkpoints import load_pretrained, pretrained_folder
from vae_helpers.data import load_faces, render_portraits
from vae_helpers.device import pick_device, seed_everything
from vae_helpers.train import fit, measure

plots.use_course_style()
seed_everything(0)
device = pick_device()
BLACK, BLUE, ORANGE, GREEN, RED, PINK, SKY = plots.COLORS

# %% [markdown]
# ## 1 · Look at the data first
#
# `load_faces` opens **CelebA** if you have it or can download it: some 200,000 photographs of
# celebrities, each with 40 labels, collected by Ziwei Liu and colleagues in 2015. It is the data
# set on which most people train their first face model. It is for non-commercial research only, and
# may not be passed on, so it cannot come with the course. Without it, you get **portraits that the
# course draws**. Everything in this lesson runs on either, and the text holds for both.
#
# We take 5,000 faces to learn from, enough for a training of half a minute.

# %%
train_set = load_faces("train").subset(slice(0, 5_000)).to(device)
valid_set = load_faces("valid").subset(slice(0, 500)).to(device)
test_set = load_faces("test").subset(slice(0, 1_000)).to(device)
names = train_set.label_names
photographs = train_set.source == "CelebA"

gallery = train_set.floats[: 2 * 12 * 4 : 4]  # in portraits, four in a row show one person
plots.show(
    plots.image_rows(
        {" " * row: gallery[12 * row : 12 * row + 12] for row in range(2)},
        f"24 faces to learn from ({train_set.source})",
        size=0.55,
    ),
    alt="Two rows of twelve small faces, looking at the viewer: different hair, skin, clothes and "
    "backgrounds; some smile, some wear glasses or a hat.",
)
print(
    f"{len(train_set):,} images of {len(train_set.people.unique()):,} people, "
    f"{train_set.images[0].numel():,} numbers each; {len(names)} labels per image"
)

# %% [markdown]
# Look at them for a minute. What is always the same? The face is in the middle, has about the same
# size, and looks more or less at you. CelebA's photographs have been turned and scaled so that the
# eyes come to the same place. This makes learning easier. But a model that learns from such
# pictures knows next to nothing about faces from the side, or at the edge of a picture.
#
# Looking is not enough. Before a model learns from people, we should know **who** they are, and
# what somebody has said about them. We ask the labels two questions. How often is each one true?
# And which ones go together? For the second we take the **correlation** of two labels. It lies
# between −1 (each is true exactly where the other is not) and 1 (both are always the same). 0 means
# that one does not help to guess the other.
#
# **Predict.** Think of any collection of faces from newspapers. Which labels would go together? And
# which pairs of labels would go together in faces that a *program* draws with dice?


# %%
def correlations(faces):
    """The correlation of every two labels, (A, A)."""
    return torch.corrcoef(faces.labels.float().T).nan_to_num().cpu()


def pairs(matrix, names):
    """All pairs of labels with their correlation, the strongest first."""
    rows, columns = torch.triu_indices(*matrix.shape, offset=1)
    order = matrix[rows, columns].abs().argsort(descending=True)
    return [
        (names[i], names[j], matrix[i, j].item())
        for i, j in zip(rows[order], columns[order])
    ]


shares = train_set.labels.float().mean(0).cpu()
together = pairs(correlations(train_set), names)
order = shares.argsort()
figure, axes = plt.subplots(1, 2, figsize=(11, 1.2 + 0.17 * max(len(names), 20)))
axes[0].barh([names[i] for i in order], 100 * shares[order], color=BLUE)
axes[0].set(
    title="How often is the label true?",
    xlabel="share of the training faces (%)",
    xlim=(0, 100),
)
top = together[:16][::-1]
axes[1].barh(
    [f"{a} · {b}" for a, b, _ in top],
    [r for *_, r in top],
    color=[ORANGE if r > 0 else SKY for *_, r in top],
)
axes[1].axvline(0, color=BLACK, lw=0.8)
axes[1].set(
    title="Which labels go together?",
    xlabel="correlation",
    xlim=(-1, 1),
    xticks=(-1, -0.5, 0, 0.5, 1),
)
for ax in axes:
    ax.tick_params(axis="y", labelsize=8.5)
plots.show(
    figure,
    alt="Left: bars with the share of each label; some labels are true for half of the faces, most for far fewer. "
    "Right: the sixteen pairs of labels with the strongest correlations, positive in orange and negative in blue.",
)
strong = [(a, b, r) for a, b, r in together if abs(r) > 0.2]
print(f"{len(strong)} of {len(together)} pairs have a correlation beyond ±0.2")
if photographs:
    assert len(strong) > 60, "in CelebA, a lot goes together"
else:
    assert all(r < 0 for *_, r in strong), "portraits: only labels that rule each other out"
rare = [name for name, share in zip(names, shares) if share < 0.1]
print(f"true for fewer than 1 face in 10: {', '.join(rare)}")

# %% [markdown]
# If these are portraits, the pairs that stick out have a dull reason: one label rules out the
# other. Black hair is not blond, a bald head has no hair colour, and the course draws no lipstick
# under a beard. For all other labels the dice were thrown one by one. The last three bars in the
# right panel are little more than chance.
#
# If these are photographs, the right panel shows only the strongest of many pairs. The next table
# compares. Its first column was counted in the list of labels of **all** photographs of CelebA. The
# second is counted here and now.

# %%
celeba = {  # counted in list_attr_celeba.txt, all 202,599 photographs
    ("Heavy_Makeup", "Wearing_Lipstick"): 0.80,
    ("Male", "Wearing_Lipstick"): -0.79,
    ("High_Cheekbones", "Smiling"): 0.68,
    ("Mouth_Slightly_Open", "Smiling"): 0.54,
    ("Goatee", "Mustache"): 0.45,
    ("Attractive", "Young"): 0.39,
    ("Attractive", "Male"): -0.39,
    ("Big_Nose", "Wearing_Lipstick"): -0.30,
    ("Rosy_Cheeks", "Smiling"): 0.22,
}
here = {(a, b): r for a, b, r in together}
print(f"{'correlation of':35}{'all of CelebA':>15}{'the faces here':>17}")
for pair, known in celeba.items():
    text = f"{here[pair]:17.2f}" if pair in here else f"{'no such label':>17}"
    print(f"{' and '.join(pair):35}{known:15.2f}{text}")
    if pair in here and photographs:
        assert abs(here[pair] - known) < 0.1, "a part of CelebA should be like the whole"
    elif pair in here:
        assert abs(here[pair]) < 0.1, "portraits should have no such correlations"

# %% [markdown]
# In CelebA, who smiles usually has high cheekbones and an open mouth. That is anatomy, more or
# less. Lipstick goes with make-up, which is fashion. But "attractive" goes with "young", and
# against "male". That is neither. It is the **opinion of the people who were paid to write the
# labels**.
#
# More about CelebA that you should know before you use it:
#
# - **Who is in it.** 10,177 celebrities, some with up to 35 pictures, collected from the web. 77%
#   of the pictures are labelled young, 51% attractive, 48% smiling, but only 7% show glasses, and
#   5% a hat. There is a label for pale skin, and none for dark skin.
# - **Who says so.** A labelling company. Every label is a yes or a no: somebody had to decide
#   whether a nose is big, and into which of two boxes a person goes under "Male". The people in the
#   pictures were not asked, neither about the labels nor about the pictures.
# - **What this does to a model.** It learns most from what is frequent. Who gets a worse picture is
#   a question for section 5. It also learns that what comes in pairs belongs together: ask it for a
#   smile, and it may add make-up (lesson 11 measures that). And an accuracy of 98% for a label that
#   is true in 2% of the cases says nothing: whoever always answers "no" gets it, too.
#
# This is not a matter of taste only. In 2018 Joy Buolamwini and Timnit Gebru tested three
# commercial programs that told women from men. Light-skinned men were taken for women in fewer than
# 1 of 100 cases. Dark-skinned women were taken for men in up to 35 of 100. On average over
# everybody, each of the three programs looked acceptable.
#
# With faces that we draw, we can do what nobody can do with photographs: ask for a correlation, and
# see what comes of it. Lesson 11 makes use of that.

# %%
asked = render_portraits(2_000, size=32, correlations={("Smiling", "Eyeglasses"): 0.6})
free = render_portraits(2_000, size=32)
measured = {
    name: dict(((a, b), r) for a, b, r in pairs(correlations(faces), faces.label_names))
    for name, faces in (("not asked for", free), ("0.6 asked for", asked))
}
for name, found in measured.items():
    print(f"{name}: Eyeglasses and Smiling {found['Eyeglasses', 'Smiling']:+.2f}, ", end="")
    print(f"Wearing_Hat next to Smiling {found['Smiling', 'Wearing_Hat']:+.2f}")
assert abs(measured["0.6 asked for"]["Eyeglasses", "Smiling"] - 0.6) < 0.07
assert abs(measured["not asked for"]["Eyeglasses", "Smiling"]) < 0.07
assert abs(measured["0.6 asked for"]["Smiling", "Wearing_Hat"]) < 0.07, "and no other pair"

# %% [markdown]
# ## 2 · The model
#
# A face of 64 × 64 pixels in three colours is 12,288 numbers, almost sixteen times as many as a
# digit. So the encoder halves the size four times. Each layer after the first doubles the number of
# channels. A dense layer then gives mean and `log_var` of the code. The decoder goes the same way
# back.
#
# Two things are new.
#
# **Batch normalisation.** Every layer of a deep network works on the output of the layer before,
# which changes in every step. A layer `nn.BatchNorm2d` calms this down. For each channel, it takes
# mean and variance over all pixels of all images of the batch. It subtracts the one, and divides by
# the root of the other. Then it multiplies by a learnt number and adds another. So the next layer
# always gets inputs of about the same size, and a higher learning rate does no harm. In evaluation
# mode it uses averages from training instead, so that the code of a face does not depend on the
# other faces in the batch. (Forgetting `model.eval()` was one of the bugs of lesson 07.)
#
# **Two ways to double.** The decoder can double height and width by a transposed convolution, or it
# can repeat every pixel (`nn.Upsample`) and convolve afterwards. In lesson 04, untrained transposed
# convolutions drew checkerboards, and training on digits removed them. What about faces? Our model
# can do both, so that we can compare.
#
# From `models.VAE` it gets what lesson 07 has built: `reparameterize`, `forward` and `sample`.


# %%
class FaceVAE(models.VAE):
    """A convolutional VAE for colour images of faces."""

    def __init__(
        self,
        image_shape=(3, 64, 64),
        channels=(16, 32, 64, 128),
        latent_dim=64,
        doubling="nearest",
    ):
        super().__init__()
        self.latent_dim = latent_dim
        colours, height, width = image_shape
        halvings = len(channels)
        small = (channels[-1], height // 2**halvings, width // 2**halvings)

        down, size_in = [], colours
        for size_out in channels:
            down += [nn.Conv2d(size_in, size_out, kernel_size=4, stride=2, padding=1)]
            down += [nn.BatchNorm2d(size_out), nn.SiLU()]
            size_in = size_out
        self.encoder = nn.Sequential(
            *down,
            nn.Flatten(),
            nn.Linear(small[0] * small[1] * small[2], 2 * latent_dim),  # mean and log_var
        )

        # The encoder's channels backwards, and half of the first at full size.
        up, size_in = [], channels[-1]
        for size_out in (*channels[-2::-1], channels[0] // 2):
            up += [nn.BatchNorm2d(size_in), nn.SiLU()]
            if doubling == "nearest":
                up += [nn.Upsample(scale_factor=2)]
                up += [nn.Conv2d(size_in, size_out, kernel_size=3, padding=1)]
            else:
                up += [
                    nn.ConvTranspose2d(
                        size_in, size_out, kernel_size=4, stride=2, padding=1
                    )
                ]
            size_in = size_out
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, small[0] * small[1] * small[2]),
            nn.Unflatten(1, small),
            *up,
            nn.BatchNorm2d(size_in),
            nn.SiLU(),
            nn.Conv2d(size_in, colours, kernel_size=3, padding=1),
        )

    def encode(self, images):
        """(N, 3, H, W) → mean and log_var of q(z | x), each (N, latent_dim)."""
        mean, log_var = self.encoder(images).float().chunk(2, dim=1)
        return mean, log_var

    def decode(self, z):
        """(N, latent_dim) → images in [0, 1], (N, 3, H, W)."""
        return torch.sigmoid(self.decoder(z).float())


def count_parameters(model):
    return sum(p.numel() for p in model.parameters())


# %% [markdown]
# The shapes, layer by layer:

# %%
seed_everything(0)
vae = FaceVAE().eval()
x = test_set.floats[:1].cpu()
with torch.no_grad():
    for part, layers in (("encoder", vae.encoder), ("decoder", vae.decoder)):
        print(f"{part:12}{tuple(x.shape[1:])!s:>16}")
        for layer in layers:
            x = layer(x)
            if isinstance(layer, (nn.Conv2d, nn.Linear, nn.Unflatten, nn.Upsample)):
                print(f"  {type(layer).__name__:10}{tuple(x.shape[1:])!s:>16}")
        x = x[:, : vae.latent_dim]
print(f"{count_parameters(vae):,} parameters")

# %% [markdown]
# `models.FaceVAE` is the same model, with checks of its inputs. The models of the later lessons
# come from there.
#
# ## 3 · The loss, and what a nat buys
#
# Pixels of faces are not black or white. So the likelihood is a Gaussian around the decoder's
# output (lesson 07, section 11), with one σ for all pixels, and the best σ is the root of the mean
# squared error. Let an image have $D$ numbers (here 12,288), and let $\text{MSE}$ be their mean
# squared error. The best σ² is $\text{MSE}$, and the distortion becomes
#
# $$ \frac{D\,\text{MSE}}{2\sigma^2} + D \log \sigma + \frac D2 \log 2\pi \;=\; \frac D2 \big(\log \text{MSE} + 1 + \log 2\pi\big), \qquad \sigma^2 = \text{MSE}. $$
#
# So with the best σ, only the **logarithm of the error** counts. A fall from 0.02 to 0.01 is worth
# as much as a fall from 0.002 to 0.001. And it is worth a lot, because $D$ is large.
#
# ### Your turn 1 · What is a smaller error worth?
#
# Write `my_gain(before, after, values)`. The mean squared error falls from `before` to `after`, and
# an image has `values` numbers. All three are plain numbers, so use `math.log`. By how many nats
# per image does the distortion fall, if σ is the best one each time? Return a positive number if
# the error falls.


# %% tags=["exercise"]
def my_gain(before, after, values):
    result = ...  # your code here
    return result


checks.nats_gained(my_gain)


# %% tags=["solution"]
def my_gain(before, after, values):
    return values / 2 * math.log(before / after)


# %% [markdown]
# Here is the loss with everything in sight. Besides the two terms it records the mean squared error
# of each image, which is easier to read than nats. The package has this loss as
# `losses.negative_elbo(model, images, likelihood="gaussian", sigma="optimal")`. The best σ is
# computed anew for each batch.
#
# As in lesson 08, a model without a code gives us a yardstick: the **mean face** as the answer to
# everything.
#
# **Predict.** How many nats does it save to bring the error from that of the mean face down to a
# tenth? 10, 100, 1,000, or more?


# %%
def face_loss(model, images, labels=None):
    """−ELBO of each image with a Gaussian of the best σ, in nats; and its mean squared error."""
    reconstruction, mean, log_var, _ = model(images)
    distortion = losses.reconstruction_nll(
        reconstruction, images, "gaussian", sigma="optimal"
    )
    rate = losses.kl_divergence(mean, log_var)
    error = (reconstruction - images).square().flatten(1).mean(1)
    return {
        "loss": distortion + rate,
        "rate": rate,
        "distortion": distortion,
        "error": error,
    }


values = train_set.images[0].numel()
mean_face = train_set.floats.mean(0)
test_images = test_set.floats
mean_error = (test_images - mean_face).square().mean().item()
gain = values / 2 * math.log(10)
print(
    f"mean face: error {mean_error:.4f}, so σ = {math.sqrt(mean_error):.2f} (black 0, white 1)"
)
print(f"a tenth of that error would save {gain:,.0f} nats per image")
assert 0.02 < mean_error < 0.15 and gain > 10_000

seed_everything(1)
with torch.no_grad():
    ours = face_loss(vae.to(device), test_images[:50])["loss"]
seed_everything(1)
with torch.no_grad():
    theirs = losses.negative_elbo(
        vae, test_images[:50], likelihood="gaussian", sigma="optimal"
    )
assert torch.allclose(ours, theirs["loss"]), "the package's loss should be the same"

# %% [markdown]
# More than ten thousand nats. Keep this number in mind, it will explain a lot. For a digit, the
# rate was some twenty nats and the distortion about ninety. For a face, the distortion is a matter
# of thousands of nats, and the rate, as we shall see, of hundreds. The model will care about pixels
# first, and about the prior later, if at all.
#
# Do not be surprised by a loss **below zero**. A pixel's grey level is a number on a scale, so it
# has a probability *density*, and a density can be more than 1. Only differences count here.
#
# ## 4 · Two ways to double, compared fairly
#
# Transposed convolution, or enlarge first and then convolve? There are strong opinions about this.
# We make a fair test:
#
# - the same faces, in the same order, the same number of steps, the same loss and learning rate;
# - **about as many parameters**. A transposed 4 × 4 convolution has 16 weights for each pair of
#   channels, a 3 × 3 convolution has 9. So the model that enlarges first gets slightly more
#   channels;
# - **two seeds each**, because one run of each says nothing about chance;
# - judged on held-out faces: the error, the checkerboard share of lesson 04, and the time.
#
# To make it affordable, we take 2,000 faces, halved to 32 × 32. While it trains, compare the times
# in the four progress lines.
#
# **Predict.** Lesson 04 found a strong checkerboard before training, and none in digits after it.
# What will you find for faces: before training, after one epoch, at the end? And who has the
# smaller error?


# %%
def halved(faces):
    """The same faces at half the size."""
    small = F.avg_pool2d(faces.floats, 2)
    return replace(faces, images=small.mul(255).round().to(torch.uint8))


def checkerboard_share(images, stride=2):
    """Share of the energy at the stride's frequencies (lesson 04), without two pixels at the border."""
    images = images[..., 2:-2, 2:-2].float()
    images = images - images.mean((-2, -1), keepdim=True)
    waves = torch.fft.fft2(images).abs().square()
    rows, columns = images.shape[-2] // stride, images.shape[-1] // stride
    shares = waves[..., ::rows, ::columns].sum((-2, -1)) / waves.sum((-2, -1))
    return shares.mean(1)  # over the colours


def watched_loss(model, images, labels):
    """The loss above; it also records the checkerboard share of the reconstructions."""
    parts = face_loss(model, images)
    if not model.training:
        with torch.no_grad():
            parts["checkerboard"] = checkerboard_share(
                model.decode(model.encode(images)[0])
            )
    return parts


def multiplications(model):
    """Multiplications that the decoder needs for one image (lesson 04)."""
    code = torch.zeros(1, model.latent_dim, device=device)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval().decode(code)
    return counter.get_total_flops() // 2  # it counts a multiplication and an addition


small_train = halved(train_set.subset(slice(0, 2_000)))
small_valid = halved(valid_set)
contest = {  # the channels are such that both have about as many parameters
    "enlarge, then convolve": {"doubling": "nearest", "channels": (17, 34, 68)},
    "transposed convolution": {"doubling": "transposed", "channels": (16, 32, 64)},
}
runs = {}
for seed in (0, 1):
    for name, settings in contest.items():
        print(f"{name}, seed {seed}")
        seed_everything(seed)
        model = FaceVAE(image_shape=(3, 32, 32), **settings).to(device)
        # Still in training mode: batch normalisation has no averages yet.
        with torch.no_grad():
            before = checkerboard_share(model.sample(200)).mean().item()
        history = fit(
            model,
            small_train,
            watched_loss,
            epochs=3,
            valid=small_valid,
            batch_size=32,
            lr=5e-3,
            seed=seed,
        )
        runs[name, seed] = {
            "parameters": count_parameters(model),
            "multiplications": multiplications(model),
            "seconds": sum(history.seconds),
            "error": history.valid["error"],
            "checkerboard": [before, *history.valid["checkerboard"]],
        }

# %%
own_share = checkerboard_share(small_valid.floats).mean().item()
print(f"{'':24}{'':5}{'':12}{'million':>9}{'':9}{'':9}{'checkerboard':>20}")
print(
    f"{'':24}{'seed':>5}{'parameters':>12}{'mult.':>9}{'seconds':>9}{'error':>9}"
    f"{'before':>11}{'at the end':>12}"
)
for (name, seed), run in runs.items():
    first, *_, last = run["checkerboard"]
    print(
        f"{name:24}{seed:5}{run['parameters']:12,}{run['multiplications'] / 1e6:9.1f}"
        f"{run['seconds']:9.1f}{run['error'][-1]:9.5f}{first:11.2%}{last:12.2%}"
    )
print(f"{'the faces themselves':68}{'':11}{own_share:12.2%}")

figure, axes = plt.subplots(1, 2, figsize=(10.6, 3.9))
for (name, seed), run in runs.items():
    style = {
        "color": BLUE if "enlarge" in name else RED,
        "linestyle": "-" if seed == 0 else "--",
        "marker": "o",
        "label": f"{name}, seed {seed}",
    }
    axes[0].plot(range(1, 4), [1000 * e for e in run["error"]], **style)
    axes[1].plot(range(4), [100 * share for share in run["checkerboard"]], **style)
axes[0].set(
    title="Error on held-out faces",
    xlabel="epoch",
    ylabel="squared error of a number × 1000",
    xticks=range(1, 4),
    ylim=(0, None),
)
axes[0].legend(loc="lower left", fontsize=9)
axes[1].axhline(100 * own_share, color="0.5", linestyle=":", label="the faces themselves")
axes[1].set(
    title="Checkerboard (before training, then reconstructions)",
    xlabel="epoch",
    ylabel="share of the energy (%)",
    yscale="log",
    xticks=range(4),
)
axes[1].yaxis.set_major_formatter("{x:g}")
axes[1].legend(handles=axes[1].lines[-1:], loc="upper right")
plots.show(
    figure,
    alt="Left: the held-out error of four runs against the epoch; the four curves lie close together. Right: the "
    "checkerboard share on a logarithmic axis. Before training it is several percent with transposed convolutions "
    "and far less with the others; at the end all are close to the share of the faces themselves.",
)

# %%
by_kind = {
    name: [run for (kind, _), run in runs.items() if kind == name] for name in contest
}
enlarge, transposed = by_kind.values()
mean_errors = {k: sum(r["error"][-1] for r in group) / 2 for k, group in by_kind.items()}
ratio = mean_errors["transposed convolution"] / mean_errors["enlarge, then convolve"]
seeds = max(
    max(e) / min(e) for e in ([r["error"][-1] for r in g] for g in by_kind.values())
)
print(f"error with transposed convolutions, relative to the other: {ratio - 1:+.1%}")
print(f"and of one seed relative to the other, same model: up to {seeds - 1:+.1%}")
assert abs(enlarge[0]["parameters"] / transposed[0]["parameters"] - 1) < 0.02
assert all(run["checkerboard"][0] > 0.01 for run in transposed), (
    "a checkerboard at the start"
)
assert all(run["checkerboard"][0] < 0.004 for run in enlarge), "and none here"
assert all(run["checkerboard"][-1] < 1.5 * own_share for run in runs.values()), (
    "none at the end"
)
assert 0.85 < ratio < 1.15, "the errors should be about the same"
assert abs(ratio - 1) < 2 * (seeds - 1), "no more than luck could do"
assert enlarge[0]["multiplications"] > 1.5 * transposed[0]["multiplications"]

# %% [markdown]
# Before training, the transposed convolutions draw on checked paper, as in lesson 04. One epoch
# later the pattern is almost gone. At the end, both have about as much checkerboard in their faces
# as the faces themselves have. (Anything with fine detail has some.)
#
# The errors of the two differ by a few percent. Is that a victory? Look at the last two lines of
# the print-out: two seeds of the *same* model differ by about as much. Nobody has won.
#
# What does differ is the work. For each pixel that comes in, a transposed convolution multiplies
# with 16 weights. The other one multiplies with 36, that is 9 for each of the four pixels that came
# from one. On the clock the difference is smaller, because the encoders are alike and take their
# time, too.
#
# So the honest answer is: with a loss that compares pixel by pixel, **it hardly matters**. The
# strong opinions come from models that are trained to fool another network. There nothing pushes
# the pattern out, and there enlarging first is the safer choice. We go on with it for that reason
# only: what you learn here you will use elsewhere.
#
# With one seed only, we might have declared a winner.
#
# ## 5 · Training at 64 × 64
#
# Now the model of section 2, on the full pictures. This is the longest training of the lesson, half
# a minute or so on a laptop.
#
# **Predict.** In lesson 08 the rate rose while the model trained. What will it do here?

# %%
seed_everything(0)
vae = FaceVAE()
history = fit(vae, train_set, face_loss, epochs=4, valid=valid_set, batch_size=32, lr=5e-3)

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.7))
when = range(1, len(history.seconds) + 1)
for record, style, name in (
    (history.train, "-", "training"),
    (history.valid, "--", "held out"),
):
    axes[0].plot(when, record["error"], color=BLUE, linestyle=style, marker="o", label=name)
    axes[1].plot(
        when, record["rate"], color=ORANGE, linestyle=style, marker="o", label=name
    )
axes[0].axhline(mean_error, color="0.5", linestyle=":", label="mean face, no code")
axes[0].set(
    title="The error falls",
    xlabel="epoch",
    ylabel="squared error of a number",
    yscale="log",
)
# Plain numbers on the logarithmic axis, not powers of ten.
for choose in (axes[0].yaxis.set_major_formatter, axes[0].yaxis.set_minor_formatter):
    choose("{x:g}")
axes[1].set(
    title="The rate is high from the first epoch on",
    xlabel="epoch",
    ylabel="nats per image",
    ylim=(0, 1.1 * max(*history.train["rate"], *history.valid["rate"])),
)
for ax in axes:
    ax.set_xticks(when)
    ax.legend()
plots.show(
    figure,
    alt="Left: on a logarithmic axis the error falls in each epoch and ends far below the dotted line of the mean "
    "face. Right: the rate is high from the first epoch on; on held-out faces it then falls slowly.",
)
scores = measure(vae, test_set, face_loss)
print(
    f"test faces: error {scores['error']:.5f}, distortion {scores['distortion']:,.0f} nats, ",
    end="",
)
print(f"rate {scores['rate']:.0f} nats; the mean face had an error of {mean_error:.4f}")
assert scores["error"] < 0.35 * mean_error, "it should be far better than the mean face"
assert 50 < scores["rate"] < 600
assert history.valid["rate"][-1] < history.valid["rate"][0], "the rate should not rise here"

# %% [markdown]
# The rate does rise, but so early that the figure misses it: after one epoch it is high already. A
# digit took some twenty nats, a face takes many times as much. Section 3 told why. Early in
# training, every nat of rate buys many nats of distortion, so the encoder spends freely. Later,
# when the large errors are mended, it saves a little: on held-out faces the rate falls. (The
# training curve shows averages over an epoch. So its first point still contains the very first
# steps.)
#
# Now the reconstructions of test faces, of people that the model has never seen.


# %%
@torch.no_grad()
def encode_all(model, images):
    """Mean and log_var of the codes of all images, on the CPU."""
    parts = [model.encode(part) for part in images.split(250)]
    return [torch.cat(column).cpu() for column in zip(*parts)]


@torch.no_grad()
def decode_all(model, z):
    """Images for codes, on the CPU."""
    return torch.cat([model.decode(part.to(device)).cpu() for part in z.split(250)])


test_mean, test_log_var = encode_all(vae, test_images)
rebuilt = decode_all(vae, test_mean)
some = torch.arange(0, 40, 4)
plots.show(
    plots.image_rows(
        {"test face": test_images[some], "reconstruction": rebuilt[some]},
        f"Ten test faces through a code of {vae.latent_dim} numbers",
        size=0.55,
    ),
    alt="Ten faces and their reconstructions. Hair, skin, background and pose are right; everything is soft, and "
    "small things such as the pattern of clothes, thin glasses and the mouth are blurred or missing.",
)

# %% [markdown]
# What is large comes through: hair, skin, background. What is small does not. The blur has the same
# reason as in lesson 07. Where the code does not tell exactly, a squared error is smallest for the
# **average** of all that could be there. And an average of edges at different places is soft. A
# longer training helps. The model of section 11 had one.
#
# ### Who gets the worse picture?
#
# An average error hides who pays for it. For each label, we compare the test faces that have it
# with those that do not. The cell prints the five labels with the highest error and the three with
# the lowest.
#
# **Predict.** Which labels will stand at the top: which faces are hard for the model?

# %%
errors = (rebuilt - test_images.cpu()).square().flatten(1).mean(1)
has = test_set.labels.bool().cpu()
table = []
for j, name in enumerate(test_set.label_names):
    if min(has[:, j].sum(), (~has[:, j]).sum()) < 10:
        continue  # too few to say anything
    yes, no = errors[has[:, j]], errors[~has[:, j]]
    spread = math.sqrt(yes.var() / len(yes) + no.var() / len(no))
    table.append(
        (name, yes.mean() / no.mean(), 2 * spread / no.mean(), has[:, j].float().mean())
    )
table.sort(key=lambda row: row[1])
print("error of faces with the label, relative to those without")
for name, factor, uncertainty, share in table[:-6:-1] + table[2::-1]:
    print(f"{name:22}{factor:6.2f} ± {uncertainty:.2f}   ({share:4.0%} of the faces)")
name, factor, uncertainty, share = table[-1]
assert factor - uncertainty > 1.1, "some group should clearly fare worse"
worst_shares = sum(row[3] for row in table[-3:]) / 3
assert worst_shares < 0.4, "the hardest should be a minority"
if not photographs:
    name, factor, *_ = min(table, key=lambda row: row[3])
    assert name == "Bald" and factor < 1, "the rarest label should not be a hard one"

# %% [markdown]
# (The ± is twice the standard error. Where several faces show one person, as in the portraits, the
# true uncertainty is larger.) No group is treated badly on purpose. Some pictures are simply
# harder: more contrast, more detail, a hat with a pattern.
#
# Or is it because they are rare? Mind the last column. The labels at the top belong to a minority.
# The loss is an **average** over all faces, so whoever is rare counts little in it. That may be a
# part of the reason, but it cannot be the whole. Among the portraits, bald people are the rarest,
# and their pictures are better than the others': a bald head is easy to draw. This table cannot
# tell the two reasons apart.
#
# What it does tell: a model can be good on average and poor for a group, and nobody notices who
# does not ask. So ask.
#
# ## 6 · Random faces
#
# Now what a VAE is for: draw codes from the prior $\mathcal N(0, I)$, and decode.
#
# **Predict.** With digits, most of the samples were at home (lesson 08, section 4). And with faces?

# %%
seed_everything(0)
noise = torch.randn(500, vae.latent_dim)
plots.show(
    plots.image_rows(
        {
            "reconstructions": rebuilt[some],
            "random codes": decode_all(vae, noise[:10]),
        },
        "Random codes from the prior N(0, I), decoded",
        size=0.55,
    ),
    alt="Two rows of ten images: soft reconstructions of faces, and decoded random codes. The random ones are grey "
    "and washed out, with smeared outlines; hardly any of them is a face.",
)

# %% [markdown]
# Hardly a face. The decoder is not to blame: it is the same one that made the row above. So the
# **codes** must be wrong. The random codes are not like the codes that the decoder has learnt from.
#
# But was it not the whole point of the rate to make the codes like $\mathcal N(0, I)$? It was. The
# next two sections find out what went wrong.
#
# ## 7 · Is the cloud of codes the prior?
#
# Every face has its own small cloud, $q(z \mid x)$. Put the clouds of all faces on top of each
# other, and you get one large cloud, the **aggregate posterior**
#
# $$ q(z) = \mathbb E_x\big[q(z \mid x)\big] \approx \frac1N \sum_{n=1}^N q(z \mid x_n). $$
#
# "All faces" means all that could come. The $N$ faces that we have stand in for them.
#
# This is where the decoder has learnt to decode. If $q(z)$ were the prior, samples would be as good
# as reconstructions from drawn codes. A draw from $q(z)$ is easy: take a face, encode it, draw a
# code from its cloud.
#
# We compare $q(z)$ with the prior four times, each time more sharply. **First** we look at the
# numbers of the code one by one.

# %%
seed_everything(0)
train_mean, train_log_var = encode_all(vae, train_set.floats)
# One code from the cloud of each face: draws from the aggregate posterior.
z_train = vae.reparameterize(train_mean, train_log_var)
valid_mean, valid_log_var = encode_all(vae, valid_set.floats)
z_valid = vae.reparameterize(valid_mean, valid_log_var)
z_test = vae.reparameterize(test_mean, test_log_var)
d = vae.latent_dim

widths = z_train.std(0)
# Eight units, from the narrowest to the widest.
shown = widths.argsort()[torch.linspace(0, d - 1, 8).long()]
bell = torch.linspace(-6, 6, 200)
figure, axes = plt.subplots(2, 4, figsize=(10.6, 4.4), sharex=True, sharey=True)
for ax, unit in zip(axes.flat, shown.tolist()):
    ax.hist(z_train[:, unit].numpy(), bins=50, range=(-6, 6), density=True, color=SKY)
    ax.plot(bell, torch.exp(-bell.square() / 2) / math.sqrt(2 * math.pi), color=BLACK, lw=1)
    ax.set_title(
        f"unit {unit}: mean {z_train[:, unit].mean():.1f}, width {widths[unit]:.1f}",
        fontsize=10,
    )
for ax in axes[-1]:
    ax.set_xlabel("number in the code")
for ax in axes[:, 0]:
    ax.set_ylabel("density")
figure.suptitle("Eight units of the code, all training faces (line: the prior)")
plots.show(
    figure,
    alt="Eight histograms of single numbers of the code, each with the bell curve of the prior. The histograms are "
    "mostly bell-shaped, but wider than the prior, and several are shifted to one side.",
)
active = int(evaluate.active_units(train_mean).sum())
print(f"{active} of {d} units are active")
print(
    f"means of the units from {z_train.mean(0).min():.2f} to {z_train.mean(0).max():.2f}",
    end=", ",
)
print(f"widths from {widths.min():.2f} to {widths.max():.2f}; the prior has 0 and 1")
assert active > 0.8 * d, "with so much to say, no unit can be idle"
assert widths.median() > 1, "most units should be wider than the prior"

# %% [markdown]
# All units, or nearly all, are active. No wonder at this rate. One by one, most of them look like
# bell curves. They are too wide, and some sit off the centre or have two humps. But a value that
# the prior draws is almost always a value that faces have, too. Judged by these pictures, things do
# not look too bad.
#
# ### Your turn 2 · The width of the large cloud
#
# The encoder gives `mean` and `log_var` of every small cloud, both (N, latent_dim). Write
# `my_variance(mean, log_var)`. It returns the **variance of each unit in the aggregate posterior**,
# (latent_dim,), without drawing anything. The large cloud is wide for two reasons: the centres of
# the small clouds differ, and each small cloud has a width of its own. The variance of the centres
# and the average variance of the small clouds add up. In the variance of the centres, divide by N
# (not N − 1): `correction=0`. When you are done, compare `my_variance(train_mean, train_log_var)`
# with `widths.square()`, which was measured on draws.


# %% tags=["exercise"]
def my_variance(mean, log_var):
    result = ...  # your code here
    return result


checks.aggregate_variance(my_variance)


# %% tags=["solution"]
def my_variance(mean, log_var):
    return mean.var(0, correction=0) + log_var.exp().mean(0)


# %% [markdown]
# **Second**, the length of the codes. Codes from the prior lie on a shell with the radius $\sqrt d$
# (lesson 08, section 7). **Third**, all directions, not only those of the axes. Take the covariance
# matrix of the codes and its eigenvectors, as in PCA (lesson 02): the variance along each of these
# directions is an eigenvalue. For $\mathcal N(0, I)$ every direction has the variance 1, so all
# eigenvalues are 1.
#
# **Predict.** The units' variances are all of the order of 1. Will the eigenvalues be, too?

# %%
lengths = {"the prior": noise.norm(dim=1), "test faces": z_test.norm(dim=1)}
eigenvalues, directions = torch.linalg.eigh(torch.cov(z_train.T))
eigenvalues = eigenvalues.flip(0)
# With finitely many draws even the prior's eigenvalues scatter a little around 1.
prior_eigenvalues = torch.linalg.eigvalsh(torch.cov(torch.randn(len(z_train), d).T)).flip(0)
narrow, wide = directions[:, 0], directions[:, -1]
longer = z_test.norm(dim=1).mean() / noise.norm(dim=1).mean()

figure, axes = plt.subplots(1, 3, figsize=(12.6, 4))
for (name, values_), color in zip(lengths.items(), ("0.6", BLUE)):
    axes[0].hist(values_.numpy(), bins=40, density=True, color=color, alpha=0.6, label=name)
axes[0].axvline(math.sqrt(d), color=BLACK, linestyle="--", lw=1, label="√d")
axes[0].set(title="Length of the codes", xlabel="‖z‖", ylabel="density")
axes[0].legend()
axes[1].plot(
    range(1, d + 1), eigenvalues, color=BLUE, marker=".", label="faces: eigenvalues"
)
axes[1].plot(
    range(1, d + 1),
    widths.square().sort(descending=True).values,
    color=SKY,
    label="faces: single units",
)
axes[1].plot(
    range(1, d + 1),
    prior_eigenvalues,
    color="0.5",
    linestyle="--",
    label="the prior: eigenvalues",
)
axes[1].set(
    title="Variance by direction",
    xlabel="direction, sorted",
    ylabel="variance",
    yscale="log",
)
axes[1].legend()
axes[2].scatter(noise @ wide, noise @ narrow, s=8, color="0.6", label="the prior")
axes[2].scatter(z_test @ wide, z_test @ narrow, s=8, color=BLUE, label="test faces")
axes[2].set(
    title="Along the widest and the narrowest",
    xlabel="along the widest direction",
    ylabel="along the narrowest direction",
)
axes[2].set_aspect("equal", adjustable="datalim")  # so that round looks round
axes[2].legend(loc="upper left")
plots.show(
    figure,
    alt="Three panels. The lengths of codes of faces are larger than the prior's and spread more. The eigenvalues of "
    "the faces' codes fall from well above 1 to far below, on a logarithmic axis, while the prior's stay at 1 and the "
    "variances of single units are all of the order of 1. In the scatter plot the prior is a round cloud, and the "
    "codes of faces are a thin, wide stroke through it.",
)
print(
    f"variance along the widest direction {eigenvalues[0]:.1f}, along the narrowest {eigenvalues[-1]:.3f}"
)
print(f"{(eigenvalues < 0.1).sum()} of {d} directions have a variance below 0.1")
assert longer > 1.15, "codes of faces should be longer"
assert eigenvalues[0] > 1.5 * prior_eigenvalues[0], (
    "some directions are wider than the prior"
)
assert eigenvalues[-1] < 0.5 * prior_eigenvalues[-1], "and some much narrower"
assert eigenvalues[0] / eigenvalues[-1] > 5 * widths.max().square() / widths.min().square()

# %% [markdown]
# The left panel is a first warning. Codes of faces do not keep to the shell. They are longer than
# random ones, and their lengths differ more.
#
# The middle panel holds the answer. The variances of single units (light line) are all within a
# small factor of each other. The eigenvalues (dark line) fall over orders of magnitude. Along its
# axes the cloud looks harmless, but in other directions it is flat like a pancake. The right panel
# shows two directions, the widest and the narrowest. The prior is round. The codes of faces are a
# thin stroke through it. Whatever lies above or below the stroke, the decoder has never seen. And
# there are many narrow directions. A random code would have to hit the pancake in all of them at
# once, and that is hopeless.
#
# The histograms could not show this. They look along one axis at a time, and along the axes the
# pancake casts a wide shadow.
#
# ## 8 · How many nats away?
#
# **Fourth**, a single number: the divergence $D_{KL}(q(z) \,\|\, p(z))$ of the large cloud from the
# prior. It has a surprising place in our loss. For any face and any code,
#
# $$ \log \frac{q(z \mid x)}{p(z)} = \log \frac{q(z \mid x)}{q(z)} + \log \frac{q(z)}{p(z)}. $$
#
# Average both sides over the faces and over the draws from their clouds. The left side becomes the
# rate. So
#
# $$ \text{rate} \;=\; \underbrace{I(x; z)}_{\text{what codes say about faces}} + \underbrace{D_{KL}(q(z) \,\|\, p(z))}_{\text{the price of the wrong prior}}. $$
#
# $I(x; z)$ is called the **mutual information**: it tells how many nats a code says about *which*
# face it belongs to. That part of the rate is money well spent. The second part buys nothing. It is
# paid only because we insist on a prior that the codes do not follow (Hoffman and Johnson, 2016).
# (Here again, $x$ is any face that could come. To say which of 5,000 *known* faces it is,
# $\log 5{,}000 \approx 8.5$ nats would be enough.)
#
# How large is the second part? $q(z)$ mixes the clouds of all faces, in 64 dimensions. That is too
# much to integrate. But there is a way around. Take **any** density $r(z)$ that we can compute.
# Then
#
# $$ D_{KL}(q \,\|\, p) = \mathbb E_{q}\Big[\log \frac{r(z)}{p(z)}\Big] + D_{KL}(q \,\|\, r) \;\ge\; \mathbb E_{q}\big[\log r(z) - \log p(z)\big], $$
#
# because a KL divergence is never negative. So fit a density $r$ to the codes of *training* faces,
# take codes of *test* faces, and see how much more probable $r$ finds them than the prior does. The
# average estimates a **lower bound** of the divergence, in nats. The better $r$ fits, the tighter
# the bound. (We take test faces, because a density could learn its own training codes by heart.)
#
# The simplest density with a pancake's shape is one Gaussian with a full covariance matrix.
#
# **Predict.** The rate of this model is printed above. Which share of it is the price of the wrong
# prior: a hundredth, a tenth, or more?


# %%
def log_prior(z):
    """log p(z) for the prior N(0, I), (N,)."""
    return -0.5 * (z.square() + math.log(2 * math.pi)).sum(1)


def log_density(mixture, z):
    """log r(z) for a density fitted by scikit-learn, (N,)."""
    return torch.from_numpy(mixture.score_samples(z.double().numpy())).float()


def fit_mixture(z, components):
    """A mixture of Gaussians with full covariance matrices, fitted to codes (N, d)."""
    mixture = GaussianMixture(
        components, reg_covar=1e-3, tol=0.02, max_iter=200, random_state=0
    )
    return mixture.fit(z.double().numpy())


one_gaussian = fit_mixture(z_train, components=1)
advantage = log_density(one_gaussian, z_test) - log_prior(z_test)
rate = losses.kl_divergence(test_mean, test_log_var).mean().item()
wasted = advantage.mean().item()
error_bar = 2 * advantage.std().item() / math.sqrt(len(advantage))
print(f"rate of the test faces: {rate:.0f} nats per image")
print(
    f"of it, at least {wasted:.0f} ± {error_bar:.0f} nats pay for the wrong prior: {wasted / rate:.0%}"
)
assert wasted - error_bar > 0.1 * rate, "a good part of the rate should be wasted"
assert wasted < rate, "it is a part of the rate"

# %% [markdown]
# More than a tenth. And every nat is a factor of $e$. To a typical code of a real face, the fitted
# Gaussian gives a density that is larger than the prior's by $e$ to the power of this number. Seen
# from the other side: a code drawn from the prior is hardly ever a code like those of faces. You
# can wait forever for one.
#
# ### Why did training not prevent it?
#
# The rate contains this price, so training pushes against it. But the loss weighs nats against
# nats. Bending the cloud into the shape of a ball costs the encoder and the decoder some precision,
# and precision is dear: section 3 counted thousands of nats. Two things push harder: a longer
# training, and $\beta > 1$, at the price of more blur. Section 11 looks at a model that had both.
#
# So there are two ways out: force the codes into the shape of the prior, or **change the prior to
# the shape of the codes**. The second one costs nothing but the fit of a density, after training.
#
# ## 9 · A mixture of Gaussians on the codes
#
# One Gaussian already knows the pancake. But a Gaussian is one lump, the same on both sides. The
# codes of faces might have several: say, people with hats over here, and bald people over there.
# (Did you see a histogram with two humps in section 7?) A **mixture of Gaussians** has $K$ lumps,
# each with a weight $w_k$, a mean $m_k$ and a covariance matrix $C_k$:
#
# $$ r(z) = \sum_{k=1}^K w_k\, \mathcal N(z;\, m_k, C_k). $$
#
# scikit-learn fits it with the EM algorithm: guess to which lump each code belongs, fit every lump
# to its codes, and repeat.
#
# How many lumps? Each one has thousands of numbers in its covariance matrix, so too many will learn
# the training codes by heart. We choose on the **validation** faces, with the very measure of
# section 8.
#
# **Predict.** On the training codes, more lumps can only help. What will the validation codes say
# about 1, 2, 5, 10, 20 and 40?

# %%
counts = (1, 2, 5, 10, 20, 40)
mixtures = {k: fit_mixture(z_train, k) for k in counts}
gains = {
    name: [(log_density(mixtures[k], z) - log_prior(z)).mean().item() for k in counts]
    for name, z in (("training faces", z_train), ("validation faces", z_valid))
}
best = counts[torch.tensor(gains["validation faces"]).argmax()]
figure, ax = plt.subplots(figsize=(6.5, 3.7))
for (name, line), (color, style) in zip(gains.items(), ((BLUE, "-"), (RED, "--"))):
    ax.plot(counts, line, color=color, linestyle=style, marker="o", label=name)
ax.axvline(best, color="0.7", lw=1)
ax.set(
    title="How much better than the prior? (grey line: best K)",
    xlabel="Gaussians in the mixture, K",
    ylabel="log r(z) − log p(z) (nats per code)",
    xscale="log",
    xticks=counts,
    xticklabels=counts,
)
ax.minorticks_off()
ax.legend()
plots.show(
    figure,
    alt="The advantage over the prior in nats against the number of Gaussians. On training codes it rises all the way; "
    "on validation codes it rises, is highest at a medium number, marked by a grey line, and falls again.",
)
mixture = mixtures[best]
advantage = (log_density(mixture, z_test) - log_prior(z_test)).mean().item()
print(f"best on validation faces: {best} Gaussians")
print(
    f"test faces: {advantage:.0f} nats better than the prior; one Gaussian was {wasted:.0f} nats better"
)
assert best < 40, "not too many lumps"
assert advantage > wasted - 1, "the mixture should not lose to one Gaussian"
assert gains["training faces"][-1] == max(gains["training faces"]), "by heart looks best"

# %% [markdown]
# On the training codes the curve rises and rises. On the validation codes it turns. This is
# overfitting, in a model that is not even a network. Most of the gain comes from the first
# Gaussian, that is, from the shape of the pancake. The lumps add some more.
#
# With the mixture in the place of the prior, the rate of a test face falls by that many nats on
# average, and so does the loss. Neither encoder nor decoder has changed.
#
# ### Your turn 3 · Drawing from a mixture
#
# scikit-learn can draw, but you should know how. For each code, first choose a lump, then draw from
# its Gaussian. Lesson 03 had the recipe for one Gaussian. Take a matrix $L$ with $L L^\top = C$,
# the **Cholesky factor**. If $\varepsilon$ is drawn from $\mathcal N(0, I)$, then
# $m + L\varepsilon$ has the mean $m$ and the covariance $C$. In one dimension this is
# $m + \sigma\varepsilon$.
#
# Write `my_draw(chosen, noise, means, factors)`. The dice have already been thrown: `chosen` (N,)
# holds the number of the lump for each code, from 0 to K − 1, and `noise` (N, d) holds the ε.
# `means` (K, d) and `factors` (K, d, d), the matrices $L$, belong to the K lumps. Return the N
# codes, (N, d). (`matrices @ columns` with the shapes (N, d, d) and (N, d, 1) makes N products at
# once.)


# %% tags=["exercise"]
def my_draw(chosen, noise, means, factors):
    result = ...  # your code here
    return result


checks.mixture_draw(my_draw)


# %% tags=["solution"]
def my_draw(chosen, noise, means, factors):
    # Every row of noise becomes a column (d, 1), and a row again.
    return means[chosen] + (factors[chosen] @ noise.unsqueeze(-1)).squeeze(-1)


# %% [markdown]
# The package has a module that keeps such a mixture and draws from it, `judges.FaceCodes`. We fill
# it with what scikit-learn has found.


# %%
def as_face_codes(mixture):
    """A scikit-learn mixture as a torch module that draws codes."""
    codes = judges.FaceCodes(latent_dim=d, components=mixture.n_components)
    codes.weights.copy_(torch.from_numpy(mixture.weights_))
    codes.means.copy_(torch.from_numpy(mixture.means_))
    codes.factors.copy_(torch.linalg.cholesky(torch.from_numpy(mixture.covariances_)))
    return codes


seed_everything(0)
drawn = {
    "prior N(0, I)": noise,
    "one Gaussian": as_face_codes(one_gaussian).sample(500),
    f"mixture of {best}": as_face_codes(mixture).sample(500),
}
pictures = {name: decode_all(vae, z) for name, z in drawn.items()}
rows = {name: images[:10] for name, images in pictures.items()}
plots.show(
    plots.image_rows(
        rows, "Random faces of one decoder, from three kinds of random codes", size=0.55
    ),
    alt="Three rows of ten images. Codes from the prior give washed-out smears. Codes from one Gaussian and from the "
    "mixture give faces with clear hair, skin and background, about as soft as the reconstructions were.",
)

# %% [markdown]
# The same decoder, and suddenly there are people. They are as soft as the reconstructions, because
# that is all this decoder can do.
#
# Are these new people, or copies from the training set? For every sample, we look for the training
# face with the **nearest code**. For comparison we ask the same for test faces, which surely are no
# copies. And what distance would a real copy have? For that we draw a second code from the clouds
# of some training faces.


# %%
def nearest_training(z):
    """Distance to the nearest training code, and which one that is."""
    return torch.cdist(z, z_train).min(1)


sample_distance, which = nearest_training(drawn[f"mixture of {best}"])
test_distance, _ = nearest_training(z_test)
second_draws = vae.reparameterize(train_mean[:500], train_log_var[:500])
copy_distance, _ = nearest_training(second_draws)
plots.show(
    plots.image_rows(
        {
            "samples": pictures[f"mixture of {best}"][:8],
            "nearest training\nface, decoded": decode_all(vae, train_mean[which[:8]]),
            "the face itself": train_set.floats[which[:8].to(device)],
        },
        "Eight samples, and the training faces with the nearest codes",
        size=0.55,
    ),
    alt="Three rows of eight images: samples, the reconstructions of the training faces with the nearest codes, and "
    "these training faces. They share colours and hair, but differ in details such as face shape, hat or background.",
)
print("distance to the nearest training code, median")
print(
    f"samples of the mixture {sample_distance.median():.2f}, test faces {test_distance.median():.2f}, "
    f"copies of training faces {copy_distance.median():.2f}"
)
assert sample_distance.median() > 0.8 * test_distance.median(), (
    "samples should be no copies"
)
assert copy_distance.median() < 0.6 * test_distance.median(), (
    "copies should be clearly nearer"
)

# %% [markdown]
# The samples keep about as much distance to the training faces as test faces do, and copies would
# be clearly nearer. So they are not copies. They resemble their nearest neighbours in colour and
# outline, and differ in the rest.
#
# ## 10 · Measuring the pictures
#
# "Suddenly there are people" is an impression. We want a number for pictures, too. Lesson 08 had
# one: the **Fréchet distance**. A classifier describes every picture by its features. Then the mean
# and the covariance of these are compared between two crowds of pictures. Our classifier is
# `face_judge`, which the course ships. It learnt to tell CelebA's 40 labels, from photographs only.
# No VAE was trained with its help, and it has never seen a picture from a VAE. (Nor has it seen
# portraits. If yours are portraits, it can still compare, but what it looks at was learnt from
# photographs.)
#
# All crowds have 500 pictures, and they are compared with 500 test faces. Two columns:
#
# - the distance **to the test faces**;
# - the distance **to the reconstructions** of the test faces. This leaves the blur aside, and asks
#   only about the codes: are the samples as good as this decoder can draw?
#
# **Predict.** There are five crowds: other real faces, reconstructions of these other faces, and
# samples from the prior, from one Gaussian and from the mixture. Sort them by each column.

# %%
judge = load_pretrained("face_judge").to(device)


@torch.no_grad()
def features(images):
    """The judge's description of each image, (N, 128)."""
    return torch.cat([judge.features(part.to(device)) for part in images.split(250)])


crowds = {
    "other real faces": valid_set.floats.cpu(),
    "other faces, reconstructed": decode_all(vae, valid_mean),
    **{f"samples: {name}": images for name, images in reversed(pictures.items())},
}
to_real, to_rebuilt = features(test_images[:500]), features(rebuilt[:500])
distances = {
    name: [
        evaluate.frechet_distance(features(images), target)
        for target in (to_real, to_rebuilt)
    ]
    for name, images in crowds.items()
}
print(
    f"{'Fréchet distance of 500':28}{'to test faces':>15}{'to reconstructed test faces':>29}"
)
for name, (real, soft) in distances.items():
    print(f"{name:28}{real:15.1f}{soft:29.1f}")

figure, axes = plt.subplots(1, 2, figsize=(11.4, 3))
colors = [GREEN, BLUE, ORANGE, ORANGE, RED]
for column, ax in enumerate(axes):
    # The second panel leaves out the first row, the real faces: they have no blur.
    shown = dict(list(distances.items())[column:])
    ax.barh(list(shown), [row[column] for row in shown.values()], color=colors[column:])
    ax.bar_label(ax.containers[0], fmt=" {:.1f}", fontsize=9.5)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set(xlabel="Fréchet distance (judge's features)")
axes[0].set_title("To test faces: blur and codes")
axes[1].set_title("To reconstructions: codes alone")
plots.show(
    figure,
    alt="Two bar charts of Fréchet distances. To the test faces, other real faces are near; reconstructions and samples "
    "from one Gaussian and from the mixture are similarly far, and samples from the prior are farthest. To the "
    "reconstructions, samples from the mixture are near, and those from the prior by far the farthest.",
)
floor, soft, mixed, single, prior = distances.values()
assert floor[0] < 0.5 * soft[0], "reconstructions should be clearly worse than real faces"
assert prior[0] > mixed[0], "samples from the mixture should beat those from the prior"
assert prior[1] > 3 * mixed[1], "above all where blur is left aside"
assert mixed[1] < 1.3 * single[1]

# %% [markdown]
# The left panel shows two troubles at once. The large step from real faces to reconstructions is
# the **blur**. The step from there to the samples is that of the **codes**. With codes from the
# mixture it is small: the samples are nearly as good as the reconstructions. With codes from the
# prior it is larger.
#
# The right panel leaves the blur aside. There the prior is far off, and the mixture is almost where
# reconstructions of other faces are. One Gaussian comes close to it. So most of the cure is the
# shape of the pancake, and the lumps add a little.
#
# Now we know why samples can be worse than reconstructions. A reconstruction decodes a code that
# belongs to a face. A sample decodes a code from the prior. Where the two differ, the decoder is
# asked for something that it has never learnt. There are two diseases, and they need different
# cures. The mixture cures bad codes. Against the blur it can do nothing.
#
# ## 11 · The model that the course ships
#
# A small model can only get so far in half a minute. The course ships a larger model, trained on
# photographs of CelebA's training split for much longer: `faces`, with 128 numbers per code. It
# learnt with $\beta > 1$ for the sake of orderly codes. Its mixture is `face_codes`. Every shipped
# model has a **card** that says where it comes from, how it was trained, what it may be used for,
# and how good it is. Read the card before you use a model, here and elsewhere. These are the cards
# of the two.

# %%
shipped = load_pretrained("faces").to(device)
shipped_codes = load_pretrained("face_codes").to(device)
cards = [pretrained_folder() / f"{name}.md" for name in ("faces", "face_codes")]
text = "\n\n".join(card.read_text(encoding="utf-8") for card in cards)
Markdown(re.sub("^#+", "####", text, flags=re.MULTILINE))  # smaller headings

# %% [markdown]
# **Predict.** It has been trained for much longer than ours, with a $\beta$ that pulls the codes
# harder towards the prior. Will codes from $\mathcal N(0, I)$ give faces now?

# %%
seed_everything(1)
with torch.no_grad():
    from_prior = decode_all(shipped, torch.randn(500, shipped.latent_dim))
    from_mixture = decode_all(shipped, shipped_codes.sample(500).cpu())
plots.show(
    plots.image_rows(
        {
            "prior N(0, I)": from_prior[:10],
            "mixture": from_mixture[:10],
            " ": from_mixture[10:20],
            "  ": from_mixture[20:30],
        },
        "The shipped model: people who do not exist",
        size=0.55,
    ),
    alt="Four rows of ten generated photographs of faces. Those in the first row, from the prior, are mostly distorted "
    "and patchy. The other three rows, from the mixture, are soft but clearly faces of different people.",
)

# %% [markdown]
# Nobody in these pictures exists. The rows from the mixture are soft, and not all of them are a
# success, but they are people. From the prior, a few pass, and most are distorted or patchy.
#
# Is it the same disease? `face_codes` tells, without a single photograph. The mixture describes the
# cloud of the shipped model's codes. So we draw from it, and compare with the prior as before.

# %%
with torch.no_grad():
    z = shipped_codes.sample(5_000).cpu()
    lumps = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(shipped_codes.weights.cpu()),
        torch.distributions.MultivariateNormal(
            shipped_codes.means.cpu(), scale_tril=shipped_codes.factors.cpu()
        ),
    )
    shipped_gap = (lumps.log_prob(z) - log_prior(z)).mean().item()
spectrum = torch.linalg.eigvalsh(torch.cov(z.T))
print(f"single units: widths from {z.std(0).min():.2f} to {z.std(0).max():.2f}")
print(f"directions: variances from {spectrum[0]:.3f} to {spectrum[-1]:.1f}")
print(
    f"the mixture finds its codes {shipped_gap:.0f} nats more probable than the prior does"
)
print(f"per number of the code: {shipped_gap / shipped.latent_dim:.2f} nats, ", end="")
print(f"with this lesson's model {advantage / d:.2f}")
assert shipped_gap > 10, "the prior should still be wrong"
assert spectrum[-1] / spectrum[0] > 5

# %% [markdown]
# The same disease, in a milder form. The cloud is still no ball, and there are still many nats
# between it and the prior. (If your faces are portraits, the two models learnt from different
# pictures, so this comparison is a rough one.)
#
# If you have CelebA, the next cell shows the shipped model on test photographs, and repeats the
# table of section 10 for it. Otherwise it passes, and the cards have the numbers.

# %%
if photographs:
    shipped_mean, _ = encode_all(shipped, test_images)
    shipped_rebuilt = decode_all(shipped, shipped_mean)
    plots.show(
        plots.image_rows(
            {
                "test face": test_images[some],
                "this lesson's": rebuilt[some],
                "shipped": shipped_rebuilt[some],
            },
            "Test faces and their reconstructions by two models",
            size=0.55,
        ),
        alt="Ten photographs and two rows of reconstructions; those of the shipped model are clearly sharper.",
    )
    for name, images in {
        "reconstructions": shipped_rebuilt[500:],
        "samples: mixture": from_mixture,
        "samples: prior": from_prior,
    }.items():
        print(f"{name:20}{evaluate.frechet_distance(features(images), to_real):8.1f}")
    shipped_error = (shipped_rebuilt - test_images.cpu()).square().mean().item()
    print(f"error {shipped_error:.5f}, this lesson's model {errors.mean():.5f}")
    assert shipped_error < errors.mean(), "the longer training should pay"
else:
    print(
        "No photographs here. The shipped model's scores on photographs stand in the cards."
    )

# %% [markdown]
# ### Who lives in the model?
#
# A last question, which brings us back to the start. Is what is rare in the photographs even rarer
# in the samples? We let the judge name the labels of 500 samples, and compare with the labels of
# all photographs of CelebA.
#
# But can we trust its answers? The judge has learnt from sharp photographs, and samples are soft.
# So we need a **control**: we make the same 500 samples a little softer still, and ask again. These
# are the same people. A judge that can be trusted here must give the same answers.
#
# **Predict.** Which labels will change, if any, when nothing changes but the sharpness?

# %%
celeba_shares = {  # counted in list_attr_celeba.txt
    "Young": 0.774,
    "Attractive": 0.513,
    "Smiling": 0.482,
    "Male": 0.417,
    "Heavy_Makeup": 0.387,
    "Bangs": 0.152,
    "Blond_Hair": 0.148,
    "Eyeglasses": 0.065,
    "Wearing_Hat": 0.048,
}


@torch.no_grad()
def judged_shares(images):
    """How often the judge sees each label."""
    seen = torch.cat([judge(part.to(device)) for part in images.split(250)]) > 0
    shares = dict(zip(judge.attributes, seen.float().mean(0).tolist()))
    return {name: shares[name] for name in celeba_shares}


softer = F.interpolate(F.avg_pool2d(from_mixture, 2), scale_factor=2, mode="bilinear")
answers = {"labels of CelebA": celeba_shares, "samples": judged_shares(from_mixture)}
answers["the same samples, softer"] = judged_shares(softer)
if photographs:
    answers["reconstructions of test faces"] = judged_shares(shipped_rebuilt)

figure, ax = plt.subplots(figsize=(8.5, 4.6))
places, height = torch.arange(len(celeba_shares)), 0.8 / len(answers)
for row, (name, answer) in enumerate(answers.items()):
    percent = [100 * share for share in answer.values()]
    color = ("0.6", BLUE, SKY, ORANGE)[row]
    ax.barh(places + (row - 1) * height, percent, 0.9 * height, color=color, label=name)
ax.set_yticks(places, list(celeba_shares))
ax.invert_yaxis()
ax.set(title="What the judge sees in the samples", xlabel="share (%)", xlim=(0, 100))
ax.legend(loc="lower right")
plots.show(
    figure,
    alt="Bars for nine labels: their share in CelebA, what the judge sees in 500 samples, and what it sees in the same "
    "samples made softer. For several labels, such as Attractive and Heavy_Makeup, the answer changes strongly with the "
    "softness; nearly all samples are judged young, and hardly any wears glasses or a hat.",
)
changes = {
    name: answers["the same samples, softer"][name] - answers["samples"][name]
    for name in celeba_shares
}
largest = max(changes, key=lambda name: abs(changes[name]))
print(
    f"largest change by softness alone: {largest} {100 * changes[largest]:+.0f} percentage points"
)
assert abs(changes[largest]) > 0.1, "softness alone should change the judge's mind"
assert changes["Heavy_Makeup"] < -0.05 and changes["Smiling"] < -0.05, "less of both"
assert changes["Attractive"] < -0.05, "and of this"
assert abs(changes["Young"]) < 0.1 and abs(changes["Male"]) < 0.1, "these should stay"
assert answers["samples"]["Male"] < celeba_shares["Male"]
assert answers["samples"]["Young"] > celeba_shares["Young"]
assert answers["samples"]["Wearing_Hat"] < celeba_shares["Wearing_Hat"]
if photographs:
    gaps = [
        sum(
            abs(answers[a][name] - answers["reconstructions of test faces"][name])
            for name in celeba_shares
        )
        for a in ("samples", "labels of CelebA")
    ]
    print(
        f"samples differ from reconstructions by {gaps[0]:.2f}, reconstructions from labels by {gaps[1]:.2f}"
    )
    assert gaps[0] < gaps[1], (
        "most of the difference should be there before any sample is drawn"
    )

# %% [markdown]
# It would have made a fine headline: "AI's people: all young, few men, never a hat". The control
# spoils it. The same people, a little softer, and the judge finds far fewer of them attractive, and
# sees far less make-up and fewer smiles. So it judges the softness as much as the people, and the
# samples were soft to begin with. For some labels, such as Young, the answer stays the same. But
# that does not prove it right: the wrinkles may have been gone before we made anything softer.
#
# From this figure nobody can tell how much comes from the bias of the data, how much from the blur,
# and how much from a judge out of its depth. (If you have CelebA, there is one bar more, for
# reconstructions of test photographs. It shows that most of the difference is there before any
# sample is drawn.)
#
# Two things to take along. Blur is not neutral: it can take away thin glasses or wrinkles, and who
# has neither loses nothing. And a measurement without a control is only a story. Lesson 11 judges
# edited faces, and it will compare them with plain reconstructions every time.
#
# ## Summary
#
# - **Look at the data first**: how often each label is true, which ones go together, who is in it,
#   and who wrote the labels. CelebA's labels are opinions, and its people are not the world.
# - With the best σ, the distortion is $\tfrac D2 \log \text{MSE}$ plus a constant. A face has so
#   many numbers that the distortion outweighs the rate by far.
# - Compared fairly, transposed convolution and enlarging first are about equally good here. A loss
#   that compares pixels removes the checkerboard. A second seed kept us from declaring a winner.
# - The decoder learns on the **aggregate posterior** $q(z)$. Unit by unit it can look like the
#   prior, and still be a pancake in other directions.
# - **Rate = mutual information + $D_{KL}(q(z) \| p(z))$.** The second part pays for the wrong
#   prior. A density fitted to the codes gives a lower bound of it, in nats.
# - A **mixture of Gaussians** on the codes, fitted after training, makes samples nearly as good as
#   reconstructions. It cannot cure the blur.
# - An average hides who gets the worse picture, and a judge may be out of its depth: ask for
#   groups, and for a control.
#
# ## What to read
#
# - Liu, Luo, Wang and Tang, 2015, [Deep learning face attributes in the
#   wild](https://arxiv.org/abs/1411.7766): the paper behind CelebA, with how its labels were made.
# - Buolamwini and Gebru, 2018, [Gender
#   Shades](https://proceedings.mlr.press/v81/buolamwini18a.html): how to measure who a face program
#   fails; short, clear, and it changed an industry.
# - Gebru and others, 2021, [Datasheets for datasets](https://arxiv.org/abs/1803.09010): the
#   questions to ask before you use, or publish, a data set.
# - Hoffman and Johnson, 2016, [ELBO
#   surgery](http://approximateinference.org/accepted/HoffmanJohnson2016.pdf): the split of the rate
#   in section 8, in four pages.
# - Dai and Wipf, 2019, [Diagnosing and enhancing VAE models](https://arxiv.org/abs/1903.05789): why
#   the codes of a good VAE cannot be the prior, and a second VAE on the codes as the cure.
# - Ghosh and others, 2020, [From variational to deterministic
#   autoencoders](https://arxiv.org/abs/1903.12436): the mixture on the codes, tested on many
#   models.
# - Tomczak and Welling, 2018, [VAE with a VampPrior](https://arxiv.org/abs/1705.07120): learning a
#   better prior during training instead of afterwards.
# - Odena, Dumoulin and Olah, 2016, [Deconvolution and checkerboard
#   artifacts](https://distill.pub/2016/deconv-checkerboard/): the other side of section 4.
#
# **Next:** lesson 11, where we take a face, find the direction of its smile, and go there.
