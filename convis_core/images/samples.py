"""The sample pictures, and the digest that identifies a picture."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from convis_core.errors import ImageError, SpecError
from convis_core.images.reading import read_image


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


def digest(content: bytes) -> str:
    """The digest that identifies a picture: the SHA-256 of its file's bytes, in hexadecimal digits.

    Args:
        content: the file.

    >>> digest(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(content).hexdigest()


@cache
def sample_bytes(sample_id: str) -> bytes:
    """The file of a sample picture, undecoded.

    Args:
        sample_id: an id from ``SAMPLES``.

    Raises:
        SpecError: when there is no sample of this id.
        ImageError: when scikit-image, which brings the files, is not installed.

    >>> sample_bytes("chelsea")[1:4]
    b'PNG'
    """
    for sample in SAMPLES:
        if sample.id == sample_id:
            return (_skimage_folder() / sample.file_name).read_bytes()
    names = ", ".join(sample.id for sample in SAMPLES)
    raise SpecError(f"There is no sample picture called {sample_id!r}; choose one of {names}.")


def sample(sample_id: str) -> Image.Image:
    """A sample picture by its id.

    Args:
        sample_id: an id from ``SAMPLES``.

    Raises:
        SpecError: when there is no sample of this id.
        ImageError: when scikit-image, which brings the files, is not installed.

    >>> sample("chelsea").size
    (451, 300)
    """
    return read_image(sample_bytes(sample_id))


def _skimage_folder() -> Path:
    # Located without importing scikit-image: that takes a second, and only its files are needed.
    package = find_spec("skimage")
    if package is None or package.origin is None:
        raise ImageError("The sample pictures are missing; run: pip install -r requirements.txt")
    return Path(package.origin).parent / "data"
