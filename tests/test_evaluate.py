"""Evaluation against cases where the right answer is known: exact likelihoods, numerical integration."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, MultivariateNormal, Normal

from vae_helpers import data, evaluate, losses, models
from vae_helpers.checkpoints import load_pretrained


class LinearVAE(models.VAE):
    """Probabilistic PCA as a VAE: x = W z + b + σ ε. With orthogonal columns of W its exact posterior is diagonal.

    The encoder's Gaussian has the exact posterior's mean plus ``shift`` and its variance times ``stretch``.
    """

    def __init__(self, shift=0.0, stretch=1.0, sigma=0.3):
        super().__init__()
        self.latent_dim, self.sigma, self.shift, self.stretch = 2, sigma, shift, stretch
        basis = torch.linalg.qr(torch.randn(16, 2)).Q
        self.weight = nn.Parameter(basis * torch.tensor([0.9, 0.4]))
        self.bias = nn.Parameter(torch.rand(16))

    def posterior(self, images):
        variance = self.sigma**2 / (self.sigma**2 + self.weight.square().sum(0))
        mean = variance / self.sigma**2 * ((images.flatten(1) - self.bias) @ self.weight)
        return mean, variance.expand_as(mean)

    def encode(self, images):
        mean, variance = self.posterior(images)
        return mean + self.shift, (variance * self.stretch).log()

    def decode(self, z):
        return (z @ self.weight.T + self.bias).unflatten(1, (1, 4, 4))

    def exact_nll(self, images):
        weight = self.weight.double()
        covariance = weight @ weight.T + self.sigma**2 * torch.eye(16, dtype=torch.double)
        return -MultivariateNormal(self.bias.double(), covariance).log_prob(images.double().flatten(1))


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def joint_nll(model, images, codes):
    """-log p(x, z) with the best σ for each image, up to a constant."""
    with torch.no_grad():
        error = losses.squared_error(model.decode(codes), images)
    return images[0].numel() / 2 * error.log() + codes.square().sum(1) / 2


def test_refined_codes_explain_each_image_best_and_the_encoder_alone_does_not():
    model, images = LinearVAE(shift=0.5), torch.rand(130, 1, 4, 4)
    start, refined = evaluate.encode_all(model, images), evaluate.refine_codes(model, images, 60)
    best = joint_nll(model, images, refined)
    assert (best < joint_nll(model, images, start) - 0.01).all()
    for _ in range(20):
        elsewhere = refined + 0.1 * torch.randn_like(refined)
        assert (best < joint_nll(model, images, elsewhere) + 1e-4).all()
    torch.testing.assert_close(evaluate.refine_codes(model, images[:1], 60), refined[:1], msg="alone as in company")


def test_refining_lowers_a_shipped_models_error_and_leaves_no_trace():
    model, images = load_pretrained("digits"), data.load_digits("test", source="embedded").floats[:20]
    model.train()
    model.decoder[0].weight.grad = torch.ones_like(model.decoder[0].weight)
    before, state = {name: value.clone() for name, value in model.state_dict().items()}, torch.get_rng_state()
    start, refined = evaluate.encode_all(model, images), evaluate.refine_codes(model, images)
    errors = [losses.squared_error(evaluate.decode_all(model, codes), images).mean() for codes in (start, refined)]
    assert errors[1] < 0.9 * errors[0] and not refined.requires_grad
    assert torch.equal(torch.get_rng_state(), state) and model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    grads = [weight.grad for weight in model.parameters() if weight.grad is not None]
    assert len(grads) == 1 and (grads[0] == 1).all(), "the model's gradients stay as they were"


def test_what_an_encoder_without_clouds_gives_cannot_be_refined():
    with pytest.raises(ValueError, match="Only a VAE's codes can be refined, and ConvAutoencoder is none"):
        evaluate.refine_codes(models.ConvAutoencoder(), torch.rand(2, 1, 28, 28), 5)
    assert evaluate.refine_codes(models.DenseVAE(), torch.rand(0, 1, 28, 28), 5).shape == (0, 2), "no images, no codes"


@torch.no_grad()
@pytest.mark.parametrize("k", [1, 7])
def test_with_the_exact_posterior_every_bound_is_the_exact_likelihood(k):
    model, images = LinearVAE(), torch.rand(300, 1, 4, 4)
    nll = evaluate.importance_weighted_nll(model, images, k, likelihood="gaussian", sigma=model.sigma)
    torch.testing.assert_close(nll.double(), model.exact_nll(images), rtol=0, atol=2e-4)


@torch.no_grad()
def test_negative_elbo_exceeds_the_exact_likelihood_by_the_divergence_of_the_posteriors():
    model, images = LinearVAE(shift=0.2, stretch=1.7), torch.rand(2, 1, 4, 4)
    repeated = images.repeat_interleave(200_000, dim=0)
    loss = losses.negative_elbo(model, repeated, likelihood="gaussian", sigma=model.sigma)["loss"].view(2, -1).double()
    mean, variance = model.posterior(images)
    q = Normal(mean + 0.2, (1.7 * variance).sqrt())
    gap = torch.distributions.kl_divergence(q, Normal(mean, variance.sqrt())).sum(1)
    standard_error = (loss.std(1) / 200_000**0.5).max().item()
    assert standard_error < 0.01
    torch.testing.assert_close(loss.mean(1), model.exact_nll(images) + gap, rtol=0, atol=5 * standard_error)


@torch.no_grad()
def test_importance_weighting_closes_the_gap():
    model, images = LinearVAE(shift=0.2, stretch=1.7), torch.rand(500, 1, 4, 4)
    exact = model.exact_nll(images).mean().item()
    gaps = [
        evaluate.importance_weighted_nll(model, images, k, likelihood="gaussian", sigma=model.sigma).mean().item()
        - exact
        for k in (1, 10, 1000)
    ]
    assert gaps[0] > gaps[1] > abs(gaps[2])
    assert gaps[2] == pytest.approx(0, abs=0.01)


@torch.no_grad()
def test_a_two_dimensional_code_agrees_with_numerical_integration():
    class WideVAE(models.DenseVAE):
        """Its q is a little wider than the prior, so that no region of codes is missed."""

        def encode(self, images):
            return torch.full((len(images), 2), 0.2), torch.full((len(images), 2), 0.3)

    model = WideVAE(image_shape=(1, 4, 4), hidden=(16,), latent_dim=2).double()
    for weight in model.parameters():
        weight.mul_(3)  # so that the image does depend on the code
    images = torch.rand(3, 1, 4, 4).round()
    axis = torch.linspace(-8, 8, 801, dtype=torch.double)
    grid = torch.cartesian_prod(axis, axis)
    pixels = Bernoulli(logits=model.decoder(grid).unsqueeze(1))
    joint = pixels.log_prob(images.double().flatten(1)).sum(-1) + Normal(0, 1).log_prob(grid).sum(-1, keepdim=True)
    exact = -(joint.logsumexp(0) + 2 * math.log(axis[1] - axis[0]))
    assert joint[:, 0].std() > 1
    nll = evaluate.importance_weighted_nll(model.float(), images, 200_000)
    torch.testing.assert_close(nll.double(), exact, rtol=0, atol=0.02)


@torch.no_grad()
def test_the_chunk_size_bounds_what_is_decoded_at_once(monkeypatch):
    model, sizes = models.DenseVAE(), []
    monkeypatch.setattr(evaluate, "_CHUNK", {"cpu": 40})
    decode = model.decode_logits
    monkeypatch.setattr(model, "decode_logits", lambda z: sizes.append(len(z)) or decode(z))
    nll = evaluate.importance_weighted_nll(model, torch.rand(50, 1, 28, 28).round(), 9)
    # 40 images, one draw each at a time; then 10 images, 4 draws each at a time.
    assert nll.shape == (50,) and sizes == [40] * 9 + [40, 40, 10]


def test_the_estimate_follows_its_seed_is_float32_and_leaves_model_and_torch_as_they_were(monkeypatch):
    monkeypatch.setattr("vae_helpers.train.has_fast_bfloat16", lambda device: True)
    model, images = models.FaceVAE(image_shape=(1, 8, 8), channels=(4, 4), latent_dim=3), torch.rand(6, 1, 8, 8)
    before, state = {name: value.clone() for name, value in model.state_dict().items()}, torch.get_rng_state()
    nll = evaluate.importance_weighted_nll(model, images, 5)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training and all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    torch.rand(1)
    assert torch.equal(evaluate.importance_weighted_nll(model, images, 5), nll) and nll.dtype == torch.float32
    assert torch.equal(evaluate.importance_weighted_nll(model.eval(), images, 5), nll), "in evaluation mode anyway"
    assert not torch.equal(evaluate.importance_weighted_nll(model, images, 5, seed=1), nll)


def test_features_leave_an_apple_gpu_before_they_become_float64():
    class OnAppleGPU:
        shape = (3, 3)

        def detach(self):
            return self

        def cpu(self):
            return torch.eye(3)

    assert evaluate.frechet_distance(OnAppleGPU(), OnAppleGPU()) == pytest.approx(0)


def test_a_vae_in_float64_is_measured_in_float64():
    model, images = models.DenseVAE(image_shape=(1, 8, 8), hidden=(8,)), torch.rand(6, 1, 8, 8).round()
    expected = evaluate.importance_weighted_nll(model, images, 500)
    nll = evaluate.importance_weighted_nll(model.double(), images.double(), 500)
    assert nll.dtype == torch.float64
    torch.testing.assert_close(nll.float(), expected, rtol=0.01, atol=0)


def test_active_units_are_those_whose_mean_varies():
    mean = torch.randn(1000, 3) * torch.tensor([1.0, 0.2, 0.05]) + torch.tensor([0.0, 0.0, 9.0])
    assert evaluate.active_units(mean).tolist() == [True, True, False]


def test_frechet_distance_of_gaussians():
    features = torch.randn(200_000, 3)
    assert evaluate.frechet_distance(features, features) == pytest.approx(0, abs=1e-6)
    # N(0, I) against N((1, 0, 0), 4 I): 1² + 3 · (1 - 2)²
    assert evaluate.frechet_distance(features, 2 * features + torch.tensor([1.0, 0, 0])) == pytest.approx(4, abs=0.05)


def test_linear_probe_reads_what_is_linear_and_no_more():
    labels = torch.arange(500) % 2
    codes = torch.randn(500, 3)
    assert evaluate.linear_probe_accuracy(codes, labels) == pytest.approx(0.5, abs=0.1)
    codes[:, 1] += 6 * labels
    assert evaluate.linear_probe_accuracy(codes, labels) > 0.98
    # The second never varies and the third is seen in one image only, too few for a fold of each: they do not count.
    attributes = torch.stack([labels, torch.zeros_like(labels), torch.arange(500) == 7], dim=1).long()
    assert evaluate.linear_probe_accuracy(codes, attributes) > 0.98
    assert math.isnan(evaluate.linear_probe_accuracy(codes, attributes[:, 1:]))
    assert evaluate.linear_probe_accuracy(codes, labels + 7 * attributes[:, 2]) > 0.98, "a third class, seen once"


def test_scoreboard_rows_and_table():
    digits = data.load_digits("test", source="embedded").subset(slice(None, None, 5))
    entries = {"a VAE": models.DenseVAE(), "an autoencoder": models.DenseAutoencoder()}
    before = torch.get_rng_state()
    board = evaluate.scoreboard(entries, digits, k=3)
    assert torch.equal(torch.get_rng_state(), before), "the lesson's own random numbers are left alone"
    assert board == evaluate.scoreboard(entries, digits, k=3), "the same seed gives the same numbers"
    vae, autoencoder, real = board
    assert set(vae) == set(evaluate.COLUMNS)
    assert vae["neg_elbo"] == pytest.approx(vae["rate"] + vae["distortion"], rel=1e-4)
    assert vae["nll"] == pytest.approx(vae["neg_elbo"], abs=2), "untrained, and with k = 3, the bounds are close"
    assert set(autoencoder) == {"model", "squared_error", "probe_accuracy"}
    assert real["frechet"] < 0.2 * vae["frechet"], "noise is far from digits, digits are near"
    board.append({"model": "IWAE <paper>", "nll": 86.76, "probe_accuracy": math.nan})
    assert repr(board[-1:]) and "nan" not in repr(board) + board._repr_markdown_()
    assert "86.76" in repr(board) and "–" in repr(board)
    assert "IWAE &lt;paper&gt;" in board._repr_markdown_()


def test_bad_input_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="k must be a whole number"):
        evaluate.importance_weighted_nll(models.DenseVAE(), torch.rand(2, 1, 28, 28), 0)
    with pytest.raises(ValueError, match="takes images of the shape"):
        evaluate.importance_weighted_nll(models.DenseVAE(), torch.rand(2, 1, 8, 8), 5)
    with pytest.raises(ValueError, match=r"k must be a whole number of at least 1, but is 2\.5"):
        evaluate.importance_weighted_nll(models.DenseVAE(), torch.rand(2, 1, 28, 28), 2.5)
    assert evaluate.importance_weighted_nll(models.DenseVAE(), torch.rand(2, 1, 28, 28).round(), 10.0).shape == (2,)
    with pytest.raises(ValueError, match="needs a VAE and a number sigma, but got a DenseVAE and a str"):
        evaluate.importance_weighted_nll(
            models.DenseVAE(), torch.rand(2, 1, 28, 28), 5, likelihood="gaussian", sigma="optimal"
        )
    with pytest.raises(ValueError, match="needs a VAE and a number sigma, but got a DenseAutoencoder and a float"):
        evaluate.importance_weighted_nll(models.DenseAutoencoder(), torch.rand(2, 1, 28, 28), 5)
    with pytest.raises(ValueError, match=r"a DenseAutoencoder and a Tensor\.$"):
        evaluate.importance_weighted_nll(models.DenseAutoencoder(), torch.rand(2, 1, 28, 28), 5, sigma=torch.rand(28))
    for codes, labels in ((torch.rand(9, 2), torch.zeros(8)), (torch.full((9, 2), torch.nan), torch.zeros(9))):
        with pytest.raises(ValueError, match="A probe needs finite codes and a label for each, but got 9 and"):
            evaluate.linear_probe_accuracy(codes, labels)
    for features in (torch.rand(4, 2), torch.rand(1, 3), torch.rand(5), torch.full((5, 3), torch.nan)):
        with pytest.raises(ValueError, match=r"Features must be finite and \(N, D\), of two im|same D"):
            evaluate.frechet_distance(features, torch.rand(5, 3))
    assert evaluate.frechet_distance(torch.arange(5.0)[:, None], 2 + torch.arange(5.0)[:, None]) == pytest.approx(4)
    with pytest.raises(ValueError, match="at least 100 images"):
        evaluate.scoreboard({}, data.load_digits("test", source="embedded").subset(slice(0, 10)))


@pytest.mark.parametrize("model", [models.DenseVAE(hidden=(8,)), models.DenseAutoencoder(hidden=(8,))])
def test_many_images_are_encoded_and_decoded_in_parts_and_without_gradients(model, monkeypatch):
    images = torch.rand(1003, 1, 28, 28)
    encoded = model.encode(images)
    expected = encoded if torch.is_tensor(encoded) else encoded[0]
    sizes = []
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda part: sizes.append(len(part)) or encode(part))
    codes = evaluate.encode_all(model, images)
    assert sizes == [500, 500, 3] and not codes.requires_grad
    torch.testing.assert_close(codes, expected)
    pictures = evaluate.decode_all(model, codes)
    assert not pictures.requires_grad
    torch.testing.assert_close(pictures, model.decode(expected))


def test_encoding_and_decoding_in_parts_leave_a_model_in_training_as_it_was():
    model, images = models.FaceVAE(image_shape=(1, 8, 8), channels=(4, 4), latent_dim=3), torch.rand(6, 1, 8, 8)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    alone = evaluate.decode_all(model, evaluate.encode_all(model, images[:1]))
    together = evaluate.decode_all(model, evaluate.encode_all(model, images))
    torch.testing.assert_close(alone, together[:1])
    assert model.training and all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
