"""Feature maps and filters: every layer, every channel, on the picture of the context."""

import streamlit as st

from convis_core import receptive
from convis_core.errors import ConvisError
from pages._shared import layout, text
from pages._shared.context import Context, shared_context
from pages._shared.rooms import (
    feature_maps_ablation,
    feature_maps_channel,
    feature_maps_filters,
    feature_maps_layers,
    feature_maps_pickers,
    feature_maps_pooling,
    feature_maps_sheet,
)

ROOMS = {
    feature_maps_pickers.LAYERS: feature_maps_layers.draw,
    feature_maps_pickers.SHEET: feature_maps_sheet.draw,
    feature_maps_pickers.CHANNEL: feature_maps_channel.draw,
    feature_maps_pickers.ABLATION: feature_maps_ablation.draw,
    feature_maps_pickers.FILTERS: feature_maps_filters.draw,
    feature_maps_pickers.POOLING: feature_maps_pooling.draw,
}


@st.fragment
def explore(context: Context) -> None:
    """The view that is open; only this part runs again when something in it is clicked."""
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen = feature_maps_pickers.view()
        if chosen == feature_maps_pickers.LAYERS:
            feature_maps_pickers.every_layer()
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
