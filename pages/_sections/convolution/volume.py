"""Two filters over three channels: what a layer of a real network does, in numbers that can be read."""

import streamlit as st

from convis_core import convolution
from pages._sections.convolution import slide as convolution_slide
from pages._shell import controls, text
from pages._shell.context import Context


def draw(_: Context) -> None:
    """The window at work; below it the seed of the numbers, so that the figure stays above the fold, and the texts."""
    board = st.container()
    seed = controls.number(
        "Numbers",
        0,
        999,
        key="convolution_seed",
        width=160,
        help="Another number draws other small numbers for picture and filters, 0 to 999.",
    )
    slide = convolution.volume(seed)
    with board:
        convolution_slide.follow(slide, "convolution_volume", height=480)
    filters, channels, side = slide.filters.shape[:3]
    text.explain(
        "convolution_volume",
        {
            "channels": str(channels),
            "filters": str(filters),
            "side": str(side),
            "weights": str(slide.filters[0].numel()),
            "total": str(slide.filters.numel() + slide.bias.numel()),
        },
    )
