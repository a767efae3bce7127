"""Teaching texts: Markdown files in ``assets/text``, with numbers filled in from the model that is shown."""

from collections.abc import Mapping
from functools import cache

import streamlit as st

from pages._shell.navigation import ASSETS


@cache
def _source(name: str) -> str:
    return (ASSETS / "text" / f"{name}.md").read_text(encoding="utf-8").strip()


def read(name: str, values: Mapping[str, str] | None = None) -> str:
    """The text ``assets/text/NAME.md``, each ``{{word}}`` replaced by its value.

    Raises:
        KeyError: when a place in the text has no value, or a value no place: a text must not promise a number that
            nobody computed.
    """
    text = _source(name)
    for word, value in (values or {}).items():
        place = "{{" + word + "}}"
        if place not in text:
            raise KeyError(f"assets/text/{name}.md has no place {place}")
        text = text.replace(place, value)
    if "{{" in text:
        raise KeyError(f"assets/text/{name}.md has a place without a value: {text[text.index('{{') :][:40]}")
    return text


def render(name: str, values: Mapping[str, str] | None = None) -> None:
    """Show a text where it stands."""
    st.markdown(read(name, values))


def explain(page: str, values: Mapping[str, str] | None = None) -> None:
    """The two collapsed texts that close every page: how to read the picture, and the formula behind it.

    ``values`` fill places in ``PAGE.deeper.md``; ``PAGE.how.md`` has none.
    """
    with st.expander("How to read this", icon=":material/menu_book:"):
        render(f"{page}.how")
    with st.expander("Go deeper", icon=":material/functions:"):
        render(f"{page}.deeper", values)
