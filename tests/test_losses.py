"""Losses against torch.distributions, against each other, and their refusals."""

import functools
import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from vae_helpers import losses, models
from vae_helpers.data import load_digits
from vae_helpers.train import fit


@pytest.fixture
def gaussians():
    torch.manual_seed(0)
    return 2 * torch.randn(50, 7), 3 * torch.randn(50, 7)


def test_kl_divergence_agrees_with_torch(gaussians):
    mean, log_var = (part.double() for part in gaussians)
    posterior = Independent(Normal(mean, torch.exp(0.5 * log_var)), 1)
    prior = Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 1)
    expected = kl_divergence(posterior, prior)
    torch.testing.assert_close(losses.kl_divergence(*gaussians).double(), expected, rtol=1e-6, atol=0)


def test_kl_divergence_agrees_with_monte_carlo():
    torch.manual_seed(0)
    mean, log_var = torch.tensor([[0.5, -1.0]]), torch.tensor([[-1.0, 0.3]])
    posterior = Normal(mean, torch.exp(0.5 * log_var))
    z = posterior.sample((400_000,))
    draws = (posterior.log_prob(z) - Normal(0, 1).log_prob(z)).sum(-1)
    standard_error = (draws.std() / len(draws) ** 0.5).item()
    assert losses.kl_divergence(mean, log_var).item() == pytest.approx(draws.mean().item(), abs=5 * standard_error)


def test_kl_divergence_is_exact_near_the_prior():
    # ½(exp(ε) - 1 - ε) ≈ ε²/4. In float32, exp(ε) - 1 would have lost all its digits.
    log_var = torch.full((1, 1), 1e-3)
    assert losses.kl_divergence(torch.zeros(1, 1), log_var).item() == pytest.approx(2.5e-7, rel=1e-3)
    assert losses.kl_divergence(torch.zeros(3, 4), torch.zeros(3, 4)).tolist() == [0, 0, 0]


def test_kl_divergence_computes_in_float32_under_mixed_precision():
    mean, log_var = torch.randn(5, 4).bfloat16(), torch.randn(5, 4).bfloat16()
    result = losses.kl_divergence(mean, log_var)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, losses.kl_divergence(mean.float(), log_var.float()), rtol=0, atol=0)


def test_bernoulli_nll_agrees_with_torch():
    torch.manual_seed(0)
    probabilities, images = torch.rand(6, 1, 5, 5), torch.rand(6, 1, 5, 5).round()
    expected = -Bernoulli(probabilities.double()).log_prob(images.double()).sum((1, 2, 3))
    result = losses.reconstruction_nll(probabilities, images)
    torch.testing.assert_close(result.double(), expected, rtol=1e-6, atol=0)


def test_bernoulli_nll_stays_finite_where_the_decoder_is_certain_and_wrong():
    probabilities = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).requires_grad_()
    nll = losses.reconstruction_nll(probabilities, 1 - probabilities.detach())
    assert nll.tolist() == pytest.approx([30 * math.log(10), 24 * math.log(2)])
    nll.sum().backward()
    assert probabilities.grad.isfinite().all()


def decoder_output(logit, model=None):
    """What a VAE returns whose decoder says the same of every pixel."""
    model = model or models.ConvVAE(image_shape=(1, 8, 8), channels=(4,), hidden=8, latent_dim=2)
    with torch.no_grad():
        model.decoder[-1].weight.zero_()
        model.decoder[-1].bias.fill_(logit)
    return model


@pytest.mark.parametrize("logit", [-100.0, -20.0, -3.0, 0.0, 5.0, 20.0, 100.0])
def test_a_vaes_pixels_cost_what_they_should_and_have_a_gradient_however_certain_it_is(logit):
    model, images = decoder_output(logit), torch.rand(3, 1, 8, 8).round()
    parts = losses.negative_elbo(model, images)
    exact = torch.tensor(logit, dtype=torch.double)
    expected = -Bernoulli(logits=exact).log_prob(images.double()).sum((1, 2, 3))
    torch.testing.assert_close(parts["distortion"].double(), expected, rtol=1e-6, atol=0)
    parts["distortion"].sum().backward()
    slope = (exact.sigmoid() - images.double()).sum()
    torch.testing.assert_close(model.decoder[-1].bias.grad.double().sum(), slope, rtol=1e-6, atol=1e-30)


