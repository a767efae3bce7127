"""Occlusion maps as pictures and figures: the drop over the photograph, the probability, the top class."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageColor, ImageOps
from torch import Tensor

from convis_core.figures.render import coloured
from convis_core.figures.scores import percent
from convis_core.figures.style import ACCENT, CATEGORICAL, FONT_SIZE, MUTED, Scale, data_uri, plain, signed_scale
from convis_core.results import Prediction

DROP = "drop of logit"

_UNCHANGED, _OTHER = "#DDE3E7", "#6B757C"
"""Colours of the unchanged class, and of all classes beyond the palette: neither competes with the others."""
_PALETTE = tuple(colour for colour in CATEGORICAL if colour != "#999999")
_BARS, _PICTURES = 0.56, 0.62
"""Where the bars end and the pictures begin, as shares of the figure's height."""


def drop_scale(*maps: Tensor) -> Scale:
    """Red-blue about zero, one scale for all the maps; pending and uncovered pixels (nan) do not count."""
    known = [values[~values.isnan()].flatten() for values in maps]
    largest = max(known, key=lambda values: float(values.abs().max()) if len(values) else 0.0)
    return signed_scale(largest, DROP)


def probability_scale(probability: Tensor, name: str) -> Scale:
    """Viridis from the lowest probability to the highest.

    Args:
        probability: [R, C], nan where a window is pending.
        name: of the class.
    """
    known = probability[~probability.isnan()]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    return Scale("probability", low, high if high > low else low + 1e-6, f"P({name})")


def ends(scale: Scale) -> tuple[str, str]:
    """Labels for the two ends of a scale: logits with two decimals, probabilities with as many as make them differ.

    >>> ends(Scale("signed", -1.5, 1.5, DROP))
    ('-1.50', '1.50')
    """
    if scale.kind != "probability":
        return f"{scale.low:.2f}", f"{scale.high:.2f}"
    low, high = percent(scale.low), percent(scale.high)
    return (low, high) if low != high else (f"{100 * scale.low:.3g} %", f"{100 * scale.high:.3g} %")


def drop_picture(photograph: Image.Image, heatmap: Tensor, scale: Scale, *, opacity: float) -> Image.Image:
    """The map over the photograph, which alone is shown where there is no value.

    Args:
        photograph: the network's view of the picture; its size is that of the result.
        heatmap: [S, S]; nan where no window has been computed yet.
        scale: from ``drop_scale``.
        opacity: of the map, 0 to 1.
    """
    unknown = heatmap.isnan().numpy()
    beneath = photograph.convert("RGB")
    weights = np.where(unknown, 0, round(255 * opacity)).astype(np.uint8)
    mask = Image.fromarray(weights, mode="L").resize(beneath.size, Image.Resampling.NEAREST)
    above = coloured(heatmap, scale).resize(beneath.size, Image.Resampling.NEAREST)
    return Image.composite(above, beneath, mask)


def class_colours(indices: Sequence[int], unhidden: int) -> dict[int, str]:
    """A colour for each class: pale for the top prediction of the unoccluded picture.

    Args:
        indices: classes, the most frequent first; those beyond the palette share one dark grey.
        unhidden: top class of the unoccluded picture.

    >>> class_colours([282, 285], 282)[282]
    '#DDE3E7'
    """
    others = [index for index in indices if index != unhidden]
    colours = dict.fromkeys(others, _OTHER) | dict(zip(others, _PALETTE, strict=False))
    return {unhidden: _UNCHANGED, **colours}


