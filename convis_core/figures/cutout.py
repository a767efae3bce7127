"""The steps from an attribution to a cut-out, as pictures."""

import numpy as np
from PIL import Image, ImageFilter
from torch import Tensor

from convis_core.results import Segmentation
from convis_core.results.segmentation import BACKGROUND, FOREGROUND

OBJECT_COLOUR, GROUND_COLOUR = (230, 159, 0), (0, 114, 178)
"""Orange and blue of Okabe and Ito."""
_TINT = 0.6
_SQUARE = 16
_LIGHT, _DARK = 235, 205
_RIM, _RIM_COLOUR = 2, (20, 20, 20)


def seeds(cut: Segmentation, *, pixels: int) -> Image.Image:
    """The picture with GrabCut's seeds: orange is certainly the object, blue is certainly background.

    Args:
        cut: the segmentation.
        pixels: longer side of the picture returned.
    """
    small = _fitted(cut.picture, pixels)
    kinds = _like(Image.fromarray(cut.seeds.numpy(), mode="L"), small)
    colours = np.asarray(small, dtype=np.float64)
    for kind, colour in ((FOREGROUND, OBJECT_COLOUR), (BACKGROUND, GROUND_COLOUR)):
        there = kinds == kind
        colours[there] = (1 - _TINT) * colours[there] + _TINT * np.array(colour)
    return Image.fromarray(colours.round().astype(np.uint8), mode="RGB")


def mask(cut: Segmentation, *, pixels: int) -> Image.Image:
    """The mask: white is the object.

    Args:
        cut: the segmentation.
        pixels: longer side of the picture returned.
    """
    return _fitted(Image.fromarray(cut.alpha.numpy(), mode="L"), pixels).convert("RGB")


def outlined(cut: Segmentation, edge: Tensor, *, pixels: int) -> Image.Image:
    """The picture with the object's outline in orange, between two dark lines.

    Args:
        cut: the segmentation.
        edge: bool [H, W], of ``segmentation.outline``.
        pixels: longer side of the picture returned.
    """
    small = _fitted(cut.picture, pixels)
    # Averaged and then thresholded low, so that a thin line of a large picture is not lost.
    line = np.asarray(_fitted(Image.fromarray(edge.numpy().astype(np.uint8) * 255, mode="L"), pixels)) > 60
    colours = np.asarray(small).copy()
    # Orange alone is hard to see on fur and on wood.
    colours[_widened(line, _RIM)] = _RIM_COLOUR
    colours[line] = OBJECT_COLOUR
    return Image.fromarray(colours, mode="RGB")


def on_squares(cut: Segmentation, *, pixels: int) -> Image.Image:
    """The cut-out on a grey checkerboard, the usual sign of transparency.

    Args:
        cut: the segmentation.
        pixels: longer side of the picture returned.
    """
    cut_out = _fitted(cut.foreground, pixels)
    rows, columns = np.indices((cut_out.height, cut_out.width)) // _SQUARE
    grey = np.where((rows + columns) % 2, _LIGHT, _DARK).astype(np.uint8)
    ground = Image.fromarray(grey, mode="L").convert("RGBA")
    return Image.alpha_composite(ground, cut_out).convert("RGB")


def _fitted(picture: Image.Image, pixels: int) -> Image.Image:
    factor = min(1.0, pixels / max(picture.size))
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX)


def _widened(line: np.ndarray, pixels: int) -> np.ndarray:
    """The line widened by so many pixels on each side."""
    wide = Image.fromarray(line).convert("L").filter(ImageFilter.MaxFilter(2 * pixels + 1))
    return np.asarray(wide) > 0


def _like(kinds: Image.Image, picture: Image.Image) -> np.ndarray:
    return np.asarray(kinds.resize(picture.size, Image.Resampling.NEAREST))
