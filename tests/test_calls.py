"""Public functions of the core, called with the mistakes that people make: each works, or says so in one sentence."""

import collections
import copy
import functools
import math
import random
import warnings

import pytest
import torch

from conftest import tries
from vae_helpers import attributes, evaluate, judges, losses, models, train
from vae_helpers.data import ImageSet, SoundSet

N, SHAPE, LATENT = 6, (1, 8, 8), 3

AUTOENCODERS = [
    models.DenseAutoencoder(image_shape=SHAPE, hidden=(8,), latent_dim=LATENT),
    models.ConvAutoencoder(image_shape=SHAPE, channels=(4,), latent_dim=LATENT),
]
VAES = [
    models.DenseVAE(image_shape=SHAPE, hidden=(8,), latent_dim=LATENT),
    models.ConvVAE(image_shape=SHAPE, channels=(4,), hidden=8, latent_dim=LATENT),
    models.FaceVAE(image_shape=SHAPE, channels=(4,), latent_dim=LATENT),
]
JUDGE = judges.AttributeClassifier(attributes=("Smiling", "Eyeglasses"), channels=(4,))


def image_set(n=N, shape=SHAPE):
    return ImageSet(torch.randint(0, 256, (n, *shape), dtype=torch.uint8), torch.arange(n) % 2, ("a", "b"), "noise")


