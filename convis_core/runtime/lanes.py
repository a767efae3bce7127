"""Lanes: the threads that do the arithmetic, as many as there are usable cores, each with one torch thread.

Two torch threads that share one picture wait for each other at every layer; two lanes that work on different
chunks never do. So a long computation divides its work into independent chunks and passes them to `map`::

    with contextlib.closing(lanes.map(score_windows, batches)) as scores:
        for score in scores:  # in the order of the batches
            ...

A page's short request, such as one gradient, goes through `run` and overtakes the chunks that wait. The job
board sends each frame of a job through `Lanes.step`. All arithmetic thus happens on the lanes, and there are
never more computing threads than cores, whatever the callers do:

- `run` and `map` called within a call or a chunk work inline, on the lane they are on.
- `map` called within a step spreads over all lanes, and the step's own lane works on calls and chunks while it
  waits. Only a step ever waits on a lane, and only for a chunk that another lane is computing; chunks never
  wait, so there can be no deadlock.

**Fairness.** Chunks and steps are served in the order in which they were submitted, and a `map` submits only two
chunks per lane ahead, so a new task waits for a few chunks of each computation before it and never for the whole
of one. At most eight calls in a row overtake a waiting chunk or step.

**Memory.** Memory that the tasks have freed returns to the system after a few seconds without a task. A program that
computes for long calls `memory.keep_freed` once, so that until then it serves the next tasks.

**Grad mode.** Every task starts with gradients enabled and outside inference mode, whatever its caller or the
previous task had set, and restores its thread's state afterwards. A function that wants no gradients disables them.

The number of lanes is what the process may use (its affinity and its container's quota); the environment
variable CONVIS_LANES overrides it.
"""

from __future__ import annotations

import atexit
import concurrent.futures
import contextlib
import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, TypeVar

import torch

from convis_core.errors import SpecError
from convis_core.runtime import memory
from convis_core.runtime.cores import lane_count

S = TypeVar("S")
T = TypeVar("T")

_CHUNKS_PER_LANE = 2  # one being computed and one ready to follow; more would only be discarded on cancellation
_OVERTAKES = 8  # calls in a row that may pass a waiting chunk or step
_IDLE_SECONDS = 5.0  # time without a task after which freed memory returns to the system


class _Role(Enum):
    CALL = "call"  # short, and a person waits for it
    CHUNK = "chunk"  # one item of a map; never waits
    STEP = "step"  # one frame of a job; may map


@dataclass(frozen=True, slots=True)
class _Task:
    function: Callable[[], Any]
    future: concurrent.futures.Future[Any]
    role: _Role
    ticket: int


class _ThreadState(threading.local):
    """What this thread is doing: its pool if it is a lane, and the innermost task that it runs."""

    pool: Lanes | None = None
    task: _Task | None = None


_current = _ThreadState()


def known_grad_mode() -> contextlib.AbstractContextManager[Any]:
    """A context with gradients enabled and no inference mode, after which the thread's state is as before.

    Leaving inference mode restores all of autograd's state of the thread, so this one guard also undoes a
    `set_grad_enabled` that was never undone and an inference mode that a suspended generator still holds.

    >>> with torch.no_grad(), known_grad_mode():
    ...     torch.is_grad_enabled()
    True
    """
    return torch.inference_mode(mode=False)


