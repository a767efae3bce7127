"""Following the section "Add a method" of CONTRIBUTING.md to the letter gives a method that every part knows."""

import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

NAME = "squared_gradient"
FILE = f"convis_core/attribution/methods/{NAME}.py"
REGISTRY = "convis_core/attribution/registry.py"
TEST = f"tests/parity/methods/test_{NAME}.py"
TEXT = f"assets/text/methods/{NAME}.md"

PROGRAM = """
import json
import torch
from streamlit.testing.v1 import AppTest
from convis_core import attribution, export, images, models
from pages._sections.saliency import labels

model = models.load("efficientnet_lite0")
x = images.to_tensor(images.sample("chelsea"), model.input_size)
saliency = attribution.saliency(model, x, 282).values
function, spec, options = attribution.recipe_parts("squared_gradient")
script = export.Recipe(model.spec.id, "chelsea", function, 282, spec, options).as_python()
again = {}
exec(script, again)
app = AppTest.from_file("dashboard.py", default_timeout=120)
app.query_params["saliency_method"] = "Squared gradient"
app.switch_page("pages/saliency.py").run()
assert not app.exception, app.exception
json.dump(
    {
        "ids": [info.id for info in attribution.METHODS],
        "attribute": torch.equal(attribution.final(model, x, 282, "squared_gradient").values, saliency.square()),
        "function": torch.equal(attribution.squared_gradient(model, x, 282).values, saliency.square()),
        "script": script,
        "recipe": torch.equal(again["result"].values, saliency.square()),
        "labels": labels.LABELS,
        "options": app.selectbox(key="saliency_method").options,
        "chosen": app.selectbox(key="saliency_method").value,
        "captions": [caption.value for caption in app.caption],
    },
    open("found.json", "w"),
)
"""


def section() -> str:
    """The text of CONTRIBUTING.md from "Add a method" to the next heading."""
    return (ROOT / "CONTRIBUTING.md").read_text().partition("## Add a method\n")[2].partition("\n## ")[0]


def snippets() -> dict[str, str]:
    """File -> what the section has to be written there."""
    blocks = re.findall(r"^ *```(?:python|markdown)\n(.*?)^ *```$", section(), re.MULTILINE | re.DOTALL)
    parted = [textwrap.dedent(block).partition("\n") for block in blocks]
    return {re.sub(r"^# |^<!-- | -->$", "", first): rest for first, _, rest in parted}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code to which the method has been added, by these four steps and no other."""
    copy = tmp_path_factory.mktemp("contributed")
    for name in ("dashboard.py", "pyproject.toml"):
        shutil.copy(ROOT / name, copy)
    for name in ("convis_core", "pages", "assets", "tests/parity"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tests/conftest.py", copy / "tests")
    written = snippets()
    assert set(written) == {FILE, REGISTRY, TEST, TEXT}
    for name in (FILE, TEST, TEXT):
        assert not (copy / name).exists()
        (copy / name).write_text(written[name])
    registry, line = copy / REGISTRY, written[REGISTRY]
    before = '    "input_x_gradient",\n'
    assert line.count("\n") == 1 and registry.read_text().count(before) == 1
    registry.write_text(registry.read_text().replace(before, f"    {line.strip()}\n{before}"))
    return copy


def run(copy: Path, *command: str) -> str:
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=copy, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_part_knows_the_method(copy: Path) -> None:
    run(copy, "-c", PROGRAM)
    found = json.loads((copy / "found.json").read_text())
    assert found["ids"].index(NAME) == found["ids"].index("input_x_gradient") - 1
    assert found["attribute"] and found["function"] and found["recipe"]
    assert "result = attribution.squared_gradient(model, x, 282)" in found["script"]
    assert found["labels"][NAME] == "Squared gradient"
    assert "Squared gradient" in found["options"] and found["chosen"] == NAME
    assert any(
        caption.startswith("The gradient of the class score by every pixel, squared") for caption in found["captions"]
    )


def test_its_test_is_part_of_the_parity_table(copy: Path) -> None:
    table = ("-m", "pytest", "tests/parity/test_attribution.py", "-k", f"efficientnet_lite0-{NAME}-96")
    assert "1 passed" in run(copy, *table)


def test_what_was_added_passes_the_checks(copy: Path) -> None:
    for command in (("check", "--no-cache"), ("format", "--check", "--no-cache")):
        run(copy, "-m", "ruff", *command, FILE, REGISTRY, TEST)
    done = subprocess.run([Path(sys.executable).with_name("lint-imports")], capture_output=True, text=True, cwd=copy)
    assert done.returncode == 0, done.stdout
