"""The command ``python -m vae_helpers.train``: one process and several, killed and started again, and its mistakes."""

import functools
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch

from conftest import ROOT, tries
from vae_helpers import checkpoints, data, long_runs, losses, models, train
from vae_helpers.device import seed_everything

SMALL = ["DenseVAE", "letters", "--size", "8", "--set", "hidden=16", "--set", "latent_dim=3", "--epochs", "3"]


@functools.cache
def letters(split, size):
    return data.render_letters({"train": 70, "valid": 20}[split], size)


@pytest.fixture(autouse=True)
def few_letters(monkeypatch):
    monkeypatch.setitem(long_runs.DATA, "letters", letters)


def run(*arguments):
    long_runs.main([*SMALL, *map(str, arguments)])


def table(path):
    """Return what a log says without the times, which are never the same."""
    return [line.rpartition(",")[0] for line in path.read_text().splitlines()]


def test_the_command_trains_as_a_notebook_would_and_leaves_state_log_and_model(tmp_path, capsys):
    run("--checkpoint", tmp_path / "new" / "run.ckpt", "--loss", "beta=2", "--seed", 5)
    assert {file.name for file in (tmp_path / "new").iterdir()} == {"run.ckpt", "run.csv", "run.safetensors"}
    seed_everything(5)
    model = models.DenseVAE(image_shape=(1, 8, 8), hidden=(16,), latent_dim=3)
    loss = functools.partial(losses.negative_elbo, beta=2)
    history = train.fit(model, letters("train", 8), loss, epochs=3, valid=letters("valid", 8), seed=5)
    saved = checkpoints.load_model(tmp_path / "new" / "run")
    for name, value in model.state_dict().items():
        assert torch.equal(saved.state_dict()[name], value.cpu()), name
    assert "--seed 5" in saved.about["command"] and saved.about["data"] == "letters drawn by the course"
    rows = table(tmp_path / "new" / "run.csv")
    assert rows[0] == "epoch,loss,rate,distortion,held-out loss,held-out rate,held-out distortion"
    found = np.array([[float(value) for value in row.split(",")] for row in rows[1:]])
    np.testing.assert_allclose(found[:, 0], [1, 2, 3])
    np.testing.assert_allclose(found[:, 1], history.train["loss"], rtol=1e-6)
    np.testing.assert_allclose(found[:, 5], history.valid["rate"], rtol=1e-6)


def test_a_file_gets_a_line_per_epoch_and_no_bar_but_a_terminal_has_both(tmp_path, capsys, monkeypatch):
    run("--checkpoint", tmp_path / "run.ckpt")
    told = capsys.readouterr().out
    assert "\r" not in told and "%|" not in told and len(told.splitlines()) == 6
    assert all(f"\nepoch {epoch} of 3: loss " in told for epoch in (1, 2, 3))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    run("--checkpoint", tmp_path / "other.ckpt")
    told = capsys.readouterr().out
    assert "epoch 2 of 3: loss " in told and "100%|" in told


