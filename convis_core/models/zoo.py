"""Torchvision's architectures, built so that every activation is a layer that can be seen.

Two of them apply ReLU as a bare function, in place, where no tool can find it; they are given the layer instead.
The names of the weights stay the same, so that torchvision's checkpoints fit.
"""

import re
from collections.abc import Callable
from functools import partial

import torchvision.models as zoo
from torch import Tensor, nn
from torchvision.models.googlenet import GoogLeNet, Inception, InceptionAux

from convis_core.models.efficientnet_lite import EfficientNetLite0
from convis_core.models.spec import StateDict


class _GoogLeNetConv(nn.Module):
    """GoogLeNet's convolution, batch norm and ReLU, the last as a layer."""

    def __init__(self, in_channels: int, out_channels: int, **geometry: int | tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **geometry)  # type: ignore[arg-type]
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.relu(self.bn(self.conv(x)))
        return y


class _DenseNet(zoo.DenseNet):  # type: ignore[misc]
    """DenseNet whose last ReLU, pooling and flattening are layers."""

    def __init__(self) -> None:
        super().__init__(growth_rate=32, block_config=(6, 12, 24, 16), num_init_features=64)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.flatten(self.pool(self.relu(self.features(x)))))
        return logits


def _googlenet() -> nn.Module:
    # Its pretrained weights expect another normalisation (`transform_input`): the registry's mean and std hold it.
    return GoogLeNet(
        aux_logits=False,
        init_weights=False,
        blocks=[_GoogLeNetConv, partial(Inception, conv_block=_GoogLeNetConv), InceptionAux],
    )


ARCHITECTURES: dict[str, Callable[[], nn.Module]] = {
    "efficientnet_lite0": EfficientNetLite0,
    "vgg16": zoo.vgg16,
    "alexnet": zoo.alexnet,
    "resnet18": zoo.resnet18,
    "resnet50": zoo.resnet50,
    "googlenet": _googlenet,
    "squeezenet1_1": zoo.squeezenet1_1,
    "mobilenet_v2": zoo.mobilenet_v2,
    "densenet121": _DenseNet,
}


def build(model_id: str) -> nn.Module:
    """The bare architecture, on the current default device, in eval mode and with nothing in place."""
    network = ARCHITECTURES[model_id]().eval()
    out_of_place(network)
    return network


def out_of_place(network: nn.Module) -> None:
    """Let every activation of a network leave its input as it is."""
    for layer in network.modules():
        if hasattr(layer, "inplace"):
            layer.inplace = False  # type: ignore[assignment]


def adapt_state(model_id: str, state: StateDict, names: tuple[str, ...]) -> StateDict:
    """The checkpoint's tensors under the names that our modules give them.

    Args:
        model_id: id of the architecture.
        state: what the checkpoint holds.
        names: the names of the network's own state, in order.
    """
    if model_id == "efficientnet_lite0":
        # The same tensors in the same order under other names; a mismatch of shapes shows when they are loaded.
        return dict(zip(names, state.values(), strict=True))
    if model_id == "googlenet":
        return {name: value for name, value in state.items() if not name.startswith("aux")}
    if model_id == "densenet121":
        # Published when a layer could still be called "norm.1"; today it is "norm1".
        return {re.sub(r"\b(norm|conv|relu)\.([12])\b", r"\1\2", name): value for name, value in state.items()}
    return state
