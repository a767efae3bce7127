"""Layer-CAM: what each place of a layer adds to the class, by the gradient at that very place."""

from torch import Tensor

from convis_core.attribution.cam import explained_layer, over_the_picture
from convis_core.attribution.info import MethodInfo
from convis_core.models import LoadedModel
from convis_core.results import Attribution


def layer_cam(model: LoadedModel, x: Tensor, target: int, *, layer: str | None = None) -> Attribution:
    """Where a layer is active and more activity would raise the class logit, place by place.

    coarse = sum_c ReLU(d logit_target / d A_c) * A_c, where A_c is the layer's channel c; values = ReLU(coarse),
    enlarged to the picture with bilinear interpolation. Grad-CAM has one weight for a whole channel; here each
    position has its own, so that early layers with their fine grids give useful maps too.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        layer: name of a layer whose output is maps [C, h, w]; by default the last one of the network.

    Returns:
        Values that are not negative, float32 [1, S, S], and the map ``coarse``, float32 [h, w], which is negative
        only where the layer's output is.

    Raises:
        SpecError: as ``attribution.grad_cam`` does.

    Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", IEEE Transactions on Image
    Processing 30, 2021.
    """
    maps, gradient = explained_layer(model, x, target, layer)
    return over_the_picture((gradient.relu() * maps).sum(dim=1, keepdim=True), x, target, "Layer-CAM")


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
