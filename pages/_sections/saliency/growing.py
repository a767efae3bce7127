"""An attribution for a section: at once where one pass is enough, watched while it grows where it takes many."""

from collections.abc import Callable

import streamlit as st

from convis_core import attribution
from convis_core.attribution import Method
from convis_core.results import Attribution, Running
from pages._shell import cache, live, resume
from pages._shell.context import Context

SLOT = "saliency_live"


def show(context: Context, method: Method, draw: Callable[[Running], None], *, height: int = 480) -> Running | None:
    """Draw an attribution as it grows.

    Args:
        context: network, picture and class.
        method: which, and how.
        draw: draws an estimate; called again for every new one.
        height: of the place that is kept for the first frame, in CSS pixels.

    Returns:
        The estimate when it has ended, complete or stopped; None while it grows.
    """
    model, x, target = context.model, context.x, context.target
    key = context.key("attribution.running", target, method)
    if attribution.passes(method) <= 2:

        def quickly() -> Running:
            *_, last = attribution.running(attribution.attribute(model, x, target, method))
            return last

        found = cache.compute(key, quickly)
        draw(found)
        return found
    before = _reached(context, method)
    job = live.watch(
        SLOT,
        key,
        lambda: attribution.running(attribution.attribute(model, x, target, method, resume=before)),
        lambda frame, _job: draw(frame),
        height=height,
    )
    if job.frame is not None:
        resume.remember(SLOT, context.key("", target), (method, job.frame.attribution))
    return job.frame if job.done else None


def finished(context: Context, method: Method, *, waiting: str) -> Attribution | None:
    """The complete attribution that a section builds on; while it grows, its progress and a word about it.

    Args:
        context: network, picture and class.
        method: which, and how.
        waiting: what the section does with it when it is there.
    """

    def progress(frame: Running) -> None:
        if frame.done < frame.total:
            st.caption(waiting)

    found = show(context, method, progress, height=40)
    return found.attribution if found is not None and found.done == found.total else None


def _reached(context: Context, method: Method) -> Attribution | None:
    """What this session's SmoothGrad had reached, if it can go on from there."""
    found = resume.reached(SLOT, context.key("", context.target))
    if found is None:
        return None
    before, frame = found
    return frame if attribution.continues(before, method, frame) else None
