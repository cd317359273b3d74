"""What is common to all data sets: hosts that fail, Pythons that are killed, files that are damaged."""

import contextlib
import errno
import functools
import gzip
import hashlib
import io
import os
import socket
import threading
import time
import tracemalloc
import zipfile

import fuzz_files
import kills
import numpy as np
import pytest
import torch
from test_faces import LABELS, PHOTOGRAPHS, TEXTS, greys, write

from conftest import tries
from vae_helpers import data
from vae_helpers.data import celeba, load_digits, load_faces, load_xrays, sources
from vae_helpers.synthetic import portraits


@pytest.fixture
def root(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("VAE_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "_failed", {})
    monkeypatch.setattr(data.faces, "_portraits", lambda *_: "portraits")
    sources.announce.cache_clear()
    return tmp_path / "data"


@pytest.fixture
def online(root, monkeypatch):
    monkeypatch.delenv("VAE_OFFLINE")
    monkeypatch.setattr(sources, "PATIENCE", 0.9)
    return root


# --- Hosts ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def server(talk):
    """Run a server whose every connection is handled by ``talk(connection)``; yield its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def one(connection):
        with connection, contextlib.suppress(OSError):
            talk(connection)
            over.wait()

    def serve():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.close()


def silent(connection):
    pass


def drip(connection, answer=b"HTTP/1.0 200 OK\r\nContent-Length: 1000000\r\n\r\n"):
    connection.sendall(answer)
    while True:
        time.sleep(0.1)
        connection.sendall(b"x")


def drip_before_the_answer(connection):
    drip(connection, b"HTTP/1.0 200 OK\r\nX-")


def hang_up(connection):
    connection.recv(65_536)  # a request that nobody has read would turn the end into a reset
    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(200_000))
    connection.shutdown(socket.SHUT_WR)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(200_000))
    connection.close()


@pytest.mark.parametrize(
    ("talk", "says"),
    [
        (silent, "no answer"),
        (drip, "no answer"),
        (drip_before_the_answer, "no answer"),
        (hang_up, "what came as train-images-idx3-ubyte.gz is truncated"),
        (reset, "no connection"),
    ],
)
def test_a_host_that_fails_is_given_up_and_the_default_is_used(online, talk, says, monkeypatch, capsys):
    with server(talk) as address:
        monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [address, address])
        start = time.monotonic()
        assert len(load_digits("valid")) == 500
        assert time.monotonic() - start < 5
        said = capsys.readouterr().out
        assert f"MNIST could not be downloaded from 127.0.0.1:{address[17:]} and 127.0.0.1" in said
        assert says in said and "stored" not in said
        assert list((online / "MNIST" / "raw").iterdir()) == []


def test_a_search_for_an_address_that_never_ends_is_given_up(online, monkeypatch, capsys):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: threading.Event().wait())
    assert len(load_digits("valid")) == 500
    assert ": no answer" in capsys.readouterr().out


def test_a_good_mirror_is_used_after_a_silent_google(online, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "mirror"
    folder.mkdir()
    write(folder)

    def send(connection):
        name = connection.recv(4096).split()[1].decode()[1:]
        content = (folder / "celeba" / name).read_bytes()
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)

    md5 = {name: hashlib.md5((folder / "celeba" / name).read_bytes()).hexdigest() for name in celeba.MD5}
    monkeypatch.setattr(celeba, "MD5", md5)
    monkeypatch.setattr("gdown.download", lambda **_: threading.Event().wait())
    with server(send) as address:
        monkeypatch.setenv("VAE_FACES_MIRROR", address)
        assert greys(load_faces("train", source="celeba")) == [0, 3, 6, 9]
    assert sorted(path.name for path in (online / "celeba").iterdir()) == sorted(celeba.MD5)


def test_without_a_network_the_line_about_faces_is_short(online, monkeypatch, capsys):
    def no_network(*_, **__):
        from requests.exceptions import ConnectionError as Unreachable

        raise Unreachable("HTTPSConnectionPool(host='drive.google.com', port=443): Max retries exceeded " * 5)

    def no_address(*_, **__):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr("gdown.download", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    assert load_faces("train") == "portraits"
    line = capsys.readouterr().out.strip().splitlines()[-1]
    assert line.startswith("Faces: portraits") and len(line) < 260
    assert "Google Drive: no connection" in line and line.count("Temporary failure in name resolution") == 1


def test_a_full_disk_is_said_and_no_other_place_is_asked(online, monkeypatch):
    asked = []

    def full(id, output, quiet):
        asked.append(output)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("gdown.download", full)
    monkeypatch.setattr(sources, "from_mirror", lambda url: pytest.fail("a mirror was asked"))
    with pytest.raises(OSError, match="CelebA cannot be stored in .*celeba .No space left on device"):
        load_faces("train", source="celeba")
    assert len(asked) == 1 and list((online / "celeba").iterdir()) == []


# --- Kills ------------------------------------------------------------------------------------------------------


def test_the_next_run_removes_what_a_killed_one_left_even_if_it_needs_no_download(root):
    folder, cache = write(root), root.parent / "cache"
    cache.mkdir()
    left = [folder / "img_align_celeba.zip.0123abcd.part", cache / "faces-64-0.npy.0123abcd.part"]
    for path in left:
        path.write_bytes(b"half")
    learners = folder / "notes.part"
    learners.write_text("mine")
    load_faces("train", source="celeba")
    assert not any(path.exists() for path in left) and learners.exists()


@pytest.mark.fuzz
@pytest.mark.parametrize("kind", kills.KINDS)
def test_a_kill_loses_nothing_and_leaves_nothing(kind, tmp_path):
    kills.run(kind, tries(1, 100), tmp_path)


def test_threads_may_decode_at_once(root, monkeypatch):
    write(root)
    barrier, results = threading.Barrier(6), []

    def load():
        barrier.wait()
        try:
            results.append(greys(load_faces("train", source="celeba")))
        except OSError as error:
            results.append(str(error))

    threads = [threading.Thread(target=load) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[0, 3, 6, 9]] * 6
    assert len(list((root.parent / "cache").iterdir())) == 2


# --- Damage -----------------------------------------------------------------------------------------------------


@pytest.mark.fuzz
@pytest.mark.parametrize("reader", fuzz_files.READERS)
def test_a_damaged_file_is_one_sentence_or_the_default(reader, tmp_path):
    print(reader, dict(fuzz_files.run(reader, tries(12, 417), tmp_path)))


def test_a_byte_order_mark_is_no_damage(root):
    write(root, texts={name: "\ufeff" + text for name, text in TEXTS.items()})
    faces = load_faces("train", source="celeba")
    assert np.array_equal(faces.labels, LABELS[::3])


def test_an_impossible_identity_is_a_damaged_row(root):
    identity = TEXTS["identity_CelebA.txt"].replace("000004.jpg 101", "000004.jpg " + "9" * 30)
    write(root, texts={**TEXTS, "identity_CelebA.txt": identity})
    with pytest.raises(OSError, match="identity_CelebA.txt has a damaged row for the image 000004.jpg"):
        load_faces("train", source="celeba")


@contextlib.contextmanager
def little_memory():
    tracemalloc.start()
    yield
    assert tracemalloc.get_traced_memory()[1] < 3 * sources.LIMIT
    tracemalloc.stop()


def test_a_small_file_cannot_fill_the_memory(root):
    zeros = io.BytesIO()
    with zipfile.ZipFile(zeros, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("train_images.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": (2**28,)})
        for _ in range(2**8):
            member.write(bytes(2**20))
    (root / "pneumoniamnist.npz").write_bytes(zeros.getvalue())
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        (raw / name).write_bytes(2**8 * gzip.compress(bytes(2**20)))
    for load in (load_xrays, load_digits):
        with little_memory(), pytest.raises(OSError, match="is truncated or not"):
            load("train", source={load_xrays: "pneumoniamnist", load_digits: "mnist"}[load])
    folder = write(root)
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in PHOTOGRAPHS.items():
            archive.writestr(name, content + bytes(2**28 if name == "000004.jpg" else 0))
    with little_memory():
        assert len(load_faces("train", source="celeba")) == 4


def test_checksums_work_where_md5_is_forbidden_for_security(root, monkeypatch):
    """As on machines that follow the American standard FIPS."""

    def strict(right, *content, usedforsecurity=True):
        if usedforsecurity:
            raise ValueError("[digital envelope routines] unsupported")
        return right(*content)

    for name in ("md5", "sha1"):
        monkeypatch.setattr(hashlib, name, functools.partial(strict, getattr(hashlib, name)))
    folder = write(root)
    assert greys(load_faces("train", source="celeba")) == [0, 3, 6, 9]
    with pytest.raises(ValueError, match="what came as x is truncated or not the official one"):
        sources._check("x", folder / "identity_CelebA.txt", "official")
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("images-idx3", "labels-idx1"):
        (raw / f"train-{part}-ubyte").write_bytes(b"")
    with pytest.raises(OSError, match="is truncated or not MNIST's"):
        load_digits("train", source="mnist")


# --- What the course draws ----------------------------------------------------------------------------------------


def test_one_person_has_one_number_in_all_splits():
    sets = [data.render_portraits(n, size=8, seed=seed) for n, seed in ((40, 0), (12, 1), (12, 2))]
    numbers = [set(s.people.tolist()) for s in sets]
    assert [len(n) for n in numbers] == [10, 3, 3] and len(set.union(*numbers)) == 16


def test_drawing_leaves_the_number_of_threads_alone(monkeypatch):
    before = torch.get_num_threads()
    seen, inside = [], []
    draw_batch = portraits._portraits

    def look():
        seen.append(torch.get_num_threads())

    def spy(*arguments):
        inside.append(torch.get_num_threads())
        run(look)  # as a thread that begins meanwhile
        return draw_batch(*arguments)

    def run(*work):
        threads = [threading.Thread(target=each) for each in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def draw():
        data.render_portraits(100, size=16)
        look()

    monkeypatch.setattr(portraits, "_portraits", spy)
    try:
        torch.set_num_threads(3)
        run(draw)
        assert seen == [3, 3, 3] and set(inside) == {1}, "fast inside, and not seen outside"
        monkeypatch.undo()
        run(*4 * [draw])
        run(look)
        look()
        assert seen == 9 * [3]
    finally:
        torch.set_num_threads(before)
