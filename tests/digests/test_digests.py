"""Every computation gives the bits that were recorded on this kind of machine.

The last bits of a sum depend on the processor, so each kind has a record of its own, and where there is none the
test is skipped. ``python -m tests.digests.record`` makes one: before a change that must not change any result.
"""

import json
from collections.abc import Iterator

import pytest
import torch

from convis_core.runtime import lanes
from tests.digests.computations import computations
from tests.digests.digest import digest, machine
from tests.digests.record import RECORDS


@pytest.fixture
def two_threads() -> Iterator[None]:
    """As many as the records were made with: the statistics of a random network's batch norms depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_every_computation_gives_the_recorded_bits() -> None:
    known = json.loads(RECORDS.read_text()).get(machine())
    if known is None:
        pytest.skip(f"no record of {machine()}; make one with: python -m tests.digests.record")
    found = {name: digest(lanes.run(compute)) for name, compute in computations().items() if name in known}
    assert found == known
