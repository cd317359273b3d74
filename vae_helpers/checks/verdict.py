"""How a check compares a student's answer with the solution, and what it says.

A new check in ten lines, in ``lesson_0N.py`` (put its name into ``__all__`` there, and it is ``checks.hourglass``):

    @exercise
    def hourglass(answer) -> Verdict:
        \"\"\"Check ``answer(x, w)``, (N, D) and (D, k): the codes x·w, (N, k).\"\"\"
        x, w = torch.tensor([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]]), torch.tensor([[1.0], [-2.0]])
        return compare(
            answer,
            lambda x, w: x @ w,  # the solution; its argument names appear in the messages
            cases=[(x, w), (x[:1], torch.eye(2))],  # the first of them small enough to be shown
            hints={"You return the error; return the codes.": lambda x, w: x - x @ w @ w.T},
            praise="Right: from two numbers to one.",
        )

In the lesson: ``verdict = checks.hourglass(my_codes); codes = verdict.working; verdict``. ``verdict.working`` is the
student's own answer if it is right, else the solution, so the next cells call ``codes`` and never fail;
``bool(verdict)`` is ``verdict.ok``.

- ``@exercise`` belongs on every check. Whatever the answer does, the check does not raise, ends in time
  (``@exercise(seconds=60)`` for one that trains), and leaves random numbers, modes and threads as they were.
- ``compare`` finds by itself: inputs changed in place, calls that differ, NaN, wrong shapes and types, a sum, mean or
  transpose too many or missing, numbers k times or + c, a root, logarithm, clamp or sign of the right ones, arguments
  that are exchanged, squared, left out, flipped, transposed, what is right in some cases only. Leave all that out of
  ``hints`` (words → a function with this mistake); keep two or three of the subject there. A hint comes first.
- Cases: one odd, none square, one at the boundary. ``compare`` repeats the first in float64 and shows the smallest.
- ``gradient=True`` for what will be trained with: the slopes must agree, too.
- An exercise with an int for its solution accepts whole numbers only.
- An answer that is no function: ``weights = numbers(answer, shape=(3,))``, then ``Verdict(ok, words, working=…)``.
  ``raise Complaint("…")`` anywhere ends a check with these words.
- A workshop measures what was reached. It is not in ``__all__``: lessons call ``checks.lesson_03.workshop(model)``.

    @exercise(seconds=60)
    def workshop(model) -> Verdict:
        images = load_digits("test").images[:500]
        error = (outputs(model, images) - images).square().flatten(1).sum(1).mean()
        return measured(error, what="The error on 500 unseen digits", at_most=30, unit="nats", praise="A good code.")
"""

import contextlib
import ctypes
import functools
import inspect
import itertools
import math
import random
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class Verdict:
    """What a check found: true if the answer is right, and shown as its message.

    Attributes:
        ok: whether the answer is right.
        message: one or two sentences for the student.
        working: what later cells use: the student's answer if it is right, else the solution.
    """

    ok: bool
    message: str
    working: Any = field(default=None, compare=False)

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"{'✓' if self.ok else '✗'} {self.message}"


class Complaint(Exception):
    """Ends a check; its text is the message of the verdict."""

    @property
    def sentence(self) -> str:
        """The text, as a sentence."""
        text = str(self)
        return text[:1].upper() + text[1:] if text.startswith("your ") else text


# --- Guarding: no exception, no endless loop, nothing changed ----------------------------------------------------


class _Stop(SystemExit):
    """Raised inside a check that runs too long. (Threads end silently on a SystemExit.)"""


class _Check(threading.Thread):
    """The thread in which a check runs. A thread has modes of its own (gradient, inference, autocast, device)."""

    def __init__(self, body: Callable):
        super().__init__(daemon=True)
        self.body, self.verdict, self.working = body, None, None

    def run(self) -> None:
        try:
            self.verdict = self.body()
        except Complaint as complaint:
            self.verdict = Verdict(False, complaint.sentence, self.working)
        except _Stop:
            pass
        except BaseException as error:
            self.verdict = Verdict(False, f"This answer cannot be judged: {_described(error)}", self.working)


