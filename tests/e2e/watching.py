"""A server that says what its board and its processor do, and that can be held, for tests of what goes on
behind a page."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# The dashboard, and beside it a thread that says twenty times a second what the board and the processor do.
# While the second file is there, no job gets further than the frame whose number it holds: its turns pass without
# one, so that it can still be stopped.
WATCHED = """
import json, sys, threading, time
from pathlib import Path
from weakref import WeakKeyDictionary
from streamlit.web import cli
from convis_core.runtime.board import Job, shared_board

advance, holding, frames = Job._advance, Path(sys.argv[2]), WeakKeyDictionary()

def advance_unless_held(job):
    try:
        held = frames.get(job, 0) >= int(holding.read_text())
    except FileNotFoundError:
        held = False
    if held:
        return time.sleep(0.02)
    frames[job] = frames.get(job, 0) + 1
    return advance(job)

Job._advance = advance_unless_held

def tell(file):
    board = shared_board()
    while True:
        with board._lock:
            computations = len(board._in_turn) + len(board._queue)
        said = {
            "computations": computations,
            "results": len(board._results),
            "cpu": time.process_time(),
            "clock": time.monotonic(),
        }
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps(said))
        draft.replace(file)
        time.sleep(0.05)

threading.Thread(target=tell, args=(Path(sys.argv[1]),), daemon=True).start()
sys.argv = ["streamlit", "run", "dashboard.py", "--server.port", sys.argv[3]]
cli.main()
"""


@dataclass(frozen=True)
class Watched:
    """A server whose board and processor can be looked at from outside, and whose jobs can be held."""

    address: str
    file: Path
    holding: Path

    @contextmanager
    def held(self, frames: int) -> Iterator[None]:
        """Within the block no job gets further than so many frames, however fast the machine is."""
        draft = self.holding.with_suffix(".draft")
        draft.write_text(str(frames))
        draft.replace(self.holding)
        try:
            yield
        finally:
            self.holding.unlink()

    def computations(self) -> int:
        return json.loads(self.file.read_text())["computations"]

    def results(self) -> int:
        """Computations that have been carried to their end."""
        return json.loads(self.file.read_text())["results"]

    def cpu(self) -> float:
        """Processor time that the server has used, in seconds."""
        return json.loads(self.file.read_text())["cpu"]

    def cpu_share(self, seconds: float) -> float:
        """Cores that the server uses, on average over some seconds from now."""
        first = last = json.loads(self.file.read_text())
        while last["clock"] < first["clock"] + seconds:
            time.sleep(0.05)
            last = json.loads(self.file.read_text())
        return (last["cpu"] - first["cpu"]) / (last["clock"] - first["clock"])


@contextmanager
def watched_server(folder: Path) -> Iterator[Watched]:
    """The dashboard in a process of its own, until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file, holding, log = folder / "seen.json", folder / "hold.txt", folder / "log.txt"
    environment = os.environ | {"CONVIS_WEIGHTS_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", WATCHED, str(file), str(holding), str(port)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0 and file.exists():
                break
        time.sleep(0.1)
    else:
        process.kill()
        pytest.fail(f"The server did not start:\n{log.read_text()}")
    try:
        yield Watched(f"http://127.0.0.1:{port}", file, holding)
    finally:
        process.terminate()
        process.wait(timeout=10)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False
