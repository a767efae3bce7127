"""Pictures as tensors, and the part of a picture that a network sees.

The functions that need PyTorch import it themselves, so that the process that only decodes starts quickly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from torch import Tensor

_RESIZE_OVER_CROP = 256 / 224
"""ImageNet's networks are evaluated on the central 224 of 256 pixels; other sizes use the same ratio."""

Box: TypeAlias = tuple[float, float, float, float]


def to_tensor(picture: Image.Image, size: int) -> Tensor:
    """The network's view of a picture: shorter side resized to ``size * 256/224``, centre cropped.

    One resampling of the central square, so that a strip of 1 x 50000 pixels costs no more than a square; the
    values are those of torchvision's Resize and CenterCrop, to within a rounding step of 1/255.

    Args:
        picture: RGB.
        size: side S of the network's input, in pixels.

    Returns:
        float32 [1, 3, S, S] in [0, 1].

    >>> x = to_tensor(Image.new("RGB", (640, 480), "red"), 224)
    >>> tuple(x.shape), x[0, :, 0, 0].tolist()
    ((1, 3, 224, 224), [1.0, 0.0, 0.0])
    """
    square = picture.convert("RGB").resize((size, size), Image.Resampling.BILINEAR, box=crop_box(picture.size, size))
    import torch

    values = torch.from_numpy(np.array(square, dtype=np.uint8))
    return values.permute(2, 0, 1).unsqueeze(0).contiguous().float() / 255


def crop_box(size: tuple[int, int], side: int) -> Box:
    """The part of a picture that the network sees: (left, top, right, bottom) in the picture's own pixels.

    Args:
        size: width and height of the picture.
        side: side S of the network's input.

    >>> crop_box((512, 256), 224)
    (144.0, 16.0, 368.0, 240.0)
    """
    width, height = size
    shorter = round(side * _RESIZE_OVER_CROP)
    if width <= height:
        resized_width, resized_height = shorter, max(shorter, int(shorter * height / width))
    else:
        resized_width, resized_height = max(shorter, int(shorter * width / height)), shorter
    left, top = round((resized_width - side) / 2), round((resized_height - side) / 2)
    across, down = width / resized_width, height / resized_height
    return left * across, top * down, (left + side) * across, (top + side) * down


def view(picture: Image.Image, size: int, *, pixels: int) -> Image.Image:
    """The part of a picture that the network sees, at a higher resolution for display.

    Args:
        picture: RGB.
        size: side S of the network's input.
        pixels: side of the square returned.

    >>> view(Image.new("RGB", (640, 480)), 224, pixels=420).size
    (420, 420)
    """
    box = crop_box(picture.size, size)
    return picture.convert("RGB").resize((pixels, pixels), Image.Resampling.LANCZOS, box=box)


def to_image(x: Tensor) -> Image.Image:
    """A tensor in [0, 1] as a picture: [3, H, W] or [1, 3, H, W] to RGB; values outside are clipped.

    Args:
        x: float32 [3, H, W] or [1, 3, H, W].

    >>> import torch
    >>> to_image(torch.tensor([1.0, 0.5, -2.0]).view(3, 1, 1)).getpixel((0, 0))
    (255, 128, 0)
    """
    import torch

    values = x.detach().cpu()
    values = values[0] if values.dim() == 4 else values
    pixels = (values.clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy(), mode="RGB")
