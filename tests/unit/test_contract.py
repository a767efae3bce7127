"""The contracts about imports in pyproject.toml break when somebody imports what they forbid."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PURE = "The core does not know the dashboard"
CORE = "The core's floors"
SHOW = "Figures and files show results and compute nothing"
PAGES = "The dashboard's floors"
ATTRIBUTION = "The floors of attribution"
ENGINES = "The floors of the engines"
RUNTIME = "The floors of the runtime"
MODELS = "The floors of the models"
SECTIONS = "No section knows another page's"
CIRCLES = "No circle among siblings"

PLANTS: dict[str, tuple[str, dict[str, str]]] = {
    "the core imports Streamlit": (PURE, {"convis_core/errors.py": "import streamlit"}),
    "the core imports the dashboard": (PURE, {"convis_core/errors.py": "import pages._shell.layout"}),
    "a subject imports another": (
        CORE,
        {"convis_core/attribution/sanity/__init__.py": "import convis_core.occlusion"},
    ),
    "figures import a subject": (CORE, {"convis_core/figures/__init__.py": "import convis_core.feature_maps"}),
    "a subject imports figures": (CORE, {"convis_core/feature_maps/__init__.py": "import convis_core.figures"}),
    "the network imports the engines": (CORE, {"convis_core/network/__init__.py": "import convis_core.engines"}),
    "the models import the runtime": (CORE, {"convis_core/models/__init__.py": "import convis_core.runtime"}),
    "results import the models": (CORE, {"convis_core/results/__init__.py": "import convis_core.models"}),
    "a package of the core that no layer names": (CORE, {"convis_core/planted/__init__.py": ""}),
    "figures import the network": (SHOW, {"convis_core/figures/__init__.py": "import convis_core.network"}),
    "files import the models": (SHOW, {"convis_core/export.py": "import convis_core.models"}),
    "an engine imports another": (
        ENGINES,
        {"convis_core/engines/incremental/__init__.py": "import convis_core.engines.input_gradients"},
    ),
    "an engine that no layer names": (ENGINES, {"convis_core/engines/planted.py": ""}),
    "a method imports the registry": (
        ATTRIBUTION,
        {"convis_core/attribution/methods/__init__.py": "import convis_core.attribution.registry"},
    ),
    "the lanes import the board": (RUNTIME, {"convis_core/runtime/lanes.py": "import convis_core.runtime.board"}),
    "the registry loads a network": (MODELS, {"convis_core/models/registry.py": "import convis_core.models.loading"}),
    "a network imports the registry": (
        MODELS,
        {"convis_core/models/zoo/network.py": "import convis_core.models.registry"},
    ),
    "two files of a package import each other": (
        CIRCLES,
        {
            "convis_core/occlusion/first.py": "import convis_core.occlusion.second",
            "convis_core/occlusion/second.py": "import convis_core.occlusion.first",
        },
    ),
    "the texts import a page": (PAGES, {"pages/_shell/text.py": "import pages.home"}),
    "the cache imports a section": (PAGES, {"pages/_shell/cache.py": "import pages._sections.saliency"}),
    "a section imports its page": (PAGES, {"pages/_sections/saliency/__init__.py": "import pages.saliency"}),
    "a page imports another": (PAGES, {"pages/saliency.py": "import pages.home"}),
    "a page that no layer names": (PAGES, {"pages/planted.py": ""}),
    "a section imports another page's": (
        SECTIONS,
        {"pages/_sections/saliency/__init__.py": "import pages._sections.occlusion"},
    ),
}
"""What is done -> the contract that forbids it, and the line that each file gets."""


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Name of a plant -> the contracts that it breaks, in a copy of the code."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for package in ("convis_core", "pages"):
        for path in (ROOT / package).rglob("*.py"):
            target = copy / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    (copy / "plants.json").write_text(
        json.dumps({"nothing": {}} | {name: files for name, (_, files) in PLANTS.items()})
    )
    done = subprocess.run(
        [sys.executable, "-P", str(ROOT / "tests" / "unit" / "planting.py"), str(copy)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, list[str]] = json.loads((copy / "broken.json").read_text())
    return answer


def test_the_code_as_it_is_breaks_no_contract(broken: dict[str, list[str]]) -> None:
    assert broken["nothing"] == []


@pytest.mark.parametrize("name", PLANTS)
def test_a_forbidden_import_breaks_its_contract(broken: dict[str, list[str]], name: str) -> None:
    assert PLANTS[name][0] in broken[name]


def test_every_contract_is_broken_by_a_plant() -> None:
    names = re.findall(r'^name = "(.*)"\ntype = ', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert set(names) == {contract for contract, _ in PLANTS.values()}


def test_a_page_imports_the_sections_of_its_own_only() -> None:
    used = {
        (path.stem, section)
        for path in (ROOT / "pages").glob("*.py")
        for section in re.findall(r"\bpages\._sections\.(\w+)", path.read_text())
    }
    assert ("saliency", "saliency") in used
    assert {page for page, section in used if page != section} == set()
