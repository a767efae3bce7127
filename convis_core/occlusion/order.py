"""The order in which the windows of an occlusion map are computed, and the chunks that share them among the lanes."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convis_core.engines import incremental
from convis_core.engines.incremental import Batch, Program
from convis_core.errors import SpecError
from convis_core.results import OcclusionSpec

_BATCH = 32  # windows; larger batches are no faster
_SLICE = 1024  # windows that are batched together
_SHORTEST, _LONGEST = 0.25, 0.8  # seconds that a chunk should take on one core of a fast machine


class Chunk(NamedTuple):
    """Windows that one lane computes without a break.

    Attributes:
        rows: row of each window in the map, [N], batch after batch.
        columns: its column, likewise.
        batches: the windows; their members are indices within one slice of the level.
        seconds: expected duration on one core of a fast machine.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    batches: tuple[Batch, ...]
    seconds: float


class Capacity(NamedTuple):
    """The resources for a map.

    Attributes:
        lanes: number of lanes that compute at once.
        memory: bytes of activations that all of them together may occupy.
    """

    lanes: int
    memory: int


def grid(size: int, spec: OcclusionSpec) -> tuple[int, ...]:
    """The first pixels of the windows along one axis: 0, s, 2s, ... while they fit, and one flush with the far edge.

    Args:
        size: side of the picture, in pixels.
        spec: window and stride.

    Raises:
        SpecError: when the window is larger than the picture.

    >>> grid(20, OcclusionSpec(window=8, stride=5))
    (0, 5, 10, 12)
    """
    if spec.window > size:
        raise SpecError(f"A window of {spec.window} pixels is larger than the picture; choose at most {size}.")
    last = size - spec.window
    return tuple(sorted({*range(0, last + 1, spec.stride), last}))


def interlaced(count: int) -> list[NDArray[np.int64]]:
    """The positions in a map of count x count windows, coarse to fine, as index pairs [N, 2] of every level.

    First every fifth row and column, a twenty-fifth of all, which with the pass over the picture itself is about a
    sixteenth of the work; then every second; then the rest. The first level begins two rows and columns from the edge,
    so that each of its windows is near the middle of the square that it represents.

    >>> [len(level) for level in interlaced(10)]
    [4, 24, 72]
    >>> interlaced(10)[0].tolist()
    [[2, 2], [2, 7], [7, 2], [7, 7]]
    """
    rows, columns = np.meshgrid(np.arange(count), np.arange(count), indexing="ij")
    offset = min(2, (count - 1) // 2)
    first = (rows % 5 == offset) & (columns % 5 == offset)
    second = (rows % 2 == 0) & (columns % 2 == 0) & ~first
    levels = [np.stack((rows[level], columns[level]), axis=1) for level in (first, second, ~first & ~second)]
    return [level for level in levels if len(level)]


def chunks(
    network: Program,
    spec: OcclusionSpec,
    starts: NDArray[np.int64],
    levels: Iterable[NDArray[np.int64]],
    capacity: Capacity,
) -> Iterator[Chunk]:
    """The windows of a map in chunks for the lanes, level after level, batched as they are asked for.

    Args:
        network: the program.
        spec: the window's side.
        starts: from ``grid``.
        levels: positions of the windows, as ``interlaced`` returns them.
        capacity: lanes and memory. The chunks of a level take about equally long, and their number is a multiple of the
            number of lanes.
    """
    side = (spec.window, spec.window)
    # A chunk reads the weights of the tail once, so it should be long where these are large.
    length = min(max(20 * incremental.tail_seconds(network, 0), _SHORTEST), _LONGEST)
    for level in levels:
        for first in range(0, len(level), _SLICE):
            rows, columns = level[first : first + _SLICE].T
            largest = min(-(-len(rows) // capacity.lanes), _BATCH)
            batches = incremental.arrange(
                network,
                side,
                starts[rows],
                starts[columns],
                incremental.Limits(largest, min(capacity.memory // capacity.lanes, incremental.Limits().memory)),
            )
            for group in _balanced(batches, length, capacity.lanes):
                members = np.concatenate([batch.members for batch in group])
                seconds = sum(batch.seconds for batch in group) + incremental.tail_seconds(network, len(members))
                yield Chunk(rows[members], columns[members], tuple(group), seconds)


def _balanced(batches: list[Batch], length: float, workers: int) -> list[list[Batch]]:
    """Batches in groups that take about equally long: the longest batch first, each to the shortest group so far."""
    wanted = -(-sum(batch.seconds for batch in batches) // (length * workers)) * workers
    groups: list[list[Batch]] = [[] for _ in range(min(int(wanted), len(batches)))]
    seconds = [0.0] * len(groups)
    for batch in sorted(batches, key=lambda batch: batch.seconds, reverse=True):
        shortest = seconds.index(min(seconds))
        groups[shortest].append(batch)
        seconds[shortest] += batch.seconds
    return groups
