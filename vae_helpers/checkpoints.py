"""Saving and loading models: weights as safetensors, the rest as JSON. Neither can carry code, as a pickle can."""

import inspect
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from vae_helpers import judges, models


def save_model(model: nn.Module, path: Path | str, *, dtype: torch.dtype = torch.float32, **about) -> None:
    """Write ``path``.safetensors with the weights and ``path``.json with the model's class and its arguments.

    Args:
        model: a model of :mod:`vae_helpers.models`.
        path: without a suffix. The folder is made if it is missing.
        dtype: how the weights are stored. ``torch.float16`` halves the file and keeps three digits of each weight.
        about: more to keep in the JSON file, such as ``data="MNIST"``.

    Raises:
        ValueError: the class is not one of :mod:`vae_helpers.models` or :mod:`vae_helpers.judges`.
    """
    kind = type(model).__name__
    if _class_named(kind) is not type(model):
        raise ValueError(
            f"save_model keeps models of vae_helpers.models, and {kind} is not one; "
            "for a class of your own use torch.save(model.state_dict(), path)."
        )
    arguments = {name: getattr(model, name) for name in inspect.signature(type(model)).parameters}
    weights = {
        name: value.detach().to("cpu", dtype if value.is_floating_point() else value.dtype).contiguous()
        for name, value in model.state_dict().items()
    }
    weights_path, about_path = _paths(path)
    weights_path.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, weights_path)
    description = {"class": kind, "arguments": arguments, **about}
    about_path.write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load_model(path: Path | str) -> nn.Module:
    """Return the model that :func:`save_model` wrote, in float32, on the CPU, in evaluation mode.

    Args:
        path: without a suffix, as given to :func:`save_model`.

    Raises:
        FileNotFoundError: one of the two files is missing.
        ValueError: a file is cut off, or the two do not fit together.
    """
    weights_path, about_path = _paths(path)
    for file in (weights_path, about_path):
        if not file.is_file():
            raise FileNotFoundError(f"There is no file {file}; a saved model is two files, .safetensors and .json.")
    try:
        description = json.loads(about_path.read_text(encoding="utf-8"))
        kind = _class_named(description["class"])
        with torch.random.fork_rng(devices=[]):  # its first, random weights are thrown away
            model = kind(**description["arguments"])
        model.load_state_dict(load_file(weights_path))
    except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{weights_path} and {about_path.name} are not a whole model that belongs together "
            f"({str(error).splitlines()[0]})."
        ) from error
    # Convolutions are fastest with this layout; ``fit`` uses it too.
    return model.eval().to(memory_format=torch.channels_last)


def load_pretrained(name: str) -> nn.Module:
    """Return a model that the course ships, on the CPU and in evaluation mode.

    They are ``"digits"``, ``"digit_classifier"``, ``"faces"``, ``"face_codes"``, ``"face_judge"`` and ``"portraits"``;
    the card of each lies beside it in ``data/pretrained``.

    Raises:
        ValueError: no model of this name is shipped.
    """
    folder = pretrained_folder()
    names = sorted(file.stem for file in folder.glob("*.safetensors"))
    if name not in names:
        raise ValueError(f"The course ships no model {name!r}; it ships: {', '.join(names) or 'none'}.")
    return load_model(folder / name)


def pretrained_folder() -> Path:
    """Return where the shipped models lie: inside an installed package, or in the repository's ``data``."""
    package = Path(__file__).resolve().parent
    inside = package / "pretrained"
    return inside if inside.is_dir() else package.parent / "data" / "pretrained"


def _class_named(kind: str) -> type[nn.Module] | None:
    """Return the class of this name, of the models or of the judges; None if there is none."""
    return getattr(models, kind, None) or getattr(judges, kind, None)


def _paths(path: Path | str) -> tuple[Path, Path]:
    return Path(f"{path}.safetensors"), Path(f"{path}.json")
