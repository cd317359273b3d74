"""Phantoms of chest X-rays that the course draws."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

_FINE = 56  # pixels that are drawn; the images have the mean of each two by two


def chest_phantoms(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw chests as X-rays show them: body, lungs, heart, spine, ribs and vessels; half of them with pneumonia.

    Returns:
        (n, 1, 28, 28) images, uint8, and (n,) labels: 0 healthy, 1 pneumonia (cloudy patches in the lungs).
    """
    generator = torch.Generator().manual_seed(seed)

    def vary(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, 1, 1, generator=generator)

    def texture(cells: int) -> Tensor:
        coarse = torch.randn(n, 1, cells, cells, generator=generator)
        return F.interpolate(coarse, size=(_FINE, _FINE), mode="bicubic").squeeze(1)

    labels = torch.arange(n) % 2
    axis = torch.linspace(-1, 1, _FINE)
    down, right = torch.meshgrid(axis, axis, indexing="ij")
    angle, zoom = vary(-0.08, 0.08), vary(0.88, 1.12)
    across = (right * angle.cos() - down * angle.sin()) * zoom + vary(-0.1, 0.1)
    down = (right * angle.sin() + down * angle.cos()) * zoom + vary(-0.1, 0.1)

    def ellipse(x: Tensor, y: Tensor, width: Tensor, height: Tensor, blur: float) -> Tensor:
        radius = (((across - x) / width) ** 2 + ((down - y) / height) ** 2).sqrt()
        return torch.sigmoid((1 - radius) / blur)

    body = torch.sigmoid((vary(0.45, 0.9) + 2.2 * (down + 1.0) - across.abs()) / 0.08)
    body = body * torch.sigmoid((vary(0.95, 1.3) - across.abs()) / 0.04)
    heart = ellipse(vary(0.05, 0.18), vary(0.30, 0.45), vary(0.26, 0.38), vary(0.32, 0.45), 0.12)
    lungs = torch.zeros_like(across)
    lean, width, height = vary(0.15, 0.3), vary(0.24, 0.34), vary(0.62, 0.8)
    for side in (-1, 1):
        middle = side * (vary(0.42, 0.52) + lean * down)
        dome = vary(0.45, 0.7) + 0.9 * (across - side * 0.45) ** 2
        lungs = lungs + ellipse(middle, vary(-0.15, 0.0), width, height, 0.1) * torch.sigmoid((dome - down) / 0.05)
    lungs = lungs.clamp(max=1) * (1 - 0.85 * heart)
    wave = torch.cos(2 * math.pi * (vary(2.4, 3.4) * down + vary(-0.6, 0.2) * across.abs() + vary(0, 1)))
    ribs = wave.relu() ** 2 * torch.sigmoid((0.85 - across.abs()) / 0.05)
    spine = torch.exp(-((across / 0.13) ** 2))

    tissue = vary(0.62, 0.78) * body + 0.10 * heart + vary(0.04, 0.14) * spine + 0.02 * texture(5)
    tissue = tissue - lungs * (vary(0.28, 0.45) - vary(0.06, 0.16) * ribs - 0.045 * texture(14))
    for _ in range(3):
        cloud = ellipse(vary(-0.7, 0.7), vary(-0.5, 0.6), vary(0.15, 0.4), vary(0.15, 0.4), 0.25)
        tissue = tissue + labels[:, None, None] * lungs * vary(0.0, 0.25) * cloud * (1 + 0.3 * texture(10))
    fine = (tissue * vary(0.85, 1.1) + vary(-0.06, 0.06)).clamp(0, 1)
    images = F.avg_pool2d(fine.unsqueeze(1), 2)
    return (255 * images).round().to(torch.uint8), labels
