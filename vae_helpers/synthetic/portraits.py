"""Portraits that the course draws itself.

Every shape is a signed distance on the grid of pixels: negative inside, positive outside, in units of a head that
reaches from about -0.6 to 0.6. Where the distance changes sign, one pixel is blended, so that edges are smooth at any
size. The larger of two distances is where both shapes are, the smaller where either is, and adding 9 hides a shape.
Who and what is drawn comes from ``vae_helpers.synthetic.casting``.
"""

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace

import torch
from torch import Tensor

from vae_helpers.synthetic.casting import Knobs, colours

WHITE, TEETH, TONGUE, ROSE, LIPSTICK = colours("fcfaf7 f7f3ea c4525a ea6a68 c41f3a")[:, None, :, None, None].unbind(0)

_BATCH = 64  # portraits drawn at once: few enough that their planes of pixels stay in the cache
_SETTING_THREADS = threading.Lock()
_ZOOM = 1.13  # the size of heads, against a picture from -1 to 1


def draw(people: Knobs, moods: Knobs, size: int = 64) -> Tensor:
    """Draw each person in the mood of the same row.

    Returns:
        (N, 3, size, size), uint8.
    """
    knobs = people | moods
    images = torch.empty(len(people["skin"]), 3, size, size, dtype=torch.uint8)

    def draw_part(start: int) -> None:
        part = slice(start, start + _BATCH)
        # Numbers become (n, 1, 1) and colours (n, 3, 1, 1), so that they meet planes of pixels (n, height, width).
        columns = {name: values[part].unsqueeze(-1).unsqueeze(-1) for name, values in knobs.items()}
        images[part] = _portraits(SimpleNamespace(**columns), size)

    # On planes as small as these, sharing the work of one call among cores takes longer than doing it. So each thread
    # draws batches of its own on one core, because torch keeps that number for each thread; the number for new threads
    # is put right again at once.
    with _SETTING_THREADS:
        threads = torch.get_num_threads()
        drawers = ThreadPoolExecutor(threads)
        together = threading.Barrier(threads)  # so that each of the threads takes one of these calls
        list(drawers.map(_take_one_core, [together] * threads))
        torch.set_num_threads(threads)
    with drawers:
        list(drawers.map(draw_part, range(0, len(images), _BATCH)))
    return images


def _take_one_core(together: threading.Barrier) -> None:
    together.wait()
    torch.get_num_threads()  # only then does this thread keep a number of its own
    torch.set_num_threads(1)


@dataclass(frozen=True)
class _Band:
    """Some rows of pictures in the making, with the coordinates of the head in them.

    Attributes:
        image: (n, 3, height, width), a view into the whole pictures.
        u, v: (n, height, width): right and down from the middle of the head, tilted with it.
        w: as u, for what sits on the front of the face: it moves with the turn, and the far half looks narrower.
        face: the signed distance to the outline of the face.
    """

    image: Tensor
    u: Tensor
    v: Tensor
    w: Tensor
    face: Tensor
    pixel: float

    def rows(self, top: float, bottom: float) -> "_Band":
        """Return the band between two heights of the head, with room for its tilt and place."""
        height = self.image.shape[2]
        first, last = ((edge * _ZOOM + 1) / 2 * height for edge in (top - 0.08, bottom + 0.08))
        part = slice(max(int(first), 0), min(math.ceil(last), height))
        planes = (plane[:, part] for plane in (self.u, self.v, self.w, self.face))
        return _Band(self.image[:, :, part], *planes, self.pixel)

    def paint(self, distance: Tensor, colour: Tensor, alpha: Tensor | float = 1.0, soft: float = 1.0) -> None:
        """Put a colour, (n, 3, 1, 1) or one per pixel, where the distance is negative; edges blur ``soft`` pixels."""
        cover = (distance * (-1 / (soft * self.pixel))).add_(0.5).clamp_(0, 1).mul_(alpha)
        self.image.lerp_(colour, cover.unsqueeze(1))


