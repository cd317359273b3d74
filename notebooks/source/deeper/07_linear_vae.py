# %% [markdown]
# # Deeper · A VAE whose log p(x) is known
#
# A VAE maximises the ELBO, which is only a bound. Does the evidence $\log p(x)$ rise with it? Can the gap close, and
# what does a VAE give up if it cannot? [Lesson 07](../07_the_vae_piece_by_piece.ipynb) summed over a grid for a code of
# one number. Here are two VAEs that let us look behind the bound during the whole training: a **linear** one, in which
# everything is known by formula, and a small bent one, which prefers an easy story to the true one.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import nn

from vae_helpers import plots
from vae_helpers.device import seed_everything
from vae_helpers.losses import kl_divergence

plots.use_course_style()
seed_everything(0)


def log_normal(value, mean, sigma):
    return -0.5 * ((value - mean) / sigma) ** 2 - sigma.log() - 0.5 * math.log(2 * math.pi)


def reparameterize(mean, log_var):
    return mean + (log_var / 2).exp() * torch.randn_like(mean)


# %% [markdown]
# ## 1 · The linear VAE
#
# The decoder is $f(z) = Wz + b$ with Gaussian noise of the width $\sigma$ on every number. A sum of Gaussians is
# a Gaussian, so
#
# $$ p(x) = \mathcal N\big(x;\; b,\; W W^\top + \sigma^2 I\big). $$
#
# This is [probabilistic PCA](02_probabilistic_pca.ipynb) (with $b$ for the mean), and its best parameters have a formula
# (Tipping and Bishop, 1999). Take the covariance matrix of the data, its eigenvalues
# $\lambda_1 \ge \lambda_2 \ge \dots$, which are the variances along PCA's directions, and its eigenvectors $u_j$, the
# directions themselves. The best $\sigma^2$ is the mean of the left-out eigenvalues, and the columns of $W$ are
# $u_j \sqrt{\lambda_j - \sigma^2}$.
#
# The posterior of this model is Gaussian, its mean is linear in $x$, and its widths are the same for every $x$. So a linear
# encoder with a Gaussian cloud *can* be perfect. Will it? Two hidden causes drive six sensors. (`qr` turns
# random directions into perpendicular ones.)

# %%
directions = torch.linalg.qr(torch.randn(6, 6)).Q[:, :2]
causes = torch.randn(2000, 2) * torch.tensor([2.0, 1.2])
x = 3 + causes @ directions.T + 0.5 * torch.randn(2000, 6)


def exact_evidence(x, W, b, sigma):
    """The mean log p(x) of a linear decoder, in nats, by the formula."""
    covariance = W @ W.T + sigma**2 * torch.eye(len(b))
    return torch.distributions.MultivariateNormal(b, covariance).log_prob(x).mean().item()


eigenvalues, eigenvectors = torch.linalg.eigh(torch.cov(x.T, correction=0))
eigenvalues, eigenvectors = eigenvalues.flip(0), eigenvectors.flip(1)  # largest first
best_sigma = eigenvalues[2:].mean().sqrt()
best_W = eigenvectors[:, :2] * (eigenvalues[:2] - best_sigma**2).sqrt()
optimum = exact_evidence(x, best_W, x.mean(0), best_sigma)


# %%
class LinearVAE(nn.Module):
    """Six numbers → a code of two → six numbers; the clouds' width is the same for every x."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(6, 2), nn.Linear(2, 6)
        self.log_var = nn.Parameter(torch.zeros(2))
        self.log_sigma = nn.Parameter(torch.zeros(()))  # of the decoder's noise

    def loss(self, x):
        """−ELBO with one draw per row of x."""
        mean = self.encoder(x)
        log_var = self.log_var.expand_as(mean)
        z = reparameterize(mean, log_var)
        distortion = -log_normal(x, self.decoder(z), self.log_sigma.exp()).sum(1)
        return distortion + kl_divergence(mean, log_var)

    def exact_loss(self, x):
        """The same without drawing: a cloud's width adds Σⱼ σⱼ² |wⱼ|² to the squared error."""
        mean, sigma = self.encoder(x), self.log_sigma.exp()
        scatter = (self.log_var.exp() * self.decoder.weight.square().sum(0)).sum()
        distortion = -log_normal(x, self.decoder(mean), sigma).sum(1) + scatter / (
            2 * sigma**2
        )
        return distortion + kl_divergence(mean, self.log_var.expand_as(mean))


