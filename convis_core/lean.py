"""The network rewritten for one purpose: gradients of many pictures, in little time and memory.

Autograd must be ready to differentiate by anything. Here only the picture's gradient is wanted, and that allows

- a convolution to forget its input: the gradient by the input needs the weights alone;
- a 3x3 convolution to be done with fewer multiplications, in both directions (see ``convis_core.winograd``);
- an activation to work in place and to be remembered by its output, which also says where it was cut off;
- an activation before a max pooling to be remembered by the maxima, for no other value has a gradient, and the pooling
  to forget its input;
- a 1x1 convolution in channels-last order to be what it is, a product of two matrices (on one thread, torch would
  choose a slower way);
- lopsided zero-padding before a depthwise convolution to become zeros in its kernel, instead of a copy of the maps.

The result differs from the network's own by rounding only. Whatever is not a convolution or its activation stays
torch's own operation.
"""

import math
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp, TensorMetadata
from torch.nn import functional

from convis_core import graph, winograd
from convis_core.models import LoadedModel

_FUSES = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
"""Whether oneDNN's fused operations, those that torch.compile uses, are there; without them it goes in steps."""

_LARGE_LAYER = 500e6
"""Multiply-adds from which on a convolution is worth the large tile, which rounds twice as much as the direct sum:
what lies so near to an activation's bound that rounding pushes it over has another gradient."""

_lock = threading.Lock()
_rewritten: WeakKeyDictionary[LoadedModel, nn.Module] = WeakKeyDictionary()
_divided: WeakKeyDictionary[LoadedModel, dict[int, tuple[nn.Module, nn.Module]]] = WeakKeyDictionary()


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


def in_two(model: LoadedModel, numbers: int) -> tuple[nn.Module, nn.Module]:
    """``lean`` in two parts, of which the second has no map with more than so many numbers a picture.

    They want batches of different sizes: in VGG16 the first maps are large and read few weights, and the linear layers
    at the end read half a gigabyte of weights whatever the number of pictures. Where all maps are small enough, or
    more than one value would be handed on, the first part does nothing.
    """
    whole = lean(model)
    if not isinstance(whole, fx.GraphModule) or model.device.type != "cpu":
        return nn.Identity(), whole
    with _lock:
        parts = _divided.setdefault(model, {})
        if numbers not in parts:
            parts[numbers] = _divide(whole, model.input_size, numbers)
        return parts[numbers]


class _Block(nn.Module):
    """A convolution with the padding before it and the activation after it.

    Attributes:
        light: whether it takes little arithmetic, being 1x1 or in groups.
        ceiling: where the activation saturates, inf for ReLU; None for no activation.
        forgets: whether the max pooling behind it says where the activation was cut off.
        owns_gradient: whether the gradient that arrives is read by nobody else and may be overwritten.
    """

    def __init__(
        self, layer: nn.Conv2d, *, pad: nn.ZeroPad2d | None, ceiling: float | None, forgets: bool, owns_gradient: bool
    ):
        super().__init__()
        weight = layer.weight.detach()
        padding: tuple[int, int] = layer.padding  # type: ignore[assignment]  # not in words: see _is_plain
        if pad is not None:
            weight, padding = _padding_inside(weight, pad)
        self.weight, self.padding, self.bias = weight, padding, layer.bias
        self.stride, self.dilation, self.groups = layer.stride, layer.dilation, layer.groups
        self.ceiling, self.forgets, self.owns_gradient = ceiling, forgets, owns_gradient
        self.bounds = None if ceiling is None else (0.0, None if ceiling == math.inf else ceiling)
        plain = (self.stride, self.padding, self.groups) == ((1, 1), (0, 0), 1)
        self.matrix = weight[:, :, 0, 0] if plain and weight.shape[2:] == (1, 1) else None
        self.light = self.matrix is not None or self.groups > 1
        self._transformed: Callable[[int], winograd.Filters] | None = None
        if _FUSES and winograd.suits(layer):
            self._transformed = partial(winograd.filters_of, layer)

    def filters(self, x: Tensor) -> winograd.Filters | None:
        """The weights in the domain in which this input is convolved with fewer multiplications, if there is one."""
        if self._transformed is None or x.dtype != torch.float32:
            return None
        down, across = self.padding
        size = (x.shape[2] + 2 * down - 2, x.shape[3] + 2 * across - 2)
        largest = 4 if size[0] * size[1] * self.weight.numel() >= _LARGE_LAYER else 2
        tile = winograd.tile_for((self.weight.shape[1], self.weight.shape[0]), size, largest)
        return self._transformed(tile) if tile else None

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
        ctx.block, ctx.shape, ctx.filters = block, x.shape, block.filters(x)
        if ctx.filters is not None:
            y = winograd.convolve(x, ctx.filters, block.padding, block.bias, block.bounds)
        else:
            y = _fused(x, block) if _FUSES and x.dtype == torch.float32 else _in_steps(x, block)
        if block.ceiling is not None and not block.forgets:
            ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        block: _Block = ctx.block
        if ctx.saved_tensors:
            (y,) = ctx.saved_tensors
            room = gradient if block.owns_gradient and gradient.stride() == y.stride() else torch.empty_like(y)
            gradient = _where_not_cut_off(gradient, y, block.ceiling, room)
        if block.matrix is not None:
            return _maps(_rows(gradient) @ block.matrix, ctx.shape), None
        if ctx.filters is not None:
            return winograd.gradient_by_input(gradient, ctx.filters, block.padding), None
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


