"""Checks for the exercises: each says in words whether an answer is right, or what is probably wrong with it.

A check calls the student's function on small cases and never raises. Where the answer is wrong, it tries the
usual mistakes and names the one that gives the same numbers; it does not print the right answer.
"""

from vae_helpers.checks.autoencoders import neuron

__all__ = ["neuron"]
