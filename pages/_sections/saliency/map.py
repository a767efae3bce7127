"""One map: any method, over the picture, as it settles."""

import html
from dataclasses import replace

import streamlit as st
from torch import Tensor

from convis_core import attribution, export
from convis_core.attribution import Method
from convis_core.errors import ConvisError
from convis_core.figures import render
from convis_core.figures import saliency as figures
from convis_core.figures.scores import percent
from convis_core.figures.style import Scale
from convis_core.results import Attribution, IntegratedGradientsSpec, Running, SmoothGradSpec
from pages._sections.saliency import controls, growing, labels
from pages._sections.saliency.controls import Display
from pages._shell import clickable, layout, text
from pages._shell.context import Context

_PROPORTIONS = (1.6, 1)
"""Of the map and what stands beside it."""


def draw(context: Context) -> None:
    """Controls, the map, how it settles, a sentence, files."""
    asked, answer = st.columns([1, 3.7])
    with asked, st.container(gap="xsmall"):
        method = controls.method(context)
        display = controls.display()
        if display.with_sign and not attribution.method_info(method).signed:
            display = replace(display, with_sign=False)
            st.caption("Nothing in this map is negative, so it is drawn without signs.")
    with answer:
        try:
            found = growing.show(context, method, lambda frame: _show(context, method, display, frame))
        except ConvisError as error:
            text.refuse(error)
            return
    _convention(method)
    if found is not None:
        _downloads(context, method, display, found.attribution)


def _show(context: Context, method: Method, display: Display, frame: Running) -> None:
    found = frame.attribution
    values = attribution.signed(found) if display.with_sign else attribution.combined(found, display.channels)
    scale = _scale(method, display, values)
    told = labels.signs(method) if display.with_sign else ""
    picture, beside = st.columns(_PROPORTIONS)
    with picture, st.container(key="saliency_picture", gap="xsmall"):
        layout.figure(
            figures.over(context.view(), values, scale, opacity=display.opacity, side=context.model.input_size),
            key="saliency_map",
            caption=f"{labels.title(method)} for {context.target_name}, over the picture. {told}Hover for the values.",
        )
        clickable.colour_bar(scale)
        _unguided(context, method)
    with beside:
        # Beside the map and not under it: so both are seen at once.
        layout.sentence(_sentence(context, method, frame))
        if attribution.passes(method) > 2:
            unit = labels.unit_of_work(method)
            st.markdown(f"**{frame.done} of {frame.total}** {unit}: {_settled(frame, unit)}.")
            layout.figure(
                figures.settling(frame, unit=unit),
                key="saliency_settling",
                caption=f"Correlation of each estimate with the one before, by {unit}; above the dots it has settled.",
            )
        else:
            st.image(context.view(336), alt=context.caption, width="stretch")
            st.caption("What the network is given.")


def _unguided(context: Context, method: Method) -> None:
    """Which activations guided backpropagation says nothing of, in a network that has other ones than ReLUs."""
    layers = attribution.unguided_layers(context.model) if method.id.startswith("guided") else ()
    if layers:
        st.caption(
            "Guided backpropagation changes the gradient at ReLUs only. These layers are other activations and keep "
            f"their own derivative: {text.plain(', '.join(layers))}."
        )


def _settled(frame: Running, unit: str) -> str:
    now = frame.agreement[-1]
    words = figures.agreement_words(now, unit)
    return words if len(frame.agreement) < 2 else f"the map {words} (correlation {now:.3f})"


def _sentence(context: Context, method: Method, frame: Running) -> str:
    found, name = frame.attribution, f"**{context.target_name}**"
    if attribution.is_zero(found):
        return f"The map is zero everywhere: this method finds no pixel that moves the score of {name}."
    magnitude = found.magnitude()
    share, unit = percent(attribution.concentration(magnitude)), labels.unit_of_work(method)
    so_far = "" if frame.done == frame.total else f"So far, with {frame.done} of {frame.total} {unit}: half "
    begin = f"{so_far or 'Half '}of all the magnitude lies on **{share}** of the picture."
    row, column = attribution.strongest_pixel(found)
    place = f"row {row}, column {column}"
    if attribution.method_info(method).derivative:
        on_average = " on average" if isinstance(method.spec, SmoothGradSpec) else ""
        return (
            f"{begin} The most sensitive pixel ({place}) moves the logit of {name} by "
            f"{float(magnitude.max()) / 100:.3f}{on_average} when one channel changes by 1\u00a0% of full brightness."
        )
    if isinstance(method.spec, IntegratedGradientsSpec) and frame.done == frame.total:
        total = float(found.values.double().sum())
        return (
            f"{begin} The values add up to {total:+.2f}. They should be the logit {context.logit:.2f} of {name} less "
            "that of the beginning; more steps bring them closer."
        )
    return f"{begin} It is strongest at {place}."


def _scale(method: Method, display: Display, values: Tensor) -> Scale:
    info = attribution.method_info(method)
    return figures.map_scale(
        values, info.unit, signed=info.signed, with_sign=display.with_sign, percentile=display.percentile
    )


def _convention(method: Method) -> None:
    """What the chosen preset differs in."""
    preset = controls.convention()
    if not isinstance(method.spec, SmoothGradSpec) or preset is None:
        return
    st.markdown(
        f"**{html.escape(preset.label)}.** *Noise:* {preset.noise} *Average:* {preset.averages} "
        f"*Display:* {preset.shows} ({preset.source}.) The colour channels are combined here as this convention does; "
        "the clipping stays the one set under Display."
    )


def _downloads(context: Context, method: Method, display: Display, found: Attribution) -> None:
    values = attribution.signed(found) if display.with_sign else attribution.combined(found, display.channels)
    scale = _scale(method, display, values)
    recipe = context.recipe(*attribution.recipe_parts(method))
    name = f"{method.id}-{context.picture_id}"
    with st.container(horizontal=True):
        layout.download(
            "Overlay (PNG)",
            export.png(render.overlay(context.view(), values, scale, opacity=display.opacity), recipe),
            f"{name}.png",
            key="saliency_png",
        )
        layout.download(
            "Values (NPZ)",
            export.npz({"values": found.values, "magnitude": found.magnitude(), "x": context.x[0]}, recipe),
            f"{name}.npz",
            key="saliency_npz",
        )
        layout.download("Recipe (Python)", recipe.as_python().encode(), f"{name}.py", key="saliency_recipe")
