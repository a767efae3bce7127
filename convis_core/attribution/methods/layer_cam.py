"""Layer-CAM: a layer's activations, each weighted by the positive part of its own gradient."""

from torch import Tensor

from convis_core.attribution.cam import enlarged_to_picture, explained_layer
from convis_core.attribution.info import MethodInfo
from convis_core.models import LoadedModel
from convis_core.results import Attribution


def layer_cam(model: LoadedModel, x: Tensor, target: int, *, layer: str | None = None) -> Attribution:
    """A map of where a layer is active and stronger activation would raise the class logit.

    coarse = sum_c ReLU(d logit_target / d A_c) * A_c, where A_c is the layer's channel c; values = ReLU(coarse),
    enlarged to the picture with bilinear interpolation. Grad-CAM has one weight for a whole channel; here each
    position has its own, so that early layers with their fine grids give useful maps as well.

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

    Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", IEEE Transactions on Image
    Processing 30, 2021.

    >>> import torch
    >>> from convis_core import models
    >>> layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    >>> model = models.wrap(torch.nn.Sequential(*layers, torch.nn.Linear(4, 2, bias=False)), input_size=8)
    >>> cam = layer_cam(model, torch.rand(1, 3, 8, 8), 1, layer="1")
    >>> tuple(cam.coarse.shape), tuple(cam.values.shape), bool(cam.coarse.min() >= 0)
    ((6, 6), (1, 8, 8), True)
    """
    maps, gradient = explained_layer(model, x, target, layer)
    return enlarged_to_picture((gradient.relu() * maps).sum(dim=1, keepdim=True), x, target, "Layer-CAM")


INFO = MethodInfo(
    id="layer_cam",
    label="Layer-CAM",
    unit="evidence for the class",
    signed=False,
    spec_type=None,
    takes_layer=True,
    run=layer_cam,
    recipe="attribution.layer_cam",
)
