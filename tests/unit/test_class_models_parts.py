"""The rooms of class models one by one, each beside a slow and obvious twin."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from convis_core import models
from convis_core.class_models import objectives, parameterisation, regularisers, transforms
from convis_core.errors import SpecError
from convis_core.network import record
from convis_core.results import (
    ROBUST,
    AscentState,
    Channel,
    ClassLogit,
    ClassModelSpec,
    ClassProbability,
    Layer,
    LogProbability,
    Neuron,
    Regularisers,
    Spectrum,
    Sum,
    Transforms,
)

ORIGIN = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)


@pytest.fixture(scope="module")
def small() -> models.LoadedModel:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 4, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 5),
    )
    return models.wrap(network, input_size=16)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def gaussian_twin(z: Tensor, sigma: float) -> Tensor:
    radius = max(1, math.ceil(3 * sigma))
    weights = [math.exp(-(d**2) / (2 * sigma**2)) for d in range(-radius, radius + 1)]
    total = sum(weights) ** 2
    side = z.shape[-1]
    out = torch.zeros_like(z)
    for row in range(side):
        for column in range(side):
            for down, weight_down in zip(range(-radius, radius + 1), weights, strict=True):
                for across, weight_across in zip(range(-radius, radius + 1), weights, strict=True):
                    r, c = min(max(row + down, 0), side - 1), min(max(column + across, 0), side - 1)
                    out[..., row, column] += z[..., r, c] * weight_down * weight_across / total
    return out


def clip_twin(z: Tensor, size: Tensor, share: float) -> Tensor:
    out = z.clone()
    side = z.shape[-1]
    for picture in range(len(z)):
        places = [(float(size[picture, 0, r, c]), r, c) for r in range(side) for c in range(side)]
        for _, r, c in sorted(places)[: int(share * side * side)]:
            out[picture, :, r, c] = 0
    return out


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5])
def test_blur_is_the_weighted_mean_of_the_neighbourhood(sigma):
    z = random(2, 3, 9, 9)
    torch.testing.assert_close(regularisers.blur(z, sigma), gaussian_twin(z, sigma))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_pixels_of_small_norm_are_cleared(share):
    z = random(2, 3, 7, 7)
    expected = clip_twin(z, z.square().sum(1, keepdim=True).sqrt(), share)
    assert torch.equal(
        regularisers.tidy(Regularisers(small_norm=share, keep_in_range=False), z, z, ORIGIN, 1), expected
    )


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_pixels_of_small_contribution_are_cleared(share):
    z, gradient = random(2, 3, 7, 7), random(2, 3, 7, 7, seed=1)
    expected = clip_twin(z, (z * gradient).sum(1, keepdim=True).abs(), share)
    settings = Regularisers(small_contribution=share, keep_in_range=False)
    assert torch.equal(regularisers.tidy(settings, z, gradient, ORIGIN, 1), expected)


def test_values_are_clipped_to_the_range_of_pictures():
    z = 2 * random(1, 3, 5, 5)
    clipped = regularisers.tidy(Regularisers(), z, z, ORIGIN, 1) + ORIGIN
    torch.testing.assert_close(clipped, (z + ORIGIN).clamp(0, 1))


def test_blur_comes_every_so_many_steps():
    z = random(1, 3, 8, 8)
    settings = Regularisers(blur_sigma=1.0, blur_every=3, keep_in_range=False)
    blurred = [not torch.equal(regularisers.tidy(settings, z, z, ORIGIN, step), z) for step in range(1, 8)]
    assert blurred == [False, False, True, False, False, True, False]


def test_penalties_have_the_gradient_of_their_formula():
    x = (ORIGIN + 0.2 * random(2, 3, 6, 6)).requires_grad_(True)
    settings = Regularisers(l2=0.7, total_variation=0.3)
    across = (x[..., 1:] - x[..., :-1]).abs().sum()
    down = (x[..., 1:, :] - x[..., :-1, :]).abs().sum()
    (0.7 * (x - ORIGIN).square().sum() + 0.3 * (across + down)).backward()
    torch.testing.assert_close(regularisers.penalty_gradient(settings, x.detach(), ORIGIN), x.grad)


def test_a_flat_picture_has_no_total_variation_to_lose():
    flat = torch.full((1, 3, 5, 5), 0.3)
    assert regularisers.penalty_gradient(Regularisers(total_variation=1.0), flat, ORIGIN).abs().max() == 0


# Transforms


def test_views_are_seeded_by_seed_step_and_number():
    def views(seed: int, step: int) -> tuple[transforms.View, ...]:
        return transforms.draw(replace(ROBUST, views=2), (seed, step), 0.5, 224)

    assert views(3, 7) == views(3, 7)
    assert len({*views(3, 7), *views(3, 8), *views(4, 7)}) == 6
    x = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    assert torch.equal(transforms.apply(views(3, 7)[0], x), transforms.apply(views(3, 7)[0], x))


def test_the_default_transforms_change_nothing():
    x = torch.rand(2, 3, 32, 32)
    (view,) = transforms.draw(Transforms(), (0, 0), 0.0, 32)
    assert torch.equal(transforms.apply(view, x), x)


def test_views_are_differentiable():
    settings = replace(ROBUST, jitter=2, sides=(0.5,))
    (view,) = transforms.draw(settings, (1, 1), 0.0, 32)
    x = torch.rand(1, 3, 32, 32, dtype=torch.double, requires_grad=True)
    assert view.side == 16 and transforms.apply(view, x).shape == (1, 3, 16, 16)
    assert torch.autograd.gradcheck(lambda picture: transforms.apply(view, picture), (x,), fast_mode=True)


def test_each_transform_does_what_it_says():
    x = torch.rand(1, 3, 16, 16)
    plain = transforms.View(side=16)
    assert torch.equal(transforms.apply(plain, x), x)
    mirrored = transforms.apply(transforms.View(side=16, mirror=True), x)
    torch.testing.assert_close(mirrored, x.flip(-1))
    quarter = transforms.apply(transforms.View(side=16, rotation=math.pi / 2), x)
    assert any(torch.allclose(quarter, torch.rot90(x, k, (2, 3)), atol=1e-5) for k in (1, 3))
    rolled = transforms.apply(transforms.View(side=16, roll=(2, -3)), x)
    assert all(torch.equal(rolled[..., r, c], x[..., r - 2, (c + 3) % 16]) for r in range(16) for c in range(16))
    window = transforms.apply(transforms.View(side=16, zoom=0.5, centre=(0.5, -0.5)), x)
    part = nn.functional.interpolate(x[..., :8, 8:], scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(window[..., 1:-1, 1:-1], part[..., 1:-1, 1:-1])
    coloured = transforms.apply(transforms.View(side=16, gain=(2.0, 1.0, 0.5), offset=(0.0, 0.1, 0.0)), x)
    torch.testing.assert_close(coloured[:, 0], (x[:, 0] - 0.5) * 2 + 0.5)
    torch.testing.assert_close(coloured[:, 1], x[:, 1] + 0.1)


def test_noise_has_its_sigma_and_fades_and_is_one_sheet_for_all():
    settings = Transforms(noise=(0.4, 0.1), sides=(0.5, 1.0))
    x = torch.full((2, 3, 64, 64), 0.5)
    for progress, side, sigma in ((0.0, 32, 0.4), (0.5, 64, 0.25), (1.0, 64, 0.1)):
        (view,) = transforms.draw(settings, (0, 3), progress, 64)
        seen = transforms.apply(view, x)
        assert view.side == side and float((seen - 0.5).std()) == pytest.approx(sigma, rel=0.05)
        assert torch.equal(seen[0], seen[1])


def test_switching_a_transform_off_leaves_the_others_as_they_were():
    both = transforms.draw(Transforms(rotation=10, shift=0.1, jitter=4), (0, 0), 0, 64)[0]
    one = transforms.draw(Transforms(rotation=10), (0, 0), 0, 64)[0]
    assert one.rotation == both.rotation != 0 and one.centre == (0, 0)


# Parameterisations


@pytest.mark.parametrize("side", [16, 15])
def test_fourier_colours_are_a_sigmoid_of_mixed_waves(side):
    spec = ClassModelSpec(spectrum=Spectrum(decay=1.0, cutoff=5.0, chroma=1.0, contrast=1.0))
    values = torch.zeros(1, 3, side, side // 2 + 1, 2)
    values[0, 0, 0, 2, 0] = 1.0  # two waves of brightness from left to right, a cosine
    picture = parameterisation.render(spec, values, ORIGIN)
    amplitude = parameterisation.amplitudes(spec.spectrum, side)[0, 2] * 2 / side**2 / 4
    wave = amplitude * torch.cos(2 * math.pi * 2 * torch.arange(side) / side)
    brightness = torch.tensor([0.26, 0.27, 0.27]) / math.sqrt(0.26**2 + 2 * 0.27**2)
    expected = torch.sigmoid(brightness[:, None, None] * wave).expand(3, side, side)
    torch.testing.assert_close(picture[0], expected)


def test_amplitudes_fall_with_frequency_and_keep_their_energy():
    plain = parameterisation.amplitudes(Spectrum(decay=1.0, cutoff=5.0), 32)
    assert plain[0, 1] / plain[0, 4] == pytest.approx(4)
    smooth = parameterisation.amplitudes(Spectrum(decay=2.0, cutoff=0.3), 32)
    assert smooth[0, 1] / smooth[0, 4] == pytest.approx(16, rel=0.01)
    assert float(smooth.norm()) == pytest.approx(float(plain.norm()))
    assert smooth[0, 16] < 1e-4 * smooth[0, 1]


def test_a_picture_survives_as_coefficients():
    rows, columns = torch.meshgrid(torch.linspace(0, 3, 32), torch.linspace(0, 5, 32), indexing="ij")
    picture = torch.stack([0.5 + 0.3 * rows.sin() * columns.cos(), 0.5 + 0.2 * columns.sin(), 0.4 + 0.1 * rows.cos()])
    spec = ClassModelSpec(start="picture", spectrum=Spectrum(decay=1.5, cutoff=1.0))
    state = parameterisation.start(spec, 32, ORIGIN, picture)
    torch.testing.assert_close(parameterisation.render(spec, state.values[None], ORIGIN)[0], picture, atol=2e-3, rtol=0)


def test_starts_are_the_mean_colour_mid_grey_or_seeded_noise():
    def begin(**changes: str) -> Tensor:
        spec = ClassModelSpec(**changes)
        return parameterisation.render(spec, parameterisation.start(spec, 16, ORIGIN, None).values[None], ORIGIN)[0]

    torch.testing.assert_close(begin(parameterisation="pixels", start="zeros"), ORIGIN.expand(3, 16, 16))
    torch.testing.assert_close(begin(parameterisation="fourier", start="zeros"), torch.full((3, 16, 16), 0.5))
    for kind in ("pixels", "fourier"):
        assert torch.equal(begin(parameterisation=kind, start="noise"), begin(parameterisation=kind, start="noise"))
        assert begin(parameterisation=kind, start="noise").std() > 0


def test_a_smaller_rendering_is_every_second_pixel_of_what_it_can_show():
    spec = ClassModelSpec(spectrum=Spectrum(decay=1.0, cutoff=5.0))
    values = torch.zeros(2, 3, 32, 17, 2)
    values[:, :, :8, :8] = random(2, 3, 8, 8, 2)
    values[:, :, -7:, :8] = random(2, 3, 7, 8, 2, seed=1)
    whole = parameterisation.render(spec, values, ORIGIN)
    small = parameterisation.render(spec, values, ORIGIN, 16)
    torch.testing.assert_close(small, whole[..., ::2, ::2])
    assert small.std() > 0.01
    values[:, :, 12, 12] = 9.0  # a wave too short for the small pictures
    assert torch.equal(parameterisation.render(spec, values, ORIGIN, 16), small)
    assert not torch.allclose(parameterisation.render(spec, values, ORIGIN), whole, atol=1e-3)


def test_the_fourier_step_is_adam():
    spec = ClassModelSpec(ramp=4, steps_at_once=1)
    state = parameterisation.start(spec, 12, ORIGIN, None)
    batch = AscentState(state.values[None], state.first_moment[None], state.second_moment[None], state.seen, 0)
    twin = state.values[None].clone().requires_grad_(True)
    adam = torch.optim.Adam([twin], lr=spec.learning_rate, maximize=True)
    for step in range(7):
        direction = random(1, 3, 12, 12, seed=step)
        adam.param_groups[0]["lr"] = spec.learning_rate * (1 - spec.cool_down * min(1, step / 4))
        adam.zero_grad()
        (parameterisation.render(spec, twin, ORIGIN) * direction).sum().backward()
        adam.step()
        batch = parameterisation.climb(spec, batch, parameterisation.pull_back(spec, batch.values, direction, ORIGIN))
    torch.testing.assert_close(batch.values, twin.detach(), atol=1e-5, rtol=1e-4)
    assert batch.step == 7


# Objectives


def test_every_objective_by_hand(small):
    x = torch.rand(2, 3, 16, 16)
    layer, folded = "4", "0"
    logits = small.module(x)
    maps = record(small, x, [layer, folded])
    p = logits.softmax(1)
    expected = {
        ClassLogit(2): logits[:, 2],
        ClassProbability(2): p[:, 2],
        LogProbability(2): p[:, 2].log(),
        Channel(layer, 1): maps[layer][:, 1].mean((1, 2)),
        Channel(folded, 1): maps[folded][:, 1].mean((1, 2)),
        Neuron(layer, 3, 1, 2): maps[layer][:, 3, 1, 2],
        Layer(layer): maps[layer].square().mean((1, 2, 3)),
        Sum(ClassLogit(0), Channel(layer, 2), -0.5): logits[:, 0] - 0.5 * maps[layer][:, 2].mean((1, 2)),
    }
    for objective, value in expected.items():
        measured, seen = objectives.measure(small, x, objective)
        torch.testing.assert_close(measured, value, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(seen, logits, atol=1e-5, rtol=1e-4)


def test_the_class_of_an_objective():
    assert objectives.class_of(Sum(Channel("0", 1), LogProbability(4))) == 4
    assert objectives.class_of(Layer("0")) is None
    assert objectives.names_a_position(Sum(ClassLogit(0), Neuron("0", 0, 0, 0)))


@pytest.mark.parametrize(
    "objective",
    [
        ClassLogit(5),
        ClassProbability(-1),
        Channel("0", 6),
        Channel("nowhere", 0),
        Neuron("4", 0, 8, 0),
        Neuron("7", 0, 0, 0),
        Sum(ClassLogit(0), Layer("nowhere")),
    ],
)
def test_objectives_that_the_network_cannot_have(small, objective):
    with pytest.raises(SpecError):
        objectives.check_objective(small, objective)
