# %% [markdown]
# # 07 · The VAE, piece by piece
#
# In lesson 03 we decoded random codes, and with more than a few numbers per code the pictures fell apart. A
# **variational autoencoder** (VAE) is made for exactly this: its code is no longer a point but a small cloud, and all
# clouds are held near one standard cloud, from which we may draw afterwards. You will train one within the next ten
# minutes. Then we take it apart, because its loss is no lucky recipe. Every term follows from one wish, and at the end
# a VAE learns from a loss that you have derived and written yourself.
#
# **You will be able to**
#
# - write and train a VAE, and draw new digits with it,
# - tell the story that a VAE tells about its data, and say why the probability of a picture is hard to compute,
# - derive the ELBO step by step, and show on real digits that it and its gap add up to $\log p(x)$,
# - write the KL divergence and the loss, and explain the reparameterization and why the network gives $\log\sigma^2$.
#
# **It builds on** [lesson 03](03_the_fully_connected_autoencoder.ipynb) (the dense autoencoder, and why its random
# codes fail), [lesson 06](06_other_autoencoders.ipynb) (penalties on the code), and a little probability: a density, a
# mean, a variance.

# %%
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from vae_helpers import checks, losses, plots, widgets
from vae_helpers.data import load_digits
from vae_helpers.device import budget, seed_everything
from vae_helpers.train import fit, measure

plots.use_course_style()
train_set = load_digits("train").subset(slice(0, 3_500)).binarized()
test_set = load_digits("test").subset(slice(0, 1_000)).binarized()

# %% [markdown]
# (`binarized` makes every pixel black or white, 0 or 1, with its grey level as the probability of white. For such
# pictures probabilities are simplest.)
#
# ## 1 · The whole machine
#
# The encoder of a VAE puts out **two** numbers for each number of the code: a mean $\mu$, and the logarithm of a
# variance, $\log\sigma^2$. Together they describe a bell curve, or **Gaussian**, the cloud $q(z \mid x)$ in which the
# code of the picture $x$ lies. The code $z$ is drawn from this cloud at random, and the decoder makes a picture from
# it.

# %% tags=["figure"]
# The VAE: solid arrows are computed forward, dashed red arrows carry the gradient back
plots.show(
    plots.schematics.vae(),
    alt="A digit x enters the encoder, which gives μ and log σ². With noise ε they make z = μ + σ · ε, and the decoder turns z "
    "into x̂. The KL divergence attaches to μ and log σ², the reconstruction loss to x̂. Dashed arrows lead the gradient "
    "back to both μ and log σ², but not into the noise.",
)

# %% [markdown]
# The loss has two parts. The **reconstruction loss** says how badly the picture comes back, and the **KL divergence**
# says how far the cloud lies from the standard cloud $\mathcal N(0, I)$, a Gaussian with mean 0 and variance 1 in every
# direction. In the program, three things are new since lesson 03: the encoder's last layer is twice as wide, `chunk`
# cuts its output into two halves, and `reparameterize` draws the code.
# (`randn_like(mean)` draws standard Gaussian numbers in the shape of `mean`.)


# %%
class DenseVAE(nn.Module):
    def __init__(self, latent_dim):
        super().__init__()
        self.latent_dim = latent_dim
        self.encoder = nn.Sequential(
            nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 2 * latent_dim)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 256), nn.ReLU(), nn.Linear(256, 784)
        )

    def encode(self, images):
        mean, log_var = self.encoder(images.flatten(1)).chunk(2, dim=1)
        return mean, log_var

    def reparameterize(self, mean, log_var):
        sigma = torch.exp(log_var / 2)
        return mean + sigma * torch.randn_like(mean)

    def decode(self, z):  # → the probability that a pixel is white
        return torch.sigmoid(self.decoder(z)).unflatten(1, (1, 28, 28))

    def forward(self, images):
        mean, log_var = self.encode(images)
        z = self.reparameterize(mean, log_var)
        return self.decode(z), mean, log_var, z


# %% [markdown]
# For a start we take the loss from the course's package. It is called `negative_elbo`, and by section 7 you will have
# replaced it.
#
# **Predict.** Of 20 codes from a random number generator alone, how many will give a digit that you can read?

# %%
EPOCHS = budget(cpu=20, gpu=40)


def train_vae(latent_dim, loss=losses.negative_elbo):
    seed_everything(0)
    vae = DenseVAE(latent_dim)
    history = fit(vae, train_set, loss, epochs=EPOCHS, lr=8e-3, batch_size=100)
    return vae.cpu(), history


vae, _ = train_vae(8)
digits = test_set.floats
with torch.no_grad():
    reconstructions = vae.decode(vae.encode(digits)[0])  # from the mean of each cloud
    new_digits = vae.decode(torch.randn(20, vae.latent_dim))

# %% tags=["figure"]
# Test digits, their reconstructions, and digits that nobody wrote
chosen = [int((test_set.labels == label).nonzero()[0]) for label in range(10)]
rows = {
    "test digit": digits[chosen],
    "reconstruction": reconstructions[chosen],
    "from random\ncodes": new_digits[:10],
    " ": new_digits[10:],
}
plots.show(
    plots.image_rows(rows, "A VAE after its first training"),
    alt="Ten black-and-white test digits, their reconstructions, which are smooth and readable, and two rows of digits from "
    "random codes: many can be read, some are fragments.",
)
scores = measure(vae, test_set, losses.negative_elbo)
print("on test digits, in nats per image:", end=" ")
print(", ".join(f"{name} {value:.1f}" for name, value in scores.items()))

