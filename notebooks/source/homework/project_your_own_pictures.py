# %% [raw]
# # ASSIGNMENT CONFIG
# # hours: eight hours, over two weeks
# init_cell: false
# check_all_cell: false
# export_cell: false
# run_tests: false
# tests:
#   ok_format: false

# %% [markdown]
# # Final project · Your own five hundred pictures
#
# So far the course chose the data. Now you do: five hundred pictures or more that you photographed, drew, scanned or collected, for example your plants, doors of your town, stamps, game sprites, letters of your handwriting. You teach a VAE to draw more of them, find out honestly how
# good it is, and write it down so that others can rely on it.
#
# **Before you start**: lessons [07](../07_the_vae_piece_by_piece.ipynb), [08](../08_a_vae_for_handwritten_digits.ipynb) and [09](../09_is_my_vae_any_good.ipynb).
#
# **Which pictures?** Pictures of one kind that look alike in their layout are learnt best: one thing each, in the middle, before a calm background. Use only what you may use, and no photographs of people who have not agreed. If you have no pictures, leave `FOLDER = None`: the course draws letters.
#
# **How it works**: two questions are read by the grader; the others are *read by a person*, who looks at your code, your figures and your words. Keep the whole notebook under four minutes on two CPU cores: train small, or longer elsewhere, and load the result with `vae_helpers.checkpoints.load_model`.

# %%
import torch

from vae_helpers import checks, evaluate, models, plots
from vae_helpers.data import load_images, render_letters
from vae_helpers.device import seed_everything
from vae_helpers.losses import negative_elbo
from vae_helpers.train import fit

FOLDER = (
    None  # for example "~/Pictures/doors"; on Colab, upload a folder or mount your Drive
)
SIZE = 32

# %% [raw]
# # BEGIN QUESTION
# name: q1
# points: 5
# check_cell: false

# %% [markdown]
# ## 1 · Load and look (5 points)
#
# Load your pictures with `load_images(FOLDER, SIZE)` (or `render_letters(1500, SIZE)`), shuffle them with a fixed seed, and split them: `train_set`, `valid_set` and `test_set`, each an `ImageSet`, about 80%, 10% and 10% of all, with no picture in two of them, and at least 50 to test with. (Use `.subset(indices)`.)

# %% [raw]
# # BEGIN SOLUTION

