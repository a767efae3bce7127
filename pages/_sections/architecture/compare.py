"""Two networks side by side, and how long each takes on this machine."""

import streamlit as st

from convis_core import architecture, models
from convis_core.figures import architecture as pictures
from convis_core.models import weights
from convis_core.results import Race
from pages._sections.architecture import parts
from pages._shell import cache, controls, layout, live
from pages._shell.context import Context

_LABELS = {spec.id: spec.label for spec in models.MODELS}
_OTHER = "architecture_other"


def draw(context: Context) -> None:
    """The numbers of both; below them the time, when it is asked for."""
    mine = context.model.spec
    others = [model_id for model_id in _LABELS if model_id != mine.id]
    other = controls.selectbox(
        "Compare with",
        others,
        default="vgg16" if "vgg16" in others else None,
        format_func=_LABELS.__getitem__,
        key=_OTHER,
        width=320,
        help="Its weights are not needed for its numbers, only for its time.",
    )
    one, two = parts.totals(mine.id), parts.totals(other)
    layout.figure(
        pictures.comparison((mine.label, one), (_LABELS[other], two)),
        key="architecture_comparison",
        caption=f"{mine.label} and {_LABELS[other]}. In each row the longer bar fills the width; depth counts the "
        "convolutions and linear layers on the longest way from the picture to the scores.",
    )
    layout.sentence(
        f"**{_LABELS[other]}** has {pictures.times(two.parameters, one.parameters)} parameters of **{mine.label}** and "
        f"does {pictures.times(two.macs, one.macs)} work of it for one picture."
    )
    _time(context, other)


def _time(context: Context, other: str) -> None:
    """Measure both on request: a number that another visitor's work would have spoilt is not kept for ever."""
    spec = models.get_spec(other)
    if weights.find(spec.weights) is None:
        st.info(
            f"The weights of {spec.label} are not on this machine, so its time cannot be measured. Choose it once as "
            "the network, and they are fetched.",
            icon=":material/timer_off:",
        )
        return
    turn = f"architecture_turn_{other}"
    st.button(
        "Measure the time for one picture",
        key="architecture_measure",
        icon=":material/timer:",
        on_click=_measure_again,
        args=(turn,),
    )
    if not st.session_state.get(turn):
        return
    model, opponent, picture = context.model, cache.model(other), context.picture
    live.watch(
        "architecture_race",
        context.key("architecture.compare", other, st.session_state[turn]),
        lambda: architecture.compare(model, opponent, picture),
        lambda race, _: _result(race, model.spec.label, spec.label),
        height=120,
    )


def _measure_again(turn: str) -> None:
    st.session_state[turn] = st.session_state.get(turn, 0) + 1


def _result(race: Race, mine: str, other: str) -> None:
    layout.sentence(
        f"**{mine}** takes {pictures.milliseconds(race.first)}, **{other}** {pictures.milliseconds(race.second)}."
    )
    threads = "one core" if race.first.threads == 1 else f"{race.first.threads} cores"
    st.caption(
        f"Median of {race.done} turns each, one after the other, after a warm-up, on {threads} of this machine. From "
        f"the fastest to the slowest: {race.first.fastest * 1000:.0f} to {race.first.slowest * 1000:.0f} ms, and "
        f"{race.second.fastest * 1000:.0f} to {race.second.slowest * 1000:.0f} ms. Other visitors' work prolongs it."
    )
