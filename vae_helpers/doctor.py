"""What is probably wrong with this VAE? A list of examinations: each measures one thing and says one sentence."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_helpers import losses, train


class Finding(NamedTuple):
    """A ``name`` to program with, the ``number`` that was measured, and ``words`` for the reader."""

    name: str
    number: float
    words: str


@dataclass
class Report:
    """What ``doctor`` says: ``findings`` are probably bugs, ``notes`` are not. It shows itself as text."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    def __repr__(self) -> str:
        found = [f"✗ {f.name}: {f.words}" for f in self.findings] or ["✓ Nothing found."]
        return "\n".join([*found, *(f"· {f.name}: {f.words}" for f in self.notes)])


def doctor(model: nn.Module, images: Tensor, loss: Callable) -> Report:
    """Examine a VAE and its loss, and say in words what is probably wrong.

    The loss is called with a stand-in for the model, whose answers are laid down: let only the KL divergence change,
    or only the pictures, and it tells how it weighs them. What can be found: "range", "KL missing", "KL doubled",
    "KL sign", "KL formula", "mean over pixels", "summed over the batch", "no sampling", "wrong noise", "draws for
    means", "train mode", "sigmoid twice", "likelihood", "collapsed". Any other weight of the KL is noted as a β-VAE's.
    Before training, all shows but "collapsed" (which a new model is) and a σ that does not fit the errors.

    It cannot see faults of the data or the optimizer, too little training or too small a network; nor tell β = 2 from
    a KL without its ½, unless the loss reports its "rate" or is a ``functools.partial`` with ``beta``.

    Args:
        model: ``encode`` gives (mean, log_var), (N, latent_dim) each, ``reparameterize(mean, log_var)`` draws z,
            ``decode(z)`` gives images, and ``model(images)`` a tuple (reconstruction, mean, log_var, z). Give it in the
            mode in which you use it. Its weights and mode stay as they are, and so do random numbers.
        images: (N, C, H, W) in [0, 1], 20 at least, as the model is given them; 200, evenly spread, are used.
        loss: as for ``train.fit``, ``loss(model, images, labels)``: (N,) nats per image, or a dict; or their mean.

    Raises:
        ValueError: the model is no such VAE, or the images are too few or not finite.
    """
    lacks = [name for name in ("encode", "reparameterize", "decode") if not callable(getattr(model, name, None))]
    if lacks or not isinstance(model, nn.Module) or not callable(loss):
        what = f"the {type(model).__name__} has no {' and no '.join(lacks)}" if lacks else "got something else"
        raise ValueError(f"The doctor examines a VAE and a function loss(model, images, labels), but {what}.")
    if not torch.is_tensor(images) or images.ndim != 4 or len(images) < 20 or not images.isfinite().all():
        got = tuple(images.shape) if torch.is_tensor(images) else type(images).__name__
        raise ValueError(f"images must be a tensor (N, C, H, W) of 20 finite images or more, but are {got}.")
    used, report = copy.deepcopy(model), Report()
    few = min(200, len(images))
    spread = torch.arange(few) * len(images) // few  # data sets are often sorted by class
    with train.measuring(model):
        patient = _Patient(used, images[spread].to(next(model.parameters(), images).device).float(), loss)
        for examine in EXAMINATIONS:
            torch.manual_seed(0)
            for finding in examine(patient):
                listed = report.notes if finding[0] in ("loss", "β", "units") else report.findings
                listed.append(Finding(*finding))
    return report


