"""Long trainings outside notebooks, on one device or several: the command ``python -m vae_helpers.train``."""

import argparse
import ast
import contextlib
import functools
import inspect
import io
import math
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from tqdm import tqdm

from vae_helpers import checkpoints, data, losses, models, train
from vae_helpers.data import ImageSet
from vae_helpers.device import pick_device, seed_everything
from vae_helpers.files import written_whole

_COMMON = (models.Autoencoder, models.VAE)
MODELS = {
    name: kind
    for name, kind in vars(models).items()
    if isinstance(kind, type) and issubclass(kind, models.Autoencoder) and kind not in _COMMON
}


def _letters(split: str, size: int = 32) -> ImageSet:
    count, seed = {"train": (5000, 0), "valid": (500, 1)}[split]
    return data.render_letters(count, size, seed)


DATA: dict[str, Callable[..., ImageSet]] = {
    "digits": data.load_digits,
    "faces": data.load_faces,
    "xrays": data.load_xrays,
    "letters": _letters,
}

HELP = """Train a model of the course for as long as it takes, outside a notebook.

After every epoch the state of the training is written to the checkpoint. Should the training be stopped or killed, or
the power fail, then give the same command again: it goes on after the last whole epoch, and ends with the model that it
would have had without the interruption. In the end there are three files beside each other:

  run.ckpt         what the training needs to go on
  run.csv          one line per epoch: the losses in nats (or squared grey levels) per image, and the seconds
  run.safetensors  the model; open it with vae_helpers.checkpoints.load_model("run.safetensors")

examples:
  python -m vae_helpers.train ConvVAE digits --epochs 20 --checkpoint run.ckpt --set latent_dim=32
  python -m vae_helpers.train FaceVAE faces --epochs 10 --loss likelihood=gaussian --loss sigma=optimal
  python -m vae_helpers.train ConvAutoencoder ~/pictures --size 32 --set channels=16,32,64

on several GPUs, or several processes of one processor (pip install accelerate):
  accelerate launch --num_processes 2 -m vae_helpers.train ConvVAE digits --epochs 20 --checkpoint run.ckpt
  (on a machine without a GPU: accelerate launch --multi_gpu --num_processes 2 …, whose name misleads here)

Each process computes its share of every batch, so that --batch-size means the same as before, and the losses are those
of one process, but for rounding. Noise is drawn for the whole batch by all processes alike. Only what a model or a loss
computes from a batch as a whole differs: batch normalisation (FaceVAE) and sigma=optimal see one share.
Every process writes the same checkpoint; on several machines, each has its own copy or all share one folder.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command ``python -m vae_helpers.train`` with these arguments, by default those of the command line.

    In a notebook: ``accelerate.notebook_launcher(main, [["ConvVAE", "digits"]], num_processes=2)``. What is wrong with
    an argument is said in one sentence, and raises SystemExit with the code 2.
    """
    first = os.environ.get("RANK", "0") == "0"
    with contextlib.ExitStack() as stack:
        if not first:  # of several processes, one speaks
            nowhere = stack.enter_context(open(os.devnull, "w"))
            stack.enter_context(contextlib.redirect_stdout(nowhere))
        elif not sys.stdout.isatty():
            stack.enter_context(contextlib.redirect_stdout(_WithoutBar(sys.stdout)))
        try:
            options = _parser().parse_args(arguments)
            options.given = sys.argv[1:] if arguments is None else list(arguments)
            accelerator = _accelerator()
            run(options, accelerator)
            if accelerator:
                accelerator.end_training()
        except (ValueError, OSError, FloatingPointError, ModuleNotFoundError) as error:
            print(*str(error).split() if first else "", file=sys.stderr)
            sys.exit(2)
        except KeyboardInterrupt:
            sys.exit(130)


