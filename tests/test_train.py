import math

import pytest
import torch
from torch import nn

from vae_helpers.data import ImageSet
from vae_helpers.losses import squared_error
from vae_helpers.models import DenseAutoencoder
from vae_helpers.train import fit, has_fast_bfloat16, measure, mixed_precision

CPU = torch.device("cpu")


def random_images(n=70, size=8):
    pixels = torch.randint(0, 256, (n, 1, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(n))
    return ImageSet(pixels, torch.zeros(n, dtype=torch.int64), ("none",), "noise")


def small_model():
    torch.manual_seed(0)
    return DenseAutoencoder(image_shape=(1, 8, 8), hidden=(16,), latent_dim=4)


def test_fit_is_the_plain_loop():
    """Adam and one cycle of the learning rate, written out as a lesson would, end at the same weights."""
    data, epochs, batch_size, lr = random_images(), 3, 32, 0.01
    fitted, plain = small_model(), small_model()
    history = fit(fitted, data, epochs=epochs, batch_size=batch_size, lr=lr, seed=5, device="cpu")

    optimizer = torch.optim.Adam(plain.parameters(), lr=lr)
    steps = epochs * math.ceil(len(data) / batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=lr, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    means = []
    for epoch in range(epochs):
        total = 0.0
        for images, _ in data.batches(batch_size, shuffle=True, seed=5 + epoch):
            loss = squared_error(plain(images), images).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(images)
        means.append(total / len(data))
    for a, b in zip(fitted.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    assert history.train["loss"] == pytest.approx(means, rel=1e-4)
    assert len(history.seconds) == epochs and not history.valid


def test_held_out_images_are_measured_in_evaluation_mode_and_not_trained_on():
    class WithDropout(DenseAutoencoder):
        def encode(self, images):
            return super().encode(nn.functional.dropout(images, 0.5, self.training))

    torch.manual_seed(0)
    model = WithDropout(image_shape=(1, 8, 8), hidden=(16,), latent_dim=4)
    valid = random_images(30)
    history = fit(model, random_images(), epochs=2, valid=valid, device="cpu")
    assert not model.training
    expected = squared_error(model(valid.floats), valid.floats).mean().item()
    assert history.valid["loss"][-1] == pytest.approx(expected, rel=1e-5)
    assert measure(model, valid, batch_size=7)["loss"] == pytest.approx(expected, rel=1e-5)


def test_parts_of_the_loss_are_recorded():
    def loss(model, images, labels):
        error = squared_error(model(images), images)
        return {"loss": error + 3, "error": error}

    history = fit(small_model(), random_images(), loss, epochs=2, device="cpu")
    assert history.train["loss"] == pytest.approx([e + 3 for e in history.train["error"]])


def test_interrupting_keeps_what_was_learnt(capsys):
    calls = []

    def loss(model, images, labels):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return squared_error(model(images), images)

    model, untouched = small_model(), small_model()
    history = fit(model, random_images(), loss, epochs=50, batch_size=32, device="cpu")
    assert len(history.train["loss"]) == 2 and not model.training
    assert not torch.equal(model.encoder[0].weight, untouched.encoder[0].weight)
    assert "Stopped by hand after 7 of 150 steps; the model keeps what it has learnt." in capsys.readouterr().out


def test_a_loss_that_is_no_number_names_the_step_and_puts_the_model_back():
    calls = []

    def loss(model, images, labels):
        calls.append(1)
        return squared_error(model(images), images) * (math.nan if len(calls) == 5 else 1)

    model = small_model()
    with pytest.raises(FloatingPointError, match=r"became nan in step 2 of epoch 2.*learning rate 0.01 is probably"):
        fit(model, random_images(), loss, epochs=3, batch_size=32, lr=0.01, device="cpu")
    same = small_model()
    calls.clear()
    with pytest.raises(FloatingPointError):
        fit(same, random_images(), loss, epochs=3, batch_size=32, lr=0.01, device="cpu")
    assert all(p.isfinite().all() for p in model.parameters()) and not model.training
    assert torch.equal(model.encoder[0].weight, same.encoder[0].weight)
    assert not torch.equal(model.encoder[0].weight, small_model().encoder[0].weight), "one epoch went well"


def test_a_loss_that_is_no_number_from_the_start_is_not_blamed_on_the_learning_rate():
    with pytest.raises(FloatingPointError, match=r"inf in step 1 of epoch 1.*very first step, so look for a log\(0\)"):
        fit(small_model(), random_images(), lambda m, x, y: squared_error(m(x), x) / 0, epochs=1, device="cpu")


def test_a_stopped_training_goes_on_from_its_checkpoint_as_if_it_had_never_stopped(tmp_path):
    def run(stop_at=None, checkpoint=None):
        calls = []

        def loss(model, images, labels):
            calls.append(1)
            if len(calls) == stop_at:
                raise KeyboardInterrupt
            return squared_error(model(images), torch.bernoulli(images))

        model = small_model()
        return model, fit(model, random_images(), loss, epochs=4, batch_size=32, device="cpu", checkpoint=checkpoint)

    straight, straight_history = run()
    path = tmp_path / "run.pt"
    run(stop_at=8, checkpoint=path)
    resumed, history = run(checkpoint=path)
    assert all(torch.equal(a, b) for a, b in zip(straight.parameters(), resumed.parameters(), strict=True))
    assert history.train == straight_history.train
    with pytest.raises(ValueError, match="is from a training with"):
        fit(small_model(), random_images(), epochs=9, device="cpu", checkpoint=path)


@pytest.mark.parametrize("epochs", [1, 2, 9, 10, 11, 20])
def test_any_number_of_steps_will_do(epochs):
    history = fit(small_model(), random_images(), epochs=epochs, batch_size=70, device="cpu")
    assert len(history.seconds) == epochs and all(map(math.isfinite, history.train["loss"]))


@pytest.mark.parametrize("setting", ["epochs", "batch_size", "lr"])
def test_settings_must_be_positive(setting):
    with pytest.raises(ValueError, match=f"{setting} must be more than 0, but is 0"):
        fit(small_model(), random_images(), **{"epochs": 1, setting: 0})


def test_an_empty_set_is_refused():
    with pytest.raises(ValueError, match=r"len\(data\) must be more than 0"):
        fit(small_model(), random_images().subset(slice(0)), epochs=1)


def test_a_loss_that_averaged_over_the_batch_is_refused():
    with pytest.raises(ValueError, match="one number per image.*sum over the pixels only"):
        fit(small_model(), random_images(), lambda m, x, y: squared_error(m(x), x).mean(), epochs=1, device="cpu")


def test_only_models_with_convolutions_use_bfloat16_and_only_on_machines_made_for_it(monkeypatch):
    dense, conv = nn.Sequential(nn.Linear(4, 4)), nn.Sequential(nn.Conv2d(1, 2, 3))
    image = torch.rand(1, 1, 8, 8)
    for fast, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr("vae_helpers.train.has_fast_bfloat16", lambda device, fast=fast: fast)
        with mixed_precision(conv, CPU), mixed_precision(dense, CPU):
            assert conv(image).dtype == expected
            assert dense(torch.rand(1, 4)).dtype == torch.float32
        assert conv(image).dtype == torch.float32, "outside the block all is as before"


def test_bfloat16_follows_the_processor(monkeypatch):
    for amx, avx, expected in ((True, False, True), (False, True, True), (False, False, False)):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda amx=amx: amx)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda avx=avx: avx)
        assert has_fast_bfloat16(CPU) is expected
    assert not has_fast_bfloat16(torch.device("mps"))
