"""How a check compares a student's answer with the solution, and what it says."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Verdict:
    """What a check found. In a notebook it shows itself as its message.

    Attributes:
        ok: whether the answer is right.
        message: one or two sentences for the student.
    """

    ok: bool
    message: str

    def __repr__(self) -> str:
        return f"{'✓' if self.ok else '✗'} {self.message}"


def compare(
    answer: Callable,
    solution: Callable,
    cases: list[tuple],
    mistakes: dict[str, Callable],
    praise: str,
    tolerance: float = 1e-4,
) -> Verdict:
    """Compare a student's function with the solution on some cases; if they differ, look for a known mistake.

    Args:
        answer: the student's function.
        solution: the right one, with the same arguments.
        cases: the arguments of each call.
        mistakes: what to say → a function that makes this mistake.
        praise: what to say when every case agrees.
        tolerance: largest difference, absolute or relative, that still counts as equal.
    """
    name = getattr(answer, "__name__", "your answer")
    given = []
    for case in cases:
        try:
            value = answer(*(x.clone() if isinstance(x, Tensor) else x for x in case))
        except Exception as error:  # whatever the student's code does, the check answers in a sentence
            return Verdict(False, f"{name} stopped with {type(error).__name__}: {error}")
        if value is None or value is ...:
            return Verdict(False, f"{name} returns nothing yet: write your code in place of the dots, and `return` it.")
        try:
            given.append(torch.as_tensor(value, dtype=torch.float64).detach())
        except (TypeError, ValueError, RuntimeError):
            return Verdict(False, f"{name} should return a tensor or a number, but returns a {type(value).__name__}.")

    def matches(function: Callable) -> bool:
        return all(_close(value, function(*case), tolerance) for value, case in zip(given, cases, strict=True))

    if matches(solution):
        return Verdict(True, praise)
    for hint, mistake in mistakes.items():
        if matches(mistake):
            return Verdict(False, hint)
    expected = torch.as_tensor(solution(*cases[0]))
    if given[0].shape != expected.shape:
        return Verdict(
            False,
            f"{name} returns the shape {tuple(given[0].shape)}, but should return {tuple(expected.shape)}.",
        )
    return Verdict(False, f"{name} has the right shape but the wrong numbers. Try it on a case you can do by hand.")


def _close(value: Tensor, expected, tolerance: float) -> bool:
    expected = torch.as_tensor(expected, dtype=torch.float64)
    return value.shape == expected.shape and torch.allclose(
        value, expected, rtol=tolerance, atol=tolerance, equal_nan=False
    )
