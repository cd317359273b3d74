# %% [markdown]
# # Deeper · Learning from twenty labels
#
# Pictures are cheap, and labels are not, because somebody has to sit down and name them. Suppose that you have thousands of digits, and
# patience for naming twenty of them. Can an autoencoder that has looked at *all* of them, without a single label, make the twenty go further? This is
# **semi-supervised learning**, and one of the oldest promises of autoencoders. This page measures where it is kept, and where not.

# %%
import functools

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.sparse import diags
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import kneighbors_graph

from vae_helpers import losses, plots
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.evaluate import encode_all
from vae_helpers.models import DenseAutoencoder, DenseVAE
from vae_helpers.train import fit

plots.use_course_style()
device = pick_device()
train_set = load_digits("train").subset(slice(0, budget(cpu=3_500, gpu=20_000))).to(device)
test_set = load_digits("test")
test_set = test_set.subset(slice(None, None, len(test_set) // 1_000)).to(device)

# %% [markdown]
# ## 1 · Four descriptions of a digit
#
# The classifier will be the same in all cases, a plain logistic regression. What differs is how a digit is described to it: by its 784 **pixels**;
# by 16 numbers from **PCA**; by the 16 numbers of an **autoencoder's** code; or by those of a **VAE**, the means of its clouds. The last three may look at all
# training digits, but at no label. Autoencoder and VAE have the same layers, and train for the same number of epochs.
#
# A different start gives a different network, so we train three of each.

# %%
CODE = 16
EPOCHS = budget(cpu=28_000, gpu=350_000) // len(train_set)
SEEDS = range(3)


def codes_of(kind, loss, lr, seed):
    """Train without labels; return the codes of the training and of the test digits."""
    seed_everything(seed)
    model = kind(hidden=(256,), latent_dim=CODE)
    fit(model, train_set, loss, epochs=EPOCHS, lr=lr, seed=seed)
    return [encode_all(model, part.floats).cpu() for part in (train_set, test_set)]


pixels = [part.floats.flatten(1).cpu() for part in (train_set, test_set)]
axes = torch.linalg.eigh(torch.cov(pixels[0].T)).eigenvectors[:, -CODE:]
elbo = functools.partial(losses.negative_elbo, binarize=True)
described = {
    "pixels": [pixels],
    "PCA": [[part @ axes for part in pixels]],
    "autoencoder": [
        codes_of(DenseAutoencoder, losses.reconstruction_loss, 5e-3, s) for s in SEEDS
    ],
    "VAE": [codes_of(DenseVAE, elbo, 1e-2, s) for s in SEEDS],
}

# %% [markdown]
# ## 2 · Twenty labels
#
# We draw two digits of each class and call them labelled. Which twenty these are is luck, and with so few, luck matters. So we
# draw **nine times**, and every description gets the same nine draws. Each description is brought to the same scale first (mean 0,
# and on average variance 1, both from the unlabelled digits), because the regression's penalty,
# scikit-learn's default for all, depends on it.
#
# **Predict.** Which of the four wins? And how far apart will the luckiest and the unluckiest draw be?


# %%
def labelled(count, seed):
    """Positions of ``count`` training digits, equally many of each class."""
    dice, labels = torch.Generator().manual_seed(seed), train_set.labels.cpu()
    of_class = [(labels == digit).nonzero().flatten() for digit in range(10)]
    picked = [p[torch.randperm(len(p), generator=dice)[: count // 10]] for p in of_class]
    return torch.cat(picked)


def accuracy(known, unknown, chosen):
    """Share of test digits that are named right after learning from the chosen training digits."""
    middle, scale = known.mean(0), known.std(0).square().mean().sqrt()
    regression = LogisticRegression(max_iter=200)
    regression.fit((known[chosen] - middle) / scale, train_set.labels.cpu()[chosen])
    return regression.score((unknown - middle) / scale, test_set.labels.cpu())


DRAWS = range(9)
results = {}
for name, trainings in described.items():
    scores = [accuracy(*trainings[d % len(trainings)], labelled(20, d)) for d in DRAWS]
    results[name] = torch.tensor(scores)
    print(f"{name:12} {results[name].mean():.1%} ± {results[name].std():.1%}")

# %% tags=["figure", "hero"]
# Nine draws of twenty labels, four descriptions
figure, ax = plt.subplots(figsize=(9, 3.6))
COLORS = {"pixels": 0, "PCA": 2, "autoencoder": 1, "VAE": 4}
for row, (name, values) in enumerate(results.items()):
    color = plots.COLORS[COLORS[name]]
    ax.plot(100 * values, [row] * len(values), "o", color=color, ms=9, alpha=0.5)
    ax.plot(100 * values.mean(), row, "|", color=color, ms=34, mew=3)
ax.set(
    title="What twenty labels teach (a point: one draw of the labels; a line: their mean)",
    xlabel="test digits named right (%)",
    yticks=range(len(results)),
    yticklabels=results,
    ylim=(len(results) - 0.4, -0.6),
)
plots.show(
    figure,
    alt="Four rows of nine points: accuracy from twenty labels with pixels, PCA, autoencoder and VAE. The points of each row spread over "
    "more than ten percentage points, and the four means lie within about one.",
)

# %%
lead = {name: results["VAE"] - results[name] for name in ("pixels", "PCA", "autoencoder")}
for name, values in lead.items():
    wins = int((values > 0).sum())
    print(f"VAE − {name:12} {values.mean():+.1%}, ahead in {wins} of {len(values)} draws")
spread = (results["pixels"].max() - results["pixels"].min()).item()
print(f"pixels: luckiest draw − unluckiest draw {spread:.1%}")

# %% tags=["claim"]
for name, values in lead.items():
    assert abs(values.mean()) < 0.06, f"no description should be far ahead: {name}"
    assert abs(values.mean()) < spread, "luck should matter more than the description"
assert spread > 0.05
assert all(0.4 < values.mean() < 0.75 for values in results.values())

# %% [markdown]
# That is sobering. The four means lie close together, and which twenty digits happen to be labelled matters far more than how a digit is described. Had
# we tried one draw only, any of the four could have been declared the winner. (That is why a table without a spread says so little.)
#
# A likely reason is what a reconstruction asks for. Slant, thickness and size change many pixels, so that they fill a code first, whereas the small
# gap that tells a 4 from a 9 changes few. Nobody told the network which of these differences we would care about.
#
# ## 3 · And with more labels?

# %%
COUNTS = (20, 50, 100, 300, 1_000, 3_000)
curves = {}
for name, trainings in described.items():
    curves[name] = [
        sum(accuracy(*trainings[d % len(trainings)], labelled(n, d)) for d in range(3)) / 3
        for n in COUNTS
    ]
    print(f"{name:12}", " ".join(f"{share:7.1%}" for share in curves[name]))

# %% tags=["figure"]
# Accuracy against the number of labels
figure, ax = plt.subplots(figsize=(7.5, 4.2))
for number, (name, shares) in enumerate(curves.items()):
    color = plots.COLORS[COLORS[name]]
    ax.plot(
        COUNTS, [100 * s for s in shares], "os^D"[number] + "-", color=color, label=name
    )
ax.set(
    title="With many labels, a short code is in the way",
    xlabel="labelled digits (logarithmic scale)",
    ylabel="test digits named right (%)",
    xscale="log",
)
ax.set_xticks(COUNTS, [f"{count:,}" for count in COUNTS])
ax.minorticks_off()
ax.legend(loc="lower right")
plots.show(
    figure,
    alt="Four rising curves of accuracy against the number of labels from 20 to 3,000. At the left they lie together; at the right the "
    "pixels are on top and the VAE is at the bottom.",
)

# %% tags=["claim"]
last = {name: shares[-1] for name, shares in curves.items()}
assert all(shares[-1] > shares[0] + 0.15 for shares in curves.values())
assert last["pixels"] == max(last.values()), "with many labels the pixels should win"
assert last["pixels"] > last["VAE"] + 0.01 and last["VAE"] < last["autoencoder"] + 0.02

# %% [markdown]
# With thousands of labels the pixels win, because the regression can find out by itself what matters, and what sixteen numbers have left out is
# gone. The VAE is no better off than the autoencoder, since every number in its code has a price.
#
# ## 4 · A better model of digits
#
# The VAE that the course ships has learnt from all of MNIST's 60,000 training digits for more than a hundred epochs, and it is better by many nats. (The
# course's embedded test digits are among those 60,000, as pictures without labels.) Surely its codes need even fewer labels?

# %%
shipped = load_pretrained("digits").to(device)
parts = [encode_all(shipped, part.floats).cpu() for part in (train_set, test_set)]
better = torch.tensor([accuracy(*parts, labelled(20, d)) for d in DRAWS])
print(f"shipped VAE  {better.mean():.1%} ± {better.std():.1%} from twenty labels")
print(f"small VAE    {results['VAE'].mean():.1%} ± {results['VAE'].std():.1%}")

# %% tags=["claim"]
assert better.mean() < results["VAE"].mean() + 0.03, (
    "better nats should not mean fewer labels"
)

# %% [markdown]
# No. What makes it better is what it knows about the details of strokes, and its thirty-two numbers spread over these. Nats, samples and useful codes are three
# different goals ([How sure is a number of nats?](09_how_sure_are_nats.ipynb)).
#
# ## 5 · What the unlabelled digits are good for
#
# So far the unlabelled digits have only shaped the description, and the regression has never met them. Let them take part. In **label spreading** (Zhou and
# others, 2003) every digit is joined to its eight nearest neighbours, and names travel along these ties: again and again each digit takes over
# a mixture of its neighbours' names, while the twenty remember their own. A 4 that looks like no labelled 4 may still look like a digit that
# looks like one. The test digits take part too, as pictures without names.


# %%
def ties(parts):
    """Who is a neighbour of whom, scaled so that nobody's voice counts for more: (N, N), sparse."""
    near = kneighbors_graph(torch.cat(parts).numpy(), 8)
    near = near.maximum(near.T)
    scale = diags(np.asarray(near.sum(1)).ravel() ** -0.5)
    return scale @ near @ scale


def spread_accuracy(graph, chosen):
    """Share of the test digits that are named right when names have travelled fifty times."""
    own = np.zeros((graph.shape[0], 10))
    own[chosen, train_set.labels.cpu()[chosen]] = 1
    votes = own
    for _ in range(50):
        votes = 0.95 * graph @ votes + 0.05 * own
    named = torch.tensor(votes[len(train_set) :].argmax(1))
    return (named == test_set.labels.cpu()).float().mean().item()


graphs = {name: ties(trainings[0]) for name, trainings in described.items()}
travelled = {
    name: torch.tensor([spread_accuracy(graph, labelled(20, d)) for d in DRAWS])
    for name, graph in graphs.items()
}

# %% [markdown]
# And there is a second way. If *we* may choose which twenty digits get a label, the unlabelled ones can tell us whom to ask: **k-means** sorts all digits into twenty
# heaps, and we ask for the name of the one nearest to the middle of each.


# %%
def typical(codes, seed):
    """Positions of twenty digits, each in the middle of one of twenty heaps."""
    heaps = KMeans(20, n_init=1, random_state=seed).fit(codes.numpy())
    middles = torch.tensor(heaps.cluster_centers_).to(codes)
    return torch.cdist(middles, codes).argmin(1)


asked = {
    name: torch.tensor([accuracy(*t[0], typical(t[0][0], seed)) for seed in range(5)])
    for name, t in described.items()
}

# %% tags=["figure"]
# Twenty labels, used in three ways
ways = {"by chance": results, "asked for typical ones": asked, "names travel": travelled}
print(f"{'20 labels':24}" + "".join(f"{name:>18}" for name in described))
for way, table in ways.items():
    cells = [f"{values.mean():.1%} ± {values.std():.1%}" for values in table.values()]
    print(f"{way:24}" + "".join(f"{cell:>18}" for cell in cells))

# %% tags=["claim"]
for name in described:
    assert travelled[name].mean() > results[name].mean() + 0.05, (
        f"spreading should help: {name}"
    )
gain = sum((asked[n].mean() - results[n].mean()).item() for n in described) / len(described)
assert gain > 0.02, "typical digits should teach more than chance ones"
assert travelled["pixels"].mean() > travelled["autoencoder"].mean() - 0.03, (
    "no code is needed"
)
assert travelled["pixels"].mean() > travelled["VAE"].mean() - 0.03, "no code is needed"

# %% [markdown]
# *This* is what thousands of unlabelled digits are worth. Both ways beat the first row in every column, and the travelling names gain about ten points or more from the very
# same twenty labels. But look at the columns: plain pixels do at least as well as the codes of an autoencoder or a VAE. The help
# comes from the digits, and from where they lie close together, and hardly from the network.
#
# So when would a code help?
#
# - **When nearness in pixels means little.** Digits of MNIST are centred and of one size, so that their pixels can be compared. Photographs cannot, and there a
#   learnt description is the only one in which neighbours are alike.
# - **When the network learns what to ignore.** Contrastive methods show it two distorted copies of one picture and ask for the same code, for
#   example SimCLR (Chen and others, [2020](https://arxiv.org/abs/2002.05709)).
# - **When the label is part of the model.** Kingma and others ([2014](https://arxiv.org/abs/1406.5298)) gave a VAE a second, discrete code for the class, so that slant and thickness need
#   not share their numbers with the name. With 100 labels they reached an error of about three percent on MNIST.
#
# Back to [lesson 14](../14_where_next.ipynb).
