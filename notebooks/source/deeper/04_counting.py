# %% [markdown]
# # Deeper · Counting: what a convolution saves, and what it costs
#
# [Lesson 04](../04_the_convolutional_autoencoder.ipynb) compared networks with equally many weights, and the
# convolutional one won. But it took longer. This page counts: parameters, multiplications, seconds, and the sizes of
# images on their way through the layers. In the end it asks whether one single number among tens of thousands can
# matter.

# %%
import itertools

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.signal import convolve2d
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from vae_helpers import checks, plots, widgets
from vae_helpers.data import load_digits
from vae_helpers.device import budget, seed_everything
from vae_helpers.models import ConvAutoencoder, DenseAutoencoder
from vae_helpers.train import fit, measure

plots.use_course_style()
seed_everything(0)
train_set = load_digits("train").subset(slice(0, budget(cpu=3_500, gpu=10_000)))
valid_set = load_digits("valid").subset(slice(0, 500))
digit = valid_set.floats[:1]

# %% [markdown]
# ## 1 · Parameters
#
# ### Your turn · What weight sharing saves (4 min)
#
# How many parameters (weights and biases) has a convolutional layer with `channels_in` input channels, `channels_out`
# output channels and kernels of `kernel` × `kernel`? It will be used on images of `height` × `width`. You will not
# need everything that you are given.


# %% tags=["exercise"]
def my_count(channels_in, channels_out, kernel, height, width):
    count = ...  # your code here
    return count


verdict = checks.convolution_parameters(my_count)
count_of = verdict.working
verdict


# %% tags=["solution"]
def my_count(channels_in, channels_out, kernel, height, width):
    weights_per_output_channel = channels_in * kernel * kernel
    return channels_out * (weights_per_output_channel + 1)


# %% [markdown]
# Compare two ways from a digit of 28 × 28 to 16 channels of 14 × 14:

# %%
as_convolution = count_of(1, 16, 4, 28, 28)  # 16 kernels of 4 × 4, stride 2
as_dense = sum(p.numel() for p in nn.Linear(28 * 28, 16 * 14 * 14).parameters())
print(f"convolutional layer: {as_convolution:9,d} parameters")
print(f"dense layer:         {as_dense:9,d} parameters")

# %% tags=["claim"]
layer = nn.Conv2d(1, 16, kernel_size=4, stride=2, padding=1)
assert as_convolution == sum(p.numel() for p in layer.parameters())
assert as_dense > 5000 * as_convolution, "windows and shared weights should save thousands"

# %% [markdown]
# The saving is a factor of thousands, and it has two sources. Each output number looks at $4 \cdot 4 = 16$ pixels
# instead of 784, which saves a factor of 49. And all $14 \cdot 14 = 196$ places of a channel share one kernel, which
# saves another factor of 196. (Together they are 9,604; the biases change it a little.) It is not for free: the
# convolution can only look at its window, and must treat all places alike. For images that is a good bet. For numbers
# without any order, such as a patient's blood values, it would be a bad one.
#
# ## 2 · Sizes there and back
#
# A convolution makes $\lfloor (n + 2p - k)/s \rfloor + 1$ numbers from $n$. The way back follows from the stamps: $n$
# of them, with gaps of $s$ between their starts; the last one is $k$ wide; padding is cut off on both sides.
#
# ### Your turn · The size after a transposed convolution (4 min)
#
# PyTorch has one more setting, `output_padding`: the result keeps so many more rows at the bottom and columns at the
# right. (If padding cuts some off, it cuts off so many less; beyond that, they are zeros plus the bias.) Write the
# size. The calculator below will use your function.


# %% tags=["exercise"]
def my_transposed_size(n, kernel, stride, padding, output_padding):
    size = ...  # your code here
    return size


verdict = checks.transposed_size(my_transposed_size)
transposed_size = verdict.working
verdict


# %% tags=["solution"]
def my_transposed_size(n, kernel, stride, padding, output_padding):
    gaps, last_stamp, cut_off = (n - 1) * stride, kernel, 2 * padding
    return gaps + last_stamp - cut_off + output_padding


# %% tags=["figure"]
# A calculator for both directions: drag, and look for settings with which an image comes back in its own size


def output_size(n, kernel, stride, padding):
    return (n + 2 * padding - kernel) // stride + 1


