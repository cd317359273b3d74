import copy
import dataclasses
import errno
import functools
import math
import os
import random
import re
import signal
import threading
import time

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from conftest import tries
from vae_helpers import plots, train
from vae_helpers.data import ImageSet
from vae_helpers.losses import negative_elbo, squared_error
from vae_helpers.models import ConvVAE, DenseAutoencoder, DenseVAE, FaceVAE
from vae_helpers.train import fit, has_fast_bfloat16, measure, measuring, mixed_precision

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
    assert measure(model, random_images(700))["loss"] == pytest.approx(
        squared_error(model(random_images(700).floats), random_images(700).floats).mean().item(), rel=1e-5
    ), "in parts of 500"


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


def rows(history):
    """How many epochs each column of a history tells of."""
    return {len(column) for part in (history.train, history.valid) for column in part.values()} | {len(history.seconds)}


@pytest.mark.parametrize("stop_in", ["training", "validation"])
@pytest.mark.parametrize("epoch", [1, 3])
def test_a_stop_anywhere_leaves_whole_epochs_only_and_evaluation_mode(stop_in, epoch):
    calls = {True: 0, False: 0}

    def loss(model, images, labels):
        calls[model.training] += 1
        if (stop_in == "training", calls[model.training]) == (model.training, epoch):
            raise KeyboardInterrupt
        return squared_error(model(images), images)

    model = small_model()
    history = fit(model, random_images(), loss, epochs=5, batch_size=70, valid=random_images(9), device="cpu")
    assert rows(history) == {epoch - 1} or (epoch == 1 and not history.seconds)
    assert not any(layer.training for layer in model.modules())
    assert all(len(line.get_xdata()) == epoch - 1 for line in plots.history(history, "t", "nats").axes[0].lines)


def test_any_error_leaves_evaluation_mode():
    def loss(model, images, labels):
        raise KeyError("a mistake in the loss")

    model = small_model()
    with pytest.raises(KeyError, match="a mistake in the loss"):
        fit(model, random_images(), loss, epochs=1, device="cpu")
    assert not any(layer.training for layer in model.modules())


@pytest.mark.parametrize("spoilt", ["loss", "weights"])
def test_a_stop_by_hand_does_not_keep_weights_that_are_no_numbers(spoilt):
    calls = []

    def loss(model, images, labels):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        factor = math.nan if (len(calls), spoilt) == (5, "loss") else 1
        error = squared_error(model(images), images) * factor
        if (len(calls), spoilt) == (5, "weights"):
            return error + (0 * model.encoder[0].weight.sum()).sqrt()  # finite, but its gradient is not
        return error

    model = small_model()
    with pytest.raises(FloatingPointError, match=f"The {spoilt} became .* in step 2 of epoch 2.*back where it was"):
        fit(model, random_images(), loss, epochs=3, batch_size=32, lr=0.01, device="cpu")
    assert all(p.isfinite().all() for p in model.parameters()) and not model.training
    assert not torch.equal(model.encoder[0].weight, small_model().encoder[0].weight), "one epoch went well"


def test_weights_that_are_no_numbers_at_the_very_end_are_found():
    def loss(model, images, labels):
        return squared_error(model(images), images) + (0 * model.encoder[0].weight.sum()).sqrt()

    with pytest.raises(FloatingPointError, match="The weights became NaN or infinite in step 1 of epoch 1"):
        fit(small_model(), random_images(), loss, epochs=1, batch_size=70, device="cpu")


def vae(seed=0):
    torch.manual_seed(seed)
    return DenseVAE(image_shape=(1, 8, 8), hidden=(16,), latent_dim=4)


def test_held_out_images_change_nothing_in_a_training_that_draws():
    alone, watched = vae(), vae()
    torch.manual_seed(1)
    history = fit(alone, random_images(), negative_elbo, epochs=3, batch_size=32, device="cpu")
    torch.manual_seed(1)
    other = fit(watched, random_images(), negative_elbo, epochs=3, batch_size=32, device="cpu", valid=random_images(9))
    assert all(torch.equal(a, b) for a, b in zip(alone.parameters(), watched.parameters(), strict=True))
    assert history.train == other.train and rows(other) == {3}


