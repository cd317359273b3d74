"""Finding out how a student's answer differs from the right one; ``verdict`` says how it is used."""

import contextlib
import inspect
import itertools
import math
import os
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class Complaint(Exception):
    """Ends a check; its text is the message of the verdict."""

    @property
    def sentence(self) -> str:
        """The text, as a sentence."""
        text = str(self)
        return text[:1].upper() + text[1:] if text.startswith("your ") else text


class Stop(SystemExit):
    """Raised inside a check that runs too long. (Threads end silently on a SystemExit.)"""


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """What is printed goes nowhere: the student's function is called many times, and heard once."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


# --- Reading what the student gives ------------------------------------------------------------------------------


def name_of(answer) -> str:
    """The function's name, for a sentence."""
    try:
        name = answer.__name__
        return name if name.isidentifier() else "your function"
    except Exception:
        return "your function"


def described(error: BaseException, answer=None) -> str:
    """The error in words, with the line of the student's code, whatever its ``__str__`` does."""
    try:
        text = " ".join(str(error).split())[:200]
    except Stop:
        raise
    except BaseException:
        text = ""
    code, line, trace = getattr(answer, "__code__", None), "", error.__traceback__
    while trace and code:
        line = f" in line {trace.tb_lineno}" if trace.tb_frame.f_code.co_filename == code.co_filename else line
        trace = trace.tb_next
    return type(error).__name__ + line + (f": {text}" if text else ".")


def call(answer: Callable, *arguments):
    """Call the student's function; whatever it raises becomes a ``Complaint``."""
    try:
        return answer(*arguments)
    except Stop:
        raise
    except BaseException as error:
        raise Complaint(f"{name_of(answer)} stopped with {described(error, answer)}") from None


def result(answer: Callable, value, shape: tuple | None = None) -> Tensor:
    """Read what the student's function returned, like ``numbers``, with words for a function that returns nothing."""
    name = name_of(answer)
    if value is None or value is ... or (isinstance(value, tuple) and any(part is ... for part in value)):
        raise Complaint(f"{name} returns nothing yet: write your code in place of the dots, and `return` it.")
    if callable(value) and not isinstance(value, nn.Module):
        raise Complaint(f"{name} returns a function: call it, with brackets, and return what it gives.")
    return numbers(value, f"What {name} returns", shape)


def numbers(value, who: str = "Your answer", shape: tuple | None = None) -> Tensor:
    """Read a tensor of any device, dtype and layout, an array, a list or a number as float64 on the CPU."""
    try:
        tensor = _dense(value)
    except (Stop, Complaint):
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
    if value.is_complex() or value.is_nested:
        raise Complaint("Your answer is complex or nested: give plain real numbers.")
    return (value if value.layout == torch.strided else value.to_dense()).cpu().double()


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
    return name_of(value) if callable(value) else str(value)


# --- What may have gone wrong ------------------------------------------------------------------------------------

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
    "the signs of": torch.sign,
    "the rounded values of": torch.round,
    "the positive parts of": torch.relu,
    "the values, cut off at 0 and 1, of": lambda y: y.clamp(0, 1),
}
# How an argument x may have got mixed up with the right numbers y.
_MIXTURES: dict[str, Callable] = {
    "`{}` comes back as it was given": lambda y, x: x,
    "`{}` is added once too often": lambda y, x: y + x,
    "`{}` is subtracted once too often, or not added": lambda y, x: y - x,
    "`{}` is subtracted where it should be added": lambda y, x: y - 2 * x,
    "`{}` is added where it should be subtracted": lambda y, x: y + 2 * x,
    "`{}` is a factor too many": lambda y, x: y * x,
    "`{}` is missing as a factor, or divides once too often": lambda y, x: y / x,
}
for _size, _of in {
    "the number of rows": len,
    "the number of columns": lambda x: x.shape[1],
    "the number of values in one row": lambda x: x[0].numel(),
    "the number of all values": lambda x: x.numel(),
}.items():
    for _root, _power in (("", 1), ("the root of ", 0.5)):
        for _words, _sign in (("small by {}: a mean for a sum?", -1), ("large by {}: a sum for a mean?", 1)):
            _MIXTURES["your numbers are too " + _words.format(f"a factor, {_root}{_size} of `{{}}`")] = (
                lambda y, x, of=_of, power=_sign * _power: y * float(of(x)) ** power
            )