# %% tags=["claim"]
assert scores["loss"] < 140 and 8 < scores["rate"] < 30, "the first VAE should train"

# %% [markdown]
# More than half of the random codes give a digit that can be read, and the rest are fragments. (Lesson 08 measures how
# good they are.) The printed loss is a sum of two parts: the **rate**, which is the KL divergence, and the
# **distortion**, which is the reconstruction loss. (The progress bar shows it for training digits.) The rest of the
# lesson answers one question: why this sum?
#
# ## 2 · A story: first z, then x
#
# Forget the encoder for a moment. The decoder alone tells a story about how a picture comes into the world. First a
# code $z$ is drawn from the **prior** $p(z) = \mathcal N(0, I)$. Then every pixel becomes white or black with the
# probability that the decoder names for it, and all pixels together give the **likelihood** $p(x \mid z)$. We only ever
# see $x$, so $z$ is called a **latent variable**, which means a hidden one. The story contains three more quantities:
#
# - the **joint** density $p(x, z) = p(z)\, p(x \mid z)$, how likely this code and this picture are together;
# - the **evidence** $p(x) = \int p(z)\, p(x \mid z)\, dz$, how likely this picture is, whatever the code was;
# - the **posterior** $p(z \mid x) = p(x, z) / p(x)$, which codes could have made this picture. It is the perfect encoder.
#
# The one wish behind a VAE is to **make $p(x)$ large for real digits**, which is called **maximum likelihood**. To see
# all of it exactly, we train the same machine with a code of a *single* number. Its codes lie on a line, so an integral
# is a sum over a fine grid of width $dz$. We take logarithms, because probabilities of 784 pixels are tiny. Their unit
# is the **nat**: one nat more is $e \approx 2.7$ times as probable.

# %%
line, _ = train_vae(1)  # the grid below needs a code of one number
asked = digits[::4]  # 250 test digits
z = torch.linspace(-8, 8, 6001, dtype=torch.double)
dz = (z[1] - z[0]).item()


def log_normal(value, mean, sigma):
    """The logarithm of a Gaussian density."""
    return -0.5 * ((value - mean) / sigma) ** 2 - sigma.log() - 0.5 * math.log(2 * math.pi)


@torch.no_grad()
def log_likelihoods(vae, images, codes):
    """log p(x | z) of every image with every code, (images, codes)."""
    white = vae.decode(codes.float()).flatten(1).double().clamp(1e-7, 1 - 1e-7)
    x = images.flatten(1).double()
    return x @ white.log().T + (1 - x) @ (1 - white).log().T


log_prior = log_normal(z, torch.tensor(0.0), torch.tensor(1.0))
log_joint = log_prior + log_likelihoods(line, asked, z[:, None])
log_evidence = torch.logsumexp(log_joint, dim=1) + math.log(dz)
log_posterior = log_joint - log_evidence[:, None]
with torch.no_grad():  # the cloud of each of the 250 digits
    means, log_vars = (part[:, 0].double() for part in line.encode(asked))

# %% [markdown]
# (`logsumexp` adds up numbers that are given by their logarithms, and `double` means 64-bit numbers.)
#
# **Predict.** Which of the ten kinds of digit is most probable under this story, and why?

# %% tags=["figure", "hero"]
# One number draws all digits: clouds of eleven test digits on the line of codes, and what the decoder draws there
spots = torch.linspace(-2.5, 2.5, 11).tolist()
picks = [int((means - spot).abs().argmin()) for spot in spots]
strip_spots = torch.linspace(-2.76, 2.76, 13)
with torch.no_grad():
    strip = line.decode(strip_spots[:, None])
figure, ax = plt.subplots(figsize=(9, 5.4), layout="none")
figure.subplots_adjust(0.02, 0.235, 0.98, 0.69)


def put(image, spot, bottom):
    """A digit, 56 page pixels wide, above or below a place on the line."""
    left = 0.02 + 0.96 * (spot + 3) / 6 - 28 / 810
    plots.draw_image(figure.add_axes((left, bottom, 56 / 810, 56 / 486)), image)


ax.fill_between(z, log_prior.exp(), color="0.9")
for spot, pick in zip(spots, picks):
    color = plots.CLASS_COLORS[int(test_set.labels[::4][pick])]
    cloud = log_normal(z, means[pick], (log_vars[pick] / 2).exp()).exp()
    ax.fill_between(z, 0.55 * cloud / cloud.max(), color=color, alpha=0.75, lw=0)
    ax.plot([means[pick], spot], [0.56, 0.7], color=color, lw=2)
    put(asked[pick], spot, 0.7)
for spot, image in zip(strip_spots.tolist(), strip):
    put(image, spot, 0.065)
ax.set(xlim=(-3, 3), ylim=(0, 0.7), yticks=[])
ax.spines["left"].set_visible(False)
figure.text(0.5, 0.94, "A VAE whose code is one number", ha="center", fontsize=15)
figure.text(
    0.5,
    0.855,
    "test digits and their clouds, drawn equally high (grey: the standard cloud)",
    ha="center",
    fontsize=12,
)
figure.text(
    0.5, 0.018, "what the decoder draws for the codes above", ha="center", fontsize=12
)
plots.show(
    figure,
    alt="A line of codes from −3 to 3. Above it eleven handwritten test digits, each joined to a narrow coloured bell on the line; "
    "behind them the wide bell of the prior. Below the line the decoder's pictures for thirteen codes, which change "
    "smoothly from one kind of digit to the next.",
)