def test_the_same_command_again_trains_nothing_and_changes_nothing(tmp_path):
    run("--checkpoint", tmp_path / "run.ckpt")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    (tmp_path / "run.csv").unlink()
    (tmp_path / "run.safetensors").unlink()
    run("--checkpoint", tmp_path / "run.ckpt")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ConVAE", "digits"], "There is no model 'ConVAE'; choose one of: DenseAutoencoder, ConvAutoencoder, Dense"),
        (["ConvVAE", "digit"], "There is no data set 'digit'; choose one of: digits, faces, xrays, letters, or a fol"),
        (["ConvVAE"], "The following arguments are required: data; see `python -m vae_helpers.train --help`."),
        ([*SMALL, "--set", "latentdim=3"], "The model DenseVAE has no argument 'latentdim'; it has: image_shape, hid"),
        ([*SMALL, "--set", "latent_dim"], "--set takes NAME=VALUE, such as --set latent_dim=1, but got 'latent_dim'"),
        ([*SMALL, "--set", "latent_dim=two"], "--set latent_dim=two: latent_dim must be a whole number."),
        ([*SMALL, "--set", "latent_dim=True"], "--set latent_dim=True: latent_dim must be a whole number."),
        ([*SMALL, "--set", "hidden=8,2.5"], "hidden must be whole numbers with commas between them, such as 32,64."),
        ([*SMALL, "--set", "latent_dim=-2"], "DenseVAE cannot be made with hidden=16 latent_dim=3 latent_dim=-2 ("),
        ([*SMALL, "--loss", "gamma=4"], "The loss of DenseVAE has no argument 'gamma'; it has: beta, likelihood, sig"),
        (["ConvAutoencoder", "digits", "--loss", "beta=4"], "The loss of ConvAutoencoder has no argument 'beta'; it h"),
        ([*SMALL, "--loss", "likelihood=poisson"], "There is no likelihood 'poisson'; choose 'bernoulli' or 'gauss"),
        ([*SMALL, "--epochs", "0"], "epochs must be a whole number of at least 1, but is 0."),
        ([*SMALL, "--epochs", "many"], "Argument --epochs: invalid int value: 'many'; see"),
        ([*SMALL, "--lr", "nan"], "lr must be more than 0 and finite, but is nan."),
        ([*SMALL, "--source", "mnist"], "letters have no choice of --source; leave it out."),
        (["ConvVAE", "digits", "--size", "32"], "digits have no choice of --size; leave it out."),
        (["ConvVAE", "digits", "--source", "emnist"], "emnist"),
        (["ConvVAE", "digits", "--source", "mnist"], "MNIST"),
        ([*SMALL, "--frob"], "Unrecognized arguments: --frob; see"),
    ],
)
def test_a_bad_argument_gets_one_sentence_and_writes_no_file(arguments, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        long_runs.main(arguments)
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and told in said and said.count("\n") == 1 and len(said) < 500
    assert not list(tmp_path.iterdir())


def test_files_that_cannot_be_written_are_named_before_anything_is_computed(tmp_path, capsys):
    (tmp_path / "a file").write_text("x")
    places = {tmp_path: "is a folder; name a file.", tmp_path / "a file" / "run.ckpt": "cannot be written"}
    for place, told in places.items():
        with pytest.raises(SystemExit) as stopped:
            run("--checkpoint", place)
        said = capsys.readouterr().err
        assert stopped.value.code == 2 and told in said and str(place) in said and said.count("\n") == 1


def test_a_checkpoint_of_another_run_is_refused_and_kept(tmp_path, capsys):
    path = tmp_path / "run.ckpt"
    run("--checkpoint", path)
    before = path.read_bytes()
    for change, told in ((("--lr", "0.1"), "lr 0.001 there, 0.1 here"), (("--set", "latent_dim=4"), "model DenseVAE")):
        with pytest.raises(SystemExit) as stopped:
            run("--checkpoint", path, *change)
        said = capsys.readouterr().err
        assert stopped.value.code == 2 and told in said and "delete it, or name another file" in said
        assert said.count("\n") == 1 and path.read_bytes() == before
    path.write_bytes(b"no checkpoint")
    with pytest.raises(SystemExit):
        run("--checkpoint", path)
    assert "run.ckpt is not a checkpoint of this training" in capsys.readouterr().err


def test_a_folder_of_pictures_has_every_tenth_held_out(tmp_path):
    from PIL import Image

    for number in range(20):
        Image.new("RGB", (9, 9), (number, 0, 0)).save(tmp_path / f"{number:02}.png")
    options = long_runs._parser().parse_args(["ConvVAE", str(tmp_path), "--size", "8"])
    train_set, valid_set = long_runs._load(options)
    assert (len(train_set), valid_set.images[:, 0, 0, 0].tolist()) == (18, [9, 19])
    assert train_set.images.shape[1:] == (3, 8, 8)


@pytest.mark.parametrize("name", long_runs.MODELS)
def test_every_model_of_the_course_can_be_trained(name, tmp_path):
    long_runs.main([name, "letters", "--size", "16", "--epochs", "1", "--checkpoint", str(tmp_path / "run.ckpt")])
    assert type(checkpoints.load_model(tmp_path / "run")).__name__ == name


def test_a_stop_by_hand_is_told_and_the_same_command_goes_on(tmp_path, monkeypatch, capsys):
    run("--checkpoint", tmp_path / "straight.ckpt")
    written = []

    def stop(path, history):
        written.append(path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(SystemExit) as stopped:
        patched.setattr(long_runs, "_write_log", stop)
        run("--checkpoint", tmp_path / "run.ckpt")
    assert stopped.value.code == 130 and len(written) == 1
    assert "Stopped after 1 of 3 epochs; the same command goes on from there." in capsys.readouterr().out
    run("--checkpoint", tmp_path / "run.ckpt")
    assert table(tmp_path / "run.csv") == table(tmp_path / "straight.csv")


@pytest.mark.fuzz
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_that_is_killed_loses_at_most_an_epoch_and_ends_with_the_same_model(tmp_path):
    start = time.perf_counter()
    run("--checkpoint", tmp_path / "straight.ckpt", "--batch-size", 4)
    duration = time.perf_counter() - start
    expected = checkpoints.load_model(tmp_path / "straight")
    chance, kills, folder = random.Random(0), 0, tmp_path / "killed"
    while kills < tries(4, 200):
        epochs = len(table(folder / "run.csv")) if (folder / "run.csv").exists() else 0
        child = os.fork()
        if child == 0:
            # A lock of its own: the usual one is shared by forked processes, and whoever is killed never gives it back.
            train.tqdm.set_lock(threading.RLock())
            try:
                run("--checkpoint", folder / "run.ckpt", "--batch-size", 4)
            finally:
                os._exit(0)
        time.sleep(chance.uniform(0, duration))
        os.kill(child, signal.SIGKILL)
        kills += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) < 0
        if (folder / "run.ckpt").exists():
            state = torch.load(folder / "run.ckpt", weights_only=True)
            assert len(state["history"]["seconds"]) >= epochs - 1, "the log is never ahead"
        if chance.random() < 0.3 or kills == tries(4, 200):  # from time to time one is left alone
            run("--checkpoint", folder / "run.ckpt", "--batch-size", 4)
            assert {file.name for file in folder.iterdir()} == {"run.ckpt", "run.csv", "run.safetensors"}
            assert table(folder / "run.csv") == table(tmp_path / "straight.csv")
            ended = checkpoints.load_model(folder / "run").state_dict()
            assert all(torch.equal(value, ended[name]) for name, value in expected.state_dict().items())
            for file in folder.iterdir():
                file.unlink()


class OneOf:
    """One of two processes, without the other: what it would add up with the other's, it keeps to itself."""

    num_processes = 2

    def __init__(self, rank):
        self.process_index = rank

    def reduce(self, values, reduction):
        return values


@pytest.mark.parametrize("count", [8, 7, 1])
@pytest.mark.parametrize("binarize", [True, False])
def test_two_shares_add_up_to_the_whole_batch_with_its_noise(count, binarize):
    loss = functools.partial(losses.negative_elbo, binarize=binarize)
    images, labels = data.render_letters(count, 8).floats, torch.arange(count)
    torch.manual_seed(0)
    model = models.ConvVAE(image_shape=(1, 8, 8), channels=(4, 8), hidden=8, latent_dim=3)

    def computed(loss):
        torch.manual_seed(1)
        parts = loss(model, images, labels)
        parts["loss"].mean().backward()  # gradients add up
        return {name: values.detach() for name, values in parts.items()}, torch.rand(1)

    expected, after = computed(loss)
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    (one, after_one), (other, after_other) = (computed(long_runs.Shared(loss, OneOf(rank))) for rank in (0, 1))
    assert after == after_one == after_other, "all processes go on with the same random numbers"
    for name, values in expected.items():
        torch.testing.assert_close(one[name] + other[name], values)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-5)
    assert repr(long_runs.Shared(loss, OneOf(0))) == repr(loss), "one process can go on with what two have begun"


