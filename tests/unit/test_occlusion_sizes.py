"""Several occlusion maps at once: the same maps as alone, refined together, with no computation left running."""

import pytest
import torch
from torch import Tensor, nn

from convis_core import models, occlusion
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.occlusion import sizes
from convis_core.results import OcclusionMap, OcclusionSpec

SIDE = 24
SPECS = (OcclusionSpec(window=4, stride=4), OcclusionSpec(window=8, stride=4), OcclusionSpec(window=12, stride=3))


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 5)
    )
    return models.wrap(network.eval(), input_size=SIDE)


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(8))


def single(model: LoadedModel, x: Tensor, spec: OcclusionSpec) -> OcclusionMap:
    *_, last = occlusion.occlusion(model, x, 2, spec)
    return last


def test_each_map_equals_the_map_computed_alone(model, x):
    *_, last = sizes.compare(model, x, 2, SPECS)
    assert last.done == last.total == sum(each.total for each in last.maps)
    for each, spec in zip(last.maps, SPECS, strict=True):
        assert each.spec == spec
        assert torch.equal(each.logit, single(model, x, spec).logit)


def test_every_frame_has_every_map_and_more_windows_than_the_one_before(model, x):
    frames = list(sizes.compare(model, x, 2, SPECS))
    assert all(len(frame.maps) == len(SPECS) for frame in frames)
    assert all(frame.done == sum(each.done for each in frame.maps) for frame in frames)
    done = [frame.done for frame in frames]
    assert done == sorted(set(done)) and done[0] >= len(SPECS)


def test_closing_the_comparison_closes_its_maps(model, x, monkeypatch):
    closed = []

    def watched(*arguments):
        try:
            yield from occlusion.occlusion(*arguments)
        finally:
            closed.append(arguments[-1])

    monkeypatch.setattr(sizes, "occlusion", watched)
    frames = sizes.compare(model, x, 2, SPECS)
    next(frames)
    assert not closed
    frames.close()
    assert set(closed) == set(SPECS)


def test_a_comparison_of_nothing_is_refused(model, x):
    with pytest.raises(SpecError, match="nothing to compare"):
        next(sizes.compare(model, x, 2, ()))


def test_a_window_larger_than_the_picture_is_refused(model, x):
    with pytest.raises(SpecError, match="larger than the picture"):
        next(sizes.compare(model, x, 2, (SPECS[0], OcclusionSpec(window=SIDE + 1))))
