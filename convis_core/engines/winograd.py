"""3x3 convolutions with fewer multiplications: Winograd's minimal filtering F(m x m, 3 x 3).

A tile of m x m outputs reads n x n inputs, n = m + 2. Directly it takes 9 m^2 multiplications a channel, in a
transformed domain n^2: 16 instead of 36 for m = 2, 36 instead of 144 for m = 4. With a filter g, inputs d and outputs Y

    Y = A^T [(G g G^T) * (B^T d B)] A,

where * multiplies element by element. Summed over channels that is n^2 products of matrices, [tiles, I] by [I, O].

**Where the matrices come from.** Along one axis, m outputs of a filter of 3 are the transpose of multiplying a
polynomial of degree 2 with one of degree m - 1, and a product of degree n - 1 is determined by its values at n points
(Toom and Cook). For the points p_0 .. p_{n-2} and infinity, and N_i the product of all p_i - p_j,

    G[i] = (1, p_i, p_i^2) / N_i
    A^T[:, i] = (1, p_i, .., p_i^(m-1))
    B^T[i] = the coefficients of prod_{j != i} (x - p_j)

and for infinity the highest coefficients, and the product over all j. It is the same sum written differently and
differs by rounding alone. How much depends on the points: with 0, +-1 for m = 2 the rounding error is smaller than that
of the direct sum; for m = 4 it is about four times larger with the usual 0, +-1, +-2, and twice with 0, +-2/3, +-3/2.

**The backward pass.** The gradient with respect to the input is a convolution with the reversed filter. A reversed
polynomial has at p the value p^2 times that of the original at 1/p. Both sets of points contain the inverse of every
point (0 and infinity are each other's), so the same transformed filters serve: only the rows of B^T and the columns of
A^T are permuted, and the latter rescaled.

**The same bits.** An output's rounding depends on its position within its tile, and on all inputs of the tile but the
first and the last, which enter the first and the last output alone. Tiles begin at multiples of m of the region that is
computed; a crop that begins at a multiple of m of the map therefore has the same bits as the map, if its last tiles are
complete, lack one output only, or end with the map.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016 (arXiv:1509.09308); on the points,
Barabasz, Anderson, Soodhalter and Gregg, "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep
Neural Networks", ACM TOMS 2020 (arXiv:1803.10986).
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from convis_core.network.memo import once
from convis_core.network.operations import Gate
from convis_core.runtime.memory import Scratch

FEWEST_ROWS = 16
"""From so many rows on, MKL's matrix product sums each row in the same order, whatever the other rows."""

NUMBER_SECONDS = 0.9e-9
"""Cost of the transforms on one core of a fast machine, per number in the transformed domain."""

_TAPS = 3
_POINTS = {
    2: [Fraction(0), Fraction(1), Fraction(-1)],
    4: [Fraction(0), Fraction(2, 3), Fraction(-2, 3), Fraction(3, 2), Fraction(-3, 2)],
}
_MULTIPLY_ADDS = 90e9  # of one core of that machine in a second
_LEAST_GAIN = 1.2  # it must be so many times faster than the direct sum to justify the memory
_LARGE_TILE_GAIN = 1.5  # likewise the large tile over the small one, since its filters are more than twice as large
_ROWS = 160  # tiles in one matrix product: enough for MKL's full speed, few enough for a core's cache

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """A layer's weights in the transformed domain.

    Attributes:
        values: [n * n, I, O].
        tile: rows and columns of outputs that are computed together, m.
    """

    values: Tensor
    tile: int


class _Transforms(NamedTuple):
    """Both axes in one matrix: of the inputs, [n * n, n * n], and of the products, [m * m, n * n]; and a zero."""

    inputs: Tensor
    products: Tensor
    nothing: Tensor


_first, _second = Scratch(), Scratch()


def suits(layer: nn.Conv2d) -> bool:
    """Whether a convolution can be computed this way: 3x3, stride 1, no dilation, no groups, float32 on the CPU.

    Args:
        layer: the convolution.

    >>> suits(nn.Conv2d(8, 8, 3)), suits(nn.Conv2d(8, 8, 3, stride=2))
    (True, False)
    """
    plain = (layer.kernel_size, layer.stride, layer.dilation, layer.groups) == ((3, 3), (1, 1), (1, 1), 1)
    return plain and layer.weight.device.type == "cpu" and layer.weight.dtype == torch.float32


def tile_for(channels: Pair, size: Pair, largest: int = 4) -> int:
    """The tile with which a convolution is computed fastest on one core, or 0 if the direct sum is as fast.

    Args:
        channels: of its input and of its output.
        size: height and width of its output.
        largest: of the tiles that may be chosen, 2 or 4.
    """
    small, large = (_seconds(channels, size, tile) for tile in (2, 4))
    # Crops have the map's length modulo the tile, so these lack one output at most, as equal bits require.
    whole = all(length % 4 in (0, 3) for length in size)
    best = 4 if whole and largest == 4 and large * _LARGE_TILE_GAIN <= small else 2
    direct = size[0] * size[1] * channels[0] * channels[1] * _TAPS**2 / _MULTIPLY_ADDS
    return best if (large if best == 4 else small) * _LEAST_GAIN <= direct else 0


