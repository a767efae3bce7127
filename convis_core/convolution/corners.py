"""A corner detector from two edge detectors: the smallest network of two layers."""

from collections.abc import Mapping

import torch
from torch import Tensor

from convis_core.convolution.kernels import get_kernel
from convis_core.convolution.sliding import convolve, slide
from convis_core.results.convolution import Corner, CornerMaps
from convis_core.values import check_choice, check_real

# For a corner of a bright shape: the sign of its vertical edge (positive: lighter on the left) and of its horizontal
# edge (positive: lighter above).
SIGNS: Mapping[Corner, tuple[int, int]] = {
    "top left": (-1, -1),
    "top right": (1, -1),
    "bottom left": (-1, 1),
    "bottom right": (1, 1),
}


def find_corners(picture: Tensor, corner: Corner = "top left", *, share: float = 1.0) -> CornerMaps:
    """Where a vertical and a horizontal edge meet.

    The first layer has two filters followed by ReLU, one for vertical and one for horizontal edges. The second adds
    their maps and subtracts a threshold: corner = ReLU(vertical + horizontal - threshold), where the threshold is a
    share of the strongest single edge in the picture. At a share of 1 no straight edge alone can exceed it.

    Args:
        picture: brightness [H, W].
        corner: which corner of a bright shape to detect.
        share: the threshold as a share of the strongest edge, from 0.

    Raises:
        SpecError: when there is no such corner, ``share`` is negative, or the picture is smaller than 3 x 3.

    >>> from convis_core import convolution
    >>> square = convolution.get_grid("square").picture()[0]  # bright from row 2 to 5 and from column 2 to 5
    >>> maps = convolution.find_corners(square, "top left")
    >>> maps.corners.nonzero().tolist()  # cell (1, 1) has its window's centre on pixel (2, 2)
    [[1, 1]]
    """
    check_choice("The corner", corner, SIGNS)
    check_real("The threshold's share", share, 0, 100)
    vertical_sign, horizontal_sign = SIGNS[corner]
    vertical_filter = vertical_sign * get_kernel("vertical_edge").filter()
    horizontal_filter = horizontal_sign * get_kernel("horizontal_edge").filter()
    filters = torch.stack([vertical_filter, horizontal_filter]).unsqueeze(1).to(picture.dtype)
    vertical, horizontal = convolve(slide(picture.unsqueeze(0), filters)).relu()
    threshold = share * float(torch.maximum(vertical, horizontal).max())
    return CornerMaps(corner, vertical, horizontal, (vertical + horizontal - threshold).relu(), threshold)
