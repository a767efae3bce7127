"""What the views of the architecture page have in common: the network's parts, and the block looked at."""

import streamlit as st

from convis_core import architecture
from convis_core.architecture.blueprint import blueprint
from convis_core.figures.architecture import bytes_text, count_text
from convis_core.results import Block, LayerRow, Totals
from pages._shell import cache, controls
from pages._shell.context import Context

_BLOCK = "architecture_block"


def rows(model_id: str) -> tuple[LayerRow, ...]:
    """Every layer of a network of the registry; its weights are not needed for this."""
    return cache.compute(("architecture.describe", model_id), lambda: architecture.describe(blueprint(model_id)))


def blocks(model_id: str) -> tuple[Block, ...]:
    """The blocks of a network of the registry."""
    return architecture.blocks(rows(model_id))


def totals(model_id: str) -> Totals:
    """What the layers of a network of the registry come to together."""
    return architecture.totals(rows(model_id))


def block(context: Context) -> Block:
    """The block looked at; at first the one with most multiply-adds."""
    offered = {found.name: found for found in blocks(context.model.spec.id)}
    name = controls.selectbox(
        "Block",
        list(offered),
        default=max(offered.values(), key=lambda found: found.macs).name,
        key=_BLOCK,
        width=320,
        help="In order from the picture to the class scores. Clicking the drawing picks a block, too.",
    )
    return offered[name]


def look_at(model_id: str, index: int) -> None:
    """Look at another block; for callbacks."""
    st.session_state[_BLOCK] = blocks(model_id)[index].name


def numbers(context: Context) -> dict[str, str]:
    """What the page's text says of the network shown."""
    spec = context.model.spec
    parts = rows(spec.id)
    total = totals(spec.id)
    busiest = max(parts, key=lambda row: row.macs)
    kernel = busiest.kernel or (1, 1)
    return {
        "network": spec.label,
        "parameters": f"{total.parameters:,}",
        "biases": f"{total.biases:,}",
        "macs": count_text(total.macs),
        "depth": str(total.depth),
        "field": str(total.receptive_field),
        "memory": bytes_text(total.activation_bytes),
        "layer": busiest.name,
        "kernel": f"{kernel[0]} \\times {kernel[1]}",
        "inputs": str(busiest.input_shape[1]),
        "outputs": str(busiest.output_shape[1]),
        "layer_macs": f"{busiest.macs:,}",
    }
