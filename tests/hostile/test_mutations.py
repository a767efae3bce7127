"""Files cut off at every kilobyte, changed at random, or two kinds at once: a picture or one sentence."""

import time
import zipfile
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from convis_core import images
from convis_core.errors import ImageError
from convis_core.images import headers, reading
from tests.hostile import files, profiles

register_heif_opener()  # to write HEIC, and to read it here and not in a child process

SAVED = {
    "JPEG": {"quality": 90, "icc_profile": profiles.matrix_profile(profiles.DISPLAY_P3)},
    "progressive": {"quality": 90, "progressive": True},
    "PNG": {"icc_profile": profiles.matrix_profile(profiles.SRGB)},
    "WEBP": {"quality": 90},
    "lossless": {"lossless": True},
    "GIF": {},
    "BMP": {},
    "TIFF": {},
    "deflated": {"compression": "tiff_adobe_deflate"},
    "AVIF": {"speed": 10},
    "HEIF": {},
}
KINDS = {"progressive": "JPEG", "lossless": "WEBP", "deflated": "TIFF"}


def whole(name: str, side: int) -> bytes:
    tag = Image.Exif()
    tag[0x0112] = 6
    return files.encoded(files.noise(side, side), KINDS.get(name, name), exif=tag, **SAVED[name])


def read(content: bytes) -> str:
    """``picture`` or ``refused``; what a child process would do is done here, since hundreds of them take minutes."""
    kind = headers.kind(content)
    try:
        if kind in ("TIFF", "AVIF", "HEIF", "BMP"):
            headers.check(content, kind)
            picture = reading.decode(content, kind)
        else:
            picture = images.read_image(content)
    except ImageError as error:
        assert str(error).endswith(".") and "\n" not in str(error)
        return "refused"
    assert picture.mode == "RGB" and min(picture.size) >= 1
    assert len(picture.tobytes()) == picture.width * picture.height * 3
    return "picture"


@pytest.mark.parametrize("name", SAVED)
def test_cut_off_at_every_kilobyte(name: str):
    content = whole(name, 100)
    assert read(content) == "picture"
    answers = [read(content[:length]) for length in range(0, len(content) - 64, 1024)]
    # Only where enough of the picture has come may anything be shown; a GIF's and a TIFF's end may be missing.
    assert answers.count("refused") >= len(answers) - 1


def changed(content: bytes, seed: int, count: int) -> Iterator[bytes]:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        other = bytearray(content)
        # Half of the changes in the first 200 bytes, where formats keep their sizes.
        for _ in range(rng.integers(1, 6)):
            end = min(200, len(other)) if rng.integers(2) else len(other)
            other[rng.integers(end)] = rng.choice([0, 1, 127, 128, 255, rng.integers(256)])
        cut = rng.integers(4)
        if cut == 0:
            at = rng.integers(len(other))
            del other[at : at + rng.integers(1, 40)]
        elif cut == 1:
            at = rng.integers(len(other))
            other[at:at] = other[at : at + 40]
        yield bytes(other)


@pytest.mark.parametrize("name", SAVED)
def test_changed_at_random(name: str):
    count = {"AVIF": 60, "HEIF": 40}.get(name, 300)
    began = time.process_time()
    answers = [read(content) for content in changed(whole(name, 24), sum(map(ord, name)), count)]
    assert {"picture", "refused"} >= set(answers) and len(answers) == count
    assert time.process_time() - began < 0.05 * count


@pytest.mark.parametrize("name", ["deflated", "AVIF", "HEIF"])
def test_changed_at_random_and_read_by_a_child_process(name: str):
    for content in changed(whole(name, 24), 11, 3):
        try:
            assert images.read_image(content).mode == "RGB"
        except ImageError as error:
            assert str(error).endswith(".")


@pytest.mark.parametrize("name", ["deflated", "AVIF", "HEIF"])
def test_a_child_process_gives_the_same_bits(name: str):
    content = whole(name, 50)
    here = reading.decode(content, KINDS.get(name, name))
    assert np.array_equal(np.asarray(images.read_image(content)), np.asarray(here))


def polyglots() -> dict[str, bytes]:
    jpeg, png, gif = (files.encoded(files.noise(16, 16), kind) for kind in ("JPEG", "PNG", "GIF"))
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("a.txt", "a")
    script = b"<script>alert(1)</script>"
    return {
        "jpeg and zip": jpeg + archive.getvalue(),
        "png and zip": png + archive.getvalue(),
        "gif and jpeg": gif + jpeg,
        "jpeg with a script": jpeg[:2] + b"\xff\xfe\x00\x1b" + script + jpeg[2:],
        "gif and script": gif + script,
    }


@pytest.mark.parametrize("name", polyglots())
def test_a_picture_that_is_something_else_too_is_the_picture(name: str):
    assert images.read_image(polyglots()[name]).size == (16, 16)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"%PDF-1.7\n" + files.encoded(files.noise(8, 8), "JPEG"),
        b"PK\3\4" + files.encoded(files.noise(8, 8), "PNG"),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x7fELF" + bytes(100),
        files.encoded(files.noise(8, 8), "PPM"),
        files.encoded(files.noise(8, 8), "ICO"),
        files.encoded(Image.new("RGB", (8, 8)), "EPS"),
    ],
)
def test_what_is_none_of_the_formats_is_refused(content: bytes):
    with pytest.raises(ImageError):
        images.read_image(content)


def test_of_every_animation_the_first_frame():
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
    for kind, options in {"GIF": {}, "PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}, "AVIF": {}}.items():
        content = files.encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert images.read_image(content).getpixel((8, 8)) == pytest.approx((255, 0, 0), abs=4)
