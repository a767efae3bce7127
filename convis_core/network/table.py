"""What each operation of a traced network does: the one table that everything else reads.

For every operation it gives the name (``kind``), which cells of its inputs a cell of its output depends on
(``Region``), the window, the cost, and whether it is a ReLU. Receptive fields, the description of an architecture, the
occlusion engine, the gradient engine and guided backpropagation all read this table. An operation that is not in it is
``Region.ALL``: any cell may depend on any cell. That is slower and never wrong.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import fx, nn

from convis_core.models.pixels import Normalise
from convis_core.network.operations import (
    ACTIVATION,
    ADAPTIVE_AVERAGE_POOL,
    ADAPTIVE_MAX_POOL,
    ADD,
    ARITHMETIC,
    AVERAGE_POOL,
    BATCH_NORM,
    CONCAT,
    CONVOLUTION,
    DROPOUT,
    FLATTEN,
    IDENTITY,
    LINEAR,
    MAX_POOL,
    NORMALISE,
    PAD,
    SIZE,
    Gate,
    Operation,
    Region,
)
from convis_core.network.shapes import Shapes
from convis_core.results.architecture import NO_PADDING, Padding, Pair, Shape


@dataclass(frozen=True, slots=True)
class _Rule:
    """A row of the table: what holds for every operation of a kind, and how the rest is read."""

    kind: str
    region: Region
    read_layer: Callable[[Any], dict[str, Any]] | None = None
    read_call: Callable[["_Call"], dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class _Call:
    """A function or method with its arguments."""

    node: fx.Node
    shapes: Shapes

    def argument(self, position: int, name: str, default: Any) -> Any:
        if len(self.node.args) > position:
            return self.node.args[position]
        return self.node.kwargs.get(name, default)


def read_all(module: fx.GraphModule, shapes: Shapes) -> dict[fx.Node, Operation]:
    """Every operation of a traced network.

    Args:
        module: the traced network.
        shapes: from ``shapes.propagate``.
    """
    return {node: read(node, module, shapes) for node in module.graph.nodes}


def read(node: fx.Node, module: nn.Module, shapes: Shapes) -> Operation:
    """The table's entry for one operation.

    A region other than ``ALL`` is a guarantee about which cells a cell depends on. Where it does not hold for these
    arguments (concatenation along another axis than the channels, padding by reflection) the region is ``ALL`` and
    the operation keeps its own name as its kind.

    Args:
        node: the operation.
        module: the traced network that it belongs to.
        shapes: from ``shapes.propagate``.
    """
    if node.op == "call_module":
        operation = _read_layer(module.get_submodule(str(node.target)), shapes.get(node, ()))
    elif node.op in ("call_function", "call_method"):
        operation = _read_call(_Call(node, shapes))
    else:
        operation = Operation(node.op)
    return operation if operation.label else replace(operation, label=operation.kind)


def called(node: fx.Node) -> str:
    """Name of the function or method that a node calls if it is torch's or Python's own, else an empty string.

    Args:
        node: any operation.
    """
    if node.op == "call_method":
        return str(node.target)
    if node.op != "call_function" or getattr(node.target, "__module__", None) not in _HOMES:
        return ""
    return str(getattr(node.target, "__name__", ""))


def _read_layer(layer: nn.Module, shape: Shape) -> Operation:
    for types, rule in _LAYERS:
        if isinstance(layer, types):
            fields: dict[str, Any] = {"kind": rule.kind, "region": rule.region}
            fields |= rule.read_layer(layer) if rule.read_layer else {}
            return _with_cost(Operation(**fields), layer, shape)
    return Operation(type(layer).__name__)


def _with_cost(operation: Operation, layer: nn.Module, shape: Shape) -> Operation:
    # F * F * C / G * K multiply-adds per cell, which is the number of weights.
    weights = layer.weight.numel() if isinstance(layer, nn.Conv2d | nn.Linear) else 0
    cells = shape[1:-1] if isinstance(layer, nn.Linear) else shape[2:]
    return replace(operation, macs=weights * math.prod(cells)) if weights else operation


def _read_call(call: _Call) -> Operation:
    name = called(call.node)
    own = name or str(getattr(call.node.target, "__name__", call.node.target))
    if call.node.target is getattr:
        reads_size = call.argument(1, "name", "") in _SIZES
        return Operation(SIZE, Region.NONE) if reads_size else Operation(own)
    rule = _CALLS.get(name.rstrip("_"))
    if rule is None:
        return Operation(own)
    fields: dict[str, Any] = {"kind": rule.kind, "region": rule.region}
    fields |= rule.read_call(call) if rule.read_call else {}
    if fields["region"] is Region.ALL:
        fields["kind"] = own
    if rule.kind == ACTIVATION:
        fields["label"] = own
    return Operation(**fields)


# How layers are read.


def _convolution(layer: nn.Conv2d) -> dict[str, Any]:
    zeros = layer.padding_mode == "zeros"
    kind = CONVOLUTION if zeros else f"{CONVOLUTION} with {layer.padding_mode} padding"
    grouping = "" if layer.groups == 1 else "depthwise " if layer.groups == layer.in_channels else "grouped "
    return {
        "kind": kind,
        "region": Region.WINDOW if zeros else Region.ALL,
        "label": grouping + kind,
        "kernel": _pair(layer.kernel_size),
        "stride": _pair(layer.stride),
        "padding": _convolution_padding(layer),
        "dilation": _pair(layer.dilation),
        "groups": layer.groups,
    }


def _convolution_padding(layer: nn.Conv2d) -> Padding:
    if layer.padding == "valid":
        return NO_PADDING
    if layer.padding == "same":
        kernel, dilation = _pair(layer.kernel_size), _pair(layer.dilation)
        down, across = dilation[0] * (kernel[0] - 1), dilation[1] * (kernel[1] - 1)
        return Padding(down // 2, down - down // 2, across // 2, across - across // 2)
    return _symmetric(layer.padding)


def _pool(layer: nn.MaxPool2d | nn.AvgPool2d) -> dict[str, Any]:
    geometry = {
        "kernel": _pair(layer.kernel_size),
        "stride": _pair(layer.stride),
        "padding": _symmetric(layer.padding),
    }
    if isinstance(layer, nn.MaxPool2d):
        geometry["dilation"] = _pair(layer.dilation)
        if layer.return_indices:
            return {"region": Region.ALL}
    return geometry


def _constant_pad(layer: nn.ConstantPad2d) -> dict[str, Any]:
    left, right, top, bottom = (int(number) for number in layer.padding)
    return {"padding": Padding(top, bottom, left, right)}


def _batch_norm(layer: nn.BatchNorm2d) -> dict[str, Any]:
    # Without running statistics it takes the mean and variance of its input, over all cells.
    return {} if layer.running_mean is not None else {"region": Region.ALL}


def _activation(layer: nn.Module) -> dict[str, Any]:
    gate = None
    if isinstance(layer, nn.ReLU):
        gate = Gate(0.0, math.inf)
    elif isinstance(layer, nn.Hardtanh):  # ReLU6 is one
        gate = _gate(layer.min_val, layer.max_val)
    elif isinstance(layer, nn.Threshold) and layer.value == layer.threshold:
        gate = _gate(layer.threshold, math.inf)
    return {"label": type(layer).__name__, "gate": gate}


def _gate(low: Any, high: Any) -> Gate | None:
    """The gate with these bounds if they are those of a ReLU."""
    if low is None or isinstance(low, fx.Node) or isinstance(high, fx.Node):
        return None
    return Gate(0.0, float("inf" if high is None else high)) if float(low) == 0 else None


# How functions and methods are read.


def _called_relu(_call: _Call) -> dict[str, Any]:
    return {"gate": Gate(0.0, math.inf)}


def _called_relu6(_call: _Call) -> dict[str, Any]:
    return {"gate": Gate(0.0, 6.0)}


def _called_hardtanh(call: _Call) -> dict[str, Any]:
    return {"gate": _gate(call.argument(1, "min_val", -1.0), call.argument(2, "max_val", 1.0))}


def _called_threshold(call: _Call) -> dict[str, Any]:
    level, value = call.argument(1, "threshold", None), call.argument(2, "value", None)
    return {"gate": _gate(level, math.inf) if level == value else None}


def _called_clamp(call: _Call) -> dict[str, Any]:
    return {"gate": _gate(call.argument(1, "min", None), call.argument(2, "max", None))}


def _called_pool(call: _Call) -> dict[str, Any]:
    if call.node.kwargs.get("return_indices"):
        return {"region": Region.ALL}
    kernel = _pair(call.argument(1, "kernel_size", 1))
    stride = call.argument(2, "stride", None)
    geometry = {
        "kernel": kernel,
        "stride": _pair(stride) if stride else kernel,
        "padding": _symmetric(call.argument(3, "padding", 0)),
    }
    if "max" in called(call.node):
        geometry["dilation"] = _pair(call.argument(4, "dilation", 1))
    return geometry


def _called_pad(call: _Call) -> dict[str, Any]:
    amounts: Sequence[int] = call.argument(1, "pad", ())
    if call.argument(2, "mode", "constant") != "constant" or len(amounts) > 4:
        return {"region": Region.ALL}
    left, right, top, bottom = [*amounts, 0, 0, 0, 0][:4]
    return {"padding": Padding(top, bottom, left, right)}


def _called_concat(call: _Call) -> dict[str, Any]:
    joins_channels = len(call.shapes.get(call.node, ())) == 4 and call.argument(1, "dim", 0) in (1, -3)
    return {} if joins_channels else {"region": Region.ALL}


def _called_convolution(call: _Call) -> dict[str, Any]:
    weight, padding = call.argument(1, "weight", None), call.argument(4, "padding", 0)
    shape = call.shapes.get(weight, ()) if isinstance(weight, fx.Node) else ()
    if len(shape) != 4 or isinstance(padding, str):
        return {"region": Region.ALL}
    return {
        "kernel": (shape[2], shape[3]),
        "stride": _pair(call.argument(3, "stride", 1)),
        "padding": _symmetric(padding),
        "dilation": _pair(call.argument(5, "dilation", 1)),
        "groups": int(call.argument(6, "groups", 1)),
        "macs": math.prod(shape) * math.prod(call.shapes.get(call.node, ())[2:]),
    }


def _pair(value: Any) -> Pair:
    if isinstance(value, int):
        return (value, value)
    first, last = int(value[0]), int(value[-1])
    return (first, last)


def _symmetric(padding: Any) -> Padding:
    down, across = _pair(padding)
    return Padding(down, down, across, across)


_HOMES = ("torch", "torch.nn.functional", "torch._C._nn", "_operator", "torchvision.ops.stochastic_depth")
_SIZES = ("shape", "ndim", "device", "dtype")

_LAYERS: tuple[tuple[tuple[type[nn.Module], ...], _Rule], ...] = (
    ((nn.Conv2d,), _Rule(CONVOLUTION, Region.WINDOW, _convolution)),
    ((nn.Linear,), _Rule(LINEAR, Region.ALL)),
    ((nn.BatchNorm2d,), _Rule(BATCH_NORM, Region.CELL, _batch_norm)),
    ((nn.MaxPool2d,), _Rule(MAX_POOL, Region.WINDOW, _pool)),
    ((nn.AvgPool2d,), _Rule(AVERAGE_POOL, Region.WINDOW, _pool)),
    ((nn.AdaptiveAvgPool2d,), _Rule(ADAPTIVE_AVERAGE_POOL, Region.ADAPTIVE)),
    ((nn.AdaptiveMaxPool2d,), _Rule(ADAPTIVE_MAX_POOL, Region.ADAPTIVE)),
    ((nn.ConstantPad2d,), _Rule(PAD, Region.SHIFT, _constant_pad)),
    ((nn.Flatten,), _Rule(FLATTEN, Region.FLATTEN)),
    ((nn.Dropout, nn.Dropout2d), _Rule(DROPOUT, Region.CELL)),
    ((nn.Identity,), _Rule(IDENTITY, Region.CELL)),
    ((Normalise,), _Rule(NORMALISE, Region.CELL)),
    ((nn.LocalResponseNorm, nn.Softmax2d), _Rule(ARITHMETIC, Region.CELL)),
    (
        (
            *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish),
            *(nn.Sigmoid, nn.LogSigmoid, nn.Tanh, nn.Softplus, nn.Softsign, nn.Hardtanh, nn.Hardswish),
            *(nn.Hardsigmoid, nn.Hardshrink, nn.Softshrink, nn.Tanhshrink, nn.Threshold),
        ),
        _Rule(ACTIVATION, Region.CELL, _activation),
    ),
)


def _calls(kind: str, region: Region, names: str, read: Callable[[_Call], dict[str, Any]] | None = None) -> Any:
    return dict.fromkeys(names.split(), _Rule(kind, region, read_call=read))


_CALLS: Mapping[str, _Rule] = {
    **_calls(CONVOLUTION, Region.WINDOW, "conv2d", _called_convolution),
    **_calls(MAX_POOL, Region.WINDOW, "max_pool2d", _called_pool),
    **_calls(AVERAGE_POOL, Region.WINDOW, "avg_pool2d", _called_pool),
    **_calls(ADAPTIVE_AVERAGE_POOL, Region.ADAPTIVE, "adaptive_avg_pool2d"),
    **_calls(ADAPTIVE_MAX_POOL, Region.ADAPTIVE, "adaptive_max_pool2d"),
    **_calls(PAD, Region.SHIFT, "pad", _called_pad),
    **_calls(FLATTEN, Region.FLATTEN, "flatten"),
    **_calls(ADD, Region.CELL, "add iadd"),
    **_calls(CONCAT, Region.CELL, "cat concat concatenate", _called_concat),
    **_calls(DROPOUT, Region.CELL, "dropout dropout2d feature_dropout stochastic_depth"),
    **_calls(IDENTITY, Region.CELL, "contiguous detach clone"),
    **_calls(ACTIVATION, Region.CELL, "relu", _called_relu),
    **_calls(ACTIVATION, Region.CELL, "relu6", _called_relu6),
    **_calls(ACTIVATION, Region.CELL, "hardtanh", _called_hardtanh),
    **_calls(ACTIVATION, Region.CELL, "threshold _threshold", _called_threshold),
    **_calls(
        ACTIVATION,
        Region.CELL,
        "leaky_relu elu selu celu silu gelu mish hardswish hardsigmoid sigmoid tanh log_sigmoid softplus softsign",
    ),
    **_calls(ARITHMETIC, Region.CELL, "clamp clip clamp_min", _called_clamp),
    **_calls(
        ARITHMETIC,
        Region.CELL,
        "mul sub div rsub imul isub itruediv truediv multiply subtract divide true_divide clamp_max maximum minimum "
        "abs neg exp log log1p expm1 sqrt rsqrt square reciprocal sin cos erf floor ceil round sign pow",
    ),
    **_calls(SIZE, Region.NONE, "size dim"),
}