def test_measuring_draws_the_same_each_time_and_leaves_torch_and_every_layer_as_they_were():
    model = FaceVAE(image_shape=(1, 8, 8), channels=(4, 4), latent_dim=3)
    model.decoder.eval()
    before, modes = copy.deepcopy(model.state_dict()), [layer.training for layer in model.modules()]
    state = torch.get_rng_state()
    first = measure(model, random_images(30), negative_elbo)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert measure(model, random_images(30), negative_elbo) == first
    assert modes == [layer.training for layer in model.modules()] and len(set(modes)) == 2
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(KeyError), measuring(model):
        raise KeyError
    assert modes == [layer.training for layer in model.modules()]


def test_held_out_images_are_measured_in_float32_also_where_training_is_faster_without(monkeypatch):
    monkeypatch.setattr("vae_helpers.train.has_fast_bfloat16", lambda device: True)
    seen = set()

    class Watched(ConvVAE):
        def decode(self, z):
            seen.add((self.training, self.decoder[0](z).dtype))
            return super().decode(z)

    def by_parts(model, images, labels):
        return squared_error(model.decode(model.encode(images)[0]), images)

    for loss in (negative_elbo, by_parts):
        seen.clear()
        model = Watched(image_shape=(1, 8, 8), channels=(4,), hidden=8, latent_dim=3)
        fit(model, random_images(), loss, epochs=2, valid=random_images(9), device="cpu", batch_size=70)
        assert seen == {(True, torch.bfloat16), (False, torch.float32)}


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


def checkpointed(path, model=None, data=None, loss=None, **changes):
    settings = {"epochs": 2, "batch_size": 32, "device": "cpu"} | changes
    model = model or vae()
    return model, fit(model, data or random_images(), loss or negative_elbo, checkpoint=path, **settings)


def assert_untouched(model, path, told, **changes):
    """Training goes on from ``path`` with one sentence only, and leaves model and file as they were."""
    weights, content = copy.deepcopy(model.state_dict()), path.read_bytes()
    with pytest.raises(
        ValueError, match=f"{path.name} is not a checkpoint of this training .*delete it, or name"
    ) as error:
        checkpointed(path, model, **changes)
    assert re.search(told, str(error.value)) and "\n" not in str(error.value)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert path.read_bytes() == content


