"""The first layer of every network: from pixels in [0, 1] to what the network was trained on."""

import torch
from torch import Tensor, nn

from convis_core.models.spec import Triple


class Normalise(nn.Module):
    """(pixels - mean) / std, channel by channel.

    Being a layer, it puts fill colours, noise levels, clamping and gradients into one space: the picture's.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Triple, std: Triple) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        return (pixels - self.mean) / self.std


class FromPixels(nn.Module):
    """A network that normalises its own input, with its layers under the names they already had.

    The network's children become children of this module too, and its forward runs as it is. So
    ``get_submodule("features.28")`` finds the same layer, with the same name, as in the network alone. The
    normalisation is called ``normalise``, with underscores behind where the network has such a name itself.
    """

    def __init__(self, network: nn.Module, mean: Triple, std: Triple) -> None:
        super().__init__()
        name = "normalise"
        while hasattr(network, name):
            name += "_"
        # Past nn.Module.__setattr__: as a registered child it would put a prefix before every name. No module can
        # have a name with a dot, so these two hide none.
        self.__dict__["wrapped.network"] = network
        self.__dict__["wrapped.entrance"] = name
        self.add_module(name, Normalise(mean, std))
        for name, child in network.named_children():
            self.add_module(name, child)
        for name, parameter in network.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name, buffer in network.named_buffers(recurse=False):
            self.register_buffer(name, buffer)

    def forward(self, pixels: Tensor) -> Tensor:
        network: nn.Module = self.__dict__["wrapped.network"]
        normalise = self.get_submodule(self.__dict__["wrapped.entrance"])
        # The method rather than the call, so that torch.fx sees the network's layers as ours.
        logits: Tensor = network.forward(normalise(pixels))
        return logits