# %% tags=["figure"]
# log p(x), exactly, for each kind of digit
labels = test_set.labels[::4]
kinds = {kind: log_evidence[labels == kind].mean().item() for kind in range(10)}
print("digit    ", *(f"{kind:7}" for kind in kinds))
print("log p(x) ", *(f"{value:7.1f}" for value in kinds.values()), "  nats, mean")
print(f"all digits: {log_evidence.mean():.1f} nats")

# %% tags=["claim"]
assert min(kinds[1] - kinds[kind] for kind in range(10) if kind != 1) > 25, (
    "ones should lead"
)
total = (log_prior.exp() * dz).sum().item()
assert abs(total - 1) < 1e-6 and abs(log_posterior.exp().sum(1) * dz - 1).max() < 1e-6

# %% [markdown]
# The ones, by far. They have little ink, and one looks much like another, so the story need not spread its probability
# over many different pictures. The figure shows the whole idea of a VAE: each test digit becomes a narrow cloud on the
# line, and the decoder has a picture ready for every point. One number is too little for all digits, so some
# clouds lie where the decoder draws something else.
#
# ## 3 · Why p(x) is hard
#
# So why not make $p(x)$ large directly? With one number, a grid of 6,001 points will do. Eight numbers need $6001^8$
# points, more than any computer can visit. The next idea is chance. The integral is an average over the prior, so draw
# $K$ codes from it and average their likelihoods:
#
# $$ p(x) \approx \frac1K \sum_{k=1}^K p(x \mid z_k), \qquad z_k \sim p(z). $$
#
# **Predict.** With one number per code, how many random codes does this need, until the estimate hardly changes any
# more? With eight, are 10,000 enough?

# %%
seed_everything(0)
DRAWS = [10, 100, 1_000, 10_000]
estimates = {}
for name, model in {"1 number": line, "8 numbers": vae}.items():
    tables = log_likelihoods(model, asked, torch.randn(DRAWS[-1], model.latent_dim))
    estimates[name] = [
        (torch.logsumexp(tables[:, :K], dim=1) - math.log(K)).mean().item() for K in DRAWS
    ]

# %% tags=["figure"]
# Estimates of log p(x) from random codes, against their number
figure, ax = plt.subplots(figsize=(7, 3.8))
for (name, values), color, style in zip(estimates.items(), (1, 4), ("o-", "s-")):
    ax.semilogx(DRAWS, values, style, color=plots.COLORS[color], label=f"{name} per code")
ax.axhline(
    log_evidence.mean(), color=plots.COLORS[1], ls=":", label="1 number: exact, by the grid"
)
ax.set(
    title="Random codes estimate log p(x)",
    xlabel="random codes per image",
    ylabel="log p(x), nats per image",
)
ax.legend()
plots.show(
    figure,
    alt="Estimated log p(x) against the number of random codes from 10 to 10,000. For one number per code the curve levels off "
    "at the exact value; for eight numbers it climbs steeply all the way.",
)
for name, values in estimates.items():
    print(
        f"{name:10}", *(f"{K:,} codes: {v:.1f}" for K, v in zip(DRAWS, values)), sep="   "
    )

# %% tags=["claim"]
one, eight = estimates.values()
assert abs(one[-1] - log_evidence.mean()) < 1, "with one number, random codes should do"
assert abs(one[-1] - one[-2]) < 3 and eight[-1] - eight[-2] > 6, (
    "with eight they should not"
)

# %% [markdown]
# With one number, a thousand codes come near the exact value. With eight, every tenfold effort still finds many nats
# more, and nobody knows how much is missing. Almost every random code explains a given picture badly, and the few that
# explain it well make up nearly the whole sum. It is like finding a letter's author by phoning random numbers. We
# need a good guess which codes could belong to *this* picture: we need an encoder.
#
# ## 4 · A guess, and a bound
#
# Let $q(z)$ be any guess, a density over codes for the picture at hand. Multiply and divide by it:
#
# $$ p(x) = \int q(z)\, \frac{p(x, z)}{q(z)}\, dz = \mathbb E_q[w], \qquad w = \frac{p(x, z)}{q(z)}. $$
#
# Here $\mathbb E_q$ is the average over codes drawn from $q$. For training we want $\log p(x)$, the log of an average,
# but each draw gives us a $\log w$. **Jensen's inequality** says that, for a curve that bends down like the logarithm,
# the average of the logs is never more than the log of the average. (For the weights 0.2 and 1.8, the logs average
# $-0.51$, but the log of their average is 0.) So, for every guess,
#
# $$ \log p(x) \;\ge\; \mathbb E_q[\log w] = \mathbb E_q\big[\log p(x, z) - \log q(z)\big] = \text{ELBO}, $$
#
# the **evidence lower bound**. A single draw is right on average, and if we push it up, $\log p(x)$ must stay
# above. (Why not average the weights themselves? [Importance weights](deeper/07_importance_weights.ipynb), 20 minutes,
# optional, shows how rare huge weights spoil the average.)
#
# ### Your turn 1 · Derive the gap (10 min)
#
# How far below $\log p(x)$ does the ELBO lie? Write $p(x, z) = p(x)\, p(z \mid x)$, put it into the ELBO on paper, and
# sort what you get into $\log p(x)$ minus an average. Then compute all three quantities on the grid, where every
# argument but `dz` is a row of numbers, one for each $z$. An average over $q$ is a sum with the weights $q(z)\, dz$.
#
# 1. the joint, $\log p(x, z)$;
# 2. the evidence, $\log p(x)$, where $p(x)$ is the sum of $p(x, z)\, dz$;
# 3. the ELBO, the average over $q$ of $\log w$;
# 4. the gap from your paper, the average over $q$ of $\log q(z) - \log p(z \mid x)$.


