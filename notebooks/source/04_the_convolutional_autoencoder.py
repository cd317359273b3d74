# %% [markdown]
# # 04 · The convolutional autoencoder
#
# To the autoencoder of lesson 03, a picture is a list of 784 numbers. It does not know which
# pixels are neighbours. Here we give it that knowledge. We take apart the two layers that almost
# every image network is made of: one that makes images smaller, and one that makes them larger.
# Then we build an autoencoder from them and find out what it gains. Working through it takes about
# 70 minutes.
#
# **You will be able to**
#
# - say why a convolution suits images, and what shared weights save,
# - compute a convolution and a transposed convolution by hand, and predict the size of their
#   output,
# - explain what is transposed in a transposed convolution, and why it undoes nothing,
# - recognise a checkerboard artefact, measure it, and avoid it,
# - build a convolutional autoencoder and compare it fairly with a dense one.
#
# **It builds on** lesson 03 (the fully connected autoencoder, its bottleneck and its loss).

# %%
import itertools

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from vae_helpers import checks, plots, widgets
from vae_helpers.data import load_digits
from vae_helpers.device import seed_everything
from vae_helpers.models import DenseAutoencoder
from vae_helpers.train import fit, measure

plots.use_course_style()
seed_everything(0)

# 10,000 digits are plenty here; the embedded set is smaller and stays whole.
train_set = load_digits("train").subset(slice(0, 10_000))
valid_set = load_digits("valid").subset(slice(0, 500))
test_set = load_digits("test").subset(slice(0, 2000))

# %% [markdown]
# ## 1 · A digit moves by two pixels
#
# Take a handwritten digit and move it two pixels to the right. You would hardly notice. What does
# a network notice that sees a list of numbers?
#
# One answer is a distance. For each held-out digit we compute the squared difference, summed over
# the pixels, to its own moved copy. Then we compute the same to the most similar training digit
# **with another label**.
#
# **Predict.** Which of the two is nearer, pixel by pixel: the same digit, moved by two pixels, or
# a different digit at the same place?


# %%
def move(images, right):
    """Move images to the right; what leaves on one side comes in on the other."""
    return images.roll(right, dims=-1)


digits = valid_set.floats
others = torch.cdist(digits.flatten(1), train_set.floats.flatten(1)).square()
others[valid_set.labels[:, None] == train_set.labels] = torch.inf  # other labels only
to_other, which = others.min(1)
to_moved = (digits - move(digits, 2)).square().flatten(1).sum(1)

example = int((valid_set.labels == 4).nonzero()[0])
other = train_set.floats[which[example]]
pictures = {
    "a held-out digit": digits[example],
    f"moved by two pixels\nsquared distance {to_moved[example]:.0f}": move(
        digits[example], 2
    ),
    f"nearest with another label\nsquared distance {to_other[example]:.0f}": other,
}
figure, axes = plt.subplots(1, 3, figsize=(7.5, 3.3))
for ax, (title, picture) in zip(axes, pictures.items(), strict=True):
    plots.draw_image(ax, picture)
    ax.set_title(title, fontsize=11)
plots.show(
    figure,
    alt="A handwritten four, the same four two pixels further right, and the training digit with another label "
    "that is nearest to it in pixels, each with its squared distance from the first.",
)

farther = (to_moved > to_other).float().mean().item()
print(
    f"For {farther:.0%} of the held-out digits, their own copy two pixels away "
    "is farther than a different digit."
)
assert farther > 0.7, "moving by two pixels should upset the pixel distance"

# %% [markdown]
# For almost every digit, the moved copy is the stranger. As a list of numbers, a moved digit is a
# new digit.
#
# A dense layer has this problem. Each of its weights belongs to one pixel. What it has learnt
# about a stroke at one place says nothing about the same stroke elsewhere. It would have to learn
# every stroke at every place.
#
# The remedy is old. Look at a small part of the picture at a time, and use **the same weights at
# every place**. This is called **weight sharing**. Kunihiko Fukushima built a network this way in
# 1980, after what was then known about the visual cortex of cats. Yann LeCun trained such networks
# by gradient descent in 1989, to read postal codes on American letters. He and his colleagues
# later put MNIST together, our digits.
#
# Before we look inside, look at what it does. Below, a dense layer and a convolutional layer see a
# digit and its moved copy (by four pixels now, so that it can be seen). Both layers have random
# weights and put out 784 numbers, which we draw as a picture. Sections 2 and 3 explain the
# settings.
#
# **Predict.** One of the two layers gives for the moved digit what it gave before, moved. Which?

# %%
dense = nn.Linear(784, 784)
# "circular" wraps around at the border, as `move` does.
convolution = nn.Conv2d(1, 1, kernel_size=5, padding=2, padding_mode="circular")

digit = digits[example][None]
with torch.no_grad():
    rows = {
        name: [image, convolution(image), dense(image.flatten(1)).reshape(image.shape)]
        for name, image in {"digit": digit, "moved digit": move(digit, 4)}.items()
    }

figure, axes = plt.subplots(2, 3, figsize=(7, 4.8))
for row, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(row, images, strict=True):
        ax.imshow(image[0, 0])
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
for ax, title in zip(axes[0], ("input", "convolutional layer", "dense layer"), strict=True):
    ax.set_title(title)
plots.show(
    figure,
    alt="Two rows: a digit and the digit moved by four pixels. The output of the convolutional layer moves along with "
    "the digit. The output of the dense layer looks like noise in both rows.",
)

(_, conv_before, dense_before), (_, conv_after, dense_after) = rows.values()
conv_change = (conv_after - move(conv_before, 4)).norm() / conv_before.norm()
dense_change = (dense_after - move(dense_before, 4)).norm() / dense_before.norm()
print(
    "difference between 'move, then layer' and 'layer, then move', relative to the output:"
)
print(f"  convolutional layer {conv_change:.1e}, dense layer {dense_change:.2f}")
assert conv_change < 1e-5, "a convolution should commute with moving"
assert dense_change > 0.5, "a dense layer should not"

# %% [markdown]
# The convolution's output moved along with the digit. First moving and then convolving is the same
# as first convolving and then moving, up to rounding. This property is called **equivariance**.
# What the layer learns about a stroke, it knows at every place.
#
# The dense layer's output did not move along. It became another pattern of noise.

# %% [markdown]
# ## 2 · Convolution by hand
#
# Now we look inside. The weights of a convolution are a small grid, the **kernel** (or filter).
# Lay it on the top left corner of the image. Multiply each weight with the pixel below it, and add
# everything up. That is the first output number. Slide the kernel one pixel to the right and do it
# again. With the image $x$, the kernel $w$ of $k \times k$ weights and the output $y$:
#
# $$ y_{ij} = \sum_{a=0}^{k-1} \sum_{b=0}^{k-1} w_{ab} \, x_{i+a,\; j+b} $$
#
# Each output number is a neuron from lesson 01 that looks at a small window. All of these neurons
# have the same weights.


# %%
def convolve(image, kernel):
    """Slide a kernel (k, k) over an image (H, W): one weighted sum per place."""
    k = len(kernel)
    rows, columns = image.shape[0] - k + 1, image.shape[1] - k + 1
    output = torch.zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            window = image[i : i + k, j : j + k]
            output[i, j] = (window * kernel).sum()
    return output


# %% [markdown]
# We try it on an image of 6 × 6 pixels: dark on the left, bright on the right, with two dark rows
# at the bottom. Beside it stands the kernel.
#
# $$ x = \begin{pmatrix} 0&0&0&1&1&1 \\ 0&0&0&1&1&1 \\ 0&0&0&1&1&1 \\ 0&0&0&1&1&1 \\
# 0&0&0&0&0&0 \\ 0&0&0&0&0&0 \end{pmatrix} \qquad
# w = \begin{pmatrix} -1&0&1 \\ -1&0&1 \\ -1&0&1 \end{pmatrix} $$
#
# **Predict.** Compute two output numbers with paper and pencil: for the window whose top left
# corner is in row 2 and column 1 (counted from 0), and for one more of your choice. What kind of
# place does this kernel answer to?

