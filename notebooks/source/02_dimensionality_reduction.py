# %% [markdown]
# # 02 · Dimensionality reduction
#
# A small picture of a handwritten digit is a list of 784 numbers. Lesson 01 squeezed it through
# two, and a network had to find out how. How far can we get with straight lines alone? **Principal
# component analysis** (PCA) goes back [to 1901](https://doi.org/10.1080/14786440109462720), and is
# still the first thing to try on new data, the yardstick for every network that follows, and an
# autoencoder without gradient descent.
#
# **You will be able to**
#
# - compute PCA from the eigenvectors of a covariance matrix,
# - encode and decode pictures with $k$ numbers, read the error off the eigenvalues, and choose $k$,
# - compare a linear autoencoder with PCA,
# - say what no linear method can describe in a few numbers.
#
# **It builds on** [lesson 01](01_from_a_neuron_to_an_autoencoder.ipynb) and on a first course in
# linear algebra; eigenvectors are explained again.

# %%
import math

import matplotlib.pyplot as plt
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA
from torch import nn

from vae_helpers import checks, plots, widgets
from vae_helpers.data import load_digits
from vae_helpers.device import pick_device, seed_everything
from vae_helpers.train import fit, measure

plots.use_course_style()
seed_everything(1)
device = pick_device()

# %% [markdown]
# ## 1 · Why 784 numbers are too many
#
# A digit of 28 × 28 pixels is one point in a space of 784 dimensions, and this space is vast. Even
# if each pixel could only be black or white, there would be $2^{784}$ pictures, about $10^{236}$.
# How many of them show a handwritten digit? We can pick points at random and look. One way
# gives every pixel a random grey level. A more careful one copies each pixel from a *real* digit,
# but every pixel from another one, so that only the connection between pixels is lost.
#
# **Predict.** How many random points must you draw until you see a digit? And will the second way
# do better than the first?

# %%
# .subset picks some of the digits: at most 10,000 to learn from, which is enough here.
train_set = load_digits("train").subset(slice(0, 10_000))
test_set = load_digits("test").subset(slice(0, 2_000))
# One row of 784 numbers per digit; with 64 bits each, so that rounding does not matter.
X = train_set.floats.flatten(1).double()
X_test = test_set.floats.flatten(1).double()
print(f"{len(X):,} digits to learn from, {len(X_test):,} to test on")

random_grey = torch.rand(10, 784)
pixel_by_pixel = X[torch.randint(len(X), (10, 784)), torch.arange(784)]


# %% tags=["figure"]
# Real digits beside two kinds of random points
def as_images(rows):
    """Rows of 784 numbers (N, 784) as pictures (N, 1, 28, 28), ready to be drawn."""
    return rows.float().clamp(0, 1).reshape(-1, 1, 28, 28)


# One test digit of each kind.
ten = torch.stack([(test_set.labels == d).nonzero()[0, 0] for d in range(10)])
plots.show(
    plots.image_rows(
        {
            "real digits": as_images(X_test[ten]),
            "random\ngrey levels": as_images(random_grey),
            "each pixel from\nanother digit": as_images(pixel_by_pixel),
        },
        "Points in a space of 784 dimensions",
    ),
    alt="Three rows of ten pictures: real handwritten digits; grey noise without any form; and clouds of white dots "
    "that are dense in the middle and empty at the border, but show no strokes.",
)

# %% [markdown]
# You could go on for the rest of your life, because digits fill almost nothing of this space. In
# the third row every pixel is right on its own, but there are no strokes. What makes a digit is how
# its pixels **depend on each other**.
#
# Dependence is good news: if one pixel tells us about another, we need not store both. To see how
# strong it is, we guess each pixel as the mean of its left and right neighbours, and compare with
# guessing its average over all digits.

# %%
middle = train_set.floats[..., 1:-1]  # all pixels that have two neighbours
neighbours = (train_set.floats[..., :-2] + train_set.floats[..., 2:]) / 2


def error_of(guess):
    """Squared error of each image, summed over its pixels, averaged over the images."""
    return (middle - guess).square().flatten(1).sum(1).mean().item()


by_average, by_neighbours = error_of(middle.mean(0)), error_of(neighbours)
print(
    f"squared error per image, by the average: {by_average:.1f}, by two neighbours: {by_neighbours:.1f}"
)

# %% tags=["claim"]
assert by_neighbours < 0.5 * by_average, "neighbours should tell much about a pixel"

# %% [markdown]
# Two neighbours take away most of the uncertainty, although the rule is so simple. **Dimensionality
# reduction** is the art of not storing such repetitions: describe each picture by a few numbers,
# and lose as little as possible. Like the autoencoder of lesson 01 it is **unsupervised**, because
# no labels are needed.

# %% [markdown]
# ## 2 · The best line through a cloud
#
# We start with two numbers per digit, to be replaced by one: the ink (the sum of the grey levels)
# in the left half and in the right half of the picture. Each digit becomes a point in the plane. We
# lay a straight line through the middle of the cloud, and replace each point by the nearest point
# of the line, its **projection**. One number says where on the line that is. What we lose is the
# squared distance from the point to the line.

# %%
pictures = X.reshape(-1, 28, 28)
left, right = pictures[..., :14].sum((1, 2)), pictures[..., 14:].sum((1, 2))
ink = torch.stack([left, right], dim=1)  # (N, 2)
cloud = ink - ink.mean(0)  # centred: the middle of the cloud is now at (0, 0)


def direction(degrees):
    """The vector of length 1 at this angle, (2,)."""
    angle = math.radians(degrees)
    return torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.double)


def kept_and_lost(degrees):
    """Variance that a line at this angle keeps, and mean squared distance that it loses."""
    along = cloud @ direction(degrees)  # the number that we keep, one per digit
    off = cloud - along[:, None] * direction(degrees)  # from the line to the point
    return along.square().mean().item(), off.square().sum(1).mean().item()


kept, lost = torch.tensor([kept_and_lost(degrees) for degrees in range(180)]).T
best = int(kept.argmax())

# %% [markdown]
# **Predict.** At which angle should the line be? Drag the slider until the orange losses are short.


