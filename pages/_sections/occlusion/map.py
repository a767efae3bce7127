"""The map in its three views; picking a window on it."""

import html
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
from PIL import Image

from convis_core.figures import occlusion as pictures
from convis_core.figures.render import coloured
from convis_core.figures.scores import percent
from convis_core.figures.style import Scale
from convis_core.occlusion import readings as views
from convis_core.occlusion.readings import Position
from convis_core.results import OcclusionMap, SheetLayout
from pages._sections.occlusion.controls import CLASSES, DROP, PROBABILITY, Settings
from pages._shell import clickable
from pages._shell.context import Context

PROPORTIONS = (2.2, 1.25)
"""Of the map and what stands beside it."""

SIDE, COARSE_SIDE = 672, 336
_NAMED_CLASSES = 7

OnPick = Callable[[float, float], None]
"""Takes row and column of a pixel of the network's view."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A view of the map as a picture.

    Attributes:
        picture: what is shown, and what is downloaded.
        scale: how values became colours; None for classes.
        colours: class -> colour; None for values.
    """

    picture: Image.Image
    scale: Scale | None = None
    colours: dict[int, str] | None = None


def draw(context: Context, settings: Settings, found: OcclusionMap, place: Position, on_pick: OnPick) -> None:
    """The map, what its colours mean, and a sentence about how to read it."""
    done = found.done == found.total
    drawn = picture(context, settings, found, side=SIDE if done else COARSE_SIDE)
    if settings.view == DROP:
        _show_over_picture(context, found, drawn, place, on_pick)
    else:
        _show_grid(context, found, drawn, place, on_pick)
    if drawn.colours is not None:
        _legend(context, found, drawn.colours)
    elif drawn.scale is not None:
        low, high = pictures.ends(drawn.scale)
        clickable.colour_bar(drawn.scale, low=low, high=high)
    st.caption(_caption(context, settings, found))


def picture(context: Context, settings: Settings, found: OcclusionMap, *, side: int = SIDE) -> Drawn:
    """A view of the map as a picture.

    Args:
        context: network, picture and class.
        settings: the view and its opacity.
        found: the map; partial ones are drawn as far as they go.
        side: of the picture, in pixels; grids are about as large.
    """
    if settings.view == PROBABILITY:
        values = views.probabilities(found)
        scale = pictures.probability_scale(values, context.target_name)
        return Drawn(coloured(values, scale, pixels=_cell(found, side) * values.shape[1]), scale)
    photograph = context.view(side)
    if settings.view == CLASSES:
        size, window = context.model.input_size, found.spec.window
        beneath = pictures.under_grid(
            photograph,
            views.cells(found.tops, window, size),
            views.cells(found.lefts, window, size),
            cell=_cell(found, side),
        )
        indices = [share.index for share in views.class_shares(found)]
        colours = pictures.class_colours(indices, context.prediction.top[0].index)
        shown = pictures.class_picture(views.classes(found), colours, beneath, opacity=settings.opacity)
        return Drawn(shown, colours=colours)
    heatmap = found.heatmap()
    scale = pictures.drop_scale(heatmap)
    return Drawn(pictures.drop_picture(photograph, heatmap, scale, opacity=settings.opacity), scale)


def _cell(found: OcclusionMap, side: int) -> int:
    return max(1, side // len(found.lefts))


def _show_over_picture(context: Context, found: OcclusionMap, drawn: Drawn, place: Position, on_pick: OnPick) -> None:
    ratio = drawn.picture.width / context.model.input_size
    window = found.spec.window * ratio
    clickable.show(
        clickable.Clickable(
            picture=clickable.encode(drawn.picture, photograph=True),
            alt=f"{context.caption}; red where hiding lowers the score of {context.target_name}, blue where it raises "
            "it. The fields Row and Column do with the keyboard what a click does.",
            layout=SheetLayout((0,), 1, 1, 1, drawn.picture.width, gap=0),
            unit="point",
            marks=((int(found.lefts[place.column]) * ratio, int(found.tops[place.row]) * ratio, window, window),),
        ),
        lambda x, y: on_pick(y / ratio, x / ratio),
        key="occlusion_over",
    )


def _show_grid(context: Context, found: OcclusionMap, drawn: Drawn, place: Position, on_pick: OnPick) -> None:
    rows, columns = found.probability.shape
    cell = drawn.picture.width // columns
    layout = SheetLayout(tuple(range(rows * columns)), columns, 1, 1, cell, gap=0)

    def pick(x: float, y: float) -> None:
        on_pick(*views.centre(found, Position(int(y) // cell, int(x) // cell)))

    clickable.show(
        clickable.Clickable(
            picture=clickable.encode(drawn.picture, photograph=drawn.colours is not None),
            alt=f"{rows} x {columns} positions of the window. Arrow keys and Enter pick one.",
            layout=layout,
            unit="tile",
            labels=_labels(context, found),
            marks=((place.column * cell, place.row * cell, cell, cell),),
        ),
        pick,
        key="occlusion_grid",
    )


def _labels(context: Context, found: OcclusionMap) -> tuple[str, ...]:
    """What hovering says of each position; nothing while the map grows, since it is sent again and again."""
    if found.done < found.total:
        return ()
    names = context.model.categories
    return tuple(
        f"{context.target_name} {percent(row.probability)}, {pictures.DROP} {row.drop:.2f}; "
        f"first: {names[row.top_class]} {percent(row.top_probability)}"
        for row in views.table(found)
    )


def _legend(context: Context, found: OcclusionMap, colours: dict[int, str]) -> None:
    """The classes with their colours and the windows that they come first under."""
    shares = views.class_shares(found)
    computed = sum(share.windows for share in shares)
    named, rest = shares[:_NAMED_CLASSES], shares[_NAMED_CLASSES:]
    entries = [(colours[share.index], context.model.categories[share.index], share.windows) for share in named]
    if rest:
        entries.append((colours[rest[-1].index], f"{len(rest)} other classes", sum(share.windows for share in rest)))
    spans = "".join(
        '<span style="display:inline-flex;align-items:center;gap:0.35rem">'
        f'<span style="width:0.9rem;height:0.9rem;border-radius:0.2rem;background:{colour};'
        f'border:1px solid currentColor"></span>{html.escape(name)} {percent(windows / computed)}</span>'
        for colour, name, windows in entries
    )
    st.html(f'<div style="display:flex;flex-wrap:wrap;gap:0.2rem 1rem;font-size:0.95rem">{spans}</div>')


def _caption(context: Context, settings: Settings, found: OcclusionMap) -> str:
    window = found.spec.window
    if settings.view == PROBABILITY:
        return (
            f"Probability of {context.target_name} for every position of a window of {window} × {window} pixels; "
            f"nothing hidden: {percent(context.probability)}. Click a position, or walk with the arrow keys."
        )
    if settings.view == CLASSES:
        return (
            f"The class that comes first when a window of {window} × {window} pixels stands there, over the part of "
            "the picture under the window's centre, and at how many of the positions."
        )
    return (
        f"Red: hiding this lowers the logit of {context.target_name}; blue: it raises it. Averaged over the windows of "
        f"{window} × {window} pixels that cover a pixel. Click a place to hide it."
    )
