"""Which windows to compute together, and what it costs.

All crops of a batch have one size per layer, that of its largest; so windows whose regions are alike belong
together: those at a border need smaller crops than those in the middle, and a window that begins in the middle of a
pooling cell larger ones than one that begins at its edge. But every batch also costs something of its own: each
operation is started once, and the weights are read once.
"""

import functools
import math
import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from convis_core.incremental import kernels
from convis_core.incremental.kernels import Pair, Starts
from convis_core.incremental.program import Placed, Program, spans
from convis_core.incremental.regions import place
from convis_core.incremental.steps import Kind

# What one core does in a second; only the proportions matter for the choice of batches.
_MULTIPLY_ADDS = 75e9
_BYTES = 10e9
_STARTING_A_STEP = 25e-6
_NEW_SIZE = 400e-6  # oneDNN writes a program for every size of convolution that it meets

_USUAL = 16  # windows in a batch, as a rule


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Windows that are computed together.

    Attributes:
        members: which of the windows asked for, [N].
        sizes: height and width of the crops at every step; (0, 0) where there are none.
        starts: first rows and first columns of the crops, [2, K, N].
        seconds: how long it would take one core of a fast machine, the tail left out.
        multiply_adds: how many it takes, the tail left out.
    """

    members: NDArray[np.int64]
    sizes: tuple[Pair, ...]
    starts: Starts
    seconds: float
    multiply_adds: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a batch may be.

    Attributes:
        windows: at most so many.
        memory: bytes of activations that it may occupy while it is computed. More makes nothing faster: they
            no longer fit into a core's cache, and the weights are read seldom enough.
    """

    windows: int = 32
    memory: int = 48 * 2**20


@dataclass(frozen=True, slots=True)
class Work:
    """Multiply-adds, and how long they would take one core of a fast machine.

    Attributes:
        multiply_adds: of convolutions and linear layers.
        seconds: a guess from multiply-adds and bytes; a machine's pace is what it must be multiplied by.
    """

    multiply_adds: int
    seconds: float


class _Costs(NamedTuple):
    """Seconds per position of every step [K] and per batch, multiply-adds per position [K]."""

    position: NDArray[np.float64]
    batch: float
    multiply_adds: NDArray[np.int64]


class _Axis(NamedTuple):
    """One axis: at every step, the spans of P positions [K, 2, P] and the length of the map [K]; 0 where no map."""

    spans: NDArray[np.int64]
    lengths: NDArray[np.int64]


