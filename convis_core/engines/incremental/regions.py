"""Which part of each layer a window can reach: integer arithmetic along one axis at a time.

A span is a half-open interval [low, high) of positions along one axis of a feature map. Rows and columns never
mix in a convolutional network, so a region is a span of rows times a span of columns, and everything here describes
one axis, for many windows at once: an array ``[2, P]`` holds the lows and the highs of P windows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Spans = NDArray[np.int64]
"""Lows and highs of P spans, [2, P]."""


@dataclass(frozen=True, slots=True)
class Slide:
    """How a convolution or a pooling reads along one axis.

    Output o reads the inputs ``o * stride - before + dilation * (0 .. kernel - 1)``.

    Attributes:
        kernel: taps.
        stride: inputs from one output to the next.
        before: padding before the first input.
        dilation: inputs from one tap to the next.
        inputs: length of the input axis, padding left out.
        outputs: length of the output axis.
    """

    kernel: int
    stride: int
    before: int
    dilation: int
    inputs: int
    outputs: int

    @property
    def reach(self) -> int:
        """Inputs from the first tap to the last, both counted."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def after(self) -> int:
        """Positions beyond the last input that the last output reads; ceil_mode makes it exceed the padding."""
        return max(0, (self.outputs - 1) * self.stride + self.reach - self.before - self.inputs)

    @property
    def is_trivial(self) -> bool:
        """Whether output o reads input o and nothing else."""
        return (self.kernel, self.stride, self.before) == (1, 1, 0) and self.inputs == self.outputs

    def projective(self, spans: Spans) -> Spans:
        """The outputs on the map that read at least one of these inputs."""
        lows, highs = spans
        first = -((self.reach - 1 - self.before - lows) // self.stride)
        last = (highs - 1 + self.before) // self.stride
        return np.stack((first, last + 1)).clip(0, self.outputs)

    def tiles(self, spans: Spans, tile: int) -> Spans:
        """The outputs of a 3x3 convolution with stride 1 in whose tiles one of these inputs is neither first nor last.

        Where outputs are computed in tiles, such an input affects all outputs of a tile, if only their rounding: see
        ``convis_core.engines.winograd``. With a tile of 2 none of them is outside ``projective``.
        """
        lows, highs = spans + self.before - 1
        return np.stack((lows - lows % tile, highs + -highs % tile)).clip(0, self.outputs)

    def receptive(self, starts: Spans, length: int) -> tuple[Spans, int]:
        """The inputs, padding included, that ``length`` outputs beginning at each start read: starts and length."""
        return starts * self.stride - self.before, (length - 1) * self.stride + self.reach


def place(lows: Spans, size: Spans, length: Spans) -> Spans:
    """The starts of crops of a given size that contain the spans with these lows and lie within the axis.

    Args:
        lows: where the spans begin.
        size: of the crops.
        length: of the axis.

    >>> place(np.array([1, 5]), np.array(4), np.array(8))
    array([1, 4])
    """
    starts: Spans = np.clip(lows, 0, length - size)
    return starts
