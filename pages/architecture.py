"""Architecture: what the network is made of, and what each part costs."""

import streamlit as st

from pages._sections.architecture import compare, costs, drawing, parts, table
from pages._shell import layout, text
from pages._shell.context import Context, shared_context

VIEWS = {
    "Drawing": drawing.draw,
    "All layers": table.draw,
    "Where the cost is": costs.draw,
    "Compare two": compare.draw,
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
text.explain("architecture", parts.numbers(context))
