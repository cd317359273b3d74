# %% [markdown]
# # 02 · Dimensionality reduction
#
# Lesson 01 squeezed pictures of digits through two numbers. Was that good? To judge it we need
# something to compare with. In this lesson we meet the best that straight lines and flat planes can
# do, a method from 1901 called PCA. We find it again inside a network. Then we turn it into our
# first model that makes *new* digits. Working through it takes about 75 minutes.
#
# **You will be able to**
#
# - explain why a picture needs far fewer numbers than it has pixels,
# - compute a principal component analysis (PCA) from the singular value decomposition, and say what
#   is kept and what is lost with $k$ components,
# - read a t-SNE map, and say what its distances do not mean,
# - explain what a linear autoencoder learns, and what it cannot learn,
# - write down a probability distribution for pictures, score pictures with it, and draw new ones.
#
# **It builds on** lesson 01 (encoder, decoder, code, the training loop) and on a first course in
# linear algebra (matrices, dot products, orthogonal directions). Section 7 needs the mean, the
# variance and the bell curve.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch import nn

from vae_helpers import checks, plots, widgets
from vae_helpers.data import load_digits
from vae_helpers.device import pick_device, seed_everything
from vae_helpers.train import fit, measure

plots.use_course_style()
seed_everything(0)
device = pick_device()

# %% [markdown]
# ## 1 · Why 784 numbers are too many
#
# A digit of 28 × 28 pixels is a list of 784 numbers. So a digit is one point in a space of 784
# dimensions. That space is unimaginably large. Suppose each pixel could only be black or white.
# Then there would be $2^{784}$ different pictures, a number with 237 digits. How many of them show
# a handwritten digit?
#
# We need no theory to find out. We pick points at random and look. We do it in two ways. The first
# way gives every pixel a random grey level. The second way is more careful: it copies each pixel
# from a *real* digit, but every pixel from another one. So every single pixel has the grey levels
# that it has in real life, and only their connection is lost.
#
# **Predict.** How many random points must you draw until you see a digit? And will the second way
# do better than the first?

# %%
# 10,000 digits are plenty for this lesson; the small set that comes with the course stays whole.
train_set = load_digits("train").subset(slice(0, 10_000))
test_set = load_digits("test").subset(slice(0, 2_000))
# One row of 784 numbers per digit. 64-bit numbers, as we shall factorise matrices.
X = train_set.floats.flatten(1).double()
X_test = test_set.floats.flatten(1).double()
print(
    f"{len(X):,} digits to learn from, {len(X_test):,} to test on, {X.shape[1]} pixels each"
)


def as_images(rows):
    """Rows of 784 numbers (N, 784) as pictures (N, 1, 28, 28), ready to be drawn."""
    return rows.float().clamp(0, 1).reshape(-1, 1, 28, 28)


# One test digit of each kind.
ten = torch.stack([(test_set.labels == d).nonzero()[0, 0] for d in range(10)])
pixel = torch.arange(784)
pixel_by_pixel = X[torch.randint(len(X), (1000, 784)), pixel]
plots.show(
    plots.image_rows(
        {
            "real digits": as_images(X_test[ten]),
            "random\ngrey levels": as_images(torch.rand(10, 784)),
            "each pixel from\nanother digit": as_images(pixel_by_pixel[:10]),
        },
        "Points in a space of 784 dimensions",
    ),
    alt="Three rows of ten pictures: real handwritten digits; grey noise without any form; and clouds of white dots "
    "that are dense in the middle and empty at the border, but show no strokes.",
)

# %% [markdown]
# You could draw for the rest of your life and never see a digit. Real digits fill almost nothing of
# the space. In the third row every pixel is right on its own. Still there are no strokes. So what
# makes a digit is not in the pixels one by one. It is in how they **depend on each other**.
#
# Dependence is good news. If one pixel tells us about another, we need not store both. How strong
# is it? We guess each pixel from its two neighbours, left and right, by taking their mean. We
# compare with somebody who knows only the pixel's average.

# %%
middle = train_set.floats[..., 1:-1]
from_neighbours = (train_set.floats[..., :-2] + train_set.floats[..., 2:]) / 2


def error_of(guess):
    """Squared error per image, summed over its pixels, averaged over the images."""
    return (middle - guess).square().flatten(1).sum(1).mean().item()


by_average, by_neighbours = error_of(middle.mean(0)), error_of(from_neighbours)
print(f"guess each pixel by its average:        squared error per image {by_average:5.1f}")
print(
    f"guess each pixel by its two neighbours: squared error per image {by_neighbours:5.1f}"
)
assert by_neighbours < 0.5 * by_average, "neighbours should tell much about a pixel"

# %% [markdown]
# Two neighbours are enough to take away most of the uncertainty, although the rule was a very
# simple one. Pictures repeat themselves. **Dimensionality reduction** is the art of not storing the
# repetitions: describe each picture by a few numbers, and lose as little as possible.

# %% [markdown]
# ## 2 · The best line through a cloud
#
# We start where we can see everything: two numbers per digit, to be replaced by one. The two
# numbers are the ink in the left half and the ink in the right half of the picture. (Ink is the sum
# of the grey levels: a white pixel counts 1.) Each digit becomes a point on a sheet of paper.
#
# To keep one number instead of two, we lay a straight line through the middle of the cloud. We
# replace each point by its **projection**: the nearest point of the line. One number says where on
# the line this is. What we lose is the squared distance from the point to the line.
#
# **Predict.** At which angle should the line be? Drag the slider until the thin grey segments, the
# losses, are as short as you can get them.

# %%
pictures = X.reshape(-1, 28, 28)
left, right = pictures[..., :14].sum((1, 2)), pictures[..., 14:].sum((1, 2))
ink = torch.stack([left, right], dim=1)  # (N, 2)
cloud = ink - ink.mean(0)  # the middle of the cloud is now at (0, 0)


def split(degrees):
    """How much of the cloud's variance a line at this angle keeps, and how much it loses."""
    angle = math.radians(degrees)
    direction = torch.tensor([math.cos(angle), math.sin(angle)]).double()  # of length 1
    along = cloud @ direction  # the number that we keep, one per digit
    off = cloud - along[:, None] * direction  # what is left over
    return along.square().mean().item(), off.square().sum(1).mean().item()


angles = np.arange(0, 180)
kept, lost = np.array([split(degrees) for degrees in angles]).T
some = torch.randperm(len(cloud), generator=torch.Generator().manual_seed(0))[:150]


