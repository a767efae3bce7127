"""ReLU: what is negative becomes zero."""

import streamlit as st

from convis_core import convolution
from convis_core.figures import laboratory
from convis_core.figures.scores import percent
from pages._sections.convolution import parts
from pages._shell import layout, text
from pages._shell.context import Context


def draw(context: Context) -> None:
    """A filter's answers to the picture before and after, with their histograms; then its texts."""
    which, edit, _ = st.columns([1.2, 1.2, 1.2])
    chosen = parts.choose_filter(context, "convolution_relu", which, edit)
    view = convolution.rectify(parts.answer(context, chosen))
    layout.figure(
        laboratory.rectified(view),
        key="convolution_relu_maps",
        caption=f"{chosen.label} over the picture, before and after ReLU: red is positive, blue negative; the "
        "strongest half per cent share one colour. Right: how often each value occurs, from line to line ten times as "
        "many cells.",
    )
    layout.sentence(
        f"**{percent(view.silenced)}** of the cells were negative and are now zero. The others keep their value: what "
        "the filter looks for stays, its opposite is forgotten."
    )
    text.explain("convolution_relu")
