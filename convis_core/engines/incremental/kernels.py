"""The engine's arithmetic: convolutions with packed weights, and copies of crops.

Crops are [N, C, h, w] in channels-last order, so that a row of a crop is one contiguous stretch of memory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from convis_core.engines import onednn
from convis_core.engines.winograd import FEWEST_ROWS
from convis_core.network.operations import Gate
from convis_core.runtime.memory import Scratch

_OTHER_BLOCK = 48  # channels that oneDNN may process at once instead of 64

Pair = tuple[int, int]
Starts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """A map of the base picture with a margin, from which crops are filled.

    Attributes:
        pixels: [H + top + bottom, W + left + right, C], contiguous.
        top: rows of margin above the map.
        left: columns of margin to its left.
    """

    pixels: Tensor
    top: int
    left: int


def channels_last(x: Tensor) -> Tensor:
    """The same values with the channels of a pixel side by side in memory."""
    return x.contiguous(memory_format=torch.channels_last)


def canvas(values: Tensor, margins: tuple[int, int, int, int], fill: float) -> Canvas:
    """A map [1, C, H, W] with margins (left, right, top, bottom) filled with one value."""
    padded = functional.pad(values, margins, value=fill) if any(margins) else values
    return Canvas(padded[0].permute(1, 2, 0).contiguous(), margins[2], margins[0])


def cut(base: Canvas, tops: Starts, lefts: Starts, size: Pair, scratch: Scratch | None = None) -> Tensor:
    """A copy of a part of the base per window, [N, C, h, w]; starts are in the map's coordinates, margins included.

    Rows are copied with one index: the canvas is viewed as all its runs of w pixels, one beginning at every pixel.
    With a scratch memory the result is valid until the next use of that memory.
    """
    height, width = size
    rows, columns, channels = base.pixels.shape
    stretches = base.pixels.as_strided((rows * columns - width + 1, width * channels), (channels, 1))
    first = (tops + base.top)[:, None] + np.arange(height)
    index = torch.from_numpy((first * columns + (lefts + base.left)[:, None]).reshape(-1))
    reusable = scratch is not None and stretches.dtype == torch.float32 and stretches.device.type == "cpu"
    memory = scratch.take((len(index), width * channels))[0] if scratch is not None and reusable else None
    crop = torch.index_select(stretches, 0, index.to(stretches.device), out=memory)
    return crop.view(len(tops), height, width, channels).permute(0, 3, 1, 2)


def runs(*offsets: Starts) -> list[Pair]:
    """Ranges of consecutive windows over which every offset is the same: (first, end).

    Args:
        offsets: each int [N].

    >>> runs(np.array([0, 0, 1]), np.array([2, 2, 2]))
    [(0, 2), (2, 3)]
    """
    changes = np.zeros(len(offsets[0]) - 1, dtype=bool)
    for offset in offsets:
        changes |= offset[1:] != offset[:-1]
    edges = [0, *(np.flatnonzero(changes) + 1).tolist(), len(offsets[0])]
    return list(pairwise(edges))


def lay(crop: Tensor, onto: Tensor, down: Starts, right: Starts) -> None:
    """Write crops into larger or smaller ones where they overlap; window i is offset by (down[i], right[i])."""
    height, width = crop.shape[2:]
    bottom, side = onto.shape[2:]
    for first, end in runs(down, right):
        y, x = int(down[first]), int(right[first])
        source = crop[first:end, :, max(0, -y) : min(height, bottom - y), max(0, -x) : min(width, side - x)]
        onto[first:end, :, max(0, y) : min(bottom, y + height), max(0, x) : min(side, x + width)].copy_(source)


def convolution(
    weight: Tensor, bias: Tensor | None, geometry: tuple[Pair, Pair, int], gate: Gate | None
) -> Callable[[Tensor, Pair], Tensor]:
    """A convolution and the ReLU after it as a function of the input and of its zero padding.

    With oneDNN the weights are converted to its own layout once, not at every call. Equally important: with such
    weights it computes every size of input by the same sequence of operations, so that an output has the same bits
    whether it is computed with the whole map or in a crop, alone or in a batch.

    Args:
        weight: [O, I / groups, kh, kw].
        bias: [O], or None.
        geometry: stride, dilation, groups.
        gate: the bounds of the ReLU, or None.
    """
    stride, dilation, groups = geometry
    if not onednn.suits(weight):
        return _plain_convolution(weight, bias, geometry, gate)
    if groups == 1 and tuple(weight.shape[2:]) == (1, 1):
        return _pixel_by_pixel(weight, bias, stride, gate)
    if groups == 1 and weight.shape[0] % _OTHER_BLOCK == 0:
        return _unpacked_convolution(weight, bias, geometry, gate)
    packed = onednn.reordered(weight, stride, dilation, groups, _typical_input(weight, groups, stride))

    def packed_convolution(x: Tensor, padding: Pair) -> Tensor:
        return onednn.convolution(x, packed, bias, (stride, padding, dilation, groups), gate)

    return packed_convolution


def _unpacked_convolution(
    weight: Tensor, bias: Tensor | None, geometry: tuple[Pair, Pair, int], gate: Gate | None
) -> Callable[[Tensor, Pair], Tensor]:
    # Where the channels can be divided into blocks of 48 as well as of 64, oneDNN chooses either, depending on the
    # input, and takes ten times as long if the weights were divided the other way. Dividing them again at every call,
    # as torch does by default, costs a twentieth.
    stride, dilation, groups = geometry
    ordered = channels_last(weight)

    def unpacked_convolution(x: Tensor, padding: Pair) -> Tensor:
        y = onednn.plain_convolution(x, ordered, bias, (stride, padding, dilation, groups))
        return y if gate is None else gate.clamp_(y)

    return unpacked_convolution


def _pixel_by_pixel(
    weight: Tensor, bias: Tensor | None, stride: Pair, gate: Gate | None
) -> Callable[[Tensor, Pair], Tensor]:
    # oneDNN compiles a program for every new number of pixels: half a millisecond and half a megabyte each time.
    # MKL's matrix product needs none, and sums in the same order for any number of rows from FEWEST_ROWS on.
    matrix = weight.flatten(1).contiguous()

    def matrix_product(x: Tensor, padding: Pair) -> Tensor:
        padded = functional.pad(x, (padding[1], padding[1], padding[0], padding[0])) if any(padding) else x
        seen = padded[:, :, :: stride[0], :: stride[1]].permute(0, 2, 3, 1).contiguous()
        pixels = seen.view(-1, seen.shape[3])
        missing = max(0, FEWEST_ROWS - len(pixels))
        y = functional.linear(functional.pad(pixels, (0, 0, 0, missing)) if missing else pixels, matrix, bias)
        if gate is not None:
            gate.clamp_(y)
        return y[: len(pixels)].view(*seen.shape[:3], -1).permute(0, 3, 1, 2)

    return matrix_product


def _plain_convolution(
    weight: Tensor, bias: Tensor | None, geometry: tuple[Pair, Pair, int], gate: Gate | None
) -> Callable[[Tensor, Pair], Tensor]:
    stride, dilation, groups = geometry

    def plain_convolution(x: Tensor, padding: Pair) -> Tensor:
        y = functional.conv2d(x, weight, bias, stride, padding, dilation, groups)
        return y if gate is None else gate.clamp_(y)

    return plain_convolution


def linear(weight: Tensor, bias: Tensor | None) -> Callable[[Tensor], Tensor]:
    """A linear layer whose output for one row does not depend on the other rows of the batch.

    From two rows on, oneDNN sums in one order whatever their number. With the classifiers of VGG16 and AlexNet it
    is also the faster one: few rows, and weights that are read once.

    Args:
        weight: [O, I].
        bias: [O], or None.
    """
    if not onednn.suits(weight):
        return lambda x: functional.linear(x, weight, bias)

    def steady_linear(x: Tensor) -> Tensor:
        if x.dim() != 2 or len(x) == 0:
            return functional.linear(x, weight, bias)
        rows = x if len(x) > 1 else x.expand(2, -1)
        return onednn.linear(rows.contiguous(), weight, bias)[: len(x)]

    return steady_linear


def _typical_input(weight: Tensor, groups: int, stride: Pair) -> list[int]:
    """The shape of a typical batch of crops, for which oneDNN chooses the layout of the weights."""
    side = [(14 - 1) * step + kernel for step, kernel in zip(stride, weight.shape[2:], strict=True)]
    return [8, weight.shape[1] * groups, *side]
