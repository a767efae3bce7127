"""The cost of a program: of every step per position, and of all windows together."""

import functools
import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from convis_core.engines import winograd
from convis_core.engines.incremental import kernels
from convis_core.engines.incremental.kernels import Pair, Starts
from convis_core.engines.incremental.program import Placed, Program, spans
from convis_core.engines.incremental.regions import Spans
from convis_core.engines.incremental.steps import Kind

# Throughput of one core per second; only the proportions matter for the choice of batches.
_MULTIPLY_ADDS = 75e9
_BYTES = 10e9
_STARTING_A_STEP = 25e-6
_NEW_SIZE = 400e-6  # oneDNN compiles a program for every new size of convolution
_USUAL = 16  # windows in a typical batch


@dataclass(frozen=True, slots=True)
class Work:
    """Multiply-adds, and how long they would take on one core of a fast machine.

    Attributes:
        multiply_adds: number carried out in convolutions and linear layers.
        seconds: estimated from multiply-adds and bytes; multiply by ``measured_pace`` for this machine.
    """

    multiply_adds: int
    seconds: float


class Costs(NamedTuple):
    """The cost of every step.

    Attributes:
        position: seconds per position of the output map, [K].
        halo: seconds per position of the input that is cut out of the base and pasted over beforehand, [K].
        stride: positions of that input per position of the output, [2, K].
        reach: positions of that input for a single position of the output, [2, K].
        batch: additional seconds per batch.
        multiply_adds: number carried out per position of the output map, [K].
        grain: crops of the output begin at multiples of this, [K].
        followers: steps whose crop is that of the step they read: step, step read, offset between the two.
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


class Axis(NamedTuple):
    """One axis: at every step, the spans of P positions [K, 2, P] and the length of the map [K]; 0 if it is no map."""

    spans: NDArray[np.int64]
    lengths: NDArray[np.int64]


def expected(network: Program, window: Pair, tops: Starts, lefts: Starts) -> Work:
    """The work of windows at all pairs of these rows and columns, each computed with crops of its own size.

    Args:
        network: the program.
        window: height and width, in pixels.
        tops: first rows.
        lefts: first columns.

    >>> import torch
    >>> from torch import nn
    >>> from convis_core import models
    >>> from convis_core.engines.incremental import program
    >>> network = program(models.wrap(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(256, 2)), input_size=8))
    >>> expected(network, (2, 2), np.array([0]), np.array([0])).multiply_adds  # 3 * 4 in each of 4 cells, and 2 * 256
    560
    """
    rows, columns = axis_of(network, 0, tops, window[0])[0], axis_of(network, 1, lefts, window[1])[0]
    costs = costs_of(network)
    windows = len(tops) * len(lefts)
    area = extents(rows).sum(axis=1) * extents(columns).sum(axis=1)  # the sum of all products is that of sums
    count = int(costs.multiply_adds @ area) + windows * tail_multiply_adds(network)
    batches = -(-windows // _USUAL)
    crops = float((costs.position + costs.halo * costs.stride.prod(axis=0)) @ area)
    return Work(count, crops + batches * costs.batch + tail_seconds(network, windows))


def multiply_adds(network: Program) -> int:
    """Multiply-adds of one full forward pass.

    Args:
        network: the program.

    >>> from torch import nn
    >>> from convis_core import models
    >>> from convis_core.engines.incremental import program
    >>> layers = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(256, 2))
    >>> multiply_adds(program(models.wrap(layers, input_size=8)))  # 3 * 4 in each of 64 cells, and 2 * 256
    1280
    """
    maps = sum(
        placed.step.multiply_adds * placed.extent[0] * placed.extent[1] for placed in network.steps if placed.spatial
    )
    return maps + tail_multiply_adds(network)


def tail_multiply_adds(network: Program) -> int:
    """Multiply-adds of a full forward pass that every window costs in full.

    Args:
        network: the program.

    >>> from torch import nn
    >>> from convis_core import models
    >>> from convis_core.engines.incremental import program
    >>> layers = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(256, 2))
    >>> tail_multiply_adds(program(models.wrap(layers, input_size=8)))
    512
    """
    return sum(placed.step.multiply_adds for placed in network.steps if not placed.spatial)


def tail_seconds(network: Program, windows: int) -> float:
    """Time on one core of a fast machine for everything that is always computed in full, for many windows at once.

    Args:
        network: the program.
        windows: number of windows.
    """
    count = tail_multiply_adds(network)
    return windows * count / _MULTIPLY_ADDS + 4 * count / _BYTES


@functools.cache
def measured_pace() -> float:
    """How much slower this core is than the fast machine for which costs are given, from one timed convolution.

    >>> measured_pace() > 0
    True
    """
    convolution = kernels.convolution(torch.ones(256, 256, 3, 3), None, ((1, 1), (1, 1), 1), None)
    x = kernels.channels_last(torch.ones(4, 256, 18, 18))
    timings = []
    for _ in range(4):
        start = time.thread_time()
        convolution(x, (0, 0))
        timings.append(time.thread_time() - start)
    return min(timings) * _MULTIPLY_ADDS / (4 * 256 * 16 * 16 * 256 * 9)


def costs_of(network: Program) -> Costs:
    """The cost of every step of a program.

    Args:
        network: the program.
    """
    steps = [placed if placed.spatial else None for placed in network.steps]
    halos = [placed.step.slides if placed is not None and has_halo(placed) else None for placed in steps]
    counted = np.array([0 if placed is None else placed.step.multiply_adds for placed in steps])
    share = np.array([1.0 if placed is None else placed.step.share for placed in steps])
    read = [sum((network.steps[index].shape or (0,))[0] for index in placed.inputs) for placed in network.steps]
    written = [0 if placed is None or placed.shape is None else placed.shape[0] for placed in steps]
    touched = np.array([0 if placed is None else read[k] + written[k] for k, placed in enumerate(steps)])
    weights = 4 * int(counted.sum())  # a convolution's multiply-adds per position are its weights
    sized = int(((counted > 0) & (share == 1) & np.array([halo is not None for halo in halos])).sum())
    # A share of a 3x3 filter's nine products is how many numbers each output has in the transformed domain.
    transforms = np.where(share < 1, 9 * share * touched * winograd.NUMBER_SECONDS, 0.0)
    return Costs(
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


def _followers(network: Program) -> list[tuple[int, int, Pair]]:
    """Steps whose crop is that of the step they read: (step, step read, rows and columns of the offset)."""
    followers = []
    for index, placed in enumerate(network.steps):
        pixelwise = placed.step.kind is Kind.SLIDING and not has_halo(placed)
        if placed.spatial and (pixelwise or placed.step.kind in (Kind.POINTWISE, Kind.SHIFT)):
            followers.append((index, placed.inputs[0], placed.step.shift))
    return followers


def axis_of(network: Program, axis: int, positions: Starts, window: int) -> tuple[Axis, NDArray[np.int64]]:
    """One axis of every step for windows at these positions, each position once; and the index of each window's.

    Args:
        network: the program.
        axis: 0 for rows, 1 for columns.
        positions: first row (column) of each window.
        window: its height (width).
    """
    unique, which = np.unique(positions, return_inverse=True)
    reached = spans(network, axis, unique, window)
    nothing = np.zeros((2, len(unique)), dtype=np.int64)
    grains = [placed.step.grain for placed in network.steps]
    reached = [_widened(span, grain) for span, grain in zip(reached, grains, strict=True)]
    lengths = [0 if span is None else network.steps[k].extent[axis] for k, span in enumerate(reached)]
    return Axis(np.stack([nothing if span is None else span for span in reached]), np.array(lengths)), which


def _widened(span: Spans | None, grain: int) -> Spans | None:
    """The span extended to start at a multiple of the grain; later steps use the original: no value changes there."""
    return span if span is None or grain == 1 else np.stack((span[0] - span[0] % grain, span[1]))


def extents(axis: Axis) -> NDArray[np.int64]:
    """The length of every position's crop at every step, [K, P]."""
    size: NDArray[np.int64] = np.minimum((axis.spans[:, 1] - axis.spans[:, 0]).clip(1), axis.lengths[:, None])
    return size


def has_halo(placed: Placed) -> bool:
    """Whether a step reads more of its input than the crop."""
    trivial = placed.step.slides is None or all(slide.is_trivial for slide in placed.step.slides)
    return placed.step.kind is Kind.SLIDING and not trivial
