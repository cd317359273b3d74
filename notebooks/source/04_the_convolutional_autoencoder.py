# %% [markdown]
# # 04 · The convolutional autoencoder
#
# So far a picture was a list of 784 numbers. If somebody shuffled the pixels of all digits, all in the same way, a
# dense network would learn just as well as before, and you would not recognise a single digit. So it cannot know that
# two pixels are neighbours, or that a stroke is the same stroke when it lies a little further to the right. In this
# lesson we give an autoencoder this knowledge, take apart the layers that do it, and measure what it is worth.
#
# **You will be able to**
#
# - show that for a dense network a shifted digit is a new digit, and say what a convolution does about it,
# - compute a convolution by hand, and predict the size of its output,
# - explain channels, stride, padding, pooling, and what is transposed in a transposed convolution,
# - build a convolutional autoencoder, compare it fairly with a dense one, and look at what it has learnt.
#
# **It builds on** [lesson 03](03_the_fully_connected_autoencoder.ipynb): the bottleneck, PCA as a yardstick, He's
# starting weights, and `fit`, our training loop.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.decomposition import PCA
from torch import nn
from torch.nn import functional as F

from vae_helpers import checks, plots
from vae_helpers.data import load_digits
from vae_helpers.device import budget, seed_everything
from vae_helpers.models import DenseAutoencoder
from vae_helpers.train import fit, measure

plots.use_course_style()
seed_everything(0)
train_set = load_digits("train").subset(slice(0, budget(cpu=3_500, gpu=10_000)))
test_set = load_digits("test").subset(slice(0, 2000))

# %% [markdown]
# ## 1 · A digit moves by two pixels
#
# Take a handwritten digit and move it two pixels to the right. You would hardly notice. For each of 500 test digits
# we compute the squared difference, summed over the pixels, to its own shifted copy, and then to the most similar
# training digit **with another label**.
#
# **Predict.** Which is nearer, pixel by pixel: the same digit two pixels further right, or that most similar digit of
# another kind?


# %%
def move(images, right):
    """Move images to the right; what leaves on one side comes in on the other."""
    return images.roll(right, dims=-1)


digits, labels = test_set.floats[:500], test_set.labels[:500]
distances = torch.cdist(digits.flatten(1), train_set.floats.flatten(1)).square()
distances[labels[:, None] == train_set.labels] = torch.inf  # other labels only
to_other, nearest = distances.min(1)
to_moved = (digits - move(digits, 2)).square().flatten(1).sum(1)
farther = (to_moved > to_other).float().mean().item()
print(f"For {farther:.0%} of the digits, their own shifted copy is farther away.")

# %% tags=["figure"]
# A four, its copy two pixels further right, and a different digit: the pictures and the differences
example = int((labels == 4).nonzero()[0])
digit = digits[example, 0]
candidates = {
    "moved by two pixels": (move(digit, 2), to_moved[example]),
    "nearest of another label": (
        train_set.floats[nearest[example], 0],
        to_other[example],
    ),
}
figure, axes = plt.subplot_mosaic(
    [["digit", "A", "a"], ["digit", "B", "b"]], figsize=(9, 5.6)
)
plots.draw_image(axes["digit"], digit[None])
axes["digit"].set_title("a test digit")
for row, (name, (picture, distance)) in zip("AB", candidates.items()):
    plots.draw_image(axes[row], picture[None])
    axes[row].set_title(name)
    drawn = axes[row.lower()].imshow(picture - digit, cmap="PuOr", vmin=-1, vmax=1)
    axes[row.lower()].set(xticks=[], yticks=[])
    axes[row.lower()].set_title(
        f"difference\n(squared and summed: {distance:.0f})", fontsize=11
    )
figure.colorbar(
    drawn, ax=[axes["a"], axes["b"]], label="grey level minus that of the digit", shrink=0.8
)
plots.show(
    figure,
    alt="Left a handwritten four. In the upper row the same four, two pixels further right, and the difference: both "
    "outlines of every stroke show strongly. In the lower row the nearest training digit with another label and the "
    "difference, which is weaker.",
)

# %% tags=["claim"]
assert farther > 0.7, "moving by two pixels should upset the pixel distance"

# %% [markdown]
# For most digits, the shifted copy is the one farther away. The difference picture shows why: strokes are thin, so a
# shift by two pixels uncovers most of each stroke on one side and covers new ground on the other. As a list of
# numbers, a shifted digit is a new digit.
#
# A dense layer inherits this problem. Each weight of a first layer belongs to one pixel, so what it has learnt about a
# stroke at one place says nothing about the same stroke elsewhere. The remedy is to look at a small part of the picture
# at a time, with **the same weights at every place**. This is called **weight sharing**. Kunihiko Fukushima built such
# a network in 1980, and Yann LeCun trained one by gradient descent in 1989 to read postal codes.
#
# ## 2 · The autoencoder first
#
# Here is the whole machine before we open it. The encoder makes the picture smaller in two steps, but keeps more and
# more versions of it side by side, its **channels**: 16, then 32. A dense layer makes the code from all of these
# numbers. The decoder is the mirror image.

# %% tags=["figure"]
# The shapes in a convolutional autoencoder
plots.show(
    plots.schematics.conv_autoencoder(),
    alt="An image of shape (1, 28, 28) goes through two convolutions with stride 2, which make (16, 14, 14) and (32, 7, 7), "
    "and through a linear layer to a code of 16 numbers. The decoder leads back through the same shapes with "
    "transposed convolutions.",
)

# %% [markdown]
# In PyTorch, each arrow of the drawing is one or two lines, with `SiLU`s between them. Read only the shapes for now.
# `SiLU` is $a \cdot \varphi(a)$ with the logistic function $\varphi$, a smooth relative of ReLU.


