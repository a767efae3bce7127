"""One weight, many gradients: a convolution in one dimension, small enough to print."""

import streamlit as st
import torch

from convis_core import convolution
from convis_core.errors import SpecError
from convis_core.figures import laboratory
from convis_core.figures.grids import number
from pages._shell import layout
from pages._shell.context import Context

_FIRST = {"x": "0 0 1 2 2 2", "w": "1 0 0.5", "t": "0 1 1 0"}
_LABELS = {"x": "Input x", "w": "Weights w", "t": "Targets t"}
_HELP = {
    "x": "Up to 11 numbers with blanks between them.",
    "w": "At most as many numbers as the input has.",
    "t": "What the outputs should be: as many numbers as the input has, less the weights, plus one.",
}


def draw(_: Context) -> dict[str, str]:
    """The numbers, the terms of each weight's gradient, and a step downhill."""
    for name, text in _FIRST.items():
        if _key(name) not in st.session_state and _key(name) not in st.query_params:
            st.session_state[_key(name)] = text
    written = {
        name: column.text_input(
            _LABELS[name],
            key=_key(name),
            bind="query-params",
            persist_state="session",
            max_chars=100,
            help=_HELP[name],
        )
        for name, column in zip(_FIRST, st.columns(3), strict=True)
    }
    try:
        shared = convolution.learn(*(convolution.read_line(text) for text in written.values()))
    except SpecError as error:
        st.error(str(error), icon=":material/edit_off:")
        return {}
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
        rate = st.slider(
            "Step size",
            0.01,
            0.2,
            0.05,
            0.01,
            key="convolution_shared_rate",
            bind="query-params",
            persist_state="session",
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
    return {}


def _key(name: str) -> str:
    return f"convolution_shared_{name}"


def _set_weights(weights: str) -> None:
    st.session_state[_key("w")] = weights
