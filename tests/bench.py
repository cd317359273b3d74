"""How fast training is, as ratios measured side by side in one run: `make bench`.

Times on shared machines drift, so the loops take turns and each ratio is a median over the turns.
"""

import contextlib
import io
import math
import statistics
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import ToTensor
from torchvision.transforms.functional import to_pil_image

from vae_helpers.data import ImageSet, load_digits
from vae_helpers.device import pick_device, seed_everything
from vae_helpers.models import ConvAutoencoder, DenseAutoencoder
from vae_helpers.train import fit, has_fast_bfloat16, mixed_precision

TURNS = 5
EPOCHS = 3


def upsampling_autoencoder() -> nn.Module:
    """Build an autoencoder of the same size as ConvAutoencoder that upsamples and then convolves (lesson 04)."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 16),
        nn.Linear(16, 32 * 7 * 7),
        nn.Unflatten(1, (32, 7, 7)),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(32, 16, 3, padding=1),
        nn.ReLU(),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(16, 1, 3, padding=1),
    )


def by_fit(model: nn.Module, data: ImageSet, batch_size: int) -> None:
    """Train as the course does."""
    fit(model, data, epochs=EPOCHS, batch_size=batch_size)


def by_bare_loop(model: nn.Module, data: ImageSet, batch_size: int) -> None:
    """Take as many steps on one resident batch, at the same precision: the limit of what a loop can reach."""
    device = pick_device()
    model.to(device, memory_format=torch.channels_last)
    images = data.floats[:batch_size].to(device).contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), fused=device.type != "mps")
    model.train()
    with mixed_precision(model, device):
        for _ in range(EPOCHS * math.ceil(len(data) / batch_size)):
            optimizer.zero_grad()
            (model(images) - images).square().flatten(1).sum(1).mean().backward()
            optimizer.step()


class PilDigits(Dataset):
    """What a first data set usually looks like: one PIL image at a time."""

    def __init__(self, data: ImageSet):
        self.pictures = [to_pil_image(image) for image in data.images]
        self.transform = ToTensor()

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        return self.transform(self.pictures[i])


def by_usual_loop(model: nn.Module, data: PilDigits, batch_size: int) -> None:
    """Train as tutorials do: worker processes, PIL images, float32, a look at the loss in each step."""
    device = pick_device()
    model.to(device)
    optimizer = torch.optim.Adam(model.parameters())
    model.train()
    losses = []
    loader = DataLoader(data, batch_size=batch_size, shuffle=True, num_workers=2)
    for _ in range(EPOCHS):
        for images in loader:
            images = images.to(device)
            optimizer.zero_grad()
            loss = (model(images) - images).square().flatten(1).sum(1).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())


def seconds(train, make_model, data, batch_size: int) -> float:
    """Return the wall time of ``train``, whose progress bar stays off the page."""
    model = make_model()
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        train(model, data, batch_size)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(other, other_data, make_model, data: ImageSet, batch_size: int) -> float:
    """Return how many times as fast as ``other`` the course's ``fit`` is: the median over turns, after a warm-up."""
    ratios = []
    for _ in range(1 + TURNS):
        ours = seconds(by_fit, make_model, data, batch_size)
        ratios.append(seconds(other, make_model, other_data, batch_size) / ours)
    return statistics.median(ratios[1:])


def main() -> None:
    """Print one line per comparison."""
    seed_everything(0)
    device = pick_device()
    digits = load_digits("train", source="embedded")
    precision = "bfloat16" if has_fast_bfloat16(device) else "float32"
    print(f"on {device}, {torch.get_num_threads()} threads; convolutions in {precision}\n")
    print("times as fast as …                          model          batch   ratio   wanted")
    row = "{:<43} {:<13} {:6} {:7.2f}   ≥ {}"
    models = {"dense": DenseAutoencoder, "convolutional": ConvAutoencoder, "upsampling": upsampling_autoencoder}
    for name, model in models.items():
        for batch_size in (128, 512):
            ratio = compare(by_bare_loop, digits, model, digits, batch_size)
            print(row.format("a bare loop on one resident batch", name, batch_size, ratio, 0.9), flush=True)
    # Matrix instructions for bfloat16 are what doubles the speed; elsewhere fit must not be slower.
    wanted = 2 if device.type == "cpu" and torch.cpu._is_amx_tile_supported() else 1
    for name, model in models.items():
        ratio = compare(by_usual_loop, PilDigits(digits), model, digits, 128)
        print(row.format("the usual loop over a DataLoader of images", name, 128, ratio, wanted), flush=True)


if __name__ == "__main__":
    main()