# %% [markdown]
# The training is ours: Adam on one draw per row, with a learning rate that falls to 0 along half a cosine
# (`CosineAnnealingLR`). Every 50 steps we note the exact ELBO and the exact evidence.
#
# **Predict.** The VAE knows nothing of eigenvectors. How near to the formula's optimum will it come?

# %%
STEPS = 1000
vae = LinearVAE()
optimizer = torch.optim.Adam(vae.parameters(), lr=0.05)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)
record = []
for step in range(STEPS + 1):
    if step % 50 == 0:
        with torch.no_grad():
            W, b, sigma = vae.decoder.weight, vae.decoder.bias, vae.log_sigma.exp()
            elbo = -vae.exact_loss(x).mean().item()
            record.append((step, exact_evidence(x, W, b, sigma), elbo))
    optimizer.zero_grad()
    vae.loss(x).mean().backward()
    optimizer.step()
    schedule.step()
at, evidence, elbo = torch.tensor(record).T

# %% tags=["figure"]
# Exact evidence and ELBO during training, and the two gaps
figure, axes = plt.subplots(1, 2, figsize=(9, 3.7))
axes[0].axhline(optimum, color="0.5", linestyle=":", label="optimum, by formula")
axes[0].plot(at, evidence, color=plots.COLORS[1], label="log p(x), exact")
axes[0].plot(at, elbo, "--", color=plots.COLORS[2], label="ELBO, exact")
axes[0].set(
    title="A linear VAE learns probabilistic PCA",
    xlabel="step",
    ylabel="nats per data point",
    ylim=(optimum - 2, optimum + 0.2),
)
axes[0].legend(loc="lower right")
gaps = (evidence - elbo).clamp(min=1e-7), (optimum - evidence).clamp(min=1e-7)
axes[1].semilogy(at, gaps[0], color=plots.COLORS[3], label="log p(x) − ELBO")
axes[1].semilogy(at, gaps[1], "--", color="black", label="optimum − log p(x)")
axes[1].set(title="Both gaps close", xlabel="step", ylabel="nats (logarithmic)")
axes[1].legend()
plots.show(
    figure,
    alt="Left: log p(x) and the ELBO rise until both lie on the dotted line of the optimum. Right: on a logarithmic axis the gap "
    "between them and the gap to the optimum both fall by several orders of magnitude.",
)
with torch.no_grad():
    W, sigma = vae.decoder.weight, vae.log_sigma.exp()
    # The singular values of the product of two perpendicular frames are cosines of the angles between their planes.
    cosines = torch.linalg.svdvals(torch.linalg.qr(W).Q.T @ eigenvectors[:, :2])
    angle = torch.rad2deg(cosines.clamp(max=1).acos()).max().item()
    columns = nn.functional.normalize(W, dim=0)
    nearest = (columns.T @ eigenvectors[:, :2]).abs().amax(1).clamp(max=1)
    axis_angles = torch.rad2deg(nearest.acos()).tolist()
    true_variances = torch.linalg.inv(W.T @ W / sigma**2 + torch.eye(2)).diagonal()
print(
    f"gap log p(x) − ELBO {evidence[-1] - elbo[-1]:.4f}, gap to the optimum {optimum - evidence[-1]:.4f} nats"
)
print(f"noise σ: learned {sigma:.4f}, by formula {best_sigma:.4f}")
print(f"angle between the VAE's plane and PCA's: {angle:.2f}°")
print("angles of W's columns to PCA's axes:", ", ".join(f"{a:.1f}°" for a in axis_angles))
print(
    "clouds' variance: learned", [round(v, 3) for v in vae.log_var.exp().tolist()], end=", "
)
print("exact", [round(v, 3) for v in true_variances.tolist()])

# %% tags=["claim"]
assert abs(evidence[-1] - elbo[-1]) < 0.02 and -1e-3 <= optimum - evidence[-1] < 0.02
assert abs(sigma - best_sigma) < 0.02 and angle < 2
assert torch.allclose(vae.log_var.exp(), true_variances, rtol=0.1)
assert max(axis_angles) < 10, "the columns of W should be PCA's axes"
assert abs(columns[:, 0] @ columns[:, 1]) < 0.15, "and so perpendicular to each other"

