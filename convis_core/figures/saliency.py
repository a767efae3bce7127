"""Charts of the saliency page: convergence, gradients along a noise direction, deletion curves, similarity."""

import math
from collections.abc import Sequence

import plotly.graph_objects as go
from PIL import Image
from torch import Tensor

from convis_core.figures import maps
from convis_core.figures.style import ACCENT, CATEGORICAL, FONT_SIZE, MUTED, Scale, magnitude_scale, plain, signed_scale
from convis_core.results import DeletionInsertion, NoiseWalk, Running, WeightRandomisation

RELATIVE = "share of the map's own 99th percentile"
INDISTINGUISHABLE = 0.99
"""From this correlation on, two frames can hardly be distinguished."""
_COLOURS_OF_LIGHT = (("red", CATEGORICAL[5]), ("green", CATEGORICAL[2]), ("blue", CATEGORICAL[0]))
_LEGEND = {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "font": {"size": FONT_SIZE}}
# The right margin holds half of the last number.
_MARGIN = {"t": 30, "l": 4, "r": 18}
_AXIS = {"tickfont": {"size": FONT_SIZE - 1}, "title_font": {"size": FONT_SIZE}}


def map_scale(values: Tensor, unit: str, *, signed: bool, with_sign: bool, percentile: float) -> Scale:
    """The colours of an attribution: red and blue about zero with signs, else dark to bright.

    Args:
        values: [H, W], what is drawn.
        unit: what the values count.
        signed: whether the method's values can be negative, so that a magnitude is the absolute value of the unit.
        with_sign: whether ``values`` has signs.
        percentile: values above it get the last colour.
    """
    if with_sign:
        return signed_scale(values, unit, percentile=percentile)
    return magnitude_scale(values, f"|{unit}|" if signed else unit, percentile=percentile)


RELATIVE_SCALE = Scale("magnitude", 0.0, 1.0, RELATIVE)
"""The scale of maps that are drawn side by side, each relative to its own 99th percentile."""


def over(picture: Image.Image, values: Tensor, scale: Scale, *, opacity: float, side: int) -> go.Figure:
    """One map over the photograph, as large as the page allows; the colours are explained below it.

    Args:
        picture: the part that the network sees, at display resolution.
        values: [H, W].
        scale: how values become colours.
        opacity: of the map, 0 to 1.
        side: pixels of the network's view along one edge.
    """
    figure = maps.row([maps.Panel("", picture, values, opacity)], scale, side=side)
    # No height: the map is to grow with the screen. A colour bar beside it would take a quarter of its width.
    figure.update_layout(height=None, coloraxis_showscale=False, margin_t=0)
    figure.update_xaxes(constraintoward="left")
    figure.update_yaxes(constraintoward="top")
    return figure


def settling(estimate: Running, *, unit: str, height: int = 180) -> go.Figure:
    """The correlation of each frame of an estimate with the one before.

    Args:
        estimate: with its history.
        unit: what is counted: "noisy copies", "steps".
        height: of the figure, in CSS pixels.
    """
    figure = go.Figure(
        go.Scatter(
            x=list(estimate.samples),
            y=list(estimate.agreement),
            mode="lines+markers",
            line={"color": ACCENT, "width": 3},
            marker={"size": 6},
            hovertemplate=f"%{{x}} {unit}: %{{y:.4f}}<extra></extra>",
        )
    )
    figure.add_hline(y=INDISTINGUISHABLE, line={"color": MUTED, "width": 1, "dash": "dot"})
    plain(figure, height=height)
    known = [value for value in estimate.agreement if math.isfinite(value)]
    lowest = min([0.7, *known])
    figure.update_layout(margin={"l": 4, "r": 8, "t": 8, "b": 4})
    figure.update_xaxes(range=[0, estimate.total * 1.03], title_text=unit, fixedrange=True, showgrid=False)
    figure.update_yaxes(range=[lowest - 0.02, 1.01], fixedrange=True, gridcolor="rgba(128,128,128,0.25)", nticks=4)
    figure.update_xaxes(**_AXIS)
    figure.update_yaxes(**_AXIS)
    return figure


def walk(derivatives: NoiseWalk) -> go.Figure:
    """The derivative at one pixel in red, green and blue, on the line from the picture to its noisy copy.

    It has no fixed height, so that it grows with the screen.
    """
    figure = go.Figure()
    for channel, (name, colour) in enumerate(_COLOURS_OF_LIGHT):
        figure.add_trace(
            go.Scatter(
                x=derivatives.positions.tolist(),
                y=derivatives.derivatives[:, channel].tolist(),
                name=name,
                mode="lines",
                line={"color": colour, "width": 2.5},
                hovertemplate=f"t = %{{x:.2f}}<br>{name}: %{{y:.3g}}<extra></extra>",
            )
        )
    figure.add_hline(y=0, line={"color": MUTED, "width": 1})
    plain(figure, height=420)
    figure.update_layout(height=None, showlegend=True, legend=_LEGEND, margin=_MARGIN)
    figure.update_xaxes(range=[0, 1], dtick=0.2, title_text="t: from the picture to its noisy copy", fixedrange=True)
    figure.update_yaxes(
        title_text="d logit / d pixel", fixedrange=True, gridcolor="rgba(128,128,128,0.25)", zeroline=False
    )
    figure.update_xaxes(**_AXIS)
    figure.update_yaxes(**_AXIS)
    return figure


