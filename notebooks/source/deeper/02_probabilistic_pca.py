# %% [markdown]
# # Deeper · Probabilistic PCA: a story of how digits come about
#
# PCA can compress a digit. Can it invent one? We could make up a code and decode it. But which
# code? PCA does not say which codes are likely: it is a rule, not a probability distribution.
# Michael Tipping and Christopher Bishop turned it into one in 1999, and what they made is the
# smallest relative of the variational autoencoder (VAE), with every step solved by a formula.
#
# **You will be able to** draw digits from probabilistic PCA, score pictures with it in nats, say what
# such a score means and what it does not, and compare it with a VAE part by part.
#
# **It builds on** [lesson 02](../02_dimensionality_reduction.ipynb) (PCA, eigenvalues,
# reconstruction), and on the mean, the variance and the **normal distribution**, the bell curve.

# %%
import math

import matplotlib.pyplot as plt
import torch
from sklearn.decomposition import PCA

from vae_helpers import checks, plots, widgets
from vae_helpers.data import load_digits
from vae_helpers.device import seed_everything

plots.use_course_style()
seed_everything(1)

train_set = load_digits("train").subset(slice(0, 10_000))
test_set = load_digits("test").subset(slice(0, 2_000))
X = train_set.floats.flatten(1).double()
X_test = test_set.floats.flatten(1).double()


def pca(points):
    """Mean (D,), components (D, D), one per row, and their variances (D,), largest first."""
    mean = points.mean(0)
    variances, vectors = torch.linalg.eigh(
        (points - mean).T @ (points - mean) / len(points)
    )
    return mean, vectors.T.flip(0), variances.flip(0)


mean, components, variances = pca(X)

# %% [markdown]
# ## 1 · The story
#
# Each picture, says the model, comes about in three steps:
#
# 1. Draw a code $z$ of $k$ numbers from the standard normal distribution, $z \sim \mathcal N(0, I)$:
#    each number has mean 0 and variance 1, and they are **independent**, which means that one tells
#    nothing about another. (The sign $\sim$ reads "is drawn from". PCA's code was called $h$; a code
#    that is drawn is usually called $z$.)
# 2. Go to the place in the subspace that the code says: $\mu + A z$, with a matrix $A$ of size
#    $D \times k$.
# 3. Tremble: add a little noise of the same strength in all directions, $\sigma \varepsilon$ with
#    $\varepsilon \sim \mathcal N(0, I)$.
#
# In one line: $x = \mu + A z + \sigma \varepsilon$. What is the distribution of $x$? Sums of
# independent normal numbers are normal, and the mean is $\mu$. The covariance matrix of $z$ is $I$,
# so that of $A z$ is $A I A^\top = A A^\top$. The noise has $\sigma^2 I$. Both parts are
# independent, so their covariances add up:
#
# $$ x \sim \mathcal N(\mu, C), \qquad C = A A^\top + \sigma^2 I . $$
#
# Which $A$ and $\sigma^2$ make the training digits as likely as possible? That choice is called
# **maximum likelihood**. Usually it takes a search, but here there is a formula. With the variances
# $\lambda_j$ and the components of PCA (the rows of $W$),
#
# $$ \sigma^2 = \frac{1}{D - k} \sum_{j > k} \lambda_j, \qquad A = W^\top (\Lambda_k - \sigma^2 I)^{1/2}, $$
#
# where $\Lambda_k$ is the diagonal matrix of the first $k$ variances. In words: the noise gets the
# *average variance of the directions that were left out*. Each component gets its own variance, less
# the $\sigma^2$ that the noise supplies in every direction anyway, and the square root turns a
# variance into a length. (With any rotation $R$ of the code, $A R$ would do as well, because
# $A R (A R)^\top = A A^\top$.)
#
# ### Your turn · Draw a digit (8 min)
#
# Write the story without building $A$: stretch each number of `z` by $\sqrt{\lambda_j - \sigma^2}$,
# then go along component $j$, and add the noise. You get the random numbers, so that your answer can
# be checked: `z` is (N, k) and `noise` is (N, D), both from $\mathcal N(0, I)$. You also get `mean`
# (D,), the first k `components` (k, D), their `variances` (k,), and the noise's variance `sigma2`, a
# plain number. Return N draws, (N, D). Everything that is drawn below is drawn by your function.