# %%
class ConvAutoencoder(nn.Module):  # image → code → image
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

    def encode(self, images):
        return self.encoder(images)

    def decode(self, codes):
        return torch.sigmoid(self.decoder(codes))

    def forward(self, images):
        return self.decode(self.encode(images))


# %% [markdown]
# An untrained decoder makes every pixel about mid-grey, because $\varphi(0) = \frac12$, although most pixels of a digit
# are black. So we give the last bias a value whose $\varphi$ is about the mean brightness: the picture **starts dark**.
# [Counting](deeper/04_counting.ipynb) measures whether this one number matters (30 minutes, optional).
#
# **Predict.** PCA with 16 numbers is our yardstick from lesson 02. How far below its error will the network come?

# %%
CODE = 16  # numbers per digit
EPOCHS = budget(cpu=17_500, gpu=280_000) // len(train_set)  # so many images in all


def start_dark(model):
    nn.init.constant_(model.decoder[-1].bias, -2.0)  # φ(−2) = 0.12
    return model


model = start_dark(ConvAutoencoder(CODE))
fit(model, train_set, epochs=EPOCHS, lr=1.5e-2, batch_size=64)

pca = PCA(CODE, random_state=0).fit(train_set.floats.flatten(1))
flat = test_set.floats.flatten(1)
rebuilt_by_pca = torch.tensor(pca.inverse_transform(pca.transform(flat))).float()
pca_error = (rebuilt_by_pca - flat).square().sum(1).mean().item()
print(f"squared error per test image: PCA {pca_error:.1f}, ", end="")
print(f"convolutional autoencoder {measure(model, test_set)['loss']:.1f}")

# %% tags=["claim"]
assert measure(model, test_set)["loss"] < 0.7 * pca_error, "the network should beat PCA"

# %% [markdown]
# With the same 16 numbers, the network leaves about half of PCA's error. Is that owed to the convolutions, or would
# any network have reached it? Section 6 finds out. First we open the box.
#
# ## 3 · The convolution reads
#
# The weights of a convolution are a small grid, the **kernel** (or filter). Lay it on the top left corner of the
# image, multiply each weight with the pixel below it, and add everything up: this is the first output number. Slide
# the kernel one pixel to the right and do it again, row by row. With the image $x$, a kernel $w$ of $k \times k$
# weights and the output $y$:
#
# $$ y_{ij} = \sum_{a=0}^{k-1} \sum_{b=0}^{k-1} w_{ab} \, x_{i+a,\; j+b} $$
#
# Each output number is a neuron from lesson 01 that looks through a small window, and all of these neurons have the
# same weights. As an example, take this picture of 6 × 6 pixels:
#
# $$ x = \begin{pmatrix} 0&0&0&1&1&1 \\ 0&0&0&1&1&1 \\ 0&0&0&1&1&1 \\ 0&0&0&1&1&1 \\
# 0&0&0&0&0&0 \\ 0&0&0&0&0&0 \end{pmatrix} \qquad
# w = \begin{pmatrix} -1&0&1 \\ -1&0&1 \\ -1&0&1 \end{pmatrix} $$
#
# **Predict.** Compute two output numbers with paper and pencil: for the window whose top left corner is in row 2 and
# column 1 (counted from 0), and for one more of your choice. What kind of place does this kernel answer to?
#
# ### Your turn 1 · A convolution (8 min)
#
# Write it, without PyTorch's `conv2d`. `image` has H rows and W columns, `kernel` has k of each. How many places are
# there for a window? Two loops and a sum will do, and `image[i : i + k, j : j + k]` is a window. Your function draws
# all pictures of this section.


# %% tags=["exercise"]
def my_convolve(image, kernel):
    output = ...  # your code here
    return output


verdict = checks.convolve(my_convolve)
convolve = verdict.working
verdict


# %% tags=["solution"]
def my_convolve(image, kernel):
    k = len(kernel)
    rows, columns = image.shape[0] - k + 1, image.shape[1] - k + 1
    output = torch.zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            output[i, j] = (image[i : i + k, j : j + k] * kernel).sum()
    return output


# %%
image = torch.zeros(6, 6)
image[:4, 3:] = 1
kernel = torch.tensor([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]])
output = convolve(image, kernel)

# %% tags=["figure"]
# The image with a window, the kernel, and the output


def draw_numbers(ax, values, title, frame=None, size=11):
    """A grid of numbers; `frame` = (row, column, k) draws a square around a part."""
    ax.imshow(values, cmap="cividis")
    middle = (values.min() + values.max()) / 2
    for i, row in enumerate(values.tolist()):
        for j, value in enumerate(row):
            color = "white" if value <= middle else "black"
            ax.text(j, i, f"{value:.3g}", ha="center", va="center", color=color, size=size)
    if frame:
        i, j, k = frame
        square = plt.Rectangle((j - 0.5, i - 0.5), k, k, fill=False, clip_on=False)
        square.set(edgecolor=plots.COLORS[2], linewidth=4)
        ax.add_patch(square)
    ax.set(title=title, xticks=range(values.shape[1]), yticks=range(values.shape[0]))
    ax.tick_params(length=0)


figure, axes = plt.subplots(1, 3, figsize=(9, 3.7), width_ratios=[6, 3, 4])
draw_numbers(axes[0], image, "image x, with a window", (2, 1, 3))
draw_numbers(axes[1], kernel, "kernel w")
draw_numbers(axes[2], output, "output y", (2, 1, 1))
axes[0].set(xlabel="column", ylabel="row")
plots.show(
    figure,
    alt="An image of six by six numbers with a window of three by three in orange, the kernel, and the output "
    "of four by four numbers, in which the number of that window has an orange frame.",
)

