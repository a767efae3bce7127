"""Attributions by specification, their history and what is looked at of them."""

import dataclasses
import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from convis_core import attribution, models
from convis_core.attribution import Method, sanity
from convis_core.attribution.similarity import correlation
from convis_core.errors import SpecError
from convis_core.results import Attribution, DeletionInsertionSpec, IntegratedGradientsSpec, SmoothGradSpec

SIDE = 16


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * SIDE * SIDE, 3))
    return models.wrap(net, categories=("a", "b", "c"), input_size=SIDE)


@pytest.fixture(scope="module")
def x():
    return torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


SMOOTH = SmoothGradSpec(noise_level=0.2, n_samples=11)


def test_every_method_by_its_specification_is_the_function_itself(model, x):
    layer = model.spec.cam_layer or "1"
    integrated = IntegratedGradientsSpec(steps=5)
    expected = {
        Method("saliency"): attribution.saliency(model, x, 1),
        Method("input_x_gradient"): attribution.input_x_gradient(model, x, 1),
        Method("guided_backprop"): attribution.guided_backprop(model, x, 1),
        Method("grad_cam", layer=layer): attribution.grad_cam(model, x, 1, layer=layer),
        Method("guided_grad_cam", layer=layer): attribution.guided_grad_cam(model, x, 1, layer=layer),
        Method("smoothgrad", smoothgrad=SMOOTH): list(attribution.smoothgrad(model, x, 1, SMOOTH))[-1],
        Method("integrated_gradients", integrated=integrated): list(
            attribution.integrated_gradients(model, x, 1, integrated)
        )[-1],
    }
    assert {method.kind for method in expected} == set(attribution.KINDS)
    for method, found in expected.items():
        again = attribution.final(model, x, 1, method)
        assert torch.equal(again.values, found.values), method.kind
        assert again.method == found.method
        assert torch.equal(attribution.once(method)(model, x, 1).values, found.values)


def test_an_unknown_method_is_refused(model, x):
    with pytest.raises(SpecError, match="no method called 'magic'"):
        attribution.attribute(model, x, 0, Method("magic"))  # type: ignore[arg-type]


def test_smoothgrad_goes_on_from_fewer_copies_but_not_from_other_noise(model, x):
    few = Method("smoothgrad", smoothgrad=SMOOTH)
    more = Method("smoothgrad", smoothgrad=dataclasses.replace(SMOOTH, n_samples=20, variant="variance"))
    other = Method("smoothgrad", smoothgrad=dataclasses.replace(SMOOTH, noise_level=0.1))
    fewer = Method("smoothgrad", smoothgrad=dataclasses.replace(SMOOTH, n_samples=2))
    reached = attribution.final(model, x, 0, few)
    assert attribution.continues(few, more, reached)
    assert not attribution.continues(few, other, reached)
    assert not attribution.continues(few, fewer, reached)
    assert not attribution.continues(few, Method("saliency"), reached)
    frames = list(attribution.attribute(model, x, 0, more, resume=reached))
    assert torch.equal(frames[-1].values, attribution.final(model, x, 0, more).values)
    assert len(frames) < len(list(attribution.attribute(model, x, 0, more)))


def test_the_history_is_that_of_all_frames(model, x):
    method = Method("smoothgrad", smoothgrad=SMOOTH)
    frames = list(attribution.attribute(model, x, 0, method))
    *_, last = attribution.running(iter(frames))
    assert last.samples == tuple(frame.done for frame in frames)
    assert math.isnan(last.agreement[0])
    slow = [correlation(a.values, b.values) for a, b in pairwise(frames)]
    assert last.agreement[1:] == pytest.approx(slow)
    assert (last.done, last.total) == (11, 11)


