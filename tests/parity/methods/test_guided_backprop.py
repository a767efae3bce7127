"""Guided backpropagation against Captum's."""

import copy

import torch
from captum.attr import GuidedBackprop
from torch import Tensor, nn

from convis_core import attribution, models
from convis_core.models import LoadedModel
from tests.parity.peers import Peer


class CappedReLU(nn.ReLU):
    """ReLU6 under a name that Captum guides: it looks for nn.ReLU and passes ReLU6 by."""

    def forward(self, input: Tensor) -> Tensor:
        return input.clamp(0, 6)


def with_capped_relus(model: LoadedModel) -> nn.Module:
    """A copy of the network that Captum guides everywhere."""
    module = copy.deepcopy(model.module)
    for name, layer in list(module.named_modules()):
        if isinstance(layer, nn.ReLU6):
            parent, _, child = name.rpartition(".")
            setattr(module.get_submodule(parent), child, CappedReLU())
    return module


def captum(model, x, target, _asked):
    return {"values": GuidedBackprop(with_capped_relus(model)).attribute(x, target=target)[0]}


PEER = Peer(captum)


def test_of_relu6_positive_gradients_pass_where_the_unit_is_free():
    own = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU6(), nn.Linear(8, 2))
    with torch.no_grad():
        own[1].weight.mul_(12)
    wrapped = models.wrap(own, input_size=2)
    x = torch.rand(1, 3, 2, 2)
    before = own[1](x.flatten(1))[0]
    arriving = own[3].weight[1] * ((before > 0) & (before < 6)) * (own[3].weight[1] > 0)
    expected = (arriving @ own[1].weight).view(3, 2, 2)
    assert torch.allclose(attribution.guided_backprop(wrapped, x, 1).values, expected, atol=1e-5)
