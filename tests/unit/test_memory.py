"""Freed memory serves the next computation and is given back at rest; each test in a process of its own."""

import pytest

from convis_core.runtime import memory
from tests.unit.interpreters import run_script

pytestmark = pytest.mark.skipif(memory._glibc() is None, reason="this C library cannot be told what to do")

_COMPUTE = """
import resource, sys, time
import torch
from convis_core.runtime import lanes, memory

def maps():
    made = [torch.ones(2 * 2**20) for _ in range(12)]  # 8 MB each
    return sum(float(each[-1]) for each in made)

def resident():
    with open("/proc/self/statm") as numbers:
        return int(numbers.read().split()[1]) * resource.getpagesize() / 2**20

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
"""


def run(script: str, **environment: str) -> list[float]:
    # One lane: each has memory of its own.
    done = run_script(_COMPUTE + script, CONVIS_LANES="1", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return [float(word) for word in done.stdout.split()]


_AGAIN = """
memory.keep_freed()
pool = lanes.shared()
for _ in range(4):  # until the heaps have found their size
    pool.run(maps)
before = faults()
pool.run(maps)
print(faults() - before)
"""


# What glibc does with these variables when a process starts that has them.
_AS_SET = """
for name in (-1, -3):
    assert memory._glibc().mallopt(name, 131072)
"""


def test_the_next_computation_finds_its_memory_ready():
    (reused,) = run(_AGAIN)
    (fresh,) = run(_AS_SET + _AGAIN, MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="131072")
    assert fresh > 12 * 2000, "every page of every map anew; and who sets glibc's variables has the last word"
    assert reused < fresh / 20


def test_an_idle_pool_gives_its_memory_back():
    computed, rested, again = run("""
memory.keep_freed()
lanes._IDLE_SECONDS = 0.2
pool = lanes.shared()
pool.run(maps)
computed = resident()
deadline = time.monotonic() + 20
while resident() > computed - 75 and time.monotonic() < deadline:
    time.sleep(0.02)
print(computed, resident(), pool.run(maps))
""")
    assert rested < computed - 75, "of the 96 MB of the maps"
    assert again == 12
