"""Draws a running job: its first frame soon, progress and time left, a way out, and the final result."""

from collections.abc import Callable, Hashable, Iterator
from typing import TypeVar

import streamlit as st

from convis_core.errors import ConvisError
from convis_core.runtime.board import Job
from pages._shell import cache, resume, text
from pages._shell.session import watcher

F = TypeVar("F")

_POLL_SECONDS = 0.35
"""Drawing costs the same cores as computing: at most three small frames a second."""


def watch(
    slot: str,
    key: Hashable,
    make_frames: Callable[[], Iterator[F]],
    draw: Callable[[F, Job[F]], None],
    *,
    height: int = 440,
) -> Job[F]:
    """Ask the board for a computation and draw whatever it has, until it ends.

    Asking for something else in the same slot lets go of what was asked before. Until the first frame comes, its
    place on the page is filled by a skeleton.

    Args:
        slot: the place on the page, unique in the app; it is also the key of the widgets here.
        key: all that the result depends on: see ``Context.key``.
        make_frames: starts the computation; runs on another thread and must not use Streamlit.
        draw: draws a frame; runs again for every new frame.
        height: of the skeleton, in CSS pixels.

    Returns:
        The job, for those who need more than its frames.
    """
    job = _job(slot, key, make_frames)
    ended_before = job.done

    @st.fragment(run_every=None if ended_before else _POLL_SECONDS)
    def panel() -> None:
        job.touch(watcher())
        ended, frame = job.done, job.frame
        if ended and not ended_before:
            # Once more, as a whole: the page's own sentences and downloads want the final result too.
            st.rerun()
        _status(slot, job)
        if frame is not None:
            draw(frame, job)
        elif not ended:
            st.skeleton(height=height)

    panel()
    return job


def _job(slot: str, key: Hashable, make_frames: Callable[[], Iterator[F]]) -> Job[F]:
    """This session's job as long as the wish is the same, else one from the board."""
    before = resume.current(slot, key)
    if before is not None:
        return before
    job = cache.board().request(watcher(), slot, key, make_frames)
    resume.begun(slot, job)
    return job


def _status(slot: str, job: Job[F]) -> None:
    """One line of constant height: waiting, progress and time left, stopped, refused, or how long it took."""
    if job.error is not None:
        text.refuse(_in_words(job.error))
        st.button("Try again", key=f"{slot}_retry", icon=":material/refresh:", on_click=resume.go_on, args=(slot,))
        return
    with st.container(horizontal=True, vertical_alignment="center", height=64, border=False, key=f"{slot}_status"):
        if job.done and job.partial:
            stopped = ":material/pause_circle: **Stopped.** This is partial: it shows what had been computed."
            st.markdown(stopped, width="stretch")
            if st.button(
                "Go on", key=f"{slot}_again", icon=":material/play_arrow:", on_click=resume.go_on, args=(slot,)
            ):
                st.rerun()
        elif job.done:
            st.markdown(f":material/check_circle: Computed in {seconds(job.elapsed)}.", width="stretch")
        elif resume.stopped(slot, job.key):
            st.progress(job.progress or 0.0, text="Stopping; the piece that has begun is computed to its end.")
        else:
            st.progress(job.progress or 0.0, text=_progress(job))
            st.button("Stop", key=f"{slot}_stop", icon=":material/stop:", on_click=resume.stop, args=(slot, job))


def _progress(job: Job[F]) -> str:
    if job.position:
        return f"Waiting; {job.position} other computation{'s' if job.position > 1 else ''} before this one"
    if job.progress is None or job.eta is None:
        return "Computing"
    return f"Computing: {job.progress:.0%}, about {seconds(job.eta)} left"


def _in_words(error: BaseException) -> str:
    if isinstance(error, ConvisError):
        return str(error)
    return "This computation failed unexpectedly. Change a setting and try again; the server's log has the details."


def seconds(duration: float) -> str:
    """A duration as people say it.

    >>> [seconds(duration) for duration in (0.24, 42.3, 150)]
    ['0.2 s', '42 s', '2.5 min']
    """
    if duration < 10:
        return f"{duration:.1f} s"
    return f"{duration:.0f} s" if duration < 90 else f"{duration / 60:.1f} min"
