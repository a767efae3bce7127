"""Gradient ascent as a whole: closed forms, continuing to the same bits, no trace left behind, refusals."""

import math
import pickle
from dataclasses import replace

import pytest
import torch
from torch import nn

from convis_core import class_models, images, models
from convis_core.class_models import frames
from convis_core.errors import SpecError
from convis_core.results import (
    ROBUST,
    AscentState,
    Channel,
    ClassLogit,
    ClassModelFrame,
    ClassModelSpec,
    ClassProbability,
    DreamSpec,
    Layer,
    LogProbability,
    Moment,
    Neuron,
    Regularisers,
    Spectrum,
    Sum,
    Transforms,
)

PLAIN = ClassModelSpec(
    steps=300,
    parameterisation="pixels",
    start="zeros",
    learning_rate=0.1,
    cool_down=0.0,
    normalise=False,
    regularisers=Regularisers(keep_in_range=False),
    transforms=Transforms(),
    steps_at_once=1,
)
SHORT = replace(class_models.MODERN, steps=12, ramp=8, frame_every=4)
EVERYTHING = ClassModelSpec(
    steps=12,
    parameterisation="pixels",
    start="noise",
    ramp=8,
    frame_every=4,
    regularisers=Regularisers(0.3, 0.1, 0.8, 2, 0.1, 0.1),
    transforms=replace(ROBUST, jitter=2),
)


@pytest.fixture(scope="module")
def linear() -> models.LoadedModel:
    torch.manual_seed(1)
    return models.wrap(nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4)), input_size=8)


@pytest.fixture(scope="module")
def small() -> models.LoadedModel:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )
    return models.wrap(network, input_size=32, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2))


def weights(linear: models.LoadedModel) -> torch.Tensor:
    return linear.module.get_submodule("1").weight.view(4, 3, 8, 8)


def last(run) -> ClassModelFrame:
    *_, frame = run
    return frame


def same_bits(first: AscentState, second: AscentState) -> bool:
    names = ("values", "first_moment", "second_moment")
    return first.step == second.step and all(torch.equal(getattr(first, n), getattr(second, n)) for n in names)


# Closed forms


def test_a_linear_score_with_l2_converges_to_w_over_two_lambda(linear):
    spec = replace(PLAIN, regularisers=Regularisers(l2=0.4, keep_in_range=False))
    frame = last(class_models.ascend(linear, 2, spec))
    torch.testing.assert_close(frame.state.values, weights(linear)[2] / 0.8)
    assert frame.logit == pytest.approx(float(linear.module(frame.image[None])[0, 2]), abs=1e-5)


def test_normalised_gradients_converge_to_the_unit_gradient_over_two_lambda(linear):
    spec = replace(PLAIN, normalise=True, regularisers=Regularisers(l2=0.4, keep_in_range=False))
    w = weights(linear)[1]
    frame = last(class_models.ascend(linear, 1, spec))
    torch.testing.assert_close(frame.state.values, w / w.square().mean().sqrt() / 0.8)
    assert frame.gradient_norm == pytest.approx(float(w.norm()))


def test_the_softmax_gradient_is_weighted_by_p_times_one_minus_p(linear):
    x = torch.rand(1, 3, 8, 8)
    p, w, t = linear.module(x)[0].softmax(0), weights(linear), 3
    others = sum(p[k] * w[k] for k in range(4) if k != t) / (1 - p[t])
    by_hand = p[t] * (1 - p[t]) * (w[t] - others)
    spec = replace(PLAIN, steps=1, start="picture", learning_rate=1.0)
    moved = last(class_models.ascend(linear, ClassProbability(t), spec, picture=x)).state.values - x[0]
    torch.testing.assert_close(moved, by_hand, atol=1e-6, rtol=1e-4)
    logarithm = last(class_models.ascend(linear, LogProbability(t), spec, picture=x)).state.values - x[0]
    torch.testing.assert_close(logarithm, by_hand / p[t], atol=1e-6, rtol=1e-4)


