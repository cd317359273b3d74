"""Saving and loading models: one safetensors file each, which cannot carry code, as a pickle can."""

import hashlib
import inspect
import itertools
import json
import textwrap
import threading
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from vae_helpers import judges, models
from vae_helpers.files import written_whole

_FOUND = {**vars(models), **vars(judges)}
_CLASSES = {name: kind for name, kind in _FOUND.items() if isinstance(kind, type) and issubclass(kind, nn.Module)}


def save_model(model: nn.Module, path: Path | str, *, dtype: torch.dtype = torch.float32, **about) -> None:
    """Write a model to one file: its weights, its class with the arguments, and what ``about`` says of it.

    The file is written whole or not at all: whatever goes wrong, an older one of this name stays as it was.

    Args:
        model: a model of ``vae_helpers.models`` or ``vae_helpers.judges``.
        path: with or without its suffix, ``.safetensors``. The folder is made if it is missing.
        dtype: ``torch.float32``, or in half the space with fewer digits ``torch.float16`` or ``torch.bfloat16``.
        about: more to keep, such as ``data="MNIST"`` or ``loss=97.3``: text, numbers, and lists or dicts of these. The
            loaded model has it as the dict ``model.about``.

    Raises ValueError if the class is not one of the course's, a weight is not finite in ``dtype``, or ``about`` holds
    something else, and OSError if the file cannot be written.
    """
    kind, names = type(model).__name__, inspect.signature(type(model)).parameters
    if _CLASSES.get(kind) is not type(model) or not all(hasattr(model, name) for name in names):
        own = "for a class of your own use torch.save(model.state_dict(), path)"
        raise ValueError(f"save_model keeps models of vae_helpers.models, and {kind} is not one; {own}.")
    if dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise ValueError(f"dtype must be torch.float32, torch.float16 or torch.bfloat16, but is {dtype}.")
    weights = {name: _stored(name, value, dtype) for name, value in model.state_dict().items()}
    description = {"class": kind, "arguments": {name: getattr(model, name) for name in names}, "about": about}
    try:
        text = json.dumps(description, default=lambda value: value.tolist())  # numbers of NumPy and PyTorch
    except (AttributeError, TypeError) as error:
        raise ValueError(f"Only text, numbers, and lists or dicts of these are kept about a model ({error}).") from None
    _rebuild(text, weights)  # or fail now, while the old file is still there
    with written_whole(_file(path)) as file:
        # One entry, because safetensors writes several in an order that changes from file to file.
        file.write(safetensors.torch.save(weights, {"model": f"{_checksum(text, weights)} {text}"}))


def load_model(path: Path | str) -> nn.Module:
    """Return the model that ``save_model`` wrote to ``path``, in float32, on the CPU, in evaluation mode.

    The path may lack its suffix, ``.safetensors``. What was saved about the model is the dict ``model.about``. Raises
    FileNotFoundError if there is no such file, and ValueError if it is damaged or ``save_model`` did not write it.
    """
    file = _file(path)
    if not file.is_file():
        raise FileNotFoundError(f"There is no file {file}.")
    try:
        with safetensors.safe_open(file, framework="pt") as opened:
            checksum, _, text = (opened.metadata() or {}).get("model", "").partition(" ")
            weights = {name: opened.get_tensor(name) for name in opened.keys()}
        if checksum != _checksum(text, weights):
            raise ValueError("The checksum is not that of the content")
        return _rebuild(text, weights)
    except (safetensors.SafetensorError, ValueError) as error:
        advice = "copy it again, or save the model again"
        raise ValueError(f"{file} is damaged, or save_model did not write it ({error}); {advice}.") from error


def load_pretrained(name: str) -> nn.Module:
    """Return a model that the course ships, on the CPU and in evaluation mode.

    They are ``"digits"``, ``"digit_classifier"``, ``"faces"``, ``"face_codes"``, ``"face_judge"`` and ``"portraits"``;
    another name raises a ValueError. ``model.about`` and the card beside the file tell its data, scores and licence.
    """
    folder = pretrained_folder()
    names = sorted(file.stem for file in folder.glob("*.safetensors"))
    if name not in names:
        raise ValueError(f"The course ships no model {name!r}; it ships: {', '.join(names) or 'none'}.")
    return load_model(folder / name)


def pretrained_folder() -> Path:
    """Return where the shipped models lie: inside an installed package, or in the repository's ``data``."""
    inside = Path(__file__).resolve().parent / "pretrained"
    return inside if inside.is_dir() else inside.parents[1] / "data" / "pretrained"


def _stored(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a weight as it is stored; whole numbers, such as counts, stay as they are."""
    stored = value.detach().to("cpu", dtype if value.is_floating_point() else value.dtype).contiguous()
    if not stored.isfinite().all():
        wrong = value.detach().cpu()[~stored.isfinite()][0]
        raise ValueError(f"{name} holds {wrong:g}, which is not a finite number in {dtype}; nothing was written.")
    return stored


def _rebuild(text: str, weights: dict[str, Tensor]) -> nn.Module:
    """Return the model that a file describes. It need not be trusted: no more is made than there are weights for."""
    made, thread = itertools.count(1), threading.get_ident()

    def count(*_):
        if threading.get_ident() == thread and next(made) > len(weights):
            raise ValueError(f"there are only {len(weights)} weights")

    counted = nn.modules.module.register_module_parameter_registration_hook
    try:
        description = json.loads(text)
        # On "meta", tensors have a shape, but neither memory nor random first values.
        with counted(count), torch.device("meta"):
            model = _CLASSES[description["class"]](**description["arguments"])
        model.about = description["about"]
        floats = {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
        model.load_state_dict(floats, assign=True)
    except Exception as error:  # whatever a class may do with arguments that are not as they should be
        cause = textwrap.shorten(f"{type(error).__name__}: {error}", 200)
        raise ValueError(f"The weights do not fit the class and its arguments ({cause})") from error
    # Convolutions are fastest with this layout; ``fit`` uses it too.
    return model.eval().to(memory_format=torch.channels_last)


def _checksum(text: str, weights: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name, value in sorted(weights.items()):
        digest.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _file(path: Path | str) -> Path:
    """Return the path with its suffix, added to the whole name, so that ``model.v1`` and ``model.v2`` are two."""
    path = Path(path).expanduser()
    return path if path.suffix == ".safetensors" else path.with_name(f"{path.name}.safetensors")