class _Pool(nn.Module):
    """A max pooling.

    Attributes:
        geometry: kernel, stride, padding, dilation and ceil_mode.
        ceiling: of the activation before it, if that is remembered here.
    """

    def __init__(self, layer: nn.MaxPool2d, ceiling: float | None):
        super().__init__()
        lengths = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        self.geometry = (*(_pair(length) for length in lengths), layer.ceil_mode)
        self.ceiling = ceiling

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = _PoolMaxima.apply(x, self)
        return y


class _PoolMaxima(torch.autograd.Function):
    """Carries out a max pooling; only the maxima and their places are kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, pool: _Pool) -> Tensor:
        y, places = torch.ops.aten.max_pool2d_with_indices.default(x, *pool.geometry)
        ctx.pool, ctx.shape = pool, x.shape
        ctx.save_for_backward(places.int(), *([] if pool.ceiling is None else [y]))  # half the bytes of torch's own
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        places, *maxima = ctx.saved_tensors
        for y in maxima:
            gradient = _where_not_cut_off(gradient, y, ctx.pool.ceiling, torch.empty_like(y))
        unseen = torch.empty(ctx.shape, dtype=gradient.dtype, memory_format=torch.channels_last)
        by_input = torch.ops.aten.max_pool2d_with_indices_backward.default(
            gradient, unseen, *ctx.pool.geometry, places.long()
        )
        return by_input, None


def _where_not_cut_off(gradient: Tensor, y: Tensor, ceiling: float | None, room: Tensor) -> Tensor:
    """The gradient behind an activation with output y; one at a bound tells of an input there or beyond: zero."""
    found: Tensor = torch.ops.aten.hardtanh_backward.grad_input(gradient, y, 0, ceiling, grad_input=room)
    return found


def _pair(value: int | tuple[int, int]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


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
        elif isinstance(layer, nn.MaxPool2d) and not layer.return_indices:
            before = node.args[0]
            root[str(node.target)] = _Pool(layer, _ceiling(before, layers) if _pooled(before, layers) else None)
        elif node.op == "call_module":
            root[str(node.target)] = layer
        elif node.op == "get_attr":
            root[str(node.target)] = _attribute(fast, str(node.target))
    return fx.GraphModule(root, copied)


def _divide(whole: fx.GraphModule, side: int, numbers: int) -> tuple[nn.Module, nn.Module]:
    nodes = list(whole.graph.nodes)
    example = next((value for value in whole.parameters() if value.is_floating_point()), torch.empty(0))
    with torch.no_grad():
        ShapeProp(whole).propagate(torch.zeros(1, 3, side, side, dtype=example.dtype))
    sizes = [
        meta.shape.numel() if isinstance(meta := node.meta.get("tensor_meta"), TensorMetadata) else 0 for node in nodes
    ]
    large = [index for index, size in enumerate(sizes) if size > numbers]
    if not large:
        return nn.Identity(), whole
    for cut in range(large[-1] + 1, len(nodes)):
        before, behind = nodes[: cut + 1], nodes[cut + 1 :]
        handed_on = {source for node in behind for source in node.all_input_nodes if source in before}
        if handed_on == {nodes[cut]} and sizes[cut]:
            return _part(whole, before, None), _part(whole, behind, nodes[cut])
    return nn.Identity(), whole


def _part(whole: fx.GraphModule, nodes: list[fx.Node], given: fx.Node | None) -> fx.GraphModule:
    """Some of the nodes as a module of their own; with ``given``, from its value on, else up to the last of them."""
    part = fx.Graph()
    copies = {} if given is None else {given: part.placeholder("given")}
    for node in nodes:
        copies[node] = part.node_copy(node, copies.__getitem__)
    if given is None:
        part.output(copies[nodes[-1]])
    return fx.GraphModule(whole, part)


def _block(node: fx.Node, layers: Mapping[str, nn.Module]) -> _Block:
    ceiling, last, forgets = None, node, False
    reader = _only_reader(node)
    if reader is not None and _activates(reader, layers):
        ceiling, last, forgets = _ceiling(reader, layers), reader, _pooled(reader, layers)
    # A convolution and a pooling make a gradient that nobody else holds; a sum hands one on to both its terms.
    fresh = isinstance(_layer(_only_reader(last), layers), nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d)
    source = node.args[0]
    pad = _layer(source, layers) if isinstance(source, fx.Node) and _pads_for(source, layers) else None
    convolution = layers[str(node.target)]
    return _Block(convolution, pad=pad, ceiling=ceiling, forgets=forgets, owns_gradient=fresh)  # type: ignore[arg-type]


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


def _ceiling(activation: fx.Node, layers: Mapping[str, nn.Module]) -> float:
    return 6.0 if isinstance(_layer(activation, layers), nn.ReLU6) else math.inf


def _pooled(node: fx.Node, layers: Mapping[str, nn.Module]) -> bool:
    """Whether the node is a ReLU between a convolution and a max pooling, read by nobody else."""
    layer = _layer(_only_reader(node), layers)
    return _activates(node, layers) and isinstance(layer, nn.MaxPool2d) and not layer.return_indices


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
