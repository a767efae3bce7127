"""How the engine treats each operation of a traced network: how regions pass through it, and how to compute it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from convis_core.engines import onednn, winograd
from convis_core.engines.incremental import kernels
from convis_core.engines.incremental.kernels import Pair
from convis_core.engines.incremental.regions import Slide
from convis_core.network import operations
from convis_core.network.operations import Gate, Operation, Region
from convis_core.results.architecture import Shape


class Kind(Enum):
    """How a region passes through an operation."""

    INPUT = "input"  # the picture
    CONSTANT = "constant"  # does not depend on the picture
    POINTWISE = "pointwise"  # each position by itself: the same region
    SLIDING = "sliding"  # convolution, pooling: the projective field
    SHIFT = "shift"  # padding: the same region elsewhere
    MERGE = "merge"  # sum, concatenation: the union
    SHAPE = "shape"  # asks for a size and reads no values
    WHOLE = "whole"  # everything else: computed on whole maps


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operation of the network.

    Attributes:
        kind: how regions pass through it.
        whole: computes its value from whole maps.
        crop: computes its value from crops; of a sliding operation, from crops with their halo.
        slides: how it reads rows and columns.
        shift: rows above and columns to the left that padding adds.
        fill: value that a sliding operation reads beyond the map.
        multiply_adds: per position of the output map, counted directly; of a whole operation, per picture.
        share: share of these that is carried out.
        grain: crops of its output begin at multiples of this.
        heavy: whether it reads more weights than input values, so that large batches pay.
        scratch: numbers per picture that it needs besides its inputs and its output.
    """

    kind: Kind
    whole: Callable[..., Any]
    crop: Callable[..., Any]
    slides: tuple[Slide, Slide] | None = None
    shift: Pair = (0, 0)
    fill: float = 0.0
    multiply_adds: int = 0
    share: float = 1.0
    grain: int = 1
    heavy: bool = False
    scratch: int = 0


_SMALL_MAP = 8  # positions along one axis

Sizes = tuple[Shape, Shape]
"""Shapes of an operation's input and output."""

_MERGES = (operations.ADD, operations.CONCAT, operations.ARITHMETIC)


def generic(node: fx.Node, layer: nn.Module | None) -> Callable[..., Any]:
    """The operation as a function of the values of its input nodes.

    Args:
        node: the operation.
        layer: the layer that it runs, if any.
    """
    inputs, target = node.all_input_nodes, node.target

    def compute(*values: Any) -> Any:
        known = dict(zip(inputs, values, strict=True))
        args: Any = fx.map_arg(node.args, known.__getitem__)
        kwargs: Any = fx.map_arg(node.kwargs, known.__getitem__)
        if layer is not None:
            return layer(*args, **kwargs)
        if isinstance(target, str):
            return getattr(args[0], target)(*args[1:], **kwargs)
        return target(*args, **kwargs)

    return compute


def whole(call: Callable[..., Any], *, scratch: int = 0) -> Step:
    """An operation without a rule, computed on whole maps.

    Args:
        call: computes it.
        scratch: numbers per picture that it needs besides its inputs and its output.
    """

    def ordered(*values: Any) -> Any:
        # Maps are stored channels last, for which ``view`` refuses what it does in torch's default order.
        return call(*[value.contiguous() if isinstance(value, Tensor) else value for value in values])

    return Step(Kind.WHOLE, ordered, ordered, scratch=scratch)


def is_identity(operation: Operation, sizes: Sizes) -> bool:
    """Whether an operation returns its input unchanged.

    Examples are dropout in eval mode, the concatenation of a single map, which DenseNet has, and adaptive pooling to
    the size of the input, which VGG has.

    Args:
        operation: the table's entry for it.
        sizes: shapes of its input and output.
    """
    if operation.kind in (operations.DROPOUT, operations.IDENTITY):
        return True
    return operation.kind in (operations.ADAPTIVE_AVERAGE_POOL, operations.CONCAT) and sizes[0] == sizes[1]


def is_merge(operation: Operation) -> bool:
    """Whether an operation joins maps position by position: arithmetic, or concatenation of channels."""
    return operation.region is Region.CELL and operation.kind in _MERGES


def pads_with_zeros(node: fx.Node, layer: nn.Module | None, operation: Operation) -> bool:
    """Whether an operation pads a map with zeros."""
    if operation.kind != operations.PAD or min(operation.padding) < 0:
        return False
    value = layer.value if isinstance(layer, nn.ConstantPad2d) else node.kwargs.get("value")
    return not value and len(node.args) < 4


def map_step(node: fx.Node, layer: nn.Module | None, operation: Operation, sizes: Sizes) -> Step | None:
    """An operation from a map to a map through which regions pass; None for anything else.

    Convolutions and average pooling have functions of their own.
    """
    call = generic(node, layer)
    if operation.region is Region.CELL:
        return Step(Kind.POINTWISE, call, call)
    if operation.kind == operations.MAX_POOL:
        return Step(
            Kind.SLIDING,
            call,
            lambda x: functional.max_pool2d(x, operation.kernel, operation.stride, 0, operation.dilation),
            slides=_slides(operation, sizes),
            fill=float("-inf"),
        )
    if operation.kind == operations.ADAPTIVE_AVERAGE_POOL:
        return _adaptive_average_pool(call, sizes)
    if operation.kind == operations.PAD and min(operation.padding) >= 0:
        return Step(Kind.SHIFT, call, lambda x: x, shift=(operation.padding.top, operation.padding.left))
    return None


