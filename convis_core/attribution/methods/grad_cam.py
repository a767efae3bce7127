"""Grad-CAM: where the channels that are evidence for a class are active."""

from torch import Tensor

from convis_core.attribution.cam import enlarged_to_picture, explained_layer
from convis_core.attribution.info import MethodInfo
from convis_core.models import LoadedModel
from convis_core.results import Attribution


def grad_cam(model: LoadedModel, x: Tensor, target: int, *, layer: str | None = None) -> Attribution:
    """A coarse map of where a layer detects evidence for the class.

    coarse = sum_c w_c A_c, where A_c is the layer's channel c and w_c the mean over all positions of
    d logit_target / d A_c; values = ReLU(coarse), enlarged to the picture with bilinear interpolation.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        layer: name of a layer whose output is feature maps [C, h, w]; by default the last one of the network.

    Returns:
        Values that are not negative, float32 [1, S, S], and the signed map ``coarse``, float32 [h, w].

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, ``target`` is no class, or ``layer`` is not
            a layer with feature maps.

    Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", 2017
    (arXiv:1610.02391).

    >>> import torch
    >>> from convis_core import models
    >>> layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    >>> model = models.wrap(torch.nn.Sequential(*layers, torch.nn.Linear(4, 2, bias=False)), input_size=8)
    >>> cam = grad_cam(model, torch.rand(1, 3, 8, 8), 1)
    >>> tuple(cam.coarse.shape), tuple(cam.values.shape), bool(cam.values.min() >= 0)
    ((6, 6), (1, 8, 8), True)
    """
    maps, gradient = explained_layer(model, x, target, layer)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return enlarged_to_picture((weights * maps).sum(dim=1, keepdim=True), x, target, "Grad-CAM")


INFO = MethodInfo(
    id="grad_cam",
    label="Grad-CAM",
    unit="evidence for the class",
    signed=False,
    spec_type=None,
    takes_layer=True,
    run=grad_cam,
    recipe="attribution.grad_cam",
)
