"""The pictures people brought, for as long as the server lives."""

import threading
from collections import OrderedDict

from convis_core import images

SHORT = 12
"""Hex digits of a digest that stand in an address: 48 bits, no collision among any server's pictures."""


class PictureStore:
    """Files of uploaded pictures under their sha256, the longest unused dropped first.

    It holds the files, not the decoded pictures: thirty telephones' photographs are 100 MB as JPEG and 1 GB as RGB.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, content: bytes) -> str:
        """Keep a picture and return its short digest; the caller has made sure that it can be read."""
        name = images.digest(content)[:SHORT]
        with self._lock:
            self._files[name] = content
            self._files.move_to_end(name)
            while len(self._files) > 1 and sum(map(len, self._files.values())) > self._max_bytes:
                self._files.popitem(last=False)
        return name

    def get(self, name: str) -> bytes | None:
        """The file under a short digest, or None when it was never here or has been dropped."""
        with self._lock:
            content = self._files.get(name)
            if content is not None:
                self._files.move_to_end(name)
            return content
