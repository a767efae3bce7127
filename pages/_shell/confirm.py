"""Asking first: what takes long is begun when the person says so, and is not asked about twice."""

from collections.abc import Hashable
from contextlib import nullcontext
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

PATIENCE_SECONDS = 20.0
"""What is expected to take longer is not begun without being asked for."""


def agreed(
    slot: str,
    wish: Hashable,
    label: str,
    *,
    at_once: bool = False,
    icon: str = ":material/play_arrow:",
    width: Literal["stretch", "content"] = "content",
    place: DeltaGenerator | None = None,
) -> bool:
    """Whether to begin a computation; draws the button that begins it as long as nobody has pressed it.

    Args:
        slot: of the computation; the button's key begins with it.
        wish: all that the computation depends on; who has agreed to it once is not asked again.
        label: of the button.
        at_once: whether it is short enough to begin unasked.
        icon: of the button.
        width: of the button.
        place: where the button stands; where None, here.
    """
    name = repr(wish)
    wishes: set[str] = st.session_state.setdefault(f"{slot}_wishes", set())
    if at_once:
        # What has been begun goes on, whatever is expected of it later, when the machine is better known.
        wishes.add(name)
    if name in wishes:
        return True
    with nullcontext() if place is None else place:
        st.button(label, key=f"{slot}_begin", icon=icon, type="primary", width=width, on_click=wishes.add, args=(name,))
    return False
