"""The notebook runs from top to bottom in one namespace, as a reader would run it, and shows what its text says."""

import ast
import contextlib
import io
import json
import re
from typing import Any

import pytest
from PIL import Image

from tests.packaging.conftest import ROOT

NOTEBOOK = json.loads((ROOT / "notebooks" / "tour.ipynb").read_text(encoding="utf-8"))
CODE = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """Execute a cell as Jupyter does and return the value of its last line, None where that is a statement."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), names)  # noqa: S102
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), names) if last is not None else None  # noqa: S307


@pytest.fixture(scope="module")
def run() -> tuple[dict[str, Any], str, list[Image.Image]]:
    """The variables, the printed text and the pictures after the last cell."""
    names: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        shown = [run_cell(source, names) for source in CODE]
    return names, printed.getvalue(), [value for value in shown if value is not None]


def test_every_section_shows_a_picture_with_something_in_it(run: tuple[dict[str, Any], str, list[Image.Image]]) -> None:
    _, _, pictures = run
    assert len(pictures) == 7
    for picture in pictures:
        assert isinstance(picture, Image.Image) and picture.height >= 200
        assert len(set(picture.resize((32, 32)).convert("L").tobytes())) > 20


def test_the_numbers_are_those_that_the_text_speaks_of(run: tuple[dict[str, Any], str, list[Image.Image]]) -> None:
    names, printed, _ = run
    assert names["answer"].tolist() == [[0, 30, 30, 0]] * 4
    assert re.search(r"^ *9\d\.\d%  espresso$", printed, flags=re.MULTILINE)
    assert names["target"] == 967
    drop = names["drop"]
    assert drop[40:110, 70:150].mean() > 4 * drop[150:, :].mean() > 0  # the coffee, and what lies before the cup
    mask = names["cut"].mask
    assert mask[110:130, 280:330].float().mean() > 0.9 and mask[300:, :].float().mean() < 0.01
    assert names["model"].categories[340] == "zebra" and names["frame"].best.probability > 0.5


def test_it_needs_the_core_alone(run: tuple[dict[str, Any], str, list[Image.Image]]) -> None:
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for source in CODE
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {name.partition(".")[0] for name in imported} == {"convis_core", "torch", "PIL"}


def test_the_file_is_a_notebook_without_outputs() -> None:
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    cells = NOTEBOOK["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in cells:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
