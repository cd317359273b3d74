"""How fast training is, as ratios measured side by side in one run: `make bench`.

Times on shared machines drift, so the loops take turns and each ratio is a median over the turns. A ratio that falls
short of what is wanted gets a line, and the command fails.

`make bench-long` trains one VAE to the end in two ways: by the recipe of the lecture that this course grew from
(S. Raschka, STAT 453, 2021, L17), and by the course's own.
"""

import argparse
import contextlib
import functools
import io
import math
import statistics
import sys
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import ToTensor
from torchvision.transforms.functional import to_pil_image

from vae_helpers.data import ImageSet, load_digits
from vae_helpers.device import pick_device, seed_everything
from vae_helpers.losses import kl_divergence
from vae_helpers.models import VAE, ConvAutoencoder, DenseAutoencoder
from vae_helpers.train import fit, has_fast_bfloat16, measure, mixed_precision

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


class LectureVAE(VAE):
    """The lecture's VAE of digits, layer by layer, with a code of two numbers."""

    latent_dim = 2

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            *(nn.Conv2d(1, 32, 3, padding=1), nn.LeakyReLU()),
            *(nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.LeakyReLU()),
            *(nn.Conv2d(64, 64, 3, stride=2, padding=1), nn.LeakyReLU()),
            *(nn.Conv2d(64, 64, 3, padding=1), nn.Flatten(), nn.Linear(64 * 7 * 7, 4)),
        )
        self.decoder = nn.Sequential(
            *(nn.Linear(2, 64 * 7 * 7), nn.Unflatten(1, (64, 7, 7))),
            *(nn.ConvTranspose2d(64, 64, 3, padding=1), nn.LeakyReLU()),
            *(nn.ConvTranspose2d(64, 64, 3, stride=2, padding=1), nn.LeakyReLU()),
            *(nn.ConvTranspose2d(64, 32, 3, stride=2), nn.LeakyReLU()),
            nn.ConvTranspose2d(32, 1, 3),
        )

    def encode(self, images):
        """Return mean and log_var, each (N, 2)."""
        return self.encoder(images).float().chunk(2, dim=1)

    def decode(self, z):
        """Return images (N, 1, 28, 28); the last layer gives 29 × 29 pixels, of which one row and column are cut."""
        return torch.sigmoid(self.decoder(z)[:, :, :28, :28].float())


def squared_error(model: nn.Module, images, labels=None):
    """Return the loss of an autoencoder, (N,)."""
    return (model(images) - images).square().flatten(1).sum(1)


def lecture_loss(model: nn.Module, images, labels=None):
    """Return the lecture's loss, (N,): squared error, summed over the pixels, + KL."""
    reconstruction, mean, log_var, _ = model(images)
    return (reconstruction - images).square().flatten(1).sum(1) + kl_divergence(mean, log_var)


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
            squared_error(model, images).mean().backward()
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


def by_usual_loop(model: nn.Module, data: PilDigits, batch_size: int, loss=squared_error, epochs=EPOCHS, lr=1e-3):
    """Train as tutorials do: worker processes, PIL images, float32, a look at the loss in each step."""
    device = pick_device()
    model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    model.train()
    losses = []
    loader = DataLoader(data, batch_size=batch_size, shuffle=True, num_workers=2)
    for _ in range(epochs):
        for images in loader:
            optimizer.zero_grad()
            mean_loss = loss(model, images.to(device)).mean()
            mean_loss.backward()
            optimizer.step()
            losses.append(mean_loss.item())


def by_the_lecture(model: nn.Module, data: PilDigits, batch_size: int, epochs: int) -> None:
    """Train as the lecture does."""
    by_usual_loop(model, data, batch_size, lecture_loss, epochs, lr=5e-4)


def by_the_course(model: nn.Module, data: ImageSet, batch_size: int, epochs: int) -> None:
    """Train the lecture's model on the lecture's loss as the course does.

    One cycle of a higher learning rate and smaller batches need a third of the epochs.
    """
    fit(model, data, lecture_loss, epochs=epochs, batch_size=batch_size, lr=3e-3)


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


