"""3x3 convolutions with fewer multiplications: Winograd's minimal filtering F(2x2, 3x3).

Four neighbouring outputs read 4x4 inputs. Directly they take 36 multiplications a channel, in the transformed
domain 16: Y = A^T [(G g G^T) * (B^T d B)] A, with a filter g, inputs d, outputs Y, and matrices B and A that only add
and subtract. The products of all channels and tiles are sixteen products of matrices. It is the same sum written
otherwise, so it differs by rounding alone, and by no more than the direct sum does.

An output's rounding depends on its place within its tile of 2x2. Tiles begin at even rows and columns of what is
computed; a crop that begins at an even row and column of the map therefore has the same bits as the map.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016 (arXiv:1509.09308).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from convis_core.incremental.kernels import FEWEST_ROWS, Activation, Pair, Scratch, packs

TILE = 2
"""Rows and columns of outputs that are computed together."""
SHARE = 16 / 36
"""Multiplications left of those of the direct sum."""

_FEWEST_CHANNELS, _FEWEST_FILTERS = 256, 256 * 512  # with fewer, transforming costs what multiplying less saves
_ROWS = 160  # tiles in one matrix product: enough for MKL's full pace, few enough for a core's cache

_FILTER = torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])

_inputs, _products = Scratch(), Scratch()


def fits(layer: nn.Conv2d) -> bool:
    """Whether a convolution can be computed so, and gains by it."""
    channels = layer.in_channels, layer.out_channels
    large = min(channels) >= _FEWEST_CHANNELS and channels[0] * channels[1] >= _FEWEST_FILTERS
    plain = (layer.kernel_size, layer.stride, layer.dilation, layer.groups) == ((3, 3), (1, 1), (1, 1), 1)
    return plain and large and packs(layer.weight)


def convolution(weight: Tensor, bias: Tensor | None, activation: Activation | None) -> Callable[[Tensor, Pair], Tensor]:
    """A 3x3 convolution with stride 1, and the activation behind it, as a function of the input and its zero padding.

    Args:
        weight: [O, I, 3, 3].
        bias: [O], or None.
        activation: what follows, or None.
    """
    outputs, inputs = weight.shape[:2]
    taps = weight.flatten(2)
    filters = torch.empty(16, inputs, outputs)
    for index, combination in enumerate(torch.kron(_FILTER, _FILTER)):  # one by one, for they are large
        filters[index] = (taps @ combination).t()
    shift = torch.zeros(outputs) if bias is None else bias

    def winograd_convolution(x: Tensor, padding: Pair) -> Tensor:
        padded = functional.pad(x, (padding[1], padding[1], padding[0], padding[0])) if any(padding) else x
        pixels = padded.permute(0, 2, 3, 1)
        count, height, width = len(pixels), pixels.shape[1] - 2, pixels.shape[2] - 2
        y = torch.empty(count, height, width, outputs)
        some = max(1, _ROWS // (_tiles(height) * _tiles(width)))
        band = TILE * max(1, _ROWS // _tiles(width))
        for first in range(0, count, some):
            for top in range(0, height, band):
                read = pixels[first : first + some, top : top + band + 2]
                _convolve(read, filters, shift, y[first : first + some, top : top + band])
        if activation is not None:
            y.clamp_(activation.low, activation.high)
        return y.permute(0, 3, 1, 2)

    return winograd_convolution


def _tiles(length: int) -> int:
    return -(-length // TILE)


def _convolve(pixels: Tensor, filters: Tensor, shift: Tensor, y: Tensor) -> None:
    """Pixels [N, h + 2, w + 2, I] to y [N, h, w, O]."""
    count, height, width, outputs = y.shape
    down, across, inputs = _tiles(height), _tiles(width), pixels.shape[3]
    tiles = count * down * across
    # MKL sums a row alike only among enough others; what the additional rows hold does not matter.
    rows = max(tiles, FEWEST_ROWS)
    halfway, transformed = _inputs.take((4, count, down, width + 2, inputs), (16, rows, inputs))
    products, summed = _products.take((16, rows, outputs), (2, 4, tiles, outputs))
    _transform(pixels, 1, halfway)
    _transform(halfway, 3, transformed[:, :tiles].view(4, 4, count, down, across, inputs).transpose(0, 1))
    for index in range(16):
        if index == 5:  # the one product that all four outputs of a tile add
            torch.addmm(shift, transformed[index], filters[index], out=products[index])
        else:
            torch.mm(transformed[index], filters[index], out=products[index])
    grid = products[:, :tiles].view(4, 4, tiles, outputs)
    torch.add(grid[0], grid[1], out=summed[0]).add_(grid[2])
    torch.sub(grid[1], grid[2], out=summed[1]).sub_(grid[3])
    cells = summed.view(2, 4, count, down, across, outputs)
    for row in range(2):
        for column in range(2):
            _gather(cells[row], column, y[:, row::2, column::2])


def _transform(x: Tensor, axis: int, out: Tensor) -> None:
    """B^T along one axis of x: out[0] = d0 - d2, d1 + d2, d2 - d1, d1 - d3 for every tile of four that begins at 2t."""
    tiles = out.shape[axis + 1]
    even, odd = _every_other(x, axis, 0), _every_other(x, axis, 1)
    first, third = even.narrow(axis, 0, tiles), even.narrow(axis, 1, tiles)
    second, whole = odd.narrow(axis, 0, tiles), odd.shape[axis] - 1
    torch.sub(first, third, out=out[0])
    torch.add(second, third, out=out[1])
    torch.sub(third, second, out=out[2])
    torch.sub(second.narrow(axis, 0, whole), odd.narrow(axis, 1, whole), out=out[3].narrow(axis, 0, whole))
    if whole < tiles:  # an odd length: the last tile has no second output, and d3 enters only that
        out[3].narrow(axis, whole, 1).zero_()


def _every_other(x: Tensor, axis: int, first: int) -> Tensor:
    index: list[slice] = [slice(None)] * x.dim()
    index[axis] = slice(first, None, 2)
    return x[tuple(index)]


def _gather(cells: Tensor, column: int, y: Tensor) -> None:
    """A^T along the columns: y0 = m0 + m1 + m2 or y1 = m1 - m2 - m3, where the map has such an output."""
    seen = cells[:, :, : y.shape[1], : y.shape[2]]
    if column == 0:
        torch.add(seen[0].add_(seen[1]), seen[2], out=y)
    else:  # the last that reads the second
        torch.sub(seen[1].sub_(seen[2]), seen[3], out=y)
