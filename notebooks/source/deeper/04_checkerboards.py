# %% [markdown]
# # Deeper · Checkerboards, and what a transposed convolution does not undo
#
# For years, images made by neural networks wore a fine regular pattern, as if somebody had laid a checked cloth over
# them. This page shows where the pattern comes from, measures it with a Fourier transform, and finds out whether
# training removes it. On the way it answers another question that the name "deconvolution" raises: can a convolution
# be undone? You need sections 3 and 5 of [lesson 04](../04_the_convolutional_autoencoder.ipynb).

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from vae_helpers import plots
from vae_helpers.data import load_digits
from vae_helpers.device import budget, seed_everything
from vae_helpers.models import ConvAutoencoder
from vae_helpers.train import fit

plots.use_course_style()
seed_everything(0)
train_set = load_digits("train").subset(slice(0, 10_000))
test_set = load_digits("test").subset(slice(0, 1000))


def convolve(image, kernel, padding=0):
    return F.conv2d(image[None, None], kernel[None, None], padding=padding)[0, 0]


def stamp(image, kernel, stride=1, padding=0):
    whole = image[None, None], kernel[None, None]
    return F.conv_transpose2d(*whole, stride=stride, padding=padding)[0, 0]


# %% [markdown]
# ## 1 · The transpose is not the inverse
#
# A convolution only multiplies and adds, so it is a *linear map*: a matrix. To find it, feed in an image that is 0
# everywhere and 1 at a single pixel; what comes out, flattened, is the matrix's column for that pixel. Our kernel
# holds the numbers 1 to 9, which makes it different in every direction.


# %%
def matrix_of(operation, height, width):
    """The matrix of a linear operation on images (height, width)."""
    unit_images = torch.eye(height * width).reshape(-1, height, width)
    return torch.stack([operation(unit).flatten() for unit in unit_images], dim=1)


kernel = torch.arange(1.0, 10).reshape(3, 3)
W = matrix_of(lambda x: convolve(x, kernel), 6, 6)  # 6 × 6 → 4 × 4
S = matrix_of(lambda y: stamp(y, kernel), 4, 4)  # 4 × 4 → 6 × 6
x, slopes = torch.randn(6, 6, requires_grad=True), torch.randn(4, 4)
convolve(x, kernel).backward(slopes)
print(f"S equals W transposed: {torch.equal(S, W.T)}")
difference = (x.grad - stamp(slopes, kernel)).abs().max().item()
print(f"backward() against the stamps: largest difference {difference:.0e}")

# %% tags=["figure"]
# The matrices of a convolution and of the transposed convolution
figure, axes = plt.subplots(1, 2, figsize=(9, 4.8), width_ratios=[36, 16])
for ax, matrix, title, ends in zip(
    axes,
    (W, S),
    ("convolution: W", "transposed convolution: S"),
    (
        ("pixel of the 6 × 6 image", "number of the 4 × 4 output"),
        ("number of the 4 × 4 input", "pixel of the 6 × 6 output"),
    ),
):
    drawn = ax.imshow(matrix, cmap="viridis")
    rows, columns = matrix.shape
    ax.set(title=f"{title}, {rows} × {columns}", xlabel=ends[0], ylabel=ends[1])
    ax.set(xticks=range(0, columns, 5), yticks=range(0, rows, 5))
figure.colorbar(drawn, ax=axes, label="weight", shrink=0.7)
plots.show(
    figure,
    alt="Two matrices. The convolution's is wide, 16 by 36, mostly zero, with the same nine weights in every row, each time "
    "further to the right. The transposed convolution's is tall, 36 by 16, and is its mirror image about the diagonal.",
)

# %% tags=["claim"]
y = convolve(x.detach(), kernel)
assert torch.allclose((W @ x.detach().flatten()).reshape(4, 4), y, atol=1e-4)
assert torch.equal(S, W.T), "S should be W transposed"
assert difference < 1e-4, "the slopes should be a transposed convolution"