def exercise(check: Callable | None = None, *, seconds: float = 10.0) -> Callable:
    """Make a check safe (decorator): it answers in a sentence, within ``seconds``, and leaves everything as it was."""
    if check is None:
        return functools.partial(exercise, seconds=seconds)

    @functools.wraps(check)
    def guarded(*arguments, **keywords):
        body = functools.partial(check, *arguments, **keywords)
        if isinstance(threading.current_thread(), _Check):
            return body()
        kept = _state()
        thread = _Check(body)
        try:
            torch.set_default_dtype(torch.float32)
            thread.start()
            end = time.monotonic() + seconds
            while thread.is_alive() and time.monotonic() < end:
                thread.join(0.05)  # in small steps, so that Windows notices an interrupt, too
        finally:  # an interrupt passes through here, and its traceback shows no line of the check
            stopped = _stop(thread)
            for restore, value in kept:
                restore(value)
        if thread.verdict is None:
            words = f"{_name(arguments[0])} was still running after {seconds:g} s: is there a loop that never ends?"
            words += "" if stopped else " It could not be stopped, so restart the kernel."
            return Verdict(False, words, thread.working)
        return thread.verdict

    return guarded


def _state() -> list[tuple[Callable, Any]]:
    """What a check must leave as it was: (how to set it, its value) for each."""
    pairs = [
        (random.getstate, random.setstate),
        (np.random.get_state, np.random.set_state),
        (torch.get_rng_state, torch.set_rng_state),
        (torch.get_default_dtype, torch.set_default_dtype),
        (torch.get_num_threads, torch.set_num_threads),
    ]
    if torch.cuda.is_initialized():
        pairs.append((torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all))
    return [(restore, read()) for read, restore in pairs]


def _stop(thread: threading.Thread) -> bool:
    """Ask the thread to stop for up to two seconds (code in C cannot be stopped); return whether it has."""
    for _ in range(40):
        if not thread.is_alive():
            return True
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_Stop))
        thread.join(0.05)
    return False


# --- Reading what the student gives ------------------------------------------------------------------------------


def _name(answer) -> str:
    name = getattr(answer, "__name__", None)
    return name if isinstance(name, str) and name.isidentifier() else "your function"


def _described(error: BaseException, answer=None) -> str:
    """The error in words, with the line of the student's code, whatever its ``__str__`` does."""
    try:
        text = " ".join(str(error).split())[:200]
    except _Stop:
        raise
    except BaseException:
        text = ""
    code, lines, trace = getattr(answer, "__code__", None), [], error.__traceback__
    while trace and code:
        lines += [trace.tb_lineno] * (trace.tb_frame.f_code.co_filename == code.co_filename)
        trace = trace.tb_next
    return type(error).__name__ + (f" in line {lines[-1]}" if lines else "") + (f": {text}" if text else ".")


def call(answer: Callable, *arguments):
    """Call the student's function; whatever it raises becomes a ``Complaint``."""
    try:
        return answer(*arguments)
    except _Stop:
        raise
    except BaseException as error:
        raise Complaint(f"{_name(answer)} stopped with {_described(error, answer)}") from None


def otherwise(solution) -> None:
    """Set what ``verdict.working`` is if the answer turns out wrong, for a check that does not use ``compare``."""
    threading.current_thread().working = solution


def result(answer: Callable, value, shape: tuple | None = None) -> Tensor:
    """Read what the student's function returned, like ``numbers``, with words for a function that returns nothing."""
    name = _name(answer)
    if value is None or value is ... or (isinstance(value, tuple) and any(part is ... for part in value)):
        raise Complaint(f"{name} returns nothing yet: write your code in place of the dots, and `return` it.")
    if callable(value) and not isinstance(value, nn.Module):
        raise Complaint(f"{name} returns a function: call it, with brackets, and return what it gives.")
    return numbers(value, f"What {name} returns", shape)


