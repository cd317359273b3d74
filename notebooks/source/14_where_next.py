# %% [markdown]
# # 14 · Where next
#
# In lesson 05 we walked from pure noise, step by step, and arrived at strokes in an alphabet that nobody uses. A few
# changes turn this walk into handwriting, and then you have a **diffusion model**, the kind of network behind most of
# today's image generators. Is the VAE a thing of the past? On the contrary: most of them paint in the code of an
# autoencoder.
#
# **You will be able to**
#
# - turn a denoiser into a generator, and choose the noise levels and the step of its walk,
# - compare it with a VAE by the same ruler, and look for copies of training digits,
# - say where autoencoders are at work in today's image models, and in science,
# - move a training out of the notebook, to more than one GPU if need be.
#
# **It builds on** [lesson 05](05_denoising_autoencoders.ipynb) (the U-Net, the conditional mean, the walk) and [lesson
# 08](08_a_vae_for_handwritten_digits.ipynb) (the Fréchet distance).

# %%
import functools
import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from vae_helpers import checks, evaluate, losses, models, plots
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.train import fit
from vae_helpers.unet import UNet

plots.use_course_style()
device = pick_device()
train_set = load_digits("train").subset(slice(0, budget(cpu=3_500, gpu=50_000))).to(device)
test_set = load_digits("test")
test_set = test_set.subset(slice(None, None, len(test_set) // 1_000)).to(device)
mean_of_digits = train_set.floats.mean(0)
judge = load_pretrained("digit_classifier").to(device)  # lesson 08's judge: it names digits

# %% [markdown]
# ## 1 · What the walk of lesson 05 lacked
#
# A denoiser that is trained with squared error answers with the **conditional mean** $\mathbb E[x \mid \tilde x]$: the
# mean of all clean pictures that could be behind the noisy one. Where the noise is weak, this is nearly the picture
# itself. Where it is strong, it is a blur, but a blur in the right direction, and the walk goes there in small steps.
# Lesson 05's U-Net had never seen noise stronger than $\sigma = 0.8$. At that strength a digit can still be read, so
# the network had learnt to *clean* strokes, but nobody had ever asked it what to draw.
#
# So we change four things.
#
# - **All strengths.** In training, σ is drawn from 0.05, hardly visible, up to 5, where nothing of the digit is left.
#   We draw its *logarithm* evenly, so that each doubling of the noise gets the same share of the steps.
# - **The network is told σ**, because the same grey dot is a stroke in weak noise and nothing in strong noise. A
#   number cannot be given to a convolution, but a map can, so log σ becomes one more channel, the same at each place.
# - **A wider view.** A stroke at the top should know of the one at the bottom. `F.pixel_unshuffle(x, 2)` lays each
#   square of 2 × 2 pixels into four channels of half the size, (N, 1, 28, 28) → (N, 4, 14, 14), so that every
#   convolution sees twice as far and the network gets quicker; `F.pixel_shuffle` puts them back.
# - **Only a correction** (Karras and others, 2022). If pixels followed a bell curve with the mean $m$ and the standard
#   deviation $s$, the best guess would be known: keep the share $s^2 / (s^2 + \sigma^2)$ of what differs from $m$. The
#   network only has to say what this simple rule gets wrong. The scales in the next cell give what goes in and what
#   comes out about the size 1, however strong the noise.


# %%
MEAN, SPREAD = 0.13, 0.31  # of all pixels of all digits
WEAKEST, STRONGEST = 0.05, 5.0


class Denoiser(nn.Module):
    """Lesson 05's U-Net, which is told how strong the noise is, and maybe some facts more."""

    def __init__(self, width=16, facts=0):
        super().__init__()
        self.unet = UNet(width)
        # Its first and last layer get other numbers of channels: 4 folded pixels, σ, and facts.
        self.unet.down_full[0] = nn.Conv2d(4 + 1 + facts, width, 3, padding=1)
        self.unet.last = nn.Conv2d(width, 4, 3, padding=1)

    def forward(self, noisy, sigma, *facts):
        """The best guess for noisy digits (N, 1, 28, 28); sigma and facts are (N, channels, 1, 1)."""
        total = (SPREAD**2 + sigma**2).sqrt()
        folded = F.pixel_unshuffle((noisy - MEAN) / total, 2)  # (N, 4, 14, 14)
        told = torch.cat([sigma.log(), *facts], 1).expand(-1, -1, 14, 14)
        correction = F.pixel_shuffle(self.unet(torch.cat([folded, told], 1)), 2)
        simple_rule = MEAN + (SPREAD / total) ** 2 * (noisy - MEAN)
        return simple_rule + SPREAD * sigma / total * correction


# %% [markdown]
# The loss is the squared error, as in lesson 05, but divided by the squared size of the correction, because otherwise
# the strong noise, with its large errors, would outvote the weak one. So the simple rule alone would cost about 1 per
# pixel, hence 784 per image: compare the loss that the training ends with. (Many models predict the *noise* instead,
# which is the same task.)


# %%
def random_strengths(count):
    """Strengths of noise (count, 1, 1, 1), of which each doubling is equally likely."""
    evenly = torch.rand(count, 1, 1, 1, device=device)
    return WEAKEST * (STRONGEST / WEAKEST) ** evenly


def denoising_loss(model, images, labels, facts=()):
    """The squared error per image, in units of the correction that the network has to find."""
    sigma = random_strengths(len(images))
    guess = model(images + sigma * torch.randn_like(images), sigma, *facts)
    unit = (SPREAD * sigma).square() / (SPREAD**2 + sigma**2)
    return ((guess - images).square() / unit).flatten(1).sum(1)


EPOCHS = budget(cpu=22, gpu=40)
seed_everything(0)
denoiser = Denoiser()
history = fit(denoiser, train_set, denoising_loss, epochs=EPOCHS, batch_size=64, lr=1e-2)
weights = sum(p.numel() for p in denoiser.parameters())
print(f"{weights:,} weights, {sum(history.seconds):.0f} s of training")

# %% [markdown]
# **Predict.** We add noise to two test digits and ask for the clean one. What will the network answer at $\sigma =
# 5$, where you cannot see anything?

# %% tags=["figure"]
# What the denoiser sees and answers, from weak to strong noise
SHOWN = (0.1, 0.5, 1.0, 2.0, 5.0)
seed_everything(1)
pair = torch.stack(
    [test_set.floats[(test_set.labels == k).nonzero()[0, 0]] for k in (4, 8)]
)
guesses, rows = {}, {}
blank = torch.ones(1, 1, 28, 28, device=device)
with torch.no_grad():
    for number, digit in enumerate(pair):
        sigma = torch.tensor(SHOWN, device=device)[:, None, None, None]
        noisy = digit + sigma * torch.randn(len(SHOWN), 1, 28, 28, device=device)
        guesses[number] = denoiser(noisy, sigma)
        seen = (0.5 + (noisy - 0.5) / (1 + 3 * sigma)).clamp(0, 1)
        answers = torch.cat([guesses[number], mean_of_digits[None]]).clamp(0, 1)
        rows[" " * number + "seen"] = torch.cat([seen, blank])
        rows[" " * number + "best guess"] = answers
    asked = test_set.floats[::3]
    right = {}
    for sigma in SHOWN:
        strengths = torch.full((len(asked), 1, 1, 1), sigma, device=device)
        answers = denoiser(asked + sigma * torch.randn_like(asked), strengths).clamp(0, 1)
        right[sigma] = (
            (judge(answers).argmax(1) == test_set.labels[::3]).float().mean().item()
        )
plots.show(
    plots.image_rows(
        rows,
        "Two test digits in more and more noise (which is drawn with less contrast)",
        columns=[*[f"σ = {sigma:g}" for sigma in SHOWN], "mean digit"],
    ),
    alt="Two test digits, each with noise of five strengths and with the network's answer below. In weak noise the answer is "
    "the digit itself, in stronger noise a digit of similar shape, then a soft blend, and at the strongest a grey cloud, "
    "which resembles the mean of all digits in the last column.",
)
shares = ", ".join(f"{share:.0%} at σ = {sigma:g}" for sigma, share in right.items())
print(f"of {len(asked)} answers the judge names rightly: {shares}")

# %% tags=["claim"]
at_strongest = torch.stack([guess[-1] for guess in guesses.values()])
at_weakest = torch.stack([guess[0] for guess in guesses.values()])
apart = (at_strongest[0] - at_strongest[1]).square().mean()
assert apart < 0.5 * (pair[0] - pair[1]).square().mean(), "answers more alike than digits"
assert (at_weakest - pair).square().mean() < 0.1 * (pair - mean_of_digits).square().mean()
to_mean = (at_strongest - mean_of_digits).square().mean()
assert to_mean < 0.5 * (pair - mean_of_digits).square().mean(), "a cloud near the mean"
assert right[0.1] > 0.9 and right[5.0] < 0.5, (
    "weak noise hides nothing, strong noise nearly all"
)
assert right[5.0] + 0.1 < right[1.0] < right[0.1] - 0.02, (
    "in between it is often right, not always"
)
with torch.random.fork_rng(), torch.no_grad():
    ignorant = Denoiser().to(device).eval()
    nn.init.zeros_(ignorant.unet.last.weight)
    nn.init.zeros_(ignorant.unet.last.bias)
    simple = denoising_loss(ignorant, test_set.floats, test_set.labels).mean()
    learnt = denoising_loss(denoiser, test_set.floats, test_set.labels).mean()
assert 700 < simple < 870, "the simple rule costs 1 per pixel"
assert learnt < 0.5 * simple, "and the correction helps a great deal"

# %% [markdown]
# It answers with a grey cloud that resembles the **mean of all digits** in the last column, because almost anything
# could be behind such noise. With less noise the cloud becomes a blend of a few candidates, and then one digit, though
# not always the right one, as the judge's line says. If we start where all answers are nearly alike and remove the
# noise little by little, the network has to make up its mind somewhere.
#
# ## 2 · From noise to a digit
#
# ### Your turn 1 · The noise levels (5 min)
#
# The walk needs a list of strengths, the **noise schedule**. It should go down by the same *factor* in each step, as
# in training: from 4 to 2 is as far as from 0.2 to 0.1. Write `my_levels(strongest, weakest, steps)`, which returns a
# tensor of `steps` numbers, the first of which is `strongest` and the last `weakest`.


# %% tags=["exercise"]
def my_levels(strongest, weakest, steps):
    sigmas = ...  # your code here
    return sigmas


verdict = checks.noise_levels(my_levels)
levels = verdict.working
verdict


# %% tags=["solution"]
def my_levels(strongest, weakest, steps):
    way = torch.linspace(0, 1, steps)  # evenly from 0 to 1
    return strongest * (weakest / strongest) ** way


# %% [markdown]
# ### Your turn 2 · One step (7 min)
#
# Now the step. At the strength `sigma` we stand at `noisy`, $\tilde x$, and the network has made its `guess`. What it
# takes for noise is $\tilde x$ − guess, which has about the strength `sigma`. After the step the noise shall have the
# strength `weaker`. Lesson 05 kept a part of the old noise. One can also replace some of it by **fresh** noise, as long
# as the sum is right. Independent noises add up by their *squares*: strengths $a$ and $b$ together make
# $\sqrt{a^2 + b^2}$.
#
# Return the guess, plus old noise and fresh noise: `draw` is noise of strength 1, `fresh` is the strength which it
# shall get (a number between 0 and `weaker`), and the old noise makes up the rest to `weaker`. With `fresh = 0` it is
# the walk of lesson 05, known as **DDIM** (Song, Meng and Ermon, 2020).


# %% tags=["exercise"]
def my_step(noisy, guess, sigma, weaker, fresh, draw):
    result = ...  # your code here
    return result


verdict = checks.denoising_step(my_step)
step = verdict.working
verdict


# %% tags=["solution"]
def my_step(noisy, guess, sigma, weaker, fresh, draw):
    old = (noisy - guess) / sigma  # of strength 1
    kept = (weaker**2 - fresh**2) ** 0.5
    return guess + kept * old + fresh * draw


# %% [markdown]
# Both go into the walk. It returns its path and the guesses on it.


# %%
@torch.no_grad()
def walk(model, noisy, sigmas, fresh_share=0.0, facts=()):
    """From noisy digits to clean ones: the path, and the guesses on it."""
    path, guessed, sigmas = [noisy], [], torch.as_tensor(sigmas).tolist()
    for sigma, weaker in pairwise([*sigmas, 0.0]):
        strengths = torch.full((len(noisy), 1, 1, 1), sigma, device=device)
        guessed.append(model(noisy, strengths, *facts))
        fresh, draw = fresh_share * weaker, torch.randn_like(noisy)
        noisy = step(noisy, guessed[-1], sigma, weaker, fresh, draw)
        path.append(noisy)
    return path, guessed


def pure_noise(count):
    """Where the walk begins: the mean of all digits, and noise in which it drowns."""
    return mean_of_digits + STRONGEST * torch.randn(count, 1, 28, 28, device=device)


seed_everything(3)
path, guessed = walk(denoiser, pure_noise(60), levels(STRONGEST, WEAKEST, 24))
written = path[-1].clamp(0, 1)

# %% [markdown]
# **Predict.** Will these be digits? And when is it decided which one: in strong noise, or late?

# %% tags=["figure", "hero"]
# Three walks from pure noise to a digit, and what the network guesses on the way
with torch.no_grad():
    surest, named = judge(written).softmax(1).max(1)
    on_the_way = [judge(guess.clamp(0, 1)).argmax(1) for guess in guessed]
settled = [(names == named).float().mean().item() for names in on_the_way]
# The surest ending for each digit, then the three surest of these.
ends = [torch.where(named == k, surest, 0).argmax().item() for k in range(10)]
ends = sorted(ends, key=lambda end: -surest[end].item())[:3]
stops = (0, 3, 6, 9, 13, 23)
strengths = torch.as_tensor(levels(STRONGEST, WEAKEST, 24)).tolist()
rows = {}
for number, end in enumerate(sorted(ends, key=lambda end: named[end].item())):
    seen = [0.5 + (path[stop][end] - 0.5) / (1 + 3 * strengths[stop]) for stop in stops]
    rows[" " * number + "the walk"] = torch.stack(seen).clamp(0, 1)
    rows[" " * number + "its guess"] = torch.stack(
        [guessed[stop][end] for stop in stops]
    ).clamp(0, 1)
plots.show(
    plots.image_rows(
        rows,
        "From pure noise, step by step, to a digit that nobody wrote",
        columns=[f"σ = {strengths[stop]:.2g}" for stop in stops],
    ),
    alt="Three walks from a square of pure noise on the left to a handwritten digit on the right. Below each stands the "
    "network's guess: first a grey cloud, then a blurred shape, and then the digit, which only gets sharper.",
)
shares = ", ".join(f"{settled[stop]:.0%} at σ = {strengths[stop]:.2g}" for stop in stops)
print(f"of all 60 walks, the guess already has the name of the end: {shares}")

# %% tags=["figure"]
# The first thirty-six ends, good and bad
rows = {" " * (k + 1): written[12 * k : 12 * k + 12] for k in range(3)}
plots.show(
    plots.image_rows(rows, "The first thirty-six that came, none left out"),
    alt="Three rows of twelve pictures made in the same way. All are strokes of a pen; some are clear digits, others "
    "only look like handwriting.",
)

# %% tags=["claim"]
assert ((written < 0.2) | (written > 0.8)).float().mean() > 0.8, "strokes on black"
assert len(set(named.tolist())) >= 7, "many kinds of digits"
assert settled[0] < 0.5, "the first guesses do not tell the end"
assert settled[9] > 0.6 and settled[16] > 0.85, "settled long before the noise is gone"

# %% [markdown]
# Look along the rows of guesses. At first they are clouds with a tendency; then comes a soft shape, and the digit is
# settled while the walk itself still looks like noise. The rest is the work of the pen. The printed line says so of all
# walks: few of the first guesses have the name of the end, but most have it long before the noise is gone.
#
# The ends of the first figure are those that the judge is surest of; the second leaves none out. All are strokes of a
# pen, but only some are clear digits: the network was trained for less time than it takes to make tea. Still, compare
# them with lesson 05's alphabet.
#
# ## 3 · The same ruler for both
#
# Lesson 08 measured a VAE by the **Fréchet distance** between made-up and real digits, in the features of a judge that
# no model here was trained with. We train that VAE again, on the same digits as the denoiser, and let both draw 500
# digits, three times. The denoiser may take few steps or many, once with 70% of each step's noise fresh.
#
# **Predict.** Which model comes closer to real digits? And how many steps does a good digit need?

# %%
CODE = 16
EPOCHS_VAE = budget(cpu=12, gpu=40)
seed_everything(0)
vae = models.ConvVAE(channels=(16, 32), hidden=128, latent_dim=CODE)
negative_elbo = functools.partial(losses.negative_elbo, binarize=True)
vae_history = fit(vae, train_set, negative_elbo, epochs=EPOCHS_VAE, batch_size=64, lr=1e-2)


@torch.no_grad()
def frechet(pictures):
    """Fréchet distance of 500 pictures to the training digits."""
    return evaluate.frechet_distance(judge.features(pictures.clamp(0, 1)), known)


def diffused(steps, fresh_share=0.0):
    sigmas = levels(STRONGEST, WEAKEST, steps)
    return walk(denoiser, pure_noise(500), sigmas, fresh_share)[0][-1]


with torch.no_grad():
    known = judge.features(train_set.floats[:5_000])

# %% tags=["figure"]
# Fréchet distances of 500 digits, drawn three times: the VAE, and walks of 3 to 20 steps
makers = {"VAE, one step": lambda: vae.sample(500)}
makers |= {f"diffusion, {n} steps": functools.partial(diffused, n) for n in (3, 8, 20)}
makers["diffusion, 20 steps, 70% fresh noise"] = functools.partial(diffused, 20, 0.7)
seed_everything(0)
drawn = {name: [make() for _ in range(3)] for name, make in makers.items()}
drawn["real digits of others"] = [
    test_set.floats[torch.randperm(len(test_set))[:500]] for _ in range(3)
]
distances = {name: [frechet(x) for x in several] for name, several in drawn.items()}


def grey(several):
    """The share of the ink (brighter than 0.2) that is not white (0.8)."""
    values = torch.cat(several).clamp(0, 1)
    return ((values > 0.2) & (values < 0.8)).sum().item() / (values > 0.2).sum().item()


greys = {name: grey(several) for name, several in drawn.items()}
print(f"{'':37}Fréchet distance (lowest to highest)   ink that is grey")
for name, found in distances.items():
    extremes = f"({min(found):.0f} to {max(found):.0f})"
    print(f"{name:37}{sum(found) / 3:8.0f}   {extremes:15}{greys[name]:20.0%}")
print(
    f"training: VAE {sum(vae_history.seconds):.0f} s, denoiser {sum(history.seconds):.0f} s"
)

# %% tags=["figure"]
# Twenty-four digits of each kind, the first that came
rows = {}
for name, images in (
    ("real", test_set.floats[::41]),
    ("VAE", drawn["VAE, one step"][0]),
    ("3 steps", drawn["diffusion, 3 steps"][0]),
    ("20 steps", drawn["diffusion, 20 steps"][0]),
):
    rows |= {name: images[:12].clamp(0, 1), " " * len(rows): images[12:24].clamp(0, 1)}
plots.show(
    plots.image_rows(
        rows, "Drawn by a VAE in one step, and by a diffusion model in several"
    ),
    alt="Four pairs of rows with 24 digits each: real ones; those of the VAE, soft, some hard to read; diffusion in three steps, "
    "grainy; and diffusion in 20 steps, with sharper strokes, which often do not join to a digit.",
)
# How far is each from the nearest training digit?
table = train_set.floats.flatten(1)
nearest = {
    name: torch.cdist(x.flatten(1), table).min(1).values
    for name, x in (
        ("diffusion, 20 steps", drawn["diffusion, 20 steps"][0].clamp(0, 1)),
        ("real digits of others", test_set.floats[::2]),
    )
}
print("distance to the nearest training digit: 5% are nearer than this, median")
for name, found in nearest.items():
    print(f"{name:34}{found.quantile(0.05):6.1f} {found.median():9.1f}")

# %% tags=["claim"]
mean_of = {name: sum(found) / 3 for name, found in distances.items()}
ours, theirs = mean_of["diffusion, 20 steps"], mean_of["VAE, one step"]
assert mean_of["diffusion, 3 steps"] > 1.5 * ours, "steps help"
assert mean_of["diffusion, 8 steps"] > 1.1 * ours, "and more steps help more"
assert 0.4 < ours / theirs < 2.5, "in each other's neighbourhood"
assert mean_of["real digits of others"] < 0.6 * min(ours, theirs), (
    "both far from real digits"
)
copies, others = nearest.values()
assert copies.median() > 0.6 * others.median(), "no copies"
assert copies.quantile(0.05) > 0.8 * others.quantile(0.05), "not even among the nearest"
fresh_noise = mean_of["diffusion, 20 steps, 70% fresh noise"]
assert 0.6 < fresh_noise / ours < 1.7, "fresh noise makes no great difference"
soft, sharp = greys["VAE, one step"], greys["diffusion, 20 steps"]
assert greys["diffusion, 3 steps"] > sharp + 0.03 and soft > sharp + 0.03, (
    "steps make strokes sharp"
)

# %% [markdown]
# Steps pay, in the numbers more than to the eye: the distance falls from three steps to eight and to twenty. With
# three, the walk leaps, and more of the ink stays grey. Fresh noise makes little difference here. Both models are still
# far from real digits, and near each other, though the denoiser trained much longer. (Each was trained once, so a small
# lead means nothing.) But their *mistakes* differ. The VAE's digits have sensible shapes with soft edges, because its
# decoder paints the mean of what a code could stand for. The denoiser's strokes are sharper, with less grey, but do not
# always add up to a digit, and each step costs a pass through the network. We see no copying: its nearest
# digits are no closer to training digits than other people's are. (Broken shapes, which resemble nothing, add to the
# distance.)
#
# The denoiser, too, was trained to answer with means. The walk escapes the blur because it asks at *every* step, and
# the less noise is left, the fewer candidates share the mean. Larger networks and longer training mend broken shapes,
# while the softness of a VAE with one level of code stays. That is why the generators of today walk.
#
# But ask the diffusion model what a digit *is*. A VAE has an encoder, and gives 16 numbers that one can compare,
# interpolate, and change on purpose. The denoiser has pictures of noise, 784 numbers as before. And the two are
# relatives: a diffusion model *is* a VAE with one level of code per noise level and an encoder that learns nothing,
# because it only adds noise. Its loss is an ELBO with weighted terms ([Kingma and Gao,
# 2023](https://arxiv.org/abs/2303.00848)).
#
# ## 4 · Where autoencoders work today
#
# If codes are good for meaning, and walks for detail, why not both? **Latent diffusion** ([Rombach and others,
# 2022](https://arxiv.org/abs/2112.10752)), the recipe of Stable Diffusion, first trains an autoencoder, with a little
# KL and a loss that cares for sharpness, and then a diffusion model *on its codes*. Each step becomes cheap, because a
# code is so much smaller than a picture.

# %% tags=["figure"]
# How much smaller codes are than pictures, in five models
faces = load_pretrained("faces")
print(f"{'':39}picture          code             bits: picture, code, ratio")
for name, picture, code, numbers, bits in (
    ("this lesson's VAE", (1, 28, 28), f"{CODE} numbers", CODE, 16),
    (
        "the course's faces",
        (3, 64, 64),
        f"{faces.latent_dim} numbers",
        faces.latent_dim,
        16,
    ),
    ("Stable Diffusion 1 (Rombach 2022)", (3, 512, 512), "4 × 64 × 64", 4 * 64 * 64, 16),
    ("VQ-VAE on ImageNet (van den Oord 2017)", (3, 128, 128), "32 × 32 of 512", 32 * 32, 9),
    ("DALL·E (Ramesh 2021)", (3, 256, 256), "32 × 32 of 8192", 32 * 32, 13),
):
    size, whole = " × ".join(map(str, picture)), 8 * math.prod(picture)
    print(
        f"{name:39}{size:16} {code:16} {whole:9,} {bits * numbers:8,} {whole / bits / numbers:6.1f}"
    )

# %% [markdown]
# (Pictures have 8 bits per value, and we count 16 per number of a code.) Three pages try the three great ideas of this
# kind on a small scale:
#
# - **A walk among codes.** Lesson 10 fitted a mixture of Gaussians to the codes of faces.
#   [Diffusing codes](deeper/14_diffusing_codes.ipynb) trains a tiny diffusion model on them, and asks the same ruler
#   whether it beats the mixture (20 minutes).
# - **Tokens.** The last two rows of the table have codes of another kind: each place holds the number of an entry in a
#   **codebook**. Such tokens can be predicted one after the other, exactly as a language model predicts words, and some
#   models for text and pictures read pictures in this form. [Tokens](deeper/14_tokens.ipynb) makes them from digits,
#   and counts bits against PNG (25 minutes).
# - **Hierarchies.** A code can have levels, coarse above and fine below, and with many levels VAEs have drawn sharp
#   faces ([NVAE](https://arxiv.org/abs/2007.03898), 2020). [Two levels](deeper/14_two_levels.ipynb) asks what a second
#   one buys (20 minutes).
#
# The cure of 2014 for the blur of a decoder was the **generative adversarial network** (GAN): a second network learns
# to tell made-up pictures from real ones, and the first learns to deceive it. Its samples are sharp, but it has no
# encoder and may forget whole kinds of pictures. In the autoencoders of today's generators a small adversary survives
# as one term of the loss. [Curing blur](deeper/10_curing_blur.ipynb) trains one (25 minutes).
#
# ## 5 · Where VAEs are at work in science
#
# In science nobody wants one more picture. What is wanted is the code, or the density, or a search in a smooth space:
#
# | question | who asked it | what the VAE gives |
# |---|---|---|
# | Which molecule has the properties that I want? | [Gómez-Bombarelli and others, 2018](https://arxiv.org/abs/1610.02415) | a smooth code of formulas, in which one can climb |
# | What kind of cell is this? | [scVI: Lopez and others, 2018](https://doi.org/10.1038/s41592-018-0229-2) | codes of gene counts, free of the laboratory's fingerprint |
# | Is this mutation harmful? | [Riesselman, Ingraham and Marks, 2018](https://doi.org/10.1038/s41592-018-0138-4) | by how much it lowers the ELBO of the protein |
# | Which shapes does this protein take? | [cryoDRGN: Zhong and others, 2021](https://doi.org/10.1038/s41592-020-01049-4) | a map of shapes, from noisy pictures of single molecules |
# | What happens if I steer left? | [World models: Ha and Schmidhuber, 2018](https://arxiv.org/abs/1803.10122) | a world small enough to dream in |
# | Is this collision like all the others? | [Cerri and others, 2019](https://arxiv.org/abs/1811.10276) | a score for what was never seen |
#
# You can try the tools behind these answers: [factors in single numbers](deeper/14_disentanglement.ipynb), [finding
# what does not belong](deeper/14_anomalies.ipynb), [learning from twenty labels](deeper/14_twenty_labels.ipynb). And
# [True or false](deeper/14_true_or_false.ipynb) tests what is often said about autoencoders.
#
# ## 6 · Out of the notebook
#
# A training of hours does not belong in a browser tab. The same `fit` runs from a terminal, for any model and data set
# of the course:
#
# ```
# python -m vae_helpers.train ConvVAE digits --epochs 20 --checkpoint run.ckpt
# ```
#
# The **checkpoint** holds the weights, the state of the optimizer, and the random numbers. If the machine goes down,
# type the same line again: the training goes on after the last whole epoch. In a notebook,
# `fit(…, checkpoint="run.ckpt")` does the same.
#
# On several GPUs each holds a copy of the network and gets a part of every batch; the gradients are averaged, so that
# every copy takes the same step (**data parallelism**). [accelerate](https://huggingface.co/docs/accelerate) arranges
# this (`pip install accelerate`):
#
# ```
# accelerate launch --num_processes 2 -m vae_helpers.train ConvVAE digits --epochs 20 --checkpoint run.ckpt
# ```
#
# A notebook with two GPUs, as Kaggle lends them, can start the same from a cell, before any other cell has used a GPU:
#
# ```
# from accelerate import notebook_launcher
# from vae_helpers.long_runs import main
# notebook_launcher(main, [["ConvVAE", "digits", "--epochs", "20"]], num_processes=2)
# ```
#
# Our `--batch-size` counts the images of all processes *together*, so that two GPUs do the same training as one, only
# sooner.
#
# ## Workshop · Digits to order (25 min)
#
# So far our generator writes what it likes. Make it write what you *ask* for: `mine(labels)` gets labels (N,), from 0
# to 9, and returns N digits, (N, 1, 28, 28). The check orders 200 of them. At least 65% must be what was ordered, in
# the eyes of the judge; their Fréchet distance to test digits must be at most 300, so that it does not help to draw
# the same digit again and again; and copies of training digits are not accepted.
#
# The code below works and ignores the order. Where could the network be told the label, as it is told σ?
# (`Denoiser(facts=10)`, `F.one_hot`.) Another way needs no new network: a walk may start half-way down the levels, if
# you have a picture to put there.


# %% tags=["workshop"]
def mine(labels):
    """Digits (N, 1, 28, 28), one for each label (N,)."""
    start = pure_noise(len(labels))
    return walk(denoiser, start, levels(STRONGEST, WEAKEST, 20))[0][-1]


verdict = checks.lesson_14.workshop(mine)
verdict


# %% tags=["solution"]
# Ten more channels tell the network the label: a one in the channel of the label, zeros in the others.
def as_facts(labels):
    return F.one_hot(labels.to(device), 10).float()[:, :, None, None]


def loss_with_labels(model, images, labels):
    return denoising_loss(model, images, labels, facts=(as_facts(labels),))


obedient = Denoiser(facts=10)
fit(
    obedient,
    train_set,
    loss_with_labels,
    epochs=budget(cpu=16, gpu=40),
    batch_size=64,
    lr=1e-2,
)


def mine(labels):
    sigmas = levels(STRONGEST, WEAKEST, 20)
    return walk(obedient, pure_noise(len(labels)), sigmas, facts=(as_facts(labels),))[0][-1]


# %% tags=["alternative"]
# No new network: start half-way, from a training digit of the label in noise that hides its details (SDEdit).
def mine(labels):
    of_label = [(train_set.labels == k).nonzero()[:, 0] for k in range(10)]
    rows = torch.stack([of_label[k][torch.randint(len(of_label[k]), ())] for k in labels])
    start = train_set.floats[rows]
    start = start + 0.8 * torch.randn_like(start)
    return walk(denoiser, start, levels(0.8, WEAKEST, 20))[0][-1]


# %% [markdown]
# **Going on.** With a network that knows the label and one that does not, you can go *beyond* the label. In `walk`,
# call both, and pass on to `step` the guess $\text{guess without} + w\,(\text{guess with} - \text{guess without})$: $w = 1$ is the ordinary
# guess with the label, and $w > 1$ exaggerates what the label changes. This is **classifier-free guidance**, and nearly
# every text-to-image model uses it. What happens to the variety of your sevens at $w = 4$?
#
# ## Summary
#
# - A denoiser becomes a **generator** when it learns all strengths of noise, is told which it sees, and walks from
#   pure noise to the data in steps.
# - The **noise schedule** goes down by equal factors. Old noise and **fresh noise** add up by their squares.
# - Diffusion draws sharp strokes and needs many passes for them; a VAE draws soft shapes in one, and has the **code**.
# - Today's generators use both: **latent diffusion** walks among the codes of an autoencoder. **Tokens** make a
#   picture a text, and **hierarchies** give a VAE levels.
#
# **The way of this course.** You began with one neuron, laid many side by side, and trained them to give back what
# they were given. The bottleneck made them choose what matters; linear ones found PCA, deeper ones a curved version
# of it, convolutions the strokes. Noise in the input taught them what data look like, noise in the code made a space
# of the codes, and the ELBO gave both a common currency, the nat. With it you weighed rate against distortion,
# found out when a model deceives itself, and made faces smile, stay private and change their handwriting. Everything
# was measured beside the sentence that claimed it. Keep that habit; it will outlive every architecture.
#
# ## Read and watch
#
# - L. Weng, [What are diffusion models?](https://lilianweng.github.io/posts/2021-07-11-diffusion-models/): the formulas
#   in their usual notation, and what came after.
# - Y. Song, [Generative modeling by estimating gradients of the data
#   distribution](https://yang-song.net/blog/2021/score/): the same walk as a search for the score.
# - T. Karras and others, [Elucidating the design space of diffusion-based generative
#   models](https://arxiv.org/abs/2206.00364) (2022): which choices matter; the scales of our network are theirs.
# - [What to read, and in which order](deeper/14_what_to_read.ipynb): twenty papers, chapters and lectures on video.
#
# **Next:** [the final project · Your own pictures](homework/project_your_own_pictures.ipynb): five hundred pictures
# that only you have, and everything that you have learnt.
