# %% [markdown]
# # 03 · The fully connected autoencoder
#
# In lesson 02, encoder and decoder were matrices, and the best they could do was PCA's flat subspace. In this lesson
# they may bend. We measure what this gains, walk around in the map that comes out, and then try something bold: we make
# up codes that belong to no digit, decode them, and look. It works, and then it stops working. Finding out why leads
# straight to the second half of this course.
#
# **You will be able to**
#
# - write a fully connected autoencoder as a PyTorch module, and count its parameters,
# - compare it with PCA at the same code size, and say what a nonlinear code gains,
# - read a two-dimensional latent map, and explore it by decoding any of its points,
# - explain and measure why a plain autoencoder is a poor generator of new pictures.
#
# **It builds on** [lesson 01](01_from_a_neuron_to_an_autoencoder.ipynb) (encoder, decoder, code, ReLU) and
# [lesson 02](02_dimensionality_reduction.ipynb) (PCA, `nn.Module`, `fit`).

# %%
import itertools

import matplotlib.pyplot as plt
import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from torch import nn

from vae_helpers import checks, losses, plots, widgets
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.train import fit, measure

plots.use_course_style()
seed_everything(0)
device = pick_device()
train_set = load_digits("train").subset(slice(0, 3_500)).to(device)
test_set = load_digits("test").subset(slice(0, 1_000)).to(device)

# %% [markdown]
# ## 1 · The model
#
# **Fully connected**, or **dense**, means that every neuron of a layer listens to every neuron of the layer before. The
# encoder takes a picture as one long list of 784 numbers and narrows it down in three steps, and the decoder is its
# mirror image. The narrowest place is the code, and how many numbers it has is the **code size** or **latent dimension**,
# `latent_dim` in the program. The space of all possible codes is the **latent space**.

# %% tags=["figure"]
# The hourglass: 784 numbers, 256, 128, and a code of two
plots.show(
    plots.schematics.hourglass((784, 256, 128, 2), code="z"),
    alt="A network in the shape of an hourglass: an image of a 3 enters 784 neurons, then 256, 128 and 2, the code; the "
    "mirror image leads back to 784 and a blurred 3. The left half is bracketed as the encoder, the right as the decoder.",
)

# %% [markdown]
# Between the layers there is a ReLU, the activation function $\max(0, a)$. Without it, three layers would be one matrix,
# and we would have little more than PCA. There is no ReLU after the code, nor after the last layer. The code has few
# numbers, and ReLU would cut off the negative half of each. The pixels end with the logistic function, so that they lie
# between 0 and 1.


