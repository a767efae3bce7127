"""The prediction of a network for one picture."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


class Score(NamedTuple):
    """One of the top classes: its index, its readable name, its softmax probability."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks of a score
    name: str
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The scores of every class for one picture, and the top classes.

    Attributes:
        logits: float32 [C], the scores before the softmax.
        probabilities: float32 [C], softmax of ``logits``; they sum to one.
        top: the most probable classes, in descending order.
    """

    logits: Tensor
    probabilities: Tensor
    top: tuple[Score, ...]
