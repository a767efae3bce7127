"""Saliency: which pixels move the score of a class."""

import streamlit as st

from convis_core import export, gradients
from convis_core.figures import maps, render, scores
from convis_core.figures.style import magnitude_scale, signed_scale
from pages._shared import cache, layout, text
from pages._shared.context import shared_context

UNIT = "change of logit per unit of pixel"

context = shared_context()
model, x, target = context.model, context.x, context.target
layout.header(context, "Saliency", "Which pixels would change the score if they changed a little?")

kind, fade, clip = st.columns([1.2, 1, 1], vertical_alignment="bottom")
shown = kind.segmented_control(
    "Show",
    ["magnitude", "signed"],
    default="magnitude",
    required=True,
    key="saliency_show",
    bind="query-params",
    persist_state="session",
    help="Magnitude: how much, largest over the colour channels. Signed: the sum over them, red raises the score.",
)
opacity = fade.slider(
    "Opacity of the map",
    0.0,
    1.0,
    0.6,
    0.05,
    key="saliency_opacity",
    bind="query-params",
    persist_state="session",
    help="0 shows the picture alone, 1 the map alone.",
)
percentile = clip.slider(
    "Clip at percentile",
    90.0,
    100.0,
    99.0,
    0.5,
    key="saliency_clip",
    bind="query-params",
    persist_state="session",
    help="Values above this percentile get the brightest colour. Display only: hovering shows the values themselves.",
)

attribution = cache.compute(context.key("gradients.saliency", target), lambda: gradients.saliency(model, x, target))
magnitude = attribution.magnitude()
if shown == "signed":
    values = attribution.values.sum(dim=0)
    scale = signed_scale(values, UNIT, percentile=percentile)
else:
    values = magnitude
    scale = magnitude_scale(values, f"|{UNIT}|", percentile=percentile)

view = context.view()
layout.figure(
    maps.row(
        [maps.Panel("the map", None, values, 1.0), maps.Panel("over the picture", view, values, opacity)],
        scale,
        side=model.input_size,
        height=480,
    ),
    key="saliency_map",
    caption=f"Gradient of the logit of {context.target_name} with respect to every pixel. Hover for the values.",
)

if attribution.is_zero():
    layout.sentence(
        f"The map is zero everywhere: no small change of any pixel moves the score of **{context.target_name}**."
    )
else:
    layout.sentence(
        f"Half of all the sensitivity lies on **{scores.percent(attribution.concentration())}** of the picture. "
        f"The most sensitive pixel changes the logit of {context.target_name} by "
        f"{float(magnitude.max()) / 100:.3f} when one of its channels changes by 1 % of full brightness."
    )

recipe = context.recipe("gradients.saliency")
with st.container(horizontal=True):
    layout.download(
        "Overlay (PNG)",
        export.png(render.overlay(view, values, scale, opacity=opacity), recipe),
        f"saliency-{context.picture_id}.png",
        key="saliency_png",
    )
    layout.download(
        "Values (NPZ)",
        export.npz({"values": attribution.values, "magnitude": magnitude, "x": x[0]}, recipe),
        f"saliency-{context.picture_id}.npz",
        key="saliency_npz",
    )
    layout.download("Recipe (Python)", recipe.as_python().encode(), "saliency.py", key="saliency_recipe")

text.explain("saliency")
