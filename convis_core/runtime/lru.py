"""Values by key, bounded by the memory that they occupy: the least recently used are dropped for new ones."""

from __future__ import annotations

import dataclasses
import sys
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from PIL import Image

T = TypeVar("T")

_PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2}  # Pillow uses four bytes per pixel in every other mode


class Lru(Generic[T]):
    """Values by key, up to a number of bytes; the least recently used go first. Safe on any thread.

    Args:
        max_bytes: bound of the sum of all sizes.

    >>> names = Lru[str](max_bytes=100)
    >>> for name in ("Ada", "Grace"):
    ...     names.add(name, name.upper(), size=40)
    >>> names.get("Ada")
    'ADA'
    >>> names.add("Emmy", "EMMY", size=40)
    >>> names.get("Grace") is None, len(names), names.total_bytes
    (True, 2, 80)
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.total_bytes = 0
        self._entries: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> T | None:
        """The value of this key, which becomes the most recently used; None if there is none."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def add(self, key: Hashable, value: T, size: int) -> None:
        """Store a value of `size` bytes in place of the key's last one; a value larger than the bound is dropped."""
        with self._lock:
            _, freed = self._entries.pop(key, (None, 0))
            self.total_bytes -= freed
            if size > self.max_bytes:
                return
            self._entries[key] = (value, size)
            self.total_bytes += size
            while self.total_bytes > self.max_bytes:
                _, (_, freed) = self._entries.popitem(last=False)
                self.total_bytes -= freed

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self.total_bytes = 0


def result_bytes(result: object) -> int:
    """Bytes that stay in memory for as long as `result` does.

    Traverses records, containers, tensors, arrays and pictures; an object reached twice counts once. A tensor or an
    array that is a view counts with the whole of its memory, because it keeps all of that alive.

    Args:
        result: any object.

    >>> million = torch.zeros(250_000)
    >>> 1_000_000 < result_bytes((million, million[:10])) < 1_001_000
    True
    """
    total = 0
    seen: set[int] = set()
    waiting: list[object] = [result]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        total += sys.getsizeof(part)
        if isinstance(part, torch.Tensor):
            storage = part.untyped_storage()
            if part.device.type != "meta" and storage.data_ptr() not in seen:
                seen.add(storage.data_ptr())
                total += storage.nbytes()
        elif isinstance(part, np.ndarray):
            if part.base is not None:  # getsizeof counts the numbers of their owner only
                waiting.append(part.base)
        elif isinstance(part, Image.Image):
            total += part.width * part.height * _PIXEL_BYTES.get(part.mode, 4)
        else:
            waiting.extend(_parts(part))
    return total


def _parts(whole: Any) -> Iterable[object]:
    if isinstance(whole, dict):
        return [*whole.keys(), *whole.values()]
    if isinstance(whole, tuple | list | set | frozenset):
        return whole
    if isinstance(whole, memoryview):
        return [whole.obj]
    if dataclasses.is_dataclass(whole) and not isinstance(whole, type):
        return [getattr(whole, field.name) for field in dataclasses.fields(whole)]
    return []