def _ellipse(x: Tensor, y: Tensor, width, height, square=None) -> Tensor:
    """Signed distance, good near the edge, to an ellipse at the origin.

    The larger ``square`` (below 1), the more it is like a box with rounded corners.
    """
    x2, y2 = (x / width).square_(), (y / height).square_()
    radius = x2 + y2
    if square is not None:
        radius -= square * (x2 * y2).clamp_(max=1)
    return radius.sqrt_().sub_(1).mul_(height)


def _ripple(x: Tensor) -> Tensor:
    """A wave between 0 and 1 of period 1, made of parabolas, which are faster than sines."""
    x = x - x.floor()
    return (x - x * x).mul_(4)


def _portraits(p: SimpleNamespace, size: int) -> Tensor:
    """Draw one batch, from back to front."""
    # x and y belong to the picture; u, v and w to the head, see _Band.
    axis = (torch.arange(size) + 0.5) * (2 / size) - 1
    x, y = axis[None, None, :], axis[None, :, None]
    tilt = 0.08 * p.head_tilt
    u = (x - p.right + tilt * (y - 0.5)) / _ZOOM
    v = (y - 0.03 - p.down - tilt * x) / _ZOOM
    w = u - 0.11 * p.head_turn
    w = w * (1 + 0.4 * p.head_turn * w)
    outline = u / (p.face_width * (1 - p.taper * v))
    face = _ellipse(outline * p.face_width, v, p.face_width, p.face_height, p.square)
    light = p.light_strength * p.light_direction

    # A backdrop with a glow behind the head.
    glow = (x * x * 0.5 + (y + 0.3).square() * 0.4 + 0.25 * y + 0.1 * light * x).clamp_(0, 1)
    image = torch.lerp(p.backdrop, p.backdrop_edge, glow.unsqueeze(1))
    canvas = _Band(image, u, v, w, face, 2 / size / _ZOOM)

    hair = _hair_shape(canvas, p)
    canvas.paint(hair, p.hair * 0.68)
    _buns(canvas, light, p)
    _body(image, x - 0.5 * p.right, y, p)
    _skin(canvas, outline, light, p)
    _hair_in_front(canvas, hair, light, p)
    _beard(canvas.rows(0.05, 0.75), p)
    _nose(canvas.rows(-0.1, 0.3), light, p)
    _mouth(canvas.rows(0.15, 0.55), p)
    _eyes(canvas.rows(-0.32, 0.2), p)
    _glasses(canvas.rows(-0.2, 0.2), p)
    _hat(canvas.rows(-0.95, -0.1), p)
    # Light from the side and from above falls on everything.
    image.mul_((1 + 0.17 * light * x - 0.06 * y).unsqueeze(1))
    return image.clamp_(0, 1).mul_(255).round_().to(torch.uint8)


def _hair_shape(c: _Band, p) -> Tensor:
    """Signed distance to the outline of the hair: half an ellipse on top, then straight down, then rounded off."""
    below = c.v + 0.1
    drop = (below - (p.length + 0.02).clamp(min=0)).clamp_(min=0) / (0.2 + 0.22 * p.curl)
    below = below.clamp(max=0) / (p.face_height + p.volume - 0.1) + drop
    width = p.face_width + p.side
    lean = c.u + 0.25 * p.part * below.clamp(max=0)
    distance = _ellipse(lean, below * width, width, width, 0.3 * (1 - p.curl))
    curls = _ripple(c.u * 3.4 + c.v * 1.3).square_() + _ripple(c.v * 3.4 - c.u * 1.3).square_() - 1
    distance = distance + 0.03 * p.curl * curls
    under_hat = torch.maximum(distance, -0.33 - c.v)
    return torch.where(p.hat > 0.5, under_hat, distance) + 9 * p.bald


def _buns(c: _Band, light: Tensor, p) -> None:
    """Buns or tails, on both sides or, where ``bun_x`` is 0, in the middle; those on top hide under a hat."""
    x, y = c.u.abs() - p.bun_x * p.face_width, c.v - p.bun_y * p.face_height
    round_ = _ellipse(x, y, p.bun + 1e-3, p.bun * p.bun_long + 1e-3)
    shade = 0.85 + 0.2 * _ripple(x * 5 + 0.5) - 0.8 * y + 0.1 * light
    c.paint(round_ + 9 * (p.bald + p.hat * (p.bun_y < 0) + (p.bun == 0)), p.hair * shade.unsqueeze(1))