def numbers(value, who: str = "Your answer", shape: tuple | None = None) -> Tensor:
    """Read a tensor of any device, dtype and layout, an array, a list or a number as float64 on the CPU."""
    try:
        tensor = _dense(value)
    except (_Stop, Complaint):
        raise
    except BaseException:
        kind = type(value).__name__
        raise Complaint(f"{who} should be a tensor or a number, but is of the type {kind}.") from None
    if shape is not None and tensor.shape != shape:
        raise Complaint(f"{who} should have the shape {tuple(shape)}, but has {tuple(tensor.shape)}.")
    return tensor


def _dense(value) -> Tensor:
    if isinstance(value, (list, tuple)) and any(isinstance(v, (Tensor, np.ndarray, list, tuple)) for v in value):
        return torch.stack([_dense(v) for v in value])
    value = value.detach() if isinstance(value, Tensor) else torch.as_tensor(np.asarray(value))
    if value.numel() > 1e7:
        raise Complaint(
            f"Your answer has {value.numel():.1e} numbers, in the shape {tuple(value.shape)}: far too many."
        )
    if value.is_complex():
        raise Complaint("Your answer is complex, but should be real.")
    return value.to_dense().cpu().double() if value.layout != torch.strided else value.cpu().double()


def outputs(model: Callable, inputs: Tensor, batch: int = 250) -> Tensor:
    """Return ``model(inputs)``, without gradients, in evaluation mode and on the model's device, on the CPU."""
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    modes = [module.training for module in modules]
    device = next((p.device for p in model.parameters()), "cpu") if modules else "cpu"
    try:
        for module in modules:
            module.training = False
        with torch.no_grad():
            return torch.cat([call(model, part.to(device)).cpu() for part in inputs.split(batch)])
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def show(value, most: int = 12) -> str:
    """A number, a small tensor or a name, as a student would write it."""
    if isinstance(value, Tensor) and value.numel() > most:
        return "a tensor of the shape " + " × ".join(map(str, value.shape))
    if isinstance(value, Tensor):
        return show(value.tolist())
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(show(item, most) for item in value) + "]"
    if isinstance(value, float):
        return f"{value:.4g}"
    return _name(value) if callable(value) else str(value)


def draw(*shapes: tuple) -> tuple[Tensor, ...]:
    """Standard normal tensors for a case, the same in every run."""
    generator = torch.Generator().manual_seed(sum(map(sum, shapes)))
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


# --- A number that was reached -----------------------------------------------------------------------------------


def measured(value, *, what: str, praise: str, at_most=math.inf, at_least=-math.inf, unit="", hint="", working=None):
    """Judge a number that the student's work reached: the verdict says the number, the goal, and what is missing."""
    number = numbers(value, what, shape=()).item()
    reached = f"{what} is {show(number)} {unit}".rstrip()
    if at_least <= number <= at_most:
        return Verdict(True, f"{praise} {reached}.".lstrip(), working)
    if math.isnan(number):
        return Verdict(False, f"{reached}: did the training blow up? Try a smaller learning rate.", working)
    side, goal = ("most", at_most) if number > at_most else ("least", at_least)
    missing = show(abs(number - goal))
    return Verdict(
        False, f"{reached}; the goal is at {side} {show(goal)}, so {missing} is missing. {hint}".rstrip(), working
    )


def together(*verdicts: Verdict) -> Verdict:
    """Several goals at once: right if all are; says what is missing, or else everything."""
    wrong = [v for v in verdicts if not v.ok]
    return Verdict(not wrong, " ".join(v.message for v in wrong or verdicts), verdicts[0].working)


# --- A function against the solution -----------------------------------------------------------------------------


@exercise
def compare(
    answer: Callable,
    solution: Callable,
    cases: list[tuple],
    *,
    hints: dict[str, Callable] | None = None,
    praise: str,
    tolerance: float = 1e-4,
    gradient: bool = False,
    forbidden: dict[str, str] | None = None,
) -> Verdict:
    """Compare a student's function with the solution on some cases; if they differ, find out how.

    Args:
        answer: the student's function.
        solution: the right one, with the argument names that the exercise uses.
        cases: the arguments of each call.
        hints: what to say → a function that makes this mistake.
        praise: what to say when every case agrees.
        tolerance: largest relative difference that still counts as equal.
        gradient: whether gradients must pass to the arguments that are tensors, too.
        forbidden: name of a function of torch that must not be called → what to use in its place.
    """
    otherwise(solution)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            judge = _Judge(answer, solution, cases, tolerance, forbidden or {})
            judge.look_for_flaws(hints or {}, gradient)
    except Complaint as complaint:
        return Verdict(False, complaint.sentence, solution)
    return Verdict(True, praise, answer)


