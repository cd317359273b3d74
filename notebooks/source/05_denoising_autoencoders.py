# %% [markdown]
# # 05 · Denoising autoencoders
#
# Show an autoencoder a spoiled picture and ask it for the clean one. Copying is now the wrong answer, so it has to
# learn what clean pictures look like. With this knowledge it removes noise, fills holes, takes the grain out of
# X-rays (synthetic ones, unless you have fetched real ones), and walks from noise to something like handwriting.
# At the end we ask when its pretty pictures must not be trusted.
#
# **You will be able to**
#
# - train a denoising autoencoder, with a code or with shortcuts, and compare it fairly with classical filters,
# - say what it learns, the conditional mean, and draw it as arrows that push noisy points back to the data,
# - test by ROC and AUC what it erases and invents.
#
# **It builds on** [lesson 03](03_the_fully_connected_autoencoder.ipynb) and [lesson
# 04](04_the_convolutional_autoencoder.ipynb).
#
# **For your ears.** [Deeper · Cleaning speech](deeper/05_speech.ipynb) does the same with words that you can hear (35
# minutes, optional, best after section 3).

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from vae_helpers import checks, models, plots
from vae_helpers.data import load_digits, load_xrays
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.losses import squared_error
from vae_helpers.train import fit

plots.use_course_style()
device = pick_device()

# %% [markdown]
# ## 1 · Spoil a digit, and ask for it back
#
# **Noise** is whatever does not belong in a picture. **Gaussian noise** adds to every pixel a random number with mean
# 0 and standard deviation $\sigma$, as a camera's electronics do. **Masking noise** sets a share of the pixels to
# zero, and **salt-and-pepper noise** turns a share of them white or black, as dead sensor cells do.
#
# A **denoising autoencoder** is trained on pairs that cost nothing. We spoil a clean picture $x$ ourselves, which
# gives $\tilde x$ ("x tilde"), and ask the network $f$ for the clean one:
#
# $$ \text{loss} = \lVert f(\tilde x) - x \rVert^2 $$


# %%
def gaussian(images, sigma):
    """Add to each pixel a random number with the standard deviation sigma."""
    return images + sigma * torch.randn_like(images)  # Gaussian, standard deviation 1


def masking(images, share):
    """Set this share of the pixels to zero."""
    return images * (torch.rand_like(images) >= share)  # spread evenly from 0 to 1


train_set = load_digits("train").subset(slice(0, budget(cpu=3_500, gpu=50_000)))
valid_set = load_digits("valid").subset(slice(0, 500))
test_set = load_digits("test")

# %% [markdown]
# ### Your turn 1 · Salt and pepper (6 min)
#
# Write the third noise. Each pixel of `images`, (N, 1, H, W), is hit with the probability `share`; of those hit, half
# become white (1) and half black (0). `share` is one number, or one per image, (N, 1, 1, 1). `torch.where(condition,
# a, b)` takes `a` where the condition is true and `b` elsewhere.


# %% tags=["exercise"]
def my_salt_and_pepper(images, share):
    spoiled = ...  # your code here
    return spoiled


verdict = checks.salt_and_pepper(my_salt_and_pepper)
salt_and_pepper = verdict.working
verdict


# %% tags=["solution"]
def my_salt_and_pepper(images, share):
    draw = torch.rand_like(images)  # below share / 2: white; from there to share: black
    white = (draw < share / 2).float()
    return torch.where(draw < share, white, images)


# %%
NOISES = {
    "Gaussian, σ = 0.5": lambda images: gaussian(images, 0.5),
    "salt and pepper, 30%": lambda images: salt_and_pepper(images, 0.3),
    "masking, 50%": lambda images: masking(images, 0.5),
}


def some(dataset, count):
    """Images from all over a data set, (count, 1, 28, 28)."""
    return dataset.floats[torch.linspace(0, len(dataset) - 1, count).long()]


seed_everything(1)
test_digits = some(test_set, 80)
noisy_digits = {name: spoil(test_digits) for name, spoil in NOISES.items()}

# %% tags=["figure"]
# Eight digits, and the same with three kinds of noise
eight = torch.linspace(5, len(test_digits) - 5, 8).long()
rows = {"clean": test_digits, **noisy_digits}
plots.show(
    plots.image_rows(
        {name: images[eight].clamp(0, 1) for name, images in rows.items()},
        "Three kinds of noise",
    ),
    alt="Eight digits, clean and with three kinds of noise. Gaussian noise makes everything grainy, salt and pepper scatters "
    "white and black dots, masking leaves holes in the strokes.",
)

# %% [markdown]
# The noise will be **drawn anew in every step**, so that no spoiled picture comes twice. But the clean pictures return
# in every epoch and *can* be learnt by heart: a large network could recognise a training digit through its noise and
# answer from memory. Only digits that it never saw can tell, so our trainings on digits watch held-out ones
# (`valid=`), and we measure on test digits.
#
# ## 2 · The rivals: filters at their best
#
# The **median filter** replaces each pixel by the median of a small square around it. **Total variation** (Rudin,
# Osher and Fatemi, 1992) looks for a picture nearby that goes up and down as little as possible. **Non-local means**
# (Buades, Coll and Morel, 2005) averages pixels whose *surroundings* look alike.
#
# To compare, we turn the mean squared error of the pixels (MSE) into the **peak signal-to-noise ratio**. Half of the
# error is 3 **decibels** (dB) more, a tenth of it 10. (Pictures are clipped to 0…1 before, which
# makes the noisy ones better than their $\sigma$ says.)


# %%
def psnr(pictures, originals):
    """Peak signal-to-noise ratio of each picture in dB, (N, C, H, W) → (N,)."""
    mse = (pictures - originals).square().flatten(1).mean(1)
    return 10 * torch.log10(1 / mse)  # 1 is the largest value of a pixel


# %% [markdown]
# A second measure in the tables, **SSIM**, compares small windows and is 1 for equal pictures ([how it
# works](deeper/05_measuring.ipynb): 20 minutes, optional). To be fair, each filter gets, for each noise, the setting
# that is best on *validation* digits.

# %% tags=["figure"]
# PSNR and SSIM of three classical filters, each with its best setting
from functools import partial

from skimage.filters import median
from skimage.metrics import structural_similarity
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

WEIGHTS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.65, 0.9)
FILTERS = {
    "median": lambda image, size: median(image, np.ones((size, size))),
    "total variation": lambda image, weight: denoise_tv_chambolle(image, weight=weight),
    "non-local means": lambda image, setting: denoise_nl_means(
        image, patch_size=setting[0], patch_distance=8, h=setting[1]
    ),
}
SETTINGS = {
    "median": (1, 3, 5, 7),
    "total variation": WEIGHTS,
    "non-local means": [(p, h) for p in (3, 5) for h in (0.01, 0.1, 0.2, 0.3, 0.4, 0.5)],
}


def filtered(name, images, setting):
    """The images (N, 1, H, W), each cleaned by a classical filter."""
    cleaned = [FILTERS[name](image, setting) for image in images[:, 0].double().numpy()]
    return torch.tensor(np.stack(cleaned))[:, None].float().clamp(0, 1)


def tuned(clean, settings, noisy, originals):
    """The setting with which `clean(noisy, setting)` reaches the highest PSNR."""
    return max(settings, key=lambda setting: psnr(clean(noisy, setting), originals).mean())


def ssim(pictures, originals):
    """Structural similarity of each picture, (N, 1, H, W) → (N,)."""
    pairs = zip(pictures.numpy(), originals.numpy())
    return torch.tensor([structural_similarity(a[0], b[0], data_range=1) for a, b in pairs])