def test_the_gradient_is_the_mean_over_the_views(linear):
    w = weights(linear)[0]
    spec = replace(PLAIN, steps=1, learning_rate=1.0, transforms=Transforms(views=16, mirror=True))
    moved = last(class_models.ascend(linear, 0, spec)).state.values
    shares = [
        (moved - w.flip(-1))[c, r, k] / (w - w.flip(-1))[c, r, k] for c, r, k in ((0, 0, 0), (1, 4, 2), (2, 7, 7))
    ]
    assert float(shares[0]) == pytest.approx(float(shares[1]), abs=1e-3) == pytest.approx(float(shares[2]), abs=1e-3)
    assert 0 < round(float(shares[0]) * 16) < 16


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_steps_at_once_all_look_at_the_picture_before_the_first(small, at_once):
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    spec = replace(PLAIN, steps=5, start="picture", learning_rate=3.0, steps_at_once=at_once)
    found = last(class_models.ascend(small, 3, spec, picture=x)).image
    twin = x.clone()
    for step in range(5):
        if step % at_once == 0:
            looked_at = twin.clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(small.module(looked_at)[0, 3], looked_at)
        twin = twin + 3.0 * gradient
    torch.testing.assert_close(found, twin[0].clamp(0, 1), atol=1e-4, rtol=0)


# Continuing, seeds, batches


@pytest.mark.parametrize("spec", [SHORT, EVERYTHING], ids=["fourier", "pixels"])
@pytest.mark.parametrize("stop", [4, 5])
def test_a_continued_run_has_the_bits_of_a_run_in_one_go(small, spec, stop):
    whole = last(class_models.ascend(small, 3, spec))
    half = last(class_models.ascend(small, 3, replace(spec, steps=stop)))
    continued = list(class_models.ascend(small, 3, spec, resume=pickle.loads(pickle.dumps(half))))
    assert continued[0].step > stop and continued[-1].total == spec.steps
    assert same_bits(continued[-1].state, whole.state) and torch.equal(continued[-1].image, whole.image)
    assert (continued[-1].logit, continued[-1].gradient_norm) == (whole.logit, whole.gradient_norm)
    assert [moment.step for moment in continued[-1].film] == [moment.step for moment in whole.film] == [4, 8, 12]


def test_a_run_stopped_halfway_continues_from_its_last_frame(small):
    running = class_models.ascend(small, 1, SHORT)
    stopped = next(running)
    running.close()
    assert stopped.step == 4
    assert same_bits(
        last(class_models.ascend(small, 1, SHORT, resume=stopped)).state,
        last(class_models.ascend(small, 1, SHORT)).state,
    )


def test_continuing_a_finished_run_gives_its_last_frame(small):
    finished = last(class_models.ascend(small, 1, SHORT))
    (again,) = class_models.ascend(small, 1, SHORT, resume=finished)
    assert torch.equal(again.image, finished.image) and again.step == again.total == 12


def test_the_frame_distance_does_not_change_the_bits(small):
    often = last(class_models.ascend(small, 1, replace(SHORT, frame_every=1)))
    assert same_bits(often.state, last(class_models.ascend(small, 1, SHORT)).state)


def test_the_seed_decides(small):
    def state(seed: int) -> AscentState:
        return last(class_models.ascend(small, 1, replace(SHORT, seed=seed))).state

    assert same_bits(state(5), state(5)) and not same_bits(state(5), state(6))


# Frames


def test_frames_say_how_far_they_are_and_what_the_network_thinks(small):
    shown = list(class_models.ascend(small, 2, replace(SHORT, steps=10)))
    assert [(f.step, f.done, f.total) for f in shown] == [(4, 4, 10), (8, 8, 10), (10, 10, 10)]
    for frame in shown:
        logits = small.module(frame.image[None])[0]
        assert frame.logit == pytest.approx(float(logits[2]), abs=1e-4) == pytest.approx(frame.score, abs=1e-4)
        assert frame.probability == pytest.approx(float(logits.softmax(0)[2]), abs=1e-4)
        assert frame.image.shape == (3, 32, 32) and frame.image.min() >= 0 and frame.image.max() <= 1
        assert not frame.image.requires_grad and frame.gradient_norm > 0
        assert frame.best.score == max(moment.score for moment in frame.film)
        assert torch.equal(frame.film[-1].pixels, (frame.image * 255).round().to(torch.uint8))


def test_a_frame_without_a_class_has_no_logit(small):
    frame = last(class_models.ascend(small, Layer("3"), SHORT))
    assert frame.logit != frame.logit and frame.probability != frame.probability and frame.score > 0


