"""Pictures of any mode as RGB in sRGB colours: profiles, transparency, greys of more than 8 bits."""

import io
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from convis_core.errors import ImageError

_STRIP = 1 << 20  # pixels converted at a time, so that there is never a second copy of a large picture
_MAX_PROFILE = 4 * 1024 * 1024
_SAME = 1  # steps of 255 by which a profile may differ from sRGB and still count as sRGB


def flat(picture: Image.Image, halving: int = 1, profile: bytes | None = None) -> Image.Image:
    """A decoded picture as RGB: opaque, 8 bits per channel, in sRGB colours.

    Args:
        picture: of any of Pillow's modes.
        halving: 1, or the power of two by which to shrink it.
        profile: its ICC profile, if it has one; ignored when it is broken.

    Raises:
        ImageError: when its values have no range, or are not finite.
    """
    deep = picture.mode.startswith(("I", "F"))
    bounds = _bounds(picture) if deep else (0.0, 0.0)
    transform = None if deep else _transform(picture, profile)
    if picture.mode == "RGB" and halving == 1 and transform is None and not picture.has_transparency_data:
        return picture
    width, height = picture.size
    out = Image.new("RGB", (-(-width // halving), -(-height // halving)))
    rows = max(_STRIP // width // halving, 1) * halving
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(top + rows, height)))
        rgb = _grey(strip, bounds) if deep else _opaque(strip, transform)
        out.paste(rgb.reduce(halving) if halving > 1 else rgb, (0, top // halving))
    return out


def _opaque(strip: Image.Image, transform: Any) -> Image.Image:
    if not strip.has_transparency_data:
        if transform is None:
            return strip.convert("RGB")
        plain = strip if strip.mode in ("L", "CMYK", "RGB") else strip.convert("RGB")
        return _applied(plain, transform)
    transparent = strip.info.get("transparency")
    if strip.mode == "RGB" and isinstance(transparent, tuple) and max(transparent) > 255:
        # The colour has 16 bits per channel, and Pillow has reduced the picture to the upper eight.
        strip.info["transparency"] = tuple(value >> 8 for value in transparent)
    layer = strip.convert("RGBA")
    if transform is not None:
        colours = layer.convert("L" if strip.mode in ("L", "LA", "1") else "RGB")
        converted = _applied(colours, transform)
        converted.putalpha(layer.getchannel("A"))
        layer = converted
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _transform(picture: Image.Image, profile: bytes | None) -> Any:
    """The conversion from a picture's colours to sRGB; None without a profile, with a broken one or with sRGB's own."""
    if not profile or len(profile) > _MAX_PROFILE:
        return None
    mode = {"L": "L", "LA": "L", "1": "L", "CMYK": "CMYK"}.get(picture.mode, "RGB")
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if own.profile.xcolor_space.strip() != {"L": "GRAY"}.get(mode, mode):
            return None
        transform = ImageCms.buildTransform(own, _srgb(), mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
        if mode != "CMYK":
            probe = _probe().convert(mode)
            converted = np.asarray(_applied(probe, transform), dtype=np.int16)
            if np.abs(converted - np.asarray(probe.convert("RGB"), dtype=np.int16)).max() <= _SAME:
                return None
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
        return None
    return transform


def _applied(picture: Image.Image, transform: Any) -> Image.Image:
    converted = ImageCms.applyTransform(picture, transform)
    if converted is None:  # only when asked to work in place
        raise ValueError("no picture came back")
    return converted


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@cache
def _probe() -> Image.Image:
    """A regular grid of colours over the RGB cube, greys included."""
    steps = np.linspace(0, 255, 16).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    return Image.fromarray(colours.reshape(64, 64, 3))


def _strips(picture: Image.Image) -> list[tuple[int, int, int, int]]:
    rows = max(_STRIP // picture.width, 1)
    return [(0, top, picture.width, min(top + rows, picture.height)) for top in range(0, picture.height, rows)]


def _bounds(picture: Image.Image) -> tuple[float, float]:
    """The values that become black and white; Pillow alone would clip everything at 255.

    16-bit files have a defined range. For others it is 16 bits if they fit, [0, 1] for floats, else the range of their
    values.
    """
    if picture.mode.startswith("I;16"):
        return 0.0, 65535.0
    strips = [np.asarray(picture.crop(box)) for box in _strips(picture)]
    if not all(np.isfinite(strip).all() for strip in strips):
        raise ImageError("The picture has values that are infinite or not numbers; save it with 8 or 16 bits.")
    low, high = min(float(strip.min()) for strip in strips), max(float(strip.max()) for strip in strips)
    for white in (1.0,) if picture.mode == "F" and high <= 1 else (255.0, 65535.0):
        # Values that differ but would all become black are stretched instead.
        if low >= 0 and high <= white and (low == high or round(high * 255 / white) > 0):
            return 0.0, white
    if low == high:
        raise ImageError(
            f"Every value of the picture is {low:g}, and nothing says which grey that is; save it with 8 or 16 bits."
        )
    return low, high


def _grey(strip: Image.Image, bounds: tuple[float, float]) -> Image.Image:
    values = np.asarray(strip, dtype=np.float64)
    low, high = bounds
    scaled = values / 257 if bounds == (0.0, 65535.0) else (values - low) / (high - low) * 255
    grey = scaled.round().clip(0, 255).astype(np.uint8)
    transparent = strip.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB")
