"""Who is looking: the name under which a browser session watches jobs."""

import uuid

import streamlit as st


def watcher() -> str:
    """A name for this browser session, the same in all its runs."""
    name: str = st.session_state.setdefault("watcher", uuid.uuid4().hex)
    return name
