"""Every network of the registry: as published, unchanged by use, and told apart from what it is not."""

import copy
import dataclasses
import threading

import pytest
import torch
import torchvision.models as zoo
from torch import nn

from convis_core import attribution, models
from convis_core.errors import SpecError
from convis_core.models import registry as ours
from convis_core.network import predict, record


@pytest.fixture(scope="module", params=[spec.id for spec in models.MODELS])
def random_model(request) -> models.LoadedModel:
    return models.load(request.param, weights="random", seed=3)


def test_parameters_and_feature_layers_are_as_the_registry_says(random_model):
    spec = random_model.spec
    assert sum(parameter.numel() for parameter in random_model.module.parameters()) == spec.parameters
    x = torch.rand(1, 3, spec.input_size, spec.input_size)
    outputs = record(random_model, x, [*spec.feature_layers, spec.cam_layer])
    assert all(value.dim() == 4 for value in outputs.values())
    sizes = [value.shape[-1] for value in outputs.values()]
    assert sizes == sorted(sizes, reverse=True), "layers are listed in order of execution"


def test_it_is_ready_and_shared_safely(random_model):
    module = random_model.module
    assert not module.training and not any(layer.training for layer in module.modules())
    assert not any(parameter.requires_grad for parameter in module.parameters())
    assert not any(getattr(layer, "inplace", False) for layer in module.modules())
    assert len(set(random_model.categories)) == 1000


def test_random_logits_vary_and_depend_on_the_seed_alone(random_model):
    x = torch.rand(1, 3, 224, 224)
    logits = random_model.module(x)
    assert 0.1 < float(logits.std()) < 20
    if random_model.spec.id in ("vgg16", "alexnet"):
        return  # a second copy of these costs seconds and shows nothing new
    again = models.load(random_model.spec.id, weights="random", seed=3)
    assert torch.equal(again.module(x), logits)
    other = models.load(random_model.spec.id, weights="random", seed=4)
    assert not torch.allclose(other.module(x), logits)


@pytest.mark.parametrize("model_id", ["googlenet", "densenet121", "resnet18", "squeezenet1_1", "mobilenet_v2"])
def test_our_network_is_torchvisions(model_id: str):
    """The same weights in torchvision's own class give the same logits, our normalisation included."""
    model = models.load(model_id, weights="random", seed=1)
    theirs = (
        zoo.googlenet(aux_logits=False, init_weights=False) if model_id == "googlenet" else getattr(zoo, model_id)()
    )
    own = {name: value for name, value in model.module.state_dict().items() if not name.startswith("normalise")}
    theirs.load_state_dict(own)
    x = torch.rand(1, 3, 224, 224)
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (model.spec.mean, model.spec.std))
    assert torch.allclose(theirs.eval()((x - mean) / std), model.module(x), rtol=1e-5, atol=1e-5)


def test_googlenets_normalisation_is_its_transform_input():
    x = torch.rand(1, 3, 8, 8)
    normalise = models.load("googlenet", weights="random").module.get_submodule("normalise")
    mean, std = (
        torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1),
        torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1),
    )
    theirs = zoo.GoogLeNet(aux_logits=False, transform_input=True, init_weights=False)._transform_input(
        (x - mean) / std
    )
    assert torch.allclose(normalise(x), theirs, atol=1e-6)


@pytest.mark.parametrize("model_id", ["googlenet", "densenet121", "efficientnet_lite0", "alexnet"])
def test_checkpoints_names_are_adapted(model_id: str):
    with torch.device("meta"):
        network = ours.build(model_id)
    names = tuple(network.state_dict())
    published = dict(network.state_dict())
    if model_id == "googlenet":
        published["aux1.conv.conv.weight"] = torch.zeros(1)
    if model_id == "densenet121":
        published = {name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): v for name, v in published.items()}
        assert tuple(published) != names
    if model_id == "efficientnet_lite0":
        published = {f"tensor{index}": value for index, value in enumerate(published.values())}
    assert tuple(ours.adapt_state(model_id, published, names)) == names


def test_the_embedded_network_is_the_real_one(lite0, chelsea):
    assert lite0.source is not None and lite0.source.stat().st_size == lite0.spec.weights.size_bytes
    top = predict(lite0, chelsea).top
    assert [score.name for score in top[:2]] == ["tiger cat", "Egyptian cat"]


def test_wrap_leaves_the_module_alone():
    own = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(4 * 6 * 6, 2))
    before = copy.deepcopy(own.state_dict())
    own.train()
    model = models.wrap(own, input_size=8, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), categories=("cat", "dog"))
    x = torch.rand(1, 3, 8, 8)
    logits = model.module(x)
    assert own.training and own[1].inplace and all(parameter.requires_grad for parameter in own.parameters())
    assert all(torch.equal(before[name], value) for name, value in own.state_dict().items())
    assert torch.allclose(logits, own.eval()((x - 0.5) / 0.25), atol=1e-6)
    assert predict(model, x, top=9).top[0].name in ("cat", "dog")
    assert model.spec.feature_layers == ("0", "1") and model.spec.cam_layer == "1"


def test_wrap_takes_a_single_layer():
    linear = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    model = models.wrap(linear, input_size=2)
    assert model.categories == ("class 0", "class 1", "class 2")
    x = torch.rand(1, 3, 2, 2)
    assert torch.allclose(attribution.saliency(model, x, 1).values.flatten(), linear[1].weight[1], atol=1e-7)


@pytest.mark.parametrize(
    ("module", "categories"), [(nn.Conv2d(3, 1, 1), ()), (nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), ("one",))]
)
def test_wrap_refuses_what_is_no_classifier(module: nn.Module, categories: tuple[str, ...]):
    with pytest.raises(SpecError):
        models.wrap(module, categories=categories, input_size=2)


def test_unknown_names_and_devices(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(SpecError, match="vgg16"):
        models.load("vgg17")
    with pytest.raises(SpecError, match="random"):
        models.load("resnet18", weights="wrong")  # type: ignore[arg-type]
    monkeypatch.setenv("CONVIS_DEVICE", "abacus")
    with pytest.raises(SpecError, match="CONVIS_DEVICE"):
        models.choose_device()
    monkeypatch.setenv("CONVIS_DEVICE", "cpu")
    assert models.choose_device().type == "cpu"


def test_synsets_and_names_belong_together():
    synsets, names = models.imagenet_synsets(), models.imagenet_categories()
    assert len(synsets) == len(names) == 1000 and list(synsets) == sorted(synsets)
    assert (names[282], synsets[282]) == ("tiger cat", "n02123159")
    assert (names[967], synsets[967]) == ("espresso", "n07920052")


def test_two_threads_with_different_questions_get_the_answers_of_one(lite0, chelsea):
    # In double precision: in single, another number of threads rounds otherwise, and a ReLU near zero may flip.
    model = dataclasses.replace(lite0, module=copy.deepcopy(lite0.module).double())
    x = chelsea.double()
    targets = (282, 285)
    alone = {target: attribution.saliency(model, x, target).values for target in targets}
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    wrong: list[int] = []

    def ask(target: int) -> None:
        for _ in range(50):
            values = attribution.saliency(model, x, target).values
            if not torch.allclose(values, alone[target], rtol=1e-6, atol=1e-9):
                wrong.append(target)

    threads = [threading.Thread(target=ask, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and torch.is_grad_enabled()
    assert not torch.allclose(alone[282], alone[285], rtol=1e-3)
    assert not model.module.training and not any(p.requires_grad for p in model.module.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.module.state_dict().items())
