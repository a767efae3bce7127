"""The network rewritten for one purpose: gradients of many pictures, in little time and memory.

Autograd must be ready to differentiate by anything. Here only the picture's gradient is wanted, and that allows

- a convolution to forget its input: the gradient by the input needs the weights alone;
- an activation to work in place and to be remembered by its output, which also says where it was cut off;
- a 1x1 convolution in channels-last order to be what it is, a product of two matrices (on one thread, torch would
  choose a slower way);
- lopsided zero-padding before a depthwise convolution to become zeros in its kernel, instead of a copy of the maps.

The result differs from the network's own by rounding only. Whatever is not a convolution or its activation stays
torch's own operation.
"""

import math
import threading
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from convis_core import graph
from convis_core.models import LoadedModel

_FUSES = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
"""Whether oneDNN's fused operations, those that torch.compile uses, are there; without them it goes in steps."""

_lock = threading.Lock()
_rewritten: WeakKeyDictionary[LoadedModel, nn.Module] = WeakKeyDictionary()


def lean(model: LoadedModel) -> nn.Module:
    """A module from pixels [N, 3, S, S] in channels-last order to logits [N, C]; made once per model and shared.

    It shares the weights of ``graph.fast``. On a graphics card that is what is returned: torch's own kernels are the
    fast ones there.
    """
    fast = graph.fast(model).module
    if model.device.type != "cpu":
        return fast
    with _lock:
        if model not in _rewritten:
            _rewritten[model] = _rewrite(fast)
        return _rewritten[model]


class _Block(nn.Module):
    """A convolution with the padding before it and the activation after it.

    Attributes:
        light: whether it takes little arithmetic, being 1x1 or in groups.
        ceiling: where the activation saturates, inf for ReLU; None for no activation.
        owns_gradient: whether the gradient that arrives is read by nobody else and may be overwritten.
    """

    def __init__(self, layer: nn.Conv2d, *, pad: nn.ZeroPad2d | None, ceiling: float | None, owns_gradient: bool):
        super().__init__()
        weight, padding = layer.weight.detach(), layer.padding
        if pad is not None:
            weight, padding = _padding_inside(weight, pad)
        self.weight, self.padding, self.bias = weight, padding, layer.bias
        self.stride, self.dilation, self.groups = layer.stride, layer.dilation, layer.groups
        self.ceiling, self.owns_gradient = ceiling, owns_gradient
        plain = (self.stride, self.padding, self.groups) == ((1, 1), (0, 0), 1)
        self.matrix = weight[:, :, 0, 0] if plain and weight.shape[2:] == (1, 1) else None
        self.light = self.matrix is not None or self.groups > 1

    def forward(self, x: Tensor) -> Tensor:
        if self.light and len(x) == 1 and x.requires_grad:
            # For one picture it is done so soon that lanes would wait for each other's turn with Python's lock, which
            # a function of ours needs on the way back, and torch's own do not.
            return _in_steps(x, self)
        y: Tensor = _Convolve.apply(x, self)
        return y


class _Convolve(torch.autograd.Function):
    """Carries out a block; of all that passes through, only the activation's output is kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, block: _Block) -> Tensor:
        ctx.block, ctx.shape = block, x.shape
        y = _fused(x, block) if _FUSES and x.dtype == torch.float32 else _in_steps(x, block)
        if block.ceiling is not None:
            ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        block: _Block = ctx.block
        if block.ceiling is not None:
            (y,) = ctx.saved_tensors
            # An output at a bound tells of an input at it or beyond: zero gradient, as torch has it.
            room = gradient if block.owns_gradient and gradient.stride() == y.stride() else torch.empty_like(y)
            gradient = torch.ops.aten.hardtanh_backward.grad_input(gradient, y, 0, block.ceiling, grad_input=room)
        if block.matrix is not None:
            return _maps(_rows(gradient) @ block.matrix, ctx.shape), None
        # Of the input only the shape is asked; the memory of this stand-in is never touched.
        unseen = torch.empty(ctx.shape, dtype=gradient.dtype, memory_format=torch.channels_last)
        by_input, _, _ = torch.ops.aten.convolution_backward.default(
            gradient,
            unseen,
            block.weight,
            None,
            block.stride,
            block.padding,
            block.dilation,
            False,
            (0, 0),
            block.groups,
            (True, False, False),
        )
        return by_input, None


def _in_steps(x: Tensor, block: _Block) -> Tensor:
    if block.matrix is None:
        y = functional.conv2d(x, block.weight, block.bias, block.stride, block.padding, block.dilation, block.groups)
    elif block.bias is None:
        y = _rows(x) @ block.matrix.t()
    else:
        y = torch.addmm(block.bias, _rows(x), block.matrix.t())
    # In place, for the convolution's output has no other reader; these two remember nothing but their output.
    if block.ceiling == math.inf:
        y = y.relu_()
    elif block.ceiling is not None:
        y = functional.hardtanh_(y, 0.0, block.ceiling)
    return y if block.matrix is None else _maps(y, x.shape)


def _fused(x: Tensor, block: _Block) -> Tensor:
    """The same in one operation of oneDNN, which adds the bias and activates while the product is at hand."""
    if block.ceiling is None:
        activation: tuple[str, list[float]] = "none", []
    elif block.ceiling == math.inf:
        activation = "relu", []
    else:
        activation = "hardtanh", [0.0, block.ceiling]
    if block.matrix is not None:
        rows = torch.ops.mkldnn._linear_pointwise.default(_rows(x), block.matrix, block.bias, *activation, "")
        return _maps(rows, x.shape)
    y: Tensor = torch.ops.mkldnn._convolution_pointwise.default(
        x, block.weight, block.bias, block.padding, block.stride, block.dilation, block.groups, *activation, ""
    )
    return y


def _rows(maps: Tensor) -> Tensor:
    """[N, C, H, W] as [N * H * W, C]; no copy when the order is channels last."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)