def _body(image: Tensor, x: Tensor, y: Tensor, p) -> None:
    """Neck, shoulders and clothes, in the coordinates of the picture."""
    first = int(0.72 * image.shape[2])
    y = y[:, first:]
    # Shoulders do not tilt with the head, and have no use for the face.
    c = _Band(image[:, :, first:], x, y, x, x, 2 / image.shape[2])
    neck = x.abs() - 0.2
    # The chin's shadow falls on the neck.
    shade = 0.62 + 0.5 * (y - 0.62).clamp(0, 0.4)
    c.paint(neck.expand(-1, y.shape[1], -1), p.skin * shade.unsqueeze(1))
    shoulders = _ellipse(x, y - 1.2, 0.84, 0.44, 0.35)
    c.paint(shoulders, p.skin * (shade + 0.2).clamp(max=0.95).unsqueeze(1))
    neckline = torch.where(
        p.neck_round > 0.5, _ellipse(x, y - 0.7, 0.27, 0.18), x.abs() * 1.1 + (y - 0.95 - 0.15 * p.neck_deep)
    )
    clothes = torch.maximum(shoulders, -neckline - 9 * p.turtleneck)
    collar = torch.maximum(x.abs() - 0.24, 0.76 - y) + 9 * (1 - p.turtleneck)
    folds = 1.0 - 0.25 * x.square() + 0.06 * _ripple(x * 1.5 + y * 0.7)
    c.paint(torch.minimum(clothes, collar), p.clothes * folds.unsqueeze(1))
    c.paint(torch.maximum(clothes, 0.12 - (y * 6 % 1 - 0.5).abs() * 0.4), p.trim, alpha=p.stripes)
    c.paint(torch.maximum(clothes, neckline.abs() - p.neck_trim), p.trim * 0.9, alpha=1 - p.turtleneck)


def _skin(c: _Band, outline: Tensor, light: Tensor, p) -> None:
    ears = c.rows(-0.2, 0.25)
    x, y = (ears.u + 0.05 * p.head_turn).abs() - p.face_width, ears.v - 0.04
    ears.paint(_ellipse(x, y, 0.075 * p.ear, 0.12 * p.ear), p.skin * 0.9)
    ears.paint(_ellipse(x, y, 0.035 * p.ear, 0.07 * p.ear), p.skin * 0.74, soft=2)
    # Round forms turn away from the light at their edge.
    depth = outline.square() + (c.v / p.face_height).square()
    shade = 1.03 - 0.09 * depth - 0.06 * depth * depth + 0.24 * light * outline
    c.paint(c.face, p.skin * shade.unsqueeze(1))
    brow = c.rows(-0.6, -0.2)
    shine = _ellipse(brow.u - 0.15 * light, brow.v + 0.40, 0.20, 0.12)
    brow.paint(torch.maximum(shine, brow.face + 0.1), p.skin * 1.12, alpha=0.55, soft=7)
    cheeks = c.rows(0.0, 0.4)
    x, y = cheeks.w.abs() - 0.25, cheeks.v - 0.19 + 0.02 * p.smile
    glow = (1 - (x / 0.15).square_() - (y / 0.12).square_()).clamp_(min=0) * (cheeks.face < 0)
    cheeks.image.lerp_(torch.lerp(p.skin, ROSE, 0.65), (glow * (0.1 + 0.6 * p.blush)).unsqueeze(1))
    spots = (_ripple(cheeks.w * 9 + 0.3) * _ripple(cheeks.v * 10 + cheeks.w * 3) - 0.6).clamp_(min=0)
    spots = spots * ((y + 0.02).abs() < 0.09) * (cheeks.face < -0.04)
    cheeks.paint(x.abs() - 0.12, p.skin * 0.6, alpha=0.7 * p.freckles * spots)


