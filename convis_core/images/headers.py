"""What a file's header tells before it is decoded: the format, the size, and what decoding will cost."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from convis_core.errors import ImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
MAX_BYTES = 25 * 1024 * 1024
MAX_PIXELS = 50_000_000
MAX_SIDE = 65_535
"""JPEG's own limit. Pillow holds a pointer for every row: eight bytes per pixel for a strip of width 1."""

_MAX_PIXELS = {"WEBP": 12_600_000, "TIFF": 25_000_000, "AVIF": 25_000_000, "HEIF": 25_000_000}
"""These decoders hold several copies of the whole picture: WebP's needs 16 bytes per pixel, 200 MB at this limit."""

_MAX_READS = 100_000
"""Reads from one file. A photograph takes a few hundred; a PNG of two million empty chunks would take half a minute."""

_MAX_PNG_BYTES = 160_000_000  # before compression: three bytes for each of MAX_PIXELS, and a little more
_MAX_COEFFICIENTS = 160_000_000  # bytes that a JPEG of several scans holds until its last scan
_MAX_SCAN_WORK = 1_000_000_000  # samples visited by all scans of a JPEG: one second
_MAX_SCANS = 100  # ten are usual
_MAX_HEADER = 6 * 1024 * 1024  # of a JPEG: profile, thumbnail and maker's notes
_MAX_ARITHMETIC = 8_000_000  # pixels of a JPEG in arithmetic coding, which is five times as slow

_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_AVIF_BRANDS = {b"avif", b"avis"}
_TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"MM*\x00", b"II\x00*", b"MM\x00+", b"II+\x00")
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_TIFF_OFFSETS = (273, 279, 324, 325)  # of strips and tiles, and their lengths
_MAX_STRIPS = 70_000  # one a row
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


