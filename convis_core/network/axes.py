"""Which axes of every tensor of a traced network are its rows and columns.

A feature map is [N, C, H, W], but a network may rearrange it on the way: a ConvNeXt permutes it to [N, H, W, C], a
ShuffleNet reshapes it to [N, G, C / G, H, W]. Where rows and columns can be followed through such an operation, it
moves nothing from cell to cell, and its region is ``Region.REARRANGED``.

Axes are counted from the last, (-2, -1) for a feature map, so that they stay valid under broadcasting.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from torch import fx, nn

from convis_core.network.operations import CONCAT, Operation, Region
from convis_core.network.shapes import Shapes
from convis_core.network.table import called
from convis_core.results.architecture import Pair, Shape

Axes: TypeAlias = Mapping[fx.Node, Pair]

MAP: Pair = (-2, -1)
"""Rows and columns of a tensor [N, C, H, W]."""

_ALONG_CHANNELS = (nn.LocalResponseNorm, nn.Softmax2d)
"""Layers that mix values along the second axis, which holds the channels in a feature map and not elsewhere."""
_RESHAPES = frozenset({"view", "reshape", "flatten", "unflatten", "unsqueeze", "squeeze"})
_SPLITS = frozenset({"chunk", "split", "tensor_split", "unbind"})


def follow(
    module: fx.GraphModule, shapes: Shapes, operations: Mapping[fx.Node, Operation]
) -> tuple[dict[fx.Node, Pair], dict[fx.Node, Operation]]:
    """The axes of rows and columns of every tensor that has them, and the operations with regions corrected by them.

    A windowed operation whose input has rows and columns at other axes than a feature map is treated as unknown.

    Args:
        module: the traced network.
        shapes: from ``shapes.propagate``.
        operations: from ``table.read_all``.
    """
    axes: dict[fx.Node, Pair] = {}
    known = dict(operations)
    for node in module.graph.nodes:
        if node.op == "placeholder":
            axes[node] = MAP
        elif node.op.startswith("call"):
            pair, known[node] = _after(node, module, shapes, axes, known[node])
            if pair is not None:
                axes[node] = pair
    return axes, known


def cells(shape: Shape, axes: Pair | None) -> Pair:
    """Rows and columns of a tensor; (1, 1) for one without them.

    Args:
        shape: of the tensor.
        axes: which of its axes are rows and columns; None if none are.

    >>> cells((1, 56, 56, 96), (-3, -2)), cells((1, 1000), None)
    ((56, 56), (1, 1))
    """
    return (1, 1) if axes is None else (shape[axes[0]], shape[axes[1]])


def _after(
    node: fx.Node, module: nn.Module, shapes: Shapes, axes: Axes, operation: Operation
) -> tuple[Pair | None, Operation]:
    """The axes of rows and columns after an operation, and the operation itself, given its inputs' axes."""
    sources = [source for source in node.all_input_nodes if source in axes]
    shape = shapes.get(node, ())
    if sources and operation.region is not Region.NONE:
        given = axes[sources[0]]
        layer = module.get_submodule(str(node.target)) if node.op == "call_module" else None
        if operation.region in (Region.WINDOW, Region.SHIFT, Region.ADAPTIVE):
            if given == MAP and len(shape) == 4:
                return MAP, operation
        elif operation.region is Region.CELL:
            along = operation.kind == CONCAT or isinstance(layer, _ALONG_CHANNELS)
            agree = all(axes[source] == given for source in sources) and len(shape) >= -min(given)
            if agree and (given == MAP or not along):
                return given, operation
        elif operation.region is Region.ALL and len(sources) == 1:
            moved = _rearranged(node, layer, given, shapes)
            if moved is not None:
                return moved, replace(operation, region=Region.REARRANGED)
        if operation.region is not Region.FLATTEN or len(shape) == 4:
            operation = replace(operation, region=Region.ALL)
    # A tensor of four axes is treated as a feature map, of which every cell may depend on anything.
    if len(shape) == 4:
        return MAP, replace(operation, region=Region.ALL)
    return None, operation


def _rearranged(node: fx.Node, layer: nn.Module | None, given: Pair, shapes: Shapes) -> Pair | None:
    """The axes of rows and columns after an operation that mixes no cells; None if it may mix them."""
    source = node.all_input_nodes[0]
    before, after = shapes.get(source, ()), shapes.get(node, ())
    if isinstance(layer, nn.Linear):
        return given if -1 not in given else None
    if isinstance(layer, nn.LayerNorm):
        return _normalised(given, layer.normalized_shape)
    name = called(node)
    if name == "layer_norm":
        return _normalised(given, node.args[1])
    if isinstance(layer, nn.Flatten) or name in _RESHAPES:
        return _reshaped(before, after, given)
    if name in ("permute", "transpose", "movedim", "swapaxes"):
        return _permuted(node, name, before, given)
    if name in _SPLITS:
        axis: Any = node.kwargs.get("dim", node.args[2] if len(node.args) > 2 else 0)
        return given if axis - (len(before) if axis >= 0 else 0) not in given else None
    if name == "getitem" and source not in shapes:  # a part of what was split
        return given
    return None


def _normalised(given: Pair, over: Any) -> Pair | None:
    """Layer norm over the last axes keeps cells apart if rows and columns are not among them."""
    return given if max(given) < -len(list(over)) else None


def _reshaped(before: Shape, after: Shape, given: Pair) -> Pair | None:
    """Rows and columns are preserved if they stay adjacent and the axes before them hold as many numbers as before."""
    rows, columns = given[0] + len(before), given[1] + len(before)
    if columns != rows + 1 or not after:
        return None
    ahead = math.prod(before[:rows])
    for axis in range(len(after) - 1):
        if after[axis : axis + 2] == before[rows : columns + 1] and math.prod(after[:axis]) == ahead:
            return axis - len(after), axis + 1 - len(after)
    return None


def _permuted(node: fx.Node, name: str, before: Shape, given: Pair) -> Pair | None:
    count = len(before)
    if name == "permute":
        rest: Sequence[Any] = node.args[1:] or (node.kwargs.get("dims"),)
        order = list(rest[0]) if isinstance(rest[0], Sequence) else list(rest)
    elif name in ("transpose", "swapaxes") and len(node.args) == 3:
        first, second = (int(axis) % count for axis in node.args[1:])  # type: ignore[arg-type]
        order = list(range(count))
        order[first], order[second] = second, first
    else:
        return None
    if not all(isinstance(axis, int) for axis in order):
        return None
    positions = [axis % count for axis in order]
    rows, columns = (positions.index(axis + count) - count for axis in given)
    return rows, columns