def table_of(results, originals):
    """Print PSNR and SSIM of each method, a block per noise, and return those of each network."""
    scores = {}
    for noise, pictures in results.items():
        print(f"{noise:30s} PSNR (dB)   SSIM")
        for (
            name,
            images,
        ) in pictures.items():  # those of several networks: one after the other
            networks = len(images) // len(originals)
            repeated = originals.repeat(networks, 1, 1, 1)
            psnrs, ssims = (
                q(images, repeated).reshape(networks, -1).mean(1) for q in (psnr, ssim)
            )
            scores[noise, name] = psnrs.tolist(), ssims.tolist()
            spread = (
                f"   PSNR ± {(psnrs.max() - psnrs.min()) / 2:.1f}" if networks > 1 else ""
            )
            print(f"  {name:28s} {psnrs.mean():9.1f} {ssims.mean():6.2f}{spread}")
    return scores


valid_digits = some(valid_set, 15)
best, results = {}, {}
for noise, images in noisy_digits.items():
    results[noise] = {"as it is": images.clamp(0, 1)}
    noisy_valid = NOISES[noise](valid_digits)
    for name, settings in SETTINGS.items():
        clean = partial(filtered, name)
        best[noise, name] = tuned(clean, settings, noisy_valid, valid_digits)
        results[noise][name] = clean(images, best[noise, name])
scores = table_of(results, test_digits)

# %% tags=["claim"]
hardly = scores["masking, 50%", "as it is"][0][0] + 2
for noise, name in best:
    place = list(SETTINGS[name]).index(best[noise, name])
    if noise != "masking, 50%":
        assert 0 < place < len(SETTINGS[name]) - 1, f"{name}: at the edge of its range"
    else:
        assert scores[noise, name][0][0] < hardly, (
            "filters should hardly help against masking"
        )
others = [
    scores["salt and pepper, 30%", name][0][0] for name in SETTINGS if name != "median"
]
assert scores["salt and pepper, 30%", "median"][0][0] > max(others) + 1

# %% [markdown]
# The median is made for lone dots and removes them best. Against masking nothing helps much, because no filter can
# know which black pixels were lost: where a row repeats "as it is", the best setting is to change nothing.
#
# ## 3 · With a code, or with shortcuts
#
# Pascal Vincent and his colleagues, who gave denoising autoencoders their name in 2008, wanted better **codes**, not
# cleaner pictures: to complete a broken stroke, a network must know how strokes go on, and this knowledge is then in
# the code. (Lesson 06 measures it.) Our first network is of this kind: that of lesson 04, with a code of 64 numbers.
#
# For cleaning alone, a code is a hindrance: where a stroke ends can be seen in the noisy picture, so why squeeze it
# through 64 numbers? The second network, a **U-Net** ([Ronneberger and others,
# 2015](https://arxiv.org/abs/1505.04597)), goes down like an encoder and up like a decoder, but also hands its maps
# across at each size. Such a bypass is a **skip connection**, or shortcut. The long way round knows which strokes are
# likely, the shortcuts know where they run.

# %% tags=["figure"]
# The U-Net: down, up, and the shortcuts between
figure, ax = plt.subplots(figsize=(9.5, 3.9))
ax.set_aspect("equal")
ax.axis("off")
# x, y, width, height, text: the taller a box the larger its maps, the wider the more channels.
boxes = [
    (2.9, 4.4, 0.5, 3.2, "8 × 28 × 28"),
    (5.2, 3.2, 0.8, 1.9, "16 × 14 × 14"),
    (8.4, 1.2, 1.4, 1.1, "32 × 7 × 7"),
    (12.4, 3.2, 0.8, 1.9, "16 × 14 × 14"),
    (15.1, 4.4, 0.5, 3.2, "8 × 28 × 28"),
]
for number, (x, y, wide, high, text) in enumerate(boxes):
    style = {"facecolor": plots.COLORS[1 if number < 3 else 3], "edgecolor": "black"}
    ax.add_patch(plt.Rectangle((x, y), wide, high, alpha=0.75, **style))
    ax.text(x + wide / 2, y - 0.15, text, ha="center", va="top", fontsize=10)
for x, image, text in (
    (0, noisy_digits["Gaussian, σ = 0.5"], "noisy x̃"),
    (16.9, test_digits, "clean x̂"),
):
    ax.imshow(image[eight[2], 0].clamp(0, 1), extent=(x, x + 2.1, 4.9, 7), cmap="gray")
    ax.text(x + 1.05, 4.7, text, ha="center", va="top", fontsize=12)
ax.set(xlim=(-0.1, 19.1), ylim=(0.5, 8.1))


def arrow(start, end, color="black", style="-", width=1.6):
    shape = {"arrowstyle": "-|>", "color": color, "linestyle": style, "linewidth": width}
    shape |= {"shrinkA": 0, "shrinkB": 0, "mutation_scale": 15}
    ax.annotate("", end, start, arrowprops=shape)


for start, end in (
    ((2.15, 5.95), (2.85, 5.95)),
    ((3.45, 4.9), (5.15, 4.3)),
    ((6.05, 3.6), (8.35, 1.9)),
    ((9.85, 1.9), (12.35, 3.6)),
    ((13.25, 4.3), (15.05, 4.9)),
    ((15.65, 5.95), (16.85, 5.95)),
):
    arrow(start, end)
red = plots.COLORS[4]
for x0, x1, y in ((3.45, 15.05, 6.9), (6.05, 12.35, 4.6)):
    arrow((x0, y), (x1, y), red, "--", 2.2)
    ax.text((x0 + x1) / 2, y + 0.12, "skip connection", ha="center", color=red, fontsize=12)
ax.text(5.6, 1.6, "down: halve,\nmore channels", ha="center", color=plots.COLORS[1])
ax.text(13.0, 1.6, "up: double,\nfewer channels", ha="center", color=plots.COLORS[3])
plots.show(
    figure,
    alt="A drawing of the U-Net. A noisy digit passes 8 maps of 28 by 28, 16 of 14 by 14 and 32 of 7 by 7 on the way "
    "down, and the same sizes on the way up to a clean digit. Dashed skip connections lead across at the two larger sizes.",
)

# %% [markdown]
# A `block` is a convolution, which halves height and width if its stride is 2, then **batch normalisation**, which
# brings each channel to mean 0 and variance 1 over the batch (in use, with averages remembered from training) and so
# steadies training, then a ReLU.


# %%
def block(channels_in, channels_out, stride=1):
    """A convolution, batch normalisation, and ReLU."""
    convolution = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.ReLU())


class UNet(nn.Module):
    """Down twice, up twice, with a shortcut at each size, (N, 1, H, W) → (N, 1, H, W)."""

    def __init__(self, width=8):
        super().__init__()
        w = width
        self.down_full = block(1, w)
        self.down_half = block(w, 2 * w, stride=2)
        self.down_quarter = nn.Sequential(
            block(2 * w, 4 * w, stride=2), block(4 * w, 4 * w)
        )
        self.up_half = block((4 + 2) * w, 2 * w)
        self.up_full = block((2 + 1) * w, w)
        self.last = nn.Conv2d(w, 1, 3, padding=1)

    def forward(self, x):
        full = self.down_full(x)
        half = self.down_half(full)
        up = self.down_quarter(half)
        for shortcut, layer in (half, self.up_half), (full, self.up_full):
            larger = F.interpolate(up, size=shortcut.shape[-2:])  # repeats pixels
            up = layer(torch.cat([larger, shortcut], dim=1))  # channels side by side
        return self.last(up)


# %% tags=["claim"]
from vae_helpers import unet as course

for _width in (3, 8):
    with torch.random.fork_rng():
        _taught, _course = UNet(_width).eval(), course.UNet(_width).eval()
    _course.load_state_dict(_taught.state_dict())
    _images = torch.linspace(0, 1, 2 * 30 * 27).reshape(2, 1, 30, 27)
    assert torch.equal(_taught(_images), _course(_images)), (
        "the package's U-Net is another one"
    )

# %% [markdown]
# Each network is to clean all three noises, weak and strong. To see what is luck, we train three of each kind with
# the same number of digits.


