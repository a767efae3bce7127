"""An occlusion map does not depend on the order, the chunks or the interruptions of its computation."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from convis_core import models, occlusion
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.occlusion import maps
from convis_core.occlusion import order as occlusion_order
from convis_core.results import OcclusionMap, OcclusionSpec

SIDE, TARGET = 48, 2
SPEC = OcclusionSpec(window=12, stride=3, fill="grey")


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    torch.manual_seed(5)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, stride=2, padding=1, groups=32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 5),
    )
    return models.wrap(network.eval(), input_size=SIDE)


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(8))


@pytest.fixture(scope="module")
def whole(model: LoadedModel, x: Tensor) -> OcclusionMap:
    return last(model, x)


def last(model: LoadedModel, x: Tensor, **how: OcclusionMap) -> OcclusionMap:
    *_, final = occlusion.occlusion(model, x, TARGET, SPEC, **how)
    return final


def same(first: OcclusionMap, second: OcclusionMap) -> bool:
    names = ("probability", "logit", "top_class", "top_probability")
    return all(torch.equal(getattr(first, name), getattr(second, name)) for name in names)


@pytest.mark.parametrize("order", ["in one level", "backwards", "one by one"])
def test_the_interlacing_does_not_change_the_bits(model, x, whole, order, monkeypatch):
    positions = [np.array(position) for position in itertools.product(range(13), repeat=2)]
    levels = {
        "in one level": [np.stack(positions)],
        "backwards": [np.stack(positions[::-1])],
        "one by one": [position[None] for position in positions],
    }
    monkeypatch.setattr(maps, "interlaced", lambda count: levels[order])
    assert len(whole.tops) == 13 and same(last(model, x), whole)


@pytest.mark.parametrize(("batch", "seconds", "memory"), [(1, 1e-9, 2**28), (3, 1e-4, 2**28), (32, 9.0, 2**16)])
def test_the_chunks_do_not_change_the_bits(model, x, whole, batch, seconds, memory, monkeypatch):
    monkeypatch.setattr(occlusion_order, "_BATCH", batch)
    monkeypatch.setattr(occlusion_order, "_SHORTEST", seconds)
    monkeypatch.setattr(occlusion_order, "_LONGEST", seconds)
    monkeypatch.setattr(maps, "ACTIVATION_BYTES", memory)
    assert same(last(model, x), whole)


def test_a_stopped_map_is_resumed_where_it_stopped(model, x, whole, monkeypatch):
    monkeypatch.setattr(occlusion_order, "_BATCH", 4)
    monkeypatch.setattr(occlusion_order, "_SHORTEST", 1e-9)
    monkeypatch.setattr(occlusion_order, "_LONGEST", 1e-9)
    frames = occlusion.occlusion(model, x, TARGET, SPEC)
    stopped = next(frame for frame in frames if frame.done > 60)
    frames.close()
    computed = []
    score = maps._score
    monkeypatch.setattr(
        maps, "_score", lambda *arguments: computed.append(len(arguments[-1].rows)) or score(*arguments)
    )
    continued = list(occlusion.occlusion(model, x, TARGET, SPEC, resume=stopped))
    assert same(continued[-1], whole) and continued[-1].done == whole.total == 169
    assert sum(computed) == 169 - stopped.done, "nothing is computed twice"
    done = [frame.done for frame in continued]
    assert done == sorted(set(done)) and done[0] > stopped.done


def test_a_map_stopped_within_its_first_level_is_resumed_too(model, x, whole):
    empty = replace(
        whole,
        probability=torch.full_like(whole.probability, torch.nan),
        logit=torch.full_like(whole.logit, torch.nan),
        top_class=torch.full_like(whole.top_class, -1),
        top_probability=torch.full_like(whole.top_probability, torch.nan),
        done=0,
    )
    assert same(last(model, x, resume=empty), whole)


def test_a_complete_map_is_returned_as_it_is(model, x, whole):
    (again,) = occlusion.occlusion(model, x, TARGET, SPEC, resume=whole)
    assert again is whole


def test_only_a_map_of_the_same_request_is_resumed(model, x, whole):
    for target, spec in ((1, SPEC), (TARGET, replace(SPEC, window=11)), (TARGET, replace(SPEC, fill="black"))):
        with pytest.raises(SpecError, match="another class"):
            occlusion.occlusion(model, x, target, spec, resume=whole)
    with pytest.raises(SpecError, match="another picture"):
        last(model, x / 2, resume=whole)
