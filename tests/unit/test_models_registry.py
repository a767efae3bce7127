"""The registry: one file a network, collected in order, and nothing imported before it is needed."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import VGG16_Weights

from convis_core import models
from convis_core.errors import SpecError, WeightsError
from convis_core.models import loading, registry, zoo

ORDER = (
    "efficientnet_lite0",
    "vgg16",
    "alexnet",
    "resnet18",
    "resnet50",
    "googlenet",
    "squeezenet1_1",
    "mobilenet_v2",
    "densenet121",
)


def test_the_networks_stand_in_their_order_and_each_has_its_own_file():
    assert tuple(spec.id for spec in models.MODELS) == ORDER
    files = {path.stem for path in Path(zoo.__file__).parent.glob("*.py")} - {"__init__", "network"}
    assert files == set(ORDER)


def test_the_names_of_the_classes_are_torchvisions():
    assert models.imagenet_categories() == tuple(VGG16_Weights.IMAGENET1K_V1.meta["categories"])


def test_a_spec_carries_its_categories_and_is_hashed_compared_and_pickled():
    for spec in models.MODELS:
        assert spec.categories == models.imagenet_categories()
        again = pickle.loads(pickle.dumps(spec))
        assert again == spec and hash(again) == hash(spec)


def test_the_embedded_network_needs_no_torchvision():
    source = (
        "import sys\n"
        "from convis_core import models\n"
        "from convis_core.models import registry\n"
        "models.load('efficientnet_lite0', weights='random')\n"
        "assert not any(name.partition('.')[0] == 'torchvision' for name in sys.modules)\n"
        "registry.build('alexnet')\n"
        "assert 'torchvision' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", source], check=True, timeout=120)


def test_the_key_tells_weights_apart():
    one = models.load("squeezenet1_1", weights="random", seed=1)
    assert one.key == models.load("squeezenet1_1", weights="random", seed=1).key
    others = {
        models.load("squeezenet1_1", weights="random", seed=2).key,
        models.load("mobilenet_v2", weights="random", seed=1).key,
        models.load("efficientnet_lite0", weights="random", seed=1).key,
        models.load("efficientnet_lite0").key,
    }
    assert one.key not in others and len(others) == 4
    assert models.load("efficientnet_lite0").key == models.load("efficientnet_lite0").key


@pytest.mark.parametrize("model_id", ["", "resnet", 7, None, ["vgg16"], True, b"vgg16"])
def test_an_id_that_names_nothing_is_refused(model_id):
    for ask in (models.get_spec, models.load, registry.build):
        with pytest.raises(SpecError, match="There is no network called"):
            ask(model_id)


@pytest.mark.parametrize("weights", ["", "Random", None, True, ["random"], 0])
def test_weights_are_pretrained_or_random(weights):
    with pytest.raises(SpecError, match="'pretrained' or 'random'"):
        models.load("efficientnet_lite0", weights=weights)


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64, 1.0, float("nan"), float("inf"), "7", None, True])
def test_a_seed_is_a_whole_number_in_range(seed):
    with pytest.raises(SpecError, match="A seed is a whole number"):
        models.load("efficientnet_lite0", weights="random", seed=seed)


def test_seeds_from_numpy_are_seeds():
    model = models.load("efficientnet_lite0", weights="random", seed=np.int64(3))
    assert model.key == models.load("efficientnet_lite0", weights="random", seed=3).key


@pytest.fixture
def network():
    with torch.device("meta"):
        return registry.build("efficientnet_lite0")


def saved(path: Path, state: dict[str, torch.Tensor]) -> Path:
    torch.save(state, path)
    return path


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_numbers_are_refused(network, tmp_path: Path, bad: float):
    state = {name: torch.zeros(value.shape, dtype=value.dtype) for name, value in network.state_dict().items()}
    state["blocks.3.branch.project.conv.weight"][-1, -1] = bad
    with pytest.raises(WeightsError, match=r"not numbers, in blocks\.3\.branch\.project\.conv\.weight"):
        loading._assign(network, models.get_spec("efficientnet_lite0"), saved(tmp_path / "a.pth", state))


def test_the_weights_of_another_architecture_are_refused(network, tmp_path: Path):
    for state in ({"features.0.weight": torch.zeros(3)}, {name: torch.zeros(2) for name in network.state_dict()}):
        with pytest.raises(WeightsError, match="does not hold the weights of EfficientNet-Lite0"):
            loading._assign(network, models.get_spec("efficientnet_lite0"), saved(tmp_path / "b.pth", state))
