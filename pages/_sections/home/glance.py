"""At a glance: a real picture, what the network says of it, and a first map of why."""

import streamlit as st

from convis_core import attribution, models
from convis_core.figures import maps, scores
from convis_core.figures.style import magnitude_scale
from pages._shell import cache, layout
from pages._shell.context import Context


def draw(context: Context) -> None:
    """The picture and its saliency beside the most probable classes."""
    with st.container(key="hero"):
        pictures, says = st.columns([2.2, 1], vertical_alignment="center")
        with pictures:
            _pictures(context)
        with says:
            layout.figure(
                scores.bars(context.prediction.top, target=context.target, synsets=models.imagenet_synsets()),
                key="home_top",
                caption=f"The five most probable of {len(context.model.categories)} classes, by "
                f"{context.model.spec.label}.",
            )


def _pictures(context: Context) -> None:
    model, x, target = context.model, context.x, context.target
    magnitude = cache.compute(
        context.key("attribution.saliency", target), lambda: attribution.saliency(model, x, target)
    ).magnitude()
    view = context.view()
    panels = [
        maps.Panel("what the network is given", view),
        maps.Panel(f"where its score of {context.target_name} is sensitive", view, magnitude, 0.75),
    ]
    layout.figure(
        maps.row(
            panels,
            magnitude_scale(magnitude, "|change of logit| per unit of pixel"),
            side=model.input_size,
            height=450,
        ),
        key="home_pictures",
        caption=f"Left: the middle of the picture, {model.input_size} x {model.input_size} pixels. "
        "Right: the brighter a pixel, the more a small change of it would move the score.",
    )
    first, second, *_ = context.prediction.top
    layout.sentence(
        f"{model.spec.label} is {scores.percent(first.probability)} sure that this is **{first.name}**; "
        f"next comes **{second.name}** with {scores.percent(second.probability)}."
    )
