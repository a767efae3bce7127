"""SqueezeNet 1.1: fire modules, which narrow the channels before each 3 x 3 convolution."""

from convis_core.models.categories import imagenet_categories
from convis_core.models.spec import ModelSpec
from convis_core.models.zoo.network import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Network,
    numbered,
    published,
    torchvision_constructor,
)

SPEC = ModelSpec(
    id="squeezenet1_1",
    label="SqueezeNet 1.1",
    year=2016,
    paper="Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, 2016",
    parameters=1_235_496,
    weights=published("squeezenet1_1-b8a52dc0.pth", 4.729),
    input_size=224,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    feature_layers=numbered("features", 13),
    cam_layer="features.12",
    summary="As good as AlexNet with a fiftieth of its weights, by squeezing channels before each 3x3.",
    categories=imagenet_categories(),
)

NETWORK = Network(SPEC, torchvision_constructor("squeezenet1_1"))
