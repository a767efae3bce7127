"""The inside of a block as a graph: its layers from left to right, with the connections around them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from convis_core.figures.architecture import colour, count_text, shape_text
from convis_core.figures.style import MUTED, faint, plain
from convis_core.results.architecture import Block, LayerRow

COLUMNS = 6
"""More layers than this in a row are not drawn: the boxes would be too small to read."""
_ENTRY = ""
_FEWEST = 4
_WIDE, _HIGH = 0.86, 0.66


@dataclass(frozen=True, slots=True)
class _Edge:
    """A connection from one node to another, along a lane."""

    start: str
    end: str
    lane: float


def graph(parts: Sequence[Block], rows: Mapping[str, LayerRow], *, entry: str, lane_height: int = 84) -> go.Figure:
    """The layers of a block and how they are connected.

    Args:
        parts: from ``architecture.inside``, at least one; of a long row only the beginning is drawn, see ``shown``.
        rows: the network's rows by name.
        entry: label of the block's input.
        lane_height: CSS pixels for each of the parallel connections.
    """
    drawn = shown(parts)
    columns, lanes, edges = _plan(drawn)
    figure = go.Figure()
    for edge in edges:
        figure.add_trace(_line(columns, lanes, edge))
    for name, column in columns.items():
        part = next((part for part in drawn if part.name == name), None)
        _box(figure, column, lanes[name], part, rows)
    figure.add_annotation(
        x=columns[_ENTRY], y=lanes[_ENTRY], text=entry, showarrow=False, xanchor="center", yanchor="middle"
    )
    figure.add_trace(_handles(columns, lanes, drawn))
    levels = [*lanes.values(), *(edge.lane for edge in edges)]
    plain(figure, height=max(120, round((max(levels) - min(levels) + 1) * lane_height)))
    figure.update_layout(
        hovermode="closest", hoverdistance=60, hoverlabel={"bgcolor": "#16212B", "font": {"color": "#FFFFFF"}}
    )
    last = max(_FEWEST, *columns.values())
    figure.update_xaxes(visible=False, range=[-0.5, last + 0.5], fixedrange=True)
    figure.update_yaxes(visible=False, range=[max(levels) + 0.55, min(levels) - 0.55], fixedrange=True)
    return figure


def shown(parts: Sequence[Block]) -> tuple[Block, ...]:
    """The parts that ``graph`` draws: those no further than ``COLUMNS`` from the entry."""
    columns, _, _ = _plan(parts)
    return tuple(part for part in parts if columns[part.name] <= COLUMNS)


def _plan(parts: Sequence[Block]) -> tuple[dict[str, float], dict[str, float], list[_Edge]]:
    """Column and lane of every node, and the connections between them.

    A node is one column after the last of its inputs and in the same lane, unless another node already is; where
    connections join, it is midway between them. A connection that would cross other nodes has a lane of its own.
    """
    known = {part.name for part in parts}
    columns: dict[str, float] = {_ENTRY: 0.0}
    lanes: dict[str, float] = {_ENTRY: 0.0}
    followed: set[str] = set()
    lowest = 0.0
    for part in parts:
        sources = _sources(part, known)
        columns[part.name] = max(columns[source] for source in sources) + 1
        free = [source for source in sources if source not in followed]
        if len(sources) > 1 and len({lanes[source] for source in sources}) > 1:
            lanes[part.name] = sum(lanes[source] for source in sources) / len(sources)
        elif free:
            lanes[part.name] = lanes[free[-1]]
        else:
            lowest += 1
            lanes[part.name] = lowest
        followed.update(sources)
    edges: list[_Edge] = []
    above = -0.35
    for part in parts:
        for source in _sources(part, known):
            lane = lanes[source]
            between = [
                name
                for name, column in columns.items()
                if columns[source] < column < columns[part.name] and abs(lanes[name] - lane) < _HIGH
            ]
            if between:
                above -= 0.35
                lane = above
            edges.append(_Edge(source, part.name, lane))
    return columns, lanes, edges


def _sources(part: Block, known: set[str]) -> list[str]:
    return list(dict.fromkeys(source if source in known else _ENTRY for source in part.inputs)) or [_ENTRY]


def _line(columns: Mapping[str, float], lanes: Mapping[str, float], edge: _Edge) -> go.Scatter:
    start, end = columns[edge.start] + _WIDE / 2, columns[edge.end] - _WIDE / 2
    gap = 1 - _WIDE
    if edge.lane == lanes[edge.start]:
        x = [start, end - gap * 0.6, end - gap * 0.2, end]
        y = [edge.lane, edge.lane, lanes[edge.end], lanes[edge.end]]
    else:
        x = [start - 0.1, start + gap * 0.3, end - gap * 0.3, end + 0.1]
        y = [lanes[edge.start] - _HIGH / 2, edge.lane, edge.lane, lanes[edge.end] - _HIGH / 2]
    return go.Scatter(x=x, y=y, mode="lines", line={"color": MUTED, "width": 2}, hoverinfo="skip")


def _box(figure: go.Figure, column: float, lane: float, part: Block | None, rows: Mapping[str, LayerRow]) -> None:
    tone = colour(part.kind) if part else MUTED
    figure.add_shape(
        type="rect",
        x0=column - _WIDE / 2,
        x1=column + _WIDE / 2,
        y0=lane - _HIGH / 2,
        y1=lane + _HIGH / 2,
        line={"color": tone, "width": 2},
        fillcolor=faint(tone, 0.16),
    )
    if part is not None:
        figure.add_annotation(x=column, y=lane, text=_label(part, rows), showarrow=False, align="center")


def _label(part: Block, rows: Mapping[str, LayerRow]) -> str:
    """Window and kind, then channels: two short lines."""
    main = next((rows[name] for name in part.layers if rows[name].kind == part.kind), rows[part.layers[0]])
    window = f"{main.kernel[0]} × {main.kernel[1]} " if main.kernel and part.kind != "zero pad" else ""
    kind = part.kind.replace("convolution", "conv").replace("adaptive average pool", "average pool")
    before, after = main.input_shape[1], main.output_shape[1]
    kind = kind.replace("depthwise conv", "depthwise")
    if part.kind == "concat":
        return f"concat of {len(part.parts)}<br>→ {part.output_shape[1]} ch."
    return f"{window}{kind}<br>{before if before == after else f'{before} → {after}'} ch."


def _handles(columns: Mapping[str, float], lanes: Mapping[str, float], parts: Sequence[Block]) -> go.Scatter:
    return go.Scatter(
        x=[columns[part.name] for part in parts],
        y=[lanes[part.name] for part in parts],
        mode="markers",
        marker={"size": 30, "color": "rgba(0,0,0,0)"},
        text=[
            f"<b>{part.name}</b><br>{', '.join(part.layers)}<br>"
            f"{shape_text(part.input_shape)} → {shape_text(part.output_shape)}<br>"
            f"{count_text(part.parameters)} parameters, {count_text(part.macs)} multiply-adds"
            for part in parts
        ],
        hovertemplate="%{text}<extra></extra>",
    )
