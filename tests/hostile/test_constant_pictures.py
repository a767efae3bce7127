"""Black, white and grey pictures through every algorithm and its figures: no NaN and no warning."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from convis_core import attribution, class_models, feature_maps, images, models, occlusion, segmentation
from convis_core.attribution import sanity
from convis_core.figures import cutout, render
from convis_core.figures import feature_maps as map_figures
from convis_core.figures import occlusion as occlusion_figures
from convis_core.figures import saliency as figures
from convis_core.models import LoadedModel
from convis_core.network import predict
from convis_core.occlusion import sizes
from convis_core.results import (
    Attribution,
    Channel,
    DeletionInsertionSpec,
    DreamSpec,
    GrabCutSpec,
    IntegratedGradientsSpec,
    NoiseWalkSpec,
    OcclusionSpec,
    RandomisationSpec,
    SheetSpec,
    SmoothGradSpec,
)

pytestmark = pytest.mark.filterwarnings("error")

PICTURES = {"black": (0, 0, 0), "white": (255, 255, 255), "grey": (127, 127, 127)}
TARGET = 282
WINDOWS = OcclusionSpec(window=112, stride=112)
FEW = {"smoothgrad": SmoothGradSpec(n_samples=2), "integrated_gradients": IntegratedGradientsSpec(steps=3)}


@pytest.fixture(scope="module")
def lite() -> LoadedModel:
    return models.load("efficientnet_lite0")


@pytest.fixture(params=PICTURES)
def picture(request: pytest.FixtureRequest) -> Image.Image:
    return Image.new("RGB", (224, 224), PICTURES[request.param])


@pytest.fixture
def x(picture: Image.Image) -> torch.Tensor:
    return images.to_tensor(picture, 224)


def last(frames: Iterator[Any]) -> Any:
    *_, final = frames
    return final


def numbers(found: Any) -> Iterator[float]:
    """Every number within a result, one for each tensor."""
    if isinstance(found, torch.Tensor):
        if found.is_floating_point() and found.numel():
            yield float(found.double().sum())
    elif isinstance(found, np.ndarray):
        yield float(found.astype(float).sum())
    elif isinstance(found, float):
        yield found
    elif dataclasses.is_dataclass(found):
        for field in dataclasses.fields(found):
            yield from numbers(getattr(found, field.name))
    elif isinstance(found, Mapping):
        yield from numbers(tuple(found.values()))
    elif isinstance(found, list | tuple):
        for part in found:
            yield from numbers(part)


def assert_finite(found: Any) -> None:
    assert all(math.isfinite(number) for number in numbers(found)), found


def assert_drawn(figure: Any) -> None:
    drawn = [np.asarray(trace[name]) for trace in figure.data for name in ("y", "z") if name in trace]
    values = [each for each in drawn if each.dtype.kind in "fiu"]
    assert values and all(np.isfinite(each).all() for each in values)


@pytest.mark.parametrize("method", attribution.KINDS)
def test_every_method_and_its_map(lite: LoadedModel, x: torch.Tensor, picture: Image.Image, method: str):
    found = attribution.final(lite, x, TARGET, method, spec=FEW.get(method))
    assert_finite(found)
    magnitude = found.magnitude()
    assert_finite((magnitude, attribution.relative(magnitude), attribution.concentration(magnitude)))
    for values, with_sign in ((magnitude, False), (attribution.signed(found), True)):
        scale = figures.map_scale(values, "units", signed=with_sign, with_sign=with_sign, percentile=99)
        assert_drawn(figures.over(picture, values, scale, opacity=0.6, side=224))
        assert render.coloured(values, scale, pixels=64).size == (64, 64)


def test_occlusion(lite: LoadedModel, x: torch.Tensor, picture: Image.Image):
    for fill in ("mean", "blur"):
        found = last(occlusion.occlusion(lite, x, TARGET, dataclasses.replace(WINDOWS, fill=fill)))
        assert_finite(found)
        heatmap = found.heatmap()
        assert_finite(heatmap)
        scale = occlusion_figures.drop_scale(found.drop(), heatmap)
        assert occlusion_figures.drop_picture(picture, heatmap, scale, opacity=0.6).size == picture.size
        assert all("nan" not in end for end in occlusion_figures.ends(scale))
        occlusion_figures.probability_scale(found.probability, "tiger cat")
    compared = last(sizes.compare(lite, x, TARGET, [WINDOWS, dataclasses.replace(WINDOWS, window=200)]))
    assert_finite(compared)


def test_hiding_a_black_picture_with_black_changes_nothing(lite: LoadedModel):
    x = torch.zeros(1, 3, 224, 224)
    found = last(occlusion.occlusion(lite, x, TARGET, dataclasses.replace(WINDOWS, fill="black")))
    assert float(found.heatmap().abs().max()) < 1e-4


def test_feature_maps(lite: LoadedModel, x: torch.Tensor):
    assert_finite(predict(lite, x))
    summaries = feature_maps.summarise(lite, x)
    assert_finite(summaries)
    for summary in summaries[:3]:
        assert map_figures.average_image(summary).width > 0
    maps = feature_maps.maps(lite, x, "blocks.3")
    assert_finite((maps, feature_maps.contributions(lite, x, "blocks.10", TARGET)))
    sheet = feature_maps.contact_sheet(maps, SheetSpec())
    shown = sheet.values[~sheet.values.isnan()]  # the gaps are nan
    assert shown.numel() >= maps.values.numel() and 0 <= float(shown.min()) <= float(shown.max()) <= 1
    assert_finite(feature_maps.ablate(lite, x, "blocks.10", [1, 2]))


def test_segmentation(lite: LoadedModel, x: torch.Tensor, picture: Image.Image):
    found = attribution.saliency(lite, x, TARGET)
    cut = segmentation.grabcut(picture, found, GrabCutSpec())
    assert cut.mask.dtype == torch.bool and tuple(cut.mask.shape) == (224, 224)
    for drawn in (cutout.mask(cut, pixels=64), cutout.seeds(cut, pixels=64), cutout.on_squares(cut, pixels=64)):
        assert max(drawn.size) == 64
    edge = segmentation.outline(cut.mask)
    assert max(cutout.outlined(cut, edge, pixels=64).size) == 64


def test_deletion_and_class_swap(lite: LoadedModel, x: torch.Tensor):
    found = attribution.saliency(lite, x, TARGET)
    curves = last(sanity.deletion_insertion(lite, x, found, DeletionInsertionSpec(steps=3, random_orders=1)))
    assert_finite(curves)
    assert_drawn(figures.curves(curves, inserting=False))
    assert_drawn(figures.curves(curves, inserting=True))
    assert_finite(last(sanity.class_swap(lite, x, [TARGET, 285], attribution.saliency)))


def test_weight_randomisation():
    x = torch.zeros(1, 3, 224, 224)
    small = models.load("squeezenet1_1", weights="random", seed=0)
    found = last(sanity.weight_randomisation(small, x, 7, attribution.saliency, RandomisationSpec()))
    assert_finite(found.magnitudes)
    # This network's own map is zero everywhere: with it no similarity is defined, and nan says so.
    assert float(found.magnitudes[0].max()) == 0
    for similarities in (found.rank_correlation, found.structural_similarity):
        assert similarities[0] == 1 and all(map(math.isnan, similarities[1:]))
    figures.similarity(found)


def test_noise_and_dreams(lite: LoadedModel, x: torch.Tensor):
    walk = last(attribution.derivative_along_noise(lite, x, TARGET, (100, 100), NoiseWalkSpec(steps=3)))
    assert_finite(walk)
    assert_drawn(figures.walk(walk))
    assert_finite(last(class_models.deep_dream(lite, x, Channel("blocks.5", 3), DreamSpec(octaves=1, steps=2))))


def test_a_map_of_zeros_is_drawn_and_compared():
    zeros = Attribution(torch.zeros(3, 64, 64), TARGET, "saliency", 1, 1)
    assert attribution.is_zero(zeros)
    assert_finite((attribution.relative(zeros.magnitude()), attribution.concentration(zeros.magnitude())))
    scale = figures.map_scale(zeros.magnitude(), "units", signed=False, with_sign=False, percentile=99)
    assert_drawn(figures.over(Image.new("RGB", (64, 64)), zeros.magnitude(), scale, opacity=0.6, side=64))
