# %% [markdown]
# # 08 · A VAE for handwritten digits
#
# Lesson 07 put the VAE together. Now we let it work: it writes digits that nobody wrote, turns one digit into another,
# and answers a question that our earlier networks could only answer with a blur: what could be in this hole, if
# several things could? All of this it owes to one term of its loss, the KL divergence. So the first thing we do with
# our VAE is to take this term away, and to measure what is missing then.
#
# **You will be able to**
#
# - build a convolutional VAE, and read both terms of its loss while it trains,
# - say what the KL buys, by measurements that no cheat wins all at once,
# - draw the map and the manifold of a code, and walk from one digit to another,
# - ask a VAE for several plausible answers to one question, and compare their spread with the truth,
# - trade rate for distortion with β, and recognise units that have collapsed.
#
# **It builds on** [lesson 07](07_the_vae_piece_by_piece.ipynb) (the ELBO, rate and distortion, reparameterization),
# [lesson 04](04_the_convolutional_autoencoder.ipynb) (convolutions), and [lesson
# 03](03_the_fully_connected_autoencoder.ipynb) (the latent map, and why random codes fail).

# %%
import functools
import math
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from torch import nn

from vae_helpers import checks, evaluate, losses, models, plots, widgets
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.train import fit, measure

plots.use_course_style()
device = pick_device()
train_set = load_digits("train").subset(slice(0, budget(cpu=3_500, gpu=20_000))).to(device)
test_set = load_digits("test")
# Spread over the whole set, because digits that follow each other are often by one writer.
test_set = test_set.subset(slice(None, None, len(test_set) // 1_000)).to(device)
test_bw = test_set.binarized()

# %% [markdown]
# ## 1 · A convolutional VAE
#
# Every pixel is drawn black or white, with its grey level as the probability of white, so that, given the code, the
# probability of a picture is a plain product over its pixels. ([Black or white](deeper/08_black_and_white.ipynb) asks what the noise of
# this drawing costs; 15 minutes, optional.)
#
# The network is the convolutional autoencoder of lesson 04 with a dense layer on either side of the code. Only one
# thing makes it a VAE: the encoder's last layer has **two** outputs for each number of the code, a mean and a
# log-variance. The rest, `encode`, `reparameterize`, `decode` and `sample`, is that of lesson 07, inherited from the
# package.


# %%
class ConvVAE(models.VAE):
    def __init__(self, latent_dim=16, channels=(32, 64), hidden=256):
        super().__init__()
        self.image_shape, self.latent_dim = (1, 28, 28), latent_dim
        few, many = channels
        self.encoder = nn.Sequential(
            nn.Conv2d(1, few, kernel_size=4, stride=2, padding=1),  # (few, 14, 14)
            nn.SiLU(),
            nn.Conv2d(few, many, kernel_size=4, stride=2, padding=1),  # (many, 7, 7)
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(many * 7 * 7, hidden),
            nn.SiLU(),
            nn.Linear(hidden, 2 * latent_dim),  # mean and log_var
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, hidden),
            nn.SiLU(),
            nn.Linear(hidden, many * 7 * 7),
            nn.Unflatten(1, (many, 7, 7)),
            nn.SiLU(),
            nn.ConvTranspose2d(many, few, kernel_size=4, stride=2, padding=1),
            nn.SiLU(),
            nn.ConvTranspose2d(few, 1, kernel_size=4, stride=2, padding=1),
        )


# %% [markdown]
# We train a slim version, with half of these channels and a code of 16 numbers. The loss is $-$ELBO, distortion plus
# rate, in nats per image. For comparison we compute the distortion of an answer that needs no code, the **mean
# image** of the training digits. If a decoder names a probability for each pixel and knows nothing about the picture,
# this is the best it can say.
#
# **Predict.** The sum must fall. What will the *rate* do, fall as well, or rise?

# %%
CODE = 16  # numbers per digit
EPOCHS = budget(cpu=35_000, gpu=350_000) // len(train_set)  # so many images in all


def slim(code):
    return ConvVAE(code, channels=(16, 32), hidden=128)


negative_elbo = functools.partial(
    losses.negative_elbo, binarize=True
)  # drawn anew in each step
seed_everything(0)
vae = slim(CODE)
history = fit(
    vae, train_set, negative_elbo, epochs=EPOCHS, lr=1e-2, batch_size=64, valid=test_bw
)

mean_image = train_set.floats.mean(0).clamp(1e-4, 1 - 1e-4).expand(len(test_bw), 1, 28, 28)
without_code = losses.reconstruction_nll(mean_image, test_bw.floats).mean().item()
now = measure(vae, test_bw, losses.negative_elbo)
print(f"mean image: distortion {without_code:.1f} nats per test image")
print(
    f"VAE: distortion {now['distortion']:.1f} + rate {now['rate']:.1f} = {now['loss']:.1f} nats"
)

# %% tags=["figure"]
# Distortion and rate against the epoch
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
epochs_done = range(1, len(history.valid["loss"]) + 1)
axes[0].axhline(without_code, color="0.45", linestyle=":", label="mean image, no code")
axes[0].plot(
    epochs_done, history.valid["loss"], "o-", color=plots.COLORS[0], label="−ELBO = D + R"
)
axes[0].plot(
    epochs_done,
    history.valid["distortion"],
    "s-",
    color=plots.COLORS[1],
    label="distortion D",
)
axes[0].set(
    title="The sum falls", xlabel="epoch", ylabel="nats per test image", ylim=(0, None)
)
axes[0].legend(loc="lower left")
axes[1].plot(epochs_done, history.valid["rate"], "^-", color=plots.COLORS[2])
axes[1].set(
    title="The rate R rises", xlabel="epoch", ylabel="nats per test image", ylim=(0, None)
)
for ax in axes:
    ax.xaxis.get_major_locator().set_params(integer=True)
plots.show(
    figure,
    alt="Left: distortion and the sum of both terms fall with the epochs, steeply first, to about half of the dotted line "
    "of the mean image. Right: the rate rises to almost twenty nats and levels off.",
)

# %% tags=["claim"]
rates_seen = history.valid["rate"]
assert rates_seen[-1] > rates_seen[0] + 2 and now["rate"] > 12, "the rate should rise"
assert without_code - now["distortion"] > 3 * now["rate"], "and pay off"
assert 190 < without_code < 225 and now["loss"] < 130
theirs = models.ConvVAE(channels=(16, 32), hidden=128, latent_dim=CODE).to(device)
theirs.load_state_dict(vae.state_dict())
with torch.no_grad():
    pair = [model.decode(model.encode(test_bw.floats[:9])[0]) for model in (vae, theirs)]
assert torch.allclose(*pair, atol=1e-5), "the package's ConvVAE should be the lesson's"

# %% [markdown]
# The rate *rises*. At first the code says little. Then the network learns to say more and more, because that pays:
# each nat that goes into the code saves several nats of distortion. It pays to go on buying until one more nat of rate
# would save less than one nat of distortion.
#
# ## 2 · The duel: with and without the KL
#
# Take the same network, the same digits, the same number of steps, and change one factor: the KL is multiplied by
# $\beta = 1$, or by $\beta = 0$. Without it, nothing keeps the noise $\sigma$ from shrinking to almost nothing, and
# what is left is a plain autoencoder. We train both on only a few hundred digits, drawn once and for all and seen
# 35 times each, so that it will show if a network learns them by heart. Each is trained from three starts.
#
# **Predict.** Which of the two reconstructs its *training* digits better? And which one new digits?

# %%
few = train_set.subset(slice(None, None, len(train_set) // 700)).binarized()
EPOCHS_FEW = 35


def train_with(beta, seed):
    seed_everything(seed)
    model = slim(CODE)
    loss = functools.partial(losses.negative_elbo, beta=beta)
    fit(model, few, loss, epochs=EPOCHS_FEW, lr=1e-2, batch_size=64, seed=seed)
    return model


@torch.no_grad()
def distortion(model, digits):
    """Nats per image, from the mean code."""
    means = model.encode(digits.floats)[0]
    return losses.reconstruction_nll(model.decode(means), digits.floats).mean().item()


duel = {beta: [train_with(beta, seed) for seed in range(3)] for beta in (1, 0)}
heart = {
    b: [(distortion(m, few), distortion(m, test_bw)) for m in ms] for b, ms in duel.items()
}

# %% tags=["figure"]
# Distortion on training and on new digits, with and without the KL
figure, ax = plt.subplots(figsize=(8, 3.4))
for beta, color, marker in ((1, 1, "o"), (0, 4, "s")):
    for run, (known, new) in enumerate(heart[beta]):
        row = run + 4 * (beta == 0)
        ax.plot([known, new], [row, row], color=plots.COLORS[color], lw=2)
        ax.plot(known, row, marker, color=plots.COLORS[color], ms=9, mfc="white", mew=2)
        ax.plot(new, row, marker, color=plots.COLORS[color], ms=9)
    gap = sum(new - known for known, new in heart[beta]) / 3
    ax.text(
        heart[beta][1][1] + 2,
        1 + 4 * (beta == 0),
        f"mean gap {gap:.0f} nats",
        va="center",
        color="0.2",
    )
ax.set(
    title="Reconstructing known digits (open) and new ones (filled)",
    xlabel="distortion from the mean code (nats per image)",
    yticks=[1, 5],
    yticklabels=["with the KL", "without the KL"],
)
ax.margins(x=0.27, y=0.12)
plots.show(
    figure,
    alt="Six horizontal lines, from the distortion on training digits to that on new digits. With the KL they are short; "
    "without it they begin further left, at smaller distortions, and end further right.",
)

# %% tags=["claim"]
gaps = {beta: sum(new - known for known, new in heart[beta]) / 3 for beta in heart}
assert gaps[0] > 1.5 * gaps[1] > 10, "without the KL the gap should be much larger"
assert max(k for k, _ in heart[0]) < min(k for k, _ in heart[1]), "better on known digits"
assert max(n for _, n in heart[1]) < min(n for _, n in heart[0]), "and worse on new ones"

# %% [markdown]
# Without the KL, the network reconstructs the digits that it knows much better, and new ones worse. It has used the
# freedom of a noiseless code to learn by heart. With the KL every nat in the code has its price, so that peculiarities
# of single pictures do not pay. (With many more digits or fewer epochs the gap shrinks, and then the network without
# KL reconstructs new digits better, too.)
#
# ### Random codes, and rulers that no cheat wins all at once
#
# In lesson 03 random codes lost their way: few were *at home*, that is, close to a code of a real digit. But distances
# between codes are no fair ruler for a VAE, since the noise in units that nobody uses counts like a message. So we
# compare *pictures*. A small classifier that comes with the course, our **judge**, describes each picture by 32
# **features**, the activations of its last hidden layer. Around each of 1,000 test digits we draw a ball in this
# space, so large that it holds the digit's five nearest fellows. Then we ask two things:
#
# - **at home**: what share of the made-up pictures lies in at least one ball?
# - **visited**: what share of the balls holds at least one made-up picture?
#
# **Predict.** A model always draws the same, perfect 1. What does it get on the first ruler, and what on the second?
#
# ### Your turn 1 · At home and visited (6 min)
#
# `made` (M, D) are the features of made-up pictures, `real` (N, D) those of real digits, and `radius` (N,) holds the
# radius of each ball. Return both shares, as a pair. `torch.cdist(made, real)` gives all distances, (M, N).


# %% tags=["exercise"]
def my_shares(made, real, radius):
    at_home, visited = ..., ...  # your code here
    return at_home, visited


verdict = checks.shares(my_shares)
shares = verdict.working
verdict


# %% tags=["solution"]
def my_shares(made, real, radius):
    inside = torch.cdist(made, real) <= radius
    return inside.any(1).float().mean(), inside.any(0).float().mean()


# %% [markdown]
# A third number is common in papers: the **Fréchet distance** between the features of made-up and of real pictures. It
# treats both as Gaussian clouds with means $m$, $m'$ and covariances $S$, $S'$:
#
# $$ |m - m'|^2 + \operatorname{tr}\big(S + S' - 2\,(S S')^{1/2}\big). $$
#
# It is 0 if the clouds have the same mean and covariance.
#
# The VAE gets random codes from its prior, $\mathcal N(0, I)$. The network without KL never promised to put its codes
# there, so we also try the best cure of lesson 03, for both: draws with the mean and covariance of their own codes.

# %%
judge = load_pretrained("digit_classifier").to(device)
seed_everything(0)
mixed = train_set.floats[torch.randperm(len(train_set))]
with torch.no_grad():  # the first 1,000 are kept apart: they play "other real digits"
    real, known = judge.features(test_set.floats), judge.features(mixed[1_000:6_000])
radius = (
    torch.cdist(real, real).kthvalue(6, dim=1).values
)  # the nearest is the digit itself


@torch.no_grad()
def rulers(pictures):
    """At home, visited, Fréchet distance."""
    made = judge.features(pictures)
    both = [float(share) for share in shares(made, real, radius)]
    return [*both, evaluate.frechet_distance(made, known)]


@torch.no_grad()
def random_codes(model, own):
    noise = torch.randn(1_000, model.latent_dim, device=device)
    if not own:
        return noise
    codes = model.reparameterize(*model.encode(few.floats))
    covariance = torch.cov(codes.T) + 1e-4 * torch.eye(codes.shape[1], device=device)
    return codes.mean(0) + noise @ torch.linalg.cholesky(covariance).T


# %% tags=["figure"]
# Three rulers for random codes of both networks, for other real digits, and for a cheat
WAYS = {
    "with the KL, N(0, I)": (1, False),
    "with the KL, own covariance": (1, True),
    "without, N(0, I)": (0, False),
    "without, own covariance": (0, True),
}
seed_everything(0)
found, pictured = {}, {"real digits": test_set.floats[::83][:12]}
with torch.no_grad():
    for name, (beta, own) in WAYS.items():
        decoded = [model.decode(random_codes(model, own)) for model in duel[beta]]
        found[name] = torch.tensor([rulers(pictures) for pictures in decoded])
        pictured[name.replace(", ", ",\n", 1)] = decoded[0][:12]
found["one digit, again and again"] = torch.tensor(
    [rulers(test_set.floats[:1].expand(1_000, 1, 28, 28))]
)
found["1,000 other real digits"] = torch.tensor([rulers(mixed[:1_000])])
print(
    f"{'mean of three starts':28s}at home   visited   Fréchet distance (lowest to highest)"
)
for name, rows in found.items():
    home, visited, frechet = rows.mean(0).tolist()
    span = f"({rows[:, 2].min():.0f} to {rows[:, 2].max():.0f})" if len(rows) > 1 else ""
    print(f"{name:28s}{home:6.0%} {visited:9.0%} {frechet:12.0f} {span}")

# %% tags=["figure"]
# Random codes, decoded, with and without the KL
plots.show(
    plots.image_rows(pictured, "Real digits, and random codes of four kinds, decoded"),
    alt="Five rows of twelve images. Under a row of real digits, the rows with the KL show shapes that can mostly be read as "
    "digits, with either kind of codes. Without the KL, codes from N(0, I) give blobs, and codes of the right covariance "
    "give digits mixed with broken strokes.",
)

# %% tags=["claim"]
home = {name: rows[:, 0] for name, rows in found.items()}
visited = {name: rows[:, 1] for name, rows in found.items()}
ours, ours_cured, plain, cured = WAYS
assert home[ours].min() > max(home[plain].max(), home[cured].max()), "at home more often"
assert visited[ours].min() > 2 * visited[plain].max(), "visits far more digits"
assert home[ours_cured].min() > home[cured].max(), "with the same cure, at home more often"
assert visited[ours_cured].mean() > visited[cured].mean(), "and visiting more"
assert visited[cured].min() > 2 * visited[plain].max(), "though the cure helps the rival"
cheat = found["one digit, again and again"][0]
assert cheat[0] > 0.99 and cheat[1] < 0.03, (
    "the cheat wins the first ruler, loses the second"
)
frechet = {name: rows[:, 2].mean() for name, rows in found.items()}
assert (
    cheat[2] > 5 * frechet[ours] and frechet[plain] > 2 * frechet[ours] > 2 * frechet[cured]
)
assert (
    found["1,000 other real digits"][0, 1]
    > max(visited[ours].max(), visited[ours_cured].max()) + 0.1
)
assert all(frechet[cured] < frechet[name] for name in (ours, ours_cured, plain))

# %% [markdown]
# The cheat is always at home, and visits almost nobody, so a model must do well on **both**. For codes from
# $\mathcal N(0, I)$ the KL wins on both by far. With the covariance of its own codes the rival visits as
# many, but fewer are at home, and the VAE, given the same, stays ahead. Even so, it visits far fewer digits than the last row.
#
# The Fréchet distance tells another story: of the four, it is smallest for the rival with its own covariance. It
# compares the features' means and covariances only, and does not ask whether each picture is at home. **One ruler is
# never enough**; this is the subject of lesson 09.
#
# ## 3 · The map and the manifold
#
# With two numbers per code we can look at all of it. In the map, each test digit stands at its mean. The dashed circle
# holds 95% of the prior. (In two dimensions a draw lies within radius $r$ with probability $1 - e^{-r^2/2}$.)
#
# **Predict.** The autoencoder's map in lesson 03 had streaks, gaps, and a scale of its own. What will the KL change?

# %%
seed_everything(0)
flat_vae = slim(2)
fit(flat_vae, train_set, negative_elbo, epochs=EPOCHS, lr=1e-2, batch_size=64)
with torch.no_grad():
    flat_mean, flat_log_var = flat_vae.encode(test_bw.floats)
    drawn = flat_vae.reparameterize(flat_mean, flat_log_var)
inside = (drawn.norm(dim=1) < math.sqrt(2 * math.log(20))).float().mean()
flat = measure(flat_vae, test_bw, losses.negative_elbo)
print(f"−ELBO {flat['loss']:.0f} nats with 2 numbers, {now['loss']:.0f} with {CODE}")
print(f"codes drawn from q: {inside:.0%} in the circle, standard deviations", end=" ")
print(*(f"{s:.2f}" for s in drawn.std(0).tolist()))

# %% tags=["figure"]
# The map of the test digits, with the circle that holds 95% of the prior
figure, ax = plt.subplots(figsize=(6.6, 6.2))
plots.latent_map(
    flat_mean, test_set.labels, test_set.label_names, "Means of test digits", ax
)
ax.add_patch(plt.Circle((0, 0), math.sqrt(2 * math.log(20)), fill=False, ls="--", lw=1.5))
ax.set(aspect="equal")
plots.show(
    figure,
    alt="A map of coloured points around 0, with a name for each digit. Most points lie in a dashed circle of radius 2.4. Some "
    "digits have a region of their own, others overlap in the middle, and the ones form a streak at the edge.",
)

# %% tags=["claim"]
assert inside > 0.65 and drawn.mean(0).abs().max() < 0.5, (
    "the map should lie where the prior is"
)
assert 0.7 < drawn.std(0).min() and drawn.std(0).max() < 1.8
assert flat["loss"] > now["loss"] + 20, "two numbers are too few"

# %% [markdown]
# The map is centred, though still wider than the prior, whose standard deviation is 1. The gaps are smaller than in
# lesson 03, but an empty band may remain, and the ones still form a streak. Space near 0 is scarce, so some
# digits accept a higher rate further out, and others share a place.
#
# For the **manifold** we decode a grid. Since we know where random codes lie, we cut the bell curve of each number
# into 11 slices of equal probability and take the middle of each, so that every tile stands for the same share of the
# prior. ([The warped grid](deeper/08_the_warped_grid.ipynb) counts how many tiles each digit gets; 10 minutes,
# optional.)

# %% tags=["figure"]
# The manifold on a grid that follows the prior
steps_wide = 11
figure = plots.manifold(
    lambda p: flat_vae.decode(torch.special.ndtri(p).to(device)),
    low=0.5 / steps_wide,
    high=1 - 0.5 / steps_wide,
    steps=steps_wide,
    title="What the decoder draws: equal probability for each tile",
    ax=plt.subplots(figsize=(9, 9))[1],
)
ticks = torch.tensor([-1.5, -1, -0.5, 0, 0.5, 1, 1.5])
names = [f"{z:g}".replace("-", "−") for z in ticks.tolist()]
figure.axes[0].set_xticks(torch.special.ndtr(ticks).tolist(), names)
figure.axes[0].set_yticks(torch.special.ndtr(ticks).tolist(), names)
plots.show(
    figure,
    alt="Eleven by eleven large decoded digits that pass smoothly into each other, with clear digits towards the edges and "
    "blurred blends in the middle, where several digits share a place.",
)

# %% [markdown]
# Nowhere does the picture break into pieces, though it blurs where several digits share a place. Drag the sliders, or
# click a digit to jump to it.

# %% tags=["figure"]
# Explore the map: choose a code, and see what the decoder draws
widgets.explore_codes(flat_vae.decode, flat_mean, test_set.labels, test_set.label_names)

# %% [markdown]
# ## 4 · From one digit to another
#
# To walk between two digits with the 16-number VAE, take the means $a$ and $b$ of their codes, and decode what lies
# between: $(1 - t)\,a + t\,b$ for $t$ from 0 to 1, a **linear interpolation**. The same can be done with the pixels,
# which is a cross-fade.
#
# **Predict.** What does the picture halfway look like in either case?

# %%
with torch.no_grad():
    means = vae.encode(test_bw.floats)[0]
    partner = torch.arange(len(means), device=device).roll(
        377
    )  # pair each digit with another
    halfway = {
        "pixels": (test_set.floats + test_set.floats[partner]) / 2,
        "codes": vae.decode((means + means[partner]) / 2),
    }
half_scores = {space: rulers(pictures) for space, pictures in halfway.items()}
for space, (home, visited, _) in half_scores.items():
    print(f"halfway between {space}: {home:.0%} at home, {visited:.0%} visited")

# %% tags=["figure"]
# Three walks, by cross-fading pixels and between codes
rows, ways = {}, torch.linspace(0, 1, 9, device=device)[:, None]
first_of = [int((test_set.labels == digit).nonzero()[0]) for digit in range(10)]
with torch.no_grad():
    for start, end in ((3, 8), (7, 2), (4, 0)):
        a, b = first_of[start], first_of[end]
        fade = ways[..., None, None]
        rows[f"{start} → {end}, pixels"] = (1 - fade) * test_set.floats[
            a
        ] + fade * test_set.floats[b]
        rows[f"{start} → {end}, codes"] = vae.decode(
            (1 - ways) * means[a] + ways * means[b]
        )
plots.show(
    plots.image_rows(rows, "From one test digit to another"),
    alt="Six rows of nine images, two for each pair of digits. The cross-fade shows both digits on top of each other in the "
    "middle. Between the codes one shape changes into the other, stroke by stroke.",
)

# %% tags=["claim"]
assert half_scores["codes"][1] > half_scores["pixels"][1] + 0.1, "codes visit more digits"
assert half_scores["codes"][0] > half_scores["pixels"][0] - 0.05

# %% [markdown]
# Halfway between pixels lie two ghosts on top of each other. Halfway between codes there is usually one shape, though
# it can be a smear, and even an end may be decoded as another digit. By our rulers both are mostly at home, but ghosts
# look alike and visit fewer of the real digits. Is an arc better than the straight line? See [Lerp and
# slerp](deeper/08_lerp_and_slerp.ipynb) (20 minutes, optional), and [Neighbours](deeper/08_neighbours.ipynb) asks
# whether codes find similar digits (10 minutes, optional).
#
# ## 5 · Several plausible answers
#
# Cover the lower part of a digit. What was there? In lesson 05 a network that had learnt to fill holes gave *one*
# answer, the mean of all possible ones, and a mean of a 3 and an 8 is a blur. A VAE can do better, because it has a
# distribution of codes. Among all codes $z$ from the prior, we want those that explain the pixels that we *see*:
#
# $$ p(z \mid x_\text{seen}) \;\propto\; p(z) \; p(x_\text{seen} \mid z), \qquad
# \log p(x_\text{seen} \mid z) = \sum_{\text{seen } j} x_j \log \hat x_j + (1 - x_j) \log(1 - \hat x_j). $$
#
# The encoder cannot help, since it has only ever met whole digits, but the decoder can tell of any code how well it
# explains what we see.
#
# ### Your turn 2 · How well does it explain what we see? (6 min)
#
# `pictures` (N, 1, H, W) are a decoder's probabilities of white, `digits` the black-and-white digits (0 or 1), and
# `seen` (H, W) is 1 where we look and 0 in the hole. Return $\log p(x_\text{seen} \mid z)$ for each image: N
# numbers, in nats.


# %% tags=["exercise"]
def my_explained(pictures, digits, seen):
    result = ...  # your code here
    return result


verdict = checks.explained(my_explained)
explained = verdict.working
verdict


# %% tags=["solution"]
def my_explained(pictures, digits, seen):
    each = digits * pictures.log() + (1 - digits) * (1 - pictures).log()
    return (each * seen).flatten(1).sum(1)


# %% [markdown]
# To *draw* such codes we use the **Metropolis algorithm**, a walk through the space of codes. Start at a random code.
# Propose a small step, $z' = \sqrt{1 - b^2}\, z + b\,\varepsilon$ with $\varepsilon \sim \mathcal N(0, I)$; such steps
# alone leave the prior as it is, so that $p(z)$ is taken care of, and only the evidence must decide. If $z'$ explains
# the seen pixels better than $z$, take it. If it is worse by $\Delta$ nats, take it with probability $e^{-\Delta}$,
# otherwise stay. After many steps the walk visits codes as often as $p(z \mid x_\text{seen})$ demands. We let the
# evidence count only a little at first (`trust` grows from 0 to 1), so that no walk gets stuck near its start, and we
# shorten the steps meanwhile.


# %%
@torch.no_grad()
def complete(digits, seen, answers, steps):
    """Codes (N, answers, CODE) that explain the seen pixels of digits (N, 1, 28, 28)."""
    digits = digits.repeat_interleave(answers, dim=0)

    def fit_of(codes):
        return explained(vae.decode(codes).clamp(1e-6, 1 - 1e-6), digits, seen)

    codes = torch.randn(len(digits), vae.latent_dim, device=device)
    fits = fit_of(codes)
    for step in range(steps):
        trust = min(1.0, 1.5 * step / steps)
        b = 0.5 - 0.35 * trust
        proposed = math.sqrt(1 - b**2) * codes + b * torch.randn_like(codes)
        proposed_fits = fit_of(proposed)
        taken = torch.rand_like(fits).log() < trust * (proposed_fits - fits)
        codes = torch.where(taken[:, None], proposed, codes)
        fits = torch.where(taken, proposed_fits, fits)
    return codes.unflatten(0, (-1, answers))


# %%
seen = torch.ones(28, 28, device=device)
seen[12:] = 0  # all but the upper 12 rows are hidden
asked = slice(None, None, len(test_set) // 40)
hidden_digits, grey = test_bw.floats[asked], test_set.floats[asked]
seed_everything(0)
codes = complete(hidden_digits, seen, answers=10, steps=200)
with torch.no_grad():
    answers = vae.decode(codes.flatten(0, 1)).unflatten(0, codes.shape[:2])

# %% tags=["figure", "hero"]
# Six digits with the lower part hidden, and five answers of the VAE to each
combined = hidden_digits[:, None] * seen + answers * (1 - seen)
with torch.no_grad():
    named = judge(combined.flatten(0, 1)).argmax(1).unflatten(0, codes.shape[:2])
varied = torch.tensor([len(set(row[:5].tolist())) for row in named])
spread = (
    ((answers - answers.mean(1, keepdim=True)).square() * (1 - seen))
    .flatten(2)
    .sum(2)
    .mean(1)
)
chosen = (varied + spread.cpu() / spread.max().item()).topk(6).indices
covered = hidden_digits * seen + 0.45 * (1 - seen)
columns = {"the truth": grey, "seen": covered}
columns |= {f"answer {i + 1}": combined[:, i] for i in range(5)}
rows = {
    " " * (i + 1): torch.stack([c[k] for c in columns.values()])
    for i, k in enumerate(chosen)
}
plots.show(
    plots.image_rows(
        rows, "What could be below? Five answers of a VAE", columns=list(columns)
    ),
    alt="Six rows: a handwritten digit, the same with all but its upper part covered in grey, and five completions drawn by the "
    "VAE. The completions of a row differ from each other, several show different digits, and all continue the visible "
    "strokes.",
)

# %% [markdown]
# The upper part is what we gave, the lower part is made up. We chose the digits with the most varied answers: some
# become several digits, some only smears.
#
# **Predict.** Are these answers as varied as they should be? To compare like with like, we draw a black-and-white
# picture from each. If the truth were just another of them, it would lie as far from the mean of nine as the tenth
# does.

# %%
hole = 1 - seen
drawn = torch.bernoulli(answers)  # black and white, as the truth is
others = (drawn.sum(1, keepdim=True) - drawn) / (drawn.shape[1] - 1)  # mean of the others


def in_the_hole(values):
    return (values * hole).flatten(-3).sum(-1).mean().item()


of_answers = in_the_hole((drawn - others).square())
of_truth = in_the_hole((hidden_digits[:, None] - others).square())
sure = answers.clamp(1e-6, 1 - 1e-6)
each = torch.stack([explained(answer, hidden_digits, hole) for answer in sure.unbind(1)])
one_nats = -each.mean().item()
ten_nats = (math.log(len(each)) - each.logsumexp(0)).mean().item()  # of the mean e^each
mean_nats = -explained(sure.mean(1), hidden_digits, hole).mean().item()
labels = test_set.labels[asked]
# `named` holds what the judge of section 2 reads in each answer.
first_right = (named[:, 0] == labels).float().mean().item()
among_five = (named[:, :5] == labels[:, None]).any(1).float().mean().item()
print(
    f"squared distance from nine answers' mean: the tenth {of_answers:.1f}, the truth {of_truth:.1f}"
)
print(
    f"nats for the hidden pixels: one answer {one_nats:.0f}, all ten {ten_nats:.0f}, their mean {mean_nats:.0f}"
)
print(
    f"digit named rightly: by the first answer {first_right:.0%}, by one of five {among_five:.0%}"
)

# %% tags=["claim"]
assert of_truth > 1.08 * of_answers, "the answers should be too much alike"
assert ten_nats < mean_nats - 3, "ten whole pictures should beat their mean"
assert mean_nats < one_nats - 15, "a single answer should be too sure of itself"
assert among_five > first_right + 0.02, "five answers should catch the truth more often"
assert varied[chosen].min() >= 2, "the chosen digits should have several readings"
with torch.random.fork_rng():
    torch.manual_seed(1)
    free = torch.randn(200, vae.latent_dim, device=device)
    with torch.no_grad():
        free_fit = explained(
            vae.decode(free).clamp(1e-6, 1 - 1e-6), hidden_digits[:1], seen
        )
        own_fit = explained(answers[0].clamp(1e-6, 1 - 1e-6), hidden_digits[:1], seen)
assert own_fit.mean() > free_fit.quantile(0.95), "the walk should find codes that explain"

# %% [markdown]
# They vary, but not enough: the truth lies somewhat farther from the mean than an answer does, so the VAE is **too
# sure of itself**. It has seen few digits, and cannot imagine all that people write. The other lines show why several
# answers are worth having. To bet on one answer costs more nats than to spread the bet over ten, that is, to
# average the probabilities that they give to the *whole* hidden part. Their mean picture, which the network of lesson
# 05 would give, bets on each pixel by itself; it lies in between, and is no digit. Five answers include the right
# digit more often than one.
#
# ## 6 · Rate against distortion
#
# Nothing forces us to weigh both terms equally. With $D + \beta R$ and a large β, rate is expensive, and the model
# saves on it. Whatever β it was trained with, we *measure* $R$ and $D$ in the same way. To be quick, we take dense
# VAEs with one hidden layer.
#
# **Predict.** For which β will the reconstructions be best? For which will $-$ELBO $= D + R$ be best?

# %%
BETAS = (0.1, 0.3, 1, 3, 10, 30)
family = {}
for beta in BETAS:
    seed_everything(0)
    family[beta] = models.DenseVAE(hidden=(256,), latent_dim=16)
    loss = functools.partial(losses.negative_elbo, binarize=True, beta=beta)
    fit(family[beta], train_set, loss, epochs=EPOCHS, lr=5e-3)
points = {
    beta: measure(model, test_bw, losses.negative_elbo) for beta, model in family.items()
}

# %% tags=["figure"]
# The rate–distortion curve of six VAEs
figure, ax = plt.subplots(figsize=(8, 4.6))
R = [points[beta]["rate"] for beta in BETAS]
D = [points[beta]["distortion"] for beta in BETAS]
slopes = [(D[i + 1] - D[i]) / (R[i] - R[i + 1]) for i in range(len(R) - 1)]
wide = max(R) * 1.15 + 1
for total in (150, 175, 200, 225):
    ax.plot([0, wide], [total, total - wide], color="0.85", lw=1, zorder=0)
    ax.text(
        wide * 0.8,
        total - wide * 0.745,
        f"D + R = {total}",
        color="0.4",
        ha="right",
        va="center",
        size=9,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )
ax.plot(R, D, "o-", color=plots.COLORS[1])
for beta, r, d in zip(BETAS, R, D):
    ax.annotate(f"β = {beta:g}", (r, d), xytext=(8, 4), textcoords="offset points")
ax.set(
    title="What a nat of rate buys (grey: equal −ELBO)",
    xlabel="rate R (nats per test image)",
    ylabel="distortion D (nats per test image)",
    xlim=(-1, wide),
    ylim=(min(D) - 12, max(D) + 14),
)
plots.show(
    figure,
    alt="Distortion against rate for six values of beta: a falling curve, steep at small rates and flat at large ones. "
    "Grey lines of equal sum; the point for beta equal to 1 lies on the lowest of them.",
)
print("   β    rate   distortion   −ELBO")
for beta in BETAS:
    p = points[beta]
    print(f"{beta:4g} {p['rate']:7.1f} {p['distortion']:12.1f} {p['loss']:7.1f}")
for a, b, slope in zip(BETAS, BETAS[1:], slopes):
    print(
        f"between β = {a:g} and {b:g}, a nat of rate saves {slope:.2f} nats of distortion"
    )

# %% tags=["claim"]
for low, high, slope in zip(BETAS[:-2], BETAS[1:-1], slopes):
    assert 0.6 * low < slope < 1.6 * high, "the slope should lie between the two β"
assert min(BETAS, key=lambda beta: points[beta]["loss"]) == 1, "β = 1 should win in −ELBO"
assert all(a < b for a, b in pairwise(D)) and all(a > b for a, b in pairwise(R))
assert R[-1] < 0.5 and abs(D[-1] - without_code) < 12, (
    "β = 30 should collapse to the mean image"
)

# %% [markdown]
# Between two neighbouring β, the slope of the curve lies between the two: training stops buying where one more nat of
# rate saves exactly β nats of distortion. **β is the price.** A small β gives the best reconstructions. Only with
# $\beta = 1$ is the loss $-$ELBO itself, and so it has the best sum. A β chosen on purpose is no bug: it says what you
# want.
#
# ### Units that say nothing
#
# With $\beta = 30$ the rate is 0 and the distortion that of the mean image: full **posterior collapse**. But collapse
# also comes in parts. The rate is a sum over the units of the code, so we can ask what each of them carries:
#
# $$ R = \sum_j R_j, \qquad R_j = \text{mean over images of } \tfrac12\big(\mu_j^2 + \sigma_j^2 - \log \sigma_j^2 - 1\big). $$
#
# ### Your turn 3 · The rate of each unit (4 min)
#
# `mean` and `log_var` have the shape (N, latent_dim). Return the `latent_dim` numbers $R_j$, in nats.


# %% tags=["exercise"]
def my_unit_rates(mean, log_var):
    result = ...  # your code here
    return result


verdict = checks.unit_rates(my_unit_rates)
unit_rates = verdict.working
verdict


# %% tags=["solution"]
def my_unit_rates(mean, log_var):
    return 0.5 * (mean.square() + log_var.exp() - log_var - 1).mean(0)


# %%
with torch.no_grad():
    carried = {
        beta: unit_rates(*family[beta].encode(test_bw.floats))
        .sort(descending=True)
        .values.cpu()
        for beta in BETAS
    }
used = {beta: int((rates > 0.1).sum()) for beta, rates in carried.items()}
print("units above 0.1 nats:", ", ".join(f"{used[beta]} at β = {beta:g}" for beta in BETAS))

# %% tags=["figure"]
# What each unit of the code carries, for four values of β
figure, axes = plt.subplots(1, 4, figsize=(9.4, 3.2), sharey=True)
for ax, beta in zip(axes, (0.3, 1, 3, 10)):
    colors = [plots.COLORS[1] if rate > 0.1 else plots.COLORS[4] for rate in carried[beta]]
    ax.bar(range(1, len(colors) + 1), carried[beta].clamp(min=0.03), color=colors)
    ax.set(title=f"β = {beta:g}: {used[beta]} used", xlabel="unit, sorted")
axes[0].set_ylabel("rate of the unit (nats per image)")
figure.suptitle("What each unit carries (orange: at most 0.1 nats)")
plots.show(
    figure,
    alt="Four bar charts of the rate per unit, sorted. At beta 0.3 all 16 units carry about a nat or more. With larger "
    "beta every unit carries less, and at beta 10 all but a few carry next to nothing.",
)

# %% tags=["claim"]
assert used[0.1] == 16 and used[10] <= 5 and used[30] == 0, (
    "units should collapse one by one"
)
assert all(used[a] >= used[b] for a, b in pairwise(BETAS))
for beta in BETAS:
    assert (
        abs(carried[beta].sum().item() - points[beta]["rate"])
        < 0.05 * points[beta]["rate"] + 0.05
    )

# %% [markdown]
# A high price silences units. One that saves less distortion than it costs does better to stay silent: mean 0, σ = 1,
# and then the decoder learns to ignore it. At $\beta = 1$ this is a feature, because a VAE finds out how
# many numbers it needs; here all of them, or nearly. It is a disease where useful units give up early in training, or
# where a decoder is so powerful that it draws well without a code. Two common remedies are **KL warm-up**, which
# raises β from 0 to 1 during the first epochs, and **free bits**, which charge nothing for the first fraction of a nat
# in each unit. ([Used units](deeper/08_used_units.ipynb) looks into a VAE that trained a hundred epochs; 15 minutes,
# optional.)
#
# ## Workshop · Ten nats and no more (25 min)
#
# Digits are to be sent through a narrow channel: **at most 10 nats of rate** per image, on average over test digits.
# Send as much as possible: bring the **distortion to 115 nats or less** with it. The VAE below is trained like that of
# section 1. It reaches the distortion, but takes far too much rate.
#
# You may change the loss, the training, the code, and the network. Is the model at the wrong place *on* its curve
# (price), or is the whole curve too high (network, training)? Keep each training under half a minute.

# %% tags=["workshop"]
seed_everything(0)
mine = slim(CODE)
my_loss = functools.partial(losses.negative_elbo, binarize=True, beta=1.0)
fit(mine, train_set, my_loss, epochs=EPOCHS, lr=1e-2, batch_size=64)

verdict = checks.lesson_08.workshop(mine)
verdict

# %% tags=["solution"]
# The price decides the place on the curve: with β = 3, ten epochs end below ten nats of rate, but with too much
# distortion. Twice the epochs lower the whole curve, and β = 3.4 still keeps the rate below ten.
seed_everything(0)
mine = slim(CODE)
my_loss = functools.partial(losses.negative_elbo, binarize=True, beta=3.4)
fit(mine, train_set, my_loss, epochs=2 * EPOCHS, lr=1e-2, batch_size=64)

# %% tags=["alternative"]
# Name the rate, not the price: every nat above the capacity costs five, and those below it nothing.
CAPACITY = 9.5


def capped(model, images, labels=None):
    parts = negative_elbo(model, images)
    excess = (parts["rate"].mean() - CAPACITY).clamp(min=0)
    return {"loss": parts["distortion"] + 5 * excess}


seed_everything(0)
mine = slim(CODE)
fit(mine, train_set, capped, epochs=2 * EPOCHS, lr=1e-2, batch_size=64)

# %% [markdown]
# **Going on.** Name the rate instead of the price: charge only for what exceeds ten nats, and lower this limit during
# training.
#
# ## Summary
#
# - While a VAE trains, its **rate rises**: it buys information as long as one nat of rate saves more than one nat of
#   distortion.
# - In the **duel** of one network, the KL narrowed the gap between known and new digits, and made codes from
#   $\mathcal N(0, I)$ decodable. A ruler for random codes must ask both: is it **at home**, and are the real digits
#   **visited**? The Fréchet distance sees only means and covariances of features.
# - The map is centred like the prior, but still wider. Between two codes the decoder usually draws one shape, not two
#   ghosts.
# - Codes that explain what is seen give **several plausible answers**. Their spread shows what the model does not
#   know, though ours is too sure of itself.
# - **β is the price** of a nat of rate, the slope of the rate–distortion curve. Units that are not worth their price
#   **collapse**.
#
# From here on, `vae_helpers.models.ConvVAE` is this lesson's network.
#
# ## Read and watch
#
# - A. Alemi and others, [Fixing a broken ELBO](https://arxiv.org/abs/1711.00464) (2018): the rate–distortion plane, and
#   what the sum of both hides.
# - I. Higgins and others, [β-VAE](https://openreview.net/forum?id=Sy2fzU9gl) (2017): what a large β is hoped to do.
# - S. Bowman and others, [Generating sentences from a continuous space](https://arxiv.org/abs/1511.06349) (2016):
#   collapse with a strong decoder, and KL warm-up. Free bits are from [the IAF paper](https://arxiv.org/abs/1606.04934).
# - M. F. Naeem and others, [Reliable fidelity and diversity metrics for generative
#   models](https://arxiv.org/abs/2002.09797) (2020): our two shares, with their relatives.
# - P. Ghosh and others, [From variational to deterministic autoencoders](https://arxiv.org/abs/1903.12436) (2020): the
#   duel of section 2 on larger data, argued for the other side.
#
# **Next:** [lesson 09 · Is my VAE any good?](09_is_my_vae_any_good.ipynb): ten broken VAEs, a doctor who finds out what
# is wrong with them, and a scoreboard beside published numbers.