def test_channel_rules_and_signs():
    values = torch.zeros(3, 1, 2)
    values[:, 0, 0] = torch.tensor([1.0, -3.0, 1.0])
    found = Attribution(values, 0, "saliency")
    first = {rule: float(attribution.combined(found, rule)[0, 0]) for rule in attribution.CHANNEL_RULES}
    assert first == {"strongest": 3, "sum of magnitudes": 5, "magnitude of the sum": 1}
    assert float(attribution.signed(found)[0, 0]) == -1
    coarse = torch.tensor([[-2.0]])
    cam = Attribution(torch.zeros(1, 2, 2), 0, "Grad-CAM", coarse=coarse)
    assert torch.equal(attribution.signed(cam), coarse)
    assert attribution.is_zero(cam) and not attribution.is_zero(found)
    assert attribution.strongest_pixel(found) == (0, 0)


def test_concentration_is_the_smallest_part_with_half_of_everything():
    assert attribution.concentration(torch.ones(10, 10)) == 0.5
    assert attribution.concentration(torch.zeros(4, 4)) == 0
    one = torch.zeros(10, 10)
    one[3, 4] = 7
    assert attribution.concentration(one) == 0.01


def test_relative_maps_end_at_their_99th_percentile_and_zero_stays_zero():
    ramp = torch.arange(10_000, dtype=torch.float32).view(100, 100)
    assert torch.allclose(attribution.relative(ramp), attribution.relative(1e-9 * ramp))
    assert float((attribution.relative(ramp) > 1).float().mean()) == pytest.approx(0.01, abs=1e-3)
    assert not attribution.relative(torch.zeros(3, 3)).any()
    spike = torch.zeros(50, 50)
    spike[0, 0] = 4
    assert float(attribution.relative(spike).max()) == 1


def test_sign_changes_skip_zeros_and_what_is_pending():
    walk = torch.tensor([[1.0, 1.0], [0.0, 2.0], [-1.0, 3.0], [2.0, 4.0], [math.nan, math.nan]])
    assert attribution.sign_changes(walk) == 2


def test_the_filmstrip_is_smoothgrad_level_by_level(model, x):
    frames = list(attribution.filmstrip(model, x, 2, (0.0, 0.3), SMOOTH))
    assert [frame.done for frame in frames] == sorted(frame.done for frame in frames)
    last = frames[-1]
    assert (last.done, last.total) == (12, 12)
    plain = attribution.saliency(model, x, 2).values
    assert torch.allclose(last.attributions[0].values, plain, atol=1e-6)
    noisy = list(attribution.smoothgrad(model, x, 2, dataclasses.replace(SMOOTH, noise_level=0.3)))[-1]
    assert torch.equal(last.attributions[1].values, noisy.values)
    with pytest.raises(SpecError):
        attribution.filmstrip(model, x, 2, (), SMOOTH)


def test_the_comparison_has_the_curves_and_likeness_that_one_gets_alone(model, x):
    methods = (Method("smoothgrad", smoothgrad=SMOOTH), Method("saliency"))
    spec = DeletionInsertionSpec(steps=4, random_orders=2)
    frames = list(attribution.compare(model, x, 0, methods, spec))
    last = frames[-1]
    assert last.done == last.total and all(a.done <= b.done for a, b in pairwise(frames))
    maps = [attribution.final(model, x, 0, method) for method in methods]
    for found, curve in zip(maps, last.curves, strict=True):
        *_, alone = sanity.deletion_insertion(model, x, found, spec)
        assert curve.deletion_auc() == pytest.approx(alone.deletion_auc())
        assert curve.insertion_auc() == pytest.approx(alone.insertion_auc())
    assert last.curves[0].random_deletion_auc() == pytest.approx(alone.random_deletion_auc())
    signed = [found.values.sum(dim=0) for found in maps]
    assert float(last.agreement[0, 1]) == pytest.approx(correlation(*signed))
    assert float(last.agreement[0, 0]) == pytest.approx(1)
    with pytest.raises(SpecError):
        attribution.compare(model, x, 0, (), spec)