# %% [markdown]
# Both gaps close. Gradient descent on a bound, with random draws, found the optimum that the formula gives, and the
# clouds have the exact posterior's widths.
#
# There is a bonus. The linear autoencoder of lesson 02 found PCA's *plane*, but with arbitrary axes in it. This VAE's
# columns of $W$ lie close to PCA's *axes*. The reason is the guess, in which the numbers of the code are independent. The
# posterior is like that only if the columns are perpendicular, and the gap punishes everything else (Lucas and
# others, 2019).
#
# ## 2 · A bent one
#
# Now a story that no linear decoder can tell. A dial $z \sim \mathcal N(0, 1)$ drives a sensor that saturates, $x = 2 \tanh 1.5 z$ plus
# noise of the width 0.4. The VAE sees 4,000 readings and must invent a sensor of its own, a small network, with
# one number per code. At any moment a grid gives the exact $\log p(x)$ under the *learned* decoder.
#
# **Predict.** The loss is the ELBO, and nobody maximises $\log p(x)$. Will it rise all the same? Will the VAE find the
# true sensor?

# %%
sigma_x = torch.tensor(0.4)
z = torch.linspace(-6, 6, 601)
dz = 12 / 600
log_prior = log_normal(z, torch.tensor(0.0), torch.tensor(1.0))


def sensor(z):
    return 2 * torch.tanh(1.5 * z)


def log_joint(x, decoder):
    """log p(x, z) for readings x (N,) at each position of the grid."""
    return log_prior + log_normal(x[:, None], decoder(z), sigma_x)


def log_evidence(x, decoder):
    return torch.logsumexp(log_joint(x, decoder), dim=1) + math.log(dz)


def elbo_on_grid(mean, log_var, x, decoder):
    log_q = log_normal(z, mean[:, None], (log_var / 2).exp()[:, None])
    return (log_q.exp() * (log_joint(x, decoder) - log_q)).sum(1) * dz


def readings(count):
    return sensor(torch.randn(count)) + sigma_x * torch.randn(count)


seen, fresh = readings(4000), readings(500)

# %%
bent_encoder = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 2))
bent_decoder = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
both = [*bent_encoder.parameters(), *bent_decoder.parameters()]


def learned_sensor(z):
    return bent_decoder(z[:, None])[:, 0]


BENT_STEPS = 1500
optimizer = torch.optim.Adam(both, lr=0.004)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=BENT_STEPS)
watched = []
for step in range(BENT_STEPS + 1):
    if step % 50 == 0:
        with torch.no_grad():
            elbos = elbo_on_grid(*bent_encoder(fresh[:, None]).T, fresh, learned_sensor)
            truths = log_evidence(fresh, learned_sensor)
            watched.append((step, truths.mean().item(), elbos.mean().item()))
    batch = seen[torch.randint(len(seen), (250,)), None]
    mean, log_var = bent_encoder(batch).chunk(2, dim=1)
    rebuilt = bent_decoder(reparameterize(mean, log_var))
    loss = -log_normal(batch, rebuilt, sigma_x).sum(1) + kl_divergence(mean, log_var)
    optimizer.zero_grad()
    loss.mean().backward()
    optimizer.step()
    schedule.step()

# %% tags=["figure"]
# The bound during training, the density that was learned, and the encoder's guess on the true posterior
steps_at, truths, elbos = torch.tensor(watched).T
ceiling = log_evidence(fresh, sensor).mean().item()
x_axis = torch.linspace(-4, 4, 401)
with torch.no_grad():
    means, log_vars = bent_encoder(x_axis[:, None]).T
    believed = log_evidence(x_axis, learned_sensor).exp()
    posterior = (log_joint(x_axis, learned_sensor) - believed.log()[:, None]).exp()
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.7))
axes[0].axhline(ceiling, color="0.5", linestyle=":", label="true story")
axes[0].plot(steps_at, truths, color=plots.COLORS[1], label="log p(x)")
axes[0].plot(steps_at, elbos, "--", color=plots.COLORS[2], label="ELBO")
axes[0].set(
    title="The bound pushes the truth up",
    xlabel="step",
    ylabel="nats per reading (fresh)",
    ylim=(min(elbos.max().item(), ceiling) - 1.3, ceiling + 0.15),
)
axes[0].legend(loc="lower right")
axes[1].hist(seen.numpy(), bins=60, range=(-4, 4), density=True, color="0.85", label="data")
axes[1].plot(
    x_axis, log_evidence(x_axis, sensor).exp(), ":", color="0.3", label="true p(x)"
)
axes[1].plot(x_axis, believed, color=plots.COLORS[1], label="learned p(x)")
axes[1].set(
    title="What the VAE believes", xlabel="reading x", ylabel="density", ylim=(0, 0.5)
)
axes[1].legend(loc="upper center", fontsize=9)
axes[2].imshow(
    posterior.T, origin="lower", extent=(-4, 4, -6, 6), aspect="auto", cmap="Greys", vmax=2
)
widths = (log_vars / 2).exp()
axes[2].plot(x_axis, means, color=plots.COLORS[3], lw=2, label="encoder's mean")
for side, label in ((-2, "± 2σ"), (2, None)):
    axes[2].plot(x_axis, means + side * widths, "--", color=plots.COLORS[3], label=label)
