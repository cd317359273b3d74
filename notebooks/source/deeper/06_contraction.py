# %% [markdown]
# # Deeper · Contraction
#
# The contractive autoencoder of [lesson 06](../06_other_autoencoders.ipynb) pays for the squared norm of its encoder's Jacobian. Does its code
# really become calmer, or does the network only obey the letter of the law? On this page we check the formula, catch the network at
# a trick, and measure whether contraction keeps what happens among digits. It takes about 20 minutes.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.func import jacrev, vmap
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


# %%
def jacobian_norm(model, codes):
    """‖∂h/∂x‖², the squared Frobenius norm, for codes (N, units): the formula of lesson 06."""
    return (codes * (1 - codes)).square() @ model.W.square().sum(1)


def contractive_loss(weight):
    def loss(model, images, labels):
        codes = model.encode(images)
        error = squared_error(model.decode(codes), images)
        return error + weight * jacobian_norm(model, codes)

    return loss


def denoising_loss(model, images, labels):
    return squared_error(model(images + 0.5 * torch.randn_like(images)), images)


# %%
family = {
    "plain": trained(reconstruction_loss),
    "tied": trained(reconstruction_loss, tied=True),
    "contractive": trained(contractive_loss(0.45)),
    "contractive, tied": trained(contractive_loss(0.4), tied=True),
    "denoising": trained(denoising_loss),
}

# %% [markdown]
# ## Is the formula right?
#
# PyTorch can compute a Jacobian for any network. `jacrev` goes backward once for each output, and `vmap` does so for
# many images at once. For 256 units that means 256 backward passes, which would be painful in a training loop. The closed form
# needs two small sums. Do they agree? And does the norm predict how far small noise moves the code, which should be
# $\sigma^2 \lVert J \rVert_F^2$?

# %%
plain = family["plain"]
few = test_images[[int((test_set.labels == d).nonzero()[0]) for d in range(10)]]
jacobians = (
    vmap(jacrev(lambda image: plain.encode(image[None])[0]))(few).flatten(2).detach()
)
exact = jacobians.square().sum((1, 2))

SIGMA = 0.01
draws = SIGMA * torch.randn(
    1000, *few.shape, generator=torch.Generator().manual_seed(2)
).to(device)
with torch.no_grad():
    closed_form = jacobian_norm(plain, plain.encode(few))
    moved = plain.encode((few + draws).flatten(0, 1)).unflatten(0, (1000, 10))
    moved = (moved - plain.encode(few)).square().sum(2).mean(0)

# %% tags=["figure"]
# The formula, automatic differentiation, and the measured motion, for ten digits
print("Jacobians:", tuple(jacobians.shape), "= (images, units, pixels)")
print(
    f"largest relative difference of the formula to jacrev: {((closed_form - exact) / exact).abs().max():.1e}"
)
print("σ²‖J‖²         ", [f"{v:.5f}" for v in (SIGMA**2 * exact).tolist()])
print("measured motion", [f"{v:.5f}" for v in moved.tolist()])

# %% tags=["claim"]
assert torch.allclose(closed_form, exact, rtol=1e-4), "the closed form should be exact"
assert torch.allclose(moved, SIGMA**2 * exact, rtol=0.06), (
    "the Jacobian should predict the motion"
)

# %% [markdown]
# They agree, and the Jacobian keeps its promise.
#
# ## The trick
#
# Near zero, $\varphi$ is almost straight. There the network could divide $W$ and $b$ by ten, multiply $V$ by ten, and
# adapt $c$: all codes would move closer together and the Jacobian would shrink, although nothing has become calmer. So we compare the
# norm with a measure that does not care about scale, the **code shift** of the lesson: how far noise moves a code,
# divided by the distance between the codes of two digits.
#
# **Predict.** From plain to contractive, by which factor does the norm fall, and by which the code shift? And if $V = W$, so that $V$ cannot
# grow while $W$ shrinks?


# %%
@torch.no_grad()
def code_shift(model):
    clean = model.encode(test_images)
    moved = (model.encode(test_images + noise) - clean).square().sum(1).mean()
    return (moved / (2 * clean.var(0).sum())).sqrt().item()


@torch.no_grad()
def mean_norm(model):
    return jacobian_norm(model, model.encode(test_images)).mean().sqrt().item()


pairs = (("plain", "contractive"), ("tied", "contractive, tied"))

# %% tags=["figure"]
# How far the norm falls, and how far the code shift
print("                     squared error   norm of J   code shift   size of W   size of V")
for name, model in family.items():
    w, v = model.W.norm().item(), model.V.norm().item()
    print(
        f"{name:20s} {test_error(model):13.2f}   {mean_norm(model):9.2f}   {code_shift(model):10.2f}   {w:9.1f}   {v:9.1f}"
    )
for before, after in pairs:
    norms, shifts = (f(family[before]) / f(family[after]) for f in (mean_norm, code_shift))
    print(f"{before} → {after}: norm / {norms:.1f}, code shift / {shifts:.1f}")

# %% tags=["claim"]
falls = [
    [f(family[before]) / f(family[after]) for f in (mean_norm, code_shift)]
    for before, after in pairs
]
assert falls[0][0] > 2.5 * falls[0][1], "most of the fall is shrinking"
assert falls[1][0] < 2 * falls[1][1], "tied, the two fall more or less together"
assert min(shift for _, shift in falls) > 1.1, "yet both codes should be calmer"
assert family["contractive"].V.norm() > 1.2 * plain.V.norm(), (
    "the decoder makes up for the shrinking"
)

