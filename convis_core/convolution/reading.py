"""Kernels and rows of numbers read from text."""

import math

import torch
from torch import Tensor

from convis_core.errors import SpecError
from convis_core.results.convolution import Rows

_LONGEST = 11


def read_rows(text: str) -> Rows:
    """A kernel from a text such as "1 0 -1 / 1 0 -1 / 1 0 -1".

    Args:
        text: rows separated by slashes, numbers by spaces or commas.

    Raises:
        SpecError: when a number cannot be read, the rows differ in length, or there are more than 11 rows or columns.

    >>> from convis_core import convolution
    >>> convolution.read_rows("1 0 / 0.5 -1")
    ((1.0, 0.0), (0.5, -1.0))
    >>> convolution.read_rows("1 2 / 3")
    Traceback (most recent call last):
    convis_core.errors.SpecError: Every row needs the same count of numbers; yours have 2 and 1.
    """
    rows = tuple(_numbers(row) for row in text.split("/"))
    if len({len(row) for row in rows}) > 1:
        *counts, last = (str(len(row)) for row in rows)
        raise SpecError(f"Every row needs the same count of numbers; yours have {', '.join(counts)} and {last}.")
    if max(len(rows), len(rows[0])) > _LONGEST:
        raise SpecError(f"A kernel here has at most {_LONGEST} rows and columns.")
    return rows


def read_line(text: str) -> Tensor:
    """A row of numbers from a text such as "0 1 2.5", float32 [N].

    Args:
        text: numbers separated by spaces or commas.

    Raises:
        SpecError: when a number cannot be read, or there are more than 11.

    >>> from convis_core import convolution
    >>> convolution.read_line("0 1 2.5").tolist()
    [0.0, 1.0, 2.5]
    """
    numbers = _numbers(text)
    if len(numbers) > _LONGEST:
        raise SpecError(f"At most {_LONGEST} numbers fit here; there are {len(numbers)}.")
    return torch.tensor(numbers)


def write_rows(rows: Rows) -> str:
    """The kernel as the text that ``read_rows`` reads.

    >>> from convis_core import convolution
    >>> convolution.write_rows(((1.0, 0.0), (0.5, -1.0)))
    '1 0 / 0.5 -1'
    """
    return " / ".join(" ".join(f"{number:g}" for number in row) for row in rows)


def _numbers(text: str) -> tuple[float, ...]:
    words = text.replace(",", " ").split()
    if not words:
        raise SpecError("A row is empty; write numbers separated by spaces.")
    return tuple(_number(word) for word in words)


def _number(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        raise SpecError(f"{word[:20]!r} is not a number; write numbers separated by spaces, such as 1 0 -1.") from None
    if not math.isfinite(value) or abs(value) > 1e4:
        raise SpecError(f"{word[:20]} is too large to draw; use numbers from -10000 to 10000.")
    return value
