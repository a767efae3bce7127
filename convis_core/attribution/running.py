"""A running estimate that remembers how much each frame still changed it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from convis_core.results import Attribution
from convis_core.similarity import correlation


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """An estimate with its history.

    Attributes:
        attribution: the latest frame.
        samples: units of work that each frame so far held.
        agreement: Pearson's correlation of the signed values of each frame with those of the frame before; nan for
            the first.
    """

    attribution: Attribution
    samples: tuple[int, ...]
    agreement: tuple[float, ...]

    @property
    def done(self) -> int:
        """Units of work that the estimate holds."""
        return self.attribution.done

    @property
    def total(self) -> int:
        """Units of work that the result will hold."""
        return self.attribution.total


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
