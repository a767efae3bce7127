"""Occlusion with windows of several sizes, side by side and all of them coarse first."""

import contextlib
from collections.abc import Generator, Iterator, Sequence

from torch import Tensor

from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.occlusion import occlusion
from convis_core.results import OcclusionMap, OcclusionSpec, SizeComparison


def compare(model: LoadedModel, x: Tensor, target: int, specs: Sequence[OcclusionSpec]) -> Iterator[SizeComparison]:
    """Several occlusion maps at once: the one that is least advanced goes on, so that they sharpen together.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        specs: at least one; what each map is asked.

    Yields:
        A comparison for every new frame once each map has its first; the last is complete.

    Raises:
        SpecError: when there is no specification, or one that ``occlusion`` refuses.
    """
    if not specs:
        raise SpecError("There is nothing to compare; give at least one specification.")
    with contextlib.ExitStack() as stack:
        running = [occlusion(model, x, target, spec) for spec in specs]
        for frames in running:
            stack.callback(_close, frames)
        maps = [next(frames) for frames in running]
        while True:
            done, total = sum(found.done for found in maps), sum(found.total for found in maps)
            yield SizeComparison(tuple(maps), done, total)
            if done == total:
                return
            behind = min(range(len(maps)), key=lambda index: maps[index].done / maps[index].total)
            maps[behind] = next(running[behind])


def _close(frames: Iterator[OcclusionMap]) -> None:
    """Stop a map that is not wanted any more; its chunks would go on otherwise."""
    if isinstance(frames, Generator):
        frames.close()
