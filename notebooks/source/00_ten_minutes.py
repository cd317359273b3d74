# %% [markdown]
# # 00 · Ten minutes
#
# The astronaut Eileen Collins smiles in this photograph. A small network has looked at it, and now her smile has a
# slider: it fades until she looks at you with a serious face, and it comes back. The network learnt what faces look
# like from ten thousand photographs of another collection. Before you understand any of this, try it. There is nothing
# to type: click into the first grey bar below, and press <kbd>Shift</kbd>+<kbd>Enter</kbd> until a face appears.

# %% tags=["figure"]
# Get ready: load two small networks that come with the course
from contextlib import redirect_stdout

import matplotlib.pyplot as plt
import numpy as np
import torch
from skimage.data import astronaut

from vae_helpers import plots, widgets
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import align_photo, load_digits
from vae_helpers.evaluate import decode_all, encode_all, refine_codes

plots.use_course_style()
face_model, face_codes = load_pretrained("faces"), load_pretrained("face_codes")

# %% [markdown]
# ## 1 · Take a smile away, and bring it back

# %% tags=["figure"]
# Drag the slider “Smiling” to the left, and the face at the right stops smiling
widgets.face_editor(face_model, face_codes, attributes=("Smiling",), photo=astronaut())

# %% [markdown]
# At the left you see the photograph, in the middle what the network makes of it, and at the right what your slider makes
# of that. The middle picture is a little soft, because the network describes the photograph's 12,288 numbers (64 × 64
# pixels in three colours) with only 128 of its own. The slider changes these 128, and the network draws the face that
# belongs to them. Not only the mouth changes, but the cheeks, the eyes and even the light too, although nobody
# programmed this.
#
# **Try it (1 min).** Drag *Smiling* slowly to its left end, and find the point where she is no longer the same person.
# Does your neighbour stop at the same place? Lesson 11 says why she turns into somebody else, and how to measure it.

# %% tags=["figure", "hero"]
# A real photograph, what the network makes of it, and the same face with less and with more of a smile
photo = align_photo(astronaut(), face_model)
code, smile = refine_codes(face_model, photo), face_codes.direction("Smiling")
portraits = torch.cat(
    [photo, decode_all(face_model, torch.cat([code, code - 2 * smile, code + smile]))]
)
names = ("the photograph", "from 128 numbers", "without the smile", "with more of it")
plots.show(
    plots.image_rows(
        {"": portraits}, "One face, and a slider for its smile", size=2.0, columns=names
    ),
    alt="Four large portraits of the astronaut Eileen Collins: the photograph, in which she smiles; a softer copy by the "
    "network, smiling too; one with a closed mouth and a serious look; and one that laughs.",
)
judge = load_pretrained("face_judge")
smiling = judge.attributes.index("Smiling")
with torch.no_grad():
    smiles = judge(portraits)[:, smiling].sigmoid()
print("A second network, trained only to recognise smiles, sees one with a probability of")
print(", ".join(f"{chance:.0%} ({name})" for chance, name in zip(smiles, names)))

# %% tags=["claim"]
assert smiles[0] > 0.9 and smiles[1] > 0.8 and smiles[2] < 0.1 and smiles[3] > 0.95, (
    "the smile goes, and comes back"
)
assert (
    decode_all(face_model, encode_all(face_model, photo)).sub(photo).square().mean() < 0.008
)
assert photo.numel() == 12_288 and face_model.latent_dim == 128

# %% [markdown]
# (The photograph is NASA's, in the public domain, and comes with the Python package scikit-image. The button *your
# photo* takes another one. If the course runs on your own computer, it stays there; on Colab it is sent to Google's
# machine. Ask first, if it shows somebody else: to make others smile who did not is a small edit and can be a large
# lie.)
#
# The button *random face* goes further and shows people who do not exist at all. In the next picture five of them,
# chosen because they look serious, receive the same smile.

# %% tags=["figure"]
# Five people who do not exist, before and after the same smile
generator = torch.Generator().manual_seed(206)
codes = face_codes.sample(200, generator)
with torch.no_grad():
    before = decode_all(face_model, codes)
    seriousness = 1 - judge(before).sigmoid()[:, smiling]
chosen = seriousness.topk(40).indices[[0, 4, 9, 17, 28]]
after = decode_all(face_model, codes[chosen] + 2.2 * smile)
with torch.no_grad():
    smiles = judge(torch.cat([before[chosen], after])).sigmoid()[:, smiling]
plots.show(
    plots.image_rows(
        {"before": before[chosen], "after": after},
        "The same step in the space of codes, for everybody",
    ),
    alt="Five portraits made up by a network, with serious faces in the upper row and the same people smiling below.",
)
print(
    f"the second network sees a smile in {(smiles[:5] > 0.5).sum()} of 5 before, and in {(smiles[5:] > 0.5).sum()} of 5 after"
)

