"""In which order and in which portions the windows of an occlusion map are computed."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convis_core.engines import incremental
from convis_core.engines.incremental import Batch, Program
from convis_core.errors import SpecError
from convis_core.results import OcclusionSpec

_BATCH = 32  # windows; more at once make nothing faster
_SLICE = 1024  # windows that are arranged at once
_SHORTEST, _LONGEST = 0.25, 0.8  # seconds that a chunk should take one core of a fast machine


class Chunk(NamedTuple):
    """What one lane computes at a stretch.

    Attributes:
        rows: of each window in the map, [N], batch after batch.
        columns: likewise.
        batches: the windows; members count within the slice they were arranged in.
        seconds: what it should take one core of a fast machine.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    batches: tuple[Batch, ...]
    seconds: float


class Crew(NamedTuple):
    """Who computes.

    Attributes:
        lanes: how many at once.
        memory: bytes of activations that all of them together may occupy.
    """

    lanes: int
    memory: int


def grid(size: int, spec: OcclusionSpec) -> tuple[int, ...]:
    """First pixels of the windows along one axis: 0, s, 2s, ... while they fit, and one flush with the far edge.

    Args:
        size: side of the picture, in pixels.
        spec: window and stride.

    Raises:
        SpecError: when the window is larger than the picture.
    """
    if spec.window > size:
        raise SpecError(f"A window of {spec.window} pixels is larger than the picture; choose at most {size}.")
    last = size - spec.window
    return tuple(sorted({*range(0, last + 1, spec.stride), last}))


def interlaced(count: int) -> list[NDArray[np.int64]]:
    """The places of a map of count x count windows, coarse to fine: index pairs [N, 2] of every level.

    First every fifth row and column, a twenty-fifth of all, which with the pass over the picture itself is about a
    sixteenth of the work; then every second; then the rest. The first lattice begins a little inside, so that each of
    its windows is near the middle of the square that it stands for.
    """
    rows, columns = np.meshgrid(np.arange(count), np.arange(count), indexing="ij")
    offset = min(2, (count - 1) // 2)
    first = (rows % 5 == offset) & (columns % 5 == offset)
    second = (rows % 2 == 0) & (columns % 2 == 0) & ~first
    levels = [np.stack((rows[level], columns[level]), axis=1) for level in (first, second, ~first & ~second)]
    return [level for level in levels if len(level)]


def portions(
    network: Program,
    spec: OcclusionSpec,
    starts: NDArray[np.int64],
    levels: Iterable[NDArray[np.int64]],
    crew: Crew,
) -> Iterator[Chunk]:
    """Windows of a map in portions for the lanes, level after level, arranged as they are asked for.

    Args:
        network: the program.
        spec: the window's side.
        starts: ``grid``'s.
        levels: which windows, as ``interlaced`` gives them.
        crew: for whom. The portions of a level are of one length, and their number is a multiple of the lanes'.
    """
    side = (spec.window, spec.window)
    # A chunk pays once for reading the weights of the tail: let it be long where these are large.
    length = min(max(20 * incremental.tail_seconds(network, 0), _SHORTEST), _LONGEST)
    for level in levels:
        for first in range(0, len(level), _SLICE):
            rows, columns = level[first : first + _SLICE].T
            fair = min(-(-len(rows) // crew.lanes), _BATCH)
            batches = incremental.arrange(
                network,
                side,
                starts[rows],
                starts[columns],
                incremental.Limits(fair, min(crew.memory // crew.lanes, incremental.Limits().memory)),
            )
            for bunch in _even(batches, length, crew.lanes):
                members = np.concatenate([batch.members for batch in bunch])
                seconds = sum(batch.seconds for batch in bunch) + incremental.tail_seconds(network, len(members))
                yield Chunk(rows[members], columns[members], tuple(bunch), seconds)


def _even(batches: list[Batch], length: float, workers: int) -> list[list[Batch]]:
    """Batches in bunches that take about equally long: the longest first, each to the bunch that has least."""
    wanted = -(-sum(batch.seconds for batch in batches) // (length * workers)) * workers
    bunches: list[list[Batch]] = [[] for _ in range(min(int(wanted), len(batches)))]
    filled = [0.0] * len(bunches)
    for batch in sorted(batches, key=lambda batch: batch.seconds, reverse=True):
        least = filled.index(min(filled))
        bunches[least].append(batch)
        filled[least] += batch.seconds
    return bunches
