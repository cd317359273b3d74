"""Every check accepts right answers, and names each typical mistake. The answers lie in the folder `answers`."""

import importlib
import random
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from answers import lesson_07, lesson_08
from torch.nn import functional as F

from vae_helpers import checks, losses
from vae_helpers.checks.lesson_07 import PATIENTS
from vae_helpers.checks.verdict import compare, exercise

FILES = sorted((Path(__file__).parent / "answers").glob("lesson_*.py"))
LESSONS = [importlib.import_module(f"answers.{path.stem}") for path in FILES]
RIGHT = [case for lesson in LESSONS for case in lesson.RIGHT]
WRONG = [case for lesson in LESSONS for case in lesson.WRONG]


@exercise
def neuron(answer):
    """A check for the tests of the engine: the output of one neuron."""
    return compare(
        answer,
        lambda x, w, beta: torch.sigmoid(beta * (x * w).sum()),
        cases=[
            (torch.tensor([1.0, 2.0]), torch.tensor([0.5, -1.0]), 2.0),
            (torch.tensor([1.0, -2.0, 0.3]), torch.tensor([0.5, 0.25, 2.0]), 3.0),
        ],
        praise="Right.",
    )


def names(cases):
    """Return the name of each case: its check, and the words that it expects."""
    return [" ".join([check.__name__, *words]) for check, _, *words in cases]


@pytest.mark.parametrize(("check", "answer"), RIGHT, ids=names(RIGHT))
def test_right_answers_pass(check, answer):
    verdict = check(answer)
    assert verdict.ok, verdict.message
    assert repr(verdict) == f"✓ {verdict.message}"


@pytest.mark.parametrize(("check", "answer", "words"), WRONG, ids=names(WRONG))
def test_typical_mistakes_are_named(check, answer, words):
    verdict = check(answer)
    assert not verdict.ok, verdict.message
    assert repr(verdict) == f"✗ {verdict.message}"


@pytest.mark.parametrize("check", checks.__all__)
def test_every_check_meets_right_answers_and_mistakes(check):
    assert [case for case in RIGHT if case[0].__name__ == check]
    assert len([case for case in WRONG if case[0].__name__ == check]) > 3


def test_an_answer_that_changes_its_inputs_is_refused_and_does_not_spoil_the_cases():
    def spoiler(x, w, beta):
        value = torch.sigmoid(beta * (x @ w))
        x.zero_()
        return value

    assert "changes its argument `x` in place" in neuron(spoiler).message
    assert neuron(lambda x, w, beta: torch.sigmoid(beta * (x @ w))).ok


def test_the_diagnosis_never_prints_an_answer_that_was_not_given():
    wrong = dict.fromkeys(PATIENTS, "sigmoid twice")
    message = checks.diagnosis(wrong).message
    assert not any(bug in message for bug in PATIENTS.values() if bug != "none")


def test_a_verdict_holds_what_later_cells_use():
    def my_kl(mean, log_var):
        return losses.kl_divergence(mean, log_var)

    verdict = checks.kl_divergence(my_kl)
    assert verdict and verdict.working is my_kl
    verdict = checks.kl_divergence(lambda mean, log_var: 2 * my_kl(mean, log_var))
    mean, log_var = torch.randn(2, 5, 3)
    assert not verdict and "2 times" in verdict.message
    torch.testing.assert_close(verdict.working(mean, log_var), my_kl(mean, log_var))


def test_an_endless_loop_is_stopped_and_the_solution_works_on():
    def endless(x, w, beta):
        while True:
            pass

    start = time.monotonic()
    verdict = exercise(seconds=0.3)(neuron.__wrapped__)(endless)
    assert "endless was still running after 0.3 s" in verdict.message and time.monotonic() - start < 3
    assert verdict.working(torch.ones(2), torch.zeros(2), 1.0) == 0.5


def test_nothing_is_changed_by_a_check():
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
        assert checks.reparameterize(lesson_07.draw) and checks.kl_divergence(lesson_07.kl)


def test_the_check_of_the_draws_leaves_the_random_numbers_as_they_were():
    before = torch.get_rng_state()
    checks.reparameterize(lesson_07.reseeded)
    assert torch.equal(torch.get_rng_state(), before)


def test_slerp_is_a_turn_at_an_even_pace():
    """The reference of the tests above, against geometry: equal angles between equal steps, and the length kept."""
    slerp = lesson_08.slerp
    a, b = F.normalize(torch.randn(2, 5, 7, dtype=torch.double, generator=torch.Generator().manual_seed(0)), dim=-1)
    stops = torch.stack([slerp(a, b, t) for t in (0, 0.25, 0.5, 0.75, 1.0)])
    torch.testing.assert_close(stops.norm(dim=-1), torch.ones(5, 5, dtype=torch.double))
    steps = (stops[1:] * stops[:-1]).sum(-1).acos()
    torch.testing.assert_close(steps, steps[:1].expand_as(steps))
    torch.testing.assert_close(stops[[0, -1]], torch.stack([a, b]))
