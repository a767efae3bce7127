"""Files that ask too much or lie, built from scratch; each takes well under a second to build."""

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    """A picture as a file."""
    file = io.BytesIO()
    picture.save(file, format=kind, **options)
    return file.getvalue()


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture in which no two pixels are alike."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, depth: int, colour: int, *, rows: bytes | None = None, extra: bytes = b"") -> bytes:
    """A PNG of zeros, complete and quick to write: one compressed megabyte again and again."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    packer = zlib.compressobj(1)
    if rows is None:
        left = height * (1 + (width * depth * channels + 7) // 8)
        block = bytes(1 << 20)
        parts = [packer.compress(block[: min(left - at, len(block))]) for at in range(0, left, len(block))]
    else:
        parts = [packer.compress(rows)]
    body = b"".join(parts) + packer.flush()
    palette = chunk(b"PLTE", bytes(range(48)) * 16) if colour == 3 else b""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return PNG + chunk(b"IHDR", header) + palette + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def tiff(entries: Sequence[tuple[int, int, int, int]], body: bytes = b"") -> bytes:
    """A TIFF of one directory; values that do not fit are offsets into ``body``, which begins at 8."""
    table = struct.pack("<H", len(entries))
    for tag, kind, count, value in sorted(entries):
        table += struct.pack("<HHII", tag, kind, count, value)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + table + bytes(4)


def tiff_of_one_strip(width: int, height: int, bits: int, samples: int, sample_format: int = 1) -> bytes:
    """A deflated TIFF of zeros in a single strip, or of ones if its values are floats."""
    packer, left, block = zlib.compressobj(1), width * height * bits * samples // 8, bytes(1 << 20)
    parts = [packer.compress(block[: min(left - at, len(block))]) for at in range(0, left, len(block))]
    body = b"".join(parts) + packer.flush()
    body += bytes(len(body) % 2)
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, 8)]
    entries += [(262, 3, 1, 2 if samples == 3 else 1), (273, 4, 1, 8), (277, 3, 1, samples)]
    entries += [(278, 4, 1, height), (279, 4, 1, len(body)), (339, 3, 1, sample_format)]
    return tiff(entries, body)


def jpeg_of_many_scans(width: int, height: int, scans: int) -> bytes:
    """A progressive JPEG whose second scan stands in the file again and again."""
    whole = encoded(Image.new("RGB", (width, height), (90, 120, 60)), "JPEG", progressive=True)
    starts = [at for at in range(len(whole) - 1) if whole[at : at + 2] == b"\xff\xda"]
    tables = [at for at in range(starts[0], starts[1]) if whole[at : at + 2] == b"\xff\xc4"]
    begin = tables[0] if tables else starts[1]
    again = whole[begin : starts[2]]
    return whole[: starts[2]] + again * (scans - len(starts)) + whole[starts[2] :]


def segments(marker: int, body: bytes, count: int) -> bytes:
    """A JPEG in whose header one segment stands again and again."""
    whole = encoded(Image.new("RGB", (16, 16)), "JPEG")
    return whole[:2] + (bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body) * count + whole[2:]


def gif_of_blocks(count: int) -> bytes:
    """A GIF with a comment of so many blocks of one byte."""
    whole = encoded(Image.new("P", (8, 8)), "GIF")
    at = whole.index(b",", 13)
    return whole[:at] + b"!\xfe" + b"\x01x" * count + b"\0" + whole[at:]


def webp_header(width: int, height: int) -> bytes:
    """The first chunk of a WebP of this size, and a frame of another."""
    frame = encoded(Image.new("RGB", (8, 8)), "WEBP")[12:]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4)
    body += struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3] + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bmp_of_runs(pixels_a_side: int, count: int) -> bytes:
    """A run-length BMP whose runs are one pixel long."""
    body = b"\x01\x07" * count
    header = struct.pack("<IiiHHIIiiII", 40, pixels_a_side, pixels_a_side, 1, 8, 1, len(body), 0, 0, 256, 0)
    palette = bytes(range(256)) * 4
    offset = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + header + palette + body


def exif(entries: Sequence[tuple[int, int, int, bytes]], order: str = "<") -> bytes:
    """EXIF of one directory, each value in its own four bytes."""
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    table = struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        table += struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")[:4]
    return b"Exif\0\0" + mark + struct.pack(order + "I", 8) + table + bytes(4)
