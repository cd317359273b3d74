"""Train the models that the course ships, for example: ``python data/pretrain.py digits``.

It needs the real data sets (see data/README.md). Stopped, the same command goes on where it was. Finished, it
measures the model on test images and writes it, with its card, to ``data/pretrained``.
"""

import argparse
import dataclasses
import functools
import os
import platform
from pathlib import Path

import torch
import torch.nn.functional as F
from tqdm import tqdm

from vae_helpers import attributes, checkpoints, data, evaluate, judges, losses, models, train
from vae_helpers.device import pick_device, seed_everything

_MNIST_TERMS = "the weights: MIT, as the course; MNIST (Yann LeCun and Corinna Cortes): CC BY-SA 3.0"
_CELEBA_TERMS = (
    "for non-commercial research only, as the data: CelebA (Liu et al., ICCV 2015, "
    "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html). No image of CelebA is part of the course."
)


def digits(checkpoint: Path, epochs: int = 110) -> None:
    """Train the digits model on MNIST's 60,000 training images, made black and white anew in each epoch."""
    model = models.ConvVAE(channels=(32, 64), blocks=1, hidden=256, latent_dim=32)
    loss = functools.partial(losses.negative_elbo, binarize=True)
    history = train.fit(model, _all_training_digits(), loss, epochs=epochs, lr=2e-3, checkpoint=checkpoint)
    _save(model, "digits", dtype=torch.float16)
    scores, table = _measure_vae(
        checkpoints.load_pretrained("digits").to(pick_device()), checkpoint.with_suffix(".nll")
    )
    _save(model, "digits", dtype=torch.float16, test_scores=scores)
    _write_card(
        "digits",
        "a convolutional VAE of handwritten digits",
        model,
        _describe(history),
        "MNIST, its 60,000 training images, each pixel made black or white anew in each epoch, with its grey level as "
        "the probability of white. Nothing was chosen with the help of test images.",
        f"""
Measured by the same command on MNIST's 10,000 test images, each made black and white once
(`ImageSet.binarized(seed=0)`), with the weights as shipped. In nats per image:

| | |
|---|---|
| NLL, importance-weighted, k = {scores["k"]:,} | **{scores["nll"]:.2f}** |
| its standard error, from the choice of images | {scores["nll_error"]:.2f} |
| −ELBO = rate + distortion | {scores["neg_elbo"]:.2f} = {scores["rate"]:.2f} + {scores["distortion"]:.2f} |
| −ELBO on training images, last epoch | {history.train["loss"][-1]:.2f} |

`evaluate.scoreboard` on every tenth test image, k = 100:

```
{table}
```

The 5,000 digits that the course embeds are MNIST training images, so this model has seen them: on those, its scores
are a little too good.
""",
    )


def _measure_vae(model: models.VAE, partial: Path, k: int = 1000) -> tuple[dict, evaluate.Scoreboard]:
    test = data.load_digits("test", source="mnist")
    black_and_white = test.binarized(seed=0)
    images = black_and_white.floats
    # On a CPU this takes a quarter of an hour, so it too goes on where it was stopped.
    parts = torch.load(partial, weights_only=True) if partial.exists() else []
    for start in tqdm(range(200 * len(parts), len(images), 200)):
        parts.append(evaluate.importance_weighted_nll(model, images[start : start + 200], k, seed=start).cpu())
        torch.save(parts, partial)
    nll = torch.cat(parts)
    elbo = train.measure(model, black_and_white, losses.negative_elbo)
    scores = {
        "k": k,
        "nll": nll.mean().item(),
        "nll_error": (nll.std() / len(nll) ** 0.5).item(),
        "neg_elbo": elbo["loss"],
        "rate": elbo["rate"],
        "distortion": elbo["distortion"],
    }
    return scores, evaluate.scoreboard({"digits": model}, test.subset(slice(None, None, 10)))


