"""Checks of the arguments with which a network is wrapped or loaded."""

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from convis_core.errors import SpecError
from convis_core.models.spec import Triple


def whole_number(what: str, value: Any, low: int, high: int) -> int:
    """The value as an int, if it is a whole number within bounds.

    Args:
        what: name of the number, with which the error message begins.
        value: any integer, numpy's included; a bool does not count as one.
        low: the smallest that is allowed.
        high: the largest that is allowed.

    Raises:
        SpecError: when it is something else.

    >>> whole_number("A seed", 7, 0, 9)
    7
    """
    if not isinstance(value, bool) and isinstance(value, Integral) and low <= int(value) <= high:
        return int(value)
    raise SpecError(f"{what} is a whole number from {low} to {high}, not {value!r}.")


def channel_triple(what: str, values: Any, *, positive: bool = False) -> Triple:
    """Three finite numbers, one for each of red, green and blue.

    Args:
        what: name of the triple, with which the error message begins.
        values: a sequence of three, also an array or a tensor.
        positive: whether all of them must be greater than zero.

    Raises:
        SpecError: when they are something else.

    >>> channel_triple("The mean", [0, 0.5, 1])
    (0.0, 0.5, 1.0)
    """
    numbers = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(numbers, Sequence) and len(numbers) == 3 and all(_is_finite(number) for number in numbers):
        red, green, blue = (float(number) for number in numbers)
        if not positive or min(red, green, blue) > 0:
            return red, green, blue
    kind = "finite numbers greater than zero" if positive else "finite numbers"
    raise SpecError(f"{what} is three {kind}, for red, green and blue, not {values!r}.")


def class_names(categories: object, classes: int) -> tuple[str, ...]:
    """Names of the classes by index, by default "class 0", "class 1" and so on.

    Args:
        categories: a sequence of strings, as many as there are classes, or an empty one.
        classes: the number C of classes.

    Raises:
        SpecError: when it is not a sequence of strings, or does not have C of them.

    >>> class_names((), 2)
    ('class 0', 'class 1')
    """
    if isinstance(categories, str | bytes) or not isinstance(categories, Sequence):
        raise SpecError(f"The categories are a sequence of names, such as ('cat', 'dog'), not {categories!r}.")
    for name in categories:
        if not isinstance(name, str) or not name.strip():
            raise SpecError(f"The name of a class is a text that is not empty, not {name!r}.")
    if categories and len(categories) != classes:
        raise SpecError(f"The network has {classes} classes, but {len(categories)} names were given.")
    return tuple(categories) or tuple(f"class {index}" for index in range(classes))


def _is_finite(number: Any) -> bool:
    return not isinstance(number, bool) and isinstance(number, Real) and math.isfinite(number)
