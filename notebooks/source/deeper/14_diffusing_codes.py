# %% [markdown]
# # Deeper · Diffusing codes
#
# Lesson 10 drew codes for faces from a mixture of Gaussians, because the prior missed where the codes really are. Stable
# Diffusion does the same with a diffusion model. Is a tiny one better than our mixture, by the same ruler? We ask
# three times, with three seeds. You need section 6 of [lesson 10](../10_a_vae_for_faces.ipynb) and sections 1 to 3 of
# [lesson 14](../14_where_next.ipynb).

# %%
from itertools import pairwise

import torch
from sklearn.mixture import GaussianMixture
from torch import nn

from vae_helpers import evaluate, plots
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import load_faces
from vae_helpers.device import budget, pick_device, seed_everything
from vae_helpers.evaluate import decode_all, encode_all

plots.use_course_style()
device = pick_device()

# %% [markdown]
# ## 1 · The codes
#
# Where you have CelebA, these are codes of photographs by the shipped model `faces`; else codes of the faces that the
# course draws, by the model `portraits`. As in lesson 10, each face gives one draw from its small cloud
# $q(z \mid x)$.
#
# One Gaussian knows the mean and the covariance of this cloud of clouds. To begin where it ends, we **whiten** the
# codes: subtract the mean, turn to the eigenvectors of the covariance, and divide by the roots of the eigenvalues. In
# these coordinates one Gaussian is $\mathcal N(0, I)$, and everything that is left to learn is what it cannot know.

# %%
COUNT = budget(cpu=3_000, gpu=6_000)
train_set = load_faces("train").subset(slice(0, COUNT))
test_set = load_faces("test").subset(slice(0, 400))
photographs = train_set.source == "CelebA"
vae = load_pretrained("faces" if photographs else "portraits").to(device)


@torch.no_grad()
def draw_codes(images):
    """One code from the small cloud of each face, on the CPU."""
    parts = [vae.encode(part.to(device)) for part in images.floats.split(250)]
    return torch.cat([vae.reparameterize(*part).cpu() for part in parts])


seed_everything(0)
codes, test_codes = draw_codes(train_set), draw_codes(test_set)

# %%
mean = codes.mean(0)
eigenvalues, directions = torch.linalg.eigh(torch.cov(codes.T))
scale = directions * eigenvalues.clamp_min(1e-6).sqrt()  # whitened → codes
white = (codes - mean) @ directions / eigenvalues.clamp_min(1e-6).sqrt()
white_test = (test_codes - mean) @ directions / eigenvalues.clamp_min(1e-6).sqrt()
d = codes.shape[1]

# %% [markdown]
# ## 2 · A denoiser for codes
#
# It is the denoiser of lesson 14 without convolutions. For $\mathcal N(0, I)$ the best guess is known, $\tilde u / (1 +
# \sigma^2)$, and the network only adds a correction. Its last layer starts at zero, so an untrained network *is* one
# Gaussian. Will training make it better?


# %%
class CodeDenoiser(nn.Module):
    def __init__(self, wide=256):
        super().__init__()
        layers = [nn.Linear(d + 1, wide), nn.SiLU(), nn.Linear(wide, wide), nn.SiLU()]
        self.net = nn.Sequential(*layers, nn.Dropout(0.1), nn.Linear(wide, d))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, noisy, sigma):
        """The best guess for whitened codes (N, d) with noise of strength sigma (N, 1)."""
        total = (1 + sigma**2).sqrt()
        correction = self.net(torch.cat([noisy / total, sigma.log()], 1))
        return noisy / total**2 + sigma / total * correction


WEAKEST, STRONGEST = 0.05, 10.0


def loss_of(model, u):
    """Mean squared error of the correction per number; 1 would be a network that learnt nothing."""
    sigma = WEAKEST * (STRONGEST / WEAKEST) ** torch.rand(len(u), 1, device=u.device)
    guess = model(u + sigma * torch.randn_like(u), sigma)
    return ((guess - u).square() * (1 + sigma**2) / sigma**2).mean()


# %%
STEPS = budget(cpu=1_500, gpu=6_000)


def train(seed):
    seed_everything(seed)
    model, u = CodeDenoiser().to(device), white.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=2e-3, total_steps=STEPS
    )
    for _ in range(STEPS):
        loss = loss_of(model, u[torch.randint(len(u), (256,), device=device)])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


# %%
@torch.no_grad()
def diffuse(model, count, steps=150):
    """Codes (count, d) at the end of a walk from noise, as in lesson 14, without fresh noise."""
    u = (1 + STRONGEST**2) ** 0.5 * torch.randn(count, d, device=device)
    sigmas = STRONGEST * (WEAKEST / STRONGEST) ** torch.linspace(0, 1, steps)
    for sigma, weaker in pairwise([*sigmas.tolist(), 0.0]):
        guess = model(u, torch.full((count, 1), sigma, device=device))
        u = guess + weaker / sigma * (u - guess)
    return u.cpu() @ scale.T + mean


denoisers = [train(seed) for seed in range(3)]

# %%
one_gaussian = CodeDenoiser().to(device).eval()  # untrained: its corrections are zero


@torch.no_grad()
def error(model, u):
    """The loss on codes u, each in 8 noises that are the same for every model."""
    seed_everything(0)
    return loss_of(model, u.to(device).repeat(8, 1)).item()


gains = []
for seed, model in enumerate(denoisers):
    gains.append(
        [100 * (1 - error(model, u) / error(one_gaussian, u)) for u in (white, white_test)]
    )
    known, new = gains[-1]
    print(
        f"seed {seed}: error below one Gaussian's by {known:.1f}% (known codes), {new:.1f}% (new)"
    )