def share(size: Pair, tile: int) -> float:
    """Multiplications per output and channel for a map of this size, as a share of the direct sum's nine.

    Args:
        size: height and width of the output.
        tile: rows and columns of outputs that are computed together.

    >>> round(share((8, 8), 2), 3), share((8, 8), 4)
    (0.444, 0.25)
    """
    return _numbers(size, tile) / (size[0] * size[1] * _TAPS**2)


@once
def filters_of(layer: nn.Conv2d, tile: int) -> Filters:
    """A layer's weights in the transformed domain; computed once per layer and tile, since they are large, and shared.

    Args:
        layer: a convolution that ``suits``.
        tile: rows and columns of outputs that are computed together.
    """
    return transformed(layer.weight.detach(), tile)


def transformed(weight: Tensor, tile: int) -> Filters:
    """Weights [O, I, 3, 3] in the transformed domain, for both directions.

    Args:
        weight: float32 [O, I, 3, 3].
        tile: rows and columns of outputs that are computed together.
    """
    outputs, inputs = weight.shape[:2]
    along = _matrices(tile)[1]
    taps = weight.flatten(2)
    values = torch.empty((tile + 2) ** 2, inputs, outputs)
    for index, combination in enumerate(torch.kron(along, along)):  # one by one, since they are large
        values[index] = (taps @ combination.float()).t()
    return Filters(values, tile)


def convolve(
    x: Tensor,
    filters: Filters,
    padding: Pair,
    bias: Tensor | None = None,
    gate: Gate | None = None,
) -> Tensor:
    """A 3x3 convolution with stride 1, and the activation after it.

    Args:
        x: float32 [N, I, H, W], fastest in channels-last order.
        filters: of the layer.
        padding: rows of zeros above and below, columns of zeros left and right.
        bias: [O], or None.
        gate: the bounds of the ReLU after it, or None.

    Returns:
        float32 [N, O, H + 2 padding - 2, W + 2 padding - 2] in channels-last order.

    >>> sums = convolve(torch.ones(1, 1, 5, 5), transformed(torch.ones(1, 1, 3, 3), 2), (0, 0))
    >>> tuple(sums.shape), round(float(sums.mean()), 4)
    ((1, 1, 3, 3), 9.0)
    """
    return _apply(x, filters.values, _forwards(filters.tile), filters.tile, padding, bias, gate)


def gradient_by_input(gradient: Tensor, filters: Filters, padding: Pair) -> Tensor:
    """The gradient with respect to a convolution's input, from the one with respect to its output.

    Args:
        gradient: with respect to the output, float32 [N, O, H, W].
        filters: of the layer.
        padding: of the layer: 0, 1 or 2 in each direction.

    Returns:
        With respect to the input, float32 [N, I, H + 2 - 2 padding, W + 2 - 2 padding] in channels-last order.
    """
    around = (_TAPS - 1 - padding[0], _TAPS - 1 - padding[1])
    values = filters.values.transpose(1, 2)
    return _apply(gradient, values, _backwards(filters.tile), filters.tile, around, None, None)


