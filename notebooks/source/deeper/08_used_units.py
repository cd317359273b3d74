# %% [markdown]
# # Deeper · Used units
#
# At $\beta = 1$ a VAE leaves some units of its code unused. [Lesson 08](../08_a_vae_for_handwritten_digits.ipynb) measured
# the rate of each. Here we ask whether the decoder really ignores a quiet unit, what a model that was trained much longer
# does, and how papers count used units. This page takes about 20 minutes.

# %%
import functools

import matplotlib.pyplot as plt
import torch

from vae_helpers import evaluate, losses, models, plots
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.train import fit

plots.use_course_style()
device = pick_device()
train_set = load_digits("train").subset(slice(0, budget(cpu=3_500, gpu=20_000))).to(device)
test_bw = load_digits("test")
test_bw = test_bw.subset(slice(None, None, len(test_bw) // 1_000)).to(device).binarized()

# %% [markdown]
# ## 1 · Two models with 32 units
#
# The first is trained as in the lesson. The second comes with the course, so we call it the **shipped** model. It is
# deeper, by **residual blocks**: pairs of convolutions whose result is *added* to their input, which makes a deep network
# easier to train. It learnt from all 60,000 training digits of MNIST, for more than a hundred epochs.
#
# **Predict.** Which of the two uses more of its 32 units?

# %%
EPOCHS = budget(cpu=35_000, gpu=350_000) // len(train_set)
seed_everything(0)
vae = models.ConvVAE(channels=(16, 32), hidden=128, latent_dim=32)
loss = functools.partial(losses.negative_elbo, binarize=True)
fit(vae, train_set, loss, epochs=EPOCHS, lr=1e-2, batch_size=64)
shipped = load_pretrained("digits").to(device)


@torch.no_grad()
def unit_rates(model):
    mean, log_var = model.encode(test_bw.floats)
    return 0.5 * (mean.square() + log_var.exp() - log_var - 1).mean(0).cpu()


rates = {"our": unit_rates(vae), "shipped": unit_rates(shipped)}
in_use = {name: int((r > 0.1).sum()) for name, r in rates.items()}
for name, r in rates.items():
    part = (r[r > 0.1].sum() / r.sum()).item()
    print(
        f"{name:8}: {in_use[name]} units above 0.1 nats carry {part:.0%} of {r.sum():.1f} nats;",
        end=" ",
    )
    print(f"{int((r < 0.005).sum())} carry less than 0.005")

# %% tags=["figure"]
# The rate of each unit in both models
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
for ax, (name, r) in zip(axes, rates.items()):
    ordered = r.sort(descending=True).values
    colors = [plots.COLORS[1] if value > 0.1 else plots.COLORS[4] for value in ordered]
    ax.bar(range(1, len(ordered) + 1), ordered, color=colors)
    ax.set(title=f"{name} model: {in_use[name]} used", xlabel="unit, sorted by rate")
axes[0].set_ylabel("rate of the unit (nats per image)")
figure.suptitle("What each unit carries (red: at most 0.1 nats)")
plots.show(
    figure,
    alt="Two bar charts of the rate per unit, sorted. In both, some units carry one to three nats each. In our model a long tail "
    "of units carries next to nothing. In the shipped model more units are in use, and the last ones have no visible bar.",
)

# %% tags=["claim"]
ordered = rates["our"].sort(descending=True).values
assert ordered[:20].sum() / ordered.sum() > 0.9, "20 units should carry nearly everything"
assert (rates["shipped"] < 0.005).sum() >= 4, "some units should be switched off completely"
assert in_use["shipped"] > in_use["our"], "the shipped one should use more"

# %% [markdown]
# Our model puts nearly everything into a part of its units. The rest has **collapsed**: whatever the image, the cloud of
# such a unit is almost the prior itself. The shipped model, with more layers, more digits and more time, has put
# more units to work, and has switched the others off altogether.
#
# ## 2 · Does the decoder ignore them?
#
# Draw random codes, change one of the numbers by 1, and measure how much the picture changes.

# %%
seed_everything(0)
with torch.no_grad():
    codes = torch.randn(200, vae.latent_dim, device=device)
    before, effect = vae.decode(codes), []
    for unit in range(vae.latent_dim):
        nudged = codes.clone()
        nudged[:, unit] += 1
        effect.append(losses.squared_error(vae.decode(nudged), before).mean().item())
effect, order = torch.tensor(effect), rates["our"].argsort(descending=True)
strong, weak = order[0].item(), order[-1].item()
print(
    f"change by the strongest unit {effect[strong]:.2f}, by the weakest {effect[weak]:.3f}"
)

# %% tags=["figure"]
# The change of the picture against the rate of the unit
figure, ax = plt.subplots(figsize=(7, 3.8))
ax.scatter(rates["our"], effect, color=plots.COLORS[1])
ax.set(
    title="A unit without rate changes nothing",
    xlabel="rate of the unit (nats per image)",
    ylabel="change of the picture\n(squared error per image)",
)
plots.show(
    figure,
    alt="A scatter plot of the 32 units: the change of the picture grows with the rate and is almost zero for units without "
    "rate.",
)

# %% tags=["figure"]
# Walks along three units, all others 0
walk = torch.linspace(-3, 3, 7, device=device)
rows = {}
with torch.no_grad():
    for name, unit in (
        ("strongest", strong),
        ("second", order[1].item()),
        ("weakest", weak),
    ):
        codes = torch.zeros(7, vae.latent_dim, device=device)
        codes[:, unit] = walk
        rows[name] = vae.decode(codes)
columns = [f"{value:g}".replace("-", "−") for value in walk.tolist()]
plots.show(
    plots.image_rows(rows, "One unit from −3 to 3, all others 0", columns=columns),
    alt="Three rows of seven decoded images. Along the strongest and the second unit the shape changes, along the weakest all "
    "seven images are the same.",
)

# %% tags=["claim"]
assert effect[weak] < 0.1 * effect[strong], "the decoder should ignore a collapsed unit"
assert torch.corrcoef(torch.stack([rates["our"], effect]))[0, 1] > 0.7

# %% [markdown]
# It does. The more a unit carries, the more it moves the picture, and the weakest moves next to nothing.
#
# ## 3 · How papers count
#
# A common rule calls a unit **active** if its mean varies from image to image, with a variance above 0.01 (Burda and
# others, 2016). `evaluate.active_units` does that. It is a generous rule:

# %%
with torch.no_grad():
    active = {
        name: int(evaluate.active_units(model.encode(test_bw.floats)[0]).sum())
        for name, model in {"our": vae, "shipped": shipped}.items()
    }
for name, count in active.items():
    print(
        f"{name:8}: {count} of 32 units count as active, {in_use[name]} carry more than 0.1 nats"
    )

# %% tags=["claim"]
assert active["shipped"] <= 28 and active["our"] > in_use["our"]

# %% [markdown]
# Our model has more active units than units above 0.1 nats, since one with a hundredth of a nat can pass. So read "active" as
# "not switched off", and look at the bars if you want to know more.
#
# **Back to** [lesson 08](../08_a_vae_for_handwritten_digits.ipynb).