# %% tags=["claim"]
theirs = F.conv2d(image[None, None], kernel[None, None])[0, 0]
assert torch.equal(output, theirs), "our convolution should give PyTorch's numbers"
assert output[2, 1] == 2

# %% [markdown]
# The orange window has a column of zeros under the weights $-1$, and two ones under the weights $+1$, so its answer
# is 2. The kernel answers where the image gets brighter from left to right: at a **vertical edge**. In flat parts,
# plus and minus cancel. (In mathematics a convolution first *flips* the kernel, and ours is called cross-correlation.
# For a network, which learns its weights anyway, this makes no difference.)
#
# Before networks learnt their kernels, people designed them. Here are four designs.

# %% tags=["figure"]
# Four designed kernels on a digit: edges, blur, sharper
kernels = {
    "vertical edges": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    "horizontal edges": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    "blur": [[1 / 9] * 3] * 3,
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
}
figure, axes = plt.subplots(2, 5, figsize=(9, 4.6))
axes[0, 0].axis("off")
plots.draw_image(axes[1, 0], digit[None])
axes[1, 0].set_title("digit", fontsize=11)
for (top, ax), (name, weights) in zip(axes[:, 1:].T, kernels.items()):
    weights = torch.tensor(weights).float()
    draw_numbers(top, weights, "", size=10)
    if name == "blur":
        for number in top.texts:
            number.set_text("1/9")
    top.set_title(name, fontsize=11)
    answer = convolve(digit, weights)
    if "edges" in name:  # signed: zero is white
        signed = ax.imshow(answer, cmap="PuOr", vmin=-3, vmax=3)
    else:
        ax.imshow(answer.clamp(0, 1), cmap="gray")
    for panel in (top, ax):
        panel.set(xticks=[], yticks=[])
axes[0, 1].set_ylabel("kernel")
axes[1, 1].set_ylabel("output")
figure.colorbar(signed, ax=axes[1, 1:3], label="output", location="bottom", shrink=0.8)
plots.show(
    figure,
    alt="Four kernels of three by three numbers and, under each, what it makes of a digit. Two show its vertical and its "
    "horizontal edges, with one sign on either side of each stroke; one blurs it; one exaggerates its borders.",
)

# %% [markdown]
# The edge kernels answer with opposite signs on the two sides of a stroke, and at every place alike. So if we shift
# the digit, the output should shift with it:

# %%
# Two columns of zeros on the left, two less on the right.
shifted = F.pad(digit, [2, 0])[:, :28]
before, after = convolve(digit, kernel), convolve(shifted, kernel)
difference = (after[:, 2:] - before[:, :-2]).abs().max()
print(f"convolved, then shifted; shifted, then convolved: they differ by {difference}")

# %% tags=["claim"]
assert difference < 1e-5, "a convolution should commute with moving"

# %% [markdown]
# This property is called **equivariance**: what the layer learns about a stroke, it knows at every place.
#
# ### From a kernel to a layer: channels
#
# One kernel finds one kind of thing, so a layer has many and puts out one picture for each: its channels, also called
# **feature maps**. From the second layer on, the *input* has channels, too (a colour photograph has three from the
# start). Then each kernel gets a slice of $k \times k$ weights for **each** input channel, and its output channel is
# the sum of what all slices find, plus one bias.

# %% tags=["figure"]
# A convolutional layer with channels
plots.show(
    plots.schematics.convolution(),
    alt="Windows of the C channels of the input are each multiplied with their own slice of one kernel; everything is added "
    "up with a bias and makes one pixel of one output map. Another kernel makes another map.",
)

# %% [markdown]
# From $C$ to $C_{out}$ channels the weights are therefore a tensor of the shape $(C_{out}, C, k, k)$. Can your function
# stand in for the second layer of our trained network, with its 32 kernels of 16 slices each?

# %%
model = model.to("cpu")
first, second = model.encoder[0], model.encoder[2]
with torch.no_grad():
    maps = F.silu(first(digit[None]))  # 16 maps of 14 × 14
    padded = F.pad(maps, [1] * 4)  # a row of zeros on every side
    found = [convolve(m, w) for m, w in zip(padded, second.weight[0])]  # 16 pictures
    ours = (sum(found) + second.bias[0])[::2, ::2]  # every second row and column
    theirs = second(maps)[0]
print(f"weights {tuple(second.weight.shape)}, biases {tuple(second.bias.shape)}")
print(f"our first map {tuple(ours.shape)}, differs by {(ours - theirs).abs().max():.0e}")

# %% tags=["claim"]
assert torch.allclose(ours, theirs, atol=1e-4), "our layer should be PyTorch's"

# %% [markdown]
# The same numbers, up to rounding. The zeros around the picture and the `[::2, ::2]` are the subject of the next
# section.
#
# ## 4 · Smaller: stride, padding, pooling
#
# **Padding** $p$ puts $p$ rows and columns of zeros around the image, on **every** side, so that the kernel reaches
# the border. **Stride** $s$ is the step of the window: with $s = 2$ it jumps over every second place, in both
# directions, and the output has about half the size. How large is it exactly?
#
# ### Your turn 2 · The size of the output (6 min)
#
# Count along one side. The first window of width `kernel` starts at the edge of the padded image, the last one must
# not stick out, and from one to the next it is `stride` pixels. How many windows are there? (`a // b` divides and
# rounds down.) Your function will pick the layers of our network.


# %% tags=["exercise"]
def my_output_size(n, kernel, stride, padding):
    size = ...  # your code here
    return size


verdict = checks.convolution_size(my_output_size)
output_size = verdict.working
verdict


# %% tags=["solution"]
def my_output_size(n, kernel, stride, padding):
    return (n + 2 * padding - kernel) // stride + 1


