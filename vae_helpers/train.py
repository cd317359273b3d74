"""Training: one loop for every model of the course."""

import copy
import io
import math
import re
import runpy
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from vae_helpers.data import ImageSet, SoundSet
from vae_helpers.device import own_random, pick_device
from vae_helpers.files import written_whole
from vae_helpers.losses import reconstruction_loss

Loss = Callable[[nn.Module, Tensor, Tensor], "Tensor | dict[str, Tensor]"]


@dataclass
class History:
    """What happened in each whole epoch: name → one number per epoch, for every quantity that the loss returned.

    ``train`` has means over the epoch's training images, and ``valid`` over the held-out images after it: empty without
    such images, NaN for epochs before a resumed training had some. ``seconds`` are wall times without measuring them.
    """

    train: dict[str, list[float]] = field(default_factory=dict)
    valid: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)


def fit(
    model: nn.Module,
    data: ImageSet | SoundSet,
    loss: Loss = reconstruction_loss,
    *,
    epochs: int,
    valid: ImageSet | SoundSet | None = None,
    batch_size: int = 128,
    lr: float = 1e-3,
    seed: int = 0,
    device: torch.device | str | None = None,
    checkpoint: Path | str | None = None,
    after_epoch: Callable[[History], None] | None = None,
) -> History:
    """Train ``model`` in place with Adam, and leave it on the device, in evaluation mode.

    The learning rate follows one cycle: it climbs to ``lr`` in the first tenth of the steps and then falls to almost
    nothing (Smith and Topin, 2018, "Super-convergence", arXiv:1708.07120). Models with convolutions train in bfloat16
    where that is faster (``mixed_precision``). Interrupting (Jupyter's stop button, Ctrl-C) keeps what was learnt.

    Args:
        data: images or sounds, or anything else with the ``len``, ``to`` and ``batches`` of an ``ImageSet``.
        loss: called as ``loss(model, images, labels)``. Returns the (N,) losses of the images, or a dict of
            such tensors, of which ``"loss"`` is minimised and the others are recorded.
        epochs, batch_size, lr: how often every image is seen, images per step, and the highest learning rate.
        valid: held-out images, to be measured after each epoch (``measure``); the training is the same without them.
        seed: decides the order of the images; first weights and noise follow PyTorch's (``device.seed_everything``).
        device: where to train; without it, ``device.pick_device`` chooses.
        checkpoint: a file that keeps the state of the training after every epoch, unless the disk is full. If it is
            there already, the training goes on from it, and ends with the same model as one that was never stopped.
        after_epoch: called with all that happened so far, after each epoch's checkpoint is written.

    Raises:
        ValueError: there are no images, a number is not positive, the device is missing, the loss does not return
            one number per image, or the checkpoint is damaged or of another training; the model is then as it was.
        FloatingPointError: the loss or a weight is not finite. The model is as it was before that epoch.
    """
    epochs, batch_size = whole_number("epochs", epochs), whole_number("batch_size", batch_size)
    if not 0 < lr < math.inf:
        raise ValueError(f"lr must be more than 0 and finite, but is {lr}.")
    device = pick_device(device)
    data = _checked("data", data).to(device)
    valid = None if valid is None else _checked("valid", valid).to(device)
    model.to(device, memory_format=torch.channels_last)
    total = epochs * math.ceil(len(data) / batch_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=device.type != "mps")
    climb = 0.1 if total != 10 else 0.2  # a tenth of ten steps would be a climb without a step, by which torch divides
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total, pct_start=climb, cycle_momentum=False)
    history, stateful = History(), {"optimizer": optimizer, "schedule": schedule, "model": model}
    if checkpoint:
        settings = _settings(model, data, loss, device, epochs=epochs, batch_size=batch_size, lr=lr, seed=seed)
        history = _resume(Path(checkpoint), stateful, settings)
    done = len(history.seconds)
    before, recorded = copy.deepcopy(model.state_dict()), []
    # A plain line of text works in JupyterLab, on Colab and in a terminal, and stays readable in a saved notebook.
    bar = "{desc}{percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt} steps, {elapsed}<{remaining}"
    with tqdm(total=total, initial=done * total // epochs, file=sys.stdout, bar_format=bar) as progress:
        try:
            for epoch in range(done, epochs):
                start, recorded = time.perf_counter(), []
                model.train()
                with mixed_precision(model, device):
                    for images, labels in data.batches(batch_size, shuffle=True, seed=seed + epoch):
                        parts = _losses(loss, model, images, labels)
                        optimizer.zero_grad()
                        parts["loss"].mean().backward()
                        optimizer.step()
                        schedule.step()
                        # Kept on the device: reading a number in every step would make the device wait.
                        recorded.append({name: value.detach().sum() for name, value in parts.items()})
                        progress.update()
                _stop_if_not_finite(model, before, recorded, epoch, lr)
                before = copy.deepcopy(model.state_dict())
                seconds = [*history.seconds, time.perf_counter() - start]
                train = _with_row(history.train, _means(recorded, len(data)), epoch)
                held_out = measure(model, valid, loss) if valid is not None else {}
                # One assignment, so that a stop by hand finds all of an epoch in it, or nothing.
                history = History(train, _with_row(history.valid, held_out, epoch), seconds)
                if checkpoint:
                    _save(Path(checkpoint), stateful, settings, history)
                if after_epoch:
                    after_epoch(history)
                text = f" · held out {held_out['loss']:.4g} " if held_out else " "
                progress.set_description_str(f"epoch {epoch + 1}/{epochs} · loss {train['loss'][-1]:.4g}{text}")
        except KeyboardInterrupt:
            _stop_if_not_finite(model, before, recorded, len(history.seconds), lr)
            text = f"Stopped by hand after {progress.n:,} of {total:,} steps; the model keeps what it has learnt."
            progress.write(text, file=sys.stdout)
        finally:
            model.eval()
    return history


def measure(model: nn.Module, data: ImageSet | SoundSet, loss: Loss = reconstruction_loss) -> dict[str, float]:
    """Return what ``loss`` returns, averaged over all images of ``data``: name → mean.

    Arguments are those of ``fit``. The model computes in float32, and otherwise as in ``measuring``.
    """
    data = _checked("data", data).to(next(model.parameters()).device)
    with measuring(model):
        found = (_losses(loss, model, *batch) for batch in data.batches(500))
        return _means([{name: value.sum() for name, value in parts.items()} for parts in found], len(data))


@contextmanager
def measuring(model: nn.Module, seed: int = 0) -> Iterator[None]:
    """Inside this block ``model`` is in evaluation mode, needs no gradients, and torch draws by ``seed``.

    After it all is as before: every layer's mode, and the random numbers that come next.
    """
    modes = {layer: layer.training for layer in model.modules()}
    with torch.no_grad(), own_random(next(model.parameters(), torch.empty(0)).device, seed):
        model.eval()
        try:
            yield
        finally:
            for layer, mode in modes.items():
                layer.training = mode


@contextmanager
def mixed_precision(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Inside this block ``model`` computes in bfloat16 if it has convolutions and the machine is made for it.

    That holds for ``model(...)`` and its ``encode`` and ``decode``; losses, weights and gradients stay float32. Without
    convolutions, a model stays so too: for matrices as small as the course's, converting costs more than it saves.
    """
    has_convolutions = any(isinstance(layer, nn.modules.conv._ConvNd) for layer in model.modules())
    names = ("forward", "encode", "decode", "decode_logits") if has_convolutions and has_fast_bfloat16(device) else ()
    methods = {name: getattr(model, name) for name in names if callable(getattr(model, name, None))}
    vars(model).update({name: torch.autocast(device.type, torch.bfloat16)(method) for name, method in methods.items()})
    try:
        yield
    finally:
        for name in methods:
            del vars(model)[name]  # the class's own method shows again


def has_fast_bfloat16(device: torch.device) -> bool:
    """Say whether ``device`` has instructions for bfloat16 matrices, so that they are faster than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def _save(path: Path, stateful: dict, settings: dict, history: History) -> None:
    """Write all that a training needs to go on. Where that fails, say so: the training is worth more than the file."""
    state = {name: part.state_dict() for name, part in stateful.items()}
    state |= {"random": [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]}
    torch.save(state | {"settings": settings, "history": vars(history)}, buffer := io.BytesIO())
    try:
        with written_whole(path) as file:
            file.write(buffer.getbuffer())
    except OSError as error:
        tqdm.write(f"{path} could not be written ({error.strerror}).", file=sys.stdout)


def _resume(path: Path, stateful: dict, settings: dict) -> History:
    """Take up the training that ``path`` holds, if it is there, or raise ValueError and change nothing."""
    if not path.exists():
        return History()
    try:
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()  # torch writes checksums, but does not look at them
        state = torch.load(path, map_location="cpu", weights_only=True)
        history, there, (cpu, *gpus) = History(**state["history"]), state["settings"], state["random"]
        wrong = wrong or "; ".join(f"{k} {there[k]} there, {v} here" for k, v in settings.items() if there[k] != v)
    except Exception as error:
        wrong = str(error).partition("\n")[0] or type(error).__name__
    if wrong:
        raise ValueError(f"{path} is not a checkpoint of this training ({wrong}); delete it, or name another file.")
    for name, part in stateful.items():
        part.load_state_dict(state[name])
    torch.set_rng_state(cpu)
    torch.cuda.set_rng_state_all(gpus[: torch.cuda.device_count()])
    return history


def _settings(model: nn.Module, data: ImageSet | SoundSet, loss: Loss, device: torch.device, **numbers) -> dict:
    """Return what a training depends on, in words and numbers; data are told apart by 500 of their images."""
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    with own_random(device):
        images, labels = next(iter(data.batches(500, shuffle=True)))
    sums = "#".join(f"{values.cpu().double().sum().item():.6g}" for values in (images, labels))
    model_text = f"{type(model).__qualname__} #{zlib.crc32(repr(shapes).encode())}"
    loss_text = re.sub(" at 0x[0-9a-f]+", "", repr(loss))  # a function's address is another in each process
    data_text = f"{len(data)} × {tuple(images.shape[1:])} #{sums}"
    return {**numbers, "model": model_text, "loss": loss_text, "data": data_text}


def _losses(loss: Loss, model: nn.Module, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return what the loss says of a batch, as a dict, or raise ValueError if it is not one number per image."""
    # Convolutions like channels last best; sound stays as it is.
    images = images.contiguous(memory_format=torch.channels_last) if images.ndim == 4 else images
    try:
        parts = loss(model, images, labels)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ValueError("A batch of one image is too few for BatchNorm; choose another batch_size.") from None
    parts = parts if isinstance(parts, dict) else {"loss": parts}
    if "loss" not in parts:
        raise ValueError(f'The loss returned a dict of {list(parts)}; what is to be minimised must be named "loss".')
    for name, values in parts.items():
        shape = tuple(values.shape) if torch.is_tensor(values) else type(values).__name__
        if shape != (len(images),):
            wanted = f"one number per image, a tensor of the shape ({len(images)},)"
            text = f"{name!r} is {shape}; sum over the pixels only, not over the batch"
            raise ValueError(f"The loss must return {wanted}, but {text}.")
    return parts


def whole_number(name: str, value: float) -> int:
    """Return ``value`` as an int; raise ValueError unless it is a whole number of at least 1."""
    if not 1 <= value < math.inf or value % 1:
        raise ValueError(f"{name} must be a whole number of at least 1, but is {value}.")
    return int(value)


def _checked(name: str, data: ImageSet | SoundSet) -> ImageSet | SoundSet:
    if not hasattr(data, "batches"):
        raise ValueError(f"{name} must be an ImageSet, which load_digits returns, but is a {type(data).__name__}.")
    whole_number(f"len({name})", len(data))
    return data


def _means(recorded: list[dict[str, Tensor]], count: int) -> dict[str, float]:
    return {name: torch.stack([r[name] for r in recorded]).sum().item() / count for name in recorded[0]}


def _with_row(columns: dict[str, list[float]], row: dict[str, float], before: int) -> dict[str, list[float]]:
    """Return the columns with one more number each; what was or is not measured is NaN."""
    return {n: [*columns.get(n, [math.nan] * before), row.get(n, math.nan)] for n in {**columns, **row}}


def _stop_if_not_finite(model: nn.Module, before: dict, recorded: list, epoch: int, lr: float) -> None:
    """Put the model back and raise FloatingPointError if a loss or a weight of this epoch is no number."""
    losses = torch.stack([r["loss"] for r in recorded]) if recorded else torch.zeros(0)
    bad = (~losses.isfinite()).nonzero()
    if not len(bad) and torch.stack([value.isfinite().all() for value in model.state_dict().values()]).all():
        return
    model.load_state_dict(before)
    step = int(bad[0]) + 1 if len(bad) else len(losses)
    what = f"loss became {losses[step - 1]}" if len(bad) else "weights became NaN or infinite"
    cause = f"The learning rate {lr:g} is probably too high; try {lr / 10:g}"
    if epoch == 0 and step == 1:
        cause = "It was so in the very first step, so look for a log(0), an exp of something large, or a division by 0"
    where = f"The {what} in step {step} of epoch {epoch + 1}"
    raise FloatingPointError(f"{where}. {cause}. The model is back where it was before that epoch.")


if __name__ == "__main__":
    runpy.run_module("vae_helpers.long_runs", run_name="__main__")