# %% [markdown]
# Each row of $W$ holds the nine weights at the pixels of one window, and zeros elsewhere. The stamping layer's matrix
# is exactly $W^\top$. Back-propagation computes it, too: in $y = Wx$, the slopes of a loss with respect to $x$ are
# $W^\top$ times those with respect to $y$, so `backward()` through any convolution *is* a transposed convolution.
#
# Does the transpose undo the convolution? Only the inverse of a matrix does that, and $W$ has none, because it makes
# 16 numbers from 36. $W^\top$ gets the *size* back, not the content.
#
# A real **deconvolution** exists. When the Hubble space telescope was launched in 1990, its mirror had the wrong
# shape and its pictures were blurred. Such a blur is a convolution with a kernel that can be computed from the
# mirror's shape, so for three years, until astronauts brought corrective optics, astronomers *solved* for the sharp
# pictures. Let us try both with a digit. Our blur spreads each pixel into the shape of a triangle, as a bent mirror
# may, so that the transpose, whose triangle stands on its head, can be told from the blur itself. With padding, image
# and output have the same size, the matrix is square, and it has an inverse.
#
# **Predict.** What will the transposed convolution make of the blurred digit?

# %%
weights = [[0.0, 2, 0], [1, 2, 1], [2, 0, 2]]
triangle = torch.tensor(weights, dtype=torch.float64) / 10  # its sum is 1
units = torch.eye(784, dtype=torch.float64).reshape(784, 1, 28, 28)
B = F.conv2d(units, triangle[None, None], padding=1).reshape(784, 784).T

example = int((test_set.labels == 4).nonzero()[0])
sharp = test_set.floats[example].double().flatten()
blurred = B @ sharp
rounded = (blurred * 255).round() / 255  # as a file with 256 grey levels would keep it
results = {
    "digit": sharp,
    "blurred: B x": blurred,
    "transposed\nconvolution: Bᵀ B x": B.T @ blurred,
    "solved:\nB⁻¹ (B x)": torch.linalg.solve(B, blurred),
    "solved, from\n256 grey levels": torch.linalg.solve(B, rounded),
}
squared = {name: (image - sharp).square().sum().item() for name, image in results.items()}

# %% tags=["figure"]
# A digit, blurred, blurred again by the transpose, and solved; below, what the matrix does to a single point
point = torch.zeros(28, 28, dtype=torch.float64)
point[14, 14] = 1
columns = torch.stack([B @ point.flatten(), B.T @ point.flatten()]).reshape(2, 28, 28)
figure, axes = plt.subplots(2, 5, figsize=(9, 4.6), height_ratios=[1.3, 1])
for ax, (title, picture) in zip(axes[0], results.items()):
    plots.draw_image(ax, picture.reshape(1, 28, 28).clamp(0, 1))
    ax.set_title(f"{title}\nerror {squared[title]:.3g}", fontsize=9)
for ax in axes[1]:
    ax.set_axis_off()
spreads = point, columns[0], columns[1]
for ax, picture, title in zip(axes[1], spreads, ("a point", "B on it", "Bᵀ on it")):
    ax.set_axis_on()
    ax.imshow(picture[9:20, 9:20], cmap="gray", vmin=0, vmax=0.25)
    ax.set(title=title, xticks=[], yticks=[])
plots.show(
    figure,
    alt="Upper row: a digit; the digit blurred; the transposed convolution of that, blurred even more; the solution of the "
    "linear system, as sharp as the original; and the solution from rounded grey levels, covered by noise. Lower row, "
    "enlarged: a single point becomes a triangle under B and a triangle upside down under its transpose.",
)

# %% tags=["claim"]
_, once, twice, solved, from_file = squared.values()
assert not torch.equal(B, B.T), "the blur should not be symmetric"
assert twice > 1.2 * once, "the transpose should blur again"
assert solved < 1e-6, "solving should bring the digit back"
assert from_file > 10 * once, "solving should be sensitive to rounding"

