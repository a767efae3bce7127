"""The prediction of a network without some of its channels."""

from collections.abc import Iterable

import torch
from torch import Tensor

from convis_core import network
from convis_core.feature_maps.summaries import map_node
from convis_core.models import LoadedModel
from convis_core.network.predict import predict, rank
from convis_core.results import Ablation
from convis_core.values import check_whole


def ablate(model: LoadedModel, x: Tensor, layer: str, channels: Iterable[int], *, keep_only: bool = False) -> Ablation:
    """The prediction with some channels of a layer set to zero, next to the unchanged one.

    The zeros are inserted during the pass through the traced network; the network itself is not modified.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        layer: name of a layer or block.
        channels: indices of the channels to set to zero.
        keep_only: set all the other channels to zero instead.

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, the layer is none or has no maps, or it has no
            such channel.

    >>> import torch
    >>> from torch import nn
    >>> from convis_core import feature_maps, models
    >>> model = models.wrap(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    >>> ablation = feature_maps.ablate(model, torch.rand(1, 3, 224, 224), "1", [0, 2])
    >>> ablation.after.logits[[0, 2]].tolist(), torch.equal(ablation.after.logits[1::2], ablation.before.logits[1::2])
    ([0.0, 0.0], True)
    """
    before = predict(model, x)
    count = network.trace(model).shapes[map_node(model, layer)][1]
    asked = set(channels)
    for channel in asked:
        check_whole(f"A channel of layer {layer}", channel, 0, count - 1)
    chosen = tuple(sorted(asked))
    off = [channel for channel in range(count) if (channel in chosen) != keep_only]
    index = torch.tensor(off, dtype=torch.long, device=model.device)

    def silence(output: Tensor) -> Tensor:
        return output.index_fill(1, index, 0)

    with torch.no_grad():
        logits, _ = network.forward(network.trace(model), x.to(model.device), edits={layer: silence})
    return Ablation(layer, chosen, keep_only, before, rank(model, logits[0].cpu()))
