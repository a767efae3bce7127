"""Results as files that say how they were made: PNG, GIF, WebP, NPZ, CSV, and the recipe as Python."""

import csv as comma_separated
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from convis_core import CORE_VERSION, images
from convis_core.errors import SpecError

RECIPE_KEY = "convis-recipe"

_IN_FRAMES = {
    "class_models.ascend",
    "gradients.integrated_gradients",
    "gradients.smoothgrad",
    "occlusion.occlusion",
    "trust.deletion_insertion",
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that is needed to compute a result again.

    Attributes:
        model_id: id of the network.
        picture: id of a sample picture, or the sha256 of the file.
        method: the function of the core, such as "gradients.saliency".
        target: index of the class; None where there is none.
        spec: the specification, a frozen record; None where the function takes none.
        options: further arguments by name.
        version: of the core.
    """

    model_id: str
    picture: str
    method: str
    target: int | None = None
    spec: Any = None
    options: tuple[tuple[str, str | int], ...] = ()
    version: str = CORE_VERSION

    def as_json(self) -> str:
        """The recipe as one line of JSON; the specification's fields by name."""
        fields = {name: getattr(self, name) for name in ("model_id", "picture", "method", "target", "version")}
        fields |= dict(self.options)
        if is_dataclass(self.spec) and not isinstance(self.spec, type):
            fields["spec"] = {"kind": type(self.spec).__name__, **asdict(self.spec)}
        return json.dumps(fields, default=str)

    def as_python(self) -> str:
        """The recipe as a script that computes the result again with this package.

        A picture that somebody brought is read from ``picture.png``: its own name is not known.
        """
        room = self.method.split(".")[0]
        is_sample = self.picture in {sample.id for sample in images.SAMPLES}
        read = f'images.sample("{self.picture}")' if is_sample else 'images.read_image("picture.png")'
        arguments = ["model", "x", *([] if self.target is None else [str(self.target)])]
        lines = [
            f"# Convis {self.version}",
            f"from convis_core import {', '.join(sorted({room, 'images', 'models', 'results'}))}",
            "",
            f'model = models.load("{self.model_id}")',
            f"x = images.to_tensor({read}, model.input_size)" + ("" if is_sample else f"  # {self.picture}"),
        ]
        if self.spec is not None:
            lines.append(f"spec = results.{self.spec!r}")
            arguments.append("spec")
        arguments += [f"{name}={value!r}" for name, value in self.options]
        # Of a computation that comes in ever better frames, the last.
        lines.append(f"{'*_, ' if self.method in _IN_FRAMES else ''}result = {self.method}({', '.join(arguments)})")
        return "\n".join(lines) + "\n"


def png(picture: Image.Image, recipe: Recipe) -> bytes:
    """A PNG file with the recipe among its text fields, under ``RECIPE_KEY``."""
    info = PngInfo()
    info.add_itxt(RECIPE_KEY, recipe.as_json())
    return _saved(picture, format="PNG", pnginfo=info)


def gif(frames: Sequence[Image.Image], durations: Sequence[int], recipe: Recipe) -> bytes:
    """An endlessly looping GIF whose comment is the recipe.

    Args:
        frames: at least one picture, all of one size.
        durations: how long each is shown, in milliseconds; GIF counts in steps of 10.
        recipe: how the frames were made.

    Raises:
        SpecError: when there is no frame, or not one duration for each.
    """
    _check_frames(frames, durations)
    palette = [frame.convert("RGB").quantize(colors=255, method=Image.Quantize.MEDIANCUT) for frame in frames]
    for before, frame in pairwise(palette):
        if before.convert("RGB").tobytes() == frame.convert("RGB").tobytes():
            _disturb_corner(frame)
    return _saved(
        palette[0],
        format="GIF",
        save_all=True,
        append_images=palette[1:],
        duration=list(durations),
        loop=0,
        comment=recipe.as_json().encode(),
        optimize=False,
        disposal=1,
    )


def webp(frames: Sequence[Image.Image], durations: Sequence[int], recipe: Recipe) -> bytes:
    """An endlessly looping WebP, several times smaller than the GIF; the recipe is its XMP packet.

    Args:
        frames: at least one picture, all of one size.
        durations: how long each is shown, in milliseconds.
        recipe: how the frames were made.

    Raises:
        SpecError: when there is no frame, or not one duration for each.
    """
    _check_frames(frames, durations)
    return _saved(
        frames[0].convert("RGB"),
        format="WEBP",
        save_all=True,
        append_images=[frame.convert("RGB") for frame in frames[1:]],
        duration=list(durations),
        loop=0,
        quality=80,
        xmp=recipe.as_json().encode(),
    )


def npz(arrays: Mapping[str, Tensor | np.ndarray], recipe: Recipe) -> bytes:
    """A compressed NumPy archive; its entry ``recipe`` is the recipe as JSON.

    Args:
        arrays: name -> values.
        recipe: how they were made.
    """
    named = {name: value.numpy() if isinstance(value, Tensor) else value for name, value in arrays.items()}
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, recipe=np.array(recipe.as_json()), **named)
    return file.getvalue()


def csv(header: Sequence[str], rows: Iterable[Sequence[object]], recipe: Recipe) -> bytes:
    """A table as UTF-8 CSV; its first line is the recipe behind a ``#``."""
    text = io.StringIO()
    text.write(f"# {RECIPE_KEY}: {recipe.as_json()}\n")
    writer = comma_separated.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _saved(picture: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, **options)
    return file.getvalue()


def _disturb_corner(frame: Image.Image) -> None:
    """Change one pixel by one step of one colour: Pillow would merge equal neighbours, and frames would be missing."""
    red, green, blue = frame.convert("RGB").getpixel((0, 0))  # type: ignore[misc]
    colours = (frame.getpalette() or [])[: 255 * 3]
    colours += [0] * (255 * 3 - len(colours))
    frame.putpalette([*colours, red, green, blue - 1 if blue else 1])
    frame.putpixel((0, 0), 255)


def _check_frames(frames: Sequence[Image.Image], durations: Sequence[int]) -> None:
    if not frames or len(frames) != len(durations):
        raise SpecError(f"An animation needs a duration for each frame; got {len(frames)} and {len(durations)}.")
