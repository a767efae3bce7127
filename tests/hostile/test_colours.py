"""Profiles are converted to sRGB, transparent parts are white, and no grey is silently black."""

import struct

import numpy as np
import pytest
from PIL import Image

from convis_core import images
from convis_core.errors import ImageError
from tests.hostile import files, profiles

GREEN = (60, 200, 60)


def read_colour(picture: Image.Image, profile: bytes, kind: str = "PNG") -> tuple[int, ...]:
    return images.read_image(files.encoded(picture, kind, icc_profile=profile)).getpixel((1, 1))


def by_hand(colour: tuple[int, ...], primaries: tuple[tuple[float, ...], ...], gamma: float | None) -> list[float]:
    """The definition: to linear light, to XYZ, to linear sRGB, to its curve."""
    v = np.array(colour) / 255
    linear = v**gamma if gamma else np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    seen = np.linalg.inv(np.array(profiles.SRGB).T) @ np.array(primaries).T @ linear
    seen = seen.clip(0, 1)
    return list(np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055) * 255)


def test_display_p3_becomes_srgb():
    profile = profiles.matrix_profile(profiles.DISPLAY_P3)
    for picture in (Image.new("RGB", (4, 4), GREEN), Image.new("RGBA", (4, 4), (*GREEN, 255))):
        assert read_colour(picture, profile) == (0, 203, 11)
    # The palette's colours too.
    assert read_colour(Image.new("RGB", (4, 4), GREEN).quantize(4), profile) == (0, 203, 11)
    assert read_colour(Image.new("RGBA", (4, 4), (*GREEN, 0)), profile) == (255, 255, 255)


@pytest.mark.parametrize("colour", [(60, 200, 60), (200, 120, 90), (10, 20, 240), (128, 128, 128), (255, 255, 255)])
@pytest.mark.parametrize(
    ("primaries", "gamma"),
    [(profiles.DISPLAY_P3, None), (profiles.ADOBE_RGB, 2.19921875), (profiles.SRGB, 1.0)],
    ids=["p3", "adobe", "linear"],
)
def test_a_profile_does_what_its_definition_says(colour, primaries, gamma):
    seen = read_colour(Image.new("RGB", (4, 4), colour), profiles.matrix_profile(primaries, gamma))
    assert seen == pytest.approx(by_hand(colour, primaries, gamma), abs=1.01)


def test_srgbs_own_profile_changes_no_bit():
    every = files.noise(64, 64)
    content = files.encoded(every, "PNG", icc_profile=profiles.matrix_profile(profiles.SRGB))
    assert np.array_equal(np.asarray(images.read_image(content)), np.asarray(every))


def test_a_grey_profile():
    profile = profiles.grey_profile(1.0)
    assert read_colour(Image.new("L", (4, 4), 100), profile) == pytest.approx((168, 168, 168), abs=1)
    assert read_colour(Image.new("LA", (4, 4), (100, 255)), profile) == pytest.approx((168, 168, 168), abs=1)


def test_a_cmyk_profile():
    profile = profiles.cmyk_profile()
    assert read_colour(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), profile, "TIFF") == (255, 255, 255)
    assert max(read_colour(Image.new("CMYK", (16, 16), (0, 0, 0, 255)), profile, "TIFF")) <= 1
    red, green, blue = read_colour(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), profile, "JPEG")
    assert red < 60 < green < blue < 250  # without the profile it would be (0, 255, 255)


@pytest.mark.parametrize(
    "profile", [b"", b"x", bytes(128), b"\xff" * 5000, profiles.matrix_profile(profiles.SRGB)[:200]]
)
def test_a_broken_profile_is_ignored(profile: bytes):
    assert read_colour(Image.new("RGB", (4, 4), GREEN), profile) == GREEN


def test_a_profile_of_other_colours_than_the_picture_is_ignored():
    assert read_colour(Image.new("RGB", (4, 4), GREEN), profiles.grey_profile(1.0)) == GREEN
    assert read_colour(Image.new("L", (4, 4), 100), profiles.matrix_profile(profiles.DISPLAY_P3)) == (100, 100, 100)


