"""Attributions: how much every pixel contributes to a network's score, how to display, compare and test that.

A method is a function, such as ``attribution.saliency``, and a record in ``METHODS``: ``attribution.attribute`` takes
any of them by its id. ``sanity`` holds the tests that a trustworthy map passes.
"""

from collections.abc import Callable
from typing import Any

from convis_core.attribution import sanity
from convis_core.attribution.conventions import CONVENTIONS
from convis_core.attribution.expected import pace
from convis_core.attribution.info import MethodInfo
from convis_core.attribution.methods.grad_cam import grad_cam
from convis_core.attribution.methods.guided_backprop import guided_backprop, unguided_layers
from convis_core.attribution.methods.guided_grad_cam import guided_grad_cam
from convis_core.attribution.methods.input_x_gradient import input_x_gradient
from convis_core.attribution.methods.integrated_gradients import integrated_gradients
from convis_core.attribution.methods.saliency import saliency
from convis_core.attribution.methods.smoothgrad import smoothgrad
from convis_core.attribution.noise import noise_scale, sample_noise
from convis_core.attribution.noise_walk import derivative_along_noise
from convis_core.attribution.registry import (
    KINDS,
    METHODS,
    as_explainer,
    attribute,
    continues,
    final,
    method_info,
    method_with,
    passes,
    recipe_parts,
)
from convis_core.attribution.running import running
from convis_core.attribution.series import compare, filmstrip
from convis_core.attribution.views import (
    CHANNEL_RULES,
    combined,
    concentration,
    is_zero,
    relative,
    sign_changes,
    signed,
    strongest_pixel,
)
from convis_core.results import Method

_RUNS = {info.id: info.run for info in METHODS}


def __getattr__(name: str) -> Callable[..., Any]:
    """Every method of the registry by its id, ``attribution.layer_cam`` for one; those above are imported by name."""
    if name not in _RUNS:
        raise AttributeError(f"convis_core.attribution has nothing called {name!r}.")
    return _RUNS[name]


__all__ = [
    "CHANNEL_RULES",
    "CONVENTIONS",
    "KINDS",
    "METHODS",
    "Method",
    "MethodInfo",
    "as_explainer",
    "attribute",
    "combined",
    "compare",
    "concentration",
    "continues",
    "derivative_along_noise",
    "filmstrip",
    "final",
    "grad_cam",
    "guided_backprop",
    "guided_grad_cam",
    "input_x_gradient",
    "integrated_gradients",
    "is_zero",
    "method_info",
    "method_with",
    "noise_scale",
    "pace",
    "passes",
    "recipe_parts",
    "relative",
    "running",
    "saliency",
    "sample_noise",
    "sanity",
    "sign_changes",
    "signed",
    "smoothgrad",
    "strongest_pixel",
    "unguided_layers",
]
