"""Every public function of the core opens with one sentence, and what its packages export is shown by example."""

import doctest
import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType
from typing import Any

import pytest

import convis_core

WITHOUT_EXAMPLES = ("convis_core.engines", "convis_core.figures")
"""Figures are looked at, and engines are the inner workings of what has examples itself."""

SENTENCE = re.compile(r"[^a-z].*[^.]\.", re.DOTALL)
SECOND_SENTENCE = re.compile(r"(?<!et al)[.!?] +[A-Z]")


@cache
def modules() -> tuple[ModuleType, ...]:
    names = (info.name for info in walk_packages(convis_core.__path__, "convis_core."))
    return tuple(import_module(name) for name in names if not name.endswith("__main__"))


def is_function(value: object) -> bool:
    return callable(value) and inspect.isfunction(inspect.unwrap(value))


def defined(module: ModuleType) -> Iterator[Callable[..., Any]]:
    """The public functions that a module defines, those behind a memo among them."""
    for name, value in vars(module).items():
        if not name.startswith("_") and is_function(value) and value.__module__ == module.__name__:
            yield value


def exported(module: ModuleType) -> Iterator[Callable[..., Any]]:
    """The functions that a package names in ``__all__``; of a subject in a single file, all that it defines."""
    if hasattr(module, "__path__"):
        yield from filter(is_function, (getattr(module, name) for name in getattr(module, "__all__", ())))
    elif module.__name__.count(".") == 1:
        yield from defined(module)


def title(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def examples(function: Callable[..., Any]) -> list[doctest.Example]:
    return doctest.DocTestParser().get_examples(inspect.getdoc(function) or "")


def shown() -> dict[str, Callable[..., Any]]:
    """The functions that owe their reader an example, by name."""
    functions = {title(function): function for module in modules() for function in exported(module)}
    return {name: function for name, function in functions.items() if not name.startswith(WITHOUT_EXAMPLES)}


def first_line_is_a_sentence(docstring: str) -> bool:
    line = docstring.strip().partition("\n")[0]
    return bool(SENTENCE.fullmatch(line)) and not SECOND_SENTENCE.search(line)


def test_the_core_has_functions_to_check() -> None:
    assert {"convis_core.network.predict.predict", "convis_core.segmentation.grabcut"} <= set(shown())
    assert "convis_core.network.trace.trace" in shown(), "functions behind a memo are functions too"
    assert len(shown()) > 100


def test_every_public_function_is_explained_in_one_sentence() -> None:
    functions = {title(function): function for module in modules() for function in defined(module)}
    missing = [name for name, each in functions.items() if not first_line_is_a_sentence(inspect.getdoc(each) or "")]
    assert not missing, f"the first line of these docstrings is not one sentence: {', '.join(sorted(missing))}"


def test_every_exported_function_has_an_example() -> None:
    missing = [name for name, function in shown().items() if not examples(function)]
    assert not missing, f"these docstrings have no example (>>> ...): {', '.join(sorted(missing))}"


def test_no_example_goes_without_a_result() -> None:
    empty = [
        title(function)
        for module in modules()
        for function in defined(module)
        if (steps := examples(function)) and not any(step.want or step.exc_msg for step in steps)
    ]
    assert not empty, f"these examples show nothing and cannot fail: {', '.join(sorted(empty))}"


def test_doctest_finds_every_example() -> None:
    finder = doctest.DocTestFinder()
    collected = {each.name for module in modules() for each in finder.find(module) if each.examples}
    written = {title(function) for module in modules() for function in defined(module) if examples(function)}
    assert written <= collected, f"doctest passes over these examples: {', '.join(sorted(written - collected))}"


@pytest.mark.parametrize(
    ("docstring", "is_one"),
    [
        ("The mean of a map.", True),
        ("Weights of the zoo, see Deng et al. ImageNet.", True),
        ("The mean of a map", False),
        ("The mean of a map. Computed once.", False),
        ("the mean of a map.", False),
        ("The mean of a map, which\ngoes on.", False),
        ("", False),
    ],
)
def test_what_counts_as_one_sentence(docstring: str, is_one: bool) -> None:
    assert first_line_is_a_sentence(docstring) is is_one
