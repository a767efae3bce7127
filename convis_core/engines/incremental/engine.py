"""Running a program: once on the whole base picture, then on crops of it for every batch of windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from convis_core.engines.incremental import kernels
from convis_core.engines.incremental.batches import Batch, Limits, arrange
from convis_core.engines.incremental.kernels import Canvas, Pair, Starts
from convis_core.engines.incremental.program import Placed, Program, program
from convis_core.engines.incremental.steps import Kind
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network.checks import check_answer, check_picture
from convis_core.runtime.memory import Scratch

_scratch = Scratch()


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """The network's feature maps of a picture, from which those of a partly changed picture are computed.

    They do not depend on the windows that will be changed, so one base serves every size, stride and fill.

    Attributes:
        program: the network's steps.
        canvases: (step, fill) -> the step's map, with as much fill around it as its readers reach beyond it.
        logits: float32 [C], of the unchanged picture.
    """

    program: Program
    canvases: dict[tuple[int, float], Canvas]
    logits: Tensor

    @property
    def nbytes(self) -> int:
        """Bytes of the stored maps."""
        return sum(canvas.pixels.nbytes for canvas in self.canvases.values())


@dataclass(frozen=True, slots=True, eq=False)
class _Crop:
    """The part of a map that a window of the picture has changed; elsewhere the map is the base's.

    Attributes:
        pixels: [N, C, h, w].
        tops: first row for each of N windows.
        lefts: first column for each window.
    """

    pixels: Tensor
    tops: Starts
    lefts: Starts


def prepare(model: LoadedModel, x: Tensor) -> Base:
    """Run the network on a picture and store the maps from which windows will be computed.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, or a logit is not finite.

    >>> from torch import nn
    >>> from convis_core import models
    >>> model = models.wrap(nn.Sequential(nn.Conv2d(3, 2, 8, bias=False), nn.Flatten()), input_size=8)
    >>> prepare(model, torch.zeros(1, 3, 8, 8)).logits.tolist()
    [0.0, 0.0]
    """
    check_picture(model, x)
    network = program(model)
    canvases: dict[tuple[int, float], Canvas] = {}
    values: list[Any] = [None] * len(network.steps)
    with torch.no_grad():
        for index, placed in enumerate(network.steps):
            values[index] = _whole_value(placed, [values[before] for before in placed.inputs], x)
            for (step, fill), margins in network.margins.items():
                if step == index:
                    canvases[step, fill] = kernels.canvas(values[index], margins, fill)
            for before in placed.inputs:
                if network.steps[before].uses[-1] == index:
                    values[before] = None
    answer = values[-1][0].cpu()
    check_answer(answer)
    return Base(network, canvases, answer)


def logits(base: Base, patches: Tensor, tops: Sequence[int], lefts: Sequence[int]) -> Tensor:
    """The logits for the base picture with one patch pasted into it, for many patches.

    Equal to ``model.module(pasted)`` for every pasted picture up to rounding, and computed from the part of each layer
    that the patch can have changed.

    Args:
        base: from ``prepare``.
        patches: pixels in [0, 1], float32 [N, 3, h, w].
        tops: first row of each patch; 0 <= top <= S - h.
        lefts: first column of each patch.

    Returns:
        float32 [N, C].

    Raises:
        SpecError: when a patch does not lie within the picture, or does not have three channels.

    >>> from torch import nn
    >>> from convis_core import models
    >>> layers = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 2))
    >>> model, x = models.wrap(layers, input_size=8), torch.rand(1, 3, 8, 8)
    >>> pasted = x.clone()
    >>> pasted[:, :, 1:3, 4:6] = 0
    >>> changed = logits(prepare(model, x), torch.zeros(1, 3, 2, 2), [1], [4])
    >>> torch.allclose(changed, model.module(pasted), atol=1e-5)
    True
    """
    rows, columns = np.asarray(tops, dtype=np.int64), np.asarray(lefts, dtype=np.int64)
    _check_patches(base, patches, rows, columns)
    if not len(patches):
        return base.logits.new_empty(0, len(base.logits))
    height, width = patches.shape[2:]
    batches = arrange(base.program, (height, width), rows, columns, Limits())
    features = [before_tail(base, batch, patches[torch.from_numpy(batch.members)]) for batch in batches]
    answers = tail(base, features)
    order = torch.from_numpy(np.argsort(np.concatenate([batch.members for batch in batches])))
    return answers[order]


def _check_patches(base: Base, patches: Tensor, tops: Starts, lefts: Starts) -> None:
    channels, rows, columns = base.program.steps[0].shape or (0, 0, 0)
    if patches.dim() != 4 or patches.shape[1] != channels:
        raise SpecError(f"Patches must be [N, {channels}, h, w], not {tuple(patches.shape)}.")
    if not len(patches) == len(tops) == len(lefts):
        raise SpecError(f"There are {len(patches)} patches, but {len(tops)} tops and {len(lefts)} lefts.")
    furthest = (rows - patches.shape[2], columns - patches.shape[3])
    if any(((starts < 0) | (starts > last)).any() for starts, last in zip((tops, lefts), furthest, strict=True)):
        raise SpecError(f"Not every patch lies within the picture of {rows} x {columns} pixels.")


def before_tail(base: Base, batch: Batch, patches: Tensor) -> tuple[Tensor, ...]:
    """Carry out all steps before the tail for a batch of windows.

    Args:
        base: from ``prepare``.
        batch: from ``arrange``.
        patches: the batch's patches in its order, [N, 3, h, w].

    Returns:
        The values that the tail reads, [N, ...] each; the logits if there is no tail.

    >>> from torch import nn
    >>> from convis_core import models
    >>> layers = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 2))
    >>> base = prepare(models.wrap(layers, input_size=8), torch.rand(1, 3, 8, 8))
    >>> (batch,) = arrange(base.program, (2, 2), np.array([0, 3, 6]), np.array([1, 1, 1]), Limits())
    >>> [tuple(values.shape) for values in before_tail(base, batch, torch.zeros(3, 3, 2, 2))]
    [(3, 256)]
    """
    network = base.program
    run = _Run(base, batch)
    with torch.no_grad():
        for index, placed in enumerate(network.steps[: network.tail]):
            run.carry_out(index, placed, patches)
        return tuple(run.whole(index) for index in network.crossing)


def tail(base: Base, features: Sequence[tuple[Tensor, ...]]) -> Tensor:
    """Carry out the remaining steps for several batches at once.

    Args:
        base: from ``prepare``.
        features: from ``before_tail``, one for each batch.

    Returns:
        float32 [N, C], batch after batch, on the CPU.

    >>> from torch import nn
    >>> from convis_core import models
    >>> layers = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 2))
    >>> base = prepare(models.wrap(layers, input_size=8), torch.rand(1, 3, 8, 8))
    >>> tuple(tail(base, [(torch.rand(3, 256),), (torch.rand(2, 256),)]).shape)
    (5, 2)
    """
    network = base.program
    joined = [torch.cat(tensors) if len(tensors) > 1 else tensors[0] for tensors in zip(*features, strict=True)]
    values: dict[int, Any] = {index: placed.value for index, placed in enumerate(network.steps)}
    values.update(zip(network.crossing, joined, strict=True))
    with torch.no_grad():
        for index in range(network.tail, len(network.steps)):
            placed = network.steps[index]
            values[index] = _whole_value(placed, [values[before] for before in placed.inputs], None)
    answers: Tensor = values[len(network.steps) - 1]
    return answers.cpu()


def _whole_value(placed: Placed, inputs: list[Any], x: Tensor | None) -> Any:
    if placed.step.kind is Kind.INPUT and x is not None:
        return kernels.channels_last(x)
    if placed.step.kind is Kind.CONSTANT:
        return placed.value
    return placed.step.whole(*inputs)


class _Run:
    """The state of one pass over the steps for one batch."""

    def __init__(self, base: Base, batch: Batch) -> None:
        self._base = base
        self._steps = base.program.steps
        self._batch = batch
        self._values: list[Any] = [None] * len(self._steps)

    def carry_out(self, index: int, placed: Placed, patches: Tensor) -> None:
        """Compute a step and release values that no later step reads."""
        kind = placed.step.kind
        starts = self._batch.starts[:, index]
        if kind is Kind.INPUT:
            self._values[index] = _Crop(kernels.channels_last(patches), *starts)
        elif kind is Kind.CONSTANT:
            self._values[index] = placed.value
        elif not placed.spatial:
            known = [self._shape_of(before) if kind is Kind.SHAPE else self.whole(before) for before in placed.inputs]
            self._values[index] = placed.step.whole(*known)
        elif kind is Kind.MERGE:
            operands = [self._read(before, starts, self._batch.sizes[index], 0.0) for before in placed.inputs]
            self._values[index] = _Crop(placed.step.crop(*operands), *starts)
        elif kind is Kind.SLIDING:
            self._values[index] = _Crop(self._slide(index, placed), *starts)
        else:  # the same crop, at the same position or, padded, at another
            source = self._values[placed.inputs[0]]
            moved = (source.tops + placed.step.shift[0], source.lefts + placed.step.shift[1])
            self._values[index] = _Crop(placed.step.crop(source.pixels), *moved)
        for before in placed.inputs:
            if self._steps[before].uses[-1] == index:
                self._values[before] = None

    def whole(self, index: int) -> Any:
        """A step's value on the whole map, or its value if it is not a map."""
        value = self._values[index]
        if not isinstance(value, _Crop):
            return value
        return self._read(index, np.zeros((2, len(value.tops)), dtype=np.int64), self._steps[index].extent, 0.0)

    def _slide(self, index: int, placed: Placed) -> Tensor:
        step, before = placed.step, placed.inputs[0]
        if step.slides is None:
            raise TypeError(f"The step {placed.name} does not say how it slides.")
        (rows, columns), size, starts = step.slides, self._batch.sizes[index], self._batch.starts[:, index]
        pixels: Tensor = self._values[before].pixels
        if size == placed.extent and tuple(pixels.shape[2:]) == (rows.inputs, columns.inputs):
            whole: Tensor = step.whole(pixels)
            return whole
        tops, height = rows.receptive(starts[0], size[0])
        lefts, width = columns.receptive(starts[1], size[1])
        # Convolutions and poolings return new tensors, so what they read may be overwritten.
        return step.crop(self._read(before, np.stack((tops, lefts)), (height, width), step.fill, _scratch))

    def _read(self, index: int, starts: Starts, size: Pair, fill: float, scratch: Scratch | None = None) -> Tensor:
        """A step's map, margins included, on one region per window: the base, with the changed crop pasted over it."""
        value = self._values[index]
        if not isinstance(value, _Crop):
            return kernels.cut(self._base.canvases[index, 0.0], starts[0], starts[1], size)
        down, right = value.tops - starts[0], value.lefts - starts[1]
        if tuple(value.pixels.shape[2:]) == size and not down.any() and not right.any():
            return value.pixels
        canvas = self._base.canvases.get((index, fill)) or self._any_canvas(index)
        # Always a copy: a view of the base would be overwritten by the crop pasted over it.
        pixels = kernels.cut(canvas, starts[0], starts[1], size, scratch)
        kernels.lay(value.pixels, pixels, down, right)
        return pixels

    def _any_canvas(self, index: int) -> Canvas:
        return next(canvas for (step, _), canvas in self._base.canvases.items() if step == index)

    def _shape_of(self, index: int) -> Any:
        """A tensor of the right shape that occupies no memory."""
        value = self._values[index]
        if not isinstance(value, _Crop):
            return value
        return value.pixels.new_zeros(()).expand(len(value.tops), *(self._steps[index].shape or ()))
