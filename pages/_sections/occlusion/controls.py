"""What the occlusion page is asked: window, stride, fill and view; and whether to begin."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import streamlit as st

from convis_core.results import Fill, OcclusionCost, OcclusionSpec
from pages._shell import confirm, controls, live

DROP, PROBABILITY, CLASSES = VIEWS = ("drop of the score", "probability", "what it becomes")
FILLS: dict[Fill, str] = {
    "mean": "mean colour",
    "black": "black",
    "grey": "grey",
    "white": "white",
    "blur": "blurred",
    "noise": "noise",
}
LIGHT = 200e9
"""So few multiply-adds are begun in any case: on a busy machine the expectation may be far too long."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The controls of the page.

    Attributes:
        spec: the window, its stride and its fill.
        view: one of ``VIEWS``.
        opacity: of the colours over the photograph, 0 to 1.
    """

    spec: OcclusionSpec
    view: str
    opacity: float


def choose() -> Settings:
    """The controls in a column."""
    window = controls.slider(
        "Window",
        (8, 96, 4),
        32,
        key="occlusion_window",
        help="Side of the square that hides, 8 to 96 pixels of the network's own picture.",
    )
    stride = controls.slider(
        "Stride",
        (4, 64, 4),
        8,
        key="occlusion_stride",
        help="From one position to the next, 4 to 64 pixels. Half the stride takes four times as long.",
    )
    if stride > window:
        st.caption("The stride is larger than the window: what lies between the windows is never hidden.")
    fill = controls.selectbox(
        "Fill",
        list(FILLS),
        format_func=FILLS.__getitem__,
        key="occlusion_fill",
        help="What stands in the window: the mean colour of the training pictures is what the network sees as zero.",
    )
    view = controls.radio(
        "Show",
        VIEWS,
        key="occlusion_view",
        help="The drop of the logit over the picture; the probability by position of the window, as in the article; "
        "or the class that comes first.",
    )
    opacity = controls.slider(
        "Opacity",
        (0.0, 1.0, 0.05),
        0.6,
        key="occlusion_opacity",
        disabled=view == PROBABILITY,
        help="Of the colours over the picture: 0 shows the picture alone, 1 the colours alone.",
    )
    return Settings(OcclusionSpec(window=window, stride=stride, fill=fill), view, opacity)


def agreed(slot: str, key: Hashable, costs: Sequence[OcclusionCost]) -> bool:
    """Say how many windows there are and how long they take; ask first when that is long.

    Args:
        slot: of the computation; the key of the button.
        key: of the computation; who has agreed to it once is not asked again.
        costs: of every map that it would compute.

    Returns:
        Whether to begin.
    """
    windows, seconds = sum(cost.windows for cost in costs), sum(cost.seconds for cost in costs)
    light = sum(cost.multiply_adds for cost in costs) <= LIGHT
    st.caption(f"**{windows:,} windows**, about {live.seconds(seconds)} on this machine when nobody else computes.")
    return confirm.agreed(
        slot, key, f"Compute ({live.seconds(seconds)})", at_once=light or seconds <= confirm.PATIENCE_SECONDS
    )
