"""What the views of the feature maps page share: the layer, channel and cell looked at, kept in the address."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from convis_core import feature_maps
from convis_core.export import Recipe
from convis_core.figures.scores import percent
from convis_core.results import Cell, ChannelStatistics, FeatureMaps
from pages._shell import cache, controls
from pages._shell.context import Context

LAYERS, SHEET, CHANNEL, ABLATION, FILTERS, POOLING = VIEWS = (
    "All layers",
    "One layer",
    "One channel",
    "Turn it off",
    "Filters",
    "Max pooling",
)
VIEW = "feature_maps_view"
_LAYER, _EVERY = "feature_maps_layer", "feature_maps_every"
_CHANNEL, _ROW, _COLUMN = "feature_maps_channel", "feature_maps_row", "feature_maps_column"
_SEEN, _DRAWN = "feature_maps_seen", "feature_maps_drawn"
MOST = 4096


@dataclass(frozen=True, slots=True)
class Asked:
    """What a downloaded file was asked for, besides network and picture; it stands in the file's recipe."""

    layer: str
    channel: int | None = None
    row: int | None = None
    column: int | None = None
    spec: Any = None


def recipe(context: Context, method: str, asked: Asked | None = None, *, target: int | None = None) -> Recipe:
    """How to compute again what a file of this page holds; the class only where the answer depends on it."""
    return Recipe(context.model.spec.id, context.picture_id, method, target, asked)


def beside(view: str) -> None:
    """What stands beside the control that opens a view; begins every run of the page.

    Whether every operation is offered, and not only the layers worth seeing, is asked where all layers are shown.
    """
    st.session_state[_DRAWN] = set()
    if view == LAYERS:
        controls.toggle(
            "Every operation",
            key=_EVERY,
            help="Off: the layers worth seeing. On: every operation whose output is a stack of maps, inside blocks "
            "too.",
        )


def layers(context: Context) -> tuple[str, ...]:
    """The layers on offer."""
    if st.session_state.get(_EVERY):
        return feature_maps.map_layers(context.model)
    return context.model.spec.feature_layers


def layer(context: Context) -> str:
    """The layer looked at."""
    offered = layers(context)
    asked = st.session_state.get(_LAYER) or st.query_params.get(_LAYER)
    if asked not in offered and asked in feature_maps.map_layers(context.model):
        # A layer inside a block stays on offer when it was entered from there or is named in the address.
        offered = (*offered, str(asked))
    return controls.selectbox(
        "Layer",
        offered,
        key=_draws(_LAYER),
        help="In order of execution. For what is inside blocks, switch on Every operation among all layers.",
    )


def maps(context: Context, name: str) -> FeatureMaps:
    """All channels of a layer for the picture of the context."""
    model, x = context.model, context.x
    return cache.compute_large(context.key("feature_maps.maps", name), lambda: feature_maps.maps(model, x, name))


def channel(found: FeatureMaps) -> int:
    """The channel looked at; at first the one that varies most over the picture."""
    last = len(found.values) - 1
    return controls.number(
        "Channel",
        0,
        MOST,
        last=last,
        first=int(found.statistics.std.argmax()),
        key=_draws(_CHANNEL),
        help=f"Which of the {last + 1} channels of this layer, from 0 to {last}.",
    )


def cell(context: Context, found: FeatureMaps, chosen: int) -> Cell:
    """The cell looked at; for a channel that was not looked at before, the one with the largest value."""
    values = found.values[chosen]
    last_row, last_column = (side - 1 for side in values.shape)
    first_row, first_column = feature_maps.peak_cell(values)
    looked_at = (context.model.spec.id, context.picture_id, found.layer, chosen)
    before = st.session_state.get(_SEEN)
    if before is not None and before != looked_at:
        place_cell(first_row, first_column)
    st.session_state[_SEEN] = looked_at
    down, across = st.columns(2)
    row = controls.number(
        "Row",
        0,
        MOST,
        last=last_row,
        first=first_row,
        key=_ROW,
        place=down,
        help=f"Of the cell, from the top: 0 to {last_row}.",
    )
    column = controls.number(
        "Column",
        0,
        MOST,
        last=last_column,
        first=first_column,
        key=_COLUMN,
        place=across,
        help=f"Of the cell, from the left: 0 to {last_column}.",
    )
    return Cell(chosen, row, column)


def enter_layer(name: str) -> None:
    """Open a layer; for callbacks, before the page runs again."""
    _write(_LAYER, name)
    st.session_state[VIEW] = SHEET


def enter_channel(number: int) -> None:
    """Open a channel of the layer looked at; for callbacks."""
    _write(_CHANNEL, number)
    st.session_state[VIEW] = CHANNEL


def place_cell(row: int, column: int) -> None:
    """Look at another cell; for callbacks and before the widgets are drawn."""
    st.session_state[_ROW], st.session_state[_COLUMN] = row, column


def _write(key: str, value: str | int) -> None:
    st.session_state[key] = value
    if key not in st.session_state.get(_DRAWN, ()):
        # Streamlit brings the address up to date only for widgets that were on the page before.
        st.query_params[key] = str(value)


def _draws(key: str) -> str:
    """The key of a widget that is drawn now."""
    st.session_state[_DRAWN].add(key)
    return key


def described(statistics: ChannelStatistics, number: int) -> str:
    """One line about a channel."""
    if bool(statistics.dead[number]):
        return f"channel {number}: dead on this picture"
    mean, maximum = float(statistics.mean[number]), float(statistics.maximum[number])
    return f"channel {number}: mean {mean:.3g}, max {maximum:.3g}, {percent(float(statistics.sparsity[number]))} zeros"
