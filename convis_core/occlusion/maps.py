"""Occlusion: hide the picture piece by piece and see what the network makes of the rest."""

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
from convis_core.network.baselines import baseline
from convis_core.network.checks import check_answer, check_picture, check_target
from convis_core.network.memo import once
from convis_core.occlusion.order import Chunk, Crew, grid, interlaced, portions
from convis_core.results import OcclusionCost, OcclusionMap, OcclusionSpec
from convis_core.runtime import lanes
from convis_core.runtime.cores import lane_count
from convis_core.runtime.lru import Lru

_BASES_BYTES = 160 * 2**20  # for each network; VGG16's base has 63 MB
ACTIVATION_BYTES = 256 * 2**20
"""What the batches on all lanes together may occupy."""


def occlusion(
    model: LoadedModel, x: Tensor, target: int, spec: OcclusionSpec, *, resume: OcclusionMap | None = None
) -> Iterator[OcclusionMap]:
    """The target's score while a window hides a part of the picture, for every place of the window.

    logit[r, c] = f_target(x with the fill at rows tops[r] .. tops[r] + window - 1 and likewise columns). Exact:
    bit for bit what the same operations give for the whole occluded picture (see ``convis_core.engines.incremental``).

    Places are ``grid``'s in both directions. They are computed coarse to fine, the first map with a
    twenty-fifth of them, and the last map does not depend on the order, the lanes or the chunks.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        spec: window, stride and fill.
        resume: a map of the same network, picture, target and spec: only what it lacks is computed, and the last
            map has the bits of one in one go.

    Returns:
        An iterator of maps, each complete in itself and with more windows than the one before. It holds no lock
        and no grad mode between two of them, and nothing computes after ``close()``.

    Raises:
        SpecError: when ``x`` or the target does not fit the network, the window is larger than the picture, or
            ``resume`` is a map of something else.

    Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014 (arXiv:1311.2901).
    """
    check_picture(model, x)
    check_target(model, target)
    starts = np.array(grid(model.input_size, spec))
    if resume is not None and (resume.target, resume.spec, resume.size) != (target, spec, model.input_size):
        raise SpecError("This map is of another class, window, stride or fill; start from nothing.")
    return _maps(_Task(model, x.detach().to(model.device), target, spec), starts, resume)


def hide(model: LoadedModel, x: Tensor, top: int, left: int, spec: OcclusionSpec) -> Tensor:
    """The picture with one window hidden, as the network is shown it.

    Args:
        model: the network; its training pictures' mean colour is one of the fills.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        top: first row of the window.
        left: first column of the window.
        spec: the window's side and the fill.

    Returns:
        float32 [1, 3, S, S].

    Raises:
        SpecError: when the window does not lie within the picture.
    """
    side = x.shape[-1]
    if not (0 <= top <= side - spec.window and 0 <= left <= side - spec.window):
        raise SpecError(f"A window of {spec.window} pixels at ({top}, {left}) does not lie within {side} x {side}.")
    mask = torch.zeros(side, side, dtype=torch.bool)
    mask[top : top + spec.window, left : left + spec.window] = True
    return hide_pixels(model, x, mask, spec)


def hide_pixels(model: LoadedModel, x: Tensor, mask: Tensor, spec: OcclusionSpec) -> Tensor:
    """The picture with any set of pixels hidden at once.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        mask: bool [S, S], true where the picture is hidden.
        spec: the fill; window and stride do not matter.

    Returns:
        float32 [1, 3, S, S].
    """
    return torch.where(mask.to(x.device), fill_picture(model, x, spec), x)


def fill_picture(model: LoadedModel, x: Tensor, spec: OcclusionSpec) -> Tensor:
    """What windows are filled with, where they are: float32 [1, 3, S, S].

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        spec: the fill, and the seed of the noise.
    """
    if spec.fill == "noise":
        drawn = torch.rand(x.shape, generator=torch.Generator().manual_seed(spec.seed))
        return drawn.to(x.device)
    return baseline(model, x, "blurred" if spec.fill == "blur" else spec.fill)


def estimate(model: LoadedModel, spec: OcclusionSpec) -> OcclusionCost:
    """What a map costs, before it is begun.

    The regions that windows reach are counted; the time is what their multiply-adds and bytes would take at the
    pace of the network's last map, or at that of a convolution timed when this is first asked.

    Args:
        model: the network.
        spec: window and stride.

    Raises:
        SpecError: when the window is larger than the picture.
    """
    starts = np.array(grid(model.input_size, spec))
    network = incremental.program(model)
    windows = len(starts) ** 2
    work = incremental.expected(network, (spec.window, spec.window), starts, starts)
    pace = _remembered(model).pace or lanes.run(incremental.measured_pace)
    full = windows * incremental.multiply_adds(network)
    return OcclusionCost(windows, work.multiply_adds, full, work.seconds * pace / lane_count())


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """What was asked."""

    model: LoadedModel
    x: Tensor
    target: int
    spec: OcclusionSpec


