"""``convis weights``: fetching weights for an offline workshop, and listing what is here."""

import hashlib
import io
import runpy
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from convis_core.cli import weights as cli
from convis_core.models import weights
from convis_core.models.registry import get_spec
from convis_core.models.spec import ModelSpec, WeightsSource

EMBEDDED = get_spec("efficientnet_lite0")
CONTENT = {"first.pth": bytes(range(256)) * 400, "second.pth": bytes(range(255)) * 100}


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def registry(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, ModelSpec]:
    """Two networks whose weights are small files, one whose weights the server lacks, the embedded one."""

    def network(model_id: str, file_name: str, content: bytes) -> ModelSpec:
        digest = hashlib.sha256(content).hexdigest()[:8]
        source = WeightsSource(f"{address}/{file_name}", file_name, digest, len(content))
        return replace(get_spec("vgg16"), id=model_id, label=model_id.title(), weights=source)

    specs = (
        EMBEDDED,
        network("first", "first.pth", CONTENT["first.pth"]),
        network("absent", "absent.pth", b"nowhere"),
        network("second", "second.pth", CONTENT["second.pth"]),
    )
    by_id = {spec.id: spec for spec in specs}

    def look_up(model_id: str) -> ModelSpec:
        return by_id[model_id] if model_id in by_id else get_spec(model_id)

    monkeypatch.setattr(cli, "MODELS", specs)
    monkeypatch.setattr(cli, "get_spec", look_up)
    for name in ("CONVIS_WEIGHTS_DIR", "CONVIS_WEIGHTS_URL", "TORCH_HUB", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return by_id


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_fetch_downloads_once_and_then_checks(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fetch", "first"]) == 0
    said = capsys.readouterr()
    assert said.out == f"first: fetched, checksum right: {hub / 'first.pth'}\n"
    assert "first  100.0 %  0.1 of 0.1 MB" in said.err
    assert (hub / "first.pth").read_bytes() == CONTENT["first.pth"]

    assert cli.main(["fetch", "first"]) == 0
    said = capsys.readouterr()
    assert said.out == f"first: is here, checksum right: {hub / 'first.pth'}\n"
    assert said.err == ""


def test_fetch_finds_a_file_whose_bytes_have_changed(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub.mkdir(parents=True)
    (hub / "first.pth").write_bytes(bytes(len(CONTENT["first.pth"])))
    assert cli.main(["fetch", "first"]) == 1
    assert f"first: {hub / 'first.pth'} is damaged or another file: its checksum begins with" in capsys.readouterr().err


def test_fetch_goes_on_after_a_failure_and_reports_it(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fetch", "absent", "second"]) == 1
    said = capsys.readouterr()
    assert "absent: absent.pth could not be downloaded" in said.err
    assert "does not have it (HTTP 404)" in said.err
    assert "CONVIS_WEIGHTS_DIR" in said.err
    assert "second: fetched" in said.out
    assert names(hub) == ["second.pth"]


def test_fetch_of_an_unknown_network_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fetch", "vgg61"]) == 1
    assert "no network called 'vgg61'; choose one of efficientnet_lite0, vgg16" in capsys.readouterr().err


def test_fetch_all_fetches_what_can_be_had(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fetch", "--all"]) == 1
    said = capsys.readouterr()
    assert [line.partition(":")[0] for line in said.out.splitlines()] == [
        "efficientnet_lite0",
        "first",
        "second",
    ]
    assert names(hub) == ["first.pth", "second.pth"]


def test_fetch_into_a_folder_looks_nowhere_else(own: Path, hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub.mkdir(parents=True)
    (hub / "first.pth").write_bytes(CONTENT["first.pth"])
    assert cli.main(["fetch", "first", "--directory", str(own)]) == 0
    said = capsys.readouterr().out
    assert f"first: fetched, checksum right: {own / 'first.pth'}" in said
    assert f"export CONVIS_WEIGHTS_DIR={own}" in said
    assert cli.main(["fetch", "first", "--directory", str(own)]) == 0
    assert "first: is here" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["fetch"], ["fetch", "first", "--all"], ["remove", "first"]])
def test_a_wrong_command_line_shows_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert "usage: convis weights" in capsys.readouterr().err


def test_a_terminal_sees_one_line_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert cli.main(["fetch", "first"]) == 0
    said = terminal.getvalue()
    assert said.startswith("\rfirst")
    assert said.count("\n") == 1
    assert "100.0 %" in said.rpartition("\r")[2]


def test_an_interrupted_fetch_says_that_it_can_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(weights, "download", interrupt)
    assert cli.main(["fetch", "first"]) == 130
    assert "the next fetch goes on from here" in capsys.readouterr().err


def test_the_rate_leaves_out_what_was_here_before() -> None:
    progress = weights.DownloadProgress(done_bytes=90_000_000, total_bytes=120_000_000, resumed_bytes=60_000_000)
    assert cli._progress_line("vgg16", progress, 10.0) == "vgg16   75.0 %  90.0 of 120.0 MB  3.0 MB/s"


def test_list_says_where_each_one_is(
    own: Path, hub: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONVIS_WEIGHTS_DIR", str(own))
    for folder, name in ((own, "first.pth"), (hub, "second.pth")):
        folder.mkdir(parents=True)
        (folder / name).write_bytes(CONTENT[name])
    assert cli.main(["list"]) == 0
    said = capsys.readouterr()
    rows = dict(line.split(maxsplit=1) for line in said.out.splitlines() if line)
    assert "18.8 MB  comes with Convis: " in rows["efficientnet_lite0"]
    assert rows["first"].split() == ["First", "0.1", "MB", str(own / "first.pth")]
    assert rows["second"].split() == ["Second", "0.0", "MB", str(hub / "second.pth")]
    assert rows["absent"].endswith("not here")
    assert said.out.endswith(f"Downloads go to {own}\n")
    assert said.err == ""


def test_list_explains_a_damaged_file_and_shows_the_rest(
    own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONVIS_WEIGHTS_DIR", str(own))
    own.mkdir()
    (own / "first.pth").write_bytes(b"half")
    assert cli.main(["list"]) == 0
    said = capsys.readouterr()
    rows = dict(line.split(maxsplit=1) for line in said.out.splitlines() if line)
    assert rows["first"].endswith("unusable, see below")
    assert rows["second"].endswith("not here")
    assert f"first: {own / 'first.pth'} is damaged or another file: it has 4 bytes" in said.err


def test_the_module_runs_as_a_command_and_shows_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONVIS_WEIGHTS_URL", "http://127.0.0.1:9/models")  # where nobody listens
    monkeypatch.setenv("CONVIS_WEIGHTS_DIR", str(tmp_path / "own"))
    monkeypatch.setattr(sys, "argv", ["python -m convis_core", "weights", "fetch", "squeezenet1_1"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("convis_core", run_name="__main__")
    said = capsys.readouterr()
    assert stop.value.code == 1
    assert said.out == ""
    assert said.err.startswith("squeezenet1_1: squeezenet1_1-b8a52dc0.pth could not be downloaded: 127.0.0.1:9 ref")
    assert len(said.err.splitlines()) == 1
    assert names(tmp_path / "own") == []


def test_a_folder_of_an_unknown_user_is_named_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONVIS_WEIGHTS_DIR", "~nosuch")
    for arguments in (["list"], ["fetch", "first"]):
        assert cli.main(arguments) == 1
        assert capsys.readouterr().err.count("CONVIS_WEIGHTS_DIR is '~nosuch', but this machine has no such user") == 1
