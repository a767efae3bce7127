"""Orientations are obeyed where they can be read; what cannot be read is ignored."""

import struct

import numpy as np
import pytest
from PIL import Image

from convis_core import images
from tests.hostile import files

STORED = files.noise(20, 10)
SHORT, LONG, ASCII, RATIONAL, BYTE = 3, 4, 2, 5, 1

UPRIGHT = {
    1: lambda p: p,
    2: lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda p: p.transpose(Image.Transpose.ROTATE_180),
    4: lambda p: p.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda p: p.transpose(Image.Transpose.TRANSPOSE),
    6: lambda p: p.transpose(Image.Transpose.ROTATE_270),
    7: lambda p: p.transpose(Image.Transpose.TRANSVERSE),
    8: lambda p: p.transpose(Image.Transpose.ROTATE_90),
}


def number(value: int, kind: int, order: str) -> bytes:
    return struct.pack(order + {BYTE: "B", SHORT: "H", LONG: "I"}[kind], value)


def assert_turned(content: bytes, orientation: int) -> None:
    read = images.read_image(content)
    # The same decoder, so that a lossy format's own pixels are turned.
    decoded = images.read_image(files.encoded(STORED, "PNG"))
    assert np.array_equal(np.asarray(read), np.asarray(UPRIGHT[orientation](decoded)))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [BYTE, SHORT, LONG])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_in_every_spelling(orientation: int, kind: int, order: str):
    exif = files.exif([(0x0112, kind, 1, number(orientation, kind, order))], order)
    assert_turned(files.encoded(STORED, "PNG", exif=exif), orientation)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF"])
def test_every_orientation_in_other_formats(orientation: int, kind: str):
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}, "TIFF": {}}[kind]
    tag = Image.Exif()
    tag[0x0112] = orientation
    plain = images.read_image(files.encoded(STORED, kind, **options))
    turned = images.read_image(files.encoded(STORED, kind, exif=tag, **options))
    assert np.array_equal(np.asarray(turned), np.asarray(UPRIGHT[orientation](plain)))


@pytest.mark.parametrize(
    "beside",
    [
        (0x011A, ASCII, 4, b"300\0"),  # XResolution as text
        (0x0128, ASCII, 4, b"dpi\0"),  # ResolutionUnit as text
        (0x011A, RATIONAL, 1, struct.pack("<I", 2**31)),  # beyond the end
        (0x8769, LONG, 1, struct.pack("<I", 8)),  # a directory that contains itself
        (0x8769, ASCII, 2**32 - 1, b"\xff\xff\xff\xff"),
        (0x0100, 99, 1, b"xxxx"),  # a type that does not exist
    ],
    ids=["resolution", "unit", "offset", "circle", "count", "type"],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_broken_tag_beside_the_orientation_is_ignored(beside: tuple[int, int, int, bytes], kind: str):
    entries = sorted([beside, (0x0112, SHORT, 1, struct.pack("<H", 6))])
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}, "PNG": {}}[kind]
    plain = images.read_image(files.encoded(STORED, kind, **options))
    turned = images.read_image(files.encoded(STORED, kind, exif=files.exif(entries), **options))
    assert np.array_equal(np.asarray(turned), np.asarray(UPRIGHT[6](plain)))


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"Exif\0\0MM\0*\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
        b"Exif\0\0" + bytes(100),
        b"\xff" * 300,
        files.exif([(0x0112, SHORT, 1, struct.pack("<H", 0))]),
        files.exif([(0x0112, SHORT, 1, struct.pack("<H", 9))]),
        files.exif([(0x0112, ASCII, 1, b"6\0\0\0")]),
    ],
)
def test_an_orientation_that_cannot_be_read_is_ignored(exif: bytes):
    assert_turned(files.encoded(STORED, "PNG", exif=exif), 1)


def test_random_exif_never_breaks():
    rng = np.random.default_rng(5)
    good = files.exif([(0x0112, SHORT, 1, struct.pack("<H", 6)), (0x011A, RATIONAL, 1, struct.pack("<I", 30))])
    for _ in range(500):
        broken = bytearray(good)
        for at in rng.integers(6, len(good), 3):
            broken[at] = rng.integers(256)
        read = images.read_image(files.encoded(STORED, "JPEG", exif=bytes(broken)))
        assert read.mode == "RGB" and sorted(read.size) == [10, 20]


def test_an_orientation_in_xmp_alone_is_obeyed():
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    plain = images.read_image(files.encoded(STORED, "JPEG"))
    turned = images.read_image(files.encoded(STORED, "JPEG", xmp=xmp))
    assert np.array_equal(np.asarray(turned), np.asarray(UPRIGHT[6](plain)))


def test_a_tiff_whose_orientation_is_no_number_is_read():
    body = bytes(range(200))
    entries = [(256, 4, 1, 20), (257, 4, 1, 10), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
    whole = files.tiff([*entries, (0x0112, ASCII, 4, 0x00363636), (278, 4, 1, 10), (279, 4, 1, 200)], body)
    assert images.read_image(whole).size == (20, 10)


def test_of_several_pictures_in_one_jpeg_the_first():
    red, blue = Image.new("RGB", (32, 24), "red"), Image.new("RGB", (16, 12), "blue")
    several = files.encoded(red, "MPO", save_all=True, append_images=[blue])
    read = images.read_image(several)
    assert read.size == (32, 24) and read.getpixel((5, 5))[0] > 250
