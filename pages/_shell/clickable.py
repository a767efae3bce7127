"""Pictures that answer to the pointer and to the keyboard: sheets of maps, one map's cells, a photograph.

``streamlit-image-coordinates`` reports clicks too, but says nothing on hover, cannot be reached with the keyboard,
blurs hard pixels, and keeps the height that it had when the picture was loaded.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st
from PIL import Image
from torch import Tensor

from convis_core.figures.style import Scale, data_uri
from convis_core.results import SheetLayout
from pages._shell.navigation import ASSETS

Rectangle = tuple[float, float, float, float]
"""Left, top, width and height, in pixels of the picture."""


def _component(name: str) -> Any:
    html, css, js = ((ASSETS / "components" / f"{name}.{kind}").read_text("utf-8") for kind in ("html", "css", "js"))
    return st.components.v2.component(f"convis_{name}", html=html, css=css, js=js)


_cells = _component("cells")
_gallery = _component("gallery")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture as the browser takes it: a data address, and its size in pixels."""

    source: str
    width: int
    height: int


def encode(picture: Image.Image, *, photograph: bool = False) -> Encoded:
    """A picture for the browser; a photograph may lose a little, maps and kernels nothing.

    Large sheets take a moment: keep the result with ``cache.compute_large``.
    """
    return Encoded(data_uri(picture, lossless=not photograph), picture.width, picture.height)


@dataclass(frozen=True, slots=True, eq=False)
class Clickable:
    """A picture whose parts can be picked.

    Attributes:
        picture: what is shown.
        alt: what it shows, for those who cannot see it.
        layout: where its tiles and their cells lie.
        unit: what is picked: a whole "tile", a "cell" of the only tile, or any "point".
        labels: what hovering says of each tile.
        values: [rows, columns] of the only tile, said on hover.
        axes: what the rows and the columns of cells are called.
        marks: rectangles that stand out.
        least: width in CSS pixels below which the picture is not made smaller to fit the height of the screen.
    """

    picture: Encoded
    alt: str
    layout: SheetLayout
    unit: Literal["tile", "cell", "point"] = "tile"
    labels: tuple[str, ...] = ()
    values: Tensor | None = None
    axes: tuple[str, str] = ("row", "column")
    marks: tuple[Rectangle, ...] = ()
    least: int = 440


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One picture of a gallery: the picture, its name, a note below, and what hovering says."""

    picture: Encoded
    name: str
    note: str
    tip: str


def show(view: Clickable, on_pick: Callable[[float, float], None], *, key: str) -> None:
    """The picture, stretched to its column but not beyond the height of the screen.

    Args:
        view: the picture and what is known of it.
        on_pick: called before the page runs again, with x and y in pixels of the picture.
        key: unique in the whole app.
    """
    layout = view.layout
    down, across = layout.pitch
    data = {
        "src": view.picture.source,
        "alt": view.alt,
        "width": view.picture.width,
        "height": view.picture.height,
        "gap": layout.gap,
        "pitchX": across,
        "pitchY": down,
        "columns": layout.columns,
        "tiles": len(layout.channels),
        "zoom": layout.zoom,
        "rows": layout.map_height,
        "cells": layout.map_width,
        "unit": view.unit,
        "labels": list(view.labels),
        "values": None
        if view.values is None
        else base64.b64encode(view.values.contiguous().numpy().tobytes()).decode(),
        "names": list(view.axes),
        "marks": [list(mark) for mark in view.marks],
        "smooth": view.unit == "point",
        "least": view.least,
    }

    def picked() -> None:
        spot = st.session_state[key].picked
        if spot is not None:
            on_pick(float(spot["x"]), float(spot["y"]))

    _cells(key=key, data=data, on_picked_change=picked)


def _encoded(values: Tensor) -> str:
    return base64.b64encode(values.float().contiguous().numpy().tobytes()).decode()


def gallery(items: Sequence[Item], on_pick: Callable[[int], None], *, key: str, least: float = 9.0) -> None:
    """Small pictures with their names, as many in a row as fit.

    Args:
        items: the pictures.
        on_pick: called before the page runs again, with the index of the item.
        key: unique in the whole app.
        least: width in rem below which no picture shrinks.
    """
    pictures = [{"src": item.picture.source, "name": item.name, "note": item.note, "tip": item.tip} for item in items]

    def picked() -> None:
        index = st.session_state[key].picked
        if index is not None:
            on_pick(int(index))

    _gallery(key=key, data={"items": pictures, "least": least}, on_picked_change=picked)


def colour_bar(scale: Scale, *, low: str | None = None, high: str | None = None) -> None:
    """A line that says what dark and bright stand for.

    Args:
        scale: the colours and their unit.
        low: what the first colour stands for, where it is not one number.
        high: what the last colour stands for.
    """
    colours = ", ".join(scale.colours)
    first, last = low or f"{scale.low:.3g}", high or f"{scale.high:.3g}"
    st.html(
        '<div style="display:flex;align-items:center;gap:0.6rem;font-size:0.95rem;line-height:1.2">'
        f"<span>{first}</span>"
        f'<span style="width:9rem;height:0.8rem;border-radius:0.2rem;background:linear-gradient(90deg,{colours})">'
        f"</span><span>{last}</span><span>{scale.unit}</span></div>"
    )
