import functools
import gzip
import hashlib
import http.server
import struct
import threading

import numpy as np
import pytest
import torch

from vae_helpers import data
from vae_helpers.data import ImageSet, load_digits


def make_set(n=10):
    images = torch.arange(n, dtype=torch.uint8).reshape(n, 1, 1, 1).expand(n, 1, 2, 3) * 20
    return ImageSet(images=images, labels=torch.arange(n), label_names=("a",), source="test")


def test_batches_are_floats_between_0_and_1_and_cover_the_set_once():
    batches = list(make_set().batches(4))
    assert [len(images) for images, _ in batches] == [4, 4, 2]
    images = torch.cat([b[0] for b in batches])
    assert images.dtype == torch.float32 and images.shape == (10, 1, 2, 3)
    assert torch.equal(images[:, 0, 0, 0], torch.arange(10) * 20 / 255)
    assert torch.equal(images, make_set().floats)


def test_shuffled_batches_keep_labels_with_images_and_depend_on_the_seed_only():
    def order(seed):
        pairs = [(images[:, 0, 0, 0], labels) for images, labels in make_set().batches(4, shuffle=True, seed=seed)]
        values, labels = (torch.cat(column) for column in zip(*pairs, strict=True))
        assert torch.allclose(values, labels * 20 / 255)
        return labels.tolist()

    first = order(1)
    torch.rand(5)
    assert order(1) == first != order(2)
    assert sorted(first) == list(range(10)) != first


def test_a_subset_takes_images_and_labels():
    subset = make_set().subset(torch.tensor([3, 1]))
    assert subset.labels.tolist() == [3, 1] and subset.images[:, 0, 0, 0].tolist() == [60, 20]
    assert len(make_set().subset(make_set().labels > 7)) == 2


def test_a_set_refuses_what_is_no_set_of_images():
    labels = torch.zeros(2)
    with pytest.raises(ValueError, match=r"uint8 images.*got torch.float32 of the shape \(2, 1, 4, 4\)"):
        ImageSet(torch.rand(2, 1, 4, 4), labels, (), "")
    with pytest.raises(ValueError, match=r"\(N, C, H, W\), but got torch.uint8 of the shape \(2, 4, 4\)"):
        ImageSet(torch.zeros(2, 4, 4, dtype=torch.uint8), labels, (), "")
    with pytest.raises(ValueError, match="3 images but 2 labels"):
        ImageSet(torch.zeros(3, 1, 4, 4, dtype=torch.uint8), labels, (), "")


def test_the_embedded_digits_are_split_without_overlap_and_evenly():
    sets = {split: load_digits(split, source="embedded") for split in data.sources.SPLITS}
    assert {split: len(s) for split, s in sets.items()} == {"train": 3500, "valid": 500, "test": 1000}
    for s in sets.values():
        assert s.images.shape[1:] == (1, 28, 28)
        assert (s.labels.bincount() == len(s) // 10).all()
    pictures = [image.numpy().tobytes() for s in sets.values() for image in s.images]
    assert len(set(pictures)) == 5000


def test_the_embedded_digits_are_those_of_which_the_lessons_tell_numbers():
    sets = [load_digits(split, source="embedded") for split in data.sources.SPLITS]
    pixels = torch.cat([s.images.reshape(10, -1, 28 * 28) for s in sets], dim=1)
    sha256 = "2913c6b6527114b7307e1086335a7665e3f94c74aba3d67525e6f116bf5ae20f"
    assert hashlib.sha256(pixels.numpy().tobytes()).hexdigest() == sha256
    assert all(s.labels.reshape(10, -1).eq(torch.arange(10)[:, None]).all() for s in sets)


def test_unknown_splits_and_sources_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="no split 'validation'; choose one of: train, valid, test"):
        load_digits("validation")
    with pytest.raises(ValueError, match="no source 'cifar'; choose one of: auto, mnist, embedded"):
        load_digits("train", source="cifar")