class Lanes:
    """A pool of lanes, whose threads start with the first task and are daemons; most code uses `run` and `map`.

    Args:
        count: number of lanes.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise SpecError(f"A pool needs at least one lane, not {count}.")
        self.count = count
        self._changed = threading.Condition()
        self._queues: dict[_Role, deque[_Task]] = {role: deque() for role in _Role}
        self._tickets = itertools.count()
        self._overtaken = 0
        self._idle = True
        self._threads: list[threading.Thread] = []
        self._closed = False

    def run(self, function: Callable[[], T], /) -> T:
        """Runs one short call on a lane and returns its result; it overtakes waiting chunks and steps."""
        return self._wait_for(_Role.CALL, function)

    def step(self, function: Callable[[], T], /) -> T:
        """Runs one frame of a long job on a lane, in turn; a `map` inside it spreads over all lanes."""
        return self._wait_for(_Role.STEP, function)

    def map(self, function: Callable[[S], T], items: Iterable[S]) -> Generator[T, None, None]:
        """Yields function(item) for each item, in order, computed on all lanes.

        Items are taken as the results are consumed, two per lane ahead. Closing the iterator, or an exception
        from a chunk or from `items`, cancels the chunks that wait and waits for those in flight: nothing
        computes after that. Use `contextlib.closing` where the loop may be left early.
        """
        if _current.task is not None and _current.task.role is not _Role.STEP:
            for item in items:
                with known_grad_mode():
                    result = function(item)
                yield result
            return
        in_flight: deque[concurrent.futures.Future[T]] = deque()
        try:
            for item in items:
                in_flight.append(self._submit(_Role.CHUNK, partial(function, item)))
                if len(in_flight) == _CHUNKS_PER_LANE * self.count:
                    yield self._next_result(in_flight)
            while in_flight:
                yield self._next_result(in_flight)
        finally:
            self._cancel(in_flight)
            in_flight.clear()  # a failed chunk's future would hold, through its traceback, this frame

    def close(self, timeout: float = 5.0) -> None:
        """Cancels the waiting tasks and allows those in flight `timeout` seconds to end."""
        with self._changed:
            self._closed = True
            waiting = [task for queue in self._queues.values() for task in queue]
            for queue in self._queues.values():
                queue.clear()
            self._changed.notify_all()
        for task in waiting:
            task.future.cancel()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _wait_for(self, role: _Role, function: Callable[[], T]) -> T:
        if _current.task is not None:  # a lane that waited for a lane could wait for ever
            with known_grad_mode():
                return function()
        future = self._submit(role, function)
        try:
            return future.result()
        finally:
            future.cancel()  # a caller that was interrupted no longer wants it
            del future  # its exception's traceback holds this frame: this avoids a reference cycle

    def _submit(self, role: _Role, function: Callable[[], T]) -> concurrent.futures.Future[T]:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("These lanes are closed.")
            self._queues[role].append(_Task(function, future, role, next(self._tickets)))
            # All lanes: a single one woken might be a waiting step, which may not take another step.
            self._changed.notify_all()
            if not self._threads:
                self._threads = [
                    threading.Thread(target=self._work, name=f"convis-lane-{number}", daemon=True)
                    for number in range(self.count)
                ]
                for thread in self._threads:
                    thread.start()
        return future

    def _work(self) -> None:
        # torch.set_num_threads has two effects. It sets OpenMP's and MKL's count of the calling thread, and a
        # process-wide default. Threads that have already computed keep their own count (measured: the main
        # thread keeps both its cores). A thread that starts later adopts the default, but only at its first
        # parallel loop of torch's own: one that begins with a matrix product uses all cores nevertheless.
        # So each lane sets it for itself, and nothing is gained by setting it elsewhere.
        torch.set_num_threads(1)
        _current.pool = self
        while (task := self._take((_Role.CHUNK, _Role.STEP), until=lambda: self._closed)) is not None:
            _perform(task)
            task = None  # so that an idle lane does not keep tensors alive

    def _take(self, roles: Sequence[_Role], until: Callable[[], bool]) -> _Task | None:
        """Waits for a call or a task of `roles`; None once `until()` is true."""
        calls = self._queues[_Role.CALL]
        with self._changed:
            self._idle = False
            while not until():
                waiting = [queue for role in roles if (queue := self._queues[role])]
                if calls and not (waiting and self._overtaken >= _OVERTAKES):
                    self._overtaken += bool(waiting)
                    return calls.popleft()
                if waiting:
                    self._overtaken = 0
                    return min(waiting, key=lambda queue: queue[0].ticket).popleft()
                if not self._changed.wait(None if self._idle else _IDLE_SECONDS) and not self._idle:
                    self._idle = True
                    memory.give_back()
        return None

    def _next_result(self, in_flight: deque[concurrent.futures.Future[T]]) -> T:
        """Waits for the first chunk, which stays in `in_flight` until then: an interrupt must cancel it too."""
        if _current.task is not None:
            self._work_until(in_flight[0])
        result = in_flight[0].result()
        in_flight.popleft()
        return result

    def _work_until(self, future: concurrent.futures.Future[Any]) -> None:
        """While a step waits for a chunk, its lane runs calls and chunks, its own or others'."""
        future.add_done_callback(self._wake)
        while (task := self._take((_Role.CHUNK,), until=future.done)) is not None:
            _perform(task)
            task = None

    def _wake(self, _future: concurrent.futures.Future[Any]) -> None:
        with self._changed:
            self._changed.notify_all()

    def _cancel(self, in_flight: Iterable[concurrent.futures.Future[Any]]) -> None:
        # The garbage collector may close an abandoned map while this very thread computes one of its chunks.
        mine = None if _current.task is None else _current.task.future
        concurrent.futures.wait([future for future in in_flight if not future.cancel() and future is not mine])


def _perform(task: _Task) -> None:
    if not task.future.set_running_or_notify_cancel():
        return
    around, _current.task = _current.task, task
    try:
        with known_grad_mode():
            result = task.function()
    except BaseException as error:  # noqa: BLE001 - re-raised where the result is awaited
        task.future.set_exception(error)
    else:
        task.future.set_result(result)
    finally:
        _current.task = around
        del task  # the traceback of a failed task holds this frame; it need not hold the task's tensors


_shared: Lanes | None = None
_shared_lock = threading.Lock()


def shared() -> Lanes:
    """The pool of this process, created at the first call.

    Raises:
        SpecError: when CONVIS_LANES is not a whole number of at least 1.

    >>> shared() is shared()
    True
    """
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Lanes(lane_count())
        return _shared


def run(function: Callable[[], T], /) -> T:
    """Runs one short call on a lane and returns its result, or raises its exception; see `Lanes.run`.

    >>> run(lambda: sum(range(5)))
    10
    """
    return (_current.pool or shared()).run(function)


def map(function: Callable[[S], T], items: Iterable[S]) -> Generator[T, None, None]:
    """Yields function(item) for each item, in order, computed on all lanes; see `Lanes.map`.

    >>> list(map(lambda n: n * n, [3, 1, 2]))
    [9, 1, 4]
    """
    return (_current.pool or shared()).map(function, items)


def _forget_in_child() -> None:
    # Threads do not survive a fork: the child starts its own pool, with a new, free lock.
    global _shared, _shared_lock, _current
    _shared, _shared_lock, _current = None, threading.Lock(), _ThreadState()


def _close_at_exit() -> None:
    # A daemon thread that the interpreter stops in the middle of a convolution can abort the whole process.
    if _shared is not None:
        _shared.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
atexit.register(_close_at_exit)
