# %% [markdown]
# # Deeper · What a network starts with
#
# Can the same network, on the same data and with the same number of steps, be clearly better or clearly worse, only because
# of the random numbers that it starts with? [Lesson 03](../03_the_fully_connected_autoencoder.ipynb) trained its
# autoencoders from starting weights after He and said that this matters. Here we measure how much, and rule out the other
# suspects first.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.decomposition import PCA
from torch import nn

from vae_helpers import losses, plots
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.models import DenseAutoencoder
from vae_helpers.train import fit, measure

plots.use_course_style()
device = pick_device()
train_set = load_digits("train").subset(slice(0, 3_500)).to(device)
test_set = load_digits("test").subset(slice(0, 1_000)).to(device)
EPOCHS = budget(
    cpu=10, gpu=10
)  # the same everywhere: the page is about a fixed number of steps

# %% [markdown]
# ## 1 · A puzzle
#
# We train the dense autoencoder of lesson 03 with 8 and with 32 numbers in its code, as PyTorch makes it, three times each
# from different seeds. Beside it stands PCA, whose best subspace comes from a formula.
#
# **Predict.** With 8 numbers the autoencoder wins by far. It gets four times as much room now. How much better will it be?


# %%
def train_one(latent_dim, seed, start=None, epochs=EPOCHS, lr=5e-3):
    """Squared errors per image on training and on test digits."""
    seed_everything(seed)
    model = DenseAutoencoder(latent_dim=latent_dim)
    if start is not None:
        start(model)
    fit(model, train_set, epochs=epochs, lr=lr, batch_size=64, seed=seed)
    return measure(model, train_set)["loss"], measure(model, test_set)["loss"]


def pca_error(images, k):
    """Squared error per image of PCA with k components."""
    flat = PCA(k, random_state=0).fit(train_set.floats.flatten(1).cpu())
    rebuilt = torch.tensor(flat.inverse_transform(flat.transform(images.flatten(1).cpu())))
    return losses.squared_error(rebuilt.reshape(images.shape), images.cpu()).mean().item()


small = [train_one(8, seed) for seed in range(3)]
large = [train_one(32, seed) for seed in range(3)]
pca = {
    (k, part): pca_error(images.floats, k)
    for k in (8, 32)
    for part, images in (("train", train_set), ("test", test_set))
}

# %% tags=["figure"]
# Squared error per image: three runs of the autoencoder, and PCA
print("                     autoencoder, PyTorch's start (three runs)      PCA")
for name, k, runs in (("8 numbers", 8, small), ("32 numbers", 32, large)):
    for part, column in (("train", 0), ("test", 1)):
        shown = "   ".join(f"{run[column]:5.1f}" for run in runs)
        print(f"{name:>10}, {part:5}     {shown:40}    {pca[k, part]:5.1f}")

# %% tags=["claim"]
assert max(run[1] for run in small) < 0.88 * pca[8, "test"], (
    "with 8 numbers it should win clearly"
)
assert min(run[1] for run in large) > 0.97 * pca[32, "test"], (
    "with 32 numbers the advantage should be gone"
)
assert min(run[0] for run in large) > 0.75 * pca[32, "train"], (
    "and it should not know its training digits by heart"
)

# %% [markdown]
# With 32 numbers the advantage is gone, in every run. This is strange, because the larger network could at least do
# what the smaller one does and keep PCA's directions besides. There are three suspects. **Overfitting** would show as an
# error on *training* digits far below PCA's, but there it is no better. The **training** may be too short or its learning
# rate wrong. Or the search starts at a **bad place**.
#
# ## 2 · Three suspects
#
# PyTorch's `nn.Linear` draws its weights with variance $1/(3n)$ for $n$ inputs. A ReLU lets about half of the signal pass,
# so each layer hands on a signal that is weaker than the one it got, and after three layers all pictures have nearly the
# same code. Kaiming He and colleagues worked out in 2015 that variance $2/n$ keeps the strength.
#
# **Predict.** What will help most: three times as many steps, a learning rate three times smaller, or He's start?


