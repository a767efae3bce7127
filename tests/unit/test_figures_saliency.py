"""Charts of the saliency page, from records made by hand."""

import math

import pytest
import torch
from PIL import Image

from convis_core.figures import cutout
from convis_core.figures import saliency as figures
from convis_core.results import (
    Attribution,
    DeletionInsertion,
    DeletionInsertionSpec,
    GrabCutSpec,
    NoiseWalk,
    NoiseWalkSpec,
    Running,
    Segmentation,
    WeightRandomisation,
)
from convis_core.results.segmentation import BACKGROUND, FOREGROUND


def test_a_signed_map_is_symmetric_and_a_magnitude_begins_at_zero():
    values = torch.tensor([[-3.0, 1.0], [0.5, 2.0]])
    with_sign = figures.map_scale(values, "change of logit", signed=True, with_sign=True, percentile=100)
    assert (with_sign.low, with_sign.high, with_sign.kind) == (-3.0, 3.0, "signed")
    without = figures.map_scale(values.abs(), "change of logit", signed=True, with_sign=False, percentile=100)
    assert (without.low, without.high, without.kind) == (0.0, 3.0, "magnitude")
    assert without.unit == f"|{with_sign.unit}|"


def test_what_is_never_negative_has_no_bars_around_its_unit():
    scale = figures.map_scale(torch.ones(2, 2), "variance", signed=False, with_sign=False, percentile=99)
    assert "|" not in scale.unit


def test_the_map_hides_the_bar_that_the_page_draws_beneath():
    scale = figures.map_scale(torch.ones(4, 4), "change of logit", signed=True, with_sign=False, percentile=99)
    figure = figures.over(Image.new("RGB", (8, 8)), torch.ones(4, 4), scale, opacity=0.3, side=8)
    assert figure.layout.coloraxis.showscale is False
    assert figure.data[0].opacity == 0.3


def running(agreement: tuple[float, ...]) -> Running:
    samples = tuple(4 * (index + 1) for index in range(len(agreement)))
    found = Attribution(torch.ones(3, 2, 2), 0, "SmoothGrad", samples[-1], 50)
    return Running(found, samples, agreement)


def test_the_settling_curve_keeps_its_axis_while_it_grows_and_shows_the_lowest_value():
    early, late = (figures.settling(running(known), unit="noisy copies") for known in ((math.nan, 0.3), (math.nan,)))
    assert early.layout.xaxis.range == late.layout.xaxis.range
    assert early.layout.yaxis.range[0] < 0.3
    assert late.layout.yaxis.range[0] == pytest.approx(0.68)


@pytest.mark.parametrize(
    ("value", "words"), [(math.nan, "first"), (0.5, "visibly"), (0.96, "a little"), (0.995, "hardly")]
)
def test_words_for_how_much_an_estimate_still_changes(value, words):
    assert words in figures.agreement_words(value, "noisy copies")


def test_numbers_that_are_not_known_become_dashes():
    assert figures.table_of([[1.0, math.nan], [-0.256, 0.0]]) == [["1.00", "–"], ["-0.26", "0.00"]]


def test_a_walk_has_a_line_for_each_colour():
    slopes = torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.0, 1.0]])
    walk = NoiseWalk(
        torch.tensor([0.0, 1.0]), slopes, torch.ones(2), torch.ones(2), torch.zeros(3, 2, 2), 0, (0, 0),
        NoiseWalkSpec(steps=2), 2,
    )  # fmt: skip
    lines = {trace.name: list(trace.y) for trace in figures.walk(walk).data}
    assert lines == {"red": [1.0, -1.0], "green": [2.0, 0.0], "blue": [3.0, 1.0]}


def test_curves_show_the_own_order_and_every_random_one():
    spec = DeletionInsertionSpec(steps=1, random_orders=2)
    found = DeletionInsertion(
        torch.tensor([0.0, 1.0]), torch.tensor([0.9, 0.0]), torch.tensor([0.1, 0.9]),
        torch.tensor([[0.9, 0.2], [0.9, 0.3]]), torch.tensor([[0.1, 0.8], [0.1, 0.7]]), 0, "saliency", spec, 12, 12,
    )  # fmt: skip
    for inserting, last in ((False, 0.0), (True, 0.9)):
        figure = figures.curves(found, inserting=inserting)
        assert len(figure.data) == 3
        assert [trace.name for trace in figure.data if trace.showlegend is not False] == ["random orders", "saliency"]
        assert list(figure.data[-1].y)[-1] == pytest.approx(last)
        assert list(figure.data[-1].x) == [0, 100]


def test_likeness_begins_with_the_trained_network_and_keeps_room_for_all_layers():
    found = WeightRandomisation(("fc", "conv2"), (torch.ones(2, 2),) * 3, (1, 0.4, 0.1), (1, 0.3, 0.2), 0, "x", 2, 7)
    figure = figures.similarity(found)
    assert list(figure.data[0].x) == ["trained", "fc", "conv2"]
    assert figure.layout.xaxis.range[1] > 7


@pytest.fixture
def cut() -> Segmentation:
    alpha, seeds = torch.zeros(40, 80, dtype=torch.uint8), torch.zeros(40, 80, dtype=torch.uint8)
    alpha[:, :40] = 255
    seeds[:, :10], seeds[:, 70:] = FOREGROUND, BACKGROUND
    return Segmentation(Image.new("RGB", (80, 40), "white"), alpha, seeds, GrabCutSpec())


def test_seeds_are_orange_on_the_object_and_blue_off_it(cut):
    picture = cutout.seeds(cut, pixels=80)
    (red, _, blue), middle, (red_off, _, blue_off) = (picture.getpixel((x, 20)) for x in (5, 40, 75))
    assert red > blue and blue_off > red_off
    assert middle == (255, 255, 255)


def test_the_mask_is_white_on_the_object(cut):
    mask = cutout.mask(cut, pixels=80)
    assert mask.getpixel((5, 5)) == (255, 255, 255) and mask.getpixel((75, 5)) == (0, 0, 0)


def test_a_thin_outline_survives_being_made_small(cut):
    edge = torch.zeros(40, 80, dtype=torch.bool)
    edge[:, 39] = True
    small = cutout.outlined(cut, edge, pixels=40)
    assert small.size == (40, 20)
    assert small.getpixel((19, 10)) == cutout.OBJECT_COLOUR


def test_what_is_cut_away_shows_the_squares(cut):
    picture = cutout.on_squares(cut, pixels=80)
    assert picture.getpixel((5, 5)) == (255, 255, 255)
    assert {picture.getpixel((x, 5)) for x in range(45, 80)} == {(205, 205, 205), (235, 235, 235)}
