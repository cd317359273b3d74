# %% [markdown]
# # Deeper · Finding what does not belong
#
# A cracked weld, a forged signature, a heart that beats strangely: often there are thousands of normal pictures, and hardly
# any of what we are looking for. **Anomaly detection** (also: out-of-distribution detection) learns from the normal ones alone. A
# VAE seems made for it, since it assigns a likelihood to every picture, and what is odd should be unlikely. Is it? This page measures it
# on a digit that the model has never seen, finds a case where the likelihood is wrong nearly every time, and asks what helps.

# %%
import functools

import matplotlib.pyplot as plt
import torch
from sklearn.metrics import roc_curve

from vae_helpers import losses, plots
from vae_helpers.data import load_digits, load_xrays, render_letters
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.evaluate import decode_all, encode_all
from vae_helpers.models import DenseVAE
from vae_helpers.train import fit, measuring

plots.use_course_style()
device = pick_device()
train_set = load_digits("train").subset(slice(0, budget(cpu=3_500, gpu=20_000))).to(device)
test_set = load_digits("test")
test_set = test_set.subset(slice(None, None, len(test_set) // 1_000)).to(device).binarized()

# %% [markdown]
# ## 1 · A detector that has seen eight digits
#
# We hide two digits from a small VAE and train it on the other eight, in black and white, so that its nats are honest ones
# ([lesson 09](../09_is_my_vae_any_good.ipynb)). Then it gives every picture three scores, and a high score shall mean *odd*:
#
# - the **squared error** of the reconstruction, because a model that cannot draw a shape has probably not learnt it,
# - the **−ELBO** in nats, which bounds −log p(x) from above,
# - the **distance in code** to the fifth-nearest code of a training digit, because odd pictures should lie apart.
#
# Two rivals need no network at all: the error that **PCA** makes with as many numbers as the VAE's code has, and the number of
# **white pixels**, which knows nothing about digits.


# %%
class Detector:
    """Learns from normal pictures only, and then says of any picture how odd it is."""

    def __init__(self, normal):
        seed_everything(0)
        self.vae = DenseVAE(hidden=(256,), latent_dim=16)
        elbo = functools.partial(losses.negative_elbo, binarize=True)
        epochs = budget(cpu=28_000, gpu=280_000) // len(normal)
        fit(self.vae, normal, elbo, epochs=epochs, lr=5e-3, batch_size=64)
        self.normal = normal.binarized(seed=1).floats
        self.codes = encode_all(self.vae, self.normal)
        self.mean = self.normal.flatten(1).mean(0)
        axes = torch.linalg.eigh(torch.cov(self.normal.flatten(1).T)).eigenvectors
        self.axes = axes[:, -self.vae.latent_dim :]

    def nats(self, images):
        with measuring(self.vae):
            draws = [losses.negative_elbo(self.vae, images)["loss"] for _ in range(5)]
        return torch.stack(draws).mean(0)


# %%
def scores(detector, images):
    """How odd each picture (N, 1, 28, 28) is: name of the score → (N,)."""
    codes = encode_all(detector.vae, images)
    flat = images.flatten(1) - detector.mean
    in_plane = flat @ detector.axes @ detector.axes.T
    apart = torch.cdist(codes, detector.codes)
    return {
        "squared error": losses.squared_error(decode_all(detector.vae, codes), images),
        "−ELBO": detector.nats(images),
        "distance in code": apart.kthvalue(5, dim=1).values,
        "PCA error": (flat - in_plane).square().sum(1),
        "white pixels": images.flatten(1).sum(1),
    }


PAIRS = ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))
detectors, tested = {}, {}
for pair in PAIRS:
    hidden = torch.isin(train_set.labels, torch.tensor(pair, device=device))
    detectors[pair] = Detector(train_set.subset(~hidden))
    tested[pair] = scores(detectors[pair], test_set.floats)

# %% [markdown]
# While the bars run: there are five detectors, each with another pair of digits hidden, so that every digit is the stranger once.
#
# ## 2 · The ROC curve
#
# A score becomes an alarm through a threshold. A low one catches most strangers, and rings for many normal digits, too; a high one
# is quiet, and misses much. The **ROC curve** (receiver operating characteristic) shows all thresholds at once: the share of strangers
# that are caught against the share of normal digits that raise a false alarm. The area under it, the **AUC**, has a plain
# meaning: it is the probability that a stranger gets a higher score than a normal digit. 1 is perfect, 0.5 is a coin.


