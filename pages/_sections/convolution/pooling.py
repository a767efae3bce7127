"""Pooling: the largest number of each window, or the mean."""

import streamlit as st
from torch import Tensor

from convis_core import convolution
from convis_core.errors import SpecError
from convis_core.figures import laboratory
from pages._shell import controls, layout, text
from pages._shell.context import Context

_NUMBERS, _PICTURE, _EDGES = "Numbers", "Your picture", "Its vertical edges"


def draw(context: Context) -> None:
    """The same map before, by its largest numbers, and by its means; then its texts."""
    what, side, moves = st.columns([2, 1, 1])
    source = controls.segmented(
        "Pools",
        [_NUMBERS, _PICTURE, _EDGES],
        key="convolution_pooling_source",
        place=what,
        help="Numbers to count on, the brightness of your picture, or an edge filter's answers after ReLU.",
    )
    window = controls.slider(
        "Window",
        (2, 6, 1),
        2,
        key="convolution_pooling_window",
        place=side,
        help="Side of the window in cells, 2 to 6.",
    )
    stride = controls.slider(
        "Stride",
        (1, 6, 1),
        2,
        key="convolution_pooling_stride",
        place=moves,
        help="Cells from one window to the next, 1 to 6.",
    )
    try:
        _pool(context, source, window=window, stride=stride)
    except SpecError as error:
        text.refuse(error, icon=":material/grid_off:")
    text.explain("convolution_pooling")


def _pool(context: Context, source: str, *, window: int, stride: int) -> None:
    values = _values(context, source)
    largest = convolution.pool(values, window=window, stride=stride, kind="max")
    average = convolution.pool(values, window=window, stride=stride, kind="average")
    framed = " Framed: the numbers that max pooling kept." if laboratory.countable(values[0]) else ""
    layout.figure(
        laboratory.pooling(values[0], largest, average),
        key="convolution_pooling_maps",
        caption=f"{source}: before, and after pooling with a window of {window} × {window} cells that moves by "
        f"{stride}.{framed}",
    )
    rows, columns = largest.values.shape[1:]
    kept = rows * columns / values[0].numel()
    layout.sentence(
        f"{values.shape[1]} × {values.shape[2]} cells become **{rows} × {columns}**: {kept * 100:.0f} % of the numbers "
        "remain. Max keeps the strongest answer and forgets where in the window it stood; the average blurs."
    )


def _values(context: Context, source: str) -> Tensor:
    if source == _NUMBERS:
        return convolution.numbers(6)
    picture = convolution.shrink(context.x, 96, grey=True)
    if source == _PICTURE:
        return picture
    filters = convolution.get_kernel("vertical_edge").filter()
    return convolution.rectify(convolution.convolve(convolution.slide(picture, filters))[0]).after.unsqueeze(0)
