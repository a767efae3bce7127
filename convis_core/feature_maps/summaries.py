"""The response of a network's layers to a picture: one map per layer, or all channels of one layer."""

from collections.abc import Iterable

import torch
from torch import Tensor, fx

from convis_core import network
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network.checks import check_picture
from convis_core.results import ChannelStatistics, FeatureMaps, LayerSummary

BLOCK = "block"
"""The kind of a layer that consists of several operations."""


def map_layers(model: LoadedModel) -> tuple[str, ...]:
    """The names of all operations whose output is a stack of maps [1, C, H, W], in order of execution.

    >>> from torch import nn
    >>> from convis_core import feature_maps, models
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> feature_maps.map_layers(models.wrap(network, input_size=16))  # "3" flattens the maps
    ('normalise', '0', '1', '2')
    """
    traced = network.trace(model)
    return tuple(name for name in network.layer_names(model) if len(traced.shapes.get(traced.node(name), ())) == 4)


def summarise(model: LoadedModel, x: Tensor, layers: Iterable[str] | None = None) -> tuple[LayerSummary, ...]:
    """Every layer's output averaged over its channels, with its statistics, in one pass.

    Each output is reduced to its summary and released as soon as it has been computed, so that memory holds the largest
    layer and not the whole network.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        layers: names of layers or blocks, in the order wanted; by default the model's ``feature_layers``.

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, a name is no layer of it, or a layer's output
            has no rows and columns.

    >>> import torch
    >>> from torch import nn
    >>> from convis_core import feature_maps, models
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> model = models.wrap(network, input_size=16)
    >>> for layer in feature_maps.summarise(model, torch.rand(1, 3, 16, 16), ["0", "1"]):
    ...     print(layer.layer, layer.kind, layer.shape, layer.average.shape)
    0 convolution (4, 14, 14) torch.Size([14, 14])
    1 activation (4, 14, 14) torch.Size([14, 14])
    """
    check_picture(model, x)
    names = model.spec.feature_layers if layers is None else tuple(layers)
    nodes = {name: map_node(model, name) for name in names}
    # Two names may stand for one operation (a block and its last layer), and each operation takes one edit only.
    first_names = {node: name for name, node in reversed(nodes.items())}
    recorded: dict[fx.Node, tuple[Tensor, ChannelStatistics]] = {}

    def recorder(node: fx.Node) -> network.Edit:
        def record(output: Tensor) -> Tensor:
            recorded[node] = output[0].mean(dim=0).cpu(), statistics(output[0])
            return output

        return record

    with torch.no_grad():
        network.forward(
            network.trace(model), x.to(model.device), edits={name: recorder(node) for node, name in first_names.items()}
        )
    return tuple(_summary(name, _kind(model, name), *recorded[node]) for name, node in nodes.items())


def maps(model: LoadedModel, x: Tensor, layer: str) -> FeatureMaps:
    """The feature maps of all channels of one layer, with their statistics.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        layer: name of a layer or block.

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, or the layer is none or has no maps.

    >>> import torch
    >>> from torch import nn
    >>> from convis_core import feature_maps, models
    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> maps = feature_maps.maps(models.wrap(network, input_size=16), torch.rand(1, 3, 16, 16), "1")
    >>> maps.values.shape, bool((maps.statistics.minimum >= 0).all())
    (torch.Size([4, 14, 14]), True)
    """
    check_picture(model, x)
    map_node(model, layer)
    values = network.record(model, x, [layer])[layer][0]
    return FeatureMaps(layer, values, statistics(values))


