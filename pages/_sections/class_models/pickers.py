"""What the sections inside the network share: the layer, the channel, and whether to begin."""

import streamlit as st

from convis_core import feature_maps
from pages._shell import cache
from pages._shell.context import Context

_MOST = 4096


def layer(context: Context, key: str) -> str:
    """Any layer that is a stack of maps; at first one in the middle.

    Args:
        context: network, picture and class.
        key: of the widget.
    """
    worth = context.model.spec.feature_layers
    offered = (*worth, *(name for name in feature_maps.map_layers(context.model) if name not in worth))
    if st.session_state.get(key) not in (None, *offered):
        # The other network has no such layer.
        del st.session_state[key]
    return str(
        st.selectbox(
            "Layer",
            offered,
            index=len(worth) // 2,
            key=key,
            bind="query-params",
            persist_state="session",
            help="Early layers like edges and colours, middle ones textures, late ones parts of things.",
        )
    )


def number(context: Context, name: str, key: str) -> int:
    """The channel; empty for the one that varies most over the picture of the sidebar.

    Args:
        context: network, picture and class.
        name: of the layer.
        key: of the widget.
    """
    model, x = context.model, context.x
    found = cache.compute_large(
        context.key("feature_maps.maps", name), lambda: feature_maps.maps(model, x, name)
    ).statistics.std
    count, liveliest = len(found), int(found.argmax())
    chosen = st.number_input(
        "Channel",
        0,
        _MOST,
        value=None,
        step=1,
        key=key,
        bind="query-params",
        persist_state="session",
        placeholder=f"{liveliest}: liveliest here",
        help=f"Which of the {count} channels, 0 to {count - 1}; empty for the one that varies most over the picture.",
    )
    return liveliest if chosen is None else min(int(chosen), count - 1)


def agreed(slot: str, wish: str, label: str) -> bool:
    """Ask before the first drawing of a thing; afterwards its settings draw at once.

    Args:
        slot: of the computation; the button's key begins with it.
        wish: what is asked for.
        label: of the button.

    Returns:
        Whether to begin.
    """
    wishes: set[str] = st.session_state.setdefault(f"{slot}_wishes", set())
    if wish in wishes:
        return True
    st.button(
        label,
        key=f"{slot}_begin",
        icon=":material/brush:",
        type="primary",
        width="stretch",
        on_click=wishes.add,
        args=(wish,),
    )
    return False