def draw_calculator(n, kernel, stride, padding):
    """The windows of a convolution, and the sizes on the way there and back."""
    figure, ax = plt.subplots(figsize=(8, 4.4))
    smaller = output_size(n, kernel, stride, padding)
    if smaller < 1:
        ax.set_axis_off()
        ax.text(0.5, 0.5, "The kernel is larger than the padded image.", ha="center")
        return figure
    last = (smaller - 1) * stride - padding + kernel - 1
    for pixel in range(-padding, n + padding):
        inside = 0 <= pixel < n
        unseen = inside and (
            pixel > last or (kernel < stride and (pixel + padding) % stride >= kernel)
        )
        color = plots.COLORS[4] if unseen else plots.COLORS[6] if inside else "white"
        ax.add_patch(
            plt.Rectangle((pixel - 0.45, -0.4), 0.9, 0.8, facecolor=color, edgecolor="0.4")
        )
        ax.text(pixel, 0, "" if inside else "0", ha="center", va="center", color="0.4")
    for window in range(smaller):
        left = window * stride - padding - 0.45
        ax.barh(window + 1, kernel - 0.1, left=left, height=0.6, color=plots.COLORS[1])
    back = transposed_size(smaller, kernel, stride, padding, 0)
    ax.set(
        title=f"convolution: {n} → {smaller}\n"
        f"transposed convolution, same settings: {smaller} → {back}\n"
        f"with output_padding = {n - back}: {smaller} → {n}",
        xlabel="pixel along one side (red: under no window)",
        ylabel="number of the window",
        xlim=(-padding - 0.7, n + padding - 0.3),
        ylim=(smaller + 0.7, -0.7),
        yticks=range(1, smaller + 1, 1 + smaller // 12),
    )
    return figure


widgets.explore(
    draw_calculator, n=(4, 32, 12), kernel=(1, 7, 3), stride=(1, 4, 2), padding=(0, 3, 1)
)

# %% tags=["figure"]
# The calculator at 12 pixels, kernel 3, stride 2, padding 1
plots.show(
    draw_calculator(12, 3, 2, 1),
    alt="A row of twelve pixels with a padded zero on either side and six windows of width three below it, two pixels apart. "
    "The title says that the convolution leads from 12 to 6 and the transposed one from 6 to 11.",
)

# %% tags=["claim"]
for n, k, s, p in itertools.product(range(4, 33), range(1, 8), range(1, 5), range(4)):
    smaller = output_size(n, k, s, p)
    if smaller >= 1:
        missing = n - transposed_size(smaller, k, s, p, 0)
        assert 0 <= missing < s, "output_padding should be less than the stride"
        assert missing == (n + 2 * p - k) % s, "it should be what rounding down threw away"
assert output_size(27, 3, 2, 1) == output_size(28, 3, 2, 1) == 14

# %% [markdown]
# With kernel 3, stride 2 and padding 1, both 27 and 28 pixels become 14, because the formula rounds down. So from the
# size of the output one cannot tell the size of the input, and `output_padding` answers the question that rounding
# left open. What is missing is always less than the stride; PyTorch refuses an `output_padding` that is neither
# smaller than the stride nor than the *dilation*, the spacing of a kernel's weights, which is 1 in this course.
#
# ## 3 · How far does a neuron see?
#
# An output number of one 3 × 3 layer depends on 3 × 3 pixels. From one layer to the next, the **receptive field**
# grows by $(k - 1)$ steps, where a step is one pixel at first, two behind a layer with stride 2, four behind two of
# them, and so on. To measure the field, we ask for the slopes of one output number: every pixel with a slope is seen.


# %%
def receptive_field(layers):
    """Width in pixels; `layers` are (kernel, stride), from the image on."""
    width, step = 1, 1
    for kernel, stride in layers:
        width += (kernel - 1) * step
        step *= stride
    return width


def measured_field(layers):
    """The same, measured: which pixels have a slope, seen from one number in the middle?"""
    pixels = torch.zeros(1, 1, 99, 99, requires_grad=True)
    values = pixels
    for kernel, stride in layers:
        values = F.conv2d(values, torch.ones(1, 1, kernel, kernel), stride=stride)
    middle = values.shape[-1] // 2
    values[0, 0, middle, middle].backward()
    return int((pixels.grad[0, 0] != 0).any(0).sum())


fields = {s: [receptive_field([(3, s)] * depth) for depth in range(1, 5)] for s in (1, 2)}
seen = {s: [measured_field([(3, s)] * depth) for depth in range(1, 5)] for s in (1, 2)}
print(f"3 × 3, stride 1: {fields[1]} pixels after 1, 2, 3, 4 layers; measured {seen[1]}")
print(f"3 × 3, stride 2: {fields[2]} pixels after 1, 2, 3, 4 layers; measured {seen[2]}")

# %% tags=["figure"]
# What one number sees behind one to four layers with stride 2, drawn on a digit
figure, axes = plt.subplots(1, 2, figsize=(8, 4.2))
for ax, (stride, widths) in zip(axes, fields.items()):
    plots.draw_image(ax, digit[0])
    for depth, width in enumerate(widths, 1):
        corner = 13.5 - width / 2
        square = plt.Rectangle((corner, corner), width, width, fill=False, linewidth=2.5)
        square.set(edgecolor=plots.COLORS[(2, 6, 3, 4)[depth - 1]], clip_on=False)
        ax.add_patch(square)
    ax.set_title(f"stride {stride}: {', '.join(map(str, widths))} pixels")
    ax.set(xlim=(-2.5, 29.5), ylim=(29.5, -2.5))
plots.show(
    figure,
    alt="Two copies of a digit with four nested squares each. With stride 1 the squares grow slowly, from 3 to 9 pixels. With "
    "stride 2 they about double each time, and the fourth is wider than the image.",
)

# %% tags=["claim"]
assert fields == seen, "the rule should agree with the measurement"
assert fields[2][-1] > 28

# %% [markdown]
# With stride 1 the field grows by two pixels per layer. With stride 2 it about doubles each time, and after four
# layers it is wider than our images. So an encoder with strides gets from strokes to whole digits in few layers.
#
# ## 4 · Shifting, and flipping
#
# A convolution should be **equivariant**: to shift and then convolve is to convolve and then shift. We measure it for
# a convolution whose border wraps around as `roll` does (`padding_mode="circular"`), and for a dense layer; both have
# random weights. And we compare with SciPy, which keeps the mathematicians' definition of a convolution.

# %%
convolution = nn.Conv2d(1, 1, kernel_size=5, padding=2, padding_mode="circular")
dense = nn.Sequential(nn.Flatten(), nn.Linear(784, 784), nn.Unflatten(1, (1, 28, 28)))
broken = {}
with torch.no_grad():
    for name, layer in {"convolution": convolution, "dense layer": dense}.items():
        before, after = layer(digit), layer(digit.roll(4, dims=-1))
        broken[name] = ((after - before.roll(4, dims=-1)).norm() / before.norm()).item()
        print(f"{name:12s} shifted before or after: relative difference {broken[name]:.0e}")

kernel = torch.tensor([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]])
scipys = convolve2d(digit[0, 0], kernel, mode="valid")
ours = F.conv2d(digit, kernel[None, None])[0, 0].numpy()
flipped = F.conv2d(digit, kernel.flip(0, 1)[None, None])[0, 0].numpy()
print(f"SciPy against PyTorch: same kernel {np.abs(scipys - ours).max():.1f}, ", end="")
print(f"flipped kernel {np.abs(scipys - flipped).max():.1f}")

