"""Tests of data.load_faces on a tiny CelebA: the same files and layout, so that no test needs the real one."""

import errno
import functools
import hashlib
import http.server
import io
import os
import shutil
import sys
import threading
import warnings
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torchvision.datasets import CelebA

from vae_helpers import data
from vae_helpers.data import celeba, load_faces

COUNT = 12
SPLIT = {f"{i + 1:06}.jpg": i % 3 for i in range(COUNT)}
LABELS = np.random.default_rng(0).integers(0, 2, (COUNT, 40))
TEXTS = {
    "list_attr_celeba.txt": "\n".join(
        [str(COUNT), " ".join(f"Attribute_{i}" for i in range(39)) + " Smiling "]
        + [f"{name} " + " ".join(f"{2 * v - 1:2}" for v in row) for name, row in zip(SPLIT, LABELS, strict=True)]
    ),
    "list_eval_partition.txt": "\n".join(f"{name} {split}" for name, split in SPLIT.items()),
    "identity_CelebA.txt": "\n".join(f"{name} {100 + i // 2}" for i, name in enumerate(SPLIT)),
}


def photograph(grey):
    """Return a JPEG of CelebA's size: red where it is cut away, grey inside, white in the upper left quarter."""
    image = Image.new("RGB", (178, 218), (255, 0, 0))
    ImageDraw.Draw(image).rectangle((15, 35, 162, 182), fill=(grey, grey, grey))
    ImageDraw.Draw(image).rectangle((15, 35, 88, 108), fill=(255, 255, 255))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95, subsampling=0)
    return file.getvalue().ljust(8000, b"\0")  # of one length, so that it does not give a change away


PHOTOGRAPHS = {name: photograph(10 * i) for i, name in enumerate(SPLIT)}


def write(root, photographs=PHOTOGRAPHS, texts=TEXTS, form="zip"):
    folder = root / "celeba"
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text + "\n")
    if form == "zip":
        with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
            for name, content in photographs.items():
                archive.writestr(f"img_align_celeba/{name}", content)
    else:
        (folder / "img_align_celeba").mkdir(exist_ok=True)
        for name, content in photographs.items():
            (folder / "img_align_celeba" / name).write_bytes(content)
    return folder


