"""Following CONTRIBUTING.md to the letter gives a section, a page and a network that work."""

import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

PROGRAM = """
import json, sys
from streamlit.testing.v1 import AppTest
from convis_core import models

def said(page, **query):
    app = AppTest.from_file("dashboard.py", default_timeout=120)
    for key, value in query.items():
        app.query_params[key] = value
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception, app.exception
    return [element.value for element in app.markdown]

network = models.load("resnet34", weights="random", seed=0)
json.dump(
    {
        "page": said("brightness"),
        "section": said("saliency", saliency_view="Brightness"),
        "parameters": sum(parameter.numel() for parameter in network.module.parameters()),
        "summary": network.spec.summary,
    },
    open("answers.json", "w"),
)
"""

TOUCHED = (
    "pages/_sections/brightness/mean.py",
    "pages/_sections/saliency/brightness.py",
    "pages/_shell/navigation.py",
    "pages/brightness.py",
    "pages/saliency.py",
    "convis_core/models/registry.py",
    "convis_core/models/zoo/resnet34.py",
)


def snippets() -> dict[str, str]:
    """File -> what CONTRIBUTING.md has to be written there."""
    blocks = re.findall(r"^ *```python\n(.*?)^ *```$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE | re.DOTALL)
    parted = [textwrap.dedent(block).partition("\n") for block in blocks if block.lstrip().startswith("# ")]
    return {first.removeprefix("# "): rest for first, _, rest in parted}


def insert(path: Path, before: str, line: str) -> None:
    """Put a line before the one place in a file where a text stands."""
    content = path.read_text()
    assert content.count(before) == 1, (path, before)
    path.write_text(content.replace(before, line + before))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code to which a section, a page and a network have been added."""
    copy = tmp_path_factory.mktemp("contributed")
    for name in ("dashboard.py", "pyproject.toml"):
        shutil.copy(ROOT / name, copy)
    for name in ("convis_core", "pages", "assets"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    written = snippets()

    section = written.pop("pages/_sections/saliency/brightness.py")
    (copy / "pages/_sections/saliency/brightness.py").write_text(section)
    (copy / "assets/text/saliency.brightness.md").write_text("Dark is near 0, bright is near 1.\n")
    saliency = copy / "pages/saliency.py"
    insert(saliency, "compare, map", "brightness, ")
    insert(saliency, '    "Compare": ', written.pop("pages/saliency.py"))

    (copy / "pages/brightness.py").write_text(written.pop("pages/brightness.py"))
    (copy / "pages/_sections/brightness").mkdir()
    (copy / "pages/_sections/brightness/__init__.py").touch()
    (copy / "pages/_sections/brightness/mean.py").write_text(section)
    for kind in ("how", "deeper"):
        (copy / f"assets/text/brightness.{kind}.md").write_text("The mean of all values.\n")
    insert(copy / "pages/_shell/navigation.py", '    Entry("saliency"', written.pop("pages/_shell/navigation.py"))
    insert(copy / "pyproject.toml", "class_models | convolution | feature_maps | home", "brightness | ")

    (copy / "convis_core/models/zoo/resnet34.py").write_text(written.pop("convis_core/models/zoo/resnet34.py"))
    registry = copy / "convis_core/models/registry.py"
    insert(registry, "    resnet50,\n", "    resnet34,\n")
    insert(registry, "    resnet50.NETWORK,\n", written.pop("convis_core/models/registry.py"))
    assert [name for name in written if name.startswith(("pages", "convis_core/models"))] == []
    return copy


def test_what_was_added_works(copy: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=copy, timeout=300)
    assert done.returncode == 0, done.stderr
    answers = json.loads((copy / "answers.json").read_text())
    for name in ("page", "section"):
        assert any(words.startswith("#### The mean of the picture is **0.") for words in answers[name])
        assert "Dark is near 0, bright is near 1." in answers[name]
    assert "The mean of all values." in answers["page"]
    assert answers["parameters"] == 21_797_672
    assert answers["summary"] == "Twice the blocks of ResNet-18, and as easy to train."


def test_what_was_added_passes_the_checks(copy: Path) -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    style = [sys.executable, "-m", "ruff", "check", "--no-cache", *TOUCHED]
    for command in ([str(lint)], style):
        done = subprocess.run(command, capture_output=True, text=True, cwd=copy, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
