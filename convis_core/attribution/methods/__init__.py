"""Attribution by gradients: how the class logit changes when a pixel does.

One backward pass: ``saliency``, ``input_x_gradient``, ``guided_backprop``, ``grad_cam``, ``guided_grad_cam``. Many,
as iterators of ever better results: ``smoothgrad``, ``integrated_gradients``, ``derivative_along_noise``. All speak
of the class logit and of pixels in [0, 1], and none leaves a trace on the network.
"""

from convis_core.attribution.methods.cam import grad_cam, guided_grad_cam
from convis_core.attribution.methods.conventions import CONVENTIONS
from convis_core.attribution.methods.guided import guided_backprop
from convis_core.attribution.methods.integrated import integrated_gradients
from convis_core.attribution.methods.noise_walk import derivative_along_noise
from convis_core.attribution.methods.plain import input_x_gradient, saliency
from convis_core.attribution.methods.smoothing import noise_scale, sample_noise, smoothgrad

__all__ = [
    "CONVENTIONS",
    "derivative_along_noise",
    "grad_cam",
    "guided_backprop",
    "guided_grad_cam",
    "input_x_gradient",
    "integrated_gradients",
    "noise_scale",
    "saliency",
    "sample_noise",
    "smoothgrad",
]
