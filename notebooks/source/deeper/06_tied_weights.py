# %% [markdown]
# # Deeper · Tied weights
#
# Encoder and decoder of an autoencoder are two matrices, $W$ that reads the picture and $V$ that writes it. In PCA the
# same vectors do both. What happens if we ask this of a nonlinear autoencoder too? This page belongs to
# [lesson 06](../06_other_autoencoders.ipynb), uses its small digits and its network, and takes about 15 minutes.

# %%
from dataclasses import replace

import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from vae_helpers import plots
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.losses import reconstruction_loss, squared_error
from vae_helpers.train import fit

plots.use_course_style()
device = pick_device()


# %%
def shrink(digits):
    """The same digits with 14 × 14 pixels: each is the mean of a 2 × 2 block."""
    smaller = avg_pool2d(digits.images.float(), 2).round().to(torch.uint8)
    return replace(digits, images=smaller)


large_test = load_digits("test").subset(slice(0, 2000))
train_set, test_set = (
    shrink(load_digits("train").subset(slice(0, 5000))),
    shrink(large_test),
)
test_images = test_set.floats.to(device)
PIXELS, UNITS = 196, 256
EPOCHS = budget(cpu=77_000, gpu=77_000) // len(train_set)  # about 600 steps of 128 images


# %%
class OneLayer(nn.Module):
    """The autoencoder of lesson 06: h = φ(W x + b), and x̂ = Vᵀ h + c."""

    def __init__(self, units=UNITS, tied=False):
        super().__init__()
        self.W = nn.Parameter(0.01 * torch.randn(units, PIXELS))
        self.V = self.W if tied else nn.Parameter(0.01 * torch.randn(units, PIXELS))
        self.b = nn.Parameter(torch.zeros(units))
        self.c = nn.Parameter(torch.zeros(PIXELS))

    def encode(self, images):
        return torch.sigmoid(images.flatten(1) @ self.W.T + self.b)

    def decode(self, codes):
        return (codes @ self.V + self.c).unflatten(1, (1, 14, 14))

    def forward(self, images):
        return self.decode(self.encode(images))


# %% [markdown]
# A **tied** autoencoder sets $V = W$, so the decoder is the encoder, transposed, and it has half as many weights. It also
# closes a loophole: the copier of lesson 06 needed tiny weights $\varepsilon$ in the encoder and huge weights
# $4/\varepsilon$ in the decoder, and with $V = W$ it cannot have both.
#
# A fair comparison asks two questions. What does tying cost at an equal number of units? And what does it cost at an
# equal number of *parameters*, where an untied network has half the units? We also measure the share of **noise passed
# on**, as in the lesson, because a regulariser should buy something for its price.
#
# **Predict.** Will the tied network with 256 units have a smaller or a larger error than the untied one with 128?


# %%
def trained(loss, seed=0, **settings):
    seed_everything(seed)
    model = OneLayer(**settings)
    fit(model, train_set, loss, epochs=EPOCHS, lr=1e-2, seed=seed)
    return model


noise = 0.3 * torch.randn(test_images.shape, generator=torch.Generator().manual_seed(1))
noise = noise.to(device)


@torch.no_grad()
def test_error(model):
    return squared_error(model(test_images), test_images).mean().item()


@torch.no_grad()
def noise_passed_on(model):
    difference = model(test_images + noise) - model(test_images)
    return (difference.square().sum() / noise.square().sum()).item()


# %%
recipes = {
    "untied, 256": {},
    "untied, 128": {"units": 128},
    "tied, 256": {"tied": True},
}
models = {
    name: [trained(reconstruction_loss, seed, **settings) for seed in range(3)]
    for name, settings in recipes.items()
}

# %% tags=["figure"]
# What tying costs and what it buys: the range over three seeds
print("               parameters   squared error per image   noise passed on")
for name, three in models.items():
    parameters = sum(p.numel() for p in three[0].parameters())
    errors, passed = sorted(map(test_error, three)), sorted(map(noise_passed_on, three))
    print(
        f"{name:14s} {parameters:10,d}   {errors[0]:14.2f} to {errors[-1]:.2f}   {passed[0]:8.0%} to {passed[-1]:.0%}"
    )

# %% tags=["claim"]
count = {
    name: sum(p.numel() for p in three[0].parameters()) for name, three in models.items()
}
assert abs(count["tied, 256"] / count["untied, 128"] - 1) < 0.01, (
    "these two should be equally large"
)
error = {name: [test_error(m) for m in three] for name, three in models.items()}
passed = {name: [noise_passed_on(m) for m in three] for name, three in models.items()}
assert min(error["tied, 256"]) > 2 * max(error["untied, 256"]), "tying should cost error"
assert min(error["tied, 256"]) > max(error["untied, 128"]), (
    "also at an equal number of parameters"
)
assert max(passed["tied, 256"]) < min(passed["untied, 256"] + passed["untied, 128"]), (
    "it should pass on less noise"
)

# %% [markdown]
# Tying saves half of the parameters, but the error is several times as large, and an untied network of the same size
# reconstructs better too. In return, the tied network passes on less noise than either of them. This is how every
# regulariser of lesson 06 looks: it *costs* reconstruction error, and the question is what it buys.
#
# ## More than one layer
#
# A deep encoder $h = \varphi(W_2\, \varphi(W_1 x))$ can be tied as well. The decoder then does the same in
# reverse order, what was done last being undone first, with the matrices transposed and with biases of its own.
# `nn.Linear` keeps its matrix as (outputs, inputs) and computes `x @ w.T`, so the mirror image is `h @ w`:


# %%
def tied_decoder(h, w1, w2, b1, b2):
    """The mirror of an encoder with w1 (middle, pixels) and w2 (code, middle); h is (N, code)."""
    middle = torch.sigmoid(h @ w2 + b2)
    return middle @ w1 + b1  # no φ at the end: the picture itself


w1, w2 = torch.randn(64, PIXELS), torch.randn(16, 64)
codes = torch.sigmoid(torch.sigmoid(test_images.flatten(1).cpu() @ w1.T) @ w2.T)
tied_decoder(codes, w1, w2, torch.zeros(PIXELS), torch.zeros(64)).shape

# %% [markdown]
# Tied weights were usual when deep networks were trained layer by layer, around 2006 to 2012. Today they live on
# elsewhere: many language models use one matrix both to read words and to write them.
#
# [Back to lesson 06 · Other autoencoders](../06_other_autoencoders.ipynb)
