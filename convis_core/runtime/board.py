"""The job board: long computations of many people on few cores, shared, in turn, bounded and cancellable.

A computation is an iterator of frames, each a complete result that can be drawn; the last is the final one::

    job = shared_board().submit(key, lambda: occlusion.occlusion(model, x, target, spec))
    job.wait()
    job.frame

**Where the arithmetic runs.** A few driver threads serve the jobs in turn and compute nothing: each sends
`next(frames)` to a lane as a step (convis_core/runtime/lanes.py), and `frames.close()` too. So a generator may
compute directly, or pass chunks to `lanes.map`, which then uses every lane; either way there are never more
computing threads than lanes, and no algorithm needs to know of the board. Consecutive frames may be computed on
different threads: a generator holds no lock, hook or grad mode across a `yield`. A frame that computes directly
occupies its lane, and a short `lanes.run` waits for it, so a frame should take half a second at most.

**Turns.** The queue is a round robin: a job computes one frame and goes to the end, so a new job waits for one
frame of each job before it and never for a whole job. A frame whose `done` has reached its `total` is followed by
the end in the same turn.

**How many.** The number of waiting jobs is not bounded: a session has one job per slot (`Board.request`), so thirty
sessions have a few dozen, and a job that waits for its first turn is only a closure. But a suspended generator
holds its tensors, so no more than MAX_STARTED jobs are running at once; the others start in the order in which they
were submitted. Thirty people with one job each are within this limit.

**Reading a job.** Its last frame is published before its end: a page that reads `done` first and then `frame`
misses no frame. A page holds the Job it was given and turns to the board again only when it wants something else,
or the same again: a cancelled or failed job that is requested again starts again.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from typing import Any, TypeVar

from convis_core.errors import ConvisError
from convis_core.runtime import lanes
from convis_core.runtime.job import Job, JobState
from convis_core.runtime.lru import Lru, result_bytes

__all__ = ["MAX_STARTED", "Board", "Job", "JobState", "shared_board"]

MAX_STARTED = 32
_JOB_BYTES = 2048  # memory of a finished job besides its result, so that many tiny results are bounded too

F = TypeVar("F")
_log = logging.getLogger(__name__)


class Board:
    """Runs jobs in turn on the lanes and keeps finished results; see the module's docstring.

    Args:
        max_result_bytes: memory for finished results; the least recently used are dropped first.
        patience: seconds without a poll after which a watcher counts as gone.
        clock: seconds, for watchers and times.
        pool: the lanes to compute on; None for those of the process.

    Raises:
        SpecError: when CONVIS_LANES is not a whole number of at least 1.

    >>> board = Board()
    >>> job = board.submit("squares", lambda: (n * n for n in (1, 2, 3)))
    >>> job.wait(), job.state.value, job.frame
    (True, 'done', 9)
    >>> board.submit("squares", lambda: iter([])) is job
    True
    >>> board.close()
    """

    def __init__(
        self,
        *,
        max_result_bytes: int = 64 * 2**20,
        patience: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        pool: lanes.Lanes | None = None,
    ) -> None:
        self._patience = patience
        self._clock = clock
        self._pool = lanes.shared() if pool is None else pool
        self._lock = threading.RLock()  # the only one: a job's state and its position here change together
        self._work = threading.Condition(self._lock)
        self._live: dict[Hashable, Job[Any]] = {}  # what a submit of the same key joins
        self._queue: deque[Job[Any]] = deque()  # jobs that wait for a turn
        self._in_turn: set[Job[Any]] = set()
        self._begun = 0
        self._slots: dict[tuple[Hashable, Hashable], Job[Any]] = {}
        self._results: Lru[Job[Any]] = Lru(max_result_bytes)
        self._drivers: list[threading.Thread] = []
        self._closed = False

    def submit(self, key: Hashable, make_frames: Callable[[], Iterator[F]], watcher: Hashable = None) -> Job[F]:
        """The job of this key: one that is pending or whose result is still stored, else a new one.

        Args:
            key: everything that the result depends on.
            make_frames: called on a lane; returns the iterator of frames.
            watcher: who wants it and will `touch` it; None for a permanent watcher, whose job runs to its end.

        Raises:
            ConvisError: when the board is closed.
        """
        with self._lock:
            if self._closed:
                raise ConvisError("This job board is closed; start the program again to compute.")
            job = self._results.get(key) or self._live.get(key)
            if job is None:
                job = self._live[key] = Job(self, key, make_frames)
                self._queue.append(job)
                self._start_drivers()
                self._work.notify()
            job.watch(watcher)
        return job

    def request(
        self, watcher: Hashable, slot: Hashable, key: Hashable, make_frames: Callable[[], Iterator[F]]
    ) -> Job[F]:
        """Submits for a watcher's slot (such as a page's panel), and releases the job that the slot held before.

        Args:
            watcher: who wants the job, such as a session's id.
            slot: what it is wanted for; a slot holds one job at a time.
            key: as for ``submit``.
            make_frames: as for ``submit``.

        Raises:
            ConvisError: when the board is closed.
        """
        with self._lock:
            before = self._slots.get((watcher, slot))
            if before is not None and before.key != key:
                del self._slots[watcher, slot]
                if not any(job is before and who == watcher for (who, _), job in self._slots.items()):
                    before.release(watcher)
        job = self.submit(key, make_frames, watcher)
        with self._lock:
            if not job.done:
                self._slots[watcher, slot] = job
        return job

    def close(self, timeout: float = 5.0) -> None:
        """Cancels every job, drops the results, and allows frames being computed `timeout` seconds to end."""
        with self._lock:
            self._closed = True
            for job in [*self._queue, *self._in_turn]:
                job._watchers.clear()
                self._stop_if_unwanted(job)
            self._results.clear()
            self._work.notify_all()
        deadline = time.monotonic() + timeout
        for driver in self._drivers:
            driver.join(max(0.0, deadline - time.monotonic()))

    def _start_drivers(self) -> None:
        if not self._drivers:
            self._drivers = [
                threading.Thread(target=self._drive, name=f"convis-driver-{number}", daemon=True)
                for number in range(self._pool.count)
            ]
            for driver in self._drivers:
                driver.start()

    def _drive(self) -> None:
        while (job := self._take()) is not None:
            try:
                self._pool.step(partial(self._turn, job))
            except BaseException as error:  # noqa: BLE001 - an exit in a generator, closed lanes: only this job ends
                self._end(job, JobState.FAILED, error)
            job = None  # so that an idle driver does not keep a result alive

    def _take(self) -> Job[Any] | None:
        """Waits for the next job that may take a turn; None when the board is closed and has none left."""
        with self._lock:
            while True:
                for job in self._queue:
                    if job.state is JobState.RUNNING or self._begun < MAX_STARTED:
                        self._queue.remove(job)
                        self._begin_turn(job)
                        return job
                if self._closed:
                    return None
                self._work.wait()

    def _begin_turn(self, job: Job[Any]) -> None:
        self._in_turn.add(job)
        if job.state is JobState.QUEUED:
            job._begin()
            self._begun += 1

    def _turn(self, job: Job[Any]) -> None:
        """One frame of one job, or its closing; on a lane."""
        outcome = None
        if not self._stop_if_unwanted(job):
            outcome = job._advance()
        with self._lock:
            if outcome is None and not self._stop_if_unwanted(job):
                self._in_turn.remove(job)
                self._queue.append(job)
                self._work.notify()
                return
        state, error = outcome or (JobState.CANCELLED, None)
        self._end(job, state, error)

    def _stop_if_unwanted(self, job: Job[Any]) -> bool:
        """Stops a job that nobody watches, for good; returns whether it is stopped."""
        with self._lock:
            if not (job.done or job._stopped or job._present()):
                job._stopped = True
                self._leave(job)
                if job in self._queue:
                    self._queue.remove(job)
                    if job.state is JobState.QUEUED:
                        self._end(job, JobState.CANCELLED, None)
                    else:  # closing it takes no time and frees its memory
                        self._queue.appendleft(job)
            return job._stopped

    def _leave(self, job: Job[Any]) -> None:
        if self._live.get(job.key) is job:
            del self._live[job.key]

    def _end(self, job: Job[Any], state: JobState, error: BaseException | None) -> None:
        error_in_closing = job._close_frames()
        if error_in_closing is not None:
            state, error = JobState.FAILED, error or error_in_closing
        if error is not None:
            if not isinstance(error, ConvisError):
                _log.error("A job has failed: %r", job.key, exc_info=error)
            _free_frames(error)
        size = _JOB_BYTES + result_bytes(job.frame) if state is JobState.DONE else 0
        with self._lock:
            if job.done:
                return
            if job.state is JobState.RUNNING:
                self._begun -= 1
            self._in_turn.discard(job)
            self._leave(job)
            self._slots = {slot: held for slot, held in self._slots.items() if held is not job}
            job._end(state, error)
            if state is JobState.DONE and not self._closed:
                self._results.add(job.key, job, size)

    def _position(self, job: Job[Any]) -> int | None:
        with self._lock:
            if job.done:
                return None
            position = 1
            for other in self._queue:
                if other is job:
                    return position
                position += bool(other._present())
            return 0


def _free_frames(error: BaseException) -> None:
    """Keeps the lines of the tracebacks and frees the tensors, which would otherwise live while the error is shown."""
    seen: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in seen:
        seen.append(link)
        traceback.clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__


_shared: Board | None = None
_shared_lock = threading.Lock()


def shared_board() -> Board:
    """The board of this process, created at the first call.

    Raises:
        SpecError: when CONVIS_LANES is not a whole number of at least 1.

    >>> shared_board() is shared_board()
    True
    """
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Board()
        return _shared


def _forget_in_child() -> None:
    # The drivers do not survive a fork.
    global _shared, _shared_lock
    _shared, _shared_lock = None, threading.Lock()


def _close_at_exit() -> None:
    # Registered after the lanes' own handler, so it runs before it: closing jobs needs the lanes.
    if _shared is not None:
        _shared.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
atexit.register(_close_at_exit)
