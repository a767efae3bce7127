"""A network's entry in the registry, and the parts that several entries share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from convis_core.models.spec import ModelSpec, StateDict, Triple, WeightsSource

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)

_MEBIBYTE = 1024 * 1024


def as_published(state: StateDict, names: tuple[str, ...]) -> StateDict:  # noqa: ARG001 -- one adapter of several
    """The state of a checkpoint that already uses the names of our modules.

    Args:
        state: of the checkpoint.
        names: of the network's own state; not read.
    """
    return state


@dataclass(frozen=True, slots=True)
class Network:
    """An entry of the registry.

    Attributes:
        spec: what is published about the network.
        construct: builds the bare architecture, on torch's current default device.
        adapt: takes the state of a checkpoint and the names of the network's own state, in order, and returns the
            checkpoint's tensors under those names.
    """

    spec: ModelSpec
    construct: Callable[[], nn.Module]
    adapt: Callable[[StateDict, tuple[str, ...]], StateDict] = as_published


def published(file_name: str, mebibytes: float) -> WeightsSource:
    """A checkpoint published by torchvision, with its size in MiB and its digest in the file's name.

    Args:
        file_name: such as ``vgg16-397923af.pth``.
        mebibytes: its size.

    >>> published("vgg16-397923af.pth", 527.796).sha256
    '397923af'
    """
    digest = file_name.removesuffix(".pth").rsplit("-", 1)[1]
    url = f"https://download.pytorch.org/models/{file_name}"
    return WeightsSource(url, file_name, digest, round(mebibytes * _MEBIBYTE))


def torchvision_constructor(name: str) -> Callable[[], nn.Module]:
    """A constructor of torchvision's own architecture, which imports torchvision only when it is called.

    Importing it takes more than a second and 160 MB, which the embedded network does not need.

    Args:
        name: torchvision's name of the network.
    """
    return partial(_construct, name)


def numbered(prefix: str, count: int) -> tuple[str, ...]:
    """The names of the layers of a sequence, such as ``features.0`` and ``features.1``.

    Args:
        prefix: name of the sequence.
        count: number of its layers.

    >>> numbered("features", 2)
    ('features.0', 'features.1')
    """
    return tuple(f"{prefix}.{index}" for index in range(count))


def residual_stages(blocks: tuple[int, int, int, int]) -> tuple[str, ...]:
    """The layers worth showing of a residual network, from the number of blocks in each of its four stages.

    Args:
        blocks: number of blocks per stage.

    >>> residual_stages((2, 2, 2, 2))[3:6]
    ('maxpool', 'layer1.0', 'layer1.1')
    """
    stages = (name for stage, count in enumerate(blocks, start=1) for name in numbered(f"layer{stage}", count))
    return ("conv1", "bn1", "relu", "maxpool", *stages)


def _construct(name: str) -> nn.Module:
    from torchvision import models

    network: nn.Module = getattr(models, name)()
    return network