# %%
image = torch.zeros(6, 6)
image[:4, 3:] = 1
kernel = torch.tensor([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]])
output = convolve(image, kernel)


def draw_numbers(ax, values, title, frame=None):
    """A grid of numbers; `frame` = (row, column, size) draws an orange square around a part."""
    ax.imshow(values, cmap="cividis")
    middle = (values.min() + values.max()) / 2
    for (i, j), value in np.ndenumerate(values.numpy()):
        color = "white" if value <= middle else "black"
        ax.text(j, i, f"{value:g}", ha="center", va="center", color=color)
    if frame:
        row, column, size = frame
        ax.add_patch(
            plt.Rectangle(
                (column - 0.5, row - 0.5),
                *(size, size),
                fill=False,
                edgecolor=plots.COLORS[2],
                linewidth=4,
                clip_on=False,
            )
        )
    rows, columns = values.shape
    ax.set(title=title, xlabel="column", ylabel="row")
    ax.set(xticks=range(columns), yticks=range(rows))


figure, axes = plt.subplots(
    1, 3, figsize=(9.5, 3.8), gridspec_kw={"width_ratios": [6, 3, 4]}
)
draw_numbers(axes[0], image, "image x, with a window", (2, 1, 3))
draw_numbers(axes[1], kernel, "kernel w")
draw_numbers(axes[2], output, "output y", (2, 1, 1))
plots.show(
    figure,
    alt="An image of six by six numbers with a window of three by three in orange, the kernel, and the output "
    "of four by four numbers, in which the number of that window has an orange frame.",
)

theirs = F.conv2d(image[None, None], kernel[None, None])[0, 0]  # PyTorch wants (N, C, H, W)
print(f"largest difference from PyTorch: {(output - theirs).abs().max():.1e}")
assert torch.equal(output, theirs), "our convolution should give PyTorch's numbers"

# %% [markdown]
# The orange window has a column of zeros under the weights $-1$, and two ones under the weights
# $+1$. So its answer is 2. The kernel answers where the image gets brighter from left to right: at
# a **vertical edge**. In the flat parts the plus and the minus cancel.
#
# Our loop gives PyTorch's numbers, every one of them. What PyTorch adds is speed.
#
# ### Is this really a convolution?
#
# In mathematics, a convolution **flips** the kernel first, top to bottom and left to right. What
# we computed is called **cross-correlation** there. SciPy keeps the mathematicians' name:

# %%
from scipy.signal import convolve2d

flipped = convolve2d(image, kernel, mode="valid")
print(f"SciPy's first row, same kernel:    {flipped[0]}")
print(f"ours, first row, same kernel:      {output[0].numpy()}")
print(f"ours, first row, flipped kernel:   {convolve(image, kernel.flip(0, 1))[0].numpy()}")
assert np.array_equal(flipped, convolve(image, kernel.flip(0, 1)).numpy())

# %% [markdown]
# For a network it makes no difference. Its weights are learnt. If the layer flipped its kernel, it
# would learn the flipped weights. It does make a difference when you compare numbers with another
# library.
#
# ### What kernels can do
#
# Before networks learnt their kernels, people designed them. Here are four designs on a real
# digit. In their four outputs, mid-grey means zero, brighter is positive and darker is negative.

# %%
kernels = {
    "vertical edges": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    "horizontal edges": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    "blur": [[1 / 9] * 3] * 3,
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
}
figure, axes = plt.subplots(1, 5, figsize=(10, 2.4))
plots.draw_image(axes[0], digits[example])
axes[0].set_title("digit")
for ax, (name, weights) in zip(axes[1:], kernels.items(), strict=True):
    answer = convolve(digits[example, 0], torch.tensor(weights))
    limit = answer.abs().max()
    ax.imshow(answer, vmin=-limit, vmax=limit)
    ax.set(title=name, xticks=[], yticks=[])
plots.show(
    figure,
    alt="A digit and four filtered versions. Two show its vertical and its horizontal edges, bright on one side and "
    "dark on the other; one is blurred; one has exaggerated borders.",
)

# %% [markdown]
# The two edge kernels answer on opposite sides of a stroke with opposite signs. The blur and the
# sharpening in photo programs are such kernels. And networks that are trained on photographs often
# find edge kernels by themselves, in their first layer.

# %% [markdown]
# ## 3 · Stride, padding, and the size of the output
#
# The output of a 3 × 3 kernel is two pixels smaller than the image. Two settings change that.
#
# - **Padding** $p$ puts $p$ rows and columns of zeros around the image, on **every** side. Then
#   the kernel can also be laid on the border.
# - **Stride** $s$ is the step of the window. With a stride of 2 the window jumps over every second
#   place, and the output has about half the size. This is how an encoder makes images smaller.
#
# Both are one line each, on top of our loop:


# %%
def convolve_with(image, kernel, stride=1, padding=0):
    """A convolution with stride and padding, (H, W) → (H', W')."""
    padded = F.pad(image, [padding] * 4)  # left, right, top, bottom
    return convolve(padded, kernel)[::stride, ::stride]


small_image, small_kernel = torch.randn(7, 8), torch.randn(3, 3)
for stride, padding in [(1, 0), (1, 1), (2, 0), (2, 1), (3, 2)]:
    ours = convolve_with(small_image, small_kernel, stride, padding)
    theirs = F.conv2d(
        small_image[None, None], small_kernel[None, None], stride=stride, padding=padding
    )[0, 0]
    print(f"stride {stride}, padding {padding}: (7, 8) → {tuple(ours.shape)}")
    assert torch.allclose(ours, theirs, atol=1e-5), "same numbers as PyTorch, please"

# %% [markdown]
# (Computing everything and then throwing most of it away is wasteful. PyTorch computes only what
# is kept. The numbers are the same.)
#
# How large is the output? Count along one side. The image has $n$ pixels, and with its padding
# $n + 2p$. The first window starts at 0. The last one must not stick out, so it starts at
# $n + 2p - k$ at the latest. From one to the other the window makes steps of $s$:
#
# $$ \text{size of the output} = \Big\lfloor \frac{n + 2p - k}{s} \Big\rfloor + 1 $$
#
# The brackets $\lfloor\;\rfloor$ mean "round down", and the $+1$ counts the first window, before
# any step. The picture shows three cases. Each bar is one window, and so one output number. Look
# for a pixel that no window reaches.


# %%
def output_size(n, kernel, stride=1, padding=0):
    """How many numbers a convolution puts out along one side."""
    return (n + 2 * padding - kernel) // stride + 1


def draw_windows(ax, n, kernel, stride, padding):
    """The windows of a convolution along one side of an image."""
    windows = output_size(n, kernel, stride, padding)
    first, last = -padding, (windows - 1) * stride - padding + kernel - 1
    for pixel in range(-padding, n + padding):
        inside = 0 <= pixel < n
        color = plots.COLORS[6] if inside else "white"
        if inside and not first <= pixel <= last:
            color = plots.COLORS[4]  # no window gets here
        ax.add_patch(
            plt.Rectangle((pixel - 0.45, -0.4), 0.9, 0.8, facecolor=color, edgecolor="0.4")
        )
        ax.text(pixel, 0, "" if inside else "0", ha="center", va="center", color="0.4")
    for window in range(windows):
        ax.barh(
            window + 1,
            kernel - 0.1,
            left=window * stride - padding - 0.45,
            height=0.6,
            color=plots.COLORS[1],
        )
    ax.set(
        title=f"n = {n}, k = {kernel}, s = {stride}, p = {padding}: {windows} outputs",
        xlabel="pixel along one side",
        xlim=(-padding - 0.7, n + padding - 0.3),
        ylim=(windows + 0.7, -0.7),
        yticks=range(1, windows + 1, 1 + windows // 12),
    )


figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.4))
for ax, setting in zip(axes, [(8, 3, 1, 0), (8, 3, 2, 1), (8, 3, 2, 0)], strict=True):
    draw_windows(ax, *setting)
