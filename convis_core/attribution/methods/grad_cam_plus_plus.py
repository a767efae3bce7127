"""Grad-CAM++: Grad-CAM with weights that do not favour large objects."""

from torch import Tensor

from convis_core.attribution.cam import enlarged_to_picture, explained_layer
from convis_core.attribution.info import MethodInfo
from convis_core.models import LoadedModel
from convis_core.results import Attribution


def grad_cam_plus_plus(model: LoadedModel, x: Tensor, target: int, *, layer: str | None = None) -> Attribution:
    """A coarse map of evidence for the class that does not favour large objects.

    coarse = sum_c w_c A_c with w_c = sum_ij alpha_cij ReLU(g_cij), where A_c is the layer's channel c and
    g = d logit_target / d A. For the score exp(logit), and a logit that is piecewise linear in A, the paper's
    alpha = g^2 / (2 g^2 + g^3 sum_ab A_cab) (equation 19); the factor exp(logit) of its gradient is constant
    and left out. values = ReLU(coarse), enlarged to the picture with bilinear interpolation.

    The paper assumes A >= 0, as after a ReLU. Elsewhere 2 + g sum_ab A_cab can approach zero, and the channel's
    weight becomes meaningless.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        layer: name of a layer whose output is feature maps [C, h, w]; by default the last one of the network.

    Returns:
        Values that are not negative, float32 [1, S, S], and the map ``coarse``, float32 [h, w], which is negative
        only where the layer's output is.

    Raises:
        SpecError: as ``attribution.grad_cam`` does.

    Chattopadhay et al., "Grad-CAM++: Improved Visual Explanations for Deep Convolutional Networks", 2018
    (arXiv:1710.11063).

    >>> import torch
    >>> from convis_core import models
    >>> layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    >>> model = models.wrap(torch.nn.Sequential(*layers, torch.nn.Linear(4, 2, bias=False)), input_size=8)
    >>> x = torch.rand(1, 3, 8, 8)
    >>> cam = grad_cam_plus_plus(model, x, 1, layer="1")
    >>> tuple(cam.coarse.shape), bool(cam.coarse.min() >= 0)
    ((6, 6), True)
    """
    maps, gradient = explained_layer(model, x, target, layer)
    positive = gradient.relu()
    # alpha with g^2 cancelled: in single precision g^3 may be zero where g is not.
    alpha = 1 / (2 + positive * maps.sum(dim=(2, 3), keepdim=True))
    weights = (alpha * positive).sum(dim=(2, 3), keepdim=True)
    return enlarged_to_picture((weights * maps).sum(dim=1, keepdim=True), x, target, "Grad-CAM++")


INFO = MethodInfo(
    id="grad_cam_plus_plus",
    label="Grad-CAM++",
    unit="evidence for the class",
    signed=False,
    spec_type=None,
    takes_layer=True,
    run=grad_cam_plus_plus,
    recipe="attribution.grad_cam_plus_plus",
)
