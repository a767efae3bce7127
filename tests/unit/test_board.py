"""The job board under real threads. Gates are events, not pauses; WAIT bounds how long a broken one hangs."""

from __future__ import annotations

import contextlib
import gc
import logging
import random
import sys
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from convis_core.errors import ConvisError
from convis_core.runtime import board as jobs
from convis_core.runtime import lanes, lru
from convis_core.runtime.board import Board, Job, JobState
from tests.unit.interpreters import needs_fork, run_script

WAIT = 20.0


def until(true: Callable[[], bool]) -> None:
    """For what no event announces, such as a frame that has been published."""
    deadline = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.001)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Gated:
    """An iterator of 1, 2, ..., `length`, each computed when the test allows it; counts what is done."""

    def __init__(self, length: int = 10**9) -> None:
        self.length, self.made, self.asked, self.computed, self.closed = length, 0, 0, 0, 0
        self.permits = threading.Semaphore(0)
        self.waits = threading.Event()

    def __call__(self) -> Gated:
        self.made += 1
        return self

    def __iter__(self) -> Gated:
        return self

    def __next__(self) -> int:
        self.asked += 1
        self.waits.set()
        assert self.permits.acquire(timeout=WAIT)
        if self.computed == self.length:
            raise StopIteration
        self.computed += 1
        return self.computed

    def close(self) -> None:
        self.closed += 1

    def allow(self, frames: int = 1) -> None:
        self.permits.release(frames)


@dataclass(frozen=True, slots=True)
class Frame:
    done: int
    total: int


