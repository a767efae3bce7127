"""How far a cell sees after each of several layers."""

from collections.abc import Sequence

from convis_core.convolution.sizes import output_size
from convis_core.results.convolution import Growth, Window


def grow(layers: Sequence[Window], side: int) -> tuple[Growth, ...]:
    """The receptive field after each layer, along one side.

    size' = size + d (k - 1) jump, start' = start - p jump, jump' = jump s; see ``convis_core.receptive``.

    Args:
        layers: in order.
        side: pixels of the picture along this side.

    Returns:
        The picture itself first, then one for each layer.

    Raises:
        SpecError: when a layer's window does not fit into what the layers before it left.
    """
    grown = [Growth(cells=side, size=1, jump=1, start=0)]
    for layer in layers:
        before = grown[-1]
        extent = layer.dilation * (layer.kernel - 1) + 1
        cells = output_size(before.cells, extent, padding=layer.padding, stride=layer.stride).floor
        grown.append(
            Growth(
                cells=cells,
                size=before.size + (extent - 1) * before.jump,
                jump=before.jump * layer.stride,
                start=before.start - layer.padding * before.jump,
            )
        )
    return tuple(grown)
