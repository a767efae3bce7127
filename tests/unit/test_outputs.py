"""Networks with one class, two, and very many; and the layer that Grad-CAM explains in them."""

import math

import pytest
import torch
from torch import Tensor, nn

from convis_core import attribution, class_models, models, network, occlusion
from convis_core.attribution import sanity
from convis_core.models import LoadedModel
from convis_core.results import (
    ClassLogit,
    ClassModelSpec,
    ClassProbability,
    DeletionInsertionSpec,
    LogProbability,
    OcclusionSpec,
    Transforms,
)

SIDE = 24


def wrap(classes: int) -> LoadedModel:
    torch.manual_seed(2)
    body = [nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, classes)]
    return models.wrap(nn.Sequential(*body), input_size=SIDE)


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def test_a_single_logit_is_a_probability_by_the_sigmoid(x):
    model = wrap(1)
    logit = float(model.module(x)[0, 0])
    found = network.predict(model, x)
    assert float(found.probabilities[0]) == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-6)
    assert [score.index for score in found.top] == [0] and found.top[0].probability < 0.999


def test_occlusion_of_a_single_logit_is_that_of_full_passes(x):
    model, spec = wrap(1), OcclusionSpec(window=8, stride=8, fill="black")
    *_, found = occlusion.occlusion(model, x, 0, spec)
    for row, top in enumerate(found.tops.tolist()):
        for column, left in enumerate(found.lefts.tolist()):
            logit = float(model.module(occlusion.hide(model, x, top, left, spec))[0, 0])
            assert float(found.logit[row, column]) == pytest.approx(logit, abs=1e-5)
            assert float(found.probability[row, column]) == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-5)


def test_curves_of_a_single_logit_begin_and_end_with_its_probabilities(x):
    model = wrap(1)
    spec = DeletionInsertionSpec(steps=3, random_orders=0, deleted="black")
    *_, found = sanity.deletion_insertion(model, x, attribution.saliency(model, x, 0), spec)
    at_picture = float(network.predict(model, x).probabilities[0])
    at_black = float(network.predict(model, torch.zeros_like(x)).probabilities[0])
    assert float(found.deletion[0]) == pytest.approx(at_picture, abs=1e-5)
    assert float(found.deletion[-1]) == pytest.approx(at_black, abs=1e-5)


@pytest.mark.parametrize("objective", [ClassLogit(0), ClassProbability(0), LogProbability(0)])
def test_a_class_model_of_a_single_logit_raises_it(objective):
    model = wrap(1)
    spec = ClassModelSpec(
        steps=30, learning_rate=0.01, parameterisation="pixels", transforms=Transforms(), frame_every=1
    )
    frames = list(class_models.ascend(model, objective, spec))
    assert frames[-1].logit > frames[0].logit and frames[-1].probability > frames[0].probability
    assert frames[-1].probability == pytest.approx(1 / (1 + math.exp(-frames[-1].logit)), abs=1e-6)


@pytest.mark.parametrize("classes", [2, 1000, 21_000])
def test_any_number_of_classes_is_ranked_and_explained(classes, x):
    model = wrap(classes)
    found = network.predict(model, x, top=2)
    assert float(found.probabilities.sum()) == pytest.approx(1, abs=1e-4)
    assert found.top[0].index == int(model.module(x)[0].argmax())
    last = classes - 1
    *_, hidden = occlusion.occlusion(model, x, last, OcclusionSpec(window=12, stride=12))
    assert float(hidden.baseline_logit) == pytest.approx(float(model.module(x)[0, last]), abs=1e-5)
    assert bool(attribution.saliency(model, x, last).values.isfinite().all())


@pytest.mark.parametrize("target", [0, 3])
def test_before_averaging_and_a_linear_layer_grad_cam_adds_up_to_the_logit(target, x):
    model = wrap(5)
    bias = float(model.module.get_submodule("4").bias[target])
    coarse = attribution.grad_cam(model, x, target).coarse
    assert float(coarse.sum()) == pytest.approx(float(model.module(x)[0, target]) - bias, abs=1e-5)


def test_a_wrapped_resnet_has_the_map_of_the_registrys(chelsea):
    from torchvision.models import resnet18

    known = models.load("resnet18", weights="random", seed=6)
    bare = resnet18(weights=None).eval()
    bare.load_state_dict({name: value for name, value in known.module.state_dict().items() if "normalise" not in name})
    wrapped = models.wrap(bare, mean=known.spec.mean, std=known.spec.std)
    expected, found = (attribution.grad_cam(model, chelsea, 7) for model in (known, wrapped))
    assert torch.equal(found.coarse, expected.coarse) and torch.equal(found.values, expected.values)
