"""Attributions: what a network's answer owes to every pixel, by any method, watched, shown, compared and doubted.

A method is a function, such as ``attribution.saliency``, and a record in ``METHODS``: ``attribution.attribute`` takes
any of them by its id. ``sanity`` holds the tests that a map must pass to be believed.
"""

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
    attribute,
    continues,
    final,
    method_info,
    method_with,
    once,
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

# Every method is reached by its id, ``attribution.layer_cam``, because the registry lists it. Those imported above by
# name are so for whoever reads or checks the code.
globals().update({info.id: info.run for info in METHODS})

__all__ = [
    "CHANNEL_RULES",
    "CONVENTIONS",
    "KINDS",
    "METHODS",
    "Method",
    "MethodInfo",
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
    "once",
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