def run(options: argparse.Namespace, accelerator=None) -> None:
    """Train, or go on training, as the options of the command line say, and save the model.

    Raises:
        ValueError: an argument that does not fit.
        OSError: data that cannot be loaded, or files that cannot be written.
        FloatingPointError: as ``train.fit``.
        KeyboardInterrupt: the training was stopped by hand, after it has said so.
    """
    loss = _loss(options)
    checkpoint, log, result = _files(options)
    # What has to be downloaded or decoded, the first process gets for all.
    with accelerator.main_process_first() if accelerator else contextlib.nullcontext():
        train_set, valid_set = _load(options)
    seed_everything(options.seed)
    model = _model(options, train_set)
    device = accelerator.device if accelerator else pick_device()
    model.to(device)
    if accelerator:
        loss = Shared(loss, accelerator)
        left = len(train_set) % options.batch_size or options.batch_size
        if left < accelerator.num_processes:
            text = f"The last batch has {left} image(s), too few for {accelerator.num_processes} processes"
            raise ValueError(f"{text}; choose another --batch-size.")
        for parameter in model.parameters():
            parameter.register_post_accumulate_grad_hook(lambda p: _sum_up(p.grad, accelerator))
    numbers = sum(parameter.numel() for parameter in model.parameters())
    many = f"; {accelerator.num_processes} processes" if accelerator else ""
    print(f"{options.model}, {numbers:,} numbers, on {len(train_set):,} images ({train_set.source}){many}.")
    print(f"{'Goes on from' if checkpoint.exists() else 'Keeps its state in'} {checkpoint}; the log is {log}.")

    def after_epoch(history: train.History) -> None:
        tqdm.write(_in_words(history, options.epochs), file=sys.stdout)
        if accelerator is None or accelerator.is_main_process:
            _write_log(log, history)

    settings = {"epochs": options.epochs, "batch_size": options.batch_size, "lr": options.lr, "seed": options.seed}
    settings |= {"valid": valid_set, "device": device, "checkpoint": checkpoint, "after_epoch": after_epoch}
    history = train.fit(model, train_set, loss, **settings)
    if len(history.seconds) < options.epochs:
        print(f"Stopped after {len(history.seconds)} of {options.epochs} epochs; the same command goes on from there.")
        raise KeyboardInterrupt
    if accelerator is None or accelerator.is_main_process:
        _write_log(log, history)
        about = {"data": train_set.source, "command": shlex.join(options.given), "seconds": sum(history.seconds)}
        about |= {"train": {name: values[-1] for name, values in history.train.items()}}
        about |= {"valid": {name: values[-1] for name, values in history.valid.items()}}
        checkpoints.save_model(model, result, **about)
    print(f'The model is in {result}; open it with checkpoints.load_model("{result}").')


def _sum_up(gradient: Tensor, accelerator) -> None:
    """Make a share's gradient that of the whole batch."""
    gradient.copy_(accelerator.reduce(gradient, reduction="sum"))


