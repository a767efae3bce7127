"""Convolution: a laboratory in which each step of it can be touched."""

import streamlit as st

from pages._shared import layout, text
from pages._shared.context import Context, shared_context
from pages._shared.rooms import (
    convolution_corner,
    convolution_field,
    convolution_pooling,
    convolution_relu,
    convolution_shared,
    convolution_size,
    convolution_slide,
    convolution_volume,
)

# Each draws its controls and figures, and returns the numbers that its text speaks of.
EXPERIMENTS = {
    "Slide a filter": ("slide", convolution_slide.draw),
    "Three channels": ("volume", convolution_volume.draw),
    "Size": ("size", convolution_size.draw),
    "Pooling": ("pooling", convolution_pooling.draw),
    "Corner": ("corner", convolution_corner.draw),
    "Receptive field": ("field", convolution_field.draw),
    "Shared weight": ("shared", convolution_shared.draw),
    "ReLU": ("relu", convolution_relu.draw),
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
