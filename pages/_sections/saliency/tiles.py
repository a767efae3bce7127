"""Small maps in a row: plain pictures with hard pixels, light enough to be drawn again and again."""

import streamlit as st
from torch import Tensor

from convis_core import attribution
from convis_core.figures import render
from convis_core.figures import saliency as figures
from pages._shell import clickable


def tile(magnitude: Tensor | None, *, key: str, alt: str) -> None:
    """A magnitude as a share of its own 99th percentile; its place while it is not there.

    Args:
        magnitude: [S, S]; None while it is being computed.
        key: unique in the whole app.
        alt: what the map is of.
    """
    # The stylesheet draws what stands in such a container with hard pixels, so one pixel a value is enough.
    with st.container(key=f"pixels_{key}"):
        if magnitude is None:
            st.skeleton(height=200)
            return
        picture = render.coloured(attribution.relative(magnitude), figures.RELATIVE_SCALE)
        st.image(picture, width="stretch", alt=alt)


def colours() -> None:
    """What dark and bright stand for in the tiles."""
    clickable.colour_bar(figures.RELATIVE_SCALE)
