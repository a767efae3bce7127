"""What a map of hidden windows says: which window matters most, what the picture becomes, what the rest is worth.

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


class Place(NamedTuple):
    """A window by its row and column in the map."""

    row: int
    column: int


class ClassShare(NamedTuple):
    """A class that comes first under some windows: its index, and how many windows."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks of a share
    windows: int


class WindowRow(NamedTuple):
    """A window and what became of the scores: a line of a table."""

    row: int
    column: int
    top: int
    left: int
    probability: float
    logit: float
    drop: float
    top_class: int
    top_probability: float


def table(found: OcclusionMap) -> tuple[WindowRow, ...]:
    """All windows that are computed, in reading order."""
    drop = found.drop()
    return tuple(
        WindowRow(
            row=row,
            column=column,
            top=int(found.tops[row]),
            left=int(found.lefts[column]),
            probability=float(found.probability[row, column]),
            logit=float(found.logit[row, column]),
            drop=float(drop[row, column]),
            top_class=int(found.top_class[row, column]),
            top_probability=float(found.top_probability[row, column]),
        )
        for row, column in (found.top_class >= 0).nonzero().tolist()
    )


def strongest(found: OcclusionMap) -> Place:
    """The window that lowers the logit most, among those that are computed.

    Raises:
        SpecError: when none is computed.
    """
    drop = found.drop()
    if bool(drop.isnan().all()):
        raise SpecError("No window has been computed yet; take a frame of the computation.")
    row, column = divmod(int(drop.nan_to_num(nan=-torch.inf).argmax()), drop.shape[1])
    return Place(row, column)


def window_at(found: OcclusionMap, y: float, x: float) -> Place:
    """The window whose centre is nearest to a point.

    Args:
        found: the map.
        y: pixels of the network's view from the top.
        x: pixels of the network's view from the left.
    """
    half = found.spec.window / 2
    return Place(_nearest(found.tops, y - half), _nearest(found.lefts, x - half))


def centre(found: OcclusionMap, place: Place) -> tuple[int, int]:
    """The pixel in the middle of a window: (row, column) of the network's view."""
    half = found.spec.window // 2
    return int(found.tops[place.row]) + half, int(found.lefts[place.column]) + half


def filled_in(values: Tensor, pending: Tensor) -> Tensor:
    """A coarse map: every pending cell takes the value of the nearest that is computed.

    Args:
        values: [R, C].
        pending: bool [R, C].

    Raises:
        SpecError: when every cell is pending.
    """
    if not bool(pending.any()):
        return values
    known, missing = (~pending).nonzero(), pending.nonzero()
    if not len(known):
        raise SpecError("No window has been computed yet; take a frame of the computation.")
    nearest = known[torch.cdist(missing.float(), known.float()).argmin(dim=1)]
    filled = values.clone()
    filled[missing[:, 0], missing[:, 1]] = values[nearest[:, 0], nearest[:, 1]]
    return filled


def probabilities(found: OcclusionMap) -> Tensor:
    """Probability of the class by position of the window, pending ones filled in from their neighbours: [R, C]."""
    return filled_in(found.probability, found.probability.isnan())


def classes(found: OcclusionMap) -> Tensor:
    """The class that comes first by position of the window, pending ones filled in from their neighbours: [R, C]."""
    return filled_in(found.top_class, found.top_class < 0)


def class_shares(found: OcclusionMap) -> tuple[ClassShare, ...]:
    """How many of the computed windows each class comes first under, the most frequent first."""
    computed = found.top_class[found.top_class >= 0]
    indices, counts = computed.unique(return_counts=True)
    order = counts.argsort(descending=True, stable=True)
    return tuple(ClassShare(int(indices[i]), int(counts[i])) for i in order)


def least_important(found: OcclusionMap, *, share: float = 0.5) -> Tensor:
    """The pixels whose windows lowered the logit least, as many as make up a share of the picture.

    The pixels of ``heatmap()`` in ascending order; pixels that no window has covered come last, since nobody knows.

    Args:
        found: the map.
        share: of the picture's pixels, 0 to 1.

    Returns:
        bool [S, S].

    Raises:
        SpecError: when the share is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise SpecError(f"A share of the picture lies between 0 and 1, not at {share}.")
    heatmap = found.heatmap()
    order = heatmap.nan_to_num(nan=torch.inf).flatten().argsort(stable=True)
    chosen = torch.zeros(heatmap.numel(), dtype=torch.bool)
    chosen[order[: round(share * heatmap.numel())]] = True
    return chosen.view(heatmap.shape)


def cells(starts: Sequence[int] | Tensor, window: int, size: int) -> Spans:
    """Which stretch of the picture is nearest to each window's centre, along one axis.

    The border is the middle between two centres; the first and the last cell reach as far outwards as inwards.

    Args:
        starts: first pixel of every window, ascending.
        window: side of a window, in pixels.
        size: side of the picture, in pixels.

    Returns:
        (begin, end) of each cell, as shares of the picture's side.
    """
    centres = [float(start) + window / 2 for start in starts]
    if len(centres) == 1:
        return ((0.0, 1.0),)
    middles = [(low + high) / 2 for low, high in pairwise(centres)]
    edges = [2 * centres[0] - middles[0], *middles, 2 * centres[-1] - middles[-1]]
    bounded = [min(max(edge / size, 0.0), 1.0) for edge in edges]
    return tuple(pairwise(bounded))


def _nearest(starts: Sequence[int] | Tensor, wanted: float) -> int:
    return int((torch.as_tensor(starts, dtype=torch.float32) - wanted).abs().argmin())
