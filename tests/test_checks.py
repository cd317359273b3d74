"""Every check accepts right answers and names typical mistakes; nothing that a student writes makes one fail.

The answers lie in the folder `answers`.
"""

import _thread
import importlib
import random
import re
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

import numpy as np
import pytest
import torch
from answers import aside, lesson_07
from torch import tensor
from torch.nn import functional as F

from vae_helpers import checks, losses
from vae_helpers.checks import flaws, verdict
from vae_helpers.checks.verdict import Complaint, Verdict, compare, exercise, measured, numbers, outputs, together

FILES = sorted((Path(__file__).parent / "answers").glob("[lh]*_*.py"))
LESSONS = [importlib.import_module(f"answers.{path.stem}") for path in FILES]
RIGHT = [case for lesson in LESSONS for case in lesson.RIGHT]
WRONG = [case for lesson in LESSONS for case in lesson.WRONG]
every_check = pytest.mark.parametrize("check", [getattr(checks, name) for name in checks.__all__], ids=checks.__all__)


def names(cases):
    """Return the name of each case: its check, and the words that it expects."""
    return [" ".join([check.__name__, *words]) for check, _, *words in cases]


@exercise
def neuron(answer):
    """A check for the tests of the engine: the output of one neuron."""
    return compare(
        answer,
        lambda x, w, beta: torch.sigmoid(beta * (x @ w)),
        cases=[
            (tensor([1.0, 2.0]), tensor([0.5, -1.0]), 2.0),
            (tensor([1.0, -2.0, 0.3]), tensor([0.5, 0.2, 2.0]), 3.0),
        ],
        praise="Right.",
    )


# --- Every check ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("check", "answer"), RIGHT, ids=names(RIGHT))
def test_right_answers_pass(check, answer):
    judged = check(answer)
    assert judged, judged.message
    assert repr(judged) == f"✓ {judged.message}"
    if check.__name__ in checks.__all__:  # later cells of a lesson use the answer
        assert judged.working is answer or not callable(answer)


@pytest.mark.parametrize(("check", "answer", "words"), WRONG, ids=names(WRONG))
def test_typical_mistakes_are_named(check, answer, words):
    judged = check(answer)
    assert not judged and words in judged.message, judged.message
    assert repr(judged) == f"✗ {judged.message}"


@pytest.mark.parametrize(("check", "answer"), aside.RIGHT, ids=names(aside.RIGHT))
def test_right_answers_that_were_kept_aside_pass(check, answer):
    judged = check(answer)
    assert judged, judged.message


@pytest.mark.parametrize(("check", "answer", "words"), aside.WRONG, ids=names(aside.WRONG))
def test_wrong_answers_that_were_kept_aside_are_caught(check, answer, words):
    judged = exercise(seconds=4)(check.__wrapped__)(answer)
    assert not judged and re.search(words, judged.message), judged.message


@every_check
def test_every_check_meets_right_answers_and_mistakes(check):
    assert [case for case in RIGHT if case[0] is check]
    assert len([case for case in WRONG if case[0] is check]) > 3


@every_check
def test_every_hint_can_be_reached_and_says_something_of_its_own(check, monkeypatch):
    seen = {}

    class Open(flaws.Flaws):
        def __init__(self, answer, solution, cases, tolerance, forbidden, up_to):
            super().__init__(answer, solution, cases, tolerance, {}, up_to)

        def complain(self, hints, gradient):
            seen.update(hints)
            super().complain(hints, gradient)

    monkeypatch.setattr(verdict, "Flaws", Open)
    check(lambda *arguments: 0.123)
    for hint, mistake in dict(seen).items():
        assert check(mistake).message == hint


@every_check
def test_what_is_to_be_used_instead_of_a_wrong_answer_is_right(check):
    judged = check(lambda *arguments: None)
    assert not judged and judged.working is not None
    assert check(judged.working) or "uses" in check(judged.working).message


def test_no_check_shows_the_solution_of_another_exercise_twice():
    assert len(set(checks.__all__)) == len(checks.__all__) == sum(len(m.__all__) for m in MODULES)


MODULES = [
    importlib.import_module(f"vae_helpers.checks.{path.stem}")
    for path in sorted(Path(checks.__file__).parent.glob("lesson_*.py"))
]