axes[0].set_ylabel("number of the window")
plots.show(
    figure,
    alt="Three rows of pixels with bars below them, one bar per window. Stride 1 gives six windows. Stride 2 with "
    "padding 1 gives four, of which the first covers a padded zero. Stride 2 without padding gives three, "
    "and the last pixel, in red, is under no window.",
)

for n in range(5, 40):
    for setting in [(1, 1, 0), (3, 1, 1), (3, 2, 1), (4, 2, 1), (5, 3, 2)]:
        kernel_size, stride, padding = setting
        real = F.conv2d(
            torch.zeros(1, 1, n, n), torch.zeros(1, 1, kernel_size, kernel_size),
            stride=stride, padding=padding,
        )  # fmt: skip
        assert real.shape[-1] == output_size(n, *setting), (
            "the formula should agree with PyTorch"
        )
print(
    f"28 → {output_size(28, 3, 2, 1)} and 27 → {output_size(27, 3, 2, 1)}  (k = 3, s = 2, p = 1)"
)

# %% [markdown]
# On the right, the last pixel (in red) is under no window. A step further, the window would stick
# out. With padding, in the middle, every pixel is reached.
#
# Two things are worth remembering. With $k = 3$, $s = 1$, $p = 1$ the size stays as it is. With
# $k = 3$ or $4$, $s = 2$, $p = 1$ an even size is halved.
#
# And one thing will come back in section 5. The last line says that 27 and 28 pixels both
# become 14. Rounding down loses something: from the output's size one cannot tell the input's.
#
# ### Your turn 1 · The size of the output
#
# Write the formula without looking it up: `n` pixels along one side, then kernel size, stride and
# padding.


# %% tags=["exercise"]
def my_convolution_size(n, kernel, stride, padding):
    result = ...  # your code here
    return result


checks.convolution_size(my_convolution_size)


# %% tags=["solution"]
def my_convolution_size(n, kernel, stride, padding):
    return (n + 2 * padding - kernel) // stride + 1


# %% [markdown]
# ### How far does a neuron see?
#
# An output number of one 3 × 3 layer depends on 3 × 3 pixels. If a second layer follows, its
# windows cover 3 × 3 numbers of the first, which together saw more pixels. The part of the image
# that a number depends on is its **receptive field**.
#
# Going from one layer to the next, the field grows by $(k - 1)$ steps. A step is one pixel at
# first. Behind a layer with stride 2, neighbours are two pixels apart, behind two such layers
# four, and so on.
#
# **Predict.** How wide is the receptive field after four 3 × 3 layers with stride 1? And with
# stride 2?


# %%
def receptive_field(layers):
    """Width in pixels; `layers` are (kernel, stride), from the image on."""
    width, step = 1, 1
    for kernel_size, stride in layers:
        width += (kernel_size - 1) * step
        step *= stride
    return width


def measured_field(layers):
    """The same, measured: which pixels have a slope, seen from one number in the middle?"""
    pixels = torch.zeros(1, 1, 99, 99, requires_grad=True)
    values = pixels
    for kernel_size, stride in layers:
        values = F.conv2d(values, torch.ones(1, 1, kernel_size, kernel_size), stride=stride)
    middle = values.shape[-1] // 2
    values[0, 0, middle, middle].backward()
    return int((pixels.grad[0, 0] != 0).any(0).sum())


depths = range(1, 5)
figure, ax = plt.subplots(figsize=(6.5, 3.6))
for stride, color, marker in ((1, plots.COLORS[1], "o"), (2, plots.COLORS[4], "s")):
    widths = [receptive_field([(3, stride)] * depth) for depth in depths]
    measured = [measured_field([(3, stride)] * depth) for depth in depths]
    assert widths == measured, "the rule should agree with the measurement"
    ax.plot(depths, widths, color=color, marker=marker, label=f"3 × 3, stride {stride}")
    print(f"stride {stride}: {widths} pixels after 1, 2, 3, 4 layers; measured: {measured}")
ax.axhline(28, color="0.6", linestyle="--")
ax.text(1, 28.6, "width of a digit's image", color="0.4")
ax.set(
    title="How far one number sees",
    xlabel="layers",
    ylabel="receptive field (pixels)",
    xticks=list(depths),
    ylim=(0, 34),
)
ax.legend(loc="center left")
plots.show(
    figure,
    alt="Receptive field against the number of layers. With stride 1 it grows along a straight line to nine pixels; with "
    "stride 2 it about doubles with every layer and passes the image's width of 28 pixels at the fourth.",
)

# %% [markdown]
# With stride 1 the field grows by two pixels per layer, to 9 pixels after four. With stride 2 it
# about doubles each time. After four layers it is 31 pixels wide, wider than our images. So an
# encoder with strides gets from strokes to whole digits in few layers. The first ones see little
# more than edges, the last ones see large parts of a digit.

# %% [markdown]
# ## 4 · From a kernel to a layer
#
# One kernel finds one kind of thing. A layer has many kernels, and puts out one picture for each
# of them. These pictures are called **channels** (or feature maps). Colour images come with three
# channels: red, green and blue.
#
# Suppose the input has $C$ channels and the output shall have $D$. Then there is one kernel for
# **each pair** of an input and an output channel. An output channel adds up what its $C$ kernels
# found, and adds one bias $b_d$:
#
# $$ y_{d} = b_d + \sum_{c=1}^{C} \text{convolve}(x_c,\; w_{dc}) $$
#
# So the weights are a tensor of the shape $(D, C, k, k)$, and the biases have the shape $(D,)$.

# %%
layer = nn.Conv2d(3, 16, kernel_size=3)
for name, parameter in layer.named_parameters():
    print(f"{name:7s}{tuple(parameter.shape)}")

# %% [markdown]
# ### Your turn 2 · A whole layer
#
# Write a convolutional layer: `image` has the shape (C, H, W), `weight` (D, C, k, k) and `bias`
# (D,). `stride` is the step of the window, and there is no padding. The output has the shape
# (D, H′, W′). You may use `convolve` or `convolve_with` from above, or write the loops anew, but
# not PyTorch's `conv2d`.


# %% tags=["exercise"]
def my_convolution_layer(image, weight, bias, stride):
    result = ...  # your code here
    return result


checks.convolution_layer(my_convolution_layer)


# %% tags=["solution"]
def my_convolution_layer(image, weight, bias, stride):
    channels = []
    for kernels, b in zip(weight, bias):
        found = [convolve_with(x, w, stride) for x, w in zip(image, kernels)]
        channels.append(sum(found) + b)
    return torch.stack(channels)


# %% [markdown]
# ### Your turn 3 · What weight sharing saves
#
# How many parameters (weights and biases) has a convolutional layer with `channels_in` input
# channels, `channels_out` output channels and kernels of `kernel` × `kernel`? It will be used on
# images of `height` × `width`. You will not need everything that you are given.


# %% tags=["exercise"]
def my_count(channels_in, channels_out, kernel, height, width):
    result = ...  # your code here
    return result


checks.convolution_parameters(my_count)


# %% tags=["solution"]
def my_count(channels_in, channels_out, kernel, height, width):
    weights_per_output_channel = channels_in * kernel * kernel
    return channels_out * (weights_per_output_channel + 1)


# %% [markdown]
# Compare the two kinds of layer, from a digit of 28 × 28 to 16 channels of 14 × 14:


# %%
def count_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