# %%
def start_like_he(model):
    """Give all layers starting weights that keep a signal's strength (He et al., 2015)."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)  # variance 2 / n
            nn.init.zeros_(layer.bias)


seed_everything(0)
fresh, fresh_he = DenseAutoencoder(latent_dim=32), DenseAutoencoder(latent_dim=32)
start_like_he(fresh_he)
with torch.no_grad():
    spreads = [
        m.encode(test_set.floats.cpu()).std(0).mean().item() for m in (fresh, fresh_he)
    ]
results = {
    "PyTorch's start": [run[1] for run in large],
    "…, a third of the\nlearning rate": [train_one(32, 0, lr=5e-3 / 3)[1]],
    "…, three times\nas many steps": [train_one(32, 0, epochs=3 * EPOCHS)[1]],
    "He's start": [train_one(32, seed, start_like_he)[1] for seed in range(3)],
}

# %% tags=["figure"]
# Test error with 32 numbers, by what was changed
figure, ax = plt.subplots(figsize=(8, 3.6))
for row, values in enumerate(results.values()):
    ax.plot(
        values, [row] * len(values), "o", color=plots.COLORS[1], markersize=9, alpha=0.7
    )
ax.axvline(pca[32, "test"], color=plots.COLORS[4], linestyle="--")
ax.text(pca[32, "test"], -0.75, " PCA", color=plots.COLORS[4], va="bottom")
ax.set_yticks(range(len(results)), results)
ax.invert_yaxis()
ax.set(
    title="32 numbers: what helps?", xlabel="squared error per test image", ylim=(3.5, -0.8)
)
plots.show(
    figure,
    alt="A dot for each run. With PyTorch's start the errors lie at or above PCA's dashed line; a smaller learning rate is "
    "no better; three times as many steps is better; He's start, with the usual number of steps, is below PCA in all runs.",
)
print(
    f"spread of the codes before training: PyTorch's start {spreads[0]:.3f}, He's start {spreads[1]:.3f}"
)
for name, values in results.items():
    print(
        f"{name.replace(chr(10), ' '):36} {'  '.join(f'{value:.1f}' for value in values)}   (PCA {pca[32, 'test']:.1f})"
    )

# %% tags=["claim"]
assert spreads[1] > 4 * spreads[0], "He's start should spread the codes"
assert max(results["He's start"]) < 0.9 * min(results["PyTorch's start"]), (
    "a better start should help in each run"
)
assert max(results["He's start"]) < pca[32, "test"], "and put the autoencoder ahead of PCA"
assert results["…, a third of the\nlearning rate"][0] > max(results["He's start"]), (
    "a smaller rate should not do it"
)

# %% [markdown]
# Before training, He's start spreads the codes of different pictures several times as far apart. After the same number of
# steps, the error is clearly smaller in every run, and smaller than PCA's, although nothing but the start has changed. A
# smaller learning rate does not do it. More steps help too, for this is what a bad start costs: time. So the network could
# do it all along, and it was the search that failed. Keep this in mind whenever somebody reports that one model beats
# another: a model is only as good as its training.
#
# It is an old story, too. Autoencoders had been known since the 1980s, but deep ones could not be trained well. In 2006,
# Geoffrey Hinton and Ruslan Salakhutdinov found good starting weights layer by layer. On MNIST with 30 numbers, in the very
# unit that we use, their figure gives an error of 3.0 for the autoencoder and 13.9 for PCA, with a larger network that was
# trained for much longer. Their paper helped to start the wave of deep learning.
#
# ## Read
#
# - K. He, X. Zhang, S. Ren, J. Sun, [Delving deep into rectifiers](https://arxiv.org/abs/1502.01852) (2015): section 2.2
#   derives the starting weights in one page.
# - G. Hinton, R. Salakhutdinov, [Reducing the dimensionality of data with neural
#   networks](https://doi.org/10.1126/science.1127647) (2006).
#
# Back to [lesson 03](../03_the_fully_connected_autoencoder.ipynb).
