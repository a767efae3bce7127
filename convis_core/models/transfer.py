"""One file over HTTP: resumed where possible, checked as a whole, moved to its destination only if it is correct."""

import errno
import hashlib
import math
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from convis_core.errors import WeightsError
from convis_core.models.http_stream import FRAME_SECONDS, Opened, StreamError, stream
from convis_core.models.parts import Part, size_or_zero, waiting_part

_BLOCK_BYTES = 1024 * 1024
# A file larger than the published size by more than this is another one: stop before it fills the disk.
_SLACK_BYTES = 1024 * 1024
_TURN_SECONDS = 0.05  # between two queries of a part that somebody else is filling

_ELSEWHERE = (
    "Try again; where the network is blocked, run python -m convis_core weights fetch on another computer and "
    "name the folder it wrote to in CONVIS_WEIGHTS_DIR; or stay with EfficientNet-Lite0, which needs no "
    "download."
)
_OTHER_FOLDER = "Make room or correct the permissions, or name another folder in CONVIS_WEIGHTS_DIR."


@dataclass(frozen=True, slots=True)
class Transfer:
    """One file to download.

    Attributes:
        url: its http or https address.
        destination: its final path.
        sha256: its digest, or the leading hex digits of it.
        size_bytes: its approximate size; the size that the server announces takes precedence.
        timeout: seconds without progress after which the server counts as stalled.
    """

    url: str
    destination: Path
    sha256: str
    size_bytes: int
    timeout: float


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """The progress of a download.

    Attributes:
        done_bytes: bytes received.
        total_bytes: bytes in all.
        resumed_bytes: bytes of ``done_bytes`` that an earlier attempt had left.
        path: of the complete and verified file; None until then.
    """

    done_bytes: int
    total_bytes: int
    resumed_bytes: int = 0
    path: Path | None = None

    @property
    def done(self) -> int:
        """The same as ``done_bytes``, under the name that every frame of a long computation has."""
        return self.done_bytes

    @property
    def total(self) -> int:
        """The same as ``total_bytes``."""
        return self.total_bytes


class _ContentError(Exception):
    """The content received is not the requested file."""


