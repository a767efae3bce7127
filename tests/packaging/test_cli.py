"""The command ``convis``, up to the point where Streamlit takes over."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from convis_core import cli
from tests.packaging.conftest import ROOT


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], Path]]:
    """The commands that would have been started, and in which folder."""
    seen: list[tuple[list[str], Path]] = []

    def start(command: list[str], cwd: Path, check: bool) -> SimpleNamespace:
        seen.append((command, cwd))
        return SimpleNamespace(returncode=7)

    monkeypatch.setattr(subprocess, "run", start)
    return seen


def checkout(folder: Path) -> Path:
    (folder / "pages" / "_shell").mkdir(parents=True)
    (folder / "dashboard.py").touch()
    return folder


def test_run_starts_streamlit_in_the_checkout_of_the_package(
    started: list[tuple[list[str], Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", "--port", "8600"]) == 7
    script = str(ROOT / "dashboard.py")
    assert started == [([sys.executable, "-m", "streamlit", "run", script, "--server.port", "8600"], ROOT)]


def test_run_prefers_the_dashboard_of_the_current_folder(
    started: list[tuple[list[str], Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout(tmp_path))
    cli.main(["run"])
    ((command, folder),) = started
    assert folder == tmp_path and command[4:] == [str(tmp_path / "dashboard.py"), "--server.port", "8501"]


def test_run_takes_no_dashboard_of_another_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dashboard.py").touch()
    monkeypatch.chdir(tmp_path)
    assert cli.find_dashboard() == ROOT / "dashboard.py"


def test_run_ends_quietly_when_it_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", interrupt)
    assert cli.main(["run"]) == 130


def test_weights_are_those_of_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["weights", "list"]) == 0
    assert "efficientnet_lite0" in capsys.readouterr().out
    assert cli.main(["weights", "fetch", "vgg61"]) == 1
    assert "no network called 'vgg61'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["walk"], ["run", "--port", "high"], ["weights"], ["weights", "drop"]])
def test_a_wrong_command_line_shows_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert "usage: " in capsys.readouterr().err


def test_the_package_runs_as_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "convis_core", "--version"], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.stdout == "convis 0.2.0\n"