# --- What the engine finds out by itself -------------------------------------------------------------------------


def solution(x, w, c):
    return torch.sigmoid(x) @ w + c


def positive(x, w):
    return (0.3 * x @ w).exp() + w[0, 0] ** 2


CASES = [
    (tensor([[0.5, -1.0, 0.2], [2.0, 0.3, 0.1]]), tensor([[1.0, -1.0], [0.5, 0.4], [-0.6, 0.3]]), 0.3),
    (tensor([[0.1, 0.9], [-0.4, 1.3], [0.6, 0.2]]), tensor([[0.7], [-0.4]]), -0.7),
]


def judged(answer, right=solution, **options):
    cases = [case[: len(flaws.inspect.signature(right).parameters)] for case in CASES]
    return compare(answer, right, cases, praise="Right.", **options)


@pytest.mark.parametrize("words", flaws._OUTPUTS)
def test_it_sees_what_was_done_to_the_right_numbers(words):
    change = flaws._OUTPUTS[words]
    messages = [
        judged(lambda x, w: change(positive(x, w)), positive).message,
        judged(lambda x, w, c: change(solution(x, w, c))).message,
    ]
    assert f"Your numbers are {words} the right ones." in messages


def test_it_sees_a_sign_a_factor_and_an_offset():
    assert "but for the sign" in judged(lambda x, w, c: -solution(x, w, c)).message
    assert "2.5 times the right" in judged(lambda x, w, c: 2.5 * solution(x, w, c)).message
    assert "too small by 0.7" in judged(lambda x, w, c: solution(x, w, c) - 0.7).message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, w, c: solution(x, w, c) + c, "`c` is added once too often"),
        (lambda x, w, c: solution(x, w, c) - 2 * c, "`c` is subtracted where it should be added"),
        (lambda x, w, c: solution(x, w, c) * c, "`c` is a factor too many"),
        (lambda x, w, c: solution(x, w, c) / x.shape[1], "a factor, the number of rows of `w`: a mean for a sum?"),
        (lambda x, w, c: solution(x, w, c) * w.numel() ** 0.5, "the root of the number of all values of `w`"),
        (lambda x, w, c: solution(x, w, c).sum(1), "You took the sum over dimension 1 as well"),
        (lambda x, w, c: solution(x, w, c).mean(), "You took the mean over dimension 0 and 1 as well"),
        (lambda x, w, c: torch.sigmoid(x)[..., None] * w + c / x.shape[1], "The sum over dimension 1 is still missing"),
        (lambda x, w, c: solution(x, w, c).T, "transposed"),
        (lambda x, w, c: solution(x, w, c)[None], "in another shape"),
        (lambda x, w, c: solution(-x, w, c), "the sign of `x` were flipped"),
        (lambda x, w, c: solution(x, w**2, c), "`w` were squared"),
        (lambda x, w, c: solution(x, 0 * w, c), "`w` were left out (as if 0)"),
        (lambda x, w, c: solution(x, w.flip(0, 1), c), "`w` were turned round"),
        (lambda x, w, c: solution(x - x.mean(0), w, c), "the mean over the rows of `x` were subtracted"),
        (lambda x, w, c: torch.sigmoid(x).square().sum(1, True).expand(-1, w.shape[1]) + c, "does not depend on `w`"),
        (lambda x, w, c: solution(x, w, c) + len(x) ** 2, "In each case, your numbers are off by a constant"),
        (lambda x, w, c: torch.full((len(x), w.shape[1]), 0.5), "returns 0.5 in every case"),
        (lambda x, w, c: solution(x, w, c) / 0, "inf for x"),
        (lambda x, w, c: torch.sigmoid(x) @ w + c * (x[:, :1] + 2), "It would be right if `c` were 0"),
        (lambda x, w, c: solution(x.sort()[0], w, c) if x.shape[1] > 2 else solution(x, w, c), "Right for x"),
        (lambda x, w, c: solution(x, w, c) + torch.rand(1), "Two calls"),
        (lambda x, w, c: solution(x.sigmoid_(), w, c), "changes its argument `x` in place"),
        (lambda x, w, c: solution(x, w, c) if w.shape[1] > 1 else None, "returns nothing for x"),
        (lambda x, w, c: solution(x, w, c) if w.shape[1] > 1 else 1 / 0, "division by zero (For x"),
        (lambda x, w, c: solution, "returns a function: call it"),
        (solution(*CASES[0]), "Give the function itself"),
        (lambda x, w: 0, "should take these arguments: x, w, c"),
        (..., "no answer yet"),
    ],
)
def test_it_says_what_is_wrong_and_where(answer, words):
    message = judged(answer).message
    assert words in message, message


