"""Saliency: which pixels move the score of a class, and whether to believe it."""

import streamlit as st

from pages._shared import layout, navigation, text
from pages._shared.context import Context, shared_context
from pages._shared.rooms import (
    saliency_compare,
    saliency_map,
    saliency_segment,
    saliency_strip,
    saliency_trust,
    saliency_walk,
)

SECTIONS = {
    "One map": saliency_map.draw,
    "Filmstrip": saliency_strip.draw,
    "Compare": saliency_compare.draw,
    "Why smooth?": saliency_walk.draw,
    "Segment": saliency_segment.draw,
    "Should you believe it?": saliency_trust.draw,
}


@st.fragment
def explore(context: Context) -> None:
    """The section that is open; closed ones cost nothing."""
    chosen = st.segmented_control(
        "Section",
        list(SECTIONS),
        default="One map",
        required=True,
        key="saliency_view",
        bind="query-params",
        persist_state="session",
        label_visibility="collapsed",
    )
    SECTIONS[chosen or "One map"](context)


st.html(navigation.ASSETS / "css" / "saliency.css")
context = shared_context()
layout.header(context, "Saliency", "Which pixels would change the score if they changed a little?")
explore(context)
text.explain("saliency")
