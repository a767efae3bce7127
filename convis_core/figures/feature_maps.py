"""Feature maps, kernels and the prediction without a channel, as pictures and figures."""

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np
import plotly.graph_objects as go
import torch
from PIL import Image, ImageDraw
from plotly.subplots import make_subplots
from torch import Tensor

from convis_core.figures.render import colour_table, coloured
from convis_core.figures.scores import percent
from convis_core.figures.style import ACCENT, CATEGORICAL, COLOURS, FONT_SIZE, MUTED, Scale, plain, signed_scale
from convis_core.results import Ablation, ContactSheet, Filters, LayerSummary, SumOfProducts

# A palette has 256 entries: the colours of the scale, the line through switched-off channels, and clear gaps.
_STEPS, _STRIKE, _GAP = 254, 254, 255
_STRIKE_COLOUR = (150, 150, 150)
_PRIMARIES = ("red", "green", "blue")


def sheet_image(
    sheet: ContactSheet, kind: Literal["activation", "signed"], *, struck: Collection[int] = ()
) -> Image.Image:
    """A contact sheet in colour, one byte per pixel, clear in the gaps.

    Args:
        sheet: of maps or of slices of kernels.
        kind: "activation" is viridis; "signed" is red-blue with zero in the middle.
        struck: channels that are crossed out.
    """
    numbers = sheet.values.numpy()
    gaps = np.isnan(numbers)
    steps = (np.where(gaps, 0, numbers) * (_STEPS - 1)).round().astype(np.uint8)
    steps[gaps] = _GAP
    table = colour_table(COLOURS[kind])
    colours = table[np.linspace(0, len(table) - 1, _STEPS).round().astype(int)].round().astype(np.uint8)
    picture = Image.fromarray(steps, mode="P")
    picture.putpalette([*colours.flatten().tolist(), *_STRIKE_COLOUR, 0, 0, 0])
    picture.info["transparency"] = _GAP
    _strike(picture, sheet, struck)
    return picture


def colour_image(sheet: ContactSheet) -> Image.Image:
    """A contact sheet of filters in red, green and blue, clear in the gaps."""
    numbers = sheet.values.permute(1, 2, 0)
    clear = numbers.isnan().any(dim=2, keepdim=True)
    pixels = (numbers.nan_to_num() * 255).round().to(torch.uint8)
    alpha = torch.where(clear, 0, 255).to(torch.uint8)
    return Image.fromarray(torch.cat([pixels, alpha], dim=2).contiguous().numpy(), mode="RGBA")


def average_image(summary: LayerSummary) -> Image.Image:
    """A layer's average map on its own scale, one pixel a cell."""
    values = summary.average
    return coloured(values, activation_scale(values, "mean over the channels"))


def activation_scale(values: Tensor, unit: str) -> Scale:
    """Viridis from the smallest value to the largest."""
    low, high = float(values.min()), float(values.max())
    return Scale("activation", low, high if high > low else low + 1, unit)


