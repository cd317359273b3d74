"""Build the web edition: all committed notebooks as pages, and the playground as the front page.

python notebooks/source/build_site.py [FOLDER]     writes to build/site, or to FOLDER

The folder needs no server but one that hands out files: put it on any static host, or look at it with
``python -m http.server --directory build/site``. The playground runs the course's models in the browser with
onnxruntime-web, whose pinned release npm fetches once; nothing is asked of any other host after that.
"""

import hashlib
import inspect
import json
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import nbformat
import onnx
import torch
from torch import Tensor, nn

import build_homework
import build_notebooks
import web_pages
from vae_helpers import evaluate, losses, models, plots, publish, train
from vae_helpers.checkpoints import load_pretrained
from vae_helpers.data import load_digits
from vae_helpers.device import seed_everything

ROOT = build_notebooks.ROOT
HERE = ROOT / "site"
# name → what a learner may guess, in the order of the buttons' answers
BUGS = {
    "healthy": "nothing: it is healthy",
    "no_kl": "the KL is missing from the loss",
    "mean_pixels": "the distortion is averaged over the pixels, not summed",
    "double_sigmoid": "the sigmoid is taken twice",
    "no_noise": "no sampling: the decoder always sees the mean",
    "double_spread": "z = mean + variance · ε, without the square root",
}
BETAS = (0.1, 0.3, 1.0, 3.0, 10.0)
SLIDERS = (
    *("Smiling", "Mouth_Slightly_Open", "Eyeglasses", "Young", "Male", "Heavy_Makeup"),
    *("Blond_Hair", "Black_Hair", "Bangs", "Bald", "Mustache", "Pale_Skin"),
)


def main() -> None:
    """Write the whole site."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "site"
    shutil.rmtree(folder, ignore_errors=True)
    write_lessons(folder)
    write_playground(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(
        f"{folder}: {size / 1e6:.0f} MB in {sum(1 for _ in folder.rglob('*.html'))} pages"
    )


# --- The lessons --------------------------------------------------------------------------------------------------


def write_lessons(folder: Path) -> None:
    """Write every committed notebook as a web page, as it was executed when it was built."""
    pages = {}
    homework = [build_homework.student_path(master) for master in build_homework.MASTERS]
    for source in (*build_notebooks.SOURCES, *build_notebooks.PAGES):
        notebook = build_notebooks.committed(source)
        if notebook is not None:
            path = build_notebooks.path_of(source).relative_to(build_notebooks.NOTEBOOKS)
            pages[path.with_suffix("").as_posix()] = notebook
    address = f"{build_notebooks.project('Repository')}/blob/v{build_notebooks.project('version')}/"
    for path in homework:
        pages[f"homework/{path.stem}"] = nbformat.read(path, as_version=4)
    web_pages.write_site(folder, pages, address, "lessons.html")


# --- The playground's models --------------------------------------------------------------------------------------


def recipe() -> str:
    """Return the hash of all that the small digit models are made from; comments and docstrings do not count."""
    made = [
        trained,
        elbo_with,
        Encoder,
        terms,
        numbers,
        export_like,
        train_digits,
        publish.Decoder,
    ]
    made += [models.Autoencoder, models.VAE, models.DenseAutoencoder, models.DenseVAE]
    made += [losses.kl_divergence, losses.reconstruction_loss, train.fit, publish.export]
    code = build_notebooks.without_comments("\n".join(map(inspect.getsource, made)))
    digits = hashlib.sha256(
        (ROOT / "data" / "embedded_digits.png").read_bytes()
    ).hexdigest()
    return build_notebooks.sha256(f"{code} {digits} {BUGS} {BETAS}")


def trained(make, loss, epochs: int = 25) -> nn.Module:
    """Return a small model of the embedded digits, trained with ``loss``, its weights rounded to float16."""
    seed_everything(0)
    model, data = make(), load_digits("train", source="embedded")
    train.fit(model, data, loss, epochs=epochs, lr=2e-3, device="cpu")
    return model.half().float().eval()


def elbo_with(beta: float = 1.0, pixels: str = "sum", bug: str = ""):
    """Return a loss with the classic bug of this name, or none: the bugs of lesson 09 that can be seen in samples."""

    def loss(model: models.DenseVAE, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        mean, log_var = model.encode(images)
        spread = {"no_noise": 0.0, "double_spread": log_var.exp()}.get(
            bug, (0.5 * log_var).exp()
        )
        decoded = model.decode(mean + spread * torch.randn_like(mean))
        if bug == "double_sigmoid":
            decoded = torch.sigmoid(decoded)
        distortion = nn.functional.binary_cross_entropy(
            decoded.float(), images, reduction="none"
        ).flatten(1)
        distortion = distortion.mean(1) if pixels == "mean" else distortion.sum(1)
        rate = losses.kl_divergence(mean, log_var)
        total = distortion + (0.0 if bug == "no_kl" else beta) * rate
        return {"loss": total, "distortion": distortion, "rate": rate}

    return loss


class Encoder(nn.Module):
    """A model's encoder alone; of a VAE, mean and log variance side by side."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Return the codes (N, d), or of a VAE (N, 2d), of images (N, C, H, W)."""
        code = self.model.encode(images)
        return torch.cat(code, 1) if isinstance(code, tuple) else code