class _Patient:
    """What the examinations share: copies of the model, as it came (``used``) and in evaluation; images; the loss."""

    def __init__(self, used: nn.Module, images: Tensor, loss: Callable):
        self.used, self.model, self.images, self.loss = used, copy.deepcopy(used).eval(), images, loss
        try:
            self.mean, self.log_var = self.model.encode(images)
            _, _, _, _ = self.output = self.model(images)
        except (TypeError, ValueError, RuntimeError) as error:
            need = "encode must give (mean, log_var), and the model itself (reconstruction, mean, log_var, z)"
            raise ValueError(f"{need}, but it stops: {error}") from None
        # Black and white, so that a loss that draws its pixels by chance has nothing to draw.
        self.ink = (images > images.mean()).float()
        self.form, self.sigma = "unknown", math.nan  # of the loss, for ``_weights`` to find out

    def loss_of(self, reconstruction: Tensor, mean: Tensor, log_var: Tensor, part: str = "loss") -> float:
        """Return the loss, averaged over the batch, of a stand-in for the model that gives these answers."""
        torch.manual_seed(0)
        z, logits = mean + (log_var / 2).exp() * torch.randn_like(mean), torch.logit(reconstruction)
        answer = (reconstruction, mean, log_var, z)
        answer = type(self.output)(*answer) if hasattr(self.output, "_fields") else answer
        if hasattr(self.output, "logits"):
            answer.logits = logits
        answers = {"forward": answer, "encode": answer[1:3], "reparameterize": z, "decode": reconstruction}
        stand_in = copy.copy(self.model)  # attributes of its own come before its class's methods
        for name, given in {**answers, "decode_logits": logits}.items():
            vars(stand_in)[name] = lambda *_, given=given: given
        parts = self.loss(stand_in, self.ink[: len(z)], torch.zeros(len(z), dtype=torch.long, device=z.device))
        parts = parts if isinstance(parts, dict) else {"loss": parts}
        return parts[part].double().mean().item() if part in parts else math.nan


Found = Iterator[tuple[str, float, str]]


def _range(p: _Patient) -> Found:
    low, high = (value.item() for value in p.images.aminmax())
    if low < 0 or high > 1:
        yield "range", high, f"The images lie in [{low:.3g}, {high:.3g}], and should in [0, 1]."


def _cross_entropy(r: Tensor, x: Tensor) -> Tensor:
    return -(x * r.log() + (1 - x) * (1 - r).log()).flatten(1).sum(1).mean()


#: What a distortion may be, of answers r to images x. The one in proportion to the loss tells which it is.
FORMS = {
    "bernoulli": _cross_entropy,
    "gaussian": lambda r, x: losses.squared_error(r, x).mean(),
    "gaussian, optimal σ": lambda r, x: losses.reconstruction_nll(r, x, "gaussian", "optimal").mean(),
    "sigmoid twice": lambda r, x: _cross_entropy(r.sigmoid(), x),
    "255 · x": lambda r, x: _cross_entropy(r, 255 * x),
    "2x − 1": lambda r, x: _cross_entropy(r, 2 * x - 1),
}


