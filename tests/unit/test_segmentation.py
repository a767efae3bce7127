"""Segmentation from an attribution map: against a hand-drawn mask, on drawn pictures, at any size, and refusals."""

import dataclasses
import pickle
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from convis_core import images, segmentation
from convis_core.attribution import smoothgrad
from convis_core.errors import SpecError
from convis_core.results import Attribution, GrabCutSpec, Segmentation, SmoothGradSpec
from convis_core.results.segmentation import BACKGROUND, FOREGROUND, OUTSIDE

SIDE = 64

CAT_HEAD = (
    (36, 0), (34, 40), (32, 85), (36, 112), (42, 140), (52, 165), (72, 188), (100, 208), (124, 226), (146, 246),
    (168, 262), (196, 274), (226, 282), (256, 287), (284, 283), (304, 270), (314, 248), (318, 222), (330, 200),
    (346, 178), (357, 154), (362, 128), (358, 98), (354, 74), (372, 50), (386, 24), (397, 0),
)  # fmt: skip
"""Outline of the cat's head on the sample picture of 451 x 300 pixels, drawn by hand: (x, y)."""


@pytest.fixture(scope="module")
def cat_head() -> Tensor:
    mask = Image.new("L", images.sample("chelsea").size)
    ImageDraw.Draw(mask).polygon(CAT_HEAD, fill=1)
    return torch.from_numpy(np.array(mask)) > 0


@pytest.fixture(scope="module")
def cat_map(lite0, chelsea) -> Attribution:
    *_, final = smoothgrad(lite0, chelsea, 282, SmoothGradSpec(n_samples=24))
    return final


def overlap(mask: Tensor, truth: Tensor) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


def drawn(size: tuple[int, int]) -> tuple[Image.Image, Tensor]:
    """A green disc in the middle of a blue, noisy background, and the mask of the disc."""
    width, height = size
    rows, columns = np.indices((height, width))
    radius = min(size) * 0.3
    disc = (rows - height / 2) ** 2 + (columns - width / 2) ** 2 < radius**2
    pixels = np.where(disc[..., None], (60, 170, 70), (40, 60, 160)) + np.random.default_rng(0).normal(
        0, 6, (height, width, 3)
    )
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), torch.from_numpy(disc)


def pointing(at: tuple[float, float] = (0.5, 0.5)) -> Attribution:
    """A map with one bright spot on a smooth slope, so that no two percentiles coincide."""
    rows, columns = torch.meshgrid(torch.linspace(0, 1, SIDE), torch.linspace(0, 1, SIDE), indexing="ij")
    distance = (rows - at[0]) ** 2 + (columns - at[1]) ** 2
    return Attribution(torch.exp(-distance / 0.03).expand(3, -1, -1).clone() + 0.01 * (1 - distance), 0, "hand-made")


SPEC = GrabCutSpec(smoothing=1.0)


# ----------------------------------------------------------------------------------------------------------------------
# The cat


def test_the_cats_head_is_cut_out(cat_map, cat_head, capsys):
    found = segmentation.grabcut(images.sample("chelsea"), cat_map, GrabCutSpec())
    measured = overlap(found.mask, cat_head)
    with capsys.disabled():
        sys.stdout.write(
            f"\n[chelsea: IoU of mask and hand-drawn head {measured:.2f}, share of the picture {found.share():.2f}]"
        )
    assert measured > 0.55
    # The mask is the object and not just its seeds.
    assert found.share() > 3 * float((found.seeds == FOREGROUND).float().mean())


def test_a_large_picture_takes_less_than_three_seconds(cat_map, cat_head, capsys):
    large = images.sample("chelsea").resize((1000, 665))
    begun, used = time.perf_counter(), time.thread_time()
    found = segmentation.grabcut(large, cat_map, GrabCutSpec())
    begun, used = time.perf_counter() - begun, time.thread_time() - used
    with capsys.disabled():
        sys.stdout.write(f"\n[1000 x 665 pixels: {begun:.2f} s, of these computing {used:.2f} s]")
    assert used < 3, "CPU time of this thread; other programs may be running"
    truth = torch.from_numpy(np.array(Image.fromarray(cat_head.numpy()).resize(large.size)))
    assert overlap(found.mask, truth) > 0.55 and found.foreground.size == large.size


# ----------------------------------------------------------------------------------------------------------------------
# Drawn pictures, where the truth is known to the pixel


@pytest.mark.parametrize("size", [(96, 96), (180, 120), (120, 260), (640, 480), (3000, 2000)])
def test_a_disc_is_cut_out_along_its_edge_at_any_size(size):
    picture, disc = drawn(size)
    found = segmentation.grabcut(picture, pointing(), SPEC)
    assert found.mask.shape == found.seeds.shape == (size[1], size[0]) and found.mask.dtype == torch.bool
    assert overlap(found.mask, disc) > 0.93
    assert found.share() == pytest.approx(float(disc.float().mean()), rel=0.08)


