"""HiResCAM: the class logit decomposed into the contributions of a layer's positions."""

from torch import Tensor

from convis_core.attribution.cam import enlarged_to_picture, explained_layer
from convis_core.attribution.info import MethodInfo
from convis_core.models import LoadedModel
from convis_core.results import Attribution


def hires_cam(model: LoadedModel, x: Tensor, target: int, *, layer: str | None = None) -> Attribution:
    """The contribution of each position of a layer to the class logit, positive or negative.

    coarse = sum_c (d logit_target / d A_c) * A_c, where A_c is the layer's channel c; values = ReLU(coarse), enlarged
    to the picture with bilinear interpolation. Where only linear operations follow the layer, ``coarse`` adds up to
    the logit minus its bias, so every position that the network used is counted. Grad-CAM averages the gradients first
    and can highlight positions that the network did not use.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        layer: name of a layer whose output is feature maps [C, h, w]; by default the last one of the network.

    Returns:
        Values that are not negative, float32 [1, S, S], and the signed map ``coarse``, float32 [h, w].

    Raises:
        SpecError: as ``attribution.grad_cam`` does.

    Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks",
    2020 (arXiv:2011.08891).

    >>> import torch
    >>> from convis_core import models
    >>> layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    >>> model = models.wrap(torch.nn.Sequential(*layers, torch.nn.Linear(4, 2, bias=False)), input_size=8)
    >>> x = torch.rand(1, 3, 8, 8)
    >>> cam = hires_cam(model, x, 1)
    >>> torch.allclose(cam.coarse.sum(), model.module(x)[0, 1], atol=1e-6)
    True
    """
    maps, gradient = explained_layer(model, x, target, layer)
    return enlarged_to_picture((gradient * maps).sum(dim=1, keepdim=True), x, target, "HiResCAM")


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
