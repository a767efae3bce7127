"""Does the map change when the network forgets what it has learned?"""

import copy
import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from convis_core import network
from convis_core.attribution.sanity.explainer import Explainer
from convis_core.attribution.similarity import rank_correlation, structural_similarity
from convis_core.models import LoadedModel
from convis_core.network.checks import check_picture, check_target
from convis_core.results import RandomisationSpec, WeightRandomisation
from convis_core.values import check_seed


def weight_randomisation(
    model: LoadedModel, x: Tensor, target: int, method: Explainer, spec: RandomisationSpec
) -> Iterator[WeightRandomisation]:
    """An attribution of networks that have lost their weights, one layer more at a time, from the logits down.

    A map that looks the same on a network that knows nothing cannot tell what the trained one knows. Each layer is
    drawn anew from a normal distribution with the mean and spread of its trained weights; what batch norm learned is
    shuffled among the channels.

    The model is not written to: every step looks at a twin that shares with it all weights but the random ones.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        method: how to attribute.
        spec: seed, and whether layers are randomised one at a time or cascading.

    Returns:
        An iterator of comparisons; the first has only the trained network's map, each further one a layer more.

    Raises:
        SpecError: when ``x`` or ``target`` is out of range.

    Adebayo et al., "Sanity Checks for Saliency Maps", 2018 (arXiv:1810.03292).
    """
    check_picture(model, x)
    check_target(model, target)
    check_seed(spec.seed)
    return _frames(model, x, target, method, spec)


def weight_groups(model: LoadedModel) -> dict[str, tuple[str, ...]]:
    """Layers with weights, grouped as the network's pages show them, in order of execution.

    Returns:
        Name of a layer or block -> names of the modules in it that have weights.
    """
    groups: dict[str, list[str]] = {}
    for node in network.trace(model).module.graph.nodes:
        name = str(node.target)
        if node.op != "call_module" or not list(model.module.get_submodule(name).parameters()):
            continue
        group = next((shown for shown in model.spec.feature_layers if f"{name}.".startswith(f"{shown}.")), name)
        if name not in groups.setdefault(group, []):
            groups[group].append(name)
    return {group: tuple(names) for group, names in groups.items()}


def _frames(
    model: LoadedModel, x: Tensor, target: int, method: Explainer, spec: RandomisationSpec
) -> Iterator[WeightRandomisation]:
    groups = weight_groups(model)
    from_the_top = tuple(reversed(groups))
    trained = method(model, x, target)
    known = trained.magnitude()
    magnitudes, ranks, structures = [known], [1.0], [1.0]
    generator = torch.Generator().manual_seed(spec.seed)
    forgetful = model
    for done in range(len(from_the_top) + 1):
        if done:
            group = from_the_top[done - 1]
            forgetful = _with_random_weights(model if spec.independent else forgetful, groups[group], generator)
            magnitude = method(forgetful, x, target).magnitude()
            magnitudes.append(magnitude)
            ranks.append(rank_correlation(known, magnitude))
            structures.append(structural_similarity(known, magnitude))
        yield WeightRandomisation(
            layers=from_the_top[:done],
            magnitudes=tuple(magnitudes),
            rank_correlation=tuple(ranks),
            structural_similarity=tuple(structures),
            target=target,
            method=trained.method,
            done=done,
            total=len(from_the_top),
        )


def _with_random_weights(model: LoadedModel, names: tuple[str, ...], generator: torch.Generator) -> LoadedModel:
    """A twin of the network in which the named layers know nothing; all other weights are the same tensors."""
    tensors = [*model.module.parameters(), *model.module.buffers()]
    # deepcopy takes what it finds in its memo for already copied: layers are copied, their tensors shared.
    twin = copy.deepcopy(model.module, {id(tensor): tensor for tensor in tensors})
    for name in names:
        _forget(twin.get_submodule(name), generator)
    key = f"{model.key}:without {' '.join(names)}:{generator.initial_seed()}"
    return dataclasses.replace(model, module=twin, key=key)


def _forget(layer: nn.Module, generator: torch.Generator) -> None:
    """Give a layer of the twin new tensors; the ones it had belong to the model too."""
    if isinstance(layer, nn.BatchNorm2d):
        # Affine weights and statistics each in an order of their own: channels no longer get what was meant for them.
        for name, tensor in [*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)]:
            if tensor.dim() == 1:
                shuffled = tensor.detach()[torch.randperm(len(tensor), generator=generator).to(tensor.device)]
                _replace(layer, name, shuffled)
        return
    for name, tensor in list(layer.named_parameters(recurse=False)):
        known = tensor.detach()
        spread = float(known.std()) if known.numel() > 1 else float(known.abs().max())
        drawn = torch.empty(known.shape, dtype=known.dtype).normal_(float(known.mean()), spread, generator=generator)
        _replace(layer, name, drawn.to(known.device))


def _replace(layer: nn.Module, name: str, tensor: Tensor) -> None:
    if name in layer._parameters:
        layer._parameters[name] = nn.Parameter(tensor, requires_grad=False)
    else:
        layer._buffers[name] = tensor
