"""HiResCAM against Captum's product of gradient and activation, and the sum that its paper promises."""

import pytest
import torch
from captum.attr import LayerAttribution, LayerGradientXActivation
from torch import nn

from convis_core import attribution, models, network
from tests.parity.peers import Peer, explained


def captum(model, x, target, asked):
    products = LayerGradientXActivation(model.module, explained(model, asked)).attribute(x, target=target)
    coarse = products.detach().sum(dim=1, keepdim=True)
    enlarged = LayerAttribution.interpolate(coarse.relu(), tuple(x.shape[-2:]), "bilinear")
    return {"coarse": coarse[0, 0], "values": enlarged[0]}


PEER = Peer(captum)


@pytest.mark.parametrize("target", [0, 1])
def test_before_a_linear_end_the_map_adds_up_to_the_logit_less_its_bias(target):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 8 * 8, 2))
    model, x = models.wrap(net, input_size=8), torch.rand(1, 3, 8, 8)
    found = attribution.final(model, x, target, "hires_cam", layer="1")
    logit, bias = float(network.predict(model, x).logits[target]), float(net[3].bias[target])
    assert float(found.coarse.sum()) == pytest.approx(logit - bias, abs=1e-5)
    assert bool((found.coarse < 0).any()) and bool((found.values >= 0).all())
