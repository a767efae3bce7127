"""What becomes of freed memory: a process can keep it while it computes, and give it back when it rests.

glibc returns the maps of a network to the system as soon as they are freed, and the system hands out zeroed pages
again for the next batch, one page fault for every four kilobytes. In gradients through a network that was a fifth of
the time. ``keep_freed`` changes this for the whole process, so a program decides on it and no import does: the
dashboard and the benchmarks call it. On systems without glibc nothing is changed. What every batch needs anew in
another size, threads reuse themselves: see ``Scratch``.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
import threading
from functools import cache

import torch
from torch import Tensor

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8  # mallopt's names for its settings
_MEGABYTE = 2**20
_SETTINGS = {
    _MMAP_THRESHOLD: 32 * _MEGABYTE,  # the largest it takes; a larger map still goes back at once
    _TRIM_THRESHOLD: 2**31 - 1,
    _TOP_PAD: 64 * _MEGABYTE,
    _ARENA_MAX: 1,  # threads' own heaps are pieces of 64 MB, of which large maps leave much unused
}


class Scratch(threading.local):
    """Memory for passing values, one piece for every thread that asks for it.

    Crops with their halos are the largest tensors of all, and of another size at every step. Taken from the system
    one by one they leave holes between them that soon are several times as large.
    """

    def __init__(self) -> None:
        self._memory = torch.empty(0)

    def take(self, *shapes: tuple[int, ...]) -> list[Tensor]:
        """Tensors of these shapes, side by side; what the memory held before is lost.

        Args:
            shapes: one for each tensor, float32.

        >>> [tuple(part.shape) for part in Scratch().take((2, 3), (4,))]
        [(2, 3), (4,)]
        """
        sizes = [math.prod(shape) for shape in shapes]
        if self._memory.numel() < sum(sizes):
            self._memory = torch.empty(sum(sizes))
        parts = self._memory[: sum(sizes)].split(sizes)
        return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]


def keep_freed() -> bool:
    """Let freed memory serve the next batch, in the whole process; whether the C library could be told.

    Whoever has set one of glibc's own variables, MALLOC_TOP_PAD_ for one, has the last word. Once is enough; before
    the first computation it does the most.
    """
    library = _glibc()
    if library is None or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    told = [library.mallopt(name, value) for name, value in _SETTINGS.items()]
    return all(told)


def give_back() -> None:
    """Return what is free to the system: other processes on a small server can use it."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
