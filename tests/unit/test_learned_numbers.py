"""Every learned number of a network is counted once, whether a layer holds it or not."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from convis_core import architecture, models

SIDE = 16


class Attentive(nn.Module):
    """A class token, a position table and attention: parameters that forward reads without a layer of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.token = nn.Parameter(torch.rand(1, 1, 8))
        self.positions = nn.Parameter(torch.rand(1, 17, 8))
        self.register_buffer("scale", torch.tensor(0.5))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), tokens], dim=1) + self.positions * self.scale
        mixed, _ = self.attention(tokens, tokens, tokens)
        return self.head(mixed[:, 0])


class Standardised(nn.Module):
    """A convolution whose weights are standardised in forward."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(6, 3, 3, 3))
        self.bias = nn.Parameter(torch.rand(6))
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True)
        return self.head(functional.conv2d(x, weight, self.bias, padding=1).relu().mean(dim=(2, 3)))


def test_attention_tokens_and_position_tables_are_counted():
    network = Attentive().eval()
    rows = architecture.describe(models.wrap(network, input_size=SIDE))
    assert architecture.totals(rows).parameters == sum(parameter.numel() for parameter in network.parameters())


def test_so_are_weights_that_forward_works_on_first():
    network = Standardised()
    rows = architecture.describe(models.wrap(network, input_size=SIDE))
    assert architecture.totals(rows).parameters == 6 * 27 + 6 + 6 * 2 + 2
    (convolution,) = [row for row in rows if row.kind == "convolution"]
    assert (convolution.weights, convolution.biases, convolution.kernel) == (6 * 27, 6, (3, 3))
    assert convolution.macs == 6 * 27 * SIDE * SIDE
