"""Scores while a window hides a part of the picture, and the specification of the windows."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from convis_core.values import check_choice, check_seed, check_whole

Fill: TypeAlias = Literal["mean", "black", "grey", "white", "blur", "noise"]
"""What replaces the hidden part of the picture."""


_LONGEST = 10_000  # pixels; no network takes a larger picture


@dataclass(frozen=True, slots=True)
class OcclusionSpec:
    """How a window hides parts of a picture, one after the other.

    Attributes:
        window: side of the square that is hidden, in pixels; from 1 to the side of the picture.
        stride: pixels from one window to the next; from 1.
        fill: what replaces the hidden pixels: "mean" (the mean colour of the network's training pictures, which it sees
            as zeros), "black", "grey" (0.5), "white", "blur" (the picture itself, blurred), "noise" (every value
            drawn evenly from [0, 1]).
        seed: of the noise; at least 0.

    Raises:
        SpecError: when a value is invalid.
    """

    window: int = 32
    stride: int = 8
    fill: Fill = "mean"
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("The window", self.window, 1, _LONGEST)
        check_whole("The stride", self.stride, 1, _LONGEST)
        check_choice("The fill", self.fill, get_args(Fill))
        check_seed(self.seed)


@dataclass(frozen=True, slots=True)
class OcclusionCost:
    """The expected cost of a map.

    Attributes:
        windows: number of window positions.
        multiply_adds: of all windows together.
        full_multiply_adds: of as many full forward passes.
        seconds: on this machine when idle.
    """

    windows: int
    multiply_adds: int
    full_multiply_adds: int
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class OcclusionMap:
    """The scores when a window hides a part of the picture, by position of the window.

    Entry (r, c) belongs to the window whose upper left pixel is (tops[r], lefts[c]).

    Attributes:
        probability: float32 [R, C], P(target); nan where pending.
        logit: float32 [R, C], the target's logit; nan where pending.
        top_class: int64 [R, C], index of the most probable class; -1 where pending.
        top_probability: float32 [R, C], its probability; nan where pending.
        tops: int64 [R], first rows of the windows, in pixels.
        lefts: int64 [C], first columns.
        baseline_probability: P(target) for the picture as it is.
        baseline_logit: the target's logit for the picture as it is.
        target: index of the class.
        size: side S of the picture.
        spec: the specification.
        done: windows computed so far.
        total: windows of the complete map.
    """

    probability: Tensor
    logit: Tensor
    top_class: Tensor
    top_probability: Tensor
    tops: Tensor
    lefts: Tensor
    baseline_probability: float
    baseline_logit: float
    target: int
    size: int
    spec: OcclusionSpec
    done: int
    total: int

    def drop(self) -> Tensor:
        """By how much the target's logit falls under each window: [R, C]; negative where it rises, nan if pending."""
        return self.baseline_logit - self.logit

    def heatmap(self) -> Tensor:
        """The mean logit drop over all windows that cover a pixel: float32 [S, S].

        Pending windows do not count; a pixel that no window has covered yet is nan. The mean is Captum's
        convention; a sum, as in some libraries, would favour the middle, which more windows cover.
        """
        drop = self.drop().double()
        known = ~drop.isnan()
        total = self._spread(drop.nan_to_num(nan=0.0))
        return (total / self._spread(known.double())).float()

    def _spread(self, values: Tensor) -> Tensor:
        """The sum of the values of all windows that cover a pixel: [S, S]."""
        # Separately for each axis: a matrix that records which window covers which pixel.
        rows, columns = (self._covers(starts) for starts in (self.tops, self.lefts))
        return rows.T @ values @ columns

    def _covers(self, starts: Tensor) -> Tensor:
        pixels = torch.arange(self.size)
        after = pixels >= starts[:, None]
        return (after & (pixels < starts[:, None] + self.spec.window)).double()


@dataclass(frozen=True, slots=True, eq=False)
class SizeComparison:
    """Maps of one picture and class under several specifications.

    Attributes:
        maps: one for each specification, in their order; pending values are nan.
        done: windows computed.
        total: windows of all maps.
    """

    maps: tuple[OcclusionMap, ...]
    done: int
    total: int
