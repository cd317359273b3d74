# %% [markdown]
# # Deeper · t-SNE, and what its maps do not say
#
# Two numbers per digit make a map. PCA draws one, an autoencoder draws one, and the clearest maps
# come from a method that can do nothing else: **t-SNE** (t-distributed stochastic neighbour
# embedding; van der Maaten and Hinton, 2008). Many papers on learnt representations show one. What
# may be read off such a map, and what not? Here we measure it.
#
# **You will be able to** read a t-SNE map, say what its distances, widths and axes do not mean, and
# say what an autoencoder has that t-SNE lacks.
#
# **It builds on** [lesson 02](../02_dimensionality_reduction.ipynb): PCA, components, latent space.

# %%
import matplotlib.pyplot as plt
import torch
from scipy.sparse.csgraph import connected_components
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from vae_helpers import plots
from vae_helpers.data import load_digits
from vae_helpers.device import pick_device, seed_everything
from vae_helpers.models import DenseAutoencoder
from vae_helpers.train import fit

plots.use_course_style()
device = pick_device()

# %% [markdown]
# ## 1 · Neighbours should stay neighbours
#
# PCA wants to lose little variance. t-SNE wants something else: *points close in 784 dimensions
# should be close on the map*. Every point looks around and gives every other point a probability of
# being its neighbour, high if it is near and almost zero if it is far. Roughly how many points count
# as near is the **perplexity**; you choose it, and 30 is usual. Then the points are scattered over a
# sheet at random, and get such probabilities there, too. (On the sheet, nearness is measured by a
# relative of the bell curve with heavier tails, **Student's t-distribution**. It leaves room between
# the groups, and it is the t in the name.) Gradient descent moves the points until both sets of
# probabilities agree as well as they can.
#
# We compare three maps of the same 600 test digits: PCA's, that of an autoencoder with two code
# numbers, and t-SNE's. PCA and the autoencoder learn from the training digits, and see these 600 for
# the first time. t-SNE works on the 600 themselves, which is the only way in which it can work.

# %%
train_set = load_digits("train").subset(slice(0, 10_000))
test_set = load_digits("test")
picked = torch.randperm(len(test_set), generator=torch.Generator().manual_seed(0))[:600]
digits = test_set.subset(picked)
X, pixels, labels = train_set.floats.flatten(1), digits.floats.flatten(1), digits.labels


def tsne(points, seed, perplexity=30):
    """A t-SNE map (N, 2) of points (N, D) that starts from random positions."""
    method = TSNE(perplexity=perplexity, init="random", random_state=seed)
    return torch.tensor(method.fit_transform(points.numpy()))


def autoencoder_map(seed):
    """Codes (N, 2) of the digits, by an autoencoder that learnt from the training digits."""
    seed_everything(seed)
    model = DenseAutoencoder(hidden=(128, 64), latent_dim=2)
    fit(model, train_set, epochs=30, lr=1e-2)
    with torch.no_grad():  # no gradients are needed here
        return model.encode(digits.floats.to(device)).cpu()


# %%
maps = {
    "PCA": [torch.tensor(PCA(2).fit(X.numpy()).transform(pixels.numpy()))],
    "autoencoder": [autoencoder_map(seed) for seed in range(3)],
    "t-SNE": [tsne(pixels, seed) for seed in range(3)],
}

# %% [markdown]
# How good is a map? We put three questions to it, each with a number for an answer.
#
# - **Do neighbours share a label?** Each of the 600 digits asks its five nearest neighbours on the
#   map, among the other 599, which digit they are, and takes the vote. (Wherever other digits vote,
#   such as training digits, percentages cannot be compared with these.)
# - **Are neighbours kept?** Of a digit's ten nearest neighbours in 784 dimensions, how many are among
#   its ten nearest on the map?
# - **Are large distances kept?** We take all pairs of digits with different labels, and ask whether
#   the order of their distances on the map is that of their distances in 784 dimensions. The **rank
#   correlation** is 1 if it is, and 0 if the two orders have nothing to do with each other.
#
# **Predict.** No method has seen a label. Which map will be best at each of the three questions?


# %%
def nearest(points, k):
    """Positions (N, k) of the k nearest other points."""
    distances = torch.cdist(points, points).fill_diagonal_(torch.inf)
    return distances.topk(k, largest=False).indices


def vote_accuracy(points):
    """How often the five nearest neighbours on a map vote for the right label."""
    return (labels[nearest(points, 5)].mode(1).values == labels).float().mean().item()


def neighbours_kept(points, others=pixels):
    """Share of the ten nearest neighbours that two sets of positions have in common."""
    pairs = nearest(points, 10)[:, :, None] == nearest(others, 10)[:, None, :]
    return pairs.any(2).float().mean().item()


