"""EfficientNet-Lite0: the small network that pip installs with Convis.

M. Tan and Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019; the
Lite variants (no squeeze-and-excitation, ReLU6 instead of swish) are the TensorFlow team's, 2020.
"""

from collections import OrderedDict
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn

from convis_core.models.categories import imagenet_categories
from convis_core.models.spec import ModelSpec, StateDict, WeightsSource
from convis_core.models.zoo.network import Network, numbered

BATCH_NORM_EPS = 1e-3


class Stage(NamedTuple):
    """Consecutive blocks of one width; only the first changes stride and channels."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    repeats: int


STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)


def _convolution(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> OrderedDict[str, nn.Module]:
    """Convolution and batch norm with TensorFlow's "same" padding, which is asymmetric at stride 2."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    padding = (kernel - 1) // 2
    if stride == 2:
        before = (kernel - 2) // 2
        after = kernel - 2 - before
        layers["pad"] = nn.ZeroPad2d((before, after, before, after))
        padding = 0
    layers["conv"] = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
    layers["norm"] = nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPS)
    return layers


def _activated(layers: OrderedDict[str, nn.Module]) -> nn.Sequential:
    layers["relu"] = nn.ReLU6()
    return nn.Sequential(layers)


class InvertedResidual(nn.Module):
    """MobileNet's block: expand with 1x1, filter each channel with k x k, project with 1x1, add the input."""

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        hidden = inputs * stage.expansion
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if stage.expansion != 1:
            layers["expand"] = _activated(_convolution(inputs, hidden, 1))
        layers["depthwise"] = _activated(_convolution(hidden, hidden, stage.kernel, stride=stride, groups=hidden))
        layers["project"] = nn.Sequential(_convolution(hidden, stage.channels, 1))
        self.branch = nn.Sequential(layers)
        self.adds_input = stride == 1 and inputs == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.branch(x)
        return x + y if self.adds_input else y


class EfficientNetLite0(nn.Module):
    """Normalised pixels [N, 3, 224, 224] to logits [N, 1000]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _activated(_convolution(3, STEM_CHANNELS, 3, stride=2))
        blocks: list[nn.Module] = []
        widths = (STEM_CHANNELS, *(stage.channels for stage in STAGES))
        for (inputs, _), stage in zip(pairwise(widths), STAGES, strict=True):
            blocks.append(InvertedResidual(inputs, stage, stage.stride))
            blocks.extend(InvertedResidual(stage.channels, stage, 1) for _ in range(stage.repeats - 1))
        self.blocks = nn.Sequential(*blocks)
        self.head = _activated(_convolution(STAGES[-1].channels, HEAD_CHANNELS, 1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(HEAD_CHANNELS, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(self.blocks(self.stem(x)))
        logits: Tensor = self.classifier(self.dropout(self.flatten(self.pool(x))))
        return logits


def _adapt(state: StateDict, names: tuple[str, ...]) -> StateDict:
    """The same tensors in the same order under other names; mismatched shapes are detected when they are loaded."""
    return dict(zip(names, state.values(), strict=True))


SPEC = ModelSpec(
    id="efficientnet_lite0",
    label="EfficientNet-Lite0",
    year=2020,
    paper="Tan & Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, ICML 2019",
    parameters=4_652_008,
    weights=WeightsSource(
        url="",
        file_name="efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        size_bytes=18_826_032,
    ),
    input_size=224,
    mean=(127 / 255, 127 / 255, 127 / 255),
    std=(128 / 255, 128 / 255, 128 / 255),
    feature_layers=("stem", *numbered("blocks", 16), "head"),
    cam_layer="head",
    summary="Small and fast, made for telephones: depthwise convolutions in inverted residual blocks.",
    categories=imagenet_categories(),
)

NETWORK = Network(SPEC, EfficientNetLite0, _adapt)
