"""Attributions and occlusion against Captum on the same network, and against the obvious slow way."""

import copy
import dataclasses

import pytest
import torch
from captum.attr import (
    GuidedBackprop,
    GuidedGradCam,
    InputXGradient,
    IntegratedGradients,
    LayerAttribution,
    LayerGradCam,
    Occlusion,
    Saliency,
)
from torch import Tensor, nn

from convis_core import attribution, models, occlusion
from convis_core.models import LoadedModel
from convis_core.results import IntegratedGradientsSpec, OcclusionSpec, SmoothGradSpec

TARGET = 282
NETWORKS = ["efficientnet_lite0", "resnet18", "googlenet", "vgg16"]


@pytest.fixture(scope="module", params=NETWORKS)
def model(request) -> LoadedModel:
    weights = "pretrained" if request.param == "efficientnet_lite0" else "random"
    return models.load(request.param, weights=weights, seed=2)


def same(ours: Tensor, theirs: Tensor, *, within: float = 1e-5) -> bool:
    """Whether two maps differ by less than this share of their largest value."""
    scale = float(theirs.abs().max())
    return scale > 0 and float((ours - theirs.detach()).abs().max()) <= within * scale


def test_saliency_and_input_x_gradient(model, chelsea):
    x = chelsea.clone().requires_grad_()
    assert same(
        attribution.saliency(model, chelsea, TARGET).values, Saliency(model.module).attribute(x, TARGET, abs=False)[0]
    )
    product = InputXGradient(model.module).attribute(x, TARGET)[0]
    assert same(attribution.input_x_gradient(model, chelsea, TARGET).values, product)


@pytest.fixture(scope="module")
def exact(model) -> LoadedModel:
    """The network in double precision.

    The fast way folds batch norm, so its activations differ by rounding, and the gradient of a ReLU jumps at zero:
    in single precision a few units fall on the other side. In double precision none does, and equal is equal.
    """
    if model.spec.id == "vgg16":
        pytest.skip("1 GB in double precision, and nothing that the others do not show")
    return dataclasses.replace(model, module=copy.deepcopy(model.module).double())


def test_smoothgrad_is_the_statistics_of_captums_gradients_under_the_same_noise(exact, chelsea):
    x = chelsea.double()
    spec = SmoothGradSpec(n_samples=5, seed=3)
    sigma = attribution.noise_scale(x, spec.noise_level)
    noisy = [x + (sigma * attribution.sample_noise(spec, index, 224)).to(x) for index in range(5)]
    single = Saliency(exact.module)
    each = torch.cat([single.attribute(one.requires_grad_(), TARGET, abs=False) for one in noisy])
    twins = {"mean": each.mean(0), "squared": each.square().mean(0), "variance": each.var(0, correction=0)}
    for variant, twin in twins.items():
        *_, ours = attribution.smoothgrad(exact, x, TARGET, SmoothGradSpec(n_samples=5, seed=3, variant=variant))
        assert same(ours.values, twin.float()), variant


def test_integrated_gradients(exact, chelsea):
    x = chelsea.double()
    *_, ours = attribution.integrated_gradients(exact, x, TARGET, IntegratedGradientsSpec(steps=8))
    theirs = IntegratedGradients(exact.module).attribute(
        x, torch.zeros_like(x), TARGET, n_steps=8, internal_batch_size=8
    )
    assert same(ours.values.double(), theirs[0])


def test_in_single_precision_the_fast_way_stays_close(model, chelsea):
    spec = SmoothGradSpec(n_samples=5, seed=3)
    sigma = attribution.noise_scale(chelsea, spec.noise_level)
    noisy = [chelsea + sigma * attribution.sample_noise(spec, index, 224) for index in range(5)]
    single = Saliency(model.module)
    twin = torch.cat([single.attribute(one.requires_grad_(), TARGET, abs=False) for one in noisy]).mean(0)
    *_, ours = attribution.smoothgrad(model, chelsea, TARGET, spec)
    assert float((ours.values - twin).norm() / twin.norm()) < 0.01


def test_grad_cam(model, chelsea):
    layer = model.spec.cam_layer
    theirs = LayerGradCam(model.module, model.module.get_submodule(layer)).attribute(chelsea, TARGET)
    ours = attribution.grad_cam(model, chelsea, TARGET, layer=layer)
    assert ours.coarse is not None and same(ours.coarse, theirs[0, 0])
    assert ours.values.shape == (1, 224, 224)
    assert LayerAttribution.interpolate(theirs, (224, 224)).shape == (1, 1, 224, 224)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_guided_backprop_and_guided_grad_cam(model, chelsea):
    if model.spec.id == "efficientnet_lite0":
        pytest.skip("Captum guides nn.ReLU only; ReLU6 has a twin of its own below")
    theirs = GuidedBackprop(model.module).attribute(chelsea.clone().requires_grad_(), TARGET)
    assert same(attribution.guided_backprop(model, chelsea, TARGET).values, theirs[0])
    layer = model.module.get_submodule(model.spec.cam_layer)
    product = GuidedGradCam(model.module, layer).attribute(chelsea.clone().requires_grad_(), TARGET)
    ours = attribution.guided_grad_cam(model, chelsea, TARGET, layer=model.spec.cam_layer)
    assert ours.values.shape == product[0].shape


