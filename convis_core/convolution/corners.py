"""Two edges make a corner: the smallest network of two layers."""

from collections.abc import Mapping

import torch
from torch import Tensor

from convis_core.convolution.kernels import get_kernel
from convis_core.convolution.sliding import convolve, slide
from convis_core.results.convolution import Corner, CornerMaps
from convis_core.values import check_choice, check_real

# For a corner of something bright: the sign of its vertical edge (positive: lighter left) and of its
# horizontal edge (positive: lighter above).
SIGNS: Mapping[Corner, tuple[int, int]] = {
    "top left": (-1, -1),
    "top right": (1, -1),
    "bottom left": (-1, 1),
    "bottom right": (1, 1),
}


def find_corners(picture: Tensor, corner: Corner = "top left", *, share: float = 1.0) -> CornerMaps:
    """Where a vertical and a horizontal edge meet.

    The first layer has two filters with ReLU, a vertical and a horizontal edge. The second adds their maps
    and subtracts a threshold: corner = ReLU(vertical + horizontal - threshold), threshold = share times the
    strongest single edge of the picture. At share 1 no straight edge alone can pass.

    Args:
        picture: brightness [H, W].
        corner: which corner of something bright to look for.
        share: of the strongest edge, from 0.

    Raises:
        SpecError: when there is no such corner, ``share`` is negative, or the picture is smaller than 3 x 3.
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
