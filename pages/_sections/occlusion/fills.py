"""What the fill does: one window, six fills, six probabilities."""

from dataclasses import replace

import streamlit as st

from convis_core import images, occlusion
from convis_core.figures import occlusion as pictures
from convis_core.figures.scores import percent
from convis_core.occlusion.readings import Position
from convis_core.results import OcclusionMap
from pages._sections.occlusion import window
from pages._sections.occlusion.controls import FILLS
from pages._shell import layout, text
from pages._shell.context import Context

_SIDE = 224
_WHOLE = "not hidden"


def draw(context: Context, found: OcclusionMap, chosen: Position) -> None:
    """The window looked at, filled in every way."""
    model, x = context.model, context.x
    top, left = int(found.tops[chosen.row]), int(found.lefts[chosen.column])
    specs = {label: replace(found.spec, fill=fill) for fill, label in FILLS.items()}
    said = {label: window.said(context, spec, top, left) for label, spec in specs.items()}
    shown = {
        label: window.enlarged(images.to_image(occlusion.hide(model, x, top, left, spec)), _SIDE)
        for label, spec in specs.items()
    }
    st.subheader("What the fill does", anchor=False)
    layout.figure(
        pictures.fills(
            {_WHOLE: window.enlarged(images.to_image(x), _SIDE), **shown},
            {_WHOLE: context.prediction, **said},
            target=context.target,
            chosen=FILLS[found.spec.fill],
        ),
        key="occlusion_fills",
        caption=f"P({context.target_name}) with one window hidden in six ways; the fill of the map above in colour.",
    )
    values = {label: float(each.probabilities[context.target]) for label, each in said.items()}
    least, most = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    st.markdown(
        f"This window filled with **{least}** leaves {percent(values[least])}, with **{most}** "
        f"{percent(values[most])}. " + text.read("occlusion.fills")
    )
