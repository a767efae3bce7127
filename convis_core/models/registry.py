"""The networks that Convis offers, in the order in which they are listed; each has a file of its own in ``zoo``.

Sizes, parameter counts and addresses are those that torchvision publishes with its weights.
"""

from torch import nn

from convis_core.errors import SpecError
from convis_core.models.spec import ModelSpec, StateDict
from convis_core.models.zoo import (
    alexnet,
    densenet121,
    efficientnet_lite0,
    googlenet,
    mobilenet_v2,
    resnet18,
    resnet50,
    squeezenet1_1,
    vgg16,
)
from convis_core.models.zoo.network import Network

NETWORKS: tuple[Network, ...] = (
    efficientnet_lite0.NETWORK,
    vgg16.NETWORK,
    alexnet.NETWORK,
    resnet18.NETWORK,
    resnet50.NETWORK,
    googlenet.NETWORK,
    squeezenet1_1.NETWORK,
    mobilenet_v2.NETWORK,
    densenet121.NETWORK,
)

MODELS: tuple[ModelSpec, ...] = tuple(network.spec for network in NETWORKS)

_BY_ID = {network.spec.id: network for network in NETWORKS}


def get_spec(model_id: str) -> ModelSpec:
    """The registry's entry for a network.

    Args:
        model_id: an id of ``MODELS``.

    Raises:
        SpecError: when no network has this id.

    >>> get_spec("resnet18").label
    'ResNet-18'
    """
    return _network(model_id).spec


def build(model_id: str) -> nn.Module:
    """The bare architecture, on the current default device, in eval mode and without operations in place.

    Args:
        model_id: an id of ``MODELS``.

    Raises:
        SpecError: when no network has this id.
    """
    network = _network(model_id).construct().eval()
    out_of_place(network)
    return network


def adapt_state(model_id: str, state: StateDict, names: tuple[str, ...]) -> StateDict:
    """The checkpoint's tensors under the names that the architecture here gives them.

    Args:
        model_id: id of the architecture.
        state: the tensors of the checkpoint.
        names: the names of the network's own state, in order.

    Raises:
        SpecError: when no network has this id.
    """
    return _network(model_id).adapt(state, names)


def out_of_place(network: nn.Module) -> None:
    """Switch every activation of a network to out of place, so that it leaves its input unchanged.

    Args:
        network: is changed.

    >>> network = nn.Sequential(nn.ReLU(inplace=True))
    >>> out_of_place(network)
    >>> network[0].inplace
    False
    """
    for layer in network.modules():
        if hasattr(layer, "inplace"):
            layer.inplace = False  # type: ignore[assignment]


def _network(model_id: str) -> Network:
    if not isinstance(model_id, str) or model_id not in _BY_ID:
        raise SpecError(f"There is no network called {model_id!r}; choose one of {', '.join(_BY_ID)}.")
    return _BY_ID[model_id]
