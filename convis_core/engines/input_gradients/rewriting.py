"""From the traced network to the gradient network, whole or in two parts."""

import math
from typing import Any

from torch import fx, nn

from convis_core import network
from convis_core.engines.input_gradients.blocks import Block, Pool
from convis_core.models import LoadedModel
from convis_core.network import Traced
from convis_core.network.memo import once
from convis_core.network.shapes import Shapes
from convis_core.network.trace import attribute


def gradient_network(model: LoadedModel) -> nn.Module:
    """A module from pixels [N, 3, S, S] in channels-last order to logits [N, C], built once per model and shared.

    It shares the weights of ``network.fast``. On a GPU ``network.fast`` itself is returned: torch's own kernels are the
    fast ones there.

    Args:
        model: the network.

    >>> import torch
    >>> from convis_core import models
    >>> layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 6), nn.Flatten())
    >>> model = models.wrap(layers, input_size=8)
    >>> x = torch.rand(5, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    >>> logits = gradient_network(model)(x)
    >>> tuple(logits.shape), torch.allclose(logits, model.module(x), atol=1e-5)
    ((5, 2), True)
    """
    if model.device.type != "cpu":
        return network.fast(model).module
    return _rewritten(model)[0]


@once
def in_two_parts(model: LoadedModel, numbers: int) -> tuple[nn.Module, nn.Module]:
    """``gradient_network`` in two parts, the second of which has no map with more than so many numbers per picture.

    They need batches of different sizes: in VGG16 the first maps are large and read few weights, and the linear layers
    at the end read half a gigabyte of weights whatever the number of pictures. Where all maps are small enough, or
    more than one value would have to be passed on, the first part does nothing.

    Args:
        model: the network.
        numbers: the largest number of values per picture in any map of the second part.

    >>> from convis_core import models
    >>> layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(3), nn.Conv2d(4, 2, 2), nn.Flatten())
    >>> first, second = in_two_parts(models.wrap(layers, input_size=8), 100)
    >>> [name for name, _ in first.named_children()], [name for name, _ in second.named_children()]
    (['normalise', 'block1', 'pool2'], ['block3', '4'])
    """
    if model.device.type != "cpu":
        return nn.Identity(), gradient_network(model)
    return _divide(*_rewritten(model), numbers)


@once
def _rewritten(model: LoadedModel) -> tuple[fx.GraphModule, Shapes]:
    """The rewritten network, and the shapes of what its operations return."""
    fast = network.fast(model)
    copied = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    root: dict[str, Any] = {}
    for node in fast.module.graph.nodes:
        layer = fast.layer(node)
        if _pads_for(node, fast) or _activates(node, fast) or isinstance(layer, nn.Dropout):
            copies[node] = copies[node.args[0]]
            continue
        copies[node] = copied.node_copy(node, copies.__getitem__)
        if _is_plain(layer):
            # A name of its own: the same convolution or pooling may be used twice with different activations.
            name = f"block{len(root)}"
            root[name] = _block(node, fast)
            copies[node].target = name
        elif isinstance(layer, nn.MaxPool2d) and not layer.return_indices:
            before, name = node.args[0], f"pool{len(root)}"
            root[name] = Pool(layer, fast.operations[before].gate if _pooled(before, fast) else None)
            copies[node].target = name
        elif node.op == "call_module":
            root[str(node.target)] = layer
        elif node.op == "get_attr":
            root[str(node.target)] = attribute(fast.module, str(node.target))
    shapes = {copy: fast.shapes[node] for node, copy in copies.items() if node in fast.shapes}
    return fx.GraphModule(root, copied), shapes


def _divide(whole: fx.GraphModule, shapes: Shapes, numbers: int) -> tuple[nn.Module, nn.Module]:
    nodes = list(whole.graph.nodes)
    sizes = [math.prod(shapes[node]) if node in shapes else 0 for node in nodes]
    large = [index for index, size in enumerate(sizes) if size > numbers]
    if not large:
        return nn.Identity(), whole
    for cut in range(large[-1] + 1, len(nodes)):
        before, after = nodes[: cut + 1], nodes[cut + 1 :]
        passed_on = {source for node in after for source in node.all_input_nodes if source in before}
        if passed_on == {nodes[cut]} and sizes[cut]:
            return _part(whole, before, None), _part(whole, after, nodes[cut])
    return nn.Identity(), whole


def _part(whole: fx.GraphModule, nodes: list[fx.Node], given: fx.Node | None) -> fx.GraphModule:
    """Some of the nodes as a separate module: with ``given``, starting from its value; else ending with the last."""
    part = fx.Graph()
    copies = {} if given is None else {given: part.placeholder("given")}
    for node in nodes:
        copies[node] = part.node_copy(node, copies.__getitem__)
    if given is None:
        part.output(copies[nodes[-1]])
    return fx.GraphModule(whole, part)


def _block(node: fx.Node, fast: Traced) -> Block:
    gate, last, pooled = None, node, False
    reader = _only_reader(node)
    if reader is not None and _activates(reader, fast):
        gate, last, pooled = fast.operations[reader].gate, reader, _pooled(reader, fast)
    # Convolutions and poolings compute a gradient of their own; a sum passes the same one on to both its terms.
    follower = _only_reader(last)
    fresh = follower is not None and isinstance(fast.layer(follower), nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d)
    source = node.args[0]
    pad = fast.layer(source) if isinstance(source, fx.Node) and _pads_for(source, fast) else None
    return Block(fast.layer(node), pad=pad, gate=gate, pooled=pooled, owns_gradient=fresh)  # type: ignore[arg-type]


def _only_reader(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _is_plain(layer: nn.Module | None) -> bool:
    """Whether the layer does what ``functional.conv2d`` does: no subclass, no padding but zeros given in numbers."""
    return type(layer) is nn.Conv2d and layer.padding_mode == "zeros" and isinstance(layer.padding, tuple)


def _activates(node: fx.Node, fast: Traced) -> bool:
    """Whether the node is a ReLU and a convolution's only reader."""
    source = node.args[0] if node.args else None
    if fast.operations[node].gate is None or not isinstance(source, fx.Node):
        return False
    return _is_plain(fast.layer(source)) and _only_reader(source) is node


def _pooled(node: Any, fast: Traced) -> bool:
    """Whether the node is a ReLU between a convolution and a max pooling that is its only reader."""
    follower = _only_reader(node) if isinstance(node, fx.Node) else None
    layer = None if follower is None else fast.layer(follower)
    return isinstance(layer, nn.MaxPool2d) and not layer.return_indices and _activates(node, fast)


def _pads_for(node: fx.Node, fast: Traced) -> bool:
    """Whether the node is zero padding whose only reader is an unpadded depthwise convolution.

    With many channels per kernel the arithmetic with the added zeros costs more than the copy.
    """
    follower = _only_reader(node)
    pad, reader = fast.layer(node), None if follower is None else fast.layer(follower)
    if not isinstance(pad, nn.ZeroPad2d) or min(pad.padding) < 0 or not _is_plain(reader):
        return False
    return isinstance(reader, nn.Conv2d) and reader.groups > 1 and (reader.padding, reader.dilation) == ((0, 0), (1, 1))
