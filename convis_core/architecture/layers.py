"""All layers of a network with their sizes, and the totals."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from torch import fx, nn

from convis_core import network
from convis_core.architecture.blocks import assign
from convis_core.models import LoadedModel
from convis_core.network import receptive
from convis_core.network.operations import CONVOLUTION
from convis_core.network.shapes import grid
from convis_core.network.trace import attribute
from convis_core.results.architecture import LayerRow, ReceptiveField, Totals

_BYTES_PER_VALUE = 4


def describe(model: LoadedModel) -> tuple[LayerRow, ...]:
    """Every operation of the network in order of execution, with its sizes for one picture.

    Only shapes are computed, so this takes a fraction of a second for any network. With a kernel of F x F, C channels
    in, K channels out, G groups and an output of H x W cells, a convolution has F * F * C / G * K weights and K biases,
    and costs F * F * C / G * K * H * W multiply-adds; a linear layer is the case of one cell. The addition of a bias is
    not counted, since it is no multiplication; nor is batch norm, which is one multiply-add per value and can be folded
    into the convolution before it. A layer that runs twice has its parameters counted where it runs first.

    Args:
        model: the network.

    >>> from torch import nn
    >>> from convis_core import architecture, models
    >>> network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> _, convolution, *_ = architecture.describe(models.wrap(network, input_size=16))
    >>> convolution.name, convolution.kind, convolution.output_shape, convolution.receptive_field
    ('0', 'convolution', (1, 8, 16, 16), 3)
    >>> convolution.parameters == 3 * 3 * 3 * 8 + 8, convolution.macs == 3 * 3 * 3 * 8 * 16 * 16
    (True, True)
    """
    traced, fields = network.trace(model), receptive.fields(model)
    shapes = traced.shapes
    rows: list[LayerRow] = []
    counted: set[str] = set()
    for node in traced.module.graph.nodes:
        if node.op in ("placeholder", "output") or node not in shapes or node not in fields:
            continue
        operation = traced.operations[node]
        weights, biases = _learned(traced, node, fields, counted)
        sources = [source for source in node.all_input_nodes if source in shapes and source in fields]
        window = operation if operation.has_window or operation.kind.startswith(CONVOLUTION) else None
        rows.append(
            LayerRow(
                name=traced.names[node],
                kind=operation.label,
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
                macs=operation.macs,
                activation_bytes=math.prod(shapes[node]) * _BYTES_PER_VALUE,
                field=fields[node],
            )
        )
    block_of = assign(rows, model.spec.feature_layers)
    return tuple(replace(row, block=block_of[row.name]) for row in rows)


def totals(rows: Sequence[LayerRow]) -> Totals:
    """The network as a whole: parameters, multiply-adds, memory and depth, summed over its layers.

    Args:
        rows: from ``describe``.

    >>> from torch import nn
    >>> from convis_core import architecture, models
    >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    >>> total = architecture.totals(architecture.describe(models.wrap(network, input_size=16)))
    >>> total.weights == 3 * 3 * 3 * 8 + 8 * 10, total.biases == 8 + 10, total.depth
    (True, True, 2)
    """
    learned = [row for row in rows if row.macs > 0]
    maps = [row.receptive_field for row in rows if grid(row.output_shape) != (1, 1)]
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


def _learned(
    traced: network.Traced, node: fx.Node, fields: Mapping[fx.Node, ReceptiveField], counted: set[str]
) -> tuple[int, int]:
    """The weights and biases that an operation is the first to read: those of its layer, or bare parameters."""
    # A layer that returns a tuple, as attention does, has no row; the operation that takes its first element counts it.
    several = [source for source in node.all_input_nodes if source not in traced.shapes]
    owners = [str(owner.target) for owner in (node, *several) if owner.op == "call_module"]
    sizes: dict[str, int] = {}
    for owner in owners:
        layer = traced.module.get_submodule(owner)
        sizes |= {f"{owner}.{name}": parameter.numel() for name, parameter in layer.named_parameters()}
    for name in _read_directly(node, fields):
        value = attribute(traced.module, name)
        if isinstance(value, nn.Parameter):
            sizes[name] = value.numel()
    new = {name: size for name, size in sizes.items() if name not in counted}
    counted.update(new)
    biases = sum(size for name, size in new.items() if name.split(".")[-1].startswith("bias"))
    return sum(new.values()) - biases, biases


def _read_directly(node: fx.Node, fields: Mapping[fx.Node, ReceptiveField]) -> list[str]:
    """Names of the parameters and buffers that an operation reads, directly or through values computed from them."""
    names: list[str] = []
    for source in node.all_input_nodes:
        if source.op == "get_attr":
            names.append(str(source.target))
        elif source not in fields:
            names += _read_directly(source, fields)
    return names


def _depth(rows: Iterable[LayerRow]) -> int:
    """Number of convolutions and linear layers on the longest path; the rows are in order of execution."""
    depth: dict[str, int] = {}
    for row in rows:
        before = max((depth[name] for name in row.inputs if name in depth), default=0)
        depth[row.name] = before + (row.macs > 0)
    return max(depth.values(), default=0)
