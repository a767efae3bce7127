"""Pooling: one number for each window, the largest or the mean."""

import torch
from torch import Tensor

from convis_core.errors import SpecError
from convis_core.results.convolution import Pooled, PoolKind


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
    if kind not in ("max", "average"):
        raise SpecError(f"Pooling takes the 'max' or the 'average', not {kind!r}.")
    if window < 1 or stride < 1 or window > min(values.shape[1:]):
        raise SpecError(f"A window of {window} moved by {stride} does not fit into {tuple(values.shape[1:])}.")
    windows = values.unfold(1, window, stride).unfold(2, window, stride).flatten(3)
    if kind == "average":
        return Pooled(windows.mean(dim=3), None, kind, window, stride)
    largest, places = windows.max(dim=3)
    rows = torch.arange(windows.shape[1])[None, :, None] * stride + places // window
    columns = torch.arange(windows.shape[2])[None, None, :] * stride + places % window
    return Pooled(largest, torch.stack([rows, columns], dim=3), kind, window, stride)
