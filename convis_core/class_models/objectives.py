"""What is maximised: objectives as records, and their values as functions of what the network returned."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from convis_core import network
from convis_core.engines.input_gradients import gradient_network
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.models.probability import probabilities
from convis_core.network.checks import check_target
from convis_core.results.objectives import (
    Channel,
    ClassLogit,
    ClassProbability,
    Layer,
    LogProbability,
    Neuron,
    Objective,
    Sum,
)
from convis_core.values import check_whole

_AJAR = 0.1


def layers_of(objectives: Sequence[Objective]) -> tuple[str, ...]:
    """Names of the layers that must be read, each once."""
    names: dict[str, None] = {}
    for objective in objectives:
        match objective:
            case Channel() | Neuron() | Layer():
                names[objective.layer] = None
            case Sum():
                names.update(dict.fromkeys(layers_of((objective.first, objective.second))))
            case _:
                pass
    return tuple(names)


def class_of(objective: Objective) -> int | None:
    """The class that an objective is about, of a sum the first that names one; None when there is none."""
    match objective:
        case ClassLogit() | ClassProbability() | LogProbability():
            return objective.target
        case Sum():
            first = class_of(objective.first)
            return class_of(objective.second) if first is None else first
        case _:
            return None


def names_a_place(objective: Objective) -> bool:
    """Whether the objective looks at one place of a layer's grid, so that the grid must keep its size."""
    match objective:
        case Neuron():
            return True
        case Sum():
            return names_a_place(objective.first) or names_a_place(objective.second)
        case _:
            return False


def evaluate(objective: Objective, logits: Tensor, outputs: Mapping[str, Tensor]) -> Tensor:
    """The value of an objective for each picture of a batch, differentiable.

    Args:
        objective: what to maximise.
        logits: float32 [N, C].
        outputs: layer name -> its output, float32 [N, K, H, W] or [N, K].

    Returns:
        float32 [N].
    """
    match objective:
        case ClassLogit():
            return logits[:, objective.target]
        case ClassProbability():
            return probabilities(logits)[:, objective.target]
        case LogProbability():
            single = logits.shape[1] == 1
            return (functional.logsigmoid(logits) if single else logits.log_softmax(dim=1))[:, objective.target]
        case Channel():
            return outputs[objective.layer][:, objective.channel].flatten(1).mean(dim=1)
        case Neuron():
            return outputs[objective.layer][:, objective.channel, objective.y, objective.x]
        case Layer():
            return outputs[objective.layer].flatten(1).square().mean(dim=1)
        case Sum():
            first, second = (evaluate(part, logits, outputs) for part in (objective.first, objective.second))
            return first + objective.weight * second


def measure(
    model: LoadedModel, seen: Tensor, objectives: Sequence[Objective], *, relu: network.Edit | None = None
) -> tuple[Tensor, Tensor]:
    """The objective of each picture, and its logits, by the fastest way through the network.

    Args:
        model: the network.
        seen: float32 [N, 3, s, s], what the network sees.
        objectives: N of them, one for each picture.
        relu: carried out in place of every ReLU and ReLU6.

    Returns:
        Values [N] and logits [N, C], differentiable.
    """
    layers = layers_of(objectives)
    ordered = seen.contiguous(memory_format=torch.channels_last)
    outputs: Mapping[str, Tensor] = {}
    if not layers and relu is None:
        logits = gradient_network(model)(ordered)
    else:
        fast = network.fast(model)
        # A convolution that was folded into its batch norm no longer exists by itself.
        names = tuple(fast.names.values())
        kept = all(any(name == layer or name.startswith(f"{layer}.") for name in names) for layer in layers)
        logits, outputs = network.forward(fast if kept else network.trace(model), ordered, layers=layers, relu=relu)
    values = [
        evaluate(objective, logits[i : i + 1], {name: output[i : i + 1] for name, output in outputs.items()})
        for i, objective in enumerate(objectives)
    ]
    return torch.cat(values), logits


def ajar(x: Tensor) -> Tensor:
    """ReLU, but units at rest let a tenth of the gradient through: to be carried out in place of all activations.

    A channel that nothing in the picture excites has no gradient, and its picture would stay grey for ever. Through
    these doors it learns where to begin.

    Args:
        x: what arrives at the activation.
    """
    asleep = x.clamp(max=0)
    return x.clamp(min=0) + _AJAR * (asleep - asleep.detach())


def check_objective(model: LoadedModel, objective: Objective) -> None:
    """Refuse an objective that the network cannot have.

    Raises:
        SpecError: a class, layer, channel or place does not exist.
    """
    names = layers_of((objective,))
    side = model.input_size
    outputs: Mapping[str, Tensor] = {}
    if names:
        outputs = network.record(model, torch.zeros(1, 3, side, side), names)
    _check(model, objective, outputs)


def _check(model: LoadedModel, objective: Objective, outputs: Mapping[str, Tensor]) -> None:
    match objective:
        case ClassLogit() | ClassProbability() | LogProbability():
            check_target(model, objective.target)
        case Channel() | Neuron():
            shape = outputs[objective.layer].shape
            check_whole(f"A channel of layer {objective.layer}", objective.channel, 0, shape[1] - 1)
            if isinstance(objective, Neuron):
                _check_place(objective, shape)
        case Sum():
            _check(model, objective.first, outputs)
            _check(model, objective.second, outputs)
        case Layer():
            pass


def _check_place(neuron: Neuron, shape: torch.Size) -> None:
    if len(shape) != 4:
        raise SpecError(f"Layer {neuron.layer} has no grid; ask for one of its channels instead.")
    rows, columns = shape[2:]
    check_whole(f"The row of a neuron of layer {neuron.layer}", neuron.y, 0, rows - 1)
    check_whole(f"The column of a neuron of layer {neuron.layer}", neuron.x, 0, columns - 1)