# %% [markdown]
# The transposed convolution blurs a second time, now with the triangle upside down. Solving the equations brings the
# digit back as good as new. But look at the last picture: we rounded the blurred digit to 256 grey levels, as most
# picture files do, and no eye can see the difference. Yet the solution drowns in noise, because undoing a blur means
# to enlarge what the blur made small, errors included. So real deconvolution is delicate and needs additional
# knowledge of what images look like. So say "transposed convolution": a layer that makes images larger, with weights
# to be learnt.
#
# ## 2 · Where checkerboards come from
#
# Feed a perfectly flat image, ones everywhere, into a transposed convolution with stride 2. If the kernel holds ones,
# too, then each output pixel counts the stamps that lie on it.
#
# **Predict.** Kernel 3: is the output flat? Kernel 4? And if the weights of the kernel are random?

# %%
flat = torch.ones(8, 8)
random_kernel = torch.rand(4, 4, generator=torch.Generator().manual_seed(3))
enlarged = flat.repeat_interleave(2, 0).repeat_interleave(2, 1)  # every pixel becomes 2 × 2
outputs = {
    "kernel 3,\nof ones": stamp(flat, torch.ones(3, 3), stride=2)[2:14, 2:14],
    "kernel 4,\nof ones": stamp(flat, torch.ones(4, 4), stride=2)[2:14, 2:14],
    "kernel 4,\nrandom": stamp(flat, random_kernel, stride=2)[2:14, 2:14],
    "enlarge, convolve\n(kernel 4, random)": convolve(enlarged, random_kernel)[:12, :12],
}

# %% tags=["figure"]
# What becomes of a flat image
figure, axes = plt.subplots(1, 4, figsize=(9, 2.9))
for ax, (title, picture) in zip(axes, outputs.items()):
    drawn = ax.imshow(picture / picture.mean(), cmap="viridis", vmin=0.4, vmax=1.8)
    ax.set_title(title, fontsize=11)
    ax.set(xticks=[], yticks=[])
figure.colorbar(drawn, ax=axes, label="pixel ÷ mean", shrink=0.8)
plots.show(
    figure,
    alt="Outputs for a flat input. Kernel 3 with stride 2 gives a regular checkerboard. Kernel 4 of ones is flat. Kernel 4 with "
    "random weights gives a checkerboard again. Enlarging first and then convolving with the same random kernel is flat.",
)

# %% tags=["claim"]
for name in ("kernel 4,\nof ones", "enlarge, convolve\n(kernel 4, random)"):
    assert outputs[name].std() < 1e-4, "these two should stay flat"

# %% [markdown]
# With kernel 3, pixels get one, two or four stamps in turn, and a flat input becomes a **checkerboard**. With kernel
# 4, a multiple of the stride, every pixel gets equally many stamps, so the output is flat, but only if all weights
# are equal. With random weights, from which networks start, neighbouring pixels are made by different weights and
# differ again. The last way is another layer: first repeat every pixel (2 × 2 copies), then convolve with stride 1.
# Then all pixels are made by all weights, and a flat image stays flat whatever the kernel. Odena, Dumoulin and Olah
# explained all this in [2016](https://distill.pub/2016/deconv-checkerboard/).
#
# ## 3 · Measuring a pattern: the Fourier transform
#
# How much checkerboard is in an image? The **Fourier transform** writes an image as a sum of waves and says for each
# wave how strong it is. A wave's **frequency** is its number of periods per pixel. The fastest wave goes from bright
# to dark and back within two pixels, so its frequency is ½, and it is what a stride of 2 leaves. In general, stamps
# $s$ pixels apart make patterns at frequency $1/s$ and its multiples.
#
# At frequency ½ the transform simply adds up the pixels with alternating signs, $+ - + -\,\dots$, along the rows, the
# columns, or both, and only what alternates survives. Squaring gives the wave's **energy**. Our measure is the share
# of these waves in the energy of all waves, without the constant one, which is the mean brightness. In the code,
# `fft2` computes the transform, a table of waves with frequencies 0, 1/H, 2/H, … along each side; every (H ÷ 2)-th of
# them is 0 or ½.


# %%
def energy(images):
    """The energy of every wave, for images (..., H, W)."""
    images = images - images.mean((-2, -1), keepdim=True)
    return torch.fft.fft2(images).abs().square()