# %% tags=["exercise"]
def ppca_draw(z, noise, mean, components, variances, sigma2):
    result = ...  # your code here
    return result


verdict = checks.ppca_draw(ppca_draw)
ppca_draw = verdict.working
verdict


# %% tags=["solution"]
def ppca_draw(z, noise, mean, components, variances, sigma2):
    lengths = (variances - sigma2) ** 0.5  # how far z = 1 goes along each component
    return mean + (z * lengths) @ components + sigma2**0.5 * noise


# %% [markdown]
# First in the plane, with the ink in the left and in the right half of each digit, and $k = 1$.


# %%
def normal(*shape):
    """Independent numbers from the standard normal distribution."""
    return torch.randn(shape, dtype=torch.double)


def draw(z, noise, mean, components, variances):
    """What your function makes of codes z (N, k) and noise (N, D), with the σ² of the formula above."""
    k = z.shape[1]
    return ppca_draw(
        z, noise, mean, components[:k], variances[:k], variances[k:].mean().item()
    )


halves = X.reshape(-1, 28, 2, 14).sum(
    (1, 3)
)  # (N, 2): ink in the left and in the right half
ink_mean, ink_components, ink_variances = pca(halves)
z, noise = normal(len(halves), 1), normal(len(halves), 2)
drawn_ink = draw(z, noise, ink_mean, ink_components, ink_variances)
below_zero = (drawn_ink < 0).any(1).double().mean().item()

# %% tags=["figure"]
# The ink of real digits, and of digits that the model draws
figure, axes = plt.subplots(1, 2, figsize=(9.4, 4.4), sharex=True, sharey=True)
tip = (
    ink_components[0]
    * ink_components[0].sum().sign()
    * (ink_variances[0] - ink_variances[1]).sqrt()
)
for ax, points, title in zip(
    axes, (halves, drawn_ink), ("Real digits", "Drawn from the model")
):
    few = points[
        torch.randperm(len(points), generator=torch.Generator().manual_seed(0))[:800]
    ]
    ax.axhline(0, color="0.75", linewidth=1)
    ax.axvline(0, color="0.75", linewidth=1)
    ax.plot(*few.T, ".", color=plots.COLORS[6], label="digit")
    ax.plot(
        *torch.stack([ink_mean, ink_mean + tip]).T,
        color="black",
        linewidth=3,
        label="from μ to μ + A",
    )
    ax.plot(*ink_mean, "o", color="black", markersize=7)
    ax.set(title=title, xlabel="ink in the left half", aspect="equal")
axes[0].set_ylabel("ink in the right half")
axes[0].legend(loc="upper left")
plots.show(
    figure,
    alt="Two slanted clouds of points with the same place, length and width. A black bar leads from the middle of each "
    "one step along the cloud. The real cloud has a blunt lower end; the drawn one is an ellipse, and its lower end "
    "reaches below zero ink.",
)
print(f"drawn digits with less than no ink in one half: {below_zero:.2%}")

# %% tags=["claim"]
assert torch.allclose(drawn_ink.mean(0), ink_mean, atol=1.5), "same middle"
assert torch.allclose(drawn_ink.T.cov(), halves.T.cov(), rtol=0.1), "same spread"
assert 0 < below_zero < 0.05, "a bell curve has two tails"

# %% [markdown]
# Place, length and width agree, and here they must: with two numbers and $k = 1$ the model can have
# any covariance matrix that there is, so it copies that of the data. (With 784 numbers and $k = 50$
# it cannot, and there agreement means something.) What differs is more telling. A bell curve has two
# equal tails, so the model makes up a few digits with *less than no ink*. It knows how the numbers
# vary together, and nothing else.

