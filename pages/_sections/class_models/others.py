"""Is it a zebra to anyone else? A finished picture before the other networks whose weights are here."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch
from PIL import Image
from torch import Tensor

from convis_core import class_models, images, models
from convis_core.errors import ConvisError
from convis_core.figures import class_models as pictures
from convis_core.figures.scores import percent
from convis_core.models import ModelSpec, weights
from convis_core.results import ClassModelFrame, Recognitions
from pages._sections.class_models import draw as class_models_draw
from pages._sections.class_models import gallery
from pages._shell import layout, live, resume, text
from pages._shell.context import Context

SLOT = "class_models_jury"
_MINE = "the one drawn last"
_MEGABYTE = 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """A finished picture.

    Attributes:
        id: of the picture, for keys.
        pixels: float32 [3, S, S] in [0, 1].
        target: index of the class that it was drawn for.
        name: of the class.
        drawn_by: id of the network.
    """

    id: str
    pixels: Tensor
    target: int
    name: str
    drawn_by: str


def draw(context: Context) -> None:
    """The picture, the networks that can be asked, and their answers."""
    canvas = _choose(context)
    if canvas is None:
        layout.sentence("There is no finished picture yet.")
        st.info("Draw a class first, to its end or stopped; then ask the others here.", icon=":material/brush:")
        return
    here, missing = _jury()
    asked = tuple(spec for spec in here if spec.id != canvas.drawn_by)
    order = (*(spec for spec in here if spec.id == canvas.drawn_by), *asked)
    shown, answers = st.columns([1.2, 1.6])
    with shown:
        st.image(
            images.to_image(canvas.pixels).resize((672, 672), Image.Resampling.BICUBIC),
            width="stretch",
            alt=f"The picture drawn for {canvas.name}",
        )
    with answers:
        ids = tuple(spec.id for spec in order)
        pixels, target = canvas.pixels, canvas.target
        live.watch(
            SLOT,
            ("class_models.recognise", canvas.id, target, ids),
            lambda: class_models.recognise_in_turn(ids, pixels, target),
            lambda found, _job: _show(found, canvas),
            height=200,
        )
        if not asked:
            _nobody(canvas, missing)
        elif missing:
            st.caption(f"Not asked, since their weights are not here: {', '.join(spec.label for spec in missing)}.")
    text.render("class_models.others")


def _choose(context: Context) -> Canvas | None:
    """The session's last drawing or a picture of the gallery."""
    run, frame = resume.last(class_models_draw.SLOT)
    offered: dict[str, Canvas] = {}
    if isinstance(frame, ClassModelFrame) and isinstance(getattr(frame.objective, "target", None), int):
        offered[_MINE] = _drawn(context, run[0], frame)
    for exhibit in gallery.exhibits():
        offered[f"{exhibit.name} from the gallery"] = Canvas(
            exhibit.name,
            _loaded(exhibit.best.read_bytes()),
            exhibit.target,
            exhibit.name,
            models.MODELS[0].id,
        )
    if not offered:
        return None
    chosen = st.segmented_control(
        "Which picture",
        list(offered),
        default=next(iter(offered)),
        required=True,
        key="class_models_canvas",
        help="Your own last drawing, at its best step, or one of the gallery.",
    )
    return offered[chosen or next(iter(offered))]


def _drawn(context: Context, model_id: str, frame: ClassModelFrame) -> Canvas:
    target = frame.objective.target  # type: ignore[union-attr]  # asked by the caller
    return Canvas(
        repr((model_id, frame.objective, frame.spec, frame.best.step)),
        frame.best.pixels / 255,
        target,
        context.model.categories[target],
        model_id,
    )


def _loaded(content: bytes) -> Tensor:
    # As it was drawn: a photograph would be cropped on its way to the network.
    return torch.from_numpy(np.array(images.read_image(content))).permute(2, 0, 1) / 255


def _jury() -> tuple[tuple[ModelSpec, ...], tuple[ModelSpec, ...]]:
    """The networks whose weights are here, and the others; nothing is downloaded."""
    here: list[ModelSpec] = []
    missing: list[ModelSpec] = []
    for spec in models.MODELS:
        try:
            found = weights.find(spec.weights)
        except ConvisError:
            # A damaged file of the user's own: the sidebar says so when that network is chosen.
            found = None
        (missing if found is None else here).append(spec)
    return tuple(here), tuple(missing)


def _show(found: Recognitions, canvas: Canvas) -> None:
    layout.figure(
        pictures.recognition(found.given, drawn_by=canvas.drawn_by),
        key="class_models_jury_chart",
        caption=f"P({canvas.name}) of the picture by network; grey: the network that drew it.",
    )
    st.dataframe(
        [
            {
                "Network": answer.label,
                f"P({canvas.name})": percent(answer.probability),
                "Place": answer.rank,
                "Its first choice": answer.prediction.top[0].name,
                "Steady": f"{round(5 * answer.steadiness)} of 5",
            }
            for answer in found.given
        ],
        hide_index=True,
        key="class_models_jury_table",
    )
    others = [answer for answer in found.given if answer.model_id != canvas.drawn_by]
    if others:
        agree = sum(answer.rank == 1 for answer in others)
        layout.sentence(
            f"**{agree} of {len(others)}** other networks put **{canvas.name}** first; the highest of their "
            f"probabilities is {percent(max(answer.probability for answer in others))}."
        )


def _nobody(canvas: Canvas, missing: Sequence[ModelSpec]) -> None:
    layout.sentence("Nobody else can be asked: no other network's weights are on this machine.")
    smallest = min(missing, key=lambda spec: spec.weights.size_bytes)
    st.info(
        f"So whether this is a {canvas.name} to anyone else, this page cannot say. Choose another network "
        f"in the sidebar once and its weights are fetched; the smallest is {smallest.label} "
        f"({smallest.weights.size_bytes / _MEGABYTE:.0f} MB). It is asked here from then on.",
        icon=":material/group_off:",
    )
