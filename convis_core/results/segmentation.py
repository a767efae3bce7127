"""An object cut out of its picture, and the specification of how."""

from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

UNKNOWN, BACKGROUND, FOREGROUND, OUTSIDE = 0, 1, 2, 3
"""The values of ``Segmentation.seeds``: between the percentiles, below, above, and outside the network's view."""


@dataclass(frozen=True, slots=True)
class GrabCutSpec:
    """How an attribution becomes a mask.

    Attributes:
        foreground_percentile: pixels whose attribution is above this percentile certainly belong to the object.
        background_percentile: pixels below this one probably do not, those in between probably do.
        iterations: of GrabCut.
        smoothing: standard deviation of the Gaussian blur of the attribution, in pixels of the network's view.
        working_side: longer side of the copy on which object and background are separated, in pixels.
    """

    foreground_percentile: float = 95.0
    background_percentile: float = 30.0
    iterations: int = 5
    smoothing: float = 6.0
    working_side: int = 200


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """An object cut out of its picture.

    Attributes:
        picture: RGB, the whole original.
        alpha: uint8 [H, W], 255 on the object, 0 on the background, in between along the edge.
        seeds: uint8 [H, W], the input of GrabCut: UNKNOWN, BACKGROUND, FOREGROUND or OUTSIDE.
        spec: the specification.
    """

    picture: Image.Image
    alpha: Tensor
    seeds: Tensor
    spec: GrabCutSpec

    @property
    def mask(self) -> Tensor:
        """bool [H, W]: the pixels of the object."""
        return self.alpha >= 128

    @property
    def foreground(self) -> Image.Image:
        """The object on a transparent background, RGBA, of the picture's own size."""
        cut_out = self.picture.convert("RGBA")
        cut_out.putalpha(Image.fromarray(self.alpha.numpy(), mode="L"))
        return cut_out

    def share(self) -> float:
        """The object's share of the picture, 0 to 1."""
        return float(self.mask.to(torch.float32).mean())
