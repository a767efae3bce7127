"""Guided Grad-CAM: guided backpropagation weighted by Grad-CAM."""

from torch import Tensor

from convis_core.attribution.info import MethodInfo
from convis_core.attribution.methods.grad_cam import grad_cam
from convis_core.attribution.methods.guided_backprop import guided_backprop
from convis_core.models import LoadedModel
from convis_core.results import Attribution


def guided_grad_cam(model: LoadedModel, x: Tensor, target: int, *, layer: str | None = None) -> Attribution:
    """Guided backpropagation weighted by Grad-CAM, which makes the map both sharp and specific to the class.

    values = guided_backprop.values * grad_cam.values.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        layer: as in ``grad_cam``.

    Returns:
        Signed values, float32 [3, S, S], and Grad-CAM's ``coarse``, float32 [h, w].

    Raises:
        SpecError: as ``grad_cam`` does.

    Selvaraju et al., 2017 (arXiv:1610.02391), section 3.2.

    >>> import torch
    >>> from convis_core import models
    >>> layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    >>> model = models.wrap(torch.nn.Sequential(*layers, torch.nn.Linear(4, 2, bias=False)), input_size=8)
    >>> x = torch.rand(1, 3, 8, 8)
    >>> cam, guided = grad_cam(model, x, 1), guided_backprop(model, x, 1)
    >>> torch.equal(guided_grad_cam(model, x, 1).values, guided.values * cam.values)
    True
    """
    cam = grad_cam(model, x, target, layer=layer)
    guided = guided_backprop(model, x, target)
    return Attribution(guided.values * cam.values, target, "guided Grad-CAM", coarse=cam.coarse)


def _passes(_: None) -> int:
    return 2


INFO = MethodInfo(
    id="guided_grad_cam",
    label="Guided Grad-CAM",
    unit="guided change x evidence",
    signed=True,
    spec_type=None,
    takes_layer=True,
    run=guided_grad_cam,
    recipe="attribution.guided_grad_cam",
    passes=_passes,
)
