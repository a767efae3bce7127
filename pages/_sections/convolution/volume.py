"""Two filters over three channels: what a layer of a real network does, in numbers that can be read."""

import streamlit as st

from convis_core import convolution
from pages._sections.convolution import slide as convolution_slide
from pages._shell.context import Context


def draw(_: Context) -> dict[str, str]:
    """The window at work; below it the seed of the numbers, so that the figure stays above the fold."""
    board = st.container()
    seed = st.number_input(
        "Numbers",
        0,
        999,
        key="convolution_seed",
        bind="query-params",
        persist_state="session",
        width=160,
        help="Another number draws other small numbers for picture and filters, 0 to 999.",
    )
    slide = convolution.volume(int(seed))
    with board:
        convolution_slide.follow(slide, "convolution_volume", height=480)
    filters, channels, side = slide.filters.shape[:3]
    return {
        "channels": str(channels),
        "filters": str(filters),
        "side": str(side),
        "weights": str(slide.filters[0].numel()),
        "total": str(slide.filters.numel() + slide.bias.numel()),
    }
