"""Why smooth? The derivative at one pixel while the picture changes too little for the eye to see."""

import math
from collections.abc import Callable

import streamlit as st

from convis_core import attribution, images
from convis_core.errors import ConvisError
from convis_core.figures import saliency as figures
from convis_core.results import NoiseWalk, NoiseWalkSpec, SheetLayout
from pages._sections.saliency import pace
from pages._shell import cache, clickable, layout, live, text
from pages._shell import controls as widgets
from pages._shell.context import Context

SLOT = "saliency_walk"
STEPS = 96
_ROW, _COLUMN = "saliency_row", "saliency_column"
_SIDE = 448
_PROPORTIONS = (2.6, 1)
"""Of the chart and the two pictures beside it."""
_UNSEEN = 0.03
"""Noise up to this share of the range is hard to see on a photograph."""


def draw(context: Context) -> None:
    """The pixel and the noise, the derivative along the way, and both ends of the way as pictures."""
    asked, answer = st.columns([1, 3.7])
    with asked:
        noise = widgets.slider(
            "Noise at the end",
            (0.5, 10.0, 0.5),
            2.0,
            format="%.1f %%",
            key="saliency_walk_noise",
            help="Standard deviation in percent of the picture's range, 0.5 to 10. At 2 the eye sees no change.",
        )
        pixel = _pixel(context)
    spec = NoiseWalkSpec(noise_level=noise / 100, steps=STEPS)
    with answer:
        if not pace.agreed(context, SLOT, pace.expected_seconds(context, gradients=spec.steps), spec, pixel):
            return
        model, x, target = context.model, context.x, context.target
        live.watch(
            SLOT,
            context.key("attribution.derivative_along_noise", target, pixel, spec),
            lambda: attribution.derivative_along_noise(model, x, target, pixel, spec),
            lambda frame, _job: _show(context, frame),
            height=480,
        )
    text.render("saliency.walk")


def _pixel(context: Context) -> tuple[int, int]:
    """The pixel looked at: clicked, typed, or else the most sensitive one."""
    model, x, target = context.model, context.x, context.target
    try:
        found = cache.compute(
            context.key("attribution.saliency", target), lambda: attribution.saliency(model, x, target)
        )
        strongest = attribution.strongest_pixel(found)
    except ConvisError as error:
        text.refuse(error)
        strongest = (0, 0)
    down, across = st.columns(2)
    last = model.input_size - 1
    row = _field(down, "Row", _ROW, last)
    column = _field(across, "Column", _COLUMN, last)
    return strongest[0] if row is None else row, strongest[1] if column is None else column


def _field(place: st.delta_generator.DeltaGenerator, label: str, key: str, last: int) -> int | None:
    return widgets.optional_number(
        label,
        0,
        1024,
        last=last,
        key=key,
        place=place,
        placeholder="most",
        help="Of the pixel, from 0; empty for the most sensitive one. Clicking the picture sets both.",
    )


def _show(context: Context, frame: NoiseWalk) -> None:
    chart, beside = st.columns(_PROPORTIONS)
    row, column = frame.pixel
    with chart, st.container(gap="xsmall"):
        layout.figure(
            figures.walk(frame),
            key="saliency_walk_chart",
            caption=f"Derivative at row {row}, column {column}, straight from the picture to "
            f"{100 * frame.spec.noise_level:.1f} % noise.",
        )
        layout.sentence(_sentence(context, frame))
    with beside, st.container(gap="xsmall"):
        picture = context.view(_SIDE)
        ratio = _SIDE / context.model.input_size
        frame_side = 7 * ratio
        clickable.show(
            clickable.Clickable(
                picture=clickable.encode(picture, photograph=True),
                alt=f"{context.caption}; the pixel is framed. The fields Row and Column do what a click does.",
                layout=SheetLayout((0,), 1, 1, 1, _SIDE, gap=0),
                unit="point",
                marks=((column * ratio - frame_side / 2, row * ratio - frame_side / 2, frame_side, frame_side),),
                least=200,
            ),
            _picker(ratio),
            key="saliency_walk_picture",
        )
        st.caption("t = 0. Click another pixel.")
        noisy = images.to_image(frame.noisy).resize((_SIDE, _SIDE))
        st.image(noisy, width="stretch", alt="The picture with the noise added")
        st.caption("t = 1: with the noise")


def _picker(ratio: float) -> Callable[[float, float], None]:
    def pick(x: float, y: float) -> None:
        st.session_state[_ROW], st.session_state[_COLUMN] = int(y / ratio), int(x / ratio)

    return pick


def _sentence(context: Context, frame: NoiseWalk) -> str:
    turns = attribution.sign_changes(frame.derivatives)
    before, after = (float(frame.logits[place]) for place in (0, -1))
    if frame.done < frame.total or math.isnan(after):
        return f"So far {frame.done} of {frame.total} points: the derivative has changed its sign {turns} times."
    if turns == 0 and not bool(frame.derivatives.any()):
        return "The derivative at this pixel is zero all the way: nothing depends on it here."
    low, high = float(frame.derivatives.min()), float(frame.derivatives.max())
    way = "On a way too short for the eye" if frame.spec.noise_level <= _UNSEEN else "On the way into this noise"
    return (
        f"{way}, the derivative at this pixel swings between **{low:.2f} and {high:.2f}** and changes its sign "
        f"**{turns} times** in the three channels, while the logit of **{context.target_name}** goes from {before:.2f} "
        f"to {after:.2f}."
    )
