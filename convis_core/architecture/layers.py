"""All layers of a network with their sizes, and what they come to together."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from torch import fx, nn

from convis_core import network
from convis_core.architecture.blocks import assign
from convis_core.models import LoadedModel
from convis_core.network import operations, receptive
from convis_core.network.operations import Operation
from convis_core.results.architecture import LayerRow, Shape, Totals

_BYTES_PER_VALUE = 4


def describe(model: LoadedModel) -> tuple[LayerRow, ...]:
    """Every operation of the network in order of execution, with its sizes for one picture.

    Nothing is computed but shapes, so this takes a fraction of a second for any network. With a kernel of
    F x F, C channels in, K channels out, G groups and an output of H x W cells, a convolution has
    F * F * C / G * K weights and K biases, and costs F * F * C / G * K * H * W multiply-adds; a linear layer
    is the case of one cell. Adding a bias is no multiplication and is not counted; nor is batch norm, which
    is one multiply-add a value and can be folded into the convolution before it. A layer that runs twice has
    its parameters counted where it runs first.

    Args:
        model: the network.
    """
    traced = network.trace(model)
    shapes = operations.shapes(model)
    fields = receptive.fields(model)
    rows: list[LayerRow] = []
    counted: set[str] = set()
    for node in traced.module.graph.nodes:
        if node.op in ("placeholder", "output", "get_attr") or node not in shapes:
            continue
        operation = operations.read(node, traced.module, shapes)
        layer = traced.module.get_submodule(str(node.target)) if node.op == "call_module" else None
        weights, biases = _learned(layer) if layer is not None and str(node.target) not in counted else (0, 0)
        if layer is not None:
            counted.add(str(node.target))
        sources = [source for source in node.all_input_nodes if source in shapes]
        window = operation if operation.kind in operations.WINDOWED or isinstance(layer, nn.Conv2d) else None
        rows.append(
            LayerRow(
                name=traced.names[node],
                kind=_kind(node, operation, layer),
                block="",
                inputs=tuple(traced.names[source] for source in sources if source.op != "placeholder"),
                input_shapes=tuple(shapes[source] for source in sources),
                output_shape=shapes[node],
                kernel=window.kernel if window else None,
                stride=window.stride if window else None,
                padding=window.padding if window else None,
                dilation=window.dilation if window else None,
                groups=operation.groups,
                weights=weights,
                biases=biases,
                macs=_macs(layer, shapes[node]),
                activation_bytes=math.prod(shapes[node]) * _BYTES_PER_VALUE,
                field=fields[node],
            )
        )
    block_of = assign(rows, model.spec.feature_layers)
    return tuple(replace(row, block=block_of[row.name]) for row in rows)


def totals(rows: Sequence[LayerRow]) -> Totals:
    """What the layers come to together.

    Args:
        rows: from ``describe``.
    """
    learned = [row for row in rows if row.macs > 0]
    maps = [row.receptive_field for row in rows if operations.grid(row.output_shape) != (1, 1)]
    return Totals(
        parameters=sum(row.parameters for row in rows),
        weights=sum(row.weights for row in rows),
        biases=sum(row.biases for row in rows),
        macs=sum(row.macs for row in rows),
        activation_bytes=sum(row.activation_bytes for row in rows),
        depth=_depth(rows),
        learned_layers=len(learned),
        receptive_field=max(maps, default=max((row.receptive_field for row in rows), default=1)),
    )


def _learned(layer: nn.Module) -> tuple[int, int]:
    """Numbers of weights and biases."""
    sizes: Mapping[str, int] = {name: parameter.numel() for name, parameter in layer.named_parameters()}
    biases = sum(size for name, size in sizes.items() if name.split(".")[-1].startswith("bias"))
    return sum(sizes.values()) - biases, biases


def _macs(layer: nn.Module | None, shape: Shape) -> int:
    if isinstance(layer, nn.Conv2d):
        return layer.weight.numel() * math.prod(shape[2:])
    if isinstance(layer, nn.Linear):
        return layer.weight.numel() * math.prod(shape[1:-1])
    return 0


def _kind(node: fx.Node, operation: Operation, layer: nn.Module | None) -> str:
    """The kind in words that a person looks for."""
    if operation.kind == operations.ACTIVATION:
        return type(layer).__name__ if layer is not None else str(getattr(node.target, "__name__", node.target))
    if isinstance(layer, nn.Conv2d) and layer.groups > 1:
        way = "depthwise" if layer.groups == layer.in_channels else "grouped"
        return f"{way} {operation.kind}"
    return operation.kind


def _depth(rows: Iterable[LayerRow]) -> int:
    """Convolutions and linear layers on the longest way; the rows are in order of execution."""
    depth: dict[str, int] = {}
    for row in rows:
        before = max((depth[name] for name in row.inputs if name in depth), default=0)
        depth[row.name] = before + (row.macs > 0)
    return max(depth.values(), default=0)
