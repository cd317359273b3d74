# %% [markdown]
# # Deeper · Two ways to make a picture larger
#
# A decoder must double height and width again and again. It can do so by a **transposed convolution**, or it can
# repeat every pixel and convolve afterwards. There are strong opinions about which is better. This page holds a fair
# contest on faces and finds out whether the choice matters, and where. You need sections 1 to 3 of
# [lesson 10](../10_a_vae_for_faces.ipynb); where checkerboards come from is the subject of
# [Checkerboards](04_checkerboards.ipynb).

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from vae_helpers import losses, plots
from vae_helpers.data import load_faces
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.models import FaceVAE
from vae_helpers.train import fit

plots.use_course_style()
device = pick_device()

# %% [markdown]
# ## 1 · What is fair?
#
# - The same faces in the same order, the same number of steps, the same loss and learning rate.
# - **About as many parameters.** A transposed 4 × 4 convolution has 16 weights for each pair of channels, and a 3 × 3
#   convolution has 9. So the model that repeats pixels gets slightly more channels.
# - **Three seeds each**, because one run of each says nothing about chance.
# - Judged on faces that were not trained on: by the error, and by the **checkerboard share**. That is the share of a
#   picture's energy (its squared deviations from the mean brightness) that alternates from one pixel to the next,
#   along rows, columns or both. The Fourier transform gives it, as the page on checkerboards explains.
#
# To make six trainings affordable, we halve the faces to 32 × 32 pixels.


# %%
def halved(images):
    """A set of faces at half the size."""
    small = F.avg_pool2d(images.floats, 2)
    return replace(images, images=small.mul(255).round().to(torch.uint8))


def checkerboard_share(images):
    """Share of the energy that alternates from pixel to pixel, two pixels at the border left out."""
    images = images[..., 2:-2, 2:-2].float()
    images = images - images.mean((-2, -1), keepdim=True)
    waves = torch.fft.fft2(images).abs().square()
    half = waves.shape[-2] // 2, waves.shape[-1] // 2
    shares = waves[..., :: half[0], :: half[1]].sum((-2, -1)) / waves.sum((-2, -1))
    return shares.mean(1)  # over the colours


small_train = halved(load_faces("train").subset(slice(0, budget(cpu=1_500, gpu=6_000))))
small_valid = halved(load_faces("valid").subset(slice(0, 500)))
own_share = checkerboard_share(small_valid.floats).mean().item()
print(
    f"{len(small_train):,} faces ({small_train.source}), shape {tuple(small_train.images.shape[1:])}"
)

# %% [markdown]
# **Predict.** Untrained transposed convolutions draw a checkerboard. What will you find in faces after one epoch, and
# at the end? Who will have the smaller error, and by how much more than one seed differs from another?

# %%
EPOCHS = budget(cpu=3, gpu=10)
contest = {  # the channels are such that both have about as many parameters
    "repeat, then convolve": {"doubling": "nearest", "channels": (17, 34, 68)},
    "transposed convolution": {"doubling": "transposed", "channels": (16, 32, 64)},
}


def watched_loss(model, images, labels):
    """The loss of lesson 10; it also records the checkerboard share of reconstructions."""
    parts = losses.negative_elbo(model, images, likelihood="gaussian", sigma="optimal")
    reconstruction = model.decode(model.encode(images)[0]).detach()
    error = (reconstruction - images).square().flatten(1).mean(1)
    return {
        "loss": parts["loss"],
        "error": error,
        "checkerboard": checkerboard_share(reconstruction),
    }


runs = {}
for name, settings in contest.items():
    for seed in range(3):
        seed_everything(seed)
        model = FaceVAE(image_shape=(3, 32, 32), latent_dim=48, **settings).to(device)
        before = checkerboard_share(model.train().sample(200)).mean().item()
        record = fit(
            model, small_train, watched_loss, epochs=EPOCHS, valid=small_valid, batch_size=32, lr=5e-3, seed=seed
        )  # fmt: skip
        runs[name, seed] = model, before, record

