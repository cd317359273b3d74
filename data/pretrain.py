"""Train the models that the course ships, for example: ``python data/pretrain.py digits``.

It needs the real data sets (see data/README.md). If interrupted, the same command resumes. In the end it measures the
model on test images and writes it, with its card, to ``data/pretrained``. With ``--card`` it trains nothing: it only
measures the shipped model again and writes its card.
"""

import argparse
import dataclasses
import functools
import hashlib
import os
import platform
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_helpers import attributes, checkpoints, data, evaluate, judges, losses, models, train
from vae_helpers.device import pick_device, seed_everything
from vae_helpers.files import written_whole

_MNIST_LICENCE = "the weights: MIT, as the course; MNIST (Yann LeCun and Corinna Cortes): CC BY-SA 3.0"
_CELEBA_LICENCE = (
    "for non-commercial research only, as the data: CelebA (Liu et al., ICCV 2015, "
    "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html). No image of CelebA is part of the course."
)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a model of the course is made.

    Attributes:
        what: the model in a few words.
        licence: what it may be used for.
        train: takes the file that keeps the state of the training; returns the model and what its file shall tell
            about the training: ``trained_on``, ``training``, and more if the card needs it.
        measure: takes the model as it is shipped; returns its scores, and the part of its card that reports them.
        dtype: how the weights are stored.
    """

    what: str
    licence: str
    train: Callable[[Path], tuple[nn.Module, dict]]
    measure: Callable[[nn.Module], tuple[dict, str]]
    dtype: torch.dtype = torch.float16


def make(name: str, recipe: Recipe, checkpoint: Path) -> None:
    """Train a model, write it to the shipped ones, and then its card."""
    seed_everything(0)
    model, about = recipe.train(checkpoint)
    _ship(model, name, recipe, {**about, "hardware": _hardware()})
    write_card(name, recipe)


def write_card(name: str, recipe: Recipe) -> None:
    """Measure a shipped model, and write the scores into its file and onto its card.

    What cannot be measured again, such as the time that the training took, is in the file already.
    """
    model = checkpoints.load_pretrained(name).to(pick_device())
    seed_everything(0)
    scores, text = recipe.measure(model)
    file = _ship(model, name, recipe, {**model.about, "test_scores": scores})
    size = sum(weight.numel() for weight in model.state_dict().values())
    card = f"""# {name}: {recipe.what}

Open it with `checkpoints.load_pretrained("{name}")`. Written by `data/pretrain.py`; do not edit.

| | |
|---|---|
| model | `{type(model).__name__}`, {size:,} numbers |
| trained on | {model.about["trained_on"]} |
| licence | {recipe.licence} |
| command | `python data/pretrain.py {name}` |
| training | {model.about["training"]} |
| hardware | {model.about["hardware"]} |
| sha256 of the file | `{hashlib.sha256(file.read_bytes()).hexdigest()}` |

## Scores

Measured with the weights as shipped, in float32, by `python data/pretrain.py {name} --card`.

{text}"""
    with written_whole(file.with_suffix(".md")) as card_file:
        card_file.write(card.encode())


def _ship(model: nn.Module, name: str, recipe: Recipe, about: dict) -> Path:
    file = checkpoints.pretrained_folder() / f"{name}.safetensors"
    checkpoints.save_model(model, file, dtype=recipe.dtype, **{**about, "licence": recipe.licence})
    return file


def _hardware() -> str:
    """Return what the training ran on; Linux keeps the processor's name in a file, elsewhere Python knows it."""
    device, cpuinfo = pick_device(), Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    processor = torch.cuda.get_device_name() if device.type == "cuda" else (names or [platform.processor()])[0]
    return (
        f"{processor}, on {device.type}, {torch.get_num_threads()} thread(s) of {os.cpu_count()} cores, "
        f"PyTorch {torch.__version__}"
    )


def _time(seconds: list[float]) -> str:
    return f"{len(seconds)} epochs; {sum(seconds) / 60:.1f} minutes of wall time"


def _table(rows: dict[str, str]) -> str:
    """Return a table of two columns in Markdown, without headings."""
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def train_digits(checkpoint: Path, epochs: int = 110) -> tuple[models.VAE, dict]:
    """Train the digits model on MNIST's 60,000 training images, made black and white anew in each epoch."""
    parts = [data.load_digits(split, source="mnist") for split in ("train", "valid")]
    images, labels = (torch.cat([getattr(part, name) for part in parts]) for name in ("images", "labels"))
    train_set = dataclasses.replace(parts[0], images=images, labels=labels)
    model = models.ConvVAE(channels=(32, 64), blocks=1, hidden=256, latent_dim=32)
    loss = functools.partial(losses.negative_elbo, binarize=True)
    history = train.fit(model, train_set, loss, epochs=epochs, lr=2e-3, checkpoint=checkpoint)
    return model, {
        "trained_on": "MNIST, its 60,000 training images, each pixel made black or white anew in each epoch, with its "
        "grey level as the probability of white. Nothing was chosen with the help of test images.",
        "training": _time(history.seconds),
        "training_loss": history.train["loss"][-1],
    }


