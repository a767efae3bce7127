"""Texts: those that teach, Markdown files in ``assets/text``, and those that came from outside and are only quoted."""

import re
from collections.abc import Mapping
from functools import cache

import streamlit as st

from convis_core.errors import ConvisError
from pages._shell.navigation import ASSETS

_MARKS = re.compile(r"[\\`*_{}\[\]<>#|~$&^]")
_AT_THE_START = re.compile(r"^(\d*)([-+=.)])")
_JOINER = "\N{WORD JOINER}"
_JOINED = re.compile(r":(?=\S)|@(?=\S)|(?<=www)(?=\.)", re.IGNORECASE)


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


def plain(words: str) -> str:
    """A text from an address, a file or an error, so written that Markdown shows it as it stands.

    No emphasis, link, picture, formula, HTML, icon or emoji comes of it: the marks of Markdown are escaped, and an
    invisible joiner parts the colons, at signs and dots from which Streamlit makes icons, directives and links even
    in plain text.

    >>> plain("![x](http://y)") == "!\\\\[x\\\\](http:\\N{WORD JOINER}//y)"
    True
    """
    line = _MARKS.sub(r"\\\g<0>", " ".join(words.split()))
    line = _AT_THE_START.sub(r"\1\\\2", line)
    return _JOINED.sub(lambda found: found.group() + _JOINER, line)


def refuse(error: ConvisError | str, *, icon: str = ":material/error:") -> None:
    """Say in words why something cannot be done; what the error quotes is shown as it was written."""
    st.error(plain(str(error)), icon=icon)
