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
    """The gradient of the class logit in which every ReLU blocks negative gradients.

    The backward pass sets negative gradients to zero at every ReLU, in addition to the zeros of the ReLU's own
    derivative: g -> g * [0 < a] * [0 < g], a being the ReLU's input. A ReLU6 also stops the
    gradient where it is saturated, [0 < a < 6]. The forward pass is unchanged.

    The maps have sharp outlines, but nearly the same ones for every class and for random weights (Adebayo et al. 2018).

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.

    Returns:
        Signed values, float32 [3, S, S]. Where the network has other activations than ReLUs, the name of the method
        lists the layers that kept their ordinary derivative; see ``unguided_layers``.

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, ``target`` is no class, or the network has no
            ReLU: the result would be the ordinary gradient under another name.

    Springenberg et al., "Striving for Simplicity: The All Convolutional Net", 2014 (arXiv:1412.6806).

    >>> from convis_core import models
    >>> linear = torch.nn.Linear(3, 2)
    >>> linear.weight.data = torch.tensor([[2.0, -1.0, 3.0], [0.0, 0.0, 0.0]])
    >>> model = models.wrap(torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Flatten(), linear), input_size=1)
    >>> guided_backprop(model, torch.full((1, 3, 1, 1), 0.5), 0).values.flatten().tolist()
    [2.0, 0.0, 3.0]
    """
    check_picture(model, x)
    check_target(model, target)
    traced = network.trace(model)
    # After the ReLU rather than in its place: its own derivative, saturation of ReLU6 included, remains torch's.
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
    """Names of the activations other than ReLU, such as SiLU or sigmoid, which the rule does not cover.

    Args:
        model: the network.

    >>> from convis_core import models
    >>> layers = torch.nn.ReLU(), torch.nn.SiLU(), torch.nn.Flatten(), torch.nn.Linear(3, 2)
    >>> unguided_layers(models.wrap(torch.nn.Sequential(*layers), input_size=1))
    ('1',)
    """
    traced = network.trace(model)
    kinds = traced.operations
    return tuple(
        name for node, name in traced.names.items() if kinds[node].kind == ACTIVATION and kinds[node].gate is None
    )


class _PositiveGradient(torch.autograd.Function):
    """The identity in the forward pass; the backward pass sets negative gradients to zero."""

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