def test_it_sees_rows_and_columns_with_a_factor_or_a_summand_of_their_own():
    cases = [(torch.randn(4, 5, generator=torch.Generator().manual_seed(0)),), (torch.eye(3),)]

    def message(answer):
        return compare(answer, torch.nn.Identity().forward, cases, praise="").message

    assert "Each row of your numbers is a multiple" in message(lambda x: x * (1 + x[:, :1] ** 2))
    assert "Each column of your numbers is a multiple" in message(lambda x: x * (1 + x[:1] ** 2))
    assert "Each row of your numbers is off by a constant" in message(lambda x: x + x[:, :1] ** 2)


def test_exchanged_arguments_are_seen():
    def distance(x, y):
        return x - 2 * y

    cases = [(tensor([1.0, 2.0]), tensor([0.5, 3.0])), (torch.ones(3), torch.zeros(3))]
    assert (
        compare(lambda x, y: distance(y, x), distance, cases, praise="").message == "`x` and `y` have changed places."
    )


def test_the_smallest_failing_case_is_shown_as_given_and_returned_and_never_the_right_answer():
    cases = [(torch.arange(50.0),), (tensor([2.0, 5.0]),)]
    message = compare(lambda x: x.cos() * x, lambda x: x.sin() * 7, cases, praise="").message
    assert "for x = [2, 5], your function returned [-0.8323, 1.418]" in message
    assert "6.365" not in message  # 7 sin 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, w, c: solution(x.detach(), w, c), "no gradient passes to `x`"),
        (lambda x, w, c: solution(x, w, c).detach(), "no gradient passes to `x`"),
        (lambda x, w, c: solution(x, w, c).tolist(), "no gradient passes to `x`"),
        (lambda x, w, c: tensor(solution(x, w, c).numpy()), "With gradients your function stopped with RuntimeError"),
        (lambda x, w, c: solution(x, w, c).exp_().log_(), "With gradients your function stopped with RuntimeError"),
        (lambda x, w, c: torch.normal(solution(x, w, c), 0.0 * x[:, :1]), "no gradient passes to `x`"),
        (lambda x, w, c: torch.sigmoid(x) @ w.detach() + 0 * w.sum() + c, "no gradient passes to `w`"),
        (lambda x, w, c: (solution(x, w, c) + solution(x, w, c).detach()) / 2, "not the gradient with respect to `x`"),
    ],
)
def test_gradients_are_looked_at_where_they_are_needed(answer, words):
    assert judged(answer)
    assert words in judged(answer, gradient=True).message


def test_whole_numbers_are_asked_for_where_the_solution_is_one():
    def count(n):
        return n + 1

    for wrong in (lambda n: n + 1.0, lambda n: tensor(n + 1.0), lambda n: np.float64(n + 1)):
        assert "whole number" in compare(wrong, count, [(1,), (4,)], praise="").message
    for right in (lambda n: tensor(n + 1), lambda n: np.int64(n + 1), count):
        assert compare(right, count, [(1,), (4,)], praise="")


def test_results_that_are_equally_right_are_accepted():
    cases, options = [(tensor([1.0, -2.0]),)], {"praise": "", "up_to": torch.abs}
    assert compare(lambda x: -x, lambda x: x, cases, **options)
    assert not compare(lambda x: 2 * x, lambda x: x, cases, **options)


