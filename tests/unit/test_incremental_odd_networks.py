"""The incremental engine on networks that nobody designed: what it knows, and what it must leave to a full pass."""

import operator
from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from convis_core import models
from convis_core.engines import incremental
from convis_core.engines.incremental.steps import Kind
from convis_core.models import LoadedModel
from convis_core.runtime import lanes

SIDE = 24


class Odd(nn.Module):
    """A body of any kind, and a classifier behind it."""

    def __init__(self, body: nn.Module, head: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.head = nn.LazyLinear(7) if head is None else head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.flatten(self.body(x), 1))


class Apply(nn.Module):
    """A function as a layer that torch.fx looks into."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Branches(nn.Module):
    """Two ways, joined."""

    def __init__(self, one: nn.Module, other: nn.Module, join: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.one = one
        self.other = other
        self.join = join

    def forward(self, x: Tensor) -> Tensor:
        return self.join(self.one(x), self.other(x))


class Scale(nn.Module):
    """Learned factors and offsets, of every kind that a network may hold."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.rand(*shape) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor + self.factor.abs()


def wrap(network: nn.Module, seed: int = 0) -> LoadedModel:
    """The network with random weights and batch norms that do something, ready for the engine."""
    torch.manual_seed(seed)
    network(torch.rand(2, 3, SIDE, SIDE))
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, std=0.3)
            if layer.running_mean is not None:
                nn.init.normal_(layer.running_mean, std=0.2)
                nn.init.uniform_(layer.running_var, 0.5, 2.0)
    return models.wrap(network, input_size=SIDE, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))


