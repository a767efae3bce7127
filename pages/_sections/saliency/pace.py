"""How long a computation will take here, and whether to begin it without being asked."""

from typing import Any

import streamlit as st

from convis_core import attribution
from convis_core.runtime import lanes
from pages._shell import cache, confirm, live
from pages._shell.context import Context


def agreed(context: Context, slot: str, expected: float, *parts: Any) -> bool:
    """Ask first when a computation is expected to take long.

    Args:
        context: network, picture and class.
        slot: of the computation; the key of the button.
        expected: seconds.
        parts: what else the computation depends on.

    Returns:
        Whether to begin.
    """
    wish = context.key(slot, context.target, *parts)
    note = st.container()
    begin = confirm.agreed(
        slot, wish, f"Compute ({live.seconds(expected)})", at_once=expected <= confirm.PATIENCE_SECONDS
    )
    if not begin:
        note.info(
            f"This takes about {live.seconds(expected)} on this machine, so it waits for you to press the button.",
            icon=":material/hourglass_empty:",
        )
        st.image(context.view(448), alt=context.caption)
    return begin


def expected_seconds(context: Context, *, forwards: int = 0, gradients: int = 0) -> float:
    """How long so many passes take here; the lanes share them."""
    model, x = context.model, context.x
    # One measurement for every picture: the time depends on the network alone.
    known = cache.compute((model.spec.id, "attribution.pace"), lambda: attribution.pace(model, x))
    return known.seconds(forwards=forwards, gradients=gradients) / lanes.shared().count
