"""Grad-CAM: where a layer's channels that speak for the class are active."""

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from convis_core import network
from convis_core.attribution.methods.guided import guided_backprop
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network.predict import check_picture, check_target
from convis_core.results import Attribution
from convis_core.runtime import lanes


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
    check_picture(model, x)
    check_target(model, target)
    name = layer or model.spec.cam_layer
    if not name:
        raise SpecError("The network has no convolution to look at; name a layer whose output is maps.")
    with lanes.known_grad_mode():
        # The picture needs no gradient: the layer's output is cut off from what made it and becomes the leaf.
        pixels = x.detach().to(model.device, copy=True)
        logits, outputs = network.forward(
            network.trace(model), pixels, layers=[name], edits={name: partial(_as_leaf, name=name)}
        )
        maps = outputs[name]
        gradient = _of_a_layer(logits[0, target], maps, name)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    coarse = (weights * maps.detach()).sum(dim=1, keepdim=True)
    enlarged = functional.interpolate(coarse.relu(), size=tuple(x.shape[-2:]), mode="bilinear")
    return Attribution(enlarged[0].cpu(), target, "Grad-CAM", coarse=coarse[0, 0].cpu())


def guided_grad_cam(model: LoadedModel, x: Tensor, target: int, *, layer: str | None = None) -> Attribution:
    """Guided backpropagation, kept only where Grad-CAM sees the class: sharp and yet about one class.

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
    """
    cam = grad_cam(model, x, target, layer=layer)
    guided = guided_backprop(model, x, target)
    return Attribution(guided.values * cam.values, target, "guided Grad-CAM", coarse=cam.coarse)


def _as_leaf(maps: Tensor, *, name: str) -> Tensor:
    if maps.dim() != 4:
        raise SpecError(f"The output of layer {name!r} has no rows and columns; Grad-CAM needs a layer with maps.")
    return maps.detach().requires_grad_(True)


def _of_a_layer(logit: Tensor, maps: Tensor, name: str) -> Tensor:
    if not logit.requires_grad:
        raise SpecError(f"The class score does not depend on the output of layer {name!r}; choose another.")
    (gradient,) = torch.autograd.grad(logit, maps)
    return gradient