as_convolution = count_parameters(nn.Conv2d(1, 16, kernel_size=4, stride=2, padding=1))
as_dense = count_parameters(nn.Linear(28 * 28, 16 * 14 * 14))
print(f"convolutional layer: {as_convolution:,} parameters")
print(f"dense layer:         {as_dense:,} parameters")
assert as_dense > 5000 * as_convolution, (
    "small windows and shared weights should save a factor of thousands"
)

# %% [markdown]
# The saving is a factor of thousands, and it has two sources. Each output number looks at
# $4 \cdot 4 = 16$ pixels and not at 784: that saves a factor of 49. And all $14 \cdot 14 = 196$
# places of a channel share one kernel: that saves another factor of 196. (Together they are 9,604.
# The biases change it a little.)
#
# It is not for free: the convolution can only look at its window, and must treat all places alike.
# For images, that is a good bet. For a list of numbers without any order, such as a patient's blood
# values, it would be a bad one.

# %% [markdown]
# ## 5 · The way back: transposed convolution
#
# A decoder has to make images larger. Which layer does that? The most common one turns the
# convolution around. The convolution **reads**: it looks through a window and writes down one
# number. The **transposed convolution stamps**: it takes one number, multiplies the whole kernel
# by it, and adds this stamp to the output. The next number's stamp goes $s$ pixels further. Where
# stamps overlap, they add up.
#
# The settings have the same names as before, and they mean the reverse:
#
# - **stride** $s$ is the distance between the stamps, so a larger stride makes a *larger* output,
# - **padding** $p$ is *cut off* on every side, because the convolution had added it there,
# - **output_padding** keeps additional rows and columns at the bottom and at the right. We will
#   see in a moment what that is good for.


# %%
def transposed_convolve(image, kernel, stride=1, padding=0, output_padding=0):
    """Stamp a kernel (k, k) once for every number of an image (H, W)."""
    k, (rows, columns) = len(kernel), image.shape
    height = (rows - 1) * stride + k + output_padding
    width = (columns - 1) * stride + k + output_padding
    output = torch.zeros(height, width)
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            output[top : top + k, left : left + k] += image[i, j] * kernel
    return output[padding : height - padding, padding : width - padding]


# %% [markdown]
# Here are four numbers, a kernel of ones and a stride of 2. The kernel is wider than the stride,
# so neighbouring stamps overlap by one column or one row.
#
# **Predict.** Which number will be in the centre of the output? (Four stamps meet there.)

# %%
four = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
ones = torch.ones(3, 3)
total = transposed_convolve(four, ones, stride=2)

figure, axes = plt.subplots(1, 4, figsize=(11, 3.4), width_ratios=[2, 5, 5, 5])
draw_numbers(axes[0], four, "input")
for ax, (i, j) in zip(axes[1:], [(0, 0), (1, 1)]):
    one = torch.zeros(2, 2)
    one[i, j] = four[i, j]
    stamp = transposed_convolve(one, ones, stride=2)
    draw_numbers(ax, stamp, f"the stamp of the {four[i, j]:g}", (2 * i, 2 * j, 3))
draw_numbers(axes[3], total, "output: all four stamps added")
plots.show(
    figure,
    alt="An input of two by two numbers; the stamp of the one, at the top left of a five by five grid; the stamp of the four, at its "
    "bottom right; and the sum of all four stamps, which is largest in the centre, where all four overlap.",
)
assert total[2, 2] == 1 + 2 + 3 + 4, "all four stamps meet in the centre"

print("largest difference from PyTorch's transposed convolution:")
stamp_kernel = torch.randn(3, 3)
for stride, padding, extra in [(1, 0, 0), (2, 0, 0), (2, 1, 0), (2, 1, 1), (3, 1, 2)]:
    ours = transposed_convolve(small_image, stamp_kernel, stride, padding, extra)
    theirs = F.conv_transpose2d(
        small_image[None, None], stamp_kernel[None, None],
        stride=stride, padding=padding, output_padding=extra,
    )[0, 0]  # fmt: skip
    print(
        f"  stride {stride}, padding {padding}, output_padding {extra}: (7, 8) → "
        f"{tuple(ours.shape)}, difference {(ours - theirs).abs().max():.1e}"
    )
    assert torch.allclose(ours, theirs, atol=1e-5), (
        "our stamps should give PyTorch's numbers"
    )

# %% [markdown]
# In the centre all four stamps meet: $1 + 2 + 3 + 4 = 10$. At the corners there is one stamp only.
# Keep this unevenness in mind. It will make trouble in section 7.
#
# The size follows from the stamps. There are $n$ of them, with $n - 1$ gaps of $s$ between their
# starts. The last one is $k$ wide. Padding is cut off twice:
#
# $$ \text{size of the output} = (n - 1)\,s - 2p + k + \text{output\_padding} $$
#
# Now to `output_padding`. A convolution with $k = 3$, $s = 2$, $p = 1$ makes 14 pixels from 27,
# and also from 28. If we want to go back from 14, where to? The formula without its last term
# says 27. With `output_padding=1` it is 28. So `output_padding` answers the question that rounding
# down left open. Of what the stamps made, it cuts off one row less at the bottom and one column
# less at the right.
#
# Here is a calculator for both directions. Drag, and look for settings with which an image comes
# back in its own size.


# %%
def draw_calculator(n, kernel, stride, padding):
    """The windows of a convolution, and the sizes on the way there and back."""
    figure, ax = plt.subplots(figsize=(8, 4.4))
    smaller = output_size(n, kernel, stride, padding)
    if smaller < 1:
        ax.set_axis_off()
        ax.text(0.5, 0.5, "The kernel is larger than the padded image.", ha="center")
        return figure
    draw_windows(ax, n, kernel, stride, padding)
    back = (smaller - 1) * stride - 2 * padding + kernel
    ax.set(
        title=f"convolution: {n} → {smaller}\n"
        f"transposed convolution, same settings: {smaller} → {back}\n"
        f"with output_padding = {n - back}: {smaller} → {n}",
        ylabel="number of the window",
    )
    return figure


widgets.explore(
    draw_calculator, n=(4, 32, 12), kernel=(1, 7, 3), stride=(1, 4, 2), padding=(0, 3, 1)
)

# %%
plots.show(
    draw_calculator(12, 3, 2, 1),
    alt="A row of twelve pixels with a padded zero on either side and six windows of width three below it, two pixels apart. "
    "The title says that the convolution leads from 12 to 6 and the transposed one from 6 to 11.",
)
sliders = itertools.product(range(4, 33), range(1, 8), range(1, 5), range(4))
for n, size, stride, padding in sliders:
    smaller = output_size(n, size, stride, padding)
    missing = n - ((smaller - 1) * stride - 2 * padding + size)
    assert smaller < 1 or 0 <= missing < stride, (
        "output_padding should be less than the stride"
    )
    assert smaller < 1 or missing == (n + 2 * padding - size) % stride, (
        "what is missing should be what rounding down threw away"
    )

# %% [markdown]
# An image comes back in its own size, without `output_padding`, if $n + 2p - k$ is a multiple of
# the stride: then there was nothing to round down. Otherwise pixels are missing, but always fewer
# than the stride. That is why PyTorch refuses an `output_padding` that is not smaller than the
# stride (or the dilation, which we do not use).
#
# ### Your turn 4 · The size after a transposed convolution
#
# Write the formula from memory, or better, from the picture of the stamps.


# %% tags=["exercise"]
def my_transposed_size(n, kernel, stride, padding, output_padding):
    result = ...  # your code here
    return result


checks.transposed_size(my_transposed_size)


# %% tags=["solution"]
def my_transposed_size(n, kernel, stride, padding, output_padding):
    gaps, last_stamp, cut_off = (n - 1) * stride, kernel, 2 * padding
    return gaps + last_stamp - cut_off + output_padding


