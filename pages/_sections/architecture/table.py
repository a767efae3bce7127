"""All layers of the network as a table."""

import streamlit as st

from convis_core import export
from convis_core.figures.architecture import bytes_text, shape_text
from convis_core.results import LayerRow
from pages._sections.architecture import parts
from pages._shell import controls, layout
from pages._shell.context import Context

_EXECUTION = "in order of execution"
_HELP = {
    "layer": "Name of the layer, as torchvision calls it.",
    "kernel": "Rows × columns of the window.",
    "stride": "Cells from one window to the next.",
    "padding": "Zeros around the input; four numbers where the sides differ: top, bottom, left, right.",
    "input": "Channels × rows × columns; of several inputs the first.",
    "output": "Channels × rows × columns.",
    "weights": "Learned numbers that multiply.",
    "biases": "Learned numbers that are only added.",
    "multiply-adds": "For one picture. Adding a bias and batch norm are not counted.",
    "memory (kB)": "Of the output, in 32-bit numbers.",
    "receptive field": "Side of the square of pixels that a cell can see.",
    "jump": "Pixels between the fields of neighbouring cells.",
}


def draw(context: Context) -> None:
    """The table, its sum, and the file."""
    model = context.model
    rows, total = parts.rows(model.spec.id), parts.totals(model.spec.id)
    cells = [_cells(row) for row in rows]
    board, sums, below = st.container(), st.container(), st.container(horizontal=True, vertical_alignment="bottom")
    order = controls.selectbox(
        "Largest first",
        [_EXECUTION, *(name for name, example in cells[0].items() if isinstance(example, int))],
        key="architecture_order",
        place=below,
        width=280,
        help="By which column the rows are sorted. Clicking a column's head sorts, too; the keyboard cannot click.",
    )
    shown = cells if order == _EXECUTION else sorted(cells, key=lambda row: -int(row[order]))
    with board:
        _show(shown, model.spec.label)
    held = sum(parameter.numel() for parameter in model.module.parameters())
    agrees = "exactly what the model holds" if held == total.parameters else f"while the model holds {held:,}"
    with sums:
        layout.sentence(
            f"The rows add up to **{total.parameters:,} parameters**, {agrees} ({total.weights:,} weights and "
            f"{total.biases:,} biases), to **{total.macs:,} multiply-adds** and to "
            f"{bytes_text(total.activation_bytes)} of outputs."
        )
    with below:
        layout.download(
            "Table (CSV)",
            export.csv(list(cells[0]), (list(row.values()) for row in cells), context.recipe("architecture.describe")),
            f"layers-{model.spec.id}.csv",
            key="architecture_csv",
        )


def _show(cells: list[dict[str, str | int]], network: str) -> None:
    st.dataframe(
        {name: [row[name] for row in cells] for name in cells[0]},
        hide_index=True,
        height=470,
        key="architecture_table",
        column_config={
            name: st.column_config.NumberColumn(name, help=_HELP[name], format="localized")
            if isinstance(example, int)
            else st.column_config.TextColumn(name, pinned=name == "layer", help=_HELP.get(name, "What the layer does."))
            for name, example in cells[0].items()
        },
        alt=f"All layers of {network} with their sizes and costs",
    )
    st.caption(
        f"All {len(cells)} layers of {network}. Click a column's head to sort by it; the magnifying glass searches; "
        "further right: memory, receptive field and jump."
    )


def _cells(row: LayerRow) -> dict[str, str | int]:
    padding = row.padding
    even = padding is not None and len(set(padding)) == 1
    return {
        "layer": row.name,
        "type": row.kind,
        "kernel": f"{row.kernel[0]} × {row.kernel[1]}" if row.kernel else "",
        "stride": f"{row.stride[0]} × {row.stride[1]}" if row.stride else "",
        "padding": "" if padding is None else str(padding.top) if even else ", ".join(map(str, padding)),
        "input": shape_text(row.input_shape),
        "output": shape_text(row.output_shape),
        "weights": row.weights,
        "biases": row.biases,
        "multiply-adds": row.macs,
        "memory (kB)": round(row.activation_bytes / 1000),
        "receptive field": row.receptive_field,
        "jump": row.jump,
    }
