"""Stopping a computation, and going on from what it had reached."""

from collections.abc import Hashable
from typing import Any, TypeVar

import streamlit as st

from convis_core.runtime.board import Job
from pages._shell.session import watcher

F = TypeVar("F")


def stop(slot: str, job: Job[F]) -> None:
    """Let go of a job because the person said so; for callbacks."""
    st.session_state[f"{slot}_stopped"] = job.key
    job.cancel(watcher())


def stopped(slot: str, key: Hashable) -> bool:
    """Whether the person stopped the computation with this key, and has asked for no other in this slot since."""
    return bool(st.session_state.get(f"{slot}_stopped") == key)


def current(slot: str, key: Hashable) -> Job[Any] | None:
    """This session's job in a slot, if it is the one with this key and is not to be begun anew.

    The board begins a stopped job anew when it is asked again, and a rerun asks again; so what the person stopped, and
    what failed, is held here until they want it again.
    """
    job: Job[Any] | None = st.session_state.get(f"{slot}_job")
    if job is not None and job.key == key and (not job.partial or job.error is not None or stopped(slot, key)):
        return job
    return None


def begun(slot: str, job: Job[F]) -> None:
    """Make a job the one in its slot."""
    st.session_state[f"{slot}_stopped"] = None
    st.session_state[f"{slot}_job"] = job


def go_on(slot: str) -> None:
    """Ask again for what was stopped or has failed; for callbacks."""
    st.session_state[f"{slot}_job"] = None


def remember(slot: str, run: tuple[Any, ...], frame: Any) -> None:
    """Note how far this session's last computation in a slot has come.

    Args:
        slot: of the computation.
        run: all that two computations must share for the one to go on from the other.
        frame: what it has reached.
    """
    st.session_state[f"{slot}_reached"] = (run, frame)


def last(slot: str) -> tuple[tuple[Any, ...], Any]:
    """The run of this session's last computation in a slot, and what it has reached; ((), None) before the first."""
    found: tuple[tuple[Any, ...], Any] = st.session_state.get(f"{slot}_reached", ((), None))
    return found


def reached(slot: str, run: tuple[Any, ...]) -> Any | None:
    """What this session's last computation in a slot has reached, if this run can go on from it."""
    before, frame = last(slot)
    return frame if before == run else None
