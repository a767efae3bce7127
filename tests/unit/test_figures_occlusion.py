"""Figures of the occlusion page: the colours of known values, and what stands where."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor

from convis_core.figures import occlusion as pictures
from convis_core.figures.style import ACCENT
from convis_core.results import Prediction, Score

NAN = math.nan


def photograph(side: int = 8, *, brightness: int = 90) -> Image.Image:
    return Image.new("RGB", (side, side), (brightness, 40, 200))


def prediction(*probabilities: float) -> Prediction:
    values = torch.tensor(probabilities)
    order = values.argsort(descending=True).tolist()
    top = tuple(Score(index, f"class {index}", float(values[index])) for index in order)
    return Prediction(values.log(), values, top)


def test_one_scale_holds_the_largest_value_of_all_maps_whatever_its_sign():
    scale = pictures.drop_scale(torch.tensor([[1.0, NAN]]), torch.tensor([[-4.0, 2.0]]), torch.tensor([[NAN, NAN]]))
    assert (scale.low, scale.high, scale.kind) == (-4.0, 4.0, "signed")


def test_a_scale_of_nothing_known_is_still_a_scale():
    scale = pictures.drop_scale(torch.full((2, 2), NAN))
    assert scale.low < 0 < scale.high
    assert pictures.probability_scale(torch.full((2, 2), NAN), "cat").high == 1


def test_probabilities_run_from_the_lowest_to_the_highest():
    scale = pictures.probability_scale(torch.tensor([[0.25, NAN], [0.75, 0.5]]), "tiger cat")
    assert (scale.low, scale.high, scale.kind, scale.unit) == (0.25, 0.75, "probability", "P(tiger cat)")
    even = pictures.probability_scale(torch.full((2, 2), 0.5), "cat")
    assert even.high > even.low


def test_the_ends_of_a_scale_can_be_told_apart():
    assert pictures.ends(pictures.drop_scale(torch.tensor([[0.5264, -0.1]]))) == ("-0.53", "0.53")
    assert pictures.ends(pictures.probability_scale(torch.tensor([[0.045, 0.236]]), "cat")) == ("4.5 %", "23.6 %")
    tiny = pictures.ends(pictures.probability_scale(torch.tensor([[0.00001, 0.0002]]), "cat"))
    assert tiny == ("0.001 %", "0.02 %")


def test_where_nothing_is_known_the_photograph_shows_through():
    heatmap = torch.tensor([[NAN, 2.0], [-2.0, 0.0]])
    scale = pictures.drop_scale(heatmap)
    shown = pictures.drop_picture(photograph(), heatmap, scale, opacity=1.0)
    assert shown.getpixel((1, 1)) == (90, 40, 200)
    red, blue = shown.getpixel((6, 1)), shown.getpixel((1, 6))
    assert red[0] > 80 and red[0] > 2 * red[2], "what lowers the score is red"
    assert blue[2] > 80 and blue[2] > 2 * blue[0], "what raises it is blue"
    untouched = pictures.drop_picture(photograph(), heatmap, scale, opacity=0.0)
    assert untouched.tobytes() == photograph().tobytes()


def test_half_opacity_is_halfway():
    heatmap = torch.tensor([[1.0]])
    scale = pictures.drop_scale(heatmap)
    bare, half, full = (
        np.asarray(pictures.drop_picture(photograph(), heatmap, scale, opacity=opacity), dtype=float)
        for opacity in (0.0, 0.5, 1.0)
    )
    assert np.abs(half - (bare + full) / 2).max() <= 1.5


def test_the_class_of_the_whole_picture_is_pale_and_the_others_differ():
    indices = [3, 0, *range(10, 30)]
    colours = pictures.class_colours(indices, unhidden=3)
    assert set(colours) == set(indices)
    first = [colours[index] for index in (3, 0, *range(10, 16))]
    assert len(set(first)) == len(first)
    assert len({colours[index] for index in range(17, 30)}) == 1
    assert min(ImageColor.getrgb(colours[3])) > 200


def test_the_class_of_the_whole_picture_has_a_colour_even_when_no_window_leaves_it():
    assert set(pictures.class_colours([5], unhidden=3)) == {3, 5}


def test_every_cell_has_the_colour_of_its_class():
    classes = torch.tensor([[1, 2], [2, 1]])
    colours = {1: "#102030", 2: "#F0E442"}
    shown = pictures.class_picture(classes, colours, photograph(), opacity=1.0)
    assert shown.size == (8, 8)
    assert shown.getpixel((3, 3)) == (0x10, 0x20, 0x30) and shown.getpixel((4, 3)) == (0xF0, 0xE4, 0x42)
    grey = pictures.class_picture(classes, colours, photograph(), opacity=0.0).getpixel((0, 0))
    assert grey[0] == grey[1] == grey[2]


def test_a_grid_over_the_whole_picture_leaves_it_as_it_is():
    pixels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    spans = [(0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0)]
    under = pictures.under_grid(Image.fromarray(pixels), spans, spans, cell=2)
    assert np.array_equal(np.asarray(under), pixels)


def test_a_narrow_cell_is_drawn_as_large_as_the_others():
    pixels = np.zeros((8, 8, 3), dtype=np.uint8)
    pixels[:, 6:] = 255
    under = pictures.under_grid(Image.fromarray(pixels), [(0.0, 1.0)], [(0.0, 0.75), (0.75, 1.0)], cell=8)
    assert under.size == (16, 8)
    assert np.asarray(under)[:, :8].max() == 0 and np.asarray(under)[:, 8:].min() == 255


@pytest.fixture
def fills():
    said = {
        "not hidden": prediction(0.8, 0.2),
        "mean colour": prediction(0.1, 0.9),
        "black": prediction(0.0002, 0.9998),
    }
    return pictures.fills(dict.fromkeys(said, photograph()), said, target=0, chosen="mean colour")


def test_fills_stand_in_their_order_with_their_probabilities(fills):
    (bars,) = fills.data
    assert bars.y == pytest.approx((0.8, 0.1, 0.0002))
    assert fills.layout.xaxis.ticktext == (
        "<b>80.0 %</b><br>not<br>hidden",
        "<b>10.0 %</b><br>mean<br>colour",
        "<b>< 0.1 %</b><br>black",
    )
    assert bars.marker.color[1] == ACCENT and bars.marker.color[0] == bars.marker.color[2] != ACCENT
    assert [image.x for image in fills.layout.images] == [0, 1, 2]


def test_the_line_of_the_fills_is_where_nothing_is_hidden(fills):
    (line,) = fills.layout.shapes
    assert line.y0 == line.y1 == pytest.approx(0.8)
    assert fills.layout.yaxis.range[1] > 0.8
