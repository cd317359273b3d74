# %% [markdown]
# # 03 · The fully connected autoencoder
#
# In lesson 02, encoder and decoder were matrices, and the best they could do was a flat: PCA. The
# digits do not lie on a flat. In this lesson encoder and decoder may bend. We measure what that
# gains, walk around in the map that comes out, and then try something bold. We invent codes that
# belong to no digit, decode them, and look. It works, and then it stops working. Finding out why
# leads straight to the second half of this course. Working through it takes about 60 minutes.
#
# **You will be able to**
#
# - write a fully connected autoencoder as a PyTorch module, and count its parameters,
# - compare it fairly with PCA at the same code size, and say where it wins and where it does not,
# - read a two-dimensional latent map, and explore it by decoding any of its points,
# - draw random codes like the data's, and measure how good the decoded pictures are,
# - explain why a plain autoencoder is a poor generator of new pictures.
#
# **It builds on** lesson 01 (encoder, decoder, code, `nn.Linear`, ReLU) and lesson 02 (PCA,
# components, the linear autoencoder, `fit`).

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.neural_network import MLPClassifier
from torch import nn

from vae_helpers import checks, losses, plots, widgets
from vae_helpers.data import load_digits
from vae_helpers.device import pick_device, seed_everything
from vae_helpers.train import fit, measure

plots.use_course_style()
seed_everything(0)
device = pick_device()

# %%
# 10,000 digits are plenty for this lesson; the small set that comes with the course stays whole.
train_set = load_digits("train").subset(slice(0, 10_000)).to(device)
valid_set = load_digits("valid").subset(slice(0, 1_000)).to(device)
test_set = load_digits("test").subset(slice(0, 2_000)).to(device)
print(f"{len(train_set):,} digits to learn from, {len(test_set):,} to test on")

# %% [markdown]
# ## 1 · The model
#
# **Fully connected**, or **dense**, means that every neuron of a layer listens to every neuron of
# the layer before. The encoder takes a picture as one long list of 784 numbers and narrows it down
# in three steps. The decoder is its mirror image:
#
# $$ 784 \to 256 \to 128 \to \boxed{d} \to 128 \to 256 \to 784 $$
#
# The box is the bottleneck, and $d$ is the **code size**. We call it `latent_dim` in the program.
# Between the layers there is a ReLU. Without it, three layers would be one matrix, and we would be
# nearly back at PCA. Two places have no ReLU, each for a reason:
#
# - **The code.** ReLU would cut off all negative values. The code is the scarce good here, so we
#   let each number take any value.
# - **The pixels.** They end with the logistic function (`torch.sigmoid`), so that they lie between
#   0 and 1.
#
# In lesson 01 the model was a chain of layers. Now it becomes a class with a name for each half,
# since from here on we often need just one of them. You have seen all of its parts before.


# %%
class DenseAutoencoder(nn.Module):
    """A fully connected autoencoder for images of 28 × 28 pixels."""

    def __init__(self, latent_dim=2):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(784, 256),
            nn.ReLU(),
            nn.Linear(256, 128),
            nn.ReLU(),
            nn.Linear(128, latent_dim),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 128),
            nn.ReLU(),
            nn.Linear(128, 256),
            nn.ReLU(),
            nn.Linear(256, 784),
        )

    def encode(self, images):
        """Images (N, 1, 28, 28) → codes (N, latent_dim)."""
        return self.encoder(images.flatten(1))

    def decode(self, codes):
        """Codes (N, latent_dim) → images (N, 1, 28, 28) in [0, 1]."""
        return torch.sigmoid(self.decoder(codes)).unflatten(1, (1, 28, 28))

    def forward(self, images):
        """Images → their reconstructions. It runs when we call `model(images)`."""
        return self.decode(self.encode(images))


model = DenseAutoencoder(latent_dim=2)
for name, layer in model.named_modules():
    if isinstance(layer, nn.Linear):
        print(f"{name:10}  {layer.in_features:4} → {layer.out_features:4}")
print(
    f"{sum(p.numel() for p in model.parameters()):,} parameters (weights and biases) in all"
)

# %% [markdown]
# ### Your turn 1 · How many parameters?
#
# Where do so many parameters come from? Write a function that counts them. It gets the widths of
# the **encoder** as a tuple, for example `(784, 256, 128, 2)`, and returns the number of weights
# and biases of the **whole** autoencoder. For our model it should give the number that PyTorch
# counted above. It should also be right for other widths.


# %% tags=["exercise"]
def my_count(widths):
    result = ...  # your code here
    return result


checks.dense_parameters(my_count)


# %% tags=["solution"]
import itertools


def my_count(widths):
    count = 0
    for chain in (widths, widths[::-1]):  # the encoder, then the decoder
        for inputs, neurons in itertools.pairwise(chain):
            # A weight per connection, a bias per neuron.
            count += inputs * neurons + neurons
    return count


