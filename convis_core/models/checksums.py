"""SHA-256 digests of large files, each computed once for as long as the file stays the same.

The digest of VGG16's 553 MB takes 0.8 s, so it is remembered beyond the end of the process, in a small file in
torch hub's folder. Where that cannot be written, every process computes it once.
"""

import hashlib
import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import torch

_RECORD = "convis-checksums.json"
# A smaller file is read in less than a tenth of a second, which does not justify a record on disk.
_RECORDED_BYTES = 64 * 2**20

# Size, time of the last modification, time of the last change of any kind, and inode.
_Version: TypeAlias = tuple[int, int, int, int]

_lock = threading.Lock()
_known: dict[str, tuple[_Version, str]] = {}


def sha256(path: Path, *, anew: bool = False) -> str:
    """The SHA-256 digest of a file, in hexadecimal digits.

    Args:
        path: the file.
        anew: read the file even if it has not changed since its digest was last computed.

    Raises:
        OSError: when the file cannot be read.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as empty:
    ...     sha256(Path(empty.name))[:8]
    'e3b0c442'
    """
    name, version = str(path.resolve()), _version(path)
    with _lock:
        if not anew and (digest := _remembered(name, version)) is not None:
            return digest
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    # If the file was changed while it was read, the digest is that of neither version.
    if _version(path) == version:
        with _lock:
            _remember(name, version, digest)
    return digest


def _version(path: Path) -> _Version:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _remembered(name: str, version: _Version) -> str | None:
    if name not in _known and version[0] >= _RECORDED_BYTES:
        entry = _read_record().get(name)
        if entry is not None:
            _known[name] = entry
    known = _known.get(name)
    return known[1] if known is not None and known[0] == version else None


def _remember(name: str, version: _Version, digest: str) -> None:
    _known[name] = (version, digest)
    if version[0] < _RECORDED_BYTES:
        return
    record = {**_read_record(), name: (version, digest)}
    path = _record_path()
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(record))
        draft.replace(path)
    with suppress(OSError):
        draft.unlink(missing_ok=True)


def _read_record() -> dict[str, tuple[_Version, str]]:
    """What earlier processes have recorded; empty if the record is missing or damaged."""
    try:
        noted = json.loads(_record_path().read_bytes())
        return {
            str(name): ((int(size), int(written), int(changed), int(inode)), str(digest))
            for name, ((size, written, changed, inode), digest) in noted.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _record_path() -> Path:
    return Path(torch.hub.get_dir()) / _RECORD
