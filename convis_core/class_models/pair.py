"""Two drawings in step: the same class, seed and number of steps, with one thing different."""

from collections.abc import Iterator

from convis_core.class_models.ascent import ascend
from convis_core.models import LoadedModel
from convis_core.results import ClassModelPair, ClassModelSpec, Objective


def ascend_pair(
    model: LoadedModel, left: tuple[Objective, ClassModelSpec], right: tuple[Objective, ClassModelSpec]
) -> Iterator[ClassModelPair]:
    """Draws two pictures at once, each as ``ascend`` alone would draw it.

    Args:
        model: the network.
        left: what the first drawing maximises, and how.
        right: the same for the second; as many steps, and frames as often.

    Yields:
        The frames of both at the same step; the last pair is complete.

    Raises:
        SpecError: when ``ascend`` refuses one of the two.
        ValueError: when one of the drawings ends before the other.
    """
    for one, other in zip(ascend(model, *left), ascend(model, *right), strict=True):
        yield ClassModelPair(one, other)
