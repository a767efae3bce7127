"""Inside the network: what excites one channel most, and Deep Dream on the picture of the sidebar."""

from dataclasses import replace

import streamlit as st

from convis_core import class_models
from convis_core.figures import class_models as pictures
from convis_core.results import Channel, ClassModelFrame
from convis_core.runtime.board import Job
from pages._sections.class_models import controls as settings
from pages._sections.class_models import dream, film, pickers
from pages._shell import controls, layout, live, text
from pages._shell.context import Context

SLOT = "class_models_channel_drawing"
CHANNEL, DREAM = "one channel", "Deep Dream"
LAYER = "class_models_layer"
NUMBER = "class_models_channel"


def draw(context: Context) -> None:
    """One of the two."""
    chosen = controls.segmented("Inside", [CHANNEL, DREAM], key="class_models_inside", label_visibility="collapsed")
    if chosen == DREAM:
        dream.draw(context)
    else:
        _channel(context)


def _channel(context: Context) -> None:
    asked, answer = st.columns([1, 3.4])
    with asked:
        name = pickers.layer(context, LAYER)
        channel = pickers.number(context, name, NUMBER)
        steps = controls.slider(
            "Iterations",
            (16, 512, 16),
            128,
            key="class_models_channel_steps",
            help="Steps of the ascent, 16 to 512.",
        )
        spec = replace(class_models.FEATURE, steps=steps, seed=settings.seed(), frame_every=settings.FRAME_EVERY)
        model, objective = context.model, Channel(name, channel)
        begin = pickers.agreed("class_models_channel", (model.spec.id, objective), f"Draw channel {channel}")
    with answer:
        if not begin:
            layout.sentence(f"What would excite channel **{channel}** of **{name}** most?")
            st.info("Press the button: the picture is drawn from noise, as a class is.", icon=":material/brush:")
            return
        job = live.watch(
            SLOT,
            (model.spec.id, "class_models.ascend", objective, spec),
            lambda: class_models.ascend(model, objective, spec),
            lambda frame, job: _show(frame, job, f"channel {channel} of {name}"),
            height=520,
        )
        frame = job.frame
        if frame is not None and job.done:
            layout.sentence(
                f"In {frame.step} steps the mean of channel **{channel}** rose from {frame.film[0].score:.3g} to "
                f"**{frame.score:.3g}**."
            )
            recipe = settings.recipe(context, "class_models.ascend", objective, film.taken(frame))
            film.files(recipe, frame, f"{model.spec.id}-{name}-{channel}", "class_models_channel")
    text.render("class_models.inside")


def _show(frame: ClassModelFrame, job: Job[ClassModelFrame], name: str) -> None:
    picture, beside = st.columns(film.PROPORTIONS)
    with picture:
        place = st.container(key="class_models_frame_channel")
        moment = film.scrub(frame, done=job.done, key="class_models_channel_moment")
        place.image(pictures.picture(moment, pixels=672), width="stretch", alt=f"What excites {name}")
    with beside:
        layout.figure(
            pictures.score(frame.film, total=frame.total, unit="mean of the channel", at=moment.step),
            key="class_models_channel_climb",
            caption=f"Mean of {name} over the picture, step by step.",
        )