def _maps(rows: Tensor, like: torch.Size) -> Tensor:
    """[N * H * W, C] as [N, C, H, W] in channels-last order."""
    return rows.view(like[0], like[2], like[3], -1).permute(0, 3, 1, 2)


def _rewrite(fast: fx.GraphModule) -> nn.Module:
    layers = dict(fast.named_modules())
    copied = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    root: dict[str, Any] = {}
    for node in fast.graph.nodes:
        layer = _layer(node, layers)
        if _pads_for(node, layers) or _activates(node, layers) or isinstance(layer, nn.Dropout):
            copies[node] = copies[node.args[0]]
            continue
        copies[node] = copied.node_copy(node, copies.__getitem__)
        if _is_plain(layer):
            # A name of its own: the same convolution may stand in two places with two activations.
            name = f"block{len(root)}"
            root[name] = _block(node, layers)
            copies[node].target = name
        elif node.op == "call_module":
            root[str(node.target)] = layer
        elif node.op == "get_attr":
            root[str(node.target)] = _attribute(fast, str(node.target))
    return fx.GraphModule(root, copied)


def _block(node: fx.Node, layers: Mapping[str, nn.Module]) -> _Block:
    ceiling, last = None, node
    reader = _only_reader(node)
    if reader is not None and _activates(reader, layers):
        ceiling, last = (6.0 if isinstance(_layer(reader, layers), nn.ReLU6) else math.inf), reader
    # A convolution and a pooling make a gradient that nobody else holds; a sum hands one on to both its terms.
    fresh = isinstance(_layer(_only_reader(last), layers), nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d)
    source = node.args[0]
    pad = _layer(source, layers) if isinstance(source, fx.Node) and _pads_for(source, layers) else None
    convolution = layers[str(node.target)]
    return _Block(convolution, pad=pad, ceiling=ceiling, owns_gradient=fresh)  # type: ignore[arg-type]


def _layer(node: fx.Node | None, layers: Mapping[str, nn.Module]) -> nn.Module | None:
    return layers[str(node.target)] if node is not None and node.op == "call_module" else None


def _only_reader(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _is_plain(layer: nn.Module | None) -> bool:
    """Whether the layer does what ``functional.conv2d`` does: no subclass, no padding but zeros given in numbers."""
    return type(layer) is nn.Conv2d and layer.padding_mode == "zeros" and isinstance(layer.padding, tuple)


def _activates(node: fx.Node, layers: Mapping[str, nn.Module]) -> bool:
    """Whether the node is a ReLU that alone reads a convolution."""
    if not isinstance(_layer(node, layers), nn.ReLU | nn.ReLU6) or not isinstance(node.args[0], fx.Node):
        return False
    return _is_plain(_layer(node.args[0], layers)) and _only_reader(node.args[0]) is node


def _pads_for(node: fx.Node, layers: Mapping[str, nn.Module]) -> bool:
    """Whether the node is zero-padding that only an unpadded depthwise convolution reads.

    With many channels to a kernel the arithmetic with the added zeros costs more than the copy.
    """
    pad, reader = _layer(node, layers), _layer(_only_reader(node), layers)
    if not isinstance(pad, nn.ZeroPad2d) or min(pad.padding) < 0 or not _is_plain(reader):
        return False
    return isinstance(reader, nn.Conv2d) and reader.groups > 1 and (reader.padding, reader.dilation) == ((0, 0), (1, 1))


def _padding_inside(weight: Tensor, pad: nn.ZeroPad2d) -> tuple[Tensor, tuple[int, int]]:
    """A kernel and an even padding that together do what an uneven padding before the kernel did.

    Padding p on every side moves each window p - before further out; as many zeros at the front of the kernel, and
    p - after at its end, put its weights back where they were.
    """
    left, right, top, bottom = pad.padding
    across, down = max(left, right), max(top, bottom)
    zeros = (across - left, across - right, down - top, down - bottom)
    return functional.pad(weight, zeros).contiguous(memory_format=torch.channels_last), (down, across)


def _attribute(module: nn.Module, name: str) -> Any:
    value: Any = module
    for part in name.split("."):
        value = getattr(value, part)
    return value
