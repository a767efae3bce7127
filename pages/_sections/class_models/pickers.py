"""What the sections inside the network share: the layer, the channel, and whether to begin."""

from collections.abc import Hashable

from convis_core import feature_maps
from pages._shell import cache, confirm, controls
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
    return controls.selectbox(
        "Layer",
        offered,
        default=worth[len(worth) // 2],
        key=key,
        help="Early layers like edges and colours, middle ones textures, late ones parts of things.",
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
    chosen = controls.optional_number(
        "Channel",
        0,
        _MOST,
        last=count - 1,
        key=key,
        placeholder=f"{liveliest}: liveliest here",
        help=f"Which of the {count} channels, 0 to {count - 1}; empty for the one that varies most over the picture.",
    )
    return liveliest if chosen is None else chosen


def agreed(slot: str, wish: Hashable, label: str) -> bool:
    """Ask before the first drawing of a thing; afterwards its settings draw at once."""
    return confirm.agreed(slot, wish, label, icon=":material/brush:", width="stretch")
