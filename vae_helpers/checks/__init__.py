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
    correlated_codes,
    dense_parameters,
    neuron,
    neuron_gradient,
    pca_reconstruction,
    ppca_draw,
    squared_error,
    transposed_size,
)
from vae_helpers.checks.regularised import hole_error, sigmoid_jacobian, sparsity_penalty, tied_decoder
from vae_helpers.checks.vae import diagnosis, kl_divergence, optimal_sigma, reparameterize

__all__ = [
    "and_neuron",
    "components_needed",
    "convolution_layer",
    "convolution_parameters",
    "convolution_size",
    "correlated_codes",
    "dense_parameters",
    "diagnosis",
    "hole_error",
    "kl_divergence",
    "neuron",
    "neuron_gradient",
    "optimal_sigma",
    "pca_reconstruction",
    "ppca_draw",
    "reparameterize",
    "sigmoid_jacobian",
    "sparsity_penalty",
    "squared_error",
    "tied_decoder",
    "transposed_size",
]
