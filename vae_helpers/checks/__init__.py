"""Checks for the exercises: each says in words whether an answer is right, or what is probably wrong with it.

A check calls the student's function on small cases and never raises. Where the answer is wrong, it tries the
usual mistakes and names the one that gives the same numbers; it does not print the right answer.
"""

from vae_helpers.checks.autoencoders import (
    and_neuron,
    components_needed,
    convolution_layer,
    convolution_parameters,
    convolution_size,
    neuron,
    neuron_gradient,
    pca_reconstruction,
    ppca_draw,
    transposed_size,
)

__all__ = [
    "and_neuron",
    "components_needed",
    "convolution_layer",
    "convolution_parameters",
    "convolution_size",
    "neuron",
    "neuron_gradient",
    "pca_reconstruction",
    "ppca_draw",
    "transposed_size",
]
