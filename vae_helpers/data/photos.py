"""Whole photographs: where the faces are in one, and the crop of a face that a model of faces understands best."""

import copy
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from vae_helpers.device import own_random

Photo = Image.Image | np.ndarray


class Place(NamedTuple):
    """A square in a photo: its middle and edge in pixels, and by how many degrees it is turned, counterclockwise."""

    x: float
    y: float
    edge: float
    turn: float = 0.0


def align_photo(photo: Photo, model: nn.Module, face: int = 0) -> Tensor:
    """Return a face from a whole photo as the model knows faces: (1, 3, S, S) in [0, 1], S being its images' edge.

    It is found (``find_faces``), and its crop placed so that the model explains it best (``place_face``). That takes
    about a second.

    Args:
        photo: of Pillow, or an array (H, W, 3) of uint8.
        model: a VAE of faces, such as ``load_pretrained("faces")``.
        face: which one, if there are several: 0 is the largest.

    Raises:
        ValueError: the photo is none, shows no face from the front, or not so many faces.
    """
    places = find_faces(photo)
    if not places:
        raise ValueError(
            "No face was found in this photo; take one that shows a face from the front, and not too small."
        )
    if not 0 <= face < len(places):
        raise ValueError(f"This photo shows {len(places)} face(s), so face must be 0 to {len(places) - 1}, not {face}.")
    return cut_out(photo, place_face(photo, model, places[face]), model.image_shape[-1])


def find_faces(photo: Photo) -> list[Place]:
    """Return roughly where a photo shows faces from the front, the largest first; tilted ones if none is upright.

    (By scikit-image's cascade of local binary patterns, after Viola and Jones, 2001, "Rapid object detection using a
    boosted cascade of simple features". Now and then it takes something else for a face.)
    """
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    cascade, photo = Cascade(lbp_frontal_face_cascade_filename()), as_image(photo)
    scale = max(1.0, max(photo.size) / 480)
    small = photo.resize([max(1, round(length / scale)) for length in photo.size], reducing_gap=2)
    longest, shortest, middle = max(small.size), min(small.size), np.array(small.size) / 2
    sure, unsure = [], []
    for turn in (0, 20, -20) if shortest >= 24 else ():
        groups: list[list[tuple[Place, bool]]] = []  # one face is found several times, also in the mirror
        upright = np.asarray(small.rotate(-turn, Image.Resampling.BILINEAR))
        cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        places, smallest = [], max(24, longest // (10 if turn else 16))
        for mirror in (False, True):
            pixels = np.ascontiguousarray(upright[:, ::-1]) if mirror else upright
            for box in cascade.detect_multi_scale(pixels, 1.2, 1, (smallest,) * 2, (shortest,) * 2):
                # The box holds eyebrows to chin; CelebA's crop is larger and further up: medians of 400 photos.
                x, y = np.array([box["c"], box["r"]]) + np.array([0.5, 0.356]) * box["width"] - middle
                x = -x if mirror else x
                back = middle + np.array([x * cosine + y * sine, y * cosine - x * sine])
                places.append((Place(*(back * scale).tolist(), 1.42 * box["width"] * scale, turn), mirror))
        for place, mirror in sorted(places, reverse=True, key=lambda found: found[0].edge):
            same = [g for g in groups if math.dist(place[:2], g[0][0][:2]) < 0.4 * g[0][0].edge]
            same[0].append((place, mirror)) if same else groups.append([(place, mirror)])
        # What is no face is rarely found in the mirror too.
        sure = [group for group in groups if len({mirror for _, mirror in group}) == 2]
        unsure += groups
        if sure:
            break
    means = [np.mean([p for p, _ in group if p.edge > 0.6 * group[0][0].edge], 0) for group in sure or unsure[:1]]
    return sorted((Place(*mean.tolist()) for mean in means), key=lambda place: -place.edge)


def place_face(photo: Photo, model: nn.Module, place: Place) -> Place:
    """Return the place near ``place`` whose crop the model explains best, of 200 that are tried; always the same.

    The score is 50 · log(squared error) + ½ · (distance from ``place``)², in distances that are usual between a found
    face and CelebA's crop of it. The best 8 of each round of 40 say where the next 40 are tried (the cross-entropy
    method of Rubinstein, 1999).
    """
    model = copy.deepcopy(model).eval()  # so that the caller's stays as it is
    size, device = model.image_shape[-1], next(model.parameters()).device
    cut = _cutter(photo, place, size)
    usual = torch.tensor([0.03, 0.03, 0.08, 5.0])  # right and down in edges, log of the edge, turn in degrees
    mean, sd, best = torch.zeros(4), torch.ones(4), (math.inf, place)
    with torch.no_grad(), own_random(device):
        for _ in range(5):
            steps = mean + sd * torch.randn(40, 4)
            places = [
                Place(place.x + dx * place.edge, place.y + dy * place.edge, place.edge * math.exp(g), place.turn + turn)
                for dx, dy, g, turn in (steps * usual).tolist()
            ]
            crops = torch.cat([_to_tensor(cut(one)) for one in places]).to(device)
            error = (model.decode(model.encode(crops)[0]) - crops).square().flatten(1).sum(1).cpu()
            scores = 50 * error.log() + steps.square().sum(1) / 2
            order = scores.argsort()[:8]
            mean, sd = steps[order].mean(0), steps[order].std(0)
            best = min(best, (scores[order[0]].item(), places[order[0]]))
    return best[1]


def cut_out(photo: Photo, place: Place, size: int) -> Tensor:
    """Return the part of a photo at ``place``, (1, 3, size, size) in [0, 1]; beyond its edges, these are repeated."""
    return _to_tensor(_cutter(photo, place, 2 * size)(place).resize((size, size), Image.Resampling.BOX))


def _cutter(photo: Photo, place: Place, size: int) -> Callable[[Place], Image.Image]:
    """Return a quick function that cuts places about as large as ``place``, and near it, to ``size`` pixels an edge."""
    photo, left, top = as_image(photo), round(place.x - place.edge), round(place.y - place.edge)
    length = max(1, round(2 * place.edge))
    columns = np.arange(left, left + length).clip(0, photo.width - 1)
    rows = np.arange(top, top + length).clip(0, photo.height - 1)
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    part = np.asarray(photo.crop(box))[rows - rows[0]][:, columns - columns[0]]
    edge = max(1, round(length * size / place.edge))
    near = Image.fromarray(part).resize((edge, edge), Image.Resampling.BICUBIC, reducing_gap=2)

    def cut(one: Place) -> Image.Image:
        pixel = one.edge / size * edge / length
        c, s = pixel * math.cos(math.radians(one.turn)), pixel * math.sin(math.radians(one.turn))
        x, y = (one.x - left) * edge / length, (one.y - top) * edge / length
        corner = (c, s, x - (c + s) * size / 2, -s, c, y - (c - s) * size / 2)
        return near.transform((size, size), Image.Transform.AFFINE, corner, Image.Resampling.BICUBIC)

    return cut


def as_image(photo: Photo) -> Image.Image:
    """Return a photo as Pillow's RGB image, or raise ValueError if it is none."""
    if isinstance(photo, Image.Image):
        return photo if photo.mode == "RGB" else photo.convert("RGB")
    if not (isinstance(photo, np.ndarray) and photo.dtype == np.uint8 and photo.shape[2:] in ((3,), ())):
        raise ValueError("A photo must be of Pillow, or an array (H, W, 3) of uint8, but this is none of them.")
    return Image.fromarray(photo).convert("RGB")


def _to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