def test_a_film_stays_short_and_evenly_spaced_however_long_the_run():
    film: tuple[Moment, ...] = ()
    for step in range(8, 2049, 8):
        film = frames._extended(film, Moment(torch.empty(0), 0.0, 0.0, 0.0, 0.0, step), 8)
        assert len(film) <= frames.FILM_LENGTH + 1 and film[-1].step == step
    assert [moment.step for moment in film] == list(range(32, 2049, 32))


def test_everything_pickles_and_specs_are_keys(small):
    frame = pickle.loads(pickle.dumps(last(class_models.ascend(small, Sum(ClassLogit(0), Layer("3")), SHORT))))
    assert {frame.spec: 1}[SHORT] and {frame.objective: 1}[Sum(ClassLogit(0), Layer("3"))]


def test_a_state_pickles_to_little_more_than_its_values(small):
    state = last(class_models.ascend(small, 0, EVERYTHING)).state
    assert len(pickle.dumps(state)) < 2 * state.values.nbytes


def test_a_picture_to_start_from_is_where_it_starts(small):
    x = torch.rand(1, 3, 32, 32)
    spec = replace(PLAIN, steps=1, start="picture", learning_rate=0.0)
    torch.testing.assert_close(last(class_models.ascend(small, 0, spec, picture=x)).image, x[0])


# Other networks, and no trace


def test_networks_of_a_fixed_size_get_views_of_that_size(linear):
    assert last(class_models.ascend(linear, 0, SHORT)).image.shape == (3, 8, 8)


def test_a_channel_that_nothing_excites_is_woken():
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        network[0].weight.fill_(1 / 27)
        network[0].bias.copy_(torch.tensor([-0.7, 0.0]))  # grey is not enough for the first, white is
    model = models.wrap(network.eval(), input_size=16)
    spec = replace(PLAIN, steps=60, start="noise", normalise=True, learning_rate=0.05)
    for objective in (Channel("1", 0), ClassLogit(0)):
        shown = list(class_models.ascend(model, objective, replace(spec, frame_every=1)))
        assert shown[0].score == 0 and shown[0].gradient_norm > 0
        assert shown[-1].score > 0.1


def test_what_cannot_rise_any_more_is_left_alone():
    network = nn.Sequential(nn.Conv2d(3, 1, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        network[0].bias[0] = 100.0
    frame = last(class_models.ascend(models.wrap(network.eval(), input_size=8), 0, replace(PLAIN, steps=3)))
    assert frame.score == 6 and frame.gradient_norm == 0


def test_a_neuron_keeps_its_place(small):
    at_the_edge = Neuron("3", 1, 15, 15)  # a smaller view would have no such place
    assert math.isfinite(last(class_models.ascend(small, at_the_edge, SHORT)).score)


@pytest.mark.parametrize("ending", ["finished", "closed", "never begun"])
def test_ascent_leaves_no_trace(small, ending):
    before = {name: tensor.clone() for name, tensor in small.module.state_dict().items()}
    with torch.no_grad():
        running = class_models.ascend(small, 0, SHORT)
        if ending == "finished":
            last(running)
        elif ending == "closed":
            next(running)
            assert not torch.is_grad_enabled()
            running.close()
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    assert all(torch.equal(tensor, before[name]) for name, tensor in small.module.state_dict().items())
    assert not any(p.requires_grad or p.grad is not None for p in small.module.parameters())
    assert not small.module.training and not any(m._forward_hooks for m in small.module.modules())


def test_inference_mode_of_the_caller_does_no_harm(small):
    with torch.inference_mode():
        inside = last(class_models.ascend(small, 0, SHORT))
    assert same_bits(inside.state, last(class_models.ascend(small, 0, SHORT)).state)


# Refusals


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 0},
        {"parameterisation": "wavelets"},
        {"start": "anywhere"},
        {"start": "picture"},
        {"frame_every": 0},
        {"ramp": 0},
        {"seed": -1},
        {"steps_at_once": 0},
        {"learning_rate": float("nan")},
        {"cool_down": 1.5},
        {"regularisers": Regularisers(blur_sigma=1.0)},
        {"regularisers": Regularisers(l2=-1.0)},
        {"parameterisation": "pixels", "regularisers": Regularisers(small_norm=2.0)},
        {"parameterisation": "pixels", "regularisers": Regularisers(blur_every=0)},
        {"transforms": Transforms(views=0)},
        {"transforms": Transforms(zoom=(1.2, 0.8))},
        {"transforms": Transforms(sides=())},
        {"transforms": Transforms(noise=(0.1, -0.1))},
        {"spectrum": Spectrum(contrast=0.0)},
    ],
)
def test_impossible_specs_are_refused_before_anything_is_computed(small, changes):
    with pytest.raises(SpecError):
        class_models.ascend(small, 0, replace(SHORT, **changes))


