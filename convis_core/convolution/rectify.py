"""ReLU: negative values become zero, the others stay."""

import math

import torch
from torch import Tensor

from convis_core.results.convolution import Rectified
from convis_core.values import check_whole


def rectify(values: Tensor, *, bins: int = 40) -> Rectified:
    """ReLU of a map, max(0, values), with the histograms before and after.

    Args:
        values: [H, W].
        bins: about how many bins; zero is always an edge between two of them.

    Raises:
        SpecError: when ``bins`` is not between 1 and 10,000.

    >>> import torch
    >>> from convis_core import convolution
    >>> rectified = convolution.rectify(torch.tensor([[-1.0, 3.0], [0.0, -2.0]]), bins=5)
    >>> rectified.after.tolist(), rectified.silenced
    ([[0.0, 3.0], [0.0, 0.0]], 0.5)
    >>> rectified.edges.tolist(), rectified.counts_before.tolist(), rectified.counts_after.tolist()
    ([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0], [1, 1, 1, 0, 1], [0, 0, 3, 0, 1])
    """
    check_whole("The number of bins", bins, 1, 10_000)
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    width = (high - low) / bins if high > low else 1.0
    # Rounded up, except where a rounding error alone would add a bin; any negative value needs a bin below zero.
    below = max(1, math.ceil(-low / width - 1e-9)) if low < 0 else 0
    above = max(1, math.ceil(high / width - 1e-9))
    edges = torch.arange(-below, above + 1) * width
    after = values.relu()
    return Rectified(
        before=values,
        after=after,
        edges=edges,
        counts_before=_counts(values, width, below, above),
        counts_after=_counts(after, width, below, above),
        silenced=float((values < 0).float().mean()),
    )


def _counts(values: Tensor, width: float, below: int, above: int) -> Tensor:
    bins = (values.flatten().double() / width).floor().long().clamp(-below, above - 1) + below
    return torch.bincount(bins, minlength=below + above)