# %% [markdown]
# Most parameters sit in the two layers that touch the pixels: $2 \cdot 784 \cdot 256$ weights
# alone. That is the price of "fully connected": every pixel has its own wire to every neuron.
# Lesson 04 shows a way to need far fewer.
#
# ## 2 · Training it with two numbers
#
# The loss is the one of the lessons before: squared error, **summed** over the pixels of a picture,
#
# $$ \ell(x) = \sum_{j=1}^{784} (\hat x_j - x_j)^2, $$
#
# where $x_j$ is pixel $j$ and $\hat x_j$ is what the autoencoder gives back. It is one number per
# image. `fit` then averages over the batch.

# %% [markdown]
# ### Your turn 2 · The loss
#
# Write it for a whole batch. `reconstruction` and `images` both have the shape (N, C, H, W): N
# images with C colour channels (1 here, because the digits are grey) of H × W pixels. Return N
# numbers.


# %% tags=["exercise"]
def my_squared_error(reconstruction, images):
    result = ...  # your code here
    return result


checks.squared_error(my_squared_error)


# %% tags=["solution"]
def my_squared_error(reconstruction, images):
    return (reconstruction - images).square().flatten(1).sum(1)


# %% [markdown]
# `fit` uses this loss unless we tell it otherwise. The package has it as `losses.squared_error`. We
# train for as many epochs as it takes to see about 56,000 images, so that the work is the same for
# a small data set and a large one.
#
# PCA is our yardstick again. With $k$ components, it is the best that a flat can do.
#
# **Predict.** Both methods now get **two** numbers per digit. PCA needs no training and has no
# curves. By how much will the autoencoder's error on test digits be smaller? A tenth? A quarter? A
# half?

# %%
epochs = 56_000 // len(train_set)


def train_autoencoder(latent_dim):
    """A new autoencoder, trained; and what happened in each epoch."""
    seed_everything(0)
    model = DenseAutoencoder(latent_dim)
    history = fit(model, train_set, epochs=epochs, valid=valid_set, lr=5e-3, batch_size=64)
    return model, history


flat_model = PCA(n_components=32, random_state=0).fit(
    train_set.floats.flatten(1).cpu().numpy()
)
mean = torch.tensor(flat_model.mean_, dtype=torch.float32, device=device)
components = torch.tensor(flat_model.components_, dtype=torch.float32, device=device)


def pca(images, k):
    """Reconstructions of images from their first k components."""
    centred = images.flatten(1) - mean
    return (mean + centred @ components[:k].T @ components[:k]).reshape(images.shape)


def pca_error(images, k):
    """Squared error per image of PCA with k components, averaged over the images."""
    return losses.squared_error(pca(images, k), images).mean().item()


model, history = train_autoencoder(latent_dim=2)

# %%
figure = plots.history(history, "Learning to pass through two numbers", "squared error")
figure.axes[0].axhline(
    pca_error(valid_set.floats, 2), color="0.5", linestyle=":", label="PCA, held-out images"
)
figure.axes[0].set(ylabel="squared error per image", ylim=(0, None))
figure.axes[0].legend()
plots.show(
    figure,
    alt="Squared error per image against the epoch. The autoencoder's curves for training and held-out images start "
    "above the dotted line of PCA, cross it early, and end clearly below.",
)

error = measure(model, test_set)["loss"]
print(
    f"test error with two numbers: autoencoder {error:.1f}, PCA {pca_error(test_set.floats, 2):.1f} per image"
)
assert error < 0.88 * pca_error(test_set.floats, 2), "curves should clearly beat the flat"

# %%
with torch.no_grad():
    examples = torch.stack(
        [test_set.floats[test_set.labels == digit][0] for digit in range(10)]
    )
    rows = {
        "test digit": examples,
        "PCA, 2 numbers": pca(examples, 2),
        "autoencoder, 2 numbers": model(examples),
    }
plots.show(
    plots.image_rows(rows, "What two numbers can carry"),
    alt="Ten test digits, and under each what PCA and the autoencoder make of it with two numbers. PCA gives soft "
    "mixtures, some nearly alike; the autoencoder gives blurred digits, several of them another digit than the one above.",
)

# %% [markdown]
# The curve crosses PCA's line early and goes on falling. In the end the error on test digits is
# smaller by clearly more than a tenth; in the run shown here, by almost a quarter. The pictures say
# it more plainly. With two components, PCA can only add or take away two fixed patterns, so all its
# pictures are soft mixtures, and several of them look nearly alike. The autoencoder draws
# *strokes*. It does not always draw the right digit: two numbers are too few to tell everything
# apart. But it usually makes up its mind.
#
# How can it, with the same two numbers? PCA's decoder is $\mu + c_1 v_1 + c_2 v_2$. If $c_1$ and
# $c_2$ run through all values, this sweeps out a flat sheet in the space of all pictures. The
# network's decoder also sweeps out a sheet, as it also has two numbers to play with. But its sheet
# may **bend**. It can pass near the ones, turn, and pass near the zeros.
#
# ## 3 · How many numbers?
#
# If curves are so good, they should win at every code size. We train one autoencoder for each size,
# all in the same way.
#
# **Predict.** Sketch two curves, error against code size, for PCA and the autoencoder. Where is the
# distance between them greatest? What happens at 32?

