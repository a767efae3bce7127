"""Max pooling, before and after."""

from torch import Tensor
from torch.nn import functional

from convis_core import network
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network import operations
from convis_core.network.checks import check_picture
from convis_core.results import FeatureMaps, PoolPair
from convis_core.results.architecture import Padding


def max_pools(model: LoadedModel) -> tuple[str, ...]:
    """Names of the max poolings of a network, in order of execution; empty where strides do their work."""
    traced = network.trace(model)
    return tuple(name for node, name in traced.names.items() if traced.operations[node].kind == operations.MAX_POOL)


def pool_pair(model: LoadedModel, x: Tensor, layer: str) -> PoolPair:
    """What a max pooling was given and what it made of it.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        layer: one of ``max_pools``.

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, or the layer is no max pooling.
    """
    check_picture(model, x)
    if layer not in max_pools(model):
        raise SpecError(f"Layer {layer!r} is no max pooling; see feature_maps.max_pools.")
    traced = network.trace(model)
    node = traced.node(layer)
    before = traced.names[node.all_input_nodes[0]]
    outputs = network.record(model, x, [before, layer])
    window = traced.operations[node]
    return PoolPair(layer, window.kernel, window.stride, window.padding, outputs[before][0], outputs[layer][0])


def pooled(maps: FeatureMaps, *, window: int = 2) -> PoolPair:
    """What a max pooling would make of a layer: for networks that have none.

    Args:
        maps: all channels of the layer.
        window: side of the window and its stride, in cells.

    Raises:
        SpecError: when the maps are smaller than the window.
    """
    if window < 1 or min(maps.values.shape[1:]) < window:
        rows, columns = maps.values.shape[1:]
        raise SpecError(f"A window of {window} x {window} does not fit into maps of {rows} x {columns} cells.")
    after = functional.max_pool2d(maps.values[None], window)[0]
    return PoolPair(maps.layer, (window, window), (window, window), Padding(), maps.values, after)