class _Content:
    """An open part, and the digest of its content."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0
        self.resumed = 0

    def read_back(self) -> Iterator[None]:
        """Update the digest with what an earlier attempt left, with pauses, since that may be large."""
        self._file.seek(0)
        shown = time.monotonic()
        while block := self._file.read(_BLOCK_BYTES):
            self._digest.update(block)
            self.size += len(block)
            if time.monotonic() - shown > FRAME_SECONDS:
                yield
                shown = time.monotonic()
        self.resumed = self.size

    def append(self, block: bytes) -> None:
        self._file.write(block)
        self._digest.update(block)
        self.size += len(block)

    def restart(self) -> None:
        self._file.truncate(0)
        self._digest = hashlib.sha256()
        self.size = self.resumed = 0

    def has_digest(self, sha256: str) -> bool:
        return self._digest.hexdigest().startswith(sha256.lower())

    def settle(self) -> None:
        """Ensure that the file on disk is exactly what the digest was computed from."""
        self._file.flush()
        os.fsync(self._file.fileno())
        if os.fstat(self._file.fileno()).st_size != self.size:
            raise _ContentError("something else has written to the file as well")


def transfer(job: Transfer) -> Iterator[DownloadProgress]:
    """Download one file; only the last frame has its path.

    Waiting for the server never blocks a step for more than a moment, so that a scheduler can take frames from this
    generator in turn with others. Closing it early leaves the received part for the next attempt. While another
    process downloads the same file, this waits and then uses the result.

    Args:
        job: what to download, and where to.

    Raises:
        WeightsError: when the file is not available or not the right one; the message says why and names a remedy.
    """
    name, folder = job.destination.name, job.destination.parent
    try:
        yield from _bring(job)
    except StreamError as error:
        left = size_or_zero(waiting_part(job.destination))
        later = f"The {left / 1e6:,.1f} MB that came are kept for the next attempt. " if left else ""
        raise WeightsError(f"{name} could not be downloaded: {error}. {later}{_ELSEWHERE}") from error
    except _ContentError as error:
        raise WeightsError(
            f"What came from {job.url} is not {name}: {error}. It was deleted; perhaps a login page or a "
            f"proxy answered in the server's place. {_ELSEWHERE}"
        ) from error
    except OSError as error:
        raise WeightsError(
            f"{name} cannot be written to {folder}: {error.strerror or error}. {_OTHER_FOLDER}"
        ) from error


def _bring(job: Transfer) -> Iterator[DownloadProgress]:
    part = Part(job.destination)
    try:
        yield from _wait_for_turn(part, job)
        if part.overtaken():
            with job.destination.open("rb") as file:
                content = _Content(file)
                yield from _read_back(content, job)
            if content.has_digest(job.sha256):
                yield DownloadProgress(content.size, content.size, content.size, job.destination)
                return
        _require_space(job.destination.parent, job.size_bytes - size_or_zero(part.path))
        yield from _fill(job, part.path)
    finally:
        part.release()


def _wait_for_turn(part: Part, job: Transfer) -> Iterator[DownloadProgress]:
    """Somebody else's progress with this file, until the part is free or has not grown for the whole timeout."""
    size, waited = size_or_zero(part.path), 0.0
    while not part.claim():
        if waited > job.timeout:  # perhaps a suspended process, or an abandoned generator
            part.set_apart()
            return
        yield DownloadProgress(size, max(size, job.size_bytes), size)
        time.sleep(_TURN_SECONDS)
        before, size = size, size_or_zero(part.path)
        waited = waited + _TURN_SECONDS if size == before else 0.0


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"it needs {needed / 1e6:,.1f} MB more, and {free / 1e6:,.1f} MB are free")


def _fill(job: Transfer, path: Path) -> Iterator[DownloadProgress]:
    """Complete the part, from the beginning if what it contained proves wrong."""
    resuming = size_or_zero(path) > 0
    try:
        yield from _complete(job, path)
    except (_ContentError, OSError) as error:
        # Neither a wrong file nor one that filled the disk can be resumed.
        path.unlink(missing_ok=True)
        if resuming and isinstance(error, _ContentError):
            yield from _fill(job, path)
        else:
            raise


def _complete(job: Transfer, path: Path) -> Iterator[DownloadProgress]:
    """Receive what is missing, check the whole file, move it to its destination."""
    with path.open("a+b") as file:
        content = _Content(file)
        yield from _read_back(content, job)
        # An attempt that was stopped just before the end may have left the complete file.
        if not (content.size and content.has_digest(job.sha256)):
            yield from _receive(job, content)
        if not content.has_digest(job.sha256):
            raise _ContentError(f"it has {content.size:,} bytes and another checksum than {job.sha256}")
        content.settle()
    path.replace(job.destination)
    yield DownloadProgress(content.size, content.size, content.resumed, job.destination)


def _read_back(content: _Content, job: Transfer) -> Iterator[DownloadProgress]:
    for _ in content.read_back():
        yield DownloadProgress(content.size, max(content.size, job.size_bytes), content.size)


def _receive(job: Transfer, content: _Content) -> Iterator[DownloadProgress]:
    limit = job.size_bytes + _SLACK_BYTES
    total, shown = job.size_bytes, -math.inf
    with closing(stream(job.url, offset=content.size, timeout=job.timeout)) as items:
        for item in items:
            if isinstance(item, Opened):
                total = item.end or total
                if item.start == 0:
                    content.restart()
            else:
                content.append(item)
            if max(content.size, total) > limit:
                raise _ContentError(f"it has more than {limit:,} bytes, where {job.size_bytes:,} were expected")
            if time.monotonic() - shown > FRAME_SECONDS:
                yield DownloadProgress(content.size, max(content.size, total), content.resumed)
                shown = time.monotonic()