class Boards:
    """Makes boards with a fake clock on lanes of their own, and closes them after the test."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.opened: list[tuple[Board, lanes.Lanes]] = []
        self.gates: list[Gated] = []

    def __call__(self, lane_count: int = 1, max_result_bytes: int = 2**20) -> Board:
        pool = lanes.Lanes(lane_count)
        board = Board(max_result_bytes=max_result_bytes, clock=self.clock, pool=pool)
        self.opened.append((board, pool))
        return board

    def gate(self, length: int = 10**9) -> Gated:
        self.gates.append(Gated(length))
        return self.gates[-1]

    def close(self) -> None:
        for gate in self.gates:
            gate.allow(1000)
        for board, pool in self.opened:
            board.close(WAIT)
            pool.close(WAIT)


@pytest.fixture
def boards() -> Iterator[Boards]:
    made = Boards()
    yield made
    made.close()


@pytest.fixture
def held(boards: Boards) -> tuple[Board, Gated]:
    """A board whose only lane is busy with the job "plug" until its gate allows it two frames, its last."""
    board, plug = boards(), boards.gate(1)
    board.submit("plug", plug)
    assert plug.waits.wait(WAIT)
    return board, plug


def frames_of(job: Job[int]) -> int:
    """How many frames of `endless` or of a gate there have been: each is its number."""
    return job.frame or 0


def idle(board: Board) -> bool:
    with board._lock:
        return not (board._in_turn or board._queue)


def endless() -> Iterator[int]:
    frame = 0
    while True:
        yield (frame := frame + 1)


# One computation for all who ask


def test_thirty_threads_share_one_computation(boards: Boards) -> None:
    board, frames = boards(2), boards.gate(3)
    together = threading.Barrier(30)

    def ask(number: int) -> Job[int]:
        together.wait(WAIT)
        return board.submit(("occlusion", "cat"), frames, watcher=number)

    with ThreadPoolExecutor(30) as people:
        got = list(people.map(ask, range(30)))
        assert len(set(map(id, got))) == 1
        assert set(got[0]._present()) == set(range(30))
        frames.allow(4)
        assert all(people.map(lambda job: job.wait(WAIT), got))
    assert (frames.made, frames.computed) == (1, 3)
    assert (got[0].state, got[0].frame, got[0].partial) == (JobState.DONE, 3, False)


def test_a_finished_result_is_served_again(boards: Boards) -> None:
    board, frames = boards(), boards.gate(1)
    frames.allow(2)
    job = board.submit("key", frames)
    assert job.wait(WAIT)
    assert board.submit("key", frames, watcher="later") is job
    assert board.submit("other key", lambda: iter([5])) is not job
    assert frames.made == 1


def test_a_failed_job_is_not_served_again_and_keeps_its_frame(boards: Boards) -> None:
    board = boards()

    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("half way")

    first = board.submit("key", failing)
    assert first.wait(WAIT)
    second = board.submit("key", lambda: iter([7]))
    assert second is not first
    assert second.wait(WAIT)
    assert (first.state, first.frame, first.partial) == (JobState.FAILED, 1, True)
    assert (second.state, second.frame, second.partial) == (JobState.DONE, 7, False)


def test_a_cancelled_job_is_not_joined_even_before_it_is_closed(held: tuple[Board, Gated]) -> None:
    board, plug = held
    plug_job = board.submit("plug", plug)
    plug_job.cancel()  # its frame is still being computed
    anew = board.submit("plug", lambda: iter([7]))
    assert anew is not plug_job
    plug.allow(1)
    assert anew.wait(WAIT)
    assert plug_job.wait(WAIT)
    assert (plug_job.state, plug_job.frame, plug_job.partial, plug.closed) == (JobState.CANCELLED, 1, True, 1)
    assert (anew.state, anew.frame) == (JobState.DONE, 7)
    assert board.submit("plug", plug) is anew


# Turns


def test_jobs_give_one_frame_each_in_turn(held: tuple[Board, Gated]) -> None:
    board, plug = held
    order: list[str] = []

    def frames(name: str, count: int) -> Iterator[int]:
        for number in range(count):
            order.append(name)
            yield number

    waiting = [board.submit(name, partial(frames, name, count)) for name, count in [("a", 4), ("b", 2), ("c", 3)]]
    plug.allow(2)
    assert all(job.wait(WAIT) for job in waiting)
    assert "".join(order) == "abcabcaca"


@pytest.mark.parametrize("lane_count", [1, 2])
def test_a_short_job_ends_while_long_ones_run(boards: Boards, lane_count: int) -> None:
    board = boards(lane_count)
    long = [board.submit(("long", number), endless) for number in range(3)]
    until(lambda: all(frames_of(job) for job in long))
    short = board.submit("short", lambda: iter(range(5)))
    assert short.wait(WAIT)
    seen = [frames_of(job) for job in long]
    until(lambda: all(frames_of(job) > before for job, before in zip(long, seen, strict=True)))
    assert not any(job.done for job in long)


def test_the_place_in_the_queue_is_visible(held: tuple[Board, Gated]) -> None:
    board, plug = held
    first, second, third = (board.submit(name, lambda: iter([1]), watcher=name) for name in "abc")
    assert board.submit("plug", plug).position == 0
    assert (first.position, second.position, third.position) == (1, 2, 3)
    assert first.state is JobState.QUEUED
    second.cancel("b")
    assert (first.position, second.position, third.position) == (1, None, 2)
    plug.allow(2)
    assert third.wait(WAIT)
    assert third.position is None


def test_a_frame_that_says_it_is_the_last_ends_in_the_same_turn(held: tuple[Board, Gated]) -> None:
    board, plug = held
    order: list[str] = []

    def one_frame() -> Iterator[Frame]:
        yield Frame(1, 1)
        order.append("end of a")

    def other() -> Iterator[int]:
        order.append("b")
        yield 1

    waiting: list[Job[Any]] = [board.submit("a", one_frame), board.submit("b", other)]
    plug.allow(2)
    assert all(job.wait(WAIT) for job in waiting)
    assert order == ["end of a", "b"]


def test_no_more_than_max_started_are_begun(boards: Boards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAX_STARTED", 3)
    board = boards(2)
    lock, now, most, order = threading.Lock(), set(), [0], []

    def frames(name: int) -> Iterator[int]:
        with lock:
            now.add(name)
            order.append(name)
            most[0] = max(most[0], len(now))
        try:
            yield from range(5)
        finally:
            with lock:
                now.remove(name)

    waiting = [board.submit(name, partial(frames, name)) for name in range(12)]
    assert all(job.wait(WAIT) for job in waiting)
    assert most == [3]
    assert all(abs(place - name) <= 1 for place, name in enumerate(order))  # two lanes may swap neighbours


def test_a_cancelled_job_makes_room_for_one_that_may_not_begin_yet(
    boards: Boards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MAX_STARTED", 2)
    board = boards(2)
    long = [board.submit(number, endless) for number in range(2)]
    until(lambda: all(frames_of(job) for job in long))
    late = board.submit("late", lambda: iter([1]))
    assert not late.wait(0.02)
    long[0].cancel()
    assert late.wait(WAIT)
    assert not long[1].done


# Lanes


def test_a_job_that_maps_uses_all_lanes(boards: Boards) -> None:
    board = boards(2)
    meet = threading.Barrier(2)

    def frames() -> Iterator[set[int]]:
        with contextlib.closing(lanes.map(lambda _: (meet.wait(WAIT), threading.get_ident())[1], range(8))) as chunks:
            seen: set[int] = set()
            for ident in chunks:
                seen = seen | {ident}
                yield seen

    job = board.submit("maps", frames)
    assert job.wait(WAIT)
    assert job.error is None
    assert len(job.frame or ()) == 2


@pytest.mark.parametrize("lane_count", [1, 2, 3])
def test_never_more_computing_threads_than_lanes(boards: Boards, lane_count: int) -> None:
    board = boards(lane_count)
    lock, now, most = threading.Lock(), [0], [0]

    def compute(_: object = None) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        torch.randn(48, 48) @ torch.randn(48, 48)
        with lock:
            now[0] -= 1

    def plain() -> Iterator[int]:
        for number in range(6):
            compute()
            yield number

    def mapping() -> Iterator[int]:
        for number, _ in enumerate(lanes.map(compute, range(20))):
            if number % 5 == 4:
                yield number

    def calling() -> Iterator[int]:
        for number in range(6):
            lanes.run(compute)
            yield number

    made = [plain, mapping, calling] * 6
    waiting = [board.submit(number, make) for number, make in enumerate(made)]
    assert all(job.wait(WAIT) for job in waiting)
    assert [job.error for job in waiting] == [None] * len(made)
    assert most[0] <= lane_count


def test_no_grad_mode_leaks_from_a_frame_to_the_next_job(boards: Boards) -> None:
    board = boards()

    def leaking() -> Iterator[int]:
        torch.set_grad_enabled(False)
        yield 1
        with torch.inference_mode():
            yield 2
            yield 3

    def watching() -> Iterator[bool]:
        for _ in range(6):
            yield torch.is_grad_enabled() and not torch.is_inference_mode_enabled()

    seen: list[bool] = []

    def recording() -> Iterator[int]:
        for right in watching():
            seen.append(right)
            yield 1

    waiting = [board.submit("leaking", leaking), board.submit("watching", recording)]
    assert all(job.wait(WAIT) for job in waiting)
    assert seen == [True] * 6


# Watchers


def test_a_job_whose_watchers_vanish_is_closed(boards: Boards) -> None:
    board, frames = boards(), boards.gate()
    job = board.submit("key", frames, watcher="a")
    job.watch("b")
    boards.clock.now += 4
    job.touch("a")
    boards.clock.now += 4  # b has not polled for eight seconds, a for four
    assert job._present() == ["a"]
    frames.allow(2)
    until(lambda: frames.asked == 3)  # it goes on after the second
    assert (job.done, job.frame) == (False, 2)
    boards.clock.now += 2
    frames.allow(1)
    assert job.wait(WAIT)
    assert (job.state, job.frame, job.partial, frames.closed) == (JobState.CANCELLED, 3, True, 1)
    assert job.error is None


def test_a_job_without_watchers_from_the_start_runs_to_its_end(boards: Boards) -> None:
    board, frames = boards(), boards.gate(3)
    job = board.submit("key", frames)
    job.watch("page")
    job.cancel("page")
    boards.clock.now += 1000
    frames.allow(4)
    assert job.wait(WAIT)
    assert job.state is JobState.DONE


def test_cancelled_by_its_only_watcher_it_is_closed(boards: Boards) -> None:
    board, frames = boards(), boards.gate()
    job = board.submit("key", frames, watcher="a")
    frames.allow(1)
    until(lambda: job.frame == 1)
    job.cancel("a")
    frames.allow(1)
    assert job.wait(WAIT)
    assert (job.state, job.partial, frames.closed) == (JobState.CANCELLED, True, 1)


def test_cancelled_by_one_of_its_watchers_it_goes_on(boards: Boards) -> None:
    board, frames = boards(), boards.gate(3)
    job = board.submit("key", frames, watcher="a")
    job.watch("b")
    job.cancel("a")
    job.touch("a")  # one poll too late: it does not come back
    assert job._present() == ["b"]
    frames.allow(4)
    assert job.wait(WAIT)
    assert job.state is JobState.DONE


def test_a_vanished_watcher_does_not_keep_a_job_from_being_cancelled(boards: Boards) -> None:
    board, frames = boards(), boards.gate()
    job = board.submit("key", frames, watcher="closed tab")
    boards.clock.now += 6
    job.watch("a")
    job.cancel("a")
    frames.allow(1)
    assert job.wait(WAIT)
    assert job.state is JobState.CANCELLED


def test_a_job_that_has_not_begun_is_dropped_at_once(held: tuple[Board, Gated], boards: Boards) -> None:
    board, _ = held
    released, cancelled = boards.gate(), boards.gate()
    board.submit("released", released, watcher="a").release("a")
    job = board.submit("cancelled", cancelled, watcher="a")
    job.cancel("a")
    assert job.done
    assert (job.state, job.frame, job.partial) == (JobState.CANCELLED, None, True)
    assert not board._queue
    assert (released.made, cancelled.made) == (0, 0)


def test_a_cancelled_job_does_not_wait_for_the_others_to_be_closed(held: tuple[Board, Gated]) -> None:
    board, plug = held
    ended: list[str] = []

    def frames(name: str) -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            ended.append(name)

    waiting = [board.submit(name, partial(frames, name), watcher=name) for name in "abc"]
    plug.allow(1)
    until(lambda: plug.asked == 2)  # a, b and c have given frames, wait in this order, and the lane is busy
    waiting[2].cancel("c")
    assert waiting[0].position == 1
    waiting[0].cancel("a")
    waiting[1].cancel("b")
    plug.allow(1)
    assert all(job.wait(WAIT) for job in waiting)
    assert ended == ["b", "a", "c"]


def test_a_job_let_go_and_wanted_again_before_its_turn_goes_on(boards: Boards) -> None:
    board, frames = boards(), boards.gate(2)
    job = board.submit("key", frames, watcher="a")
    assert frames.waits.wait(WAIT)
    job.release("a")
    assert board.submit("key", frames, watcher="b") is job
    frames.allow(3)
    assert job.wait(WAIT)
    assert (job.state, frames.made) == (JobState.DONE, 1)


def test_a_session_that_asks_for_something_else_lets_go(boards: Boards) -> None:
    board, old, shared = boards(2), boards.gate(), boards.gate(2)
    first = board.request("session", "panel", "old", old)
    other = board.request("session", "side panel", "shared", shared)
    board.submit("shared", shared, watcher="somebody else")
    assert old.waits.wait(WAIT)
    assert shared.waits.wait(WAIT)
    assert board.request("session", "panel", "old", old) is first
    second = board.request("session", "panel", "new", lambda: iter([1]))
    assert board.request("session", "side panel", "newer", lambda: iter([1])) is not other
    old.allow(1)
    shared.allow(3)
    assert first.wait(WAIT)
    assert second.wait(WAIT)
    assert other.wait(WAIT)
    assert (first.state, second.state, other.state) == (JobState.CANCELLED, JobState.DONE, JobState.DONE)
    assert old.closed == 1


def test_two_slots_with_one_job_let_go_one_by_one(boards: Boards) -> None:
    board, frames = boards(), boards.gate()
    job = board.request("session", "left", "key", frames)
    assert board.request("session", "right", "key", frames) is job
    frames.allow(1)
    until(lambda: job.frame == 1)
    board.request("session", "left", "other", endless)
    assert job._present() == ["session"]
    board.request("session", "right", "other", endless)
    frames.allow(1)
    assert job.wait(WAIT)
    assert job.state is JobState.CANCELLED


def test_slots_of_ended_jobs_are_forgotten(boards: Boards) -> None:
    board = boards()
    for session in range(20):
        assert board.request(session, "panel", session, lambda: iter([1])).wait(WAIT)
    assert board._slots == {}


# Ends


def test_closing_early_runs_finally_blocks_on_a_lane_after_the_chunks(boards: Boards) -> None:
    board = boards(2)
    events: list[str] = []
    started, ended = [], []

    def chunk(item: int) -> int:
        started.append(item)
        torch.randn(200, 200) @ torch.randn(200, 200)
        ended.append(item)
        return item

    def frames() -> Iterator[int]:
        try:
            yield from lanes.map(chunk, range(10**9))
        finally:
            events.append(threading.current_thread().name)
            assert sorted(started) == sorted(ended)

    job = board.submit("key", frames, watcher="a")
    until(lambda: (job.frame or 0) > 2)
    job.cancel("a")
    assert job.wait(WAIT)
    assert job.error is None
    assert job.state is JobState.CANCELLED
    assert len(events) == 1
    assert events[0].startswith("convis-lane-")
    assert board.submit("next", lambda: iter([1])).wait(WAIT)
    assert sorted(started) == sorted(ended)


@pytest.mark.parametrize("length", [0, 1, 3])
def test_an_iterator_is_closed_once_however_it_ends(boards: Boards, length: int) -> None:
    board, frames = boards(), boards.gate(length)
    frames.allow(length + 1)
    assert board.submit("key", frames).wait(WAIT)
    assert frames.closed == 1


def test_an_exception_lands_in_the_job_and_the_board_lives_on(boards: Boards, caplog: pytest.LogCaptureFixture) -> None:
    board = boards()
    error = ZeroDivisionError("in the middle")

    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise error

    with caplog.at_level(logging.ERROR, logger="convis_core.runtime.board"):
        job = board.submit("which one", failing)
        assert job.wait(WAIT)
    assert (job.state, job.frame, job.partial) == (JobState.FAILED, 2, True)
    assert job.error is error
    assert "which one" in caplog.text
    assert "ZeroDivisionError: in the middle" in caplog.text
    assert board.submit("next", lambda: iter([1])).wait(WAIT)


def test_other_ways_to_fail(boards: Boards) -> None:
    board = boards()

    def refusing() -> Iterator[int]:
        raise ConvisError("Choose a smaller window.")

    def leaving() -> Iterator[int]:
        yield 1
        raise SystemExit(3)

    def stubborn() -> Iterator[int]:
        try:
            yield 1
        finally:
            raise OSError("while closing")

    def in_a_chunk() -> Iterator[int]:
        yield from lanes.map(lambda item: 1 // (3 - item), range(10))

    def ends(make_frames: Callable[[], Any], cancel: bool = False) -> Job[Any]:
        job = board.submit(make_frames, make_frames, watcher="a")
        if cancel:
            until(lambda: job.frame is not None)
            job.cancel("a")
        assert job.wait(WAIT)
        assert job.state is JobState.FAILED
        return job

    assert str(ends(refusing).error) == "Choose a smaller window."
    assert isinstance(ends(leaving).error, SystemExit)
    assert isinstance(ends(stubborn).error, OSError)
    assert isinstance(ends(in_a_chunk).error, ZeroDivisionError)
    assert isinstance(ends(lambda: 5).error, TypeError)
    nothing = ends(lambda: iter([]))
    assert isinstance(nothing.error, ConvisError)
    assert "without a result" in str(nothing.error)
    assert board.submit("next", lambda: iter([1])).wait(WAIT)
    assert board._begun == 0


def test_an_error_in_closing_is_not_swallowed(held: tuple[Board, Gated]) -> None:
    board, plug = held

    def stubborn() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            raise OSError("while closing")

    job = board.submit("stubborn", stubborn, watcher="a")
    plug.allow(1)
    until(lambda: job.frame is not None)
    job.cancel("a")
    plug.allow(1)
    assert job.wait(WAIT)
    assert job.state is JobState.FAILED
    assert isinstance(job.error, OSError)


class Big:
    """Stands for a tensor; can be weakly referenced."""


def test_an_ended_job_holds_its_frame_and_nothing_else(boards: Boards) -> None:
    board = boards()
    network, seen = Big(), []
    seen.append(weakref.ref(network))

    def failing() -> Iterator[int]:
        activations = Big()
        seen.append(weakref.ref(activations))
        yield 1
        try:
            fail_inside()
        except KeyError as error:
            raise ValueError from error

    def fail_inside() -> None:
        more_activations = Big()
        seen.append(weakref.ref(more_activations))
        raise KeyError

    def ending(network: Big) -> Iterator[int]:
        yield id(network)

    gc.disable()  # or it would hide a circle of references
    try:
        failed, done = board.submit("failed", failing), board.submit("done", partial(ending, network))
        del network
        assert failed.wait(WAIT)
        assert done.wait(WAIT)
        until(lambda: all(ref() is None for ref in seen))
    finally:
        gc.enable()
    assert isinstance(failed.error, ValueError)
    assert failed.error.__traceback__ is not None  # the lines are there, the tensors are not


def test_waiting_can_give_up(held: tuple[Board, Gated]) -> None:
    board, plug = held
    assert board.submit("plug", plug).wait(0.01) is False


def test_a_closed_board_has_ended_everything(boards: Boards) -> None:
    board = boards(2)
    ended: list[int] = []

    def frames(number: int) -> Iterator[int]:
        try:
            yield from endless()
        finally:
            ended.append(number)

    waiting = [board.submit(number, partial(frames, number)) for number in range(5)]
    until(lambda: all(frames_of(job) for job in waiting))
    board.close(WAIT)
    assert [job.state for job in waiting] == [JobState.CANCELLED] * 5
    assert sorted(ended) == list(range(5))
    assert not any(driver.is_alive() for driver in board._drivers)
    with pytest.raises(ConvisError, match="closed"):
        board.submit("more", endless)


def test_jobs_say_so_when_their_lanes_are_gone() -> None:
    pool = lanes.Lanes(1)
    board = Board(pool=pool)
    pool.close()
    job = board.submit("key", endless)
    assert job.wait(WAIT)
    assert job.state is JobState.FAILED
    board.close(WAIT)


# What pages read


def test_progress_and_time_to_the_end(boards: Boards) -> None:
    board, clock = boards(), boards.clock
    permits, began = threading.Semaphore(0), threading.Event()

    def frames() -> Iterator[Frame]:
        began.set()
        for done in range(1, 5):
            assert permits.acquire(timeout=WAIT)
            yield Frame(done, 4)

    def next_frame(after: float) -> None:
        before = job.frame
        clock.now += after
        permits.release()
        until(lambda: job.frame is not before)

    job = board.submit("key", frames)
    assert began.wait(WAIT)
    assert (job.progress, job.eta) == (None, None)
    next_frame(after=10)
    assert (job.progress, job.elapsed) == (0.25, 10)
    assert job.eta == pytest.approx(30)
    clock.now += 6
    assert job.eta == pytest.approx(24)
    next_frame(after=14)  # half in thirty seconds
    assert job.progress == 0.5
    assert job.eta == pytest.approx(30)
    clock.now += 100
    assert job.eta == 0
    next_frame(after=0)
    next_frame(after=0)
    assert job.wait(WAIT)
    clock.now += 1000
    assert (job.progress, job.elapsed) == (1.0, 130)
    assert job.eta is None


def test_the_rate_is_that_of_the_latest_frames(boards: Boards) -> None:
    board, clock = boards(), boards.clock

    def frames() -> Iterator[Frame]:
        for done in range(1, 51):
            clock.now += 10 if done < 20 else 1
            yield Frame(done, 100)
        etas.append(job.eta)

    etas: list[float | None] = []
    with board._lock:  # it begins when `job` is there
        job = board.submit("key", frames)
    assert job.wait(WAIT)
    assert etas == [pytest.approx(50)]


def test_frames_without_numbers_have_no_progress(boards: Boards) -> None:
    job = boards().submit("key", lambda: iter([1, 2, Frame(0, 0)]))
    assert job.wait(WAIT)
    assert (job.progress, job.eta) == (None, None)


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads take turns at almost every step."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_who_sees_the_end_sees_the_last_frame(boards: Boards, restless_threads: None) -> None:
    board = boards(2)
    for number in range(100):
        job = board.submit(number, lambda: iter(range(3)))
        while not job.done:
            pass
        assert job.frame == 2


def test_an_idle_board_uses_no_processor(boards: Boards, monkeypatch: pytest.MonkeyPatch) -> None:
    board = boards(2)
    assert board.submit("key", lambda: iter(range(10))).wait(WAIT)
    woken: list[None] = []

    def counted(wait: Callable[..., bool], timeout: float | None = None) -> bool:
        notified = wait(timeout)
        woken.append(None)
        return notified

    for condition in (board._work, board._pool._changed):
        monkeypatch.setattr(condition, "wait", partial(counted, condition.wait))
    assert board.submit("another", lambda: iter(range(10))).wait(WAIT)  # so that all wait in the counted way
    until(lambda: idle(board))
    time.sleep(0.05)
    woken.clear()
    before = time.process_time()
    time.sleep(0.25)
    assert len(woken) == 0
    assert time.process_time() - before < 0.05


# What stays


def test_results_are_bounded_in_bytes(boards: Boards) -> None:
    board = boards(max_result_bytes=3_500_000)

    def ask(key: Hashable, megabytes: int = 1) -> Job[torch.Tensor]:
        job = board.submit(key, lambda: iter([torch.zeros(megabytes * 1_000_000, dtype=torch.uint8)]))
        assert job.wait(WAIT)
        assert board._results.total_bytes <= 3_500_000
        return job

    first, second, third = ask("a"), ask("b"), ask("c")
    assert ask("a") is first  # used again, so b is now the oldest
    ask("d")
    assert ask("c") is third
    assert ask("a") is first
    assert ask("b") is not second
    assert len(board._results) == 3
    large = ask("large", 4)
    assert large.frame is not None
    assert ask("large", 4) is not large
    assert len(board._results) == 3


def test_a_result_that_replaces_another_counts_once(held: tuple[Board, Gated]) -> None:
    board, plug = held
    job: Job[Any] = board.submit("plug", plug)
    plug.allow(1)
    until(lambda: plug.asked == 2)
    job.cancel()  # too late: its end is being computed
    anew: Job[Any] = board.submit("plug", lambda: iter([torch.zeros(1000)]))
    assert anew is not job
    plug.allow(1)
    assert job.wait(WAIT)
    assert anew.wait(WAIT)
    assert job.state is JobState.DONE
    assert board.submit("plug", plug) is anew
    assert len(board._results) == 1
    assert 4000 < board._results.total_bytes < 8000


def test_tiny_results_are_bounded_too(boards: Boards) -> None:
    board = boards(max_result_bytes=100_000)
    for key in range(200):
        assert board.submit(key, lambda: iter([None])).wait(WAIT)
    assert len(board._results) < 60


@dataclass(frozen=True, slots=True)
class Record:
    values: torch.Tensor
    parts: tuple[Any, ...]


@dataclass
class Loose:
    values: Any


def test_the_size_of_a_result() -> None:
    size = lru.result_bytes
    million = torch.zeros(250_000)
    near = pytest.approx
    assert size(million) == near(1e6, rel=1e-3)
    assert size(million[:10]) == near(1e6, rel=1e-3)  # a view keeps the whole
    assert size((million, million, million[5:])) == near(1e6, rel=1e-3)
    assert size([million, million.clone()]) == near(2e6, rel=1e-3)
    assert size(Record(million, ({"map": np.zeros(250_000, np.float32)}, [b"x" * 500_000]))) == near(2.5e6, rel=1e-3)
    assert size(Loose(np.zeros((1000, 1000), np.uint8)[::2])) == near(1e6, rel=1e-3)
    assert size(Image.new("RGB", (500, 500))) == near(1e6, rel=1e-3)
    assert size(Image.new("L", (1000, 1000))) == near(1e6, rel=1e-3)
    assert size(memoryview(bytearray(10**6))) == near(1e6, rel=1e-3)
    assert size({"name" * 250_000}) == near(1e6, rel=1e-3)
    endless_list: list[Any] = [million]
    endless_list.append(endless_list)
    assert size(endless_list) == near(1e6, rel=1e-3)
    assert size(None) < 100


# All at once


def test_everything_at_once_leaves_nothing_behind(boards: Boards) -> None:
    board = boards(3, max_result_bytes=50_000)
    lock, opened, ended = threading.Lock(), [0], [0]

    def frames(seed: int) -> Iterator[Frame]:
        with lock:
            opened[0] += 1
        try:
            total = seed % 7 + 1
            for done, _ in enumerate(lanes.map(lambda item: item * 2, range(total)), start=1):
                if seed % 11 == 3 and done == 3:
                    raise ValueError(seed)
                yield Frame(done, total)
        finally:
            with lock:
                ended[0] += 1

    asked: list[Job[Frame]] = []

    def person(number: int) -> None:
        chance = random.Random(number)
        for _ in range(150):
            key = chance.randrange(40)
            job = board.request(number, chance.choice("ab"), key, partial(frames, key))
            asked.append(job)
            act = chance.randrange(6)
            if act == 0:
                job.cancel(number)
            elif act == 1:
                job.release(number)
            elif act == 2:
                job.touch(number)
                _ = job.position, job.eta, job.progress
            elif act == 3:
                job.wait(0.01)

    with ThreadPoolExecutor(8) as people:
        for future in [people.submit(person, number) for number in range(8)]:
            future.result(WAIT)
    boards.clock.now += 100  # they have all gone home
    until(lambda: all(job.done for job in asked))
    assert idle(board)
    assert not any(job._present() for job in asked)
    assert (board._begun, board._live, board._slots, board._in_turn) == (0, {}, {}, set())
    assert opened == ended
    assert board._results.total_bytes <= 50_000
    for job in asked:
        if job.state is JobState.DONE:
            assert job.frame is not None
            assert job.frame.done == job.frame.total
        assert (job.error is None) == (job.state is not JobState.FAILED)


@needs_fork
def test_the_process_has_one_board_and_ends_cleanly_while_it_computes() -> None:
    script = """
import torch
from convis_core.runtime import lanes
from convis_core.runtime.board import shared_board
assert shared_board() is shared_board()
x, w = torch.randn(4, 64, 112, 112), torch.randn(64, 64, 3, 3)
def plain():
    try:
        while True:
            yield torch.nn.functional.conv2d(x, w).mean()
    finally:
        print("closed")
def mapping():
    yield from lanes.map(lambda _: torch.nn.functional.conv2d(x, w).mean(), range(10**9))
jobs = [shared_board().submit(name, make) for name, make in [("plain", plain), ("mapping", mapping)]]
while any(job.frame is None for job in jobs):
    jobs[0].wait(0.01)
"""
    done = run_script(script, CONVIS_LANES="2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "closed\n", "")
