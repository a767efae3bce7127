"""README.md promises what there is."""

import re
from pathlib import Path
from typing import Any

import pytest

from convis_core import images
from tests.packaging.conftest import ROOT

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [content for name, content in fenced if name == language]


def mapped() -> list[str]:
    """The paths in the map of the code, each with the folders above it."""
    paths: list[str] = []
    above: list[str] = []
    for line in blocks("")[0].splitlines():
        place = re.match(r"( {0,2})(\S+)  ", line)
        if place is None:
            continue
        above = [*above[: len(place[1]) // 2], place[2]]
        paths.append("".join(above))
    return paths


def test_the_example_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cat.jpg").write_bytes(images.sample_bytes("chelsea"))
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("python")
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102
    assert names["frame"].done == names["frame"].total
    assert names["drop"].shape == names["saliency"].shape == (224, 224)


def test_the_map_names_every_part_of_the_code_and_nothing_else() -> None:
    paths = mapped()
    assert [path for path in paths if not (ROOT / path).exists()] == []
    core = {
        path.name + ("/" if path.is_dir() else "")
        for path in (ROOT / "convis_core").iterdir()
        if (path.is_dir() or path.suffix == ".py") and not path.name.startswith("__")
    }
    assert core == {path.removeprefix("convis_core/") for path in paths if path.startswith("convis_core/")} - {""}


def test_the_targets_of_make_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    documents = README + (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", documents, re.MULTILINE))
    assert {"run", "test", "test-fast", "check", "bench"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_page_is_in_the_table() -> None:
    titles = re.findall(r"^\| ([A-Z][a-z ]+) \| ", README, re.MULTILINE)
    scripts = {path.stem for path in (ROOT / "pages").glob("*.py")}
    assert {title.lower().replace(" ", "_") for title in titles} - {"page", "variable"} == scripts


def test_the_variables_are_read_by_the_code() -> None:
    code = "".join(path.read_text() for path in (ROOT / "convis_core").rglob("*.py"))
    names = re.findall(r"^\| `(CONVIS_\w+)` \|", README, re.MULTILINE)
    assert len(names) == 4
    assert [name for name in names if f'"{name}"' not in code] == []