# %% tags=["exercise"]
def my_bound(log_prior, log_likelihood, log_q, dz):
    log_joint = ...  # step 1
    log_evidence = ...  # step 2
    elbo = ...  # step 3
    gap = ...  # step 4
    return log_evidence, elbo, gap


verdict = checks.bound(my_bound)
bound = verdict.working
verdict


# %% tags=["solution"]
# On paper: E[log p(x, z) − log q(z)] = E[log p(x) + log p(z | x) − log q(z)] = log p(x) − E[log q(z) − log p(z | x)].
def my_bound(log_prior, log_likelihood, log_q, dz):
    log_joint = log_prior + log_likelihood
    log_evidence = torch.logsumexp(log_joint, dim=0) + math.log(dz)
    q = log_q.exp()
    elbo = (q * (log_joint - log_q)).sum() * dz
    log_posterior = log_joint - log_evidence
    gap = (q * (log_q - log_posterior)).sum() * dz
    return log_evidence, elbo, gap


# %% [markdown]
# The gap is the **Kullback–Leibler divergence** (KL) of $q$ from the posterior, $D_{KL}(q \,\|\, p(z \mid x))$. It
# measures in nats how different two distributions are, it is never negative, and it is 0 only if they are equal. It is
# not symmetric: $D_{KL}(q \,\|\, p) \ne D_{KL}(p \,\|\, q)$. Your function now judges our encoder's guesses for 250
# test digits.

# %%
widths = (log_vars / 2).exp()
log_q = log_normal(z, means[:, None], widths[:, None])
judged = [
    torch.stack([torch.as_tensor(number) for number in bound(log_prior, likelihood, q, dz)])
    for likelihood, q in zip(log_joint - log_prior, log_q)
]
exact, elbo, gap = torch.stack(judged).T

# The Gaussian with the mean and the width of the true posterior, as a rival guess.
posterior = log_posterior.exp() * dz
centre = posterior @ z
spread = (posterior * (z - centre[:, None]) ** 2).sum(1).sqrt()
log_rival = log_normal(z, centre[:, None], spread[:, None])
rival_gap = (log_rival.exp() * (log_rival - log_posterior)).sum(1) * dz

# %% tags=["figure"]
# Six test digits: true posterior, the encoder's cloud, and the sum ELBO + gap = log p(x)
order = gap.argsort()
picks = order[(torch.tensor([0.1, 0.3, 0.5, 0.7, 0.85, 0.97]) * (len(order) - 1)).long()]
figure, axes = plt.subplots(2, 3, figsize=(9, 5.6))
for ax, pick in zip(axes.flat, picks.tolist()):
    curves = {"posterior": log_posterior[pick].exp(), "encoder's cloud": log_q[pick].exp()}
    seen = sum((curve > curve.max() / 200) for curve in curves.values()).nonzero()[:, 0]
    low, high = z[seen.min()].item(), z[seen.max()].item()
    ax.fill_between(
        z, curves["posterior"], color=plots.COLORS[5], alpha=0.5, label="posterior p(z|x)"
    )
    ax.plot(
        z,
        curves["encoder's cloud"],
        color=plots.COLORS[3],
        lw=2,
        label="encoder's cloud q(z|x)",
    )
    ax.set(
        xlim=(low, high + 0.45 * (high - low)), ylim=(0, None), yticks=[], xlabel="code z"
    )
    sums = f"{elbo[pick]:.1f} + {gap[pick]:.1f} = {exact[pick]:.1f}"
    ax.set_title(sums.replace("-", "−"), fontsize=12)
    place = ax.inset_axes((0.72, 0.5, 0.28, 0.5))
    plots.draw_image(place, asked[pick])
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
figure.suptitle("ELBO + gap = log p(x), in nats")
plots.show(
    figure,
    alt="Six panels, each with a test digit, the narrow peak of its true posterior over the code and the encoder's Gaussian. "
    "The first ones agree closely; in the last ones the encoder's cloud lies beside the posterior or is too wide, "
    "and the gap is larger.",
)
print(
    f"largest |ELBO + gap − log p(x)| of 250 digits: {(elbo + gap - exact).abs().max():.0e} nats"
)
print(f"gap of the encoder: mean {gap.mean():.2f}, median {gap.median():.2f} nats")
print(
    f"gap of the rival:   mean {rival_gap.mean():.2f}, median {rival_gap.median():.2f} nats"
)
same = test_set.subset(slice(None, None, 4))
low_bound = -measure(vae, same, losses.negative_elbo)["loss"]
found = estimates["8 numbers"][-1]
print(f"8 numbers: ELBO {low_bound:.1f}, from {DRAWS[-1]:,} random codes {found:.1f} nats")