# %%
def auc(strange, normal):
    """The probability that a strange picture's score is above a normal one's; a tie counts half."""
    higher = (strange[:, None] > normal).float() + 0.5 * (strange[:, None] == normal)
    return higher.mean().item()


def split(pair, digit):
    """Masks of the test digits: this stranger, and the eight that the detector knows."""
    known = ~torch.isin(test_set.labels, torch.tensor(pair, device=device))
    return test_set.labels == digit, known


areas = {name: [] for name in tested[PAIRS[0]]}
for pair in PAIRS:
    for digit in pair:
        stranger, known = split(pair, digit)
        for name, values in tested[pair].items():
            areas[name].append(auc(values[stranger], values[known]))

# %% tags=["figure"]
# ROC curves for the digit 2, which its detector has never seen
figure, ax = plt.subplots(figsize=(6.5, 4.8))
STYLES = {"squared error": (1, "-"), "−ELBO": (4, "-"), "distance in code": (3, "-")}
STYLES |= {"PCA error": (0, "--"), "white pixels": (2, ":")}
stranger, known = split(PAIRS[1], 2)
for name, (color, style) in STYLES.items():
    values = tested[PAIRS[1]][name]
    truth = torch.cat([torch.ones(int(stranger.sum())), torch.zeros(int(known.sum()))])
    false, caught, _ = roc_curve(truth, torch.cat([values[stranger], values[known]]).cpu())
    label = f"{name}: AUC {areas[name][2]:.2f}"
    ax.plot(false, caught, color=plots.COLORS[color], linestyle=style, label=label)
ax.plot([0, 1], [0, 1], color="0.7", lw=1)
ax.set(
    title="Is this a digit that I know? The stranger is the 2",
    xlabel="false alarms (share of the known digits)",
    ylabel="strangers caught (share of the 2s)",
)
ax.legend(loc="lower right")
plots.show(
    figure,
    alt="Five ROC curves. Squared error, −ELBO and distance in code rise steeply at the left, far above the diagonal; the PCA "
    "error runs below them; the number of white pixels stays near the diagonal.",
)

# %% tags=["claim"]
for name in ("squared error", "−ELBO", "distance in code"):
    assert areas[name][2] > 0.8, f"a 2 should be found by the {name}: {areas[name][2]:.2f}"
assert abs(areas["white pixels"][2] - 0.5) < 0.2, "ink alone should not find a 2"
assert areas["−ELBO"][2] > areas["PCA error"][2], "the VAE should beat PCA here"

# %% [markdown]
# That looks like a success: nobody told the model what a 2 is, and yet most of them stand out, more clearly than by PCA.
#
# ## 3 · Every digit in its turn
#
# **Predict.** For which of the ten digits will the −ELBO fail?

# %% tags=["figure", "hero"]
# How well each score finds each digit that the detector has never seen
figure, ax = plt.subplots(figsize=(9, 4.2))
for number, (name, (color, _)) in enumerate(STYLES.items()):
    places = torch.arange(10) + 0.13 * (number - 2)
    marker = "osD^x"[number]
    ax.plot(places, areas[name], marker, color=plots.COLORS[color], label=name, ms=7)
ax.axhline(0.5, color="0.5", lw=1, linestyle=":")
ax.text(-0.45, 0.51, "a coin", color="0.3")
ax.set(
    title="A VAE meets a digit it has never seen: found, or not?",
    xlabel="the digit that was hidden in training",
    ylabel="AUC (1: always found)",
    xticks=range(10),
    ylim=(-0.03, 1.03),
)
ax.legend(loc="lower right", ncol=2)
plots.show(
    figure,
    alt="For each of ten hidden digits, the AUC of five scores. Most digits lie between 0.6 and 0.95. For the digit 1, squared "
    "error, −ELBO and PCA error fall to almost 0, as does the number of white pixels; the distance in code stays above them.",
)
mean = {name: sum(values) / 10 for name, values in areas.items()}
for name, values in areas.items():
    print(
        f"{name:17} mean AUC {mean[name]:.2f}, lowest {min(values):.2f}, digit 1: {values[1]:.2f}"
    )