# %% [markdown]
# In the untied network the norm fell much further than the code shift. Most of that fall was the trick: all codes moved
# closer together because $W$ shrank, and $V$ grew in return. The tied network cannot do that, so the two fall
# more or less together. But look at the price: against *tied*, the contractive penalty raises the error much and lowers the code
# shift only a little, so tying alone has done most of the calming. A penalty has loopholes; measure what you want in a way
# that they cannot change.
#
# ## Noise in the code sees the trick
#
# If noise of variance $\sigma^2$ is added to each unit of the *code*, the squared error grows on average by $\sigma^2
# \lVert V \rVert_F^2$, because $V$, transposed, is the Jacobian of our linear decoder. Which networks suffer most?

# %%
CODE_SIGMA = 0.1


@torch.no_grad()
def extra_error(model):
    """How much the squared error grows if the code gets noise."""
    codes = model.encode(test_images)
    shaken = torch.randn(codes.shape, generator=torch.Generator().manual_seed(3)).to(device)
    return squared_error(
        model.decode(codes + CODE_SIGMA * shaken), test_images
    ).mean().item() - test_error(model)


# %% tags=["figure"]
# What noise in the code costs, measured and by the formula
print("                     extra squared error   σ²‖V‖²")
for name, model in family.items():
    print(
        f"{name:20s} {extra_error(model):19.2f}   {CODE_SIGMA**2 * model.V.square().sum().item():6.2f}"
    )

# %% tags=["claim"]
extra = {name: extra_error(model) for name, model in family.items()}
for name, model in family.items():
    formula = CODE_SIGMA**2 * model.V.square().sum().item()
    assert abs(extra[name] / formula - 1) < 0.1, "the formula should hold"
others = [extra[name] for name in ("plain", "contractive, tied", "denoising")]
assert extra["contractive"] > 1.5 * max(others), "the untied contractive one suffers most"

# %% [markdown]
# The formula holds. The code of the untied contractive network, so calm from one side, is fragile from the other. Noise in the code is a price
# on the *decoder's* slopes, and the VAE of lesson 07 pays it.
#
# ## Along and across, for digits
#
# In the plane, the lesson saw that steps along the data survive better than steps across. Digits are said to lie near
# a thin curved sheet in the space of all pictures, and two numbers can test the idea. The **singular values** of the Jacobian say how
# strongly the code answers to each of 196 directions at right angles to each other, from the strongest to the
# weakest: how many directions hold 90% of the squared norm? And do these lie *along* the sheet? Moving a digit by a pixel
# of the large picture, which is half a small one, certainly is a step along it. Random noise of the same length mostly is a
# step across. So we compare the code's answers to the two.

# %%
moved_large = replace(large_test, images=large_test.images.roll(1, dims=-1))
step_along = shrink(moved_large).floats.to(device) - test_images
random_step = torch.randn(step_along.shape, generator=torch.Generator().manual_seed(4)).to(
    device
)
lengths = [s.flatten(1).norm(dim=1)[:, None, None, None] for s in (step_along, random_step)]
random_step = random_step * lengths[0] / lengths[1]


@torch.no_grad()
def along_over_across(model):
    """The code's answer to a shifted digit, divided by its answer to noise of the same length."""
    clean = model.encode(test_images)
    answers = [
        (model.encode(test_images + s) - clean).norm(dim=1).mean()
        for s in (step_along, random_step)
    ]
    return (answers[0] / answers[1]).item()


@torch.no_grad()
def singular_values(model):
    codes = model.encode(few)
    values = torch.linalg.svdvals((codes * (1 - codes))[:, :, None] * model.W).mean(0)
    return (values / values[0]).cpu()


def directions(model):
    energy = singular_values(model).square().cumsum(0)
    return int((energy < 0.9 * energy[-1]).sum()) + 1


# %% tags=["figure"]
# How strongly the code follows each direction of change
figure, ax = plt.subplots(figsize=(8, 4))
looks = zip(family.items(), (0, 2, 1, 3, 4), ("-", "-", "--", "--", ":"))
for (name, model), color, style in looks:
    ax.plot(
        range(1, PIXELS + 1),
        singular_values(model),
        color=plots.COLORS[color],
        linestyle=style,
        linewidth=2.5,
        label=name,
    )
ax.set(
    xlabel="direction, sorted",
    ylabel="singular value\n(share of the largest)",
    xlim=(1, PIXELS),
    ylim=(0, 1),
)
ax.set_title("How strongly the code follows each direction of change")
ax.legend()
plots.show(
    figure,
    alt="Five falling curves over 196 directions. That of the plain network falls slowly, those of the contractive networks drop to "
    "almost nothing within the first third.",
)
for name, model in family.items():
    print(
        f"{name:20s} {directions(model):3d} of {PIXELS} directions hold 90%; a shift moves the code {along_over_across(model):.2f} times as far as noise"
    )

# %% tags=["claim"]
assert directions(family["contractive"]) < 0.6 * directions(plain), (
    "contraction should select"
)
assert (
    directions(family["contractive, tied"])
    < 0.8 * directions(family["tied"])
    < directions(plain)
)
for name in ("contractive", "contractive, tied", "denoising"):
    assert along_over_across(family[name]) > 1.2 * along_over_across(plain), (
        "and what it keeps lies along the sheet"
    )

# %% [markdown]
# The plain code follows many directions, the contractive ones a few, and tying alone lies between. And they tend to be
# the right ones: the calm codes answer about twice as strongly to a digit that moves as to noise of the same length, while
# the plain code hardly tells the two apart. Tying alone already does most of this, too.
# (A shift is one direction along the sheet out of several, so this tests the idea, and does not prove it.)
#
# [Back to lesson 06 · Other autoencoders](../06_other_autoencoders.ipynb)
