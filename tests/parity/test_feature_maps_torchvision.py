"""Averages, channels and contributions against torchvision's own feature extraction, on every network."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

from convis_core import feature_maps, models
from convis_core.models import LoadedModel
from convis_core.network import receptive
from convis_core.results import Cell

MODEL_IDS = tuple(spec.id for spec in models.MODELS)


@pytest.fixture(scope="module", params=MODEL_IDS)
def model(request: pytest.FixtureRequest) -> Iterator[LoadedModel]:
    yield models.load(request.param, weights="random", seed=3)


@pytest.fixture(scope="module")
def x() -> Tensor:
    coarse = torch.rand(1, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(coarse, size=224, mode="bilinear").clamp(0, 1)


@pytest.fixture(scope="module")
def extracted(model: LoadedModel, x: Tensor) -> dict[str, Tensor]:
    """What torchvision finds at the layers shown, a few hidden ones and the logits."""
    _, known = get_graph_node_names(model.module)  # torchvision does not look into the blocks that it calls its own
    hidden = [name for name in feature_maps.map_layers(model)[1::11] if name in known]
    wanted = list(dict.fromkeys((*model.spec.feature_layers, *hidden)))
    extractor = create_feature_extractor(model.module, wanted).eval()
    assert not model.module.training  # it traces both modes and must have put the model back
    with torch.no_grad():
        outputs: dict[str, Tensor] = extractor(x)
    return outputs


def test_averages_and_channels_equal_torchvisions(model: LoadedModel, x: Tensor, extracted: dict[str, Tensor]) -> None:
    shown = feature_maps.summarise(model, x)
    assert tuple(summary.layer for summary in shown) == model.spec.feature_layers
    everything = feature_maps.summarise(model, x, extracted)
    assert len(everything) == len(extracted) >= len(shown)
    for summary in everything:
        expected = extracted[summary.layer]
        assert summary.shape == tuple(expected.shape[1:])
        torch.testing.assert_close(summary.average, expected[0].mean(dim=0), rtol=1e-5, atol=1e-5)
        assert summary.maximum == pytest.approx(float(expected.max()), rel=1e-5, abs=1e-5)
        assert summary.std == pytest.approx(float(expected.std(correction=0)), rel=1e-3)
        assert summary.sparsity == pytest.approx(float((expected == 0).double().mean()), abs=1e-4)
    for layer in list(extracted)[:: max(1, len(extracted) // 4)]:
        torch.testing.assert_close(feature_maps.maps(model, x, layer).values, extracted[layer][0], rtol=1e-5, atol=1e-5)


def test_measured_field_lies_within_the_theoretical_one(model: LoadedModel, x: Tensor) -> None:
    layers = model.spec.feature_layers
    for layer in (layers[len(layers) // 3], layers[-1]):
        maps = feature_maps.maps(model, x, layer).values
        for row, column in ((0, 0), (maps.shape[1] - 1, maps.shape[2] // 2)):
            channel = int(maps[:, row, column].argmax())
            field = feature_maps.effective_field(model, x, layer, Cell(channel, row, column))
            assert field.box == receptive.box(model, layer, row, column)
            outside = field.values.clone()
            outside[field.box.top : field.box.bottom, field.box.left : field.box.right] = 0
            assert field.values.any()
            assert not outside.any()
