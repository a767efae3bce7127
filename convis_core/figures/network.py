"""A network drawn to scale: each block is a box with the dimensions of its output."""

from collections.abc import Sequence

import plotly.graph_objects as go

from convis_core.figures.architecture import KIND_NAMES, ORANGE, colour, count_text, shape_text
from convis_core.figures.scores import percent
from convis_core.figures.style import ACCENT, MUTED, plain
from convis_core.results.architecture import Block

_CANVAS = 1000.0
_GAP = 13.0
_SHEAR = 0.32
"""Slope of the oblique projection: how far a map's width is drawn to the upper right, as a share of its length."""
_LABEL = 64.0
_THIN, _FLAT = 3.0, 11.0
"""Smallest thickness and height of a box as drawn, so that every block is visible."""


def drawing(blocks: Sequence[Block], *, picked: str, height: int = 430) -> go.Figure:
    """The network from left to right, each block a box with the dimensions of its output.

    The right face of a box is its map, rows by columns; its length is the number of channels. Both are to scale,
    except that very thin boxes are thickened. A residual block has an arc for its skip connection, a concatenation
    has lines between its branches.

    Args:
        blocks: from ``architecture.blocks``.
        picked: name of the highlighted block.
        height: of the figure, in CSS pixels.
    """
    figure = go.Figure()
    positions = _positions(blocks)
    low = max(_sides(block)[0] for block in blocks) / 2
    high = max(_sides(block)[0] / 2 + _SHEAR * _sides(block)[1] for block in blocks)
    for block, (left, length) in zip(blocks, positions, strict=True):
        _draw_box(figure, block, left, length, highlighted=block.name == picked)
    _draw_stages(figure, blocks, positions, -low * 1.1)
    _name_picked(figure, blocks, positions, picked)
    figure.add_trace(_handles(blocks, positions))
    plain(figure, height=height)
    shown = dict.fromkeys(colour(block.kind) for block in blocks)
    for tone in shown:
        figure.add_trace(_key(tone))
    figure.update_layout(
        showlegend=True,
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "itemclick": False,
            "itemdoubleclick": False,
        },
        hovermode="closest",
        hoverdistance=60,
        hoverlabel={"bgcolor": "#16212B", "font": {"color": "#FFFFFF"}},
        margin_t=34,
    )
    figure.update_xaxes(visible=False, range=[-6, _CANVAS + 10], fixedrange=True)
    figure.update_yaxes(visible=False, range=[-low * 1.52, high * 1.04], fixedrange=True)
    return figure


def _sides(block: Block) -> tuple[float, float]:
    """Height and width as drawn."""
    shape = block.map_shape
    return (max(_FLAT, shape[2]), max(_FLAT, shape[3])) if len(shape) == 4 else (_FLAT, _FLAT)


def _positions(blocks: Sequence[Block]) -> list[tuple[float, float]]:
    """Left end and length of each box: one scale for all channels, so that the last box ends at the canvas's end."""
    channels = [block.map_shape[1] for block in blocks]
    # Wide maps extend far to the right: without additional gaps they would cover one another.
    gaps = [_GAP + 0.55 * _SHEAR * _sides(block)[1] for block in blocks]
    available = _CANVAS - sum(gaps)
    scale = available / sum(channels)
    for _ in range(3):
        # Thickened boxes take their length from the others.
        thin = [count for count in channels if count * scale < _THIN]
        scale = (available - _THIN * len(thin)) / max(1, sum(channels) - sum(thin))
    positions, left = [], 0.0
    for count, gap in zip(channels, gaps, strict=True):
        length = max(_THIN, count * scale)
        positions.append((left, length))
        left += length + gap
    return positions


def _draw_box(figure: go.Figure, block: Block, left: float, length: float, *, highlighted: bool) -> None:
    high, wide = _sides(block)
    bottom, top, right = -high / 2, high / 2, left + length
    over, up = _SHEAR * wide, _SHEAR * wide
    line = {"color": ACCENT if highlighted else "rgba(60,60,60,0.55)", "width": 3 if highlighted else 1}
    tone = colour(block.kind)
    faces = (
        ([left, right, right, left], [bottom, bottom, top, top], 0.0),
        ([left, right, right + over, left + over], [top, top, top + up, top + up], 0.45),
        ([right, right + over, right + over, right], [bottom, bottom + up, top + up, top], 0.25),
    )
    for x, y, light in faces:
        figure.add_trace(
            go.Scatter(
                x=[*x, x[0]],
                y=[*y, y[0]],
                mode="lines",
                fill="toself",
                fillcolor=_lighter(tone, light),
                line=line,
                hoverinfo="skip",
                showlegend=False,
            )
        )
    _draw_seams(figure, block, left, length)
    if block.kind == "residual":
        _draw_arc(figure, left, right, top + up)