axes[2].set(
    title="Its guess", xlabel="reading x", ylabel="code z", xlim=(-3, 3), ylim=(-3.5, 3.5)
)
axes[2].legend(loc="best", fontsize=9)
plots.show(
    figure,
    alt="Left: ELBO and log p(x) rise together, the ELBO always slightly below, towards a dotted line. Middle: the learned density "
    "has two peaks like the data, but the valley between them is too shallow. Right: the encoder's mean and its band "
    "of two sigma follow the grey shape of the true posterior.",
)
print(
    f"at the end: log p(x) {truths[-1]:.3f}, ELBO {elbos[-1]:.3f}; true story {ceiling:.3f} nats"
)

# %% tags=["claim"]
assert (truths - elbos > -1e-3).all(), "the ELBO must stay below log p(x)"
assert truths[-1] - elbos[-1] < 0.25 and truths[-1] > ceiling - 0.1
assert truths[-1] > truths[0] + 0.3, "log p(x) should rise"

# %% [markdown]
# It rises, and comes close to what the true story itself reaches, and the ELBO stays below at every moment. (If the green
# curve falls, the learned dial turns the other way. Both stories give the same $p(x)$, so data cannot tell them
# apart.) But the valley in the middle is not deep enough. Why does the VAE not simply copy the true sensor?
#
# ## 3 · It prefers the easy story
#
# To compare the two stories fairly, we give the true one the best Gaussian guess for each single reading, found by
# gradient descent.

# %%
few = fresh[:100]
guess = torch.zeros(2, len(few), requires_grad=True)  # a mean and a log_var for each
optimizer = torch.optim.Adam([guess], lr=0.1)
for _ in range(150):
    optimizer.zero_grad()
    (-elbo_on_grid(*guess, few, sensor).mean()).backward()
    optimizer.step()
with torch.no_grad():
    stories = {
        "true story, best guesses": (sensor, guess),
        "learned story": (learned_sensor, bent_encoder(few[:, None]).T),
    }
    table = {
        name: (log_evidence(few, f).mean().item(), elbo_on_grid(*q, few, f).mean().item())
        for name, (f, q) in stories.items()
    }
for name, (log_p, elbo) in table.items():
    print(f"{name:25} log p(x) {log_p:.3f}   ELBO {elbo:.3f}   gap {log_p - elbo:.3f} nats")

# %% tags=["claim"]
(true_p, true_elbo), (learned_p, learned_elbo) = table.values()
valley = log_evidence(torch.zeros(1), sensor).exp().item()
assert believed[200] > 1.1 * valley, "the learned valley should be too shallow"
assert learned_elbo > true_elbo - 0.005, "the learned story should have the higher ELBO"
assert true_p - true_elbo > learned_p - learned_elbo + 0.02, "and the smaller gap"
assert learned_p < true_p, "and explain the readings a little worse"

# %% [markdown]
# The learned story explains the readings a little worse, but a Gaussian matches its posteriors better. Its gap is
# smaller, so its ELBO is at least as high. We asked for a large ELBO and got it. **A VAE prefers a story that its encoder can
# guess well.** Keep this in mind when a VAE turns out simpler than its data.
#
# ## Read
#
# - J. Lucas, G. Tucker, R. Grosse, M. Norouzi, [Don't blame the ELBO!](https://arxiv.org/abs/1911.02469) (2019): the linear
#   VAE, collapse, and the role of σ, with proofs.
# - M. Tipping, C. Bishop, [Probabilistic principal component analysis](https://doi.org/10.1111/1467-9868.00196) (1999).
#
# Back to [lesson 07 · The VAE, piece by piece](../07_the_vae_piece_by_piece.ipynb).