def convolution(layer: nn.Module | None, operation: Operation, sizes: Sizes, gate: Gate | None) -> Step | None:
    """A convolution of maps with zero padding, and the ReLU after it; None for anything else."""
    if not isinstance(layer, nn.Conv2d) or operation.kind != operations.CONVOLUTION:
        return None
    bias = None if layer.bias is None else layer.bias.detach()
    height, width = sizes[1][2:]
    # A change extends to whole tiles. Large ones would soon spread it over the whole map; on a small map it is already.
    largest = 2 if max(height, width) > _SMALL_MAP else 4
    known = winograd.suits(layer) and onednn.suits(layer.weight)
    tile = winograd.tile_for((layer.in_channels, layer.out_channels), (height, width), largest) if known else 0
    if tile:
        call = _tiled(winograd.filters_of(layer, tile), bias, gate)
    else:
        geometry = (operation.stride, operation.dilation, operation.groups)
        call = kernels.convolution(layer.weight.detach(), bias, geometry, gate)
    top, bottom, left, right = operation.padding
    down, across = min(top, bottom), min(left, right)
    # "same" with an even kernel pads one more after than before, and TensorFlow does so with every stride of 2.
    remainder = (left - across, right - across, top - down, bottom - down)

    def whole(x: Tensor) -> Tensor:
        padded = functional.pad(x, remainder) if any(remainder) else x
        return call(kernels.channels_last(padded), (down, across))

    return Step(
        Kind.SLIDING,
        whole,
        lambda x: call(x, (0, 0)),
        slides=_slides(operation, sizes),
        multiply_adds=layer.weight.numel(),
        share=winograd.share((height, width), tile) if tile else 1.0,
        grain=tile or 1,
    )


def _tiled(filters: winograd.Filters, bias: Tensor | None, gate: Gate | None) -> Callable[[Tensor, Pair], Tensor]:
    def tiled_convolution(x: Tensor, padding: Pair) -> Tensor:
        return winograd.convolve(x, filters, padding, bias, gate)

    return tiled_convolution


def average_pool(
    node: fx.Node, layer: nn.Module | None, operation: Operation, sizes: Sizes
) -> tuple[Step, Tensor | None]:
    """Average pooling of maps.

    Near a border the divisor depends on the position (padding not counted, ceil_mode). Then the step sums, and
    the divisors [1, 1, H, W] are returned with it.
    """
    call, slides = generic(node, layer), _slides(operation, sizes)
    kernel, stride = operation.kernel, operation.stride
    if not any(operation.padding) and not any(slide.after for slide in slides) and not _overridden(node, layer):
        return Step(Kind.SLIDING, call, lambda x: functional.avg_pool2d(x, kernel, stride), slides=slides), None

    def sums(x: Tensor) -> Tensor:
        return functional.avg_pool2d(x, kernel, stride, divisor_override=1)

    rows, columns = slides
    margins = (columns.before, columns.after, rows.before, rows.after)
    ones = torch.ones(1, 1, *sizes[0][2:])
    divisors = sums(functional.pad(ones, margins)) / call(ones)
    return Step(Kind.SLIDING, lambda x: sums(functional.pad(x, margins)), sums, slides=slides), divisors.round()


def linear(layer: nn.Module | None, size: Shape) -> Step | None:
    """A linear layer; None for anything else."""
    if not isinstance(layer, nn.Linear):
        return None
    call = kernels.linear(layer.weight.detach(), None if layer.bias is None else layer.bias.detach())
    per_picture = layer.weight.numel() * math.prod(size[1:-1])
    return Step(Kind.WHOLE, call, call, multiply_adds=per_picture, heavy=True)


def _adaptive_average_pool(call: Callable[..., Any], sizes: Sizes) -> Step | None:
    (height, width), (rows, columns) = sizes[0][2:], sizes[1][2:]
    if height % rows or width % columns:
        return None
    down, across = height // rows, width // columns
    slides = (Slide(down, down, 0, 1, height, rows), Slide(across, across, 0, 1, width, columns))

    def crop(x: Tensor) -> Tensor:
        return functional.adaptive_avg_pool2d(x, (x.shape[2] // down, x.shape[3] // across))

    return Step(Kind.SLIDING, call, crop, slides=slides)


def _overridden(node: fx.Node, layer: nn.Module | None) -> bool:
    override = node.kwargs.get("divisor_override") if layer is None else getattr(layer, "divisor_override", None)
    return override is not None or (layer is None and len(node.args) > 6)


def _slides(operation: Operation, sizes: Sizes) -> tuple[Slide, Slide]:
    before = (operation.padding.top, operation.padding.left)
    rows, columns = (
        Slide(
            operation.kernel[axis],
            operation.stride[axis],
            before[axis],
            operation.dilation[axis],
            sizes[0][2 + axis],
            sizes[1][2 + axis],
        )
        for axis in (0, 1)
    )
    return rows, columns
