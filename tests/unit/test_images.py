"""Every kind of picture is read or refused in one sentence."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pillow_heif import register_heif_opener
from torchvision import transforms

from convis_core import images
from convis_core.errors import ImageError, SpecError

register_heif_opener()  # to write HEIC; reading needs no such call


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format=kind, **options)
    return file.getvalue()


def gradient(width: int = 40, height: int = 30) -> Image.Image:
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3).astype(np.uint8)
    return Image.fromarray(ramp)


@pytest.mark.parametrize("kind", images.FORMATS)
def test_reads_every_format(kind: str):
    picture = images.read_image(encoded(gradient(), kind))
    assert picture.mode == "RGB" and picture.size == (40, 30)
    difference = np.abs(np.asarray(picture, dtype=int) - np.asarray(gradient(), dtype=int))
    assert difference.mean() < (0.01 if kind in ("PNG", "BMP", "TIFF") else 12)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_reads_every_mode(mode: str):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    picture = images.read_image(encoded(gradient().convert(mode), kind))
    assert picture.mode == "RGB" and picture.size == (40, 30)


def test_transparent_parts_are_white():
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert images.read_image(encoded(clear, "PNG")).getpixel((4, 4)) == (255, 255, 255)
    half = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert images.read_image(encoded(half, "PNG")).getpixel((4, 4)) == pytest.approx((127, 127, 127), abs=1)
    palette = Image.new("P", (8, 8), 3)
    palette.putpalette([0, 0, 0] * 256)
    assert images.read_image(encoded(palette, "PNG", transparency=3)).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bits_are_scaled_and_not_cut_off():
    deep = Image.fromarray(np.array([[0, 32768, 65535]], dtype=np.uint16))
    assert [images.read_image(encoded(deep, "PNG")).getpixel((x, 0))[0] for x in range(3)] == [0, 128, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.0, 0.5, 1.0], [0, 128, 255]), ([-1.0, 0.0, 1.0], [0, 128, 255]), ([7.0, 7.0, 7.0], [7, 7, 7])],
)
def test_floating_point_pictures(values: list[float], expected: list[int]):
    picture = Image.fromarray(np.array([values], dtype=np.float32))
    read = images.read_image(encoded(picture, "TIFF"))
    assert [read.getpixel((x, 0))[0] for x in range(3)] == expected


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_tag_is_obeyed(orientation: int):
    stored = gradient(20, 10)
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = images.read_image(encoded(stored, "PNG", exif=exif))
    upright = {
        1: lambda p: p,
        2: lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda p: p.transpose(Image.Transpose.ROTATE_180),
        4: lambda p: p.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda p: p.transpose(Image.Transpose.TRANSPOSE),
        6: lambda p: p.transpose(Image.Transpose.ROTATE_270),
        7: lambda p: p.transpose(Image.Transpose.TRANSVERSE),
        8: lambda p: p.transpose(Image.Transpose.ROTATE_90),
    }[orientation](stored)
    assert np.array_equal(np.asarray(read), np.asarray(upright))


def test_of_an_animation_the_first_frame():
    frames = [Image.new("RGB", (6, 6), colour) for colour in ("red", "green", "blue")]
    animation = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert images.read_image(animation).getpixel((3, 3)) == (255, 0, 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF", "WEBP", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_truncated_file_is_refused_or_read_but_never_breaks(kind: str, share: float):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    whole = encoded(noise, kind)
    with pytest.raises(ImageError):
        images.read_image(whole[: int(len(whole) * share)])


@pytest.mark.parametrize("content", [b"", b"hello", b"<svg/>", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a"])
def test_what_is_no_picture_is_refused(content: bytes):
    with pytest.raises(ImageError):
        images.read_image(content)


def test_a_bomb_is_refused_before_it_is_decoded():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(ImageError, match=r"60000 x 60000|asks for too much"):
        images.read_image(bomb)


def test_too_many_bytes_are_refused():
    with pytest.raises(ImageError, match="25 MB allowed"):
        images.read_image(b"x" * (images.MAX_BYTES + 1))


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(ImageError, match="cannot be read"):
        images.read_image(tmp_path / "none.png")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_read_or_refused(content: bytes):
    for start in (b"", b"BM", b"II*\x00", b"RIFF\x00\x00\x00\x00WEBP", b"GIF89a"):
        with contextlib.suppress(ImageError):
            assert images.read_image(start + content).mode == "RGB"


@pytest.mark.parametrize("size", [(451, 300), (300, 451), (224, 224), (1000, 90), (37, 2000), (8, 8)])
def test_the_tensor_is_what_torchvision_makes(size: tuple[int, int]):
    noise = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    twin = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()])
    assert torch.allclose(images.to_tensor(picture, 224), twin(picture)[None], atol=1.5 / 255)


def test_a_strip_costs_no_more_than_a_square():
    strip = Image.new("RGB", (50_000, 1), "navy")
    x = images.to_tensor(strip, 224)
    assert x.shape == (1, 3, 224, 224)
    assert torch.allclose(x, torch.tensor([0, 0, 128 / 255]).view(1, 3, 1, 1).expand_as(x))


def test_the_crop_box_lies_within_the_picture():
    for width, height in ((451, 300), (1, 1), (3, 4000), (4000, 3), (224, 224)):
        left, top, right, bottom = images.crop_box((width, height), 224)
        assert 0 <= left < right <= width and 0 <= top < bottom <= height


def test_to_image_turns_to_tensor_back():
    x = torch.rand(1, 3, 16, 24)
    back = transforms.ToTensor()(images.to_image(x))
    assert torch.allclose(back, x[0], atol=0.5 / 255 + 1e-6)
    assert images.to_image(torch.full((3, 4, 4), 2.0)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("sample", images.SAMPLES, ids=lambda sample: sample.id)
def test_every_sample_is_there(sample: images.Sample):
    assert min(images.sample(sample.id).size) >= 300


def test_an_unknown_sample():
    with pytest.raises(SpecError, match="chelsea"):
        images.sample("nobody")