# %%
sizes = (2, 4, 8, 16, 32)
models = {2: model}
for size in sizes[1:]:
    models[size], _ = train_autoencoder(size)

# %%
test_errors = {size: measure(models[size], test_set)["loss"] for size in sizes}
train_errors = {size: measure(models[size], train_set)["loss"] for size in sizes}
pca_test = {size: pca_error(test_set.floats, size) for size in sizes}
pca_train = {size: pca_error(train_set.floats, size) for size in sizes}

ratio = {size: test_errors[size] / pca_test[size] for size in sizes}
train_ratio = {size: train_errors[size] / pca_train[size] for size in sizes}
print("Squared error per image")
print("               on test digits                on training digits")
print("code size      autoencoder    PCA   ratio    autoencoder    PCA   ratio")
for size in sizes:
    print(
        f"{size:9}      {test_errors[size]:11.1f}  {pca_test[size]:5.1f}   {ratio[size]:5.2f}"
        f"    {train_errors[size]:11.1f}  {pca_train[size]:5.1f}   {train_ratio[size]:5.2f}"
    )

figure, ax = plt.subplots(figsize=(7, 4))
ax.plot(
    sizes,
    pca_test.values(),
    color=plots.COLORS[4],
    marker="s",
    linestyle="--",
    label="PCA",
)
ax.plot(sizes, test_errors.values(), color=plots.COLORS[1], marker="o", label="autoencoder")
ax.set_xscale("log", base=2)
ax.set_xticks(sizes, sizes)
ax.set(
    title="Error on test digits",
    xlabel="code size (numbers per image)",
    ylabel="squared error per image",
    ylim=(0, None),
)
ax.legend()
plots.show(
    figure,
    alt="Test error against code size from 2 to 32. The autoencoder's curve lies far below PCA's up to 8 numbers, then "
    "flattens, while PCA's goes on falling and has passed below it at 32.",
)

for size in (2, 4, 8):
    assert ratio[size] < 0.88, f"at {size} numbers the autoencoder should win clearly"
assert min(ratio.values()) < 0.75, "at its best it should save a quarter of PCA's error"
assert ratio[32] > ratio[8] + 0.15, "at 32 numbers its advantage should have shrunk"
assert test_errors[32] > 0.65 * test_errors[8], "from 8 numbers on it should improve little"
assert train_ratio[32] > 0.75, (
    "at 32 numbers it should not know its training digits by heart"
)

# %% [markdown]
# Up to eight numbers the autoencoder wins by far, and there the curves are farthest apart. At its
# best, it leaves less than three quarters of PCA's error. If you must describe a digit in a few
# numbers, bend.
#
# Then its curve goes almost flat. PCA's keeps falling, and at 32 numbers the advantage is gone: PCA
# may even be ahead. That is strange. We give the network four times as much room, and it gets so
# little better? There are two suspects:
#
# 1. **Overfitting.** It learnt the training digits by heart and fails on new ones. But then its
#    error on *training* digits would be far below PCA's. Look at the right half of the table: with
#    32 numbers it is not. Some overfitting there is: the autoencoder's test error exceeds its
#    training error by more than PCA's does. But its training error flattens as well, and
#    overfitting cannot explain that.
# 2. **Training.** Better weights exist, but gradient descent did not find them in the time that we
#    gave it.
#
# PCA has no second problem: a formula hands it the optimum. A network has to *search*. Suspect 2 is
# easy to question. We leave everything as it is, the data, the network, the number of steps, and
# change one thing only: **the weights and biases that it starts with**.
#
# PyTorch's `nn.Linear` starts with quite small weights. Each layer then passes on a signal that is
# weaker than the one it got. After three layers, all pictures have nearly the same code, and the
# decoder can hardly see which one it is looking at. Kaiming He and colleagues worked out in 2015
# how large the weights should be so that a signal keeps its strength through layers with ReLU:
# random numbers with variance $2/n$, where $n$ is the number of inputs of the layer.
#
# **Predict.** Same network, same steps, other starting weights. How much will the error at 32
# numbers change?


