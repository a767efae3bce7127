"""Values that a specification may have: each check refuses the rest in one sentence.

Specifications come from notebooks, from links and from files. True, 3.0 and "3" are no whole numbers here: equal
computations must be asked for in equal words, since a specification is the key under which its result is found.
"""

import math
from collections.abc import Iterable
from typing import Any

from convis_core.errors import SpecError


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Refuse what is not a whole number from ``low`` to ``high``.

    Args:
        name: what the number is, as it stands at the beginning of a sentence: "The stride".
        value: what was given.
        low: the smallest number that is allowed.
        high: the largest.

    Raises:
        SpecError: when it is not.

    >>> check_whole("The stride", 8, 1, 224)
    >>> check_whole("The stride", 0, 1, 224)
    Traceback (most recent call last):
    convis_core.errors.SpecError: The stride is a whole number from 1 to 224, not 0.
    """
    if type(value) is not int or not low <= value <= high:
        raise SpecError(f"{name} is a whole number from {low:,} to {high:,}, not {shown(value)}.")


def check_real(name: str, value: Any, low: float, high: float) -> None:
    """Refuse what is not a finite number from ``low`` to ``high``.

    Args:
        name: as for ``check_whole``.
        value: what was given.
        low: the smallest number that is allowed.
        high: the largest.

    Raises:
        SpecError: when it is not.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high or not math.isfinite(value):
        raise SpecError(f"{name} is a number from {low:g} to {high:g}, not {shown(value)}.")


def check_choice(name: str, value: Any, options: Iterable[str]) -> None:
    """Refuse what is none of the words offered.

    Raises:
        SpecError: when it is not.
    """
    words = tuple(options)
    if not isinstance(value, str) or value not in words:
        raise SpecError(f"{name} is one of {', '.join(map(repr, words))}, not {shown(value)}.")


def check_seed(seed: Any) -> None:
    """Refuse what is not a whole number of 64 bits.

    Raises:
        SpecError: when it is not.
    """
    if type(seed) is not int or not 0 <= seed < 2**64:
        raise SpecError(f"The seed is a whole number from 0 to 2^64 - 1, not {shown(seed)}.")


def shown(value: Any) -> str:
    """A value as a person would write it, cut where it is longer than anybody reads.

    >>> shown("abc"), shown(10**60)
    ("'abc'", '1000000000000000000000000000000000000...')
    """
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
