"""Shapes, ranges, gradients and refusals of the models."""

import ast
import copy
import dataclasses
import functools
import itertools

import pytest
import torch
from torch import nn

import build_notebooks as build
from vae_helpers import checkpoints, data, evaluate, judges, losses, models, train


def written_in_lesson(number, name):
    """The class that a lesson writes out in its own cells."""
    [source] = [path for path in build.SOURCES if path.name.startswith(number)]
    definitions = ast.parse(source.read_text(encoding="utf-8")).body
    classes = [part for part in definitions if isinstance(part, ast.ClassDef) and part.name == name]
    helpers = [part for part in definitions if isinstance(part, ast.FunctionDef) and not part.name.startswith("my_")]
    names = {"torch": torch, "nn": nn, "models": models, "losses": losses, "itertools": itertools}
    exec(compile(ast.Module([*helpers, *classes[:1]], []), source, "exec"), names)
    return names[name]


VAES = [
    models.DenseVAE(image_shape=(1, 8, 8), hidden=(20,), latent_dim=3),
    models.ConvVAE(image_shape=(3, 8, 16), channels=(4, 8), hidden=16, latent_dim=3),
    models.ConvVAE(image_shape=(3, 8, 16), channels=(4, 8), blocks=2, hidden=16, latent_dim=3),
    models.FaceVAE(image_shape=(3, 8, 16), channels=(4, 8), latent_dim=3),
    models.FaceVAE(image_shape=(3, 8, 16), channels=(4, 8), latent_dim=3, doubling="transposed"),
]


@pytest.mark.parametrize("model", VAES)
def test_vae_shapes_and_ranges(model):
    images = torch.rand(5, *model.image_shape)
    reconstruction, mean, log_var, z = model(images)
    assert reconstruction.shape == images.shape
    assert mean.shape == log_var.shape == z.shape == (5, 3)
    for pictures in (reconstruction, model.sample(7)):
        assert pictures.min() >= 0 and pictures.max() <= 1
    assert model.sample(7).shape == (7, *model.image_shape)
    assert not model.sample(7).requires_grad


@pytest.mark.parametrize("model", VAES)
def test_every_weight_of_a_vae_learns(model):
    reconstruction, mean, log_var, _ = model(torch.rand(5, *model.image_shape))
    (reconstruction.square().sum() + mean.sum() + log_var.sum()).backward()
    still = [name for name, weight in model.named_parameters() if not weight.grad.any()]
    # What comes before a zero weight learns from the second step on.
    assert [name for name in still if "first" not in name] == []


def test_reparameterize_draws_from_the_gaussian_and_passes_gradients():
    torch.manual_seed(0)
    mean = torch.tensor([2.0, -1.0]).expand(100_000, 2).clone().requires_grad_()
    log_var = torch.tensor([0.0, -2.0]).expand(100_000, 2).clone().requires_grad_()
    z = models.DenseVAE().reparameterize(mean, log_var)
    torch.testing.assert_close(z.mean(0), torch.tensor([2.0, -1.0]), atol=0.02, rtol=0)
    torch.testing.assert_close(z.var(0).log(), torch.tensor([0.0, -2.0]), atol=0.03, rtol=0)
    z.sum().backward()
    assert (mean.grad == 1).all()
    # dz/d(log σ²) = ½ σ ε = ½ (z - mean)
    torch.testing.assert_close(log_var.grad, 0.5 * (z - mean).detach())


def test_a_vae_draws_its_code_in_evaluation_mode_too():
    model, images = models.DenseVAE().eval(), torch.rand(2, 1, 28, 28)
    assert not torch.equal(model(images).z, model(images).z)


def test_vae_gives_float32_under_mixed_precision():
    for model in VAES[2:4]:
        with torch.autocast("cpu", torch.bfloat16):
            output = model(torch.rand(2, *model.image_shape))
        assert {part.dtype for part in output} == {torch.float32}


