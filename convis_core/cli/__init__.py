"""The command ``convis``: start the dashboard, and download or list the weights of the networks."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from convis_core import CORE_VERSION

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 when it succeeded.

    Args:
        arguments: the words after ``convis``; those of the process by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["weights"]:
        from convis_core.cli.weights import main as weights  # imports PyTorch, which the rest does without

        return weights(words[1:])
    options = _parser().parse_args(words)
    return run(options.port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convis", description="See what a convolutional network computes on a picture, and why it decides."
    )
    parser.add_argument("--version", action="version", version=f"convis {CORE_VERSION}")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("run", help="start the dashboard and print its address")
    start.add_argument("--port", type=int, default=8501, help="port of the server, 8501 by default")
    commands.add_parser("weights", help="download the weights of networks, or list them: convis weights --help")
    return parser


def run(port: int) -> int:
    """Serve the dashboard until it is interrupted.

    Args:
        port: of the server on this machine.

    Returns:
        Streamlit's exit status; 1, after a sentence that says what to do, when the dashboard cannot be started here.
    """
    dashboard = find_dashboard()
    if dashboard is None:
        return _refuse(
            "The dashboard is not part of the installed package. "
            "Change to the folder of a Convis checkout, the one with dashboard.py, and run this command there."
        )
    if find_spec("streamlit") is None:
        requirements = dashboard.with_name("requirements.txt")
        return _refuse(
            "The dashboard needs Streamlit, which is not installed. "
            f'Install it with: "{sys.executable}" -m pip install -r "{requirements}"'
        )
    command = [sys.executable, "-m", "streamlit", "run", str(dashboard), "--server.port", str(port)]
    try:
        # Streamlit reads .streamlit/config.toml from the folder in which it starts.
        return subprocess.run(command, cwd=dashboard.parent, check=False).returncode
    except KeyboardInterrupt:
        return _INTERRUPTED


def find_dashboard() -> Path | None:
    """The entry script of the dashboard: in the current folder, or in the checkout that this package belongs to."""
    for folder in (Path.cwd(), Path(__file__).resolve().parents[2]):
        # Any project may have a dashboard.py; only this one has the folder beside it.
        if (folder / "dashboard.py").is_file() and (folder / "pages" / "_shell").is_dir():
            return folder / "dashboard.py"
    return None


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1