def numbers(values: Tensor) -> list:
    """Return a tensor as nested lists with four digits behind the point."""
    return [numbers(v) if v.ndim else round(v.item(), 4) for v in values]


def terms(model: models.DenseVAE, images: Tensor, twice: bool = False) -> dict[str, float]:
    """Return distortion and rate, in nats per image, with one draw of z for each image."""
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        mean, log_var = model.encode(images)
        decoded = publish.Decoder(model, twice)(model.reparameterize(mean, log_var))
        distortion = (
            nn.functional.binary_cross_entropy(decoded, images, reduction="none")
            .flatten(1)
            .sum(1)
            .mean()
        )
        return {
            "distortion": round(distortion.item(), 1),
            "rate": round(losses.kl_divergence(mean, log_var).mean().item(), 1),
        }


def export_like(pattern: Path, module: nn.Module, path: Path) -> None:
    """Write a module as ONNX by putting its weights into the file of another of the same shape, which takes no time."""
    proto, weights = onnx.load(str(pattern)), dict(module.state_dict())
    for stored in proto.graph.initializer:
        weight = weights.pop(stored.name.removesuffix("_half"), None)
        if weight is not None:
            values = weight.numpy().astype(onnx.numpy_helper.to_array(stored).dtype)
            stored.CopyFrom(onnx.numpy_helper.from_array(values, stored.name))
    left = [name for name in weights if "decoder" in name]
    if left:
        raise ValueError(
            f"{pattern} has no place for {left}: export {path.name} by itself."
        )
    onnx.save(proto, str(path))


def train_digits(folder: Path) -> None:
    """Train the playground's digit models; write them as ONNX, and ``digits.json`` with what the page says of them."""
    test = load_digits("test", source="embedded")
    images, labels = test.floats, test.labels
    flat, square, eight = torch.zeros(2, 2), torch.zeros(2, 1, 28, 28), torch.zeros(2, 8)
    digits: dict = {"labels": labels[:600].tolist()}
    digits["pictures"] = [image.flatten().tolist() for image in test.images[:40]]
    about: dict = {"digits": digits, "bugs": {}, "betas": []}

    def two_numbers(kind):
        return lambda: kind(hidden=(128, 64), latent_dim=2)

    def small():
        return models.DenseVAE(hidden=(64,), latent_dim=8)

    pair = {
        "ae": trained(two_numbers(models.DenseAutoencoder), losses.reconstruction_loss, 60),
        "vae": trained(two_numbers(models.DenseVAE), elbo_with(), 60),
    }
    for name, model in pair.items():
        publish.export(Encoder(model), square, folder / f"{name}_encoder.onnx")
        decoder, file = publish.Decoder(model), folder / f"{name}_decoder.onnx"
        if name == "ae":
            publish.export(decoder, flat, file)
        else:
            export_like(folder / "ae_decoder.onnx", decoder, file)
        digits[name] = numbers(evaluate.encode_all(model, images[:600]))
    for name, words in BUGS.items():
        loss = elbo_with(pixels="mean" if name == "mean_pixels" else "sum", bug=name)
        model, twice = trained(small, loss), name == "double_sigmoid"
        decoder, file = publish.Decoder(model, twice), folder / f"bug_{name}.onnx"
        if name == "healthy":
            healthy = model
        if name in ("healthy", "double_sigmoid"):
            publish.export(decoder, eight, file)
        else:
            export_like(folder / "bug_healthy.onnx", decoder, file)
        about["bugs"][name] = {"words": words, **terms(model, images, twice)}
    for beta in BETAS:
        file = f"beta_{beta:g}.onnx" if beta != 1 else "bug_healthy.onnx"
        model = trained(small, elbo_with(beta)) if beta != 1 else healthy
        export_like(folder / "bug_healthy.onnx", publish.Decoder(model), folder / file)
        about["betas"].append({"beta": beta, "file": file, **terms(model, images)})
    about["recipe"] = recipe()
    (folder / "digits.json").write_text(
        json.dumps(about, separators=(",", ":")) + "\n", encoding="utf-8"
    )


