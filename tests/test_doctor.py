"""The doctor names each bug, and leaves healthy VAEs alone: architectures, images and seeds that it was not set on."""

import functools
import math
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_helpers import data, evaluate, losses
from vae_helpers.losses import kl_divergence, negative_elbo, reconstruction_nll


class Output(NamedTuple):
    picture: Tensor
    mean: Tensor
    log_var: Tensor
    code: Tensor


class VAE(nn.Module):
    def reparameterize(self, mean, log_var):
        return mean + torch.exp(log_var / 2) * torch.randn_like(mean)

    def forward(self, images):
        mean, log_var = self.encode(images)
        z = self.reparameterize(mean, log_var)
        return self.answer(self.decode(z), mean, log_var, z)


class Dense(VAE):
    """14 × 14 pixels, tanh and layer normalisation, a little dropout, and a plain tuple."""

    size, answer = 14, staticmethod(lambda *parts: parts)

    def __init__(self, d=6):
        super().__init__()
        self.down = nn.Sequential(nn.Flatten(), nn.Dropout(0.05), nn.Linear(196, 90), nn.LayerNorm(90), nn.Tanh())
        self.to_code, self.up = nn.Linear(90, 2 * d), nn.Sequential(nn.Linear(d, 90), nn.Tanh(), nn.Linear(90, 196))

    def encode(self, images):
        return self.to_code(self.down(images)).chunk(2, dim=1)

    def decode(self, z):
        return self.up(z).sigmoid().reshape(-1, 1, 14, 14)