# Which parts of the numbers may be right but for a factor or a summand: the dimensions of y within one part.
_PARTS: dict[str, Callable] = {
    "In each case, your numbers are": lambda y: tuple(range(y.ndim)),
    "Each row of your numbers is": lambda y: (-1,),
    "Each column of your numbers is": lambda y: (0,),
}
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
    "the logistic function of {} were taken": torch.sigmoid,
    "1 minus {} were used": lambda x: 1 - x,
    "True and False in {} were exchanged": lambda x: ~x if x.dtype == torch.bool else None,
    "{} were larger by 1": lambda x: x + 1,
    "{} were smaller by 1": lambda x: x - 1,
    "only the first row of {} were used": lambda x: x[:1].expand_as(x),
    "{} were averaged over its rows first": lambda x: x.mean(0, keepdim=True).expand_as(x),
    "the mean over the rows of {} were subtracted first": lambda x: x - x.mean(0),
    "{} were scaled to length 1": lambda x: nn.functional.normalize(x, dim=-1),
    "only the diagonal of {} were used": lambda x: torch.diag_embed(x.diagonal(dim1=-2, dim2=-1)),
}
# Another argument in the place of x, to see whether the answer changes with it.
_MOVES: list[Callable] = [
    lambda x: x.flip(-1),
    lambda x: x.roll(1, 0),
    lambda x: x + 1,
    lambda x: 0.9 * x,
    lambda x: 0.6 - x,
    lambda x: lambda *arguments: 0.9 * x(*arguments),
]


def _is_real(x) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point()


def _copy(case: tuple, dtype: torch.dtype | None = None) -> tuple:
    """Clone the tensors; give those of floating-point numbers another dtype."""
    tensors = [x.clone() if isinstance(x, Tensor) else x for x in case]
    return tuple(x.to(dtype) if dtype and _is_real(x) else x for x in tensors)