# %%
def spoil(images):
    """Spoil each image with one of the three noises, in a random amount."""
    kind = torch.randint(3, (len(images), 1, 1, 1), device=images.device)
    amount = torch.rand(len(images), 1, 1, 1, device=images.device)
    spoiled = gaussian(images, 0.1 + 0.7 * amount)  # σ from 0.1 to 0.8
    spoiled = torch.where(kind == 1, salt_and_pepper(images, 0.5 * amount), spoiled)
    return torch.where(kind == 2, masking(images, 0.8 * amount), spoiled)


def denoising_loss(model, images, labels):
    """The squared error per image between the cleaned and the clean image."""
    return squared_error(model(spoil(images)), images)


CODE = 64
EPOCHS = budget(cpu=2, gpu=20)
HOW = dict(epochs=EPOCHS, valid=valid_set, batch_size=32, lr=1e-2)
coded, unets = [], []
for seed in (1, 2, 3):
    seed_everything(seed)
    coded.append(models.ConvAutoencoder(latent_dim=CODE))
    unets.append(nn.Sequential(UNet(), nn.Sigmoid()))  # pixels from 0 to 1
    for model in (coded[-1], unets[-1]):
        fit(model, train_set, denoising_loss, **HOW)
unet = unets[0]

# %% [markdown]
# **Predict.** Which of the two cleans better, and at which noise is its lead larger, weak or strong?


# %%
@torch.no_grad()
def by(model, images):
    """What a network makes of images."""
    return model(images.to(device)).cpu()


# %% tags=["figure"]
# PSNR of filter, code and U-Net against the strength of the noise
LEVELS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.8, 1.2)
total_variation = partial(filtered, "total variation")
curves = {name: [] for name in ("as it is", "total variation", "with a code", "U-Net")}
seed_everything(2)
for sigma in LEVELS:
    noisy = gaussian(test_digits, sigma)
    weight = tuned(total_variation, WEIGHTS, gaussian(valid_digits, sigma), valid_digits)
    pictures = [[noisy], [total_variation(noisy, weight)]]
    pictures += [[by(model, noisy) for model in found] for found in (coded, unets)]
    for curve, several in zip(curves.values(), pictures):
        cleaned = [psnr(x.clamp(0, 1), test_digits).clamp(max=40) for x in several]
        curve.append([quality.mean().item() for quality in cleaned])
figure, ax = plt.subplots(figsize=(9, 4))
ax.axvspan(0.1, 0.8, color="0.92")
ax.text(0.45, 38.5, "levels in the training", ha="center", va="top", color="0.4")
for (name, curve), color, line in zip(curves.items(), (0, 2, 3, 1), (":", "-.", "--", "-")):
    style = {"color": plots.COLORS[color], "linestyle": line, "marker": "o", "linewidth": 2}
    for label, values in zip((name, None, None), zip(*curve)):
        ax.plot(LEVELS, values, label=label, **style)
ax.set(
    title="The weaker the noise, the more the shortcuts are worth (three networks of each kind)",
    xlabel="standard deviation σ of the Gaussian noise (grey levels, 1 = white)",
    ylabel="PSNR (dB, cut at 40)",
    ylim=(2, 41),
)
ax.legend()
plots.show(
    figure,
    alt="PSNR against the noise level. The noisy picture falls steeply from 40 dB. The U-Net falls slowly from about 27 dB, "
    "the network with a code from about 19; they meet at strong noise. Total variation meets the U-Net at weak noise and "
    "lies below it elsewhere.",
)
means = {
    name: [float(np.mean(values)) for values in curve] for name, curve in curves.items()
}
gap = {s: u - c for s, u, c in zip(LEVELS, means["U-Net"], means["with a code"])}
print("lead of the U-Net over the code (dB):", {s: round(g, 1) for s, g in gap.items()})

# %% tags=["claim"]
assert gap[0.1] > gap[0.5] + 2 > gap[0.8] + 2, "shortcuts pay at weak noise"
assert gap[0.8] < 1 and gap[1.2] < 0, "and not at strong noise"
assert all(
    min(u) > max(c) + 1.5 for u, c in zip(curves["U-Net"][:4], curves["with a code"])
)
assert max(*curves["U-Net"][0], *curves["with a code"][0]) < 32, "clean digits are harmed"
lead = [u - t for u, t in zip(means["U-Net"], means["total variation"])]
assert min(lead[2:]) > 0.3 and lead[1] < 0.5, "at σ = 0.1 the filter is as good or better"
assert means["U-Net"][-1] < means["U-Net"][4] - 4, "too much is too much"

# %% [markdown]
# With weak noise the shortcuts win by several decibels, because nearly everything should stay as it is and 64 numbers
# cannot carry it. The stronger the noise, the less there is to hand across, so that at $\sigma = 0.8$ little of the
# lead is left. Beyond the training levels the code is ahead. Without any noise both do harm, because the code
# cannot carry every detail, and the U-Net has learnt to change something nearly always. (More on [noise that nobody
# trained for](deeper/05_noise.ipynb), 25 minutes, optional.) The filter equals or beats the U-Net at weak noise only.
# And the three noises?

# %% tags=["figure"]
# Scores of all methods on the three noises, and what the best of them draw
for noise, images in noisy_digits.items():
    for name, found in {"with a code": coded, "U-Net": unets}.items():
        results[noise][name] = torch.cat([by(model, images) for model in found])
scores = table_of(results, test_digits)
first, second = "Gaussian, σ = 0.5", "masking, 50%"
rows = {}
for name in ("as it is", "total variation", "with a code", "U-Net"):
    rows[name] = torch.cat([results[noise][name][eight[::2]] for noise in (first, second)])
rows["clean"] = test_digits[eight[::2]].repeat(2, 1, 1, 1)
plots.show(
    plots.image_rows(rows, f"Cleaning digits: {first} (left), {second} (right)"),
    alt="Four digits with Gaussian noise and the same four with masking noise, cleaned by total variation, by the network with a "
    "code and by the U-Net, above the originals. Total variation leaves blotches and gaps, the code draws soft digits, the "
    "U-Net clean strokes.",
)

# %% tags=["claim"]
lead_psnr, lead_ssim = {}, {}
for noise in NOISES:
    network_psnr, network_ssim = map(min, scores[noise, "U-Net"])  # the worst of three
    filter_psnr, filter_ssim = (
        max(scores[noise, n][k][0] for n in FILTERS) for k in (0, 1)
    )
    lead_psnr[noise], lead_ssim[noise] = (
        network_psnr - filter_psnr,
        network_ssim - filter_ssim,
    )
    assert max(scores[noise, "with a code"][0]) < network_psnr - 0.5
    assert min(scores[noise, "with a code"][0]) > filter_psnr
assert min(lead_psnr.values()) > 1.5 and min(lead_ssim.values()) > -0.05, "the network wins"

# %% [markdown]
# By PSNR all six networks beat every filter on every noise, and the seed matters little. Filters know that
# neighbouring pixels are similar; the networks know **pen strokes**, and therefore work on nothing else.
#
# ## 4 · A hole instead of noise
#
# Filling in a whole missing block is called **inpainting**, and **masked autoencoders** (He and others, 2021) learn
# to see by it. We set 10 × 10 pixels to grey, so that the network sees where the hole is, and count the hidden pixels
# only.


# %%
HOLE = 10


def random_holes(count):
    """Masks (count, 1, 28, 28), True in a block at a random place where digits have ink."""
    corner = torch.randint(4, 25 - HOLE, (count, 2, 1))
    inside = (torch.arange(28) >= corner) & (torch.arange(28) < corner + HOLE)
    return (inside[:, 0, :, None] & inside[:, 1, None, :])[:, None]


def inpainting_loss(model, images, labels):
    """Squared error per image, summed over the hidden pixels."""
    holes = random_holes(len(images)).to(images.device)
    filled = model(torch.where(holes, 0.5, images))
    return squared_error(filled * holes, images * holes)


seed_everything(1)
inpainter = nn.Sequential(UNet(), nn.Sigmoid())
_ = fit(inpainter, train_set, inpainting_loss, **HOW | dict(epochs=budget(cpu=3, gpu=20)))

