"""What is known of an operation of a traced network, whatever it is called: kind, region, window, gate and cost.

``convis_core.network.table`` says it of every operation; receptive fields, the description of an architecture, the
occlusion engine, the gradient engine and guided backpropagation read it there.
"""

import math
from dataclasses import dataclass
from enum import Enum

from torch import Tensor

from convis_core.results.architecture import NO_PADDING, Padding, Pair

CONVOLUTION, LINEAR, BATCH_NORM = "convolution", "linear", "batch norm"
MAX_POOL, AVERAGE_POOL = "max pool", "average pool"
ADAPTIVE_AVERAGE_POOL, ADAPTIVE_MAX_POOL = "adaptive average pool", "adaptive max pool"
PAD, FLATTEN, ADD, CONCAT, NORMALISE = "zero pad", "flatten", "add", "concat", "normalise"
DROPOUT, IDENTITY, ACTIVATION, ARITHMETIC, SIZE = "dropout", "identity", "activation", "arithmetic", "size"


class Region(Enum):
    """Which cells of its inputs a cell of an operation's output depends on."""

    CELL = "the cell at the same row and column"
    REARRANGED = "the cell at the same row and column, whichever axes these are now"
    WINDOW = "a window of cells, moved by the stride"
    SHIFT = "the cell at the same position, moved by the padding"
    ADAPTIVE = "its share of the rows and columns"
    FLATTEN = "the cell at its position before the grid was flattened"
    NONE = "no cell: it reads a size, not values"
    ALL = "any cell"


@dataclass(frozen=True, slots=True)
class Gate:
    """The bounds of a ReLU: it passes on what lies between them and is constant beyond.

    Attributes:
        low: 0 for every ReLU.
        high: where it saturates, 6 for ReLU6; infinity for a plain ReLU.
    """

    low: float
    high: float

    def clamp_(self, values: Tensor) -> Tensor:
        """Clamp the values to the bounds, in place."""
        return values.clamp_(self.low) if self.high == math.inf else values.clamp_(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the network.

    Attributes:
        kind: one of the constants of this module, or the operation's own name when it is none of them.
        region: which cells of its inputs a cell depends on.
        label: the kind as people call it: "depthwise convolution", "ReLU6".
        kernel: height and width of the window, in cells.
        stride: cells from one window to the next.
        padding: rows and columns added around the input.
        dilation: cells from one tap of the kernel to the next.
        groups: of a convolution; equal to its input channels when it is depthwise.
        gate: the bounds if it is a ReLU of any name.
        macs: multiply-adds for one picture.
    """

    kind: str
    region: Region = Region.ALL
    label: str = ""
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Padding = NO_PADDING
    dilation: Pair = (1, 1)
    groups: int = 1
    gate: Gate | None = None
    macs: int = 0

    @property
    def has_window(self) -> bool:
        """Whether its region is described by kernel, stride, padding and dilation."""
        return self.region in (Region.WINDOW, Region.SHIFT)
