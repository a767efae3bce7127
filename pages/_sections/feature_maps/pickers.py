"""What the views of the feature maps page share: the layer, channel and cell looked at, kept in the address."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from convis_core import feature_maps
from convis_core.export import Recipe
from convis_core.figures.scores import percent
from convis_core.results import Cell, ChannelStatistics, FeatureMaps
from pages._shell import cache
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


def view() -> str:
    """Which view is open."""
    st.session_state[_DRAWN] = set()
    if VIEW not in st.session_state and st.query_params.get(VIEW) not in VIEWS:
        # Not as the widget's default: clicks on pictures change it too, and Streamlit warns of the two together.
        st.session_state[VIEW] = LAYERS
    chosen = st.segmented_control(
        "View",
        VIEWS,
        required=True,
        key=VIEW,
        bind="query-params",
        persist_state="session",
        label_visibility="collapsed",
    )
    return chosen or LAYERS


def every_layer() -> None:
    """Whether every operation is offered and not only the layers worth seeing."""
    st.toggle(
        "Every operation",
        key=_EVERY,
        bind="query-params",
        persist_state="session",
        help="Off: the layers worth seeing. On: every operation whose output is a stack of maps, inside blocks too.",
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
    if asked is not None and asked not in offered:
        # A layer inside a block stays on offer when it was entered from there or is named in the address.
        offered = (*offered, str(asked)) if asked in feature_maps.map_layers(context.model) else offered
    if st.session_state.get(_LAYER) not in (None, *offered):
        st.session_state[_LAYER] = offered[0]
    return str(
        st.selectbox(
            "Layer",
            offered,
            key=_draws(_LAYER),
            bind="query-params",
            persist_state="session",
            help="In order of execution. For what is inside blocks, switch on Every operation among all layers.",
        )
    )


def maps(context: Context, name: str) -> FeatureMaps:
    """All channels of a layer for the picture of the context."""
    model, x = context.model, context.x
    return cache.compute_large(context.key("feature_maps.maps", name), lambda: feature_maps.maps(model, x, name))


def channel(found: FeatureMaps) -> int:
    """The channel looked at; at first the one that varies most over the picture."""
    count = len(found.values)
    clamp(_CHANNEL, count, first=int(found.statistics.std.argmax()))
    return int(
        st.number_input(
            "Channel",
            0,
            MOST,
            step=1,
            key=_draws(_CHANNEL),
            bind="query-params",
            persist_state="session",
            help=f"Which of the {count} channels of this layer, from 0 to {count - 1}.",
        )
    )


def cell(context: Context, found: FeatureMaps, chosen: int) -> Cell:
    """The cell looked at; for a channel that was not looked at before, the most striking one."""
    values = found.values[chosen]
    rows, columns = values.shape
    first_row, first_column = feature_maps.striking_cell(values)
    looked_at = (context.model.spec.id, context.picture_id, found.layer, chosen)
    before = st.session_state.get(_SEEN)
    if before is not None and before != looked_at:
        place_cell(first_row, first_column)
    st.session_state[_SEEN] = looked_at
    clamp(_ROW, rows, first=first_row)
    clamp(_COLUMN, columns, first=first_column)
    down, across = st.columns(2)
    row = down.number_input(
        "Row",
        0,
        MOST,
        step=1,
        key=_ROW,
        bind="query-params",
        persist_state="session",
        help=f"Of the cell, from the top: 0 to {rows - 1}.",
    )
    column = across.number_input(
        "Column",
        0,
        MOST,
        step=1,
        key=_COLUMN,
        bind="query-params",
        persist_state="session",
        help=f"Of the cell, from the left: 0 to {columns - 1}.",
    )
    return Cell(chosen, int(row), int(column))


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


def clamp(key: str, count: int, *, first: int) -> None:
    """Bring a number into its range before its widget is drawn, whose own range must not change between runs.

    Args:
        key: of the widget.
        count: how many numbers there are, from 0 on.
        first: the number to begin with where neither the person nor the address names one.
    """
    named = str(st.query_params.get(key, ""))
    if key in st.session_state:
        st.session_state[key] = min(max(int(st.session_state[key]), 0), count - 1)
    elif not named.isdigit():
        st.session_state[key] = first
    elif int(named) >= count:
        # The widget would take the number from the address as it stands.
        st.query_params[key] = str(count - 1)
        st.rerun()
