"""What a check is made of, and how to write one.

A new check in ten lines, in ``lesson_0N.py`` (put its name into ``__all__`` there, and it is ``checks.hourglass``):

    @exercise
    def hourglass(answer) -> Verdict:
        \"\"\"Check ``answer(x, w)``, (N, D) and (D, k): the codes x·w, (N, k).\"\"\"
        return compare(
            answer,
            lambda x, w: x @ w,  # the solution; its argument names appear in the messages
            cases=[draw((5, 3), (3, 2)), (tensor([[1.0, 2.0]]), tensor([[1.0], [-2.0]]))],
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
  ``hints`` (words → a function with this mistake); keep two or three of the subject there, a line each. A hint comes
  first, and a test shows that each can be reached.
- A lesson's file has some 60 to 80 lines: two or three exercises and its workshop; what leaves the lessons leaves its
  file, too. Without ``hints`` a check takes six lines. Problem sets have files of their own, ``homework_N``.
- Cases: one odd, none square, one at the boundary, one small enough to be shown (``compare`` shows the smallest that
  fails, as given and returned, and repeats the first in float64).
- ``gradient=True`` for what will be trained with: the slopes must agree, too.
- An exercise with an int for its solution accepts whole numbers only.
- An answer that is no function: ``weights = numbers(answer, shape=(3,))``, then ``Verdict(ok, words, working=…)``.
  ``raise Complaint("…")`` anywhere ends a check with these words; ``otherwise(solution)`` sets ``working`` for it.
- A workshop measures what was reached. It is not in ``__all__``: lessons call ``checks.lesson_03.workshop(model)``.

    @exercise(seconds=60)
    def workshop(model) -> Verdict:
        images = load_digits("test").floats[:500]
        error = (outputs(model, images) - images).square().flatten(1).sum(1).mean()
        return measured(error, what="The error on 500 unseen digits", at_most=30, unit="nats", praise="A good code.")
"""

import contextlib
import ctypes
import functools
import math
import random
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vae_helpers.checks.flaws import Complaint, Flaws, Stop, call, described, name_of, numbers, show, silence
from vae_helpers.checks.flaws import result as result


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
        except Stop:
            pass
        except BaseException as error:
            self.verdict = Verdict(False, f"This answer cannot be judged: {described(error)}", self.working)

    def stop(self) -> bool:
        """Ask the thread to stop for up to two seconds (code in C cannot be stopped); return whether it has."""
        for _ in range(40):
            if self.is_alive():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(Stop))
                self.join(0.05)
        return not self.is_alive()


def exercise(check: Callable | None = None, *, seconds: float = 10.0) -> Callable:
    """Make a check safe (decorator): it answers in a sentence, within ``seconds``, and leaves everything as it was."""
    if check is None:
        return functools.partial(exercise, seconds=seconds)

    @functools.wraps(check)
    def guarded(*arguments, **keywords) -> Verdict:
        body = functools.partial(check, *arguments, **keywords)
        if isinstance(threading.current_thread(), _Check):
            return body()
        thread, end = _Check(body), time.monotonic() + seconds
        with _everything_kept():
            try:
                thread.start()
                while thread.is_alive() and time.monotonic() < end:
                    thread.join(0.05)  # in small steps, so that Windows notices an interrupt, too
            finally:  # an interrupt passes through here, and its traceback shows no line of the check
                stopped = thread.stop()
        if thread.verdict is None:
            words = f"{name_of(arguments[0])} was still running after {seconds:g} s: is there a loop that never ends?"
            words += "" if stopped else " It could not be stopped, so restart the kernel."
            return Verdict(False, Complaint(words).sentence, thread.working)
        return thread.verdict

    return guarded


@contextlib.contextmanager
def _everything_kept() -> Iterator[None]:
    pairs = [
        (random.getstate, random.setstate),
        (np.random.get_state, np.random.set_state),
        (torch.get_rng_state, torch.set_rng_state),
        (torch.get_default_dtype, torch.set_default_dtype),
        (torch.get_num_threads, torch.set_num_threads),
        (lambda: sys.stdout, lambda stream: setattr(sys, "stdout", stream)),
    ]
    if torch.cuda.is_initialized():
        pairs.append((torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all))
    kept = [(restore, read()) for read, restore in pairs]
    torch.set_default_dtype(torch.float32)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for restore, value in kept:
            restore(value)


def otherwise(solution) -> None:
    """Set what ``verdict.working`` is if the answer turns out wrong, for a check that does not use ``compare``."""
    threading.current_thread().working = solution


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
    up_to: Callable = lambda y: y,
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
        up_to: gives results that are equally right one form, for example eigenvectors of either sign.
    """
    otherwise(solution)
    try:
        found = Flaws(answer, solution, cases, tolerance, forbidden or {}, up_to)
        with silence():
            found.complain(hints or {}, gradient)
    except Complaint as complaint:
        return Verdict(False, complaint.sentence, solution)
    return Verdict(True, praise, answer)


def draw(*shapes: tuple) -> tuple[Tensor, ...]:
    """Standard normal tensors for a case, the same in every run."""
    generator = torch.Generator().manual_seed(sum(map(sum, shapes)))
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


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


def measured(value, *, what: str, praise: str, at_most=math.inf, at_least=-math.inf, unit="", hint="", working=None):
    """Judge a number that the student's work reached: the verdict says the number, the goal, and what is missing."""
    number = numbers(value, what, shape=()).item()
    reached = f"{what} is {show(number)} {unit}".rstrip()
    if at_least <= number <= at_most:
        return Verdict(True, f"{praise} {reached}.", working)
    if math.isnan(number):
        return Verdict(False, f"{reached}: did the training blow up? Try a smaller learning rate.", working)
    side, goal = ("most", at_most) if number > at_most else ("least", at_least)
    missing = f"the goal is at {side} {show(goal)}, so {show(abs(number - goal))} is missing."
    return Verdict(False, f"{reached}; {missing} {hint}".rstrip(), working)


def together(*verdicts: Verdict) -> Verdict:
    """Several goals at once: right if all are; says what is missing, or else everything."""
    wrong = [v for v in verdicts if not v.ok]
    return Verdict(not wrong, " ".join(v.message for v in wrong or verdicts), verdicts[0].working)
