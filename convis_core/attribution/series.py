"""Several attributions of one picture: by noise level, and by method."""

import dataclasses
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from convis_core.attribution import sanity
from convis_core.attribution.methods.smoothgrad import smoothgrad
from convis_core.attribution.registry import attribute, passes
from convis_core.attribution.similarity import correlation, rank_correlation
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.results import (
    Attribution,
    Comparison,
    DeletionInsertion,
    DeletionInsertionSpec,
    Filmstrip,
    Method,
    SmoothGradSpec,
)


def filmstrip(
    model: LoadedModel, x: Tensor, target: int, levels: Sequence[float], spec: SmoothGradSpec
) -> Iterator[Filmstrip]:
    """SmoothGrad at several noise levels, each finished before the next begins.

    Without noise all copies are the same picture, and one is enough.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        levels: noise levels, at least one.
        spec: all other settings; its noise level is ignored.

    Returns:
        An iterator of strips; the estimate at the latest level grows from frame to frame.

    Raises:
        SpecError: when there is no level, or as ``attribution.smoothgrad`` does.

    >>> from convis_core import models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2))
    >>> model, x = models.wrap(linear, input_size=4), torch.rand(1, 3, 4, 4)
    >>> *_, strip = filmstrip(model, x, 1, (0.0, 0.1), SmoothGradSpec(n_samples=4))
    >>> strip.levels, [each.done for each in strip.attributions], strip.total
    ((0.0, 0.1), [1, 4], 5)
    """
    if not levels:
        raise SpecError("A filmstrip needs at least one noise level.")
    asked = [dataclasses.replace(spec, noise_level=level, n_samples=spec.n_samples if level else 1) for level in levels]
    return _strip(model, x, target, asked)


def _strip(model: LoadedModel, x: Tensor, target: int, asked: Sequence[SmoothGradSpec]) -> Iterator[Filmstrip]:
    levels, total = tuple(each.noise_level for each in asked), sum(each.n_samples for each in asked)
    finished: tuple[Attribution, ...] = ()
    before = 0
    for each in asked:
        latest = None
        for frame in smoothgrad(model, x, target, each):
            latest = frame
            yield Filmstrip(levels, (*finished, frame), before + frame.done, total)
        if latest is not None:
            finished = (*finished, latest)
        before += each.n_samples


def compare(
    model: LoadedModel, x: Tensor, target: int, methods: Sequence[Method], spec: DeletionInsertionSpec
) -> Iterator[Comparison]:
    """Compares several methods: their maps, how similar these are, and how well each ranks the pixels.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        methods: at least one.
        spec: of the deletion and insertion curves; the random orders are computed only once, with the first method.

    Returns:
        An iterator of comparisons: first the maps one by one, then the curves.

    Raises:
        SpecError: when there is no method, or a method or a test refuses its arguments.

    >>> from convis_core import models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2))
    >>> model, x = models.wrap(linear, input_size=4), torch.rand(1, 3, 4, 4)
    >>> methods = Method("saliency"), Method("input_x_gradient")
    >>> *_, last = compare(model, x, 1, methods, DeletionInsertionSpec(steps=4, random_orders=0))
    >>> len(last.attributions), len(last.curves), tuple(last.agreement.shape), last.done == last.total
    (2, 2, (2, 2), True)
    """
    if not methods:
        raise SpecError("A comparison needs at least one method.")
    return _compared(model, x, target, tuple(methods), spec)


def _compared(
    model: LoadedModel, x: Tensor, target: int, methods: tuple[Method, ...], spec: DeletionInsertionSpec
) -> Iterator[Comparison]:
    maps: tuple[Attribution, ...] = ()
    curves: tuple[DeletionInsertion, ...] = ()
    agreement = torch.full((len(methods), len(methods)), torch.nan)
    evaluations = 2 * (spec.steps + 1)
    total = sum(passes(method) for method in methods) + evaluations * (len(methods) + spec.random_orders)
    done = 0
    for method in methods:
        partial = done
        for frame in attribute(model, x, target, method):
            partial = done + min(frame.done, passes(method))
            if frame.done < frame.total:
                yield Comparison(methods, (*maps, frame), curves, agreement, partial, total)
            else:
                maps = (*maps, frame)
        done += passes(method)
        agreement = _agreement(maps, len(methods))
        yield Comparison(methods, maps, curves, agreement, done, total)
    for index, attribution in enumerate(maps):
        orders = spec.random_orders if index == 0 else 0
        latest = None
        for curve in sanity.deletion_insertion(model, x, attribution, dataclasses.replace(spec, random_orders=orders)):
            latest = curve
            yield Comparison(methods, maps, (*curves, curve), agreement, done + curve.done, total)
        if latest is not None:
            curves, done = (*curves, latest), done + latest.total


def _agreement(maps: Sequence[Attribution], count: int) -> Tensor:
    table = torch.full((count, count), torch.nan)
    flat = [each.values.sum(dim=0) for each in maps]
    sizes = [each.magnitude() for each in maps]
    for row in range(len(maps)):
        for column in range(row, len(maps)):
            table[row, column] = correlation(flat[row], flat[column])
            if column > row:
                table[column, row] = rank_correlation(sizes[row], sizes[column])
    return table