different = (
    labels[:, None] != labels
).triu()  # each pair of digits with different labels, once


def distances_kept(points, others=pixels):
    """Rank correlation of the distances between digits with different labels."""
    first, second = (torch.cdist(p, p)[different].numpy() for p in (points, others))
    return float(spearmanr(first, second).statistic)


# %% tags=["figure"]
# Three maps of the same 600 digits, and a table of how good they are
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.7))
for ax, (name, runs) in zip(axes, maps.items()):
    plots.latent_map(runs[0][:, :2], labels, digits.label_names, name, ax=ax)
    ax.set(xlabel="first number", ylabel="second number" if name == "PCA" else "")
plots.show(
    figure,
    alt="Three maps of the same 600 digits. On the PCA map zeros and ones lie at two sides, and the other classes "
    "overlap. On the autoencoder's map more classes stand apart, but several overlap. On the t-SNE map most classes "
    "gather in islands of their own.",
)
measures = (vote_accuracy, neighbours_kept, distances_kept)
scores = {
    name: [[measure(points) for points in runs] for measure in measures]
    for name, runs in maps.items()
}
print(
    "lowest and highest of three seeds   neighbours share a label   neighbours kept   large distances kept"
)
for name, values in scores.items():
    lows_and_highs = [
        f"{min(v):{style}}–{max(v):{style}}"
        for v, style in zip(values, (".0%", ".0%", ".2f"))
    ]
    cells = [
        cell.partition("–")[0] if name == "PCA" else cell for cell in lows_and_highs
    ]  # PCA has no seed
    print(f"{name:34s}{cells[0]:>26s}{cells[1]:>18s}{cells[2]:>23s}")

# %% tags=["claim"]
votes, kept, far = ({name: values[n] for name, values in scores.items()} for n in range(3))
assert min(votes["t-SNE"]) > max(votes["autoencoder"]) + 0.1, (
    "t-SNE should have the purest neighbourhoods"
)
assert min(votes["autoencoder"]) > votes["PCA"][0] + 0.05, (
    "the autoencoder should be between them"
)
assert min(votes["t-SNE"]) > votes["PCA"][0] + 0.2, "t-SNE should keep neighbours"
assert min(kept["t-SNE"]) > 1.25 * max(kept["autoencoder"]) > 1.25 * kept["PCA"][0], (
    "the same for the neighbours"
)
assert max(far["t-SNE"]) < 0.6, "large distances should not be kept"
assert max(abs(value - far["PCA"][0]) for value in far["t-SNE"]) < 0.1, (
    "about as well as PCA"
)

# %% [markdown]
# At neighbourhoods t-SNE wins by far, and the autoencoder lies between it and PCA. At large
# distances its lead is gone: it keeps them about as well as PCA, and nobody keeps them well.
#
# Is an autoencoder so much worse, then? At this task it is, but two things should be said. It must
# be able to *rebuild* every digit from the two numbers, which t-SNE is never asked for. And it
# places digits that it has not seen, whereas t-SNE has arranged these very 600 and knows no others.
# To *look* at data, t-SNE is the better choice; biologists use it to find kinds of cells.

# %% [markdown]
# ## 2 · Another seed, another map
#
# **Predict.** We let t-SNE draw the same digits from different random starts. What will be the same
# on all maps?


# %%
def next_island(points):
    """For each kind of digit, the kind whose median is nearest on the map."""
    middles = torch.stack([points[labels == kind].median(0).values for kind in range(10)])
    return nearest(middles, 1)[:, 0].tolist()


first, second, third = maps["t-SNE"]
pairs = [(first, second), (first, third), (second, third)]
together = [neighbours_kept(*pair) for pair in pairs]  # two maps with each other
apart = [distances_kept(*pair) for pair in pairs]

# %% tags=["figure"]
# The same digits, drawn by t-SNE from two other random starts
figure, axes = plt.subplots(1, 2, figsize=(9.4, 4.4))
for seed, ax in zip((1, 2), axes):
    plots.latent_map(
        maps["t-SNE"][seed], labels, digits.label_names, f"t-SNE, seed {seed}", ax=ax
    )
    ax.set(xlabel="first number", ylabel="second number")
plots.show(
    figure,
    alt="Two more t-SNE maps of the same digits. On both, most kinds of digits form islands, but the islands lie in other "
    "places, and some have other neighbours.",
)
print("nearest island of digit       ", *range(10))
for seed, points in enumerate(maps["t-SNE"]):
    print(f"                      seed {seed}  ", *next_island(points))
