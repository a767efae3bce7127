"""Pictures: bytes to PIL to tensor and back, the sample pictures, and every refusal of a bad picture."""

import hashlib
import io
import warnings
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from convis_core.errors import ImageError, SpecError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MAX_BYTES = 25 * 1024 * 1024
MAX_PIXELS = 50_000_000

_RESIZE_OVER_CROP = 256 / 224
"""ImageNet's networks are tested on the central 224 of 256 pixels; the ratio is kept at other sizes."""

Box: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture that comes with Convis.

    Attributes:
        id: its name, as scikit-image calls it.
        caption: what it shows.
        file_name: its file within scikit-image.
    """

    id: str
    caption: str
    file_name: str


SAMPLES: tuple[Sample, ...] = (
    Sample("chelsea", "Chelsea, a tabby cat", "chelsea.png"),
    Sample("coffee", "A cup of coffee on a table", "coffee.png"),
    Sample("motorcycle", "A motorcycle in a garage", "motorcycle_left.png"),
    Sample("camera", "A photographer, in grey", "camera.png"),
    Sample("rocket", "A rocket at its launch", "rocket.jpg"),
)


def read_image(source: str | Path | bytes) -> Image.Image:
    """A picture as upright RGB, from a file or from bytes.

    The first frame of an animation is taken, orientation tags are obeyed, transparent parts become white, 16-bit
    and floating-point values are brought to 8 bits.

    Args:
        source: path of a file, or the bytes of one: JPEG, PNG, WebP, GIF, BMP or TIFF.

    Raises:
        ImageError: when it is not such a picture, is truncated, or has more than ``MAX_BYTES`` or ``MAX_PIXELS``.
    """
    content = source if isinstance(source, bytes) else _read_file(Path(source))
    if not content:
        raise ImageError("The file is empty; choose a picture.")
    if len(content) > MAX_BYTES:
        size, limit = len(content) / 2**20, MAX_BYTES // 2**20
        raise ImageError(f"The file has {size:.0f} MB, more than the {limit} MB allowed; save the picture smaller.")
    try:
        with warnings.catch_warnings():
            # Pillow's own warnings: the size is checked below, and what is damaged is refused.
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise ImageError("This is not a picture that can be read; use JPEG, PNG, WebP, GIF, BMP or TIFF.") from error
    except (Image.DecompressionBombError, OSError, ValueError, SyntaxError, MemoryError) as error:
        raise ImageError("The picture's header is damaged or asks for too much; save it again as PNG.") from error
    width, height = picture.size
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise ImageError(f"The picture has {width} x {height} pixels, more than {limit} million; make it smaller.")
    try:
        picture.load()
        return _upright_rgb(picture)
    except (OSError, ValueError, SyntaxError, IndexError, EOFError, MemoryError) as error:
        raise ImageError("The picture is damaged or cut off; save or send it again.") from error


def to_tensor(picture: Image.Image, size: int) -> Tensor:
    """The network's view of a picture: shorter side resized to ``size * 256/224``, centre cropped.

    One resampling of the central square, so that a strip of 1 x 50000 pixels costs no more than a square; the
    values are those of torchvision's Resize and CenterCrop, to within a rounding step of 1/255.

    Args:
        picture: RGB.
        size: side S of the network's input, in pixels.

    Returns:
        float32 [1, 3, S, S] in [0, 1].
    """
    square = picture.convert("RGB").resize((size, size), Image.Resampling.BILINEAR, box=crop_box(picture.size, size))
    values = torch.from_numpy(np.array(square, dtype=np.uint8))
    return values.permute(2, 0, 1).unsqueeze(0).contiguous().float() / 255


def crop_box(size: tuple[int, int], side: int) -> Box:
    """The part of a picture that the network sees: (left, top, right, bottom) in the picture's own pixels.

    Args:
        size: width and height of the picture.
        side: side S of the network's input.
    """
    width, height = size
    shorter = round(side * _RESIZE_OVER_CROP)
    if width <= height:
        resized_width, resized_height = shorter, max(shorter, int(shorter * height / width))
    else:
        resized_width, resized_height = max(shorter, int(shorter * width / height)), shorter
    left, top = round((resized_width - side) / 2), round((resized_height - side) / 2)
    across, down = width / resized_width, height / resized_height
    return left * across, top * down, (left + side) * across, (top + side) * down


def view(picture: Image.Image, size: int, *, pixels: int) -> Image.Image:
    """The part of a picture that the network sees, sharper than the network sees it, for people to look at.

    Args:
        picture: RGB.
        size: side S of the network's input.
        pixels: side of the square returned.
    """
    box = crop_box(picture.size, size)
    return picture.convert("RGB").resize((pixels, pixels), Image.Resampling.LANCZOS, box=box)


def to_image(x: Tensor) -> Image.Image:
    """A tensor in [0, 1] as a picture: [3, H, W] or [1, 3, H, W] to RGB; values outside are clipped."""
    values = x.detach().cpu()
    values = values[0] if values.dim() == 4 else values
    pixels = (values.clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy(), mode="RGB")


def digest(content: bytes) -> str:
    """The name under which a picture is known: the sha256 of its bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


@cache
def sample_bytes(sample_id: str) -> bytes:
    """The file of a sample picture.

    Raises:
        SpecError: when there is no sample of this id.
    """
    for sample in SAMPLES:
        if sample.id == sample_id:
            return (_skimage_folder() / sample.file_name).read_bytes()
    names = ", ".join(sample.id for sample in SAMPLES)
    raise SpecError(f"There is no sample picture called {sample_id!r}; choose one of {names}.")


def sample(sample_id: str) -> Image.Image:
    """A sample picture by its id.

    Raises:
        SpecError: when there is no sample of this id.
    """
    return read_image(sample_bytes(sample_id))


def _skimage_folder() -> Path:
    # Found without importing scikit-image: that costs a second, and only its files are wanted.
    found = find_spec("skimage")
    if found is None or found.origin is None:
        raise ImageError("The sample pictures are missing; run: pip install -r requirements.txt")
    return Path(found.origin).parent / "data"


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ImageError(f"The file {path} cannot be read: {error.strerror or error}.") from error


def _upright_rgb(picture: Image.Image) -> Image.Image:
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith(("I", "F")):
        return _from_deep(upright)
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return upright.convert("RGB")


def _from_deep(picture: Image.Image) -> Image.Image:
    """16-bit, 32-bit and floating-point greys as 8 bits; Pillow alone would cut them off at 255."""
    values = np.nan_to_num(np.asarray(picture, dtype=np.float64))
    if picture.mode.startswith("I;16"):
        scaled = values / 257
    else:
        # No fixed range: 16 bits if they fit, [0, 1] for floats, else whatever range there is.
        low, high = float(values.min()), float(values.max())
        if low >= 0 and high <= 1 and picture.mode == "F":
            scaled = values * 255
        elif low >= 0 and high <= 255:
            scaled = values
        elif low >= 0 and high <= 65535:
            scaled = values / 257
        else:
            scaled = (values - low) / (high - low) * 255
    grey = Image.fromarray(scaled.round().clip(0, 255).astype(np.uint8), mode="L")
    return grey.convert("RGB")