# %% tags=["figure"]
# A slider that turns a line through the cloud
def line_painter(cloud, kept, lost):
    """A function that draws the cloud with a line at some angle, and what every angle keeps and loses."""
    some = cloud[
        torch.randperm(len(cloud), generator=torch.Generator().manual_seed(0))[:80]
    ]

    def draw_cloud(ax, degrees, title=None):
        along = torch.tensor(
            [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]
        ).double()
        nearest = (some @ along)[:, None] * along
        ax.axline((0, 0), along.tolist(), color=plots.COLORS[1], linewidth=2, label="line")
        ends = torch.stack([some, nearest, torch.full_like(some, math.nan)], 1).reshape(
            -1, 2
        )  # nan: a gap
        ax.plot(*ends.T, color=plots.COLORS[2], linewidth=1.5, label="loss", zorder=3)
        ax.plot(*some.T, "o", markersize=3.5, color="0.25", label="digit", zorder=4)
        ax.set(
            title=title or f"A line at {degrees}°",
            xlim=(-60, 60),
            ylim=(-60, 60),
            aspect="equal",
        )
        ax.set(
            xlabel="ink in the left half, centred", ylabel="ink in the right half, centred"
        )

    def draw_curves(ax, *angles):
        ax.plot(kept + lost, color="0.5", linestyle=":", label="kept + lost")
        ax.plot(kept, color=plots.COLORS[1], label="kept: variance")
        ax.plot(
            lost, color=plots.COLORS[2], linestyle="--", label="lost: mean squared distance"
        )
        for degrees in angles:
            ax.axvline(degrees, color="0.8", zorder=0)
        ax.set(
            title="Kept and lost",
            xlabel="angle of the line (degrees)",
            ylabel="squared ink",
        )
        ax.set(ylim=(0, 1.65 * float((kept + lost).max())), xticks=range(0, 181, 45))
        ax.legend(loc="upper left", fontsize=9, handlelength=1.5)

    def draw(degrees):
        figure, (ax, curve_ax) = plt.subplots(1, 2, figsize=(8.5, 3.9), layout="none")
        figure.subplots_adjust(
            0.08, 0.13, 0.99, 0.93, 0.25
        )  # by hand, because it is twice as fast
        draw_cloud(ax, degrees)
        draw_curves(curve_ax, degrees)
        return figure

    return draw, draw_cloud, draw_curves


draw_line, draw_cloud, draw_curves = line_painter(cloud, kept, lost)
widgets.explore(draw_line, degrees=(0, 179, 0))

# %% tags=["figure"]
# A poor line, the best line, and what every line keeps and loses
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.5))
poor = (best + 60) % 180
draw_cloud(axes[0], poor)
draw_cloud(axes[1], best, f"The best line, at {best}°")
axes[1].legend(loc="upper left", handlelength=1.2)
axes[1].set_ylabel("")
draw_curves(axes[2], poor, best)
plots.show(
    figure,
    alt="Left: a long, slanted cloud with a line across it; long orange segments lead from the points to the line. "
    "Middle: a line along the cloud, with short segments. Right: against the angle of the line, the variance kept and "
    "the error lost are mirror images of each other, and their sum is constant.",
)
share = float(kept.max() / (kept + lost).max())
print(f"The best line is at {best}° and keeps {share:.0%} of the variance.")

# %% tags=["claim"]
assert float((kept + lost).max() - (kept + lost).min()) < 1e-3 * float(kept.max()), (
    "kept + lost is constant"
)
assert lost.argmin() == kept.argmax(), "the best line keeps most and loses least"
assert 0.8 < share < 0.99, "one number should tell most of both"

# %% [markdown]
# The best line runs along the cloud, because whoever writes with much ink does so in both halves.
# The surprise is on the right: the sum of the two curves is constant. This is the theorem of
# Pythagoras. A point, its projection and the middle of the cloud form a right triangle:
#
# $$ \underbrace{\|x\|^2}_{\text{fixed}} \;=\; \underbrace{\|\text{along the line}\|^2}_{\text{kept}} \;+\; \underbrace{\|\text{off the line}\|^2}_{\text{lost}} $$
#
# Averaged over all points, the left side is the **variance** of the cloud, which does not depend on
# the line. So *keep the most variance* and *lose the least* are the same question.
#
# ### Eigenvectors: directions that are not turned
#
# In 784 dimensions we cannot try all angles, but a matrix knows the answer. The **covariance** of
# two numbers is the mean product of their deviations from their means, positive if they rise
# together. The **covariance matrix** $C$ holds it for all pairs, with the variances on its
# diagonal: for centred points it is the mean of $x\, x^\top$. The variance along a direction $v$ of
# length 1 is the mean of $(x \cdot v)^2 = v^\top x\, x^\top v$, and that is $v^\top C\, v$.
#
# Multiplied by $C$, most directions are turned. A direction $q$ that is not turned, but only made
# longer or shorter, is called an **eigenvector** of $C$, and the factor is its **eigenvalue**
# $\lambda$ ("lambda"): $C q = \lambda q$. As $q^\top C q = \lambda$, the eigenvalue is the variance
# along $q$.
#
# **Predict.** How many lines through the middle of the cloud are not turned, and at which angles?

# %%
covariance = cloud.T @ cloud / len(cloud)  # (2, 2)
# eigh is for symmetric matrices: smallest eigenvalue first, one eigenvector per column.
eigenvalues, eigenvectors = torch.linalg.eigh(covariance)


def turned_by(degrees):
    """By how many degrees the covariance matrix turns the line in this direction."""
    x, y = (covariance @ direction(degrees)).tolist()
    turn = math.degrees(math.atan2(y, x)) - degrees
    return (turn + 90) % 180 - 90  # a line has no front and no back: −90° … 90°


turns = torch.tensor([turned_by(degrees) for degrees in range(180)])

# %% tags=["figure"]
# Where the covariance matrix sends each direction
figure, (arrow_ax, turn_ax) = plt.subplots(1, 2, figsize=(9.4, 4.1))
arrow = {"arrowstyle": "-|>", "color": plots.COLORS[1], "shrinkA": 0, "shrinkB": 0}
for degrees in range(0, 360, 20):
    start = direction(degrees)
    end = covariance @ start / eigenvalues[-1]
    arrow_ax.plot(*start, "o", color="0.6", markersize=6)
    arrow_ax.annotate("", end.tolist(), start.tolist(), arrowprops=arrow)