# %%
def dense(*widths):
    """Linear layers from each width to the next, with a ReLU between them."""
    layers = []
    for inputs, neurons in itertools.pairwise(widths):  # (784, 256), then (256, 128), …
        layers += [nn.Linear(inputs, neurons), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class DenseAutoencoder(nn.Module):
    """A fully connected autoencoder for images of 28 × 28 pixels."""

    def __init__(self, latent_dim=2):
        super().__init__()
        self.encoder = dense(784, 256, 128, latent_dim)
        self.decoder = dense(latent_dim, 128, 256, 784)

    def encode(self, images):
        """Images (N, 1, 28, 28) → codes (N, latent_dim)."""
        return self.encoder(images.flatten(1))

    def decode(self, codes):
        """Codes (N, latent_dim) → images (N, 1, 28, 28) in [0, 1]."""
        return torch.sigmoid(self.decoder(codes)).unflatten(1, (1, 28, 28))

    def forward(self, images):
        """Images → their reconstructions. It runs when we call `model(images)`."""
        return self.decode(self.encode(images))


# %% [markdown]
# ### Your turn 1 · How many parameters? (8 min)
#
# Weights and biases together are a network's **parameters**. Write a function that counts them. It gets the widths of
# the **encoder** as a tuple, for example `(784, 256, 128, 2)`, and returns the number for the **whole** autoencoder. The
# table in section 3 uses it to say how much a larger code costs.


# %% tags=["exercise"]
def my_count(widths):
    result = ...  # your code here
    return result


verdict = checks.dense_parameters(my_count)
count_parameters = verdict.working
verdict


# %% tags=["solution"]
def my_count(widths):
    count = 0
    for chain in (widths, widths[::-1]):  # the encoder, then the decoder
        for inputs, neurons in itertools.pairwise(chain):
            count += (
                inputs * neurons + neurons
            )  # a weight per connection, a bias per neuron
    return count


# %% [markdown]
# Most parameters sit in the two layers that touch the pixels, because every pixel has its own wire to every neuron.
# Lesson 04 shows a way to need far fewer.
#
# ## 2 · Two numbers, straight or bent
#
# The loss is the squared error, **summed** over the pixels of a picture and averaged over the batch, and `fit` uses it
# unless we say otherwise. One detail deserves a word before we train, the **starting weights**. PyTorch's `nn.Linear`
# starts with weights of variance $1/(3n)$, where $n$ is the number of inputs, and ReLU halves what passes. The signal
# gets weaker from layer to layer, until all pictures have nearly the same code. Kaiming He and colleagues worked out in
# 2015 that a variance of $2/n$ keeps its strength. We start like this, because a comparison is only fair if both sides
# are well trained. ([How much it matters](deeper/03_starting_weights.ipynb) is measured on a page of its own, 20 minutes.)


# %%
EPOCHS = budget(cpu=10, gpu=40)


def start_like_he(model):
    """Give all layers starting weights that keep a signal's strength (He et al., 2015)."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)  # variance 2 / n
            nn.init.zeros_(layer.bias)
    return model


def train_autoencoder(latent_dim, seed=0):
    """A new autoencoder, trained on the digits."""
    seed_everything(seed)
    model = start_like_he(DenseAutoencoder(latent_dim))
    fit(model, train_set, epochs=EPOCHS, lr=5e-3, batch_size=64, seed=seed)
    return model


model = train_autoencoder(latent_dim=2)

# %% [markdown]
# PCA needs no training, since a formula hands it the best subspace. We take it from scikit-learn, as in lesson 02.
#
# **Predict.** Both methods get **two** numbers per digit. What will PCA's pictures look like, and what the autoencoder's?

# %%
flat = PCA(n_components=32, random_state=0).fit(train_set.floats.flatten(1).cpu())
mean = torch.tensor(flat.mean_, dtype=torch.float32, device=device)
components = torch.tensor(flat.components_, dtype=torch.float32, device=device)


def pca(images, k):
    """Reconstructions of images from their first k components."""
    codes = (images.flatten(1) - mean) @ components[:k].T
    return (mean + codes @ components[:k]).reshape(images.shape)


tests = test_set.floats

# %% tags=["figure"]
# Ten test digits, and what PCA and the autoencoder make of them with two numbers
with torch.no_grad():
    first_of_each = [int((test_set.labels == digit).nonzero()[0]) for digit in range(10)]
    examples = tests[first_of_each]
    rows = {
        "test digit": examples,
        "PCA,\n2 numbers": pca(examples, 2),
        "autoencoder,\n2 numbers": model(examples),
    }
plots.show(
    plots.image_rows(rows, "What two numbers can carry"),
    alt="Ten test digits, and under each what PCA and the autoencoder make of it with two numbers. PCA gives soft "
    "mixtures, some nearly alike; the autoencoder gives blurred digits, some of them another digit than the one above.",
)

# %% [markdown]
# With two components, PCA can only add or take away two fixed patterns, so its pictures are soft mixtures, and several
# look nearly alike. The autoencoder makes up its mind more often, and then it draws *strokes*. They are not always
# those of the right digit, and some of its pictures are mere smudges, because two numbers are too few to tell
# everything apart. How can it draw strokes at all, with the same two numbers? If PCA's two numbers run through all
# values, its decoder sweeps out a flat sheet in the space of all pictures. The network's decoder sweeps out a sheet
# too, and this one may **bend**: it can pass near the ones, turn, and pass near the zeros.
#
# ## 3 · How many numbers?
#
# We train an autoencoder for each code size, three times each from different random starts, so that luck can be seen.
#
# **Predict.** Sketch two curves, error against code size, for PCA and the autoencoder. By how much do they differ at 2
# numbers, and at 32? How many numbers does PCA need for what the autoencoder does with 16? (The cell trains fifteen
# networks, which takes about half a minute.)

# %%
SIZES = (2, 4, 8, 16, 32)
models = {size: [train_autoencoder(size, seed) for seed in range(3)] for size in SIZES}
errors = {size: [measure(m, test_set)["loss"] for m in models[size]] for size in SIZES}
learnt = {size: measure(models[size][0], train_set)["loss"] for size in SIZES}


def pca_error(images, k):
    """What PCA with k components leaves of images: squared error, mean per image."""
    return losses.squared_error(pca(images, k), images).mean().item()


pca_errors = {size: pca_error(tests, size) for size in SIZES}
pca_learnt = {size: pca_error(train_set.floats, size) for size in SIZES}

# %% tags=["figure"]
# Squared error on test digits against the code size, for PCA and for the autoencoder
figure, ax = plt.subplots(figsize=(7.5, 4))
ax.plot(
    SIZES,
    pca_errors.values(),
    color=plots.COLORS[4],
    marker="s",
    linestyle="--",
    label="PCA",
)
ax.plot(
    SIZES,
    [sum(e) / 3 for e in errors.values()],
    color=plots.COLORS[1],
    marker="o",
    label="autoencoder (mean of three)",
)
ax.fill_between(
    SIZES,
    [min(e) for e in errors.values()],
    [max(e) for e in errors.values()],
    color=plots.COLORS[1],
    alpha=0.3,
    label="its best and worst run",
)
ax.set_xscale("log", base=2)
ax.set_xticks(SIZES, SIZES)
ax.set(
    title="Error on test digits",
    xlabel="code size (numbers per image)",
    ylabel="squared error per image",
    ylim=(0, None),
)
ax.legend()
plots.show(
    figure,
    alt="Test error against code size from 2 to 32. Both curves fall; the autoencoder's lies clearly below PCA's at every "
    "size, and the band of its three runs is narrow.",
)
print("                         test digits                          training digits")
print("code size   parameters   autoencoder, 3 runs    PCA   ratio   autoencoder    PCA")
ratio = {size: sum(errors[size]) / 3 / pca_errors[size] for size in SIZES}
for size in SIZES:
    runs = "  ".join(f"{error:5.1f}" for error in errors[size])
    print(
        f"{size:9}   {count_parameters((784, 256, 128, size)):10,}   {runs}  {pca_errors[size]:5.1f}   "
        f"{ratio[size]:5.2f}   {learnt[size]:11.1f}  {pca_learnt[size]:5.1f}"
    )
sixteen = sum(errors[SIZES[-2]]) / 3
needed = next((k for k in range(1, 33) if pca_error(tests, k) <= sixteen), "more than 32")
print(f"what the autoencoder does with {SIZES[-2]} numbers, PCA does with {needed}")

# %% tags=["claim"]
for size in SIZES:
    assert max(errors[size]) < 0.98 * pca_errors[size], (
        f"at {size} numbers the autoencoder should win in each run"
    )
assert learnt[32] < 0.9 * min(errors[32]), "at 32 numbers it should pay with generalisation"
assert min(ratio.values()) < 0.72, (
    "at its best it should save more than a quarter of PCA's error"
)
assert ratio[32] > min(ratio.values()) + 0.05, (
    "at 32 its advantage should be smaller than at its best"
)
assert ratio[8] + 0.05 < min(ratio[2], ratio[32]), "it should save most around 8"
assert ratio[8] < min(ratio.values()) + 0.03, "it should save most around 8"
assert needed == "more than 32" or needed >= 24, "for what 16 do, PCA should need far more"
for size in (8, 16, 32):
    assert min(errors[size]) - learnt[size] > 1.7 * (pca_errors[size] - pca_learnt[size]), (
        "the autoencoder should lose more from training to test digits than PCA"
    )
assert learnt[32] / min(errors[32]) < learnt[8] / min(errors[8]), (
    "this should weigh more at 32"
)
assert pca_learnt[16] - pca_learnt[32] > 2.5 * (learnt[16] - learnt[32]), (
    "from 16 to 32 numbers the autoencoder should gain less, even on training digits"
)
assert len({count_parameters((784, 256, 128, size)) for size in SIZES}) == 5

# %% [markdown]
# The autoencoder wins at every size and in every run, and each further number costs it only 257 parameters. It saves
# the largest share around 8 numbers (the column *ratio* says what is left), and for what it does with 16, PCA needs far
# more: the last line counts them. Towards 32 the advantage shrinks again, for two reasons that the last two columns
# show. First, the autoencoder does much better on its *training* digits than on test digits, while for PCA the
# difference is small, so the network pays for its freedom with a loss in generalisation. This loss weighs more when
# little error is left. Second, a network has to find by training what a formula hands to PCA: from 16 to 32 numbers its
# error falls far less than PCA's, even on the training digits. (Would more epochs help?)
#
# ## 4 · A map of the digits
#
# Back to two numbers, so that each digit is a point on a map. PCA draws a map, too.
#
# **Predict.** In lesson 01 the five training digits with the nearest codes voted on what a test digit shows. On which map
# will the vote be right more often, and by how much?


# %%
def vote(known, asked):
    """Share of test digits that the five nearest training codes name rightly."""
    voters = KNeighborsClassifier(5).fit(known.cpu(), train_set.labels.cpu())
    return voters.score(asked.cpu(), test_set.labels.cpu())


with torch.no_grad():
    codes, test_codes = model.encode(train_set.floats), model.encode(tests)
straight, straight_test = (
    (x.flatten(1) - mean) @ components[:2].T for x in (train_set.floats, tests)
)
straight_vote, bent_vote = vote(straight, straight_test), vote(codes, test_codes)

# %% tags=["figure"]
# Two maps of the same test digits: by PCA and by the autoencoder
figure, axes = plt.subplots(1, 2, figsize=(10, 4.8))
names = test_set.label_names
for ax, points, title in zip(
    axes,
    (straight_test, test_codes),
    (
        f"PCA: the vote is right for {straight_vote:.0%}",
        f"Autoencoder: the vote is right for {bent_vote:.0%}",
    ),
):
    plots.latent_map(points, test_set.labels, names, title, ax=ax)
badges = [text.get_position() for text in axes[1].texts]  # for the next map
plots.show(
    figure,
    alt="Two scatter plots of test digits by their two-number codes, coloured and labelled by digit. In PCA's map most "
    "digits lie on top of each other; in the autoencoder's they form separate streaks and patches.",
)

# %% tags=["claim"]
assert bent_vote > straight_vote + 0.08, "the autoencoder's map should have more order"

# %% [markdown]
# The code size is the same, and yet the vote is right clearly more often, although nobody told either method which picture
# shows which digit. Some kinds of digit stand apart, and where many crowd together they are still mixed. How to read the
# right map, and how not to:
#
# - **Neighbours are decoded alike**, because the decoder is continuous: a small step in the code is a small change in the
#   picture.
# - **Axes and units have no meaning of their own.** Turn or stretch the whole map, and let the first layer of the decoder
#   undo it: the pictures and the loss stay the same.
# - **There are gaps**, regions without a single digit. Remember them.
#
# The encoder gives us the map, and the decoder gives us something that t-SNE does not have: we may put a finger on *any*
# point, also where no digit lies, and ask what is there. Drag the sliders, or click a digit to jump to its middle. Where
# does a one stop being a one? Then visit a gap.

# %% tags=["figure"]
# Walk through the map: every point can be decoded
widgets.explore_codes(model.decode, test_codes, test_set.labels, names)

# %% [markdown]
# **Predict.** We walk in a straight line from the middle of the ones to the middle of the zeros. Will every picture on the
# way be a digit?

# %% tags=["figure"]
# A straight walk through the map, from the ones to the zeros
middles = [test_codes[test_set.labels == digit].median(0).values for digit in (1, 0)]
stops = torch.stack([torch.lerp(*middles, t) for t in torch.linspace(0, 1, 8).tolist()])
with torch.no_grad():
    views = model.decode(stops)
figure = plt.figure(figsize=(8.5, 6.6))
grid = figure.add_gridspec(2, 8, height_ratios=(4, 1))
ax = figure.add_subplot(grid[0, :])
plots.latent_map(
    test_codes,
    test_set.labels,
    names,
    "A map that the autoencoder drew, and a walk through it",
    ax=ax,
)
for text, place in zip(ax.texts, badges):
    text.set_position(place)
ax.plot(*stops.cpu().T, "o-", color="black", linewidth=2, markersize=6)  # under the names
for letter, stop, view, number in zip("ABCDEFGH", stops.cpu().tolist(), views, range(8)):
    aside = (12 if letter in "AH" else 8, 0)  # clear of the names 1 and 0
    label = ax.annotate(letter, stop, aside, textcoords="offset points", va="center")
    label.set(weight="bold", zorder=9)
    label.set_bbox({"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8})
    image_ax = figure.add_subplot(grid[1, number])
    plots.draw_image(image_ax, view)
    image_ax.set_title(letter)
plots.show(
    figure,
    alt="A map of digits by their two-number codes, with eight stops A to H on a line from the ones to the zeros. Under it "
    "the decoded images: a one at A, a zero at H, and between them shapes that change step by step.",
)

# %% [markdown]
# (Names that would overlap are pushed apart, so the 0 may stand beside H, the middle of the zeros.)
#
# Near the ones the picture hardly changes, although few digits lie on the way. Where many kinds of digit crowd
# together, it becomes a mixture that is no digit at all, and then the zero appears. So a bad picture need not come from
# a gap: here it comes from a crowded border. The next picture lays a grid over the middle of the map, two standard
# deviations to each side, and decodes each of its points. It shows the **manifold**, the mathematicians' word for a
# curved sheet.

# %% tags=["figure", "hero"]
# The sheet: a grid of codes, decoded; orange frames mark gaps, where no training digit is near
middle, spread = codes.mean(0), codes.std(0)
figure = plots.manifold(
    lambda points: model.decode(middle + spread * points.to(device)),
    low=-2,
    high=2,
    steps=12,
    title="Digits that the decoder draws for codes on a grid",
)
ax = figure.axes[0]
ax.set(
    xlabel="first number of the code (standard deviations)",
    ylabel="second number (standard deviations)",
)
ticks = torch.linspace(-2, 2, 12)
places = torch.cartesian_prod(ticks, ticks).to(device)
distance = torch.cdist(places, (codes - middle) / spread).min(1).values
(left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
width, height = (right - left) / 12, (top - bottom) / 12
for place, far in zip(places.tolist(), distance.tolist()):
    if far > 0.5:
        x, y = (
            left + (place[0] + 2) / 4 * 11 * width,
            bottom + (place[1] + 2) / 4 * 11 * height,
        )
        ax.add_patch(
            plt.Rectangle(
                (x, y), width, height, fill=False, edgecolor=plots.COLORS[2], linewidth=2
            )
        )
plots.show(
    figure,
    alt="A grid of 12 by 12 decoded images in which neighbours look alike. Orange frames mark images in gaps of the map, "
    "most of them near the edge; many of these show a clear digit all the same.",
)
print(
    f"{(distance > 0.5).sum()} of {len(places)} points lie more than half a standard deviation from every training code"
)

# %% tags=["claim"]
assert distance.max() > 0.5, "some part of the sheet should lie in a gap"

# %% [markdown]
# The decoder has an answer for every point, and no way of saying "nothing here". In a gap it often draws a clear digit, as
# firmly as anywhere else, and sometimes a mixture of two.
#
# ## 5 · Making up codes
#
# This suggests a way to make *new* digits: make up a code and decode it. A model that makes new examples is called
# **generative**. Which code? The codes have a scale of their own, so we measure those of the training digits. For each of
# the numbers we take the mean $m_j$ and the standard deviation $s_j$, and draw from a normal distribution, also called
# **Gaussian**, with this mean and this standard deviation:
#
# $$ z_j = m_j + s_j \, \varepsilon_j, \qquad \varepsilon_j \sim \mathcal N(0, 1). $$
#
# **Predict.** More numbers per code gave better reconstructions. Will they also give better inventions?


# %%
def encode(model, images):
    """Codes of images, without the record for back-propagation."""
    with torch.no_grad():
        return model.encode(images)


def invent(model, count):
    """Random codes, each number with the mean and the standard deviation of the training codes."""
    known = encode(model, train_set.floats)
    return known.mean(0) + known.std(0) * torch.randn(count, known.shape[1], device=device)


seed_everything(0)
invented = {size: invent(models[size][0], 1_000) for size in SIZES}

# %% tags=["figure"]
# Random codes for each code size, decoded
with torch.no_grad():
    rows = {
        f"{size} numbers": models[size][0].decode(invented[size][:10]) for size in SIZES
    }
plots.show(
    plots.image_rows(rows, "Ten random codes for each code size, decoded"),
    alt="Five rows of decoded random codes. With 2 numbers most are blurred but readable digits. From row to row there are "
    "more fragments, blots and strokes that belong to no digit.",
)

# %% [markdown]
# The first row is blurred, but most of its pictures are digits. Further down, more and more fall apart into fragments
# and blots, although each number has the mean and the spread that it has in real codes, and although these decoders are
# the *better* ones. What is wrong?
#
# ## 6 · Two rulers
#
# **Ruler 1: is the code at home?** How far is an invented code from the nearest code of a training digit? In many
# dimensions everything is far from everything, so we compare with the codes of test digits. A code is **at home** if it is
# no farther from the nearest training code than 95% of the test codes are.
#
# **Ruler 2: what does a judge say?** We train a classifier on real digits and ask it what each decoded picture shows. The
# largest of its ten probabilities is its **confidence**. A judge can be sure and wrong, so we only compare: with its
# confidence in *reconstructions* by the same model, which are blurred, too.


# %%
def share_at_home(model, made_up):
    """Share of codes that are as near to a training code as 95% of the test codes are."""
    known = encode(model, train_set.floats)
    limit = torch.cdist(encode(model, tests), known).min(1).values.quantile(0.95)
    return (torch.cdist(made_up, known).min(1).values <= limit).float().mean().item()


judge = MLPClassifier(
    early_stopping=True, random_state=0
)  # stops when held-out digits no longer improve
judge.fit(train_set.floats.flatten(1).cpu(), train_set.labels.cpu())


def confidence(model, made_up):
    """The judge's mean confidence in what a model decodes from codes."""
    with torch.no_grad():
        images = model.decode(made_up)
    return judge.predict_proba(images.flatten(1).cpu()).max(1).mean()


home = {size: share_at_home(models[size][0], invented[size]) for size in SIZES}
sure = {size: confidence(models[size][0], invented[size]) for size in SIZES}
sure_rebuilt = {
    size: confidence(models[size][0], encode(models[size][0], tests)) for size in SIZES
}

# %% tags=["figure"]
# Both rulers against the code size
figure, (home_ax, sure_ax) = plt.subplots(1, 2, figsize=(10, 3.8))
home_ax.axhline(95, color="0.5", linestyle=":")
home_ax.text(2, 91, "codes of test digits: 95%", ha="left", va="top", color="0.35")
home_ax.plot(
    SIZES, [100 * share for share in home.values()], color=plots.COLORS[4], marker="s"
)
home_ax.set(
    title="Ruler 1: random codes at home", ylabel="share at home (%)", ylim=(-3, 105)
)
sure_ax.plot(
    SIZES,
    [100 * s for s in sure_rebuilt.values()],
    color=plots.COLORS[1],
    marker="o",
    label="reconstructions",
)
sure_ax.plot(
    SIZES,
    [100 * s for s in sure.values()],
    color=plots.COLORS[4],
    marker="s",
    linestyle="--",
    label="decoded random codes",
)
sure_ax.set(
    title="Ruler 2: the judge's confidence", ylabel="mean confidence (%)", ylim=(40, 105)
)
sure_ax.legend(loc="lower left")
for ax in (home_ax, sure_ax):
    ax.set_xscale("log", base=2)
    ax.set_xticks(SIZES, SIZES)
    ax.set_xlabel("code size (numbers per image)")
plots.show(
    figure,
    alt="Left: the share of random codes at home falls from most of them at 2 numbers to almost none at 32. Right: the "
    "judge's confidence in reconstructions stays high, its confidence in decoded random codes falls, so that a gap opens.",
)
accuracy = judge.score(tests.flatten(1).cpu(), test_set.labels.cpu())
print(f"the judge is right on {accuracy:.0%} of the test digits")
for size in SIZES:
    print(
        f"{size:3} numbers: {home[size]:.0%} at home; confidence {sure_rebuilt[size]:.0%} in reconstructions, {sure[size]:.0%} in inventions"
    )

# %% tags=["claim"]
gap = {size: sure_rebuilt[size] - sure[size] for size in SIZES}
assert accuracy > 0.85, "the judge should know digits"
assert home[2] > 0.5 and home[2] > home[8] > home[32], (
    "codes should get lost as their size grows"
)
assert home[32] < 0.1, "with 32 numbers almost no random code should be at home"
assert abs(gap[2]) < 0.1, "with 2 numbers the judge should hardly see a difference"
assert gap[32] > gap[2] + 0.08, "with 32 numbers it should"

# %% [markdown]
# Both rulers agree. With two numbers, most random codes are at home, and the judge is about as sure of inventions as of
# reconstructions. With 32, almost none is at home, and a gap has opened between the two curves.
#
# ## 7 · Why, and a first cure
#
# All that the training ever did was to ask the decoder for good pictures at the codes that occur. Nobody asked for anything
# elsewhere, and elsewhere is nearly everything once there are many numbers. This would not matter if random codes knew
# where the real ones are. But the numbers of a code depend on each other, so that whoever knows one can guess something
# about another. A random code chooses each number on its own, and so it lands beside the real ones. This suggests a cure:
# draw the numbers *together*. Besides means and standard deviations, we then need the **covariance matrix** $\Sigma$, whose
# entry $\Sigma_{ij}$ says how numbers $i$ and $j$ vary together.
#
# ### Your turn 2 · Draw codes that belong together (10 min)
#
# To draw from a Gaussian with mean $\mu$ and covariance $\Sigma$, one needs a "root" of $\Sigma$, a matrix $L$ with
# $L L^\top = \Sigma$. `torch.linalg.cholesky` computes one. Then $z = \mu + L \varepsilon$ with
# $\varepsilon \sim \mathcal N(0, I)$ is a draw, for a column of random numbers. Write it for n draws at once: `mean` is
# (d,), `covariance` is (d, d), and `eps` is (n, d), with one draw per **row**. Return (n, d).


# %% tags=["exercise"]
def my_codes(mean, covariance, eps):
    result = ...  # your code here
    return result


verdict = checks.correlated_codes(my_codes)
draw_codes = verdict.working
verdict


# %% tags=["solution"]
def my_codes(mean, covariance, eps):
    L = torch.linalg.cholesky(covariance)
    return mean + eps @ L.T  # (L ε)ᵀ = εᵀ Lᵀ: for rows, the transpose goes to the right


# %% [markdown]
# **Predict.** Hardly any random code of 32 numbers was at home. What share will be at home with *your* draws: as many as of
# the test codes, 95%?

# %%
largest = SIZES[-1]
known = encode(models[largest][0], train_set.floats)
covariance = torch.cov(known.T) + 1e-4 * torch.eye(
    known.shape[1], device=device
)  # never quite singular
together = draw_codes(
    known.mean(0), covariance, torch.randn(1_000, known.shape[1], device=device)
)
home_together = share_at_home(models[largest][0], together)
sure_together = confidence(models[largest][0], together)

# %% tags=["figure"]
# Two numbers of the large code that depend on each other, in real codes and in random ones
correlation = torch.corrcoef(known.T).abs().fill_diagonal_(0)
i, j = divmod(int(correlation.argmax()), known.shape[1])
clouds = {
    "training digits": known,
    "random, each number on its own": invented[largest],
    "random, drawn together": together,
}
slant = {name: torch.corrcoef(made[:, [i, j]].T)[0, 1] for name, made in clouds.items()}
figure, axes = plt.subplots(1, 3, figsize=(10, 4), sharex=True, sharey=True)
for ax, (name, made), color in zip(axes, clouds.items(), (1, 4, 3)):
    ax.scatter(
        *made[:600, [i, j]].cpu().T, s=9, color=plots.COLORS[color], alpha=0.4, linewidths=0
    )
    ax.set_title(f"{name}\ncorrelation {slant[name]:.2f}", fontsize=11)
    ax.set_xlabel(f"number {i + 1} of the code")
axes[0].set_ylabel(f"number {j + 1} of the code")
plots.show(
    figure,
    alt="Three scatter plots of the same two numbers of a code. The codes of training digits form a slanting cloud. Random "
    "codes drawn number by number form a cloud without a slant; those drawn together slant like the real ones.",
)
print(f"of all pairs of numbers, {i + 1} and {j + 1} depend on each other most")

# %% tags=["figure"]
# Random codes of 32 numbers, drawn in two ways, beside reconstructions
with torch.no_grad():
    decode = models[largest][0].decode
    rows = {
        "each on its own": decode(invented[largest][:10]),
        "drawn together": decode(together[:10]),
        "test digits,\nreconstructed": decode(encode(models[largest][0], tests[::97][:10])),
    }
plots.show(
    plots.image_rows(rows, f"{largest} numbers, drawn in two ways, beside the real thing"),
    alt="Three rows of decoded images. Codes drawn number by number give fragments; codes drawn together give more coherent "
    "strokes, many of which can be read and some not; reconstructions of test digits are clear.",
)
print(
    f"at home: {home[largest]:.0%} each on its own, {home_together:.0%} together, 95% of real ones"
)
print(
    f"judge:   {sure[largest]:.0%} each on its own, {sure_together:.0%} together, {sure_rebuilt[largest]:.0%} reconstructions"
)

# %% tags=["claim"]
real, alone, both = slant.values()
assert abs(real) > 0.4, "some numbers of the code should depend on each other"
assert abs(alone) < 0.15 and abs(both - real) < 0.15, "only those drawn together should"
assert home[32] + 0.04 < home_together < 0.85, "drawing together should help, but not cure"
assert sure_together < sure_rebuilt[32] - 0.02, "the judge should agree"

# %% [markdown]
# It helps, but is no cure. In the two numbers above, the codes drawn together slant like the real ones, and more codes
# are at home than before. But they are far fewer than the 95% that we would see if the real codes formed a Gaussian
# cloud, and the pictures gain only a little. One can go on and fit more complicated shapes, which works well for faces
# in a later lesson. But think about the order of things. First we let the autoencoder put its codes wherever it liked.
# Then we ran after them with a distribution.
#
# Why not say beforehand where the codes should be? This is the idea of the **variational autoencoder**, the VAE, from
# lesson 07 on. It changes the two things that went wrong here:
#
# | | the plain autoencoder | a VAE |
# |---|---|---|
# | where codes lie | anywhere, since nothing in the loss says | near a distribution that we choose: the loss has a second part that pulls them there |
# | what the decoder learns | good pictures at single points | good pictures in a small *cloud* around each code, so that the clouds of neighbours fill the gaps |
#
# ## Workshop · Eight good numbers (25 min)
#
# With eight numbers, our autoencoder leaves about two thirds of PCA's error. How far can *you* bring it down? The cell
# below trains the model from above for a few epochs. Bring its error under **57%** of what PCA leaves with eight
# numbers. You may change the widths and the number of layers, the activation function, the learning rate, the number of
# epochs, the batches, or what the network sees while it learns. Two tools are new here. `nn.Dropout(0.1)` between two
# layers sets a random tenth of the numbers to zero in every step of the training, so that no neuron can rely on a
# single other one. `nn.SiLU()` is a smooth relative of ReLU and can take its place. The code keeps its eight numbers,
# and the training should take less than half a minute.
#
# Judge your attempts by the **validation digits**, which the cell measures: is the training error already too high, is
# the gap to the validation error too large, or both? The check measures on the test digits. Let it only say whether you
# are through, because digits by which one has tuned are no test any more.


# %% tags=["workshop"]
class MyAutoencoder(DenseAutoencoder):
    def __init__(self, latent_dim=8):
        super().__init__(latent_dim)
        self.encoder = dense(784, 256, 128, latent_dim)
        self.decoder = dense(latent_dim, 128, 256, 784)


mine = start_like_he(MyAutoencoder())
fit(mine, train_set, epochs=8, lr=5e-3, batch_size=64)
valid_set = load_digits("valid").subset(slice(0, 1_000)).to(device)
error = measure(mine, valid_set)["loss"]
print(
    f"training digits {measure(mine, train_set)['loss']:.1f}, validation digits {error:.1f}"
)
print(
    f"share of PCA's error: {error / pca_error(valid_set.floats, 8):.2f} on validation digits"
)

verdict = checks.lesson_03.workshop(mine)
verdict


# %% tags=["solution"]
# Longer training alone is not enough, because it gains far more on the training digits than on others. A wider
# network with a smooth activation function and a little dropout generalises better.
class MyAutoencoder(DenseAutoencoder):
    def __init__(self, latent_dim=8):
        super().__init__(latent_dim)
        drop = nn.Dropout(0.1)
        self.encoder = nn.Sequential(
            nn.Linear(784, 512),
            nn.SiLU(),
            drop,
            nn.Linear(512, 256),
            nn.SiLU(),
            nn.Linear(256, latent_dim),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 256),
            nn.SiLU(),
            nn.Linear(256, 512),
            nn.SiLU(),
            drop,
            nn.Linear(512, 784),
        )


