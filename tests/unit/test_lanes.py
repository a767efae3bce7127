"""Lanes under real threads. Gates are events, not pauses; WAIT bounds how long a broken one hangs."""

from __future__ import annotations

import concurrent.futures
import contextlib
import gc
import os
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from convis_core.errors import SpecError
from convis_core.runtime import cores, lanes
from tests.unit.interpreters import needs_fork, run_script

WAIT = 20.0


def until(true: Callable[[], bool]) -> None:
    """For what no event announces, such as a task that has been queued."""
    deadline = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.001)


def queued(pool: lanes.Lanes) -> int:
    with pool._changed:
        return sum(len(queue) for queue in pool._queues.values())


class Overlap:
    """How many threads were inside it at once, at most."""

    def __init__(self) -> None:
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def __enter__(self) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.now -= 1


@pytest.fixture
def one() -> Iterator[lanes.Lanes]:
    pool = lanes.Lanes(1)
    yield pool
    pool.close(WAIT)


@pytest.fixture
def two() -> Iterator[lanes.Lanes]:
    pool = lanes.Lanes(2)
    yield pool
    pool.close(WAIT)


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as executor:
        yield executor


@pytest.fixture
def held(one: lanes.Lanes, callers: ThreadPoolExecutor) -> Iterator[threading.Event]:
    """The only lane is busy until this is set, so that what is queued meanwhile shows its order."""
    started, gate = threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        gate.wait(WAIT)

    callers.submit(one.run, hold)
    assert started.wait(WAIT)
    yield gate
    gate.set()


# Calls


def test_a_call_runs_on_a_lane_and_returns_its_result(two: lanes.Lanes) -> None:
    assert two.run(lambda: threading.current_thread().name).startswith("convis-lane-")


def test_a_call_raises_in_its_caller(two: lanes.Lanes) -> None:
    error = ValueError("of the caller")

    def fail() -> None:
        raise error

    with pytest.raises(ValueError, match="of the caller") as caught:
        two.run(fail)
    assert caught.value is error
    assert two.run(lambda: "alive") == "alive"


def test_each_lane_has_one_torch_thread_and_the_caller_keeps_its_own(two: lanes.Lanes) -> None:
    before = torch.get_num_threads()
    meet = threading.Barrier(2)
    counts = list(two.map(lambda _: (meet.wait(WAIT), torch.get_num_threads())[1], range(2)))
    assert counts == [1, 1]
    assert torch.get_num_threads() == before


def test_a_call_within_a_call_runs_on_the_same_lane(one: lanes.Lanes) -> None:
    outer, inner = one.run(lambda: (threading.get_ident(), one.run(threading.get_ident)))
    assert outer == inner


def test_calls_overtake_chunks(one: lanes.Lanes, callers: ThreadPoolExecutor, held: threading.Event) -> None:
    order: list[str] = []
    chunks = callers.submit(lambda: list(one.map(order.append, ["chunk 0", "chunk 1"])))
    until(lambda: queued(one) == 2)
    call = callers.submit(one.run, lambda: order.append("call"))
    until(lambda: queued(one) == 3)
    held.set()
    chunks.result(WAIT)
    call.result(WAIT)
    assert order == ["call", "chunk 0", "chunk 1"]


def test_calls_cannot_starve_a_chunk(one: lanes.Lanes, callers: ThreadPoolExecutor, held: threading.Event) -> None:
    order: list[str] = []
    chunk = callers.submit(lambda: list(one.map(order.append, ["chunk"])))
    until(lambda: queued(one) == 1)
    calls = [callers.submit(one.run, lambda: order.append("call")) for _ in range(12)]
    until(lambda: queued(one) == 13)
    held.set()
    chunk.result(WAIT)
    for future in calls:
        future.result(WAIT)
    assert order.index("chunk") == 8


# Maps


def test_results_come_in_the_order_of_the_items(two: lanes.Lanes) -> None:
    second_done = threading.Event()

    def chunk(item: int) -> int:
        if item == 0:
            assert second_done.wait(WAIT)
        if item == 1:
            second_done.set()
        return item * item

    assert list(two.map(chunk, range(20))) == [item * item for item in range(20)]


def test_a_map_uses_all_lanes(two: lanes.Lanes) -> None:
    meet = threading.Barrier(2)
    assert len(set(two.map(lambda _: (meet.wait(WAIT), threading.get_ident())[1], range(8)))) == 2