# %% [markdown]
# Which layers take 28 pixels to 14, and 14 to 7? We ask your function about all small settings, and also for a way
# back: the transposed convolution of the next section makes $(n - 1)s - 2p + k$ pixels from $n$.

# %%
print("kernel  stride  padding   28 → ?   14 → ?   and back from 7, from 14")
for k in range(1, 6):
    for s in (1, 2, 3):
        for p in range((k + 1) // 2):
            sizes = output_size(28, k, s, p), output_size(14, k, s, p)
            if sizes == (14, 7):
                back = [(n - 1) * s - 2 * p + k for n in (7, 14)]
                print(f"{k:6}{s:8}{p:9}{sizes[0]:9}{sizes[1]:9}{back[0]:15}{back[1]:9}")

# %% tags=["claim"]
for n in range(5, 40):
    for k, s, p in [(1, 1, 0), (3, 1, 1), (3, 2, 1), (4, 2, 1), (5, 3, 2)]:
        real = F.conv2d(
            torch.zeros(1, 1, n, n), torch.zeros(1, 1, k, k), stride=s, padding=p
        )
        assert real.shape[-1] == output_size(n, k, s, p), "the formula should be PyTorch's"
assert (output_size(28, 3, 2, 1), output_size(27, 3, 2, 1)) == (14, 14)

# %% [markdown]
# Only kernels with an even width lead back to exactly 14 and 28. Kernel 2 would look at separate patches that know
# nothing of each other, so our network takes kernel 4, stride 2, padding 1. ([Counting](deeper/04_counting.ipynb) has
# a calculator with sliders for both directions.)
#
# Strides also let later layers see more. The part of the image on which a number depends is its **receptive field**.
# A number behind our first layer sees 4 × 4 pixels. Its neighbour sees 4 × 4 pixels that start two further right, so
# a number behind the second layer, whose window covers 4 × 4 of them, sees $4 + 3 \cdot 2 = 10$ pixels.

# %% tags=["figure"]
# What one number behind the first and behind the second layer can see
field = {}
for name, depth, aside in (("one", 1, 0), ("its neighbour", 1, 1), ("second", 3, 0)):
    pixels = digits[example][None].clone().requires_grad_()
    found_maps = model.encoder[:depth](pixels)
    middle = found_maps.shape[-1] // 2
    found_maps[0, 0, middle, middle + aside].backward()  # which pixels have a slope?
    rows_seen, columns_seen = (pixels.grad[0, 0] != 0).nonzero().T
    left, top = columns_seen.min().item(), rows_seen.min().item()
    field[name] = left, top, columns_seen.max().item() - left + 1
figure, axes = plt.subplots(1, 2, figsize=(8, 4.3))
looks = (plots.COLORS[2], "-"), (plots.COLORS[3], "--"), (plots.COLORS[6], "-")
for ax, (left, top, width), (color, line) in zip(axes[[0, 0, 1]], field.values(), looks):
    plots.draw_image(ax, digits[example])
    square = plt.Rectangle((left - 0.5, top - 0.5), width, width, fill=False, linewidth=3)
    square.set(edgecolor=color, linestyle=line)
    ax.add_patch(square)
axes[0].set_title(
    "two neighbours behind the first layer\nsee {2} × {2} pixels each".format(*field["one"])
)
axes[1].set_title(
    "one number behind the second layer\nsees {2} × {2} pixels".format(*field["second"])
)
plots.show(
    figure,
    alt="A digit, twice. Left, two squares of 4 by 4 pixels that overlap by half: the fields of two neighbours behind the "
    "first layer. Right, a square of 10 by 10 pixels, the field of a number behind the second layer.",
)

# %% tags=["claim"]
one, neighbour, second_field = field.values()
assert one[2] == neighbour[2] == 4 and second_field[2] == 10, "the rule should be right"
assert neighbour[0] - one[0] == 2, "neighbours' windows should start two pixels apart"

# %% [markdown]
# There is another way to get smaller. **Pooling** has no weights: **max pooling** keeps the largest number of each 2
# × 2 block, and average pooling its mean. A stride of 2 looks at every second place only, while max pooling asks
# whether there was an edge *anywhere* in the block, so its answer changes less when the digit moves a little. How
# much less?

# %%
edges = F.conv2d(digits, kernel[None, None]).abs()
edges_moved = F.conv2d(move(digits, 1), kernel[None, None]).abs()
ways = {
    "stride 2": lambda maps: maps[..., ::2, ::2],
    "max pooling": lambda maps: F.max_pool2d(maps, 2),
    "average pooling": lambda maps: F.avg_pool2d(maps, 2),
}
changes = {}
for name, shrink in ways.items():
    small, small_moved = shrink(edges), shrink(edges_moved)
    changes[name] = ((small_moved - small).norm() / small.norm()).item()
    print(f"{name:16s} one pixel further right, the answer changes by {changes[name]:.0%}")

# %% tags=["figure"]
# The edges of a digit at half the size, before and after it moves by one pixel
figure, axes = plt.subplots(3, 3, figsize=(7, 6))
for (name, shrink), column in zip(ways.items(), axes.T):
    small, small_moved = shrink(edges[example])[0], shrink(edges_moved[example])[0]
    column[0].imshow(small, cmap="gray", vmin=0, vmax=3)
    column[1].imshow(small_moved, cmap="gray", vmin=0, vmax=3)
    column[2].imshow(small_moved - small, cmap="PuOr", vmin=-3, vmax=3)
    column[0].set_title(name)
for ax, name in zip(axes[:, 0], ("edges", "digit moved\nby one pixel", "difference")):
    ax.set_ylabel(name, rotation=0, ha="right", va="center")
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
plots.show(
    figure,
    alt="Three columns: stride 2, max pooling, average pooling. In each, a digit's edges at half the size, the same after the "
    "digit has moved by one pixel, and the difference, which is strongest for stride 2.",
)

# %% tags=["claim"]
assert changes["max pooling"] < 0.8 * changes["stride 2"], "pooling should calm it"
assert changes["average pooling"] < 0.8 * changes["stride 2"]
even = F.conv2d(move(digits, 2), kernel[None, None]).abs()[..., ::2, ::2]
assert torch.allclose(even[..., 1:], edges[..., ::2, ::2][..., :-1], atol=1e-5), (
    "behind a stride of 2, an even shift should be a shift again"
)

# %% [markdown]
# So behind a stride of 2, equivariance holds for even shifts only, because an odd one makes the stride pick the other
# columns. Pooling helps where the place does not matter, for instance to say *that* there is a cat. An autoencoder has
# to draw every stroke at its place again, so ours uses strides and learns what to keep.
#
# ## 5 · Larger: the transposed convolution stamps
#
# A decoder has to make images larger. The convolution **reads**: it looks through a window and writes down one
# number. The **transposed convolution stamps**: it takes one number, multiplies the whole kernel by it, and adds this
# stamp to the output. The next number's stamp goes $s$ pixels further, and where stamps overlap, they add up. So a
# larger stride makes a *larger* output, and padding is cut off on every side.


# %%
def stamp(image, kernel, stride=1, padding=0):
    """A transposed convolution: stamp a kernel (k, k) once for every number of an image (H, W)."""
    k, (rows, columns) = len(kernel), image.shape
    output = torch.zeros((rows - 1) * stride + k, (columns - 1) * stride + k)
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            output[top : top + k, left : left + k] += image[i, j] * kernel
    return output[padding : len(output) - padding, padding : output.shape[1] - padding]


four = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
corner = torch.tensor([[1.0, 0, 0], [1, 0, 0], [1, 1, 1]])  # an L

# %% [markdown]
# **Predict.** We stamp the numbers 1, 2, 3, 4 with a kernel in the shape of an L, 3 × 3, at a stride of 2, so that
# neighbouring stamps overlap by one row or column. Which number will be in the centre of the output?

# %% tags=["figure"]
# Four numbers, two of their stamps, and the sum of all stamps
total = stamp(four, corner, stride=2)
figure, axes = plt.subplots(1, 4, figsize=(9.5, 3), width_ratios=[2, 5, 5, 5])
draw_numbers(axes[0], four, "input")
for ax, (i, j) in zip(axes[1:], [(0, 0), (1, 1)]):
    one = torch.zeros(2, 2)
    one[i, j] = four[i, j]
    draw_numbers(
        ax,
        stamp(one, corner, stride=2),
        f"the stamp of the {four[i, j]:g}",
        (2 * i, 2 * j, 3),
    )
draw_numbers(axes[3], total, "output: all stamps added", (2, 2, 1))
plots.show(
    figure,
    alt="An input of two by two numbers; the stamp of the one, an L at the top left of a five by five grid; the stamp of the "
    "four, an L at its bottom right; and the sum of all four stamps, with the centre framed.",
)
print(f"in the centre: {total[2, 2]:g}")

# %% tags=["claim"]
assert total[2, 2] == 1 + 2 + 4, "the L of the 3 is empty there"
with torch.random.fork_rng():
    some_image, some_kernel = torch.randn(7, 8), torch.randn(3, 3)
for s, p in [(1, 0), (2, 0), (2, 1), (3, 1)]:
    theirs = F.conv_transpose2d(
        some_image[None, None], some_kernel[None, None], stride=s, padding=p
    )
    assert torch.allclose(stamp(some_image, some_kernel, s, p), theirs[0, 0], atol=1e-5)

# %% [markdown]
# All four stamps reach the centre, but the L of the 3 has a zero there, so the sum is $1 + 2 + 4 = 7$. Other places are
# reached by two stamps or one. This unevenness can leave a pattern on images:
# [Checkerboards](deeper/04_checkerboards.ipynb) shows how it is measured and avoided (30 minutes, optional).
#
# What is *transposed* here? A convolution only multiplies and adds, so it is a matrix. Take a row of five pixels and
# the kernel (1, 2, 4): the convolution makes three numbers, and its matrix $W$ has three rows and five columns.

# %%
row_kernel = torch.tensor([[[1.0, 2.0, 4.0]]])
# Each row of `eye` holds a single 1; the answers to them are the columns of the matrix.
W = F.conv1d(torch.eye(5)[:, None], row_kernel)[:, 0].T
S = F.conv_transpose1d(torch.eye(3)[:, None], row_kernel)[:, 0].T
print(f"the stamps' matrix is the convolution's, transposed: {torch.equal(S, W.T)}")

# %% tags=["figure"]
# The matrix of a convolution reads in rows; the matrix of the transposed convolution stamps in columns
for title, matrix, down, across in (
    ("convolution W: each row reads", W, "output number", "input pixel"),
    ("its transpose: each column stamps", S, "output pixel", "input number"),
):
    print(f"{title} (dots are zeros)\n\n{'':18}{across}")
    print(" " * 16, *(f"{number:2}" for number in range(matrix.shape[1])))
    for number, row in enumerate(matrix.int().tolist()):
        print(
            f"{down if number == 0 else '':13}{number:2} ", *(f"{v or '·':>2}" for v in row)
        )
    print()

# %% tags=["claim"]
assert torch.equal(S, W.T), "the stamps should be the transpose"

# %% [markdown]
# Each row of $W$ holds the kernel at the place of one window, and the same weights move on from row to row: weight
# sharing, in one picture. The other matrix is exactly $W^\top$, with the kernel in its columns. It is *not* the
# inverse, although older texts call this layer a "deconvolution": it gets the size back, and what to draw there has
# to be learnt.
#
# ## 6 · Convolutional or dense: a fair comparison
#
# Now the question from section 2. All networks get the same code of 16 numbers, the same digits, as many steps, SiLU,
# and a dark start. They differ in their layers:
#
# - the **convolutional** one from above,
# - a dense one with **as many weights**, which leaves it one hidden layer of 42 neurons on either side of the code,
# - a dense one like that of lesson 03, with its two hidden layers and **seven times as many weights**.
#
# A model is only as good as its training, as lesson 03 warned. So for each network we tried five learning rates on
# *validation* digits and kept one that no other clearly beat. The better start, PyTorch's own or He's, was chosen
# there, too. Each network is trained from three seeds, and once with the other start.
#
# **Predict.** How will the three come in?


# %%
def dense(hidden):
    """A dense autoencoder with SiLU in the place of ReLU."""
    network = DenseAutoencoder(hidden=hidden, latent_dim=CODE)
    for part in (network.encoder, network.decoder):
        for place, layer in enumerate(part):
            if isinstance(layer, nn.ReLU):
                part[place] = nn.SiLU()
    return network


def start_like_he(network):
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)