# %% tags=["claim"]
assert (smiles[:5] < 0.5).all() and (smiles[5:] > 0.5).sum() >= 4, (
    "the serious faces should smile after the edit"
)

# %% [markdown]
# ## 2 · How can this be?
#
# The network is an **autoencoder**. Its first half, the **encoder**, squeezes a picture into a short list of numbers, the
# **code**. Its second half, the **decoder**, makes a picture from the code. It learns by trying to give back the picture
# that it was given.

# %% tags=["figure"]
# An autoencoder: a picture goes in, becomes a short code, and comes out again
digit_model = load_pretrained("digits")
with redirect_stdout(None):  # section 3 says where the digits come from
    digits = load_digits("test", source="embedded")
ours = digits.floats[[int((digits.labels == digit).nonzero()[3]) for digit in range(10)]]
with torch.no_grad():
    means = digit_model.encode(ours)[0]
    back = digit_model.decode(means)
figure = plots.schematics.hourglass((784, 256, 32))
for drawn, real in zip(figure.axes[0].images, (ours[3], back[3])):  # in place of drawings
    drawn.set_data(real[0])
    drawn.set_clim(0, 1)
plots.show(
    figure,
    alt="A network in the shape of an hourglass. A handwritten 3 enters at the left, the layers get narrower up to the code "
    "in the middle, then wider again, and nearly the same 3 comes out. The left half is the encoder, the right the decoder.",
)

# %% [markdown]
# The 3 at the right is what a real network made of the 3 at the left; only its layers are drawn simpler than they are.
#
# The faces come from a **variational autoencoder** (VAE). Its encoder does not give one exact code but a small cloud of
# codes, and the clouds of many pictures together fill the space, so that most codes near its centre give a face. Its
# scheme is written $x \to$ encoder $\to (\mu, \sigma) \to z \to$ decoder $\to \hat x$, and lesson 07 explains every
# letter.
#
# A smile is a direction in the space of codes: the mean code of smiling faces minus the mean code of serious ones. A
# step along it adds a smile, a step against it takes one away, and the slider sets how far to go. People had to say who
# smiles only for this subtraction and for the second network, which checks it; the autoencoder learnt without labels.
#
# ## 3 · What autoencoders are used for
#
# The same idea is used for many things. Here are three of them on handwritten digits of the collection MNIST, done by
# the network that rebuilt the 3. It describes a digit (28 × 28 = 784 pixels) with 32 numbers:
#
# - **Compress**: encode a digit, keep only its code of 32 numbers, and decode it again.
# - **Invent**: take 32 random numbers for a code, and decode them.
# - **Morph**: walk from the code of a 4 to the code of a 9 in equal steps, and decode each step.
#
# **Predict (1 min).** Will every random code give a digit? Guess before you run the next cell.

# %% tags=["figure"]
# Three things that an autoencoder of handwritten digits can do
with torch.no_grad():
    invented = digit_model.decode(
        torch.randn(10, digit_model.latent_dim, generator=generator)
    )
    between = digit_model.decode(
        torch.lerp(means[4], means[9], torch.linspace(0, 1, 10)[:, None])
    )
rows = {
    "10 digits": ours,
    "compress: 28 × 28\npixels → 32 numbers": back,
    "invent: digits that\nnobody wrote": invented,
    "morph: from a 4\nto a 9": between,
}
plots.show(
    plots.image_rows(rows, "One network, three uses"),
    alt="Four rows of ten digits: the originals; nearly the same after compression to 32 numbers; ten digits that the "
    "network invented; and a 4 that turns into a 9 step by step.",
)
error = (back - ours).square().flatten(1).sum(1).mean().item()
blank = ours.square().flatten(1).sum(1).mean().item()
print(
    "The squared differences of the 784 pixels, added up, are on average over these ten digits\n"
    f"{error:.1f} after compression; for an all-black picture in place of the digit they are {blank:.1f}."
)

# %% tags=["claim"]
assert error < 0.1 * blank, "compression should hardly change a digit"
with torch.no_grad():
    sure = load_pretrained("digit_classifier")(invented).softmax(1).amax(1) > 0.8
assert 6 <= sure.sum() <= 9, "most inventions should be clear digits, but not all"

# %% [markdown]
# Most inventions could have been written by somebody, but not all. Between the clouds of the digits there are codes that
# belong to none of them, and the decoder makes something of these too.
#
# Now a fourth use. The same network, which has seen digits only, gets ten letters: A, E, F, H, K, M, S, T, W and X.
#
# **Predict (1 min).** Which letter will be rebuilt worst, and which will almost pass for a digit?

