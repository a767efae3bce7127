"""What cannot be taken in is refused by wrap, in one sentence that says what is wrong."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from convis_core import models
from convis_core.errors import SpecError

SIDE = 8


def net(function: Any = None, *, channels: int = 3, outputs: int = 2, **layers: nn.Module) -> nn.Module:
    """Convolution and linear layer around a function(network, map)."""

    def forward(self: Any, x: Tensor) -> Any:
        x = self.conv(x)
        return self.linear((x if function is None else function(self, x)).flatten(1))

    made = type("Made", (nn.Module,), {"forward": forward})()
    made.conv, made.linear = nn.Conv2d(channels, 4, 3, padding=1), nn.Linear(4 * SIDE * SIDE, outputs)
    for name, layer in layers.items():
        made.add_module(name, layer)
    return made


def ending(function: Any) -> nn.Module:
    """A network whose logits pass through a function that returns something else."""

    class Ending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = net()

        def forward(self, x: Tensor) -> Any:
            return function(self.inner(x))

    return Ending()


def spoilt(value: float) -> nn.Module:
    module = net()
    with torch.no_grad():
        module.linear.weight[1, 2] = value
    return module


def hooked() -> nn.Module:
    module = net()
    module.conv.register_forward_hook(lambda _module, _inputs, output: output * 2)
    return module


class Sized(nn.Module):
    """Takes oblong pictures alone."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * 4 * 16 + 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1))


class OneAtATime(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * SIDE * SIDE, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.reshape(1, 3 * SIDE * SIDE))


class Choosing(nn.Module):
    """Answers otherwise when it is given something that is no tensor, as when it is traced."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = net()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) if isinstance(x, Tensor) else self.inner(x) * 2


REFUSED: dict[str, tuple[Any, str]] = {
    "a branch on data": (net(lambda _, x: x if x.sum() > 0 else -x), r"torch\.fx cannot follow line \d+ of "),
    "a module built inside forward": (net(lambda _, x: nn.ReLU()(x)), r"torch\.fx cannot follow line \d+ of "),
    "range over a shape": (
        net(lambda _, x: torch.stack([x[i] for i in range(x.shape[0])])),
        r"torch\.fx cannot follow line \d+ of ",
    ),
    "an unknown name": (net(lambda _, x: nowhere(x)), r"line \d+ of .*nowhere"),  # noqa: F821
    "item assignment": (net(lambda _, x: x.__setitem__((0, 0), 0)), "cannot follow"),
    "a tuple of two": (ending(lambda y: (y, y)), "part 0, part 1"),
    "a dict without logits": (ending(lambda y: {"a": y, "b": y}), "returns a, b"),
    "nothing": (ending(lambda _: None), "returns None"),
    "a number": (ending(lambda _: 3.0), r"returns 3\.0"),
    "one vector": (ending(lambda y: y[0]), r"returned \(2,\)"),
    "a map": (nn.Conv2d(3, 2, 1), r"returned \(1, 2, 8, 8\)"),
    "whole numbers": (ending(lambda y: y.argmax(1, keepdim=True)), "int64"),
    "double precision": (ending(lambda y: y.double()), "float64"),
    "one channel": (net(channels=1), "takes pictures of 1 channels"),
    "four channels": (net(channels=4), "takes pictures of 4 channels"),
    "oblong pictures": (Sized(), "fails on a picture of 3 x 8 x 8"),
    "NaN weights": (spoilt(math.nan), r"linear\.weight are not all finite"),
    "infinite weights": (spoilt(math.inf), r"linear\.weight are not all finite"),
    "NaN logits": (ending(lambda y: (y - y) / (y - y)), "logits are not finite"),
    "scripted": (torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(192, 2))), "scripted"),
    "a scripted part": (net(lambda self, x: self.part(x), part=torch.jit.script(nn.ReLU())), "scripted"),
    "without weights": (nn.Sequential(nn.Flatten(), nn.LazyLinear(2)), "without weights"),
    "on no device": (nn.Sequential(nn.Flatten(), nn.Linear(192, 2, device="meta")), "without weights"),
    "random numbers": (net(lambda _, x: x + torch.randn_like(x)), "random"),
    "random pooling": (
        net(lambda _, x: F.pad(F.fractional_max_pool2d(x, 2, 5), (1, 2, 1, 2))),
        "differently each time",
    ),
    "a softmax over the batch": (net(lambda _, x: x.softmax(0)), "mixes the pictures"),
    "a mean over the batch": (net(lambda _, x: x - x.mean(0, keepdim=True) * 0.5), "mixes the pictures"),
    "one picture alone": (OneAtATime(), "fails on two at once"),
    "a hook that changes values": (hooked(), "answers otherwise"),
    "a test of types": (Choosing(), "answers otherwise"),
    "batch norm of single numbers": (
        nn.Sequential(nn.Flatten(), nn.Linear(192, 2), nn.BatchNorm1d(2, track_running_stats=False)),
        "fails on a picture",
    ),
    "a function": (lambda x: x, r"is a torch\.nn\.Module"),
    "a class": (nn.ReLU, r"is a torch\.nn\.Module"),
    "no network": (None, r"is a torch\.nn\.Module"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", REFUSED)
def test_networks_that_are_refused(kind: str):
    module, reason = REFUSED[kind]
    with pytest.raises(SpecError, match=reason) as refusal:
        models.wrap(module, input_size=SIDE)
    text = str(refusal.value)
    assert text.endswith(".") and "\n" not in text and "Proxy" not in text


NAN, INF = float("nan"), float("inf")
ARGUMENTS: list[tuple[str, Any]] = [
    *(
        ("input_size", value)
        for value in (
            0,
            -1,
            8.0,
            "8",
            True,
            None,
            NAN,
            INF,
            2049,
            10**9,
            2**64,
            (8, 8),
            [8],
            np.float32(8),
            torch.tensor(8),
        )
    ),
    *(
        ("mean", value)
        for value in (
            0.5,
            (0, 0),
            (0, 0, 0, 0),
            (NAN, 0, 0),
            (0, INF, 0),
            ("0", 0, 0),
            "000",
            None,
            True,
            (True, 0, 0),
            {0, 1, 2},
        )
    ),
    *(
        ("std", value)
        for value in (
            1.0,
            (1, 1),
            (0, 1, 1),
            (1, -1, 1),
            (1, NAN, 1),
            (INF, 1, 1),
            "111",
            None,
            np.ones(4),
            torch.zeros(3),
        )
    ),
    *(
        ("categories", value)
        for value in (
            "ab",
            b"ab",
            2,
            None,
            frozenset({"a"}),
            {"a": 1, "b": 2},
            (1, 2),
            ("a", ""),
            ("a", None),
            ("a",),
            ("a", "b", "c"),
        )
    ),
]


@pytest.mark.parametrize(("name", "value"), ARGUMENTS, ids=lambda value: repr(value)[:40])
def test_arguments_that_are_refused(name: str, value: Any):
    with pytest.raises(SpecError) as refusal:
        models.wrap(net(), **{"input_size": SIDE, name: value})
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


@pytest.mark.parametrize("value", [8, np.int64(8), np.uint8(8)])
def test_whole_numbers_of_any_kind_are_sizes(value: Any):
    assert models.wrap(net(), input_size=value).input_size == SIDE