# %% tags=["claim"]
for name in ("squared error", "−ELBO", "white pixels"):
    assert areas[name][1] < 0.2, f"a 1 should look more normal than the rest: {name}"
assert areas["distance in code"][1] > areas["−ELBO"][1] + 0.3
others = [area for digit, area in enumerate(areas["−ELBO"]) if digit != 1]
assert min(others) > 0.5 and areas["−ELBO"][1] == min(areas["−ELBO"])
assert mean["−ELBO"] > mean["white pixels"]

# %% [markdown]
# The 1 is not merely missed. Its AUC is close to 0, so a 1 mostly gets a *better* score than the digits that the model
# was trained on. Turn the score around, and it would be an excellent detector; but we only know that because we have seen the answer.
#
# ## 4 · Simple pictures are likely pictures
#
# Look at the last row of the legend: the mere number of white pixels does the same. A 1 has little ink, few edges, and so few pixels
# that a decoder could be unsure of, while every bend of an 8 costs nats. Let us push it further with pictures that nobody would
# call normal. The lower half of a digit is lost in the scanner; the sheet is empty; then letters and chest X-rays,
# which the course has drawn (if you have PneumoniaMNIST, the X-rays are real).
#
# **Predict.** Which of these will be more likely than a digit, and which less?

# %%
first = PAIRS[0]
detector = detectors[first]
ones, known = split(first, 1)
half = test_set.floats[known].clone()
half[:, :, 14:] = 0
far = {
    "1s, never seen": test_set.floats[ones],
    "lower half lost": half,
    "empty sheets": torch.zeros(200, 1, 28, 28, device=device),
    "letters": render_letters(300, size=28).binarized().floats.to(device),
    "X-rays": load_xrays("test").subset(slice(0, 300)).binarized().floats.to(device),
}
normal = {name: values[known] for name, values in tested[first].items()}
far_scores = {name: scores(detector, images) for name, images in far.items()}

# %% tags=["figure"]
# Nats of the digits that were in training, and of what is no such digit
groups = {"known digits": normal["−ELBO"]} | {n: s["−ELBO"] for n, s in far_scores.items()}
figure, ax = plt.subplots(figsize=(9, 3.9))
for row, values in enumerate(groups.values()):
    low, middle, high = (values.quantile(share).item() for share in (0.05, 0.5, 0.95))
    color = plots.COLORS[1 if row == 0 else 4]
    ax.plot([low, high], [row, row], color=color, lw=6, alpha=0.45, solid_capstyle="butt")
    ax.plot(middle, row, "o", color=color, ms=9)
ax.axvline(normal["−ELBO"].median().item(), color=plots.COLORS[1], lw=1, linestyle=":")
ax.set(
    title="What the model finds likely (dot: median; bar: the middle 90%)",
    xlabel="−ELBO (nats per image, logarithmic scale): to the left is more likely",
    xscale="log",
    yticks=range(len(groups)),
    yticklabels=groups,
    ylim=(len(groups) - 0.5, -0.5),
)
ax.set_xticks(ticks := (50, 100, 200, 500, 1000, 2000, 5000), map(str, ticks))
ax.minorticks_off()
plots.show(
    figure,
    alt="Six rows of ranges of −ELBO on a logarithmic axis. Empty sheets, unseen 1s and digits with the lower half lost lie to "
    "the left of the known digits, so they count as more likely; letters lie a little to the right, X-rays far to the right.",
)
print("AUC of" + 16 * " " + "".join(f"{name:>18}" for name in far))
for name in normal:
    row = [auc(far_scores[kind][name], normal[name]) for kind in far]
    print(f"{name:22}" + "".join(f"{area:18.2f}" for area in row))

# %% tags=["claim"]
level = {name: values.median() for name, values in groups.items()}
for name in ("1s, never seen", "lower half lost", "empty sheets"):
    assert level[name] < level["known digits"], f"{name} should count as more likely"
found = {kind: auc(values["−ELBO"], normal["−ELBO"]) for kind, values in far_scores.items()}
assert found["empty sheets"] < 0.1, f"an empty sheet should look normal: {found}"
assert found["X-rays"] > 0.95 and found["letters"] > 0.5, f"busier pictures: {found}"

