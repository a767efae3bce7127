"""Real pictures and real filters for the laboratory."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from convis_core import network
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.models.pixels import Normalise
from convis_core.values import check_whole

_LUMA = (0.299, 0.587, 0.114)
"""How bright red, green and blue look: ITU-R BT.601."""


def shrink(x: Tensor, side: int, *, grey: bool) -> Tensor:
    """A picture made small, each cell the mean of the pixels that it covers.

    Args:
        x: pixels in [0, 1], [1, 3, S, S].
        side: rows and columns of the result, at most S.
        grey: whether to keep one channel, the brightness, in place of three.

    Returns:
        [C, side, side] with C = 1 or 3.

    Raises:
        SpecError: when ``side`` is not between 1 and S.
    """
    check_whole("The side of the small picture", side, 1, x.shape[-1])
    small: Tensor = functional.interpolate(x, size=(side, side), mode="area")[0]
    if not grey:
        return small
    return (small * torch.tensor(_LUMA).view(3, 1, 1)).sum(dim=0, keepdim=True)


def first_filters(model: LoadedModel) -> tuple[Tensor, Tensor]:
    """The filters of the network's first convolution, as they act on pixels in [0, 1].

    The network subtracts a mean and divides by a deviation first. Both can be put into the filter: w (x - m) / s =
    (w / s) x - w m / s.

    Args:
        model: the network.

    Returns:
        Filters [K, 3, F, F] and biases [K].

    Raises:
        SpecError: when the network does not begin with a convolution over three colours.
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