def test_a_map_of_nothing_is_empty(two: lanes.Lanes) -> None:
    assert list(two.map(str, [])) == []


def test_items_are_taken_two_a_lane_ahead(two: lanes.Lanes) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    with contextlib.closing(two.map(str, items())) as results:
        assert taken == []
        for consumed in range(1, 20):
            next(results)
            assert len(taken) == consumed + 3


def test_after_close_nothing_computes(two: lanes.Lanes, callers: ThreadPoolExecutor) -> None:
    started: list[int] = []
    ended: list[int] = []
    gate, both_busy = threading.Event(), threading.Barrier(3)

    def chunk(item: int) -> None:
        started.append(item)
        if item in (1, 2):
            both_busy.wait(WAIT)
            assert gate.wait(WAIT)
        ended.append(item)

    results = two.map(chunk, range(100))
    next(results)
    both_busy.wait(WAIT)
    closing = callers.submit(results.close)
    with pytest.raises(concurrent.futures.TimeoutError):
        closing.result(0.05)  # it waits for the two in flight
    gate.set()
    closing.result(WAIT)
    assert sorted(started) == sorted(ended) == [0, 1, 2]
    two.run(str)  # whatever were still queued would come before long
    assert queued(two) == 0
    assert sorted(started) == [0, 1, 2]


@pytest.mark.parametrize("culprit", ["chunk", "items"])
def test_an_exception_cancels_the_rest(two: lanes.Lanes, culprit: str) -> None:
    ended: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            if culprit == "items" and item == 10:
                raise KeyError("items")
            yield item

    def chunk(item: int) -> int:
        if culprit == "chunk" and item == 10:
            raise KeyError("chunk")
        ended.append(item)
        return item

    got: list[int] = []
    with pytest.raises(KeyError, match=culprit):
        got.extend(two.map(chunk, items()))
    settled = list(ended)
    assert got == list(range(len(got)))
    assert len(got) == (10 if culprit == "chunk" else 7)  # three more had been taken and not yet given out
    assert max(ended) < 14
    two.run(str)
    assert ended == settled


def test_a_map_within_a_chunk_runs_on_the_same_lane(two: lanes.Lanes) -> None:
    def chunk(item: int) -> tuple[int, set[int], list[int]]:
        inner = list(two.map(lambda part: (slow_ident(), item * 10 + part), range(3)))
        return threading.get_ident(), {ident for ident, _ in inner}, [value for _, value in inner]

    def slow_ident() -> int:
        time.sleep(0.01)  # the other lane, which has nothing to do, would take some of these if it could
        return threading.get_ident()

    outer, inner, values = next(two.map(chunk, [7]))
    assert inner == {outer}
    assert values == [70, 71, 72]


def test_maps_take_turns_by_the_chunk(one: lanes.Lanes, callers: ThreadPoolExecutor, held: threading.Event) -> None:
    order: list[str] = []
    first = callers.submit(lambda: list(one.map(order.append, [f"a{n}" for n in range(10)])))
    until(lambda: queued(one) == 2)
    second = callers.submit(lambda: list(one.map(order.append, [f"b{n}" for n in range(10)])))
    until(lambda: queued(one) == 4)
    held.set()
    first.result(WAIT)
    second.result(WAIT)
    assert order[:4] == ["a0", "a1", "b0", "b1"]
    assert len(order) == 20


# Steps


@pytest.mark.parametrize("order", [["chunk", "step"], ["step", "chunk"]])
def test_steps_and_chunks_leave_in_the_order_in_which_they_came(
    one: lanes.Lanes, callers: ThreadPoolExecutor, held: threading.Event, order: list[str]
) -> None:
    seen: list[str] = []
    ask: dict[str, Callable[[], object]] = {
        "chunk": lambda: list(one.map(seen.append, ["chunk"])),
        "step": lambda: one.step(lambda: seen.append("step")),
    }
    futures: list[concurrent.futures.Future[object]] = []
    for name in order:
        futures.append(callers.submit(ask[name]))
        until(lambda: queued(one) == len(futures))
    held.set()
    for future in futures:
        future.result(WAIT)
    assert seen == order


