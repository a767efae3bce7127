"""What a peer is: another program that answers the same question, and how near the two answers must be."""

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module

from torch import Tensor, nn

from convis_core import attribution
from convis_core.attribution import Method, MethodInfo
from convis_core.models import LoadedModel

TARGET = 282
NETWORKS = ("efficientnet_lite0", "vgg16", "resnet18", "googlenet")

Answer = Callable[[LoadedModel, Tensor, int, Method], Mapping[str, Tensor]]
"""Network, picture, class, method with its settings -> what each named field of the attribution must be."""


@dataclass(frozen=True)
class Peer:
    """How a method is compared with another program.

    Attributes:
        answer: the other program.
        asks: the settings to compare with, for a network; the method's defaults where None. Of a method that takes a
            layer, the last one and one in the middle.
        exact: compare in double precision, because the two programs round differently on their way.
        sides: of the pictures, in pixels.
        networks: which can be compared.
        within: the largest difference that is allowed, as a share of the largest value.
    """

    answer: Answer
    asks: Callable[[LoadedModel], Sequence[object]] | None = None
    exact: bool = False
    sides: tuple[int, ...] = (96, 224)
    networks: tuple[str, ...] = NETWORKS
    within: float = 1e-5


def peer_of(info: MethodInfo) -> Peer:
    """The peer of a method, from the file ``tests/parity/methods/test_ID.py``."""
    return import_module(f"tests.parity.methods.test_{info.id}").PEER


def questions(info: MethodInfo, peer: Peer, model: LoadedModel) -> list[Method]:
    """A method with each of the settings that are compared."""
    asked = partial(attribution.method_with, info.id)
    if info.takes_layer:
        shown = model.spec.feature_layers
        return [asked(), asked(layer=shown[len(shown) // 2])]
    return [asked()] if peer.asks is None else [asked(spec=spec) for spec in peer.asks(model)]


def largest(parts: Mapping[str, Tensor]) -> float:
    """The largest magnitude of an answer; one that is zero everywhere would equal anything."""
    scale = max(float(part.detach().abs().max()) for part in parts.values())
    assert scale > 0, "a map of zeros equals anything"
    return scale


def distance(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference as a share of the largest value."""
    return float((ours.double() - theirs.detach().double()).abs().max()) / largest({"theirs": theirs})


def explained(model: LoadedModel, asked: Method) -> nn.Module:
    """The layer of the network that a method is asked to explain."""
    return model.module.get_submodule(asked.layer or model.spec.cam_layer)


def in_double_precision(model: LoadedModel) -> LoadedModel:
    """The network with the same weights in double precision."""
    return dataclasses.replace(model, module=copy.deepcopy(model.module).double(), key=f"{model.key}:double")
