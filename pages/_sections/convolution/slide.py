"""Slide a filter: one window after the other, until the output is full."""

import streamlit as st
from torch import Tensor

from convis_core import convolution
from convis_core.errors import SpecError
from convis_core.figures import laboratory, sliding
from convis_core.figures.grids import number
from convis_core.results import Slide
from pages._sections.convolution import parts
from pages._shell import controls, layout, text
from pages._shell.context import Context

_GREY, _COLOUR = "Your picture, in grey", "Your picture, in colour"
_GRIDS = {grid.label: grid for grid in convolution.GRIDS}
_PLAYING = "convolution_playing"
_SECONDS_A_STEP = 0.7
_FEW_STEPS = 100
_STEPS_OF_A_SHOW = 60
"""A long slide is played in this many steps; single steps remain possible by hand."""


def draw(context: Context) -> None:
    """Choose, then follow the window; then its texts."""
    what, which, edit, moves, around = st.columns([1.35, 1.2, 1.2, 0.8, 0.8])
    source = controls.selectbox(
        "Slides over",
        [*_GRIDS, _GREY, _COLOUR],
        key="convolution_source",
        place=what,
        help=f"A grid small enough to count on, or your picture made {parts.SMALL} × {parts.SMALL} cells small.",
    )
    chosen = parts.choose_filter(context, "convolution_slide", which, edit)
    stride = controls.number(
        "Stride", 1, 4, key="convolution_stride", place=moves, help="Cells from one window to the next, 1 to 4."
    )
    padding = controls.number(
        "Padding",
        0,
        5,
        key="convolution_padding",
        place=around,
        help="Zeros around the picture on each side, 0 to 5.",
    )
    try:
        _slide(context, source, chosen, stride=stride, padding=padding)
    except SpecError as error:
        text.refuse(error, icon=":material/grid_off:")
    text.explain("convolution_slide")


def _slide(context: Context, source: str, chosen: parts.Chosen, *, stride: int, padding: int) -> None:
    picture = _picture(context, source, colours=chosen.reads_colours)
    slide = convolution.slide(picture, chosen.filters, chosen.bias, stride=stride, padding=padding)
    if chosen.reads_colours and source != _COLOUR:
        st.caption("This filter reads three colours, so it slides over your picture in colour.")
    follow(slide, "convolution_slide", height=360 if len(picture) == 1 else 480)
    layout.sentence(f"**{chosen.label}.** {chosen.says}")
    _everywhere(context, chosen)


def follow(slide: Slide, prefix: str, *, height: int) -> None:
    """The controls of the window, and the window at work; also used for several filters.

    Args:
        slide: what slides over what.
        prefix: of the widgets' keys.
        height: of the figure, in CSS pixels.
    """
    output = convolution.convolve(slide)
    steps = convolution.step_count(slide)
    # A slider whose range changed would start again: each number of steps has a slider of its own.
    place = f"{prefix}_step_{steps}"
    playing = bool(st.session_state.get(_PLAYING))
    if place not in st.session_state:
        # On a real picture the first windows show nothing yet.
        st.session_state[place] = 1 if steps <= _FEW_STEPS else steps // 2

    @st.fragment(run_every=_SECONDS_A_STEP if playing else None)
    def board() -> None:
        if st.session_state.get(_PLAYING):
            _advance(place, steps)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            label, icon = ("Pause", ":material/pause:") if playing else ("Play", ":material/play_arrow:")
            pressed = st.button(
                label,
                key=f"{prefix}_play",
                icon=icon,
                help="Let the window move by itself.",
                on_click=_toggle,
                args=(place, steps),
            )
            st.button(
                "Back", key=f"{prefix}_back", icon=":material/skip_previous:", on_click=_move, args=(place, steps, -1)
            )
            st.button("Step", key=f"{prefix}_next", icon=":material/skip_next:", on_click=_move, args=(place, steps, 1))
            if steps > 1:
                st.slider(
                    "Window",
                    1,
                    steps,
                    key=place,
                    width="stretch",
                    help=f"Which of the {steps} windows; the arrow keys move it by one.",
                )
        if pressed:
            # The page as a whole: only then does a fragment begin or cease to run by itself.
            st.rerun()
        step = convolution.step(slide, int(st.session_state[place]) - 1)
        layout.figure(
            sliding.workbench(slide, step, output, height=height),
            key=f"{prefix}_board",
            caption=f"Window {step.index + 1} of {steps}: row {step.row}, column {step.column} of the output. Red is "
            "positive, blue negative, white zero. The filter's numbers times those under the window, added up, make "
            "one number of the output.",
        )
        products = step.products.numel()
        layout.sentence(f"{products} products, summed: {sliding.sum_in_words(step)}")

    board()


def _picture(context: Context, source: str, *, colours: bool) -> Tensor:
    if source in _GRIDS and not colours:
        return _GRIDS[source].picture()
    return parts.small_picture(context, grey=source == _GREY and not colours)


def _everywhere(context: Context, chosen: parts.Chosen) -> None:
    """The same filter on the whole picture, where one sees what it is for."""
    values = parts.answer(context, chosen)
    layout.figure(
        laboratory.response(context.view(), values, "answer of the filter", side=context.model.input_size),
        key="convolution_response",
        caption=f"{chosen.label} over the whole picture{'' if chosen.reads_colours else ', in grey'}. Its answers "
        f"reach from {number(float(values.min()))} to {number(float(values.max()))}; the strongest half per cent share "
        "one colour.",
    )


def _move(place: str, steps: int, by: int) -> None:
    st.session_state[_PLAYING] = False
    st.session_state[place] = min(steps, max(1, int(st.session_state[place]) + by))


def _advance(place: str, steps: int) -> None:
    """One step of the show; at its end it stops by itself."""
    at = int(st.session_state[place])
    if at >= steps:
        st.session_state[_PLAYING] = False
        st.rerun()
    st.session_state[place] = min(steps, at + max(1, steps // _STEPS_OF_A_SHOW))


def _toggle(place: str, steps: int) -> None:
    """Begin or end the show; at the end it begins anew."""
    playing = not st.session_state.get(_PLAYING)
    st.session_state[_PLAYING] = playing
    if playing and int(st.session_state[place]) >= steps:
        st.session_state[place] = 1