MISTAKES = {
    "as it should be": lambda x: x,
    "one": lambda x: x[:1],
    "none": lambda x: x[:0],
    "one fewer": lambda x: x[1:],
    "without its batch": lambda x: x[0],
    "one dimension more": lambda x: x[None],
    "flat": lambda x: x.flatten(min(1, x.ndim - 1)),
    "all flat": lambda x: x.flatten(),
    "cut": lambda x: x[..., : x.shape[-1] // 2],
    "turned": lambda x: x.transpose(0, -1),
    "three colours": lambda x: x.repeat_interleave(3, dim=min(1, x.ndim - 1)),
    "8-bit": lambda x: (255 * x).byte(),
    "up to 255": lambda x: 255 * x,
    "whole": lambda x: x.round().long(),
    "boolean": lambda x: x > 0.5,
    "float64": lambda x: x.double(),
    "bfloat16": lambda x: x.bfloat16(),
    "elsewhere": lambda x: x.to("meta"),
    "standardised": lambda x: (x - 0.5) / 0.3,
    "nan": lambda x: torch.full_like(x, torch.nan) if x.is_floating_point() else x,
    "one nan": lambda x: x.flatten().scatter(0, torch.tensor(0), torch.nan).view_as(x) if x.is_floating_point() else x,
    "infinite": lambda x: x / 0 if x.is_floating_point() else x,
}
NUMBERS = [1, 2, 3.0, 2.5, 0, -1, math.nan, math.inf]
SETS = {
    "as it should be": image_set,
    "one": lambda: image_set(1),
    "none": lambda: image_set(0),
    "other size": lambda: image_set(shape=(1, 8, 4)),
    "three colours": lambda: image_set(shape=(3, 8, 8)),
    "bare": lambda: torch.rand(N, *SHAPE),
    "sounds": lambda: SoundSet(torch.rand(N, 64), torch.zeros(N), torch.zeros(N), ("a",), ("b",), 8000, "noise"),
}


class Chance:
    """Draws the arguments of a call, nearly all of them as they should be, and remembers what it drew."""

    def __init__(self, seed):
        self.random, self.drawn = random.Random(seed), []
        torch.manual_seed(seed)

    def mistake(self, names):
        name = self.random.choice(list(names)) if self.random.random() < 0.5 else "as it should be"
        self.drawn.append(name)
        return name

    def tensor(self, *shape, normal=False):
        return MISTAKES[self.mistake(MISTAKES)](torch.randn(shape) if normal else torch.rand(shape))

    def images(self):
        return self.tensor(N, *SHAPE)

    def number(self, good):
        value = self.random.choice(NUMBERS) if self.random.random() < 0.3 else good
        self.drawn.append(value)
        return value

    def of(self, *choices):
        choice = self.random.choice(choices)
        self.drawn.append(choice if isinstance(choice, str) else type(choice).__name__)
        return choice

    def data(self):
        return SETS[self.mistake(SETS)]()

    def loss(self):
        def short(model, images, labels):
            return losses.reconstruction_loss(model, images, labels).mean()

        def nameless(model, images, labels):
            return {"error": losses.reconstruction_loss(model, images, labels)}

        sigma = self.of(1.0, 0.1, "optimal", -1.0, torch.ones(7, 1, 1, 1))
        gaussian = functools.partial(losses.negative_elbo, likelihood="gaussian", sigma=sigma)
        return self.of(losses.reconstruction_loss, losses.negative_elbo, gaussian, short, nameless)


def sigma(chance):
    return chance.of(chance.number(0.3), chance.tensor(1, 8, 8), torch.tensor(0.2), "optimal", "best")


def nll(chance):
    kind = chance.of("bernoulli", "gaussian", "poisson")
    reconstruction, images = chance.images(), chance.images()
    return losses.reconstruction_nll(reconstruction, images, kind, sigma(chance)), (images.shape[:1],)


def squared_error(chance):
    images = chance.images()
    return losses.squared_error(chance.images(), images), (images.shape[:1],)


def kl_divergence(chance):
    mean = chance.tensor(N, LATENT, normal=True)
    log_var = chance.tensor(N, LATENT, normal=True)
    if log_var.device.type == "cpu" and (log_var >= 89).any():
        chance.drawn.append("infinite")
    return losses.kl_divergence(mean, log_var), (mean.shape[:1],)


def model_of(chance):
    return copy.deepcopy(chance.of(*AUTOENCODERS, *VAES)).train(chance.random.random() < 0.5)


def loss(chance):
    model, images = model_of(chance), chance.images()
    calls = [losses.reconstruction_loss, losses.negative_elbo, functools.partial(losses.negative_elbo, binarize=True)]
    result = chance.of(*calls)(model, images, None)
    return result, images.shape[:1]


def forward(chance):
    images = chance.images()
    return model_of(chance)(images), (images.shape, (len(images), LATENT))


def encode(chance):
    images = chance.images()
    return model_of(chance).encode(images), ((len(images), LATENT),)


def decode(chance):
    codes = chance.tensor(N, LATENT, normal=True)
    return model_of(chance).decode(codes), ((len(codes), *SHAPE),)


def in_parts(chance):
    if chance.of("encode", "decode") == "encode":
        images = chance.images()
        return evaluate.encode_all(model_of(chance), images), ((len(images), LATENT),)
    codes = chance.tensor(N, LATENT, normal=True)
    return evaluate.decode_all(model_of(chance), codes), ((len(codes), *SHAPE),)


def refining(chance):
    images = chance.images()
    return evaluate.refine_codes(model_of(chance), images, chance.number(3)), ((len(images), LATENT),)


def importance(chance):
    images = chance.images()
    options = {"likelihood": chance.of("bernoulli", "gaussian"), "sigma": sigma(chance)}
    return evaluate.importance_weighted_nll(model_of(chance), images, chance.number(3), **options), ((len(images),),)


def frechet(chance):
    return evaluate.frechet_distance(chance.tensor(N, LATENT), chance.tensor(N + 2, LATENT)), None


def probe(chance):
    codes = chance.tensor(20, LATENT, normal=True)
    labels = chance.of(
        torch.arange(20) % 2, torch.zeros(20).long(), (torch.arange(20) == 3).long(), torch.arange(19) % 2
    )
    accuracy = evaluate.linear_probe_accuracy(codes, labels)
    return (0.5 if math.isnan(accuracy) and labels.sum() < 5 else accuracy), None


def active(chance):
    mean = chance.tensor(N, LATENT, normal=True)
    return evaluate.active_units(mean), (mean.shape[1:],)


def direction(chance):
    labels = chance.of(torch.arange(N) % 2, torch.ones(N), torch.arange(N), 2 * (torch.arange(N) % 2) - 1)
    others = chance.of(None, torch.arange(N)[:, None] // 3, torch.arange(N) % 2, torch.zeros(N - 1, 1))
    method = chance.of(*attributes.METHODS, "median")
    latents = chance.tensor(N, LATENT, normal=True)
    return attributes.direction(latents, labels, method, others), (latents.shape[1:],)


def orthogonalize(chance):
    others = chance.of(torch.randn(1, LATENT), torch.zeros(1, LATENT), torch.ones(2, LATENT), chance.tensor(2, LATENT))
    d = chance.tensor(LATENT, normal=True)
    return attributes.orthogonalize(d, others), ((LATENT,),)


def edit(chance):
    images, d = chance.images(), chance.tensor(LATENT, normal=True)
    strength = chance.of(chance.number(1.0), chance.tensor(N))
    return attributes.edit(model_of(chance), images, d, strength), (images.shape,)


def leakage(chance):
    return attributes.leakage(JUDGE, chance.tensor(N, 3, 8, 8), chance.tensor(N, 3, 8, 8)), ((2,),)


def fitting(chance):
    fresh = models.DenseVAE if chance.of("VAE", "autoencoder") == "VAE" else models.DenseAutoencoder
    if chance.of("dense", "batch norm") == "batch norm":
        fresh = functools.partial(models.FaceVAE, channels=(2, 2, 2))
    model = fresh(image_shape=SHAPE, latent_dim=2)
    numbers = {"epochs": chance.number(1), "batch_size": chance.number(4), "lr": chance.number(1e-3)}
    valid = chance.data() if chance.random.random() < 0.5 else None
    device = chance.of("cpu", "cpu", "cuda", "mps", "gpu")
    record = train.fit(model, chance.data(), chance.loss(), valid=valid, device=device, **numbers)
    assert not model.training and len(record.train["loss"]) == len(record.seconds) >= 1
    return [*record.train["loss"], *record.valid.get("loss", [])], None


def measuring(chance):
    return list(train.measure(model_of(chance), chance.data(), chance.loss()).values()), None


def examining(chance):
    images = MISTAKES[chance.mistake(MISTAKES)](torch.rand(24, *SHAPE))
    assert repr(evaluate.doctor(model_of(chance), images, chance.loss()))
    return [], None


QUICK = [squared_error, nll, kl_divergence, loss, forward, encode, decode, in_parts, importance, frechet, active]
QUICK += [direction, orthogonalize, edit, leakage, measuring]
# Slower ones less often.
CALLS = [*4 * QUICK, refining, refining, fitting, fitting, probe, examining]
ODD = ("nan", "one nan", "infinite")


def numbers_in(result):
    if isinstance(result, dict):
        result = list(result.values())
    return [torch.as_tensor(x) for x in (result if isinstance(result, (list, tuple)) else [result])]


def wrong_with(chance, call):
    """Return what is wrong with one call, in words; nothing if it works or refuses as documented."""
    try:
        result, shapes = call(chance)
    except (ValueError, FloatingPointError) as error:
        text = str(error)
        plain = type(error) in (ValueError, FloatingPointError) and "\n" not in text and text.endswith(".")
        return "" if plain and 20 < len(text) < 500 else f"says {text!r}"
    except Exception as error:
        if "meta tensor" in str(error):  # there is nothing to copy or to read in it, as there would be on a GPU
            return ""
        return f"raises {type(error).__name__}: {str(error).splitlines()[0][:150] if str(error) else ''}"
    values = numbers_in(result)
    if shapes is not None:
        allowed = {tuple(shape) for shape in shapes} if isinstance(shapes[0], tuple) else {tuple(shapes)}
        if not {tuple(value.shape) for value in values} <= allowed:
            return f"returns the shapes {[tuple(value.shape) for value in values]}, not {allowed}"
    odd = any(name in ODD or (isinstance(name, float) and not math.isfinite(name)) for name in chance.drawn)
    if not odd and not all(value.isfinite().all() for value in values if value.device.type != "meta"):
        return "returns what is not finite"
    return ""


@pytest.mark.fuzz
def test_a_call_with_a_likely_mistake_works_or_says_so_in_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    failures, count = collections.Counter(), tries(250, 10_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(count):
            chance = Chance(seed)
            call = chance.random.choice(CALLS)
            problem = wrong_with(chance, call)
            if problem:
                failures[f"{call.__name__}: {problem}  (seed {seed}: {chance.drawn})"] += 1
    capsys.readouterr()
    assert not failures, f"{len(failures)} of {count}:\n" + "\n".join(failures)
