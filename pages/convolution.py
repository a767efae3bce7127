"""Convolution: a laboratory in which each step of it can be touched."""

import streamlit as st

from pages._sections.convolution import corner, field, pooling, relu, shared, size, slide, volume
from pages._shell import layout, text
from pages._shell.context import Context, shared_context

# Each draws its controls and figures, and returns the numbers that its text speaks of.
EXPERIMENTS = {
    "Slide a filter": ("slide", slide.draw),
    "Three channels": ("volume", volume.draw),
    "Size": ("size", size.draw),
    "Pooling": ("pooling", pooling.draw),
    "Corner": ("corner", corner.draw),
    "Receptive field": ("field", field.draw),
    "Shared weight": ("shared", shared.draw),
    "ReLU": ("relu", relu.draw),
}


@st.fragment
def experiment(context: Context) -> None:
    """The experiment that is open, with its texts; only this part runs again when something in it changes."""
    chosen = st.segmented_control(
        "Experiment",
        list(EXPERIMENTS),
        default="Slide a filter",
        required=True,
        key="convolution_experiment",
        bind="query-params",
        persist_state="session",
        label_visibility="collapsed",
        help="From one filter to what a whole network sees; in the order in which they build on one another.",
    )
    name, draw = EXPERIMENTS[str(chosen)]
    text.explain(f"convolution_{name}", draw(context))


context = shared_context()
layout.header(context, "Convolution", "What does a filter do, number by number?")
experiment(context)
