"""Interpreters in which a test's script runs and ends, without importing torch anew for each.

One process imports what the scripts need. For every script it forks a child, which runs the script and then ends as
an interpreter does, with all that is registered for its end.
"""

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

_PREPARED = """
import gc, json, os, signal, sys
import torch
from convis_core.runtime import board, lanes, memory
gc.freeze()  # or every child would copy what it only counts
for line in sys.stdin:
    task = json.loads(line)
    child = os.fork()
    if child == 0:
        signal.alarm(100)  # of a child that hangs, nobody would be left to end it
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
for number, name in ((1, "stdout"), (2, "stderr")):
    os.dup2(os.open(task[name], os.O_WRONLY | os.O_CREAT), number)
os.environ.update(task["environment"])
exec(task["script"], {"__name__": "__main__"})
"""


@cache
def _prepared() -> "subprocess.Popen[str]":
    # One thread, so that there is nothing that a fork could leave half done.
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _PREPARED],
        env={name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "CONVIS_"))} | single,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run_script(script: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a script to the end of its interpreter, and return its exit status and what it printed."""
    prepared = _prepared()
    assert prepared.stdin is not None
    assert prepared.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        printed = {name: Path(folder) / name for name in ("stdout", "stderr")}
        paths = {name: str(path) for name, path in printed.items()}
        prepared.stdin.write(json.dumps({"script": script, "environment": environment, **paths}) + "\n")
        prepared.stdin.flush()
        code = int(prepared.stdout.readline())
        return subprocess.CompletedProcess([script], code, printed["stdout"].read_text(), printed["stderr"].read_text())