# %%
def start_like_he(model):
    """Give all layers starting weights that keep a signal's strength (He et al., 2015)."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)  # variance 2 / n
            nn.init.zeros_(layer.bias)


seed_everything(0)
fresh, fresh_he = DenseAutoencoder(32).to(device), DenseAutoencoder(32).to(device)
start_like_he(fresh_he)
with torch.no_grad():
    spreads = [m.encode(test_set.floats).std(0).mean() for m in (fresh, fresh_he)]
print(
    f"spread of the codes before training: PyTorch's start {spreads[0]:.3f}, He's start {spreads[1]:.3f}"
)
assert spreads[1] > 4 * spreads[0], "He's start should spread the codes"

fit(fresh_he, train_set, epochs=epochs, valid=valid_set, lr=5e-3, batch_size=64)
better_error = measure(fresh_he, test_set)["loss"]
print(
    f"test error with 32 numbers: PyTorch's start {test_errors[32]:.1f}, He's start {better_error:.1f}, "
    f"PCA {pca_test[32]:.1f} per image"
)
assert better_error < 0.85 * test_errors[32], "a better start should help a lot"
assert better_error < 0.9 * pca_test[32], "and put the autoencoder ahead of PCA again"

# %% [markdown]
# With He's start, the codes of different pictures were several times as far apart before training.
# After it, the error was clearly smaller than with PyTorch's start, and smaller than PCA's. Nothing
# but the start had changed. So the network could do it all along. It was the search that failed.
# Keep this in mind whenever somebody reports that one model beats another: a model is only as good
# as its training.
#
# It is an old story, too. Autoencoders were known since the 1980s, but deep ones could not be
# trained well. In 2006, Geoffrey Hinton and Ruslan Salakhutdinov showed how to find good starting
# weights, layer by layer. On MNIST with 30 numbers, in the very unit that we use, their figure
# gives an error of 3.0 for the autoencoder and 13.9 for PCA. (They trained a larger network for
# much longer.) That paper helped to start the wave of deep learning that we are still riding.
#
# Is the start all that matters? No. Lesson 04 shows another small cause with a large effect. For
# the rest of this lesson, codes matter more than records, so we keep the plain start.
#
# ## 4 · A map of the digits
#
# Back to two numbers. Each digit is now a point on a map. PCA draws a map, too.
#
# **Predict.** In lesson 01 we measured the order in a map by a vote: find the five training digits
# with the nearest codes, and let them name the test digit. Which map will win the vote?

# %%
with torch.no_grad():
    train_codes, test_codes = model.encode(train_set.floats), model.encode(test_set.floats)
flat_train = (train_set.floats.flatten(1) - mean) @ components[:2].T
flat_test = (test_set.floats.flatten(1) - mean) @ components[:2].T


def vote(known, asked):
    """Share of test digits that the five nearest training codes name rightly."""
    nearest = torch.cdist(asked, known).topk(5, largest=False).indices.cpu()
    named = train_set.labels.cpu()[nearest].mode(1).values
    return (named == test_set.labels.cpu()).float().mean().item()


flat_vote, curved_vote = vote(flat_train, flat_test), vote(train_codes, test_codes)

figure, axes = plt.subplots(1, 2, figsize=(11, 5))
names = test_set.label_names
plots.latent_map(
    flat_test, test_set.labels, names, f"PCA: the vote names {flat_vote:.0%}", ax=axes[0]
)
plots.latent_map(
    test_codes,
    test_set.labels,
    names,
    f"Autoencoder: the vote names {curved_vote:.0%}",
    ax=axes[1],
)
plots.show(
    figure,
    alt="Two scatter plots of test digits by their two-number codes, coloured by digit. In PCA's map most digits lie on "
    "top of each other; in the autoencoder's they form separate streaks and patches that meet in the middle.",
)
assert curved_vote > flat_vote + 0.08, "the autoencoder's map should have more order"

# %% [markdown]
# The same number of numbers, but much more order. Nobody told either method which picture is which
# digit. How to read the right map, and how not to:
#
# - **Neighbours look alike.** The decoder is continuous: a small step in the code is a small change
#   in the picture. So codes that are close are *decoded* to pictures that look alike. Their
#   originals need not look alike: where digits crowd, the decoder cannot tell them apart.
# - **The axes have no meaning of their own.** Turn the whole map by any angle, and let the first
#   layer of the decoder turn it back: same pictures, same loss. So the loss cannot prefer one
#   direction. PCA's first number is the direction of the largest variance. Here, the first number
#   is just the first number.
# - **The units mean nothing**, by the same argument: stretch the map, and let the decoder shrink
#   it.
# - **There are gaps.** Between the streaks lie regions without a single digit. Remember them.
#
# ### Explore it
#
# An encoder gives us the map. The decoder gives us something that t-SNE in lesson 02 did not have:
# we may put a finger on *any* point, also where no digit lies, and ask what is there.
#
# Drag the two sliders to move the cross, or click a digit to jump to its middle. Try this: go to
# the middle of the ones, then move slowly. Where does a one stop being a one? Then visit a gap.

# %%
widgets.explore_codes(model.decode, test_codes, test_set.labels, names)

# %% [markdown]
# For readers without a running kernel, and for a closer look, here is one trip on paper: eight
# stops on a straight line, from the median code of the ones to that of the zeros.

# %%
middles = [test_codes[test_set.labels == digit].median(0).values for digit in (1, 0)]
stops = torch.stack([torch.lerp(*middles, t) for t in torch.linspace(0, 1, 8).tolist()])
with torch.no_grad():
    views = model.decode(stops)

figure = plt.figure(figsize=(8.5, 6.4))
grid = figure.add_gridspec(2, 8, height_ratios=(4, 1))
ax = figure.add_subplot(grid[0, :])
plots.latent_map(
    test_codes, test_set.labels, names, "A straight trip through the map", ax=ax
)
ax.plot(*stops.cpu().T, color="black", linewidth=2)
for number, (stop, view) in enumerate(zip(stops.cpu(), views, strict=True), start=1):
    ax.plot(*stop, "o", color="black", markersize=16, zorder=5)
    ax.text(*stop, number, color="white", ha="center", va="center", weight="bold", zorder=6)
    image_ax = figure.add_subplot(grid[1, number - 1])
    plots.draw_image(image_ax, view)
    image_ax.set_title(number)
plots.show(
    figure,
    alt="The latent map with eight numbered stops on a line from the ones to the zeros. Under it the decoded images: "
    "a one at the first stop, a zero at the last, and between them shapes that change step by step.",
)

# %% [markdown]
# Follow the pictures from left to right. In places strokes bend, and other digits come by: that is
# the curved sheet at work. In places one shape fades into the next, and what lies between is no
# digit at all. There the trip crosses a border or a gap.
#
# We can also look at the whole sheet at once. We lay a grid over the map, decode each of its
# points, and put the pictures where their codes are. The grid reaches two standard deviations to
# each side of the mean code. Such a picture is often called the **manifold**, the mathematicians'
# word for a curved sheet of any dimension.
#
# **Predict.** Some points of the grid fall into gaps, where no digit has its code. What will be
# drawn there?

# %%
middle, spread = train_codes.mean(0), train_codes.std(0)
figure = plots.manifold(
    lambda grid: model.decode(middle + spread * grid.to(device)),
    low=-2,
    high=2,
    steps=18,
    title="The decoder's sheet",
)
figure.axes[0].set(
    xlabel="first number of the code (standard deviations from the mean)",
    ylabel="second number of the code (the same)",
)
plots.show(
    figure,
    alt="A grid of 18 by 18 decoded images. Neighbouring images look alike; regions of clear digits pass into each "
    "other; the faintest shapes are near the centre, where many kinds crowd.",
)

# Which corners of the sheet lie in a gap? Those that are far from the code of any digit.
corners = {
    "upper left": (-2.0, 2.0),
    "upper right": (2.0, 2.0),
    "lower left": (-2.0, -2.0),
    "lower right": (2.0, -2.0),
}
scaled = (train_codes - middle) / spread
print("distance to the nearest training code, in standard deviations")
empty = {}
for name, corner in corners.items():
    place = torch.tensor(corner, device=device)
    empty[name] = (scaled - place).norm(dim=1).min().item()
    print(f"  {name:11}  {empty[name]:.2f}")
assert max(empty.values()) > 0.5, "some corner of the sheet should lie in a gap"

# %% [markdown]
# The decoder has an answer for every point. It has no way of saying "nothing here". The printed
# distances tell which corner of the sheet lies deepest in a gap. Look at what is drawn there. In a
# gap the decoder often draws a clear digit, as firmly as anywhere else, and sometimes a mixture of
# two. So a clear picture does not prove that any digit has its code there.
#
# ## 5 · Inventing codes
#
# This suggests a way to make *new* digits. Nobody says that a code must come from a picture. Make
# up a code, decode it, done. A model that makes new examples is called **generative**, as we saw in
# lesson 02.
#
# Which code? Not just any: the codes have their own scale. So we measure the codes of the training
# digits. For each of the $d$ numbers we take the mean $m_j$ and the standard deviation $s_j$, and
# draw from a **Gaussian**, the bell curve, with the same:
#
# $$ z_j = m_j + s_j \, \varepsilon_j, \qquad \varepsilon_j \sim \mathcal N(0, 1). $$
#
# Each invented number on its own is then as large, and spreads as much, as a real one.
#
# **Predict.** The figure has a row of invented digits for each code size. More numbers per code
# gave better reconstructions. Will they also give better inventions?


# %%
@torch.no_grad()
def encode(model, images):
    """Codes of images."""
    return model.encode(images)


@torch.no_grad()
def decode(model, codes):
    """Images of codes."""
    return model.decode(codes)


def invent(model, count):
    """Random codes, each number with the mean and the spread of the training codes."""
    codes = encode(model, train_set.floats)
    noise = torch.randn(count, codes.shape[1], device=device)
    return codes.mean(0) + codes.std(0) * noise


seed_everything(0)
invented = {size: invent(models[size], 1_000) for size in sizes}
rows = {f"{size} numbers": decode(models[size], invented[size][:12]) for size in sizes}
plots.show(
    plots.image_rows(rows, "Twelve random codes for each code size, decoded"),
    alt="Five rows of decoded random codes. With 2 numbers most are blurred but readable digits. From row to row "
    "there are more fragments, blots and strokes that belong to no digit.",
)

# %% [markdown]
# The first row looks good: somewhat blurred, but most are digits. Further down, more and more fall
# apart into fragments and blots. Every one of those numbers is as large as it should be. And the
# decoders of the lower rows are the *better* ones. What is wrong?
#
# ## 6 · Measuring it
#
# "It looks worse" is an impression from twelve pictures. We want numbers. Here are two rulers, one
# for the codes and one for the pictures.
#
# **Ruler 1: is the code at home?** How far is an invented code from the nearest code of a real
# (training) digit? A distance alone says little, as each model has its own scale, and in many
# dimensions everything is far from everything. So we compare with codes that surely are in order:
# the test digits', which the model has not seen either. We call a code **at home** if it is no
# farther from the nearest training code than 95% of the test codes are. So 95% of the codes of real
# digits are at home, by construction.
#
# **Ruler 2: what does a judge say?** We train a classifier on real digits, and ask it which digit
# each decoded picture shows. It answers with ten probabilities. We look at the largest, its
# **confidence**. A clear digit gives a high one, a blot should not. The judge is a ready-made
# network from scikit-learn. It learnt from the same training digits, but never saw a decoded
# picture.

# %%
judge = MLPClassifier(early_stopping=True, tol=1e-3, random_state=0)
judge.fit(train_set.floats.flatten(1).cpu().numpy(), train_set.labels.cpu().numpy())


def confidence(images):
    """The judge's mean confidence."""
    return judge.predict_proba(images.flatten(1).cpu().numpy()).max(1).mean()


