"""Numbers in a specification that are refused before anything is computed."""

import math
from typing import Any

from convis_core.errors import SpecError

MOST_NOISE = 10.0
"""Noise ten times as strong as the picture: more shows nothing else either."""


def check_whole(value: Any, low: int, high: int, refusal: str) -> None:
    """Refuse what is not a whole number from ``low`` to ``high``.

    True, 3.0 and "3" are refused too: equal specifications must mean equal computations, and be written alike.

    Args:
        value: of the specification.
        low: the smallest number that is allowed.
        high: the largest.
        refusal: the sentence about it up to "not", such as "The seed is a whole number from 0 to 9".

    Raises:
        SpecError: with that sentence and the value.
    """
    if type(value) is not int or not low <= value <= high:
        raise SpecError(f"{refusal}, not {value!r}.")


def check_seed(seed: Any) -> None:
    """Refuse what is not a whole number of 64 bits.

    Raises:
        SpecError: when it is not.
    """
    check_whole(seed, 0, 2**64 - 1, "The seed is a whole number from 0 to 2^64 - 1")


def check_noise_level(level: Any) -> None:
    """Refuse a noise level that is not a number from 0 to ``MOST_NOISE``.

    Raises:
        SpecError: when it is not.
    """
    number = isinstance(level, int | float) and not isinstance(level, bool)
    if not number or not math.isfinite(level) or not 0 <= level <= MOST_NOISE:
        raise SpecError(
            f"The noise level is a share of the picture's range, a number from 0 to {MOST_NOISE:g}, not {level!r}."
        )
