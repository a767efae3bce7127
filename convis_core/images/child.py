"""The child process of ``apart``: one file from standard input, one picture or one refusal to standard output."""

import sys

from convis_core.errors import ImageError
from convis_core.images import headers, reading

_BYTES = 270 * 1024 * 1024  # of private memory, including the interpreter's 30 MB; its libraries are not counted
_SECONDS = {"HEIF": 3}  # decoded by several threads, so three seconds of CPU time pass in less
_SECONDS_OTHERS = 2


def main() -> None:
    """Read, decode within the limits, and write ``RGB width height`` and the bytes, or ``refused`` and the reason."""
    content = sys.stdin.buffer.read()
    kind = headers.kind(content) or "TIFF"
    _limit(_SECONDS.get(kind, _SECONDS_OTHERS))
    out = sys.stdout.buffer
    try:
        if kind == "HEIF":
            _register_heif()
        picture = reading.decode(content, kind)
        out.write(f"RGB {picture.width} {picture.height}\n".encode())
        for top in range(0, picture.height, 256):
            out.write(picture.crop((0, top, picture.width, min(top + 256, picture.height))).tobytes())
    except ImageError as error:
        out.write(f"refused {error}\n".encode())
    out.flush()


def _limit(seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits; the parent's timeout remains
        return
    for what, limit in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_DATA, _BYTES), (resource.RLIMIT_CORE, 0)):
        _, most = resource.getrlimit(what)
        resource.setrlimit(what, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


def _register_heif() -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise ImageError(
            "HEIC needs a package that is not installed; run: pip install pillow-heif, or save the picture as JPEG."
        ) from error
    register_heif_opener()


if __name__ == "__main__":
    main()