def test_the_source_is_announced_in_one_line_and_only_once(capsys):
    data.sources.announce.cache_clear()
    for split in data.sources.SPLITS:
        load_digits(split)
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "5,000 real MNIST digits that the course ships" in said
    assert "no MNIST/raw/train-images-idx3-ubyte.gz in the data folder" in said


# --- MNIST: a tiny one with the same file format, so that no test needs the real one or a network ---------------


def idx_bytes(array):
    return struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def tiny_mnist_files():
    """Return the four files of an MNIST with 55,002 + 4 images of 2 × 2 pixels: name → uncompressed bytes."""
    generator = np.random.default_rng(0)
    files = {}
    for part, count in (("train", 55_002), ("t10k", 4)):
        files[f"{part}-images-idx3-ubyte"] = idx_bytes(generator.integers(0, 256, (count, 2, 2), dtype=np.uint8))
        files[f"{part}-labels-idx1-ubyte"] = idx_bytes(generator.integers(0, 10, count, dtype=np.uint8))
    return files


def tiny_mnist_md5(files):
    return {
        name: tuple(hashlib.md5(form).hexdigest() for form in (content, gzip.compress(content, mtime=0)))
        for name, content in files.items()
    }


@pytest.fixture
def tiny_mnist(monkeypatch):
    files = tiny_mnist_files()
    monkeypatch.setattr(data.digits, "_MNIST_MD5", tiny_mnist_md5(files))
    return files


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_DATA_ROOT", str(tmp_path))
    return tmp_path


def write(root, files, packed=True):
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in files.items():
        (raw / (name + ".gz" * packed)).write_bytes(gzip.compress(content) if packed else content)
    return raw


@pytest.mark.parametrize("packed", [True, False])
def test_a_local_mnist_is_read_packed_or_not_and_split(root, tiny_mnist, packed):
    write(root, tiny_mnist, packed)
    sets = {split: load_digits(split) for split in data.sources.SPLITS}
    assert [len(s) for s in sets.values()] == [55_000, 2, 4]
    pixels = np.frombuffer(tiny_mnist["train-images-idx3-ubyte"], np.uint8, offset=16).reshape(-1, 1, 2, 2)
    assert np.array_equal(sets["train"].images, pixels[:55_000])
    assert np.array_equal(sets["valid"].images, pixels[55_000:])
    assert sets["test"].labels.tolist() == list(tiny_mnist["t10k-labels-idx1-ubyte"][8:])
    assert sets["train"].source == "MNIST"


def test_a_damaged_mnist_is_one_sentence_and_the_next_source(root, tiny_mnist, capsys):
    raw = write(root, tiny_mnist)
    damaged = raw / "train-images-idx3-ubyte.gz"
    whole = damaged.read_bytes()
    wrong = gzip.compress(tiny_mnist["t10k-images-idx3-ubyte"])
    page = b"<html>quota exceeded</html>"
    zlib_error = whole[:10] + b"\xff" * 100
    for content in (whole[:-100], page, wrong, b"", whole[:50] + b"\0\0\0\0" + whole[54:], zlib_error):
        damaged.write_bytes(content)
        with pytest.raises(OSError, match="train-images-idx3-ubyte.gz is truncated or not MNIST's; delete it"):
            load_digits("train", source="mnist")
        data.sources.announce.cache_clear()
        capsys.readouterr()
        assert len(load_digits("train")) == 3500
        said = capsys.readouterr().out
        assert "is truncated or not MNIST's" in said and said.count("\n") == 1
        assert damaged.read_bytes() == content, "nothing of the learner's may be lost"


