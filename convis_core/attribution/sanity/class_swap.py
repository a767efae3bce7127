"""Does the map change when the class does?"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from convis_core.attribution.sanity.explainer import Explainer
from convis_core.attribution.similarity import correlation, rank_correlation
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network.checks import check_picture, check_target
from convis_core.results import Attribution, ClassSwap


def class_swap(model: LoadedModel, x: Tensor, targets: Sequence[int], method: Explainer) -> Iterator[ClassSwap]:
    """Explains one picture for several classes and measures how similar the maps are.

    A method with the same magnitudes for every class shows the picture, not the evidence for a class.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        targets: indices of at least two different classes.
        method: how to attribute.

    Returns:
        An iterator of comparisons, with one class more in each.

    Raises:
        SpecError: when ``x`` or a class is out of range, or there are fewer than two classes.

    >>> from convis_core import attribution, models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2))
    >>> linear[1].weight.data[1] = -linear[1].weight.data[0]
    >>> *_, swap = class_swap(models.wrap(linear, input_size=4), torch.rand(1, 3, 4, 4), (0, 1), attribution.saliency)
    >>> round(float(swap.correlation[0, 1]), 6), round(float(swap.rank_correlation[0, 1]), 6)
    (-1.0, 1.0)
    """
    check_picture(model, x)
    for target in targets:
        check_target(model, target)
    if len(targets) < 2 or len(set(targets)) < len(targets):
        raise SpecError("A class swap needs at least two different classes.")
    return _frames(model, x, tuple(targets), method)


def _frames(model: LoadedModel, x: Tensor, targets: tuple[int, ...], method: Explainer) -> Iterator[ClassSwap]:
    count = len(targets)
    maps: list[Attribution] = []
    signed, ranked = torch.full((count, count), torch.nan), torch.full((count, count), torch.nan)
    for new, target in enumerate(targets):
        maps.append(method(model, x, target))
        signed, ranked = signed.clone(), ranked.clone()
        for old, other in enumerate(maps):
            pair = (new, old), (old, new)
            signed_pair = correlation(maps[new].values, other.values)
            ranked_pair = rank_correlation(maps[new].magnitude(), other.magnitude())
            for position in pair:
                signed[position], ranked[position] = signed_pair, ranked_pair
        yield ClassSwap(
            targets=targets,
            magnitudes=tuple(one.magnitude() for one in maps),
            correlation=signed,
            rank_correlation=ranked,
            method=maps[0].method,
            done=len(maps),
            total=count,
        )
