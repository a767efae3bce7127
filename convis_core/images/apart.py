"""Decoding in a separate process, with limits, for files whose headers do not reveal what decoding costs.

A compressed TIFF may make its decoder read the same bytes again and again, an AVIF or HEIC may hold a larger picture
than its header states, and a run-length BMP is decoded in Python. Such files are rare, and a process takes a quarter
of a second to start.
"""

import os
import subprocess
import sys

from PIL import Image

from convis_core.errors import ImageError

_WAIT = 20  # seconds of wall-clock time, for machines that are busy or do not support the child's own limits
TOO_MUCH = "The picture takes too much time or memory to read; save it as JPEG or PNG, or make it smaller."


def decode(content: bytes) -> Image.Image:
    """A picture as ``reading.decode`` reads it, from a child process that may use two seconds and 300 MB.

    Args:
        content: the file, whose header has been checked.

    Raises:
        ImageError: when it is damaged, or when the child reached its limits.
    """
    paths = os.pathsep.join(path for path in sys.path if path)
    # One thread for numpy: each further thread in its pool would count as memory.
    environment = {**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(  # the same interpreter, with a module of this package
            [sys.executable, "-m", "convis_core.images.child"],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=_WAIT,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ImageError(TOO_MUCH) from error
    head, _, body = done.stdout.partition(b"\n")
    word, *rest = head.decode("utf-8", "replace").split(" ")
    if word == "refused":
        raise ImageError(" ".join(rest))
    if word != "RGB":  # killed at a limit, or crashed
        raise ImageError(TOO_MUCH)
    width, height = map(int, rest)
    return Image.frombytes("RGB", (width, height), body)