def short() -> list[str]:
    """Print one line per comparison, and return one for each that falls short."""
    device = pick_device()
    digits = load_digits("train", source="embedded")
    print("times as fast as …                          model          batch   ratio   wanted")
    missed = []

    def tell(other: str, name: str, batch_size: int, ratio: float, wanted: float) -> None:
        print(f"{other:<43} {name:<13} {batch_size:6} {ratio:7.2f}   ≥ {wanted}", flush=True)
        if ratio < wanted:
            missed.append(f"{name}, batch {batch_size}: {ratio:.2f} times as fast as {other}, wanted ≥ {wanted}")

    models = {"dense": DenseAutoencoder, "convolutional": ConvAutoencoder, "upsampling": upsampling_autoencoder}
    for name, model in models.items():
        for batch_size in (128, 512):
            ratio = compare(by_bare_loop, digits, model, digits, batch_size)
            tell("a bare loop on one resident batch", name, batch_size, ratio, 0.9)
    # Matrix instructions for bfloat16 are what doubles the speed; elsewhere fit must not be slower.
    wanted = 2 if device.type == "cpu" and torch.cpu._is_amx_tile_supported() else 1
    for name, model in models.items():
        ratio = compare(by_usual_loop, PilDigits(digits), model, digits, 128)
        tell("the usual loop over a DataLoader of images", name, 128, ratio, wanted)
    return missed


def long(lecture_epochs: int) -> list[str]:
    """Train the lecture's VAE by the lecture's recipe between two trainings by the course's; return what falls short.

    With fewer than the lecture's 20 epochs its time is extrapolated, and its test loss is that of fewer epochs.
    """
    train_set, test_set = load_digits("train"), load_digits("test")
    pictures = PilDigits(train_set)
    print("\nrecipe    epochs   batch   seconds   test loss: squared error per image + KL")

    def run(name: str, train, data, batch_size: int, epochs: int) -> tuple[float, float]:
        model = LectureVAE()
        time_taken = seconds(functools.partial(train, epochs=epochs), lambda: model, data, batch_size)
        loss = measure(model, test_set, lecture_loss)["loss"]
        print(f"{name:9} {epochs:6} {batch_size:7} {time_taken:9.0f}   {loss:.2f}", flush=True)
        return time_taken, loss

    first, first_loss = run("course", by_the_course, train_set, 64, 6)
    lecture, lecture_loss_reached = run("lecture", by_the_lecture, pictures, 256, lecture_epochs)
    second, second_loss = run("course", by_the_course, train_set, 64, 6)
    share = (first + second) / 2 / (lecture * 20 / lecture_epochs)
    how = "" if lecture_epochs == 20 else f" (its 20 epochs extrapolated from {lecture_epochs})"
    print(f"\nthe course needs {share:.3f} of the lecture's time{how}; wanted: ≤ 0.25, and 0.1 is the goal")
    worse = max(first_loss, second_loss)
    print(f"test loss: course {worse:.2f}, lecture {lecture_loss_reached:.2f}; the lecture itself reports 38.0")
    missed = [f"the course needs {share:.3f} of the lecture's time, wanted ≤ 0.25"] if share > 0.25 else []
    if worse > lecture_loss_reached:
        missed.append(f"the course's test loss {worse:.2f} is more than the lecture's {lecture_loss_reached:.2f}")
    return missed


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="train one VAE to the end in two ways")
    parser.add_argument("--lecture-epochs", type=int, default=20, help="with --long: fewer, to extrapolate the time")
    options = parser.parse_args()
    seed_everything(0)
    device = pick_device()
    precision = "bfloat16" if has_fast_bfloat16(device) else "float32"
    print(f"on {device}, {torch.get_num_threads()} threads; convolutions in {precision}\n")
    missed = long(options.lecture_epochs) if options.long else short()
    print("", *missed, sep="\n")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