# %% [markdown]
# ## 6 · What is transposed, and why it is not a "deconvolution"
#
# In older texts and code this layer is called "deconvolution". The name promises that it undoes a
# convolution. It does not. To see what it does, we write the convolution as a matrix.
#
# A convolution only multiplies and adds. So it is a linear map, and every linear map is a matrix:
# flatten the image to a long column $x$, and there is a matrix $W$ with $y = W x$. How do we find
# $W$? Feed in an image that is 0 everywhere and 1 at a single pixel. What comes out is the
# matrix's column for that pixel.


# %%
def matrix_of(operation, height, width):
    """The matrix of a linear operation on images (height, width)."""
    unit_images = torch.eye(height * width).reshape(-1, height, width)
    columns = [operation(unit).flatten() for unit in unit_images]
    return torch.stack(columns, dim=1)


kernel = torch.tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
W = matrix_of(lambda x: convolve(x, kernel), 6, 6)  # 6 × 6 → 4 × 4
S = matrix_of(lambda y: transposed_convolve(y, kernel), 4, 4)  # 4 × 4 → 6 × 6

figure, axes = plt.subplots(1, 2, figsize=(10, 5.4), width_ratios=[36, 16])
for ax, matrix, title, ends in zip(
    axes,
    (W, S),
    ("convolution: W", "transposed convolution: S"),
    (("pixel of the 6 × 6 image", "number of the 4 × 4 output"),
     ("number of the 4 × 4 input", "pixel of the 6 × 6 output")),
    strict=True,
):  # fmt: skip
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

x = torch.randn(6, 6)
y = convolve(x, kernel)
assert torch.allclose((W @ x.flatten()).reshape(4, 4), y, atol=1e-4), (
    "W should be the convolution"
)
assert torch.equal(S, W.T), "S should be W transposed"
print("W @ x gives the convolution's numbers, and S equals W transposed, number by number.")

# %% [markdown]
# Each row of $W$ belongs to one window. It holds the nine weights of the kernel, at that window's
# pixels, and zeros elsewhere. From row to row the same nine weights move on. That is weight
# sharing, as a picture. (A dense layer's matrix would be full of different numbers.)
#
# And the stamping layer's matrix is exactly $W^\top$, the **transpose**: rows and columns swapped.
# Hence the name.
#
# You have used it before without knowing, when `backward()` found the receptive field. In
# $y = Wx$, the slopes of a loss with respect to $x$ are $W^\top$ times the slopes with respect to
# $y$. So `backward()` through any convolution *is* a transposed convolution:

# %%
pixels = x.clone().requires_grad_()
slopes = torch.randn(4, 4)
F.conv2d(pixels[None, None], kernel[None, None])[0, 0].backward(slopes)
difference = (pixels.grad - transposed_convolve(slopes, kernel)).abs().max()
print(f"backward() against our stamps: largest difference {difference:.1e}")
assert difference < 1e-4, "the slopes should be a transposed convolution"

# %% [markdown]
# Does the transpose undo the convolution? Only the *inverse* of a matrix does that, and $W$ has
# none: it makes 16 numbers from 36, and no layer can bring back the other 20 for every image.
# $W^\top$ gets the *size* back, not the content.
#
# A real **deconvolution** exists. When the Hubble space telescope was launched in 1990, its mirror
# had the wrong shape and its pictures were blurred. Such a blur is a convolution, with a kernel
# that can be computed from the mirror's shape. So for more than three years, until astronauts
# brought corrective optics, astronomers *solved* for the sharp pictures. Let us do both with a
# blurred digit. With stride 1 and padding 1, image and output have the same size, so the matrix is
# square (784 × 784). A square matrix may have an inverse, and this one does.
#
# **Predict.** What will the transposed convolution make of the blurred digit?

# %%
soft = torch.tensor([1.0, 2, 1], dtype=torch.float64) / 4
blur = torch.outer(soft, soft)[None, None]  # 3 × 3 weights with the sum 1
unit_images = torch.eye(784, dtype=torch.float64).reshape(784, 1, 28, 28)
B = F.conv2d(unit_images, blur, padding=1).reshape(784, 784).T

sharp = digits[example].double().flatten()
blurred = B @ sharp
rounded = (blurred * 255).round() / 255  # as a file with 256 grey levels would keep it
results = {
    "digit": sharp,
    "blurred: B x": blurred,
    "transposed\nconvolution: Bᵀ B x": B.T @ blurred,
    "solved:\nB⁻¹ (B x)": torch.linalg.solve(B, blurred),
    "solved, from\n256 grey levels": torch.linalg.solve(B, rounded),
}
figure, axes = plt.subplots(1, 5, figsize=(10.5, 3))
for ax, (title, picture) in zip(axes, results.items(), strict=True):
    plots.draw_image(ax, picture.reshape(1, 28, 28))
    ax.set_title(title, fontsize=11)
plots.show(
    figure,
    alt="Five pictures: a digit; the digit blurred; the transposed convolution of that, blurred even more; the solution of the "
    "linear system, as sharp as the original; and the solution from rounded grey levels, most of it covered by a noise of black and white pixels in turn.",
)

_, loss_blurred, loss_transposed, loss_solved, loss_rounded = (
    (picture - sharp).square().sum().item() for picture in results.values()
)
print("squared error against the sharp digit:")
print(f"  blurred {loss_blurred:.1f}, transposed {loss_transposed:.1f}, ", end="")
print(f"solved {loss_solved:.1e}, solved from 256 grey levels {loss_rounded:.1f}")
assert loss_transposed > 1.2 * loss_blurred, "the transpose should blur again"
assert loss_solved < 1e-6, "solving should bring the digit back"
assert loss_rounded > 10 * loss_blurred, "solving should be sensitive to rounding"

# %% [markdown]
# The transposed convolution blurs a second time: each of its stamps spreads one pixel over the
# neighbours. Solving the equations brings the digit back, as good as new.
#
# But look at the last picture. We rounded the blurred picture to 256 grey levels, as most picture
# files do. No eye can see that. Yet the solution drowns in noise, because undoing a blur means to
# enlarge what the blur made small, errors included. (A blur all but wipes out patterns that change
# from pixel to pixel. That is why the noise looks like one.) So real deconvolution is delicate, and
# needs additional knowledge of what images look like. (Lesson 05 learns such knowledge from
# examples.)
#
# So say "transposed convolution". It is a layer that makes images larger, with weights to be
# learnt. That is all a decoder wants.

# %% [markdown]
# ## 7 · Checkerboards
#
# Remember the uneven overlap of the stamps. Feed a perfectly flat image into a transposed
# convolution, ones everywhere, and look at what comes out. The kernel holds ones too, so the
# output counts the stamps on each pixel.
#
# **Predict.** Kernel 3, stride 2: is the output flat? And with kernel 4, stride 2? And if the
# weights of the kernel are random?

# %%
flat = torch.ones(8, 8)
generator = torch.Generator().manual_seed(3)
random_kernel = torch.rand(4, 4, generator=generator)
enlarged = flat.repeat_interleave(2, 0).repeat_interleave(2, 1)  # every pixel becomes 2 × 2
outputs = {
    "kernel 3, of ones": transposed_convolve(flat, torch.ones(3, 3), stride=2)[2:14, 2:14],
    "kernel 4, of ones": transposed_convolve(flat, torch.ones(4, 4), stride=2)[2:14, 2:14],
    "kernel 4, random": transposed_convolve(flat, random_kernel, stride=2)[2:14, 2:14],
    "enlarge, then convolve\n(kernel 4, random)": convolve(enlarged, random_kernel)[
        :12, :12
    ],
}
figure, axes = plt.subplots(1, 4, figsize=(11, 3.3))
for ax, (title, picture) in zip(axes, outputs.items(), strict=True):
    drawn = ax.imshow(picture / picture.mean(), cmap="viridis", vmin=0.4, vmax=1.8)
    ax.set(title=title, xticks=[], yticks=[])