def write_faces(folder: Path) -> dict:
    """Write the shipped face model as ONNX; return directions, codes to begin with, and the astronaut's."""
    from skimage.data import astronaut, lbp_frontal_face_cascade_filename

    from vae_helpers.data import align_photo

    model, codes = (
        load_pretrained("faces").cpu().eval(),
        load_pretrained("face_codes").cpu(),
    )
    size = model.image_shape[-1]
    publish.export(
        Encoder(model), torch.zeros(2, 3, size, size), folder / "face_encoder.onnx"
    )
    publish.export(
        publish.Decoder(model),
        torch.zeros(2, model.latent_dim),
        folder / "face_decoder.onnx",
    )
    photo = align_photo(astronaut(), model)
    found = evaluate.refine_codes(model, photo, 100)
    write_smile(model, photo, found, codes.direction("Smiling"))
    generator = torch.Generator().manual_seed(206)
    return {
        "size": size,
        "sliders": [name for name in SLIDERS if name in codes.attributes],
        "directions": {
            name: numbers(codes.direction(name))
            for name in SLIDERS
            if name in codes.attributes
        },
        "codes": numbers(codes.sample(60, generator)),
        "astronaut": numbers(found[0]),
        "cascade": read_cascade(Path(lbp_frontal_face_cascade_filename())),
    }


def read_cascade(path: Path) -> dict:
    """Return the cascade with which ``align_photo`` finds faces, too, for the browser: stages of weak classifiers.

    Each weak classifier has a rectangle (one of 3 × 3 in a row and column), the 256 bits of its patterns, and two votes.
    """
    cascade = ElementTree.parse(path).getroot().find("cascade")
    rectangles = [
        list(map(int, r.text.split())) for r in cascade.find("features").iter("rect")
    ]
    stages = []
    for stage in cascade.find("stages"):
        weak = []
        for one in stage.find("weakClassifiers"):
            nodes = list(map(int, one.find("internalNodes").text.split()))
            votes = list(map(float, one.find("leafValues").text.split()))
            weak.append([rectangles[nodes[2]], nodes[3:], votes])
        stages.append({"least": float(stage.find("stageThreshold").text), "weak": weak})
    return {"edge": int(cascade.find("width").text), "stages": stages}


def write_smile(model: nn.Module, photo: Tensor, code: Tensor, smile: Tensor) -> None:
    """Draw the picture of the README: a photograph, and what the model makes of it, serious and smiling."""
    plots.use_course_style()
    with torch.no_grad():
        faces = [
            photo,
            *(model.decode(code + strength * smile) for strength in (-1.5, -0.5, 0.5)),
        ]
    figure, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
    titles = ("the photograph", "serious", "half a smile", "a smile")
    for ax, face, title in zip(axes, faces, titles, strict=True):
        plots.draw_image(ax, face[0])
        ax.set_title(title)
    (HERE / "smile.png").write_bytes(plots.png_bytes(figure, dpi=100))
    plt.close(figure)


# --- The playground -----------------------------------------------------------------------------------------------


def write_playground(folder: Path) -> None:
    """Write the front page with everything that it needs; train the digit models only if their recipe has changed."""
    target = folder / "playground"
    target.mkdir(parents=True)
    about = HERE / "playground" / "digits.json"
    if not about.exists() or json.loads(about.read_text("utf-8"))["recipe"] != recipe():
        train_digits(about.parent)
    for path in (HERE / "playground").iterdir():
        shutil.copy(path, folder if path.name == "index.html" else target)
    faces = json.dumps(write_faces(target), separators=(",", ":"))
    (target / "faces.json").write_text(faces, encoding="utf-8")
    files = {f"dist/{name}": name for name in publish.RUNTIME_FILES}
    publish.fetch(publish.RUNTIME, files, target, ROOT / "build")


if __name__ == "__main__":
    main()
