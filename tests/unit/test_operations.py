"""The table of operations: one ReLU under many names, and rows and columns followed wherever they go."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from convis_core import attribution, models, network
from convis_core.attribution.methods.guided_backprop import unguided_layers
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network import receptive
from convis_core.network.operations import Gate, Region

SIDE = 24


class Between(nn.Module):
    """Two convolutions and something between them, a classifier behind."""

    def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.between = between
        self.second = nn.Conv2d(8, 4, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.pool(self.second(self.between(self.first(x)))), 1))


def wrap(between: Callable[[Tensor], Tensor]) -> LoadedModel:
    torch.manual_seed(4)
    return models.wrap(Between(between), input_size=SIDE)


RELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU in place": nn.ReLU(inplace=True),
    "functional.relu": functional.relu,
    "functional.relu in place": lambda x: functional.relu(x, True),
    "torch.relu": torch.relu,
    "method": lambda x: x.relu(),
    "method in place": lambda x: x.relu_(),
    "clamp": lambda x: x.clamp(min=0),
    "torch.clamp": lambda x: torch.clamp(x, 0),
    "clamp_min": lambda x: x.clamp_min(0),
    "nn.Threshold": nn.Threshold(0, 0),
    "functional.threshold": lambda x: functional.threshold(x, 0, 0),
}
CAPPED: dict[str, Callable[[Tensor], Tensor]] = {
    "nn.ReLU6": nn.ReLU6(),
    "functional.relu6": functional.relu6,
    "nn.Hardtanh": nn.Hardtanh(0, 6),
    "functional.hardtanh": lambda x: functional.hardtanh(x, 0.0, 6.0),
    "clamp": lambda x: x.clamp(0, 6),
}


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", RELUS)
def test_a_relu_of_any_name_has_the_guided_gradient_of_nn_relu(name, x):
    expected = attribution.guided_backprop(wrap(nn.ReLU()), x, 2).values
    assert torch.equal(attribution.guided_backprop(wrap(RELUS[name]), x, 2).values, expected)
    plain = attribution.saliency(wrap(RELUS[name]), x, 2).values
    assert not torch.allclose(expected, plain, atol=1e-3 * float(plain.abs().max())), "the rule changes something here"


@pytest.mark.parametrize("name", CAPPED)
def test_so_has_a_relu6(name, x):
    expected = attribution.guided_backprop(wrap(nn.ReLU6()), x, 2).values
    assert torch.equal(attribution.guided_backprop(wrap(CAPPED[name]), x, 2).values, expected)


@pytest.mark.parametrize("between", [nn.SiLU(), nn.GELU(), nn.LeakyReLU(), nn.ELU(), nn.Hardswish(), nn.Mish()])
def test_without_any_relu_guided_backprop_is_refused(between, x):
    with pytest.raises(SpecError, match="this network has none"):
        attribution.guided_backprop(wrap(between), x, 2)


def test_what_is_left_plain_is_named(x):
    model = wrap(nn.Sequential(nn.ReLU(), nn.Conv2d(8, 8, 1), nn.SiLU()))
    assert attribution.guided_backprop(model, x, 2).method == "guided backprop, plain through between.2"
    assert unguided_layers(model) == ("between.2",)


@pytest.mark.parametrize(
    ("between", "gate"),
    [
        (nn.ReLU(), Gate(0.0, math.inf)),
        (lambda x: x.clamp(min=0, max=3), Gate(0.0, 3.0)),
        (lambda x: x.clamp(min=-1), None),
        (lambda x: x.clamp(max=0), None),
        (nn.Hardtanh(-1, 1), None),
        (lambda x: functional.threshold(x, 0.5, 0), None),
        (nn.LeakyReLU(), None),
        (nn.SiLU(), None),
        (nn.GELU(), None),
    ],
)
def test_only_what_is_zero_below_zero_is_a_gate(between, gate):
    traced = network.trace(wrap(between))
    (between,) = traced.node("first").users
    assert traced.operations[between].gate == gate


class LayerNormOverChannels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ChannelsLastLinear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.widen = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return functional.gelu(self.widen(x.permute((0, 2, 3, 1)))).transpose(3, 2).transpose(2, 1)


def channel_shuffle(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def channel_split(x: Tensor) -> Tensor:
    one, other = x.chunk(2, dim=1)
    return torch.cat([other, one * 2], dim=1)


REARRANGED: dict[str, Callable[[Tensor], Tensor]] = {
    "layer norm over channels": LayerNormOverChannels(),
    "a linear layer on channels": ChannelsLastLinear(),
    "channel shuffle": channel_shuffle,
    "channel split": channel_split,
}
MIXED: dict[str, Callable[[Tensor], Tensor]] = {
    "group norm": nn.GroupNorm(2, 8),
    "layer norm over everything": nn.LayerNorm([8, SIDE, SIDE]),
    "rows and columns exchanged": lambda x: x.transpose(2, 3),
    "rows split off": lambda x: torch.cat(x.chunk(2, dim=2)[::-1], dim=2),
    "rolled": lambda x: torch.roll(x, 3, 2),
    "batch norm of the batch": nn.BatchNorm2d(8, track_running_stats=False),
}


def support(model: LoadedModel, x: Tensor, row: int, column: int) -> tuple[int, int, int, int]:
    """The smallest box of pixels to which the cell's gradient does not vanish."""
    leaf = x.clone().requires_grad_(True)
    _, outputs = network.forward(network.trace(model), leaf, layers=["second"])
    (gradient,) = torch.autograd.grad(outputs["second"][0, :, row, column].square().sum(), leaf)
    rows, columns = torch.nonzero(gradient[0].abs().sum(dim=0), as_tuple=True)
    return int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1


@pytest.mark.parametrize("name", REARRANGED)
@pytest.mark.parametrize(("row", "column"), [(0, 0), (9, 14), (SIDE - 1, 5)])
def test_what_only_rearranges_keeps_the_receptive_field(name, row, column, x):
    model = wrap(REARRANGED[name])
    field = receptive.field(model, "second")
    assert (field.size, field.jump, field.start) == ((5, 5), (1, 1), (-2, -2))
    assert tuple(receptive.box(model, "second", row, column)) == support(model, x, row, column)


@pytest.mark.parametrize("name", MIXED)
def test_what_mixes_cells_or_is_not_known_never_makes_a_field_too_small(name, x):
    model = wrap(MIXED[name])
    top, left, bottom, right = support(model, x, 9, 14)
    box = receptive.box(model, "second", 9, 14)
    assert box.top <= top and box.left <= left and box.bottom >= bottom and box.right >= right


def test_an_unknown_operation_may_depend_on_anything():
    traced = network.trace(wrap(lambda x: torch.roll(x, 1, 2)))
    (roll,) = [node for node in traced.module.graph.nodes if node.target is torch.roll]
    assert (traced.operations[roll].region, traced.operations[roll].kind) == (Region.ALL, "roll")
