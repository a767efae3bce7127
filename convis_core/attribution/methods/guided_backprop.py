"""Guided backpropagation: a backward pass that lets only positive gradients through each ReLU."""

from typing import Any

import torch
from torch import Tensor

from convis_core import network
from convis_core.attribution.info import MethodInfo
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network.checks import check_picture, check_target
from convis_core.network.operations import ACTIVATION
from convis_core.results import Attribution
from convis_core.runtime import lanes


def guided_backprop(model: LoadedModel, x: Tensor, target: int) -> Attribution:
    """What, added to the picture, would raise the class logit through neurons that all pull the same way.

    A gradient of the logit whose backward pass sets negative values to zero at every ReLU, on top of the zeros
    that the ReLU itself sets: g -> g * [0 < a] * [0 < g], a being the ReLU's input. A ReLU6 also stops the
    gradient where it is saturated, [0 < a < 6]. The forward pass is the network's own.

    It draws sharp outlines, but nearly the same ones for every class and for random weights (Adebayo et al. 2018).

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.

    Returns:
        Signed values, float32 [3, S, S]. Where the network has other activations than ReLUs, the name of the method
        says which layers were left to their own derivative; see ``unguided_layers``.

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, ``target`` is no class, or the network has no
            ReLU: the result would be the plain gradient under another name.

    Springenberg et al., "Striving for Simplicity: The All Convolutional Net", 2014 (arXiv:1412.6806).
    """
    check_picture(model, x)
    check_target(model, target)
    traced = network.trace(model)
    # Behind the ReLU rather than in its place: its own derivative, saturation of ReLU6 included, stays torch's.
    guards = {name: _guard for node, name in traced.names.items() if traced.operations[node].gate is not None}
    if not guards:
        raise SpecError("Guided backpropagation changes the gradient at ReLUs and this network has none; use saliency.")
    plain = unguided_layers(model)
    with lanes.known_grad_mode():
        pixels = x.detach().to(model.device, copy=True).requires_grad_(True)
        logits, _ = network.forward(traced, pixels, edits=guards)
        (gradient,) = torch.autograd.grad(logits[0, target], pixels)
    name = f"guided backprop, plain through {', '.join(plain)}" if plain else "guided backprop"
    return Attribution(gradient[0].cpu(), target, name)


def unguided_layers(model: LoadedModel) -> tuple[str, ...]:
    """Names of the activations that are no ReLU, such as SiLU or sigmoid: the rule says nothing of them.

    >>> from convis_core import models
    >>> unguided_layers(models.load("efficientnet_lite0"))
    ()

    Args:
        model: the network.
    """
    traced = network.trace(model)
    kinds = traced.operations
    return tuple(
        name for node, name in traced.names.items() if kinds[node].kind == ACTIVATION and kinds[node].gate is None
    )


class _PositiveGradient(torch.autograd.Function):
    """Changes nothing on the way forward; on the way back, sets negative gradients to zero."""

    @staticmethod
    def forward(_ctx: Any, activations: Tensor) -> Tensor:
        return activations.view_as(activations)

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.clamp(min=0)


def _guard(activations: Tensor) -> Tensor:
    guarded: Tensor = _PositiveGradient.apply(activations)
    return guarded


INFO = MethodInfo(
    id="guided_backprop",
    label="Guided backprop",
    unit="guided change of logit",
    signed=True,
    spec_type=None,
    takes_layer=False,
    run=guided_backprop,
    recipe="attribution.guided_backprop",
)
