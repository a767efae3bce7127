"""GoogLeNet: filters of several sizes side by side.

Torchvision applies its ReLU as a function, in place, which cannot be addressed by name; here it is a layer. The names
of the weights are unchanged, so that torchvision's checkpoint fits.
"""

from functools import partial

from torch import Tensor, nn

from convis_core.models.categories import imagenet_categories
from convis_core.models.spec import ModelSpec, StateDict, Triple
from convis_core.models.zoo.network import (
    Network,
    published,
)


class _Convolution(nn.Module):
    """GoogLeNet's convolution, batch norm and ReLU, the last as a layer."""

    def __init__(self, in_channels: int, out_channels: int, **geometry: int | tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **geometry)  # type: ignore[arg-type]
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.relu(self.bn(self.conv(x)))
        return y


def _construct() -> nn.Module:
    from torchvision.models.googlenet import GoogLeNet, Inception, InceptionAux

    # Its pretrained weights expect another normalisation (`transform_input`), which the mean and std below include.
    network: nn.Module = GoogLeNet(
        aux_logits=False,
        init_weights=False,
        blocks=[_Convolution, partial(Inception, conv_block=_Convolution), InceptionAux],
    )
    return network


def _adapt(state: StateDict, names: tuple[str, ...]) -> StateDict:  # noqa: ARG001 -- one adapter of several
    """Omit the two auxiliary classifiers, which are used in training only."""
    return {name: value for name, value in state.items() if not name.startswith("aux")}


_HALF: Triple = (0.5, 0.5, 0.5)

SPEC = ModelSpec(
    id="googlenet",
    label="GoogLeNet",
    year=2014,
    paper="Szegedy et al., Going Deeper with Convolutions, CVPR 2015",
    parameters=6_624_904,
    weights=published("googlenet-1378be20.pth", 49.731),
    input_size=224,
    mean=_HALF,
    std=_HALF,
    feature_layers=(
        "conv1",
        "maxpool1",
        "conv2",
        "conv3",
        "maxpool2",
        "inception3a",
        "inception3b",
        "maxpool3",
        *(f"inception4{letter}" for letter in "abcde"),
        "maxpool4",
        "inception5a",
        "inception5b",
    ),
    cam_layer="inception5b",
    summary="Looks with several filter sizes at once, their outputs side by side; Deep Dream was made with it.",
    categories=imagenet_categories(),
)

NETWORK = Network(SPEC, _construct, _adapt)
