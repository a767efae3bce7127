"""A network's parameters and multiply-adds per block, two networks side by side, and the format of their numbers."""

from collections.abc import Callable, Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from convis_core.figures.scores import percent
from convis_core.figures.style import ACCENT, CATEGORICAL, FONT_SIZE, plain
from convis_core.results.architecture import Block, Shape, Timing, Totals

BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, GREY = CATEGORICAL
_COLOURS: Mapping[str, str] = {
    "convolution": BLUE,
    "depthwise convolution": SKY,
    "grouped convolution": SKY,
    "residual": ORANGE,
    "concat": GREEN,
    "dense": PINK,
    "linear": YELLOW,
    "max pool": RED,
    "average pool": RED,
    "adaptive average pool": RED,
    "adaptive max pool": RED,
    "normalise": GREY,
}
_OTHER = "#5F6B73"
_LABELLED = 0.045
"""The smallest share whose bar carries a number."""
KIND_NAMES: Mapping[str, str] = {
    BLUE: "convolution",
    SKY: "depthwise convolution",
    ORANGE: "residual: adds its input",
    GREEN: "branches side by side",
    PINK: "dense: keeps all that came before",
    YELLOW: "linear",
    RED: "pooling",
    GREY: "the picture",
    _OTHER: "other",
}
"""The meaning of each colour."""


def colour(kind: str) -> str:
    """The colour of a kind of block.

    >>> colour("max pool") == colour("average pool")
    True
    """
    return _COLOURS.get(kind, _OTHER)


def shape_text(shape: Shape) -> str:
    """Channels, rows and columns of one picture.

    >>> shape_text((1, 64, 112, 112))
    '64 × 112 × 112'
    """
    return " × ".join(map(str, shape[1:]))


def count_text(number: float) -> str:
    """A large number in short: with G, M or k, and four significant digits.

    >>> count_text(15_470_264_320), count_text(4_652_008), count_text(928)
    ('15.47 G', '4.652 M', '928')
    """
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if number >= size:
            return f"{number / (1e3 if letter == ' k' else size):.4g}{letter}"
    return f"{number:,.0f}"


def bytes_text(number: float) -> str:
    """A number of bytes in MB or kB.

    >>> bytes_text(12_800_000)
    '12.8 MB'
    """
    return f"{number / 1e6:.1f} MB" if number >= 1e5 else f"{number / 1e3:.1f} kB"


def shares(blocks: Sequence[Block], *, picked: str, height: int = 440) -> go.Figure:
    """Parameters and multiply-adds of every block: two rows of bars over the same blocks.

    Args:
        blocks: from ``architecture.blocks``.
        picked: name of the highlighted block.
        height: of the figure, in CSS pixels.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.12)
    names = [block.name for block in blocks]
    for row, (title, numbers) in enumerate(
        (
            ("parameters", [block.parameters for block in blocks]),
            ("multiply-adds for one picture", [block.macs for block in blocks]),
        ),
        start=1,
    ):
        total = max(1, sum(numbers))
        parts = [number / total for number in numbers]
        figure.add_trace(
            go.Bar(
                x=names,
                y=parts,
                marker_color=[colour(block.kind) for block in blocks],
                marker_line={"color": ACCENT, "width": [3 if name == picked else 0 for name in names]},
                # Whole per cent fit above a bar, so that none is shrunk to its width; hovering shows more digits.
                text=[f"{part * 100:.0f} %" if part >= _LABELLED else "" for part in parts],
                textposition="outside",
                textangle=0,
                textfont={"size": FONT_SIZE - 1},
                cliponaxis=False,
                customdata=[(count_text(number), percent(part)) for number, part in zip(numbers, parts, strict=True)],
                hovertemplate=f"%{{x}}<br>%{{customdata[0]}} {title}, %{{customdata[1]}}<extra></extra>",
            ),
            row=row,
            col=1,
        )
        figure.add_annotation(
            text=f"<b>{count_text(sum(numbers))}</b> {title}",
            xref="paper",
            yref=f"y{'' if row == 1 else row} domain",
            x=0.5,
            y=1.06,
            yanchor="bottom",
            showarrow=False,
        )
        figure.update_yaxes(visible=False, range=[0, max(parts) * 1.12], fixedrange=True, row=row, col=1)
    plain(figure, height=height)
    figure.update_layout(margin_t=34, bargap=0.15)
    figure.update_xaxes(tickangle=-50, tickfont={"size": FONT_SIZE - 1}, fixedrange=True)
    return figure


def comparison(one: tuple[str, Totals], two: tuple[str, Totals], *, height: int = 420) -> go.Figure:
    """Two networks compared by their numbers: in each row the longer bar fills the width.

    Args:
        one: name and totals of a network.
        two: of the other.
        height: of the figure, in CSS pixels.
    """
    named = (one, two)
    quantities: tuple[tuple[str, list[float], Callable[[float], str]], ...] = (
        ("parameters", [total.parameters for _, total in named], count_text),
        ("multiply-adds", [total.macs for _, total in named], count_text),
        ("depth", [total.depth for _, total in named], count_text),
        ("receptive field", [total.receptive_field for _, total in named], lambda side: f"{side:.0f} pixels"),
        ("memory of all outputs", [total.activation_bytes for _, total in named], bytes_text),
    )
    figure = go.Figure()
    for index, (name, _) in enumerate(named):
        figure.add_trace(
            go.Bar(
                name=name,
                orientation="h",
                y=[title for title, _, _ in quantities],
                x=[numbers[index] / max(numbers) for _, numbers, _ in quantities],
                text=[write(numbers[index]) for _, numbers, write in quantities],
                textposition="outside",
                cliponaxis=False,
                marker_color=(BLUE, ORANGE)[index],
                hovertemplate=f"{name}: %{{text}}<extra></extra>",
            )
        )
    plain(figure, height=height)
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        barmode="group",
        bargap=0.3,
        margin={"t": 34, "r": 90},
    )
    figure.update_xaxes(visible=False, range=[0, 1], fixedrange=True)
    figure.update_yaxes(autorange="reversed", fixedrange=True, automargin=True, tickfont={"size": FONT_SIZE + 1})
    return figure


def times(number: float, reference: float) -> str:
    """A ratio in words, to be followed by what is counted.

    >>> times(36, 10)
    '3.6 times the'
    """
    ratio = number / reference
    return f"{ratio:.3g} times the" if ratio >= 0.95 else f"{percent(ratio)} of the"


def milliseconds(timing: Timing) -> str:
    """The median of a timing, in milliseconds."""
    return f"{timing.median * 1000:.0f} ms" if timing.median >= 0.01 else f"{timing.median * 1000:.1f} ms"
