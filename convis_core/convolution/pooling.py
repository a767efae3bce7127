"""Pooling: one number for each window, the largest or the mean."""

import torch
from torch import Tensor

from convis_core.results.convolution import Pooled, PoolKind
from convis_core.values import check_choice, check_whole


def pool(values: Tensor, *, window: int = 2, stride: int = 2, kind: PoolKind = "max") -> Pooled:
    """One number for each whole window of every channel.

    Args:
        values: [C, H, W].
        window: side of the window, in cells.
        stride: cells from one window to the next.
        kind: "max" for the largest number, "average" for the mean.

    Raises:
        SpecError: when the window does not fit, or ``kind`` is neither.
    """
    check_choice("The pooling", kind, ("max", "average"))
    check_whole("The window", window, 1, min(values.shape[1:]))
    check_whole("The stride", stride, 1, 10_000)
    windows = values.unfold(1, window, stride).unfold(2, window, stride).flatten(3)
    if kind == "average":
        return Pooled(windows.mean(dim=3), None, kind, window, stride)
    largest, places = windows.max(dim=3)
    rows = torch.arange(windows.shape[1])[None, :, None] * stride + places // window
    columns = torch.arange(windows.shape[2])[None, None, :] * stride + places % window
    return Pooled(largest, torch.stack([rows, columns], dim=3), kind, window, stride)
