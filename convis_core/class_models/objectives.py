"""What is maximised: the value of each objective as a function of the network's outputs."""

from collections.abc import Mapping

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

_NEGATIVE_SLOPE = 0.1
"""Share of the gradient that an inactive unit lets through, see ``relu_with_leaky_gradient``."""


def layers_of(objective: Objective) -> tuple[str, ...]:
    """Names of the layers whose outputs the objective reads, each once."""
    match objective:
        case Channel() | Neuron() | Layer():
            return (objective.layer,)
        case Sum():
            return tuple(dict.fromkeys((*layers_of(objective.first), *layers_of(objective.second))))
        case _:
            return ()


def class_of(objective: Objective) -> int | None:
    """The class that an objective names, in a sum the first one; None when it names none."""
    match objective:
        case ClassLogit() | ClassProbability() | LogProbability():
            return objective.target
        case Sum():
            first = class_of(objective.first)
            return class_of(objective.second) if first is None else first
        case _:
            return None


def names_a_position(objective: Objective) -> bool:
    """Whether the objective is one position of a layer's grid, so that the grid must keep its size."""
    match objective:
        case Neuron():
            return True
        case Sum():
            return names_a_position(objective.first) or names_a_position(objective.second)
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
    model: LoadedModel, pictures: Tensor, objective: Objective, *, relu: network.Edit | None = None
) -> tuple[Tensor, Tensor]:
    """The objective and the logits of each picture, by the fastest path through the network.

    Args:
        model: the network.
        pictures: float32 [N, 3, s, s].
        objective: what to maximise.
        relu: replaces every ReLU and ReLU6.

    Returns:
        Values [N] and logits [N, C], differentiable.
    """
    layers = layers_of(objective)
    ordered = pictures.contiguous(memory_format=torch.channels_last)
    outputs: Mapping[str, Tensor] = {}
    if not layers and relu is None:
        logits = gradient_network(model)(ordered)
    else:
        fast = network.fast(model)
        # A convolution that was folded into its batch norm no longer exists as a layer.
        names = tuple(fast.names.values())
        exist = all(any(name == layer or name.startswith(f"{layer}.") for name in names) for layer in layers)
        logits, outputs = network.forward(fast if exist else network.trace(model), ordered, layers=layers, relu=relu)
    return evaluate(objective, logits, outputs), logits


def relu_with_leaky_gradient(x: Tensor) -> Tensor:
    """ReLU whose inactive units let a tenth of the gradient through, for use in place of all activations.

    A channel that is inactive on the whole picture has no gradient, so its picture would stay grey forever. The leak
    gives it a direction to start in.

    Args:
        x: input of the activation.

    >>> x = torch.tensor([-2.0, 3.0], requires_grad=True)
    >>> y = relu_with_leaky_gradient(x)
    >>> y.sum().backward()
    >>> y.tolist(), [round(slope, 6) for slope in x.grad.tolist()]
    ([0.0, 3.0], [0.1, 1.0])
    """
    negative = x.clamp(max=0)
    return x.clamp(min=0) + _NEGATIVE_SLOPE * (negative - negative.detach())


def check_objective(model: LoadedModel, objective: Objective) -> None:
    """Refuse an objective that this network does not have.

    Raises:
        SpecError: a class, layer, channel or position does not exist.
    """
    names = layers_of(objective)
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
                _check_position(objective, shape)
        case Sum():
            _check(model, objective.first, outputs)
            _check(model, objective.second, outputs)
        case Layer():
            pass


def _check_position(neuron: Neuron, shape: torch.Size) -> None:
    if len(shape) != 4:
        raise SpecError(f"Layer {neuron.layer} has no grid; ask for one of its channels instead.")
    rows, columns = shape[2:]
    check_whole(f"The row of a neuron of layer {neuron.layer}", neuron.y, 0, rows - 1)
    check_whole(f"The column of a neuron of layer {neuron.layer}", neuron.x, 0, columns - 1)