def crop_image(pixels: Tensor, *, side: int) -> Image.Image:
    """The pixels that a cell sees, enlarged by a whole factor so that each stays a square.

    Args:
        pixels: [3, h, w] in [0, 1], not empty.
        side: approximate length of the longer side, in pixels.
    """
    values = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    picture = Image.fromarray(values, mode="RGB")
    factor = max(1, side // max(picture.size))
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


def before_and_after(ablation: Ablation, *, target: int, height: int = 440) -> go.Figure:
    """Probabilities of the classes that are among the best before or after, as pairs of bars.

    Args:
        ablation: both predictions.
        target: index of the page's target class; its name is set in bold.
        height: of the figure, in CSS pixels.
    """
    classes = {score.index: score.name for score in (*ablation.before.top, *ablation.after.top)}
    names = [f"<b>{name}</b>" if index == target else name for index, name in classes.items()]
    figure = go.Figure()
    for label, prediction, colour in (
        ("as it is", ablation.before, MUTED),
        ("with the change", ablation.after, ACCENT),
    ):
        values = [float(prediction.probabilities[index]) for index in classes]
        figure.add_bar(
            x=values,
            y=names,
            name=label,
            orientation="h",
            marker_color=colour,
            text=[percent(value) for value in values],
            textposition="outside",
            textfont={"size": FONT_SIZE},
            # Otherwise the numbers shrink with the bars.
            constraintext="none",
            cliponaxis=False,
            customdata=[float(prediction.logits[index]) for index in classes],
            hovertemplate="%{y}, " + label + ": %{text}<br>logit %{customdata:.2f}<extra></extra>",
        )
    plain(figure, height=height)
    figure.update_layout(
        barmode="group",
        bargap=0.3,
        bargroupgap=0.08,
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": FONT_SIZE}},
        margin={"l": 0, "r": 80, "t": 36, "b": 0},
    )
    most = max(float(p.probabilities.max()) for p in (ablation.before, ablation.after))
    figure.update_xaxes(visible=False, range=[0, min(1.0, 1.2 * most)], fixedrange=True)
    figure.update_yaxes(autorange="reversed", tickfont={"size": FONT_SIZE + 1}, fixedrange=True, automargin=True)
    return figure


def products(cell: SumOfProducts, *, height: int = 560) -> go.Figure:
    """One cell's sum of products: for each input channel the window, the weights, and their products.

    Args:
        cell: of a convolution that reads three channels or fewer.
        height: of the figure, in CSS pixels.
    """
    rows = (("input", cell.inputs), ("weight", cell.weights), ("product", cell.products))
    columns = len(cell.inputs)
    titles = [_PRIMARIES[index] if columns == 3 else f"channel {index}" for index in range(columns)]
    figure = make_subplots(3, columns, column_titles=titles, horizontal_spacing=0.02, vertical_spacing=0.05)
    # Numbers are legible in up to 5 x 5 cells; in larger kernels they appear on hover.
    written = max(cell.weights.shape[1:]) <= 5
    for down, (label, values) in enumerate(rows, start=1):
        scale = signed_scale(values, label)
        for across in range(columns):
            figure.add_heatmap(
                z=values[across].numpy(),
                zmin=scale.low,
                zmax=scale.high,
                colorscale=scale.colours,
                showscale=False,
                texttemplate="%{z:.2f}" if written else None,
                textfont={"size": FONT_SIZE - 1},
                xgap=1,
                ygap=1,
                hovertemplate=f"{label}, {titles[across]}<br>row %{{y}}, column %{{x}}: %{{z:.4f}}<extra></extra>",
                row=down,
                col=across + 1,
            )
    signs = ("input", "× weight", "= product")
    for down, sign in enumerate(signs, start=1):
        figure.update_yaxes(title_text=sign, row=down, col=1)
    plain(figure, height=height)
    figure.update_layout(margin={"l": 8, "r": 0, "t": 30, "b": 0})
    bare = {"showticklabels": False, "ticks": "", "showgrid": False, "zeroline": False, "fixedrange": True}
    figure.update_xaxes(**bare)
    figure.update_yaxes(autorange="reversed", **bare)
    return figure


def norms(kernels: Filters, *, chosen: int, height: int = 260) -> go.Figure:
    """The norm of every filter, largest first.

    Args:
        kernels: of a convolution.
        chosen: the filter that is marked.
        height: of the figure, in CSS pixels.
    """
    order = kernels.norms.argsort(descending=True, stable=True).tolist()
    figure = go.Figure(
        go.Bar(
            x=list(range(1, len(order) + 1)),
            y=kernels.norms[order].tolist(),
            customdata=order,
            marker_color=[CATEGORICAL[5] if channel == chosen else MUTED for channel in order],
            marker_line_width=0,
            hovertemplate="filter %{customdata}: norm %{y:.3f}<extra></extra>",
        )
    )
    plain(figure, height=height)
    figure.update_layout(bargap=0 if len(order) > 64 else 0.15, margin={"l": 0, "r": 0, "t": 8, "b": 0})
    figure.update_xaxes(title_text="filters, largest norm first", fixedrange=True, showgrid=False, automargin=True)
    figure.update_yaxes(title_text="norm", fixedrange=True, rangemode="tozero", automargin=True)
    # Streamlit's theme would make them smaller.
    figure.update_xaxes(tickfont={"size": FONT_SIZE - 1})
    figure.update_yaxes(tickfont={"size": FONT_SIZE - 1})
    return figure


def _strike(picture: Image.Image, sheet: ContactSheet, struck: Collection[int]) -> None:
    layout = sheet.layout
    down, across = layout.pitch
    height, width = layout.map_height * layout.zoom, layout.map_width * layout.zoom
    pen = ImageDraw.Draw(picture)
    for left, top in _corners(layout.channels, struck, layout.columns, (down, across)):
        x, y = layout.gap + left, layout.gap + top
        for ends in ((x, y, x + width - 1, y + height - 1), (x, y + height - 1, x + width - 1, y)):
            pen.line(ends, fill=_STRIKE, width=max(1, height // 60))


def _corners(
    channels: Sequence[int], struck: Collection[int], columns: int, pitch: tuple[int, int]
) -> list[tuple[int, int]]:
    chosen = set(struck)
    places = [divmod(position, columns) for position, channel in enumerate(channels) if channel in chosen]
    return [(column * pitch[1], row * pitch[0]) for row, column in places]
