"""Every check accepts right answers, and names each typical mistake. The answers lie in the folder `answers`."""

import importlib
from pathlib import Path

import pytest
import torch
from answers import lesson_01, lesson_07, lesson_08
from torch.nn import functional as F

from vae_helpers import checks
from vae_helpers.checks.vae import PATIENTS

FILES = sorted((Path(__file__).parent / "answers").glob("lesson_*.py"))
LESSONS = [importlib.import_module(f"answers.{path.stem}") for path in FILES]
RIGHT = [case for lesson in LESSONS for case in lesson.RIGHT]
WRONG = [case for lesson in LESSONS for case in lesson.WRONG]


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
    assert not verdict.ok and words in verdict.message, verdict.message
    assert repr(verdict) == f"✗ {verdict.message}"


@pytest.mark.parametrize("check", checks.__all__)
def test_every_check_meets_right_answers_and_mistakes(check):
    assert [case for case in RIGHT if case[0].__name__ == check]
    assert len([case for case in WRONG if case[0].__name__ == check]) > 3


def test_a_check_does_not_let_the_answer_change_its_cases():
    def spoiler(x, w, beta):
        value = lesson_01.sigmoid(beta * (x @ w))
        x.zero_()
        return value

    assert checks.neuron(spoiler).ok
    assert checks.neuron(lambda x, w, beta: lesson_01.sigmoid(beta * (x @ w))).ok


def test_the_diagnosis_never_prints_an_answer_that_was_not_given():
    wrong = dict.fromkeys(PATIENTS, "sigmoid twice")
    message = checks.diagnosis(wrong).message
    assert not any(bug in message for bug in PATIENTS.values() if bug != "none")


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
