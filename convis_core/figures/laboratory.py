"""Figures of the convolution page: windows along a line, pooling, corners, growing fields, shared weights, ReLU."""

from collections.abc import Sequence
from dataclasses import replace

import plotly.graph_objects as go
import torch
from PIL import Image
from plotly.subplots import make_subplots
from torch import Tensor

from convis_core.figures import grids, maps
from convis_core.figures.grids import Mark
from convis_core.figures.style import ACCENT, CATEGORICAL, FONT_SIZE, MUTED, data_uri, faint, plain, signed_scale
from convis_core.results.convolution import CornerMaps, Growth, OutputSize, Pooled, Rectified, SharedWeight

_UNSEEN = CATEGORICAL[5]


def windows(size: OutputSize, *, height: int = 330) -> go.Figure:
    """One side of the picture as a row of cells, the windows below it one under the other.

    Args:
        size: from ``convolution.output_size``.
        height: of the figure, in CSS pixels.
    """
    figure = go.Figure()
    for cell in range(-size.padding, size.width + size.padding):
        inside = 0 <= cell < size.width
        unseen = inside and cell >= size.width - size.unseen
        _bar(figure, cell, 1, 0.0, _UNSEEN if unseen else ACCENT if inside else MUTED)
        figure.add_annotation(x=cell + 0.5, y=0.4, text=str(cell) if inside else "0", showarrow=False)
    for index, start in enumerate(size.starts):
        _bar(figure, start, size.kernel, -1.05 - index, CATEGORICAL[1])
        figure.add_annotation(x=start + size.kernel / 2, y=-0.65 - index, text=f"{index + 1}", showarrow=False)
    if size.ceil > size.floor:
        start, level = size.floor * size.stride - size.padding, -1.05 - size.floor
        figure.add_shape(
            type="rect",
            x0=start,
            x1=start + size.kernel,
            y0=level,
            y1=level + 0.8,
            line={"color": CATEGORICAL[1], "width": 2, "dash": "dot"},
        )
        figure.add_annotation(x=start + size.kernel / 2, y=level + 0.4, text="ceil", showarrow=False)
    rows = size.floor + (size.ceil > size.floor)
    plain(figure, height=height)
    right = max(
        size.width + size.padding, size.floor * size.stride - size.padding + size.kernel * (size.ceil > size.floor)
    )
    figure.update_xaxes(visible=False, range=[-size.padding - 0.2, right + 0.2], fixedrange=True)
    figure.update_yaxes(visible=False, range=[-rows - 0.3, 1.0], fixedrange=True)
    # An axis without a trace is not drawn, and the shapes with it.
    figure.add_trace(go.Scatter(x=[0], y=[0], opacity=0, hoverinfo="skip"))
    return figure


def coverages(bare: Tensor, padded: Tensor, padding: int, *, height: int = 330) -> go.Figure:
    """How many windows see each pixel, without padding and with it, on one scale."""
    high = max(1.0, float(bare.max()), float(padded.max()))
    panels = [
        grids.counted("without padding", bare.float(), high=high),
        replace(grids.counted(f"with padding {padding}", padded.float(), high=high), column=1),
    ]
    return grids.board(panels, widths=[1, 1], height=height)


def countable(values: Tensor) -> bool:
    """Whether a map [H, W] is small enough to show and frame single cells.

    >>> countable(torch.zeros(12, 12)), countable(torch.zeros(13, 12))
    (True, False)
    """
    return values.numel() <= 144


def pooling(values: Tensor, largest: Pooled, average: Pooled, *, height: int = 400) -> go.Figure:
    """A map, its max pooling and its average pooling; each maximum is framed on the map.

    Args:
        values: [H, W].
        largest: max pooling of it.
        average: average pooling of it.
        height: of the figure, in CSS pixels.
    """
    marks: tuple[Mark, ...] = ()
    if countable(values) and largest.winners is not None:
        places = {(int(row), int(column)) for row, column in largest.winners[0].reshape(-1, 2)}
        marks = tuple(Mark(row, column, 1, 1) for row, column in sorted(places))
    high = float(values.max())
    panels = [
        replace(grids.grey("before", values, high=high), marks=marks),
        replace(grids.grey(f"max, {largest.window} × {largest.window}", largest.values[0], high=high), column=1),
        replace(grids.grey(f"average, {average.window} × {average.window}", average.values[0], high=high), column=2),
    ]
    return grids.board(panels, widths=[1, 1, 1], height=height)


