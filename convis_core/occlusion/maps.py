"""Occlusion maps: the score of a class for every position of a window that hides a part of the picture."""

import contextlib
import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convis_core.engines import incremental
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.models.probability import probabilities as probability_of
from convis_core.network.checks import check_answer, check_picture, check_target
from convis_core.network.memo import once
from convis_core.occlusion.hiding import fill_picture
from convis_core.occlusion.order import Capacity, Chunk, chunks, grid, interlaced
from convis_core.results import OcclusionCost, OcclusionMap, OcclusionSpec
from convis_core.runtime import lanes
from convis_core.runtime.cores import lane_count
from convis_core.runtime.lru import Lru

_BASES_BYTES = 160 * 2**20  # for each network; VGG16's base takes 63 MB
ACTIVATION_BYTES = 256 * 2**20
"""Memory that the activations of the batches on all lanes may occupy together."""


def occlusion(
    model: LoadedModel, x: Tensor, target: int, spec: OcclusionSpec, *, resume: OcclusionMap | None = None
) -> Iterator[OcclusionMap]:
    """The target's score for every position of a window that hides a part of the picture.

    logit[r, c] = f_target(x with the fill at rows tops[r] .. tops[r] + window - 1 and likewise columns). Exact:
    bit for bit what the same operations give for the whole occluded picture (see ``convis_core.engines.incremental``).

    The positions are those of ``grid`` in both directions. They are computed coarse to fine, beginning with a
    twenty-fifth of them, and the last map does not depend on the order, the lanes or the chunks.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        spec: window, stride and fill.
        resume: a partial map of the same network, picture, target and spec; only its pending windows are computed, and
            the last map has the same bits as one computed without a stop.

    Returns:
        An iterator of maps, each of them drawable and with more windows than the one before. It holds no lock and no
        grad mode between two of them, and the computation ends with ``close()``.

    Raises:
        SpecError: when ``x`` or the target does not fit the network, the window is larger than the picture, or
            ``resume`` is a map of something else.

    Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014 (arXiv:1311.2901).

    >>> import torch
    >>> from torch import nn
    >>> from convis_core import models, occlusion
    >>> from convis_core.results import OcclusionSpec
    >>> model = models.wrap(nn.Sequential(nn.AvgPool2d(16), nn.Flatten()), input_size=16)  # logits: mean colours
    >>> spec = OcclusionSpec(window=8, stride=4, fill="black")
    >>> *_, last = occlusion.occlusion(model, torch.ones(1, 3, 16, 16), target=0, spec=spec)
    >>> last.tops.tolist(), last.done, last.total
    ([0, 4, 8], 9, 9)
    >>> last.drop()[0].tolist()  # each window covers a quarter of the picture
    [0.25, 0.25, 0.25]
    """
    check_picture(model, x)
    check_target(model, target)
    starts = np.array(grid(model.input_size, spec))
    if resume is not None and (resume.target, resume.spec, resume.size) != (target, spec, model.input_size):
        raise SpecError("This map is of another class, window, stride or fill; compute it without ``resume``.")
    return _maps(_Task(model, x.detach().to(model.device), target, spec), starts, resume)


def estimate(model: LoadedModel, spec: OcclusionSpec) -> OcclusionCost:
    """The expected cost of a map, before it is computed.

    The regions that the windows affect are counted. Their multiply-adds and bytes are converted to seconds at the pace
    of the network's last map, or at that of a convolution that is timed on the first call.

    Args:
        model: the network.
        spec: window and stride.

    Raises:
        SpecError: when the window is larger than the picture.

    >>> from torch import nn
    >>> from convis_core import models, occlusion
    >>> from convis_core.results import OcclusionSpec
    >>> network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> cost = occlusion.estimate(models.wrap(network, input_size=64), OcclusionSpec(window=16, stride=8))
    >>> cost.windows, cost.full_multiply_adds == 7 * 7 * 64 * 64 * 3 * 3 * 3 * 8
    (49, True)
    >>> cost.multiply_adds < cost.full_multiply_adds / 4, cost.seconds > 0  # only the regions around the windows
    (True, True)
    """
    starts = np.array(grid(model.input_size, spec))
    network = incremental.program(model)
    windows = len(starts) ** 2
    work = incremental.expected(network, (spec.window, spec.window), starts, starts)
    pace = _cache(model).pace or lanes.run(incremental.measured_pace)
    full = windows * incremental.multiply_adds(network)
    return OcclusionCost(windows, work.multiply_adds, full, work.seconds * pace / lane_count())


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """The arguments of ``occlusion``."""

    model: LoadedModel
    x: Tensor
    target: int
    spec: OcclusionSpec


class _StoppedError(Exception):
    """A chunk was abandoned because its map is no longer wanted."""


class _Scores(NamedTuple):
    """The results of a chunk of windows: their positions in the map, its four values there, [N] each, and its pace."""

    rows: Tensor
    columns: Tensor
    probability: Tensor
    logit: Tensor
    top_class: Tensor
    top_probability: Tensor
    pace: float