@pytest.mark.parametrize("model", VAES)
def test_a_vae_runs_in_float64_and_gives_the_same(model):
    model = copy.deepcopy(model).eval()
    images = torch.rand(2, *model.image_shape)
    expected = model.decode(model.encode(images)[0])
    model.double()
    mean, log_var = model.encode(images.double())
    assert mean.dtype == log_var.dtype == torch.float64
    torch.testing.assert_close(model.decode(mean), expected.double(), rtol=1e-4, atol=1e-6)
    loss = losses.negative_elbo(model, images.double())["loss"]
    assert loss.dtype == torch.float64
    loss.sum().backward()


def test_a_vaes_output_is_four_parts_and_knows_its_logits():
    model, images = VAES[0], torch.rand(2, 1, 8, 8)
    output = model(images)
    reconstruction, _, _, z = output
    assert torch.equal(reconstruction, output.logits.sigmoid())
    torch.testing.assert_close(output.logits, model.decode_logits(z))
    assert output._replace(reconstruction=images).logits is None, "they are no longer those of the images"


def test_a_vae_that_decodes_in_its_own_way_is_believed():
    class Inverted(models.DenseVAE):
        def decode(self, z):
            return 1 - super().decode(z)

    torch.manual_seed(0)
    model, images = Inverted(), torch.rand(2, 1, 28, 28)
    torch.manual_seed(0)
    output = model(images)
    assert output.logits is None
    torch.manual_seed(0)
    distortion = losses.negative_elbo(model, images)["distortion"]
    torch.testing.assert_close(distortion, losses.reconstruction_nll(output.reconstruction, images))
    plain = models.DenseVAE()
    plain.load_state_dict(model.state_dict())
    for vae in (model, plain):
        nn.init.zeros_(vae.encoder[-1].weight)  # so that both draw the same codes for any image
    nll = evaluate.importance_weighted_nll(model, images.round(), 5)
    torch.testing.assert_close(nll, evaluate.importance_weighted_nll(plain, 1 - images.round(), 5))


def test_residual_block_starts_as_the_identity():
    features = torch.randn(2, 4, 5, 5)
    assert torch.equal(models.ResidualBlock(4)(features), features)


def test_conv_vae_learns_on_digits():
    torch.manual_seed(0)
    digits = data.load_digits("train", source="embedded").subset(slice(None, None, 5))
    model = models.ConvVAE(channels=(8, 16), hidden=64, latent_dim=8)
    loss = functools.partial(losses.negative_elbo, binarize=True)
    history = train.fit(model, digits, loss, epochs=12, lr=5e-3, batch_size=32, device="cpu")
    # The best that can be done without a code: the mean image, as the probability of each pixel.
    mean_image = digits.floats.mean(0, keepdim=True).expand(len(digits), -1, -1, -1)
    without_code = losses.reconstruction_nll(mean_image, digits.floats).mean().item()
    assert history.train["loss"][-1] < without_code - 10


def test_bad_shapes_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="takes images of the shape"):
        models.ConvVAE().encode(torch.rand(2, 1, 32, 32))
    with pytest.raises(ValueError, match="takes codes of the shape"):
        models.ConvVAE().decode(torch.randn(2, 3))
    with pytest.raises(ValueError, match="must be multiples of 8, but are 28 and 28"):
        models.ConvVAE(channels=(8, 8, 8))
    with pytest.raises(ValueError, match="must be multiples of 16, but are 28 and 28"):
        models.FaceVAE(image_shape=(1, 28, 28))
    with pytest.raises(ValueError, match="no doubling 'bilinear'; choose one of: nearest, transposed"):
        models.FaceVAE(doubling="bilinear")


@pytest.mark.parametrize(
    "model", [*VAES, models.DenseAutoencoder(), models.ConvAutoencoder(), judges.DigitClassifier()]
)
def test_images_of_another_type_are_refused_in_a_sentence(model):
    images = torch.rand(2, *getattr(model, "image_shape", (1, 28, 28)))
    told = {
        (255 * images).byte(): r"torch.float32 on cpu, but got \(2, .*torch.uint8 on cpu; divide 8-bit images by 255\.",
        images.double(): r"but got \(2, .*torch.float64 on cpu\.",
        images.to("meta"): r"but got \(2, .*torch.float32 on meta\.",
    }
    for wrong, message in told.items():
        with pytest.raises(ValueError, match=r"takes images of the shape .*" + message):
            model(wrong)
    with pytest.raises(ValueError, match="but got ndarray"):
        model(images.numpy())
    if hasattr(model, "decode"):
        with pytest.raises(ValueError, match="takes codes of the shape .*but got .*torch.float64 on cpu"):
            model.decode(torch.zeros(2, model.latent_dim).double())


