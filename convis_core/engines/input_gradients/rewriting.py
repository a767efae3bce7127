"""From the traced network to the lean one, and that in two parts."""

import math
import threading
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp, TensorMetadata

from convis_core import network
from convis_core.engines.input_gradients.blocks import Block, Pool
from convis_core.models import LoadedModel

_lock = threading.Lock()
_rewritten: WeakKeyDictionary[LoadedModel, nn.Module] = WeakKeyDictionary()
_divided: WeakKeyDictionary[LoadedModel, dict[int, tuple[nn.Module, nn.Module]]] = WeakKeyDictionary()


def lean(model: LoadedModel) -> nn.Module:
    """A module from pixels [N, 3, S, S] in channels-last order to logits [N, C]; made once per model and shared.

    It shares the weights of ``graph.fast``. On a graphics card that is what is returned: torch's own kernels are the
    fast ones there.
    """
    fast = network.fast(model).module
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
            # A name of its own: the same convolution or pooling may stand in two places with two activations.
            name = f"block{len(root)}"
            root[name] = _block(node, layers)
            copies[node].target = name
        elif isinstance(layer, nn.MaxPool2d) and not layer.return_indices:
            before, name = node.args[0], f"pool{len(root)}"
            root[name] = Pool(layer, _ceiling(before, layers) if _pooled(before, layers) else None)
            copies[node].target = name
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


def _block(node: fx.Node, layers: Mapping[str, nn.Module]) -> Block:
    ceiling, last, forgets = None, node, False
    reader = _only_reader(node)
    if reader is not None and _activates(reader, layers):
        ceiling, last, forgets = _ceiling(reader, layers), reader, _pooled(reader, layers)
    # A convolution and a pooling make a gradient that nobody else holds; a sum hands one on to both its terms.
    fresh = isinstance(_layer(_only_reader(last), layers), nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d)
    source = node.args[0]
    pad = _layer(source, layers) if isinstance(source, fx.Node) and _pads_for(source, layers) else None
    convolution = layers[str(node.target)]
    return Block(convolution, pad=pad, ceiling=ceiling, forgets=forgets, owns_gradient=fresh)  # type: ignore[arg-type]


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


def _attribute(module: nn.Module, name: str) -> Any:
    value: Any = module
    for part in name.split("."):
        value = getattr(value, part)
    return value
