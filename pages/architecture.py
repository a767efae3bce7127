"""Architecture: what the network is made of, and what each part costs."""

import streamlit as st

from pages._shared import layout, text
from pages._shared.context import Context, shared_context
from pages._shared.rooms import (
    architecture_compare,
    architecture_costs,
    architecture_drawing,
    architecture_parts,
    architecture_table,
)

VIEWS = {
    "Drawing": architecture_drawing.draw,
    "All layers": architecture_table.draw,
    "Where the cost is": architecture_costs.draw,
    "Compare two": architecture_compare.draw,
}


@st.fragment
def explore(context: Context) -> None:
    """The view that is open; only this part runs again when something in it changes."""
    view = st.segmented_control(
        "View",
        list(VIEWS),
        default="Drawing",
        required=True,
        key="architecture_view",
        bind="query-params",
        persist_state="session",
        label_visibility="collapsed",
        help="The network as a drawing, as a table, by its costs, or beside another one.",
    )
    VIEWS[str(view)](context)


context = shared_context()
layout.header(context, "Architecture", "What is the network made of, and what does each part of it cost?")
explore(context)
text.explain("architecture", architecture_parts.numbers(context))
