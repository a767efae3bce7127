"""Does the map change when the trained weights are replaced by random ones?"""

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
    """Attributions of a network whose layers are randomised one after the other, from the logits down.

    A map that looks the same for random weights does not show what the trained network has learned. The weights of
    each layer are redrawn from a normal distribution with the mean and standard deviation of the trained ones; the
    weights and statistics of batch norm are permuted among the channels.

    The model is never written to: each step uses a copy that shares all weights except the random ones.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        method: how to attribute.
        spec: seed, and whether layers are randomised one at a time or cumulatively.

    Returns:
        An iterator of comparisons; the first has only the map of the trained network, each further one a layer more.

    Raises:
        SpecError: when ``x`` or ``target`` is out of range.

    Adebayo et al., "Sanity Checks for Saliency Maps", 2018 (arXiv:1810.03292).

    >>> from convis_core import attribution, models
    >>> layers = torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(400, 2)
    >>> model, x = models.wrap(torch.nn.Sequential(*layers), input_size=12), torch.rand(1, 3, 12, 12)
    >>> first, *_, last = weight_randomisation(model, x, 1, attribution.saliency, RandomisationSpec())
    >>> first.rank_correlation, last.layers, len(last.magnitudes)
    ((1.0,), ('3', '0'), 3)
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
    reference = trained.magnitude()
    magnitudes, ranks, structures = [reference], [1.0], [1.0]
    generator = torch.Generator().manual_seed(spec.seed)
    randomised = model
    for done in range(len(from_the_top) + 1):
        if done:
            group = from_the_top[done - 1]
            randomised = _with_random_weights(model if spec.independent else randomised, groups[group], generator)
            magnitude = method(randomised, x, target).magnitude()
            magnitudes.append(magnitude)
            ranks.append(rank_correlation(reference, magnitude))
            structures.append(structural_similarity(reference, magnitude))
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
    """A copy of the network in which the named layers are random; all other weights are the same tensors."""
    tensors = [*model.module.parameters(), *model.module.buffers()]
    # deepcopy treats what is in its memo as already copied: layers are copied, their tensors shared.
    copied = copy.deepcopy(model.module, {id(tensor): tensor for tensor in tensors})
    for name in names:
        _randomise(copied.get_submodule(name), generator)
    key = f"{model.key}:without {' '.join(names)}:{generator.initial_seed()}"
    return dataclasses.replace(model, module=copied, key=key)


def _randomise(layer: nn.Module, generator: torch.Generator) -> None:
    """Give a layer of the copy new tensors; the previous ones belong to the model as well."""
    if isinstance(layer, nn.BatchNorm2d):
        # Weights and statistics are each permuted independently, so that channels get the values of other channels.
        for name, tensor in [*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)]:
            if tensor.dim() == 1:
                shuffled = tensor.detach()[torch.randperm(len(tensor), generator=generator).to(tensor.device)]
                _replace(layer, name, shuffled)
        return
    for name, tensor in list(layer.named_parameters(recurse=False)):
        trained = tensor.detach()
        spread = float(trained.std()) if trained.numel() > 1 else float(trained.abs().max())
        drawn = torch.empty(trained.shape, dtype=trained.dtype)
        drawn.normal_(float(trained.mean()), spread, generator=generator)
        _replace(layer, name, drawn.to(trained.device))


def _replace(layer: nn.Module, name: str, tensor: Tensor) -> None:
    if name in layer._parameters:
        layer._parameters[name] = nn.Parameter(tensor, requires_grad=False)
    else:
        layer._buffers[name] = tensor
