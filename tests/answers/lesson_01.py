"""Answers to the exercises of lesson 01: right ones, and typical mistakes with words of the message."""

import math

import torch

from vae_helpers import checks


def sigmoid(a):
    return 1 / (1 + torch.exp(-a))


def gradient(x, w, t):
    o = sigmoid(x @ w)
    return 2 * (o - t) * o * (1 - o) * x


def by_autograd(x, w, t):
    w = w.clone().requires_grad_()
    (sigmoid(x @ w) - t).square().backward()
    return w.grad


RIGHT = [
    (checks.neuron, lambda x, w, beta: sigmoid(beta * (x * w).sum())),
    (checks.neuron, lambda x, w, beta: 1 / (1 + math.exp(-beta * float(x @ w)))),
    (checks.and_neuron, torch.tensor([10.0, 10.0, -15.0])),
    (checks.and_neuron, [8, 8, -12]),
    (checks.neuron_gradient, gradient),
]

WRONG = [
    (checks.neuron_gradient, by_autograd, "gradient"),
    (checks.neuron, lambda x, w, beta: ..., "returns nothing yet"),
    (checks.neuron, lambda x, w, beta: None, "returns nothing yet"),
    (checks.neuron, lambda x, w, beta: 1 / 0, "stopped with ZeroDivisionError"),
    (checks.neuron, lambda x, w: 0, "stopped with TypeError"),
    (checks.neuron, lambda x, w, beta: "0.5", "returns a str"),
    (checks.neuron, lambda x, w, beta: sigmoid(-beta * (x * w).sum()), "sign in the exponent"),
    (checks.neuron, lambda x, w, beta: sigmoid((x * w).sum()), "ignores β"),
    (checks.neuron, lambda x, w, beta: beta * sigmoid((x * w).sum()), "multiplied φ by β"),
    (checks.neuron, lambda x, w, beta: sigmoid(beta * x * w), "one number per input"),
    (checks.neuron, lambda x, w, beta: sigmoid(beta * (x * w).mean()), "averaged"),
    (checks.neuron, lambda x, w, beta: beta * (x @ w), "weighted sum itself"),
    (checks.neuron, lambda x, w, beta: sigmoid(beta * (x @ w)).expand(2), "returns the shape (2,)"),
    (checks.neuron, lambda x, w, beta: sigmoid(beta * (x @ w)) + 0.01, "wrong numbers"),
    (checks.and_neuron, torch.zeros(3), "still 0"),
    (checks.and_neuron, torch.ones(2), "you gave 2"),
    (checks.and_neuron, None, "not as a NoneType"),
    (checks.and_neuron, torch.tensor([-10.0, -10.0, 15.0]), "opposite"),
    (checks.and_neuron, torch.tensor([10.0, 10.0, -5.0]), "says 'or'"),
    (checks.and_neuron, torch.tensor([10.0, 10.0, 0.0]), "bias must be below zero"),
    (checks.and_neuron, torch.tensor([10.0, 10.0, -25.0]), "outweigh the bias"),
    (checks.and_neuron, torch.tensor([1.0, 1.0, -1.5]), "too gentle"),
    (checks.and_neuron, torch.tensor([10.0, 20.0, -15.0]), "One input alone"),
    (checks.neuron_gradient, lambda x, w, t: ..., "returns nothing yet"),
    (checks.neuron_gradient, lambda x, w, t: -gradient(x, w, t), "sign is flipped"),
    (checks.neuron_gradient, lambda x, w, t: gradient(x, w, t) / 2, "factor 2"),
    (checks.neuron_gradient, lambda x, w, t: 2 * (sigmoid(x @ w) - t) * x, "slope of φ"),
    (checks.neuron_gradient, lambda x, w, t: gradient(x, w, t)[0] / x[0], "input is missing"),
    (checks.neuron_gradient, lambda x, w, t: gradient(x, w, t) / x * w, "multiplied by the weights"),
]
