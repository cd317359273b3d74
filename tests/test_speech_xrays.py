"""Speech and chest X-rays: the splits, what is said about damaged files, and what the course makes itself."""

import io
import wave

import numpy as np
import pytest
import torch

from vae_helpers import data
from vae_helpers.data import SoundSet, load_speech, load_xrays
from vae_helpers.synthetic import chests, speech


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_DATA_ROOT", str(tmp_path))
    return tmp_path


# --- The container ----------------------------------------------------------------------------------------------


def make_sounds(n=5):
    waveforms = torch.arange(n)[:, None].float().expand(n, 3) / 10
    return SoundSet(waveforms, torch.arange(n), torch.arange(n) % 2, ("a",), ("x", "y"), 8000, "test")


def test_batches_of_sounds_keep_their_labels():
    batches = list(make_sounds().batches(2, shuffle=True, seed=1))
    assert [len(waveforms) for waveforms, _ in batches] == [2, 2, 1]
    waveforms, labels = (torch.cat(column) for column in zip(*batches, strict=True))
    assert torch.equal(waveforms[:, 0], labels / 10) and sorted(labels.tolist()) == [0, 1, 2, 3, 4] != labels.tolist()


def test_a_subset_takes_sounds_labels_and_speakers():
    subset = make_sounds().subset(make_sounds().speakers == 1)
    assert subset.labels.tolist() == [1, 3] and subset.speakers.tolist() == [1, 1]
    assert torch.equal(subset.waveforms[:, 0], torch.tensor([0.1, 0.3]))


def test_a_sound_set_refuses_what_is_no_set_of_sounds():
    names = (("a",), ("x",), 8000, "")
    with pytest.raises(ValueError, match=r"float32 waveforms.*got torch.int16 of the shape \(2, 4\)"):
        SoundSet(torch.zeros(2, 4, dtype=torch.int16), torch.zeros(2), torch.zeros(2), *names)
    with pytest.raises(ValueError, match=r"\(N, T\), but got torch.float32 of the shape \(2, 1, 4\)"):
        SoundSet(torch.zeros(2, 1, 4), torch.zeros(2), torch.zeros(2), *names)
    with pytest.raises(ValueError, match="2 sounds, but 2 labels and 3 speakers"):
        SoundSet(torch.zeros(2, 4), torch.zeros(2), torch.zeros(3), *names)


def test_unknown_splits_and_sources_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="no split 'dev'; choose one of: train, valid, test"):
        load_speech("dev")
    with pytest.raises(ValueError, match="no source 'timit'; choose one of: auto, fsdd, embedded"):
        load_speech("train", source="timit")
    with pytest.raises(ValueError, match="no source 'nih'; choose one of: auto, pneumoniamnist"):
        load_xrays("train", source="nih")


# --- Speech -----------------------------------------------------------------------------------------------------


def speakers_are_held_out(sets):
    """Whether the first speaker is heard in valid and not in train, the last one in test alone."""
    heard = {split: set(s.speakers.tolist()) for split, s in sets.items()}
    everybody = set(range(len(sets["test"].speaker_names)))
    last = max(everybody)
    return heard == {"valid": {0}, "train": everybody - {0, last}, "test": everybody}


