# %% [markdown]
# # Deeper · Curing blur
#
# The reconstructions of a VAE are soft. More training helps a little, and a larger code helps a little more, but the
# deeper reason lies in the loss. This page puts a small repair network behind the decoder, trains it in three ways,
# and lets a classifier that took part in none of them judge the results. On the way it explains what a **generative
# adversarial network** (GAN) is. You need sections 1 and 6 of [lesson 10](../10_a_vae_for_faces.ipynb).

# %%
import torch
from torch import nn
from torch.nn import functional as F

from vae_helpers import evaluate, plots
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import load_faces
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.evaluate import decode_all, encode_all

plots.use_course_style()
device = pick_device()
train_set = load_faces("train").subset(slice(0, 600))
test_set = load_faces("test").subset(slice(0, 400))
photographs = train_set.source == "CelebA"
vae = (
    load_pretrained("faces" if photographs else "portraits")
    .to(device)
    .requires_grad_(False)
)
sharp, test_sharp = train_set.floats.to(device), test_set.floats.to(device)
soft, test_soft = (decode_all(vae, encode_all(vae, x)) for x in (sharp, test_sharp))

# %% [markdown]
# ## 1 · Why squared errors blur
#
# Suppose the code does not say exactly where an eyebrow ends, so that it could end here or one pixel further left.
# Which picture has the smallest expected squared error? Not one of the two, but their average, a grey edge between
# them: for each pixel, the mean minimises the squared error. Wherever a code leaves a choice, a squared error asks for
# the average of all choices, and the average of sharp pictures is soft.
#
# So a network that is trained with squared errors should not be able to repair this, however it is built. We try.
# The repair network gets the VAE's soft reconstruction and adds a correction to it, which is zero at the start.
#
# **Predict.** After training, will the pictures be sharper, and will the squared error fall?


# %%
class Repair(nn.Module):
    """Soft picture → picture, of the same size."""

    def __init__(self, channels=16):
        super().__init__()
        self.correction = nn.Sequential(
            nn.Conv2d(3, channels, 5, padding=2),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, 3, 5, padding=2),
        )
        nn.init.zeros_(self.correction[-1].weight)
        nn.init.zeros_(self.correction[-1].bias)

    def forward(self, pictures):
        return pictures + self.correction(2 * pictures - 1)


# %%
STEPS = budget(cpu=140, gpu=1_000)


def train_repair(extra, lr=2e-3):
    """Train with the squared error per picture plus `extra(made, real)`."""
    seed_everything(0)
    model = Repair().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, betas=(0.5, 0.9))
    for _ in range(STEPS):
        chosen = torch.randint(len(sharp), (16,))
        real, made = sharp[chosen], model(soft[chosen])
        loss = (made - real).square().flatten(1).sum(1).mean() + extra(made, real)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


repaired = {"squared error": train_repair(lambda made, real: 0.0)}

# %% [markdown]
# ## 2 · Compare what a network sees
#
# We would not call two faces different because a hair lies one pixel further left. A pixel-wise loss does. The
# **features** of a convolutional network, the maps inside it, answer to edges, textures and shapes, and less to their
# exact places. So we compare pictures by features, too: this is a **perceptual loss** (Johnson, Alahi and Fei-Fei,
# [2016](https://arxiv.org/abs/1603.08155)). Usually the network is a large classifier of photographs. We take one
# that is at hand: the first three layers of the VAE's own encoder.


# %%
def feature_maps(pictures):
    """The maps behind the encoder's first three activations."""
    maps = []
    for layer in vae.encoder[:9]:
        pictures = layer(pictures)
        if isinstance(layer, nn.SiLU):
            maps.append(pictures)
    return maps


def feature_distance(made, real):
    """Squared difference of each layer's maps, relative to their size, summed over layers."""
    return sum(
        (a - b).square().mean() / b.square().mean()
        for a, b in zip(feature_maps(made), feature_maps(real))
    )


repaired["features"] = train_repair(lambda made, real: 100 * feature_distance(made, real))

# %% [markdown]
# ## 3 · An opponent
#
# The third way needs no idea of what matters in a picture, because a second network finds that out. This
# **discriminator** looks at pictures and learns to tell real ones from repaired ones; it is a classifier with the
# usual loss, −log of the probability that it gives to the right answer. The repair network, in the role of the
# **generator**, is rewarded where the discriminator takes its pictures for real. So each learns from the other's
# mistakes: a forger and an inspector. Two networks that train against each other like this are a **generative
# adversarial network** (Goodfellow et al., [2014](https://arxiv.org/abs/1406.2661)). A blurred edge gives a forgery
# away, so the generator has to draw a sharp one, at *some* place, even if that place is a guess.
#
# In the code, `F.softplus(-s)` is $-\log \varphi(s)$ for a score $s$ with the logistic function φ, and
# `F.softplus(s)` is $-\log(1 - \varphi(s))$. `made.detach()` keeps the discriminator's step from changing the
# generator. Our discriminator gives a score to each small patch, since blur is a matter of small patches.


