"""Finished results that the job board keeps, bounded by the memory that they take."""

from __future__ import annotations

import dataclasses
import sys
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from PIL import Image

T = TypeVar("T")

_PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2}  # Pillow keeps every other mode in four bytes a pixel


class Kept(Generic[T]):
    """Things by key, up to a number of bytes; those used longest ago make room. Not thread-safe.

    Args:
        max_bytes: bound of the sum of all sizes.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.total_bytes = 0
        self._things: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._things)

    def get(self, key: Hashable) -> T | None:
        """The thing of this key, which becomes the one used last."""
        if key not in self._things:
            return None
        self._things.move_to_end(key)
        return self._things[key][0]

    def add(self, key: Hashable, thing: T, size: int) -> None:
        """Keeps a thing of `size` bytes in place of the key's last, unless it alone exceeds the bound."""
        _, freed = self._things.pop(key, (None, 0))
        self.total_bytes -= freed
        if size > self.max_bytes:
            return
        self._things[key] = (thing, size)
        self.total_bytes += size
        while self.total_bytes > self.max_bytes:
            _, (_, freed) = self._things.popitem(last=False)
            self.total_bytes -= freed

    def clear(self) -> None:
        self._things.clear()
        self.total_bytes = 0


def result_bytes(result: object) -> int:
    """Bytes that stay in memory for as long as `result` does.

    Walks records, containers, tensors, arrays and pictures; what is reached twice counts once. A tensor or an
    array that is a view counts with the whole of what it looks at, because that is what it keeps alive.
    """
    total = 0
    seen: set[int] = set()
    waiting: list[object] = [result]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        if isinstance(thing, torch.Tensor):
            storage = thing.untyped_storage()
            if thing.device.type != "meta" and storage.data_ptr() not in seen:
                seen.add(storage.data_ptr())
                total += storage.nbytes()
        elif isinstance(thing, np.ndarray):
            if thing.base is not None:  # getsizeof counts the numbers of their owner only
                waiting.append(thing.base)
        elif isinstance(thing, Image.Image):
            total += thing.width * thing.height * _PIXEL_BYTES.get(thing.mode, 4)
        else:
            waiting.extend(_parts(thing))
    return total


def _parts(thing: Any) -> Iterable[object]:
    if isinstance(thing, dict):
        return [*thing.keys(), *thing.values()]
    if isinstance(thing, tuple | list | set | frozenset):
        return thing
    if isinstance(thing, memoryview):
        return [thing.obj]
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return [getattr(thing, field.name) for field in dataclasses.fields(thing)]
    return []
