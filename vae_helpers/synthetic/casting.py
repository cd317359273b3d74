"""Who sits for the course's portraits, and in which mood; ``vae_helpers.synthetic.portraits`` draws them.

A person (face, skin, hair, eyes, …) and a mood (smile, turn of the head, glasses, hat, clothes, light, …) are
dictionaries of numbers, the knobs. One person can be put into many moods. ``labels`` says which of CelebA's
attributes are seen, ``truth`` how strongly.
"""

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Knobs = dict[str, Tensor]  # one row per portrait: (N,), or (N, 3) for colours, float32
Correlations = Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class Trait:
    """An attribute that is drawn by itself: its knob lies in ``on`` with this probability, otherwise in ``off``.

    Between the two ranges nothing is drawn, so that a label is never a matter of taste.
    """

    knob: str
    probability: float
    off: tuple[float, float]
    on: tuple[float, float]


# The first group belongs to the person, the second to the mood.
PERSON_TRAITS = {
    "Bald": Trait("bald", 0.08, (0, 0), (1, 1)),
    "Big_Nose": Trait("nose", 0.25, (0.7, 0.95), (1.75, 2.05)),
    "Bushy_Eyebrows": Trait("brow", 0.25, (0.65, 1.0), (1.7, 2.1)),
    "Goatee": Trait("goatee", 0.15, (0, 0), (1, 1)),
    "Mustache": Trait("mustache", 0.15, (0, 0), (1, 1)),
    "Narrow_Eyes": Trait("narrow", 0.2, (0.0, 0.2), (0.8, 1.0)),
    "Pale_Skin": Trait("pale", 0.15, (0, 0), (1, 1)),
}
MOOD_TRAITS = {
    "Eyeglasses": Trait("glasses", 0.35, (0, 0), (1, 1)),
    "Mouth_Slightly_Open": Trait("mouth_open", 0.4, (0.0, 0.0), (0.35, 1.0)),
    "Rosy_Cheeks": Trait("blush", 0.2, (0.0, 0.2), (0.7, 1.0)),
    "Smiling": Trait("smile", 0.5, (-0.3, 0.15), (0.45, 1.0)),
    "Wearing_Hat": Trait("hat", 0.2, (0, 0), (1, 1)),
}
TRAITS = PERSON_TRAITS | MOOD_TRAITS
# Attributes that depend on others: no hair colour or fringe on a bald head, no lipstick under a moustache or goatee.
DEPENDENT = ("Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair", "Wearing_Lipstick")
ATTRIBUTE_NAMES = tuple(sorted((*TRAITS, *DEPENDENT)))
TRUTH_NAMES = ("smile", "mouth_open", "head_turn", "head_tilt", "light_direction", "light_strength")


def colours(text: str) -> Tensor:
    """Read colours written like ``"ffe2d2 f3c9aa"``, (K, 3) in [0, 1]."""
    return torch.tensor([[int(c[i : i + 2], 16) / 255 for i in (0, 2, 4)] for c in text.split()])


SKIN = colours("ebbd97 e4b289 d8a278 c28b65 a26d50 80513d 623f32")
PALE = colours("f9dfcf f5d6c5")
# Each natural hair colour has a darker and a lighter end: black, brown, blond, gray, red.
HAIR_DARK = colours("1d191d 3f2616 c99a4b 8d9299 7f3618")
HAIR_LIGHT = colours("33292a 6b4327 f0d48e babec5 b85c2b")
HAIR_CHANCES = (0.30, 0.28, 0.20, 0.14, 0.08)
IRIS = colours("3a2417 5f3f1f 3f6f96 4d8050 6d8087 2b5c94")
CLOTHES = colours("d9534f f0a04b f2cf63 6aa86f 3d8f8a 4f86c6 34507f 7b5ea7 c76b98 efe9df 5b5f66 2f3438 9c5b3c 8fb9d8")
BACKDROPS = colours("f4d9c6 cfe3ea dfe8cf f2e2b6 e3d3ea bcd3c8 c3cbdc f0c9c4 a9c4d6 d8cdbd 8ea9b5 b99aa8")
FRAMES = colours("22201f 5a3420 a8762c 8c2f39 2d4a6d 3f4447")

