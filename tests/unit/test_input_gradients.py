"""The leaner network gives the same logits and gradients as the network itself."""

import copy
import dataclasses
from math import inf

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from convis_core import models
from convis_core.attribution.chunks import logit_gradients
from convis_core.engines.input_gradients import gradient_network, in_two_parts
from convis_core.engines.input_gradients.blocks import FUSES, Block, Pool, fused, in_steps, padding_inside
from convis_core.models import LoadedModel
from convis_core.network.operations import Gate


class Odd(nn.Module):
    """All that the rewriting must see: what it may take over, and what it must leave alone."""

    def __init__(self) -> None:
        super().__init__()
        self.pad = nn.ZeroPad2d((0, 1, 2, 1))
        self.stem = nn.Conv2d(3, 9, 3, stride=2, groups=3)
        self.relu6 = nn.ReLU6()
        self.twice = nn.Conv2d(9, 9, 1, bias=False)  # used behind a ReLU and without one
        self.relu = nn.ReLU()
        self.grouped = nn.Conv2d(9, 9, 3, padding=2, dilation=2, groups=3)
        self.reflecting = nn.Conv2d(9, 9, 3, padding=1, padding_mode="reflect")
        self.same = nn.Conv2d(9, 9, 3, padding="same")
        self.negative = nn.ZeroPad2d(-1)
        self.cropped = nn.Conv2d(9, 6, 2)
        self.strided = nn.Conv2d(6, 6, 1, stride=2)
        self.norm = nn.BatchNorm2d(6)
        self.drop = nn.Dropout()
        self.pool = nn.MaxPool2d(2)  # used behind an activation that nobody else reads, and behind one that is read
        self.last = nn.Conv2d(6, 6, 1)
        self.fc = nn.Linear(18, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu6(8 * self.stem(self.pad(x)))
        y = self.relu(self.twice(x))
        shared = self.twice(y)  # read by two: neither its activation nor its gradient is anybody's own
        x = self.relu(shared) + shared + self.grouped(y)
        x = self.relu(self.reflecting(x)) + functional.relu(self.same(x))
        x = self.relu6(self.cropped(self.negative(x)))
        branches = self.pool(x), self.relu(self.norm(self.strided(x))), self.pool(self.relu(self.last(x)))
        return self.fc(self.drop(torch.cat([maps.mean(dim=(2, 3)) for maps in branches], dim=1)))


def in_double_precision(model: LoadedModel) -> LoadedModel:
    return dataclasses.replace(model, module=copy.deepcopy(model.module).double())


def agree(model: LoadedModel, pictures: Tensor, target: int) -> None:
    leaf = pictures.clone().requires_grad_()
    logits = model.module(leaf)[:, target]
    (expected,) = torch.autograd.grad(logits.sum(), leaf)
    found, scores = logit_gradients(model, pictures, target)
    scale = float(expected.abs().max())
    assert scale > 0
    assert float((found - expected).abs().max()) <= 1e-11 * scale
    assert torch.allclose(scores, logits.detach(), rtol=1e-11)


@pytest.mark.parametrize("count", [1, 3])
def test_of_a_network_with_every_oddity(count):
    torch.manual_seed(0)
    model = models.wrap(Odd(), input_size=24)
    with torch.no_grad():
        model.module.norm.running_mean.uniform_(-0.2, 0.2)
        model.module.norm.running_var.uniform_(0.5, 2)
    exact = in_double_precision(model)
    agree(exact, torch.rand(count, 3, 24, 24, dtype=torch.float64), 2)
    kinds = [type(layer).__name__ for layer in gradient_network(exact).children()]
    assert kinds.count("Block") == 7, "stem, twice (in two places), grouped, cropped, strided, last"
    assert [layer.gate for layer in gradient_network(exact).children() if isinstance(layer, Pool)] in (
        [None, Gate(0.0, inf)],
        [Gate(0.0, inf), None],
    )
    assert kinds.count("Conv2d") == 2, "the reflecting one and the one with its padding in words"
    assert kinds.count("ZeroPad2d") == 1, "the negative one; the other went into the kernel behind it"


@pytest.mark.skipif(not FUSES, reason="this build of PyTorch has no fused convolutions")
def test_fused_and_stepwise_convolutions_agree(lite0):
    """The fused operations know single precision only, where the tests above cannot follow."""
    blocks = [block for block in gradient_network(lite0).children() if isinstance(block, Block)]
    generator = torch.Generator().manual_seed(5)
    for block in (*blocks[:4], *blocks[-2:]):
        inputs = block.weight.shape[1] * block.groups
        x = torch.randn(2, inputs, 14, 14, generator=generator).contiguous(memory_format=torch.channels_last)
        steps = in_steps(x, block)
        assert torch.allclose(fused(x, block), steps, rtol=1e-4, atol=1e-5 * float(steps.abs().max()))
    assert {block.gate for block in blocks} == {None, Gate(0.0, 6.0)}
    simple = models.wrap(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)), input_size=8)
    rectified = next(block for block in gradient_network(simple).children() if isinstance(block, Block))
    x = torch.randn(2, 3, 8, 8, generator=generator).contiguous(memory_format=torch.channels_last)
    assert torch.allclose(fused(x, rectified), in_steps(x, rectified), atol=1e-5)


