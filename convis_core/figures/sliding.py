"""A filter at work: the window on the picture, the products, the sum, and the output as far as it has come."""

from dataclasses import replace

import plotly.graph_objects as go
import torch
from torch import Tensor
from torch.nn import functional

from convis_core.figures import grids
from convis_core.figures.grids import Grid, Mark
from convis_core.results.convolution import Slide, Step

_FEW = 9
_CHANNELS = {1: ("",), 3: ("red", "green", "blue")}


def workbench(slide: Slide, step: Step, output: Tensor, *, height: int = 400) -> go.Figure:
    """Picture, filter, products and output side by side, a row for each channel of the picture.

    Args:
        slide: what slides over what.
        step: the window that is looked at.
        output: [K, H', W'], all results; those that come after the step are left empty.
        height: of the figure, in CSS pixels.
    """
    channels = len(slide.picture)
    names = _CHANNELS.get(channels, tuple(f"channel {index}" for index in range(channels)))
    padded = functional.pad(slide.picture, [slide.padding] * 4)
    high, wide = step.window.shape[1:]
    found: list[Grid] = []
    bright = float(slide.picture.max())
    strong = float(slide.filters.abs().max())
    most = float(step.products.abs().max())
    for channel in range(channels):
        picture = grids.grey(_titled("picture", names[channel]), padded[channel], high=bright)
        window = Mark(step.top + slide.padding, step.left + slide.padding, high, wide)
        found += [
            replace(
                picture,
                row=channel,
                marks=(*_frame(slide), window),
                origin=(-slide.padding, -slide.padding),
            ),
            replace(
                grids.signed(_titled(_filter_name(slide, step), names[channel]), step.weights[channel], limit=strong),
                column=1,
                row=channel,
            ),
            replace(
                grids.signed("window × filter", step.products[channel], limit=max(1e-6, most)),
                column=2,
                row=channel,
                below=f"sum {grids.number(float(step.channel_sums[channel]))}",
            ),
        ]
    found += _outputs(slide, step, output)
    widths = [3.0, 1.7, 1.7, 2.6] if channels == 1 else [1.6, 1.2, 1.2, 2.2]
    return grids.board(found, widths=widths, rows=max(channels, len(slide.filters)), height=height)


def so_far(step: Step, output: Tensor) -> Tensor:
    """The output with nan in the places that no window has reached yet."""
    flat = output.flatten().clone()
    flat[step.index + 1 :] = torch.nan
    return flat.reshape(output.shape)


def sum_in_words(step: Step) -> str:
    """The sum written out: of a few products each, of many channel by channel, "30 + 0 − 4 + 1 (bias) = 27"."""
    few = step.products.numel() <= _FEW
    terms = [grids.number(float(value)) for value in (step.products.flatten() if few else step.channel_sums)]
    if step.bias:
        terms.append(f"{grids.number(step.bias)} (bias)")
    return f"{' + '.join(terms)} = {grids.number(step.value)}".replace("+ -", "− ").replace("-", "−")


def _outputs(slide: Slide, step: Step, output: Tensor) -> list[Grid]:
    shown = so_far(step, output)
    limit = max(1e-6, float(output.abs().max()))
    filters = len(slide.filters)
    found = []
    for index in range(filters):
        title = "output" if filters == 1 else f"output of filter {index + 1}"
        marks = (Mark(step.row, step.column, 1, 1),) if index == step.filter else ()
        grid = grids.signed(title, shown[index], limit=limit)
        found.append(replace(grid, column=3, row=-1 if filters == 1 else index, marks=marks))
    return found


def _filter_name(slide: Slide, step: Step) -> str:
    return "filter" if len(slide.filters) == 1 else f"filter {step.filter + 1}"


def _titled(what: str, channel: str) -> str:
    return f"{what}, {channel}" if channel else what


def _frame(slide: Slide) -> tuple[Mark, ...]:
    if not slide.padding:
        return ()
    rows, columns = slide.picture.shape[1:]
    return (Mark(slide.padding, slide.padding, rows, columns, grids.PICTURE_EDGE, "dot"),)