def test_a_checkpoint_knows_its_model_loss_data_and_settings(tmp_path):
    path = tmp_path / "run.pt"
    checkpointed(path, loss=functools.partial(negative_elbo, beta=2))
    brighter = dataclasses.replace(random_images(), images=random_images().images // 2 + 100)
    same = {"loss": functools.partial(negative_elbo, beta=2)}
    assert_untouched(
        vae(1), path, r"loss .*beta=2\) there, .*beta=4\) here", loss=functools.partial(negative_elbo, beta=4)
    )
    assert_untouched(vae(1), path, r"data 70 × \(1, 8, 8\) #.* there, 70 × \(1, 8, 8\) #.* here", data=brighter, **same)
    assert_untouched(vae(1), path, r"\(lr 0.001 there, 0.01 here\)", lr=0.01, **same)
    wider = DenseVAE(image_shape=(1, 8, 8), hidden=(17,), latent_dim=4)
    assert_untouched(wider, path, "model DenseVAE #.* there, DenseVAE #.* here", **same)
    assert_untouched(small_model(), path, "model DenseVAE #.* there, DenseAutoencoder #.* here", **same)
    model, history = checkpointed(path, vae(1), **same)
    assert rows(history) == {2} and torch.equal(
        model.encoder[0].weight, checkpointed(path, **same)[0].encoder[0].weight
    )


@pytest.mark.parametrize(
    "loss", [negative_elbo, functools.partial(negative_elbo, beta=3), nn.MSELoss(), lambda m, x, y: x]
)
def test_a_checkpoint_names_a_loss_the_same_in_every_process(loss):
    settings = train._settings(vae(), random_images(), loss, CPU, lr=1)
    assert "0x" not in settings["loss"] and settings["lr"] == 1


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", None])
def test_a_file_that_is_no_checkpoint_is_refused(content, tmp_path):
    path = tmp_path / "run.pt"
    if content is None:
        torch.save({"model": vae().state_dict()}, path)
    else:
        path.write_bytes(content)
    assert_untouched(vae(1), path, r"training \(.+\); delete")


@pytest.mark.fuzz
def test_a_damaged_checkpoint_is_refused_and_never_loads_other_weights(tmp_path):
    path = tmp_path / "run.pt"
    trained, _ = checkpointed(path)
    whole, chance, refused = path.read_bytes(), random.Random(0), 0
    for number in range(tries(60, 1000)):
        damaged = bytearray(whole)
        if number % 2:
            damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        else:
            del damaged[chance.randrange(len(whole)) :]
        path.write_bytes(damaged)
        model = vae(1)
        weights = copy.deepcopy(model.state_dict())
        try:
            checkpointed(path, model)
            weights = trained.state_dict()  # the damage was where nothing is kept
        except ValueError as error:
            refused += 1
            assert "run.pt is not a checkpoint of this training" in str(error) and "\n" not in str(error)
        assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert refused > 0.8 * number


def test_a_full_disk_costs_the_checkpoint_only(tmp_path, monkeypatch, capsys):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    model, history = checkpointed(tmp_path / "run.pt")
    assert rows(history) == {2} and not list(tmp_path.iterdir())
    assert "run.pt could not be written (No space left on device)." in capsys.readouterr().out
    assert not torch.equal(model.encoder[0].weight, vae().encoder[0].weight), "it has learnt"


def test_checkpoints_whose_names_differ_after_the_dot_do_not_share_a_file(tmp_path):
    for name in ("model.v1", "model.v2"):
        checkpointed(tmp_path / name)
    assert {file.name for file in tmp_path.iterdir()} == {"model.v1", "model.v2"}


def test_held_out_images_that_come_later_have_no_numbers_for_the_epochs_before(tmp_path):
    path, calls = tmp_path / "run.pt", []

    def loss(model, images, labels):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return squared_error(model(images), images)

    settings = {"epochs": 4, "batch_size": 70, "device": "cpu", "checkpoint": path}
    assert rows(fit(small_model(), random_images(), loss, **settings)) == {2}
    history = fit(small_model(), random_images(), loss, valid=random_images(9), **settings)
    assert rows(history) == {4} and [math.isnan(x) for x in history.valid["loss"]] == [True, True, False, False]
    plots.history(history, "t", "nats")


@pytest.mark.fuzz
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_training_ends_with_the_same_model_and_leaves_nothing_behind(tmp_path):
    def run(path):
        torch.manual_seed(3)
        model = vae()
        return model, fit(model, random_images(), negative_elbo, epochs=5, batch_size=8, device="cpu", checkpoint=path)

    start = time.perf_counter()
    expected, history = run(tmp_path / "straight.pt")
    duration = time.perf_counter() - start
    (tmp_path / "straight.pt").unlink()
    chance, kills, path = random.Random(0), 0, tmp_path / "run.pt"
    while kills < tries(4, 200):
        child = os.fork()
        if child == 0:
            os.close(1)
            # A lock of its own: the usual one is shared by forked processes, and whoever is killed never gives it back.
            train.tqdm.set_lock(threading.RLock())
            try:
                run(path)
            finally:
                os._exit(0)
        time.sleep(chance.uniform(0, duration))
        os.kill(child, signal.SIGKILL)
        kills += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) < 0
        if chance.random() < 0.2:  # from time to time one is left alone
            model, resumed = run(path)
            assert all(torch.equal(a, b) for a, b in zip(expected.parameters(), model.parameters(), strict=True))
            assert resumed.train == history.train
            assert [file.name for file in tmp_path.iterdir()] == ["run.pt"]
            path.unlink()


