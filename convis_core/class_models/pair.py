"""Two class models drawn in step, so that the effect of one setting can be compared."""

from collections.abc import Iterator

from convis_core.class_models.ascent import ascend
from convis_core.models import LoadedModel
from convis_core.results import ClassModelPair, ClassModelSpec, Objective


def ascend_pair(
    model: LoadedModel, left: tuple[Objective, ClassModelSpec], right: tuple[Objective, ClassModelSpec]
) -> Iterator[ClassModelPair]:
    """Draws two pictures in step, each exactly as ``ascend`` would draw it.

    Args:
        model: the network.
        left: objective and spec of the first picture.
        right: the same for the second; with as many steps, and frames as often.

    Yields:
        The frames of both at the same step; the last pair is complete.

    Raises:
        SpecError: when ``ascend`` refuses one of the two.
        ValueError: when one run is shorter than the other.

    >>> import torch
    >>> from convis_core import models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 2))
    >>> model = models.wrap(linear, input_size=16)
    >>> from convis_core.results import ClassLogit, ClassProbability
    >>> spec = ClassModelSpec(steps=4, frame_every=2)
    >>> pairs = list(ascend_pair(model, (ClassLogit(1), spec), (ClassProbability(1), spec)))
    >>> [(pair.left.step, pair.right.step) for pair in pairs]
    [(2, 2), (4, 4)]
    """
    for one, other in zip(ascend(model, *left), ascend(model, *right), strict=True):
        yield ClassModelPair(one, other)