# How hair falls: its height over the skull, its width beside it, how far down it reaches, how curly its edge is; how
# far the hairline drops at the temples and away from the parting; where buns or tails sit (in half widths and heights
# of the face), how big and how long.
STYLE_KNOBS = "volume side length curl drop sweep bun_x bun_y bun bun_long".split()
STYLES = {
    "cropped": (0.03, 0.02, -0.12, 0.0, 0.30, 0.05, 0, 0, 0, 1),
    "side part": (0.09, 0.04, -0.08, 0.0, 0.34, 0.35, 0, 0, 0, 1),
    "quiff": (0.16, 0.03, -0.12, 0.02, 0.30, 0.1, 0, 0, 0, 1),
    "curls": (0.13, 0.10, -0.02, 0.8, 0.36, 0.1, 0, 0, 0, 1),
    "afro": (0.22, 0.22, -0.08, 0.8, 0.45, 0.0, 0, 0, 0, 1),
    "long": (0.07, 0.12, 0.95, 0.05, 0.55, 0.4, 0, 0, 0, 1),
    "waves": (0.10, 0.19, 0.72, 0.6, 0.55, 0.3, 0, 0, 0, 1),
    "top bun": (0.04, 0.03, -0.10, 0.0, 0.38, 0.1, 0, -1.17, 0.17, 1),
    "bob": (0.09, 0.12, 0.34, 0.0, 0.55, 0.3, 0, 0, 0, 1),
    "space buns": (0.05, 0.04, -0.05, 0.0, 0.40, 0.3, 0.75, -1.0, 0.15, 1),
    "pigtails": (0.05, 0.04, -0.05, 0.1, 0.42, 0.4, 1.28, 0.42, 0.15, 1.9),
}
# Hats: how much wider than the head and how high the crown is; the brim's half width and height, how far it goes
# with the turn of the head, how its ends bend down; a ribbon's height; a bobble's size; how knitted it looks.
HAT_KNOBS = "crown_side crown_top brim brim_high brim_turn bend ribbon bobble knit".split()
HATS = {
    "beanie": (0.05, 0.42, 0.51, 0.085, 0, 0.15, 0, 0.10, 1),
    "cap": (0.05, 0.38, 0.40, 0.075, 0.28, 0.3, 0, 0.03, 0),
    "sun hat": (0.02, 0.36, 0.86, 0.07, 0, 0.12, 0.11, 0, 0),
    "bowler": (0.02, 0.42, 0.64, 0.055, 0, -0.15, 0.09, 0, 0),
    "bucket hat": (0.02, 0.34, 0.62, 0.10, 0, 0.25, 0.0, 0, 0),
    "beret": (0.17, 0.30, 0.47, 0.045, 0, 0.1, 0, 0.03, 0),
}


def random_people(n: int, seed: int, correlations: Correlations | None = None) -> Knobs:
    """Draw ``n`` people; ``vae_helpers.data.render_portraits`` explains the correlations."""
    dice = _Dice(n, seed)
    latents = dice.normals(len(PERSON_TRAITS))
    own = slice(len(PERSON_TRAITS))
    people = {"latents": latents} | _knobs(PERSON_TRAITS, latents @ _mixing(correlations)[own, own].T)
    pale = people["pale"][:, None] > 0.5
    people["skin"] = torch.where(pale, _ramp(PALE, dice.between(0, 1)), _ramp(SKIN, dice.between(0, 1)))
    people["hair_kind"] = kind = dice.category(HAIR_CHANCES)
    people["hair"] = torch.lerp(HAIR_DARK[kind], HAIR_LIGHT[kind], dice.between(0, 1)[:, None])
    # Moustache and beard go with the first eight styles only; what is labelled stays independent.
    bearded = torch.maximum(people["goatee"], people["mustache"]) > 0.5
    style = dice.category([1] * len(STYLES))
    style = torch.tensor(list(STYLES.values()))[torch.where(bearded, style % 8, style)]
    people |= dict(zip(STYLE_KNOBS, style.T, strict=True))
    for name in ("volume", "side", "length", "curl", "bun"):
        people[name] = people[name] * dice.between(0.85, 1.15)
    people["bangs"] = (dice.between(0, 1) < 0.35).float() * (1 - people["bald"])
    people["hairline"], people["part"] = dice.between(-0.42, -0.35), dice.between(-0.2, 0.2)
    people["face_width"], people["face_height"] = dice.between(0.39, 0.46), dice.between(0.54, 0.62)
    people["taper"], people["square"] = dice.between(0.05, 0.38), dice.between(0.0, 0.4)
    people["eye_space"], people["eye_size"] = dice.between(0.18, 0.215), dice.between(0.95, 1.15)
    people["eye_slant"], people["iris"] = dice.between(-0.10, 0.14), dice.colour(IRIS)
    people["brow_arch"], people["brow_tilt"] = dice.between(0.01, 0.05), dice.between(-0.17, 0.08)
    people["nose_length"], people["ear"] = dice.between(0.12, 0.18), dice.between(0.85, 1.15)
    people["lip"], people["mouth_width"] = dice.between(0.7, 1.35), dice.between(0.15, 0.19)
    people["beard"], people["freckles"] = dice.between(0, 1), (dice.between(0, 1) < 0.15).float()
    return people


