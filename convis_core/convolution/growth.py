"""How the receptive field grows from layer to layer."""

import re
from collections.abc import Sequence

from convis_core.convolution.sizes import output_size
from convis_core.errors import SpecError
from convis_core.results.convolution import Growth, Window
from convis_core.values import check_whole

_LAYER = re.compile(r"(?P<kind>[cp])(?P<kernel>[0-9]{1,3})(?:s(?P<stride>[0-9]{1,3}))?(?:d(?P<dilation>[0-9]{1,3}))?")
_MOST_LAYERS = 40


def parse(text: str) -> tuple[Window, ...]:
    """Layers from a short text such as "c3 c3 p2 c3d2".

    c3 is a 3 x 3 convolution, padded by 1 so that the map keeps its size; c7s2 has a stride of 2; c3d2 a dilation of 2.
    p2 is a 2 x 2 pooling with a stride of 2, p3s2 a 3 x 3 pooling with a stride of 2, both without padding.

    Args:
        text: layers in order, separated by spaces.

    Raises:
        SpecError: when a layer cannot be read, or there are more than 40.

    >>> from convis_core import convolution
    >>> for window in convolution.parse("c3 p2"):
    ...     print(window)
    Window(kernel=3, stride=1, padding=1, dilation=1)
    Window(kernel=2, stride=2, padding=0, dilation=1)
    """
    words = text.lower().split()
    if len(words) > _MOST_LAYERS:
        raise SpecError(f"At most {_MOST_LAYERS} layers can be drawn, not {len(words)}.")
    return tuple(_window(word) for word in words)


def _window(word: str) -> Window:
    layer = _LAYER.fullmatch(word)
    numbers = (
        {} if layer is None else {name: int(value) for name, value in layer.groupdict("0").items() if name != "kind"}
    )
    kernel = numbers.get("kernel", 0)
    if layer is None or not 1 <= kernel <= 15 or max(numbers.values()) > 15:
        raise SpecError(
            f"The layer {word[:20]!r} cannot be read; write c3, c7s2, c3d2 or p2, with numbers from 1 to 15."
        )
    dilation = numbers["dilation"] or 1
    if layer["kind"] == "c":
        return Window(kernel, numbers["stride"] or 1, dilation * (kernel - 1) // 2, dilation)
    return Window(kernel, numbers["stride"] or kernel, 0, dilation)


def grow(layers: Sequence[Window], side: int) -> tuple[Growth, ...]:
    """The receptive field after each layer, along one side.

    size' = size + d (k - 1) jump, start' = start - p jump, jump' = jump s; see ``convis_core.network.receptive``.

    Args:
        layers: in order.
        side: pixels of the picture along this side.

    Returns:
        One record for the picture itself, then one for each layer.

    Raises:
        SpecError: when a layer's window is larger than its padded input.

    >>> from convis_core import convolution
    >>> grown = convolution.grow(convolution.parse("c3 c3 p2 c3"), 32)
    >>> [(step.size, step.jump) for step in grown]  # two 3 x 3 convolutions see as far as one of 5 x 5
    [(1, 1), (3, 1), (5, 1), (6, 2), (10, 2)]
    """
    check_whole("The side of the picture", side, 1, 100_000)
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
