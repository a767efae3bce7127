"""From a name to a network that answers: architecture, weights, normalisation, device."""

import copy
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from convis_core.errors import SpecError, WeightsError
from convis_core.models import weights as checkpoints
from convis_core.models import zoo
from convis_core.models.categories import imagenet_categories
from convis_core.models.pixels import FromPixels
from convis_core.models.registry import get_spec
from convis_core.models.spec import LoadedModel, ModelSpec, Triple, WeightsSource

# What a network of unknown make shows of itself: layers whose outputs are maps.
_SPATIAL = (nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.ReLU6, nn.MaxPool2d, nn.AvgPool2d)


def choose_device() -> torch.device:
    """CUDA, else Apple's MPS, else the CPU; the environment variable ``CONVIS_DEVICE`` overrides.

    Raises:
        SpecError: when ``CONVIS_DEVICE`` names a device that torch does not know or cannot use here.
    """
    wanted = os.environ.get("CONVIS_DEVICE", "").strip()
    if wanted:
        try:
            device = torch.device(wanted)
            torch.empty(1, device=device)
        except (RuntimeError, AssertionError) as error:
            raise SpecError(f"CONVIS_DEVICE={wanted!r} cannot be used here; try cpu, cuda or mps.") from error
        return device
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def load(model_id: str, *, weights: Literal["pretrained", "random"] = "pretrained", seed: int = 0) -> LoadedModel:
    """The network of this name, ready to answer.

    Pretrained weights are looked for on this machine and downloaded if they are not here. They are mapped from
    the file, so that they occupy memory once. Random weights need neither files nor a network.

    Args:
        model_id: torchvision's name, one of the ids of ``MODELS``.
        weights: "pretrained", or "random" for tests and benchmarks.
        seed: of the random weights; ignored for pretrained ones.

    Raises:
        SpecError: when no network has this id, or ``weights`` is neither of the two.
        WeightsError: when the weights cannot be had; its text names a way out.
    """
    spec = get_spec(model_id)
    device = choose_device()
    with torch.device("meta"):
        network = zoo.build(model_id)
    source: Path | None = None
    if weights == "random":
        network = network.to_empty(device="cpu")
        _randomise(network, spec, seed)
    elif weights == "pretrained":
        source = checkpoints.obtain(spec.weights)
        _assign(network, spec, source)
    else:
        raise SpecError(f"Weights are 'pretrained' or 'random', not {weights!r}.")
    network = network.to(device)
    return _ready(FromPixels(network, spec.mean, spec.std), spec, imagenet_categories(), device, source)


def wrap(
    module: nn.Module,
    *,
    categories: Sequence[str] = (),
    input_size: int = 224,
    mean: Triple = (0.0, 0.0, 0.0),
    std: Triple = (1.0, 1.0, 1.0),
) -> LoadedModel:
    """A network of your own as a LoadedModel; the module given is copied, not changed.

    Args:
        module: any module that torch.fx can trace, from normalised pixels [N, 3, S, S] to logits [N, C].
        categories: names of the classes by index; without them they are called "class 0", "class 1", ...
        input_size: side S of the input, in pixels.
        mean: what is subtracted from pixels in [0, 1].
        std: what they are then divided by.

    Raises:
        SpecError: when the module does not map [1, 3, S, S] to [1, C], or when there are not C categories.
    """
    network = copy.deepcopy(module).cpu().eval()
    zoo.out_of_place(network)
    pixels = FromPixels(network, mean, std)
    with torch.no_grad():
        logits = pixels(torch.zeros(1, 3, input_size, input_size))
    if logits.dim() != 2 or logits.shape[0] != 1:
        raise SpecError(
            f"A network must return logits [N, C]; this one returned {tuple(logits.shape)} for one picture."
        )
    names = tuple(categories) or tuple(f"class {index}" for index in range(logits.shape[1]))
    if len(names) != logits.shape[1]:
        raise SpecError(f"The network has {logits.shape[1]} classes, but {len(names)} names were given.")
    layers = tuple(name for name, layer in network.named_modules() if name and isinstance(layer, _SPATIAL))
    convolutions = [name for name in layers if isinstance(network.get_submodule(name), nn.Conv2d)]
    spec = ModelSpec(
        id=type(module).__name__,
        label=type(module).__name__,
        year=0,
        paper="",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        weights=WeightsSource("", "", "", 0),
        input_size=input_size,
        mean=mean,
        std=std,
        feature_layers=layers,
        cam_layer=convolutions[-1] if convolutions else "",
        summary="",
    )
    return _ready(pixels, spec, names, torch.device("cpu"), None)


def _ready(
    module: nn.Module, spec: ModelSpec, categories: tuple[str, ...], device: torch.device, source: Path | None
) -> LoadedModel:
    module = module.to(device).eval().requires_grad_(False)
    return LoadedModel(spec, module, categories, spec.input_size, device, source)


def _assign(network: nn.Module, spec: ModelSpec, path: Path) -> None:
    """Give the network the checkpoint's own tensors, without a second copy of them."""
    state = zoo.adapt_state(spec.id, checkpoints.read_state_dict(path), tuple(network.state_dict()))
    try:
        network.load_state_dict({name: value.contiguous() for name, value in state.items()}, assign=True)
    except RuntimeError as error:
        raise WeightsError(
            f"The file {path} does not hold the weights of {spec.label}; "
            f"delete it and run: python -m convis_core.models fetch {spec.id}"
        ) from error


def _randomise(network: nn.Module, spec: ModelSpec, seed: int) -> None:
    """He-normal weights, small biases, and batch-norm statistics that are anything but 0 and 1.

    With statistics left at 0 and 1 a mistake in folding or skipping batch norm would go unseen; with arbitrary ones
    the logits of a residual network grow into the thousands. So they are those of two pictures of noise, disturbed.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(shape: torch.Size, scale: float) -> Tensor:
        return torch.randn(shape, generator=generator) * scale

    def between(low: float, high: float, shape: torch.Size) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator)

    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.copy_(normal(layer.weight.shape, math.sqrt(2 / layer.weight[0].numel())))
                if layer.bias is not None:
                    layer.bias.copy_(normal(layer.bias.shape, 0.05))
        for norm in norms:
            # On average a little less than 1 in power, or fifty layers of it would explode.
            norm.weight.copy_(between(0.4, 1.2, norm.weight.shape))
            norm.bias.copy_(normal(norm.bias.shape, 0.1))
            norm.reset_running_stats()
            norm.train().momentum = None
        if norms:
            # One coarse and one fine, since in real pictures neighbouring pixels agree and in noise they do not.
            coarse, fine = (normal(torch.Size((1, 3, side, side)), 1.0) for side in (14, spec.input_size))
            coarse = functional.interpolate(coarse, size=spec.input_size, mode="bilinear")
            network(torch.cat((coarse, fine)))
        for norm in norms:
            norm.eval().momentum = 0.1
            statistics = dict(norm.named_buffers(recurse=False))
            statistics["running_mean"].add_(normal(norm.weight.shape, 0.1))
            statistics["running_var"].mul_(between(0.75, 1.5, norm.weight.shape))
