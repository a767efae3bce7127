"""Two edges make a corner: a second layer reads the maps of the first."""

from typing import get_args

import streamlit as st

from convis_core import convolution
from convis_core.figures import laboratory
from convis_core.figures.grids import number
from convis_core.results.convolution import Corner
from pages._shell import layout
from pages._shell.context import Context

_SQUARE, _PICTURE = "A bright square", "Your picture"


def draw(context: Context) -> dict[str, str]:
    """The picture, two edge maps, and what a neuron over both says."""
    what, which, limit = st.columns([2.9, 4.6, 1.6])
    source = what.segmented_control(
        "Picture",
        [_SQUARE, _PICTURE],
        default=_SQUARE,
        required=True,
        key="convolution_corner_source",
        bind="query-params",
        persist_state="session",
        help="A grid to count on, or your picture in grey, 96 × 96 cells.",
    )
    corner: Corner = which.segmented_control(
        "Corner of something bright",
        list(get_args(Corner)),
        default="top left",
        required=True,
        key="convolution_corner",
        bind="query-params",
        persist_state="session",
        help="It decides which sign of each edge is wanted.",
    )
    share = limit.slider(
        "Threshold",
        0.0,
        1.5,
        1.0,
        0.05,
        key="convolution_corner_share",
        bind="query-params",
        persist_state="session",
        help="In parts of the strongest single edge, 0 to 1.5. At 1 no straight edge alone can pass.",
    )
    square = source == _SQUARE
    picture = convolution.get_grid("square").picture() if square else convolution.shrink(context.x, 96, grey=True)
    found = convolution.find_corners(picture[0], corner, share=share)
    layout.figure(
        laboratory.corners(picture[0], found),
        key="convolution_corner_maps",
        caption="First layer: a vertical and a horizontal edge, each after ReLU. Second layer: both maps added, minus "
        "the threshold, after ReLU. Bright: strong.",
    )
    both = "where both edges are strong at once"
    where = both if share >= 1 else "where the two edges together exceed it; below 1 a strong edge alone is enough"
    fired = int((found.corners > 0).sum())
    layout.sentence(
        f"corner = ReLU(vertical + horizontal − {number(found.threshold)}). It is positive at **{fired}** "
        f"place{'' if fired == 1 else 's'} of {found.corners.numel()}, {where}."
    )
    return {}