def test_the_object_may_extend_beyond_the_networks_view():
    width, height = 300, 100
    pixels = np.full((height, width, 3), (40, 60, 160), dtype=np.uint8)
    pixels[40:60, 20:280] = (60, 170, 70)  # a bar far wider than the central square
    noise = np.random.default_rng(1).integers(0, 9, pixels.shape, dtype=np.uint8)
    found = segmentation.grabcut(Image.fromarray(pixels + noise), pointing(), SPEC)
    left, _, right, _ = images.crop_box((width, height), SIDE)
    columns = found.mask.any(dim=0).nonzero()
    assert int(columns.min()) < left - 20 and int(columns.max()) > right + 20
    assert bool((found.seeds[:, : int(left) - 1] == OUTSIDE).all())


def test_seeds_lie_where_the_map_is_bright_and_dark():
    picture, _ = drawn((200, 100))
    found = segmentation.grabcut(picture, pointing((0.3, 0.6)), dataclasses.replace(SPEC, foreground_percentile=98))
    left, top, right, bottom = images.crop_box(picture.size, SIDE)
    rows, columns = (found.seeds == FOREGROUND).nonzero().double().mean(dim=0).tolist()
    assert rows == pytest.approx(top + 0.3 * (bottom - top), abs=2.5)
    assert columns == pytest.approx(left + 0.6 * (right - left), abs=2.5)
    inside = (found.seeds != OUTSIDE).sum()
    assert float((found.seeds == FOREGROUND).sum() / inside) == pytest.approx(0.02, abs=0.01)
    assert float((found.seeds == BACKGROUND).sum() / inside) == pytest.approx(0.30, abs=0.03)


def test_only_the_largest_connected_part_is_the_object():
    picture, _ = drawn((200, 200))
    ImageDraw.Draw(picture).ellipse((6, 6, 26, 26), fill=(60, 170, 70))  # as green as the disc, and apart from it
    found = segmentation.grabcut(picture, pointing(), SPEC)
    assert not bool(found.mask[:30, :30].any()) and bool(found.mask[100, 100])


def test_the_same_arguments_give_the_same_mask():
    picture, _ = drawn((333, 222))
    one, two = (segmentation.grabcut(picture, pointing(), SPEC) for _ in range(2))
    assert torch.equal(one.alpha, two.alpha) and torch.equal(one.seeds, two.seeds)
    other = pickle.loads(pickle.dumps(one))
    assert torch.equal(other.alpha, one.alpha) and other.picture.size == picture.size


def test_the_cut_out_is_the_original_under_an_alpha():
    picture, _ = drawn((400, 300))
    found = segmentation.grabcut(picture, pointing(), SPEC)
    cut_out = np.asarray(found.foreground)
    assert cut_out.shape == (300, 400, 4) and np.array_equal(cut_out[..., :3], np.asarray(picture))
    assert np.array_equal(cut_out[..., 3] >= 128, found.mask.numpy()) and found.picture.mode == "RGB"


def test_the_outline_is_the_inner_edge_of_the_mask():
    mask = torch.zeros(9, 9, dtype=torch.bool)
    mask[2:7, 2:7] = True
    outline = segmentation.outline(mask)
    assert int(outline.sum()) == 16 and not bool(outline[3:6, 3:6].any()) and not bool((outline & ~mask).any())
    assert int(segmentation.outline(mask, thickness=2).sum()) == 24


# ----------------------------------------------------------------------------------------------------------------------
# Refusals


def refused(says: str, picture: Image.Image, attribution: Attribution, spec: GrabCutSpec = SPEC) -> None:
    with pytest.raises(SpecError, match=says):
        segmentation.grabcut(picture, attribution, spec)


def test_a_map_that_marks_no_object_is_refused():
    picture, _ = drawn((100, 100))
    for value in (0.0, 0.7):
        refused("the same everywhere", picture, Attribution(torch.full((3, SIDE, SIDE), value), 0, "flat"))
    refused("not finite", picture, Attribution(torch.full((3, SIDE, SIDE), torch.nan), 0, "broken"))


@pytest.mark.parametrize("size", [(1, 1), (5, 5), (1, 50000), (4000, 3)])
def test_a_picture_too_small_or_too_narrow_is_refused(size):
    refused("too small or too narrow", Image.new("RGB", size, "red"), pointing())


def test_too_few_seeds_are_refused():
    picture, _ = drawn((100, 100))
    refused("too few", picture, pointing(), dataclasses.replace(SPEC, foreground_percentile=99.99))
    refused("too few", picture, pointing(), dataclasses.replace(SPEC, background_percentile=0.01))


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"foreground_percentile": 20}, "percentiles"),
        ({"background_percentile": -1}, "lower percentile"),
        ({"foreground_percentile": 101}, "upper percentile"),
        ({"iterations": 0}, "rounds"),
        ({"smoothing": -1}, "blur"),
        ({"working_side": 10}, "64 to 4,000"),
    ],
)
def test_an_impossible_specification_is_refused(choices, says):
    refused(says, drawn((100, 100))[0], pointing(), dataclasses.replace(SPEC, **choices))


@pytest.mark.parametrize("size", [(24, 24), (40, 30)])
def test_a_tiny_picture_is_still_segmented(size):
    picture, _ = drawn(size)
    spec = dataclasses.replace(SPEC, foreground_percentile=80)
    found = segmentation.grabcut(picture, pointing(), spec)
    assert isinstance(found, Segmentation) and bool(found.mask.any())