def _hair_in_front(c: _Band, hair: Tensor, light: Tensor, p) -> None:
    """The hair above the hairline, which drops at the temples and away from the parting."""
    across = (c.w / p.face_width).square()
    fringe = -0.205 + 0.035 * _ripple(c.w * 6)
    parted = p.hairline + p.sweep * (c.w - p.part).abs()
    line = torch.where(p.bangs > 0.5, fringe, parted.clamp(max=-0.22)) + p.drop * across * across * across
    front = torch.maximum(hair, c.v - line)
    # A soft shadow on the forehead lifts the hair off the skin, also where both have one colour.
    c.paint(torch.maximum(front - 0.045, c.face), p.skin * 0.68, alpha=0.45, soft=2.5)
    strands = _ripple(3.2 * c.u / (c.v + p.face_height + p.volume + 0.45).clamp(min=0.1) + p.part)
    shine = (1 - ((hair + 0.15) / 0.08).square()).clamp_(min=0) * (0.22 + 0.15 * light * c.u / p.face_width)
    shade = 0.86 + 0.16 * strands - 0.2 * c.v.clamp(min=-0.5) + shine
    # Short hair thins out in front of the ears, unless that is all of it that a hat leaves to be seen.
    fade = torch.where((p.length < -0.05) & (p.hat < 0.5), (0.55 - 4 * c.v).clamp(0, 1), 1.0)
    c.paint(front, (p.hair * shade.unsqueeze(1)).add_(0.25 * shine.unsqueeze(1)), alpha=fade)


def _beard(c: _Band, p) -> None:
    """A goatee, from a small patch on the chin to a full beard, with an opening for the mouth."""
    across = (c.w / p.face_width).square()
    full = torch.maximum(c.face - 0.015, 0.46 - 0.5 * across - c.v)
    patch = torch.maximum(_ellipse(c.w, c.v - p.face_height + 0.12, 0.12 + 0.12 * p.beard, 0.16), c.face - 0.015)
    shape = torch.where(p.beard > 0.5, full, patch)
    hairs = 0.8 + 0.2 * _ripple(c.w * 9)
    c.paint(shape + 9 * (1 - p.goatee), p.hair * hairs.unsqueeze(1), alpha=0.94, soft=1.6)
    curve = c.v - 0.245 - 0.9 * (c.w.abs() - 0.06).square() - 0.02 * p.smile
    moustache = torch.maximum(curve.abs() - 0.05 + 0.16 * c.w.abs(), c.w.abs() - 0.2)
    c.paint(moustache + 9 * (1 - p.mustache), p.hair * 0.85)


def _nose(c: _Band, light: Tensor, p) -> None:
    x, y = c.w - 0.04 * p.head_turn, c.v - p.nose_length
    width = 0.052 * p.nose
    height = 0.02 + 0.5 * width
    c.paint(_ellipse(x + 0.035 * light, y + 0.1, 0.6 * width, 0.16), p.skin * 0.8, alpha=0.5, soft=2.5)
    c.paint(_ellipse(x, y - 0.02, 1.35 * width, height), p.skin * 0.62, alpha=0.9, soft=1.5)
    c.paint(_ellipse(x - 0.01 * light, y + 0.015, 1.1 * width, height), p.skin * 1.08, soft=1.5)
    c.paint(_ellipse(x.abs() - 0.65 * width, y - 0.02, 0.02, 0.014), p.skin * 0.35, alpha=0.7)


def _mouth(c: _Band, p) -> None:
    x = c.w - 0.015 * p.head_turn
    happy = p.smile.clamp(min=0)
    width = p.mouth_width * (1 + 0.35 * happy) * (1 - 0.2 * p.mouth_open * (1 - happy))
    across = (x / width).square_()
    lens = 1 - across
    y = c.v - 0.335 + 0.09 * p.smile * (across - 0.5)
    gap = 0.08 * p.mouth_open
    lip = torch.lerp(torch.lerp(p.skin * 0.72, TONGUE, 0.35), LIPSTICK, 0.9 * p.lipstick.unsqueeze(1))
    upper, lower = -y - (0.028 * p.lip + gap) * lens, y - (0.038 * p.lip + gap) * lens
    c.paint(torch.maximum(upper, lower), lip)
    c.paint(_ellipse(x, y - gap - 0.022 * p.lip, width * 0.4, 0.012), lip * 1.25, alpha=0.6, soft=1.5)
    inside = y.abs() - torch.maximum(gap * lens, 0.008 + 0 * lens)
    inside = torch.maximum(inside, x.abs() - width)
    c.paint(inside, lip * 0.28)
    is_open = (p.mouth_open > 0).float()
    c.paint(torch.maximum(inside, _ellipse(x, y - gap, width * 0.55, gap * 0.7 + 1e-3)), TONGUE, alpha=is_open)
    c.paint(torch.maximum(inside + 0.01, y + gap * (0.35 - 0.5 * happy)), TEETH, alpha=is_open)