def draw_line(degrees):
    """The cloud with a line at this angle, and what every angle keeps and loses."""
    angle = math.radians(degrees)
    direction = torch.tensor([math.cos(angle), math.sin(angle)]).double()
    points = cloud[some]
    nearest = (points @ direction)[:, None] * direction
    figure, (ax, curve_ax) = plt.subplots(1, 2, figsize=(10.5, 4.4))
    for segment in torch.stack([points, nearest], 1):
        ax.plot(*segment.T, color="0.65", linewidth=0.9)
    ax.plot(*points.T, "o", markersize=3.5, color=plots.COLORS[1], label="digit")
    ax.axline((0, 0), direction.tolist(), color=plots.COLORS[4], linewidth=2, label="line")
    ax.set(
        title=f"150 digits and a line at {degrees}°",
        xlabel="ink in the left half, mean removed",
        ylabel="ink in the right half, mean removed",
        xlim=(-65, 65),
        ylim=(-65, 65),
        aspect="equal",
    )
    ax.legend(loc="lower right")
    curve_ax.plot(angles, kept + lost, color="0.5", linestyle=":", label="kept + lost")
    curve_ax.plot(
        angles, kept, color=plots.COLORS[1], label="kept: variance along the line"
    )
    curve_ax.plot(
        angles,
        lost,
        color=plots.COLORS[4],
        linestyle="--",
        label="lost: mean squared distance",
    )
    curve_ax.axvline(degrees, color="0.8", zorder=0)
    curve_ax.set(
        title="What each line keeps and loses",
        xlabel="angle of the line (degrees)",
        ylabel="squared ink",
        ylim=(0, 1.4 * (kept + lost).max()),
    )
    curve_ax.legend(loc="upper right")
    return figure


widgets.explore(draw_line, degrees=(0, 179, 0))

# %%
best = int(angles[kept.argmax()])
plots.show(
    draw_line(best),
    alt="Left: a long, slanted cloud of points with a line along it and short grey segments from each point to the "
    "line. Right: against the angle of the line, the variance kept and the error lost, mirror images of each other, "
    "and their constant sum.",
)
print(
    f"the best angle is {best}°; that line keeps {kept.max() / (kept + lost).max():.0%} of the variance"
)
assert np.ptp(kept + lost) < 1e-3 * kept.max(), "kept and lost should add up to a constant"
assert lost.argmin() == kept.argmax(), "the best line keeps most and loses least"
assert 0.8 < kept.max() / (kept + lost).max() < 0.99, "one number should tell most of both"

# %% [markdown]
# The best line runs along the cloud. That is no surprise: who writes with much ink does so in both
# halves. The surprise is on the right. The two curves mirror each other, and their sum is constant.
# This is the theorem of Pythagoras. A point, its projection and the middle form a right triangle:
#
# $$ \underbrace{\|x\|^2}_{\text{fixed}} \;=\; \underbrace{\|\text{along the line}\|^2}_{\text{kept}} \;+\; \underbrace{\|\text{off the line}\|^2}_{\text{lost}} $$
#
# Average over all points. On the left stands the **variance** of the cloud, the mean squared
# distance from its middle. It does not depend on the line. So there are two ways to ask for the
# best line, and they are the same: *keep the most variance*, or *lose the least*. Karl Pearson
# wrote about this line in 1901.
#
# This is **principal component analysis**, or **PCA**. The direction of the best line is the
# **first principal component**. The second is the best direction at right angles to the first, and
# so on. Together, $k$ of them span the best flat of $k$ dimensions: a line, a plane, or something
# that we cannot draw any more.

# %% [markdown]
# ## 3 · PCA of digits, from one matrix factorisation
#
# In 784 dimensions we cannot try all angles. We do not need to. Put the digits as rows into a
# matrix, and subtract the mean digit $\mu$ ("mu") from each row. The result is called $\bar X$,
# with $N$ rows and $D = 784$ columns. Every matrix can be taken apart by the **singular value
# decomposition** (SVD):
#
# $$ \bar X = U S V^\top $$
#
# The rows of $V^\top$ are directions $v_1, v_2, \dots$ of length 1, each at right angles to all
# others. $S$ is diagonal, with numbers $s_1 \ge s_2 \ge \dots \ge 0$, the **singular values**. The
# columns of $U$ have length 1 and are at right angles as well.
#
# The claim is: $v_1$ is the best direction, and $s_1^2/N$ is the variance that it keeps. The proof
# is short. Take any direction $v$ of length 1. The numbers that we would keep are $\bar X v$. Their
# variance is
#
# $$ \frac1N \|\bar X v\|^2 = \frac1N \|U S V^\top v\|^2 = \sum_j \frac{s_j^2}{N} \,(v_j^\top v)^2 . $$
#
# ($U$ drops out: with such columns it changes no length.) The factors $(v_j^\top v)^2$ are not
# negative and add up to 1, the squared length of $v$. So this is a weighted average of
# the numbers $s_j^2/N$. An average is largest when all the weight is on the largest number. That
# means $v = v_1$. For the second component, ask the same question among the directions at right
# angles to $v_1$. Now $v_2$ wins. And so on.
#
# That is all of PCA: three lines of code.

# %%
mean = X.mean(0)
U, S, Vt = torch.linalg.svd(X - mean, full_matrices=False)
components, variances = Vt, S.square() / len(X)  # (784, 784), one component per row; (784,)

print("variance along the first components:", [round(v, 2) for v in variances[:8].tolist()])
print(f"variance of the whole cloud:         {variances.sum():.1f}")

# %% [markdown]
# **Predict.** scikit-learn has PCA ready-made. Will its first 20 components be the same numbers as
# ours?

# %%
library = PCA(n_components=20, svd_solver="full").fit(X.numpy())
theirs = torch.tensor(library.components_)
cosines = (components[:20] * theirs).sum(1)  # one dot product per component
print("our component · scikit-learn's:", [round(c, 3) for c in cosines.tolist()])
ratio = torch.tensor(library.explained_variance_ratio_)
assert (cosines.abs() - 1).abs().max() < 1e-3, "equal up to their sign"
assert torch.allclose(variances[:20] / variances.sum(), ratio, rtol=1e-3), "equal variances"

# %% [markdown]
# The dot product of two directions of length 1 is 1 if they are the same, and $-1$ if they are
# opposite. We find these two values only. The components are equal **up to their sign**. A line has
# no front and no back: $v$ and $-v$ describe the same line, and a program may return either. Keep
# this in mind when you compare results. It is also the reason why a plot from another computer may
# be mirrored.
#
# A component has 784 numbers, one per pixel. So we can draw it as a picture. Its numbers may be
# negative. Adding the component puts ink where it is purple and takes ink away where it is orange.
# With the other sign the roles swap.

# %%
figure, axes = plt.subplots(2, 5, figsize=(9.5, 4.3))
plots.draw_image(axes[0, 0], as_images(mean)[0])
axes[0, 0].set_title("mean digit μ")
limit = components[:9].abs().max()
for number, ax in enumerate(axes.flat[1:]):
    signed = ax.imshow(
        components[number].reshape(28, 28), cmap="PuOr", vmin=-limit, vmax=limit
    )
    ax.set_title(f"component {number + 1}")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
figure.colorbar(signed, ax=axes, label="weight of the pixel", shrink=0.8)
plots.show(
    figure,
    alt="The mean digit, a bright smudge, and the first nine components: smooth patterns of orange and purple. The "
    "first looks like a ring around a vertical bar; later ones have more and finer patches.",
)

answers = (X_test - mean) @ components[0]  # where each test digit lies along component 1
by_kind = [answers[test_set.labels == d].mean().item() for d in range(10)]
print("mean along component 1, digits 0 to 9:", [round(a, 1) for a in by_kind])
assert {np.argmin(by_kind), np.argmax(by_kind)} == {0, 1}, "zeros against ones"