def test_a_decoder_that_starts_certain_and_wrong_learns():
    digits = load_digits("train", source="embedded").subset(slice(0, 400))
    torch.manual_seed(0)
    model = models.DenseVAE(hidden=(32,))
    with torch.no_grad():
        model.decoder[-1].bias.fill_(20.0)
    record = fit(model, digits, losses.negative_elbo, epochs=8, lr=0.1, device="cpu").train["loss"]
    assert record[0] > 5000 and record[-1] < record[0] / 4


def test_the_taught_formula_gives_the_same_numbers_as_the_logits():
    torch.manual_seed(0)
    model, images = models.DenseVAE(latent_dim=3), torch.rand(4, 1, 28, 28)
    torch.manual_seed(1)
    parts = losses.negative_elbo(model, images)
    torch.manual_seed(1)
    reconstruction = model(images).reconstruction
    torch.testing.assert_close(
        losses.reconstruction_nll(reconstruction, images), parts["distortion"], rtol=1e-6, atol=0
    )


@pytest.mark.parametrize("sigma", [1.0, 0.1, torch.tensor(0.3), torch.linspace(0.1, 2, 25).reshape(1, 5, 5)])
def test_gaussian_nll_agrees_with_torch(sigma):
    torch.manual_seed(0)
    reconstruction, images = torch.randn(6, 1, 5, 5), torch.rand(6, 1, 5, 5)
    scale = torch.as_tensor(sigma).double()
    expected = -Normal(reconstruction.double(), scale).log_prob(images.double()).sum((1, 2, 3))
    result = losses.reconstruction_nll(reconstruction, images, "gaussian", sigma)
    torch.testing.assert_close(result.double(), expected, rtol=1e-5, atol=1e-5)


def test_gaussian_nll_is_least_at_the_root_mean_square_error_and_sigma_can_be_learnt():
    torch.manual_seed(0)
    reconstruction, images = torch.rand(8, 1, 5, 5), torch.rand(8, 1, 5, 5)
    best = (images - reconstruction).square().mean().sqrt()
    log_sigma = best.log().clone().requires_grad_()
    losses.reconstruction_nll(reconstruction, images, "gaussian", log_sigma.exp()).mean().backward()
    assert abs(log_sigma.grad.item()) < 1e-4


def test_the_optimal_sigma_is_the_best_and_changes_no_gradient():
    torch.manual_seed(0)
    reconstruction, images = torch.rand(8, 1, 5, 5).requires_grad_(), torch.rand(8, 1, 5, 5)
    best = (images - reconstruction).square().mean().sqrt()
    nll = losses.reconstruction_nll(reconstruction, images, "gaussian", "optimal").mean()
    torch.testing.assert_close(nll, losses.reconstruction_nll(reconstruction, images, "gaussian", best).mean())
    for factor in (0.9, 1.1):
        assert nll < losses.reconstruction_nll(reconstruction, images, "gaussian", factor * best.detach()).mean()
    [ours] = torch.autograd.grad(nll, reconstruction)
    [expected] = torch.autograd.grad(25 * best.log(), reconstruction)
    torch.testing.assert_close(ours, expected)
    assert losses.reconstruction_nll(images, images, "gaussian", "optimal").isfinite().all()


def test_negative_elbo_adds_its_parts_and_weighs_the_rate():
    torch.manual_seed(0)
    model, images = models.DenseVAE(), torch.rand(4, 1, 28, 28)
    parts = losses.negative_elbo(model, images, None, beta=3)
    assert {name: tuple(value.shape) for name, value in parts.items()} == dict.fromkeys(
        ("loss", "rate", "distortion"), (4,)
    )
    torch.testing.assert_close(parts["loss"], parts["distortion"] + 3 * parts["rate"])
    torch.testing.assert_close(parts["rate"], losses.kl_divergence(*model.encode(images)))


def test_negative_elbo_agrees_with_torch_distributions():
    torch.manual_seed(0)
    model, images = models.DenseVAE(latent_dim=3), torch.rand(4, 1, 28, 28)
    torch.manual_seed(1)
    parts = losses.negative_elbo(model, images, likelihood="gaussian", sigma=0.4)
    torch.manual_seed(1)
    reconstruction, mean, log_var, _ = model(images)
    expected = kl_divergence(Normal(mean, torch.exp(0.5 * log_var)), Normal(0.0, 1.0)).sum(1)
    expected -= Normal(reconstruction, 0.4).log_prob(images).sum((1, 2, 3))
    torch.testing.assert_close(parts["loss"], expected, rtol=1e-5, atol=1e-4)


