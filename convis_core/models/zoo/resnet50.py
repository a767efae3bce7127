"""ResNet-50: sixteen blocks of three convolutions, each added to its input."""

from convis_core.models.categories import imagenet_categories
from convis_core.models.spec import ModelSpec
from convis_core.models.zoo.network import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Network,
    published,
    residual_stages,
    torchvision_constructor,
)

SPEC = ModelSpec(
    id="resnet50",
    label="ResNet-50",
    year=2015,
    paper="He et al., Deep Residual Learning for Image Recognition, CVPR 2016",
    parameters=25_557_032,
    weights=published("resnet50-0676ba61.pth", 97.781),
    input_size=224,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    feature_layers=residual_stages((3, 4, 6, 3)),
    cam_layer="layer4.2",
    summary="The residual network most papers compare with: 1x1 convolutions narrow and widen around each 3x3.",
    categories=imagenet_categories(),
)

NETWORK = Network(SPEC, torchvision_constructor("resnet50"))