def statistics(values: Tensor) -> ChannelStatistics:
    """Range, mean, standard deviation and sparsity of each channel, and which channels are dead.

    Args:
        values: [C, H, W], a layer's output for one picture.

    >>> import torch
    >>> from convis_core import feature_maps
    >>> channels = feature_maps.statistics(torch.tensor([[[0.0, 0.0]], [[0.0, 2.0]]]))
    >>> channels.mean.tolist(), channels.std.tolist(), channels.sparsity.tolist(), channels.dead.tolist()
    ([0.0, 1.0], [0.0, 1.0], [1.0, 0.5], [True, False])
    """
    cells = values.detach().flatten(1)
    minimum, maximum = cells.aminmax(dim=1)
    variance, mean = torch.var_mean(cells, dim=1, correction=0)
    constant = minimum == maximum
    dead = constant & (maximum == 0) if cells.shape[1] == 1 else constant
    sparsity = (cells == 0).float().mean(dim=1)
    return ChannelStatistics(*(value.cpu() for value in (minimum, maximum, mean, variance.sqrt(), sparsity, dead)))


def contributions(model: LoadedModel, x: Tensor, layer: str, target: int) -> Tensor:
    """The evidence of each channel of a layer for a class, to first order.

    contribution_c = sum over the cells of (d logit_target / d a_c) * a_c. Where the rest of the network is linear, the
    contributions add up to the logit minus its bias; elsewhere they are an estimate.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        layer: name of a layer or block.
        target: index of the class.

    Returns:
        float32 [C]; positive for evidence for the class, negative for evidence against it.

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, ``target`` is no class, or the layer is none
            or has no maps.

    >>> import torch
    >>> from torch import nn
    >>> from convis_core import feature_maps, models, network
    >>> layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    >>> model, x = models.wrap(layers, input_size=16), torch.rand(1, 3, 16, 16)
    >>> contributions = feature_maps.contributions(model, x, "1", target=0)
    >>> logit, bias = network.predict(model, x).logits[0], model.module.get_parameter("4.bias")[0]
    >>> contributions.shape, torch.allclose(contributions.sum() + bias, logit, atol=1e-5)
    (torch.Size([4]), True)
    """
    activation, gradient = network.gradient_at(model, x, layer, target)
    return (gradient * activation)[0].sum(dim=(1, 2)).cpu()


def map_node(model: LoadedModel, layer: str) -> fx.Node:
    """The operation that a name stands for, which must have maps.

    Raises:
        SpecError: when the network has no such layer or its output has no rows and columns.
    """
    node = network.trace(model).node(layer)
    shape = network.trace(model).shapes.get(node, ())
    if len(shape) != 4:
        raise SpecError(f"Layer {layer!r} has no maps: its output for one picture is {shape}.")
    return node


def _kind(model: LoadedModel, layer: str) -> str:
    traced = network.trace(model)
    node = traced.node(layer)
    if traced.names[node] != layer:
        return BLOCK
    return traced.operations[node].kind


def summary(maps: FeatureMaps) -> LayerSummary:
    """The summary of one layer, as ``summarise`` returns it, computed from its maps; the kind is left empty.

    >>> import torch
    >>> from convis_core import feature_maps
    >>> from convis_core.results import FeatureMaps
    >>> values = torch.tensor([[[0.0, 2.0]], [[4.0, 2.0]]])
    >>> summary = feature_maps.summary(FeatureMaps("layer", values, feature_maps.statistics(values)))
    >>> summary.average.tolist(), summary.mean, summary.minimum, summary.maximum
    ([[2.0, 2.0]], 2.0, 0.0, 4.0)
    """
    return _summary(maps.layer, "", maps.values.mean(dim=0), maps.statistics)


def _summary(layer: str, kind: str, average: Tensor, channels: ChannelStatistics) -> LayerSummary:
    # The variance of all values is the mean variance within channels plus the variance between their means.
    variance = channels.std.square().mean() + channels.mean.var(correction=0)
    return LayerSummary(
        layer=layer,
        kind=kind,
        channels=len(channels.mean),
        average=average,
        minimum=float(channels.minimum.min()),
        maximum=float(channels.maximum.max()),
        mean=float(channels.mean.mean()),
        std=float(variance.sqrt()),
        sparsity=float(channels.sparsity.mean()),
        dead=int(channels.dead.sum()),
    )
