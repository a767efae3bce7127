"""Maps as plain pictures, in the same colours as the figures: for downloads, contact sheets and clickable images."""

import re
from functools import cache

import numpy as np
from PIL import Image
from plotly.colors import sample_colorscale
from torch import Tensor

from convis_core.figures.style import OVERLAY_OPACITY, Scale

_COLOURS = 256


def coloured(values: Tensor, scale: Scale, *, pixels: int | None = None) -> Image.Image:
    """A map in colour, with hard pixels.

    Args:
        values: [H, W]; nan, which stands for "not computed yet", becomes grey.
        scale: how values become colours.
        pixels: longer side of the picture returned; None for one pixel a value.
    """
    numbers = values.detach().cpu().numpy().astype(np.float64)
    pending = np.isnan(numbers)
    span = scale.high - scale.low
    unit = (np.where(pending, scale.low, numbers) - scale.low) / (span if span else 1.0)
    colours = colour_table(scale.colours)[(unit.clip(0, 1) * (_COLOURS - 1)).round().astype(int)]
    colours[pending] = 128
    picture = Image.fromarray(colours.astype(np.uint8), mode="RGB")
    if pixels is None:
        return picture
    factor = pixels / max(picture.size)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.NEAREST)


def overlay(picture: Image.Image, values: Tensor, scale: Scale, *, opacity: float = OVERLAY_OPACITY) -> Image.Image:
    """A map in colour over the photograph whose pixels it belongs to.

    Args:
        picture: the photograph; its size is that of the result.
        values: [H, W], covering the whole picture.
        scale: how values become colours.
        opacity: of the map, 0 to 1.
    """
    beneath = picture.convert("RGB")
    above = coloured(values, scale).resize(beneath.size, Image.Resampling.NEAREST)
    return Image.blend(beneath, above, opacity)


@cache
def colour_table(colours: tuple[str, ...]) -> np.ndarray:
    """A scale's colours in 256 steps: float64 [256, 3], 0 to 255.

    >>> colour_table(("rgb(0,0,0)", "rgb(255,255,255)"))[[0, 255]].tolist()
    [[0.0, 0.0, 0.0], [255.0, 255.0, 255.0]]
    """
    positions = [index / (_COLOURS - 1) for index in range(_COLOURS)]
    sampled = sample_colorscale(list(colours), positions)
    return np.array([[float(part) for part in re.findall(r"[\d.]+", colour)[:3]] for colour in sampled])
