"""What a result amounts to, as one line of hexadecimal: equal bits, equal digest."""

import dataclasses
import hashlib
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image


def digest(result: Any) -> str:
    """The first 16 hex digits of the sha256 of all numbers in a result.

    Words are left out: how a method or a layer is called may be put better without anything being computed anew.
    """
    total = hashlib.sha256()
    _add(total, result)
    return total.hexdigest()[:16]


def machine() -> str:
    """What the last bits of a sum depend on: the processor and torch's version."""
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        first = information.read_text().partition("\n\n")[0]
        known = dict(re.split(r"\s*:\s*", line, maxsplit=1) for line in first.splitlines() if ":" in line)
        # Libraries choose their kernels by the instructions and their blocks by the caches.
        parts = [known.get(name, "?") for name in ("model name", "cpu family", "model", "stepping", "cache size")]
        instructions = hashlib.sha256(known.get("flags", "").encode()).hexdigest()[:8]
        processor = "/".join([*parts, instructions])
    return f"{processor}, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"


def _add(total: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        total.update(f"{value.dtype}{tuple(value.shape)}".encode())
        total.update(value.detach().cpu().contiguous().numpy().tobytes())
    elif isinstance(value, np.ndarray | Image.Image):
        total.update(value.tobytes())
    elif isinstance(value, bool | int | float):
        total.update(repr(value).encode())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in sorted(dataclasses.fields(value), key=lambda field: field.name):
            _add(total, getattr(value, field.name))
    elif isinstance(value, Mapping):
        for key in value:
            _add(total, value[key])
    elif isinstance(value, tuple | list):
        total.update(f"[{len(value)}]".encode())
        for part in value:
            _add(total, part)
