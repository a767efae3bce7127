"""Readings of an occlusion map: its most important window, the top classes, and the least important pixels.

Pure functions of an ``OcclusionMap``; they run no network. A map may be partial: pending windows are nan.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from convis_core.errors import SpecError
from convis_core.results import OcclusionMap

Spans = tuple[tuple[float, float], ...]


class Position(NamedTuple):
    """The position of a window: its row and column in the map."""

    row: int
    column: int


class ClassShare(NamedTuple):
    """A class that is the top class under some windows: its index, and the number of windows."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which is not needed here
    windows: int


class WindowRow(NamedTuple):
    """A row of a table: a window, and the scores with it hidden."""

    row: int
    column: int
    top: int
    left: int
    probability: float
    logit: float
    drop: float
    top_class: int
    top_probability: float


def table(occlusion_map: OcclusionMap) -> tuple[WindowRow, ...]:
    """All windows computed so far, in reading order."""
    drop = occlusion_map.drop()
    return tuple(
        WindowRow(
            row=row,
            column=column,
            top=int(occlusion_map.tops[row]),
            left=int(occlusion_map.lefts[column]),
            probability=float(occlusion_map.probability[row, column]),
            logit=float(occlusion_map.logit[row, column]),
            drop=float(drop[row, column]),
            top_class=int(occlusion_map.top_class[row, column]),
            top_probability=float(occlusion_map.top_probability[row, column]),
        )
        for row, column in (occlusion_map.top_class >= 0).nonzero().tolist()
    )


def strongest(occlusion_map: OcclusionMap) -> Position:
    """The window that lowers the logit most, among those computed so far.

    Raises:
        SpecError: when none is computed.

    >>> from torch import nn
    >>> from convis_core import models, occlusion
    >>> from convis_core.results import OcclusionSpec
    >>> model = models.wrap(nn.Sequential(nn.AvgPool2d(16), nn.Flatten()), input_size=16)
    >>> x = torch.zeros(1, 3, 16, 16)
    >>> x[..., 8:, :8] = 1  # bright at the lower left
    >>> *_, last = occlusion.occlusion(model, x, 0, OcclusionSpec(window=8, stride=8, fill="black"))
    >>> strongest(last)
    Position(row=1, column=0)
    """
    drop = occlusion_map.drop()
    if bool(drop.isnan().all()):
        raise SpecError("No window has been computed yet; use a frame of the computation.")
    row, column = divmod(int(drop.nan_to_num(nan=-torch.inf).argmax()), drop.shape[1])
    return Position(row, column)


def window_at(occlusion_map: OcclusionMap, y: float, x: float) -> Position:
    """The window whose centre is nearest to a point.

    Args:
        occlusion_map: complete or partial.
        y: pixels of the network's view from the top.
        x: pixels of the network's view from the left.
    """
    half = occlusion_map.spec.window / 2
    return Position(_nearest(occlusion_map.tops, y - half), _nearest(occlusion_map.lefts, x - half))


def centre(occlusion_map: OcclusionMap, position: Position) -> tuple[int, int]:
    """The pixel in the middle of a window: (row, column) of the network's view."""
    half = occlusion_map.spec.window // 2
    return int(occlusion_map.tops[position.row]) + half, int(occlusion_map.lefts[position.column]) + half


def filled_in(values: Tensor, pending: Tensor) -> Tensor:
    """The map without gaps: every pending cell takes the value of the nearest computed one.

    Args:
        values: [R, C].
        pending: bool [R, C].

    Raises:
        SpecError: when every cell is pending.

    >>> values = torch.tensor([[5.0, 0.0, 0.0, 7.0]])
    >>> filled_in(values, torch.tensor([[False, True, True, False]])).tolist()
    [[5.0, 5.0, 7.0, 7.0]]
    """
    if not bool(pending.any()):
        return values
    known, missing = (~pending).nonzero(), pending.nonzero()
    if not len(known):
        raise SpecError("No window has been computed yet; use a frame of the computation.")
    nearest = known[torch.cdist(missing.float(), known.float()).argmin(dim=1)]
    filled = values.clone()
    filled[missing[:, 0], missing[:, 1]] = values[nearest[:, 0], nearest[:, 1]]
    return filled


def probabilities(occlusion_map: OcclusionMap) -> Tensor:
    """The probability of the class by position of the window, [R, C], pending ones filled in from the nearest."""
    return filled_in(occlusion_map.probability, occlusion_map.probability.isnan())


def classes(occlusion_map: OcclusionMap) -> Tensor:
    """The top class by position of the window, [R, C], pending ones filled in from the nearest."""
    return filled_in(occlusion_map.top_class, occlusion_map.top_class < 0)


def class_shares(occlusion_map: OcclusionMap) -> tuple[ClassShare, ...]:
    """The number of computed windows under which each class is the top class, the most frequent first."""
    computed = occlusion_map.top_class[occlusion_map.top_class >= 0]
    indices, counts = computed.unique(return_counts=True)
    order = counts.argsort(descending=True, stable=True)
    return tuple(ClassShare(int(indices[i]), int(counts[i])) for i in order)


def least_important(occlusion_map: OcclusionMap, *, share: float = 0.5) -> Tensor:
    """The pixels whose windows lower the logit least, as many as make up a share of the picture.

    These are the lowest values of ``heatmap()``; pixels that no window has covered yet come last, since their effect is
    unknown.

    Args:
        occlusion_map: complete or partial.
        share: of the picture's pixels, 0 to 1.

    Returns:
        bool [S, S].

    Raises:
        SpecError: when the share is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise SpecError(f"A share of the picture lies between 0 and 1; {share} does not.")
    heatmap = occlusion_map.heatmap()
    order = heatmap.nan_to_num(nan=torch.inf).flatten().argsort(stable=True)
    chosen = torch.zeros(heatmap.numel(), dtype=torch.bool)
    chosen[order[: round(share * heatmap.numel())]] = True
    return chosen.view(heatmap.shape)


def cells(starts: Sequence[int] | Tensor, window: int, size: int) -> Spans:
    """The part of the picture that is nearest to each window's centre, along one axis.

    Neighbouring cells meet halfway between their centres; the first and the last extend as far outwards as inwards.

    Args:
        starts: first pixel of every window, ascending.
        window: side of a window, in pixels.
        size: side of the picture, in pixels.

    Returns:
        (begin, end) of each cell, as shares of the picture's side.

    >>> cells([0, 4, 6], window=4, size=10)  # centres at 2, 6 and 8
    ((0.0, 0.4), (0.4, 0.7), (0.7, 0.9))
    """
    centres = [float(start) + window / 2 for start in starts]
    if len(centres) == 1:
        return ((0.0, 1.0),)
    borders = [(low + high) / 2 for low, high in pairwise(centres)]
    edges = [2 * centres[0] - borders[0], *borders, 2 * centres[-1] - borders[-1]]
    bounded = [min(max(edge / size, 0.0), 1.0) for edge in edges]
    return tuple(pairwise(bounded))


def _nearest(starts: Sequence[int] | Tensor, wanted: float) -> int:
    return int((torch.as_tensor(starts, dtype=torch.float32) - wanted).abs().argmin())