figure.colorbar(drawn, ax=axes, label="pixel ÷ mean", shrink=0.8)
plots.show(
    figure,
    alt="Outputs for a flat input. Kernel 3 with stride 2 gives a regular checkerboard. Kernel 4 of ones is flat. Kernel 4 with random weights gives "
    "a checkerboard again. Enlarging first and then convolving with the same random kernel is flat.",
)
for name in ("kernel 4, of ones", "enlarge, then convolve\n(kernel 4, random)"):
    assert outputs[name].std() < 1e-4, "these two should stay flat"

# %% [markdown]
# - **Kernel 3.** Pixels get one, two or four stamps, in turn. A flat input becomes a
#   **checkerboard**.
# - **Kernel 4.** The kernel's width is a multiple of the stride. Every pixel gets equally many
#   stamps, and the output is flat. But this holds for equal weights only.
# - **Kernel 4, random.** Neighbouring pixels are made by different weights of the kernel, so they
#   differ. Networks start with random weights.
# - **Enlarge, then convolve.** First every pixel is repeated (2 × 2 copies of it), then an
#   ordinary convolution with stride 1 follows. All pixels are made by all weights. The output is
#   flat, whatever the kernel.
#
# Such patterns haunted generated images for years, until Odena, Dumoulin and Olah explained them
# in 2016.
#
# ### Measuring a checkerboard
#
# We want a number that says how much checkerboard is in an image. The **Fourier transform** gives
# one. It writes an image as a sum of waves, and says for each wave how strong it is. A wave's
# **frequency** is its number of periods per pixel. The fastest wave in an image changes from
# bright to dark with every pixel. Its period is two pixels, its frequency is $\tfrac12$. That is
# the pattern of a stride of 2. In general, stamps $s$ pixels apart make patterns that repeat every
# $s$ pixels: at frequency $1/s$ and its multiples.
#
# At frequency $\tfrac12$ the transform is simple: it adds up the pixels with alternating signs,
# $+ - + -\,\dots$, along the rows, along the columns, or both. Only what alternates survives.
# Squaring gives the wave's **energy**. Our measure is the share of these waves in the energy of
# all waves (without the constant one, the mean brightness).


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


for title in ("kernel 3, of ones", "kernel 4, random"):
    print(
        f"{title:18s}: {checkerboard_share(outputs[title]):.1%} at the stride's frequency"
    )
    assert checkerboard_share(outputs[title]) > 0.99, (
        "from a flat input, only the pattern remains"
    )
typical = checkerboard_share(test_set.floats).mean().item()
print(f"{'real digits':18s}: {typical:.2%}")
assert typical < 0.005, "digits should have next to no checkerboard"

# %% [markdown]
# For a flat input, everything that can be seen is checkerboard. Real digits have almost none.
# Their strokes are wider than a pixel.
#
# Why does enlarging first help? Each pixel is repeated, so neighbours come in equal pairs. With
# signs $+ - + -$ each pair cancels, in **any** image, not only in a flat one. The energy at
# frequency $\tfrac12$ is exactly zero. And a convolution can make a wave stronger or weaker, but
# it cannot make a wave that is not there. (Only near the border it can, through the padding.)

# %%
anything = torch.randn(14, 14, dtype=torch.float64)
twice = anything.repeat_interleave(2, 0).repeat_interleave(2, 1)
print(
    f"share of the checkerboard after enlarging pure noise: {checkerboard_share(twice):.1e}"
)
assert checkerboard_share(twice) < 1e-12, "pairs should cancel"

# %% [markdown]
# Now whole decoders. Each leads from a code of 16 numbers to 7 × 7, 14 × 14 and 28 × 28 pixels.
# They differ only in the layer that doubles the size. None is trained: this is what a network
# starts from. We measure 30 decoders of each kind, with 20 random codes each, and leave out two
# pixels at the border, where padding has effects of its own. The pictures show the mean of one
# decoder's 20 outputs: whatever the code, this is always there.


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
    "transposed, kernel 3": lambda c, d: nn.ConvTranspose2d(
        c, d, 3, stride=2, padding=1, output_padding=1
    ),
    "transposed, kernel 4": lambda c, d: nn.ConvTranspose2d(c, d, 4, stride=2, padding=1),
    "enlarge, then convolve": lambda c, d: nn.Sequential(
        nn.Upsample(scale_factor=2), nn.Conv2d(c, d, 3, padding=1)
    ),
}
with torch.no_grad():
    made = {
        name: torch.cat([decoder_with(double)(torch.randn(20, 16)) for _ in range(30)])
        for name, double in doubling.items()
    }
made = {name: images[..., 2:-2, 2:-2] for name, images in made.items()}
shares = {name: checkerboard_share(images).mean().item() for name, images in made.items()}

figure, axes = plt.subplots(1, 4, figsize=(12, 3.6), width_ratios=[1, 1, 1, 1.5])
for ax, (name, images) in zip(axes, made.items(), strict=False):
    ax.imshow(images[:20, 0].mean(0))  # what 20 outputs of one decoder have in common
    ax.set(title=f"{name}\n{shares[name]:.1%} checkerboard", xticks=[], yticks=[])
frequencies = torch.arange(1, 13) / 24
for (name, images), color, style in zip(
    made.items(),
    (plots.COLORS[4], plots.COLORS[2], plots.COLORS[1]),
    ("-", "--", "-"),
    strict=True,
):
    along_rows = energy(images).mean((0, 1))[0, 1:13]
    axes[3].plot(frequencies, along_rows, color=color, linestyle=style, label=name)
axes[3].set(
    title="mean energy of the waves along a row",
    xlabel="frequency (periods per pixel)",
    ylabel="energy",
    yscale="log",
)
axes[3].legend(fontsize=9)
plots.show(
    figure,
    alt="Mean outputs of three untrained decoders. The two with transposed convolutions show a fine pattern of lines, the one that enlarges and then "
    "convolves shows smooth blobs. In the energy spectrum the first two have a high peak at frequency one half, where the third is lowest.",
)
assert min(shares["transposed, kernel 3"], shares["transposed, kernel 4"]) > 0.05, (
    "transposed convolutions should start with a checkerboard"
)
assert shares["enlarge, then convolve"] < 0.01, "enlarging first should remove it"

# %% [markdown]
# An untrained decoder with transposed convolutions draws on checked paper. A good part of its
# energy sits at one frequency, the peak at the right end. (The smaller peak, at $\tfrac14$, is the
# pattern of the first doubling. The second one stretched it to a period of four pixels.) A kernel
# of 4 does not help at this point. Enlarging first removes the peaks.
#
# It has a price. A pixel that comes out of a transposed 4 × 4 convolution with stride 2 was made
# from 4 weights per channel. A 3 × 3 convolution on the enlarged image takes 9. Is it worth it?
# That depends on whether *training* removes the pattern too. We will measure it at the end.

# %% [markdown]
# ## 8 · A convolutional autoencoder
#
# Now we put the layers together. The encoder halves the image twice, from 28 × 28 to 14 × 14 to 7
# × 7 pixels, while the number of channels grows: fewer places, and more said about each. A dense
# layer then makes the code from what is left. The decoder is the encoder's mirror image.
#
# We take kernels of 4 × 4 with stride 2 and padding 1. The formulas of sections 3 and 5 say that
# such a layer halves every even size exactly, and that its transpose doubles it, with no
# `output_padding`. Behind two of them the receptive field is $1 + 3 + 3 \cdot 2 = 10$ pixels wide:
# enough for a stroke or a bend. Putting the strokes together is left to the dense layer.
#
# Between the layers stands `SiLU`, $a \cdot \varphi(a)$, a smooth relative of `ReLU`. It lets a
# little slope through for negative sums, too.