# %% [markdown]
# Each picture is a question about a digit. Number 1 asks: are you more like a ring or more like an
# upright stroke? The printed line has the mean answers of the test digits: zeros answer strongly
# one way, ones the other way. The later components ask about finer and finer details.
#
# In 1991 Matthew Turk and Alex Pentland did the same with photographs of faces. Their "eigenfaces"
# were among the first programs that recognised people. Geneticists did it with the DNA of 3,000
# Europeans. The first two components drew a map of Europe (Novembre and others, 2008).

# %% [markdown]
# ### Your turn 1 · There and back
#
# With $k$ components, a picture $x$ becomes a **code** $h$ of $k$ numbers, and the code becomes a
# picture again:
#
# $$ h = V_k^\top (x - \mu), \qquad \hat x = \mu + V_k h . $$
#
# Here the columns of $V_k$ are the first $k$ components. Write both steps as one function. `images`
# is (N, D), one picture per *row*. `mean` is (D,). `components` is (k, D), one component per *row*.
# Return the reconstructions, (N, D). (For rows, transposes change places. Thinking in shapes helps:
# what must stand between (N, D) and (N, k)?)


# %% tags=["exercise"]
def reconstruct(images, mean, components):
    result = ...  # your code here
    return result


checks.pca_reconstruction(reconstruct)


# %% tags=["solution"]
def reconstruct(images, mean, components):
    codes = (images - mean) @ components.T  # (N, D) times (D, k) gives (N, k)
    return mean + codes @ components  # (N, k) times (k, D) gives (N, D)


# %% [markdown]
# ## 4 · How many numbers are enough?
#
# The first step above is an encoder, the second a decoder. So PCA *is* an autoencoder, one that
# needs no training. How good is it, with how many numbers per digit? Here is the error that the
# whole course uses: squared, summed over the pixels of an image, averaged over the images.
#
# **Predict.** We rebuild test digits from 2, 10, 50 and 200 numbers in place of 784. From how many
# on will you be able to read all ten?


# %%
def encode(images, k):
    """Codes (N, k) of images (N, 784): where their projections lie on the flat."""
    return (images - mean) @ components[:k].T


def decode(codes):
    """Images (N, 784) for codes (N, k)."""
    return mean + codes @ components[: codes.shape[1]]


def pca_error(images, k):
    """Squared error per image of a reconstruction from k numbers."""
    return (decode(encode(images, k)) - images).square().sum(1).mean().item()


rows = {"test digit": as_images(X_test[ten])}
for k in (2, 10, 50, 200):
    rows[f"{k} numbers"] = as_images(decode(encode(X_test[ten], k)))
plots.show(
    plots.image_rows(rows, "Test digits, rebuilt from more and more numbers"),
    alt="Ten test digits and four rows of reconstructions. With 2 numbers there are blurred rings and bars, with 10 "
    "many digits can be guessed, with 50 all can be read, and with 200 they look like the originals.",
)

# %%
ks = [1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 600, 784]
train_error = [pca_error(X, k) for k in ks]
test_error = [pca_error(X_test, k) for k in ks]
share_kept = variances.cumsum(0) / variances.sum()

figure, (share_ax, error_ax) = plt.subplots(1, 2, figsize=(10.5, 4))
share_ax.plot(range(1, 785), share_kept, color=plots.COLORS[1])
share_ax.axhline(0.9, color="0.6", linestyle=":")
share_ax.text(784, 0.89, "90%", color="0.4", ha="right", va="top")
share_ax.set(
    title="What is kept",
    xlabel="number of components k",
    ylabel="share of the variance",
    ylim=(0, 1.03),
)
error_ax.plot(ks, train_error, "o-", color=plots.COLORS[1], label="training digits")
error_ax.plot(ks, test_error, "s--", color=plots.COLORS[4], label="test digits")
error_ax.set(
    title="What is lost",
    xlabel="number of components k (logarithmic)",
    ylabel="squared error per image",
    xscale="log",
    ylim=(0, None),
)
error_ax.legend()
plots.show(
    figure,
    alt="Left: the share of variance kept rises steeply and is above 90% long before 200 components. Right: the "
    "squared error per image falls with the number of components to zero, almost the same for training and test digits.",
)

left_over = [variances[k:].sum().item() for k in ks]
print("   k   error on training digits   variances left out   error on test digits")
for k, measured, predicted, unseen in zip(ks, train_error, left_over, test_error):
    print(f"{k:4d}   {measured:24.3f}   {predicted:18.3f}   {unseen:20.3f}")
assert np.allclose(train_error, left_over, rtol=1e-3, atol=1e-3), (
    "lost = variances left out"
)
assert share_kept[99] > 0.9, "100 components should keep more than 90%"
assert all(t < 1.15 * e for t, e in zip(test_error[:7], train_error[:7])), (
    "it should carry over"
)

# %% [markdown]
# With 2 numbers there are rings and bars. With 50 most people can read all ten. In the curves and
# the table there are three things to see.
#
# - **Few numbers go a long way.** A tenth of the numbers keeps most of the variance. The rest of
#   the curve is long and flat.
# - **Lost is what was left out.** The second and the third column agree digit for digit. The error
#   on the training set is the sum of the variances that were not kept: Pythagoras once more, in 784
#   dimensions. Nobody has to reconstruct anything to know the error.
# - **It carries over to new digits.** On test digits the error is about the same, at least while
#   $k$ is not large. PCA with few components has little room to learn by heart.
#
# Two numbers are not enough for PCA. And was lesson 01 good? It printed its squared error per test
# image. Compare it with the row $k = 2$ of the table: its network loses less with the same two
# numbers. A plane is the best *flat* thing, but nothing says that digits lie on a flat thing.
# Lesson 03 will measure who is better.

# %% [markdown]
# ### Your turn 2 · Enough is enough
#
# How many components are needed to keep at least a given share of the variance? `variances` (D,)
# has the largest first. `share` is a number such as 0.9. Return a whole number.


# %% tags=["exercise"]
def components_needed(variances, share):
    result = ...  # your code here
    return result


checks.components_needed(components_needed)


# %% tags=["solution"]
def components_needed(variances, share):
    shares = variances.cumsum(0) / variances.sum()
    # All that fall short, and the first that does not.
    return int((shares < share).sum()) + 1


# %% [markdown]
# When your function passes, try `components_needed(variances, 0.9)` on our digits, then 0.95 and
# 0.99. How many more does each step cost?

# %% [markdown]
# ## 5 · A map of the digits: PCA and t-SNE
#
# Two numbers per digit make a map. For maps there is a famous rival to PCA: **t-SNE**
# (t-distributed stochastic neighbour embedding; van der Maaten and Hinton, 2008). It wants one
# thing only: *who are neighbours in 784 dimensions should be neighbours on the map*.
#
# It works like this. Every point looks around and gives every other point a probability of being
# its neighbour, high if near, almost zero if far. Roughly how many points count as near is the
# **perplexity**. You choose it, and 30 is usual. Then the points are scattered on a sheet at random
# and get such probabilities there, too. Gradient descent moves the points until the two sets of
# probabilities agree as well as possible.
#
# How good is a map? We use the measure from lesson 01. Each of 800 test digits asks its five
# nearest neighbours *on the map* which digit they are, and takes the vote.
#
# **Predict.** Neither method sees the labels. Which map has the better neighbourhoods? And what do
# you think you may conclude from two groups that are far apart?