def random_moods(people: Knobs, seed: int, correlations: Correlations | None = None) -> Knobs:
    """Draw a mood, with accessories, clothes, backdrop and light, for each row of ``people``."""
    dice = _Dice(len(people["skin"]), seed)
    latents = torch.cat([people["latents"], dice.normals(len(MOOD_TRAITS))], dim=1)
    moods = _knobs(MOOD_TRAITS, latents @ _mixing(correlations)[len(PERSON_TRAITS) :].T)
    for name in ("head_turn", "head_tilt", "light_direction", "gaze", "brow_raise"):
        moods[name] = dice.between(-1, 1)
    moods["light_strength"] = dice.between(0.2, 1)
    moods["right"], moods["down"] = dice.between(-0.03, 0.03), dice.between(-0.02, 0.02)
    moods["lipstick"] = (dice.between(0, 1) < 0.3).float() * (1 - people["goatee"]) * (1 - people["mustache"])
    moods["neck_round"], moods["neck_deep"] = dice.between(0, 1).round(), dice.between(0, 1)
    moods["neck_trim"] = dice.between(0.02, 0.09)
    moods["turtleneck"], moods["stripes"] = (dice.between(0, 1) < 0.2).float(), (dice.between(0, 1) < 0.25).float()
    for name in ("clothes", "trim", "hat_colour", "hat_trim"):
        moods[name] = dice.colour(CLOTHES)
    moods["backdrop"], moods["backdrop_edge"] = dice.colour(BACKDROPS), dice.colour(BACKDROPS)
    moods["frame"], moods["frame_square"] = dice.colour(FRAMES), dice.between(0, 0.75)
    hat = torch.tensor(list(HATS.values()))[dice.category([1] * len(HATS))]
    return moods | dict(zip(HAT_KNOBS, hat.T, strict=True))


def labels(people: Knobs, moods: Knobs) -> Tensor:
    """Return (N, A) 0/1 labels, int64, under CelebA's names (``ATTRIBUTE_NAMES``)."""
    knobs = people | moods
    seen = {name: knobs[trait.knob] > (trait.off[1] + trait.on[0]) / 2 for name, trait in TRAITS.items()}
    for kind, name in enumerate(("Black_Hair", "Brown_Hair", "Blond_Hair", "Gray_Hair")):
        seen[name] = (people["hair_kind"] == kind) & ~seen["Bald"]
    seen["Bangs"] = people["bangs"] > 0.5
    seen["Wearing_Lipstick"] = moods["lipstick"] > 0.5
    return torch.stack([seen[name] for name in ATTRIBUTE_NAMES], dim=1).long()


def truth(moods: Knobs) -> Tensor:
    """Return (N, T), float32: the columns of ``TRUTH_NAMES``."""
    return torch.stack([moods[name] for name in TRUTH_NAMES], dim=1)


