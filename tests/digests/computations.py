"""Every kind of computation that Convis offers, each once and small: what the digests are taken of.

Named by what is computed and not by where the code lies, so that the names outlast the folders.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch

from convis_core import (
    architecture,
    attribution,
    class_models,
    convolution,
    feature_maps,
    images,
    models,
    occlusion,
    segmentation,
)
from convis_core.attribution import sanity, similarity
from convis_core.engines import incremental
from convis_core.network import layer_names, predict, receptive, record
from convis_core.occlusion import sizes
from convis_core.results import (
    Cell,
    Channel,
    ClassLogit,
    DeletionInsertionSpec,
    DreamSpec,
    GrabCutSpec,
    IntegratedGradientsSpec,
    KernelSpec,
    NoiseWalkSpec,
    OcclusionSpec,
    RandomisationSpec,
    SheetSpec,
    SmoothGradSpec,
    WeightRandomisation,
)

TIGER_CAT = 282
WINDOWS = OcclusionSpec(window=64, stride=40)


def computations() -> Mapping[str, Callable[[], Any]]:
    """Name of a computation -> how to carry it out."""
    lite = models.load("efficientnet_lite0")
    cat = images.read_image(images.sample_bytes("chelsea"))
    x = images.to_tensor(cat, lite.input_size)
    smooth = SmoothGradSpec(n_samples=6)
    random = {name: models.load(name, weights="random", seed=3) for name in ("resnet18", "googlenet", "mobilenet_v2")}
    curves = DeletionInsertionSpec(steps=6, random_orders=1)

    def saliency() -> Any:
        return attribution.saliency(lite, x, TIGER_CAT)

    found: dict[str, Callable[[], Any]] = {
        "picture as a tensor": lambda: x,
        "prediction": lambda: predict(lite, x),
        "recorded layers": lambda: record(lite, x, ["stem", "blocks.3", "blocks.10", "head"]),
        "saliency": saliency,
        "input x gradient": lambda: attribution.input_x_gradient(lite, x, TIGER_CAT),
        "guided backprop": lambda: attribution.guided_backprop(lite, x, TIGER_CAT),
        "grad-cam": lambda: attribution.grad_cam(lite, x, TIGER_CAT),
        "grad-cam of a layer": lambda: attribution.grad_cam(lite, x, TIGER_CAT, layer="blocks.8"),
        "guided grad-cam": lambda: attribution.guided_grad_cam(lite, x, TIGER_CAT),
        "integrated gradients": lambda: _last(
            attribution.integrated_gradients(lite, x, TIGER_CAT, IntegratedGradientsSpec(steps=7))
        ),
        "derivative along noise": lambda: _last(_walk(lite, x)),
        "occlusion": lambda: _last(occlusion.occlusion(lite, x, TIGER_CAT, WINDOWS)),
        "occlusion heatmap": lambda: _last(occlusion.occlusion(lite, x, TIGER_CAT, WINDOWS)).heatmap(),
        "occlusion sizes": lambda: _last(sizes.compare(lite, x, TIGER_CAT, [WINDOWS, replace(WINDOWS, window=48)])),
        "incremental logits": lambda: incremental.logits(
            incremental.prepare(lite, x), torch.zeros(3, 3, 40, 30), [0, 17, 184], [5, 100, 194]
        ),
        "deletion and insertion": lambda: _last(sanity.deletion_insertion(lite, x, saliency(), curves)),
        "weight randomisation": lambda: _rounded_similarities(
            _last(sanity.weight_randomisation(lite, x, TIGER_CAT, attribution.saliency, RandomisationSpec()))
        ),
        "class swap": lambda: _last(sanity.class_swap(lite, x, [TIGER_CAT, 285], attribution.saliency)),
        "grabcut": lambda: segmentation.grabcut(cat, saliency(), GrabCutSpec()),
        "correlation": lambda: _rounded(similarity.correlation(x[0, 0], x[0, 1])),
        "rank correlation": lambda: _rounded(similarity.rank_correlation(x[0, 0], x[0, 1])),
        "structural similarity": lambda: _rounded(similarity.structural_similarity(x[0, 0], x[0, 1])),
        "class model, fourier": lambda: _last(
            class_models.ascend(lite, ClassLogit(130), replace(class_models.MODERN, steps=6))
        ),
        "class model, pixels": lambda: _last(
            class_models.ascend(lite, ClassLogit(130), replace(class_models.YOSINSKI, steps=6))
        ),
        "channel model": lambda: _last(
            class_models.ascend(lite, Channel("blocks.5", 3), replace(class_models.FEATURE, steps=4))
        ),
        "deep dream": lambda: _last(
            class_models.deep_dream(lite, x, Channel("blocks.5", 3), DreamSpec(octaves=2, steps=2))
        ),
        "layer summaries": lambda: feature_maps.summarise(lite, x),
        "contact sheet": lambda: feature_maps.contact_sheet(feature_maps.maps(lite, x, "blocks.3"), SheetSpec()),
        "contributions": lambda: feature_maps.contributions(lite, x, "blocks.10", TIGER_CAT),
        "ablation": lambda: feature_maps.ablate(lite, x, "blocks.10", [1, 2]),
        "effective field": lambda: feature_maps.effective_field(lite, x, "blocks.4", Cell(0, 5, 5)),
        "sum of products": lambda: feature_maps.sum_of_products(lite, x, "blocks.4.branch.expand.conv", Cell(0, 5, 5)),
        "kernel sheet": lambda: feature_maps.kernel_sheet(feature_maps.filters(lite, "stem.conv"), KernelSpec()),
        "receptive fields": lambda: [receptive.field(lite, name) for name in layer_names(lite)],
        "architecture": lambda: architecture.describe(lite),
        "sliding": lambda: convolution.convolve(convolution.volume()),
    }
    for name, network in random.items():
        found |= _of_random_network(name, network, x, smooth)
    for variant in ("mean", "squared", "variance", "absolute"):
        spec = replace(smooth, variant=variant)
        found[f"smoothgrad, {variant}"] = lambda spec=spec: _last(attribution.smoothgrad(lite, x, TIGER_CAT, spec))
    return found


def _of_random_network(name: str, network: Any, x: Any, smooth: SmoothGradSpec) -> dict[str, Callable[[], Any]]:
    layer = network.spec.feature_layers[4]
    return {
        f"{name}: prediction": lambda: predict(network, x),
        f"{name}: layer": lambda: record(network, x, [layer]),
        f"{name}: smoothgrad": lambda: _last(attribution.smoothgrad(network, x, 7, smooth)),
        f"{name}: guided grad-cam": lambda: attribution.guided_grad_cam(network, x, 7),
        f"{name}: occlusion": lambda: _last(occlusion.occlusion(network, x, 7, WINDOWS)),
        f"{name}: class model": lambda: _last(
            class_models.ascend(network, ClassLogit(7), replace(class_models.MODERN, steps=3))
        ),
        f"{name}: architecture": lambda: architecture.describe(network),
        f"{name}: receptive fields": lambda: [receptive.field(network, each) for each in layer_names(network)],
    }


def _walk(model: Any, x: Any) -> Iterator[Any]:
    return attribution.derivative_along_noise(model, x, TIGER_CAT, (100, 100), NoiseWalkSpec(steps=5))


def _last(frames: Iterator[Any]) -> Any:
    *_, last = frames
    return last


def _rounded_similarities(found: WeightRandomisation) -> WeightRandomisation:
    return replace(
        found,
        rank_correlation=tuple(map(_rounded, found.rank_correlation)),
        structural_similarity=tuple(map(_rounded, found.structural_similarity)),
    )


def _rounded(value: float) -> float:
    # Libraries may add up in another order; the sixth digit tells nobody anything.
    return float(f"{value:.6g}")