# %% tags=["claim"]
assert broken["convolution"] < 1e-5, "a convolution should commute with moving"
assert broken["dense layer"] > 0.5, "a dense layer should not"
assert np.allclose(scipys, flipped, atol=1e-5) and not np.allclose(scipys, ours, atol=1e-5)

# %% [markdown]
# The convolution commutes with shifts up to rounding, and the dense layer does not at all. SciPy gives other numbers
# than PyTorch, and the same once the kernel is **flipped**, top to bottom and left to right: in mathematics a
# convolution flips first, and what PyTorch computes is called **cross-correlation**. A network would simply learn the
# flipped weights.
#
# ## 5 · Multiplications and seconds
#
# Parameters cost memory, multiplications cost time. `FlopCounterMode` counts them while a model runs.


# %%
def multiplications(model):
    """Multiplications for one image, on the way to the code and back."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.cpu()(digit)
    return counter.get_total_flops() // 2  # it counts a multiplication and an addition


def start_like_he(model):
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    nn.init.constant_(model.decoder[-1].bias, -2.0)
    return model


IMAGES = budget(cpu=14_000, gpu=140_000)
networks = {  # how to make it, learning rate, epochs
    "convolutional": (ConvAutoencoder, 1.5e-2, 1),
    "dense": (lambda: start_like_he(DenseAutoencoder(hidden=(42,), latent_dim=16)), 2e-2, 1),
    "dense, ten times as long": (
        lambda: start_like_he(DenseAutoencoder(hidden=(42,), latent_dim=16)), 2e-2, 10),
}  # fmt: skip
models, histories = {}, {}
for name, (make, rate, times) in networks.items():
    models[name], epochs = make(), times * IMAGES // len(train_set)
    histories[name] = fit(
        models[name], train_set, epochs=epochs, valid=valid_set, lr=rate, batch_size=64
    )

# %% tags=["figure"]
# Parameters, multiplications and seconds, and the held-out error over time
sizes = {name: sum(p.numel() for p in model.parameters()) for name, model in models.items()}
work = {name: multiplications(model) for name, model in models.items()}
final = {name: measure(model, valid_set)["loss"] for name, model in models.items()}
print(
    f"{'':26s}{'parameters':>11s}{'multiplications':>17s}{'seconds':>9s}{'held-out error':>16s}"
)
for name, history in histories.items():
    print(
        f"{name:26s}{sizes[name]:11,d}{work[name]:17,d}{sum(history.seconds):9.1f}{final[name]:16.1f}"
    )
its_dense = [
    layer for layer in models["convolutional"].modules() if isinstance(layer, nn.Linear)
]
held = (
    sum(p.numel() for layer in its_dense for p in layer.parameters())
    / sizes["convolutional"]
)
done = sum(layer.weight.numel() for layer in its_dense) / work["convolutional"]
print(
    f"the two dense layers of the convolutional network: {held:.0%} of its parameters, ",
    end="",
)
print(f"{done:.0%} of its multiplications")
figure, ax = plt.subplots(figsize=(8, 3.8))
for (name, history), color, style in zip(histories.items(), (1, 2, 2), ("-", ":", "-")):
    ax.plot(
        np.cumsum(history.seconds),
        history.valid["loss"],
        color=plots.COLORS[color],
        linestyle=style,
        linewidth=2.5,
        label=name,
    )
ax.set(xlabel="training time (seconds)", ylabel="squared error per image", ylim=(0, 60))
ax.set_title("Held-out error while they train")
ax.legend()
plots.show(
    figure,
    alt="Held-out error against training time for three autoencoders. The dense ones fall quickly and level off; the "
    "convolutional one takes longer for each step and ends lowest.",
)

# %% tags=["claim"]
assert work["convolutional"] > 5 * work["dense"], "each weight should be used many times"
assert held > 0.7 and done < 0.1, "few weights, the kernels', should do most of the work"
assert final["dense, ten times as long"] < final["dense"], "training longer should help"
assert final["convolutional"] < 0.9 * final["dense, ten times as long"], "but not enough"

# %% [markdown]
# The dense network uses each weight once per image. So do the two dense layers of the convolutional network, which
# hold most of its parameters. But each of its kernels is used at 49 or at 196 places, and these few weights do nearly
# all of the multiplications. Ten times as many epochs help the dense network, but on these few thousand digits they
# do not bring it there. With more digits to learn from, the gap may be smaller. (Why do its two curves differ from
# the start? `fit` raises the learning rate during the first tenth of a training and lowers it afterwards, and in a
# longer training both take longer.)
#
# ## 6 · One number among tens of thousands
#
# The course's convolutional autoencoder **starts dark**: its last bias begins at −2, whose logistic function is about
# the mean brightness of a digit, instead of at about 0, mid-grey. Otherwise, the first thing that training asks of
# every weight in the last layer is "darker!", and they may all overshoot into the flat part of the logistic function,
# like the hasty walker of lesson 01. Or is that only a matter of the learning rate? We train very briefly, from three
# seeds, at three rates.

# %%
early = {}
for rate in (1e-3, 5e-3, 2.5e-2):
    for name, bias in (("mid-grey", 0.0), ("dark", -2.0)):
        early[name, rate] = []
        for seed in range(3):
            seed_everything(seed)
            beginner = ConvAutoencoder()
            nn.init.constant_(beginner.decoder[-1].bias, bias)
            epochs = max(1, 3500 // len(train_set))
            fit(
                beginner,
                train_set.subset(slice(0, 3500)),
                epochs=epochs,
                lr=rate,
                seed=seed,
            )
            early[name, rate].append(measure(beginner, valid_set)["loss"])

# %% tags=["figure"]
# Held-out error after a very short training, by start and learning rate
brightness = train_set.floats.mean().item()
black = valid_set.floats.square().flatten(1).sum(1).mean().item()
print(
    f"mean brightness of a digit {brightness:.2f}, φ(−2) = {torch.sigmoid(torch.tensor(-2.0)):.2f}"
)
print(f"held-out error of a black picture: {black:.1f}")
for (name, rate), values in early.items():
    print(f"learning rate {rate:g}, {name:9s}", *(f"{value:7.1f}" for value in values))

# %% tags=["claim"]
for rate in (1e-3, 5e-3, 2.5e-2):
    assert max(early["dark", rate]) < min(early["mid-grey", rate]), "dark should be ahead"
    assert max(early["dark", rate]) < 0.9 * black, "no dark start should get stuck"

# %% [markdown]
# At every rate, all three dark starts are ahead of all three mid-grey ones after this very short training. A small
# learning rate only needs its time to make the picture dark. With the largest one, look for errors that equal that of
# a black picture: such a network has overshot, gives black for every digit, and stays there, because the slopes are
# almost 0. So the learning rate decides how bad a mid-grey start is, but the dark one is never worse here. How much
# of the difference is left after a long training? Try it.
#
# Back to [lesson 04 · The convolutional autoencoder](../04_the_convolutional_autoencoder.ipynb).