contest = {  # name: how to make it, learning rate, whether He's start is the better one
    "convolutional": (lambda: ConvAutoencoder(CODE), 1.5e-2, False),
    "dense, as many weights": (lambda: dense((42,)), 2e-2, True),
    "dense, 7 times as many": (lambda: dense((256, 128)), 8e-3, True),
}


# %%
def train_one(name, seed, other_start=False):
    """A network from the contest, trained."""
    make, rate, he_is_better = contest[name]
    seed_everything(seed)
    network = make()
    if he_is_better != other_start:
        start_like_he(network)
    fit(start_dark(network), train_set, epochs=EPOCHS, lr=rate, batch_size=64, seed=seed)
    return network


trained = {name: [train_one(name, seed) for seed in range(3)] for name in contest}
other = {name: train_one(name, 0, other_start=True) for name in contest}
errors = {n: [measure(m, test_set)["loss"] for m in nets] for n, nets in trained.items()}
other_errors = {n: measure(m, test_set)["loss"] for n, m in other.items()}

# %% tags=["figure"]
# The table: squared error per test image
weights_of = {
    name: sum(p.numel() for p in nets[0].parameters()) for name, nets in trained.items()
}
print(f"{'':24s}{'weights':>9s}   {'test error, three seeds':26s}other start")
for name, values in errors.items():
    start = "PyTorch" if contest[name][2] else "He"
    print(
        f"{name:24s}{weights_of[name]:9,d}   {'  '.join(f'{v:5.1f}' for v in values):26s}"
        f"{other_errors[name]:5.1f} ({start})"
    )