def test_fit_tells_what_happened_after_each_epoch_once_the_checkpoint_is_written(tmp_path):
    seen, path = [], tmp_path / "run.ckpt"

    def after_epoch(history):
        kept = torch.load(path, weights_only=True)["history"]
        seen.append(len(history.seconds))
        assert kept["train"] == history.train

    model = models.DenseVAE(image_shape=(1, 8, 8))
    train.fit(model, letters("train", 8), losses.negative_elbo, epochs=2, checkpoint=path, after_epoch=after_epoch)
    assert seen == [1, 2]


def test_alone_the_command_needs_no_accelerate_and_two_processes_of_it_have_the_same_curve(tmp_path, capsys):
    """The second time it is the real command, in two processes that talk to each other over gloo."""
    # 3,500 digits in batches of 999: the shares are uneven, and the last batch is smaller.
    command = ["DenseVAE", "digits", "--set", "latent_dim=8", "--epochs", "2", "--batch-size", "999", "--lr", "0.003"]
    long_runs.main([*command, "--checkpoint", str(tmp_path / "one.ckpt")])
    assert "accelerate" not in sys.modules and "epoch 2 of 2: loss" in capsys.readouterr().out
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "VAE_DEVICE": "cpu"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--main_process_port", port, "-m", "vae_helpers.train", *command]
    launch += ["--checkpoint", str(tmp_path / "two.ckpt")]
    done = subprocess.run(launch, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch 2 of 2: loss") == 1, "one of them speaks"
    assert "2 processes." in done.stdout
    one, two = (np.loadtxt(tmp_path / f"{name}.csv", delimiter=",", skiprows=1)[:, :-1] for name in ("one", "two"))
    np.testing.assert_allclose(two, one, rtol=1e-4)
    models_ = [checkpoints.load_model(tmp_path / name).state_dict() for name in ("one", "two")]
    for name, value in models_[0].items():
        torch.testing.assert_close(models_[1][name], value, rtol=1e-2, atol=1e-3)
    states = [torch.load(tmp_path / f"{name}.ckpt", weights_only=True) for name in ("one", "two")]
    assert torch.equal(states[0]["random"][0], states[1]["random"][0])
    assert states[0]["settings"] == states[1]["settings"], "either can go on with the other's checkpoint"
