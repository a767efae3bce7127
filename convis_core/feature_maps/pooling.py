"""Feature maps before and after max pooling."""

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
    """The names of the max pooling layers of a network, in order of execution.

    Empty for networks that reduce their maps by the strides of convolutions alone.

    >>> from torch import nn
    >>> from convis_core import feature_maps, models
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> feature_maps.max_pools(models.wrap(network, input_size=16))
    ('1',)
    """
    traced = network.trace(model)
    return tuple(name for node, name in traced.names.items() if traced.operations[node].kind == operations.MAX_POOL)


def pool_pair(model: LoadedModel, x: Tensor, layer: str) -> PoolPair:
    """The input and the output of a max pooling layer.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        layer: one of ``max_pools``.

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, or the layer is not a max pooling.

    >>> import torch
    >>> from torch import nn
    >>> from convis_core import feature_maps, models
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> pair = feature_maps.pool_pair(models.wrap(network, input_size=16), torch.rand(1, 3, 16, 16), "1")
    >>> pair.before.shape, pair.after.shape
    (torch.Size([4, 14, 14]), torch.Size([4, 7, 7]))
    """
    check_picture(model, x)
    if layer not in max_pools(model):
        raise SpecError(f"Layer {layer!r} is not a max pooling; see feature_maps.max_pools.")
    traced = network.trace(model)
    node = traced.node(layer)
    before = traced.names[node.all_input_nodes[0]]
    outputs = network.record(model, x, [before, layer])
    window = traced.operations[node]
    return PoolPair(layer, window.kernel, window.stride, window.padding, outputs[before][0], outputs[layer][0])


def pooled(maps: FeatureMaps, *, window: int = 2) -> PoolPair:
    """The max pooling of a layer's maps, for networks that have no such layer.

    Args:
        maps: all channels of the layer.
        window: side of the window and its stride, in cells.

    Raises:
        SpecError: when the maps are smaller than the window.

    >>> import torch
    >>> from convis_core import feature_maps
    >>> from convis_core.results import FeatureMaps
    >>> values = torch.tensor([[[1.0, 2.0, 5.0, 6.0], [3.0, 4.0, 8.0, 7.0]]])
    >>> pair = feature_maps.pooled(FeatureMaps("layer", values, feature_maps.statistics(values)))
    >>> pair.after.tolist()
    [[[4.0, 8.0]]]
    """
    if window < 1 or min(maps.values.shape[1:]) < window:
        rows, columns = maps.values.shape[1:]
        raise SpecError(f"A window of {window} x {window} does not fit into maps of {rows} x {columns} cells.")
    after = functional.max_pool2d(maps.values[None], window)[0]
    return PoolPair(maps.layer, (window, window), (window, window), Padding(), maps.values, after)