def test_face_codes_are_drawn_from_the_mixture():
    torch.manual_seed(0)
    codes = judges.FaceCodes(latent_dim=2, components=2, attributes=("Smiling",))
    codes.weights.copy_(torch.tensor([0.25, 0.75]))
    codes.means.copy_(torch.tensor([[0.0, 0.0], [50.0, 0.0]]))
    codes.factors[1] = torch.tensor([[2.0, 0.0], [1.0, 1.0]])
    drawn = codes.sample(40_000)
    second = drawn[drawn[:, 0] > 25]
    assert len(second) / len(drawn) == pytest.approx(0.75, abs=0.01)
    torch.testing.assert_close(second.mean(0), torch.tensor([50.0, 0.0]), atol=0.05, rtol=0)
    torch.testing.assert_close(second.T.cov(), torch.tensor([[4.0, 2.0], [2.0, 2.0]]), atol=0.1, rtol=0)


def test_a_direction_is_found_by_its_name():
    codes = judges.FaceCodes(latent_dim=2, attributes=("Smiling", "Eyeglasses"))
    codes.directions.copy_(torch.eye(2))
    assert codes.direction("Eyeglasses").tolist() == [0, 1]
    with pytest.raises(ValueError, match="no attribute 'Smile'; choose one of: Smiling, Eyeglasses"):
        codes.direction("Smile")


def test_attribute_classifier_tells_a_drawn_attribute():
    torch.manual_seed(0)
    faces = data.render_portraits(400, size=32, seed=0)
    model = judges.AttributeClassifier(attributes=("Wearing_Hat",), channels=(8, 16, 16))
    hats = dataclasses.replace(
        faces, labels=faces.attribute("Wearing_Hat").long()[:, None], label_names=("Wearing_Hat",)
    )
    cross_entropy = functools.partial(nn.functional.binary_cross_entropy_with_logits, reduction="none")
    train.fit(model, hats, lambda m, x, y: cross_entropy(m(x), y.float()).mean(1), epochs=6, lr=1e-2, device="cpu")
    assert model.features(hats.floats[:3]).shape == (3, 16)
    with torch.no_grad():
        right = ((model(hats.floats) > 0) == hats.labels.bool()).float().mean().item()
    assert right > max(hats.labels.float().mean().item(), 0.5) + 0.1


def test_dense_autoencoder_is_the_one_of_lesson_03():
    torch.manual_seed(0)
    ours, theirs = models.DenseAutoencoder(latent_dim=5), written_in_lesson("03", "DenseAutoencoder")(latent_dim=5)
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(3, 1, 28, 28)
    assert torch.equal(ours(images), theirs(images))
    assert torch.equal(ours.encode(images), theirs.encode(images))
    assert ours.encode(images).shape == (3, 5)


def test_dense_autoencoder_takes_other_sizes_and_refuses_wrong_shapes():
    model = models.DenseAutoencoder(image_shape=(3, 5, 4), hidden=(7,), latent_dim=2)
    images = torch.rand(2, 3, 5, 4)
    assert model(images).shape == images.shape
    assert 0 <= model(images).min() and model(images).max() <= 1
    with pytest.raises(ValueError, match=r"takes images of the shape \(N, 3, 5, 4\)"):
        model(torch.rand(2, 3, 4, 5))
    with pytest.raises(ValueError, match=r"takes codes of the shape \(N, 2\)"):
        model.decode(torch.rand(2, 3))


def test_conv_autoencoder_is_the_one_of_lesson_04():
    torch.manual_seed(0)
    ours, theirs = models.ConvAutoencoder(latent_dim=5), written_in_lesson("04", "ConvAutoencoder")(latent_dim=5)
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(3, 1, 28, 28)
    assert torch.equal(ours(images), theirs(images))
    assert torch.equal(ours.encode(images), theirs.encode(images))
    assert ours.encode(images).shape == (3, 5)