def test_a_missing_file_of_mnist_is_named(root, tiny_mnist):
    raw = write(root, tiny_mnist)
    (raw / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(OSError, match="no MNIST/raw/t10k-labels-idx1-ubyte.gz in the data folder"):
        load_digits("test", source="mnist")
    assert len(load_digits("valid", source="mnist")) == 2, "the other splits do without it"


@pytest.fixture
def mirror(tmp_path_factory, tiny_mnist, monkeypatch):
    """A server on this machine that torchvision takes for a mirror of MNIST; yields the folder it serves."""
    from torchvision.datasets import MNIST

    folder = tmp_path_factory.mktemp("mirror")
    for name, content in tiny_mnist.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    monkeypatch.setattr(data.sources, "_failed", {})
    monkeypatch.delenv("VAE_OFFLINE")
    yield folder
    server.shutdown()


def test_mnist_is_downloaded_once_and_then_found(root, mirror, monkeypatch):
    assert len(load_digits("test")) == 4
    monkeypatch.setenv("VAE_OFFLINE", "1")
    assert len(load_digits("test", source="mnist")) == 4
    files = sorted(path.name for path in (root / "MNIST" / "raw").iterdir())
    assert files == sorted(path.name for path in mirror.iterdir()), "no temporary folder may stay behind"


def test_only_what_is_missing_of_mnist_is_downloaded(root, tiny_mnist, mirror):
    raw = write(root, tiny_mnist, packed=False)
    (raw / "t10k-labels-idx1-ubyte").unlink()
    for path in mirror.glob("train*"):
        path.unlink()
    assert len(load_digits("test", source="mnist")) == 4
    assert sorted(path.suffix for path in raw.iterdir()) == ["", "", "", ".gz"]


def test_a_truncated_download_leaves_nothing_behind(root, mirror, capsys):
    (mirror / "train-images-idx3-ubyte.gz").write_bytes(b"<html>quota exceeded</html>")
    with pytest.raises(OSError, match="MNIST could not be downloaded"):
        load_digits("test", source="mnist")
    assert list((root / "MNIST" / "raw").iterdir()) == []
    capsys.readouterr()
    data.sources.announce.cache_clear()
    assert len(load_digits("test")) == 1000 and len(load_digits("train")) == 3500
    said = capsys.readouterr().out
    assert "MNIST could not be downloaded" in said and "Downloading" not in said, "one failure is enough"
    with pytest.raises(OSError, match="MNIST could not be downloaded"):
        load_digits("test", source="mnist")
    assert "Downloading" in capsys.readouterr().out, "who asks for MNIST by name wants another try"


def test_what_is_downloaded_is_what_torchvision_would_download():
    from torchvision.datasets import MNIST

    assert {f"{name}.gz": packed for name, (_, packed) in data.digits._MNIST_MD5.items()} == dict(MNIST.resources)


def test_an_unwritable_data_folder_is_one_sentence(root, mirror):
    (root / "MNIST").write_text("a file where the folder should be")
    with pytest.raises(OSError, match=f"MNIST cannot be stored in {root}.*Not a directory"):
        load_digits("test", source="mnist")
    assert len(load_digits("test")) == 1000


def test_a_torchvision_that_does_not_fit_torch_is_said_so(root, mirror, monkeypatch):
    import sys

    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name.startswith("torchvision"):
                raise RuntimeError("operator torchvision::nms does not exist")

    for name in [n for n in sys.modules if n.startswith("torchvision")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(OSError, match="torchvision does not work here .*nms does not exist"):
        load_digits("test", source="mnist")
    assert len(load_digits("test")) == 1000


def test_the_real_mnist(real_data):
    sets = {split: load_digits(split, source="mnist") for split in data.sources.SPLITS}
    assert [len(s) for s in sets.values()] == [55_000, 5_000, 10_000]
    assert all(s.labels.unique().tolist() == list(range(10)) for s in sets.values())
    train = {
        image.numpy().tobytes(): int(label)
        for image, label in zip(sets["train"].images, sets["train"].labels, strict=True)
    }
    for split in data.sources.SPLITS:
        embedded = load_digits(split, source="embedded")
        for image, label in zip(embedded.images, embedded.labels, strict=True):
            assert train[image.numpy().tobytes()] == label, "the digits that the course ships are MNIST's"