# %% tags=["claim"]
assert (elbo + gap - exact).abs().max() < 1e-3, "ELBO and gap should add up to log p(x)"
assert (exact - log_evidence).abs().max() < 1e-6 and gap.min() > -1e-6
assert rival_gap.mean() < 0.5 * gap.mean() and rival_gap.median() < 0.3 * gap.median()
assert low_bound > found + 3, "the bound should show what random codes miss"
worst = rival_gap.argmax()  # for example a posterior with two humps
top = z[log_posterior[worst].argmax()]
tries = torch.cartesian_prod(
    top + torch.linspace(-0.2, 0.2, 21).double(), torch.logspace(-2, 0, 31).double()
)
humps = log_normal(z, tries[:, :1], tries[:, 1:])
hump_gap = (humps.exp() * (humps - log_posterior[worst])).sum(1).min() * dz
assert hump_gap < min(1.5, rival_gap[worst]), (
    "a cloud on the larger hump should leave little"
)
assert abs((math.log(0.2) + math.log(1.8)) / 2 + 0.51) < 0.005

# %% [markdown]
# The sum comes out right to many decimals, whatever the guess. So there are two ways to raise the ELBO: make the data
# more probable, or pull $q$ towards the posterior. Training does both at once.
#
# Why is a gap left? A Gaussian with the posterior's own mean and width, our *rival*, leaves very little on most digits,
# and the best Gaussian can only leave less. (Two humps spoil the rival, but a cloud on the larger one comes within about
# $\log 2 \approx 0.7$ nats.) What the best one leaves is the **approximation gap**. The rest is the **amortization gap**: one network has to
# guess for all pictures at a glance (*amortized* inference), and for digits that it has never seen it misses by a
# little, or now and then by a lot.
#
# And the eight numbers? Their ELBO, the last line printed, lies clearly above what 10,000 random codes found, so
# these missed at least the difference. Now drag the sliders and close a gap by hand:

# %% tags=["figure"]
# Close the gap: move and widen a guess for one digit
shown = int(order[len(order) // 2])
truth = centre[shown].item(), spread[shown].item()


def draw_guess(mean, log_width):
    """The posterior of one digit, a Gaussian guess, and its gap."""
    guess = log_normal(z, torch.tensor(mean), torch.tensor(10.0**log_width))
    _, its_elbo, its_gap = bound(log_prior, log_joint[shown] - log_prior, guess, dz)
    figure, ax = plt.subplots(figsize=(7, 3.4))
    ax.fill_between(z, log_posterior[shown].exp(), color=plots.COLORS[5], alpha=0.5)
    ax.plot(z, guess.exp(), color=plots.COLORS[3], lw=2)
    ax.set(
        title=f"ELBO {its_elbo:.2f}, gap {its_gap:.2f} nats",
        xlabel="code z",
        ylabel="density",
        xlim=(truth[0] - 8 * truth[1], truth[0] + 8 * truth[1]),
    )
    return figure


widgets.explore(
    draw_guess,
    mean=(truth[0] - 6 * truth[1], truth[0] + 6 * truth[1], truth[0] + 2 * truth[1]),
    log_width=(-2.0, 0.5, -0.5),
)

# %% [markdown]
# ## 5 · The two terms
#
# One more step, and the two parts of the loss appear. Split the joint into $p(z)\, p(x \mid z)$ and turn the sign,
# because a loss should be small:
#
# $$ -\text{ELBO} = \underbrace{\mathbb E_q\big[-\log p(x \mid z)\big]}_{\text{distortion } D}
#    + \underbrace{D_{KL}\big(q(z \mid x) \,\|\, p(z)\big)}_{\text{rate } R}. $$
#
# The distortion says how badly the decoder explains the picture from a code of its cloud, and the rate says how far the
# cloud strays from the prior. **Nobody has to choose their weights**, as we had to in lesson 06. Both are in nats, and
# they weigh the same.
#
# **Predict.** Keep the mean of a cloud and make it narrower. What happens to the distortion, and to the rate?

# %%
tried = torch.logspace(-2, 0.3, 150).double()  # widths of the cloud
log_tried = log_normal(z, centre[shown], tried[:, None])  # shown: the digit of the sliders
likelihood = log_joint[shown] - log_prior
distortion = -(log_tried.exp() * likelihood).sum(1) * dz
rate = (log_tried.exp() * (log_tried - log_prior)).sum(1) * dz

# %% tags=["figure"]
# Distortion and rate of one digit against the width of its cloud
figure, ax = plt.subplots(figsize=(7, 4))
floor = distortion.min()
ax.plot(
    tried,
    distortion - floor,
    color=plots.COLORS[1],
    label="distortion D (above its lowest)",
)
ax.plot(tried, rate, color=plots.COLORS[2], ls="--", label="rate R")
ax.plot(
    tried,
    distortion + rate - floor,
    color="black",
    lw=2.5,
    label="D + R = −ELBO (likewise)",
)
ax.axhline(-exact[shown] - floor, color="0.5", ls=":", label="−log p(x) (likewise)")
best = (distortion + rate).argmin()
ax.plot(tried[best], (distortion + rate)[best] - floor, "*", color=plots.COLORS[4], ms=15)
ax.set(
    title="A narrow cloud is exact but expensive, a wide one cheap but vague",
    xlabel="width σ of the cloud",
    ylabel="nats per image",
    xscale="log",
    xticks=[0.01, 0.03, 0.1, 0.3, 1, 2],
    xticklabels=["0.01", "0.03", "0.1", "0.3", "1", "2"],
    ylim=(-0.5, 14),
)
ax.legend(fontsize=9.5)
plots.show(
    figure,
    alt="Against the width of the cloud, the distortion rises, and the rate falls up to the width 1. Their sum is U-shaped, with a star at its "
    "lowest point, which touches the dotted line of minus log p(x) from above.",
)

# %% tags=["claim"]
assert distortion[-1] > distortion[0] + 1 and rate[-1] < rate[0] - 1
assert (distortion + rate + exact[shown]).min() > -1e-6, "−ELBO should lie above −log p(x)"
assert 0 < best < len(tried) - 1, "one width should be best"

# %% [markdown]
# A narrow cloud gives a good reconstruction and costs a high rate. A wider one is cheaper, up to the prior's
# width of 1, but the decoder no longer knows what to draw. The sum has one best width.
#
# ### Your turn 2 · The KL in closed form (6 min)
#
# For two Gaussians, the rate needs no grid and no draws. Write out the two logarithms, in which
# $\tfrac12 \log 2\pi$ cancels:
#
# $$ \log q(z) - \log p(z) = -\tfrac12 \log \sigma^2 - \frac{(z - \mu)^2}{2 \sigma^2} + \frac{z^2}{2}. $$
#
# Now average each term over $q$. What is $(z - \mu)^2$ on average, and what is $z^2$? This gives the KL of one number
# of the code. The numbers of a code are independent in $q$ and in $p$, so their KLs add up. Write it for `mean` and
# `log_var` of the shape (N, latent_dim), and return one price per image, (N,).


# %% tags=["exercise"]
def my_kl(mean, log_var):
    result = ...  # your code here
    return result


verdict = checks.kl_divergence(my_kl)
kl = verdict.working
verdict


# %% tags=["solution"]
# (z − μ)² is σ² on average, and z² is μ² + σ². So the KL is ½ (μ² + σ² − log σ² − 1).
def my_kl(mean, log_var):
    return 0.5 * (mean.square() + log_var.exp() - log_var - 1).sum(1)


# %% [markdown]
# Never trust a formula with minus signs. Here yours meets the grid and PyTorch's library:

# %%
Normal = torch.distributions.Normal
by_formula = kl(means[:, None], log_vars[:, None])
by_grid = (log_q.exp() * (log_q - log_prior)).sum(1) * dz
by_library = torch.distributions.kl_divergence(Normal(means, widths), Normal(0.0, 1.0))
print(
    f"formula, grid, library: {by_formula[0]:.6f}, {by_grid[0]:.6f}, {by_library[0]:.6f} nats"
)

# %% tags=["claim"]
assert torch.allclose(by_formula, by_grid, atol=1e-4), "the grid should agree"
assert torch.allclose(by_formula, by_library, atol=1e-6), "and so should PyTorch"

# %% [markdown]
# ## 6 · A draw that lets the gradient pass
#
# The distortion is an average over random draws, and training needs its slope with respect to the mean and the width of
# the cloud. How does one differentiate a throw of dice? Write the draw as $z = \mu + \sigma\varepsilon$ with
# $\varepsilon \sim \mathcal N(0, 1)$. Now the chance sits in $\varepsilon$, which has no parameters, and $z$ is a
# smooth function of $\mu$ and $\sigma$, so the chain rule works. This is the **reparameterization**, and in the drawing
# of section 1 the dashed arrows pass beside the noise.
#
# On the line we know the exact slope, from the grid. **Predict.** How far off are 20,000 random
# draws: 10%, 2%, or less?

# %%
mean = means[shown].clone().requires_grad_()
log_var = log_vars[shown].clone().requires_grad_()
q = log_normal(z, mean, (log_var / 2).exp()).exp()
(-(q * likelihood).sum() * dz).backward()  # the distortion, exactly
exact_slopes = mean.grad.item(), log_var.grad.item()

n = 20_000
# n copies of μ and log σ²: each copy's gradient is the estimate of one draw.
ms = mean.detach().repeat(n, 1).float().requires_grad_()
lvs = log_var.detach().repeat(n, 1).float().requires_grad_()
draws = line.reparameterize(ms, lvs)
picture = asked[shown].expand(n, -1, -1, -1)
F.binary_cross_entropy(line.decode(draws), picture, reduction="sum").backward()

sampled = Normal(ms, (lvs / 2).exp()).sample()  # the same draw, without the trick
print("sample() lets the gradient pass:", sampled.requires_grad)
for name, slope, copies in zip(("μ", "log σ²"), exact_slopes, (ms.grad, lvs.grad)):
    average, error = copies.mean(), copies.std() / math.sqrt(n)
    print(f"slope for {name:7} exact {slope:7.3f}, {n:,} draws {average:7.3f}", end=" ")
    print(f"± {error:.3f}, off by {abs(average / slope - 1):.1%}")

# %% tags=["claim"]
for slope, copies in zip(exact_slopes, (ms.grad, lvs.grad)):
    off = abs(copies.mean() - slope)
    assert off < 5 * copies.std() / math.sqrt(n) + 1e-3 * abs(slope), (
        "it should be unbiased"
    )
assert not sampled.requires_grad and Normal(ms, lvs.exp()).rsample().requires_grad

# %% [markdown]
# They agree up to the uncertainty after ±, which four times as many draws would halve. PyTorch's `sample()` would cut
# the gradient off, while `rsample()`, "r" for reparameterized, uses the trick. ([Gradient
# estimators](deeper/07_gradient_estimators.ipynb), 15 minutes, optional, compares it with the other classic answer,
# which needs no slopes.)
#
# Why does the network give $\log\sigma^2$? A linear layer puts out any real number, and about half of a fresh layer's
# outputs are negative, but a width is not. Read as $\log\sigma^2$, **every** output has a meaning, and
# $\sigma = e^{\texttt{log\_var}/2}$. The half is easily forgotten. ([Three languages for
# σ](deeper/07_three_languages_for_sigma.ipynb), 15 minutes, optional, measures what other choices do in training.)

# %%
fresh = DenseVAE(8).encode(digits)[1]
span = torch.tensor([-8.0, 8.0])
print(f"negative outputs of an untrained encoder: {(fresh < 0).float().mean():.0%}")
print(
    "log σ² from −8 to 8 means σ from {:.3f} to {:.1f}".format(*(span / 2).exp().tolist())
)

# %% tags=["claim"]
assert 0.2 < (fresh < 0).float().mean() < 0.8

# %% [markdown]
# ## 7 · Your own loss trains
#
# ### Your turn 3 · The loss (6 min)
#
# `white` are the decoder's probabilities and `x` the pixels, 0 or 1, both (N, 1, 28, 28). A pixel with the probability
# $w$ of being white has the likelihood $w$ if it is white and $1 - w$ if it is black, and the pixels are independent
# given $z$. Return distortion plus rate of each picture, (N,), in nats, and use your `kl`.


# %% tags=["exercise"]
def my_loss(white, x, mean, log_var):
    distortion = ...  # your code here
    return distortion


verdict = checks.vae_loss(my_loss)
vae_loss = verdict.working
verdict


# %% tags=["solution"]
def my_loss(white, x, mean, log_var):
    log_p = x * white.log() + (1 - x) * (1 - white).log()  # one of the two terms is 0
    distortion = -log_p.flatten(1).sum(1)
    return distortion + kl(mean, log_var)


# %% [markdown]
# This distortion is also known as **binary cross-entropy**. Now your loss takes the place of the package's. We keep the
# probabilities a little away from 0 and 1, where a logarithm has no end, and record both terms while it trains.
#
# **Predict.** Before the first step, the decoder says "one half" for every pixel. How many nats is that, for 784
# pixels?


# %%
def own_loss(vae, images, labels=None):
    white, mean, log_var, _ = vae(images)
    loss = vae_loss(white.clamp(1e-6, 1 - 1e-6), images, mean, log_var)
    rate = kl(mean, log_var)
    return {"loss": loss, "rate": rate, "distortion": loss - rate}


beginner, dark = DenseVAE(8), DenseVAE(8)
nn.init.constant_(dark.decoder[-1].bias, -2.0)  # starts dark, as in lesson 04
first, first_dark = (measure(m, test_set, own_loss)["loss"] for m in (beginner, dark))
own, history = train_vae(8, own_loss)
own_score = measure(own, test_set, own_loss)["loss"]

# %% tags=["figure"]
# The two terms during training, and what both losses reach
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
epochs = range(1, len(history.train["rate"]) + 1)
for ax, name, color in zip(axes, ("distortion", "rate"), plots.COLORS[1:]):
    ax.plot(epochs, history.train[name], "o-", color=color, ms=4)
    ax.set(title=f"{name} while your loss trains", xlabel="epoch", ylabel="nats per image")
    ax.set_ylim(0, None)
plots.show(
    figure,
    alt="Two curves over the epochs: the distortion falls steeply at first and then slowly; "
    "the rate dips, then rises and levels off.",
)
print(f"784 · log 2 = {784 * math.log(2):.0f} nats")
print(f"untrained: {first:.0f} nats; untrained, but starting dark: {first_dark:.0f} nats")
print(
    f"trained with your loss: {own_score:.1f}; with the package's: {scores['loss']:.1f} nats"
)

# %% tags=["claim"]
assert abs(first - 784 * math.log(2)) < 20 and first_dark < 0.8 * first
assert abs(own_score - scores["loss"]) < 2.5, "both losses should train equally well"
assert history.train["rate"][-1] > history.train["rate"][0] + 2, "the rate should rise"
assert min(history.train["rate"][1:4]) < history.train["rate"][0], "it should dip first"
assert history.train["distortion"][-1] < 0.7 * history.train["distortion"][0]
white, mean, log_var, _ = own(digits[:50])
theirs = losses.reconstruction_nll(white, digits[:50]) + losses.kl_divergence(mean, log_var)
ours = vae_loss(white.clamp(1e-6, 1 - 1e-6), digits[:50], mean, log_var)
assert torch.allclose(ours, theirs, rtol=1e-3), "your loss should be the package's"

# %% [markdown]
# Your loss does what the package's did. After a first dip the rate grows, and the distortion falls by much more: it
# pays to go on buying rate until one more nat of it would save less than one nat of distortion.
#
# An untrained VAE of this kind begins near $784 \log 2 \approx 543$ nats. Know what *your* first loss should be, although it
# depends on the start: the one that starts dark begins far lower, and is as healthy.
#
# Can the gap close completely, and what does a VAE give up if it cannot? [A VAE whose log p(x) is
# known](deeper/07_linear_vae.ipynb) (25 minutes, optional) looks behind the bound. Lesson 09 treats grey pixels
# and the symptoms of typical mistakes.
#
# ## Workshop · From autoencoder to generator (25 min)
#
# Below stands a plain autoencoder, all in one class. Turn it into a VAE **without looking at the sections above**. The
# check decodes 1,000 codes from $\mathcal N(0, I)$ and shows the pictures to a classifier. It compares the
# means and covariances of the classifier's 32 features with those of 1,000 real digits. The result is the
# **Fréchet distance**, which is 0 if they are equal. Bring it below **500**.
#
# 1. The encoder must say where the cloud is, and how wide.
# 2. Draw the code, so that the gradient passes.
# 3. Add the price. Is it, like the distortion, a sum for each picture?
# 4. Then improve: a wider network, another size of the code, a longer training?


# %% tags=["workshop"]
class Generator(nn.Module):
    latent_dim = 8

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, self.latent_dim)
        )
        self.decoder = nn.Sequential(
            nn.Linear(self.latent_dim, 256), nn.ReLU(), nn.Linear(256, 784)
        )

    def decode(self, z):
        return torch.sigmoid(self.decoder(z)).unflatten(1, (1, 28, 28))

    def loss(self, images, labels=None):
        z = self.encoder(images.flatten(1))
        white = self.decode(z)
        return F.binary_cross_entropy(white, images, reduction="none").flatten(1).sum(1)