arrow_ax.plot([], [], "o", color="0.6", label="a direction v")
arrow_ax.plot([], [], ">", color=plots.COLORS[1], label="arrow: from v to C v")
for value, vector, name in zip(eigenvalues, eigenvectors.T, ("λ₂", "λ₁")):
    tip = 1.6 * vector * vector[1].sign()
    arrow_ax.axline((0, 0), vector.tolist(), color=plots.COLORS[4], linewidth=2, zorder=0)
    arrow_ax.text(
        tip[0] - 0.15,
        tip[1],
        f"{name} = {value:.0f}",
        color=plots.COLORS[4],
        ha="right",
        va="center",
    )
arrow_ax.set(
    title="Directions v, and C v (drawn smaller)",
    aspect="equal",
    xlim=(-2.1, 2.1),
    ylim=(-1.9, 1.6),
)
arrow_ax.set(xlabel="left half", ylabel="right half")
arrow_ax.legend(loc="lower center", fontsize=9, ncols=2, columnspacing=1)
turn_ax.plot(turns, color=plots.COLORS[1])
turn_ax.axhline(0, color="0.6", linewidth=1)
angles = [math.degrees(math.atan2(y, x)) % 180 for x, y in eigenvectors.T.tolist()]
for value, angle in zip(eigenvalues, angles):
    turn_ax.axvline(angle, color=plots.COLORS[4])
    turn_ax.text(
        angle + 3,
        84,
        f"{angle:.0f}°\nvariance {value:.0f}",
        color=plots.COLORS[4],
        va="top",
    )
turn_ax.set(
    title="How far C turns each direction",
    xlabel="angle of v (degrees)",
    ylabel="turned by (degrees)",
)
turn_ax.set(ylim=(-90, 90), xlim=(0, 190), xticks=range(0, 181, 45))
plots.show(
    figure,
    alt="Left: points on a circle, and lines to where the covariance matrix sends them: onto a thin ellipse along the "
    "cloud's long side. Two directions at right angles, drawn in orange, stay on their own lines. Right: the angle of "
    "turning against the angle of the direction; it is zero at exactly these two directions.",
)
print(
    f"best line by trying: {best}°; eigenvectors at {angles[1]:.1f}° and {angles[0]:.1f}°"
)

# %% tags=["claim"]
assert abs(angles[1] - best) <= 1, "the best line should be the first eigenvector"
assert abs(abs(angles[1] - angles[0]) - 90) < 1e-6, (
    "eigenvectors should stand at right angles"
)
assert abs(float(eigenvalues[-1] / kept.max()) - 1) < 1e-3, (
    "the eigenvalue should be the variance kept"
)
assert abs(float(eigenvalues[0] / kept.min()) - 1) < 1e-3, (
    "and the smallest one what the worst line keeps"
)

# %% [markdown]
# There are two, at right angles: the best line is the eigenvector with the largest eigenvalue, and
# the worst line is the other one.

# %% [markdown]
# ## 3 · PCA, by hand and by scikit-learn
#
# The same holds in any number of dimensions. A covariance matrix of size $D \times D$ is symmetric,
# so it has $D$ eigenvectors $q_1, q_2, \dots$ of length 1, all at right angles to each other, with eigenvalues
# $\lambda_1 \ge \lambda_2 \ge \dots \ge 0$. Write any direction of length 1 as their sum,
# $v = \sum_j c_j q_j$ with $\sum_j c_j^2 = 1$. The variance along it is
#
# $$ v^\top C\, v = \sum_j \lambda_j\, c_j^2 , $$
#
# a weighted average of the eigenvalues. It is largest when all the weight is on the largest one,
# and that means $v = q_1$, the **first principal component**. Among the directions at right angles
# to it, $q_2$ wins, and so on. Together, the first $k$ components span the best **subspace** of $k$
# dimensions: a line, a plane, or something flat that we can no longer draw.
#
# ### Your turn 1 · PCA from eigenvectors (8 min)
#
# `images` is (N, D), one picture per row. Return all components as a tensor (D, D), one per *row*,
# the largest variance first. Remember to centre the images. `torch.linalg.eigh` returns the
# *smallest* eigenvalue first and the eigenvectors as *columns*, so you must rearrange them: `.T`
# transposes a matrix, `.flip(0)` reverses the order of its rows.


# %% tags=["exercise"]
def principal_components(images):
    components = ...  # your code here, in as many lines as you like
    return components


verdict = checks.principal_components(principal_components)
principal_components = verdict.working
verdict


# %% tags=["solution"]
def principal_components(images):
    centred = images - images.mean(0)
    covariance = centred.T @ centred / len(images)
    _, eigenvectors = torch.linalg.eigh(covariance)
    return eigenvectors.T.flip(0)


# %% [markdown]
# From here on, the lesson computes with your function, or until it is right, with the solution's.
#
# **Predict.** Will the first 20 components be the same numbers as scikit-learn's?


# %%
def variances_along(images, components):
    """The variance of images (N, D) along each component (k, D), which is its eigenvalue."""
    return ((images - images.mean(0)) @ components.T).square().mean(0)


mean = X.mean(0)
components = principal_components(X)  # (784, 784), one per row
variances = variances_along(X, components)  # (784,)

library = PCA(n_components=20, svd_solver="full").fit(X.numpy())
cosines = (components[:20] * torch.tensor(library.components_)).sum(1)
print("our components · scikit-learn's:", [round(c, 3) for c in cosines.tolist()])

# %% tags=["figure"]
# A table: the first variances, ours and scikit-learn's
theirs = library.explained_variance_ratio_
print("component   variance (eigenvalue)   share of all variance   share, scikit-learn")
for number in range(8):
    share = variances[number] / variances.sum()
    print(
        f"{number + 1:9d}   {variances[number]:21.3f}   {share:21.2%}   {theirs[number]:19.2%}"
    )
print(f"all {len(variances)}   {variances.sum():22.3f}   {1:21.2%}")