def _weights(p: _Patient) -> Found:
    n, half, pixels = len(p.ink), len(p.ink) // 2, p.ink[0].numel()
    answers = [(a * p.ink + (1 - a) * torch.rand_like(p.ink)).clamp(0.05, 0.95) for a in torch.linspace(0, 0.8, 8)]
    mean, log_var = torch.randn_like(p.mean), -torch.rand_like(p.mean)

    def price(times: float, plus: float, n: int, part: str = "loss") -> float:
        """How much the loss rises for each nat of KL, if means are multiplied or log-variances changed."""
        old, new = (mean[:n], log_var[:n]), (times * mean[:n], log_var[:n] + plus)
        nats = (losses.kl_divergence(*new) - losses.kl_divergence(*old)).mean().item()
        return (p.loss_of(answers[0][:n], *new, part) - p.loss_of(answers[0][:n], *old, part)) / nats

    try:
        by_mean, by_width, in_half, of_rate = price(3, 0, n), price(1, -2, n), price(3, 0, half), price(3, 0, n, "rate")
        rise = torch.tensor([p.loss_of(r, mean, log_var) for r in answers]).double().diff()
        rise_in_half = [p.loss_of(answers[k][:half], mean[:half], log_var[:half]) for k in (0, -1)]
    except Exception as error:
        yield "loss", math.nan, f"It could not be examined apart from the model ({type(error).__name__}: {error})."
        return
    if not (rise.isfinite().all() and rise.any()):
        yield "loss", math.nan, "It is infinite, or does not depend on the pictures of the model that it is given."
        return
    slope, misfit = 1.0, 0.01
    for form, f in FORMS.items():
        nats = torch.stack([f(r, p.ink) for r in answers]).double().cpu().diff()
        if (rise - (c := rise @ nats / (nats @ nats)) * nats).norm() / rise.norm() < misfit:
            p.form, slope, misfit = form, c.item(), ((rise - c * nats).norm() / rise.norm()).item()
    averaged = p.form in ("bernoulli", "gaussian") and 0.4 < slope * pixels < 2.5 and by_mean * pixels > 3
    if p.form == "gaussian":  # c · error² is a Gaussian's with σ² = 1 / 2c, unless all of the loss is averaged
        whole = 1 / pixels if 0.95 < by_mean * pixels < 1.05 else 1.0
        p.sigma, slope = math.sqrt(abs(whole / (2 * slope))), whole
    beta, growth = by_mean / slope, {"distortion": rise.sum().item() / (rise_in_half[1] - rise_in_half[0])}
    growth["KL"] = by_mean / in_half if abs(in_half) > 1e-9 else 1.0
    if p.form in ("255 · x", "2x − 1"):
        yield "range", 255.0, f"The loss compares the pictures with {p.form}, where x is the image in [0, 1]."
    if max(growth.values()) > 1.5:
        what = "loss" if min(growth.values()) > 1.5 else max(growth, key=growth.get)
        words = f"With twice the images the {what} is {max(growth.values()):.2f} times as large; take the mean."
        yield "summed over the batch", max(growth.values()), words
    elif abs(beta) < 1e-4:
        yield "KL missing", beta, "The loss does not change with the KL divergence: this is a plain autoencoder."
        p.form = "without KL"
    elif beta < 0:
        yield "KL sign", beta, f"A nat of KL changes the loss by {beta:.3g}: add it, do not subtract it."
    elif averaged:
        words = f"The distortion is averaged over {pixels} pixels, so the KL weighs {by_mean * pixels:.0f} times"
        yield "mean over pixels", by_mean * pixels, f"{words} as much as it should; sum over the pixels."
        p.form = "averaged"
    elif abs(by_width / by_mean - 1) > 0.15:
        words = f"A nat of KL costs {by_mean:.3g} if it comes from the mean, and {by_width:.3g} from the width"
        yield "KL formula", by_width / by_mean, f"{words}; is log_var taken for something else?"
    elif 1.9 < beta < 2.1 and not (0.95 < of_rate < 1.05 or "beta" in getattr(p.loss, "keywords", {})):
        yield "KL doubled", beta, f"A nat of KL costs {beta:.2f} nats: is it added twice, or its ½ forgotten?"
    elif not 0.9 < beta < 1.1:
        yield "β", beta, f"This is a β-VAE with β about {beta:.3g}; its loss is no bound of −log p(x)."


def _sampling(p: _Patient) -> Found:
    model = copy.deepcopy(p.used).train()  # some models draw only while they train
    rebuilt, mean, log_var, z = model(p.images)
    noise = ((z - mean) / (log_var / 2).exp()).std().item()
    from_mean, from_z = ((rebuilt - model.decode(code)).abs().max().item() for code in (mean, z))
    zeros = mean.new_zeros(2000, mean.shape[1])
    widths = [model.reparameterize(zeros, zeros + level).std().item() / math.exp(level / 2) for level in (-2, 2)]
    if noise < 0.02:
        yield "no sampling", noise, f"The noise z − mean is {noise:.2f} σ: the code is not drawn."
    elif from_mean < 1e-5 < 1e-3 < from_z:
        yield "no sampling", noise, "A code is drawn, but the decoder is given the mean; give it z."
    elif not (0.8 < widths[0] < 1.25 and 0.8 < widths[1] < 1.25):
        words = f"The noise is {widths[0]:.2f} σ at log_var = −2 and {widths[1]:.2f} σ at 2; σ is exp(log_var / 2)."
        yield "wrong noise", widths[0], words


