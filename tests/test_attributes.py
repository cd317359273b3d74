"""Directions on codes whose truth is known."""

import re

import pytest
import torch
from torch import nn

from vae_helpers import attributes, judges, models


def entangled(n=20_000):
    """Codes in which number 0 is the smile and number 1 the open mouth; three in four smiles come with one."""
    generator = torch.Generator().manual_seed(0)
    smile = torch.rand(n, generator=generator) < 0.5
    mouth = torch.rand(n, generator=generator) < torch.where(smile, 0.75, 0.25)
    latents = torch.randn(n, 4, generator=generator)
    latents[:, 0] += 2 * smile
    latents[:, 1] += 3 * mouth
    return latents, smile, mouth


def test_the_mean_direction_takes_along_what_comes_along():
    latents, smile, _ = entangled()
    expected = torch.tensor([2.0, 3 * 0.5, 0.0, 0.0])
    torch.testing.assert_close(attributes.direction(latents, smile), expected, atol=0.1, rtol=0)


def test_the_balanced_direction_does_not():
    latents, smile, mouth = entangled()
    d = attributes.direction(latents, smile, "balanced", others=mouth[:, None].long())
    torch.testing.assert_close(d, torch.tensor([2.0, 0, 0, 0]), atol=0.1, rtol=0)


def test_the_probe_finds_what_tells_the_groups_apart_and_has_the_length_of_their_distance():
    latents, smile, _ = entangled()
    d = attributes.direction(latents, smile, "probe")
    difference = attributes.direction(latents, smile)
    assert torch.cosine_similarity(d, difference, dim=0) < 0.99
    torch.testing.assert_close(d @ difference, d @ d, rtol=1e-4, atol=0)
    # Bayes: the normal of two equal Gaussians with unit noise is the difference of their means, given the mouth.
    assert d[0] > 2 * d[1] > 0


def test_orthogonalize_leaves_a_right_angle_and_nothing_else_changed():
    generator = torch.Generator().manual_seed(0)
    d, others = torch.randn(6, generator=generator), torch.randn(2, 6, generator=generator)
    rest = attributes.orthogonalize(d, others)
    torch.testing.assert_close(others @ rest, torch.zeros(2), atol=1e-5, rtol=0)
    # What was taken away lies in the plane of the others.
    assert torch.linalg.matrix_rank(torch.vstack([others, d - rest]), atol=1e-4) == 2


def test_wrong_inputs_are_answered_in_a_sentence():
    latents, smile, _ = entangled(50)
    with pytest.raises(ValueError, match="no method 'median'; choose one of: mean, balanced, probe"):
        attributes.direction(latents, smile, "median")
    for labels, seen in (
        (torch.zeros(50), "[0.0]"),
        (2 * smile.long() - 1, "[-1, 1]"),
        (torch.arange(50) % 3, "[0, 1, 2]"),
    ):
        with pytest.raises(ValueError, match=f"and some of both, but got {re.escape(seen)} in labels of"):
            attributes.direction(latents, labels)
    with pytest.raises(ValueError, match="a label of 0 or 1 for each of the 50 codes"):
        attributes.direction(latents, smile[:40])
    with pytest.raises(ValueError, match="needs the labels of the other attributes"):
        attributes.direction(latents, smile, "balanced")
    with pytest.raises(ValueError, match="needs the labels of the other attributes"):
        attributes.direction(latents, smile, "balanced", others=smile[:40, None])
    for codes in (latents[0], latents / 0):
        with pytest.raises(ValueError, match=r"codes must be finite and \(N, latent_dim\), but are"):
            attributes.direction(codes, smile)
    assert attributes.direction((10 * latents).long(), smile, "probe").dtype == torch.float32
    with pytest.raises(ValueError, match="No combination"):
        attributes.direction(latents, smile, "balanced", others=smile[:, None])
    with pytest.raises(ValueError, match="At most 3 other directions"):
        attributes.orthogonalize(torch.ones(4), torch.eye(4))
    with pytest.raises(ValueError, match="Nothing remains"):
        attributes.orthogonalize(torch.tensor([1.0, 2, 0]), torch.eye(3)[:2])
    with pytest.raises(ValueError, match="Nothing remains"):
        attributes.orthogonalize(torch.zeros(4), torch.eye(4)[:2])
    for rows in ([0, 0], [0, 1, 1], [1, 2, 0, 1]):
        with pytest.raises(ValueError, match="One of the others is zero or a combination of the rest"):
            attributes.orthogonalize(torch.ones(5), torch.eye(5)[rows])
    with pytest.raises(ValueError, match="One of the others is zero"):
        attributes.orthogonalize(torch.ones(4), torch.stack([torch.zeros(4), torch.eye(4)[0]]))
    for others in (torch.ones(4), torch.ones(2, 3)):
        with pytest.raises(
            ValueError, match=r"d must be \(latent_dim,\) and others \(B, latent_dim\), but they are \(4,\) and"
        ):
            attributes.orthogonalize(torch.ones(4), others)
    model, images = models.DenseVAE(latent_dim=3), torch.rand(2, 1, 28, 28)
    for d, strength in ((torch.ones(1), 1), (torch.ones(2, 3), 1), (torch.ones(3), torch.ones(3))):
        with pytest.raises(ValueError, match=r"d must be \(3,\) and strength one number or \(2,\), but they are"):
            attributes.edit(model, images, d, strength)
    with pytest.raises(ValueError, match=r"before has the shape \(1, 1, 28, 28\) and after \(2, 1, 28, 28\)"):
        attributes.leakage(nn.Flatten(), images[:1], images)


def test_an_autoencoder_edits_every_image_too():
    model, images, d = models.DenseAutoencoder(latent_dim=3), torch.rand(2, 1, 28, 28), torch.tensor([1.0, 0, 0])
    torch.testing.assert_close(attributes.edit(model, images, d, 2), model.decode(model.encode(images) + 2 * d))


def test_a_judge_judges_in_evaluation_mode():
    torch.manual_seed(0)
    judge = judges.AttributeClassifier(attributes=("Smiling",), channels=(4, 8))
    before, after = torch.rand(2, 5, 3, 16, 16)
    seen = attributes.leakage(judge, before, after)
    assert judge.training and torch.equal(attributes.leakage(judge, before, after), seen), "no dropout, no statistics"
    torch.testing.assert_close(attributes.leakage(judge.eval(), before, after), seen)


def test_an_edit_of_strength_0_is_the_reconstruction_and_each_image_can_have_its_own():
    model = models.DenseVAE(latent_dim=3).eval()
    images, d = torch.rand(2, 1, 28, 28), torch.tensor([1.0, 0, 0])
    mean, _ = model.encode(images)
    torch.testing.assert_close(attributes.edit(model, images, d, 0), model.decode(mean))
    edited = attributes.edit(model, images, d, torch.tensor([0.0, 2.0]))
    torch.testing.assert_close(edited[0], model.decode(mean)[0])
    torch.testing.assert_close(edited[1], model.decode(mean + 2 * d)[1])


def test_leakage_is_the_mean_change_of_probability():
    judge = nn.Flatten()  # its "logits" are the two pixels
    before, after = torch.zeros(3, 1, 1, 2), torch.tensor([0.0, 100.0]).reshape(1, 1, 1, 2).expand(3, -1, -1, -1)
    torch.testing.assert_close(attributes.leakage(judge, before, after), torch.tensor([0.0, 0.5]))
