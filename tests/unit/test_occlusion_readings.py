"""Readings of an occlusion map: by hand on small ones, and against slow reference implementations."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from convis_core.errors import SpecError
from convis_core.occlusion import readings
from convis_core.occlusion.readings import ClassShare, Position
from convis_core.results import OcclusionMap, OcclusionSpec

NAN = math.nan


def occlusion_map(
    drop: list[list[float]], *, window: int = 4, stride: int = 2, classes: Tensor | None = None
) -> OcclusionMap:
    """A square map with these drops of the logit, on the smallest picture with such a grid."""
    values = torch.tensor(drop)
    starts = torch.arange(len(drop)) * stride
    pending = values.isnan()
    return OcclusionMap(
        probability=torch.sigmoid(-values),
        logit=5.0 - values,
        top_class=torch.where(pending, -1, 0) if classes is None else classes,
        top_probability=torch.where(pending, NAN, 0.9),
        tops=starts,
        lefts=starts,
        baseline_probability=0.5,
        baseline_logit=5.0,
        target=0,
        size=int(starts[-1]) + window,
        spec=OcclusionSpec(window=window, stride=stride),
        done=int((~pending).sum()),
        total=values.numel(),
    )


def test_the_strongest_window_has_the_largest_drop_and_pending_ones_do_not_count():
    assert readings.strongest(occlusion_map([[0.1, -3.0, NAN], [0.5, NAN, 0.2], [0.0, 0.4, 0.1]])) == Position(1, 0)


def test_a_map_without_any_window_is_refused():
    empty = occlusion_map([[NAN, NAN], [NAN, NAN]])
    with pytest.raises(SpecError, match="No window"):
        readings.strongest(empty)
    with pytest.raises(SpecError, match="No window"):
        readings.probabilities(empty)


@given(st.integers(0, 2), st.integers(0, 2))
def test_the_window_at_the_centre_of_a_window_is_that_window(row: int, column: int):
    drops = occlusion_map([[0.0] * 3] * 3)
    assert readings.window_at(drops, *readings.centre(drops, Position(row, column))) == Position(row, column)


def test_a_point_at_the_border_belongs_to_the_outermost_window():
    drops = occlusion_map([[0.0] * 3] * 3)
    assert readings.window_at(drops, 0, 7.9) == Position(0, 2)


@given(st.integers(1, 6), st.integers(1, 6), st.randoms(use_true_random=False))
def test_pending_cells_take_the_value_of_one_of_the_nearest(rows: int, columns: int, random):
    values = torch.tensor([[random.random() for _ in range(columns)] for _ in range(rows)])
    pending = torch.tensor([[random.random() < 0.6 for _ in range(columns)] for _ in range(rows)])
    pending[random.randrange(rows), random.randrange(columns)] = False
    filled = readings.filled_in(values.masked_fill(pending, NAN), pending)
    known = [(r, c) for r in range(rows) for c in range(columns) if not pending[r, c]]
    for r in range(rows):
        for c in range(columns):
            nearest = min(math.dist((r, c), cell) for cell in known)
            allowed = [float(values[cell]) for cell in known if math.isclose(math.dist((r, c), cell), nearest)]
            assert float(filled[r, c]) in allowed


def test_top_classes_are_counted_and_the_most_frequent_comes_first():
    classes = torch.tensor([[7, 7, -1], [2, 7, 5], [2, -1, -1]])
    drops = occlusion_map([[0.0] * 3] * 3, classes=classes)
    assert readings.class_shares(drops) == (ClassShare(7, 3), ClassShare(2, 2), ClassShare(5, 1))
    assert readings.classes(drops)[classes >= 0].tolist() == [7, 7, 2, 7, 5, 2]
    assert bool((readings.classes(drops) >= 0).all())


def test_the_least_important_half_is_where_the_heatmap_is_lowest():
    # Two windows side by side would cover the picture; the right ones lower the score, the left ones raise it.
    drops = occlusion_map([[-1.0, 2.0], [-1.0, 2.0]], window=4, stride=4)
    chosen = readings.least_important(drops)
    assert int(chosen.sum()) == 32 and bool(chosen[:, :4].all())
    heatmap = drops.heatmap()
    for share in (0.0, 0.1, 0.7, 1.0):
        chosen = readings.least_important(drops, share=share)
        assert int(chosen.sum()) == round(share * 64)
        if 0 < share < 1:
            assert float(heatmap[chosen].max()) <= float(heatmap[~chosen].min())


def test_pixels_with_an_unknown_effect_are_hidden_last():
    drops = occlusion_map([[NAN, 2.0], [NAN, 2.0]], window=4, stride=4)
    assert bool(readings.least_important(drops)[:, 4:].all())


def test_a_share_beyond_the_picture_is_refused():
    with pytest.raises(SpecError, match="between 0 and 1"):
        readings.least_important(occlusion_map([[0.0]]), share=1.5)


def test_cells_meet_halfway_between_centres_and_extend_as_far_outwards_as_inwards():
    # Windows of 4 at 0, 4, 6 of 10 pixels: centres 2, 6, 8.
    assert readings.cells([0, 4, 6], 4, 10) == ((0.0, 0.4), (0.4, 0.7), (0.7, 0.9))
    assert readings.cells([3], 4, 10) == ((0.0, 1.0),)


def test_the_table_lists_the_computed_windows_with_their_positions():
    drops = occlusion_map([[0.5, NAN], [NAN, -1.0]], window=4, stride=3)
    first, second = readings.table(drops)
    assert (first.row, first.column, first.top, first.left) == (0, 0, 0, 0)
    assert (second.row, second.column, second.top, second.left) == (1, 1, 3, 3)
    assert (second.drop, second.logit, second.top_class) == (-1.0, 6.0, 0)
    assert second.top_probability == pytest.approx(0.9)
    assert second.probability == pytest.approx(1 / (1 + math.exp(-1)))