# What may have been done to the right numbers y.
_OUTPUTS: dict[str, Callable] = {
    "the absolute values of": torch.abs,
    "the squares of": torch.square,
    "the square roots of": torch.sqrt,
    "the natural logarithms of": torch.log,
    "minus the natural logarithms of": lambda y: -y.log(),
    "the exponentials of": torch.exp,
    "the exponentials of minus": lambda y: (-y).exp(),
    "1 divided by": torch.reciprocal,
    "1 minus": lambda y: 1 - y,
    "the logistic function of": torch.sigmoid,
    "the tanh of": torch.tanh,
    "the signs of": torch.sign,
    "the rounded values of": torch.round,
    "the values rounded down of": torch.floor,
    "the values rounded up of": torch.ceil,
    "the positive parts of": torch.relu,
    "the values, cut off at 0 and 1, of": lambda y: y.clamp(0, 1),
}
# How an argument x may have got mixed up with the right numbers y.
_SIZES = {
    "number of rows of `{}`": len,
    "number of columns of `{}`": lambda x: x.shape[1],
    "number of values in one row of `{}`": lambda x: x[0].numel(),
    "number of all values of `{}`": lambda x: x.numel(),
}
_MIXTURES: dict[str, Callable] = {
    "`{}` comes back as it was given": lambda y, x: x,
    "`{}` is added once too often": lambda y, x: y + x,
    "`{}` is subtracted once too often, or not added": lambda y, x: y - x,
    "`{}` is subtracted where it should be added": lambda y, x: y - 2 * x,
    "`{}` is added where it should be subtracted": lambda y, x: y + 2 * x,
    "`{}` is a factor too many": lambda y, x: y * x,
    "`{}` is missing as a factor, or divides once too often": lambda y, x: y / x,
}
for _words, _size in _SIZES.items():
    _MIXTURES[f"your numbers are too small by a factor, the {_words}: a mean where a sum belongs"] = (
        lambda y, x, size=_size: y / size(x)
    )
    _MIXTURES[f"your numbers are too large by a factor, the {_words}: a sum where a mean belongs"] = (
        lambda y, x, size=_size: y * size(x)
    )
# What may have been done to an argument x, which the solution takes as it is.
_INPUTS: dict[str, Callable] = {
    "{} were left out (as if 0)": lambda x: x * 0,
    "{} were left out (as if 1)": lambda x: x * 0 + 1,
    "the sign of {} were flipped": lambda x: -x,
    "{} counted twice": lambda x: 2 * x,
    "only half of {} counted": lambda x: x / 2,
    "{} were read from the end": lambda x: x[::-1] if isinstance(x, tuple) else x.flip(0),
    "{} were turned round": lambda x: x.flip(-1, -2),
    "{} were transposed": lambda x: x.mT,
    "{} were squared": lambda x: x**2,
    "the square root of {} were taken": lambda x: x**0.5,
    "the absolute value of {} were taken": abs,
    "the exponential of {} were taken": lambda x: x.exp(),
    "the logarithm of {} were taken": lambda x: x.log(),
    "1 minus {} were used": lambda x: 1 - x,
    "{} were inverted, True for False": lambda x: ~x if x.dtype == torch.bool else None,
    "{} were larger by 1": lambda x: x + 1,
    "{} were smaller by 1": lambda x: x - 1,
    "only the first row of {} were used": lambda x: x[:1].expand_as(x),
    "{} were averaged over its rows first": lambda x: x.mean(0, keepdim=True).expand_as(x),
    "the mean over the rows of {} were subtracted first": lambda x: x - x.mean(0),
    "{} were scaled to length 1": lambda x: nn.functional.normalize(x, dim=-1),
    "{} were put through the logistic function": torch.sigmoid,
    "only the diagonal of {} were used": lambda x: torch.diag_embed(x.diagonal(dim1=-2, dim2=-1)),
}