# %%
chosen = torch.randperm(len(test_set), generator=torch.Generator().manual_seed(0))[:800]
pixels, labels = X_test[chosen], test_set.labels[chosen]


def vote_accuracy(points):
    """How often the five nearest points on a map have the right label, by majority."""
    distances = torch.cdist(points, points).fill_diagonal_(torch.inf)
    nearest = distances.topk(5, largest=False).indices
    return (labels[nearest].mode(1).values == labels).float().mean().item()


def tsne(points, perplexity, seed):
    """A t-SNE map (N, 2) that starts from random positions."""
    method = TSNE(perplexity=perplexity, init="random", random_state=seed)
    return torch.tensor(method.fit_transform(np.asarray(points)))


maps = {
    "PCA": encode(pixels, 2),
    "t-SNE, first run": tsne(pixels, 30, seed=0),
    "t-SNE, second run": tsne(pixels, 30, seed=1),
}
accuracy = {name: vote_accuracy(points) for name, points in maps.items()}
figure, axes = plt.subplots(1, 3, figsize=(12.5, 4.6))
for ax, (name, points) in zip(axes, maps.items()):
    title = f"{name}\nfive neighbours are right: {accuracy[name]:.0%}"
    plots.latent_map(points, labels, test_set.label_names, title, ax=ax)
    ax.set(xlabel="first number", ylabel="second number")
plots.show(
    figure,
    alt="Three maps of the same 800 digits. On the PCA map zeros and ones lie at two sides, and the other classes "
    "overlap. On the two t-SNE maps most classes gather in islands, but the islands lie in other places on each map.",
)


def between_islands(points):
    """The 45 distances between the middles of the ten kinds of digits."""
    return torch.pdist(
        torch.stack([points[labels == d].median(0).values for d in range(10)])
    )


_, first, second = maps.values()
runs = torch.stack([between_islands(first), between_islands(second)])
agreement = torch.corrcoef(runs)[0, 1].item()
print(
    f"correlation of the distances between the medians of the ten kinds, first and second run: {agreement:.2f}"
)
assert min(list(accuracy.values())[1:]) > accuracy["PCA"] + 0.2, "it should keep neighbours"
assert agreement < 0.9, "distances between islands should differ from run to run"

# %% [markdown]
# As a picture of neighbourhoods, t-SNE wins by far. Most kinds gather in islands, though some are
# split and a few mix, while PCA lays several kinds on top of each other. t-SNE is the method of
# choice to *look* at data. Biologists use it to find kinds of cells.
#
# But compare the two runs. They show the same digits, with the same perplexity. Only the random
# start differs. (scikit-learn starts from PCA unless told otherwise. Then runs agree, but because
# they start alike, not because the distances are right.) The islands are in other places, and some
# have other neighbours. If one could rely on the distances between islands, both runs would agree
# on them, and their correlation would be close to 1. They agree only in part.
#
# So what does a map do to distances? Let us ask with a cloud whose truth we know. In 20 dimensions
# we make three groups:
#
# - **A** and **B** are narrow and close together,
# - **C** is **five times** as far from A as B is, and **four times** as wide as A or B.
#
# **Predict.** How will t-SNE draw the distances and the widths?

# %%
generator = torch.Generator().manual_seed(0)
centres = torch.zeros(3, 20)
centres[1, 0], centres[2, 1] = 12, 60
widths = torch.tensor([1.0, 1.0, 4.0])
group = torch.arange(3).repeat_interleave(60)
known = centres[group] + widths[group, None] * torch.randn(180, 20, generator=generator)


def describe(points):
    """How many times as far C is from A as B is, and how many times as wide C is as A."""
    a, b, c = (points[group == g] for g in range(3))
    far = (c.mean(0) - a.mean(0)).norm() / (b.mean(0) - a.mean(0)).norm()
    wide = (c - c.mean(0)).norm() / (a - a.mean(0)).norm()
    return far.item(), wide.item()


views = {"the truth (2 of its 20 dimensions)": known[:, :2]}
views |= {f"t-SNE, perplexity {p}": tsne(known, p, seed=0) for p in (10, 40)}
figure, axes = plt.subplots(1, 3, figsize=(11.5, 3.9))
for ax, (name, points) in zip(axes, views.items()):
    far, wide = describe(known if "truth" in name else points)
    for g, (letter, marker) in enumerate(zip("ABC", "o^s")):
        ax.plot(
            *points[group == g].T,
            marker,
            color=plots.COLORS[(1, 2, 4)[g]],
            markersize=4,
            label=letter,
        )
    ax.set(
        title=f"{name}\nC is {far:.1f} × as far and {wide:.1f} × as wide",
        xlabel="first number",
        ylabel="second number",
        aspect="equal",
        adjustable="datalim",
    )
    if "truth" not in name:
        assert far < 2 and wide < 1.5, "t-SNE should even out distances and widths"
axes[0].legend()
far, wide = describe(known)
assert far > 4.5 and wide > 3.5, "the groups should be as described"
plots.show(
    figure,
    alt="Left, the truth: two small groups A and B close together and a wide group C far away. Middle and right, two "
    "t-SNE maps: three groups of about the same width, C no longer far away, and differently arranged on the two maps.",
)

# %% [markdown]
# Three islands of equal width. The groups are there, and that is right. But four times as wide has
# become just as wide, and five times as far has become as far or even nearer, depending on the
# perplexity. The two maps do not even agree whether C lies between A and B. It had to be so. t-SNE
# asks who the *nearest* points are. Group C is not near, and how far "not near" is does not matter
# to it. And because every point looks for the same number of neighbours, a wide group is pulled
# together until it is as dense as a narrow one.
#
# So read a t-SNE map like this:
#
# | you may read | you may not read |
# |---|---|
# | who the neighbours of a point are | how far groups are from each other |
# | that there are groups, if they come back with other seeds and perplexities | how wide or how dense a group is |
# | | what an axis means: there is no "up" and no unit |
#
# For this course two more things count. t-SNE moves the points it was given, and learns no rule. So
# there is **no encoder**: a new digit cannot be put on the map. And there is **no decoder**: a spot
# on the map cannot be turned into a digit. PCA has both, and so will all our autoencoders.

# %%
print("PCA can encode new digits:", hasattr(PCA, "transform"))
print("PCA can decode codes:     ", hasattr(PCA, "inverse_transform"))
print("t-SNE can encode:         ", hasattr(TSNE, "transform"))
print("t-SNE can decode:         ", hasattr(TSNE, "inverse_transform"))
assert not hasattr(TSNE, "transform") and not hasattr(TSNE, "inverse_transform")

# %% [markdown]
# ## 6 · A linear autoencoder finds the same flat
#
# PCA is an encoder and a decoder, both of them matrices. An autoencoder from lesson 01, without its
# $\varphi$, its ReLUs and its biases, is an encoder and a decoder, both of them matrices (several
# matrices in a row multiply to one). The first comes from a formula. The second learns by gradient
# descent, and nobody tells it about variances, right angles or singular values. It only wants a
# small error.
#
# Here it is. It gets the mean digit as a fixed number for each pixel, as PCA does. We leave it
# $k = 6$ numbers in the middle. (Look at the variances in section 3: after the sixth they drop, so
# it is clear which six are the best.)


