"""Inputs and results of the experiments on the convolution itself."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Rows: TypeAlias = tuple[tuple[float, ...], ...]
PoolKind: TypeAlias = Literal["max", "average"]
Corner: TypeAlias = Literal["top left", "top right", "bottom left", "bottom right"]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A filter with a name.

    Attributes:
        id: its short name.
        label: its usual name.
        weights: row by row.
        description: what it responds to, in one sentence.
    """

    id: str
    label: str
    weights: Rows
    description: str

    def filter(self) -> Tensor:
        """The weights, float32 [Fh, Fw]."""
        return torch.tensor(self.weights, dtype=torch.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Slide:
    """Filters, and the picture that they slide over.

    Attributes:
        picture: float32 [C, H, W].
        filters: float32 [K, C, Fh, Fw].
        bias: float32 [K], one for each filter.
        stride: cells from one window to the next.
        padding: rows and columns of zeros added on each side of the picture.
    """

    picture: Tensor
    filters: Tensor
    bias: Tensor
    stride: int = 1
    padding: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The computation of one cell of the output: value = bias + sum over channels and taps of window * weights.

    Attributes:
        index: of the step, from 0.
        steps: number of steps.
        filter: index of the filter.
        row: row of the output's cell.
        column: column of the output's cell.
        top: row of the picture under the window's first row; negative in the padding.
        left: column of the picture under the window's first column; likewise.
        window: float32 [C, Fh, Fw], the part of the picture under the filter; zeros in the padding.
        weights: float32 [C, Fh, Fw], the filter.
        bias: of the filter.
        value: of the output's cell.
    """

    index: int
    steps: int
    filter: int
    row: int
    column: int
    top: int
    left: int
    window: Tensor
    weights: Tensor
    bias: float
    value: float

    @property
    def products(self) -> Tensor:
        """[C, Fh, Fw]: each value of the picture times the weight above it."""
        return self.window * self.weights

    @property
    def channel_sums(self) -> Tensor:
        """[C]: the contribution of each channel to the value."""
        return self.products.sum(dim=(1, 2))


@dataclass(frozen=True, slots=True)
class OutputSize:
    """The number of windows along one side, by the conventions for windows that do not fit evenly.

    Attributes:
        width: W, cells of the input along this side.
        kernel: F, cells of the window.
        padding: P, zeros on each side.
        stride: S, cells from one window to the next.
        floor: whole windows only, as in convolutions: floor((W - F + 2P) / S) + 1.
        ceil: for pooling with ``ceil_mode=True``: a last window may reach past the end, but must begin
            before it.
        same: for "same" padding, ceil(W / S), with as many zeros as this needs in place of P.
        same_padding: zeros before and after for it; one more after where the number is odd.
        unseen: cells at the input's end that no whole window covers.
    """

    width: int
    kernel: int
    padding: int
    stride: int
    floor: int
    ceil: int
    same: int
    same_padding: tuple[int, int]
    unseen: int

    @property
    def exact(self) -> Fraction:
        """(W - F + 2P) / S + 1 before any rounding."""
        return Fraction(self.width - self.kernel + 2 * self.padding, self.stride) + 1

    @property
    def divides(self) -> bool:
        """Whether the windows fit evenly."""
        return self.exact.denominator == 1

    @property
    def starts(self) -> tuple[int, ...]:
        """The cell under the first tap of each whole window; negative in the padding."""
        return tuple(index * self.stride - self.padding for index in range(self.floor))


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """A pooled map, with one value for each window.

    Attributes:
        values: float32 [C, H', W'].
        winners: int64 [C, H', W', 2], for max pooling the row and column that each value was taken from; None
            for average pooling.
        kind: "max" or "average".
        window: side of the window, in cells.
        stride: cells from one window to the next.
    """

    values: Tensor
    winners: Tensor | None
    kind: PoolKind
    window: int
    stride: int


@dataclass(frozen=True, slots=True, eq=False)
class CornerMaps:
    """Two edge maps and the corner map computed from them: corner = ReLU(vertical + horizontal - threshold).

    Attributes:
        corner: which corner of a bright area is detected.
        vertical: float32 [H', W'], ReLU of the vertical edge's map with the sign that this corner needs.
        horizontal: float32 [H', W'], likewise of the horizontal edge's map.
        corners: float32 [H', W'], positive where both are strong.
        threshold: that the sum must exceed.
    """

    corner: Corner
    vertical: Tensor
    horizontal: Tensor
    corners: Tensor
    threshold: float


@dataclass(frozen=True, slots=True)
class Window:
    """The geometry of a layer that determines its receptive field: a sliding window.

    Attributes:
        kernel: cells of the window.
        stride: cells from one window to the next.
        padding: zeros on each side.
        dilation: cells from one tap to the next.
    """

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1


@dataclass(frozen=True, slots=True)
class Growth:
    """The receptive fields after a layer, along one side: pixels start + i * jump to start + i * jump + size - 1.

    Attributes:
        cells: number of cells of the layer's output.
        size: pixels that one cell sees.
        jump: pixels between the fields of neighbouring cells.
        start: first pixel that cell 0 sees; negative in the padding.
    """

    cells: int
    size: int
    jump: int
    start: int

    def seen(self, cell: int, side: int) -> tuple[int, int]:
        """First pixel, and one past the last, that a cell sees of a picture of this side."""
        first = self.start + cell * self.jump
        return max(0, first), min(side, first + self.size)


@dataclass(frozen=True, slots=True, eq=False)
class SharedWeight:
    """A convolution in one dimension, small enough to print, and the gradient of its weights.

    With outputs y_m = sum_f w_f x_(m + f), targets t and the loss L = 1/2 sum_m (y_m - t_m)^2, a weight's
    gradient is a sum over all positions where it was used: dL/dw_f = sum_m (y_m - t_m) x_(m + f).

    Attributes:
        x: float32 [N], the input.
        weights: float32 [F].
        outputs: float32 [M] with M = N - F + 1.
        targets: float32 [M], the desired outputs.
        errors: float32 [M], dL/dy = y - t.
        terms: float32 [F, M], the contribution of each position to each weight's gradient.
        gradient: float32 [F], the sums of the terms.
        autograd: float32 [F], the same gradient from torch's automatic differentiation.
        loss: L.
    """

    x: Tensor
    weights: Tensor
    outputs: Tensor
    targets: Tensor
    errors: Tensor
    terms: Tensor
    gradient: Tensor
    autograd: Tensor
    loss: float


@dataclass(frozen=True, slots=True, eq=False)
class Rectified:
    """A map before and after ReLU, with the histograms of both over the same bins.

    Attributes:
        before: float32 [H, W].
        after: float32 [H, W], max(0, before).
        edges: float32 [B + 1], the borders of the bins; zero is one of them.
        counts_before: int64 [B], cells in each bin.
        counts_after: int64 [B], likewise.
        silenced: share of the cells that were negative and are now zero, 0 to 1.
    """

    before: Tensor
    after: Tensor
    edges: Tensor
    counts_before: Tensor
    counts_after: Tensor
    silenced: float
