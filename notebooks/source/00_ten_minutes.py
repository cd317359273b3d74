# %% [markdown]
# # 00 · Ten minutes
#
# The astronaut Eileen Collins smiles in this photograph. A small network has looked at it, and now her smile has a
# slider: it fades, she looks seriously at you, and it comes back. The network learnt what faces look like from ten
# thousand photographs of another collection. Before you understand any of this, try it. There is nothing
# to type: click into the first grey bar below, and press <kbd>Shift</kbd>+<kbd>Enter</kbd> until a face appears.

# %% tags=["figure"]
# Get ready: load two small networks that come with the course
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
# Drag the first slider to the left, and the right face stops smiling
widgets.face_editor(face_model, face_codes, attributes=("Smiling",), photo=astronaut())

# %% [markdown]
# At the left you see the photograph, in the middle what the network makes of it, and at the right what your slider makes
# of that. The middle picture is a little soft, because the network kept only 128 numbers of the 12,288 in the photograph
# (64 × 64 pixels in three colours). The slider changes these numbers, and the network draws the face that belongs to them.
#
# Did you notice that not only the mouth changes, but the cheeks, the eyes and even the light too? Nobody programmed this.
# Now drag the slider to its end: somewhere on the way she turns into somebody else. Why this happens, and how to measure it, is the subject of lesson 11.

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
# (The photograph is NASA's, in the public domain, and comes with the Python package scikit-image. With the button *your
# photo* you can try it with another one, which does not leave your computer. Ask first, if it shows somebody else: to
# make others smile who did not is a small edit and can be a large lie.)
#
# The button *random face* goes further and shows people who do not exist at all. In the next picture, five of them
# receive the same smile.

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
plots.show(
    plots.schematics.hourglass((784, 128, 32)),
    alt="A network in the shape of an hourglass. An image of a 3 enters at the left, the layers get narrower up to the code "
    "in the middle, then wider again, and a blurred 3 comes out. The left half is the encoder, the right the decoder.",
)

# %% [markdown]
# The faces come from a **variational autoencoder** (VAE). Its encoder does not give one exact code but a small cloud of
# codes, and the clouds of many pictures together fill the space, so that almost everywhere in it you find a face. Its
# scheme is written $x \to$ encoder $\to (\mu, \sigma) \to z \to$ decoder $\to \hat x$, and lesson 07 explains every letter.
#
# A smile is a direction in the space of codes: the mean code of smiling faces minus the mean code of serious ones. The
# slider walks along it, to the left against it. Only for this subtraction did people have to say who smiles; the network itself learnt without
# such labels.
#
# ## 3 · What autoencoders are used for
#
# The same idea is used for many things. Here are three of them on handwritten digits, done by another network that
# comes with the course and that describes a digit (28 × 28 = 784 pixels) with 32 numbers. Not every invention is a digit, as you will see.

# %% tags=["figure"]
# Three things that an autoencoder of handwritten digits can do
digit_model = load_pretrained("digits")
digits = load_digits("test", source="embedded")
ours = digits.floats[[int((digits.labels == digit).nonzero()[3]) for digit in range(10)]]
with torch.no_grad():
    means = digit_model.encode(ours)[0]
    back = digit_model.decode(means)
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
    f"squared differences of all pixels, added up: after compression {error:.1f}; of an all-black picture {blank:.1f}"
)

# %% tags=["claim"]
assert error < 0.1 * blank, "compression should hardly change a digit"

# %% tags=["figure"]
# A fourth use: find what does not belong
letters = torch.zeros(10, 1, 28, 28)
for image, letter in zip(letters, "AEFHKMRTWX"):
    canvas = plt.figure(figsize=(0.28, 0.28), dpi=100)
    canvas.text(
        0.5,
        0.46,
        letter,
        color="white",
        fontsize=17,
        weight="bold",
        ha="center",
        va="center",
    )
    canvas.patch.set_facecolor("black")
    canvas.canvas.draw()
    image[0] = torch.tensor(np.asarray(canvas.canvas.buffer_rgba())).float()[..., 0] / 255
    plt.close(canvas)


def misfit(images):
    """The squared error per image after the network."""
    with torch.no_grad():
        return (
            (digit_model.decode(digit_model.encode(images)[0]) - images)
            .square()
            .flatten(1)
            .sum(1)
        )


with torch.no_grad():
    rebuilt = digit_model.decode(digit_model.encode(letters)[0])
figure = plt.figure(figsize=(9, 3))
grid = figure.add_gridspec(2, 5, width_ratios=(1, 1, 1, 1, 8))
for column in range(4):
    for row, (name, images) in enumerate((("letter", letters), ("rebuilt", rebuilt))):
        ax = figure.add_subplot(grid[row, column])
        plots.draw_image(ax, images[column])
        if column == 0:
            ax.set_ylabel(name)
ax = figure.add_subplot(grid[:, 4])
ax.hist(misfit(digits.floats[::4]).tolist(), bins=20, color=plots.COLORS[1], label="digits")
for number, one_error in enumerate(misfit(letters).tolist()):
    ax.axvline(
        one_error,
        color=plots.COLORS[4],
        linestyle="--",
        label="one letter each" if number == 0 else None,
    )
ax.set(
    title="What the network cannot describe stands out",
    xlabel="squared error per image",
    ylabel="number of digits",
)
ax.legend(loc="upper center")
plots.show(
    figure,
    alt="Left: four letters and what the network makes of them, which is not the same letter. Right: a histogram of the "
    "squared error of 250 digits, low on the left, and ten dashed lines for letters, far to the right of most digits.",
)

# %% tags=["claim"]
assert misfit(letters).median() > misfit(digits.floats[::4]).quantile(0.95), (
    "letters should stand out among digits"
)

# %% [markdown]
# The network knows digits only, so it rebuilds letters badly, and its error gives the strangers away: each dashed line is the error of one letter, and each bar counts digits. Factories look for
# scratches in the same way. In this course you will also clean speech and X-rays, and measure what a network invents while
# it cleans ([lesson 05](05_denoising_autoencoders.ipynb)); hide from a computer whether a face is a man's or a woman's, while it still recognises the person; and make small works of art.
#
# ## 4 · Three words
#
# - **Unsupervised**: the network learnt from pictures alone, without anybody naming what they show.
# - **Generative**: it can make new examples, such as faces of people who do not exist.
# - **Embedding**: the code of a picture, a point in a space in which similar pictures are neighbours.
#
# ## 5 · Three routes through the course
#
# - **Without the mathematics** (about four hours): run the lessons, play with every slider, answer the *Predict* questions,
#   and skip the formulas and the explanations around them. Take 01, 03, 05, 08 and 10.
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
