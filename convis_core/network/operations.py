"""What each operation of a traced network is: its kind, its window, the shape of what it returns."""

import copy
import operator
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from convis_core.models import LoadedModel
from convis_core.models.pixels import Normalise
from convis_core.network import trace
from convis_core.results.architecture import NO_PADDING, Padding, Pair, Shape

Shapes: TypeAlias = Mapping[fx.Node, Shape]

CONVOLUTION, LINEAR, BATCH_NORM = "convolution", "linear", "batch norm"
MAX_POOL, AVERAGE_POOL = "max pool", "average pool"
ADAPTIVE_AVERAGE_POOL, ADAPTIVE_MAX_POOL = "adaptive average pool", "adaptive max pool"
PAD, FLATTEN, ADD, CONCAT, NORMALISE = "zero pad", "flatten", "add", "concat", "normalise"
DROPOUT, IDENTITY, ACTIVATION, ARITHMETIC = "dropout", "identity", "activation", "arithmetic"

WINDOWED = frozenset({CONVOLUTION, MAX_POOL, AVERAGE_POOL, PAD})
ADAPTIVE = frozenset({ADAPTIVE_AVERAGE_POOL, ADAPTIVE_MAX_POOL})
CELLWISE = frozenset({BATCH_NORM, ADD, CONCAT, NORMALISE, DROPOUT, IDENTITY, ACTIVATION, ARITHMETIC})
"""Kinds whose cell (row, column) depends on the inputs' cells at the same place and on no other."""

_LAYERS: tuple[tuple[type[nn.Module], str], ...] = (
    (nn.Conv2d, CONVOLUTION),
    (nn.Linear, LINEAR),
    (nn.BatchNorm2d, BATCH_NORM),
    (nn.MaxPool2d, MAX_POOL),
    (nn.AvgPool2d, AVERAGE_POOL),
    (nn.AdaptiveAvgPool2d, ADAPTIVE_AVERAGE_POOL),
    (nn.AdaptiveMaxPool2d, ADAPTIVE_MAX_POOL),
    (nn.ConstantPad2d, PAD),
    (nn.Flatten, FLATTEN),
    (nn.Dropout, DROPOUT),
    (nn.Dropout2d, DROPOUT),
    (nn.Identity, IDENTITY),
    (Normalise, NORMALISE),
    (nn.LocalResponseNorm, ARITHMETIC),
)
_ACTIVATION_LAYERS = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Sigmoid,
    nn.Tanh,
    nn.Softplus,
    nn.Hardtanh,
    nn.Hardswish,
    nn.Hardsigmoid,
)
_FUNCTIONS: Mapping[Callable[..., Any], str] = {
    operator.add: ADD,
    operator.iadd: ADD,
    torch.add: ADD,
    torch.cat: CONCAT,
    torch.concat: CONCAT,
    torch.flatten: FLATTEN,
    functional.max_pool2d: MAX_POOL,
    torch.max_pool2d: MAX_POOL,
    functional.avg_pool2d: AVERAGE_POOL,
    functional.adaptive_avg_pool2d: ADAPTIVE_AVERAGE_POOL,
    functional.adaptive_max_pool2d: ADAPTIVE_MAX_POOL,
    functional.pad: PAD,
    functional.dropout: DROPOUT,
    **dict.fromkeys((functional.relu, functional.relu6, torch.relu, functional.leaky_relu), ACTIVATION),
    **dict.fromkeys((functional.silu, functional.gelu, functional.hardswish, functional.hardsigmoid), ACTIVATION),
    **dict.fromkeys((torch.sigmoid, torch.tanh), ACTIVATION),
    **dict.fromkeys((operator.mul, operator.sub, operator.truediv), ARITHMETIC),
    **dict.fromkeys((torch.mul, torch.sub, torch.div, torch.clamp), ARITHMETIC),
}
_METHODS: Mapping[str, str] = {
    **dict.fromkeys(("add", "add_"), ADD),
    "flatten": FLATTEN,
    **dict.fromkeys(("relu", "relu_", "sigmoid", "tanh"), ACTIVATION),
    **dict.fromkeys(("mul", "mul_", "sub", "div", "clamp"), ARITHMETIC),
    **dict.fromkeys(("contiguous", "detach", "clone"), IDENTITY),
}
_POOLS = frozenset({MAX_POOL, AVERAGE_POOL})


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the network.

    Attributes:
        kind: one of the constants of this module, or the operation's own name when it is none of them.
        kernel: height and width of the window, in cells.
        stride: cells from one window to the next.
        padding: rows and columns laid around the input.
        dilation: cells from one tap of the kernel to the next.
        groups: of a convolution; equal to its input channels when it is depthwise.
    """

    kind: str
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Padding = NO_PADDING
    dilation: Pair = (1, 1)
    groups: int = 1


def read(node: fx.Node, module: nn.Module, shapes: Shapes) -> Operation:
    """What an operation is.

    A kind in ``WINDOWED``, ``ADAPTIVE`` or ``CELLWISE`` is a promise about which cells of its inputs a cell
    depends on. Where that does not hold (concatenation along another axis than the channels, padding by
    reflection) the operation keeps its own name as its kind.

    Args:
        node: the operation.
        module: the traced network that it belongs to.
        shapes: from ``shapes``.
    """
    if node.op == "call_module":
        layer = module.get_submodule(str(node.target))
        return _read_layer(layer)
    if node.op == "call_method":
        name = str(node.target)
        kind = _METHODS.get(name, name)
    else:
        name = getattr(node.target, "__name__", str(node.target))
        kind = _FUNCTIONS.get(node.target, name) if callable(node.target) else name
    if kind in _POOLS:
        return _read_pool(node, kind)
    if kind == PAD:
        return _read_pad(node, name)
    if kind == CONCAT and not _joins_channels(node, shapes):
        return Operation(name)
    return Operation(kind)


_lock = threading.Lock()
_known: WeakKeyDictionary[LoadedModel, dict[int, Shapes]] = WeakKeyDictionary()


def shapes(model: LoadedModel, size: int | None = None) -> Shapes:
    """The shape of what every operation returns for one picture; found without computing a single value.

    Operations that return something else than a tensor are left out.

    Args:
        model: the network.
        size: side of the picture, in pixels; without it, the side that the network was made for.
    """
    side = model.input_size if size is None else size
    traced = trace(model)
    with _lock:
        by_size = _known.setdefault(model, {})
        if side not in by_size:
            by_size[side] = _propagate(traced.module, side)
        return by_size[side]


def grid(shape: Shape) -> Pair:
    """Rows and columns of a map [N, C, H, W]; (1, 1) for what has none."""
    return (shape[2], shape[3]) if len(shape) == 4 else (1, 1)


class _ShapeInterpreter(fx.Interpreter):
    """Walks the operations and notes shapes; torch.fx asks for a subclass here."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.extra_traceback = False
        self.shapes: dict[fx.Node, Shape] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.shapes[n] = tuple(result.shape)
        return result


