"""Every right answer passes its check, and every usual mistake is caught by name."""

import math

import pytest
import torch

from vae_helpers import checks


def sigmoid(a):
    return 1 / (1 + torch.exp(-a))


NEURON = [
    (lambda x, w, beta: sigmoid(beta * (x * w).sum()), None),
    (lambda x, w, beta: 1 / (1 + math.exp(-beta * float(x @ w))), None),
    (lambda x, w, beta: ..., "returns nothing yet"),
    (lambda x, w, beta: None, "returns nothing yet"),
    (lambda x, w, beta: 1 / 0, "stopped with ZeroDivisionError"),
    (lambda x, w: 0, "stopped with TypeError"),
    (lambda x, w, beta: "0.5", "returns a str"),
    (lambda x, w, beta: sigmoid(-beta * (x * w).sum()), "sign in the exponent"),
    (lambda x, w, beta: sigmoid((x * w).sum()), "ignores β"),
    (lambda x, w, beta: beta * sigmoid((x * w).sum()), "multiplied φ by β"),
    (lambda x, w, beta: sigmoid(beta * x * w), "one number per input"),
    (lambda x, w, beta: sigmoid(beta * (x * w).mean()), "averaged"),
    (lambda x, w, beta: beta * (x @ w), "weighted sum itself"),
    (lambda x, w, beta: sigmoid(beta * (x @ w)).expand(2), "returns the shape (2,)"),
    (lambda x, w, beta: sigmoid(beta * (x @ w)) + 0.01, "wrong numbers"),
]

AND_NEURON = [
    (torch.tensor([10.0, 10.0, -15.0]), None),
    ([8, 8, -12], None),
    (torch.zeros(3), "still 0"),
    (torch.ones(2), "you gave 2"),
    (None, "not as a NoneType"),
    (torch.tensor([-10.0, -10.0, 15.0]), "opposite"),
    (torch.tensor([10.0, 10.0, -5.0]), "says 'or'"),
    (torch.tensor([10.0, 10.0, 0.0]), "bias must be below zero"),
    (torch.tensor([10.0, 10.0, -25.0]), "outweigh the bias"),
    (torch.tensor([1.0, 1.0, -1.5]), "too gentle"),
    (torch.tensor([10.0, 20.0, -15.0]), "One input alone"),
]


def gradient(x, w, t):
    o = sigmoid(x @ w)
    return 2 * (o - t) * o * (1 - o) * x


def by_autograd(x, w, t):
    w = w.clone().requires_grad_()
    (sigmoid(x @ w) - t).square().backward()
    return w.grad


NEURON_GRADIENT = [
    (gradient, None),
    (by_autograd, None),
    (lambda x, w, t: ..., "returns nothing yet"),
    (lambda x, w, t: -gradient(x, w, t), "sign is flipped"),
    (lambda x, w, t: gradient(x, w, t) / 2, "factor 2"),
    (lambda x, w, t: 2 * (sigmoid(x @ w) - t) * x, "slope of φ"),
    (lambda x, w, t: gradient(x, w, t)[0] / x[0], "input is missing"),
    (lambda x, w, t: gradient(x, w, t) / x * w, "multiplied by the weights"),
]

ANSWERS = {"neuron": NEURON, "and_neuron": AND_NEURON, "neuron_gradient": NEURON_GRADIENT}
CASES = [(check, *answer) for check, answers in ANSWERS.items() for answer in answers]


@pytest.mark.parametrize(("check", "answer", "words"), CASES)
def test_answers(check, answer, words):
    verdict = getattr(checks, check)(answer)
    assert verdict.ok == (words is None), verdict.message
    if words:
        assert words in verdict.message
    assert repr(verdict) == f"{'✗' if words else '✓'} {verdict.message}"


def test_a_check_does_not_let_the_answer_change_its_cases():
    def spoiler(x, w, beta):
        value = sigmoid(beta * (x @ w))
        x.zero_()
        return value

    assert checks.neuron(spoiler).ok
    assert checks.neuron(NEURON[0][0]).ok
