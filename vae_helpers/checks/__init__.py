"""Checks for the exercises: each says in words whether an answer is right, or what is probably wrong with it.

A check calls the student's function on small cases and never raises. Where the answer is wrong, it tries the
usual mistakes and names the one that gives the same numbers; it does not print the right answer.
"""

from vae_helpers.checks.attributes import balanced_difference, flip_rate, mean_difference, take_away
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
from vae_helpers.checks.denoising import best_guess, mix_at_snr, residual_loss, window_ssim
from vae_helpers.checks.faces import aggregate_variance, mixture_draw, nats_gained
from vae_helpers.checks.regularised import hole_error, sigmoid_jacobian, sparsity_penalty, tied_decoder
from vae_helpers.checks.vae import (
    diagnosis,
    importance_weighted,
    kl_divergence,
    optimal_sigma,
    reparameterize,
    slerp,
    unit_rates,
    warped_grid,
)

__all__ = [
    "aggregate_variance",
    "and_neuron",
    "balanced_difference",
    "best_guess",
    "components_needed",
    "convolution_layer",
    "convolution_parameters",
    "convolution_size",
    "correlated_codes",
    "dense_parameters",
    "diagnosis",
    "flip_rate",
    "hole_error",
    "importance_weighted",
    "kl_divergence",
    "mean_difference",
    "mix_at_snr",
    "mixture_draw",
    "nats_gained",
    "neuron",
    "neuron_gradient",
    "optimal_sigma",
    "pca_reconstruction",
    "ppca_draw",
    "reparameterize",
    "residual_loss",
    "sigmoid_jacobian",
    "slerp",
    "sparsity_penalty",
    "squared_error",
    "take_away",
    "tied_decoder",
    "transposed_size",
    "unit_rates",
    "warped_grid",
    "window_ssim",
]