def test_negative_elbo_binarizes_anew_in_every_call():
    seen = []

    class Spy(models.DenseVAE):
        def forward(self, images):
            seen.append(images)
            return super().forward(images)

    model, images = Spy(), torch.full((2, 1, 28, 28), 0.5)
    loss = functools.partial(losses.negative_elbo, binarize=True)
    loss(model, images, None), loss(model, images, None)
    assert all(set(batch.unique().tolist()) == {0, 1} for batch in seen)
    assert not torch.equal(*seen)


def test_bernoulli_nll_of_nan_is_nan_so_that_fit_can_report_it():
    images = torch.rand(2, 1, 4, 4)
    assert losses.reconstruction_nll(images * torch.nan, images).isnan().all()


def test_bad_input_is_refused_in_a_sentence():
    images = torch.rand(2, 1, 4, 4)
    with pytest.raises(ValueError, match="the two must be the same"):
        losses.kl_divergence(torch.zeros(2, 3), torch.zeros(2, 4))
    for shape in ((3,), (1, 2, 3)):
        with pytest.raises(ValueError, match=r"must have the shape \(N, latent_dim\), but have"):
            losses.kl_divergence(torch.zeros(shape), torch.zeros(shape))
    with pytest.raises(ValueError, match=r"floats in \[0, 1\], but are torch.float32 of the shape \(9,\)"):
        losses.squared_error(torch.zeros(9), torch.zeros(9))
    with pytest.raises(ValueError, match="must lie in \\[0, 1\\]"):
        losses.reconstruction_nll(images, 255 * images)
    with pytest.raises(ValueError, match="must be the same"):
        losses.reconstruction_nll(images[:1], images)
    with pytest.raises(ValueError, match=r"torch\.sigmoid"):
        losses.reconstruction_nll(5 * images, images)
    with pytest.raises(ValueError, match="choose 'bernoulli' or 'gaussian'"):
        losses.reconstruction_nll(images, images, "poisson")
    for sigma in (0, -1, math.nan, torch.tensor([[1.0], [0], [1], [1]]), torch.tensor(-1.0)):
        with pytest.raises(ValueError, match="sigma must be more than 0"):
            losses.reconstruction_nll(images, images, "gaussian", sigma)
    for shape in ((7, 1, 1, 1), (5,), (1, 2, 1, 4, 4)):
        with pytest.raises(ValueError, match="sigma has the shape .* which does not fit images of"):
            losses.reconstruction_nll(images, images, "gaussian", torch.ones(shape))
    for bright in (255 * images, (255 * images).byte()):
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\]|are torch.uint8 of .*; divide 8-bit images by 255"):
            losses.negative_elbo(models.DenseVAE(image_shape=(1, 4, 4)), bright, binarize=True)
    with pytest.raises(ValueError, match="must be a number or \"optimal\", but is 'best'"):
        losses.reconstruction_nll(images, images, "gaussian", "best")


def test_the_squared_error_is_summed_over_the_pixels_of_each_image():
    images = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 1, 3, 4)
    reconstruction = torch.full((2, 1, 3, 4), 0.25)
    torch.testing.assert_close(losses.squared_error(reconstruction, images), torch.tensor([0.75, 6.75]))
    torch.testing.assert_close(
        losses.reconstruction_loss(lambda x: reconstruction, images, torch.zeros(2)), torch.tensor([0.75, 6.75])
    )


def test_a_loss_for_the_other_kind_of_model_says_which_one_to_take():
    digits = load_digits("test", source="embedded")
    with pytest.raises(
        ValueError, match="The model returns a VAEOutput, not images; a VAE needs a VAE's loss, negative_e"
    ):
        fit(models.DenseVAE(), digits, epochs=1, device="cpu")
    # Four images, which would unpack like the four parts of a VAE's output.
    with pytest.raises(ValueError, match="DenseAutoencoder returns a Tensor; a plain autoencoder needs another loss"):
        fit(models.DenseAutoencoder(), digits, losses.negative_elbo, epochs=1, batch_size=4, device="cpu")


def test_nan_passes_a_gaussian_too_so_that_fit_can_report_it():
    images = torch.rand(2, 1, 4, 4)
    for sigma in (1.0, "optimal", torch.full((), math.nan, requires_grad=True)):
        assert losses.reconstruction_nll(images * torch.nan, images, "gaussian", sigma).isnan().all()
