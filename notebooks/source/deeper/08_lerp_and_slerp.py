# %% [markdown]
# # Deeper · Lerp and slerp
#
# [Lesson 08](../08_a_vae_for_handwritten_digits.ipynb) walked from one digit to another along a straight line between
# their codes. Many people warn against the straight line and advise an arc. Their argument is about codes, although what
# we care about is pictures. So we look at the argument first, and then test it on pictures.

# %%
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from vae_helpers import evaluate, losses, models, plots
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.train import fit

plots.use_course_style()
device = pick_device()
train_set = load_digits("train").subset(slice(0, budget(cpu=3_500, gpu=20_000))).to(device)
test_set = load_digits("test")
test_set = test_set.subset(slice(None, None, len(test_set) // 1_000)).to(device)
test_bw = test_set.binarized()

# %% [markdown]
# ## 1 · Random codes lie on a shell
#
# Draw $z \sim \mathcal N(0, I)$ with $d$ numbers. The density is highest at 0.
#
# **Predict.** How far from 0 will most draws lie, for $d = 2$ and for $d = 32$? And the point halfway between two draws?

# %%
seed_everything(0)
lengths = {d: torch.randn(20_000, d).norm(dim=1) for d in (2, 32, 200)}
a, b = torch.randn(2, 20_000, 32)
halfway = ((a + b) / 2).norm(dim=1)
as_short = (lengths[32] < halfway.mean()).float().mean().item()
for d, values in lengths.items():
    print(
        f"d = {d:3}: √d = {d**0.5:5.2f}, length {values.mean():5.2f} ± {values.std():.2f}"
    )
print(
    f"d =  32, halfway between two draws: length {halfway.mean():.2f} ± {halfway.std():.2f}"
)
print(f"random codes of 32 numbers that are shorter than this mean: {as_short:.1%}")

# %% tags=["figure"]
# How long random codes are, and the points halfway between two of them
figure, ax = plt.subplots(figsize=(9, 3.8))
groups = {f"d = {d}": values for d, values in lengths.items()}
groups["d = 32, halfway"] = halfway
spots = {"d = 2": 3, "d = 32": 1, "d = 200": 0, "d = 32, halfway": 4}
for name, values in groups.items():
    color = plots.COLORS[spots[name]]
    ax.hist(values.numpy(), bins=60, density=True, color=color, alpha=0.45, label=name)
for d in lengths:
    ax.axvline(math.sqrt(d), color="0.3", linestyle="--", lw=1)
ax.set(
    title="Random codes lie on a shell of radius √d (dashed)",
    xlabel="length ‖z‖ of the code",
    ylabel="density",
)
ax.legend(loc="upper center", bbox_to_anchor=(0.62, 1))
plots.show(
    figure,
    alt="Histograms of the length of random codes. For 2 numbers it spreads from 0 to 4; for 32 it is a narrow hump around 5.7, "
    "for 200 one around 14, both at the dashed lines of the root of d. Points halfway between two codes of 32 numbers "
    "form a hump around 4.",
)

# %% tags=["claim"]
for d in (32, 200):
    assert abs(lengths[d].mean() / math.sqrt(d) - 1) < 0.02 and lengths[d].std() < 0.8
assert as_short < 0.03, "few random codes should be so short"
assert abs(halfway.mean() - math.sqrt(16)) < 0.1
assert (halfway > 32**0.5 - 1).float().mean() < 0.1, "few midpoints should reach the shell"

# %% [markdown]
# $\|z\|^2$ is a sum of $d$ squares, each 1 on average, so the length is about $\sqrt d$, and the more terms, the less the
# sum scatters in proportion. In 32 dimensions practically no draw lies near 0, although the density is highest there,
# because there is so little room. Nearly all draws lie close to a **shell** of radius $\sqrt d$. Halfway between two
# draws, the straight line passes at radius $\sqrt{d/2}$, inside the shell, where random codes almost never come.
#
# So, people argue, the decoder has hardly been trained there. Their remedy is **spherical interpolation**, or *slerp*
# (Shoemake, 1985; for generative models White, 2016). With Ω (omega) for the angle between $a$ and $b$:
#
# $$ \text{slerp}(a, b, t) = \frac{\sin((1 - t)\,\Omega)}{\sin \Omega}\, a + \frac{\sin(t\,\Omega)}{\sin \Omega}\, b. $$


# %%
def lerp(a, b, t):
    """A point on the straight line from a to b."""
    return (1 - t) * a + t * b


def slerp(a, b, t):
    """A point on the arc from a to b, for codes (N, d): every row has its own angle."""
    angle = torch.acos(F.cosine_similarity(a, b))[:, None]
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


# %% [markdown]
# ## 2 · Does it matter in the pictures?
#
# We decode 1,000 codes of each of four kinds: random codes; points halfway between two of them by lerp; the same by
# slerp; and, as a **control**, random codes multiplied by $\sqrt{1/2}$. The control has the length of the lerp points,
# but nothing was interpolated. If it fares like lerp, then the length is to blame.
#
# We use two models with 32 numbers per code: one like that of the lesson, and the one that comes with the course, which
# learnt from all 60,000 training digits for more than a hundred epochs. The rulers are the judge's **confidence** in single pictures,
# the **variety** of all (the variance over the pictures, summed over the pixels), and the **Fréchet distance** of the lesson.
#
# **Predict.** On which of the rulers will lerp do worse?

# %%
EPOCHS = budget(cpu=35_000, gpu=350_000) // len(train_set)
seed_everything(0)
own = models.ConvVAE(channels=(16, 32), hidden=128, latent_dim=32)


def loss(model, images, labels=None):
    return losses.negative_elbo(model, images, binarize=True)


fit(own, train_set, loss, epochs=EPOCHS, lr=1e-2, batch_size=64)
shipped = load_pretrained("digits").to(device)
judge = load_pretrained("digit_classifier").to(device)
seed_everything(0)
a, b = torch.randn(2, 1_000, 32, device=device)
kinds = {
    "random codes": a,
    "halfway, lerp": lerp(a, b, 0.5),
    "halfway, slerp": slerp(a, b, 0.5),
    "random, shrunk": a * math.sqrt(0.5),
}


# %%
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
verdicts = {
    (name, kind): judged(evaluate.decode_all(model, codes))
    for name, model in (("lesson's", own), ("shipped", shipped))
    for kind, codes in kinds.items()
}

# %% tags=["figure"]
# The table: confidence, variety, and Fréchet distance
print("model      codes            length   confidence   variety   Fréchet distance")
for (name, kind), row in verdicts.items():
    length = kinds[kind].norm(dim=1).mean()
    print(
        f"{name:10} {kind:15} {length:7.2f} {row['confidence']:12.1%} {row['variety']:9.1f} {row['Fréchet']:12.0f}"
    )
row = judged(test_set.floats)
print(
    f"{'test digits':34} {row['confidence']:12.1%} {row['variety']:9.1f} {row['Fréchet']:12.0f}"
)

# %% tags=["claim"]
for name in ("lesson's", "shipped"):
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
# - **Picture by picture, there is hardly a difference.** The judge is about as sure of lerp's pictures as of slerp's.
# - **As a crowd, lerp's pictures are too much alike.** They vary less, and their Fréchet distance is much larger. The
#   nearer to 0, the more typical the pictures, and the unusual ones are missing.
# - **The length is to blame.** The control fares like lerp. And slerp's points fare like fresh random codes, because
#   they have almost the same distribution.
#
# So if you want pictures as varied as the model's samples, walk on the arc. To show one morph, the line will do.
#
# ## 3 · Between real digits
#
# The means of real digits are not random codes. How long are they, and what happens to them?

# %%
with torch.no_grad():
    mean, log_var = own.encode(test_bw.floats)
    other = mean.roll(377, dims=0)  # pair each test digit with another
    of_codes = {
        "mean codes": mean,
        "codes drawn from q": own.reparameterize(mean, log_var),
        "halfway between means, lerp": lerp(mean, other, 0.5),
        "halfway between means, slerp": slerp(mean, other, 0.5),
    }
of_codes = {name: codes.norm(dim=1).mean().item() for name, codes in of_codes.items()}
for name, length in of_codes.items():
    print(f"{name:29} length {length:.2f}")

# %% tags=["figure"]
# Three walks, straight and on the arc
first_of = [int((test_set.labels == digit).nonzero()[0]) for digit in range(10)]
rows = {}
with torch.no_grad():
    for start, end in ((3, 8), (7, 2), (4, 0)):
        ends = mean[[first_of[start]]], mean[[first_of[end]]]
        for way, walk in (("lerp", lerp), ("slerp", slerp)):
            stops = [walk(*ends, t) for t in torch.linspace(0, 1, 10).tolist()]
            rows[f"{start} → {end}, {way}"] = own.decode(torch.cat(stops))
plots.show(
    plots.image_rows(rows, "Three walks, straight and on the arc"),
    alt="Six rows of ten images, two for each of three pairs of digits. Each row changes step by step from the first digit to the "
    "second. Straight line and arc give nearly the same pictures.",
)

# %% tags=["claim"]
assert of_codes["mean codes"] < of_codes["codes drawn from q"] - 0.5
assert abs(of_codes["codes drawn from q"] - math.sqrt(32)) < 0.5
assert of_codes["halfway between means, lerp"] < 0.85 * of_codes["mean codes"]
assert abs(of_codes["halfway between means, slerp"] / of_codes["mean codes"] - 1) < 0.05

# %% [markdown]
# Both ways look almost the same. Codes *drawn* from $q$ have the length of the shell, and means are shorter: they lack the
# noise, and a collapsed unit has the mean 0. Some recipes stretch means to radius $\sqrt d$. We have measured lengths
# only, and no pictures of stretched means; but the missing length is noise that the decoder has learnt to ignore, so
# there is no reason to expect that stretching the rest makes up for it. Slerp needs no stretching, since it keeps the length
# of its two ends.
#
# ## Read on
#
# - T. White, [Sampling generative networks](https://arxiv.org/abs/1609.04468) (2016): the case for slerp. Read it now,
#   and decide.
#
# **Back to** [lesson 08](../08_a_vae_for_handwritten_digits.ipynb).
