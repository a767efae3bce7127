"""One job of the board: its frames, its progress and its watchers; jobs are made by `convis_core.runtime.board`.

Job and Board are two halves of one mechanism and share one lock: names with a leading underscore here are for
the board, and `Owner` is what a job needs of the board.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from convis_core.errors import ConvisError
from convis_core.runtime import lanes

F = TypeVar("F")

_RECENT_FRAMES = 8  # the rate of progress is measured over these: the load changes with every new job


class JobState(Enum):
    """The state of a job: waiting for its first turn, running, or ended in one of three ways."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Owner(Protocol):
    """The board as its jobs see it."""

    _lock: threading.RLock
    _clock: Callable[[], float]
    _patience: float

    def _stop_if_unwanted(self, job: Job[Any]) -> bool: ...

    def _position(self, job: Job[Any]) -> int | None: ...


class Job(Generic[F]):
    """One computation on a board, shared by all its watchers; made by `Board.submit`, safe on any thread."""

    def __init__(self, board: Owner, key: Hashable, make_frames: Callable[[], Iterator[F]]) -> None:
        self.key = key
        self._board = board
        self._changed = threading.Condition(board._lock)
        self._make_frames: Callable[[], Iterator[F]] | None = make_frames
        self._frames: Iterator[F] | None = None  # touched only by the thread whose turn it is
        self._state = JobState.QUEUED
        self._stopped = False  # its next turn closes it, even if somebody requests it now
        self._frame: F | None = None
        self._has_frame = False
        self._error: BaseException | None = None
        self._watchers: dict[Hashable, float] = {}  # when each polled last; None need not poll: infinity
        self._submitted = board._clock()
        self._ended = math.nan
        self._progress: float | None = None
        self._recent: deque[tuple[float, float]] = deque(maxlen=_RECENT_FRAMES)  # (time, progress)

    @property
    def state(self) -> JobState:
        """Its present state."""
        return self._state

    @property
    def frame(self) -> F | None:
        """The latest frame, None before the first; it remains however the job ends."""
        return self._frame

    @property
    def done(self) -> bool:
        """Whether it has ended, in any way."""
        return self._state not in (JobState.QUEUED, JobState.RUNNING)

    @property
    def partial(self) -> bool:
        """Whether it has ended without its last frame."""
        return self._state in (JobState.CANCELLED, JobState.FAILED)

    @property
    def error(self) -> BaseException | None:
        """What a failed job raised."""
        return self._error

    @property
    def progress(self) -> float | None:
        """Share of the work that is done, 0 to 1: the frame's done / total; None where it has none."""
        return self._progress

    @property
    def position(self) -> int | None:
        """Position in the queue: 0 = being computed now, 1 = next, ...; None when it has ended."""
        return self._board._position(self)

    @property
    def elapsed(self) -> float:
        """Seconds since it was submitted, until its end."""
        return (self._ended if self.done else self._board._clock()) - self._submitted

    @property
    def eta(self) -> float | None:
        """Seconds to the end at the rate of the latest frames, waits for turns included; None if unknown."""
        with self._board._lock:
            if self.done or len(self._recent) < 2:
                return None
            (start, reached_then), (latest, reached) = self._recent[0], self._recent[-1]
            if reached <= reached_then:
                return None
            remaining = (1 - reached) * (latest - start) / (reached - reached_then)
            return max(0.0, remaining - (self._board._clock() - latest))

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for the end, at most `timeout` seconds; returns whether it has ended."""
        with self._changed:
            return self._changed.wait_for(lambda: self.done, timeout)

    def watch(self, watcher: Hashable) -> None:
        """Adds a watcher, such as a session's id: the job lives while one of them polls."""
        with self._board._lock:
            if not self.done:
                self._watchers[watcher] = math.inf if watcher is None else self._board._clock()

    def touch(self, watcher: Hashable) -> None:
        """Renews a watcher at each poll; does nothing for one that has been released."""
        with self._board._lock:
            if watcher in self._watchers:
                self.watch(watcher)

    def release(self, watcher: Hashable = None) -> None:
        """Removes a watcher: the job continues for the others; without any it is closed at its next frame."""
        with self._board._lock:
            self._watchers.pop(watcher, None)
            if self._state is JobState.QUEUED:  # there is nothing to close, so it need not wait for a turn
                self._board._stop_if_unwanted(self)

    def cancel(self, watcher: Hashable = None) -> None:
        """Removes a watcher; without others the job ends at once, and the same key would start again."""
        with self._board._lock:
            self._watchers.pop(watcher, None)
            self._board._stop_if_unwanted(self)

    def _present(self) -> list[Hashable]:
        now = self._board._clock()
        return [who for who, polled in self._watchers.items() if now - polled <= self._board._patience]

    def _begin(self) -> None:
        self._state = JobState.RUNNING
        self._recent.append((self._board._clock(), 0.0))

    def _advance(self) -> tuple[JobState, BaseException | None] | None:
        """Computes one frame in the caller's thread; returns how the job ends, None when it continues."""
        try:
            with lanes.known_grad_mode():
                if self._frames is None:
                    self._frames = self._start_frames()
                self._publish(next(self._frames))
                if self._progress == 1.0:  # declared the last: the end need not wait for another turn
                    self._publish(next(self._frames))
        except StopIteration:
            if self._has_frame:
                return JobState.DONE, None
            return JobState.FAILED, ConvisError("The computation ended without a result.")
        except Exception as error:  # noqa: BLE001 - whatever it is, the watchers see it and the board continues
            return JobState.FAILED, error
        return None

    def _start_frames(self) -> Iterator[F]:
        # Drop the closure: a result need not keep alive the network and picture that it came from.
        make_frames, self._make_frames = self._make_frames, None
        if make_frames is None:
            raise RuntimeError("A job that has ended was given a turn.")
        return iter(make_frames())

    def _publish(self, frame: F) -> None:
        done, total = getattr(frame, "done", None), getattr(frame, "total", None)
        with self._board._lock:
            if isinstance(done, int | float) and isinstance(total, int | float) and total > 0:
                self._progress = min(1.0, max(0.0, done / total))
                self._recent.append((self._board._clock(), self._progress))
            self._frame, self._has_frame = frame, True

    def _close_frames(self) -> Exception | None:
        """Closes the iterator, once; returns what its `finally` blocks raised."""
        close = getattr(self._frames, "close", None)
        self._make_frames = self._frames = None
        if close is not None:
            try:
                with lanes.known_grad_mode():
                    close()
            except Exception as error:  # noqa: BLE001 - as above
                return error
        return None

    def _end(self, state: JobState, error: BaseException | None) -> None:
        self._ended = self._board._clock()
        self._error = error
        self._watchers.clear()
        self._state = state  # last, so that a reader who sees the end sees all the rest
        self._changed.notify_all()
