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
from convis_core.incremental.regions import Spans, place
from convis_core.incremental.steps import Kind

# What one core does in a second; only the proportions matter for the choice of batches.
_MULTIPLY_ADDS = 75e9
_BYTES = 10e9
_CACHED_BYTES = 25e9
_TRANSFORMS = 64  # bytes that Winograd's transforms read and write for every number touched
_STARTING_A_STEP = 25e-6
_NEW_SIZE = 400e-6  # oneDNN writes a program for every size of convolution that it meets

_LONGEST_BATCH = 0.2  # seconds: what has begun cannot be stopped, and large batches of large crops leave the cache
_USUAL = 16  # windows in a batch, as a rule


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Windows that are computed together.

    Attributes:
        members: which of the windows asked for, [N].
        sizes: height and width of the crops at every step; (0, 0) where there are none.
        starts: first rows and first columns of the crops, [2, K, N].
        seconds: how long it would take one core of a fast machine, the tail left out.
        multiply_adds: how many are carried out, the tail left out.
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
        multiply_adds: that are carried out in convolutions and linear layers.
        seconds: a guess from multiply-adds and bytes; a machine's pace is what it must be multiplied by.
    """

    multiply_adds: int
    seconds: float


class _Costs(NamedTuple):
    """What every step costs.

    Attributes:
        position: seconds per position of the output map, [K].
        halo: seconds per position of what is cut out of the base and laid over before the step can read it, [K].
        stride: of that, in positions of the input per position of the output, [2, K].
        reach: of that, for a single position of the output, [2, K].
        batch: seconds that every batch costs besides.
        multiply_adds: that are carried out per position of the output map, [K].
        grain: crops of the output begin at multiples of this, [K].
        followers: steps whose crop is that of the step they read: step, step read, by how much it is moved.
    """

    position: NDArray[np.float64]
    halo: NDArray[np.float64]
    stride: NDArray[np.int64]
    reach: NDArray[np.int64]
    batch: float
    multiply_adds: NDArray[np.float64]
    grain: NDArray[np.int64]
    followers: list[tuple[int, int, Pair]]

    def crops(self, sizes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Seconds of every step for a window with crops of these sizes, [2, K]."""
        down, across = (sizes - 1) * self.stride + self.reach
        seconds: NDArray[np.float64] = self.position * sizes[0] * sizes[1] + self.halo * down * across
        return seconds


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
    area = heights.max(axis=1) * widths.max(axis=1)
    seconds = float(costs.position @ area)
    largest = max(1, min(limits.windows, limits.memory // _footprint(network, area), int(_LONGEST_BATCH / seconds)))
    weight, tall, wide = _condensed(costs.position + costs.halo * costs.stride.prod(axis=0), heights, widths)
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


def _followers(network: Program) -> list[tuple[int, int, Pair]]:
    """Steps whose crop is that of the step they read: (step, step read, rows and columns by which it is moved)."""
    found = []
    for index, placed in enumerate(network.steps):
        pixelwise = placed.step.kind is Kind.SLIDING and not _has_halo(placed)
        if placed.spatial and (pixelwise or placed.step.kind in (Kind.POINTWISE, Kind.SHIFT)):
            found.append((index, placed.inputs[0], placed.step.shift))
    return found


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
    reached = np.stack([axis.spans[:, :, chosen] for axis, chosen in zip(axes, which, strict=True)])
    lengths = np.stack([axis.lengths for axis in axes])
    needed = np.minimum((reached[:, :, 1] - reached[:, :, 0]).max(axis=2).clip(1), lengths)
    needed += (lengths - needed) % costs.grain  # or a crop moved inwards would begin elsewhere
    sizes, seconds = _filled(needed, lengths, costs)
    starts = place(reached[:, :, 0], sizes[:, :, None], lengths[:, :, None])
    for index, source, shift in costs.followers:
        sizes[:, index] = sizes[:, source]
        starts[:, index] = starts[:, source] + np.array(shift)[:, None]
    multiply_adds = len(members) * int(costs.multiply_adds @ sizes.prod(axis=0))
    pairs = tuple(zip(*sizes.tolist(), strict=True))
    return Batch(members, pairs, starts, costs.batch + len(members) * seconds, multiply_adds)


def _filled(needed: NDArray[np.int64], lengths: NDArray[np.int64], costs: _Costs) -> tuple[NDArray[np.int64], float]:
    """The sizes of the crops, and seconds per window: from some step on the whole map, if that is faster.

    Crops only grow from layer to layer. Where they cover nearly all of a map, computing the rest of it costs less
    than cutting halos out of the base.
    """
    crops, whole = costs.crops(needed), costs.position * lengths.prod(axis=0)
    until = np.concatenate(([0.0], np.cumsum(crops)))
    after = np.concatenate((np.cumsum(whole[::-1])[::-1], [0.0]))
    first = int((until + after).argmin())
    sizes = np.concatenate((needed[:, :first], lengths[:, first:]), axis=1)
    return sizes, float((until + after)[first])


def _axis(network: Program, axis: int, positions: Starts, window: int) -> tuple[_Axis, NDArray[np.int64]]:
    unique, which = np.unique(positions, return_inverse=True)
    found = spans(network, axis, unique, window)
    nothing = np.zeros((2, len(unique)), dtype=np.int64)
    grains = [placed.step.grain for placed in network.steps]
    found = [_widened(span, grain) for span, grain in zip(found, grains, strict=True)]
    lengths = [0 if span is None else network.steps[k].extent[axis] for k, span in enumerate(found)]
    return _Axis(np.stack([nothing if span is None else span for span in found]), np.array(lengths)), which


def _widened(span: Spans | None, grain: int) -> Spans | None:
    """The span from a multiple of the grain on. Not what later steps are reckoned from: no value changes there."""
    return span if span is None or grain == 1 else np.stack((span[0] - span[0] % grain, span[1]))


def _extents(axis: _Axis) -> NDArray[np.int64]:
    size: NDArray[np.int64] = np.minimum((axis.spans[:, 1] - axis.spans[:, 0]).clip(1), axis.lengths[:, None])
    return size


def _costs(network: Program) -> _Costs:
    steps = [placed if placed.spatial else None for placed in network.steps]
    halos = [placed.step.slides if placed is not None and _has_halo(placed) else None for placed in steps]
    counted = np.array([0 if placed is None else placed.step.multiply_adds for placed in steps])
    share = np.array([1.0 if placed is None else placed.step.share for placed in steps])
    read = [sum((network.steps[index].shape or (0,))[0] for index in placed.inputs) for placed in network.steps]
    written = [0 if placed is None or placed.shape is None else placed.shape[0] for placed in steps]
    touched = np.array([0 if placed is None else read[k] + written[k] for k, placed in enumerate(steps)])
    weights = 4 * int(counted.sum())  # a convolution's multiply-adds per position are its weights
    sized = int(((counted > 0) & (share == 1) & np.array([halo is not None for halo in halos])).sum())
    transforms = np.where(share < 1, _TRANSFORMS * touched / _CACHED_BYTES, 0.0)
    return _Costs(
        position=counted * share / _MULTIPLY_ADDS + transforms + 4 * touched / _BYTES,
        halo=np.array([0 if halo is None else 8 * channels for halo, channels in zip(halos, read, strict=True)])
        / _BYTES,
        stride=np.array([(1, 1) if halo is None else [slide.stride for slide in halo] for halo in halos]).T,
        reach=np.array([(1, 1) if halo is None else [slide.reach for slide in halo] for halo in halos]).T,
        batch=_STARTING_A_STEP * len(steps) + _NEW_SIZE * sized + weights / _BYTES,
        multiply_adds=counted * share,
        grain=np.array([1 if placed is None else placed.step.grain for placed in steps]),
        followers=_followers(network),
    )


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
    crops = float((costs.position + costs.halo * costs.stride.prod(axis=0)) @ area)
    return Work(count, crops + batches * costs.batch + tail_seconds(network, windows))


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
        start = time.thread_time()
        convolution(x, (0, 0))
        timings.append(time.thread_time() - start)
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
