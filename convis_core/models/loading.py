"""From a name to a network ready for inference: architecture, weights, normalisation, device."""

import math
import os
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from convis_core.errors import SpecError, WeightsError
from convis_core.models import weights as checkpoints
from convis_core.models.arguments import whole_number
from convis_core.models.identity import not_finite
from convis_core.models.pixels import FromPixels
from convis_core.models.registry import adapt_state, build, get_spec
from convis_core.models.spec import LoadedModel, ModelSpec

_LARGEST_SEED = 2**63 - 1


def choose_device() -> torch.device:
    """CUDA, else Apple's MPS, else the CPU, unless the environment variable ``CONVIS_DEVICE`` names another device.

    Raises:
        SpecError: when ``CONVIS_DEVICE`` names a device that torch does not know or cannot use here.

    >>> choose_device().type in ("cpu", "cuda", "mps")
    True
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
    """The network of this name, ready for inference.

    Pretrained weights are taken from this machine, or downloaded if they are not on it. They are mapped from the file,
    so that they occupy memory once. Random weights need neither files nor a connection.

    Args:
        model_id: torchvision's name, one of the ids of ``MODELS``.
        weights: "pretrained", or "random" for tests and benchmarks.
        seed: of the random weights, 0 to 2**63 - 1; ignored for pretrained ones.

    Raises:
        SpecError: when no network has this id, ``weights`` is neither of the two, or ``seed`` is no such number.
        WeightsError: when the weights are not available or not finite; the message names a remedy.

    >>> model = load("efficientnet_lite0")
    >>> model.input_size, len(model.categories), model.categories[282]
    (224, 1000, 'tiger cat')
    >>> tuple(model.module(torch.rand(2, 3, 224, 224)).shape)
    (2, 1000)
    """
    spec = get_spec(model_id)
    if not isinstance(weights, str) or weights not in ("pretrained", "random"):
        raise SpecError(f"Weights are 'pretrained' or 'random', not {weights!r}.")
    seed = whole_number("A seed", seed, 0, _LARGEST_SEED)
    device = choose_device()
    with torch.device("meta"):
        network = build(model_id)
    source: Path | None = None
    if weights == "random":
        network = network.to_empty(device="cpu")
        _randomise(network, spec, seed)
        key = f"{spec.id}:random:{seed}"
    else:
        source = checkpoints.obtain(spec.weights)
        _assign(network, spec, source)
        key = f"{spec.id}:{spec.weights.sha256}"
    module = FromPixels(network, spec.mean, spec.std).to(device).eval().requires_grad_(False)
    return LoadedModel(spec, module, spec.categories, spec.input_size, device, key, source)


def _assign(network: nn.Module, spec: ModelSpec, path: Path) -> None:
    """Load the checkpoint's own tensors into the network, without a second copy of them."""
    again = f"delete it and run: python -m convis_core weights fetch {spec.id}"
    try:
        state = adapt_state(spec.id, checkpoints.read_state_dict(path), tuple(network.state_dict()))
        network.load_state_dict({name: value.contiguous() for name, value in state.items()}, assign=True)
    except (RuntimeError, ValueError) as error:
        raise WeightsError(f"The file {path} does not hold the weights of {spec.label}; {again}") from error
    broken = not_finite(network.state_dict())
    if broken:
        raise WeightsError(f"The file {path} holds weights of {spec.label} that are not numbers, in {broken}; {again}")


def _randomise(network: nn.Module, spec: ModelSpec, seed: int) -> None:
    """He-normal weights, small biases, and batch-norm statistics that are not 0 and 1.

    With statistics of 0 and 1 a mistake in folding or skipping batch norm would go unnoticed; with arbitrary ones the
    logits of a residual network grow into the thousands. So they are those of two pictures of noise, perturbed.
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
            # On average slightly less than 1 in power, otherwise activations would explode over fifty layers.
            norm.weight.copy_(between(0.4, 1.2, norm.weight.shape))
            norm.bias.copy_(normal(norm.bias.shape, 0.1))
            norm.reset_running_stats()
            norm.train().momentum = None
        if norms:
            # One coarse and one fine, since neighbouring pixels are correlated in real pictures and not in noise.
            coarse, fine = (normal(torch.Size((1, 3, side, side)), 1.0) for side in (14, spec.input_size))
            coarse = functional.interpolate(coarse, size=spec.input_size, mode="bilinear")
            network(torch.cat((coarse, fine)))
        for norm in norms:
            norm.eval().momentum = 0.1
            statistics = dict(norm.named_buffers(recurse=False))
            statistics["running_mean"].add_(normal(norm.weight.shape, 0.1))
            statistics["running_var"].mul_(between(0.75, 1.5, norm.weight.shape))
