"""Weight randomisation: does the map change when the network forgets what it has learned?"""

import math

import streamlit as st

from convis_core import attribution
from convis_core.attribution import Method, sanity
from convis_core.figures import saliency as figures
from convis_core.results import RandomisationSpec, WeightRandomisation
from pages._sections.saliency import pace, tiles
from pages._shell import layout, live
from pages._shell.context import Context

SLOT = "saliency_forget"
SPEC = RandomisationSpec()
ALIKE = 0.5
"""Above this rank correlation with the trained network's map, a map has kept more than it should."""
_SHOWN = 5


def draw(context: Context, method: Method) -> None:
    """How alike the maps stay, and some of them."""
    expected = pace.expected_seconds(
        context, gradients=attribution.passes(method) * (2 + len(context.model.spec.feature_layers))
    )
    if not pace.agreed(context, SLOT, expected, method):
        return
    model, x, target = context.model, context.x, context.target
    live.watch(
        SLOT,
        context.key("attribution.sanity.weight_randomisation", target, method, SPEC),
        lambda: sanity.weight_randomisation(model, x, target, attribution.as_explainer(method), SPEC),
        lambda frame, _job: _show(frame),
        height=620,
    )


def _show(frame: WeightRandomisation) -> None:
    _maps(frame)
    tiles.colours()
    layout.sentence(sentence(frame))
    layout.figure(
        figures.similarity(frame),
        key="saliency_likeness",
        caption="How alike the trained network's map and that of a network are whose weights are random from the "
        "output down to a layer: 1 is the same, 0 has nothing in common.",
    )


def _maps(frame: WeightRandomisation) -> None:
    """The trained network's map and some of the others, spread over the layers."""
    names = ["trained", *(f"down to {name}" for name in frame.layers)]
    wanted = [round(place * frame.total / (_SHOWN - 1)) for place in range(_SHOWN)]
    for place, column in zip(wanted, st.columns(_SHOWN), strict=True):
        with column:
            reached = place < len(frame.magnitudes)
            tiles.tile(
                frame.magnitudes[place] if reached else None,
                key=f"saliency_forgets_{place}",
                alt=f"Map, weights {names[place]}" if reached else "Not computed yet",
            )
            if not reached:
                continue
            likeness = frame.rank_correlation[place]
            said = "" if place == 0 else f", rank correlation {'–' if math.isnan(likeness) else f'{likeness:.2f}'}"
            st.caption(f"**{names[place]}**{said}")


def sentence(frame: WeightRandomisation) -> str:
    """Whether the map depends on what the network has learned."""
    if frame.done < frame.total:
        return f"So far {frame.done} of {frame.total} layers have forgotten their weights."
    first, last = frame.rank_correlation[1], frame.rank_correlation[-1]
    if math.isnan(last):
        return "A network of random weights gives a map without any values: the trained one's map depends on learning."
    fall = f"The rank correlation is {first:.2f} when the last layer is random and **{last:.2f}** when all are"
    if last > ALIKE:
        return (
            f"{fall}: **much of the {frame.method} map is there without any learning**, so it shows the picture more "
            "than the reasons."
        )
    if first > ALIKE:
        return f"{fall}: the map needs trained weights, but hardly notices that the **layer which decides** is random."
    return f"{fall}: the {frame.method} map depends on what the network has learned, as it should."
