"""Data sets as the course uses them: whole, as 8-bit images or as sound, on the device that trains."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class ImageSet:
    """Images with their labels, all of them in memory.

    Attributes:
        images: (N, C, H, W), uint8: a quarter of the memory that floats would take.
        labels: (N,) class numbers or (N, A) attributes, int64.
        label_names: what the labels mean, one name per class or attribute.
        source: where the images come from, in words.

    Raises:
        ValueError: the images are not uint8 of shape (N, C, H, W), or there is not one label per image.
    """

    images: Tensor
    labels: Tensor
    label_names: tuple[str, ...]
    source: str

    def __post_init__(self):
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ValueError(
                "An ImageSet holds uint8 images (0 to 255) of the shape (N, C, H, W), but got "
                f"{self.images.dtype} of the shape {tuple(self.images.shape)}."
            )
        if len(self.labels) != len(self.images):
            raise ValueError(f"There are {len(self.images)} images but {len(self.labels)} labels.")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def floats(self) -> Tensor:
        """All images as float32 in [0, 1], (N, C, H, W), computed anew each time.

        They take four times the memory of the 8-bit images: 8 GB for the 162,770 faces of CelebA's train split at
        64×64. Of a large set, use ``subset(…).floats`` or ``batches``.
        """
        return self.images.float().div_(255)

    def to(self, device: torch.device | str) -> "ImageSet":
        """Return the same set on ``device``."""
        return map_tensors(self, lambda values: values.to(device))

    def subset(self, indices) -> "ImageSet":
        """Return the images that ``indices`` picks: a slice, a list or tensor of positions, or a boolean mask."""
        return map_tensors(self, lambda values: values[indices])

    def binarized(self, seed: int = 0) -> "ImageSet":
        """Return the same set in black and white: each pixel is white with its grey level as the probability.

        The draw depends on ``seed`` alone, not on the device.
        """
        generator = torch.Generator().manual_seed(seed)
        images = torch.bernoulli(self.floats.cpu(), generator=generator).mul_(255).to(self.images)
        return replace(self, images=images, source=f"{self.source}, black and white")

    def batches(self, batch_size: int, shuffle: bool = False, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield float32 images (n, C, H, W) in [0, 1] with their labels; only the last batch may be smaller.

        The order depends on ``seed`` alone, not on the device or on what was drawn before.
        """
        for chosen in positions(self.images, batch_size, shuffle, seed):
            yield self.images[chosen].float().div_(255), self.labels[chosen]


@dataclass(frozen=True)
class FaceSet(ImageSet):
    """Faces: an ``ImageSet`` with 0/1 attributes (N, A) as labels, which also knows who is seen.

    Attributes:
        people: (N,), int64: a number for each person, the same in all images of this person and in all splits.
        truth: (N, T), float32: what a label only says with yes or no, as numbers, such as how strong a smile is.
            Known for drawn portraits only; for photos T is 0.
        truth_names: one name per column of ``truth``.

    Raises:
        ValueError: as for ``ImageSet``, or there is not one row of labels, people and truth per image.
    """

    people: Tensor
    truth: Tensor
    truth_names: tuple[str, ...] = ()

    def __post_init__(self):
        super().__post_init__()
        shapes = {"labels": (len(self), len(self.label_names)), "people": (len(self),)}
        shapes["truth"] = (len(self), len(self.truth_names))
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} must have the shape {shape}, but has {tuple(getattr(self, name).shape)}.")

    def attribute(self, name: str) -> Tensor:
        """Return (N,) booleans: which faces have the attribute, for example ``faces.attribute("Smiling")``.

        Raises:
            ValueError: there is no attribute of this name.
        """
        if name not in self.label_names:
            raise ValueError(f"There is no attribute {name!r}; choose one of: {', '.join(self.label_names)}.")
        return self.labels[:, self.label_names.index(name)].bool()


@dataclass(frozen=True)
class SoundSet:
    """Sounds of one length, all of them in memory; ``vae_helpers.train.fit`` takes it like an ``ImageSet``.

    Attributes:
        waveforms: (N, T), float32 in [-1, 1].
        labels: (N,) what is said, int64.
        speakers: (N,) who says it, int64.
        label_names: one name per label.
        speaker_names: one name per speaker, those included who are not heard in this split.
        sample_rate: samples per second.
        source: where the sounds come from, in words.

    Raises:
        ValueError: the waveforms are not float32 of shape (N, T), or a sound lacks its label or speaker.
    """

    waveforms: Tensor
    labels: Tensor
    speakers: Tensor
    label_names: tuple[str, ...]
    speaker_names: tuple[str, ...]
    sample_rate: int
    source: str

    def __post_init__(self):
        if self.waveforms.dtype != torch.float32 or self.waveforms.ndim != 2:
            raise ValueError(
                "A SoundSet holds float32 waveforms of the shape (N, T), but got "
                f"{self.waveforms.dtype} of the shape {tuple(self.waveforms.shape)}."
            )
        if not len(self.waveforms) == len(self.labels) == len(self.speakers):
            raise ValueError(
                f"There are {len(self.waveforms)} sounds, but {len(self.labels)} labels and {len(self.speakers)} "
                "speakers."
            )

    def __len__(self) -> int:
        return len(self.waveforms)

    def to(self, device: torch.device | str) -> "SoundSet":
        """Return the same set on ``device``."""
        return map_tensors(self, lambda values: values.to(device))

    def subset(self, indices) -> "SoundSet":
        """Return the sounds that ``indices`` picks: a slice, a list or tensor of positions, or a boolean mask."""
        return map_tensors(self, lambda values: values[indices])

    def batches(self, batch_size: int, shuffle: bool = False, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield waveforms (n, T) with their labels, in an order that depends on ``seed`` alone."""
        for chosen in positions(self.waveforms, batch_size, shuffle, seed):
            yield self.waveforms[chosen], self.labels[chosen]


def map_tensors(dataset, change):
    """Return a copy of a data set with ``change`` applied to each of its tensors."""
    tensors = {name: value for name, value in vars(dataset).items() if torch.is_tensor(value)}
    return replace(dataset, **{name: change(value) for name, value in tensors.items()})


def positions(values: Tensor, batch_size: int, shuffle: bool, seed: int) -> tuple[Tensor, ...]:
    """Return the positions of each batch of ``values``, on its device; the order depends on ``seed`` alone."""
    order = torch.arange(len(values))
    if shuffle:
        order = torch.randperm(len(values), generator=torch.Generator().manual_seed(seed))
    return order.to(values.device).split(batch_size)