def measure_digits(model: models.VAE) -> tuple[dict, str]:
    """Measure the digits model on MNIST's test images in black and white."""
    test = data.load_digits("test", source="mnist")
    black_and_white = test.binarized(seed=0)
    images = black_and_white.floats
    # With k = 1,000, all of them would take a CPU an hour; so every tenth tells how much it changes.
    nll = evaluate.importance_weighted_nll(model, images, 100).cpu()
    gain = nll[::10] - evaluate.importance_weighted_nll(model, images[::10], 1000).cpu()
    elbo = train.measure(model, black_and_white, losses.negative_elbo)
    scores = {
        "k": 100,
        "nll": nll.mean().item(),
        "nll_error": (nll.std() / len(nll) ** 0.5).item(),
        "gain": gain.mean().item(),
        "gain_error": (gain.std() / len(gain) ** 0.5).item(),
        "neg_elbo": elbo["loss"],
        "rate": elbo["rate"],
        "distortion": elbo["distortion"],
    }
    rows = {
        "NLL, importance-weighted, k = 100": "**{nll:.2f}**",
        "its standard error, from the choice of images": "{nll_error:.2f}",
        "by how much k = 1,000 lowers it, on every tenth image": "{gain:.2f} ± {gain_error:.2f}",
        "−ELBO = rate + distortion": "{neg_elbo:.2f} = {rate:.2f} + {distortion:.2f}",
        "−ELBO on training images, last epoch": f"{model.about['training_loss']:.2f}",
    }
    board = evaluate.scoreboard({"digits": model}, test.subset(slice(None, None, 10)), k=100)
    text = f"""On MNIST's {len(test):,} test images, each made black and white once (`ImageSet.binarized(seed=0)`), in
nats per image:

{_table(rows).format(**scores)}

`evaluate.scoreboard` on every tenth test image, k = 100:

```
{board}
```

The 5,000 digits that the course embeds are MNIST training images, so this model has seen them: on those, its scores
are a little too good.
"""
    return scores, text


def train_digit_classifier(checkpoint: Path, epochs: int = 8) -> tuple[judges.DigitClassifier, dict]:
    """Train the classifier in whose features the scoreboard compares samples with real digits."""
    model = judges.DigitClassifier()
    train_set = data.load_digits("train", source="mnist")
    history = train.fit(model, train_set, _cross_entropy, epochs=epochs, checkpoint=checkpoint)
    with torch.no_grad():
        features = torch.cat([model.features(images) for images, _ in train_set.to(pick_device()).batches(500)])
    model.real_mean.copy_(features.mean(0))
    model.real_covariance.copy_(features.T.cov())
    return model, {
        "trained_on": f"MNIST, {len(train_set):,} of its training images. The mean and covariance of their features "
        "are kept in the model; samples are compared with them by `evaluate.frechet_distance`.",
        "training": _time(history.seconds),
    }


