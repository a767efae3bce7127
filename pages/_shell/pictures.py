"""The pictures people brought, for as long as the server lives."""

import re
import unicodedata

from convis_core import images
from convis_core.runtime.lru import Lru

SHORT = 12
"""Hex digits of a digest that stand in an address: 48 bits, no collision among any server's pictures."""

_LONGEST = 48


class PictureStore:
    """Files of uploaded pictures under their sha256, up to a number of bytes; the least recently used go first.

    It holds the files, not the decoded pictures: thirty telephones' photographs are 100 MB as JPEG and 1 GB as RGB.
    """

    def __init__(self, max_bytes: int) -> None:
        self._files: Lru[tuple[bytes, str]] = Lru(max_bytes)

    def put(self, content: bytes, file_name: str) -> str:
        """Store a picture and the name of its file, and return its short digest; it is known to be readable."""
        name = short(content)
        self._files.add(name, (content, title(file_name)), len(content))
        return name

    def get(self, name: str) -> bytes | None:
        """The file under a short digest, or None when it was never here or has been dropped."""
        stored = self._files.get(name)
        return None if stored is None else stored[0]

    def title(self, name: str) -> str | None:
        """What the file under a short digest was called, or None when it is not here."""
        stored = self._files.get(name)
        return None if stored is None else stored[1]


def short(content: bytes) -> str:
    """The short digest under which a picture is stored and addressed."""
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
