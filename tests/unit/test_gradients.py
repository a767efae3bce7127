"""One-pass gradients, Grad-CAM, integrated gradients and the walk: closed forms, twins, no trace."""

import dataclasses
import pickle
import threading

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from convis_core import attribution, models, network
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network import baselines
from convis_core.results import IntegratedGradientsSpec, NoiseWalkSpec, SmoothGradSpec

SIDE = 12
LINEAR = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 4))


class Curved(nn.Module):
    """ReLUs as layer, function and method, a ReLU6 that saturates, and a sum that two branches share."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.second = nn.Conv2d(6, 6, 3, padding=1)
        self.relu6 = nn.ReLU6()
        self.last = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.first(x))
        x = x + self.relu6(60 * self.second(x)).relu()
        return self.last(x.mean(dim=(2, 3)))


@pytest.fixture(scope="module")
def linear() -> LoadedModel:
    return models.wrap(LINEAR, input_size=SIDE)


@pytest.fixture(scope="module")
def weights() -> Tensor:
    return LINEAR[1].weight.detach()[2].view(3, SIDE, SIDE)


@pytest.fixture(scope="module")
def curved() -> LoadedModel:
    torch.manual_seed(0)
    return models.wrap(Curved(), input_size=SIDE, mean=(0.4, 0.5, 0.6))


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def last(frames):
    *_, final = frames
    return final


# ----------------------------------------------------------------------------------------------------------------------
# Closed forms on a linear network


def test_a_linear_network_has_its_weights_for_gradient(linear, weights, x):
    assert torch.allclose(attribution.saliency(linear, x, 2).values, weights, atol=1e-6)
    with pytest.raises(SpecError, match="has none"):  # it would be the gradient under another name
        attribution.guided_backprop(linear, x, 2)
    assert torch.allclose(attribution.input_x_gradient(linear, x, 2).values, weights * x[0], atol=1e-6)
    assert torch.equal(attribution.saliency(linear, x, 2).magnitude(), weights.abs().amax(0))


@pytest.mark.parametrize("kind", ["black", "grey", "white", "mean", "blurred"])
@pytest.mark.parametrize("steps", [1, 9])
def test_integrated_gradients_of_a_linear_network_are_its_terms(linear, weights, x, kind, steps):
    found = last(attribution.integrated_gradients(linear, x, 2, IntegratedGradientsSpec(steps, kind)))
    start = baselines.baseline(linear, x, kind)
    assert torch.allclose(found.values, weights * (x - start)[0], atol=1e-6)
    assert found.done == found.total == steps


def test_the_derivative_of_a_linear_network_does_not_change_on_the_way(linear, weights, x):
    walk = last(attribution.derivative_along_noise(linear, x, 2, (3, 5), NoiseWalkSpec(noise_level=0.3, steps=7)))
    assert torch.allclose(walk.derivatives, weights[:, 3, 5].expand(7, 3), atol=1e-6)
    assert torch.allclose(walk.largest, weights.abs().max().expand(7), atol=1e-6)
    ends = [float(linear.module(end[None])[0, 2]) for end in (x[0], walk.noisy)]
    assert walk.logits[[0, -1]].tolist() == pytest.approx(ends, abs=1e-5)
    assert float((walk.noisy - x[0]).std()) == pytest.approx(0.3 * float(x.max() - x.min()), rel=0.15)


# ----------------------------------------------------------------------------------------------------------------------
# Slow twins on a network with kinks


def slow_guided_backprop(net: Curved, x: Tensor, target: int) -> Tensor:
    """Every derivative written out by hand, with the guide applied at each of the three ReLUs."""
    with torch.no_grad():
        a = net.first(x)
        h = a.clamp(min=0)
        b = 60 * net.second(h)
        c = b.clamp(0, 6)
        at_sum = net.last.weight[target].view(1, 6, 1, 1).expand_as(h) / h[0, 0].numel()
        at_c = at_sum.clamp(min=0) * (c > 0)  # the outer ReLU, then the ReLU6
        at_b = at_c.clamp(min=0) * ((b > 0) & (b < 6))
        back = functional.conv_transpose2d(60 * at_b, net.second.weight, padding=1)
        at_h = (at_sum + back).clamp(min=0) * (a > 0)
        return functional.conv_transpose2d(at_h, net.first.weight, padding=1)[0]


def test_guided_backprop_guides_every_kind_of_relu(curved, x):
    net = curved.module
    before = 60 * net.second(net.first(x - x.new_tensor(curved.spec.mean).view(1, 3, 1, 1)).relu())
    assert bool((before > 6).any()) and bool((before < 0).any()), "the ReLU6 must be cut off at both ends"
    twin = slow_guided_backprop(net, x - x.new_tensor(curved.spec.mean).view(1, 3, 1, 1), 1)
    found = attribution.guided_backprop(curved, x, 1)
    assert torch.allclose(found.values, twin, atol=1e-6)
    assert not torch.allclose(found.values, attribution.saliency(curved, x, 1).values, atol=1e-4)


def test_grad_cam_is_the_weighted_sum_of_the_maps(curved, x):
    net = curved.module
    maps = net.first(x - x.new_tensor(curved.spec.mean).view(1, 3, 1, 1)).detach().requires_grad_()
    h = maps.relu()
    logit = net.last((h + net.relu6(60 * net.second(h)).relu()).mean(dim=(2, 3)))[0, 1]
    (slopes,) = torch.autograd.grad(logit, maps)
    expected = torch.zeros(SIDE, SIDE)
    for channel in range(6):
        expected += slopes[0, channel].mean() * maps[0, channel].detach()
    found = attribution.grad_cam(curved, x, 1, layer="first")
    assert found.coarse is not None and torch.allclose(found.coarse, expected, atol=1e-6)
    assert torch.allclose(found.values[0], expected.clamp(min=0), atol=1e-6) and found.values.shape == (1, SIDE, SIDE)
    assert torch.equal(found.magnitude(), found.values[0])
    guided = attribution.guided_grad_cam(curved, x, 1, layer="first")
    assert torch.equal(guided.values, attribution.guided_backprop(curved, x, 1).values * found.values)


@pytest.mark.parametrize("model_id", [spec.id for spec in models.MODELS])
def test_grad_cam_has_a_sensible_default_layer_in_every_network(model_id):
    model = dataclasses.replace(models.load(model_id, weights="random"), input_size=96)
    picture = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(2))
    found = attribution.grad_cam(model, picture, 5)
    assert found.coarse is not None and found.coarse.dim() == 2 and min(found.coarse.shape) >= 2
    assert found.values.shape == (1, 96, 96) and bool(found.values.isfinite().all()) and float(found.values.min()) >= 0
    assert float(found.coarse.std()) > 0


# ----------------------------------------------------------------------------------------------------------------------
# Properties on the real network


def test_integrated_gradients_are_complete_within_one_percent(lite0, chelsea):
    spec = IntegratedGradientsSpec()
    found = last(attribution.integrated_gradients(lite0, chelsea, 281, spec))
    start = baselines.baseline(lite0, chelsea, spec.baseline)
    rise = network.predict(lite0, chelsea).logits[281] - network.predict(lite0, start).logits[281]
    assert float(found.values.sum()) == pytest.approx(float(rise), rel=0.01)


def test_every_frame_of_integrated_gradients_is_an_estimate_of_the_whole(lite0, chelsea):
    first, *_, final = attribution.integrated_gradients(lite0, chelsea, 281, IntegratedGradientsSpec(steps=16))
    assert first.done < first.total == final.done == 16
    # A quarter of the points already has the whole difference's order of size, not a quarter of it.
    ratio = float(first.values.abs().sum() / final.values.abs().sum())
    assert 0.7 < ratio < 2.5


def test_a_walk_grows_and_what_is_pending_is_nan(lite0, chelsea):
    frames = list(attribution.derivative_along_noise(lite0, chelsea, 281, (100, 100), NoiseWalkSpec(steps=9)))
    assert [frame.done for frame in frames] == sorted({frame.done for frame in frames}) and frames[-1].done == 9
    for frame in frames:
        assert bool(frame.derivatives[: frame.done].isfinite().all()) and frame.total == 9
        assert bool(frame.derivatives[frame.done :].isnan().all()) and bool(frame.logits[frame.done :].isnan().all())
    at_start = attribution.saliency(lite0, chelsea, 281).values
    assert torch.allclose(frames[-1].derivatives[0], at_start[:, 100, 100], atol=1e-3 * float(at_start.abs().max()))


# ----------------------------------------------------------------------------------------------------------------------
# No trace


def state_of(model: LoadedModel) -> list[object]:
    """Everything that a careless method could leave changed."""
    found: list[object] = [torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_num_threads()]
    for name, layer in model.module.named_modules():
        hooks = [len(layer._forward_hooks), len(layer._forward_pre_hooks), len(layer._backward_hooks)]
        found.append((name, layer.training, hooks))
    for name, tensor in [*model.module.named_parameters(), *model.module.named_buffers()]:
        found.append((name, tensor._version, tensor.data_ptr(), tensor.requires_grad, tensor.grad is None))
    return found


def ways(model: LoadedModel, x: Tensor) -> list:
    return [
        lambda target: attribution.saliency(model, x, target),
        lambda target: attribution.input_x_gradient(model, x, target),
        lambda target: attribution.guided_backprop(model, x, target),
        lambda target: attribution.grad_cam(model, x, target, layer="first"),
        lambda target: attribution.guided_grad_cam(model, x, target, layer="first"),
        lambda target: last(attribution.smoothgrad(model, x, target, SmoothGradSpec(n_samples=9))),
        lambda target: last(attribution.integrated_gradients(model, x, target, IntegratedGradientsSpec(steps=9))),
        lambda target: last(attribution.derivative_along_noise(model, x, target, (1, 1), NoiseWalkSpec(steps=9))),
    ]


@pytest.mark.parametrize("mode", ["grad", "no_grad", "inference"])
def test_no_method_leaves_a_trace_whatever_the_grad_mode(curved, x, mode):
    expected = [way(1) for way in ways(curved, x)]
    context = {"grad": torch.enable_grad, "no_grad": torch.no_grad, "inference": torch.inference_mode}[mode]
    with context():
        given = x.clone()
        for way, same in zip(ways(curved, given), expected, strict=True):
            before = state_of(curved)
            found = way(1)
            with pytest.raises(SpecError):
                way(4)
            assert state_of(curved) == before
            for name in ("values", "derivatives"):
                tensor = getattr(found, name, None)
                if tensor is not None:
                    assert torch.equal(tensor, getattr(same, name)) and not tensor.requires_grad
                    assert tensor.dtype == torch.float32
    assert given.grad is None and torch.equal(given, x)


def test_closing_early_and_a_failure_on_the_way_leave_no_trace(curved, x, monkeypatch):
    before = state_of(curved)
    specs = SmoothGradSpec(n_samples=40), IntegratedGradientsSpec(steps=40), NoiseWalkSpec(steps=40)
    for start in (
        lambda: attribution.smoothgrad(curved, x, 1, specs[0]),
        lambda: attribution.integrated_gradients(curved, x, 1, specs[1]),
        lambda: attribution.derivative_along_noise(curved, x, 1, (0, 0), specs[2]),
    ):
        frames = start()
        next(frames)
        assert state_of(curved) == before, "while suspended"
        frames.close()
        assert state_of(curved) == before

    def fail(*_):
        raise RuntimeError("no more memory")

    monkeypatch.setattr("convis_core.attribution.methods.smoothgrad.logit_gradients", fail)
    with pytest.raises(RuntimeError, match="no more memory"):
        next(attribution.smoothgrad(curved, x, 1, specs[0]))
    assert state_of(curved) == before


def test_guided_and_plain_gradients_at_once_do_not_disturb_each_other(lite0, chelsea):
    plain, guided = (
        attribution.saliency(lite0, chelsea, 281).values,
        attribution.guided_backprop(lite0, chelsea, 281).values,
    )
    wrong: list[str] = []
    threads = torch.get_num_threads()

    def repeat(method, expected: Tensor) -> None:
        torch.set_num_threads(threads)  # a thread's own, and a matter of bits
        for _ in range(6):
            if not torch.allclose(
                method(lite0, chelsea, 281).values, expected, atol=1e-3 * float(expected.abs().max())
            ):
                wrong.append(method.__name__)

    both = (attribution.saliency, plain), (attribution.guided_backprop, guided)
    running = [threading.Thread(target=repeat, args=pair) for pair in both]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert not wrong
    assert not torch.allclose(plain, guided, atol=1e-2 * float(plain.abs().max())), "or confusing them would go unseen"


# ----------------------------------------------------------------------------------------------------------------------
# Refusals and records


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda m, x: attribution.saliency(m, x[:, :, 1:], 1), "one picture"),
        (lambda m, x: attribution.guided_backprop(m, x, -1), "does not exist"),
        (lambda m, x: attribution.grad_cam(m, x, 1, layer="nowhere"), "no layer called"),
        (lambda m, x: attribution.grad_cam(m, x, 1, layer="last"), "no rows and columns"),
        (lambda m, x: attribution.integrated_gradients(m, x, 1, IntegratedGradientsSpec(steps=0)), "of steps"),
        (lambda m, x: attribution.integrated_gradients(m, x, 1, IntegratedGradientsSpec(steps=4097)), "to 4,096"),
        (lambda m, x: attribution.integrated_gradients(m, x, 1, IntegratedGradientsSpec(steps=8.0)), "of steps"),
        (
            lambda m, x: attribution.integrated_gradients(m, x, 1, IntegratedGradientsSpec(steps=True)),
            "number of steps",
        ),
        (
            lambda m, x: attribution.integrated_gradients(m, x, 1, IntegratedGradientsSpec(baseline="pink")),
            "The baseline",
        ),
        (lambda m, x: attribution.derivative_along_noise(m, x, 1, (0, SIDE), NoiseWalkSpec()), "pixel"),
        (lambda m, x: attribution.derivative_along_noise(m, x, 1, (0, 0), NoiseWalkSpec(steps=1)), "of points"),
        (
            lambda m, x: attribution.derivative_along_noise(m, x, 1, (0, 0), NoiseWalkSpec(noise_level=-1)),
            "noise level",
        ),
        (lambda m, x: attribution.derivative_along_noise(m, x, 1, (0, 0), NoiseWalkSpec(seed=-1)), "seed"),
        (lambda m, x: attribution.derivative_along_noise(m, x, 1, (0, 0), NoiseWalkSpec(seed=0.0)), "seed"),
        (
            lambda m, x: attribution.derivative_along_noise(m, x, 1, (0, 0), NoiseWalkSpec(steps=4097)),
            "number of points",
        ),
        (
            lambda m, x: attribution.derivative_along_noise(m, x, 1, (0, 0), NoiseWalkSpec(noise_level=11)),
            "noise level",
        ),
    ],
)
def test_what_is_impossible_is_refused_at_the_call(curved, x, ask, says):
    with pytest.raises(SpecError, match=says):
        ask(curved, x)


def test_grad_cam_of_a_network_without_convolutions_asks_for_a_layer(linear, x):
    with pytest.raises(SpecError, match="no convolution"):
        attribution.grad_cam(linear, x, 1)


def test_results_pickle_and_specifications_are_keys(curved, x):
    for way in ways(curved, x):
        found = way(2)
        again = pickle.loads(pickle.dumps(found))
        assert type(again) is type(found) and again.target == found.target == 2
    assert len({SmoothGradSpec(), SmoothGradSpec(n_samples=25), SmoothGradSpec(), NoiseWalkSpec()}) == 3


def test_conventions_are_runnable_and_say_what_they_differ_in(curved, x):
    assert [convention.id for convention in attribution.CONVENTIONS] == ["paper", "captum", "pair"]
    for convention in attribution.CONVENTIONS:
        found = last(attribution.smoothgrad(curved, x, 1, dataclasses.replace(convention.spec, n_samples=2)))
        assert bool(found.values.isfinite().all())
    assert len({convention.spec for convention in attribution.CONVENTIONS}) == 3
