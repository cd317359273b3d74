"""Any folder of pictures becomes an ImageSet; what is broken in it is named, and harms nothing."""

import numpy as np
import pytest
import torch
from PIL import Image

from vae_helpers.data import load_images, render_letters


def picture(width, height, color=(200, 30, 60)):
    return Image.new("RGB", (width, height), color)


def test_a_mixed_folder_is_read_and_what_is_broken_is_named(tmp_path, capsys):
    for name in ("cats", "dogs/old", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
    picture(300, 200).save(tmp_path / "cats" / "a.JPG", "jpeg")
    picture(64, 640).save(tmp_path / "cats" / "b.webp", lossless=True)
    Image.new("L", (40, 40), 90).save(tmp_path / "dogs" / "c.png")
    Image.new("P", (40, 40), 3).save(tmp_path / "dogs" / "old" / "d.gif")
    picture(50, 50).save(tmp_path / ".hidden" / "x.png")
    (tmp_path / "dogs" / "empty.png").write_bytes(b"")
    whole = (tmp_path / "cats" / "a.JPG").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "notes.txt").write_text("no picture")

    pictures = load_images(tmp_path, size=16)
    assert pictures.images.shape == (4, 3, 16, 16) and pictures.images.dtype == torch.uint8
    assert pictures.label_names == ("cats", "dogs") and pictures.labels.tolist() == [0, 0, 1, 1]
    assert (pictures.images[1].flatten(1).T == torch.tensor([200, 30, 60])).all()
    assert (pictures.images[2] == 90).all()
    said = capsys.readouterr().out
    assert "cut.jpg" in said and "empty.png" in said and "notes" not in said and said.count("\n") == 1


def test_grey_pictures_have_one_channel_and_lie_in_one_class(tmp_path):
    Image.new("L", (30, 20), 17).save(tmp_path / "a.png")
    picture(20, 30, (40, 40, 40)).save(tmp_path / "b.png")
    deep = np.full((20, 20), 257 * 100, dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "c.png")
    pictures = load_images(str(tmp_path), size=8)
    assert pictures.images[:, 0, 0, 0].tolist() == [17, 40, 100] and pictures.images.shape[1] == 1
    assert pictures.label_names == (tmp_path.name,) and pictures.labels.tolist() == [0, 0, 0]


def test_the_middle_is_taken_upright_and_transparent_is_white(tmp_path):
    wide = np.zeros((10, 30, 3), dtype=np.uint8)
    wide[:, 10:20] = 255
    Image.fromarray(wide).save(tmp_path / "a_wide.png")
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(tmp_path / "b_clear.png")
    half = np.zeros((20, 20, 3), dtype=np.uint8)
    half[:10] = 255  # white above; told to be turned by half a turn
    turned = Image.Exif()
    turned[0x0112] = 3
    Image.fromarray(half).save(tmp_path / "c_turned.png", exif=turned)
    first, second, third = load_images(tmp_path, size=10).images[:, 0].float()
    assert (first == 255).all() and (second == 255).all()
    assert third[:4].max() < 10 and third[6:].min() > 245


def test_what_cannot_be_loaded_is_told_in_a_sentence(tmp_path):
    with pytest.raises(OSError, match="There is no folder"):
        load_images(tmp_path / "nowhere")
    (tmp_path / "a.jpg").write_text("nothing")
    with pytest.raises(OSError, match="holds no picture"):
        load_images(tmp_path)
    for size in (4, 32.0, "64"):
        with pytest.raises(ValueError, match="size must be"):
            load_images(tmp_path, size=size)


def test_letters_are_drawn_alike_and_all_different():
    letters = render_letters(60, size=24, seed=3)
    assert letters.images.shape == (60, 1, 24, 24) and set(letters.labels.tolist()) <= set(range(26))
    assert torch.equal(letters.images[:20], render_letters(20, size=24, seed=3).images)
    assert not torch.equal(letters.images[:20], render_letters(20, size=24, seed=4).images)
    assert len(letters.images.unique(dim=0)) == 60
    assert (letters.floats.amax((1, 2, 3)) > 0.8).all() and letters.floats.mean() < 0.4
    border = torch.cat([letters.images[..., [0, -1], :].flatten(), letters.images[..., [0, -1]].flatten()])
    assert (border > 0).float().mean() < 0.02, "letters touch the edge"
    with pytest.raises(ValueError, match="At least one letter"):
        render_letters(0)
