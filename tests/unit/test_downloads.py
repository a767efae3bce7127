"""Downloads: how one survives a bad network, goes on where another stopped, and never leaves a wrong file."""

import errno
import hashlib
import multiprocessing
import os
import pickle
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from convis_core.errors import WeightsError
from convis_core.models import http_stream, transfer, weights
from convis_core.models.spec import WeightsSource
from tests.unit.loopback import (
    FILE_NAME,
    Behaviour,
    LoopbackServer,
    answering_another_range,
    corrupted,
    cut_in_a_chunk,
    cut_midway,
    cut_without_length,
    far_too_long,
    hesitating,
    ignoring_range,
    login_page,
    moved,
    refusing_range,
    silent,
    slowly,
    stalling,
    status,
    trickling,
    whole,
    without_length,
)
from tests.unit.permissions import needs_permissions, nobody

STATE = {
    "features.0.weight": torch.arange(65_536, dtype=torch.float32).reshape(64, 1024) / 7,
    "features.0.bias": torch.linspace(-1, 1, 64),
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("made") / "state.pth"
    torch.save(STATE, path)
    return path.read_bytes()


@pytest.fixture
def server(checkpoint: bytes) -> Iterator[LoopbackServer]:
    server = LoopbackServer(checkpoint)
    # A short poll, or every shutdown would take half a second.
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutting_down.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def source(server: LoopbackServer, checkpoint: bytes) -> WeightsSource:
    return WeightsSource(server.url, FILE_NAME, hashlib.sha256(checkpoint).hexdigest()[:8], len(checkpoint))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own"


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine's own reaches a test, no proxy stands before the server, and frames come often."""
    proxies = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
    for name in ("CONVIS_WEIGHTS_DIR", "CONVIS_WEIGHTS_URL", "TORCH_HUB", *proxies):
        monkeypatch.delenv(name, raising=False)
    for module in (http_stream, transfer):
        monkeypatch.setattr(module, "FRAME_SECONDS", 0.02)
    monkeypatch.setattr(transfer, "_TURN_SECONDS", 0.01)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def put(directory: Path, content: bytes) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / FILE_NAME
    path.write_bytes(content)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def bring(source: WeightsSource, directory: Path, timeout: float = 5.0) -> list[weights.DownloadProgress]:
    return list(weights.download(source, directory=directory, timeout=timeout))


def assert_here(path: Path, checkpoint: bytes) -> None:
    """The file is whole, and nothing else was left beside it."""
    assert path.read_bytes() == checkpoint
    assert names(path.parent) == [path.name]


def part_of(own: Path) -> Path:
    return own / f"{FILE_NAME}.part"


def lock_of(own: Path) -> Path:
    return own / f"{FILE_NAME}.lock"


def forked(act: Callable[[], None]) -> multiprocessing.process.BaseProcess:
    """A process of its own that does something, started."""
    process = multiprocessing.get_context("fork").Process(target=act)
    process.start()
    return process


def leave_part(own: Path, content: bytes) -> None:
    own.mkdir(parents=True, exist_ok=True)
    part_of(own).write_bytes(content)


# Downloads that go well


@pytest.mark.parametrize("behaviour", [whole, slowly, without_length, moved])
def test_download_brings_the_file(
    behaviour: Behaviour, server: LoopbackServer, source: WeightsSource, own: Path, checkpoint: bytes
) -> None:
    server.behaviours = [behaviour]
    frames = bring(source, own)
    assert_here(own / FILE_NAME, checkpoint)
    assert [frame.path for frame in frames] == [None] * (len(frames) - 1) + [own / FILE_NAME]
    assert [frame.done for frame in frames] == sorted(frame.done_bytes for frame in frames)
    assert frames[-1].done == len(checkpoint)
    assert {frame.total for frame in frames} == {frame.total_bytes for frame in frames} == {len(checkpoint)}
    assert pickle.loads(pickle.dumps(frames[-1])) == frames[-1]


def test_progress_is_seen_on_the_way(server: LoopbackServer, source: WeightsSource, own: Path) -> None:
    server.behaviours = [slowly]
    done = {frame.done for frame in bring(source, own)}
    assert len([bytes_ for bytes_ in done if 0 < bytes_ < source.size_bytes]) >= 2


def test_the_size_the_server_tells_replaces_the_rounded_one(
    source: WeightsSource, own: Path, checkpoint: bytes
) -> None:
    frames = bring(replace(source, size_bytes=len(checkpoint) - 700), own)
    # Before the server has answered, which it may do late, nobody can know better.
    assert {frame.total for frame in frames if frame.done} == {len(checkpoint)}


def test_default_directory_is_the_users_own_else_the_hubs(
    source: WeightsSource, own: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(weights.download(source))[-1].path == hub / FILE_NAME
    monkeypatch.setenv("CONVIS_WEIGHTS_DIR", str(own))
    assert list(weights.download(source))[-1].path == own / FILE_NAME


def test_a_mirror_replaces_the_folder_of_the_address(
    server: LoopbackServer,
    source: WeightsSource,
    own: Path,
    checkpoint: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONVIS_WEIGHTS_URL", server.url.replace(f"models/{FILE_NAME}", "mirror/of/ours/"))
    bring(replace(source, url=f"https://unreachable.invalid/models/{FILE_NAME}"), own)
    assert_here(own / FILE_NAME, checkpoint)
    assert server.paths == [f"/mirror/of/ours/{FILE_NAME}"]


# Downloads that go wrong: the message, what is left, and the next attempt

FAILURES: list[tuple[Behaviour, str]] = [
    (cut_midway, "ended the connection after"),
    (cut_in_a_chunk, "broke the connection off"),
    (cut_without_length, "it has 1,000 bytes and another checksum"),
    (corrupted, "another checksum"),
    (login_page, "login page"),
    (far_too_long, "more than"),
    (stalling, "stalled"),
    (silent, "stalled"),
    (trickling, "stalled"),
    (status(401), "refuses to give it (HTTP 401)"),
    (status(403), "refuses to give it (HTTP 403)"),
    (status(404), "does not have it (HTTP 404)"),
    (status(418), "answered with HTTP 418"),
    (status(429), "too many requests"),
    (status(500), "out of order at the moment (HTTP 500)"),
    (status(503), "out of order at the moment (HTTP 503)"),
]


@pytest.mark.parametrize(("behaviour", "cause"), FAILURES)
def test_a_failed_download_says_why_and_the_next_one_works(
    behaviour: Behaviour,
    cause: str,
    server: LoopbackServer,
    source: WeightsSource,
    own: Path,
    checkpoint: bytes,
) -> None:
    server.behaviours = [behaviour, whole]
    began = time.monotonic()
    with pytest.raises(WeightsError) as failure:
        # Short for those who stall, long for those who answer: a busy machine is no stalling server.
        bring(source, own, timeout=0.5 if cause == "stalled" else 3)
    assert time.monotonic() - began < 4
    message = str(failure.value)
    assert cause in message
    assert FILE_NAME in message
    assert f"127.0.0.1:{server.server_address[1]}" in message
    assert "Try again" in message
    assert "CONVIS_WEIGHTS_DIR" in message
    assert set(names(own)) <= {part_of(own).name}
    assert weights.find(source, directory=own) is None

    assert bring(source, own)[-1].path == own / FILE_NAME
    assert_here(own / FILE_NAME, checkpoint)
    torch.testing.assert_close(weights.read_state_dict(own / FILE_NAME), STATE)


@pytest.mark.parametrize("behaviour", [corrupted, login_page, cut_without_length, far_too_long])
def test_wrong_content_is_deleted(
    behaviour: Behaviour, server: LoopbackServer, source: WeightsSource, own: Path
) -> None:
    server.behaviours = [behaviour]
    with pytest.raises(WeightsError, match="It was deleted"):
        bring(source, own)
    assert names(own) == []


def test_a_closed_port_says_so_and_the_next_one_works(
    server: LoopbackServer, source: WeightsSource, own: Path, checkpoint: bytes
) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
        with pytest.raises(WeightsError, match=rf"{address} refused the connection.*CONVIS_WEIGHTS_DIR"):
            bring(replace(source, url=f"http://{address}/{FILE_NAME}"), own)
    assert names(own) == []
    bring(source, own)
    assert_here(own / FILE_NAME, checkpoint)


def test_a_name_that_does_not_resolve_says_so(
    source: WeightsSource, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_resolver(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_resolver)
    with pytest.raises(WeightsError, match=r"unreachable.invalid cannot be resolved.*may be no network"):
        bring(replace(source, url=f"http://unreachable.invalid/{FILE_NAME}"), own)
    assert names(own) == []


def test_a_server_without_encryption_is_not_taken_for_a_secure_one(source: WeightsSource, own: Path) -> None:
    with pytest.raises(WeightsError, match=r"no secure connection to 127.0.0.1"):
        bring(replace(source, url=source.url.replace("http:", "https:")), own)
    assert names(own) == []


@pytest.mark.parametrize("host", ["a" * 70, "127.0.0.1:port", "[::1"])
def test_an_impossible_host_is_a_weights_error(host: str, source: WeightsSource, own: Path) -> None:
    with pytest.raises(WeightsError):
        bring(replace(source, url=f"http://{host}/{FILE_NAME}"), own)


def test_a_proxy_that_is_not_there_says_so(source: WeightsSource, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{reserved.getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(WeightsError, match="refused the connection"):
            bring(source, own)


@pytest.mark.parametrize("mirror", ["file:///etc", "ftp://127.0.0.1/models", "/somewhere", "http://"])
def test_only_http_addresses(mirror: str, source: WeightsSource, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVIS_WEIGHTS_URL", mirror)
    with pytest.raises(WeightsError, match="not an http or https address; mend CONVIS_WEIGHTS_URL"):
        bring(source, own)
    assert not own.exists()


def test_a_folder_that_cannot_be_made_says_so(source: WeightsSource, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WeightsError, match=r"cannot be written to .*file.inside: .*CONVIS_WEIGHTS_DIR"):
        bring(source, tmp_path / "file" / "inside")


@needs_permissions
def test_a_folder_that_may_not_be_written_says_so(source: WeightsSource) -> None:
    with tempfile.TemporaryDirectory() as above:
        folder = Path(above) / "read only"
        folder.mkdir()
        for path, mode in ((Path(above), 0o755), (folder, 0o555)):
            path.chmod(mode)
        with nobody(), pytest.raises(WeightsError, match=r"cannot be written to .*: Permission denied.*CONVIS_WEIGHTS"):
            bring(source, folder)
        assert names(folder) == []


def test_a_file_in_place_of_the_folder_says_so(source: WeightsSource, own: Path) -> None:
    own.write_text("not a folder")
    with pytest.raises(WeightsError, match=rf"cannot be written to {own}: it is a file, not a folder\. "):
        bring(source, own)


def test_too_little_room_is_told_before_anything_is_asked(
    server: LoopbackServer, source: WeightsSource, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=source.size_bytes - 1))
    with pytest.raises(WeightsError, match=r"needs 0.3 MB more, and 0.3 MB are free.*Make room"):
        bring(source, own)
    assert server.ranges == []
    leave_part(own, server.content[:5000])
    bring(source, own)


def test_a_disk_that_fills_up_says_so_and_is_relieved(source: WeightsSource, own: Path, checkpoint: bytes) -> None:
    resource = pytest.importorskip("resource", reason="no limit on file sizes to run into")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(WeightsError, match=rf"{os.strerror(errno.EFBIG)}.*Make room"):
            bring(source, own)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(own) == []
    bring(source, own)
    assert_here(own / FILE_NAME, checkpoint)


def test_a_disk_without_space_says_so_and_is_relieved(
    source: WeightsSource, own: Path, checkpoint: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", no_space)
        with pytest.raises(WeightsError, match=rf"cannot be written to .*: {os.strerror(errno.ENOSPC)}\. Make room"):
            bring(source, own)
    assert names(own) == []
    bring(source, own)
    assert_here(own / FILE_NAME, checkpoint)


# Going on where an earlier attempt stopped


def test_an_interrupted_download_asks_only_for_the_rest(
    server: LoopbackServer, source: WeightsSource, own: Path, checkpoint: bytes
) -> None:
    server.behaviours = [cut_midway, whole]
    with pytest.raises(WeightsError, match=r"The 0.1 MB that came are kept for the next attempt"):
        bring(source, own)
    half = len(checkpoint) // 2
    assert part_of(own).read_bytes() == checkpoint[:half]
    frames = bring(source, own)
    assert_here(own / FILE_NAME, checkpoint)
    assert server.ranges == [None, f"bytes={half}-"]
    assert server.sent_bytes == [half, len(checkpoint) - half]
    assert {frame.resumed_bytes for frame in frames} == {half}


@pytest.mark.parametrize("behaviour", [ignoring_range, answering_another_range, refusing_range])
def test_a_server_that_cannot_resume_begins_again(
    behaviour: Behaviour, server: LoopbackServer, source: WeightsSource, own: Path, checkpoint: bytes
) -> None:
    server.behaviours = [behaviour]
    leave_part(own, checkpoint[:7777])
    assert bring(source, own)[-1].resumed_bytes == 0
    assert_here(own / FILE_NAME, checkpoint)
    assert server.ranges[0] == "bytes=7777-"


@pytest.mark.parametrize("length", [1, 5000, 1_000_000])
def test_a_part_of_something_else_is_thrown_away_and_begun_again(
    length: int, server: LoopbackServer, source: WeightsSource, own: Path, checkpoint: bytes
) -> None:
    leave_part(own, b"?" * length)
    bring(source, own)
    assert_here(own / FILE_NAME, checkpoint)
    assert server.sent_bytes[-1] == len(checkpoint)


def test_a_part_of_something_else_is_begun_again_only_once(
    server: LoopbackServer, source: WeightsSource, own: Path
) -> None:
    server.behaviours = [corrupted]
    leave_part(own, b"?" * 5000)
    with pytest.raises(WeightsError, match="It was deleted"):
        bring(source, own)
    assert len(server.ranges) <= 2
    assert names(own) == []


def test_a_complete_part_needs_no_network(
    server: LoopbackServer, source: WeightsSource, own: Path, checkpoint: bytes
) -> None:
    leave_part(own, checkpoint)
    bring(source, own)
    assert_here(own / FILE_NAME, checkpoint)
    assert server.ranges == []


def test_a_part_survives_a_server_that_is_down(
    server: LoopbackServer, source: WeightsSource, own: Path, checkpoint: bytes
) -> None:
    server.behaviours = [status(503), silent]
    leave_part(own, checkpoint[:7777])
    for _ in range(2):
        with pytest.raises(WeightsError):
            bring(source, own, timeout=0.1)
        assert part_of(own).read_bytes() == checkpoint[:7777]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_the_part_of_a_killed_process_is_continued_at_once(
    server: LoopbackServer, source: WeightsSource, own: Path, checkpoint: bytes
) -> None:
    server.behaviours = [stalling, whole]

    def die_midway() -> None:
        for progress in weights.download(source, directory=own, timeout=30):
            if progress.done >= source.size_bytes // 3:
                os.kill(os.getpid(), signal.SIGKILL)

    killed = forked(die_midway)
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL
    assert names(own) == [lock_of(own).name, part_of(own).name]
    bring(source, own)
    assert_here(own / FILE_NAME, checkpoint)
    assert server.ranges == [None, f"bytes={source.size_bytes // 3}-"]


def test_a_part_that_another_writes_to_is_never_put_in_place(
    server: LoopbackServer, source: WeightsSource, own: Path
) -> None:
    server.behaviours = [slowly]
    frames = weights.download(source, directory=own, timeout=5)
    next(frames)
    with part_of(own).open("ab") as intruder:
        intruder.write(b"?")
    with pytest.raises(WeightsError, match="something else has written to the file"):
        list(frames)
    assert names(own) == []


# Closing, taking turns, and several at once


def test_closing_midway_keeps_what_came_and_ends_the_reading_thread(
    server: LoopbackServer, source: WeightsSource, own: Path, checkpoint: bytes
) -> None:
    server.behaviours = [slowly, whole]
    frames = weights.download(source, directory=own, timeout=5)
    while (reached := next(frames).done) == 0:
        pass
    frames.close()  # type: ignore[attr-defined]
    assert names(own) == [part_of(own).name]
    assert part_of(own).read_bytes() == checkpoint[:reached]
    deadline = time.monotonic() + 5
    while any(thread.name == "convis-download" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    bring(source, own)
    assert_here(own / FILE_NAME, checkpoint)
    assert server.ranges[1] == f"bytes={reached}-"


def test_closing_before_anything_came_leaves_nothing(server: LoopbackServer, source: WeightsSource, own: Path) -> None:
    server.behaviours = [silent]
    frames = weights.download(source, directory=own, timeout=30)
    next(frames)
    frames.close()  # type: ignore[attr-defined]
    assert names(own) == []


@pytest.mark.parametrize("behaviour", [stalling, silent])
def test_a_silent_server_does_not_hold_up_whoever_takes_turns(
    behaviour: Behaviour, server: LoopbackServer, source: WeightsSource, own: Path
) -> None:
    server.behaviours = [behaviour]
    began = time.monotonic()
    frames = weights.download(source, directory=own, timeout=60)
    for _ in range(5):
        assert next(frames).path is None
    frames.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 10


def test_time_spent_elsewhere_is_no_stall(
    server: LoopbackServer, source: WeightsSource, own: Path, checkpoint: bytes
) -> None:
    server.behaviours = [hesitating]
    frames = weights.download(source, directory=own, timeout=0.5)
    next(frames)
    time.sleep(0.8)
    assert list(frames)[-1].path == own / FILE_NAME
    assert_here(own / FILE_NAME, checkpoint)


def test_several_threads_bring_one_file(
    server: LoopbackServer, source: WeightsSource, own: Path, checkpoint: bytes
) -> None:
    server.behaviours = [slowly]
    leave_part(own, checkpoint[:5000])
    start = threading.Barrier(4)

    def attempt(_: int) -> Path | None:
        start.wait()
        return bring(source, own)[-1].path

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(attempt, range(4))) == [own / FILE_NAME] * 4
    assert_here(own / FILE_NAME, checkpoint)
    # Only one of them can have gone on from the part, and the others need not bring it all again.
    assert server.ranges == ["bytes=5000-"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_two_processes_bring_one_file_once(
    server: LoopbackServer, source: WeightsSource, own: Path, checkpoint: bytes
) -> None:
    server.behaviours = [slowly]
    processes = [forked(lambda: bring(source, own) and None) for _ in range(2)]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert_here(own / FILE_NAME, checkpoint)
    assert server.ranges == [None]


def test_a_download_that_waits_for_another_shows_how_far_that_is(
    server: LoopbackServer, source: WeightsSource, own: Path, checkpoint: bytes
) -> None:
    server.behaviours = [stalling, whole]
    first, second = (weights.download(source, directory=own, timeout=5) for _ in range(2))
    while (reached := next(first).done) == 0:
        pass
    seen = next(second)
    assert (seen.done, seen.resumed_bytes, seen.path) == (reached, reached, None)
    first.close()  # type: ignore[attr-defined]
    assert list(second)[-1] == weights.DownloadProgress(len(checkpoint), len(checkpoint), reached, own / FILE_NAME)
    assert server.ranges == [None, f"bytes={reached}-"]


@pytest.mark.parametrize("stopped_first", [True, False])
def test_a_download_stopped_beside_one_that_succeeds_leaves_nothing(
    stopped_first: bool, server: LoopbackServer, source: WeightsSource, own: Path, checkpoint: bytes
) -> None:
    server.behaviours = [stalling, whole]
    stopped = weights.download(source, directory=own, timeout=5)
    while next(stopped).done == 0:
        pass
    succeeding = weights.download(source, directory=own, timeout=0.6)
    next(succeeding)
    if stopped_first:
        stopped.close()  # type: ignore[attr-defined]
        assert part_of(own).exists()
    assert list(succeeding)[-1].path == own / FILE_NAME
    stopped.close()  # type: ignore[attr-defined]
    assert_here(own / FILE_NAME, checkpoint)


def test_two_downloads_take_turns_in_one_thread(
    server: LoopbackServer, source: WeightsSource, own: Path, checkpoint: bytes
) -> None:
    server.behaviours = [slowly]
    waiting = [weights.download(source, directory=own, timeout=5) for _ in range(2)]
    paths = []
    while waiting:
        frames = waiting.pop(0)
        frame = next(frames, None)
        if frame is not None:
            waiting.append(frames)
            paths += [frame.path] if frame.path else []
    assert paths == [own / FILE_NAME] * 2
    assert_here(own / FILE_NAME, checkpoint)


# Found or downloaded


def test_lookup_order_is_own_folder_then_hub_then_download(
    server: LoopbackServer, source: WeightsSource, own: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVIS_WEIGHTS_DIR", str(own))
    assert weights.find(source) is None
    assert weights.obtain(source) == own / FILE_NAME
    assert len(server.ranges) == 1
    put(hub, server.content)
    assert weights.obtain(source) == own / FILE_NAME
    (own / FILE_NAME).unlink()
    assert weights.obtain(source) == hub / FILE_NAME
    assert weights.find(source, directory=own) is None
    assert len(server.ranges) == 1


def test_a_wrong_size_in_the_hubs_cache_is_replaced(
    source: WeightsSource, hub: Path, checkpoint: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = put(hub, checkpoint[:5000])
    assert weights.find(source) is None
    assert f"{path} is damaged" in caplog.text
    assert weights.obtain(source) == path
    assert_here(path, checkpoint)


def test_obtain_passes_the_timeout_on(server: LoopbackServer, source: WeightsSource) -> None:
    server.behaviours = [stalling]
    with pytest.raises(WeightsError, match=r"for 0\.1 seconds"):
        weights.obtain(source, timeout=0.1)