class Shared:
    """A loss of which each process computes its share: what it returns is of the whole batch, in all processes.

    Gradients flow to a process's own share only; summed over the processes, they are those of the whole batch.
    """

    def __init__(self, loss: train.Loss, accelerator):
        self.loss, self.accelerator, self.begun = loss, accelerator, False

    def __repr__(self) -> str:
        return repr(self.loss)  # so that a training can go on with more or fewer processes

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return the losses (N,) of N images, by name."""
        if not self.begun and images.is_cuda:
            # A checkpoint has the random numbers of the first process, whose GPU is the first.
            torch.cuda.set_rng_state(torch.cuda.get_rng_state(0), images.device)
        self.begun = True
        for buffer in model.buffers():  # the means of batch normalisation, each of a share
            if buffer.is_floating_point():
                buffer.copy_(self.accelerator.reduce(buffer, reduction="mean"))
        rank, processes, count = self.accelerator.process_index, self.accelerator.num_processes, len(images)
        begin, end = count * rank // processes, count * (rank + 1) // processes
        with _NoiseOfWholeBatch(begin, end, count):
            parts = self.loss(model, images[begin:end], labels[begin:end])
        parts = parts if isinstance(parts, dict) else {"loss": parts}
        wholes = {name: values.new_zeros(count) for name, values in parts.items()}
        for name, values in parts.items():
            wholes[name][begin:end] = values.detach()
        wholes = self.accelerator.reduce(wholes, reduction="sum")
        return {name: torch.cat([w[:begin], parts[name], w[end:]]) for name, w in wholes.items()}


class _NoiseOfWholeBatch(TorchFunctionMode):
    """Inside this block, noise for a share of a batch is cut out of the noise that the whole batch would get."""

    def __init__(self, begin: int, end: int, count: int):
        super().__init__()
        self.begin, self.end, self.count = begin, end, count

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function not in (torch.randn_like, torch.bernoulli):
            return function(*args, **(kwargs or {}))
        share = args[0].detach()
        whole = share.new_zeros(self.count, *share.shape[1:])
        whole[self.begin : self.end] = share  # for bernoulli, the probabilities
        return function(whole, *args[1:], **(kwargs or {}))[self.begin : self.end]


class _WithoutBar(io.TextIOBase):
    """Standard output as it goes to a file: whole lines, without the progress bar that is drawn again and again."""

    def __init__(self, file):
        self.file = file

    def write(self, text: str) -> int:
        if text.strip("\r \n") and not text.startswith("\r"):
            self.file.write(text.rstrip("\n") + "\n")
            self.file.flush()
        return len(text)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise ValueError(f"{message[0].upper()}{message[1:]}; see `python -m vae_helpers.train --help`.")


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    description, _, epilog = HELP.partition("examples:")
    parser = _Parser("python -m vae_helpers.train", None, description, f"examples:{epilog}", formatter_class=form)
    parser.allow_abbrev = False
    add = parser.add_argument
    add("model", help=f"one of: {', '.join(MODELS)}")
    add("data", help=f"one of: {', '.join(DATA)}; or a folder of pictures, of which every tenth is held out")
    add("--epochs", type=int, default=20, metavar="N", help="how often every image is seen (20)")
    add("--checkpoint", type=Path, metavar="FILE", help="where the state of the training is kept (MODEL-DATA.ckpt)")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="an argument of the model; may be repeated")
    add("--loss", action="append", default=[], metavar="NAME=VALUE", help="one of a VAE's loss, such as beta=4")
    add("--batch-size", type=int, default=128, metavar="N", help="images per step, of all processes together (128)")
    add("--lr", type=float, default=1e-3, metavar="RATE", help="the highest learning rate (0.001)")
    add("--seed", type=int, default=0, metavar="N", help="decides first weights, order of images and noise (0)")
    add("--source", metavar="NAME", help="where the data come from, such as mnist or embedded (what is there)")
    add("--size", type=int, metavar="N", help="edge of the images in pixels, for faces, letters and folders")
    return parser


def _accelerator():
    """Return accelerate's Accelerator if this is one of several processes, else None."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return None
    try:
        from accelerate import Accelerator
    except ModuleNotFoundError:
        raise ModuleNotFoundError("Several processes need accelerate: pip install accelerate.") from None
    return Accelerator(cpu=pick_device().type == "cpu")