def _eyes(c: _Band, p) -> None:
    side = torch.sign(c.w)
    x = c.w.abs() - p.eye_space
    happy = p.smile.clamp(min=0)
    width, height = 0.106 * p.eye_size, 0.081 * p.eye_size * (1 - 0.5 * p.narrow)
    across = (x / width).square()
    y = c.v + 0.03 + p.eye_slant * x
    upper, lower = -y - height * (1 - across), y - height * (0.85 - 0.4 * happy) * (1 - across)
    eye = torch.maximum(upper, lower)
    c.paint(_ellipse(x, y + 0.03, 0.15, 0.13), p.skin * 0.8, alpha=0.4, soft=4)
    c.paint(eye, WHITE)
    look = x - side * (0.016 * p.gaze + 0.015 * p.head_turn)
    c.paint(torch.maximum(_ellipse(look, y, 0.064 * p.eye_size, 0.064 * p.eye_size), eye), p.iris)
    c.paint(torch.maximum(_ellipse(look, y, 0.034, 0.034), eye), p.iris * 0.12)
    c.paint(_ellipse(look - side * 0.022, y + 0.024, 0.017, 0.017), WHITE)
    c.paint(torch.maximum(upper.abs() - 0.014, x.abs() - width), p.skin * 0.22)
    # A brow is thickest near the nose; worry lifts its inner end, a smile and an open mouth lift all of it.
    y = c.v + 0.175 + 0.02 * p.brow_raise + 0.015 * p.mouth_open + p.brow_arch * (1 - across)
    y = y + (p.brow_tilt - 0.2 * (-p.smile).clamp(min=0)) * x
    brow = torch.maximum(y.abs() - 0.02 * p.brow * (1 - 2.5 * x), x.abs() - width * 1.2)
    c.paint(brow, p.hair * 0.7)


def _glasses(c: _Band, p) -> None:
    across = c.w.abs()
    lens = _ellipse(across - p.eye_space, c.v + 0.02, 0.152, 0.132, p.frame_square)
    between, outside = across - p.eye_space + 0.14, torch.maximum(p.eye_space + 0.14 - across, c.u.abs() - p.face_width)
    bars = torch.maximum((c.v + 0.05).abs() - 0.015, torch.minimum(between, outside))
    c.paint(lens, WHITE, alpha=0.14 * p.glasses)
    c.paint(torch.minimum(lens.abs() - 0.018, bars), p.frame, alpha=p.glasses)


def _hat(c: _Band, p) -> None:
    y = c.v + 0.32
    bobble = _ellipse(c.u, y + p.crown_top + 0.4 * p.bobble, p.bobble + 1e-3, p.bobble + 1e-3)
    c.paint(bobble, p.hat_trim, alpha=p.hat)
    knit = 1 - 0.12 * p.knit * _ripple(c.u * 6) - 0.35 * c.u.square()
    crown = torch.maximum(_ellipse(c.u, y, p.face_width + p.crown_side, p.crown_top, 0.35), y - 0.03)
    c.paint(crown, p.hat_colour * knit.unsqueeze(1), alpha=p.hat)
    c.paint(torch.maximum(crown, -y - p.ribbon), p.hat_trim, alpha=p.hat * (p.ribbon > 0))
    y = y - p.bend * c.u.square() + 0.02
    brim = _ellipse(c.u - p.brim_turn * p.head_turn, y, p.brim, p.brim_high, 0.3)
    colour = torch.where(p.knit.unsqueeze(1) > 0.5, p.hat_trim, p.hat_colour * 0.82)
    c.paint(brim, colour * knit.unsqueeze(1), alpha=p.hat)
