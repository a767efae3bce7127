"""What happens to freed memory: a process can retain it while it computes, and return it when it is idle.

glibc returns the feature maps of a network to the system as soon as they are freed, and the system supplies zeroed
pages again for the next batch, one page fault for every four kilobytes. In gradients through a network that was a
fifth of the time. ``keep_freed`` changes this for the whole process, so it is a decision of the program and not of an
import: the dashboard and the benchmarks call it. On systems without glibc nothing is changed. Memory that every batch
needs in another size is reused per thread: see ``Scratch``.
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
    _MMAP_THRESHOLD: 32 * _MEGABYTE,  # the largest value accepted; a larger map is still returned at once
    _TRIM_THRESHOLD: 2**31 - 1,
    _TOP_PAD: 64 * _MEGABYTE,
    _ARENA_MAX: 1,  # heaps per thread come in pieces of 64 MB, of which large maps leave much unused
}


class Scratch(threading.local):
    """Memory for temporary values, one block for every thread that uses it.

    Crops with their halos are the largest tensors of all, and of another size at every step. Allocated one by one they
    fragment the heap until it is several times as large.
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
    """Let freed memory serve the next batch, in the whole process.

    Environment variables of glibc itself, such as MALLOC_TOP_PAD_, take precedence: then nothing is changed. One call
    is enough, best before the first computation.

    Returns:
        Whether the C library accepted the settings.
    """
    library = _glibc()
    if library is None or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    accepted = [library.mallopt(name, value) for name, value in _SETTINGS.items()]
    return all(accepted)


def give_back() -> None:
    """Return freed memory to the system, so that other processes on a small server can use it."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