def _cross_entropy(model: judges.DigitClassifier, images: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(model(images), labels, reduction="none")


def measure_digit_classifier(model: judges.DigitClassifier) -> tuple[dict, str]:
    """Measure how often the classifier is right on MNIST's test images."""
    test = data.load_digits("test", source="mnist")
    accuracy = train.measure(model, test, _is_right)["loss"]
    return {"accuracy": accuracy}, f"On MNIST's {len(test):,} test images {accuracy:.2%} are named right.\n"


def _is_right(model: judges.DigitClassifier, images: Tensor, labels: Tensor) -> Tensor:
    return (model(images).argmax(1) == labels).float()


def train_faces(checkpoint: Path) -> tuple[models.FaceVAE, dict]:
    """Train the face model on CelebA's train split."""
    train_set = data.load_faces("train", source="celeba")
    model = models.FaceVAE(channels=(32, 64, 128, 224))
    stages = ((2, 60, 5e-3), (6, 20, 2e-3), (15, 15, 2e-3))
    return train_in_stages(
        model, train_set, stages, checkpoint, f"CelebA, {len(train_set):,} images of its train split"
    )


def train_portraits(checkpoint: Path) -> tuple[models.FaceVAE, dict]:
    """Train the model of the faces that the course draws."""
    model = models.FaceVAE(channels=(24, 48, 96, 128), latent_dim=64)
    stages = ((2, 10, 5e-3), (8, 5, 2e-3), (30, 6, 2e-3))
    about = "20,000 portraits drawn by the course, `data.render_portraits(20_000, seed=10)`"
    return train_in_stages(model, data.render_portraits(20_000, seed=10), stages, checkpoint, about)


def train_in_stages(
    model: models.FaceVAE,
    train_set: data.FaceSet,
    stages: tuple[tuple[float, int, float], ...],
    checkpoint: Path,
    about: str,
) -> tuple[models.FaceVAE, dict]:
    """Train in stages of (β, epochs, learning rate), each of which keeps its state in a file of its own.

    β rises from stage to stage. The early ones learn detail; the later ones give up what of it costs many nats, and
    leave codes that are closer to the prior.
    """
    seconds = []
    for number, (beta, epochs, lr) in enumerate(stages, 1):
        loss = functools.partial(_mirrored_elbo, beta=beta)
        state = checkpoint.with_suffix(f".{number}.ckpt")
        seed = len(seconds)  # another order of the images in each stage
        seconds += train.fit(model, train_set, loss, epochs=epochs, lr=lr, seed=seed, checkpoint=state).seconds
    return model, {
        "trained_on": f"{about}, each mirrored by chance. The loss is the distortion with the optimal σ + β · rate, "
        f"with (β, epochs, learning rate) = {', then '.join(map(str, stages))}.",
        "training": _time(seconds),
    }


def _mirrored_elbo(model: models.VAE, images: Tensor, labels: Tensor, beta: float) -> dict:
    """Return the loss on images that are mirrored by chance."""
    return losses.negative_elbo(model, _mirrored(images), beta=beta, likelihood="gaussian", sigma="optimal")


def _mirrored(images: Tensor) -> Tensor:
    chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    return torch.where(chosen, images.flip(3), images)


def measure_faces(model: models.FaceVAE) -> tuple[dict, str]:
    """Measure the face model on CelebA's test split."""
    return measure_reconstructions(model, data.load_faces("test", source="celeba"), "images of CelebA's test split")


def measure_portraits(model: models.FaceVAE) -> tuple[dict, str]:
    """Measure the model of portraits on portraits that it has not seen."""
    test = data.render_portraits(2_000, seed=11)
    return measure_reconstructions(model, test, "other portraits, `data.render_portraits(2_000, seed=11)`")


def measure_reconstructions(model: models.FaceVAE, test: data.FaceSet, what: str) -> tuple[dict, str]:
    """Measure how well faces are reconstructed, and how many nats their codes cost."""
    elbo = functools.partial(losses.negative_elbo, likelihood="gaussian", sigma="optimal")
    error, rate = train.measure(model, test, _pixel_error)["loss"], train.measure(model, test, elbo)["rate"]
    rows = {
        "squared error per pixel value (0 to 1), reconstructed from the mean code": f"**{error:.5f}**",
        "rate, in nats per image": f"{rate:.1f}",
    }
    return {"error": error, "rate": rate}, f"On {len(test):,} {what}:\n\n{_table(rows)}\n"


def _pixel_error(model: models.VAE, images: Tensor, labels: Tensor) -> Tensor:
    mean, _ = model.encode(images)
    return losses.squared_error(model.decode(mean), images) / images[0].numel()


@torch.no_grad()
def train_face_codes(checkpoint: Path, components: int = 10) -> tuple[judges.FaceCodes, dict]:
    """Describe the codes of the shipped face model: a mixture of Gaussians, and attribute directions."""
    from sklearn.mixture import GaussianMixture

    model = checkpoints.load_pretrained("faces").to(pick_device())
    train_set = data.load_faces("train", source="celeba")
    parts = [model.encode(images.to(pick_device())) for images, _ in train_set.batches(500)]
    means, log_vars = (torch.cat(column) for column in zip(*parts, strict=True))
    z = model.reparameterize(means, log_vars)
    mixture = GaussianMixture(components, reg_covar=1e-3, random_state=0).fit(z.cpu().numpy())
    codes = judges.FaceCodes(latent_dim=model.latent_dim, components=components, attributes=train_set.label_names)
    codes.weights.copy_(torch.from_numpy(mixture.weights_))
    codes.means.copy_(torch.from_numpy(mixture.means_))
    codes.factors.copy_(torch.linalg.cholesky(torch.from_numpy(mixture.covariances_)))
    for row, name in zip(codes.directions, train_set.label_names, strict=True):
        row.copy_(attributes.direction(means, train_set.attribute(name)))
    return codes, {
        "trained_on": f"the codes of the {len(train_set):,} images of CelebA's train split that `faces` was trained on",
        "training": "fitted with scikit-learn, in seconds",
    }


@torch.no_grad()
def measure_face_codes(codes: judges.FaceCodes) -> tuple[dict, str]:
    """Compare pictures of codes from the mixture, and from the prior, with photographs."""
    model, judge = (checkpoints.load_pretrained(name).to(codes.means.device) for name in ("faces", "face_judge"))
    others, test = (data.load_faces(split, source="celeba") for split in ("valid", "test"))
    n = len(test)
    means = evaluate.encode_all(model, test.floats)
    pictures = {
        "other photographs, of the valid split": others.subset(slice(n)).floats,
        "reconstructions of the test photographs": evaluate.decode_all(model, means),
        "samples from this mixture": evaluate.decode_all(model, codes.sample(n)),
        "samples from the prior N(0, I)": evaluate.decode_all(model, torch.randn_like(means)),
    }

    def features(images: Tensor) -> Tensor:
        return torch.cat([judge.features(part.to(codes.means.device)) for part in images.split(500)])

    real = features(test.floats)
    scores = {name: evaluate.frechet_distance(features(images), real) for name, images in pictures.items()}
    table = _table({name: f"{distance:.2f}" for name, distance in scores.items()})
    text = f"""Fréchet distance to {n:,} photographs of the test split, of as many images each, in the features of
`face_judge`:

{table}

The file holds a mixture of {codes.components} Gaussians with full covariances, and for each of the
{len(codes.attributes)} attributes the difference between the mean codes with it and without it.
"""
    return scores, text


def train_face_judge(checkpoint: Path, epochs: int = 12) -> tuple[judges.AttributeClassifier, dict]:
    """Train the classifier that judges what an edit has changed in a face."""
    train_set = data.load_faces("train", source="celeba")
    model = judges.AttributeClassifier(attributes=train_set.label_names)
    history = train.fit(model, train_set, _attribute_loss, epochs=epochs, lr=3e-3, checkpoint=checkpoint)
    return model, {
        "trained_on": f"CelebA, {len(train_set):,} images of its train split: photographs only, never the output of a "
        "VAE.",
        "training": _time(history.seconds),
    }


def _attribute_loss(model: judges.AttributeClassifier, images: Tensor, labels: Tensor) -> Tensor:
    """Return the mean binary cross-entropy over the attributes, on images mirrored and moved at random."""
    if model.training:
        down, right = torch.randint(-3, 4, (2,)).tolist()  # the whole batch by the same few pixels
        images = _mirrored(images).roll((down, right), dims=(2, 3))
    return F.binary_cross_entropy_with_logits(model(images), labels.float(), reduction="none").mean(1)


def measure_face_judge(model: judges.AttributeClassifier) -> tuple[dict, str]:
    """Measure how often the judge is right on CelebA's test split, beside always giving the more frequent answer."""
    test = data.load_faces("test", source="celeba")
    scores = train.measure(model, test, _right_attributes)
    del scores["loss"]
    seen = dict(zip(model.attributes, test.labels.float().mean(0).tolist(), strict=True))
    lines = [f"| {name} | {share:.1%} | {max(seen[name], 1 - seen[name]):.1%} |" for name, share in scores.items()]
    table = "\n".join(["| attribute | named right | always the more frequent answer |", "|---|---|---|", *lines])
    return scores, f"On the {len(test):,} images of CelebA's test split that were at hand:\n\n{table}\n"


def _right_attributes(model: judges.AttributeClassifier, images: Tensor, labels: Tensor) -> dict:
    right = ((model(images) > 0) == labels.bool()).float()
    return {"loss": 1 - right.mean(1), **dict(zip(model.attributes, right.T, strict=True))}


RECIPES = {
    "digits": Recipe("a convolutional VAE of handwritten digits", _MNIST_LICENCE, train_digits, measure_digits),
    "digit_classifier": Recipe(
        "the judge of the scoreboard's samples",
        _MNIST_LICENCE,
        train_digit_classifier,
        measure_digit_classifier,
        torch.float32,
    ),
    "face_judge": Recipe(
        "an independent judge of 40 attributes of faces", _CELEBA_LICENCE, train_face_judge, measure_face_judge
    ),
    "faces": Recipe("a VAE of faces", _CELEBA_LICENCE, train_faces, measure_faces),
    "face_codes": Recipe("the codes of the face model", _CELEBA_LICENCE, train_face_codes, measure_face_codes),
    "portraits": Recipe("a VAE of drawn portraits", "MIT, as the course", train_portraits, measure_portraits),
}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--card", action="store_true", help="only measure the shipped model, and write its card")
    parser.add_argument("--checkpoint", type=Path, help="file for the state of the training (build/NAME.ckpt)")
    options = parser.parse_args()
    if options.card:
        write_card(options.name, RECIPES[options.name])
    else:
        make(options.name, RECIPES[options.name], options.checkpoint or Path(f"build/{options.name}.ckpt"))