def test_impossible_requests_are_refused(small):
    with pytest.raises(SpecError, match="Class 5"):
        class_models.ascend(small, 5, SHORT)
    with pytest.raises(SpecError, match="one picture"):
        class_models.ascend(small, 0, replace(SHORT, start="picture"), picture=torch.rand(1, 3, 8, 8))
    with pytest.raises(SpecError, match="neither without"):
        class_models.ascend(small, 0, SHORT, picture=torch.rand(1, 3, 32, 32))


def test_only_the_same_run_can_be_continued(small):
    frame = next(iter(class_models.ascend(small, 0, SHORT)))
    for target, spec in ((1, SHORT), (0, replace(SHORT, seed=1)), (0, replace(SHORT, steps=2))):
        with pytest.raises(SpecError):
            class_models.ascend(small, target, spec, resume=frame)


# Deep Dream and recognition


def test_a_dream_excites_the_layer_and_grows_through_its_octaves(small):
    x = images.to_tensor(images.sample("chelsea"), 96)[..., :80]
    spec = DreamSpec(octaves=2, octave_scale=1.5, steps=3, jitter=4)
    shown = list(class_models.deep_dream(small, x, Layer("3"), spec))
    assert [(f.step, f.total, f.octave) for f in shown] == [(i + 1, 6, i // 3) for i in range(6)]
    assert shown[0].image.shape == (3, 64, 53) and shown[-1].image.shape == (3, 96, 80)
    assert shown[2].score > shown[0].score and shown[5].score > shown[3].score
    again = list(class_models.deep_dream(small, x, Layer("3"), spec))
    assert torch.equal(shown[-1].image, again[-1].image)


def test_a_dream_without_steps_to_move_is_the_photograph(small):
    x = torch.rand(1, 3, 64, 64)
    spec = DreamSpec(octaves=2, octave_scale=2.0, steps=1, learning_rate=0.0)
    *_, frame = class_models.deep_dream(small, x, Channel("3", 0), spec)
    torch.testing.assert_close(frame.image, x[0])


def test_impossible_dreams_are_refused(small, linear):
    x = torch.rand(1, 3, 64, 64)
    with pytest.raises(SpecError, match="fewer octaves"):
        class_models.deep_dream(small, x, Layer("3"), DreamSpec(octaves=5))
    with pytest.raises(SpecError, match="ratio of one octave"):
        class_models.deep_dream(small, x, Layer("3"), DreamSpec(octave_scale=1.0))
    with pytest.raises(SpecError, match="one picture"):
        class_models.deep_dream(small, x[0], Layer("3"), DreamSpec())
    with pytest.raises(SpecError, match="does not take pictures"):
        list(class_models.deep_dream(linear, x, ClassLogit(0), DreamSpec(octaves=1)))


def test_recognition_is_the_prediction_and_how_steady_it_is(small, linear):
    picture = torch.rand(3, 32, 32)
    of_small, of_linear = class_models.recognise((small, linear), picture, 2)
    logits = small.module(picture[None])[0]
    assert of_small.probability == pytest.approx(float(logits.softmax(0)[2]), abs=1e-5)
    assert of_small.rank == sorted(logits.tolist(), reverse=True).index(float(logits[2])) + 1
    views = class_models.displaced(picture, 32)
    assert of_small.steadiness == pytest.approx(float((small.module(views).argmax(1) == 2).float().mean()))
    assert views.shape == (5, 3, 32, 32) and not any(torch.equal(view, picture) for view in views)
    assert of_linear.model_id == linear.spec.id
    with pytest.raises(SpecError):
        class_models.recognise((small,), picture[None], 2)
    with pytest.raises(SpecError):
        class_models.recognise((small,), picture, 9)


def test_a_few_modern_steps_on_the_real_network_already_climb(lite0):
    spec = replace(class_models.MODERN, steps=24, frame_every=8)
    first, *_, final = class_models.ascend(lite0, 954, spec)
    assert final.logit > first.logit + 0.5 and final.image.std() > first.image.std()