def _repeats(p: _Patient) -> Found:
    few = p.images[:20]
    scatter = torch.stack([p.model.encode(few)[0] for _ in range(30)]).std(0) / (p.log_var[:20] / 2).exp()
    units, results = scatter.mean(0), [(m.encode(few)[0], m.decode(p.mean[:20])) for m in (p.used, p.model)]
    change = max((a - b).abs().max().item() for a, b in zip(*results, strict=True))
    if units.max() > 1e-3 and units.min() > 0.6 and units.max() < 1.5:
        words = f"encode gives another mean each time, {units.mean():.2f} σ apart: a draw. Return the mean itself."
        yield "draws for means", units.mean().item(), words
    elif units.max() > 1e-3:
        words = f"Two codes of one image differ in evaluation mode, too, by {units.mean():.2f} σ: is dropout left on?"
        yield "train mode", units.mean().item(), words
    elif change > 1e-4:
        words = f"The model is in train mode, which changes its results by {change:.2g}; call model.eval() first."
        yield "train mode", change, words


def _sigmoid(p: _Patient) -> Found:
    pictures = torch.cat([p.model.decode(k * torch.randn_like(p.mean[:50])) for k in (1, 10, 100)])
    low, high = (value.item() for value in pictures.aminmax())
    if low > 0.499 and high < 0.732:
        yield "sigmoid twice", low, f"Whatever the code, pixels lie in [{low:.2f}, {high:.2f}]: no black, no white."
    elif p.form == "sigmoid twice" and low >= 0 and high <= 1:
        yield "sigmoid twice", low, "The loss takes logits, but the pictures have been through a sigmoid already."


def _likelihood(p: _Patient) -> Found:
    images = (p.images - p.images.min()) / (p.images.max() - p.images.min()).clamp_min(1e-9)
    grey, middle = (((images > a) & (images < 1 - a)).float().mean().item() for a in (0, 0.1))
    error = (p.model.decode(p.mean) - images).square().mean().sqrt().item()
    if p.form.startswith("gaussian") and grey < 0.01:
        yield "likelihood", grey, "The pixels are black or white, but the loss is a Gaussian's; take Bernoulli."
    elif p.form == "gaussian" and not (0.4 < p.sigma / error < 2.3 and p.sigma < 0.5):  # errors below 1 spread less
        words = f"The loss takes errors of σ = {p.sigma:.2g} grey levels for granted, but they are {error:.2g}, so"
        words += f" pictures count {(error / p.sigma) ** 2:.2g} times as much as they should; take that σ."
        yield "likelihood", p.sigma / error, words
    elif p.form == "bernoulli" and middle > 0.5:
        yield "likelihood", middle, f"{middle:.0%} of the pixels are grey, but Bernoulli is for black and white."


def _collapse(p: _Patient) -> Found:
    rates = losses.kl_divergence(p.mean.reshape(-1, 1), p.log_var.reshape(-1, 1)).view_as(p.mean).mean(0)
    busy, rate = int((rates > 0.1).sum()), rates.sum().item()
    words = f"{busy} of {len(rates)} units carry more than 0.1 nats; the rate is {rate:.1f} nats."
    with torch.enable_grad():
        rebuilt, mean, _, _ = p.model(p.images[:20])
        there = rebuilt.requires_grad and mean.requires_grad
        cut = mean.requires_grad and not there
        cut = cut or (there and torch.autograd.grad(rebuilt.sum(), mean, allow_unused=True)[0] is None)
    words += " No gradient leads from the pictures to the encoder: is z detached?" if cut else ""
    yield "collapsed" if rate < 1 or cut else "units", busy, words


EXAMINATIONS = (_range, _weights, _sampling, _repeats, _sigmoid, _likelihood, _collapse)