class _StoppedError(Exception):
    """A chunk was given up because nobody wants the map any more."""


class _Scores(NamedTuple):
    """What a chunk of windows gave: their places in the map and its four values there, [N] each; and its pace."""

    rows: Tensor
    columns: Tensor
    probability: Tensor
    logit: Tensor
    top_class: Tensor
    top_probability: Tensor
    pace: float


_lock = threading.Lock()


class _Remembered:
    """What one network's maps leave behind for the next: its last pictures' bases, and its pace on this machine."""

    def __init__(self) -> None:
        self.bases: Lru[incremental.Base] = Lru(_BASES_BYTES)
        self.pace: float | None = None


@once
def _remembered(_model: LoadedModel) -> _Remembered:
    return _Remembered()


def _maps(task: _Task, starts: NDArray[np.int64], resume: OcclusionMap | None) -> Iterator[OcclusionMap]:
    known = _base(task)
    filling = fill_picture(task.model, task.x, task.spec)
    network, workers, remembered = known.program, lane_count(), _remembered(task.model)
    stop = threading.Event()
    latest = _empty(task, known, starts) if resume is None else resume
    if latest.baseline_logit != float(known.logits[task.target]):
        raise SpecError("This map is of another picture or network; start from nothing.")
    if latest.done == latest.total:
        yield latest
        return
    levels = interlaced(len(starts))
    first = len(levels[0])
    pending = latest.logit.isnan().numpy()
    missing = [level[pending[tuple(level.T)]] for level in levels]
    waiting = portions(network, task.spec, starts, missing, Crew(workers, ACTIVATION_BYTES))
    score = partial(_score, task, known, starts, filling, stop)
    with contextlib.closing(lanes.map(score, waiting)) as results:
        try:
            for scores in results:
                latest = _with(latest, scores)
                remembered.pace = _smoothed(remembered.pace, scores.pace)
                if latest.done >= first:
                    yield latest
        finally:
            # Chunks on their way end with the batch that they are at.
            stop.set()


def _smoothed(before: float | None, now: float) -> float:
    return now if before is None else 0.8 * before + 0.2 * now


def _empty(task: _Task, base: incremental.Base, starts: NDArray[np.int64]) -> OcclusionMap:
    count = len(starts)
    nothing = torch.full((count, count), torch.nan)
    return OcclusionMap(
        probability=nothing,
        logit=nothing,
        top_class=torch.full((count, count), -1),
        top_probability=nothing,
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


def _with(latest: OcclusionMap, scores: _Scores) -> OcclusionMap:
    """The map with some more of its windows; a new one, since the old one may be on somebody's screen."""
    place = (scores.rows, scores.columns)
    return replace(
        latest,
        probability=latest.probability.index_put(place, scores.probability),
        logit=latest.logit.index_put(place, scores.logit),
        top_class=latest.top_class.index_put(place, scores.top_class),
        top_probability=latest.top_probability.index_put(place, scores.top_probability),
        done=latest.done + len(scores.rows),
    )


def _score(
    task: _Task, base: incremental.Base, starts: NDArray[np.int64], filling: Tensor, stop: threading.Event, chunk: Chunk
) -> _Scores:
    """Compute a chunk; runs on a lane."""
    # A lane's own time: what strangers take of the core meanwhile says nothing about the network.
    clock = time.thread_time if task.model.device.type == "cpu" else time.perf_counter
    begun = clock()
    features, first = [], 0
    for batch in chunk.batches:
        if stop.is_set():
            raise _StoppedError
        here = slice(first, first + len(batch.members))
        first = here.stop
        patches = _patches(filling, starts[chunk.rows[here]], starts[chunk.columns[here]], task.spec.window)
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


def _patches(filling: Tensor, tops: NDArray[np.int64], lefts: NDArray[np.int64], window: int) -> Tensor:
    corners = zip(tops.tolist(), lefts.tolist(), strict=True)
    return torch.cat([filling[:, :, top : top + window, left : left + window] for top, left in corners])


def _base(task: _Task) -> incremental.Base:
    """The picture's base, computed unless it is one of the last that this network has seen."""
    picture = hashlib.sha256(task.x.cpu().numpy().tobytes()).digest()
    with _lock:
        bases = _remembered(task.model).bases
        known = bases.get(picture)
    if known is None:
        known = lanes.run(partial(incremental.prepare, task.model, task.x))
        with _lock:
            bases.add(picture, known, known.nbytes)
    return known