@pytest.fixture
def root(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("VAE_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("VAE_CACHE", str(tmp_path / "cache"))
    data.sources.announce.cache_clear()
    return tmp_path / "data"


@pytest.fixture
def cache(root):
    return root.parent / "cache"


@pytest.fixture
def portraits(monkeypatch):
    """Replace the drawing of portraits, which has its own tests, by something quick."""
    monkeypatch.setattr(data.faces, "_portraits", lambda split, size: "portraits")


def greys(faces):
    """Return which photographs these are, 0 to 11."""
    return (faces.images[:, :, -1, -1].float().mean(1) / 10).round().int().tolist()


def forbid_decoding(monkeypatch):
    def decode(content, size):
        raise KeyboardInterrupt("nothing should be decoded")

    monkeypatch.setattr(celeba, "decode", decode)


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_an_archive_or_a_folder_is_read_and_split(root, form):
    write(root, form=form)
    for number, split in enumerate(data.sources.SPLITS):
        faces = load_faces(split, size=32, source="celeba")
        rows = np.arange(number, COUNT, 3)
        assert greys(faces) == rows.tolist()
        assert faces.images.shape == (4, 3, 32, 32) and faces.source == "CelebA"
        assert faces.labels.dtype == torch.int64 and np.array_equal(faces.labels, LABELS[rows])
        assert np.array_equal(faces.attribute("Smiling"), LABELS[rows, 39] == 1)
        assert faces.people.tolist() == (100 + rows // 2).tolist()
        assert faces.truth.shape == (4, 0) and faces.truth_names == ()


def test_a_partial_archive_is_enough(root):
    some = [2, 4, 6, 10]
    write(root, {name: PHOTOGRAPHS[name] for name in np.array(list(SPLIT))[some]})
    faces = {split: load_faces(split) for split in data.sources.SPLITS}
    assert [greys(f) for f in faces.values()] == [[6], [4, 10], [2]]
    assert np.array_equal(faces["valid"].labels, LABELS[[4, 10]])


def test_the_middle_is_cropped_and_resized(root):
    write(root)
    for size in (64, 37):
        image = load_faces("valid", size).images[0].int()
        assert (image[0] - image[1]).abs().max() < 30, "no red may be left"
        half = size // 2 - 1
        assert image[:, :half, :half].min() > 240 and image[:, -half:].max() < 40 and image[:, :, -half:].max() < 40


def test_a_second_open_maps_the_cache_and_decodes_nothing(root, cache, monkeypatch):
    for form in ("zip", "folder"):
        shutil.rmtree(root / "celeba", ignore_errors=True)
        write(root, form=form)
        with monkeypatch.context() as patch:
            first = load_faces("test")
            forbid_decoding(patch)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                assert torch.equal(load_faces("test").images, first.images)
            assert greys(load_faces("valid")) == [1, 4, 7, 10]
    images, _ = celeba.open_faces(root / "celeba", 64)
    assert isinstance(images, np.memmap) and images.shape == (COUNT, 3, 64, 64)
    load_faces("train").images.zero_()
    assert greys(load_faces("train")) == [0, 3, 6, 9], "a change may not reach the cache"
    assert sorted(path.suffix for path in cache.iterdir()) == [".npy", ".npz"]


def test_each_size_and_crop_has_a_cache_of_its_own(root, monkeypatch):
    write(root)
    for size in (16, 64):
        assert load_faces("train", size).images.shape[-1] == size
    with monkeypatch.context() as patch:
        patch.setattr(celeba, "CROP", (0, 0, 148, 148))
        assert load_faces("train", 64).images[0, 0, 0, 0] > 240, "red, no more white"
        assert load_faces("train", 64).images[0, 1, 0, 0] < 20
    load_faces("train", 64)
    forbid_decoding(monkeypatch)
    for size in (16, 64):
        assert load_faces("train", size).images.shape[-1] == size


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_changed_photographs_or_labels_are_noticed(root, cache, form):
    write(root, form=form)
    load_faces("train")
    others = {**PHOTOGRAPHS, "000001.jpg": PHOTOGRAPHS["000012.jpg"]}
    write(root, others, form=form)
    assert greys(load_faces("train")) == [11, 3, 6, 9]
    texts = {**TEXTS, "identity_CelebA.txt": TEXTS["identity_CelebA.txt"].replace("000001.jpg 100", "000001.jpg 777")}
    write(root, others, texts, form)
    assert load_faces("train").people[0] == 777
    assert len(list(cache.iterdir())) == 2, "the old cache makes room for the new one"


def test_an_interrupted_cache_is_made_again(root, cache, monkeypatch):
    write(root)
    with monkeypatch.context() as patch:
        forbid_decoding(patch)
        with pytest.raises(KeyboardInterrupt):
            load_faces("train")
    assert list(cache.iterdir()) == [], "nothing half-written may stay"
    load_faces("train")
    whole = {path: path.read_bytes() for path in cache.iterdir()}
    about = next(path for path in whole if path.suffix == ".npz")
    about.unlink()  # as if it was killed between the two files
    assert greys(load_faces("train")) == [0, 3, 6, 9]
    assert {path: path.read_bytes() for path in cache.iterdir()}.keys() == whole.keys()
    images = about.with_suffix(".npy")
    assert images.read_bytes() == whole[images]


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("damage", ["cut", "empty", "gone", "changed", "zeros"])
def test_a_damaged_cache_is_noticed_and_made_again(root, cache, suffix, damage):
    write(root)
    right = load_faces("test")
    path = next(cache.glob(f"*{suffix}"))
    content = path.read_bytes()
    middle = len(content) // 2
    wrong = {
        "cut": content[:-1000],
        "empty": b"",
        "gone": None,
        "changed": content[:middle] + bytes(255 - b for b in content[middle : middle + 50]) + content[middle + 50 :],
        "zeros": bytes(len(content)),
    }[damage]
    path.unlink()  # it is mapped: a change in place would reach the tensors
    if wrong is not None:
        path.write_bytes(wrong)
    again = load_faces("test")
    assert torch.equal(again.images, right.images) and torch.equal(again.labels, right.labels)
    assert path.read_bytes()[:-1000] == content[:-1000]


@pytest.mark.parametrize("file", TEXTS)
def test_a_missing_or_damaged_row_names_the_image(root, file, portraits, capsys):
    rows = TEXTS[file].splitlines()
    for wrong, what in (
        (rows[:-3] + rows[-2:], "no row"),
        ([*rows[:-3], rows[-3][:-1] + "x", *rows[-2:]], "a damaged row"),
        ([*rows[:-3], rows[-3][:10], *rows[-2:]], "a damaged row"),
        ([*rows[:-3], rows[-3] + " 1", *rows[-2:]], "a damaged row"),
    ):
        write(root, texts={**TEXTS, file: "\n".join(wrong)})
        with pytest.raises(OSError, match=f"{file} has {what} for the image 000010.jpg"):
            load_faces("train", source="celeba")
        data.sources.announce.cache_clear()
        capsys.readouterr()
        assert load_faces("train") == "portraits"
        said = capsys.readouterr().out
        assert "portraits drawn by the course" in said and "000010.jpg" in said and said.count("\n") == 1


def test_text_files_that_do_not_fit_are_refused(root, cache):
    some = {name: PHOTOGRAPHS[name] for name in list(SPLIT)[:6]}
    for file, text in TEXTS.items():
        write(root, some, {**TEXTS, file: text[:-30].rpartition("\n")[0]})
        with pytest.raises(OSError, match="do not fit together: list_attr_celeba.txt announces 12 rows"):
            load_faces("train", source="celeba")
    for file in TEXTS:
        for text in ("<!DOCTYPE html><html>\n<title>Quota exceeded</title>", "", "\n\n"):
            write(root, some, {**TEXTS, file: text})
            with pytest.raises(OSError, match=f"{file} has no row for the image 000001.jpg"):
                load_faces("train", source="celeba")
    old = TEXTS["list_attr_celeba.txt"]
    write(root, some, {**TEXTS, "list_attr_celeba.txt": old.replace("Attribute_7 ", "")})
    with pytest.raises(OSError, match="12 rows and names 39 attributes"):
        load_faces("train", source="celeba")
    assert not cache.exists(), "nothing may be decoded or kept"


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_photographs_that_cannot_be_read_are_left_out_and_named(root, form, capsys, monkeypatch):
    small = io.BytesIO()
    Image.new("RGB", (64, 64)).save(small, "JPEG")
    broken = {"000001.jpg": PHOTOGRAPHS["000001.jpg"][:800], "000005.jpg": b"<html>"}
    write(root, {**PHOTOGRAPHS, **broken}, form=form)
    faces = {split: load_faces(split) for split in data.sources.SPLITS}
    assert [greys(f) for f in faces.values()] == [[3, 6, 9], [1, 7, 10], [2, 5, 8, 11]]
    assert np.array_equal(faces["train"].labels, LABELS[[3, 6, 9]])
    assert faces["valid"].people.tolist() == [100, 103, 105]
    said = capsys.readouterr().out
    line = "CelebA, 10 photographs (and 2 that cannot be read and are left out: 000001.jpg and 000005.jpg)"
    assert said.count(line) == 1
    forbid_decoding(monkeypatch)
    data.sources.announce.cache_clear()
    load_faces("train")
    assert line in capsys.readouterr().out, "a second open says so, too"
    monkeypatch.undo()
    monkeypatch.setenv("VAE_DATA_ROOT", str(root))
    monkeypatch.setenv("VAE_CACHE", str(root.parent / "cache"))
    write(root, {**PHOTOGRAPHS, **broken, "000012.jpg": b"", "000003.jpg": small.getvalue()}, form=form)
    load_faces("train")
    assert "8 photographs (and 4 that cannot be read and are left out: 000001.jpg, …, 000012.jpg)" in (
        capsys.readouterr().out
    )


def test_a_damaged_member_of_the_archive_is_left_out(root):
    archive = write(root) / "img_align_celeba.zip"
    content = bytearray(archive.read_bytes())
    content[content.index(PHOTOGRAPHS["000004.jpg"]) + 900] ^= 255
    archive.write_bytes(content)
    assert greys(load_faces("train")) == [0, 6, 9]


def test_an_archive_that_is_none_is_named_and_kept(root, portraits, capsys):
    folder = write(root)
    archive = folder / "img_align_celeba.zip"
    whole = archive.read_bytes()
    page = b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title>"
    no_directory = bytearray(whole)
    no_directory[whole.rindex(b"PK\1\2")] = 0
    cases = ((page, "web page"), (whole[:-500], "truncated"), (b"", "truncated"), (bytes(no_directory), "truncated"))
    for content, what in cases:
        archive.write_bytes(content)
        with pytest.raises(OSError, match=f"img_align_celeba.zip .*{what}.*; delete it"):
            load_faces("train", source="celeba")
        data.sources.announce.cache_clear()
        capsys.readouterr()
        assert load_faces("train") == "portraits"
        said = capsys.readouterr().out
        assert str(archive) in said and what in said and said.count("\n") == 1
        assert archive.read_bytes() == content, "nothing of the learner's may be lost"
    archive.write_bytes(page)
    write(root, form="folder")
    assert greys(load_faces("train")) == [0, 3, 6, 9], "a good folder beside it is used"


def test_an_archive_without_faces_or_without_a_split_is_refused(root):
    write(root, {"cat.jpg": b"", "._000001.jpg": b""})
    with pytest.raises(OSError, match="holds no image with a name like 000001.jpg"):
        load_faces("train", source="celeba")
    write(root, {"000001.jpg": PHOTOGRAPHS["000001.jpg"], "000002.jpg": PHOTOGRAPHS["000002.jpg"]})
    for split in data.sources.SPLITS:  # also for train: portraits and photographs are never mixed
        with pytest.raises(OSError, match="holds no face of the test split"):
            load_faces(split, source="celeba")
    write(root, dict.fromkeys(PHOTOGRAPHS, b"no jpeg"))
    with pytest.raises(OSError, match="holds no face of the train split that can be read"):
        load_faces("train", source="celeba")


def test_a_cache_that_cannot_be_written_is_one_sentence(root, cache, monkeypatch, portraits):
    write(root)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(celeba.os, "fsync", full)
        with pytest.raises(OSError, match="cannot be written to .*No space left on device.*VAE_CACHE") as caught:
            load_faces("train", source="celeba")
        assert "make room" in str(caught.value) and list(cache.iterdir()) == []
        assert load_faces("train") == "portraits"
    cache.rmdir()
    cache.write_text("a file where the folder should be")
    with pytest.raises(OSError, match="cannot be written to"):
        load_faces("train", source="celeba")
    assert cache.read_text() == "a file where the folder should be"


def test_the_cache_lies_in_the_users_cache_folder_unless_named(tmp_path, monkeypatch):
    monkeypatch.delenv("VAE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert celeba.cache_folder() == tmp_path / "vae_helpers"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert celeba.cache_folder() == tmp_path / ".cache" / "vae_helpers"


def test_portraits_are_drawn_once_and_kept(root, cache, monkeypatch):
    asked, draw = [], data.faces.render_portraits

    def drawing(n, size, seed):
        asked.append((n, size, seed))
        return draw(n // 500, size, seed)

    monkeypatch.setattr(data.faces, "render_portraits", drawing)
    first = [load_faces(split, size=16, source="portraits") for split in data.sources.SPLITS]
    assert [(n, size) for n, size, _ in asked] == [(6000, 16), (500, 16), (1000, 16)]
    assert len({seed for *_, seed in asked}) == 3
    again = [load_faces(split, size=16, source="portraits") for split in data.sources.SPLITS]
    assert len(asked) == 3, "the second time they come from the cache"
    for a, b in zip(first, again, strict=True):
        for name, value in vars(a).items():
            same = torch.equal(value, getattr(b, name)) if torch.is_tensor(value) else value == getattr(b, name)
            assert same, name

    [kept] = cache.glob("portraits-valid-16-*.npz")
    kept.write_bytes(kept.read_bytes()[:-40])
    old = kept.with_name("portraits-valid-16-0123456789.npz")
    old.write_bytes(b"of another version")
    assert torch.equal(load_faces("valid", 16, source="portraits").images, first[1].images)
    assert len(asked) == 4 and not old.exists(), "a damaged cache is made again, an old one goes"
    load_faces("valid", 16, source="portraits")
    assert len(asked) == 4
    monkeypatch.setenv("VAE_CACHE", str(kept))  # a file, in which nothing can be kept
    assert torch.equal(load_faces("valid", 16, source="portraits").images, first[1].images)


def test_portraits_stand_in_when_there_is_no_celeba(root, portraits, capsys):
    for split in data.sources.SPLITS:
        assert load_faces(split, size=32) == "portraits"
    said = capsys.readouterr().out
    assert "no celeba/img_align_celeba.zip in the data folder, and VAE_OFFLINE forbids" in said
    assert said.count("\n") == 1 and "data/README.md" in said
    with pytest.raises(OSError, match="VAE_OFFLINE forbids a download"):
        load_faces("train", source="celeba")
    write(root)
    assert load_faces("train", source="portraits") == "portraits"


def test_impossible_requests_are_answered():
    with pytest.raises(ValueError, match="no split 'val'; choose one of: train, valid, test"):
        load_faces("val")
    with pytest.raises(ValueError, match="no source 'lfw'; choose one of: auto, celeba, portraits"):
        load_faces("train", source="lfw")
    for size in (8, 149, 64.0, "64"):
        with pytest.raises(ValueError, match="size must be a whole number of pixels from 16 to 148"):
            load_faces("train", size=size)


# --- Downloads: a mirror on this machine, and a Google Drive whose quota is used up ---------------------------------

QUOTA = b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head></html>"
GOOGLE = {identity: name for identity, _, name in CelebA.file_list}


@pytest.fixture
def mirror(root, tmp_path_factory, monkeypatch):
    """Yield the folder that a server on this machine serves as the only mirror, and a list of what it is asked for."""
    folder = write(tmp_path_factory.mktemp("mirror"))
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, text, *values):
            asked.append(values[0])

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("VAE_FACES_MIRROR", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(celeba, "MD5", {n: hashlib.md5((folder / n).read_bytes()).hexdigest() for n in celeba.MD5})
    monkeypatch.setattr(data.sources, "_failed", {})
    monkeypatch.delenv("VAE_OFFLINE")
    yield folder, asked
    server.shutdown()


@pytest.fixture
def google(monkeypatch):
    """Replace the way to Google Drive by one that writes a quota page; list what it was asked for."""
    asked = []

    def download(id, output, quiet):
        asked.append(GOOGLE[id])
        output.write(QUOTA)

    monkeypatch.setattr("gdown.download", download)
    return asked


def test_what_google_refuses_comes_from_the_mirror(root, mirror, google, monkeypatch, capsys):
    assert greys(load_faces("train")) == [0, 3, 6, 9]
    assert sorted(path.name for path in (root / "celeba").iterdir()) == sorted(celeba.MD5), "and nothing else stays"
    assert "Downloading CelebA (1.4 GB; for non-commercial research only)" in capsys.readouterr().out
    assert len(google) == 1 and len(mirror[1]) == 4
    monkeypatch.setenv("VAE_OFFLINE", "1")
    assert greys(load_faces("valid", source="celeba")) == [1, 4, 7, 10]


def test_google_is_asked_first_for_the_official_files(root, mirror, monkeypatch):
    def download(id, output, quiet):
        output.write((mirror[0] / GOOGLE[id]).read_bytes())

    monkeypatch.setattr("gdown.download", download)
    assert greys(load_faces("train")) == [0, 3, 6, 9] and mirror[1] == []
    monkeypatch.undo()
    assert celeba.MD5.items() <= {name: md5 for _, md5, name in CelebA.file_list}.items()


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_only_what_is_missing_is_downloaded(root, mirror, google, form, capsys):
    folder = write(root, form=form)
    (folder / "identity_CelebA.txt").unlink()
    assert greys(load_faces("train")) == [0, 3, 6, 9]
    assert "Downloading CelebA (identity_CelebA.txt;" in capsys.readouterr().out
    assert google == ["identity_CelebA.txt"] and mirror[1] == ["GET /identity_CelebA.txt HTTP/1.1"]


def test_when_all_downloads_fail_it_is_said_once_and_nothing_stays(root, mirror, google, portraits, capsys):
    archive = mirror[0] / "img_align_celeba.zip"
    for content, why in (
        (archive.read_bytes()[:-7], "what came as img_align_celeba.zip is truncated or not the official one"),
        (b"<html><title>Log in</title>", "what came as img_align_celeba.zip is the web page 'Log in'"),
        (None, "HTTP Error 404"),
    ):
        archive.unlink()
        if content is not None:
            archive.write_bytes(content)
        with pytest.raises(OSError, match="CelebA could not be downloaded from Google Drive: its quota") as caught:
            load_faces("train", source="celeba")
        assert why in str(caught.value) and list((root / "celeba").iterdir()) == []
    asked = len(mirror[1])
    capsys.readouterr()
    for split in data.sources.SPLITS:
        assert load_faces(split) == "portraits"
    assert len(mirror[1]) == asked, "a failed download is not tried again for every split"
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "its quota for today is used up" in said and "404" in said


def test_a_download_that_cannot_be_stored_is_one_sentence(root, mirror, google):
    (root / "celeba").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="CelebA cannot be stored in .*celeba"):
        load_faces("train", source="celeba")


def test_a_missing_gdown_is_no_obstacle(root, mirror, monkeypatch):
    monkeypatch.setitem(sys.modules, "gdown", None)
    assert greys(load_faces("train")) == [0, 3, 6, 9]


def test_the_real_celeba(real_data, tmp_path, monkeypatch):
    if not (real_data / "celeba").is_dir():
        pytest.skip("no celeba in the folder of real data")
    monkeypatch.setenv("VAE_CACHE", str(tmp_path))
    sets = {split: load_faces(split, 16, source="celeba") for split in data.sources.SPLITS}
    assert all(s.images.shape[1:] == (3, 16, 16) and len(s) > 1000 for s in sets.values())
    assert all(set(s.labels.unique().tolist()) == {0, 1} for s in sets.values())
    people = [set(s.people.tolist()) for s in sets.values()]
    assert not people[0] & people[1] and not people[0] & people[2] and not people[1] & people[2]
    smiling = {split: s.attribute("Smiling").float().mean() for split, s in sets.items()}
    assert all(0.45 < share < 0.52 for share in smiling.values())
    forbid_decoding(monkeypatch)
    assert torch.equal(load_faces("test", 16, source="celeba").images, sets["test"].images)


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("labels", torch.zeros(4, 2), r"labels must have the shape \(4, 1\), but has \(4, 2\)"),
        ("people", torch.zeros(4, 1), r"people must have the shape \(4,\), but has \(4, 1\)"),
        ("truth", torch.zeros(3, 0), r"truth must have the shape \(4, 0\), but has \(3, 0\)"),
        ("labels", torch.zeros(3, 1), "4 images but 3 labels"),
    ],
)
def test_a_set_of_faces_refuses_what_does_not_belong_to_its_images(name, wrong, words):
    parts = {
        "images": torch.zeros(4, 3, 8, 8, dtype=torch.uint8),
        "labels": torch.zeros(4, 1),
        "people": torch.zeros(4),
        "truth": torch.zeros(4, 0),
    }
    data.FaceSet(**parts, label_names=("Smiling",), source="test")
    with pytest.raises(ValueError, match=words):
        data.FaceSet(**{**parts, name: wrong}, label_names=("Smiling",), source="test")
