"""Inside the network: what excites one channel most, and Deep Dream on the picture of the sidebar."""

from dataclasses import replace

import streamlit as st

from convis_core import class_models, feature_maps
from convis_core.figures import class_models as pictures
from convis_core.jobs import Job
from convis_core.results import Channel, ClassModelFrame
from pages._shared import cache, layout, live, text
from pages._shared.context import Context
from pages._shared.rooms import class_models_controls as controls
from pages._shared.rooms import class_models_dream
from pages._shared.rooms import class_models_film as film

SLOT = "class_models_channel_drawing"
CHANNEL, DREAM = "one channel", "Deep Dream"
LAYER = "class_models_layer"
NUMBER = "class_models_channel"
_MOST = 4096


def draw(context: Context) -> None:
    """One of the two."""
    chosen = st.segmented_control(
        "Inside",
        [CHANNEL, DREAM],
        default=CHANNEL,
        required=True,
        key="class_models_inside",
        bind="query-params",
        persist_state="session",
        label_visibility="collapsed",
    )
    if chosen == DREAM:
        class_models_dream.draw(context)
    else:
        _channel(context)


def layer(context: Context, key: str) -> str:
    """Any layer that is a stack of maps; at first one in the middle.

    Args:
        context: network, picture and class.
        key: of the widget.
    """
    offered = feature_maps.map_layers(context.model)
    worth = context.model.spec.feature_layers
    if st.session_state.get(key) not in (None, *offered):
        # The other network has no such layer.
        del st.session_state[key]
    return str(
        st.selectbox(
            "Layer",
            offered,
            index=offered.index(worth[len(worth) // 2]),
            key=key,
            bind="query-params",
            persist_state="session",
            help="Early layers like edges and colours, middle ones textures, late ones parts of things.",
        )
    )


def number(context: Context, name: str, key: str) -> int:
    """The channel; empty for the one that varies most over the picture of the sidebar.

    Args:
        context: network, picture and class.
        name: of the layer.
        key: of the widget.
    """
    model, x = context.model, context.x
    found = cache.compute_large(
        context.key("feature_maps.maps", name), lambda: feature_maps.maps(model, x, name)
    ).statistics.std
    count, liveliest = len(found), int(found.argmax())
    chosen = st.number_input(
        "Channel",
        0,
        _MOST,
        value=None,
        step=1,
        key=key,
        bind="query-params",
        persist_state="session",
        placeholder=f"{liveliest}: liveliest here",
        help=f"Which of the {count} channels, 0 to {count - 1}; empty for the one that varies most over the picture.",
    )
    return liveliest if chosen is None else min(int(chosen), count - 1)


def _channel(context: Context) -> None:
    asked, answer = st.columns([1, 3.4])
    with asked:
        name = layer(context, LAYER)
        channel = number(context, name, NUMBER)
        steps = st.slider(
            "Iterations",
            16,
            512,
            128,
            16,
            key="class_models_channel_steps",
            bind="query-params",
            persist_state="session",
            help="Steps of the ascent, 16 to 512.",
        )
        seed = controls.seed()
        spec = replace(class_models.FEATURE, steps=int(steps), seed=seed, frame_every=controls.FRAME_EVERY)
        model, objective = context.model, Channel(name, channel)
        begin = agreed("class_models_channel", repr((model.spec.id, objective)), f"Draw channel {channel}")
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
            recipe = controls.recipe(context, "class_models.ascend", objective, frame.spec)
            film.files(recipe, frame, f"{model.spec.id}-{name}-{channel}", "class_models_channel")
    text.render("class_models.inside")


def _show(frame: ClassModelFrame, job: Job[ClassModelFrame], name: str) -> None:
    picture, beside = st.columns(film.PROPORTIONS)
    with picture:
        place = st.container()
        moment = film.scrub(frame, done=job.done, key="class_models_channel_moment")
        place.image(pictures.picture(moment, pixels=672), width="stretch", alt=f"What excites {name}")
    with beside:
        layout.figure(
            pictures.score(frame.film, total=frame.total, unit="mean of the channel", at=moment.step),
            key="class_models_channel_climb",
            caption=f"Mean of {name} over the picture, step by step.",
        )


def agreed(slot: str, wish: str, label: str) -> bool:
    """Ask before the first drawing of a thing; afterwards its settings draw at once."""
    wishes: set[str] = st.session_state.setdefault(f"{slot}_wishes", set())
    if wish in wishes:
        return True
    st.button(
        label,
        key=f"{slot}_begin",
        icon=":material/brush:",
        type="primary",
        width="stretch",
        on_click=wishes.add,
        args=(wish,),
    )
    return False
