# %% [markdown]
# # Deeper · Bias in the data, and who lives in the model
#
# Is what is rare in the photographs even rarer among the people that a model makes up? It looks like an easy thing to
# count. This page counts, then asks whether the count can be believed, and ends with a kind of data in which bias can
# be switched on and off. You need sections 1, 2 and 6 of [lesson 10](../10_a_vae_for_faces.ipynb).

# %%
import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F

from vae_helpers import plots
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import load_faces, render_portraits
from vae_helpers.device import pick_device, seed_everything
from vae_helpers.evaluate import decode_all, encode_all

plots.use_course_style()
device = pick_device()
seed_everything(1)
faces, face_codes, judge = (
    load_pretrained(name).to(device) for name in ("faces", "face_codes", "face_judge")
)

# %% [markdown]
# ## 1 · Five hundred people, and a judge
#
# We draw 500 codes from the mixture that belongs to the shipped model, decode them, and let `face_judge` name their
# labels. This classifier learnt from the same photographs as the model, but from the photographs only, and it never
# saw a picture made by a VAE.
#
# Can we trust its answers? It learnt from sharp photographs, and samples are soft. So we need a **control**: we make
# the same 500 samples a little softer still, and ask again. These are the same people. A judge that can be trusted
# here must give the same answers.
#
# **Predict.** Which labels will change, if any, when nothing changes but the sharpness?

# %%
celeba = {  # share of each label in all 202,599 photographs
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
    return {name: shares[name] for name in celeba}


samples = decode_all(faces, face_codes.sample(500)).cpu()
softer = F.interpolate(F.avg_pool2d(samples, 2), scale_factor=2, mode="bilinear")
answers = {
    "labels of CelebA": celeba,
    "samples": judged_shares(samples),
    "the same, softer": judged_shares(softer),
}

# %%
# Where photographs are at hand: what does the judge see in their reconstructions?
test_set = load_faces("test").subset(slice(0, 1_000))
photographs = test_set.source == "CelebA"
if photographs:
    rebuilt = decode_all(faces, encode_all(faces, test_set.floats)).cpu()
    answers["reconstructed photographs"] = judged_shares(rebuilt)

# %% tags=["figure"]
# Three samples and their softer versions
plots.show(
    plots.image_rows(
        {"samples": samples[:4], "softer": softer[:4]}, "The same people, a little softer"
    ),
    alt="Four made-up faces, and below them the same faces slightly blurred.",
)

# %% tags=["figure"]
# What the judge sees
figure, ax = plt.subplots(figsize=(8.5, 4.8))
places, height = torch.arange(len(celeba)), 0.8 / len(answers)
colors = ("0.6", plots.COLORS[1], plots.COLORS[6], plots.COLORS[2])
for row, ((name, answer), color) in enumerate(zip(answers.items(), colors)):
    percent = [100 * share for share in answer.values()]
    ax.barh(places + (row - 1) * height, percent, 0.9 * height, color=color, label=name)
ax.set_yticks(places, list(celeba))
ax.invert_yaxis()
ax.set(title="What the judge sees in 500 samples", xlabel="share (%)", xlim=(0, 100))
ax.legend(loc="lower right")
plots.show(
    figure,
    alt="Bars for nine labels: their share in CelebA, what the judge sees in 500 samples, and what it sees in the same "
    "samples made softer. For several labels the answer changes strongly with the softness.",
)
changes = {
    name: answers["the same, softer"][name] - answers["samples"][name] for name in celeba
}
print("change by softness alone, in percentage points:")
for name, change in sorted(changes.items(), key=lambda item: -abs(item[1])):
    print(f"  {name:14}{100 * change:+6.1f}   (samples minus CelebA: {100 * (answers['samples'][name] - celeba[name]):+.1f})")  # fmt: skip

# %% tags=["claim"]
assert max(abs(change) for change in changes.values()) > 0.08, "softness alone should count"
assert answers["samples"]["Wearing_Hat"] < celeba["Wearing_Hat"]
assert answers["samples"]["Young"] > celeba["Young"]
assert answers["samples"]["Eyeglasses"] < celeba["Eyeglasses"] + 0.02
if photographs:
    rebuilt_answer = answers["reconstructed photographs"]
    gap = [
        sum(abs(answers[a][n] - rebuilt_answer[n]) for n in celeba)
        for a in ("samples", "labels of CelebA")
    ]
    assert gap[0] < 1.5 * gap[1], (
        "much of the difference should be there before any sample is drawn"
    )

# %% [markdown]
# The second column of the print-out would have made a fine headline about "AI's people", all young and never with a
# hat. The first column spoils it. The same people, a little softer, and for some labels the judge changes its mind by
# as many points as the headline would report. So it judges the softness as much as the people, and the samples were soft to
# begin with. For other labels the answer hardly changes, but that does not prove it right: thin glasses or wrinkles
# may have been gone before we made anything softer.
#
# From this figure nobody can tell how much comes from the bias of the data, how much from the blur, and how much from
# a judge out of its depth. Two things are worth taking along. **Blur is not neutral**: it can take away thin glasses
# or wrinkles, and anyone with neither loses nothing. And a measurement without a control is only a story.
#
# ## 2 · Data in which bias can be switched on
#
# With faces that a program draws we can do what nobody can do with photographs: ask for a correlation, and leave
# everything else as it was. Here *Smiling* and *Eyeglasses* get a correlation of 0.6.
#
# **Predict.** What will happen to the correlation of *Smiling* and *Wearing_Hat*?

# %%
plain = render_portraits(2_000, size=16)
biased = render_portraits(2_000, size=16, correlations={("Smiling", "Eyeglasses"): 0.6})


def correlation(images, a, b):
    return torch.corrcoef(torch.stack([images.attribute(a), images.attribute(b)]).float())[
        0, 1
    ].item()


found = {
    (name, pair): correlation(images, *pair)
    for name, images in (("plain", plain), ("biased", biased))
    for pair in (("Smiling", "Eyeglasses"), ("Smiling", "Wearing_Hat"))
}
for (name, pair), value in found.items():
    print(f"{name:8}{' and '.join(pair):26}{value:+.2f}")

# %% tags=["claim"]
assert abs(found["biased", ("Smiling", "Eyeglasses")] - 0.6) < 0.07
assert abs(found["plain", ("Smiling", "Eyeglasses")]) < 0.07
assert abs(found["biased", ("Smiling", "Wearing_Hat")]) < 0.07, "and no other pair"

# %% [markdown]
# Only the pair that was asked for goes together. Train a model on each set, and every difference between the two
# comes from the bias, because nothing else differs. Lesson 11 makes use of this, where a smile that is learnt from
# biased faces puts glasses on people.
#
# Back to [lesson 10 · A VAE for faces](../10_a_vae_for_faces.ipynb).
