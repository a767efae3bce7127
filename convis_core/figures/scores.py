"""Class scores as bars."""

from collections.abc import Sequence

import plotly.graph_objects as go

from convis_core.figures.style import ACCENT, FONT_SIZE, MUTED, plain
from convis_core.results import Score


def bars(scores: Sequence[Score], *, target: int, synsets: Sequence[str] = (), height: int = 240) -> go.Figure:
    """Probabilities of the top classes, highest first, the target in the accent colour.

    Args:
        scores: highest first.
        target: index of the page's target class.
        synsets: WordNet id of every class by index, shown on hover.
        height: of the figure, in CSS pixels.
    """
    names = [score.name for score in scores]
    figure = go.Figure(
        go.Bar(
            x=[score.probability for score in scores],
            y=names,
            orientation="h",
            marker_color=[ACCENT if score.index == target else MUTED for score in scores],
            text=[percent(score.probability) for score in scores],
            textposition="outside",
            cliponaxis=False,
            textfont={"size": FONT_SIZE},
            customdata=[synsets[score.index] if synsets else f"class {score.index}" for score in scores],
            hovertemplate="%{y}: %{text}<br>%{customdata}<extra></extra>",
        )
    )
    plain(figure, height=height)
    figure.update_layout(bargap=0.35, margin={"l": 0, "r": 60, "t": 8, "b": 0})
    figure.update_xaxes(visible=False, range=[0, 1], fixedrange=True)
    figure.update_yaxes(autorange="reversed", tickfont={"size": FONT_SIZE + 1}, fixedrange=True, automargin=True)
    return figure


def percent(probability: float) -> str:
    """A probability in per cent with one decimal, never rounded to 0 or 100 unless it is exactly that.

    >>> percent(0.3791), percent(0.0001), percent(1.0)
    ('37.9 %', '< 0.1 %', '100.0 %')
    """
    if 0 < probability < 0.0005:
        return "< 0.1 %"
    if 0.9995 < probability < 1:
        return "> 99.9 %"
    return f"{probability * 100:.1f} %"