def curves(metrics: DeletionInsertion, *, inserting: bool) -> go.Figure:
    """P(class) against the share of the pixels deleted or inserted: the attribution's order and random ones.

    Args:
        metrics: the curves; pending values are left out.
        inserting: whether to draw insertion rather than deletion.

    Returns:
        A figure without a fixed height, so that it grows with the screen. Both have the same axes.
    """
    own = metrics.insertion if inserting else metrics.deletion
    random = metrics.random_insertion if inserting else metrics.random_deletion
    shares = [100 * share for share in metrics.fractions.tolist()]
    figure = go.Figure()
    for order, values in enumerate(random.tolist()):
        figure.add_trace(
            go.Scatter(
                x=shares,
                y=values,
                name="random orders",
                legendgroup="random",
                showlegend=order == 0,
                mode="lines",
                line={"color": MUTED, "width": 1.5},
                hovertemplate="%{x:.0f} % of the pixels, random order: %{y:.1%}<extra></extra>",
            )
        )
    figure.add_trace(
        go.Scatter(
            x=shares,
            y=own.tolist(),
            name=metrics.method,
            mode="lines",
            line={"color": CATEGORICAL[5] if not inserting else ACCENT, "width": 4},
            hovertemplate="%{x:.0f} % of the pixels: %{y:.1%}<extra></extra>",
        )
    )
    plain(figure, height=420)
    figure.update_layout(height=None, showlegend=True, legend=_LEGEND, margin=_MARGIN)
    doing = "inserted" if inserting else "deleted"
    figure.update_xaxes(range=[0, 100], dtick=25, title_text=f"% of the pixels {doing}, most important first")
    figure.update_xaxes(fixedrange=True)
    figure.update_yaxes(
        range=[0, 1.05 * _highest(metrics)],
        tickformat=".0%",
        title_text="P(class)",
        fixedrange=True,
        gridcolor="rgba(128,128,128,0.25)",
    )
    figure.update_xaxes(**_AXIS)
    figure.update_yaxes(**_AXIS)
    return figure


def similarity(test: WeightRandomisation, *, height: int = 380) -> go.Figure:
    """The similarity of the trained network's map to those of networks with more and more random weights."""
    names = ["trained", *test.layers]
    series = (
        ("rank correlation", test.rank_correlation, CATEGORICAL[0]),
        ("structural similarity", test.structural_similarity, CATEGORICAL[1]),
    )
    figure = go.Figure()
    for name, values, colour in series:
        figure.add_trace(
            go.Scatter(
                x=names,
                y=list(values),
                name=name,
                mode="lines+markers",
                line={"color": colour, "width": 3},
                marker={"size": 8},
                hovertemplate=f"%{{x}}: {name} %{{y:.3f}}<extra></extra>",
            )
        )
    figure.add_hline(y=0, line={"color": MUTED, "width": 1})
    plain(figure, height=height)
    figure.update_layout(showlegend=True, legend=_LEGEND, margin=_MARGIN)
    figure.update_xaxes(
        range=[-0.4, test.total + 0.4],
        title_text="weights random from the output down to this layer",
        fixedrange=True,
        tickangle=-40,
    )
    figure.update_yaxes(range=[-0.25, 1.05], fixedrange=True, gridcolor="rgba(128,128,128,0.25)")
    figure.update_xaxes(**_AXIS)
    figure.update_yaxes(**_AXIS)
    return figure


def _highest(metrics: DeletionInsertion) -> float:
    """The highest probability that is known, of all curves."""
    every = (metrics.deletion, metrics.insertion, metrics.random_deletion, metrics.random_insertion)
    return max((value for curve in every for value in curve.flatten().tolist() if math.isfinite(value)), default=1.0)


def agreement_words(value: float, unit: str) -> str:
    """What the correlation with the previous frame says about whether to continue.

    >>> agreement_words(0.97, "samples")
    'still changes a little'
    """
    if math.isnan(value):
        return "the first estimate"
    if value >= INDISTINGUISHABLE:
        return f"hardly changes any more; more {unit} would add little"
    if value >= 0.95:
        return "still changes a little"
    return "still changes visibly"


def table_of(rows: Sequence[Sequence[float]]) -> list[list[str]]:
    """Numbers with two decimals, and a dash for nan.

    >>> table_of([[1.0, math.nan]])
    [['1.00', '–']]
    """
    return [["–" if math.isnan(value) else f"{value:.2f}" for value in row] for row in rows]
