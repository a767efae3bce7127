"""Which part of each layer a window can reach: integer algebra along one axis at a time.

A span is a half-open interval [low, high) of positions along one axis of a feature map. Rows and columns never
mix in a convolutional network, so a region is a span of rows times a span of columns, and everything here is said
of one axis, for many windows at once: an array ``[2, P]`` holds the lows and the highs of P windows.
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
        """The outputs that read at least one of these inputs, on the map."""
        lows, highs = spans
        first = -((self.reach - 1 - self.before - lows) // self.stride)
        last = (highs - 1 + self.before) // self.stride
        return np.stack((first, last + 1)).clip(0, self.outputs)

    def tiles(self, spans: Spans, tile: int) -> Spans:
        """The outputs of a 3x3 convolution with stride 1 in whose tiles one of these inputs is neither first nor last.

        Where it computes outputs by tiles, such an input enters all of a tile, if only into their rounding: see
        ``convis_core.engines.winograd``. With a tile of 2 none of them is beyond ``projective``.
        """
        lows, highs = spans + self.before - 1
        return np.stack((lows - lows % tile, highs + -highs % tile)).clip(0, self.outputs)

    def receptive(self, starts: Spans, length: int) -> tuple[Spans, int]:
        """The inputs, padding included, that ``length`` outputs from each of ``starts`` on read: starts and length."""
        return starts * self.stride - self.before, (length - 1) * self.stride + self.reach


def place(lows: Spans, size: Spans, length: Spans) -> Spans:
    """Where stretches of a size begin that hold the spans with these lows and stay on axes of these lengths."""
    starts: Spans = np.clip(lows, 0, length - size)
    return starts