# %% tags=["figure"]
# The contest in numbers, and in two curves
print(f"{'':24}{'':5}{'':12}{'million multipli-':>19}{'':11}{'checkerboard':>16}")
print(
    f"{'':24}{'seed':>5}{'parameters':>12}{'cations an image':>19}{'error':>11}{'before':>8}{'after':>8}"
)
work, parameters = {}, {}
for (name, seed), (model, before, record) in runs.items():
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.decode(torch.zeros(1, model.latent_dim, device=device))
    work[name] = counter.get_total_flops() / 2e6  # it counts products and sums
    parameters[name] = sum(p.numel() for p in model.parameters())
    print(
        f"{name:24}{seed:5}{parameters[name]:12,}{work[name]:19.1f}{record.valid['error'][-1]:11.5f}"
        f"{before:8.2%}{record.valid['checkerboard'][-1]:8.2%}"
    )
print(f"{'the faces themselves':24}{'':55}{own_share:8.2%}")
figure, axes = plt.subplots(1, 2, figsize=(9.4, 3.7))
for (name, seed), (_, before, record) in runs.items():
    color, style = (1, "o-") if "repeat" in name else (4, "s--")
    look = {"color": plots.COLORS[color], "label": name if seed == 0 else None, "ms": 4}
    errors = [1000 * e for e in record.valid["error"]]
    axes[0].plot(range(1, len(errors) + 1), errors, style, **look)
    shares = [100 * s for s in [before, *record.valid["checkerboard"]]]
    axes[1].plot(range(len(shares)), shares, style, **look)
axes[0].set(
    title="Error on held-out faces",
    xlabel="epoch",
    ylabel="squared error of a number × 1000",
)
axes[0].legend(fontsize=9)
axes[0].set_ylim(0, None)
axes[1].axhline(100 * own_share, color="0.5", ls=":", label="the faces themselves")
axes[1].set(title="Checkerboard (epoch 0: samples before training)", xlabel="epoch", ylabel="share of the energy (%)", yscale="log")  # fmt: skip
axes[1].title.set_fontsize(11)
axes[1].legend(handles=axes[1].lines[-1:])
plots.show(
    figure,
    alt="Left: held-out errors of six runs fall and lie close together. Right: on a logarithmic axis the checkerboard share "
    "starts at several percent with transposed convolutions and far lower otherwise; after training all six are close "
    "to the share of the faces themselves.",
)

# %% tags=["claim"]
final = {
    kind: torch.tensor(
        [r.valid["error"][-1] for (name, _), (*_, r) in runs.items() if name == kind]
    )
    for kind in contest
}
repeat, transposed = final.values()
ratio = (transposed.mean() / repeat.mean()).item()
seeds = max((e.max() / e.min()).item() for e in final.values())
a, b = parameters.values()
assert abs(a / b - 1) < 0.03, "equally many parameters"
for (name, _), (_, before, record) in runs.items():
    assert before > 0.01 if "transposed" in name else before < 0.005, (
        "a pattern at the start"
    )
    assert record.valid["checkerboard"][-1] < 2 * own_share, "and none at the end"
assert 0.8 < ratio < 1.25, "the errors should be about the same"
assert work["repeat, then convolve"] > 1.5 * work["transposed convolution"]

# %% [markdown]
# Before training, transposed convolutions draw on checked paper. One epoch later the pattern is almost gone, and at
# the end both have about as much of it in their faces as the faces themselves have, since anything with fine detail
# has some.

# %% tags=["figure"]
# How far the two are apart, and how far seeds are
mean_errors = {
    kind: [r.valid["error"][-1] for (name, _), (*_, r) in runs.items() if name == kind]
    for kind in contest
}
for kind, found in mean_errors.items():
    print(
        f"{kind:24} mean error {sum(found) / 3:.5f}, seeds from {min(found):.5f} to {max(found):.5f}"
    )

# %% [markdown]
# Compare the difference of the two means with the spread of the seeds of one model. It is of the same size, so with
# three runs of each and this little training, nobody has won. One seed each could have named either a winner.
#
# What does differ is the work. For each pixel that comes in, a transposed convolution multiplies with 16 weights. The
# other way multiplies with 36, that is 9 for each of the four pixels that came from one.
#
# So with a loss that compares pixel by pixel it hardly matters, because a checkerboard would cost squared error
# everywhere. The strong opinions come from models that are trained to fool another network, as in
# [Curing blur](10_curing_blur.ipynb). There nothing compares pixels, so nothing pushes the pattern out, and repeating
# pixels is the safer choice ([Odena, Dumoulin and Olah, 2016](https://distill.pub/2016/deconv-checkerboard/)).
#
# Back to [lesson 10 · A VAE for faces](../10_a_vae_for_faces.ipynb).
