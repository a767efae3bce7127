"""Grad-CAM++ against the formulas of its paper.

No other program serves as a peer: pytorch-grad-cam 1.5.7 adds 10^-6 to a denominator that is often smaller, and in
torchcam 0.5.0 the division acts on a copy and is lost. So torchcam lends its activations and gradients, the formula is
written out in double precision, and on a small network each derivative in it is computed as the paper defines it.
"""

import torch
from torch import Tensor, nn
from torchcam.methods import GradCAM

from convis_core import attribution, models
from tests.parity.peers import Peer, explained


def paper(model, x, target, asked):
    with GradCAM(model.module, explained(model, asked)) as extractor:
        extractor(target, model.module(x.requires_grad_()))
        maps, gradient = extractor.hook_a[0].double(), extractor.hook_g[0].double()
    total = maps.sum(dim=(2, 3), keepdim=True)
    alpha = gradient**2 / (2 * gradient**2 + total * gradient**3)  # equation 19
    alpha[gradient == 0] = 0
    weights = (alpha * gradient.clamp(min=0)).sum(dim=(2, 3), keepdim=True)  # equation 7
    coarse = (weights * maps).sum(dim=1, keepdim=True)
    enlarged = nn.functional.interpolate(coarse.clamp(min=0), size=tuple(x.shape[-2:]), mode="bilinear")  # equation 8
    return {"coarse": coarse[0, 0], "values": enlarged[0]}


PEER = Peer(paper, networks=("vgg16", "resnet18", "googlenet"))
"""Of EfficientNet-Lite0, the layers between the first and the last have negative values, for which it is not made."""


def by_definition(logit_of, maps: Tensor) -> Tensor:
    """Equation 10 with derivatives of Y = exp(logit) by each single value of the layer, one after another."""
    weights = torch.zeros(len(maps))
    for channel in range(len(maps)):
        for row in range(maps.shape[1]):
            for column in range(maps.shape[2]):
                value = maps[channel, row, column].clone().requires_grad_()
                changed = maps.clone()
                changed[channel, row, column] = value
                score = logit_of(changed).exp()
                (first,) = torch.autograd.grad(score, value, create_graph=True)
                (second,) = torch.autograd.grad(first, value, create_graph=True)
                (third,) = torch.autograd.grad(second, value)
                alpha = second / (2 * second + maps[channel].sum() * third) if second != 0 else 0.0
                weights[channel] += float(alpha * first.clamp(min=0))
    return (weights.view(-1, 1, 1) * maps).sum(dim=0)


def test_the_map_is_the_papers_up_to_the_factor_of_its_exponential():
    torch.manual_seed(1)
    net = nn.Sequential(
        nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 9, 2)
    )
    model, x = models.wrap(net, input_size=5), torch.rand(1, 3, 5, 5)
    maps = net[1](net[0](x))[0].detach()

    def logit_of(changed: Tensor) -> Tensor:
        return net[2:](changed[None])[0, 1]

    found = attribution.final(model, x, 1, "grad_cam_plus_plus", layer="1").coarse
    expected = by_definition(logit_of, maps)
    assert float(expected.max()) > 0
    assert torch.allclose(found * float(logit_of(maps).exp()), expected, rtol=1e-4, atol=1e-7)
