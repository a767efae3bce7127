"""What would excite a channel most: a picture drawn by gradient ascent on the channel."""

import streamlit as st

from convis_core import class_models, export, images
from convis_core.results import Channel, ClassModelFrame, ClassModelSpec
from convis_core.runtime.board import Job
from pages._shell import controls, layout, live
from pages._shell.context import Context

SPEC = ClassModelSpec(steps=160)


def draw(context: Context, name: str, channel: int) -> None:
    """The picture, drawn on demand: it takes some seconds of everybody's cores."""
    st.markdown("**What would excite the channel most**")
    st.page_link(
        "pages/class_models.py",
        label="Draw it with all settings on the page Class models",
        icon=":material/palette:",
        query_params={
            "class_models_view": "Inside the network",
            "class_models_layer": name,
            "class_models_channel": str(channel),
        },
    )
    wanted = controls.toggle(
        "Draw it",
        key="feature_maps_draw",
        help=f"Gradient ascent of {SPEC.steps} steps from noise; takes some seconds.",
    )
    if not wanted:
        st.caption(
            "A picture can be made from noise, step by step, such that the mean of this channel is as large as "
            "possible. It shows what the channel looks for more plainly than its weights do."
        )
        return
    model, objective = context.model, Channel(name, channel)
    job = live.watch(
        "feature_maps_excite",
        (model.spec.id, "class_models.ascend", objective, SPEC),
        lambda: class_models.ascend(model, objective, SPEC),
        _show,
        height=320,
    )
    if job.done and job.frame is not None:
        layout.download(
            "Picture (PNG)",
            export.png(
                images.to_image(job.frame.image),
                export.Recipe(model.spec.id, "", "class_models.ascend", objective, SPEC),
            ),
            f"{model.spec.id}-{name}-{channel}.png",
            key="feature_maps_excite_png",
        )


def _show(frame: ClassModelFrame, job: Job[ClassModelFrame]) -> None:
    st.image(images.to_image(frame.image), width=320, alt="A picture that excites the channel")
    state = "" if job.done else f" Step {frame.step} of {frame.total}."
    st.caption(f"Mean activation {frame.score:.3g} on this picture, which was drawn from noise.{state}")