# %% [markdown]
# An empty sheet is the likeliest of all, although no training digit looked like it, and a digit that has lost its half costs less than a whole
# one. Only what is busier than digits is found: X-rays always, letters a little more often than not. Our small model is not alone in this.
# Nalisnick and others ([2019](https://arxiv.org/abs/1810.09136)) found that flows, VAEs and PixelCNNs trained on photographs of animals
# and cars give a *higher* likelihood to house numbers, which are smoother; and those trained on clothes prefer digits.
#
# There is no contradiction in it. **Likely is not the same as typical.** Take a die that is loaded a little towards the six, and throw it a
# hundred times: the single most likely result is a hundred sixes, and you will never see it. A density is high at one point, while most of what
# happens is spread over very many less likely ones. In 784 dimensions the same holds, only more so.
#
# ## 5 · What helps
#
# If normal digits cost *about so many* nats, then far fewer are as suspicious as far more. The **typicality** of a picture is
# how far its nats lie from the median of normal ones (after Nalisnick and others, [2019](https://arxiv.org/abs/1906.02994), who
# test groups of pictures). The median has to come from training digits, because a detector sees nothing else.


# %%
def untypical(detector, nats):
    """How far the nats (N,) of pictures lie from the median of normal ones."""
    usual = detector.nats(detector.normal[:1000]).median()
    return (nats - usual).abs()


areas["typicality"] = []
for pair in PAIRS:
    values = untypical(detectors[pair], tested[pair]["−ELBO"])
    for digit in pair:
        stranger, known = split(pair, digit)
        areas["typicality"].append(auc(values[stranger], values[known]))
normal["typicality"] = untypical(detector, normal["−ELBO"])
for kind in far:
    nats = far_scores[kind]["−ELBO"]
    far_scores[kind]["typicality"] = untypical(detector, nats)

# %% tags=["figure"]
# All scores: ten unseen digits, and four kinds of strange pictures
kinds = list(far)[1:]
print(f"{'AUC':18}{'mean of 10':>12}{'lowest':>8}", *(f"{kind:>16}" for kind in kinds))
for name in ("−ELBO", "typicality", "distance in code", "squared error", "PCA error"):
    row = [auc(far_scores[kind][name], normal[name]) for kind in kinds]
    text = f"{name:18}{sum(areas[name]) / 10:12.2f}{min(areas[name]):8.2f}"
    print(text, *(f"{area:16.2f}" for area in row))

# %% tags=["claim"]
assert areas["typicality"][1] > 0.6, "a 1 should be untypical"
assert sum(areas["typicality"]) / 10 < mean["−ELBO"] + 0.1
dearer = [d for d in range(10) if d != 1 and areas["typicality"][d] < areas["−ELBO"][d]]
assert len(dearer) >= 7, "two-sidedness should cost something where one side was right"
assert auc(far_scores["empty sheets"]["typicality"], normal["typicality"]) > 0.8
assert min(areas["distance in code"]) > 0.4, "never far below a coin"
assert min(areas["distance in code"]) > min(areas["−ELBO"]) + 0.3
empty = {n: auc(far_scores["empty sheets"][n], normal[n]) for n in normal}
assert empty["typicality"] > empty["distance in code"] > empty["−ELBO"]

# %% [markdown]
# Typicality finds the empty sheet and most 1s, but it pays for looking both ways: digits that were found because they cost *more* are
# now found less often. The distance in code does not ask how many nats a picture costs, but whether anything like it was there. So no digit
# turns it upside down, and yet the empty sheet, which the encoder puts among the digits, is found better by typicality. No row wins everywhere.
#
# So if you build a detector:
#
# - **Say what you are looking for.** An anomaly that is busier than normal pictures is easy for a likelihood, and a simpler one
#   turns it upside down.
# - **Try more than one kind of stranger**, and show the ROC curve for each. Had we only tried the 2, we would have stopped in section 2.
# - **Compare with something silly**, such as the number of white pixels. If that does equally well, the model has not been needed.
# - **Set the threshold on normal pictures that were not in training**, from the rate of false alarms that you can afford.
#
# Back to [lesson 14](../14_where_next.ipynb).
