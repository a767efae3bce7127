"""A running estimate with the similarity of each frame to the one before."""

import math
from collections.abc import Iterator

from convis_core.attribution.similarity import correlation
from convis_core.results import Attribution, Running


def running(frames: Iterator[Attribution]) -> Iterator[Running]:
    """The frames of an estimate, each with the history of all.

    A page that polls a job sees only some of its frames; the history contains all of them.

    Args:
        frames: of ``attribution.attribute``.

    >>> import torch
    >>> ramp = torch.arange(12.0).view(3, 2, 2)
    >>> frames = (Attribution(done * ramp, 0, "example", done, 2) for done in (1, 2))
    >>> *_, last = running(frames)
    >>> last.samples, [round(value, 6) for value in last.agreement]
    ((1, 2), [nan, 1.0])
    """
    samples: tuple[int, ...] = ()
    agreement: tuple[float, ...] = ()
    before: Attribution | None = None
    for frame in frames:
        now = math.nan if before is None else correlation(before.values, frame.values)
        samples, agreement = (*samples, frame.done), (*agreement, now)
        before = frame
        yield Running(frame, samples, agreement)