# %% [markdown]
# ## 2 · Scoring pictures
#
# A distribution does more than draw. It gives every picture a **density** $p(x)$: how much
# probability lies around this point. For a normal distribution its logarithm, the
# **log-likelihood** of the picture, can be written down ($|C|$ is the determinant of $C$):
#
# $$ \log p(x) = -\tfrac12 \Big[ D \log 2\pi + \log |C| + (x - \mu)^\top C^{-1} (x - \mu) \Big] . $$
#
# Along the components this becomes easy. There, $C$ is diagonal: it has the variances
# $\lambda_1, \dots, \lambda_k$, and $\sigma^2$ for all other directions. With the natural logarithm
# the unit is the **nat** (1.44 bits). scikit-learn's PCA computes the same number under the name
# `score`.


# %%
def log_likelihood(images, k, model=(mean, components, variances)):
    """log p(x) of each image (N, 784) under probabilistic PCA with k code numbers, in nats."""
    mean, components, variances = model
    sigma2 = variances[k:].mean()
    spread = torch.cat([variances[:k], sigma2.expand(784 - k)])  # C along the components
    along = (images - mean) @ components.T
    return -0.5 * (
        784 * math.log(2 * math.pi) + spread.log().sum() + (along.square() / spread).sum(1)
    )


scores = {}
for k in (2, 10, 50):
    library = PCA(k, svd_solver="covariance_eigh").fit(X.numpy()).score(X_test.numpy())
    scores[k] = (
        log_likelihood(X, k).mean().item(),
        log_likelihood(X_test, k).mean().item(),
        library,
    )

# %% tags=["figure"]
# A table: log-likelihood of training and test digits, ours and scikit-learn's
print("mean log-likelihood, nats per image")
print("   k   training digits   test digits   test digits, scikit-learn")
for k, (train, test, library) in scores.items():
    print(f"{k:4d}   {train:15.2f}   {test:11.2f}   {library:25.2f}")

# %% tags=["claim"]
for _, test, library in scores.values():
    assert abs(test - library) < 0.2, "our log-likelihood should be scikit-learn's"
assert scores[2][1] < scores[10][1] < scores[50][1], (
    "more components should make the digits more likely"
)

# %% [markdown]
# They agree up to a trifle. (scikit-learn divides by $N - 1$ where maximum likelihood divides by
# $N$.) Three warnings are due. A density is not a probability, so it may be larger than 1, and its
# logarithm positive. Its level means little on its own, because it changes with the unit, for example
# with grey levels from 0 to 255. Only differences count: 10 nats more means
# $e^{10} \approx 22{,}000$ times as dense.
#
# The third warning is the most serious one. Some pixels at the border are black in every training
# digit, and grey levels come in 256 steps only. Along a direction in which nothing ever varies, a
# density can grow **without bound**: let $\sigma^2$ go to zero there. The usual remedy is called
# **dequantisation**. Add random noise to every pixel, so that its 256 levels fill the whole range
# evenly: $y = (255\, x + u)/256$ with $u$ between 0 and 1. Then $\log p(y) - D \log 256$ is, on
# average, a lower bound of the log *probability* of the 8-bit picture, which is never positive.
#
# **Predict.** What will more and more components do to the score of the training digits? And after
# dequantisation?


# %%
def dequantised(images):
    """Images whose 256 grey levels are spread evenly over 0 to 1 by noise."""
    return (255 * images + torch.rand_like(images)) / 256


Y, Y_test = dequantised(X), dequantised(X_test)
model_y = pca(Y)
growth = {}
for k in (10, 50, 200, 400, 500, 600, 640):
    by_density = [log_likelihood(images, k).mean().item() for images in (X, X_test)]
    by_chance = log_likelihood(Y_test, k, model_y).mean().item() - 784 * math.log(256)
    growth[k] = (*by_density, by_chance, -by_chance / 784 / math.log(2))

