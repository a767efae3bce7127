"""What gradient ascent can maximise: a score of a class or of a layer, or a sum of two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class ClassLogit:
    """The score of a class before the softmax. It rises only with evidence for the class itself.

    Attributes:
        target: index of the class.
    """

    target: int


@dataclass(frozen=True, slots=True)
class ClassProbability:
    """The softmax probability of a class. It also rises when the logits of all other classes fall.

    Attributes:
        target: index of the class.
    """

    target: int


@dataclass(frozen=True, slots=True)
class LogProbability:
    """The logarithm of the softmax probability: like the probability, but its gradient does not vanish near 0.

    Attributes:
        target: index of the class.
    """

    target: int


@dataclass(frozen=True, slots=True)
class Channel:
    """The mean of one feature map.

    Attributes:
        layer: name of the layer, from ``network.layer_names``.
        channel: index of the feature map.
    """

    layer: str
    channel: int


@dataclass(frozen=True, slots=True)
class Neuron:
    """One value of one feature map.

    Attributes:
        layer: name of the layer, from ``network.layer_names``.
        channel: index of the feature map.
        y: row on the layer's own grid.
        x: column on the layer's own grid.
    """

    layer: str
    channel: int
    y: int
    x: int


@dataclass(frozen=True, slots=True)
class Layer:
    """The mean of the squares of all values of a layer, which amplifies what it already detects (Deep Dream).

    Attributes:
        layer: name of the layer, from ``network.layer_names``.
    """

    layer: str


@dataclass(frozen=True, slots=True)
class Sum:
    """first + weight * second.

    Attributes:
        first: one objective.
        second: the other.
        weight: of the second; negative to minimise it.
    """

    first: Objective
    second: Objective
    weight: float = 1.0


Objective: TypeAlias = ClassLogit | ClassProbability | LogProbability | Channel | Neuron | Layer | Sum