# %%
class ConvAutoencoder(nn.Module):
    """Image → code → image, with convolutions."""

    def __init__(self, latent_dim=16):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=4, stride=2, padding=1),  # (16, 14, 14)
            nn.SiLU(),
            nn.Conv2d(16, 32, kernel_size=4, stride=2, padding=1),  # (32, 7, 7)
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, latent_dim),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 32 * 7 * 7),
            nn.Unflatten(1, (32, 7, 7)),
            nn.SiLU(),
            nn.ConvTranspose2d(32, 16, kernel_size=4, stride=2, padding=1),  # (16, 14, 14)
            nn.SiLU(),
            nn.ConvTranspose2d(16, 1, kernel_size=4, stride=2, padding=1),  # (1, 28, 28)
        )
        nn.init.constant_(self.decoder[-1].bias, -2.0)  # start dark

    def encode(self, images):
        return self.encoder(images)

    def decode(self, codes):
        return torch.sigmoid(self.decoder(codes).float())

    def forward(self, images):
        return self.decode(self.encode(images))


# %% [markdown]
# (Why `.float()`? Some machines have instructions for **bfloat16**, numbers of half the length.
# There, `fit` computes convolutional models in bfloat16, because only half as much data has to be
# moved. The last step should not be rounded so coarsely. This is called mixed precision.)
#
# ### Start dark
#
# One line needs a reason, the one that sets a bias to $-2$. Without it, an untrained decoder makes
# everything mid-grey: $\varphi(0) = \tfrac12$. But most pixels of a digit are black. So the first
# thing that training asks of every weight in the last layer is "darker!". They all obey at once,
# and may overshoot into the flat part of $\varphi$. You have been there: it is the plain on which
# the hasty walker of lesson 01 could only creep.
#
# So we start where the data are. The last bias gets a value whose $\varphi$ is about the mean
# brightness of a digit.
#
# **Predict.** Does one number among tens of thousands matter? We train very briefly, from four
# random starts each, with and without it.

