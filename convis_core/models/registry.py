"""The networks that Convis knows, each with the layers worth showing.

Sizes, parameter counts and addresses are those that torchvision publishes with its weights.
"""

from convis_core.errors import SpecError
from convis_core.models.spec import ModelSpec, Triple, WeightsSource

_MEBIBYTE = 1024 * 1024
_IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
_IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
_HALF: Triple = (0.5, 0.5, 0.5)


def _torchvision(file_name: str, mebibytes: float) -> WeightsSource:
    digest = file_name.removesuffix(".pth").rsplit("-", 1)[1]
    url = f"https://download.pytorch.org/models/{file_name}"
    return WeightsSource(url, file_name, digest, round(mebibytes * _MEBIBYTE))


def _numbered(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix}.{index}" for index in range(count))


def _residual_stages(blocks: tuple[int, int, int, int]) -> tuple[str, ...]:
    stages = (name for stage, count in enumerate(blocks, start=1) for name in _numbered(f"layer{stage}", count))
    return ("conv1", "bn1", "relu", "maxpool", *stages)


MODELS: tuple[ModelSpec, ...] = (
    ModelSpec(
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
        feature_layers=("stem", *_numbered("blocks", 16), "head"),
        cam_layer="head",
        summary="Small and fast, made for telephones: depthwise convolutions in inverted residual blocks.",
    ),
    ModelSpec(
        id="vgg16",
        label="VGG16",
        year=2014,
        paper="Simonyan & Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015",
        parameters=138_357_544,
        weights=_torchvision("vgg16-397923af.pth", 527.796),
        input_size=224,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
        feature_layers=_numbered("features", 31),
        cam_layer="features.29",
        summary="Only 3x3 convolutions, ReLU and max pooling, in a straight line: the best one to learn from.",
    ),
    ModelSpec(
        id="alexnet",
        label="AlexNet",
        year=2012,
        paper="Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014",
        parameters=61_100_840,
        weights=_torchvision("alexnet-owt-7be5be79.pth", 233.087),
        input_size=224,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
        feature_layers=_numbered("features", 13),
        cam_layer="features.11",
        summary="The network that began it in 2012 (here its single-column form), with large 11x11 first filters.",
    ),
    ModelSpec(
        id="resnet18",
        label="ResNet-18",
        year=2015,
        paper="He et al., Deep Residual Learning for Image Recognition, CVPR 2016",
        parameters=11_689_512,
        weights=_torchvision("resnet18-f37072fd.pth", 44.661),
        input_size=224,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
        feature_layers=_residual_stages((2, 2, 2, 2)),
        cam_layer="layer4.1",
        summary="Each block adds what it computed to what it was given, so that depth no longer hurts.",
    ),
    ModelSpec(
        id="resnet50",
        label="ResNet-50",
        year=2015,
        paper="He et al., Deep Residual Learning for Image Recognition, CVPR 2016",
        parameters=25_557_032,
        weights=_torchvision("resnet50-0676ba61.pth", 97.781),
        input_size=224,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
        feature_layers=_residual_stages((3, 4, 6, 3)),
        cam_layer="layer4.2",
        summary="The residual network most papers compare with: 1x1 convolutions narrow and widen around each 3x3.",
    ),
    ModelSpec(
        id="googlenet",
        label="GoogLeNet",
        year=2014,
        paper="Szegedy et al., Going Deeper with Convolutions, CVPR 2015",
        parameters=6_624_904,
        weights=_torchvision("googlenet-1378be20.pth", 49.731),
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
    ),
    ModelSpec(
        id="squeezenet1_1",
        label="SqueezeNet 1.1",
        year=2016,
        paper="Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, 2016",
        parameters=1_235_496,
        weights=_torchvision("squeezenet1_1-b8a52dc0.pth", 4.729),
        input_size=224,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
        feature_layers=_numbered("features", 13),
        cam_layer="features.12",
        summary="As good as AlexNet with a fiftieth of its weights, by squeezing channels before each 3x3.",
    ),
    ModelSpec(
        id="mobilenet_v2",
        label="MobileNetV2",
        year=2018,
        paper="Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018",
        parameters=3_504_872,
        weights=_torchvision("mobilenet_v2-b0353104.pth", 13.555),
        input_size=224,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
        feature_layers=_numbered("features", 19),
        cam_layer="features.18",
        summary="The inverted residual block: wide inside, narrow between, one filter a channel.",
    ),
    ModelSpec(
        id="densenet121",
        label="DenseNet-121",
        year=2016,
        paper="Huang et al., Densely Connected Convolutional Networks, CVPR 2017",
        parameters=7_978_856,
        weights=_torchvision("densenet121-a639ec97.pth", 30.845),
        input_size=224,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
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
    ),
)

_BY_ID = {spec.id: spec for spec in MODELS}


def get_spec(model_id: str) -> ModelSpec:
    """The registry's entry for a network.

    Raises:
        SpecError: when no network has this id.
    """
    if model_id not in _BY_ID:
        raise SpecError(f"There is no network called {model_id!r}; choose one of {', '.join(_BY_ID)}.")
    return _BY_ID[model_id]