def digit_classifier(checkpoint: Path, epochs: int = 8) -> None:
    """Train the classifier in whose features the scoreboard compares samples with real digits."""
    model = judges.DigitClassifier()
    train_set = data.load_digits("train", source="mnist")
    history = train.fit(model, train_set, _cross_entropy, epochs=epochs, checkpoint=checkpoint)
    with torch.no_grad():
        features = torch.cat([model.features(images) for images, _ in train_set.to(pick_device()).batches(500)])
    model.real_mean.copy_(features.mean(0))
    model.real_covariance.copy_(features.T.cov())
    _save(model, "digit_classifier")
    correct = train.measure(model, data.load_digits("test", source="mnist"), _is_right)["loss"]
    _write_card(
        "digit_classifier",
        "the judge of the scoreboard's samples",
        model,
        _describe(history),
        "MNIST, 55,000 of its training images. The mean and covariance of their features are kept in the model; "
        "samples are compared with them by `evaluate.frechet_distance`.",
        f"\nOn MNIST's 10,000 test images {correct:.2%} are named right.\n",
    )


def _cross_entropy(model: judges.DigitClassifier, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(model(images), labels, reduction="none")


def _is_right(model: judges.DigitClassifier, images: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"loss": (model(images).argmax(1) == labels).float()}


def faces(checkpoint: Path) -> None:
    """Train the face model on CelebA's train split."""
    splits = [data.load_faces(split, source="celeba") for split in ("train", "test")]
    about = f"CelebA, {len(splits[0]):,} images of its train split, each mirrored or not by chance."
    model = models.FaceVAE(channels=(32, 64, 128, 224))
    stages = ((2, 60, 5e-3), (6, 20, 2e-3), (15, 15, 2e-3))
    _train_faces("faces", "a VAE of faces", model, *splits, stages, checkpoint, about, _CELEBA_TERMS)


def portraits(checkpoint: Path) -> None:
    """Train the model of the faces that the course draws."""
    splits = [data.render_portraits(n, seed=seed) for n, seed in ((20_000, 10), (2_000, 11))]
    about = "20,000 portraits drawn by the course, `data.render_portraits(20_000, seed=10)`, each mirrored by chance."
    model = models.FaceVAE(channels=(24, 48, 96, 128), latent_dim=64)
    stages = ((2, 10, 5e-3), (8, 5, 2e-3), (30, 6, 2e-3))
    _train_faces(
        "portraits", "a VAE of drawn portraits", model, *splits, stages, checkpoint, about, "MIT, as the course"
    )


def _train_faces(
    name: str,
    what: str,
    model: models.FaceVAE,
    train_set: data.FaceSet,
    test_set: data.FaceSet,
    stages: tuple[tuple[float, int, float], ...],
    checkpoint: Path,
    about: str,
    terms: str,
) -> None:
    """Train in stages of (β, epochs, learning rate), measure on ``test_set``, and write the model and its card.

    β rises from stage to stage. The early ones learn detail; the later ones give up what of it costs many nats, and
    leave codes that are closer to the prior.
    """
    history = train.History()
    for number, (beta, epochs, lr) in enumerate(stages, 1):
        loss = functools.partial(_mirrored_elbo, beta=beta)
        state = checkpoint.with_suffix(f".{number}.ckpt")
        seed = len(history.seconds)  # another order of the images in each stage
        history.seconds += train.fit(model, train_set, loss, epochs=epochs, lr=lr, seed=seed, checkpoint=state).seconds
    _save(model, name, dtype=torch.float16)
    shipped = checkpoints.load_pretrained(name).to(pick_device())
    error = train.measure(shipped, test_set, _pixel_error)["loss"]
    elbo = functools.partial(losses.negative_elbo, likelihood="gaussian", sigma="optimal")
    rate = train.measure(shipped, test_set, elbo)["rate"]
    _write_card(
        name,
        what,
        model,
        _describe(history),
        f"{about} The loss is the distortion with the optimal σ + β · rate, with (β, epochs, learning rate) = "
        f"{', then '.join(map(str, stages))}.",
        f"""
On {len(test_set):,} images of the test split, with the weights as shipped:

| | |
|---|---|
| squared error per pixel value (0 to 1), reconstructed from the mean code | **{error:.5f}** |
| rate, in nats per image | {rate:.1f} |
""",
        terms,
    )


def _mirrored_elbo(model: models.VAE, images: torch.Tensor, labels: torch.Tensor, beta: float) -> dict:
    """Return the loss on images that are mirrored by chance."""
    return losses.negative_elbo(model, _mirrored(images), beta=beta, likelihood="gaussian", sigma="optimal")


def _mirrored(images: torch.Tensor) -> torch.Tensor:
    chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    return torch.where(chosen, images.flip(3), images)


def _pixel_error(model: models.VAE, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    mean, _ = model.encode(images)
    return losses.squared_error(model.decode(mean), images) / images[0].numel()


@torch.no_grad()
def face_codes(checkpoint: Path, components: int = 10) -> None:
    """Learn what the codes of the shipped face model are like: a mixture of Gaussians, and attribute directions."""
    from sklearn.mixture import GaussianMixture

    device = pick_device()
    model = checkpoints.load_pretrained("faces").to(device)
    judge = checkpoints.load_pretrained("face_judge").to(device)
    train_set, test_set = (data.load_faces(split, source="celeba") for split in ("train", "test"))

    def encode(images: data.ImageSet) -> tuple[torch.Tensor, torch.Tensor]:
        parts = [model.encode(batch.to(device)) for batch, _ in images.batches(500)]
        return tuple(torch.cat(column) for column in zip(*parts, strict=True))

    means, log_vars = encode(train_set)
    z = model.reparameterize(means, log_vars)
    mixture = GaussianMixture(components, reg_covar=1e-3, random_state=0).fit(z.cpu().numpy())
    codes = judges.FaceCodes(latent_dim=model.latent_dim, components=components, attributes=train_set.label_names)
    codes.weights.copy_(torch.from_numpy(mixture.weights_))
    codes.means.copy_(torch.from_numpy(mixture.means_))
    codes.factors.copy_(torch.linalg.cholesky(torch.from_numpy(mixture.covariances_)))
    for row, name in zip(codes.directions, train_set.label_names, strict=True):
        row.copy_(attributes.direction(means, train_set.attribute(name)))
    _save(codes, "face_codes", dtype=torch.float16)

    shipped = checkpoints.load_pretrained("face_codes").to(device)
    n = len(test_set)
    pictures = {
        "other photographs, of the valid split": data.load_faces("valid", source="celeba").floats[:n].to(device),
        "reconstructions of the test photographs": _decode(model, encode(test_set)[0]),
        "samples from this mixture": _decode(model, shipped.sample(n)),
        "samples from the prior N(0, I)": _decode(model, torch.randn(n, model.latent_dim, device=device)),
    }
    real = _features(judge, test_set.floats.to(device))
    distances = {name: evaluate.frechet_distance(_features(judge, x), real) for name, x in pictures.items()}
    table = "\n".join(f"| {name} | {distance:.2f} |" for name, distance in distances.items())
    _write_card(
        "face_codes",
        "what the codes of the face model are like",
        shipped,
        "fitted with scikit-learn, in seconds",
        f"the codes of the {len(train_set):,} images of CelebA's train split that `faces` was trained on",
        f"""
Fréchet distance to {n:,} photographs of the test split, in the features of `face_judge`, of as many images each:

| | |
|---|---|
{table}

The file holds a mixture of {components} Gaussians with full covariances, and for each of the {len(codes.attributes)}
attributes the difference between the mean codes with it and without it.
""",
        _CELEBA_TERMS,
    )


def _decode(model: models.FaceVAE, z: torch.Tensor) -> torch.Tensor:
    return torch.cat([model.decode(part) for part in z.split(500)])


def _features(judge: judges.AttributeClassifier, images: torch.Tensor) -> torch.Tensor:
    return torch.cat([judge.features(part) for part in images.split(500)])


def face_judge(checkpoint: Path, epochs: int = 12) -> None:
    """Train the classifier that judges what an edit has changed in a face."""
    train_set = data.load_faces("train", source="celeba")
    model = judges.AttributeClassifier(attributes=train_set.label_names)
    history = train.fit(model, train_set, _attribute_loss, epochs=epochs, lr=3e-3, checkpoint=checkpoint)
    _save(model, "face_judge", dtype=torch.float16)
    model = checkpoints.load_pretrained("face_judge").to(pick_device())
    test_set = data.load_faces("test", source="celeba")
    right = train.measure(model, test_set, _right_attributes)
    del right["loss"]
    rows = "\n".join(
        f"| {name} | {share:.1%} | {max(seen, 1 - seen):.1%} |"
        for (name, share), seen in zip(right.items(), test_set.labels.float().mean(0).tolist(), strict=True)
    )
    _write_card(
        "face_judge",
        "an independent judge of 40 attributes of faces",
        model,
        _describe(history),
        f"CelebA, {len(train_set):,} images of its train split: photographs only, never the output of a VAE.",
        f"""
On the {len(test_set):,} images of CelebA's test split that were at hand:

| attribute | named right | always the more frequent answer |
|---|---|---|
{rows}
""",
        _CELEBA_TERMS,
    )


def _attribute_loss(model: judges.AttributeClassifier, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the mean binary cross-entropy over the attributes, on images mirrored and moved at random."""
    if model.training:
        down, right = torch.randint(-3, 4, (2,)).tolist()  # the whole batch by the same few pixels
        images = _mirrored(images).roll((down, right), dims=(2, 3))
    return F.binary_cross_entropy_with_logits(model(images), labels.float(), reduction="none").mean(1)


def _right_attributes(model: judges.AttributeClassifier, images: torch.Tensor, labels: torch.Tensor) -> dict:
    right = ((model(images) > 0) == labels.bool()).float()
    return {"loss": 1 - right.mean(1), **dict(zip(model.attributes, right.T, strict=True))}


def _all_training_digits() -> data.ImageSet:
    parts = [data.load_digits(split, source="mnist") for split in ("train", "valid")]
    images, labels = (torch.cat([getattr(part, name) for part in parts]) for name in ("images", "labels"))
    return dataclasses.replace(parts[0], images=images, labels=labels)


def _save(model: torch.nn.Module, name: str, **about) -> None:
    checkpoints.save_model(model, checkpoints.pretrained_folder() / name, **about)


def _write_card(
    name: str, what: str, model, training: str, trained_on: str, scores: str, terms: str = _MNIST_TERMS
) -> None:
    """Write the model's card beside it; every number in it was measured by this run."""
    size = sum(weight.numel() for weight in model.state_dict().values())
    device = pick_device()
    hardware = torch.cuda.get_device_name() if device.type == "cuda" else f"{_processor()}, on {device.type}"
    text = f"""# {name}: {what}

Open it with `checkpoints.load_pretrained("{name}")`. Written by `data/pretrain.py`; do not edit.

| | |
|---|---|
| model | `{type(model).__name__}`, {size:,} numbers; its arguments stand in `{name}.json` |
| trained on | {trained_on} |
| licence | {terms} |
| command | `python data/pretrain.py {name}` |
| training | {training} |
| hardware | {hardware}, {torch.get_num_threads()} thread(s) of {os.cpu_count()} cores, PyTorch {torch.__version__} |

## Scores
{scores}"""
    (checkpoints.pretrained_folder() / f"{name}.md").write_text(text, encoding="utf-8")


def _describe(history: train.History) -> str:
    minutes = sum(history.seconds) / 60
    return f"{len(history.seconds)} epochs; {minutes:.1f} minutes of wall time"


def _processor() -> str:
    """Return the processor's name; Linux keeps it in a file, elsewhere Python knows it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    recipes = {
        recipe.__name__: recipe for recipe in (digits, digit_classifier, face_judge, faces, face_codes, portraits)
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=recipes)
    parser.add_argument("--checkpoint", type=Path, help="file for the state of the training (build/NAME.ckpt)")
    options = parser.parse_args()
    seed_everything(0)
    recipes[options.name](options.checkpoint or Path(f"build/{options.name}.ckpt"))