def _apply(
    x: Tensor,
    values: Tensor,
    transforms: _Transforms,
    tile: int,
    padding: Pair,
    bias: Tensor | None,
    gate: Gate | None,
) -> Tensor:
    height, width = (x.shape[2 + axis] + 2 * padding[axis] - _TAPS + 1 for axis in (0, 1))
    down, across = -(-height // tile), -(-width // tile)
    sides = (padding[1], across * tile - width + padding[1])  # the last tiles may extend beyond the end
    pixels = x.permute(0, 2, 3, 1)
    y = torch.empty(len(x), height, width, values.shape[2])
    some, band = max(1, _ROWS // (down * across)), max(1, _ROWS // across)
    for first in range(0, len(x), some):
        for top in range(0, down, band):
            low = top * tile - padding[0]
            high = low + min(band, down - top) * tile + _TAPS - 1
            read = pixels[first : first + some, max(0, low) : high]
            # One band at a time, so that it fits into the core's cache.
            margins = (0, 0, *sides, max(0, -low), max(0, high - pixels.shape[1]))
            written = y[first : first + some, top * tile : (top + band) * tile]
            _compute(functional.pad(read, margins) if any(margins) else read, values, transforms, tile, bias, written)
            if gate is not None:
                gate.clamp_(written)
    return y.permute(0, 3, 1, 2)


def _compute(
    pixels: Tensor, values: Tensor, transforms: _Transforms, tile: int, bias: Tensor | None, y: Tensor
) -> None:
    """Pixels [N, tile * down + 2, tile * across + 2, I] to y [N, h, w, O], the needed part of the tiles."""
    count, rows, columns, inputs = pixels.shape
    outputs, side = values.shape[2], tile + _TAPS - 1
    down, across = (rows - _TAPS + 1) // tile, (columns - _TAPS + 1) // tile
    tiles = count * down * across
    # MKL sums each row in the same order only if there are enough rows; the values of the additional ones are unused.
    many = max(tiles, FEWEST_ROWS)
    # Each block of memory serves twice: the gathered inputs are no longer needed when products are formed, nor the
    # transformed inputs when products are summed.
    size, sums = side * side * many, tile * tile * tiles * outputs
    (first,) = _first.take((size * max(inputs, outputs),))
    (second,) = _second.take((max(size * inputs, sums),))

    at, right, below, channel = pixels.stride()[0], pixels.stride()[2], pixels.stride()[1], pixels.stride()[3]
    overlapping = pixels.as_strided(
        (side, side, count, down, across, inputs), (below, right, at, below * tile, right * tile, channel)
    )
    gathered = first[: side * side * tiles * inputs].view(side, side, count, down, across, inputs).copy_(overlapping)
    changed = second[: size * inputs].view(side * side, many * inputs)
    torch.mm(transforms.inputs, gathered.view(side * side, -1), out=changed[:, : tiles * inputs])

    products = first[: size * outputs].view(side * side, many, outputs)
    torch.bmm(changed.view(side * side, many, inputs), values, out=products)

    summed = second[:sums].view(tile * tile, tiles * outputs)
    torch.mm(transforms.products, products.view(side * side, -1)[:, : tiles * outputs], out=summed)
    shift = transforms.nothing if bias is None else bias
    if y.shape[1:3] == (down * tile, across * tile):
        cells = summed.view(tile, tile, count, down, across, outputs).permute(2, 3, 0, 4, 1, 5)
        torch.add(cells, shift, out=y.view(count, down, tile, across, tile, outputs))
        return
    for index, ragged in enumerate(summed.view(tile * tile, count, down, across, outputs)):
        cells = y[:, index // tile :: tile, index % tile :: tile]
        torch.add(ragged[:, : cells.shape[1], : cells.shape[2]], shift, out=cells)


def _numbers(size: Pair, tile: int) -> int:
    """How many numbers one channel of a map has in the transformed domain."""
    return -(-size[0] // tile) * -(-size[1] // tile) * (tile + _TAPS - 1) ** 2


def _seconds(channels: Pair, size: Pair, tile: int) -> float:
    numbers = _numbers(size, tile)
    return numbers * (channels[0] * channels[1] / _MULTIPLY_ADDS + sum(channels) * NUMBER_SECONDS)


@cache
def _matrices(tile: int) -> tuple[Tensor, Tensor, Tensor]:
    """B^T [n, n], G [n, 3] and A^T [m, n] in double precision; the last of the n points is infinity."""
    points = [float(point) for point in _POINTS[tile]]
    inputs, filters, products = [], [], []
    for point in points:
        others = [other for other in points if other != point]
        scale = float(_polynomial(others) @ _powers(point, len(points)))
        inputs.append(functional.pad(_polynomial(others), (0, 1)))
        filters.append(_powers(point, _TAPS) / scale)
        products.append(_powers(point, tile))
    inputs.append(_polynomial(points))
    filters.append(_highest(_TAPS))
    products.append(_highest(tile))
    return torch.stack(inputs), torch.stack(filters), torch.stack(products, dim=1)


def _polynomial(roots: list[float]) -> Tensor:
    """Coefficients of the product of all x - root, from the constant term on."""
    coefficients = torch.ones(1, dtype=torch.float64)
    for root in roots:
        coefficients = functional.pad(coefficients, (1, 0)) - root * functional.pad(coefficients, (0, 1))
    return coefficients


def _powers(point: float, count: int) -> Tensor:
    return torch.tensor([point**power for power in range(count)], dtype=torch.float64)


def _highest(count: int) -> Tensor:
    return functional.pad(torch.ones(1, dtype=torch.float64), (count - 1, 0))


@cache
def _forwards(tile: int) -> _Transforms:
    inputs, _, products = _matrices(tile)
    return _both_axes(inputs, products)


@cache
def _backwards(tile: int) -> _Transforms:
    """The transforms for a reversed filter, to be used with filters that were transformed unreversed."""
    inputs, filters, products = _matrices(tile)
    points = _POINTS[tile]
    inverse = [len(points), *(points.index(1 / point) for point in points[1:]), 0]
    reversed_filters, matching = filters.flip(1), filters[inverse]
    largest = matching.abs().argmax(dim=1, keepdim=True)
    scale = (reversed_filters.gather(1, largest) / matching.gather(1, largest))[:, 0]
    # Inverting twice returns the same point, so the same list brings both into the filters' order.
    return _both_axes(inputs[inverse], (products * scale)[:, inverse])


def _both_axes(inputs: Tensor, products: Tensor) -> _Transforms:
    return _Transforms(torch.kron(inputs, inputs).float(), torch.kron(products, products).float(), torch.zeros(1))
