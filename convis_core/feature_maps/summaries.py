"""What the layers of a network answer to a picture: one map a layer, or all channels of one layer."""

from collections.abc import Iterable

import torch
from torch import Tensor, fx

from convis_core import network
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network.checks import check_picture
from convis_core.results import ChannelStatistics, FeatureMaps, LayerSummary

BLOCK = "block"
"""The kind of a layer that is made of several operations."""


def map_layers(model: LoadedModel) -> tuple[str, ...]:
    """Names of all operations whose output is a stack of maps [1, C, H, W], in order of execution."""
    traced = network.trace(model)
    return tuple(name for name in network.layer_names(model) if len(traced.shapes.get(traced.node(name), ())) == 4)


def summarise(model: LoadedModel, x: Tensor, layers: Iterable[str] | None = None) -> tuple[LayerSummary, ...]:
    """Every layer's output averaged over its channels, with its statistics, in one pass.

    Each output is reduced to its summary when it appears and then let go, so that memory holds the largest layer
    and not the whole network.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        layers: names of layers or blocks, in the order wanted; without them, those that the registry shows.

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, a name is no layer of it, or a layer's output
            has no rows and columns.
    """
    check_picture(model, x)
    names = model.spec.feature_layers if layers is None else tuple(layers)
    nodes = {name: map_node(model, name) for name in names}
    # Two names may mean one operation (a block and its last layer), and an operation can be watched once only.
    first_names = {node: name for name, node in reversed(nodes.items())}
    noted: dict[fx.Node, tuple[Tensor, ChannelStatistics]] = {}

    def note(node: fx.Node) -> network.Edit:
        def watch(output: Tensor) -> Tensor:
            noted[node] = output[0].mean(dim=0).cpu(), statistics(output[0])
            return output

        return watch

    with torch.no_grad():
        network.forward(
            network.trace(model), x.to(model.device), edits={name: note(node) for node, name in first_names.items()}
        )
    return tuple(_summary(name, _kind(model, name), *noted[node]) for name, node in nodes.items())


def maps(model: LoadedModel, x: Tensor, layer: str) -> FeatureMaps:
    """All channels of one layer.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        layer: name of a layer or block.

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, or the layer is none or has no maps.
    """
    check_picture(model, x)
    map_node(model, layer)
    values = network.record(model, x, [layer])[layer][0]
    return FeatureMaps(layer, values, statistics(values))


def statistics(values: Tensor) -> ChannelStatistics:
    """Range, mean, spread, sparsity of each channel, and which channels are dead.

    Args:
        values: [C, H, W], a layer's output for one picture.
    """
    cells = values.detach().flatten(1)
    minimum, maximum = cells.aminmax(dim=1)
    variance, mean = torch.var_mean(cells, dim=1, correction=0)
    same_everywhere = minimum == maximum
    dead = same_everywhere & (maximum == 0) if cells.shape[1] == 1 else same_everywhere
    sparsity = (cells == 0).float().mean(dim=1)
    return ChannelStatistics(*(value.cpu() for value in (minimum, maximum, mean, variance.sqrt(), sparsity, dead)))


def contributions(model: LoadedModel, x: Tensor, layer: str, target: int) -> Tensor:
    """How much each channel of a layer speaks for a class, to first order.

    contribution_c = sum over the cells of (d logit_target / d a_c) * a_c. Of layers after which the network is linear
    the contributions add up to the logit less its bias; of others they are an estimate.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        layer: name of a layer or block.
        target: index of the class.

    Returns:
        float32 [C]; positive speaks for the class, negative against it.

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, ``target`` is no class, or the layer is none
            or has no maps.
    """
    activation, gradient = network.gradient_at(model, x, layer, target)
    return (gradient * activation)[0].sum(dim=(1, 2)).cpu()


def map_node(model: LoadedModel, layer: str) -> fx.Node:
    """The operation behind the name of a layer that has maps.

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
    """What ``summarise`` says of a layer, from all its channels; the kind is left empty."""
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