# %%
# BEGIN SOLUTION
everything = load_images(FOLDER, SIZE) if FOLDER else render_letters(1500, SIZE)
order = torch.randperm(len(everything), generator=torch.Generator().manual_seed(0))
held = max(len(everything) // 10, 50)
test_set, valid_set = (
    everything.subset(order[:held]),
    everything.subset(order[held : 2 * held]),
)
train_set = everything.subset(order[2 * held :])
# END SOLUTION

# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_splits(train_set, valid_set, test_set):
    from vae_helpers import checks

    verdict = checks.project.splits(train_set, valid_set, test_set)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
# What is split so far
given = globals()
checks.project.splits(*(given.get(name) for name in ("train_set", "valid_set", "test_set")))

# %% [raw]
# # BEGIN QUESTION
# name: q2
# points: 5
# manual: true

# %% [markdown]
# ## 2 · What is in them? (5 points, read by a person)
#
# Show at least 24 of your pictures. Say in 80 to 150 words where they come from and who made them, what is common to all, what varies (name at least four things: these are what a code may learn), and what is rare or missing. Say which duplicates or near duplicates there may be between the three sets, and what you did about them.

# %% [raw]
# # BEGIN SOLUTION

# %%
# BEGIN SOLUTION
plots.image_rows(
    {"": train_set.floats[:12], " ": train_set.floats[12:24]}, "24 of the training pictures"
)
# END SOLUTION

# %% [markdown]
# These are capital letters that a program drew, white on black, one in the middle of each picture. The letter, the typeface, the weight, the size, the place and a small turn vary. Every letter is about as frequent as any other; there are no small letters, no digits and no handwriting. The same letter in the same typeface comes
# often, since there are 26 letters and fewer than twenty typefaces, so a test picture may have a near duplicate in the training set that differs by size, place and turn only. That makes the test easier than new typefaces would be.
#
# *Rubric: 24 pictures (1); origin and rights (1); four things that vary (1); what is rare or missing (1); duplicates (1).*

# %% [raw]
# # END SOLUTION

# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q3
# points: 10
# manual: true

# %% [markdown]
# ## 3 · Train, and say why (10 points, read by a person)
#
# Choose a VAE (`models.DenseVAE`, `models.ConvVAE`, `models.FaceVAE`, or one of your own), a likelihood and the size of the code, train it with `fit` or with your own loop, and draw both terms of the loss for training and validation pictures against the epoch. Try at least two settings of one thing that matters
# (size of the code, width, augmentation, σ), choose with the *validation* pictures, and say in 80 to 150 words what you chose and why. Call the result `model`, and its loss `loss`.

# %% [raw]
# # BEGIN SOLUTION


# %%
# BEGIN SOLUTION
loss = negative_elbo
tried = {}
for latent_dim in (4, 16):
    seed_everything(0)
    shape = tuple(train_set.images.shape[1:])
    trained = models.DenseVAE(image_shape=shape, hidden=(256,), latent_dim=latent_dim)
    tried[latent_dim] = (
        trained,
        fit(trained, train_set, loss, epochs=25, valid=valid_set, lr=2e-3),
    )
model, history = tried[16]
for latent_dim, (_, record) in tried.items():
    print(latent_dim, {name: round(values[-1], 1) for name, values in record.valid.items()})
plots.history(history, "Loss of the model with 16 numbers", "nats per image")
# END SOLUTION

# %% [markdown]
# The negative ELBO on validation pictures differs by about one nat between 4 and 16 numbers, so it does not decide. I took 16, because its distortion is smaller and the doctor finds all of its units in use. *(Your reasons
# here: what the two curves say about overfitting, and why this likelihood suits the pictures.)*
#
# *Rubric: both terms, training and validation, with units (3); two settings compared fairly, chosen by validation (3); likelihood suits the data and is explained (2); curves read rightly (2).*

# %% [raw]
# # END SOLUTION

# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q4
# points: 7
# manual: true

# %% [markdown]
# ## 4 · The examination (7 points, read by a person)
#
# Let `evaluate.doctor(model, valid_set.floats, loss)` examine your model, and show its report. Then show test pictures beside their reconstructions, at least 12 samples, and a walk between two test pictures. For each finding of the doctor, and for what you see, say in 80 to 150 words altogether what it means and what you did about it, or why not.

# %% [raw]
# # BEGIN SOLUTION

# %%
# BEGIN SOLUTION
print(evaluate.doctor(model, valid_set.floats[:100], loss))
x = test_set.floats[:12]
with torch.no_grad():
    seed_everything(0)
    mean, _ = model.encode(x)
    share = torch.linspace(0, 1, 12)[:, None]
    rows = {
        "test pictures": x,
        "reconstructed": model.decode(mean),
        "samples": model.sample(12),
        "a walk": model.decode((1 - share) * mean[:1] + share * mean[1:2]),
    }
plots.image_rows(rows, "What the model does with pictures that it has not seen")
# END SOLUTION

# %% [markdown]
# *(What the report says, and what you did about it.)*
#
# *Rubric: report shown (1); reconstructions, samples and walk, of test pictures (3); every finding read rightly (2); a consequence drawn (1).*

# %% [raw]
# # END SOLUTION

# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q5
# points: 5
# manual: true

# %% [markdown]
# ## 5 · A fair scoreboard (5 points, read by a person)
#
# Compare your model with two rivals on the *test* pictures: PCA with as many numbers as your code, and one more of your choice. Report at least the squared error per image and, for the VAEs, the bound in nats per image, each as a mean with its standard error. Say in 60 to 120 words who wins at what, and whether the difference is larger than chance.

# %% [raw]
# # BEGIN SOLUTION

# %%
# BEGIN SOLUTION
from sklearn.decomposition import PCA

x = test_set.floats
flat = PCA(16, random_state=0).fit(train_set.floats.flatten(1))
straight = torch.tensor(flat.inverse_transform(flat.transform(x.flatten(1)))).reshape(
    x.shape
)
with torch.no_grad():
    guesses = {"PCA, 16 numbers": straight}
    guesses |= {
        f"VAE, {d} numbers": m.decode(m.encode(x)[0]) for d, (m, _) in tried.items()
    }
for name, guess in guesses.items():
    errors = (guess - x).square().flatten(1).sum(1)
    print(
        f"{name:18} {errors.mean():6.2f} ± {errors.std() / len(errors) ** 0.5:.2f} squared error per image"
    )
# END SOLUTION

# %% [markdown]
# *(Who wins at what, and by how many standard errors.)*
#
# *Rubric: two rivals, the same test pictures (2); standard errors and units (1); difference against chance, for pairs of errors on the same pictures (1); honest words (1).*

# %% [raw]
# # END SOLUTION

# %% [raw]
# # END QUESTION

# %% [raw]
# # BEGIN QUESTION
# name: q6
# points: 5
# check_cell: false

# %% [markdown]
# ## 6 · The model card (5 points)
#
# Whoever uses your model should know what it is. Fill in the card: every heading keeps its name, and has at least 15 words below it, or 5 under *Model*. Numbers with their units belong under *Results*, and at least one thing for which the model must not be used under *Limits*.

# %% [raw]
# # BEGIN SOLUTION

# %%
# BEGIN SOLUTION NO PROMPT
card = """
# Model
A variational autoencoder (DenseVAE) for grey pictures of 32 × 32 pixels with a code of 16 numbers.
# Data
1,500 capital letters drawn by the course in the typefaces that matplotlib carries; 1,200 to train with, 150 to choose with and 150 to test with.
# Training
Negative ELBO with the Bernoulli likelihood of grey levels, 25 epochs with Adam and a one-cycle schedule, about ten seconds on two CPU cores.
# Results
On the 150 test pictures the squared error is a few units per image and the negative ELBO lies near 150 nats per image, measured once with one seed.
# Limits
It knows capital letters of printed typefaces only. It must not be used to judge handwriting, nor to decide whether a picture shows a letter at all.
# Rights
The pictures were drawn from free typefaces, so the model and its samples may be used by everybody for any purpose, without a warranty.
"""
# END SOLUTION
""" # BEGIN PROMPT
card = '''
# Model
...
# Data
...
# Training
...
# Results
...
# Limits
...
# Rights
...
'''
"""  # END PROMPT

# %% [raw]
# # END SOLUTION

# %% [raw]
# # BEGIN TESTS


# %%
# HIDDEN
def test_card(card):
    from vae_helpers import checks

    verdict = checks.project.card(card)
    assert verdict.ok, verdict.message


# %% [raw]
# # END TESTS

# %% [raw]
# # END QUESTION

# %%
checks.project.card(card)

# %% [raw]
# # BEGIN QUESTION
# name: q7
# points: 3
# manual: true

# %% [markdown]
# ## 7 · What I learnt (3 points, read by a person)
#
# In 80 to 150 words: what surprised you, what would you do with another week, and which sentence of the course do you believe less, or more, than before?

# %% [raw]
# # BEGIN SOLUTION

# %% [markdown]
# *Rubric: something specific that the figures above support (1); a next step that would answer a question (1); a thought of one's own (1).*

# %% [raw]
# # END SOLUTION

# %% [raw]
# # END QUESTION

# %% [markdown]
# ## To hand in
#
# Restart the kernel, run all cells, look whether everything is as you left it, save, and hand in this notebook, with a folder of twenty of your pictures if the teacher asks for it.
