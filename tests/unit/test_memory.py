"""Freed memory is kept for the next computation and given back at rest; each test in a process of its own."""

import subprocess
import sys

import pytest

from convis_core.runtime import memory

pytestmark = pytest.mark.skipif(memory._glibc() is None, reason="this C library cannot be told what to do")

_COMPUTE = """
import resource, sys, time
import torch
from convis_core.runtime import lanes, memory

def maps():
    kept = [torch.ones(4 * 2**20) for _ in range(12)]  # 16 MB each
    return sum(float(each[-1]) for each in kept)

def resident():
    with open("/proc/self/statm") as numbers:
        return int(numbers.read().split()[1]) * resource.getpagesize() / 2**20

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
"""


def run(script: str, **environment: str) -> list[float]:
    found = subprocess.run(
        [sys.executable, "-c", _COMPUTE + script],
        capture_output=True,
        text=True,
        check=True,
        # One lane: each keeps memory of its own.
        env={"CONVIS_LANES": "1", **environment},
    )
    return [float(word) for word in found.stdout.split()]


_AGAIN = """
memory.keep_freed()
pool = lanes.shared()
for _ in range(4):  # until the heaps have found their size
    pool.run(maps)
before = faults()
pool.run(maps)
print(faults() - before)
"""


def test_the_next_computation_finds_its_memory_ready():
    (kept,) = run(_AGAIN)
    (fresh,) = run(_AGAIN, MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="131072")
    assert fresh > 12 * 4000, "every page of every map anew; and who sets glibc's variables has the last word"
    assert kept < fresh / 20


def test_an_idle_pool_gives_its_memory_back():
    computed, rested, again = run("""
memory.keep_freed()
lanes._REST = 0.2
pool = lanes.shared()
pool.run(maps)
computed = resident()
deadline = time.monotonic() + 20
while resident() > computed - 150 and time.monotonic() < deadline:
    time.sleep(0.1)
print(computed, resident(), pool.run(maps))
""")
    assert rested < computed - 150, "of the 192 MB of the maps"
    assert again == 12
