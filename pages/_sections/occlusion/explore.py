"""Hide a part of the picture: the controls, the map as it grows, and all that depends on them."""

from collections.abc import Hashable

import streamlit as st

from convis_core import occlusion
from convis_core.figures.scores import percent
from convis_core.results import OcclusionCost, OcclusionMap
from convis_core.runtime.board import Job
from pages._sections.occlusion import controls, downloads, fills, map, sizes, window, words
from pages._sections.occlusion.controls import Settings
from pages._shell import live, resume, text
from pages._shell.context import Context

SLOT = "occlusion_map"


def draw(context: Context) -> None:
    """The controls beside the map; below them the files, the comparison of sizes, and the texts."""
    asked, answer = st.columns([1, 3.6])
    with asked, st.container(key="occlusion_controls"):
        settings = controls.choose()
        cost = occlusion.estimate(context.model, settings.spec)
        key = context.key("occlusion.occlusion", context.target, settings.spec)
        begin = controls.agreed(SLOT, key, (cost,))
    with answer:
        if begin:
            found = _watch(context, settings, key)
        else:
            found = None
            _not_yet(context)
    if found is not None:
        downloads.draw(context, settings, found)
    sizes.draw(context, settings)
    text.explain("occlusion", _numbers(context, settings, cost))


def _watch(context: Context, settings: Settings, key: tuple[Hashable, ...]) -> OcclusionMap | None:
    """The map as it grows, from where it was stopped; what it had reached when it has ended, else None."""
    model, x, target, spec = context.model, context.x, context.target, settings.spec
    before: OcclusionMap | None = resume.reached(SLOT, key)

    def draw_frame(found: OcclusionMap, job: Job[OcclusionMap]) -> None:
        resume.remember(SLOT, key, found)
        chart, beside = st.columns(map.PROPORTIONS)
        with beside:
            hidden = st.container()
            chosen = window.place(found)
        with chart:
            map.draw(context, settings, found, chosen, window.pick)
        with hidden:
            window.draw(context, found, chosen, window.pick)
        words.draw(context, found)
        if job.done:
            window.bars(context, found, chosen)
            fills.draw(context, found, chosen)
        else:
            # Drawing takes time from the computation: what lies below the fold waits for its end.
            st.skeleton(height=760)

    job = live.watch(
        SLOT, key, lambda: occlusion.occlusion(model, x, target, spec, resume=before), draw_frame, height=1400
    )
    return job.frame if job.done else None


def _not_yet(context: Context) -> None:
    """What stands in the place of a map that takes long and has not been asked for."""
    st.info("This takes a while, so it waits for you to press the button.", icon=":material/hourglass_empty:")
    chart, _ = st.columns(map.PROPORTIONS)
    chart.image(context.view(), width="stretch", alt=context.caption)


def _numbers(context: Context, settings: Settings, cost: OcclusionCost) -> dict[str, str]:
    """What the text says of this network, picture and class."""
    spec = settings.spec
    return {
        "windows": f"{cost.windows:,}",
        "window": str(spec.window),
        "stride": str(spec.stride),
        "side": str(context.model.input_size),
        "network": context.model.spec.label,
        "class": context.target_name,
        "logit": f"{context.logit:.2f}",
        "probability": percent(context.probability),
        "work": _billions(cost.multiply_adds),
        "full": _billions(cost.full_multiply_adds),
    }


def _billions(multiply_adds: int) -> str:
    """A number of multiply-adds as people read it."""
    return f"{multiply_adds / 1e9:,.0f} billion"
