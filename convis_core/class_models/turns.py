"""A finished picture classified by many networks, one of them in memory at a time."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from convis_core import models
from convis_core.class_models.recognition import recognise
from convis_core.results import Recognition, Recognitions


def recognise_in_turn(model_ids: Sequence[str], picture: Tensor, target: int) -> Iterator[Recognitions]:
    """How each of several networks of the registry classifies a finished picture, one network after the other.

    Args:
        model_ids: ids of the networks; their weights must be installed.
        picture: float32 [3, S, S] in [0, 1].
        target: index of the class that it was drawn for.

    Yields:
        All answers so far, once after every network.

    Raises:
        SpecError: the picture has another shape, or a network has no such class.
        WeightsError: the weights of a network are not installed.

    >>> import torch
    >>> (answers,) = recognise_in_turn(["efficientnet_lite0"], torch.rand(3, 64, 64), 281)
    >>> answers.done, answers.total, answers.given[0].label
    (1, 1, 'EfficientNet-Lite0')
    """
    given: tuple[Recognition, ...] = ()
    for model_id in model_ids:
        given = (*given, *recognise((models.load(model_id),), picture, target))
        yield Recognitions(given, len(model_ids))
