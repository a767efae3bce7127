"""Pictures made by gradient ascent, and the curves of their logits and probabilities."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from PIL import Image
from plotly.subplots import make_subplots

from convis_core import images
from convis_core.figures.scores import percent
from convis_core.figures.style import ACCENT, CATEGORICAL, FONT_SIZE, MUTED, plain
from convis_core.results import Moment, Recognition

_GRID = "rgba(128,128,128,0.25)"
_TICKS = {"size": FONT_SIZE - 1}
"""Set for each axis: Streamlit's theme would make them smaller."""
LINES = (ACCENT, CATEGORICAL[5])
"""Colours of the first and the second run, wherever two are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One line of the curves.

    Attributes:
        name: shown where there is more than one line.
        film: moments of the run, in order.
    """

    name: str
    film: tuple[Moment, ...]


def picture(moment: Moment, *, pixels: int | None = None) -> Image.Image:
    """A moment as a picture, smoothly enlarged.

    Args:
        moment: of a film.
        pixels: side of the picture returned; None for the network's own pixels.
    """
    own = images.to_image(moment.pixels / 255)
    return own if pixels is None else own.resize((pixels, pixels), Image.Resampling.BICUBIC)


def ascent(runs: Sequence[Run], *, total: int, at: int | None = None, height: int = 420) -> go.Figure:
    """Logit above, probability below, over the steps; one colour for each run.

    Args:
        runs: one, or two to compare.
        total: number of steps asked for; the axis ends there from the beginning, so that it does not move.
        at: the step of the picture beside it, marked in both curves.
        height: of the figure, in CSS pixels.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.1)
    for run, colour in zip(runs, LINES, strict=False):
        steps = [moment.step for moment in run.film]
        for row, values, label in (
            (1, [moment.logit for moment in run.film], "logit %{y:.2f}"),
            (2, [moment.probability for moment in run.film], "probability %{y:.1%}"),
        ):
            figure.add_trace(_line(steps, values, colour, f"{run.name}<br>step %{{x}}: {label}<extra></extra>"), row, 1)
    _mark(figure, at)
    plain(figure, height=height)
    figure.update_xaxes(range=[0, 1.02 * total], gridcolor=_GRID, zeroline=False, fixedrange=True, tickfont=_TICKS)
    figure.update_xaxes(title_text="step", row=2, col=1)
    figure.update_yaxes(gridcolor=_GRID, zeroline=False, fixedrange=True, tickfont=_TICKS, automargin=True)
    figure.update_yaxes(title_text="logit", row=1, col=1)
    figure.update_yaxes(title_text="probability", range=[-0.02, 1.05], tickformat=".0%", row=2, col=1)
    return figure


def score(film: Sequence[Moment], *, total: int, unit: str, at: int | None = None, height: int = 300) -> go.Figure:
    """What is maximised over the steps, for objectives that name no class.

    Args:
        film: moments of the run, in order.
        total: number of steps asked for.
        unit: what the score counts.
        at: the step of the picture beside it.
        height: of the figure, in CSS pixels.
    """
    steps, values = [moment.step for moment in film], [moment.score for moment in film]
    figure = go.Figure(_line(steps, values, ACCENT, f"step %{{x}}: {unit} %{{y:.3g}}<extra></extra>"))
    _mark(figure, at)
    plain(figure, height=height)
    figure.update_xaxes(
        title_text="step", range=[0, 1.02 * total], gridcolor=_GRID, zeroline=False, fixedrange=True, tickfont=_TICKS
    )
    figure.update_yaxes(
        title_text=unit, gridcolor=_GRID, zeroline=False, fixedrange=True, tickfont=_TICKS, automargin=True
    )
    return figure


def recognition(predictions: Sequence[Recognition], *, drawn_by: str) -> go.Figure:
    """The probability that each network gives the class, grey for the one that the picture was made with.

    Args:
        predictions: one for each network.
        drawn_by: id of the network that drew the picture.
    """
    figure = go.Figure(
        go.Bar(
            x=[answer.probability for answer in predictions],
            y=[answer.label for answer in predictions],
            orientation="h",
            marker_color=[MUTED if answer.model_id == drawn_by else ACCENT for answer in predictions],
            text=[percent(answer.probability) for answer in predictions],
            textposition="outside",
            cliponaxis=False,
            textfont={"size": FONT_SIZE},
            customdata=[[answer.rank, answer.prediction.top[0].name] for answer in predictions],
            hovertemplate="%{y}: %{text}<br>place %{customdata[0]}; first is %{customdata[1]}<extra></extra>",
        )
    )
    plain(figure, height=40 + 44 * max(2, len(predictions)))
    figure.update_layout(bargap=0.35, margin={"l": 0, "r": 70, "t": 8, "b": 0})
    figure.update_xaxes(visible=False, range=[0, 1], fixedrange=True)
    figure.update_yaxes(autorange="reversed", tickfont={"size": FONT_SIZE + 1}, fixedrange=True, automargin=True)
    return figure


def _line(steps: Sequence[int], values: Sequence[float], colour: str, hover: str) -> go.Scatter:
    # A single point would make an invisible line.
    mode = "lines" if len(steps) > 1 else "markers"
    shown = [None if math.isnan(value) else value for value in values]
    return go.Scatter(x=list(steps), y=shown, mode=mode, line={"color": colour, "width": 3}, hovertemplate=hover)


def _mark(figure: go.Figure, at: int | None) -> None:
    if at is not None:
        figure.add_vline(x=at, line={"color": MUTED, "width": 2, "dash": "dot"})
