"""Random transformations before the network sees a picture: pad, jitter, scale, rotate, mirror, recolour, add noise.

The random parameters are drawn first and recorded as a ``View``; applying it is then a deterministic, differentiable
function. So the same seed gives the same views, and a test can apply a view by hand.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from convis_core.class_models.seeds import generator
from convis_core.results.class_models import Transforms

_GRID = 16
"""Sides of views are multiples of this, so that the network's strides divide them."""


@dataclass(frozen=True, slots=True)
class View:
    """One transformation of a picture.

    Attributes:
        side: of the view, in pixels.
        roll: rows and columns by which the picture is rolled.
        centre: of the window, across and down, from -1 (the picture's left or upper edge) to 1.
        zoom: side of the window as a share of the picture's.
        rotation: of the window, in radians.
        mirror: whether left and right are exchanged.
        gain: factor of each colour's distance from mid grey.
        offset: added to each colour.
        noise: sigma of the noise on the pixels.
        noise_seed: (seed, step, number of the view), from which the noise is drawn.
    """

    side: int
    roll: tuple[int, int] = (0, 0)
    centre: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    rotation: float = 0.0
    mirror: bool = False
    gain: tuple[float, ...] = (1.0, 1.0, 1.0)
    offset: tuple[float, ...] = (0.0, 0.0, 0.0)
    noise: float = 0.0
    noise_seed: tuple[int, int, int] = (0, 0, 0)


def draw(transforms: Transforms, key: tuple[int, int], progress: float, side: int) -> tuple[View, ...]:
    """Draws the views of one step.

    Args:
        transforms: the ranges of the random parameters.
        key: seed of the run, and number of steps taken before this one.
        progress: of the ramp, from 0 to 1.
        side: of the network's input, in pixels.
    """
    return tuple(_draw_one(transforms, (*key, number), progress, side) for number in range(transforms.views))


def _draw_one(transforms: Transforms, key: tuple[int, int, int], progress: float, side: int) -> View:
    random = generator(*key)

    def spread() -> float:
        return float(torch.rand((), generator=random)) * 2 - 1

    # Everything is drawn every time, so that switching one transform off leaves the others unchanged.
    zoom = transforms.zoom[0] + (transforms.zoom[1] - transforms.zoom[0]) * (spread() + 1) / 2
    margin = max(0.0, 1 - zoom)
    centre = tuple(spread() * margin + spread() * 2 * transforms.shift for _ in range(2))
    roll = tuple(round(spread() * transforms.jitter) for _ in range(2))
    rotation = math.radians(spread() * transforms.rotation)
    mirror = spread() < 0 and transforms.mirror
    colours = torch.randn(2, 3, generator=random) * transforms.colour_shift
    first, last = transforms.noise
    return View(
        side=side_at(transforms, progress, side),
        roll=(roll[0], roll[1]),
        centre=(centre[0], centre[1]),
        zoom=zoom,
        rotation=rotation,
        mirror=mirror,
        gain=tuple(colours[0].exp().tolist()),
        offset=tuple((colours[1] / 2).tolist()),
        noise=first + (last - first) * progress,
        noise_seed=key,
    )


def side_at(transforms: Transforms, progress: float, side: int) -> int:
    """Side of the views, in pixels, at a point of the ramp, for a network with inputs of this side."""
    part = min(int(progress * len(transforms.sides)), len(transforms.sides) - 1)
    return side_of(transforms.sides[part], side)


def side_of(share: float, side: int) -> int:
    """Side of a view in pixels: a share of the network's input, rounded to a multiple of ``_GRID``."""
    return side if share == 1 else max(_GRID, round(share * side / _GRID) * _GRID)


def apply(view: View, pictures: Tensor) -> Tensor:
    """The pictures as the network sees them through a view, differentiable with respect to them.

    Args:
        view: the transformation.
        pictures: float32 [N, 3, S, S].

    Returns:
        float32 [N, 3, s, s] with s = ``view.side``.
    """
    seen = torch.roll(pictures, view.roll, dims=(2, 3)) if any(view.roll) else pictures
    if view.side != seen.shape[-1]:
        seen = functional.interpolate(seen, size=(view.side, view.side), mode="bilinear", antialias=True)
    if (view.centre, view.zoom, view.rotation, view.mirror) != ((0.0, 0.0), 1.0, 0.0, False):
        window = _window(view).to(pictures).expand(len(seen), 2, 3)
        grid = functional.affine_grid(window, list(seen.shape), align_corners=False)
        seen = functional.grid_sample(seen, grid, padding_mode="reflection", align_corners=False)
    if any(value != 1 for value in view.gain) or any(view.offset):
        gain = torch.tensor(view.gain).to(seen).view(1, 3, 1, 1)
        offset = torch.tensor(view.offset).to(seen).view(1, 3, 1, 1)
        seen = (seen - 0.5) * gain + 0.5 + offset
    if view.noise:
        # One noise pattern for the whole batch, so that no picture depends on the others.
        pattern = torch.randn(seen.shape[1:], generator=generator(*view.noise_seed, 0)).to(seen)
        seen = seen + view.noise * pattern
    return seen


def _window(view: View) -> Tensor:
    cosine, sine = view.zoom * math.cos(view.rotation), view.zoom * math.sin(view.rotation)
    flip = -1.0 if view.mirror else 1.0
    across, down = view.centre
    return torch.tensor([[flip * cosine, -sine, across], [flip * sine, cosine, down]])
