"""Winograd's convolution against torch's, in double precision, and against itself on crops."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from convis_core import incremental, lanes, models
from convis_core.incremental import winograd
from convis_core.incremental.kernels import Activation, channels_last


def made(inputs: int, outputs: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(inputs)
    weight = torch.randn(outputs, inputs, 3, 3, generator=generator) / inputs**0.5
    return weight, torch.randn(outputs, generator=generator)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 4), (7, 7), (13, 28), (6, 61)])
@pytest.mark.parametrize("count", [1, 5])
def test_it_is_the_convolution(size: tuple[int, int], count: int):
    weight, bias = made(32, 48)
    x = torch.randn(count, 32, *size, generator=torch.Generator().manual_seed(1))
    expected = functional.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    found = lanes.run(lambda: winograd.convolution(weight, bias, None)(channels_last(x), (1, 1)))
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) <= 2e-6 * float(expected.abs().max())


@pytest.mark.parametrize("activation", [Activation(0.0, None), Activation(0.0, 6.0)])
def test_it_activates_and_needs_no_bias(activation: Activation):
    weight, _ = made(16, 16)
    x = 5 * torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(1))
    expected = functional.conv2d(x, weight).clamp(activation.low, activation.high)
    assert 0 < float((expected == 0).float().mean()) < 1
    found = winograd.convolution(weight, None, activation)(channels_last(x), (0, 0))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("top", "left", "height", "width"), [(0, 0, 4, 6), (2, 8, 5, 3), (10, 4, 11, 16), (20, 20, 1, 1)]
)
def test_a_crop_that_begins_at_even_places_has_the_bits_of_the_map(top: int, left: int, height: int, width: int):
    weight, bias = made(64, 32)
    convolve = winograd.convolution(weight, bias, Activation(0.0, None))
    x = channels_last(torch.randn(3, 64, 32, 34, generator=torch.Generator().manual_seed(2)))
    whole = lanes.run(lambda: convolve(x, (0, 0)))
    read = x[:1, :, top : top + height + 2, left : left + width + 2]
    crop = lanes.run(lambda: convolve(channels_last(read), (0, 0)))
    assert torch.equal(crop[0], whole[0, :, top : top + height, left : left + width])


def test_only_large_plain_convolutions_are_computed_so():
    assert winograd.fits(nn.Conv2d(512, 512, 3, padding=1))
    for layer in (
        nn.Conv2d(512, 512, 3, stride=2),
        nn.Conv2d(512, 512, 3, dilation=2),
        nn.Conv2d(512, 512, 3, groups=2),
        nn.Conv2d(512, 512, 1),
        nn.Conv2d(64, 64, 3),
        nn.Conv2d(512, 512, 3).double(),
    ):
        assert not winograd.fits(layer)


def test_crops_of_such_layers_begin_at_even_places_wherever_the_window_is():
    network = incremental.program(models.load("vgg16", weights="random"))
    large = [index for index, placed in enumerate(network.steps) if placed.step.grain == winograd.TILE]
    assert len(large) == 6
    places = [0, 1, 37, 90, 101, 192]
    tops, lefts = [place for place in places for _ in places], places * len(places)
    as_array = torch.tensor([tops, lefts]).numpy()
    for batch in incremental.arrange(network, (32, 32), as_array[0], as_array[1], incremental.Limits()):
        assert not (batch.starts[:, large] % winograd.TILE).any()
        for index in large:
            rows, columns = batch.sizes[index]
            assert int(batch.starts[0, index].max()) + rows <= network.steps[index].extent[0]
            assert int(batch.starts[1, index].max()) + columns <= network.steps[index].extent[1]
