"""A finished picture before many networks, of which one at a time is in memory."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from convis_core import models
from convis_core.class_models.recognition import recognise
from convis_core.results import Recognition, Recognitions


def recognise_in_turn(model_ids: Sequence[str], picture: Tensor, target: int) -> Iterator[Recognitions]:
    """What each network of the registry makes of a finished picture, one after the other.

    Args:
        model_ids: of the networks; their weights must be here.
        picture: float32 [3, S, S] in [0, 1].
        target: index of the class that it was drawn for.

    Yields:
        All that has been answered so far, once after every network.

    Raises:
        SpecError: the picture has another shape, or a network has no such class.
        WeightsError: the weights of a network are not here.
    """
    given: tuple[Recognition, ...] = ()
    for model_id in model_ids:
        given = (*given, *recognise((models.load(model_id),), picture, target))
        yield Recognitions(given, len(model_ids))
