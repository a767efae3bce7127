"""The article's four, drawn before anybody asked: the films are files, so that a first visit shows them at once."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from convis_core.figures.scores import percent
from pages._shell import controls
from pages._shell.navigation import ASSETS

FOLDER = ASSETS / "class_models"


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One picture of the gallery.

    Attributes:
        name: of the class.
        target: its index.
        animation: the film's file.
        best: file of the best picture.
        logit: of the class on the best picture.
        probability: of the class on the best picture.
        steps: that the film took.
    """

    name: str
    target: int
    animation: Path
    best: Path
    logit: float
    probability: float
    steps: int


def exhibits() -> tuple[Exhibit, ...]:
    """What lies in ``FOLDER``; nothing where the gallery was not built."""
    register = FOLDER / "gallery.json"
    if not register.exists():
        return ()
    return tuple(
        Exhibit(
            name=str(entry["name"]),
            target=int(entry["target"]),
            animation=FOLDER / entry["animation"],
            best=FOLDER / entry["best"],
            logit=float(entry["best_frame"]["logit"][0]),
            probability=float(entry["best_frame"]["probability"][0]),
            steps=int(entry["steps"]),
        )
        for entry in json.loads(register.read_text(encoding="utf-8"))
    )


def draw(on_pick: Callable[[Exhibit], None]) -> None:
    """The films side by side, each with what the network thinks of its last picture.

    Args:
        on_pick: called before the page runs again, for the exhibit that the person wants to draw anew.
    """
    shown = exhibits()
    if not shown:
        st.info(
            "The gallery has not been built here: run `make assets` once. Drawing works without it.",
            icon=":material/image_not_supported:",
        )
        return
    films = st.container()
    said, toggle = st.columns([4, 1], vertical_alignment="center")
    said.caption(
        f"Drawn beforehand with the modern way in {shown[0].steps} steps on EfficientNet-Lite0, starting from grey "
        "with a little noise. No photograph was involved: each pixel was moved so that the logit of the class rose."
    )
    still = controls.toggle(
        "Stand still",
        key="class_models_still",
        place=toggle,
        help="Show the finished pictures instead of the films.",
    )
    for column, exhibit in zip(films.columns(len(shown)), shown, strict=True):
        with column:
            st.image(
                _address(exhibit.best if still else exhibit.animation),
                width="stretch",
                alt=f"What EfficientNet-Lite0 thinks a {exhibit.name} looks like",
            )
            st.markdown(f"**{exhibit.name}** {percent(exhibit.probability)}, logit {exhibit.logit:.2f}")
            st.button(
                f"Draw a {exhibit.name} now",
                key=f"class_models_pick_{exhibit.target}",
                icon=":material/brush:",
                width="stretch",
                on_click=on_pick,
                args=(exhibit,),
            )


def _address(file: Path) -> str:
    """A file as a data address: given its path or its bytes, Streamlit would serve a film's first frame alone."""
    content = base64.b64encode(file.read_bytes()).decode()
    return f"data:image/{file.suffix.removeprefix('.')};base64,{content}"
