"""Half-arrived files: where they wait for the next attempt, and who may write to which.

At rest a part is called ``NAME.part``. A transfer renames it to a name of its own, which one taker alone can
do: so two transfers of one file never write into each other. When it ends early, it renames the part back.
"""

import glob
import math
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# A part that nobody has written to for so long is abandoned, whoever was filling it.
_ABANDONED_SECONDS = 3600.0


@contextmanager
def claimed_part(destination: Path) -> Iterator[Path]:
    """The path of a part that is the caller's alone, holding what an earlier attempt left, if anything.

    The caller moves it into place when it is whole. What is left of it at the end waits for the next attempt.

    Raises:
        OSError: when the folder cannot be made or written to.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    resting = resting_part(destination)
    owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:12]}"
    mine = destination.with_name(f"{destination.name}.{owner}.part")
    _adopt_leftovers(destination, mine)
    try:
        yield mine
    finally:
        # Once the whole file is here, by another's work, nobody needs the part.
        if not destination.exists() and size_or_zero(mine) > size_or_zero(resting):
            mine.replace(resting)
        mine.unlink(missing_ok=True)


def resting_part(destination: Path) -> Path:
    """The name under which a part waits for the next attempt."""
    return destination.with_name(f"{destination.name}.part")


def size_or_zero(path: Path) -> int:
    """The size of a file in bytes, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _adopt_leftovers(destination: Path, mine: Path) -> None:
    """Rename the largest part that nobody works on to ``mine``, and delete the others of that kind."""
    resting = resting_part(destination)
    owned = destination.parent.glob(f"{glob.escape(destination.name)}.*.part")
    leftovers = [resting, *(path for path in owned if _is_abandoned(path, destination))]
    for path in sorted(leftovers, key=size_or_zero, reverse=True):
        if mine.exists():
            path.unlink(missing_ok=True)
            continue
        with suppress(FileNotFoundError):  # there is none, or another transfer was quicker to take it
            path.rename(mine)


def _is_abandoned(path: Path, destination: Path) -> bool:
    """Whether the process that was filling a part has ended, or has not touched it for very long."""
    owner, _, _ = path.name[len(destination.name) + 1 :].rpartition("-")
    host, _, process_id = owner.rpartition("-")
    if host == socket.gethostname() and process_id.isdecimal() and not _runs(int(process_id)):
        return True
    return time.time() - _modified(path) > _ABANDONED_SECONDS


def _runs(process_id: int) -> bool:
    if os.name == "nt":
        return True  # no signal asks without ending the process there; its age must tell
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf
