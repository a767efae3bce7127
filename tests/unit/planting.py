"""Plants forbidden imports in a copy of the code, one at a time, and asks import-linter which contracts break.

A program of its own: import-linter looks for the packages that it analyses on the import path, and in the process of
the tests it would find those of the checkout.
"""

import importlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from importlinter.api import use_cases


def broken_contracts(plant: Mapping[str, str]) -> list[str]:
    """Names of the contracts that break when each text stands at the end of its file; the files are restored."""
    before = {name: Path(name).read_text() if Path(name).exists() else None for name in plant}
    folders = [Path(name).parent for name in plant if not Path(name).parent.exists()]
    for folder in folders:
        folder.mkdir()
    for name, text in plant.items():
        Path(name).write_text((before[name] or "") + "\n" + text + "\n")
    importlib.invalidate_caches()
    try:
        report = use_cases.create_report(use_cases.read_user_options("pyproject.toml"), cache_dir="cache")
        if report.invalid_contract_options:
            raise ValueError(report.invalid_contract_options)
        return [contract.name for contract, check in report.get_contracts_and_checks() if not check.kept]
    finally:
        for name, text in before.items():
            if text is None:
                Path(name).unlink()
            else:
                Path(name).write_text(text)
        for folder in folders:
            folder.rmdir()


def main(folder: str) -> None:
    """Read the plants from ``plants.json`` of the copy and write what they break to ``broken.json``."""
    os.chdir(folder)
    sys.path.insert(0, folder)
    use_cases._register_contract_types(use_cases.read_user_options("pyproject.toml"))
    plants = json.loads(Path("plants.json").read_text())
    Path("broken.json").write_text(json.dumps({name: broken_contracts(plant) for name, plant in plants.items()}))


if __name__ == "__main__":
    main(sys.argv[1])