def check(model: LoadedModel, seed: int = 0) -> list[Kind]:
    """Compare with full passes for windows of several sizes; returns what the engine made of the operations."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(1, 3, SIDE, SIDE, generator=generator)
    base = lanes.run(lambda: incremental.prepare(model, x))
    for window in (1, 5, 11, SIDE):
        last = SIDE - window
        tops = torch.randint(0, last + 1, (4,), generator=generator).tolist()
        lefts = torch.randint(0, last + 1, (4,), generator=generator).tolist()
        tops[0], lefts[1] = 0, last
        patches = torch.rand(4, 3, window, window, generator=generator)
        whole = x.repeat(4, 1, 1, 1)
        for index in range(4):
            whole[index, :, tops[index] : tops[index] + window, lefts[index] : lefts[index] + window] = patches[index]
        with torch.no_grad():
            plain = torch.cat([model.module(one) for one in whole.split(1)])
        ours = lanes.run(lambda: incremental.logits(base, patches, tops, lefts))  # noqa: B023 - run at once
        scale = max(1.0, float(plain.abs().max()))
        assert float((ours - plain).abs().max()) <= 1e-5 * scale
    return [placed.step.kind for placed in incremental.program(model).steps]


def conv(inputs: int, outputs: int, kernel: int = 3, **geometry) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, **geometry)


@st.composite
def layers(draw: st.DrawFn, channels: int, side: int) -> tuple[list[nn.Module], int, int]:
    """One layer, or two that belong together, and the channels and the side behind it."""
    kind = draw(st.sampled_from(["conv", "max", "average", "pad", "activation", "residual", "cat", "adaptive"]))
    stride = draw(st.integers(1, 2))
    if kind == "conv":
        kernel, dilation = draw(st.sampled_from([1, 2, 3, 5])), draw(st.integers(1, 2))
        padding = draw(st.integers(0, 2))
        reach = dilation * (kernel - 1) + 1
        groups = draw(st.sampled_from([1, 2, channels])) if channels % 2 == 0 else draw(st.sampled_from([1, channels]))
        outputs = groups * draw(st.integers(1, 4)) if groups > 1 else draw(st.integers(1, 8))
        if side + 2 * padding < reach:
            return [], channels, side
        made = conv(channels, outputs, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups)
        body: list[nn.Module] = [made]
        if draw(st.booleans()):
            body.append(nn.BatchNorm2d(outputs))
        body.append(draw(st.sampled_from([nn.ReLU(), nn.ReLU6(), nn.Hardtanh(-0.5, 0.7), nn.Identity()])))
        return body, outputs, (side + 2 * padding - reach) // stride + 1
    if kind in ("max", "average"):
        kernel, ceil_mode = draw(st.integers(2, 3)), draw(st.booleans())
        padding = draw(st.integers(0, kernel // 2))
        if side < kernel:
            return [], channels, side
        if kind == "max":
            pool: nn.Module = nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil_mode)
        else:
            counted, override = draw(st.booleans()), draw(st.sampled_from([None, None, 5]))
            pool = nn.AvgPool2d(kernel, stride, padding, ceil_mode, counted, override)
        return [pool], channels, pool(torch.zeros(1, 1, side, side)).shape[-1]
    if kind == "pad":
        left, right, top, bottom = (draw(st.integers(0, 2)) for _ in range(4))
        padded = max(side + left + right, side + top + bottom)
        square = (left, padded - side - left, top, padded - side - top)
        value = draw(st.sampled_from([0.0, 0.0, 1.5]))
        return [nn.ZeroPad2d(square) if value == 0 else nn.ConstantPad2d(square, value)], channels, padded
    if kind == "activation":
        choice = st.sampled_from([nn.SiLU(), nn.Sigmoid(), nn.LeakyReLU(0.1), nn.Dropout(0.5), nn.PReLU(channels)])
        return [draw(choice)], channels, side
    if kind == "residual":
        inner = nn.Sequential(conv(channels, channels, padding=1), nn.BatchNorm2d(channels))
        return [Branches(inner, nn.Identity(), operator.add), nn.ReLU()], channels, side
    if kind == "cat":
        one, other = conv(channels, 3, 5, padding=2), nn.MaxPool2d(3, 1, 1)
        return [Branches(one, other, lambda a, b: torch.cat([a, b], 1))], channels + 3, side
    smaller = draw(st.sampled_from([part for part in (1, 2, side) if side % part == 0]))
    return [nn.AdaptiveAvgPool2d(smaller)], channels, smaller


@st.composite
def networks(draw: st.DrawFn) -> nn.Module:
    body: list[nn.Module] = []
    channels, side = 3, SIDE
    for _ in range(draw(st.integers(1, 6))):
        more, channels, side = draw(layers(channels, side))
        body += more
    return Odd(nn.Sequential(*body))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(networks(), st.integers(0, 10_000))
def test_any_network_of_known_layers_gives_the_logits_of_full_passes(network: nn.Module, seed: int):
    kinds = check(wrap(network, seed), seed)
    # Only flattening and the classifier are computed in full, behind everything else.
    assert kinds.count(Kind.WHOLE) == 2


def squeeze(x: Tensor) -> Tensor:
    return x * torch.sigmoid(functional.adaptive_avg_pool2d(x, 1))


def in_place_sum(x: Tensor) -> Tensor:
    y = functional.relu(x) * 2
    y += x
    return y


def entangled(x: Tensor) -> Tensor:
    y = x * 2
    y.add_(1)
    z = y[:, :, 1:]
    z.mul_(3)
    return functional.avg_pool2d(y, 2)


class ChannelsLast(nn.Module):
    """A layer that is given the channels as the last axis, as a ConvNeXt does it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def shuffled(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def viewed(x: Tensor) -> Tensor:
    return x.view(x.size(0), -1)[:, :50]


def reshaped(x: Tensor) -> Tensor:
    return x.view(x.size(0), -1)[:, : x.shape[1] * 4]


def stacked(x: Tensor) -> Tensor:
    return torch.cat([x, x.flip(3)], dim=2)


BODIES: dict[str, Callable[[], nn.Module]] = {
    "group norm": lambda: nn.Sequential(conv(3, 4), nn.GroupNorm(2, 4), conv(4, 4)),
    "softmax over the map": lambda: nn.Sequential(conv(3, 4), nn.Softmax(dim=-1)),
    "reflection": lambda: nn.Sequential(conv(3, 4, padding=1, padding_mode="reflect"), nn.ReLU(), conv(4, 2)),
    "circular": lambda: conv(3, 4, padding=2, padding_mode="circular"),
    "upsampling": lambda: nn.Sequential(conv(3, 4, stride=2), nn.Upsample(scale_factor=2), conv(4, 4)),
    "transposed": lambda: nn.Sequential(nn.ConvTranspose2d(3, 4, 3, stride=2), nn.MaxPool2d(3)),
    "adaptive max": lambda: nn.Sequential(conv(3, 4), nn.AdaptiveMaxPool2d(5)),
    "overlapping adaptive average": lambda: nn.Sequential(conv(3, 4), nn.AdaptiveAvgPool2d(5), conv(4, 4)),
    "squeeze and excitation": lambda: nn.Sequential(conv(3, 4), Apply(squeeze), conv(4, 4)),
    "flip and other axis": lambda: nn.Sequential(conv(3, 4), Apply(stacked), nn.MaxPool2d(2)),
    "negative padding": lambda: nn.Sequential(nn.ZeroPad2d((-1, 2, 0, -3)), conv(3, 4)),
    "reshaping by its own size": lambda: nn.Sequential(conv(3, 4), Apply(reshaped)),
    "pooling with indices": lambda: Apply(lambda x: functional.max_pool2d(x, 2, return_indices=True)[0]),
    "entangled writes": lambda: nn.Sequential(conv(3, 4), Apply(entangled)),
    "centring": lambda: Apply(lambda x: x - x.mean(dim=(2, 3), keepdim=True)),
    "instance norm": lambda: nn.Sequential(conv(3, 4), nn.InstanceNorm2d(4, affine=True), conv(4, 4)),
    "batch norm of the batch": lambda: nn.Sequential(
        conv(3, 4), nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU(), conv(4, 4)
    ),
    "batch norm of the batch after a ReLU": lambda: nn.Sequential(
        conv(3, 4), nn.ReLU(), nn.BatchNorm2d(4, track_running_stats=False), conv(4, 4)
    ),
    "layer norm over channels": lambda: nn.Sequential(conv(3, 4), ChannelsLast(nn.LayerNorm(4)), conv(4, 4)),
    "a linear layer on channels": lambda: nn.Sequential(conv(3, 4), ChannelsLast(nn.Linear(4, 6)), nn.GELU()),
    "channel shuffle": lambda: nn.Sequential(conv(3, 4), Apply(shuffled), conv(4, 4)),
    "pixel shuffle": lambda: nn.Sequential(conv(3, 8), nn.PixelShuffle(2), conv(2, 4, stride=2)),
    "adaptive average to three": lambda: nn.Sequential(conv(3, 4), nn.AdaptiveAvgPool2d(3)),
    "a view by the size of the batch": lambda: nn.Sequential(conv(3, 4), nn.MaxPool2d(2), Apply(viewed)),
    "rolled": lambda: nn.Sequential(conv(3, 4), Apply(lambda x: torch.roll(x, (3, 5), (2, 3))), conv(4, 4)),
    "softmax over channels in a function": lambda: nn.Sequential(conv(3, 4), Apply(lambda x: x.softmax(dim=1))),
    "an average over the channels' last axis": lambda: nn.Sequential(conv(3, 4), Apply(lambda x: x.mean(dim=3))),
}


@pytest.mark.parametrize("name", BODIES)
def test_what_is_not_known_is_computed_in_full_and_right(name: str):
    torch.manual_seed(1)
    kinds = check(wrap(Odd(BODIES[name]())))
    assert kinds.count(Kind.WHOLE) > 2 or kinds == [Kind.INPUT, Kind.WHOLE]


KNOWN: dict[str, Callable[[], nn.Module]] = {
    "same padding, even kernel": lambda: conv(3, 4, 4, padding="same"),
    "same padding, dilated": lambda: conv(3, 4, 3, padding="same", dilation=2),
    "valid": lambda: conv(3, 4, 3, padding="valid", stride=3),
    "oblong": lambda: nn.Conv2d(3, 4, (1, 5), stride=(2, 1), padding=(0, 3), dilation=(1, 2)),
    "functions": lambda: nn.Sequential(conv(3, 4), Apply(lambda x: functional.max_pool2d(functional.relu6(x), 3, 2))),
    "elementwise": lambda: Apply(lambda x: torch.exp(-torch.abs(x)).clamp(0.1, 0.9).pow(2) + 1 - x / 3),
    "negated": lambda: Apply(lambda x: 1 - x.neg().sqrt().nan_to_num() if x is None else 2 - x),
    "in place": lambda: nn.Sequential(conv(3, 4), Apply(in_place_sum)),
    "written once": lambda: nn.Sequential(conv(3, 4), Apply(lambda x: x.relu_()), conv(4, 4)),
    "channel factors": lambda: nn.Sequential(conv(3, 4), Scale(1, 4, 1, 1), nn.MaxPool2d(2)),
    "a factor for every place": lambda: nn.Sequential(conv(3, 4, padding=1), Scale(4, SIDE, SIDE), conv(4, 4)),
    "a single factor": lambda: nn.Sequential(Scale(1), conv(3, 4)),
    "maximum": lambda: Branches(conv(3, 4, padding=1), conv(3, 4, 5, padding=2), torch.maximum),
    "difference": lambda: Branches(conv(3, 4, padding=1), conv(3, 4, 1), torch.sub),
    "local response": lambda: nn.Sequential(conv(3, 8), nn.LocalResponseNorm(3), nn.MaxPool2d(3, 2)),
    "many channels": lambda: nn.Sequential(conv(3, 48), nn.ReLU(), conv(48, 96, groups=1), nn.ReLU6()),
    "a window between the taps": lambda: nn.Sequential(nn.MaxPool2d(1, 3), conv(3, 4, 2, dilation=2)),
    "functional padding": lambda: nn.Sequential(Apply(lambda x: functional.pad(x, (1, 2, 0, 3))), conv(3, 4, stride=2)),
    "padding that two read": lambda: nn.Sequential(nn.ZeroPad2d(2), Branches(conv(3, 4), conv(3, 4), torch.add)),
    "one map twice": lambda: Apply(lambda x: torch.cat([x, x], 1) + 1),
    "same again": lambda: Apply(lambda x: x + x),
    "dropout that never rests": lambda: nn.Sequential(
        conv(3, 4), Apply(lambda x: functional.dropout(x, 0.5)), conv(4, 4)
    ),
    "weight norm": lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(conv(3, 4)), nn.ReLU(), conv(4, 4)),
    "spectral norm": lambda: nn.Sequential(nn.utils.parametrizations.spectral_norm(conv(3, 4)), nn.BatchNorm2d(4)),
    "in place everywhere": lambda: nn.Sequential(
        conv(3, 4), Apply(lambda x: functional.relu(x, True).add_(1).mul_(2).clamp_(max=3)), conv(4, 4)
    ),
    "threshold": lambda: nn.Sequential(conv(3, 4), nn.Threshold(0, 0), conv(4, 4)),
    "hardtanh as a ReLU": lambda: nn.Sequential(conv(3, 48), nn.Hardtanh(0, 6), conv(48, 4)),
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_known_stays_incremental(name: str):
    torch.manual_seed(2)
    kinds = check(wrap(Odd(KNOWN[name]())))
    assert kinds.count(Kind.WHOLE) == 2, kinds


def test_a_network_without_any_map_is_computed_in_full():
    kinds = check(wrap(nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 5), nn.ReLU(), nn.Linear(5, 3))))
    assert Kind.SLIDING not in kinds


def test_one_network_may_end_in_a_map_that_is_averaged():
    check(wrap(nn.Sequential(conv(3, 6), nn.ReLU(), conv(6, 5, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())))