# %% tags=["claim"]
assert (cosines.abs() - 1).abs().max() < 1e-3, "equal up to their sign"
assert torch.allclose(variances[:20] / variances.sum(), torch.tensor(theirs), rtol=1e-3), (
    "equal shares"
)
singular = torch.linalg.svdvals(X - mean)
assert torch.allclose(singular.square() / len(X), variances, atol=1e-9), (
    "s²/N should be the eigenvalues"
)

# %% [markdown]
# The dot product of two directions of length 1 is 1 if they are the same, and $-1$ if they are
# opposite. We find nothing else, so the components agree **up to their sign**. A line has no front
# and no back, and a program may return either $q$ or $-q$. The shares of the variance agree, too.
# (scikit-learn gets them by a **singular value decomposition** of the centred digits: the squares
# of the singular values, divided by $N$, are the eigenvalues.)
#
# A component can be drawn as a picture. Adding it puts ink where it is purple, and takes ink away
# where it is orange.


# %% tags=["figure", "hero"]
# The mean digit and the first nine components
def draw_signed(ax, pattern, limit=0.12):
    """A pattern (784,) with signs; purple adds ink, orange takes it away. Returns the picture, for a colour bar."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax.imshow(pattern.reshape(28, 28), cmap="PuOr", vmin=-limit, vmax=limit)


figure, axes = plt.subplots(2, 5, figsize=(9.4, 4.1))
plots.draw_image(axes[0, 0], as_images(mean)[0])
axes[0, 0].set_title("mean digit")
for number, ax in enumerate(axes.flat[1:]):
    signed = draw_signed(ax, components[number])
    ax.set_title(f"component {number + 1}")
figure.colorbar(signed, ax=axes, label="weight of the pixel", shrink=0.8, extend="both")
plots.show(
    figure,
    alt="The mean digit, a bright smudge, and the first nine components: smooth patterns of orange and purple, "
    "the first a ring around a bar.",
)
answers = (X_test - mean) @ components[0]  # where each test digit lies along component 1
by_kind = [answers[test_set.labels == d].mean().item() for d in range(10)]
print("mean along component 1, digits 0 to 9:", [round(a, 1) for a in by_kind])

# %% tags=["claim"]
assert {
    max(range(10), key=by_kind.__getitem__),
    min(range(10), key=by_kind.__getitem__),
} == {0, 1}, "0 against 1"

# %% [markdown]
# Each component asks a digit a question. The first asks: are you a ring, or an upright stroke?
# Zeros answer strongly one way, ones the other way (the printed line: means over the test digits).

# %% [markdown]
# ## 4 · PCA is an encoder and a decoder
#
# Keep the first $k$ components, and put them as rows into a matrix $W$. Then a picture $x$ becomes
# a **code** $h$ of $k$ numbers, and the code becomes a picture again:

# %% tags=["figure"]
# PCA as an autoencoder
figure = plots.schematics.pca()
for image in figure.axes[0].images[2:4]:  # the mean of our digits, subtracted and added
    image.set(data=as_images(mean)[0, 0], clim=(0, 1))
plots.show(
    figure,
    alt="A diagram from left to right: an image x; the mean is subtracted; an encoder W makes a code h of k numbers; a "
    "decoder, the transpose of W, makes 784 numbers; the mean is added; the output is an image.",
)

# %% [markdown]
# The encoder asks $k$ questions, and the decoder adds up $k$ patterns, each as strongly as the
# answer says. The space of the codes is called the **latent** (hidden) **space**, because nobody
# observes these numbers. All pictures that the decoder can make lie in the subspace through the mean.
#
# ### Your turn 2 · There and back (5 min)
#
# Write both steps as one function. `images` is (N, D), one picture per *row*; `mean` is (D,);
# `components` is (k, D), the $W$ of the diagram. Return the reconstructions, (N, D). In the diagram
# a picture is a column, so for rows the transposes change places. Which shape turns (N, D) into
# (N, k)?


# %% tags=["exercise"]
def reconstruct(images, mean, components):
    result = ...  # your code here
    return result


verdict = checks.pca_reconstruction(reconstruct)
reconstruct = verdict.working
verdict


# %% tags=["solution"]
def reconstruct(images, mean, components):
    codes = (images - mean) @ components.T  # (N, D) times (D, k) gives (N, k)
    return mean + codes @ components  # (N, k) times (k, D) gives (N, D)


# %% [markdown]
# **Predict.** From how many numbers on will you be able to read all ten test digits?


# %% tags=["figure"]
# A slider: ten test digits, rebuilt from k numbers
def rebuilding_painter(digits, mean, components, reconstruct):
    """A function that draws digits (10, 784) above their reconstructions from k numbers."""

    def draw(k):
        figure, axes = plt.subplots(2, 1, figsize=(10.5, 2.6))
        rebuilt = reconstruct(digits, mean, components[:k])
        for ax, rows, name in zip(axes, (digits, rebuilt), ("784 numbers", f"{k} numbers")):
            strip = as_images(rows)[:, 0].permute(1, 0, 2).reshape(28, -1)
            ax.imshow(strip, vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            ax.set_ylabel(name, rotation=0, ha="right", va="center")
        return figure

    return draw


widgets.explore(
    rebuilding_painter(X_test[ten], mean, components, reconstruct), k=(0, 200, 2)
)

# %% [markdown]
# ## 5 · How many numbers are enough?
#
# With 50 numbers we can read them all. To put a number on what the eye sees, we use the error of
# the whole course: the squared difference, summed over the pixels of an image and averaged over the
# images. A method that does almost as well on new data as on those it has learnt from
# **generalises**. So we measure training and test digits, and to see the opposite, we also compute
# PCA from 300 digits only.


# %%
def squared_error(images, reconstructions):
    """Squared error per image, summed over its pixels, averaged over the images."""
    return (reconstructions - images).square().sum(1).mean().item()


ks = [1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 600]
train_error = [squared_error(X, reconstruct(X, mean, components[:k])) for k in ks]
test_error = [squared_error(X_test, reconstruct(X_test, mean, components[:k])) for k in ks]

few = X[torch.randperm(len(X))[:300]]
few_mean, few_components = few.mean(0), principal_components(few)
few_ks = [k for k in ks if k <= 300]  # 300 digits span no more dimensions than that
few_error = [
    squared_error(few, reconstruct(few, few_mean, few_components[:k])) for k in few_ks
]
few_test = [
    squared_error(X_test, reconstruct(X_test, few_mean, few_components[:k])) for k in few_ks
]

# %% tags=["figure"]
# What is kept and what is lost with k components
share_kept = variances.cumsum(0) / variances.sum()
figure, (share_ax, error_ax) = plt.subplots(1, 2, figsize=(9.4, 4))
share_ax.plot(range(1, 785), share_kept, color=plots.COLORS[1])
share_ax.axhline(0.9, color="0.6", linestyle=":")
share_ax.text(784, 0.89, "90%", color="0.4", ha="right", va="top")
share_ax.set(
    title="What is kept",
    xlabel="number of components k",
    ylabel="share of the variance",
    ylim=(0, 1.03),
)
blue, orange = plots.COLORS[1], plots.COLORS[4]
error_ax.plot(
    ks, train_error, "o-", color=blue, label=f"PCA from {len(X):,} digits: on these"
)
error_ax.plot(
    ks,
    test_error,
    "o--",
    color=blue,
    markerfacecolor="white",
    label="the same PCA: on test digits",
)
error_ax.plot(few_ks, few_error, "s-", color=orange, label="PCA from 300 digits: on these")
error_ax.plot(
    few_ks,
    few_test,
    "s--",
    color=orange,
    markerfacecolor="white",
    label="the same PCA: on test digits",
)
error_ax.set(
    title="What is lost", xlabel="number of components k", ylabel="squared error per image"
)
error_ax.set(yscale="log", xlim=(0, 410), ylim=(0.1, 100))
error_ax.legend(loc="upper right", fontsize=9.5)
plots.show(
    figure,
    alt="Left: the share of variance kept rises steeply and passes 90% long before 200 components. Right: the squared "
    "error falls with the number of components. For PCA from all training digits it is almost the same on training and "
    "test digits; for PCA from 300 digits it falls to zero on these, below the logarithmic axis, but not on test digits.",
)
left_over = [variances[k:].sum().item() for k in ks]
print("PCA from:       all training digits                         300 digits")
print("   k      error  variances left out  error on test   error on them  error on test")
for row, k in enumerate(ks):
    print(
        f"{k:4d}  {train_error[row]:9.3f}  {left_over[row]:18.3f}  {test_error[row]:13.3f}",
        end="",
    )
    print(f"   {few_error[row]:13.3f}  {few_test[row]:13.3f}" if k in few_ks else "")

# %% tags=["claim"]
measured, predicted = torch.tensor(train_error), torch.tensor(left_over)
assert torch.allclose(measured, predicted, rtol=1e-3, atol=1e-3), (
    "lost = variances left out"
)
assert share_kept[99] > 0.9, "100 components should keep more than 90%"
assert all(test < 1.15 * train for train, test in zip(train_error[:7], test_error[:7])), (
    "it should carry over"
)
assert few_test[6] > 2 * few_error[6], "300 digits are learnt by heart"
assert few_error[-1] < 1e-6 and few_test[-1] > 1, (
    "300 components rebuild these exactly, but not others"
)

# %% [markdown]
# Three things can be seen.
#
# - **Few numbers go a long way.** A tenth of the numbers keeps most of the variance.
# - **What is lost is what was left out.** The second and the third column agree: the training error
#   is the sum of the eigenvalues that were not kept.
# - **It generalises, if there are many more digits than components.** PCA from 300 digits learns
#   them by heart: with 300 components it rebuilds these exactly, but not others.
#
# ### Your turn 3 · Enough is enough (5 min)
#
# How many components are needed to keep at least a given share of the variance? `variances` (D,)
# has the largest first, and `share` is a number such as 0.9. Return a whole number.


# %% tags=["exercise"]
def components_needed(variances, share):
    result = ...  # your code here
    return result


verdict = checks.components_needed(components_needed)
components_needed = verdict.working
verdict


# %% tags=["solution"]
def components_needed(variances, share):
    shares = variances.cumsum(0) / variances.sum()
    # All that fall short, and the first that does not.
    return int((shares < share).sum()) + 1


# %%
needed = {share: components_needed(variances, share) for share in (0.5, 0.9, 0.95, 0.99)}
print("numbers needed to keep a share of the variance:", needed)

# %% tags=["figure"]
# Two digits, built from more and more patterns
stages = [0, 2, 5, 10, 20, 50]
count, edge, gap, top = (
    len(stages) + 1,
    112,
    6,
    50,
)  # in pixels of the page: each pixel of a digit is 4 × 4 of them
wide, high = count * (edge + gap) + 2 * gap, 4 * (edge + gap) + 3 * gap + top
figure = plt.figure(figsize=(wide / 90, high / 90), layout="none")


def tile(row, column):
    """Axes at this place; between the two digits is a wider gap."""
    x, y = gap + column * (edge + gap), top + row * (edge + gap) + 2 * gap * (row // 2)
    return figure.add_axes((x / wide, 1 - (y + edge) / high, edge / wide, edge / high))


for number, digit in enumerate(X_test[ten[[3, 7]]]):
    before = mean
    for column, k in enumerate(stages):
        rebuilt = reconstruct(digit[None], mean, components[:k])[0]
        ax = tile(2 * number, column)
        plots.draw_image(ax, as_images(rebuilt)[0])
        if number == 0:
            ax.set_title(f"{k} numbers" if k else "mean digit")
        if k:
            draw_signed(tile(2 * number + 1, column), rebuilt - before, limit=0.7)
        before = rebuilt
    ax = tile(2 * number, len(stages))
    plots.draw_image(ax, as_images(digit)[0])
    if number == 0:
        ax.set_title("the original:\n784 numbers")
    y = 1 - (top + (2 * number + 1.5) * (edge + gap) + 2 * gap * number) / high
    figure.text((gap + edge) / wide, y, "what these\nnumbers add", ha="right", va="center")
plots.show(
    figure,
    alt="Two handwritten digits take shape from left to right, from the mean digit over 2, 5, 10, 20 and 50 numbers to the "
    "original. Under each picture, in purple and orange, what the new numbers add.",
)

# %% tags=["claim"]
assert 8 <= needed[0.5] <= 14 and 70 <= needed[0.9] <= 100, (
    "half of the variance in about 11, 90% in about 85"
)
assert needed[0.99] > 3 * needed[0.9], "the last per cents are expensive"

# %% [markdown]
# The first few numbers only lay down rough shapes: with 5 of them, nobody would call the lower digit
# a 7. The later ones decide and sharpen. The last per cents of the variance are the most expensive.

# %% [markdown]
# ## 6 · A linear autoencoder against PCA
#
# An autoencoder without activation functions and biases is a matrix that encodes and a matrix that
# decodes, as in PCA. But it learns by gradient descent, and nobody tells it about variances or
# eigenvectors. It only wants a small error.
#
# We write it as a **class**, as PyTorch models usually are. A subclass of `nn.Module` creates its
# layers in `__init__`, after `super().__init__()` has prepared PyTorch's bookkeeping, and says in
# `forward` what happens when you call `model(images)`. PyTorch then finds all weights by itself.
# The mean digit belongs to the model, but must not be trained: `register_buffer` stores it as a
# fixed tensor that moves to the GPU together with the weights.


# %%
CODE = 6  # numbers in the middle


class LinearAutoencoder(nn.Module):
    """x → mean + G (E (x − mean)): an autoencoder without anything nonlinear in it."""

    def __init__(self, code_size, mean):
        super().__init__()
        self.encoder = nn.Linear(784, code_size, bias=False)  # its weight E is (k, 784)
        self.decoder = nn.Linear(code_size, 784, bias=False)  # its weight G is (784, k)
        self.register_buffer("mean", mean)

    def forward(self, images):
        codes = self.encoder(images.flatten(1) - self.mean)
        return (self.mean + self.decoder(codes)).reshape(images.shape)


def loss(model, images, labels):
    """Squared error of each image (N,), summed over its pixels. The labels are not used."""
    return (model(images) - images).square().flatten(1).sum(1)


# %% [markdown]
# From now on the training loop comes from the course's package: `fit` does what you know from
# lesson 01, with a progress line, and lets the learning rate fall to almost zero at the end. We
# hand it the function above, which returns one loss per image.
#
# How do we compare the result with PCA? Two planes in a room share a line (angle 0) and open at
# some angle across it, like pages of a book: that makes two angles. Subspaces of $k$ dimensions have
# $k$ **principal angles**; if the largest is zero, they are the same. We train five times, for
# longer and longer, and measure the error and the largest angle.
#
# **Predict.** How close will six learnt directions come to the six best? And which will be good
# first, the error or the angle?


# %%
EPOCHS = 40
LR = 1e-2


def largest_angle(weight):
    """Largest principal angle, in degrees, between a decoder (784, k) and PCA's subspace."""
    best = components[: weight.shape[1]].T.numpy()
    return math.degrees(subspace_angles(weight.detach().cpu().numpy(), best).max())