print(f"{'PCA':24s}{784 * (CODE + 1):9,d}   {pca_error:5.1f}")

# %% tags=["claim"]
conv, small, large = errors.values()
assert abs(weights_of["convolutional"] / weights_of["dense, as many weights"] - 1) < 0.05
assert weights_of["dense, 7 times as many"] > 6 * weights_of["convolutional"]
assert max(conv) < 0.75 * min(small), "clearly better at equal weights"
assert max(conv) < min(large) < min(small), "and ahead of seven times as many weights"
assert max(small) < pca_error, "all beat PCA"
for name, values in errors.items():
    assert sum(values) / 3 < other_errors[name], (
        f"{name}: the start should be the better one"
    )

# %% tags=["figure", "hero"]
# Eight test digits, through a code of 16 numbers: PCA, dense, convolutional
chosen = [int((test_set.labels == label).nonzero()[0]) for label in range(8)]
examples = test_set.floats[chosen]
pictured = {"test digit": examples}
pictured[f"PCA\nerror {pca_error:.1f}"] = (
    rebuilt_by_pca[chosen].reshape(-1, 1, 28, 28).clamp(0, 1)
)
with torch.no_grad():
    for name in ("dense, as many weights", "convolutional"):
        network = trained[name][0].to("cpu")
        pictured[f"{name.replace(', ', ',' + chr(10))}\nerror {errors[name][0]:.1f}"] = (
            network(examples)
        )
plots.show(
    plots.image_rows(
        pictured,
        "Handwritten digits through a code of 16 numbers (squared error per test image)",
    ),
    alt="Eight test digits and three rows of reconstructions from 16 numbers each. PCA's are blurred with grey shadows around "
    "them; those of the dense network are sharper, with specks; those of the convolutional network have smooth strokes "
    "and are closest to the digits.",
)

# %% [markdown]
# With as many weights and as many steps, the convolutional network makes much smaller errors, and all three seeds
# agree. It even stays ahead of a dense network with seven times as many weights. The dense networks needed He's start
# ([why](deeper/03_starting_weights.ipynb)), while for the convolutional one PyTorch's own was better.
#
# In the pictures, the dense strokes have ragged edges and specks beside them, because neighbouring pixels are computed
# by weights that know nothing of each other. The convolutional strokes are smooth, although smooth is not always right:
# a digit may come back as another one. The price is computing time, since each weight is used at many places:
# [Counting](deeper/04_counting.ipynb) counts multiplications and seconds.
#
# ## 7 · What it has learnt
#
# Nobody designed the kernels of our network. Its first layer has 16, which read the picture, and its last layer 16
# that stamp it. We draw eight of each before and after training.
#
# **Predict.** What will they look like? Which of the two layers has changed more?

# %%
seed_everything(0)
untrained, network = ConvAutoencoder(CODE), trained["convolutional"][0].to("cpu")
layers = {
    "first layer (reads)": lambda m: m.encoder[0],
    "last layer (stamps)": lambda m: m.decoder[-1],
}