# %% tags=["figure"]
# A table: log-likelihood as it is, and after dequantisation
constant = int((X == X[0]).all(0).sum())
print(f"pixels that have the same grey level in every training digit: {constant}")
print("       density as it is, nats         after dequantisation, test digits")
print("   k     training           test     nats, at most 0    bits per pixel")
for k, (train, test, nats, bits) in growth.items():
    print(f"{k:4d}   {train:10.1f}   {test:12.1f}   {nats:17.1f}   {bits:15.2f}")
print(
    "all 8-bit pictures equally likely:          ",
    f"{-784 * math.log(256):12.1f}   {8:15.2f}",
)

# %% tags=["claim"]
assert constant > 20, "there should be pixels that never vary"
trained = [row[0] for row in growth.values()]
assert trained == sorted(trained), "the training score should grow and grow"
assert growth[640][1] < growth[500][1], "on test digits the largest k should be worse"
assert all(row[2] < 0 for row in growth.values()), "probabilities should be below 1"
bits = {k: row[3] for k, row in growth.items()}
assert bits[50] < 8 and min(bits, key=bits.get) not in (10, 640), (
    "neither the fewest nor the most should be best"
)

# %% [markdown]
# On the training digits the density grows with every component, and it would become infinite once
# $k$ reaches the number of dimensions in which they vary at all. On test digits it finally falls off a
# cliff, because some new digit has ink where none was before. After dequantisation the numbers mean
# something. The best $k$ for
# test digits lies well below the largest, and the model saves some bits per pixel against a picture
# of noise. Modern models need far fewer.
#
# We stay with $k = 50$ and with differences between pictures. What does the model find likely?
#
# **Predict.** Swap left and right in every test digit. Nobody told the model about the direction of
# writing. Will it notice? And how will it score a sheet without any ink?

# %%
K = 50
as_written = log_likelihood(X_test, K)
order = as_written.argsort(descending=True)
mirrored = log_likelihood(X_test.reshape(-1, 28, 28).flip(2).flatten(1), K)
one_by_one = X[
    torch.randint(len(X), (1000, 784)), torch.arange(784)
]  # each pixel from another digit
alone = log_likelihood(one_by_one, K).mean().item()
blank = log_likelihood(torch.zeros(1, 784).double(), K).item()

partner = torch.randperm(len(X_test))
other = test_set.labels[partner] != test_set.labels  # pairs of different digits
blends = log_likelihood((X_test + X_test[partner])[other] / 2, K)
more_likely = torch.maximum(as_written, as_written[partner])[other]
noticed = (mirrored < as_written).double().mean().item()
blends_win = (blends > more_likely).double().mean().item()


# %% tags=["figure"]
# What the model finds likely and unlikely
def as_images(rows):
    """Rows of 784 numbers (N, 784) as pictures (N, 1, 28, 28), ready to be drawn."""
    return rows.float().clamp(0, 1).reshape(-1, 1, 28, 28)


plots.show(
    plots.image_rows(
        {
            "most likely": as_images(X_test[order[:10]]),
            "least likely": as_images(X_test[order[-10:]]),
            "half and half": as_images((X_test + X_test[partner])[other][:10] / 2),
        },
        f"Test digits that probabilistic PCA (k = {K}) finds likely and unlikely, and blends of two",
    ),
    alt="Top row: ten thin, plain strokes, nearly all of them ones. Middle row: ten digits with thick, ornate or unusual "
    "strokes. Bottom row: double exposures of two different digits.",
)
print("mean log-likelihood, nats per image")
print(f"  test digits as written           {as_written.mean():7.0f}")
print(
    f"  mirrored                         {mirrored.mean():7.0f}   ({noticed:.0%} of the digits are less likely mirrored)"
)
print(f"  each pixel from another digit    {alone:7.0f}")
print(
    f"  half and half of two digits      {blends.mean():7.0f}   ({blends_win:.0%} are more likely than either digit)"
)
print(
    f"  a sheet without ink              {blank:7.0f}   ({(as_written > blank).sum()} of {len(X_test):,} digits have more)"
)

