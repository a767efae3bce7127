"""The network drawn to scale, and one block of it looked at closely."""

import streamlit as st

from convis_core import architecture, feature_maps
from convis_core.figures import architecture as pictures
from convis_core.figures import branches, formulas, network
from convis_core.figures.feature_maps import average_image
from convis_core.figures.scores import percent
from convis_core.results import Block, LayerRow
from pages._sections.architecture import parts
from pages._shell import cache, layout, navigation, text
from pages._shell.context import Context


def draw(context: Context) -> None:
    """The whole network; below it the block that was picked."""
    model = context.model
    found, total = parts.blocks(model.spec.id), parts.totals(model.spec.id)
    chosen, said = st.columns([1, 2.4], vertical_alignment="bottom")
    with chosen:
        block = parts.block(context)
    said.markdown(
        f"{pictures.count_text(total.parameters)} parameters · {pictures.count_text(total.macs)} multiply-adds · "
        f"depth {total.depth} · receptive field {total.receptive_field} pixels"
    )
    layout.figure(
        network.drawing(found, picked=block.name),
        key="architecture_drawing",
        caption=f"{model.spec.label} from the picture (left) to the class scores (right). The right face of a box is "
        "its map to scale, its length the number of channels; what would be too thin to see is drawn a little "
        "thicker. Hover for numbers, click to pick.",
        on_pick=lambda index: parts.look_at(model.spec.id, index),
    )
    layout.sentence(_sentence(block, total.parameters, total.macs))
    _closely(context, block)


def _sentence(block: Block, parameters: int, macs: int) -> str:
    shapes = f"{pictures.shape_text(block.input_shape)} → {pictures.shape_text(block.output_shape)}"
    return (
        f"**{block.name}** ({block.kind}) makes {shapes}. It holds "
        f"{percent(block.parameters / parameters)} of the parameters and does {percent(block.macs / macs)} of the work."
    )


def _closely(context: Context, block: Block) -> None:
    """Its layers, their formulas, and what it makes of the picture."""
    rows = {row.name: row for row in parts.rows(context.model.spec.id)}
    inner = architecture.inside(tuple(rows.values()), block.name)
    if len(inner) > 1:
        _branches(block, inner, rows)
    told, shown = st.columns([2.2, 1])
    with told:
        _formulas(block, rows)
    with shown:
        _output(context, block)


def _branches(block: Block, inner: tuple[Block, ...], rows: dict[str, LayerRow]) -> None:
    shape = block.input_shape
    entry = f"{shape[2]} × {shape[3]}<br>{shape[1]} ch." if len(shape) == 4 else f"{shape[1]}"
    drawn = branches.shown(inner)
    rest = "" if len(drawn) == len(inner) else f" The first {len(drawn)} of its {len(inner)} layers are drawn."
    layout.figure(
        branches.graph(inner, rows, entry=entry),
        key="architecture_inside",
        caption=f"Inside {block.name}, from its input (left) to its output.{rest} Batch norm and activation are drawn "
        "with the layer that they finish.",
    )


def _formulas(block: Block, rows: dict[str, LayerRow]) -> None:
    """The formulas of one of the block's layers, with its own numbers."""
    telling = [name for name in block.layers if architecture.substitutions(rows[name])]
    if not telling:
        st.markdown("This block has nothing to learn and nothing to multiply: no formula but its name.")
        return
    key = f"architecture_layer_{block.name}"
    main = max(telling, key=lambda name: rows[name].macs)
    name = main
    if len(telling) > 1:
        name = str(
            st.selectbox(
                "Layer", telling, index=telling.index(main), key=key, help="Of this block, in order of execution."
            )
        )
    row = rows[name]
    st.markdown(
        f"**{row.name}**: {row.kind}, {pictures.shape_text(row.input_shape)} → {pictures.shape_text(row.output_shape)}"
    )
    for substitution in architecture.substitutions(row):
        st.markdown(
            f"{formulas.title(substitution)}: ${formulas.symbols(substitution)} = {formulas.numbers(substitution)}$"
        )
    st.markdown(
        f"Receptive field: {row.field.size[0]} × {row.field.size[1]} pixels, {row.field.jump[0]} pixels from one "
        f"cell's to the next one's. Memory of the output: {pictures.bytes_text(row.activation_bytes)}."
    )


def _output(context: Context, block: Block) -> None:
    """What the block makes of the picture, averaged over its channels, and the way to all of them."""
    model, x = context.model, context.x
    if not block.map_layer or block.map_shape[2] == 1:
        st.markdown("Its output is a list of numbers and no longer a map: there is nothing to see of *where*.")
        return
    (summary,) = cache.compute(
        context.key("feature_maps.summarise", (block.map_layer,)),
        lambda: feature_maps.summarise(model, x, (block.map_layer,)),
    )
    with st.container(key="pixels_architecture_output"):
        st.image(
            average_image(summary), width="stretch", alt=f"Output of {block.map_layer}, averaged over its channels"
        )
    st.caption(
        f"{text.plain(context.caption)}: output of {block.map_layer}, mean of {block.map_shape[1]} channels, from dark "
        "(least) to bright (most)."
    )
    maps = next((entry for entry in navigation.listed() if entry.name == "feature_maps"), None)
    if maps is not None:
        st.page_link(
            maps.path,
            label="See all its channels",
            icon=maps.icon,
            query_params={
                **st.query_params.to_dict(),
                "feature_maps_view": "One layer",
                "feature_maps_layer": block.map_layer,
            },
        )
