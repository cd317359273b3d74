"""The U-Net of lesson 05: an image in, an image of the same size out."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UNet(nn.Module):
    """Down twice, up twice, with a shortcut at each size, (N, 1, H, W) → (N, 1, H, W), without a bound on the values.

    Height and width are at least 4. (Ronneberger et al., 2015, "U-Net", arXiv:1505.04597, made small.)

    Args:
        width: channels at full size; half the size has twice as many, a quarter of it four times.
    """

    def __init__(self, width: int = 8):
        super().__init__()
        self.down_full = _block(1, width)
        self.down_half = _block(width, 2 * width, stride=2)
        self.down_quarter = nn.Sequential(_block(2 * width, 4 * width, stride=2), _block(4 * width, 4 * width))
        self.up_half = _block((4 + 2) * width, 2 * width)
        self.up_full = _block((2 + 1) * width, width)
        self.last = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Return one image (1, H, W) for each of ``images`` (N, 1, H, W)."""
        full = self.down_full(images)
        half = self.down_half(full)
        up = self.down_quarter(half)
        for shortcut, layer in (half, self.up_half), (full, self.up_full):
            larger = F.interpolate(up, size=shortcut.shape[-2:])
            up = layer(torch.cat([larger, shortcut], dim=1))
        return self.last(up)


def _block(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.ReLU())
