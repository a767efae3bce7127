"""Winograd's convolution against torch's, in both directions, and against itself on crops."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from convis_core import models
from convis_core.engines import incremental, winograd
from convis_core.engines.incremental.kernels import channels_last
from convis_core.engines.incremental.regions import Slide
from convis_core.network.operations import Gate
from convis_core.runtime import lanes

TILES = [2, 4]
PRECISION = {2: 2e-6, 4: 4e-6}
"""Largest difference from double precision, as a share of the largest value."""


def made(inputs: int, outputs: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(inputs)
    weight = torch.randn(outputs, inputs, 3, 3, generator=generator) / inputs**0.5
    return weight, torch.randn(outputs, generator=generator)


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 4), (7, 7), (13, 28), (6, 61), (9, 700)])
@pytest.mark.parametrize("count", [1, 5])
def test_it_is_the_convolution(tile: int, size: tuple[int, int], count: int):
    weight, bias = made(32, 48)
    x = torch.randn(count, 32, *size, generator=torch.Generator().manual_seed(1))
    expected = functional.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    filters = winograd.transformed(weight, tile)
    found = lanes.run(lambda: winograd.convolve(channels_last(x), filters, (1, 1), bias))
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) <= PRECISION[tile] * float(expected.abs().max())


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("padding", [(0, 0), (1, 1), (2, 0), (1, 2)])
@pytest.mark.parametrize("count", [1, 3])
def test_the_way_back_is_the_gradient_by_the_input(tile: int, padding: tuple[int, int], count: int):
    weight, _ = made(24, 40)
    x = torch.zeros(count, 24, 11, 18, dtype=torch.float64, requires_grad=True)
    y = functional.conv2d(x, weight.double(), padding=padding)
    gradient = torch.randn(y.shape, generator=torch.Generator().manual_seed(2))
    (expected,) = torch.autograd.grad(y, x, gradient.double())
    found = winograd.gradient_by_input(channels_last(gradient), winograd.transformed(weight, tile), padding)
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) <= PRECISION[tile] * float(expected.abs().max())


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("gate", [Gate(0.0, math.inf), Gate(0.0, 6.0)])
def test_it_activates_and_needs_no_bias(tile: int, gate: Gate):
    weight, _ = made(16, 16)
    x = 5 * torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(1))
    expected = functional.conv2d(x, weight).clamp(gate.low, gate.high)
    assert 0 < float((expected == 0).float().mean()) < 1
    found = winograd.convolve(channels_last(x), winograd.transformed(weight, tile), (0, 0), None, gate)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("tile", TILES)
def test_it_rounds_about_as_the_direct_sum_does(tile: int):
    weight, _ = made(256, 64)
    x = torch.randn(2, 256, 28, 28, generator=torch.Generator().manual_seed(3))
    expected = functional.conv2d(x.double(), weight.double(), padding=1)
    direct = functional.conv2d(channels_last(x), channels_last(weight), padding=1) - expected
    found = winograd.convolve(channels_last(x), winograd.transformed(weight, tile), (1, 1)) - expected
    assert float(found.std()) <= 3 * float(direct.std())


@pytest.mark.parametrize(
    ("tile", "top", "left", "height", "width"),
    [
        *[(2, 0, 0, 4, 6), (2, 2, 8, 5, 3), (2, 10, 4, 11, 16), (2, 20, 20, 1, 1)],
        *[(4, 0, 0, 4, 8), (4, 4, 8, 12, 3), (4, 12, 4, 11, 16), (4, 20, 20, 3, 3), (4, 28, 4, 4, 30)],
    ],
)
def test_a_crop_that_begins_where_a_tile_does_has_the_bits_of_the_map(
    tile: int, top: int, left: int, height: int, width: int
):
    weight, bias = made(64, 32)
    filters = winograd.transformed(weight, tile)
    x = channels_last(torch.randn(3, 64, 34, 36, generator=torch.Generator().manual_seed(2)))
    whole = lanes.run(lambda: winograd.convolve(x, filters, (0, 0), bias, Gate(0.0, math.inf)))
    read = channels_last(x[:1, :, top : top + height + 2, left : left + width + 2])
    crop = lanes.run(lambda: winograd.convolve(read, filters, (0, 0), bias, Gate(0.0, math.inf)))
    assert torch.equal(crop[0], whole[0, :, top : top + height, left : left + width])


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("changed", [(0, 1), (7, 8), (8, 9), (11, 12), (12, 20), (13, 15), (26, 28)])
def test_where_rounding_spreads_is_what_regions_say(tile: int, changed: tuple[int, int]):
    weight, _ = made(64, 64)
    filters = winograd.transformed(weight, tile)
    x = channels_last(torch.randn(1, 64, 28, 28, generator=torch.Generator().manual_seed(6)))
    other = x.clone()
    other[:, :, slice(*changed)] += 1
    before, after = (lanes.run(partial(winograd.convolve, each, filters, (1, 1))) for each in (x, other))
    rows = (before != after).any(dim=(0, 1, 3)).nonzero().flatten().tolist()
    slide, span = Slide(3, 1, 1, 1, 28, 28), torch.tensor(changed).numpy()[:, None]
    spans = [slide.projective(span), slide.tiles(span, tile)]
    assert (rows[0], rows[-1] + 1) == (min(low.item() for low, _ in spans), max(high.item() for _, high in spans))


def test_only_plain_convolutions_are_computed_so():
    assert winograd.suits(nn.Conv2d(512, 512, 3, padding=1))
    for layer in (
        nn.Conv2d(512, 512, 3, stride=2),
        nn.Conv2d(512, 512, 3, dilation=2),
        nn.Conv2d(512, 512, 3, groups=2),
        nn.Conv2d(512, 512, 1),
        nn.Conv2d(512, 512, 3).double(),
    ):
        assert not winograd.suits(layer)


def test_the_tile_is_as_large_as_pays():
    assert winograd.tile_for((512, 512), (28, 28)) == 4
    assert winograd.tile_for((512, 512), (7, 7)) == 4
    assert winograd.tile_for((512, 512), (14, 14)) == 2, "the filters would be twice as large"
    assert winograd.tile_for((512, 512), (28, 28), 2) == 2
    assert winograd.tile_for((512, 512), (29, 29)) == 2, "of a tile of four only one output would be there"
    assert winograd.tile_for((3, 64), (224, 224)) == 0, "to transform costs more than it saves"


@pytest.mark.parametrize(("size", "tile", "products"), [((28, 28), 4, 36), ((14, 14), 2, 16), ((14, 14), 4, 36)])
def test_the_share_counts_whole_tiles(size: tuple[int, int], tile: int, products: int):
    tiles = -(-size[0] // tile) * -(-size[1] // tile)
    assert winograd.share(size, tile) * 9 * size[0] * size[1] == pytest.approx(tiles * products)


@pytest.mark.parametrize(("model_id", "tiles"), [("vgg16", {1, 2}), ("resnet18", {1, 2, 4})])
def test_crops_of_such_layers_begin_where_a_tile_does_wherever_the_window_is(model_id: str, tiles: set[int]):
    network = incremental.program(models.load(model_id, weights="random"))
    grains = [placed.step.grain for placed in network.steps]
    assert set(grains) == tiles
    places = [0, 1, 37, 90, 101, 192]
    tops, lefts = [place for place in places for _ in places], places * len(places)
    as_array = torch.tensor([tops, lefts]).numpy()
    for batch in incremental.arrange(network, (32, 32), as_array[0], as_array[1], incremental.Limits()):
        for index, grain in enumerate(grains):
            if grain == 1:
                continue
            assert not (batch.starts[:, index] % grain).any()
            rows, columns = batch.sizes[index]
            assert int(batch.starts[0, index].max()) + rows <= network.steps[index].extent[0]
            assert int(batch.starts[1, index].max()) + columns <= network.steps[index].extent[1]