runs = []
for part in (0.05, 0.125, 0.25, 0.5, 1):
    seed_everything(1)  # the same start every time
    autoencoder = LinearAutoencoder(CODE, mean.float())
    epochs = max(1, round(part * EPOCHS))
    fit(autoencoder, train_set, loss, epochs=epochs, lr=LR)
    # Measured after the training: fit's line shows the mean while the weights still changed.
    reached = measure(autoencoder, train_set, loss)["loss"]
    runs.append((epochs, reached, largest_angle(autoencoder.decoder.weight)))

# %% tags=["figure"]
# A table: error and angle after longer and longer trainings
pca_error = variances[CODE:].sum().item()
print(f"training error of PCA with k = {CODE}: {pca_error:.3f} per image")
print("epochs   training error   above PCA's   largest principal angle")
for epochs, reached, angle in runs:
    print(
        f"{epochs:6d}   {reached:14.3f}   {reached / pca_error - 1:11.2%}   {angle:22.1f}°"
    )
pca_test = squared_error(X_test, reconstruct(X_test, mean, components[:CODE]))
test_error = measure(autoencoder, test_set, loss)["loss"]
print(f"test error: autoencoder {test_error:.3f}, PCA {pca_test:.3f} per image")
sixth, seventh = variances[CODE - 1].item(), variances[CODE].item()
print(
    f"variance along components {CODE} and {CODE + 1}: {sixth:.2f} and {seventh:.2f}, "
    f"a difference of {sixth - seventh:.2f}"
)

