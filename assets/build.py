"""Draws the pictures that the dashboard shows before anyone has asked for any: ``make assets``.

The article's four classes on EfficientNet-Lite0, each as an animated WebP of the ascent and a PNG of its best moment,
with ``gallery.json`` telling what the network thought at every frame and how to draw it again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from convis_core import class_models, export, images, models
from convis_core.models import LoadedModel
from convis_core.results import ClassModelFrame, Moment

FOLDER = Path(__file__).parent / "class_models"
FRAME_MS = 120
LAST_FRAME_MS = 2000


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One picture of the gallery.

    Attributes:
        id: name of its files.
        target: index of the class.
        seed: of the ascent; chosen by eye among a few.
    """

    id: str
    target: int
    seed: int


GALLERY = (
    Exhibit("flamingo", 130, 0),
    Exhibit("mosque", 668, 0),
    Exhibit("zebra", 340, 0),
    Exhibit("dumbbell", 543, 5),
)


def main() -> None:
    """Draw the gallery and write it to ``assets/class_models``."""
    model = models.load("efficientnet_lite0")
    FOLDER.mkdir(exist_ok=True)
    described = [write(model, exhibit, draw(model, exhibit)) for exhibit in GALLERY]
    (FOLDER / "gallery.json").write_text(json.dumps(described) + "\n")


def draw(model: LoadedModel, exhibit: Exhibit) -> ClassModelFrame:
    """The last frame of an exhibit."""
    *_, frame = class_models.ascend(model, exhibit.target, replace(class_models.MODERN, seed=exhibit.seed))
    return frame


def write(model: LoadedModel, exhibit: Exhibit, frame: ClassModelFrame) -> dict[str, Any]:
    """Write the two pictures of an exhibit, and describe them."""
    recipe = export.Recipe(
        model_id=model.spec.id, picture="", method="class_models.ascend", target=exhibit.target, spec=frame.spec
    )
    film = [_picture(moment) for moment in frame.film]
    durations = [FRAME_MS] * (len(film) - 1) + [LAST_FRAME_MS]
    animation, best = f"{exhibit.id}.webp", f"{exhibit.id}.png"
    (FOLDER / animation).write_bytes(export.webp(film, durations, recipe))
    (FOLDER / best).write_bytes(export.png(_picture(frame.best), recipe))
    print(f"{exhibit.id}: logit {frame.best.logit:.2f}, P {frame.best.probability:.3f} at step {frame.best.step}")
    return {
        "id": exhibit.id,
        "target": exhibit.target,
        "name": model.categories[exhibit.target],
        "animation": animation,
        "best": best,
        "best_frame": _figures([frame.best]),
        "durations_ms": durations,
        "frames": _figures(frame.film),
        "steps": frame.total,
        "recipe": json.loads(recipe.as_json()),
    }


def _picture(moment: Moment) -> Image.Image:
    return images.to_image(moment.pixels / 255)


def _figures(moments: Sequence[Moment]) -> dict[str, list[float]]:
    return {
        "step": [moment.step for moment in moments],
        "logit": [round(moment.logit, 3) for moment in moments],
        "probability": [round(moment.probability, 4) for moment in moments],
        "gradient_norm": [round(moment.gradient_norm, 3) for moment in moments],
    }


if __name__ == "__main__":
    main()
