"""No file takes the server: an answer or a refusal within two seconds of a core and 300 MB."""

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from convis_core import images
from convis_core.errors import ImageError
from tests.hostile import files

register_heif_opener()  # to write HEIC

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 2.4  # of a core: two, and the start of a child process
MEMORY = 300  # MB over idle

READ, REFUSED, EITHER = "read", "refused", "either"

HUGE = 2**31 - 1


def _raw(start: bytes) -> Callable[[], bytes]:
    return lambda: start + np.random.default_rng(3).bytes(images.MAX_BYTES - len(start))


def _photograph(width: int, height: int, **options: object) -> bytes:
    small = files.noise(width // 16, height // 16)
    return files.encoded(small.resize((width, height), Image.Resampling.BILINEAR), "JPEG", **options)


def _strips() -> bytes:
    count = 6_000_000
    body = bytes(4 * count)
    entries = [(256, 4, 1, 3000), (257, 4, 1, 2000), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    return files.tiff([*entries, (273, 4, count, 8), (278, 4, 1, 1), (279, 4, count, 8)], body)


def _tiles() -> bytes:
    entries = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (322, 4, 1, 65_520)]
    return files.tiff([*entries, (323, 4, 1, 65_520), (324, 4, 1, 8), (325, 4, 1, 8)], bytes(8))


CASES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "png-header": (
        REFUSED,
        lambda: files.png(8, 8, 8, 2).replace(struct.pack(">II", 8, 8), struct.pack(">II", HUGE, HUGE)),
    ),
    "png-60000": (REFUSED, lambda: files.png(60_000, 60_000, 8, 2, rows=b"")),
    "png-rgb-49": (READ, lambda: files.png(7000, 7000, 8, 2)),
    "png-rgba-40": (READ, lambda: files.png(8000, 4990, 8, 6)),
    "png-rgba-49": (REFUSED, lambda: files.png(7000, 7000, 8, 6, rows=b"")),
    "png-rgba-16-bit": (REFUSED, lambda: files.png(7000, 7000, 16, 6, rows=b"")),
    "png-grey-16-bit-49": (READ, lambda: files.png(7000, 7000, 16, 0)),
    "png-palette-49": (READ, lambda: files.png(7000, 7000, 8, 3)),
    "png-1-bit-49": (READ, lambda: files.png(7000, 7000, 1, 0, extra=files.chunk(b"tRNS", b"\0\0"))),
    "png-strip": (REFUSED, lambda: files.png(1, 49_000_000, 8, 0, rows=b"")),
    "png-chunks": (REFUSED, lambda: files.png(8, 8, 8, 2, extra=files.chunk(b"abCd", b"") * 2_000_000)),
    "png-text": (REFUSED, lambda: files.png(8, 8, 8, 2, extra=files.chunk(b"zTXt", b"a\0\0" + _bomb()) * 100)),
    "png-profile": (REFUSED, lambda: files.png(8, 8, 8, 2, extra=files.chunk(b"iCCP", b"a\0\0" + _bomb()))),
    "gif-header": (REFUSED, lambda: b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0) + b";"),
    "gif-49": (READ, lambda: files.encoded(Image.new("P", (7000, 7000)), "GIF")),
    "gif-blocks": (REFUSED, lambda: files.gif_of_blocks(12_000_000)),
    "webp-header": (REFUSED, lambda: files.webp_header(16_383, 16_383)),
    "webp-lie": (REFUSED, lambda: files.webp_header(3000, 3000)),
    "webp-12": (READ, lambda: files.encoded(Image.new("RGB", (4080, 3060), "teal"), "WEBP", lossless=True, method=0)),
    "webp-16": (REFUSED, lambda: files.encoded(Image.new("RGB", (4000, 4000)), "WEBP", lossless=True, method=0)),
    "tiff-header": (REFUSED, lambda: files.tiff([(256, 4, 1, HUGE), (257, 4, 1, HUGE), (262, 3, 1, 1)])),
    "tiff-strips": (REFUSED, _strips),
    "tiff-tiles": (REFUSED, _tiles),
    "tiff-big": (REFUSED, lambda: b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**60) + bytes(24_000_000)),
    "tiff-grey-49": (REFUSED, lambda: files.tiff_of_one_strip(7000, 7000, 8, 1)),
    "tiff-grey-25": (READ, lambda: files.tiff_of_one_strip(5000, 5000, 8, 1)),
    "tiff-rgb-25": (READ, lambda: files.tiff_of_one_strip(5000, 5000, 8, 3)),
    "tiff-rgb-49": (REFUSED, lambda: files.tiff_of_one_strip(7000, 7000, 8, 3)),
    "tiff-float-49": (REFUSED, lambda: files.tiff_of_one_strip(7000, 7000, 32, 1, 3)),
    "jpeg-scans": (REFUSED, lambda: files.jpeg_of_many_scans(2000, 2000, 500)),
    "jpeg-99-scans": (REFUSED, lambda: files.jpeg_of_many_scans(4000, 3000, 99)),
    "jpeg-scans-allowed": (READ, lambda: files.jpeg_of_many_scans(2600, 2600, 98)),
    "jpeg-padding": (REFUSED, lambda: b"\xff\xd8" + b"\xff" * 25_000_000),
    "jpeg-comments": (REFUSED, lambda: files.segments(0xFE, b"", 6_000_000)),
    "jpeg-exif": (REFUSED, lambda: files.segments(0xE1, b"Exif\0\0" + bytes(65_000), 380)),
    "jpeg-profile": (REFUSED, lambda: files.segments(0xE2, b"ICC_PROFILE\0\x01\xff" + bytes(65_000), 380)),
    "jpeg-50": (READ, lambda: _photograph(8160, 6112, quality=80)),
    "jpeg-50-progressive": (READ, lambda: _photograph(8160, 6112, quality=80, progressive=True)),
    "jpeg-50-progressive-full": (REFUSED, lambda: _photograph(8160, 6112, quality=60, progressive=True, subsampling=0)),
    "jpeg-1-row": (READ, lambda: files.encoded(Image.new("RGB", (65_500, 1)), "JPEG")),
    "jpeg-1-column": (READ, lambda: files.encoded(Image.new("RGB", (1, 20_000)), "JPEG")),
    "bmp-runs": (REFUSED, lambda: files.bmp_of_runs(5000, 12_000_000)),
    "bmp-header": (REFUSED, lambda: files.bmp_of_runs(HUGE, 8)),
    "avif-12": (READ, lambda: files.encoded(Image.new("RGB", (4000, 3000), "teal"), "AVIF", speed=10)),
    "avif-lie": (EITHER, lambda: _smaller_than_true("AVIF")),
    "heif-lie": (EITHER, lambda: _smaller_than_true("HEIF")),
    "raw-jpeg": (REFUSED, _raw(b"\xff\xd8\xff\xe0")),
    "raw-png": (REFUSED, _raw(files.PNG)),
    "raw-gif": (REFUSED, _raw(b"GIF89a")),
    "raw-bmp": (REFUSED, _raw(b"BM")),
    "raw-tiff": (REFUSED, _raw(b"II*\0\x08\0\0\0")),
    "raw-webp": (REFUSED, _raw(b"RIFF\xff\xff\xff\0WEBPVP8 ")),
    "raw-avif": (REFUSED, _raw(b"\0\0\0\x18ftypavif")),
    "raw-heif": (REFUSED, _raw(b"\0\0\0\x18ftypheic")),
}