# %% tags=["claim"]
assert runs[-1][2] < 5, "the linear autoencoder should find PCA's subspace"
assert abs(test_error / pca_test - 1) < 0.01, "and have PCA's error"
assert all(reached > 0.9999 * pca_error for _, reached, _ in runs), (
    "PCA cannot be beaten on the training digits"
)
early = [angle for _, reached, angle in runs if reached < 1.05 * pca_error]
assert early[0] > 10, "the error should be good before the subspace is"
assert sixth - seventh < 0.03 * pca_error, "the seventh direction should be a cheap mistake"

# %% [markdown]
# In the end gradient descent has found PCA's subspace, and nothing linear can do better on the
# training digits. More linear layers would not help, as a product of matrices is again a matrix.
# **To beat PCA, a network must be nonlinear.**
#
# Look at the order of events, too. The error was within a few per cent of PCA's while the subspace
# was still far off, because taking the seventh direction in place of the sixth costs only the
# difference of their variances (last line). A model can have a good error and
# still not have found what you think it has.
#
# **Predict.** Are the decoder's columns now the components themselves?

# %%
columns = autoencoder.decoder.weight.detach().cpu().double().T  # (6, 784)
columns = nn.functional.normalize(columns, dim=1)  # of length 1, as the components are
with torch.no_grad():  # no gradients are needed here
    outputs = autoencoder(train_set.floats.to(device)).cpu().flatten(1).double()
recovered = principal_components(outputs)[:CODE]


def nearest_component(directions):
    """For each direction, the angle in degrees to the nearest of PCA's components."""
    cosines = (directions @ components[:CODE].T).abs().max(1).values.clamp(max=1)
    return [round(angle) for angle in torch.rad2deg(cosines.arccos()).tolist()]