def test_a_new_step_wakes_a_lane_that_may_take_it(callers: ThreadPoolExecutor) -> None:
    pool = lanes.Lanes(3)
    both, second_busy = threading.Barrier(2), threading.Event()
    second_lane, third_lane = threading.Event(), threading.Event()
    call = callers.submit(pool.run, lambda: third_lane.wait(WAIT))

    def waiting_step() -> None:
        mine = threading.get_ident()

        def chunk(_: int) -> None:
            both.wait(WAIT)
            if threading.get_ident() != mine:
                second_busy.set()
                assert second_lane.wait(WAIT)

        list(pool.map(chunk, range(2)))

    def asleep() -> int:
        return len(pool._changed._waiters)  # type: ignore[attr-defined]

    first = callers.submit(pool.step, waiting_step)
    assert second_busy.wait(WAIT)
    until(lambda: asleep() == 1)  # the step's lane waits for the second; the third has its call
    third_lane.set()
    call.result(WAIT)
    until(lambda: asleep() == 2)  # now the third is idle too, and would be woken after the first
    assert callers.submit(pool.step, lambda: "at once").result(WAIT) == "at once"
    second_lane.set()
    first.result(WAIT)
    pool.close(WAIT)


def test_a_map_within_a_step_uses_all_lanes(two: lanes.Lanes) -> None:
    meet = threading.Barrier(2)

    def chunk(item: int) -> tuple[int, int]:
        meet.wait(WAIT)
        return item, threading.get_ident()

    results = two.step(lambda: list(two.map(chunk, range(8))))
    assert [item for item, _ in results] == list(range(8))
    assert len({ident for _, ident in results}) == 2


@pytest.mark.parametrize("count", [1, 2, 3])
def test_mapping_steps_do_not_wait_for_each_other_in_a_circle(count: int, callers: ThreadPoolExecutor) -> None:
    pool = lanes.Lanes(count)

    def step() -> int:
        return sum(pool.map(lambda item: sum(pool.map(int, range(item))), range(12)))

    futures = [callers.submit(pool.step, step) for _ in range(40)]
    assert {future.result(WAIT) for future in futures} == {220}
    pool.close(WAIT)


def test_a_step_that_waits_lends_its_lane_to_a_call(one: lanes.Lanes, callers: ThreadPoolExecutor) -> None:
    order: list[str] = []
    call: list[concurrent.futures.Future[None]] = []

    def chunk(item: int) -> None:
        if item == 0:
            call.append(callers.submit(one.run, lambda: order.append("call")))
            until(lambda: queued(one) == 2)
        order.append(f"chunk {item}")

    callers.submit(one.step, lambda: list(one.map(chunk, range(5)))).result(WAIT)
    call[0].result(WAIT)
    assert order == ["chunk 0", "call", "chunk 1", "chunk 2", "chunk 3", "chunk 4"]


def test_never_more_computing_threads_than_lanes(two: lanes.Lanes, callers: ThreadPoolExecutor) -> None:
    computing = Overlap()

    def work(_: object = None) -> None:
        with computing:
            torch.randn(64, 64) @ torch.randn(64, 64)

    def mapping() -> None:
        for _ in two.map(work, range(10)):
            pass

    jobs = [lambda: two.run(work), lambda: two.step(work), lambda: two.step(mapping), mapping] * 10
    for future in [callers.submit(job) for job in jobs]:
        future.result(WAIT)
    assert computing.most == 2


# Grad mode


def grad_modes() -> tuple[bool, bool]:
    return torch.is_grad_enabled(), torch.is_inference_mode_enabled()


def test_a_task_does_not_inherit_its_callers_grad_mode(one: lanes.Lanes) -> None:
    with torch.no_grad():
        assert one.run(grad_modes) == (True, False)
        assert list(one.map(lambda _: grad_modes(), range(3))) == [(True, False)] * 3
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize("nested", [False, True])
def test_a_task_leaves_no_grad_mode_behind(one: lanes.Lanes, nested: bool) -> None:
    def leak(_: object = None) -> None:
        torch.set_grad_enabled(False)

    def leak_in_the_same_lane() -> tuple[bool, bool]:
        one.run(leak)
        list(one.map(leak, range(2)))
        return grad_modes()

    if nested:
        assert one.run(leak_in_the_same_lane) == (True, False)
    one.run(leak)
    assert list(one.map(leak, range(3))) == [None] * 3
    assert one.run(grad_modes) == (True, False)
    assert one.run(lambda: (torch.ones(1, requires_grad=True) * 2).requires_grad)


