"""Filmstrip: SmoothGrad at growing noise levels."""

import streamlit as st

from convis_core import attribution
from convis_core.figures.scores import percent
from convis_core.results import Filmstrip, SmoothGradSpec
from pages._sections.saliency import controls, pace, tiles
from pages._shell import layout, live, text
from pages._shell.context import Context

LEVELS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
SLOT = "saliency_strip"
_COLUMNS = 3
_PROPORTIONS = (2.8, 1)
"""Of the maps and what stands beside them."""


def draw(context: Context) -> None:
    """Six maps, each as bright as its own noise level allows, and what they show."""
    asked, answer = st.columns([1, 3.7])
    with asked:
        spec = SmoothGradSpec(n_samples=controls.samples())
        st.caption("For each of the noise levels, which are percentages of the picture's range.")
    with answer:
        copies = spec.n_samples * len(LEVELS)
        if not pace.agreed(context, SLOT, pace.expected_seconds(context, gradients=copies), spec):
            return
        model, x, target = context.model, context.x, context.target
        live.watch(
            SLOT,
            context.key("attribution.filmstrip", target, LEVELS, spec),
            lambda: attribution.filmstrip(model, x, target, LEVELS, spec),
            lambda frame, _job: _show(context, frame),
            height=620,
        )
    text.render("saliency.filmstrip")


def _show(context: Context, frame: Filmstrip) -> None:
    magnitudes = [found.magnitude() for found in frame.attributions]
    strip, beside = st.columns(_PROPORTIONS)
    with strip:
        for start in range(0, len(LEVELS), _COLUMNS):
            for place, column in enumerate(st.columns(_COLUMNS), start):
                with column, st.container(gap="xsmall"):
                    st.markdown(f"**{100 * LEVELS[place]:.0f} % noise**")
                    tiles.tile(
                        magnitudes[place] if place < len(magnitudes) else None,
                        key=f"saliency_strip_{place}",
                        alt=f"SmoothGrad at {100 * LEVELS[place]:.0f} % noise",
                    )
        tiles.colours()
    with beside:
        # Beside the maps and not under them: so all six and the sentence are seen at once.
        if frame.done == frame.total:
            shares = [percent(attribution.concentration(magnitude)) for magnitude in magnitudes]
            layout.sentence(
                f"Half of the magnitude lies on **{shares[0]}** of the picture without noise, on **{shares[2]}** at "
                f"10 % and on **{shares[-1]}** at 50 %: {_trend(magnitudes)}"
            )
        st.caption(
            f"SmoothGrad for {context.target_name}, magnitude, up to {frame.total // (len(LEVELS) - 1)} noisy copies "
            "a map. Every map has its own scale: with more noise the gradients shrink, and only the pattern is "
            "compared."
        )


def _trend(magnitudes: list) -> str:
    first, moderate, last = (attribution.concentration(magnitudes[place]) for place in (0, 2, -1))
    if moderate < first and last > moderate:
        return "a little noise gathers the map on what matters, a lot spreads it again."
    if last < first:
        return "here the map gathers as the noise grows."
    return "here noise does not gather the map; look whether the pattern is easier to read."
