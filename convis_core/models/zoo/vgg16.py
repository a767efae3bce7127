"""VGG16: thirteen convolutions of 3 x 3 and five max poolings in a straight line."""

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
    id="vgg16",
    label="VGG16",
    year=2014,
    paper="Simonyan & Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015",
    parameters=138_357_544,
    weights=published("vgg16-397923af.pth", 527.796),
    input_size=224,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    feature_layers=numbered("features", 31),
    cam_layer="features.29",
    summary="Only 3x3 convolutions, ReLU and max pooling, in a straight line: the best one to learn from.",
    categories=imagenet_categories(),
)

NETWORK = Network(SPEC, torchvision_constructor("vgg16"))
