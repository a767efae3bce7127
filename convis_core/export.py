"""Results as files that record how they were computed: PNG, GIF, WebP, NPZ, CSV, and the recipe as Python."""

import csv as comma_separated
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from convis_core import CORE_VERSION, images
from convis_core.errors import SpecError
from convis_core.results import Objective

RECIPE_KEY = "convis-recipe"

_IN_FRAMES = {
    "class_models.ascend",
    "class_models.deep_dream",
    "occlusion.occlusion",
}
"""Functions that yield successive estimates, besides those of ``attribution`` that take a specification."""

_ARGUMENTS = {
    "class_models.ascend": ("model", "target"),
    "segmentation.grabcut": ("img", "explained"),
    "attribution.sanity.deletion_insertion": ("model", "x", "explained"),
}
"""Arguments before the specification, where they are not the model, the picture and the target."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything needed to compute a result again.

    Attributes:
        model_id: id of the network.
        picture: id of a sample picture, or the sha256 of the file; empty where there is none.
        method: the function in ``convis_core``, such as "attribution.saliency".
        target: index of the class, or the record of another objective; None where there is none.
        spec: the specification, a frozen record; None where the function takes none.
        options: further arguments by name.
        version: of the core.
        attribution: recipe of the map that the function takes; None where it takes none.
    """

    model_id: str
    picture: str
    method: str
    target: int | Objective | None = None
    spec: Any = None
    options: tuple[tuple[str, str | int], ...] = ()
    version: str = CORE_VERSION
    attribution: "Recipe | None" = None

    def as_json(self) -> str:
        """The recipe as one line of JSON; the fields of specifications and objectives by name.

        >>> json.loads(Recipe("vgg16", "coffee", "attribution.grad_cam", 504).as_json())["target"]
        504
        """
        return json.dumps(self._as_fields(), default=str)

    def _as_fields(self) -> dict[str, Any]:
        known: dict[str, Any] = {"model_id": self.model_id, "picture": self.picture, "method": self.method}
        known |= {"target": _named(self.target), "version": self.version} | dict(self.options)
        if self.spec is not None:
            known["spec"] = _named(self.spec)
        if self.attribution is not None:
            known["attribution"] = self.attribution._as_fields()
        return known

    def as_python(self) -> str:
        """The recipe as a script that computes the result again with this package.

        An uploaded picture is read from ``picture.png``, since its own name is not known.

        >>> recipe = Recipe("efficientnet_lite0", "chelsea", "attribution.saliency", 281)
        >>> recipe.as_python().splitlines()[-3:]  # doctest: +NORMALIZE_WHITESPACE
        ['img = images.sample("chelsea")',
         'x = images.to_tensor(img, model.input_size)',
         'result = attribution.saliency(model, x, 281)']
        """
        steps = [self] if self.attribution is None else [self.attribution, self]
        calls = [step._call("result" if step is self else "explained") for step in steps]
        modules = {step.method.split(".")[0] for step in steps} | {"models"}
        if self.picture or self.method == "class_models.ascend":
            modules.add("images")
        records = sorted({name for step in steps for name in _records((step.target, step.spec))})
        lines = [f"# Convis {self.version}", f"from convis_core import {', '.join(sorted(modules))}"]
        if records:
            lines.append(f"from convis_core.results import {', '.join(records)}")
        lines += ["", f'model = models.load("{self.model_id}")']
        if self.picture:
            is_sample = self.picture in {sample.id for sample in images.SAMPLES}
            read = f'images.sample("{self.picture}")' if is_sample else 'images.read_image("picture.png")'
            lines.append(f"img = {read}" + ("" if is_sample else f"  # {self.picture}"))
            lines.append("x = images.to_tensor(img, model.input_size)")
        if self.method == "class_models.ascend":  # the file offered next to the recipe
            calls.append('images.to_image(result.best.pixels / 255).save("class-model.png")')
        return "\n".join([*lines, *calls]) + "\n"

    def _call(self, name: str) -> str:
        before = _ARGUMENTS.get(self.method, ("model", "x", "target"))
        arguments = [repr(self.target) if argument == "target" else argument for argument in before]
        if self.target is None and "target" in before:
            arguments.remove("None")
        arguments += [] if self.spec is None else [repr(self.spec)]
        arguments += [f"{option}={value!r}" for option, value in self.options]
        if self.method == "class_models.ascend" and self.picture:
            arguments.append("picture=x")
        # Of a computation that yields successive estimates, the last.
        in_frames = self.method in _IN_FRAMES or (self.method.startswith("attribution.") and self.spec is not None)
        return f"{'*_, ' if in_frames else ''}{name} = {self.method}({', '.join(arguments)})"