class Pooling(VAE):
    """12 × 12 pixels, maximum pooling and batch normalisation, two heads, and a named tuple with other names."""

    size, answer = 12, Output

    def __init__(self, d=10):
        super().__init__()
        self.down = nn.Sequential(
            *(nn.Conv2d(1, 10, 3, padding=1), nn.BatchNorm2d(10), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(10, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        )
        self.centre, self.width = nn.Linear(144, d), nn.Linear(144, d)
        self.up = nn.Sequential(
            *(nn.Linear(d, 144), nn.ReLU(), nn.Unflatten(1, (16, 3, 3)), nn.Upsample(scale_factor=2)),
            *(nn.Conv2d(16, 10, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(10, 1, 3, padding=1)),
        )

    def encode(self, images):
        features = self.down(images)
        return self.centre(features), self.width(features)

    def decode(self, z):
        return self.up(z).sigmoid()


@functools.cache
def digits(size):
    images = data.load_digits("train", source="embedded").floats[:1000]
    return F.interpolate(images[:, :, 2:26, 2:26], size, mode="area")


def trained(model, loss, steps=20):
    """A few seconds' worth of the plainest training loop, which rejects nothing."""
    images = digits(model.size)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    model.train()
    for batch in torch.randint(len(images), (steps, 64)):
        value = loss(model, images[batch], None)
        value = value["loss"] if isinstance(value, dict) else value
        optimizer.zero_grad()
        value.mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1e3)
        optimizer.step()
    return model.eval()


# --- The bugs, each as somebody writes it ---------------------------------------------------------------------------


def with_loss(distortion, rate=lambda mean, log_var: kl_divergence(mean, log_var)):
    def loss(model, images, labels):
        reconstruction, mean, log_var, _ = model(images)
        return distortion(reconstruction, images) + rate(mean, log_var)

    return loss


def doubled(mean, log_var):
    return -(1 + log_var - mean**2 - log_var.exp()).sum(1)


def with_logits(reconstruction, images):
    return F.binary_cross_entropy_with_logits(reconstruction, images, reduction="none").sum((1, 2, 3))


LOSSES = {
    "mean over pixels": [
        with_loss(lambda r, x: F.binary_cross_entropy(r, x, reduction="none").mean((1, 2, 3))),
        with_loss(F.mse_loss, lambda m, v: kl_divergence(m, v).mean()),
    ],
    "KL missing": [
        with_loss(reconstruction_nll, lambda m, v: 0),
        with_loss(losses.squared_error, lambda m, v: kl_divergence(m, v).detach() * 0),
    ],
    "KL doubled": [with_loss(reconstruction_nll, doubled)],
    "summed over the batch": [
        with_loss(reconstruction_nll, lambda m, v: kl_divergence(m, v).sum()),
        with_loss(functools.partial(F.binary_cross_entropy, reduction="sum"), lambda m, v: doubled(m, v).sum() / 2),
    ],
    "sigmoid twice": [with_loss(with_logits)],
    "range": [with_loss(lambda r, x: with_logits(torch.logit(r, 1e-6), 255 * x))],
    "likelihood": [with_loss(losses.squared_error)],
    "KL sign": [with_loss(reconstruction_nll, lambda m, v: -kl_divergence(m, v).clamp_max(1e3))],
    "KL formula": [with_loss(reconstruction_nll, lambda m, v: kl_divergence(m, 2 * v))],
}


class NoSampling:
    def reparameterize(self, mean, log_var):
        return mean


class DecodesTheMean:
    def forward(self, images):
        mean, log_var = self.encode(images)
        return self.answer(self.decode(mean), mean, log_var, self.reparameterize(mean, log_var))


class Variance:
    def reparameterize(self, mean, log_var):
        return mean + log_var.exp() * torch.randn_like(mean)


class Draws:
    def encode(self, images):
        mean, log_var = super().encode(images)
        return self.reparameterize(mean, log_var), log_var


class AlwaysDropout:
    def encode(self, images):
        return super().encode(F.dropout(images, 0.2))


class TwoSigmoids:
    def decode(self, z):
        return super().decode(z).sigmoid()


class Detached:
    def decode(self, z):
        return super().decode(z.detach() if self.training else z)


MODELS = {
    "no sampling": [NoSampling, DecodesTheMean],
    "wrong noise": [Variance],
    "draws for means": [Draws],
    "train mode": [AlwaysDropout],
    "sigmoid twice": [TwoSigmoids],
    "collapsed": [Detached],
}
CASES = [(name, None, loss) for name, cases in LOSSES.items() for loss in cases]
CASES += [(name, mixin, negative_elbo) for name, cases in MODELS.items() for mixin in cases]
#: What follows from such a loss, and may be said, too.
CONSEQUENCES = {"collapsed"}


def names(report):
    return [finding.name for finding in report.findings]


@pytest.mark.parametrize("base", [Dense, Pooling])
@pytest.mark.parametrize("seed", [111, 112, 113])
def test_every_bug_is_named(base, seed):
    missed = []
    for number, (bug, mixin, loss) in enumerate(CASES):
        torch.manual_seed(seed)
        kind = type(base.__name__, (mixin, base), {}) if mixin else base
        model = trained(kind(), loss)
        found = names(evaluate.doctor(model, digits(base.size)[:80], loss))
        if found[:1] != [bug] or not set(found[1:]) <= CONSEQUENCES:
            missed.append((number, bug, found))
    assert not missed


@pytest.mark.parametrize("base", [Dense, Pooling])
def test_wrong_images_and_a_wrong_mode_are_named(base):
    torch.manual_seed(104)
    model = trained(base(), negative_elbo, steps=100)
    for images in (255 * digits(base.size), 2 * digits(base.size) - 1):
        assert "range" in names(evaluate.doctor(model, images, negative_elbo))
    assert names(evaluate.doctor(model.train(), digits(base.size), negative_elbo)) == ["train mode"]


# --- Healthy ones ---------------------------------------------------------------------------------------------------


def importance_weighted(model, images, labels):
    mean, log_var = model.encode(images)
    weights = []
    for _ in range(4):
        z = model.reparameterize(mean, log_var)
        log_q = -0.5 * ((z - mean) ** 2 / log_var.exp() + log_var).sum(1)
        weights.append(-reconstruction_nll(model.decode(z), images) - 0.5 * z.square().sum(1) - log_q)
    return math.log(4) - torch.stack(weights).logsumexp(0)


def drawn_kl(model, images, labels):
    reconstruction, mean, log_var, z = model(images)
    log_ratio = 0.5 * (z.square() - (z - mean) ** 2 / log_var.exp() - log_var).sum(1)
    return (reconstruction_nll(reconstruction, images) + log_ratio).mean()


def free_bits(model, images, labels):
    reconstruction, mean, log_var, _ = model(images)
    units = (mean.square() + log_var.exp() - log_var - 1).mean(0) / 2
    return reconstruction_nll(reconstruction, images) + units.clamp_min(0.1).sum()


def per_pixel(model, images, labels):
    return negative_elbo(model, images)["loss"] / images[0].numel()


class LogitsInside:
    def forward(self, images):
        mean, log_var = self.encode(images)
        z = self.reparameterize(mean, log_var)
        return self.answer(torch.logit(self.decode(z), 1e-6), mean, log_var, z)


class QuietInEvaluation:
    def reparameterize(self, mean, log_var):
        return super().reparameterize(mean, log_var) if self.training else mean


HEALTHY = {
    "the course's loss": (None, negative_elbo),
    "pixels drawn anew": (None, functools.partial(negative_elbo, binarize=True)),
    "one number": (None, lambda m, x, y: negative_elbo(m, x)["loss"].mean()),
    "sum over N": (None, lambda m, x, y: negative_elbo(m, x)["loss"].sum() / len(x)),
    "all per pixel": (None, per_pixel),
    "a Gaussian of the best σ": (None, functools.partial(negative_elbo, likelihood="gaussian", sigma="optimal")),
    "a Gaussian of σ = 0.2": (None, functools.partial(negative_elbo, likelihood="gaussian", sigma=0.2)),
    "importance weights": (None, importance_weighted),
    "a KL that is drawn": (None, drawn_kl),
    "free bits": (None, free_bits),
    "the mean in evaluation": (QuietInEvaluation, negative_elbo),
}


@pytest.mark.parametrize("base", [Dense, Pooling])
@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_ones_are_left_alone(base, name):
    mixin, loss = HEALTHY[name]
    torch.manual_seed(201)
    model = trained(type(base.__name__, (mixin, base), {})() if mixin else base(), loss, steps=100)
    report = evaluate.doctor(model, digits(base.size), loss)
    assert not report.findings, report
    assert {note.name for note in report.notes} <= {"units", "loss"}, report


@pytest.mark.parametrize("base", [Dense, Pooling])
@pytest.mark.parametrize("beta", [0.25, 2.0, 3.0])
def test_a_beta_vae_is_called_what_it_is(base, beta):
    torch.manual_seed(202)
    loss = functools.partial(negative_elbo, beta=beta)
    report = evaluate.doctor(trained(base(), loss, steps=160), digits(base.size), loss)
    [note] = [note for note in report.notes if note.name == "β"]
    assert not report.findings and note.number == pytest.approx(beta, rel=0.01) and f"{beta:g}" in note.words
    if beta == 2:  # reported in its parts, it is no KL without its ½ either
        assert not evaluate.doctor(base().eval(), digits(base.size), lambda *batch: loss(*batch)).findings[1:]


# --- Manners --------------------------------------------------------------------------------------------------------


def test_nothing_is_changed_and_the_report_can_be_read():
    torch.manual_seed(0)
    model = Pooling().train()
    model.down[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [layer.training for layer in model.modules()]
    state = torch.get_rng_state()
    report = evaluate.doctor(model, digits(12), with_loss(reconstruction_nll, doubled))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert modes == [layer.training for layer in model.modules()] and torch.equal(state, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in model.parameters())
    [finding, *_] = report.findings
    assert finding.name == "KL doubled" and finding.number == pytest.approx(2, abs=0.01)
    assert str(report).startswith("✗ KL doubled: A nat of KL costs 2.00 nats")
    again = evaluate.doctor(model, digits(12), with_loss(reconstruction_nll, doubled))
    assert str(again) == str(report)


def test_what_is_examined_is_spread_over_all_images():
    images = digits(14)[:400].clone()
    images[200:] *= 255
    assert "range" in names(evaluate.doctor(Dense().eval(), images, negative_elbo))


def test_a_healthy_report_says_so():
    torch.manual_seed(0)
    report = evaluate.doctor(trained(Dense(), negative_elbo), digits(14), negative_elbo)
    assert str(report).splitlines()[0] == "✓ Nothing found."


def test_a_loss_that_cannot_be_examined_is_said_so_and_the_rest_is_examined():
    def loss(model, images, labels):
        raise RuntimeError("no such thing")

    model = type("Quiet", (NoSampling, Dense), {})().eval()
    report = evaluate.doctor(model, digits(14), loss)
    assert "no sampling" in names(report) and "no such thing" in str(report)
    bound = functools.partial(lambda other, model, images, labels: negative_elbo(other, images), Dense())
    [note, *_] = evaluate.doctor(model, digits(14), bound).notes
    assert note.name == "loss" and "does not depend" in note.words


@pytest.mark.parametrize(
    ("model", "images", "loss", "words"),
    [
        (nn.Linear(3, 3), torch.rand(30, 1, 14, 14), negative_elbo, "Linear has no encode and no reparameterize"),
        (Dense(), torch.rand(5, 1, 14, 14), negative_elbo, r"20 finite images or more, but are \(5, 1, 14, 14\)"),
        (Dense(), torch.full((30, 1, 14, 14), math.nan), negative_elbo, "finite"),
        (Dense(), [1, 2], negative_elbo, "but are list"),
        (Dense(), torch.rand(30, 1, 9, 9), negative_elbo, "encode must give"),
        (Dense(), torch.rand(30, 1, 14, 14), None, "a function loss"),
    ],
)
def test_bad_input_gets_one_sentence(model, images, loss, words):
    with pytest.raises(ValueError, match=words):
        evaluate.doctor(model, images, loss)
