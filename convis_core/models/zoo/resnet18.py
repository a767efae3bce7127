"""ResNet-18: eight blocks of two convolutions, each added to its input."""

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
    id="resnet18",
    label="ResNet-18",
    year=2015,
    paper="He et al., Deep Residual Learning for Image Recognition, CVPR 2016",
    parameters=11_689_512,
    weights=published("resnet18-f37072fd.pth", 44.661),
    input_size=224,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    feature_layers=residual_stages((2, 2, 2, 2)),
    cam_layer="layer4.1",
    summary="Each block adds what it computed to what it was given, so that depth no longer hurts.",
    categories=imagenet_categories(),
)

NETWORK = Network(SPEC, torchvision_constructor("resnet18"))
