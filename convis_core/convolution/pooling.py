"""Pooling: one number for each window, its maximum or its mean."""

import torch
from torch import Tensor

from convis_core.results.convolution import Pooled, PoolKind
from convis_core.values import check_choice, check_whole


def pool(values: Tensor, *, window: int = 2, stride: int = 2, kind: PoolKind = "max") -> Pooled:
    """The maximum or the mean of each whole window of every channel.

    Args:
        values: [C, H, W].
        window: side of the window, in cells.
        stride: cells from one window to the next.
        kind: "max" or "average".

    Raises:
        SpecError: when the window does not fit, or ``kind`` is neither.

    >>> import torch
    >>> from convis_core import convolution
    >>> values = torch.tensor([[[1.0, 2.0, 5.0, 6.0], [3.0, 4.0, 8.0, 7.0]]])
    >>> largest = convolution.pool(values)
    >>> largest.values.tolist(), largest.winners.tolist()  # 4 stood in row 1, column 1; 8 in row 1, column 2
    ([[[4.0, 8.0]]], [[[[1, 1], [1, 2]]]])
    >>> convolution.pool(values, kind="average").values.tolist()
    [[[2.5, 6.5]]]
    """
    check_choice("The pooling", kind, ("max", "average"))
    check_whole("The window", window, 1, min(values.shape[1:]))
    check_whole("The stride", stride, 1, 10_000)
    windows = values.unfold(1, window, stride).unfold(2, window, stride).flatten(3)
    if kind == "average":
        return Pooled(windows.mean(dim=3), None, kind, window, stride)
    largest, indices = windows.max(dim=3)
    rows = torch.arange(windows.shape[1])[None, :, None] * stride + indices // window
    columns = torch.arange(windows.shape[2])[None, None, :] * stride + indices % window
    return Pooled(largest, torch.stack([rows, columns], dim=3), kind, window, stride)
