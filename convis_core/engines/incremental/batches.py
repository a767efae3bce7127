"""Which windows to compute together, and with crops of which sizes.

All crops of a batch have one size per layer, that of its largest; so windows with similar regions belong together:
those at a border need smaller crops than those in the middle, and a window that begins in the middle of a pooling
cell needs larger ones than one that begins at its edge. But every batch also has a fixed cost: each operation is
started once, and the weights are read once.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convis_core.engines.incremental.costs import Axis, Costs, axis_of, costs_of, extents, has_halo
from convis_core.engines.incremental.kernels import Pair, Starts
from convis_core.engines.incremental.program import Program
from convis_core.engines.incremental.regions import place
from convis_core.engines.incremental.steps import Kind

_LONGEST_BATCH = 0.3  # seconds: a running batch cannot be stopped, and large batches of large crops exceed the cache


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Windows that are computed together.

    Attributes:
        members: indices of its windows among all that were requested, [N].
        sizes: height and width of the crops at every step; (0, 0) where there are none.
        starts: first rows and first columns of the crops, [2, K, N].
        seconds: estimated time on one core of a fast machine, without the tail.
        multiply_adds: number carried out, without the tail.
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
        windows: largest number of windows.
        memory: bytes of activations that it may occupy while it is computed. More would not be faster: they would
            no longer fit into a core's cache, and the weights are read rarely enough.
    """

    windows: int = 32
    memory: int = 48 * 2**20


def arrange(network: Program, window: Pair, tops: Starts, lefts: Starts, limits: Limits) -> list[Batch]:
    """Batches for windows of one size at many positions.

    A set of windows is split in two where that saves most, as long as it saves more than an additional batch costs.

    Args:
        network: the program.
        window: height and width, in pixels.
        tops: first row of each window.
        lefts: first column of each window.
        limits: how large a batch may be.

    >>> from torch import nn
    >>> from convis_core import models
    >>> from convis_core.engines.incremental import program
    >>> network = program(models.wrap(nn.Sequential(nn.Conv2d(3, 2, 8), nn.Flatten()), input_size=8))
    >>> batches = arrange(network, (2, 2), np.array([0, 3, 6]), np.array([0, 0, 0]), Limits(windows=2))
    >>> sorted(len(batch.members) for batch in batches)
    [1, 2]
    """
    rows, which_row = axis_of(network, 0, tops, window[0])
    columns, which_column = axis_of(network, 1, lefts, window[1])
    costs = costs_of(network)
    heights, widths = extents(rows)[:, which_row], extents(columns)[:, which_column]
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


def _cut(
    weight: NDArray[np.float64], tall: NDArray[np.int64], wide: NDArray[np.int64], overhead: float, forced: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """The best split of a set of windows in two, along a ranking by height or by width; None to leave it whole."""
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
    """Cost per window of the first 1, 2, ... windows, all with crops of one size."""
    grown: NDArray[np.float64] = weight @ (np.maximum.accumulate(tall, axis=1) * np.maximum.accumulate(wide, axis=1))
    return grown


def _condensed(
    weight: NDArray[np.float64], tall: NDArray[np.int64], wide: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Steps with the same regions merged; there are many of them, and the search evaluates each."""
    both = np.concatenate((tall, wide), axis=1)
    unique, which = np.unique(both, axis=0, return_inverse=True)
    summed = np.bincount(which.reshape(-1), weights=weight, minlength=len(unique)).astype(np.float64)
    return summed, unique[:, : tall.shape[1]], unique[:, tall.shape[1] :]


def _batch(
    members: NDArray[np.int64],
    axes: tuple[Axis, Axis],
    which: tuple[NDArray[np.int64], NDArray[np.int64]],
    costs: Costs,
) -> Batch:
    reached = np.stack([axis.spans[:, :, chosen] for axis, chosen in zip(axes, which, strict=True)])
    lengths = np.stack([axis.lengths for axis in axes])
    needed = np.minimum((reached[:, :, 1] - reached[:, :, 0]).max(axis=2).clip(1), lengths)
    needed += (lengths - needed) % costs.grain  # otherwise a crop moved inwards would begin within a tile
    sizes, seconds = _filled(needed, lengths, costs)
    starts = place(reached[:, :, 0], sizes[:, :, None], lengths[:, :, None])
    for index, source, shift in costs.followers:
        sizes[:, index] = sizes[:, source]
        starts[:, index] = starts[:, source] + np.array(shift)[:, None]
    multiply_adds = len(members) * int(costs.multiply_adds @ sizes.prod(axis=0))
    pairs = tuple(zip(*sizes.tolist(), strict=True))
    return Batch(members, pairs, starts, costs.batch + len(members) * seconds, multiply_adds)


def _filled(needed: NDArray[np.int64], lengths: NDArray[np.int64], costs: Costs) -> tuple[NDArray[np.int64], float]:
    """The sizes of the crops, and seconds per window: from some step on the whole map, if that is faster.

    Crops only grow from layer to layer. Where they cover nearly a whole map, computing the rest of it costs less
    than cutting halos out of the base.
    """
    crops, whole = costs.crops(needed), costs.position * lengths.prod(axis=0)
    until = np.concatenate(([0.0], np.cumsum(crops)))
    after = np.concatenate((np.cumsum(whole[::-1])[::-1], [0.0]))
    first = int((until + after).argmin())
    sizes = np.concatenate((needed[:, :first], lengths[:, first:]), axis=1)
    return sizes, float((until + after)[first])


def _footprint(network: Program, area: NDArray[np.int64]) -> int:
    """Largest number of bytes that a window occupies at any step: values still needed, and copies made to read them."""
    sizes = [
        int((placed.shape or (0,))[0] * area[index]) if placed.spatial else int(np.prod(placed.shape or (0,)))
        for index, placed in enumerate(network.steps)
    ]
    alive, most = 0, 1
    for index, placed in enumerate(network.steps):
        halo = (
            2 * sum(sizes[before] for before in placed.inputs)
            if has_halo(placed) and area[index] < math.prod(placed.extent)
            else 0
        )
        whole = placed.step.kind is Kind.WHOLE
        copied = sum(int(np.prod(network.steps[k].shape or (0,))) for k in placed.inputs) if whole else 0
        alive += sizes[index]
        most = max(most, alive + halo + copied + placed.step.scratch)
        alive -= sum(sizes[before] for before in placed.inputs if network.steps[before].uses[-1] == index)
    return 4 * most