# %%
class LinearAutoencoder(nn.Module):
    """x → mean + G (E (x − mean)): an autoencoder without any curve in it."""

    def __init__(self, k, mean):
        super().__init__()
        self.encoder = nn.Linear(784, k, bias=False)  # its weight E is (k, 784)
        self.decoder = nn.Linear(k, 784, bias=False)  # its weight G is (784, k)
        self.register_buffer("mean", mean)  # goes along to the GPU, but is not trained

    def forward(self, images):
        codes = self.encoder(images.flatten(1) - self.mean)
        return (self.mean + self.decoder(codes)).reshape(images.shape)


# %% [markdown]
# In lesson 01 we wrote the training loop by hand. From now on it comes from the course's package.
# `fit` is that loop: batches, loss, `backward()`, a step of Adam. It adds some comfort. It shows a
# progress line, moves model and pictures to the GPU if there is one, and stops with an explanation
# if the loss is no longer a number. It lets the learning rate climb at the beginning and fall to
# almost zero at the end, so that the last steps are small and exact. We hand it a function that
# returns one loss per picture.
#
# That function may also return other things to be recorded. We let it measure how far the decoder
# is from PCA. For that we need to compare two flats in 784 dimensions. Think of two sheets of paper
# in a room that pass through the same point. They meet in a line, so they have that direction in
# common. Across the line they open at some angle, like the pages of a book. These are the two
# **principal angles** between the sheets: 0° and the opening. Two flats of six dimensions have six
# such angles. If the largest of them is zero, the flats are the same.
#
# **Predict.** How close will six learnt directions come to the six best ones: exactly, nearly, or
# not at all? And will the decoder's six columns *be* the components, or mixtures (weighted sums) of
# them?

# %%
k = 6
flat = components[:k].T.numpy()  # (784, 6): PCA's flat


def angles_to_pca(weight):
    """Principal angles, in degrees, between the columns of a decoder and PCA's flat."""
    return np.degrees(subspace_angles(weight.detach().cpu().numpy(), flat))


def loss(model, images, labels):
    """Squared error of each image, and the largest principal angle (the same for all)."""
    error = (model(images) - images).square().flatten(1).sum(1)
    angle = angles_to_pca(model.decoder.weight).max()
    return {"loss": error, "angle": torch.full_like(error, float(angle))}


autoencoder = LinearAutoencoder(k, mean.float())
epochs = 140_000 // len(train_set)  # a similar number of steps for every data set
history = fit(autoencoder, train_set, loss, epochs=epochs, lr=1e-2)

# %%
figure, (error_ax, angle_ax) = plt.subplots(1, 2, figsize=(10.5, 3.8))
axis = range(1, epochs + 1)
error_ax.plot(
    axis, history.train["loss"], color=plots.COLORS[1], label="linear autoencoder"
)
error_ax.axhline(pca_error(X, k), color="0.5", linestyle=":", label=f"PCA with k = {k}")
error_ax.set(
    title="The error comes down to PCA's",
    xlabel="epoch",
    ylabel="squared error per image, training digits",
)
error_ax.legend()
angle_ax.plot(axis, history.train["angle"], color=plots.COLORS[4])
excess = [error / pca_error(X, k) - 1 for error in history.train["loss"]]
early = next(epoch for epoch in range(epochs) if excess[epoch] < 0.05)
for ax in (error_ax, angle_ax):
    ax.axvline(early + 1, color="0.6", linewidth=1)
angle_ax.text(early + 1.5, 84, "error within 5% of PCA's", color="0.4")
angle_ax.axhline(5, color="0.5", linestyle=":")
angle_ax.text(epochs, 6, "5°", color="0.4", ha="right")
angle_ax.set(
    title="Its flat turns into PCA's",
    xlabel="epoch",
    ylabel="largest principal angle (degrees)",
    ylim=(0, 90),
)
plots.show(
    figure,
    alt="Left: the squared error falls within a few epochs to the dotted line of PCA. Right: the largest principal angle "
    "starts near 90 degrees, falls later than the error, and ends far below 5 degrees.",
)

learnt = autoencoder.decoder.weight.detach().cpu().double()  # (784, 6)
angles = angles_to_pca(learnt)
test_error = measure(autoencoder, test_set, loss)["loss"]
print(
    f"first epoch with an error within 5% of PCA's: {early + 1}; "
    f"largest angle then: {history.train['angle'][early]:.0f}°"
)
print("principal angles to PCA's flat (degrees):", [round(float(a), 2) for a in angles])
print(f"test error: autoencoder {test_error:.2f}, PCA {pca_error(X_test, k):.2f} per image")
assert angles.max() < 5, "the linear autoencoder should find PCA's flat"
assert abs(test_error / pca_error(X_test, k) - 1) < 0.01, "and have PCA's error"
assert history.train["angle"][early] > 10, "the error should be good before the flat is"

# %% [markdown]
# The largest angle is tiny. Of all flats of six dimensions, gradient descent found the one that the
# formula gives. And on the training digits it cannot do better: no two matrices of these shapes
# can, as PCA is the best flat. More linear layers would not help, either. A product of matrices is
# again a matrix. **To beat PCA, a network needs curves.** That is lesson 03.
#
# Look at the order of events, too. When the error was within a few per cent of PCA's, the flat was
# still far off. The sixth direction has only somewhat more variance than those that compete with
# it. Taking a wrong one costs little error, so the slope is gentle. A model can have a good error,
# and still not have found what you think it has.
#
# Now the second half of the question. Are the decoder's columns the components?

# %%
with torch.no_grad():
    rebuilt = autoencoder(train_set.floats.to(device)).cpu().flatten(1).double()
recovered = torch.linalg.svd(rebuilt - mean, full_matrices=False).Vh[:k]

columns = nn.functional.normalize(learnt.T, dim=1)  # of length 1, as the components are
rows = {
    "PCA's components": components[:k],
    "the decoder's\ncolumns": columns,
    "PCA of its\nreconstructions": recovered,
}
figure, axes = plt.subplots(3, k, figsize=(9.5, 4.8))
for row, (name, directions) in zip(axes, rows.items()):
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for ax, direction in zip(row, directions):
        limit = direction.abs().max()
        ax.imshow(direction.reshape(28, 28), cmap="PuOr", vmin=-limit, vmax=limit)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
figure.suptitle("Three sets of six directions, all in the same flat")
plots.show(
    figure,
    alt="Three rows of six signed pictures. The decoder's columns look like mixtures and match none of PCA's components. "
    "The components of the reconstructions match PCA's one by one, some with opposite sign.",
)


def nearest_component(directions):
    """For each direction, the angle in degrees to the nearest of PCA's components."""
    cosines = (directions @ components[:k].T).abs().max(1).values.clamp(max=1)
    return torch.rad2deg(torch.arccos(cosines))


