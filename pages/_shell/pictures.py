"""The pictures people brought, for as long as the server lives."""

import re
import threading
import unicodedata
from collections import OrderedDict

from convis_core import images

SHORT = 12
"""Hex digits of a digest that stand in an address: 48 bits, no collision among any server's pictures."""

_LONGEST = 48


class PictureStore:
    """Files of uploaded pictures under their sha256, the longest unused dropped first.

    It holds the files, not the decoded pictures: thirty telephones' photographs are 100 MB as JPEG and 1 GB as RGB.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._files: OrderedDict[str, tuple[bytes, str]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, content: bytes, file_name: str) -> str:
        """Keep a picture and the name of its file, and return its short digest; it is known to be readable."""
        name = short(content)
        with self._lock:
            self._files[name] = content, title(file_name)
            self._files.move_to_end(name)
            while len(self._files) > 1 and sum(len(file) for file, _ in self._files.values()) > self._max_bytes:
                self._files.popitem(last=False)
        return name

    def get(self, name: str) -> bytes | None:
        """The file under a short digest, or None when it was never here or has been dropped."""
        with self._lock:
            found = self._files.get(name)
            if found is None:
                return None
            self._files.move_to_end(name)
            return found[0]

    def title(self, name: str) -> str | None:
        """What the file under a short digest was called, or None when it is not here."""
        with self._lock:
            found = self._files.get(name)
            return None if found is None else found[1]


def short(content: bytes) -> str:
    """The short digest under which a picture is kept and addressed."""
    return images.digest(content)[:SHORT]


def title(file_name: str) -> str:
    """A file's name as it may stand in a sentence on any page.

    The folder goes, and so does whatever Markdown would make a link, a picture or an icon of; a long name loses its
    middle.

    >>> title("C:\\\\holiday\\\\IMG_0042.jpg")
    'IMG_0042.jpg'
    >>> title("![x](evil).png")
    'x(evil).png'
    """
    base = re.split(r"[\\/]", file_name)[-1]
    plain = "".join(sign for sign in base if sign not in "[]<>*`$~|!#:&" and unicodedata.category(sign)[0] != "C")
    plain = " ".join(plain.split())
    if len(plain) > _LONGEST:
        plain = f"{plain[: _LONGEST - 16]}…{plain[-15:]}"
    return plain or "Your picture"