def _named(value: Any) -> Any:
    """A record as its fields and its name; anything else as it is."""
    if is_dataclass(value) and not isinstance(value, type):
        return {"kind": type(value).__name__} | {
            field.name: _named(getattr(value, field.name)) for field in fields(value)
        }
    return value


def _records(value: Any) -> set[str]:
    """Names of all records that a value contains."""
    if isinstance(value, tuple):
        return {name for part in value for name in _records(part)}
    if is_dataclass(value) and not isinstance(value, type):
        return {type(value).__name__}.union(*(_records(getattr(value, field.name)) for field in fields(value)))
    return set()


def png(picture: Image.Image, recipe: Recipe) -> bytes:
    """A PNG file with the recipe in its text field ``RECIPE_KEY``.

    >>> recipe = Recipe("efficientnet_lite0", "chelsea", "attribution.saliency", 281)
    >>> file = png(Image.new("RGB", (4, 4)), recipe)
    >>> Image.open(io.BytesIO(file)).text[RECIPE_KEY] == recipe.as_json()
    True
    """
    info = PngInfo()
    info.add_itxt(RECIPE_KEY, recipe.as_json())
    return _saved(picture, format="PNG", pnginfo=info)


def gif(frames: Sequence[Image.Image], durations: Sequence[int], recipe: Recipe) -> bytes:
    """An endlessly looping GIF whose comment is the recipe.

    Args:
        frames: at least one picture, all of one size.
        durations: of each frame, in milliseconds; GIF counts in steps of 10.
        recipe: how the frames were made.

    Raises:
        SpecError: when there is no frame, or not one duration for each.

    >>> recipe = Recipe("efficientnet_lite0", "chelsea", "attribution.saliency", 281)
    >>> frames = [Image.new("RGB", (4, 4), colour) for colour in ("black", "white")]
    >>> animation = Image.open(io.BytesIO(gif(frames, [100, 200], recipe)))
    >>> animation.n_frames, animation.info["comment"] == recipe.as_json().encode()
    (2, True)
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
    """An endlessly looping WebP, several times smaller than a GIF, whose XMP packet is the recipe.

    Args:
        frames: at least one picture, all of one size.
        durations: of each frame, in milliseconds.
        recipe: how the frames were made.

    Raises:
        SpecError: when there is no frame, or not one duration for each.

    >>> recipe = Recipe("efficientnet_lite0", "chelsea", "attribution.saliency", 281)
    >>> frames = [Image.new("RGB", (4, 4), colour) for colour in ("black", "white")]
    >>> animation = Image.open(io.BytesIO(webp(frames, [100, 200], recipe)))
    >>> animation.n_frames, animation.info["xmp"] == recipe.as_json().encode()
    (2, True)
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

    >>> recipe = Recipe("efficientnet_lite0", "chelsea", "attribution.saliency", 281)
    >>> archive = np.load(io.BytesIO(npz({"map": np.zeros((4, 4))}, recipe)))
    >>> sorted(archive), str(archive["recipe"]) == recipe.as_json()
    (['map', 'recipe'], True)
    """
    named = {name: value.numpy() if isinstance(value, Tensor) else value for name, value in arrays.items()}
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, recipe=np.array(recipe.as_json()), **named)
    return file.getvalue()


def csv(header: Sequence[str], rows: Iterable[Sequence[object]], recipe: Recipe) -> bytes:
    """A table as UTF-8 CSV, whose first line is the recipe as a comment after ``#``.

    >>> recipe = Recipe("efficientnet_lite0", "chelsea", "attribution.saliency", 281)
    >>> csv(("class", "logit"), [("tabby", 8.5)], recipe).decode().splitlines()[1:]
    ['class,logit', 'tabby,8.5']
    """
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