def agreement(kernels):
    """How alike neighbouring weights are: 0 if they know nothing of each other, near 1 if smooth."""
    return ((kernels[..., 1:] * kernels[..., :-1]).mean() / kernels.square().mean()).item()


smooth = {}
for name, layer_of in layers.items():
    before, after = (
        layer_of(m).weight.detach().flatten(0, 1) for m in (untrained, network)
    )
    kept = F.cosine_similarity(before.flatten(), after.flatten(), dim=0).item()
    smooth[name] = agreement(before), agreement(after), kept
    print(
        f"{name}: neighbours agree {smooth[name][0]:5.2f} → {smooth[name][1]:5.2f}, ",
        end="",
    )
    print(f"cosine similarity to the start {kept:.2f} (1: same direction)")

# %% tags=["figure"]
# Kernels of the first and the last layer before and after training, and what the first ones make of a digit
with torch.no_grad():
    feature_maps = network.encoder[:2](digits[example][None])[0]
pictured_rows = {
    "first layer,\nrandom start": untrained.encoder[0].weight.detach()[:, 0],
    "first layer,\ntrained": network.encoder[0].weight.detach()[:, 0],
    "what it makes\nof a four": feature_maps,
    "last layer,\nrandom start": untrained.decoder[-1].weight.detach()[:, 0],
    "last layer,\ntrained": network.decoder[-1].weight.detach()[:, 0],
}
figure, axes = plt.subplots(5, 8, figsize=(9, 6))
for row, (name, values) in zip(axes, pictured_rows.items()):
    for ax, value in zip(row, values):
        if "four" in name:
            ax.imshow(value, cmap="gray")
        else:
            limit = value.abs().max()
            ax.imshow(value, cmap="PuOr", vmin=-limit, vmax=limit)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10)
figure.suptitle("Kernels of 4 × 4 weights: orange negative, white zero, purple positive")
plots.show(
    figure,
    alt="Five rows of eight small pictures. The kernels of the first layer look like random checks before and after training, "
    "and their maps show edges and strokes of a four. Those of the last layer are random before and smooth after training: "
    "round blobs and short strokes.",
)

# %% tags=["claim"]
(_, first_after, first_kept), (last_before, last_after, last_kept) = smooth.values()
assert last_after > 0.5 > abs(last_before) + 0.2, "the stamps should become smooth"
assert last_after > first_after + 0.3 and first_kept > last_kept, "and the readers hardly"

# %% [markdown]
# The stamps have become dabs of a pen: round blobs and short strokes, from which any digit can be put together. The
# readers, surprisingly, have hardly left their random start. Random kernels already answer differently to different
# edges, as the maps show, and the layers behind them learn to read these answers. (In networks that are trained for
# long on photographs, the first kernels do become tidy edge detectors.)
#
# ### And the digit that moved by two pixels?
#
# **Predict.** All training digits were centred. If we move the test digits to the right, does the convolutional
# network still manage?

# %%
moved_errors = {}
for name, networks in trained.items():
    network = networks[0].to("cpu")
    with torch.no_grad():
        moved_errors[name] = [
            (network(images) - images).square().flatten(1).sum(1).mean().item()
            for images in (move(test_set.floats, right) for right in range(5))
        ]
print("moved by (pixels)           0     1     2     3     4")
for name, row in moved_errors.items():
    print(f"{name:24s}", *(f"{error:5.1f}" for error in row))

# %% tags=["claim"]
assert moved_errors["convolutional"][2] > 1.4 * moved_errors["convolutional"][0], (
    "it suffers"
)
rises = {name: row[3] - row[0] for name, row in moved_errors.items()}
assert 0.75 < rises["convolutional"] / max(rises.values()), "all should rise steeply"
assert min(rises.values()) > 0.75 * rises["convolutional"], "all should rise steeply"
assert moved_errors["convolutional"][2] == min(row[2] for row in moved_errors.values())
small, large = (
    min(moved_errors[name][right] for name in list(contest)[1:])
    / moved_errors["convolutional"][right]
    - 1
    for right in (0, 4)
)
assert large < 0.6 * small, "little of the lead should be left"

# %% [markdown]
# It does not. Its errors are the smallest at first, but they grow as steeply as the others', so that little of its lead
# is left after four pixels. The strides keep the equivariance for some shifts only, and it ends at the **dense layer**
# that makes the code: it has its own weights for each place, and has only ever seen centred digits. If you need
# indifference to position, show the network shifted copies.
#
# ## Workshop · Half of the weights (25 min)
#
# Our network is wasteful. Build one with **at most half of its weights** and the same 16 code numbers that is **at
# least as good** on 500 test digits. The cell below halves the channels: it fits the limit, but its error is higher.
# Choose by the *validation* digits, because a test set by which one has chosen is no test any more.
#
# You may change anything but the code size and the training digits: layers, kernels, channels, pooling, the learning
# rate, how long it trains. `output_size` tells you what fits. Where do the weights sit?

# %% tags=["figure"]
# What the workshop has to reach: the error of the network from above
given, valid_set = trained["convolutional"][0].to("cpu"), load_digits("valid")
valid_set = valid_set.subset(slice(0, 1_000))
first_500 = test_set.subset(slice(0, 500))
goal, on_all, on_valid = (
    measure(given, images)["loss"] for images in (first_500, test_set, valid_set)
)
print(f"the given network: error {on_valid:.2f} on validation digits,")
print(f"{goal:.2f} on the 500 test digits of the check ({on_all:.2f} on all test digits)")


