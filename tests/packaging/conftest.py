"""The wheel of this checkout, and an environment in which nothing else of the checkout can be imported."""

import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ABSENT = ("convis", "streamlit")
"""What must not be found beside the wheel: this checkout, were it installed, and Streamlit."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment with the wheel and the third-party packages."""

    folder: Path

    @property
    def scripts(self) -> Path:
        return self.folder / ("Scripts" if sys.platform == "win32" else "bin")

    @property
    def site_packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.folder), "platbase": str(self.folder)}))

    def run(self, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a script of the environment, such as ``python``, and return what it said."""
        program, *arguments = command
        return subprocess.run(
            [str(self.scripts / program), *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=cwd,
            check=False,
        )


def pip(*arguments: str) -> None:
    """Run pip without a network."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, since setuptools writes into the folder that it builds."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "dashboard.py"):
        shutil.copy(ROOT / name, source)
    for name in ("convis_core", "pages", "assets", "benchmarks"):  # the last three must not get in
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(source))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel alone beside the third-party packages of the environment in which the tests run."""
    fresh = Environment(tmp_path_factory.mktemp("fresh"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(fresh.folder)], check=True, timeout=300)
    third_party = fresh.folder / "third_party"
    third_party.mkdir()
    for installed in {Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("platlib"))}:
        for path in installed.iterdir():
            if not path.name.startswith(("__editable__", *ABSENT)) and path.suffix != ".pth":
                (third_party / path.name).symlink_to(path)
    (fresh.site_packages / "third_party.pth").write_text(f"{third_party}\n")
    pip("--python", str(fresh.scripts / "python"), "install", "--no-deps", "--no-index", str(wheel))
    return fresh