def test_a_suspended_inference_mode_does_not_leak(one: lanes.Lanes, two: lanes.Lanes) -> None:
    def frames() -> Generator[None, None, None]:
        with torch.inference_mode():
            yield
            yield

    suspended = frames()
    one.run(lambda: next(suspended))
    assert one.run(grad_modes) == (True, False)
    two.run(lambda: next(suspended))  # it goes on elsewhere, and ends there
    two.run(suspended.close)
    assert list(two.map(lambda _: grad_modes(), range(4))) == [(True, False)] * 4
    assert one.run(grad_modes) == (True, False)


# Lifetime


class Big:
    """Stands for a tensor; can be weakly referenced."""


def test_an_idle_lane_keeps_nothing_alive(one: lanes.Lanes) -> None:
    seen: list[weakref.ref[Big]] = []

    def make(_: object = None) -> Big:
        big = Big()
        seen.append(weakref.ref(big))
        return big

    def fail(_: object = None) -> None:
        big = make()
        raise ValueError(big)

    gc.disable()  # or it would hide a circle of references
    try:
        one.run(make)
        list(one.map(make, range(3)))
        with contextlib.suppress(ValueError):
            one.run(fail)
        with contextlib.suppress(ValueError):
            list(one.map(fail, range(3)))
        assert len(seen) >= 6
        until(lambda: all(ref() is None for ref in seen))
    finally:
        gc.enable()


def test_closing_the_pool_ends_those_who_wait(
    one: lanes.Lanes, callers: ThreadPoolExecutor, held: threading.Event
) -> None:
    waiting = callers.submit(one.run, str)
    until(lambda: queued(one) == 1)
    one.close(timeout=0)
    with pytest.raises(concurrent.futures.CancelledError):
        waiting.result(WAIT)
    with pytest.raises(RuntimeError, match="closed"):
        one.run(str)


@needs_fork
def test_a_forked_child_has_lanes_of_its_own() -> None:
    done = run_script(
        """
import os, signal
from convis_core.runtime import lanes
assert sum(lanes.map(int, range(10))) == 45
signal.alarm(60)  # of a child that hangs, nobody would be left to end it
pid = os.fork()
if pid == 0:
    signal.alarm(60)
    assert sum(lanes.map(int, range(10))) == 45
    os._exit(lanes.run(lambda: 7))
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
def fork_within_a_task():
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        os._exit(lanes.run(lambda: 8))
    return pid
pid = lanes.run(fork_within_a_task)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 8
""",
        CONVIS_LANES="2",
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_fork
def test_the_interpreter_ends_cleanly_while_lanes_compute() -> None:
    done = run_script(
        """
import contextlib, threading, torch
from concurrent.futures import CancelledError
from convis_core.runtime import lanes
x, w = torch.randn(4, 64, 112, 112), torch.randn(64, 64, 3, 3)
busy = threading.Barrier(3)
def chunk(item):
    if item < 2:
        busy.wait()
    torch.nn.functional.conv2d(x, w)
def consume():
    with contextlib.suppress(RuntimeError, CancelledError):
        for _ in lanes.map(chunk, range(10**6)):
            pass
threading.Thread(target=consume, daemon=True).start()
busy.wait()
""",
        CONVIS_LANES="2",
    )
    assert (done.returncode, done.stderr) == (0, "")


# How many


def test_the_environment_sets_the_number_of_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVIS_LANES", "3")
    assert cores.lane_count() == 3
    monkeypatch.delenv("CONVIS_LANES")
    assert 1 <= cores.lane_count() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("asked", ["0", "-1", "two", "1.5"])
def test_a_senseless_number_of_lanes_is_refused(monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    monkeypatch.setenv("CONVIS_LANES", asked)
    with pytest.raises(SpecError, match="CONVIS_LANES"):
        cores.lane_count()


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_a_containers_quota_is_read(tmp_path: Path, files: dict[str, str], quota: float | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cores.cpu_quota(tmp_path) == quota


def test_the_module_has_one_pool_and_a_lane_uses_its_own(one: lanes.Lanes) -> None:
    assert lanes.shared() is lanes.shared()
    assert lanes.run(lambda: 5) == 5
    assert list(lanes.map(str, range(3))) == ["0", "1", "2"]
    outer, inner = one.step(lambda: (threading.get_ident(), set(lanes.map(lambda _: threading.get_ident(), "ab"))))
    assert inner == {outer}