# %% tags=["workshop"]
class SmallAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, kernel_size=4, stride=2, padding=1),  # (8, 14, 14)
            nn.SiLU(),
            nn.Conv2d(8, 16, kernel_size=4, stride=2, padding=1),  # (16, 7, 7)
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(16 * 7 * 7, CODE),
        )
        self.decoder = nn.Sequential(
            nn.Linear(CODE, 16 * 7 * 7),
            nn.Unflatten(1, (16, 7, 7)),
            nn.SiLU(),
            nn.ConvTranspose2d(16, 8, kernel_size=4, stride=2, padding=1),  # (8, 14, 14)
            nn.SiLU(),
            nn.ConvTranspose2d(8, 1, kernel_size=4, stride=2, padding=1),  # (1, 28, 28)
        )

    def encode(self, images):
        return self.encoder(images)

    def forward(self, images):
        return torch.sigmoid(self.decoder(self.encode(images)))


seed_everything(0)
mine = start_dark(SmallAutoencoder())
for layer in mine.modules():
    if count := sum(p.numel() for p in layer.parameters(recurse=False)):
        print(f"{count:7,d}  {layer}")
fit(mine, train_set, epochs=EPOCHS, lr=1.5e-2, batch_size=64)
print(f"validation digits: {measure(mine, valid_set)['loss']:.2f}")

verdict = checks.lesson_04.workshop(mine, given)
verdict


# %% tags=["solution"]
# A third halving, 7 → 4 (kernel 3, stride 2, padding 1), so that the dense layers see 24 · 4 · 4 = 384 numbers and not
# 1,568. And since it is small and quick, it may train twice as long.
class SmallAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 12, kernel_size=4, stride=2, padding=1),  # (12, 14, 14)
            nn.SiLU(),
            nn.Conv2d(12, 24, kernel_size=4, stride=2, padding=1),  # (24, 7, 7)
            nn.SiLU(),
            nn.Conv2d(24, 24, kernel_size=3, stride=2, padding=1),  # (24, 4, 4)
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(24 * 4 * 4, CODE),
        )
        self.decoder = nn.Sequential(
            nn.Linear(CODE, 24 * 4 * 4),
            nn.Unflatten(1, (24, 4, 4)),
            nn.SiLU(),
            nn.ConvTranspose2d(24, 24, kernel_size=3, stride=2, padding=1),  # (24, 7, 7)
            nn.SiLU(),
            nn.ConvTranspose2d(24, 12, kernel_size=4, stride=2, padding=1),  # (12, 14, 14)
            nn.SiLU(),
            nn.ConvTranspose2d(12, 1, kernel_size=4, stride=2, padding=1),  # (1, 28, 28)
        )

    def encode(self, images):
        return self.encoder(images)

    def forward(self, images):
        return torch.sigmoid(self.decoder(self.encode(images)))


seed_everything(0)
mine = start_dark(SmallAutoencoder())
fit(mine, train_set, epochs=2 * EPOCHS, lr=1.5e-2, batch_size=64)

# %% tags=["alternative"]
# The image stays 7 × 7, but a convolution squeezes 24 channels into 8 before the dense layer, and back.
from vae_helpers import models

seed_everything(0)
mine = models.ConvAutoencoder(channels=(16, 24), latent_dim=CODE)
squeeze = (
    nn.Conv2d(24, 8, 3, padding=1),
    nn.SiLU(),
    nn.Flatten(),
    nn.Linear(8 * 7 * 7, CODE),
)
widen = nn.Linear(CODE, 8 * 7 * 7), nn.Unflatten(1, (8, 7, 7)), nn.SiLU()
mine.encoder = nn.Sequential(*mine.encoder[:4], *squeeze)
mine.decoder = nn.Sequential(*widen, nn.Conv2d(8, 24, 3, padding=1), *mine.decoder[2:])
fit(mine, train_set, epochs=2 * EPOCHS, lr=1.5e-2, batch_size=64)

# %% [markdown]
# **Going on.** How far down can you go? Draw the error against the number of weights.
#
# ## Summary
#
# - As a list of numbers, a shifted digit is a new digit. A **convolution** slides one small **kernel** over the image
#   and uses the same weights at every place (**weight sharing**), so a shifted image gives a shifted output
#   (**equivariance**; behind a stride of 2, for even shifts only).
# - A layer has a kernel for each output **channel**, with a slice for each input channel. **Stride** and **padding**
#   decide the output's size, $\lfloor (n + 2p - k)/s \rfloor + 1$; strides and **pooling** make images smaller and the
#   **receptive field** larger.
# - The convolution reads, and the **transposed convolution** stamps. Its matrix is the transpose, not the inverse.
# - At equal weights, training and code size, each with its better start, the convolutional autoencoder makes a much
#   smaller error than the dense one. It does not become indifferent to position.
#
# From here on, `vae_helpers.models.ConvAutoencoder` is this lesson's network.
#
# ## Read and watch
#
# - V. Dumoulin, F. Visin, [A guide to convolution arithmetic for deep learning](https://arxiv.org/abs/1603.07285)
#   (2016): every combination of stride and padding, [animated on
#   GitHub](https://github.com/vdumoulin/conv_arithmetic).
# - 3Blue1Brown, [But what is a convolution?](https://www.youtube.com/watch?v=KuXjwB4LzSA): a video that shows the
#   same operation with dice, probabilities and blurred photographs.
# - Y. LeCun et al., [Backpropagation applied to handwritten zip code
#   recognition](https://doi.org/10.1162/neco.1989.1.4.541) (1989): learnt kernels, on digits from real envelopes.
# - J. Masci et al., [Stacked convolutional auto-encoders for hierarchical feature
#   extraction](https://doi.org/10.1007/978-3-642-21735-7_7) (2011): an early convolutional autoencoder.
#
# **Next:** [lesson 05 · Denoising autoencoders](05_denoising_autoencoders.ipynb): what does an autoencoder learn if
# the picture that it sees is not the picture that it should draw?