print("angle to the nearest component, in degrees")
print(
    "  decoder's columns:          ",
    [round(a) for a in nearest_component(columns).tolist()],
)
print(
    "  PCA of its reconstructions: ",
    [round(a) for a in nearest_component(recovered).tolist()],
)
assert nearest_component(columns).mean() > 15, "the columns should be mixtures"
assert nearest_component(recovered).max() < 10, "PCA should find the components again"

# %% [markdown]
# The columns are mixtures. They span the right flat, but are other directions in it. The reason is
# worth a moment. Take any matrix $A$ of 6 × 6 that can be inverted, and let
#
# $$ G' = G A^{-1}, \qquad E' = A E, \qquad\text{so that}\qquad G' E' = G A^{-1} A E = G E . $$
#
# The new pair gives the same reconstructions, so it has the same loss. Gradient descent sees
# nothing but the loss, so it has no reason to prefer the components to any mixture of them. It
# stops wherever its random start leads. Pierre Baldi and Kurt Hornik proved in 1989 that the bottom
# of this landscape consists of exactly these mixtures, and that there is no other valley to get
# stuck in.
#
# The third row shows the way back: ask, *within the flat*, for the directions of largest variance,
# and the components appear.
#
# This is a first sight of something that will follow us to the end of the course. **The loss does
# not decide what a single number of the code means.** If we want it to mean something, we must ask
# for it.

# %% [markdown]
# ## 7 · Probabilistic PCA: a story of how digits come about
#
# PCA can compress a digit. Can it invent one? We could make up a code and decode it. But which
# code? PCA does not say which codes are likely. It is a rule, not a **distribution**.
#
# Michael Tipping and Christopher Bishop changed that in 1999. They told a story of how each picture
# comes about:
#
# 1. Draw a code $z$ of $k$ numbers from the standard normal distribution,
#    $z \sim \mathcal N(0, I)$: independent numbers with mean 0 and variance 1, the bell curve. (The
#    sign $\sim$ means "is drawn from". PCA's code was called $h$; a code that is drawn is usually
#    called $z$.)
# 2. Go to the place on the flat that the code says: $\mu + W z$, with a matrix $W$ of size
#    $D \times k$.
# 3. Tremble: add a little noise of the same strength in all directions, $\sigma \varepsilon$, with
#    $\varepsilon \sim \mathcal N(0, I)$.
#
# In one line: $x = \mu + W z + \sigma \varepsilon$. What is the distribution of $x$? Sums of
# independent normal numbers are normal. The mean is $\mu$. The **covariance** of two numbers is the
# mean product of their deviations from their means: positive if they rise together. A matrix holds
# it for all pairs of pixels, with the variances on its diagonal. For $z$ this matrix is $I$, so for
# $W z$ it is $W I W^\top = W W^\top$. For the noise it is $\sigma^2 I$. The two parts of the story
# are independent, so their covariances add up:
#
# $$ x \sim \mathcal N(\mu, C), \qquad C = W W^\top + \sigma^2 I . $$
#
# Which $W$ and $\sigma^2$ make the digits that we have as likely as possible, so that the
# distribution is dense where they are? That choice is called **maximum likelihood**. Usually it
# takes a search. Here there is a formula. With the variances $\lambda_j = s_j^2/N$ ("lambda") and
# components $V_k$ of PCA,
#
# $$ \sigma^2 = \frac{1}{D - k} \sum_{j > k} \lambda_j, \qquad W = V_k \,(\Lambda_k - \sigma^2 I)^{1/2}, $$
#
# where $\Lambda_k$ is the diagonal matrix of the first $k$ variances. (With any rotation $R$ of the
# code, $W R$ would do as well: $W R (W R)^\top = W W^\top$, so $C$ is the same.) Read it in words.
# The noise gets the *average variance of the directions that were left out*. Each component gets
# its own variance $\lambda_j$, less the $\sigma^2$ that the noise supplies in every direction
# anyway. The square root turns a variance into a length.
#
# First on the sheet of paper, with the ink in both halves and $k = 1$.


# %%
def ppca(components, variances, k):
    """Maximum-likelihood W (D, k) and σ² of probabilistic PCA (Tipping and Bishop, 1999)."""
    sigma2 = variances[k:].mean()
    return components[:k].T * (variances[:k] - sigma2).sqrt(), sigma2


def draw(z, mean, W, sigma2, generator):
    """One x (N, D) for each code z (N, k), noise included."""
    x = mean + z @ W.T
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return x + sigma2.sqrt() * noise


_, s, vt = torch.linalg.svd(cloud, full_matrices=False)
W_ink, sigma2_ink = ppca(vt, s.square() / len(cloud), k=1)
z = torch.randn(len(cloud), 1, generator=generator, dtype=cloud.dtype)
drawn = draw(z, ink.mean(0), W_ink, sigma2_ink, generator)

figure, axes = plt.subplots(1, 2, figsize=(9.5, 4.6), sharex=True, sharey=True)
start = ink.mean(0)
tip = start + W_ink[:, 0] * W_ink.sum().sign()  # of both signs, the one towards more ink
for ax, points, title in zip(axes, (ink, drawn), ("Real digits", "Drawn from the model")):
    few = torch.randperm(len(points), generator=generator)[:800]
    ax.plot(*points[few].T, ".", color=plots.COLORS[6], label="digit")
    ax.plot(
        *torch.stack([start, tip]).T,
        color=plots.COLORS[0],
        linewidth=3,
        label="from μ to μ + W",
    )
    ax.plot(*start, "o", color=plots.COLORS[0], markersize=7)
    ax.set(title=title, xlabel="ink in the left half", aspect="equal")
axes[0].set_ylabel("ink in the right half")
axes[0].legend(loc="upper left")
plots.show(
    figure,
    alt="Two slanted clouds of points with the same place, length and width. A black bar leads from the middle of each "
    "one step along the cloud. The real cloud has a blunt lower end; the drawn one is an ellipse, and its lower end "
    "reaches below zero ink.",
)
impossible = (drawn < 0).any(1).float().mean()
print(f"drawn digits with less than no ink in one half: {impossible:.2%}")
assert torch.allclose(drawn.mean(0), ink.mean(0), atol=1.5), "same middle"
assert torch.allclose(drawn.T.cov(), ink.T.cov(), rtol=0.1), "same spread"
assert 0 < impossible < 0.05, "a bell curve has two tails"

# %% [markdown]
# On the left are digits that people wrote. On the right is what the story makes up. Place, length
# and width agree, as they should. The differences are telling as well. A bell curve has two equal
# tails. So the model makes up some digits with hardly any ink, and a few with *less than none*. It
# knows how the numbers vary together, and nothing else.
#
# ### Scoring pictures
#
# A distribution does more than draw. It gives every picture a **density** $p(x)$: how much
# probability lies around this point. Its logarithm can be written down for a normal distribution:
#
# $$ \log p(x) = -\tfrac12 \Big[ D \log 2\pi + \log |C| + (x - \mu)^\top C^{-1} (x - \mu) \Big] $$
#
# ($|C|$ is the determinant of $C$.) With the natural logarithm the unit is called **nat**. (One nat
# is 1.44 bits.) Two warnings. A density is not a probability: it may be larger than 1, and then its
# logarithm is positive. That happens here, because the digits are crowded into a tiny part of the
# space. And the level means little on its own: it changes with the unit, for example with grey
# levels from 0 to 255. Differences are what counts: 10 nats more means $e^{10} \approx 22{,}000$
# times as dense.
#
# scikit-learn's PCA computes the same number under the name `score`.


