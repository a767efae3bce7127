"""How many cores this process may compute on."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

from convis_core.errors import SpecError


def lane_count() -> int:
    """The number of lanes: CONVIS_LANES where it is set, else the usable cores.

    Raises:
        SpecError: when CONVIS_LANES is set to something other than a whole number of at least 1.

    >>> lane_count() >= 1
    True
    """
    asked = os.environ.get("CONVIS_LANES", "").strip()
    if not asked:
        return usable_cores()
    if not asked.isdecimal() or int(asked) < 1:
        raise SpecError(f"CONVIS_LANES is {asked!r}; set it to a whole number of at least 1, or unset it.")
    return int(asked)


def usable_cores() -> int:
    """The number of cores in the process's affinity, limited by its container's quota.

    >>> 1 <= usable_cores() <= (os.cpu_count() or 1)
    True
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(Path("/sys/fs/cgroup"))
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def cpu_quota(cgroup: Path) -> float | None:
    """A container's limit in cores (2.0 = two full cores), None where there is none.

    A hosted container often sees every core of its machine and may use two of them.

    Args:
        cgroup: where the control groups are mounted, version 1 or 2.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "cpu.max").write_text("150000 100000")
    ...     cpu_quota(Path(folder))
    1.5
    """
    version_2 = ("cpu.max",)
    version_1 = ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")
    for names in (version_2, version_1):
        # Without a limit the file is missing, contains the word "max", or gives a quota of -1.
        with contextlib.suppress(OSError, ValueError):
            words = " ".join((cgroup / name).read_text() for name in names).split()
            quota, period = (int(word) for word in words)
            if quota > 0 and period > 0:
                return quota / period
    return None
