"""The first layer of every network: from pixels in [0, 1] to the range that the network was trained on."""

import torch
from torch import Tensor, nn

from convis_core.models.spec import Triple


class Normalise(nn.Module):
    """Normalisation as a layer: (pixels - mean) / std, channel by channel.

    As part of the network it lets fill colours, noise levels, clamping and gradients share one space, the picture's.
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
    """A network that normalises its own input, with its layers under their original names.

    The network's children become children of this module too, and its forward runs unchanged. So
    ``get_submodule("features.28")`` returns the same layer as in the network alone. The normalisation is called
    ``normalise``, with trailing underscores if the network itself uses that name.
    """

    def __init__(self, network: nn.Module, mean: Triple, std: Triple) -> None:
        super().__init__()
        name = "normalise"
        while hasattr(network, name):
            name += "_"
        # Bypasses nn.Module.__setattr__: a registered child would add a prefix to every name. No module can have a
        # name with a dot, so these two cannot hide one.
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
        # The method rather than the call, so that torch.fx attributes the network's layers to this module.
        logits: Tensor = network.forward(normalise(pixels))
        return logits
