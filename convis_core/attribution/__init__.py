"""Attributions: what a network's answer owes to every pixel, by any method, watched, shown, compared and doubted.

A method is a function (``saliency``, ``smoothgrad``, ``grad_cam``, ...) and an entry of the registry, so that
``attribute`` takes any of them by its name. ``sanity`` holds the tests that a map must pass to be believed.
"""

from convis_core.attribution import sanity
from convis_core.attribution.expected import Pace, pace
from convis_core.attribution.methods import (
    CONVENTIONS,
    derivative_along_noise,
    grad_cam,
    guided_backprop,
    guided_grad_cam,
    input_x_gradient,
    integrated_gradients,
    noise_scale,
    saliency,
    sample_noise,
    smoothgrad,
)
from convis_core.attribution.registry import KINDS, Kind, Method, attribute, continues, final, once, recipe_parts
from convis_core.attribution.running import running
from convis_core.attribution.series import Comparison, Filmstrip, compare, filmstrip
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

__all__ = [
    "CHANNEL_RULES",
    "CONVENTIONS",
    "KINDS",
    "Comparison",
    "Filmstrip",
    "Kind",
    "Method",
    "Pace",
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
    "noise_scale",
    "once",
    "pace",
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
]
