"""The traced network reads, edits and folds without changing the network."""

import pytest
import torch
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor

from convis_core import models, network
from convis_core.errors import SpecError

IDS = [spec.id for spec in models.MODELS if spec.id not in ("vgg16",)]


@pytest.fixture(scope="module", params=IDS)
def model(request) -> models.LoadedModel:
    return models.load(request.param, weights="random", seed=5)


def test_record_equals_torchvisions_extractor(model):
    x = torch.rand(1, 3, 224, 224)
    layers = model.spec.feature_layers
    twin = create_feature_extractor(model.module, list(layers))(x)
    ours = network.record(model, x, layers)
    assert list(ours) == list(layers)
    assert all(torch.equal(ours[layer], twin[layer]) for layer in layers)


def test_the_fast_graph_is_the_same_function(model):
    x = torch.rand(2, 3, 224, 224)
    expected = model.module(x)
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    folded = network.fast(model)
    logits, _ = network.forward(folded, x.contiguous(memory_format=torch.channels_last))
    assert torch.allclose(logits, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    norms = [layer for layer in folded.module.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(norms) < 0.6 * sum(isinstance(layer, nn.BatchNorm2d) for layer in model.module.modules()) or not norms
    assert all(torch.equal(before[name], value) for name, value in model.module.state_dict().items())


def test_the_fast_graph_shares_what_it_does_not_fold():
    alexnet = models.load("alexnet", weights="random")
    folded = network.fast(alexnet).module
    original = alexnet.module.get_parameter("classifier.1.weight")
    assert folded.get_parameter("classifier.1.weight").data_ptr() == original.data_ptr()


def test_a_folded_layer_still_answers_to_its_name():
    lite = models.load("efficientnet_lite0", weights="random")
    x = torch.rand(1, 3, 224, 224)
    plain = network.record(lite, x, ["blocks.3.branch.project.norm", "stem"])
    _, fast = network.forward(network.fast(lite), x, layers=list(plain))
    assert all(torch.allclose(plain[name], fast[name], atol=1e-4) for name in plain)


def test_an_edit_changes_what_later_layers_see():
    own = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2, bias=False))
    model = models.wrap(own, input_size=2)
    x = torch.rand(1, 3, 2, 2)
    with torch.no_grad():
        logits, layers = network.forward(network.trace(model), x, layers=["1"], edits={"1": torch.zeros_like})
    assert torch.equal(logits, torch.zeros(1, 2)) and torch.equal(layers["1"], torch.zeros(1, 2, 2, 2))


def test_a_relu_rule_replaces_modules_functions_and_methods():
    class Three(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU6()
            self.flatten = nn.Flatten()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.flatten(torch.relu(self.relu(x) - 1).relu())

    model = models.wrap(Three(), input_size=2)
    seen = []

    def rule(value: torch.Tensor) -> torch.Tensor:
        seen.append(value)
        return value + 10

    logits, _ = network.forward(network.trace(model), torch.zeros(1, 3, 2, 2), relu=rule)
    assert len(seen) == 3 and torch.equal(logits, torch.full((1, 12), 29.0))


def test_an_unknown_layer_is_refused(lite0, chelsea):
    with pytest.raises(SpecError, match="nowhere"):
        network.record(lite0, chelsea, ["nowhere"])
    with pytest.raises(SpecError):
        network.record(lite0, chelsea, ["blocks.1.bran"])


def test_names_of_blocks_and_of_second_uses():
    resnet = models.load("resnet18", weights="random")
    x = torch.rand(1, 3, 224, 224)
    layers = network.record(resnet, x, ["layer1.0", "layer1.0.relu", "layer1.0.relu_1", "layer1.0.add"])
    assert torch.equal(layers["layer1.0"], layers["layer1.0.relu_1"])
    assert not torch.equal(layers["layer1.0.relu"], layers["layer1.0.relu_1"])
    assert torch.equal(layers["layer1.0.add"].relu(), layers["layer1.0"])
