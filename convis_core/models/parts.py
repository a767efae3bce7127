"""Incomplete downloads: where they are stored for the next attempt, and who may write to them.

The received part of ``NAME`` is stored beside it as ``NAME.part``. It belongs to the process that holds the lock on
``NAME.lock``, which the system releases when that process ends, however that happens.
"""

import errno
from contextlib import suppress
from pathlib import Path
from uuid import uuid4


class Part:
    """One attempt's claim to the incomplete file of a destination.

    Args:
        destination: the path of the complete file; its folder is created if need be.

    Attributes:
        path: where this attempt writes.

    Raises:
        OSError: when the folder cannot be created.
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
        # Not bound to a thread: a scheduler may take the next frame of a download on another one.
        self._lock = FileLock(destination.with_name(f"{destination.name}.lock"), thread_local=False)

    def claim(self) -> bool:
        """Claim the part if nobody else writes to it; it then contains what an earlier attempt left, if anything.

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
        """Write to a separate file of this attempt instead, which starts empty and is never left behind."""
        self.path = self._destination.with_name(f"{self._destination.name}.{uuid4().hex[:12]}.part")

    def overtaken(self) -> bool:
        """Whether somebody else has written the destination since this attempt began."""
        return _version(self._destination) not in (None, self._before)

    def release(self) -> None:
        """Release the part: it is left for the next attempt if that can resume from it, and deleted otherwise."""
        if not self._lock.is_locked or self.overtaken() or size_or_zero(self.path) == 0:
            with suppress(OSError):
                self.path.unlink()
        if self._lock.is_locked:
            # Before the lock is released: a process waiting for it then notices that the file has lost its name.
            with suppress(OSError):
                Path(self._lock.lock_file).unlink()
            self._lock.release()


def waiting_part(destination: Path) -> Path:
    """The path at which a part is left for the next attempt.

    Args:
        destination: the path of the complete file.

    >>> waiting_part(Path("vgg16.pth")).name
    'vgg16.pth.part'
    """
    return destination.with_name(f"{destination.name}.part")


def size_or_zero(path: Path) -> int:
    """The size of a file in bytes, 0 if there is none.

    Args:
        path: of the file.
    """
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _version(path: Path) -> tuple[int, int, int] | None:
    """Values that change when a file is replaced; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