def test_any_dtype_device_and_layout_is_read():
    for change in (torch.Tensor.double, torch.Tensor.to_sparse, torch.Tensor.numpy, torch.Tensor.tolist, list):
        assert judged(lambda x, w, c, change=change: change(solution(x, w, c)))
    assert compare(lambda x: x > 0, lambda x: (x > 0).float(), [(tensor([1.0, -1.0, 0.0]),)], praise="")
    assert "far too many" in judged(lambda x, w, c: torch.zeros(1).expand(10**13)).message
    assert "of the type dict" in judged(lambda x, w, c: {"a": 1}).message
    assert "complex" in judged(lambda x, w, c: solution(x, w, c) * 1j).message


# --- Verdicts ----------------------------------------------------------------------------------------------------


def test_a_verdict_holds_what_later_cells_use():
    def my_kl(mean, log_var):
        return losses.kl_divergence(mean, log_var)

    judged = checks.kl_divergence(my_kl)
    assert judged and judged.working is my_kl
    judged = checks.kl_divergence(lambda mean, log_var: 2 * my_kl(mean, log_var))
    mean, log_var = torch.randn(2, 5, 3)
    assert not judged and "2 times" in judged.message
    torch.testing.assert_close(judged.working(mean, log_var), my_kl(mean, log_var))


def test_a_measured_number_is_judged_by_its_goal():
    assert measured(29.5, what="The error", at_most=30, unit="nats", praise="Good.").message == (
        "Good. The error is 29.5 nats."
    )
    missed = measured(tensor(31.25), what="The error", at_most=30, unit="nats", praise="", hint="Train longer?")
    assert not missed
    assert missed.message == "The error is 31.25 nats; the goal is at most 30, so 1.25 is missing. Train longer?"
    assert "at least 0.9, so 0.1 is missing" in measured(0.8, what="It", at_least=0.9, praise="").message
    assert "blow up" in measured(float("nan"), what="The error", at_most=30, praise="").message
    good, bad = measured(1, what="A", at_most=2, praise="Good."), measured(3, what="B", at_most=2, praise="")
    assert together(good, good) and not together(good, bad) and together(good, bad).message == bad.message


def test_outputs_are_those_of_evaluation_and_the_model_stays_as_it_was():
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout(0.9))
    model[0].eval()
    images = torch.randn(7, 3)
    torch.testing.assert_close(outputs(model, images, batch=2), F.linear(images, *model[0].parameters()).detach())
    assert model.training and not model[0].training and model[1].training
    with pytest.raises(Complaint, match="stopped with RuntimeError"):
        outputs(model, torch.randn(7, 4))


def test_a_check_of_ones_own_can_end_with_a_complaint():
    @exercise
    def weights(answer):
        verdict.otherwise([1, 2])
        numbers(answer, "The list", shape=(2,))
        return Verdict(True, "Right.", answer)

    assert weights([3, 4]).working == [3, 4]
    assert weights([3]) == Verdict(False, "The list should have the shape (2,), but has (1,).")
    assert weights([3]).working == [1, 2]


# --- Nothing goes wrong ------------------------------------------------------------------------------------------


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("no words")


def raising(error):
    def answer(*arguments):
        raise error

    return answer


NONSENSE = [
    None,
    ...,
    3,
    "neuron",
    [1, [2, 3]],
    {"A": 7},
    float("nan"),
    tensor([[10, 10, -15]]),
    torch.zeros(2, 3, requires_grad=True),
    np.array(["a"]),
    object(),
    Unprintable,
    raising(Unprintable()),
    raising(SystemExit(3)),
    raising(KeyboardInterrupt()),
    raising(GeneratorExit()),
    lambda: 1,
    lambda *arguments: arguments,
    lambda *arguments: arguments[0],
    lambda *arguments: "0.5",
    lambda *arguments: b"5",
    lambda *arguments: True,
    lambda *arguments: 10**400,
    lambda *arguments: 1j,
    lambda *arguments: float("inf"),
    lambda *arguments: {1: 2},
    lambda *arguments: {1.0},
    lambda *arguments: (x for x in arguments),
    lambda *arguments: object(),
    lambda *arguments: Unprintable(),
    lambda *arguments: torch.zeros(0),
    lambda *arguments: torch.zeros(1, device="meta"),
    lambda *arguments: torch.zeros(1).expand(10**13),
    lambda *arguments: torch.eye(3).to_sparse(),
    lambda *arguments: torch.tensor([True, False]),
    lambda *arguments: torch.nested.nested_tensor([torch.zeros(1), torch.zeros(2)]),
    lambda *arguments: [torch.zeros(2), torch.zeros(3)],
    lambda *arguments: np.array([None, 1]),
    lambda *arguments: sys.setrecursionlimit,
    lambda *arguments: [x.zero_() for x in arguments if isinstance(x, torch.Tensor)],
    lambda *arguments: [x.resize_(0) for x in arguments if isinstance(x, torch.Tensor)],
    lambda *arguments: torch.randn(3),
    lambda *arguments: torch.rand(arguments[0].shape),
    torch.nn.Linear(2, 2),
    torch.nn.Linear,
    torch.sigmoid,
    print,
]


def test_nonsense_is_answered_in_a_sentence_and_changes_nothing():
    """About 1,700 calls."""
    states = torch.get_rng_state(), np.random.get_state()[1], random.getstate()
    threads = threading.active_count()
    for check in [getattr(checks, name) for name in checks.__all__]:
        for answer in NONSENSE:
            judged = check(answer)
            assert not judged and len(judged.message) > 10, (check.__name__, answer)
            assert "cannot be judged" not in judged.message, judged.message
    assert torch.equal(torch.get_rng_state(), states[0]) and random.getstate() == states[2]
    assert (np.random.get_state()[1] == states[1]).all()
    assert torch.is_grad_enabled() and threading.active_count() == threads


def endless(*arguments):
    while True:
        pass


def test_an_endless_loop_is_stopped_and_the_solution_works_on():
    start = time.monotonic()
    judged = exercise(seconds=0.3)(neuron.__wrapped__)(endless)
    assert "endless was still running after 0.3 s" in judged.message and time.monotonic() - start < 5
    assert judged.working(torch.ones(2), torch.zeros(2), 1.0) == 0.5


def test_a_loop_that_swallows_every_exception_is_left_behind():
    over = []

    def stubborn(*arguments):
        while not over:
            try:
                time.sleep(0.01)
            except BaseException:
                pass

    assert "restart the kernel" in exercise(seconds=0.1)(neuron.__wrapped__)(stubborn).message
    over.append(True)


def test_what_a_function_prints_is_heard_once(capsys):
    def talker(x, w, beta):
        print("x is", x)
        return beta

    assert not neuron(talker)
    assert capsys.readouterr().out == "x is tensor([1., 2.])\n"


def test_an_interrupt_passes_through_and_shows_no_line_of_the_check():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # pytest-xdist's processes ignore it
    try:
        threading.Timer(0.3, _thread.interrupt_main).start()
        with pytest.raises(KeyboardInterrupt) as caught:
            neuron(endless)
    finally:
        signal.signal(signal.SIGINT, before)
    trace = "".join(traceback.format_exception(caught.value))
    assert "test_checks.py" in trace and "sigmoid" not in trace and "compare" not in trace


def test_modes_and_random_numbers_stay_as_they_were():
    def meddler(x, w, beta):
        torch.manual_seed(1), np.random.seed(1), random.seed(1)
        torch.set_default_dtype(torch.float64), torch.set_num_threads(3), torch.set_grad_enabled(False)
        return beta

    threads, states = torch.get_num_threads(), (torch.get_rng_state(), np.random.get_state()[1], random.getstate())
    with torch.inference_mode():
        neuron(meddler)
        assert torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled() and torch.get_default_dtype() == torch.float32
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), states[0]) and random.getstate() == states[2]
    assert (np.random.get_state()[1] == states[1]).all()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_right_answer_is_right_in_every_mode(mode):
    with mode():
        assert checks.vae_loss(lesson_07.loss) and checks.kl_divergence(lesson_07.kl)


def test_an_answer_that_changes_its_inputs_is_refused_and_does_not_spoil_the_cases():
    def spoiler(x, w, beta):
        value = torch.sigmoid(beta * (x @ w))
        x.zero_()
        return value

    assert "changes its argument `x` in place" in neuron(spoiler).message
    assert neuron(lambda x, w, beta: torch.sigmoid(beta * (x @ w)))


# --- Single exercises --------------------------------------------------------------------------------------------