# %%
class Opponent:
    """A discriminator that learns at each call, and returns the generator's loss."""

    def __init__(self, weight, lr=2e-3):
        self.weight = weight
        self.network = nn.Sequential(
            nn.Conv2d(3, 24, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(24, 48, 4, stride=2, padding=1),
            nn.BatchNorm2d(48),
            nn.LeakyReLU(0.2),
            nn.Conv2d(48, 1, 3, padding=1),
        ).to(device)
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), lr=lr, betas=(0.5, 0.9)
        )

    def __call__(self, made, real):
        on_real, on_made = self.network(2 * real - 1), self.network(2 * made.detach() - 1)
        self.loss = F.softplus(-on_real).mean() + F.softplus(on_made).mean()
        self.optimizer.zero_grad()
        self.loss.backward()
        self.optimizer.step()
        return self.weight * F.softplus(-self.network(2 * made - 1)).mean()


seed_everything(0)
opponent = Opponent(weight=10.0)
repaired["opponent"] = train_repair(opponent)

# %% [markdown]
# ## 4 · Judged by somebody else
#
# Each way is best at its own loss, so none of these losses may judge. We take three measures. The squared error is
# what the first way asked for. The **sharpness** is the mean squared difference of neighbouring pixels, relative to
# that of the faces themselves. And the Fréchet distance to *other* faces is measured in the features of `face_judge`,
# a classifier that no training on this page has used.
#
# **Predict.** Sort the three ways by each measure.

# %%
judge = load_pretrained("face_judge").to(device)


@torch.no_grad()
def features(pictures):
    return torch.cat([judge.features(part).cpu() for part in pictures.split(200)])


def edges(pictures):
    across, down = pictures.diff(dim=-1), pictures.diff(dim=-2)
    return (across.square().mean() + down.square().mean()).item()


with torch.no_grad():
    results = {"the VAE": test_soft}
    for name, model in repaired.items():
        results[name] = torch.cat([model(part) for part in test_soft.split(200)]).clamp(
            0, 1
        )
half = len(test_sharp) // 2
others = features(test_sharp[:half])
scores = {
    name: {
        "error": (pictures - test_sharp).square().mean().item(),
        "sharpness": edges(pictures) / edges(test_sharp),
        "frechet": evaluate.frechet_distance(features(pictures[half:]), others),
    }
    for name, pictures in results.items()
}

# %% tags=["figure"]
# The scores of three ways
print(f"{'':16}{'squared error':>15}{'sharpness':>11}{'Fréchet distance':>18}")
for name, found in scores.items():
    print(
        f"{name:16}{found['error']:15.5f}{found['sharpness']:11.2f}{found['frechet']:18.1f}"
    )
floor = evaluate.frechet_distance(features(test_sharp[half:]), others)
print(f"{'other real faces':16}{'':15}{1:11.2f}{floor:18.1f}")

# %% tags=["figure"]
# The same test faces, repaired in three ways
shown = slice(2, 22, 4)
plots.show(
    plots.image_rows(
        {"test face": test_sharp[shown]} | {name: x[shown] for name, x in results.items()},
        f"Five test faces ({test_set.source}) and three repairs",
    ),
    alt="Five faces in five rows: the originals, the soft reconstructions of the VAE, and three repaired versions. The one "
    "with an opponent has the hardest edges.",
)

# %% tags=["claim"]
assert scores["opponent"]["sharpness"] > 1.1 * scores["the VAE"]["sharpness"], (
    "it should sharpen"
)
assert scores["opponent"]["sharpness"] > 1.05 * scores["squared error"]["sharpness"]
assert scores["opponent"]["error"] > 0.98 * scores["the VAE"]["error"], (
    "pixels are no nearer"
)
assert min(found["error"] for found in scores.values()) > 0.85 * scores["the VAE"]["error"]
assert floor < 0.5 * scores["opponent"]["frechet"], "but far from real faces"

# %% [markdown]
# With squared errors the repair network changes little, and the error hardly falls, if at all: the blur is what this
# loss asks for. The features of the encoder change little more. They come from a small network that was itself
# trained with squared errors; large classifiers of photographs give a stronger push. The opponent is another matter.
# It brings back a good part of the sharpness, and it does not bring the pixels any nearer to the true ones, because an
# edge that is sharp at the wrong place is wrong twice: where it is, and where it is missing.
#
# And the judge? Compare the last column with the sharpness. Hard edges alone do not impress it much, since what makes a
# face is not only its edges, and all repairs are still far from other real faces. Raise the opponent's weight to 60,
# and edges get harder still, with rings around them that no face has.
#
# So there are two kinds of error. A VAE shows that it does not know, by drawing the average. A GAN draws *something*
# definite, whether or not it knows. For a game or a film that is what we want. For a photograph of a suspect, or an
# X-ray, a sharp guess that looks like knowledge is worse than an honest blur. The two can be combined, as here, and
# image models of today do so: the autoencoder under many diffusion models is trained with squared or absolute errors,
# features and an opponent at once (Esser, Rombach and Ommer, [2021](https://arxiv.org/abs/2012.09841)).
#
# Back to [lesson 10 · A VAE for faces](../10_a_vae_for_faces.ipynb).
