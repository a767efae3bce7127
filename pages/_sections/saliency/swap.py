"""Class swap: does the map change when another class is asked for?"""

import math

import streamlit as st

from convis_core import attribution
from convis_core.attribution import Method, sanity
from convis_core.figures.scores import percent
from convis_core.results import ClassSwap
from pages._sections.saliency import pace, tiles
from pages._shell import layout, live
from pages._shell.context import Context

SLOT = "saliency_swap"
ALIKE, PARTLY_ALIKE = 0.7, 0.4
"""Above the first rank correlation two classes have nearly the same map, above the second partly."""


def draw(context: Context, method: Method) -> None:
    """The class, the strongest other, the least likely one: three maps and how alike they are."""
    model, x = context.model, context.x
    targets = _targets(context)
    expected = pace.expected_seconds(context, gradients=attribution.passes(method) * len(targets))
    if not pace.agreed(context, SLOT, expected, method):
        return
    live.watch(
        SLOT,
        context.key("attribution.sanity.class_swap", targets, method),
        lambda: sanity.class_swap(model, x, targets, attribution.as_explainer(method)),
        lambda frame, _job: _show(context, frame),
        height=560,
    )


def _targets(context: Context) -> tuple[int, ...]:
    best = [score.index for score in context.prediction.top if score.index != context.target]
    least = int(context.prediction.logits.argmin())
    return tuple(dict.fromkeys((context.target, best[0], least)))


def _show(context: Context, frame: ClassSwap) -> None:
    names = [context.model.categories[target] for target in frame.targets]
    for place, column in enumerate(st.columns(len(names))):
        with column:
            chance = float(context.prediction.probabilities[frame.targets[place]])
            st.markdown(f"**{names[place]}** {percent(chance)}")
            reached = place < len(frame.magnitudes)
            tiles.tile(
                frame.magnitudes[place] if reached else None,
                key=f"saliency_swapped_{place}",
                alt=f"Map for {names[place]}",
            )
            if not reached:
                continue
            signed, ranked = float(frame.correlation[0, place]), float(frame.rank_correlation[0, place])
            told = "the class of this page" if place == 0 else f"correlation {_two(signed)}, of ranks {_two(ranked)}"
            st.caption(told)
    tiles.colours()
    layout.sentence(sentence(names, frame))
    st.caption(
        f"{frame.method[0].upper()}{frame.method[1:]} for the class of this page, for the most probable other class, "
        f"and for the least probable of all {len(context.model.categories)}. Correlations are with the first map: of "
        "the signed values, and of the ranks of the magnitudes."
    )


def sentence(names: list[str], frame: ClassSwap) -> str:
    """Whether the map is about the class."""
    if frame.done < frame.total:
        return f"So far {frame.done} of {frame.total} classes are explained."
    least = len(names) - 1
    ranked = float(frame.rank_correlation[0, least])
    if math.isnan(ranked):
        return "One of the maps is the same everywhere; there is nothing to compare."
    if ranked > ALIKE:
        return (
            f"Even **{names[least]}**, the least probable class, lights up the same places (rank correlation "
            f"{ranked:.2f}): {frame.method} shows **where the picture has structure**, not why it is {names[0]}."
        )
    if ranked > PARTLY_ALIKE:
        return (
            f"For **{names[least]}**, the least probable class, partly the same places count (rank correlation "
            f"{ranked:.2f}): the map mixes what the picture holds with what the class wants."
        )
    return (
        f"For **{names[least]}**, the least probable class, other places count (rank correlation {ranked:.2f}): the "
        "map is about the class."
    )


def _two(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"