accuracy = judge.score(
    test_set.floats.flatten(1).cpu().numpy(), test_set.labels.cpu().numpy()
)
print(
    f"the judge is right on {accuracy:.0%} of the test digits, with a mean confidence of {confidence(test_set.floats):.0%}"
)
assert accuracy > 0.88, "the judge should know digits"

# %% [markdown]
# A judge can be sure and wrong, above all about pictures unlike anything it has learnt from. So its
# confidence is not a truth, and we use it for a comparison only: with its confidence in
# **reconstructions** of test digits by the same model. Those are blurred, too.
#
# **Predict.** How will the share at home change from 2 to 32 numbers? And the judge's confidence in
# reconstructions, and in inventions?


# %%
def nearest_distance(model, codes):
    """Distance of each code to the nearest code of a training digit."""
    return torch.cdist(codes, encode(model, train_set.floats)).min(1).values


def share_at_home(model, codes):
    """Share of codes that are as near to a training code as 95% of the test codes are."""
    limit = nearest_distance(model, encode(model, test_set.floats)).quantile(0.95)
    return (nearest_distance(model, codes) <= limit).float().mean().item()


def both_rulers(model, codes):
    """Share of codes at home; the judge's confidence in reconstructions, and in decoded codes."""
    rebuilt = decode(model, encode(model, test_set.floats))
    return (
        share_at_home(model, codes),
        confidence(rebuilt),
        confidence(decode(model, codes)),
    )


