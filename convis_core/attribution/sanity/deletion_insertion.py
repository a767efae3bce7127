"""Does the probability of a class fall when the pixels that an attribution ranks highest are deleted?"""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from convis_core import network
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.models.probability import probabilities as probability_of
from convis_core.network.baselines import baseline
from convis_core.network.checks import check_picture, check_target
from convis_core.results import Attribution, DeletionInsertion, DeletionInsertionSpec
from convis_core.runtime import lanes
from convis_core.values import check_seed, check_whole

_MOST_ORDERS = 1000
_PICTURES_IN_A_CHUNK = 4


def deletion_insertion(
    model: LoadedModel, x: Tensor, attribution: Attribution, spec: DeletionInsertionSpec
) -> Iterator[DeletionInsertion]:
    """The class probability while an attribution's most important pixels are deleted, and while they are inserted.

    Deletion replaces a growing share of the picture by ``spec.deleted``, insertion builds the picture up from
    ``spec.start``, both in the order of the attribution's magnitude. A good order makes the deletion curve fall early
    (small area) and the insertion curve rise early (large area). Random orders serve as a baseline.

    Scattered pixels and cells form a texture that no network was trained on, which can lower the probability by
    itself. A random order is therefore a fair baseline only for orders that are equally scattered: a smooth map, such
    as Grad-CAM's, deletes one connected patch and may do worse. Larger cells make the orders more alike, and random
    ones stronger.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        attribution: the map to test; its target is the class.
        spec: how to delete and insert.

    Returns:
        An iterator of increasingly complete curves: those of the attribution first, then the random ones.

    Raises:
        SpecError: when ``x`` or ``spec`` is out of range, or the attribution is of another size or not finite.

    Petsiuk, Das and Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", 2018
    (arXiv:1806.07421).

    >>> from convis_core import attribution, models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2))
    >>> model, x = models.wrap(linear, input_size=4), torch.rand(1, 3, 4, 4)
    >>> spec = DeletionInsertionSpec(steps=4, random_orders=2)
    >>> *_, last = deletion_insertion(model, x, attribution.saliency(model, x, 1), spec)
    >>> last.fractions.tolist(), tuple(last.random_deletion.shape), last.done
    ([0.0, 0.25, 0.5, 0.75, 1.0], (2, 5), 30)
    >>> torch.allclose(last.deletion[0], last.insertion[-1])  # both are the whole picture
    True
    """
    check_picture(model, x)
    check_target(model, attribution.target)
    side = x.shape[-1]
    check_whole("The side of a cell", spec.cell, 1, side)
    cells = (-(-side // spec.cell)) ** 2
    check_whole("The number of steps", spec.steps, 1, cells)
    check_whole("The number of random orders", spec.random_orders, 0, _MOST_ORDERS)
    check_seed(spec.seed)
    magnitude = attribution.magnitude()
    if tuple(magnitude.shape) != (side, side) or not bool(magnitude.isfinite().all()):
        raise SpecError(f"The attribution must be finite and as large as the picture, {side} x {side}.")
    ends = baseline(model, x, spec.deleted), baseline(model, x, spec.start)
    return _frames(model, x.detach(), ends, attribution, spec)


def _frames(
    model: LoadedModel,
    x: Tensor,
    ends: tuple[Tensor, Tensor],
    attribution: Attribution,
    spec: DeletionInsertionSpec,
) -> Iterator[DeletionInsertion]:
    deleted, start = ends
    side, points = x.shape[-1], spec.steps + 1
    ranks = [_ranks(_cell_means(attribution.magnitude(), spec.cell))]
    generator = torch.Generator().manual_seed(spec.seed)
    ranks += [torch.randperm(ranks[0].numel(), generator=generator) for _ in range(spec.random_orders)]
    # Whole cells taken at each point; the share of pixels follows from the mask.
    taken = [round(step * ranks[0].numel() / spec.steps) for step in range(points)]
    masks = [_for_each_pixel(ranks[0] < count, spec.cell, side) for count in taken]
    fractions = torch.stack([mask.float().mean() for mask in masks])
    orders = len(ranks)
    # Curve 2r is the deletion in order r, curve 2r + 1 the insertion.
    curves = torch.full((2 * orders, points), torch.nan)
    evaluations = [(curve, point) for curve in range(2 * orders) for point in range(points)]
    module = network.fast(model).module

    def evaluate(first: int) -> Tensor:
        pictures = []
        for curve, point in evaluations[first : first + _PICTURES_IN_A_CHUNK]:
            mask = _for_each_pixel(ranks[curve // 2] < taken[point], spec.cell, side).to(x.device)
            pictures.append(torch.where(mask, x, start) if curve % 2 else torch.where(mask, deleted, x))
        batch = torch.cat(pictures).to(model.device, memory_format=torch.channels_last)
        with torch.no_grad():
            logits = module(batch)
        return probability_of(logits)[:, attribution.target].float().cpu()

    done = 0
    with contextlib.closing(lanes.map(evaluate, range(0, len(evaluations), _PICTURES_IN_A_CHUNK))) as chunks:
        for probabilities in chunks:
            curves = curves.clone()
            curves.view(-1)[done : done + len(probabilities)] = probabilities
            done += len(probabilities)
            yield DeletionInsertion(
                fractions=fractions,
                deletion=curves[0],
                insertion=curves[1],
                random_deletion=curves[2::2],
                random_insertion=curves[3::2],
                target=attribution.target,
                method=attribution.method,
                spec=spec,
                done=done,
                total=len(evaluations),
            )


def _cell_means(magnitude: Tensor, cell: int) -> Tensor:
    """The mean of each cell, row by row; cells at the right and lower border may be smaller."""
    return functional.avg_pool2d(
        magnitude[None, None].double(), cell, ceil_mode=True, count_include_pad=False
    ).flatten()


def _ranks(importance: Tensor) -> Tensor:
    """Rank of each cell, 0 for the most important; ties in reading order."""
    ranks = torch.empty(importance.numel(), dtype=torch.int64)
    ranks[importance.argsort(descending=True, stable=True)] = torch.arange(importance.numel())
    return ranks


def _for_each_pixel(cells: Tensor, cell: int, side: int) -> Tensor:
    """A bool for each cell as a bool for each pixel, [S, S]."""
    across = -(-side // cell)
    grid = cells.view(across, across)
    return grid.repeat_interleave(cell, dim=0).repeat_interleave(cell, dim=1)[:side, :side]