# %% tags=["claim"]
assert (test_set.labels[order[:10]] == 1).double().mean() > 0.6, (
    "the likely digits should mostly be ones"
)
assert noticed > 0.6 and as_written.mean() > mirrored.mean() + 20, (
    "it should notice the mirror"
)
assert alone < mirrored.mean() - 100, "pixels alone should be the least likely"
assert blends_win > 0.8, "blends should be more likely than either digit"
assert blank > as_written.quantile(0.9), "a blank sheet should be likelier than most digits"

# %% [markdown]
# The likely ones are nearly all ones: little ink, little that can surprise. The unlikely ones have
# wide or unusual strokes. It does notice the mirror, because means and covariances know what is usual
# where. With each pixel from another digit the score falls most, since every pixel is usual by
# itself, but not with its neighbours.
#
# But likely does not mean well written. A sheet without ink scores higher than almost every digit,
# and the half-and-half of two digits higher than both, because a bell curve is highest in the middle.
# That is what the model is: a bell curve over pictures, with its peak at the mean digit.

# %% [markdown]
# ## 3 · The encoder is a distribution, too
#
# A distribution can also be asked backwards: given a picture, which code may have made it? For
# normal distributions the answer is again normal, with a formula:
#
# $$ z \,|\, x \;\sim\; \mathcal N\big( M^{-1} A^\top (x - \mu),\; \sigma^2 M^{-1} \big), \qquad M = A^\top A + \sigma^2 I . $$
#
# ($z\,|\,x$ reads "z, given x".) So **the encoder gives a distribution**: a best guess *and* how
# unsure it is. This doubt, $\sigma^2 M^{-1}$, is the same for every picture. Hold on to the thought.
# It will be back in lesson 07, at the heart of the VAE.
#
# **Predict.** If we decode the best guess, do we get PCA's reconstructions?

# %%
sigma2 = variances[K:].mean()
A = components[:K].T * (variances[:K] - sigma2).sqrt()  # (784, K)
M = A.T @ A + sigma2 * torch.eye(K, dtype=A.dtype)
best_guess = torch.linalg.solve(
    M, A.T @ (X_test - mean).T
).T  # M⁻¹ Aᵀ (x − μ), without inverting M

by_pca = mean + (X_test - mean) @ components[:K].T @ components[:K]
by_ppca = mean + best_guess @ A.T
errors = [(r - X_test).square().sum(1).mean().item() for r in (by_pca, by_ppca)]
doubt = (
    (sigma2 * torch.linalg.inv(M)).diagonal().sqrt()
)  # standard deviation of each code number
print("squared error per test image: PCA {:.3f}, probabilistic PCA {:.3f}".format(*errors))
print(
    f"doubt about the code's numbers: {doubt[0]:.2f} for the first, {doubt[-1]:.2f} for the last"
)

# %% tags=["claim"]
assert errors[0] < errors[1] < 1.1 * errors[0], "nearly the same pictures"
assert doubt[0] < doubt[-1] < 1, (
    "strong components should be known best, and all better than the prior"
)

# %% [markdown]
# Nearly, as the errors are almost the same. Probabilistic PCA is
# a little more careful: it pulls its guess towards the mean, because some of what it sees may be
# noise. Of the strong components it is surer than of the weak ones.

# %% [markdown]
# ## 4 · Drawing new digits
#
# First, what do single numbers of the code do? We begin at the mean digit and turn one number from
# $-3$ to $3$, which is where nearly all draws lie.


