"""What one network brings to the registry, and the pieces that several of them share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from convis_core.models.spec import ModelSpec, StateDict, Triple, WeightsSource

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)

_MEBIBYTE = 1024 * 1024


def as_published(state: StateDict, names: tuple[str, ...]) -> StateDict:  # noqa: ARG001 -- one adapter of several
    """The state of a checkpoint whose names are already ours."""
    return state


@dataclass(frozen=True, slots=True)
class Network:
    """An entry of the registry.

    Attributes:
        spec: what is published of the network.
        construct: makes the bare architecture, on torch's current default device.
        adapt: takes the state that a checkpoint holds and the names of the network's own state, in order, and gives
            the checkpoint's tensors those names.
    """

    spec: ModelSpec
    construct: Callable[[], nn.Module]
    adapt: Callable[[StateDict, tuple[str, ...]], StateDict] = as_published


def published(file_name: str, mebibytes: float) -> WeightsSource:
    """A checkpoint of torchvision's, of which the size is published in MiB and the digest in the file's name."""
    digest = file_name.removesuffix(".pth").rsplit("-", 1)[1]
    url = f"https://download.pytorch.org/models/{file_name}"
    return WeightsSource(url, file_name, digest, round(mebibytes * _MEBIBYTE))


def torchvision_constructor(name: str) -> Callable[[], nn.Module]:
    """Torchvision's own architecture; torchvision is imported when the network is built and not before.

    Importing it takes more than a second and 160 MB, which the embedded network does not need.
    """
    return partial(_construct, name)


def numbered(prefix: str, count: int) -> tuple[str, ...]:
    """The names of the layers of a sequence: ``features.0``, ``features.1``, ..."""
    return tuple(f"{prefix}.{index}" for index in range(count))


def residual_stages(blocks: tuple[int, int, int, int]) -> tuple[str, ...]:
    """The layers worth showing of a residual network, from the number of blocks in each of its four stages."""
    stages = (name for stage, count in enumerate(blocks, start=1) for name in numbered(f"layer{stage}", count))
    return ("conv1", "bn1", "relu", "maxpool", *stages)


def _construct(name: str) -> nn.Module:
    from torchvision import models

    network: nn.Module = getattr(models, name)()
    return network
