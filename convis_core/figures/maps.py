"""Maps over the picture: a value for every pixel, in colour, aligned with the photograph."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from PIL import Image
from torch import Tensor

from convis_core.figures.style import OVERLAY_OPACITY, Scale, colorbar, data_uri, plain


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One square of a row of maps.

    Attributes:
        title: text above it.
        picture: the photograph beneath, showing exactly the pixels that the values belong to; None for no photograph.
        values: [H, W] as they are; hovering shows them. None for the photograph alone.
        opacity: of the values over the photograph.
    """

    title: str
    picture: Image.Image | None
    values: Tensor | None = None
    opacity: float = OVERLAY_OPACITY


def row(panels: Sequence[Panel], scale: Scale | None, *, side: int, height: int = 440) -> go.Figure:
    """Panels side by side on one colour scale.

    Args:
        panels: at least one.
        scale: how values become colours; None when no panel has values.
        side: pixels of the network's view along one edge; the axes count in them.
        height: of the figure, in CSS pixels.
    """
    figure = go.Figure()
    gap = 0.012
    width = (1 - gap * (len(panels) - 1)) / len(panels)
    for index, panel in enumerate(panels):
        name = "" if index == 0 else str(index + 1)
        start = index * (width + gap)
        figure.update_layout(
            {
                f"xaxis{name}": {"domain": [start, start + width], "range": [0, side], **_FRAME, "anchor": f"y{name}"},
                f"yaxis{name}": {"range": [side, 0], "scaleanchor": f"x{name}", **_FRAME, "anchor": f"x{name}"},
            }
        )
        if panel.picture is not None:
            figure.add_layout_image(
                source=data_uri(panel.picture),
                xref=f"x{name}",
                yref=f"y{name}",
                x=0,
                y=0,
                sizex=side,
                sizey=side,
                sizing="stretch",
                layer="below",
            )
        if panel.values is not None and scale is not None:
            figure.add_trace(_heatmap(panel.values, scale, side, name, panel.opacity))
        else:
            # An axis without a trace is not drawn, and the photograph with it.
            figure.add_trace(_invisible(name, side))
        if panel.title:
            figure.add_annotation(
                text=panel.title,
                xref=f"x{name} domain",
                yref=f"y{name} domain",
                x=0,
                y=1,
                xanchor="left",
                yanchor="bottom",
                showarrow=False,
            )
    plain(figure, height=height)
    if scale is not None:
        # One bar for all panels; a bar of its own would fade with its panel's opacity.
        axis = {"cmin": scale.low, "cmax": scale.high, "colorscale": scale.colours, "colorbar": colorbar(scale)}
        figure.update_layout(coloraxis=axis)
    if any(panel.title for panel in panels):
        figure.update_layout(margin_t=30)
    return figure


_FRAME = {"visible": False, "constrain": "domain", "fixedrange": True}


def _heatmap(values: Tensor, scale: Scale, side: int, name: str, opacity: float) -> go.Heatmap:
    rows, columns = values.shape
    return go.Heatmap(
        z=values.numpy(),
        x0=side / columns / 2,
        dx=side / columns,
        y0=side / rows / 2,
        dy=side / rows,
        coloraxis="coloraxis",
        opacity=opacity,
        hovertemplate=f"column %{{x:.0f}}, row %{{y:.0f}}<br>{scale.unit}: %{{z:.4g}}<extra></extra>",
        xaxis=f"x{name}",
        yaxis=f"y{name}",
    )


def _invisible(name: str, side: int) -> go.Scatter:
    return go.Scatter(x=[0, side], y=[0, side], opacity=0, hoverinfo="skip", xaxis=f"x{name}", yaxis=f"y{name}")
