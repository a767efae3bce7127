"""Layer-CAM against torchcam's, and on a network where its map is known."""

import torch
from torch import nn
from torchcam.methods import LayerCAM

from convis_core import attribution, models
from tests.parity.peers import Peer, explained


def torchcam(model, x, target, asked):
    with LayerCAM(model.module, explained(model, asked)) as extractor:
        scores = model.module(x.requires_grad_())
        (positive,) = extractor(target, scores, normalized=False)
    enlarged = nn.functional.interpolate(positive[None], size=tuple(x.shape[-2:]), mode="bilinear")
    return {"values": enlarged[0]}


PEER = Peer(torchcam)


def test_each_position_has_its_own_weight():
    """logit = sum of v * A, so that v is the gradient, and the map the sum of ReLU(v) * A."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 8 * 8, 2))
    model, x = models.wrap(net, input_size=8), torch.rand(1, 3, 8, 8)
    activations, weights = net[1](net[0](x))[0], net[3].weight[1].view(4, 8, 8)
    found = attribution.attribute(model, x, 1, "layer_cam", layer="1")
    expected = (weights.clamp(min=0) * activations).sum(dim=0)
    assert torch.allclose(next(found).coarse, expected, atol=1e-6)