# %% [markdown]
# The rivals are the **mean** of all training digits; **biharmonic** inpainting, as smooth as bent metal; and a
# search, the mean of the **ten training digits** that agree best with the visible pixels.
#
# **Predict.** The last rival keeps all training digits in memory. Can a network with far fewer numbers keep up?

# %% tags=["figure"]
# Squared error per hidden pixel, and eight holes filled in four ways
from skimage.restoration import inpaint_biharmonic

holes = random_holes(len(test_digits))
hidden, known = torch.where(holes, 0.5, test_digits), train_set.floats.flatten(1)
# How far each training digit is from each test digit, over the visible pixels (up to a constant).
visible = (~holes).flatten(1).float()
seen = visible * test_digits.flatten(1)
nearest = (visible @ known.square().T - 2 * seen @ known.T).topk(10, largest=False).indices
smooth = [inpaint_biharmonic(x[0], h[0]) for x, h in zip(hidden.numpy(), holes.numpy())]
fillings = {
    "mean digit": known.mean(0).expand(len(holes), -1).reshape(hidden.shape),
    "biharmonic": torch.tensor(np.stack(smooth))[:, None],
    "ten similar digits": known[nearest].mean(1).reshape(hidden.shape),
    "U-Net": by(inpainter, hidden),
}
hole_errors = {
    name: (filled - test_digits)[holes].square().mean().item()
    for name, filled in fillings.items()
}
for name, error in hole_errors.items():
    print(f"{name:20s} squared error per hidden pixel {error:.3f}")
numbers = {"U-Net": sum(p.numel() for p in unet.parameters()), "digits": known.numel()}
print(
    f"numbers kept: {numbers['digits']:,} in the training digits, {numbers['U-Net']:,} in the U-Net"
)
hidden_pixels = {
    "originals": test_digits[holes],
    "U-Net's fillings": fillings["U-Net"][holes],
}
grey = {
    n: ((p > 0.25) & (p < 0.75)).float().mean().item() for n, p in hidden_pixels.items()
}
print(
    "grey among the hidden pixels:", {name: f"{share:.0%}" for name, share in grey.items()}
)
# Of each eighth of the test digits, the one whose hole hides most ink.
ink = (test_digits * holes).flatten(1).sum(1)
shown = torch.stack([part[ink[part].argmax()] for part in torch.arange(len(ink)).chunk(8)])
rows = {"with a hole": hidden}
rows |= {name: torch.where(holes, filled, test_digits) for name, filled in fillings.items()}
rows["original"] = test_digits
plots.show(
    plots.image_rows(
        {name: images[shown].clamp(0, 1) for name, images in rows.items()},
        "Four ways to fill a hole",
    ),
    alt="Eight digits with a grey block over part of each, four rows of fillings and the originals. The mean digit leaves a "
    "blurred patch that does not fit, biharmonic inpainting a smooth smear. The similar digits and the U-Net continue the "
    "strokes, a little blurred.",
)

# %% tags=["claim"]
others = {name: error for name, error in hole_errors.items() if name != "U-Net"}
assert min(others, key=others.get) == "ten similar digits"
assert hole_errors["U-Net"] < 1.05 * min(others.values()), (
    "the network keeps up with the search"
)
assert hole_errors["U-Net"] < 0.75 * min(
    hole_errors["biharmonic"], hole_errors["mean digit"]
)
assert grey["U-Net's fillings"] > 1.3 * grey["originals"], "the fillings should be blurred"
assert numbers["U-Net"] < numbers["digits"] / 10

# %% [markdown]
# It can, and both are far ahead of the other two. Yet its fillings are blurred: grey pixels are much more common in
# them than in the originals. Why?
#
# ## 5 · The mean of what could be
#
# Take a world in which a picture is **one pixel**, white (1) in one case out of five, otherwise black (0). We add
# Gaussian noise with $\sigma = 0.5$ and see $\tilde x = 0.7$. The answer $a$ has the expected squared error
#
# $$ \mathbb E\big[(a - x)^2 \mid \tilde x\big] = \big(a - \mathbb E[x \mid \tilde x]\big)^2 +
# \operatorname{Var}[x \mid \tilde x] $$
#
# where $\mathbb E[x \mid \tilde x]$ is the **conditional mean**, over all clean pictures that could be behind what we
# see, and Var their variance. Only the first part depends on $a$, and it is zero for $a = \mathbb E[x \mid \tilde
# x]$. So this is what any denoiser learns from squared error, as far as its size and training allow.
#
# If the clean pictures stand in a table $x_1, \dots, x_M$, each equally likely, Bayes' rule weights each by how well
# the noise could lead from it to $\tilde x$:
#
# $$ \mathbb E[x \mid \tilde x] = \sum_i w_i \, x_i, \qquad
# w_i = \frac{e^{-\lVert \tilde x - x_i \rVert^2 / 2\sigma^2}}{\sum_k e^{-\lVert \tilde x - x_k \rVert^2 / 2\sigma^2}} $$
#
# ### Your turn 2 · The best guess (7 min)
#
# Write this for N noisy points `seen`, (N, D), and a `table` of M clean ones, (M, D). Return the N best guesses, (N,
# D). `torch.cdist(a, b)` gives all distances between two lists of points; `torch.softmax(e, dim=1)` makes weights of
# the exponents in each row, even of those too small for `exp`.


# %% tags=["exercise"]
def my_best_guess(seen, table, sigma):
    guess = ...  # your code here
    return guess


verdict = checks.best_guess(my_best_guess)
best_guess = verdict.working
verdict


# %% tags=["solution"]
def my_best_guess(seen, table, sigma):
    exponents = -torch.cdist(seen, table).square() / (2 * sigma**2)
    return torch.softmax(exponents, dim=1) @ table


# %% [markdown]
# One step leads to a mean, but we can go on: put back *part* of the noise and guess again, as if the noise were now
# weaker, so that fewer and fewer points remain possible. We try it with points of two numbers, which lie on the lines
# of a face.


# %%
def walk(denoise, x, sigmas):
    """From noise towards the data, with less and less noise; returns the place after each step."""
    path = [x]
    for sigma, weaker in zip(sigmas, [*sigmas[1:], 0.0]):
        guess = denoise(x, sigma)
        x = guess + weaker / sigma * (x - guess)
        path.append(x)
    return path


turn = torch.linspace(0, 2 * torch.pi, 141)[:-1]
circle = torch.stack([turn.cos(), turn.sin()], dim=1)
eyes = [0.1 * circle[::7] + torch.tensor([aside, 0.4]) for aside in (-0.42, 0.42)]
face = torch.cat([1.2 * circle, 0.62 * circle[75:136], *eyes])
places = torch.cartesian_prod(*[torch.linspace(-1.5, 1.5, 14)] * 2)  # a grid
noisy_points = places[torch.cdist(places, face).min(1).values < 0.4]  # near the face
guesses = best_guess(noisy_points, face, 0.2)
seed_everything(3)
levels = np.geomspace(1.2, 0.03, 20).tolist()
walks = walk(lambda x, sigma: best_guess(x, face, sigma), 1.2 * torch.randn(80, 2), levels)

# %% [markdown]
# **Predict.** What is the best answer to the pixel 0.7? Where do arrows lead that go from each noisy point to its
# best guess? (A small trained network draws its own.)

# %% tags=["figure"]
# The best guess for one pixel, arrows from noisy points to best guesses, and walks from noise to a face
seed_everything(1)
pusher = nn.Sequential(
    *(nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))
)
optimizer = torch.optim.Adam(pusher.parameters(), lr=1e-2)
slower = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, total_iters=600)
for _ in range(600):
    points = face[torch.randint(len(face), (512,))]
    loss = (pusher(gaussian(points, 0.2)) - points).square().sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    slower.step()
pushed = pusher(noisy_points).detach()

