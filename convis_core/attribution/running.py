"""A running estimate that remembers how much each frame still changed it."""

import math
from collections.abc import Iterator

from convis_core.attribution.similarity import correlation
from convis_core.results import Attribution, Running


def running(frames: Iterator[Attribution]) -> Iterator[Running]:
    """The frames of an estimate, each with the history of all.

    Whoever watches a job sees only some of its frames; the history is complete all the same.

    Args:
        frames: of ``attribution.attribute``.
    """
    samples: tuple[int, ...] = ()
    agreement: tuple[float, ...] = ()
    before: Attribution | None = None
    for frame in frames:
        now = math.nan if before is None else correlation(before.values, frame.values)
        samples, agreement = (*samples, frame.done), (*agreement, now)
        before = frame
        yield Running(frame, samples, agreement)