def test_conv_autoencoder_takes_other_sizes_and_refuses_those_it_cannot_halve():
    model = models.ConvAutoencoder(image_shape=(3, 24, 16), channels=(4, 8, 8), latent_dim=2)
    images = torch.rand(2, 3, 24, 16)
    assert model(images).shape == images.shape
    assert 0 <= model(images).min() and model(images).max() <= 1
    with pytest.raises(ValueError, match="must be multiples of 8, but are 28 and 28"):
        models.ConvAutoencoder(channels=(4, 8, 8))
    with pytest.raises(ValueError, match=r"takes images of the shape \(N, 3, 24, 16\)"):
        model(torch.rand(2, 3, 16, 24))
    with pytest.raises(ValueError, match=r"takes codes of the shape \(N, 2\)"):
        model.decode(torch.rand(2, 3))


def test_conv_autoencoder_does_not_round_its_images_under_mixed_precision():
    model = models.ConvAutoencoder()
    with torch.autocast("cpu", torch.bfloat16):
        assert model(torch.rand(2, 1, 28, 28)).dtype == torch.float32


def test_dense_vae_is_the_one_of_lesson_07():
    ours, theirs = models.DenseVAE(hidden=(256,), latent_dim=5), written_in_lesson("07", "DenseVAE")(5)
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(3, 1, 28, 28).round()
    outputs, losses_of = [], []
    for model in (ours, theirs):
        torch.manual_seed(0)
        outputs.append(model(images))
        torch.manual_seed(0)
        losses_of.append(losses.negative_elbo(model, images)["loss"])
    for our_part, their_part in zip(*outputs, strict=True):
        assert torch.equal(our_part, their_part)
    torch.testing.assert_close(*losses_of)


def test_conv_vae_is_the_one_of_lesson_08():
    ours, theirs = models.ConvVAE(latent_dim=5), written_in_lesson("08", "ConvVAE")(latent_dim=5)
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(3, 1, 28, 28)
    outputs = []
    for model in (ours, theirs):
        torch.manual_seed(0)
        outputs.append((*model(images), model.sample(2)))
    for our_part, their_part in zip(*outputs, strict=True):
        assert torch.equal(our_part, their_part)


@pytest.mark.parametrize("doubling", ["nearest", "transposed"])
def test_face_vae_is_the_one_of_lesson_10(doubling):
    sizes = {"image_shape": (3, 32, 16), "channels": (4, 6, 8), "latent_dim": 5, "doubling": doubling}
    ours, theirs = models.FaceVAE(**sizes), written_in_lesson("10", "FaceVAE")(**sizes)
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(3, 3, 32, 16)
    outputs = []
    for model in (ours, theirs):
        torch.manual_seed(0)
        outputs.append((*model(images), *model.eval()(images), model.sample(2)))
    for our_part, their_part in zip(*outputs, strict=True):
        assert torch.equal(our_part, their_part)


# --- A VAE that is told the class ------------------------------------------------------------------------------------


def small_conditional():
    torch.manual_seed(0)
    return models.ConditionalVAE(image_shape=(3, 8, 16), classes=4, channels=(4, 8), hidden=16, latent_dim=3)


def test_conditional_vae_is_a_vae_with_a_label_everywhere():
    model, images, labels = small_conditional(), torch.rand(5, 3, 8, 16), torch.tensor([0, 1, 2, 3, 3])
    reconstruction, mean, log_var, z = output = model(images, labels)
    assert reconstruction.shape == images.shape and mean.shape == log_var.shape == z.shape == (5, 3)
    assert torch.equal(output.logits.sigmoid(), reconstruction)
    assert torch.equal(model.decode(z, labels), reconstruction)
    for told in (labels, labels.tolist(), labels.to(torch.uint8)):
        pictures = model.sample(5, told)
        assert pictures.shape == images.shape and not pictures.requires_grad
        assert pictures.min() >= 0 and pictures.max() <= 1
    (reconstruction.square().sum() + mean.sum() + log_var.sum()).backward()
    assert [name for name, weight in model.named_parameters() if not weight.grad.any()] == []
    model.double()
    assert losses.negative_elbo(model, images.double(), labels)["loss"].dtype == torch.float64


