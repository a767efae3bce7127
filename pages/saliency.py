"""Saliency: which pixels move the score of a class, and whether to believe it."""

import streamlit as st

from pages._sections.saliency import compare, map, segment, strip, trust, walk
from pages._shell import layout, navigation, text
from pages._shell.context import Context, shared_context

SECTIONS = {
    "One map": map.draw,
    "Filmstrip": strip.draw,
    "Compare": compare.draw,
    "Why smooth?": walk.draw,
    "Segment": segment.draw,
    "Should you believe it?": trust.draw,
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
