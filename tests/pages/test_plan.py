"""The plan of the pages, as their sources show it: thin pages, sections that draw, one place that knows the address."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

from pages._shell import navigation
from pages._shell.context import Context

FOLDER = Path(__file__).resolve().parents[2] / "pages"
PAGES = sorted(FOLDER.glob("*.py"))
SECTIONS = sorted(FOLDER.glob("_sections/**/*.py"))
SHELL = sorted(FOLDER.glob("_shell/*.py"))


def name(path: Path) -> str:
    return path.relative_to(FOLDER).as_posix()


def imported(tree: ast.Module) -> set[str]:
    found = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return found | {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}


def drawn(page: Path) -> list[tuple[str, str]]:
    """The sections of a page: (folder, module) of every ``module.draw`` that it names."""
    nodes = ast.walk(ast.parse(page.read_text("utf-8")))
    return [
        (page.stem, node.value.id)
        for node in nodes
        if isinstance(node, ast.Attribute) and node.attr == "draw" and isinstance(node.value, ast.Name)
    ]


def test_every_page_of_the_navigation_is_looked_at():
    assert {path.stem for path in PAGES} == {entry.name for entry in (navigation.HOME, *navigation.PAGES)}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_is_header_sections_and_texts(page):
    tree = ast.parse(page.read_text("utf-8"))
    assert all(module.startswith(("pages._sections", "pages._shell")) for module in imported(tree))
    does = (ast.BinOp, ast.AugAssign, ast.Compare, ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.If, ast.Try)
    assert not [type(node).__name__ for node in ast.walk(tree) if isinstance(node, does)]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_section_is_drawn_from_the_context_alone(page):
    sections = drawn(page)
    assert sections
    for folder, module in sections:
        (parameter,) = inspect.signature(import_module(f"pages._sections.{folder}.{module}").draw).parameters.values()
        assert parameter.annotation is Context


@pytest.mark.parametrize(
    "source",
    [path for path in (*PAGES, *SECTIONS, *SHELL) if path.name != "controls.py" or "_shell" not in path.parts],
    ids=name,
)
def test_nobody_else_binds_a_widget_to_the_address(source):
    calls = [node for node in ast.walk(ast.parse(source.read_text("utf-8"))) if isinstance(node, ast.Call)]
    named = {keyword.arg for call in calls for keyword in call.keywords}
    assert not named & {"bind", "persist_state"}
    assert "query-params" not in source.read_text("utf-8")


@pytest.mark.parametrize("source", SECTIONS, ids=name)
def test_a_refusal_is_shown_by_the_one_function_that_quotes(source):
    calls = [node.func for node in ast.walk(ast.parse(source.read_text("utf-8"))) if isinstance(node, ast.Call)]
    assert not [func for func in calls if isinstance(func, ast.Attribute) and func.attr in ("error", "exception")]
