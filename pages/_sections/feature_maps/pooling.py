"""Max pooling is only downsampling: the same map before and after, side by side."""

import streamlit as st
from torch import Tensor

from convis_core import export, feature_maps
from convis_core.figures import render
from convis_core.figures.feature_maps import activation_scale
from convis_core.figures.scores import percent
from convis_core.results import PoolPair, SheetLayout
from convis_core.results.architecture import Box, Pair
from pages._sections.feature_maps import pickers
from pages._shell import cache, clickable, controls, layout, text
from pages._shell.context import Context

_CHANNEL, _CELL = "feature_maps_pool_channel", "feature_maps_pool_cell"


def draw(context: Context) -> None:
    """A pooling of the network; where it has none, what one would make of a layer."""
    which, number, beside = st.columns([1.4, 0.8, 2], vertical_alignment="bottom")
    pools = feature_maps.max_pools(context.model)
    with which:
        pair = _of_network(context, pools) if pools else _of_layer(context)
    with number:
        channel = _channel(pair)
    if not pools:
        beside.markdown(
            f":material/info: {context.model.spec.label} has no max pooling; convolutions that move by two cells "
            f"shrink its maps. Below, what a 2\u00a0×\u00a02 max pooling would make of {pair.layer}."
        )
    before, after = pair.before[channel], pair.after[channel]
    cell = _cell(pair)
    box = pair.window(*cell)
    left, right = st.columns(2)
    with left:
        _map(pair, before, box, "before")
    with right:
        _map(pair, after, Box(cell[0], cell[1], cell[0] + 1, cell[1] + 1), "after")
    clickable.colour_bar(activation_scale(before, "activation"))
    st.caption(
        f"Channel {channel} around {pair.layer}, on one scale. Each cell on the right is the largest of the "
        f"{pair.kernel[0]} × {pair.kernel[1]} cells under its window, which moves by {pair.stride[0]}. Framed: one of "
        "them; click another."
    )
    cells, fewer = before.numel(), after.numel()
    says = (
        f"{cells:,} numbers become {fewer:,}, **{percent(fewer / cells)}** of them"
        if fewer < cells
        else "The window moves by one cell, so that no number is saved"
    )
    layout.sentence(
        f"{says}; stretched back, the map after agrees with the map before with a correlation of "
        f"**{pair.agreement(channel):.2f}**. What is lost is *where exactly* within the window."
    )
    text.render("feature_maps.pooling")
    layout.download(
        "Both maps (NPZ)",
        export.npz(
            {"before": before, "after": after},
            pickers.recipe(context, "feature_maps.pool_pair", pickers.Asked(pair.layer, channel)),
        ),
        f"pooling-{pair.layer}-{channel}-{context.picture_id}.npz",
        key="feature_maps_pooling_npz",
    )


def _cell(pair: PoolPair) -> Pair:
    rows, columns = pair.after.shape[1:]
    row, column = st.session_state.get(_CELL, (rows // 2, columns // 2))
    return min(row, rows - 1), min(column, columns - 1)


def _map(pair: PoolPair, values: Tensor, box: Box, side: str) -> None:
    rows, columns = values.shape
    zoom = max(1, 672 // columns)
    grid = SheetLayout((0,), 1, rows, columns, zoom, gap=0)
    scale = activation_scale(pair.before[int(st.session_state[_CHANNEL])], "activation")

    def pick(x: float, y: float) -> None:
        spot = feature_maps.cell_at(grid, x, y)
        if spot is not None:
            place = (spot.row, spot.column)
            st.session_state[_CELL] = place if side == "after" else pair.cell_over(*place)

    clickable.show(
        clickable.Clickable(
            picture=clickable.encode(render.coloured(values, scale, pixels=columns * zoom)),
            alt=f"The map {side} {pair.layer}, {rows} x {columns} cells",
            layout=grid,
            unit="cell",
            values=values,
            marks=((box.left * zoom, box.top * zoom, (box.right - box.left) * zoom, (box.bottom - box.top) * zoom),),
        ),
        pick,
        key=f"feature_maps_pool_{side}",
    )
    st.markdown(f"**{side.capitalize()}**: {rows} × {columns} cells")


def _of_network(context: Context, pools: tuple[str, ...]) -> PoolPair:
    model, x = context.model, context.x
    name = controls.selectbox("Max pooling", pools, key="feature_maps_pool", help="In order of execution.")
    return cache.compute_large(
        context.key("feature_maps.pool_pair", name), lambda: feature_maps.pool_pair(model, x, name)
    )


def _of_layer(context: Context) -> PoolPair:
    name = pickers.layer(context)
    return feature_maps.pooled(pickers.maps(context, name))


def _channel(pair: PoolPair) -> int:
    last = len(pair.before) - 1
    return controls.number(
        "Channel",
        0,
        pickers.MOST,
        last=last,
        first=int(pair.before.flatten(1).std(dim=1).argmax()),
        key=_CHANNEL,
        help=f"Which of the {last + 1} channels, from 0 to {last}.",
    )
