"""MobileNetV2: inverted residual blocks."""

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
    id="mobilenet_v2",
    label="MobileNetV2",
    year=2018,
    paper="Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018",
    parameters=3_504_872,
    weights=published("mobilenet_v2-b0353104.pth", 13.555),
    input_size=224,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    feature_layers=numbered("features", 19),
    cam_layer="features.18",
    summary="The inverted residual block: wide inside, narrow between, one filter a channel.",
    categories=imagenet_categories(),
)

NETWORK = Network(SPEC, torchvision_constructor("mobilenet_v2"))