figure, panels = plt.subplot_mosaic(
    [["one", "one"], ["arrows", "paths"]], figsize=(9.5, 9), height_ratios=(2.4, 5)
)
one, arrows, paths = panels.values()
pixel_world = torch.tensor([[0.0], [0.0], [0.0], [0.0], [1.0]])
pixels = torch.linspace(-1, 2, 301)[:, None]
one.plot(pixels, best_guess(pixels, pixel_world, 0.5), color=plots.COLORS[1], linewidth=2.5)
one.plot(pixels, (pixels > 0.5).float(), ":", color="0.4", label="the nearer colour")
at_seven = best_guess(torch.tensor([[0.7]]), pixel_world, 0.5).item()
red = plots.COLORS[4]
one.plot(0.7, at_seven, "o", color=red)
one.text(0.75, at_seven - 0.04, f"0.7 → {at_seven:.2f}", color=red)
one.set(
    title="One pixel", xlabel="what is seen, x̃", ylabel="best guess E[x | x̃]\n(1 = white)"
)
style = {"angles": "xy", "scale_units": "xy", "scale": 1}
track = torch.stack(walks)
for ax, points in ((arrows, noisy_points), (paths, track.flatten(0, 1))):
    ax.plot(*face.T, ".", color="0.7", markersize=5 if ax is arrows else 4, zorder=2)
    low, high = points.amin(0) - 0.1, points.amax(0) + 0.1
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.spines[:].set_visible(False)
ways = torch.stack([noisy_points, pushed])
look = {"color": plots.COLORS[2], "linewidth": 5, "alpha": 0.6, "zorder": 1}
arrows.plot(ways[:, 1:, 0], ways[:, 1:, 1], **look)
arrows.plot(ways[:, :1, 0], ways[:, :1, 1], label="pushed by the network", **look)
look = {"color": plots.COLORS[1], "width": 0.006, "label": "by the formula", **style}
arrows.quiver(*noisy_points.T, *(guesses - noisy_points).T, zorder=3, **look)
arrows.plot(*noisy_points.T, "o", color="black", markersize=2.5)
arrows.set_title("One push for each point (σ = 0.2)")
paths.plot(track[..., 0], track[..., 1], color=plots.COLORS[1], linewidth=0.9, alpha=0.7)
paths.plot(*track[0].T, "o", color="black", markersize=3, label="start: noise")
paths.plot(*track[-1].T, "o", color=red, markersize=4, label="end", zorder=3)
paths.set_title("Push after push")
one.legend(loc="upper left")
for ax in (arrows, paths):
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=2)
plots.show(
    figure,
    alt="Three drawings. Top: the best guess for a noisy pixel is an S-shaped curve, 0.36 at 0.7. Below left: arrows lead from "
    "noisy points to the lines of a smiling face; thick lines of a network and thin arrows of the formula nearly coincide. "
    "Below right: paths lead from far scattered points onto the face.",
)
apart = (pushed - guesses).norm(dim=1).mean().item()
push = (guesses - noisy_points).norm(dim=1).mean().item()
last = torch.cdist(track[-1], face).min(1).values.max().item()
print(
    f"mean length of a push {push:.2f}; mean distance between network and formula {apart:.2f}"
)
print(f"largest distance of a walk's end from the face: {last:.3f}")

# %% tags=["claim"]
assert abs(at_seven - 0.36) < 0.01
assert apart < 0.4 * push, "the network should learn the conditional mean"
assert last < 0.05, "the walks should end at the data"

# %% [markdown]
# The best answer to 0.7 is 0.36, a dark grey, although no pixel in this world is grey. Where several originals are
# possible, a denoiser answers with their mean, so fillings are blurred and cleaned pictures smooth. The blue curve
# reaches one half only to the right of $\tilde x = 0.5$, because white is rare: **what is common is believed more
# easily than what is rare**.
#
# The arrows $\mathbb E[x \mid \tilde x] - \tilde x$ point to where data are dense, and the network, which never saw
# your formula, has learnt much the same ones. Step by step they lead from pure noise to a smile. Each arrow is
# $\sigma^2$ times the gradient of the log-density of the noisy data, called the **score**, and such walks are the
# idea behind **diffusion models**. Let us try it with digits, once with your formula and a table of training digits,
# once with our U-Net.
#
# **Predict.** Both start from the mean digit under the same strong noise. Where will they end?

# %%
table = train_set.floats[:3_500].flatten(1)
sigmas = np.geomspace(0.8, 0.05, 16).tolist()


def by_unet(x, sigma):
    """The U-Net as a denoiser for walks; nobody tells it sigma."""
    return by(unet, x.reshape(-1, 1, 28, 28)).flatten(1)


seed_everything(4)
start = table.mean(0) + sigmas[0] * torch.randn(8, 784)
with_table = walk(lambda x, sigma: best_guess(x, table, sigma), start, sigmas)
with_unet = walk(by_unet, start, sigmas)

