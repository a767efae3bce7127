"""The window looked at: the picture as the network got it, and what it said before and after."""

import streamlit as st
from PIL import Image

from convis_core import images, models, network, occlusion
from convis_core.figures import scores
from convis_core.figures.scores import percent
from convis_core.occlusion import readings as views
from convis_core.occlusion.readings import Position
from convis_core.results import OcclusionMap, OcclusionSpec, Prediction, SheetLayout
from pages._sections.occlusion.map import OnPick
from pages._shell import cache, clickable, controls, layout
from pages._shell.context import Context

_ROW, _COLUMN = "occlusion_row", "occlusion_column"
_SIDE = 448


def place(found: OcclusionMap) -> Position:
    """The fields for the keyboard, and the window that they or a click have chosen; else the one that matters most."""
    down, across = st.columns(2)
    row = _field(down, "Row", _ROW, found)
    column = _field(across, "Column", _COLUMN, found)
    st.button(
        "What matters most",
        key="occlusion_strongest",
        icon=":material/my_location:",
        width="stretch",
        disabled=row is None and column is None,
        on_click=_forget,
        help="Look at the window that lowers the score most.",
    )
    if row is None and column is None:
        return views.strongest(found)
    strongest_row, strongest_column = views.centre(found, views.strongest(found))
    return views.window_at(found, strongest_row if row is None else row, strongest_column if column is None else column)


def pick(row: float, column: float) -> None:
    """Look at the window nearest to a pixel; for callbacks."""
    st.session_state[_ROW], st.session_state[_COLUMN] = int(row), int(column)


def draw(context: Context, found: OcclusionMap, chosen: Position, on_pick: OnPick) -> None:
    """The picture with the window filled, and the probability of the class then."""
    top, left = int(found.tops[chosen.row]), int(found.lefts[chosen.column])
    hidden = occlusion.hide(context.model, context.x, top, left, found.spec)
    picture = enlarged(images.to_image(hidden))
    ratio = picture.width / context.model.input_size
    after = said(context, found.spec, top, left)
    clickable.show(
        clickable.Clickable(
            picture=clickable.encode(picture, photograph=True),
            alt=f"{context.caption} with rows {top} to {top + found.spec.window - 1} and columns {left} to "
            f"{left + found.spec.window - 1} hidden",
            layout=SheetLayout((0,), 1, 1, 1, _SIDE, gap=0),
            unit="point",
            least=240,
        ),
        lambda x, y: on_pick(y / ratio, x / ratio),
        key="occlusion_hidden",
    )
    now = float(after.probabilities[context.target])
    st.markdown(f"#### {percent(context.probability)} → {percent(now)}")
    st.caption(
        f"{context.target_name} with this hidden; logit {context.logit:.2f} → "
        f"{float(after.logits[context.target]):.2f}. First: {after.top[0].name}."
    )


def bars(context: Context, found: OcclusionMap, chosen: Position) -> None:
    """The best classes before and after, on one scale."""
    top, left = int(found.tops[chosen.row]), int(found.lefts[chosen.column])
    after = said(context, found.spec, top, left)
    synsets = models.imagenet_synsets() if context.model.categories == models.imagenet_categories() else ()
    for column, prediction, name, words in zip(
        st.columns(2),
        (context.prediction, after),
        ("before", "after"),
        ("nothing hidden", "the window hidden"),
        strict=True,
    ):
        with column:
            layout.figure(
                scores.bars(prediction.top, target=context.target, synsets=synsets, height=220),
                key=f"occlusion_{name}",
                caption=f"The five most probable classes with {words}.",
            )


def said(context: Context, spec: OcclusionSpec, top: int, left: int) -> Prediction:
    """What the network says of the picture with one window filled."""
    model, x = context.model, context.x
    return cache.compute(
        context.key("occlusion.hide", spec, top, left),
        lambda: network.predict(model, occlusion.hide(model, x, top, left, spec)),
    )


def enlarged(picture: Image.Image, side: int = _SIDE) -> Image.Image:
    """The network's own pixels, smooth, for people to look at."""
    return picture.resize((side, side), Image.Resampling.BILINEAR)


def _field(place: st.delta_generator.DeltaGenerator, label: str, key: str, found: OcclusionMap) -> int | None:
    return controls.optional_number(
        label,
        0,
        1024,
        last=found.size - 1,
        step=found.spec.stride,
        key=key,
        place=place,
        placeholder="most",
        help="Of the pixel at the middle of the window, from 0; empty for the window that matters most.",
    )


def _forget() -> None:
    st.session_state[_ROW] = st.session_state[_COLUMN] = None