home, sure_rebuilt, sure_invented = {}, {}, {}
print("            invented codes   the judge's mean confidence in")
print("code size   at home          reconstructions   inventions   difference")
for size in sizes:
    home[size], sure_rebuilt[size], sure_invented[size] = both_rulers(
        models[size], invented[size]
    )
    print(
        f"{size:9}   {home[size]:<14.0%}   {sure_rebuilt[size]:<15.0%}   {sure_invented[size]:<10.0%}"
        f"   {100 * (sure_rebuilt[size] - sure_invented[size]):+.0f} points"
    )

figure, (home_ax, sure_ax) = plt.subplots(1, 2, figsize=(10.5, 4))
home_ax.axhline(95, color="0.5", linestyle=":")
home_ax.text(32, 96, "codes of test digits", ha="right", va="bottom", color="0.35")
home_ax.plot(sizes, [100 * home[size] for size in sizes], color=plots.COLORS[4], marker="s")
home_ax.set(
    title="Ruler 1: invented codes at home", ylabel="share at home (%)", ylim=(-3, 105)
)
sure_ax.plot(
    sizes,
    [100 * sure_rebuilt[size] for size in sizes],
    color=plots.COLORS[1],
    marker="o",
    label="reconstructions of test digits",
)
sure_ax.plot(
    sizes,
    [100 * sure_invented[size] for size in sizes],
    color=plots.COLORS[4],
    marker="s",
    linestyle="--",
    label="decoded random codes",
)
sure_ax.set(
    title="Ruler 2: what the judge says", ylabel="mean confidence (%)", ylim=(40, 105)
)
sure_ax.legend(loc="lower left")
for ax in (home_ax, sure_ax):
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, sizes)
    ax.set_xlabel("code size (numbers per image)")
plots.show(
    figure,
    alt="Left: the share of invented codes at home falls from most of them at 2 numbers to almost none at 16 and 32. "
    "Right: the judge's confidence in reconstructions rises with the code size, its confidence in decoded random "
    "codes falls, so that a gap opens.",
)

gap = {size: sure_rebuilt[size] - sure_invented[size] for size in sizes}
assert home[2] > 0.5 and home[2] > home[8] > home[32], (
    "codes should get lost as their size grows"
)
assert home[32] < 0.05, "with 32 numbers almost no invented code should be at home"
assert abs(gap[2]) < 0.08, "with 2 numbers the judge should hardly see a difference"
assert gap[32] > gap[2] + 0.1, "with 32 numbers it should"

# %% [markdown]
# Both rulers agree. With two numbers, most invented codes are at home, and the judge is about as
# sure of inventions as of reconstructions. With 32, practically **no** invented code is at home.
# Reconstructions got clearer, inventions got worse, and between the two curves a gap has opened.
#
# Is it because the large models were trained badly? We have one that was trained better.

