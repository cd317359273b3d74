# %% [markdown]
# # Deeper · Two levels of code
#
# A face has a shape, and it has eyelashes. A code that lists both side by side makes no difference between them. A
# **hierarchical VAE** does: a coarse code on top, and below it a fine code that depends on the coarse one. Does a
# second level buy anything, if the number of code units stays the same? And why did the first tries leave the
# upper level empty? You need lessons [07](../07_the_vae_piece_by_piece.ipynb) and
# [08](../08_a_vae_for_handwritten_digits.ipynb). This page belongs to [lesson 14](../14_where_next.ipynb).

# %%
import functools
import itertools

import torch
from torch import nn

from vae_helpers import losses, plots
from vae_helpers.data import load_digits
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.train import fit, measure

plots.use_course_style()
device = pick_device()
train_set = load_digits("train").subset(slice(0, budget(cpu=3_500, gpu=20_000))).to(device)
test_set = load_digits("test")
test_bw = test_set.subset(slice(None, None, len(test_set) // 1_000)).binarized().to(device)

# %% [markdown]
# ## 1 · Two levels
#
# The decoder first draws the upper code $z_2$ from $\mathcal N(0, I)$, then the lower code $z_1$ from a Gaussian whose
# mean and variance **depend on** $z_2$, and then the picture. The prior of $z_1$ is now learnt. The ELBO has one rate
# for each level,
#
# $$ \mathbb E_q \big[ \log p(x \mid z) \big] - D_{KL}\big( q(z_2 \mid x) \,\|\, \mathcal N(0, I) \big) -
# \mathbb E_{q} \Big[ D_{KL}\big( q(z_1 \mid x, z_2) \,\|\, p(z_1 \mid z_2) \big) \Big], $$
#
# and the KL between two Gaussians with diagonal covariances is a sum over the units of
#
# $$ \tfrac12 \Big( \log \frac{\sigma_p^2}{\sigma_q^2} + \frac{\sigma_q^2 + (\mu_q - \mu_p)^2}{\sigma_p^2} - 1 \Big). $$
#
# There are two ways to connect the parts. In the **chain**, each level only sees its neighbour: the encoder goes
# $x \to z_1 \to z_2$, and the decoder draws the picture from $z_1$ alone. In the **top-down** form, which the Ladder VAE
# ([Sønderby and others, 2016](https://arxiv.org/abs/1602.02282)) began and which all deep VAEs use today, the encoder
# finds $z_2$ first and then $z_1$ *knowing* $z_2$, and a shortcut leads from $z_2$ to the picture.


# %%
def mlp(*sizes):
    """Dense layers with SiLU between them."""
    layers = []
    for size_in, size_out in itertools.pairwise(sizes):
        layers += [nn.Linear(size_in, size_out), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def draw(mean, log_var):
    return mean + (log_var / 2).exp() * torch.randn_like(mean)


def kl(q_mean, q_log_var, p_mean, p_log_var):
    """KL(q ‖ p) of diagonal Gaussians, (N, d) each → (N,) nats."""
    squares = q_log_var.exp() + (q_mean - p_mean).square()
    return 0.5 * (p_log_var - q_log_var + squares / p_log_var.exp() - 1).sum(1)


# %%
UPPER, LOWER, WIDE = 8, 16, 200


class TwoLevels(nn.Module):
    def __init__(self, chain):
        super().__init__()
        self.chain = chain
        self.see = nn.Sequential(nn.Flatten(), mlp(784, WIDE), nn.SiLU())
        self.to_upper = mlp(LOWER if chain else WIDE, 100, 2 * UPPER)
        self.to_lower = mlp(WIDE if chain else WIDE + UPPER, 100, 2 * LOWER)
        self.prior = mlp(UPPER, 100, 2 * LOWER)  # p(z1 | z2)
        self.paint = mlp(LOWER if chain else LOWER + UPPER, WIDE, 784)

    def encode(self, x):
        """Codes and their Gaussians: z2, q(z2), z1, q(z1)."""
        seen = self.see(x)
        if self.chain:
            q1 = self.to_lower(seen).chunk(2, 1)
            q2 = self.to_upper(z1 := draw(*q1)).chunk(2, 1)
            return draw(*q2), q2, z1, q1
        q2 = self.to_upper(seen).chunk(2, 1)
        z2 = draw(*q2)
        q1 = self.to_lower(torch.cat([seen, z2], 1)).chunk(2, 1)
        return z2, q2, draw(*q1), q1

    def decode(self, z2, z1):
        z = z1 if self.chain else torch.cat([z1, z2], 1)
        return self.paint(z).view(-1, 1, 28, 28)  # logits


# %%
def two_level_loss(model, images, labels, binarize=True):
    x = torch.bernoulli(images) if binarize else images
    z2, q2, z1, q1 = model.encode(x)
    logits = model.decode(z2, z1)
    distortion = losses.reconstruction_nll(logits.sigmoid(), x, logits=logits)
    upper = kl(*q2, torch.zeros_like(z2), torch.zeros_like(z2))
    lower = kl(*q1, *model.prior(z2).chunk(2, 1))
    loss = distortion + upper + lower
    return {"loss": loss, "distortion": distortion, "upper": upper, "lower": lower}


# %%
class OneLevel(nn.Module):
    """As many code units, and about as many weights, in one level; its prior is N(0, I) or learnt."""

    def __init__(self, learnt):
        super().__init__()
        self.see = nn.Sequential(
            nn.Flatten(), mlp(784, WIDE + 10, 100, 2 * (UPPER + LOWER))
        )
        self.paint = mlp(UPPER + LOWER, WIDE + 10, 784)
        # Mean and log-variance of the prior; at first those of N(0, I).
        self.prior = nn.Parameter(torch.zeros(2, 1, UPPER + LOWER), requires_grad=learnt)


def one_level_loss(model, images, labels, binarize=True):
    x = torch.bernoulli(images) if binarize else images
    mean, log_var = model.see(x).chunk(2, 1)
    logits = model.paint(draw(mean, log_var)).view_as(x)
    distortion = losses.reconstruction_nll(logits.sigmoid(), x, logits=logits)
    rate = kl(mean, log_var, *model.prior)
    return {"loss": distortion + rate, "distortion": distortion, "rate": rate}


# %% [markdown]
# The hierarchies have one more advantage over the plain VAE: the prior of $z_1$ can choose its own mean and width. As a
# **control**, a fourth model has one level, and a prior whose mean and width are learnt.
#
# **Predict.** Same digits, same steps, three starts each. In which order will the four finish? And how many nats will
# the chain put into its upper level?

# %%
EPOCHS = budget(cpu=12, gpu=40)
KINDS = {
    "one level": (functools.partial(OneLevel, False), one_level_loss),
    "one, learnt prior": (functools.partial(OneLevel, True), one_level_loss),
    "chain": (functools.partial(TwoLevels, True), two_level_loss),
    "top-down": (functools.partial(TwoLevels, False), two_level_loss),
}
found, trained = {}, {}
for name, (build, loss) in KINDS.items():
    for seed in range(3):
        seed_everything(seed)
        trained[name] = model = build()
        fit(model, train_set, loss, epochs=EPOCHS, batch_size=64, lr=3e-3, seed=seed)
        scores = measure(model, test_bw, functools.partial(loss, binarize=False))
        found.setdefault(name, []).append(scores)

# %% tags=["figure"]
# The −ELBO of the four kinds, and where the nats go
print(f"{'nats per test image':20}{'weights':>9}{'−ELBO (lowest to highest)':>28}", end="")
print(f"{'distortion':>12}{'upper rate':>12}{'lower rate':>12}")
means = {}
for name, runs in found.items():
    means[name] = mean = {key: sum(run[key] for run in runs) / 3 for key in runs[0]}
    totals = [run["loss"] for run in runs]
    weights = sum(p.numel() for p in trained[name].parameters())
    span = f"({min(totals):.1f} to {max(totals):.1f})"
    print(
        f"{name:20}{weights:9,}{mean['loss']:11.1f} {span:>16}{mean['distortion']:12.1f}",
        end="",
    )
    print(
        f"{mean.get('upper', float('nan')):12.1f}{mean.get('lower', mean.get('rate')):12.1f}"
    )

# %% tags=["figure"]
# Digits of one upper code with five lower codes, and the other way round
seed_everything(1)
model = trained["top-down"]
with torch.no_grad():
    z2 = torch.randn(4, UPPER, device=device).repeat_interleave(5, 0)
    same_upper = model.decode(z2, draw(*model.prior(z2).chunk(2, 1))).sigmoid()
    other_upper = torch.randn(20, UPPER, device=device)
    noise = torch.randn(4, LOWER, device=device).repeat_interleave(5, 0)
    mean, log_var = model.prior(other_upper).chunk(2, 1)
    same_noise = model.decode(other_upper, mean + (log_var / 2).exp() * noise).sigmoid()
rows = {}
for k in range(4):
    rows[" " * (k + 1)] = torch.cat(
        [same_upper[5 * k : 5 * k + 5], same_noise[5 * k : 5 * k + 5]]
    )
plots.show(
    plots.image_rows(
        rows,
        "Left half: one upper code per row, five lower ones.\nRight half: one draw for the lower code per row, five upper ones",
    ),
    alt="Four rows of ten digits. In the left half of a row the same digit appears five times with small differences; in the "
    "right half five different digits.",
)
apart = {
    name: (x.unflatten(0, (4, 5)) - x.unflatten(0, (4, 5)).mean(1, keepdim=True)).square().flatten(2).sum(2).mean().item()
    for name, x in (("same upper code", same_upper), ("same lower draw", same_noise))
}  # fmt: skip
for name, value in apart.items():
    print(f"{name}: squared distance from the mean of five {value:.1f}")

# %% tags=["claim"]
totals = {name: [run["loss"] for run in runs] for name, runs in found.items()}
two = max(means["chain"]["loss"], means["top-down"]["loss"])
assert two < means["one level"]["loss"] - 2, "two levels should be ahead"
assert means["one, learnt prior"]["loss"] < means["one level"]["loss"] + 0.5
assert abs(means["chain"]["loss"] - means["top-down"]["loss"]) < 4, "and close together"
assert means["chain"]["upper"] < 4 < means["top-down"]["upper"], (
    "the chain's top is nearly empty"
)
assert apart["same upper code"] < 0.9 * apart["same lower draw"], (
    "the upper code is the coarse one"
)

# %% [markdown]
# Both forms with two levels are ahead of the plain VAE. But the control takes away a part of this lead, since a prior
# that may choose its own width makes a short training easier. And look where the nats are. The **chain** leaves its upper
# level nearly empty, and yet is close to the top-down form. So on digits of this size, what a second level *says*
# buys little.
#
# Why is the top of the chain empty? The picture is painted from $z_1$ alone, so $z_1$ must say everything, and all that
# $z_2$ can do is to make $z_1$ a little less surprising. That saves few nats and costs its own rate, so training lets
# it collapse (lesson 08). In the **top-down** form $z_2$ has a way of its own to the picture, and the lower level only
# needs to say what is still missing. There the upper level is used, and used for what is coarse: in the left half of
# the figure the digits of a row, which share their upper code, resemble each other more than those of the right half,
# which share the draw of the lower one.
#
# With two levels and digits one may shrug. But the recipe, top down and with shortcuts, goes on working with thirty or
# seventy levels on large pictures, where one level of code would be hopeless: so
# [NVAE](https://arxiv.org/abs/2007.03898) and [very deep VAEs](https://arxiv.org/abs/2011.10650) caught up with the other
# models of their time. And a diffusion model (lesson 14) is a hierarchy of this kind with a level for each noise.
#
# Back to [lesson 14 · Where next](../14_where_next.ipynb).