print("degrees to the nearest component: the decoder's columns", nearest_component(columns))
print("                         PCA of its reconstructions", nearest_component(recovered))

# %% tags=["figure"]
# Three sets of directions in the same subspace
rows = {
    "PCA's\ncomponents": components[:CODE],
    "the decoder's\ncolumns": columns,
    "PCA of its\nreconstructions": recovered,
}
figure, axes = plt.subplots(3, CODE, figsize=(9.4, 4.2))
for row, (name, directions) in zip(axes, rows.items()):
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for ax, pattern in zip(row, directions):
        signed = draw_signed(ax, pattern)
figure.colorbar(signed, ax=axes, label="weight of the pixel", shrink=0.8, extend="both")
figure.suptitle("Three sets of directions, all in the same subspace")
plots.show(
    figure,
    alt="Three rows of signed pictures. The decoder's columns look like mixtures and match none of PCA's components. "
    "The components of the reconstructions match PCA's one by one, some with opposite sign.",
)

# %% tags=["claim"]
assert sum(nearest_component(columns)) / CODE > 15, "the columns should be mixtures"
assert max(nearest_component(recovered)) < 10, "PCA should find the components again"

# %% [markdown]
# They are not: they span the right subspace, but they are mixtures of the components. Take any
# matrix $A$ of size $k \times k$ that can be inverted, and let
#
# $$ G' = G A^{-1}, \qquad E' = A E, \qquad\text{so that}\qquad G' E' = G A^{-1} A E = G E . $$
#
# The new pair gives the same reconstructions and the same loss, so gradient descent has no reason
# to prefer one to the other, and stops wherever its random start leads. PCA of the reconstructions,
# the third row, brings the components back, up to their sign.
#
# This will follow us to the end of the course: **the loss does not decide what a single number of
# the code means.** If we want it to mean something, we must ask for it.

# %% [markdown]
# ## 7 · What straight lines cannot do
#
# Slide one digit sideways, pixel by pixel. Whoever knows the digit needs a single whole number for
# all these pictures: how far it was slid. We give PCA the best possible chance, and compute it from
# these 17 pictures alone.
#
# **Predict.** How many numbers will PCA need to keep 95% of their variance?

# %%
# ten: one test digit of each kind, from a folded cell of section 1; ten[1] is the 1
one = test_set.floats[ten[1], 0]  # (28, 28)
shifts = range(-8, 9)  # in pixels; roll moves the columns of a picture
sliding = torch.stack([one.roll(shift, dims=1) for shift in shifts]).flatten(1).double()
slide_mean = sliding.mean(0)
slide_components = principal_components(sliding)
slide_k = components_needed(variances_along(sliding, slide_components), 0.95)
print(f"{len(sliding)} pictures; PCA needs {slide_k} numbers for 95% of their variance")

# %% tags=["figure"]
# A digit that slides, and what PCA makes of it
chosen = [0, 3, 5, 8, 11, 13, 16]
plots.show(
    plots.image_rows(
        {
            "the digit, slid": as_images(sliding[chosen]),
            **{
                f"PCA, {k} number{'s' * (k > 1)}": as_images(
                    reconstruct(sliding[chosen], slide_mean, slide_components[:k])
                )
                for k in sorted({1, 3, slide_k})
            },
        },
        "One digit, slid by −8 to +8 pixels",
        columns=[
            f"{shifts[number]:+d}".replace("-", "−").replace("+0", "0") for number in chosen
        ],
    ),
    alt="First row: a digit slides from left to right. With one number PCA shows a broad blur, with three several faint "
    "strokes, and only with more numbers one clear stroke.",
)

# %% tags=["figure"]
# The codes of the sliding digit, and what lies half-way between two of them
codes = (sliding - slide_mean) @ slide_components[:2].T
if codes[0, 0] > codes[-1, 0]:  # either sign is right; now right means slid right
    codes[:, 0] *= -1
half_way = (sliding[4] + sliding[12]) / 2
figure, (ax, *picture_axes) = plt.subplots(
    1, 5, figsize=(9.4, 3.2), width_ratios=(2.6, 1, 1, 1, 1)
)
ax.plot(*codes.T, "o-", color=plots.COLORS[1], markersize=5)
ax.plot(*codes[[4, 12]].T, ":", color=plots.COLORS[4], linewidth=2)
ax.plot(*((codes[4] + codes[12]) / 2), "X", color=plots.COLORS[4], markersize=11)
for number in (0, 4, 8, 12, 16):
    name = f"{shifts[number]:+d}".replace("-", "−").replace("+0", "0")
    # Beside the path; at its two ends, where the path would go on.
    before = {0: codes[1], 16: codes[15]}.get(number, codes.mean(0))
    outwards = 15 * nn.functional.normalize(codes[number] - before, dim=0)
    ax.annotate(
        name,
        codes[number].tolist(),
        outwards.tolist(),
        textcoords="offset points",
        ha="center",
        va="center",
    )
ax.set(
    title="The path of the codes",
    xlabel="first number of the code",
    ylabel="second number of the code",
)
ax.set(aspect="equal")
ax.margins(0.2)
views = {
    "slid by −4": sliding[4],
    "half-way on the\nstraight line (✕)": half_way,
    "half-way on the\npath: 0": sliding[8],
    "slid by +4": sliding[12],
}
for picture_ax, (name, picture) in zip(picture_axes, views.items()):
    plots.draw_image(picture_ax, as_images(picture)[0])
    picture_ax.set_title(name, fontsize=9.5)
plots.show(
    figure,
    alt="Left: the codes of the sliding digit form a path bent like a horseshoe; a cross half-way between two of its "
    "points lies far off the path. Right: the digit slid to the left; the picture at the cross, in which two faint "
    "copies of the digit stand side by side; the digit in the middle; and the digit slid to the right.",
)

# %% tags=["claim"]
assert 5 <= slide_k <= 12, "one number is enough, but PCA needs several"
off = (half_way - sliding).square().sum(1).min()
assert off > 0.5 * (sliding[4] - sliding[5]).square().sum(), (
    "the half-way point should lie off the path"
)