def test_embedded_speech_is_split_by_speaker_and_no_sound_is_in_two_splits():
    sets = {split: load_speech(split) for split in data.sources.SPLITS}
    assert {split: len(s) for split, s in sets.items()} == {"train": 300, "valid": 50, "test": 400}
    assert speakers_are_held_out(sets)
    for s in sets.values():
        assert s.waveforms.shape[1:] == (8000,) and s.waveforms.isfinite().all()
        assert torch.allclose(s.waveforms.abs().amax(1), torch.tensor(0.9))
        assert (s.labels.bincount() == len(s) // 10).all() and len(s.label_names) == 10
    sounds = [w.numpy().tobytes() for s in sets.values() for w in s.waveforms]
    assert len(set(sounds)) == 750
    assert torch.equal(load_speech("valid").waveforms, sets["valid"].waveforms)


def wav(samples, rate=8000, channels=1, width=2):
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return buffer.getvalue()


@pytest.fixture
def recordings(root):
    """Two digits, three speakers, takes 0 to 6, in the Free Spoken Digit Dataset's layout."""
    folder = root / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for digit in (3, 7):
        for number, name in enumerate(("ada", "bob", "cyd")):
            for take in range(7):
                tone = 1000 * (number + 1) * np.sin(np.arange(2000) * (digit + take))
                (folder / f"{digit}_{name}_{take}.wav").write_bytes(wav(tone))
    return folder


def test_recordings_are_split_scaled_and_centred(recordings):
    (recordings / "notes.txt").write_text("no recording")
    sets = {split: load_speech(split, source="fsdd") for split in data.sources.SPLITS}
    assert {split: len(s) for split, s in sets.items()} == {"train": 4, "valid": 4, "test": 30}
    assert speakers_are_held_out(sets)
    test = sets["test"]
    assert test.speaker_names == ("ada", "bob", "cyd") and test.labels.unique().tolist() == [3, 7]
    assert test.label_names[7] == "seven" and test.source == "Free Spoken Digit Dataset"
    assert test.waveforms.shape == (30, 8000)
    assert torch.allclose(test.waveforms.abs().amax(1), torch.tensor(0.9)), "quiet speakers are made as loud"
    assert not test.waveforms[:, :3000].any() and not test.waveforms[:, 5000:].any(), "the word is in the middle"
    assert (test.waveforms[:, 3000:5000] != 0).float().mean() > 0.9


def test_a_long_recording_keeps_its_middle(recordings):
    (recordings / "3_ada_0.wav").write_bytes(wav(np.arange(10_000)))
    first = load_speech("test", source="fsdd").waveforms[0]
    assert torch.allclose(first, 0.9 * torch.arange(1000.0, 9000.0) / 9999, atol=1e-4)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (wav(np.ones(2000))[:-100], "is truncated"),
        (wav(np.ones(2000))[:20], "is truncated or not a wav file"),
        (b"", "is truncated or not a wav file"),
        (b"<html>quota exceeded</html>", "is truncated or not a wav file"),
        (wav([]), "is truncated"),
        (wav(np.ones(2000))[:17] + b"\1" + wav(np.ones(2000))[18:], "is truncated or not a wav file"),
        (wav(np.ones(2000), rate=44_100), "has 1 channels of 16 bits at 44100 Hz; 1, 16 and 8000 are needed"),
        (wav(np.ones(2000), channels=2), "has 2 channels of 16 bits at 8000 Hz"),
        (wav(np.ones(2000), width=1), "has 1 channels of 8 bits at 8000 Hz"),
    ],
)
def test_a_damaged_recording_is_one_sentence_and_the_next_source(recordings, content, says, capsys):
    damaged = recordings / "7_ada_6.wav"
    damaged.write_bytes(content)
    with pytest.raises(OSError, match=f"7_ada_6.wav {says}"):
        load_speech("valid", source="fsdd")
    data.sources.announce.cache_clear()
    assert len(load_speech("valid")) == 50
    said = capsys.readouterr().out
    assert f"7_ada_6.wav {says}" in said and said.count("\n") == 1
    assert damaged.read_bytes() == content, "nothing of the learner's may be lost"


def test_missing_recordings_are_one_sentence(recordings, root, capsys):
    for path in recordings.glob("*_[0-4].wav"):
        path.unlink()
    with pytest.raises(OSError, match="holds no recording of the 'test' split, which has takes 0 to 4"):
        load_speech("test", source="fsdd")
    for path in recordings.glob("*_cyd_*"):
        path.unlink()
    with pytest.raises(OSError, match="must hold recordings, such as 7_jackson_32.wav, of three speakers or more"):
        load_speech("train", source="fsdd")
    recordings.rename(root / "elsewhere")
    with pytest.raises(OSError, match="there is no fsdd/recordings in the data folder"):
        load_speech("train", source="fsdd")
    data.sources.announce.cache_clear()
    load_speech("valid")
    load_speech("valid")
    said = capsys.readouterr().out
    assert "there is no fsdd/recordings" in said and "see data/README.md" in said and said.count("\n") == 1


# --- Chest X-rays -----------------------------------------------------------------------------------------------


def test_embedded_xrays_are_split_without_overlap_and_evenly():
    sets = {split: load_xrays(split) for split in data.sources.SPLITS}
    assert {split: len(s) for split, s in sets.items()} == {"train": 1500, "valid": 250, "test": 400}
    for s in sets.values():
        assert s.images.shape[1:] == (1, 28, 28) and s.label_names == ("healthy", "pneumonia")
        assert (s.labels.bincount() == len(s) // 2).all()
    pictures = [image.numpy().tobytes() for s in sets.values() for image in s.images]
    assert len(set(pictures)) == 2150


XRAY_LABELS = (7, 255, -1, 0.5, float("nan"))  # none of them means healthy or pneumonia


def xray_archive(size=28, **changes):
    arrays = {}
    for number, prefix in enumerate(("train", "val", "test")):
        arrays[f"{prefix}_images"] = np.full((4 + number, size, size), 10 * number, np.uint8)
        arrays[f"{prefix}_labels"] = np.arange(4 + number, dtype=np.uint8)[:, None] % 2
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{k: v for k, v in (arrays | changes).items() if v is not None})
    return buffer.getvalue()