# %%
print(f"mean brightness of a digit: {train_set.floats.mean():.2f}", end=", ")
print(f"φ(−2) = {torch.sigmoid(torch.tensor(-2.0)):.2f}")
early = {}
for name, bias in (("mid-grey", 0.0), ("dark", -2.0)):
    print(f"four starts from {name}")
    early[name] = []
    for seed in range(4):
        seed_everything(seed)
        beginner = ConvAutoencoder()
        nn.init.constant_(beginner.decoder[-1].bias, bias)
        fit(beginner, train_set, epochs=10_500 // len(train_set), lr=1e-2)
        early[name].append(measure(beginner, valid_set)["loss"])

black = digits.square().flatten(1).sum(1).mean().item()
print(f"held-out error of a black picture: {black:.1f}")
for name, values in early.items():
    print(f"after starting {name}: " + ", ".join(f"{value:.1f}" for value in values))
assert np.mean(early["dark"]) < 0.8 * np.mean(early["mid-grey"]), (
    "starting dark should help"
)
assert max(early["dark"]) < 0.5 * black, "no dark start should get stuck"

# %% [markdown]
# It does matter. The networks that start dark need not find out first that digits are mostly black.
# And compare the errors with that of a black picture. A start from mid-grey with about that error
# has overshot: it gives a picture that is all but black, for every digit. Out there the slopes are
# almost 0, and it may stay for long. Which starts it hits, if any, is a matter of luck.
#
# ### A fair comparison
#
# Is this better than the dense autoencoder of lesson 03? "Better" is easy to claim if one model
# has more of something. So all get the same code size, 16, the same digits, the same loss, and a
# dark start. The opponents are:
#
# - a dense autoencoder with **about as many parameters**: its hidden layer can have only 42
#   neurons, since each of them costs 784 weights on either side,
# - the same once more, trained for ten times as many epochs, because a dense epoch takes less
#   **time**,
# - the network of lesson 03 as it was, with its two hidden layers and many more parameters.
#
# Each got the learning rate that suited it best in a search beforehand.
#
# **Predict.** Who wins on digits that nobody trained on? By much or by little?

# %%
seed_everything(0)
contest = {  # the model, its learning rate, and how many images it sees in all
    "dense": (DenseAutoencoder(hidden=(42,), latent_dim=16), 2e-2, 50_000),
    "dense, ten times as long": (
        DenseAutoencoder(hidden=(42,), latent_dim=16),
        2e-2,
        500_000,
    ),
    "dense, as in lesson 03": (DenseAutoencoder(latent_dim=16), 8e-3, 50_000),
    "convolutional": (ConvAutoencoder(latent_dim=16), 1e-2, 50_000),
}
models = {name: model for name, (model, _, _) in contest.items()}
histories = {}
for name, (model, rate, images_seen) in contest.items():
    print(name)
    nn.init.constant_(model.decoder[-1].bias, -2.0)  # start dark
    epochs = images_seen // len(train_set)
    histories[name] = fit(model, train_set, epochs=epochs, valid=valid_set, lr=rate)

# %%
errors = {name: measure(model, test_set)["loss"] for name, model in models.items()}
sizes = {name: count_parameters(model) for name, model in models.items()}
print(f"{'':26s}{'parameters':>12s}{'seconds':>9s}{'squared error per image':>28s}")
print(f"{'':26s}{'':12s}{'':9s}{'training':>17s}{'test':>11s}")
for name, history in histories.items():
    print(
        f"{name:26s}{sizes[name]:12,d}{sum(history.seconds):9.1f}"
        f"{history.train['loss'][-1]:17.1f}{errors[name]:11.1f}"
    )

assert abs(sizes["convolutional"] / sizes["dense"] - 1) < 0.05, "about equal parameters"
assert errors["convolutional"] < 0.75 * errors["dense"], "clearly better at equal size"
assert sizes["dense, as in lesson 03"] > 5 * sizes["convolutional"], "many more parameters"
assert errors["convolutional"] < 0.75 * errors["dense, as in lesson 03"], "and still worse"
last = {name: history.train["loss"][-1] for name, history in histories.items()}
assert last["dense, as in lesson 03"] > 1.5 * last["convolutional"], "in training, too"
assert errors["dense, ten times as long"] < errors["dense"], "training longer should help"
assert errors["convolutional"] < 0.85 * errors["dense, ten times as long"], (
    "better, even if the dense one may train longer"
)

# %%
figure, ax = plt.subplots(figsize=(7.5, 4))
styles = {
    "dense": (plots.COLORS[2], ":"),
    "dense, ten times as long": (plots.COLORS[2], "-"),
    "dense, as in lesson 03": (plots.COLORS[3], "--"),
    "convolutional": (plots.COLORS[1], "-"),
}
for name, (color, style) in styles.items():
    ax.plot(
        np.cumsum(histories[name].seconds),
        histories[name].valid["loss"],
        color=color,
        linestyle=style,
        linewidth=2,
        label=name,
    )
ax.set(
    title="Held-out error while they train",
    xlabel="training time (seconds)",
    ylabel="squared error per image",
    ylim=(0, 60),
)
ax.legend()
plots.show(
    figure,
    alt="Held-out error against training time for four autoencoders. The dense ones fall quickly and level off; the "
    "convolutional one takes longer for each step and ends lowest.",
)

# %% [markdown]
# The table is clear. With about as many parameters and as many steps, the convolutional network
# makes much smaller errors on digits that it has never seen. It spends its parameters better: in
# the dense network nearly every weight belongs to a single pixel, and what it learns there helps
# nowhere else. The larger network of lesson 03 does not make up for that, either. It did not learn
# its training digits by heart: on them, its error is large, too. As in lesson 03, it is the search
# for good weights that falls short. Ten times as many epochs help the small dense one, and do not
# bring it there.
#
# The figure shows the same over time. Where dense steps are much quicker, as on a CPU, the small
# dense network is ahead at first. Then it levels off. (Why do the two curves of the small network
# differ from the start? `fit` raises the learning rate during the first tenth of a training and
# lowers it afterwards. In a training that is ten times as long, the rise takes ten times as long,
# too.)
#
# Convolutions have a price. Each weight is used at many places, so there is more to multiply.
# Parameters cost memory, multiplications cost time. We can count both:

# %%
from torch.utils.flop_counter import FlopCounterMode


def multiplications(model):
    """Multiplications for one image, on the way to the code and back."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.cpu()(torch.zeros(1, 1, 28, 28))
    return counter.get_total_flops() // 2  # it counts a multiplication and an addition


for name in ("dense", "convolutional"):
    count = multiplications(models[name])
    print(f"{name:15s}{sizes[name]:9,d} parameters,{count:11,d} multiplications per image")
ratio = multiplications(models["convolutional"]) / multiplications(models["dense"])
assert ratio > 5, "a convolution should use each weight many times"

conv_model = models["convolutional"]
its_dense = [layer for layer in conv_model.modules() if isinstance(layer, nn.Linear)]
held = sum(count_parameters(layer) for layer in its_dense) / sizes["convolutional"]
done = sum(layer.weight.numel() for layer in its_dense) / multiplications(conv_model)
print(
    f"the two dense layers of the convolutional network have {held:.0%} of its parameters "
    f"and {done:.0%} of its multiplications"
)
assert held > 0.7 and done < 0.1, "few weights, the kernels', should do most of the work"

# %% [markdown]
# The dense network uses each weight once per image. So do the two dense layers of the convolutional
# network, before and after the code, and they hold most of its parameters. But each of its kernels
# is used at 49 or at 196 places. These make nearly all of the multiplications.
#
# What do the errors look like?

# %%
chosen = [int((test_set.labels == label).nonzero()[0]) for label in range(10)]
examples = test_set.floats[chosen]
rows = {"test digit": examples}
with torch.no_grad():
    for name in ("dense", "dense, ten times as long", "convolutional"):
        rows[name.replace(", ", ",\n")] = models[name].cpu()(examples)
plots.show(
    plots.image_rows(rows, "One test digit of each kind, through a code of 16 numbers"),
    alt="Ten test digits and three rows of reconstructions. Those of the small dense network are blurred and have grey specks; "
    "those of the convolutional network have smooth strokes and are closest to the digits.",
)

# %% [markdown]
# The convolutional strokes are smoother. The dense ones have ragged edges and, here and there,
# specks beside them. Where a digit is unusual, the networks tend to turn it into something more
# usual: 16 numbers leave little room for oddities.
#
# ### Did training remove the checkerboard?
#
# Our decoder uses transposed convolutions. In section 7 such decoders started with a good part of
# their energy at the stride's frequency.
#
# **Predict.** Will the trained one still draw on checked paper?

# %%
with torch.no_grad():
    beginners = [ConvAutoencoder().decode(torch.randn(20, 16)) for _ in range(30)]
    rebuilt = models["convolutional"].cpu()(test_set.floats)
before = checkerboard_share(torch.cat(beginners)).mean().item()
after = checkerboard_share(rebuilt).mean().item()
print(
    f"share of the checkerboard before training {before:.1%}, after training {after:.2%}, "
)
print(f"in the digits themselves {typical:.2%}")
assert after < 0.1 * before, "training should remove most of it"

# %% [markdown]
# No. A checkerboard would cost squared error in every pixel, so training removed it. For digits we
# keep the transposed convolution, which is cheaper.
#
# Where the loss does not compare pixel by pixel, as in networks that are trained to fool another
# network, nothing forces the pattern out. There, enlarging first is the safer choice. Lesson 09
# compares the two for faces.
#
# ### And the digit that moved by two pixels?
#
# We began with a digit that moves. Does our network not care any more?
#
# **Predict.** All training digits were centred. We move the test digits to the right, by up to
# four pixels. Which of the networks still manages?

# %%
moves = range(5)
figure, ax = plt.subplots(figsize=(6.5, 3.8))
moved_errors = {}
for name, (color, style) in styles.items():
    with torch.no_grad():
        moved_errors[name] = [
            (models[name].cpu()(images) - images).square().flatten(1).sum(1).mean().item()
            for images in (move(test_set.floats, right) for right in moves)
        ]
    ax.plot(
        moves,
        moved_errors[name],
        color=color,
        linestyle=style,
        marker="o",
        label=name,
    )
ax.set(
    title="Moved test digits",
    xlabel="moved to the right by (pixels)",
    ylabel="squared error per image",
    xticks=list(moves),
    ylim=(0, None),
)
ax.legend()
plots.show(
    figure,
    alt="Error against the move in pixels for four autoencoders. All curves rise steeply with the move; the convolutional "
    "one starts lowest and rises like the others.",
)
print("error of the convolutional network at 0, 1, 2, 3, 4 pixels: ", end="")
print(", ".join(f"{error:.1f}" for error in moved_errors["convolutional"]))
assert moved_errors["convolutional"][2] > 1.4 * moved_errors["convolutional"][0], (
    "it should suffer, too"
)
rises = {name: row[3] - row[0] for name, row in moved_errors.items()}
assert rises["convolutional"] > 0.5 * max(rises.values()), "all should rise steeply"
assert moved_errors["convolutional"][2] == min(row[2] for row in moved_errors.values()), (
    "but the dense ones should suffer more"
)

# %% [markdown]
# None of them. The convolutional network has the smallest error for small moves, but it grows
# steeply, like the others'. Where does the equivariance of section 1 go? Up to the last 7 × 7
# pixels everything moves along. Then comes the **dense layer** that makes the code. It has its own
# weights for each place, and has only ever seen centred digits. Also, behind two strides of 2 only
# moves by whole multiples of four pixels come through exactly.
#
# So convolutions know that neighbours belong together, and that a stroke is a stroke everywhere.
# They do not by themselves make a network indifferent to position. If you need that, show it moved
# copies during training.
#
# ## Summary
#
# - A **convolution** slides one small kernel over the image and adds up what it covers. It is
#   **equivariant**: moving the image moves the output. **Weight sharing** saves parameters by the
#   thousand.
# - Output size: $\lfloor (n + 2p - k)/s \rfloor + 1$. Layers with strides make the **receptive
#   field** grow quickly.
# - A **transposed convolution** stamps the kernel. Output size:
#   $(n-1)s - 2p + k + \text{output\_padding}$. Its matrix is the transpose of the convolution's.
#   It is no inverse, so "deconvolution" is a misnomer.
# - Overlapping stamps make **checkerboards**, which show as energy at the stride's frequency.
#   **Enlarging first and then convolving** cannot make them. Training with a pixel-wise loss
#   removes most of them.
# - At the same code size and with as many parameters, the **convolutional autoencoder** beats the
#   dense one on digits. It pays with more multiplications.
#
# From here on, `vae_helpers.models.ConvAutoencoder` is the network of this lesson.
#
# ## What to read
#
# - V. Dumoulin, F. Visin, [A guide to convolution arithmetic for deep
#   learning](https://arxiv.org/abs/1603.07285) (2016): every combination of stride and padding, in
#   pictures that are [animated on GitHub](https://github.com/vdumoulin/conv_arithmetic). Keep it at
#   hand.
# - A. Odena, V. Dumoulin, C. Olah, [Deconvolution and checkerboard
#   artifacts](https://distill.pub/2016/deconv-checkerboard/) (2016): interactive, and the origin
#   of section 7.
# - Y. LeCun et al., [Backpropagation applied to handwritten zip code
#   recognition](https://doi.org/10.1162/neco.1989.1.4.541) (1989): learnt convolutions, on digits
#   from real envelopes.
# - J. Masci et al., [Stacked convolutional auto-encoders for hierarchical feature
#   extraction](https://doi.org/10.1007/978-3-642-21735-7_7) (2011): an early convolutional
#   autoencoder.
# - M. Zeiler et al., [Deconvolutional networks](https://doi.org/10.1109/CVPR.2010.5539957) (2010):
#   where the misleading name came into deep learning.
#
# **Next:** lesson 05, Denoising autoencoders. What if the input is not the same picture as the
# target?