def corners(picture: Tensor, edges: CornerMaps, *, height: int = 300) -> go.Figure:
    """The picture, its two edge maps, and the corners made of them, each [H, W]."""
    strongest = max(1e-6, float(torch.maximum(edges.vertical, edges.horizontal).max()))
    shown = [
        grids.grey("picture", picture),
        replace(grids.counted("vertical edges", edges.vertical, high=strongest), column=1),
        replace(grids.counted("horizontal edges", edges.horizontal, high=strongest), column=2),
        replace(grids.counted(f"{edges.corner} corners", edges.corners), column=3),
    ]
    return grids.board(shown, widths=[1, 1, 1, 1], height=height)


def growth(view: Image.Image, grown: Sequence[Growth], names: Sequence[str], place: float) -> go.Figure:
    """The field of one cell after each layer, as frames on the picture and as bars.

    Args:
        view: the picture.
        grown: from ``convolution.grow``, the picture itself first.
        names: of the layers.
        place: where the cell lies, from 0 (top left) to 1 (bottom right), along both sides.
    """
    side = grown[0].cells
    # The space between the two is for the layers' names.
    figure = make_subplots(rows=1, cols=2, column_widths=[0.54, 0.46], horizontal_spacing=0.2)
    figure.add_layout_image(
        source=data_uri(view), xref="x", yref="y", x=0, y=0, sizex=side, sizey=side, sizing="stretch", layer="below"
    )
    figure.add_trace(go.Scatter(x=[0, side], y=[0, side], opacity=0, hoverinfo="skip"), row=1, col=1)
    tones = [CATEGORICAL[index % len(CATEGORICAL)] for index in range(len(names))]
    for step, tone in zip(grown[1:], tones, strict=True):
        first, last = step.seen(round(place * (step.cells - 1)), side)
        figure.add_shape(
            type="rect", xref="x", yref="y", x0=first, x1=last, y0=first, y1=last, line={"color": tone, "width": 3}
        )
    widest = max(side, *(step.size * 1.05 for step in grown))
    labels = [f"{index + 1}. {name}" for index, name in enumerate(names)]
    figure.add_trace(
        go.Bar(
            x=[step.size for step in grown[1:]],
            y=labels,
            orientation="h",
            marker_color=tones,
            text=[f"{step.size} pixels, {step.jump} apart, {step.cells} × {step.cells} cells" for step in grown[1:]],
            textposition=["inside" if step.size > 0.55 * widest else "outside" for step in grown[1:]],
            insidetextanchor="end",
            constraintext="none",
            textfont={"size": FONT_SIZE - 1},
            cliponaxis=False,
            hovertemplate="%{y}: %{text}<extra></extra>",
        ),
        row=1,
        col=2,
    )
    plain(figure, height=max(420, 26 * len(names)))
    figure.update_xaxes(visible=False, range=[0, side], constrain="domain", fixedrange=True, row=1, col=1)
    figure.update_yaxes(
        visible=False, range=[side, 0], scaleanchor="x", constrain="domain", fixedrange=True, row=1, col=1
    )
    figure.update_xaxes(visible=False, range=[0, widest], fixedrange=True, row=1, col=2)
    figure.update_yaxes(
        autorange="reversed", fixedrange=True, automargin=True, tickfont={"size": FONT_SIZE}, row=1, col=2
    )
    if grown[1:]:
        figure.add_vline(x=side, line={"color": MUTED, "dash": "dot"}, row=1, col=2)
        figure.add_annotation(
            text="the picture's side",
            x=side,
            y=1,
            yref="y2 domain",
            xref="x2",
            xanchor="right",
            yanchor="bottom",
            showarrow=False,
        )
    figure.update_layout(margin_t=30)
    return figure


