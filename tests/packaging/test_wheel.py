"""The wheel holds the core and nothing else, and a downloaded recipe runs where nothing but the wheel is installed."""

import zipfile
from pathlib import Path

from convis_core import CORE_VERSION, export
from convis_core.results import SmoothGradSpec
from tests.packaging.conftest import ROOT, Environment

RECIPE = export.Recipe(
    "efficientnet_lite0", "chelsea", "attribution.smoothgrad", 282, SmoothGradSpec(n_samples=4)
).as_python()

WRITE_BITS = """
import pathlib, runpy
result = runpy.run_path("recipe.py")["result"]
pathlib.Path("values.bin").write_bytes(result.values.numpy().tobytes())
import convis_core
print(convis_core.__file__)
from convis_core import architecture, attribution, class_models, images, models, network, occlusion
from convis_core import convolution, export, feature_maps, figures, results, segmentation
from convis_core.figures import render, style
"""


def test_the_wheel_holds_every_file_of_the_core_and_no_other(wheel: Path) -> None:
    core = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "convis_core").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert "convis_core/models/imagenet_synsets.txt" in names
    assert names == core


def test_a_recipe_gives_the_same_bits_where_only_the_wheel_is_installed(
    environment: Environment, tmp_path: Path
) -> None:
    (tmp_path / "recipe.py").write_text(RECIPE)
    done = environment.run("python", "-I", "-c", WRITE_BITS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(environment.site_packages)

    names: dict[str, object] = {}
    exec(RECIPE, names)  # noqa: S102
    here = names["result"].values.numpy()  # type: ignore[attr-defined]
    assert here.any()
    assert (tmp_path / "values.bin").read_bytes() == here.tobytes()


def test_the_environment_of_these_tests_has_no_dashboard_and_no_streamlit(
    environment: Environment, tmp_path: Path
) -> None:
    for name in ("streamlit", "pages", "tests"):
        done = environment.run("python", "-I", "-c", f"import {name}", cwd=tmp_path)
        assert f"No module named '{name}'" in done.stderr


def test_importing_the_package_alone_imports_no_other(environment: Environment, tmp_path: Path) -> None:
    program = "import sys\nbefore = set(sys.modules)\nimport convis_core\nprint(*sorted(set(sys.modules) - before))\n"
    done = environment.run("python", "-I", "-c", program, cwd=tmp_path)
    assert done.stdout.split() == ["convis_core", "convis_core.errors"], done.stderr


def test_the_command_comes_with_the_wheel(environment: Environment, tmp_path: Path) -> None:
    assert environment.run("convis", "--version", cwd=tmp_path).stdout == f"convis {CORE_VERSION}\n"


def test_the_command_says_where_the_dashboard_is_to_be_had(environment: Environment, tmp_path: Path) -> None:
    done = environment.run("convis", "run", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The dashboard is not part of the installed package.")
    assert len(done.stderr.splitlines()) == 1


def test_the_command_says_that_streamlit_is_missing(environment: Environment) -> None:
    done = environment.run("convis", "run", cwd=ROOT)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The dashboard needs Streamlit, which is not installed. Install it with: ")
    assert str(ROOT / "requirements.txt") in done.stderr