_lock = threading.Lock()


class _Cache:
    """What one network's maps leave for the next: the bases of its last pictures, and its pace on this machine."""

    def __init__(self) -> None:
        self.bases: Lru[incremental.Base] = Lru(_BASES_BYTES)
        self.pace: float | None = None


@once
def _cache(_model: LoadedModel) -> _Cache:
    return _Cache()


def _maps(task: _Task, starts: NDArray[np.int64], resume: OcclusionMap | None) -> Iterator[OcclusionMap]:
    base = _base(task)
    fill = fill_picture(task.model, task.x, task.spec)
    cache, capacity = _cache(task.model), Capacity(lane_count(), ACTIVATION_BYTES)
    stop = threading.Event()
    latest = _empty(task, base, starts) if resume is None else resume
    if latest.baseline_logit != float(base.logits[task.target]):
        raise SpecError("This map is of another picture or network; compute it without ``resume``.")
    if latest.done == latest.total:
        yield latest
        return
    levels = interlaced(len(starts))
    first = len(levels[0])
    pending = latest.logit.isnan().numpy()
    missing = [level[pending[tuple(level.T)]] for level in levels]
    waiting = chunks(base.program, task.spec, starts, missing, capacity)
    score = partial(_score, task, base, starts, fill, stop)
    with contextlib.closing(lanes.map(score, waiting)) as results:
        try:
            for scores in results:
                latest = _updated(latest, scores)
                cache.pace = _smoothed(cache.pace, scores.pace)
                if latest.done >= first:
                    yield latest
        finally:
            # Chunks in progress end after their current batch.
            stop.set()


def _smoothed(before: float | None, now: float) -> float:
    return now if before is None else 0.8 * before + 0.2 * now


def _empty(task: _Task, base: incremental.Base, starts: NDArray[np.int64]) -> OcclusionMap:
    count = len(starts)
    pending = torch.full((count, count), torch.nan)
    return OcclusionMap(
        probability=pending,
        logit=pending,
        top_class=torch.full((count, count), -1),
        top_probability=pending,
        tops=torch.from_numpy(starts),
        lefts=torch.from_numpy(starts),
        baseline_probability=float(probability_of(base.logits)[task.target]),
        baseline_logit=float(base.logits[task.target]),
        target=task.target,
        size=task.model.input_size,
        spec=task.spec,
        done=0,
        total=count * count,
    )


def _updated(latest: OcclusionMap, scores: _Scores) -> OcclusionMap:
    """The map with more of its windows, as a new record, since the old one may still be displayed."""
    positions = (scores.rows, scores.columns)
    return replace(
        latest,
        probability=latest.probability.index_put(positions, scores.probability),
        logit=latest.logit.index_put(positions, scores.logit),
        top_class=latest.top_class.index_put(positions, scores.top_class),
        top_probability=latest.top_probability.index_put(positions, scores.top_probability),
        done=latest.done + len(scores.rows),
    )


def _score(
    task: _Task, base: incremental.Base, starts: NDArray[np.int64], fill: Tensor, stop: threading.Event, chunk: Chunk
) -> _Scores:
    """The scores of a chunk, computed on a lane."""
    # CPU time of this lane: the time that other processes take on the core is not the network's.
    clock = time.thread_time if task.model.device.type == "cpu" else time.perf_counter
    begun = clock()
    features, first = [], 0
    for batch in chunk.batches:
        if stop.is_set():
            raise _StoppedError
        here = slice(first, first + len(batch.members))
        first = here.stop
        patches = _patches(fill, starts[chunk.rows[here]], starts[chunk.columns[here]], task.spec.window)
        features.append(incremental.before_tail(base, batch, patches))
    logits = incremental.tail(base, features)
    check_answer(logits)
    probabilities = probability_of(logits)
    top = probabilities.max(dim=1)
    return _Scores(
        rows=torch.from_numpy(chunk.rows),
        columns=torch.from_numpy(chunk.columns),
        probability=probabilities[:, task.target],
        logit=logits[:, task.target],
        top_class=top.indices,
        top_probability=top.values,
        pace=(clock() - begun) / chunk.seconds,
    )


def _patches(fill: Tensor, tops: NDArray[np.int64], lefts: NDArray[np.int64], window: int) -> Tensor:
    corners = zip(tops.tolist(), lefts.tolist(), strict=True)
    return torch.cat([fill[:, :, top : top + window, left : left + window] for top, left in corners])


def _base(task: _Task) -> incremental.Base:
    """The picture's base, computed unless the cache of this network holds it."""
    picture = hashlib.sha256(task.x.cpu().numpy().tobytes()).digest()
    with _lock:
        bases = _cache(task.model).bases
        base = bases.get(picture)
    if base is None:
        base = lanes.run(partial(incremental.prepare, task.model, task.x))
        with _lock:
            bases.add(picture, base, base.nbytes)
    return base
