"""Outputs of the layers of a network for a picture, cell by cell."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from convis_core.results.architecture import Box, Padding, Pair
from convis_core.results.prediction import Prediction


class Cell(NamedTuple):
    """One number of a feature map: its channel, its row from the top, its column from the left."""

    channel: int
    row: int
    column: int


@dataclass(frozen=True, slots=True, eq=False)
class LayerSummary:
    """A layer's output for a picture, averaged over its channels.

    Attributes:
        layer: name of the layer.
        kind: of the layer, such as "Conv2d", or the name of the function.
        channels: number of channels C.
        average: float32 [H, W], the mean over the channels.
        minimum: smallest value of the layer.
        maximum: largest value of the layer.
        mean: mean of all values.
        std: their standard deviation.
        sparsity: share of values that are exactly zero, 0 to 1.
        dead: number of channels that are silent on this picture, see ``ChannelStatistics.dead``.
    """

    layer: str
    kind: str
    channels: int
    average: Tensor
    minimum: float
    maximum: float
    mean: float
    std: float
    sparsity: float
    dead: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the layer's output."""
        height, width = self.average.shape
        return self.channels, height, width


@dataclass(frozen=True, slots=True, eq=False)
class ChannelStatistics:
    """Numbers about each channel of a layer on one picture, each float32 [C].

    Attributes:
        minimum: smallest value of the channel.
        maximum: largest value of the channel.
        mean: mean over the cells.
        std: standard deviation over the cells (divided by their number, not by one less).
        sparsity: share of cells that are exactly zero, 0 to 1.
        dead: bool [C], the channels that are silent on this picture: zero everywhere, or constant although there is
            more than one cell. On another picture they may be active.
    """

    minimum: Tensor
    maximum: Tensor
    mean: Tensor
    std: Tensor
    sparsity: Tensor
    dead: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMaps:
    """All channels of one layer on one picture.

    Attributes:
        layer: name of the layer.
        values: float32 [C, H, W].
        statistics: of each channel.
    """

    layer: str
    values: Tensor
    statistics: ChannelStatistics


@dataclass(frozen=True, slots=True, eq=False)
class EffectiveField:
    """How much each pixel of a picture influences one cell.

    Attributes:
        layer: name of the layer.
        cell: the cell.
        values: float32 [S, S], largest |d cell / d pixel| of the three colours.
        box: the pixels that can influence the cell at all, the theoretical receptive field.
    """

    layer: str
    cell: Cell
    values: Tensor
    box: Box

    def core_area(self, share: float = 0.9) -> float:
        """The smallest part of the theoretical field that holds this share of the total influence, 0 to 1.

        Luo et al., "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks", 2016: much
        smaller than the field, and growing only with its square root. 0 where the cell is silent.
        """
        total = float(self.values.sum())
        if total == 0:
            return 0.0
        falling = self.values.flatten().sort(descending=True).values.double().cumsum(0)
        pixels = int((falling < share * falling[-1]).sum()) + 1
        return pixels / ((self.box.bottom - self.box.top) * (self.box.right - self.box.left))


@dataclass(frozen=True, slots=True, eq=False)
class SumOfProducts:
    """One cell of a convolution written out: total = bias + sum of inputs * weights.

    Attributes:
        layer: name of the convolution.
        cell: the cell, in the convolution's output.
        inputs: float32 [I, kh, kw], the values under the kernel; zeros beyond the border.
        outside: bool [kh, kw], the positions of the kernel that lie beyond the border, on padding.
        weights: float32 [I, kh, kw], the kernel.
        bias: of the filter; 0 where the convolution has none.
        total: the convolution's output at this cell, as the network computed it.
        then: the value after each of the following layers, up to the one requested: (name, value).
    """

    layer: str
    cell: Cell
    inputs: Tensor
    outside: Tensor
    weights: Tensor
    bias: float
    total: float
    then: tuple[tuple[str, float], ...] = ()

    @property
    def products(self) -> Tensor:
        """[I, kh, kw], the terms of the sum."""
        return self.inputs * self.weights

    def by_input(self) -> Tensor:
        """[I], the contribution of each input channel to the sum."""
        return self.products.sum(dim=(1, 2))

    def supporting(self) -> float:
        """The sum of the positive terms."""
        return float(self.products.clamp(min=0).sum())

    def opposing(self) -> float:
        """The sum of the negative terms."""
        return float(self.products.clamp(max=0).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Ablation:
    """The network's prediction with some channels of a layer set to zero, next to its original one.

    Attributes:
        layer: name of the layer.
        channels: the channels chosen.
        keep_only: whether these were kept and all others set to zero, instead of these being set to zero.
        before: the original prediction.
        after: the prediction with those channels at zero.
    """

    layer: str
    channels: tuple[int, ...]
    keep_only: bool
    before: Prediction
    after: Prediction


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """The kernels of a convolution.

    Attributes:
        layer: name of the convolution.
        weights: float32 [O, I, kh, kw]; I is the number of channels that one kernel reads.
        norms: float32 [O], sqrt(sum of squares) of each kernel.
        bias: float32 [O]; zeros where the convolution has none.
        groups: into how many parts the input's channels are split; a kernel reads one part.
        on_picture: whether the kernels lie on the picture's own three colours.
    """

    layer: str
    weights: Tensor
    norms: Tensor
    bias: Tensor
    groups: int
    on_picture: bool


@dataclass(frozen=True, slots=True, eq=False)
class PoolPair:
    """The maps before and after a max pooling.

    Attributes:
        layer: name of the pooling layer.
        kernel: (height, width) of the window, in cells.
        stride: (down, across), in cells.
        padding: rows and columns added around the map before; they are never the maximum.
        before: float32 [C, H, W].
        after: float32 [C, h, w].
    """

    layer: str
    kernel: Pair
    stride: Pair
    padding: Padding
    before: Tensor
    after: Tensor

    def window(self, row: int, column: int) -> Box:
        """The cells of the map before in the window of a cell of the map after, without padding."""
        top, left = row * self.stride[0] - self.padding.top, column * self.stride[1] - self.padding.left
        rows, columns = self.before.shape[1:]
        bottom, right = min(top + self.kernel[0], rows), min(left + self.kernel[1], columns)
        return Box(max(top, 0), max(left, 0), bottom, right)

    def cell_over(self, row: int, column: int) -> Pair:
        """(row, column) of the cell after whose window contains this cell before, or of the nearest such cell."""
        rows, columns = self.after.shape[1:]
        down, across = (row + self.padding.top) // self.stride[0], (column + self.padding.left) // self.stride[1]
        return min(down, rows - 1), min(across, columns - 1)

    def agreement(self, channel: int) -> float:
        """The correlation of the map after, upsampled, with the map before, at most 1.

        1 where the map before is constant, since nothing of it is lost.
        """
        before = self.before[channel]
        after = interpolate(self.after[None, channel : channel + 1], size=before.shape, mode="nearest")[0, 0]
        both = torch.stack([before.flatten(), after.flatten()]).double()
        both = both - both.mean(dim=1, keepdim=True)
        norms = both.norm(dim=1).prod()
        return float((both[0] @ both[1]) / norms) if norms > 0 else 1.0