# %%
home_he, rebuilt_he, invented_he = both_rulers(fresh_he, invent(fresh_he, 1_000))
print(
    f"32 numbers, He's start: {home_he:.0%} at home; confidence {rebuilt_he:.0%} in reconstructions, "
    f"{invented_he:.0%} in inventions"
)
assert home_he < 0.05 and rebuilt_he - invented_he > gap[2] + 0.1, (
    "a better reconstruction should not help the inventions"
)

# %% [markdown]
# It rebuilds digits much better, and invents hardly better: still almost no code is at home, and
# the gap in confidence stays. So the reason lies elsewhere.
#
# ### Why this happens
#
# **Most of the space has no code in it.** Cut the range of each number into ten equal parts. That
# makes 10 boxes in one dimension, 100 in two, and $10^d$ in $d$. We have a few thousand training
# digits, so at most a few thousand boxes hold a code. How many do?

# %%
print("code size   boxes   with a training code   that is a share of")
for size in sizes:
    codes = encode(models[size], train_set.floats)
    low, high = codes.amin(0), codes.amax(0)
    box = ((codes - low) / (high - low) * 10).long().clamp(max=9)
    occupied = len(box.unique(dim=0))
    print(f"{size:9}   10^{size:<4} {occupied:20,}   {occupied / 10.0**size:18.2g}")

# %% [markdown]
# In two dimensions, the digits fill much of the map. In 32, the boxes outnumber the digits by more
# than a billion billion billion. All that the training ever did was to ask the decoder for good
# pictures at the few codes that occur. Nobody ever asked for anything at the others.
#
# Emptiness alone would not matter, if invented codes knew where the real ones are. They do not.
# Here are two numbers of the 32: those two that are most strongly correlated.

# %%
codes = encode(models[32], train_set.floats)
correlation = torch.corrcoef(codes.T).abs().fill_diagonal_(0)
i, j = divmod(int(correlation.argmax()), 32)

figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.6))
for ax, real, made, title in (
    (axes[0], train_codes, invented[2], "2 numbers: both"),
    (axes[1], codes[:, [i, j]], invented[32][:, [i, j]], "32 numbers: two of them"),
):
    ax.scatter(
        *real[:: len(real) // 1_000].cpu().T,
        s=9,
        alpha=0.7,
        linewidths=0,
        color=plots.COLORS[1],
        label="training digits",
    )
    ax.scatter(
        *made.cpu().T,
        s=14,
        linewidths=0.8,
        marker="x",
        color=plots.COLORS[2],
        label="invented",
    )
    ax.set_title(title)
    ax.legend(markerscale=2)
axes[0].set(xlabel="first number of the code", ylabel="second number of the code")
axes[1].set(xlabel=f"number {i + 1} of the code", ylabel=f"number {j + 1} of the code")
plots.show(
    figure,
    alt="Real codes as dots and invented codes as crosses. Left, for 2 numbers, the crosses overlap most of "
    "the dots but miss their outer arms. Right, two strongly correlated numbers of 32: the dots lie in a narrow slanting "
    "band, and the crosses in a round cloud that reaches far out of it on both sides.",
)
print(f"correlation of numbers {i + 1} and {j + 1}: {correlation[i, j]:.2f} (absolute)")
assert correlation[i, j] > 0.6, "some numbers of the code should depend on each other"

# %% [markdown]
# These two numbers depend on each other: if you know one, you can guess the other. (Other pairs do
# so less.) An invented code chooses each number on its own, and so often lands beside the band.
# The same happened in lesson 02, when each *pixel* came from another digit. And the more numbers,
# the more chances for one of them not to fit the rest.
#
# ## 7 · Can it be mended?
#
# The picture suggests a cure: draw the numbers *together*. A Gaussian can have correlations. It
# then has, in place of one spread per number, a **covariance matrix** $\Sigma$. Entry $\Sigma_{ij}$
# says how number $i$ and number $j$ vary together.
#
# ### Your turn 3 · Draw codes that hang together
#
# To draw from a Gaussian with mean $\mu$ and covariance $\Sigma$, one needs a "root" of $\Sigma$, a
# matrix $L$ with $L L^\top = \Sigma$. There are many. `torch.linalg.cholesky` computes the one that
# the check expects. Then
#
# $$ z = \mu + L \varepsilon, \qquad \varepsilon \sim \mathcal N(0, I) $$
#
# is a draw, for a column of random numbers $\varepsilon$. Write it for n draws at once: `mean` is
# (d,), `covariance` is (d, d), and `eps` is (n, d), one draw per **row**. Both `mean` and
# `covariance` are given; you need not estimate them. Return (n, d).


# %% tags=["exercise"]
def my_codes(mean, covariance, eps):
    result = ...  # your code here
    return result


checks.correlated_codes(my_codes)


# %% tags=["solution"]
def my_codes(mean, covariance, eps):
    L = torch.linalg.cholesky(covariance)
    # (L ε)ᵀ = εᵀ Lᵀ: for rows, the transpose goes to the right.
    return mean + eps @ L.T


# %% [markdown]
# NumPy has such draws ready-made, so we use it here.
#
# **Predict.** With 32 numbers, almost no independent code was at home. How many will be, now that
# they have the right correlations? All 95%?

# %%
rng = np.random.default_rng(0)
codes = encode(models[32], train_set.floats).cpu().double().numpy()
together = rng.multivariate_normal(
    codes.mean(0), np.cov(codes.T), size=1_000, method="eigh"
)
together = torch.tensor(together, dtype=torch.float32, device=device)

rows = {
    "each on its own": decode(models[32], invented[32][:12]),
    "drawn together": decode(models[32], together[:12]),
    "test digits,\nreconstructed": decode(
        models[32], encode(models[32], test_set.floats[::83][:12])
    ),
}
plots.show(
    plots.image_rows(rows, "32 numbers, drawn in two ways, against the real thing"),
    alt="Three rows of decoded images. Codes drawn number by number give fragments; codes drawn together give more "
    "coherent strokes, some readable, many not; reconstructions of test digits are clear.",
)
home_together = share_at_home(models[32], together)
sure_together = confidence(decode(models[32], together))
print(f"at home: {home[32]:.0%} each on its own, {home_together:.0%} together, 95% real")
print(
    f"judge:   {sure_invented[32]:.0%} each on its own, {sure_together:.0%} together, {sure_rebuilt[32]:.0%} real"
)
assert home[32] + 0.04 < home_together < 0.6, "it should help, but not mend"
assert sure_invented[32] + 0.02 < sure_together < sure_rebuilt[32] - 0.04, (
    "the judge should agree"
)

# %% [markdown]
# It helps, and it does not mend. The strokes hang together better, and some can be read. But most
# codes are still not at home. So the real codes do not form a Gaussian cloud. If they did, 95% of
# these draws would be at home, as real codes are. A Gaussian is one smooth hill, round or
# stretched. Whatever hill we choose, much of it stands on empty land.
#
# One can go on and fit the codes with more and more complicated shapes. (We do so in lesson 09, and
# it works quite well.) But think about the order of things. First we let the autoencoder put its
# codes wherever it liked. Then we run after them with a distribution.
#
# ## 8 · The other way round
#
# Why not say beforehand where the codes should be? That is the idea of the **variational
# autoencoder**, the VAE. It changes the two things that went wrong here:
#
# | | what the plain autoencoder does | what a VAE does |
# |---|---|---|
# | where codes lie | anywhere; nothing in the loss says | near a distribution that we choose, $\mathcal N(0, I)$: the loss has a second part that pulls them there |
# | what the decoder learns | good pictures at single points | good pictures in a small *cloud* around each code, as the encoder gives a spread, too, and a code is drawn from it |
#
# The first makes it known where to draw. The second fills the gaps, because the clouds of
# neighbouring digits meet, and the decoder has to be good wherever they are. Both have a price in
# the reconstruction error, and how much to pay is a question of its own. You have already met the
# simplest member of the family: probabilistic PCA, in lesson 02, where the decoder was a flat.
# Lesson 07 puts curves into it.
#
# ## Summary
#
# - A **fully connected autoencoder** narrows a picture down layer by layer, and opens up again.
#   ReLUs between the layers let it bend.
# - At **small code sizes** it beats PCA by far: a curved sheet passes nearer to the digits than a
#   flat.
# - At **larger sizes** the advantage went away, not for lack of ability but of training. Better
#   starting weights brought it back. PCA has its optimum from a formula; a network has to search.
# - On its **two-dimensional map**, neighbours are decoded alike. Axes and units mean nothing. Every
#   point can be decoded, gaps included.
# - **Random codes** decode well in two dimensions and ever worse in more. We measured it in two
#   ways: invented codes are no longer near real ones, and a judge loses its confidence.
# - The reason: real codes fill a thin, bent part of their space. Nothing in the loss tells the
#   codes where to lie, or the decoder what to do elsewhere. A **VAE** adds both.
#
# ## What to read
#
# - G. Hinton, R. Salakhutdinov, [Reducing the dimensionality of data with neural
#   networks](https://doi.org/10.1126/science.1127647) (2006): the duel of autoencoder and PCA on
#   MNIST. Compare their figure 2B with our section 3.
# - K. He, X. Zhang, S. Ren, J. Sun, [Delving deep into
#   rectifiers](https://arxiv.org/abs/1502.01852) (2015): section 2.2 derives the starting weights
#   in one page.
# - I. Goodfellow, Y. Bengio, A. Courville, [Deep Learning, chapter
#   14](https://www.deeplearningbook.org/contents/autoencoders.html) (2016): autoencoders as a
#   family, and what else can keep them from copying. It prepares lessons 05 and 06.
# - P. Ghosh and others, [From variational to deterministic
#   autoencoders](https://arxiv.org/abs/1903.12436) (2020): how far one gets with a plain
#   autoencoder and a distribution fitted to its codes afterwards, the way of our section 7.
#
# **Next:** lesson 04, The convolutional autoencoder. A network that knows that a picture is a
# picture.