def _files(options: argparse.Namespace) -> tuple[Path, Path, Path]:
    """Return the paths of checkpoint, log and model, or raise OSError if they cannot be written."""
    path = options.checkpoint or Path(f"{options.model}-{Path(options.data).name}.ckpt")
    path = path.expanduser()
    stem = path.with_suffix("") if path.suffix in (".ckpt", ".pt") else path
    paths = path, *(stem.with_name(f"{stem.name}.{ending}") for ending in ("csv", "safetensors"))
    for each in paths:
        if each.is_dir():
            raise IsADirectoryError(f"{each} is a folder; name a file.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OSError(f"{path} cannot be written ({error.strerror}); name another file with --checkpoint.") from None
    return paths


def _load(options: argparse.Namespace) -> tuple[ImageSet, ImageSet | None]:
    """Return the images to train on and those held out, of which a folder of fewer than ten pictures has none."""
    source = {"source": options.source} if options.source else {}
    size = {"size": options.size} if options.size else {}
    if options.data in DATA:
        load, wanted = DATA[options.data], source | size
        if unknown := wanted.keys() - inspect.signature(load).parameters.keys():
            raise ValueError(f"{options.data} have no choice of --{unknown.pop()}; leave it out.")
        return load("train", **wanted), load("valid", **wanted)
    folder = Path(options.data).expanduser()
    if not folder.is_dir():
        names = ", ".join(DATA)
        raise ValueError(f"There is no data set {options.data!r}; choose one of: {names}, or a folder of pictures.")
    if source:
        raise ValueError("A folder has no choice of --source; leave it out.")
    pictures = data.load_images(folder, **size)
    held_out = torch.arange(len(pictures)) % 10 == 9
    return pictures.subset(~held_out), pictures.subset(held_out) if held_out.any() else None


def _model(options: argparse.Namespace, images: ImageSet) -> nn.Module:
    """Return a new model for these images, or raise ValueError."""
    kind = MODELS[options.model]
    shape = {"image_shape": tuple(images.images.shape[1:])}
    classes = {"classes": len(images.label_names)} if "classes" in inspect.signature(kind).parameters else {}
    arguments = shape | classes | _named(f"The model {options.model}", "--set", options.set, inspect.signature(kind))
    try:
        return kind(**arguments)
    except Exception as error:  # whatever torch may say of a number that makes no layer
        given = " ".join(options.set) or f"images of {shape['image_shape']}"
        why = str(error).partition("\n")[0].rstrip(".")
        raise ValueError(f"{options.model} cannot be made with {given} ({why}).") from None


def _loss(options: argparse.Namespace) -> train.Loss:
    """Return what the model minimises: a VAE its negative ELBO, another autoencoder its squared error."""
    if options.model not in MODELS:
        raise ValueError(f"There is no model {options.model!r}; choose one of: {', '.join(MODELS)}.")
    loss = losses.negative_elbo if issubclass(MODELS[options.model], models.VAE) else losses.reconstruction_loss
    chosen = _named(f"The loss of {options.model}", "--loss", options.loss, inspect.signature(loss))
    return functools.partial(loss, **chosen) if chosen else loss


_KINDS = {
    tuple: (tuple, "whole numbers with commas between them, such as 32,64"),
    int: (int, "a whole number"),
    bool: (bool, "True or False"),
    float: ((int, float, str), "a number"),
    str: (str, "a word"),
}


def _named(what: str, option: str, given: Sequence[str], signature: inspect.Signature) -> dict:
    """Return the values of arguments that were given as NAME=VALUE, or raise ValueError."""
    defaults = {name: p.default for name, p in signature.parameters.items() if p.kind is p.KEYWORD_ONLY}
    values = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{option} takes NAME=VALUE, such as {option} {text or 'name'}=1, but got {text!r}.")
        if name not in defaults:
            raise ValueError(f"{what} has no argument {name!r}; it has: {', '.join(defaults) or 'none'}.")
        with contextlib.suppress(ValueError, SyntaxError):  # what is no number is a word
            value = ast.literal_eval(value)
        default = defaults[name]
        if isinstance(default, tuple) and isinstance(value, (int, list)):
            value = (value,) if isinstance(value, int) else tuple(value)
        kinds, wanted = _KINDS[type(default)]
        wrong_in = isinstance(value, tuple) and not all(type(each) is int for each in value)
        if not isinstance(value, kinds) or wrong_in or (isinstance(value, bool) and type(default) is not bool):
            raise ValueError(f"{option} {text}: {name} must be {wanted}.")
        values[name] = value
    return values


def _in_words(history: train.History, epochs: int) -> str:
    """Return the last epoch as a line to read."""
    last = {name: values[-1] for name, values in history.train.items()}
    held_out = {name: values[-1] for name, values in history.valid.items() if not math.isnan(values[-1])}
    parts = [" · ".join(f"{name} {value:.5g}" for name, value in each.items()) for each in (last, held_out)]
    words = f"{parts[0]} | held out: {parts[1]}" if held_out else parts[0]
    return f"epoch {len(history.seconds)} of {epochs}: {words} | {history.seconds[-1]:.1f} s"


def _write_log(path: Path, history: train.History) -> None:
    """Write one line per epoch; where that fails, say so, because the training is worth more than its log."""
    columns = {"epoch": range(1, len(history.seconds) + 1), **history.train}
    columns |= {f"held-out {name}": values for name, values in history.valid.items()}
    columns["seconds"] = [round(seconds, 2) for seconds in history.seconds]
    rows = [columns, *zip(*columns.values(), strict=True)]
    lines = [",".join(value if isinstance(value, str) else f"{value:.7g}" for value in row) for row in rows]
    try:
        with written_whole(path) as file:
            file.write("\n".join([*lines, ""]).encode())
    except OSError as error:
        tqdm.write(f"{path} could not be written ({error.strerror}).", file=sys.stdout)


if __name__ == "__main__":
    main()
