"""Feature maps and filters: every layer, every channel, on the picture of the context."""

import streamlit as st

from convis_core.errors import ConvisError
from convis_core.network import receptive
from pages._sections.feature_maps import ablation, channel, filters, layers, pickers, pooling, sheet
from pages._shell import layout, text
from pages._shell.context import Context, shared_context

ROOMS = {
    pickers.LAYERS: layers.draw,
    pickers.SHEET: sheet.draw,
    pickers.CHANNEL: channel.draw,
    pickers.ABLATION: ablation.draw,
    pickers.FILTERS: filters.draw,
    pickers.POOLING: pooling.draw,
}


@st.fragment
def explore(context: Context) -> None:
    """The view that is open; only this part runs again when something in it is clicked."""
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen = pickers.view()
        if chosen == pickers.LAYERS:
            pickers.every_layer()
    try:
        ROOMS[chosen](context)
    except ConvisError as error:
        st.error(str(error), icon=":material/error:")


context = shared_context()
layout.header(context, "Feature maps", "What does every layer make of this picture, channel by channel?")
explore(context)
last = context.model.spec.feature_layers[-1]
field = receptive.field(context.model, last)
text.explain(
    "feature_maps",
    {
        "network": context.model.spec.label,
        "layer": last,
        "size": str(field.size[0]),
        "jump": str(field.jump[0]),
        "picture": str(context.model.input_size),
    },
)
