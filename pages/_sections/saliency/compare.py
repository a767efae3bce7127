"""Compare: four methods side by side, how alike they are, and how well each orders the pixels."""

import math

import streamlit as st

from convis_core import attribution
from convis_core.attribution import KINDS
from convis_core.figures import saliency as figures
from convis_core.results import Comparison, DeletionInsertionSpec
from pages._sections.saliency import controls, labels, pace, tiles
from pages._shell import controls as widgets
from pages._shell import layout, live, text
from pages._shell.context import Context

SLOT = "saliency_compare"
_FIRST = ("smoothgrad", "saliency", "guided_backprop", "grad_cam")
SPEC = DeletionInsertionSpec(steps=16, random_orders=2)


def draw(context: Context) -> None:
    """Four pickers, four maps, a table."""
    kinds = [
        widgets.selectbox(
            f"Method {place}",
            KINDS,
            default=first,
            format_func=labels.LABELS.__getitem__,
            key=f"saliency_compare_{place}",
            place=column,
            help="SmoothGrad with the noise and copies set for the map; Grad-CAM at the last layer with maps.",
        )
        for place, (column, first) in enumerate(zip(st.columns(len(_FIRST)), _FIRST, strict=True), 1)
    ]
    methods = tuple(controls.plain_method(context, kind) for kind in kinds)
    forwards = 2 * (SPEC.steps + 1) * (len(methods) + SPEC.random_orders)
    expected = pace.expected_seconds(context, forwards=forwards, gradients=sum(map(attribution.passes, methods)))
    if not pace.agreed(context, SLOT, expected, methods):
        return
    model, x, target = context.model, context.x, context.target
    live.watch(
        SLOT,
        context.key("attribution.compare", target, methods, SPEC),
        lambda: attribution.compare(model, x, target, methods, SPEC),
        lambda frame, _job: _show(context, frame),
        height=620,
    )


def _show(context: Context, frame: Comparison) -> None:
    names = [labels.LABELS[method.id] for method in frame.methods]
    for place, column in enumerate(st.columns(len(names))):
        with column:
            tiles.tile(
                frame.attributions[place].magnitude() if place < len(frame.attributions) else None,
                key=f"saliency_compared_{place}",
                alt=f"{names[place]} for {context.target_name}",
            )
    tiles.colours()
    areas = _areas(frame)
    if frame.done == frame.total:
        layout.sentence(_sentence(areas, names))
    st.caption(
        f"Magnitudes for {context.target_name}, the largest over the colour channels. The methods count in different "
        "units, so each map is divided by its own 99th percentile and all share one scale of colours."
    )
    _table(areas, names)
    st.markdown("**How alike are they?**")
    unique = [f"{place + 1}: {name}" for place, name in enumerate(names)]
    alike = figures.table_of(frame.agreement.tolist())
    st.table({" ": unique} | {name: [row[place] for row in alike] for place, name in enumerate(unique)})
    text.render("saliency.compare")


def _areas(frame: Comparison) -> list[tuple[float, float]]:
    """Deletion and insertion of every method, and of random orders at the end; empty until those are there."""
    if not frame.curves or math.isnan(frame.curves[0].random_insertion_auc()):
        return []
    random = frame.curves[0]
    rows = [(curve.deletion_auc(), curve.insertion_auc()) for curve in frame.curves]
    rows += [(math.nan, math.nan)] * (len(frame.methods) - len(rows))
    return [*rows, (random.random_deletion_auc(), random.random_insertion_auc())]


def _table(rows: list[tuple[float, float]], names: list[str]) -> None:
    if not rows:
        st.skeleton(height=200)
        return
    cells = [["–" if math.isnan(area) else f"{area:.3f}" for area in row] for row in rows]
    st.markdown("**How well does each order the pixels?**")
    st.table(
        {
            " ": [*(f"{place + 1}: {name}" for place, name in enumerate(names)), "random order"],
            "deletion AUC (lower is better)": [row[0] for row in cells],
            "insertion AUC (higher is better)": [row[1] for row in cells],
        }
    )


def _sentence(rows: list[tuple[float, float]], names: list[str]) -> str:
    *own, (random_deletion, random_insertion) = rows
    deletes = min(range(len(own)), key=lambda place: own[place][0])
    inserts = max(range(len(own)), key=lambda place: own[place][1])
    best = (
        f"**{names[deletes]}** orders the pixels best"
        if deletes == inserts
        else f"**{names[deletes]}** takes the class away soonest, **{names[inserts]}** brings it back soonest"
    )
    losers = [
        name
        for name, (deletion, insertion) in zip(names, own, strict=True)
        if deletion >= random_deletion or insertion <= random_insertion
    ]
    if not losers:
        return f"{best}; all beat a random order both ways."
    listed = ", ".join(dict.fromkeys(losers))
    return f"{best}. **Not better than a random order** in at least one of the two on this picture: {listed}."
