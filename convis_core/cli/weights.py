"""``convis weights``: download the weights of networks, or list which are on this machine.

``convis weights fetch vgg16`` prepares a workshop without a network connection, ``convis weights list`` says what is on
this machine and where.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from convis_core.errors import ConvisError, WeightsError
from convis_core.models import MODELS, get_spec, weights
from convis_core.models.spec import ModelSpec
from convis_core.models.weights import DownloadProgress

_MEGABYTE = 1e6
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 when all went well, 1 when weights could not be had."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "list":
            return _list()
        return _fetch([spec.id for spec in MODELS] if options.all else options.ids, options.directory)
    except WeightsError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; the next fetch goes on from here.", file=sys.stderr)
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convis weights",
        description="Download the weights of networks, or list which are on this machine.",
        epilog="CONVIS_WEIGHTS_DIR names the folder to look in first and to download to, "
        "CONVIS_WEIGHTS_URL the address of a mirror.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser("fetch", help="download weights that are not here, and check those that are")
    which = fetch.add_mutually_exclusive_group(required=True)
    which.add_argument("ids", nargs="*", default=[], metavar="ID", help="a network's id, as list shows it")
    which.add_argument("--all", action="store_true", help="all networks")
    fetch.add_argument("--directory", type=Path, help="put them into this folder and look nowhere else")
    commands.add_parser("list", help="show every network, the size of its weights, and where they are")
    return parser


def _fetch(ids: Sequence[str], directory: Path | None) -> int:
    """Fetch one network after the other; one that cannot be had does not keep the next from coming."""
    failed = False
    for model_id in ids:
        try:
            print(_fetch_one(get_spec(model_id), directory))
        except ConvisError as error:
            print(f"{model_id}: {error}", file=sys.stderr)
            failed = True
    if directory is not None and not failed:
        print(f"To use them: export CONVIS_WEIGHTS_DIR={directory.resolve()}")
    return int(failed)


def _fetch_one(spec: ModelSpec, directory: Path | None) -> str:
    """Find and check, or download, the weights of one network; returns the line that says so."""
    path = weights.find(spec.weights, directory=directory)
    if path is not None:
        weights.verify(spec.weights, path)
        return f"{spec.id}: is here, checksum right: {path}"
    path = _download(spec, directory)
    return f"{spec.id}: fetched, checksum right: {path}"


def _download(spec: ModelSpec, directory: Path | None) -> Path | None:
    """Download with a line of progress: rewritten in place on a terminal, a new one every tenth elsewhere."""
    terminal = sys.stderr.isatty()
    began, shown_tenth, path = time.monotonic(), -1, None
    try:
        for progress in weights.download(spec.weights, directory=directory):
            path = progress.path
            line = _progress_line(spec.id, progress, time.monotonic() - began)
            tenth = 10 * progress.done // max(progress.total, 1)
            if terminal:
                print(f"\r{line:<70}", end="", file=sys.stderr, flush=True)
            elif tenth > shown_tenth:
                print(line, file=sys.stderr, flush=True)
                shown_tenth = tenth
    finally:
        if terminal:
            print(file=sys.stderr)
    return path


def _progress_line(model_id: str, progress: DownloadProgress, seconds: float) -> str:
    percent = 100 * progress.done / max(progress.total, 1)
    done, total = progress.done / _MEGABYTE, progress.total / _MEGABYTE
    rate = (progress.done - progress.resumed_bytes) / _MEGABYTE / max(seconds, 0.001)
    return f"{model_id}  {percent:5.1f} %  {done:.1f} of {total:.1f} MB  {rate:.1f} MB/s"


def _list() -> int:
    """Print a table of the networks; a damaged file is explained under it."""
    folder = weights.default_directory()
    problems = []
    rows = [("id", "network", "size", "where")]
    for spec in MODELS:
        try:
            where = _where(spec)
        except WeightsError as error:
            where = "unusable, see below"
            problems.append(f"{spec.id}: {error}")
        rows.append((spec.id, spec.label, f"{spec.weights.size_bytes / _MEGABYTE:.1f} MB", where))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for model_id, label, size, where in rows:
        print(f"{model_id:<{widths[0]}}  {label:<{widths[1]}}  {size:>{widths[2]}}  {where}")
    print(f"\nDownloads go to {folder}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 0


def _where(spec: ModelSpec) -> str:
    path = weights.find(spec.weights)
    if path is None:
        return "not installed" if spec.embedded else "not here"
    return f"comes with Convis: {path}" if spec.embedded else str(path)
