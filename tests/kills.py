"""Kills downloads and decodings at random moments: nothing may be lost, and the next run leaves no litter."""

import contextlib
import functools
import hashlib
import http.server
import io
import json
import multiprocessing
import multiprocessing.connection
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import test_faces

from vae_helpers import data
from vae_helpers.data import celeba


def load_faces() -> None:
    """Load CelebA as the environment says; what it names is right, and Google has nothing."""
    md5 = json.loads(os.environ["MD5"])
    with mock.patch.object(celeba, "MD5", md5), mock.patch.object(celeba, "_from_google", print):
        assert len(data.load_faces("train", 64, source="celeba")) == int(os.environ["COUNT"])


class Download:
    """CelebA from a mirror that takes its time; one of the four files is there already."""

    work = staticmethod(load_faces)

    def __init__(self, folder: Path):
        self.root = folder / "data"
        self.root.mkdir()
        self.mirror = test_faces.write(folder)
        self.whole = {path.name: path.read_bytes() for path in self.mirror.iterdir()}
        md5 = {name: hashlib.md5(content).hexdigest() for name, content in self.whole.items()}

        class Handler(http.server.SimpleHTTPRequestHandler):
            def copyfile(self, source, outputfile):
                with contextlib.suppress(ConnectionError):
                    while block := source.read(2**13):
                        outputfile.write(block)
                        time.sleep(0.02)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=str(self.mirror))
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.environment = {
            "MD5": json.dumps(md5),
            "COUNT": "4",
            "VAE_DATA_ROOT": str(self.root),
            "VAE_CACHE": str(folder / "cache"),
            "VAE_FACES_MIRROR": f"http://127.0.0.1:{server.server_port}",
            "VAE_OFFLINE": "",
        }

    def prepare(self) -> None:
        """Make the folder what it is before a run."""
        folder = self.root / "celeba"
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        (folder / "identity_CelebA.txt").write_bytes(self.whole["identity_CelebA.txt"])

    def check(self, finished: bool) -> None:
        """Raise AssertionError if something is lost, half or, after a run that finished, too much."""
        found = {path.name: path.read_bytes() for path in (self.root / "celeba").iterdir()}
        whole = {name: content for name, content in found.items() if name in self.whole}
        assert whole.items() <= self.whole.items(), "half a file"
        assert "identity_CelebA.txt" in whole, "a file that was there is lost"
        if finished:
            assert found.keys() == self.whole.keys(), "litter, or something is missing"


class Decoding:
    """600 photographs, decoded into the cache."""

    work = staticmethod(load_faces)

    def __init__(self, folder: Path):
        names = [f"{number + 1:06}.jpg" for number in range(600)]
        greys = list(test_faces.PHOTOGRAPHS.values())
        photographs = {name: greys[number % len(greys)] for number, name in enumerate(names)}
        rows = test_faces.TEXTS["list_attr_celeba.txt"].splitlines()
        texts = {
            "list_attr_celeba.txt": "\n".join(["600", rows[1], *(f"{n} {rows[2].partition(' ')[2]}" for n in names)]),
            "list_eval_partition.txt": "\n".join(f"{name} {number % 3}" for number, name in enumerate(names)),
            "identity_CelebA.txt": "\n".join(f"{name} {number}" for number, name in enumerate(names)),
        }
        self.data = test_faces.write(folder, photographs, texts)
        self.cache = folder / "cache"
        self.whole = {path: path.read_bytes() for path in self.data.iterdir()}
        self.environment = {"MD5": json.dumps(dict.fromkeys(p.name for p in self.whole)), "COUNT": "200"}
        self.environment |= {"VAE_DATA_ROOT": str(folder), "VAE_CACHE": str(self.cache), "VAE_OFFLINE": "1"}

    def prepare(self) -> None:
        """Empty the cache."""
        self.cache.mkdir(exist_ok=True)
        for path in self.cache.iterdir():
            path.unlink()

    def check(self, finished: bool) -> None:
        """Raise AssertionError if something is lost or, after a run that finished, too much."""
        assert {path: path.read_bytes() for path in self.data.iterdir()} == self.whole, "a photograph is lost"
        if finished:
            assert sorted(path.suffix for path in self.cache.iterdir()) == [".npy", ".npz"], "litter"


KINDS: dict[str, Callable] = {"download": Download, "decoding": Decoding}


def run(kind: str, count: int, folder: Path, seed: int = 0) -> None:
    """Kill ``count`` runs at random moments, each followed by a run that finishes.

    Raises:
        AssertionError: something was lost or left, or the run after a kill failed.
    """
    dice = random.Random(seed)
    case = KINDS[kind](folder)
    # A server that has imported everything is forked for each run, because imports take longer than what is killed.
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["kills"])
    with mock.patch.dict(os.environ, case.environment), contextlib.redirect_stdout(io.StringIO()):
        case.prepare()
        begin = time.monotonic()
        case.work()
        duration = time.monotonic() - begin
        for _ in range(count):
            case.prepare()
            here, there = server.Pipe()
            process = server.Process(target=_work, args=(case.work, case.environment, there))
            process.start()
            assert here.recv() == "begins"
            time.sleep(dice.uniform(0, 1.1 * duration))
            process.kill()
            process.join()
            case.check(finished=False)
            case.work()
            case.check(finished=True)


def _work(work: Callable[[], None], environment: dict[str, str], pipe: multiprocessing.connection.Connection) -> None:
    os.environ.update(environment)
    sys.stdout = io.StringIO()
    pipe.send("begins")
    work()