def test_sixteen_bit_grey_with_a_transparent_black_is_its_eight_bit_twin():
    rows8 = b"".join(b"\0" + bytes([0, 50, 255, 0]) for _ in range(4))
    rows16 = b"".join(b"\0" + struct.pack(">4H", 0, 50 * 257, 65_535, 0) for _ in range(4))
    twin = files.png(4, 4, 8, 0, rows=rows8, extra=files.chunk(b"tRNS", b"\0\0"))
    deep = files.png(4, 4, 16, 0, rows=rows16, extra=files.chunk(b"tRNS", b"\0\0"))
    read = np.asarray(images.read_image(deep))
    assert np.array_equal(read, np.asarray(images.read_image(twin)))
    assert read[0, :, 0].tolist() == [255, 50, 255, 255]


def test_sixteen_bit_colour_with_a_transparent_colour():
    rows = b"".join(b"\0" + struct.pack(">6H", 65_535, 0, 0, 0, 65_535, 0) for _ in range(2))
    red_is_clear = files.chunk(b"tRNS", struct.pack(">3H", 65_535, 0, 0))
    read = images.read_image(files.png(2, 2, 16, 2, rows=rows, extra=red_is_clear))
    assert [read.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 255, 0)]


def test_one_bit_with_transparency():
    rows = b"\0\xa0" * 2
    read = images.read_image(files.png(4, 2, 1, 0, rows=rows, extra=files.chunk(b"tRNS", b"\0\0")))
    assert {read.getpixel((x, 0)) for x in range(4)} == {(255, 255, 255)}
    read = images.read_image(files.png(4, 2, 1, 0, rows=rows))
    assert [read.getpixel((x, 0))[0] for x in range(4)] == [255, 0, 255, 0]


def deep_tiff(values: np.ndarray) -> bytes:
    return files.encoded(Image.fromarray(values), "TIFF")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad: float):
    values = np.full((8, 8), 0.5, dtype=np.float32)
    values[3, 4] = bad
    with pytest.raises(ImageError, match="infinite or not numbers"):
        images.read_image(deep_tiff(values))


@pytest.mark.parametrize("value", [-1.0, 70_000.0, 3e38])
def test_a_constant_without_a_scale_is_refused(value: float):
    with pytest.raises(ImageError, match="Every value of the picture"):
        images.read_image(deep_tiff(np.full((8, 8), value, dtype=np.float32)))


@pytest.mark.parametrize(
    ("value", "kind", "grey"), [(0.5, "f4", 128), (0.0, "f4", 0), (1.0, "f4", 255), (7, "i4", 7), (40_000, "i4", 156)]
)
def test_a_constant_with_a_scale_is_that_grey(value: float, kind: str, grey: int):
    assert images.read_image(deep_tiff(np.full((8, 8), value, dtype=kind))).getpixel((2, 2)) == (grey,) * 3


@pytest.mark.parametrize("values", [[1e-6, 2e-6], [-3e38, 3e38], [1e-30, 1.0], [-5.0, 1e6], [0.0, 1e-9]])
def test_values_that_differ_are_never_one_black(values: list[float]):
    read = images.read_image(deep_tiff(np.array([values], dtype=np.float32)))
    assert [read.getpixel((x, 0))[0] for x in range(2)] == [0, 255]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("side", [(1, 1), (1, 20_000), (20_000, 1), (3, 2)])
def test_odd_sizes_in_every_mode(mode: str, side: tuple[int, int]):
    read = images.read_image(files.encoded(Image.new(mode, side), "PNG"))
    assert read.mode == "RGB" and read.size == side
    assert tuple(images.to_tensor(read, 64).shape) == (1, 3, 64, 64)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "I;16"])
def test_halving_a_large_picture_keeps_its_colours(mode: str):
    small = files.noise(50, 40).convert("L" if mode == "I;16" else mode)
    large = small.resize((5000, 4000), Image.Resampling.NEAREST)
    if mode == "I;16":
        large = Image.fromarray(np.asarray(large).astype(np.uint16) * 257)
    read = images.read_image(files.encoded(large, "PNG", compress_level=1))
    assert read.size == (2500, 2000)
    assert np.array_equal(np.asarray(read)[25::50, 25::50], np.asarray(small.convert("RGB")))


def test_a_large_jpeg_gives_the_network_what_the_whole_would_give():
    large = files.noise(125, 100).resize((5000, 4000), Image.Resampling.BICUBIC)
    content = files.encoded(large, "JPEG", quality=92)
    read = images.read_image(content)
    assert read.size == (2500, 2000)
    assert (images.to_tensor(read, 224) - images.to_tensor(large, 224)).abs().mean() < 1 / 255
