"""One channel: its map with the values of its cells, and what a cell sees of the picture."""

import streamlit as st

from convis_core import export, feature_maps
from convis_core.figures import feature_maps as pictures
from convis_core.figures import render
from convis_core.figures.scores import percent
from convis_core.figures.style import magnitude_scale
from convis_core.network import receptive
from convis_core.results import Cell, EffectiveField, FeatureMaps, SheetLayout
from pages._sections.feature_maps import excite, pickers, sum
from pages._shell import cache, clickable, controls, layout, text
from pages._shell.context import Context

_OVER, _MEASURED, _ALONE = "the map", "influence", "nothing"
_SIDE = 672


def draw(context: Context) -> None:
    """The map and the picture side by side; picking a cell on either moves the field on the picture."""
    which, number, place, over = st.columns([1.4, 0.8, 1.5, 2], vertical_alignment="bottom")
    with which:
        name = pickers.layer(context)
    maps = pickers.maps(context, name)
    with number:
        channel = pickers.channel(maps)
    with place:
        cell = pickers.cell(context, maps, channel)
    shown = controls.segmented(
        "Over the picture",
        [_OVER, _MEASURED, _ALONE],
        key="feature_maps_over",
        place=over,
        help="The map, enlarged; or the influence of each pixel on the cell, measured by the gradient.",
    )
    field = _field(context, name, cell)
    left, right = st.columns(2)
    with left:
        _map(maps, cell)
    with right:
        _picture(context, maps, field, shown)
    _words(context, maps, field)
    _closer(context, maps, field)


def _field(context: Context, name: str, cell: Cell) -> EffectiveField:
    model, x = context.model, context.x
    return cache.compute_large(
        context.key("feature_maps.effective_field", name, cell),
        lambda: feature_maps.effective_field(model, x, name, cell),
    )


def _map(maps: FeatureMaps, cell: Cell) -> None:
    values = maps.values[cell.channel]
    rows, columns = values.shape
    zoom = max(1, _SIDE // columns)
    grid = SheetLayout((cell.channel,), 1, rows, columns, zoom, gap=0)
    scale = pictures.activation_scale(values, "activation")

    def pick(x: float, y: float) -> None:
        found = feature_maps.cell_at(grid, x, y)
        if found is not None:
            pickers.place_cell(found.row, found.column)

    clickable.show(
        clickable.Clickable(
            picture=clickable.encode(render.coloured(values, scale, pixels=columns * zoom)),
            alt=f"Channel {cell.channel} of {maps.layer}, {rows} x {columns} cells. Arrow keys and Enter pick a cell.",
            layout=grid,
            unit="cell",
            values=values,
            marks=((cell.column * zoom, cell.row * zoom, zoom, zoom),),
        ),
        pick,
        key="feature_maps_cells",
    )
    clickable.colour_bar(scale)
    st.caption(f"{pickers.described(maps.statistics, cell.channel).capitalize()}; {rows} × {columns} cells. Click one.")


def _picture(context: Context, maps: FeatureMaps, field: EffectiveField, shown: str) -> None:
    size = context.model.input_size
    geometry = receptive.field(context.model, maps.layer)
    photograph = context.view(_SIDE)
    values = maps.values[field.cell.channel]
    if shown == _OVER:
        scale = pictures.activation_scale(values, "activation")
        photograph = render.overlay(photograph, feature_maps.aligned(values, geometry, size), scale)
    elif shown == _MEASURED:
        scale = magnitude_scale(field.values, "|change of the cell| per unit of pixel", percentile=99.9)
        photograph = render.overlay(photograph, field.values, scale, opacity=0.75)
    rows, columns = values.shape
    ratio = _SIDE / size
    box = field.box

    def pick(x: float, y: float) -> None:
        pickers.place_cell(*feature_maps.cell_under(geometry, (rows, columns), x / ratio, y / ratio))

    clickable.show(
        clickable.Clickable(
            picture=clickable.encode(photograph, photograph=True),
            alt=f"{context.caption} with the receptive field of the cell, rows {box.top} to {box.bottom - 1}, "
            f"columns {box.left} to {box.right - 1}",
            layout=SheetLayout((0,), 1, 1, 1, _SIDE, gap=0),
            unit="point",
            marks=(
                (box.left * ratio, box.top * ratio, (box.right - box.left) * ratio, (box.bottom - box.top) * ratio),
            ),
        ),
        pick,
        key="feature_maps_picture",
    )
    if shown != _ALONE:
        clickable.colour_bar(scale)
    st.caption(
        f"Framed: the {box.bottom - box.top} × {box.right - box.left} pixels that the cell can see. Click the picture "
        "for the cell that looks there."
    )


def _words(context: Context, maps: FeatureMaps, field: EffectiveField) -> None:
    cell, box = field.cell, field.box
    value = float(maps.values[cell])
    share = (box.bottom - box.top) * (box.right - box.left) / context.model.input_size**2
    says = f"Cell ({cell.row}, {cell.column}) of channel {cell.channel} says **{value:.3g}**"
    sees = f"it can see **{percent(share)}** of the picture"
    if not field.values.any():
        layout.sentence(f"{says}; {sees}, but here nothing moves it: it is silent, or at its limit.")
        return
    layout.sentence(
        f"{says}; {sees}. In truth 90 % of what moves it lies on **{percent(field.core_area(0.9))}** of that field."
    )


def _closer(context: Context, maps: FeatureMaps, field: EffectiveField) -> None:
    seen, excites = st.columns(2)
    with seen:
        st.markdown("**What the cell sees**")
        crop = feature_maps.crop(context.x, field.box)
        if crop.numel():
            st.image(pictures.crop_image(crop, side=640), width=320)
            st.caption(f"The network's own pixels: {crop.shape[1]} × {crop.shape[2]}.")
        else:
            st.info("This cell sees nothing but padding.", icon=":material/border_clear:")
    with excites:
        excite.draw(context, maps.layer, field.cell.channel)
    sum.draw(context, maps.layer, field.cell)
    layout.download(
        "Map and measured field (NPZ)",
        export.npz(
            {"map": maps.values[field.cell.channel], "effective_field": field.values},
            pickers.recipe(context, "feature_maps.effective_field", pickers.Asked(maps.layer, *field.cell)),
        ),
        f"{maps.layer}-{field.cell.channel}-{context.picture_id}.npz",
        key="feature_maps_channel_npz",
    )
    text.render("feature_maps.field")
