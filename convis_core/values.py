"""Checks of the values of a specification; each refuses an invalid value in one sentence.

Specifications come from notebooks, from links and from files. True, 3.0 and "3" do not count as whole numbers: equal
computations must have equal specifications, since a specification is the key under which its result is cached.
"""

import math
from collections.abc import Iterable
from typing import Any

from convis_core.errors import SpecError


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Refuses anything but a whole number from ``low`` to ``high``.

    Args:
        name: of the value, as the beginning of a sentence: "The stride".
        value: what was given.
        low: the smallest number allowed.
        high: the largest number allowed.

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
    """Refuses anything but a finite number from ``low`` to ``high``.

    Args:
        name: as for ``check_whole``.
        value: what was given.
        low: the smallest number allowed.
        high: the largest number allowed.

    Raises:
        SpecError: when it is not.

    >>> check_real("The noise level", 0.15, 0, 10)
    >>> check_real("The noise level", float("nan"), 0, 10)
    Traceback (most recent call last):
    convis_core.errors.SpecError: The noise level is a number from 0 to 10, not nan.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high or not math.isfinite(value):
        raise SpecError(f"{name} is a number from {low:g} to {high:g}, not {shown(value)}.")


def check_choice(name: str, value: Any, options: Iterable[str]) -> None:
    """Refuses anything but one of the given words.

    Raises:
        SpecError: when it is not.

    >>> check_choice("The fill", "blur", ("mean", "blur"))
    >>> check_choice("The fill", "red", ("mean", "blur"))
    Traceback (most recent call last):
    convis_core.errors.SpecError: The fill is one of 'mean', 'blur', not 'red'.
    """
    words = tuple(options)
    if not isinstance(value, str) or value not in words:
        raise SpecError(f"{name} is one of {', '.join(map(repr, words))}, not {shown(value)}.")


def check_seed(seed: Any) -> None:
    """Refuses anything but a whole number from 0 to 2^64 - 1.

    Raises:
        SpecError: when it is not.

    >>> check_seed(7)
    >>> check_seed(-1)
    Traceback (most recent call last):
    convis_core.errors.SpecError: The seed is a whole number from 0 to 2^64 - 1, not -1.
    """
    if type(seed) is not int or not 0 <= seed < 2**64:
        raise SpecError(f"The seed is a whole number from 0 to 2^64 - 1, not {shown(seed)}.")


def shown(value: Any) -> str:
    """A value as Python writes it, shortened to 40 characters for a message.

    >>> shown("abc"), shown(10**60)
    ("'abc'", '1000000000000000000000000000000000000...')
    """
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