def arrange(network: Program, window: Pair, tops: Starts, lefts: Starts, limits: Limits) -> list[Batch]:
    """Batches for windows of one size at many positions.

    A set of windows is cut in two where that saves most, as long as it saves more than a batch costs.

    Args:
        network: the program.
        window: height and width, in pixels.
        tops: first row of each window.
        lefts: first column of each window.
        limits: how large a batch may be.
    """
    rows, which_row = _axis(network, 0, tops, window[0])
    columns, which_column = _axis(network, 1, lefts, window[1])
    costs = _costs(network)
    heights, widths = _extents(rows)[:, which_row], _extents(columns)[:, which_column]
    largest = min(
        limits.windows, max(1, limits.memory // _footprint(network, heights.max(axis=1) * widths.max(axis=1)))
    )
    weight, tall, wide = _condensed(costs.position, heights, widths)
    groups: list[NDArray[np.int64]] = []
    waiting = [np.arange(len(tops))]
    while waiting:
        group = waiting.pop()
        parts = _cut(weight, tall[:, group], wide[:, group], costs.batch, len(group) > largest)
        if parts is None:
            groups.append(group)
        else:
            waiting += [group[parts[1]], group[parts[0]]]
    batches = []
    for unordered in groups:
        group = unordered[np.lexsort((lefts[unordered], tops[unordered]))]
        batches.append(_batch(group, (rows, columns), (which_row[group], which_column[group]), costs))
    return batches


def _cut(
    weight: NDArray[np.float64], tall: NDArray[np.int64], wide: NDArray[np.int64], overhead: float, forced: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """The best way to cut a set of windows in two along a ranking by height or by width; None to leave it whole."""
    count = tall.shape[1]
    together = count * float(weight @ (tall.max(axis=1) * wide.max(axis=1)))
    best, least = None, np.inf if forced else together - overhead
    first = np.arange(1, count)
    for sizes in (tall, wide):
        order = np.argsort(weight @ sizes, kind="stable")
        up = _growing(weight, tall[:, order], wide[:, order])[:-1] * first
        down = _growing(weight, tall[:, order[::-1]], wide[:, order[::-1]])[-2::-1] * (count - first)
        if len(up) and float((up + down).min()) < least:
            cut = int((up + down).argmin()) + 1
            least = float((up + down)[cut - 1])
            best = (order[:cut], order[cut:])
    return best


def _growing(weight: NDArray[np.float64], tall: NDArray[np.int64], wide: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cost of a window among the first 1, 2, ... windows, all with crops of one size."""
    grown: NDArray[np.float64] = weight @ (np.maximum.accumulate(tall, axis=1) * np.maximum.accumulate(wide, axis=1))
    return grown


def _condensed(
    weight: NDArray[np.float64], tall: NDArray[np.int64], wide: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Steps with the same regions taken together; there are many, and the search looks at each."""
    both = np.concatenate((tall, wide), axis=1)
    unique, which = np.unique(both, axis=0, return_inverse=True)
    summed = np.bincount(which.reshape(-1), weights=weight, minlength=len(unique)).astype(np.float64)
    return summed, unique[:, : tall.shape[1]], unique[:, tall.shape[1] :]


def _batch(
    members: NDArray[np.int64],
    axes: tuple[_Axis, _Axis],
    which: tuple[NDArray[np.int64], NDArray[np.int64]],
    costs: _Costs,
) -> Batch:
    sizes = []
    starts = []
    for axis, chosen in zip(axes, which, strict=True):
        reached = axis.spans[:, :, chosen]
        size = np.minimum((reached[:, 1] - reached[:, 0]).max(axis=1).clip(1), axis.lengths)
        sizes.append(size)
        starts.append(place(reached[:, 0], size[:, None], axis.lengths[:, None]))
    area = sizes[0] * sizes[1]
    seconds = costs.batch + len(members) * float(costs.position @ area)
    multiply_adds = len(members) * int(costs.multiply_adds @ area)
    pairs = tuple(zip(sizes[0].tolist(), sizes[1].tolist(), strict=True))
    return Batch(members, pairs, np.stack(starts), seconds, multiply_adds)


def _axis(network: Program, axis: int, positions: Starts, window: int) -> tuple[_Axis, NDArray[np.int64]]:
    unique, which = np.unique(positions, return_inverse=True)
    found = spans(network, axis, unique, window)
    nothing = np.zeros((2, len(unique)), dtype=np.int64)
    lengths = [0 if span is None else network.steps[k].extent[axis] for k, span in enumerate(found)]
    return _Axis(np.stack([nothing if span is None else span for span in found]), np.array(lengths)), which


def _extents(axis: _Axis) -> NDArray[np.int64]:
    size: NDArray[np.int64] = np.minimum((axis.spans[:, 1] - axis.spans[:, 0]).clip(1), axis.lengths[:, None])
    return size


def _costs(network: Program) -> _Costs:
    crops = [placed if placed.spatial else None for placed in network.steps]
    position = [0.0 if placed is None else _seconds(network, placed) for placed in crops]
    multiply_adds = [0 if placed is None else placed.step.multiply_adds for placed in crops]
    weights = 4 * sum(multiply_adds)  # a convolution's multiply-adds per position are its weights
    sized = sum(_has_halo(placed) and placed.step.multiply_adds > 0 for placed in network.steps)
    started = _STARTING_A_STEP * len(network.steps) + _NEW_SIZE * sized
    return _Costs(np.array(position), started + weights / _BYTES, np.array(multiply_adds))


def _seconds(network: Program, placed: Placed) -> float:
    """Seconds per position of a step's output map."""
    read = sum((network.steps[index].shape or (0,))[0] for index in placed.inputs)
    touched = float(read + (placed.shape or (0,))[0])
    if _has_halo(placed) and placed.step.slides is not None:
        rows, columns = placed.step.slides
        touched += 2 * read * rows.stride * columns.stride  # filled from the base, laid over, read
    return placed.step.multiply_adds / _MULTIPLY_ADDS + 4 * touched / _BYTES


def expected(network: Program, window: Pair, tops: Starts, lefts: Starts) -> Work:
    """The work of windows at all pairs of these rows and columns, each computed with crops of its own size.

    Args:
        network: the program.
        window: height and width, in pixels.
        tops: first rows.
        lefts: first columns.
    """
    rows, columns = _axis(network, 0, tops, window[0])[0], _axis(network, 1, lefts, window[1])[0]
    costs = _costs(network)
    windows = len(tops) * len(lefts)
    area = _extents(rows).sum(axis=1) * _extents(columns).sum(axis=1)  # the sum of all products is that of sums
    count = int(costs.multiply_adds @ area) + windows * tail_multiply_adds(network)
    batches = -(-windows // _USUAL)
    return Work(count, float(costs.position @ area) + batches * costs.batch + tail_seconds(network, windows))


def multiply_adds(network: Program) -> int:
    """Multiply-adds of one full forward pass."""
    maps = sum(
        placed.step.multiply_adds * placed.extent[0] * placed.extent[1] for placed in network.steps if placed.spatial
    )
    return maps + tail_multiply_adds(network)


def tail_multiply_adds(network: Program) -> int:
    """Those of them that every window costs in full."""
    return sum(placed.step.multiply_adds for placed in network.steps if not placed.spatial)


def tail_seconds(network: Program, windows: int) -> float:
    """How long what is always computed in full takes one core of a fast machine, for many windows at once."""
    count = tail_multiply_adds(network)
    return windows * count / _MULTIPLY_ADDS + 4 * count / _BYTES


@functools.cache
def measured_pace() -> float:
    """How much slower this core is than the fast machine that costs are given for, by one convolution, timed."""
    convolution = kernels.convolution(torch.ones(256, 256, 3, 3), None, ((1, 1), (1, 1), 1), None)
    x = kernels.channels_last(torch.ones(4, 256, 18, 18))
    timings = []
    for _ in range(4):
        start = time.perf_counter()
        convolution(x, (0, 0))
        timings.append(time.perf_counter() - start)
    return min(timings) * _MULTIPLY_ADDS / (4 * 256 * 16 * 16 * 256 * 9)


def _has_halo(placed: Placed) -> bool:
    """Whether a step reads more of its input than the crop."""
    trivial = placed.step.slides is None or all(slide.is_trivial for slide in placed.step.slides)
    return placed.step.kind is Kind.SLIDING and not trivial


def _footprint(network: Program, area: NDArray[np.int64]) -> int:
    """Bytes that a window occupies where it occupies most: the values still wanted, and what is read from them."""
    sizes = [
        int((placed.shape or (0,))[0] * area[index]) if placed.spatial else int(np.prod(placed.shape or (0,)))
        for index, placed in enumerate(network.steps)
    ]
    alive, most = 0, 1
    for index, placed in enumerate(network.steps):
        halo = (
            2 * sum(sizes[before] for before in placed.inputs)
            if _has_halo(placed) and area[index] < math.prod(placed.extent)
            else 0
        )
        whole = placed.step.kind is Kind.WHOLE
        copied = sum(int(np.prod(network.steps[k].shape or (0,))) for k in placed.inputs) if whole else 0
        alive += sizes[index]
        most = max(most, alive + halo + copied + placed.step.scratch)
        alive -= sum(sizes[before] for before in placed.inputs if network.steps[before].uses[-1] == index)
    return 4 * most