def _copy(case: tuple, dtype: torch.dtype | None = None) -> tuple:
    """Clone the tensors; give those of floating-point numbers another dtype."""
    tensors = [x.clone() if isinstance(x, Tensor) else x for x in case]
    return tuple(x.to(dtype) if dtype and _is_real(x) else x for x in tensors)


def _is_real(x) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point()


def _moved(x):
    """Another argument of the same kind, to see whether the answer changes with it."""
    if isinstance(x, Tensor):
        return 0.9 * x + 0.03 * x.flip(-1) if x.is_floating_point() else x.roll(1, 0)
    if callable(x):
        return lambda *arguments: 0.9 * x(*arguments)
    return x + 1 if isinstance(x, int) else 0.9 * x


class _Watch(TorchFunctionMode):
    """Notes the names of torch's functions that are called."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.names.add(getattr(function, "__name__", ""))
        return function(*args, **(kwargs or {}))


class _Judge:
    """One answer on all cases. Each method that looks for a flaw raises the ``Complaint`` that names it."""

    def __init__(self, answer: Callable, solution: Callable, cases: list[tuple], tolerance: float, forbidden: dict):
        self.answer, self.solution, self.tolerance, self.forbidden = answer, solution, tolerance, forbidden
        self.name, self.names = _name(answer), list(inspect.signature(solution).parameters)
        self.cases, self.given, self.expected = [], [], []  # of the calls that returned something
        self.changed, self.stopped = "", None
        self.is_a_function(cases[0])
        for case in cases:
            self.collect(case)
        if any(map(_is_real, cases[0])):
            self.collect(_copy(cases[0], torch.float64), double=True)

    def same(self, given: Tensor, expected: Tensor) -> bool:
        size = expected[expected.isfinite()].abs()
        slack = self.tolerance * (size.mean().item() if size.numel() else 0) + 1e-7
        return given.shape == expected.shape and torch.allclose(given, expected, self.tolerance, slack, equal_nan=True)

    def fits(self, mistake: Callable) -> bool:
        """Whether the answer gives what this function of the arguments gives, in every case."""
        return self.agrees(lambda case, _: mistake(*_copy(case)))

    def agrees(self, wrong: Callable) -> bool:
        """Whether the answer gives what this function of a case and its right result gives, in every case."""
        trials = zip(self.cases, self.given, self.expected, strict=True)
        try:
            return bool(self.given) and all(self.same(g, _dense(wrong(case, e))) for case, g, e in trials)
        except Exception:  # many guesses do not suit these arguments
            return False

    def told(self, case: tuple, most: int = 12) -> str:
        """The arguments in words; by their shapes alone where they are many."""
        words = ", ".join(f"{name} = {show(x, most)}" for name, x in zip(self.names, case, strict=True))
        if len(words) > 160 and most > 1:
            return self.told(case, most=1)
        return words + (" (in float64)" if any(_is_real(x) and x.dtype == torch.float64 for x in case) else "")

    def is_a_function(self, case: tuple) -> None:
        if self.answer is None or self.answer is ...:
            raise Complaint("There is no answer yet: give the name of your function.")
        if not callable(self.answer):
            kind = type(self.answer).__name__
            raise Complaint(f"Give the function itself, its name without brackets; you gave its result, a {kind}.")
        try:
            inspect.signature(self.answer).bind(*case)
        except TypeError:
            raise Complaint(f"{self.name} should take these arguments: {', '.join(self.names)}.") from None
        except ValueError:  # functions written in C need not have a signature
            pass

    def collect(self, case: tuple, double: bool = False) -> None:
        """Call the answer; keep what it returns, and what it does to its arguments."""
        mine = _copy(case)
        with _Watch() if self.forbidden else contextlib.nullcontext() as watch:
            try:
                value = call(self.answer, *mine)
            except Complaint as complaint:
                if not double:  # whoever mixes dtypes is right for the course's float32
                    self.stopped = self.stopped or Complaint(f"{complaint} (For {self.told(case)}.)")
                return
        for used in self.forbidden.keys() & (watch.names if watch else ()):
            raise Complaint(f"{self.name} uses {used}: write it with {self.forbidden[used]} here.")
        given, right = result(self.answer, value), self.solution(*_copy(case))
        dtype = str(getattr(value, "dtype", type(value).__name__))
        if isinstance(right, int) and given.ndim == 0 and "int" not in dtype:
            raise Complaint(f"{self.name} returns {show(value)}, of the type {dtype}: return a whole number, an int.")
        for name, before, after in zip(self.names, case, mine, strict=True):
            if isinstance(before, Tensor) and not (before.shape == after.shape and torch.equal(before, after)):
                self.changed = name
        self.cases.append(case)
        self.given.append(given)
        self.expected.append(_dense(right))

    def look_for_flaws(self, hints: dict[str, Callable], gradient: bool) -> None:
        self.right = [self.same(g, e) for g, e in zip(self.given, self.expected, strict=True)]
        if self.stopped or not all(self.right):
            for hint, mistake in hints.items():
                if self.fits(mistake):
                    raise Complaint(hint)
        if self.stopped:
            raise self.stopped
        self.side_effects()
        if not all(self.right):
            self.not_finite()
            self.wrong_shape()
            self.related_numbers()
            self.changed_arguments()
            self.ignored_arguments()
            self.smallest_failure()
        if gradient:
            self.wrong_gradient()

    def side_effects(self) -> None:
        if self.changed:
            raise Complaint(
                f"{self.name} changes its argument `{self.changed}` in place, so the caller's tensor is spoilt: make a "
                "new tensor (no +=, no names that end in _, no x[…] = …)."
            )
        if not self.same(numbers(call(self.answer, *_copy(self.cases[0]))), self.given[0]):
            raise Complaint(
                f"Two calls of {self.name} with the same arguments give different results: is it random, or does it "
                "remember something from the call before?"
            )

    def not_finite(self) -> None:
        for case, given, expected in zip(self.cases, self.given, self.expected, strict=True):
            if given.shape == expected.shape and not given.isfinite().all() and expected.isfinite().all():
                raise Complaint(
                    f"{self.name} returns {given[~given.isfinite()][0].item()} for {self.told(case)}: is there a "
                    "division by 0, a logarithm or root of something not above 0, or the exponential of a large number?"
                )

    def wrong_shape(self) -> None:
        trials = zip(self.cases, self.given, self.expected, strict=True)
        case, given, expected = next((t for t in trials if t[1].shape != t[2].shape), (None, None, None))
        if case is None:
            return
        shapes = f"{self.name} returns the shape {tuple(given.shape)} where {tuple(expected.shape)} is wanted"
        for large, small, words in (
            (expected, given, "You took the {} over dimension {} as well; keep these numbers apart: {}."),
            (given, expected, "The {} over dimension {} is still missing: {}."),
        ):
            for reduce, count in itertools.product(("sum", "mean"), range(1, large.ndim + 1)):
                for dims in itertools.combinations(range(large.ndim), count):
                    if self.same(getattr(large, reduce)(dims), small):
                        raise Complaint(words.format(reduce, " and ".join(map(str, dims)), shapes))
        if any(self.same(given, expected.permute(order)) for order in itertools.permutations(range(expected.ndim))):
            raise Complaint(f"Right numbers, but transposed: {shapes}.")
        if self.same(given.flatten(), expected.flatten()):
            raise Complaint(f"Right numbers in another shape: {shapes}.")
        raise Complaint(f"{shapes}, for {self.told(case)}.")

    def related_numbers(self) -> None:
        """How the numbers of all cases are related to the right ones."""
        given, expected = (torch.cat([t.flatten() for t in values]) for values in (self.given, self.expected))
        if given.numel() < 3:  # too few to tell
            return
        if (given == given[0]).all():
            raise Complaint(f"{self.name} returns {show(given[0].item())} in every case, whatever it is given.")
        factor = ((given @ expected) / (expected @ expected)).item()
        offset = (given - expected).mean().item()
        side = "large" if offset > 0 else "small"
        guesses = {
            "Right, but for the sign: all your numbers are minus the right ones.": lambda y: -y,
            f"All your numbers are {show(factor)} times the right ones.": lambda y: factor * y,
            f"All your numbers are too {side} by {show(abs(offset))}.": lambda y: y + offset,
        } | {f"Your numbers are {words} the right ones.": change for words, change in _OUTPUTS.items()}
        for words, change in guesses.items():
            if self.agrees(lambda _, y, change=change: change(y)):
                raise Complaint(words)
        for (words, mix), (place, name) in itertools.product(_MIXTURES.items(), enumerate(self.names)):
            if self.agrees(lambda case, y, mix=mix, place=place: mix(y, case[place])):
                raise Complaint(f"Not right yet: {words.format(name)}.")

    def changed_arguments(self) -> None:
        """What the solution gives when two arguments are exchanged, or one is changed."""
        places = range(len(self.names))

        def replaced(changes: dict[int, Callable]) -> Callable:
            return lambda *case: self.solution(*(changes[p](case) if p in changes else case[p] for p in places))

        for one, two in itertools.combinations(places, 2):
            if self.fits(replaced({one: lambda case, two=two: case[two], two: lambda case, one=one: case[one]})):
                raise Complaint(f"`{self.names[one]}` and `{self.names[two]}` have changed places.")
        for words, change in _INPUTS.items():
            found = [self.names[p] for p in places if self.fits(replaced({p: lambda c, p=p: change(c[p])}))]  # noqa: B023
            if found:
                what = words.format(f"`{found[0]}`" + "".join(f" (or `{name}`)" for name in found[1:]))
                raise Complaint(f"Your numbers are what would come out if {what}.")

    def ignored_arguments(self) -> None:
        for place, name in enumerate(self.names):
            case = list(_copy(self.cases[0]))
            try:
                case[place] = _moved(case[place])
                right = _dense(self.solution(*_copy(case)))
                mine = _dense(call(self.answer, *case))
            except Exception:  # this argument cannot be moved like that
                continue
            if not self.same(right, self.expected[0]) and torch.equal(mine, self.given[0]):
                raise Complaint(f"What {self.name} returns does not depend on `{name}`.")

    def smallest_failure(self) -> None:
        """Show the smallest case that fails, as given and returned."""
        wrong = [i for i, right in enumerate(self.right) if not right]
        index = min(wrong, key=lambda i: len(show(self.cases[i], most=1000)))
        failure = f"for {self.told(self.cases[index])}, {self.name} returned {show(self.given[index])}"
        if any(self.right):
            good = self.told(self.cases[self.right.index(True)])
            raise Complaint(f"Right for {good}. But {failure}, which is not right.")
        raise Complaint(f"Not right yet: {failure}. Work this case out by hand.")

    def wrong_gradient(self) -> None:
        """Compare the gradients: a detached part, or a gradient of exactly 0, does not show in the numbers."""

        def gradients(function: Callable) -> list:
            case = _copy(self.cases[0])
            leaves = [x.requires_grad_() for x in case if _is_real(x)]
            value = call(function, *case)
            if not (isinstance(value, Tensor) and value.requires_grad):
                return [None] * len(leaves)
            value = value.cpu() * torch.linspace(1, 2, value.numel()).reshape(value.shape)
            return torch.autograd.grad(value.sum(), leaves, allow_unused=True)

        try:
            slopes = gradients(self.answer)
        except Complaint as complaint:
            raise Complaint(f"The numbers are right, but with gradients {complaint}") from None
        names = [name for name, x in zip(self.names, self.cases[0], strict=True) if _is_real(x)]
        for name, slope, right in zip(names, slopes, gradients(self.solution), strict=True):
            if right is None or not right.any():
                continue
            if slope is None or not slope.any():
                raise Complaint(
                    f"The numbers are right, but no gradient passes to `{name}`, so nothing could be trained: use "
                    "torch alone, without .item(), .detach(), numpy or no_grad."
                )
            if not self.same(slope.double(), right.double()):
                raise Complaint(
                    f"The numbers are right, but the gradient with respect to `{name}` is not: is a part of the "
                    "formula detached, rounded or clamped?"
                )
