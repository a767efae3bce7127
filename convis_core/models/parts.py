"""Half-arrived files: where they wait for the next attempt, and who may write to them.

What has come of ``NAME`` lies beside it as ``NAME.part``. It belongs to whoever holds the lock on ``NAME.lock``,
which the system gives back when its process ends, however that happens.
"""

import errno
from contextlib import suppress
from pathlib import Path
from uuid import uuid4


class Part:
    """One attempt's hold on the half-arrived file of a destination.

    Args:
        destination: the path of the whole file; its folder is made if need be.

    Attributes:
        path: where this attempt writes.

    Raises:
        OSError: when the folder cannot be made.
    """

    def __init__(self, destination: Path) -> None:
        from filelock import FileLock

        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, "it is a file, not a folder") from error
        self.path = waiting_part(destination)
        self._destination = destination
        self._before = _version(destination)
        # Not the thread's own: a scheduler may take the next frame of a download on another thread.
        self._lock = FileLock(destination.with_name(f"{destination.name}.lock"), thread_local=False)

    def claim(self) -> bool:
        """Take the part if nobody else writes to it; it then holds what an earlier attempt left, if anything.

        Raises:
            OSError: when the folder may not be written to.
        """
        from filelock import Timeout

        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        return True

    def set_apart(self) -> None:
        """Write to a file of this attempt's own instead, which it begins from nothing and never leaves behind."""
        self.path = self._destination.with_name(f"{self._destination.name}.{uuid4().hex[:12]}.part")

    def overtaken(self) -> bool:
        """Whether somebody else has put a file in the destination's place since this attempt began."""
        return _version(self._destination) not in (None, self._before)

    def release(self) -> None:
        """Give the part up: it waits for the next attempt if that can go on from it, and is deleted otherwise."""
        if not self._lock.is_locked or self.overtaken() or size_or_zero(self.path) == 0:
            with suppress(OSError):
                self.path.unlink()
        if self._lock.is_locked:
            # Before it is given back: whoever waits for it then notices that the file has lost its name.
            with suppress(OSError):
                Path(self._lock.lock_file).unlink()
            self._lock.release()


def waiting_part(destination: Path) -> Path:
    """The name under which a part waits for the next attempt."""
    return destination.with_name(f"{destination.name}.part")


def size_or_zero(path: Path) -> int:
    """The size of a file in bytes, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _version(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is replaced; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