def _draw_seams(figure: go.Figure, block: Block, left: float, length: float) -> None:
    """Lines across the front where one branch's channels end and the next one's begin."""
    high, _ = _sides(block)
    total, reached = sum(block.parts), 0
    for part in block.parts[:-1]:
        reached += part
        x = left + length * reached / total
        figure.add_shape(
            type="line", x0=x, x1=x, y0=-high / 2, y1=high / 2, line={"color": "rgba(255,255,255,0.9)", "width": 1.5}
        )


def _draw_arc(figure: go.Figure, left: float, right: float, top: float) -> None:
    """An arc from the block's input over it to its output: the skip connection of a residual block."""
    start, end, crown = left - _GAP * 0.5, right + _GAP * 0.5, top + 22
    middle = (start + end) / 2
    figure.add_shape(
        type="path",
        path=f"M {start},0 L {start},{top} Q {start},{crown} {middle},{crown} Q {end},{crown} {end},{top} L {end},0",
        line={"color": ORANGE, "width": 2},
        layer="below",
    )


def _draw_stages(
    figure: go.Figure, blocks: Sequence[Block], positions: Sequence[tuple[float, float]], level: float
) -> None:
    """The size of the maps, under each run of blocks with maps of one size."""
    sizes = [
        f"{block.map_shape[2]} × {block.map_shape[3]}" if len(block.map_shape) == 4 else "1 × 1" for block in blocks
    ]
    start, lowered = 0, False
    for index in range(1, len(blocks) + 1):
        if index < len(blocks) and sizes[index] == sizes[start]:
            continue
        left, right = positions[start][0], positions[index - 1][0] + positions[index - 1][1]
        figure.add_shape(
            type="line", x0=left, x1=max(right, left + 4), y0=level, y1=level, line={"color": MUTED, "width": 2}
        )
        # Where a run is narrower than its label, every other label steps down.
        lowered = not lowered and right - left < _LABEL and start > 0
        figure.add_annotation(
            x=max(left, (left + right) / 2 - _LABEL / 2),
            y=level,
            text=sizes[start],
            xanchor="left",
            yanchor="top",
            showarrow=False,
            yshift=-22 if lowered else -2,
        )
        start = index


def _name_picked(
    figure: go.Figure, blocks: Sequence[Block], positions: Sequence[tuple[float, float]], picked: str
) -> None:
    """The name of the highlighted block, above it."""
    for block, (left, length) in zip(blocks, positions, strict=True):
        if block.name == picked:
            high, wide = _sides(block)
            x = left + length / 2 + _SHEAR * wide / 2
            figure.add_annotation(
                x=x,
                y=high / 2 + _SHEAR * wide + (22 if block.kind == "residual" else 0),
                text=f"<b>{block.name}</b>",
                showarrow=True,
                arrowcolor=ACCENT,
                arrowwidth=2,
                arrowhead=2,
                ax=0,
                ay=-28,
                xanchor="left" if x < 120 else "right" if x > _CANVAS - 120 else "center",
            )


def _handles(blocks: Sequence[Block], positions: Sequence[tuple[float, float]]) -> go.Scatter:
    """Invisible points: hovering near one shows its block, selecting it selects the block."""
    parameters, macs = max(1, sum(b.parameters for b in blocks)), max(1, sum(b.macs for b in blocks))
    texts = [
        f"<b>{block.name}</b><br>{block.kind}, {shape_text(block.input_shape)} → {shape_text(block.output_shape)}<br>"
        f"{count_text(block.parameters)} parameters ({percent(block.parameters / parameters)})<br>"
        f"{count_text(block.macs)} multiply-adds ({percent(block.macs / macs)})<br>"
        f"receptive field {block.field.size[0]} × {block.field.size[1]} pixels"
        for block in blocks
    ]
    return go.Scatter(
        x=[left + length / 2 for left, length in positions],
        y=[0.0 for _ in blocks],
        mode="markers",
        marker={"size": 26, "color": "rgba(0,0,0,0)"},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        text=texts,
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )


def _key(tone: str) -> go.Scatter:
    marker = {"size": 13, "color": tone, "symbol": "square"}
    return go.Scatter(x=[None], y=[None], mode="markers", marker=marker, name=KIND_NAMES[tone])


def _lighter(tone: str, share: float) -> str:
    parts = (int(tone[start : start + 2], 16) for start in (1, 3, 5))
    red, green, blue = (round(part + (255 - part) * share) for part in parts)
    return f"rgb({red},{green},{blue})"