mine = Generator()
fit(mine, train_set, Generator.loss, epochs=10, lr=5e-3, batch_size=100)

verdict = checks.lesson_07.workshop(mine)
verdict


# %% tags=["solution"]
class Generator(nn.Module):
    latent_dim = 8

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 2 * self.latent_dim)
        )
        self.decoder = nn.Sequential(
            nn.Linear(self.latent_dim, 256), nn.ReLU(), nn.Linear(256, 784)
        )

    def decode(self, z):
        return torch.sigmoid(self.decoder(z)).unflatten(1, (1, 28, 28))

    def loss(self, images, labels=None):
        mean, log_var = self.encoder(images.flatten(1)).chunk(2, dim=1)
        z = mean + (log_var / 2).exp() * torch.randn_like(mean)
        white = self.decode(z)
        distortion = F.binary_cross_entropy(white, images, reduction="none")
        rate = 0.5 * (mean**2 + log_var.exp() - log_var - 1)
        return distortion.flatten(1).sum(1) + rate.sum(1)


mine = Generator()
fit(mine, train_set, Generator.loss, epochs=25, lr=8e-3, batch_size=100)


# %% tags=["alternative"]
# All clouds have one width, which is learnt as a single number for each number of the code.
class Generator(nn.Module):
    latent_dim = 12

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(784, 300), nn.SiLU(), nn.Linear(300, self.latent_dim)
        )
        self.decoder = nn.Sequential(
            nn.Linear(self.latent_dim, 300), nn.SiLU(), nn.Linear(300, 784)
        )
        self.log_var = nn.Parameter(torch.full((self.latent_dim,), -1.0))

    def decode(self, z):
        return torch.sigmoid(self.decoder(z)).unflatten(1, (1, 28, 28))

    def loss(self, images, labels=None):
        mean = self.encoder(images.flatten(1))
        log_var = self.log_var.expand_as(mean)
        z = mean + (log_var / 2).exp() * torch.randn_like(mean)
        distortion = F.binary_cross_entropy(self.decode(z), images, reduction="none")
        return distortion.flatten(1).sum(1) + losses.kl_divergence(mean, log_var)