def test_both_halves_of_a_conditional_vae_hear_the_label_of_each_image():
    model, images, codes = small_conditional(), torch.rand(1, 3, 8, 16).expand(4, -1, -1, -1), torch.zeros(4, 3)
    every = torch.arange(4)
    for results in (model.encode(images, every)[0], model.decode(codes, every)):
        assert len(results.flatten(1).unique(dim=0)) == 4, "the same image or code, other labels, other results"
    shuffled = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(model.decode(codes, shuffled), model.decode(codes, every)[shuffled])


@pytest.mark.parametrize(
    "labels, got",
    [
        (None, "got none"),
        ([], "got none"),
        (torch.tensor([0, 1]), r"got \[0, 1\] in the shape \(2,\)"),
        (torch.tensor([[0], [1], [2]]), r"got \[0, 1, 2\] in the shape \(3, 1\)"),
        (torch.tensor(1), r"got \[1\] in the shape \(\)"),
        (torch.tensor([0, 1, 4]), r"got \[0, 1, 4\]"),
        (torch.tensor([0, -1, 3]), r"got \[0, -1, 3\]"),
        (torch.tensor([0, 0.5, 3]), r"got \[0.0, 0.5, 3.0\]"),
    ],
)
def test_labels_that_do_not_fit_are_refused_in_a_sentence(labels, got):
    model, told = small_conditional(), [] if labels is None else [labels]
    message = rf"takes labels of the shape \(3,\), class numbers from 0 to 3, as its second argument, but {got}"
    for call in (
        lambda: model(torch.rand(3, 3, 8, 16), *told),
        lambda: model.encode(torch.rand(3, 3, 8, 16), *told),
        lambda: model.decode(torch.zeros(3, 3), *told),
        lambda: model.sample(3, *told),
        lambda: losses.negative_elbo(model, torch.rand(3, 3, 8, 16), *told),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_conditional_vae_learns_with_fit_and_its_file_tells_all(tmp_path):
    torch.manual_seed(0)
    digits = data.load_digits("train", source="embedded").subset(slice(None, None, 10))
    model = models.ConditionalVAE(channels=(4, 8), hidden=64, latent_dim=4)
    train.fit(model, digits, losses.negative_elbo, epochs=6, lr=2e-2, batch_size=25, device="cpu")
    right = train.measure(model, digits, losses.negative_elbo)["loss"]
    digits.labels.copy_((digits.labels + 1) % 10)
    assert train.measure(model, digits, losses.negative_elbo)["loss"] > right + 10, "a wrong label costs nats"
    checkpoints.save_model(model, tmp_path / "told", data="MNIST")
    again, z, labels = checkpoints.load_model(tmp_path / "told"), torch.randn(10, 4), torch.arange(10)
    assert (again.classes, again.hidden, again.about) == (10, 64, {"data": "MNIST"})
    torch.testing.assert_close(again.decode(z, labels), model.decode(z, labels))
    with torch.autocast("cpu", torch.bfloat16):
        assert {part.dtype for part in again(torch.rand(2, 1, 28, 28), [3, 8])} == {torch.float32}


def test_conditional_vae_is_the_one_of_lesson_13():
    theirs = written_in_lesson("13", "ConditionalVAE")
    # In the lesson, the student writes this.
    joined = lambda rows, labels: torch.cat([rows, nn.functional.one_hot(labels, 10)], dim=1)  # noqa: E731
    theirs.encode.__globals__["with_label"] = joined
    ours, theirs = models.ConditionalVAE(latent_dim=5), theirs(5)
    theirs.load_state_dict(ours.state_dict())
    images, labels = torch.rand(3, 1, 28, 28), torch.tensor([0, 9, 4])
    outputs = []
    for model in (ours, theirs):
        torch.manual_seed(0)
        outputs.append((*model(images, labels), model.sample(3, labels)))
    for our_part, their_part in zip(*outputs, strict=True):
        assert torch.equal(our_part, their_part)