def class_picture(
    classes: Tensor, colours: Mapping[int, str], photograph: Image.Image, *, opacity: float
) -> Image.Image:
    """A colour for the class under every window, over the photograph in grey.

    Args:
        classes: int [R, C], indices of classes.
        colours: from ``class_colours``; holds every class of the map.
        photograph: from ``under_grid``: the part under each cell.
        opacity: of the colours, 0 to 1.
    """
    names, indices = np.unique(classes.numpy(), return_inverse=True)
    table = np.array([ImageColor.getrgb(colours[int(name)]) for name in names], dtype=np.uint8)
    cells = Image.fromarray(table[indices.reshape(classes.shape)], mode="RGB")
    grey = ImageOps.grayscale(photograph).convert("RGB")
    return Image.blend(grey, cells.resize(grey.size, Image.Resampling.NEAREST), opacity)


def under_grid(
    photograph: Image.Image, rows: Sequence[tuple[float, float]], columns: Sequence[tuple[float, float]], *, cell: int
) -> Image.Image:
    """The photograph rearranged under a grid of window positions, with cells of equal size.

    Window centres are half a window away from the border, and the last may be closer to its neighbour than the others:
    each cell shows the pixels nearest to its own window's centre.

    Args:
        photograph: the network's view, square.
        rows: where each row of cells begins and ends, as shares of the photograph's side.
        columns: the same for the columns.
        cell: side of a cell on the picture returned, in pixels.
    """
    pixels = np.asarray(photograph.convert("RGB"))
    height, width = pixels.shape[:2]
    return Image.fromarray(
        pixels[_pixel_indices(rows, cell, height)][:, _pixel_indices(columns, cell, width)], mode="RGB"
    )


def fills(
    pictures: Mapping[str, Image.Image], predictions: Mapping[str, Prediction], *, target: int, chosen: str
) -> go.Figure:
    """The probability of the class for each way to fill one window, below the network's input.

    Args:
        pictures: label of the fill -> picture with the window filled; first the picture with nothing hidden, whose
            probability is a dotted line for the others.
        predictions: the same labels -> the network's prediction.
        target: index of the class.
        chosen: the label that the rest of the page uses.
    """
    labels = list(pictures)
    values = [float(predictions[label].probabilities[target]) for label in labels]
    figure = go.Figure(
        go.Bar(
            x=list(range(len(labels))),
            y=values,
            marker_color=[ACCENT if label == chosen else MUTED for label in labels],
            customdata=[
                (label, percent(value), float(predictions[label].logits[target]), predictions[label].top[0].name)
                for label, value in zip(labels, values, strict=True)
            ],
            hovertemplate="%{customdata[0]}: %{customdata[1]}<br>logit %{customdata[2]:.2f}<br>"
            "first: %{customdata[3]}<extra></extra>",
        )
    )
    plain(figure, height=400)
    for place, picture in enumerate(pictures.values()):
        figure.add_layout_image(
            source=data_uri(picture),
            xref="x",
            yref="paper",
            x=place,
            y=1,
            sizex=0.94,
            sizey=1 - _PICTURES,
            xanchor="center",
            yanchor="top",
            sizing="contain",
        )
    figure.add_hline(y=values[0], line={"dash": "dot", "width": 2, "color": MUTED})
    figure.update_layout(bargap=0.45, margin={"l": 0, "r": 0, "t": 8, "b": 0})
    figure.update_xaxes(
        tickvals=list(range(len(labels))),
        ticktext=[
            f"<b>{percent(value)}</b><br>{label.replace(' ', '<br>')}"
            for label, value in zip(labels, values, strict=True)
        ],
        automargin=True,
        tickfont={"size": FONT_SIZE},
        range=[-0.5, len(labels) - 0.5],
        fixedrange=True,
    )
    figure.update_yaxes(
        visible=False, range=[0, 1.05 * max(*values, 1e-6)], domain=[0, _BARS], anchor="x", fixedrange=True
    )
    return figure


def _pixel_indices(spans: Sequence[tuple[float, float]], cell: int, length: int) -> np.ndarray:
    """The index of the photograph's pixel for each pixel of the grid, along one axis."""
    within = (np.arange(cell) + 0.5) / cell
    shares = np.concatenate([low + (high - low) * within for low, high in spans])
    return (shares * length).astype(int).clip(0, length - 1)