def _propagate(module: fx.GraphModule, size: int) -> Shapes:
    # A twin on the meta device, where tensors have shapes and no values. The memo tells deepcopy to take the
    # meta tensors for the weights, so that nothing large is copied.
    tensors: dict[int, Any] = {}
    for tensor in (*module.parameters(), *module.buffers()):
        tensors[id(tensor)] = tensor.to("meta")
    for parameter in module.parameters():
        tensors[id(parameter)] = nn.Parameter(parameter.to("meta"), requires_grad=False)
    twin = copy.deepcopy(module, tensors)
    interpreter = _ShapeInterpreter(twin)
    with torch.no_grad():
        interpreter.run(torch.empty(1, 3, size, size, device="meta"))
    return {
        original: interpreter.shapes[copied]
        for original, copied in zip(module.graph.nodes, twin.graph.nodes, strict=True)
        if copied in interpreter.shapes
    }


def _pair(value: Any) -> Pair:
    if isinstance(value, int):
        return (value, value)
    first, last = int(value[0]), int(value[-1])
    return (first, last)


def _symmetric(padding: Any) -> Padding:
    down, across = _pair(padding)
    return Padding(down, down, across, across)


def _read_layer(layer: nn.Module) -> Operation:
    kind = next((kind for type_, kind in _LAYERS if isinstance(layer, type_)), type(layer).__name__)
    if isinstance(layer, nn.Conv2d):
        zeros = layer.padding_mode == "zeros"
        return Operation(
            CONVOLUTION if zeros else f"{CONVOLUTION} with {layer.padding_mode} padding",
            _pair(layer.kernel_size),
            _pair(layer.stride),
            _convolution_padding(layer),
            _pair(layer.dilation),
            layer.groups,
        )
    if isinstance(layer, nn.MaxPool2d):
        padding, dilation = _symmetric(layer.padding), _pair(layer.dilation)
        return Operation(kind, _pair(layer.kernel_size), _pair(layer.stride), padding, dilation)
    if isinstance(layer, nn.AvgPool2d):
        return Operation(kind, _pair(layer.kernel_size), _pair(layer.stride), _symmetric(layer.padding))
    if isinstance(layer, nn.ConstantPad2d):
        left, right, top, bottom = (int(number) for number in layer.padding)
        return Operation(kind, padding=Padding(top, bottom, left, right))
    if isinstance(layer, _ACTIVATION_LAYERS):
        return Operation(ACTIVATION)
    return Operation(kind)


def _convolution_padding(layer: nn.Conv2d) -> Padding:
    if layer.padding == "valid":
        return NO_PADDING
    if layer.padding == "same":
        kernel, dilation = _pair(layer.kernel_size), _pair(layer.dilation)
        down, across = dilation[0] * (kernel[0] - 1), dilation[1] * (kernel[1] - 1)
        return Padding(down // 2, down - down // 2, across // 2, across - across // 2)
    return _symmetric(layer.padding)


def _argument(node: fx.Node, position: int, name: str, default: Any) -> Any:
    if len(node.args) > position:
        return node.args[position]
    return node.kwargs.get(name, default)


def _read_pool(node: fx.Node, kind: str) -> Operation:
    kernel = _pair(_argument(node, 1, "kernel_size", 1))
    stride = _argument(node, 2, "stride", None)
    padding = _symmetric(_argument(node, 3, "padding", 0))
    dilation = _pair(_argument(node, 4, "dilation", 1)) if kind == MAX_POOL else (1, 1)
    return Operation(kind, kernel, _pair(stride) if stride else kernel, padding, dilation)


def _read_pad(node: fx.Node, name: str) -> Operation:
    amounts = _argument(node, 1, "pad", ())
    if _argument(node, 2, "mode", "constant") != "constant" or len(amounts) > 4:
        return Operation(name)
    left, right, top, bottom = [*amounts, 0, 0, 0, 0][:4]
    return Operation(PAD, padding=Padding(top, bottom, left, right))


def _joins_channels(node: fx.Node, shapes: Shapes) -> bool:
    return len(shapes.get(node, ())) == 4 and _argument(node, 1, "dim", 0) in (1, -3)
