"""Deep Dream: the picture of the sidebar, with what a layer sees in it exaggerated."""

import streamlit as st
from PIL import Image

from convis_core import class_models, export, images
from convis_core.results import DreamFrame, DreamSpec, Layer
from convis_core.runtime.board import Job
from pages._sections.class_models import controls, pickers
from pages._shell import cache, layout, live, text
from pages._shell.context import Context

SLOT = "class_models_dreaming"
_SIZES = {"as the network sees it": 2, "half as large again": 3, "twice as large": 4}
_SHOWN = 672


def draw(context: Context) -> None:
    """The layer, the octaves, and the dream beside the picture."""
    model = context.model
    asked, answer = st.columns([1, 3.4])
    with asked:
        name = pickers.layer(context, "class_models_dream_layer")
        size = str(
            st.selectbox(
                "Size",
                list(_SIZES),
                key="class_models_dream_size",
                bind="query-params",
                persist_state="session",
                help="Of the picture. Larger ones take longer; some networks take only their own.",
            )
        )
        side = model.input_size * _SIZES[size] // 2
        objective = Layer(name)
        begin = pickers.agreed(
            "class_models_dream", repr((model.spec.id, context.picture_id, objective)), "Let it dream"
        )
        spec = _spec()
    with answer:
        if not begin:
            layout.sentence(f"What does **{name}** see in **{context.caption}**? Let it have more of that.")
            left, _ = st.columns(2)
            left.image(context.view(_SHOWN), width="stretch", alt=context.caption)
            return
        picture = context.picture
        x = cache.tensor(context.picture_id, side, picture)
        job = live.watch(
            SLOT,
            context.key("class_models.deep_dream", side, objective, spec),
            lambda: class_models.deep_dream(model, x, objective, spec),
            lambda frame, job: _show(context, frame, job, spec),
            height=460,
        )
        if job.done and job.frame is not None:
            dreamt = job.frame
            sizes = "one size" if dreamt.octave == 0 else f"{dreamt.octave + 1} sizes"
            layout.sentence(f"{dreamt.step} steps in {sizes}: more of what **{name}** already saw there.")
            layout.download(
                "Dream (PNG)",
                export.png(
                    images.to_image(dreamt.image),
                    controls.recipe(context, "class_models.deep_dream", objective, spec),
                ),
                f"dream-{context.picture_id}-{name}.png",
                key="class_models_dream_png",
            )
    text.render("class_models.dream")


def _spec() -> DreamSpec:
    octaves = st.slider(
        "Octaves",
        1,
        6,
        3,
        key="class_models_dream_octaves",
        bind="query-params",
        persist_state="session",
        help="Sizes that the picture goes through, small to full, 1 to 6. More of them make larger figures.",
    )
    steps = st.slider(
        "Steps at each size",
        2,
        40,
        12,
        2,
        key="class_models_dream_steps",
        bind="query-params",
        persist_state="session",
        help="2 to 40. More of them go further from the picture.",
    )
    rate = st.slider(
        "Strength",
        0.004,
        0.04,
        0.012,
        0.002,
        format="%.3f",
        key="class_models_dream_rate",
        bind="query-params",
        persist_state="session",
        help="Usual change of a pixel in one step, 0.004 to 0.04 of the range from black to white.",
    )
    return DreamSpec(octaves=int(octaves), steps=int(steps), learning_rate=float(rate), seed=controls.seed())


def _show(context: Context, frame: DreamFrame, job: Job[DreamFrame], spec: DreamSpec) -> None:
    dreamt, beside = st.columns([1.6, 1])
    dreamt.container(key="class_models_frame_dream").image(
        images.to_image(frame.image).resize((_SHOWN, _SHOWN), Image.Resampling.BICUBIC),
        width="stretch",
        alt=f"{context.caption}, dreamt by the network",
    )
    beside.image(context.view(_SHOWN), width="stretch", alt=context.caption)
    state = "" if job.done else f" Size {frame.octave + 1} of {spec.octaves}, step {frame.step} of {frame.total}."
    beside.caption(f"The picture that it began with. Mean square of the layer in the dream: {frame.score:.3g}.{state}")
