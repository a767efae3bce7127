"""Attributions by specification, their history and what is looked at of them."""

import dataclasses
import inspect
import math
import pickle
from itertools import pairwise

import pytest
import torch
from torch import nn

from convis_core import attribution, models
from convis_core.attribution import Method, MethodInfo, sanity
from convis_core.attribution.similarity import correlation
from convis_core.errors import SpecError
from convis_core.export import Recipe
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
QUICK = {SmoothGradSpec: SMOOTH, IntegratedGradientsSpec: IntegratedGradientsSpec(steps=5)}


def quick(info: MethodInfo, specs: dict[type, object] = QUICK) -> object:
    """A specification that asks little of a method, the method's own defaults where none is known."""
    return None if info.spec_type is None else specs.get(info.spec_type) or info.spec_type()


@pytest.mark.parametrize("info", attribution.METHODS, ids=lambda info: info.id)
def test_every_method_by_its_id_is_the_function_itself(model, x, info):
    given = {} if info.spec_type is None else {"spec": quick(info)}
    given |= {"layer": "1"} if info.takes_layer else {}
    answer = info.run(model, x, 1, **given)
    found = answer if isinstance(answer, Attribution) else list(answer)[-1]
    assert isinstance(answer, Attribution) == (info.spec_type is None), "a method with settings yields frames"
    method = attribution.method_with(info.id, **given)
    again = attribution.final(model, x, 1, method)
    assert torch.equal(again.values, found.values)
    assert again.method == found.method
    assert torch.equal(attribution.as_explainer(method)(model, x, 1).values, found.values)


def test_an_unknown_method_is_refused(model, x):
    for magic in ("magic", Method("magic")):
        with pytest.raises(SpecError, match="no method called 'magic'"):
            attribution.attribute(model, x, 0, magic)


@pytest.mark.parametrize(
    ("method", "settings", "says"),
    [
        ("saliency", {"spec": SmoothGradSpec()}, "Saliency takes no specification"),
        ("smoothgrad", {"spec": IntegratedGradientsSpec()}, "takes a SmoothGradSpec"),
        ("smoothgrad", {"layer": "0"}, "no particular layer"),
        (Method("grad_cam"), {"layer": "0"}, "no further"),
    ],
)
def test_settings_that_a_method_does_not_take_are_refused(model, x, method, settings, says):
    with pytest.raises(SpecError, match=says):
        attribution.attribute(model, x, 0, method, **settings)


def test_an_id_with_settings_is_the_same_question_as_a_record(model, x):
    asked = attribution.method_with("smoothgrad")
    assert asked == Method("smoothgrad", SmoothGradSpec()) == attribution.method_with(Method("smoothgrad"))
    assert attribution.method_with("grad_cam", layer="0") == Method("grad_cam", layer="0")
    by_id = attribution.final(model, x, 1, "grad_cam", layer="0")
    by_record = attribution.final(model, x, 1, Method("grad_cam", layer="0"))
    assert torch.equal(by_id.values, by_record.values)
    frames = attribution.attribute(model, x, 1, method="smoothgrad", spec=SMOOTH)
    assert torch.equal(list(frames)[-1].values, attribution.final(model, x, 1, Method("smoothgrad", SMOOTH)).values)


@pytest.mark.parametrize("info", attribution.METHODS, ids=lambda info: info.id)
def test_every_record_says_what_is_true_of_its_method(model, x, info):
    assert pickle.loads(pickle.dumps(info)) == info
    assert getattr(attribution, info.id) is info.run, "every method is a function of the package"
    assert attribution.method_info(info.id) is info
    module, _, name = info.recipe.rpartition(".")
    assert module == "attribution" and getattr(attribution, name) is info.run
    called = {"spec": info.spec_type is not None, "layer": info.takes_layer, "resume": info.continues is not None}
    parameters = inspect.signature(info.run).parameters
    assert {name: name in parameters for name in called} == called
    asked = attribution.method_with(info.id, spec=quick(info), layer="1" if info.takes_layer else None)
    *_, last = attribution.attribute(model, x, 0, asked)
    assert bool((last.values < 0).any()) == info.signed
    assert attribution.passes(asked) == (2 if info.id == "guided_grad_cam" else last.total)


@pytest.mark.parametrize("info", [info for info in attribution.METHODS if info.derivative], ids=lambda info: info.id)
def test_what_is_said_to_be_a_derivative_is_the_weights_of_a_linear_network(x, info):
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 3))
    found = attribution.final(models.wrap(net, input_size=SIDE), x, 2, info.id)
    assert torch.allclose(found.values, net[1].weight[2].view(3, SIDE, SIDE), atol=1e-6)


def test_a_variant_of_smoothgrad_has_its_own_unit_and_sign():
    variants = {kind: SmoothGradSpec(variant=kind) for kind in ("mean", "squared", "variance", "absolute")}
    infos = {kind: attribution.method_info(Method("smoothgrad", spec)) for kind, spec in variants.items()}
    assert [info.signed for info in infos.values()] == [info.derivative for info in infos.values()]
    assert {kind for kind, info in infos.items() if info.signed} == {"mean"}
    assert infos["mean"] == attribution.method_info("smoothgrad")
    assert len({info.unit for info in infos.values()}) == 4


@pytest.mark.parametrize("info", attribution.METHODS, ids=lambda info: info.id)
def test_the_recipe_of_a_method_computes_its_map_again(lite0, chelsea, info):
    few = {SmoothGradSpec: SmoothGradSpec(n_samples=2), IntegratedGradientsSpec: IntegratedGradientsSpec(steps=2)}
    asked = attribution.method_with(info.id, spec=quick(info, few), layer="blocks.9" if info.takes_layer else None)
    function, spec, options = attribution.recipe_parts(asked)
    names: dict[str, object] = {}
    exec(Recipe("efficientnet_lite0", "chelsea", function, 282, spec, options).as_python(), names)  # noqa: S102
    assert torch.equal(names["result"].values, attribution.final(lite0, chelsea, 282, asked).values)


def test_smoothgrad_goes_on_from_fewer_copies_but_not_from_other_noise(model, x):
    few = Method("smoothgrad", spec=SMOOTH)
    more = Method("smoothgrad", spec=dataclasses.replace(SMOOTH, n_samples=20, variant="variance"))
    other = Method("smoothgrad", spec=dataclasses.replace(SMOOTH, noise_level=0.1))
    fewer = Method("smoothgrad", spec=dataclasses.replace(SMOOTH, n_samples=2))
    reached = attribution.final(model, x, 0, few)
    assert attribution.continues(few, more, reached)
    assert not attribution.continues(few, other, reached)
    assert not attribution.continues(few, fewer, reached)
    assert not attribution.continues(few, Method("saliency"), reached)
    frames = list(attribution.attribute(model, x, 0, more, resume=reached))
    assert torch.equal(frames[-1].values, attribution.final(model, x, 0, more).values)
    assert len(frames) < len(list(attribution.attribute(model, x, 0, more)))


def test_the_history_is_that_of_all_frames(model, x):
    method = Method("smoothgrad", spec=SMOOTH)
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
    methods = (Method("smoothgrad", spec=SMOOTH), Method("saliency"))
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
