"""Grad-CAM: where a layer's channels that speak for the class are active."""

from torch import Tensor

from convis_core.attribution.cam import explained_layer, over_the_picture
from convis_core.attribution.info import MethodInfo
from convis_core.models import LoadedModel
from convis_core.results import Attribution


def grad_cam(model: LoadedModel, x: Tensor, target: int, *, layer: str | None = None) -> Attribution:
    """A coarse map of where a layer saw evidence for the class.

    coarse = sum_c w_c A_c, where A_c is the layer's channel c and w_c the mean over all positions of
    d logit_target / d A_c; values = ReLU(coarse), enlarged to the picture with bilinear interpolation.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        layer: name of a layer whose output is maps [C, h, w]; by default the last one of the network.

    Returns:
        Values that are not negative, float32 [1, S, S], and the signed map ``coarse``, float32 [h, w].

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, ``target`` is no class, or ``layer`` is not
            a layer with maps.

    Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", 2017
    (arXiv:1610.02391).
    """
    maps, gradient = explained_layer(model, x, target, layer)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return over_the_picture((weights * maps).sum(dim=1, keepdim=True), x, target, "Grad-CAM")


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