def test_guided_backprop_of_relu6_lets_positive_gradients_through_where_the_unit_is_free():
    own = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU6(), nn.Linear(8, 2))
    with torch.no_grad():
        own[1].weight.mul_(12)
    wrapped = models.wrap(own, input_size=2)
    x = torch.rand(1, 3, 2, 2)
    before = own[1](x.flatten(1))[0]
    arriving = own[3].weight[1] * ((before > 0) & (before < 6)) * (own[3].weight[1] > 0)
    expected = (arriving @ own[1].weight).view(3, 2, 2)
    assert torch.allclose(attribution.guided_backprop(wrapped, x, 1).values, expected, atol=1e-5)


@pytest.mark.parametrize("model_id", ["efficientnet_lite0", "resnet18", "squeezenet1_1"])
def test_occlusion_equals_captums_coverage_average(model_id: str, chelsea):
    model = models.load(model_id, weights="pretrained" if model_id == "efficientnet_lite0" else "random", seed=2)
    *_, ours = occlusion.occlusion(model, chelsea, TARGET, OcclusionSpec(window=64, stride=32, fill="black"))
    with torch.no_grad():
        theirs = Occlusion(model.module).attribute(
            chelsea, (3, 64, 64), (3, 32, 32), baselines=0, target=TARGET, perturbations_per_eval=12
        )
    assert same(ours.heatmap(), theirs[0, 0].float(), within=1e-4)


@pytest.mark.parametrize("model_id", [spec.id for spec in models.MODELS])
@pytest.mark.parametrize(("window", "stride", "fill"), [(96, 64, "mean"), (40, 61, "noise")])
def test_occlusion_equals_a_full_pass_of_every_window(model_id: str, window: int, stride: int, fill, chelsea):
    model = models.load(model_id, weights="random", seed=2)
    spec = OcclusionSpec(window=window, stride=stride, fill=fill)
    *_, found = occlusion.occlusion(model, chelsea, TARGET, spec)
    assert found.done == found.total == found.logit.numel() and int(found.tops[-1]) == 224 - window
    scale = float(model.module(chelsea).abs().max())
    places = [(r, c) for r in range(len(found.tops)) for c in range(len(found.lefts))]
    places = places if model_id != "vgg16" else places[:: max(1, len(places) // 4)]
    for row, column in places:
        hidden = occlusion.hide(model, chelsea, int(found.tops[row]), int(found.lefts[column]), spec)
        with torch.no_grad():
            logits = model.module(hidden)[0]
        assert abs(float(found.logit[row, column] - logits[TARGET])) <= 1e-5 * scale
        assert int(found.top_class[row, column]) == int(logits.argmax())
    assert float(found.logit.std()) > 1e-4 * scale, "the windows must matter, or nothing was shown"


def test_occlusion_of_a_linear_model_is_the_weighted_change():
    linear = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2))
    model = models.wrap(linear, input_size=16)
    x = torch.rand(1, 3, 16, 16)
    *_, found = occlusion.occlusion(model, x, 1, OcclusionSpec(window=5, stride=4, fill="grey"))
    contribution = (linear[1].weight[1].view(3, 16, 16) * (x[0] - 0.5)).sum(0)
    for row, top in enumerate(found.tops.tolist()):
        for column, left in enumerate(found.lefts.tolist()):
            expected = float(contribution[top : top + 5, left : left + 5].sum())
            assert float(found.drop()[row, column]) == pytest.approx(expected, abs=1e-4)


def test_the_first_map_comes_early_and_the_last_does_not_depend_on_the_way(lite0, chelsea):
    spec = OcclusionSpec(window=32, stride=24)
    first, *rest = occlusion.occlusion(lite0, chelsea, TARGET, spec)
    assert first.done < first.total / 3 and bool(first.logit.isnan().any())
    *_, again = occlusion.occlusion(lite0, chelsea, TARGET, spec)
    assert torch.equal(rest[-1].logit, again.logit) and not bool(again.logit.isnan().any())
    steps = [frame.done for frame in rest]
    assert steps == sorted(steps) and steps[-1] == again.total
