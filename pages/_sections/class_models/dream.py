"""Deep Dream: the picture of the sidebar, with what a layer sees in it exaggerated."""

import streamlit as st
from PIL import Image

from convis_core import class_models, export, images
from convis_core.results import DreamFrame, DreamSpec, Layer
from convis_core.runtime.board import Job
from pages._sections.class_models import controls as settings
from pages._sections.class_models import pickers
from pages._shell import controls, layout, live, text
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
        size = controls.selectbox(
            "Size",
            list(_SIZES),
            key="class_models_dream_size",
            help="Of the picture. Larger ones take longer; some networks take only their own.",
        )
        side = model.input_size * _SIZES[size] // 2
        objective = Layer(name)
        begin = pickers.agreed("class_models_dream", (model.spec.id, context.picture_id, objective), "Let it dream")
        spec = _spec()
    with answer:
        if not begin:
            layout.sentence(f"What does **{name}** see in **{text.plain(context.caption)}**? Let it have more of that.")
            left, _ = st.columns(2)
            left.image(context.view(_SHOWN), width="stretch", alt=context.caption)
            return
        x = context.given(side)
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
                    settings.recipe(context, "class_models.deep_dream", objective, spec),
                ),
                f"dream-{context.picture_id}-{name}.png",
                key="class_models_dream_png",
            )
    text.render("class_models.dream")


def _spec() -> DreamSpec:
    octaves = controls.slider(
        "Octaves",
        (1, 6, 1),
        3,
        key="class_models_dream_octaves",
        help="Sizes that the picture goes through, small to full, 1 to 6. More of them make larger figures.",
    )
    steps = controls.slider(
        "Steps at each size",
        (2, 40, 2),
        12,
        key="class_models_dream_steps",
        help="2 to 40. More of them go further from the picture.",
    )
    rate = controls.slider(
        "Strength",
        (0.004, 0.04, 0.002),
        0.012,
        format="%.3f",
        key="class_models_dream_rate",
        help="Usual change of a pixel in one step, 0.004 to 0.04 of the range from black to white.",
    )
    return DreamSpec(octaves=octaves, steps=steps, learning_rate=rate, seed=settings.seed())


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
