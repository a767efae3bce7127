"""Home: a real picture, what the network says of it, and a first map of why."""

import streamlit as st

from convis_core import models
from convis_core.attribution import methods
from convis_core.figures import maps, scores
from convis_core.figures.style import magnitude_scale
from pages._shell import cache, layout, navigation, text
from pages._shell.context import shared_context

context = shared_context()
model, x, target = context.model, context.x, context.target
layout.header(context, "Convis", navigation.HOME.question)

attribution = cache.compute(context.key("attribution.saliency", target), lambda: methods.saliency(model, x, target))
magnitude = attribution.magnitude()
scale = magnitude_scale(magnitude, "|change of logit| per unit of pixel")
view = context.view()

with st.container(key="hero"):
    pictures, says = st.columns([2.2, 1], vertical_alignment="center")
    with pictures:
        panels = [
            maps.Panel("what the network is given", view),
            maps.Panel(f"where its score of {context.target_name} is sensitive", view, magnitude, 0.75),
        ]
        layout.figure(
            maps.row(panels, scale, side=model.input_size, height=450),
            key="home_pictures",
            caption=f"Left: the middle of the picture, {model.input_size} x {model.input_size} pixels. "
            "Right: the brighter a pixel, the more a small change of it would move the score.",
        )
        first, second, *_ = context.prediction.top
        layout.sentence(
            f"{model.spec.label} is {scores.percent(first.probability)} sure that this is **{first.name}**; "
            f"next comes **{second.name}** with {scores.percent(second.probability)}."
        )
    with says:
        layout.figure(
            scores.bars(context.prediction.top, target=target, synsets=models.imagenet_synsets()),
            key="home_top",
            caption=f"The five most probable of {len(model.categories)} classes, by {model.spec.label}.",
        )

rooms = navigation.rooms()
for start in range(0, len(rooms), 3):
    for column, room in zip(st.columns(3), rooms[start : start + 3], strict=False):
        with column, st.container(border=True, height="stretch"):
            st.page_link(room.path, label=f"**{room.title}**", icon=room.icon)
            st.markdown(room.question)

text.explain("home")
