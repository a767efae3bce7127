"""Where the parameters are, and where the work is."""

from convis_core import architecture
from convis_core.figures import architecture as pictures
from convis_core.figures.scores import percent
from pages._sections.architecture import parts
from pages._shell import layout
from pages._shell.context import Context


def draw(context: Context) -> None:
    """Two rows of bars over the same blocks."""
    spec = context.model.spec
    blocks = parts.blocks(spec.id)
    block = parts.block(context)
    layout.figure(
        pictures.shares(blocks, picked=block.name),
        key="architecture_costs",
        caption=f"{spec.label}, block by block from the picture to the scores. Above: share of the parameters. Below: "
        "share of the multiply-adds for one picture. Colours mean the same kinds of blocks as in the drawing.",
        on_pick=lambda index: parts.look_at(spec.id, index),
    )
    costs = architecture.costs(blocks)
    layout.sentence(
        f"**{costs.heaviest}** alone holds {percent(costs.heaviest_parameters)} of the parameters and does "
        f"{percent(costs.heaviest_macs)} of the work. By the end of **{costs.half}**, {percent(costs.half_macs)} of "
        f"the work is done, by layers that hold {percent(costs.half_parameters)} of the parameters."
    )
