"""Drawings in step and networks asked in turn: each as it would be alone."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from convis_core import class_models, models
from convis_core.errors import SpecError
from convis_core.results import ClassLogit, ClassProbability

SPEC = replace(dict(class_models.PRESETS)["raw"], steps=4, frame_every=2)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(5)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return models.wrap(layers.eval(), input_size=16)


def test_each_drawing_of_a_pair_is_what_it_would_be_alone(network):
    wishes = (ClassLogit(1), SPEC), (ClassProbability(1), replace(SPEC, start="noise"))
    pairs = list(class_models.ascend_pair(network, *wishes))
    alone = [list(class_models.ascend(network, *wish)) for wish in wishes]
    assert [pair.done for pair in pairs] == [frame.step for frame in alone[0]]
    assert pairs[-1].done == pairs[-1].total == 4
    for pair, one, other in zip(pairs, *alone, strict=True):
        assert torch.equal(pair.left.image, one.image) and torch.equal(pair.right.image, other.image)


def test_drawings_of_different_length_are_no_pair(network):
    with pytest.raises(ValueError, match="shorter"):
        list(class_models.ascend_pair(network, (ClassLogit(1), SPEC), (ClassLogit(1), replace(SPEC, steps=2))))


def test_a_pair_that_is_refused_is_refused(network):
    with pytest.raises(SpecError):
        list(class_models.ascend_pair(network, (ClassLogit(1), SPEC), (ClassLogit(99), SPEC)))


def test_networks_are_asked_one_after_the_other(network, monkeypatch):
    loaded = []
    monkeypatch.setattr(models, "load", lambda name: loaded.append(name) or network)
    picture = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(2))
    (expected,) = class_models.recognise((network,), picture, 1)
    turns = class_models.recognise_in_turn(("one", "two"), picture, 1)
    first = next(turns)
    assert loaded == ["one"] and (first.done, first.total) == (1, 2)
    last = next(turns)
    assert loaded == ["one", "two"] and (last.done, last.total) == (2, 2)
    assert [answer.probability for answer in last.given] == [expected.probability] * 2
