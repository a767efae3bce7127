"""Other people's networks, taken in: the copy answers as the network does, whatever it is made of."""

import copy
import dataclasses
import pickle
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm
from torchvision.models import resnet18

from convis_core import models
from convis_core.models.tracing import symbolic

SIDE = 8
X = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


class Net(nn.Module):
    """Convolution, what is tried, and a linear layer."""

    def __init__(self, between: Any = None, outputs: int = 3, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.between = between if isinstance(between, nn.Module) else nn.Identity()
        self.function = between if callable(between) and not isinstance(between, nn.Module) else None
        self.linear = nn.Linear(4 * SIDE * SIDE, outputs)

    def forward(self, x: Tensor) -> Any:
        x = self.between(self.conv(x))
        x = x if self.function is None else self.function(x)
        return self.linear(x.flatten(1))


def answers(model: models.LoadedModel, x: Tensor = X) -> Tensor:
    """The logits of the module picture by picture, which must be those of its list of operations and of a batch."""
    graph_module, _ = symbolic(model.module)
    with torch.no_grad():
        logits = torch.cat([model.module(one[None]) for one in x])
        assert torch.equal(torch.cat([graph_module(one[None]) for one in x]), logits)
        assert torch.allclose(model.module(x), logits, atol=1e-6)
        return logits


def plainly(module: nn.Module, x: Tensor = X) -> Tensor:
    """What the network itself answers, picture by picture."""
    with torch.no_grad():
        return torch.cat([copy.deepcopy(module).eval()(one[None]) for one in x])


def wrap(module: nn.Module, **options: Any) -> models.LoadedModel:
    return models.wrap(module, input_size=SIDE, **options)


class ReusedInPlace(Net):
    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        z = self.relu(y)
        return self.linear((y + z).flatten(1))


class Expanding(nn.Module):
    """Adds a parameter that is expanded to the length of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.tensor([0.1, 0.2, 0.3, 0.4]).view(1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.offset.expand(x.size(0), -1, x.shape[2], x.shape[3])


KINDS: dict[str, Any] = {
    "relu in place": nn.ReLU(inplace=True),
    "relu_": lambda x: x.relu_(),
    "positional": lambda x: F.relu(x, True),
    "+=": lambda x: x.__iadd__(1),
    "view": lambda x: x.view(x.size(0), -1),
    "group norm": nn.GroupNorm(2, 4),
    "instance norm": nn.InstanceNorm2d(4, affine=True),
    "batch norm": nn.BatchNorm2d(4),
    "no statistics": nn.BatchNorm2d(4, track_running_stats=False),
    "layer norm": nn.LayerNorm([4, SIDE, SIDE]),
    "prelu": nn.PReLU(4),
    "pixel shuffle": nn.Sequential(nn.PixelShuffle(2), nn.PixelUnshuffle(2)),
    "chunk": lambda x: torch.cat([x.chunk(2, 1)[1], x.chunk(2, 1)[0]], 1),
    "expand": Expanding(),
    "permute": lambda x: x.permute(0, 2, 3, 1).contiguous(),
    "indices": nn.MaxPool2d(1, return_indices=False),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_answers_as_the_network_does(kind: str):
    module = Net(KINDS[kind])
    model = wrap(module)
    assert torch.allclose(answers(model), plainly(module), rtol=1e-5, atol=1e-6)
    assert model.spec.parameters == sum(parameter.numel() for parameter in module.parameters())


def test_a_layer_in_place_whose_input_is_read_again():
    module = ReusedInPlace()
    model = wrap(module)
    assert torch.equal(answers(model), plainly(module)) and module.relu.inplace


@pytest.mark.parametrize("kind", ["dropout", "dropout2d"])
def test_dropout_that_forward_asks_for_is_off(kind: str):
    drop = getattr(F, kind)
    model = wrap(Net(lambda x: drop(x, 0.5)))
    assert torch.equal(answers(model), answers(model))
    assert torch.equal(answers(model), plainly(Net()))


def test_pictures_of_a_batch_are_never_mixed():
    module = Net(nn.Sequential(nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU()))
    model = wrap(module)
    assert torch.allclose(answers(model), plainly(module), atol=1e-6)
    assert not torch.allclose(module.eval()(X), plainly(module), atol=1e-3)


# Outputs


@dataclass
class Output:
    logits: Tensor
    features: Tensor | None = None


Pair = namedtuple("Pair", ["hidden", "logits"])

OUTPUTS: dict[str, Any] = {
    "tuple of one": lambda y: (y,),
    "list of one": lambda y: [y],
    "tuple with none": lambda y: (y, None),
    "dict": lambda y: {"features": y * 2, "logits": y},
    "dict of one": lambda y: {"out": y},
    "dataclass": lambda y: Output(y, y * 2),
    "dataclass with none": lambda y: Output(y),
    "named tuple": lambda y: Pair(y * 2, y),
    "nested": lambda y: ({"logits": y, "aux": y * 3},),
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_the_logits_are_taken_where_they_are_plain_to_see(kind: str):
    class Compound(Net):
        def forward(self, x: Tensor) -> Any:
            return OUTPUTS[kind](super().forward(x))

    assert torch.equal(answers(wrap(Compound())), plainly(Net()))


def test_one_output_is_a_probability_of_its_own():
    model = wrap(Net(outputs=1))
    logits = answers(model)
    assert model.categories == ("class 0",)
    assert torch.equal(models.probabilities(logits), 1 / (1 + torch.exp(-logits)))


@pytest.mark.parametrize("classes", [2, 1000, 21_000])
def test_several_outputs_share_one_probability(classes: int):
    logits = torch.linspace(-3, 3, classes)
    shares = models.probabilities(logits)
    assert float(shares.sum()) == pytest.approx(1, abs=1e-5) and torch.equal(shares, logits.softmax(0))
    assert torch.equal(models.probabilities(torch.stack([logits, -logits]))[0], shares)


# Weights


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_precisions_become_float32(dtype: torch.dtype):
    module = Net(nn.BatchNorm2d(4)).to(dtype)
    model = wrap(module)
    assert {value.dtype for value in model.module.parameters()} == {torch.float32}
    assert torch.allclose(answers(model), plainly(copy.deepcopy(module).float()), atol=1e-6)
    assert module.conv.weight.dtype == dtype


NORMS: dict[str, Any] = {
    "weight norm by a hook": lambda net: weight_norm(net.conv),
    "spectral norm by a hook": lambda net: spectral_norm(net.conv),
    "weight norm": lambda net: parametrizations.weight_norm(net.conv),
    "spectral norm": lambda net: parametrizations.spectral_norm(net.linear),
    "orthogonal": lambda net: parametrizations.orthogonal(net.linear),
    "pruned": lambda net: prune.l1_unstructured(net.conv, "weight", 0.5),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("kind", NORMS)
def test_weights_that_are_computed_become_plain(kind: str):
    module = Net(nn.BatchNorm2d(4))
    NORMS[kind](module)
    module.eval()
    state = {name: value.clone() for name, value in module.state_dict().items()}
    with torch.no_grad():
        expected = module(X)
    model = wrap(module)
    assert torch.allclose(answers(model), expected, atol=1e-5)
    own, plain = (dict(network.named_parameters()) for network in (model.module, Net(nn.BatchNorm2d(4))))
    assert own.keys() == plain.keys()
    assert type(model.module.get_submodule("conv")) is nn.Conv2d
    assert type(model.module.get_submodule("linear")) is nn.Linear
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    with torch.no_grad():
        assert torch.equal(module(X), expected), "the network that was given still works as before"


def test_the_network_given_is_not_changed():
    module = Net(nn.Sequential(nn.ReLU(inplace=True), nn.Dropout(), nn.BatchNorm2d(4, track_running_stats=False)))
    module.train()
    module.conv.register_forward_hook(lambda *_: None)
    before = {name: (value._version, value.clone()) for name, value in module.state_dict().items()}
    wrap(module)
    assert all(layer.training for layer in module.modules()) and module.between[0].inplace
    assert len(module.conv._forward_hooks) == 1 and isinstance(module.between[2], nn.BatchNorm2d)
    assert all(parameter.requires_grad for parameter in module.parameters())
    for name, value in module.state_dict().items():
        assert (value._version, True) == (before[name][0], torch.equal(value, before[name][1]))


def test_what_was_laid_around_it_is_taken_off():
    module = Net()
    for around in (torch.compile(module), nn.DataParallel(module), nn.Sequential(torch.compile(module))):
        assert torch.equal(answers(wrap(around)), plainly(module))


def test_hooks_that_only_read_do_not_run():
    module, seen = Net(), []
    module.conv.register_forward_hook(lambda *_: seen.append(1))
    model = wrap(module)
    seen.clear()
    assert torch.equal(answers(model), plainly(Net())) and not seen


# Names, layers, sizes


def test_names_that_end_in_numbers_are_the_layers_own():
    module = nn.Sequential()
    for index, name in enumerate(("conv_1", "conv_2", "conv_3", "normalise", "network", "pixels")):
        torch.manual_seed(index)
        module.add_module(name, nn.Conv2d(3, 3, 1))
    module.add_module("flatten", nn.Flatten())
    model = wrap(module, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    assert model.spec.feature_layers == ("conv_1", "conv_2", "conv_3", "normalise", "network", "pixels")
    assert torch.allclose(answers(model), plainly(module, (X - 0.5) / 0.5), atol=1e-6)
    _, names = symbolic(model.module)
    for node, name in names.items():
        if node.op == "call_module" and name in model.spec.feature_layers:
            assert node.target == name
            assert torch.equal(model.module.get_submodule(name).weight, module.get_submodule(name).weight)


def test_layers_come_in_the_order_in_which_they_run_and_only_those_that_run():
    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.late = nn.Conv2d(4, 5, 3)
            self.auxiliary = nn.Conv2d(3, 9, 3)
            self.act = nn.SiLU()
            self.early = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.late(self.act(self.early(x))).mean((2, 3))

    model = wrap(Late())
    assert model.spec.feature_layers == ("early", "act", "late") and model.spec.cam_layer == "late"
    assert model.spec.parameters == (4 * 3 * 9 + 4) + (5 * 4 * 9 + 5)


def test_the_default_layer_of_resnet18_is_the_registrys():
    loaded = models.load("resnet18", weights="random", seed=2)
    module = resnet18()
    module.load_state_dict({k: v for k, v in loaded.module.state_dict().items() if not k.startswith("normalise")})
    model = models.wrap(module, input_size=64, mean=loaded.spec.mean, std=loaded.spec.std)
    assert model.spec.cam_layer == "layer4.1.relu_1"
    x = torch.rand(1, 3, 64, 64)
    seen = {}
    model.module.get_submodule("layer4.1").register_forward_hook(lambda _m, _i, output: seen.update(block=output))
    with torch.no_grad():
        assert torch.equal(model.module(x), loaded.module(x))
    _, names = symbolic(loaded.module)
    assert [name for name in names.values() if name.startswith("layer4.1.")][-1] == model.spec.cam_layer
    assert model.spec.parameters == loaded.spec.parameters
    assert seen["block"].shape == (1, 512, 2, 2)


@pytest.mark.parametrize("size", [1, 32, 65, 299, 384, np.int64(16)])
def test_squares_of_any_size(size: int):
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = models.wrap(module, input_size=size)
    assert model.input_size == model.spec.input_size == int(size) and type(model.input_size) is int
    assert model.spec.cam_layer == ("0" if size > 1 else "")


def test_numbers_from_arrays_and_tensors_are_numbers():
    by_array = wrap(Net(), mean=np.array([0.5, 0.25, 0]), std=torch.tensor([1.0, 2.0, 4.0]), categories=list("abc"))
    assert by_array.spec.mean == (0.5, 0.25, 0.0) and by_array.spec.std == (1.0, 2.0, 4.0)
    assert by_array.categories == by_array.spec.categories == ("a", "b", "c")
    hash(by_array.spec)


# Identity


def test_the_key_is_equal_for_the_same_network_and_differs_for_any_other():
    def with_slope(slope: float) -> nn.Module:
        return Net(nn.LeakyReLU(slope))

    averaging = [nn.AvgPool2d(3, 1, 1, count_include_pad=included) for included in (True, False)]
    networks: list[tuple[nn.Module, dict[str, Any]]] = [
        (Net(), {}),
        (Net(seed=1), {}),
        (Net(nn.ReLU()), {}),
        (Net(lambda x: x * 2), {}),
        (Net(lambda x: x * 3), {}),
        (Net(lambda x: x + 3), {}),
        (with_slope(0.1), {}),
        (with_slope(0.2), {}),
        (Net(averaging[0]), {}),
        (Net(averaging[1]), {}),
        (Net(lambda x: x * torch.tensor(2.0)), {}),
        (Net(lambda x: x * torch.tensor(2.5)), {}),
        (Net(), {"mean": (0.1, 0.0, 0.0)}),
        (Net(), {"std": (0.5, 1.0, 1.0)}),
        (Net(), {"categories": ("a", "b", "c")}),
        (Net(), {"categories": ("a", "b", "d")}),
    ]
    keys = [wrap(module, **options).key for module, options in networks]
    assert len(set(keys)) == len(keys)
    assert [wrap(copy.deepcopy(module), **options).key for module, options in networks] == keys
    pooled = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert len({models.wrap(pooled, input_size=size).key for size in (8, 9, 10)}) == 3
    changed = Net()
    with torch.no_grad():
        changed.linear.bias[2] += 1e-7
    assert wrap(changed).key != keys[0]


def test_it_is_copied_and_its_spec_is_pickled():
    model = wrap(ReusedInPlace())
    twin = dataclasses.replace(model, module=copy.deepcopy(model.module))
    assert torch.equal(answers(twin), answers(model))
    _, names = symbolic(model.module)
    _, again = symbolic(twin.module)
    assert list(names.values()) == list(again.values())
    assert pickle.loads(pickle.dumps(model.spec)) == model.spec
