"""Thirty people in one room: what each of them waits for on one small server.

``python -m benchmarks.workshop`` runs the job board as the dashboard does, without the browsers: every person asks
for an occlusion map on EfficientNet-Lite0 and looks at it three times a second.

- One alone.
- Thirty open the same link: one computation, so nobody should wait longer than the one alone.
- Thirty ask for something else each, all at once: how long until each sees a first map, and how much longer all
  maps together take than one after the other.
"""

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import Tensor

from convis_core import images, models, occlusion
from convis_core.models import LoadedModel
from convis_core.results import OcclusionSpec
from convis_core.runtime.board import Board
from convis_core.runtime.memory import keep_freed

PEOPLE = 30
TARGET = 281
LOOK_EVERY = 0.3  # seconds
FILLS = ("mean", "black", "grey", "white", "blur", "noise")


@dataclass(frozen=True, slots=True)
class Wish:
    """What one person asks for: a picture's id and a specification."""

    picture: str
    spec: OcclusionSpec


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds from the wish to the first map and to the last."""

    first: float
    last: float


def main() -> None:
    keep_freed()  # as the dashboard does
    model = models.load("efficientnet_lite0")
    pictures = {sample.id: images.to_tensor(images.sample(sample.id), model.input_size) for sample in images.SAMPLES}
    same = Wish("coffee", OcclusionSpec(window=32, stride=8))
    different = [
        Wish(sample.id, replace(same.spec, fill=fill, window=40)) for sample in images.SAMPLES for fill in FILLS
    ]
    room(model, pictures, [Wish("coffee", OcclusionSpec(window=30, stride=8))])  # libraries loaded at first use
    alone = room(model, pictures, [same])
    together = room(model, pictures, [same] * PEOPLE)
    each = room(model, pictures, different[:PEOPLE])
    print(f"{'':30} {'first map: median':>18} {'worst':>7} {'last map: worst':>16} {'MB more':>8}")
    for name, (waits, memory) in (
        ("one alone", alone),
        (f"{PEOPLE}, all the same", together),
        (f"{PEOPLE}, each something else", each),
    ):
        firsts = [wait.first for wait in waits]
        last = max(wait.last for wait in waits)
        print(f"{name:30} {statistics.median(firsts):16.2f} s {max(firsts):5.2f} s {last:14.2f} s {memory:8.0f}")
    single, many = alone[0][0].last, max(wait.last for wait in each[0])
    print(f"{PEOPLE} different maps take {many / (PEOPLE * single):.2f} times as long together as one after the other.")


def room(model: LoadedModel, pictures: dict[str, Tensor], wishes: list[Wish]) -> tuple[list[Wait], float]:
    """All wishes at once on a fresh board: what each person waits, and by how many MB resident memory grows at most."""
    board = Board()
    waits: list[Wait | None] = [None] * len(wishes)
    ready = threading.Barrier(len(wishes) + 1)

    def sit(person: int) -> None:
        wish = wishes[person]
        ready.wait()
        waits[person] = wait(board, person, wish, partial(occlusion.occlusion, model, pictures[wish.picture], TARGET))

    people = [threading.Thread(target=sit, args=(person,)) for person in range(len(wishes))]
    for thread in people:
        thread.start()
    before = peak = resident()
    ready.wait()
    while any(thread.is_alive() for thread in people):
        peak = max(peak, resident())
        time.sleep(0.02)
    board.close()
    return [found for found in waits if found is not None], (peak - before) / 1e6


def wait(board: Board, person: int, wish: Wish, compute: Callable[..., object]) -> Wait:
    """One person who asks, and looks until the map is complete."""
    begun, first = time.monotonic(), 0.0
    job = board.request(person, "map", ("benchmark", wish), lambda: compute(wish.spec))
    while True:
        ended = job.done
        if job.frame is not None and not first:
            first = time.monotonic() - begun
        if ended:
            return Wait(first, time.monotonic() - begun)
        job.touch(person)
        time.sleep(LOOK_EVERY)


def resident() -> int:
    """Bytes of resident memory."""
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * 4096


if __name__ == "__main__":
    main()