def checkerboard_share(images, stride=2):
    """Share of the energy at the stride's frequencies; H and W are multiples of it."""
    waves = energy(images)
    step = (images.shape[-2] // stride, images.shape[-1] // stride)
    return waves[..., :: step[0], :: step[1]].sum((-2, -1)) / waves.sum((-2, -1))


uneven = ("kernel 3,\nof ones", "kernel 4,\nrandom")
for title in uneven:
    print(
        f"{title!r:22s}: {checkerboard_share(outputs[title]):.1%} at the stride's frequency"
    )
typical = checkerboard_share(test_set.floats).mean().item()
print(f"real digits           : {typical:.2%}")
noise = torch.randn(14, 14, dtype=torch.float64)
doubled = noise.repeat_interleave(2, 0).repeat_interleave(2, 1)
print(f"pure noise, each pixel repeated: {checkerboard_share(doubled):.1e}")

# %% tags=["claim"]
assert all(checkerboard_share(outputs[title]) > 0.99 for title in uneven)
assert typical < 0.005, "digits should have next to no checkerboard"
assert checkerboard_share(doubled) < 1e-12, "pairs should cancel"

# %% [markdown]
# From a flat input, all that can be seen is checkerboard. Real digits have almost none, because their strokes are
# wider than a pixel. And the last line shows why enlarging first helps: repeated pixels come in equal pairs, and with
# signs $+ - + -$ each pair cancels, in *any* image. A convolution can then make a wave stronger or weaker, but as a
# linear layer it cannot make one that is not there, except near the border, where the padding interferes.
#
# A network is not linear, though. An activation function bends waves, and a bent slow wave contains faster ones. So
# we measure whole decoders.
#
# ## 4 · Decoders that have not learnt anything yet
#
# Each of these decoders leads from a code of 16 numbers to 7 × 7, 14 × 14 and 28 × 28 pixels, and they differ in the
# layer that doubles the size. We measure 30 of each kind with 20 random codes each, and leave out two pixels at the
# border.


# %%
def decoder_with(double):
    """An untrained decoder; `double(channels_in, channels_out)` is a layer that doubles the size."""
    return nn.Sequential(
        nn.Linear(16, 32 * 7 * 7),
        nn.ReLU(),
        nn.Unflatten(1, (32, 7, 7)),
        double(32, 16),
        nn.ReLU(),
        double(16, 1),
        nn.Sigmoid(),
    )


doubling = {
    "transposed,\nkernel 3": lambda c, d: nn.ConvTranspose2d(
        c, d, 3, 2, 1, output_padding=1
    ),
    "transposed,\nkernel 4": lambda c, d: nn.ConvTranspose2d(c, d, 4, 2, 1),
    "enlarge,\nthen convolve": lambda c, d: nn.Sequential(
        nn.Upsample(scale_factor=2), nn.Conv2d(c, d, 3, padding=1)
    ),
}

# %%
with torch.no_grad():
    made = {
        name: torch.cat([decoder_with(double)(torch.randn(20, 16)) for _ in range(30)])
        for name, double in doubling.items()
    }
made = {name: images[..., 2:-2, 2:-2] for name, images in made.items()}
shares = {name: checkerboard_share(images).mean().item() for name, images in made.items()}

# %% tags=["figure"]
# What 20 outputs of one untrained decoder have in common, and the spectrum of all
figure, axes = plt.subplots(1, 4, figsize=(9.5, 3.2), width_ratios=[1, 1, 1, 1.8])
for ax, (name, images) in zip(axes, made.items()):
    ax.imshow(images[:20, 0].mean(0))
    ax.set_title(f"{name}\n{shares[name]:.2%}", fontsize=10)
    ax.set(xticks=[], yticks=[])
frequencies = torch.arange(1, 13) / 24
for (name, images), color, style in zip(made.items(), (4, 2, 1), ("-", "--", "-")):
    along_rows = energy(images).mean((0, 1))[0, 1:13]
    axes[3].plot(
        frequencies,
        along_rows,
        color=plots.COLORS[color],
        linestyle=style,
        label=name.replace("\n", " "),
    )
axes[3].set(xlabel="frequency (periods per pixel)", ylabel="mean energy", yscale="log")
axes[3].set_title("waves along a row", fontsize=10)
axes[3].legend(fontsize=8)
plots.show(
    figure,
    alt="Mean outputs of three untrained decoders. The two with transposed convolutions show a fine pattern of lines, the one "
    "that enlarges and then convolves shows smooth blobs. In the energy spectrum the first two have a high peak at "
    "frequency one half, where the third is lowest.",
)

# %% tags=["claim"]
kernel_3, kernel_4, upsampled = shares.values()
assert min(kernel_3, kernel_4) > 0.05, (
    "transposed convolutions should start with a checkerboard"
)
assert 0 < upsampled < 0.01, "enlarging first should remove nearly all of it"

# %% [markdown]
# An untrained decoder with transposed convolutions leaves a grid on everything: a good part of its energy sits at one
# frequency, the peak at the right end of the spectrum. (The smaller peak at ¼ is the pattern of the first doubling,
# which the second one stretched.) A kernel of 4 does not help at this point. Enlarging first removes the peak, though
# not to zero, as the percentage above its picture says: the sigmoid behind the last convolution bends the waves.
#
# ## 5 · Does training remove it?
#
# Our autoencoder uses transposed convolutions too, but it starts dark and has SiLU between its layers. Does it begin
# with the same pattern as the decoders above? We measure untrained ones in three versions, then train.

# %%
EPOCHS = budget(cpu=20_000, gpu=280_000) // len(train_set)
starts = {}
for name, bias, activation in (
    ("SiLU, starting dark", -2.0, nn.SiLU),
    ("SiLU, starting mid-grey", 0.0, nn.SiLU),
    ("ReLU, starting mid-grey", 0.0, nn.ReLU),
):
    images = []
    for _ in range(30):
        beginner = ConvAutoencoder()
        nn.init.constant_(beginner.decoder[-1].bias, bias)
        for place in (2, 4):  # behind the dense layer and the first stamps
            beginner.decoder[place] = activation()
        with torch.no_grad():
            images.append(beginner.decode(torch.randn(20, 16))[..., 2:-2, 2:-2])
    starts[name] = checkerboard_share(torch.cat(images)).mean().item()
model = ConvAutoencoder()
fit(model, train_set, epochs=EPOCHS, lr=1.5e-2, batch_size=64)
with torch.no_grad():
    rebuilt = model.to("cpu")(test_set.floats)[..., 2:-2, 2:-2]
after = checkerboard_share(rebuilt).mean().item()

# %% tags=["figure"]
# The share of the checkerboard before and after training
print(f"{'untrained decoder of section 4, kernel 4':51s}{shares[list(shares)[1]]:7.2%}")
for name, share in starts.items():
    print(f"untrained ConvAutoencoder, {name:24s}{share:7.2%}")
digits_share = checkerboard_share(test_set.floats[..., 2:-2, 2:-2]).mean()
print(f"{'after training (SiLU, started dark)':51s}{after:7.2%}")
print(f"{'in the digits themselves':51s}{digits_share:7.2%}")

# %% tags=["claim"]
assert after < 0.1 * min(starts.values()), "training should remove most of it"
silu_dark, silu_grey, relu_grey = starts.values()
assert relu_grey > 2 * max(silu_dark, silu_grey), (
    "the activation function should matter most"
)

# %% [markdown]
# The untrained autoencoder has less of a pattern than the decoder of section 4, and the third version shows why: with
# ReLU it has as much. ReLU lets only positive numbers through, so the stamps lie on a bright plain and leave their
# pattern there, while behind SiLU, whose outputs are smaller and partly negative, the plain is fainter. The dark
# start hardly matters.
#
# After training the pattern is gone. A checkerboard would cost squared error in every pixel, so training removes it,
# and for digits we may keep the transposed convolution, which is cheaper: a pixel behind a transposed 4 × 4
# convolution with stride 2 is made from 4 weights per channel, and one behind a 3 × 3 convolution on the enlarged
# image from 9. Where the loss does not compare pixel by pixel, as in networks that are trained to fool another
# network, nothing forces the pattern out, and enlarging first is safer.
#
# Back to [lesson 04 · The convolutional autoencoder](../04_the_convolutional_autoencoder.ipynb).
