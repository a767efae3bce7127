"""HiResCAM: the class logit taken apart into what each place of a layer adds to it."""

from torch import Tensor

from convis_core.attribution.cam import explained_layer, over_the_picture
from convis_core.attribution.info import MethodInfo
from convis_core.models import LoadedModel
from convis_core.results import Attribution


def hires_cam(model: LoadedModel, x: Tensor, target: int, *, layer: str | None = None) -> Attribution:
    """What each place of a layer contributes to the class logit, for it and against it.

    coarse = sum_c (d logit_target / d A_c) * A_c, where A_c is the layer's channel c; values = ReLU(coarse), enlarged
    to the picture with bilinear interpolation. Where only linear operations follow the layer, ``coarse`` adds up to
    the logit less its bias: no place that the network used is left out. Grad-CAM averages the gradients first and can
    highlight places that the network did not use.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        layer: name of a layer whose output is maps [C, h, w]; by default the last one of the network.

    Returns:
        Values that are not negative, float32 [1, S, S], and the signed map ``coarse``, float32 [h, w].

    Raises:
        SpecError: as ``attribution.grad_cam`` does.

    Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks",
    2020 (arXiv:2011.08891).
    """
    maps, gradient = explained_layer(model, x, target, layer)
    return over_the_picture((gradient * maps).sum(dim=1, keepdim=True), x, target, "HiResCAM")


INFO = MethodInfo(
    id="hires_cam",
    label="HiResCAM",
    unit="contribution to the logit",
    signed=False,
    spec_type=None,
    takes_layer=True,
    run=hires_cam,
    recipe="attribution.hires_cam",
)