# %% tags=["figure"]
# A fourth use: find what does not belong
alphabet = "AEFHKMSTWX"
letters = torch.zeros(len(alphabet), 1, 28, 28)
for image, letter in zip(letters, alphabet):
    canvas = plt.figure(figsize=(0.28, 0.28), dpi=100)
    canvas.text(
        0.5,
        0.46,
        letter,
        color="white",
        fontsize=15,
        weight="bold",
        ha="center",
        va="center",
    )
    canvas.patch.set_facecolor("black")
    canvas.canvas.draw()
    image[0] = torch.tensor(np.asarray(canvas.canvas.buffer_rgba())).float()[..., 0] / 255
    plt.close(canvas)


def rebuild(images):
    """What the network makes of images, and its squared error per image."""
    with torch.no_grad():
        rebuilt = digit_model.decode(digit_model.encode(images)[0])
    return rebuilt, (rebuilt - images).square().flatten(1).sum(1)


rebuilt, letter_errors = rebuild(letters)
digit_errors = rebuild(digits.floats[::4])[1]
order = letter_errors.argsort().tolist()
figure = plt.figure(figsize=(9, 4.8))
figure.get_layout_engine().set(w_pad=0.04, h_pad=0.05, wspace=0)
grid = figure.add_gridspec(3, len(order), height_ratios=(1, 1, 1.9))
for column, number in enumerate(order):
    for row, (name, images) in enumerate((("letter", letters), ("rebuilt", rebuilt))):
        ax = figure.add_subplot(grid[row, column])
        plots.draw_image(ax, images[number])
        if row == 0:
            ax.set_title(f"{letter_errors[number]:.0f}")
        if column == 0:
            ax.set_ylabel(name)
ax = figure.add_subplot(grid[2, :])
ax.hist(digit_errors.tolist(), bins=20, color=plots.COLORS[1], label="digits")
for number, one_error in enumerate(letter_errors.tolist()):
    ax.axvline(
        one_error,
        color=plots.COLORS[4],
        linestyle="--",
        label="one letter each" if number == 0 else None,
    )
ax.set(xlabel="squared error per image", ylabel="number of digits")
ax.legend(loc="center", bbox_to_anchor=(0.7, 0.5))
figure.suptitle(
    "What the network cannot describe stands out (above each letter: its error)"
)
plots.show(
    figure,
    alt="Above: ten letters and what the network makes of them, from an S, which hardly changes, to a W, which gets lost. "
    "Below: a histogram of the squared error of 250 digits, low on the left, and ten dashed lines, one for each letter, "
    "to the right of most digits.",
)

# %% tags=["claim"]
assert letter_errors.median() > digit_errors.quantile(0.95), (
    "letters should stand out among digits"
)
errors = dict(zip(alphabet, letter_errors.tolist()))
assert sorted(errors.values())[1] > 1.1 * digit_errors.max(), (
    "all letters but one should be worse than every digit"
)
assert min(errors, key=errors.get) == "S" and errors["S"] < digit_errors.max(), (
    "the S should almost pass for a digit"
)
assert max(errors, key=errors.get) == "W" and errors["W"] > 1.3 * errors["M"], (
    "the W should fail altogether"
)

# %% [markdown]
# Each bar counts digits, and each of the ten dashed lines is the error of one letter. Because the network has learnt
# from digits only, it rebuilds letters worse than most digits, even the A, which looks good to us, and a large error gives
# the strangers away. The W fails altogether, and the S almost passes, because it could be a 5. Factories look for scratches
# in the same way. In this course you will also clean speech and X-rays, and measure what a network invents while it
# cleans ([lesson 05](05_denoising_autoencoders.ipynb)); hide from a computer whether a face is a man's or a woman's,
# while it still recognises the person; and make small works of art.
#
# ## 4 · Three words
#
# - **Unsupervised**: the network learnt from pictures alone, without anybody naming what they show.
# - **Generative**: it can make new examples, such as faces of people who do not exist.
# - **Embedding**: the code of a picture, a point in a space in which similar pictures are neighbours.
#
# ## 5 · Three routes through the course
#
# - **Without the mathematics** (about four hours): run the lessons, play with every slider, answer the *Predict*
#   questions (guess before you run a cell), and skip the formulas and the explanations around them. Take 01, 03, 05, 08 and 10.
# - **In full** (a lesson is one class of at most 90 minutes): all lessons in order, with the *Your turn* exercises,
#   whose results the lessons use, and one workshop each. The pages under `deeper/` answer single questions.
# - **As a teacher**: every claim is measured by the cell beside it, and every exercise has a check that says in words
#   what is wrong. Lessons are written as text in `notebooks/source/`; the [README](../README.md) says how to build and
#   change them.
#
# You need school mathematics and a little Python. Everything runs without a GPU.
#
# ## Summary
#
# - An autoencoder squeezes a picture into a code and makes the picture again. Steps in the space of codes change what
#   the picture shows.
# - Nobody tells it what to look for, and it can compress, invent, morph, and notice what does not belong.
#
# **Next:** [lesson 01 · From a neuron to an autoencoder](01_from_a_neuron_to_an_autoencoder.ipynb): we build such a
# machine, from its smallest part.