mine = start_like_he(MyAutoencoder())
fit(mine, train_set, epochs=30, lr=3e-3, batch_size=64)


# %% tags=["alternative"]
class MyAutoencoder(DenseAutoencoder):
    def __init__(self, latent_dim=8):
        super().__init__(latent_dim)
        self.encoder = nn.Sequential(
            nn.Linear(784, 512),
            nn.SiLU(),
            nn.Linear(512, 256),
            nn.SiLU(),
            nn.Linear(256, latent_dim),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 256),
            nn.SiLU(),
            nn.Linear(256, 512),
            nn.SiLU(),
            nn.Linear(512, 784),
        )


mine = start_like_he(MyAutoencoder())
fit(mine, train_set, epochs=25, lr=2e-3, batch_size=64)

# %% [markdown]
# **Going on.** Show the network digits that are shifted by a pixel in random directions. What happens to the gap between
# training and test error?
#
# ## Summary
#
# - A **fully connected autoencoder** narrows a picture down layer by layer and opens up again. ReLUs let it bend.
# - At the same **code size** it beats PCA, most clearly around eight numbers; with many, PCA nearly catches up.
# - On its **map**, neighbours are decoded alike, axes and units mean nothing, and every point can be decoded, gaps included.
# - **Random codes** decode well in two dimensions and ever worse in more, because real codes fill a small part of their
#   space. Drawing the numbers together helps, but is no cure. A **VAE** says beforehand where codes shall lie.
#
# ## Read and watch
#
# - G. Hinton, R. Salakhutdinov, [Reducing the dimensionality of data with neural
#   networks](https://doi.org/10.1126/science.1127647) (2006): the duel of autoencoder and PCA on MNIST. Compare their
#   figure 2B with our section 3.
# - I. Goodfellow, Y. Bengio, A. Courville, [Deep Learning, chapter
#   14](https://www.deeplearningbook.org/contents/autoencoders.html) (2016): autoencoders as a family. It prepares
#   lessons 05 and 06.
# - P. Ghosh and others, [From variational to deterministic autoencoders](https://arxiv.org/abs/1903.12436) (2020): how far
#   one gets with a plain autoencoder and a distribution fitted to its codes afterwards.
#
# **Next:** [lesson 04 · The convolutional autoencoder](04_the_convolutional_autoencoder.ipynb): a network that knows that
# a picture is a picture.
