"""SmoothGrad: closed forms, noise that depends on seed and index alone, continuing, chunks, lanes."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from convis_core import attribution, models
from convis_core.attribution import chunks
from convis_core.attribution.similarity import correlation
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.results import SmoothGradSpec
from convis_core.runtime import lanes

SIDE = 10


class Square(nn.Module):
    """logit_c = a_c * sum of squares: the gradient 2 a x is odd in the noise, and known."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Linear(1, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale((x * x).flatten(1).sum(dim=1, keepdim=True))


class Smooth(nn.Module):
    """No kinks, so that rounding cannot move a gradient by more than rounding."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, padding=1)
        self.fc = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.tanh(self.conv(x)).square().mean(dim=(2, 3)))


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def square() -> LoadedModel:
    return models.wrap(Square(), input_size=SIDE)


@pytest.fixture
def smooth() -> LoadedModel:
    torch.manual_seed(0)
    return models.wrap(Smooth(), input_size=SIDE)


def last(frames):
    *_, final = frames
    return final


def run(model, x, **choices):
    return last(attribution.smoothgrad(model, x, 1, SmoothGradSpec(**choices)))


# ----------------------------------------------------------------------------------------------------------------------
# Closed forms


@pytest.mark.parametrize("noise_level", [0.0, 0.5])
def test_noise_does_not_move_the_gradient_of_a_linear_network(x, noise_level):
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 3))
    model = models.wrap(net, input_size=SIDE)
    weights = net[1].weight.detach()[1].view(3, SIDE, SIDE)
    expected = {"mean": weights, "squared": weights**2, "absolute": weights.abs(), "variance": torch.zeros(())}
    for variant, values in expected.items():
        found = run(model, x, noise_level=noise_level, n_samples=7, variant=variant)
        assert torch.allclose(found.values, values.expand_as(found.values), atol=1e-6), variant
        assert found.done == found.total == 7


def test_of_a_quadratic_network_all_variants_are_the_moments_of_the_noise(square, x):
    spec = SmoothGradSpec(noise_level=0.4, n_samples=13, seed=5)
    sigma = 0.4 * float(x.max() - x.min())
    noise = torch.stack([attribution.sample_noise(spec, index, SIDE) for index in range(13)])
    each = 2 * float(square.module.scale.weight[1, 0]) * (x + sigma * noise)
    expected = {
        "mean": each.mean(0),
        "squared": each.square().mean(0),
        "absolute": each.abs().mean(0),
        "variance": each.var(0, correction=0),
    }
    for variant, values in expected.items():
        found = last(attribution.smoothgrad(square, x, 1, dataclasses.replace(spec, variant=variant)))
        assert torch.allclose(found.values, values, rtol=1e-5, atol=1e-5), variant


def test_antithetic_pairs_cancel_what_is_odd_in_the_noise(square, x):
    expected = 2 * float(square.module.scale.weight[1, 0]) * x[0]
    paired = run(square, x, noise_level=0.5, n_samples=2, antithetic=True)
    assert torch.allclose(paired.values, expected, atol=1e-5)
    single = run(square, x, noise_level=0.5, n_samples=2)
    assert not torch.allclose(single.values, expected, atol=1e-2)


def test_a_picture_of_one_colour_has_no_range_and_gets_no_noise(smooth):
    flat = torch.full((1, 3, SIDE, SIDE), 0.3)
    found = run(smooth, flat, noise_level=0.5, n_samples=3)
    assert torch.allclose(found.values, attribution.saliency(smooth, flat, 1).values, atol=1e-6)


@pytest.mark.parametrize("variant", ["mean", "squared", "variance", "absolute"])
def test_without_noise_one_gradient_stands_for_all_copies(smooth, x, monkeypatch, variant):
    pictures = []

    def counted(model, batch, target):
        pictures.extend(batch)
        return chunks.logit_gradients(model, batch, target)

    monkeypatch.setattr("convis_core.attribution.methods.smoothgrad.logit_gradients", counted)
    spec = SmoothGradSpec(noise_level=0, n_samples=9, variant=variant)
    (frame,) = attribution.smoothgrad(smooth, x, 1, spec)
    assert len(pictures) == 1 and (frame.done, frame.total) == (9, 9)
    gradient = attribution.saliency(smooth, x, 1).values
    expected = {"mean": gradient, "squared": gradient**2, "variance": 0 * gradient, "absolute": gradient.abs()}
    assert torch.allclose(frame.values, expected[variant], atol=1e-7)
    more = dataclasses.replace(spec, n_samples=20)
    (again,) = attribution.smoothgrad(smooth, x, 1, more, resume=frame)
    assert torch.equal(again.values, frame.values) and again.done == 20
    assert attribution.passes(attribution.Method("smoothgrad", spec)) == 1


# ----------------------------------------------------------------------------------------------------------------------
# Noise


@given(
    st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 10**6), st.integers(0, 10**6), st.booleans()
)
@settings(max_examples=60, deadline=None)
def test_noise_depends_on_seed_and_index_and_on_nothing_else(seed, other_seed, index, other_index, antithetic):
    spec = SmoothGradSpec(seed=seed, antithetic=antithetic)
    noise = attribution.sample_noise(spec, index, 8)
    again = attribution.sample_noise(dataclasses.replace(spec, n_samples=7, noise_level=0.9), index, 8)
    assert torch.equal(noise, again)
    if index != other_index:
        assert not torch.equal(noise, attribution.sample_noise(spec, other_index, 8))
    if seed != other_seed:
        assert not torch.equal(noise, attribution.sample_noise(dataclasses.replace(spec, seed=other_seed), index, 8))
    if antithetic:
        assert torch.equal(noise, -attribution.sample_noise(spec, index ^ 1, 8))


def test_noise_is_standard_normal_and_uncorrelated_between_samples():
    spec = SmoothGradSpec(seed=2**63 + 1)
    noise = torch.stack([attribution.sample_noise(spec, index, 64) for index in range(20)]).flatten(1)
    assert float(noise.mean()) == pytest.approx(0, abs=0.01) and float(noise.std()) == pytest.approx(1, abs=0.01)
    among = torch.corrcoef(noise) - torch.eye(20)
    assert float(among.abs().max()) < 5 / math.sqrt(noise.shape[1])


# ----------------------------------------------------------------------------------------------------------------------
# Frames, continuing, chunks, lanes


def test_every_frame_is_what_a_run_with_as_many_samples_ends_with(smooth, x):
    frames = list(attribution.smoothgrad(smooth, x, 1, SmoothGradSpec(n_samples=11)))
    assert [frame.done for frame in frames] == [4, 8, 11] and {frame.total for frame in frames} == {11}
    for frame in frames:
        assert torch.equal(frame.values, run(smooth, x, n_samples=frame.done).values)


@pytest.mark.parametrize("fewer", [1, 4, 6, 11, 12])
@pytest.mark.parametrize("variant", ["mean", "variance"])
def test_continuing_ends_with_the_bits_of_one_go(lite0, chelsea, fewer, variant):
    small = dataclasses.replace(lite0, input_size=64)
    picture = chelsea[:, :, 80:144, 80:144]
    whole = SmoothGradSpec(n_samples=12, variant=variant)
    first = last(attribution.smoothgrad(small, picture, 281, SmoothGradSpec(n_samples=fewer)))
    continued = list(attribution.smoothgrad(small, picture, 281, whole, resume=first))
    at_once = list(attribution.smoothgrad(small, picture, 281, whole))
    assert torch.equal(continued[-1].values, at_once[-1].values) and continued[-1].done == 12
    assert len(continued) == max(1, len(at_once) - fewer // 4), "what is there is not computed again"


def test_the_lanes_do_not_show_in_the_bits(lite0, chelsea, monkeypatch):
    small = dataclasses.replace(lite0, input_size=64)
    picture = chelsea[:, :, 80:144, 80:144]
    spec = SmoothGradSpec(n_samples=9)
    spread = last(attribution.smoothgrad(small, picture, 281, spec))
    inline = lanes.run(lambda: last(attribution.smoothgrad(small, picture, 281, spec)))
    pool = lanes.Lanes(3)
    monkeypatch.setattr(lanes, "_shared", pool)
    three = last(attribution.smoothgrad(small, picture, 281, spec))
    pool.close()
    assert torch.equal(spread.values, inline.values) and torch.equal(spread.values, three.values)


def test_the_size_of_the_chunks_shows_in_rounding_only(smooth, x, monkeypatch):
    expected = run(smooth, x, n_samples=10).values
    for size in (1, 3, 10):
        monkeypatch.setattr("convis_core.attribution.methods.smoothgrad.chunk_size", lambda model, size=size: size)
        found = run(smooth, x, n_samples=10).values
        assert torch.allclose(found, expected, rtol=1e-5, atol=1e-7 * float(expected.abs().max()))


def test_chunks_fit_their_budget(lite0):
    kept = chunks._saved_bytes(lite0)
    # The activations of one picture: tens of MB, and never its 18.6 MB of weights on top of them again and again.
    assert 10 * 2**20 < kept < 40 * 2**20
    size = chunks.chunk_size(lite0)
    assert 1 <= size <= chunks.MOST_IN_A_CHUNK and size * kept <= chunks.CHUNK_BYTES


def test_the_largest_network_is_differentiated_by_twos():
    """VGG16 reads half a gigabyte of weights for a chunk, however small it is."""
    model = models.load("vgg16", weights="random")
    assert chunks._saved_bytes(model) < 45 * 2**20, "of an activation that is pooled only the maxima and their places"
    assert chunks.chunk_size(model) == 2


def test_more_samples_agree_better(lite0, chelsea):
    def halves(count: int) -> float:
        one, two = (run(lite0, chelsea, n_samples=count, seed=seed).values for seed in (1, 2))
        return correlation(one, two)

    assert halves(12) > halves(3) > 0


# ----------------------------------------------------------------------------------------------------------------------
# Refusals


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"n_samples": 0}, "number of samples"),
        ({"n_samples": 10_001}, "number from 1 to 10,000, not 10001"),
        ({"n_samples": True}, "number of samples"),
        ({"n_samples": 4.0}, "number of samples"),
        ({"noise_level": -0.1}, "noise level"),
        ({"noise_level": math.nan}, "noise level"),
        ({"noise_level": math.inf}, "noise level"),
        ({"noise_level": 10.1}, "from 0 to 10, not 10.1"),
        ({"noise_level": True}, "noise level"),
        ({"noise_level": "0.1"}, "noise level"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"seed": True}, "seed"),
        ({"seed": 1.0}, "seed"),
        ({"seed": "1"}, "seed"),
        ({"variant": "median"}, "The variant"),
    ],
)
def test_an_impossible_specification_is_refused_at_the_call(smooth, x, choices, says):
    with pytest.raises(SpecError, match=says):
        attribution.smoothgrad(smooth, x, 1, SmoothGradSpec(**choices))


def test_the_largest_and_smallest_settings_are_accepted(smooth, x):
    for choices in (
        {"n_samples": 10_000},
        {"noise_level": 10},
        {"seed": 2**64 - 1},
        {"n_samples": 1, "noise_level": 0},
    ):
        frames = attribution.smoothgrad(smooth, x, 1, SmoothGradSpec(**choices))
        assert bool(next(frames).values.isfinite().all())
        frames.close()


def test_another_network_of_the_same_class_does_not_continue_a_result(x):
    spec = SmoothGradSpec(n_samples=8)
    one, two = (models.wrap(Smooth(), input_size=SIDE) for _ in range(2))
    assert one.spec.id == two.spec.id
    for own, other in ((one, two), (two, one)):
        frame = last(attribution.smoothgrad(own, x, 1, spec))
        with pytest.raises(SpecError, match="another picture"):
            attribution.smoothgrad(other, x, 1, spec, resume=frame)
        assert last(attribution.smoothgrad(own, x, 1, spec, resume=frame)).done == 8


def test_a_result_of_something_else_is_not_continued(smooth, x):
    spec = SmoothGradSpec(n_samples=8)
    frame = last(attribution.smoothgrad(smooth, x, 1, spec))
    others = [
        (x.flip(3), 1, spec),
        (x, 2, spec),
        (x, 1, dataclasses.replace(spec, seed=1)),
        (x, 1, dataclasses.replace(spec, noise_level=0.2)),
        (x, 1, dataclasses.replace(spec, antithetic=True)),
    ]
    for picture, target, other in others:
        with pytest.raises(SpecError, match="another picture"):
            attribution.smoothgrad(smooth, picture, target, other, resume=frame)
    with pytest.raises(SpecError, match="another picture"):
        attribution.smoothgrad(smooth, x, 1, spec, resume=attribution.saliency(smooth, x, 1))
    with pytest.raises(SpecError, match="more than the 5"):
        attribution.smoothgrad(smooth, x, 1, SmoothGradSpec(n_samples=5), resume=frame)
