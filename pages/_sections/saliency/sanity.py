"""Should you believe it? Three tests that a map can fail, one open at a time."""

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from convis_core.attribution import Method
from convis_core.errors import ConvisError
from convis_core.results import SmoothGradSpec
from pages._sections.saliency import controls, curves, forget, swap
from pages._shell import controls as widgets
from pages._shell import text
from pages._shell.context import Context

CURVES, FORGET, SWAP = CHECKS = ("Delete and insert", "Forget the weights", "Another class")
_FEW_COPIES = 10
_DRAWN: dict[str, Callable[[Context, Method], None]] = {
    CURVES: curves.draw,
    FORGET: forget.draw,
    SWAP: swap.draw,
}


def draw(context: Context) -> None:
    """The method, the test, and what it found."""
    asked, answer = st.columns([1, 3.7])
    with asked:
        check = widgets.radio(
            "Test",
            CHECKS,
            key="saliency_check",
            help="What is tested: the order of the pixels, the need for trained weights, the need for the class.",
        )
        method = controls.method(context)
        if check != CURVES and isinstance(method.spec, SmoothGradSpec):
            method = _with_few_copies(method, method.spec)
    with answer:
        try:
            _DRAWN[check](context, method)
        except ConvisError as error:
            text.refuse(error)
    text.render({CURVES: "saliency.curves", FORGET: "saliency.forget", SWAP: "saliency.swap"}[check])


def _with_few_copies(method: Method, spec: SmoothGradSpec) -> Method:
    """SmoothGrad for tests that need a map for every layer or class."""
    if spec.n_samples <= _FEW_COPIES:
        return method
    st.caption(f"This test needs many maps: {_FEW_COPIES} noisy copies for each instead of {spec.n_samples}.")
    return replace(method, spec=replace(spec, n_samples=_FEW_COPIES))
