"""Occlusion with windows of several sizes, computed side by side from coarse to fine."""

import contextlib
from collections.abc import Generator, Iterator, Sequence

from torch import Tensor

from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.occlusion import occlusion
from convis_core.results import OcclusionMap, OcclusionSpec, SizeComparison


def compare(model: LoadedModel, x: Tensor, target: int, specs: Sequence[OcclusionSpec]) -> Iterator[SizeComparison]:
    """Several occlusion maps at once, of which the least advanced goes on, so that they are refined together.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        specs: the specification of each map; at least one.

    Yields:
        A comparison for every new frame once each map has its first; the last one is complete.

    Raises:
        SpecError: when there is no specification, or one that ``occlusion`` refuses.

    >>> import torch
    >>> from torch import nn
    >>> from convis_core import models
    >>> from convis_core.occlusion import sizes
    >>> from convis_core.results import OcclusionSpec
    >>> model = models.wrap(nn.Sequential(nn.AvgPool2d(16), nn.Flatten()), input_size=16)
    >>> specs = OcclusionSpec(window=4, stride=4, fill="black"), OcclusionSpec(window=8, stride=8, fill="black")
    >>> *_, last = sizes.compare(model, torch.ones(1, 3, 16, 16), 0, specs)
    >>> last.done, last.total, [float(one.drop()[0, 0]) for one in last.maps]  # 16 + 4 windows
    (20, 20, [0.0625, 0.25])
    """
    if not specs:
        raise SpecError("There is nothing to compare; give at least one specification.")
    with contextlib.ExitStack() as stack:
        running = [occlusion(model, x, target, spec) for spec in specs]
        for frames in running:
            stack.callback(_close, frames)
        maps = [next(frames) for frames in running]
        while True:
            done, total = sum(each.done for each in maps), sum(each.total for each in maps)
            yield SizeComparison(tuple(maps), done, total)
            if done == total:
                return
            behind = min(range(len(maps)), key=lambda index: maps[index].done / maps[index].total)
            maps[behind] = next(running[behind])


def _close(frames: Iterator[OcclusionMap]) -> None:
    """Stop a map that is no longer wanted; its chunks would go on otherwise."""
    if isinstance(frames, Generator):
        frames.close()