class _Dice:
    """Random numbers for ``n`` rows; the first rows stay the same when ``n`` grows."""

    def __init__(self, n: int, seed: int):
        self.columns = iter(torch.rand(n, 100, generator=torch.Generator().manual_seed(seed)).unbind(1))

    def between(self, low: float, high: float) -> Tensor:
        return low + (high - low) * next(self.columns)

    def category(self, chances) -> Tensor:
        edges = torch.tensor(chances).cumsum(0) / sum(chances)
        return torch.bucketize(next(self.columns).contiguous(), edges[:-1], right=True)

    def colour(self, palette: Tensor) -> Tensor:
        return palette[self.category([1] * len(palette))] * self.between(0.92, 1.05)[:, None]

    def normals(self, columns: int) -> Tensor:
        uniform = torch.stack([next(self.columns) for _ in range(columns)], dim=1)
        return torch.special.ndtri(uniform.clamp(1e-6, 1 - 1e-6))


def _ramp(palette: Tensor, where: Tensor) -> Tensor:
    """Return the colours at the places 0 to 1 along a palette."""
    place = where * (len(palette) - 1)
    low = place.long().clamp(max=len(palette) - 2)
    return torch.lerp(palette[low], palette[low + 1], (place - low)[:, None])


def _knobs(traits: dict[str, Trait], latents: Tensor) -> Knobs:
    """Turn standard normal numbers (N, traits) into knobs: the upper part of each column is the attribute."""
    knobs = {}
    for trait, z in zip(traits.values(), latents.unbind(1), strict=True):
        rank, p = torch.special.ndtr(z), trait.probability
        off = trait.off[0] + (trait.off[1] - trait.off[0]) * rank / (1 - p)
        on = trait.on[0] + (trait.on[1] - trait.on[0]) * (rank - 1 + p) / p
        knobs[trait.knob] = torch.where(rank > 1 - p, on, off)
    return knobs


def _mixing(correlations: Correlations | None) -> Tensor:
    """Return the lower triangular matrix that gives independent normals the correlations asked for."""
    names = list(TRAITS)
    normal = torch.eye(len(names), dtype=torch.float64)
    for pair, wanted in (correlations or {}).items():
        if not isinstance(pair, tuple) or len(pair) != 2 or pair[0] == pair[1]:
            raise ValueError(f"A correlation is asked for as {{('Smiling', 'Eyeglasses'): 0.6}}, not for {pair!r}.")
        for name in pair:
            if name in DEPENDENT:
                raise ValueError(f"No correlation can be asked for {name}, because it depends on other attributes.")
            if name not in names:
                raise ValueError(f"There is no attribute {name!r}; choose two of: {', '.join(names)}.")
        if not isinstance(wanted, numbers.Real):
            raise ValueError(f"The correlation of {pair[0]} and {pair[1]} must be a number, not {wanted!r}.")
        a, b = names.index(pair[0]), names.index(pair[1])
        if normal[a, b]:
            raise ValueError(f"The correlation of {pair[0]} and {pair[1]} is asked for twice.")
        normal[a, b] = normal[b, a] = _tetrachoric(pair, float(wanted))
    mixing, failed = torch.linalg.cholesky_ex(normal)
    if failed:
        raise ValueError("These correlations contradict each other: no set of faces can have all of them.")
    return mixing.float()


def _tetrachoric(pair: tuple[str, str], wanted: float) -> float:
    """Return the correlation of two normals that gives their thresholded 0/1 values the correlation ``wanted``.

    P(both on) = P(a) P(b) + ∫₀ʳ φ₂(s) ds, with φ₂ the density of two normals of correlation s at the thresholds.
    """
    p, q = (TRAITS[name].probability for name in pair)
    h, k = (float(torch.special.ndtri(torch.tensor(1 - x, dtype=torch.float64))) for x in (p, q))
    s = torch.sin(torch.linspace(-1, 1, 4001, dtype=torch.float64) * math.pi / 2)[1:-1]
    density = torch.exp(-(h * h - 2 * h * k * s + k * k) / (2 * (1 - s * s))) / (2 * math.pi * (1 - s * s).sqrt())
    both = torch.cumulative_trapezoid(density, s)
    binary = (both - both[len(both) // 2 - 1]) / math.sqrt(p * (1 - p) * q * (1 - q))
    if not binary[0] < wanted < binary[-1]:
        raise ValueError(
            f"{pair[0]} and {pair[1]} can have correlations between {binary[0]:.2f} and {binary[-1]:.2f}, not {wanted}."
        )
    place = int(torch.searchsorted(binary, wanted))
    return float(s[place + 1])