@pytest.mark.fuzz
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer")
def test_a_stop_at_any_moment_leaves_a_consistent_history_finite_weights_and_evaluation_mode(monkeypatch):
    def stop(_, frame):
        while frame and frame.f_code is not fit.__code__:
            frame = frame.f_back
        if frame:
            raise KeyboardInterrupt

    def run(model):
        return fit(model, random_images(), negative_elbo, epochs=4, batch_size=8, valid=random_images(30), device="cpu")

    start = time.perf_counter()
    run(vae())
    duration = time.perf_counter() - start
    previous, chance, stopped = signal.signal(signal.SIGALRM, stop), random.Random(0), 0
    try:
        for _ in range(tries(12, 300)):
            model = vae()
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.05, 1) * duration)
            try:
                history = run(model)
            except KeyboardInterrupt:
                history = train.History()  # before the first step or after the last
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            stopped += 0 < len(history.seconds) < 4
            assert rows(history) == {len(history.seconds)} or not history.seconds
            assert all(p.isfinite().all() for p in model.parameters())
            assert not history.seconds or not model.training
            plt.close(plots.history(history, "t", "nats"))
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert stopped


def test_a_last_batch_of_one_image_is_too_few_for_batch_norm():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.BatchNorm1d(3))
    with pytest.raises(ValueError, match="A batch of one image is too few for BatchNorm; choose another batch"):
        fit(model, random_images(9), lambda m, x, y: m(x).square().sum(1), epochs=1, batch_size=4, device="cpu")


@pytest.mark.parametrize("epochs", [1, 2, 9, 10, 11, 20])
def test_any_number_of_steps_will_do(epochs):
    history = fit(small_model(), random_images(), epochs=epochs, batch_size=70, device="cpu")
    assert len(history.seconds) == epochs and all(map(math.isfinite, history.train["loss"]))


@pytest.mark.parametrize("setting", ["epochs", "batch_size", "lr"])
@pytest.mark.parametrize("value", [0, -1, 0.5, math.nan, math.inf])
def test_settings_must_be_positive_and_most_of_them_whole(setting, value):
    if (setting, value) == ("lr", 0.5):
        return
    kind = "more than 0 and finite" if setting == "lr" else "a whole number of at least 1"
    with pytest.raises(ValueError, match=f"{setting} must be {kind}, but is {value}"):
        fit(small_model(), random_images(), **{"epochs": 1, setting: value})


def test_empty_sets_and_bare_tensors_are_refused():
    data, empty = random_images(), random_images().subset(slice(0))
    for name, sets in {"data": (empty, None), "valid": (data, empty)}.items():
        with pytest.raises(ValueError, match=rf"len\({name}\) must be a whole number of at least 1, but is 0"):
            fit(small_model(), sets[0], epochs=1, valid=sets[1])
    with pytest.raises(ValueError, match=r"len\(data\) must be"):
        measure(small_model(), empty)
    for call in (fit, measure):
        with pytest.raises(ValueError, match="data must be an ImageSet.*but is a Tensor"):
            call(small_model(), data.floats, **{"epochs": 1} if call is fit else {})


def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="You asked for the device 'cuda', which this machine does not have"):
        fit(small_model(), random_images(), epochs=1, device="cuda")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda error: error.mean(), r"'loss' is \(\); sum over the pixels only"),
        (lambda error: error.mean().reshape(1), r"shape \(70,\), but 'loss' is \(1,\)"),
        (lambda error: error[:, None], r"'loss' is \(70, 1\)"),
        (lambda error: error.mean().item(), "'loss' is float"),
        (lambda error: {"loss": error, "part": error.mean()}, r"'part' is \(\)"),
        (lambda error: {"error": error}, r"""a dict of \['error'\]; what is to be minimised must be named "loss"."""),
    ],
)
def test_a_loss_that_is_not_one_number_per_image_is_refused(change, told):
    def loss(model, images, labels):
        return change(squared_error(model(images), images))

    for call in (
        lambda: fit(small_model(), random_images(), loss, epochs=1),
        lambda: measure(small_model(), random_images(), loss),
    ):
        with pytest.raises(ValueError, match=told):
            call()


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