# %% [markdown]
# A linear decoder can only make fixed patterns stronger or weaker. It cannot *move* anything, so it
# spends several numbers on something that one number describes. The path of the codes shows why:
# the pictures lie on a **curve**, and half-way between two of its points lies no slid digit, but two
# pale copies of it in one picture.
#
# Handwriting shifts, slants and swells as well, so we expect that digits, too, lie on something
# curved with few dimensions, a **manifold**. To follow it, encoder and decoder must be
# **nonlinear**, as networks with activation functions are. Whether that pays for real digits,
# lesson 03 will measure.

# %% [markdown]
# ## Workshop · Beat PCA with ten numbers (25 min)
#
# Change `encode` and `decode`, which are PCA as they stand, into any code you like, so that ten
# numbers per digit, or fewer, leave **at most 90% of PCA's squared error** on digits that it has
# never seen.
#
# `images` are rows (N, 784) of 64-bit numbers, and `decode` sees nothing but the codes (N, 10). The
# check uses digits that this lesson has not opened, and rounds each code number to three
# significant digits, so that nobody hides two numbers in one. Three ways in, of which you need only
# one:
#
# - **Groups.** A 1 varies in other ways than an 8. Give each group of digits a PCA of its own, and
#   spend one of the ten numbers on saying which group it is. (The encoder may try them all.)
# - **Straighten first.** Much of the variance is slant. Measure it, undo it, encode the
#   straightened digit, and let the decoder put the slant back.
# - **A network** with activation functions, trained with `fit`. (Networks want `.float()`.)


# %% tags=["workshop"]
def encode(images):
    """Codes (N, 10) of images (N, 784)."""
    return (images - mean) @ components[:10].T


def decode(codes):
    """Images (N, 784) for codes (N, 10)."""
    return mean + codes @ components[:10]


verdict = checks.lesson_02.workshop(encode, decode)
verdict

# %% tags=["solution"]
# One PCA per kind of digit: ten means, and ten times nine components.
groups = [X[train_set.labels == kind] for kind in range(10)]
means = torch.stack([group.mean(0) for group in groups])  # (10, 784)
bases = torch.stack([principal_components(group)[:9] for group in groups])  # (10, 9, 784)


def encode(images):
    centred = images[:, None] - means  # (N, 10, 784): once for every group
    # einsum: multiply, and sum over the letter that disappears, here d
    codes = torch.einsum("ngd,gkd->ngk", centred, bases)  # (N, 10, 9)
    lost = centred.square().sum(2) - codes.square().sum(2)  # Pythagoras
    group = lost.argmin(1)  # the group that loses least
    return torch.cat([group[:, None], codes[torch.arange(len(images)), group]], dim=1)


def decode(codes):
    group = codes[:, 0].long()
    return means[group] + torch.einsum("nk,nkd->nd", codes[:, 1:], bases[group])


# %% tags=["alternative"]
# Straighten the digits, by a shear that image moments decide, and let the decoder slant them again.
def shear(images, slant):
    """Shift each row of the images (N, 784) sideways by slant (N,) times its height above the middle."""
    matrices = torch.eye(2, 3, dtype=images.dtype).repeat(len(images), 1, 1)
    matrices[:, 0, 1] = slant
    squares = images.reshape(-1, 1, 28, 28)
    grid = nn.functional.affine_grid(matrices, squares.shape, align_corners=False)
    return nn.functional.grid_sample(squares, grid, align_corners=False).flatten(1)


def slant_of(images):
    """How many columns a digit's ink moves per row, (N,)."""
    ink = images.reshape(-1, 28, 28) / images.sum(1)[:, None, None]
    place = torch.arange(28.0, dtype=images.dtype)
    across = place - (ink.sum(1) * place).sum(1)[:, None]
    down = place - (ink.sum(2) * place).sum(1)[:, None]
    together = (ink * across[:, None, :] * down[:, :, None]).sum((1, 2))
    return together / (ink * down[:, :, None].square()).sum((1, 2))


upright = shear(X, slant_of(X))
upright_mean, upright_components = upright.mean(0), principal_components(upright)[:9]


def encode(images):
    slant = slant_of(images)
    codes = (shear(images, slant) - upright_mean) @ upright_components.T
    return torch.cat([slant[:, None], codes], dim=1)


def decode(codes):
    straight = upright_mean + codes[:, 1:] @ upright_components
    return shear(straight, -codes[:, 0]).clamp(0, 1)  # there is no ink below 0 or above 1


# %% [markdown]
# **Going on.** How few numbers does your code need to do as well as PCA's ten? Two more questions
# have pages of their own. Which method draws the clearest map of the digits in two numbers?
# [t-SNE, and what its maps do not say](deeper/02_tsne.ipynb) (25 minutes, optional). And can PCA
# invent a digit? [Probabilistic PCA](deeper/02_probabilistic_pca.ipynb) can (35 minutes, optional).

# %% [markdown]
# ## Summary
#
# - **PCA** finds the subspace that keeps the most variance and loses the least. Its components are
#   the **eigenvectors** of the covariance matrix, and the **eigenvalues** are the variances along
#   them.
# - The training error with $k$ numbers is **the sum of the eigenvalues left out**.
# - A **linear autoencoder** finds PCA's subspace, but not its components.
# - No linear method follows a **curved** set of pictures with few numbers.
#
# ## Read and watch
#
# - 3Blue1Brown, [Eigenvectors and eigenvalues](https://www.youtube.com/watch?v=PFDu9oVAE-g)
#   (video): matrices that turn and stretch, drawn so that one remembers them.
# - StatQuest, [Principal component analysis, step by
#   step](https://www.youtube.com/watch?v=FgakZw6K1QQ) (video): section 2 again, slowly, with genes.
# - M. Turk, A. Pentland, [Eigenfaces for recognition](https://doi.org/10.1162/jocn.1991.3.1.71)
#   (1991): section 3 with faces in place of digits.
# - P. Baldi, K. Hornik, [Neural networks and principal component
#   analysis](https://doi.org/10.1016/0893-6080%2889%2990014-2) (1989): why a linear autoencoder
#   cannot get stuck in a wrong valley.
#
# **Next:** [lesson 03 · The fully connected autoencoder](03_the_fully_connected_autoencoder.ipynb):
# we let the subspace bend, and find out by how much that beats PCA.
