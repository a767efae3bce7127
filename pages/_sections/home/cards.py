"""The way to the other pages: a card for each, with the question that it answers."""

import streamlit as st

from pages._shell import navigation
from pages._shell.context import Context

_COLUMNS = 3


def draw(_: Context) -> None:
    """The cards, three in a row."""
    entries = navigation.listed()
    for start in range(0, len(entries), _COLUMNS):
        for column, entry in zip(st.columns(_COLUMNS), entries[start : start + _COLUMNS], strict=False):
            with column, st.container(border=True, height="stretch"):
                st.page_link(entry.path, label=f"**{entry.title}**", icon=entry.icon)
                st.markdown(entry.question)
