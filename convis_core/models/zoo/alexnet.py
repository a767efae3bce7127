"""AlexNet in its single-column form."""

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
    id="alexnet",
    label="AlexNet",
    year=2012,
    paper="Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014",
    parameters=61_100_840,
    weights=published("alexnet-owt-7be5be79.pth", 233.087),
    input_size=224,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    feature_layers=numbered("features", 13),
    cam_layer="features.11",
    summary="The network that began it in 2012 (here its single-column form), with large 11x11 first filters.",
    categories=imagenet_categories(),
)

NETWORK = Network(SPEC, torchvision_constructor("alexnet"))