# %%
def log_likelihood(images, k):
    """log p(x) of each image (N, 784) under probabilistic PCA, in nats."""
    W, sigma2 = ppca(components, variances, k)
    C = W @ W.T + sigma2 * torch.eye(784, dtype=W.dtype)
    centred = images - mean
    distance = (centred * torch.linalg.solve(C, centred.T).T).sum(1)
    return -0.5 * (784 * math.log(2 * math.pi) + torch.logdet(C) + distance)


print("mean log-likelihood, nats per image")
print("   k   training digits   test digits   test digits, scikit-learn")
previous = -math.inf
for k in (2, 10, 50):
    train_score = log_likelihood(X, k).mean().item()
    test_score = log_likelihood(X_test, k).mean().item()
    library = PCA(n_components=k, svd_solver="covariance_eigh").fit(X.numpy())
    theirs = library.score(X_test.numpy())
    print(f"{k:4d}   {train_score:15.2f}   {test_score:11.2f}   {theirs:25.2f}")
    assert abs(test_score - theirs) < 0.2, "our log-likelihood should be scikit-learn's"
    assert test_score > previous, "more components should make the digits more likely"
    previous = test_score

# %% [markdown]
# They agree up to a trifle. (scikit-learn divides by $N - 1$ where maximum likelihood divides by
# $N$.) From 2 to 50, more components make the digits more likely, including those that the model
# has never seen.
#
# What does the model find likely? We score the test digits and look at both ends. Factories use the
# same idea: a camera over the belt takes out the parts that look *unlikely*. And we ask one more
# question.
#
# **Predict.** Swap left and right in every test digit. Nobody told the model about direction of
# writing. Will it notice?

# %%
k = 50
scores = log_likelihood(X_test, k)
order = scores.argsort(descending=True)
mirrored = X_test.reshape(-1, 28, 28).flip(2).flatten(1)
mirrored_scores = log_likelihood(mirrored, k)
plots.show(
    plots.image_rows(
        {
            "most likely": as_images(X_test[order[:10]]),
            "least likely": as_images(X_test[order[-10:]]),
        },
        f"Test digits that probabilistic PCA (k = {k}) finds likely and unlikely",
    ),
    alt="Top row: ten thin, plain strokes, nearly all of them ones. Bottom row: ten digits with thick, ornate or unusual "
    "strokes.",
)
noticed = (mirrored_scores < scores).double().mean().item()
alone = log_likelihood(pixel_by_pixel, k).mean()  # each pixel from another digit
print(
    f"mean log-likelihood: {scores.mean():.0f} nats as written, "
    f"{mirrored_scores.mean():.0f} nats mirrored, "
    f"{alone:.0f} nats with each pixel from another digit"
)
print(f"{noticed:.0%} of the test digits are less likely when mirrored")
ones_on_top = (test_set.labels[order[:10]] == 1).double().mean().item()
assert ones_on_top > 0.6, "the likely digits should mostly be ones"
assert noticed > 0.6 and scores.mean() > mirrored_scores.mean() + 20, "it should notice"
assert alone < mirrored_scores.mean() - 100, "pixels alone should be the least likely"

# %% [markdown]
# The likely ones are nearly all ones: little ink, little that can surprise. The unlikely ones have
# wide or unusual strokes. Likely does not mean well written. And it does notice the mirror. A
# mirrored 3 is no 3, and mean and covariances know what is usual where. With each pixel from
# another digit, the score falls most: every pixel is usual by itself, but not with its neighbours.
#
# ### The same pictures, and new ones
#
# A distribution can also be asked backwards: given a picture, which code may have made it? For
# normal distributions the answer is again a normal distribution, with a formula:
#
# $$ z \,|\, x \;\sim\; \mathcal N\big( M^{-1} W^\top (x - \mu),\; \sigma^2 M^{-1} \big), \qquad M = W^\top W + \sigma^2 I . $$
#
# ($z\,|\,x$ reads "z, given x".) So here **the encoder gives a distribution**: a best guess *and*
# how unsure it is. This doubt, $\sigma^2 M^{-1}$, is the same for every picture. Hold on to this
# thought. It will be back in lesson 07, at the heart of the VAE. If we decode the best guess, do we
# see the pictures of PCA again?

# %%
W, sigma2 = ppca(components, variances, k)
M = W.T @ W + sigma2 * torch.eye(k, dtype=W.dtype)


def best_guess(images):
    """The mean (N, k) of the code's distribution, given images (N, 784)."""
    return torch.linalg.solve(M, W.T @ (images - mean).T).T


by_ppca = mean + best_guess(X_test) @ W.T
by_pca = decode(encode(X_test, k))
plots.show(
    plots.image_rows(
        {
            "test digit": as_images(X_test[ten]),
            "PCA": as_images(by_pca[ten]),
            "probabilistic\nPCA": as_images(by_ppca[ten]),
        },
        f"Test digits from {k} numbers, by the rule and by the distribution",
    ),
    alt="Ten test digits, their PCA reconstructions and their probabilistic PCA reconstructions; the last two rows can "
    "hardly be told apart.",
)
errors = [(r - X_test).square().sum(1).mean().item() for r in (by_pca, by_ppca)]
print("squared error per image: PCA {:.3f}, probabilistic PCA {:.3f}".format(*errors))
codes = best_guess(X)
spread = codes.std(0)
print(
    f"best guesses for training digits: mean {codes.mean():.3f}, spread {spread.min():.3f} to {spread.max():.3f}"
)
assert errors[0] < errors[1] < 1.1 * errors[0], "nearly the same pictures"
assert codes.mean(0).abs().max() < 0.01 and (spread - 1).abs().max() < 0.1, (
    "mean 0, spread 1"
)

# %% [markdown]
# The same pictures. Probabilistic PCA is a tiny bit more careful: it pulls its guess towards the
# mean, since some of what it sees may be noise. And its codes have mean 0 and a spread of about 1
# in each of their numbers, on one scale for all. That fits the promise of the story,
# $z \sim \mathcal N(0, I)$. (We did not check the shape of the bell.)
#
# Now we know which codes are likely, so we can **draw new digits**. First let us see what single
# numbers of the code do. We begin at the mean digit and turn one number from $-3$ to $3$.


# %%
def walk(number):
    """Pictures (7, 1, 28, 28) for codes in which one number goes from -3 to 3."""
    codes = torch.zeros(7, W.shape[1], dtype=W.dtype)
    codes[:, number - 1] = torch.linspace(-3, 3, 7, dtype=W.dtype)
    return as_images(mean + codes @ W.T)


def draw_walk(number):
    """The same, as a figure."""
    return plots.image_rows(
        {f"z{number}": walk(number)}, f"Number {number} of the code, −3 to 3", 1
    )


widgets.explore(draw_walk, number=(1, 50, 1))

# %%
plots.show(
    plots.image_rows(
        {f"number {n}": walk(n) for n in (1, 2, 3, 4)},
        "Turning one number of the code from −3 to 3, all others at 0",
    ),
    alt="Four rows of seven pictures with the mean digit in the middle column. The first row has a stroke at one end "
    "and a ring at the other; the other rows change slant and shape.",
)

