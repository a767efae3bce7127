"""Small maps with legible numbers: cells with their values, windows outlined, several grids on one board."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from torch import Tensor

from convis_core.figures.style import CATEGORICAL, COLOURS, plain

GREYS = tuple(f"rgb({level},{level},{level})" for level in range(30, 256, 25))
WINDOW = CATEGORICAL[5]
_GAP = 0.035
_WIDTH = 900
"""Width of a board on a laptop, in CSS pixels; on a larger screen numbers only have more space."""
TITLE_SPACE, CAPTION_SPACE, BOTTOM_SPACE = 30, 30, 6
"""CSS pixels for a grid's title, for the line below it, and in place of that line if there is none."""
_SMALLEST, _LARGEST = 8.5, 20
"""Bounds of the font size: smaller numbers are omitted, and hovering shows them; larger ones help nobody."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A rectangle around some cells.

    Attributes:
        top: first row.
        left: first column.
        rows: how many rows.
        columns: how many columns.
        colour: of its line.
        dash: "solid", "dot" or "dash".
    """

    top: float
    left: float
    rows: float
    columns: float
    colour: str = WINDOW
    dash: str = "solid"


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A map on a board.

    Attributes:
        title: text above it.
        values: [H, W]; nan cells are left empty.
        colours: from low to high, as ``rgb()`` texts.
        low: value of the first colour.
        high: value of the last colour.
        column: its column of the board.
        band: its extent between the top (0) and the bottom (1) of the board.
        marks: rectangles on it.
        below: a line of text below it.
        origin: row and column number of its first cell; negative where padding surrounds a picture.
        texts: labels of the cells in place of their values.
        stretched: whether the cells fill the available space instead of being square.
    """

    title: str
    values: Tensor
    colours: tuple[str, ...]
    low: float
    high: float
    column: int = 0
    band: tuple[float, float] = (0.0, 1.0)
    marks: tuple[Mark, ...] = ()
    below: str = ""
    origin: tuple[int, int] = (0, 0)
    texts: tuple[tuple[str, ...], ...] = ()
    stretched: bool = False


def grey(title: str, values: Tensor, *, high: float | None = None) -> Grid:
    """A picture in grey, from 0 (dark) to its brightest value or ``high``."""
    low = min(0.0, _least(values))
    return Grid(title, values, GREYS, low, high if high is not None else max(low + 1e-6, _most(values)))


def signed(title: str, values: Tensor, *, limit: float | None = None) -> Grid:
    """A map of positive and negative numbers: red and blue, white at zero."""
    bound = limit if limit is not None else max(1e-6, _most(values), -_least(values))
    return Grid(title, values, COLOURS["signed"], -bound, bound)


def counted(title: str, values: Tensor, *, high: float | None = None) -> Grid:
    """A map of values that are never negative: viridis from 0."""
    return Grid(title, values, COLOURS["activation"], 0.0, high if high is not None else max(1e-6, _most(values)))


def board(grids: Sequence[Grid], *, widths: Sequence[float], height: int = 420) -> go.Figure:
    """Several grids arranged on one figure.

    Args:
        grids: each names its column, and its band from top to bottom.
        widths: share of the width for each column, in any unit.
        height: of the figure, in CSS pixels.
    """
    figure = go.Figure()
    total = sum(widths)
    starts = [sum(widths[:index]) / total for index in range(len(widths))]
    for index, grid in enumerate(grids):
        name = "" if index == 0 else str(index + 1)
        left, right = starts[grid.column], starts[grid.column] + widths[grid.column] / total - _GAP
        top, bottom = 1 - grid.band[0], 1 - grid.band[1]
        # Space for the title above and the line below, as shares of the figure.
        above, below = TITLE_SPACE / height, (CAPTION_SPACE if grid.below else BOTTOM_SPACE) / height
        figure.update_layout(
            {
                f"xaxis{name}": {
                    "domain": [left, right],
                    "range": [-0.5, grid.values.shape[1] - 0.5],
                    "anchor": f"y{name}",
                    **_FRAME,
                },
                f"yaxis{name}": {
                    "domain": [bottom + below, top - above],
                    "range": [grid.values.shape[0] - 0.5, -0.5],
                    "anchor": f"x{name}",
                    "scaleanchor": False if grid.stretched else f"x{name}",
                    **_FRAME,
                },
            }
        )
        across = (right - left) * _WIDTH / grid.values.shape[1]
        down = (top - above - bottom - below) * height / grid.values.shape[0]
        if not grid.stretched:
            across = down = min(across, down)
        figure.add_trace(_cells(grid, name, across, down))
        _write(figure, grid, name)
        for mark in grid.marks:
            _outline(figure, mark, name)
    plain(figure, height=height)
    return figure


_FRAME = {"visible": False, "constrain": "domain", "fixedrange": True}


def number(value: float) -> str:
    """A value in short: whole numbers without decimals, others with two at most.

    >>> number(3.0), number(0.5), number(-0.001), number(123.456)
    ('3', '0.5', '0', '123')
    """
    if abs(value - round(value)) < 5e-4:
        return f"{round(value)}"
    text = f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:.0f}"
    return "0" if text == "-0" else text


def _cells(grid: Grid, name: str, across: float, down: float) -> go.Heatmap:
    """The cells, of so many CSS pixels each, with their numbers if these are legible."""
    values = grid.values.double().numpy()
    texts = grid.texts or [["" if np.isnan(value) else number(value) for value in row] for row in values]
    longest = max((len(re.sub("<[^>]*>", "", text)) for row in texts for text in row), default=1)
    size = min(_LARGEST, down * 0.52, across * 1.5 / max(1, longest))
    readable = size >= _SMALLEST
    top, left = grid.origin
    rows, columns = np.indices(values.shape)
    return go.Heatmap(
        z=values,
        zmin=grid.low,
        zmax=grid.high,
        colorscale=grid.colours,
        showscale=False,
        xgap=1 if readable else 0,
        ygap=1 if readable else 0,
        text=texts if readable else None,
        texttemplate="%{text}" if readable else None,
        textfont={"size": max(1.0, size)},
        customdata=np.stack([rows + top, columns + left], axis=2),
        hovertemplate="row %{customdata[0]}, column %{customdata[1]}: %{z:.4g}<extra></extra>",
        hoverongaps=False,
        xaxis=f"x{name}",
        yaxis=f"y{name}",
    )


def _write(figure: go.Figure, grid: Grid, name: str) -> None:
    place = {"xref": f"x{name} domain", "yref": f"y{name} domain", "showarrow": False}
    if grid.title:
        figure.add_annotation(text=grid.title, x=0, y=1, xanchor="left", yanchor="bottom", **place)
    if grid.below:
        figure.add_annotation(text=grid.below, x=0, y=0, xanchor="left", yanchor="top", **place)
    figure.add_shape(
        type="rect",
        xref=place["xref"],
        yref=place["yref"],
        x0=0,
        x1=1,
        y0=0,
        y1=1,
        line={"color": "#8A99A3", "width": 1},
    )


def _outline(figure: go.Figure, mark: Mark, name: str) -> None:
    figure.add_shape(
        type="rect",
        xref=f"x{name}",
        yref=f"y{name}",
        x0=mark.left - 0.5,
        x1=mark.left + mark.columns - 0.5,
        y0=mark.top - 0.5,
        y1=mark.top + mark.rows - 0.5,
        line={"color": mark.colour, "width": 4 if mark.dash == "solid" else 3, "dash": mark.dash},
    )


def _least(values: Tensor) -> float:
    return float(values.nan_to_num(float("inf")).min())


def _most(values: Tensor) -> float:
    return float(values.nan_to_num(float("-inf")).max())


PICTURE_EDGE = CATEGORICAL[4]
"""Colour of the line between a picture and the padding around it."""
