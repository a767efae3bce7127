"""Occlusion against Captum on the same network, and against the obvious slow way."""

import pytest
import torch
from captum.attr import Occlusion
from torch import nn

from convis_core import models, occlusion
from convis_core.models import LoadedModel
from convis_core.results import OcclusionSpec
from tests.parity.peers import TARGET, distance


@pytest.fixture(scope="session")
def network(request: pytest.FixtureRequest) -> LoadedModel:
    """A network by its id, built once for all tests that take it."""
    return models.load(request.param, weights="random", seed=2)


@pytest.mark.parametrize("model_id", ["efficientnet_lite0", "resnet18", "squeezenet1_1"])
def test_occlusion_equals_captums_coverage_average(model_id: str, lite0, chelsea):
    model = lite0 if model_id == "efficientnet_lite0" else models.load(model_id, weights="random", seed=2)
    *_, ours = occlusion.occlusion(model, chelsea, TARGET, OcclusionSpec(window=64, stride=32, fill="black"))
    with torch.no_grad():
        theirs = Occlusion(model.module).attribute(
            chelsea, (3, 64, 64), (3, 32, 32), baselines=0, target=TARGET, perturbations_per_eval=12
        )
    assert distance(ours.heatmap(), theirs[0, 0]) <= 1e-4


@pytest.mark.parametrize("network", [spec.id for spec in models.MODELS], indirect=True)
@pytest.mark.parametrize(("window", "stride", "fill"), [(96, 64, "mean"), (40, 61, "noise")])
def test_occlusion_equals_a_full_pass_of_every_window(network: LoadedModel, window: int, stride: int, fill, chelsea):
    model = network
    spec = OcclusionSpec(window=window, stride=stride, fill=fill)
    *_, found = occlusion.occlusion(model, chelsea, TARGET, spec)
    assert found.done == found.total == found.logit.numel() and int(found.tops[-1]) == 224 - window
    scale = float(model.module(chelsea).abs().max())
    places = [(r, c) for r in range(len(found.tops)) for c in range(len(found.lefts))]
    places = places if model.spec.id != "vgg16" else places[:: max(1, len(places) // 4)]
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