@pytest.mark.parametrize("model_id", [spec.id for spec in models.MODELS])
def test_of_every_network_of_the_registry(model_id):
    model = dataclasses.replace(in_double_precision(models.load(model_id, weights="random")), input_size=64)
    generator = torch.Generator().manual_seed(4)
    pictures = torch.rand(2, 3, 64, 64, dtype=torch.float64, generator=generator)
    with torch.no_grad():
        top = int(model.module(pictures)[0].argmax())  # another logit may be cut off at zero, as SqueezeNet's are
    agree(model, pictures, top)


@pytest.mark.skipif(not FUSES, reason="this build of PyTorch has no fused convolutions")
@pytest.mark.parametrize(("model_id", "size"), [("vgg16", 28), ("vgg16", 14), ("resnet18", 7), ("googlenet", 28)])
def test_with_fewer_multiplications_values_and_gradients_are_the_same(model_id, size):
    """Large 3x3 convolutions are computed otherwise, and only in single precision, where the tests above do not go."""
    blocks = [
        block
        for block in gradient_network(models.load(model_id, weights="random")).children()
        if isinstance(block, Block)
    ]
    generator = torch.Generator().manual_seed(4)
    found = 0
    for block in blocks:
        x = torch.randn(2, block.weight.shape[1], size, size, generator=generator)
        if block.filters(x) is None:
            continue
        found += 1
        leaf = x.contiguous(memory_format=torch.channels_last).requires_grad_()
        y = block(leaf)
        behind = torch.randn(y.shape, generator=generator)
        (gradient,) = torch.autograd.grad(y, leaf, behind)
        exact = x.double().requires_grad_()
        values = functional.conv2d(exact, block.weight.double(), block.bias.double(), padding=block.padding)
        # The block's own outputs say where it was cut off, or one that rounding pushes over zero would be counted;
        # where a max pooling says it, nothing is cut off here.
        passed = values if block.gate is None or block.pooled else values * (y > 0)
        (expected,) = torch.autograd.grad(passed, exact, behind.double())
        y, values = y.detach(), values.detach()
        clamped = values if block.gate is None else values.clamp(min=0)
        assert float((y - clamped).abs().max()) <= 1e-5 * float(clamped.abs().max())
        assert float((gradient - expected).abs().max()) <= 1e-5 * float(expected.abs().max())
    assert found


@pytest.mark.parametrize(("numbers", "handed_on"), [(1, 1728), (800, 729), (1000, 968), (2500, 968), (4000, 1728)])
def test_the_two_parts_are_the_whole(numbers, handed_on):
    """Picture 3 x 24 x 24 = 1728, then 8 x 22 x 22 = 3872, 8 x 11 x 11 = 968, 9 x 9 x 9 = 729, and 5 logits."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 9, 3), nn.ReLU(), nn.Flatten()]
    model = models.wrap(nn.Sequential(*layers, nn.Linear(729, 5)), input_size=24)
    first, second = in_two_parts(model, numbers)
    x = torch.rand(2, 3, 24, 24).contiguous(memory_format=torch.channels_last)
    assert first(x)[0].numel() == handed_on
    assert torch.allclose(second(first(x)), gradient_network(model)(x), atol=1e-6)


def test_the_network_itself_is_not_touched(lite0, chelsea):
    before = [(name, tensor._version, tensor.clone()) for name, tensor in lite0.module.state_dict().items()]
    logit_gradients(lite0, chelsea.expand(2, -1, -1, -1), 3)
    after = lite0.module.state_dict()
    assert all(after[name]._version == version and torch.equal(after[name], value) for name, version, value in before)
    assert gradient_network(lite0) is gradient_network(lite0)


@given(st.tuples(*[st.integers(0, 4)] * 4), st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=80, deadline=None)
def test_uneven_padding_moves_into_the_kernel(padding, kernel, stride):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 2, 9, 7, dtype=torch.float64, generator=generator)
    weight = torch.randn(3, 2, kernel, kernel, dtype=torch.float64, generator=generator)
    pad = nn.ZeroPad2d(padding)
    larger, even = padding_inside(weight, pad)
    expected = functional.conv2d(pad(x), weight, stride=stride)
    assert torch.allclose(functional.conv2d(x, larger, stride=stride, padding=even), expected)