# %% [markdown]
# ## 3 · The mixture, and the ruler
#
# The mixture gets what it got in lesson 10: full covariances, and the number of Gaussians that is best on codes it was
# not fitted to; then three fits from three starts.
#
# **Predict.** The ruler compares means and covariances of features. One Gaussian, fitted to the codes, has the right
# mean and covariance of *codes*. Whom does this ruler favour?

# %%
COUNTS, HELD_OUT = (1, 4, 8), len(codes) // 5


def mixture(components, seed, z=codes):
    fitted = GaussianMixture(components, reg_covar=1e-3, tol=0.02, random_state=seed)
    return fitted.fit(z.double().numpy())


tried = {
    k: mixture(k, 0, codes[HELD_OUT:]).score(codes[:HELD_OUT].double().numpy())
    for k in COUNTS
}
best = max(COUNTS, key=tried.get)
print(*(f"{k} Gaussians: {nats:.1f} nats" for k, nats in tried.items()), sep=" · ")


def from_mixture(fitted, count):
    return torch.from_numpy(fitted.sample(count)[0]).float()[torch.randperm(count)]


judge = load_pretrained("face_judge").to(device)


@torch.no_grad()
def features(images):
    return torch.cat([judge.features(part.to(device)).cpu() for part in images.split(250)])


# %%
N = len(test_set)
drawn = {}
for seed in range(3):
    seed_everything(seed)
    ways = {
        "one Gaussian": torch.randn(N, d) @ scale.T + mean,
        f"mixture of {best}": from_mixture(mixture(best, seed), N),
        "diffusion": diffuse(denoisers[seed], N),
    }
    for name, z in ways.items():
        drawn.setdefault(name, []).append(z)
rebuilt = decode_all(vae, encode_all(vae, test_set.floats)).cpu()
target = features(rebuilt)
pictures = {
    name: [decode_all(vae, z).cpu() for z in several] for name, several in drawn.items()
}
distances = {
    name: [evaluate.frechet_distance(features(x), target) for x in several]
    for name, several in pictures.items()
}
others = decode_all(vae, codes[:N]).cpu()  # real codes of other faces: the floor
floor = evaluate.frechet_distance(features(others), target)

# %% tags=["figure"]
# Fréchet distances to reconstructed test faces, three seeds each
print(f"{'codes':22}Fréchet distance of {N} faces to reconstructions: three seeds, mean")
for name, found in distances.items():
    print(f"{name:22}" + "".join(f"{x:8.2f}" for x in found) + f"{sum(found) / 3:12.2f}")
print(f"{'codes of other faces':22}{'':24}{floor:12.2f}")
every = {
    **{name: torch.cat(several) for name, several in drawn.items()},
    "test faces": test_codes,
}
print(
    "codes: mean standard deviation of a number, median distance to the nearest training code"
)
spread = {name: z.std(0).mean().item() for name, z in every.items()}
for name, z in every.items():
    print(
        f"{name:22}{spread[name]:8.2f}{torch.cdist(z, codes).min(1).values.median():8.2f}"
    )

# %% tags=["figure"]
# Five faces of each
plots.show(
    plots.image_rows(
        {name.replace(" of", "\nof"): several[0][:5] for name, several in pictures.items()},
        "The same decoder, codes from three densities",
    ),
    alt="Three rows of five faces: from one Gaussian, from the mixture and from the diffusion model. All are faces, and the rows "
    "are hard to tell apart.",
)

# %% tags=["claim"]
single, mixed, walked = (sum(found) / 3 for found in distances.values())
assert floor < min(single, mixed, walked), "real codes are nearest"
assert all(new > 0 for _, new in gains), "the denoisers should know more than one Gaussian"
assert walked < 1.6 * single, "and its samples are about as good, at least"
if not photographs:  # measured with the drawn faces
    assert spread["diffusion"] < 0.97 * spread["test faces"], "too near the middle"
    assert mixed < single and max(list(distances.values())[1]) < min(distances["diffusion"])

# %% [markdown]
# **It does not beat the mixture.** With the drawn faces the mixture is nearer with each of the three seeds, and the
# walk ends about where one Gaussian does. (With photographs, read your own table.) Why, although the denoiser
# guesses new codes better than one Gaussian, as section 2 showed?
#
# - **These codes are easy for a mixture.** The KL has pressed them into something close to a bell curve, so a few
#   Gaussians with full covariances describe almost everything, and EM fits them with closed formulas.
#   A network has to find the same from noisy examples, a few thousand of them.
# - **The ruler likes Gaussians**, since it compares nothing but means and covariances of features. What else the
#   walk may have learnt, it does not see.
# - **Small errors add up.** Each step trusts a guess that is a little too cautious, and the next one starts from there.
#   So the walk ends too near the middle: the second table shows codes with less spread than real ones.
#
# Then why does anybody diffuse? Because not all codes are like ours. Those of Stable Diffusion are maps of 4 × 64 × 64
# numbers, with a KL so light that they are nowhere near a bell curve. A single full covariance of them has $16{,}384^2$
# entries, more than 268 million; a U-Net needs no such table, knows that neighbours belong together, and gets
# better with each million of pictures. A tool is good for a *size* of problem. At ours, a method of 1977, EM,
# is hard to beat, and it takes a measurement to know.
#
# Back to [lesson 14 · Where next](../14_where_next.ipynb).