def _bomb() -> bytes:
    return zlib.compress(bytes(30_000_000), 9)


def _smaller_than_true(kind: str) -> bytes:
    """A file that says 64 x 64 of a picture of 3000 x 2000."""
    whole = files.encoded(Image.new("RGB", (3000, 2000), "teal"), kind, **({"speed": 10} if kind == "AVIF" else {}))
    return whole.replace(b"ispe\0\0\0\0" + struct.pack(">II", 3000, 2000), b"ispe\0\0\0\0" + struct.pack(">II", 64, 64))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """What each case cost, in one process that does nothing else."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, (_, build) in CASES.items():
        (folder / name).write_bytes(build())
    program = [sys.executable, "-m", "tests.hostile.measure", str(folder)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}


@pytest.mark.skipif(sys.platform != "linux", reason="the measurement reads /proc")
@pytest.mark.parametrize("name", CASES)
def test_a_file_is_read_or_refused_within_bounds(name: str, measured: dict[str, dict]):
    expected, _ = CASES[name]
    found = measured[name]
    assert not found["answer"].startswith("RAISED"), found
    assert expected == EITHER or found["answer"].startswith("RGB ") == (expected == READ), found
    assert found["cpu"] <= SECONDS and found["memory"] <= MEMORY and found["child"] <= MEMORY, found


def test_one_byte_too_many():
    with pytest.raises(ImageError, match="25 MB allowed"):
        images.read_image(bytes(images.MAX_BYTES + 1))
