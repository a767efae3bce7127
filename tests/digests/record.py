"""Record the digests of all computations on this machine: ``python -m tests.digests.record``."""

import json
from pathlib import Path

import torch

from convis_core.runtime import lanes
from tests.digests.computations import computations
from tests.digests.digest import digest, machine

RECORDS = Path(__file__).with_name("records.json")


def main() -> None:
    torch.set_num_threads(2)
    records = json.loads(RECORDS.read_text()) if RECORDS.exists() else {}
    records[machine()] = {name: digest(lanes.run(compute)) for name, compute in computations().items()}
    RECORDS.write_text(json.dumps(records, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