mine = Generator()
fit(mine, train_set, Generator.loss, epochs=25, lr=8e-3, batch_size=100)

# %% [markdown]
# **Going on.** Leave the rate out of your loss again, but keep the noise. What does the encoder do with its widths, and
# what becomes of the distance?
#
# ## Summary
#
# - A VAE is a story: a code is drawn from the prior, and the decoder says which pictures are likely for it. Training should
#   make the evidence $p(x)$ large, but that is an integral over all codes.
# - A guess $q(z \mid x)$, the encoder, says where to look. Then $\log p(x) = \text{ELBO} + D_{KL}(q \,\|\, p(z \mid x))$, so
#   the ELBO is a lower bound. Its gap is part approximation, part amortization.
# - $-$ELBO = distortion + rate, in nats per image: summed over pixels and over the numbers of the code, averaged over
#   pictures, with equal weights.
# - The rate has a closed form. The network gives $\log\sigma^2$, since every number is a valid one, and
#   $z = \mu + \sigma\varepsilon$ lets the gradient pass.
#
# ## Read and watch
#
# - D. Kingma, M. Welling, [Auto-encoding variational Bayes](https://arxiv.org/abs/1312.6114) (2014): the paper that started
#   it. D. Rezende, S. Mohamed and D. Wierstra found [the
#   same](https://arxiv.org/abs/1401.4082) independently.
# - D. Bertucci, A. Endert, [VAE Explainer](https://xnought.github.io/vae-explainer/) (2024): a VAE in the browser, to move by
#   hand.
# - Arxiv Insights, [Variational autoencoders](https://www.youtube.com/watch?v=9zKuYvjFFS8) (video, 15 minutes): the
#   whole idea once more, with animations.
# - D. Kingma, M. Welling, [An introduction to variational autoencoders](https://arxiv.org/abs/1906.02691) (2019): the long,
#   calm version by the inventors.
# - C. Cremer, X. Li, D. Duvenaud, [Inference suboptimality in variational autoencoders](https://arxiv.org/abs/1801.03558)
#   (2018): both gaps, measured.
#
# **Next:** [lesson 08 · A VAE for handwritten digits](08_a_vae_for_handwritten_digits.ipynb): a map of all digits,
# walks from one to the other, and several plausible answers to one question.