print(
    f"any two of the runs share {min(together):.0%} to {max(together):.0%} of the ten nearest neighbours;"
)
print(f"rank correlation of their large distances: {min(apart):.2f} to {max(apart):.2f}")

# %% tags=["claim"]
assert min(together) > 0.65, "neighbourhoods should come back"
assert len({tuple(next_island(points)) for points in maps["t-SNE"]}) > 1, (
    "the order of the islands should not"
)
assert max(apart) < 0.95, "nor should the large distances"
assert min(apart) > max(far["t-SNE"]), (
    "two runs should agree more with each other than with the truth"
)

# %% [markdown]
# The neighbourhoods come back: most of the ten nearest neighbours are the same. The places of the
# islands do not, and for some digits another island is the nearest one. The large distances of two
# runs do have much in common. But they have more in common with each other than with the distances
# in 784 dimensions, so even what two runs agree on is no proof that a distance means something.
#
# (scikit-learn starts from PCA unless told otherwise. Then runs agree because they start alike, and
# this start also keeps more of the large distances: see Kobak and Linderman below.)

# %% [markdown]
# ## 3 · Distances and widths, where the truth is known
#
# What does a map do to distances? We ask with drawn points whose truth we know. In 20 dimensions
# there are three groups: **A** and **B** are narrow and close together, while **C** is *five times*
# as far from A as B is, and *four times* as wide.
#
# **Predict.** How will t-SNE draw the distances and the widths?

# %%
generator = torch.Generator().manual_seed(0)
centres = torch.zeros(3, 20)
centres[1, 0], centres[2, 1] = 12, 60
widths = torch.tensor([1.0, 1.0, 4.0])
group = torch.arange(3).repeat_interleave(60)  # 60 times 0, 60 times 1, 60 times 2
known = centres[group] + widths[group, None] * torch.randn(180, 20, generator=generator)


def describe(points):
    """The distance from A to B; how many times as far C is from A, and how many times as wide as A."""
    a, b, c = (points[group == g] for g in range(3))
    unit = (b.mean(0) - a.mean(0)).norm()
    far = (c.mean(0) - a.mean(0)).norm() / unit
    wide = (c - c.mean(0)).norm() / (a - a.mean(0)).norm()
    return unit.item(), far.item(), wide.item()


views = {perplexity: tsne(known, 0, perplexity) for perplexity in (10, 40)}

# %% tags=["figure"]
# Three groups: the truth, and t-SNE with two perplexities
figure, axes = plt.subplots(1, 3, figsize=(9.4, 5), sharex=True, sharey=True)
shown = {"the truth (2 of 20 dimensions)": known} | {
    f"t-SNE, perplexity {p}": v for p, v in views.items()
}
for ax, (name, points) in zip(axes.flat, shown.items()):
    unit, far, wide = describe(points)
    flat = (points - points[group == 0].mean(0))[
        :, :2
    ] / unit  # A at (0, 0), B at distance 1
    for g, (letter, marker) in enumerate(zip("ABC", "o^s")):
        ax.plot(
            *flat[group == g].T,
            marker,
            color=plots.COLORS[(1, 2, 4)[g]],
            markersize=3,
            label=letter,
        )
    ax.set(title=f"{name}\nC: {far:.1f} × as far,\n{wide:.1f} × as wide", aspect="equal")
    ax.set(xlabel="distance from A to B = 1", xlim=(-2, 2), ylim=(-1.6, 6.3))
axes[0].legend(loc="center left")
plots.show(
    figure,
    alt="Three maps on one scale, the distance from A to B. The truth: two small groups A and B close together and a wide "
    "group C far away. On the t-SNE maps there are three small groups of about the same width, C no longer far away, and "
    "in another place on each map.",
)

# %% tags=["claim"]
_, far, wide = describe(known)
assert far > 4.5 and wide > 3.5, "the groups should be as described"
for perplexity in (10, 40):
    _, far, wide = describe(views[perplexity])
    assert far < 2 and wide < 1.5, "t-SNE should even out distances and widths"

# %% [markdown]
# The three groups are there, and that is right. But what was four times as wide is now about as wide
# as the others, and what was five times as far is about as far or even nearer. The two maps do not
# agree where C lies.
#
# It had to be so. t-SNE asks who the *nearest* points are. Group C is not near, and how far "not
# near" is does not matter to it. And because every point looks for the same number of neighbours, a
# wide group is pulled together until it is as dense as a narrow one.
#
# A map can even show groups where there are none. Here is a cloud without any, 400 points from one
# bell curve in 20 dimensions. To count the pieces on a map, we join all points that are nearer to each
# other than five times the usual gap.
#
# **Predict.** What will a perplexity of 3 make of this cloud, and one of 30?


