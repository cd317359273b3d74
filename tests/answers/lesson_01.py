"""Answers to the exercises of lesson 01: right ones, and typical mistakes with words of the message."""

import math

import numpy as np
import torch

from vae_helpers import checks


def sigmoid(a):
    return 1 / (1 + torch.exp(-a))


def layer_by_loop(x, W, b):
    rows = [[sum(row[i] * W[i, j] for i in range(len(row))) + b[j] for j in range(W.shape[1])] for row in x]
    return [[1 / (1 + math.exp(-total)) for total in row] for row in rows]


def layer_in_numpy(x, W, b):
    return 1 / (1 + np.exp(-(np.asarray(x) @ np.asarray(W) + np.asarray(b))))


class Layer:
    """A class in place of a function."""

    def __call__(self, x, W, b):
        print("computing")
        return torch.nn.functional.linear(x, W.T, b).sigmoid()


def slopes(x, t, w, b):
    o = sigmoid(w * x + b)
    return (2 * (o - t) * o * (1 - o) * x).mean(), (2 * (o - t) * o * (1 - o)).mean()


def slopes_by_differences(x, t, w, b, step=1e-3):
    def loss(w, b):
        return (sigmoid(w.double() * x + b.double()) - t).square().mean()

    return (loss(w + step, b) - loss(w - step, b)) / (2 * step), (loss(w, b + step) - loss(w, b - step)) / (2 * step)


def slopes_by_autograd(x, t, w, b):
    w, b = w.clone().requires_grad_(), b.clone().requires_grad_()
    (sigmoid(w * x + b) - t).square().mean().backward()
    return w.grad, b.grad


RIGHT = [
    (checks.layer, lambda x, W, b: sigmoid(x @ W + b)),
    (checks.layer, lambda x, W, b: 0.5 + 0.5 * torch.tanh((x.double() @ W.double() + b) / 2)),
    (checks.layer, layer_by_loop),
    (checks.layer, layer_in_numpy),
    (checks.layer, Layer()),
    (checks.loss_slopes, slopes),
    (checks.loss_slopes, lambda *case: torch.stack(slopes(*case))),
    (checks.loss_slopes, lambda *case: [s.item() for s in slopes(*case)]),
    (checks.loss_slopes, slopes_by_differences),
]

WRONG = [
    (checks.layer, lambda x, W, b: ..., "returns nothing yet"),
    (checks.layer, lambda x, W, b: sigmoid(x * W + b), "stopped with"),
    (checks.layer, lambda x, W, b: x @ W + b, "send them through φ"),
    (checks.layer, lambda x, W, b: sigmoid(x @ W) + b, "belongs inside φ"),
    (checks.layer, lambda x, W, b: sigmoid(x @ W), "b"),
    (checks.layer, lambda x, W, b: 1 / (1 + torch.exp(x @ W + b)), "1 minus"),
    (checks.layer, lambda x, W, b: sigmoid(x @ W + b).T, "transpose"),
    (checks.layer, lambda x, W, b: sigmoid(x @ W + b).mean(1), "mean"),
    (checks.layer, lambda x, W, b: W.add_(0) * x.add_(1) if False else sigmoid(x.add_(1) @ W + b), "in place"),
    (checks.loss_slopes, lambda x, t, w, b: (..., ...), "returns nothing yet"),
    (checks.loss_slopes, lambda *case: slopes(*case)[0], "shape"),
    (checks.loss_slopes, lambda *case: (slopes(*case)[0],) * 2, "no x in it"),
    (checks.loss_slopes, lambda *case: (slopes(*case)[1],) * 2, "multiply by x"),
    (checks.loss_slopes, lambda x, t, w, b: [len(x) * s for s in slopes(x, t, w, b)], "the loss is the mean"),
    (checks.loss_slopes, lambda *case: [-s for s in slopes(*case)], "sign"),
    (checks.loss_slopes, lambda *case: [s / 2 for s in slopes(*case)], "times"),
    (checks.loss_slopes, slopes_by_autograd, "formula"),
]