class _Watch(TorchFunctionMode):
    """Notes the names of torch's functions that are called."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.names.add(getattr(function, "__name__", ""))
        return function(*args, **(kwargs or {}))


class Flaws:
    """One answer on all cases. Each method that looks for a flaw raises the ``Complaint`` that names it."""

    def __init__(self, answer, solution: Callable, cases: list[tuple], tolerance: float, forbidden: dict, up_to):
        self.answer, self.solution, self.tolerance = answer, solution, tolerance
        self.forbidden, self.up_to = forbidden, up_to
        self.name, self.names = name_of(answer), list(inspect.signature(solution).parameters)
        self.cases, self.given, self.expected = [], [], []  # of the calls that returned something
        self.changed, self.stopped = "", None
        self._is_a_function(cases[0])
        self._collect(cases[0])
        with silence():
            for case in cases[1:]:
                self._collect(case)
            if any(map(_is_real, cases[0])):
                self._collect(_copy(cases[0], torch.float64), double=True)
        self.right = [self.same(g, e) for g, e in zip(self.given, self.expected, strict=True)]

    def same(self, given: Tensor, expected: Tensor) -> bool:
        """Whether two results are equal, but for rounding."""
        if given.shape != expected.shape:
            return False
        size = expected[expected.isfinite()].abs()
        slack = self.tolerance * (size.mean().item() if size.numel() else 0) + 1e-7
        return torch.allclose(self.up_to(given), self.up_to(expected), self.tolerance, slack, equal_nan=True)

    def agrees(self, guess: Callable) -> bool:
        """Whether the answer gives what ``guess(case, right, given)`` gives, in every case."""
        trials = zip(self.cases, self.given, self.expected, strict=True)
        try:
            return bool(self.given) and all(self.same(g, _dense(guess(case, e, g))) for case, g, e in trials)
        except Exception:  # many guesses do not suit these arguments
            return False

    def fits(self, mistake: Callable) -> bool:
        """Whether the answer gives what this function of the arguments gives, in every case."""
        return self.agrees(lambda case, *_: mistake(*_copy(case)))

    def told(self, case: tuple, most: int = 12) -> str:
        """The arguments in words; by their shapes alone where they are many."""
        words = ", ".join(f"{name} = {show(x, most)}" for name, x in zip(self.names, case, strict=True))
        if len(words) > 160 and most > 1:
            return self.told(case, most=1)
        return words + (" (in float64)" if any(_is_real(x) and x.dtype == torch.float64 for x in case) else "")

    def _is_a_function(self, case: tuple) -> None:
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

    def _collect(self, case: tuple, double: bool = False) -> None:
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
        if value is None and self.given:
            raise Complaint(f"{self.name} returns nothing for {self.told(case)}: does every path end with `return`?")
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

    def complain(self, hints: dict[str, Callable], gradient: bool) -> None:
        """Raise the complaint that fits best, or none."""
        if not all(self.right):
            for hint, mistake in hints.items():
                if self.fits(mistake):
                    raise Complaint(hint)
        if self.stopped:
            raise self.stopped
        self._side_effects()
        if not all(self.right):
            self._not_finite()
            self._wrong_shape()
            self._related_numbers()
            self._changed_arguments()
            self._ignored_arguments()
            self._related_parts()
            self._smallest_failure()
        if gradient:
            self._wrong_gradient()

    def _side_effects(self) -> None:
        if self.changed:
            raise Complaint(f"{self.name} changes its argument `{self.changed}` in place, so the caller's tensor is "
                            "spoilt: make a new one (no +=, no x[…] = …, no name that ends in _).")  # fmt: skip
        if not self.same(numbers(call(self.answer, *_copy(self.cases[0]))), self.given[0]):
            raise Complaint(f"Two calls of {self.name} with the same arguments give different results: is it random, "
                            "or does it remember something?")  # fmt: skip

    def _not_finite(self) -> None:
        for case, given, expected in zip(self.cases, self.given, self.expected, strict=True):
            if given.shape == expected.shape and not given.isfinite().all() and expected.isfinite().all():
                bad = given[~given.isfinite()][0].item()
                raise Complaint(f"{self.name} returns {bad} for {self.told(case)}: is there a division by 0, a root "
                                "below 0, a logarithm of 0, or the exponential of a large number?")  # fmt: skip

    def _wrong_shape(self) -> None:
        trials = zip(self.cases, self.given, self.expected, strict=True)
        case, given, expected = next((t for t in trials if t[1].shape != t[2].shape), (None, None, None))
        if case is None:
            return
        shapes = f"{self.name} returns the shape {tuple(given.shape)} where {tuple(expected.shape)} is wanted"
        if any(self.same(given, expected.permute(order)) for order in itertools.permutations(range(expected.ndim))):
            raise Complaint(f"Right numbers, but transposed: {shapes}.")
        if self.same(given.flatten(), expected.flatten()):
            raise Complaint(f"Right numbers in another shape: {shapes}.")
        for large, small, words in (
            (expected, given, "You took the {} over dimension {} as well; keep these numbers apart: {}."),
            (given, expected, "The {} over dimension {} is still missing: {}."),
        ):
            for reduce, count in itertools.product(("sum", "mean"), range(1, large.ndim + 1)):
                for dims in itertools.combinations(range(large.ndim), count):
                    if self.same(getattr(large, reduce)(dims), small):
                        raise Complaint(words.format(reduce, " and ".join(map(str, dims)), shapes))
        raise Complaint(f"{shapes}, for {self.told(case)}.")

    def _related_numbers(self) -> None:
        """How the numbers of all cases are related to the right ones."""
        given, expected = (torch.cat([t.flatten() for t in values]) for values in (self.given, self.expected))
        if given.numel() < 3:  # too few to tell
            return
        if (given == given[0]).all():
            raise Complaint(f"{self.name} returns {show(given[0].item())} in every case, whatever it is given.")
        factor = ((given @ expected) / (expected @ expected)).item()
        offset = (given - expected).mean().item()
        guesses = {
            "Right, but for the sign: all your numbers are minus the right ones.": lambda _, y, g: -y,
            f"All your numbers are {show(factor)} times the right ones.": lambda _, y, g: factor * y,
            f"All your numbers are too {'large' if offset > 0 else 'small'} by {show(abs(offset))}.": (
                lambda _, y, g: y + offset
            ),
        }
        for words, change in _OUTPUTS.items():
            guesses[f"Your numbers are {words} the right ones."] = lambda _, y, g, change=change: change(y)
        for words, mix in _MIXTURES.items():
            for place, name in enumerate(self.names):
                guesses[f"Not right yet: {words.format(name)}.".replace("?.", "?")] = (
                    lambda case, y, g, mix=mix, place=place: mix(y, case[place])
                )
        for words, guess in guesses.items():
            if self.agrees(guess):
                raise Complaint(words)

    def _related_parts(self) -> None:
        """Whether each case, row or column is right but for a factor or a summand of its own."""
        for words, dims in _PARTS.items():
            if max(math.prod(y.shape[d] for d in dims(y)) if y.ndim else 1 for y in self.expected) < 3:
                continue  # any two numbers are related
            if self.agrees(lambda _, y, g, d=dims: y * (g * y).sum(d(y), True) / (y * y).sum(d(y), True)):
                raise Complaint(f"{words} a multiple of the right, but each another multiple: look at the factors.")
            if self.agrees(lambda _, y, g, d=dims: y + (g - y).mean(d(y), True)):
                raise Complaint(f"{words} off by a constant, but each by another: look at what is added.")

    def _changed_arguments(self) -> None:
        """What the solution gives when two arguments are exchanged, or one is changed."""
        places = range(len(self.names))

        def with_changes(changes: dict[int, Callable]) -> Callable:
            return lambda *case: self.solution(*(changes[p](case) if p in changes else case[p] for p in places))

        for one, two in itertools.combinations(places, 2):
            if self.fits(with_changes({one: lambda case, two=two: case[two], two: lambda case, one=one: case[one]})):
                raise Complaint(f"`{self.names[one]}` and `{self.names[two]}` have changed places.")
        found = {}
        for (words, change), place in itertools.product(_INPUTS.items(), places):
            if self.fits(with_changes({place: lambda case, change=change, place=place: change(case[place])})):
                found.setdefault(words, []).append(f"`{self.names[place]}`")
        if 0 < len(found) < 3:  # where everything fits, nothing is known
            words, arguments = next(iter(found.items()))
            what = words.format(arguments[0] + "".join(f" (or {other})" for other in arguments[1:]))
            raise Complaint(f"Your numbers are what would come out if {what}.")

    def elsewhere(self, place: int, changes: list[Callable]) -> list[tuple[Tensor, ...]]:
        """What answer and solution give with a changed argument in this place, and what they gave."""
        found = []
        for case, given, expected in zip(self.cases, self.given, self.expected, strict=True):
            for change in changes:
                try:
                    changed = (*case[:place], change(case[place]), *case[place + 1 :])
                    right = _dense(self.solution(*_copy(changed)))
                    found.append((_dense(self.answer(*_copy(changed))), right, given, expected))
                except Exception:  # this argument cannot be changed like that
                    continue
        return found

    def _ignored_arguments(self) -> None:
        for place, name in enumerate(self.names):
            trials = self.elsewhere(place, _MOVES)
            matters = any(not self.same(right, expected) for _, right, _, expected in trials)
            if matters and all(torch.equal(mine, given) for mine, _, given, _ in trials):
                raise Complaint(f"What {self.name} returns does not depend on `{name}`.")

    def _smallest_failure(self) -> None:
        """Show the smallest case that fails, as given and returned."""
        wrong = [i for i, right in enumerate(self.right) if not right]
        index = min(wrong, key=lambda i: len(show(self.cases[i], most=1000)))
        good = [case for case, right in zip(self.cases, self.right, strict=True) if right]
        start = f"Right for {self.told(good[0])}. But" if good else "Not right yet:"
        failure = f"for {self.told(self.cases[index])}, {self.name} returned {show(self.given[index])}."
        raise Complaint(f"{start} {failure} {self._harmless_argument() or 'Work this case out by hand.'}")

    def _harmless_argument(self) -> str:
        """An argument with which the answer would be right, if it were 0 (or 1) everywhere."""
        for value, place in itertools.product((0, 1), range(len(self.names))):

            def neutral(x, value=value):
                return torch.full_like(x, value) if _is_real(x) else {int: value, float: float(value)}[type(x)]

            trials = self.elsewhere(place, [neutral])
            varied = any(right.numel() > 1 and right.isfinite().all() and right.std() > 1e-6 for _, right, *_ in trials)
            if varied and len(trials) == len(self.cases) and all(self.same(mine, right) for mine, right, *_ in trials):
                return f"It would be right if `{self.names[place]}` were {value}: look at how that enters."
        return ""

    def _wrong_gradient(self) -> None:
        """Compare the gradients: a detached part, or a gradient of exactly 0, does not show in the numbers."""
        places = [p for p, x in enumerate(self.cases[0]) if _is_real(x)]

        def gradients(function: Callable) -> tuple:
            case = _copy(self.cases[0])
            leaves = [case[p].requires_grad_() for p in places]
            value = function(*case)
            if not (isinstance(value, Tensor) and value.requires_grad):
                return (None,) * len(leaves)
            value = value.cpu() * torch.linspace(1, 2, value.numel()).reshape(value.shape)
            return torch.autograd.grad(value.sum(), leaves, allow_unused=True)

        try:
            slopes = gradients(self.answer)
        except Exception as error:
            raise Complaint(f"With gradients {self.name} stopped with {described(error, self.answer)}") from None
        for place, slope, right in zip(places, slopes, gradients(self.solution), strict=True):
            words = f"The numbers are right, but {{}} `{self.names[place]}`: {{}}."
            if right is None or not right.any():
                continue
            if slope is None or not slope.any():
                advice = "use torch alone, without .item(), .detach(), numpy or no_grad"
                raise Complaint(words.format("no gradient passes to", advice))
            if not self.same(slope.double(), right.double()):
                advice = "is a part of the formula detached, rounded or clamped?"
                raise Complaint(words.format("not the gradient with respect to", advice)[:-1])