# %%
def pieces(points):
    """How many pieces there are if points nearer than five times the usual gap are joined."""
    distances = torch.cdist(points, points).fill_diagonal_(torch.inf)
    usual = distances.min(1).values.median()
    return connected_components((distances < 5 * usual).numpy())[0]


noise = torch.randn(400, 20, generator=generator)
noise_maps = {perplexity: tsne(noise, 0, perplexity) for perplexity in (3, 30)}

# %% tags=["figure"]
# A cloud without groups, drawn by t-SNE with two perplexities
figure, axes = plt.subplots(1, 3, figsize=(9.4, 3.6))
shown = {"the truth (2 of 20 dimensions)": noise} | {
    f"t-SNE, perplexity {p}": v for p, v in noise_maps.items()
}
for ax, (name, points) in zip(axes, shown.items()):
    ax.plot(*points[:, :2].T, "o", color=plots.COLORS[1], markersize=2.5)
    ax.set(title=f"{name}\npieces: {pieces(points)}", xlabel="first number")
axes[0].set_ylabel("second number")
plots.show(
    figure,
    alt="Three pictures of one cloud. The truth is a round cloud without groups. With perplexity 3, t-SNE shows many "
    "small clumps. With perplexity 30 it shows one round cloud.",
)

# %% tags=["claim"]
assert pieces(noise) < 3, "there is one cloud"
assert pieces(noise_maps[3]) > 2 * pieces(noise_maps[30]), (
    "a small perplexity should make clumps"
)

# %% [markdown]
# With a small perplexity every point looks at very few others, and what they have in common by
# chance becomes an island. So groups are to be believed only if they come back with other
# perplexities and seeds.
#
# | you may read | you may not read |
# |---|---|
# | who the neighbours of a point are | how far groups are from each other |
# | that there are groups, if they come back with other seeds and perplexities | how wide or how dense a group is |
# | | what an axis means: there is no "up" and no unit |

# %% [markdown]
# ## 4 · What a map cannot do
#
# t-SNE moves the points that it was given, and learns no rule. So there is **no decoder**: a spot on
# the map cannot be turned into a digit. And there is **no encoder**: a new digit has no place until
# somebody adds a rule for it. Such rules exist. *Parametric t-SNE* trains a network to draw the map,
# and the library *openTSNE* places new points among the old ones. The simplest rule puts a new digit
# where its most similar old digit lies. How good is that?

# %%
old, new = (
    slice(0, 300),
    slice(300, 600),
)  # the first half is mapped, the second half is new
half = tsne(pixels[old], seed=0)
placed = half[torch.cdist(pixels[new], pixels[old]).argmin(1)]


def votes_of_old(old_points, new_points):
    """How often the five nearest old points vote for the right label of a new one."""
    voters = torch.cdist(new_points, old_points).topk(5, largest=False).indices
    return (labels[old][voters].mode(1).values == labels[new]).float().mean().item()


by_rule = votes_of_old(half, placed)
by_codes = [votes_of_old(points[old], points[new]) for points in maps["autoencoder"]]
print(f"t-SNE map, placed by the most similar digit: {by_rule:.0%} of the votes are right")
print(f"autoencoder, three seeds: {min(by_codes):.0%} to {max(by_codes):.0%}")

# %% tags=["claim"]
assert by_rule > max(by_codes) + 0.05, "a simple rule should place new digits well"

# %% [markdown]
# The rule works, and its map still beats the autoencoder's two numbers, although all that it does is
# look up the most similar digit in 784 dimensions. What no such rule brings is the way back: a code
# that can be decoded, changed a little, and decoded again. That is what the rest of this course is
# about.
#
# ## Read and watch
#
# - M. Wattenberg, F. Viégas, I. Johnson, [How to use t-SNE
#   effectively](https://doi.org/10.23915/distill.00002) (2016): play with clouds like A, B and C in
#   the browser. The best hour that you can spend on t-SNE.
# - L. van der Maaten, G. Hinton, [Visualizing data using
#   t-SNE](https://www.jmlr.org/papers/v9/vandermaaten08a.html) (2008): the method, by its authors.
# - L. van der Maaten, [Learning a parametric embedding by preserving local
#   structure](https://proceedings.mlr.press/v5/maaten09a.html) (2009): t-SNE with an encoder.
# - D. Kobak, G. Linderman, [Initialization is critical for preserving global data structure in both
#   t-SNE and UMAP](https://doi.org/10.1038/s41587-020-00809-z) (2021): why the start decides what
#   large distances mean.
#
# **Back to** [lesson 02 · Dimensionality reduction](../02_dimensionality_reduction.ipynb).
