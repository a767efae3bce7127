"""One step of a convolution: the window on the picture, the products, the sum, and the output so far."""

from dataclasses import replace
from itertools import accumulate

import plotly.graph_objects as go
import torch
from torch import Tensor
from torch.nn import functional

from convis_core.figures import grids
from convis_core.figures.grids import Grid, Mark
from convis_core.results.convolution import Slide, Step

_FEW = 9
_COUNTABLE = 10
"""A picture of more rows counts as a photograph, whose cells are not counted one by one."""
_STRETCHABLE = 5
"""Filters of more columns than this have square cells: there would be no space for their numbers anyway."""
_COLOURS = ("red", "green", "blue")


def workbench(slide: Slide, step: Step, output: Tensor, *, height: int = 400) -> go.Figure:
    """Picture, filter, products and output: side by side for one channel, a column for each of several.

    Args:
        slide: the picture and the filters.
        step: the window that is shown.
        output: [K, H', W'], all results; those after the step are left empty.
        height: of the figure, in CSS pixels.
    """
    channels = len(slide.picture)
    outputs = _outputs(slide, step, output)
    if channels == 1:
        parts = [replace(grid, column=column) for column, grid in enumerate(_parts(slide, step, 0, ""))]
        return grids.board([*parts, *outputs], widths=[3.0, 1.7, 1.7, 2.6], height=height)
    names = _COLOURS if channels == 3 else tuple(f"channel {index}" for index in range(channels))
    bands = _bands(slide, height)
    # Fractions need wide cells to be legible; whole numbers have square ones.
    wide = slide.picture.shape[1] > _COUNTABLE and slide.filters.shape[3] <= _STRETCHABLE
    panels: list[Grid] = []
    for channel, name in enumerate(names):
        picture, taps, products = _parts(slide, step, channel, name)
        panels += [
            replace(picture, column=channel, band=bands[0]),
            replace(taps, column=channel, band=bands[1], stretched=wide),
            replace(products, column=channel, band=bands[2], stretched=wide),
        ]
    count = len(outputs)
    panels += [
        replace(grid, column=channels, band=(index / count, (index + 1) / count)) for index, grid in enumerate(outputs)
    ]
    return grids.board(panels, widths=[*[1.0] * channels, 1.15], height=height)


def _parts(slide: Slide, step: Step, channel: int, name: str) -> tuple[Grid, Grid, Grid]:
    """A channel of the picture, the filter at the window, and their products."""
    high, wide = step.window.shape[1:]
    padded = functional.pad(slide.picture, [slide.padding] * 4)[channel]
    window = Mark(step.top + slide.padding, step.left + slide.padding, high, wide)
    picture = grids.grey(_titled("picture", name), padded, high=float(slide.picture.max()))
    taps = grids.signed(
        _titled(_filter_name(slide, step), name), step.weights[channel], limit=float(slide.filters.abs().max())
    )
    products = grids.signed(
        "window × filter", step.products[channel], limit=max(1e-6, float(step.products.abs().max()))
    )
    return (
        replace(picture, marks=(*_frame(slide), window), origin=(-slide.padding, -slide.padding)),
        taps,
        replace(products, below=f"sum {grids.number(float(step.channel_sums[channel]))}"),
    )


def _bands(slide: Slide, height: int) -> tuple[tuple[float, float], ...]:
    """From top to bottom: the picture, the filter, the products; cells of one size if all can be counted."""
    taps = slide.filters.shape[2]
    rows = slide.picture.shape[1] + 2 * slide.padding
    shares = (rows if rows <= _COUNTABLE else 1.4 * taps, taps, taps)
    extras = (
        grids.TITLE_SPACE + grids.BOTTOM_SPACE,
        grids.TITLE_SPACE + grids.BOTTOM_SPACE,
        grids.TITLE_SPACE + grids.CAPTION_SPACE,
    )
    cell = (height - sum(extras)) / sum(shares)
    ends = list(accumulate((share * cell + extra) / height for share, extra in zip(shares, extras, strict=True)))
    return tuple(zip([0.0, *ends[:-1]], ends, strict=True))


def so_far(step: Step, output: Tensor) -> Tensor:
    """The output with nan at the positions that no window has reached yet."""
    flat = output.flatten().clone()
    flat[step.index + 1 :] = torch.nan
    return flat.reshape(output.shape)


def sum_in_words(step: Step) -> str:
    """The sum written out, such as "30 + 0 − 4 + 1 (bias) = 27"; of many products, by channel."""
    few = step.products.numel() <= _FEW
    terms = [grids.number(float(value)) for value in (step.products.flatten() if few else step.channel_sums)]
    if step.bias:
        terms.append(f"{grids.number(step.bias)} (bias)")
    return f"{' + '.join(terms)} = {grids.number(step.value)}".replace("+ -", "− ").replace("-", "−")


def _outputs(slide: Slide, step: Step, output: Tensor) -> list[Grid]:
    shown = so_far(step, output)
    limit = max(1e-6, float(output.abs().max()))
    filters = len(slide.filters)
    panels = []
    for index in range(filters):
        title = "output" if filters == 1 else f"output of filter {index + 1}"
        marks = (Mark(step.row, step.column, 1, 1),) if index == step.filter else ()
        grid = grids.signed(title, shown[index], limit=limit)
        panels.append(replace(grid, column=3, marks=marks))
    return panels


def _filter_name(slide: Slide, step: Step) -> str:
    return "filter" if len(slide.filters) == 1 else f"filter {step.filter + 1}"


def _titled(what: str, channel: str) -> str:
    return f"{what}, {channel}" if channel else what


def _frame(slide: Slide) -> tuple[Mark, ...]:
    if not slide.padding:
        return ()
    rows, columns = slide.picture.shape[1:]
    return (Mark(slide.padding, slide.padding, rows, columns, grids.PICTURE_EDGE, "dot"),)
