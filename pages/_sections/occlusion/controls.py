"""What the occlusion page is asked: window, stride, fill and view; and whether to begin."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import streamlit as st

from convis_core.results import Fill, OcclusionCost, OcclusionSpec
from pages._shell import live

DROP, PROBABILITY, CLASSES = VIEWS = ("drop of the score", "probability", "what it becomes")
FILLS: dict[Fill, str] = {
    "mean": "mean colour",
    "black": "black",
    "grey": "grey",
    "white": "white",
    "blur": "blurred",
    "noise": "noise",
}
PATIENCE_SECONDS = 20.0
"""What is expected to take longer is not begun without being asked for."""
LIGHT = 200e9
"""As few multiply-adds are begun in any case: on a busy machine the expectation may be far too long."""


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
    window = st.slider(
        "Window",
        8,
        96,
        32,
        4,
        key="occlusion_window",
        bind="query-params",
        persist_state="session",
        help="Side of the square that hides, 8 to 96 pixels of the network's own picture.",
    )
    stride = st.slider(
        "Stride",
        4,
        64,
        8,
        4,
        key="occlusion_stride",
        bind="query-params",
        persist_state="session",
        help="From one position to the next, 4 to 64 pixels. Half the stride takes four times as long.",
    )
    if stride > window:
        st.caption("The stride is larger than the window: what lies between the windows is never hidden.")
    fill = st.selectbox(
        "Fill",
        list(FILLS),
        format_func=FILLS.__getitem__,
        key="occlusion_fill",
        bind="query-params",
        persist_state="session",
        help="What stands in the window: the mean colour of the training pictures is what the network sees as zero.",
    )
    view = st.radio(
        "Show",
        VIEWS,
        key="occlusion_view",
        bind="query-params",
        persist_state="session",
        help="The drop of the logit over the picture; the probability by position of the window, as in the article; "
        "or the class that comes first.",
    )
    opacity = st.slider(
        "Opacity",
        0.0,
        1.0,
        0.6,
        0.05,
        key="occlusion_opacity",
        bind="query-params",
        persist_state="session",
        disabled=view == PROBABILITY,
        help="Of the colours over the picture: 0 shows the picture alone, 1 the colours alone.",
    )
    return Settings(OcclusionSpec(window=int(window), stride=int(stride), fill=fill), str(view), float(opacity))


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
    wish = repr(key)
    wishes: set[str] = st.session_state.setdefault(f"{slot}_wishes", set())
    place = st.empty()
    if light or seconds <= PATIENCE_SECONDS:
        # What has been begun goes on, whatever is expected of it later, when the machine is better known.
        wishes.add(wish)
    if wish in wishes:
        return True
    place.button(
        f"Compute ({live.seconds(seconds)})",
        key=f"{slot}_begin",
        icon=":material/play_arrow:",
        type="primary",
        on_click=wishes.add,
        args=(wish,),
    )
    return False
