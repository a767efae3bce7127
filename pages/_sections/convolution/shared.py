"""One weight, many gradients: a convolution in one dimension, small enough to print."""

import streamlit as st
import torch

from convis_core import convolution
from convis_core.errors import SpecError
from convis_core.figures import laboratory
from convis_core.figures.grids import number
from convis_core.results import SharedWeight
from pages._shell import controls, layout, text
from pages._shell.context import Context

_FIRST = {"x": "0 0 1 2 2 2", "w": "1 0 0.5", "t": "0 1 1 0"}
_LABELS = {"x": "Input x", "w": "Weights w", "t": "Targets t"}
_HELP = {
    "x": "Up to 11 numbers with blanks between them.",
    "w": "At most as many numbers as the input has.",
    "t": "What the outputs should be: as many numbers as the input has, less the weights, plus one.",
}


def draw(_: Context) -> None:
    """The numbers, the terms of each weight's gradient, and a step downhill; then its texts."""
    written = [
        controls.text_input(_LABELS[name], first, key=_key(name), place=column, max_chars=100, help=_HELP[name])
        for (name, first), column in zip(_FIRST.items(), st.columns(3), strict=True)
    ]
    try:
        _learn(convolution.learn(*(convolution.read_line(line) for line in written)))
    except SpecError as error:
        text.refuse(error, icon=":material/edit_off:")
    text.explain("convolution_shared")


def _learn(shared: SharedWeight) -> None:
    layout.figure(
        laboratory.terms(shared),
        key="convolution_terms",
        caption="Each weight was used at every place, so every place has its say: error times the input that the "
        "weight met there. Framed: the sum of a row, and what automatic differentiation gives for the same weight.",
    )
    agree = torch.allclose(shared.gradient, shared.autograd, atol=1e-5)
    layout.sentence(
        f"The loss is **{number(shared.loss)}**. The sums {'equal' if agree else 'differ from'} autograd's gradient: "
        f"({', '.join(number(float(value)) for value in shared.gradient)})."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rate = controls.slider(
            "Step size",
            (0.01, 0.2, 0.01),
            0.05,
            key="convolution_shared_rate",
            width=260,
            help="How far to go against the gradient, 0.01 to 0.2.",
        )
        moved = " ".join(f"{float(value):.4g}" for value in shared.weights - rate * shared.gradient)
        st.button("Take a step downhill", key="convolution_shared_step", on_click=_set_weights, args=(moved,))
        st.button("Begin again", key="convolution_shared_reset", on_click=_set_weights, args=(_FIRST["w"],))
    layout.figure(
        laboratory.line(shared),
        key="convolution_line",
        caption="The convolution itself: input, output, what the output should have been, and the error of each place.",
    )


def _key(name: str) -> str:
    return f"convolution_shared_{name}"


def _set_weights(weights: str) -> None:
    st.session_state[_key("w")] = weights