class BoundedFile(io.BytesIO):
    """A file in memory that refuses to be read in too many pieces, such as a flood of empty chunks."""

    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes.

        Raises:
            OSError: when there have been too many reads.
        """
        self._reads += 1
        if self._reads > _MAX_READS:
            raise OSError("too many parts")
        return super().read(size)


@dataclass(frozen=True, slots=True)
class _Jpeg:
    frame: int
    width: int
    height: int
    sampling: tuple[tuple[int, int], ...]
    scans: int
    interleaved: bool


def kind(content: bytes) -> str | None:
    """Which of ``FORMATS`` a file has, by its first bytes; None when it has none of them.

    >>> kind(b"GIF89a")
    'GIF'
    """
    starts = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF87a": "GIF", b"GIF89a": "GIF", b"BM": "BMP"}
    starts |= dict.fromkeys(_TIFF_STARTS, "TIFF")
    for start, name in starts.items():
        if content.startswith(start):
            return name
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    if content[4:8] == b"ftyp":
        length = min(int.from_bytes(content[:4], "big"), 256)
        brands = {content[8:12], *(content[at : at + 4] for at in range(16, length, 4))}
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEIF_BRANDS:
            return "HEIF"
    return None


def check(content: bytes, name: str) -> None:
    """Refuse a file whose header shows that it would take too much time or memory to decode.

    Args:
        content: the file.
        name: its format, from ``kind``.

    Raises:
        ImageError: when it would; the message says what to do.
    """
    if name == "PNG" and len(content) > 25:
        width, height = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
        check_size(width, height, name)
        row = (width * content[24] * _PNG_CHANNELS.get(content[25], 4) + 7) // 8
        if row * height > _MAX_PNG_BYTES:
            raise ImageError(
                f"The picture has {row * height / 1e6:.0f} MB of values, more than {_MAX_PNG_BYTES // 1_000_000} MB; "
                "save it with 8 bits a channel or make it smaller."
            )
    if name == "TIFF" and any(tag in _TIFF_OFFSETS and count > _MAX_STRIPS for tag, _, count, _ in _entries(content)):
        raise ImageError("The picture's file consists of too many parts; save it again.")
    if name == "JPEG":
        _check_jpeg(content)


def check_size(width: int, height: int, name: str) -> None:
    """Refuse a picture whose width and height are too large.

    Args:
        width: in pixels.
        height: in pixels.
        name: its format, from ``kind``.

    Raises:
        ImageError: when it has too many pixels or too long a side.

    >>> check_size(8000, 6000, "JPEG")
    >>> check_size(8000, 6000, "TIFF")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    convis_core.errors.ImageError: The picture has 8000 x 6000 pixels, more than the 25 million allowed; ...
    """
    limit = _MAX_PIXELS.get(name, MAX_PIXELS)
    if width * height > limit:
        advice = "make it smaller" if limit == MAX_PIXELS else "make it smaller or save it as JPEG"
        raise ImageError(
            f"The picture has {width} x {height} pixels, more than the {limit / 1e6:.3g} million allowed; {advice}."
        )
    if max(width, height) > MAX_SIDE:
        raise ImageError(
            f"A side of the picture has {max(width, height)} pixels, more than {MAX_SIDE}; cut it shorter."
        )


def _check_jpeg(content: bytes) -> None:
    jpeg = _read_jpeg(content)
    if jpeg is None:  # no frame: the decoder will report what is wrong
        return
    check_size(jpeg.width, jpeg.height, "JPEG")
    pixels = jpeg.width * jpeg.height
    if jpeg.frame >= 0xC9 and pixels > _MAX_ARITHMETIC:
        raise ImageError("The picture is a large JPEG in arithmetic coding, which takes too long; save it again.")
    if jpeg.scans <= 1 and jpeg.interleaved and jpeg.frame not in (0xC2, 0xCA):
        return
    across, down = (max((factors[axis] for factors in jpeg.sampling), default=1) for axis in (0, 1))
    samples = pixels * sum(h * v for h, v in jpeg.sampling) / max(across * down, 1)
    if jpeg.scans > _MAX_SCANS or jpeg.scans * samples > _MAX_SCAN_WORK or 2 * samples > _MAX_COEFFICIENTS:
        raise ImageError(
            f"The picture is a JPEG of {jpeg.scans} scans, which takes too long to decode; save it as a plain "
            "(baseline) JPEG or make it smaller."
        )


def _read_jpeg(content: bytes) -> _Jpeg | None:
    """The first picture of a JPEG file: its frame, and the number of its scans."""
    frame: tuple[int, int, int, tuple[tuple[int, int], ...]] | None = None
    scans, interleaved, at = 0, True, 2
    for _ in range(_MAX_READS):
        match = _MARKER.search(content, at)
        if match is None or match[1] == b"\xd9":
            break
        at, marker = match.end(), match[1][0]
        if marker in (0x01, 0xD8):
            continue
        length = int.from_bytes(content[at : at + 2], "big")
        body = content[at + 2 : at + length]
        if marker in _FRAMES and frame is None and len(body) >= 6:
            height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            factors = tuple((body[i] >> 4, body[i] & 15) for i in range(7, 6 + 3 * body[5], 3) if i < len(body))
            frame = (marker, width, height, factors)
        elif marker == 0xDA:
            scans += 1
            interleaved = interleaved and frame is not None and body[:1] == bytes([len(frame[3])])
        at += max(length, 2)
        if not scans and at > _MAX_HEADER:
            raise ImageError("The picture's header is longer than 6 MB; save the picture again without its metadata.")
    else:
        raise ImageError("The picture's file consists of too many parts; save it again.")
    return None if frame is None else _Jpeg(*frame, scans, interleaved)


def orientation(exif: Any, xmp: Any) -> int:
    """The orientation of a photograph by EXIF's numbers, 1 to 8; 1 where none can be read.

    Only this one tag is read, since cameras and editors write many others incorrectly.

    Args:
        exif: the bytes of a file's EXIF, with or without their first six, if it has any.
        xmp: the bytes or text of its XMP, if it has any; read when EXIF has no orientation.

    >>> orientation(None, '<rdf:Description tiff:Orientation="6"/>'), orientation(None, None)
    (6, 1)
    """
    number = _exif_orientation(exif) if isinstance(exif, bytes) else None
    if number is None and isinstance(xmp, str | bytes):
        text = xmp.encode("utf-8", "replace") if isinstance(xmp, str) else xmp
        match = re.search(rb'tiff:Orientation(?:="|>)([1-8])["<]', text)
        number = int(match[1]) if match else None
    return number if number is not None and 1 <= number <= 8 else 1


def _exif_orientation(exif: bytes) -> int | None:
    for tag, kind, _, at in _entries(exif := exif.removeprefix(b"Exif\x00\x00")):
        if tag == 0x0112:
            # A SHORT according to the standard; some editors write a BYTE or a LONG.
            size = {1: 1, 3: 2, 4: 4}.get(kind)
            return int.from_bytes(exif[at : at + size], _order(exif)) if size else None
    return None


def _order(tiff: bytes) -> Literal["little", "big"]:
    return "little" if tiff[:2] == b"II" else "big"


def _entries(tiff: bytes) -> Iterator[tuple[int, int, int, int]]:
    """The first directory of a TIFF, a format that EXIF shares: tag, type, count and the offset of the value."""
    if tiff[:4] not in (b"II*\x00", b"MM\x00*"):
        return

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], _order(tiff))

    first = number(4, 4)
    for at in range(first + 2, min(first + 2 + 12 * number(first, 2), len(tiff) - 11), 12):
        yield number(at, 2), number(at + 2, 2), number(at + 4, 4), at + 8