def test_pneumoniamnist_is_read_and_split(root):
    (root / "pneumoniamnist.npz").write_bytes(xray_archive())
    sets = {split: load_xrays(split) for split in data.sources.SPLITS}
    assert [len(s) for s in sets.values()] == [4, 5, 6]
    assert [s.images.unique().tolist() for s in sets.values()] == [[0], [10], [20]]
    assert sets["valid"].labels.tolist() == [0, 1, 0, 1, 0] and sets["valid"].source == "PneumoniaMNIST"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (xray_archive()[:-200], "is truncated or not PneumoniaMNIST; delete it"),
        (b"", "is truncated or not PneumoniaMNIST"),
        (b"<html>quota exceeded</html>", "is truncated or not PneumoniaMNIST"),
        (xray_archive(val_labels=None), "is truncated or not PneumoniaMNIST"),
        (xray_archive(size=64), "does not hold 28×28 images with one label each"),
        (xray_archive(val_labels=np.zeros((5, 14), np.uint8)), "does not hold 28×28 images with one label each"),
        (xray_archive(val_images=np.zeros((5, 28, 28))), "does not hold 28×28 images"),
        (xray_archive(val_labels=np.zeros((), np.uint8)), "does not hold 28×28 images"),
        (xray_archive(val_labels=np.full((5, 1), "sick")), "does not hold 28×28 images"),
        (xray_archive(val_images=np.zeros((0, 28, 28), np.uint8), val_labels=np.zeros((0, 1))), "must label every"),
        *((xray_archive(val_labels=np.array([[0], [1], [0], [1], [x]])), "must label every") for x in XRAY_LABELS),
    ],
)
def test_a_wrong_archive_is_one_sentence_and_the_next_source(root, content, says, capsys):
    path = root / "pneumoniamnist.npz"
    path.write_bytes(content)
    with pytest.raises(OSError, match=f"pneumoniamnist.npz {says}"):
        load_xrays("valid", source="pneumoniamnist")
    data.sources.announce.cache_clear()
    assert len(load_xrays("valid")) == 250
    said = capsys.readouterr().out
    assert says in said and said.count("\n") == 1
    assert path.read_bytes() == content, "nothing of the learner's may be lost"


def test_a_missing_archive_is_said(root):
    with pytest.raises(OSError, match="there is no pneumoniamnist.npz in the data folder"):
        load_xrays("train", source="pneumoniamnist")


# --- What the course makes itself -------------------------------------------------------------------------------


def power_spectra(words, voices):
    sounds = speech.speak(words, voices, 8000, 8000, seed=0)
    assert torch.equal(sounds, speech.speak(words, voices, 8000, 8000, seed=0)), "the seed decides"
    return torch.fft.rfft(sounds).abs().square()  # one number per Hz


def test_a_voice_has_its_pitch():
    voices = list(speech.VOICES)
    spectra = power_spectra(["ah"] * len(voices), voices)
    for spectrum, voice in zip(spectra, voices, strict=True):
        pitch = speech.VOICES[voice][0]
        low = spectrum[: int(1.4 * pitch)]  # the first harmonic, and not the second
        assert abs(int(low.argmax()) / pitch - 1) < 0.2, voice


def test_words_differ_as_their_phones_do():
    def share(spectrum, low, high):
        return (spectrum[low:high].sum() / spectrum.sum()).item()

    ah, ee, oo, sea = power_spectra(["ah", "ee", "oo", "sea"], ["Ben"] * 4)
    assert share(ah, 600, 1300) > 2 * max(share(ee, 600, 1300), share(oo, 600, 1300)), "the formants of ah"
    assert share(ee, 2000, 3200) > 2 * share(oo, 2000, 3200), "the second formant of ee"
    assert share(sea, 3000, 4000) > 2 * share(ee, 3000, 4000), "the hiss of s"


def test_phantoms_with_pneumonia_have_cloudy_lungs():
    images, labels = chests.chest_phantoms(400, seed=5)
    again, _ = chests.chest_phantoms(400, seed=5)
    assert torch.equal(images, again) and images.dtype == torch.uint8 and images.shape == (400, 1, 28, 28)
    middle = images[:, 0, 6:20, 5:23].float()
    healthy = middle[labels == 0].mean(0)
    lungs = middle[:, healthy <= healthy.flatten().kthvalue(60).values].mean(1)  # the darkest places of the chest
    assert lungs[labels == 1].mean() > lungs[labels == 0].mean() + 8


# --- Real data --------------------------------------------------------------------------------------------------


def test_the_real_recordings(real_data):
    sets = {split: load_speech(split, source="fsdd") for split in data.sources.SPLITS}
    assert speakers_are_held_out(sets)
    assert len(sets["test"]) == 5 * 10 * len(sets["test"].speaker_names)
    for s in sets.values():
        assert s.labels.unique().tolist() == list(range(10))
        assert torch.allclose(s.waveforms.abs().amax(1), torch.tensor(0.9), atol=0.3)


def test_the_real_xrays(real_data):
    sets = {split: load_xrays(split, source="pneumoniamnist") for split in data.sources.SPLITS}
    assert [len(s) for s in sets.values()] == [4708, 524, 624]
    assert all(s.labels.unique().tolist() == [0, 1] for s in sets.values())
