"""From a file to an upright RGB picture, or to an error that says in one sentence why there is none."""

import struct
import warnings
import zlib
from pathlib import Path

from PIL import Image, ImageFile, UnidentifiedImageError

from convis_core.errors import ImageError
from convis_core.images import apart, colour, headers

ENOUGH = 16_000_000
"""Pixels beyond which a picture is halved while it is read, repeatedly if need be; no network sees the difference."""

DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    BufferError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow's plugins raise on files whose headers do not match their contents."""

_BOUNDED = ("jpeg", "zip", "gif", "raw")
"""Pillow's decoders whose time and memory are known from the header; WebP has no tiles."""

_PLAIN_TIFF = (b"II*\x00", b"MM\x00*")
"""Those whose directory has been checked; the others are BigTIFF and files with the wrong byte order."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(source: str | Path | bytes) -> Image.Image:
    """A picture as upright RGB in sRGB colours, from a file or from bytes.

    The first frame of an animation is used, orientation tags are applied, colour profiles are converted to sRGB,
    transparent parts become white, 16-bit and floating-point values are converted to 8 bits. A picture of more than 16
    million pixels is halved while it is read. Reading takes at most two seconds of one core and 300 MB.

    Args:
        source: path of a file, or the bytes of one: JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC.

    Raises:
        ImageError: when it is not such a picture, is damaged, or takes too much time or memory to read.

    >>> import io
    >>> file = io.BytesIO()
    >>> Image.new("RGBA", (4, 3), (0, 0, 0, 0)).save(file, format="PNG")
    >>> picture = read_image(file.getvalue())
    >>> picture.mode, picture.size, picture.getpixel((0, 0))
    ('RGB', (4, 3), (255, 255, 255))
    >>> read_image(b"not a picture")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    convis_core.errors.ImageError: This is not a picture that can be read; use JPEG, PNG, ...
    """
    content = source if isinstance(source, bytes) else _read_file(Path(source))
    if not content:
        raise ImageError("The file is empty; choose a picture.")
    if len(content) > headers.MAX_BYTES:
        size, limit = len(content) / 2**20, headers.MAX_BYTES // 2**20
        raise ImageError(f"The file has {size:.0f} MB, more than the {limit} MB allowed; save the picture smaller.")
    kind = headers.kind(content)
    if kind is None:
        raise ImageError("This is not a picture that can be read; use JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC.")
    headers.check(content, kind)
    if kind == "HEIF" or (kind == "TIFF" and content[:4] not in _PLAIN_TIFF):
        return apart.decode(content)
    picture = _opened(content, kind)
    suspicious = kind == "AVIF" or any(tile.codec_name not in _BOUNDED for tile in picture.tile)
    return apart.decode(content) if suspicious else _decoded(picture, kind)


def decode(content: bytes, kind: str) -> Image.Image:
    """Decode, in this process, a file whose header has been checked.

    Args:
        content: the file.
        kind: its format, from ``headers.kind``.

    Raises:
        ImageError: when it is damaged or too large.
    """
    return _decoded(_opened(content, kind), kind)


def _opened(content: bytes, kind: str) -> ImageFile.ImageFile:
    try:
        with warnings.catch_warnings():
            # Pillow's own warnings: the size is checked below, and damaged files are refused.
            warnings.simplefilter("ignore")
            picture = Image.open(headers.BoundedFile(content), formats=(kind,))
    except UnidentifiedImageError as error:
        raise ImageError("The picture's header is damaged; save or send it again.") from error
    except DECODER_ERRORS as error:
        raise ImageError("The picture's header is damaged or asks for too much; save it again as PNG.") from error
    headers.check_size(*picture.size, kind)
    return picture


def _decoded(picture: ImageFile.ImageFile, kind: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _upright(picture, kind)
    except MemoryError as error:
        raise ImageError(apart.TOO_MUCH) from error
    except DECODER_ERRORS as error:
        raise ImageError("The picture is damaged or cut off; save or send it again.") from error


def _upright(picture: Image.Image, kind: str) -> Image.Image:
    width, height = picture.size
    halving = 1
    while (width // halving) * (height // halving) > ENOUGH:
        halving *= 2
    # TIFF has a tag of its own; HEIC needs nothing, since its decoder has applied the rotation, whatever EXIF says.
    turned = {"TIFF": _tiff_orientation, "HEIF": lambda _: 1}.get(kind, lambda _: None)(picture)
    if kind == "JPEG" and halving > 1:
        # libjpeg decodes at half the size: a quarter of the memory.
        picture.draft(None, (width // halving, height // halving))
        halving = 1
    picture.load()
    profile = picture.info.get("icc_profile")
    if turned is None:
        turned = headers.orientation(_exif(picture), picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp"))
    flat = colour.flat(picture, halving, profile if isinstance(profile, bytes) else None)
    method = _UPRIGHT.get(turned)
    return flat if method is None else flat.transpose(method)


def _exif(picture: Image.Image) -> bytes | None:
    exif = picture.info.get("exif")
    if exif is None:
        # ImageMagick stores it in a PNG like this: a title, a count and hex digits in lines.
        written = picture.info.get("Raw profile type exif")
        digits = "".join(written.split("\n")[3:]) if isinstance(written, str) else ""
        exif = bytes.fromhex(digits) if digits else None
    return exif if isinstance(exif, bytes) else None


def _tiff_orientation(picture: Image.Image) -> int:
    """A TIFF's orientation; Pillow would apply it itself and fail on bad tags, so that step is disabled."""
    value = getattr(picture, "tag_v2", {}).get(0x0112)
    setattr(picture, "load_end", lambda: None)  # noqa: B010  # mypy forbids the plain assignment
    return value if isinstance(value, int) else 1


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(headers.MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ImageError(f"The file {path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
