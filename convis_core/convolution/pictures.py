"""Real pictures made small, and the first filters of a real network."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from convis_core import network
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.models.pixels import Normalise
from convis_core.values import check_whole

_LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the perceived brightness, ITU-R BT.601."""


def shrink(x: Tensor, side: int, *, grey: bool) -> Tensor:
    """The picture in a few cells, each the mean of the pixels that it covers.

    Args:
        x: pixels in [0, 1], [1, 3, S, S].
        side: rows and columns of the result, at most S.
        grey: whether to return one channel, the brightness, instead of three.

    Returns:
        [C, side, side] with C = 1 or 3.

    Raises:
        SpecError: when ``side`` is not between 1 and S.

    >>> import torch
    >>> from convis_core import convolution
    >>> x = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat_interleave(2, 0).repeat_interleave(2, 1).expand(1, 3, 4, 4)
    >>> convolution.shrink(x, 2, grey=True)
    tensor([[[0., 1.],
             [1., 0.]]])
    """
    check_whole("The side of the small picture", side, 1, x.shape[-1])
    small: Tensor = functional.interpolate(x, size=(side, side), mode="area")[0]
    if not grey:
        return small
    return (small * torch.tensor(_LUMA).view(3, 1, 1)).sum(dim=0, keepdim=True)


def first_filters(model: LoadedModel) -> tuple[Tensor, Tensor]:
    """The filters of the network's first convolution, as they act on pixels in [0, 1].

    The network first subtracts a mean m and divides by a standard deviation s. Both can be folded into the filter:
    w (x - m) / s = (w / s) x - w m / s.

    Args:
        model: the network.

    Returns:
        Filters [K, 3, F, F] and biases [K].

    Raises:
        SpecError: when the network does not begin with a convolution over three colours.

    >>> from convis_core import convolution, models
    >>> weights, biases = convolution.first_filters(models.load("efficientnet_lite0"))
    >>> weights.shape, biases.shape
    (torch.Size([32, 3, 3, 3]), torch.Size([32]))
    """
    module = network.trace(model).module
    layers = [module.get_submodule(str(node.target)) for node in module.graph.nodes if node.op == "call_module"]
    normalise = next((layer for layer in layers if isinstance(layer, Normalise)), None)
    first = next((layer for layer in layers if isinstance(layer, nn.Conv2d)), None)
    if normalise is None or first is None or first.weight.shape[1] != 3:
        raise SpecError("This network does not begin with a convolution over three colours.")
    weights = first.weight.detach().cpu()
    bias = torch.zeros(len(weights)) if first.bias is None else first.bias.detach().cpu()
    mean, std = normalise.mean.cpu(), normalise.std.cpu()
    return weights / std, bias - (weights * mean / std).sum(dim=(1, 2, 3))
