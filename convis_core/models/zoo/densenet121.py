"""DenseNet-121: every layer reads the outputs of all layers before it in its block.

Torchvision applies the last ReLU, the pooling and the flattening as functions; here they are layers that can be shown.
The names of the weights are unchanged, so that torchvision's checkpoint fits.
"""

import re

from torch import Tensor, nn

from convis_core.models.categories import imagenet_categories
from convis_core.models.spec import ModelSpec, StateDict
from convis_core.models.zoo.network import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Network,
    published,
)


class DenseNet121(nn.Module):
    """Normalised pixels [N, 3, 224, 224] to logits [N, 1000]."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import DenseNet

        published_form = DenseNet(growth_rate=32, block_config=(6, 12, 24, 16), num_init_features=64)
        self.features = published_form.features
        self.classifier = published_form.classifier
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.flatten(self.pool(self.relu(self.features(x)))))
        return logits


def _adapt(state: StateDict, names: tuple[str, ...]) -> StateDict:  # noqa: ARG001 -- one adapter of several
    """The checkpoint dates from when a layer could be called "norm.1"; today it is "norm1"."""
    return {re.sub(r"\b(norm|conv|relu)\.([12])\b", r"\1\2", name): value for name, value in state.items()}


SPEC = ModelSpec(
    id="densenet121",
    label="DenseNet-121",
    year=2016,
    paper="Huang et al., Densely Connected Convolutional Networks, CVPR 2017",
    parameters=7_978_856,
    weights=published("densenet121-a639ec97.pth", 30.845),
    input_size=224,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    feature_layers=(
        "features.conv0",
        "features.norm0",
        "features.relu0",
        "features.pool0",
        "features.denseblock1",
        "features.transition1",
        "features.denseblock2",
        "features.transition2",
        "features.denseblock3",
        "features.transition3",
        "features.denseblock4",
        "features.norm5",
        "relu",
    ),
    cam_layer="relu",
    summary="Every layer sees the outputs of all layers before it in its block.",
    categories=imagenet_categories(),
)

NETWORK = Network(SPEC, DenseNet121, _adapt)