# %% tags=["figure"]
# From the same noise: the walk with a table of training digits, and the walk with the U-Net
rows = {"start": start}
for name, path in {"table": with_table, "U-Net": with_unet}.items():
    rows |= {f"{name}, half-way": path[len(path) // 2], f"{name}, end": path[-1]}
plots.show(
    plots.image_rows(
        {name: x.reshape(-1, 1, 28, 28).clamp(0, 1) for name, x in rows.items()},
        "From noise, step by step",
    ),
    alt="Eight pictures that show nothing but noise, and what becomes of them step by step. With the table each ends as a perfect handwritten digit. "
    "With the U-Net each ends as clean pen strokes that look like the letters of an unknown alphabet.",
)
ends = {"ends with the table": with_table[-1], "ends with the U-Net": with_unet[-1]}
for name, x in {**ends, "held-out digits": test_digits.flatten(1)}.items():
    distance = torch.cdist(x, table).min(1).values.mean()
    print(f"{name:20s} mean distance to the nearest training digit {distance:.1f}")
# A test of memory: clean noisy training digits, and noisy digits that are in no table.
recall = {}
for digits, x in {"of the table": table[::23], "held out": test_digits.flatten(1)}.items():
    noisy = gaussian(x, 0.5)
    for name, cleaned in {
        "table": best_guess(noisy, table, 0.5),
        "U-Net": by_unet(noisy, 0.5),
    }.items():
        quality = -10 * (cleaned - x).square().mean(1).clamp(min=1e-6).log10()
        recall[name, digits] = quality.mean().item()
        print(
            f"{name} cleans digits {digits:12s} (σ = 0.5): {recall[name, digits]:.1f} dB, cut at 60"
        )

# %% tags=["claim"]
assert torch.cdist(with_table[-1], table).min(1).values.max() < 0.1, (
    "copies of training digits"
)
assert torch.cdist(with_unet[-1], table).min(1).values.min() > 2, "no copies"
assert recall["table", "of the table"] > recall["table", "held out"] + 15
assert recall["U-Net", "held out"] > recall["table", "held out"] + 2
assert abs(recall["U-Net", "of the table"] - recall["U-Net", "held out"]) < 1
assert with_unet[-1].clamp(0, 1).sum(1).mean() > 20, "strokes out of nothing"

# %% [markdown]
# The table leads to perfect digits, and every one is a **copy of a training digit**. This ideal denoiser of the
# training set knows it by heart, and cleans held-out digits far worse than the U-Net. The U-Net cannot store so many
# pictures and knows about strokes instead: it writes in an alphabet that nobody uses. Diffusion models walk like this
# with larger networks, which are told $\sigma$; lesson 14 returns to them.
#
# ## 6 · X-rays: learn the noise
#
# X-rays do harm, so doctors use as few as they can. They arrive as single **photons**, which a detector counts. If
# $n$ are sent to a pixel of value $x$ (bright: much is absorbed), we expect $\lambda = n e^{-3x}$ behind it, where
# the 3 sets the contrast. The count $c$ is random and follows the **Poisson distribution** with standard deviation
# $\sqrt \lambda$: 100 photons give or take 10, 4 photons give or take 2. Solving for $x$ gives the noisy picture
# $\tilde x = -\tfrac13 \ln(c / n)$. (The line below says whether yours are real or **phantoms**, drawn by
# the course.)


# %%
def count_photons(images, photons):
    """How many photons arrive behind each pixel if this many are sent: a random draw."""
    return torch.poisson(photons * torch.exp(-3 * images))


def develop(counts, photons):
    """The picture that belongs to these counts."""
    return -torch.log(counts.clamp(min=1) / photons) / 3  # 0 has no logarithm


xray_train = load_xrays("train").subset(slice(0, budget(cpu=1_500, gpu=5_000)))
xray_valid, xray_test = load_xrays("valid"), load_xrays("test")

# %% [markdown]
# So far the network drew the clean picture. Here much of it is visible already, so we learn what to **take away**:
# $\hat x = \tilde x - f(\tilde x)$. This is **residual learning** ([Zhang and others,
# 2017](https://arxiv.org/abs/1608.03981)), the longest shortcut of all. The last layer starts at zero, so that
# training begins with "change nothing".
#
# ### Your turn 3 · The residual loss (5 min)
#
# `model(noisy)` estimates the **noise**; `noisy` and `images` (the clean ones) are (N, 1, H, W). Return the squared
# error of the *cleaned* picture, summed over pixels, (N,).


# %% tags=["exercise"]
def my_residual_loss(model, noisy, images):
    loss = ...  # your code here
    return loss


verdict = checks.residual_loss(my_residual_loss)
residual_loss = verdict.working
verdict


# %% tags=["solution"]
def my_residual_loss(model, noisy, images):
    cleaned = noisy - model(noisy)
    return (cleaned - images).square().flatten(1).sum(1)


# %%
def xray_loss(model, images, labels):
    photons = 10 * 40 ** torch.rand(len(images), 1, 1, 1, device=images.device)  # 10 to 400
    return residual_loss(model, develop(count_photons(images, photons), photons), images)


XRAY_EPOCHS = budget(cpu=4, gpu=30)
xray_denoisers = []
for seed in (0, 1, 2):
    seed_everything(seed)
    model = UNet(width=12)
    nn.init.zeros_(model.last.weight)
    nn.init.zeros_(model.last.bias)
    fit(model, xray_train, xray_loss, epochs=XRAY_EPOCHS, batch_size=32, lr=1e-2)
    xray_denoisers.append(model)

# %% [markdown]
# The rival is total variation. It expects noise of the same strength everywhere, so it works on $2\sqrt{c + 3/8}$,
# where the noise is (Anscombe, 1948; [why this root, and what the residual is worth](deeper/05_noise.ipynb)).
#
# **Predict.** The filter has a setting for each number of photons (each **dose**), the networks are the same for all.
# Who is ahead?

# %% tags=["figure", "hero"]
# Spoiled and cleaned: digits with noise, digits with holes, X-rays with 20 photons per pixel
DOSES, ROOT_WEIGHTS = (20, 50, 200), (0.01, 0.018, 0.027, 0.04, 0.06, 0.09, 0.13, 0.2)


def by_total_variation(photons, counts, weight):
    """Total variation on Anscombe's roots of the counts, and the picture developed."""
    roots = 2 * (counts + 3 / 8).sqrt()
    smooth = roots.max() * total_variation(roots / roots.max(), weight)
    return develop((smooth / 2).square() - 1 / 8, photons)


def cleaned_xrays(images, photons):
    """Take X-rays with so many photons per pixel, and clean them: method → pictures."""
    counts = count_photons(images, photons)
    noisy = develop(counts, photons)
    pictures = {"as it is": noisy}
    pictures["total variation"] = by_total_variation(photons, counts, best_weight[photons])
    for number, model in enumerate(xray_denoisers, 1):
        pictures[f"U-Net {number}"] = noisy - by(model, noisy)
    return {name: images.clamp(0, 1) for name, images in pictures.items()}


chests, valid_chests = some(xray_test, 200), some(xray_valid, 20)
seed_everything(1)
best_weight = {}
for n in DOSES:
    clean, counts = partial(by_total_variation, n), count_photons(valid_chests, n)
    best_weight[n] = tuned(clean, ROOT_WEIGHTS, counts, valid_chests)
without_spot = {n: cleaned_xrays(chests, n) for n in DOSES}
scores = table_of(
    {f"{n} photons": pictures for n, pictures in without_spot.items()}, chests
)

xrays = without_spot[20]
# Holes that hide much ink, neither the best nor the worst filled of them.
errors = ((fillings["U-Net"] - test_digits) * holes).square().flatten(1).sum(1)
middling = errors.masked_fill(ink < ink.median(), 0).argsort()[len(ink) * 5 // 8 :: 9][:2]
filled = torch.where(holes, fillings["U-Net"], test_digits)
columns = [
    (noisy_digits[first][i], results[first]["U-Net"][i], test_digits[i])
    for i in eight[[3, 5]]
]
columns += [(hidden[i], filled[i], test_digits[i]) for i in middling]
columns += [(xrays["as it is"][i], xrays["U-Net 1"][i], chests[i]) for i in (3, 60)]
figure, axes = plt.subplots(3, 6, figsize=(9.5, 4.9))
for ax, image in zip(axes.T.flat, (image for column in columns for image in column)):
    plots.draw_image(ax, image.clamp(0, 1))
for ax, text in zip(axes[:, 0], ("what it is given", "what it returns", "the truth")):
    ax.set_ylabel(text, fontsize=12)
for place, text in zip(
    (0, 2, 4), ("digits in noise", "digits with a hole", "X-rays, 20 photons")
):
    axes[0, place].set_title(text, fontsize=13, loc="left")
plots.show(
    figure,
    alt="Six pictures in three rows: what a denoising network is given, what it returns, and the truth. Two noisy digits come "
    "back as clean strokes, two digits with a grey hole come back whole, and two chest X-rays full of grain come back smooth.",
)

# %% tags=["claim"]
for photons in DOSES:
    dose = f"{photons} photons"
    for number in (1, 2, 3):
        ours, theirs = scores[dose, f"U-Net {number}"], scores[dose, "total variation"]
        assert ours[0][0] > theirs[0][0] + 0.4 and ours[1] > theirs[1], (dose, number)
    assert min(ROOT_WEIGHTS) < best_weight[photons] < max(ROOT_WEIGHTS), dose
    [spread] = zip(*(scores[dose, f"U-Net {number}"][0] for number in (1, 2, 3)))
    assert max(spread) - min(spread) < 0.5 * (
        min(spread) - scores[dose, "total variation"][0][0]
    )

# %% [markdown]
# All three networks are ahead at every dose, by both measures, and differ much less from each other than from the
# filter. What they make of 20 photons looks like a good X-ray. May a doctor trust it?
#
# ## 7 · What it erases, and what it invents
#
# Doctors look for the one small thing that is not in every chest. So we **plant** one: a spot in the lungs, about
# three pixels wide and 0.25 brighter than its surroundings, which the networks never saw in training. After cleaning,
# a simple detector looks at that place: a kernel (lesson 04), positive in the middle and negative around, which
# answers to a spot and not to a flat area.


# %%
BRIGHTNESS = 0.25
axis = torch.arange(-3.0, 4)
BLOB = torch.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 1.2**2))  # 7 × 7, 1 in the middle
DETECTOR = (BLOB - BLOB.mean()) / ((BLOB - BLOB.mean()) * BLOB).sum()


def plant(images, places):
    """Add a spot to each image; the places (N,) count the pixels row by row."""
    points = F.one_hot(places, 28 * 28).float().reshape(-1, 1, 28, 28)
    return (images + BRIGHTNESS * F.conv2d(points, BLOB[None, None], padding=3)).clamp(0, 1)


def answers(images):
    """What the detector answers at each place, (N, 1, 28, 28) → (N, 784)."""
    return F.conv2d(images, DETECTOR[None, None], padding=3).flatten(1)


# %% [markdown]
# From which answer on should the detector say "a spot"? A low threshold finds most spots and raises many false
# alarms, a high one the opposite. The **ROC curve** shows all thresholds: the share of spots found against the share
# of false alarms in pictures without a spot. Its area, the **AUC**, is the probability that a picture with a spot
# gets a stronger answer than one without: 1 is perfect, 0.5 is guessing.
#
# **Predict.** At 20 photons the network raises the PSNR by more than 10 dB. Does the detector find more spots in its
# pictures than in the noisy ones?

# %%
# Lungs hold air, which absorbs little: the 60 darkest places, away from the border.
smoothed = F.avg_pool2d(chests, 5, stride=1, padding=2)
middle = F.pad(smoothed[:, :, 6:-8, 4:-4], (4, 4, 6, 8), value=1.0)
in_lungs = middle.flatten(1).argsort(1)[:, :60]
everyone = torch.arange(len(chests))
places = in_lungs[everyone, torch.randint(60, (len(chests),))]
planted = plant(chests, places)
with_spot = {n: cleaned_xrays(planted, n) for n in DOSES}

# %% tags=["figure"]
# ROC curves at 20 photons, and the AUC of each method at each dose
from sklearn.metrics import roc_auc_score, roc_curve

spot_answers = {("truth", 0): (answers(planted), answers(chests))}
for n in DOSES:
    for name, pictures in with_spot[n].items():
        spot_answers[name, n] = answers(pictures), answers(without_spot[n][name])
# At the place of the spot: the answers with it, then the answers without it.
spot_answers = {
    key: [a[everyone, places] for a in pair] for key, pair in spot_answers.items()
}
is_there = torch.cat([torch.ones(len(chests)), torch.zeros(len(chests))])
auc = {key: roc_auc_score(is_there, torch.cat(pair)) for key, pair in spot_answers.items()}

figure, (roc, dose) = plt.subplots(1, 2, figsize=(9.5, 4.3))
looks = {
    "truth": ("0.6", ":", "the true picture"),
    "as it is": (plots.COLORS[0], "-", "noisy, as it is"),
    "total variation": (plots.COLORS[2], "-.", "total variation"),
    "U-Net 1": (plots.COLORS[1], "--", "U-Net (three of them)"),
    "U-Net 2": (plots.COLORS[1], "--", None),
    "U-Net 3": (plots.COLORS[1], "--", None),
}
for name, (color, line, label) in looks.items():
    keys = [(name, 0 if name == "truth" else n) for n in DOSES]
    alarms, found, _ = roc_curve(is_there, torch.cat(spot_answers[keys[0]]))
    roc.plot(alarms, found, line, color=color, label=label, linewidth=2)
    dose.plot(DOSES, [auc[key] for key in keys], line, color=color, marker="o", linewidth=2)
roc.set(
    title="20 photons: every threshold",
    xlabel="false alarms (share)",
    ylabel="spots found (share)",
)
roc.legend(loc="lower right")
dose.set(
    title="The area under the curve",
    xlabel="photons per pixel",
    ylabel="AUC (1 = perfect)",
    xscale="log",
)
dose.set_xticks(DOSES, map(str, DOSES))
dose.minorticks_off()
plots.show(
    figure,
    alt="Left: ROC curves at 20 photons; that of the noisy picture lies above those of the three U-Nets. Right: the AUC rises "
    "with the dose, and at each dose the noisy picture lies above the U-Nets.",
)
removed = psnr(chests, planted).mean().item()
# Would other pictures say the same? Draw as many of these again and again, with replacement (a bootstrap).
drawn = np.random.default_rng(0).multinomial(
    len(chests), np.full(len(chests), 1 / len(chests)), 500
)
again, lead_of_noisy = torch.tensor(drawn).float(), {}
for n in DOSES:
    stronger = {
        name: (spot_answers[name, n][0][:, None] > spot_answers[name, n][1]).float()
        for name in with_spot[n]
    }
    networks_mean = sum(stronger[f"U-Net {number}"] for number in (1, 2, 3)) / 3
    ahead = stronger["as it is"] - networks_mean
    leads = ((again @ ahead) * again).sum(1) / len(chests) ** 2
    lead_of_noisy[n] = ahead.mean().item(), leads.std().item()
spot_left, at_truth = {}, spot_answers["truth", 0][1]
print(f"{'photons, method':24s} PSNR (dB)    AUC   less than half of the spot left")
for n in DOSES:
    for name, pictures in with_spot[n].items():
        left = spot_answers[name, n][0] - at_truth
        spot_left[name, n] = (left < BRIGHTNESS / 2).float().mean().item()
        quality = psnr(pictures, planted).mean()
        print(
            f"{n:3d}, {name:19s} {quality:9.1f} {auc[name, n]:6.3f} {spot_left[name, n]:12.0%}"
        )
print(f"the true picture without its spot: {removed:.1f} dB")
print(f"AUC, as it is minus mean of the U-Nets, with {len(chests)} pictures:", end=" ")
print(", ".join(f"{d:.3f} ± {e:.3f} at {n} photons" for n, (d, e) in lead_of_noisy.items()))

# %% tags=["claim"]
networks = ("U-Net 1", "U-Net 2", "U-Net 3")
for n in DOSES:
    mean_auc = np.mean([auc[name, n] for name in networks])
    assert auc["as it is", n] > mean_auc + (0.01 if n < 200 else 0), "cleaning loses spots"
    assert lead_of_noisy[n][0] > 1.5 * lead_of_noisy[n][1], "more than chance explains"
    assert auc["total variation", n] < auc["as it is", n] + 0.015, (
        "nor does a filter help much"
    )
    assert all(psnr(x, planted).mean() < removed for x in with_spot[n].values())
assert spot_left["total variation", 50] > max(spot_left[name, 50] for name in networks)
assert auc["truth", 0] < 0.995, "even the true picture is not perfect"
for name in networks:
    assert spot_left[name, 20] > spot_left["as it is", 20] + 0.2, "cleaning erases spots"
    assert spot_left[name, 20] > 0.4 and spot_left[name, 200] < 0.2
    assert auc[name, 200] > auc[name, 20] + 0.03, "photons help more than any denoiser"
    gain = (
        psnr(with_spot[20][name], planted).mean()
        - psnr(with_spot[20]["as it is"], planted).mean()
    )
    assert gain > 10

# %% [markdown]
# It does not. At every dose the area under the noisy pictures' curve is *larger* than under the networks', by at
# least twice the standard error (last line), although the cleaned pictures look better. (Even the true ones miss 1,
# because their own edges answer, too.) Cleaning cannot add information that is not in the counts. At best it makes a
# simple detector's work easier, and here it hardly does: total variation does about as well as the noisy pictures or worse, and at 50 photons it erases more
# spots than the networks. The networks lose some, because the conditional mean believes what is common, and a spot is
# rare: at 20 photons, about half of the spots keep less than half their brightness. PSNR does not notice: take the
# spot away from the *true* picture, a fatal error, and its PSNR is still higher than any in the table. The clearest
# cases:

# %% tags=["figure"]
# Two spots that were erased and two that were invented, enlarged
cleaned, noisy = with_spot[20]["U-Net 1"], with_spot[20]["as it is"]
cleaned_without, noisy_without = without_spot[20]["U-Net 1"], without_spot[20]["as it is"]
left = spot_answers["U-Net 1", 20][0] - at_truth
cases = [
    ("erased", planted[i], noisy[i], cleaned[i], places[i]) for i in left.argsort()[:2]
]
# Invented: a strong answer after cleaning, at a place in the lungs where the truth is even.
mean, mean_square = (
    F.avg_pool2d(x, 7, stride=1, padding=3) for x in (chests, chests.square())
)
uneven = (mean_square - mean.square()).flatten(1).gather(1, in_lungs)
flat = (answers(chests).gather(1, in_lungs).abs() < 0.05) & (uneven <= uneven.median())
invented = {}
for name, pictures in {"noisy": noisy_without, "cleaned": cleaned_without}.items():
    extra = answers(pictures).gather(1, in_lungs).masked_fill(~flat, 0)
    invented[name] = (extra.amax(1) > BRIGHTNESS / 4).float().mean().item()
# Of these, the two places that became brighter by most, compared with their surroundings.
brighter = answers(cleaned_without - chests).gather(1, in_lungs)
brighter = brighter.masked_fill(extra < BRIGHTNESS / 4, 0)
for i in brighter.amax(1).argsort(descending=True)[:2]:
    place = in_lungs[i, brighter[i].argmax()]
    cases.append(("invented", chests[i], noisy_without[i], cleaned_without[i], place))
figure, axes = plt.subplots(4, 4, figsize=(8.4, 9))
for row, (verb, *images, place) in zip(axes, cases):
    y, x = divmod(int(place), 28)
    top, side = min(max(y - 7, 0), 13), min(max(x - 7, 0), 13)
    images = [image[0, top : top + 15, side : side + 15] for image in images]
    # Black and white are chosen for what is in the ring, so that faint spots can be seen.
    rows, columns = (slice(max(at - 3, 0), at + 4) for at in (y - top, x - side))
    near = torch.stack([image[rows, columns] for image in (images[0], images[2])])
    dark, bright = near.min() - 0.02, near.max() + 0.02
    for ax, image in zip(row, images):
        ax.imshow(image, cmap="gray", vmin=dark, vmax=bright)
    # Few colours, so that the picture stays a small file.
    reds = plt.get_cmap("RdBu_r", 15)
    shade = row[3].imshow(images[2] - images[0], cmap=reds, vmin=-0.15, vmax=0.15)
    for ax in row:
        style = {"fill": False, "color": plots.COLORS[2], "linewidth": 3}
        ax.add_patch(plt.Circle((x - side, y - top), 3.2, **style))
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    row[0].set_ylabel(f"spot {verb}", fontsize=13)
for ax, text in zip(axes[0], ("the truth", "20 photons", "cleaned", "cleaned − truth")):
    ax.set_title(text, fontsize=13)
text = "cleaned − truth (grey levels); blue: too dark, red: too bright"
figure.colorbar(
    shade, ax=axes, location="bottom", shrink=0.6, aspect=40, label=text, extend="both"
)
plots.show(
    figure,
    alt="Four enlarged pieces of X-rays, each as truth, with 20 photons, cleaned, and the difference of cleaned and true. In the "
    "upper two, the ring holds a bright spot in the truth and none after cleaning: the difference is blue. In the lower two, the "
    "ring is nearly even in the truth and holds a faint bright spot after cleaning: the difference is red.",
)


def grain(images):
    """How much pixels differ from their 3 × 3 neighbourhood: root mean square."""
    difference = images - F.avg_pool2d(images, 3, stride=1, padding=1)
    return difference[:, :, 2:-2, 2:-2].square().mean().sqrt().item()


for name, pictures in {"noisy": noisy_without, "cleaned": cleaned_without}.items():
    print(
        f"{name:8s} grain {grain(pictures) / grain(chests):.1f} × the truth's; pictures with a spot that is not there, "
        f"of a quarter of the brightness or more: {invented[name]:.0%}"
    )

# %% tags=["claim"]
assert grain(cleaned_without) < 1.5 * grain(chests) < 0.5 * grain(noisy_without)
assert 0 < invented["cleaned"] < invented["noisy"] - 0.3, "few, but some"
assert spot_left["U-Net 1", 20] > 2 * invented["cleaned"], "it erases more than it invents"

# %% [markdown]
# In the upper two rows, spots are gone. In the lower two, photons happened to make a bright patch, which the network
# turned into a faint spot. It erases more than it invents. The noisy pictures are full of
# false spots, but with all that grain nobody would believe them. Cleaning removes most false spots, but also more than
# half the brightness of about half the true ones and, with the grain, every sign of doubt. **The warning has gone, and
# the missing spots stay missing.** If you see a sharp answer to a very noisy question, be suspicious.
#
# So test a denoiser on its task, with planted details, at the dose at which it will be used, and keep the raw picture
# beside the clean one. If a model could draw *several* plausible originals, their disagreement would show its doubt:
# lesson 08 builds one that can.
#
# ## Workshop · A smaller denoiser (25 min)
#
# The cell below trains the U-Net without its shortcuts. At which noise level will they be missed most? Then design,
# and bring a denoiser of your own to **25 dB at σ = 0.1** and **19 dB at σ = 0.5** with **at most 15,000 weights**,
# less than two thirds of the U-Net's. Which of its weights can go? Must a shortcut put channels *beside* the others, or
# can it add? You may change anything but the digits; the check cleans 300 held-out ones.

# %% tags=["workshop"]
w = 8
mine = nn.Sequential(
    block(1, w),
    block(w, 2 * w, stride=2),
    block(2 * w, 4 * w, stride=2),
    block(4 * w, 4 * w),
    nn.Upsample(scale_factor=2),  # repeats pixels
    block(4 * w, 2 * w),
    nn.Upsample(scale_factor=2),
    block(2 * w, w),
    nn.Conv2d(w, 1, 3, padding=1),
    nn.Sigmoid(),
)
fit(mine, train_set, denoising_loss, **HOW)
for sigma in (0.1, 0.5, 0.8):
    noisy = gaussian(test_digits, sigma)
    print(sigma, [psnr(by(model, noisy), test_digits).mean() for model in (unet, mine)])

verdict = checks.lesson_05.workshop(mine)
verdict

# %% tags=["solution"]
# The U-Net again, with 6 channels in place of 8: weights grow roughly with the square of the width, so a little more
# than half of them are left. More training makes up for part of what is lost.
mine = nn.Sequential(UNet(width=6), nn.Sigmoid())
fit(mine, train_set, denoising_loss, epochs=budget(cpu=5, gpu=20), batch_size=32, lr=6e-3)


# %% tags=["alternative"]
# Shortcuts that add instead of putting channels beside each other: no layer has to be wider for them.
class Adding(nn.Module):
    def __init__(self, w=10):
        super().__init__()
        self.whole, self.smaller = block(1, w), block(w, w, stride=2)
        self.quarter = nn.Sequential(
            block(w, 2 * w, stride=2), block(2 * w, 2 * w), block(2 * w, w)
        )
        self.up_half, self.up_full = block(w, w), block(w, w)
        self.last = nn.Conv2d(w, 1, 3, padding=1)
        self.larger = nn.Upsample(scale_factor=2)

    def forward(self, x):
        full = self.whole(x)
        half = self.smaller(full)
        up = self.up_half(self.larger(self.quarter(half)) + half)
        return torch.sigmoid(self.last(self.up_full(self.larger(up) + full)))


mine = Adding()
fit(mine, train_set, denoising_loss, epochs=budget(cpu=5, gpu=20), batch_size=32, lr=6e-3)

# %% [markdown]
# **Going on.** Remove the Sigmoid from the network without shortcuts, and train it with your residual loss, wrapped as
# in `xray_loss`. What has to pass the bottom now, and at which noise is that hardest?
#
# ## Summary
#
# - In a **denoising autoencoder** a **code** is for knowing, **shortcuts** are for keeping: the weaker the noise, the
#   more the U-Net is ahead.
# - It learns the **conditional mean**, which pushes noisy points to the data.
# - A denoiser **erases** what is rare and sometimes **invents**, and PSNR sees neither. Plant details, and compare the
#   **AUC** before and after.
#
# ## Read and watch
#
# - P. Vincent and others, [Extracting and composing robust features with denoising
#   autoencoders](https://www.cs.toronto.edu/~larocheh/publications/icml-2008-denoising-autoencoders.pdf) (2008): the
#   name, and the pushes back to the data.
# - G. Alain, Y. Bengio, [What regularized auto-encoders learn from the data-generating
#   distribution](https://arxiv.org/abs/1211.4246) (2014): why the push points to where data are dense.
# - MIT 6.S191, [Introduction to Deep Learning](https://introtodeeplearning.com): lectures on video; one goes from
#   autoencoders to diffusion.
#
# **Next:** [lesson 06 · Other autoencoders](06_other_autoencoders.ipynb): there are other ways to make copying hard.