# %% [markdown]
# **Predict.** Now all 50 numbers at once, at random. Will the pictures be digits? Better or worse
# than "each pixel from another digit"?

# %%
generator = torch.Generator().manual_seed(0)
z = torch.randn(1000, k, generator=generator, dtype=W.dtype)
on_the_flat = mean + z @ W.T
samples = draw(z, mean, W, sigma2, generator)
plots.show(
    plots.image_rows(
        {
            "real digits": as_images(X_test[ten]),
            "each pixel from\nanother digit": as_images(pixel_by_pixel[:10]),
            "probabilistic PCA,\nμ + W z": as_images(on_the_flat[:10]),
            "with its noise,\nμ + W z + σ ε": as_images(samples[:10]),
        },
        "Our first generative model draws",
    ),
    alt="Four rows: real digits; clouds of dots; blurred figures with strokes and loops, some of which look like digits; "
    "and the same figures under grainy noise.",
)


def to_nearest(images):
    """Mean distance, in pixel space, from images to the nearest training digit."""
    return torch.cdist(images, X).min(1).values.mean().item()


distance = {
    "test digits, reconstructed from 50 numbers": to_nearest(by_pca[:1000]),
    "drawn by probabilistic PCA, without noise": to_nearest(on_the_flat),
    "each pixel from another digit": to_nearest(pixel_by_pixel),
    "the mean digit": to_nearest(mean[None]),
}
print("distance to the nearest training digit, mean")
for name, value in distance.items():
    print(f"  {name:43s} {value:.2f}")
reconstructed, drawn, scrambled, average = distance.values()
assert 1.15 * reconstructed < drawn < 0.9 * scrambled, (
    "better than pixels alone, not yet digits"
)
assert average < scrambled, "the mean digit is not far from everything"

# %% [markdown]
# Strokes, loops, smooth edges. Compared with the second row this is a leap, and the main thing that
# we added is how pixels depend on each other *in pairs*. A model like this, which can draw new
# examples, is called a **generative model**. This is our first.
#
# But digits they are not, or only by luck. The table says the same: on average, a drawn picture is
# farther from its nearest training digit than the reconstruction of a new digit is. (Strictly, the
# model draws the last row; the grain is its noise. We measure without it.) Do not trust this ruler
# too far. The mean digit, a smudge, does well on it, because it is in the middle of everything.
# Judging samples is hard, and lesson 08 will take more care.
#
# Why is it not enough? Every assumption of the story was a simple one: *a flat* for the pictures,
# *a bell curve* for the codes, *the same noise* in every pixel. Take the picture half-way between a
# 1 and a 0. There, a bell curve is at least as high as at the lower of the two. So if the model
# finds the 1 and the 0 possible, it must accept the mixture, too. Real digits are hardly like that.
# We suspect that they lie on a thin, curved set with holes. Lesson 03 looks into it.

# %% [markdown]
# ### Your turn 3 · Draw a digit
#
# Write the story yourself, without building `W`: stretch each number of `z` by
# $\sqrt{\lambda_j - \sigma^2}$, then go along component $j$. You get the random numbers, so that
# your answer can be checked: `z` is (N, k) and `noise` is (N, D), both from $\mathcal N(0, I)$. You
# also get `mean` (D,), the first k `components` (k, D), their `variances` (k,), and the noise's
# variance `sigma2`, a plain number, not a tensor. Return N draws, (N, D).


# %% tags=["exercise"]
def ppca_draw(z, noise, mean, components, variances, sigma2):
    result = ...  # your code here
    return result


checks.ppca_draw(ppca_draw)


# %% tags=["solution"]
def ppca_draw(z, noise, mean, components, variances, sigma2):
    lengths = (variances - sigma2) ** 0.5  # how far z = 1 goes along each component
    return mean + (z * lengths) @ components + sigma2**0.5 * noise


# %% [markdown]
# ## 8 · Where this leads
#
# Probabilistic PCA has every part of the model that gives this course its second half. The
# variational autoencoder (VAE) tells the same story, with a network in place of the matrix:
#
# | | probabilistic PCA (1999) | variational autoencoder (2013) |
# |---|---|---|
# | code | $z \sim \mathcal N(0, I)$ | the same |
# | decoder | $\mu + W z$, a flat | a network: a curved sheet |
# | encoder | a distribution over codes, by a formula | a distribution over codes, by a network |
# | $\log p(x)$ | exact | out of reach; a lower bound takes its place |
# | learns by | one SVD | gradient descent |
#
# The price of the curves is the last two lines. Lesson 07 is about how to pay it. There we come
# back to this page: a *linear* VAE must find probabilistic PCA, and we will check that it does.

# %% [markdown]
# ## Summary
#
# - Pictures fill almost nothing of the space of all pixel values. Their pixels **depend on each
#   other**, so fewer numbers are enough.
# - **PCA** finds the flat that keeps the most variance. By Pythagoras, it is also the flat that
#   loses the least. Subtract the mean, take the SVD: the rows of $V^\top$ are the components, up to
#   their sign, and $s_j^2/N$ are their variances.
# - The training error with $k$ components is **the sum of the variances left out**.
# - **t-SNE** keeps neighbourhoods. Distances between groups, and widths, cannot be relied on, axes
#   mean nothing, and there is neither an encoder nor a decoder.
# - A **linear autoencoder** finds PCA's flat by gradient descent, but not the components, because
#   the loss cannot tell one mixture from another.
# - **Probabilistic PCA** turns PCA into a distribution: $x = \mu + W z + \sigma \varepsilon$. It
#   scores pictures, encodes with a measure of doubt, and draws new ones. They show strokes, but
#   seldom digits: one flat and one bell curve are too simple for them.
#
# ## What to read
#
# - K. Pearson, [On lines and planes of closest fit to systems of points in
#   space](https://doi.org/10.1080/14786440109462720) (1901): where it began. Look at its figures,
#   and you see our section 2.
# - M. Turk, A. Pentland, [Eigenfaces for recognition](https://doi.org/10.1162/jocn.1991.3.1.71)
#   (1991): section 3 with faces in place of digits.
# - M. Wattenberg, F. Viégas, I. Johnson, [How to use t-SNE
#   effectively](https://doi.org/10.23915/distill.00002) (2016): play with clouds like our A, B and
#   C in the browser. The best hour that you can spend on t-SNE.
# - L. van der Maaten, G. Hinton, [Visualizing data using
#   t-SNE](https://www.jmlr.org/papers/v9/vandermaaten08a.html) (2008): the method, by its authors.
# - P. Baldi, K. Hornik, [Neural networks and principal component
#   analysis](https://doi.org/10.1016/0893-6080%2889%2990014-2) (1989): the proof that linear
#   autoencoders find PCA's flat and have no false valleys.
# - M. Tipping, C. Bishop, [Probabilistic principal component
#   analysis](https://doi.org/10.1111/1467-9868.00196) (1999): section 7, with all proofs, in clear
#   words.
#
# **Next:** lesson 03, The fully connected autoencoder. Now we bend the flat.
