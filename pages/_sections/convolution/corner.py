"""Two edges make a corner: a second layer reads the maps of the first."""

from typing import get_args

import streamlit as st

from convis_core import convolution
from convis_core.figures import laboratory
from convis_core.figures.grids import number
from convis_core.results.convolution import Corner
from pages._shell import controls, layout, text
from pages._shell.context import Context

_SQUARE, _PICTURE = "A bright square", "Your picture"


def draw(context: Context) -> None:
    """The picture, two edge maps, and what a neuron over both says; then its texts."""
    what, which, limit = st.columns([2.9, 4.6, 1.6])
    source = controls.segmented(
        "Picture",
        [_SQUARE, _PICTURE],
        key="convolution_corner_source",
        place=what,
        help="A grid to count on, or your picture in grey, 96 × 96 cells.",
    )
    corner: Corner = controls.segmented(
        "Corner of something bright",
        list(get_args(Corner)),
        default="top left",
        key="convolution_corner",
        place=which,
        help="It decides which sign of each edge is wanted.",
    )
    share = controls.slider(
        "Threshold",
        (0.0, 1.5, 0.05),
        1.0,
        key="convolution_corner_share",
        place=limit,
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
    text.explain("convolution_corner")