def line(shared: SharedWeight, *, height: int = 210) -> go.Figure:
    """The convolution in one dimension: input, weights, outputs, targets and errors, each a row of numbers."""
    limit = float(torch.cat([shared.x, shared.outputs, shared.targets, shared.errors]).abs().max())
    rows = [
        ("input x", shared.x),
        ("output y", shared.outputs),
        ("target t", shared.targets),
        ("error y − t", shared.errors),
    ]
    panels = [
        replace(
            grids.signed(title, values.unsqueeze(0), limit=max(1e-6, limit)),
            band=(index // 2 / 2, (index // 2 + 1) / 2),
            column=index % 2,
        )
        for index, (title, values) in enumerate(rows)
    ]
    return grids.board(panels, widths=[1.2, 1], height=height)


def terms(shared: SharedWeight, *, height: int = 300) -> go.Figure:
    """The gradient of each weight as the sum of what every position contributes; the last two columns must agree."""
    limit = max(1e-6, float(shared.terms.abs().max()))
    table = torch.cat([shared.terms, shared.gradient.unsqueeze(1), shared.autograd.unsqueeze(1)], dim=1)
    positions = shared.terms.shape[1]
    grid = grids.signed("", table, limit=max(limit, float(shared.gradient.abs().max())))
    framed = replace(grid, marks=(Mark(0, positions, len(shared.weights), 2),), texts=_products(shared), stretched=True)
    figure = grids.board([framed], widths=[1], height=height)
    heads = [f"place {index}" for index in range(positions)] + ["sum", "autograd"]
    figure.update_xaxes(
        visible=True,
        showgrid=False,
        tickvals=list(range(positions + 2)),
        ticktext=heads,
        side="top",
        tickfont={"size": FONT_SIZE},
    )
    names = [f"w<sub>{index}</sub> = {grids.number(float(weight))}" for index, weight in enumerate(shared.weights)]
    figure.update_yaxes(
        visible=True,
        showgrid=False,
        tickvals=list(range(len(names))),
        ticktext=names,
        tickfont={"size": FONT_SIZE},
        automargin=True,
    )
    figure.update_layout(margin_t=10)
    return figure


def _products(shared: SharedWeight) -> tuple[tuple[str, ...], ...]:
    """Each term as error times input, then the sum and autograd's answer."""
    rows = []
    for tap in range(len(shared.weights)):
        written = [
            f"{grids.number(float(error))} · {grids.number(float(shared.x[place + tap]))}"
            f" = {grids.number(float(shared.terms[tap, place]))}"
            for place, error in enumerate(shared.errors)
        ]
        sums = [f"<b>{grids.number(float(values[tap]))}</b>" for values in (shared.gradient, shared.autograd)]
        rows.append((*written, *sums))
    return tuple(rows)


def rectified(view: Rectified, *, height: int = 380) -> go.Figure:
    """A map before and after ReLU, and a histogram of its values; the top 0.5 % share one colour."""
    limit = signed_scale(view.before, "", percentile=99.5).high
    panels = [
        grids.signed("before", view.before, limit=limit),
        replace(grids.signed("after", view.after, limit=limit), column=1),
    ]
    figure = grids.board(panels, widths=[1, 1, 1.05], height=height)
    middles = ((view.edges[:-1] + view.edges[1:]) / 2).tolist()
    for name, counts, tone in (
        ("before", view.counts_before, CATEGORICAL[0]),
        ("after", view.counts_after, CATEGORICAL[1]),
    ):
        figure.add_trace(
            go.Bar(
                x=middles,
                y=counts.tolist(),
                name=name,
                marker_color=tone,
                opacity=0.75,
                xaxis="x3",
                yaxis="y3",
                hovertemplate=f"about %{{x:.3g}}: %{{y}} cells {name}<extra></extra>",
            )
        )
    figure.update_layout(
        xaxis3={
            "domain": [2 / 3.05 + 0.09, 1],
            "anchor": "y3",
            "title": {"text": "value of a cell"},
            "tickfont": {"size": FONT_SIZE - 1},
            "fixedrange": True,
        },
        yaxis3={
            "domain": [0.14, 1 - 30 / height],
            "anchor": "x3",
            "type": "log",
            "dtick": 1,
            "title": {"text": "cells"},
            "tickfont": {"size": FONT_SIZE - 1},
            "fixedrange": True,
        },
        barmode="overlay",
        bargap=0,
        showlegend=True,
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"},
    )
    return figure


def response(view: Image.Image, values: Tensor, unit: str, *, side: int) -> go.Figure:
    """The picture and a filter's response at every position."""
    scale = signed_scale(values, unit, percentile=99.5)
    panels = [maps.Panel("the picture", view), maps.Panel("the filter's answer", None, values, 1.0)]
    return maps.row(panels, scale, side=side, height=420)


def _bar(figure: go.Figure, start: float, length: float, level: float, tone: str) -> None:
    """A box with a pale fill, so that the number in it is legible in the light and the dark theme."""
    figure.add_shape(
        type="rect",
        x0=start + 0.04,
        x1=start + length - 0.04,
        y0=level,
        y1=level + 0.8,
        fillcolor=faint(tone, 0.3),
        line={"color": tone, "width": 2},
    )
