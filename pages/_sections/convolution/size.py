"""The size calculator: how many windows fit, and how often each pixel is seen."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from convis_core import convolution
from convis_core.errors import SpecError
from convis_core.figures import laboratory
from convis_core.results import OutputSize
from pages._shell import controls, layout, text
from pages._shell.context import Context


def draw(_: Context) -> None:
    """Four numbers, the formula, the windows, and the coverage; then its texts."""
    columns = st.columns(4)
    width = _number(columns[0], "W, cells of the input", "width", (1, 24, 10), "Along one side, 1 to 24.")
    kernel = _number(columns[1], "F, cells of the window", "kernel", (1, 11, 3), "Along one side, 1 to 11.")
    padding = _number(columns[2], "P, padding", "pad", (0, 5, 0), "Zeros on each side, 0 to 5.")
    stride = _number(columns[3], "S, stride", "stride", (1, 8, 2), "Cells from one window to the next, 1 to 8.")
    try:
        _calculate(width, kernel, padding, stride)
    except SpecError as error:
        text.refuse(error, icon=":material/grid_off:")
    text.explain("convolution_size")


def _calculate(width: int, kernel: int, padding: int, stride: int) -> None:
    size = convolution.output_size(width, kernel, padding=padding, stride=stride)
    # Without padding there is nothing to compare with but the padding that would keep the size.
    padded = size if padding else convolution.output_size(width, kernel, padding=(kernel - 1) // 2, stride=stride)
    result = f"{size.floor}" if size.divides else f"{float(size.exact):g}"
    st.markdown(
        rf"$$\frac{{W - F + 2P}}{{S}} + 1 = \frac{{{width} - {kernel} + 2 \cdot {padding}}}{{{stride}}} + 1"
        rf" = {result}$$"
    )
    layout.figure(
        laboratory.windows(size, height=min(460, 110 + 34 * (size.floor + 1))),
        key="convolution_windows",
        caption=_legend(size),
    )
    layout.sentence(_sentence(size))
    if width >= kernel:
        _coverage(convolution.output_size(width, kernel, stride=stride), padded)


def _number(place: DeltaGenerator, label: str, name: str, span: tuple[int, int, int], help_: str) -> int:
    low, high, first = span
    return controls.slider(label, (low, high, 1), first, key=f"convolution_size_{name}", place=place, help=help_)


def _legend(size: OutputSize) -> str:
    """What the colours mean, of those that are there."""
    several = f"the {size.floor} windows, one below the other" if size.floor > 1 else "the only window"
    told = [
        f"Blue: the {size.width} cells of the input.",
        "Grey: padding." if size.padding else "",
        f"Orange: {several}.",
        "Vermilion: cells that no whole window sees." if size.unseen else "",
        "Dotted: one window more, if the size is rounded up." if size.ceil > size.floor else "",
    ]
    return " ".join(part for part in told if part)


def _sentence(size: OutputSize) -> str:
    if size.divides:
        return (
            f"It divides: **{size.floor}** windows fit exactly, so the output has {size.floor} cells along this side."
        )
    before, after = size.same_padding
    pool = f"**{size.ceil}** with ceil_mode" if size.ceil != size.floor else f"{size.ceil} even with ceil_mode"
    last = "the last cell" if size.unseen == 1 else f"the last {size.unseen} cells"
    lost = f" and never look at {last}" if size.unseen else ""
    return (
        f"It does not divide. Convolutions round down to **{size.floor}**{lost}; pooling makes {pool}; "
        f'"same" padding, as in TensorFlow, makes {size.same} with {before} zeros before and {after} after.'
    )


def _coverage(bare: OutputSize, padded: OutputSize) -> None:
    without, with_padding = convolution.coverage(bare), convolution.coverage(padded)
    layout.figure(
        laboratory.coverages(without, with_padding, padded.padding),
        key="convolution_coverage",
        caption="How many windows see each pixel of a square picture of this side. What few windows see counts little.",
    )
    corners = [int(counts[0, 0]) for counts in (without, with_padding)]
    most = [int(counts.max()) for counts in (without, with_padding)]
    layout.sentence(
        f"Without padding the corner is seen by **{corners[0]}** of the windows and the pixel seen most by {most[0]}; "
        f"with padding {padded.padding} by **{corners[1]}** and {most[1]}."
    )
