"""All calls of torch's private operations that use oneDNN directly.

They are those that ``torch.compile`` uses. They do what the public ones do; besides, they take weights that were
converted to oneDNN's own layout once, and they apply an activation to their output while it is in cache. Another
version of torch may name them differently; where they are missing, ``available`` is False and callers do without.
"""

import math

import torch
from torch import Tensor

from convis_core.network.operations import Gate

Pair = tuple[int, int]


def available() -> bool:
    """Whether this build of torch has the operations."""
    names = ("_convolution_pointwise", "_linear_pointwise", "_reorder_convolution_weight")
    return torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in names)


def suits(weight: Tensor) -> bool:
    """Whether oneDNN can compute with such weights here: float32 on the CPU.

    Args:
        weight: of a convolution or a linear layer.
    """
    return available() and weight.device.type == "cpu" and weight.dtype == torch.float32


def reordered(weight: Tensor, stride: Pair, dilation: Pair, groups: int, typical_input: list[int]) -> Tensor:
    """A convolution's weights in the layout that oneDNN prefers for inputs of such a shape.

    Args:
        weight: [O, I / groups, kh, kw].
        stride: of the convolution.
        dilation: of the convolution.
        groups: of the convolution.
        typical_input: shape [N, I, H, W] of a typical input.
    """
    packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
        weight, [0, 0], list(stride), list(dilation), groups, typical_input
    )
    return packed


def convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, geometry: tuple[Pair, Pair, Pair, int], gate: Gate | None
) -> Tensor:
    """A convolution and the activation after it, in one operation.

    Args:
        x: [N, I, H, W].
        weight: [O, I / groups, kh, kw], in any layout or from ``reordered``.
        bias: [O], or None.
        geometry: stride, padding, dilation, groups.
        gate: the bounds of the activation; None for none.
    """
    stride, padding, dilation, groups = geometry
    y: Tensor = torch.ops.mkldnn._convolution_pointwise.default(
        x, weight, bias, list(padding), list(stride), list(dilation), groups, *_activation(gate), ""
    )
    return y


def plain_convolution(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: tuple[Pair, Pair, Pair, int]) -> Tensor:
    """A convolution with weights in torch's own layout, computed by oneDNN whatever the sizes.

    Args:
        x: [N, I, H, W].
        weight: [O, I / groups, kh, kw].
        bias: [O], or None.
        geometry: stride, padding, dilation, groups.
    """
    stride, padding, dilation, groups = geometry
    y: Tensor = torch.ops.aten.mkldnn_convolution.default(
        x, weight, bias, list(padding), list(stride), list(dilation), groups
    )
    return y


def linear(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Gate | None = None) -> Tensor:
    """A linear layer, x times the transposed weight plus bias, and the activation after it.

    Args:
        x: [N, I].
        weight: [O, I].
        bias: [O], or None.
        gate: the bounds of the activation; None for none.
    """
    y: Tensor = torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, *_activation(gate), "")
    return y


def _activation(gate: Gate | None) -> tuple[str, list[float]]:
    if gate is None:
        return "none", []
    if gate == Gate(0.0, math.inf):
        return "relu", []
    return "hardtanh", [gate.low, gate.high]