# %% tags=["figure"]
# A slider: any number of the code, turned from −3 to 3
def walk(number):
    """Pictures (7, 1, 28, 28) for codes in which one number goes from −3 to 3."""
    return as_images(
        mean + torch.linspace(-3, 3, 7, dtype=A.dtype)[:, None] * A[:, number - 1]
    )


def draw_walk(number, steps=("−3", "−2", "−1", "0", "1", "2", "3")):
    """The same, as a figure."""
    return plots.image_rows(
        {f"number {number}": walk(number)}, "One number of the code", columns=steps
    )


widgets.explore(draw_walk, number=(1, K, 1))

# %% tags=["figure"]
# The first four numbers of the code, turned from −3 to 3
plots.show(
    plots.image_rows(
        {f"number {n}": walk(n) for n in (1, 2, 3, 4)},
        "Turning one number of the code, all others at 0",
        columns=("−3", "−2", "−1", "0", "1", "2", "3"),
    ),
    alt="Four rows of seven pictures with the mean digit in the middle column. The first row has a stroke at one end "
    "and a ring at the other; the other rows change slant and shape.",
)

# %% [markdown]
# **Predict.** Now all 50 numbers at once, at random. Will the pictures be digits? Better or worse
# than those in which each pixel came from another digit?

# %%
z, noise = normal(10, K), normal(10, 784)
samples = draw(z, noise, mean, components, variances)
without_noise = draw(z, 0 * noise, mean, components, variances)

# %% tags=["figure"]
# What probabilistic PCA draws
ten = torch.stack([(test_set.labels == d).nonzero()[0, 0] for d in range(10)])
plots.show(
    plots.image_rows(
        {
            "real digits": as_images(X_test[ten]),
            "each pixel from\nanother digit": as_images(one_by_one[:10]),
            "drawn,\nwith noise": as_images(samples),
            "the same,\nwithout noise": as_images(without_noise),
        },
        "New pictures from a bell curve",
    ),
    alt="Four rows: real digits; clouds of dots; blurred figures with strokes and loops under grainy noise; and the "
    "same figures without the noise, a few of which look like digits.",
)

# %% [markdown]
# Strokes, loops, smooth edges. Compared with the second row this is a leap, and all that we added is
# how pixels depend on each other *in pairs*. A model that can draw new examples is called a
# **generative model**. The copying of single pixels was one as well, only a very poor one.
#
# But they are not digits, except by luck. Every assumption of the story was a simple one: *one
# subspace* for the pictures, *one bell curve* for the codes, *the same noise* in every pixel. And we
# have measured where the second leads: whatever lies half-way between two digits must be at least as
# likely as the less likely of the two, and mostly it was more likely than both. Real digits are not
# like that.
#
# ## 5 · Where this leads
#
# Probabilistic PCA has every part of the model that gives this course its second half. The
# variational autoencoder (VAE) tells the same story, with a network in place of the matrix:
#
# | | probabilistic PCA (1999) | variational autoencoder (2013) |
# |---|---|---|
# | code | $z \sim \mathcal N(0, I)$ | the same |
# | decoder | $\mu + A z$, a subspace | a network: a curved sheet |
# | encoder | a distribution over codes, by a formula | a distribution over codes, by a network |
# | $\log p(x)$ | exact | out of reach; a lower bound takes its place |
# | learns by | one eigenvector computation | gradient descent |
#
# The price of the curves is the last two lines, and lesson 07 is about how to pay it.
#
# ## Read and watch
#
# - M. Tipping, C. Bishop, [Probabilistic principal component
#   analysis](https://doi.org/10.1111/1467-9868.00196) (1999): sections 1 and 3 with all proofs, in
#   clear words.
# - L. Theis, A. van den Oord, M. Bethge, [A note on the evaluation of generative
#   models](https://arxiv.org/abs/1511.01844) (2016): dequantisation, and why likelihood and looks
#   are different things.
#
# **Back to** [lesson 02 · Dimensionality reduction](../02_dimensionality_reduction.ipynb).
