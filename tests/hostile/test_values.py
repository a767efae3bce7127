"""Every specification and every argument with values that nobody should give: a result, or one plain refusal."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from convis_core import (
    attribution,
    class_models,
    convolution,
    feature_maps,
    models,
    network,
    occlusion,
    segmentation,
)
from convis_core.attribution import sanity
from convis_core.errors import ConvisError
from convis_core.models import LoadedModel
from convis_core.network import receptive
from convis_core.results import (
    Cell,
    Channel,
    ClassLogit,
    ClassModelSpec,
    DeletionInsertionSpec,
    DreamSpec,
    GrabCutSpec,
    IntegratedGradientsSpec,
    KernelSpec,
    NoiseWalkSpec,
    OcclusionSpec,
    RandomisationSpec,
    Regularisers,
    SheetSpec,
    SmoothGradSpec,
    Spectrum,
    Transforms,
)

SIDE = 32
HOSTILE = (-1, 0, 1000, 2**64, 10**400, True, None, 3.0, "7", "", math.nan, math.inf, -math.inf, 1e308, np.int64(2))
PAIRS = ((1, math.inf), (0.5, "7"), (0, 0), (math.nan, 1.0), (1.0,), (), "ab", (-1, 2), (2.0, 1.0))


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
    )
    return models.wrap(nn.Sequential(layers, nn.Flatten(), nn.Linear(6, 3)), input_size=SIDE)


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(5))


def first(frames: Any) -> Any:
    """The first frame of a computation: what is wrong with a specification must show by then."""
    if isinstance(frames, Iterator):
        found = next(frames)
        frames.close() if hasattr(frames, "close") else None
        return found
    return frames


Run = Callable[[LoadedModel, Tensor, Any], Any]

SPECS: dict[str, tuple[Any, Run]] = {
    "occlusion": (OcclusionSpec(window=8, stride=8), lambda m, x, s: occlusion.occlusion(m, x, 1, s)),
    "smoothgrad": (SmoothGradSpec(n_samples=2), lambda m, x, s: attribution.smoothgrad(m, x, 1, s)),
    "integrated": (IntegratedGradientsSpec(steps=2), lambda m, x, s: attribution.integrated_gradients(m, x, 1, s)),
    "noise walk": (NoiseWalkSpec(steps=2), lambda m, x, s: attribution.derivative_along_noise(m, x, 1, (3, 3), s)),
    "deletion": (
        DeletionInsertionSpec(steps=2, random_orders=0),
        lambda m, x, s: sanity.deletion_insertion(m, x, attribution.saliency(m, x, 1), s),
    ),
    "randomisation": (
        RandomisationSpec(),
        lambda m, x, s: sanity.weight_randomisation(m, x, 1, attribution.saliency, s),
    ),
    "grabcut": (
        GrabCutSpec(iterations=1, working_side=64),
        lambda m, x, s: segmentation.grabcut(Image.new("RGB", (80, 80), "red"), attribution.saliency(m, x, 1), s),
    ),
    "class model": (
        ClassModelSpec(steps=2, transforms=Transforms()),
        lambda m, x, s: class_models.ascend(m, ClassLogit(1), s),
    ),
    "transforms": (
        Transforms(),
        lambda m, x, s: class_models.ascend(m, ClassLogit(1), ClassModelSpec(steps=2, transforms=s)),
    ),
    "regularisers": (
        Regularisers(),
        lambda m, x, s: class_models.ascend(
            m,
            ClassLogit(1),
            ClassModelSpec(steps=2, parameterisation="pixels", transforms=Transforms(), regularisers=s),
        ),
    ),
    "spectrum": (
        Spectrum(),
        lambda m, x, s: class_models.ascend(
            m, ClassLogit(1), ClassModelSpec(steps=2, transforms=Transforms(), spectrum=s)
        ),
    ),
    "dream": (DreamSpec(octaves=1, steps=1), lambda m, x, s: class_models.deep_dream(m, x, Channel("0.0", 1), s)),
    "sheet": (SheetSpec(), lambda m, x, s: feature_maps.contact_sheet(feature_maps.maps(m, x, "0.0"), s)),
    "kernels": (KernelSpec(), lambda m, x, s: feature_maps.kernel_sheet(feature_maps.filters(m, "0.3"), s)),
}
CASES = [
    (name, field.name, value)
    for name, (spec, _) in SPECS.items()
    for field in dataclasses.fields(spec)
    for value in (*HOSTILE, *(PAIRS if isinstance(getattr(spec, field.name), tuple) else ()))
    if not dataclasses.is_dataclass(getattr(spec, field.name))
]


@pytest.mark.parametrize("name", SPECS)
def test_a_specification_is_carried_out_or_refused(name: str, model: LoadedModel, x: Tensor):
    spec, run = SPECS[name]
    outcomes = {"result": 0, "refused": 0}
    for _, field, value in (case for case in CASES if case[0] == name):
        try:
            first(run(model, x, dataclasses.replace(spec, **{field: value})))
            outcomes["result"] += 1
        except ConvisError as error:
            assert str(error).endswith(".") and "\n" not in str(error) and len(str(error)) < 250, (field, value)
            outcomes["refused"] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            pytest.fail(f"{name}: {field}={str(value)[:30]!r} ended in {type(error).__name__}: {error}")
    assert outcomes["refused"] > 0, "no value at all is refused"
    first(run(model, x, spec))


CALLS: dict[str, Callable[[LoadedModel, Tensor, Any], Any]] = {
    **{
        f"target of {info.id}": lambda m, x, v, info=info: attribution.attribute(m, x, v, info.id)
        for info in attribution.METHODS
    },
    "target of occlusion": lambda m, x, v: occlusion.occlusion(m, x, v, OcclusionSpec(window=8, stride=8)),
    "target of a class model": lambda m, x, v: class_models.ascend(m, ClassLogit(v), ClassModelSpec(steps=1)),
    "target of contributions": lambda m, x, v: feature_maps.contributions(m, x, "0.0", v),
    "classes to name": lambda m, x, v: network.predict(m, x, top=v),
    "layer": lambda m, x, v: network.record(m, x, [v]),
    "channel": lambda m, x, v: feature_maps.ablate(m, x, "0.0", [v]),
    "cell": lambda m, x, v: feature_maps.effective_field(m, x, "0.0", Cell(0, v, 1)),
    "row of the box": lambda m, x, v: receptive.box(m, "0.0", v, 0),
    "pixel": lambda m, x, v: attribution.derivative_along_noise(m, x, 1, (v, 1), NoiseWalkSpec(steps=2)),
    "neuron": lambda m, x, v: class_models.ascend(m, Channel("0.0", v), ClassModelSpec(steps=1)),
    "corner": lambda m, x, v: convolution.find_corners(x[0, 0], v),
    "share": lambda m, x, v: convolution.find_corners(x[0, 0], share=v),
    "side": lambda m, x, v: convolution.shrink(x, v, grey=True),
    "window of pooling": lambda m, x, v: convolution.pool(x[0], window=v),
    "stride of pooling": lambda m, x, v: convolution.pool(x[0], stride=v),
    "padding": lambda m, x, v: convolution.slide(x[0], torch.ones(1, 3, 3, 3), padding=v),
    "stride": lambda m, x, v: convolution.slide(x[0], torch.ones(1, 3, 3, 3), stride=v),
    "step": lambda m, x, v: convolution.step(convolution.volume(), v),
    "width": lambda m, x, v: convolution.output_size(v, 3),
    "size of a Gabor filter": lambda m, x, v: convolution.gabor(v),
    "bins": lambda m, x, v: convolution.rectify(x[0, 0], bins=v),
    "kernel": lambda m, x, v: convolution.get_kernel(v),
    "seed of a volume": lambda m, x, v: convolution.volume(v),
    "picture": lambda m, x, v: network.predict(m, v),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_argument_is_right_or_refused(name: str, model: LoadedModel, x: Tensor):
    for value in HOSTILE:
        try:
            first(CALLS[name](model, x, value))
        except ConvisError as error:
            assert str(error).endswith(".") and len(str(error)) < 250, value
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            pytest.fail(f"{name}: {str(value)[:30]!r} ended in {type(error).__name__}: {error}")


@pytest.mark.parametrize("target", [True, False, 1.0, "1", None, -1, 3, math.nan])
def test_a_class_that_is_none_is_refused_by_every_method(target: Any, model: LoadedModel, x: Tensor):
    for info in attribution.METHODS:
        with pytest.raises(ConvisError):
            first(attribution.attribute(model, x, target, info.id))


def test_an_index_of_numpy_is_an_index(model: LoadedModel, x: Tensor):
    for info, index in itertools.product(attribution.METHODS, (np.int64(2), np.int32(2))):
        found, expected = (first(attribution.attribute(model, x, target, info.id)) for target in (index, 2))
        assert torch.equal(found.values, expected.values)


@pytest.mark.parametrize("values", [torch.full((1, 3, SIDE, SIDE), bad) for bad in (255.0, math.nan, math.inf, -99.0)])
def test_pixels_out_of_range_are_refused(values: Tensor, model: LoadedModel):
    with pytest.raises(ConvisError, match="Pixels lie in"):
        network.predict(model, values)
